//! The join against nested loops over everything that has come, after every step.

use arrow::array::Int64Array;
use datafusion_expr::Operator as Compare;
use proptest::prelude::*;

use super::spec::Single;
use super::*;
use crate::LocalZone;
use crate::testing::{
    Action, Harness, Multiset, Row, TIME, add, collapse, compare, delta, perform, schema,
};
use arrow::datatypes::{DataType, SchemaRef};

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::LeftSemi,
    JoinKind::LeftAnti,
];

/// Both inputs: two keys, a value, a text, a time.
fn input(prefix: &str) -> SchemaRef {
    let name = |column: &str| format!("{prefix}{column}");
    schema(&[
        (&name("k"), DataType::Int64),
        (&name("j"), DataType::Utf8),
        (&name("v"), DataType::Int64),
        (&name("s"), DataType::Utf8),
        (&name("t"), TIME),
    ])
}

const WIDTH: usize = 5;
const VALUE: usize = 2;
const TIME_AT: usize = 4;

fn both(left: &SchemaRef, right: &SchemaRef) -> SchemaRef {
    let fields: Vec<_> = left.fields().iter().chain(right.fields()).cloned().collect();
    std::sync::Arc::new(arrow::datatypes::Schema::new(fields))
}

#[derive(Debug, Clone)]
struct Case {
    kind: JoinKind,
    keys: usize,
    null_safe: bool,
    filter: bool,
    insert_only: [bool; 2],
    output: Option<Vec<usize>>,
    retention: Option<Retention>,
    emission: Emission,
}

impl Case {
    fn spec(&self) -> JoinSpec {
        let (left_schema, right_schema) = (input("l"), input("r"));
        let all = both(&left_schema, &right_schema);
        let mut keys: Vec<usize> = (0..self.keys).collect();
        if let Some(Retention::Window { .. }) = self.retention {
            keys.push(TIME_AT);
        }
        let mut spec = JoinSpec {
            kind: self.kind,
            null_safe: vec![self.null_safe; keys.len()],
            left_keys: keys.clone(),
            right_keys: keys,
            filter: self.filter.then(|| compare(VALUE, Compare::LtEq, WIDTH + VALUE, &all)),
            left_schema,
            right_schema,
            output_schema: all.clone(),
            left_insert_only: self.insert_only[0],
            right_insert_only: self.insert_only[1],
            output: self.output.clone(),
            retention: self.retention,
            emission: self.emission,
        };
        spec.output_schema = std::sync::Arc::new(all.project(&spec.output_columns()).unwrap());
        spec
    }

    fn matches(&self, left: &Row, right: &Row) -> bool {
        let equal = |key: usize| match (left[key], right[key]) {
            (None, None) => self.null_safe,
            (l, r) => l == r,
        };
        let (l, r) = (left[TIME_AT].unwrap(), right[TIME_AT].unwrap());
        (0..self.keys).all(equal)
            && (!self.filter || matches!((left[VALUE], right[VALUE]), (Some(l), Some(r)) if l <= r))
            && match self.retention {
                Some(Retention::Interval { lower_ms, upper_ms, .. }) => {
                    (lower_ms..=upper_ms).contains(&(l - r))
                }
                Some(Retention::Window { .. }) => l == r,
                _ => true,
            }
    }

    fn is_interval(&self) -> bool {
        matches!(self.retention, Some(Retention::Interval { .. }))
    }

    /// Whether a row's fate as an unmatched one may be told.
    fn single_is_due(&self, side: usize, row: &Row, watermarks: [i64; 2]) -> bool {
        match (self.emission, self.retention) {
            (Emission::Updates, _) | (_, None) => true,
            (_, Some(r)) if self.is_interval() => {
                self.kind.single(side) == Single::Matched
                    || r.needed_until(side, row[TIME_AT].unwrap()) <= watermarks[1 - side]
            }
            _ => self.window_is_due(row, watermarks),
        }
    }

    fn window_is_due(&self, row: &Row, watermarks: [i64; 2]) -> bool {
        row[TIME_AT].unwrap() - 1 <= watermarks[0].min(watermarks[1])
    }

