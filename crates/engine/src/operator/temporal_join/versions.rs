//! The versions of each key, newest first.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;

use crate::state::{Changed, Persist, SlotMap, StateReader, StateWriter};
use crate::store::{Expiry, NO_ROW, RowStore, held};
use crate::{Delta, Result};

/// The name of the table of versions in a checkpoint.
const ROWS: &str = "rows";

/// The history of a versioned table, as far back as it can be asked for.
///
/// A row with a positive weight is a version from its time on. A row that is taken back ends its
/// key if nothing of the key is left after the step (a deletion), at the latest time among the
/// rows taken back; otherwise it was merely replaced, and stays in the history. A row taken back
/// whose time is not that of any version is a deletion with a time of its own.
#[derive(Debug)]
pub(super) struct Versions {
    pub stored: Vec<usize>,
    store: RowStore,
    /// By slot: the newest version.
    newest: Vec<u32>,
    /// By slot: the sum of weights of the key's rows.
    live: Vec<i64>,
    /// By version: the next older one.
    older: Vec<u32>,
    times: Vec<i64>,
    /// By version: from here on there is none.
    ended: Vec<bool>,
    slots: Vec<u32>,
    expiry: Expiry,
    /// Versions that have been replaced in this step; they go when it ends.
    dead: Vec<u32>,
    /// The keys whose versions the step has changed.
    pub touched: Vec<u32>,
}

impl Versions {
    pub(super) fn new(schema: &SchemaRef, stored: Vec<usize>) -> Result<Self> {
        Ok(Self {
            store: RowStore::for_columns(schema, &stored)?,
            stored,
            newest: Vec::new(),
            live: Vec::new(),
            older: Vec::new(),
            times: Vec::new(),
            ended: Vec::new(),
            slots: Vec::new(),
            expiry: Expiry::new(60_000),
            dead: Vec::new(),
            touched: Vec::new(),
        })
    }

    /// The memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let by_key = held(&self.newest) + held(&self.live);
        let by_row = held(&self.older) + held(&self.times) + held(&self.ended) + held(&self.slots);
        self.store.bytes() + by_key + by_row
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    pub(super) fn gather(&self, stored: usize, rows: &[u32]) -> Result<ArrayRef> {
        self.store.gather(stored, rows)
    }

    /// The version of a key at a time, [`NO_ROW`] if there is none.
    pub(super) fn at(&self, slot: u32, time: i64) -> u32 {
        let mut row = self.newest.get(slot as usize).copied().unwrap_or(NO_ROW);
        while row != NO_ROW && self.times[row as usize] > time {
            row = self.older[row as usize];
        }
        if row != NO_ROW && self.ended[row as usize] { NO_ROW } else { row }
    }

    /// Whether a key has no version.
    pub(super) fn is_unused(&self, slot: u32) -> bool {
        self.newest.get(slot as usize).is_none_or(|&row| row == NO_ROW)
            && self.live.get(slot as usize).is_none_or(|&live| live == 0)
    }

    /// Takes in one step's changes; `times` is `None` where only the current version counts.
    pub(super) fn apply(
        &mut self,
        delta: &Delta,
        slots: &[u32],
        times: Option<&Int64Array>,
    ) -> Result<()> {
        let columns: Vec<ArrayRef> = self.stored.iter().map(|&c| delta.column(c).clone()).collect();
        let all: Vec<u32> = (0..slots.len() as u32).collect();
        let mut ids = Vec::with_capacity(slots.len());
        self.store.insert(&columns, &all, &mut ids)?;
        let rows = self.store.capacity();
        self.older.resize(rows, NO_ROW);
        self.times.resize(rows, 0);
        self.ended.resize(rows, false);
        self.slots.resize(rows, 0);
        let keys = slots.iter().max().map_or(0, |&s| s as usize + 1).max(self.newest.len());
        self.newest.resize(keys, NO_ROW);
        self.live.resize(keys, 0);
        for (index, &id) in ids.iter().enumerate() {
            let i = id as usize;
            self.slots[i] = slots[index];
            self.times[i] = times.map_or(0, |t| t.value(index));
            self.ended[i] = delta.weight(index) < 0;
            self.live[slots[index] as usize] += delta.weight(index);
            self.touched.push(slots[index]);
        }
        let (ends, starts): (Vec<u32>, Vec<u32>) =
            ids.into_iter().partition(|&id| self.ended[id as usize]);
        starts.into_iter().for_each(|id| self.put(id));
        self.apply_ends(ends);
        self.touched.sort_unstable();
        self.touched.dedup();
        Ok(())
    }

    fn apply_ends(&mut self, mut ends: Vec<u32>) {
        // The latest of each key first: only that one may end the key.
        ends.sort_unstable_by_key(|&id| {
            (self.slots[id as usize], std::cmp::Reverse(self.times[id as usize]))
        });
        let mut last = NO_ROW;
        for id in ends {
            let slot = self.slots[id as usize];
            let first = slot != last;
            last = slot;
            let deleted = first && self.live[slot as usize] <= 0;
            if deleted || !self.is_version_time(slot, self.times[id as usize]) {
                self.put(id);
            } else {
                self.store.remove(id);
            }
        }
    }

    fn is_version_time(&self, slot: u32, time: i64) -> bool {
        let mut row = self.newest[slot as usize];
        while row != NO_ROW && self.times[row as usize] > time {
            row = self.older[row as usize];
        }
        // What is behind the oldest kept version has been replaced long ago.
        row == NO_ROW || self.times[row as usize] == time
    }

