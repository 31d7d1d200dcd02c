//! What fills a column: random values within bounds, or a sequence.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::datatypes::{DataType, FieldRef, Fields};

use crate::error::{ConnectorError, Result};
use crate::format::column::Column;
use crate::format::text::{self, DecimalText, in_unit};
use crate::generate::Random;
use crate::options::{Options, nearest};
use crate::spec::TableSpec;

/// Strings and bytes are so long, unless an option says otherwise.
const TEXT_LENGTH: u64 = 100;
/// Arrays and maps hold so many elements, unless an option says otherwise.
const COLLECTION_LENGTH: u64 = 3;
const DAY_MS: i64 = 86_400_000;

/// A present, in epoch milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub i64);

impl Moment {
    /// The clock's present, as Flink's random times are.
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }
}

/// How the values of a column come about.
#[derive(Debug, Clone)]
pub(super) struct Field {
    kind: Kind,
    null_rate: f64,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Whole numbers and decimals (unscaled) from the first to the last.
    Whole {
        min: i128,
        max: i128,
    },
    Float {
        min: f64,
        max: f64,
    },
    Boolean,
    /// Strings of hexadecimal digits, or bytes.
    Text {
        length: u64,
        varies: bool,
    },
    /// Moments up to so many milliseconds ago.
    Time {
        max_past_ms: u64,
    },
    /// `unit` is the one of a decimal's scale.
    Sequence {
        start: i64,
        end: i64,
        unit: i128,
    },
    Array {
        length: u64,
        element: Box<Field>,
    },
    Map {
        length: u64,
        key: Box<Field>,
        value: Box<Field>,
    },
    Row(Vec<Field>),
}

/// Refuses options of columns that do not exist.
pub(super) fn refuse_unknown_columns(spec: &TableSpec, options: &Options<'_>) -> Result<()> {
    let names: Vec<&str> = spec.schema.fields().iter().map(|f| f.name().as_str()).collect();
    for (rest, _) in options.with_prefix("fields.") {
        let known = |name: &&str| rest.strip_prefix(*name).is_some_and(|r| r.starts_with('.'));
        if !names.iter().any(known) {
            let name = rest.split('.').next().unwrap_or(rest);
            let error = ConnectorError::new(format!(
                "table '{}' has options for '{name}', which is no column of it",
                spec.name
            ));
            return Err(match nearest(name, &names) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error,
            });
        }
    }
    Ok(())
}

impl Field {
    /// The options of the column `name` of a type.
    pub fn new(options: &Options<'_>, name: &str, data_type: &DataType) -> Result<Self> {
        let key = |option: &str| format!("fields.{name}.{option}");
        let null_rate: f64 = options.number(&key("null-rate"))?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&null_rate) {
            let text = null_rate.to_string();
            return Err(options.bad(&key("null-rate"), &text, "between 0 and 1"));
        }
        let kind = match options.choice(&key("kind"), &["random", "sequence"])? {
            Some("sequence") => sequence(options, name, data_type)?,
            _ => random(options, name, data_type)?,
        };
        Ok(Self { kind, null_rate })
    }

    /// How many rows a sequence has.
    pub fn sequence_length(&self) -> Option<u64> {
        match self.kind {
            Kind::Sequence { start, end, .. } => Some(end.abs_diff(start).saturating_add(1)),
            _ => None,
        }
    }

    /// Appends the value of a row.
    pub fn push(&self, column: &mut Column, row: u64, random: &mut Random, now: Moment) {
        if self.null_rate > 0.0 && random.unit() < self.null_rate {
            return column.push_null();
        }
        match &self.kind {
            Kind::Whole { min, max } => push_whole(column, between(*min, *max, random)),
            Kind::Float { min, max } => {
                let value = min + random.unit() * (max - min);
                match column {
                    Column::F32(c) => c.push(value as f32),
                    Column::F64(c) => c.push(value),
                    other => other.push_null(),
                }
            }
            Kind::Boolean => match column {
                Column::Bool(values, validity) => {
                    values.append(random.below(2) == 1);
                    validity.valid();
                }
                other => other.push_null(),
            },
            Kind::Text { length, varies } => push_text(column, *length, *varies, random),
            Kind::Time { max_past_ms } => {
                let past = i64::try_from(random.below(max_past_ms.saturating_add(1))).unwrap_or(0);
                push_time(column, now.0.saturating_sub(past));
            }
            Kind::Sequence { start, unit, .. } => {
                push_whole(column, (i128::from(*start) + i128::from(row)) * unit);
            }
            Kind::Array { length, element } => match column {
                Column::List(list) => {
                    for _ in 0..*length {
                        element.push(&mut list.element.column, row, random, now);
                    }
                    let len = list.element.column.len();
                    list.close(len);
                }
                other => other.push_null(),
            },
            Kind::Map { length, key, value } => match column {
                Column::Map(map) => {
                    for _ in 0..*length {
                        key.push(&mut map.key.column, row, random, now);
                        value.push(&mut map.value.column, row, random, now);
                    }
                    let len = map.key.column.len();
                    map.close(len);
                }
                other => other.push_null(),
            },
            Kind::Row(fields) => match column {
                Column::Row(row_column) => {
                    for (slot, field) in row_column.fields.iter_mut().zip(fields) {
                        field.push(&mut slot.column, row, random, now);
                    }
                    row_column.close();
                }
                other => other.push_null(),
            },
        }
    }
}

