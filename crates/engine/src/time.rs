//! Event time: watermarks and their movement within a step.

use std::fmt;

/// A promise in epoch milliseconds: rows with an event time at or before it are no longer expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Nothing is known yet.
    pub const MIN: Self = Self(i64::MIN);
    /// The input has ended: no row will follow.
    pub const MAX: Self = Self(i64::MAX);

    /// Whether an event at `time_ms` is behind this promise.
    pub fn passed(self, time_ms: i64) -> bool {
        time_ms <= self.0
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => write!(f, "none"),
            Self::MAX => write!(f, "end of input"),
            Self(ms) => write!(f, "{ms} ms"),
        }
    }
}

/// How one input's watermark moved in this step: rows of the step are judged against `before` (and
/// their own arrival watermark), timers fire up to `after` once the rows are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The watermark when the step began.
    pub before: Watermark,
    /// The watermark when the step's rows are in.
    pub after: Watermark,
}

impl Progress {
    /// No watermark at all: before any source has said something.
    pub const NONE: Self = Self { before: Watermark::MIN, after: Watermark::MIN };
}