    /// Links a version by its time; it replaces one of the same time.
    fn put(&mut self, id: u32) {
        let (slot, time) = (self.slots[id as usize] as usize, self.times[id as usize]);
        let (mut newer, mut row) = (NO_ROW, self.newest[slot]);
        while row != NO_ROW && self.times[row as usize] > time {
            (newer, row) = (row, self.older[row as usize]);
        }
        if row != NO_ROW && self.times[row as usize] == time {
            self.dead.push(row);
            row = self.older[row as usize];
        }
        self.older[id as usize] = row;
        match newer {
            NO_ROW => self.newest[slot] = id,
            newer => {
                self.older[newer as usize] = id;
                self.expiry.push(self.times[newer as usize], newer);
            }
        }
        if row != NO_ROW || self.ended[id as usize] {
            self.expiry.push(time, id);
        }
    }

    /// Ends the step: what is not the version of any time after `bound` goes. Keys that may have
    /// lost their last version are appended to `slots`.
    pub(super) fn finish(&mut self, bound: i64, slots: &mut Vec<u32>) {
        for row in std::mem::take(&mut self.dead) {
            self.free(row);
        }
        slots.append(&mut self.touched);
        let mut due = Vec::new();
        self.expiry.take_until(bound, &mut due);
        for row in due {
            // The entry may be stale; what is behind a version that has begun is never asked for.
            let current = self.is_linked(row) && self.times[row as usize] <= bound;
            if current {
                self.cut_behind(row);
                if self.ended[row as usize] {
                    self.unlink_oldest(row, slots);
                }
            }
        }
        self.store.compact();
    }

    fn is_linked(&self, row: u32) -> bool {
        let Some(&slot) = self.slots.get(row as usize) else { return false };
        let mut at = self.newest.get(slot as usize).copied().unwrap_or(NO_ROW);
        while at != NO_ROW && at != row {
            at = self.older[at as usize];
        }
        at == row
    }

    fn cut_behind(&mut self, row: u32) {
        let mut next = std::mem::replace(&mut self.older[row as usize], NO_ROW);
        while next != NO_ROW {
            let after = self.older[next as usize];
            self.free(next);
            next = after;
        }
    }

    /// An end without anything before it says what no version says as well.
    fn unlink_oldest(&mut self, row: u32, slots: &mut Vec<u32>) {
        let slot = self.slots[row as usize];
        let (mut newer, mut at) = (NO_ROW, self.newest[slot as usize]);
        while at != row {
            (newer, at) = (at, self.older[at as usize]);
        }
        match newer {
            NO_ROW => self.newest[slot as usize] = NO_ROW,
            newer => self.older[newer as usize] = NO_ROW,
        }
        self.free(row);
        slots.push(slot);
    }

    fn free(&mut self, row: u32) {
        self.older[row as usize] = NO_ROW;
        self.store.remove(row);
    }

    /// How many rows of a key are there.
    pub(super) fn live(&self, slot: u32) -> i64 {
        self.live.get(slot as usize).copied().unwrap_or(0)
    }

    /// Sets how many rows of a key are there, as a checkpoint has it.
    pub(super) fn set_live(&mut self, slot: u32, live: i64) {
        let keys = self.live.len().max(slot as usize + 1);
        self.newest.resize(keys, NO_ROW);
        self.live.resize(keys, 0);
        self.live[slot as usize] = live;
    }

    /// Writes the versions that came or went. How they are linked follows from their times.
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let mut dirty = std::mem::take(&mut self.store.dirty);
        let store = &self.store;
        let changed = Changed::take(&mut dirty, store.capacity(), |row| store.is_live(row));
        out.slots(ROWS, &changed, |_, row, out| {
            let at = row as usize;
            self.slots[at].put(out);
            self.times[at].put(out);
            self.ended[at].put(out);
            store.save(row, out);
        })?;
        self.store.dirty = dirty;
        Ok(())
    }

    /// Reads back the versions of the keys that `keys` knows; answers where they are now, by part.
    pub(super) fn load(
        &mut self,
        from: &StateReader<'_>,
        keys: &[SlotMap],
    ) -> Result<Vec<SlotMap>> {
        let (mut maps, mut loaded) = (Vec::new(), Vec::new());
        for (part, keys) in keys.iter().enumerate() {
            let mut map = SlotMap::default();
            for (old, mut input) in from.slots(part, ROWS) {
                let slot = keys.get(input.get()?);
                let (time, ended) = (input.get()?, input.get()?);
                let Some(slot) = slot else { continue };
                let row = self.store.load(from.is_same().then_some(old), &mut input)?;
                let rows = self.store.capacity();
                self.older.resize(rows, NO_ROW);
                self.times.resize(rows, 0);
                self.ended.resize(rows, false);
                self.slots.resize(rows, 0);
                let at = row as usize;
                (self.slots[at], self.times[at], self.ended[at]) = (slot, time, ended);
                map.set(old, row);
                loaded.push((slot, time, row));
            }
            maps.push(map);
        }
        loaded.sort_unstable();
        for (slot, time, row) in loaded {
            self.set_live(slot, self.live(slot));
            self.older[row as usize] = std::mem::replace(&mut self.newest[slot as usize], row);
            self.expiry.push(time, row);
        }
        self.store.loaded();
        if from.is_same() {
            self.store.dirty.start();
        }
        Ok(maps)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self, slots: &mut Vec<u32>) -> Result<()> {
        if self.store.capacity() > 0 || !self.live.is_empty() {
            self.store.clear()?;
            slots.extend(0..self.newest.len() as u32);
            self.newest.clear();
            self.live.clear();
            self.older.clear();
            self.times.clear();
            self.ended.clear();
            self.slots.clear();
            self.expiry.clear();
        }
        Ok(())
    }
}
