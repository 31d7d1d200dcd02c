//! The contract of a source.

use arrow::datatypes::SchemaRef;

use crate::expr::Expression;
use crate::{Delta, Result};

/// Where a reader stands, as data that can be kept and given back to [`Reader::seek`].
pub type Position = serde_json::Value;

/// A table's input. Made by a connector, read through one [`Reader`] a shard.
pub trait Source: Send {
    /// The columns that a reader produces.
    fn schema(&self) -> SchemaRef;

    /// Whether the input ends by itself.
    fn is_bounded(&self) -> bool;

    /// Up to `parallelism` readers that share the work among themselves. Each has a watermark of
    /// its own; the table's watermark is the least of them.
    fn readers(&self, parallelism: usize) -> Result<Vec<Box<dyn Reader>>>;
}

/// What a poll found.
#[derive(Debug)]
pub enum Poll {
    /// Some rows.
    Rows(Delta),
    /// Nothing now; more may come.
    Idle,
    /// Nothing, and nothing will come.
    End,
}

/// Reads one share of a source.
pub trait Reader: Send {
    /// Up to about `rows_max` rows; never blocks for long.
    fn poll(&mut self, rows_max: usize) -> Result<Poll>;

    /// The position after the last poll.
    fn position(&self) -> Position;

    /// Goes on from a position that [`Reader::position`] gave.
    fn seek(&mut self, position: &Position) -> Result<()>;

    /// The records that could not be decoded since the last call.
    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        Vec::new()
    }

    /// Where something else than its rows says so: the moment before which, in epoch milliseconds,
    /// no row will come any more. It holds for what is polled from now on.
    fn watermark(&self) -> Option<i64> {
        None
    }

    /// Whether a part of the source is its own in which rows may come at any time, such as a
    /// partition. Its first rows are waited for a while, before the watermark goes on without it.
    fn has_share(&self) -> bool {
        false
    }

    /// What it reads now, for people: a file, partitions. Asked about twice a second.
    fn reads(&self) -> Option<String> {
        None
    }

    /// How many bytes it has read so far in this run; none where it does not count them.
    fn bytes_read(&self) -> Option<u64> {
        None
    }

    /// Whether it reads beside the source: records that were refused and are sent again. Its rows
    /// move no watermark and are judged against the table's, it holds none back, it is asked again
    /// after it had nothing, and nobody waits for more from it.
    fn is_beside(&self) -> bool {
        false
    }

    /// Where the rows of the last poll are from, where all are of one record that has a name.
    fn place(&self) -> Option<String> {
        None
    }
}

/// A record that could not be decoded or used: kept, so that it can be looked at and sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was found: a file and line, a partition and offset.
    pub position: String,
    /// Why it could not be used.
    pub reason: String,
    /// The record as it was.
    pub bytes: Vec<u8>,
    /// What stood beside it, by the names that the connector has for it, as an object: as far as
    /// the table reads it and the position does not say it. Given back with the record when that is
    /// sent again.
    pub beside: Option<serde_json::Value>,
}

/// What the engine does with a reader's rows before they enter the circuit.
#[derive(Debug, Clone, Default)]
pub struct SourceInput {
    /// Computed columns: the columns of the table, from those that the reader produces.
    pub projection: Option<Projection>,
    /// Event time, where the table declares it.
    pub watermark: Option<WatermarkStrategy>,
}

/// Expressions and the schema of their results.
#[derive(Debug, Clone)]
pub struct Projection {
    /// One expression a column.
    pub expressions: Vec<Expression>,
    /// The columns that they produce.
    pub schema: SchemaRef,
}

/// How a table's watermark follows its rows.
#[derive(Debug, Clone)]
pub struct WatermarkStrategy {
    /// The table's event-time column.
    pub column: usize,
    /// The watermark that a row implies (`ts - INTERVAL '5' SECOND`), over the table's columns.
    pub expression: Expression,
    /// After this long without a row, a reader no longer holds the table's watermark back.
    pub idle_timeout_ms: Option<i64>,
    /// A row whose time lies further ahead of the clock than this does not move the watermark.
    pub ahead_max_ms: Option<i64>,
    /// A reader whose watermark is further ahead of the slowest reader of the table waits.
    pub drift_max_ms: Option<i64>,
    /// Whether a row without a time stops the job. Otherwise it becomes a dead letter.
    pub null_fails: bool,
}
