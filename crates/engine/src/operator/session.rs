//! Session windows: rows of a key that follow each other within a gap.
//!
//! # Semantics
//! Every row is in the output with the bounds of its session: `window_start` is the time of its
//! first row, `window_end` the time of its last row plus the gap, `window_time` one millisecond
//! before that. Rows that are exactly the gap apart are in one session, as in Flink.
//!
//! A row that comes between two sessions makes them one; a row that is taken back may split one.
//! A session is closed when the watermark has passed its end: a row in time can touch it until
//! then. A row that is behind the watermark is late if it touches no open session and would be
//! closed at once; a row without a time is late always. All of this is judged row by row.
//!
//! Times, gaps and bounds are those of the local clock of a zone, as in Flink: the two times that a
//! clock shows an hour twice are one to a session.
//!
//! # State
//! The rows of open sessions, in time order, and the bounds that were last given out for each.
//!
//! # Emission
//! `Updates`: rows whose session changed in the step are taken back and given again, net. `Final`:
//! rows come out once, when their session closes.
//!
//! # Retention
//! Closed sessions are dropped. The watermark of the output is a millisecond behind that of the
//! input, so that `window_time` of a row is never late for what follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::{Schema, SchemaRef};

use super::emission::Emission;
use super::event_time::{Lateness, epoch_millis};
use super::rows::{RowStore, load_partitions, save_partitions, take_rows, widen};
use super::window_assign::{window_columns, window_schema};
use crate::key::KeyTable;
use crate::state::{Dirty, Persist, StateReader, StateWriter};
use crate::store::held;
use crate::{Delta, Deltas, EngineError, LocalZone, Operator, Result, StepContext, Watermark};

/// What a session is.
#[derive(Debug, Clone)]
pub struct SessionSpec {
    /// The columns of `PARTITION BY`.
    pub partition: Vec<usize>,
    /// The column of event time.
    pub time: usize,
    /// The gap in milliseconds.
    pub gap: i64,
    /// The zone in whose local time gaps are measured.
    pub zone: LocalZone,
    /// Whether every weight of the input is positive.
    pub input_insert_only: bool,
    /// When rows come out.
    pub emission: Emission,
}

/// The id of a row of this step that is not in the store yet.
const FRESH: u32 = 1 << 31;
/// The bounds of a row that is not in the output.
const NOWHERE: (i64, i64) = (i64::MIN, i64::MIN);

/// A run of rows of one key. Sorted by time; never empty.
#[derive(Debug, Default)]
struct Session {
    rows: Vec<SessionRow>,
    /// Whether it changed in this step.
    changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct SessionRow {
    time: i64,
    /// The row's content, as a slot of the table of contents; 0 for insert-only input.
    content: u32,
    id: u32,
    /// The bounds that the row has in the output.
    shown: (i64, i64),
}

impl Session {
    fn first(&self) -> i64 {
        self.rows.first().map_or(i64::MAX, |r| r.time)
    }

