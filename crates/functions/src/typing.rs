//! Flink's type rules over Arrow types: names, common types, results of arithmetic.

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use datafusion_common::{Result, plan_err};
use std::sync::Arc;

/// The largest precision of a DECIMAL.
pub(crate) const MAX_PRECISION: u8 = 38;
/// The scale that a DECIMAL keeps at least when its precision must be cut.
const MIN_SCALE: u8 = 6;

/// The type as Flink writes it.
pub fn type_name(dtype: &DataType) -> String {
    use DataType as T;
    match dtype {
        T::Null => "NULL".into(),
        T::Boolean => "BOOLEAN".into(),
        T::Int8 => "TINYINT".into(),
        T::Int16 => "SMALLINT".into(),
        T::Int32 => "INT".into(),
        T::Int64 => "BIGINT".into(),
        T::Float32 => "FLOAT".into(),
        T::Float64 => "DOUBLE".into(),
        T::Decimal128(p, s) => format!("DECIMAL({p}, {s})"),
        T::Utf8 | T::Utf8View => "STRING".into(),
        T::LargeUtf8 => "VARIANT".into(),
        T::Binary | T::LargeBinary | T::BinaryView => "BYTES".into(),
        T::FixedSizeBinary(n) => format!("BINARY({n})"),
        T::Date32 => "DATE".into(),
        T::Time32(_) | T::Time64(_) => "TIME(0)".into(),
        T::Timestamp(unit, None) => format!("TIMESTAMP({})", precision_of(*unit)),
        T::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", precision_of(*unit)),
        T::Interval(IntervalUnit::YearMonth) => "INTERVAL YEAR TO MONTH".into(),
        T::Interval(_) | T::Duration(_) => "INTERVAL DAY TO SECOND(3)".into(),
        T::List(f) | T::LargeList(f) => format!("ARRAY<{}>", field_type_name(f)),
        T::Map(entries, _) => match map_types(entries) {
            Some((k, v)) => format!("MAP<{}, {}>", field_type_name(&k), field_type_name(&v)),
            None => "MAP".into(),
        },
        T::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|f| format!("`{}` {}", f.name(), field_type_name(f))).collect();
            format!("ROW<{}>", fields.join(", "))
        }
        other => format!("{other}"),
    }
}

/// The type of a field as Flink writes it, and `NOT NULL` where it is; what the metadata declares
/// is not looked at.
pub fn field_type_name(field: &Field) -> String {
    let name = type_name(field.data_type());
    if field.is_nullable() || field.data_type().is_null() {
        name
    } else {
        format!("{name} NOT NULL")
    }
}

/// The key and value fields of a map type's entries.
pub(crate) fn map_types(entries: &Field) -> Option<(Arc<Field>, Arc<Field>)> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => {
            Some((Arc::clone(&fields[0]), Arc::clone(&fields[1])))
        }
        _ => None,
    }
}

/// The map type of these keys and values.
pub(crate) fn map_of(key: DataType, value: DataType) -> DataType {
    let fields =
        Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

/// The array type of these elements.
pub(crate) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// Digits of a second's fraction that the unit holds.
pub(crate) fn precision_of(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// An integer as the DECIMAL that holds all its values.
pub(crate) fn as_decimal(dtype: &DataType) -> Option<(u8, i8)> {
    Some(match dtype {
        DataType::Decimal128(p, s) => (*p, *s),
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt8 => (3, 0),
        DataType::UInt16 => (5, 0),
        DataType::UInt32 => (10, 0),
        DataType::UInt64 => (20, 0),
        _ => return None,
    })
}

/// Cuts precision and scale to what fits, keeping the integer digits as far as possible.
fn adjust(precision: i32, scale: i32) -> DataType {
    let max = i32::from(MAX_PRECISION);
    if precision <= max {
        return DataType::Decimal128(precision as u8, scale as i8);
    }
    let digits = precision - scale;
    let least = scale.min(i32::from(MIN_SCALE));
    DataType::Decimal128(MAX_PRECISION, (max - digits).max(least) as i8)
}

/// The operators of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithOp {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

impl ArithOp {
    /// The operator as written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            ArithOp::Plus => "+",
            ArithOp::Minus => "-",
            ArithOp::Multiply => "*",
            ArithOp::Divide => "/",
            ArithOp::Modulo => "%",
        }
    }
}

