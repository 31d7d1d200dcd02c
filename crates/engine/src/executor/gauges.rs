//! What a circuit in motion tells of itself, to be read while it runs.
//!
//! Every shard writes numbers of its own, those of a node by one thread at a time, without a lock
//! and without waiting for anybody; whoever looks adds them up. The times are those of one reading
//! of the clock a node and step; the sizes of states are asked for once in a while.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Operator;
use crate::circuit::{Circuit, NodeKind};

use super::input::{InputTable, ReaderInput};

/// How often the sizes of states, and what readers read, are looked at.
const LOOK_INTERVAL_NS: u64 = 500_000_000;

/// A clock that only goes on, in nanoseconds from some moment. It comes from outside: the engine
/// reads none, and what this one says is told and never acted upon.
pub type Clock = fn() -> u64;

/// The figures of a running circuit. What is read is a moment's, and each number is whole; two
/// numbers may be of two steps.
#[derive(Debug)]
pub struct Gauges {
    nodes: Vec<(String, NodeRole)>,
    shards: Vec<Arc<ShardGauges>>,
    table: Arc<InputTable>,
}

/// What kind of node it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// A source, by number: its time is that of reading, decoding and its watermark.
    Source(usize),
    /// An operator.
    Operator,
    /// An exchange between shards.
    Exchange,
    /// An output of the circuit.
    Output,
}

/// One shard's figures.
#[derive(Debug)]
pub(super) struct ShardGauges {
    nodes: Vec<NodeGauge>,
    steps_ns: AtomicU64,
    waits_ns: AtomicU64,
    /// By source and number of the reader.
    readers: Mutex<Vec<(usize, usize, ReaderWords)>>,
}

#[derive(Debug, Default)]
struct NodeGauge {
    busy_ns: AtomicU64,
    rows: AtomicU64,
    state_rows: AtomicU64,
    state_bytes: AtomicU64,
}

/// What a reader says of itself.
#[derive(Debug, Default, Clone)]
struct ReaderWords {
    reads: Option<String>,
    bytes: Option<u64>,
}

/// The figures of a node, of all shards together.
#[derive(Debug, Clone)]
pub struct NodeFigures {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: NodeRole,
    /// How long it has worked.
    pub busy: Duration,
    /// How many rows it has given.
    pub rows: u64,
    /// Rows, groups or entries of its state, and how many bytes they take: [`Operator::state_rows`]
    /// and [`Operator::state_bytes`].
    pub state_rows: u64,
    /// The bytes of its state.
    pub state_bytes: u64,
}

/// The figures of a reader of a source.
#[derive(Debug, Clone)]
pub struct ReaderFigures {
    /// Its watermark, in epoch milliseconds.
    pub watermark: i64,
    /// It has given a row.
    pub started: bool,
    /// It does not hold the table's watermark back.
    pub idle: bool,
    /// It has nothing more to give.
    pub ended: bool,
    /// How many rows it has given.
    pub rows: u64,
    /// When it gave its last row, in epoch milliseconds.
    pub last_row_ms: Option<i64>,
    /// What it reads, in words.
    pub reads: Option<String>,
    /// How many bytes it has read, where it counts them.
    pub bytes: Option<u64>,
}

impl Gauges {
    pub(super) fn new(circuit: &Circuit, shards: usize, table: &Arc<InputTable>) -> Self {
        let role = |kind: &NodeKind| match kind {
            NodeKind::Source(source) => NodeRole::Source(source.0),
            NodeKind::Operator(_) => NodeRole::Operator,
            NodeKind::Exchange(_) => NodeRole::Exchange,
            NodeKind::Output(_) => NodeRole::Output,
        };
        let nodes = circuit.nodes.iter().map(|node| (node.name.clone(), role(&node.kind)));
        let nodes: Vec<(String, NodeRole)> = nodes.collect();
        let shard = |_| Arc::new(ShardGauges::new(nodes.len()));
        let shards = (0..shards).map(shard).collect();
        Self { nodes, shards, table: Arc::clone(table) }
    }

    pub(super) fn shard(&self, shard: usize) -> Arc<ShardGauges> {
        Arc::clone(&self.shards[shard])
    }

    /// The figures of every node, in order.
    pub fn nodes(&self) -> Vec<NodeFigures> {
        let of = |(at, (name, role)): (usize, &(String, NodeRole))| {
            let sum = |what: fn(&NodeGauge) -> &AtomicU64| -> u64 {
                self.shards.iter().map(|shard| what(&shard.nodes[at]).load(Relaxed)).sum()
            };
            NodeFigures {
                name: name.clone(),
                role: *role,
                busy: Duration::from_nanos(sum(|n| &n.busy_ns)),
                rows: sum(|n| &n.rows),
                state_rows: sum(|n| &n.state_rows),
                state_bytes: sum(|n| &n.state_bytes),
            }
        };
        self.nodes.iter().enumerate().map(of).collect()
    }

