//! Values in PostgreSQL's texts and bytes, and parameters from them.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, TimeUnit,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::{BufMut, BytesMut};
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldFormat;
use pgwire::messages::data::DataRow;

/// Days from 1970, where Arrow begins, to 2000, where PostgreSQL does.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// The type of a column, as clients know it.
pub fn type_of(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        DataType::Int64 | DataType::UInt32 => Type::INT8,
        DataType::UInt64 | DataType::Decimal128(..) => Type::NUMERIC,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::List(field) | DataType::LargeList(field) => match field.data_type() {
            DataType::Int16 => Type::INT2_ARRAY,
            DataType::Int32 => Type::INT4_ARRAY,
            DataType::Int64 => Type::INT8_ARRAY,
            _ => Type::TEXT_ARRAY,
        },
        DataType::Dictionary(_, values) => type_of(values),
        // Texts, and what PostgreSQL has no word for: maps, rows, intervals.
        _ => Type::TEXT,
    }
}

/// The Arrow type in which a value of a type is written.
fn written_as(data_type: &DataType, of: &Type) -> Option<DataType> {
    let scale = match data_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    Some(match *of {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, scale),
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Microsecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        _ => return None,
    })
}

/// A column that is being written.
struct Column {
    of: Type,
    is_binary: bool,
    array: ArrayRef,
}

/// The rows of a batch as messages.
pub fn rows(batch: &RecordBatch, format: &Format) -> Result<Vec<DataRow>, String> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (at, array) in batch.columns().iter().enumerate() {
        let of = type_of(array.data_type());
        let array = match written_as(array.data_type(), &of) {
            Some(wanted) if wanted != *array.data_type() => {
                cast(array, &wanted).map_err(|e| e.to_string())?
            }
            _ => ArrayRef::clone(array),
        };
        let is_binary = format_at(format, at) == FieldFormat::Binary;
        columns.push(Column { of, is_binary, array });
    }
    let options = FormatOptions::new()
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f+00"));
    let texts = columns.iter().map(|c| ArrayFormatter::try_new(&c.array, &options));
    let texts = texts.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let width = i16::try_from(columns.len()).map_err(|_| "too many columns".to_owned())?;
    let mut out = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut data = BytesMut::new();
        for (column, text) in columns.iter().zip(&texts) {
            if column.array.is_null(row) || *column.array.data_type() == DataType::Null {
                data.put_i32(-1);
                continue;
            }
            let start = data.len();
            data.put_i32(0);
            if column.is_binary {
                binary(column, row, text, &mut data)?;
            } else {
                textual(column, row, text, &mut data)?;
            }
            let length = (data.len() - start - 4) as i32;
            data[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        out.push(DataRow::new(data, width));
    }
    Ok(out)
}

/// The format that was asked for a column; one that was not named is text.
pub fn format_at(format: &Format, at: usize) -> FieldFormat {
    match format {
        Format::UnifiedText => FieldFormat::Text,
        Format::UnifiedBinary => FieldFormat::Binary,
        Format::Individual(codes) => {
            codes.get(at).map_or(FieldFormat::Text, |c| FieldFormat::from(*c))
        }
    }
}

fn bytes_of(array: &ArrayRef, row: usize) -> Result<Vec<u8>, String> {
    if let Some(fixed) = array.as_any().downcast_ref::<FixedSizeBinaryArray>() {
        return Ok(fixed.value(row).to_vec());
    }
    let plain = cast(&array.slice(row, 1), &DataType::Binary).map_err(|e| e.to_string())?;
    let plain = plain.as_any().downcast_ref::<BinaryArray>().map(|a| a.value(0).to_vec());
    plain.ok_or_else(|| "a value is no bytes".to_owned())
}

fn shown(text: &ArrayFormatter<'_>, row: usize) -> Result<String, String> {
    text.value(row).try_to_string().map_err(|e| e.to_string())
}

fn textual(
    column: &Column,
    row: usize,
    text: &ArrayFormatter<'_>,
    out: &mut BytesMut,
) -> Result<(), String> {
    match column.of {
        Type::BOOL => out.put_u8(if column.array.as_boolean().value(row) { b't' } else { b'f' }),
        Type::BYTEA => {
            out.put_slice(b"\\x");
            for byte in bytes_of(&column.array, row)? {
                out.put_slice(format!("{byte:02x}").as_bytes());
            }
        }
        Type::FLOAT4 | Type::FLOAT8 => {
            let shown = shown(text, row)?;
            out.put_slice(match shown.as_str() {
                "inf" => &b"Infinity"[..],
                "-inf" => &b"-Infinity"[..],
                other => other.as_bytes(),
            });
        }
        Type::INT2_ARRAY | Type::INT4_ARRAY | Type::INT8_ARRAY | Type::TEXT_ARRAY => {
            out.put_u8(b'{');
            for (at, item) in items(&column.array, row)?.iter().enumerate() {
                if at > 0 {
                    out.put_u8(b',');
                }
                match item {
                    None => out.put_slice(b"NULL"),
                    Some(item) if column.of == Type::TEXT_ARRAY => {
                        let quoted = item.replace('\\', "\\\\").replace('"', "\\\"");
                        out.put_slice(format!("\"{quoted}\"").as_bytes());
                    }
                    Some(item) => out.put_slice(item.as_bytes()),
                }
            }
            out.put_u8(b'}');
        }
        _ => out.put_slice(shown(text, row)?.as_bytes()),
    }
    Ok(())
}

