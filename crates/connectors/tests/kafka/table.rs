//! Tables over the broker: what a test reads and writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use rialto_connectors::{Environment, TableSpec};
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader};

use crate::broker::Broker;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub const TIMESTAMP_LTZ: fn() -> DataType =
    || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));

/// A table of the connector `kafka` that is read from its beginning, as JSON.
pub fn table(broker: &Broker, topic: &str, columns: &[(&str, DataType)]) -> TableSpec {
    of(broker, "kafka", topic, columns)
        .option_set("format", "json")
        .option_set("scan.startup.mode", "earliest-offset")
}

/// A table of a connector without a format.
pub fn of(
    broker: &Broker,
    connector: &str,
    topic: &str,
    columns: &[(&str, DataType)],
) -> TableSpec {
    let fields: Vec<Field> =
        columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect();
    TableSpec::new(
        "t",
        Arc::new(Schema::new(fields)),
        [
            ("connector", connector),
            ("topic", topic),
            ("properties.bootstrap.servers", &broker.bootstrap),
        ],
    )
}

pub trait SpecExt: Sized {
    /// Sets an option.
    fn option_set(self, name: &str, value: &str) -> Self;
    /// Ends at the present end.
    fn bounded(self) -> Self {
        self.option_set("scan.bounded.mode", "latest-offset")
    }
    /// Reads a metadata column.
    fn with_metadata(self, key: &str, data_type: DataType) -> Self;
}

impl SpecExt for TableSpec {
    fn option_set(mut self, name: &str, value: &str) -> Self {
        self.options.retain(|(known, _)| known != name);
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    fn with_metadata(mut self, key: &str, data_type: DataType) -> Self {
        self.metadata.push((key.to_owned(), Field::new(format!("m_{key}"), data_type, true)));
        self
    }
}

/// What was read of a table.
#[derive(Default)]
pub struct Input {
    pub readers: Vec<Box<dyn Reader>>,
    pub deltas: Vec<Delta>,
    pub dead: Vec<DeadLetter>,
    ended: Vec<bool>,
}

impl Input {
    pub fn open(spec: &TableSpec, parallelism: usize) -> Self {
        Self::try_open(spec, parallelism).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn try_open(spec: &TableSpec, parallelism: usize) -> Result<Self, EngineError> {
        let source = rialto_connectors::source(spec, &Environment::new("."))?;
        let readers = source.readers(parallelism)?;
        let ended = vec![false; readers.len()];
        Ok(Self { readers, ended, ..Self::default() })
    }

    /// Opens a table and goes on from positions.
    pub fn resume(spec: &TableSpec, parallelism: usize, positions: &[Position]) -> Self {
        let mut input = Self::open(spec, parallelism);
        let count = input.readers.len();
        for (at, position) in positions.iter().enumerate() {
            input.readers[at % count].seek(position).unwrap();
        }
        input
    }

    /// Polls every reader once.
    pub fn poll(&mut self, rows_max: usize) -> Result<usize, EngineError> {
        let mut rows = 0;
        for (reader, ended) in self.readers.iter_mut().zip(&mut self.ended) {
            match reader.poll(rows_max)? {
                Poll::Rows(delta) => {
                    rows += delta.num_rows();
                    self.deltas.push(delta);
                }
                Poll::Idle => {}
                Poll::End => *ended = true,
            }
            self.dead.append(&mut reader.take_dead_letters());
        }
        Ok(rows)
    }

    /// Reads to the end of a bounded table.
    pub fn to_end(mut self) -> Self {
        let since = Instant::now();
        while !self.ended.iter().all(|&e| e) {
            if self.poll(1000).unwrap_or_else(|e| panic!("{e}")) == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            assert!(since.elapsed() < PATIENCE, "no end after {} rows", self.rows());
        }
        self
    }

    /// Reads until so many rows were read in all.
    pub fn until(&mut self, rows: usize) -> &mut Self {
        let since = Instant::now();
        while self.rows() < rows {
            if self.poll(1000).unwrap_or_else(|e| panic!("{e}")) == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
            assert!(since.elapsed() < PATIENCE, "{} rows of {rows}", self.rows());
        }
        self
    }

    /// Reads until it fails.
    pub fn failure(&mut self) -> String {
        let since = Instant::now();
        loop {
            match self.poll(1000) {
                Err(error) => return error.to_string(),
                Ok(_) => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(since.elapsed() < PATIENCE, "it does not fail ({} rows)", self.rows());
        }
    }

    pub fn rows(&self) -> usize {
        self.deltas.iter().map(Delta::num_rows).sum()
    }

    pub fn positions(&self) -> Vec<Position> {
        self.readers.iter().map(|r| r.position()).collect()
    }

    /// The rows as text, sorted; those that are taken back cancel out.
    pub fn net(&self) -> Vec<String> {
        let mut counts = std::collections::BTreeMap::<String, i64>::new();
        for delta in &self.deltas {
            for row in 0..delta.num_rows() {
                *counts.entry(text(delta.batch(), row)).or_default() += delta.weight(row);
            }
        }
        let mut rows = Vec::new();
        for (row, count) in counts {
            assert!(count >= 0, "{row} was taken back more often than it came");
            rows.extend((0..count).map(|_| row.clone()));
        }
        rows
    }

    /// The rows as text, in the order in which they came.
    pub fn in_order(&self) -> Vec<String> {
        let rows = |d: &Delta| (0..d.num_rows()).map(|r| text(d.batch(), r)).collect::<Vec<_>>();
        self.deltas.iter().flat_map(rows).collect()
    }
}

/// A row as `1|a|NULL`.
pub fn text(batch: &RecordBatch, row: usize) -> String {
    let value = |column: &Arc<dyn Array>| match column.is_null(row) {
        true => "NULL".to_owned(),
        false => arrow::util::display::array_value_to_string(column, row).unwrap(),
    };
    batch.columns().iter().map(value).collect::<Vec<_>>().join("|")
}
