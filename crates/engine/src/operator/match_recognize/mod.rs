//! `MATCH_RECOGNIZE`: rows in event-time order that follow a pattern.
//!
//! # Semantics
//! The rows of a partition are looked at in the order of `ORDER BY`, peers as they arrived, once
//! the watermark has passed them. From the first row on the match that ends first is searched; it
//! gives one row, the partition columns and the measures, and the search goes on where
//! `AFTER MATCH SKIP` says. Where nothing matches it goes on at the next row. A match of no rows
//! is none. With `WITHIN` all rows of a match lie less than that after its first one.
//!
//! As in Flink there is no giving back: a row that a greedy repetition could take is never given
//! to what follows it, even if nothing matches then.
//!
//! A condition or measure is an expression over a row of [`MatchReference`]s, which are looked up
//! in the match. A variable without a condition fits every row.
//!
//! A row at or behind the watermark, or without a time, is reported late. The input must be
//! insert-only.
//!
//! # State
//! The rows that the watermark has not passed, and those from the start of the running attempt.
//! Conditions that look at the row at hand only are computed once, a batch at a time.
//!
//! # Emission
//! Insert-only: a match comes out when the watermark passes its last row. An attempt whose `WITHIN`
//! the watermark has passed is given up. Without `WITHIN` only rows end an attempt: one that is not
//! decided when the input ends holds back, as in Flink, what would match after its start.
//!
//! # Retention
//! Rows before the running attempt are dropped. Without `WITHIN` an attempt may last for ever; its
//! size is bounded by [`ATTEMPT_NODES_MAX`]. With `WITHIN` the output's watermark stays that far
//! behind, so that the time of a match is never late for what follows.

mod context;
mod matcher;
mod pattern;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{is_not_null, is_null};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use super::event_time::{epoch_millis, split_late};
use super::order::{KeyEncoder, SortColumn};
use super::rows::{RowStore, load_partitions, save_partitions};
use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::state::{Dirty, Persist, StateReader, StateWriter};
use crate::store::held;
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext, Watermark};
use context::{Bound, Candidate};
pub use context::{MatchExpression, MatchReference};
pub use matcher::{ATTEMPT_NODES_MAX, ATTEMPT_THREADS_MAX};
use matcher::{Partition, Row};
use pattern::{Instruction, compile};
pub use pattern::{PATTERN_INSTRUCTIONS_MAX, PATTERN_VARIABLES_MAX, Pattern, Preference};

/// Where the search goes on after a match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Skip {
    /// At the row after the match.
    PastLastRow,
    /// At the row after the first row of the match.
    ToNextRow,
    /// At the first row of a variable.
    ToFirst(usize),
    /// At the last row of a variable; `SKIP TO v` means this too.
    ToLast(usize),
}

/// What is searched for and what comes out.
#[derive(Debug, Clone)]
pub struct MatchSpec {
    /// The columns of `PARTITION BY`, the first of the output.
    pub partition: Vec<usize>,
    /// The columns of `ORDER BY`; the first one is the event time, ascending.
    pub order: Vec<SortColumn>,
    /// The names of the pattern's variables; elsewhere they are numbers.
    pub variables: Vec<String>,
    /// The pattern.
    pub pattern: Pattern,
    /// The condition of each variable, if it has one.
    pub define: Vec<Option<MatchExpression>>,
    /// The measures and their output columns.
    pub measures: Vec<(MatchExpression, FieldRef)>,
    /// Where the search goes on after a match.
    pub skip: Skip,
    /// How long a match may last, in milliseconds.
    pub within: Option<i64>,
}

/// The parts of the specification that the search reads.
struct Program {
    instructions: Vec<Instruction>,
    names: Vec<String>,
    conditions: Vec<Option<Bound>>,
    /// One bit a variable: whether its condition looks at the row at hand only.
    row_only: u64,
    skip: Skip,
    within: Option<i64>,
}

impl Program {
    /// Whether every condition looks at the row at hand only.
    fn is_row_only(&self) -> bool {
        let known = |(v, c): (usize, &Option<Bound>)| c.is_none() || self.row_only >> v & 1 == 1;
        self.conditions.iter().enumerate().all(known)
    }
}

