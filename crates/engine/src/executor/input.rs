//! Sources within a step: polling readers, computed columns, and the table's watermark.
//!
//! A row without an event time is in no window and before no watermark. Where a table declares one,
//! such a row is a record that cannot be used, and goes to the dead letters.
//!
//! A reader *beside* the source gives again what was refused. Such a record is of any time: it must
//! not make those late that come in order, so it moves no watermark, and is judged against the
//! table's.
//!
//! A reader that has not given a row yet holds nothing back, or a table of one file would wait for
//! ever for the shards that have none. One with a share of its own, such as a partition, is waited
//! for at first: its rows may be on their way while others give theirs already.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{cast, is_not_null, is_null};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::util::display::array_value_to_string;

use crate::circuit::Circuit;
use crate::expr::{evaluate, project};
use crate::source::{DeadLetter, Poll, Reader, SourceInput, WatermarkStrategy};
use crate::{Delta, EngineError, Result, Watermark};

use super::gauges::ReaderFigures;
use super::snapshot::ReaderProgress;
use super::worker::StepCommand;

/// So long a reader with a share of its own holds the watermark back before its first row, unless
/// the table's idle timeout is shorter.
const FIRST_ROWS_GRACE_MS: i64 = 10_000;

/// Where one reader stands in event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ReaderTime {
    watermark: Watermark,
    /// It has given a row.
    started: bool,
    /// It has given none, and its first are waited for.
    awaited: bool,
    idle: bool,
    /// It has nothing more to give; one beside the source: nothing now.
    ended: bool,
    /// It reads beside the source.
    beside: bool,
    /// How many rows it has given.
    rows: u64,
    /// The clock when it gave its last row, in epoch milliseconds.
    last_row_ms: Option<i64>,
}

impl ReaderTime {
    const START: Self = Self {
        watermark: Watermark::MIN,
        started: false,
        awaited: false,
        idle: false,
        ended: false,
        beside: false,
        rows: 0,
        last_row_ms: None,
    };

    fn start(beside: bool) -> Self {
        Self { beside, ..Self::START }
    }
}

/// How many readers a source has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReaderCount {
    /// Those that share its input.
    pub own: usize,
    /// Those beside it; they are numbered behind the others.
    pub beside: usize,
}

/// The times of a source's readers: of this step and of the one before, by whether the step's
/// number is even.
type Times = [Mutex<Vec<ReaderTime>>; 2];

/// Every reader's time, of every source; shared by the shards.
///
/// A shard that polls judges rows by how the readers stood behind the step before, and says how
/// its own stand now. Two sets are enough: no shard begins a step before all have ended the last.
#[derive(Debug)]
pub(super) struct InputTable {
    times: Vec<Times>,
    /// The last step that a reader has told of.
    step: AtomicU64,
    declared: Vec<bool>,
    /// The last step in which a shard had something to do.
    news: AtomicU64,
}

impl InputTable {
    /// `readers` says how many readers each source has.
    pub fn new(circuit: &Circuit, readers: &[ReaderCount]) -> Self {
        let times = |count: &ReaderCount| {
            let mut times = vec![ReaderTime::START; count.own];
            times.resize(count.own + count.beside, ReaderTime::start(true));
            [Mutex::new(times.clone()), Mutex::new(times)]
        };
        let times = readers.iter().map(times).collect();
        let declared = circuit.sources.iter().map(|s| s.input.watermark.is_some()).collect();
        Self { times, step: AtomicU64::new(0), declared, news: AtomicU64::new(0) }
    }

    /// A shard has something to do in this step. To be said before the shards meet.
    pub fn note_news(&self, step: u64) {
        self.news.store(step, Ordering::Release);
    }

    /// Whether any shard has something to do in this step: the same for all, behind their meeting.
    pub fn has_news(&self, step: u64) -> bool {
        self.news.load(Ordering::Acquire) == step
    }

    /// How many readers a source has.
    pub fn readers(&self, source: usize) -> ReaderCount {
        self.with(source, 0, |times| {
            let beside = times.iter().filter(|t| t.beside).count();
            ReaderCount { own: times.len() - beside, beside }
        })
    }

