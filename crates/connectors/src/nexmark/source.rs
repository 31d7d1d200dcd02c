//! One table of all events: `event_type`, and a row for each kind of which one is not null.

use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rialto_engine::{EngineError, Reader, Source};

use super::config::{Config, OPTIONS};
use super::events::{Events, Kind};
use crate::error::{ConnectorError, Result};
use crate::format::column::{Column, Slot};
use crate::format::text::in_unit;
use crate::generate::{Deal, Generate, GeneratorReader};
use crate::options::Options;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};

pub(crate) const CONNECTOR: Connector = Connector {
    name: "nexmark",
    validate,
    source: Some(source),
    lookup: None,
    sink: None,
    accepts_changes: false,
    formats_take_changes: false,
    metadata: no_metadata,
};

/// Events that are dealt to a reader at once.
const BLOCK: u64 = 1000;

/// A value of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Number,
    Text,
    Time,
}

const PERSON: &[(&str, Value)] = &[
    ("id", Value::Number),
    ("name", Value::Text),
    ("emailAddress", Value::Text),
    ("creditCard", Value::Text),
    ("city", Value::Text),
    ("state", Value::Text),
    ("dateTime", Value::Time),
    ("extra", Value::Text),
];

const AUCTION: &[(&str, Value)] = &[
    ("id", Value::Number),
    ("itemName", Value::Text),
    ("description", Value::Text),
    ("initialBid", Value::Number),
    ("reserve", Value::Number),
    ("dateTime", Value::Time),
    ("expires", Value::Time),
    ("seller", Value::Number),
    ("category", Value::Number),
    ("extra", Value::Text),
];

const BID: &[(&str, Value)] = &[
    ("auction", Value::Number),
    ("bidder", Value::Number),
    ("price", Value::Number),
    ("channel", Value::Text),
    ("url", Value::Text),
    ("dateTime", Value::Time),
    ("extra", Value::Text),
];

fn fits(value: Value, data_type: &DataType) -> bool {
    match value {
        Value::Number => data_type == &DataType::Int64,
        Value::Text => data_type == &DataType::Utf8,
        Value::Time => matches!(data_type, DataType::Timestamp(_, zone) if
            zone.as_deref().is_none_or(|z| z == "UTC")),
    }
}

fn kind_of(column: &str) -> Option<(Kind, &'static [(&'static str, Value)])> {
    match column {
        "person" => Some((Kind::Person, PERSON)),
        "auction" => Some((Kind::Auction, AUCTION)),
        "bid" => Some((Kind::Bid, BID)),
        _ => None,
    }
}

fn validate(spec: &TableSpec) -> Result<()> {
    let options = Options::new(spec);
    options.refuse_unknown("nexmark", &[OPTIONS])?;
    Config::from_options(&options)?;
    for field in spec.schema.fields() {
        check_column(spec, field)?;
    }
    Ok(())
}

fn check_column(spec: &TableSpec, field: &Field) -> Result<()> {
    let error = |what: String| {
        ConnectorError::new(format!("table '{}' is no table of Nexmark's events", spec.name))
            .detail(what)
            .hint(
                "its columns are event_type INT, person ROW<id BIGINT, name STRING, …>, \
                 auction ROW<…> and bid ROW<…>; see docs/connectors.md",
            )
    };
    let name = field.name();
    if name == "event_type" {
        return match field.data_type() {
            DataType::Int32 => Ok(()),
            other => Err(error(format!("event_type is INT, not {other}"))),
        };
    }
    let Some((_, members)) = kind_of(name) else {
        return Err(error(format!("there is no column '{name}' in an event")));
    };
    let DataType::Struct(fields) = field.data_type() else {
        return Err(error(format!("'{name}' is a ROW, not {}", field.data_type())));
    };
    if fields.is_empty() {
        return Err(error(format!("'{name}' has no fields")));
    }
    for inner in fields {
        let Some((_, value)) = members.iter().find(|(member, _)| member == inner.name()) else {
            let names: Vec<_> = members.iter().map(|(n, _)| *n).collect();
            let what =
                format!("'{name}' has no field '{}', only {}", inner.name(), names.join(", "));
            return Err(error(what));
        };
        if !fits(*value, inner.data_type()) {
            let (inner, found) = (inner.name(), inner.data_type());
            return Err(error(format!("'{name}.{inner}' cannot be a {found}")));
        }
    }
    Ok(())
}

fn source(spec: &TableSpec, _: &Environment) -> Result<Box<dyn Source>> {
    let config = Config::from_options(&Options::new(spec))?;
    Ok(Box::new(NexmarkSource { table: spec.name.clone(), schema: spec.read_schema()?, config }))
}

struct NexmarkSource {
    table: String,
    schema: SchemaRef,
    config: Config,
}

