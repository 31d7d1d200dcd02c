//! Growing columns of every type of the dialect, which can be cut back to a number of rows.
//!
//! Arrow's builders cannot forget a value. A decoder must: it finds out in the middle of a record
//! that the record is bad, and then takes back what it appended.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Decimal128Array, ListArray,
    MapArray, NullArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, FieldRef, Fields, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::error::ArrowError;

use super::text::Minute;

/// Which rows hold a value. Costs nothing until the first null: how many rows there are, the column
/// knows by its values.
#[derive(Debug, Default)]
pub(crate) struct Validity {
    bits: Option<BooleanBufferBuilder>,
}

impl Validity {
    #[inline(always)]
    pub fn valid(&mut self) {
        if let Some(bits) = &mut self.bits {
            bits.append(true);
        }
    }

    /// Adds a null after `len` rows.
    #[cold]
    fn null(&mut self, len: usize) {
        let bits = self.bits.get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(len + 1);
            bits.append_n(len, true);
            bits
        });
        bits.append(false);
    }

    fn truncate(&mut self, len: usize) {
        if let Some(bits) = &mut self.bits
            && bits.len() > len
        {
            bits.truncate(len);
        }
    }

    fn last_is_null(&self) -> bool {
        let Some(bits) = &self.bits else { return false };
        bits.len() > 0 && !bits.get_bit(bits.len() - 1)
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        self.bits.take().map(|mut bits| NullBuffer::new(bits.finish()))
    }
}

/// A column of fixed-width values.
#[derive(Debug, Default)]
pub(crate) struct Plain<T> {
    values: Vec<T>,
    validity: Validity,
}

impl<T: ArrowNativeType> Plain<T> {
    #[inline(always)]
    pub fn push(&mut self, value: T) {
        self.values.push(value);
        self.validity.valid();
    }

    fn null(&mut self) {
        self.validity.null(self.values.len());
        self.values.push(T::default());
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.validity.truncate(len);
    }

    fn array<P: ArrowPrimitiveType<Native = T>>(
        &mut self,
        data_type: &DataType,
    ) -> Result<ArrayRef, ArrowError> {
        let next = Vec::with_capacity(self.values.len());
        let values = ScalarBuffer::from(std::mem::replace(&mut self.values, next));
        let array = PrimitiveArray::<P>::try_new(values, self.validity.finish())?;
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    }
}

/// A column of strings or of bytes.
#[derive(Debug)]
pub(crate) struct Text {
    ends: Vec<i32>,
    /// The bytes of all values. A value is appended here, then closed with [`Text::close`].
    pub bytes: Vec<u8>,
    validity: Validity,
}

impl Default for Text {
    fn default() -> Self {
        Self { ends: vec![0], bytes: Vec::new(), validity: Validity::default() }
    }
}

impl Text {
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.close();
    }

    /// Appends `bytes[start..end]`. Short values are copied as one block of fixed size, of which
    /// the surplus is cut off again: a copy of unknown length costs more than the bytes.
    #[inline(always)]
    pub fn push_within(&mut self, bytes: &[u8], start: usize, end: usize) {
        let len = end - start;
        match bytes.get(start..).and_then(<[u8]>::first_chunk::<16>) {
            Some(block) if len <= 16 => {
                let filled = self.bytes.len();
                self.bytes.extend_from_slice(block);
                self.bytes.truncate(filled + len);
            }
            _ => self.bytes.extend_from_slice(&bytes[start..end]),
        }
        self.close();
    }

    /// Ends the value whose bytes were appended to `bytes`.
    #[inline(always)]
    pub fn close(&mut self) {
        // A batch is closed long before 2 GiB (see BATCH_BYTES_MAX), so that this always fits.
        self.ends.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
        self.validity.valid();
    }

    /// Drops the bytes of a value that was not closed.
    pub fn abandon(&mut self) {
        let end = self.ends.last().copied().unwrap_or(0);
        self.bytes.truncate(end as usize);
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    fn null(&mut self) {
        self.validity.null(self.len());
        self.ends.push(self.ends.last().copied().unwrap_or(0));
    }

    fn truncate(&mut self, len: usize) {
        self.ends.truncate(len + 1);
        self.abandon();
        self.validity.truncate(len);
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut next = Vec::with_capacity(self.ends.len());
        next.push(0);
        let ends = std::mem::replace(&mut self.ends, next);
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = Vec::with_capacity(bytes.len());
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        (offsets, Buffer::from_vec(bytes), self.validity.finish())
    }
}

