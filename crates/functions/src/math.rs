//! Arithmetic functions: rounding, powers, logarithms, trigonometry, number bases.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use super::call::{Call, Def, Nulls, Ret, some};
use super::number::{self, pow10, rescale};
use super::typing::{ArithOp, arith_result, type_name};

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Float64, Utf8};
    let mut defs = vec![
        Def::of("ABS", "N", Ret::Arg(0), abs).nulls(Nulls::Propagate),
        Def::of("SIGN", "N", Ret::Arg(0), sign).nulls(Nulls::Propagate),
        Def::of("FLOOR", "Xs", Ret::Of(floor_type), |c| floor_ceil(c, false))
            .nulls(Nulls::Propagate),
        Def::of("CEIL", "Xs", Ret::Of(floor_type), |c| floor_ceil(c, true))
            .aliases(&["CEILING"])
            .nulls(Nulls::Propagate),
        Def::of("ROUND", "Ni", Ret::Of(round_type), |c| round(c, Rounding::HalfUp)),
        Def::of("TRUNCATE", "Ni", Ret::Of(truncate_type), |c| round(c, Rounding::Down)),
        Def::of("MOD", "NN", Ret::Of(mod_type), |c| super::operators::arith(ArithOp::Modulo, c)),
        Def::new("LOG", "Dd", Float64, log).nulls(Nulls::Propagate),
        Def::new("BIN", "L", Utf8, |c| {
            let n = c.prim::<Int64Type>(0)?;
            c.strings(|i| Ok(n.get(i).map(|n| format!("{n:b}"))))
        })
        .nulls(Nulls::Propagate),
        Def::new("HEX", "X", Utf8, hex_text).nulls(Nulls::Propagate),
        Def::new("UNHEX", "S", DataType::Binary, unhex),
        Def::new("CONV", "XII", Utf8, conv),
    ];
    let real: [(&'static str, super::call::Eval); 17] = [
        ("SQRT", |c| real(c, f64::sqrt)),
        ("EXP", |c| real(c, f64::exp)),
        ("LN", |c| real(c, f64::ln)),
        ("LOG2", |c| real(c, |x| x.ln() / 2f64.ln())),
        ("LOG10", |c| real(c, f64::log10)),
        ("SIN", |c| real(c, f64::sin)),
        ("COS", |c| real(c, f64::cos)),
        ("TAN", |c| real(c, f64::tan)),
        ("COT", |c| real(c, |x| 1.0 / x.tan())),
        ("ASIN", |c| real(c, f64::asin)),
        ("ACOS", |c| real(c, f64::acos)),
        ("ATAN", |c| real(c, f64::atan)),
        ("SINH", |c| real(c, f64::sinh)),
        ("COSH", |c| real(c, f64::cosh)),
        ("TANH", |c| real(c, f64::tanh)),
        ("DEGREES", |c| real(c, |x| x * (180.0 / std::f64::consts::PI))),
        ("RADIANS", |c| real(c, |x| x * (std::f64::consts::PI / 180.0))),
    ];
    defs.extend(real.map(|(n, f)| Def::new(n, "D", Float64, f).nulls(Nulls::Propagate)));
    defs.push(
        Def::new("POWER", "DD", Float64, |c| real2(c, f64::powf))
            .aliases(&["POW"])
            .nulls(Nulls::Propagate),
    );
    defs.push(Def::new("ATAN2", "DD", Float64, |c| real2(c, f64::atan2)).nulls(Nulls::Propagate));
    let constants: [(&'static str, super::call::Eval); 2] = [
        ("PI", |c| c.prims::<Float64Type>(|_| Ok(Some(std::f64::consts::PI)))),
        ("E", |c| c.prims::<Float64Type>(|_| Ok(Some(std::f64::consts::E)))),
    ];
    defs.extend(constants.map(|(n, f)| Def::new(n, "", Float64, f).nulls(Nulls::Never)));
    defs
}

fn real(call: &Call, f: fn(f64) -> f64) -> Result<ArrayRef> {
    let a = call.array(0).as_primitive::<Float64Type>();
    Ok(Arc::new(a.unary::<_, Float64Type>(f)))
}

fn real2(call: &Call, f: fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (a, b) = (call.prim::<Float64Type>(0)?, call.prim::<Float64Type>(1)?);
    call.prims::<Float64Type>(|i| Ok(Some(f(some!(a.get(i)), some!(b.get(i))))))
}

fn log(call: &Call) -> Result<ArrayRef> {
    if call.len() == 1 {
        return real(call, f64::ln);
    }
    real2(call, |base, x| x.ln() / base.ln())
}

fn abs(call: &Call) -> Result<ArrayRef> {
    let a = call.array(0);
    Ok(match a.data_type() {
        DataType::Int8 => {
            Arc::new(a.as_primitive::<Int8Type>().unary::<_, Int8Type>(i8::wrapping_abs))
        }
        DataType::Int16 => {
            Arc::new(a.as_primitive::<Int16Type>().unary::<_, Int16Type>(i16::wrapping_abs))
        }
        DataType::Int32 => {
            Arc::new(a.as_primitive::<Int32Type>().unary::<_, Int32Type>(i32::wrapping_abs))
        }
        DataType::Int64 => {
            Arc::new(a.as_primitive::<Int64Type>().unary::<_, Int64Type>(i64::wrapping_abs))
        }
        DataType::Float32 => {
            Arc::new(a.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::abs))
        }
        DataType::Float64 => {
            Arc::new(a.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::abs))
        }
        DataType::Decimal128(_, _) => Arc::new(
            a.as_primitive::<Decimal128Type>()
                .unary::<_, Decimal128Type>(i128::wrapping_abs)
                .with_data_type(call.ret.clone()),
        ),
        t => return exec_err!("ABS does not take {}", type_name(t)),
    })
}

