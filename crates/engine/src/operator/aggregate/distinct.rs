//! `DISTINCT` aggregates: one table of (group, value) for all calls over the same arguments.
//!
//! Calls that differ only in function or `FILTER` share the table; each filter has a count of its
//! own for every entry. An inner accumulator sees an entry come (weight `+1`) when its count leaves
//! zero and go (`-1`) when it returns there.

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Int32Type};
use std::sync::Arc;

use crate::key::KeyTable;
use crate::{Delta, Result};

use super::accumulator::{Accumulator, Update, create, filter_mask};
use super::{AggregateCall, pick};

pub(super) struct Distinct {
    arguments: Vec<usize>,
    insert_only: bool,
    entries: KeyTable,
    /// Entry × filter variant: how many rows there are.
    counts: Vec<i64>,
    variants: Vec<Variant>,
    slots: Vec<u32>,
}

/// All calls with one `FILTER`, in the order of the outputs.
struct Variant {
    filter: Option<usize>,
    calls: Vec<(usize, Box<dyn Accumulator>)>,
}

impl Distinct {
    pub fn new(arguments: &[usize], types: &[DataType], insert_only: bool) -> Result<Self> {
        let mut key = vec![DataType::Int32];
        key.extend(types.iter().cloned());
        Ok(Self {
            arguments: arguments.to_vec(),
            insert_only,
            entries: KeyTable::new(key)?,
            counts: Vec::new(),
            variants: Vec::new(),
            slots: Vec::new(),
        })
    }

    pub fn arguments(&self) -> &[usize] {
        &self.arguments
    }

    /// Adds a call; its result is the next of [`Distinct::evaluate`].
    pub fn add(&mut self, call: &AggregateCall, types: &[DataType]) -> Result<()> {
        let order = self.variants.iter().map(|v| v.calls.len()).sum();
        let accumulator = create(call, types, self.insert_only)?;
        let found = self.variants.iter_mut().find(|v| v.filter == call.filter);
        match found {
            Some(variant) => variant.calls.push((order, accumulator)),
            None => {
                let calls = vec![(order, accumulator)];
                self.variants.push(Variant { filter: call.filter, calls });
            }
        }
        Ok(())
    }

    pub fn update(&mut self, capacity: usize, slots: &[u32], delta: &Delta) -> Result<()> {
        let arguments: Vec<ArrayRef> =
            self.arguments.iter().map(|&a| delta.column(a).clone()).collect();
        let groups = Int32Array::from_iter_values(slots.iter().map(|&s| s as i32));
        let mut key: Vec<ArrayRef> = vec![Arc::new(groups)];
        key.extend(arguments.iter().cloned());
        let mut entries = std::mem::take(&mut self.slots);
        self.entries.intern(&key, slots.len(), &mut entries)?;
        let variants = self.variants.len();
        self.counts.resize(self.entries.capacity() * variants, 0);
        for (v, variant) in self.variants.iter_mut().enumerate() {
            let filter = filter_mask(variant.filter.map(|f| delta.column(f)))?;
            let update = Update {
                slots: &entries,
                arguments: &arguments,
                weights: delta.weights(),
                filter: filter.as_ref(),
            };
            let counts = &mut self.counts;
            let (mut rows, mut weights) = (Vec::new(), Vec::new());
            update.for_each(|row, entry, weight| {
                let count = &mut counts[entry * variants + v];
                let change = i64::from(*count + weight > 0) - i64::from(*count > 0);
                *count += weight;
                if change != 0 {
                    rows.push(row as u32);
                    weights.push(change);
                }
            });
            variant.apply(capacity, slots, &arguments, &rows, &weights)?;
        }
        if !self.insert_only {
            self.remove_gone(&entries);
        }
        self.slots = entries;
        Ok(())
    }

    fn remove_gone(&mut self, entries: &[u32]) {
        let variants = self.variants.len();
        for &entry in entries {
            let at = entry as usize * variants;
            if self.counts[at..at + variants].iter().all(|&c| c == 0) {
                // A second occurrence of the entry in this delta finds nothing to remove.
                self.entries.remove(entry);
            }
        }
    }

    /// The results of all calls, in the order in which they were added.
    pub fn evaluate(&mut self, capacity: usize, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut results = Vec::new();
        for variant in &mut self.variants {
            for (order, accumulator) in &mut variant.calls {
                accumulator.resize(capacity);
                results.push((*order, accumulator.evaluate(slots)?));
            }
        }
        results.sort_by_key(|(order, _)| *order);
        Ok(results.into_iter().map(|(_, column)| column).collect())
    }

    /// Makes groups empty again. Entries of a group go with it.
    pub fn clear(&mut self, slots: &[u32]) {
        let all: Vec<u32> = self.entries.iter_slots().collect();
        let dying: hashbrown::HashSet<i32> = slots.iter().map(|&s| s as i32).collect();
        if let Ok(columns) = self.entries.keys(&all) {
            let groups = columns[0].as_primitive::<Int32Type>();
            debug_assert_eq!(groups.len(), all.len());
            let variants = self.variants.len();
            for (&entry, group) in all.iter().zip(groups.values()) {
                if dying.contains(group) {
                    let at = entry as usize * variants;
                    self.counts[at..at + variants].fill(0);
                    self.entries.remove(entry);
                }
            }
        }
        for (_, accumulator) in self.variants.iter_mut().flat_map(|v| &mut v.calls) {
            accumulator.clear(slots);
        }
    }
}

impl Variant {
    fn apply(
        &mut self,
        capacity: usize,
        slots: &[u32],
        arguments: &[ArrayRef],
        rows: &[u32],
        weights: &[i64],
    ) -> Result<()> {
        self.calls.iter_mut().for_each(|(_, a)| a.resize(capacity));
        if rows.is_empty() {
            return Ok(());
        }
        let slots: Vec<u32> = rows.iter().map(|&row| slots[row as usize]).collect();
        let picked = arguments.iter().map(|a| pick(a, rows)).collect::<Result<Vec<_>>>()?;
        for (_, accumulator) in &mut self.calls {
            accumulator.update(&Update {
                slots: &slots,
                arguments: &picked,
                weights: Some(weights),
                filter: None,
            })?;
        }
        Ok(())
    }
}
