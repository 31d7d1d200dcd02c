//! All rows of every partition of a retracting input, ordered by their keys and then by the bytes
//! of the whole row, with how often each is there.
//!
//! The rows of a step are sorted first, so that each different one is looked up once and with its
//! net weight: an update is a row less and a row more, and most of what is taken back was there
//! only within the step.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use arrow_row::Rows;

use super::{Changes, FRESH, Incoming, Partitions, Ranker, Ranking};
use crate::Result;
use crate::operator::order::{Key, RowBytes};
use crate::state::{Input, Persist, persist_struct, put_bytes};

/// An ordered multiset a partition.
pub(super) struct Retracting {
    bytes: RowBytes,
    /// Rows may be taken back of partitions that were forgotten: such rows leave no trace.
    forgetful: bool,
    partitions: Vec<Partition>,
    entries: Entries,
    /// The partitions that changed, each with where its old output ends in `old`.
    touched: Vec<(u32, usize)>,
    old: Vec<Ranking>,
    new: Vec<Ranking>,
    /// The rows of the step that are new, and their entries.
    fresh: Vec<u32>,
    fresh_entries: Vec<u32>,
    dropped: Vec<u32>,
    empty: Vec<u32>,
}

#[derive(Default)]
struct Partition {
    /// The entries by their places.
    rows: BTreeMap<Place, u32>,
    stamp: u64,
}

/// Where a row stands: its order key and its bytes, in one piece that compares as they do.
struct Place {
    bytes: Box<[u8]>,
    /// How many of the bytes are the key.
    key: u32,
}

impl Place {
    fn key(&self) -> &[u8] {
        &self.bytes[..self.key as usize]
    }

    fn row(&self) -> &[u8] {
        &self.bytes[self.key as usize..]
    }
}

impl Borrow<[u8]> for Place {
    fn borrow(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

/// A count below zero is of a row that is taken back before it is added.
#[derive(Clone, Copy)]
struct Entry {
    id: u32,
    count: i64,
}

persist_struct!(Entry { id, count });

/// The entries of all partitions, so that they are found again without their places.
#[derive(Default)]
struct Entries {
    all: Vec<Entry>,
    free: Vec<u32>,
}

impl Entries {
    fn add(&mut self, entry: Entry) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.all[at as usize] = entry;
                at
            }
            None => {
                self.all.push(entry);
                (self.all.len() - 1) as u32
            }
        }
    }
}

impl Partition {
    fn outputs(&self, entries: &Entries, ranker: &Ranker, out: &mut Vec<Ranking>) {
        let entry = |at: u32| entries.all[at as usize];
        let rows = self.rows.iter().map(|(place, &at)| (place.key(), entry(at)));
        ranker.outputs(rows.map(|(key, entry)| (key, entry.id, entry.count)), out);
    }
}

impl Retracting {
    pub(super) fn new(input: &SchemaRef, forgetful: bool) -> Result<Self> {
        Ok(Self {
            bytes: RowBytes::new(input)?,
            forgetful,
            partitions: Vec::new(),
            entries: Entries::default(),
            touched: Vec::new(),
            old: Vec::new(),
            new: Vec::new(),
            fresh: Vec::new(),
            fresh_entries: Vec::new(),
            dropped: Vec::new(),
            empty: Vec::new(),
        })
    }

    fn partition(&mut self, slot: u32) -> &mut Partition {
        let at = slot as usize;
        if at >= self.partitions.len() {
            self.partitions.resize_with(at + 1, Partition::default);
        }
        &mut self.partitions[at]
    }

    /// Notes what a partition has in the output, before its first change in a step.
    fn touch(&mut self, slot: u32, stamp: u64, ranker: &Ranker) {
        let partition = self.partition(slot);
        if std::mem::replace(&mut partition.stamp, stamp) == stamp {
            return;
        }
        if ranker.updates {
            let partition = &self.partitions[slot as usize];
            partition.outputs(&self.entries, ranker, &mut self.old);
        }
        self.touched.push((slot, self.old.len()));
    }

    /// Adds so many of a row of the step, which stands at these bytes, `key` of them its order key.
    fn add(&mut self, (slot, row): (u32, u32), bytes: &[u8], key: u32, weight: i64) {
        let (entries, forgetful) = (&mut self.entries, self.forgetful);
        let rows = &mut self.partitions[slot as usize].rows;
        let Some(&at) = rows.get(bytes) else {
            if weight > 0 || !forgetful {
                let id = FRESH | self.fresh.len() as u32;
                let at = entries.add(Entry { id, count: weight });
                rows.insert(Place { bytes: bytes.into(), key }, at);
                self.fresh.push(row);
                self.fresh_entries.push(at);
            }
            return;
        };
        let entry = &mut entries.all[at as usize];
        entry.count += weight;
        if entry.count == 0 || forgetful && entry.count < 0 {
            self.dropped.push(entry.id);
            rows.remove(bytes);
            entries.free.push(at);
        }
    }
}

