//! From the deltas of an input to rows with key slots: what is late or can never match goes first.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::not;
use arrow::datatypes::SchemaRef;

use super::retention::Retention;
use super::spec::{JoinSpec, Single};
use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::store::times_ms;
use crate::{Delta, Deltas, Result, StepContext};

/// The rows of one input in one step, all of which can match.
pub(super) struct Prepared {
    pub delta: Delta,
    pub slots: Vec<u32>,
    /// Event times or window ends, where the join is bounded by them.
    pub times: Option<Int64Array>,
    side: usize,
    retention: Option<Retention>,
    clock_ms: i64,
}

impl Prepared {
    #[inline]
    pub(super) fn weight(&self, row: usize) -> i64 {
        self.delta.weight(row)
    }

    /// When the row may be forgotten: a watermark of the other side, or a time of the clock.
    pub(super) fn deadline(&self, row: usize) -> i64 {
        match (self.retention, &self.times) {
            (Some(retention), Some(times)) => retention.needed_until(self.side, times.value(row)),
            (Some(retention), None) => {
                retention.ttl(self.side).map_or(i64::MAX, |ms| self.clock_ms.saturating_add(ms))
            }
            _ => i64::MAX,
        }
    }
}

/// How the deltas of one input are read.
#[derive(Debug)]
pub(super) struct Input {
    side: usize,
    schema: SchemaRef,
    keys: Vec<usize>,
    null_safe: Vec<bool>,
    retention: Option<Retention>,
    single: Single,
    /// The emitted columns, each of this side or of the other (then null).
    output: Vec<Option<usize>>,
    output_schema: SchemaRef,
}

impl Input {
    pub(super) fn new(spec: &JoinSpec, side: usize) -> Result<Self> {
        let own = |column| {
            let (of, column) = spec.locate(column)?;
            Ok((of == side).then_some(column))
        };
        Ok(Self {
            side,
            schema: spec.schema(side).clone(),
            keys: spec.keys(side).to_vec(),
            null_safe: spec.null_safe.clone(),
            retention: spec.retention,
            single: spec.kind.single(side),
            output: spec.output_columns().into_iter().map(own).collect::<Result<_>>()?,
            output_schema: spec.output_schema.clone(),
        })
    }

    /// Reports late rows, answers rows that cannot match into `out`, and gives the others.
    pub(super) fn prepare(
        &self,
        deltas: Deltas,
        table: &mut KeyTable,
        context: &mut StepContext<'_>,
        out: &mut Deltas,
    ) -> Result<Option<Prepared>> {
        if deltas.iter().all(Delta::is_empty) {
            return Ok(None);
        }
        let delta = Delta::concat(&self.schema, &deltas)?;
        let delta = self.without_late(delta, context)?;
        let delta = self.without_unmatchable(delta, out)?;
        if delta.is_empty() {
            return Ok(None);
        }
        let keys: Vec<ArrayRef> = self.keys.iter().map(|&k| delta.column(k).clone()).collect();
        let mut slots = Vec::new();
        table.intern(&keys, delta.num_rows(), &mut slots)?;
        let times = self.times(&delta)?;
        let (side, retention, clock_ms) = (self.side, self.retention, context.clock_ms);
        Ok(Some(Prepared { delta, slots, times, side, retention, clock_ms }))
    }

    fn times(&self, delta: &Delta) -> Result<Option<Int64Array>> {
        let Some(retention) = self.retention else { return Ok(None) };
        let column = retention.time_column(self.side);
        column.map(|c| Ok(retention.moments(times_ms(delta.column(c))?))).transpose()
    }

    fn without_late(&self, delta: Delta, context: &mut StepContext<'_>) -> Result<Delta> {
        let (Some(retention), Some(times)) = (self.retention, self.times(&delta)?) else {
            return Ok(delta);
        };
        let before = context.inputs[self.side].before.0;
        let arrival = delta.arrival();
        let late: BooleanArray = times
            .iter()
            .enumerate()
            .map(|(row, time)| {
                let watermark = arrival.map_or(before, |a| a[row]);
                Some(time.is_some_and(|t| retention.late_from(self.side, t) <= watermark))
            })
            .collect();
        if late.true_count() == 0 {
            return Ok(delta);
        }
        context.report_late(delta.filter(&late)?);
        delta.filter(&not(&late)?)
    }

    /// Rows with a null in a key of `=`, or without a time, meet nothing: an outer join answers
    /// them at once, and they are never kept.
    fn without_unmatchable(&self, delta: Delta, out: &mut Deltas) -> Result<Delta> {
        let time = self.retention.and_then(|r| r.time_column(self.side));
        let keys = self.keys.iter().zip(&self.null_safe).filter(|(_, safe)| !**safe);
        let mut valid: Option<NullBuffer> = None;
        for column in keys.map(|(&key, _)| key).chain(time) {
            valid =
                NullBuffer::union(valid.as_ref(), delta.column(column).logical_nulls().as_ref());
        }
        let Some(valid) = valid.filter(|v| v.null_count() > 0) else {
            return Ok(delta);
        };
        let valid = BooleanArray::new(valid.into_inner(), None);
        if self.single == Single::Unmatched {
            let alone = delta.filter(&not(&valid)?)?;
            let rows = alone.num_rows();
            let column = |(index, own): (usize, &Option<usize>)| match own {
                Some(own) => alone.column(*own).clone(),
                None => new_null_array(self.output_schema.field(index).data_type(), rows),
            };
            let columns = self.output.iter().enumerate().map(column).collect();
            let batch = record_batch(&self.output_schema, columns, rows)?;
            out.push(alone.with_batch(batch).with_arrival(None));
        }
        delta.filter(&valid)
    }
}
