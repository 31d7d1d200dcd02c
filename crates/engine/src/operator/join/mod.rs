//! The join of two inputs that both change: regular, interval, window and with a time to live.
//!
//! # Semantics
//! The answer is that of the SQL join over everything that has come so far. With `=` a null key
//! matches nothing. A row's matches are *counted*, with the weights of the matching rows: whether
//! an outer, semi or anti join answers the row by itself depends on the count being positive.
//!
//! A step first adds the left changes and joins them with the right rows as they were, then adds
//! the right changes and joins them with the left rows as they are now: `ΔL ⋈ R + L' ⋈ ΔR`. Rows by
//! themselves are emitted once at the end of the step, as the difference of before and after.
//!
//! # State
//! Both inputs column by column, only the columns that the output and the filter read, chained by
//! key. An input that takes rows back keeps equal rows once, with a weight, and finds them by hash.
//! Matches are counted by key where there is no further condition, otherwise by row. A semi or anti
//! join without a condition keeps of its right input just a count by key.
//!
//! # Emission
//! [`Emission::Updates`] answers at once and takes back; [`Emission::Final`] waits for the
//! watermark and never takes back.
//!
//! # Retention
//! Rows go when the other input ends, or by [`Retention`]: when the other side's watermark has
//! passed all that they can match, or some time after they were last written. A row that comes when
//! its own matches may have gone is late and is reported; see [`Retention`] for when that is.

mod filter;
mod input;
mod pairs;
mod retention;
mod side;
mod spec;
#[cfg(test)]
mod tests;

pub(crate) use filter::Residual;
pub use retention::Retention;
pub use spec::{JoinKind, JoinSpec};

use input::Input;
use pairs::{Pairs, needed_columns};
use side::Side;
use spec::Single;

use crate::key::KeyTable;
use crate::operator::Emission;
use crate::state::{Changed, Dirty, Persist, SlotMap, StateReader, StateWriter};
use crate::{Deltas, EngineError, Operator, Result, StepContext, Watermark};

/// The name of the table of keys in a checkpoint.
const KEYS: &str = "keys";

/// The operator; input 0 is the left side, input 1 the right.
#[derive(Debug)]
pub struct Join {
    keys: KeyTable,
    inputs: [Input; 2],
    sides: [Side; 2],
    pairs: Pairs,
    retention: Option<Retention>,
    emission: Emission,
    /// Keys that changed since the last checkpoint.
    dirty: Dirty,
}

impl Join {
    /// A join as specified. A specification that contradicts itself is an internal error.
    pub fn new(spec: &JoinSpec) -> Result<Self> {
        spec.validate()?;
        let [left, right] = needed_columns(spec)?;
        let sides = [Side::new(spec, 0, &left)?, Side::new(spec, 1, &right)?];
        Ok(Self {
            keys: KeyTable::for_columns(&spec.left_schema, &spec.left_keys)?,
            inputs: [Input::new(spec, 0)?, Input::new(spec, 1)?],
            pairs: Pairs::new(spec, &sides)?,
            sides,
            retention: spec.retention,
            emission: spec.emission,
            dirty: Dirty::default(),
        })
    }

    /// Whether nothing is emitted before the window closes.
    fn waits_for_window(&self) -> bool {
        self.emission == Emission::Final && matches!(self.retention, Some(Retention::Window { .. }))
    }

    /// Takes in the deltas of one side and joins them with the other side as it is.
    fn take_side(
        &mut self,
        side: usize,
        deltas: Deltas,
        context: &mut StepContext<'_>,
        out: &mut Deltas,
    ) -> Result<()> {
        let input = &self.inputs[side];
        if let Some(rows) = input.prepare(deltas, &mut self.keys, context, out)? {
            self.dirty.mark_all(&rows.slots);
            self.sides[side].apply(&rows)?;
            if !self.waits_for_window() {
                self.pairs.join(&mut self.sides, side, out)?;
            }
        }
        Ok(())
    }

    /// Emits what the step has changed of the rows that are answered by themselves.
    fn emit_singles(&mut self, out: &mut Deltas) -> Result<()> {
        let [left, right] = &mut self.sides;
        left.touch_crossed(right);
        right.touch_crossed(left);
        for side in 0..2 {
            let own = &self.sides[side];
            let waits = self.emission == Emission::Final && !self.waits_for_window();
            if own.single == Single::None || waits && own.single == Single::Unmatched {
                continue;
            }
            let (mut rows, mut weights) = (Vec::new(), Vec::new());
            own.single_changes(&self.sides[1 - side], &mut rows, &mut weights);
            self.pairs.emit_single(&self.sides, side, &rows, weights, out)?;
        }
        Ok(())
    }

