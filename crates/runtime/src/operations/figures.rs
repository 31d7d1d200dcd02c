//! What a job notes of itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use rialto_engine::executor::{Gauges, NodeRole};
use rialto_engine::{Circuit, Delta, StepReport, Watermark};

use crate::delivery::Backlog;
use crate::output::{JobOutput, Target};

/// A checkpoint that is missing for so many intervals is an alarm.
const ALARM_INTERVALS: u32 = 3;
/// But no interval is so short that a moment's delay is one.
const ALARM_MS_MIN: i64 = 3_000;

/// The figures of one job, written by it and read by others.
#[derive(Debug)]
pub struct Figures {
    pub(super) started_ms: i64,
    pub(super) steps: AtomicU64,
    pub(super) rows: AtomicU64,
    /// The last step took as much as a step takes at most: there may be more waiting.
    pub(super) is_catching_up: AtomicBool,
    pub(super) sources: Vec<SourceFigures>,
    pub(super) outputs: Vec<OutputFigures>,
    /// Rows that came too late, by operator.
    pub(super) late: Mutex<BTreeMap<String, u64>>,
    pub(super) step_seconds: Histogram,
    pub(super) checkpoints: Mutex<CheckpointFigures>,
    /// What the circuit notes of itself.
    pub(super) gauges: Arc<Gauges>,
    /// The outputs that each node has a part in.
    pub(super) node_outputs: Vec<Vec<usize>>,
    /// The nodes that each node reads.
    pub(super) node_inputs: Vec<Vec<usize>>,
}

/// Those of a source.
#[derive(Debug)]
pub(super) struct SourceFigures {
    pub name: String,
    /// Whether it has an event time.
    pub has_time: bool,
    pub rows: AtomicU64,
    pub dead: AtomicU64,
    pub watermark: AtomicI64,
    /// When its last row came, in epoch milliseconds; 0 if none did.
    pub last_row_ms: AtomicI64,
}

/// Those of a sink or view.
#[derive(Debug)]
pub(super) struct OutputFigures {
    pub name: String,
    pub is_view: bool,
    /// The sources that have a part in it.
    pub sources: Vec<usize>,
    /// Rows that were added or taken back.
    pub rows: AtomicU64,
    /// How long it took to hand its changes on.
    pub busy_ns: AtomicU64,
    pub backlog: Mutex<Backlog>,
    /// It holds its sources back until it has delivered more.
    pub is_behind: AtomicBool,
}

/// Those of the checkpoints.
#[derive(Debug, Default, Clone)]
pub(super) struct CheckpointFigures {
    /// None where the job keeps none.
    pub interval_ms: Option<i64>,
    /// How long the next is waited for: the interval, or more while there is a backlog.
    pub wait_ms: i64,
    /// The longest wait since the newest became durable: when a backlog is over, the next one
    /// is due at once, and not late.
    pub longest_wait_ms: i64,
    /// How many have become durable in this run.
    pub count: u64,
    /// The newest that is durable.
    pub durable: Option<TakenFigures>,
    pub durable_ms: i64,
    /// From when it was taken until it was durable.
    pub duration_ms: i64,
    /// The one that is being written.
    pub taken: Option<TakenFigures>,
    /// How often one was asked for, up to the newest that is durable.
    pub answered: u64,
}

/// What is known of a checkpoint when it is taken.
#[derive(Debug, Default, Clone)]
pub(crate) struct TakenFigures {
    pub epoch: u64,
    pub taken_ms: i64,
    pub pause_us: u64,
    pub changed_bytes: u64,
    /// How often one had been asked for.
    pub asked: u64,
}

