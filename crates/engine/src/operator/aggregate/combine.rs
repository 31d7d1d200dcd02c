//! Combining the rows of one step before they are spread over overlapping windows.
//!
//! # Semantics
//! Rows that are in the same windows and have the same key become one row with partial results:
//! how many they are, what they sum up to. What follows counts by adding up. One of the keys is
//! the slice of a row: the piece of time that no boundary of a window cuts.
//! # State
//! None between steps.
//! # Emission
//! One row a key and slice of the step's input, which takes nothing back.
//! # Retention
//! Nothing is kept. A row that may be too late for some of its windows is combined only with rows
//! that met the same watermark, and hands that watermark on: what follows judges it as it would
//! have judged the row itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};

use crate::executor::epoch_ms;
use crate::expr::record_batch;
use crate::operator::Emission;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext};

use super::{Aggregate, AggregateCall, AggregateSpec};

/// The marker of a row that is in time for all its windows.
const IN_TIME: i64 = i64::MIN;

/// What a [`Combine`] computes.
#[derive(Debug, Clone)]
pub struct CombineSpec {
    /// The columns of the input.
    pub input: SchemaRef,
    /// The columns of the key, the start of the slice among them.
    pub keys: Vec<usize>,
    /// The column of the slice's end: the earliest end of a window that a row is in.
    pub slice_end: usize,
    /// The aggregates; none is `DISTINCT`.
    pub calls: Vec<AggregateCall>,
    /// Keys, then partial results.
    pub output: SchemaRef,
}

/// The operator. See the module's documentation.
pub struct Combine {
    spec: CombineSpec,
    /// The input with the marker behind its columns.
    marked: SchemaRef,
    groups: Aggregate,
}

impl Combine {
    /// An operator for insert-only rows of `spec.input`.
    pub fn new(spec: CombineSpec) -> Result<Self> {
        let marker: FieldRef = Arc::new(Field::new("$arrival", DataType::Int64, false));
        let with_marker = |fields: &[FieldRef], at: usize| {
            let mut fields = fields.to_vec();
            fields.insert(at, Arc::clone(&marker));
            Arc::new(Schema::new(fields))
        };
        let marked = with_marker(spec.input.fields(), spec.input.fields().len());
        let mut keys = spec.keys.clone();
        keys.push(spec.input.fields().len());
        let groups = Aggregate::new(AggregateSpec {
            input: Arc::clone(&marked),
            output: with_marker(spec.output.fields(), spec.keys.len()),
            keys,
            calls: spec.calls.clone(),
            input_insert_only: true,
            window: None,
            emission: Emission::Updates,
            ttl_ms: None,
        })?;
        Ok(Self { spec, marked, groups })
    }

    /// The delta with its markers: [`IN_TIME`], or, of a row that may be late for a window, the
    /// watermark that it met.
    fn mark(&self, delta: &Delta) -> Result<Delta> {
        let rows = delta.num_rows();
        let markers = match delta.arrival() {
            None => Int64Array::from_value(IN_TIME, rows),
            Some(arrival) => {
                let ends = epoch_ms(delta.column(self.spec.slice_end))?;
                let marker = |row: usize| {
                    let in_time = ends.is_valid(row) && ends.value(row) - 1 > arrival[row];
                    if in_time { IN_TIME } else { arrival[row] }
                };
                Int64Array::from_iter_values((0..rows).map(marker))
            }
        };
        let mut columns = delta.batch().columns().to_vec();
        columns.push(Arc::new(markers));
        Ok(Delta::insert_only(record_batch(&self.marked, columns, rows)?))
    }

    /// The rows of the given groups; the markers become the watermarks that they met.
    fn rows(&mut self, groups: &[u32]) -> Result<Delta> {
        let mut columns: Vec<ArrayRef> = self.groups.keys.keys(groups)?;
        let markers = columns.pop().map(|c| c.as_primitive::<Int64Type>().clone());
        columns.extend(self.groups.results(groups)?);
        let batch = record_batch(&self.spec.output, columns, groups.len())?;
        let late = markers.filter(|m| m.values().iter().any(|&marker| marker != IN_TIME));
        Ok(Delta::insert_only(batch).with_arrival(late))
    }
}

