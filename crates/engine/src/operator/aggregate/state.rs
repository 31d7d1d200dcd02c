//! The durable form of an aggregation: a slot a group, with its key and what its calls hold.

use crate::state::{Changed, Persist, SlotMap, StateReader, StateWriter};
use crate::{EngineError, Result};

use super::{Aggregate, Calls};

const GROUPS: &str = "groups";
const STARTED: &str = "started";

/// The step that a group that was read back was touched in: before all steps to come.
const LONG_AGO: u64 = 1;

impl Aggregate {
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let capacity = self.keys.capacity();
        for calls in &mut self.accumulators {
            match calls {
                Calls::Plain { accumulator, .. } => accumulator.resize(capacity),
                Calls::Distinct { distinct, .. } => distinct.resize(capacity),
            }
        }
        out.value(STARTED, &self.started)?;
        let Self { keys, rows, accumulators, leases, dirty, .. } = self;
        let changed = Changed::take(dirty, capacity, |slot| keys.is_live(slot));
        out.slots(GROUPS, &changed, |_, slot, out| {
            let at = slot as usize;
            keys.save(slot, out);
            rows[at].put(out);
            if let Some(leases) = leases {
                leases.deadline(slot).put(out);
            }
            for calls in accumulators.iter() {
                match calls {
                    Calls::Plain { accumulator, .. } => accumulator.save(at, out),
                    Calls::Distinct { distinct, .. } => distinct.save_group(at, out),
                }
            }
        })?;
        for (number, calls) in self.accumulators.iter_mut().enumerate() {
            if let Calls::Distinct { distinct, .. } = calls {
                out.part(&format!("distinct-{number}"), |out| distinct.save(out))?;
            }
        }
        Ok(())
    }

    pub(super) fn load(&mut self, from: &StateReader<'_>) -> Result<()> {
        for part in 0..from.parts() {
            self.started |= from.value::<bool>(part, STARTED)?;
            let mut groups = SlotMap::default();
            for (old, mut input) in from.slots(part, GROUPS) {
                let Some(slot) = self.keys.load(from, old, &mut input)? else { continue };
                groups.set(old, slot);
                self.load_group(slot, &mut input)?;
            }
            for (number, calls) in self.accumulators.iter_mut().enumerate() {
                if let Calls::Distinct { distinct, .. } = calls {
                    let from = from.part(&format!("distinct-{number}"));
                    distinct.load(&from, part, &groups)?;
                }
            }
        }
        self.keys.loaded();
        self.load_windows()?;
        if from.is_same() {
            self.dirty.start();
        }
        Ok(())
    }

    fn load_group(&mut self, slot: u32, input: &mut crate::state::Input<'_>) -> Result<()> {
        let at = slot as usize;
        let capacity = self.keys.capacity();
        self.rows.resize(capacity, 0);
        self.touched_at.resize(capacity, 0);
        self.rows[at] = input.get()?;
        self.touched_at[at] = LONG_AGO;
        if let Some(leases) = &mut self.leases {
            leases.restore(slot, input.get()?);
        }
        for calls in &mut self.accumulators {
            match calls {
                Calls::Plain { accumulator, .. } => {
                    accumulator.resize(capacity);
                    accumulator.load(at, input)?;
                }
                Calls::Distinct { distinct, .. } => {
                    distinct.resize(capacity);
                    distinct.load_group(at, input)?;
                }
            }
        }
        match input.remaining() {
            0 => Ok(()),
            n => Err(EngineError::State(format!("a group has {n} bytes too many"))),
        }
    }

    /// The open windows are those of the groups' keys.
    fn load_windows(&mut self) -> Result<()> {
        let Some(window) = self.spec.window else { return Ok(()) };
        let slots: Vec<u32> = self.keys.iter_slots().collect();
        let ends = window.ends(&self.keys.keys(&slots)?[window.end_key])?;
        for (slot, end) in slots.into_iter().zip(ends.iter()) {
            if let Some(end) = end {
                self.windows.entry(end).or_default().push(slot);
            }
        }
        Ok(())
    }
}
