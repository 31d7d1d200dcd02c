//! Messages into rows: keys and values through their formats, metadata beside them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, BooleanArray, Int32Array, Int64Array, MapArray,
    RecordBatch, RecordBatchOptions, StringBuilder, StructArray, TimestampMillisecondArray,
    UInt32Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef, TimeUnit};
use rialto_engine::{Delta, EngineError};
use serde_json::{Map, Value, json};

use super::native::Message;
use super::options::{Half, KafkaOptions};
use crate::beside;
use crate::error::{ConnectorError, Result};
use crate::format::{Decoder, ReadColumns};
use crate::options::Options;
use crate::spec::TableSpec;

/// The metadata columns and their types.
pub(super) fn metadata() -> Vec<(&'static str, DataType)> {
    let entry =
        [Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Binary, true)];
    let entries = Field::new("entries", DataType::Struct(entries_fields(entry)), false);
    vec![
        ("topic", DataType::Utf8),
        ("partition", DataType::Int32),
        ("headers", DataType::Map(Arc::new(entries), false)),
        ("leader-epoch", DataType::Int32),
        ("offset", DataType::Int64),
        ("timestamp", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
        ("timestamp-type", DataType::Utf8),
    ]
}

fn entries_fields(fields: [Field; 2]) -> arrow::datatypes::Fields {
    fields.into_iter().collect()
}

/// What is known of a message beside its key and value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About {
    pub offset: i64,
    pub timestamp: Option<(i64, bool)>,
    pub leader_epoch: Option<i32>,
}

impl About {
    /// All of it where `all`, else the offset alone, which costs nothing.
    pub fn of(message: Message<'_>, all: bool) -> Self {
        match all {
            true => Self {
                offset: message.offset(),
                timestamp: message.timestamp(),
                leader_epoch: message.leader_epoch(),
            },
            false => Self { offset: message.offset(), ..Self::default() },
        }
    }
}

/// Where a column of the table comes from.
#[derive(Debug, Clone)]
enum Part {
    Value(usize),
    Key(usize),
    Metadata(String, DataType),
}

/// Makes rows of messages.
pub(super) struct RowMaker {
    schema: SchemaRef,
    parts: Vec<Part>,
    value: Box<dyn Decoder>,
    /// There only if the plan reads a column that is in the key alone.
    key: Option<Box<dyn Decoder>>,
    /// An update or a tombstone says what becomes of the row of a key.
    weighted: bool,
    ignores: bool,
    wants_metadata: bool,
    wants_headers: bool,
    rows: Rows,
}

/// The rows that are waiting, beside what the decoders hold.
#[derive(Default)]
struct Rows {
    count: usize,
    weights: Vec<i64>,
    /// For each row the row of the key's decoder, if there is a key.
    keys: Vec<Option<u32>>,
    key_count: u32,
    /// Rows to leave out: their key could not be read.
    dropped: Vec<usize>,
    split: Vec<u32>,
    splits: Vec<(Arc<str>, i32)>,
    about: Vec<About>,
    headers: Vec<Vec<OwnedHeader>>,
}

type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

