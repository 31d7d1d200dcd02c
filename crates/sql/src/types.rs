//! Flink's data types, and how they lie in Arrow.
//!
//! | Flink | Arrow |
//! |---|---|
//! | `BOOLEAN`, `TINYINT` … `BIGINT` | `Boolean`, `Int8` … `Int64` |
//! | `FLOAT`, `DOUBLE`, `DECIMAL(p, s)` | `Float32`, `Float64`, `Decimal128(p, s)` |
//! | `CHAR(n)`, `VARCHAR(n)`, `STRING` | `Utf8` |
//! | `VARIANT` | `LargeUtf8`, its JSON |
//! | `BINARY(n)`, `VARBINARY(n)`, `BYTES`, `BITMAP` | `Binary` |
//! | `DATE`, `TIME(p)` | `Date32`, `Time32(Millisecond)` |
//! | `TIMESTAMP(p)` | `Timestamp(unit, None)`: ms to p = 3, µs to 6, ns to 9 |
//! | `TIMESTAMP_LTZ(p)` | the same in zone `UTC`; the session's zone is for casts and printing |
//! | `INTERVAL YEAR … MONTH` | `Interval(YearMonth)` |
//! | `INTERVAL DAY … SECOND` | `Interval(MonthDayNano)` without months |
//! | `ARRAY<t>`, `MAP<k, v>`, `ROW<…>` | `List`, `Map`, `Struct` |
//! | `MULTISET<t>` | `Map` of `t` to `Int32`, its count |
//!
//! What Arrow cannot say (a length, a precision of zero, that a map is a multiset) stands in the
//! metadata of the *outermost* field under [`TYPE_METADATA_KEY`], so that `DESCRIBE` prints the
//! declared type again. Inner fields stay bare: Arrow compares their metadata when it compares
//! types, and two equal arrays would no longer fit together.

mod arrow_map;
mod sql_map;

use std::fmt;

pub use arrow_map::TYPE_METADATA_KEY;

use crate::error::{Result, SqlError};

/// Longest `CHAR`, `VARCHAR`, `BINARY`, `VARBINARY`, as in Flink.
pub const LENGTH_MAX: u32 = i32::MAX as u32;
/// Most digits of a `DECIMAL`.
pub const DECIMAL_PRECISION_MAX: u8 = 38;
/// Most fractional digits of a time or timestamp.
pub const TIME_PRECISION_MAX: u8 = 9;
/// The fractional digits of a `TIMESTAMP` that does not say.
pub const TIMESTAMP_PRECISION_DEFAULT: u8 = 6;

/// A Flink data type and whether it may be null.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FlinkType {
    /// The type itself.
    pub kind: TypeKind,
    /// Whether a null may stand in it.
    pub nullable: bool,
}

/// The kinds of Flink data types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// `CHAR(n)`.
    Char(u32),
    /// `VARCHAR(n)`; the longest is [`TypeKind::String`].
    VarChar(u32),
    /// `STRING`.
    String,
    /// `BOOLEAN`.
    Boolean,
    /// `BINARY(n)`.
    Binary(u32),
    /// `VARBINARY(n)`; the longest is [`TypeKind::Bytes`].
    VarBinary(u32),
    /// `BYTES`.
    Bytes,
    /// `VARIANT`: a value that says its own type, made by `PARSE_JSON`.
    Variant,
    /// `BITMAP`: a set of 32-bit numbers, as bytes that the `BITMAP_*` functions read.
    Bitmap,
    /// `DECIMAL(precision, scale)`.
    Decimal(u8, u8),
    /// `TINYINT`.
    TinyInt,
    /// `SMALLINT`.
    SmallInt,
    /// `INT`.
    Int,
    /// `BIGINT`.
    BigInt,
    /// `FLOAT`.
    Float,
    /// `DOUBLE`.
    Double,
    /// `DATE`.
    Date,
    /// `TIME(p)`.
    Time(u8),
    /// `TIMESTAMP(p)`.
    Timestamp(u8),
    /// `TIMESTAMP_LTZ(p)`.
    TimestampLtz(u8),
    /// `INTERVAL YEAR`, `MONTH`, `YEAR TO MONTH`.
    IntervalYearMonth(IntervalFields),
    /// `INTERVAL DAY`, …, `DAY TO SECOND`, …, `SECOND`.
    IntervalDayTime(IntervalFields),
    /// `ARRAY<t>`.
    Array(Box<FlinkType>),
    /// `MULTISET<t>`.
    Multiset(Box<FlinkType>),
    /// `MAP<k, v>`.
    Map(Box<FlinkType>, Box<FlinkType>),
    /// `ROW<…>`.
    Row(Vec<RowField>),
    /// The type of a bare `NULL`.
    Null,
}

