//! Event times out of timestamp columns.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::kernels::arity::unary;
use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use crate::{EngineError, Result};

/// A timestamp column in epoch milliseconds; finer units are rounded down.
pub fn times_ms(column: &ArrayRef) -> Result<Int64Array> {
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            unary(column.as_primitive::<TimestampSecondType>(), |t| t.saturating_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let times = column.as_primitive::<TimestampMillisecondType>();
            Int64Array::new(times.values().clone(), times.nulls().cloned())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            unary(column.as_primitive::<TimestampMicrosecondType>(), |t| t.div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            unary(column.as_primitive::<TimestampNanosecondType>(), |t| t.div_euclid(1_000_000))
        }
        other => return Err(EngineError::Internal(format!("{other} is not an event time"))),
    })
}
