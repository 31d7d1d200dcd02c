//! The windows of a row: `TUMBLE`, `HOP` and `CUMULATE` as a function on a time column.
//!
//! # Semantics
//! Appends `window_start`, `window_end` and `window_time` to every row; a row that belongs to
//! several windows appears once in each. Windows are aligned to the epoch plus an offset and
//! computed on milliseconds of the local time of a zone, rounded down also before 1970. The bounds
//! are local timestamps without a time zone, `window_time` (the last millisecond of the window) has
//! the type of the time column, so that it can be the event time of what follows; a column of whole
//! seconds gives millisecond columns.
//!
//! A row without a time belongs to no window. Flink fails on it; here it is reported late, so that
//! it is counted and can be read.
//!
//! # State
//! None: rows go through with their weights and arrival watermarks.
//!
//! # Emission
//! At once. Whether a window is closed is for the operators that follow to judge.
//!
//! # Retention
//! Nothing is kept.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, UInt32Array};
use arrow::compute::is_null;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::event_time::{epoch_millis, from_epoch_millis};
use super::rows::widen;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, EngineError, LocalZone, Operator, Result, StepContext};

/// At most so many windows a row, so that a mistyped slide is an error and not a flood.
pub const WINDOWS_PER_ROW_MAX: i64 = 100_000;

/// Which windows there are. All lengths are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Windows {
    /// Windows of `size`, one after the other.
    Tumble {
        /// The length of a window.
        size: i64,
        /// How far the windows are shifted from the epoch.
        offset: i64,
    },
    /// Windows of `size`, one starting every `slide`.
    Hop {
        /// From one start to the next.
        slide: i64,
        /// The length of a window.
        size: i64,
        /// How far the windows are shifted from the epoch.
        offset: i64,
    },
    /// Windows that start together every `size` and end `step` after each other.
    Cumulate {
        /// From one end to the next.
        step: i64,
        /// The length of the longest window; a multiple of `step`.
        size: i64,
        /// How far the windows are shifted from the epoch.
        offset: i64,
    },
}

impl Windows {
    /// Whether a window's start tells its end.
    pub fn are_equally_long(&self) -> bool {
        !matches!(self, Self::Cumulate { .. })
    }

    /// Whether the lengths make sense, with what is wrong if not.
    pub fn validate(&self) -> Result<()> {
        let problem = match *self {
            Self::Tumble { size, .. } if size <= 0 => "the size of a window must be positive",
            Self::Hop { slide, size, .. } if size <= 0 || slide <= 0 => {
                "the size and the slide of a HOP window must be positive"
            }
            Self::Cumulate { step, size, .. } if size <= 0 || step <= 0 => {
                "the size and the step of a CUMULATE window must be positive"
            }
            Self::Cumulate { step, size, .. } if size % step != 0 => {
                "the size of a CUMULATE window must be a multiple of its step"
            }
            Self::Hop { slide, size, .. } if size / slide > WINDOWS_PER_ROW_MAX => {
                "a row would be in more than 100000 windows: take a longer slide"
            }
            Self::Cumulate { step, size, .. } if size / step > WINDOWS_PER_ROW_MAX => {
                "a row would be in more than 100000 windows: take a longer step"
            }
            _ => return Ok(()),
        };
        Err(EngineError::Data(problem.into()))
    }

    /// Calls `window` with the start and the end of each window of a row at `time`.
    #[inline]
    fn for_each(&self, time: i64, mut window: impl FnMut(i64, i64)) {
        match *self {
            Self::Tumble { size, offset } => {
                let start = aligned(time, size, offset);
                window(start, start.saturating_add(size));
            }
            Self::Hop { slide, size, offset } => {
                let mut start = aligned(time, slide, offset);
                while start > time.saturating_sub(size) {
                    window(start, start.saturating_add(size));
                    start = start.saturating_sub(slide);
                }
            }
            Self::Cumulate { step, size, offset } => {
                let start = aligned(time, size, offset);
                let last = start.saturating_add(size);
                let mut end = aligned(time, step, start).saturating_add(step);
                loop {
                    window(start, end.min(last));
                    if end >= last {
                        break;
                    }
                    end = end.saturating_add(step);
                }
            }
        }
    }
}