    /// The answer from scratch.
    fn answer(&self, inputs: &[Multiset; 2], watermarks: [i64; 2]) -> Multiset {
        let spec = self.spec();
        let columns = spec.output_columns();
        let mut answer = Multiset::new();
        let mut emit = |left: Option<&Row>, right: Option<&Row>, weight: i64| {
            let value = |&column: &usize| match column {
                c if c < WIDTH => left.and_then(|row| row[c]),
                c => right.and_then(|row| row[c - WIDTH]),
            };
            add(&mut answer, columns.iter().map(value).collect(), weight);
        };
        let waits = self.emission == Emission::Final && !self.is_interval();
        let waits = waits && self.retention.is_some();
        for (l, lw) in &inputs[0] {
            for (r, rw) in inputs[1].iter().filter(|(r, _)| self.matches(l, r)) {
                if self.kind.emits_pairs() && (!waits || self.window_is_due(l, watermarks)) {
                    emit(Some(l), Some(r), lw * rw);
                }
            }
        }
        for side in 0..2 {
            for (row, &weight) in &inputs[side] {
                let met = inputs[1 - side].keys().any(|other| match side {
                    0 => self.matches(row, other),
                    _ => self.matches(other, row),
                });
                let answered = match self.kind.single(side) {
                    Single::None => false,
                    Single::Matched => met,
                    Single::Unmatched => !met,
                };
                let unmatchable = !self.null_safe && row[..self.keys].contains(&None);
                let due = unmatchable || self.single_is_due(side, row, watermarks);
                if answered && due {
                    let (left, right) =
                        if side == 0 { (Some(row), None) } else { (None, Some(row)) };
                    emit(left, right, weight);
                }
            }
        }
        answer
    }
}

fn row() -> impl Strategy<Value = Row> {
    let small = || prop::option::weighted(0.85, 0_i64..3);
    (small(), small(), small(), small(), 0_i64..40)
        .prop_map(|(k, j, v, s, t)| vec![k, j, v, s, Some(t)])
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => row().prop_map(Action::Insert),
        2 => (0_usize..50).prop_map(Action::Remove),
    ]
}

type Steps = Vec<[Vec<Action>; 2]>;

fn steps() -> impl Strategy<Value = Steps> {
    let actions = || prop::collection::vec(action(), 0..7);
    prop::collection::vec([actions(), actions()], 1..14)
}

fn case() -> impl Strategy<Value = Case> {
    let output = prop::option::of(prop::collection::vec(0_usize..2 * WIDTH, 0..4));
    let flags = (any::<bool>(), any::<bool>(), any::<[bool; 2]>());
    (prop::sample::select(&KINDS[..]), 0_usize..3, flags, output).prop_map(
        |(kind, keys, (null_safe, filter, insert_only), output)| {
            let own = |columns: Vec<usize>| match kind.emits_pairs() {
                true => columns,
                false => columns.into_iter().filter(|&c| c < WIDTH).collect(),
            };
            let output = output.map(own);
            let (retention, emission) = (None, Emission::Updates);
            Case { kind, keys, null_safe, filter, insert_only, output, retention, emission }
        },
    )
}

fn interval() -> impl Strategy<Value = Retention> {
    (-8_i64..8, 0_i64..10).prop_map(|(lower_ms, width)| Retention::Interval {
        left_time: TIME_AT,
        right_time: TIME_AT,
        lower_ms,
        upper_ms: lower_ms + width,
    })
}

const WINDOW: Retention =
    Retention::Window { left_end: TIME_AT, right_end: TIME_AT, zone: LocalZone::UTC };

/// The rows of each step, in the order of time if the case is one of event time.
fn rows_of(case: &Case, steps: &Steps) -> Vec<[Vec<(Row, i64)>; 2]> {
    let mut present = [Multiset::new(), Multiset::new()];
    let mut all = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let changes = [0, 1].map(|side| {
            let shifted = step[side].iter().filter_map(|action| match action {
                Action::Insert(row) if case.retention.is_some() => {
                    let mut row = row.clone();
                    row[TIME_AT] = row[TIME_AT].map(|t| t / 2 + 6 * index as i64);
                    Some(Action::Insert(row))
                }
                Action::Remove(_) if case.insert_only[side] => None,
                other => Some(other.clone()),
            });
            perform(&shifted.collect::<Vec<_>>(), &mut present[side])
        });
        all.push(changes);
    }
    all
}

