//! Values as text: `CAST(x AS STRING)` and the cells of a printed result.

use std::fmt::Write;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, TimeUnit, UInt64Type,
};
use chrono_tz::Tz;

use super::SessionSettings;
use super::time::{self, Instant, Times};
use super::typing::precision_of;

/// How to write values.
#[derive(Clone, Copy)]
pub(crate) struct TextStyle {
    /// The zone of `TIMESTAMP_LTZ`.
    pub zone: Tz,
    /// Bytes are shown as hexadecimal digits.
    pub print: bool,
    /// Digits of a second's fraction; `None`: what the arrow unit holds.
    pub precision: Option<u8>,
}

/// The text that Flink's printed results show for a value; NULL is `<NULL>` outside and
/// `NULL` inside of collections.
pub fn format_value(array: &dyn Array, row: usize, settings: &SessionSettings) -> String {
    format_field_value(array, row, None, settings)
}

/// As [`format_value`], for a column whose declared Flink type is known (the field's
/// `flink.type` metadata, such as `TIMESTAMP(0)`).
pub fn format_field_value(
    array: &dyn Array,
    row: usize,
    declared: Option<&str>,
    settings: &SessionSettings,
) -> String {
    if array.is_null(row) || array.data_type().is_null() {
        return "<NULL>".to_string();
    }
    let precision = declared.and_then(declared_precision);
    let style = TextStyle { zone: settings.time_zone, print: true, precision };
    let mut out = String::new();
    write_value(&mut out, array, row, style);
    out
}

/// The fractional digits in a declared type such as `TIMESTAMP(0)` or `TIME(3)`.
pub(crate) fn declared_precision(declared: &str) -> Option<u8> {
    let (name, rest) = declared.split_once('(')?;
    if !name.starts_with("TIME") {
        return None;
    }
    rest.split_once(')')?.0.trim().parse().ok()
}

/// Appends the text of a value; NULL is `NULL`.
pub(crate) fn write_value(out: &mut String, array: &dyn Array, row: usize, style: TextStyle) {
    use DataType as T;
    if array.is_null(row) {
        out.push_str("NULL");
        return;
    }
    match array.data_type() {
        T::Null => out.push_str("NULL"),
        T::Boolean => out.push_str(if array.as_boolean().value(row) { "TRUE" } else { "FALSE" }),
        T::Int8 => put(out, array.as_primitive::<Int8Type>().value(row)),
        T::Int16 => put(out, array.as_primitive::<Int16Type>().value(row)),
        T::Int32 => put(out, array.as_primitive::<Int32Type>().value(row)),
        T::Int64 => put(out, array.as_primitive::<Int64Type>().value(row)),
        T::UInt64 => put(out, array.as_primitive::<UInt64Type>().value(row)),
        T::Float32 => out.push_str(&float_text(array.as_primitive::<Float32Type>().value(row))),
        T::Float64 => out.push_str(&double_text(array.as_primitive::<Float64Type>().value(row))),
        T::Decimal128(_, s) => {
            write_decimal(out, array.as_primitive::<Decimal128Type>().value(row), *s);
        }
        T::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        T::LargeUtf8 => out.push_str(array.as_string::<i64>().value(row)),
        T::Utf8View => out.push_str(array.as_string_view().value(row)),
        T::Binary => write_bytes(out, array.as_binary::<i32>().value(row), style),
        T::FixedSizeBinary(_) => {
            write_bytes(out, array.as_fixed_size_binary().value(row), style);
        }
        T::Date32 | T::Time32(_) | T::Timestamp(_, _) => write_time(out, array, row, style),
        T::Interval(_) | T::Duration(_) => write_interval(out, array, row),
        T::List(_) => write_list(out, &array.as_list::<i32>().value(row), style),
        T::Map(_, _) => write_map(out, array, row, style),
        T::Struct(_) => write_row(out, array, row, style),
        other => {
            let _ = write!(out, "<{other}>");
        }
    }
}

fn put(out: &mut String, v: impl std::fmt::Display) {
    let _ = write!(out, "{v}");
}

fn write_bytes(out: &mut String, bytes: &[u8], style: TextStyle) {
    if style.print {
        out.push_str("x'");
        out.push_str(&hex::encode(bytes));
        out.push('\'');
    } else {
        out.push_str(&String::from_utf8_lossy(bytes));
    }
}

fn write_time(out: &mut String, array: &dyn Array, row: usize, style: TextStyle) {
    let array = arrow::array::make_array(array.slice(row, 1).to_data());
    let Ok(Some(t)) = Times::of(&array).map(|t| t.get(0)) else {
        return;
    };
    write_instant(out, array.data_type(), t, style);
}

