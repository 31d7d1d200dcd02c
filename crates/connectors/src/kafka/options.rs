//! The options of the connectors `kafka` and `upsert-kafka`, read and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::properties::Properties;
use crate::error::{ConnectorError, Result};
use crate::format::avro::confluent;
use crate::format::{TEXT_FORMATS, TextFormat};
use crate::options::{Options, nearest};
use crate::spec::TableSpec;

const SOURCE: &[&str] = &[
    "topic",
    "topic-pattern",
    "properties.*",
    "format",
    "key.format",
    "value.format",
    "key.fields",
    "key.fields-prefix",
    "value.fields-include",
    "scan.bounded.mode",
    "scan.bounded.timestamp-millis",
    "scan.bounded.specific-offsets",
    "scan.topic-partition-discovery.interval",
    "rialto.on-error",
];
const START: &[&str] = &[
    "scan.startup.mode",
    "scan.startup.timestamp-millis",
    "scan.startup.specific-offsets",
    "sink.partitioner",
];
const SINK: &[&str] = &["sink.delivery-guarantee", "sink.transactional-id-prefix", "sink.semantic"];
const UPSERT: &[&str] = &["sink.buffer-flush.max-rows", "sink.buffer-flush.interval"];

/// Flink looks for new partitions so often.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Which topics a table is.
#[derive(Debug, Clone)]
pub(super) enum Topics {
    List(Vec<String>),
    Pattern(Regex),
}

/// An offset of each partition, from a specification like `partition:0,offset:42`.
pub(super) type Offsets = BTreeMap<i32, i64>;

/// Where in a topic something starts or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Earliest,
    Latest,
    /// What the group has committed.
    Group,
    /// The first record of that time or later.
    Timestamp(i64),
    Specific(Offsets),
}

/// What a record that cannot be decoded leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    /// It becomes a dead letter, and the stream goes on.
    Skip,
    /// The source fails.
    Fail,
}

/// When a sink's records are safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guarantee {
    None,
    AtLeastOnce,
    ExactlyOnce,
}

/// How a sink chooses the partition of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partitioner {
    /// By the hash of the key, as the Java client does; without a key in long runs.
    Default,
    /// One partition for the sink.
    Fixed,
    RoundRobin,
}

/// One half of a record: its format, and the columns of the table that it holds.
pub(super) struct Half {
    pub format: &'static TextFormat,
    /// The columns under the names that they have in the record, with the options of the format
    /// under the names that the format knows.
    pub spec: TableSpec,
    /// The same columns as indices into the table's schema.
    pub columns: Vec<usize>,
}

/// The options, read and checked.
pub(super) struct KafkaOptions<'a> {
    pub raw: Options<'a>,
    pub upsert: bool,
    pub topics: Topics,
    pub properties: Properties,
    pub value: Half,
    pub key: Option<Half>,
    pub start: Place,
    pub stop: Option<Place>,
    pub discovery: Option<Duration>,
    pub on_error: OnError,
    /// A value that cannot be decoded is dropped without a word, as the format was told.
    pub ignores: bool,
    pub guarantee: Guarantee,
    pub id_prefix: Option<&'a str>,
    pub partitioner: Partitioner,
}

impl<'a> KafkaOptions<'a> {
    /// Reads the options of a table of `kafka`, or of `upsert-kafka`.
    pub fn read(spec: &'a TableSpec, upsert: bool) -> Result<Self> {
        let raw = Options::new(spec);
        let name = if upsert { "upsert-kafka" } else { "kafka" };
        let value_prefix = if raw.get("value.format").is_some() { "value." } else { "" };
        let value_format = find_format(&raw, &format!("{value_prefix}format"))?;
        let key_format = match raw.get("key.format") {
            Some(_) => Some(find_format(&raw, "key.format")?),
            None => None,
        };
        refuse_unknown(
            &raw,
            name,
            upsert,
            [(value_prefix, Some(value_format)), ("key.", key_format)],
        )?;
        if raw.get("format").is_some() && raw.get("value.format").is_some() {
            return Err(raw
                .bad("value.format", "given", "needed beside 'format'")
                .hint("set only one of 'format' and 'value.format'"));
        }
        let halves = Halves::of(spec, &raw, upsert, key_format.is_some())?;
        let value = half(spec, (value_prefix, "value"), value_format, halves.value, "")?;
        let key = match key_format {
            Some(format) => Some(half(spec, ("key.", "key"), format, halves.key, halves.prefix)?),
            None => None,
        };
        let properties = Properties::read(&raw)?;
        let start = if upsert { Place::Earliest } else { start(&raw)? };
        let guarantee = guarantee(&raw)?;
        let id_prefix = raw.get("sink.transactional-id-prefix").filter(|p| !p.trim().is_empty());
        Ok(Self {
            upsert,
            topics: topics(&raw, upsert)?,
            key,
            start,
            stop: stop(&raw)?,
            discovery: discovery(&raw)?,
            on_error: match raw.choice("rialto.on-error", &["skip", "fail"])? {
                Some("fail") => OnError::Fail,
                _ => OnError::Skip,
            },
            ignores: ignores(&value)?,
            guarantee,
            id_prefix,
            partitioner: partitioner(&raw)?,
            properties,
            value,
            raw,
        })
    }