/// The operator. See the module's documentation.
pub struct MatchRecognize {
    partition: Vec<usize>,
    time: usize,
    program: Program,
    measures: Vec<Bound>,
    output: SchemaRef,
    table: KeyTable,
    encoder: KeyEncoder,
    partitions: Vec<Partition>,
    store: RowStore,
    timers: BTreeSet<(i64, u32)>,
    /// Partitions that changed since the last checkpoint.
    dirty: Dirty,
}

impl MatchRecognize {
    /// Searches rows of `input`.
    pub fn new(input: &SchemaRef, spec: MatchSpec) -> Result<Self> {
        let Some(time) = spec.order.first().filter(|s| !s.options.descending) else {
            return Err(EngineError::Data(
                "MATCH_RECOGNIZE needs an ORDER BY whose first column is the time attribute, \
                 ascending"
                    .into(),
            ));
        };
        let time = time.column;
        if spec.define.len() != spec.variables.len() {
            return Err(EngineError::Internal("conditions do not fit the variables".into()));
        }
        let instructions = compile(&spec.pattern, spec.variables.len())?;
        let bind = |e: MatchExpression| Bound::new(e, input, time);
        let conditions: Vec<Option<Bound>> = spec.define.into_iter().map(|d| d.map(bind)).collect();
        let mut row_only = 0;
        for (variable, condition) in conditions.iter().enumerate() {
            if condition.as_ref().is_some_and(|c| c.row_columns(variable).is_some()) {
                row_only |= 1 << variable;
            }
        }
        let mut fields: Vec<FieldRef> =
            spec.partition.iter().map(|&c| Arc::clone(&input.fields()[c])).collect();
        fields.extend(spec.measures.iter().map(|m| Arc::clone(&m.1)));
        Ok(Self {
            time,
            program: Program {
                instructions,
                names: spec.variables,
                conditions,
                row_only,
                skip: spec.skip,
                within: spec.within,
            },
            measures: spec.measures.into_iter().map(|m| bind(m.0)).collect(),
            output: Arc::new(Schema::new(fields)),
            table: KeyTable::for_columns(input, &spec.partition)?,
            encoder: KeyEncoder::new(input, &spec.order)?,
            partitions: Vec::new(),
            store: RowStore::new(Arc::clone(input)),
            timers: BTreeSet::new(),
            dirty: Dirty::default(),
            partition: spec.partition,
        })
    }

