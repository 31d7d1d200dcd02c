//! Rows that a query spells out itself (`VALUES`, or a `SELECT` without `FROM`).
//!
//! # Semantics
//! The rows appear once, in the first step, in the first shard.

use crate::state::{StateReader, StateWriter};
use crate::{Delta, Deltas, Operator, Result, StepContext, Watermark};

/// Gives its rows in the first step.
#[derive(Debug, Clone)]
pub struct Values {
    /// The rows; taken when they have been given.
    pub rows: Option<Delta>,
}

impl Operator for Values {
    fn step(&mut self, _: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let rows = self.rows.take().filter(|_| context.shard == 0);
        Ok(rows.into_iter().collect())
    }

    fn watermark(&self, _: &[Watermark], _: i64) -> Watermark {
        // All rows are there after the first step; nothing more is expected.
        Watermark::MAX
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        out.value("given", &self.rows.is_none())
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        for part in 0..from.parts() {
            if from.value(part, "given")? {
                self.rows = None;
            }
        }
        Ok(())
    }
}
