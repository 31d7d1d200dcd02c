//! `http`: a log whose rows are sent over HTTP.
//!
//! The server is elsewhere; here is what a request's body becomes: rows that are checked as the
//! table says, and durable when [`Ingest::accept`] answers. All rows of a request are taken, or
//! none.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use rialto_engine::{EngineError, Source};
use rialto_storage::log::{Batch, LogError, Pressure, Topic, id_of};

use super::keys::Keys;
use super::options::{HttpOptions, of_log};
use super::split::{Split, split};
use super::{metadata, source};
use crate::error::Result;
use crate::format::{Decoder, ReadColumns};
use crate::options::Options;
use crate::registry::Connector;
use crate::spec::{Environment, TableSpec};

pub use super::split::BadRow;

pub(crate) const CONNECTOR: Connector = Connector {
    name: "http",
    validate: |spec| HttpOptions::read(spec).map(drop),
    source: Some(open_source),
    lookup: None,
    sink: None,
    accepts_changes: false,
    formats_take_changes: false,
    metadata,
};

/// So many bad rows of a request are told.
const REASONS_MAX: usize = 100;
/// A reason quotes at most so much of a row.
const REASON_BYTES_MAX: usize = 300;

fn open_source(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Source>> {
    let options = HttpOptions::read(spec)?;
    Ok(Box::new(source::LogSource::open(spec, &options.log, environment)?))
}

/// The answer to a request whose rows are durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many rows are new.
    pub accepted: usize,
    /// How many were sent before, by their event's id.
    pub duplicates: usize,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone)]
pub enum Refused {
    /// The body is not what it should be.
    Body(String),
    /// Some rows are not those of the table.
    Rows {
        /// The first of them, and why.
        reasons: Vec<BadRow>,
        /// How many there are.
        bad: usize,
        /// How many rows the request has.
        rows: usize,
    },
    /// Too much waits to be written.
    Busy,
    /// The disk is full.
    Full(String),
    /// The log cannot be written.
    Failed(String),
}

/// A table that takes rows over HTTP.
pub struct Ingest {
    spec: TableSpec,
    topic: Arc<Topic>,
    id_column: Option<usize>,
    body_bytes_max: usize,
    /// Those that no request uses now.
    decoders: Mutex<Vec<Box<dyn Decoder>>>,
    keys: Mutex<Keys>,
    rows: AtomicUsize,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("table", &self.spec.name).finish_non_exhaustive()
    }
}

impl Ingest {
    /// Opens a table for taking rows. Its log is this process's to write from now on.
    pub fn open(spec: &TableSpec, environment: &Environment) -> Result<Self> {
        let options = HttpOptions::read(spec)?;
        let folder = options.log.folder(environment)?;
        let failed = |e: LogError| of_log(&spec.name, &e);
        let topic = Topic::shared(&folder, options.log.config.clone()).map_err(failed)?;
        topic.open_for_writing().map_err(failed)?;
        let keys = Mutex::new(Keys::new(spec, &options.log, topic.partitions())?);
        let ingest = Self {
            spec: spec.clone(),
            topic,
            id_column: options.id_column,
            body_bytes_max: options.body_bytes_max,
            decoders: Mutex::default(),
            keys,
            rows: AtomicUsize::new(0),
        };
        let decoder = ingest.decoder()?;
        locked(&ingest.decoders).push(decoder);
        Ok(ingest)
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.spec.name
    }

    /// The largest body that is taken, unpacked.
    pub fn body_bytes_max(&self) -> usize {
        self.body_bytes_max
    }

    /// Why rows cannot be taken now, if so.
    pub fn failure(&self) -> Option<String> {
        self.topic.failure()
    }

    /// How many rows were taken since the table was opened.
    pub fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>> {
        let options = HttpOptions::read(&self.spec)?;
        let columns = ReadColumns::all(&self.spec.schema);
        (options.log.format.decoder)(&Options::new(&self.spec), columns)
    }

