//! The clock as event time: what makes windows of processing time close.
//!
//! # Semantics
//! Rows pass through. A row that comes later has a later processing time, so that the watermark
//! behind them is the step's clock: all that is older than now has come. With the input, time ends
//! too, and every window closes.
//! # State
//! None.

use crate::state::{StateReader, StateWriter};
use crate::{Deltas, Operator, Result, StepContext, Watermark};

/// See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub struct ClockTime;

impl Operator for ClockTime {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        // What is late by event time is not late by the clock.
        Ok(inputs.into_iter().flatten().map(|delta| delta.with_arrival(None)).collect())
    }

    fn watermark(&self, inputs: &[Watermark], clock_ms: i64) -> Watermark {
        match inputs {
            [Watermark::MAX] => Watermark::MAX,
            _ => Watermark(clock_ms.saturating_sub(1)),
        }
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
    use super::*;

    #[test]
    fn the_watermark_follows_the_clock_until_the_input_ends() {
        assert_eq!(ClockTime.watermark(&[Watermark::MIN], 1_000), Watermark(999));
        assert_eq!(ClockTime.watermark(&[Watermark(5_000)], 1_000), Watermark(999));
        assert_eq!(ClockTime.watermark(&[Watermark::MAX], 1_000), Watermark::MAX);
    }
}
