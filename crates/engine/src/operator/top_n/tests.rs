//! Top-N against a from-scratch evaluation after every step.

use arrow::array::{AsArray, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use proptest::prelude::*;

use super::*;
use crate::operator::testing_rank::{
    Bag, Event, Harness, Plot, Story, add, batch_of, delta_of, delta_of_events, stories,
};

/// The width of the tumbling windows of the window Top-N tests.
const WINDOW: i64 = 10;

fn window_end(event: &Event) -> i64 {
    event.time.div_euclid(WINDOW) * WINDOW + WINDOW
}

/// The columns `k`, `ts`, `v`, `window_end`.
fn windowed(events: &[Event]) -> Delta {
    let delta = delta_of_events(events);
    let ends = TimestampMillisecondArray::from_iter_values(events.iter().map(window_end));
    let c = delta.batch().columns();
    let columns = vec![
        ("k", c[0].clone()),
        ("ts", c[1].clone()),
        ("v", c[2].clone()),
        ("window_end", Arc::new(ends) as ArrayRef),
    ];
    delta.with_batch(batch_of(columns))
}

fn spec(function: RankFunction, first: u64, last: Option<u64>) -> TopNSpec {
    TopNSpec {
        function,
        partition: vec![0],
        order: vec![SortColumn::descending(2)],
        first,
        last,
        rank_output: None,
        input_insert_only: false,
        ties: Ties::FirstArrival,
        window_end: None,
        zone: LocalZone::UTC,
        emission: Emission::Updates,
        ttl_ms: None,
    }
}

/// The rows that are there, in the order of their arrival.
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

fn text(event: &Event, rank: Option<i64>, windows: bool) -> String {
    let number = |v: Option<i64>| v.map_or("null".into(), |v| v.to_string());
    let time = |ms: i64| {
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![ms]));
        arrow::util::display::array_value_to_string(&times, 0).unwrap()
    };
    let mut parts = vec![number(event.key), time(event.time), number(event.value)];
    parts.extend(windows.then(|| time(window_end(event))));
    parts.extend(rank.map(|r| r.to_string()));
    parts.join("|")
}

/// The batch answer: sorts every partition by value (descending, nulls last), then by `tie`.
fn naive(rows: &[Event], spec: &TopNSpec, windows: bool) -> Bag {
    let mut rows: Vec<(usize, &Event)> = rows.iter().enumerate().collect();
    rows.sort_by_key(|(arrival, e)| {
        let arrival = *arrival as i64;
        let tie = match (spec.input_insert_only, spec.ties) {
            (true, Ties::FirstArrival) => (arrival, None, 0),
            (true, Ties::LastArrival) => (-arrival, None, 0),
            (false, _) => (0, Some(e.time), 0),
        };
        (e.key, windows.then(|| window_end(e)), std::cmp::Reverse(e.value), tie)
    });
    let mut bag = Bag::new();
    let partition = |e: &Event| (e.key, windows.then(|| window_end(e)));
    let mut at = 0;
    while at < rows.len() {
        let here = partition(rows[at].1);
        let end = at + rows[at..].iter().take_while(|(_, e)| partition(e) == here).count();
        let group = &rows[at..end];
        for (place, (_, event)) in group.iter().enumerate() {
            let less = group.iter().filter(|(_, o)| o.value > event.value);
            let values: std::collections::BTreeSet<_> =
                less.clone().map(|(_, o)| o.value).collect();
            let rank = match spec.function {
                RankFunction::RowNumber => place,
                RankFunction::Rank => less.count(),
                RankFunction::DenseRank => values.len(),
            } as u64
                + 1;
            if rank >= spec.first && spec.last.is_none_or(|last| rank <= last) {
                let rank = spec.rank_output.as_ref().map(|_| rank as i64);
                add(&mut bag, text(event, rank, windows), 1);
            }
        }
        at = end;
    }
    bag
}

fn check(story: &Story, spec: TopNSpec) {
    let operator = TopN::new(&Story::schema(), spec.clone()).unwrap();
    let mut harness = Harness::new(Box::new(operator));
    let mut events = Vec::new();
    for (step, after) in &story.steps {
        harness.step(vec![delta_of_events(step)], *after);
        events.extend(step.iter().cloned());
        assert_eq!(harness.sum, naive(&content(&events), &spec, false), "{spec:?}");
    }
}

