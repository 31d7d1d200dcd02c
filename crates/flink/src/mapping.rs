//! What becomes of a table on Flink, by its connector.
//!
//! `docs/scale-out.md` shows this as a table; `flink.toml` overrides it. A connector that Flink
//! does not have, or that stands for something of this machine, becomes a Kafka topic: the local
//! Rialto goes on speaking the connector, and fills the topic or empties it.

use rialto_runtime::sql::catalog::{ColumnDef, ColumnKind, TableDef};
use rialto_runtime::sql::parser::Options;
use rialto_runtime::sql::types::{FlinkType, TypeKind, quote_identifier, quote_string};

use crate::config::{Config, Treatment};

/// What becomes of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays, without these options.
    Same(Vec<String>),
    /// It has these options instead, because of something.
    Options(Options, String),
    /// It becomes a topic, because of something.
    Topic(String),
    /// It has no place on Flink.
    Nowhere(String),
}

/// Which side of a topic a declaration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// It is only read.
    Read,
    /// It is written, and perhaps read.
    Written,
}

/// How the rows of a topic lie in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Rows are only added.
    Appended,
    /// The last record of a key counts.
    Keyed(Vec<String>),
    /// Rows are added and taken back.
    Changes,
}

/// A topic and who writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Whether only the last record of a key has to be kept.
    pub is_compacted: bool,
    /// Who writes it.
    pub writer: Writer,
    /// What it is for.
    pub of: String,
}

/// Who writes a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The local Rialto.
    Rialto,
    /// The Flink job.
    Flink,
}

/// Options of ours that only say how Rialto reads or writes: without them the rows are the same.
const DROPPED: [&str; 4] =
    ["sink.id", "sink.epochs-table", "sink.null-characters", "allow-private-addresses"];

/// The option by which the transactions of a topic's writer are told from those of others.
pub(crate) const TRANSACTIONS: &str = "sink.transactional-id-prefix";

/// What the project does with a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// It is read from end to end.
    pub(crate) is_scanned: bool,
    /// It is asked for rows by a key.
    pub(crate) is_asked: bool,
    /// It is written.
    pub(crate) is_written: bool,
}

/// What becomes of a table.
pub(crate) fn fate(table: &TableDef, uses: Uses, config: &Config) -> Fate {
    let connector = table.options.get("connector").unwrap_or_default();
    if let Some(told) = config.tables.get(&table.path.object) {
        return Fate::Options(told.iter().collect(), "flink.toml says so".into());
    }
    match config.every_connector.as_ref().or_else(|| config.connectors.get(connector)) {
        Some(Treatment::Same) => return same(table),
        Some(Treatment::Topic) => return Fate::Topic("flink.toml says so".into()),
        None => {}
    }
    match connector {
        "kafka" | "upsert-kafka" | "print" | "blackhole" => same(table),
        "jdbc" | "postgres" if uses.is_scanned => scanned(uses),
        "jdbc" => same(table),
        "postgres" => jdbc(table),
        "filesystem" => filesystem(table),
        "datagen" => {
            let ours = table.options.iter().find(|o| o.key.starts_with("rialto."));
            match ours {
                Some(option) => Fate::Topic(format!("'{}' is Rialto's own", option.key)),
                None => same(table),
            }
        }
        "log" | "http" | "shop" | "tcp" | "webhook" => {
            Fate::Topic(format!("the connector '{connector}' is Rialto's own"))
        }
        "nexmark" | "socket" => {
            Fate::Topic(format!("'{connector}' is not among the connectors that Flink brings"))
        }
        "" => Fate::Nowhere("it has no connector".into()),
        other => Fate::Nowhere(format!(
            "nobody has said what the connector '{other}' is there; say it in flink.toml"
        )),
    }
}

fn is_ours(key: &str) -> bool {
    key.starts_with("rialto.") || DROPPED.contains(&key)
}

fn same(table: &TableDef) -> Fate {
    Fate::Same(table.options.iter().filter(|o| is_ours(&o.key)).map(|o| o.key.clone()).collect())
}

/// A table of a database that is read from end to end. Flink's connector reads it by a source that
/// does not remember what it has read, as the one of constant rows does (`constants.rs`).
fn scanned(uses: Uses) -> Fate {
    if uses.is_asked || uses.is_written {
        let also = if uses.is_written { "written" } else { "looked up in" };
        return Fate::Nowhere(format!(
            "it is read from end to end and {also} as well: Flink's 'jdbc' may read all rows once \
             more after a failure (declare the table twice: the one that is only read becomes a \
             topic; or say in flink.toml that 'jdbc' stays the same)"
        ));
    }
    Fate::Topic("Flink's 'jdbc' may read all rows once more after a failure".into())
}

fn jdbc(table: &TableDef) -> Fate {
    let mut options: Options = table
        .options
        .iter()
        .filter(|o| !is_ours(&o.key))
        .map(|o| (o.key.clone(), o.value.clone()))
        .collect();
    options.set("connector", "jdbc", None);
    if let Some(url) = table.options.get("url").filter(|url| !url.starts_with("jdbc:")) {
        options.set("url", format!("jdbc:{url}"), None);
    }
    Fate::Options(options, "'postgres' is 'jdbc' there; the cluster needs that connector".into())
}

