//! A memory connector that gives to each step exactly the rows that the test wants in it.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use rialto_engine::{Delta, Poll, Position, Reader, Result, Source};
use rialto_sql::error::SqlError;
use rialto_sql::step::{Connect, ScanTable};

use crate::data::{Input, Row, Table};

/// All changes of a table in order, and how many of them may be read by now.
struct Log {
    rows: RecordBatch,
    weights: Option<Vec<i64>>,
    /// Changes of equal rows are in one split, or they might overtake each other.
    hashes: Vec<u64>,
    available: usize,
    ended: bool,
}

impl Log {
    fn new(table: &Table, changes: &[(&Row, i64)]) -> Self {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let weights = changes.iter().map(|(_, weight)| *weight).collect();
        Self {
            rows: table.batch(changes.iter().map(|(row, _)| *row)),
            weights: table.changelog.then_some(weights),
            hashes: changes.iter().map(|(row, _)| hasher.hash_one(row)).collect(),
            available: 0,
            ended: false,
        }
    }
}

/// The tables of a case as sources.
pub struct Feed {
    logs: HashMap<String, Arc<Mutex<Log>>>,
    /// How many splits a table has at most.
    splits: usize,
}

impl Feed {
    pub fn new(input: &Input, splits: usize) -> Self {
        let log = |(at, table): (usize, &Table)| {
            let changes = input.steps.iter().flatten().filter(|c| c.table == at);
            let changes: Vec<(&Row, i64)> = changes.map(|c| (&c.row, c.weight)).collect();
            (table.name.clone(), Arc::new(Mutex::new(Log::new(table, &changes))))
        };
        Self { logs: input.tables.iter().enumerate().map(log).collect(), splits }
    }

    /// Lets the next step read `rows` more changes of a table.
    pub fn release(&self, table: &str, rows: usize) {
        self.logs[table].lock().unwrap().available += rows;
    }

    /// Says that nothing more will come.
    pub fn end(&self) {
        self.logs.values().for_each(|log| log.lock().unwrap().ended = true);
    }
}

impl Connect for Feed {
    fn source(&self, scan: &ScanTable<'_>) -> std::result::Result<Box<dyn Source>, SqlError> {
        let log = Arc::clone(&self.logs[&scan.table.path.object]);
        let schema = Arc::new(scan.physical.project(&scan.projection).expect("known columns"));
        let (projection, splits) = (scan.projection.clone(), self.splits);
        Ok(Box::new(FeedSource { log, schema, projection, splits, of: OnceLock::new() }))
    }
}

struct FeedSource {
    log: Arc<Mutex<Log>>,
    schema: SchemaRef,
    projection: Vec<usize>,
    splits: usize,
    /// How many readers there are: also after a restart with another number of shards.
    of: OnceLock<usize>,
}

impl Source for FeedSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn is_bounded(&self) -> bool {
        false
    }

    fn readers(&self, parallelism: usize) -> Result<Vec<Box<dyn Reader>>> {
        let of = *self.of.get_or_init(|| self.splits.min(parallelism).max(1));
        let reader = |split| FeedReader {
            log: Arc::clone(&self.log),
            projection: self.projection.clone(),
            split: split as u64,
            of: of as u64,
            at: 0,
        };
        Ok((0..of).map(|split| Box::new(reader(split)) as Box<dyn Reader>).collect())
    }
}

struct FeedReader {
    log: Arc<Mutex<Log>>,
    projection: Vec<usize>,
    split: u64,
    of: u64,
    at: usize,
}

impl Reader for FeedReader {
    fn poll(&mut self, _rows_max: usize) -> Result<Poll> {
        let log = self.log.lock().unwrap();
        let mine = |row: &usize| log.hashes[*row] % self.of == self.split;
        let rows: Vec<usize> = (self.at..log.available).filter(mine).collect();
        self.at = log.available;
        if rows.is_empty() {
            return Ok(if log.ended { Poll::End } else { Poll::Idle });
        }
        let batch = log.rows.project(&self.projection)?;
        let delta = match &log.weights {
            Some(weights) => Delta::weighted(batch, Int64Array::from(weights.clone())),
            None => Delta::insert_only(batch),
        };
        let rows = UInt32Array::from_iter_values(rows.iter().map(|&row| row as u32));
        Ok(Poll::Rows(delta.take(&rows)?))
    }

    fn position(&self) -> Position {
        self.at.into()
    }

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.at = position.as_u64().unwrap_or_default() as usize;
        Ok(())
    }
}
