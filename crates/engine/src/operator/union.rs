//! The rows of all inputs together (`UNION ALL`).
//!
//! # Semantics
//! Linear: weights pass through.
//! # State
//! None.

use arrow::datatypes::SchemaRef;

use crate::expr::record_batch;
use crate::state::{StateReader, StateWriter};
use crate::{Deltas, Operator, Result, StepContext};

/// Appends its inputs. Columns are matched by position and take the names of `schema`.
#[derive(Debug, Clone)]
pub struct Union {
    /// The columns that come out.
    pub schema: SchemaRef,
}

impl Operator for Union {
    fn step(&mut self, inputs: Vec<Deltas>, _: &mut StepContext<'_>) -> Result<Deltas> {
        let rename = |delta: crate::Delta| {
            let columns = delta.batch().columns().to_vec();
            Ok(delta.with_batch(record_batch(&self.schema, columns, delta.num_rows())?))
        };
        inputs.into_iter().flatten().map(rename).collect()
    }

    fn checkpoint(&mut self, _: &mut StateWriter) -> Result<()> {
        Ok(())
    }

    fn restore(&mut self, _: &StateReader<'_>) -> Result<()> {
        Ok(())
    }
}
