//! Windows by the clock of London, in the nights in which it is put forward and back: held against
//! a row by row reading of what the clock shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, TimestampMillisecondArray};
use arrow::datatypes::{Field, Int64Type, Schema, TimestampMillisecondType};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::operator::testing_rank::batch_of;
use crate::operator::window_assign::{WindowAssign, Windows};
use crate::{Progress, Watermark};

const MINUTE: i64 = 60_000;
/// Of the summer of 2024, as minutes of UTC: both changes are at one o'clock.
const BEGINS: i64 = 28_530_780;
const ENDS: i64 = 28_833_180;

/// The minute that the clock shows.
fn shown(minute: i64) -> i64 {
    if (BEGINS..ENDS).contains(&minute) { minute + 60 } else { minute }
}

/// A window, in minutes of the clock.
type Window = (i64, i64);

/// The windows of a row: those that begin within the length of one before it.
fn windows_of(minute: i64, (slide, size): (i64, i64)) -> Vec<Window> {
    let local = shown(minute);
    let starts = (local - size + 1..=local).filter(|start| start.rem_euclid(slide) == 0);
    starts.map(|start| (start, start + size)).collect()
}

/// Whether the clock has shown the last of a window before `watermark`, for good.
fn closed((start, end): Window, watermark: i64) -> bool {
    let all = (start - 120..end + 120).filter(|&minute| (start..end).contains(&shown(minute)));
    all.max().is_none_or(|last| (last + 1) * MINUTE - 1 <= watermark)
}

/// Counts by window, and how many times a row came too late for one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    counts: BTreeMap<Window, i64>,
    late: usize,
}

fn naive(rows: &[(i64, i64)], windows: (i64, i64)) -> Answer {
    let mut answer = Answer::default();
    for &(minute, watermark) in rows {
        for window in windows_of(minute, windows) {
            if closed(window, watermark) {
                answer.late += 1;
            } else {
                *answer.counts.entry(window).or_default() += 1;
            }
        }
    }
    answer
}

/// `WindowAssign` and a count over it, fed with rows (minute, watermark before it).
struct Circuit {
    assign: WindowAssign,
    count: Aggregate,
    answer: Answer,
    watermark: Watermark,
    step: u64,
    emission: Emission,
}

impl Circuit {
    fn new((slide, size): (i64, i64), emission: Emission) -> Self {
        let zone = LocalZone::new(Tz::Europe__London);
        let windows = Windows::Hop { slide: slide * MINUTE, size: size * MINUTE, offset: 0 };
        let assign = WindowAssign::new(&batch(&[]).schema(), 0, windows, zone).unwrap();
        let input = assign.schema();
        let count = Arc::new(Field::new("n", DataType::Int64, false));
        let keys = input.fields()[1..3].iter().cloned();
        let output = Arc::new(Schema::new(keys.chain([Arc::clone(&count)]).collect::<Vec<_>>()));
        let call = AggregateCall {
            function: AggregateFunction::Count,
            arguments: vec![],
            filter: None,
            distinct: false,
            output: count,
        };
        let spec = AggregateSpec {
            input,
            keys: vec![1, 2],
            calls: vec![call],
            output,
            input_insert_only: true,
            window: Some(WindowRetention { end_key: 1, zone }),
            emission,
            ttl_ms: None,
        };
        let (answer, watermark) = (Answer::default(), Watermark::MIN);
        Self { assign, count: Aggregate::new(spec).unwrap(), answer, watermark, step: 0, emission }
    }

    fn step(&mut self, rows: &[(i64, i64)], after: i64) {
        let behind = rows.iter().any(|&(minute, watermark)| minute * MINUTE <= watermark);
        let arrival = Int64Array::from_iter_values(rows.iter().map(|r| r.1));
        let rows = Delta::insert_only(batch(rows)).with_arrival(behind.then_some(arrival));
        let progress = [Progress { before: self.watermark, after: Watermark(after) }];
        self.step += 1;
        let mut late = Deltas::new();
        let mut context = StepContext {
            step: self.step,
            clock_ms: 0,
            shard: 0,
            shards: 1,
            inputs: &progress,
            late: &mut late,
        };
        let windows = vec![vec![self.assign.assign(&rows).unwrap()]];
        let output = self.count.step(windows, &mut context).unwrap();
        self.watermark = Watermark(after);
        self.answer.late += late.iter().map(Delta::num_rows).sum::<usize>();
        for delta in &output {
            let time = |c: usize, row| {
                delta.column(c).as_primitive::<TimestampMillisecondType>().value(row) / MINUTE
            };
            for row in 0..delta.num_rows() {
                let n = delta.column(2).as_primitive::<Int64Type>().value(row);
                let window = (time(0, row), time(1, row));
                let sum = self.answer.counts.entry(window).or_default();
                *sum += n * delta.weight(row);
                assert!(self.emission == Emission::Updates || closed(window, after));
            }
        }
    }
}

fn batch(rows: &[(i64, i64)]) -> arrow::array::RecordBatch {
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.0 * MINUTE));
    batch_of(vec![("ts", Arc::new(times.with_timezone("UTC")))])
}

/// Rows around a change, most of them in order; the watermark is half a minute off every row.
fn rows() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let row = (0_i64..25, 0_i64..90);
    let change = prop_oneof![Just(BEGINS), Just(ENDS)];
    (change, prop::collection::vec(row, 0..40)).prop_map(|(change, rows)| {
        let mut now = change - 240;
        let mut watermark = i64::MIN;
        let mut all = Vec::new();
        for (ahead, back) in rows {
            now += ahead;
            let minute = now - back;
            all.push((minute, watermark));
            watermark = watermark.max((now - 45) * MINUTE + MINUTE / 2);
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_repeated_or_missing_hour_loses_and_repeats_no_window(
        rows in rows(),
        windows in prop_oneof![
            Just((60, 60)), Just((30, 60)), Just((45, 90)), Just((20, 20)), Just((1440, 1440)),
        ],
        cuts in prop::collection::vec(1_usize..9, 1..8),
        last_only in any::<bool>(),
    ) {
        let emission = if last_only { Emission::Final } else { Emission::Updates };
        let mut circuit = Circuit::new(windows, emission);
        let mut rest = rows.as_slice();
        for cut in cuts.iter().cycle() {
            let (step, others) = rest.split_at((*cut).min(rest.len()));
            rest = others;
            let after = rest.first().map_or(i64::MAX, |r| r.1);
            circuit.step(step, after);
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(circuit.answer, naive(&rows, windows));
    }
}
