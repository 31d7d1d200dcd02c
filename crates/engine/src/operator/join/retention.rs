//! How long the rows of a join are kept, and which rows come too late for it.

use arrow::array::Int64Array;

use crate::{LocalZone, Watermark};

/// When a join may forget its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Rows match only if `lower_ms <= left time - right time <= upper_ms`
    /// (`l.ts BETWEEN r.ts + lower AND r.ts + upper`). The join checks this itself, in
    /// milliseconds; a finer condition belongs into the filter as well.
    Interval {
        /// The event time of the left input.
        left_time: usize,
        /// The event time of the right input.
        right_time: usize,
        /// The least difference of the two times.
        lower_ms: i64,
        /// The greatest difference of the two times.
        upper_ms: i64,
    },
    /// Both sides carry the bounds of a window among their keys.
    Window {
        /// The exclusive end of the window in the left input; also one of its keys.
        left_end: usize,
        /// The exclusive end of the window in the right input; also one of its keys.
        right_end: usize,
        /// The zone in whose local time the windows end.
        zone: LocalZone,
    },
    /// Rows are forgotten some time after they were last written, by the clock of the step.
    Ttl {
        /// For the rows of the left input; `None` keeps them.
        left_ms: Option<i64>,
        /// For the rows of the right input; `None` keeps them.
        right_ms: Option<i64>,
    },
}

impl Retention {
    /// The column that holds a side's time or window end.
    pub(super) fn time_column(self, side: usize) -> Option<usize> {
        match self {
            Self::Interval { left_time, right_time, .. } => Some([left_time, right_time][side]),
            Self::Window { left_end, right_end, .. } => Some([left_end, right_end][side]),
            Self::Ttl { .. } => None,
        }
    }

    /// The times of a column as moments that watermarks can be compared with.
    pub(super) fn moments(self, times: Int64Array) -> Int64Array {
        match self {
            Self::Window { zone, .. } => zone.ends(times),
            _ => times,
        }
    }

    /// The interval of time differences that match, where there is one.
    pub(super) fn interval(self) -> Option<(i64, i64)> {
        match self {
            Self::Interval { lower_ms, upper_ms, .. } => Some((lower_ms, upper_ms)),
            _ => None,
        }
    }

    /// A row with this time is late as soon as its own side's watermark has reached the answer.
    ///
    /// A row may come behind its watermark and still be in time, as long as rows that it can match
    /// may still come: a left row matches right rows up to `-lower` later than itself.
    pub(super) fn late_from(self, side: usize, time: i64) -> i64 {
        match self {
            Self::Interval { .. } => time.saturating_add(self.slack(side)),
            Self::Window { .. } => time.saturating_sub(1),
            Self::Ttl { .. } => i64::MAX,
        }
    }

    /// A row with this time is not needed any more once the other side's watermark has reached the
    /// answer: whatever the row could match would be late.
    pub(super) fn needed_until(self, side: usize, time: i64) -> i64 {
        match self {
            Self::Interval { lower_ms, upper_ms, .. } => {
                let reach = if side == 0 { lower_ms.saturating_neg() } else { upper_ms };
                time.saturating_add(reach).saturating_add(self.slack(1 - side))
            }
            Self::Window { .. } => time.saturating_sub(1),
            Self::Ttl { .. } => i64::MAX,
        }
    }

    /// How far behind its watermark a side's row may come and still be in time.
    fn slack(self, side: usize) -> i64 {
        match self {
            Self::Interval { lower_ms, .. } if side == 0 => lower_ms.saturating_neg().max(0),
            Self::Interval { upper_ms, .. } => upper_ms.max(0),
            _ => 0,
        }
    }

    /// How long a side's rows are kept by the clock.
    pub(super) fn ttl(self, side: usize) -> Option<i64> {
        match self {
            Self::Ttl { left_ms, right_ms } => [left_ms, right_ms][side],
            _ => None,
        }
    }

    /// About how far ahead the deadlines of rows lie.
    pub(super) fn span_ms(self, side: usize) -> i64 {
        match self {
            Self::Interval { lower_ms, upper_ms, .. } => upper_ms.saturating_sub(lower_ms),
            Self::Window { .. } => 1,
            Self::Ttl { .. } => self.ttl(side).unwrap_or(1),
        }
    }

    /// How far the output's times may lie behind the watermark of the inputs.
    pub(super) fn output_delay(self) -> i64 {
        self.slack(0).saturating_add(self.slack(1))
    }
}

/// The watermark of an output whose rows may be `delay` ms behind that of the inputs.
pub(super) fn delayed(watermark: Watermark, delay: i64) -> Watermark {
    match watermark {
        Watermark::MIN | Watermark::MAX => watermark,
        Watermark(ms) => Watermark(ms.saturating_sub(delay)),
    }
}
