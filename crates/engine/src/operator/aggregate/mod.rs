//! Grouped aggregation over changing rows.
//!
//! # Semantics
//! For every key the aggregates of the rows that are there now. Without keys there is one group,
//! and it has a row even before the first input row (`COUNT` of nothing is 0), as in SQL.
//! With a [`WindowRetention`] the group belongs to a window that ends: rows for an ended window
//! are late.
//! # State
//! A slot a key ([`KeyTable`]), how many rows it has, and the accumulators' columns by slot.
//! # Emission
//! [`Emission::Updates`]: the net change of every touched group, at the end of the step.
//! [`Emission::Final`]: a window's rows once, when the watermark passes its end.
//! # Retention
//! A group without rows is dropped at once; the groups of a window when the watermark passes it.
//! With a time to live a group is forgotten so long after its last row, by the step's clock, and
//! nothing is taken back: what it answered last stays the answer, and a later row of its key
//! begins anew. A row that is taken back from a group that is forgotten is ignored.

mod accumulator;
mod collect;
mod combine;
mod distinct;
mod extremum;
mod moments;
mod position;
mod state;
mod sum;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zone_tests;

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};

use crate::error::NEVER_ADDED;
use crate::executor::epoch_ms;
use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::operator::Emission;
use crate::state::{Dirty, StateReader, StateWriter};
use crate::store::{Leases, held};
use crate::{Delta, Deltas, EngineError, LocalZone, Operator, Result, StepContext};

pub use combine::{Combine, CombineSpec};

use accumulator::{Accumulator, Update};
use distinct::Distinct;

/// What an aggregate computes. All ignore null arguments unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// How many rows there are; with an argument, how many where it is not null.
    Count,
    /// The sum; null over nothing. Integers wrap, as Flink's do.
    Sum,
    /// The sum; zero over nothing.
    Sum0,
    /// The mean, in the output type: an integer mean truncates, a decimal one rounds half up.
    Avg,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// Population variance.
    VarPop,
    /// Sample variance; null under two values.
    VarSamp,
    /// Population standard deviation.
    StddevPop,
    /// Sample standard deviation; null under two values.
    StddevSamp,
    /// The first value in order of arrival.
    FirstValue,
    /// The last value in order of arrival.
    LastValue,
    /// The only value: an error where there are two rows (a scalar subquery).
    SingleValue,
    /// The values as text, joined by the second argument (`,` without).
    ListAgg,
    /// The values as an array, nulls included.
    ArrayAgg,
    /// The values as a multiset: a map from value to count.
    Collect,
    /// The value at a fraction of the order (second argument), interpolated.
    Percentile,
    /// The values, which are JSON, as a JSON array.
    JsonArray,
    /// The values, which are members `"key":value`, as a JSON object.
    JsonObject,
}

/// One aggregate of a query. Arguments and filter are columns of the operator's input.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// What to compute.
    pub function: AggregateFunction,
    /// The columns of its arguments.
    pub arguments: Vec<usize>,
    /// The Boolean column of its `FILTER`.
    pub filter: Option<usize>,
    /// Whether equal arguments count once.
    pub distinct: bool,
    /// The result's column.
    pub output: FieldRef,
}

/// Groups that belong to windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowRetention {
    /// Which of the keys (by position among the keys) is the window's end.
    pub end_key: usize,
    /// The zone in whose local time the end is.
    pub zone: LocalZone,
}

impl WindowRetention {
    /// The moments after the windows whose ends are in `column`.
    fn ends(&self, column: &ArrayRef) -> Result<Int64Array> {
        Ok(self.zone.ends(epoch_ms(column)?))
    }
}

/// What an [`Aggregate`] computes.
#[derive(Debug, Clone)]
pub struct AggregateSpec {
    /// The columns of the input.
    pub input: SchemaRef,
    /// The columns of the grouping key.
    pub keys: Vec<usize>,
    /// The aggregates, in output order.
    pub calls: Vec<AggregateCall>,
    /// Keys, then aggregates.
    pub output: SchemaRef,
    /// Whether the input never takes a row back.
    pub input_insert_only: bool,
    /// When groups are forgotten.
    pub window: Option<WindowRetention>,
    /// When results come out.
    pub emission: Emission,
    /// How long a group is kept after its last row, by the clock; `None`: for ever. Groups of
    /// windows and the one group of a grouping without keys have no such end.
    pub ttl_ms: Option<i64>,
}