fn filesystem(table: &TableDef) -> Fate {
    let path = table.options.get("path").unwrap_or_default();
    if let Some(header) = table.options.get("csv.header").filter(|v| *v != "false") {
        return Fate::Topic(format!("'csv.header' = '{header}' is Rialto's own"));
    }
    if !path.contains("://") && !path.starts_with('/') {
        return Fate::Topic(format!("'{path}' is a place of this machine"));
    }
    if path.contains(['*', '?', '[']) {
        return Fate::Topic(format!("Flink reads no patterns such as '{path}'"));
    }
    let dropped = |key: &str| is_ours(key) || matches!(key, "csv.header" | "compression");
    let dropped = table.options.iter().filter(|o| dropped(&o.key));
    Fate::Same(dropped.map(|o| o.key.clone()).collect())
}

/// The topic of a table or view.
pub(crate) fn topic_name(config: &Config, database: &str, object: &str) -> String {
    let inner = match database {
        rialto_runtime::sql::catalog::DEFAULT_DATABASE => object.to_owned(),
        database => format!("{database}.{object}"),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain: String = inner.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    format!("{}{plain}", config.topic_prefix)
}

/// How the rows of a table lie in its topic.
pub(crate) fn shape_of(table: &TableDef, adds_only: bool) -> Shape {
    let format = table.options.get("format").or_else(|| table.options.get("value.format"));
    match format {
        Some("debezium-json" | "canal-json") => Shape::Changes,
        _ if adds_only => Shape::Appended,
        _ if !table.key_columns().is_empty() => Shape::Keyed(table.key_columns().to_vec()),
        _ => Shape::Changes,
    }
}

/// The options of a topic, for whoever reads or writes it.
pub(crate) fn topic_options(
    config: &Config,
    topic: &str,
    shape: &Shape,
    side: Side,
    is_read: bool,
) -> Options {
    let mut options = Options::new();
    let mut set = |key: &str, value: &str| options.set(key, value, None);
    let is_keyed = matches!(shape, Shape::Keyed(_));
    set("connector", if is_keyed { "upsert-kafka" } else { "kafka" });
    set("topic", topic);
    set("properties.bootstrap.servers", &config.bootstrap_servers);
    for (key, value) in &config.properties {
        set(&format!("properties.{key}"), value);
    }
    match shape {
        Shape::Appended => set("format", "json"),
        Shape::Changes => set("format", "debezium-json"),
        Shape::Keyed(_) => {
            set("key.format", "json");
            set("value.format", "json");
        }
    }
    if is_read {
        if !is_keyed {
            set("scan.startup.mode", "earliest-offset");
        }
        set("properties.isolation.level", "read_committed");
    }
    if side == Side::Written && !is_keyed {
        set("sink.delivery-guarantee", "exactly-once");
        set(TRANSACTIONS, &format!("rialto-{topic}"));
        // Flink asks for an hour, brokers grant a quarter of one.
        set("properties.transaction.timeout.ms", "600000");
    }
    options
}

/// A `WITH` clause.
pub(crate) fn with_clause(options: &Options) -> String {
    let lines: Vec<String> = options
        .iter()
        .map(|o| format!("  {} = {}", quote_string(&o.key), quote_string(&o.value)))
        .collect();
    format!("WITH (\n{}\n)", lines.join(",\n"))
}

/// The columns that the record of a topic has, with their types.
pub(crate) fn record_columns(table: &TableDef) -> Vec<(String, FlinkType)> {
    let in_record = |column: &&ColumnDef| !matches!(column.kind, ColumnKind::Computed(_));
    let typed = |c: &ColumnDef| Some((c.name.clone(), c.data_type.clone()?));
    table.columns.iter().filter(in_record).filter_map(typed).collect()
}

/// A `CREATE TABLE` over a topic.
pub(crate) fn topic_table(
    name: &str,
    columns: &[(String, FlinkType)],
    shape: &Shape,
    options: &Options,
) -> String {
    let key: &[String] = if let Shape::Keyed(key) = shape { key } else { &[] };
    let mut lines: Vec<String> = columns
        .iter()
        .map(|(column, data_type)| {
            let not_null = if key.contains(column) { " NOT NULL" } else { "" };
            format!("  {} {}{not_null}", quote_identifier(column), data_type.kind)
        })
        .collect();
    if !key.is_empty() {
        let quoted: Vec<String> = key.iter().map(|c| quote_identifier(c)).collect();
        lines.push(format!("  PRIMARY KEY ({}) NOT ENFORCED", quoted.join(", ")));
    }
    format!("CREATE TABLE {name} (\n{}\n) {}", lines.join(",\n"), with_clause(options))
}

/// The first column that has no form in JSON, and its type.
pub(crate) fn not_json(columns: &[(String, FlinkType)]) -> Option<String> {
    let found = columns.iter().find(|(_, data_type)| !fits_json(data_type));
    found.map(|(name, data_type)| {
        format!("the column '{name}' is a {}, which has no form in JSON", data_type.kind)
    })
}

fn fits_json(data_type: &FlinkType) -> bool {
    match &data_type.kind {
        TypeKind::IntervalYearMonth(_)
        | TypeKind::IntervalDayTime(_)
        | TypeKind::Multiset(_)
        | TypeKind::Bitmap
        | TypeKind::Variant
        | TypeKind::Null => false,
        TypeKind::Array(inner) => fits_json(inner),
        TypeKind::Map(key, value) => {
            let is_text = matches!(key.kind, TypeKind::String | TypeKind::VarChar(_));
            (is_text || matches!(key.kind, TypeKind::Char(_))) && fits_json(value)
        }
        TypeKind::Row(fields) => fields.iter().all(|field| fits_json(&field.data_type)),
        _ => true,
    }
}
