//! OVER windows against a from-scratch evaluation after every step.

use arrow::array::{Float64Array, TimestampMillisecondArray};
use arrow::datatypes::DataType;
use datafusion_physical_expr::expressions::Column;
use proptest::prelude::*;

use super::*;
use crate::operator::order::SortColumn;
use crate::operator::testing_rank::{
    Bag, Event, Harness, Plot, Story, add, delta_of_events, stories,
};
use FrameBound::{CurrentRow, Following, Preceding, UnboundedFollowing, UnboundedPreceding};
use FrameUnits::{Range, Rows};

fn function(kind: FunctionKind) -> WindowFunction {
    use FunctionKind::{CumeDist, Lag, PercentRank, Variance};
    let float = matches!(kind, PercentRank | CumeDist | Variance { .. });
    let data_type = if float { DataType::Float64 } else { DataType::Int64 };
    WindowFunction {
        kind,
        argument: Some(Arc::new(Column::new("v", 2))),
        distinct: false,
        filter: None,
        default: matches!(kind, Lag(_)).then(|| Arc::new(Column::new("k", 0)) as Expression),
        output: Arc::new(Field::new(format!("{kind:?}"), data_type, true)),
    }
}

const BACKWARDS: [FunctionKind; 14] = [
    FunctionKind::Count,
    FunctionKind::Sum,
    FunctionKind::Avg,
    FunctionKind::Min,
    FunctionKind::Max,
    FunctionKind::First(Nulls::Respect),
    FunctionKind::First(Nulls::Ignore),
    FunctionKind::Last(Nulls::Respect),
    FunctionKind::Last(Nulls::Ignore),
    FunctionKind::Variance { sample: true, root: true },
    FunctionKind::Lag(2),
    FunctionKind::RowNumber,
    FunctionKind::Rank,
    FunctionKind::DenseRank,
];

const FORWARDS: [FunctionKind; 4] = [
    FunctionKind::Lead(2),
    FunctionKind::Ntile(3),
    FunctionKind::PercentRank,
    FunctionKind::CumeDist,
];

fn number(value: Option<i64>) -> String {
    value.map_or("null".into(), |v| v.to_string())
}

fn shown(array: ArrayRef) -> String {
    if array.is_null(0) {
        return "null".into();
    }
    arrow::util::display::array_value_to_string(&array, 0).unwrap()
}

fn float(value: Option<f64>) -> String {
    shown(Arc::new(Float64Array::from(vec![value])))
}

fn text(event: &Event) -> String {
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![event.time]));
    [number(event.key), shown(time), number(event.value)].join("|")
}

/// The number by which the test orders, nulls lowest.
fn order_value(event: &Event, by_value: bool) -> Option<i64> {
    if by_value { event.value.map(|v| -v) } else { Some(event.time) }
}

/// The rows of a frame, from scratch.
fn frame_of(rows: &[&Event], at: usize, frame: &Frame, by_value: bool) -> Vec<Option<i64>> {
    let order = |i: usize| order_value(rows[i], by_value);
    let inside = |i: usize, bound: FrameBound, start: bool| -> bool {
        let (i_at, here) = (i as i64, at as i64);
        match (bound, frame.units) {
            (UnboundedPreceding | UnboundedFollowing, _) => true,
            (CurrentRow, Rows) => {
                if start {
                    i >= at
                } else {
                    i <= at
                }
            }
            (CurrentRow, Range) if order(i) == order(at) => true,
            (CurrentRow, Range) => {
                if start {
                    i > at
                } else {
                    i < at
                }
            }
            (Preceding(n), Rows) if start => i_at >= here - n as i64,
            (Preceding(n), Rows) => i_at <= here - n as i64,
            (Following(n), Rows) if start => i_at >= here + n as i64,
            (Following(n), Rows) => i_at <= here + n as i64,
            (Preceding(n) | Following(n), Range) => {
                // A null has no distance: it sees its peers and what the other bound lets in.
                let Some(value) = order(at) else {
                    return order(i) == order(at) || (i > at) == start;
                };
                // Nulls come last here, so they are behind every value.
                let Some(i_value) = order(i) else { return start };
                let sign = if matches!(bound, Preceding(_)) { -1 } else { 1 };
                let limit = value + sign * n as i64;
                if start { i_value >= limit } else { i_value <= limit }
            }
        }
    };
    let within = |&i: &usize| inside(i, frame.start, true) && inside(i, frame.end, false);
    (0..rows.len()).filter(within).map(|i| rows[i].value).collect()
}

