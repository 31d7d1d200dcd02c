//! The lookup by key against a model of what was asked for when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::lookup::{CacheLimits, Lookup, LookupTable};
use crate::state::StatePart;
use crate::testing::{Action, Harness, Multiset, Row, add, compare, delta, perform, schema};
use datafusion_expr::Operator as Compare;

fn input(prefix: &str) -> SchemaRef {
    let name = |column: &str| format!("{prefix}{column}");
    let number = DataType::Int64;
    schema(&[(&name("k"), number.clone()), (&name("v"), number), (&name("s"), DataType::Utf8)])
}

fn spec(keep_unmatched: bool, filter: bool) -> LookupJoinSpec {
    let (probe_schema, table_schema) = (input("p"), input("t"));
    let fields: Vec<_> =
        probe_schema.fields().iter().chain(table_schema.fields()).cloned().collect();
    let all = Arc::new(Schema::new(fields));
    LookupJoinSpec {
        keep_unmatched,
        probe_keys: vec![0],
        table_keys: vec![0],
        filter: filter.then(|| compare(1, Compare::LtEq, 4, &all)),
        probe_schema,
        table_schema,
        probe_output: vec![1, 0],
        table_output: vec![2],
        output_schema: Arc::new(all.project(&[1, 0, 5]).unwrap()),
        table_insert_only: true,
    }
}

/// A table that changes outside, and notes what it was asked.
#[derive(Debug, Clone, Default)]
struct Outside {
    rows: Arc<Mutex<Multiset>>,
    asked: Arc<Mutex<Vec<Vec<i64>>>>,
    limits: Option<CacheLimits>,
}

impl LookupTable for Outside {
    fn cache(&self) -> Option<CacheLimits> {
        self.limits
    }

    fn open(&self) -> Result<Box<dyn Lookup>> {
        Ok(Box::new(self.clone()))
    }
}

impl Lookup for Outside {
    fn find(&mut self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        assert_eq!(keys[0].null_count(), 0);
        let mut keys = keys[0].as_primitive::<Int64Type>().values().to_vec();
        keys.sort_unstable();
        // More than was asked for may come: all rows of even keys do.
        let wanted = |row: &Row| row[0].is_none_or(|k| keys.contains(&k) || k % 2 == 0);
        let rows = self.rows.lock().unwrap();
        let found = rows.iter().filter(|(row, _)| wanted(row));
        let found = found.flat_map(|(row, times)| (0..*times).map(move |_| (row.clone(), 1)));
        let found: Vec<(Row, i64)> = found.collect();
        self.asked.lock().unwrap().push(keys);
        Ok(delta(&input("t"), &found).batch().clone())
    }
}

/// What a probe row meets in the table as it is.
fn met(spec: &LookupJoinSpec, probe: &Row, table: &Multiset) -> Multiset {
    let mut answer = Multiset::new();
    for (row, &times) in table {
        let fits =
            spec.filter.is_none() || matches!((probe[1], row[1]), (Some(p), Some(t)) if p <= t);
        if probe[0].is_some() && probe[0] == row[0] && fits {
            add(&mut answer, vec![probe[1], probe[0], row[2]], times);
        }
    }
    if answer.is_empty() && spec.keep_unmatched {
        add(&mut answer, vec![probe[1], probe[0], None], 1);
    }
    answer
}

fn row() -> impl Strategy<Value = Row> {
    let key = prop::option::weighted(0.9, 0_i64..5);
    (key, prop::option::of(0_i64..4), 0_i64..3).prop_map(|(k, v, s)| vec![k, v, Some(s)])
}

fn actions(most: usize) -> impl Strategy<Value = Vec<Action>> {
    let remove = any::<usize>().prop_map(Action::Remove);
    let action = prop_oneof![2 => row().prop_map(Action::Insert), 1 => remove];
    prop::collection::vec(action, 0..most)
}

fn operator(spec: &LookupJoinSpec, outside: &Outside, takes_back: bool) -> LookupByKey {
    let all: Vec<usize> = (0..3).collect();
    LookupByKey::new(spec, outside, takes_back.then_some(&all[..])).unwrap()
}