    /// How every source's own readers stand.
    pub fn figures(&self) -> Vec<Vec<ReaderFigures>> {
        let of = |time: &ReaderTime| ReaderFigures {
            watermark: time.watermark.0,
            started: time.started,
            idle: time.idle,
            ended: time.ended,
            rows: time.rows,
            last_row_ms: time.last_row_ms,
            reads: None,
            bytes: None,
        };
        let own = |times: &mut Vec<ReaderTime>| {
            times.iter().filter(|t| !t.beside).map(of).collect::<Vec<_>>()
        };
        let step = self.step.load(Ordering::Acquire);
        (0..self.times.len()).map(|source| self.with(source, step, own)).collect()
    }

    fn with<R>(&self, source: usize, step: u64, f: impl FnOnce(&mut Vec<ReaderTime>) -> R) -> R {
        let times = &self.times[source][(step % 2) as usize];
        f(&mut times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The least watermark behind a step of the readers other than `reader` that hold the table
    /// back. One that has nothing to read does not make a row less late.
    fn others(&self, source: usize, reader: usize, step: u64) -> Watermark {
        self.with(source, step, |times| {
            let others = times.iter().enumerate().filter(|(i, t)| *i != reader && !t.beside);
            let others = others.filter(|(_, t)| (t.started || t.awaited) && !t.idle && !t.ended);
            others.map(|(_, t)| t.watermark).min()
        })
        .unwrap_or(Watermark::MAX)
    }

    /// The table's watermark behind a step: the least of its readers, those that ended or idle left
    /// out. Where every reader idles, it stays.
    pub fn watermark(&self, source: usize, before: Watermark, step: u64) -> Watermark {
        let after = self.with(source, step, |times| {
            if times.iter().all(|t| t.ended) {
                return Watermark::MAX;
            }
            // What waits beside the source is to come before the end of all time.
            let active = times.iter().filter(|t| !t.ended && !t.idle && !t.beside);
            active.map(|t| t.watermark).min().unwrap_or(before)
        });
        let held = if self.declared[source] || after == Watermark::MAX { after } else { before };
        held.max(before)
    }

    /// Whether every reader of every source has ended, behind a step.
    pub fn ended(&self, step: u64) -> bool {
        (0..self.times.len()).all(|s| self.with(s, step, |times| times.iter().all(|t| t.ended)))
    }
}

/// A reader, and what is done with its rows.
pub(super) struct ReaderInput {
    id: usize,
    reader: Box<dyn Reader>,
    input: SourceInput,
    time: ReaderTime,
    last_row_ms: Option<i64>,
    /// How many rows the reader has given.
    rows: u64,
    dead: Vec<DeadLetter>,
}

impl ReaderInput {
    pub fn new(id: usize, reader: Box<dyn Reader>, input: SourceInput) -> Self {
        let (time, dead) = (ReaderTime::start(reader.is_beside()), Vec::new());
        Self { id, reader, input, time, last_row_ms: None, rows: 0, dead }
    }

    /// The reader's number among those of its source.
    pub fn id(&self) -> usize {
        self.id
    }

    /// Polls once and moves the reader's time. Readers that ended, or that wait for slower ones,
    /// give nothing.
    pub fn poll(
        &mut self,
        source: usize,
        table: &InputTable,
        command: &StepCommand,
    ) -> Result<Option<Delta>> {
        if self.time.beside {
            return self.poll_beside(source, table, command);
        }
        let clock_ms = command.clock_ms;
        let others = table.others(source, self.id, command.step - 1);
        if self.time.ended || self.is_ahead(others) {
            return Ok(None);
        }
        let polled = self.reader.poll(command.rows_max)?;
        let rows = match polled {
            Poll::Rows(rows) => {
                self.last_row_ms = Some(clock_ms);
                (self.time.started, self.time.awaited) = (true, false);
                self.time.idle = false;
                Some(self.prepare(rows, others, clock_ms)?)
            }
            Poll::Idle => {
                let since = *self.last_row_ms.get_or_insert(clock_ms);
                let timeout = self.input.watermark.as_ref().and_then(|w| w.idle_timeout_ms);
                let over = |limit: i64| clock_ms - since >= limit;
                if self.time.started {
                    self.time.idle = timeout.is_some_and(over);
                } else {
                    let grace = timeout.map_or(FIRST_ROWS_GRACE_MS, |t| t.min(FIRST_ROWS_GRACE_MS));
                    self.time.awaited = self.reader.has_share() && !over(grace);
                    self.time.idle = !self.time.awaited;
                }
                None
            }
            Poll::End => {
                self.time.ended = true;
                None
            }
        };
        if let (Some(moment), Some(_)) = (self.reader.watermark(), &self.input.watermark) {
            self.time.idle &= self.time.started;
            (self.time.started, self.time.awaited) = (true, false);
            self.time.watermark = self.time.watermark.max(Watermark(moment));
        }
        Ok(rows)
    }

    /// Reads what is sent again.
    fn poll_beside(
        &mut self,
        source: usize,
        table: &InputTable,
        command: &StepCommand,
    ) -> Result<Option<Delta>> {
        self.time.watermark = table.watermark(source, self.time.watermark, command.step - 1);
        let Poll::Rows(rows) = self.reader.poll(command.rows_max)? else {
            self.time.ended = true;
            return Ok(None);
        };
        self.time.ended = false;
        let rows = self.with_times(rows)?;
        let Some(strategy) = &self.input.watermark else { return Ok(Some(rows)) };
        let (times, before) = (epoch_ms(rows.column(strategy.column))?, self.time.watermark.0);
        let behind = times.iter().flatten().any(|time| time <= before);
        let arrival = behind.then(|| Int64Array::from_value(before, rows.num_rows()));
        Ok(Some(rows.with_arrival(arrival)))
    }

    /// Makes the reader's time behind a step known. The polls of that step still read the times of
    /// the step before, so that what a row is judged against does not depend on their order.
    pub fn publish(&self, source: usize, table: &InputTable, step: u64) {
        let started = self.time.started;
        let last_row_ms = self.last_row_ms.filter(|_| started);
        let time = ReaderTime { rows: self.rows, last_row_ms, ..self.time };
        table.with(source, step, |times| times[self.id] = time);
        table.step.store(step, Ordering::Release);
    }

    /// What the reader reads, and how many bytes that were so far.
    pub fn words(&self) -> (Option<String>, Option<u64>) {
        (self.reader.reads(), self.reader.bytes_read())
    }

    /// Where the reader stands, for a checkpoint.
    pub fn progress(&self) -> ReaderProgress {
        let ReaderTime { watermark, started, idle, ended, beside, .. } = self.time;
        ReaderProgress {
            position: self.reader.position(),
            watermark: watermark.0,
            started,
            idle,
            ended,
            last_row_ms: self.last_row_ms,
            rows: self.rows,
            beside,
        }
    }

    /// Goes on from where one reader, or several of another parallelism, stood.
    pub fn restore(&mut self, progress: &[&ReaderProgress]) -> Result<()> {
        for one in progress {
            self.reader.seek(&one.position)?;
        }
        let least = progress.iter().map(|p| p.watermark).min();
        self.time = ReaderTime {
            watermark: least.map_or(Watermark::MIN, Watermark),
            started: progress.iter().any(|p| p.started),
            idle: !progress.is_empty() && progress.iter().all(|p| p.idle),
            ended: !progress.is_empty() && progress.iter().all(|p| p.ended),
            ..self.time
        };
        // What was waited for is waited for anew: the time in which nobody read does not count.
        let counts = progress.iter().filter(|p| p.started || p.idle);
        self.last_row_ms = counts.filter_map(|p| p.last_row_ms).max();
        self.rows = progress.iter().map(|p| p.rows).sum();
        Ok(())
    }

    pub fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        let mut letters = self.reader.take_dead_letters();
        letters.append(&mut self.dead);
        letters
    }

    fn is_ahead(&self, others: Watermark) -> bool {
        let drift = self.input.watermark.as_ref().and_then(|w| w.drift_max_ms);
        let limit = drift.map(|d| others.0.saturating_add(d));
        limit.is_some_and(|limit| others > Watermark::MIN && self.time.watermark.0 > limit)
    }

    fn prepare(&mut self, rows: Delta, others: Watermark, clock_ms: i64) -> Result<Delta> {
        let rows = self.with_times(rows)?;
        let Some(strategy) = &self.input.watermark else { return Ok(rows) };
        let mut running = self.time.watermark;
        let arrival = advance(strategy, &rows, &mut running, others, clock_ms)?;
        self.time.watermark = running;
        Ok(rows.with_arrival(arrival))
    }

    /// The rows with the table's computed columns, without those that have no event time.
    fn with_times(&mut self, rows: Delta) -> Result<Delta> {
        let rows = match &self.input.projection {
            Some(p) => rows.with_batch(project(&p.expressions, &p.schema, rows.batch())?),
            None => rows,
        };
        let first = self.rows;
        self.rows += rows.num_rows() as u64;
        let Some(strategy) = &self.input.watermark else { return Ok(rows) };
        match rows.column(strategy.column).null_count() {
            0 => Ok(rows),
            _ => {
                let place = Place { reader: self.id, first, record: self.reader.place() };
                without_timeless(rows, strategy, place, &mut self.dead)
            }
        }
    }
}

/// Where rows come from.
struct Place {
    reader: usize,
    /// How many rows came before them.
    first: u64,
    /// The record, where it has a name.
    record: Option<String>,
}

/// The rows that have an event time; the others become dead letters.
fn without_timeless(
    rows: Delta,
    strategy: &WatermarkStrategy,
    place: Place,
    dead: &mut Vec<DeadLetter>,
) -> Result<Delta> {
    let times = rows.column(strategy.column);
    let batch = rows.batch();
    let schema = batch.schema();
    let reason =
        format!("column '{}': the event time is null", schema.field(strategy.column).name());
    let timeless = is_null(times)?;
    for row in (0..rows.num_rows()).filter(|&row| timeless.value(row)) {
        let number = place.first + row as u64 + 1;
        let counted = || format!("row {number} of reader {}", place.reader);
        let position = place.record.clone().unwrap_or_else(counted);
        if strategy.null_fails {
            return Err(EngineError::Data(format!("{position}: {reason}")));
        }
        let (reason, bytes) = (reason.clone(), json_of(batch, row)?);
        dead.push(DeadLetter { position, reason, bytes, beside: None });
    }
    rows.filter(&is_not_null(times)?)
}

/// A row as an object of JSON: what is no number or truth value as text.
fn json_of(batch: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    let mut object = serde_json::Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let value = match column.data_type() {
            _ if column.is_null(row) => serde_json::Value::Null,
            data_type => {
                let text = array_value_to_string(column, row)?;
                let plain = data_type.is_numeric() || *data_type == DataType::Boolean;
                let parsed = plain.then(|| serde_json::from_str(&text).ok()).flatten();
                parsed.unwrap_or(serde_json::Value::String(text))
            }
        };
        object.insert(field.name().clone(), value);
    }
    Ok(serde_json::Value::Object(object).to_string().into_bytes())
}

