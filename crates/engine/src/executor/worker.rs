//! One shard's instances of all nodes, and its part of a step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};

use crate::circuit::{Circuit, NodeKind, Partitioning};
use crate::operator::StepContext;
use crate::source::DeadLetter;
use crate::state::{StatePart, StateReader, StateWriter, TableImage};
use crate::{Delta, Deltas, EngineError, NodeId, Operator, Progress, Result, Watermark};

use super::exchange::{Mailbox, partition, without_empty};
use super::gauges::Watch;
use super::input::{InputTable, ReaderInput};
use super::snapshot::{ReaderProgress, Restored};

#[derive(Debug, Clone)]
pub(super) struct StepCommand {
    pub step: u64,
    pub clock_ms: i64,
    pub rows_max: usize,
    /// Which sources are not polled.
    pub held: Arc<[bool]>,
    /// Whether operators may be left alone where nothing came.
    pub may_rest: bool,
}

/// One worker's part of a [`super::StepReport`].
#[derive(Debug, Default)]
pub(super) struct WorkerReport {
    pub source_rows: Vec<u64>,
    pub outputs: Vec<Deltas>,
    pub watermarks: Vec<Watermark>,
    pub late: Vec<(usize, Deltas)>,
    pub dead_letters: Vec<(usize, DeadLetter)>,
    pub ended: bool,
    pub rested: bool,
    /// Whether a node had rows to say.
    pub said: bool,
    pub error: Option<EngineError>,
}

/// One worker's part of a [`super::Snapshot`].
#[derive(Debug)]
pub(super) struct WorkerCheckpoint {
    pub tables: Vec<(usize, Vec<TableImage>)>,
    /// Source, number of the reader, where it stands.
    pub readers: Vec<(usize, usize, ReaderProgress)>,
    pub watermarks: Vec<i64>,
}

type Shared = (Arc<InputTable>, Arc<Barrier>, Vec<Option<Arc<Mailbox>>>);

pub(super) struct Worker {
    shard: usize,
    shards: usize,
    nodes: Vec<WorkerNode>,
    /// The nodes in the order in which a step runs them.
    levels: Vec<Level>,
    readers: Vec<Vec<ReaderInput>>,
    table: Arc<InputTable>,
    barrier: Arc<Barrier>,
    outputs: usize,
    /// The watermark of every node's output: of the last step for nodes still to run.
    watermarks: Vec<Watermark>,
    /// The same when the step began.
    watermarks_before: Vec<Watermark>,
    watch: Watch,
    /// The node of each source.
    source_nodes: Vec<usize>,
    /// Operators have not run yet, or had something to say when they ran last: they may have more.
    is_restless: bool,
}

struct WorkerNode {
    name: String,
    route: Option<Vec<usize>>,
    inputs: Vec<NodeId>,
    work: Work,
    /// How many nodes read this one.
    readers: usize,
}

/// Nodes that a shard runs without a word from its peers, and the exchanges behind them: the
/// shards meet once a level, not once an exchange.
#[derive(Debug, Default, PartialEq)]
struct Level {
    nodes: Vec<usize>,
    exchanges: Vec<usize>,
}

enum Work {
    Source(usize),
    Operator(Box<dyn Operator>),
    Exchange(Partitioning, Arc<Mailbox>),
    Output(usize),
}

