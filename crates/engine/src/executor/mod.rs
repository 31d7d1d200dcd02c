//! Runs a circuit step by step, one worker a shard.

mod crew;
mod exchange;
mod gauges;
mod input;
mod nodes;
mod schedule;
mod snapshot;
mod worker;

pub(crate) use input::epoch_ms;

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use crate::circuit::{Circuit, CircuitSource};
use crate::source::DeadLetter;
use crate::{Deltas, EngineError, OutputId, Result, Watermark};

pub use gauges::{Clock, Gauges, NodeFigures, NodeRole, ReaderFigures};
pub use snapshot::{Progress as CircuitProgress, ReaderProgress, Restored, ShardState, Snapshot};

use exchange::Mailbox;
use gauges::Watch;
use input::{InputTable, ReaderCount, ReaderInput};
use worker::{StepCommand, Worker, WorkerCheckpoint, WorkerReport};

/// The greatest number of rows that a reader gives to one step.
pub const STEP_ROWS_MAX: usize = 32_768;

/// How many threads a circuit is spread over, and how.
///
/// Shards divide the keys: each has its own instance of every operator, so that even one operator
/// keeps all of them busy, and rows are exchanged. The threads of a shard divide the operators: for
/// circuits of many that is cheaper, since small steps cost by the operator and not by the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallelism {
    /// How many shards there are; at least one.
    pub shards: usize,
    /// How many threads each shard has; at least one.
    pub threads: usize,
}

/// From so many nodes on a circuit keeps the threads of a shard busy.
const WIDE: usize = 200;
/// More threads a shard find too seldom something to do.
const THREADS_MAX: usize = 4;

impl Parallelism {
    /// How a circuit is best spread over so many cores; `shards`, where their number is given.
    pub fn of(circuit: &Circuit, cores: usize, shards: Option<usize>) -> Self {
        let is_wide = circuit.nodes.len() >= WIDE;
        let own = if is_wide { cores.div_ceil(THREADS_MAX) } else { cores };
        let shards = shards.unwrap_or(own).max(1);
        let threads = if is_wide { (cores / shards).clamp(1, THREADS_MAX) } else { 1 };
        Self { shards, threads }
    }
}

impl From<usize> for Parallelism {
    /// So many shards of one thread.
    fn from(shards: usize) -> Self {
        Self { shards, threads: 1 }
    }
}

/// What happened in a step.
#[derive(Debug, Default)]
pub struct StepReport {
    /// The number of the step, from 1.
    pub step: u64,
    /// How many rows the sources gave.
    pub rows: u64,
    /// How many rows each source gave.
    pub source_rows: Vec<u64>,
    /// The change of each output, by [`OutputId`].
    pub outputs: Vec<Deltas>,
    /// The watermark of each source.
    pub watermarks: Vec<Watermark>,
    /// Rows that came too late, with the name of the operator that found them so.
    pub late: Vec<(String, Deltas)>,
    /// Records that could not be decoded, with the name of their source.
    pub dead_letters: Vec<(String, DeadLetter)>,
    /// Whether all sources have ended: no further step will change anything.
    pub ended: bool,
    /// Whether no operator ran, because nothing came: see [`Executor::let_rest`].
    pub rested: bool,
    /// Whether no operator had a row to say: nothing is different that anybody could see.
    pub quiet: bool,
}

impl StepReport {
    /// The change of one output.
    pub fn take_output(&mut self, output: OutputId) -> Deltas {
        std::mem::take(&mut self.outputs[output.0])
    }
}

/// A circuit in motion.
///
/// One shard of one thread runs on the caller's. Otherwise each shard has threads of its own, which
/// run the same nodes; shards meet at exchanges and at the step's end.
pub struct Executor {
    mode: Mode,
    names: Vec<String>,
    source_names: Vec<String>,
    step: u64,
    failed: bool,
    /// The sources that have a part in each output.
    feeding: Vec<Vec<usize>>,
    /// Which sources are not polled for now.
    held: Arc<[bool]>,
    /// Whether operators may be left alone in a step in which nothing comes.
    may_rest: bool,
    /// The nodes whose changes the next step writes ahead; those before them have done so.
    ahead: Range<usize>,
    /// The step that has begun.
    begun: Option<StepCommand>,
    gauges: Arc<Gauges>,
}

enum Mode {
    Inline(Box<Worker>),
    Threads(Vec<WorkerThread>),
}