    fn end(&self, gap: i64) -> i64 {
        self.rows.last().map_or(i64::MIN, |r| r.time.saturating_add(gap))
    }
}

/// The sessions of one key, in time order: those that are open, then what else this step knows.
#[derive(Debug, Default)]
struct Sessions {
    open: Vec<Session>,
    stamp: u64,
}

/// What happened to rows outside of open sessions in this step.
#[derive(Default)]
struct Outcome {
    /// Sessions that closed within the step.
    closed: Vec<Session>,
    /// Rows that were taken back.
    removed: Vec<SessionRow>,
    /// Numbers of late rows.
    late: Vec<u32>,
    touched: Vec<u32>,
    /// The contents of the step's rows.
    contents: Vec<u32>,
}

/// The operator. See the module's documentation.
pub struct SessionWindow {
    spec: SessionSpec,
    output: SchemaRef,
    keys: KeyTable,
    contents: KeyTable,
    /// How many rows have each content.
    counts: Vec<u32>,
    sessions: Vec<Sessions>,
    store: RowStore,
    /// When the first open session of a key ends.
    timers: BTreeSet<(i64, u32)>,
    timer_of: Vec<Option<i64>>,
    /// Keys that changed since the last checkpoint.
    dirty: Dirty,
}

impl SessionWindow {
    /// Sessions over rows of `input`.
    pub fn new(input: &SchemaRef, spec: SessionSpec) -> Result<Self> {
        if spec.gap <= 0 {
            return Err(EngineError::Data("the gap of a SESSION window must be positive".into()));
        }
        let all: Vec<usize> =
            if spec.input_insert_only { Vec::new() } else { (0..input.fields().len()).collect() };
        Ok(Self {
            output: window_schema(input, spec.time)?,
            keys: KeyTable::for_columns(input, &spec.partition)?,
            contents: KeyTable::for_columns(input, &all)?,
            counts: Vec::new(),
            sessions: Vec::new(),
            store: RowStore::new(Arc::new(Schema::clone(input))),
            timers: BTreeSet::new(),
            timer_of: Vec::new(),
            dirty: Dirty::default(),
            spec,
        })
    }

    /// The columns of the output.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    fn apply(&mut self, delta: &Delta, context: &mut StepContext<'_>) -> Result<Outcome> {
        let columns = delta.batch().columns();
        let keys: Vec<ArrayRef> =
            self.spec.partition.iter().map(|&c| Arc::clone(&columns[c])).collect();
        let (mut slots, mut contents) = (Vec::new(), Vec::new());
        self.keys.intern(&keys, delta.num_rows(), &mut slots)?;
        let whole = if self.spec.input_insert_only { &[] } else { columns };
        self.contents.intern(whole, delta.num_rows(), &mut contents)?;
        self.counts.resize(self.contents.capacity(), 0);
        self.sessions.resize_with(self.keys.capacity(), Sessions::default);
        self.timer_of.resize(self.keys.capacity(), None);
        let times = self.spec.zone.to_local(epoch_millis(delta.column(self.spec.time))?);
        let lateness = Lateness::new(delta, context);
        let mut outcome = Outcome::default();
        let order = self.spec.order_by_time(delta, &times, lateness.watermark(0));
        for at in 0..delta.num_rows() {
            let row = order.as_ref().map_or(at, |order| order[at] as usize);
            let sessions = &mut self.sessions[slots[row] as usize];
            if sessions.stamp != context.step {
                sessions.stamp = context.step;
                outcome.touched.push(slots[row]);
            }
            if times.is_null(row) {
                outcome.late.push(row as u32);
                continue;
            }
            let watermark = lateness.watermark(row);
            sessions.close(watermark, &self.spec, &mut outcome.closed);
            let new = SessionRow {
                time: times.value(row),
                content: contents[row],
                id: FRESH | row as u32,
                shown: NOWHERE,
            };
            let weight = delta.weight(row);
            if weight < 0 && self.spec.input_insert_only {
                return Err(EngineError::Internal(
                    "a row is taken back from an input that was planned as insert-only".into(),
                ));
            }
            let mut in_time = true;
            for _ in 0..weight.unsigned_abs() {
                in_time &= match weight > 0 {
                    true => sessions.insert(new, watermark, &self.spec),
                    false => {
                        let gone = sessions.remove(&new, self.spec.gap);
                        outcome.removed.extend(gone);
                        gone.is_some()
                    }
                };
            }
            if !in_time {
                outcome.late.push(row as u32);
            }
        }
        outcome.contents = contents;
        Ok(outcome)
    }