/// Appends a date, time or timestamp of that type.
pub(crate) fn write_instant(out: &mut String, dtype: &DataType, t: Instant, style: TextStyle) {
    match dtype {
        DataType::Date32 => time::write_date(out, &t.civil()),
        DataType::Time32(_) => {
            let natural = if t.nanos == 0 { 0 } else { 3 };
            time::write_time(out, &t.civil(), style.precision.unwrap_or(natural));
        }
        DataType::Timestamp(unit, zone) => {
            let t = if zone.is_some() { time::to_local(style.zone, t) } else { t };
            let c = t.civil();
            time::write_date(out, &c);
            out.push(' ');
            // The precision is the least number of digits; more come where they are not zero.
            let least = style.precision.unwrap_or(precision_of(*unit));
            time::write_time(out, &c, least.max(significant_digits(t.nanos)));
        }
        _ => {}
    }
}

/// Digits of the fraction up to the last that is not zero.
fn significant_digits(nanos: u32) -> u8 {
    (0..=9u8).find(|d| nanos % 10u32.pow(9 - u32::from(*d)) == 0).unwrap_or(9)
}

fn write_interval(out: &mut String, array: &dyn Array, row: usize) {
    let v = match array.data_type() {
        DataType::Interval(IntervalUnit::YearMonth) => {
            let months = array.as_primitive::<IntervalYearMonthType>().value(row);
            return write_months(out, months);
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            array.as_primitive::<IntervalMonthDayNanoType>().value(row)
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            let ms = array.as_primitive::<DurationMillisecondType>().value(row);
            super::operators::interval_of_millis(ms)
        }
        _ => IntervalMonthDayNano::new(0, 0, 0),
    };
    if v.months != 0 && v.days == 0 && v.nanoseconds == 0 {
        return write_months(out, v.months);
    }
    let total = super::operators::interval_millis(v);
    let sign = if total < 0 { '-' } else { '+' };
    let ms = total.unsigned_abs();
    let (days, hours) = (ms / 86_400_000, ms / 3_600_000 % 24);
    let (minutes, seconds) = (ms / 60_000 % 60, ms / 1000 % 60);
    let _ = write!(out, "{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000);
}

fn write_months(out: &mut String, months: i32) {
    let sign = if months < 0 { '-' } else { '+' };
    let m = months.unsigned_abs();
    let _ = write!(out, "{sign}{}-{:02}", m / 12, m % 12);
}

fn write_list(out: &mut String, values: &dyn Array, style: TextStyle) {
    out.push('[');
    for i in 0..values.len() {
        if i > 0 {
            out.push_str(", ");
        }
        write_value(out, values, i, TextStyle { precision: None, ..style });
    }
    out.push(']');
}

fn write_map(out: &mut String, array: &dyn Array, row: usize, style: TextStyle) {
    let style = TextStyle { precision: None, ..style };
    let entries = array.as_map().value(row);
    out.push('{');
    for i in 0..entries.len() {
        if i > 0 {
            out.push_str(", ");
        }
        write_value(out, entries.column(0), i, style);
        out.push('=');
        write_value(out, entries.column(1), i, style);
    }
    out.push('}');
}

fn write_row(out: &mut String, array: &dyn Array, row: usize, style: TextStyle) {
    let style = TextStyle { precision: None, ..style };
    out.push('(');
    for (i, column) in array.as_struct().columns().iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_value(out, column, row, style);
    }
    out.push(')');
}

/// Appends a decimal with all digits of its scale, never in scientific form.
pub(crate) fn write_decimal(out: &mut String, v: i128, scale: i8) {
    if v < 0 {
        out.push('-');
    }
    let digits = v.unsigned_abs().to_string();
    let scale = usize::from(scale.max(0).unsigned_abs());
    if scale == 0 {
        out.push_str(&digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let _ = write!(out, "{whole}.{fraction}");
    } else {
        let _ = write!(out, "0.{digits:0>scale$}");
    }
}

/// A double as Java's `Double.toString` writes it.
pub(crate) fn double_text(v: f64) -> String {
    if v.is_nan() || v.is_infinite() || v == 0.0 {
        return special_text(v);
    }
    java_float(&format!("{v:e}"), v.abs() >= 1e-3 && v.abs() < 1e7)
}

/// A float as Java's `Float.toString` writes it.
pub(crate) fn float_text(v: f32) -> String {
    if v.is_nan() || v.is_infinite() || v == 0.0 {
        return special_text(f64::from(v));
    }
    java_float(&format!("{v:e}"), v.abs() >= 1e-3 && v.abs() < 1e7)
}

fn special_text(v: f64) -> String {
    match () {
        () if v.is_nan() => "NaN",
        () if v == f64::INFINITY => "Infinity",
        () if v == f64::NEG_INFINITY => "-Infinity",
        () if v.is_sign_negative() => "-0.0",
        () => "0.0",
    }
    .to_string()
}

/// Rewrites the shortest digits `d.ddde±x` in Java's plain or scientific form.
fn java_float(shortest: &str, plain: bool) -> String {
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !plain {
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}E{exponent}");
    }
    let digits = format!("{first}{rest}");
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1).unsigned_abs() as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = exponent.unsigned_abs() as usize + 1;
    if digits.len() <= point {
        return format!("{sign}{digits:0<point$}.0");
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}
