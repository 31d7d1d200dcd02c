//! The temporal join against a search through the whole history, after every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion_expr::Operator as Compare;
use proptest::prelude::*;

use super::*;
use crate::testing::{Harness, Multiset, Row, TIME, add, compare, delta, schema};

const WIDTH: usize = 4;

fn input(prefix: &str) -> SchemaRef {
    let name = |column: &str| format!("{prefix}{column}");
    schema(&[
        (&name("k"), DataType::Int64),
        (&name("v"), DataType::Int64),
        (&name("s"), DataType::Utf8),
        (&name("t"), TIME),
    ])
}

fn spec(keep_unmatched: bool, filter: bool, emission: Emission) -> TemporalJoinSpec {
    let (probe_schema, version_schema) = (input("p"), input("v"));
    let fields: Vec<_> =
        probe_schema.fields().iter().chain(version_schema.fields()).cloned().collect();
    let all = Arc::new(Schema::new(fields));
    TemporalJoinSpec {
        keep_unmatched,
        probe_keys: vec![0],
        version_keys: vec![0],
        filter: filter.then(|| compare(1, Compare::LtEq, WIDTH + 1, &all)),
        probe_schema,
        version_schema,
        output_schema: Arc::new(all.project(&[3, 1, 6, 5]).unwrap()),
        output: Some(vec![3, 1, 6, 5]),
        probe_insert_only: true,
        time: TemporalTime::Event { probe_time: 3, version_time: 3 },
        emission,
    }
}

/// The whole history of the versioned table: by key, by time, the version or its end.
type History = BTreeMap<i64, BTreeMap<i64, Option<Row>>>;

fn answer(spec: &TemporalJoinSpec, probes: &Multiset, history: &History, until: i64) -> Multiset {
    let mut answer = Multiset::new();
    for (probe, &weight) in probes {
        let time = probe[3].unwrap();
        let unmatchable = probe[0].is_none();
        if spec.emission == Emission::Final && time > until && !unmatchable {
            continue;
        }
        let versions = probe[0].and_then(|key| history.get(&key));
        let version = versions.and_then(|v| v.range(..=time).next_back()?.1.clone());
        let met = version.filter(|version| {
            spec.filter.is_none() || matches!((probe[1], version[1]), (Some(p), Some(v)) if p <= v)
        });
        if met.is_none() && !spec.keep_unmatched {
            continue;
        }
        let column = |c: usize| met.as_ref().and_then(|version| version[c]);
        add(&mut answer, vec![probe[3], probe[1], column(2), column(1)], weight);
    }
    answer
}

/// One change of the versioned table: a key gets a version or ends.
#[derive(Debug, Clone)]
struct Change {
    key: i64,
    value: Option<i64>,
    text: i64,
    time: i64,
    deletes: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop::option::of(0_i64..4);
    (0_i64..3, value, 0_i64..40, 0_i64..20, prop::bool::weighted(0.2))
        .prop_map(|(key, value, text, time, deletes)| Change { key, value, text, time, deletes })
}

fn probe() -> impl Strategy<Value = Row> {
    let key = prop::option::weighted(0.9, 0_i64..3);
    (key, prop::option::of(0_i64..4), 0_i64..3, 0_i64..20)
        .prop_map(|(k, v, s, t)| vec![k, v, Some(s), Some(t)])
}

/// The rows of a change: what is replaced comes back in the same step, before or after. What is
/// deleted comes back as it was, or with the time of the deletion where its own is before `base`.
fn rows_of(change: &Change, base: i64, current: &mut BTreeMap<i64, Row>) -> Vec<(Row, i64)> {
    let new = vec![Some(change.key), change.value, Some(change.text), Some(change.time)];
    let old = current.remove(&change.key);
    let mut rows: Vec<(Row, i64)> = old.iter().map(|row| (row.clone(), -1)).collect();
    if change.deletes {
        for (row, _) in &mut rows {
            row[3] = row[3].filter(|&time| time >= base).or(Some(change.time));
        }
    } else {
        current.insert(change.key, new.clone());
        rows.insert(change.text as usize % (rows.len() + 1), (new, 1));
    }
    rows
}

fn note(rows: &[(Row, i64)], history: &mut History) {
    let deleted = rows.iter().all(|(_, weight)| *weight < 0);
    for (row, weight) in rows {
        let versions = history.entry(row[0].unwrap()).or_default();
        if *weight > 0 {
            versions.insert(row[3].unwrap(), Some(row.clone()));
        } else if deleted {
            versions.insert(row[3].unwrap(), None);
        }
    }
}

type Step = (Vec<Row>, Vec<Change>);

