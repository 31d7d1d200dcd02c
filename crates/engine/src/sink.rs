//! The contract of a sink.

use crate::{Delta, EngineError, Result};

/// Where the deltas of an output go.
///
/// `write` buffers under the running epoch, `prepare` makes what was written ready, `commit` makes
/// it visible. Between the two the checkpoint becomes durable: what was prepared is not yet
/// promised, what is to be committed will be, whatever happens.
///
/// A job that goes on from a checkpoint calls `recover` before anything else, a job that begins
/// anew does not: what an earlier run has prepared and never committed is then no part of any
/// answer.
///
/// A sink whose outside may be slow or away (another server) hands out a [`Committer`]. All that is
/// said to the outside is then the committer's, on a thread of its own; `write` and `prepare` only
/// gather, what `prepare` answers is all that the committer needs, and `commit` and `recover` of
/// the sink itself are never called. So such a sink holds back nothing but the sources it reads.
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

    /// What commits in the sink's place. Asked for once, before anything else.
    fn committer(&mut self) -> Option<Box<dyn Committer>> {
        None
    }
}

/// Makes what a sink has prepared visible, beside the running job: epoch after epoch, each when its
/// checkpoint is durable.
pub trait Committer: Send {
    /// Makes an epoch visible, from what [`Sink::prepare`] answered. Idempotent: what it left half
    /// done when it failed, or when the process ended, is completed by the next call and nothing
    /// is there twice.
    fn commit(&mut self, epoch: u64, prepared: &[u8]) -> Result<(), CommitError>;

    /// Called before anything else. From here on this process is the one that writes: whoever did
    /// before under the same identity is shut out, where the outside can do that.
    ///
    /// `pending` are the epochs that the checkpoint promises from which the job goes on, and of
    /// which it is not known that they are visible, oldest first; none where it begins anew. What
    /// of them is visible is left alone, the rest is committed; what came later is undone.
    fn recover(&mut self, pending: &[(u64, Vec<u8>)]) -> Result<(), CommitError> {
        pending.iter().try_for_each(|(epoch, prepared)| self.commit(*epoch, prepared))
    }
}

/// Why an epoch is not visible yet.
#[derive(Debug)]
pub enum CommitError {
    /// The outside is not there, or asks to wait: the same call is made again later.
    Away(EngineError),
    /// The outside will never take it: the job stops.
    Refused(EngineError),
}

impl From<CommitError> for EngineError {
    /// The reason, for whoever cannot wait.
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Away(reason) | CommitError::Refused(reason) => reason,
        }
    }
}
