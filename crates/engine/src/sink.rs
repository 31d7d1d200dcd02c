//! The contract of a sink.

use crate::{Delta, Result};

/// Where the deltas of an output go.
///
/// `write` buffers under the running epoch, `prepare` makes what was written ready, `commit` makes
/// it visible. `commit` may be called again for the same epoch and must then do nothing.
pub trait Sink: Send {
    /// Takes one step's change of the output, consolidated: no row appears with both signs.
    fn write(&mut self, delta: &Delta, step: u64) -> Result<()>;

    /// Makes everything written so far ready to be committed as `epoch`.
    fn prepare(&mut self, epoch: u64) -> Result<()>;

    /// Makes `epoch` visible. Idempotent.
    fn commit(&mut self, epoch: u64) -> Result<()>;
}
