//! Which keys of a lookup are kept, and until when.

use std::collections::BTreeMap;

use crate::lookup::CacheLimits;

/// A key that is kept.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// What it counts for.
    cost: u64,
    /// When it was asked for, and when it was needed last: by the clock, and in order.
    written: (i64, u64),
    read: (i64, u64),
}

/// The keys by slot, in the orders in which they may go.
#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    entries: Vec<Option<Entry>>,
    by_write: BTreeMap<u64, u32>,
    by_read: BTreeMap<u64, u32>,
    /// Numbers what happens.
    count: u64,
    cost: u64,
}

impl Cache {
    /// Nothing is kept yet. Without limits nothing outlives [`Cache::shrink`].
    pub fn new(limits: Option<CacheLimits>) -> Self {
        let nothing = CacheLimits {
            rows_max: Some(0),
            expire_after_write_ms: None,
            expire_after_access_ms: None,
            missing: false,
        };
        Self {
            limits: limits.unwrap_or(nothing),
            entries: Vec::new(),
            by_write: BTreeMap::new(),
            by_read: BTreeMap::new(),
            count: 0,
            cost: 0,
        }
    }

    /// Whether a slot's key is kept, which is then needed now.
    pub fn touch(&mut self, slot: u32, clock_ms: i64) -> bool {
        let Some(Some(entry)) = self.entries.get_mut(slot as usize) else { return false };
        self.count += 1;
        self.by_read.remove(&entry.read.1);
        entry.read = (clock_ms, self.count);
        self.by_read.insert(self.count, slot);
        true
    }

    /// Keeps a slot's key, which has so many rows.
    pub fn put(&mut self, slot: u32, rows: u64, clock_ms: i64) {
        self.remove(slot);
        if slot as usize >= self.entries.len() {
            self.entries.resize(slot as usize + 1, None);
        }
        self.count += 1;
        let (cost, now) = (rows.max(1), (clock_ms, self.count));
        self.entries[slot as usize] = Some(Entry { cost, written: now, read: now });
        self.by_write.insert(self.count, slot);
        self.by_read.insert(self.count, slot);
        self.cost += cost;
    }

    /// Whether a key of so many rows is kept at all.
    pub fn keeps(&self, rows: u64) -> bool {
        rows > 0 || self.limits.missing
    }

    fn remove(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        self.by_write.remove(&entry.written.1);
        self.by_read.remove(&entry.read.1);
        self.cost -= entry.cost;
    }

    /// Gives up the keys whose time is over, and answers their slots.
    pub fn expire(&mut self, clock_ms: i64) -> Vec<u32> {
        let mut gone = Vec::new();
        if let Some(limit) = self.limits.expire_after_write_ms {
            while let Some(slot) = first(&self.by_write)
                && self.is_over(slot, clock_ms, limit, |entry| entry.written.0)
            {
                self.remove(slot);
                gone.push(slot);
            }
        }
        if let Some(limit) = self.limits.expire_after_access_ms {
            while let Some(slot) = first(&self.by_read)
                && self.is_over(slot, clock_ms, limit, |entry| entry.read.0)
            {
                self.remove(slot);
                gone.push(slot);
            }
        }
        gone
    }

    fn is_over(&self, slot: u32, clock_ms: i64, limit: i64, since: fn(&Entry) -> i64) -> bool {
        let entry = self.entries[slot as usize].as_ref();
        entry.is_none_or(|entry| clock_ms.saturating_sub(since(entry)) >= limit)
    }

    /// Gives up what is too much for one of so many shards, and answers the slots.
    pub fn shrink(&mut self, shards: usize) -> Vec<u32> {
        let mut gone = Vec::new();
        let Some(rows_max) = self.limits.rows_max else { return gone };
        let rows_max = rows_max.div_ceil(shards.max(1) as u64);
        while self.cost > rows_max
            && let Some(slot) = first(&self.by_read)
        {
            self.remove(slot);
            gone.push(slot);
        }
        gone
    }
}

fn first(order: &BTreeMap<u64, u32>) -> Option<u32> {
    order.first_key_value().map(|(_, &slot)| slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(rows: Option<u64>, write: Option<i64>, access: Option<i64>) -> Cache {
        Cache::new(Some(CacheLimits {
            rows_max: rows,
            expire_after_write_ms: write,
            expire_after_access_ms: access,
            missing: true,
        }))
    }

    #[test]
    fn what_was_not_needed_for_the_longest_time_goes_first() {
        let mut cache = cache(Some(3), None, None);
        (0..3).for_each(|slot| cache.put(slot, 1, 0));
        assert!(cache.touch(0, 0));
        cache.put(3, 1, 0);
        assert_eq!(cache.shrink(1), [1]);
        assert!(!cache.touch(1, 0) && cache.touch(2, 0));
        // A key of two rows counts twice, one without a row once.
        cache.put(4, 2, 0);
        assert_eq!(cache.shrink(1), [0, 3]);
        cache.put(5, 0, 0);
        assert_eq!(cache.shrink(1), [2]);
        assert_eq!(cache.shrink(3), [4], "a shard has its share");
    }

    #[test]
    fn times_run_from_the_question_or_from_the_last_need() {
        let mut write = cache(None, Some(10), None);
        write.put(0, 1, 0);
        assert!(write.touch(0, 9));
        assert!(write.expire(9).is_empty());
        assert_eq!(write.expire(10), [0]);
        let mut access = cache(None, None, Some(10));
        access.put(0, 1, 0);
        access.put(1, 1, 0);
        assert!(access.touch(0, 9));
        assert_eq!(access.expire(10), [1]);
        assert_eq!(access.expire(18), [] as [u32; 0]);
        assert_eq!(access.expire(19), [0]);
        assert_eq!(access.cost, 0);
    }

    #[test]
    fn without_limits_for_keeping_nothing_is_kept() {
        let mut cache = Cache::new(None);
        assert!(!cache.keeps(0));
        cache.put(7, 1, 0);
        assert_eq!(cache.shrink(2), [7]);
    }
}
