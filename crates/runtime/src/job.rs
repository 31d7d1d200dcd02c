//! A job: a circuit in motion with the sinks and views that take its outputs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::datatypes::Schema;
use rialto_engine::consolidate::consolidate;
use rialto_engine::executor::STEP_ROWS_MAX;
use rialto_engine::{
    Circuit, DeadLetter, Delta, Deltas, EngineError, Executor, Parallelism, Result, StepReport,
    Watermark,
};
use rialto_sql::functions::StepClock;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{
    CheckpointError, CheckpointOptions, CheckpointStore, Cut, Found, Identity, Keeper, Resumed,
    Still,
};
use crate::delivery::Outlet;
use crate::letters::{self, Letters, Taken};
use crate::operations::Figures;
use crate::output::{JobOutput, Target};

/// How long a step without news waits before the next.
const IDLE_WAIT: Duration = Duration::from_millis(1);
/// A job that has waited for long waits so many times as long.
const IDLE_WAITS_MAX: f64 = 50.0;
/// And comes to that by one for so many steps without news.
const RESTS_A_WAIT: f64 = 20.0;
/// Operators of a job without news see the clock pass after so many times as long as their last
/// step took, so that an idle job with a thousand of them costs a few percent of a core...
const REST_FACTOR: u32 = 160;
/// ...but at least so often.
const REST_MAX: Duration = Duration::from_secs(2);
/// A job that has had no backlog for so long is live.
const LIVE: Duration = Duration::from_secs(5);
/// A job of which nothing is different takes its next checkpoint after so many intervals.
const QUIET_INTERVALS: u32 = 10;
/// How often a job without checkpoints has its sinks deliver what they took.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(1);
/// Said of a job that is beyond its limit though all that can lies in a file.
const TOO_MUCH_MEMORY: &str = "it holds more memory than it may, and what is left of it is too \
    small to lie in a file: give it more (--memory), fewer --shards, or keep less \
    ('table.exec.state.ttl', watermarks)";
/// How long a job that was asked to stop waits for deliveries that the next run can make as well.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Asks a running job to stop between two steps, or to take a checkpoint there.
#[derive(Debug, Clone, Default)]
pub struct Control {
    stop: Arc<AtomicBool>,
    /// How often a checkpoint was asked for.
    asked: Arc<AtomicU64>,
}

impl Control {
    /// A control that listens to a flag that someone else sets (a signal handler).
    pub fn listening_to(stop: Arc<AtomicBool>) -> Self {
        Self { stop, asked: Arc::default() }
    }

    /// Asks the job for a checkpoint now. [`Figures::checkpoint_since`] says when it is durable, by
    /// the number that is answered here.
    pub fn ask_for_checkpoint(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Asks the job to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether the job was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// What is told of a step.
#[derive(Debug)]
pub struct StepSummary<'a> {
    /// The number of the step.
    pub step: u64,
    /// Rows taken in by this step.
    pub rows: u64,
    /// The least watermark of the sources.
    pub watermark: Watermark,
    /// Records that could not be decoded, with the name of their table.
    pub dead_letters: &'a [(String, DeadLetter)],
    /// Rows that came too late, with the name of the operator.
    pub late: &'a [(String, Deltas)],
}

/// Follows a job from outside.
pub trait Observer {
    /// A view or query has changed. `delta` is consolidated.
    fn changed(&mut self, output: usize, delta: &Delta, step: u64) -> Result<()>;

    /// A step has ended.
    fn stepped(&mut self, summary: &StepSummary<'_>) -> Result<()> {
        let _ = summary;
        Ok(())
    }
}

/// What a job has done in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps taken.
    pub steps: u64,
    /// Rows taken in.
    pub rows: u64,
    /// Rows that came too late.
    pub late: u64,
    /// Records that could not be decoded.
    pub dead_letters: u64,
}

/// A step that has ended and whose outputs are not handed on yet.
struct Ended {
    report: StepReport,
    /// What it has taken of that which was sent again.
    taken: Vec<Taken>,
    began_ms: i64,
    took: Duration,
}

