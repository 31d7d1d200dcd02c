//! Gives records that are sent again to the sources that refused them.
//!
//! What is sent again lies in a log, from where it is read like a table of the connector `log` that
//! has the columns and the format of the table itself. Each source of a job with state has this
//! reader beside its own.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{Field, SchemaRef};
use rialto_connectors::{Environment, TableSpec, beside};
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader, Result, Source};
use rialto_storage::log::{Config, LogReader, Topic};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event::{AgainKey, again_position, of_letters, taken_until};
use super::keep::{Letters, Taken};
use super::replace;

/// How often is looked whether something was sent again.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// A poll that met only bad records comes back after so many.
const RECORDS_MAX: usize = 1000;

/// What is known of a table outside of its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub table: String,
    /// The format of its records; none where it has none.
    pub format: Option<String>,
    /// Why nothing can be sent again, if so.
    pub closed: Option<String>,
    /// Why no record can be sent again as it was, if so.
    pub edited_only: Option<String>,
}

impl About {
    fn new(table: &str) -> Self {
        let closed = Some("no run has read this table since it refused its first record".into());
        Self { table: table.to_owned(), format: None, closed, edited_only: None }
    }

    /// Makes a table's folder.
    pub fn ensure(folder: &Path, table: &str) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        if folder.join("about").exists() { Ok(()) } else { Self::new(table).write(folder) }
    }

    pub fn read(folder: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(folder.join("about"))?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    /// Says why nothing can be sent again.
    pub fn close(folder: &Path, reason: &str) -> io::Result<()> {
        let about = Self { closed: Some(reason.to_owned()), ..Self::read(folder)? };
        about.write(folder)
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        replace(&folder.join("about"), &text)
    }
}

/// A source with a reader beside it.
pub(crate) struct WithAgain {
    own: Box<dyn Source>,
    again: Option<Again>,
}

/// How what is sent again is read.
struct Again {
    letters: Letters,
    spec: TableSpec,
    /// The columns beside a record, by the connector's keys.
    metadata: Vec<(String, Field)>,
    schema: SchemaRef,
    /// Formats may read files of the project.
    environment: Environment,
}

impl WithAgain {
    pub fn new(
        letters: Letters,
        spec: &TableSpec,
        own: Box<dyn Source>,
        environment: Environment,
    ) -> Result<Self> {
        let folder = letters.folder_of(&spec.name);
        let mut about = About { closed: None, ..About::new(&spec.name) };
        let again = match again_spec(spec, &folder) {
            Ok(again) => {
                about.format = again.option("format").map(str::to_owned);
                about.edited_only = edited_only(spec);
                let metadata = spec.metadata.clone();
                Some(Again { letters, spec: again, metadata, schema: own.schema(), environment })
            }
            Err(reason) => {
                about.closed = Some(reason);
                None
            }
        };
        about.write(&folder).map_err(|e| of_letters(&spec.name, e))?;
        Ok(Self { own, again })
    }
}

/// The table of what is sent again, or why there can be none.
fn again_spec(spec: &TableSpec, folder: &Path) -> std::result::Result<TableSpec, String> {
    let connector = spec.option("connector").unwrap_or_default();
    if connector == "upsert-kafka" {
        let reason = "what a later record of the same key has said since would be undone";
        return Err(reason.into());
    }
    if spec.option("value.fields-include").is_some_and(|v| v.eq_ignore_ascii_case("EXCEPT_KEY")) {
        return Err("some of its columns are in the key of a record, which is not kept".into());
    }
    let (format, prefix) = match (spec.option("value.format"), spec.option("format")) {
        (Some(format), _) => (format, "value."),
        (None, Some(format)) => (format, ""),
        (None, None) if matches!(connector, "log" | "http") => ("json", ""),
        (None, None) => return Err(format!("the connector '{connector}' reads no records")),
    };
    let path = folder.join("again").display().to_string();
    let mut options: Vec<(String, String)> = vec![
        ("connector".into(), "log".into()),
        ("path".into(), path),
        ("format".into(), format.into()),
        ("partitions".into(), "1".into()),
    ];
    let own = format!("{prefix}{format}.");
    for (name, value) in &spec.options {
        if name.starts_with(&own) && !name.ends_with("csv.header") {
            options.push((name[prefix.len()..].to_owned(), value.clone()));
        }
    }
    let mut again = TableSpec::new(spec.name.clone(), Arc::clone(&spec.schema), options);
    again.projection.clone_from(&spec.projection);
    again.primary_key.clone_from(&spec.primary_key);
    rialto_connectors::validate(&again).map(|()| again).map_err(|e| e.to_string())
}