/// The operator as a restart would have it.
fn restarted(
    mut old: LookupByKey,
    spec: &LookupJoinSpec,
    outside: &Outside,
    part: &mut StatePart,
) -> LookupByKey {
    let mut writer = StateWriter::new();
    old.checkpoint(&mut writer).unwrap();
    writer.finish().into_iter().for_each(|image| part.apply(image).unwrap());
    let mut new = operator(spec, outside, true);
    new.restore(&StateReader::same(part)).unwrap();
    new
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_row_is_taken_back_with_what_it_was_given(
        keep_unmatched in any::<bool>(),
        filter in any::<bool>(),
        restarts in any::<bool>(),
        steps in prop::collection::vec((actions(8), actions(5)), 1..12),
    ) {
        let spec = spec(keep_unmatched, filter);
        let outside = Outside::default();
        let mut harness = Harness::new(operator(&spec, &outside, true), 1);
        let mut part = StatePart::default();
        let mut probes = Multiset::new();
        let mut answers: BTreeMap<Row, Multiset> = BTreeMap::new();
        for (rows, changes) in &steps {
            perform(changes, &mut outside.rows.lock().unwrap());
            let rows = perform(rows, &mut probes);
            harness.step(vec![vec![delta(&spec.probe_schema, &rows)]], &[0]);
            answers.retain(|row, _| probes.contains_key(row));
            let mut expected = Multiset::new();
            for (row, count) in &probes {
                let table = outside.rows.lock().unwrap();
                let answer = answers.entry(row.clone()).or_insert_with(|| met(&spec, row, &table));
                answer.iter().for_each(|(row, n)| add(&mut expected, row.clone(), n * count));
            }
            prop_assert_eq!(&harness.output, &expected);
            if restarts {
                let old = std::mem::replace(
                    &mut harness.operator, operator(&spec, &outside, true));
                harness.operator = restarted(old, &spec, &outside, &mut part);
            }
        }
        let rest: Vec<_> = probes.iter().map(|(row, count)| (row.clone(), -count)).collect();
        harness.step(vec![vec![delta(&spec.probe_schema, &rest)]], &[0]);
        prop_assert_eq!(&harness.output, &Multiset::new());
        prop_assert_eq!(harness.operator.state_rows(), 0);
    }

    #[test]
    fn without_a_cache_a_row_meets_the_table_of_its_step(
        keep_unmatched in any::<bool>(),
        filter in any::<bool>(),
        steps in prop::collection::vec((prop::collection::vec(row(), 0..8), actions(5)), 1..10),
    ) {
        let spec = spec(keep_unmatched, filter);
        let outside = Outside::default();
        let mut harness = Harness::new(operator(&spec, &outside, false), 1);
        let mut expected = Multiset::new();
        for (rows, changes) in &steps {
            perform(changes, &mut outside.rows.lock().unwrap());
            let rows: Vec<_> = rows.iter().map(|row| (row.clone(), 1)).collect();
            let before = outside.asked.lock().unwrap().len();
            // In two deltas, and still asked for once.
            let (a, b) = rows.split_at(rows.len() / 2);
            let deltas = [a, b].map(|rows| delta(&spec.probe_schema, rows)).to_vec();
            harness.step(vec![deltas], &[0]);
            let asks = usize::from(rows.iter().any(|(row, _)| row[0].is_some()));
            prop_assert_eq!(outside.asked.lock().unwrap().len() - before, asks);
            for (row, _) in &rows {
                let table = outside.rows.lock().unwrap();
                let answer = met(&spec, row, &table);
                answer.iter().for_each(|(row, n)| add(&mut expected, row.clone(), *n));
            }
            prop_assert_eq!(&harness.output, &expected);
            prop_assert_eq!(harness.operator.state_rows(), 0);
        }
    }
}

#[test]
fn a_cache_answers_until_its_time_is_over() {
    let spec = spec(true, false);
    let limits = CacheLimits {
        rows_max: Some(2),
        expire_after_write_ms: Some(100),
        expire_after_access_ms: None,
        missing: false,
    };
    let outside = Outside { limits: Some(limits), ..Outside::default() };
    let there = |v| (vec![Some(1), Some(v), Some(v)], 1);
    let table = |v| {
        let mut rows = outside.rows.lock().unwrap();
        rows.clear();
        let (row, times) = there(v);
        rows.insert(row, times);
    };
    let mut harness = Harness::new(operator(&spec, &outside, false), 1);
    let mut ask = |clock_ms, keys: &[i64]| {
        harness.clock_ms = clock_ms;
        let rows: Vec<_> = keys.iter().map(|&k| (vec![Some(k), None, None], 1)).collect();
        harness.step(vec![vec![delta(&spec.probe_schema, &rows)]], &[0]);
        std::mem::take(&mut *outside.asked.lock().unwrap())
    };
    table(7);
    assert_eq!(ask(0, &[1, 1, 3]), [[1, 3]], "one question for all keys, each once");
    table(8);
    assert_eq!(ask(99, &[1, 3]), [[3]], "that there is no row is not kept here");
    assert_eq!(ask(100, &[1]), [[1]]);
    assert_eq!(ask(150, &[1]), [[0_i64; 0]; 0]);
    let seen: Vec<_> = harness.output.iter().map(|(row, n)| (row[1], row[2], *n)).collect();
    let expected = [(Some(1), Some(7), 3), (Some(1), Some(8), 2), (Some(3), None, 2)];
    assert_eq!(seen, expected);
}