/// A circuit in motion.
pub struct Job {
    executor: Executor,
    outputs: Vec<JobOutput>,
    clock: StepClock,
    rows_max: usize,
    summary: Summary,
    /// What it is, until it is kept.
    identity: Option<Identity>,
    keeper: Option<Keeper>,
    /// When a job without checkpoints has last had its sinks deliver, and as which epoch.
    delivered: (Instant, u64),
    /// When the last step began, by the wall clock and by one that only goes on.
    begun: (i64, Instant),
    /// When operators ran last, and how long that step took.
    ran: (Instant, Duration),
    /// How many steps came to nothing since something came.
    rests: u32,
    /// The last step took as much of a source as a step takes: there is more.
    has_backlog: bool,
    /// When there was a backlog last, or the job began.
    last_backlog: Instant,
    /// Something is different from what the last checkpoint has.
    has_news: bool,
    letters: Option<Letters>,
    figures: Arc<Figures>,
}

impl Job {
    /// Starts a circuit, with so many shards or as many as suit it. `clock` is the one that the
    /// circuit's expressions read.
    pub fn start(
        circuit: &Circuit,
        shards: Option<usize>,
        outputs: Vec<JobOutput>,
        clock: StepClock,
    ) -> Result<Self> {
        clock.set(now_ms());
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let spread = Parallelism::of(circuit, cores, shards);
        let executor = Executor::watched(circuit, spread, stopwatch_ns)?;
        let figures = Figures::new(circuit, &outputs, executor.gauges(), now_ms());
        let figures = Arc::new(figures);
        let identity = Identity::of(circuit, spread.shards, &figures);
        Ok(Self {
            executor,
            outputs,
            clock,
            rows_max: STEP_ROWS_MAX,
            summary: Summary::default(),
            identity: Some(identity),
            keeper: None,
            delivered: (Instant::now(), 0),
            ran: (Instant::now(), Duration::ZERO),
            rests: 0,
            has_backlog: false,
            last_backlog: Instant::now(),
            has_news: true,
            begun: (0, Instant::now()),
            letters: None,
            figures,
        })
    }

    /// What the job notes of itself while it runs.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Keeps what the sources refuse, as part of its checkpoints. To be called before
    /// [`Job::keep`].
    pub(crate) fn keep_letters(&mut self, letters: Letters) -> Result<()> {
        let outlet = Outlet::new(letters::FOLDER, letters.sink())?;
        self.outputs.push(JobOutput {
            name: letters::FOLDER.into(),
            output: None,
            identity: String::new(),
            generation: 0,
            schema: Arc::new(Schema::empty()),
            consolidate: false,
            target: Target::Sink(outlet),
        });
        self.letters = Some(letters);
        Ok(())
    }

    /// Keeps checkpoints from here on, and goes on from those of an earlier run, if there are any.
    /// To be called before the first step.
    pub fn keep(
        &mut self,
        store: CheckpointStore,
        options: CheckpointOptions,
    ) -> std::result::Result<Resumed, CheckpointError> {
        let found = store.newest()?;
        self.keep_from(store, found, options, false)
    }

    /// As [`Job::keep`], from what was found in the store. `may_differ`: what of it fits the job is
    /// taken over, the rest let go.
    pub(crate) fn keep_from(
        &mut self,
        store: CheckpointStore,
        found: Found,
        options: CheckpointOptions,
        may_differ: bool,
    ) -> std::result::Result<Resumed, CheckpointError> {
        let twice = || CheckpointError::Broken("the job is kept already".into());
        let mut identity = self.identity.take().ok_or_else(twice)?;
        identity.may_differ = may_differ;
        if let Some(letters) = &self.letters {
            identity.has_more = letters.are_waiting(&letters.opened()?)?;
        }
        let (executor, outputs) = (&mut self.executor, &mut self.outputs);
        let (keeper, resumed) = Keeper::start(store, found, options, identity, executor, outputs)?;
        if let (Some(letters), None) = (&self.letters, resumed.epoch) {
            letters.begin(now_ms())?;
        }
        self.keeper = Some(keeper);
        self.summary = resumed.summary;
        Ok(resumed)
    }