    /// Gives ids to the rows of this step that stay, wherever they are now.
    fn keep_fresh(&mut self, delta: &Delta, outcome: &mut Outcome) -> Result<()> {
        let open = outcome.touched.iter().map(|&slot| slot as usize);
        let mut fresh = Vec::new();
        let mut places = Vec::new();
        let mut note = |row: &mut SessionRow| {
            if row.id & FRESH != 0 {
                fresh.push(row.id & !FRESH);
                places.push(row.content);
                row.id = FRESH | (fresh.len() as u32 - 1);
            }
        };
        for slot in open.clone() {
            let sessions = self.sessions[slot].open.iter_mut().filter(|s| s.changed);
            sessions.flat_map(|s| &mut s.rows).for_each(&mut note);
        }
        outcome.closed.iter_mut().flat_map(|s| &mut s.rows).for_each(&mut note);
        let mut ids = Vec::with_capacity(fresh.len());
        self.store.append(&take_rows(delta.batch(), fresh)?, &mut ids)?;
        places.iter().for_each(|&content| self.counts[content as usize] += 1);
        let settle = |row: &mut SessionRow| {
            if row.id & FRESH != 0 {
                row.id = ids[(row.id & !FRESH) as usize];
            }
        };
        for slot in open {
            let sessions = self.sessions[slot].open.iter_mut().filter(|s| s.changed);
            sessions.flat_map(|s| &mut s.rows).for_each(settle);
        }
        outcome.closed.iter_mut().flat_map(|s| &mut s.rows).for_each(settle);
        Ok(())
    }

    /// Closes the sessions that the step's watermark has passed.
    fn close_sessions(&mut self, watermark: Watermark, outcome: &mut Outcome) {
        for &slot in &outcome.touched {
            let sessions = &mut self.sessions[slot as usize];
            sessions.close(watermark.0, &self.spec, &mut outcome.closed);
        }
        while let Some(&(end, slot)) = self.timers.first()
            && watermark.passed(end)
        {
            self.timers.pop_first();
            self.timer_of[slot as usize] = None;
            let sessions = &mut self.sessions[slot as usize];
            sessions.close(watermark.0, &self.spec, &mut outcome.closed);
            outcome.touched.push(slot);
        }
    }

    /// Sets the timer of every touched key; a key without a session is forgotten.
    fn set_timers(&mut self, touched: &mut Vec<u32>) {
        touched.sort_unstable();
        touched.dedup();
        self.dirty.mark_all(touched);
        for &slot in touched.iter() {
            let at = slot as usize;
            if let Some(old) = self.timer_of[at].take() {
                self.timers.remove(&(old, slot));
            }
            self.sessions[at].open.iter_mut().for_each(|s| s.changed = false);
            if let Some(first) = self.sessions[at].open.first() {
                let end = self.spec.zone.end(first.end(self.spec.gap));
                self.timers.insert((end, slot));
                self.timer_of[at] = Some(end);
            } else {
                self.sessions[at] = Sessions::default();
                self.keys.remove(slot);
            }
        }
    }

    /// Works out what follows from the sessions that were read back: contents and timers.
    fn reopen(&mut self) -> Result<()> {
        self.timer_of.resize(self.keys.capacity(), None);
        let mut slots: Vec<u32> = self.keys.iter_slots().collect();
        slots.sort_unstable();
        for slot in slots {
            let Some(sessions) = self.sessions.get_mut(slot as usize) else { continue };
            let rows = || sessions.open.iter().flat_map(|s| &s.rows);
            let ids: Vec<u32> = rows().map(|row| row.id).collect();
            let all: Vec<usize> = match self.spec.input_insert_only {
                true => Vec::new(),
                false => (0..self.store.schema().fields().len()).collect(),
            };
            let columns = self.store.gather_columns(&ids, &all)?;
            let mut contents = Vec::new();
            self.contents.intern(&columns, ids.len(), &mut contents)?;
            self.counts.resize(self.contents.capacity(), 0);
            let rows = sessions.open.iter_mut().flat_map(|s| &mut s.rows);
            for (row, content) in rows.zip(contents) {
                row.content = content;
                self.counts[content as usize] += 1;
            }
            if let Some(first) = sessions.open.first() {
                let end = self.spec.zone.end(first.end(self.spec.gap));
                self.timers.insert((end, slot));
                self.timer_of[slot as usize] = Some(end);
            }
        }
        Ok(())
    }