/// A field of a `ROW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: FlinkType,
    /// Its comment.
    pub comment: Option<String>,
}

/// The units of an interval type: `first [TO last]`, with precisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntervalFields {
    /// The first unit.
    pub first: IntervalUnit,
    /// The last unit; the same as the first when there is one only.
    pub last: IntervalUnit,
    /// Digits of years or days; Flink's default is two.
    pub leading_precision: u8,
    /// Digits behind the second's point; Flink's default is six.
    pub fraction_precision: u8,
}

/// A unit of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntervalUnit {
    /// Years.
    Year,
    /// Months.
    Month,
    /// Days.
    Day,
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
    /// Seconds.
    Second,
}

impl IntervalUnit {
    /// The unit as SQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            IntervalUnit::Year => "YEAR",
            IntervalUnit::Month => "MONTH",
            IntervalUnit::Day => "DAY",
            IntervalUnit::Hour => "HOUR",
            IntervalUnit::Minute => "MINUTE",
            IntervalUnit::Second => "SECOND",
        }
    }

    /// Whether it counts years or months.
    pub fn is_year_month(self) -> bool {
        matches!(self, IntervalUnit::Year | IntervalUnit::Month)
    }
}

impl IntervalFields {
    /// `first TO last` with Flink's default precisions.
    pub fn new(first: IntervalUnit, last: IntervalUnit) -> IntervalFields {
        IntervalFields { first, last, leading_precision: 2, fraction_precision: 6 }
    }
}

impl From<TypeKind> for FlinkType {
    fn from(kind: TypeKind) -> FlinkType {
        FlinkType { kind, nullable: true }
    }
}

impl FlinkType {
    /// A type that may be null.
    pub fn new(kind: TypeKind) -> FlinkType {
        FlinkType::from(kind)
    }

    /// The same type, without nulls.
    #[must_use]
    pub fn not_null(mut self) -> FlinkType {
        self.nullable = false;
        self
    }

    /// `DECIMAL(precision, scale)`, if Flink has it.
    pub fn decimal(precision: u64, scale: u64) -> Result<FlinkType> {
        match (u8::try_from(precision), u8::try_from(scale)) {
            (Ok(p @ 1..=DECIMAL_PRECISION_MAX), Ok(s)) if s <= p => {
                Ok(TypeKind::Decimal(p, s).into())
            }
            (Ok(1..=DECIMAL_PRECISION_MAX), _) => Err(SqlError::new(format!(
                "DECIMAL({precision}, {scale}) has more digits behind the point than it has digits"
            ))
            .with_hint(format!("the scale must lie between 0 and {precision}"))),
            _ => Err(SqlError::new(format!(
                "DECIMAL({precision}, {scale}) is out of range: a DECIMAL has between 1 and \
                 {DECIMAL_PRECISION_MAX} digits"
            ))),
        }
    }

    /// `VARCHAR(n)`, where the longest one is `STRING`.
    pub fn varchar(length: u64) -> Result<FlinkType> {
        let kind = match checked_length("VARCHAR", length)? {
            LENGTH_MAX => TypeKind::String,
            length => TypeKind::VarChar(length),
        };
        Ok(kind.into())
    }

    /// `VARBINARY(n)`, where the longest one is `BYTES`.
    pub fn varbinary(length: u64) -> Result<FlinkType> {
        let kind = match checked_length("VARBINARY", length)? {
            LENGTH_MAX => TypeKind::Bytes,
            length => TypeKind::VarBinary(length),
        };
        Ok(kind.into())
    }

    /// `CHAR(n)`.
    pub fn char(length: u64) -> Result<FlinkType> {
        Ok(TypeKind::Char(checked_length("CHAR", length)?).into())
    }

    /// `BINARY(n)`.
    pub fn binary(length: u64) -> Result<FlinkType> {
        Ok(TypeKind::Binary(checked_length("BINARY", length)?).into())
    }

    /// `TIME(p)`.
    pub fn time(precision: u64) -> Result<FlinkType> {
        Ok(TypeKind::Time(checked_precision("TIME", precision)?).into())
    }

    /// `TIMESTAMP(p)`.
    pub fn timestamp(precision: u64) -> Result<FlinkType> {
        Ok(TypeKind::Timestamp(checked_precision("TIMESTAMP", precision)?).into())
    }

    /// `TIMESTAMP_LTZ(p)`.
    pub fn timestamp_ltz(precision: u64) -> Result<FlinkType> {
        Ok(TypeKind::TimestampLtz(checked_precision("TIMESTAMP_LTZ", precision)?).into())
    }

