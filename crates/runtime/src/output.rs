//! An output of a job, and how what a step has changed gets to where it goes.

use arrow::datatypes::SchemaRef;
use rialto_engine::consolidate::consolidate;
use rialto_engine::{Deltas, OutputId, Result};

use crate::checkpoint::Keeper;
use crate::delivery::Outlet;
use crate::job::Observer;

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
    /// Whether its changes must be netted before they are handed on.
    pub consolidate: bool,
    /// Where it goes.
    pub target: Target,
}

impl JobOutput {
    /// Hands on what a step has changed; answers how many rows that are. `at` is the number of
    /// this output; a view's rows are noted by the keeper as well.
    pub(crate) fn hand_on(
        &mut self,
        at: usize,
        deltas: Deltas,
        step: u64,
        mut keeper: Option<&mut Keeper>,
        observer: &mut dyn Observer,
    ) -> Result<usize> {
        if !self.consolidate
            && let Target::Sink(sink) = &mut self.target
        {
            for delta in &deltas {
                if let Some(keeper) = &mut keeper {
                    keeper.wrote(at, delta)?;
                }
                sink.write(delta, step)?;
            }
            return Ok(deltas.iter().map(|delta| delta.num_rows()).sum());
        }
        let delta = consolidate(&self.schema, &deltas)?;
        if delta.is_empty() {
            return Ok(0);
        }
        match &mut self.target {
            Target::Sink(sink) => {
                if let Some(keeper) = keeper {
                    keeper.wrote(at, &delta)?;
                }
                sink.write(&delta, step)?;
            }
            Target::Observer => {
                if let Some(keeper) = keeper {
                    keeper.changed(at, &delta)?;
                }
                observer.changed(at, &delta, step)?;
            }
        }
        Ok(delta.num_rows())
    }
}
