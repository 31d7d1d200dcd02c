//! Top-N: `ROW_NUMBER | RANK | DENSE_RANK () OVER (PARTITION BY … ORDER BY …)` with a bound on
//! the rank, which makes deduplication (`ROW_NUMBER … = 1`) and `ORDER BY … LIMIT` too.
//!
//! # Semantics
//! Of every partition the rows whose rank lies between `first` and `last` are in the output, with
//! their rank as a last column if asked for. Rows with equal order keys: `RANK` and `DENSE_RANK`
//! give them the same rank; for `ROW_NUMBER` see the ties of [`super::order`] and [`Ties`].
//!
//! # State
//! Insert-only input: only rows that can still matter, which are those up to rank `last`; for the
//! best row alone one entry a partition. Retracting input: all rows, ordered, as each may move up
//! when another goes. Of a window that opens and closes within one step, nothing (`passing`).
//!
//! # Emission
//! `Updates`: the *net* difference of every partition in every step. `Final` (window Top-N): the
//! rows of a partition once, when its window closes.
//!
//! # Retention
//! With a `window_end` column among the partition keys a partition is dropped when the watermark
//! passes `window_end - 1 ms`; rows that come for a closed window are reported late. Without one a
//! time to live forgets a partition so long after its last row, by the step's clock, and takes
//! nothing back; without either nothing is dropped.

mod best;
mod passing;
mod ranked;
mod retracting;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::emission::Emission;
use super::event_time::{epoch_millis, split_late};
use super::order::{KeyEncoder, SortColumn};
use super::rows::{RowStore, load_partitions, save_partitions, take_rows, widen};
use crate::key::KeyTable;
use crate::state::{Dirty, Input, Persist, StateReader, StateWriter};
use crate::store::Leases;
use crate::{Delta, Deltas, EngineError, LocalZone, Operator, Result, StepContext, Watermark};
use best::Best;
use ranked::Ranked;
use retracting::Retracting;

/// The id of a row that came in this step and has no place in the store yet: its number, marked.
const FRESH: u32 = 1 << 31;

/// How rows are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RankFunction {
    /// Every row has a number of its own.
    RowNumber,
    /// Peers share a rank, and the rank after them is as if they had not.
    Rank,
    /// Peers share a rank, and the next rank follows without a gap.
    DenseRank,
}

/// Which of two peers comes first where the input is insert-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ties {
    /// The one that arrived first: Flink's Top-N and "keep the first row".
    #[default]
    FirstArrival,
    /// The one that arrived last: Flink's "keep the last row" by a time attribute, descending.
    LastArrival,
}

/// What a Top-N keeps of what.
#[derive(Debug, Clone)]
pub struct TopNSpec {
    /// How rows are numbered.
    pub function: RankFunction,
    /// The columns of `PARTITION BY`; none: all rows are one partition.
    pub partition: Vec<usize>,
    /// The columns of `ORDER BY`; none: all rows are peers.
    pub order: Vec<SortColumn>,
    /// The lowest rank in the output, from 1.
    pub first: u64,
    /// The greatest rank in the output; none: no bound.
    pub last: Option<u64>,
    /// The name of the rank's column (`BIGINT NOT NULL`, the last one), if it is wanted.
    pub rank_output: Option<String>,
    /// Whether every weight of the input is positive.
    pub input_insert_only: bool,
    /// Which of two peers comes first where the input is insert-only.
    pub ties: Ties,
    /// The `window_end` column, one of `partition`: state is dropped when the window closes.
    pub window_end: Option<usize>,
    /// The zone in whose local time windows end.
    pub zone: LocalZone,
    /// When rows come out. `Final` needs `window_end`.
    pub emission: Emission,
    /// How long a partition is kept after its last row, by the clock; `None`: for ever. Partitions
    /// of windows have no such end.
    pub ttl_ms: Option<i64>,
}

