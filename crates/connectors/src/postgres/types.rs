//! Our types and PostgreSQL's.
//!
//! A value goes over the wire in the form that follows from our type alone, and the server turns it
//! into the column's type, or back. So what may stand in a checkpoint does not depend on the table.

use arrow::datatypes::{DataType, TimeUnit};

use super::catalog::PgColumn;

/// The form of a value on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    /// A `ROW`, `MAP` or an array of such, as JSON.
    Json,
    Array(Box<Wire>),
}

impl Wire {
    /// The form of values of an Arrow type, if they have one.
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::Int16 => Self::Int2,
            DataType::Int32 => Self::Int4,
            DataType::Int64 => Self::Int8,
            DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Decimal128(_, scale) if *scale >= 0 => Self::Numeric,
            DataType::Utf8 => Self::Text,
            DataType::Binary => Self::Bytea,
            DataType::Date32 => Self::Date,
            DataType::Time32(TimeUnit::Millisecond) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::Timestamptz,
            DataType::List(item) => match Self::of(item.data_type())? {
                // PostgreSQL's arrays of arrays are boxes; ours need not be.
                Self::Array(_) | Self::Json => Self::Json,
                item => Self::Array(Box::new(item)),
            },
            DataType::Struct(_) | DataType::Map(_, _) => Self::Json,
            _ => return None,
        })
    }

    /// The type of a column that holds values on their way.
    pub fn sql(&self) -> String {
        match self {
            Self::Array(item) => format!("{}[]", item.sql()),
            Self::Json => "text".into(),
            other => other.name().into(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float4 => "float4",
            Self::Float8 => "float8",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Json => "json",
            Self::Array(_) => "array",
        }
    }

    /// The number of the type in every PostgreSQL.
    pub fn oid(&self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Bytea => 17,
            Self::Int8 => 20,
            Self::Int2 => 21,
            Self::Int4 => 23,
            Self::Text | Self::Json | Self::Array(_) => 25,
            Self::Float4 => 700,
            Self::Float8 => 701,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::Timestamp => 1114,
            Self::Timestamptz => 1184,
            Self::Numeric => 1700,
        }
    }
}

/// Types that a text becomes by a cast that says so, beside the texts themselves.
const FROM_TEXT: &[&str] = &[
    "uuid", "json", "jsonb", "xml", "inet", "cidr", "macaddr", "macaddr8", "interval", "citext",
    "bpchar", "timetz", "bit", "varbit", "tsvector", "ltree", "hstore", "point",
];

/// How a value on its way is written to a column: the cast, if one has to be said, or why it
/// cannot be. What would lose a part of the value is refused.
pub(super) fn written(from: &DataType, to: &PgColumn) -> Result<Option<String>, String> {
    let wire = Wire::of(from).ok_or_else(|| format!("a {from} has no form in PostgreSQL"))?;
    if let DataType::Timestamp(TimeUnit::Nanosecond, _) = from {
        return Err("PostgreSQL keeps microseconds and the column has nanoseconds (declare it \
                    with a precision of at most 6)"
            .into());
    }
    if to.generated {
        return Err("the database computes it (leave the column out)".into());
    }
    let fits = |names: &[&str]| names.contains(&to.type_name.as_str());
    let plain = |ok: bool| if ok { Ok(None) } else { Err(mismatch(to)) };
    match &wire {
        Wire::Bool => plain(fits(&["bool"])),
        Wire::Int2 => plain(fits(&["int2", "int4", "int8", "numeric", "float4", "float8"])),
        Wire::Int4 => plain(fits(&["int4", "int8", "numeric", "float8"])),
        Wire::Int8 => plain(fits(&["int8", "numeric"])),
        Wire::Float4 => plain(fits(&["float4", "float8"])),
        Wire::Float8 => plain(fits(&["float8"])),
        Wire::Numeric => {
            plain(fits(&["numeric"]))?;
            check_scale(from, to).map(|()| None)
        }
        Wire::Text if fits(&["text", "varchar", "name"]) => Ok(None),
        Wire::Text if fits(FROM_TEXT) => Ok(Some(to.type_name.clone())),
        Wire::Text if to.kind == 'e' => Ok(Some(base_name(to))),
        Wire::Text => Err(mismatch(to)),
        Wire::Bytea => plain(fits(&["bytea"])),
        Wire::Date => plain(fits(&["date"])),
        Wire::Time => {
            plain(fits(&["time"]))?;
            check_fraction(3, to).map(|()| None)
        }
        Wire::Timestamp | Wire::Timestamptz => {
            plain(fits(&[wire.name()]))?;
            check_fraction(fraction(from), to).map(|()| None)
        }
        Wire::Json if fits(&["json", "jsonb"]) => Ok(Some(to.type_name.clone())),
        Wire::Json => plain(fits(&["text", "varchar"])),
        Wire::Array(item) => match to.element.as_deref() {
            Some(element) if element == item.name() => Ok(None),
            Some("varchar") if **item == Wire::Text => Ok(Some("varchar[]".into())),
            _ if fits(&["json", "jsonb"]) => {
                Err("an array of plain values is written to an array column".into())
            }
            _ => Err(mismatch(to)),
        },
    }
}

