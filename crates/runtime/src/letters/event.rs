//! What is written down of letters.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rialto_connectors::TableSpec;
use rialto_engine::{DeadLetter, EngineError, Result};
use rialto_storage::log::{Config, LogError, LogReader, Topic, id_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long letters are kept, and how much of them: as the connector `log` takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    pub time: Option<String>,
    pub size: Option<String>,
}

/// Of a larger record only the first bytes are kept.
pub(super) const RECORD_BYTES_MAX: usize = 16 << 20;
/// So much of a record, and its length, tell it from others.
const HASHED_BYTES_MAX: usize = 64 << 10;
/// What [`DeadLetter::position`] of a record that was sent again begins with.
const AGAIN: &str = "letter ";

/// What has happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// A source could not use it.
    Refused,
    /// A source has taken it when it was sent again.
    Redriven,
}

/// What is kept of a refused record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// The bytes as the source met them.
    Record,
    /// The row that became of them, as JSON: they were decoded before they were refused.
    Row,
}

/// One entry of a log of letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    pub id: String,
    pub event: What,
    /// When, in epoch milliseconds.
    pub at: i64,
    /// When the run began, in epoch milliseconds. A run that goes on from a checkpoint is the same.
    pub run: i64,
    /// How often the record was tried.
    pub attempt: i32,
    pub position: Option<String>,
    pub reason: Option<String>,
    /// In base64, as the format writes bytes.
    pub record: Option<String>,
    /// What stood beside the record, as JSON.
    pub beside: Option<String>,
    /// How long the record is.
    pub size: Option<i64>,
    pub form: Option<Form>,
    /// The offset in the log of records that are sent again, where it was.
    pub sent: Option<i64>,
}

/// What the key of a record says that is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AgainKey {
    pub id: String,
    /// How often it was tried before.
    pub attempts: i32,
    /// When it was sent, in epoch milliseconds.
    pub at: i64,
    /// Where it was found first.
    #[serde(default)]
    pub position: Option<String>,
    /// What stood beside it there.
    #[serde(default)]
    pub beside: Option<Value>,
}

/// The id of a letter: the same for the same record in the same place.
pub(super) fn id_of_letter(table: &str, letter: &DeadLetter) -> String {
    let head = &letter.bytes[..letter.bytes.len().min(HASHED_BYTES_MAX)];
    let mut text = format!("{table}\0{}\0{}\0", letter.position, letter.bytes.len()).into_bytes();
    text.extend_from_slice(head);
    let hash = id_of(&text);
    format!("{:016x}", (hash >> 64) as u64 ^ hash as u64)
}

/// The position of a record that is sent again.
pub(super) fn again_position(id: &str) -> String {
    format!("{AGAIN}{id}")
}

/// The letter whose record this is, where it was sent again.
pub(super) fn id_sent_again(letter: &DeadLetter) -> Option<&str> {
    let id = letter.position.strip_prefix(AGAIN)?;
    (id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}

/// What the bytes of a letter are. A row was made of them before the engine refused it, and then
/// their place is known by the number of the row alone.
pub(super) fn form_of(letter: &DeadLetter) -> Form {
    let counted = letter.position.strip_prefix("row ").and_then(|p| p.split_once(" of reader "));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match counted {
        Some((row, reader)) if is_number(row) && is_number(reader) => Form::Row,
        _ => Form::Record,
    }
}

/// The columns of a log of letters.
fn schema() -> SchemaRef {
    let field = |name, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("id", DataType::Utf8),
        field("event", DataType::Utf8),
        field("at", DataType::Int64),
        field("run", DataType::Int64),
        field("attempt", DataType::Int32),
        field("position", DataType::Utf8),
        field("reason", DataType::Utf8),
        field("record", DataType::Binary),
        field("beside", DataType::Utf8),
        field("size", DataType::Int64),
        field("form", DataType::Utf8),
        field("sent", DataType::Int64),
    ]))
}

/// A table's log of letters, for the connector of logs.
pub(super) fn spec(table: &str, folder: &Path, retention: &Retention) -> TableSpec {
    let path = folder.join("letters").display().to_string();
    let mut options = vec![("connector", "log"), ("path", &path), ("format", "json")];
    options.extend(retention.time.as_deref().map(|time| ("retention.time", time)));
    options.extend(retention.size.as_deref().map(|size| ("retention.size", size)));
    TableSpec::new(format!("{table}$dead_letters"), schema(), options)
}

/// An event that is about to be written, its record not yet in base64.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub event: Event,
    pub bytes: Option<Vec<u8>>,
}