impl TopNSpec {
    fn validate(&self) -> Result<()> {
        let problem = if self.first == 0 {
            "ranks start at 1"
        } else if self.window_end.is_some_and(|end| !self.partition.contains(&end)) {
            "the window_end of a window Top-N is not one of its partition keys"
        } else if self.emission == Emission::Final && self.window_end.is_none() {
            "a Top-N without a window has no final answer"
        } else {
            return Ok(());
        };
        Err(EngineError::Internal(problem.into()))
    }

    /// Whether no row of the output is ever taken back.
    pub fn is_output_insert_only(&self) -> bool {
        let all = self.first == 1 && self.last.is_none() && self.rank_output.is_none();
        self.emission == Emission::Final || (self.input_insert_only && all)
    }
}

/// How ranks are counted and which of them are in the output.
#[derive(Debug)]
struct Ranker {
    function: RankFunction,
    ties: Ties,
    first: i64,
    last: i64,
    with_rank: bool,
    updates: bool,
}

/// A row in the output: its id, its rank (0 where ranks are not wanted) and how often.
type Ranking = (u32, i64, i64);

impl Ranker {
    /// Appends what of a partition's rows, given in order with their counts, is in the output.
    fn outputs<'a, K: PartialEq + ?Sized + 'a>(
        &self,
        entries: impl Iterator<Item = (&'a K, u32, i64)>,
        out: &mut Vec<Ranking>,
    ) {
        let (mut before, mut rank, mut dense) = (0_i64, 0_i64, 0_i64);
        let mut previous = None;
        for (key, id, count) in entries.filter(|e| e.2 > 0) {
            if previous != Some(key) {
                (dense, rank, previous) = (dense + 1, before + 1, Some(key));
            }
            let rank = match self.function {
                RankFunction::RowNumber => before + 1,
                RankFunction::Rank => rank,
                RankFunction::DenseRank => dense,
            };
            if rank > self.last {
                break;
            }
            let after = before.saturating_add(count);
            if self.function == RankFunction::RowNumber {
                let (from, to) = (rank.max(self.first), after.min(self.last));
                if self.with_rank {
                    out.extend((from..=to).map(|number| (id, number, 1)));
                } else if from <= to {
                    out.push((id, 0, to - from + 1));
                }
            } else if rank >= self.first {
                out.push((id, if self.with_rank { rank } else { 0 }, count));
            }
            before = after;
        }
    }
}

/// The net change of the output in one step.
#[derive(Debug, Default)]
struct Changes {
    /// Of rows in the store: id, rank, weight.
    stored: Vec<Ranking>,
    /// Of rows that are new in the store: their place among the new ones, rank, weight.
    fresh: Vec<Ranking>,
}

impl Changes {
    fn push(&mut self, (id, rank, weight): Ranking) {
        if weight == 0 {
        } else if id & FRESH != 0 {
            self.fresh.push((id & !FRESH, rank, weight));
        } else {
            self.stored.push((id, rank, weight));
        }
    }

    /// Adds the difference between two outputs of a partition. Both are sorted.
    fn difference(&mut self, old: &mut [Ranking], new: &mut [Ranking]) {
        old.sort_unstable();
        new.sort_unstable();
        let (mut at, mut to) = (0, 0);
        while at < old.len() || to < new.len() {
            let (o, n) = (old.get(at), new.get(to));
            let key = |r: &Ranking| (r.0, r.1);
            match (o, n) {
                (Some(&o), Some(&n)) if key(&o) == key(&n) => {
                    self.push((o.0, o.1, n.2 - o.2));
                    (at, to) = (at + 1, to + 1);
                }
                (Some(&o), n) if n.is_none_or(|n| key(&o) < key(n)) => {
                    self.push((o.0, o.1, -o.2));
                    at += 1;
                }
                (_, Some(&n)) => {
                    self.push(n);
                    to += 1;
                }
                (_, None) => break,
            }
        }
    }
}

/// The rows of a step, with their partitions and order keys.
struct Incoming<'a> {
    delta: &'a Delta,
    slots: &'a [u32],
    keys: &'a super::order::Keys,
    stamp: u64,
}

