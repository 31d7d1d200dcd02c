//! A step's change as one delta in which no row appears with both signs.

use arrow::array::{Int64Array, UInt32Array};
use arrow::datatypes::SchemaRef;
use arrow_row::{RowConverter, SortField};
use foldhash::fast::RandomState;
use std::collections::HashMap;

use crate::{Delta, Result};

/// One delta of all rows. Equal rows of a delta with weights become one with the sum of their
/// weights; rows that cancel are gone. The order of first appearance is kept.
pub fn consolidate(schema: &SchemaRef, deltas: &[Delta]) -> Result<Delta> {
    let all = Delta::concat(schema, deltas)?.with_arrival(None);
    let Some(weights) = all.weights() else { return Ok(all) };
    if weights.iter().all(|&w| w > 0) || schema.fields().is_empty() {
        return Ok(all);
    }
    let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let rows = converter.convert_columns(all.batch().columns())?;
    let mut at: HashMap<&[u8], usize, RandomState> =
        HashMap::with_capacity_and_hasher(weights.len(), RandomState::default());
    let mut kept: Vec<(u32, i64)> = Vec::with_capacity(weights.len());
    for (row, &weight) in weights.iter().enumerate() {
        let bytes = rows.row(row);
        let position = *at.entry(bytes.data()).or_insert_with(|| {
            kept.push((row as u32, 0));
            kept.len() - 1
        });
        kept[position].1 += weight;
    }
    kept.retain(|(_, weight)| *weight != 0);
    let indices = UInt32Array::from_iter_values(kept.iter().map(|(row, _)| *row));
    let weights = Int64Array::from_iter_values(kept.iter().map(|(_, weight)| *weight));
    let batch = all.take(&indices)?.batch().clone();
    Ok(Delta::weighted(batch, weights))
}