/// The rows of a step with their partitions, equal ones side by side.
fn sorted(incoming: &Incoming<'_>, bytes: &Rows) -> Vec<(u32, u32)> {
    let mut rows: Vec<(u32, u32)> = incoming.slots.iter().copied().zip(0..).collect();
    rows.sort_unstable_by(|a, b| {
        let (left, right) = (a.1 as usize, b.1 as usize);
        let keys = || incoming.keys.compare_rows(left, right);
        let rows = || bytes.row(left).data().cmp(bytes.row(right).data());
        a.0.cmp(&b.0).then_with(keys).then_with(rows)
    });
    rows
}

impl Partitions for Retracting {
    fn apply(&mut self, incoming: &Incoming<'_>, ranker: &Ranker) -> Result<()> {
        let bytes = self.bytes.encode(incoming.delta.batch().columns())?;
        let rows = sorted(incoming, &bytes);
        let is_same = |a: &(u32, u32), b: &(u32, u32)| {
            // Equal rows have equal keys.
            a.0 == b.0 && bytes.row(a.1 as usize) == bytes.row(b.1 as usize)
        };
        let mut place = Vec::new();
        for same in rows.chunk_by(is_same) {
            let weight = same.iter().map(|(_, row)| incoming.delta.weight(*row as usize)).sum();
            let (slot, row) = same[0];
            self.touch(slot, incoming.stamp, ranker);
            if weight != 0 {
                place.clear();
                incoming.keys.put_ordered(row as usize, &mut place);
                let key = place.len() as u32;
                place.extend_from_slice(bytes.row(row as usize).data());
                self.add((slot, row), &place, key, weight);
            }
        }
        Ok(())
    }

    fn survivors(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.fresh)
    }

    fn changes(&mut self, ranker: &Ranker, changes: &mut Changes) {
        let mut start = 0;
        for &(slot, end) in &self.touched {
            self.new.clear();
            self.partitions[slot as usize].outputs(&self.entries, ranker, &mut self.new);
            changes.difference(&mut self.old[start..end], &mut self.new);
            start = end;
        }
    }

    fn settle(&mut self, ids: &[u32], dropped: &mut Vec<u32>) {
        for (at, &id) in self.fresh_entries.drain(..).zip(ids) {
            self.entries.all[at as usize].id = id;
        }
        for (slot, _) in self.touched.drain(..) {
            if self.partitions[slot as usize].rows.is_empty() {
                self.empty.push(slot);
            }
        }
        self.old.clear();
        dropped.append(&mut self.dropped);
    }

    fn take_empty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.empty)
    }

    fn close(&mut self, slot: u32, ranker: &Ranker, out: &mut Vec<Ranking>, ids: &mut Vec<u32>) {
        let Some(partition) = self.partitions.get_mut(slot as usize) else { return };
        let partition = std::mem::take(partition);
        partition.outputs(&self.entries, ranker, out);
        for at in partition.rows.into_values() {
            ids.push(self.entries.all[at as usize].id);
            self.entries.free.push(at);
        }
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        let Some(partition) = self.partitions.get(slot as usize) else { return 0_u32.put(out) };
        (partition.rows.len() as u32).put(out);
        for (place, &at) in &partition.rows {
            Key::from_ordered(place.key()).put(out);
            put_bytes(place.row(), out);
            self.entries.all[at as usize].put(out);
        }
    }

    fn load(
        &mut self,
        slot: u32,
        input: &mut Input<'_>,
        id_now: &mut dyn FnMut(u32) -> u32,
    ) -> Result<()> {
        let kept: Vec<((Key, Box<[u8]>), Entry)> = input.get()?;
        let mut rows = BTreeMap::new();
        for ((key, row), entry) in kept {
            let mut bytes = Vec::new();
            key.put_ordered(&mut bytes);
            let key = bytes.len() as u32;
            bytes.extend_from_slice(&row);
            let at = self.entries.add(Entry { id: id_now(entry.id), ..entry });
            rows.insert(Place { bytes: bytes.into(), key }, at);
        }
        *self.partition(slot) = Partition { rows, stamp: 0 };
        Ok(())
    }
}
