//! The order of rows: `ORDER BY` columns as keys that compare as machine words or bytes.
//!
//! # Ties
//! Rows with equal order keys need a second order, or the answer would be a matter of luck. Where
//! the input is insert-only, the row that arrived first comes first: nothing else needs to be
//! kept. Where it retracts, arrival says little (an updated row would move), so the bytes of the
//! whole row decide: the answer then depends on the content of the input alone.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow_row::{RowConverter, Rows, SortField};

use crate::state::{Input, Persist};
use crate::{EngineError, Result};

/// One column of an `ORDER BY`. Flink's NULL is the lowest value: `nulls_first` is the opposite
/// of `descending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// The index of the column in the input.
    pub column: usize,
    /// Its direction and where its nulls go.
    pub options: SortOptions,
}

impl SortColumn {
    /// Lowest first, nulls before all else.
    pub fn ascending(column: usize) -> Self {
        Self { column, options: SortOptions { descending: false, nulls_first: true } }
    }

    /// Greatest first, nulls after all else.
    pub fn descending(column: usize) -> Self {
        Self { column, options: SortOptions { descending: true, nulls_first: false } }
    }
}

/// A kept order key. Keys of one encoder compare as their rows do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// A null that comes before all values.
    NullFirst,
    /// A single integer, date or timestamp; differences of keys are differences of values.
    Fixed(u64),
    /// Anything else, as row bytes.
    Bytes(Box<[u8]>),
    /// A null that comes after all values.
    NullLast,
}

impl Key {
    const NULL_FIRST: u8 = 0;
    const FIXED: u8 = 1;
    const BYTES: u8 = 2;
    const NULL_LAST: u8 = 3;

    /// Appends the key as bytes that compare as keys do, also with other bytes behind them.
    pub(crate) fn put_ordered(&self, out: &mut Vec<u8>) {
        match self {
            Self::NullFirst => out.push(Self::NULL_FIRST),
            Self::Fixed(value) => put_fixed(*value, out),
            Self::Bytes(bytes) => put_row(bytes, out),
            Self::NullLast => out.push(Self::NULL_LAST),
        }
    }

    /// The key of such bytes.
    pub(crate) fn from_ordered(bytes: &[u8]) -> Self {
        match bytes.split_first() {
            Some((&Self::FIXED, value)) => {
                Self::Fixed(value.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            Some((&Self::BYTES, bytes)) => Self::Bytes(bytes.into()),
            Some((&Self::NULL_LAST, _)) => Self::NullLast,
            _ => Self::NullFirst,
        }
    }
}

fn put_fixed(value: u64, out: &mut Vec<u8>) {
    out.push(Key::FIXED);
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_row(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(Key::BYTES);
    out.extend_from_slice(bytes);
}

impl Persist for Key {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::NullFirst => out.push(Self::NULL_FIRST),
            Self::Fixed(value) => {
                out.push(Self::FIXED);
                value.put(out);
            }
            Self::Bytes(bytes) => {
                out.push(Self::BYTES);
                bytes.put(out);
            }
            Self::NullLast => out.push(Self::NULL_LAST),
        }
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        Ok(match input.get::<u8>()? {
            Self::NULL_FIRST => Self::NullFirst,
            Self::FIXED => Self::Fixed(input.get()?),
            Self::BYTES => Self::Bytes(input.get()?),
            Self::NULL_LAST => Self::NullLast,
            other => return Err(EngineError::State(format!("{other} is no kind of key"))),
        })
    }
}

/// Makes keys of the rows of batches.
#[derive(Debug)]
pub(crate) struct KeyEncoder {
    columns: Vec<usize>,
    kind: EncoderKind,
}

#[derive(Debug)]
enum EncoderKind {
    Nothing,
    Fixed(SortOptions),
    Rows(RowConverter),
}

/// Whether one column of this type has keys of the kind [`Key::Fixed`].
pub(crate) fn is_fixed(data_type: &DataType) -> bool {
    use DataType::{Date32, Int8, Int16, Int32, Int64, Timestamp};
    matches!(data_type, Int8 | Int16 | Int32 | Int64 | Date32 | Timestamp(..))
}

impl KeyEncoder {
    /// An encoder for these columns of rows of `schema`.
    pub(crate) fn new(schema: &SchemaRef, order: &[SortColumn]) -> Result<Self> {
        let columns = order.iter().map(|s| s.column).collect();
        let data_type = |s: &SortColumn| schema.field(s.column).data_type().clone();
        let kind = match order {
            [] => EncoderKind::Nothing,
            [one] if is_fixed(&data_type(one)) => EncoderKind::Fixed(one.options),
            _ => {
                let field = |s| SortField::new_with_options(data_type(s), s.options);
                EncoderKind::Rows(RowConverter::new(order.iter().map(field).collect())?)
            }
        };
        Ok(Self { columns, kind })
    }

