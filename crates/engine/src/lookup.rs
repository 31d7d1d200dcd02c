//! The contract of a table that is asked for the rows of keys while the job runs.

use std::fmt;

use arrow::array::{ArrayRef, RecordBatch};

use crate::Result;

/// A table outside that can be asked for rows by key. Made by a connector, asked through one
/// [`Lookup`] a shard.
pub trait LookupTable: fmt::Debug + Send + Sync {
    /// How long answers may be kept; `None`: every step asks anew.
    fn cache(&self) -> Option<CacheLimits>;

    /// Makes one that asks. Called once a shard, when the job starts.
    fn open(&self) -> Result<Box<dyn Lookup>>;
}

/// Asks a table for rows.
pub trait Lookup: Send {
    /// All rows that the table has now of the given keys: an array for each key column, with no
    /// null, a key in each place. Rows of other keys may be among the answer, and are left out by
    /// whoever asks. It waits for the outside, and so does the step.
    fn find(&mut self, keys: &[ArrayRef]) -> Result<RecordBatch>;
}

/// What is kept of the answers of a table, by the clock of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// So many rows in all shards; a key without a row counts as one. Those that were not needed
    /// for the longest time go first.
    pub rows_max: Option<u64>,
    /// A key is asked for anew so long after it was.
    pub expire_after_write_ms: Option<i64>,
    /// A key that nobody needs for so long is forgotten.
    pub expire_after_access_ms: Option<i64>,
    /// Whether it is kept that a key has no row.
    pub missing: bool,
}
