//! A shop whose hours pass when somebody says so: for benches that judge policies in it.
//!
//! A world of its own pace may be ahead of what is decided in it. On a stage nothing happens
//! before it is asked for: an hour passes, all that reads the shop reads that hour, and what is
//! decided is told with the next one. So a run is the same every time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rialto_shop::{Config, Decision, TABLES, Truth, World};
use serde_json::{Map, Value};

use super::decisions::decision;

/// One world, whatever the tables that read it ask for.
#[derive(Debug)]
pub struct Stage {
    config: Config,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    passed: u64,
    told: Vec<Decision>,
    truth: Truth,
}

impl Stage {
    /// A world of which no hour has passed.
    pub fn new(config: Config) -> Self {
        Self { config, state: Mutex::default() }
    }

    /// A world in which nobody decides: what is true after some hours, and after some more.
    pub fn alone(config: Config, hours: impl IntoIterator<Item = u64>) -> Vec<Truth> {
        let mut world = World::new(config, [false; TABLES]);
        let mut after = |hours: u64| {
            (0..hours).for_each(|_| world.hour(&[]));
            *world.truth()
        };
        hours.into_iter().map(&mut after).collect()
    }

    /// What the world is made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Lets an hour pass, when it is read. `decisions` are rows of the event model's `decision`,
    /// as JSON; of those that are `applied` and that the shop understands it is told at the
    /// beginning of the hour. Answers how many these are.
    pub fn pass_hour(&self, decisions: &[Map<String, Value>]) -> usize {
        let told: Vec<Decision> = decisions.iter().filter_map(decision).collect();
        let mut state = self.state();
        let count = told.len();
        state.told.extend(told);
        state.passed += 1;
        count
    }

    /// What is true of the world after the hours that were read, and no table shows.
    pub fn truth(&self) -> Truth {
        self.state().truth
    }

    /// How many hours may have been traded.
    pub(super) fn passed(&self) -> u64 {
        self.state().passed
    }

    /// What the world is told at the beginning of its next hour.
    pub(super) fn take_told(&self) -> Vec<Decision> {
        std::mem::take(&mut self.state().told)
    }

    pub(super) fn note(&self, truth: Truth) {
        self.state().truth = truth;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain figures, whole between any two calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
