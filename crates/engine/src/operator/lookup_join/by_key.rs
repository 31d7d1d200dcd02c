//! Rows joined with the rows of their keys, for which a table outside is asked as they come.
//!
//! # Semantics
//! `probe [LEFT] JOIN t FOR SYSTEM_TIME AS OF probe.proc_time ON …`: a probe row meets the rows
//! that the table has of its key in the step in which it comes, or had when the key was asked for
//! last, if the table lets answers be kept. All keys of a step are asked for together. A null in a
//! key meets nothing, and is not asked for.
//!
//! The answer is a matter of when it was asked for: a row that comes again after a restart, because
//! no checkpoint had it, may be answered otherwise. What was published never is contradicted: it
//! stands with the state that says so.
//!
//! # Rows that are taken back
//! The table may have changed since a row came. So where the probe input takes rows back, every
//! row is remembered with its answer as long as it is there, and is taken back with just that. An
//! equal row that comes meanwhile is given the same answer, so that it does not matter which of
//! them goes first. Flink refuses such a query or keeps the same (its
//! `non-deterministic-update.strategy`).
//!
//! # State
//! The cache, which is not written to checkpoints: after a restart keys are asked for anew. The
//! remembered rows, which are.
//!
//! # Emission
//! In the step in which the row comes.
//!
//! # Retention
//! Cached keys by the limits of the table and the clock of the step; remembered rows until they are
//! taken back.

use super::LookupJoinSpec;
use super::cache::Cache;
use super::memory::Memory;
use super::pairs::Pairs;
use super::table::{Table, columns_of};
use crate::key::NO_SLOT;
use crate::lookup::{Lookup, LookupTable};
use crate::operator::rows::split_nulls;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext};

/// So many keys are asked for at once.
pub(super) const KEYS_MAX: usize = 16 * 1024;

/// The operator; its one input is the probe side.
pub struct LookupByKey {
    pairs: Pairs,
    table: Table,
    cache: Cache,
    lookup: Box<dyn Lookup>,
    /// Where rows are taken back: those that are there.
    memory: Option<Memory>,
    /// Keys of the step that are not kept beyond it.
    passing: Vec<u32>,
}

impl LookupByKey {
    /// A lookup join as specified, over a table that is asked. Where the probe input takes rows
    /// back, `known_by` are the columns by which such a row is known: not the time at which it was
    /// processed.
    pub fn new(
        spec: &LookupJoinSpec,
        table: &dyn LookupTable,
        known_by: Option<&[usize]>,
    ) -> Result<Self> {
        let (pairs, stored) = Pairs::new(spec)?;
        Ok(Self {
            pairs,
            table: Table::forgetful(spec, stored)?,
            cache: Cache::new(table.cache()),
            lookup: table.open()?,
            memory: known_by.map(|columns| Memory::new(spec, columns)).transpose()?,
            passing: Vec::new(),
        })
    }

    /// The slots of the rows' keys, with the rows of each key there.
    fn fetch(&mut self, rows: &Delta, clock_ms: i64) -> Result<Vec<u32>> {
        let slots = self.table.intern(rows, &self.pairs.spec.probe_keys)?;
        let mut missing: Vec<u32> =
            slots.iter().copied().filter(|&slot| !self.cache.touch(slot, clock_ms)).collect();
        missing.sort_unstable();
        missing.dedup();
        for some in missing.chunks(KEYS_MAX) {
            self.ask(some, clock_ms)?;
        }
        Ok(slots)
    }

    /// Asks for the rows of keys that are not there.
    fn ask(&mut self, slots: &[u32], clock_ms: i64) -> Result<()> {
        let found = self.lookup.find(&self.table.keys(slots)?)?;
        let keys = &self.pairs.spec.table_keys;
        let rows = split_nulls(Delta::insert_only(found), keys)?.0;
        let of = self.table.find(&rows, keys)?;
        let mut counts = vec![0_u64; slots.len()];
        let asked = of.iter().map(|&slot| match slots.binary_search(&slot) {
            Ok(at) if slot != NO_SLOT => {
                counts[at] += 1;
                Some(true)
            }
            _ => Some(false),
        });
        let asked = asked.collect();
        self.table.apply(&rows.filter(&asked)?)?;
        for (&slot, &count) in slots.iter().zip(&counts) {
            match self.cache.keeps(count) {
                true => self.cache.put(slot, count, clock_ms),
                false => self.passing.push(slot),
            }
        }
        Ok(())
    }

    /// Answers rows that are never taken back.
    fn answer(&mut self, probes: Vec<Delta>, clock_ms: i64, out: &mut Deltas) -> Result<()> {
        let mut rows = Vec::with_capacity(probes.len());
        for delta in probes {
            rows.extend(self.pairs.split(delta, out)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        // Together, so that the table is asked once.
        let rows = Delta::concat(&self.pairs.spec.probe_schema, &rows)?;
        let slots = self.fetch(&rows, clock_ms)?;
        self.pairs.join(&self.table, &slots, &rows, out, &mut |_, _| Ok(()))
    }

    /// Answers rows that may be taken back, and takes rows back.
    fn change(&mut self, probes: &[Delta], clock_ms: i64, out: &mut Deltas) -> Result<()> {
        let Some(mut memory) = self.memory.take() else { return Ok(()) };
        let change = memory.take(&self.pairs.spec.probe_schema, probes)?;
        let (slots, rows) = &change.fresh;
        let done = self.fresh(&mut memory, slots, rows, clock_ms, out);
        let done = done.and_then(|()| memory.settle(&change, &self.pairs, out));
        self.memory = Some(memory);
        done
    }

    fn fresh(
        &mut self,
        memory: &mut Memory,
        slots: &[u32],
        rows: &Delta,
        clock_ms: i64,
        out: &mut Deltas,
    ) -> Result<()> {
        let keys = columns_of(rows, &self.pairs.spec.probe_keys);
        let whole = |row: &usize| keys.iter().all(|key| key.is_valid(*row));
        let slots: Vec<u32> = (0..rows.num_rows()).filter(whole).map(|row| slots[row]).collect();
        let Some(rows) = self.pairs.split(rows.clone(), out)? else { return Ok(()) };
        let keys = self.fetch(&rows, clock_ms)?;
        let mut tell = |probes: &[u32], found: &[_]| memory.remember(&slots, probes, found);
        self.pairs.join(&self.table, &keys, &rows, out, &mut tell)
    }
}

impl Operator for LookupByKey {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let [mut probes] = <[Deltas; 1]>::try_from(inputs)
            .map_err(|i| EngineError::Internal(format!("a lookup got {} inputs", i.len())))?;
        probes.retain(|delta| !delta.is_empty());
        let clock_ms = context.clock_ms;
        for slot in self.cache.expire(clock_ms) {
            self.table.forget(slot);
        }
        let mut out = Deltas::new();
        if probes.is_empty() {
            // Nothing came.
        } else if self.memory.is_some() {
            self.change(&probes, clock_ms, &mut out)?;
        } else {
            self.answer(probes, clock_ms, &mut out)?;
        }
        for slot in self.cache.shrink(context.shards).into_iter().chain(self.passing.drain(..)) {
            self.table.forget(slot);
        }
        self.table.forgotten();
        Ok(out)
    }

    fn state_rows(&self) -> usize {
        self.table.len() + self.memory.as_ref().map_or(0, Memory::len)
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes()
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        match &mut self.memory {
            Some(memory) => out.part("memory", |out| memory.save(out)),
            None => Ok(()),
        }
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        match &mut self.memory {
            Some(memory) => memory.load(&from.part("memory")),
            None => Ok(()),
        }
    }
}