    /// The keys of the rows of a batch with these columns.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Keys> {
        Ok(match &self.kind {
            EncoderKind::Nothing => Keys::Nothing,
            EncoderKind::Fixed(options) => {
                let integers = cast(&columns[self.columns[0]], &DataType::Int64)?;
                let integers = integers.as_primitive::<Int64Type>();
                Keys::Fixed(FixedKeys::new(integers, *options))
            }
            EncoderKind::Rows(converter) => {
                let columns: Vec<ArrayRef> =
                    self.columns.iter().map(|&c| columns[c].clone()).collect();
                Keys::Rows(converter.convert_columns(&columns)?)
            }
        })
    }
}

/// The keys of a batch.
pub(crate) enum Keys {
    Nothing,
    Fixed(FixedKeys),
    Rows(Rows),
}

pub(crate) struct FixedKeys {
    values: Vec<u64>,
    nulls: Option<NullBuffer>,
    null: Key,
}

impl FixedKeys {
    fn new(integers: &Int64Array, options: SortOptions) -> Self {
        const SIGN: u64 = 1 << 63;
        let flip = if options.descending { !SIGN } else { SIGN };
        let values = integers.values().iter().map(|&v| (v as u64) ^ flip).collect();
        let null = if options.nulls_first { Key::NullFirst } else { Key::NullLast };
        let nulls = integers.nulls().filter(|n| n.null_count() > 0).cloned();
        Self { values, nulls, null }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }
}

impl Keys {
    /// The key of one row, to be kept.
    #[inline]
    pub(crate) fn key(&self, row: usize) -> Key {
        match self {
            Self::Nothing => Key::NullFirst,
            Self::Fixed(keys) if keys.is_null(row) => keys.null.clone(),
            Self::Fixed(keys) => Key::Fixed(keys.values[row]),
            Self::Rows(rows) => Key::Bytes(rows.row(row).data().into()),
        }
    }

    /// Appends the key of one row as [`Key::put_ordered`] does.
    #[inline]
    pub(crate) fn put_ordered(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Fixed(keys) if !keys.is_null(row) => put_fixed(keys.values[row], out),
            Self::Rows(rows) => put_row(rows.row(row).data(), out),
            _ => self.key(row).put_ordered(out),
        }
    }

    /// How the keys of two rows compare.
    #[inline]
    pub(crate) fn compare_rows(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Nothing => Ordering::Equal,
            Self::Fixed(keys) if keys.nulls.is_none() => keys.values[a].cmp(&keys.values[b]),
            Self::Fixed(_) => self.key(a).cmp(&self.key(b)),
            Self::Rows(rows) => rows.row(a).data().cmp(rows.row(b).data()),
        }
    }

    /// How the key of one row compares with a kept one.
    #[inline]
    pub(crate) fn compare(&self, row: usize, key: &Key) -> Ordering {
        match (self, key) {
            (Self::Fixed(keys), Key::Fixed(other)) if keys.nulls.is_none() => {
                keys.values[row].cmp(other)
            }
            (Self::Rows(rows), Key::Bytes(bytes)) => rows.row(row).data().cmp(bytes),
            _ => self.key(row).cmp(key),
        }
    }
}

/// The bytes of whole rows: equal rows have equal bytes.
pub(crate) struct RowBytes {
    converter: RowConverter,
}

impl RowBytes {
    pub(crate) fn new(schema: &SchemaRef) -> Result<Self> {
        let field = |f: &arrow::datatypes::FieldRef| SortField::new(f.data_type().clone());
        Ok(Self { converter: RowConverter::new(schema.fields().iter().map(field).collect())? })
    }

    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        Ok(self.converter.convert_columns(columns)?)
    }

    /// The columns of rows of these bytes.
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        Ok(self.converter.convert_rows(rows.map(|bytes| parser.parse(bytes)))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_bytes_compare_as_keys_do_and_give_them_back() {
        let bytes = |bytes: &[u8]| Key::Bytes(bytes.into());
        let keys = [
            Key::NullFirst,
            Key::Fixed(0),
            Key::Fixed(255),
            Key::Fixed(256),
            Key::Fixed(u64::MAX),
            bytes(&[]),
            bytes(&[1, 255]),
            bytes(&[2]),
            Key::NullLast,
        ];
        let ordered = keys.each_ref().map(|key| {
            let mut out = Vec::new();
            key.put_ordered(&mut out);
            out
        });
        assert!(ordered.is_sorted_by(|a, b| a < b), "{ordered:?}");
        assert_eq!(ordered.each_ref().map(|bytes| Key::from_ordered(bytes)), keys);
    }
}