    /// Bounds the rows that each reader gives to a step; small steps are for tests.
    pub fn set_step_rows_max(&mut self, rows: usize) {
        self.rows_max = rows.max(1);
    }

    /// The outputs, in the order of their plans.
    pub fn outputs(&self) -> &[JobOutput] {
        &self.outputs
    }

    /// Takes one step; false when all input has ended.
    pub fn step(&mut self, observer: &mut dyn Observer) -> Result<bool> {
        self.begin()?;
        let ended = self.end()?;
        let more = !ended.report.ended;
        self.hand_on(ended, observer)?;
        Ok(more)
    }

    /// Begins a step, whose expressions read the clock of this moment.
    fn begin(&mut self) -> Result<()> {
        self.begun = (now_ms(), Instant::now());
        self.clock.set(self.begun.0);
        let rest = (self.ran.1 * REST_FACTOR).min(REST_MAX);
        self.executor.let_rest(self.ran.0.elapsed() < rest);
        if let Some(keeper) = &self.keeper {
            self.executor.write_ahead(keeper.ahead());
        }
        self.executor.begin_step(self.begun.0, self.rows_max)
    }

    /// Waits for the end of the step that has begun.
    fn end(&mut self) -> Result<Ended> {
        let report = self.executor.finish_step()?;
        let taken = self.letters.as_ref().map(Letters::take_taken).unwrap_or_default();
        let (began_ms, began) = self.begun;
        if !report.rested {
            self.ran = (Instant::now(), began.elapsed());
        }
        let full = self.rows_max as u64;
        self.has_backlog = report.source_rows.iter().any(|&rows| rows >= full);
        if self.has_backlog {
            self.last_backlog = Instant::now();
        } else if self.last_backlog.elapsed() > LIVE {
            rialto_memory::settled();
        }
        self.has_news |= !report.quiet;
        self.rests = if report.rows > 0 { 0 } else { self.rests.saturating_add(1) };
        Ok(Ended { report, taken, began_ms, took: began.elapsed() })
    }

    /// Hands what a step has changed to the observer and to the sinks. The observer is first: what
    /// is kept and what is written out is seen later anyway.
    fn hand_on(&mut self, ended: Ended, observer: &mut dyn Observer) -> Result<()> {
        let Ended { mut report, taken, began_ms, took } = ended;
        let mut to_sinks = Vec::new();
        let mut to_keep = Vec::new();
        for (at, output) in self.outputs.iter().enumerate() {
            let Some(id) = output.output else { continue };
            let deltas = report.take_output(id);
            if deltas.is_empty() {
                continue;
            }
            if let Target::Sink(_) = output.target {
                to_sinks.push((at, deltas));
                continue;
            }
            let began = Instant::now();
            let delta = consolidate(&output.schema, &deltas)?;
            if !delta.is_empty() {
                observer.changed(at, &delta, report.step)?;
            }
            self.figures.changed(at, delta.num_rows(), began.elapsed());
            to_keep.push((at, delta));
        }
        self.summary.steps = report.step;
        self.summary.rows += report.rows;
        self.summary.dead_letters += report.dead_letters.len() as u64;
        let late = report.late.iter().flat_map(|(_, d)| d).map(Delta::num_rows).sum::<usize>();
        self.summary.late += late as u64;
        observer.stepped(&StepSummary {
            step: report.step,
            rows: report.rows,
            watermark: report.watermarks.iter().copied().min().unwrap_or(Watermark::MAX),
            dead_letters: &report.dead_letters,
            late: &report.late,
        })?;
        for (at, deltas) in to_sinks {
            let began = Instant::now();
            let rows = self.outputs[at].write(at, deltas, report.step, self.keeper.as_mut())?;
            self.figures.changed(at, rows, began.elapsed());
        }
        if let Some(keeper) = &mut self.keeper {
            to_keep.iter().try_for_each(|(at, delta)| keeper.changed(*at, delta))?;
            if report.rows > 0 {
                let rows = report.source_rows.clone();
                keeper.stepped(Cut { step: report.step, clock_ms: began_ms, rows });
            }
        }
        if let Some(letters) = &self.letters {
            letters.stepped(&report.dead_letters, &taken, now_ms())?;
        }
        self.figures.stepped(&report, self.has_backlog, self.summary.rows, began_ms, took);
        Ok(())
    }

