//! The lookup join against a search through the whole table, after every step.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion_expr::Operator as Compare;
use proptest::prelude::*;

use super::pairs::PAIRS_MAX;
use super::*;
use crate::testing::{Action, Harness, Multiset, Row, add, compare, delta, perform, schema};

const WIDTH: usize = 3;

fn input(prefix: &str) -> SchemaRef {
    let name = |column: &str| format!("{prefix}{column}");
    let number = DataType::Int64;
    schema(&[(&name("k"), number.clone()), (&name("v"), number), (&name("s"), DataType::Utf8)])
}

fn spec(keep_unmatched: bool, filter: bool, table_insert_only: bool) -> LookupJoinSpec {
    let (probe_schema, table_schema) = (input("p"), input("t"));
    let fields: Vec<_> =
        probe_schema.fields().iter().chain(table_schema.fields()).cloned().collect();
    let all = Arc::new(Schema::new(fields));
    LookupJoinSpec {
        keep_unmatched,
        probe_keys: vec![0],
        table_keys: vec![0],
        filter: filter.then(|| compare(1, Compare::LtEq, WIDTH + 1, &all)),
        probe_schema,
        table_schema,
        probe_output: vec![1, 0],
        table_output: vec![2],
        output_schema: Arc::new(all.project(&[1, 0, WIDTH + 2]).unwrap()),
        table_insert_only,
    }
}

fn answer(spec: &LookupJoinSpec, probes: &Multiset, table: &Multiset) -> Multiset {
    let mut answer = Multiset::new();
    for (probe, &weight) in probes {
        let mut met = false;
        for (row, &times) in table {
            let fits =
                spec.filter.is_none() || matches!((probe[1], row[1]), (Some(p), Some(t)) if p <= t);
            if probe[0].is_some() && probe[0] == row[0] && fits {
                met = true;
                add(&mut answer, vec![probe[1], probe[0], row[2]], weight * times);
            }
        }
        if !met && spec.keep_unmatched {
            add(&mut answer, vec![probe[1], probe[0], None], weight);
        }
    }
    answer
}

fn row() -> impl Strategy<Value = Row> {
    let key = prop::option::weighted(0.9, 0_i64..4);
    (key, prop::option::of(0_i64..4), 0_i64..3).prop_map(|(k, v, s)| vec![k, v, Some(s)])
}

fn actions(removes: bool) -> impl Strategy<Value = Vec<Action>> {
    let remove = any::<usize>().prop_map(Action::Remove);
    let action = match removes {
        true => prop_oneof![3 => row().prop_map(Action::Insert), 1 => remove].boxed(),
        false => row().prop_map(Action::Insert).boxed(),
    };
    prop::collection::vec(action, 0..8)
}

type Step = (Vec<Action>, Vec<Action>);

fn steps() -> impl Strategy<Value = (bool, Vec<Step>)> {
    any::<bool>().prop_flat_map(|insert_only| {
        let step = (actions(true), actions(!insert_only));
        (Just(insert_only), prop::collection::vec(step, 1..10))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_row_meets_the_table_as_it_is_when_it_has_ended(
        keep_unmatched in any::<bool>(),
        filter in any::<bool>(),
        (insert_only, steps) in steps(),
        ends_at in 0_usize..10,
    ) {
        let spec = spec(keep_unmatched, filter, insert_only);
        let mut harness = Harness::new(LookupJoin::new(&spec).unwrap(), 2);
        let (mut probes, mut table) = (Multiset::new(), Multiset::new());
        for (index, (rows, changes)) in steps.iter().enumerate() {
            let rows = perform(rows, &mut probes);
            let mut inputs = vec![vec![delta(&spec.probe_schema, &rows)], vec![]];
            if index <= ends_at {
                let changes = perform(changes, &mut table);
                inputs[1].push(delta(&spec.table_schema, &changes));
            }
            let ended = index >= ends_at;
            harness.step(inputs, &[index as i64, if ended { i64::MAX } else { i64::MIN }]);
            let expected =
                if ended { answer(&spec, &probes, &table) } else { Multiset::new() };
            prop_assert_eq!(&harness.output, &expected);
        }
        harness.step(vec![vec![], vec![]], &[i64::MAX; 2]);
        prop_assert_eq!(&harness.output, &answer(&spec, &probes, &table));
        prop_assert_eq!(harness.operator.state_rows(), 0);
    }
}

#[test]
fn a_row_keeps_the_watermark_that_it_came_with() {
    let spec = spec(true, false, true);
    let mut join = LookupJoin::new(&spec).unwrap();
    let there = delta(&spec.table_schema, &[(vec![Some(1), None, Some(7)], 1)]);
    join.table.apply(&there).unwrap();
    let rows = [(vec![Some(1), Some(5), None], 1), (vec![Some(2), Some(6), None], 1)];
    let arrival = Some(Int64Array::from(vec![10, 20]));
    let probes = delta(&spec.probe_schema, &rows).with_arrival(arrival);
    let mut out = Deltas::new();
    join.answer(&probes, &mut out).unwrap();
    let arrivals: Vec<_> = out.iter().map(|d| d.arrival().unwrap().to_vec()).collect();
    assert_eq!(arrivals, [[10], [20]]);
}

#[test]
fn many_matches_are_emitted_in_batches_of_bounded_size() {
    let spec = spec(false, false, true);
    let mut join = LookupJoin::new(&spec).unwrap();
    let rows: Vec<_> = (0..300).map(|n| (vec![Some(1), Some(n), Some(1)], 1)).collect();
    join.table.apply(&delta(&spec.table_schema, &rows)).unwrap();
    let mut out = Deltas::new();
    join.answer(&delta(&spec.probe_schema, &rows), &mut out).unwrap();
    assert_eq!(out.iter().map(Delta::num_rows).sum::<usize>(), 90_000);
    assert!(out.iter().all(|d| d.num_rows() <= PAIRS_MAX));
}

#[test]
fn keys_of_different_types_are_refused() {
    let mut spec = spec(false, false, true);
    spec.table_keys = vec![2];
    let error = LookupJoin::new(&spec).unwrap_err().to_string();
    assert!(error.contains("a key of Int64 against one of Utf8"), "{error}");
}
