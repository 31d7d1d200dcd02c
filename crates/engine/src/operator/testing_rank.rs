//! Helpers of the operators' tests: a harness that sums up outputs, and random keyed input with
//! the watermarks that a source would give it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use crate::{Delta, Operator, Progress, StepContext, Watermark};

/// A multiset of rows as text, `|` between the columns.
pub(crate) type Bag = BTreeMap<String, i64>;

pub(crate) fn add(bag: &mut Bag, row: String, weight: i64) {
    let count = bag.entry(row).or_default();
    *count += weight;
    if *count == 0 {
        bag.retain(|_, count| *count != 0);
    }
}

pub(crate) fn batch_of(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field = |(name, c): &(&str, ArrayRef)| Field::new(*name, c.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|c| c.1).collect()).unwrap()
}

pub(crate) fn delta_of(batch: RecordBatch, weights: &[i64]) -> Delta {
    Delta::weighted(batch, Int64Array::from(weights.to_vec()))
}

fn pour(bag: &mut Bag, delta: &Delta) {
    for row in 0..delta.num_rows() {
        let value = |c: &ArrayRef| {
            if c.is_null(row) { "null".into() } else { array_value_to_string(c, row).unwrap() }
        };
        let text: Vec<String> = delta.batch().columns().iter().map(value).collect();
        add(bag, text.join("|"), delta.weight(row));
    }
}

/// Runs one operator and sums up all that it gives out.
pub(crate) struct Harness {
    pub(crate) operator: Box<dyn Operator>,
    pub(crate) sum: Bag,
    pub(crate) late: Bag,
    pub(crate) retractions: usize,
    watermark: Watermark,
    step: u64,
}

impl Harness {
    pub(crate) fn new(operator: Box<dyn Operator>) -> Self {
        Self {
            operator,
            sum: Bag::new(),
            late: Bag::new(),
            retractions: 0,
            watermark: Watermark::MIN,
            step: 0,
        }
    }

    /// One step, after which the watermark stands at `after`.
    pub(crate) fn step(&mut self, input: Vec<Delta>, after: i64) {
        self.step += 1;
        let progress = [Progress { before: self.watermark, after: Watermark(after) }];
        let mut late = Vec::new();
        let mut context = StepContext {
            step: self.step,
            clock_ms: 0,
            shard: 0,
            shards: 1,
            inputs: &progress,
            late: &mut late,
        };
        let output = self.operator.step(vec![input], &mut context).unwrap();
        self.watermark = Watermark(after);
        let before = self.operator.watermark(&[progress[0].before], 0);
        assert!(before <= self.operator.watermark(&[progress[0].after], 0));
        for delta in &output {
            self.retractions += delta.weights().map_or(0, |w| w.iter().filter(|w| **w < 0).count());
            pour(&mut self.sum, delta);
        }
        for delta in &late {
            pour(&mut self.late, delta);
        }
    }
}

/// A change of the input: a row and how often it is added or taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Event {
    pub(crate) key: Option<i64>,
    pub(crate) time: i64,
    pub(crate) value: Option<i64>,
    pub(crate) weight: i64,
    /// The watermark that stood before this change.
    pub(crate) watermark: i64,
}

/// The columns `k`, `ts`, `v` of some events, as a source gives them: arrival watermarks only
/// where some row is at or behind its own.
pub(crate) fn delta_of_events(events: &[Event]) -> Delta {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", Arc::new(Int64Array::from_iter(events.iter().map(|e| e.key)))),
        (
            "ts",
            Arc::new(TimestampMillisecondArray::from_iter_values(events.iter().map(|e| e.time))),
        ),
        ("v", Arc::new(Int64Array::from_iter(events.iter().map(|e| e.value)))),
    ];
    let batch = batch_of(columns);
    let weights: Vec<i64> = events.iter().map(|e| e.weight).collect();
    let delta = match weights.iter().all(|w| *w == 1) {
        true => Delta::insert_only(batch),
        false => delta_of(batch, &weights),
    };
    let behind = events.iter().any(|e| e.time <= e.watermark);
    let arrival = Int64Array::from_iter_values(events.iter().map(|e| e.watermark));
    delta.with_arrival(behind.then_some(arrival))
}

/// A story: events and where it is cut into steps; each step ends with a watermark.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) steps: Vec<(Vec<Event>, i64)>,
}

impl Story {
    pub(crate) fn schema() -> arrow::datatypes::SchemaRef {
        delta_of_events(&[]).schema()
    }
}

/// What a story is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plot {
    pub(crate) keys: i64,
    pub(crate) values: i64,
    pub(crate) retracting: bool,
    /// How far the watermark stays behind the greatest time; none: there is no watermark.
    pub(crate) delay: Option<i64>,
}

/// Random stories. Times drift upwards with disorder, so that some rows are late. No row ever has
/// a negative multiplicity.
pub(crate) fn stories(plot: Plot) -> impl Strategy<Value = Story> {
    let change = (
        proptest::option::weighted(0.9, 0..plot.keys),
        0_i64..24,
        proptest::option::weighted(0.9, 0..plot.values),
        0_u8..4,
        any::<prop::sample::Index>(),
    );
    (prop::collection::vec(change, 0..60), prop::collection::vec(0_usize..12, 1..12)).prop_map(
        move |(changes, cuts)| {
            let mut events: Vec<Event> = Vec::new();
            let mut alive: Vec<Event> = Vec::new();
            let mut watermark = i64::MIN;
            for (at, (key, jitter, value, kind, pick)) in changes.into_iter().enumerate() {
                let mut event =
                    Event { key, time: at as i64 + jitter, value, weight: 1, watermark };
                if plot.retracting && kind == 0 && !alive.is_empty() {
                    let gone = alive.swap_remove(pick.index(alive.len()));
                    event = Event { weight: -1, watermark, ..gone };
                } else {
                    event.weight = if plot.retracting && kind == 1 { 2 } else { 1 };
                    alive.extend((0..event.weight).map(|_| event.clone()));
                }
                if let Some(delay) = plot.delay {
                    watermark = watermark.max(event.time - delay);
                }
                events.push(event);
            }
            cut(events, &cuts, plot, watermark)
        },
    )
}

fn cut(mut events: Vec<Event>, cuts: &[usize], plot: Plot, last: i64) -> Story {
    let mut steps = Vec::new();
    for length in cuts.iter().cycle().take(200) {
        let rest = events.split_off((*length).min(events.len()));
        // The watermark before the next event is the one after this step.
        let after = rest.first().map_or(last, |e| e.watermark);
        steps.push((std::mem::replace(&mut events, rest), after));
        if events.is_empty() {
            break;
        }
    }
    steps.push((events, if plot.delay.is_some() { i64::MAX } else { last }));
    Story { steps }
}