/// Why no record of a table can be sent again as it was.
fn edited_only(spec: &TableSpec) -> Option<String> {
    if spec.option("csv.header") == Some("true") {
        let reason = "its files have headers: a record alone does not say which column is which";
        return Some(format!("{reason} (give its values in the order of the table's columns)"));
    }
    let read: Vec<usize> = spec.projected();
    let fields = spec.schema.fields();
    let read = read.iter().filter_map(|&i| fields.get(i)).map(|f| f.name());
    let by_path: Vec<&String> = read.filter(|name| spec.partition_keys.contains(name)).collect();
    match by_path.first() {
        Some(column) => Some(format!("its column '{column}' is of the path, not of the record")),
        None => None,
    }
}

impl Source for WithAgain {
    fn schema(&self) -> SchemaRef {
        self.own.schema()
    }

    fn is_bounded(&self) -> bool {
        self.own.is_bounded()
    }

    fn readers(&self, parallelism: usize) -> Result<Vec<Box<dyn Reader>>> {
        let mut readers = self.own.readers(parallelism)?;
        if let Some(again) = &self.again {
            readers.push(Box::new(again.reader()?));
        }
        Ok(readers)
    }
}

impl Again {
    fn reader(&self) -> Result<AgainReader> {
        let table = &self.spec.name;
        let failed = |e: &dyn ToString| of_letters(table, e.to_string());
        let folder = self.letters.folder_of(table);
        let source = rialto_connectors::source(&self.spec, &self.environment);
        let own = source.map_err(|e| failed(&e))?.readers(1)?.pop();
        let own = own.ok_or_else(|| failed(&"a log without a reader"))?;
        let topic = Topic::shared(&folder.join("again"), Config::default());
        let topic = topic.map_err(|e| failed(&e))?;
        let mut reader = AgainReader {
            table: table.clone(),
            letters: self.letters.clone(),
            own,
            keys: LogReader::new(Arc::clone(&topic), BTreeMap::new()),
            topic,
            ahead: VecDeque::new(),
            next: 0,
            looked: None,
            place: None,
            dead: Vec::new(),
            metadata: self.metadata.clone(),
            folder: self.environment.base_dir.clone(),
            position: None,
            beside: None,
            schema: Arc::clone(&self.schema),
        };
        // A run that goes on from a checkpoint seeks; one that begins anew does not take again what
        // an earlier one has taken.
        reader.go_to(taken_until(&folder).map_err(|e| failed(&e))?)?;
        Ok(reader)
    }
}

/// Reads what is sent again to a table, one record a poll.
struct AgainReader {
    table: String,
    letters: Letters,
    own: Box<dyn Reader>,
    topic: Arc<Topic>,
    keys: LogReader,
    /// Records that were read and whose rows were not asked for yet.
    ahead: VecDeque<(u64, Option<AgainKey>, Vec<u8>)>,
    /// The offset of the next record.
    next: u64,
    /// When there was nothing.
    looked: Option<Instant>,
    place: Option<String>,
    dead: Vec<DeadLetter>,
    metadata: Vec<(String, Field)>,
    /// What paths are relative to.
    folder: PathBuf,
    /// Where the last record was found first.
    position: Option<String>,
    /// What stood beside it there.
    beside: Option<Value>,
    schema: SchemaRef,
}

