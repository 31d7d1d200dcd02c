//! One growing, typed column that can be written at any row and gathered from in any order.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanArray, GenericBinaryArray, GenericStringArray,
    OffsetSizeTrait, make_array, new_null_array,
};
use arrow::array::{BinaryViewArray, StringViewArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, IntervalUnit};
use arrow_row::{RowConverter, SortField};

use super::NO_ROW;
use super::bits::Bits;
use super::bytes::ByteColumn;
use super::held;
use crate::state::{Input, Persist, put_bytes};
use crate::{EngineError, Result};

/// The values of one column by row id.
#[derive(Debug)]
pub(super) struct Column {
    data_type: DataType,
    values: Values,
    /// Which rows are null; `None` as long as none ever was.
    nulls: Option<Bits>,
}

/// The ways to keep values: by width, as bytes, or as Arrow rows for nested and rare types.
#[derive(Debug)]
enum Values {
    Null(usize),
    Bool(Vec<u8>),
    W1(Vec<i8>),
    W2(Vec<i16>),
    W4(Vec<i32>),
    W8(Vec<i64>),
    W16(Vec<i128>),
    Bytes(ByteColumn),
    Rows(RowConverter, ByteColumn),
}

impl Values {
    fn new(data_type: &DataType) -> Result<Self> {
        use DataType as T;
        Ok(match data_type {
            T::Null => Self::Null(0),
            T::Boolean => Self::Bool(Vec::new()),
            T::Int8 | T::UInt8 => Self::W1(Vec::new()),
            T::Int16 | T::UInt16 | T::Float16 => Self::W2(Vec::new()),
            T::Int32 | T::UInt32 | T::Float32 | T::Date32 | T::Time32(_) | T::Decimal32(..) => {
                Self::W4(Vec::new())
            }
            T::Interval(IntervalUnit::YearMonth) => Self::W4(Vec::new()),
            T::Int64 | T::UInt64 | T::Float64 | T::Date64 | T::Time64(_) | T::Decimal64(..) => {
                Self::W8(Vec::new())
            }
            T::Timestamp(..) | T::Duration(_) => Self::W8(Vec::new()),
            T::Decimal128(..) => Self::W16(Vec::new()),
            T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView => {
                Self::Bytes(ByteColumn::default())
            }
            other => {
                let converter = RowConverter::new(vec![SortField::new(other.clone())]);
                let converter = converter.map_err(|e| {
                    EngineError::Data(format!("a column of type {other} cannot be kept: {e}"))
                })?;
                Self::Rows(converter, ByteColumn::default())
            }
        })
    }
}

macro_rules! each_fixed {
    ($values:expr, $v:ident => $fixed:expr, $($other:tt)*) => {
        match $values {
            Values::Bool($v) => $fixed,
            Values::W1($v) => $fixed,
            Values::W2($v) => $fixed,
            Values::W4($v) => $fixed,
            Values::W8($v) => $fixed,
            Values::W16($v) => $fixed,
            $($other)*
        }
    };
}

