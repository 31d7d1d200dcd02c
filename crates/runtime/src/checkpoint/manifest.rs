//! One checkpoint as it is written.

use std::collections::VecDeque;

use rialto_engine::Digest;
use rialto_engine::executor::CircuitProgress;
use serde::{Deserialize, Serialize};

use crate::job::Summary;

/// Everything about a checkpoint but the state itself, and where that lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of the checkpoint, from 1.
    pub epoch: u64,
    /// The Rialto that wrote it.
    pub rialto: String,
    /// When it was taken, in epoch milliseconds.
    pub taken_ms: i64,
    /// How long the job stood still for it, in microseconds.
    pub pause_us: u64,
    /// How many bytes of state had changed.
    pub changed_bytes: u64,
    /// Whether the input had come to its end: there is nothing to go on with.
    pub finished: bool,
    /// How many shards there were.
    pub shards: usize,
    /// The nodes of the circuit, in order.
    pub nodes: Vec<Node>,
    /// The sources, in order.
    pub sources: Vec<Node>,
    /// Where the circuit stood.
    pub progress: CircuitProgress,
    /// What the job has done so far.
    pub summary: Summary,
    /// For each shard the objects that hold its state, oldest first.
    pub state: Vec<Vec<String>>,
    /// For the views the same.
    pub views: Vec<String>,
    /// The outputs, in order.
    pub outputs: Vec<OutputState>,
    /// How the input since the last checkpoint was cut into steps.
    #[serde(default)]
    pub cuts: Cuts,
}

impl Manifest {
    /// Whether a later run goes on from it: its input had not come to an end, or there is more.
    pub fn goes_on(&self, has_more: bool) -> bool {
        !self.finished || has_more
    }
}

/// A node of a circuit, or a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is, for people.
    pub name: String,
    /// What it does to what: nodes of equal identity can take over each other's state.
    pub identity: String,
    /// The number of the source, where the node is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<usize>,
}

/// What a checkpoint has of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputState {
    /// The name of the table, view or query.
    pub name: String,
    /// What the step is whose changes it takes.
    pub identity: String,
    /// What it shares its sources and operators with: outputs of the same generation.
    pub generation: u32,
    /// The object with what the sink needs to commit this epoch; none for a view, and for a sink
    /// that delivers beside the job.
    pub prepared: Option<String>,
    /// Of all its changes so far; none where an earlier Rialto began to write it.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// What was not known to be delivered, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingEpoch>,
}

/// So many cuts are kept of a checkpoint.
const CUTS_MAX: usize = 128;

/// The steps with rows since a checkpoint, the last ones of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cuts {
    /// How many earlier ones are left out.
    pub left_out: u64,
    /// The steps, in order.
    pub steps: VecDeque<Cut>,
}

/// What a step took in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The number of the step.
    pub step: u64,
    /// The step's clock, in epoch milliseconds.
    pub clock_ms: i64,
    /// How many rows each source gave.
    pub rows: Vec<u64>,
}

impl Cuts {
    /// Notes a step.
    pub fn add(&mut self, cut: Cut) {
        if self.steps.len() == CUTS_MAX {
            self.steps.pop_front();
            self.left_out += 1;
        }
        self.steps.push_back(cut);
    }
}

/// An epoch that a sink had not delivered when a checkpoint was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEpoch {
    /// The epoch, of this checkpoint or an earlier one.
    pub epoch: u64,
    /// The object with what the sink has prepared for it.
    pub object: String,
}