/// What a worker thread is asked for.
enum Command {
    Step(StepCommand),
    Checkpoint,
    Restore(Arc<Restored>),
}

/// What it answers.
enum Answer {
    Step(WorkerReport),
    Checkpoint(Result<WorkerCheckpoint>),
    Restored(Result<()>),
}

fn obey(worker: &mut Worker, command: Command) -> Answer {
    match command {
        Command::Step(command) => Answer::Step(worker.step(&command)),
        Command::Checkpoint => Answer::Checkpoint(worker.checkpoint()),
        Command::Restore(from) => Answer::Restored(worker.restore(&from)),
    }
}

struct WorkerThread {
    commands: Option<Sender<Command>>,
    reports: Receiver<Answer>,
    handle: Option<JoinHandle<()>>,
}

impl Executor {
    /// Builds every shard's instances and opens the sources. How long nodes take is not measured.
    pub fn new(circuit: &Circuit, spread: impl Into<Parallelism>) -> Result<Self> {
        Self::watched(circuit, spread, || 0)
    }

    /// As [`Executor::new`], with a clock to measure by how long each node takes.
    pub fn watched(
        circuit: &Circuit,
        spread: impl Into<Parallelism>,
        clock: Clock,
    ) -> Result<Self> {
        let Parallelism { shards, threads } = spread.into();
        let (shards, threads) = (shards.max(1), threads.max(1));
        let barrier = Arc::new(Barrier::new(shards));
        let mailboxes = Mailbox::for_circuit(circuit, shards);
        let (mut readers, counts) = open_readers(circuit, shards)?;
        let table = Arc::new(InputTable::new(circuit, &counts));
        let gauges = Arc::new(Gauges::new(circuit, shards, &table));
        let mut workers = Vec::with_capacity(shards);
        for (shard, readers) in readers.drain(..).enumerate() {
            let shared = (Arc::clone(&table), Arc::clone(&barrier), mailboxes.clone());
            let watch = Watch::new(gauges.shard(shard), clock);
            let place = (shard, shards, threads);
            workers.push(Worker::new(circuit, place, readers, shared, watch)?);
        }
        let mode = match workers.pop() {
            Some(worker) if workers.is_empty() && threads == 1 => Mode::Inline(Box::new(worker)),
            last => {
                workers.extend(last);
                Mode::Threads(workers.into_iter().map(spawn).collect::<Result<_>>()?)
            }
        };
        Ok(Self {
            mode,
            names: circuit.nodes.iter().map(|n| n.name.clone()).collect(),
            source_names: circuit.sources.iter().map(|s| s.name.clone()).collect(),
            step: 0,
            failed: false,
            feeding: circuit.sources_of_outputs(),
            held: circuit.sources.iter().map(|_| false).collect(),
            may_rest: false,
            ahead: 0..0,
            begun: None,
            gauges,
        })
    }

    /// Takes what the sources have ready and pushes it through every operator once.
    ///
    /// `clock_ms` is the step's one reading of the clock, in epoch milliseconds. After an error the
    /// circuit cannot go on: its state may be half changed.
    pub fn step(&mut self, clock_ms: i64) -> Result<StepReport> {
        self.step_rows(clock_ms, STEP_ROWS_MAX)
    }

    /// As [`Executor::step`], with a bound on the rows that each reader gives.
    pub fn step_rows(&mut self, clock_ms: i64, rows_max: usize) -> Result<StepReport> {
        self.begin_step(clock_ms, rows_max)?;
        self.finish_step()
    }

    /// Begins a step. With several threads it moves on while the caller does something else, until
    /// [`Executor::finish_step`]; nothing else can be asked for before that.
    pub fn begin_step(&mut self, clock_ms: i64, rows_max: usize) -> Result<()> {
        if self.failed {
            return Err(EngineError::Internal("a step after a failed one".into()));
        }
        if self.begun.is_some() {
            return Err(EngineError::Internal("a step within a step".into()));
        }
        self.step += 1;
        let held = Arc::clone(&self.held);
        let may_rest = self.may_rest;
        let ahead = self.ahead.clone();
        self.ahead.start = self.ahead.end;
        let command = StepCommand { step: self.step, clock_ms, rows_max, held, may_rest, ahead };
        self.send(|| Command::Step(command.clone()))?;
        self.begun = Some(command);
        Ok(())
    }

    /// Whether a step has begun that is not finished.
    pub fn is_stepping(&self) -> bool {
        self.begun.is_some()
    }

