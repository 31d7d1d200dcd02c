//! The options of the `log` and `http` connectors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rialto_storage::log::{Config, IdWindow, LogError};

use crate::error::{ConnectorError, Result};
use crate::filesystem::paths::{Location, escaped};
use crate::format::{TEXT_FORMATS, TextFormat};
use crate::options::{Options, nearest};
use crate::spec::{Environment, TableSpec};

const NAMES: &[&str] = &[
    "path",
    "format",
    "value.format",
    "value.fields-include",
    "key.format",
    "key.fields",
    "partitions",
    "segment.size",
    "retention.time",
    "retention.size",
    "scan.startup.mode",
    "scan.startup.timestamp-millis",
    "scan.startup.specific-offsets",
    "scan.bounded.mode",
    "scan.bounded.timestamp-millis",
    "scan.bounded.specific-offsets",
    "rialto.on-error",
];

const HTTP_NAMES: &[&str] = &[
    "http.event-id",
    "http.event-id.window",
    "http.event-id.count-max",
    "http.body.size-max",
    "http.queue.size-max",
];

/// More partitions than this would make batches small and readers many.
const PARTITIONS_MAX: u32 = 1024;

/// Offsets by partition.
pub(super) type Offsets = BTreeMap<u32, u64>;

/// Where reading begins, or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Earliest,
    Latest,
    /// The first record of that time or later, in epoch milliseconds.
    Time(i64),
    Offsets(Offsets),
}

/// The options of one table, read and checked.
#[derive(Clone)]
pub(super) struct LogOptions<'a> {
    pub raw: Options<'a>,
    pub format: &'static TextFormat,
    /// The format of keys and the columns that they are made of, as indices into the table.
    pub key: Option<(&'static TextFormat, Vec<usize>)>,
    pub start: Place,
    pub stop: Option<Place>,
    pub fail_on_error: bool,
    path: Option<&'a str>,
    pub config: Config,
}

impl<'a> LogOptions<'a> {
    /// The options of a `log` table.
    pub fn read(spec: &'a TableSpec) -> Result<Self> {
        Self::read_as(spec, "log", &[])
    }

    fn read_as(
        spec: &'a TableSpec,
        connector: &str,
        others: &'static [&'static str],
    ) -> Result<Self> {
        let raw = Options::new(spec);
        let format = value_format(&raw)?;
        let key = key(spec, &raw)?;
        let key_options = key.as_ref().map_or(&[][..], |(format, _)| format.options);
        raw.refuse_unknown(connector, &[NAMES, others, format.options, key_options])?;
        (format.validate)(spec, &raw)?;
        if format.name == "csv" && raw.boolean("csv.header", false)? {
            return Err(raw
                .bad("csv.header", "true", "possible in a log")
                .hint("a record of a log is one row: there is no place for a header"));
        }
        if let Some(include) = raw.choice("value.fields-include", &["ALL", "EXCEPT_KEY"])?
            && include == "EXCEPT_KEY"
        {
            return Err(ConnectorError::new(format!(
                "table '{}' asks for 'value.fields-include' = 'EXCEPT_KEY'",
                spec.name
            ))
            .detail("this is not supported: the value of a record holds all columns")
            .hint("use 'ALL'"));
        }
        let fail_on_error = raw.choice("rialto.on-error", &["skip", "fail"])? == Some("fail");
        let start = start(&raw)?;
        let stop = stop(&raw)?;
        let config = config(&raw)?;
        Ok(Self { raw, format, key, start, stop, fail_on_error, path: raw.get("path"), config })
    }

    /// The folder of the log: by default one of the project's own.
    pub fn folder(&self, environment: &Environment) -> Result<PathBuf> {
        let of_table = || format!(".rialto/log/{}", escaped(self.raw.table()));
        let written = self.path.map_or_else(of_table, str::to_owned);
        let location = Location::new(&written, None, environment)?;
        if location.path.is_file() {
            return Err(ConnectorError::new(format!(
                "the log of table '{}' cannot be opened",
                self.raw.table()
            ))
            .detail(format!("its path '{written}' is a file, not a folder")));
        }
        Ok(location.path)
    }
}