    /// Emits and forgets the windows that the watermark has closed.
    fn close_windows(
        &mut self,
        watermark: Watermark,
        slots: &mut Vec<u32>,
        out: &mut Deltas,
    ) -> Result<()> {
        self.finish_changes(slots);
        let closed = self.sides.each_mut().map(|side| side.take_expired(watermark.0));
        for (side, rows) in self.sides.iter_mut().zip(&closed) {
            side.present(rows);
        }
        self.pairs.join(&mut self.sides, 0, out)?;
        self.emit_singles(out)?;
        self.finish_changes(slots);
        for (side, rows) in self.sides.iter_mut().zip(&closed) {
            rows.iter().for_each(|&row| side.remove(row, slots));
        }
        Ok(())
    }

    fn finish_changes(&mut self, slots: &mut Vec<u32>) {
        let only_positive = matches!(self.retention, Some(Retention::Ttl { .. }));
        self.sides.iter_mut().for_each(|side| side.finish(only_positive, slots));
    }

    /// Forgets what the watermark has passed; a final join answers it first if it has no match.
    fn expire(
        &mut self,
        context: &StepContext<'_>,
        slots: &mut Vec<u32>,
        out: &mut Deltas,
    ) -> Result<()> {
        for side in 0..2 {
            let other = context.inputs[1 - side].after;
            let rows = self.sides[side].take_expired(other.0);
            if self.emission == Emission::Final && self.sides[side].single == Single::Unmatched {
                let own = &self.sides[side];
                let alone: Vec<u32> =
                    rows.iter().copied().filter(|&row| !own.is_matched(row)).collect();
                let weights = alone.iter().map(|&row| own.weight(row)).collect();
                self.pairs.emit_single(&self.sides, side, &alone, weights, out)?;
            }
            rows.iter().for_each(|&row| self.sides[side].remove(row, slots));
        }
        Ok(())
    }

    /// Forgets rows whose time to live has passed, before the step looks at them.
    fn expire_by_clock(&mut self, clock_ms: i64, slots: &mut Vec<u32>) {
        if let Some(Retention::Ttl { .. }) = self.retention {
            for side in &mut self.sides {
                for row in side.take_expired(clock_ms) {
                    side.remove(row, slots);
                }
            }
        }
    }

    /// Forgets the rows of a side whose other side has ended, and the keys that nobody uses.
    fn release(&mut self, context: &StepContext<'_>, mut slots: Vec<u32>) -> Result<()> {
        for side in 0..2 {
            if context.inputs[1 - side].after == Watermark::MAX && !self.waits_for_window() {
                self.sides[side].clear(&mut slots)?;
            }
        }
        for slot in slots {
            if self.sides.iter().all(|side| side.is_unused(slot)) {
                self.keys.remove(slot);
                self.dirty.mark(slot);
                for totals in self.sides.iter_mut().filter_map(|side| side.totals.as_mut()) {
                    totals.reset(slot);
                }
            }
        }
        Ok(())
    }
}

impl Operator for Join {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let [left, right] = <[Deltas; 2]>::try_from(inputs)
            .map_err(|i| EngineError::Internal(format!("a join got {} inputs", i.len())))?;
        let (mut out, mut slots) = (Deltas::new(), Vec::new());
        self.expire_by_clock(context.clock_ms, &mut slots);
        self.take_side(0, left, context, &mut out)?;
        self.take_side(1, right, context, &mut out)?;
        if self.waits_for_window() {
            self.close_windows(context.watermark(), &mut slots, &mut out)?;
        } else {
            self.emit_singles(&mut out)?;
            self.finish_changes(&mut slots);
            if self.retention.is_some_and(|r| r.time_column(0).is_some()) {
                self.expire(context, &mut slots, &mut out)?;
            }
        }
        self.release(context, slots)?;
        Ok(out)
    }

    fn watermark(&self, inputs: &[Watermark], _: i64) -> Watermark {
        let least = inputs.iter().copied().min().unwrap_or(Watermark::MAX);
        retention::delayed(least, self.retention.map_or(0, Retention::output_delay))
    }

    fn state_rows(&self) -> usize {
        self.sides.iter().map(Side::len).sum()
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + self.sides.iter().map(Side::bytes).sum::<usize>()
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { keys, sides, dirty, .. } = self;
        let changed = Changed::take(dirty, keys.capacity(), |slot| keys.is_live(slot));
        out.slots(KEYS, &changed, |_, slot, out| {
            keys.save(slot, out);
            sides.iter().filter_map(|side| side.total(slot)).for_each(|total| total.put(out));
        })?;
        let [left, right] = sides;
        out.part("left", |out| left.save(out))?;
        out.part("right", |out| right.save(out))
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let mut maps = Vec::new();
        for part in 0..from.parts() {
            let mut map = SlotMap::default();
            for (old, mut input) in from.slots(part, KEYS) {
                let Some(slot) = self.keys.load(from, old, &mut input)? else { continue };
                map.set(old, slot);
                for side in &mut self.sides {
                    if side.totals.is_some() {
                        side.set_total(slot, input.get()?);
                    }
                }
            }
            maps.push(map);
        }
        self.keys.loaded();
        if from.is_same() {
            self.dirty.start();
        }
        self.sides[0].load(&from.part("left"), &maps)?;
        self.sides[1].load(&from.part("right"), &maps)
    }
}
