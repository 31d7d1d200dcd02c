//! Variance and standard deviation, from count, mean and squared deviations.
//!
//! Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
//! variances" (1979): adding a value moves mean and deviation; taking it back
//! inverts the same step.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::Result;

use crate::state::{Input, Persist, persist_struct};
use crate::store::held;

use super::accumulator::{Accumulator, Update};

/// What is made of the moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    VarPop,
    VarSamp,
    StddevPop,
    StddevSamp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    count: f64,
    mean: f64,
    deviation: f64,
}

persist_struct!(Moment { count, mean, deviation });

impl Moment {
    /// Adds `weight` times the value; a negative weight takes it back.
    fn add(&mut self, value: f64, weight: f64) {
        let count = self.count + weight;
        if count == 0.0 {
            *self = Self::default();
            return;
        }
        let delta = value - self.mean;
        self.mean += delta * weight / count;
        self.deviation += weight * delta * (value - self.mean);
        self.count = count;
    }

    fn statistic(&self, statistic: Statistic) -> Option<f64> {
        use Statistic as S;
        let divisor = match statistic {
            S::VarPop | S::StddevPop => self.count,
            S::VarSamp | S::StddevSamp => self.count - 1.0,
        };
        let variance = (divisor > 0.0).then(|| self.deviation.max(0.0) / divisor)?;
        Some(match statistic {
            S::VarPop | S::VarSamp => variance,
            S::StddevPop | S::StddevSamp => variance.sqrt(),
        })
    }
}

/// Moments by slot.
#[derive(Debug)]
pub(super) struct Moments {
    moments: Vec<Moment>,
    statistic: Statistic,
    output: DataType,
}

impl Moments {
    pub fn new(statistic: Statistic, output: DataType) -> Self {
        Self { moments: Vec::new(), statistic, output }
    }
}

impl Accumulator for Moments {
    fn bytes(&self) -> usize {
        held(&self.moments)
    }

    fn resize(&mut self, capacity: usize) {
        self.moments.resize(capacity, Moment::default());
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let filter = update.valid_filter()?;
        let column = cast(&update.arguments[0], &DataType::Float64)?;
        let values = column.as_primitive::<Float64Type>().values();
        let moments = &mut self.moments;
        Update { filter: filter.as_ref(), ..*update }
            .for_each(|row, slot, weight| moments[slot].add(values[row], weight as f64));
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        let values = slots.iter().map(|&s| self.moments[s as usize].statistic(self.statistic));
        let column: ArrayRef = Arc::new(Float64Array::from_iter(values));
        Ok(cast(&column, &self.output)?)
    }

    fn clear(&mut self, slots: &[u32]) {
        slots.iter().for_each(|&s| self.moments[s as usize] = Moment::default());
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        self.moments[slot].put(out);
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        self.moments[slot] = input.get()?;
        Ok(())
    }
}
