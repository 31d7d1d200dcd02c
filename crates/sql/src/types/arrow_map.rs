//! Flink types as Arrow types, and the way back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit as ArrowInterval, TimeUnit};

use super::{FlinkType, IntervalFields, IntervalUnit, RowField, TIME_PRECISION_MAX, TypeKind};
use crate::error::{Result, SqlError};

pub use crate::functions::cast::TYPE_METADATA_KEY;
use crate::functions::variant::VARIANT;

/// The zone of every `TIMESTAMP_LTZ` array.
const LTZ_ZONE: &str = "UTC";

impl FlinkType {
    /// The Arrow type of its values.
    pub fn to_arrow(&self) -> DataType {
        match &self.kind {
            TypeKind::Char(_) | TypeKind::VarChar(_) | TypeKind::String => DataType::Utf8,
            TypeKind::Variant => VARIANT,
            TypeKind::Boolean => DataType::Boolean,
            TypeKind::Binary(_) | TypeKind::VarBinary(_) => DataType::Binary,
            TypeKind::Bytes | TypeKind::Bitmap => DataType::Binary,
            // The precision is at most 38, so the scale fits as well.
            TypeKind::Decimal(p, s) => DataType::Decimal128(*p, (*s).min(*p) as i8),
            TypeKind::TinyInt => DataType::Int8,
            TypeKind::SmallInt => DataType::Int16,
            TypeKind::Int => DataType::Int32,
            TypeKind::BigInt => DataType::Int64,
            TypeKind::Float => DataType::Float32,
            TypeKind::Double => DataType::Float64,
            TypeKind::Date => DataType::Date32,
            TypeKind::Time(_) => DataType::Time32(TimeUnit::Millisecond),
            TypeKind::Timestamp(p) => DataType::Timestamp(unit_of(*p), None),
            TypeKind::TimestampLtz(p) => DataType::Timestamp(unit_of(*p), Some(LTZ_ZONE.into())),
            TypeKind::IntervalYearMonth(_) => DataType::Interval(ArrowInterval::YearMonth),
            TypeKind::IntervalDayTime(_) => DataType::Interval(ArrowInterval::MonthDayNano),
            TypeKind::Array(item) => DataType::List(Arc::new(item.bare_field("item"))),
            TypeKind::Multiset(item) => map_type(item, &FlinkType::new(TypeKind::Int).not_null()),
            TypeKind::Map(key, value) => map_type(key, value),
            TypeKind::Row(fields) => DataType::Struct(
                fields.iter().map(|f| f.data_type.bare_field(&f.name)).collect::<Fields>(),
            ),
            TypeKind::Null => DataType::Null,
        }
    }

    /// An Arrow field of this type, with the declared type in its metadata where Arrow alone
    /// would lose it.
    pub fn to_field(&self, name: &str) -> Field {
        let field = self.bare_field(name);
        let lossless =
            FlinkType::from_data_type(field.data_type()).is_ok_and(|back| back.kind == self.kind);
        if lossless {
            return field;
        }
        field.with_metadata(HashMap::from([(TYPE_METADATA_KEY.into(), self.kind.to_string())]))
    }

    fn bare_field(&self, name: &str) -> Field {
        Field::new(name, self.to_arrow(), self.nullable)
    }

    /// The Flink type of an Arrow field: the declared one when its metadata has it.
    pub fn from_field(field: &Field) -> Result<FlinkType> {
        let declared = field
            .metadata()
            .get(TYPE_METADATA_KEY)
            .and_then(|text| FlinkType::parse(text).ok())
            // An expression may have kept the metadata and changed the type.
            .filter(|declared| declared.to_arrow().equals_datatype(field.data_type()));
        let mut found = match declared {
            Some(declared) => declared,
            None => FlinkType::from_data_type(field.data_type())?,
        };
        found.nullable = field.is_nullable();
        Ok(found)
    }

