//! Helpers of the operators' oracle tests: rows as plain numbers, deltas from them and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
};
use datafusion_physical_expr::expressions::{BinaryExpr, Column};

use crate::expr::{Expression, record_batch};
use crate::{Delta, Deltas, Operator, Progress, StepContext, Watermark};

/// A row: every type is written as a number.
pub(crate) type Row = Vec<Option<i64>>;
/// Rows and how often each is there.
pub(crate) type Multiset = BTreeMap<Row, i64>;

/// The type of event times.
pub(crate) const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// A schema of nullable columns.
pub(crate) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn text(number: i64) -> String {
    format!("{number}:{}", "x".repeat(number.unsigned_abs() as usize % 20))
}

fn column(data_type: &DataType, values: Vec<Option<i64>>) -> ArrayRef {
    match data_type {
        DataType::Int64 => Arc::new(Int64Array::from(values)),
        DataType::Boolean => {
            Arc::new(values.into_iter().map(|v| v.map(|v| v % 2 == 1)).collect::<BooleanArray>())
        }
        DataType::Utf8 => {
            Arc::new(values.into_iter().map(|v| v.map(text)).collect::<StringArray>())
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Arc::new(TimestampMillisecondArray::from(values))
        }
        other => panic!("no test values of type {other}"),
    }
}

fn value(array: &ArrayRef, row: usize) -> Option<i64> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
        DataType::Boolean => i64::from(array.as_boolean().value(row)),
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(row);
            text.split_once(':').unwrap().0.parse().unwrap()
        }
        _ => array.as_primitive::<TimestampMillisecondType>().value(row),
    })
}

/// A delta of the given rows and weights; without a weight array if all are one.
pub(crate) fn delta(schema: &SchemaRef, rows: &[(Row, i64)]) -> Delta {
    let columns = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(c, f)| column(f.data_type(), rows.iter().map(|(row, _)| row[c]).collect()))
        .collect();
    let batch = record_batch(schema, columns, rows.len()).unwrap();
    if rows.iter().all(|(_, weight)| *weight == 1) {
        return Delta::insert_only(batch);
    }
    Delta::weighted(batch, rows.iter().map(|(_, weight)| *weight).collect())
}

/// Adds deltas to a multiset.
pub(crate) fn collapse(deltas: &[Delta], into: &mut Multiset) {
    for delta in deltas {
        for row in 0..delta.num_rows() {
            let values = delta.batch().columns().iter().map(|c| value(c, row)).collect();
            add(into, values, delta.weight(row));
        }
    }
}

/// Adds one row to a multiset.
pub(crate) fn add(into: &mut Multiset, row: Row, weight: i64) {
    let entry = into.entry(row.clone()).or_default();
    *entry += weight;
    if *entry == 0 {
        into.remove(&row);
    }
}

/// A comparison of two columns.
pub(crate) fn compare(
    left: usize,
    operator: datafusion_expr::Operator,
    right: usize,
    schema: &SchemaRef,
) -> Expression {
    let column = |index: usize| Arc::new(Column::new(schema.field(index).name(), index));
    Arc::new(BinaryExpr::new(column(left), operator, column(right)))
}

/// An operator under test, with its clock and watermarks.
pub(crate) struct Harness<O> {
    pub operator: O,
    pub step: u64,
    pub clock_ms: i64,
    pub watermarks: Vec<Watermark>,
    /// The sum of all outputs.
    pub output: Multiset,
    /// The sum of all late rows.
    pub late: Multiset,
}

impl<O: Operator> Harness<O> {
    pub(crate) fn new(operator: O, inputs: usize) -> Self {
        let watermarks = vec![Watermark::MIN; inputs];
        let (output, late) = (Multiset::new(), Multiset::new());
        Self { operator, step: 0, clock_ms: 0, watermarks, output, late }
    }

    /// One step after which the inputs' watermarks are `after`; gives what the step put out.
    pub(crate) fn step(&mut self, inputs: Vec<Deltas>, after: &[i64]) -> Deltas {
        self.step += 1;
        let progress: Vec<Progress> = std::iter::zip(&self.watermarks, after)
            .map(|(&before, &after)| Progress { before, after: Watermark(after) })
            .collect();
        let mut late = Deltas::new();
        let mut context = StepContext {
            step: self.step,
            clock_ms: self.clock_ms,
            shard: 0,
            shards: 1,
            inputs: &progress,
            late: &mut late,
        };
        let out = self.operator.step(inputs, &mut context).unwrap();
        self.watermarks = progress.iter().map(|p| p.after).collect();
        collapse(&out, &mut self.output);
        collapse(&late, &mut self.late);
        out
    }
}

/// What happens in one step to one input: rows to add, and picks among the present rows to remove.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Insert(Row),
    Remove(usize),
}

/// Turns actions into rows with weights, removing only what is there, and adds them to `present`.
pub(crate) fn perform(actions: &[Action], present: &mut Multiset) -> Vec<(Row, i64)> {
    let mut rows = Vec::new();
    for action in actions {
        let change = match action {
            Action::Insert(row) => Some((row.clone(), 1)),
            Action::Remove(pick) => {
                let pick = pick % present.len().max(1);
                present.keys().nth(pick).map(|row| (row.clone(), -1))
            }
        };
        if let Some((row, weight)) = change {
            add(present, row.clone(), weight);
            rows.push((row, weight));
        }
    }
    rows
}
