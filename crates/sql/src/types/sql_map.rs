//! Flink types as sqlparser's `DataType` (the node inside a `CAST`), and the way back.

use sqlparser::ast::{
    ArrayElemTypeDef, BinaryLength, CharacterLength, DataType, ExactNumberInfo, Ident, ObjectName,
    StructBracketKind, StructField, TimezoneInfo,
};

use super::{FlinkType, LENGTH_MAX, RowField, TIMESTAMP_PRECISION_DEFAULT, TypeKind};
use crate::error::{Result, SqlError};

/// The names under which types without a node of their own travel as `DataType::Custom`.
const LTZ: &str = "TIMESTAMP_LTZ";
const MULTISET: &str = "MULTISET";
const INTERVAL: &str = "INTERVAL";
const NULL: &str = "NULL";
const BITMAP: &str = "BITMAP";
const VARIANT: &str = "VARIANT";

impl FlinkType {
    /// The node that stands for this type in a `CAST`.
    ///
    /// `TIMESTAMP_LTZ(p)` is `Custom(TIMESTAMP_LTZ, [p])`; `MULTISET<t>` and intervals are
    /// `Custom(MULTISET, [t])` and `Custom(INTERVAL, [units])`, their modifier being SQL text.
    /// Comments and `NOT NULL` inside the type are not carried.
    pub fn to_sql_type(&self) -> DataType {
        let number = ExactNumberInfo::None;
        match &self.kind {
            TypeKind::Char(n) => DataType::Char(Some(character_length(*n))),
            TypeKind::VarChar(n) => DataType::Varchar(Some(character_length(*n))),
            TypeKind::String => DataType::String(None),
            TypeKind::Boolean => DataType::Boolean,
            TypeKind::Binary(n) => DataType::Binary(Some(u64::from(*n))),
            TypeKind::VarBinary(n) => {
                DataType::Varbinary(Some(BinaryLength::IntegerLength { length: u64::from(*n) }))
            }
            TypeKind::Bytes => DataType::Bytes(None),
            TypeKind::Bitmap => custom(BITMAP, vec![]),
            TypeKind::Variant => custom(VARIANT, vec![]),
            TypeKind::Decimal(p, s) => {
                DataType::Decimal(ExactNumberInfo::PrecisionAndScale(u64::from(*p), i64::from(*s)))
            }
            TypeKind::TinyInt => DataType::TinyInt(None),
            TypeKind::SmallInt => DataType::SmallInt(None),
            TypeKind::Int => DataType::Int(None),
            TypeKind::BigInt => DataType::BigInt(None),
            TypeKind::Float => DataType::Float(number),
            TypeKind::Double => DataType::Double(number),
            TypeKind::Date => DataType::Date,
            TypeKind::Time(p) => DataType::Time(Some(u64::from(*p)), TimezoneInfo::None),
            TypeKind::Timestamp(p) => DataType::Timestamp(Some(u64::from(*p)), TimezoneInfo::None),
            TypeKind::TimestampLtz(p) => custom(LTZ, vec![p.to_string()]),
            TypeKind::IntervalYearMonth(f) | TypeKind::IntervalDayTime(f) => {
                custom(INTERVAL, vec![f.to_string()])
            }
            TypeKind::Array(item) => {
                DataType::Array(ArrayElemTypeDef::AngleBracket(Box::new(item.to_sql_type())))
            }
            TypeKind::Multiset(item) => custom(MULTISET, vec![item.to_string()]),
            TypeKind::Map(key, value) => {
                DataType::Map(Box::new(key.to_sql_type()), Box::new(value.to_sql_type()))
            }
            TypeKind::Row(fields) => {
                let fields = fields.iter().map(struct_field).collect();
                DataType::Struct(fields, StructBracketKind::AngleBrackets)
            }
            TypeKind::Null => custom(NULL, vec![]),
        }
    }