impl RowMaker {
    pub fn new(spec: &TableSpec, options: &KafkaOptions<'_>) -> Result<Self> {
        let mut values = Wanted::of(&options.value);
        let mut keys = options.key.as_ref().map(Wanted::of);
        let mut parts = Vec::new();
        for index in spec.projected() {
            parts.push(if let Some(at) = values.want(index) {
                Part::Value(at)
            } else if let Some(at) = keys.as_mut().and_then(|k| k.want(index)) {
                Part::Key(at)
            } else {
                return Err(ConnectorError::new(format!(
                    "column {index} of table '{}' is neither in the key nor in the value",
                    spec.name
                )));
            });
        }
        for (key, field) in &spec.metadata {
            parts.push(Part::Metadata(key.clone(), field.data_type().clone()));
        }
        let uses = |name: &str| matches!(&parts[..], p if p.iter().any(|p| is_metadata(p, name)));
        let key = match (keys, &options.key) {
            (Some(wanted), Some(half)) if !wanted.indices.is_empty() => Some(wanted.decoder(half)?),
            _ => None,
        };
        Ok(Self {
            schema: spec.read_schema()?,
            value: values.decoder(&options.value)?,
            key,
            weighted: options.upsert,
            ignores: options.ignores,
            wants_metadata: !spec.metadata.is_empty(),
            wants_headers: uses("headers"),
            parts,
            rows: Rows::default(),
        })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether more than the offset of a message is read.
    pub fn wants_metadata(&self) -> bool {
        self.wants_metadata
    }

    pub fn wants_headers(&self) -> bool {
        self.wants_headers
    }

    /// What the table reads of a message, and its position does not say, for one that is refused.
    pub fn beside(&self, message: Message<'_>) -> Option<Value> {
        let mut said = Map::new();
        for part in &self.parts {
            let Part::Metadata(name, _) = part else { continue };
            let value = match name.as_str() {
                "timestamp" => message.timestamp().map(|(ms, _)| beside::time(ms)),
                "timestamp-type" => Some(json!(kind_of(message.timestamp()))),
                "leader-epoch" => message.leader_epoch().map(|epoch| json!(epoch)),
                "headers" => {
                    let found = message.headers();
                    let texts = found.iter().map(|(name, _)| String::from_utf8_lossy(name));
                    let texts: Vec<_> = texts.collect();
                    let last = last_of_names(&texts).into_iter();
                    Some(beside::map(last.map(|at| (texts[at].as_ref(), found[at].1))))
                }
                _ => None,
            };
            said.extend(value.map(|value| (name.clone(), value)));
        }
        (!said.is_empty()).then_some(Value::Object(said))
    }

    /// How many rows are waiting.
    pub fn rows(&self) -> usize {
        self.rows.count
    }

    /// Why the last message was no row though nothing may be wrong with it; the source then fails.
    pub fn take_failure(&mut self) -> Option<String> {
        let of_key = self.key.as_mut().and_then(|key| key.take_failure());
        self.value.take_failure().or(of_key)
    }

    /// The messages that follow are from this partition.
    pub fn begin(&mut self, topic: &Arc<str>, partition: i32) {
        if self.wants_metadata {
            self.rows.splits.push((Arc::clone(topic), partition));
        }
    }

    /// Takes a message as rows of a weight, or says why it is none.
    pub fn add(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        about: About,
        headers: Option<Message<'_>>,
        weight: i64,
    ) -> Result<(), String> {
        let before = self.value.rows();
        match value {
            Some(value) => match self.value.decode_record(value) {
                Err(_) if self.ignores => return Ok(()),
                read => read?,
            },
            // A tombstone is no row in most formats, and nothing that is wrong.
            None => drop(self.value.decode_null()),
        }
        let added = self.value.rows() - before;
        if added == 0 {
            // The format was told to ignore what it cannot read, or the record says nothing.
            return Ok(());
        }
        let key_row = self.key_row(key);
        let rows = &mut self.rows;
        let key_row = match key_row {
            Ok(row) => row,
            Err(reason) => {
                rows.dropped.extend(rows.count..rows.count + added);
                self.note(added, None, about, headers, weight);
                return Err(reason);
            }
        };
        self.note(added, key_row, about, headers, weight);
        Ok(())
    }

    /// Decodes a key; answers which row of the key's decoder it is.
    fn key_row(&mut self, key: Option<&[u8]>) -> Result<Option<u32>, String> {
        let (Some(decoder), Some(key)) = (&mut self.key, key) else { return Ok(None) };
        let before = decoder.rows();
        decoder.decode_record(key).map_err(|reason| format!("in the key: {reason}"))?;
        match decoder.rows() - before {
            0 => Ok(None),
            1 => {
                let row = self.rows.key_count;
                self.rows.key_count += 1;
                Ok(Some(row))
            }
            _ => Err("in the key: there is more than one record".into()),
        }
    }

    fn note(
        &mut self,
        added: usize,
        key_row: Option<u32>,
        about: About,
        headers: Option<Message<'_>>,
        weight: i64,
    ) {
        let rows = &mut self.rows;
        rows.count += added;
        for _ in 0..added {
            if self.key.is_some() {
                rows.keys.push(key_row);
            }
            if self.weighted {
                rows.weights.push(weight);
            }
            if self.wants_metadata {
                rows.split.push(u32::try_from(rows.splits.len()).unwrap_or(1) - 1);
                rows.about.push(about);
            }
            if self.wants_headers {
                let own = |(name, value): (&[u8], Option<&[u8]>)| {
                    (name.to_vec(), value.map(<[u8]>::to_vec))
                };
                let found = headers.map(Message::headers).unwrap_or_default();
                rows.headers.push(found.into_iter().map(own).collect());
            }
        }
    }

    /// Takes the waiting rows.
    pub fn finish(&mut self) -> rialto_engine::Result<Delta> {
        let values = self.value.finish()?;
        let own = self.value.take_weights();
        let keys = self.key.as_mut().map(|k| k.finish()).transpose()?;
        let rows = std::mem::take(&mut self.rows);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            arrays.push(match part {
                Part::Value(at) => values.column(*at).clone(),
                Part::Key(at) => match &keys {
                    Some(keys) => key_column(keys.column(*at), &rows)?,
                    None => return Err(EngineError::Internal("a key without a decoder".into())),
                },
                Part::Metadata(name, data_type) => rows.metadata(name, data_type)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.count));
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let weights = if self.weighted { Some(rows.weights) } else { own };
        let delta = match weights {
            Some(weights) => Delta::weighted(batch, Int64Array::from(weights)),
            None => Delta::insert_only(batch),
        };
        if rows.dropped.is_empty() {
            return Ok(delta);
        }
        let mut keep = vec![true; rows.count];
        rows.dropped.iter().for_each(|&row| keep[row] = false);
        delta.filter(&BooleanArray::from(keep))
    }
}

/// The word for who set a timestamp.
fn kind_of(timestamp: Option<(i64, bool)>) -> &'static str {
    match timestamp {
        Some((_, true)) => "LogAppendTime",
        Some((_, false)) => "CreateTime",
        None => "NoTimestampType",
    }
}