fn sequence(options: &Options<'_>, name: &str, data_type: &DataType) -> Result<Kind> {
    let fits = data_type.is_signed_integer()
        || matches!(
            data_type,
            DataType::Utf8 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _)
        );
    if !fits {
        return Err(ConnectorError::new(format!(
            "column '{name}' of table '{}' cannot be a sequence",
            options.table()
        ))
        .detail(format!("sequences are of numbers and strings, not of {data_type}")));
    }
    let bound = |option: &str| -> Result<i64> {
        let key = format!("fields.{name}.{option}");
        let text = options.required(&key)?;
        text.trim().parse().map_err(|_| options.bad(&key, text, "a whole number"))
    };
    let (start, end) = (bound("start")?, bound("end")?);
    if start > end {
        let key = format!("fields.{name}.end");
        return Err(options.bad(&key, &end.to_string(), &format!("{start} or more")));
    }
    let mut unit = 1;
    if let DataType::Decimal128(precision, scale) = data_type {
        unit = 10i128.pow(u32::try_from(*scale).unwrap_or(0).min(18));
        let room = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
        for (option, bound) in [("start", start), ("end", end)] {
            if (i128::from(bound) * unit).abs() >= room {
                let key = format!("fields.{name}.{option}");
                return Err(options.bad(&key, &bound.to_string(), "a value of the column's type"));
            }
        }
    }
    Ok(Kind::Sequence { start, end, unit })
}

fn random(options: &Options<'_>, name: &str, data_type: &DataType) -> Result<Kind> {
    let key = |option: &str| format!("fields.{name}.{option}");
    let length = |otherwise: u64| -> Result<u64> {
        Ok(options.number(&key("length"))?.unwrap_or(otherwise))
    };
    Ok(match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 => whole(options, name, i8::MIN.into(), i8::MAX.into(), 0)?,
        DataType::Int16 => whole(options, name, i16::MIN.into(), i16::MAX.into(), 0)?,
        DataType::Int32 => whole(options, name, i32::MIN.into(), i32::MAX.into(), 0)?,
        DataType::Int64 => whole(options, name, i64::MIN.into(), i64::MAX.into(), 0)?,
        DataType::Decimal128(precision, scale) => {
            let most = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX) - 1;
            whole(options, name, -most, most, *scale)?
        }
        DataType::Float32 => float(options, name, f64::from(f32::MAX))?,
        DataType::Float64 => float(options, name, f64::MAX)?,
        DataType::Utf8 | DataType::Binary => Kind::Text {
            length: length(TEXT_LENGTH)?,
            varies: options.boolean(&key("var-len"), false)?,
        },
        DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(_, _) => {
            let past = options.duration(&key("max-past"))?.unwrap_or(Duration::ZERO);
            Kind::Time { max_past_ms: u64::try_from(past.as_millis()).unwrap_or(u64::MAX) }
        }
        DataType::List(element) => {
            let element = inner(options, name, "element", element)?;
            Kind::Array { length: length(COLLECTION_LENGTH)?, element }
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => Kind::Map {
                length: length(COLLECTION_LENGTH)?,
                key: inner(options, name, "key", &fields[0])?,
                value: inner(options, name, "value", &fields[1])?,
            },
            other => return Err(unsupported(options, name, other)),
        },
        DataType::Struct(fields) => Kind::Row(row(options, name, fields)?),
        other => return Err(unsupported(options, name, other)),
    })
}