    /// Checks what only a reader needs: a sink has no start.
    pub fn check_source(&self) -> Result<()> {
        let places = [(Some(&self.start), "scan.startup"), (self.stop.as_ref(), "scan.bounded")];
        for (_, kind) in places.iter().filter(|(place, _)| *place == Some(&Place::Group)) {
            if self.properties.get("group.id").is_some() {
                continue;
            }
            let mode = format!("{kind}.mode");
            return Err(ConnectorError::new(format!(
                "table '{}' asks for the offsets of a group, and names no group",
                self.raw.table()
            ))
            .detail(match self.raw.get(&mode) {
                Some(_) => format!("'{mode}' is 'group-offsets'"),
                None => format!("'{mode}' is not set, and 'group-offsets' by default"),
            })
            .hint(format!(
                "set 'properties.group.id', or '{mode}' = '{}-offset'",
                if *kind == "scan.startup" { "earliest" } else { "latest" }
            )));
        }
        Ok(())
    }
}

fn refuse_unknown(
    raw: &Options<'_>,
    connector: &str,
    upsert: bool,
    formats: [(&str, Option<&'static TextFormat>); 2],
) -> Result<()> {
    // The names of a format's options stand behind a prefix, which only the table knows.
    let of_format = |name: &str| {
        formats.iter().any(|(prefix, format)| {
            let inner = name.strip_prefix(prefix);
            format.zip(inner).is_some_and(|(f, inner)| f.options.contains(&inner))
        })
    };
    let rest: Vec<(String, String)> = raw
        .with_prefix("")
        .filter(|(name, _)| !of_format(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let spec = TableSpec::new(raw.table(), empty_schema(), rest);
    let known: &[&[&str]] = if upsert { &[SOURCE, SINK, UPSERT] } else { &[SOURCE, START, SINK] };
    Options::new(&spec).refuse_unknown(connector, known)
}

fn empty_schema() -> arrow::datatypes::SchemaRef {
    std::sync::Arc::new(arrow::datatypes::Schema::empty())
}

fn find_format(raw: &Options<'_>, option: &str) -> Result<&'static TextFormat> {
    let name = raw.required(option)?;
    if let Some(format) = TEXT_FORMATS.iter().find(|f| f.name == name) {
        return Ok(format);
    }
    let names: Vec<&str> = TEXT_FORMATS.iter().map(|f| f.name).collect();
    let error = ConnectorError::new(format!(
        "table '{}' asks for a format '{name}' that does not exist",
        raw.table()
    ))
    .detail(format!("known are {}", names.join(", ")));
    Err(match nearest(name, &names) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error,
    })
}

/// Which columns are in which half of a record.
struct Halves<'a> {
    value: Vec<usize>,
    key: Vec<usize>,
    /// What the names of the key's columns start with in the table, and not in the record.
    prefix: &'a str,
}

impl<'a> Halves<'a> {
    fn of(spec: &TableSpec, raw: &Options<'a>, upsert: bool, keyed: bool) -> Result<Self> {
        let prefix = raw.get("key.fields-prefix").unwrap_or_default();
        let metadata: Vec<&str> = spec.metadata.iter().map(|(_, f)| f.name().as_str()).collect();
        let physical: Vec<usize> = (0..spec.schema.fields().len())
            .filter(|&i| !metadata.contains(&spec.schema.field(i).name().as_str()))
            .collect();
        let key = match upsert {
            true => primary_key(spec, raw)?,
            false => key_fields(spec, raw, keyed)?,
        };
        for &index in &key {
            let name = spec.schema.field(index).name();
            if !name.starts_with(prefix) {
                return Err(raw
                    .bad("key.fields-prefix", prefix, "what all key columns start with")
                    .hint(format!("the key column '{name}' does not start with it")));
            }
        }
        let include = raw.choice("value.fields-include", &["ALL", "EXCEPT_KEY"])?;
        if include != Some("EXCEPT_KEY") && !prefix.is_empty() {
            return Err(raw
                .bad("value.fields-include", "ALL", "possible with 'key.fields-prefix'")
                .hint("set 'value.fields-include' = 'EXCEPT_KEY'"));
        }
        let value = match include {
            Some("EXCEPT_KEY") => physical.into_iter().filter(|i| !key.contains(i)).collect(),
            _ => physical,
        };
        Ok(Self { value, key, prefix })
    }
}

fn primary_key(spec: &TableSpec, raw: &Options<'_>) -> Result<Vec<usize>> {
    for option in ["key.format", "value.format"] {
        raw.required(option)?;
    }
    if raw.get("key.fields").is_some() {
        return Err(raw
            .bad("key.fields", raw.get("key.fields").unwrap_or_default(), "an option here")
            .hint("the key of 'upsert-kafka' is the PRIMARY KEY of the table"));
    }
    for option in ["key.format", "value.format"] {
        let format = find_format(raw, option)?;
        if format.changelog {
            return Err(raw
                .bad(option, format.name, "a format of plain rows")
                .hint("'upsert-kafka' makes changes of rows and keys by itself"));
        }
    }
    if spec.primary_key.is_empty() {
        return Err(ConnectorError::new(format!(
            "table '{}' of connector 'upsert-kafka' has no PRIMARY KEY",
            spec.name
        ))
        .hint("add PRIMARY KEY (…) NOT ENFORCED: it is the key of the records"));
    }
    spec.primary_key.iter().map(|name| column(spec, raw, name)).collect()
}

fn key_fields(spec: &TableSpec, raw: &Options<'_>, keyed: bool) -> Result<Vec<usize>> {
    let names = match raw.get("key.fields") {
        Some(text) => text.split(';').map(str::trim).filter(|n| !n.is_empty()).collect(),
        None => Vec::new(),
    };
    match (keyed, names.is_empty()) {
        (true, true) => {
            return Err(ConnectorError::new(format!(
                "table '{}' has the option 'key.format', and no 'key.fields'",
                spec.name
            ))
            .hint("name the columns that are in the key: 'key.fields' = 'a;b'"));
        }
        (false, false) => {
            return Err(ConnectorError::new(format!(
                "table '{}' has the option 'key.fields', and no 'key.format'",
                spec.name
            ))
            .hint("say how keys are written: 'key.format' = 'json' or 'raw'"));
        }
        _ => {}
    }
    names.into_iter().map(|name| column(spec, raw, name)).collect()
}

fn column(spec: &TableSpec, raw: &Options<'_>, name: &str) -> Result<usize> {
    spec.schema.index_of(name).map_err(|_| {
        let names: Vec<&str> = spec.schema.fields().iter().map(|f| f.name().as_str()).collect();
        let error = ConnectorError::new(format!("table '{}' has no column '{name}'", raw.table()))
            .detail("it is named as a part of the key");
        match nearest(name, &names) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error,
        }
    })
}

fn half(
    table: &TableSpec,
    (prefix, side): (&str, &str),
    format: &'static TextFormat,
    columns: Vec<usize>,
    names_prefix: &str,
) -> Result<Half> {
    let options = Options::new(table);
    let own = options.with_prefix("").filter_map(|(name, value)| {
        let inner = name.strip_prefix(prefix)?;
        format.options.contains(&inner).then(|| (inner.to_owned(), value.to_owned()))
    });
    let fields: Vec<_> = columns
        .iter()
        .map(|&i| {
            let field = table.schema.field(i);
            let name = field.name().strip_prefix(names_prefix).unwrap_or(field.name());
            field.clone().with_name(name)
        })
        .collect();
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
    let mut spec = TableSpec::new(table.name.clone(), schema, own);
    if let (confluent::NAME, None, Some(topic)) =
        (format.name, spec.option(confluent::SUBJECT), options.get("topic"))
        && !topic.contains(';')
    {
        spec.options.push((confluent::SUBJECT.to_owned(), format!("{}-{side}", topic.trim())));
    }
    if spec.option("csv.header").is_some() {
        return Err(options
            .bad(&format!("{prefix}csv.header"), "given", "an option here")
            .hint("a message is one record; files have headers"));
    }
    (format.validate)(&spec, &Options::new(&spec))?;
    Ok(Half { format, spec, columns })
}

fn ignores(half: &Half) -> Result<bool> {
    let option = format!("{}.ignore-parse-errors", half.format.name);
    Options::new(&half.spec).boolean(&option, false)
}

fn topics(raw: &Options<'_>, upsert: bool) -> Result<Topics> {
    match (raw.get("topic"), raw.get("topic-pattern")) {
        (Some(list), None) => {
            let names: Vec<String> =
                list.split(';').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect();
            if names.is_empty() || upsert && names.len() > 1 {
                let one = if upsert { "the name of one topic" } else { "the name of a topic" };
                return Err(raw.bad("topic", list, one));
            }
            Ok(Topics::List(names))
        }
        (None, Some(pattern)) if !upsert => Regex::new(&format!("^(?:{pattern})$"))
            .map(Topics::Pattern)
            .map_err(|e| raw.bad("topic-pattern", pattern, "a pattern").hint(e.to_string())),
        (None, _) => {
            raw.required("topic")?;
            Err(raw.bad("topic", "", "given"))
        }
        (Some(_), Some(pattern)) => Err(raw
            .bad("topic-pattern", pattern, "possible beside 'topic'")
            .hint("set only one of 'topic' and 'topic-pattern'")),
    }
}

const PLACES: &[&str] =
    &["earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets"];

fn start(raw: &Options<'_>) -> Result<Place> {
    let mode = raw.choice("scan.startup.mode", PLACES)?.unwrap_or("group-offsets");
    place(raw, "scan.startup", mode)
}

fn stop(raw: &Options<'_>) -> Result<Option<Place>> {
    let words = [&["unbounded"], &PLACES[1..]].concat();
    match raw.choice("scan.bounded.mode", &words)? {
        None | Some("unbounded") => Ok(None),
        Some(mode) => place(raw, "scan.bounded", mode).map(Some),
    }
}

fn place(raw: &Options<'_>, kind: &str, mode: &str) -> Result<Place> {
    Ok(match mode {
        "earliest-offset" => Place::Earliest,
        "latest-offset" => Place::Latest,
        "timestamp" => {
            let option = format!("{kind}.timestamp-millis");
            raw.required(&option)?;
            let ms = raw.number::<i64>(&option)?.unwrap_or_default();
            if ms < 0 {
                return Err(raw.bad(&option, &ms.to_string(), "milliseconds since 1970"));
            }
            Place::Timestamp(ms)
        }
        "specific-offsets" => {
            let option = format!("{kind}.specific-offsets");
            let text = raw.required(&option)?;
            Place::Specific(specific(text).ok_or_else(|| {
                raw.bad(&option, text, "of the form 'partition:0,offset:42;partition:1,offset:300'")
            })?)
        }
        _ => Place::Group,
    })
}

fn specific(text: &str) -> Option<Offsets> {
    let mut offsets = Offsets::new();
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let (partition, offset) = part.split_once(',')?;
        let partition = partition.trim().strip_prefix("partition:")?.trim().parse().ok()?;
        let offset = offset.trim().strip_prefix("offset:")?.trim().parse().ok()?;
        if partition < 0 || offset < 0 || offsets.insert(partition, offset).is_some() {
            return None;
        }
    }
    (!offsets.is_empty()).then_some(offsets)
}

fn discovery(raw: &Options<'_>) -> Result<Option<Duration>> {
    let interval =
        raw.duration("scan.topic-partition-discovery.interval")?.unwrap_or(DISCOVERY_INTERVAL);
    Ok((!interval.is_zero()).then_some(interval))
}

fn guarantee(raw: &Options<'_>) -> Result<Guarantee> {
    let words = ["at-least-once", "exactly-once", "none"];
    let guarantee = match raw.choice("sink.delivery-guarantee", &words)? {
        Some("exactly-once") => Guarantee::ExactlyOnce,
        Some("none") => Guarantee::None,
        _ => Guarantee::AtLeastOnce,
    };
    if raw.get("sink.semantic").is_some() {
        return Err(raw
            .bad("sink.semantic", "given", "an option any more")
            .hint("it is called 'sink.delivery-guarantee'"));
    }
    if guarantee == Guarantee::ExactlyOnce && raw.get("sink.transactional-id-prefix").is_none() {
        return Err(ConnectorError::new(format!(
            "table '{}' needs the option 'sink.transactional-id-prefix'",
            raw.table()
        ))
        .detail("a sink that writes exactly once names its transactions by it")
        .hint("choose one that no other job has"));
    }
    Ok(guarantee)
}

fn partitioner(raw: &Options<'_>) -> Result<Partitioner> {
    Ok(match raw.choice("sink.partitioner", &["default", "fixed", "round-robin"])? {
        Some("fixed") => Partitioner::Fixed,
        Some("round-robin") => Partitioner::RoundRobin,
        _ => Partitioner::Default,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn spec(pairs: &[(&str, &str)]) -> TableSpec {
        let schema = Schema::new(vec![
            Field::new("k_id", DataType::Int64, true),
            Field::new("v", DataType::Utf8, true),
        ]);
        let base = [("properties.bootstrap.servers", "localhost:1"), ("topic", "t")];
        let mut spec = TableSpec::new("t", Arc::new(schema), base);
        spec.options.extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        spec
    }

    fn refused(pairs: &[(&str, &str)]) -> String {
        let spec = spec(pairs);
        let read = KafkaOptions::read(&spec, false).and_then(|options| options.check_source());
        read.err().unwrap().to_string()
    }

    #[test]
    fn the_halves_of_a_record_have_their_columns_and_options() {
        let spec = spec(&[
            ("key.format", "raw"),
            ("key.fields", "k_id"),
            ("key.fields-prefix", "k_"),
            ("key.raw.endianness", "little-endian"),
            ("value.format", "json"),
            ("value.fields-include", "EXCEPT_KEY"),
            ("value.json.ignore-parse-errors", "true"),
            ("scan.startup.mode", "earliest-offset"),
        ]);
        let options = KafkaOptions::read(&spec, false).unwrap();
        let key = options.key.unwrap();
        assert_eq!((key.columns, key.spec.schema.field(0).name().as_str()), (vec![0], "id"));
        assert_eq!(key.spec.option("raw.endianness"), Some("little-endian"));
        assert_eq!(options.value.columns, [1]);
        assert_eq!(options.value.spec.option("json.ignore-parse-errors"), Some("true"));
        assert_eq!((options.start, options.stop), (Place::Earliest, None));
    }

    #[test]
    fn places_are_read_as_flink_writes_them() {
        let offsets = specific("partition:0,offset:42; partition:1,offset:300").unwrap();
        assert_eq!(offsets, Offsets::from([(0, 42), (1, 300)]));
        assert_eq!(specific("0:42"), None);
        assert_eq!(specific("partition:0,offset:-1"), None);
        let spec = spec(&[
            ("format", "json"),
            ("scan.startup.mode", "timestamp"),
            ("scan.startup.timestamp-millis", "12"),
            ("scan.bounded.mode", "latest-offset"),
        ]);
        let options = KafkaOptions::read(&spec, false).unwrap();
        assert_eq!(options.start, Place::Timestamp(12));
        assert_eq!(options.stop, Some(Place::Latest));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        assert!(refused(&[("format", "json")]).contains("names no group"));
        assert!(refused(&[("format", "jsn")]).contains("did you mean 'json'"));
        let early = ("scan.startup.mode", "earliest-offset");
        let with = |more: (&'static str, &'static str)| refused(&[("format", "json"), early, more]);
        assert!(with(("json.ignore-parse-error", "true")).contains("unknown option"));
        assert!(with(("topic-pattern", "a.*")).contains("only one of"));
        assert!(with(("key.fields", "v")).contains("key.format"));
        assert!(with(("sink.delivery-guarantee", "exactly-once")).contains("id-prefix"));
        assert!(with(("value.format", "json")).contains("only one of"));
        let header = refused(&[("format", "csv"), early, ("csv.header", "true")]);
        assert!(header.contains("a message is one record"), "{header}");
    }

    #[test]
    fn upsert_wants_a_key() {
        let formats = [("key.format", "json"), ("value.format", "json")];
        let mut keyless = spec(&formats);
        let error = KafkaOptions::read(&keyless, true).err().unwrap().to_string();
        assert!(error.contains("has no PRIMARY KEY"), "{error}");
        keyless.primary_key = vec!["k_id".into()];
        let options = KafkaOptions::read(&keyless, true).unwrap();
        assert_eq!((options.start, options.key.unwrap().columns), (Place::Earliest, vec![0]));
    }
}
