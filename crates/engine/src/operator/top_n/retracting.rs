//! All rows of every partition of a retracting input, ordered by their keys and then by the bytes
//! of the whole row, with how often each is there.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

use super::{Changes, FRESH, Incoming, Partitions, Ranker, Ranking};
use crate::Result;
use crate::operator::order::{Key, RowBytes};
use crate::state::{Input, Persist, persist_struct};

type Place = (Key, Box<[u8]>);

/// An ordered multiset a partition.
pub(super) struct Retracting {
    bytes: RowBytes,
    /// Rows may be taken back of partitions that were forgotten: such rows leave no trace.
    forgetful: bool,
    partitions: Vec<Partition>,
    /// The partitions that changed, each with where its old output ends in `old`.
    touched: Vec<(u32, usize)>,
    old: Vec<Ranking>,
    new: Vec<Ranking>,
    /// Where something new stands or something old may have gone.
    candidates: Vec<(u32, Place)>,
    dropped: Vec<u32>,
    empty: Vec<u32>,
}

#[derive(Default)]
struct Partition {
    rows: BTreeMap<Place, Entry>,
    stamp: u64,
}

/// The count may be below zero within a step, if a row is taken back before it is added.
struct Entry {
    id: u32,
    count: i64,
}

persist_struct!(Entry { id, count });

impl Partition {
    fn outputs(&self, ranker: &Ranker, out: &mut Vec<Ranking>) {
        ranker.outputs(self.rows.iter().map(|(place, e)| (&place.0, e.id, e.count)), out);
    }
}

impl Retracting {
    pub(super) fn new(input: &SchemaRef, forgetful: bool) -> Result<Self> {
        Ok(Self {
            bytes: RowBytes::new(input)?,
            forgetful,
            partitions: Vec::new(),
            touched: Vec::new(),
            old: Vec::new(),
            new: Vec::new(),
            candidates: Vec::new(),
            dropped: Vec::new(),
            empty: Vec::new(),
        })
    }
}

impl Partitions for Retracting {
    fn apply(&mut self, incoming: &Incoming<'_>, ranker: &Ranker) -> Result<()> {
        let bytes = self.bytes.encode(incoming.delta.batch().columns())?;
        for (row, &slot) in incoming.slots.iter().enumerate() {
            if slot as usize >= self.partitions.len() {
                self.partitions.resize_with(slot as usize + 1, Partition::default);
            }
            let partition = &mut self.partitions[slot as usize];
            if partition.stamp != incoming.stamp {
                partition.stamp = incoming.stamp;
                if ranker.updates {
                    partition.outputs(ranker, &mut self.old);
                }
                self.touched.push((slot, self.old.len()));
            }
            let place: Place = (incoming.keys.key(row), bytes.row(row).data().into());
            let weight = incoming.delta.weight(row);
            match partition.rows.get_mut(&place) {
                Some(entry) => {
                    entry.count += weight;
                    if entry.count == 0 {
                        self.candidates.push((slot, place));
                    }
                }
                None => {
                    self.candidates.push((slot, place.clone()));
                    partition.rows.insert(place, Entry { id: FRESH | row as u32, count: weight });
                }
            }
        }
        Ok(())
    }

    fn survivors(&mut self) -> Vec<u32> {
        let mut rows = Vec::new();
        self.candidates.sort_unstable();
        self.candidates.dedup();
        let (partitions, dropped) = (&mut self.partitions, &mut self.dropped);
        let forgetful = self.forgetful;
        self.candidates.retain(|(slot, place)| {
            let partition = &mut partitions[*slot as usize];
            let Some(entry) = partition.rows.get_mut(place) else { return false };
            let fresh = entry.id & FRESH != 0;
            if entry.count == 0 || forgetful && entry.count < 0 {
                dropped.extend((!fresh).then_some(entry.id));
                partition.rows.remove(place);
                return false;
            }
            if fresh {
                rows.push(entry.id & !FRESH);
                entry.id = FRESH | (rows.len() as u32 - 1);
            }
            fresh
        });
        rows
    }

    fn changes(&mut self, ranker: &Ranker, changes: &mut Changes) {
        let mut start = 0;
        for &(slot, end) in &self.touched {
            self.new.clear();
            self.partitions[slot as usize].outputs(ranker, &mut self.new);
            changes.difference(&mut self.old[start..end], &mut self.new);
            start = end;
        }
    }

    fn settle(&mut self, ids: &[u32], dropped: &mut Vec<u32>) {
        for ((slot, place), &id) in self.candidates.drain(..).zip(ids) {
            if let Some(entry) = self.partitions[slot as usize].rows.get_mut(&place) {
                entry.id = id;
            }
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
        partition.outputs(ranker, out);
        ids.extend(partition.rows.values().map(|e| e.id));
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        match self.partitions.get(slot as usize) {
            Some(partition) => partition.rows.put(out),
            None => BTreeMap::<Place, Entry>::new().put(out),
        }
    }

    fn load(
        &mut self,
        slot: u32,
        input: &mut Input<'_>,
        id_now: &mut dyn FnMut(u32) -> u32,
    ) -> Result<()> {
        let mut rows: BTreeMap<Place, Entry> = input.get()?;
        rows.values_mut().for_each(|entry| entry.id = id_now(entry.id));
        let at = slot as usize;
        if at >= self.partitions.len() {
            self.partitions.resize_with(at + 1, Partition::default);
        }
        self.partitions[at] = Partition { rows, stamp: 0 };
        Ok(())
    }
}
