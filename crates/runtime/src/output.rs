//! An output of a job, and how what a step has changed gets to where it goes.

use arrow::datatypes::SchemaRef;
use rialto_engine::consolidate::consolidate;
use rialto_engine::{Deltas, OutputId, Result};

use crate::checkpoint::Keeper;
use crate::delivery::Outlet;

/// Where an output goes.
pub enum Target {
    /// A table's sink.
    Sink(Outlet),
    /// The observer: a view or a query.
    Observer,
}

/// An output of the circuit and where it goes.
pub struct JobOutput {
    /// The name of the table, view or query.
    pub name: String,
    /// The output; none for what the job itself has to say.
    pub output: Option<OutputId>,
    /// What the step is whose changes it takes, the same in every run.
    pub identity: String,
    /// What it shares its sources and operators with: outputs of the same generation.
    pub generation: u32,
    /// Its columns.
    pub schema: SchemaRef,
    /// Whether its changes must be netted before a sink gets them.
    pub consolidate: bool,
    /// Where it goes.
    pub target: Target,
}

impl JobOutput {
    /// Gives a sink what a step has changed, and the keeper notes it; answers how many rows that
    /// are. `at` is the number of this output.
    pub(crate) fn write(
        &mut self,
        at: usize,
        deltas: Deltas,
        step: u64,
        mut keeper: Option<&mut Keeper>,
    ) -> Result<usize> {
        let Target::Sink(sink) = &mut self.target else { return Ok(0) };
        let deltas = match self.consolidate {
            true => vec![consolidate(&self.schema, &deltas)?],
            false => deltas,
        };
        let mut rows = 0;
        for delta in deltas.iter().filter(|delta| !delta.is_empty()) {
            if let Some(keeper) = &mut keeper {
                keeper.wrote(at, delta)?;
            }
            sink.write(delta, step)?;
            rows += delta.num_rows();
        }
        Ok(rows)
    }
}
