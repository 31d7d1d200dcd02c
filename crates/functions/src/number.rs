//! Numbers: exact decimals on 128 and 256 bits, and number casts as Java does them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, i256,
};
use datafusion_common::{Result, exec_err};

use super::typing::type_name;

/// The powers of ten that 128 bits hold.
const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut n = 1;
    while n < 39 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// `10^n`, if 128 bits hold it.
pub(crate) fn pow10(n: u32) -> Option<i128> {
    POWERS.get(n as usize).copied()
}

/// `10^n`, if 256 bits hold it.
pub(crate) fn pow10_wide(n: u32) -> Option<i256> {
    if n <= 38 {
        return pow10(n).map(i256::from_i128);
    }
    let high = i256::from_i128(pow10(38)?);
    high.checked_mul(i256::from_i128(pow10(n - 38)?))
}

/// `n / d`, halves away from zero.
pub(crate) fn div_half_up(n: i256, d: i256) -> i256 {
    let q = n.wrapping_div(d);
    let r = n.wrapping_rem(d);
    let twice = r.wrapping_abs().checked_mul(i256::from_i128(2));
    if twice.is_none_or(|t| t >= d.wrapping_abs()) {
        let negative = n.is_negative() != d.is_negative();
        return if negative { q.wrapping_sub(i256::ONE) } else { q.wrapping_add(i256::ONE) };
    }
    q
}

/// A value of scale `from` at scale `to >= from`, on 256 bits.
pub(crate) fn widen(v: i128, from: i8, to: i8) -> Option<i256> {
    let by = pow10_wide(u32::from((to - from).unsigned_abs()))?;
    i256::from_i128(v).checked_mul(by)
}

/// A value of scale `from` at scale `to`, halves away from zero.
pub(crate) fn rescale(v: i128, from: i8, to: i8) -> Option<i128> {
    if from == to {
        return Some(v);
    }
    let by = pow10(u32::from(from.abs_diff(to)))?;
    if to > from {
        return v.checked_mul(by);
    }
    let (q, r) = (v / by, v % by);
    if r.unsigned_abs() >= by.unsigned_abs().div_ceil(2) {
        return Some(if v < 0 { q - 1 } else { q + 1 });
    }
    Some(q)
}

/// As [`rescale`], from 256 bits.
pub(crate) fn rescale_wide(v: i256, from: i8, to: i8) -> Option<i128> {
    let by = pow10_wide(u32::from(from.abs_diff(to)))?;
    let v = if to >= from { v.checked_mul(by)? } else { div_half_up(v, by) };
    v.to_i128()
}

/// The value if it has at most `precision` digits.
pub(crate) fn within(v: Option<i128>, precision: u8) -> Option<i128> {
    let limit = pow10(u32::from(precision))?;
    v.filter(|v| v.unsigned_abs() < limit.unsigned_abs())
}

/// An exact number's array as decimals of that precision and scale (widening only).
pub(crate) fn decimal_values(array: &ArrayRef, p: u8, s: i8) -> Result<Decimal128Array> {
    let array = cast(array, &DataType::Decimal128(p, s))?;
    Ok(array.as_primitive::<Decimal128Type>().clone())
}

