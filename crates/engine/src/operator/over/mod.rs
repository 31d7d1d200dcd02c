//! `OVER` windows: every row with the values of functions over the rows around it.
//!
//! # Semantics
//! Every input row is in the output once, with one more column a function. Rows with equal order
//! keys are peers: a `RANGE` frame that ends at the current row takes in all of them, `ROWS`
//! takes them one by one, in the order that [`super::order`] describes. Integer averages are
//! truncated, sums of decimals are exact, sums of floats are added up in the order of the rows,
//! so that equal frames have equal sums.
//!
//! With an event time a row at or behind the watermark is late: it is reported and not taken. So
//! is a row without a time.
//!
//! # State
//! The rows of every partition, in order. Values that are carried on from row to row (an
//! aggregate from the first row on, `DENSE_RANK`) are kept every few rows.
//!
//! # Emission
//! `Updates`: a change recomputes the rows that can see it, and no others; what came out
//! different is taken back and given again, net. `Final`: a row comes out once the watermark has
//! passed its time.
//!
//! # Retention
//! With an event time, and functions that look back only, rows that no later row can see are
//! dropped as the watermark moves. Otherwise rows are kept.

mod kernel;
mod partition;
mod spec;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, is_null, nullif};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_row::{RowConverter, SortField};
use hashbrown::HashSet;

use super::emission::Emission;
use super::event_time::{epoch_millis, split_late};
use super::order::{KeyEncoder, RowBytes};
use super::rows::{NO_ROW, RowStore, load_partitions, save_partitions, take_rows, widen};
use crate::error::NEVER_ADDED;
use crate::expr::{Expression, evaluate, evaluate_mask};
use crate::key::KeyTable;
use crate::state::{Dirty, Persist, StateReader, StateWriter};
use crate::store::held;
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext, Watermark};
pub(crate) use kernel::aggregate;
use kernel::{Argument, Pass, Results, State, exact_column};
use partition::{Entry, Job, Partition, Place, Tie};
use spec::Reach;
pub use spec::{Frame, FrameBound, FrameUnits, FunctionKind, Nulls, OverSpec, WindowFunction};

/// The operator. See the module's documentation.
pub struct Over {
    spec: OverSpec,
    reach: Reach,
    /// How long, in milliseconds, a row can be seen by later ones.
    range_millis: i64,
    input: SchemaRef,
    output: SchemaRef,
    table: KeyTable,
    encoder: KeyEncoder,
    bytes: Option<RowBytes>,
    /// Input columns, then the arguments and defaults of the functions.
    store: RowStore,
    arguments: Vec<Stored>,
    partitions: Vec<Partition>,
    arrivals: u64,
    timers: BTreeSet<(i64, u32)>,
    watermark: Watermark,
    /// Partitions that changed since the last checkpoint.
    dirty: Dirty,
}

/// Which columns of the store a function reads.
#[derive(Debug, Default)]
struct Stored {
    argument: Option<usize>,
    default: Option<usize>,
}

/// What happens to one place of a partition in a step: rows that come (their numbers) or how many
/// go.
struct Change {
    place: Place,
    rows: Vec<u32>,
    time: i64,
    weight: i64,
}

/// A partition's computation before and after its change.
struct Recompute {
    slot: u32,
    from: usize,
    old: Option<Job>,
    new: Job,
}

impl Over {
    /// `OVER` windows over rows of `input`.
    pub fn new(input: &SchemaRef, spec: OverSpec) -> Result<Self> {
        spec.validate(input)?;
        let mut output = input.fields().to_vec();
        let mut stored = input.fields().to_vec();
        let mut arguments = Vec::new();
        for function in &spec.functions {
            output.push(Arc::clone(&function.output));
            let mut keep = |expression: &Expression| -> Result<usize> {
                let data_type = expression.data_type(input)?;
                stored.push(Arc::new(Field::new("x", data_type, true)));
                Ok(stored.len() - 1)
            };
            let argument = function.argument.as_ref().or(function.filter.as_ref());
            arguments.push(Stored {
                argument: argument.map(&mut keep).transpose()?,
                default: function.default.as_ref().map(&mut keep).transpose()?,
            });
        }
        let reach = Reach::new(&spec);
        Ok(Self {
            range_millis: spec.range_millis(input, reach.range_after),
            reach,
            table: KeyTable::for_columns(input, &spec.partition)?,
            encoder: KeyEncoder::new(input, &spec.order)?,
            bytes: (!spec.input_insert_only).then(|| RowBytes::new(input)).transpose()?,
            store: RowStore::new(Arc::new(Schema::new(stored))),
            arguments,
            partitions: Vec::new(),
            arrivals: 0,
            timers: BTreeSet::new(),
            watermark: Watermark::MIN,
            dirty: Dirty::default(),
            output: Arc::new(Schema::new_with_metadata(output, input.metadata().clone())),
            input: Arc::clone(input),
            spec,
        })
    }

