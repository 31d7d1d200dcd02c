//! Rows joined with the rows of a table as it is, each as it comes: [`LookupJoin`] reads the table
//! whole, [`LookupByKey`] asks it for the keys that come (`by_key.rs`).
//!
//! # Semantics
//! `probe [LEFT] JOIN t FOR SYSTEM_TIME AS OF probe.proc_time ON …`: a probe row meets every row of
//! its key that the table has once it has ended, so that the answer does not depend on which of the
//! two inputs is read faster. A null in a key meets nothing.
//!
//! # State
//! The table's rows by key, only the columns that the output and the condition read; the probe rows
//! that came before the table had ended.
//!
//! # Emission
//! Once the table has ended a probe row is answered in the step in which it comes, with its own
//! weight, and never corrected.
//!
//! # Retention
//! The table's rows stay until the probe input has ended.

mod by_key;
mod cache;
mod memory;
mod pairs;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_by_key;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::SchemaRef;

use crate::expr::{Expression, record_batch};
use crate::key::hash_columns;
use crate::operator::order::RowBytes;
use crate::operator::rows::split_nulls;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext, Watermark};

pub use by_key::LookupByKey;
use pairs::Pairs;
use table::Table;

/// A lookup join; see the module documentation for what it does. The output has all columns of
/// the probe input that `probe_output` names, followed by those of the table that `table_output`
/// names.
#[derive(Debug, Clone)]
pub struct LookupJoinSpec {
    /// Whether a probe row without a match is emitted beside nulls (`LEFT JOIN`).
    pub keep_unmatched: bool,
    /// The key columns of the probe input.
    pub probe_keys: Vec<usize>,
    /// The key columns of the table, of the same types.
    pub table_keys: Vec<usize>,
    /// A further condition over the probe columns followed by those of the table.
    pub filter: Option<Expression>,
    /// The columns of the probe input.
    pub probe_schema: SchemaRef,
    /// The columns of the table.
    pub table_schema: SchemaRef,
    /// Which columns of the probe input are emitted.
    pub probe_output: Vec<usize>,
    /// Which columns of the table are emitted.
    pub table_output: Vec<usize>,
    /// The columns of the output.
    pub output_schema: SchemaRef,
    /// Whether the table never takes a row back.
    pub table_insert_only: bool,
}

impl LookupJoinSpec {
    fn validate(&self) -> Result<()> {
        let keys = self.probe_keys.len();
        if keys == 0 || keys != self.table_keys.len() {
            let table = self.table_keys.len();
            return Err(invalid(format!("{keys} probe keys and {table} table keys")));
        }
        for (&p, &t) in self.probe_keys.iter().zip(&self.table_keys) {
            let p = self.probe_schema.field(p).data_type();
            let t = self.table_schema.field(t).data_type();
            if p != t {
                return Err(invalid(format!("a key of {p} against one of {t}")));
            }
        }
        let output = self.output_schema.fields().len();
        if self.probe_output.len() + self.table_output.len() != output {
            return Err(invalid(format!("another number of columns than the output's {output}")));
        }
        Ok(())
    }
}

fn invalid(text: String) -> EngineError {
    EngineError::Internal(format!("a lookup join was planned with {text}"))
}

/// The name of the value of rows that wait in a checkpoint.
const WAITING: &str = "waiting";

/// The operator; input 0 is the probe side, input 1 the table.
#[derive(Debug)]
pub struct LookupJoin {
    pairs: Pairs,
    table: Table,
    /// Probe rows that came before the table had ended.
    waiting: Deltas,
}

impl LookupJoin {
    /// A lookup join as specified. A specification that contradicts itself is an internal error.
    pub fn new(spec: &LookupJoinSpec) -> Result<Self> {
        let (pairs, stored) = Pairs::new(spec)?;
        Ok(Self { table: Table::new(spec, stored)?, pairs, waiting: Deltas::new() })
    }

    /// Answers the rows of one delta of the probe input.
    fn answer(&mut self, delta: &Delta, out: &mut Deltas) -> Result<()> {
        let Some(rows) = self.pairs.split(delta.clone(), out)? else { return Ok(()) };
        let slots = self.table.find(&rows, &self.pairs.spec.probe_keys)?;
        self.pairs.join(&self.table, &slots, &rows, out, &mut |_, _| Ok(()))
    }
}

impl Operator for LookupJoin {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let [probes, changes] = <[Deltas; 2]>::try_from(inputs)
            .map_err(|i| EngineError::Internal(format!("a lookup join got {} inputs", i.len())))?;
        for delta in changes.iter().filter(|d| !d.is_empty()) {
            self.table.apply(&split_nulls(delta.clone(), &self.pairs.spec.table_keys)?.0)?;
        }
        self.waiting.extend(probes.into_iter().filter(|d| !d.is_empty()));
        let mut out = Deltas::new();
        if context.inputs[1].after == Watermark::MAX {
            for delta in std::mem::take(&mut self.waiting) {
                self.answer(&delta, &mut out)?;
            }
            if context.inputs[0].after == Watermark::MAX {
                self.table.clear()?;
            }
        }
        Ok(out)
    }

    fn state_rows(&self) -> usize {
        self.table.len() + self.waiting.iter().map(Delta::num_rows).sum::<usize>()
    }

    fn state_bytes(&self) -> usize {
        let waiting = self.waiting.iter().map(|d| d.batch().get_array_memory_size());
        self.table.bytes() + waiting.sum::<usize>()
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        // Rows that wait are written whole each time: they wait only while the table is read.
        let waiting = Delta::concat(&self.pairs.spec.probe_schema, &self.waiting)?;
        let bytes =
            RowBytes::new(&self.pairs.spec.probe_schema)?.encode(waiting.batch().columns())?;
        let row = |row: usize| -> (Box<[u8]>, (i64, i64)) {
            let arrival = waiting.arrival().map_or(i64::MIN, |arrival| arrival[row]);
            (bytes.row(row).data().into(), (waiting.weight(row), arrival))
        };
        out.value(WAITING, &(0..waiting.num_rows()).map(row).collect::<Vec<_>>())?;
        out.part("table", |out| self.table.save(out))
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let rows = RowBytes::new(&self.pairs.spec.probe_schema)?;
        for part in 0..from.parts() {
            let waiting: Vec<(Box<[u8]>, (i64, i64))> = from.value(part, WAITING)?;
            if waiting.is_empty() {
                continue;
            }
            let columns = rows.decode(waiting.iter().map(|(bytes, _)| bytes.as_ref()))?;
            let keys: Vec<ArrayRef> =
                self.pairs.spec.probe_keys.iter().map(|&k| columns[k].clone()).collect();
            let mut hashes = Vec::new();
            hash_columns(&keys, waiting.len(), &mut hashes)?;
            let own: BooleanArray = hashes.iter().map(|&hash| Some(from.owns(hash))).collect();
            let batch = record_batch(&self.pairs.spec.probe_schema, columns, waiting.len())?;
            let weights = waiting.iter().map(|(_, (weight, _))| *weight).collect();
            let arrival = Int64Array::from_iter_values(waiting.iter().map(|(_, (_, at))| *at));
            let waiting = Delta::weighted(batch, weights).with_arrival(Some(arrival));
            self.waiting.push(waiting.filter(&own)?);
        }
        self.table.load(&from.part("table"))
    }
}