impl AgainReader {
    fn failed(&self, reason: impl ToString) -> EngineError {
        of_letters(&self.table, reason)
    }

    fn go_to(&mut self, offset: u64) -> Result<()> {
        self.own.seek(&json!({ "offsets": { "0": offset } }))?;
        self.keys = LogReader::new(Arc::clone(&self.topic), BTreeMap::from([(0, offset)]));
        self.ahead.clear();
        self.next = offset;
        self.looked = None;
        Ok(())
    }

    /// Whose record it is, and its bytes.
    fn record(&mut self, offset: u64) -> Result<(AgainKey, Vec<u8>)> {
        loop {
            while let Some((at, key, record)) = self.ahead.pop_front() {
                if at == offset {
                    let key = key.ok_or_else(|| {
                        self.failed(format!("the record {offset} sent again names no letter"))
                    })?;
                    return Ok((key, record));
                }
            }
            let Some(block) = self.keys.next().map_err(|e| self.failed(e))? else {
                return Err(self.failed(format!("there is no record {offset} sent again")));
            };
            let keys = block.keys();
            for (at, range) in block.ranges().into_iter().enumerate() {
                let key = keys.get(at).copied().flatten();
                let key = key.and_then(|key| serde_json::from_slice(key).ok());
                let record = block.values[range].to_vec();
                self.ahead.push_back((block.first + at as u64, key, record));
            }
        }
    }

    /// Takes note of the records up to an offset, which the reader has read.
    fn note(&mut self, end: u64) -> Result<()> {
        let refused: BTreeMap<u64, DeadLetter> = self
            .own
            .take_dead_letters()
            .into_iter()
            .filter_map(|letter| Some((offset_of(&letter.position)?, letter)))
            .collect();
        for offset in self.next..end {
            let (key, record) = self.record(offset)?;
            self.place = Some(again_position(&key.id));
            self.position.clone_from(&key.position);
            self.beside.clone_from(&key.beside);
            if let Some(letter) = refused.get(&offset) {
                let position = again_position(&key.id);
                self.dead.push(DeadLetter { position, ..letter.clone() });
            }
            let (table, AgainKey { id, attempts, .. }) = (self.table.clone(), key);
            self.letters.take(Taken { table, id, attempts, offset, record });
        }
        self.next = end;
        Ok(())
    }

