//! Probe rows that wait for their version, or whose answer may still be corrected.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;

use crate::state::{Changed, Persist, SlotMap, StateReader, StateWriter};
use crate::store::{Chains, Expiry, NO_ROW, RowStore, held};
use crate::{Delta, Result};

/// The name of the table of rows in a checkpoint.
const ROWS: &str = "rows";

/// Rows by key, with their times and signed weights. A row that is taken back lies here beside the
/// row itself: both meet the same version, so they cancel out.
#[derive(Debug)]
pub(super) struct Probes {
    pub stored: Vec<usize>,
    store: RowStore,
    pub chains: Chains,
    pub slots: Vec<u32>,
    pub times: Vec<i64>,
    pub weights: Vec<i64>,
    /// By row: whether its time was the watermark when it came.
    behind: Vec<bool>,
    /// By row: the version of the answer given, where one has been given.
    pub answers: Vec<u32>,
    expiry: Expiry,
}

impl Probes {
    pub(super) fn new(schema: &SchemaRef, stored: Vec<usize>) -> Result<Self> {
        Ok(Self {
            store: RowStore::for_columns(schema, &stored)?,
            stored,
            chains: Chains::removable(),
            slots: Vec::new(),
            times: Vec::new(),
            weights: Vec::new(),
            behind: Vec::new(),
            answers: Vec::new(),
            expiry: Expiry::new(60_000),
        })
    }

    /// The memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let by_row = held(&self.slots) + held(&self.times) + held(&self.weights);
        let by_row = by_row + held(&self.behind) + held(&self.answers);
        self.store.bytes() + self.chains.bytes() + by_row
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    pub(super) fn gather(&self, stored: usize, rows: &[u32]) -> Result<ArrayRef> {
        self.store.gather(stored, rows)
    }

    /// Keeps the rows of a delta and gives their ids; `before` is the watermark before the step.
    pub(super) fn insert(
        &mut self,
        delta: &Delta,
        slots: &[u32],
        times: Option<&Int64Array>,
        before: i64,
    ) -> Result<Vec<u32>> {
        let columns: Vec<ArrayRef> = self.stored.iter().map(|&c| delta.column(c).clone()).collect();
        let all: Vec<u32> = (0..slots.len() as u32).collect();
        let mut ids = Vec::with_capacity(slots.len());
        self.store.insert(&columns, &all, &mut ids)?;
        let rows = self.store.capacity();
        self.slots.resize(rows, 0);
        self.times.resize(rows, 0);
        self.weights.resize(rows, 0);
        self.behind.resize(rows, false);
        self.answers.resize(rows, NO_ROW);
        for (index, &id) in ids.iter().enumerate() {
            let i = id as usize;
            self.slots[i] = slots[index];
            self.times[i] = times.map_or(i64::MIN, |t| t.value(index));
            self.weights[i] = delta.weight(index);
            let watermark = delta.arrival().map_or(before, |a| a[index]);
            self.behind[i] = times.is_some_and(|t| t.value(index) <= watermark);
            self.answers[i] = NO_ROW;
            self.chains.insert(slots[index], id);
            self.expiry.push(self.times[i], id);
        }
        Ok(ids)
    }

    /// Notes that the answer of a row has changed.
    pub(super) fn corrected(&mut self, row: u32) {
        self.store.dirty.mark(row);
    }

    /// Writes the rows that changed.
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let mut dirty = std::mem::take(&mut self.store.dirty);
        let store = &self.store;
        let changed = Changed::take(&mut dirty, store.capacity(), |row| store.is_live(row));
        out.slots(ROWS, &changed, |_, row, out| {
            let at = row as usize;
            self.slots[at].put(out);
            self.times[at].put(out);
            self.weights[at].put(out);
            self.behind[at].put(out);
            self.answers[at].put(out);
            store.save(row, out);
        })?;
        self.store.dirty = dirty;
        Ok(())
    }

    /// Reads back the rows of the keys that `keys` knows; `versions` says where the versions of
    /// their answers are now.
    pub(super) fn load(
        &mut self,
        from: &StateReader<'_>,
        keys: &[SlotMap],
        versions: &[SlotMap],
    ) -> Result<()> {
        for (part, (keys, versions)) in keys.iter().zip(versions).enumerate() {
            for (old, mut input) in from.slots(part, ROWS) {
                let slot = keys.get(input.get()?);
                let (time, weight, behind) = (input.get()?, input.get()?, input.get()?);
                let answer = input.get()?;
                let Some(slot) = slot else { continue };
                let row = self.store.load(from.is_same().then_some(old), &mut input)?;
                let rows = self.store.capacity();
                self.slots.resize(rows, 0);
                self.times.resize(rows, 0);
                self.weights.resize(rows, 0);
                self.behind.resize(rows, false);
                self.answers.resize(rows, NO_ROW);
                let at = row as usize;
                (self.slots[at], self.times[at], self.weights[at]) = (slot, time, weight);
                // A version that is gone is none that a later one could replace.
                self.behind[at] = behind;
                self.answers[at] = versions.get(answer).unwrap_or(NO_ROW);
                self.chains.insert(slot, row);
                self.expiry.push(time, row);
            }
        }
        self.store.loaded();
        if from.is_same() {
            self.store.dirty.start();
        }
        Ok(())
    }

    /// The watermarks that rows came behind, where some row did.
    pub(super) fn arrival(&self, rows: &[u32]) -> Option<Int64Array> {
        if !rows.iter().any(|&row| self.behind[row as usize]) {
            return None;
        }
        let watermark = |&row: &u32| match self.behind[row as usize] {
            true => self.times[row as usize],
            false => i64::MIN,
        };
        Some(Int64Array::from_iter_values(rows.iter().map(watermark)))
    }

    /// The rows whose time `bound` has reached. They stay until removed.
    pub(super) fn due(&mut self, bound: i64) -> Vec<u32> {
        let mut rows = Vec::new();
        self.expiry.take_until(bound, &mut rows);
        rows
    }

    /// Forgets rows; their keys' slots are appended to `slots`.
    pub(super) fn remove(&mut self, rows: &[u32], slots: &mut Vec<u32>) {
        for &row in rows {
            let slot = self.slots[row as usize];
            self.chains.remove(slot, row);
            self.store.remove(row);
            slots.push(slot);
        }
        self.store.compact();
    }
}
