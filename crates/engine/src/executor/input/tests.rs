//! Who holds a table's watermark back, and how long.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::TimestampMillisecondArray;
use arrow::datatypes::{Field, Schema};
use datafusion_physical_expr::expressions::col;
use serde_json::json;

use super::*;
use crate::source::Position;

/// Gives one row a poll, of these times, or nothing.
struct Scripted {
    times: VecDeque<Option<i64>>,
    has_share: bool,
}

fn batch(time: i64) -> RecordBatch {
    let at = Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), false);
    let times = TimestampMillisecondArray::from(vec![time]);
    RecordBatch::try_new(Arc::new(Schema::new(vec![at])), vec![Arc::new(times)]).unwrap()
}

impl Reader for Scripted {
    fn poll(&mut self, _: usize) -> Result<Poll> {
        let next = self.times.pop_front().flatten();
        Ok(next.map_or(Poll::Idle, |time| Poll::Rows(Delta::insert_only(batch(time)))))
    }

    fn position(&self) -> Position {
        json!({})
    }

    fn seek(&mut self, _: &Position) -> Result<()> {
        Ok(())
    }

    fn has_share(&self) -> bool {
        self.has_share
    }
}

/// Two readers of one table; the second may have a share of its own.
struct Table {
    readers: Vec<ReaderInput>,
    table: InputTable,
    watermark: Watermark,
    step: u64,
}

impl Table {
    fn new(second: &[Option<i64>], has_share: bool, idle_timeout_ms: Option<i64>) -> Self {
        let strategy = WatermarkStrategy {
            column: 0,
            expression: col("at", &batch(0).schema()).unwrap(),
            idle_timeout_ms,
            ahead_max_ms: None,
            drift_max_ms: None,
            null_fails: false,
        };
        let input = SourceInput { projection: None, watermark: Some(strategy) };
        let first = Scripted { times: (1..100).map(|n| Some(n * 1000)).collect(), has_share: true };
        let second = Scripted { times: second.iter().copied().collect(), has_share };
        let readers = [first, second].into_iter().enumerate();
        let readers = readers
            .map(|(id, reader)| ReaderInput::new(id, Box::new(reader), input.clone()))
            .collect();
        let table = InputTable {
            times: vec![[(); 2].map(|()| Mutex::new(vec![ReaderTime::START; 2]))],
            step: AtomicU64::new(0),
            declared: vec![true],
            news: AtomicU64::new(0),
        };
        Self { readers, table, watermark: Watermark::MIN, step: 0 }
    }

    /// One step; answers the table's watermark.
    fn step(&mut self, clock_ms: i64) -> Watermark {
        self.step += 1;
        let held = Arc::new([false]);
        let command = StepCommand {
            step: self.step,
            clock_ms,
            rows_max: 1,
            held,
            may_rest: false,
            ahead: 0..0,
        };
        for reader in &mut self.readers {
            reader.poll(0, &self.table, &command).unwrap();
        }
        self.readers.iter().for_each(|reader| reader.publish(0, &self.table, self.step));
        self.watermark = self.table.watermark(0, self.watermark, self.step);
        self.watermark
    }
}

#[test]
fn the_first_rows_of_a_partition_are_waited_for() {
    let mut table = Table::new(&[None, None, Some(500), Some(700)], true, None);
    assert_eq!(table.step(0), Watermark::MIN);
    assert_eq!(table.step(1000), Watermark::MIN);
    assert_eq!(table.step(2000), Watermark(500));
    assert_eq!(table.step(3000), Watermark(700));
}

#[test]
fn they_are_not_waited_for_for_ever() {
    let mut table = Table::new(&[], true, None);
    assert_eq!(table.step(0), Watermark::MIN);
    assert_eq!(table.step(FIRST_ROWS_GRACE_MS - 1), Watermark::MIN);
    assert_eq!(table.step(FIRST_ROWS_GRACE_MS), Watermark(3000));
    let mut table = Table::new(&[], true, Some(1500));
    assert_eq!(table.step(0), Watermark::MIN);
    assert_eq!(table.step(1000), Watermark::MIN);
    assert_eq!(table.step(1500), Watermark(3000));
}

#[test]
fn a_reader_without_a_share_holds_nobody_back() {
    let mut table = Table::new(&[], false, None);
    assert_eq!(table.step(0), Watermark(1000));
}

#[test]
fn after_a_restart_they_are_waited_for_anew() {
    let mut before = Table::new(&[], true, None);
    before.step(0);
    let progress = before.readers[1].progress();
    let mut after = Table::new(&[], true, None);
    after.readers[1].restore(&[&progress]).unwrap();
    let late = 100 * FIRST_ROWS_GRACE_MS;
    assert_eq!(after.step(late), Watermark::MIN);
    assert_eq!(after.step(late + FIRST_ROWS_GRACE_MS), Watermark(2000));
}
