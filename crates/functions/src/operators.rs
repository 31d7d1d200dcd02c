//! The operators `+ - * / %` and `||` with Flink's types, rounding and overflow.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, PrimitiveArray, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time32MillisecondType, TimeUnit, i256,
};
use datafusion_common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::SessionSettings;
use super::call::{Call, some};
use super::number::{self, decimal_values};
use super::typing::{
    ArithOp, INTERVAL, arith_result, as_decimal, common_number, is_temporal, type_name,
};

const DAY_MS: i64 = 86_400_000;
const DAY_NS: i64 = DAY_MS * 1_000_000;

/// One of `+ - * / %`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Arith {
    op: ArithOp,
    signature: Signature,
}

impl Arith {
    /// The function of that operator.
    pub fn new(op: ArithOp) -> Arith {
        Arith { op, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// Which operator it is.
    pub fn op(&self) -> ArithOp {
        self.op
    }
}

impl ScalarUDFImpl for Arith {
    fn name(&self) -> &str {
        self.op.symbol()
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        infix(self.op.symbol(), args, |e| Ok(e.to_string()))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        infix(self.op.symbol(), args, |e| Ok(e.schema_name().to_string()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [l, r] => arith_result(self.op, l, r),
            _ => plan_err!("'{}' takes two arguments", self.op.symbol()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let dtype = self.return_type(&types)?;
        let decimal = matches!(dtype, DataType::Decimal128(_, _));
        let nullable = decimal || args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Arc::new(Field::new(self.name(), dtype, nullable)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.return_type(types)?;
        Ok(types.to_vec())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ret = args.return_field.data_type().clone();
        let settings = SessionSettings::default();
        let call = Call::new(self.op.symbol(), args, ret, &settings)?;
        let array = arith(self.op, &call)?;
        finish(&call, array)
    }
}

fn infix(symbol: &str, args: &[Expr], show: impl Fn(&Expr) -> Result<String>) -> Result<String> {
    match args {
        [l, r] => Ok(format!("{} {symbol} {}", show(l)?, show(r)?)),
        _ => plan_err!("'{symbol}' takes two arguments"),
    }
}

fn finish(call: &Call, array: ArrayRef) -> Result<ColumnarValue> {
    if call.constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
    }
    Ok(ColumnarValue::Array(array))
}

pub(crate) fn arith(op: ArithOp, call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.dtype(0), call.dtype(1));
    match &call.ret {
        DataType::Decimal128(_, _) => decimal_arith(op, call),
        t if t.is_numeric() => number_arith(op, call),
        _ if is_temporal(left) && is_temporal(right) => temporal_difference(call),
        t if is_temporal(t) => temporal_shift(op, call),
        DataType::Interval(_) if op == ArithOp::Multiply || op == ArithOp::Divide => {
            interval_scale(op, call)
        }
        DataType::Interval(_) => {
            let (l, r) = (cast(&call.full(0)?, &INTERVAL)?, cast(&call.full(1)?, &INTERVAL)?);
            Ok(match op {
                ArithOp::Minus => numeric::sub(&l, &r)?,
                _ => numeric::add(&l, &r)?,
            })
        }
        other => exec_err!("'{}' cannot answer {}", op.symbol(), type_name(other)),
    }
}

/// Integers wrap, floats follow IEEE, integer division by zero is an error.
fn number_arith(op: ArithOp, call: &Call) -> Result<ArrayRef> {
    let (lt, rt) = (call.dtype(0), call.dtype(1));
    let common = match (lt.is_null(), rt.is_null()) {
        (true, true) => call.ret.clone(),
        (true, false) => rt.clone(),
        (false, true) => lt.clone(),
        _ => common_number(lt, rt).unwrap_or(DataType::Float64),
    };
    let l = number::to_number(call.array(0), &common)?;
    let r = number::to_number(call.array(1), &common)?;
    let (ls, rs);
    let (l, r): (&dyn arrow::array::Datum, &dyn arrow::array::Datum) = match () {
        () if call.constant => (&l, &r),
        () if call.is_constant(0) => {
            ls = arrow::array::Scalar::new(l);
            (&ls, &r)
        }
        () if call.is_constant(1) => {
            rs = arrow::array::Scalar::new(r);
            (&l, &rs)
        }
        () => (&l, &r),
    };
    let out = match op {
        ArithOp::Plus => numeric::add_wrapping(l, r),
        ArithOp::Minus => numeric::sub_wrapping(l, r),
        ArithOp::Multiply => numeric::mul_wrapping(l, r),
        ArithOp::Divide => numeric::div(l, r),
        ArithOp::Modulo => numeric::rem(l, r),
    };
    let out = out.map_err(|e| match e {
        arrow::error::ArrowError::DivideByZero => division_by_zero(),
        e => DataFusionError::from(e),
    })?;
    number::to_number(&out, &call.ret)
}

fn division_by_zero() -> DataFusionError {
    DataFusionError::Execution("/ by zero: an exact number was divided by 0".into())
}

fn decimal_arith(op: ArithOp, call: &Call) -> Result<ArrayRef> {
    let DataType::Decimal128(p, s) = call.ret else {
        return exec_err!("'{}' on DECIMAL must answer DECIMAL", op.symbol());
    };
    if call.dtype(0).is_null() || call.dtype(1).is_null() {
        return Ok(new_null_array(&call.ret, call.rows));
    }
    let (l, ls) = decimal_operand(call, 0)?;
    let (r, rs) = decimal_operand(call, 1)?;
    let limit = number::pow10(u32::from(p)).unwrap_or(i128::MAX);
    let compute = Compute { op, ls, rs, s, limit };
    let nulls = NullBuffer::union(
        call.full(0)?.logical_nulls().as_ref(),
        call.full(1)?.logical_nulls().as_ref(),
    );
    let mut out = Decimal128Array::builder(call.rows);
    for i in 0..call.rows {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            out.append_null();
            continue;
        }
        let (a, b) = (l.value(call.row(0, i)), r.value(call.row(1, i)));
        out.append_option(compute.run(a, b)?);
    }
    Ok(Arc::new(out.finish().with_data_type(call.ret.clone())))
}

fn decimal_operand(call: &Call, i: usize) -> Result<(Decimal128Array, i8)> {
    match as_decimal(call.dtype(i)) {
        Some((p, s)) => Ok((decimal_values(call.array(i), p, s)?, s)),
        None => exec_err!("{} is not an exact number", type_name(call.dtype(i))),
    }
}

/// One decimal operation: operands' scales, result's scale and limit.
struct Compute {
    op: ArithOp,
    ls: i8,
    rs: i8,
    s: i8,
    limit: i128,
}

impl Compute {
    fn run(&self, a: i128, b: i128) -> Result<Option<i128>> {
        let exact = match self.op {
            ArithOp::Plus | ArithOp::Minus => self.sum(a, b),
            ArithOp::Multiply => {
                if let Some(v) = a.checked_mul(b) {
                    number::rescale(v, self.ls + self.rs, self.s)
                } else {
                    let v = i256::from_i128(a).wrapping_mul(i256::from_i128(b));
                    number::rescale_wide(v, self.ls + self.rs, self.s)
                }
            }
            ArithOp::Divide => {
                if b == 0 {
                    return exec_err!("Division by zero: a DECIMAL was divided by 0");
                }
                self.quotient(a, b)
            }
            ArithOp::Modulo => {
                if b == 0 {
                    return exec_err!("Division by zero: a DECIMAL was divided by 0");
                }
                let common = self.ls.max(self.rs);
                let (x, y) = (number::widen(a, self.ls, common), number::widen(b, self.rs, common));
                match (x, y) {
                    (Some(x), Some(y)) => number::rescale_wide(x.wrapping_rem(y), common, self.s),
                    _ => None,
                }
            }
        };
        Ok(exact.filter(|v| v.unsigned_abs() < self.limit.unsigned_abs()))
    }

    fn sum(&self, a: i128, b: i128) -> Option<i128> {
        let plus = self.op == ArithOp::Plus;
        if self.ls == self.rs {
            let v = if plus { a.checked_add(b) } else { a.checked_sub(b) };
            if let Some(v) = v {
                return number::rescale(v, self.ls, self.s);
            }
        }
        let common = self.ls.max(self.rs);
        let x = number::widen(a, self.ls, common)?;
        let y = number::widen(b, self.rs, common)?;
        let v = if self.op == ArithOp::Plus { x.wrapping_add(y) } else { x.wrapping_sub(y) };
        number::rescale_wide(v, common, self.s)
    }

    fn quotient(&self, a: i128, b: i128) -> Option<i128> {
        let shift = i32::from(self.s) + i32::from(self.rs) - i32::from(self.ls);
        let (mut n, mut d) = (i256::from_i128(a), i256::from_i128(b));
        if shift >= 0 {
            n = n.checked_mul(number::pow10_wide(shift as u32)?)?;
        } else {
            d = d.checked_mul(number::pow10_wide(shift.unsigned_abs())?)?;
        }
        number::div_half_up(n, d).to_i128()
    }
}

fn temporal_difference(call: &Call) -> Result<ArrayRef> {
    let l = number::epoch_millis(&call.full(0)?)?;
    let r = number::epoch_millis(&call.full(1)?)?;
    let mut out = PrimitiveArray::<IntervalMonthDayNanoType>::builder(call.rows);
    for i in 0..call.rows {
        if l.is_null(i) || r.is_null(i) {
            out.append_null();
            continue;
        }
        out.append_value(interval_of_millis(l.value(i) - r.value(i)));
    }
    Ok(Arc::new(out.finish()))
}

/// A day-time interval of so many milliseconds.
pub(crate) fn interval_of_millis(ms: i64) -> IntervalMonthDayNano {
    IntervalMonthDayNano::new(0, (ms / DAY_MS) as i32, (ms % DAY_MS) * 1_000_000)
}

/// The milliseconds of an interval's day-time part.
pub(crate) fn interval_millis(v: IntervalMonthDayNano) -> i64 {
    i64::from(v.days) * DAY_MS + v.nanoseconds / 1_000_000
}

fn temporal_shift(op: ArithOp, call: &Call) -> Result<ArrayRef> {
    let (time, interval) = if is_temporal(call.dtype(0)) { (0, 1) } else { (1, 0) };
    let t = call.full(time)?;
    let shift = cast(&call.full(interval)?, &INTERVAL)?;
    if let DataType::Time32(TimeUnit::Millisecond) = t.data_type() {
        let t = t.as_primitive::<Time32MillisecondType>();
        let shift = shift.as_primitive::<IntervalMonthDayNanoType>();
        return call.prims::<Time32MillisecondType>(|i| {
            if t.is_null(i) || shift.is_null(i) {
                return Ok(None);
            }
            let ms = interval_millis(shift.value(i));
            let ms = if op == ArithOp::Minus { -ms } else { ms };
            Ok(Some((i64::from(t.value(i)) + ms).rem_euclid(DAY_MS) as i32))
        });
    }
    Ok(match op {
        ArithOp::Minus => numeric::sub(&t, &shift)?,
        _ => numeric::add(&t, &shift)?,
    })
}

fn interval_scale(op: ArithOp, call: &Call) -> Result<ArrayRef> {
    let (interval, factor) =
        if matches!(call.dtype(0), DataType::Interval(_) | DataType::Duration(_)) {
            (0, 1)
        } else {
            (1, 0)
        };
    let iv = cast(&call.full(interval)?, &INTERVAL)?;
    let iv = iv.as_primitive::<IntervalMonthDayNanoType>();
    let by = number::to_number(&call.full(factor)?, &DataType::Float64)?;
    let by = by.as_primitive::<Float64Type>();
    call.prims::<IntervalMonthDayNanoType>(|i| {
        if iv.is_null(i) || by.is_null(i) {
            return Ok(None);
        }
        let (v, by) = (iv.value(i), by.value(i));
        if op == ArithOp::Divide && by == 0.0 {
            return Err(division_by_zero());
        }
        let scale = |x: f64| {
            if op == ArithOp::Divide { x / by } else { x * by }
        };
        let total = f64::from(v.days) * DAY_NS as f64 + v.nanoseconds as f64;
        let ns = scale(total);
        let days = (ns / DAY_NS as f64).trunc();
        let rest = ns - days * DAY_NS as f64;
        let months = scale(f64::from(v.months)).trunc();
        Ok(Some(IntervalMonthDayNano::new(months as i32, days as i32, rest as i64)))
    })
}

/// `a || b`: strings or bytes; NULL if one is NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    signature: Signature,
}

impl Concat {
    /// The function of `||`.
    pub fn new() -> Concat {
        Concat { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &str {
        "||"
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        infix("||", args, |e| Ok(e.to_string()))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        infix("||", args, |e| Ok(e.schema_name().to_string()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        use DataType as T;
        match types {
            [T::Utf8 | T::Null, T::Utf8 | T::Null] => Ok(T::Utf8),
            [T::Binary | T::Null, T::Binary | T::Null] => Ok(T::Binary),
            [l, r] => plan_err!(
                "Cannot apply '||' to arguments of type '<{}> || <{}>'; cast both to STRING",
                type_name(l),
                type_name(r)
            ),
            _ => plan_err!("'||' takes two arguments"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Arc::new(Field::new("||", self.return_type(&types)?, nullable)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let t = self.return_type(types)?;
        Ok(vec![t.clone(), t])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ret = args.return_field.data_type().clone();
        let settings = SessionSettings::default();
        let call = Call::new("||", args, ret, &settings)?;
        let array = if matches!(call.ret, DataType::Binary) {
            let (a, b) = (call.bytes(0)?, call.bytes(1)?);
            call.binaries(|i| {
                let (x, y) = (some!(a.get(i)), some!(b.get(i)));
                Ok(Some([x, y].concat()))
            })?
        } else {
            let (a, b) = (call.str(0)?, call.str(1)?);
            call.strings(|i| {
                let (x, y) = (some!(a.get(i)), some!(b.get(i)));
                Ok(Some([x, y].concat()))
            })?
        };
        finish(&call, array)
    }
}
