//! Files at the speed of a clock: rows are given when their time has come.
//!
//! `'rialto.replay.speed' = '60'` lets an hour of event time pass in a minute. The clock begins
//! with the first row that is read, also behind a restart: what a job missed while it was away is
//! not made up for.

use std::time::Instant;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader};
use serde_json::json;

/// Rows that are read ahead of the clock.
const AHEAD_MAX: usize = 1024;

/// Holds the rows of a reader back until they are due.
pub(super) struct Replay<R> {
    inner: R,
    /// The column of event time, among those that the reader produces.
    column: usize,
    speed: f64,
    clock: Option<Clock>,
    waiting: Option<Waiting>,
    /// Where the reader stood before the rows that wait.
    before: Position,
    /// Rows behind `before` that were given already, before a restart.
    given: usize,
    dead: Vec<DeadLetter>,
}

/// When the first row was given, and its time.
struct Clock {
    began: Instant,
    time: i64,
}

/// Rows that were read, of which the first `given` are given.
struct Waiting {
    rows: Delta,
    /// Epoch milliseconds of each; a row without a time is due with the one before it.
    times: Vec<i64>,
    given: usize,
}

impl<R: Reader> Replay<R> {
    pub fn new(inner: R, column: usize, speed: f64) -> Self {
        let before = inner.position();
        let (clock, waiting, dead) = (None, None, Vec::new());
        Self { inner, column, speed, clock, waiting, before, given: 0, dead }
    }

    /// Reads the next rows; the answer of the reader where there are none.
    fn read(&mut self, rows_max: usize) -> rialto_engine::Result<Option<Poll>> {
        let rows = match self.inner.poll(rows_max.clamp(1, AHEAD_MAX))? {
            Poll::Rows(rows) => rows,
            other => {
                self.pass();
                return Ok(Some(other));
            }
        };
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        let column = cast(rows.column(self.column), &millis)?;
        let Some(column) = column.as_primitive_opt::<TimestampMillisecondType>() else {
            return Err(EngineError::Internal("event time that is no timestamp".into()));
        };
        let mut last = i64::MIN;
        let times = (0..column.len()).map(|row| {
            last = if column.is_valid(row) { column.value(row) } else { last };
            last
        });
        let times = times.collect();
        // Those that were given before a restart are not given again.
        let given = self.given.min(rows.num_rows());
        self.waiting = Some(Waiting { rows, times, given });
        Ok(None)
    }

    /// Everything that was read is given: what belongs to it may be, too.
    fn pass(&mut self) {
        self.before = self.inner.position();
        self.dead.append(&mut self.inner.take_dead_letters());
    }
}