    /// Steps until the input ends or `control` says stop, then makes the sinks' output visible.
    ///
    /// While the outputs of a step are handed on, the shards are at the next step already, as long
    /// as there is more to read and nothing wants the job to stand still; a checkpoint does for as
    /// long as the shards take to say what has changed.
    pub fn run(&mut self, control: &Control, observer: &mut dyn Observer) -> Result<Summary> {
        self.show_kept(observer)?;
        for output in &mut self.outputs {
            if let Target::Sink(outlet) = &mut output.target {
                outlet.begin()?;
            }
        }
        let mut more = true;
        while more && !(control.is_stopped() && !self.executor.is_stepping()) {
            if !self.executor.is_stepping() {
                self.begin()?;
            }
            let ended = self.end()?;
            more = !ended.report.ended;
            let is_busy = more && ended.report.rows > 0;
            let still = match self.is_checkpoint_due(control)? {
                true => self.begin_checkpoint()?,
                false => None,
            };
            if is_busy && self.may_go_on(control) {
                self.begin()?;
            }
            self.hand_on(ended, observer)?;
            self.take_checkpoint(still, false)?;
            self.look_at_deliveries()?;
            if rialto_memory::is_exceeded() && !self.executor.is_stepping() {
                self.finish(false, control)?;
                return Err(EngineError::Resources(TOO_MUCH_MEMORY.into()));
            }
            if !is_busy && more {
                std::thread::sleep(IDLE_WAIT.mul_f64(self.idle_waits()));
            }
        }
        self.finish(!more, control)?;
        Ok(self.summary)
    }

    /// How many times as long as at first to wait for news: more, the longer none came.
    fn idle_waits(&self) -> f64 {
        (1.0 + f64::from(self.rests) / RESTS_A_WAIT).min(IDLE_WAITS_MAX)
    }

    /// Whether the next step may begin before the last one's outputs are handed on.
    fn may_go_on(&self, control: &Control) -> bool {
        self.executor.is_beside() && !control.is_stopped() && !rialto_memory::is_exceeded()
    }

    /// Takes a checkpoint now and waits until it is durable and the sinks have committed it.
    /// Without [`Job::keep`] nothing happens.
    pub fn checkpoint(&mut self) -> Result<()> {
        if self.keeper.is_none() {
            return Ok(());
        }
        self.settle()?;
        let still = self.begin_checkpoint()?;
        self.take_checkpoint(still, false)?;
        self.settle()?;
        self.drain(&mut |_| true).map(drop)
    }

    /// Hands the rows of the views of an earlier run to the observer, as if they came just now;
    /// [`Job::run`] begins with it.
    pub fn show_kept(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        for at in 0..self.outputs.len() {
            if let Some(rows) = keeper.rows(at)? {
                observer.changed(at, &rows, self.summary.steps)?;
            }
        }
        Ok(())
    }

    fn is_checkpoint_due(&mut self, control: &Control) -> Result<bool> {
        let Some(keeper) = &mut self.keeper else { return Ok(false) };
        keeper.settle(&mut self.outputs, false)?;
        if keeper.is_asked(control.asked.load(Ordering::Acquire)) {
            return Ok(true);
        }
        if !keeper.is_due(1, self.has_backlog) {
            return Ok(false);
        }
        let delivers = |output: &JobOutput| match &output.target {
            Target::Sink(outlet) => outlet.delivers(),
            _ => false,
        };
        let has_news = self.has_news || self.outputs.iter().any(delivers);
        if has_news || keeper.is_due(QUIET_INTERVALS, self.has_backlog) {
            return Ok(true);
        }
        self.figures.nothing_new(now_ms());
        Ok(false)
    }

    /// Begins a checkpoint between two steps. Without [`Job::keep`] nothing happens.
    fn begin_checkpoint(&mut self) -> Result<Option<Still>> {
        self.has_news = false;
        let Some(keeper) = &mut self.keeper else { return Ok(None) };
        keeper.begin(&mut self.executor).map(Some)
    }