fn naive_function(
    function: &WindowFunction,
    rows: &[&Event],
    at: usize,
    frame: &Frame,
    by_value: bool,
) -> String {
    let values = frame_of(rows, at, frame, by_value);
    let mut there: Vec<i64> = values.iter().copied().flatten().collect();
    if function.distinct {
        there.sort_unstable();
        there.dedup();
    }
    let sum: i64 = there.iter().sum();
    let order = |i: usize| order_value(rows[i], by_value);
    let smaller = (0..at).filter(|&i| order(i) != order(at)).count();
    let up_to = (0..rows.len()).filter(|&i| i <= at || order(i) == order(at)).count();
    let total = rows.len();
    let groups: std::collections::BTreeSet<_> = (0..=at).map(order).collect();
    match function.kind {
        FunctionKind::Count => there.len().to_string(),
        FunctionKind::Sum => number((!there.is_empty()).then_some(sum)),
        FunctionKind::Avg => number((!there.is_empty()).then(|| sum / there.len() as i64)),
        FunctionKind::Min => number(there.iter().min().copied()),
        FunctionKind::Max => number(there.iter().max().copied()),
        FunctionKind::First(Nulls::Respect) => number(values.first().copied().flatten()),
        FunctionKind::First(Nulls::Ignore) => number(there.first().copied()),
        FunctionKind::Last(Nulls::Respect) => number(values.last().copied().flatten()),
        FunctionKind::Last(Nulls::Ignore) => number(there.last().copied()),
        FunctionKind::Variance { .. } => {
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for value in there.iter().map(|v| *v as f64) {
                count += 1.0;
                let distance = value - mean;
                mean += distance / count;
                squares += distance * (value - mean);
            }
            float((count > 1.0).then(|| (squares / (count - 1.0)).sqrt()))
        }
        FunctionKind::Lag(n) => {
            let before = at.checked_sub(n as usize).and_then(|before| rows[before].value);
            number(before.or(rows[at].key))
        }
        FunctionKind::Lead(n) => number(rows.get(at + n as usize).and_then(|r| r.value)),
        FunctionKind::RowNumber => (at + 1).to_string(),
        FunctionKind::Rank => (smaller + 1).to_string(),
        FunctionKind::DenseRank => groups.len().to_string(),
        FunctionKind::Ntile(n) => {
            let sizes =
                (0..n as usize).map(|i| total / n as usize + usize::from(i < total % n as usize));
            let mut end = 0;
            let ends: Vec<usize> = sizes
                .map(|s| {
                    end += s;
                    end
                })
                .collect();
            (ends.iter().position(|end| at < *end).unwrap() + 1).to_string()
        }
        FunctionKind::PercentRank => {
            float(Some(if total > 1 { smaller as f64 / (total - 1) as f64 } else { 0.0 }))
        }
        FunctionKind::CumeDist => float(Some(up_to as f64 / total as f64)),
    }
}

fn naive(rows: &[Event], spec: &OverSpec, by_value: bool) -> Bag {
    let mut sorted: Vec<(usize, &Event)> = rows.iter().enumerate().collect();
    sorted.sort_by_key(|(arrival, e)| {
        // Peers: by arrival, or by the bytes of (k, ts, v).
        let tie = if spec.input_insert_only { (*arrival as i64, None) } else { (e.time, e.value) };
        (
            e.key,
            order_value(e, by_value).is_some() == by_value && by_value,
            order_value(e, by_value),
            tie,
        )
    });
    let mut bag = Bag::new();
    for key in sorted.iter().map(|r| r.1.key).collect::<std::collections::BTreeSet<_>>() {
        let mut rows: Vec<&Event> = sorted.iter().filter(|r| r.1.key == key).map(|r| r.1).collect();
        if by_value {
            // Descending: nulls go last.
            let nulls = rows.iter().filter(|r| r.value.is_none()).count();
            let first = rows.iter().position(|r| r.value.is_none()).unwrap_or(0);
            rows[first..].rotate_left(nulls);
        }
        for at in 0..rows.len() {
            let results = spec.functions.iter();
            let results = results.map(|f| naive_function(f, &rows, at, &spec.frame, by_value));
            let all: Vec<String> = [text(rows[at])].into_iter().chain(results).collect();
            add(&mut bag, all.join("|"), 1);
        }
    }
    bag
}

fn content(events: &[Event]) -> Vec<Event> {
    let mut rows: Vec<Event> = Vec::new();
    for event in events {
        let same = |r: &Event| (r.key, r.time, r.value) == (event.key, event.time, event.value);
        if event.weight > 0 {
            rows.extend((0..event.weight).map(|_| event.clone()));
        } else if let Some(at) = rows.iter().rposition(same) {
            rows.remove(at);
        }
    }
    rows
}

fn spec(kinds: &[FunctionKind], frame: Frame, by_value: bool) -> OverSpec {
    let order = if by_value { SortColumn::descending(2) } else { SortColumn::ascending(1) };
    OverSpec {
        partition: vec![0],
        order: vec![order],
        frame,
        functions: kinds.iter().map(|k| function(*k)).collect(),
        input_insert_only: false,
        event_time: None,
        emission: Emission::Updates,
    }
}

fn check(story: &Story, spec: &OverSpec, by_value: bool) {
    let mut harness = Harness::new(Box::new(Over::new(&Story::schema(), spec.clone()).unwrap()));
    let (mut events, mut late) = (Vec::new(), Bag::new());
    for (step, after) in &story.steps {
        harness.step(vec![delta_of_events(step)], *after);
        for event in step {
            if spec.event_time.is_some() && event.time <= event.watermark {
                add(&mut late, text(event), event.weight);
            } else {
                events.push(event.clone());
            }
        }
        let mut rows = content(&events);
        if spec.emission == Emission::Final {
            rows.retain(|e| e.time <= *after);
        }
        assert_eq!(harness.sum, naive(&rows, spec, by_value));
        assert_eq!(harness.late, late);
    }
    assert!(spec.emission == Emission::Updates || harness.retractions == 0);
}