/// The operator. See the module's documentation.
pub struct Aggregate {
    spec: AggregateSpec,
    keys: KeyTable,
    /// Rows in each group.
    rows: Vec<i64>,
    /// The last step that touched each group.
    touched_at: Vec<u64>,
    accumulators: Vec<Calls>,
    /// The groups of each open window by the moment of its end in epoch milliseconds.
    windows: BTreeMap<i64, Vec<u32>>,
    /// Where there is a time to live.
    leases: Option<Leases>,
    started: bool,
    /// Groups that changed since the last checkpoint.
    dirty: Dirty,
}

/// Calls that are computed together, and the positions of their results.
enum Calls {
    Plain { output: usize, call: AggregateCall, accumulator: Box<dyn Accumulator> },
    Distinct { outputs: Vec<usize>, distinct: Distinct },
}

/// A delta with what was worked out for it: each row's slot.
struct Keyed {
    delta: Delta,
    slots: Vec<u32>,
}

impl Aggregate {
    /// An aggregation without any group yet.
    pub fn new(spec: AggregateSpec) -> Result<Self> {
        if spec.emission == Emission::Final && spec.window.is_none() {
            return Err(EngineError::Internal("final results need a window that ends".into()));
        }
        let keys = KeyTable::for_columns(&spec.input, &spec.keys)?;
        let mut accumulators: Vec<Calls> = Vec::new();
        for (output, call) in spec.calls.iter().enumerate() {
            add_call(&mut accumulators, &spec, output, call)?;
        }
        let lives = spec.window.is_none() && !spec.keys.is_empty();
        Ok(Self {
            leases: spec.ttl_ms.filter(|_| lives).map(Leases::new),
            spec,
            keys,
            rows: Vec::new(),
            touched_at: Vec::new(),
            accumulators,
            windows: BTreeMap::new(),
            started: false,
            dirty: Dirty::default(),
        })
    }

    fn key_columns(&self, delta: &Delta) -> Vec<ArrayRef> {
        self.spec.keys.iter().map(|&k| delta.column(k).clone()).collect()
    }

    /// Rows for windows that have ended go to the late rows; the others stay.
    fn without_late(&self, delta: Delta, context: &mut StepContext<'_>) -> Result<Delta> {
        let Some(window) = self.spec.window else { return Ok(delta) };
        let before = context.watermark_before().0;
        if before == i64::MIN && delta.arrival().is_none() {
            return Ok(delta);
        }
        let ends = window.ends(delta.column(self.spec.keys[window.end_key]))?;
        let arrival = delta.arrival();
        let in_time = |row: usize| {
            let watermark = arrival.map_or(before, |a| a[row]);
            ends.is_null(row) || ends.value(row) - 1 > watermark
        };
        let mask: BooleanArray = (0..delta.num_rows()).map(|r| Some(in_time(r))).collect();
        if mask.true_count() == delta.num_rows() {
            return Ok(delta);
        }
        context.report_late(delta.filter(&arrow::compute::not(&mask)?)?);
        delta.filter(&mask)
    }

    /// Finds each row's group. Groups seen for the first time in this step go to `touched`.
    fn assign(&mut self, delta: Delta, step: u64, touched: &mut Vec<u32>) -> Result<Keyed> {
        let mut slots = Vec::new();
        let columns = self.key_columns(&delta);
        self.keys.intern(&columns, delta.num_rows(), &mut slots)?;
        self.rows.resize(self.keys.capacity(), 0);
        self.touched_at.resize(self.keys.capacity(), 0);
        let ends = match self.spec.window {
            Some(window) => Some(window.ends(&columns[window.end_key])?),
            None => None,
        };
        for (row, &slot) in slots.iter().enumerate() {
            let at = &mut self.touched_at[slot as usize];
            if *at == step {
                continue;
            }
            if *at == 0
                && let Some(ends) = &ends
                && ends.is_valid(row)
            {
                self.windows.entry(ends.value(row)).or_default().push(slot);
            }
            *at = step;
            touched.push(slot);
        }
        Ok(Keyed { delta, slots })
    }