impl Operator for Combine {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let mut touched = Vec::new();
        for delta in inputs.into_iter().flatten() {
            if delta.weights().is_some() {
                let text = "rows that take others back cannot be combined before their windows";
                return Err(EngineError::Internal(text.into()));
            }
            let marked = self.mark(&delta)?;
            let keyed = self.groups.assign(marked, context.step, &mut touched)?;
            self.groups.update(&keyed)?;
        }
        if touched.is_empty() {
            return Ok(Deltas::new());
        }
        let rows = self.rows(&touched)?;
        self.groups.forget_all(&touched);
        Ok(vec![rows])
    }

    fn state_rows(&self) -> usize {
        self.groups.state_rows()
    }

    fn state_bytes(&self) -> usize {
        self.groups.state_bytes()
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::aggregate::AggregateFunction;
    use crate::{Progress, Watermark};
    use arrow::array::TimestampMillisecondArray;
    use arrow::datatypes::TimeUnit;

    fn time(name: &str) -> Field {
        Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), true)
    }

    fn combine() -> Result<Combine> {
        let long = |name: &str| Field::new(name, DataType::Int64, true);
        let input = Schema::new(vec![long("k"), long("v"), time("start"), time("end")]);
        let output = Schema::new(vec![long("k"), time("start"), long("n"), long("sum")]);
        let call = |function, arguments: &[usize], at: usize| AggregateCall {
            function,
            arguments: arguments.to_vec(),
            filter: None,
            distinct: false,
            output: Arc::new(output.field(at).clone()),
        };
        let calls =
            vec![call(AggregateFunction::Count, &[], 2), call(AggregateFunction::Sum, &[1], 3)];
        Combine::new(CombineSpec {
            input: Arc::new(input),
            keys: vec![0, 2],
            slice_end: 3,
            calls,
            output: Arc::new(output),
        })
    }

    /// Rows of (key, value, slice), slices being ten milliseconds long.
    fn delta(rows: &[(i64, i64, i64)], arrival: Option<Vec<i64>>) -> Result<Delta> {
        let long = |f: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(f)))
        };
        let start = TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.2));
        let end = TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.2 + 10));
        let columns: Vec<ArrayRef> =
            vec![long(|r| r.0), long(|r| r.1), Arc::new(start), Arc::new(end)];
        let batch = record_batch(&combine()?.spec.input, columns, rows.len())?;
        Ok(Delta::insert_only(batch).with_arrival(arrival.map(Int64Array::from)))
    }

    fn step(combine: &mut Combine, step: u64, deltas: Deltas) -> Result<Deltas> {
        let at = |ms| Progress { before: Watermark(ms), after: Watermark(ms) };
        let mut late = Deltas::new();
        let mut context = StepContext {
            step,
            clock_ms: 0,
            shard: 0,
            shards: 1,
            inputs: &[at(0)],
            late: &mut late,
        };
        combine.step(vec![deltas], &mut context)
    }

    /// (key, slice, count, sum, arrival) of each row.
    fn shown(deltas: &Deltas) -> Vec<(i64, i64, i64, i64, Option<i64>)> {
        let mut rows = Vec::new();
        for delta in deltas {
            let long = |at: usize, row: usize| {
                epoch_ms(delta.column(at)).map(|c| c.value(row)).unwrap_or(i64::MAX)
            };
            rows.extend((0..delta.num_rows()).map(|row| {
                let arrival = delta.arrival().map(|a| a[row]);
                (long(0, row), long(1, row), long(2, row), long(3, row), arrival)
            }));
        }
        rows
    }

    #[test]
    fn rows_of_a_key_and_slice_become_one_in_every_step_anew() -> Result<()> {
        let mut combine = combine()?;
        let first = delta(&[(1, 5, 0), (2, 1, 0), (1, 7, 0), (1, 2, 10)], None)?;
        let second = delta(&[(1, 1, 0)], None)?;
        let out = step(&mut combine, 1, vec![first, second])?;
        let expected = vec![(1, 0, 3, 13, None), (2, 0, 1, 1, None), (1, 10, 1, 2, None)];
        assert_eq!(shown(&out), expected);
        assert_eq!(combine.state_rows(), 0);
        let out = step(&mut combine, 2, vec![delta(&[(2, 4, 0), (1, 9, 0)], None)?])?;
        assert_eq!(shown(&out), vec![(2, 0, 1, 4, None), (1, 0, 1, 9, None)]);
        assert!(step(&mut combine, 3, Vec::new())?.is_empty());
        Ok(())
    }

    #[test]
    fn a_row_that_may_be_late_keeps_the_watermark_that_it_met() -> Result<()> {
        let mut combine = combine()?;
        // The slice ends at 10: its last moment is 9.
        let rows = [(1, 1, 0), (1, 1, 0), (1, 1, 0), (1, 1, 0), (1, 1, 0)];
        let out = step(&mut combine, 1, vec![delta(&rows, Some(vec![3, 8, 9, 12, 9]))?])?;
        let late = |n: i64, arrival: i64| (1, 0, n, n, Some(arrival));
        assert_eq!(shown(&out), vec![late(2, IN_TIME), late(2, 9), late(1, 12)]);
        Ok(())
    }
}