/// A decimal's nearest double.
pub(crate) fn decimal_to_f64(v: i128, scale: i8) -> f64 {
    if scale <= 0 {
        return v as f64 * 10f64.powi(i32::from(-scale));
    }
    if scale <= 22 && v.unsigned_abs() < (1 << 53) {
        return v as f64 / 10f64.powi(i32::from(scale));
    }
    format!("{v}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// A double's decimal of that precision and scale, from its exact value, half up: 100.55 lies just
/// below that and is 100.5 in one digit.
pub(crate) fn f64_to_decimal(v: f64, p: u8, s: i8) -> Option<i128> {
    if !v.is_finite() {
        return None;
    }
    // Far more digits than any DECIMAL has: cutting here cannot make a tie.
    parse_decimal(&format!("{v:.80}"), p, s)?
}

/// Reads a number as Java's `BigDecimal` does. Outer `None`: not a number; inner: too large.
#[allow(clippy::option_option)]
pub(crate) fn parse_decimal(text: &str, p: u8, s: i8) -> Option<Option<i128>> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(i) => (&rest[..i], rest[i + 1..].parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits.clone().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // The digits that count: up to the last kept one, and one more for rounding.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let keep = point + i64::from(s);
    let mut value: i128 = 0;
    let mut taken = 0i64;
    let mut round_up = false;
    for (at, b) in (0i64..).zip(digits) {
        if at >= keep {
            round_up = at == keep && b >= b'5';
            break;
        }
        value = match value.checked_mul(10).and_then(|v| v.checked_add(i128::from(b - b'0'))) {
            Some(v) => v,
            None => return Some(None),
        };
        taken += 1;
    }
    if keep < 0 {
        return Some(Some(0));
    }
    while taken < keep && value != 0 {
        value = match value.checked_mul(10) {
            Some(v) => v,
            None => return Some(None),
        };
        taken += 1;
    }
    let value = if round_up { value + 1 } else { value };
    Some(within(Some(if negative { -value } else { value }), p))
}

/// Casts between numbers as Java does: integers wrap, floats saturate, decimals truncate to
/// integers and become NULL where they do not fit.
pub(crate) fn to_number(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    if from.is_null() {
        return Ok(cast(array, to)?);
    }
    if let T::Decimal128(p, s) = to {
        return to_decimal(array, *p, *s);
    }
    if from.is_integer() && to.is_floating() || matches!((from, to), (T::Float32, T::Float64)) {
        return Ok(cast(array, to)?);
    }
    match to {
        T::Int8 => narrow::<Int8Type>(array, |v| v as i8, |f| f as i32 as i8),
        T::Int16 => narrow::<Int16Type>(array, |v| v as i16, |f| f as i32 as i16),
        T::Int32 => narrow::<Int32Type>(array, |v| v as i32, |f| f as i32),
        T::Int64 => narrow::<Int64Type>(array, |v| v as i64, |f| f as i64),
        T::Float32 | T::Float64 => match from {
            T::Decimal128(_, s) => {
                let a = array.as_primitive::<Decimal128Type>();
                if *to == T::Float64 {
                    Ok(Arc::new(a.unary::<_, Float64Type>(|v| decimal_to_f64(v, *s))))
                } else {
                    Ok(Arc::new(a.unary::<_, Float32Type>(|v| decimal_to_f64(v, *s) as f32)))
                }
            }
            T::Float64 => {
                let a = array.as_primitive::<Float64Type>();
                Ok(Arc::new(a.unary::<_, Float32Type>(|v| v as f32)))
            }
            _ => Ok(cast(array, to)?),
        },
        _ => exec_err!("Cannot cast {} to {}", type_name(from), type_name(to)),
    }
}

fn narrow<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    exact: fn(i128) -> T::Native,
    float: fn(f64) -> T::Native,
) -> Result<ArrayRef> {
    let out: PrimitiveArray<T> = match array.data_type() {
        DataType::Decimal128(_, s) => {
            let by = pow10(u32::from(s.unsigned_abs())).unwrap_or(i128::MAX);
            array.as_primitive::<Decimal128Type>().unary(|v| exact(v / by))
        }
        DataType::Float32 => array.as_primitive::<Float32Type>().unary(|v| float(f64::from(v))),
        DataType::Float64 => array.as_primitive::<Float64Type>().unary(float),
        t if t.is_integer() => {
            let wide = cast(array, &DataType::Int64)?;
            wide.as_primitive::<Int64Type>().unary(|v| exact(i128::from(v)))
        }
        t => {
            return exec_err!("Cannot cast {} to {}", type_name(t), type_name(&T::DATA_TYPE));
        }
    };
    Ok(Arc::new(out))
}

fn to_decimal(array: &ArrayRef, p: u8, s: i8) -> Result<ArrayRef> {
    let out: Decimal128Array = match array.data_type() {
        DataType::Decimal128(_, from) => {
            let from = *from;
            array
                .as_primitive::<Decimal128Type>()
                .unary_opt::<_, Decimal128Type>(|v| within(rescale(v, from, s), p))
        }
        t if t.is_integer() => {
            let wide = cast(array, &DataType::Int64)?;
            wide.as_primitive::<Int64Type>()
                .unary_opt::<_, Decimal128Type>(|v| within(rescale(i128::from(v), 0, s), p))
        }
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .unary_opt::<_, Decimal128Type>(|v| parse_decimal(&format!("{v:e}"), p, s)?),
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .unary_opt::<_, Decimal128Type>(|v| f64_to_decimal(v, p, s)),
        t => return exec_err!("Cannot cast {} to DECIMAL({p}, {s})", type_name(t)),
    };
    Ok(Arc::new(out.with_data_type(DataType::Decimal128(p, s))))
}

/// Dates, times and timestamps as milliseconds since the epoch (or midnight).
pub(crate) fn epoch_millis(array: &ArrayRef) -> Result<Int64Array> {
    Ok(match array.data_type() {
        DataType::Date32 => array.as_primitive::<Date32Type>().unary(|d| i64::from(d) * 86_400_000),
        DataType::Time32(TimeUnit::Millisecond) => {
            array.as_primitive::<arrow::datatypes::Time32MillisecondType>().unary(i64::from)
        }
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => array.as_primitive::<TimestampSecondType>().unary(|v| v * 1000),
            TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().unary(|v| v),
            TimeUnit::Microsecond => {
                array.as_primitive::<TimestampMicrosecondType>().unary(|v| v.div_euclid(1000))
            }
            TimeUnit::Nanosecond => {
                array.as_primitive::<TimestampNanosecondType>().unary(|v| v.div_euclid(1_000_000))
            }
        },
        DataType::Null => Int64Array::new_null(array.len()),
        t => return exec_err!("{} is not a date or time", type_name(t)),
    })
}
