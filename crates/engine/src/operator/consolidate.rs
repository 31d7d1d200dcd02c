//! Rows that a step takes back and says again, left out.
//!
//! # Semantics
//! The change of the output is that of the input; no row appears with both signs in a step.
//! # State
//! None.

use arrow::datatypes::SchemaRef;

use crate::consolidate::consolidate;
use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, Operator, Result, StepContext};

/// Stands where many rows are said anew of which few are others: behind a join with a single row,
/// such as the day that it is.
#[derive(Debug, Clone)]
pub struct Consolidate {
    /// The columns.
    pub schema: SchemaRef,
}

impl Operator for Consolidate {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        let rows: Deltas = inputs.into_iter().flatten().collect();
        let retracts = |delta: &Delta| delta.weights().is_some_and(|w| w.iter().any(|&w| w < 0));
        // What only comes costs nothing here.
        if !rows.iter().any(retracts) {
            return Ok(rows);
        }
        let change = consolidate(&self.schema, &rows)?;
        Ok(if change.is_empty() { Deltas::new() } else { vec![change] })
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}