/// The options of an `http` table: those of its log, and of what is taken in.
pub(super) struct HttpOptions<'a> {
    pub log: LogOptions<'a>,
    /// The column whose value tells an event from others.
    pub id_column: Option<usize>,
    /// The largest body that is taken, unpacked.
    pub body_bytes_max: usize,
}

impl<'a> HttpOptions<'a> {
    pub fn read(spec: &'a TableSpec) -> Result<Self> {
        let mut log = LogOptions::read_as(spec, "http", HTTP_NAMES)?;
        let raw = log.raw;
        if log.format.name != "json" {
            return Err(raw
                .bad("format", log.format.name, "'json'")
                .hint("events come over HTTP as JSON; other formats are read from 'log' tables"));
        }
        if raw.boolean("json.ignore-parse-errors", false)? {
            return Err(raw
                .bad("json.ignore-parse-errors", "true", "possible for events over HTTP")
                .hint("a row that cannot be read is refused, with the reason, when it is sent"));
        }
        let named = raw.get("http.event-id");
        let name = named.unwrap_or("event_id");
        let id_column = spec.schema.fields().iter().position(|f| f.name() == name);
        if id_column.is_none() && named.is_some_and(|n| !n.is_empty()) {
            return Err(raw.bad("http.event-id", name, "a column of the table"));
        }
        if id_column.is_some() {
            let window = raw.duration("http.event-id.window")?;
            let milliseconds = window.map_or(600_000, |w| w.as_millis());
            log.config.ids = Some(IdWindow {
                milliseconds: i64::try_from(milliseconds).unwrap_or(i64::MAX),
                count_max: raw.number("http.event-id.count-max")?.unwrap_or(2_000_000),
            });
        }
        let size = |name, default: usize| -> Result<usize> {
            let bytes = raw.memory(name)?.map(usize::try_from);
            Ok(bytes.map_or(default, |b| b.unwrap_or(usize::MAX)).clamp(1, 256 << 20))
        };
        let body_bytes_max = size("http.body.size-max", 16 << 20)?;
        log.config.queue_bytes_max = size("http.queue.size-max", 64 << 20)?;
        Ok(Self { log, id_column, body_bytes_max })
    }
}

fn find_format(raw: &Options<'_>, name: &str) -> Result<&'static TextFormat> {
    if let Some(format) = TEXT_FORMATS.iter().find(|f| f.name == name) {
        return Ok(format);
    }
    let names: Vec<&str> = TEXT_FORMATS.iter().map(|f| f.name).collect();
    let error = ConnectorError::new(format!(
        "table '{}' asks for a format '{name}' that a log cannot have",
        raw.table()
    ))
    .detail(format!("known are {}", names.join(", ")));
    Err(match nearest(name, &names) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error,
    })
}

fn value_format(raw: &Options<'_>) -> Result<&'static TextFormat> {
    match (raw.get("format"), raw.get("value.format")) {
        (Some(_), Some(_)) => Err(ConnectorError::new(format!(
            "table '{}' has both 'format' and 'value.format'",
            raw.table()
        ))
        .hint("they mean the same: keep one")),
        (Some(name), None) | (None, Some(name)) => find_format(raw, name),
        (None, None) => find_format(raw, "json"),
    }
}

fn key(spec: &TableSpec, raw: &Options<'_>) -> Result<Option<(&'static TextFormat, Vec<usize>)>> {
    let Some(fields) = raw.get("key.fields") else {
        return match raw.get("key.format") {
            None => Ok(None),
            Some(_) => Err(ConnectorError::new(format!(
                "table '{}' has 'key.format' but no 'key.fields'",
                raw.table()
            ))
            .hint("name the columns of the key: 'key.fields' = 'a;b'")),
        };
    };
    let format = find_format(raw, raw.get("key.format").unwrap_or("json"))?;
    if format.changelog {
        return Err(raw.bad("key.format", format.name, "a format of keys"));
    }
    let mut columns = Vec::new();
    for name in fields.split(';').map(str::trim).filter(|n| !n.is_empty()) {
        let column = spec.schema.fields().iter().position(|f| f.name() == name);
        columns.push(column.ok_or_else(|| {
            let names: Vec<&str> = spec.schema.fields().iter().map(|f| f.name().as_str()).collect();
            let error = raw.bad("key.fields", name, "a column of the table");
            match nearest(name, &names) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error,
            }
        })?);
    }
    if columns.is_empty() {
        return Err(raw.bad("key.fields", fields, "a list of columns: 'a;b'"));
    }
    Ok(Some((format, columns)))
}

