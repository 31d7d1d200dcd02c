//! The options of a table: Flink's names for a JDBC table, and ours.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rialto_engine::CacheLimits;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::{ConnectorError, Result};
use crate::options::Options;
use crate::spec::TableSpec;

const NAMES: &[&str] = &[
    "url",
    "table-name",
    "username",
    "password",
    "driver",
    "compatible-mode",
    "connection.max-retry-timeout",
    "scan.fetch-size",
    "scan.auto-commit",
    "scan.partition.column",
    "scan.partition.num",
    "scan.partition.lower-bound",
    "scan.partition.upper-bound",
    "lookup.cache",
    "lookup.partial-cache.max-rows",
    "lookup.partial-cache.expire-after-write",
    "lookup.partial-cache.expire-after-access",
    "lookup.partial-cache.cache-missing-key",
    "lookup.full-cache.*",
    "lookup.max-retries",
    "lookup.cache.max-rows",
    "lookup.cache.ttl",
    "sink.buffer-flush.max-rows",
    "sink.buffer-flush.interval",
    "sink.max-retries",
    "sink.id",
    "sink.epochs-table",
    "sink.null-characters",
    "rialto.on-error",
];

/// Parameters of a JDBC URL that say how the Java driver works; nothing here depends on them.
const JDBC_ONLY: &[&str] = &[
    "reWriteBatchedInserts",
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "defaultRowFetchSize",
    "loginTimeout",
    "socketTimeout",
    "tcpKeepAlive",
    "stringtype",
    "autosave",
    "binaryTransfer",
];

/// The value of `sslmode`, as libpq has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    /// Where the server has it; nobody checks who the server is.
    Prefer,
    Require,
    /// The server's certificate has to be signed by a root.
    VerifyCa,
    /// And be one of the server's name.
    VerifyFull,
}

/// What becomes of U+0000 in a text, which PostgreSQL cannot store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnNull {
    Fail,
    Remove,
    /// U+FFFD takes its place.
    Replace,
}

/// The name of a table in the database, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    pub schema: Option<String>,
    pub name: String,
}

/// A scan in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub column: String,
    pub parts: u32,
    pub lower: i64,
    pub upper: i64,
}

/// How a table is looked up in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookupOptions {
    /// It is read whole when the job starts, and not asked.
    pub whole: bool,
    /// What is kept of the answers.
    pub cache: Option<CacheLimits>,
    pub retries_max: u32,
}

/// The options of one table, read and checked.
#[derive(Debug, Clone)]
pub(super) struct PgOptions {
    /// The name of our table.
    pub table: String,
    pub config: Config,
    pub tls: TlsMode,
    pub root_cert: Option<PathBuf>,
    pub target: TableName,
    pub fetch_size: usize,
    pub split: Option<Split>,
    pub lookup: LookupOptions,
    pub sink_id: Option<String>,
    pub epochs_table: String,
    pub on_null: OnNull,
    pub fail_on_error: bool,
}

impl PgOptions {
    pub fn read(spec: &TableSpec) -> Result<Self> {
        let raw = Options::new(spec);
        let connector = raw.required("connector")?;
        raw.refuse_unknown(connector, &[NAMES])?;
        let url = Url::read(&raw)?;
        let mut config = url.config;
        if let Some(user) = raw.get("username") {
            config.user(user);
        }
        if let Some(password) = raw.get("password") {
            config.password(password);
        }
        if config.get_user().is_none() {
            raw.required("username")?;
        }
        if let Some(timeout) = raw.duration("connection.max-retry-timeout")? {
            config.connect_timeout(timeout);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        // A server that is gone without a word is noticed within a minute.
        config.keepalives_idle(Duration::from_secs(20));
        config.keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(60));
        check_accepted(&raw)?;
        let nulls = raw.choice("sink.null-characters", &["fail", "remove", "replace"])?;
        Ok(Self {
            table: spec.name.clone(),
            config,
            tls: url.tls,
            root_cert: url.root_cert,
            target: table_name(&raw)?,
            fetch_size: fetch_size(&raw)?,
            split: split(&raw)?,
            lookup: LookupOptions::read(&raw)?,
            sink_id: raw.get("sink.id").map(str::to_owned),
            epochs_table: raw.get("sink.epochs-table").unwrap_or("rialto_epochs").to_owned(),
            on_null: match nulls {
                Some("remove") => OnNull::Remove,
                Some("replace") => OnNull::Replace,
                _ => OnNull::Fail,
            },
            fail_on_error: raw.choice("rialto.on-error", &["skip", "fail"])? == Some("fail"),
        })
    }

