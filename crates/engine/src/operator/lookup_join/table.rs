//! The table of a lookup join: its rows by key.

use arrow::array::ArrayRef;

use super::LookupJoinSpec;
use crate::key::{KeyTable, NO_SLOT, hash_columns};
use crate::state::{Changed, Dirty, Persist, SlotMap, StateReader, StateWriter};
use crate::store::{Chains, NO_ROW, RowLookup, RowStore, held};
use crate::{Delta, Result};

/// What is kept beside the rows where a row may come several times or be taken back.
#[derive(Debug, Default)]
struct Counts {
    lookup: RowLookup,
    /// By row; zero: the row is not there any more.
    weights: Vec<i64>,
}

#[derive(Debug)]
pub(super) struct Table {
    key_columns: Vec<usize>,
    /// The input columns that are kept, ascending.
    stored: Vec<usize>,
    insert_only: bool,
    keys: KeyTable,
    store: RowStore,
    chains: Chains,
    /// By row: its key.
    slots: Vec<u32>,
    /// Keys that are new since the last checkpoint.
    dirty: Dirty,
    /// `None` as long as every row is there once.
    counts: Option<Counts>,
    ids: Vec<u32>,
    hashes: Vec<u64>,
}

impl Table {
    pub(super) fn new(spec: &LookupJoinSpec, stored: Vec<usize>) -> Result<Self> {
        Ok(Self {
            key_columns: spec.table_keys.clone(),
            insert_only: spec.table_insert_only,
            keys: KeyTable::for_columns(&spec.table_schema, &spec.table_keys)?,
            store: RowStore::for_columns(&spec.table_schema, &stored)?,
            stored,
            chains: Chains::grow_only(),
            slots: Vec::new(),
            dirty: Dirty::default(),
            counts: (!spec.table_insert_only).then(Counts::default),
            ids: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.store.bytes() + self.chains.bytes() + held(&self.slots)
    }

    /// A table whose keys are forgotten one by one: of rows that were asked for.
    pub(super) fn forgetful(spec: &LookupJoinSpec, stored: Vec<usize>) -> Result<Self> {
        let (insert_only, counts, chains) = (true, None, Chains::removable());
        Ok(Self { insert_only, counts, chains, ..Self::new(spec, stored)? })
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    /// The slots of the keys of probe rows, made where they are new.
    pub(super) fn intern(&mut self, probes: &Delta, keys: &[usize]) -> Result<Vec<u32>> {
        let mut slots = Vec::new();
        self.keys.intern(&columns_of(probes, keys), probes.num_rows(), &mut slots)?;
        Ok(slots)
    }

    /// The keys of slots.
    pub(super) fn keys(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.keys.keys(slots)
    }

    /// Forgets a key and its rows; [`Table::forgotten`] ends a round of this.
    pub(super) fn forget(&mut self, slot: u32) {
        while let Some(row) = Some(self.chains.first(slot)).filter(|&row| row != NO_ROW) {
            self.chains.remove(slot, row);
            self.store.remove(row);
        }
        self.keys.remove(slot);
    }

    pub(super) fn forgotten(&mut self) {
        self.store.compact();
    }

    /// Takes in a change; no key has a null.
    pub(super) fn apply(&mut self, delta: &Delta) -> Result<()> {
        let (keys, mut slots) = (columns_of(delta, &self.key_columns), Vec::new());
        self.keys.intern(&keys, delta.num_rows(), &mut slots)?;
        self.dirty.mark_all(&slots);
        let columns = columns_of(delta, &self.stored);
        let all: Vec<u32> = (0..slots.len() as u32).collect();
        self.ids.clear();
        self.store.insert(&columns, &all, &mut self.ids)?;
        self.slots.resize(self.store.capacity(), 0);
        for (&id, &slot) in self.ids.iter().zip(&slots) {
            self.slots[id as usize] = slot;
        }
        if self.insert_only && delta.weights().is_none() && self.counts.is_none() {
            for (&id, &slot) in self.ids.iter().zip(&slots) {
                self.chains.insert(slot, id);
            }
            return Ok(());
        }
        self.count(&columns, delta, &slots)
    }

    /// As [`Table::apply`], where equal rows are counted.
    fn count(&mut self, columns: &[ArrayRef], delta: &Delta, slots: &[u32]) -> Result<()> {
        let before = self.store.capacity() - self.ids.len();
        let counts = self.counts.get_or_insert_with(|| Counts {
            // The rows so far are there once each and are never taken back.
            weights: vec![1; before],
            ..Counts::default()
        });
        counts.weights.resize(self.store.capacity(), 0);
        hash_columns(columns, slots.len(), &mut self.hashes)?;
        for (index, &id) in self.ids.iter().enumerate() {
            let (slot, weight) = (slots[index], delta.weight(index));
            let hash = self.hashes[index];
            match counts.lookup.find_or_insert(&self.store, &self.slots, id, hash) {
                Some(same) => {
                    counts.weights[same as usize] += weight;
                    self.store.dirty.mark(same);
                    self.store.remove(id);
                }
                None => {
                    counts.weights[id as usize] = weight;
                    self.chains.insert(slot, id);
                }
            }
        }
        self.store.compact();
        Ok(())
    }

    /// The key slots of probe rows; an unknown key has none.
    pub(super) fn find(&mut self, probes: &Delta, keys: &[usize]) -> Result<Vec<u32>> {
        let mut slots = Vec::new();
        self.keys.find(&columns_of(probes, keys), probes.num_rows(), &mut slots)?;
        Ok(slots)
    }

    /// The rows of a key.
    pub(super) fn rows(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let rows = (slot != NO_SLOT).then(|| self.chains.rows(slot));
        let counts = self.counts.as_ref();
        let is_there = move |row: &u32| counts.is_none_or(|c| c.weights[*row as usize] != 0);
        rows.into_iter().flatten().filter(is_there)
    }

    /// How often rows are there; `None`: once each.
    pub(super) fn weights(&self, rows: &[u32]) -> Option<Vec<i64>> {
        let counts = self.counts.as_ref()?;
        let weights: Vec<i64> = rows.iter().map(|&row| counts.weights[row as usize]).collect();
        weights.iter().any(|&w| w != 1).then_some(weights)
    }

    /// The values of a kept column.
    pub(super) fn gather(&self, stored: usize, rows: &[u32]) -> Result<ArrayRef> {
        self.store.gather(stored, rows)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> Result<()> {
        if self.store.capacity() > 0 {
            self.store.clear()?;
            self.chains.clear();
            self.slots.clear();
            self.counts = (!self.insert_only).then(Counts::default);
            let slots: Vec<u32> = self.keys.iter_slots().collect();
            self.dirty.mark_all(&slots);
            slots.into_iter().for_each(|slot| self.keys.remove(slot));
        }
        Ok(())
    }
}

/// The names of the tables in a checkpoint.
const KEYS: &str = "keys";
const ROWS: &str = "rows";

impl Table {
    /// Writes the keys and rows that changed.
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let keys = &self.keys;
        let changed = Changed::take(&mut self.dirty, keys.capacity(), |slot| keys.is_live(slot));
        out.slots(KEYS, &changed, |_, slot, out| keys.save(slot, out))?;
        let mut dirty = std::mem::take(&mut self.store.dirty);
        let store = &self.store;
        let changed = Changed::take(&mut dirty, store.capacity(), |row| store.is_live(row));
        out.slots(ROWS, &changed, |_, row, out| {
            self.slots[row as usize].put(out);
            self.counts.as_ref().map_or(1, |counts| counts.weights[row as usize]).put(out);
            store.save(row, out);
        })?;
        self.store.dirty = dirty;
        Ok(())
    }

    /// Reads back the keys that this shard owns, and their rows.
    pub(super) fn load(&mut self, from: &StateReader<'_>) -> Result<()> {
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        for part in 0..from.parts() {
            let mut map = SlotMap::default();
            for (old, mut input) in from.slots(part, KEYS) {
                if let Some(slot) = self.keys.load(from, old, &mut input)? {
                    map.set(old, slot);
                }
            }
            for (old, mut input) in from.slots(part, ROWS) {
                let (slot, weight) = (map.get(input.get()?), input.get::<i64>()?);
                let Some(slot) = slot else { continue };
                let row = self.store.load(from.is_same().then_some(old), &mut input)?;
                self.slots.resize(self.store.capacity(), 0);
                self.slots[row as usize] = slot;
                self.chains.insert(slot, row);
                rows.push(row);
                weights.push(weight);
            }
        }
        self.keys.loaded();
        self.store.loaded();
        if from.is_same() {
            self.dirty.start();
            self.store.dirty.start();
        }
        if !self.insert_only || weights.iter().any(|&weight| weight != 1) {
            self.recount(&rows, &weights)?;
        }
        Ok(())
    }

    /// Makes rows that were read back known by value, with how often each is there.
    fn recount(&mut self, rows: &[u32], weights: &[i64]) -> Result<()> {
        let columns = (0..self.stored.len()).map(|c| self.store.gather(c, rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        hash_columns(&columns, rows.len(), &mut self.hashes)?;
        let counts = self.counts.get_or_insert_with(Counts::default);
        counts.weights.resize(self.store.capacity(), 0);
        for ((&row, &weight), &hash) in rows.iter().zip(weights).zip(&self.hashes) {
            counts.weights[row as usize] = weight;
            counts.lookup.find_or_insert(&self.store, &self.slots, row, hash);
        }
        Ok(())
    }
}

pub(super) fn columns_of(delta: &Delta, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|&column| delta.column(column).clone()).collect()
}
