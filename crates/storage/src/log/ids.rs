//! The ids of events that were taken lately.

use std::collections::{HashMap, HashSet, VecDeque};

use super::writer::Outcome;

/// How long ids are remembered: the shorter of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdWindow {
    /// So many milliseconds.
    pub milliseconds: i64,
    /// So many ids.
    pub count_max: usize,
}

/// The id of an event by its text: 128 bits of FNV-1a, the same in every process and release.
pub fn id_of(text: &[u8]) -> u128 {
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    let start: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let id = text.iter().fold(start, |hash, &b| (hash ^ u128::from(b)).wrapping_mul(PRIME));
    // Zero means that there is none.
    id.max(1)
}

/// What is known of an id.
#[derive(Debug)]
pub(super) enum Known {
    /// Nothing.
    New,
    /// It is in the log.
    Durable,
    /// It is about to be.
    Waiting(Outcome),
}

/// Remembers ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    seen: HashSet<u128>,
    /// The order in which they came, with their time.
    order: VecDeque<(i64, Vec<u128>)>,
    waiting: HashMap<u128, Outcome>,
}

impl Ids {
    pub fn look(&self, id: u128) -> Known {
        if self.seen.contains(&id) {
            return Known::Durable;
        }
        self.waiting.get(&id).map_or(Known::New, |outcome| Known::Waiting(outcome.clone()))
    }

    /// An id is on its way into the log.
    pub fn reserve(&mut self, id: u128, outcome: &Outcome) {
        self.waiting.insert(id, outcome.clone());
    }

    /// What was reserved is in the log, or will never be.
    pub fn settle(&mut self, ids: &[u128], durable: Option<i64>) {
        let ids: Vec<u128> = ids.iter().copied().filter(|&id| id != 0).collect();
        for id in &ids {
            self.waiting.remove(id);
        }
        if let Some(time) = durable {
            self.insert(time, ids);
        }
    }

    /// Ids that are in the log, in the order of time.
    pub fn insert(&mut self, time: i64, ids: Vec<u128>) {
        if ids.is_empty() {
            return;
        }
        self.seen.extend(ids.iter().copied());
        self.order.push_back((time, ids));
    }

    /// Forgets what is older than the window.
    pub fn forget(&mut self, window: IdWindow, now: i64) {
        while let Some((time, ids)) = self.order.front() {
            let old = *time < now.saturating_sub(window.milliseconds);
            if !old && self.seen.len() <= window.count_max {
                break;
            }
            for id in ids {
                self.seen.remove(id);
            }
            self.order.pop_front();
        }
    }
}