impl Source for NexmarkSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn is_bounded(&self) -> bool {
        self.config.events > 0 && !self.config.keep_alive
    }

    fn readers(&self, parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let end = if self.config.events == 0 { u64::MAX } else { self.config.events };
        let pace = self.config.paced.then_some(self.config.events_per_second);
        let deal = Deal::new(end, BLOCK, pace).kept_alive(self.config.keep_alive);
        let deal = Arc::new(Mutex::new(deal));
        let mut readers: Vec<Box<dyn Reader>> = Vec::new();
        for _ in 0..parallelism.max(1) {
            readers.push(Box::new(GeneratorReader {
                table: self.table.clone(),
                deal: deal.clone(),
                generator: Rows::new(self.schema.clone(), self.config.clone())?,
                begun: Vec::new(),
            }));
        }
        Ok(readers)
    }
}

/// Makes rows of events.
struct Rows {
    schema: SchemaRef,
    events: Events,
    columns: Vec<Filled>,
}

/// A column and what fills it.
struct Filled {
    slot: Slot,
    kind: Option<Kind>,
    /// For each field of the row the place of its value in the event.
    members: Vec<usize>,
}

impl Rows {
    fn new(schema: SchemaRef, config: Config) -> rialto_engine::Result<Self> {
        let mut columns = Vec::new();
        for field in schema.fields() {
            let slot = Slot::new(field)
                .map_err(|t| EngineError::Internal(format!("nexmark column of type {t}")))?;
            let kind = kind_of(field.name());
            let members = match (field.data_type(), kind) {
                (DataType::Struct(fields), Some((_, members))) => fields
                    .iter()
                    .filter_map(|f| members.iter().position(|(name, _)| name == f.name()))
                    .collect(),
                _ => Vec::new(),
            };
            columns.push(Filled { slot, kind: kind.map(|(kind, _)| kind), members });
        }
        Ok(Self { schema, events: Events::new(config), columns })
    }
}

impl Generate for Rows {
    fn rows(&mut self, from: u64, to: u64) -> rialto_engine::Result<RecordBatch> {
        for number in from..to {
            let kind = self.events.kind(number);
            // Events that no column shows need not be made.
            if self.columns.iter().any(|c| c.kind == Some(kind)) {
                self.events.make(number);
            }
            for filled in &mut self.columns {
                match (&mut filled.slot.column, filled.kind) {
                    (Column::I32(c), None) => c.push(kind as i32),
                    (Column::Row(row), Some(shown)) if shown == kind => {
                        for (slot, member) in row.fields.iter_mut().zip(&filled.members) {
                            fill(&mut slot.column, &self.events, kind, number, *member);
                        }
                        row.close();
                    }
                    (column, _) => column.push_null(),
                }
            }
        }
        let mut arrays = Vec::with_capacity(self.columns.len());
        for filled in &mut self.columns {
            arrays.push(filled.slot.finish()?);
        }
        let count = usize::try_from(to - from).unwrap_or(usize::MAX);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema: Arc<Schema> = self.schema.clone();
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}

/// Appends one member of the event that was made last.
fn fill(column: &mut Column, events: &Events, kind: Kind, number: u64, member: usize) {
    match column {
        Column::I64(c) => c.push(i64::try_from(number_of(events, kind, member)).unwrap_or(0)),
        Column::Utf8(c) => c.push(text_of(events, kind, member).as_bytes()),
        Column::Timestamp(c) => {
            let ms = match (kind, AUCTION[member.min(AUCTION.len() - 1)].0) {
                (Kind::Auction, "expires") => events.auction.expires,
                _ => events.time(number),
            };
            c.plain.push(in_time_unit(ms, c.unit));
        }
        other => other.push_null(),
    }
}

fn in_time_unit(ms: i64, unit: TimeUnit) -> i64 {
    const DAY: i64 = 86_400_000;
    in_unit(ms.div_euclid(DAY), ms.rem_euclid(DAY) * 1_000_000, unit).unwrap_or(i64::MAX)
}

fn number_of(events: &Events, kind: Kind, member: usize) -> u64 {
    let (auction, bid) = (&events.auction, &events.bid);
    match (kind, member) {
        (Kind::Person, _) => events.person.id,
        (Kind::Auction, 0) => auction.id,
        (Kind::Auction, 3) => auction.initial_bid,
        (Kind::Auction, 4) => auction.reserve,
        (Kind::Auction, 7) => auction.seller,
        (Kind::Auction, _) => auction.category,
        (Kind::Bid, 0) => bid.auction,
        (Kind::Bid, 1) => bid.bidder,
        (Kind::Bid, _) => bid.price,
    }
}

fn text_of(events: &Events, kind: Kind, member: usize) -> &str {
    let (person, auction, bid) = (&events.person, &events.auction, &events.bid);
    match (kind, member) {
        (Kind::Person, 1) => &person.name,
        (Kind::Person, 2) => &person.email,
        (Kind::Person, 3) => &person.credit_card,
        (Kind::Person, 4) => person.city,
        (Kind::Person, 5) => person.state,
        (Kind::Person, _) => &person.extra,
        (Kind::Auction, 1) => &auction.item,
        (Kind::Auction, 2) => &auction.description,
        (Kind::Auction, _) => &auction.extra,
        (Kind::Bid, 3) => &bid.channel,
        (Kind::Bid, 4) => &bid.url,
        (Kind::Bid, _) => &bid.extra,
    }
}

#[cfg(test)]
mod tests {
    use rialto_engine::Poll;