    /// The rows with the columns that are beside a record: what stood there where it was found
    /// first, and what its place says. A column that must not be null and of which nothing is known
    /// makes it a dead letter again.
    fn with_metadata(&mut self, rows: Delta) -> Result<Delta> {
        if self.metadata.is_empty() {
            return Ok(rows);
        }
        let mut columns: Vec<ArrayRef> = rows.batch().columns().to_vec();
        for (key, field) in &self.metadata {
            let column = self.metadata_column(key, field, rows.num_rows())?;
            if !field.is_nullable() && column.null_count() > 0 {
                let name = field.name();
                let reason = format!("column '{name}': what stood beside the record is not kept");
                let position = self.place.clone().unwrap_or_default();
                let (bytes, beside) = (Vec::new(), None);
                self.dead.push(DeadLetter { position, reason, bytes, beside });
                return Ok(Delta::insert_only(RecordBatch::new_empty(Arc::clone(&self.schema))));
            }
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        Ok(rows.with_batch(batch))
    }

    fn metadata_column(&self, key: &str, field: &Field, rows: usize) -> Result<ArrayRef> {
        let said = self.beside.as_ref().and_then(|beside| beside.get(key));
        if let Some(column) = said.and_then(|said| beside::column(said, field.data_type())) {
            return Ok(take(&column, &UInt32Array::from_value(0, rows), None)?);
        }
        let position = self.position.as_deref().unwrap_or_default();
        let known = known_of(position, key, &self.folder);
        let text = StringArray::from_iter(std::iter::repeat_n(known, rows));
        Ok(cast(&text, field.data_type())
            .unwrap_or_else(|_| new_null_array(field.data_type(), rows)))
    }
}

/// What the position of a record says of a metadata column: `topic/partition/offset` of Kafka,
/// `table partition P offset O` of a log, `path:line` or `path@byte` of a file.
fn known_of(position: &str, key: &str, folder: &Path) -> Option<String> {
    let number = |text: &str| text.parse::<u64>().is_ok();
    let mut parts = position.rsplitn(3, '/');
    let kafka = match (parts.next(), parts.next(), parts.next()) {
        (Some(offset), Some(partition), Some(topic)) if number(offset) && number(partition) => {
            Some((Some(topic), partition, offset))
        }
        _ => None,
    };
    let log = position.rsplit_once(" offset ").and_then(|(before, offset)| {
        let (_, partition) = before.rsplit_once(" partition ")?;
        (number(offset) && number(partition)).then_some((None, partition, offset))
    });
    let file = position.rsplit_once([':', '@']).filter(|(_, place)| number(place));
    let path = || file.map(|(path, _)| folder.join(path));
    match (key, log.or(kafka)) {
        ("topic", Some((topic, ..))) => topic.map(str::to_owned),
        ("partition", Some((_, partition, _))) => Some(partition.to_owned()),
        ("offset", Some((.., offset))) => Some(offset.to_owned()),
        ("file.path", _) => path().map(|path| path.display().to_string()),
        ("file.name", _) => Some(path()?.file_name()?.to_string_lossy().into_owned()),
        _ => None,
    }
}

/// The offset in the position of a record of a log.
fn offset_of(position: &str) -> Option<u64> {
    position.rsplit_once(" offset ")?.1.parse().ok()
}

impl Reader for AgainReader {
    fn poll(&mut self, _: usize) -> Result<Poll> {
        let rests = self.looked.is_some_and(|at| at.elapsed() < LOOK_INTERVAL);
        if rests || self.letters.is_ambiguous(&self.table) {
            return Ok(Poll::Idle);
        }
        for _ in 0..RECORDS_MAX {
            let Poll::Rows(rows) = self.own.poll(1)? else {
                self.looked = Some(Instant::now());
                return Ok(Poll::Idle);
            };
            let end = self.own.position()["offsets"]["0"].as_u64();
            let end = end.ok_or_else(|| self.failed("a log's reader without a position"))?;
            self.note(end)?;
            if rows.num_rows() > 0 {
                return self.with_metadata(rows).map(Poll::Rows);
            }
        }
        Ok(Poll::Rows(Delta::insert_only(RecordBatch::new_empty(Arc::clone(&self.schema)))))
    }

    fn position(&self) -> Position {
        json!({ "again": self.next })
    }

    fn seek(&mut self, position: &Position) -> Result<()> {
        let offset = position["again"].as_u64();
        let strange = || self.failed(format!("the position {position} is not one of theirs"));
        self.go_to(offset.ok_or_else(strange)?)
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }

    fn is_beside(&self) -> bool {
        true
    }

    fn place(&self) -> Option<String> {
        self.place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_says_what_was_beside_the_record() {
        let of = |position: &str, key: &str| known_of(position, key, Path::new("/shop"));
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(of("shop/eu/3/17", "topic"), is("shop/eu"));
        assert_eq!(of("sales/3/17", "partition"), is("3"));
        assert_eq!(of("sales/3/17", "offset"), is("17"));
        assert_eq!(of("my table partition 1 offset 40", "offset"), is("40"));
        assert_eq!(of("my table partition 1 offset 40", "partition"), is("1"));
        assert_eq!(of("my table partition 1 offset 40", "topic"), None);
        assert_eq!(of("in/a.json:3", "file.name"), is("a.json"));
        assert_eq!(of("in/a.json@90", "file.path"), is("/shop/in/a.json"));
        for (position, key) in [("", "offset"), ("in/a.json:3", "offset"), ("s/3/17", "timestamp")]
        {
            assert_eq!(of(position, key), None);
        }
    }
}
