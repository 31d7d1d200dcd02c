//! `INTERSECT [ALL]`, `EXCEPT [ALL]`, and the distinct rows of `UNION` and `SELECT DISTINCT`.
//!
//! # Semantics
//! Whole rows are compared; null equals null, and `-0.0` equals `0.0` where SQL says so. How often
//! a row is in the answer is a function of how often it is in each input, so that inputs may take
//! rows back. A count below zero counts as zero.
//!
//! # State
//! Each distinct row once, with one count for each input; a row whose counts are all zero is
//! forgotten.
//!
//! # Emission
//! The net change of each touched row, once a step.
//!
//! # Retention
//! None: an unbounded input grows the state by its distinct rows. Windows among the columns are not
//! made use of.

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, SchemaRef};

use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::state::{Changed, Dirty, Persist, StateReader, StateWriter};
use crate::store::held;
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext};

/// How often a row is in the answer, given how often it is in the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetRule {
    /// Once, if it is in any of the inputs, of which there may be any number.
    Distinct,
    /// Once, if it is in both inputs.
    Intersect,
    /// As often as in the input that has fewer of it.
    IntersectAll,
    /// Once, if it is in the first input and not in the second.
    Except,
    /// As much more often as the first input has it than the second.
    ExceptAll,
}

impl SetRule {
    /// `Distinct` sums up all inputs in the first count.
    fn answer(self, [left, right]: [i64; 2]) -> i64 {
        let (left, right) = (left.max(0), right.max(0));
        match self {
            Self::Distinct => left.min(1),
            Self::Intersect => left.min(right).min(1),
            Self::IntersectAll => left.min(right),
            Self::Except => i64::from(left > 0 && right == 0),
            Self::ExceptAll => (left - right).max(0),
        }
    }
}

/// A row that the step has touched.
#[derive(Debug)]
struct Touched {
    slot: u32,
    before: [i64; 2],
    /// Where it was seen first: the place of the delta and the row there.
    delta: u32,
    row: u32,
}

/// The operator; all inputs have the same columns.
#[derive(Debug)]
pub struct SetOperation {
    rule: SetRule,
    schema: SchemaRef,
    keys: KeyTable,
    counts: Vec<[i64; 2]>,
    /// By slot: one more than the place in `touched`, or 0.
    marks: Vec<u32>,
    touched: Vec<Touched>,
    /// Whether equal rows may look different, so that one of them must stand for all.
    canonical: bool,
    /// Rows that changed since the last checkpoint.
    dirty: Dirty,
}

impl SetOperation {
    /// The operator over rows of `schema`, which is also that of the output.
    pub fn new(rule: SetRule, schema: SchemaRef) -> Result<Self> {
        let columns: Vec<usize> = (0..schema.fields().len()).collect();
        let float = |t: &DataType| matches!(t, DataType::Float32 | DataType::Float64);
        Ok(Self {
            rule,
            keys: KeyTable::for_columns(&schema, &columns)?,
            canonical: schema.fields().iter().any(|f| float(f.data_type())),
            schema,
            counts: Vec::new(),
            marks: Vec::new(),
            touched: Vec::new(),
            dirty: Dirty::default(),
        })
    }

    fn count(&mut self, delta: &Delta, place: usize, input: usize) -> Result<()> {
        let mut slots = Vec::new();
        self.keys.intern(delta.batch().columns(), delta.num_rows(), &mut slots)?;
        self.counts.resize(self.keys.capacity(), [0; 2]);
        self.marks.resize(self.keys.capacity(), 0);
        for (row, &slot) in slots.iter().enumerate() {
            let s = slot as usize;
            if self.marks[s] == 0 {
                let before = self.counts[s];
                let (delta, row) = (place as u32, row as u32);
                self.touched.push(Touched { slot, before, delta, row });
                self.marks[s] = self.touched.len() as u32;
            }
            self.counts[s][input] += delta.weight(row);
        }
        Ok(())
    }

    /// The changes of the answer; touched rows that are in no input any more are forgotten.
    fn emit(&mut self, deltas: &[Delta]) -> Result<Deltas> {
        let mut out = Deltas::new();
        let touched = std::mem::take(&mut self.touched);
        let (mut slots, mut rows, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for run in touched.chunk_by(|a, b| a.delta == b.delta) {
            for touched in run {
                let now = self.counts[touched.slot as usize];
                let change = self.rule.answer(now) - self.rule.answer(touched.before);
                if change != 0 {
                    slots.push(touched.slot);
                    rows.push(touched.row);
                    weights.push(change);
                }
            }
            let source = run.first().and_then(|t| deltas.get(t.delta as usize));
            if let (Some(source), false) = (source, rows.is_empty()) {
                let batch = if self.canonical {
                    record_batch(&self.schema, self.keys.keys(&slots)?, slots.len())?
                } else {
                    let rows = UInt32Array::from(std::mem::take(&mut rows));
                    let columns: Vec<ArrayRef> = source.take(&rows)?.batch().columns().to_vec();
                    record_batch(&self.schema, columns, rows.len())?
                };
                out.push(weighted(batch, std::mem::take(&mut weights)));
                slots.clear();
                rows.clear();
            }
        }
        for touched in touched {
            self.dirty.mark(touched.slot);
            self.marks[touched.slot as usize] = 0;
            if self.counts[touched.slot as usize] == [0; 2] {
                self.keys.remove(touched.slot);
            }
        }
        Ok(out)
    }
}

fn weighted(batch: arrow::array::RecordBatch, weights: Vec<i64>) -> Delta {
    if weights.iter().all(|&w| w == 1) {
        return Delta::insert_only(batch);
    }
    Delta::weighted(batch, Int64Array::from(weights))
}

impl Operator for SetOperation {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        if self.rule != SetRule::Distinct && inputs.len() != 2 {
            let found = inputs.len();
            return Err(EngineError::Internal(format!("{:?} got {found} inputs", self.rule)));
        }
        let mut deltas = Deltas::new();
        for (input, new) in inputs.into_iter().enumerate() {
            let input = if self.rule == SetRule::Distinct { 0 } else { input };
            for delta in new {
                self.count(&delta, deltas.len(), input)?;
                deltas.push(delta);
            }
        }
        self.emit(&deltas)
    }