/// What [`Best`], [`Ranked`] and [`Retracting`] do in a step, in this order.
trait Partitions: Send {
    /// Takes the rows in.
    fn apply(&mut self, incoming: &Incoming<'_>, ranker: &Ranker) -> Result<()>;
    /// The numbers of those rows of the step that are to be kept.
    fn survivors(&mut self) -> Vec<u32>;
    /// The net difference of the output; the survivors' ids are their places, marked fresh.
    fn changes(&mut self, ranker: &Ranker, changes: &mut Changes);
    /// The survivors have these ids now. Gives the ids that are no longer needed.
    fn settle(&mut self, ids: &[u32], dropped: &mut Vec<u32>);
    /// Partitions that are empty since the last call.
    fn take_empty(&mut self) -> Vec<u32>;
    /// Forgets a partition: what it has in the output, and the ids of all its rows.
    fn close(&mut self, slot: u32, ranker: &Ranker, out: &mut Vec<Ranking>, ids: &mut Vec<u32>);
    /// Appends a partition to a checkpoint.
    fn save(&self, slot: u32, out: &mut Vec<u8>);
    /// Reads a partition back; `id_now` gives the ids that its rows have now.
    fn load(
        &mut self,
        slot: u32,
        input: &mut Input<'_>,
        id_now: &mut dyn FnMut(u32) -> u32,
    ) -> Result<()>;
}

/// The operator. See the module's documentation.
pub struct TopN {
    spec: TopNSpec,
    ranker: Ranker,
    output: SchemaRef,
    table: KeyTable,
    encoder: KeyEncoder,
    partitions: Box<dyn Partitions>,
    store: RowStore,
    windows: OpenWindows,
    /// Where there is a time to live.
    leases: Option<Leases>,
    slots: Vec<u32>,
    /// Partitions that changed since the last checkpoint.
    dirty: Dirty,
}

impl TopN {
    /// A Top-N over rows of `input`.
    pub fn new(input: &SchemaRef, spec: TopNSpec) -> Result<Self> {
        spec.validate()?;
        let mut fields = input.fields().to_vec();
        if let Some(name) = &spec.rank_output {
            fields.push(Arc::new(Field::new(name, DataType::Int64, false)));
        }
        let bound = |rank: u64| i64::try_from(rank).unwrap_or(i64::MAX);
        let ranker = Ranker {
            function: spec.function,
            ties: spec.ties,
            first: bound(spec.first),
            last: spec.last.map_or(i64::MAX, bound),
            with_rank: spec.rank_output.is_some(),
            updates: spec.emission == Emission::Updates,
        };
        let best = spec.function == RankFunction::RowNumber && spec.last == Some(1);
        let partitions: Box<dyn Partitions> = match spec.input_insert_only {
            true if best && spec.first == 1 => Box::new(Best::default()),
            true => Box::new(Ranked::default()),
            false => Box::new(Retracting::new(input, spec.ttl_ms.is_some())?),
        };
        Ok(Self {
            ranker,
            output: Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())),
            table: KeyTable::for_columns(input, &spec.partition)?,
            encoder: KeyEncoder::new(input, &spec.order)?,
            partitions,
            store: RowStore::new(Arc::clone(input)),
            windows: OpenWindows::default(),
            leases: spec.ttl_ms.filter(|_| spec.window_end.is_none()).map(Leases::new),
            slots: Vec::new(),
            dirty: Dirty::default(),
            spec,
        })
    }

    /// The columns of the output.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    /// The rows of the step as one delta, without late ones.
    fn incoming(&self, deltas: &[Delta], context: &mut StepContext<'_>) -> Result<Delta> {
        let delta = Delta::concat(self.store.schema(), deltas)?;
        let delta = match self.spec.window_end {
            Some(column) if !delta.is_empty() => {
                let ends = self.spec.zone.ends(epoch_millis(delta.column(column))?);
                let deadlines = ends.unary(last_moment);
                split_late(delta, &deadlines, context)?.0
            }
            _ => delta,
        };
        if !self.spec.input_insert_only || delta.weights().is_none() {
            return Ok(delta);
        }
        repeat_rows(&delta)
    }

    /// Forgets the partitions whose time to live has passed.
    fn expire(&mut self, clock_ms: i64) -> Result<()> {
        let Some(leases) = &mut self.leases else { return Ok(()) };
        let (mut out, mut ids) = (Vec::new(), Vec::new());
        for slot in leases.take_expired(clock_ms) {
            self.partitions.close(slot, &self.ranker, &mut out, &mut ids);
            self.table.remove(slot);
            self.dirty.mark(slot);
        }
        ids.into_iter().try_for_each(|id| self.store.remove(id))
    }

    fn apply(&mut self, delta: &Delta, step: u64, clock_ms: i64) -> Result<Deltas> {
        let columns = delta.batch().columns();
        let keys: Vec<ArrayRef> =
            self.spec.partition.iter().map(|&c| Arc::clone(&columns[c])).collect();
        self.table.intern(&keys, delta.num_rows(), &mut self.slots)?;
        self.dirty.mark_all(&self.slots);
        if let Some(column) = self.spec.window_end {
            let ends = self.spec.zone.ends(epoch_millis(&columns[column])?);
            self.windows.open(&self.slots, &ends, self.table.capacity());
        }
        if let Some(leases) = &mut self.leases {
            self.slots.iter().for_each(|&slot| leases.renew(slot, clock_ms));
        }
        let keys = self.encoder.encode(columns)?;
        let incoming = Incoming { delta, slots: &self.slots, keys: &keys, stamp: step };
        self.partitions.apply(&incoming, &self.ranker)?;
        let fresh = take_rows(delta.batch(), self.partitions.survivors())?;
        let mut changes = Changes::default();
        if self.ranker.updates {
            self.partitions.changes(&self.ranker, &mut changes);
        }
        let output = self.emit(&changes, &fresh)?;
        let (mut ids, mut dropped) = (Vec::new(), Vec::new());
        self.store.append(&fresh, &mut ids)?;
        self.partitions.settle(&ids, &mut dropped);
        dropped.into_iter().try_for_each(|id| self.store.remove(id))?;
        for slot in self.partitions.take_empty() {
            if self.spec.window_end.is_none() {
                self.table.remove(slot);
                if let Some(leases) = &mut self.leases {
                    leases.end(slot);
                }
            }
        }
        Ok(output)
    }

    /// Drops the partitions whose window the watermark has passed.
    fn close_windows(&mut self, watermark: Watermark) -> Result<Deltas> {
        let (mut out, mut ids) = (Vec::new(), Vec::new());
        for slot in self.windows.close(watermark) {
            self.partitions.close(slot, &self.ranker, &mut out, &mut ids);
            self.table.remove(slot);
            self.dirty.mark(slot);
        }
        let stored = if self.ranker.updates { Vec::new() } else { out };
        let none = RecordBatch::new_empty(Arc::clone(self.store.schema()));
        let output = self.emit(&Changes { stored, fresh: Vec::new() }, &none)?;
        ids.into_iter().try_for_each(|id| self.store.remove(id))?;
        Ok(output)
    }

    /// The open windows are those of the partitions' keys.
    fn reopen_windows(&mut self) -> Result<()> {
        let Some(column) = self.spec.window_end else { return Ok(()) };
        let Some(at) = self.spec.partition.iter().position(|&c| c == column) else {
            let text = "a window's end is not a part of the partition";
            return Err(EngineError::Internal(text.into()));
        };
        let slots: Vec<u32> = self.table.iter_slots().collect();
        let ends = self.spec.zone.ends(epoch_millis(&self.table.keys(&slots)?[at])?);
        self.windows.open(&slots, &ends, self.table.capacity());
        Ok(())
    }

    fn emit(&self, changes: &Changes, fresh: &RecordBatch) -> Result<Deltas> {
        let mut output = Deltas::new();
        if !changes.stored.is_empty() {
            let ids: Vec<u32> = changes.stored.iter().map(|c| c.0).collect();
            output.push(self.delta(self.store.gather(&ids)?, &changes.stored)?);
        }
        if !changes.fresh.is_empty() {
            let rows = take_rows(fresh, changes.fresh.iter().map(|c| c.0).collect())?;
            output.push(self.delta(rows, &changes.fresh)?);
        }
        Ok(output)
    }

    fn delta(&self, rows: RecordBatch, changes: &[Ranking]) -> Result<Delta> {
        let ranks = || Arc::new(Int64Array::from_iter_values(changes.iter().map(|c| c.1)));
        let more = self.ranker.with_rank.then(|| ranks() as ArrayRef);
        let rows = widen(&self.output, &rows, more)?;
        if changes.iter().all(|c| c.2 == 1) {
            return Ok(Delta::insert_only(rows));
        }
        let weights = Int64Array::from_iter_values(changes.iter().map(|c| c.2));
        Ok(Delta::weighted(rows, weights))
    }
}