    /// Where the table is, for messages: never with a password.
    pub fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".into(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or(user);
        format!("table '{}' ({} in {database} at {host}:{port})", self.table, self.target.shown())
    }
}

impl TableName {
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// `orders`, `shop.orders`, `"My Shop"."Orders"`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = vec![String::new()];
        let mut chars = text.trim().chars().peekable();
        let mut quoted = false;
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    parts.last_mut()?.push('"');
                }
                '"' => quoted = !quoted,
                '.' if !quoted => parts.push(String::new()),
                c => parts.last_mut()?.push(c),
            }
        }
        let name = parts.pop().filter(|n| !n.is_empty() && !quoted)?;
        let schema = parts.pop();
        let whole = parts.is_empty() && schema.as_ref().is_none_or(|s| !s.is_empty());
        whole.then_some(Self { schema, name })
    }
}

struct Url {
    config: Config,
    tls: TlsMode,
    root_cert: Option<PathBuf>,
}

impl Url {
    fn read(raw: &Options<'_>) -> Result<Self> {
        let given = raw.required("url")?;
        let text = given.strip_prefix("jdbc:").unwrap_or(given);
        if !["postgresql://", "postgres://"].iter().any(|scheme| text.starts_with(scheme)) {
            // What was given may hold a password.
            let scheme = given.split("//").next().unwrap_or_default();
            let scheme: String = scheme.chars().take(30).collect();
            return Err(raw.bad("url", &scheme, "the beginning of a URL of PostgreSQL").hint(
                "write 'jdbc:postgresql://host:5432/database' or 'postgresql://…'; other \
                     databases are not supported",
            ));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut url = Self { config: Config::new(), tls: TlsMode::Prefer, root_cert: None };
        let mut rest = Vec::new();
        let mut schema = None;
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "sslmode" => url.tls = tls_mode(raw, value)?,
                "ssl" if value != "false" => url.tls = TlsMode::VerifyFull,
                "ssl" => url.tls = TlsMode::Disable,
                "sslrootcert" => url.root_cert = Some(PathBuf::from(decoded(value))),
                "currentSchema" => schema = Some(decoded(value)),
                "ApplicationName" => rest.push(format!("application_name={value}")),
                "connectTimeout" => rest.push(format!("connect_timeout={value}")),
                _ if JDBC_ONLY.contains(&key) => {}
                _ => rest.push(pair.to_owned()),
            }
        }
        let plain = match rest.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", rest.join("&")),
        };
        url.config = Config::from_str(&plain).map_err(|error| {
            let reason = std::error::Error::source(&error).map(ToString::to_string);
            ConnectorError::new(format!("option 'url' of table '{}' is not valid", raw.table()))
                .detail(reason.unwrap_or_else(|| error.to_string()))
                .hint("write 'jdbc:postgresql://host:5432/database?sslmode=verify-full'")
        })?;
        if url.config.get_hosts().is_empty() {
            url.config.host("localhost");
        }
        if let Some(schema) = schema {
            url.config.options(format!("-c search_path={}", schema.replace(' ', "\\ ")));
        }
        if url.config.get_application_name().is_none() {
            url.config.application_name("rialto");
        }
        if url.root_cert.is_some() && url.tls == TlsMode::Require {
            url.tls = TlsMode::VerifyCa;
        }
        url.config.ssl_mode(match url.tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        Ok(url)
    }
}

fn tls_mode(raw: &Options<'_>, value: &str) -> Result<TlsMode> {
    Ok(match value {
        "disable" => TlsMode::Disable,
        "allow" | "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => {
            let modes = "an 'sslmode': disable, allow, prefer, require, verify-ca or verify-full";
            return Err(raw.bad("url", value, modes));
        }
    })
}

/// `%2F` and the like.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn table_name(raw: &Options<'_>) -> Result<TableName> {
    let text = raw.required("table-name")?;
    TableName::parse(text)
        .ok_or_else(|| raw.bad("table-name", text, "the name of a table: 'orders', 'shop.orders'"))
}

