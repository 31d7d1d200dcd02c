//! One text field (of CSV, of a partition's folder) into a column.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::column::Column;
use super::text::{self, DecimalText, TimestampStyle};

/// Reads a field that is not null into a column; says why it cannot.
pub(crate) fn parse_field(column: &mut Column, field: &[u8]) -> Result<(), String> {
    let trimmed = field.trim_ascii();
    match column {
        Column::Utf8(c) => c.push(field),
        Column::I64(c) => c.push(integer(trimmed, "BIGINT")?),
        Column::I32(c) => c.push(integer(trimmed, "INT")?),
        Column::I16(c) => c.push(integer(trimmed, "SMALLINT")?),
        Column::I8(c) => c.push(integer(trimmed, "TINYINT")?),
        Column::F64(c) => c.push(float(trimmed, "DOUBLE")?),
        Column::F32(c) => c.push(float(trimmed, "FLOAT")?),
        Column::Decimal(c, precision, scale) => match text::decimal(trimmed, *precision, *scale) {
            DecimalText::Value(value) => c.push(value),
            DecimalText::Overflow => column.push_null(),
            DecimalText::Invalid => return Err(not_a(field, "a DECIMAL")),
        },
        // As in Flink every other word is false.
        Column::Bool(values, validity) => {
            values.append(trimmed.eq_ignore_ascii_case(b"true"));
            validity.valid();
        }
        Column::Date(c) => {
            c.push(text::date(trimmed).ok_or_else(|| not_a(field, "a DATE (2024-01-31)"))?);
        }
        Column::TimeMs(c) => {
            let nanos = time(trimmed).ok_or_else(|| not_a(field, "a TIME (08:26:00)"))?;
            c.push(i32::try_from(nanos / 1_000_000).unwrap_or(0));
        }
        Column::Timestamp(c) => {
            let plain = if c.zoned { trimmed.strip_suffix(b"Z") } else { Some(trimmed) };
            let value = plain.and_then(|t| c.minute.timestamp(t, TimestampStyle::Sql, c.unit));
            let what = if c.zoned {
                "a TIMESTAMP_LTZ (2024-01-31 08:26:00Z)"
            } else {
                "a TIMESTAMP (2024-01-31 08:26:00)"
            };
            c.plain.push(value.ok_or_else(|| not_a(field, what))?);
        }
        Column::Binary(c) => {
            let bytes = STANDARD.decode(trimmed).map_err(|_| not_a(field, "BYTES (base64)"))?;
            c.push(&bytes);
        }
        Column::Null(len) => *len += 1,
        Column::List(_) | Column::Map(_) | Column::Row(_) => {
            return Err("a nested value cannot be read from one field".into());
        }
    }
    Ok(())
}

/// `08:26` or `08:26:00.5`, as Java's `LocalTime` reads it.
fn time(text: &[u8]) -> Option<i64> {
    if text.len() == 5 {
        return text::time(&[text, b":00"].concat());
    }
    text::time(text)
}

fn integer<T: TryFrom<i64>>(text: &[u8], name: &str) -> Result<T, String> {
    text::integer(text).and_then(|v| T::try_from(v).ok()).ok_or_else(|| not_a(text, name))
}

fn float<T: std::str::FromStr>(text: &[u8], name: &str) -> Result<T, String> {
    let parse = || {
        let text = std::str::from_utf8(text).ok()?;
        let word = text.trim_start_matches(['-', '+']);
        // Rust knows words that Java does not: inf, nan, infinity.
        let letters = word.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E'));
        if letters && word != "NaN" && word != "Infinity" {
            return None;
        }
        text.parse().ok()
    };
    parse().ok_or_else(|| not_a(text, name))
}

/// `'abc' is not INT`.
pub(crate) fn not_a(text: &[u8], what: &str) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(60)]);
    let ellipsis = if text.len() > 60 { "…" } else { "" };
    format!("'{shown}{ellipsis}' is not {what}")
}