impl Column {
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        let values = Values::new(data_type)?;
        Ok(Self { data_type: data_type.clone(), values, nulls: None })
    }

    pub(super) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Writes row `rows[i]` of `array` at `ids[i]`, growing to `len` rows. Ids below the old length
    /// are free places and lead; the others follow without gaps.
    pub(super) fn write(
        &mut self,
        array: &ArrayRef,
        rows: &[u32],
        ids: &[u32],
        len: usize,
    ) -> Result<()> {
        if array.data_type() != &self.data_type {
            return Err(EngineError::Internal(format!(
                "a {} came for a stored column of {}",
                array.data_type(),
                self.data_type
            )));
        }
        match &mut self.values {
            Values::Null(n) => *n = len,
            Values::Bool(v) => {
                let source: Vec<u8> = array.as_boolean().values().iter().map(u8::from).collect();
                scatter(v, &source, rows, ids);
            }
            Values::W1(v) => scatter(v, &words(array), rows, ids),
            Values::W2(v) => scatter(v, &words(array), rows, ids),
            Values::W4(v) => scatter(v, &words(array), rows, ids),
            Values::W8(v) => scatter(v, &words(array), rows, ids),
            Values::W16(v) => scatter(v, &words(array), rows, ids),
            Values::Bytes(v) => write_bytes(v, array, rows, ids, len),
            Values::Rows(converter, v) => {
                v.resize(len);
                let encoded = converter.convert_columns(std::slice::from_ref(array))?;
                for (&row, &id) in rows.iter().zip(ids) {
                    v.set(id, encoded.row(row as usize).data());
                }
            }
        }
        self.write_nulls(array, rows, ids);
        Ok(())
    }

    fn write_nulls(&mut self, array: &ArrayRef, rows: &[u32], ids: &[u32]) {
        let Some(source) = array.nulls().filter(|n| n.null_count() > 0) else {
            if let Some(nulls) = &mut self.nulls {
                ids.iter().for_each(|&id| nulls.set(id as usize, false));
            }
            return;
        };
        let nulls = self.nulls.get_or_insert_default();
        for (&row, &id) in rows.iter().zip(ids) {
            nulls.set(id as usize, source.is_null(row as usize));
        }
    }

    /// Lets go of what a removed row holds.
    pub(super) fn clear(&mut self, id: u32) {
        if let Values::Bytes(v) | Values::Rows(_, v) = &mut self.values {
            v.clear(id);
        }
    }

    /// Gives back what removed rows held, if it is much.
    pub(super) fn compact(&mut self) {
        if let Values::Bytes(v) | Values::Rows(_, v) = &mut self.values {
            v.compact();
        }
    }

    /// Appends a row's value to a checkpoint.
    pub(super) fn save(&self, id: u32, out: &mut Vec<u8>) {
        let null = self.is_null(id);
        null.put(out);
        if null {
            return;
        }
        each_fixed!(&self.values, v => v[id as usize].put(out),
            Values::Null(_) => {}
            Values::Bytes(v) | Values::Rows(_, v) => put_bytes(v.get(id), out),
        );
    }

    /// Reads a value back to a row, growing to `len` rows. The row must be new or free.
    pub(super) fn load(&mut self, id: u32, len: usize, input: &mut Input<'_>) -> Result<()> {
        let null = bool::get(input)?;
        if null {
            self.nulls.get_or_insert_default().set(id as usize, true);
        } else if let Some(nulls) = &mut self.nulls {
            nulls.set(id as usize, false);
        }
        match &mut self.values {
            Values::Null(n) => *n = len,
            Values::Bool(v) => load_fixed(v, id, len, null, input)?,
            Values::W1(v) => load_fixed(v, id, len, null, input)?,
            Values::W2(v) => load_fixed(v, id, len, null, input)?,
            Values::W4(v) => load_fixed(v, id, len, null, input)?,
            Values::W8(v) => load_fixed(v, id, len, null, input)?,
            Values::W16(v) => load_fixed(v, id, len, null, input)?,
            Values::Bytes(v) => {
                v.resize(len);
                if !null {
                    v.set(id, input.bytes()?);
                }
            }
            Values::Rows(converter, v) => {
                v.resize(len);
                if null {
                    let none = converter.convert_columns(&[new_null_array(&self.data_type, 1)])?;
                    v.set(id, none.row(0).data());
                } else {
                    v.set(id, input.bytes()?);
                }
            }
        }
        Ok(())
    }

    /// Whether two rows hold the same value; null equals null, floats are compared by their bits.
    #[inline]
    pub(super) fn equal(&self, a: u32, b: u32) -> bool {
        if let Some(nulls) = &self.nulls {
            match (nulls.get(a as usize), nulls.get(b as usize)) {
                (true, true) => return true,
                (false, false) => {}
                _ => return false,
            }
        }
        each_fixed!(&self.values, v => v[a as usize] == v[b as usize],
            Values::Null(_) => true,
            Values::Bytes(v) | Values::Rows(_, v) => v.get(a) == v.get(b),
        )
    }

    /// The values of the rows `ids`, null for [`NO_ROW`].
    pub(super) fn gather(&self, ids: &[u32]) -> Result<ArrayRef> {
        let nulls = self.gather_nulls(ids);
        if nulls.as_ref().is_some_and(|n| n.null_count() == ids.len()) {
            return Ok(new_null_array(&self.data_type, ids.len()));
        }
        Ok(match &self.values {
            Values::Null(_) => new_null_array(&self.data_type, ids.len()),
            Values::Bool(v) => {
                let bit = |i: usize| v.get(ids[i] as usize).is_some_and(|&b| b != 0);
                let values = BooleanBuffer::collect_bool(ids.len(), bit);
                Arc::new(BooleanArray::new(values, nulls))
            }
            Values::W1(v) => self.fixed(v, ids, nulls)?,
            Values::W2(v) => self.fixed(v, ids, nulls)?,
            Values::W4(v) => self.fixed(v, ids, nulls)?,
            Values::W8(v) => self.fixed(v, ids, nulls)?,
            Values::W16(v) => self.fixed(v, ids, nulls)?,
            Values::Bytes(v) => self.gather_bytes(v, ids, nulls)?,
            Values::Rows(converter, v) => self.gather_rows(converter, v, ids)?,
        })
    }

    fn gather_nulls(&self, ids: &[u32]) -> Option<NullBuffer> {
        let valid = match &self.nulls {
            Some(nulls) => BooleanBuffer::collect_bool(ids.len(), |i| {
                ids[i] != NO_ROW && !nulls.get(ids[i] as usize)
            }),
            None if ids.contains(&NO_ROW) => {
                BooleanBuffer::collect_bool(ids.len(), |i| ids[i] != NO_ROW)
            }
            None => return None,
        };
        Some(NullBuffer::new(valid)).filter(|n| n.null_count() > 0)
    }

    fn fixed<T: ArrowNativeType>(
        &self,
        values: &[T],
        ids: &[u32],
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef> {
        // NO_ROW is behind the end of every column.
        let value = |&id: &u32| values.get(id as usize).copied().unwrap_or_default();
        let gathered: Vec<T> = ids.iter().map(value).collect();
        let data = ArrayData::builder(self.data_type.clone())
            .len(ids.len())
            .add_buffer(Buffer::from_vec(gathered))
            .nulls(nulls)
            .build()?;
        Ok(make_array(data))
    }

    fn gather_bytes(
        &self,
        values: &ByteColumn,
        ids: &[u32],
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef> {
        // A null row holds no bytes, so the values alone are right up to the null buffer.
        let value = |&id: &u32| (!self.is_null(id)).then(|| values.get(id));
        Ok(match &self.data_type {
            DataType::Utf8 => Arc::new(strings::<i32>(values, ids, nulls)?),
            DataType::LargeUtf8 => Arc::new(strings::<i64>(values, ids, nulls)?),
            DataType::Binary => Arc::new(binaries::<i32>(values, ids, nulls)?),
            DataType::LargeBinary => Arc::new(binaries::<i64>(values, ids, nulls)?),
            DataType::Utf8View => {
                let binary = BinaryViewArray::from_iter(ids.iter().map(value));
                let text: StringViewArray = binary.to_string_view()?;
                Arc::new(text)
            }
            _ => Arc::new(BinaryViewArray::from_iter(ids.iter().map(value))),
        })
    }

    fn gather_rows(
        &self,
        converter: &RowConverter,
        values: &ByteColumn,
        ids: &[u32],
    ) -> Result<ArrayRef> {
        let null = converter.convert_columns(&[new_null_array(&self.data_type, 1)])?;
        let parser = converter.parser();
        let row = |&id: &u32| {
            if id == NO_ROW { null.row(0) } else { parser.parse(values.get(id)) }
        };
        let mut columns = converter.convert_rows(ids.iter().map(row))?;
        columns.pop().ok_or_else(|| EngineError::Internal("no column in a stored row".into()))
    }

    fn is_null(&self, id: u32) -> bool {
        id == NO_ROW || self.nulls.as_ref().is_some_and(|n| n.get(id as usize))
    }

    pub(super) fn bytes(&self) -> usize {
        let values = each_fixed!(&self.values, v => held(v),
            Values::Null(_) => 0,
            Values::Bytes(v) | Values::Rows(_, v) => v.bytes(),
        );
        values + self.nulls.as_ref().map_or(0, Bits::bytes)
    }
}

fn load_fixed<T: Persist + Copy + Default>(
    values: &mut Vec<T>,
    id: u32,
    len: usize,
    null: bool,
    input: &mut Input<'_>,
) -> Result<()> {
    values.resize(len, T::default());
    values[id as usize] = if null { T::default() } else { T::get(input)? };
    Ok(())
}

/// The native values of a fixed-width array, whatever its logical type.
fn words<T: ArrowNativeType>(array: &ArrayRef) -> ScalarBuffer<T> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

fn scatter<T: Copy>(values: &mut Vec<T>, source: &[T], rows: &[u32], ids: &[u32]) {
    let free = ids.iter().take_while(|&&id| (id as usize) < values.len()).count();
    for (&row, &id) in rows[..free].iter().zip(&ids[..free]) {
        values[id as usize] = source[row as usize];
    }
    let rows = &rows[free..];
    if rows.len() == source.len() {
        values.extend_from_slice(source);
    } else {
        values.extend(rows.iter().map(|&row| source[row as usize]));
    }
}

fn write_bytes(values: &mut ByteColumn, array: &ArrayRef, rows: &[u32], ids: &[u32], len: usize) {
    values.resize(len);
    macro_rules! write {
        ($array:expr) => {{
            let source = $array;
            for (&row, &id) in rows.iter().zip(ids) {
                if source.is_valid(row as usize) {
                    let value: &[u8] = source.value(row as usize).as_ref();
                    values.set(id, value);
                }
            }
        }};
    }
    match array.data_type() {
        DataType::Utf8 => write!(array.as_string::<i32>()),
        DataType::LargeUtf8 => write!(array.as_string::<i64>()),
        DataType::Utf8View => write!(array.as_string_view()),
        DataType::Binary => write!(array.as_binary::<i32>()),
        DataType::LargeBinary => write!(array.as_binary::<i64>()),
        _ => write!(array.as_binary_view()),
    }
}

/// The end offsets and joined bytes of the rows `ids`.
fn joined<O: OffsetSizeTrait>(
    values: &ByteColumn,
    ids: &[u32],
) -> Result<(OffsetBuffer<O>, Buffer)> {
    let mut offsets = Vec::with_capacity(ids.len() + 1);
    let mut end = 0_usize;
    offsets.push(O::usize_as(0));
    for &id in ids {
        end += values.get(id).len();
        offsets.push(O::from_usize(end).ok_or_else(|| {
            EngineError::Data(format!("more than {end} bytes of text in one batch of a column"))
        })?);
    }
    let mut bytes = Vec::with_capacity(end);
    ids.iter().for_each(|&id| bytes.extend_from_slice(values.get(id)));
    Ok((OffsetBuffer::new(offsets.into()), Buffer::from_vec(bytes)))
}

fn strings<O: OffsetSizeTrait>(
    values: &ByteColumn,
    ids: &[u32],
    nulls: Option<NullBuffer>,
) -> Result<GenericStringArray<O>> {
    let (offsets, bytes) = joined(values, ids)?;
    Ok(GenericStringArray::try_new(offsets, bytes, nulls)?)
}

fn binaries<O: OffsetSizeTrait>(
    values: &ByteColumn,
    ids: &[u32],
    nulls: Option<NullBuffer>,
) -> Result<GenericBinaryArray<O>> {
    let (offsets, bytes) = joined(values, ids)?;
    Ok(GenericBinaryArray::try_new(offsets, bytes, nulls)?)
}