    /// What the circuit tells of itself, also while it is in a step.
    pub fn gauges(&self) -> &Arc<Gauges> {
        &self.gauges
    }

    /// Whether a step moves on while the caller does something else.
    pub fn is_beside(&self) -> bool {
        matches!(self.mode, Mode::Threads(_))
    }

    /// Waits for the end of the step that has begun.
    pub fn finish_step(&mut self) -> Result<StepReport> {
        let none = || EngineError::Internal("no step has begun".into());
        let command = self.begun.take().ok_or_else(none)?;
        let mut reports = Vec::new();
        for answer in self.answers(|| Command::Step(command.clone()))? {
            let Answer::Step(report) = answer else { return Err(unexpected()) };
            reports.push(report);
        }
        self.merge(reports)
    }

    /// Whether in steps from here on operators may be left alone where no row comes and no
    /// watermark moves. Those that look at the clock (processing time, the TTL of state) see it
    /// pass in steps in which they may not.
    pub fn let_rest(&mut self, may_rest: bool) {
        self.may_rest = may_rest;
    }

    /// Has the next step write ahead what such a share of all operators (0 to 1) have changed since
    /// the last checkpoint, as far as they have not done so yet. What is written ahead the
    /// checkpoint has, too; what it has to write itself, while nothing goes on, is only what
    /// changes from then on. So a little of its work is done in each of the steps before it.
    pub fn write_ahead(&mut self, share: f64) {
        let nodes = (share.clamp(0.0, 1.0) * self.names.len() as f64) as usize;
        self.ahead.end = nodes.max(self.ahead.start);
    }

    /// From here on the sources that have a part in these outputs are not read, all others are.
    pub fn hold(&mut self, outputs: &[OutputId]) {
        if outputs.is_empty() && !self.held.contains(&true) {
            return;
        }
        let mut held = vec![false; self.source_names.len()];
        for &source in outputs.iter().flat_map(|output| &self.feeding[output.0]) {
            held[source] = true;
        }
        if *self.held != held[..] {
            self.held = held.into();
        }
    }

    /// What changed since the last checkpoint; everything, the first time. To be called between
    /// two steps.
    pub fn checkpoint(&mut self) -> Result<Snapshot> {
        if self.failed {
            return Err(EngineError::Internal("a checkpoint after a failed step".into()));
        }
        self.ahead = 0..0;
        let mut progress = CircuitProgress { step: self.step, ..CircuitProgress::default() };
        let (mut shards, mut readers) = (Vec::new(), Vec::new());
        for answer in self.ask(|| Command::Checkpoint)? {
            let Answer::Checkpoint(part) = answer else { return Err(unexpected()) };
            let part = part.inspect_err(|_| self.failed = true)?;
            shards.push(part.tables);
            readers.extend(part.readers);
            // All shards agree on watermarks.
            progress.watermarks = part.watermarks;
        }
        readers.sort_by_key(|&(source, id, _)| (source, id));
        progress.readers.resize_with(self.source_names.len(), Vec::new);
        for (source, _, reader) in readers {
            progress.readers[source].push(reader);
        }
        Ok(Snapshot { progress, shards })
    }

    /// Takes over the state of an earlier run of the same circuit, before the first step.
    pub fn restore(&mut self, from: Restored) -> Result<()> {
        if self.step > 0 {
            return Err(EngineError::Internal("a circuit that runs cannot be restored".into()));
        }
        let step = from.progress.step;
        let from = Arc::new(from);
        for answer in self.ask(|| Command::Restore(Arc::clone(&from)))? {
            let Answer::Restored(result) = answer else { return Err(unexpected()) };
            result.inspect_err(|_| self.failed = true)?;
        }
        self.step = step;
        Ok(())
    }

    /// Asks every worker for the same, and waits for all answers.
    fn ask(&mut self, command: impl Fn() -> Command) -> Result<Vec<Answer>> {
        if self.begun.is_some() {
            return Err(EngineError::Internal("asked within a step".into()));
        }
        self.send(&command)?;
        self.answers(command)
    }

    /// Has all threads begin with the same. The one worker without a thread begins when its answer
    /// is wanted.
    fn send(&mut self, command: impl Fn() -> Command) -> Result<()> {
        if let Mode::Threads(threads) = &self.mode {
            for thread in threads {
                let commands = thread.commands.as_ref().ok_or_else(gone)?;
                commands.send(command()).map_err(|_| gone())?;
            }
        }
        Ok(())
    }

