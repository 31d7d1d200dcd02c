//! `COUNT`, `SUM` and `AVG`: linear, so a weight multiplies in and a retraction subtracts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};

use crate::{EngineError, Result};

use crate::state::{Input, Persist};
use crate::store::held;

use super::accumulator::{Accumulator, Update};

/// How many rows, or how many non-null arguments.
#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn bytes(&self) -> usize {
        held(&self.counts)
    }

    fn resize(&mut self, capacity: usize) {
        self.counts.resize(capacity, 0);
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let filter = update.valid_filter()?;
        let counts = &mut self.counts;
        Update { filter: filter.as_ref(), ..*update }.for_each(|_, slot, w| counts[slot] += w);
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        let values = slots.iter().map(|&s| self.counts[s as usize]);
        Ok(Arc::new(Int64Array::from_iter_values(values)))
    }

    fn clear(&mut self, slots: &[u32]) {
        slots.iter().for_each(|&s| self.counts[s as usize] = 0);
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        self.counts[slot].put(out);
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        self.counts[slot] = input.get()?;
        Ok(())
    }
}

/// What is made of sum and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SumResult {
    Sum,
    SumOrZero,
    Mean,
}

/// Sum and count of the non-null arguments.
#[derive(Debug)]
pub(super) struct Sum {
    sums: Sums,
    counts: Vec<i64>,
    output: DataType,
    result: SumResult,
}

#[derive(Debug)]
enum Sums {
    Integer(Vec<i64>),
    /// With its scale.
    Decimal(Vec<i128>, i8),
    /// Double-double: a high part and what it lost, so that what was added can be taken back
    /// without drift (Knuth's TwoSum).
    Float(Vec<(f64, f64)>),
}

impl Sums {
    fn bytes(&self) -> usize {
        match self {
            Self::Integer(sums) => held(sums),
            Self::Decimal(sums, _) => held(sums),
            Self::Float(sums) => held(sums),
        }
    }
}

impl Sum {
    pub fn new(argument: &DataType, output: DataType, result: SumResult) -> Result<Self> {
        let sums = match argument {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Sums::Integer(Vec::new())
            }
            DataType::Decimal128(_, scale) => Sums::Decimal(Vec::new(), *scale),
            DataType::Float32 | DataType::Float64 => Sums::Float(Vec::new()),
            other => {
                return Err(EngineError::Data(format!("values of type {other} cannot be summed")));
            }
        };
        Ok(Self { sums, counts: Vec::new(), output, result })
    }
}

#[inline]
fn two_sum((high, low): (f64, f64), value: f64) -> (f64, f64) {
    let sum = high + value;
    if !sum.is_finite() {
        return (sum, 0.0);
    }
    let part = sum - high;
    let lost = (high - (sum - part)) + (value - part);
    (sum, low + lost)
}

impl Accumulator for Sum {
    fn bytes(&self) -> usize {
        self.sums.bytes() + held(&self.counts)
    }