fn fetch_size(raw: &Options<'_>) -> Result<usize> {
    let rows: u64 = raw.number("scan.fetch-size")?.unwrap_or(0);
    // Flink's default, 0, leaves it to the driver.
    Ok(if rows == 0 { 8192 } else { rows.clamp(1, 65_536) as usize })
}

fn split(raw: &Options<'_>) -> Result<Option<Split>> {
    let names = [
        "scan.partition.column",
        "scan.partition.num",
        "scan.partition.lower-bound",
        "scan.partition.upper-bound",
    ];
    if names.iter().all(|name| raw.get(name).is_none()) {
        return Ok(None);
    }
    for name in names {
        raw.required(name).map_err(|e| e.detail("all of 'scan.partition.*' go together"))?;
    }
    let number = |name: &str| -> Result<i64> { Ok(raw.number(name)?.unwrap_or_default()) };
    let split = Split {
        column: raw.required(names[0])?.to_owned(),
        parts: raw.number(names[1])?.unwrap_or(0),
        lower: number(names[2])?,
        upper: number(names[3])?,
    };
    if split.parts == 0 || split.parts > 10_000 {
        return Err(raw.bad(names[1], &split.parts.to_string(), "a number from 1 to 10000"));
    }
    if split.lower > split.upper {
        let given = split.lower.to_string();
        return Err(raw.bad(names[2], &given, &format!("at most the upper bound {}", split.upper)));
    }
    Ok(Some(split))
}

/// Options that are taken without a meaning of their own, and those that cannot be had.
fn check_accepted(raw: &Options<'_>) -> Result<()> {
    if let Some(driver) = raw.get("driver")
        && driver != "org.postgresql.Driver"
    {
        return Err(raw.bad("driver", driver, "'org.postgresql.Driver', and none is needed"));
    }
    if let Some(mode) = raw.get("compatible-mode") {
        return Err(raw.bad("compatible-mode", mode, "supported"));
    }
    raw.boolean("scan.auto-commit", true)?;
    raw.number::<u64>("sink.buffer-flush.max-rows")?;
    raw.duration("sink.buffer-flush.interval")?;
    raw.number::<u32>("sink.max-retries")?;
    if let Some((name, _)) = raw.with_prefix("lookup.full-cache.").next() {
        return Err(ConnectorError::new(format!(
            "the option 'lookup.full-cache.{name}' of table '{}' is not supported",
            raw.table()
        ))
        .detail("with 'lookup.cache' = 'FULL' the table is read once, when the job starts")
        .hint("leave the option out, or use 'lookup.cache' = 'PARTIAL'"));
    }
    Ok(())
}