    fn emit(&self, changes: &[(u32, (i64, i64), i64)]) -> Result<Deltas> {
        if changes.is_empty() {
            return Ok(Deltas::new());
        }
        let ids: Vec<u32> = changes.iter().map(|c| c.0).collect();
        let (starts, ends) = changes.iter().map(|c| c.1).unzip();
        let windows = window_columns(&self.output, self.spec.zone, starts, ends)?;
        let rows = widen(&self.output, &self.store.gather(&ids)?, windows)?;
        if changes.iter().all(|c| c.2 == 1) {
            return Ok(vec![Delta::insert_only(rows)]);
        }
        let weights = Int64Array::from_iter_values(changes.iter().map(|c| c.2));
        Ok(vec![Delta::weighted(rows, weights)])
    }

    /// The change of the output: what is shown of each row and what should be.
    fn changes(&mut self, outcome: &mut Outcome) -> Vec<(u32, (i64, i64), i64)> {
        let updates = self.spec.emission == Emission::Updates;
        let gap = self.spec.gap;
        let mut changes = Vec::new();
        for row in &outcome.removed {
            if row.shown != NOWHERE {
                changes.push((row.id, row.shown, -1));
            }
        }
        let mut show = |session: &mut Session| {
            let bounds = (session.first(), session.end(gap));
            for row in session.rows.iter_mut().filter(|r| r.shown != bounds) {
                if row.shown != NOWHERE {
                    changes.push((row.id, row.shown, -1));
                }
                changes.push((row.id, bounds, 1));
                row.shown = bounds;
            }
        };
        outcome.closed.iter_mut().for_each(&mut show);
        if updates {
            for &slot in &outcome.touched {
                let open = &mut self.sessions[slot as usize].open;
                open.iter_mut().filter(|s| s.changed).for_each(&mut show);
            }
        }
        changes
    }

    fn forget(&mut self, row: &SessionRow) -> Result<()> {
        if row.id & FRESH != 0 {
            return Ok(());
        }
        self.counts[row.content as usize] -= 1;
        self.forget_content(row.content);
        self.store.remove(row.id)
    }

    /// Frees the slot of a content that no row has any more.
    fn forget_content(&mut self, content: u32) {
        if self.counts[content as usize] == 0 && !self.spec.input_insert_only {
            self.contents.remove(content);
        }
    }
}

impl Operator for SessionWindow {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let deltas: Deltas = inputs.into_iter().flatten().filter(|d| !d.is_empty()).collect();
        let mut outcome = Outcome::default();
        if !deltas.is_empty() {
            let delta = Delta::concat(self.store.schema(), &deltas)?;
            outcome = self.apply(&delta, context)?;
            self.keep_fresh(&delta, &mut outcome)?;
            if !outcome.late.is_empty() {
                let mut mask = vec![false; delta.num_rows()];
                outcome.late.iter().for_each(|&row| mask[row as usize] = true);
                context.report_late(delta.filter(&BooleanArray::from(mask))?);
            }
        }
        self.close_sessions(context.watermark(), &mut outcome);
        let changes = self.changes(&mut outcome);
        let output = self.emit(&changes)?;
        let closed = outcome.closed.iter().flat_map(|s| &s.rows);
        for row in outcome.removed.iter().chain(closed) {
            self.forget(row)?;
        }
        // Rows that were late, or came and went within the step, left their contents behind.
        for content in std::mem::take(&mut outcome.contents) {
            self.forget_content(content);
        }
        self.set_timers(&mut outcome.touched);
        Ok(output)
    }

    fn watermark(&self, inputs: &[Watermark], _: i64) -> Watermark {
        match inputs.iter().copied().min().unwrap_or(Watermark::MAX) {
            Watermark::MAX => Watermark::MAX,
            Watermark(ms) => Watermark(ms.saturating_sub(1)),
        }
    }

    fn state_rows(&self) -> usize {
        self.store.len()
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + self.contents.bytes() + self.store.bytes() + held(&self.counts)
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { keys, dirty, store, sessions, .. } = self;
        save_partitions(out, (keys, dirty, store), |slot, out| {
            let open = &sessions[slot as usize].open;
            (open.len() as u32).put(out);
            for session in open {
                (session.rows.len() as u32).put(out);
                session.rows.iter().for_each(|row| (row.time, (row.id, row.shown)).put(out));
            }
        })
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let Self { keys, dirty, store, sessions, .. } = self;
        load_partitions(from, (keys, dirty, store), |slot, input, id_now| {
            let at = slot as usize;
            if at >= sessions.len() {
                sessions.resize_with(at + 1, Sessions::default);
            }
            for _ in 0..input.get::<u32>()? {
                let rows: Vec<(i64, (u32, (i64, i64)))> = input.get()?;
                let row =
                    |(time, (id, shown))| SessionRow { time, content: 0, id: id_now(id), shown };
                let rows = rows.into_iter().map(row).collect();
                sessions[at].open.push(Session { rows, changed: false });
            }
            Ok(())
        })?;
        self.reopen()
    }
}