    /// The columns of the output.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    fn incoming(&self, deltas: &[Delta], context: &mut StepContext<'_>) -> Result<Delta> {
        let delta = Delta::concat(&self.input, deltas)?;
        let Some(column) = self.spec.event_time else { return Ok(delta) };
        let times = delta.column(column);
        let delta = if times.null_count() > 0 {
            context.report_late(delta.filter(&is_null(times)?)?);
            delta.filter(&is_not_null(times)?)?
        } else {
            delta
        };
        let times = epoch_millis(delta.column(column))?;
        Ok(split_late(delta, &times, context)?.0)
    }

    /// The rows with the arguments of the functions.
    fn with_arguments(&self, delta: &Delta) -> Result<arrow::array::RecordBatch> {
        let batch = delta.batch();
        let mut more: Vec<ArrayRef> = Vec::new();
        for function in &self.spec.functions {
            if let Some(argument) = function.argument.as_ref().or(function.filter.as_ref()) {
                let values = evaluate(argument, batch)?;
                more.push(match &function.filter {
                    Some(filter) => {
                        let mask = evaluate_mask(filter, batch)?;
                        let hidden = mask.iter().map(|keep| Some(keep != Some(true)));
                        nullif(&values, &hidden.collect::<BooleanArray>())?
                    }
                    None => values,
                });
            }
            if let Some(default) = &function.default {
                more.push(evaluate(default, batch)?);
            }
        }
        widen(self.store.schema(), batch, more)
    }

    /// The step's net changes, by partition and place.
    fn changes(&mut self, delta: &Delta) -> Result<Vec<(u32, Change)>> {
        let columns = delta.batch().columns();
        let keys: Vec<ArrayRef> =
            self.spec.partition.iter().map(|&c| Arc::clone(&columns[c])).collect();
        let mut slots = Vec::new();
        self.table.intern(&keys, delta.num_rows(), &mut slots)?;
        self.partitions.resize_with(self.table.capacity(), Partition::default);
        let keys = self.encoder.encode(columns)?;
        let bytes = self.bytes.as_ref().map(|b| b.encode(columns)).transpose()?;
        let times = self.spec.event_time.map(|c| epoch_millis(&columns[c])).transpose()?;
        let mut changes = Vec::with_capacity(delta.num_rows());
        for (row, &slot) in slots.iter().enumerate() {
            self.arrivals += 1;
            let tie = match &bytes {
                Some(bytes) => Tie::Bytes(bytes.row(row).data().into()),
                None => Tie::Arrival(self.arrivals),
            };
            let time = times.as_ref().map_or(i64::MAX, |t| t.value(row));
            let (place, weight) = ((keys.key(row), tie), delta.weight(row));
            if weight < 0 && self.spec.input_insert_only {
                return Err(EngineError::Internal(
                    "a row is taken back from an input that was planned as insert-only".into(),
                ));
            }
            changes.push((slot, Change { place, rows: vec![row as u32], time, weight }));
        }
        changes.sort_by(|a, b| (a.0, &a.1.place).cmp(&(b.0, &b.1.place)));
        changes.dedup_by(|next, kept| {
            let same = next.0 == kept.0 && next.1.place == kept.1.place;
            if same {
                kept.1.weight += next.1.weight;
            }
            same
        });
        changes.retain(|c| c.1.weight != 0);
        for (_, change) in &mut changes {
            let row = change.rows[0];
            change.rows = vec![row; usize::try_from(change.weight).unwrap_or(0)];
        }
        Ok(changes)
    }

    fn apply(&mut self, delta: &Delta) -> Result<Deltas> {
        let changes = self.changes(delta)?;
        let numbers = changes.iter().flat_map(|c| c.1.rows.iter().copied()).collect();
        let mut new_ids = Vec::new();
        let rows = take_rows(&self.with_arguments(delta)?, numbers)?;
        self.store.append(&rows, &mut new_ids)?;
        let updates = self.spec.emission == Emission::Updates;
        let (mut ids, mut removed, mut work) = (Vec::new(), Vec::new(), Vec::new());
        let mut fresh = new_ids.into_iter();
        for group in changes.chunk_by(|a, b| a.0 == b.0) {
            let slot = group[0].0;
            self.dirty.mark(slot);
            let partition = &mut self.partitions[slot as usize];
            let places = (&group[0].1.place, &group[group.len() - 1].1.place);
            let from = partition.start_of_change(places.0, &self.reach);
            // The rows behind the change are the same in the old and in the new order.
            let tail = partition.rows_after_change(places.1, &self.reach);
            let old_length = partition.entries.len();
            // A row that comes at the end has nothing old to be compared with.
            let before = (updates && from < old_length - tail).then(|| {
                let range = (from, old_length - tail);
                let mut job = partition.job(range, &self.spec.frame, &self.reach, &mut ids);
                job.marks.clear();
                job
            });
            merge(partition, group, &mut fresh, &mut removed)?;
            if updates {
                let range = (from, partition.entries.len() - tail);
                let new = partition.job(range, &self.spec.frame, &self.reach, &mut ids);
                work.push(Recompute { slot, from, old: before, new });
            }
            self.set_timer(slot);
        }
        let output = self.compute(work, &ids, &removed)?;
        removed.into_iter().try_for_each(|id| self.store.remove(id))?;
        for group in changes.chunk_by(|a, b| a.0 == b.0) {
            let partition = &mut self.partitions[group[0].0 as usize];
            if partition.entries.is_empty() && partition.base == 0 && partition.due.is_none() {
                *partition = Partition::default();
                self.table.remove(group[0].0);
            }
        }
        Ok(output)
    }

    /// Computes all jobs at once and gives the difference between old and new results.
    fn compute(&mut self, work: Vec<Recompute>, ids: &[u32], removed: &[u32]) -> Result<Deltas> {
        if work.is_empty() {
            return Ok(Deltas::new());
        }
        let jobs: Vec<&Job> = work.iter().flat_map(|w| w.old.iter().chain([&w.new])).collect();
        let wanted = |job: &&Job| {
            let (from, to) = (job.offset + job.from, job.offset + job.to);
            ids[from..to].to_vec()
        };
        let rows: Vec<u32> = jobs.iter().flat_map(wanted).collect();
        let mut columns = Vec::with_capacity(self.spec.functions.len());
        let mut states: Vec<Vec<Vec<State>>> =
            jobs.iter().map(|job| vec![Vec::new(); job.marks.len()]).collect();
        for number in 0..self.spec.functions.len() {
            columns.push(self.function_column(number, &jobs, ids, &rows, &mut states)?);
        }
        let output = self.difference(&work, &rows, columns, removed)?;
        let mut at = 0;
        for recompute in work {
            at += usize::from(recompute.old.is_some());
            let job = recompute.new;
            let partition = &mut self.partitions[recompute.slot as usize];
            let low = job.position - partition.base;
            let states = std::mem::take(&mut states[at]).into_iter();
            let marks = job.marks.iter().map(|mark| mark + low).zip(states).collect();
            partition.keep_states(recompute.from, marks);
            at += 1;
        }
        Ok(output)
    }

    fn function_column(
        &self,
        number: usize,
        jobs: &[&Job],
        ids: &[u32],
        rows: &[u32],
        states: &mut [Vec<Vec<State>>],
    ) -> Result<ArrayRef> {
        let function = &self.spec.functions[number];
        let stored = &self.arguments[number];
        let column = match stored.argument {
            Some(column) => self.store.gather_columns(ids, &[column])?.pop(),
            None => None,
        };
        let argument = Argument::new(function, column.as_ref())?;
        let mut results = Pass::results(function, &argument);
        for (job, states) in jobs.iter().zip(states) {
            let frame = &self.spec.frame;
            let pass = Pass { function, frame, argument: &argument, ids, job, number };
            for (kept, state) in states.iter_mut().zip(pass.run(&mut results)) {
                kept.push(state);
            }
        }
        let data_type = function.output.data_type();
        Ok(match results {
            Results::Exact(values) => exact_column(values, data_type)?,
            Results::Float(values) => {
                let floats = arrow::array::Float64Array::from(values);
                arrow::compute::cast(&floats, data_type)?
            }
            Results::Rows(picked) => {
                let missing = || EngineError::Internal("a window function has no argument".into());
                let argument = stored.argument.ok_or_else(missing)?;
                let values = self.store.gather_columns(&picked, &[argument])?.remove(0);
                match stored.default {
                    Some(default) => {
                        let defaults = self.store.gather_columns(rows, &[default])?.remove(0);
                        // As in Flink a null that LAG finds gives way to the default too.
                        let lag = matches!(function.kind, FunctionKind::Lag(_));
                        let found = |(row, &id): (usize, &u32)| {
                            Some(id != NO_ROW && (!lag || values.is_valid(row)))
                        };
                        let found: BooleanArray = picked.iter().enumerate().map(found).collect();
                        zip(&found, &values, &defaults)?
                    }
                    None => values,
                }
            }
        })
    }

    fn difference(
        &self,
        work: &[Recompute],
        rows: &[u32],
        columns: Vec<ArrayRef>,
        removed: &[u32],
    ) -> Result<Deltas> {
        if work.iter().all(|w| w.old.is_none()) {
            let picks = (0..rows.len() as u32).collect();
            return self.emit(rows, &columns, picks, vec![1; rows.len()]);
        }
        let field = |c: &ArrayRef| SortField::new(c.data_type().clone());
        let converter = RowConverter::new(columns.iter().map(field).collect())?;
        let results = converter.convert_columns(&columns)?;
        let removed: HashSet<u32, foldhash::fast::RandomState> = removed.iter().copied().collect();
        let (mut picks, mut weights) = (Vec::new(), Vec::new());
        let mut start = 0;
        for recompute in work {
            let old_end = start + recompute.old.as_ref().map_or(0, |j| j.to - j.from);
            let new_end = old_end + recompute.new.to - recompute.new.from;
            let (mut old, mut new) = (start, old_end);
            while old < old_end || new < new_end {
                if old < old_end && new < new_end && rows[old] == rows[new] {
                    if results.row(old) != results.row(new) {
                        picks.extend([old as u32, new as u32]);
                        weights.extend([-1, 1]);
                    }
                    (old, new) = (old + 1, new + 1);
                } else if old < old_end && (new == new_end || removed.contains(&rows[old])) {
                    picks.push(old as u32);
                    weights.push(-1);
                    old += 1;
                } else {
                    picks.push(new as u32);
                    weights.push(1);
                    new += 1;
                }
            }
            start = new_end;
        }
        self.emit(rows, &columns, picks, weights)
    }

    fn emit(
        &self,
        rows: &[u32],
        columns: &[ArrayRef],
        picks: Vec<u32>,
        weights: Vec<i64>,
    ) -> Result<Deltas> {
        if picks.is_empty() {
            return Ok(Deltas::new());
        }
        let ids: Vec<u32> = picks.iter().map(|&at| rows[at as usize]).collect();
        let inputs: Vec<usize> = (0..self.input.fields().len()).collect();
        let mut all = self.store.gather_columns(&ids, &inputs)?;
        let picks = arrow::array::UInt32Array::from(picks);
        for column in columns {
            all.push(arrow::compute::take(column, &picks, None)?);
        }
        let batch = crate::expr::record_batch(&self.output, all, ids.len())?;
        if weights.iter().all(|w| *w == 1) {
            return Ok(vec![Delta::insert_only(batch)]);
        }
        Ok(vec![Delta::weighted(batch, Int64Array::from(weights))])
    }

    /// Notes when the watermark has something to do for a partition.
    fn set_timer(&mut self, slot: u32) {
        if self.spec.event_time.is_none() {
            return;
        }
        let partition = &mut self.partitions[slot as usize];
        let later = |time: &i64| !self.watermark.passed(*time);
        let last = partition.entries.last().map(|e| e.time);
        let next = match self.spec.emission {
            Emission::Final => partition.entries.get(partition.settled).map(|e| e.time),
            Emission::Updates => partition.due.or(last.filter(later)),
        };
        let expiry = last.map(|t| t.saturating_add(self.range_millis).saturating_add(1));
        let due = next.or(expiry.filter(later).filter(|_| self.reach.range_after > 0));
        if due != partition.due {
            if let Some(old) = partition.due {
                self.timers.remove(&(old, slot));
            }
            self.timers.extend(due.map(|due| (due, slot)));
            partition.due = due;
        }
    }

    /// Gives out what the watermark has settled and drops what no later row can see.
    fn advance(&mut self, watermark: Watermark) -> Result<Deltas> {
        self.watermark = watermark;
        let mut due = Vec::new();
        while let Some(&(time, slot)) = self.timers.first()
            && watermark.passed(time)
        {
            self.timers.pop_first();
            self.partitions[slot as usize].due = None;
            self.dirty.mark(slot);
            due.push(slot);
        }
        let (mut ids, mut work) = (Vec::new(), Vec::new());
        for &slot in &due {
            let partition = &mut self.partitions[slot as usize];
            let passed = partition.entries.partition_point(|e| watermark.passed(e.time));
            if self.spec.emission == Emission::Final && passed > partition.settled {
                let from = partition.settled;
                let new = partition.job((from, passed), &self.spec.frame, &self.reach, &mut ids);
                work.push(Recompute { slot, from, old: None, new });
                partition.settled = passed;
            }
        }
        let output = self.compute(work, &ids, &[])?;
        for slot in due {
            self.evict(slot, watermark)?;
            self.set_timer(slot);
        }
        Ok(output)
    }

    fn evict(&mut self, slot: u32, watermark: Watermark) -> Result<()> {
        if !self.reach.looks_back_only() {
            return Ok(());
        }
        let partition = &mut self.partitions[slot as usize];
        let passed = partition.entries.partition_point(|e| watermark.passed(e.time));
        let rows = usize::try_from(self.reach.rows_after).unwrap_or(usize::MAX);
        let mut count = passed.saturating_sub(rows);
        if self.reach.range_after > 0 {
            let horizon = watermark.0.saturating_sub(self.range_millis);
            count = count.min(partition.entries.partition_point(|e| e.time < horizon));
        }
        for id in partition.evict(count, &self.reach) {
            self.store.remove(id)?;
        }
        let needed = self.reach.running || self.reach.positions;
        if partition.entries.is_empty() && !needed {
            *partition = Partition::default();
            self.table.remove(slot);
        }
        Ok(())
    }
}