/// The expression that reads a column in the form of our type, or why it cannot be.
pub(super) fn read(column: &PgColumn, to: &DataType, name: &str) -> Result<String, String> {
    let wire = Wire::of(to).ok_or_else(|| format!("a {to} has no form in PostgreSQL"))?;
    let fits = |names: &[&str]| names.contains(&column.type_name.as_str());
    let ok = match &wire {
        // Everything has a text.
        Wire::Text => true,
        Wire::Bool | Wire::Bytea | Wire::Date | Wire::Timestamp | Wire::Timestamptz => {
            fits(&[wire.name()])
        }
        Wire::Time => fits(&["time"]),
        Wire::Int2 => fits(&["int2"]),
        Wire::Int4 => fits(&["int2", "int4"]),
        Wire::Int8 => fits(&["int2", "int4", "int8", "oid"]),
        Wire::Float4 => fits(&["float4"]),
        Wire::Float8 => fits(&["float4", "float8"]),
        Wire::Numeric => fits(&["numeric", "int2", "int4", "int8"]),
        Wire::Json => fits(&["json", "jsonb"]),
        Wire::Array(item) => match (item.as_ref(), column.element.as_deref()) {
            (Wire::Text, Some(_)) => true,
            (item, Some(element)) => item.name() == element,
            (_, None) => false,
        },
    };
    match ok {
        true => Ok(format!("{name}::{}", wire.sql())),
        false => Err(mismatch(column)),
    }
}

/// The condition that a column has a value that is asked for, which comes in the form of our type;
/// so that an index serves where our equality is the database's.
pub(super) fn asked(
    column: &PgColumn,
    from: &DataType,
    (name, value): (&str, &str),
) -> Result<String, String> {
    let texts = ["text", "varchar", "name"].contains(&column.type_name.as_str());
    match Wire::of(from) {
        None | Some(Wire::Json | Wire::Array(_)) => Err(format!(
            "rows cannot be asked for by a {} ('lookup.cache' = 'FULL' reads the table whole)",
            column.shown
        )),
        Some(Wire::Text) if !texts => Ok(match column.type_name.as_str() {
            // What is no such text is no error: there is no row of it.
            "uuid" => format!("{name} = CASE WHEN {value} ~ '{UUID}' THEN {value}::uuid END"),
            _ => format!("{name}::text = {value}"),
        }),
        Some(_) => Ok(format!("{name} = {value}")),
    }
}

/// The one text that a `uuid` is read as.
const UUID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

fn mismatch(column: &PgColumn) -> String {
    let declare = match column.type_name.as_str() {
        "bool" => "BOOLEAN".to_owned(),
        "int2" => "SMALLINT".into(),
        "int4" => "INT".into(),
        "int8" | "oid" => "BIGINT".into(),
        "float4" => "FLOAT".into(),
        "float8" => "DOUBLE".into(),
        "numeric" => match numeric_modifier(column) {
            Some((precision, scale)) => format!("DECIMAL({precision}, {scale})"),
            None => "DECIMAL(38, 10)".into(),
        },
        "bytea" => "BYTES".into(),
        "date" => "DATE".into(),
        "time" => "TIME".into(),
        "timestamp" => "TIMESTAMP(6)".into(),
        "timestamptz" => "TIMESTAMP_LTZ(6)".into(),
        "json" | "jsonb" => "STRING, ROW<…> or MAP<…>".into(),
        _ if column.element.is_some() => "ARRAY<…> of the same elements".into(),
        _ => "STRING".into(),
    };
    format!("in the database it is {} (declare {declare})", column.shown)
}