impl Operator for TopN {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let deltas: Deltas = inputs.into_iter().flatten().filter(|d| !d.is_empty()).collect();
        let mut output = Deltas::new();
        self.expire(context.clock_ms)?;
        if !deltas.is_empty() {
            let delta = self.incoming(&deltas, context)?;
            let (delta, passed) = self.pass(delta, context.watermark())?;
            output.extend(passed);
            if !delta.is_empty() {
                output.extend(self.apply(&delta, context.step, context.clock_ms)?);
            }
        }
        if self.spec.window_end.is_some() {
            output.extend(self.close_windows(context.watermark())?);
        }
        Ok(output)
    }

    fn state_rows(&self) -> usize {
        self.store.len()
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.store.bytes()
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { table, dirty, store, partitions, leases, .. } = self;
        save_partitions(out, (table, dirty, store), |slot, out| {
            leases.as_ref().map_or(0, |leases| leases.deadline(slot)).put(out);
            partitions.save(slot, out);
        })
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let Self { table, dirty, store, partitions, leases, .. } = self;
        load_partitions(from, (table, dirty, store), |slot, input, id_now| {
            let deadline = input.get()?;
            if let Some(leases) = leases {
                leases.restore(slot, deadline);
            }
            partitions.load(slot, input, id_now)
        })?;
        self.reopen_windows()
    }
}

