//! What is kept of a job, so that a later run goes on from it.
//!
//! - `chain.rs`: the objects that a state is the sum of, and which of them to merge
//! - `change.rs`: what becomes of each part of a project that was edited
//! - `fit.rs`: which part of a checkpoint goes to which part of a job
//! - `keeper.rs`: takes them of a job, and gives them back to one
//! - `manifest.rs`: one checkpoint: where the job stood, and the objects that hold its state
//! - `merger.rs`: merges objects beside all that anybody waits for
//! - `object.rs`: the changed tables of a shard as bytes
//! - `store.rs`: checkpoints in a storage: written whole, found again, merged, let go
//! - `writer.rs`: writes them beside the running job
//!
//! A checkpoint is taken between two steps. The job hands over what has changed since the last one,
//! which is all that stops it, and steps on; a thread writes the objects, and then the manifest, by
//! which the checkpoint exists. Only then do the sinks make visible what they had prepared for it.
//! After a crash the newest whole manifest counts: positions, state, views and sinks are as they
//! were between the same two steps.

mod chain;
mod change;
mod fit;
mod keeper;
mod manifest;
mod merge;
mod merger;
mod object;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use change::{Change, ChangedInserts, Fate, Outline, OutputChange, Step};
pub(crate) use keeper::{Identity, Keeper, Still};
pub use manifest::{Cut, Cuts, Manifest, Node, OutputState, PendingEpoch};
pub use store::{CheckpointError, CheckpointStore, Found};

use std::time::Duration;

use crate::job::Summary;

/// While there is a backlog, so many intervals lie between two checkpoints, and so many times as
/// long as the last one took...
const BACKLOG_FACTOR: u32 = 10;
/// ...but no more than this, unless the interval is longer.
const BACKLOG_WAIT_MAX: Duration = Duration::from_secs(60);

/// What a job found of an earlier run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// The checkpoint that it goes on from.
    pub epoch: Option<u64>,
    /// What had been done until then.
    pub summary: Summary,
    /// Newer checkpoints that could not be used, and why.
    pub broken: Vec<String>,
}

/// How a job keeps checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointOptions {
    /// How much time lies between two of them.
    pub interval: Duration,
    /// The same while sources have more than a step takes, when checkpoints cost the most and are
    /// worth the least; zero: none are taken meanwhile. `None`: ten times the interval or ten times
    /// as long as the last one took, whichever is more, but a minute at most.
    pub interval_during_backlog: Option<Duration>,
    /// How many are kept.
    pub retained: usize,
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), interval_during_backlog: None, retained: 3 }
    }
}

impl CheckpointOptions {
    /// How much time lies between two checkpoints, where the last one took so long.
    fn wait(&self, has_backlog: bool, took: Duration) -> Duration {
        match self.interval_during_backlog {
            _ if !has_backlog => self.interval,
            Some(Duration::ZERO) => Duration::MAX,
            Some(interval) => interval,
            None => {
                let wait = self.interval.max(took).saturating_mul(BACKLOG_FACTOR);
                wait.min(BACKLOG_WAIT_MAX).max(self.interval)
            }
        }
    }
}
