//! Arrays seen by type, once a batch, for the writers of formats.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, LargeStringArray,
    ListArray, MapArray, PrimitiveArray, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use super::text::{self, TimestampStyle};

/// The values of one column.
pub(crate) enum Cells<'a> {
    Null,
    Bool(&'a BooleanArray),
    I8(&'a PrimitiveArray<Int8Type>),
    I16(&'a PrimitiveArray<Int16Type>),
    I32(&'a PrimitiveArray<Int32Type>),
    I64(&'a PrimitiveArray<Int64Type>),
    F32(&'a PrimitiveArray<Float32Type>),
    F64(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a Decimal128Array, i8),
    Utf8(&'a StringArray),
    /// A VARIANT, as its JSON.
    Variant(&'a LargeStringArray),
    Binary(&'a BinaryArray),
    Date(&'a PrimitiveArray<Date32Type>),
    TimeMs(&'a PrimitiveArray<Time32MillisecondType>),
    Timestamp(&'a [i64], TimeUnit, bool),
    List(&'a ListArray, Box<Column<'a>>),
    Map(&'a MapArray, Box<Column<'a>>, Box<Column<'a>>),
    Row(Vec<(&'a str, Column<'a>)>),
}

/// A column: its values and which of them are null.
pub(crate) struct Column<'a> {
    array: &'a ArrayRef,
    pub cells: Cells<'a>,
}

/// A type that no text format writes.
pub(crate) type Unsupported = DataType;

impl<'a> Column<'a> {
    pub fn new(array: &'a ArrayRef) -> Result<Self, Unsupported> {
        let cells = match array.data_type() {
            DataType::Null => Cells::Null,
            DataType::Boolean => Cells::Bool(array.as_boolean()),
            DataType::Int8 => Cells::I8(array.as_primitive()),
            DataType::Int16 => Cells::I16(array.as_primitive()),
            DataType::Int32 => Cells::I32(array.as_primitive()),
            DataType::Int64 => Cells::I64(array.as_primitive()),
            DataType::Float32 => Cells::F32(array.as_primitive()),
            DataType::Float64 => Cells::F64(array.as_primitive()),
            DataType::Decimal128(_, scale) => Cells::Decimal(array.as_primitive(), *scale),
            DataType::Utf8 => Cells::Utf8(array.as_string()),
            DataType::LargeUtf8 => Cells::Variant(array.as_string()),
            DataType::Binary => Cells::Binary(array.as_binary()),
            DataType::Date32 => Cells::Date(array.as_primitive()),
            DataType::Time32(TimeUnit::Millisecond) => Cells::TimeMs(array.as_primitive()),
            DataType::Timestamp(unit, zone) => {
                Cells::Timestamp(timestamps(array, *unit), *unit, zone.is_some())
            }
            DataType::List(_) => {
                let list = array.as_list();
                Cells::List(list, Box::new(Column::new(list.values())?))
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let key = Box::new(Column::new(map.keys())?);
                Cells::Map(map, key, Box::new(Column::new(map.values())?))
            }
            DataType::Struct(fields) => {
                let row = array.as_struct();
                let names = fields.iter().map(|f| f.name().as_str());
                let columns = row
                    .columns()
                    .iter()
                    .zip(names)
                    .map(|(column, name)| Ok((name, Column::new(column)?)))
                    .collect::<Result<_, Unsupported>>()?;
                Cells::Row(columns)
            }
            other => return Err(other.clone()),
        };
        Ok(Self { array, cells })
    }

    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.cells, Cells::Null) || self.array.is_null(row)
    }

    /// Appends the text of a value that is not nested and not a string, bytes or null; answers
    /// whether it is one of those that can be written so.
    pub fn write_plain(&self, row: usize, style: TimestampStyle, out: &mut Vec<u8>) -> bool {
        match &self.cells {
            Cells::Bool(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Cells::I8(a) => text::write_integer(out, a.value(row).into()),
            Cells::I16(a) => text::write_integer(out, a.value(row).into()),
            Cells::I32(a) => text::write_integer(out, a.value(row).into()),
            Cells::I64(a) => text::write_integer(out, a.value(row)),
            Cells::F32(a) => {
                let value = a.value(row);
                text::write_float(out, value.into(), &format!("{value:e}"));
            }
            Cells::F64(a) => {
                let value = a.value(row);
                text::write_float(out, value, &format!("{value:e}"));
            }
            Cells::Decimal(a, scale) => text::write_decimal(out, a.value(row), *scale),
            Cells::Variant(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Cells::Date(a) => text::write_date(out, a.value(row)),
            Cells::TimeMs(a) => text::write_time(out, i64::from(a.value(row)) * 1_000_000),
            Cells::Timestamp(values, unit, zoned) => {
                text::write_timestamp(out, values[row], *unit, style);
                if *zoned {
                    out.push(b'Z');
                }
            }
            _ => return false,
        }
        true
    }
}

fn timestamps(array: &ArrayRef, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}
