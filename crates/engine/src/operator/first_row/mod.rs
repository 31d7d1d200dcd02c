//! The first row of each key by event time, which is
//! `ROW_NUMBER() OVER (PARTITION BY key ORDER BY time) = 1`.
//!
//! # Semantics
//! Of the rows of a key the one with the least time is in the output, of several the one that came
//! first. As in Flink a row at or behind the watermark is late: it is reported, also where its key
//! has no row yet. So is a row without a time. The input must be insert-only.
//!
//! # State
//! The first row of each key until the watermark has passed its time, then the key alone.
//!
//! # Emission
//! `Updates`: at once; a row that comes later but is earlier replaces it. `Final`: when the
//! watermark passes the row's time, and then for good.
//!
//! # Retention
//! Keys are kept for ever: a key that was forgotten would have another first row.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::compute::{is_not_null, is_null};
use arrow::datatypes::SchemaRef;

use super::Emission;
use super::event_time::{epoch_millis, split_late};
use super::order::{Key, KeyEncoder, SortColumn};
use super::rows::{NO_ROW, RowStore, load_partitions, save_partitions, take_rows};
use crate::key::KeyTable;
use crate::state::{Dirty, Persist, StateReader, StateWriter};
use crate::store::held;
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext, Watermark};

/// A row of the step that is not in the store yet: its number, marked.
const FRESH: u32 = 1 << 31;

/// Which rows are first of what.
#[derive(Debug, Clone)]
pub struct FirstRowSpec {
    /// The key; none: all rows have one.
    pub partition: Vec<usize>,
    /// The event time.
    pub time: usize,
    /// When a row comes out.
    pub emission: Emission,
}

/// What is known of a key.
enum Entry {
    Unknown,
    /// Its first row so far: the order of its time, the time in milliseconds, its id.
    First {
        key: Key,
        time: i64,
        id: u32,
    },
    /// The watermark has passed its first row.
    Settled,
}

/// The operator. See the module's documentation.
pub struct FirstRow {
    spec: FirstRowSpec,
    table: KeyTable,
    encoder: KeyEncoder,
    entries: Vec<Entry>,
    store: RowStore,
    /// The keys whose first row has, or had, this time.
    timers: BTreeMap<i64, Vec<u32>>,
    /// Keys that changed since the last checkpoint.
    dirty: Dirty,
}

impl FirstRow {
    /// The first rows of `input`.
    pub fn new(input: &SchemaRef, spec: FirstRowSpec) -> Result<Self> {
        Ok(Self {
            table: KeyTable::for_columns(input, &spec.partition)?,
            encoder: KeyEncoder::new(input, &[SortColumn::ascending(spec.time)])?,
            entries: Vec::new(),
            store: RowStore::new(Arc::clone(input)),
            timers: BTreeMap::new(),
            dirty: Dirty::default(),
            spec,
        })
    }

    /// The rows of the step that are in time.
    fn incoming(&self, deltas: &[Delta], context: &mut StepContext<'_>) -> Result<Delta> {
        let mut delta = Delta::concat(self.store.schema(), deltas)?;
        if delta.weights().is_some_and(|w| w.iter().any(|w| *w < 0)) {
            return Err(EngineError::Internal(
                "a row is taken back from an input that was planned as insert-only".into(),
            ));
        }
        let times = delta.column(self.spec.time);
        if times.null_count() > 0 {
            context.report_late(delta.filter(&is_null(times)?)?);
            delta = delta.filter(&is_not_null(times)?)?;
        }
        let times = epoch_millis(delta.column(self.spec.time))?;
        Ok(split_late(delta, &times, context)?.0)
    }

    fn apply(&mut self, delta: &Delta) -> Result<Deltas> {
        let columns = delta.batch().columns();
        let keys: Vec<ArrayRef> =
            self.spec.partition.iter().map(|&c| Arc::clone(&columns[c])).collect();
        let mut slots = Vec::new();
        self.table.intern(&keys, delta.num_rows(), &mut slots)?;
        self.entries.resize_with(self.table.capacity(), || Entry::Unknown);
        let order = self.encoder.encode(columns)?;
        let times = epoch_millis(delta.column(self.spec.time))?;
        let (mut touched, mut replaced) = (Vec::new(), Vec::new());
        for (row, &slot) in slots.iter().enumerate() {
            let entry = &mut self.entries[slot as usize];
            match entry {
                Entry::Settled => continue,
                Entry::First { key, .. } if !order.compare(row, key).is_lt() => continue,
                Entry::First { id, .. } if *id & FRESH != 0 => {}
                Entry::First { id, .. } => {
                    replaced.push(*id);
                    touched.push(slot);
                }
                Entry::Unknown => touched.push(slot),
            }
            let (key, time) = (order.key(row), times.value(row));
            *entry = Entry::First { key, time, id: FRESH | row as u32 };
        }
        self.dirty.mark_all(&touched);
        self.settle_ids(delta, &touched)?;
        let mut out = Deltas::new();
        if self.spec.emission == Emission::Updates {
            if !replaced.is_empty() {
                let weights = Int64Array::from_value(-1, replaced.len());
                out.push(Delta::weighted(self.store.gather(&replaced)?, weights));
            }
            out.extend(self.rows_of(&touched)?);
        }
        replaced.into_iter().try_for_each(|id| self.store.remove(id))?;
        Ok(out)
    }

