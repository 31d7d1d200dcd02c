//! The rows of one input, and what the running step has changed about them.

use arrow::array::ArrayRef;

use super::input::Prepared;
use super::spec::{JoinSpec, Single};
use crate::key::hash_columns;
use crate::state::{Changed, Persist, SlotMap, StateReader, StateWriter};
use crate::store::{Chains, Expiry, NO_ROW, RowLookup, RowStore, held};
use crate::{EngineError, Result};

/// The name of the table of rows in a checkpoint.
const ROWS: &str = "rows";

/// How the matches of a row are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Degree {
    /// Nobody asks.
    None,
    /// Every row of the other side with the same key matches: the other side counts by key.
    Key,
    /// Pairs are decided one by one: a count for each row.
    Row,
}

/// One row that the step has touched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub row: u32,
    /// The row was not kept before the step.
    pub new: bool,
    /// The change of its weight.
    pub weight: i64,
    /// The change of its degree, for a row that is not new.
    pub degree: i64,
}

/// Sums of weights by key slot, with what the step has changed.
#[derive(Debug, Default)]
pub(super) struct Totals {
    by_slot: Vec<i64>,
    /// One more than the place in `changes`, or 0.
    marks: Vec<u32>,
    changes: Vec<(u32, i64)>,
}

impl Totals {
    pub(super) fn get(&self, slot: u32) -> i64 {
        self.by_slot.get(slot as usize).copied().unwrap_or(0)
    }

    /// The sum before the step.
    fn before(&self, slot: u32) -> i64 {
        let mark = self.marks.get(slot as usize).copied().unwrap_or(0);
        let change = if mark == 0 { 0 } else { self.changes[mark as usize - 1].1 };
        self.get(slot) - change
    }

    fn add(&mut self, slot: u32, weight: i64) {
        let s = slot as usize;
        if s >= self.by_slot.len() {
            self.by_slot.resize(s + 1, 0);
            self.marks.resize(s + 1, 0);
        }
        self.by_slot[s] += weight;
        if self.marks[s] == 0 {
            self.changes.push((slot, 0));
            self.marks[s] = self.changes.len() as u32;
        }
        self.changes[self.marks[s] as usize - 1].1 += weight;
    }

    /// The slots whose sum has become positive or has ceased to be.
    pub(super) fn crossed(&self) -> impl Iterator<Item = u32> + '_ {
        let crossed = |&&(slot, _): &&(u32, i64)| (self.get(slot) > 0) != (self.before(slot) > 0);
        self.changes.iter().filter(crossed).map(|&(slot, _)| slot)
    }

    pub(super) fn reset(&mut self, slot: u32) {
        if let Some(sum) = self.by_slot.get_mut(slot as usize) {
            *sum = 0;
        }
    }

    fn set(&mut self, slot: u32, total: i64) {
        let s = slot as usize;
        if s >= self.by_slot.len() {
            self.by_slot.resize(s + 1, 0);
            self.marks.resize(s + 1, 0);
        }
        self.by_slot[s] = total;
    }

    fn finish(&mut self, touched: &mut Vec<u32>) {
        for (slot, _) in self.changes.drain(..) {
            self.marks[slot as usize] = 0;
            touched.push(slot);
        }
    }
}

/// The state of one input.
#[derive(Debug)]
pub(super) struct Side {
    pub single: Single,
    pub degree: Degree,
    /// The input columns that are kept, ascending.
    pub stored: Vec<usize>,
    /// Whether rows are kept, or only counted by key.
    keeps_rows: bool,
    insert_only: bool,
    store: RowStore,
    pub chains: Chains,
    /// By row: its key.
    pub slots: Vec<u32>,
    /// By row; `None` as long as every row is there once.
    weights: Option<Vec<i64>>,
    /// By row, where degrees are counted by row.
    pub degrees: Vec<i64>,
    /// By key, where the other side's degrees are counted by key.
    pub totals: Option<Totals>,
    lookup: Option<RowLookup>,
    /// By row: its event time, where pairs are decided by it.
    pub times: Option<Vec<i64>>,
    expiry: Option<Expiry>,
    /// By row, beside `expiry`.
    deadlines: Vec<i64>,
    /// By row: one more than the place in `changes`, or 0; where rows are touched more than once.
    marks: Option<Vec<u32>>,
    pub changes: Vec<Change>,
    ids: Vec<u32>,
    hashes: Vec<u64>,
}

