//! The time to live of groups, by a clock of the test's own. What aggregates compute is held by
//! the oracle of the runtime and by the corpus.

use super::*;
use crate::testing::{Harness, Multiset, Row, delta, schema};

fn call(function: AggregateFunction, arguments: Vec<usize>, output: &SchemaRef) -> AggregateCall {
    let column = if arguments.is_empty() { 1 } else { 2 };
    AggregateCall {
        function,
        arguments,
        filter: None,
        distinct: false,
        output: std::sync::Arc::clone(&output.fields()[column]),
    }
}

/// `SELECT k, COUNT(*), MAX(v) … GROUP BY k` under a time to live of 100 ms.
fn harness(input_insert_only: bool) -> Harness<Aggregate> {
    let input = schema(&[("k", DataType::Int64), ("v", DataType::Int64)]);
    let output = schema(&[("k", DataType::Int64), ("n", DataType::Int64), ("m", DataType::Int64)]);
    let spec = AggregateSpec {
        input,
        keys: vec![0],
        calls: vec![
            call(AggregateFunction::Count, vec![], &output),
            call(AggregateFunction::Max, vec![1], &output),
        ],
        output,
        input_insert_only,
        window: None,
        emission: Emission::Updates,
        ttl_ms: Some(100),
    };
    Harness::new(Aggregate::new(spec).unwrap(), 1)
}

fn step(harness: &mut Harness<Aggregate>, clock_ms: i64, rows: &[(i64, i64, i64)]) -> Multiset {
    harness.clock_ms = clock_ms;
    let input = harness.operator.spec.input.clone();
    let rows: Vec<(Row, i64)> =
        rows.iter().map(|&(k, v, weight)| (vec![Some(k), Some(v)], weight)).collect();
    let deltas = if rows.is_empty() { vec![] } else { vec![delta(&input, &rows)] };
    let mut sum = Multiset::new();
    crate::testing::collapse(&harness.step(vec![deltas], &[i64::MIN]), &mut sum);
    sum
}

fn changes(rows: &[(i64, i64, i64, i64)]) -> Multiset {
    rows.iter().map(|&(k, n, m, weight)| (vec![Some(k), Some(n), Some(m)], weight)).collect()
}

#[test]
fn a_group_is_forgotten_after_its_time_to_live_and_begins_anew() {
    for input_insert_only in [true, false] {
        let mut harness = harness(input_insert_only);
        let first = step(&mut harness, 0, &[(1, 5, 1), (2, 5, 1)]);
        assert_eq!(first, changes(&[(1, 1, 5, 1), (2, 1, 5, 1)]));
        let second = step(&mut harness, 60, &[(2, 7, 1)]);
        assert_eq!(second, changes(&[(2, 1, 5, -1), (2, 2, 7, 1)]));
        assert_eq!(harness.operator.state_rows(), 2);
        // Nothing is taken back when a group goes, and its slot is free for another.
        assert_eq!(step(&mut harness, 100, &[]), Multiset::new());
        assert_eq!(harness.operator.state_rows(), 1);
        assert_eq!(step(&mut harness, 110, &[(3, 1, 1)]), changes(&[(3, 1, 1, 1)]));
        assert_eq!(step(&mut harness, 120, &[(1, 2, 1)]), changes(&[(1, 1, 2, 1)]));
        assert_eq!(step(&mut harness, 159, &[(2, 1, 1)]), changes(&[(2, 2, 7, -1), (2, 3, 7, 1)]));
        assert_eq!(step(&mut harness, 1000, &[]), Multiset::new());
        assert_eq!(harness.operator.state_rows(), 0);
    }
}

#[test]
fn a_row_taken_back_of_a_forgotten_group_is_ignored() {
    let mut harness = harness(false);
    step(&mut harness, 0, &[(1, 5, 1), (1, 6, 1)]);
    assert_eq!(step(&mut harness, 200, &[(1, 5, -1)]), Multiset::new());
    assert_eq!(harness.operator.state_rows(), 0);
    // An update of a forgotten row counts as the new row alone.
    let update = step(&mut harness, 210, &[(1, 6, -1), (1, 8, 1)]);
    assert_eq!(update, changes(&[(1, 1, 8, 1)]));
    assert_eq!(step(&mut harness, 220, &[(1, 8, -1)]), changes(&[(1, 1, 8, -1)]));
}

#[test]
fn a_group_that_was_emptied_is_a_new_one_when_it_comes_again() {
    let mut harness = harness(false);
    step(&mut harness, 0, &[(1, 5, 1)]);
    assert_eq!(step(&mut harness, 50, &[(1, 5, -1)]), changes(&[(1, 1, 5, -1)]));
    step(&mut harness, 90, &[(1, 6, 1)]);
    step(&mut harness, 120, &[]);
    assert_eq!(harness.operator.state_rows(), 1, "the lease of the group before is no more");
    assert_eq!(step(&mut harness, 190, &[]), Multiset::new());
    assert_eq!(harness.operator.state_rows(), 0);
}
