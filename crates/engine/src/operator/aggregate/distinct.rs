//! `DISTINCT` aggregates: one table of (group, value) for all calls over the same arguments.
//!
//! Calls that differ only in function or `FILTER` share the table; each filter has a count of its
//! own for every entry. An inner accumulator sees an entry come (weight `+1`) when its count leaves
//! zero and go (`-1`) when it returns there.

use arrow::array::{ArrayRef, Int32Array};
use arrow::datatypes::DataType;
use std::sync::Arc;

use crate::key::{KeyTable, NO_SLOT};
use crate::{Delta, Result};

use crate::state::{Changed, Dirty, Input, Persist, SlotMap, StateReader, StateWriter};
use crate::store::held;

use super::accumulator::{Accumulator, Update, create, filter_mask};
use super::{AggregateCall, pick};

pub(super) struct Distinct {
    arguments: Vec<usize>,
    insert_only: bool,
    entries: KeyTable,
    chains: Chains,
    /// Entry × filter variant: how many rows there are.
    counts: Vec<i64>,
    variants: Vec<Variant>,
    slots: Vec<u32>,
    /// Entries that changed since the last checkpoint.
    dirty: Dirty,
}

/// The entries of each group as a list that is linked both ways, so that a group that goes finds
/// its entries and an entry that goes leaves its group.
#[derive(Debug, Default)]
struct Chains {
    /// The first entry of each group.
    heads: Vec<u32>,
    links: Vec<Link>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    /// The group, [`NO_SLOT`] where the entry is in no list.
    group: u32,
    before: u32,
    after: u32,
}

impl Chains {
    /// Takes up the entries that are in no list yet.
    fn add(&mut self, groups: &[u32], entries: &[u32]) {
        let none = Link { group: NO_SLOT, before: NO_SLOT, after: NO_SLOT };
        for (&group, &entry) in groups.iter().zip(entries) {
            if entry as usize >= self.links.len() {
                self.links.resize(entry as usize + 1, none);
            }
            if self.links[entry as usize].group != NO_SLOT {
                continue;
            }
            if group as usize >= self.heads.len() {
                self.heads.resize(group as usize + 1, NO_SLOT);
            }
            let after = std::mem::replace(&mut self.heads[group as usize], entry);
            if after != NO_SLOT {
                self.links[after as usize].before = entry;
            }
            self.links[entry as usize] = Link { group, before: NO_SLOT, after };
        }
    }

    fn first(&self, group: u32) -> Option<u32> {
        self.heads.get(group as usize).copied().filter(|&entry| entry != NO_SLOT)
    }

    fn remove(&mut self, entry: u32) {
        let Some(link) = self.links.get_mut(entry as usize) else { return };
        let Link { group, before, after } = *link;
        if group == NO_SLOT {
            return;
        }
        link.group = NO_SLOT;
        match before {
            NO_SLOT => self.heads[group as usize] = after,
            before => self.links[before as usize].after = after,
        }
        if after != NO_SLOT {
            self.links[after as usize].before = before;
        }
    }
}

/// All calls with one `FILTER`, in the order of the outputs.
struct Variant {
    filter: Option<usize>,
    calls: Vec<(usize, Box<dyn Accumulator>)>,
}

impl Distinct {
    /// The memory of its tables and columns, in bytes.
    pub fn bytes(&self) -> usize {
        let calls = self.variants.iter().flat_map(|v| &v.calls);
        let calls = calls.map(|(_, accumulator)| accumulator.bytes()).sum::<usize>();
        let chains = held(&self.chains.heads) + held(&self.chains.links);
        self.entries.bytes() + chains + held(&self.counts) + calls
    }

    pub fn new(arguments: &[usize], types: &[DataType], insert_only: bool) -> Result<Self> {
        let mut key = vec![DataType::Int32];
        key.extend(types.iter().cloned());
        Ok(Self {
            arguments: arguments.to_vec(),
            insert_only,
            entries: KeyTable::new(key)?,
            chains: Chains::default(),
            counts: Vec::new(),
            variants: Vec::new(),
            slots: Vec::new(),
            dirty: Dirty::default(),
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
        self.chains.add(slots, &entries);
        self.dirty.mark_all(&entries);
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
                self.chains.remove(entry);
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
        let variants = self.variants.len();
        for &group in slots {
            while let Some(entry) = self.chains.first(group) {
                let at = entry as usize * variants;
                self.counts[at..at + variants].fill(0);
                self.dirty.mark(entry);
                self.chains.remove(entry);
                self.entries.remove(entry);
            }
        }
        for (_, accumulator) in self.variants.iter_mut().flat_map(|v| &mut v.calls) {
            accumulator.clear(slots);
        }
    }
}

/// The name of the table of entries in a checkpoint.
const ENTRIES: &str = "entries";

impl Distinct {
    /// Makes room for groups below `capacity`.
    pub fn resize(&mut self, capacity: usize) {
        let calls = self.variants.iter_mut().flat_map(|v| &mut v.calls);
        calls.for_each(|(_, accumulator)| accumulator.resize(capacity));
    }

    /// Appends what the calls hold of a group to a checkpoint.
    pub fn save_group(&self, slot: usize, out: &mut Vec<u8>) {
        let calls = self.variants.iter().flat_map(|v| &v.calls);
        calls.for_each(|(_, accumulator)| accumulator.save(slot, out));
    }

    /// Reads back what the calls hold of a group; there is room for it.
    pub fn load_group(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        let mut calls = self.variants.iter_mut().flat_map(|v| &mut v.calls);
        calls.try_for_each(|(_, accumulator)| accumulator.load(slot, input))
    }

    /// Writes the entries that changed.
    pub fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { entries, chains, counts, variants, dirty, .. } = self;
        let variants = variants.len();
        let changed = Changed::take(dirty, entries.capacity(), |entry| entries.is_live(entry));
        out.slots(ENTRIES, &changed, |_, entry, out| {
            entries.save(entry, out);
            let at = entry as usize;
            chains.links[at].group.put(out);
            counts[at * variants..(at + 1) * variants].iter().for_each(|count| count.put(out));
        })
    }

    /// Reads back the entries of the groups that `groups` knows.
    pub fn load(&mut self, from: &StateReader<'_>, part: usize, groups: &SlotMap) -> Result<()> {
        // A group is a part of an entry's key: where groups get other numbers, so do entries.
        let mut table = KeyTable::new(self.entries.types().to_vec())?;
        let (mut olds, mut of_group, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (old, mut input) in from.slots(part, ENTRIES) {
            let Some(entry) = table.load_at(Some(old), &mut input, |_| true)? else { continue };
            let Some(group) = groups.get(input.get()?) else { continue };
            olds.push(entry);
            of_group.push(group);
            for _ in &self.variants {
                counts.push(input.get::<i64>()?);
            }
        }
        let mut slots = olds.clone();
        if from.is_same() {
            table.loaded();
            self.entries = table;
        } else {
            let mut keys = table.keys(&olds)?;
            keys[0] = Arc::new(Int32Array::from_iter_values(of_group.iter().map(|&g| g as i32)));
            self.entries.intern(&keys, olds.len(), &mut slots)?;
        }
        self.chains.add(&of_group, &slots);
        let variants = self.variants.len();
        self.counts.resize(self.entries.capacity() * variants, 0);
        for (&slot, counts) in slots.iter().zip(counts.chunks(variants.max(1))) {
            let at = slot as usize * variants;
            self.counts[at..at + variants].copy_from_slice(counts);
        }
        if from.is_same() {
            self.dirty.start();
        }
        Ok(())
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