impl Side {
    pub(super) fn new(spec: &JoinSpec, side: usize, needed: &[usize]) -> Result<Self> {
        let single = spec.kind.single(side);
        let by_key = spec.filter.is_none()
            && spec.retention.is_none_or(|r| matches!(r, super::Retention::Window { .. }));
        let degree = |single| match single {
            Single::None => Degree::None,
            _ if by_key => Degree::Key,
            _ => Degree::Row,
        };
        let insert_only = spec.insert_only(side);
        let mut stored = needed.to_vec();
        if let (false, Some(retention)) = (insert_only, spec.retention) {
            // Rows at different times are different rows, also where nobody reads the time.
            stored.extend(retention.time_column(side));
        }
        stored.sort_unstable();
        stored.dedup();
        let keeps_rows =
            spec.kind.emits_pairs() || side == 0 || !by_key || spec.retention.is_some();
        let removable = !insert_only || spec.retention.is_some();
        let timed = spec.retention.is_some_and(|r| r.interval().is_some());
        let expires =
            spec.retention.filter(|r| r.time_column(side).or(r.ttl(side).map(|_| 0)).is_some());
        Ok(Self {
            single,
            degree: degree(single),
            store: RowStore::for_columns(spec.schema(side), &stored)?,
            stored,
            keeps_rows,
            insert_only,
            chains: if removable { Chains::removable() } else { Chains::grow_only() },
            slots: Vec::new(),
            weights: (!insert_only).then(Vec::new),
            degrees: Vec::new(),
            totals: (degree(spec.kind.single(1 - side)) == Degree::Key).then(Totals::default),
            lookup: (!insert_only).then(RowLookup::new),
            times: timed.then(Vec::new),
            expiry: expires.map(|r| Expiry::new(r.span_ms(side))),
            deadlines: Vec::new(),
            marks: (!insert_only || single != Single::None).then(Vec::new),
            changes: Vec::new(),
            ids: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let lookup = self.lookup.as_ref().map_or(0, RowLookup::bytes);
        let weights = self.weights.as_ref().map_or(0, held) + held(&self.degrees);
        let times = self.times.as_ref().map_or(0, held) + held(&self.deadlines);
        self.store.bytes() + self.chains.bytes() + held(&self.slots) + lookup + weights + times
    }

    /// How many rows are kept.
    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    #[inline]
    pub(super) fn weight(&self, row: u32) -> i64 {
        self.weights.as_ref().map_or(1, |w| w[row as usize])
    }

    /// The values of a kept column for some rows; null for no row.
    pub(super) fn gather(&self, stored: usize, rows: &[u32]) -> Result<ArrayRef> {
        self.store.gather(stored, rows)
    }

    /// Adds the rows of a delta to the state and their weights to the step's changes.
    pub(super) fn apply(&mut self, rows: &Prepared) -> Result<()> {
        if let Some(totals) = &mut self.totals {
            for (row, &slot) in rows.slots.iter().enumerate() {
                totals.add(slot, rows.weight(row));
            }
        }
        if !self.keeps_rows {
            return Ok(());
        }
        let columns: Vec<ArrayRef> =
            self.stored.iter().map(|&c| rows.delta.column(c).clone()).collect();
        let all: Vec<u32> = (0..rows.slots.len() as u32).collect();
        let mut ids = std::mem::take(&mut self.ids);
        ids.clear();
        self.store.insert(&columns, &all, &mut ids)?;
        self.grow();
        let mut hashes = std::mem::take(&mut self.hashes);
        if self.lookup.is_some() {
            hash_columns(&columns, rows.slots.len(), &mut hashes)?;
        }
        for (index, &id) in ids.iter().enumerate() {
            self.apply_row(rows, index, id, hashes.get(index).copied())?;
        }
        (self.ids, self.hashes) = (ids, hashes);
        Ok(())
    }

    /// Makes the vectors beside the rows as long as there are rows.
    fn grow(&mut self) {
        let rows = self.store.capacity();
        self.slots.resize(rows, 0);
        if let Some(weights) = &mut self.weights {
            weights.resize(rows, 0);
        }
        if self.degree == Degree::Row {
            self.degrees.resize(rows, 0);
        }
        if let Some(times) = &mut self.times {
            times.resize(rows, 0);
        }
        if self.expiry.is_some() {
            self.deadlines.resize(rows, i64::MAX);
        }
        if let Some(marks) = &mut self.marks {
            marks.resize(rows, 0);
        }
    }

    #[inline]
    fn apply_row(
        &mut self,
        rows: &Prepared,
        index: usize,
        id: u32,
        hash: Option<u64>,
    ) -> Result<()> {
        let (i, weight) = (id as usize, rows.weight(index));
        self.slots[i] = rows.slots[index];
        if let (Some(lookup), Some(hash)) = (&mut self.lookup, hash)
            && let Some(same) = lookup.find_or_insert(&self.store, &self.slots, id, hash)
        {
            self.store.remove(id);
            if let Some(weights) = &mut self.weights {
                weights[same as usize] += weight;
            }
            self.touch(same).weight += weight;
            self.set_deadline(same, rows, index);
            return Ok(());
        }
        if self.insert_only && weight != 1 {
            self.check_weight(weight)?;
        }
        if let Some(weights) = &mut self.weights {
            weights[i] = weight;
        }
        if self.degree == Degree::Row {
            self.degrees[i] = 0;
        }
        if let (Some(times), Some(source)) = (&mut self.times, &rows.times) {
            times[i] = source.value(index);
        }
        self.set_deadline(id, rows, index);
        self.chains.insert(rows.slots[index], id);
        if let Some(marks) = &mut self.marks {
            marks[i] = self.changes.len() as u32 + 1;
        }
        self.changes.push(Change { row: id, new: true, weight, degree: 0 });
        Ok(())
    }

    fn check_weight(&mut self, weight: i64) -> Result<()> {
        if weight < 0 {
            return Err(EngineError::Internal(
                "a join was told that an input never takes rows back, but it does".into(),
            ));
        }
        let rows = self.store.capacity();
        self.weights.get_or_insert_with(|| vec![1; rows]);
        Ok(())
    }

    fn set_deadline(&mut self, row: u32, rows: &Prepared, index: usize) {
        if let Some(expiry) = &mut self.expiry {
            let deadline = rows.deadline(index);
            if self.deadlines[row as usize] != deadline {
                self.deadlines[row as usize] = deadline;
                expiry.push(deadline, row);
            }
        }
    }

    /// The step's change of a row that was there before, made where it is missing.
    #[inline]
    pub(super) fn touch(&mut self, row: u32) -> &mut Change {
        let next = self.changes.len();
        let mut place = next;
        if let Some(marks) = &mut self.marks {
            let mark = &mut marks[row as usize];
            if *mark == 0 {
                *mark = next as u32 + 1;
            }
            place = *mark as usize - 1;
        }
        if place == next {
            self.changes.push(Change { row, new: false, weight: 0, degree: 0 });
        }
        &mut self.changes[place]
    }

    /// Adds `weight` matches to a row that the step has not made.
    #[inline]
    pub(super) fn add_degree(&mut self, row: u32, weight: i64) {
        if self.degree == Degree::Row {
            self.degrees[row as usize] += weight;
            self.touch(row).degree += weight;
        }
    }

    /// Adds `weight` matches to a row that the step has made.
    #[inline]
    pub(super) fn add_new_degree(&mut self, row: u32, weight: i64) {
        if self.degree == Degree::Row {
            self.degrees[row as usize] += weight;
        }
    }

    /// Touches the rows whose key has got its first match or lost its last one.
    pub(super) fn touch_crossed(&mut self, other: &Side) {
        let (Degree::Key, Some(totals)) = (self.degree, &other.totals) else { return };
        for slot in totals.crossed() {
            let mut row = self.chains.first(slot);
            while row != NO_ROW {
                self.touch(row);
                row = self.chains.after(row);
            }
        }
    }

    /// The degree of a touched row before the step and now.
    fn degree_of(&self, change: &Change, other: &Side) -> (i64, i64) {
        match (&other.totals, self.degree) {
            (Some(totals), Degree::Key) => {
                let slot = self.slots[change.row as usize];
                (totals.before(slot), totals.get(slot))
            }
            (_, Degree::Row) => {
                let now = self.degrees[change.row as usize];
                (now - change.degree, now)
            }
            _ => (0, 0),
        }
    }

    /// How the step changes the rows that this side has in the answer by themselves.
    pub(super) fn single_changes(&self, other: &Side, rows: &mut Vec<u32>, weights: &mut Vec<i64>) {
        let counts = |degree: i64| match self.single {
            Single::None => false,
            Single::Matched => degree > 0,
            Single::Unmatched => degree <= 0,
        };
        for change in &self.changes {
            let now = self.weight(change.row);
            let (degree_before, degree_now) = self.degree_of(change, other);
            let before = if counts(degree_before) { now - change.weight } else { 0 };
            let after = if counts(degree_now) { now } else { 0 };
            if after != before {
                rows.push(change.row);
                weights.push(after - before);
            }
        }
    }

    /// The rows whose deadline is at or before `bound`, each once; they stay until removed.
    pub(super) fn take_expired(&mut self, bound: i64) -> Vec<u32> {
        let mut rows = Vec::new();
        if let Some(expiry) = &mut self.expiry {
            expiry.take_until(bound, &mut rows);
            let deadlines = &mut self.deadlines;
            rows.retain(|&row| {
                let due = deadlines[row as usize] <= bound;
                if due {
                    deadlines[row as usize] = i64::MAX;
                }
                due
            });
        }
        rows
    }

    /// Makes rows that were put aside the changes of this step, as if they had come just now.
    pub(super) fn present(&mut self, rows: &[u32]) {
        for &row in rows {
            let weight = self.weight(row);
            let change = self.touch(row);
            (change.new, change.weight, change.degree) = (true, weight, 0);
        }
    }

    /// Whether a row has a match now.
    pub(super) fn is_matched(&self, row: u32) -> bool {
        self.degrees.get(row as usize).is_some_and(|&d| d > 0)
    }

    /// Takes a row out of the state; its key's slot is appended to `slots`.
    pub(super) fn remove(&mut self, row: u32, slots: &mut Vec<u32>) {
        let slot = self.slots[row as usize];
        self.chains.remove(slot, row);
        if let Some(lookup) = &mut self.lookup {
            lookup.remove(row);
        }
        if self.expiry.is_some() {
            self.deadlines[row as usize] = i64::MAX;
        }
        self.store.remove(row);
        slots.push(slot);
    }

    /// Ends the step: rows with weight zero (or, with `only_positive`, less) go. Slots that may
    /// have become free are appended to `slots`.
    pub(super) fn finish(&mut self, only_positive: bool, slots: &mut Vec<u32>) {
        let changes = std::mem::take(&mut self.changes);
        for change in &changes {
            self.store.dirty.mark(change.row);
            if let Some(marks) = &mut self.marks {
                marks[change.row as usize] = 0;
            }
            let weight = self.weight(change.row);
            if self.lookup.is_some() && (weight == 0 || only_positive && weight < 0) {
                self.remove(change.row, slots);
            }
        }
        self.changes = changes;
        self.changes.clear();
        if let Some(totals) = &mut self.totals {
            totals.finish(slots);
        }
        self.store.compact();
    }

    /// Forgets all rows; counts by key stay.
    pub(super) fn clear(&mut self, slots: &mut Vec<u32>) -> Result<()> {
        if self.store.capacity() == 0 {
            return Ok(());
        }
        self.store.clear()?;
        self.chains.clear();
        slots.append(&mut self.slots);
        self.weights = (!self.insert_only).then(Vec::new);
        self.degrees = Vec::new();
        self.times = self.times.is_some().then(Vec::new);
        self.marks = self.marks.is_some().then(Vec::new);
        self.deadlines = Vec::new();
        if let Some(lookup) = &mut self.lookup {
            lookup.clear();
        }
        if let Some(expiry) = &mut self.expiry {
            expiry.clear();
        }
        Ok(())
    }

    /// The sum of weights of a key, where it is counted.
    pub(super) fn total(&self, slot: u32) -> Option<i64> {
        self.totals.as_ref().map(|totals| totals.get(slot))
    }

    /// Sets the sum of weights of a key as a checkpoint has it.
    pub(super) fn set_total(&mut self, slot: u32, total: i64) {
        if let Some(totals) = &mut self.totals {
            totals.set(slot, total);
        }
    }

    /// Writes the rows that changed, and what is kept beside them.
    pub(super) fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let mut dirty = std::mem::take(&mut self.store.dirty);
        let store = &self.store;
        let changed = Changed::take(&mut dirty, store.capacity(), |row| store.is_live(row));
        out.slots(ROWS, &changed, |_, row, out| {
            let at = row as usize;
            self.slots[at].put(out);
            self.weight(row).put(out);
            self.degrees.get(at).copied().unwrap_or(0).put(out);
            self.times.as_ref().map_or(0, |times| times[at]).put(out);
            self.deadlines.get(at).copied().unwrap_or(i64::MAX).put(out);
            store.save(row, out);
        })?;
        self.store.dirty = dirty;
        Ok(())
    }

    /// Reads back the rows of the keys that `keys` knows.
    pub(super) fn load(&mut self, from: &StateReader<'_>, keys: &[SlotMap]) -> Result<()> {
        let mut rows = Vec::new();
        for (part, keys) in keys.iter().enumerate() {
            for (old, mut input) in from.slots(part, ROWS) {
                let slot = keys.get(input.get()?);
                let [weight, degree, time, deadline] = input.get::<[i64; 4]>()?;
                let Some(slot) = slot else { continue };
                let row = self.store.load(from.is_same().then_some(old), &mut input)?;
                self.grow();
                let at = row as usize;
                self.slots[at] = slot;
                if weight != 1 && self.insert_only {
                    self.check_weight(weight)?;
                }
                if let Some(weights) = &mut self.weights {
                    weights.resize(self.store.capacity(), 1);
                    weights[at] = weight;
                }
                if self.degree == Degree::Row {
                    self.degrees[at] = degree;
                }
                if let Some(times) = &mut self.times {
                    times[at] = time;
                }
                if let Some(expiry) = &mut self.expiry {
                    self.deadlines[at] = deadline;
                    expiry.push(deadline, row);
                }
                self.chains.insert(slot, row);
                rows.push(row);
            }
        }
        self.store.loaded();
        if from.is_same() {
            self.store.dirty.start();
        }
        self.look_up(&rows)
    }

    /// Makes rows that were read back known by value.
    fn look_up(&mut self, rows: &[u32]) -> Result<()> {
        let Some(lookup) = &mut self.lookup else { return Ok(()) };
        let columns = (0..self.stored.len()).map(|c| self.store.gather(c, rows));
        let mut hashes = Vec::new();
        hash_columns(&columns.collect::<Result<Vec<_>>>()?, rows.len(), &mut hashes)?;
        for (&row, hash) in rows.iter().zip(hashes) {
            lookup.find_or_insert(&self.store, &self.slots, row, hash);
        }
        Ok(())
    }

    /// Whether nothing is kept under a key any more.
    pub(super) fn is_unused(&self, slot: u32) -> bool {
        let counted = !self.keeps_rows && self.totals.as_ref().is_some_and(|t| t.get(slot) != 0);
        !counted && self.chains.first(slot) == NO_ROW
    }
}