/// The name of a type that stands in no list, as SQL has it.
fn base_name(column: &PgColumn) -> String {
    column.shown.clone()
}

fn numeric_modifier(column: &PgColumn) -> Option<(i32, i32)> {
    let modifier = column.modifier.checked_sub(4).filter(|m| *m >= 0)?;
    // The scale has eleven bits and a sign.
    let scale = ((modifier & 0x7ff) ^ 1024) - 1024;
    Some(((modifier >> 16) & 0xffff, scale))
}

/// The database would round.
fn check_scale(from: &DataType, to: &PgColumn) -> Result<(), String> {
    let DataType::Decimal128(precision, scale) = from else { return Ok(()) };
    match numeric_modifier(to) {
        Some((_, kept)) if kept < i32::from(*scale) => Err(format!(
            "in the database it is {}, and would lose digits of a DECIMAL({precision}, {scale})",
            to.shown
        )),
        _ => Ok(()),
    }
}

fn check_fraction(digits: i32, to: &PgColumn) -> Result<(), String> {
    match to.modifier {
        kept if (0..digits).contains(&kept) => Err(format!(
            "in the database it is {}, and would lose digits of a second (declare it with a \
             precision of {kept})",
            to.shown
        )),
        _ => Ok(()),
    }
}

fn fraction(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => 0,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 3,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Field;

    use super::*;

    fn column(type_name: &str, modifier: i32) -> PgColumn {
        PgColumn {
            name: "c".into(),
            shown: type_name.into(),
            type_name: type_name.into(),
            kind: 'b',
            element: type_name.strip_prefix('_').map(str::to_owned),
            modifier,
            not_null: false,
            has_default: false,
            generated: false,
        }
    }

    #[test]
    fn what_would_lose_a_part_of_a_value_is_refused() {
        let decimal = DataType::Decimal128(12, 3);
        let numeric = |precision: i32, scale: i32| column("numeric", (precision << 16 | scale) + 4);
        assert_eq!(written(&decimal, &numeric(10, 3)), Ok(None));
        assert_eq!(written(&decimal, &column("numeric", -1)), Ok(None));
        assert!(written(&decimal, &numeric(12, 2)).unwrap_err().contains("lose digits"));
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert!(written(&micros, &column("timestamp", 3)).is_err());
        assert_eq!(written(&micros, &column("timestamp", -1)), Ok(None));
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        assert!(written(&nanos, &column("timestamp", -1)).unwrap_err().contains("microseconds"));
        assert!(written(&DataType::Int64, &column("int4", -1)).unwrap_err().contains("INT"));
        assert!(written(&DataType::Float64, &column("float4", -1)).is_err());
    }

    #[test]
    fn a_key_is_compared_as_the_database_indexes_it_where_that_is_the_same() {
        let names = ("t.c", "k.v");
        let text = |t: &str| asked(&column(t, -1), &DataType::Utf8, names).unwrap();
        assert_eq!(text("varchar"), "t.c = k.v");
        assert_eq!(text("citext"), "t.c::text = k.v");
        assert!(text("uuid").ends_with("THEN k.v::uuid END"));
        assert_eq!(asked(&column("int2", -1), &DataType::Int64, names).unwrap(), "t.c = k.v");
        let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
        assert!(asked(&column("_int8", -1), &list, names).unwrap_err().contains("FULL"));
    }

    #[test]
    fn texts_and_arrays_find_their_columns() {
        assert_eq!(written(&DataType::Utf8, &column("uuid", -1)), Ok(Some("uuid".into())));
        assert_eq!(written(&DataType::Utf8, &column("varchar", 7)), Ok(None));
        assert!(written(&DataType::Utf8, &column("int4", -1)).is_err());
        let list = |t: DataType| DataType::List(Arc::new(Field::new("item", t, true)));
        assert_eq!(written(&list(DataType::Int64), &column("_int8", -1)), Ok(None));
        assert!(written(&list(DataType::Int64), &column("_int4", -1)).is_err());
        assert_eq!(Wire::of(&list(list(DataType::Int64))), Some(Wire::Json));
        assert_eq!(read(&column("uuid", -1), &DataType::Utf8, "c"), Ok("c::text".into()));
        assert_eq!(read(&column("int2", -1), &DataType::Int64, "c"), Ok("c::int8".into()));
        let error = read(&column("int8", -1), &DataType::Int32, "c").unwrap_err();
        assert_eq!(error, "in the database it is int8 (declare BIGINT)");
    }
}
