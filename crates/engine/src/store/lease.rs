//! Keys that are forgotten some time after they were last written, by the clock of the step.

use super::Expiry;

/// When each slot of a key table may be forgotten.
///
/// A write renews a slot's lease. A slot lies in the queue once, with a deadline that may be an old
/// one: if it comes out too early it goes in again. A clock that is set back adds a second, earlier
/// entry; of a slot's entries all but the earliest are dropped when they come out.
#[derive(Debug)]
pub struct Leases {
    ttl_ms: i64,
    /// Each slot's deadline; [`NONE`] where there is no lease.
    deadlines: Vec<i64>,
    /// When each slot comes out of the queue next; [`NEVER`] where it does not lie in it.
    queued: Vec<i64>,
    queue: Expiry,
}

/// The deadline of a slot that is not leased.
const NONE: i64 = i64::MIN;
/// When a slot comes out that is not in the queue.
const NEVER: i64 = i64::MAX;

impl Leases {
    /// No lease yet; each will run for `ttl_ms`.
    pub fn new(ttl_ms: i64) -> Self {
        let (deadlines, queued) = (Vec::new(), Vec::new());
        Self { ttl_ms, deadlines, queued, queue: Expiry::new(ttl_ms) }
    }

    /// Renews a slot's lease, or begins one.
    pub fn renew(&mut self, slot: u32, clock_ms: i64) {
        let at = slot as usize;
        if at >= self.deadlines.len() {
            self.deadlines.resize(at + 1, NONE);
            self.queued.resize(at + 1, NEVER);
        }
        let deadline = clock_ms.saturating_add(self.ttl_ms);
        self.deadlines[at] = deadline;
        if deadline < self.queued[at] {
            self.queued[at] = deadline;
            self.queue.push(deadline, slot);
        }
    }

    /// When a slot's lease ends, for a checkpoint.
    pub fn deadline(&self, slot: u32) -> i64 {
        self.deadlines.get(slot as usize).copied().unwrap_or(NONE)
    }

    /// Gives a slot the lease that a checkpoint has of it.
    pub fn restore(&mut self, slot: u32, deadline: i64) {
        if deadline != NONE {
            self.renew(slot, deadline.saturating_sub(self.ttl_ms));
        }
    }

    /// Ends a slot's lease: its key is gone.
    pub fn end(&mut self, slot: u32) {
        if let Some(deadline) = self.deadlines.get_mut(slot as usize) {
            *deadline = NONE;
        }
    }

    /// Ends the leases that have run out, and answers their slots.
    pub fn take_expired(&mut self, clock_ms: i64) -> Vec<u32> {
        let (mut due, mut expired) = (Vec::new(), Vec::new());
        self.queue.take_until(clock_ms, &mut due);
        for slot in due {
            let at = slot as usize;
            if self.queued[at] > clock_ms {
                continue;
            }
            let deadline = self.deadlines[at];
            self.queued[at] = NEVER;
            if deadline > clock_ms {
                self.queued[at] = deadline;
                self.queue.push(deadline, slot);
            } else if deadline != NONE {
                self.deadlines[at] = NONE;
                expired.push(slot);
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_lease_runs_out_so_long_after_its_last_renewal(
            rounds in prop::collection::vec(
                (prop::collection::vec((0_u32..6, any::<bool>()), 0..5), -20_i64..80),
                1..40,
            ),
        ) {
            let mut leases = Leases::new(100);
            let (mut written, mut clock) = (BTreeMap::new(), 0_i64);
            for (writes, advance) in rounds {
                clock += advance;
                let mut expired = leases.take_expired(clock);
                expired.sort_unstable();
                let due: Vec<u32> =
                    written.iter().filter(|(_, at)| **at + 100 <= clock).map(|e| *e.0).collect();
                prop_assert_eq!(&expired, &due);
                written.retain(|slot, _| !due.contains(slot));
                for (slot, ends) in writes {
                    if ends {
                        leases.end(slot);
                        written.remove(&slot);
                    } else {
                        leases.renew(slot, clock);
                        written.insert(slot, clock);
                    }
                }
            }
        }
    }
}