/// The last millisecond of a window.
fn last_moment(end: i64) -> i64 {
    end.saturating_sub(1)
}

/// Every row as often as its weight says.
fn repeat_rows(delta: &Delta) -> Result<Delta> {
    let mut indices = Vec::with_capacity(delta.num_rows());
    for row in 0..delta.num_rows() {
        let Ok(times) = usize::try_from(delta.weight(row)) else {
            return Err(EngineError::Internal(
                "a row is taken back from an input that was planned as insert-only".into(),
            ));
        };
        indices.extend(std::iter::repeat_n(row as u32, times));
    }
    let rows = delta.take(&UInt32Array::from(indices))?;
    Ok(Delta::insert_only(rows.batch().clone()))
}

/// Which partitions belong to which open window.
#[derive(Debug, Default)]
struct OpenWindows {
    known: Vec<bool>,
    by_end: BTreeMap<i64, Vec<u32>>,
}

impl OpenWindows {
    /// Notes the windows of partitions that are new. A window without an end stays open.
    fn open(&mut self, slots: &[u32], ends: &Int64Array, capacity: usize) {
        self.known.resize(capacity, false);
        for (row, &slot) in slots.iter().enumerate() {
            if !std::mem::replace(&mut self.known[slot as usize], true) && ends.is_valid(row) {
                self.by_end.entry(ends.value(row)).or_default().push(slot);
            }
        }
    }

    /// The partitions of windows that the watermark has passed; they are forgotten.
    fn close(&mut self, watermark: Watermark) -> Vec<u32> {
        let mut closed = Vec::new();
        while let Some(entry) = self.by_end.first_entry()
            && watermark.passed(last_moment(*entry.key()))
        {
            closed.extend(entry.remove());
        }
        for &slot in &closed {
            self.known[slot as usize] = false;
        }
        closed
    }
}

#[cfg(test)]
mod tests;
