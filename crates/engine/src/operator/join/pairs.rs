//! Candidate pairs of rows: decided by the filter, counted, and turned into output.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, new_null_array};
use arrow::datatypes::{FieldRef, SchemaRef};

use super::filter::Residual;
use super::side::{Change, Degree, Side};
use super::spec::JoinSpec;
use crate::expr::record_batch;
use crate::store::NO_ROW;
use crate::{Delta, Deltas, Result};

/// Candidates are decided and emitted so many at a time, so that a batch stays in the cache.
const PAIRS_MAX: usize = 32 * 1024;

/// A column that is read from a kept row: of which side, and where it is kept there.
type Place = (usize, usize);

/// What the join does with the pairs that it finds.
#[derive(Debug)]
pub(super) struct Pairs {
    filter: Option<(Residual, Vec<Place>)>,
    emits_pairs: bool,
    output: Vec<Place>,
    schema: SchemaRef,
    interval: Option<(i64, i64)>,
    /// Candidates: the row of the driving side, the place of its change, the row of the other
    /// side, and the two weights.
    driver: Vec<u32>,
    changes: Vec<u32>,
    other: Vec<u32>,
    weights: Vec<(i64, i64)>,
}

/// The columns of each side that the output and the filter read.
pub(super) fn needed_columns(spec: &JoinSpec) -> Result<[Vec<usize>; 2]> {
    let mut needed = [Vec::new(), Vec::new()];
    let mut columns = spec.output_columns();
    if let Some(filter) = &spec.filter {
        columns.extend(Residual::columns(filter));
    }
    columns.sort_unstable();
    columns.dedup();
    for column in columns {
        let (side, column) = spec.locate(column)?;
        needed[side].push(column);
    }
    Ok(needed)
}

impl Pairs {
    pub(super) fn new(spec: &JoinSpec, sides: &[Side; 2]) -> Result<Self> {
        let place = |column| {
            let (side, column) = spec.locate(column)?;
            // All columns of the output and the filter are kept: see `needed_columns`.
            Ok((side, sides[side].stored.partition_point(|&c| c < column)))
        };
        let filter = match &spec.filter {
            None => None,
            Some(filter) => {
                let places = Residual::columns(filter).into_iter().map(place);
                let (left, right) = (spec.left_schema.fields(), spec.right_schema.fields());
                let fields: Vec<FieldRef> = left.iter().chain(right).cloned().collect();
                Some((Residual::new(filter, &fields)?, places.collect::<Result<_>>()?))
            }
        };
        Ok(Self {
            filter,
            emits_pairs: spec.kind.emits_pairs(),
            output: spec.output_columns().into_iter().map(place).collect::<Result<_>>()?,
            schema: spec.output_schema.clone(),
            interval: spec.retention.and_then(|r| r.interval()),
            driver: Vec::new(),
            changes: Vec::new(),
            other: Vec::new(),
            weights: Vec::new(),
        })
    }

    /// Joins the changed rows of side `from` with all rows of the other side.
    pub(super) fn join(
        &mut self,
        sides: &mut [Side; 2],
        from: usize,
        out: &mut Deltas,
    ) -> Result<()> {
        let counted = sides.iter().any(|side| side.degree == Degree::Row);
        if !self.emits_pairs && !counted {
            return Ok(());
        }
        for index in 0..sides[from].changes.len() {
            let Change { row, weight, .. } = sides[from].changes[index];
            if weight == 0 {
                continue;
            }
            let other = &sides[1 - from];
            let mut partner = other.chains.first(sides[from].slots[row as usize]);
            while partner != NO_ROW {
                let other = &sides[1 - from];
                let next = other.chains.after(partner);
                let partner_weight = other.weight(partner);
                if partner_weight != 0 && self.in_interval(sides, from, row, partner) {
                    self.driver.push(row);
                    self.changes.push(index as u32);
                    self.other.push(partner);
                    self.weights.push((weight, partner_weight));
                    if self.driver.len() == PAIRS_MAX {
                        self.flush(sides, from, out)?;
                    }
                }
                partner = next;
            }
        }
        self.flush(sides, from, out)
    }

