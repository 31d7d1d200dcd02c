//! One shard's instances of all nodes, and what flows between them in a step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::circuit::{Circuit, NodeKind, Partitioning};
use crate::operator::StepContext;
use crate::state::{StatePart, StateReader, StateWriter, TableImage};
use crate::{Delta, Deltas, EngineError, NodeId, Operator, Progress, Result, Watermark};

use super::exchange::{Mailbox, partition, without_empty};
use super::gauges::Watch;
use super::input::InputTable;
use super::schedule::{Level, Shape, levels};
use super::snapshot::Restored;
use super::worker::{StepCommand, WorkerReport};

/// All nodes of a shard. A step runs each of them once, on whichever thread; what a node has to say
/// lies with it until its last reader has taken it.
pub(super) struct Nodes {
    shard: usize,
    shards: usize,
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    route: Option<Vec<usize>>,
    inputs: Vec<NodeId>,
    work: Work,
    /// How many nodes read this one.
    readers: usize,
    flow: Mutex<Flow>,
    /// The watermark of its output, and what that was when the step began.
    watermark: AtomicI64,
    watermark_before: AtomicI64,
}

enum Work {
    Source(usize),
    Operator(Mutex<Instance>),
    Exchange(Partitioning, Arc<Mailbox>),
    Output(usize),
}

/// A shard's instance of an operator.
struct Instance {
    operator: Box<dyn Operator>,
    /// What it has written ahead of the next checkpoint.
    ahead: Vec<TableImage>,
}

impl Instance {
    /// Writes what has changed since it did so last.
    fn write(&mut self) -> Result<()> {
        let mut writer = StateWriter::new();
        self.operator.checkpoint(&mut writer)?;
        self.ahead.append(&mut writer.finish());
        Ok(())
    }
}

/// What a node has said in this step.
#[derive(Default)]
struct Flow {
    deltas: Deltas,
    unread: usize,
}

/// A step of a shard in the making.
pub(super) struct Step {
    pub command: StepCommand,
    report: Mutex<WorkerReport>,
    /// Whether the report has an error.
    failed: AtomicBool,
    /// How many rows nodes have said.
    said: AtomicU64,
}

impl Step {
    pub fn new(command: StepCommand, report: WorkerReport) -> Self {
        let (failed, said) = (AtomicBool::new(report.error.is_some()), AtomicU64::new(0));
        Self { command, report: Mutex::new(report), failed, said }
    }

    /// What there is to tell of it so far.
    pub fn report(&self) -> MutexGuard<'_, WorkerReport> {
        lock(&self.report)
    }

    /// Something of the step has failed: nodes that have not run need not.
    pub fn fail(&self, error: EngineError) {
        self.failed.store(true, Relaxed);
        self.report().fail(error);
    }

    /// A node has been run, and has said so many rows.
    fn note(&self, id: usize, rows: usize, watch: &mut Watch) {
        if rows > 0 {
            self.said.fetch_add(rows as u64, Relaxed);
        }
        watch.node(id, rows);
    }

    /// Whether a node had rows to say.
    pub fn has_said(&self) -> bool {
        self.said.load(Relaxed) > 0
    }
}

