//! Probe rows beside what they meet in the table: the part that is the same however the table's
//! rows came here.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::FieldRef;

use super::LookupJoinSpec;
use super::table::Table;
use crate::expr::record_batch;
use crate::operator::join::Residual;
use crate::operator::rows::split_nulls;
use crate::{Delta, Deltas, Result};

/// Candidates are decided and emitted so many at a time, so that a batch stays in the cache.
pub(super) const PAIRS_MAX: usize = 32 * 1024;

/// A column that the condition reads: of the probe row, or of a kept row of the table.
#[derive(Debug, Clone, Copy)]
enum Place {
    Probe(usize),
    Table(usize),
}

/// Is told which probe rows have met which values of the table's output columns.
pub(super) type Met<'a> = &'a mut dyn FnMut(&[u32], &[ArrayRef]) -> Result<()>;

/// Decides which pairs there are, and how they look.
#[derive(Debug)]
pub(super) struct Pairs {
    pub spec: LookupJoinSpec,
    /// Where the table's output columns are kept.
    stored_output: Vec<usize>,
    filter: Option<(Residual, Vec<Place>)>,
}

impl Pairs {
    /// As specified, and the columns of the table that have to be kept for it.
    pub fn new(spec: &LookupJoinSpec) -> Result<(Self, Vec<usize>)> {
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
        let stored_output = spec.table_output.iter().map(|&c| kept(c)).collect();
        Ok((Self { stored_output, filter, spec: spec.clone() }, stored))
    }

    /// The rows whose key has no null, if there are any; the others are answered here.
    pub fn split(&self, delta: Delta, out: &mut Deltas) -> Result<Option<Delta>> {
        let (rows, alone) = split_nulls(delta, &self.spec.probe_keys)?;
        if let (Some(alone), true) = (alone, self.spec.keep_unmatched) {
            out.push(self.padded(&alone)?);
        }
        Ok((!rows.is_empty()).then_some(rows))
    }

    /// Joins rows with the table's rows of their keys, which have these slots.
    pub fn join(
        &self,
        table: &Table,
        slots: &[u32],
        rows: &Delta,
        out: &mut Deltas,
        tell: Met<'_>,
    ) -> Result<()> {
        let mut met = vec![false; rows.num_rows()];
        let (mut probes, mut others) = (Vec::new(), Vec::new());
        for (probe, &slot) in slots.iter().enumerate() {
            for other in table.rows(slot) {
                probes.push(probe as u32);
                others.push(other);
                if probes.len() == PAIRS_MAX {
                    let pairs = (&mut probes, &mut others);
                    self.emit(table, rows, pairs, &mut met, out, tell)?;
                }
            }
        }
        self.emit(table, rows, (&mut probes, &mut others), &mut met, out, tell)?;
        if self.spec.keep_unmatched && met.contains(&false) {
            let alone: BooleanArray = met.iter().map(|&met| Some(!met)).collect();
            out.push(self.padded(&rows.filter(&alone)?)?);
        }
        Ok(())
    }

    /// Decides candidates, notes which probe rows have met a row, and emits them.
    fn emit(
        &self,
        table: &Table,
        rows: &Delta,
        (probes, others): (&mut Vec<u32>, &mut Vec<u32>),
        met: &mut [bool],
        out: &mut Deltas,
        tell: Met<'_>,
    ) -> Result<()> {
        self.decide(table, rows, probes, others)?;
        if probes.is_empty() {
            return Ok(());
        }
        probes.iter().for_each(|&probe| met[probe as usize] = true);
        let (probes, others) = (std::mem::take(probes), std::mem::take(others));
        let gather = |&stored: &usize| table.gather(stored, &others);
        let found = self.stored_output.iter().map(gather).collect::<Result<Vec<_>>>()?;
        tell(&probes, &found)?;
        let taken = rows.take(&UInt32Array::from(probes))?;
        let columns = self.probe_columns(&taken).into_iter().chain(found).collect();
        let batch = record_batch(&self.spec.output_schema, columns, others.len())?;
        out.push(match table.weights(&others) {
            None => taken.with_batch(batch),
            Some(weights) => {
                let weights = weights.into_iter().enumerate().map(|(row, w)| w * taken.weight(row));
                let arrival = taken.arrival().map(|a| Int64Array::from(a.to_vec()));
                Delta::weighted(batch, weights.collect()).with_arrival(arrival)
            }
        });
        Ok(())
    }

    /// Leaves those candidates for which the condition is true.
    fn decide(
        &self,
        table: &Table,
        rows: &Delta,
        probes: &mut Vec<u32>,
        others: &mut Vec<u32>,
    ) -> Result<()> {
        let Some((filter, places)) = self.filter.as_ref().filter(|_| !probes.is_empty()) else {
            return Ok(());
        };
        let at = UInt32Array::from(probes.clone());
        let column = |place: &Place| -> Result<ArrayRef> {
            match *place {
                Place::Probe(column) => Ok(take(rows.column(column), &at, None)?),
                Place::Table(stored) => table.gather(stored, others),
            }
        };
        let columns = places.iter().map(column).collect::<Result<_>>()?;
        let mask = filter.decide(columns, probes.len())?;
        let is_true = |row: usize| mask.is_valid(row) && mask.value(row);
        for list in [probes, others] {
            let mut row = 0;
            list.retain(|_| {
                row += 1;
                is_true(row - 1)
            });
        }
        Ok(())
    }

    /// The columns of the output that are the probe row's.
    pub fn probe_columns(&self, rows: &Delta) -> Vec<ArrayRef> {
        self.spec.probe_output.iter().map(|&column| rows.column(column).clone()).collect()
    }

    /// Probe rows beside nulls.
    pub fn padded(&self, rows: &Delta) -> Result<Delta> {
        let mut columns = self.probe_columns(rows);
        for field in &self.spec.output_schema.fields()[columns.len()..] {
            columns.push(new_null_array(field.data_type(), rows.num_rows()));
        }
        Ok(rows.with_batch(record_batch(&self.spec.output_schema, columns, rows.num_rows())?))
    }
}