impl Worker {
    pub fn new(
        circuit: &Circuit,
        shard: usize,
        shards: usize,
        readers: Vec<Vec<ReaderInput>>,
        (table, barrier, mailboxes): Shared,
        watch: Watch,
    ) -> Result<Self> {
        let mut nodes: Vec<WorkerNode> = Vec::with_capacity(circuit.nodes.len());
        let mut source_nodes = vec![0; circuit.sources.len()];
        for (node, mailbox) in circuit.nodes.iter().zip(mailboxes) {
            let work = match (&node.kind, mailbox) {
                (NodeKind::Source(id), _) => {
                    source_nodes[id.0] = nodes.len();
                    Work::Source(id.0)
                }
                (NodeKind::Operator(make), _) => Work::Operator(make()?),
                (NodeKind::Exchange(p), Some(mailbox)) => Work::Exchange(p.clone(), mailbox),
                (NodeKind::Exchange(_), None) => {
                    return Err(EngineError::Internal("an exchange without mailbox".into()));
                }
                (NodeKind::Output(id), _) => Work::Output(id.0),
            };
            for input in &node.inputs {
                nodes[input.0].readers += 1;
            }
            let (name, inputs) = (node.name.clone(), node.inputs.clone());
            let route = node.route.clone();
            nodes.push(WorkerNode { name, route, inputs, work, readers: 0 });
        }
        let levels = levels(&nodes);
        let watermarks = vec![Watermark::MIN; nodes.len()];
        let watermarks_before = watermarks.clone();
        let outputs = circuit.outputs;
        Ok(Self {
            shard,
            shards,
            nodes,
            levels,
            readers,
            table,
            barrier,
            outputs,
            watermarks,
            watermarks_before,
            watch,
            source_nodes,
            is_restless: true,
        })
    }

    pub fn shard(&self) -> usize {
        self.shard
    }

    /// This shard's part of a step. Whatever fails, the worker still meets its peers at every
    /// barrier: a peer must never wait for ever.
    pub fn step(&mut self, command: &StepCommand) -> WorkerReport {
        let mut report = WorkerReport::default();
        report.outputs.resize_with(self.outputs, Vec::new);
        report.source_rows.resize(self.readers.len(), 0);
        self.watch.begin();
        self.watermarks_before.copy_from_slice(&self.watermarks);
        let polled = self.poll(command, &mut report);
        if command.may_rest && self.is_quiet(command.step) {
            return self.rest(command.step, report);
        }
        let mut values: Vec<Option<Deltas>> = vec![None; self.nodes.len()];
        let mut unread: Vec<usize> = self.nodes.iter().map(|n| n.readers).collect();
        let mut source_rows = polled;
        let mut said = 0;
        let levels = std::mem::take(&mut self.levels);
        for level in &levels {
            for &id in &level.nodes {
                let inputs: Vec<Deltas> = self.nodes[id]
                    .inputs
                    .iter()
                    .map(|input| {
                        unread[input.0] -= 1;
                        let value = &mut values[input.0];
                        let last = unread[input.0] == 0;
                        if last { value.take() } else { value.clone() }.unwrap_or_default()
                    })
                    .collect();
                let value = self.run_node(id, inputs, &mut source_rows, command, &mut report);
                let rows = value.iter().map(Delta::num_rows).sum();
                self.watch.node(id, rows);
                said += rows;
                values[id] = Some(value);
            }
            if self.shards == 1 || level.exchanges.is_empty() {
                continue;
            }
            self.meet();
            for &id in &level.exchanges {
                let value = self.take(id);
                let rows = value.iter().map(Delta::num_rows).sum();
                self.watch.node(id, rows);
                said += rows;
                values[id] = Some(value);
            }
        }
        self.levels = levels;
        self.is_restless = said > 0;
        report.said = said > 0;
        if self.watch.end() {
            self.look();
        }
        report.ended = self.table.ended(command.step);
        report
    }

    /// Whether no shard has rows, and no source's watermark has moved. All shards answer the same.
    fn is_quiet(&self, step: u64) -> bool {
        let mut sources = self.source_nodes.iter().enumerate();
        !self.table.has_news(step)
            && sources.all(|(source, &node)| {
                let before = self.watermarks[node];
                self.table.watermark(source, before, step) == before
            })
    }

    /// A step in which no operator runs: nothing came, and no time has passed for them.
    fn rest(&mut self, step: u64, mut report: WorkerReport) -> WorkerReport {
        report.watermarks = self.source_nodes.iter().map(|&node| self.watermarks[node]).collect();
        if self.watch.end() {
            self.look();
        }
        report.ended = self.table.ended(step);
        report.rested = true;
        report
    }

    /// Notes how large the states are, and what is read.
    fn look(&self) {
        for (id, node) in self.nodes.iter().enumerate() {
            if let Work::Operator(operator) = &node.work {
                self.watch.state(id, operator.as_ref());
            }
        }
        self.watch.readers(&self.readers);
    }

