//! One shard's part of a step, of a checkpoint and of what comes back from one.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use crate::circuit::{Circuit, NodeKind};
use crate::source::DeadLetter;
use crate::state::TableImage;
use crate::{Deltas, EngineError, Result, Watermark};

use super::crew::Crew;
use super::exchange::{Mailbox, without_empty};
use super::gauges::Watch;
use super::input::{InputTable, ReaderInput};
use super::nodes::{Nodes, Step};
use super::schedule::Level;
use super::snapshot::{ReaderProgress, Restored};

/// From so many rows a step on, the sources of the next are read on all threads: below that it is
/// not worth to wake them.
const BUSY_ROWS: u64 = 1024;

#[derive(Debug, Clone)]
pub(super) struct StepCommand {
    pub step: u64,
    pub clock_ms: i64,
    pub rows_max: usize,
    /// Which sources are not polled.
    pub held: Arc<[bool]>,
    /// Whether operators may be left alone where nothing came.
    pub may_rest: bool,
    /// The nodes that write their changes ahead of the next checkpoint.
    pub ahead: Range<usize>,
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

impl WorkerReport {
    /// Keeps the first error.
    pub fn fail(&mut self, error: EngineError) {
        self.error.get_or_insert(error);
    }
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

/// A shard.
pub(super) struct Worker {
    shard: usize,
    shards: usize,
    core: Arc<Core>,
    crew: Crew,
    barrier: Arc<Barrier>,
    outputs: usize,
    watch: Watch,
    /// Operators have not run yet, or had something to say when they ran last: they may have more.
    is_restless: bool,
    /// How many rows came in the last step.
    rows: u64,
}

/// What the threads of a shard share.
struct Core {
    nodes: Nodes,
    /// The nodes in the order in which a step runs them.
    levels: Vec<Level>,
    /// The readers of each source, and the source's node.
    sources: Vec<(Mutex<Vec<ReaderInput>>, usize)>,
    table: Arc<InputTable>,
}

impl Worker {
    pub fn new(
        circuit: &Circuit,
        (shard, shards, threads): (usize, usize, usize),
        readers: Vec<Vec<ReaderInput>>,
        (table, barrier, mailboxes): Shared,
        watch: Watch,
    ) -> Result<Self> {
        let nodes = Nodes::new(circuit, shard, shards, mailboxes)?;
        let levels = nodes.levels();
        let node_of = |source: usize| {
            let is_it = |kind: &NodeKind| matches!(kind, NodeKind::Source(id) if id.0 == source);
            circuit.nodes.iter().position(|node| is_it(&node.kind)).unwrap_or_default()
        };
        let sources = readers.into_iter().enumerate();
        let sources = sources.map(|(source, readers)| (Mutex::new(readers), node_of(source)));
        let core = Core { nodes, levels, sources: sources.collect(), table };
        Ok(Self {
            shard,
            shards,
            core: Arc::new(core),
            crew: Crew::new(shard, threads)?,
            barrier,
            outputs: circuit.outputs,
            watch,
            is_restless: true,
            rows: 0,
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
        report.source_rows.resize(self.core.sources.len(), 0);
        let step = Arc::new(Step::new(command.clone(), report));
        self.watch.begin();
        self.core.nodes.begin();
        self.poll(&step);
        let rests = command.may_rest && self.is_quiet(command.step);
        if !rests {
            self.run(&step);
            self.is_restless = step.has_said();
        }
        let mut report = std::mem::take(&mut *step.report());
        report.rested = rests;
        report.said = step.has_said();
        report.watermarks =
            self.core.sources.iter().map(|&(_, node)| self.core.nodes.watermark(node)).collect();
        report.ended = self.core.table.ended(command.step);
        // Threads come as they like; what is told does not show it.
        report.late.sort_by_key(|&(node, _)| node);
        report.dead_letters.sort_by_key(|&(source, _)| source);
        if self.watch.end() {
            self.core.nodes.look(&self.watch);
            self.watch.readers((0..self.core.sources.len()).map(|s| self.core.readers(s)));
        }
        report
    }

    /// Runs every node once.
    fn run(&mut self, step: &Arc<Step>) {
        for at in 0..self.core.levels.len() {
            if self.crew.threads() == 1 {
                for id in self.core.levels[at].in_order() {
                    self.core.nodes.run(id, &self.core.table, step, &mut self.watch);
                }
            } else {
                self.core.levels[at].begin();
                let (part, watch) = (Arc::clone(step), self.watch.clone());
                let run = move |core: &Core| core.run(at, &part, watch.clone());
                if let Err(error) = self.all(run) {
                    step.fail(error);
                }
                self.watch.resume();
            }
            if self.shards == 1 {
                continue;
            }
            let exchanges = &self.core.levels[at].exchanges;
            if !exchanges.is_empty() {
                self.watch.wait(|| drop(self.barrier.wait()));
            }
            for &id in exchanges {
                self.core.nodes.take(id, step, &mut self.watch);
            }
        }
    }

    /// Polls this shard's readers and agrees with the peers on each table's watermark.
    fn poll(&mut self, step: &Arc<Step>) {
        let sources = self.core.sources.len();
        let busy = self.rows >= BUSY_ROWS && self.crew.threads() > 1;
        if busy {
            let (part, watch) = (Arc::clone(step), self.watch.clone());
            let poll = move |core: &Core, source| {
                let mut watch = watch.clone();
                watch.resume();
                core.poll(source, &part, &mut watch);
            };
            if let Err(error) = self.each(sources, poll) {
                step.fail(error);
            }
            self.watch.resume();
        } else {
            (0..sources).for_each(|source| self.core.poll(source, step, &mut self.watch));
        }
        let report = step.report();
        self.rows = report.source_rows.iter().sum();
        let number = step.command.step;
        if self.is_restless || self.rows > 0 || report.error.is_some() {
            self.core.table.note_news(number);
        }
        drop(report);
        for source in 0..sources {
            let readers = self.core.readers(source);
            readers.iter().for_each(|r| r.publish(source, &self.core.table, number));
        }
        if self.shards > 1 {
            self.watch.wait(|| drop(self.barrier.wait()));
        }
    }

    /// Whether no shard has rows, and no source's watermark has moved. All shards answer the same.
    fn is_quiet(&self, step: u64) -> bool {
        let mut sources = self.core.sources.iter().enumerate();
        !self.core.table.has_news(step)
            && sources.all(|(source, &(_, node))| {
                let before = self.core.nodes.watermark(node);
                self.core.table.watermark(source, before, step) == before
            })
    }

    /// This shard's part of a checkpoint.
    pub fn checkpoint(&mut self) -> Result<WorkerCheckpoint> {
        let (count, written) = (self.core.nodes.len(), Arc::new(Mutex::new(Vec::new())));
        let found = Arc::clone(&written);
        self.each(count, move |core, id| {
            let tables = core.nodes.checkpoint(id);
            if !tables.as_ref().is_ok_and(Vec::is_empty) {
                lock(&found).push((id, tables));
            }
        })?;
        let mut tables = std::mem::take(&mut *lock(&written));
        tables.sort_by_key(|&(id, _)| id);
        let tables = tables.into_iter().map(|(id, tables)| Ok((id, tables?)));
        let mut readers = Vec::new();
        for source in 0..self.core.sources.len() {
            let own = self.core.readers(source);
            readers.extend(own.iter().map(|reader| (source, reader.id(), reader.progress())));
        }
        let watermarks = (0..count).map(|id| self.core.nodes.watermark(id).0).collect();
        Ok(WorkerCheckpoint { tables: tables.collect::<Result<_>>()?, readers, watermarks })
    }

    /// Takes over what a checkpoint has for this shard, before the first step.
    pub fn restore(&mut self, from: &Arc<Restored>) -> Result<()> {
        let (nodes, sources) = (self.core.nodes.len(), self.core.sources.len());
        from.check(nodes, sources)?;
        let (state, failed) = (Arc::clone(from), Arc::new(Mutex::new(None)));
        let failure = Arc::clone(&failed);
        self.each(nodes, move |core, id| {
            if let Err(error) = core.nodes.restore(id, &state) {
                lock(&failure).get_or_insert(error);
            }
        })?;
        if let Some(error) = lock(&failed).take() {
            return Err(error);
        }
        let goes_on = |source: &usize| !from.anew.get(*source).copied().unwrap_or(false);
        for source in (0..sources).filter(goes_on) {
            let dealt = from.deal(source, self.core.table.readers(source));
            for reader in self.core.readers(source).iter_mut() {
                reader.restore(&dealt[reader.id()])?;
                // The step before the first is as good as the first.
                (0..2).for_each(|step| reader.publish(source, &self.core.table, step));
            }
        }
        Ok(())
    }

    /// Does the same on all threads of this shard.
    fn all(&self, work: impl Fn(&Core) + Send + Sync + 'static) -> Result<()> {
        let core = Arc::clone(&self.core);
        self.crew.all(Arc::new(move || work(&core)))
    }

    /// Does `work` for every number below `count`, on all threads of this shard.
    fn each(
        &self,
        count: usize,
        work: impl Fn(&Core, usize) + Send + Sync + 'static,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        self.all(move |core| {
            let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            numbers.take_while(|&number| number < count).for_each(|number| work(core, number));
        })
    }
}

impl Core {
    fn readers(&self, source: usize) -> MutexGuard<'_, Vec<ReaderInput>> {
        lock(&self.sources[source].0)
    }

