//! Operators: one file each, all of the same shape.

pub mod aggregate;
pub mod clock_time;
pub mod consolidate;
mod emission;
mod event_time;
pub mod filter_project;
pub mod first_row;
pub mod join;
pub mod lookup_join;
pub mod match_recognize;
mod order;
pub mod over;
mod rows;
pub mod session;
pub mod set_operation;
pub mod temporal_join;
#[cfg(test)]
mod testing_rank;
pub mod top_n;
pub mod union;
pub mod unnest;
pub mod values;
pub mod window_assign;

pub use emission::Emission;
pub use order::SortColumn;

use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, Progress, Result, Watermark};

/// What an operator may know of the step it is in. It never reads a clock of its own.
#[derive(Debug)]
pub struct StepContext<'a> {
    /// The number of the step, from 1.
    pub step: u64,
    /// The step's one reading of the clock, in epoch milliseconds; recorded with the cut.
    pub clock_ms: i64,
    /// Which shard this instance is, and of how many.
    pub shard: usize,
    /// How many shards there are.
    pub shards: usize,
    /// The movement of each input's watermark.
    pub inputs: &'a [Progress],
    /// Rows that came too late for this operator; counted and readable, never silently lost.
    pub late: &'a mut Deltas,
}

impl StepContext<'_> {
    /// The watermark of all inputs together when the step's rows are in.
    pub fn watermark(&self) -> Watermark {
        self.inputs.iter().map(|p| p.after).min().unwrap_or(Watermark::MAX)
    }

    /// The watermark of all inputs together when the step began.
    pub fn watermark_before(&self) -> Watermark {
        self.inputs.iter().map(|p| p.before).min().unwrap_or(Watermark::MAX)
    }

    /// Hands over rows that came too late.
    pub fn report_late(&mut self, rows: Delta) {
        if !rows.is_empty() {
            self.late.push(rows);
        }
    }
}

/// A node of a circuit: takes the step's deltas of its inputs, answers the change of its output.
///
/// An operator is written as if single-threaded: every shard runs an instance of its own over the
/// rows whose keys belong to it. It is called once in every step, also when nothing came in, so
/// that it sees the watermark and the clock move.
pub trait Operator: Send {
    /// Takes the deltas of each input and gives the delta of the output.
    ///
    /// After the call, the sum of all outputs so far equals the operator's batch answer over the
    /// sum of all inputs so far (for event-time operators: over what is not late).
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas>;

    /// The watermark of the output, given those of the inputs and the step's clock. Must be a pure
    /// function of them, so that all shards agree.
    fn watermark(&self, inputs: &[Watermark], _clock_ms: i64) -> Watermark {
        inputs.iter().copied().min().unwrap_or(Watermark::MAX)
    }

    /// How many rows, groups or entries the state holds, for metrics and `EXPLAIN`.
    fn state_rows(&self) -> usize {
        0
    }

    /// How much memory that is, in bytes: the columns, tables and vectors that it lies in, by their
    /// capacity. What is kept in small pieces (values under `MIN` and the like where rows are taken
    /// back, ordered partitions) is not walked for it, and not counted. Cheap: asked once a second.
    fn state_bytes(&self) -> usize {
        0
    }

    /// Writes what has changed since it wrote last; everything, the first time. Called between two
    /// of its steps, for a checkpoint or ahead of one. Not provided: an operator that keeps nothing
    /// says so.
    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()>;

    /// Takes over the state of a checkpoint. Called before the first step.
    fn restore(&mut self, from: &StateReader<'_>) -> Result<()>;
}