fn check_windowed(story: &Story, spec: TopNSpec) {
    let operator = TopN::new(&windowed(&[]).schema(), spec.clone()).unwrap();
    let mut harness = Harness::new(Box::new(operator));
    let (mut events, mut late) = (Vec::new(), Bag::new());
    for (step, after) in &story.steps {
        harness.step(vec![windowed(step)], *after);
        for event in step {
            if window_end(event) - 1 <= event.watermark {
                add(&mut late, text(event, None, true), event.weight);
            } else {
                events.push(event.clone());
            }
        }
        let closed = |e: &Event| window_end(e) - 1 <= *after;
        let mut rows = content(&events);
        if spec.emission == Emission::Final {
            rows.retain(closed);
        }
        assert_eq!(harness.sum, naive(&rows, &spec, true), "{spec:?}");
        assert_eq!(harness.late, late);
    }
    assert_eq!(harness.operator.state_rows(), 0, "all windows are closed at the end");
}

fn functions() -> impl Strategy<Value = RankFunction> {
    prop::sample::select(vec![RankFunction::RowNumber, RankFunction::Rank, RankFunction::DenseRank])
}

fn bounds() -> impl Strategy<Value = (u64, Option<u64>)> {
    prop::sample::select(vec![(1, Some(1)), (1, Some(3)), (2, Some(2)), (2, Some(4)), (1, None)])
}

fn rank_output() -> impl Strategy<Value = Option<String>> {
    prop::sample::select(vec![None, Some("rank".to_string())])
}

const RETRACTING: Plot = Plot { keys: 3, values: 5, retracting: true, delay: None };
const INSERTING: Plot = Plot { keys: 3, values: 5, retracting: false, delay: None };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn equals_the_batch_answer_over_retracting_input(
        story in stories(RETRACTING), function in functions(), (first, last) in bounds(),
        rank_output in rank_output(),
    ) {
        check(&story, TopNSpec { rank_output, ..spec(function, first, last) });
    }

    #[test]
    fn equals_the_batch_answer_over_insert_only_input(
        story in stories(INSERTING), function in functions(), (first, last) in bounds(),
        rank_output in rank_output(), last_wins in any::<bool>(), many in any::<bool>(),
    ) {
        let ties = if last_wins { Ties::LastArrival } else { Ties::FirstArrival };
        let mut spec = TopNSpec {
            rank_output, input_insert_only: true, ties, ..spec(function, first, last)
        };
        if many {
            // Several columns take the way of row bytes; the second decides nothing here.
            spec.order.push(SortColumn::ascending(0));
        }
        check(&story, spec);
    }

    #[test]
    fn a_window_top_n_forgets_what_is_closed(
        insert_only in stories(Plot { delay: Some(8), ..INSERTING }),
        retracting in stories(Plot { delay: Some(8), ..RETRACTING }),
        function in functions(), (first, last) in bounds(), rank_output in rank_output(),
        last_only in any::<bool>(),
    ) {
        let emission = if last_only { Emission::Final } else { Emission::Updates };
        let spec = TopNSpec {
            rank_output, partition: vec![0, 3], window_end: Some(3), emission,
            ..spec(function, first, last)
        };
        check_windowed(&retracting, spec.clone());
        check_windowed(&insert_only, TopNSpec { input_insert_only: true, ..spec });
    }
}

fn events(rows: &[(i64, i64, i64)]) -> Vec<Event> {
    let event = |&(key, time, value): &(i64, i64, i64)| Event {
        key: Some(key),
        time,
        value: Some(value),
        weight: 1,
        watermark: i64::MIN,
    };
    rows.iter().map(event).collect()
}

#[test]
fn only_the_net_change_of_a_step_comes_out() {
    let spec = TopNSpec { input_insert_only: true, ..spec(RankFunction::RowNumber, 1, Some(1)) };
    let mut harness = Harness::new(Box::new(TopN::new(&Story::schema(), spec).unwrap()));
    harness.step(vec![delta_of_events(&events(&[(1, 0, 1), (1, 1, 5), (1, 2, 9)]))], 0);
    assert_eq!((harness.sum.len(), harness.retractions), (1, 0));
    harness.step(vec![delta_of_events(&events(&[(1, 3, 4), (1, 4, 10), (1, 5, 11)]))], 0);
    assert_eq!((harness.sum.len(), harness.retractions), (1, 1));
    assert_eq!(harness.operator.state_rows(), 1);
}