/// For each step and side the greatest watermark that makes no later row late.
fn watermarks_of(case: &Case, rows: &[[Vec<(Row, i64)>; 2]], lag: &[i64]) -> Vec<[i64; 2]> {
    let Some(retention) = case.retention else {
        return vec![[i64::MIN; 2]; rows.len()];
    };
    let mut all = vec![[i64::MAX; 2]; rows.len()];
    let mut least = [i64::MAX; 2];
    for (index, step) in rows.iter().enumerate().rev() {
        for side in 0..2 {
            let lag = lag[index % lag.len()];
            all[index][side] = if least[side] == i64::MAX { i64::MAX } else { least[side] - lag };
            for (row, _) in &step[side] {
                let last = retention.late_from(side, row[TIME_AT].unwrap()) - 1;
                least[side] = least[side].min(last);
            }
        }
    }
    for index in 1..all.len() {
        let before = all[index - 1];
        all[index] = [0, 1].map(|side| all[index][side].max(before[side]));
    }
    all
}

fn check(case: &Case, steps: &Steps, lag: &[i64]) -> Result<(), TestCaseError> {
    let spec = case.spec();
    let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
    let rows = rows_of(case, steps);
    let watermarks = watermarks_of(case, &rows, lag);
    let mut inputs = [Multiset::new(), Multiset::new()];
    for (step, after) in rows.iter().zip(&watermarks) {
        let deltas = [0, 1].map(|side| {
            step[side].iter().for_each(|(row, w)| add(&mut inputs[side], row.clone(), *w));
            // Cut in two, so that a step has several deltas of an input.
            let (a, b) = step[side].split_at(step[side].len() / 2);
            vec![delta(spec.schema(side), a), delta(spec.schema(side), b)]
        });
        let out = harness.step(deltas.into(), after);
        prop_assert_eq!(&harness.output, &case.answer(&inputs, *after));
        prop_assert!(harness.late.is_empty(), "late: {:?}", &harness.late);
        if case.emission == Emission::Final {
            prop_assert!(out.iter().all(|d| d.weights().is_none_or(|w| w.iter().all(|&w| w > 0))));
        }
    }
    harness.step(vec![vec![], vec![]], &[i64::MAX; 2]);
    prop_assert_eq!(&harness.output, &case.answer(&inputs, [i64::MAX; 2]));
    prop_assert_eq!(harness.operator.state_rows(), 0, "ended inputs leave no state");
    prop_assert!(harness.operator.keys.is_empty() || !case.kind.emits_pairs());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_regular_join_equals_nested_loops_after_every_step(case in case(), steps in steps()) {
        check(&case, &steps, &[0])?;
    }

    #[test]
    fn an_interval_join_equals_nested_loops_and_forgets(
        case in case(),
        retention in interval(),
        is_final in any::<bool>(),
        steps in steps(),
        lag in prop::collection::vec(0_i64..15, 1..5),
    ) {
        let mut case = Case { retention: Some(retention), ..case };
        if is_final {
            (case.emission, case.insert_only) = (Emission::Final, [true; 2]);
        }
        check(&case, &steps, &lag)?;
    }

    #[test]
    fn a_window_join_equals_nested_loops_and_forgets(
        case in case(),
        is_final in any::<bool>(),
        steps in steps(),
        lag in prop::collection::vec(0_i64..15, 1..5),
    ) {
        let mut case = Case { retention: Some(WINDOW), ..case };
        if is_final {
            (case.emission, case.insert_only) = (Emission::Final, [true; 2]);
        }
        check(&case, &steps, &lag)?;
    }

    #[test]
    fn a_time_to_live_that_never_runs_out_changes_nothing(case in case(), steps in steps()) {
        let forever = Retention::Ttl { left_ms: Some(1 << 40), right_ms: Some(1 << 40) };
        let case = Case { retention: Some(forever), ..case };
        let spec = case.spec();
        let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
        let mut inputs = [Multiset::new(), Multiset::new()];
        for step in rows_of(&case, &steps) {
            harness.clock_ms += 1000;
            let deltas = [0, 1].map(|side| {
                step[side].iter().for_each(|(row, w)| add(&mut inputs[side], row.clone(), *w));
                vec![delta(spec.schema(side), &step[side])]
            });
            harness.step(deltas.into(), &[i64::MIN; 2]);
            prop_assert_eq!(&harness.output, &case.answer(&inputs, [i64::MIN; 2]));
        }
    }
}