fn check(
    spec: &TemporalJoinSpec,
    steps: Vec<Step>,
    lags: &[i64],
    retracts: bool,
) -> Result<(), TestCaseError> {
    let mut harness = Harness::new(TemporalJoin::new(spec).unwrap(), 2);
    let (mut probes, mut history, mut current) = (Multiset::new(), History::new(), BTreeMap::new());
    let mut watermarks = [i64::MIN; 2];
    for (index, (new, changes)) in steps.into_iter().enumerate() {
        let base = 10 * index as i64;
        let mut versions = Vec::new();
        let mut seen = Vec::new();
        for mut change in changes {
            change.time += base;
            if !seen.contains(&change.key) {
                seen.push(change.key);
                let rows = rows_of(&change, base, &mut current);
                note(&rows, &mut history);
                versions.extend(rows);
            }
        }
        let mut rows = Vec::new();
        for mut row in new {
            row[3] = row[3].map(|t| t + base);
            let weight = if retracts && probes.contains_key(&row) { -1 } else { 1 };
            add(&mut probes, row.clone(), weight);
            rows.push((row, weight));
        }
        // The next step's rows begin at `base + 10`.
        for (side, watermark) in watermarks.iter_mut().enumerate() {
            *watermark = (*watermark).max(base + 9 - lags[(index + side) % lags.len()]);
        }
        let inputs = vec![
            vec![delta(&spec.probe_schema, &rows)],
            vec![delta(&spec.version_schema, &versions)],
        ];
        harness.step(inputs, &watermarks);
        let until = watermarks[0].min(watermarks[1]);
        prop_assert_eq!(&harness.output, &answer(spec, &probes, &history, until));
        prop_assert!(harness.late.is_empty());
    }
    harness.step(vec![vec![], vec![]], &[i64::MAX; 2]);
    prop_assert_eq!(&harness.output, &answer(spec, &probes, &history, i64::MAX));
    prop_assert_eq!(harness.operator.state_rows(), 0);
    prop_assert_eq!(harness.operator.keys.len(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_row_meets_the_version_of_its_time(
        keep_unmatched in any::<bool>(),
        filter in any::<bool>(),
        is_final in any::<bool>(),
        retracts in any::<bool>(),
        lags in prop::collection::vec(0_i64..30, 1..4),
        steps in prop::collection::vec(
            (prop::collection::vec(probe(), 0..6), prop::collection::vec(change(), 0..4)),
            1..14,
        ),
    ) {
        let emission = if is_final { Emission::Final } else { Emission::Updates };
        check(&spec(keep_unmatched, filter, emission), steps, &lags, retracts)?;
    }
}

fn at(key: i64, value: i64, time: i64) -> Row {
    vec![Some(key), Some(value), Some(value), Some(time)]
}

fn values(output: &Multiset) -> Vec<(Option<i64>, Option<i64>, i64)> {
    output.iter().map(|(row, weight)| (row[1], row[3], *weight)).collect()
}

#[test]
fn old_versions_go_as_the_watermark_moves_and_late_rows_are_reported() {
    let spec = spec(true, false, Emission::Final);
    let mut harness = Harness::new(TemporalJoin::new(&spec).unwrap(), 2);
    let versions: Vec<(Row, i64)> = (0..10).map(|n| (at(1, n, 10 * n), 1)).collect();
    harness.step(vec![vec![], vec![delta(&spec.version_schema, &versions)]], &[0, 0]);
    assert_eq!(harness.operator.state_rows(), 10);
    harness.step(vec![vec![], vec![]], &[55, 1000]);
    assert_eq!(harness.operator.state_rows(), 5, "50 is still the version of 56");
    let probes =
        [(at(1, 99, 54), 1), (at(1, 100, 55), 1), (at(1, 101, 56), 1), (at(1, 102, 95), 1)];
    let out = harness.step(vec![vec![delta(&spec.probe_schema, &probes)], vec![]], &[90, 1000]);
    let met = [(Some(100), Some(5), 1), (Some(101), Some(5), 1)];
    assert_eq!(values(&harness.output), met, "95 waits");
    assert_eq!(out[0].arrival(), Some([55, i64::MIN].as_slice()), "55 is behind what comes next");
    assert_eq!(harness.late.keys().next().unwrap()[1], Some(99));
    harness.step(vec![vec![], vec![]], &[95, 1000]);
    assert_eq!(harness.output.len(), 3);
}

#[test]
fn with_processing_time_a_row_keeps_the_version_it_met() {
    let mut spec = spec(true, false, Emission::Updates);
    spec.time = TemporalTime::Processing;
    let mut harness = Harness::new(TemporalJoin::new(&spec).unwrap(), 2);
    let probe = |value| vec![delta(&spec.probe_schema, &[(at(1, value, 0), 1)])];
    let versions = |rows: &[(Row, i64)]| vec![delta(&spec.version_schema, rows)];
    harness.step(vec![probe(1), vec![]], &[0, 0]);
    harness.step(vec![probe(2), versions(&[(at(1, 10, 0), 1)])], &[0, 0]);
    let update = [(at(1, 11, 0), 1), (at(1, 10, 0), -1)];
    harness.step(vec![probe(3), versions(&update)], &[0, 0]);
    harness.step(vec![probe(4), versions(&[(at(1, 11, 0), -1)])], &[0, 0]);
    let expected =
        [(Some(1), None, 1), (Some(2), Some(10), 1), (Some(3), Some(11), 1), (Some(4), None, 1)];
    let mut met = values(&harness.output);
    met.sort_unstable();
    assert_eq!(met, expected);
    assert_eq!((harness.operator.state_rows(), harness.operator.keys.len()), (0, 0));
}

#[test]
fn a_processing_time_input_that_takes_rows_back_is_refused() {
    let mut spec = spec(true, false, Emission::Updates);
    (spec.time, spec.probe_insert_only) = (TemporalTime::Processing, false);
    let error = TemporalJoin::new(&spec).unwrap_err().to_string();
    assert!(error.contains("takes rows back"), "{error}");
}