/// Nothing here is left half done by a panic: operators' own are caught, and end the job.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Nodes {
    pub fn new(
        circuit: &Circuit,
        shard: usize,
        shards: usize,
        mailboxes: Vec<Option<Arc<Mailbox>>>,
    ) -> Result<Self> {
        let mut nodes: Vec<Node> = Vec::with_capacity(circuit.nodes.len());
        for (node, mailbox) in circuit.nodes.iter().zip(mailboxes) {
            let work = match (&node.kind, mailbox) {
                (NodeKind::Source(id), _) => Work::Source(id.0),
                (NodeKind::Operator(make), _) => {
                    Work::Operator(Mutex::new(Instance { operator: make()?, ahead: Vec::new() }))
                }
                (NodeKind::Exchange(p), Some(mailbox)) => Work::Exchange(p.clone(), mailbox),
                (NodeKind::Exchange(_), None) => {
                    return Err(EngineError::Internal("an exchange without mailbox".into()));
                }
                (NodeKind::Output(id), _) => Work::Output(id.0),
            };
            for input in &node.inputs {
                nodes[input.0].readers += 1;
            }
            nodes.push(Node {
                name: node.name.clone(),
                route: node.route.clone(),
                inputs: node.inputs.clone(),
                work,
                readers: 0,
                flow: Mutex::default(),
                watermark: AtomicI64::new(Watermark::MIN.0),
                watermark_before: AtomicI64::new(Watermark::MIN.0),
            });
        }
        Ok(Self { shard, shards, nodes })
    }

    /// In which order they are to be run.
    pub fn levels(&self) -> Vec<Level> {
        let shape = |node: &Node| {
            let exchanges = matches!(node.work, Work::Exchange(..));
            // A shard without peers hands on what it would exchange.
            (exchanges && self.shards > 1, node.inputs.clone())
        };
        let shapes: Vec<(bool, Vec<NodeId>)> = self.nodes.iter().map(shape).collect();
        let shapes = shapes.iter().map(|(meets, inputs)| Shape { inputs, meets: *meets });
        levels(&shapes.collect::<Vec<_>>())
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The watermark of a node's output: of the last step, if it has not run in this one.
    pub fn watermark(&self, id: usize) -> Watermark {
        Watermark(self.nodes[id].watermark.load(Relaxed))
    }

    /// A step begins.
    pub fn begin(&self) {
        for node in &self.nodes {
            node.watermark_before.store(node.watermark.load(Relaxed), Relaxed);
        }
    }

    /// Puts down what a node has to say, for those that read it.
    pub fn put(&self, id: usize, deltas: Deltas) {
        let node = &self.nodes[id];
        if node.readers > 0 {
            *lock(&node.flow) = Flow { deltas, unread: node.readers };
        }
    }

    /// What one of its readers gets of what a node has said.
    fn read(&self, id: NodeId) -> Deltas {
        let mut flow = lock(&self.nodes[id.0].flow);
        flow.unread = flow.unread.saturating_sub(1);
        if flow.unread == 0 { std::mem::take(&mut flow.deltas) } else { flow.deltas.clone() }
    }

    /// Runs a node, whose inputs have been run.
    pub fn run(&self, id: usize, table: &InputTable, step: &Step, watch: &mut Watch) {
        let node = &self.nodes[id];
        let before = self.watermark(id);
        if let Work::Source(source) = node.work {
            let after = table.watermark(source, before, step.command.step);
            node.watermark.store(after.0, Relaxed);
            let rows = lock(&node.flow).deltas.iter().map(Delta::num_rows).sum();
            return step.note(id, rows, watch);
        }
        let inputs = node.inputs.iter().map(|&input| self.read(input)).collect();
        let progress: Vec<Progress> = node.inputs.iter().map(|i| self.progress(i.0)).collect();
        let ran = AssertUnwindSafe(|| self.run_inner(id, inputs, &progress, step));
        let (value, after) = catch_unwind(ran).unwrap_or_else(|panic| {
            let what = format!("{}: {}", node.name, panic_text(&*panic));
            (Err(EngineError::Internal(what)), before)
        });
        node.watermark.store(after.max(before).0, Relaxed);
        let value = value.unwrap_or_else(|error| {
            step.fail(error);
            Deltas::new()
        });
        self.say(id, value, step, watch);
    }

    /// Puts down what the shards have put down for this one at an exchange, once they have met.
    pub fn take(&self, id: usize, step: &Step, watch: &mut Watch) {
        if let Work::Exchange(_, mailbox) = &self.nodes[id].work {
            self.say(id, mailbox.take(self.shard), step, watch);
        }
    }

    /// Puts down what a node has to say, and takes note of it.
    fn say(&self, id: usize, deltas: Deltas, step: &Step, watch: &mut Watch) {
        let deltas = without_empty(deltas);
        let rows = deltas.iter().map(Delta::num_rows).sum();
        self.put(id, deltas);
        step.note(id, rows, watch);
    }

    fn progress(&self, id: usize) -> Progress {
        let before = Watermark(self.nodes[id].watermark_before.load(Relaxed));
        Progress { before, after: self.watermark(id) }
    }

    fn run_inner(
        &self,
        id: usize,
        mut inputs: Vec<Deltas>,
        progress: &[Progress],
        step: &Step,
    ) -> (Result<Deltas>, Watermark) {
        let (shard, shards) = (self.shard, self.shards);
        let after: Vec<Watermark> = progress.iter().map(|p| p.after).collect();
        match &self.nodes[id].work {
            Work::Source(_) => (Ok(Vec::new()), Watermark::MIN),
            Work::Output(output) => {
                let rows = inputs.pop().unwrap_or_default();
                if !rows.is_empty() {
                    step.report().outputs[*output] = rows;
                }
                (Ok(Vec::new()), after[0])
            }
            Work::Exchange(partitioning, mailbox) => {
                let rows = inputs.pop().unwrap_or_default();
                if shards == 1 {
                    return (Ok(rows), after[0]);
                }
                let cut = partition(rows, partitioning, shards);
                let (parts, error) = match cut {
                    Ok(parts) => (parts, None),
                    Err(error) => (vec![Vec::new(); shards], Some(error)),
                };
                for (to, part) in parts.into_iter().enumerate() {
                    mailbox.put(shard, to, part);
                }
                (error.map_or_else(|| Ok(Deltas::new()), Err), after[0])
            }
            Work::Operator(instance) => {
                let mut instance = lock(instance);
                let output = instance.operator.watermark(&after, step.command.clock_ms);
                if step.failed.load(Relaxed) {
                    return (Ok(Vec::new()), output);
                }
                let mut late = Deltas::new();
                let mut context = StepContext {
                    step: step.command.step,
                    clock_ms: step.command.clock_ms,
                    shard,
                    shards,
                    inputs: progress,
                    late: &mut late,
                };
                let mut result = instance.operator.step(inputs, &mut context);
                if !late.is_empty() {
                    step.report().late.push((id, late));
                }
                if step.command.ahead.contains(&id) {
                    result = result.and_then(|rows| instance.write().map(|()| rows));
                }
                (result, output)
            }
        }
    }

    /// What has changed in a node's state since the last checkpoint.
    pub fn checkpoint(&self, id: usize) -> Result<Vec<TableImage>> {
        let Work::Operator(instance) = &self.nodes[id].work else { return Ok(Vec::new()) };
        let mut instance = lock(instance);
        instance.write()?;
        Ok(std::mem::take(&mut instance.ahead))
    }

    /// Takes over what a checkpoint has for a node.
    pub fn restore(&self, id: usize, from: &Restored) -> Result<()> {
        let node = &self.nodes[id];
        node.watermark.store(from.watermark(id).0, Relaxed);
        let Work::Operator(instance) = &node.work else { return Ok(()) };
        let nothing = StatePart::default();
        let parts = from.shards.iter().map(|shard| shard.node(id).unwrap_or(&nothing));
        let parts: Vec<&StatePart> = parts.collect();
        if parts.iter().all(|part| part.tables().next().is_none()) {
            return Ok(());
        }
        let reader = match parts.len() == self.shards && !from.dealt {
            true => StateReader::same(parts[self.shard]),
            false => {
                StateReader::dealt(parts, self.shard, self.shards).routed(node.route.as_deref())
            }
        };
        lock(instance).operator.restore(&reader)
    }

    /// Notes how large the states are.
    pub fn look(&self, watch: &Watch) {
        for (id, node) in self.nodes.iter().enumerate() {
            if let Work::Operator(instance) = &node.work {
                watch.state(id, lock(instance).operator.as_ref());
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}