fn plain(kind: JoinKind) -> Case {
    Case {
        kind,
        keys: 1,
        null_safe: false,
        filter: false,
        insert_only: [true; 2],
        output: Some(match kind.emits_pairs() {
            true => vec![VALUE, WIDTH + VALUE],
            false => vec![VALUE],
        }),
        retention: None,
        emission: Emission::Updates,
    }
}

fn at(key: i64, value: i64, time: i64) -> (Row, i64) {
    (vec![Some(key), None, Some(value), None, Some(time)], 1)
}

fn rows(answer: &Multiset) -> Vec<(Vec<i64>, i64)> {
    let values = |row: &Row| row.iter().map(|v| v.unwrap_or(-1)).collect();
    answer.iter().map(|(row, w)| (values(row), *w)).collect()
}

#[test]
fn an_unmatched_row_is_taken_back_in_one_net_change() {
    let spec = plain(JoinKind::Left).spec();
    let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
    let left = delta(&spec.left_schema, &[at(1, 10, 0)]);
    harness.step(vec![vec![left], vec![]], &[i64::MIN; 2]);
    assert_eq!(rows(&harness.output), [(vec![10, -1], 1)]);
    let (left, right) = (at(1, 11, 0), [at(1, 20, 0), at(2, 30, 0)]);
    let inputs =
        vec![vec![delta(&spec.left_schema, &[left])], vec![delta(&spec.right_schema, &right)]];
    let out = harness.step(inputs, &[i64::MIN; 2]);
    let changes: usize = out.iter().map(crate::Delta::num_rows).sum();
    assert_eq!(changes, 3, "the new row is never padded: two pairs and one row back");
    assert_eq!(rows(&harness.output), [(vec![10, 20], 1), (vec![11, 20], 1)]);
}

#[test]
fn a_row_is_late_for_an_interval_join_when_its_own_interval_has_passed() {
    let retention =
        Retention::Interval { left_time: TIME_AT, right_time: TIME_AT, lower_ms: -10, upper_ms: 0 };
    let case = Case { retention: Some(retention), ..plain(JoinKind::Inner) };
    let spec = case.spec();
    let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
    let right = delta(&spec.right_schema, &[at(1, 7, 95), at(1, 8, 105)]);
    harness.step(vec![vec![], vec![right]], &[100, 50]);
    // 91 can still meet right rows up to 101; what 90 can meet has been passed by 100.
    let left = delta(&spec.left_schema, &[at(1, 1, 91), at(1, 2, 90), at(1, 3, 101)]);
    harness.step(vec![vec![left], vec![]], &[100, 50]);
    assert_eq!(rows(&harness.output), [(vec![1, 7], 1), (vec![3, 8], 1)]);
    assert_eq!(harness.late.len(), 1);
    assert_eq!(harness.late.keys().next().unwrap()[VALUE], Some(2));
}

#[test]
fn lateness_is_judged_by_the_watermark_before_each_row() {
    let case = Case { retention: Some(WINDOW), ..plain(JoinKind::Left) };
    let spec = case.spec();
    let arrival = || Some(Int64Array::from(vec![i64::MIN, 9, 9]));
    let one = delta(&spec.left_schema, &[at(1, 1, 10), at(1, 2, 10), at(1, 3, 20)]);
    let mut whole = Harness::new(Join::new(&spec).unwrap(), 2);
    whole.step(vec![vec![one.clone().with_arrival(arrival())], vec![]], &[9, 0]);
    let mut cut = Harness::new(Join::new(&spec).unwrap(), 2);
    cut.step(vec![vec![one.slice(0, 1)], vec![]], &[9, 0]);
    cut.step(vec![vec![one.slice(1, 2)], vec![]], &[9, 0]);
    assert_eq!(rows(&whole.output), [(vec![1, -1], 1), (vec![3, -1], 1)]);
    assert_eq!((&whole.output, &whole.late), (&cut.output, &cut.late));
    assert_eq!(whole.late.len(), 1);
}