    /// Polls a source's readers.
    fn poll(&self, source: usize, step: &Step, watch: &mut Watch) {
        let mut rows = Deltas::new();
        for reader in self.readers(source).iter_mut().filter(|_| !step.command.held[source]) {
            let polled = reader.poll(source, &self.table, &step.command);
            let letters = reader.take_dead_letters();
            if matches!(&polled, Ok(None)) && letters.is_empty() {
                continue;
            }
            let mut report = step.report();
            report.dead_letters.extend(letters.into_iter().map(|letter| (source, letter)));
            match polled {
                Ok(polled) => {
                    let count = polled.iter().map(|rows| rows.num_rows() as u64).sum::<u64>();
                    report.source_rows[source] += count;
                    rows.extend(polled);
                }
                Err(error) => {
                    drop(report);
                    step.fail(error);
                }
            }
        }
        let node = self.sources[source].1;
        self.nodes.put(node, without_empty(rows));
        watch.node(node, 0);
    }

    /// Runs a level's nodes, together with the other threads.
    fn run(&self, level: usize, step: &Step, mut watch: Watch) {
        let watch = RefCell::new(&mut watch);
        watch.borrow_mut().resume();
        self.levels[level].run(
            |id| self.nodes.run(id, &self.table, step, &mut watch.borrow_mut()),
            || watch.borrow_mut().resume(),
        );
    }
}

/// Nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