    /// Leaves out rows that are taken back from groups that do not have them any more. `there` are
    /// the rows that the step has brought to each group so far.
    fn without_forgotten(
        &self,
        keyed: Keyed,
        there: &mut hashbrown::HashMap<u32, i64, foldhash::fast::RandomState>,
    ) -> Result<Keyed> {
        let Some(weights) = keyed.delta.weights() else {
            for &slot in &keyed.slots {
                *there.entry(slot).or_default() += 1;
            }
            return Ok(keyed);
        };
        let mut mask = Vec::with_capacity(weights.len());
        for (&slot, &weight) in keyed.slots.iter().zip(weights) {
            let brought = there.entry(slot).or_default();
            let known = self.rows[slot as usize] + *brought + weight >= 0;
            if known {
                *brought += weight;
            }
            mask.push(known);
        }
        if mask.iter().all(|known| *known) {
            return Ok(keyed);
        }
        let kept = keyed.slots.iter().zip(&mask).filter(|(_, known)| **known);
        let slots = kept.map(|(slot, _)| *slot).collect();
        Ok(Keyed { delta: keyed.delta.filter(&BooleanArray::from(mask))?, slots })
    }

    /// Forgets the groups whose time to live has passed.
    fn expire(&mut self, clock_ms: i64) {
        if let Some(leases) = &mut self.leases {
            let expired = leases.take_expired(clock_ms);
            self.forget(&expired);
        }
    }

    fn update(&mut self, keyed: &Keyed) -> Result<()> {
        let weights = keyed.delta.weights();
        match weights {
            None => keyed.slots.iter().for_each(|&slot| self.rows[slot as usize] += 1),
            Some(weights) => {
                for (&slot, weight) in keyed.slots.iter().zip(weights) {
                    self.rows[slot as usize] += weight;
                }
            }
        }
        let capacity = self.keys.capacity();
        for calls in &mut self.accumulators {
            match calls {
                Calls::Plain { call, accumulator, .. } => {
                    let arguments: Vec<ArrayRef> =
                        call.arguments.iter().map(|&a| keyed.delta.column(a).clone()).collect();
                    let filter = call.filter.map(|f| keyed.delta.column(f));
                    accumulator.resize(capacity);
                    accumulator.update(&Update {
                        slots: &keyed.slots,
                        arguments: &arguments,
                        weights,
                        filter: accumulator::filter_mask(filter)?.as_ref(),
                    })?;
                }
                Calls::Distinct { distinct, .. } => {
                    distinct.update(capacity, &keyed.slots, &keyed.delta)?;
                }
            }
        }
        Ok(())
    }

