//! Comparisons of floats as Java makes them: nothing is less or greater than NaN, and `-0.0` is
//! `0.0`.
//!
//! Arrow orders floats totally, NaN above all. Only orders, and equalities with a constant, go
//! this way: an equality of two columns stays one that a join can use as its key.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

/// One of `= <> < <= > >=` on two floats of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FloatCompare {
    op: Operator,
    signature: Signature,
}

/// `left op right` as Java compares, where that differs from arrow's order; else `None`.
pub fn comparison(op: Operator, data_type: &DataType, left: &Expr, right: &Expr) -> Option<Expr> {
    if !matches!(data_type, DataType::Float32 | DataType::Float64) {
        return None;
    }
    let constant = |e: &Expr| matches!(e, Expr::Literal(..));
    match op {
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {}
        Operator::Eq | Operator::NotEq if constant(left) || constant(right) => {}
        _ => return None,
    }
    let signature = Signature::any(2, Volatility::Immutable);
    let udf = Arc::new(ScalarUDF::new_from_impl(FloatCompare { op, signature }));
    let args = vec![left.clone(), right.clone()];
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(udf, args)))
}

impl ScalarUDFImpl for FloatCompare {
    fn name(&self) -> &str {
        match self.op {
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            _ => ">=",
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [left, right] => Ok(format!("{left} {} {right}", self.name())),
            _ => internal_err!("a comparison has two sides"),
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [l, r] => Ok(format!("{} {} {}", l.schema_name(), self.name(), r.schema_name())),
            _ => internal_err!("a comparison has two sides"),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return internal_err!("a comparison has two sides");
        };
        let compared = match left.data_type() {
            DataType::Float32 => compare::<Float32Type>(self.op, left, right)?,
            DataType::Float64 => compare::<Float64Type>(self.op, left, right)?,
            other => return internal_err!("{other} is no float"),
        };
        match (left, right) {
            (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)) => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&compared, 0)?))
            }
            _ => Ok(ColumnarValue::Array(Arc::new(compared))),
        }
    }
}

fn compare<T: ArrowPrimitiveType>(
    op: Operator,
    left: &ColumnarValue,
    right: &ColumnarValue,
) -> Result<BooleanArray>
where
    T::Native: PartialOrd,
{
    // One loop an operator, so that each can be vectorised.
    match op {
        Operator::Eq => each::<T>(left, right, |a, b| a == b),
        Operator::NotEq => each::<T>(left, right, |a, b| a != b),
        Operator::Lt => each::<T>(left, right, |a, b| a < b),
        Operator::LtEq => each::<T>(left, right, |a, b| a <= b),
        Operator::Gt => each::<T>(left, right, |a, b| a > b),
        _ => each::<T>(left, right, |a, b| a >= b),
    }
}

fn each<T: ArrowPrimitiveType>(
    left: &ColumnarValue,
    right: &ColumnarValue,
    test: impl Fn(T::Native, T::Native) -> bool,
) -> Result<BooleanArray> {
    use ColumnarValue::{Array as Rows, Scalar as One};
    let one = |value: &ScalarValue| -> Result<Option<T::Native>> {
        let array = value.to_array()?;
        let array = array.as_primitive::<T>();
        Ok(array.is_valid(0).then(|| array.value(0)))
    };
    Ok(match (left, right) {
        (Rows(l), Rows(r)) => {
            BooleanArray::from_binary(l.as_primitive::<T>(), r.as_primitive::<T>(), test)
        }
        (Rows(l), One(r)) => match one(r)? {
            Some(r) => BooleanArray::from_unary(l.as_primitive::<T>(), |l| test(l, r)),
            None => BooleanArray::new_null(l.len()),
        },
        (One(l), Rows(r)) => match one(l)? {
            Some(l) => BooleanArray::from_unary(r.as_primitive::<T>(), |r| test(l, r)),
            None => BooleanArray::new_null(r.len()),
        },
        (One(l), One(r)) => match (one(l)?, one(r)?) {
            (Some(l), Some(r)) => BooleanArray::from(vec![test(l, r)]),
            _ => BooleanArray::new_null(1),
        },
    })
}