    fn resize(&mut self, capacity: usize) {
        self.counts.resize(capacity, 0);
        match &mut self.sums {
            Sums::Integer(sums) => sums.resize(capacity, 0),
            Sums::Decimal(sums, _) => sums.resize(capacity, 0),
            Sums::Float(sums) => sums.resize(capacity, (0.0, 0.0)),
        }
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let filter = update.valid_filter()?;
        let update = Update { filter: filter.as_ref(), ..*update };
        let counts = &mut self.counts;
        match &mut self.sums {
            Sums::Integer(sums) => {
                let column = cast(&update.arguments[0], &DataType::Int64)?;
                let values = column.as_primitive::<Int64Type>().values();
                update.for_each(|row, slot, weight| {
                    sums[slot] = sums[slot].wrapping_add(values[row].wrapping_mul(weight));
                    counts[slot] += weight;
                });
            }
            Sums::Decimal(sums, _) => {
                let values = update.arguments[0].as_primitive::<Decimal128Type>().values();
                update.for_each(|row, slot, weight| {
                    let value = values[row].wrapping_mul(i128::from(weight));
                    sums[slot] = sums[slot].wrapping_add(value);
                    counts[slot] += weight;
                });
            }
            Sums::Float(sums) => {
                let column = cast(&update.arguments[0], &DataType::Float64)?;
                let values = column.as_primitive::<Float64Type>().values();
                update.for_each(|row, slot, weight| {
                    sums[slot] = two_sum(sums[slot], values[row] * weight as f64);
                    counts[slot] += weight;
                    if counts[slot] == 0 {
                        sums[slot] = (0.0, 0.0);
                    }
                });
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        let zero = self.result == SumResult::SumOrZero;
        let count = |s: u32| Some(self.counts[s as usize]).filter(|&c| c != 0 || zero);
        let mean = self.result == SumResult::Mean;
        let column: ArrayRef = match &self.sums {
            Sums::Integer(sums) => {
                let value = |&s: &u32| {
                    let (count, sum) = (count(s)?, sums[s as usize]);
                    Some(if mean { sum.wrapping_div(count) } else { sum })
                };
                Arc::new(Int64Array::from_iter(slots.iter().map(value)))
            }
            Sums::Decimal(sums, scale) => return self.decimals(sums, *scale, slots),
            Sums::Float(sums) => {
                let value = |&s: &u32| {
                    let (count, (high, low)) = (count(s)?, sums[s as usize]);
                    let sum = high + low;
                    Some(if mean { sum / count as f64 } else { sum })
                };
                Arc::new(Float64Array::from_iter(slots.iter().map(value)))
            }
        };
        self.narrow(&column)
    }

    fn clear(&mut self, slots: &[u32]) {
        for &slot in slots {
            let slot = slot as usize;
            self.counts[slot] = 0;
            match &mut self.sums {
                Sums::Integer(sums) => sums[slot] = 0,
                Sums::Decimal(sums, _) => sums[slot] = 0,
                Sums::Float(sums) => sums[slot] = (0.0, 0.0),
            }
        }
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        self.counts[slot].put(out);
        match &self.sums {
            Sums::Integer(sums) => sums[slot].put(out),
            Sums::Decimal(sums, _) => sums[slot].put(out),
            Sums::Float(sums) => sums[slot].put(out),
        }
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        self.counts[slot] = input.get()?;
        match &mut self.sums {
            Sums::Integer(sums) => sums[slot] = input.get()?,
            Sums::Decimal(sums, _) => sums[slot] = input.get()?,
            Sums::Float(sums) => sums[slot] = input.get()?,
        }
        Ok(())
    }
}

impl Sum {
    fn decimals(&self, sums: &[i128], scale: i8, slots: &[u32]) -> Result<ArrayRef> {
        let DataType::Decimal128(precision, output_scale) = self.output else {
            return Err(EngineError::Internal(format!("a decimal sum as {}", self.output)));
        };
        let limit = 10_i128.pow(u32::from(precision));
        let factor =
            10_i128.checked_pow((i32::from(output_scale) - i32::from(scale)).max(0) as u32);
        let value = |&s: &u32| {
            let (count, sum) = (self.counts[s as usize], sums[s as usize]);
            if count == 0 {
                return (self.result == SumResult::SumOrZero).then_some(0);
            }
            let scaled = sum.checked_mul(factor?)?;
            let value = match self.result {
                SumResult::Mean => divide_half_up(scaled, i128::from(count)),
                _ => scaled,
            };
            // A decimal that does not fit is null, as in Flink.
            Some(value).filter(|v| v.abs() < limit)
        };
        let array = Decimal128Array::from_iter(slots.iter().map(value));
        Ok(Arc::new(array.with_precision_and_scale(precision, output_scale)?))
    }

    /// An `i64` or `f64` column in the output's type; integers wrap.
    fn narrow(&self, column: &ArrayRef) -> Result<ArrayRef> {
        macro_rules! wrap {
            ($type:ty, $native:ty) => {{
                let values = column.as_primitive::<Int64Type>();
                let narrow: arrow::array::PrimitiveArray<$type> =
                    values.unary(|v: i64| v as $native);
                Ok(Arc::new(narrow))
            }};
        }
        use arrow::datatypes::{Int8Type, Int16Type, Int32Type};
        match (column.data_type(), &self.output) {
            (from, to) if from == to => Ok(column.clone()),
            (DataType::Int64, DataType::Int8) => wrap!(Int8Type, i8),
            (DataType::Int64, DataType::Int16) => wrap!(Int16Type, i16),
            (DataType::Int64, DataType::Int32) => wrap!(Int32Type, i32),
            (_, to) => Ok(cast_with_options(column, to, &CastOptions::default())?),
        }
    }
}

/// The quotient, rounded half away from zero.
pub(super) fn divide_half_up(value: i128, by: i128) -> i128 {
    let (quotient, rest) = (value / by, value % by);
    if rest.unsigned_abs() * 2 >= by.unsigned_abs() {
        quotient + value.signum() * by.signum()
    } else {
        quotient
    }
}
