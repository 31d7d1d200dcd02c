//! Adding a fixed interval to a timestamp, as plain arithmetic.
//!
//! Arrow adds an interval to a timestamp by way of the calendar, row by row, because an interval
//! may hold months. Flink's day-time intervals are a number of milliseconds; as a duration of the
//! timestamp's own unit they cost one addition of integers. Every watermark is such an expression.

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::{Expr, ExprSchemable, Operator};

const DAY_NS: i128 = 86_400_000_000_000;

/// Writes day-time intervals that are added to or taken from timestamps as durations.
pub(super) fn as_duration(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let rewritten = expr.clone().transform_up(|expr| {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), metadata) = &**right
        else {
            return Ok(Transformed::no(expr));
        };
        if !matches!(op, Operator::Plus | Operator::Minus) {
            return Ok(Transformed::no(expr));
        }
        let DataType::Timestamp(unit, _) = left.get_type(schema)? else {
            return Ok(Transformed::no(expr));
        };
        let Some(duration) = duration(*interval, unit) else { return Ok(Transformed::no(expr)) };
        let right = Box::new(Expr::Literal(duration, metadata.clone()));
        Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left.clone(), *op, right))))
    })?;
    Ok(rewritten.data)
}

/// The interval in whole `unit`s; none if it holds months or a part of a unit.
fn duration(interval: IntervalMonthDayNano, unit: TimeUnit) -> Option<ScalarValue> {
    let (per_unit, scalar): (i128, fn(Option<i64>) -> ScalarValue) = match unit {
        TimeUnit::Second => (1_000_000_000, ScalarValue::DurationSecond),
        TimeUnit::Millisecond => (1_000_000, ScalarValue::DurationMillisecond),
        TimeUnit::Microsecond => (1_000, ScalarValue::DurationMicrosecond),
        TimeUnit::Nanosecond => (1, ScalarValue::DurationNanosecond),
    };
    let nanos = i128::from(interval.days) * DAY_NS + i128::from(interval.nanoseconds);
    if interval.months != 0 || nanos % per_unit != 0 {
        return None;
    }
    Some(scalar(Some(i64::try_from(nanos / per_unit).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_units_without_months_become_durations() {
        let of = |months, days, nanos| IntervalMonthDayNano::new(months, days, nanos);
        let ms = TimeUnit::Millisecond;
        assert_eq!(
            duration(of(0, 2, -4_000_000_000), ms),
            Some(ScalarValue::DurationMillisecond(Some(2 * 86_400_000 - 4_000)))
        );
        assert_eq!(duration(of(1, 0, 0), ms), None);
        assert_eq!(duration(of(0, 0, 1), ms), None);
        assert_eq!(
            duration(of(0, 0, 1), TimeUnit::Nanosecond),
            Some(ScalarValue::DurationNanosecond(Some(1)))
        );
    }
}