/// Moves `running` over the rows in order; answers the watermark before each row where some row is
/// behind it.
fn advance(
    strategy: &WatermarkStrategy,
    rows: &Delta,
    running: &mut Watermark,
    others: Watermark,
    clock_ms: i64,
) -> Result<Option<Int64Array>> {
    let times = epoch_ms(rows.column(strategy.column))?;
    let marks = epoch_ms(&evaluate(&strategy.expression, rows.batch())?)?;
    let ahead = strategy.ahead_max_ms.map_or(i64::MAX, |max| clock_ms.saturating_add(max));
    let start = *running;
    let step = |row: usize, running: &mut Watermark| -> (i64, bool) {
        let before = (*running).min(others).0;
        if times.is_null(row) {
            return (before, false);
        }
        if marks.is_valid(row) && times.value(row) <= ahead {
            *running = (*running).max(Watermark(marks.value(row)));
        }
        (before, times.value(row) <= before)
    };
    let mut behind = false;
    for row in 0..times.len() {
        behind |= step(row, running).1;
    }
    if !behind {
        return Ok(None);
    }
    let mut again = start;
    Ok(Some(Int64Array::from_iter_values((0..times.len()).map(|row| step(row, &mut again).0))))
}

/// A timestamp column in epoch milliseconds.
pub(crate) fn epoch_ms(column: &ArrayRef) -> Result<Int64Array> {
    let millis = match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => column.clone(),
        DataType::Timestamp(_, zone) => {
            cast(column, &DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))?
        }
        DataType::Int64 => column.clone(),
        other => {
            let text = format!("an event-time column must be a TIMESTAMP, not {other}");
            return Err(EngineError::Internal(text));
        }
    };
    let plain = cast(&millis, &DataType::Int64)?;
    Ok(plain.as_primitive::<Int64Type>().clone())
}

#[cfg(test)]
mod tests;