    /// This shard's part of a checkpoint.
    pub fn checkpoint(&mut self) -> Result<WorkerCheckpoint> {
        let mut tables = Vec::new();
        for (id, node) in self.nodes.iter_mut().enumerate() {
            if let Work::Operator(operator) = &mut node.work {
                let mut writer = StateWriter::new();
                operator.checkpoint(&mut writer)?;
                let written = writer.finish();
                if !written.is_empty() {
                    tables.push((id, written));
                }
            }
        }
        let readers = self.readers.iter().enumerate().flat_map(|(source, readers)| {
            readers.iter().map(move |reader| (source, reader.id(), reader.progress()))
        });
        let readers = readers.collect();
        let watermarks = self.watermarks.iter().map(|w| w.0).collect();
        Ok(WorkerCheckpoint { tables, readers, watermarks })
    }

    /// Takes over what a checkpoint has for this shard, before the first step.
    pub fn restore(&mut self, from: &Restored) -> Result<()> {
        from.check(self.nodes.len(), self.readers.len())?;
        let nothing = StatePart::default();
        for (id, node) in self.nodes.iter_mut().enumerate() {
            self.watermarks[id] = from.watermark(id);
            let Work::Operator(operator) = &mut node.work else { continue };
            let parts = from.shards.iter().map(|shard| shard.node(id).unwrap_or(&nothing));
            let parts: Vec<&StatePart> = parts.collect();
            if parts.iter().all(|part| part.tables().next().is_none()) {
                continue;
            }
            let reader = match parts.len() == self.shards && !from.dealt {
                true => StateReader::same(parts[self.shard]),
                false => {
                    StateReader::dealt(parts, self.shard, self.shards).routed(node.route.as_deref())
                }
            };
            operator.restore(&reader)?;
        }
        let goes_on = |source: usize| !from.anew.get(source).copied().unwrap_or(false);
        for (source, readers) in self.readers.iter_mut().enumerate().filter(|(s, _)| goes_on(*s)) {
            let dealt = from.deal(source, self.table.readers(source));
            for reader in readers.iter_mut() {
                reader.restore(&dealt[reader.id()])?;
                // The step before the first is as good as the first.
                (0..2).for_each(|step| reader.publish(source, &self.table, step));
            }
        }
        Ok(())
    }

    /// Polls this shard's readers and agrees with the peers on each table's watermark.
    fn poll(&mut self, command: &StepCommand, report: &mut WorkerReport) -> Vec<Deltas> {
        let mut polled = vec![Deltas::new(); self.readers.len()];
        for (source, readers) in self.readers.iter_mut().enumerate() {
            for reader in readers.iter_mut().filter(|_| !command.held[source]) {
                match reader.poll(source, &self.table, command) {
                    Ok(Some(rows)) => {
                        report.source_rows[source] += rows.num_rows() as u64;
                        polled[source].push(rows);
                    }
                    Ok(None) => {}
                    Err(error) => keep_first(&mut report.error, error),
                }
                let letters = reader.take_dead_letters();
                report.dead_letters.extend(letters.into_iter().map(|l| (source, l)));
            }
            self.watch.node(self.source_nodes[source], 0);
        }
        let is_news = report.source_rows.iter().any(|&rows| rows > 0);
        if self.is_restless || is_news || report.error.is_some() {
            self.table.note_news(command.step);
        }
        for (source, readers) in self.readers.iter().enumerate() {
            readers.iter().for_each(|reader| reader.publish(source, &self.table, command.step));
        }
        self.meet();
        polled
    }

    /// What all shards have put down for this one at an exchange, once they have met.
    fn take(&self, id: usize) -> Deltas {
        match &self.nodes[id].work {
            Work::Exchange(_, mailbox) => without_empty(mailbox.take(self.shard)),
            _ => Deltas::new(),
        }
    }

    /// Waits until all shards are here.
    fn meet(&mut self) {
        if self.shards > 1 {
            self.watch.wait(|| drop(self.barrier.wait()));
        }
    }