impl Operator for Over {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let deltas: Deltas = inputs.into_iter().flatten().filter(|d| !d.is_empty()).collect();
        let mut output = Deltas::new();
        if !deltas.is_empty() {
            let delta = self.incoming(&deltas, context)?;
            if !delta.is_empty() {
                output = self.apply(&delta)?;
            }
        }
        if self.spec.event_time.is_some() {
            output.extend(self.advance(context.watermark())?);
        }
        Ok(output)
    }

    fn state_rows(&self) -> usize {
        self.store.len()
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.store.bytes() + held(&self.partitions)
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        out.value("arrivals", &self.arrivals)?;
        out.value("watermark", &self.watermark.0)?;
        let Self { table, dirty, store, partitions, .. } = self;
        save_partitions(out, (table, dirty, store), |slot, out| {
            partitions[slot as usize].put(out);
        })
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        for part in 0..from.parts() {
            self.arrivals = self.arrivals.max(from.value(part, "arrivals")?);
            self.watermark = self.watermark.max(Watermark(from.value(part, "watermark")?));
        }
        let Self { table, dirty, store, partitions, timers, .. } = self;
        load_partitions(from, (table, dirty, store), |slot, input, id_now| {
            let mut partition: Partition = input.get()?;
            partition.renumber(id_now);
            timers.extend(partition.due.map(|due| (due, slot)));
            let at = slot as usize;
            if at >= partitions.len() {
                partitions.resize_with(at + 1, Partition::default);
            }
            partitions[at] = partition;
            Ok(())
        })
    }
}

/// Brings a partition's rows up to date.
fn merge(
    partition: &mut Partition,
    group: &[(u32, Change)],
    fresh: &mut impl Iterator<Item = u32>,
    removed: &mut Vec<u32>,
) -> Result<()> {
    let entries = &mut partition.entries;
    let first = &group[0].1.place;
    let mut rest = entries.split_off(entries.partition_point(|e| e.place < *first)).into_iter();
    let mut next = rest.next();
    for (_, change) in group {
        while let Some(entry) = next.take_if(|e| e.place < change.place) {
            entries.push(entry);
            next = rest.next();
        }
        for _ in change.weight..0 {
            let Some(entry) = next.take_if(|e| e.place == change.place) else {
                return Err(EngineError::Data(format!("an OVER window: {NEVER_ADDED}")));
            };
            removed.push(entry.id);
            next = rest.next();
        }
        let place = &change.place;
        let entry = |id| Entry { place: place.clone(), id, time: change.time };
        entries.extend(fresh.by_ref().take(change.rows.len()).map(entry));
    }
    entries.extend(next);
    entries.extend(rest);
    Ok(())
}

#[cfg(test)]
mod tests;