/// The items of a list, as text.
fn items(array: &ArrayRef, row: usize) -> Result<Vec<Option<String>>, String> {
    let list = match array.data_type() {
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        _ => array.as_list::<i32>().value(row),
    };
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(&list, &options).map_err(|e| e.to_string())?;
    let item = |at: usize| match list.is_null(at) {
        true => Ok(None),
        false => shown(&formatter, at).map(Some),
    };
    (0..list.len()).map(item).collect()
}

fn binary(
    column: &Column,
    row: usize,
    text: &ArrayFormatter<'_>,
    out: &mut BytesMut,
) -> Result<(), String> {
    let array = &column.array;
    match column.of {
        Type::BOOL => out.put_u8(u8::from(array.as_boolean().value(row))),
        Type::INT2 => out.put_i16(array.as_primitive::<Int16Type>().value(row)),
        Type::INT4 => out.put_i32(array.as_primitive::<Int32Type>().value(row)),
        Type::INT8 => out.put_i64(array.as_primitive::<Int64Type>().value(row)),
        Type::FLOAT4 => out.put_f32(array.as_primitive::<Float32Type>().value(row)),
        Type::FLOAT8 => out.put_f64(array.as_primitive::<Float64Type>().value(row)),
        Type::DATE => {
            let days = array.as_primitive::<Date32Type>().value(row);
            out.put_i32(days.saturating_sub(EPOCH_DAYS));
        }
        Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let micros = cast(&array.slice(row, 1), &DataType::Int64).map_err(|e| e.to_string())?;
            let micros = micros.as_primitive::<Int64Type>().value(0);
            let since = if column.of == Type::TIME { 0 } else { EPOCH_MICROS };
            out.put_i64(micros.saturating_sub(since));
        }
        Type::NUMERIC => {
            let scale = match array.data_type() {
                DataType::Decimal128(_, scale) => *scale,
                _ => 0,
            };
            numeric(array.as_primitive::<Decimal128Type>().value(row), scale, out);
        }
        Type::BYTEA => out.put_slice(&bytes_of(array, row)?),
        Type::INT2_ARRAY | Type::INT4_ARRAY | Type::INT8_ARRAY | Type::TEXT_ARRAY => {
            list(&column.of, &items(array, row)?, out)?;
        }
        _ => out.put_slice(shown(text, row)?.as_bytes()),
    }
    Ok(())
}

fn list(of: &Type, items: &[Option<String>], out: &mut BytesMut) -> Result<(), String> {
    let element = match *of {
        Type::INT2_ARRAY => Type::INT2,
        Type::INT4_ARRAY => Type::INT4,
        Type::INT8_ARRAY => Type::INT8,
        _ => Type::TEXT,
    };
    out.put_i32(i32::from(!items.is_empty()));
    out.put_i32(i32::from(items.iter().any(Option::is_none)));
    out.put_u32(element.oid());
    if items.is_empty() {
        return Ok(());
    }
    out.put_i32(items.len() as i32);
    out.put_i32(1);
    for item in items {
        let Some(item) = item else {
            out.put_i32(-1);
            continue;
        };
        let number = || item.parse::<i64>().map_err(|e| e.to_string());
        match element {
            Type::INT2 => {
                out.put_i32(2);
                out.put_i16(number()? as i16);
            }
            Type::INT4 => {
                out.put_i32(4);
                out.put_i32(number()? as i32);
            }
            Type::INT8 => {
                out.put_i32(8);
                out.put_i64(number()?);
            }
            _ => {
                out.put_i32(item.len() as i32);
                out.put_slice(item.as_bytes());
            }
        }
    }
    Ok(())
}