    /// The columns of the output.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.output)
    }

    fn incoming(&self, deltas: &[Delta], context: &mut StepContext<'_>) -> Result<Delta> {
        let mut delta = Delta::concat(self.store.schema(), deltas)?;
        if delta.weights().is_some_and(|w| w.iter().any(|w| *w < 0)) {
            return Err(EngineError::Data(
                "MATCH_RECOGNIZE doesn't support consuming update and delete changes: its input \
                 must be insert-only"
                    .into(),
            ));
        }
        let times = delta.column(self.time);
        if times.null_count() > 0 {
            context.report_late(delta.filter(&is_null(times)?)?);
            delta = delta.filter(&is_not_null(times)?)?;
        }
        let times = epoch_millis(delta.column(self.time))?;
        let delta = split_late(delta, &times, context)?.0;
        // A row that is there several times is several rows of a match.
        let numbers = (0..delta.num_rows() as u32)
            .flat_map(|row| std::iter::repeat_n(row, delta.weight(row as usize) as usize));
        match delta.weights() {
            None => Ok(delta),
            Some(_) => delta.take(&UInt32Array::from_iter_values(numbers)),
        }
    }

    /// One bit a variable and row: whether the row fits, for conditions that look at it only.
    fn fits(&self, delta: &Delta) -> Result<Vec<u64>> {
        let mut fits = vec![0_u64; delta.num_rows()];
        for (variable, condition) in self.program.conditions.iter().enumerate() {
            let Some(condition) = condition else { continue };
            let Some(columns) = condition.row_columns(variable) else { continue };
            let values = condition.of_rows(delta.batch(), &columns)?;
            let Some(values) = values.as_boolean_opt() else {
                let name = &self.program.names[variable];
                return Err(EngineError::Internal(format!(
                    "the condition of {name} is no BOOLEAN"
                )));
            };
            for (row, value) in values.iter().enumerate() {
                fits[row] |= u64::from(value == Some(true)) << variable;
            }
        }
        Ok(fits)
    }

    fn take(&mut self, delta: &Delta) -> Result<()> {
        let columns = delta.batch().columns();
        let keys: Vec<ArrayRef> = self.partition.iter().map(|&c| Arc::clone(&columns[c])).collect();
        let mut slots = Vec::new();
        self.table.intern(&keys, delta.num_rows(), &mut slots)?;
        self.partitions.resize_with(self.table.capacity(), Partition::default);
        let keys = self.encoder.encode(columns)?;
        let times = epoch_millis(delta.column(self.time))?;
        let fits = self.fits(delta)?;
        let mut ids = Vec::with_capacity(delta.num_rows());
        self.store.append(delta.batch(), &mut ids)?;
        for (row, &id) in ids.iter().enumerate() {
            let row_at = Row { key: keys.key(row), time: times.value(row), id, fits: fits[row] };
            self.partitions[slots[row] as usize].insert(row_at);
        }
        slots.sort_unstable();
        slots.dedup();
        self.dirty.mark_all(&slots);
        slots.into_iter().for_each(|slot| self.set_timer(slot));
        Ok(())
    }

    fn set_timer(&mut self, slot: u32) {
        let partition = &mut self.partitions[slot as usize];
        let due = partition.next_due(self.program.within);
        if due != partition.due {
            if let Some(old) = partition.due {
                self.timers.remove(&(old, slot));
            }
            self.timers.extend(due.map(|due| (due, slot)));
            partition.due = due;
        }
    }

    fn advance(&mut self, watermark: Watermark) -> Result<Deltas> {
        let (mut found, mut gone, mut due) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(&(time, slot)) = self.timers.first()
            && watermark.passed(time)
        {
            self.timers.pop_first();
            let partition = &mut self.partitions[slot as usize];
            partition.due = None;
            partition.advance(&self.program, &self.store, watermark, &mut found, &mut gone)?;
            due.push(slot);
            self.dirty.mark(slot);
        }
        for slot in due {
            let partition = &mut self.partitions[slot as usize];
            if partition.is_empty() {
                *partition = Partition::default();
                self.table.remove(slot);
            } else {
                self.set_timer(slot);
            }
        }
        let output = self.emit(&found)?;
        gone.into_iter().try_for_each(|id| self.store.remove(id))?;
        Ok(output)
    }

    fn emit(&self, found: &[Candidate]) -> Result<Deltas> {
        if found.is_empty() {
            return Ok(Deltas::new());
        }
        let last: Vec<u32> = found.iter().filter_map(|m| m.ids.last().copied()).collect();
        let mut columns = self.store.gather_columns(&last, &self.partition)?;
        for measure in &self.measures {
            columns.push(measure.of_matches(&self.store, found)?);
        }
        Ok(vec![Delta::insert_only(record_batch(&self.output, columns, found.len())?)])
    }
}

impl Operator for MatchRecognize {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let deltas: Deltas = inputs.into_iter().flatten().filter(|d| !d.is_empty()).collect();
        if !deltas.is_empty() {
            let delta = self.incoming(&deltas, context)?;
            if !delta.is_empty() {
                self.take(&delta)?;
            }
        }
        self.advance(context.watermark())
    }

    fn watermark(&self, inputs: &[Watermark], _: i64) -> Watermark {
        match (inputs.iter().copied().min(), self.program.within) {
            (None | Some(Watermark::MAX), _) => Watermark::MAX,
            (Some(watermark), None) => watermark,
            (Some(Watermark(ms)), Some(within)) => Watermark(ms.saturating_sub(within)),
        }
    }

    fn state_rows(&self) -> usize {
        self.store.len()
    }

    fn state_bytes(&self) -> usize {
        self.table.bytes() + self.store.bytes() + held(&self.partitions)
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { table, dirty, store, partitions, .. } = self;
        save_partitions(out, (table, dirty, store), |slot, out| {
            partitions[slot as usize].put(out);
        })
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let Self { table, dirty, store, partitions, timers, .. } = self;
        load_partitions(from, (table, dirty, store), |slot, input, id_now| {
            let mut partition: Partition = input.get()?;
            partition.renumber(id_now);
            timers.extend(partition.due.map(|due| (due, slot)));
            let at = slot as usize;
            if at >= partitions.len() {
                partitions.resize_with(at + 1, Partition::default);
            }
            partitions[at] = partition;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