/// The result of arithmetic on two DECIMALs.
pub(crate) fn decimal_result(op: ArithOp, left: (u8, i8), right: (u8, i8)) -> DataType {
    let (p1, s1) = (i32::from(left.0), i32::from(left.1));
    let (p2, s2) = (i32::from(right.0), i32::from(right.1));
    match op {
        ArithOp::Plus | ArithOp::Minus => {
            let scale = s1.max(s2);
            adjust((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
        ArithOp::Multiply => adjust(p1 + p2 + 1, s1 + s2),
        ArithOp::Divide => {
            let scale = (s1 + p2 + 1).max(i32::from(MIN_SCALE));
            adjust(p1 - s1 + s2 + scale, scale)
        }
        ArithOp::Modulo => {
            let scale = s1.max(s2);
            adjust((p1 - s1).min(p2 - s2) + scale, scale)
        }
    }
}

fn is_float(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Float16 | DataType::Float32 | DataType::Float64)
}

fn is_interval(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Interval(_) | DataType::Duration(_))
}

/// Whether the type is a day, a moment or a time of day.
pub(crate) fn is_temporal(dtype: &DataType) -> bool {
    matches!(
        dtype,
        DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(_, _)
    )
}

/// The type of an interval as this system computes with it.
pub(crate) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// The common type of two numbers.
pub fn common_number(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    if left == right && left.is_numeric() {
        return Some(left.clone());
    }
    let decimal = |t: &T| matches!(t, T::Decimal128(_, _));
    match (is_float(left), is_float(right)) {
        (true, true) => return Some(T::Float64),
        (true, false) if right.is_numeric() => {
            return Some(if decimal(right) { T::Float64 } else { left.clone() });
        }
        (false, true) if left.is_numeric() => {
            return Some(if decimal(left) { T::Float64 } else { right.clone() });
        }
        _ => {}
    }
    if decimal(left) || decimal(right) {
        let ((p1, s1), (p2, s2)) = (as_decimal(left)?, as_decimal(right)?);
        let scale = s1.max(s2);
        let digits = (i32::from(p1) - i32::from(s1)).max(i32::from(p2) - i32::from(s2));
        let precision = (digits + i32::from(scale)).min(i32::from(MAX_PRECISION));
        return Some(T::Decimal128(precision as u8, scale));
    }
    let rank = |t: &T| match t {
        T::Int8 => Some(0),
        T::Int16 | T::UInt8 => Some(1),
        T::Int32 | T::UInt16 => Some(2),
        T::Int64 | T::UInt32 | T::UInt64 => Some(3),
        _ => None,
    };
    Some(match rank(left)?.max(rank(right)?) {
        0 => T::Int8,
        1 => T::Int16,
        2 => T::Int32,
        _ => T::Int64,
    })
}

/// The result type of `left op right`.
pub fn arith_result(op: ArithOp, left: &DataType, right: &DataType) -> Result<DataType> {
    use ArithOp as O;
    use DataType as T;
    let numeric = |t: &T| t.is_numeric() || t.is_null();
    if numeric(left) && numeric(right) {
        if left.is_null() && right.is_null() {
            return Ok(T::Int32);
        }
        let (left, right) = match (left.is_null(), right.is_null()) {
            (true, _) => (right, right),
            (_, true) => (left, left),
            _ => (left, right),
        };
        let exact = !is_float(left) && !is_float(right);
        let decimal = |t: &T| matches!(t, T::Decimal128(_, _));
        if exact && (decimal(left) || decimal(right)) {
            if let (Some(l), Some(r)) = (as_decimal(left), as_decimal(right)) {
                return Ok(decimal_result(op, l, r));
            }
        }
        if op == O::Modulo && exact {
            return Ok(right.clone());
        }
        if let Some(t) = common_number(left, right) {
            return Ok(t);
        }
    }
    let null_or = |t: &T, f: fn(&T) -> bool| t.is_null() || f(t);
    match op {
        O::Plus | O::Minus if is_temporal(left) && null_or(right, is_interval) => Ok(left.clone()),
        O::Plus if null_or(left, is_interval) && is_temporal(right) => Ok(right.clone()),
        O::Plus | O::Minus if is_interval(left) && null_or(right, is_interval) => Ok(INTERVAL),
        O::Plus | O::Minus if left.is_null() && is_interval(right) => Ok(INTERVAL),
        O::Minus if is_temporal(left) && is_temporal(right) => Ok(INTERVAL),
        O::Multiply | O::Divide if is_interval(left) && numeric(right) => Ok(INTERVAL),
        O::Multiply if numeric(left) && is_interval(right) => Ok(INTERVAL),
        _ => plan_err!(
            "Cannot apply '{}' to arguments of type '<{}> {} <{}>'{}",
            op.symbol(),
            type_name(left),
            op.symbol(),
            type_name(right),
            text_hint(left, right)
        ),
    }
}

fn text_hint(left: &DataType, right: &DataType) -> &'static str {
    if matches!(left, DataType::Utf8) || matches!(right, DataType::Utf8) {
        "; cast the string to a number first, as in CAST(s AS INT)"
    } else {
        ""
    }
}