    /// The Flink type that an Arrow type is read as.
    pub fn from_data_type(data_type: &DataType) -> Result<FlinkType> {
        Ok(FlinkType::new(match data_type {
            DataType::Boolean => TypeKind::Boolean,
            DataType::Int8 => TypeKind::TinyInt,
            DataType::Int16 | DataType::UInt8 => TypeKind::SmallInt,
            DataType::Int32 | DataType::UInt16 => TypeKind::Int,
            DataType::Int64 | DataType::UInt32 => TypeKind::BigInt,
            DataType::UInt64 => TypeKind::Decimal(20, 0),
            DataType::Float16 | DataType::Float32 => TypeKind::Float,
            DataType::Float64 => TypeKind::Double,
            DataType::Utf8 | DataType::Utf8View => TypeKind::String,
            DataType::LargeUtf8 => TypeKind::Variant,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => TypeKind::Bytes,
            DataType::FixedSizeBinary(n) => return FlinkType::binary(u64::from(n.unsigned_abs())),
            DataType::Decimal32(p, s)
            | DataType::Decimal64(p, s)
            | DataType::Decimal128(p, s)
            | DataType::Decimal256(p, s) => return decimal_of(*p, *s),
            DataType::Date32 | DataType::Date64 => TypeKind::Date,
            DataType::Time32(_) | DataType::Time64(_) => TypeKind::Time(0),
            DataType::Timestamp(unit, None) => TypeKind::Timestamp(precision_of(*unit)),
            DataType::Timestamp(unit, Some(_)) => TypeKind::TimestampLtz(precision_of(*unit)),
            DataType::Interval(ArrowInterval::YearMonth) => TypeKind::IntervalYearMonth(
                IntervalFields::new(IntervalUnit::Year, IntervalUnit::Month),
            ),
            DataType::Interval(_) | DataType::Duration(_) => TypeKind::IntervalDayTime(
                IntervalFields::new(IntervalUnit::Day, IntervalUnit::Second),
            ),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => {
                TypeKind::Array(Box::new(FlinkType::from_field(item)?))
            }
            DataType::Map(entries, _) => return map_of(entries),
            DataType::Struct(fields) => {
                TypeKind::Row(fields.iter().map(|f| row_field(f)).collect::<Result<_>>()?)
            }
            DataType::Dictionary(_, value) => return FlinkType::from_data_type(value),
            DataType::RunEndEncoded(_, values) => return FlinkType::from_field(values),
            DataType::Null => TypeKind::Null,
            other => {
                return Err(SqlError::new(format!("there is no Flink type for values of {other}")));
            }
        }))
    }
}

fn unit_of(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

fn precision_of(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => TIME_PRECISION_MAX,
    }
}

/// A map's keys are never null in Arrow, whatever was declared.
fn map_type(key: &FlinkType, value: &FlinkType) -> DataType {
    let fields = vec![Field::new("keys", key.to_arrow(), false), value.bare_field("values")];
    let entries = Field::new("entries", DataType::Struct(fields.into()), false);
    DataType::Map(Arc::new(entries), false)
}

fn map_of(entries: &Field) -> Result<FlinkType> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => {
            // Flink's MAP<STRING, INT> has nullable keys: an Arrow key that is not null is no news.
            let key = FlinkType::from_data_type(fields[0].data_type())?;
            let value = FlinkType::from_field(&fields[1])?;
            Ok(TypeKind::Map(Box::new(key), Box::new(value)).into())
        }
        other => Err(SqlError::new(format!("there is no Flink type for a map of {other}"))),
    }
}

fn row_field(field: &Field) -> Result<RowField> {
    let data_type = FlinkType::from_field(field)?;
    Ok(RowField { name: field.name().clone(), data_type, comment: None })
}

fn decimal_of(precision: u8, scale: i8) -> Result<FlinkType> {
    match u64::try_from(scale) {
        Ok(scale) => FlinkType::decimal(u64::from(precision), scale),
        // 12E3 as DECIMAL(2, -3) is DECIMAL(5, 0) in Flink's terms.
        Err(_) => FlinkType::decimal(u64::from(precision) + u64::from(scale.unsigned_abs()), 0),
    }
}