fn start(raw: &Options<'_>) -> Result<Place> {
    let modes = &["earliest-offset", "latest-offset", "timestamp", "specific-offsets"];
    Ok(match raw.choice("scan.startup.mode", modes)? {
        Some("latest-offset") => Place::Latest,
        Some("timestamp") => Place::Time(needed_time(raw, "scan.startup.timestamp-millis")?),
        Some("specific-offsets") => {
            Place::Offsets(needed_offsets(raw, "scan.startup.specific-offsets")?)
        }
        _ => Place::Earliest,
    })
}

fn stop(raw: &Options<'_>) -> Result<Option<Place>> {
    let modes = &["unbounded", "latest-offset", "timestamp", "specific-offsets"];
    Ok(match raw.choice("scan.bounded.mode", modes)? {
        Some("latest-offset") => Some(Place::Latest),
        Some("timestamp") => Some(Place::Time(needed_time(raw, "scan.bounded.timestamp-millis")?)),
        Some("specific-offsets") => {
            Some(Place::Offsets(needed_offsets(raw, "scan.bounded.specific-offsets")?))
        }
        _ => None,
    })
}

fn needed_time(raw: &Options<'_>, name: &str) -> Result<i64> {
    let text = raw.required(name)?;
    raw.number(name)?.ok_or_else(|| raw.bad(name, text, "a time in epoch milliseconds"))
}

/// `partition:0,offset:42;partition:1,offset:300`
fn needed_offsets(raw: &Options<'_>, name: &str) -> Result<Offsets> {
    let text = raw.required(name)?;
    let bad = || raw.bad(name, text, "of the form 'partition:0,offset:42;partition:1,offset:300'");
    let mut offsets = Offsets::new();
    for pair in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let (partition, offset) = pair.split_once(',').ok_or_else(bad)?;
        let partition = partition.trim().strip_prefix("partition:").ok_or_else(bad)?;
        let offset = offset.trim().strip_prefix("offset:").ok_or_else(bad)?;
        let partition = partition.trim().parse().map_err(|_| bad())?;
        offsets.insert(partition, offset.trim().parse().map_err(|_| bad())?);
    }
    if offsets.is_empty() { Err(bad()) } else { Ok(offsets) }
}

fn config(raw: &Options<'_>) -> Result<Config> {
    let partitions: Option<u32> = raw.number("partitions")?;
    if let Some(partitions) = partitions
        && !(1..=PARTITIONS_MAX).contains(&partitions)
    {
        let expected = format!("a number from 1 to {PARTITIONS_MAX}");
        return Err(raw.bad("partitions", &partitions.to_string(), &expected));
    }
    let default = Config::default();
    let age = raw.duration("retention.time")?;
    Ok(Config {
        partitions,
        segment_bytes: raw.memory("segment.size")?.unwrap_or(default.segment_bytes).max(4096),
        retention_ms: age.map(|a| i64::try_from(a.as_millis()).unwrap_or(i64::MAX)),
        retention_bytes: raw.memory("retention.size")?,
        ..default
    })
}

/// An error of a table's log.
pub(super) fn of_log(table: &str, error: &LogError) -> ConnectorError {
    ConnectorError::new(format!("the log of table '{table}'")).detail(error.to_string())
}
