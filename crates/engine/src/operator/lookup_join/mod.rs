//! Rows joined with the rows of a table that ends, each as it comes.
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

mod table;
#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{FieldRef, SchemaRef};

use crate::expr::{Expression, record_batch};
use crate::key::hash_columns;
use crate::operator::join::Residual;
use crate::operator::order::RowBytes;
use crate::operator::rows::split_nulls;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext, Watermark};

use table::Table;

/// Candidates are decided and emitted so many at a time, so that a batch stays in the cache.
const PAIRS_MAX: usize = 32 * 1024;

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

/// A column that the condition reads: of the probe row, or of a kept row of the table.
#[derive(Debug, Clone, Copy)]
enum Place {
    Probe(usize),
    Table(usize),
}

/// The operator; input 0 is the probe side, input 1 the table.
#[derive(Debug)]
pub struct LookupJoin {
    spec: LookupJoinSpec,
    table: Table,
    /// Where the table's output columns are kept.
    stored_output: Vec<usize>,
    filter: Option<(Residual, Vec<Place>)>,
    /// Probe rows that came before the table had ended.
    waiting: Deltas,
}

impl LookupJoin {
    /// A lookup join as specified. A specification that contradicts itself is an internal error.
    pub fn new(spec: &LookupJoinSpec) -> Result<Self> {
        spec.validate()?;
        let condition = spec.filter.as_ref().map_or(vec![], Residual::columns);
        let probe = spec.probe_schema.fields().len();
        let of_table = condition.iter().filter_map(|c| c.checked_sub(probe));
        let mut stored: Vec<usize> = spec.table_output.iter().copied().chain(of_table).collect();
        stored.sort_unstable();
        stored.dedup();
        let kept = |column: usize| stored.partition_point(|&c| c < column);
        let filter = match &spec.filter {
            None => None,
            Some(filter) => {
                let fields: Vec<FieldRef> = {
                    let (probe, table) = (spec.probe_schema.fields(), spec.table_schema.fields());
                    probe.iter().chain(table).cloned().collect()
                };
                let place = |&column: &usize| match column.checked_sub(probe) {
                    None => Place::Probe(column),
                    Some(column) => Place::Table(kept(column)),
                };
                let places = condition.iter().map(place).collect();
                Some((Residual::new(filter, &fields)?, places))
            }
        };
        Ok(Self {
            stored_output: spec.table_output.iter().map(|&c| kept(c)).collect(),
            table: Table::new(spec, stored)?,
            filter,
            waiting: Deltas::new(),
            spec: spec.clone(),
        })
    }