    /// The result columns of the given groups, in output order.
    fn results(&mut self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let capacity = self.keys.capacity();
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.spec.calls.len()];
        for calls in &mut self.accumulators {
            match calls {
                Calls::Plain { output, accumulator, .. } => {
                    accumulator.resize(capacity);
                    columns[*output] = Some(accumulator.evaluate(slots)?);
                }
                Calls::Distinct { outputs, distinct } => {
                    for (output, column) in outputs.iter().zip(distinct.evaluate(capacity, slots)?)
                    {
                        columns[*output] = Some(column);
                    }
                }
            }
        }
        let missing = || EngineError::Internal("an aggregate without a result".into());
        columns.into_iter().map(|c| c.ok_or_else(missing)).collect()
    }

    fn output(&self, slots: &[u32], results: &[ArrayRef], weight: i64) -> Result<Delta> {
        let mut columns = self.keys.keys(slots)?;
        columns.extend(results.iter().cloned());
        Ok(Delta::uniform(record_batch(&self.spec.output, columns, slots.len())?, weight))
    }

    fn clear_calls(&mut self, slots: &[u32]) {
        for calls in &mut self.accumulators {
            match calls {
                Calls::Plain { accumulator, .. } => accumulator.clear(slots),
                Calls::Distinct { distinct, .. } => distinct.clear(slots),
            }
        }
    }

    fn forget(&mut self, slots: &[u32]) {
        self.clear_calls(slots);
        self.dirty.mark_all(slots);
        for &slot in slots {
            self.rows[slot as usize] = 0;
            self.touched_at[slot as usize] = 0;
            self.keys.remove(slot);
            if let Some(leases) = &mut self.leases {
                leases.end(slot);
            }
        }
    }

    /// Forgets every group; `slots` are all there are.
    fn forget_all(&mut self, slots: &[u32]) {
        self.clear_calls(slots);
        self.rows.clear();
        self.touched_at.clear();
        self.keys.clear();
    }

    /// The one group of an aggregation without keys exists from the start, in the first shard.
    fn start(&mut self, context: &StepContext<'_>, touched: &mut Vec<u32>) -> Result<bool> {
        let first = !std::mem::replace(&mut self.started, true);
        if !first || !self.spec.keys.is_empty() || context.shard != 0 {
            return Ok(false);
        }
        let mut slots = Vec::new();
        self.keys.intern(&[], 1, &mut slots)?;
        self.rows.resize(1, 0);
        self.touched_at.resize(1, 0);
        self.touched_at[0] = context.step;
        touched.push(0);
        Ok(true)
    }

    /// Whether a group has a result row now.
    fn exists(&self, slot: u32) -> bool {
        self.spec.keys.is_empty() || self.rows[slot as usize] > 0
    }

    fn step_updates(&mut self, keyed: &[Keyed], touched: &[u32], started: bool) -> Result<Deltas> {
        let old: Vec<u32> =
            touched.iter().copied().filter(|&s| self.exists(s) && !started).collect();
        let before = self.results(&old)?;
        for keyed in keyed {
            self.update(keyed)?;
        }
        let new: Vec<u32> = touched.iter().copied().filter(|&s| self.exists(s)).collect();
        let after = self.results(&new)?;
        let mut output = self.net_change((&old, &before), (&new, &after))?;
        output.retain(|d| !d.is_empty());
        let dead: Vec<u32> = touched.iter().copied().filter(|&s| !self.exists(s)).collect();
        if let Some(&slot) = dead.iter().find(|&&s| self.rows[s as usize] < 0) {
            let key = self.keys.keys(&[slot])?;
            return Err(EngineError::Data(format!("the group {key:?}: {NEVER_ADDED}")));
        }
        if self.spec.window.is_none() {
            self.forget(&dead);
        }
        Ok(output)
    }

    /// Old rows taken back and new rows added, without the groups whose result stayed the same.
    /// `old` and `new` are in the order in which the groups were touched.
    fn net_change(
        &self,
        (old, before): (&[u32], &[ArrayRef]),
        (new, after): (&[u32], &[ArrayRef]),
    ) -> Result<Deltas> {
        let (at_old, at_new) = common(old, new);
        let same = match self.spec.calls.is_empty() {
            true => Some(BooleanArray::from(vec![true; at_old.len()])),
            false => {
                let before = pick_all(before, &at_old, old.len())?;
                let after = pick_all(after, &at_new, new.len())?;
                accumulator::equal_rows(&before, &after)?
            }
        };
        let mut output = Vec::with_capacity(2);
        for (slots, results, at, weight) in [(old, before, at_old, -1), (new, after, at_new, 1)] {
            let mut changed = vec![true; slots.len()];
            if let Some(same) = &same {
                let unchanged = at.iter().enumerate().filter(|(i, _)| same.value(*i));
                unchanged.for_each(|(_, &row)| changed[row as usize] = false);
            }
            let kept = changed.iter().filter(|c| **c).count();
            if kept == slots.len() && kept > 0 {
                output.push(self.output(slots, results, weight)?);
            } else if kept > 0 {
                let rows: Vec<u32> =
                    (0..slots.len() as u32).filter(|&row| changed[row as usize]).collect();
                let slots: Vec<u32> = rows.iter().map(|&row| slots[row as usize]).collect();
                let results = results.iter().map(|r| pick(r, &rows)).collect::<Result<Vec<_>>>()?;
                output.push(self.output(&slots, &results, weight)?);
            }
        }
        Ok(output)
    }

    /// The groups of the windows that the watermark has passed.
    fn close_windows(&mut self, watermark: i64) -> Vec<u32> {
        let open = match watermark.checked_add(2) {
            Some(bound) => self.windows.split_off(&bound),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut self.windows, open).into_values().flatten().collect()
    }
}