/// The last multiple of `size` (shifted by `offset`) at or before `time`.
fn aligned(time: i64, size: i64, offset: i64) -> i64 {
    time.saturating_sub(time.saturating_sub(offset).rem_euclid(size))
}

/// The types of the window bounds and of `window_time` for a time column of type `time`.
pub(crate) fn window_types(time: &DataType) -> Result<(DataType, DataType)> {
    let DataType::Timestamp(unit, zone) = time else {
        return Err(EngineError::Data(format!(
            "windows need a time column of a TIMESTAMP type, this one is {time}"
        )));
    };
    let unit = if *unit == TimeUnit::Second { TimeUnit::Millisecond } else { *unit };
    Ok((DataType::Timestamp(unit, None), DataType::Timestamp(unit, zone.clone())))
}

/// `input` with the three window columns on its right.
pub fn window_schema(input: &SchemaRef, time: usize) -> Result<SchemaRef> {
    let (bound, window_time) = window_types(input.field(time).data_type())?;
    let mut fields = input.fields().to_vec();
    fields.push(Arc::new(Field::new("window_start", bound.clone(), false)));
    fields.push(Arc::new(Field::new("window_end", bound, false)));
    fields.push(Arc::new(Field::new("window_time", window_time, false)));
    Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
}

/// The three window columns from starts and ends in milliseconds of the local time of `zone`.
pub(crate) fn window_columns(
    output: &SchemaRef,
    zone: LocalZone,
    starts: Vec<i64>,
    ends: Vec<i64>,
) -> Result<[arrow::array::ArrayRef; 3]> {
    let first = output.fields().len() - 3;
    let column = |values: Int64Array, at: usize| {
        from_epoch_millis(values, output.field(first + at).data_type())
    };
    let ends = Int64Array::from(ends);
    let times = zone.moments(ends.unary(|end: i64| end.saturating_sub(1)));
    Ok([column(Int64Array::from(starts), 0)?, column(ends, 1)?, column(times, 2)?])
}

/// Assigns rows to windows. See the module's documentation.
#[derive(Debug)]
pub struct WindowAssign {
    windows: Windows,
    time: usize,
    zone: LocalZone,
    schema: SchemaRef,
}

impl WindowAssign {
    /// Windows over the column `time` of rows of `input`, in the local time of `zone`.
    pub fn new(input: &SchemaRef, time: usize, windows: Windows, zone: LocalZone) -> Result<Self> {
        windows.validate()?;
        Ok(Self { windows, time, zone, schema: window_schema(input, time)? })
    }

    /// The columns of the output.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The rows of `delta` with their windows. A row without a time is left out.
    pub fn assign(&self, delta: &Delta) -> Result<Delta> {
        let times = self.zone.to_local(epoch_millis(delta.column(self.time))?);
        let mut starts = Vec::with_capacity(times.len());
        let mut ends = Vec::with_capacity(times.len());
        let one_each = matches!(self.windows, Windows::Tumble { .. }) && times.null_count() == 0;
        let expanded = if one_each {
            for &time in times.values() {
                self.windows.for_each(time, |start, end| {
                    starts.push(start);
                    ends.push(end);
                });
            }
            delta.clone()
        } else {
            let mut indices = Vec::with_capacity(times.len());
            for row in (0..times.len()).filter(|&row| times.is_valid(row)) {
                self.windows.for_each(times.value(row), |start, end| {
                    indices.push(row as u32);
                    starts.push(start);
                    ends.push(end);
                });
            }
            delta.take(&UInt32Array::from(indices))?
        };
        let columns = window_columns(&self.schema, self.zone, starts, ends)?;
        Ok(expanded.with_batch(widen(&self.schema, expanded.batch(), columns)?))
    }
}

