//! The rows up to a rank of every partition of an insert-only input: a row that falls behind can
//! never come back, so it is forgotten.

use std::cmp::Ordering;

use super::{Changes, FRESH, Incoming, Partitions, RankFunction, Ranker, Ranking, Ties};
use crate::Result;
use crate::operator::order::{Key, Keys};
use crate::state::{Input, Persist, persist_struct};

/// A short sorted list a partition; peers stand in the order of [`Ties`].
#[derive(Default)]
pub(super) struct Ranked {
    partitions: Vec<Partition>,
    /// The partitions that changed, each with where its old output ends in `old`.
    touched: Vec<(u32, usize)>,
    old: Vec<Ranking>,
    new: Vec<Ranking>,
    dropped: Vec<u32>,
}

#[derive(Default)]
struct Partition {
    entries: Vec<Entry>,
    /// How many different keys there are; counted for `DENSE_RANK` only.
    groups: i64,
    stamp: u64,
}

struct Entry {
    key: Key,
    id: u32,
}

persist_struct!(Entry { key, id });

impl Partition {
    /// Whether a row would rank behind all that can be in the output.
    fn is_beyond(&self, keys: &Keys, row: usize, ranker: &Ranker) -> bool {
        let filled = match ranker.function {
            RankFunction::DenseRank => self.groups,
            _ => self.entries.len() as i64,
        };
        if filled < ranker.last {
            return false;
        }
        let Some(last) = self.entries.last() else { return true };
        match keys.compare(row, &last.key) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => {
                ranker.function == RankFunction::RowNumber && ranker.ties == Ties::FirstArrival
            }
        }
    }

    fn insert(&mut self, keys: &Keys, row: usize, ranker: &Ranker) {
        let goes_before = |entry: &Entry| match keys.compare(row, &entry.key) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => ranker.ties == Ties::FirstArrival,
        };
        let at = self.entries.partition_point(goes_before);
        self.entries.insert(at, Entry { key: keys.key(row), id: FRESH | row as u32 });
    }

    /// Where the last group of peers starts.
    fn last_group(&self) -> usize {
        let Some(last) = self.entries.last() else { return 0 };
        self.entries.partition_point(|entry| entry.key < last.key)
    }

    /// Forgets what ranks behind the last rank of the output.
    fn trim(&mut self, ranker: &Ranker, dropped: &mut Vec<u32>) {
        let length = self.entries.len() as i64;
        let keep = match ranker.function {
            RankFunction::RowNumber => length.min(ranker.last) as usize,
            RankFunction::Rank => match self.last_group() {
                start if start as i64 >= ranker.last => start,
                _ => self.entries.len(),
            },
            RankFunction::DenseRank => {
                let changes = self.entries.windows(2).filter(|w| w[0].key != w[1].key).count();
                self.groups = changes as i64 + 1;
                if self.groups > ranker.last {
                    self.groups -= 1;
                    self.last_group()
                } else {
                    self.entries.len()
                }
            }
        };
        dropped.extend(self.entries.drain(keep..).map(|e| e.id).filter(|id| id & FRESH == 0));
    }

    fn outputs(&self, ranker: &Ranker, out: &mut Vec<Ranking>) {
        ranker.outputs(self.entries.iter().map(|e| (&e.key, e.id, 1)), out);
    }
}

impl Partitions for Ranked {
    fn apply(&mut self, incoming: &Incoming<'_>, ranker: &Ranker) -> Result<()> {
        for (row, &slot) in incoming.slots.iter().enumerate() {
            if slot as usize >= self.partitions.len() {
                self.partitions.resize_with(slot as usize + 1, Partition::default);
            }
            let partition = &mut self.partitions[slot as usize];
            if partition.is_beyond(incoming.keys, row, ranker) {
                continue;
            }
            if partition.stamp != incoming.stamp {
                partition.stamp = incoming.stamp;
                if ranker.updates {
                    partition.outputs(ranker, &mut self.old);
                }
                self.touched.push((slot, self.old.len()));
            }
            partition.insert(incoming.keys, row, ranker);
            partition.trim(ranker, &mut self.dropped);
        }
        Ok(())
    }

    fn survivors(&mut self) -> Vec<u32> {
        let mut rows = Vec::new();
        for &(slot, _) in &self.touched {
            for entry in &mut self.partitions[slot as usize].entries {
                if entry.id & FRESH != 0 {
                    rows.push(entry.id & !FRESH);
                    entry.id = FRESH | (rows.len() as u32 - 1);
                }
            }
        }
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
        for (slot, _) in self.touched.drain(..) {
            for entry in &mut self.partitions[slot as usize].entries {
                if entry.id & FRESH != 0 {
                    entry.id = ids[(entry.id & !FRESH) as usize];
                }
            }
        }
        self.old.clear();
        dropped.append(&mut self.dropped);
    }

    fn take_empty(&mut self) -> Vec<u32> {
        Vec::new()
    }

    fn close(&mut self, slot: u32, ranker: &Ranker, out: &mut Vec<Ranking>, ids: &mut Vec<u32>) {
        let Some(partition) = self.partitions.get_mut(slot as usize) else { return };
        let partition = std::mem::take(partition);
        partition.outputs(ranker, out);
        ids.extend(partition.entries.iter().map(|e| e.id));
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        match self.partitions.get(slot as usize) {
            Some(partition) => partition.entries.put(out),
            None => Vec::<Entry>::new().put(out),
        }
    }

    fn load(
        &mut self,
        slot: u32,
        input: &mut Input<'_>,
        id_now: &mut dyn FnMut(u32) -> u32,
    ) -> Result<()> {
        let mut entries: Vec<Entry> = input.get()?;
        entries.iter_mut().for_each(|entry| entry.id = id_now(entry.id));
        let changes = entries.windows(2).filter(|w| w[0].key != w[1].key).count();
        let groups = changes as i64 + i64::from(!entries.is_empty());
        let at = slot as usize;
        if at >= self.partitions.len() {
            self.partitions.resize_with(at + 1, Partition::default);
        }
        self.partitions[at] = Partition { entries, groups, stamp: 0 };
        Ok(())
    }
}