/// A column of timestamps.
#[derive(Debug)]
pub(crate) struct Timestamps {
    pub plain: Plain<i64>,
    pub unit: TimeUnit,
    /// With a time zone, which is always UTC.
    pub zoned: bool,
    /// The minute of the value that was read last.
    pub minute: Minute,
}

impl Timestamps {
    fn new(unit: TimeUnit, zoned: bool) -> Self {
        Self { plain: Plain::default(), unit, zoned, minute: Minute::default() }
    }
}

/// A column of arrays.
#[derive(Debug)]
pub(crate) struct List {
    ends: Vec<i32>,
    validity: Validity,
    pub element: Slot,
}

/// A column of maps.
#[derive(Debug)]
pub(crate) struct Map {
    ends: Vec<i32>,
    validity: Validity,
    entries: FieldRef,
    pub key: Slot,
    pub value: Slot,
}

/// A column of rows.
#[derive(Debug)]
pub(crate) struct Row {
    len: usize,
    validity: Validity,
    pub fields: Vec<Slot>,
}

macro_rules! nested_ends {
    ($($name:ident),*) => {$(
        impl $name {
            /// Ends the array or map whose elements were appended; `len` is their total number.
            pub fn close(&mut self, len: usize) {
                self.ends.push(i32::try_from(len).unwrap_or(i32::MAX));
                self.validity.valid();
            }

            fn len(&self) -> usize {
                self.ends.len() - 1
            }

            fn null(&mut self) {
                self.validity.null(self.len());
                self.ends.push(self.ends.last().copied().unwrap_or(0));
            }

            /// How many elements the closed arrays or maps hold.
            pub fn closed(&self) -> usize {
                self.ends.last().copied().unwrap_or(0) as usize
            }

            fn take_ends(&mut self) -> OffsetBuffer<i32> {
                OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.ends, vec![0])))
            }
        }
    )*};
}
nested_ends!(List, Map);

impl Row {
    /// Ends the row whose fields were appended.
    pub fn close(&mut self) {
        self.len += 1;
        self.validity.valid();
    }
}

/// Why values of a type cannot be read from a format, and what to do.
pub(crate) fn no_type(format: &str, data_type: &DataType) -> String {
    match data_type {
        DataType::LargeUtf8 => format!(
            "no VARIANT is read from {format}; declare the column as STRING and write \
             PARSE_JSON(column)"
        ),
        other => format!("the {format} format has no type {other}"),
    }
}

/// Whether there is a VARIANT in values of a type.
pub(crate) fn has_variant(data_type: &DataType) -> bool {
    match data_type {
        DataType::LargeUtf8 => true,
        DataType::List(inner) | DataType::Map(inner, _) => has_variant(inner.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_variant(field.data_type())),
        _ => false,
    }
}

/// A named column and whether it may be null.
#[derive(Debug)]
pub(crate) struct Slot {
    pub field: FieldRef,
    pub column: Column,
}

impl Slot {
    /// An empty column for a field, or the type that no format can hold.
    pub fn new(field: &FieldRef) -> Result<Self, DataType> {
        Ok(Self { field: Arc::clone(field), column: Column::new(field.data_type())? })
    }

    pub fn name(&self) -> &str {
        self.field.name()
    }

    /// Whether the last value is a null that the declaration forbids.
    pub fn breaks_not_null(&self) -> bool {
        !self.field.is_nullable() && self.column.last_is_null()
    }

    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        self.column.finish(self.field.data_type())
    }
}

/// A growing column.
#[derive(Debug)]
pub(crate) enum Column {
    Null(usize),
    Bool(BooleanBufferBuilder, Validity),
    I8(Plain<i8>),
    I16(Plain<i16>),
    I32(Plain<i32>),
    I64(Plain<i64>),
    F32(Plain<f32>),
    F64(Plain<f64>),
    Decimal(Plain<i128>, u8, i8),
    Utf8(Text),
    Binary(Text),
    Date(Plain<i32>),
    TimeMs(Plain<i32>),
    Timestamp(Timestamps),
    List(Box<List>),
    Map(Box<Map>),
    Row(Box<Row>),
}