/// The outputs that each node of a circuit has a part in.
fn node_outputs(circuit: &Circuit, outputs: &[JobOutput], gauges: &Gauges) -> Vec<Vec<usize>> {
    let nodes: Vec<_> = circuit.nodes().collect();
    let mut found: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    // Nodes of outputs are in the order of their numbers.
    let ends = gauges.nodes().into_iter().enumerate().filter(|(_, n)| n.role == NodeRole::Output);
    for (number, (node, _)) in ends.enumerate() {
        let of = |output: &JobOutput| output.output.is_some_and(|id| id.0 == number);
        found[node].extend(outputs.iter().position(of));
    }
    for (at, node) in nodes.iter().enumerate().rev() {
        for input in node.inputs {
            for output in found[at].clone() {
                if !found[input.0].contains(&output) {
                    found[input.0].push(output);
                }
            }
        }
    }
    found.iter_mut().for_each(|outputs| outputs.sort_unstable());
    found
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers are whole between any two calls.
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Figures {
    /// Those of a job that begins.
    pub(crate) fn new(
        circuit: &Circuit,
        outputs: &[JobOutput],
        gauges: &Arc<Gauges>,
        now_ms: i64,
    ) -> Self {
        let node_outputs = node_outputs(circuit, outputs, gauges);
        let inputs = circuit.nodes().map(|node| node.inputs.iter().map(|input| input.0).collect());
        let node_inputs: Vec<Vec<usize>> = inputs.collect();
        let sources = circuit.sources().zip(circuit.sources_with_time());
        let sources = sources.map(|((name, _), has_time)| SourceFigures {
            name: name.to_owned(),
            has_time,
            rows: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            watermark: AtomicI64::new(Watermark::MIN.0),
            last_row_ms: AtomicI64::new(0),
        });
        let feeding = circuit.sources_of_outputs();
        let outputs = outputs.iter().map(|output| OutputFigures {
            name: output.name.clone(),
            is_view: matches!(output.target, Target::Observer),
            sources: output.output.and_then(|o| feeding.get(o.0)).cloned().unwrap_or_default(),
            rows: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            backlog: Mutex::default(),
            is_behind: AtomicBool::new(false),
        });
        Self {
            started_ms: now_ms,
            steps: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            is_catching_up: AtomicBool::new(false),
            sources: sources.collect(),
            outputs: outputs.collect(),
            late: Mutex::default(),
            // From 50 microseconds to some 13 seconds.
            step_seconds: Histogram::new(exponential_buckets(50e-6, 2.0, 19)),
            checkpoints: Mutex::default(),
            gauges: Arc::clone(gauges),
            node_outputs,
            node_inputs,
        }
    }

    /// A step has ended that began at `clock_ms`. `total` is how many rows the job has taken in
    /// all, earlier runs included.
    pub(crate) fn stepped(
        &self,
        report: &StepReport,
        has_backlog: bool,
        total: u64,
        clock_ms: i64,
        took: Duration,
    ) {
        self.steps.store(report.step, Relaxed);
        self.rows.store(total, Relaxed);
        self.is_catching_up.store(has_backlog, Relaxed);
        let each = self.sources.iter().zip(&report.source_rows).zip(&report.watermarks);
        for ((source, &rows), watermark) in each {
            source.watermark.store(watermark.0, Relaxed);
            if rows > 0 {
                source.rows.fetch_add(rows, Relaxed);
                source.last_row_ms.store(clock_ms, Relaxed);
            }
        }
        for (table, _) in &report.dead_letters {
            if let Some(source) = self.sources.iter().find(|s| s.name == *table) {
                source.dead.fetch_add(1, Relaxed);
            }
        }
        if !report.late.is_empty() {
            let mut late = locked(&self.late);
            for (operator, deltas) in &report.late {
                let rows = deltas.iter().map(Delta::num_rows).sum::<usize>() as u64;
                *late.entry(operator.clone()).or_default() += rows;
            }
        }
        // A step that did nothing says nothing of how long steps take.
        if report.rows > 0 {
            self.step_seconds.observe(took.as_secs_f64());
        }
    }

    /// An output has changed by so many rows, and to hand them on took so long.
    pub(crate) fn changed(&self, output: usize, rows: usize, took: Duration) {
        if let Some(output) = self.outputs.get(output) {
            output.rows.fetch_add(rows as u64, Relaxed);
            let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            output.busy_ns.fetch_add(took, Relaxed);
        }
    }

    /// How the deliveries of an output stand.
    pub(crate) fn delivering(&self, output: usize, backlog: Backlog, is_behind: bool) {
        if let Some(output) = self.outputs.get(output) {
            *locked(&output.backlog) = backlog;
            output.is_behind.store(is_behind, Relaxed);
        }
    }

    /// The job keeps checkpoints from now on; `resumed` is the one that it goes on from.
    pub(crate) fn keeps(&self, interval: Duration, resumed: Option<u64>, rows: u64, now_ms: i64) {
        self.rows.store(rows, Relaxed);
        let mut checkpoints = locked(&self.checkpoints);
        checkpoints.interval_ms = Some(millis(interval));
        checkpoints.wait_ms = millis(interval);
        checkpoints.longest_wait_ms = checkpoints.wait_ms;
        checkpoints.durable_ms = now_ms;
        checkpoints.durable =
            resumed.map(|epoch| TakenFigures { epoch, taken_ms: now_ms, ..Default::default() });
    }

    /// The next checkpoint is waited for so long.
    pub(crate) fn waits_for(&self, wait: Duration) {
        let mut checkpoints = locked(&self.checkpoints);
        checkpoints.wait_ms = millis(wait);
        checkpoints.longest_wait_ms = checkpoints.longest_wait_ms.max(checkpoints.wait_ms);
    }

    /// A checkpoint was taken and is being written.
    pub(crate) fn taken(&self, taken: TakenFigures) {
        locked(&self.checkpoints).taken = Some(taken);
    }

    /// The checkpoint that was taken last is durable.
    pub(crate) fn durable(&self, now_ms: i64) {
        let mut checkpoints = locked(&self.checkpoints);
        let Some(taken) = checkpoints.taken.take() else { return };
        checkpoints.count += 1;
        checkpoints.durable_ms = now_ms;
        checkpoints.longest_wait_ms = checkpoints.wait_ms;
        checkpoints.duration_ms = (now_ms - taken.taken_ms).max(0);
        checkpoints.answered = checkpoints.answered.max(taken.asked);
        checkpoints.durable = Some(taken);
    }

    /// A checkpoint would have nothing that the last one has not: it is as good as a new one.
    pub(crate) fn nothing_new(&self, now_ms: i64) {
        let mut checkpoints = locked(&self.checkpoints);
        if checkpoints.taken.is_none() {
            checkpoints.durable_ms = now_ms;
        }
    }

    /// The newest durable checkpoint, if it was taken after the job was asked so often.
    pub fn checkpoint_since(&self, asked: u64) -> Option<u64> {
        let checkpoints = locked(&self.checkpoints);
        let newest = checkpoints.durable.as_ref()?;
        (checkpoints.answered >= asked).then_some(newest.epoch)
    }

    /// Whether the job keeps checkpoints at all.
    pub fn keeps_checkpoints(&self) -> bool {
        locked(&self.checkpoints).interval_ms.is_some()
    }

    /// For how long no checkpoint has become durable, in milliseconds, if that is too long.
    pub fn alarm(&self, now_ms: i64) -> Option<i64> {
        let checkpoints = locked(&self.checkpoints);
        checkpoints.interval_ms?;
        let intervals = checkpoints.longest_wait_ms.saturating_mul(i64::from(ALARM_INTERVALS));
        let since = now_ms - checkpoints.durable_ms;
        (since > intervals.max(ALARM_MS_MIN)).then_some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_intervals_without_a_checkpoint_are_an_alarm() {
        let circuit = Circuit::default();
        let executor = rialto_engine::Executor::new(&circuit, 1).unwrap();
        let figures = Figures::new(&circuit, &[], executor.gauges(), 0);
        assert_eq!(figures.alarm(1_000_000), None, "no checkpoints are kept");
        figures.keeps(Duration::from_secs(10), None, 0, 1_000);
        assert_eq!(figures.alarm(31_000), None);
        assert_eq!(figures.alarm(31_001), Some(30_001));
        assert!(figures.metrics(31_001).contains("rialto_checkpoint_alarm 1.0\n"));
        figures.taken(TakenFigures { epoch: 1, taken_ms: 31_000, asked: 1, ..Default::default() });
        assert!(figures.alarm(31_001).is_some(), "it is not durable yet");
        assert_eq!(figures.checkpoint_since(1), None);
        figures.durable(31_500);
        assert_eq!(figures.alarm(32_000), None);
        assert_eq!(figures.checkpoint_since(1), Some(1));
        assert_eq!(figures.checkpoint_since(2), None);
        assert!(figures.metrics(32_000).contains("rialto_checkpoint_duration_seconds 0.5\n"));
    }

    #[test]
    fn a_checkpoint_that_a_backlog_held_back_is_not_late() {
        let circuit = Circuit::default();
        let executor = rialto_engine::Executor::new(&circuit, 1).unwrap();
        let figures = Figures::new(&circuit, &[], executor.gauges(), 0);
        figures.keeps(Duration::from_secs(1), None, 0, 0);
        figures.waits_for(Duration::from_secs(10));
        assert_eq!(figures.alarm(30_000), None);
        figures.waits_for(Duration::from_secs(1));
        assert_eq!(figures.alarm(9_000), None, "the backlog is over, and it is being written");
        assert_eq!(figures.alarm(30_001), Some(30_001));
        figures.taken(TakenFigures { epoch: 1, taken_ms: 9_000, ..Default::default() });
        figures.durable(9_500);
        assert_eq!(figures.alarm(12_500), None);
        assert_eq!(figures.alarm(12_501), Some(3_001));
    }
}
