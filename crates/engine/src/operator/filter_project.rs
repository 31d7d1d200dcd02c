//! Rows that satisfy a condition, with new columns.
//!
//! # Semantics
//! Linear: the change of the output is the output of the change. Weights pass through.
//! # State
//! None.

use crate::expr::{Expression, evaluate_mask, project, record_batch};
use crate::source::Projection;
use crate::state::{StateReader, StateWriter};
use crate::{Deltas, Operator, Result, StepContext};

/// Keeps the rows for which `condition` is true, then computes `projection`.
#[derive(Debug, Clone, Default)]
pub struct FilterProject {
    /// Which rows to keep; none: all.
    pub condition: Option<Expression>,
    /// The columns that the kept rows shall have; none: those they have.
    pub projection: Option<Projection>,
}

impl Operator for FilterProject {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        let mut output = Deltas::new();
        for mut delta in inputs.into_iter().flatten() {
            if let Some(condition) = &self.condition {
                let mask = evaluate_mask(condition, delta.batch())?;
                let kept = mask.true_count();
                if kept == 0 {
                    continue;
                }
                if kept < delta.num_rows() {
                    delta = delta.filter(&mask)?;
                }
            }
            if let Some(Projection { expressions, schema }) = &self.projection {
                delta = delta.with_batch(project(expressions, schema, delta.batch())?);
            }
            output.push(delta);
        }
        Ok(output)
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// Picks columns by position: a projection that computes nothing.
#[derive(Debug, Clone)]
pub struct SelectColumns {
    /// Positions in the input, one an output column.
    pub columns: Vec<usize>,
    /// The columns that come out.
    pub schema: arrow::datatypes::SchemaRef,
}

impl Operator for SelectColumns {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        let select = |delta: crate::Delta| {
            let columns = self.columns.iter().map(|&c| delta.column(c).clone()).collect();
            Ok(delta.with_batch(record_batch(&self.schema, columns, delta.num_rows())?))
        };
        inputs.into_iter().flatten().map(select).collect()
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}