/// The least type that all of these fit into; `None` if there is none.
pub fn common_type(types: &[DataType]) -> Option<DataType> {
    let mut types = types.iter();
    let mut common = types.next()?.clone();
    for t in types {
        common = common_pair(&common, t)?;
    }
    Some(common)
}

fn common_pair(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    if left == right || right.is_null() {
        return Some(left.clone());
    }
    if left.is_null() {
        return Some(right.clone());
    }
    if left.is_numeric() && right.is_numeric() {
        return common_number(left, right);
    }
    let text = |t: &T| matches!(t, T::Utf8 | T::Utf8View);
    let bytes = |t: &T| matches!(t, T::Binary | T::LargeBinary | T::FixedSizeBinary(_));
    if text(left) && text(right) {
        return Some(T::Utf8);
    }
    if bytes(left) && bytes(right) {
        return Some(T::Binary);
    }
    if is_interval(left) && is_interval(right) {
        return Some(INTERVAL);
    }
    match (left, right) {
        (T::Timestamp(a, za), T::Timestamp(b, zb)) => {
            Some(T::Timestamp(*a.max(b), if za.is_some() { za.clone() } else { zb.clone() }))
        }
        (T::Timestamp(u, z), T::Date32) | (T::Date32, T::Timestamp(u, z)) => {
            Some(T::Timestamp(*u, z.clone()))
        }
        (T::List(a), T::List(b)) => {
            let element = common_pair(a.data_type(), b.data_type())?;
            Some(T::List(Arc::new(Field::new_list_field(
                element,
                a.is_nullable() || b.is_nullable(),
            ))))
        }
        (T::Map(a, _), T::Map(b, _)) => {
            let ((ak, av), (bk, bv)) = (map_types(a)?, map_types(b)?);
            Some(map_of(
                common_pair(ak.data_type(), bk.data_type())?,
                common_pair(av.data_type(), bv.data_type())?,
            ))
        }
        (T::Struct(a), T::Struct(b)) if a.len() == b.len() => {
            let mut fields = Vec::with_capacity(a.len());
            for (fa, fb) in a.iter().zip(b.iter()) {
                let t = common_pair(fa.data_type(), fb.data_type())?;
                let nullable = fa.is_nullable() || fb.is_nullable();
                fields.push(Field::new(fa.name(), t, nullable));
            }
            Some(T::Struct(fields.into()))
        }
        _ => None,
    }
}

/// The type that two sides of a comparison are brought to.
pub fn comparison_type(left: &DataType, right: &DataType) -> Result<DataType> {
    let text = |t: &DataType| matches!(t, DataType::Utf8);
    if text(left) && (is_temporal(right) || is_interval(right)) {
        return Ok(right.clone());
    }
    if text(right) && (is_temporal(left) || is_interval(left)) {
        return Ok(left.clone());
    }
    if let Some(t) = common_pair(left, right) {
        return Ok(t);
    }
    plan_err!(
        "Cannot compare {} with {}: implicit type conversion between them is not supported; \
         use CAST on one side",
        type_name(left),
        type_name(right)
    )
}