impl<R: Reader> Reader for Replay<R> {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        if self.waiting.is_none()
            && let Some(nothing) = self.read(rows_max)?
        {
            return Ok(nothing);
        }
        let Some(waiting) = &mut self.waiting else { return Ok(Poll::Idle) };
        let left = &waiting.times[waiting.given..];
        let mut due = 0;
        if let Some(&first) = left.first() {
            let clock =
                self.clock.get_or_insert_with(|| Clock { began: Instant::now(), time: first });
            let passed = clock.began.elapsed().as_secs_f64() * 1000.0 * self.speed;
            // `as` saturates: a row at the end of time waits until then.
            let now = clock.time.saturating_add(passed as i64);
            due = left.iter().take(rows_max.max(1)).take_while(|time| **time <= now).count();
        }
        let rows = waiting.rows.slice(waiting.given, due);
        waiting.given += due;
        if waiting.given == waiting.times.len() {
            self.given = self.given.saturating_sub(waiting.times.len());
            self.waiting = None;
            self.pass();
        }
        Ok(if rows.is_empty() { Poll::Idle } else { Poll::Rows(rows) })
    }

    fn position(&self) -> Position {
        let given = self.waiting.as_ref().map_or(self.given, |waiting| waiting.given);
        json!({ "before": self.before, "given": given })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        // A position of a table that had no clock.
        let before = position.get("before").unwrap_or(position);
        self.inner.seek(before)?;
        self.before = before.clone();
        self.given = position.get("given").and_then(Position::as_u64).unwrap_or(0) as usize;
        (self.waiting, self.clock) = (None, None);
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }

    fn reads(&self) -> Option<String> {
        self.inner.reads()
    }

    fn bytes_read(&self) -> Option<u64> {
        self.inner.bytes_read()
    }

    fn watermark(&self) -> Option<i64> {
        self.inner.watermark()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use arrow::array::{RecordBatch, TimestampMillisecondArray};

    use super::*;

    /// Gives the times of a list, three at a time; every third is refused as well.
    struct Times {
        times: Vec<Option<i64>>,
        at: usize,
        dead: Vec<DeadLetter>,
    }

    impl Reader for Times {
        fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
            let end = (self.at + rows_max.min(3)).min(self.times.len());
            if self.at == end {
                return Ok(Poll::End);
            }
            let column = TimestampMillisecondArray::from(self.times[self.at..end].to_vec());
            let position = format!("{}", self.at);
            let (reason, bytes, beside) = (String::new(), Vec::new(), None);
            self.dead.push(DeadLetter { position, reason, bytes, beside });
            self.at = end;
            let batch = RecordBatch::try_from_iter([("t", Arc::new(column) as _)])?;
            Ok(Poll::Rows(Delta::insert_only(batch)))
        }

        fn position(&self) -> Position {
            json!(self.at)
        }

        fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
            self.at = position.as_u64().unwrap_or(0) as usize;
            Ok(())
        }

        fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
            std::mem::take(&mut self.dead)
        }
    }

    fn replay(times: &[Option<i64>], speed: f64) -> Replay<Times> {
        Replay::new(Times { times: times.to_vec(), at: 0, dead: Vec::new() }, 0, speed)
    }

    fn rows(poll: Poll) -> usize {
        match poll {
            Poll::Rows(rows) => rows.num_rows(),
            Poll::Idle | Poll::End => 0,
        }
    }

    #[test]
    fn rows_are_given_when_their_time_has_come() {
        let hour = 3_600_000;
        let mut slow = replay(&[Some(0), None, Some(hour), Some(hour), Some(2 * hour)], 1.0);
        assert_eq!(rows(slow.poll(100).unwrap()), 2);
        assert_eq!(rows(slow.poll(100).unwrap()), 0);
        assert!(slow.take_dead_letters().is_empty());
        let mut fast = replay(&[Some(0), None, Some(hour), Some(hour), Some(2 * hour)], 3.6e5);
        let (mut found, began) = (0, Instant::now());
        while found < 5 {
            found += rows(fast.poll(100).unwrap());
        }
        assert!(began.elapsed() >= Duration::from_millis(20));
        assert!(matches!(fast.poll(100).unwrap(), Poll::End));
        assert_eq!(fast.take_dead_letters().len(), 2);
    }

    #[test]
    fn a_restart_in_the_middle_gives_every_row_once() {
        let times: Vec<Option<i64>> = (0..10).map(Some).collect();
        for cut in 0..=10 {
            let mut first = replay(&times, f64::MAX);
            let mut given = 0;
            while given < cut {
                given += rows(first.poll(1).unwrap());
            }
            let mut letters = first.take_dead_letters();
            let mut second = replay(&times, f64::MAX);
            second.seek(&first.position()).unwrap();
            loop {
                match second.poll(2).unwrap() {
                    Poll::Rows(rows) => given += rows.num_rows(),
                    Poll::Idle => {}
                    Poll::End => break,
                }
                letters.append(&mut second.take_dead_letters());
            }
            letters.append(&mut second.take_dead_letters());
            assert_eq!(given, 10, "cut behind {cut}");
            assert!(letters.iter().any(|letter| letter.position == "0"), "cut behind {cut}");
        }
    }
}
