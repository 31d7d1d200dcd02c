//! Rows that a test gives to tables instead of their connectors.
//!
//! A test is a sequence of arrivals over all tables. Whoever runs it shows as many of them as a
//! step shall take; readers give what is shown, in order, and a watermark where the test has one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader, Source};
use serde_json::{Map, Value, json};

use crate::changelog::RowKind;
use crate::error::{ConnectorError, Result};
use crate::format::{Decoder, ReadColumns, json as json_format};
use crate::options::Options;
use crate::spec::TableSpec;

/// The member of a row that says which change it is.
pub const OP: &str = "$op";

/// Something that arrives at a table.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The table.
    pub table: String,
    /// What arrives.
    pub what: Arrived,
}

/// What arrives at a table.
#[derive(Debug, Clone)]
pub enum Arrived {
    /// A row, by the names of its columns.
    Row(Map<String, Value>),
    /// Nothing before this moment will come any more, in epoch milliseconds.
    Watermark(i64),
}

/// What a test gives.
#[derive(Debug)]
pub struct Given {
    arrivals: Vec<Arrival>,
    /// Whether the input ends behind the last arrival.
    ends: bool,
    /// So many arrivals are there by now.
    shown: AtomicUsize,
}

impl Given {
    /// Nothing of it is shown yet.
    pub fn new(arrivals: Vec<Arrival>, ends: bool) -> Self {
        Self { arrivals, ends, shown: AtomicUsize::new(0) }
    }

    /// Shows the first arrivals, so many in all.
    pub fn show(&self, arrivals: usize) {
        self.shown.store(arrivals, Ordering::Release);
    }

    /// All of it, shown or not.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// How many arrivals there are in all.
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// A table as a source of what is given to it.
    pub(crate) fn source(self: &Arc<Self>, spec: &TableSpec) -> Result<Box<dyn Source>> {
        let schema = spec.read_schema()?;
        let table = Table { name: spec.name.clone(), schema };
        table.decoder()?;
        Ok(Box::new(GivenSource { given: Arc::clone(self), table }))
    }
}

/// Rows of JSON as a batch. A column that no row names is NULL.
pub fn rows(schema: &SchemaRef, rows: &[Map<String, Value>]) -> Result<RecordBatch> {
    let mut decoder = decoder("expected", schema)?;
    for row in rows {
        let text = Value::Object(row.clone()).to_string();
        decoder.decode_record(text.as_bytes()).map_err(|reason| {
            ConnectorError::new(format!("the row {text} cannot be read")).detail(reason)
        })?;
    }
    decoder.finish().map_err(|e| ConnectorError::new(e.to_string()))
}

fn decoder(table: &str, schema: &SchemaRef) -> Result<Box<dyn Decoder>> {
    let spec = TableSpec::new(table, Arc::clone(schema), [("format", "json")]);
    (json_format::FORMAT.decoder)(&Options::new(&spec), ReadColumns::all(schema))
}

#[derive(Debug, Clone)]
struct Table {
    name: String,
    /// What a reader produces.
    schema: SchemaRef,
}

impl Table {
    fn decoder(&self) -> Result<Box<dyn Decoder>> {
        decoder(&self.name, &self.schema)
    }
}

struct GivenSource {
    given: Arc<Given>,
    table: Table,
}

impl Source for GivenSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.schema)
    }

    fn is_bounded(&self) -> bool {
        self.given.ends
    }

    /// One: rows arrive in the order in which they are given.
    fn readers(&self, _: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let decoder = self.table.decoder()?;
        let (given, table) = (Arc::clone(&self.given), self.table.clone());
        let letters = Vec::new();
        Ok(vec![Box::new(GivenReader { given, table, decoder, at: 0, watermark: None, letters })])
    }
}

struct GivenReader {
    given: Arc<Given>,
    table: Table,
    decoder: Box<dyn Decoder>,
    /// The next arrival, of those of all tables.
    at: usize,
    watermark: Option<i64>,
    letters: Vec<DeadLetter>,
}

impl GivenReader {
    /// The weight of a row; none, where it is a bad one.
    fn take(&mut self, row: &Map<String, Value>) -> Option<i64> {
        let mut row = row.clone();
        let op = row.shift_remove(OP);
        let kind = op.as_ref().and_then(Value::as_str).and_then(RowKind::of);
        let weight = if kind.is_some_and(RowKind::retracts) { -1 } else { 1 };
        let text = Value::Object(row).to_string();
        match self.decoder.decode_record(text.as_bytes()) {
            Ok(()) => Some(weight),
            Err(reason) => {
                let position = format!("arrival {}", self.at + 1);
                let bytes = text.into_bytes();
                self.letters.push(DeadLetter { position, reason, bytes, beside: None });
                None
            }
        }
    }
}

impl Reader for GivenReader {
    /// Ends behind a watermark: the rows behind that have to be judged by it.
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        let given = Arc::clone(&self.given);
        let shown = given.shown.load(Ordering::Acquire).min(given.arrivals.len());
        let mut weights = Vec::new();
        while self.at < shown && weights.len() < rows_max {
            let arrival = &given.arrivals[self.at];
            let is_mine = arrival.table == self.table.name;
            match &arrival.what {
                Arrived::Row(row) if is_mine => weights.extend(self.take(row)),
                Arrived::Watermark(moment) if is_mine => self.watermark = Some(*moment),
                _ => {}
            }
            self.at += 1;
            if is_mine && matches!(arrival.what, Arrived::Watermark(_)) {
                break;
            }
        }
        if !weights.is_empty() {
            let rows = self.decoder.finish()?;
            return Ok(Poll::Rows(match weights.iter().all(|&w| w == 1) {
                true => Delta::insert_only(rows),
                false => Delta::weighted(rows, Int64Array::from(weights)),
            }));
        }
        let ended = given.ends && self.at == given.arrivals.len();
        Ok(if ended { Poll::End } else { Poll::Idle })
    }

    fn position(&self) -> Position {
        json!({ "at": self.at })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        let at = position["at"].as_u64().and_then(|at| usize::try_from(at).ok());
        self.at = at.ok_or_else(|| EngineError::Internal(format!("no position: {position}")))?;
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.letters)
    }

    fn watermark(&self) -> Option<i64> {
        self.watermark
    }
}