    /// Keeps the new first rows of some keys.
    fn settle_ids(&mut self, delta: &Delta, touched: &[u32]) -> Result<()> {
        let fresh = |&slot: &u32| match &self.entries[slot as usize] {
            Entry::First { id, .. } => *id & !FRESH,
            Entry::Unknown | Entry::Settled => NO_ROW,
        };
        let rows = take_rows(delta.batch(), touched.iter().map(fresh).collect())?;
        let mut ids = Vec::with_capacity(touched.len());
        self.store.append(&rows, &mut ids)?;
        for (&slot, new) in touched.iter().zip(ids) {
            if let Entry::First { time, id, .. } = &mut self.entries[slot as usize] {
                *id = new;
                self.timers.entry(*time).or_default().push(slot);
            }
        }
        Ok(())
    }

    /// The first rows of some keys, as rows that come.
    fn rows_of(&self, slots: &[u32]) -> Result<Option<Delta>> {
        let id = |&slot: &u32| match &self.entries[slot as usize] {
            Entry::First { id, .. } => Some(*id),
            Entry::Unknown | Entry::Settled => None,
        };
        let ids: Vec<u32> = slots.iter().filter_map(id).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        Ok(Some(Delta::insert_only(self.store.gather(&ids)?)))
    }

    fn is_first_at(&self, slot: u32, at: i64) -> bool {
        match &self.entries[slot as usize] {
            Entry::First { time, .. } => *time == at,
            Entry::Unknown | Entry::Settled => false,
        }
    }

    /// What the watermark has passed is final, and only its key is kept.
    fn advance(&mut self, watermark: Watermark) -> Result<Option<Delta>> {
        let mut due = Vec::new();
        while let Some(timer) = self.timers.first_entry()
            && watermark.passed(*timer.key())
        {
            let (at, slots) = timer.remove_entry();
            // An earlier row may have taken the place, and may be due as well.
            due.extend(slots.into_iter().filter(|&slot| self.is_first_at(slot, at)));
        }
        due.sort_unstable();
        due.dedup();
        self.dirty.mark_all(&due);
        let output = match self.spec.emission {
            Emission::Final => self.rows_of(&due)?,
            Emission::Updates => None,
        };
        for slot in due {
            let entry = std::mem::replace(&mut self.entries[slot as usize], Entry::Settled);
            if let Entry::First { id, .. } = entry {
                self.store.remove(id)?;
            }
        }
        Ok(output)
    }
}

impl Operator for FirstRow {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let deltas: Deltas = inputs.into_iter().flatten().filter(|d| !d.is_empty()).collect();
        let mut out = Deltas::new();
        if !deltas.is_empty() {
            let delta = self.incoming(&deltas, context)?;
            if !delta.is_empty() {
                out = self.apply(&delta)?;
            }
        }
        out.extend(self.advance(context.watermark())?);
        Ok(out)
    }

    fn state_rows(&self) -> usize {
        self.store.len()
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.store.bytes() + held(&self.entries)
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { table, dirty, store, entries, .. } = self;
        save_partitions(out, (table, dirty, store), |slot, out| match &entries[slot as usize] {
            Entry::Unknown => out.push(0),
            Entry::Settled => out.push(1),
            Entry::First { key, time, id } => {
                out.push(2);
                key.put(out);
                time.put(out);
                id.put(out);
            }
        })
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let Self { table, dirty, store, entries, timers, .. } = self;
        load_partitions(from, (table, dirty, store), |slot, input, id_now| {
            let entry = match input.get::<u8>()? {
                0 => Entry::Unknown,
                1 => Entry::Settled,
                _ => {
                    let (key, time, id) = (input.get()?, input.get()?, input.get()?);
                    timers.entry(time).or_default().push(slot);
                    Entry::First { key, time, id: id_now(id) }
                }
            };
            let at = slot as usize;
            if at >= entries.len() {
                entries.resize_with(at + 1, || Entry::Unknown);
            }
            entries[at] = entry;
            Ok(())
        })
    }
}
