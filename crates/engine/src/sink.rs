//! The contract of a sink.

use crate::{Delta, Result};

/// Where the deltas of an output go.
///
/// `write` buffers under the running epoch, `prepare` makes what was written ready, `commit` makes
/// it visible. Between the two the checkpoint becomes durable: what was prepared is not yet
/// promised, what is to be committed will be, whatever happens.
///
/// A job that goes on from a checkpoint calls `recover` before anything else, a job that begins
/// anew does not: what an earlier run has prepared and never committed is then no part of any
/// answer.
pub trait Sink: Send {
    /// Takes one step's change of the output, consolidated: no row appears with both signs.
    fn write(&mut self, delta: &Delta, step: u64) -> Result<()>;

    /// Makes everything written so far ready to be committed as `epoch`. What it answers is kept in
    /// the checkpoint, for [`Sink::recover`]: where the outside cannot keep what is prepared (a
    /// transaction that ends with its connection), that is the rows themselves.
    fn prepare(&mut self, epoch: u64) -> Result<Vec<u8>>;

    /// Makes `epoch` visible. Idempotent: called again for the same epoch it does nothing.
    fn commit(&mut self, epoch: u64) -> Result<()>;

    /// Goes on from a checkpoint: what it has `prepared` as `epoch` is committed if it is not yet,
    /// and whatever came later is undone.
    fn recover(&mut self, epoch: u64, prepared: &[u8]) -> Result<()>;
}