    fn answers(&mut self, command: impl Fn() -> Command) -> Result<Vec<Answer>> {
        match &mut self.mode {
            Mode::Inline(worker) => Ok(vec![obey(worker, command())]),
            Mode::Threads(threads) => {
                threads.iter().map(|t| t.reports.recv().map_err(|_| gone())).collect()
            }
        }
    }

    fn merge(&mut self, reports: Vec<WorkerReport>) -> Result<StepReport> {
        let mut merged =
            StepReport { step: self.step, ended: true, quiet: true, ..StepReport::default() };
        let mut error = None;
        for report in reports {
            // A peer that only stopped because another failed says so with an internal error;
            // prefer the cause.
            if let Some(found) = report.error
                && (error.is_none() || matches!(error, Some(EngineError::Internal(_))))
            {
                error = Some(found);
            }
            merged.rows += report.source_rows.iter().sum::<u64>();
            merged.source_rows.resize(report.source_rows.len(), 0);
            for (all, rows) in merged.source_rows.iter_mut().zip(&report.source_rows) {
                *all += rows;
            }
            merged.ended &= report.ended;
            merged.rested = report.rested;
            merged.quiet &= !report.said && report.dead_letters.is_empty();
            merged.watermarks = report.watermarks;
            merged.outputs.resize_with(report.outputs.len(), Vec::new);
            for (all, mut deltas) in merged.outputs.iter_mut().zip(report.outputs) {
                all.append(&mut deltas);
            }
            for (node, deltas) in report.late {
                merged.late.push((self.names[node].clone(), deltas));
            }
            for (source, letter) in report.dead_letters {
                merged.dead_letters.push((self.source_names[source].clone(), letter));
            }
        }
        match error {
            Some(error) => {
                self.failed = true;
                Err(error)
            }
            None => Ok(merged),
        }
    }
}

fn gone() -> EngineError {
    EngineError::Internal("a worker thread is gone".into())
}

fn unexpected() -> EngineError {
    EngineError::Internal("a worker answered what it was not asked".into())
}

fn spawn(mut worker: Worker) -> Result<WorkerThread> {
    let (commands, inbox) = channel::<Command>();
    let (outbox, reports) = channel();
    let handle = std::thread::Builder::new()
        .name(format!("shard-{}", worker.shard()))
        .spawn(move || {
            while let Ok(command) = inbox.recv() {
                if outbox.send(obey(&mut worker, command)).is_err() {
                    break;
                }
            }
        })
        .map_err(|e| EngineError::Internal(format!("cannot start a worker thread: {e}")))?;
    Ok(WorkerThread { commands: Some(commands), reports, handle: Some(handle) })
}

impl Drop for Executor {
    fn drop(&mut self) {
        if let Mode::Threads(threads) = &mut self.mode {
            threads.iter_mut().for_each(|t| drop(t.commands.take()));
            for thread in threads {
                // A worker catches its operators' panics, so a failed join has nothing to add.
                let _ = thread.handle.take().map(JoinHandle::join);
            }
        }
    }
}

/// For each shard and source, the readers that are the shard's.
type DealtReaders = Vec<Vec<Vec<ReaderInput>>>;

/// The readers of every source, dealt to the shards in turn, and how many each source has. The turn
/// goes on from source to source: what reads a source of one reader, up to the first exchange, runs
/// where that reader is, and not all of them should be in the first shard.
fn open_readers(circuit: &Circuit, shards: usize) -> Result<(DealtReaders, Vec<ReaderCount>)> {
    let mut dealt: DealtReaders = Vec::new();
    dealt.resize_with(shards, || Vec::from_iter(circuit.sources.iter().map(|_| Vec::new())));
    let mut counts = Vec::with_capacity(circuit.sources.len());
    let mut turn = (0..shards).cycle();
    for (id, CircuitSource { source, input, .. }) in circuit.sources.iter().enumerate() {
        let mut readers = source.readers(shards)?;
        readers.sort_by_key(|reader| reader.is_beside());
        let beside = readers.iter().filter(|reader| reader.is_beside()).count();
        counts.push(ReaderCount { own: readers.len() - beside, beside });
        for (i, reader) in readers.into_iter().enumerate() {
            // What is read beside a source is seldom read, and takes no turn.
            let shard = if reader.is_beside() { None } else { turn.next() };
            dealt[shard.unwrap_or(i % shards)][id].push(ReaderInput::new(i, reader, input.clone()));
        }
    }
    Ok((dealt, counts))
}