#[test]
fn rows_are_forgotten_after_their_time_to_live_without_taking_anything_back() {
    let retention = Retention::Ttl { left_ms: Some(1000), right_ms: None };
    let case = Case { retention: Some(retention), ..plain(JoinKind::Left) };
    let spec = case.spec();
    let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
    let left = |value| vec![delta(&spec.left_schema, &[at(1, value, 0)])];
    let right = |value| vec![delta(&spec.right_schema, &[at(1, value, 0)])];
    harness.step(vec![left(1), right(5)], &[i64::MIN; 2]);
    harness.clock_ms = 999;
    harness.step(vec![vec![], right(6)], &[i64::MIN; 2]);
    harness.clock_ms = 1000;
    harness.step(vec![vec![], right(7)], &[i64::MIN; 2]);
    assert_eq!(rows(&harness.output), [(vec![1, 5], 1), (vec![1, 6], 1)]);
    assert_eq!(harness.operator.state_rows(), 3);
    harness.step(vec![left(2), vec![]], &[i64::MIN; 2]);
    assert_eq!(harness.output.len(), 5, "a new row meets all that is kept");
}

#[test]
fn a_side_whose_partner_has_ended_is_not_kept() {
    let spec = plain(JoinKind::Left).spec();
    let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
    let right = delta(&spec.right_schema, &[at(1, 5, 0)]);
    harness.step(vec![vec![], vec![right]], &[i64::MIN, i64::MAX]);
    for value in 0..100 {
        let left = delta(&spec.left_schema, &[at(value % 2, value, 0)]);
        harness.step(vec![vec![left], vec![]], &[i64::MIN, i64::MAX]);
    }
    assert_eq!(harness.output.len(), 100);
    assert_eq!(harness.operator.state_rows(), 1);
    assert_eq!(harness.operator.keys.len(), 1);
}

#[test]
fn the_output_of_an_interval_join_is_behind_its_inputs_by_what_may_be_delayed() {
    let retention =
        Retention::Interval { left_time: TIME_AT, right_time: TIME_AT, lower_ms: -10, upper_ms: 3 };
    let case = Case { retention: Some(retention), ..plain(JoinKind::Inner) };
    let join = Join::new(&case.spec()).unwrap();
    let of = |l, r| join.watermark(&[Watermark(l), Watermark(r)], 0);
    assert_eq!(of(100, 200), Watermark(87));
    assert_eq!(of(i64::MAX, i64::MAX), Watermark::MAX);
    assert_eq!(of(i64::MIN, 5), Watermark::MIN);
}

#[test]
fn a_contradictory_specification_is_refused() {
    let refused = |case: Case| Join::new(&case.spec()).unwrap_err().to_string();
    let final_left = Case { emission: Emission::Final, ..plain(JoinKind::Left) };
    assert!(refused(final_left).contains("without a time bound"));
    let final_inner =
        Case { emission: Emission::Final, insert_only: [true, false], ..plain(JoinKind::Inner) };
    assert!(refused(final_inner).contains("takes rows back"));
    let mut spec = plain(JoinKind::Inner).spec();
    spec.right_keys = vec![1];
    assert!(Join::new(&spec).unwrap_err().to_string().contains("key of Int64 against one of Utf8"));
}

#[test]
fn a_hot_key_fills_many_batches() {
    let mut case = plain(JoinKind::Inner);
    case.filter = true;
    let spec = case.spec();
    let mut harness = Harness::new(Join::new(&spec).unwrap(), 2);
    let many = |n: i64| (0..n).map(|v| at(1, v, 0)).collect::<Vec<_>>();
    let inputs = vec![
        vec![delta(&spec.left_schema, &many(300))],
        vec![delta(&spec.right_schema, &many(300))],
    ];
    let out = harness.step(inputs, &[i64::MIN; 2]);
    assert!(out.len() > 1);
    let mut sum = Multiset::new();
    collapse(&out, &mut sum);
    assert_eq!(sum.values().sum::<i64>(), 300 * 301 / 2);
}