fn sign(call: &Call) -> Result<ArrayRef> {
    let a = call.array(0);
    if let DataType::Decimal128(_, s) = a.data_type() {
        let one = pow10(u32::from(s.unsigned_abs())).unwrap_or(1);
        let out =
            a.as_primitive::<Decimal128Type>().unary::<_, Decimal128Type>(|v| v.signum() * one);
        return Ok(Arc::new(out.with_data_type(call.ret.clone())));
    }
    let v = number::to_number(a, &DataType::Float64)?;
    let sign = |v: f64| {
        if v == 0.0 || v.is_nan() { v } else { v.signum() }
    };
    let v: ArrayRef = Arc::new(v.as_primitive::<Float64Type>().unary::<_, Float64Type>(sign));
    number::to_number(&v, &call.ret)
}

fn floor_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types.first() {
        Some(DataType::Decimal128(p, _)) if types.len() == 1 => Ok(DataType::Decimal128(*p, 0)),
        Some(t) if types.len() == 1 && t.is_numeric() => Ok(t.clone()),
        Some(DataType::Null) => Ok(DataType::Int32),
        Some(t) if types.len() == 2 && super::typing::is_temporal(t) => Ok(t.clone()),
        Some(t) => plan_err!(
            "FLOOR and CEIL take a number, or a date or time with a unit, as in \
             FLOOR(t TO HOUR), not {}",
            type_name(t)
        ),
        None => plan_err!("FLOOR and CEIL take an argument"),
    }
}

