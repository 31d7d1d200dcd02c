//! Which rows may be forgotten, in the order of their deadlines.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A calendar queue of row ids.
///
/// Rows far in the future lie unsorted in buckets; only the bucket that the bound has reached is
/// kept in order. An entry may be stale (its row has gone, or has a new deadline): whoever takes it
/// out checks the row's own deadline.
#[derive(Debug)]
pub struct Expiry {
    bucket_ms: i64,
    buckets: BTreeMap<i64, Vec<(i64, u32)>>,
    front: BinaryHeap<Reverse<(i64, u32)>>,
    /// Buckets before this one have been poured into `front`.
    poured: i64,
}

impl Expiry {
    /// A queue for deadlines that lie about `span_ms` ahead.
    pub fn new(span_ms: i64) -> Self {
        let bucket_ms = (span_ms / 64).max(1);
        Self { bucket_ms, buckets: BTreeMap::new(), front: BinaryHeap::new(), poured: i64::MIN }
    }

    /// Adds a row with its deadline.
    pub fn push(&mut self, deadline: i64, row: u32) {
        let bucket = deadline.div_euclid(self.bucket_ms);
        if bucket < self.poured {
            self.front.push(Reverse((deadline, row)));
        } else {
            self.buckets.entry(bucket).or_default().push((deadline, row));
        }
    }

    /// Takes out the rows whose deadline is at or before `bound`, appending them to `rows`.
    pub fn take_until(&mut self, bound: i64, rows: &mut Vec<u32>) {
        let last = bound.div_euclid(self.bucket_ms);
        while let Some(bucket) = self.buckets.first_entry().filter(|b| *b.key() <= last) {
            for (deadline, row) in bucket.remove() {
                if deadline <= bound {
                    rows.push(row);
                } else {
                    self.front.push(Reverse((deadline, row)));
                }
            }
        }
        self.poured = self.poured.max(last.saturating_add(1));
        while let Some(&Reverse((deadline, row))) = self.front.peek() {
            if deadline > bound {
                break;
            }
            self.front.pop();
            rows.push(row);
        }
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.buckets.clear();
        self.front.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_come_out_at_the_first_bound_that_reaches_them(
            span in 0_i64..5000,
            rounds in prop::collection::vec(
                (prop::collection::vec(-300_i64..3000, 0..8), 0_i64..200),
                1..30,
            ),
        ) {
            let mut queue = Expiry::new(span);
            let (mut waiting, mut bound, mut id) = (Vec::new(), -100_i64, 0);
            for (deadlines, advance) in rounds {
                for deadline in deadlines {
                    queue.push(deadline, id);
                    waiting.push((deadline, id));
                    id += 1;
                }
                bound += advance;
                let mut taken = Vec::new();
                queue.take_until(bound, &mut taken);
                taken.sort_unstable();
                let due = |entry: &(i64, u32)| entry.0 <= bound;
                let expected: Vec<u32> = waiting.iter().filter(|e| due(e)).map(|e| e.1).collect();
                prop_assert_eq!(taken, expected);
                waiting.retain(|e| !due(e));
            }
            let mut rest = Vec::new();
            queue.take_until(i64::MAX, &mut rest);
            prop_assert_eq!(rest.len(), waiting.len());
        }
    }
}
