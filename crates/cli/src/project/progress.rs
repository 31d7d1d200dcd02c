//! The line on the terminal that says how a job goes.

use std::io::IsTerminal;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::TimestampMillisecondArray;
use rialto_runtime::StepSummary;
use rialto_runtime::engine::Watermark;

use crate::failure::tell;
use crate::output::thousands;

/// Between two looks of the line.
const INTERVAL: Duration = Duration::from_millis(200);

/// Goes to the start of the line and empties it.
const CLEAR: &str = "\r\x1b[K";

/// How far a job is. Silent where the standard error is no terminal.
pub struct Progress {
    visible: bool,
    started: Instant,
    shown: Option<Instant>,
    rows_shown: u64,
    rows: u64,
    steps: u64,
}

impl Progress {
    /// `printing`: the job writes to the standard output meanwhile, and a terminal would mix the
    /// two.
    pub fn new(printing: bool) -> Self {
        let mixed = printing && std::io::stdout().is_terminal();
        let visible = std::io::stderr().is_terminal() && !mixed;
        Self { visible, started: Instant::now(), shown: None, rows_shown: 0, rows: 0, steps: 0 }
    }

    /// Takes note of a step.
    pub fn stepped(&mut self, summary: &StepSummary<'_>) {
        self.rows += summary.rows;
        self.steps = summary.step;
        let since = self.shown.unwrap_or(self.started).elapsed();
        if self.visible && since >= INTERVAL {
            let rate = per_second(self.rows - self.rows_shown, since);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let time = event_time(summary.watermark, i64::try_from(now.as_millis()).ok());
            tell(&format!("{CLEAR}{} rows  {rate} rows/s{time}", thousands(self.rows)));
            self.shown = Some(Instant::now());
            self.rows_shown = self.rows;
        }
    }

    /// Replaces the line by what was done in all.
    pub fn finish(&self) {
        if self.visible {
            let elapsed = self.started.elapsed();
            tell(&format!(
                "{CLEAR}{} rows in {:.1} s ({} rows/s), {} steps\n",
                thousands(self.rows),
                elapsed.as_secs_f64(),
                per_second(self.rows, elapsed),
                thousands(self.steps),
            ));
        }
    }
}

fn per_second(rows: u64, elapsed: Duration) -> String {
    let rate = rows as f64 / elapsed.as_secs_f64().max(1e-3);
    thousands(rate as u64)
}

/// `  watermark 2024-01-31 08:00:00  lag 3 s`, where there is a watermark.
fn event_time(watermark: Watermark, now_ms: Option<i64>) -> String {
    if watermark == Watermark::MIN || watermark == Watermark::MAX {
        return String::new();
    }
    let time = TimestampMillisecondArray::from(vec![watermark.0 / 1000 * 1000]);
    let Some(time) = time.value_as_datetime(0) else { return String::new() };
    let lag = now_ms.map(|now| now.saturating_sub(watermark.0) / 1000);
    let lag = lag.map(|s| format!("  lag {}", duration(s))).unwrap_or_default();
    format!("  watermark {time}{lag}")
}

/// The two greatest units of a time span.
fn duration(seconds: i64) -> String {
    let s = seconds.max(0);
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", thousands((s / 86_400).unsigned_abs()), s / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_told_in_two_units() {
        assert_eq!(duration(-5), "0 s");
        assert_eq!(duration(61), "1 min 1 s");
        assert_eq!(duration(3600 * 25), "1 d 1 h");
    }

    #[test]
    fn without_a_watermark_there_is_no_lag() {
        assert_eq!(event_time(Watermark::MIN, Some(0)), "");
        assert_eq!(event_time(Watermark::MAX, Some(0)), "");
        let time = event_time(Watermark(1_706_688_000_123), Some(1_706_688_002_123));
        assert_eq!(time, "  watermark 2024-01-31 08:00:00  lag 2 s");
    }
}