    fn state_rows(&self) -> usize {
        self.keys.len()
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + held(&self.counts) + held(&self.marks)
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { keys, counts, dirty, .. } = self;
        let changed = Changed::take(dirty, keys.capacity(), |slot| keys.is_live(slot));
        out.slots("rows", &changed, |_, slot, out| {
            keys.save(slot, out);
            counts[slot as usize].put(out);
        })
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        for part in 0..from.parts() {
            for (old, mut input) in from.slots(part, "rows") {
                let Some(slot) = self.keys.load(from, old, &mut input)? else { continue };
                self.counts.resize(self.keys.capacity(), [0; 2]);
                self.marks.resize(self.keys.capacity(), 0);
                self.counts[slot as usize] = input.get()?;
            }
        }
        self.keys.loaded();
        if from.is_same() {
            self.dirty.start();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, RecordBatch};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Action, Harness, Multiset, Row, add, delta, perform, schema};

    const RULES: [SetRule; 5] = [
        SetRule::Distinct,
        SetRule::Intersect,
        SetRule::IntersectAll,
        SetRule::Except,
        SetRule::ExceptAll,
    ];

    fn expected(rule: SetRule, inputs: &[Multiset; 2]) -> Multiset {
        let mut answer = Multiset::new();
        let rows: std::collections::BTreeSet<&Row> =
            inputs.iter().flat_map(Multiset::keys).collect();
        for row in rows {
            let [l, r] = [0, 1].map(|side| inputs[side].get(row).copied().unwrap_or(0));
            let times = match rule {
                SetRule::Distinct => i64::from(l + r > 0),
                SetRule::Intersect => i64::from(l > 0 && r > 0),
                SetRule::IntersectAll => l.min(r),
                SetRule::Except => i64::from(l > 0 && r == 0),
                SetRule::ExceptAll => 0.max(l - r),
            };
            if times > 0 {
                add(&mut answer, row.clone(), times);
            }
        }
        answer
    }

    fn action() -> impl Strategy<Value = Action> {
        let value = || prop::option::weighted(0.8, 0_i64..3);
        prop_oneof![
            3 => (value(), value()).prop_map(|(a, b)| Action::Insert(vec![a, b])),
            2 => (0_usize..50).prop_map(Action::Remove),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn a_set_operation_equals_counting_after_every_step(
            rule in prop::sample::select(&RULES[..]),
            text in any::<bool>(),
            steps in prop::collection::vec(
                [0, 1].map(|_| prop::collection::vec(action(), 0..8)), 1..12),
        ) {
            let kind = if text { DataType::Utf8 } else { DataType::Int64 };
            let schema = schema(&[("a", DataType::Int64), ("b", kind)]);
            let operator = SetOperation::new(rule, schema.clone()).unwrap();
            let mut harness = Harness::new(operator, 2);
            let mut inputs = [Multiset::new(), Multiset::new()];
            for step in steps {
                let deltas = [0, 1].map(|side| {
                    let rows = perform(&step[side], &mut inputs[side]);
                    let (a, b) = rows.split_at(rows.len() / 3);
                    vec![delta(&schema, a), delta(&schema, b)]
                });
                let out = harness.step(deltas.into(), &[0, 0]);
                prop_assert_eq!(&harness.output, &expected(rule, &inputs));
                let mut rows = Multiset::new();
                crate::testing::collapse(&out, &mut rows);
                let emitted: usize = out.iter().map(Delta::num_rows).sum();
                prop_assert_eq!(emitted, rows.len(), "every row changes once a step");
            }
            let kept: std::collections::BTreeSet<&Row> =
                inputs.iter().flat_map(Multiset::keys).collect();
            prop_assert_eq!(harness.operator.state_rows(), kept.len());
        }
    }

    #[test]
    fn both_zeros_are_one_row_whichever_is_taken_back() {
        let schema = schema(&[("x", DataType::Float64)]);
        let batch = |x: f64| {
            RecordBatch::try_new(schema.clone(), vec![Arc::new(Float64Array::from(vec![x]))])
                .unwrap()
        };
        let operator = SetOperation::new(SetRule::Distinct, schema.clone()).unwrap();
        let mut harness = Harness::new(operator, 1);
        let progress = [crate::Progress::NONE];
        let mut late = Deltas::new();
        let mut context = StepContext {
            step: 1,
            clock_ms: 0,
            shard: 0,
            shards: 1,
            inputs: &progress,
            late: &mut late,
        };
        let zeros = vec![Delta::insert_only(batch(-0.0)), Delta::insert_only(batch(0.0))];
        let out = harness.operator.step(vec![zeros], &mut context).unwrap();
        assert_eq!(out.iter().map(Delta::num_rows).sum::<usize>(), 1);
        let back = vec![Delta::uniform(batch(0.0), -1), Delta::uniform(batch(-0.0), -1)];
        let back = harness.operator.step(vec![back], &mut context).unwrap();
        assert_eq!(back[0].batch(), out[0].batch());
        assert_eq!(harness.operator.state_rows(), 0);
    }
}