    /// Takes the checkpoint that was begun, if one was, once all steps before it are handed on; it
    /// is written beside the job.
    fn take_checkpoint(&mut self, still: Option<Still>, finished: bool) -> Result<()> {
        match (&mut self.keeper, still) {
            (Some(keeper), Some(still)) => {
                keeper.take(still, &mut self.outputs, self.summary, finished, now_ms())
            }
            _ => Ok(()),
        }
    }

    /// Waits until the last checkpoint is durable and the sinks have committed it.
    fn settle(&mut self) -> Result<()> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        keeper.settle(&mut self.outputs, true)
    }

    /// Sees how the sinks get on that deliver beside the job: those that are behind hold back what
    /// feeds them, and nothing else.
    fn look_at_deliveries(&mut self) -> Result<()> {
        let mut behind = Vec::new();
        let mut any = false;
        for (at, output) in self.outputs.iter_mut().enumerate() {
            let Target::Sink(outlet) = &mut output.target else { continue };
            if !outlet.delivers() {
                continue;
            }
            outlet.look()?;
            any = true;
            let is_behind = outlet.is_behind();
            self.figures.delivering(at, outlet.backlog(), is_behind);
            if is_behind {
                behind.extend(output.output);
            }
        }
        self.executor.hold(&behind);
        if any && self.keeper.is_none() && self.delivered.0.elapsed() >= DELIVERY_INTERVAL {
            self.deliver(|outlet| outlet.delivers())?;
        }
        Ok(())
    }

    /// Without checkpoints: has sinks make visible what they took.
    fn deliver(&mut self, which: impl Fn(&Outlet) -> bool) -> Result<()> {
        self.delivered = (Instant::now(), self.delivered.1 + 1);
        let epoch = self.delivered.1;
        for output in &mut self.outputs {
            if let Target::Sink(outlet) = &mut output.target
                && which(outlet)
            {
                outlet.prepare(epoch)?;
                outlet.promise(epoch)?;
            }
        }
        Ok(())
    }

    /// Waits for deliveries as long as `patient` says so; answers whether all were made.
    fn drain(&mut self, patient: &mut dyn FnMut(bool) -> bool) -> Result<bool> {
        let mut all = true;
        for output in &mut self.outputs {
            if let Target::Sink(outlet) = &mut output.target {
                all &= outlet.drain(patient)?;
            }
        }
        Ok(all)
    }

    /// Makes what the sinks have taken so far visible; with checkpoints, by the last one. `ended`:
    /// there is nothing to go on with.
    fn finish(&mut self, ended: bool, control: &Control) -> Result<()> {
        let delivers =
            |o: &JobOutput| matches!(&o.target, Target::Sink(outlet) if outlet.delivers());
        let delivers = self.outputs.iter().any(delivers);
        if self.keeper.is_some() {
            self.settle()?;
            let still = self.begin_checkpoint()?;
            self.take_checkpoint(still, ended && !delivers)?;
            self.settle()?;
            if !delivers {
                return Ok(());
            }
            // What is not delivered is in the checkpoint, so whoever asks to stop need not wait.
            let mut stopped: Option<Instant> = None;
            let mut patient = |away: bool| match control.is_stopped() {
                true => {
                    let since = *stopped.get_or_insert_with(Instant::now);
                    !away && since.elapsed() < STOP_PATIENCE
                }
                false => true,
            };
            if !self.drain(&mut patient)? || !ended {
                return Ok(());
            }
            let still = self.begin_checkpoint()?;
            self.take_checkpoint(still, true)?;
            return self.settle();
        }
        self.deliver(|_| true)?;
        // There is nobody who would deliver it later.
        let (began, mut told) = (Instant::now(), false);
        let mut patient = |_| {
            if !told && began.elapsed() > STOP_PATIENCE {
                told = true;
                tracing::warn!("waiting for sinks that do not take what is left");
            }
            true
        };
        self.drain(&mut patient).map(drop)
    }
}

/// Nanoseconds since this was asked first: what the engine measures its nodes by.
fn stopwatch_ns() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = BEGAN.get_or_init(Instant::now);
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The wall clock in epoch milliseconds; the only place where a job reads it.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