    /// `ROW<…>`; a field's name may stand once only.
    pub fn row(fields: Vec<RowField>) -> Result<FlinkType> {
        for (i, field) in fields.iter().enumerate() {
            if fields[..i].iter().any(|f| f.name == field.name) {
                return Err(SqlError::new(format!("ROW has two fields named '{}'", field.name)));
            }
        }
        Ok(TypeKind::Row(fields).into())
    }

    /// The type as `DESCRIBE` prints it in its `type` column: without a trailing `NOT NULL`.
    pub fn summary(&self) -> String {
        self.kind.to_string()
    }
}

fn checked_length(name: &str, length: u64) -> Result<u32> {
    u32::try_from(length).ok().filter(|n| (1..=LENGTH_MAX).contains(n)).ok_or_else(|| {
        SqlError::new(format!("{name}({length}) is out of range"))
            .with_hint(format!("the length must lie between 1 and {LENGTH_MAX}"))
    })
}

fn checked_precision(name: &str, precision: u64) -> Result<u8> {
    u8::try_from(precision).ok().filter(|p| *p <= TIME_PRECISION_MAX).ok_or_else(|| {
        SqlError::new(format!("{name}({precision}) is out of range"))
            .with_hint(format!("the precision must lie between 0 and {TIME_PRECISION_MAX}"))
    })
}

impl fmt::Display for FlinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.nullable { "" } else { " NOT NULL" })
    }
}

impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeKind::Char(n) => write!(f, "CHAR({n})"),
            TypeKind::VarChar(n) => write!(f, "VARCHAR({n})"),
            TypeKind::String => f.write_str("STRING"),
            TypeKind::Boolean => f.write_str("BOOLEAN"),
            TypeKind::Binary(n) => write!(f, "BINARY({n})"),
            TypeKind::VarBinary(n) => write!(f, "VARBINARY({n})"),
            TypeKind::Bytes => f.write_str("BYTES"),
            TypeKind::Bitmap => f.write_str("BITMAP"),
            TypeKind::Variant => f.write_str("VARIANT"),
            TypeKind::Decimal(p, s) => write!(f, "DECIMAL({p}, {s})"),
            TypeKind::TinyInt => f.write_str("TINYINT"),
            TypeKind::SmallInt => f.write_str("SMALLINT"),
            TypeKind::Int => f.write_str("INT"),
            TypeKind::BigInt => f.write_str("BIGINT"),
            TypeKind::Float => f.write_str("FLOAT"),
            TypeKind::Double => f.write_str("DOUBLE"),
            TypeKind::Date => f.write_str("DATE"),
            TypeKind::Time(p) => write!(f, "TIME({p})"),
            TypeKind::Timestamp(p) => write!(f, "TIMESTAMP({p})"),
            TypeKind::TimestampLtz(p) => write!(f, "TIMESTAMP_LTZ({p})"),
            TypeKind::IntervalYearMonth(fields) | TypeKind::IntervalDayTime(fields) => {
                write!(f, "INTERVAL {fields}")
            }
            TypeKind::Array(t) => write!(f, "ARRAY<{t}>"),
            TypeKind::Multiset(t) => write!(f, "MULTISET<{t}>"),
            TypeKind::Map(k, v) => write!(f, "MAP<{k}, {v}>"),
            TypeKind::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{} {}", quote_identifier(&field.name), field.data_type)?;
                    if let Some(comment) = &field.comment {
                        write!(f, " {}", quote_string(comment))?;
                    }
                }
                f.write_str(">")
            }
            TypeKind::Null => f.write_str("NULL"),
        }
    }
}

impl fmt::Display for IntervalFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("({})", self.fraction_precision);
        let fraction = if self.last == IntervalUnit::Second { fraction.as_str() } else { "" };
        f.write_str(self.first.name())?;
        match self.first {
            IntervalUnit::Year | IntervalUnit::Day => write!(f, "({})", self.leading_precision)?,
            IntervalUnit::Second => f.write_str(fraction)?,
            _ => {}
        }
        if self.last != self.first {
            write!(f, " TO {}{fraction}", self.last.name())?;
        }
        Ok(())
    }
}

/// The type of a field as Flink writes it: the declared one, and `NOT NULL` where it is.
pub fn field_type_name(field: &arrow::datatypes::Field) -> String {
    let name = match FlinkType::from_field(field) {
        Ok(declared) if field.metadata().contains_key(TYPE_METADATA_KEY) => declared.summary(),
        _ => return crate::functions::typing::field_type_name(field),
    };
    if field.is_nullable() { name } else { format!("{name} NOT NULL") }
}

/// An identifier in backticks.
pub fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string literal in single quotes.
pub fn quote_string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests;
