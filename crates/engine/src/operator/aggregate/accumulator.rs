//! What every aggregate function implements, and which implementation a call gets.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{and, is_not_null};
use arrow::datatypes::DataType;

use crate::state::Input;
use crate::{EngineError, Result};

use super::collect::{CollectKind, Collected};
use super::extremum::{Extremum, Ordered, Side};
use super::moments::{Moments, Statistic};
use super::position::Position;
use super::sum::{Count, Sum, SumResult};
use super::{AggregateCall, AggregateFunction};

/// One delta's rows for an accumulator.
pub(super) struct Update<'a> {
    /// The group of each row.
    pub slots: &'a [u32],
    /// The argument columns.
    pub arguments: &'a [ArrayRef],
    /// The weight of each row; none: all `+1`.
    pub weights: Option<&'a [i64]>,
    /// Which rows take part; none: all. Has no nulls.
    pub filter: Option<&'a BooleanArray>,
}

impl Update<'_> {
    /// Calls `f(row, slot, weight)` for every row that takes part.
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(usize, usize, i64)) {
        match (self.weights, self.filter) {
            (None, None) => {
                for (row, &slot) in self.slots.iter().enumerate() {
                    f(row, slot as usize, 1);
                }
            }
            (weights, None) => {
                for (row, &slot) in self.slots.iter().enumerate() {
                    f(row, slot as usize, weights.map_or(1, |w| w[row]));
                }
            }
            (weights, Some(filter)) => {
                for row in filter.values().set_indices() {
                    f(row, self.slots[row] as usize, weights.map_or(1, |w| w[row]));
                }
            }
        }
    }

    /// The rows that take part and whose first argument is not null, as a filter.
    pub fn valid_filter(&self) -> Result<Option<BooleanArray>> {
        let Some(argument) = self.arguments.first().filter(|a| a.null_count() > 0) else {
            return Ok(self.filter.cloned());
        };
        let valid = is_not_null(argument)?;
        Ok(Some(match self.filter {
            Some(filter) => and(filter, &valid)?,
            None => valid,
        }))
    }
}

/// The state of one aggregate call for all groups, by slot.
pub(super) trait Accumulator: Send {
    /// Makes room for slots below `capacity`; new ones start empty.
    fn resize(&mut self, capacity: usize);

    /// Takes a delta's rows.
    fn update(&mut self, update: &Update<'_>) -> Result<()>;

    /// The results of the given groups.
    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef>;

    /// Makes groups empty again.
    fn clear(&mut self, slots: &[u32]);

    /// The memory of its columns by slot, in bytes.
    fn bytes(&self) -> usize;

    /// Appends a group's state to a checkpoint.
    fn save(&self, slot: usize, out: &mut Vec<u8>);

    /// Reads a group's state back; there is room for it.
    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()>;
}

/// The accumulator for a call, `DISTINCT` and `FILTER` apart.
pub(super) fn create(
    call: &AggregateCall,
    types: &[DataType],
    insert_only: bool,
) -> Result<Box<dyn Accumulator>> {
    use AggregateFunction as F;
    let output = call.output.data_type().clone();
    let argument = || {
        let missing = || EngineError::Internal("an aggregate without argument".into());
        types.first().cloned().ok_or_else(missing)
    };
    Ok(match call.function {
        F::Count => Box::new(Count::default()),
        F::Sum => Box::new(Sum::new(&argument()?, output, SumResult::Sum)?),
        F::Sum0 => Box::new(Sum::new(&argument()?, output, SumResult::SumOrZero)?),
        F::Avg => Box::new(Sum::new(&argument()?, output, SumResult::Mean)?),
        F::Min if insert_only => Box::new(Extremum::new(argument()?, Side::Least)?),
        F::Max if insert_only => Box::new(Extremum::new(argument()?, Side::Greatest)?),
        F::Min => Box::new(Ordered::new(argument()?, Side::Least)?),
        F::Max => Box::new(Ordered::new(argument()?, Side::Greatest)?),
        F::VarPop => Box::new(Moments::new(Statistic::VarPop, output)),
        F::VarSamp => Box::new(Moments::new(Statistic::VarSamp, output)),
        F::StddevPop => Box::new(Moments::new(Statistic::StddevPop, output)),
        F::StddevSamp => Box::new(Moments::new(Statistic::StddevSamp, output)),
        F::FirstValue => Box::new(Position::new(argument()?, Side::Least)?),
        F::LastValue => Box::new(Position::new(argument()?, Side::Greatest)?),
        F::SingleValue => Box::new(Collected::new(types, output, CollectKind::Single)?),
        F::ListAgg => Box::new(Collected::new(types, output, CollectKind::Text)?),
        F::ArrayAgg => Box::new(Collected::new(types, output, CollectKind::Array)?),
        F::Collect => Box::new(Collected::new(types, output, CollectKind::Multiset)?),
        F::JsonArray => Box::new(Collected::new(types, output, CollectKind::JsonArray)?),
        F::JsonObject => Box::new(Collected::new(types, output, CollectKind::JsonObject)?),
        F::Percentile => Box::new(Collected::new(types, output, CollectKind::Percentile)?),
    })
}

/// A `FILTER` column as a mask without nulls.
pub(super) fn filter_mask(column: Option<&ArrayRef>) -> Result<Option<BooleanArray>> {
    let Some(column) = column else { return Ok(None) };
    let mask = column
        .as_boolean_opt()
        .ok_or_else(|| EngineError::Internal("a FILTER that is not Boolean".into()))?;
    Ok(Some(match mask.nulls() {
        Some(nulls) => BooleanArray::new(mask.values() & nulls.inner(), None),
        None => mask.clone(),
    }))
}

/// Which rows are equal in all columns (null equals null); `None` where a type cannot be compared.
pub(super) fn equal_rows(left: &[ArrayRef], right: &[ArrayRef]) -> Result<Option<BooleanArray>> {
    let mut same: Option<BooleanArray> = None;
    for (left, right) in left.iter().zip(right) {
        if left.data_type().is_nested() {
            return Ok(None);
        }
        let equal = arrow::compute::kernels::cmp::not_distinct(left, right)?;
        same = Some(match same {
            Some(same) => and(&same, &equal)?,
            None => equal,
        });
    }
    Ok(same)
}
