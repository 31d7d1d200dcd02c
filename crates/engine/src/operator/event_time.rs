//! Time columns as epoch milliseconds, and how late a row is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use crate::{Delta, EngineError, Result, StepContext};

/// A timestamp column in epoch milliseconds, rounded down; nulls stay null.
pub(crate) fn epoch_millis(column: &ArrayRef) -> Result<Int64Array> {
    let DataType::Timestamp(unit, _) = column.data_type() else {
        let found = column.data_type();
        return Err(EngineError::Internal(format!("{found} is not a type of event time")));
    };
    Ok(match unit {
        TimeUnit::Second => {
            column.as_primitive::<TimestampSecondType>().unary(|v| v.saturating_mul(1_000))
        }
        TimeUnit::Millisecond => {
            column.as_primitive::<TimestampMillisecondType>().reinterpret_cast()
        }
        TimeUnit::Microsecond => {
            column.as_primitive::<TimestampMicrosecondType>().unary(|v| v.div_euclid(1_000))
        }
        TimeUnit::Nanosecond => {
            column.as_primitive::<TimestampNanosecondType>().unary(|v| v.div_euclid(1_000_000))
        }
    })
}

/// Epoch milliseconds as a column of the timestamp type `data_type`.
pub(crate) fn from_epoch_millis(values: Int64Array, data_type: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = data_type else {
        return Err(EngineError::Internal(format!("{data_type} is not a type of event time")));
    };
    let scaled = |factor: i64| {
        values.try_unary::<_, arrow::datatypes::Int64Type, EngineError>(|v| {
            v.checked_mul(factor).ok_or_else(|| {
                EngineError::Data(format!("the time {v} ms is out of the range of {data_type}"))
            })
        })
    };
    let zone = zone.clone();
    Ok(match unit {
        TimeUnit::Second => Arc::new(
            values.unary::<_, TimestampSecondType>(|v| v.div_euclid(1_000)).with_timezone_opt(zone),
        ),
        TimeUnit::Millisecond => {
            Arc::new(values.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => Arc::new(
            scaled(1_000)?.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone),
        ),
        TimeUnit::Nanosecond => Arc::new(
            scaled(1_000_000)?
                .reinterpret_cast::<TimestampNanosecondType>()
                .with_timezone_opt(zone),
        ),
    })
}

/// The watermark against which each row of a delta is judged late: the one that stood before the
/// row, kept within the movement of the operator's own watermark in this step.
pub(crate) struct Lateness<'a> {
    arrival: Option<&'a [i64]>,
    before: i64,
    after: i64,
}

impl<'a> Lateness<'a> {
    pub(crate) fn new(delta: &'a Delta, context: &StepContext<'_>) -> Self {
        let before = context.watermark_before().0;
        let after = context.watermark().0.max(before);
        Self { arrival: delta.arrival(), before, after }
    }

    /// The watermark before `row`, in epoch milliseconds.
    #[inline]
    pub(crate) fn watermark(&self, row: usize) -> i64 {
        self.arrival.map_or(self.before, |a| a[row].clamp(self.before, self.after))
    }
}

/// Takes out of `delta` the rows that the watermark had passed before they came: those whose
/// `deadlines` (epoch milliseconds) lie at or behind it. They are reported late; the others are
/// given back. A null deadline is never late.
pub(crate) fn split_late(
    delta: Delta,
    deadlines: &Int64Array,
    context: &mut StepContext<'_>,
) -> Result<(Delta, Option<BooleanArray>)> {
    let lateness = Lateness::new(&delta, context);
    let values = deadlines.values();
    let late = |row: usize| deadlines.is_valid(row) && values[row] <= lateness.watermark(row);
    let in_time = BooleanBuffer::collect_bool(delta.num_rows(), |row| !late(row));
    if in_time.count_set_bits() == delta.num_rows() {
        return Ok((delta, None));
    }
    let late_rows = delta.filter(&BooleanArray::from(!&in_time))?;
    context.report_late(late_rows);
    let in_time = BooleanArray::from(in_time);
    Ok((delta.filter(&in_time)?, Some(in_time)))
}
