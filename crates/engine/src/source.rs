//! The contract of a source.

use arrow::datatypes::SchemaRef;

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
}

/// A record that could not be decoded: kept, so that it can be looked at and sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was found: a file and line, a partition and offset.
    pub position: String,
    /// Why it could not be decoded.
    pub reason: String,
    /// The record as it was.
    pub bytes: Vec<u8>,
}
