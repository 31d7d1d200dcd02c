//! The one place where signed weights become Flink's changelog kinds.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use foldhash::fast::RandomState;
use rialto_engine::Delta;

/// What a row of a changelog says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// A new row: `+I`.
    Insert,
    /// The old version of a row that changes: `-U`.
    UpdateBefore,
    /// The new version of a row that changes: `+U`.
    UpdateAfter,
    /// A row that is gone: `-D`.
    Delete,
}

impl RowKind {
    /// `+I`, `-U`, `+U` or `-D`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }

    /// The kind with this symbol.
    pub fn of(symbol: &str) -> Option<Self> {
        let kinds = [Self::Insert, Self::UpdateBefore, Self::UpdateAfter, Self::Delete];
        kinds.into_iter().find(|kind| kind.symbol() == symbol)
    }

    /// Whether the row is taken back.
    pub fn retracts(self) -> bool {
        matches!(self, Self::UpdateBefore | Self::Delete)
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// The changes of a consolidated delta, as pairs of a kind and the index of the row it speaks of.
///
/// Without a key a positive weight is `+I` and a negative one `-D`, repeated as often as the weight
/// says; rows that are taken back come first, so that a reader never sees more than there is. With
/// a key, rows of the same key are brought together at the place of the first: each pair of an old
/// and a new version is `-U`, `+U`; what is left over is `+I` or `-D`.
pub fn changes(
    delta: &Delta,
    upsert_key: Option<&[usize]>,
) -> Result<Vec<(RowKind, usize)>, ArrowError> {
    let rows = delta.num_rows();
    let Some(weights) = delta.weights() else {
        return Ok((0..rows).map(|row| (RowKind::Insert, row)).collect());
    };
    match upsert_key {
        Some(key) if !key.is_empty() => keyed(delta, weights, key),
        _ => Ok(unkeyed(weights)),
    }
}

fn unkeyed(weights: &[i64]) -> Vec<(RowKind, usize)> {
    let mut out = Vec::with_capacity(weights.len());
    for (row, &weight) in weights.iter().enumerate() {
        out.extend((weight..0).map(|_| (RowKind::Delete, row)));
    }
    for (row, &weight) in weights.iter().enumerate() {
        out.extend((0..weight).map(|_| (RowKind::Insert, row)));
    }
    out
}

#[derive(Default)]
struct Versions {
    old: Vec<usize>,
    new: Vec<usize>,
}

fn keyed(
    delta: &Delta,
    weights: &[i64],
    key: &[usize],
) -> Result<Vec<(RowKind, usize)>, ArrowError> {
    let columns: Vec<ArrayRef> = key.iter().map(|&i| Arc::clone(delta.column(i))).collect();
    let keys = KeyRows::new(&columns)?;
    let mut groups: Vec<Versions> = Vec::new();
    let mut by_key: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for (row, &weight) in weights.iter().enumerate() {
        let group = *by_key.entry(keys.row(row)).or_insert_with(|| {
            groups.push(Versions::default());
            groups.len() - 1
        });
        let versions = &mut groups[group];
        versions.old.extend((weight..0).map(|_| row));
        versions.new.extend((0..weight).map(|_| row));
    }
    let mut out = Vec::with_capacity(weights.len());
    for Versions { old, new } in groups {
        let updates = old.len().min(new.len());
        out.extend(old[updates..].iter().map(|&row| (RowKind::Delete, row)));
        for pair in 0..updates {
            out.push((RowKind::UpdateBefore, old[pair]));
            out.push((RowKind::UpdateAfter, new[pair]));
        }
        out.extend(new[updates..].iter().map(|&row| (RowKind::Insert, row)));
    }
    Ok(out)
}

/// The key columns of every row as bytes that are equal where the keys are.
struct KeyRows {
    rows: arrow::row::Rows,
}

impl KeyRows {
    fn new(columns: &[ArrayRef]) -> Result<Self, ArrowError> {
        let fields =
            columns.iter().map(|c| arrow::row::SortField::new(c.data_type().clone())).collect();
        let converter = arrow::row::RowConverter::new(fields)?;
        Ok(Self { rows: converter.convert_columns(columns)? })
    }

    fn row(&self, index: usize) -> &[u8] {
        self.rows.row(index).data()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::RowKind::*;
    use super::*;

    fn delta(rows: &[(i64, &str, i64)]) -> Delta {
        let schema = Arc::new(Schema::new(vec![
            Field::new("k", DataType::Int64, true),
            Field::new("v", DataType::Utf8, true),
        ]));
        let keys = Int64Array::from_iter_values(rows.iter().map(|r| r.0));
        let values = StringArray::from_iter_values(rows.iter().map(|r| r.1));
        let batch = RecordBatch::try_new(schema, vec![Arc::new(keys), Arc::new(values)]).unwrap();
        Delta::weighted(batch, Int64Array::from_iter_values(rows.iter().map(|r| r.2)))
    }

    #[test]
    fn insert_only_rows_are_inserts_in_order() {
        let weighted = delta(&[(1, "a", 1), (2, "b", 1)]);
        let plain = Delta::insert_only(weighted.batch().clone());
        assert_eq!(changes(&plain, Some(&[0])).unwrap(), [(Insert, 0), (Insert, 1)]);
    }

    #[test]
    fn without_a_key_rows_go_before_rows_come_and_weights_repeat() {
        let delta = delta(&[(1, "b", 2), (1, "a", -1), (2, "c", -2)]);
        assert_eq!(
            changes(&delta, None).unwrap(),
            [(Delete, 1), (Delete, 2), (Delete, 2), (Insert, 0), (Insert, 0)]
        );
    }

    #[test]
    fn with_a_key_an_old_and_a_new_version_are_an_update() {
        let delta = delta(&[(1, "new", 1), (2, "only", 1), (1, "old", -1), (3, "gone", -1)]);
        assert_eq!(
            changes(&delta, Some(&[0])).unwrap(),
            [(UpdateBefore, 2), (UpdateAfter, 0), (Insert, 1), (Delete, 3)]
        );
    }

    #[test]
    fn null_keys_are_one_key() {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let keys = Int64Array::from(vec![None, None]);
        let batch = RecordBatch::try_new(schema, vec![Arc::new(keys)]).unwrap();
        let delta = Delta::weighted(batch, Int64Array::from(vec![-1, 1]));
        assert_eq!(changes(&delta, Some(&[0])).unwrap(), [(UpdateBefore, 0), (UpdateAfter, 1)]);
    }
}