    /// Takes the rows of a body: all of them are durable, or none is there. Blocks until then.
    pub fn accept(&self, body: &[u8]) -> Result<Accepted, Refused> {
        let split = split(body).map_err(Refused::Body)?;
        if split.count == 0 {
            return Ok(Accepted::default());
        }
        let kept = locked(&self.decoders).pop();
        let mut decoder = match kept {
            Some(decoder) => decoder,
            None => self.decoder().map_err(|e| Refused::Failed(e.to_string()))?,
        };
        let rows = decode(decoder.as_mut(), &split)?;
        locked(&self.decoders).push(decoder);
        let failed = |e: EngineError| Refused::Failed(e.to_string());
        let ids = self.ids(&rows).map_err(failed)?;
        let (keys, partitions) = {
            let mut all = locked(&self.keys);
            let keys = all.of(&rows).map_err(failed)?;
            let key = |row| keys.as_ref().map(|keys| keys.row(row));
            let partitions: Vec<u32> =
                (0..split.count).map(|row| all.partition(key(row))).collect();
            (keys, partitions)
        };
        let build = |keep: &[bool]| {
            let mut batch = Batch::default();
            let lines = split.lines.split(|&b| b == b'\n').take(split.count);
            for (row, line) in lines.enumerate() {
                if keep.get(row).copied().unwrap_or(true) {
                    let id = ids.get(row).copied().unwrap_or(0);
                    let records = batch.records.entry(partitions[row]).or_default();
                    records.push(keys.as_ref().map(|keys| keys.row(row)), id, line);
                }
            }
            batch
        };
        let bytes = split.lines.len();
        let ticket = self.topic.append_unique(bytes, &ids, Pressure::Refuse, build);
        let ticket = ticket.map_err(refused)?;
        self.topic.wait(&ticket).map_err(refused)?;
        let accepted = split.count - ticket.duplicates;
        self.rows.fetch_add(accepted, Ordering::Relaxed);
        Ok(Accepted { accepted, duplicates: ticket.duplicates })
    }

    /// The ids of the events of the rows; zero for a row that has none.
    fn ids(&self, rows: &RecordBatch) -> rialto_engine::Result<Vec<u128>> {
        let Some(column) = self.id_column else { return Ok(Vec::new()) };
        let column = cast(rows.column(column), &DataType::Utf8)?;
        let Some(texts) = column.as_any().downcast_ref::<StringArray>() else {
            return Err(EngineError::Internal("a text is no text".into()));
        };
        Ok(texts.iter().map(|text| text.map_or(0, |t| id_of(t.as_bytes()))).collect())
    }
}

/// The rows of a request, if all of them are rows of the table.
fn decode(decoder: &mut dyn Decoder, split: &Split) -> Result<RecordBatch, Refused> {
    let mut bad = split.bad.clone();
    let known: HashSet<usize> = bad.iter().map(|b| b.index).collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 0);
    while at < split.lines.len() {
        let step = decoder.decode(&split.lines[at..], true, usize::MAX, &mut found);
        let step = step.map_err(Refused::Body)?;
        for record in found.drain(..) {
            let index = (line + record.line) as usize;
            if !known.contains(&index) {
                bad.push(BadRow { index, reason: shortened(record.reason) });
            }
        }
        if step.consumed == 0 {
            return Err(Refused::Body("the rows are too large to be taken at once".into()));
        }
        at += step.consumed;
        line += step.lines;
    }
    let rows = decoder.finish().map_err(|e| Refused::Failed(e.to_string()))?;
    if !bad.is_empty() {
        let (count, of) = (bad.len(), split.count);
        bad.sort_by_key(|b| b.index);
        bad.truncate(REASONS_MAX);
        return Err(Refused::Rows { reasons: bad, bad: count, rows: of });
    }
    if rows.num_rows() != split.count {
        let reason = format!("{} rows of {} could be read", rows.num_rows(), split.count);
        return Err(Refused::Body(reason));
    }
    Ok(rows)
}

/// A reason may quote what is wrong, and that may be long.
fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX).rev().find(|&end| reason.is_char_boundary(end));
        reason.truncate(end.unwrap_or(0));
        reason.push('…');
    }
    reason
}

fn refused(error: LogError) -> Refused {
    match error {
        LogError::Busy { .. } => Refused::Busy,
        LogError::TooLarge { .. } => Refused::Body(error.to_string()),
        LogError::Storage(inner) if inner.is_full() => Refused::Full(inner.to_string()),
        other => Refused::Failed(other.to_string()),
    }
}

/// What is guarded is whole between any two calls.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