    /// The readers of each source that read its own input, in order.
    pub fn readers(&self) -> Vec<Vec<ReaderFigures>> {
        let mut sources = self.table.figures();
        for shard in &self.shards {
            let words = shard.readers.lock().unwrap_or_else(PoisonError::into_inner);
            for (source, reader, words) in words.iter() {
                let readers = sources.get_mut(*source);
                if let Some(figures) = readers.and_then(|readers| readers.get_mut(*reader)) {
                    figures.reads.clone_from(&words.reads);
                    figures.bytes = words.bytes;
                }
            }
        }
        sources
    }

    /// How long all shards together have been in steps.
    pub fn steps(&self) -> Duration {
        let of = |shard: &Arc<ShardGauges>| shard.steps_ns.load(Relaxed);
        Duration::from_nanos(self.shards.iter().map(of).sum())
    }

    /// How much of that they have waited for one another.
    pub fn waits(&self) -> Duration {
        let of = |shard: &Arc<ShardGauges>| shard.waits_ns.load(Relaxed);
        Duration::from_nanos(self.shards.iter().map(of).sum())
    }
}

impl ShardGauges {
    fn new(nodes: usize) -> Self {
        let mut gauges = Vec::new();
        gauges.resize_with(nodes, NodeGauge::default);
        let (steps_ns, waits_ns) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { nodes: gauges, steps_ns, waits_ns, readers: Mutex::default() }
    }
}

/// Adds to a number that has one writer: what a worker has is its own.
fn add(to: &AtomicU64, more: u64) {
    to.store(to.load(Relaxed).wrapping_add(more), Relaxed);
}

/// A thread's watch: from one reading of the clock to the next. Without a clock no time passes.
#[derive(Clone)]
pub(super) struct Watch {
    clock: Clock,
    gauges: Arc<ShardGauges>,
    /// When the last reading was, and of the time since then what was spent waiting for others.
    last_ns: u64,
    waited_ns: u64,
    began_ns: u64,
    looked_ns: Option<u64>,
}

impl Watch {
    pub fn new(gauges: Arc<ShardGauges>, clock: Clock) -> Self {
        Self { clock, gauges, last_ns: 0, waited_ns: 0, began_ns: 0, looked_ns: None }
    }

    /// A step begins.
    pub fn begin(&mut self) {
        self.last_ns = (self.clock)();
        self.began_ns = self.last_ns;
        self.waited_ns = 0;
    }

    /// What was before now was nobody's work.
    pub fn resume(&mut self) {
        self.last_ns = (self.clock)();
        self.waited_ns = 0;
    }

    /// What was done since the last reading was a node's work.
    pub fn node(&mut self, node: usize, rows: usize) {
        let now_ns = (self.clock)();
        let gauge = &self.gauges.nodes[node];
        let spent = now_ns.saturating_sub(self.last_ns);
        add(&gauge.busy_ns, spent.saturating_sub(self.waited_ns));
        if rows > 0 {
            add(&gauge.rows, rows as u64);
        }
        self.last_ns = now_ns;
        self.waited_ns = 0;
    }

    /// Waits with `wait` for the other shards, which is nobody's work.
    pub fn wait(&mut self, wait: impl FnOnce()) {
        let from_ns = (self.clock)();
        wait();
        let waited_ns = (self.clock)().saturating_sub(from_ns);
        self.waited_ns += waited_ns;
        add(&self.gauges.waits_ns, waited_ns);
    }

    /// The step has ended. Answers whether it is time to look at the states.
    pub fn end(&mut self) -> bool {
        let now_ns = (self.clock)();
        add(&self.gauges.steps_ns, now_ns.saturating_sub(self.began_ns));
        let due = self.looked_ns.is_none_or(|at| now_ns.saturating_sub(at) >= LOOK_INTERVAL_NS);
        if due {
            self.looked_ns = Some(now_ns);
        }
        due
    }

    /// Notes the size of an operator's state.
    pub fn state(&self, node: usize, operator: &dyn Operator) {
        let gauge = &self.gauges.nodes[node];
        gauge.state_rows.store(operator.state_rows() as u64, Relaxed);
        gauge.state_bytes.store(operator.state_bytes() as u64, Relaxed);
    }

    /// Notes what this shard's readers read.
    pub fn readers(
        &self,
        sources: impl Iterator<Item = impl std::ops::Deref<Target = Vec<ReaderInput>>>,
    ) {
        let mut words = Vec::new();
        for (source, readers) in sources.enumerate() {
            words.extend(readers.iter().map(|reader| {
                let (reads, bytes) = reader.words();
                (source, reader.id(), ReaderWords { reads, bytes })
            }));
        }
        *self.gauges.readers.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}