fn floor_ceil(call: &Call, up: bool) -> Result<ArrayRef> {
    let a = call.array(0);
    if call.len() == 2 {
        return super::temporal::floor_to(call, up);
    }
    Ok(match a.data_type() {
        DataType::Float32 => {
            let f = if up { f32::ceil } else { f32::floor };
            Arc::new(a.as_primitive::<Float32Type>().unary::<_, Float32Type>(f))
        }
        DataType::Float64 => {
            let f = if up { f64::ceil } else { f64::floor };
            Arc::new(a.as_primitive::<Float64Type>().unary::<_, Float64Type>(f))
        }
        DataType::Decimal128(_, s) => {
            let by = pow10(u32::from(s.unsigned_abs())).unwrap_or(1);
            let f = |v: i128| {
                let low = v.div_euclid(by);
                if up && v.rem_euclid(by) != 0 { low + 1 } else { low }
            };
            let out = a.as_primitive::<Decimal128Type>().unary::<_, Decimal128Type>(f);
            Arc::new(out.with_data_type(call.ret.clone()))
        }
        _ => number::to_number(a, &call.ret)?,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    HalfUp,
    Down,
}

fn digits_of(scalars: &[Option<&ScalarValue>]) -> Option<i64> {
    match scalars.get(1) {
        None => Some(0),
        Some(Some(v)) => match v.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(n))) => Some(n),
            _ => None,
        },
        Some(None) => None,
    }
}

fn round_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let Some(DataType::Decimal128(p, s)) = types.first() else {
        return Ok(types.first().cloned().unwrap_or(DataType::Int32));
    };
    let (p, s) = (i64::from(*p), i64::from(*s));
    let digits = digits_of(scalars).unwrap_or(s);
    Ok(match () {
        () if digits >= s => DataType::Decimal128(p as u8, s as i8),
        () if digits < 0 => DataType::Decimal128((1 + p - s).min(38) as u8, 0),
        () => DataType::Decimal128((1 + p - s + digits) as u8, digits as i8),
    })
}

fn truncate_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    round_type(types, scalars)
}

fn mod_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types {
        [l, r] => arith_result(ArithOp::Modulo, l, r),
        _ => plan_err!("MOD takes two numbers"),
    }
}

/// A value of scale `s` at `digits` decimal places, still of scale `s`.
fn round_at(v: i128, s: i8, digits: i32, rounding: Rounding) -> Option<i128> {
    if digits >= i32::from(s) {
        return Some(v);
    }
    let drop = (i32::from(s) - digits).unsigned_abs();
    let Some(by) = pow10(drop) else {
        return Some(0);
    };
    let q = match rounding {
        Rounding::Down => v / by,
        Rounding::HalfUp => {
            let (q, r) = (v / by, v % by);
            if r.unsigned_abs() * 2 >= by.unsigned_abs() { q + v.signum() } else { q }
        }
    };
    q.checked_mul(by)
}

fn round(call: &Call, rounding: Rounding) -> Result<ArrayRef> {
    let digits = call.prim_opt::<Int32Type>(1)?;
    let at = |i: usize| match &digits {
        Some(d) => d.get(i),
        None => Some(0),
    };
    match call.dtype(0) {
        DataType::Decimal128(_, s) => {
            let a = call.prim::<Decimal128Type>(0)?;
            let DataType::Decimal128(p, to) = call.ret else {
                return exec_err!("{} must answer DECIMAL", call.name);
            };
            let s = *s;
            call.prims::<Decimal128Type>(|i| {
                let (v, d) = (some!(a.get(i)), some!(at(i)));
                let v = round_at(v, s, d, rounding);
                Ok(number::within(v.and_then(|v| rescale(v, s, to)), p))
            })
        }
        t if t.is_integer() => {
            let wide = number::to_number(&call.full(0)?, &DataType::Int64)?;
            let a = wide.as_primitive::<Int64Type>();
            let mut out = arrow::array::Int64Array::builder(call.rows);
            for i in 0..call.rows {
                match at(i) {
                    Some(d) if a.is_valid(i) => {
                        let v = round_at(i128::from(a.value(i)), 0, d, rounding);
                        out.append_option(v.map(|v| v as i64));
                    }
                    _ => out.append_null(),
                }
            }
            let out: ArrayRef = Arc::new(out.finish());
            number::to_number(&out, &call.ret)
        }
        _ => {
            let wide = number::to_number(&call.full(0)?, &DataType::Float64)?;
            let a = wide.as_primitive::<Float64Type>();
            let single = matches!(call.dtype(0), DataType::Float32);
            let mut out = arrow::array::Float64Array::builder(call.rows);
            for i in 0..call.rows {
                match at(i) {
                    Some(d) if a.is_valid(i) => {
                        out.append_value(round_real(a.value(i), d, rounding, single));
                    }
                    _ => out.append_null(),
                }
            }
            let out: ArrayRef = Arc::new(out.finish());
            number::to_number(&out, &call.ret)
        }
    }
}