impl SessionSpec {
    /// The rows in the order of their times, where they come in another and none can be late, so
    /// that it says nothing. Of several readers each gives its rows in order, one behind the other:
    /// put in so, half of them would move the rest of their session.
    fn order_by_time(&self, delta: &Delta, times: &Int64Array, watermark: i64) -> Option<Vec<u32>> {
        let values = times.values();
        let &first = values.iter().min()?;
        let end = self.zone.end(first.saturating_add(self.gap));
        let may_be_late = delta.arrival().is_some() || end.saturating_sub(1) <= watermark;
        if may_be_late || times.null_count() > 0 || values.is_sorted() {
            return None;
        }
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by_key(|&row| values[row as usize]);
        Some(order)
    }
}

impl Sessions {
    /// Moves the sessions whose end lies at or before the watermark into `closed`.
    fn close(&mut self, watermark: i64, spec: &SessionSpec, closed: &mut Vec<Session>) {
        let ends = |s: &Session| spec.zone.end(s.end(spec.gap));
        let count = self.open.partition_point(|s| ends(s) <= watermark);
        closed.extend(self.open.drain(..count));
    }

    /// Puts a row into the sessions that it touches, or a new one. False: the row is late.
    fn insert(&mut self, row: SessionRow, watermark: i64, spec: &SessionSpec) -> bool {
        let gap = spec.gap;
        let from = self.open.partition_point(|s| s.end(gap) < row.time);
        let reach = row.time.saturating_add(gap);
        let to = from + self.open[from..].partition_point(|s| s.first() <= reach);
        if from == to {
            if spec.zone.end(reach).saturating_sub(1) <= watermark {
                return false;
            }
            self.open.insert(from, Session { rows: vec![row], changed: true });
            return true;
        }
        let others: Vec<Session> = self.open.drain(from + 1..to).collect();
        let session = &mut self.open[from];
        others.into_iter().for_each(|other| session.rows.extend(other.rows));
        let at = session.rows.partition_point(|r| r.time <= row.time);
        session.rows.insert(at, row);
        session.changed = true;
        true
    }

    /// Takes one row with this time and content out, splitting its session where it held it
    /// together.
    fn remove(&mut self, row: &SessionRow, gap: i64) -> Option<SessionRow> {
        let at = self.open.partition_point(|s| s.end(gap).saturating_sub(gap) < row.time);
        let session = self.open.get_mut(at)?;
        let from = session.rows.partition_point(|r| r.time < row.time);
        let same = |r: &SessionRow| r.time == row.time && r.content == row.content;
        let place = from + session.rows[from..].iter().position(same)?;
        let gone = session.rows.remove(place);
        session.changed = true;
        if session.rows.is_empty() {
            self.open.remove(at);
        } else if place > 0
            && place < session.rows.len()
            && session.rows[place].time > session.rows[place - 1].time.saturating_add(gap)
        {
            let rows = session.rows.split_off(place);
            self.open.insert(at + 1, Session { rows, changed: true });
        }
        Some(gone)
    }
}

#[cfg(test)]
mod tests;