impl Operator for WindowAssign {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let mut output = Deltas::new();
        for delta in inputs.iter().flatten().filter(|d| !d.is_empty()) {
            let times = delta.column(self.time);
            if times.null_count() > 0 {
                context.report_late(delta.filter(&is_null(times)?)?);
            }
            output.push(self.assign(delta)?);
        }
        Ok(output)
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, TimestampMicrosecondArray, TimestampMillisecondArray};
    use arrow::datatypes::{TimestampMicrosecondType, TimestampMillisecondType};
    use proptest::prelude::*;

    use super::*;
    use crate::operator::testing_rank::{Harness, batch_of, delta_of};

    fn assign(windows: Windows, times: Vec<Option<i64>>) -> Vec<(i64, i64, i64)> {
        let input = batch_of(vec![("ts", Arc::new(TimestampMillisecondArray::from(times)))]);
        let operator = WindowAssign::new(&input.schema(), 0, windows, LocalZone::UTC).unwrap();
        let output = operator.assign(&Delta::insert_only(input)).unwrap();
        let column = |c: usize| output.column(c).as_primitive::<TimestampMillisecondType>().clone();
        let (times, starts, ends, lasts) = (column(0), column(1), column(2), column(3));
        assert!(ends.values().iter().zip(lasts.values()).all(|(end, last)| end - 1 == *last));
        (0..output.num_rows()).map(|i| (times.value(i), starts.value(i), ends.value(i))).collect()
    }

    #[test]
    fn tumbling_windows_round_down_also_before_the_epoch() {
        let windows = Windows::Tumble { size: 10, offset: 3 };
        assert_eq!(
            assign(windows, vec![Some(3), Some(12), Some(2), Some(-8)]),
            [(3, 3, 13), (12, 3, 13), (2, -7, 3), (-8, -17, -7)]
        );
    }

    #[test]
    fn cumulating_windows_share_their_start() {
        let windows = Windows::Cumulate { step: 5, size: 20, offset: 0 };
        assert_eq!(
            assign(windows, vec![Some(7), Some(19)]),
            [(7, 0, 10), (7, 0, 15), (7, 0, 20), (19, 0, 20)]
        );
    }

    #[test]
    fn the_types_follow_the_time_column() {
        let times = TimestampMicrosecondArray::from(vec![-1]).with_timezone("UTC");
        let input = batch_of(vec![("ts", Arc::new(times))]);
        let windows = Windows::Tumble { size: 1_000, offset: 0 };
        let operator = WindowAssign::new(&input.schema(), 0, windows, LocalZone::UTC).unwrap();
        let output = operator.assign(&Delta::insert_only(input)).unwrap();
        let value = |c: usize| output.column(c).as_primitive::<TimestampMicrosecondType>().value(0);
        assert_eq!((value(1), value(2), value(3)), (-1_000_000, 0, -1_000));
        assert_eq!(output.column(1).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(output.column(3).data_type(), output.column(0).data_type());
    }

    #[test]
    fn a_row_without_a_time_is_reported_and_weights_are_kept() {
        let times = TimestampMillisecondArray::from(vec![None, Some(4), Some(6)]);
        let input = batch_of(vec![("ts", Arc::new(times))]);
        let windows = Windows::Hop { slide: 5, size: 10, offset: 0 };
        let operator = WindowAssign::new(&input.schema(), 0, windows, LocalZone::UTC).unwrap();
        let mut harness = Harness::new(Box::new(operator));
        harness.step(vec![delta_of(input, &[1, 2, -1])], i64::MIN);
        assert_eq!(harness.late.values().sum::<i64>(), 1);
        assert_eq!(harness.sum.values().copied().collect::<Vec<_>>(), [2, 2, -1, -1]);
    }

    #[test]
    fn senseless_lengths_are_refused() {
        let refused = |windows: Windows| windows.validate().unwrap_err().to_string();
        assert!(refused(Windows::Tumble { size: 0, offset: 0 }).contains("positive"));
        assert!(refused(Windows::Hop { slide: 0, size: 1, offset: 0 }).contains("slide"));
        let cumulate = Windows::Cumulate { step: 3, size: 10, offset: 0 };
        assert!(refused(cumulate).contains("multiple"));
    }

    /// Hours of London around the end of its summer of 2024, by the hour of their window.
    fn london(windows: Windows, times: &[&str]) -> Vec<[String; 3]> {
        let moment = |t: &&str| {
            let time = chrono::NaiveDateTime::parse_from_str(t, "%Y-%m-%dT%H:%M").unwrap();
            time.and_utc().timestamp_millis()
        };
        let times = TimestampMillisecondArray::from_iter_values(times.iter().map(moment));
        let input = batch_of(vec![("ts", Arc::new(times.with_timezone("UTC")))]);
        let zone = LocalZone::new(chrono_tz::Tz::Europe__London);
        let operator = WindowAssign::new(&input.schema(), 0, windows, zone).unwrap();
        let output = operator.assign(&Delta::insert_only(input)).unwrap();
        let text = |row, c: usize| {
            let value = output.column(c).as_primitive::<TimestampMillisecondType>().value(row);
            chrono::DateTime::from_timestamp_millis(value)
                .unwrap()
                .format("%m-%d %H:%M")
                .to_string()
        };
        (0..output.num_rows()).map(|r| [text(r, 1), text(r, 2), text(r, 3)]).collect()
    }

    #[test]
    fn both_passes_of_a_repeated_hour_are_one_window() {
        let hour = Windows::Tumble { size: 3_600_000, offset: 0 };
        let times = ["2024-10-27T00:10", "2024-10-27T01:10", "2024-10-27T02:10"];
        let both = ["10-27 01:00", "10-27 02:00", "10-27 01:59"];
        assert_eq!(
            london(hour, &times),
            [both, both, ["10-27 02:00", "10-27 03:00", "10-27 02:59"]]
        );
        let day = Windows::Tumble { size: 86_400_000, offset: 0 };
        let times = ["2024-10-26T23:00", "2024-10-27T23:59", "2024-10-28T00:00"];
        let long = ["10-27 00:00", "10-28 00:00", "10-27 23:59"];
        assert_eq!(
            london(day, &times),
            [long, long, ["10-28 00:00", "10-29 00:00", "10-28 23:59"]]
        );
    }

    #[test]
    fn no_row_is_in_an_hour_that_is_left_out() {
        let hour = Windows::Tumble { size: 3_600_000, offset: 0 };
        assert_eq!(
            london(hour, &["2024-03-31T00:59", "2024-03-31T01:00"]),
            [
                ["03-31 00:00", "03-31 01:00", "03-31 00:59"],
                ["03-31 02:00", "03-31 03:00", "03-31 01:59"]
            ]
        );
        // A window may end within it all the same.
        let hop = Windows::Hop { slide: 1_800_000, size: 3_600_000, offset: 0 };
        assert_eq!(
            london(hop, &["2024-03-31T00:45"]),
            [
                ["03-31 00:30", "03-31 01:30", "03-31 01:29"],
                ["03-31 00:00", "03-31 01:00", "03-31 00:59"]
            ]
        );
    }

    proptest! {
        #[test]
        fn a_row_is_in_exactly_the_windows_that_contain_it(
            time in -200_i64..200, size in 1_i64..40, every in 1_i64..40, offset in -50_i64..50,
        ) {
            let hop = Windows::Hop { slide: every, size, offset };
            let mut found = assign(hop, vec![Some(time)]);
            found.sort_unstable();
            let expected: Vec<_> = (-300..300)
                .filter(|start| (start - offset).rem_euclid(every) == 0)
                .filter(|start| (*start..start + size).contains(&time))
                .map(|start| (time, start, start + size))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