/// A decimal in groups of four digits, counted from the point.
fn numeric(value: i128, scale: i8, out: &mut BytesMut) {
    let places = usize::try_from(scale).unwrap_or(0);
    let mut digits = value.unsigned_abs().to_string();
    if scale < 0 {
        digits.push_str(&"0".repeat(usize::from(scale.unsigned_abs())));
    }
    if digits.len() <= places {
        digits.insert_str(0, &"0".repeat(places + 1 - digits.len()));
    }
    let (whole, part) = digits.split_at(digits.len() - places);
    let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let part = format!("{part}{}", "0".repeat((4 - part.len() % 4) % 4));
    let group = |four: &[u8]| four.iter().fold(0_i16, |n, digit| n * 10 + i16::from(digit - b'0'));
    let mut groups: Vec<i16> = whole.as_bytes().chunks(4).map(group).collect();
    let mut weight = groups.len() as i16 - 1;
    groups.extend(part.as_bytes().chunks(4).map(group));
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    out.put_i16(groups.len() as i16);
    out.put_i16(if groups.is_empty() { 0 } else { weight });
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_i16(places as i16);
    groups.into_iter().for_each(|group| out.put_i16(group));
}

/// The Arrow type of a parameter that a client gives.
pub fn arrow_of(of: &Type) -> Option<DataType> {
    Some(match *of {
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => DataType::Utf8,
        Type::OID => DataType::Int64,
        _ => return written_as(&DataType::Null, of),
    })
}

/// The value of a parameter.
pub fn parameter(bytes: Option<&[u8]>, of: &Type, is_text: bool) -> Result<ScalarValue, String> {
    let data_type = arrow_of(of)
        .ok_or_else(|| format!("parameters of the type {} are not supported", of.name()))?;
    let Some(bytes) = bytes else {
        return ScalarValue::try_from(&data_type).map_err(|e| e.to_string());
    };
    if is_text || data_type == DataType::Utf8 {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let text = match (of, text) {
            (&Type::BOOL, "t") => "true",
            (&Type::BOOL, "f") => "false",
            (_, text) => text,
        };
        let one = cast(&StringArray::from(vec![text]), &data_type).map_err(|e| e.to_string())?;
        if one.is_null(0) {
            return Err(format!("'{text}' is no {}", of.name()));
        }
        return ScalarValue::try_from_array(&one, 0).map_err(|e| e.to_string());
    }
    let wrong = || format!("a parameter of the type {} has {} bytes", of.name(), bytes.len());
    let int = || -> Result<i64, String> {
        Ok(match bytes.len() {
            2 => i16::from_be_bytes(bytes.try_into().map_err(|_| wrong())?).into(),
            4 => i32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?).into(),
            8 => i64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        })
    };
    Ok(match *of {
        Type::BOOL => ScalarValue::Boolean(Some(*bytes.first().ok_or_else(wrong)? != 0)),
        Type::INT2 => ScalarValue::Int16(Some(int()? as i16)),
        Type::INT4 => ScalarValue::Int32(Some(int()? as i32)),
        Type::INT8 | Type::OID => ScalarValue::Int64(Some(int()?)),
        Type::FLOAT4 => {
            let bytes: [u8; 4] = bytes.try_into().map_err(|_| wrong())?;
            ScalarValue::Float32(Some(f32::from_be_bytes(bytes)))
        }
        Type::FLOAT8 => {
            let bytes: [u8; 8] = bytes.try_into().map_err(|_| wrong())?;
            ScalarValue::Float64(Some(f64::from_be_bytes(bytes)))
        }
        Type::DATE => ScalarValue::Date32(Some((int()? as i32).saturating_add(EPOCH_DAYS))),
        Type::TIME => ScalarValue::Time64Microsecond(Some(int()?)),
        Type::TIMESTAMP => {
            ScalarValue::TimestampMicrosecond(Some(int()?.saturating_add(EPOCH_MICROS)), None)
        }
        Type::TIMESTAMPTZ => {
            let zone = Some("+00:00".into());
            ScalarValue::TimestampMicrosecond(Some(int()?.saturating_add(EPOCH_MICROS)), zone)
        }
        _ => {
            let name = of.name();
            return Err(format!(
                "binary parameters of the type {name} are not supported: send text"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(value: i128, scale: i8) -> Vec<i16> {
        let mut out = BytesMut::new();
        numeric(value, scale, &mut out);
        out.chunks(2).map(|two| i16::from_be_bytes([two[0], two[1]])).collect()
    }

    #[test]
    fn decimals_are_written_as_postgresql_reads_them() {
        // Groups, weight, sign, places, groups of four digits.
        assert_eq!(numbers(0, 2), [0, 0, 0, 2]);
        assert_eq!(numbers(1750, 2), [2, 0, 0, 2, 17, 5000]);
        assert_eq!(numbers(-123_456_789, 0), [3, 2, 0x4000, 0, 1, 2345, 6789]);
        assert_eq!(numbers(5, 4), [1, -1, 0, 4, 5]);
        assert_eq!(numbers(10_000, 0), [1, 1, 0, 0, 1]);
    }
}