fn add_call(
    all: &mut Vec<Calls>,
    spec: &AggregateSpec,
    output: usize,
    call: &AggregateCall,
) -> Result<()> {
    let types: Vec<DataType> =
        call.arguments.iter().map(|&a| spec.input.field(a).data_type().clone()).collect();
    if !call.distinct {
        let accumulator = accumulator::create(call, &types, spec.input_insert_only)?;
        all.push(Calls::Plain { output, call: call.clone(), accumulator });
        return Ok(());
    }
    for calls in all.iter_mut() {
        if let Calls::Distinct { outputs, distinct } = calls
            && distinct.arguments() == call.arguments
        {
            outputs.push(output);
            return distinct.add(call, &types);
        }
    }
    let mut distinct = Distinct::new(&call.arguments, &types, spec.input_insert_only)?;
    distinct.add(call, &types)?;
    all.push(Calls::Distinct { outputs: vec![output], distinct });
    Ok(())
}

impl Operator for Aggregate {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let mut touched = Vec::new();
        let started = self.start(context, &mut touched)?;
        self.expire(context.clock_ms);
        let mut keyed = Vec::new();
        let mut there = hashbrown::HashMap::default();
        for delta in inputs.into_iter().flatten() {
            let delta = self.without_late(delta, context)?;
            if delta.is_empty() {
                continue;
            }
            let rows = self.assign(delta, context.step, &mut touched)?;
            keyed.push(match self.leases.is_some() && !self.spec.input_insert_only {
                true => self.without_forgotten(rows, &mut there)?,
                false => rows,
            });
        }
        self.dirty.mark_all(&touched);
        if let Some(leases) = &mut self.leases {
            touched.iter().for_each(|&slot| leases.renew(slot, context.clock_ms));
        }
        let mut output = Deltas::new();
        match self.spec.emission {
            Emission::Updates if touched.is_empty() => {}
            Emission::Updates => {
                output = self.step_updates(&keyed, &touched, started)?;
            }
            Emission::Final => {
                for keyed in &keyed {
                    self.update(keyed)?;
                }
            }
        }
        if self.spec.window.is_some() {
            let closed = self.close_windows(context.watermark().0);
            let with_rows: Vec<u32> = closed.iter().copied().filter(|&s| self.exists(s)).collect();
            if self.spec.emission == Emission::Final && !with_rows.is_empty() {
                let results = self.results(&with_rows)?;
                output.push(self.output(&with_rows, &results, 1)?);
            }
            if !closed.is_empty() {
                self.forget(&closed);
            }
        }
        Ok(output)
    }

    fn state_rows(&self) -> usize {
        self.keys.len()
    }

    fn state_bytes(&self) -> usize {
        let of = |calls: &Calls| match calls {
            Calls::Plain { accumulator, .. } => accumulator.bytes(),
            Calls::Distinct { distinct, .. } => distinct.bytes(),
        };
        let calls = self.accumulators.iter().map(of).sum::<usize>();
        self.keys.bytes() + held(&self.rows) + held(&self.touched_at) + calls
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        self.save(out)
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        self.load(from)
    }
}

/// The positions in `old` and `new` of what both hold; what both hold is in the same order there.
fn common(old: &[u32], new: &[u32]) -> (Vec<u32>, Vec<u32>) {
    if old == new {
        let all: Vec<u32> = (0..old.len() as u32).collect();
        return (all.clone(), all);
    }
    let positions: hashbrown::HashMap<u32, u32, foldhash::fast::RandomState> =
        new.iter().enumerate().map(|(at, &slot)| (slot, at as u32)).collect();
    let both = old.iter().enumerate();
    both.filter_map(|(at, slot)| Some((at as u32, *positions.get(slot)?))).unzip()
}

/// The given rows of all columns; the columns themselves where that is all rows.
fn pick_all(columns: &[ArrayRef], rows: &[u32], total: usize) -> Result<Vec<ArrayRef>> {
    if rows.len() == total {
        return Ok(columns.to_vec());
    }
    columns.iter().map(|c| pick(c, rows)).collect()
}

/// A selection of rows with weights of their own: how `DISTINCT` and `FILTER` hand rows on.
pub(super) fn pick(column: &ArrayRef, rows: &[u32]) -> Result<ArrayRef> {
    Ok(arrow::compute::take(column, &UInt32Array::from(rows.to_vec()), None)?)
}