impl Column {
    /// An empty column of a type, or the (inner) type that cannot be held.
    pub fn new(data_type: &DataType) -> Result<Self, DataType> {
        Ok(match data_type {
            DataType::Null => Self::Null(0),
            DataType::Boolean => Self::Bool(BooleanBufferBuilder::new(0), Validity::default()),
            DataType::Int8 => Self::I8(Plain::default()),
            DataType::Int16 => Self::I16(Plain::default()),
            DataType::Int32 => Self::I32(Plain::default()),
            DataType::Int64 => Self::I64(Plain::default()),
            DataType::Float32 => Self::F32(Plain::default()),
            DataType::Float64 => Self::F64(Plain::default()),
            DataType::Decimal128(p, s) if *s >= 0 => Self::Decimal(Plain::default(), *p, *s),
            DataType::Utf8 => Self::Utf8(Text::default()),
            DataType::Binary => Self::Binary(Text::default()),
            DataType::Date32 => Self::Date(Plain::default()),
            DataType::Time32(TimeUnit::Millisecond) => Self::TimeMs(Plain::default()),
            DataType::Timestamp(unit, None) => Self::Timestamp(Timestamps::new(*unit, false)),
            DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
                Self::Timestamp(Timestamps::new(*unit, true))
            }
            DataType::List(element) => Self::List(Box::new(List {
                ends: vec![0],
                validity: Validity::default(),
                element: Slot::new(element)?,
            })),
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(data_type.clone());
                };
                let [key, value] = fields.as_ref() else { return Err(data_type.clone()) };
                Self::Map(Box::new(Map {
                    ends: vec![0],
                    validity: Validity::default(),
                    entries: Arc::clone(entries),
                    key: Slot::new(key)?,
                    value: Slot::new(value)?,
                }))
            }
            DataType::Struct(fields) => Self::Row(Box::new(Row {
                len: 0,
                validity: Validity::default(),
                fields: fields.iter().map(Slot::new).collect::<Result<_, _>>()?,
            })),
            other => return Err(other.clone()),
        })
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Null(len) => *len,
            Self::Bool(values, _) => values.len(),
            Self::I8(c) => c.values.len(),
            Self::I16(c) => c.values.len(),
            Self::I32(c) | Self::Date(c) | Self::TimeMs(c) => c.values.len(),
            Self::I64(c) => c.values.len(),
            Self::Timestamp(c) => c.plain.values.len(),
            Self::F32(c) => c.values.len(),
            Self::F64(c) => c.values.len(),
            Self::Decimal(c, _, _) => c.values.len(),
            Self::Utf8(c) | Self::Binary(c) => c.len(),
            Self::List(c) => c.len(),
            Self::Map(c) => c.len(),
            Self::Row(c) => c.len,
        }
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        match self {
            Self::Null(len) => *len += 1,
            Self::Bool(values, validity) => {
                validity.null(values.len());
                values.append(false);
            }
            Self::I8(c) => c.null(),
            Self::I16(c) => c.null(),
            Self::I32(c) | Self::Date(c) | Self::TimeMs(c) => c.null(),
            Self::I64(c) => c.null(),
            Self::Timestamp(c) => c.plain.null(),
            Self::F32(c) => c.null(),
            Self::F64(c) => c.null(),
            Self::Decimal(c, _, _) => c.null(),
            Self::Utf8(c) | Self::Binary(c) => c.null(),
            Self::List(c) => c.null(),
            Self::Map(c) => c.null(),
            Self::Row(c) => {
                c.validity.null(c.len);
                c.len += 1;
                c.fields.iter_mut().for_each(|f| f.column.push_null());
            }
        }
    }

    /// Forgets every value after the first `len`, and what was begun of the next one.
    pub fn truncate(&mut self, len: usize) {
        match self {
            Self::Null(n) => *n = (*n).min(len),
            Self::Bool(values, validity) => {
                values.truncate(len);
                validity.truncate(len);
            }
            Self::I8(c) => c.truncate(len),
            Self::I16(c) => c.truncate(len),
            Self::I32(c) | Self::Date(c) | Self::TimeMs(c) => c.truncate(len),
            Self::I64(c) => c.truncate(len),
            Self::Timestamp(c) => c.plain.truncate(len),
            Self::F32(c) => c.truncate(len),
            Self::F64(c) => c.truncate(len),
            Self::Decimal(c, _, _) => c.truncate(len),
            Self::Utf8(c) | Self::Binary(c) => c.truncate(len),
            Self::List(c) => {
                c.ends.truncate(len + 1);
                c.validity.truncate(len);
                let elements = c.closed();
                c.element.column.truncate(elements);
            }
            Self::Map(c) => {
                c.ends.truncate(len + 1);
                c.validity.truncate(len);
                let elements = c.closed();
                c.key.column.truncate(elements);
                c.value.column.truncate(elements);
            }
            Self::Row(c) => {
                c.len = c.len.min(len);
                c.validity.truncate(len);
                c.fields.iter_mut().for_each(|f| f.column.truncate(len));
            }
        }
    }

    fn last_is_null(&self) -> bool {
        match self {
            Self::Null(len) => *len > 0,
            Self::Bool(_, v) => v.last_is_null(),
            Self::I8(c) => c.validity.last_is_null(),
            Self::I16(c) => c.validity.last_is_null(),
            Self::I32(c) | Self::Date(c) | Self::TimeMs(c) => c.validity.last_is_null(),
            Self::I64(c) => c.validity.last_is_null(),
            Self::Timestamp(c) => c.plain.validity.last_is_null(),
            Self::F32(c) => c.validity.last_is_null(),
            Self::F64(c) => c.validity.last_is_null(),
            Self::Decimal(c, _, _) => c.validity.last_is_null(),
            Self::Utf8(c) | Self::Binary(c) => c.validity.last_is_null(),
            Self::List(c) => c.validity.last_is_null(),
            Self::Map(c) => c.validity.last_is_null(),
            Self::Row(c) => c.validity.last_is_null(),
        }
    }

    /// Takes all values as an array of the type that the column was made for.
    pub fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Null(len) => Arc::new(NullArray::new(std::mem::take(len))),
            Self::Bool(values, validity) => {
                let values: BooleanBuffer = values.finish();
                Arc::new(BooleanArray::new(values, validity.finish()))
            }
            Self::I8(c) => c.array::<Int8Type>(data_type)?,
            Self::I16(c) => c.array::<Int16Type>(data_type)?,
            Self::I32(c) => c.array::<Int32Type>(data_type)?,
            Self::I64(c) => c.array::<Int64Type>(data_type)?,
            Self::F32(c) => c.array::<Float32Type>(data_type)?,
            Self::F64(c) => c.array::<Float64Type>(data_type)?,
            Self::Decimal(c, precision, scale) => {
                let values = ScalarBuffer::from(std::mem::take(&mut c.values));
                let array = Decimal128Array::try_new(values, c.validity.finish())?;
                Arc::new(array.with_precision_and_scale(*precision, *scale)?)
            }
            Self::Utf8(c) => {
                let (offsets, bytes, nulls) = c.take();
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Binary(c) => {
                let (offsets, bytes, nulls) = c.take();
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Date(c) => c.array::<Date32Type>(data_type)?,
            Self::TimeMs(c) => c.array::<Time32MillisecondType>(data_type)?,
            Self::Timestamp(c) => match c.unit {
                TimeUnit::Second => c.plain.array::<TimestampSecondType>(data_type)?,
                TimeUnit::Millisecond => c.plain.array::<TimestampMillisecondType>(data_type)?,
                TimeUnit::Microsecond => c.plain.array::<TimestampMicrosecondType>(data_type)?,
                TimeUnit::Nanosecond => c.plain.array::<TimestampNanosecondType>(data_type)?,
            },
            Self::List(c) => {
                let values = c.element.finish()?;
                let field = Arc::clone(&c.element.field);
                let offsets = c.take_ends();
                Arc::new(ListArray::try_new(field, offsets, values, c.validity.finish())?)
            }
            Self::Map(c) => finish_map(c)?,
            Self::Row(c) => finish_row(c)?,
        })
    }
}

fn finish_map(map: &mut Map) -> Result<ArrayRef, ArrowError> {
    let (key, value) = (map.key.finish()?, map.value.finish()?);
    let fields = Fields::from(vec![Arc::clone(&map.key.field), Arc::clone(&map.value.field)]);
    let entries = StructArray::try_new(fields, vec![key, value], None)?;
    let offsets = map.take_ends();
    let nulls = map.validity.finish();
    Ok(Arc::new(MapArray::try_new(Arc::clone(&map.entries), offsets, entries, nulls, false)?))
}

fn finish_row(row: &mut Row) -> Result<ArrayRef, ArrowError> {
    let len = std::mem::take(&mut row.len);
    let nulls = row.validity.finish();
    if row.fields.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(len, nulls)));
    }
    let mut arrays = Vec::with_capacity(row.fields.len());
    for slot in &mut row.fields {
        arrays.push(slot.finish()?);
    }
    let fields: Fields = row.fields.iter().map(|f| Arc::clone(&f.field)).collect();
    Ok(Arc::new(StructArray::try_new(fields, arrays, nulls)?))
}
