//! The one kind of data that flows: a batch of rows and a signed weight for each.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::{
    concat, concat_batches, filter, filter_record_batch, take, take_record_batch,
};
use arrow::datatypes::SchemaRef;

use crate::Result;

/// What one edge of a circuit carries in one step: zero or more deltas, in order.
pub type Deltas = Vec<Delta>;

/// Rows and their weights: `+1` adds the row, `-1` takes it back.
///
/// An insert-only delta carries no weight array at all, so it never pays for the others.
///
/// # Arrival watermarks
/// Lateness is judged in row order, so that the answer does not depend on how the input was cut
/// into steps. A source therefore attaches to each row the watermark that stood *before* that row,
/// but only to a delta in which some row is at or behind it: without such a row nothing in the
/// delta can be late for any window, and the array is left out.
#[derive(Debug, Clone)]
pub struct Delta {
    batch: RecordBatch,
    weights: Option<Int64Array>,
    arrival: Option<Int64Array>,
}

impl Delta {
    /// A delta in which every row is added once.
    pub fn insert_only(batch: RecordBatch) -> Self {
        Self { batch, weights: None, arrival: None }
    }

    /// A delta with a weight for each row.
    ///
    /// # Panics
    /// In debug builds, if the lengths differ or a weight is null.
    pub fn weighted(batch: RecordBatch, weights: Int64Array) -> Self {
        assert_eq!(batch.num_rows(), weights.len());
        assert_eq!(weights.null_count(), 0);
        Self { batch, weights: Some(weights), arrival: None }
    }

    /// A delta in which every row has the same weight.
    pub fn uniform(batch: RecordBatch, weight: i64) -> Self {
        if weight == 1 {
            return Self::insert_only(batch);
        }
        let weights = Int64Array::from_value(weight, batch.num_rows());
        Self::weighted(batch, weights)
    }

    /// The same rows and weights with per-row arrival watermarks, in epoch milliseconds.
    pub fn with_arrival(mut self, arrival: Option<Int64Array>) -> Self {
        assert!(arrival.as_ref().is_none_or(|a| a.len() == self.num_rows()));
        self.arrival = arrival;
        self
    }

    /// Other columns for the same rows: weights and arrival watermarks are kept.
    pub fn with_batch(&self, batch: RecordBatch) -> Self {
        assert_eq!(batch.num_rows(), self.num_rows());
        Self { batch, weights: self.weights.clone(), arrival: self.arrival.clone() }
    }

    /// The same rows with every weight negated.
    pub fn negated(&self) -> Self {
        let n = self.num_rows();
        let weights = Int64Array::from_iter_values((0..n).map(|i| -self.weight(i)));
        Self { batch: self.batch.clone(), weights: Some(weights), arrival: self.arrival.clone() }
    }

    /// The rows.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The columns of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// One column.
    pub fn column(&self, index: usize) -> &ArrayRef {
        self.batch.column(index)
    }

    /// How many rows there are, whatever their weights.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.batch.num_rows() == 0
    }

    /// The weights, or `None` where every weight is `+1`.
    pub fn weights(&self) -> Option<&[i64]> {
        self.weights.as_ref().map(|w| w.values().as_ref())
    }

    /// The weight of one row.
    #[inline]
    pub fn weight(&self, row: usize) -> i64 {
        self.weights.as_ref().map_or(1, |w| w.value(row))
    }

    /// The watermark that stood before each row, where some row may be late.
    pub fn arrival(&self) -> Option<&[i64]> {
        self.arrival.as_ref().map(|a| a.values().as_ref())
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        Ok(Self {
            batch: take_rows(&self.batch, indices)?,
            weights: take_optional(self.weights.as_ref(), indices)?,
            arrival: take_optional(self.arrival.as_ref(), indices)?,
        })
    }

    /// The rows for which `mask` is true (null counts as false).
    pub fn filter(&self, mask: &BooleanArray) -> Result<Self> {
        Ok(Self {
            batch: filter_record_batch(&self.batch, mask)?,
            weights: filter_optional(self.weights.as_ref(), mask)?,
            arrival: filter_optional(self.arrival.as_ref(), mask)?,
        })
    }

    /// `length` rows from `offset` on, without a copy.
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            batch: self.batch.slice(offset, length),
            weights: self.weights.as_ref().map(|w| w.slice(offset, length)),
            arrival: self.arrival.as_ref().map(|a| a.slice(offset, length)),
        }
    }

    /// All rows of `deltas` in one delta, in order. `schema` is that of all of them.
    pub fn concat(schema: &SchemaRef, deltas: &[Delta]) -> Result<Self> {
        if let [one] = deltas {
            return Ok(one.clone());
        }
        let batch = concat_batches(schema, deltas.iter().map(|d| &d.batch))?;
        let weights = concat_optional(deltas, |d| d.weights.as_ref(), 1)?;
        let arrival = concat_optional(deltas, |d| d.arrival.as_ref(), i64::MIN)?;
        Ok(Self { batch, weights, arrival })
    }
}

/// As [`take_record_batch`], which refuses a batch without columns; `COUNT(*)` reads such.
fn take_rows(batch: &RecordBatch, indices: &UInt32Array) -> Result<RecordBatch> {
    if batch.num_columns() > 0 {
        return Ok(take_record_batch(batch, indices)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), vec![], &options)?)
}

fn as_int64(array: ArrayRef) -> Int64Array {
    Int64Array::from(array.to_data())
}

fn take_optional(values: Option<&Int64Array>, at: &UInt32Array) -> Result<Option<Int64Array>> {
    Ok(values.map(|v| take(v, at, None)).transpose()?.map(as_int64))
}

fn filter_optional(values: Option<&Int64Array>, mask: &BooleanArray) -> Result<Option<Int64Array>> {
    Ok(values.map(|v| filter(v, mask)).transpose()?.map(as_int64))
}

fn concat_optional<'a>(
    deltas: &'a [Delta],
    part: impl Fn(&'a Delta) -> Option<&'a Int64Array>,
    default: i64,
) -> Result<Option<Int64Array>> {
    if deltas.iter().all(|d| part(d).is_none()) {
        return Ok(None);
    }
    let parts: Vec<ArrayRef> = deltas
        .iter()
        .map(|d| match part(d) {
            Some(values) => Arc::new(values.clone()) as ArrayRef,
            None => Arc::new(Int64Array::from_value(default, d.num_rows())) as ArrayRef,
        })
        .collect();
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(Some(as_int64(concat(&parts)?)))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;

    #[test]
    fn rows_without_columns_can_be_taken() {
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let none = Arc::new(Schema::empty());
        let batch = RecordBatch::try_new_with_options(none, vec![], &options).unwrap();
        let delta = Delta::weighted(batch, Int64Array::from(vec![1, -1, 2]));
        let taken = delta.take(&UInt32Array::from(vec![2, 0])).unwrap();
        assert_eq!(taken.num_rows(), 2);
        assert_eq!(taken.weights(), Some([2, 1].as_slice()));
    }
}