    /// The Flink type that a node says, for the names Flink has.
    pub fn from_sql_type(data_type: &DataType) -> Result<FlinkType> {
        Ok(FlinkType::new(match data_type {
            DataType::Char(length) | DataType::Character(length) => {
                return FlinkType::char(length_of(length.as_ref(), 1));
            }
            DataType::Varchar(length)
            | DataType::CharacterVarying(length)
            | DataType::CharVarying(length) => {
                return FlinkType::varchar(length_of(length.as_ref(), 1));
            }
            DataType::String(_) => TypeKind::String,
            DataType::Boolean => TypeKind::Boolean,
            DataType::Binary(length) => return FlinkType::binary(length.unwrap_or(1)),
            DataType::Varbinary(length) => {
                return FlinkType::varbinary(match length {
                    None => 1,
                    Some(BinaryLength::IntegerLength { length }) => *length,
                    Some(BinaryLength::Max) => u64::from(LENGTH_MAX),
                });
            }
            DataType::Bytes(_) => TypeKind::Bytes,
            DataType::Decimal(n) | DataType::Dec(n) | DataType::Numeric(n) => {
                return decimal(n);
            }
            DataType::TinyInt(_) => TypeKind::TinyInt,
            DataType::SmallInt(_) => TypeKind::SmallInt,
            DataType::Int(_) | DataType::Integer(_) => TypeKind::Int,
            DataType::BigInt(_) => TypeKind::BigInt,
            DataType::Float(_) => TypeKind::Float,
            DataType::Double(_) | DataType::DoublePrecision => TypeKind::Double,
            DataType::Date => TypeKind::Date,
            DataType::Time(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                return FlinkType::time(p.unwrap_or(0));
            }
            DataType::Timestamp(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                return FlinkType::timestamp(p.unwrap_or(TIMESTAMP_PRECISION_DEFAULT.into()));
            }
            DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => {
                TypeKind::Array(Box::new(FlinkType::from_sql_type(item)?))
            }
            DataType::Map(key, value) => TypeKind::Map(
                Box::new(FlinkType::from_sql_type(key)?),
                Box::new(FlinkType::from_sql_type(value)?),
            ),
            DataType::Struct(fields, _) => return row(fields),
            // What has no node of its own is Flink's own text.
            DataType::Custom(name, modifiers) => return from_custom(name, modifiers),
            other => return Err(unknown(&other.to_string())),
        }))
    }
}

fn from_custom(name: &ObjectName, modifiers: &[String]) -> Result<FlinkType> {
    let modifiers = modifiers.join(", ");
    let name = name.to_string();
    FlinkType::parse(&match name.as_str() {
        NULL => return Ok(TypeKind::Null.into()),
        MULTISET => format!("MULTISET<{modifiers}>"),
        INTERVAL => format!("INTERVAL {modifiers}"),
        _ if modifiers.is_empty() => name,
        _ => format!("{name}({modifiers})"),
    })
    // The text is ours, so a place in it says nothing to the user.
    .map_err(|e| SqlError { span: None, ..e })
}

fn unknown(name: &str) -> SqlError {
    SqlError::new(format!("unknown type {name}"))
}

fn custom(name: &str, modifiers: Vec<String>) -> DataType {
    DataType::Custom(ObjectName::from(vec![Ident::new(name)]), modifiers)
}

fn character_length(length: u32) -> CharacterLength {
    CharacterLength::IntegerLength { length: u64::from(length), unit: None }
}

fn length_of(length: Option<&CharacterLength>, default: u64) -> u64 {
    match length {
        None => default,
        Some(CharacterLength::IntegerLength { length, .. }) => *length,
        Some(CharacterLength::Max) => u64::from(LENGTH_MAX),
    }
}

fn decimal(info: &ExactNumberInfo) -> Result<FlinkType> {
    match info {
        ExactNumberInfo::None => FlinkType::decimal(10, 0),
        ExactNumberInfo::Precision(p) => FlinkType::decimal(*p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => match u64::try_from(*s) {
            Ok(s) => FlinkType::decimal(*p, s),
            Err(_) => Err(SqlError::new(format!("DECIMAL({p}, {s}) has a negative scale"))),
        },
    }
}

fn struct_field(field: &RowField) -> StructField {
    StructField {
        field_name: Some(Ident::with_quote('`', &field.name)),
        field_type: field.data_type.to_sql_type(),
        options: None,
    }
}

fn row(fields: &[StructField]) -> Result<FlinkType> {
    let fields = fields.iter().enumerate().map(|(i, field)| {
        Ok(RowField {
            name: match &field.field_name {
                Some(name) => name.value.clone(),
                None => format!("f{i}"),
            },
            data_type: FlinkType::from_sql_type(&field.field_type)?,
            comment: None,
        })
    });
    FlinkType::row(fields.collect::<Result<_>>()?)
}