/// Rounds a double through its shortest decimal text, as `BigDecimal.valueOf` does.
fn round_real(v: f64, digits: i32, rounding: Rounding, single: bool) -> f64 {
    if !v.is_finite() {
        return v;
    }
    let text = if single { format!("{}", v as f32) } else { format!("{v}") };
    let scale = text.split_once('.').map_or(0, |(_, f)| f.len()).min(30);
    match number::parse_decimal(&text, 38, scale as i8) {
        Some(Some(exact)) => {
            let rounded = round_at(exact, scale as i8, digits, rounding);
            rounded.map_or(v, |r| number::decimal_to_f64(r, scale as i8))
        }
        _ => v,
    }
}

fn hex_text(call: &Call) -> Result<ArrayRef> {
    if call.dtype(0).is_integer() {
        let wide = number::to_number(call.array(0), &DataType::Int64)?;
        let a = wide.as_primitive::<Int64Type>();
        return call.strings(|i| {
            let i = call.row(0, i);
            Ok(a.is_valid(i).then(|| format!("{:X}", a.value(i))))
        });
    }
    if call.dtype(0).is_null() {
        return call.strings(|_| Ok(None::<String>));
    }
    let s = call.bytes(0)?;
    call.strings(|i| Ok(s.get(i).map(hex::encode_upper)))
}

fn unhex(call: &Call) -> Result<ArrayRef> {
    let s = call.str(0)?;
    call.binaries(|i| {
        let s = some!(s.get(i));
        let padded = if s.len() % 2 == 1 { format!("0{s}") } else { s.to_string() };
        Ok(hex::decode(padded).ok())
    })
}

/// `CONV(n, from, to)`: a number's text in another base; a negative target base keeps the sign.
fn conv(call: &Call) -> Result<ArrayRef> {
    let text =
        super::cast::Caster::plain(call.settings, true).cast(call.array(0), &DataType::Utf8)?;
    let text = text.as_string::<i32>();
    let (from, to) = (call.prim::<Int32Type>(1)?, call.prim::<Int32Type>(2)?);
    call.strings(|i| {
        let row = call.row(0, i);
        if text.is_null(row) {
            return Ok(None);
        }
        let (from, to) = (some!(from.get(i)), some!(to.get(i)));
        if !(2..=36).contains(&from) || !(2..=36).contains(&to.abs()) {
            return Ok(None);
        }
        Ok(convert_base(text.value(row).trim(), from.unsigned_abs(), to))
    })
}

fn convert_base(text: &str, from: u32, to: i32) -> Option<String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut value: u64 = 0;
    let mut any = false;
    for c in digits.chars() {
        let Some(d) = c.to_digit(from) else {
            break;
        };
        any = true;
        let next = value.checked_mul(u64::from(from));
        match next.and_then(|v| v.checked_add(u64::from(d))) {
            Some(v) => value = v,
            None => {
                value = u64::MAX;
                break;
            }
        }
    }
    if digits.is_empty() {
        return None;
    }
    if !any {
        return Some("0".to_string());
    }
    let bits = if negative { value.wrapping_neg() } else { value };
    let signed_negative = to < 0 && (bits as i64) < 0;
    let mut rest = if signed_negative { (bits as i64).unsigned_abs() } else { bits };
    let base = u64::from(to.unsigned_abs());
    let mut out = Vec::new();
    loop {
        out.push(char::from_digit((rest % base) as u32, to.unsigned_abs())?.to_ascii_uppercase());
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    if signed_negative {
        out.push('-');
    }
    Some(out.iter().rev().collect())
}
