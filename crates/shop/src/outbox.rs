//! Where events wait until they arrive.
//!
//! An event arrives a little after it happened, some twice, some (where asked for) minutes late.
//! Delays come of the event's number, not of the world's dice: what nobody reads is counted and
//! not made, and everything else stays the same.

use crate::config::Config;
use crate::event::{Body, Event};
use crate::random::mix;
use crate::table::{TABLES, Table};

/// No event of a punctual world arrives later than this; the model's watermarks allow 10 seconds.
const DELAY_MAX_MS: i64 = 8000;

#[derive(Debug)]
pub(crate) struct Outbox {
    wanted: [bool; TABLES],
    counts: [u64; TABLES],
    waiting: [Vec<Event>; TABLES],
    seed: u64,
    duplicates: f64,
    late: f64,
}

impl Outbox {
    pub fn new(config: &Config, wanted: [bool; TABLES]) -> Self {
        Self {
            wanted,
            counts: [0; TABLES],
            waiting: Default::default(),
            seed: mix(config.seed ^ 0x0b0c),
            duplicates: config.duplicates,
            late: config.late,
        }
    }

    /// Says which tables somebody reads from now on.
    pub fn wants(&mut self, wanted: [bool; TABLES]) {
        self.wanted = wanted;
    }

    /// How many events there were.
    pub fn counts(&self) -> [u64; TABLES] {
        self.counts
    }

    /// Something happened.
    #[inline]
    pub fn push(&mut self, table: Table, time: i64, body: impl FnOnce() -> Body) {
        let index = table as usize;
        self.counts[index] += 1;
        if !self.wanted[index] {
            return;
        }
        let id = self.counts[index];
        if table.is_dimension() {
            self.waiting[index].push(Event { time, arrival: time, id, table, body: body() });
            return;
        }
        let dice = mix(self.seed ^ ((index as u64) << 56) ^ id);
        let unit = |shift: u32| f64::from((dice >> shift) as u16) / 65_536.0;
        let mut delay = ((-300.0 * (1.0 - unit(0)).ln()) as i64 + 5).min(DELAY_MAX_MS);
        if unit(16) < self.late {
            delay += 60_000 + (unit(0) * 540_000.0) as i64;
        }
        let arrival = time + delay;
        let event = Event { time, arrival, id, table, body: body() };
        if unit(32) < self.duplicates {
            let again = arrival + 1 + (unit(48) * 5000.0) as i64;
            let arrival = again.min(time + delay.max(DELAY_MAX_MS));
            self.waiting[index].push(Event { arrival, ..event.clone() });
        }
        self.waiting[index].push(event);
    }

    /// What arrives before a time, in the order of arrival.
    pub fn take(&mut self, table: Table, end: i64, into: &mut Vec<Event>) {
        let waiting = &mut self.waiting[table as usize];
        waiting.sort_unstable_by_key(|event| (event.arrival, event.id));
        let count = waiting.partition_point(|event| event.arrival < end);
        into.extend(waiting.drain(..count));
    }
}