    #[inline]
    fn in_interval(&self, sides: &[Side; 2], from: usize, row: u32, partner: u32) -> bool {
        let Some((lower, upper)) = self.interval else { return true };
        let time = |side: usize, row: u32| {
            sides[side].times.as_ref().map_or(0, |times| times[row as usize])
        };
        let rows = if from == 0 { [row, partner] } else { [partner, row] };
        let difference = i128::from(time(0, rows[0])) - i128::from(time(1, rows[1]));
        i128::from(lower) <= difference && difference <= i128::from(upper)
    }

    /// Decides the candidates, counts the matches and emits them.
    fn flush(&mut self, sides: &mut [Side; 2], from: usize, out: &mut Deltas) -> Result<()> {
        if self.driver.is_empty() {
            return Ok(());
        }
        if let Some((filter, places)) = &self.filter {
            let rows =
                if from == 0 { [&self.driver, &self.other] } else { [&self.other, &self.driver] };
            let column = |&(side, stored): &Place| sides[side].gather(stored, rows[side]);
            let columns = places.iter().map(column).collect::<Result<_>>()?;
            let mask = filter.decide(columns, self.driver.len())?;
            self.keep(&mask);
        }
        let counted = sides.each_ref().map(|side| side.degree == Degree::Row);
        if counted[0] || counted[1] {
            for (index, &(weight, other_weight)) in self.weights.iter().enumerate() {
                if counted[from] && sides[from].changes[self.changes[index] as usize].new {
                    sides[from].add_new_degree(self.driver[index], other_weight);
                }
                if counted[1 - from] {
                    sides[1 - from].add_degree(self.other[index], weight);
                }
            }
        }
        if self.emits_pairs && !self.driver.is_empty() {
            let weights = self.weights.iter().map(|(a, b)| a * b).collect();
            let rows =
                if from == 0 { [&self.driver, &self.other] } else { [&self.other, &self.driver] };
            out.push(self.emit(sides, rows.map(|r| Some(r.as_slice())), weights)?);
        }
        self.driver.clear();
        self.changes.clear();
        self.other.clear();
        self.weights.clear();
        Ok(())
    }

    /// Drops the candidates for which the filter is not true.
    fn keep(&mut self, mask: &BooleanArray) {
        let kept = mask.true_count();
        if kept == mask.len() {
            return;
        }
        let mut at = 0;
        for index in 0..mask.len() {
            if mask.is_valid(index) && mask.value(index) {
                self.driver[at] = self.driver[index];
                self.changes[at] = self.changes[index];
                self.other[at] = self.other[index];
                self.weights[at] = self.weights[index];
                at += 1;
            }
        }
        self.driver.truncate(kept);
        self.changes.truncate(kept);
        self.other.truncate(kept);
        self.weights.truncate(kept);
    }

    /// Emits rows of one side by themselves, beside nulls where the output has pairs.
    pub(super) fn emit_single(
        &self,
        sides: &[Side; 2],
        side: usize,
        rows: &[u32],
        weights: Vec<i64>,
        out: &mut Deltas,
    ) -> Result<()> {
        if !rows.is_empty() {
            let rows = if side == 0 { [Some(rows), None] } else { [None, Some(rows)] };
            out.push(self.emit(sides, rows, weights)?);
        }
        Ok(())
    }

    fn emit(
        &self,
        sides: &[Side; 2],
        rows: [Option<&[u32]>; 2],
        weights: Vec<i64>,
    ) -> Result<Delta> {
        let column = |(index, &(side, stored)): (usize, &Place)| match rows[side] {
            Some(rows) => sides[side].gather(stored, rows),
            None => Ok(new_null_array(self.schema.field(index).data_type(), weights.len())),
        };
        let columns: Vec<ArrayRef> =
            self.output.iter().enumerate().map(column).collect::<Result<_>>()?;
        let batch = record_batch(&self.schema, columns, weights.len())?;
        if weights.iter().all(|&w| w == 1) {
            return Ok(Delta::insert_only(batch));
        }
        Ok(Delta::weighted(batch, Int64Array::from(weights)))
    }
}