    fn run_node(
        &mut self,
        id: usize,
        inputs: Vec<Deltas>,
        source_rows: &mut [Deltas],
        command: &StepCommand,
        report: &mut WorkerReport,
    ) -> Deltas {
        let before = self.watermarks[id];
        if let Work::Source(source) = self.nodes[id].work {
            let after = self.table.watermark(source, before, command.step);
            self.watermarks[id] = after;
            report.watermarks.push(after);
            return without_empty(std::mem::take(&mut source_rows[source]));
        }
        let progress: Vec<Progress> = self.nodes[id]
            .inputs
            .iter()
            .map(|i| Progress { before: self.watermarks_before[i.0], after: self.watermarks[i.0] })
            .collect();
        let (value, after) = self.run_inner(id, inputs, &progress, command, report);
        self.watermarks[id] = after.max(before);
        match value {
            Ok(deltas) => without_empty(deltas),
            Err(error) => {
                keep_first(&mut report.error, error);
                Vec::new()
            }
        }
    }

    fn run_inner(
        &mut self,
        id: usize,
        mut inputs: Vec<Deltas>,
        progress: &[Progress],
        command: &StepCommand,
        report: &mut WorkerReport,
    ) -> (Result<Deltas>, Watermark) {
        let (shard, shards) = (self.shard, self.shards);
        let node = &mut self.nodes[id];
        let after: Vec<Watermark> = progress.iter().map(|p| p.after).collect();
        let failed = report.error.is_some();
        match &mut node.work {
            Work::Source(_) => (Ok(Vec::new()), Watermark::MIN),
            Work::Output(output) => {
                report.outputs[*output] = inputs.pop().unwrap_or_default();
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
            Work::Operator(operator) => {
                let output = operator.watermark(&after, command.clock_ms);
                if failed {
                    return (Ok(Vec::new()), output);
                }
                let mut late = Deltas::new();
                let mut context = StepContext {
                    step: command.step,
                    clock_ms: command.clock_ms,
                    shard,
                    shards,
                    inputs: progress,
                    late: &mut late,
                };
                let result = catch_unwind(AssertUnwindSafe(|| operator.step(inputs, &mut context)));
                if !late.is_empty() {
                    report.late.push((id, late));
                }
                let result = result.unwrap_or_else(|panic| {
                    Err(EngineError::Internal(format!("{}: {}", node.name, panic_text(&*panic))))
                });
                (result, output)
            }
        }
    }
}

/// Cuts the nodes, inputs before their readers, into levels: what reads an exchange, however far
/// off, is a level behind it.
fn levels(nodes: &[WorkerNode]) -> Vec<Level> {
    let mut level_of_output: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut levels: Vec<Level> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        let level = node.inputs.iter().map(|input| level_of_output[input.0]).max().unwrap_or(0);
        if levels.len() <= level {
            levels.resize_with(level + 1, Level::default);
        }
        levels[level].nodes.push(id);
        let exchanges = matches!(node.work, Work::Exchange(..));
        if exchanges {
            levels[level].exchanges.push(id);
        }
        level_of_output.push(level + usize::from(exchanges));
    }
    levels
}

fn keep_first(kept: &mut Option<EngineError>, error: EngineError) {
    kept.get_or_insert(error);
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(inputs: &[usize], exchanges: bool) -> WorkerNode {
        let mailbox = Mailbox::default();
        let work = match exchanges {
            true => Work::Exchange(Partitioning::Single, Arc::new(mailbox)),
            false => Work::Output(0),
        };
        let inputs = inputs.iter().map(|&id| NodeId(id)).collect();
        WorkerNode { name: String::new(), route: None, inputs, work, readers: 0 }
    }

    #[test]
    fn shards_meet_once_for_exchanges_that_do_not_need_one_another() {
        // Two sources, each exchanged; the first is also read as it is, their join is exchanged.
        let nodes = [
            node(&[], false),
            node(&[0], true),
            node(&[], false),
            node(&[2], true),
            node(&[1, 3], false),
            node(&[0], false),
            node(&[4], true),
            node(&[6, 5], false),
        ];
        let level = |nodes: &[usize], exchanges: &[usize]| Level {
            nodes: nodes.to_vec(),
            exchanges: exchanges.to_vec(),
        };
        let found = levels(&nodes);
        assert_eq!(
            found,
            [level(&[0, 1, 2, 3, 5], &[1, 3]), level(&[4, 6], &[6]), level(&[7], &[])]
        );
    }
}