impl LookupOptions {
    fn read(raw: &Options<'_>) -> Result<Self> {
        let mode = raw.choice("lookup.cache", &["NONE", "PARTIAL", "FULL"])?;
        let milliseconds = |name: &str| -> Result<Option<i64>> {
            let time = raw.duration(name)?;
            Ok(time.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
        };
        let partial = CacheLimits {
            rows_max: raw.number("lookup.partial-cache.max-rows")?,
            expire_after_write_ms: milliseconds("lookup.partial-cache.expire-after-write")?,
            expire_after_access_ms: milliseconds("lookup.partial-cache.expire-after-access")?,
            missing: raw.boolean("lookup.partial-cache.cache-missing-key", true)?,
        };
        // The names of before: a cache, where both are there.
        let older = match (raw.number("lookup.cache.max-rows")?, milliseconds("lookup.cache.ttl")?)
        {
            (None, None) => None,
            (Some(rows), Some(ttl)) => Some(CacheLimits {
                rows_max: Some(rows),
                expire_after_write_ms: Some(ttl),
                expire_after_access_ms: None,
                missing: partial.missing,
            }),
            (rows, _) => {
                let (one, other) = ("lookup.cache.max-rows", "lookup.cache.ttl");
                let missing = if rows.is_some() { other } else { one };
                raw.required(missing)
                    .map_err(|e| e.detail(format!("'{one}' and '{other}' go together")))?;
                None
            }
        };
        Ok(Self {
            whole: mode == Some("FULL"),
            cache: match mode {
                Some("PARTIAL") => Some(partial),
                Some("FULL") => None,
                _ => older,
            },
            retries_max: raw.number("lookup.max-retries")?.unwrap_or(3),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<PgOptions> {
        let all = [("connector", "jdbc"), ("table-name", "t"), ("username", "u")];
        let all = all.iter().chain(options).copied();
        PgOptions::read(&TableSpec::new("t", Arc::new(Schema::empty()), all))
    }

    #[test]
    fn a_url_of_jdbc_is_one_of_the_database() {
        let url = "jdbc:postgresql://db.shop:5433/sales?sslmode=verify-full&sslrootcert=%2Fca.pem\
                   &reWriteBatchedInserts=true&currentSchema=shop";
        let options = read(&[("url", url), ("password", "secret")]).unwrap();
        assert_eq!(options.tls, TlsMode::VerifyFull);
        assert_eq!(options.root_cert, Some(PathBuf::from("/ca.pem")));
        assert_eq!(options.config.get_dbname(), Some("sales"));
        assert_eq!(options.config.get_options(), Some("-c search_path=shop"));
        assert_eq!(options.place(), "table 't' (t in sales at db.shop:5433)");
    }

    #[test]
    fn another_database_is_refused_without_its_password() {
        let error = read(&[("url", "jdbc:mysql://root:secret@db/sales")]).unwrap_err();
        assert!(error.to_string().contains("jdbc:mysql:"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(read(&[("url", "postgresql://db/x?sslmode=maybe")]).is_err());
        assert!(read(&[("url", "postgresql://db/x?nonsense=1")]).is_err());
    }

    #[test]
    fn names_of_tables_may_be_quoted() {
        let name = |text: &str| TableName::parse(text).map(|n| (n.schema, n.name));
        assert_eq!(name("orders"), Some((None, "orders".into())));
        assert_eq!(name("shop.orders"), Some((Some("shop".into()), "orders".into())));
        assert_eq!(name("\"a.b\".\"c\"\"d\""), Some((Some("a.b".into()), "c\"d".into())));
        assert_eq!(name("a.b.c"), None);
        assert_eq!(name("\"open"), None);
        assert_eq!(name(".x"), None);
    }

    #[test]
    fn the_cache_of_a_lookup_has_flinks_names_old_and_new() {
        let lookup = |options: &[(&str, &str)]| {
            let all: Vec<_> =
                options.iter().copied().chain([("url", "postgresql://db/x")]).collect();
            read(&all).unwrap().lookup
        };
        let none = lookup(&[("lookup.partial-cache.max-rows", "10")]);
        assert_eq!((none.whole, none.cache, none.retries_max), (false, None, 3));
        assert!(lookup(&[("lookup.cache", "FULL")]).whole);
        let partial = lookup(&[
            ("lookup.cache", "PARTIAL"),
            ("lookup.partial-cache.max-rows", "10"),
            ("lookup.partial-cache.expire-after-access", "5 s"),
            ("lookup.partial-cache.cache-missing-key", "false"),
            ("lookup.max-retries", "1"),
        ]);
        let limits = CacheLimits {
            rows_max: Some(10),
            expire_after_write_ms: None,
            expire_after_access_ms: Some(5000),
            missing: false,
        };
        assert_eq!((partial.cache, partial.retries_max), (Some(limits), 1));
        let older = lookup(&[("lookup.cache.max-rows", "7"), ("lookup.cache.ttl", "1 min")]);
        let limits = older.cache.unwrap();
        assert_eq!((limits.rows_max, limits.expire_after_write_ms), (Some(7), Some(60_000)));
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        let with = |name, value| read(&[("url", "postgresql://db/x"), (name, value)]);
        assert!(with("lookup.cache", "FULL").is_ok());
        assert!(with("sink.buffer-flush.max-rows", "100").is_ok());
        for (name, value) in [
            ("lookup.cache", "SOME"),
            ("lookup.partial-cache.max-rows", "ten"),
            ("lookup.cache.ttl", "1 min"),
            ("lookup.full-cache.periodic-reload.interval", "1 h"),
            ("scan.partition.column", "id"),
            ("driver", "com.mysql.Driver"),
            ("sink.null-characters", "keep"),
            ("compatible-mode", "oracle"),
        ] {
            assert!(with(name, value).is_err(), "{name}");
        }
    }
}