    /// Answers the rows of one delta of the probe input.
    fn answer(&mut self, delta: &Delta, out: &mut Deltas) -> Result<()> {
        let (rows, alone) = split_nulls(delta.clone(), &self.spec.probe_keys)?;
        if let (Some(alone), true) = (alone, self.spec.keep_unmatched) {
            out.push(self.padded(&alone)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let slots = self.table.find(&rows, &self.spec.probe_keys)?;
        let mut met = vec![false; rows.num_rows()];
        let (mut probes, mut others) = (Vec::new(), Vec::new());
        for (probe, &slot) in slots.iter().enumerate() {
            for other in self.table.rows(slot) {
                probes.push(probe as u32);
                others.push(other);
                if probes.len() == PAIRS_MAX {
                    self.pairs(&rows, &mut probes, &mut others, &mut met, out)?;
                }
            }
        }
        self.pairs(&rows, &mut probes, &mut others, &mut met, out)?;
        if self.spec.keep_unmatched && met.contains(&false) {
            let alone: BooleanArray = met.iter().map(|&met| Some(!met)).collect();
            out.push(self.padded(&rows.filter(&alone)?)?);
        }
        Ok(())
    }

    /// Decides candidates, notes which probe rows have met a row, and emits them.
    fn pairs(
        &self,
        rows: &Delta,
        probes: &mut Vec<u32>,
        others: &mut Vec<u32>,
        met: &mut [bool],
        out: &mut Deltas,
    ) -> Result<()> {
        if let Some((filter, places)) = self.filter.as_ref().filter(|_| !probes.is_empty()) {
            let at = UInt32Array::from(probes.clone());
            let column = |place: &Place| -> Result<ArrayRef> {
                match *place {
                    Place::Probe(column) => Ok(take(rows.column(column), &at, None)?),
                    Place::Table(stored) => self.table.gather(stored, others),
                }
            };
            let columns = places.iter().map(column).collect::<Result<_>>()?;
            let mask = filter.decide(columns, probes.len())?;
            let is_true = |row: usize| mask.is_valid(row) && mask.value(row);
            for list in [&mut *probes, &mut *others] {
                let mut row = 0;
                list.retain(|_| {
                    row += 1;
                    is_true(row - 1)
                });
            }
        }
        if probes.is_empty() {
            return Ok(());
        }
        probes.iter().for_each(|&probe| met[probe as usize] = true);
        let taken = rows.take(&UInt32Array::from(std::mem::take(probes)))?;
        let others = std::mem::take(others);
        let mut columns = self.probe_columns(&taken);
        for &stored in &self.stored_output {
            columns.push(self.table.gather(stored, &others)?);
        }
        let batch = record_batch(&self.spec.output_schema, columns, others.len())?;
        out.push(match self.table.weights(&others) {
            None => taken.with_batch(batch),
            Some(weights) => {
                let weights = weights.into_iter().enumerate().map(|(row, w)| w * taken.weight(row));
                let arrival = taken.arrival().map(|a| Int64Array::from(a.to_vec()));
                Delta::weighted(batch, weights.collect()).with_arrival(arrival)
            }
        });
        Ok(())
    }

    fn probe_columns(&self, rows: &Delta) -> Vec<ArrayRef> {
        self.spec.probe_output.iter().map(|&column| rows.column(column).clone()).collect()
    }

    /// Probe rows beside nulls.
    fn padded(&self, rows: &Delta) -> Result<Delta> {
        let mut columns = self.probe_columns(rows);
        for field in &self.spec.output_schema.fields()[columns.len()..] {
            columns.push(new_null_array(field.data_type(), rows.num_rows()));
        }
        Ok(rows.with_batch(record_batch(&self.spec.output_schema, columns, rows.num_rows())?))
    }
}

impl Operator for LookupJoin {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let [probes, changes] = <[Deltas; 2]>::try_from(inputs)
            .map_err(|i| EngineError::Internal(format!("a lookup join got {} inputs", i.len())))?;
        for delta in changes.iter().filter(|d| !d.is_empty()) {
            self.table.apply(&split_nulls(delta.clone(), &self.spec.table_keys)?.0)?;
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
        let waiting = Delta::concat(&self.spec.probe_schema, &self.waiting)?;
        let bytes = RowBytes::new(&self.spec.probe_schema)?.encode(waiting.batch().columns())?;
        let row = |row: usize| -> (Box<[u8]>, (i64, i64)) {
            let arrival = waiting.arrival().map_or(i64::MIN, |arrival| arrival[row]);
            (bytes.row(row).data().into(), (waiting.weight(row), arrival))
        };
        out.value(WAITING, &(0..waiting.num_rows()).map(row).collect::<Vec<_>>())?;
        out.part("table", |out| self.table.save(out))
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let rows = RowBytes::new(&self.spec.probe_schema)?;
        for part in 0..from.parts() {
            let waiting: Vec<(Box<[u8]>, (i64, i64))> = from.value(part, WAITING)?;
            if waiting.is_empty() {
                continue;
            }
            let columns = rows.decode(waiting.iter().map(|(bytes, _)| bytes.as_ref()))?;
            let keys: Vec<ArrayRef> =
                self.spec.probe_keys.iter().map(|&k| columns[k].clone()).collect();
            let mut hashes = Vec::new();
            hash_columns(&keys, waiting.len(), &mut hashes)?;
            let own: BooleanArray = hashes.iter().map(|&hash| Some(from.owns(hash))).collect();
            let batch = record_batch(&self.spec.probe_schema, columns, waiting.len())?;
            let weights = waiting.iter().map(|(_, (weight, _))| *weight).collect();
            let arrival = Int64Array::from_iter_values(waiting.iter().map(|(_, (_, at))| *at));
            let waiting = Delta::weighted(batch, weights).with_arrival(Some(arrival));
            self.waiting.push(waiting.filter(&own)?);
        }
        self.table.load(&from.part("table"))
    }
}