#[test]
fn limit_and_offset_are_a_top_n_of_one_partition() {
    let spec = TopNSpec { partition: vec![], ..spec(RankFunction::RowNumber, 2, Some(3)) };
    let mut operator = TopN::new(&Story::schema(), spec).unwrap();
    let rows = events(&[(1, 0, 1), (2, 1, 5), (3, 2, 9), (4, 3, 7)]);
    let output = operator.apply(&delta_of_events(&rows), 1, 0).unwrap();
    let times = output[0].column(1).as_primitive::<TimestampMillisecondType>().values().to_vec();
    assert_eq!(times, [3, 1]);
}

#[test]
fn a_retraction_of_an_insert_only_input_is_an_error() {
    let spec = TopNSpec { input_insert_only: true, ..spec(RankFunction::Rank, 1, Some(1)) };
    let operator = TopN::new(&Story::schema(), spec).unwrap();
    let rows = delta_of_events(&events(&[(1, 0, 1)]));
    let wrong = delta_of(rows.batch().clone(), &[-1]);
    assert!(repeat_rows(&wrong).is_err());
    drop(operator);
}

/// A partition's best row under a time to live of 100 ms, by a clock of the test's own.
fn best_under_ttl(input_insert_only: bool) -> crate::testing::Harness<TopN> {
    let spec = spec(RankFunction::RowNumber, 1, Some(1));
    let spec = TopNSpec { input_insert_only, ttl_ms: Some(100), ..spec };
    crate::testing::Harness::new(TopN::new(&Story::schema(), spec).unwrap(), 1)
}

#[test]
fn a_partition_is_forgotten_after_its_time_to_live_and_begins_anew() {
    for input_insert_only in [true, false] {
        let mut harness = best_under_ttl(input_insert_only);
        let mut at = |clock_ms: i64, rows: &[(i64, i64, i64)]| {
            harness.clock_ms = clock_ms;
            let deltas = vec![delta_of_events(&events(rows))];
            let output = harness.step(vec![deltas], &[i64::MIN]);
            let weights = output.iter().flat_map(|d| (0..d.num_rows()).map(|r| d.weight(r)));
            (weights.collect::<Vec<_>>(), harness.operator.state_rows())
        };
        assert_eq!(at(0, &[(1, 0, 9), (2, 0, 9)]), (vec![1, 1], 2));
        // A row that changes nothing renews its partition too.
        let rows = if input_insert_only { 2 } else { 3 };
        assert_eq!(at(60, &[(2, 1, 1)]), (vec![], rows));
        let left = rows - 1;
        assert_eq!(at(100, &[]), (vec![], left));
        assert_eq!(at(101, &[(1, 2, 3)]), (vec![1], left + 1));
        assert_eq!(at(160, &[]), (vec![], 1));
        assert_eq!(at(300, &[]), (vec![], 0));
    }
}

#[test]
fn a_row_taken_back_of_a_forgotten_partition_leaves_no_trace() {
    let mut harness = best_under_ttl(false);
    let row = events(&[(1, 0, 9)]);
    let back: Vec<Event> = row.iter().map(|e| Event { weight: -1, ..e.clone() }).collect();
    let step = |harness: &mut crate::testing::Harness<TopN>, clock_ms, rows: &[Event]| {
        harness.clock_ms = clock_ms;
        harness.step(vec![vec![delta_of_events(rows)]], &[i64::MIN]);
        (harness.output.values().sum::<i64>(), harness.operator.state_rows())
    };
    assert_eq!(step(&mut harness, 0, &row), (1, 1));
    assert_eq!(step(&mut harness, 500, &back), (1, 0));
    assert_eq!(step(&mut harness, 501, &row), (2, 1));
}

#[test]
fn an_impossible_spec_is_refused() {
    let final_rows = TopNSpec { emission: Emission::Final, ..spec(RankFunction::Rank, 1, Some(1)) };
    assert!(TopN::new(&Story::schema(), final_rows).is_err());
    assert!(TopN::new(&Story::schema(), spec(RankFunction::Rank, 0, Some(1))).is_err());
}