    use super::*;
    use crate::format::Encoder;
    use crate::format::json::JsonEncoder;
    use crate::nexmark::write_ndjson;

    fn row(members: &[(&str, Value)]) -> DataType {
        let field = |(name, value): &(&str, Value)| {
            let data_type = match value {
                Value::Number => DataType::Int64,
                Value::Text => DataType::Utf8,
                Value::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
            };
            Field::new(*name, data_type, true)
        };
        DataType::Struct(members.iter().map(field).collect())
    }

    fn spec(options: &[(&str, &str)]) -> TableSpec {
        let schema = Schema::new(vec![
            Field::new("event_type", DataType::Int32, true),
            Field::new("person", row(PERSON), true),
            Field::new("auction", row(AUCTION), true),
            Field::new("bid", row(BID), true),
        ]);
        let connector = [("connector", "nexmark")];
        TableSpec::new("events", Arc::new(schema), connector.iter().chain(options).copied())
    }

    fn objects(source: &dyn Source, readers: usize) -> Vec<serde_json::Value> {
        let mut found = Vec::new();
        let mut readers = source.readers(readers).unwrap();
        loop {
            let before = found.len();
            for reader in &mut readers {
                if let Poll::Rows(delta) = reader.poll(70).unwrap() {
                    let mut text = Vec::new();
                    JsonEncoder::new(&delta.schema())
                        .encode(delta.batch(), 0..delta.num_rows(), &mut text)
                        .unwrap();
                    let text = String::from_utf8(text).unwrap();
                    found.extend(text.lines().map(|l| serde_json::from_str(l).unwrap()));
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    #[test]
    fn the_table_and_the_files_hold_the_same_events() {
        let environment = Environment::new(".");
        let spec = spec(&[("events.num", "3000"), ("rialto.seed", "5")]);
        let source = crate::source(&spec, &environment).unwrap();
        assert!(source.is_bounded());
        let found = objects(source.as_ref(), 2);
        assert_eq!(found.len(), 3000);
        let dir = tempfile::tempdir().unwrap();
        let config = Config { seed: 5, ..Config::default() };
        write_ndjson(dir.path(), 3000, 1, &config).unwrap();
        for (kind, name) in ["person", "auction", "bid"].into_iter().enumerate() {
            let file = dir.path().join(name).join("part-0.json");
            let text = std::fs::read_to_string(file).unwrap();
            let mut expected: Vec<String> = text
                .lines()
                .map(|l| {
                    let value: serde_json::Value = serde_json::from_str(l).unwrap();
                    // The files write all three digits of a second, the encoder only what counts.
                    let text = value.to_string();
                    text.replace(".000\"", "\"").replace("00\",\"", "\",\"")
                })
                .collect();
            let mut rows: Vec<String> = found
                .iter()
                .filter(|e| e["event_type"] == kind)
                .map(|e| e[name].to_string().replace("00\",\"", "\",\""))
                .collect();
            expected.iter_mut().chain(&mut rows).for_each(|line| *line = trimmed(line));
            expected.sort();
            rows.sort();
            assert_eq!(rows, expected, "{name}");
        }
    }

    /// Without the zeros at the end of fractions of seconds.
    fn trimmed(line: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = value.as_object().unwrap().iter().map(|(key, value)| {
            let text = value.as_str().filter(|_| key == "dateTime" || key == "expires");
            let text = text.map(|t| match t.split_once('.') {
                Some((head, tail)) => format!("{head}.{}", tail.trim_end_matches('0')),
                None => format!("{t}."),
            });
            format!("{key}={}", text.unwrap_or_else(|| value.to_string()))
        });
        object.collect::<Vec<_>>().join(";")
    }

    #[test]
    fn only_what_is_wanted_is_made() {
        let environment = Environment::new(".");
        let mut spec = spec(&[("events.num", "100")]);
        spec.projection = Some(vec![3]);
        let source = crate::source(&spec, &environment).unwrap();
        let found = objects(source.as_ref(), 1);
        assert_eq!(found.len(), 100);
        assert_eq!(found.iter().filter(|e| !e["bid"].is_null()).count(), 92);
    }

    #[test]
    fn strange_columns_and_options_are_refused() {
        let mut wrong = spec(&[]);
        wrong.schema =
            Arc::new(Schema::new(vec![Field::new("bid", row(&[("bider", Value::Number)]), true)]));
        let error = crate::validate(&wrong).unwrap_err();
        assert!(error.detail.unwrap().contains("no field 'bider', only auction, bidder"));
        let error = crate::validate(&spec(&[("event.num", "1")])).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean 'events.num'?"));
        assert!(crate::validate(&spec(&[("person.proportion", "0")])).is_err());
    }
}