fn row(options: &Options<'_>, name: &str, fields: &Fields) -> Result<Vec<Field>> {
    fields
        .iter()
        .map(|f| Field::new(options, &format!("{name}.{}", f.name()), f.data_type()))
        .collect()
}

fn inner(options: &Options<'_>, name: &str, part: &str, field: &FieldRef) -> Result<Box<Field>> {
    Field::new(options, &format!("{name}.{part}"), field.data_type()).map(Box::new)
}

fn unsupported(options: &Options<'_>, name: &str, data_type: &DataType) -> ConnectorError {
    ConnectorError::new(format!(
        "column '{name}' of table '{}' cannot be generated",
        options.table()
    ))
    .detail(format!("datagen has no values of the type {data_type}"))
}

fn whole(options: &Options<'_>, name: &str, least: i128, most: i128, scale: i8) -> Result<Kind> {
    let bound = |option: &str, otherwise: i128| -> Result<i128> {
        let key = format!("fields.{name}.{option}");
        let Some(text) = options.get(&key) else { return Ok(otherwise) };
        match text::decimal(text.trim().as_bytes(), 38, scale) {
            DecimalText::Value(v) if (least..=most).contains(&v) => Ok(v),
            _ => Err(options.bad(&key, text, "a value of the column's type")),
        }
    };
    let (min, max) = (bound("min", least)?, bound("max", most)?);
    if min > max {
        let key = format!("fields.{name}.max");
        return Err(options.bad(&key, options.get(&key).unwrap_or(""), "'min' or more"));
    }
    Ok(Kind::Whole { min, max })
}

fn float(options: &Options<'_>, name: &str, most: f64) -> Result<Kind> {
    let bound = |option: &str, otherwise: f64| -> Result<f64> {
        Ok(options.number(&format!("fields.{name}.{option}"))?.unwrap_or(otherwise))
    };
    // As in Flink the default begins at 0 or below, and the span stays finite.
    let (min, max) = (bound("min", 0.0)?, bound("max", most)?);
    if !(min.is_finite() && max.is_finite() && min <= max && (max - min).is_finite()) {
        let key = format!("fields.{name}.max");
        return Err(options.bad(
            &key,
            options.get(&key).unwrap_or(""),
            "'min' or more, and finite",
        ));
    }
    Ok(Kind::Float { min, max })
}

fn between(min: i128, max: i128, random: &mut Random) -> i128 {
    let span = max.wrapping_sub(min).cast_unsigned();
    if span < u128::from(u64::MAX) {
        return min + i128::from(random.below(span as u64 + 1));
    }
    let word = (u128::from(random.next()) << 64) | u128::from(random.next());
    let offset = if span == u128::MAX { word } else { word % (span + 1) };
    min.wrapping_add(offset.cast_signed())
}

fn push_whole(column: &mut Column, value: i128) {
    match column {
        Column::I8(c) => c.push(value as i8),
        Column::I16(c) => c.push(value as i16),
        Column::I32(c) => c.push(value as i32),
        Column::I64(c) => c.push(value as i64),
        Column::F32(c) => c.push(value as f32),
        Column::F64(c) => c.push(value as f64),
        Column::Utf8(c) => c.push(value.to_string().as_bytes()),
        Column::Decimal(c, _, _) => c.push(value),
        other => other.push_null(),
    }
}

fn push_text(column: &mut Column, length: u64, varies: bool, random: &mut Random) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let length = if varies && length > 0 { 1 + random.below(length) } else { length };
    let (text, is_text) = match column {
        Column::Utf8(c) => (c, true),
        Column::Binary(c) => (c, false),
        other => return other.push_null(),
    };
    for _ in 0..length {
        let word = random.next();
        text.bytes.push(if is_text { DIGITS[(word >> 60) as usize] } else { word as u8 });
    }
    text.close();
}

fn push_time(column: &mut Column, ms: i64) {
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    match column {
        Column::Date(c) => c.push(i32::try_from(days).unwrap_or(i32::MAX)),
        Column::TimeMs(c) => c.push(i32::try_from(of_day).unwrap_or(0)),
        Column::Timestamp(c) => {
            c.plain.push(in_unit(days, of_day * 1_000_000, c.unit).unwrap_or(i64::MAX));
        }
        other => other.push_null(),
    }
}