fn frames() -> Vec<Frame> {
    let frame = |units, start, end| Frame { units, start, end };
    vec![
        Frame::DEFAULT,
        frame(Rows, UnboundedPreceding, CurrentRow),
        frame(Rows, Preceding(2), CurrentRow),
        frame(Range, Preceding(6), CurrentRow),
        frame(Range, CurrentRow, CurrentRow),
        frame(Rows, Preceding(3), Preceding(1)),
        frame(Rows, Preceding(1), Following(2)),
        frame(Range, Preceding(4), Following(3)),
        frame(Rows, CurrentRow, UnboundedFollowing),
        frame(Range, UnboundedPreceding, Following(2)),
    ]
}

const RETRACTING: Plot = Plot { keys: 2, values: 5, retracting: true, delay: None };
const INSERTING: Plot = Plot { keys: 2, values: 5, retracting: false, delay: None };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn equals_the_batch_answer(
        retracting in stories(RETRACTING), inserting in stories(INSERTING),
        frame in prop::sample::select(frames()), by_value in any::<bool>(),
        kinds in prop::sample::subsequence([&BACKWARDS[..], &FORWARDS[..]].concat(), 1..18),
        distinct in any::<bool>(),
    ) {
        let mut spec = spec(&kinds, frame, by_value);
        for function in spec.functions.iter_mut().filter(|f| f.can_be_distinct()) {
            function.distinct = distinct;
        }
        check(&retracting, &spec, by_value);
        check(&inserting, &OverSpec { input_insert_only: true, ..spec }, by_value);
    }

    #[test]
    fn what_the_watermark_settles_is_final_and_dropped(
        retracting in stories(Plot { delay: Some(8), ..RETRACTING }),
        inserting in stories(Plot { delay: Some(8), ..INSERTING }),
        frame in prop::sample::select(frames()[..6].to_vec()),
        kinds in prop::sample::subsequence(BACKWARDS.to_vec(), 1..14),
        last_only in any::<bool>(),
    ) {
        let emission = if last_only { Emission::Final } else { Emission::Updates };
        let spec = OverSpec { event_time: Some(1), emission, ..spec(&kinds, frame, false) };
        check(&retracting, &spec, false);
        check(&inserting, &OverSpec { input_insert_only: true, ..spec }, false);
    }
}

fn event(time: i64, value: i64) -> Event {
    Event { key: Some(1), time, value: Some(value), weight: 1, watermark: i64::MIN }
}

#[test]
fn an_appended_row_touches_no_other() {
    let frame = Frame { units: Rows, start: UnboundedPreceding, end: CurrentRow };
    let spec = OverSpec { input_insert_only: true, ..spec(&BACKWARDS, frame, false) };
    let mut harness = Harness::new(Box::new(Over::new(&Story::schema(), spec).unwrap()));
    for time in 0..500 {
        harness.step(vec![delta_of_events(&[event(time, time % 7)])], i64::MIN);
    }
    assert_eq!((harness.sum.len(), harness.retractions), (500, 0));
    // A row that comes too soon in the order changes those after it, and only those.
    harness.step(vec![delta_of_events(&[event(489, 3)])], i64::MIN);
    assert_eq!((harness.sum.len(), harness.retractions), (501, 10));
}

#[test]
fn bounded_frames_keep_bounded_state() {
    let frame = Frame { units: Range, start: Preceding(10), end: CurrentRow };
    for emission in [Emission::Updates, Emission::Final] {
        let kinds = [FunctionKind::Sum, FunctionKind::Max, FunctionKind::Lag(1)];
        let spec = OverSpec {
            input_insert_only: true,
            event_time: Some(1),
            emission,
            ..spec(&kinds, frame, false)
        };
        let mut harness = Harness::new(Box::new(Over::new(&Story::schema(), spec).unwrap()));
        for time in 0..500 {
            let event = Event { watermark: time - 6, ..event(time, 1) };
            harness.step(vec![delta_of_events(&[event])], time - 5);
            assert!(harness.operator.state_rows() < 30, "{}", harness.operator.state_rows());
        }
    }
}

#[test]
fn impossible_windows_are_refused() {
    let by_offset = Frame { units: Range, start: Preceding(1), end: CurrentRow };
    let mut two = spec(&BACKWARDS, by_offset, false);
    two.order.push(SortColumn::ascending(2));
    assert!(Over::new(&Story::schema(), two).err().unwrap().to_string().contains("RANGE"));
    let final_lead = OverSpec {
        emission: Emission::Final,
        event_time: Some(1),
        ..spec(&FORWARDS, Frame::DEFAULT, false)
    };
    let error = Over::new(&Story::schema(), final_lead).err().unwrap().to_string();
    assert!(error.contains("not supported"));
}