/// Events as rows.
pub(super) fn batch(drafts: &[Draft]) -> Result<RecordBatch> {
    fn texts<'d>(values: impl Iterator<Item = Option<&'d str>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }
    fn longs(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
        Arc::new(values.collect::<Int64Array>())
    }
    let events = || drafts.iter().map(|d| &d.event);
    let columns: Vec<ArrayRef> = vec![
        texts(events().map(|e| Some(e.id.as_str()))),
        texts(events().map(|e| Some(e.event.name()))),
        longs(events().map(|e| Some(e.at))),
        longs(events().map(|e| Some(e.run))),
        Arc::new(events().map(|e| Some(e.attempt)).collect::<Int32Array>()),
        texts(events().map(|e| e.position.as_deref())),
        texts(events().map(|e| e.reason.as_deref())),
        Arc::new(drafts.iter().map(|d| d.bytes.as_deref()).collect::<BinaryArray>()),
        texts(events().map(|e| e.beside.as_deref())),
        longs(events().map(|e| e.size)),
        texts(events().map(|e| e.form.map(Form::name))),
        longs(events().map(|e| e.sent)),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

impl What {
    /// The word that it is written as.
    fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Redriven => "redriven",
        }
    }
}

impl Form {
    /// The word that it is written as.
    fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Row => "row",
        }
    }
}

impl Event {
    /// The bytes of the record, as far as they are kept.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.record.as_deref().and_then(|text| STANDARD.decode(text).ok())
    }
}

/// Calls `see` with every record of a log that is there now: offset, time, key and value. A log
/// that is not there is empty.
pub(super) fn each_record(
    folder: &Path,
    see: &mut dyn FnMut(u64, i64, Option<&[u8]>, &[u8]),
) -> Result<(), LogError> {
    if !folder.join("topic").exists() {
        return Ok(());
    }
    let topic = Topic::shared(folder, Config::default())?;
    let start = topic.earliest()?.first().copied().unwrap_or(0);
    let from = |offset: u64| LogReader::new(Arc::clone(&topic), BTreeMap::from([(0, offset)]));
    let mut reader = from(start);
    loop {
        let block = match reader.next() {
            // Retention works beside: what it has deleted meanwhile is not there now.
            Err(LogError::Gone { earliest, .. }) => {
                reader = from(earliest);
                continue;
            }
            found => found?,
        };
        let Some(block) = block else { break };
        let keys = block.keys();
        for (at, range) in block.ranges().into_iter().enumerate() {
            let key = keys.get(at).copied().flatten();
            see(block.first + at as u64, block.time, key, &block.values[range]);
        }
    }
    Ok(())
}

/// Calls `see` with every event of a table.
pub(super) fn each_event(folder: &Path, see: &mut dyn FnMut(Event)) -> Result<(), LogError> {
    let path = folder.join("letters");
    let mut strange = None;
    each_record(&path, &mut |offset, _, _, value| match serde_json::from_slice(value) {
        Ok(event) => see(event),
        Err(error) => drop(strange.get_or_insert((offset, error))),
    })?;
    match strange {
        None => Ok(()),
        Some((offset, error)) => Err(LogError::Damaged {
            file: path.display().to_string(),
            position: offset,
            reason: format!("the record at this offset is no event of a letter: {error}"),
        }),
    }
}

/// The next record to take of those that were sent again, by what is written down.
pub(super) fn taken_until(folder: &Path) -> Result<u64, LogError> {
    let mut next = read_taken(folder);
    if end_of(&folder.join("again"))? > 0 {
        each_event(folder, &mut |event| {
            let after = event.sent.and_then(|sent| u64::try_from(sent + 1).ok());
            next = next.max(after.unwrap_or(0));
        })?;
    }
    Ok(next)
}

/// What was written down apart from the log, which may forget.
fn read_taken(folder: &Path) -> u64 {
    let text = std::fs::read_to_string(folder.join("taken"));
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Writes down which record is the next to take, for when the log forgets what says so.
pub(super) fn keep_taken(folder: &Path, next: u64) -> std::io::Result<()> {
    if read_taken(folder) >= next {
        return Ok(());
    }
    super::replace(&folder.join("taken"), &next.to_string())
}

/// How many records a log of one partition has had; none where it is not there.
pub(super) fn end_of(folder: &Path) -> Result<u64, LogError> {
    if !folder.join("topic").exists() {
        return Ok(0);
    }
    let topic = Topic::shared(folder, Config::default())?;
    Ok(topic.end()?.first().copied().unwrap_or(0))
}

/// An error of a log of letters.
pub(super) fn of_letters(table: &str, error: impl ToString) -> EngineError {
    EngineError::sink(format!("dead letters of '{table}'"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(position: &str, bytes: &[u8]) -> DeadLetter {
        let (position, reason) = (position.into(), "bad".into());
        DeadLetter { position, reason, bytes: bytes.into(), beside: None }
    }

    #[test]
    fn a_letter_keeps_its_id_and_says_where_it_is_from() {
        let first = id_of_letter("t", &letter("a.json:3", b"x"));
        assert_eq!(first, id_of_letter("t", &letter("a.json:3", b"x")));
        assert_eq!(first.len(), 16);
        for other in [letter("a.json:4", b"x"), letter("a.json:3", b"y")] {
            assert_ne!(first, id_of_letter("t", &other));
        }
        let again = letter(&again_position(&first), b"x");
        assert_eq!(id_sent_again(&again), Some(first.as_str()));
        assert_eq!(id_sent_again(&letter("letter x:3", b"x")), None);
        assert_eq!(form_of(&letter("row 7 of reader 0", b"{}")), Form::Row);
        assert_eq!(form_of(&letter("row 7 of reader b.json:3", b"{}")), Form::Record);
    }
}
