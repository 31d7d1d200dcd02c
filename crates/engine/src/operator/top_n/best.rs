//! The best row of every partition of an insert-only input: deduplication.

use std::cmp::Ordering;

use super::{Changes, FRESH, Incoming, Partitions, Ranker, Ranking, Ties};
use crate::Result;
use crate::operator::order::Key;
use crate::operator::rows::NO_ROW;
use crate::state::{Input, Persist};

/// One entry a partition, and those that changed in the step.
#[derive(Default)]
pub(super) struct Best {
    entries: Vec<Entry>,
    /// The partitions that changed, each with the id of the row that was its best.
    touched: Vec<(u32, u32)>,
}

struct Entry {
    key: Key,
    id: u32,
}

impl Entry {
    const EMPTY: Self = Self { key: Key::NullFirst, id: NO_ROW };
}

impl Partitions for Best {
    fn apply(&mut self, incoming: &Incoming<'_>, ranker: &Ranker) -> Result<()> {
        let better = |order: Ordering| match ranker.ties {
            Ties::FirstArrival => order.is_lt(),
            Ties::LastArrival => order.is_le(),
        };
        for (row, &slot) in incoming.slots.iter().enumerate() {
            let slot_at = slot as usize;
            if slot_at >= self.entries.len() {
                self.entries.resize_with(slot_at + 1, || Entry::EMPTY);
            }
            let entry = &mut self.entries[slot_at];
            if entry.id == NO_ROW || better(incoming.keys.compare(row, &entry.key)) {
                if entry.id == NO_ROW || entry.id & FRESH == 0 {
                    self.touched.push((slot, entry.id));
                }
                *entry = Entry { key: incoming.keys.key(row), id: FRESH | row as u32 };
            }
        }
        Ok(())
    }

    fn survivors(&mut self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.touched.len());
        for &(slot, _) in &self.touched {
            let entry = &mut self.entries[slot as usize];
            rows.push(entry.id & !FRESH);
            entry.id = FRESH | (rows.len() as u32 - 1);
        }
        rows
    }

    fn changes(&mut self, ranker: &Ranker, changes: &mut Changes) {
        let rank = i64::from(ranker.with_rank);
        for (place, &(_, old)) in self.touched.iter().enumerate() {
            if old != NO_ROW {
                changes.stored.push((old, rank, -1));
            }
            changes.fresh.push((place as u32, rank, 1));
        }
    }

    fn settle(&mut self, ids: &[u32], dropped: &mut Vec<u32>) {
        for (&(slot, old), &id) in self.touched.iter().zip(ids) {
            self.entries[slot as usize].id = id;
            dropped.extend((old != NO_ROW).then_some(old));
        }
        self.touched.clear();
    }

    fn take_empty(&mut self) -> Vec<u32> {
        Vec::new()
    }

    fn close(&mut self, slot: u32, ranker: &Ranker, out: &mut Vec<Ranking>, ids: &mut Vec<u32>) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        let entry = std::mem::replace(entry, Entry::EMPTY);
        if entry.id != NO_ROW {
            out.push((entry.id, i64::from(ranker.with_rank), 1));
            ids.push(entry.id);
        }
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        match self.entries.get(slot as usize) {
            Some(entry) => (entry.key.clone(), entry.id).put(out),
            None => (Key::NullFirst, NO_ROW).put(out),
        }
    }

    fn load(
        &mut self,
        slot: u32,
        input: &mut Input<'_>,
        id_now: &mut dyn FnMut(u32) -> u32,
    ) -> Result<()> {
        let (key, id) = input.get()?;
        let at = slot as usize;
        if at >= self.entries.len() {
            self.entries.resize_with(at + 1, || Entry::EMPTY);
        }
        self.entries[at] = Entry { key, id: id_now(id) };
        Ok(())
    }
}