/// Of several headers of one name a map can hold the last, as in Flink: the places of those. Names
/// that are no UTF-8 may become the same text.
fn last_of_names(names: &[Cow<'_, str>]) -> Vec<usize> {
    let last: HashMap<&str, usize> =
        names.iter().enumerate().map(|(at, name)| (name.as_ref(), at)).collect();
    (0..names.len()).filter(|at| last.get(names[*at].as_ref()) == Some(at)).collect()
}

fn is_metadata(part: &Part, name: &str) -> bool {
    matches!(part, Part::Metadata(key, _) if key == name)
}

/// The columns of a half that a plan reads.
struct Wanted<'a> {
    half: &'a Half,
    indices: Vec<usize>,
}

impl<'a> Wanted<'a> {
    fn of(half: &'a Half) -> Self {
        Self { half, indices: Vec::new() }
    }

    /// Asks for a column of the table; answers its place among those that are decoded.
    fn want(&mut self, index: usize) -> Option<usize> {
        let place = self.half.columns.iter().position(|&c| c == index)?;
        Some(self.indices.iter().position(|&i| i == place).unwrap_or_else(|| {
            self.indices.push(place);
            self.indices.len() - 1
        }))
    }

    fn decoder(self, half: &Half) -> Result<Box<dyn Decoder>> {
        let file: Vec<FieldRef> = half.spec.schema.fields().iter().cloned().collect();
        let columns = ReadColumns { file, wanted: self.indices };
        (half.format.decoder)(&Options::new(&half.spec), columns)
    }
}

/// A column of the keys for the rows that have them.
fn key_column(column: &ArrayRef, rows: &Rows) -> rialto_engine::Result<ArrayRef> {
    let in_order = column.len() == rows.count
        && rows.keys.iter().enumerate().all(|(at, key)| *key == u32::try_from(at).ok());
    if in_order {
        return Ok(column.clone());
    }
    Ok(take(column, &UInt32Array::from(rows.keys.clone()), None)?)
}

impl Rows {
    fn metadata(&self, name: &str, data_type: &DataType) -> rialto_engine::Result<ArrayRef> {
        let splits = || self.split.iter().filter_map(|&at| self.splits.get(at as usize));
        let about = || self.about.iter();
        let array: ArrayRef = match name {
            "topic" => {
                let mut topics = StringBuilder::new();
                splits().for_each(|(topic, _)| topics.append_value(topic));
                Arc::new(topics.finish())
            }
            "partition" => Arc::new(Int32Array::from_iter_values(splits().map(|(_, p)| *p))),
            "offset" => Arc::new(Int64Array::from_iter_values(about().map(|a| a.offset))),
            "leader-epoch" => Arc::new(about().map(|a| a.leader_epoch).collect::<Int32Array>()),
            "timestamp" => {
                let times = about().map(|a| a.timestamp.map(|(ms, _)| ms));
                let times: TimestampMillisecondArray = times.collect();
                Arc::new(times.with_timezone("UTC"))
            }
            "timestamp-type" => {
                let mut kinds = StringBuilder::new();
                for row in about() {
                    kinds.append_value(kind_of(row.timestamp));
                }
                Arc::new(kinds.finish())
            }
            "headers" => return self.headers(data_type),
            other => {
                return Err(EngineError::Internal(format!("no metadata column '{other}'")));
            }
        };
        Ok(if array.data_type() == data_type { array } else { cast(&array, data_type)? })
    }

    fn headers(&self, data_type: &DataType) -> rialto_engine::Result<ArrayRef> {
        let (mut names, mut values) = (StringBuilder::new(), BinaryBuilder::new());
        let mut ends = Vec::with_capacity(self.headers.len() + 1);
        ends.push(0);
        for row in &self.headers {
            let texts: Vec<_> = row.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
            for at in last_of_names(&texts) {
                names.append_value(&texts[at]);
                values.append_option(row[at].1.as_deref());
            }
            ends.push(i32::try_from(names.len()).unwrap_or(i32::MAX));
        }
        let DataType::Map(entries, ordered) = data_type else {
            return Err(EngineError::Data(format!("headers are a map, not {data_type}")));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(EngineError::Internal("a map without entries".into()));
        };
        let columns: [ArrayRef; 2] = [Arc::new(names.finish()), Arc::new(values.finish())];
        let mut arrays = Vec::with_capacity(2);
        for (column, field) in columns.iter().zip(fields) {
            arrays.push(cast(column, field.data_type())?);
        }
        let rows = StructArray::try_new(fields.clone(), arrays, None)?;
        let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), ends, rows, None, *ordered)?))
    }
}
