//! What is kept of a circuit between two steps, and how it is given back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::source::Position;
use crate::state::{StatePart, TableImage};
use crate::{EngineError, Result, Watermark};

use super::input::ReaderCount;

/// Where a circuit stands, apart from its operators' state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The number of the last step.
    pub step: u64,
    /// The readers of each source.
    pub readers: Vec<Vec<ReaderProgress>>,
    /// The watermark of each node's output, in epoch milliseconds.
    pub watermarks: Vec<i64>,
}

/// Where a reader stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReaderProgress {
    /// Its position in its input.
    pub position: Position,
    /// Its watermark, in epoch milliseconds.
    pub watermark: i64,
    /// It has given a row.
    pub started: bool,
    /// It does not hold the table's watermark back.
    pub idle: bool,
    /// It has nothing more to give.
    pub ended: bool,
    /// The clock when it gave its last row, in epoch milliseconds.
    pub last_row_ms: Option<i64>,
    /// How many rows it has given.
    pub rows: u64,
    /// It reads beside the source.
    #[serde(default)]
    pub beside: bool,
}

/// What a checkpoint writes: where the circuit stands, and what changed in each shard since the
/// last one.
#[derive(Debug)]
pub struct Snapshot {
    /// Where the circuit stands.
    pub progress: Progress,
    /// The changed tables of each shard, by node.
    pub shards: Vec<Vec<(usize, Vec<TableImage>)>>,
}

/// The state of all operators of one shard, by node.
#[derive(Debug, Default)]
pub struct ShardState {
    nodes: BTreeMap<usize, StatePart>,
}

impl ShardState {
    /// Takes over the changed tables of a node, of a later checkpoint than all before.
    pub fn apply(&mut self, node: usize, tables: Vec<TableImage>) -> Result<()> {
        let part = self.nodes.entry(node).or_default();
        tables.into_iter().try_for_each(|table| part.apply(table))
    }

    /// Gives every node's state to the node that `to` says; without one it is let go.
    pub fn renumber(&mut self, to: impl Fn(usize) -> Option<usize>) {
        let nodes = std::mem::take(&mut self.nodes).into_iter();
        self.nodes = nodes.filter_map(|(node, part)| Some((to(node)?, part))).collect();
    }

    /// The state of a node.
    pub fn node(&self, node: usize) -> Option<&StatePart> {
        self.nodes.get(&node)
    }
}

/// What a circuit goes on from: the answer to the checkpoints of an earlier run.
#[derive(Debug, Default)]
pub struct Restored {
    /// Where the circuit stood.
    pub progress: Progress,
    /// The state of each shard. With another number of shards than now, keys are dealt anew.
    pub shards: Vec<ShardState>,
    /// Keys are dealt anew though there are as many shards: all state is then to be written again.
    pub dealt: bool,
    /// The sources that begin at their start, by number; none where it is empty.
    pub anew: Vec<bool>,
}

impl Restored {
    /// The readers' progress of a source with so many readers now: each gets the positions that it
    /// goes on from. The least watermark of those counts.
    pub(super) fn deal(&self, source: usize, readers: ReaderCount) -> Vec<Vec<&ReaderProgress>> {
        let mut dealt = vec![Vec::new(); readers.own + readers.beside];
        let (beside, own): (Vec<_>, Vec<_>) =
            self.progress.readers[source].iter().partition(|p| p.beside);
        let (first, second) = dealt.split_at_mut(readers.own);
        for (all, readers) in [(own, first), (beside, second)] {
            let count = readers.len().max(1);
            for (number, progress) in all.into_iter().enumerate() {
                // Where nothing is read beside the source any more, its position is let go.
                readers.get_mut(number % count).into_iter().for_each(|r| r.push(progress));
            }
        }
        dealt
    }

    /// Checks that this is the state of a circuit of this form.
    pub(super) fn check(&self, nodes: usize, sources: usize) -> Result<()> {
        let (kept, read) = (self.progress.watermarks.len(), self.progress.readers.len());
        if kept != nodes || read != sources {
            return Err(EngineError::State(format!(
                "it is of a plan of {kept} nodes and {read} sources, this one has {nodes} and \
                 {sources}"
            )));
        }
        Ok(())
    }

    /// The watermark of a node's output.
    pub(super) fn watermark(&self, node: usize) -> Watermark {
        Watermark(self.progress.watermarks[node])
    }
}
