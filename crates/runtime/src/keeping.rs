//! How a job is kept, and how one that was kept goes on.

use rialto_engine::EngineError;
use rialto_sql::error::SqlError;

use crate::checkpoint::{
    Change, ChangedInserts, CheckpointError, CheckpointOptions, CheckpointStore, Manifest,
};
use crate::letters::Letters;
use crate::plan::JobPlan;

/// Where a job keeps itself, and what it may go on from.
pub struct Keeping<'a> {
    /// Its checkpoints.
    pub store: CheckpointStore,
    /// How often they are taken, and how many are kept.
    pub options: CheckpointOptions,
    /// What its sources refuse.
    pub letters: &'a Letters,
    /// What becomes of inserts that were changed; none: they are an error.
    pub inserts: Option<ChangedInserts>,
}

/// Why a job does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its circuit cannot be built.
    #[error("{0}")]
    Sql(#[from] SqlError),
    /// It cannot go on from what is there.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
}

impl From<EngineError> for StartError {
    fn from(error: EngineError) -> Self {
        Self::Checkpoint(error.into())
    }
}

impl Keeping<'_> {
    /// The checkpoint that is gone on from, of the newest that was found.
    pub(crate) fn kept<'m>(
        &self,
        found: Option<&'m Manifest>,
        plan: &JobPlan,
    ) -> Result<Option<&'m Manifest>, StartError> {
        let has_more = self.letters.are_waiting(&plan.tables_read())?;
        Ok(found.filter(|manifest| manifest.goes_on(has_more)))
    }

    /// How a project differs from the one whose checkpoints these are, and from which of them it
    /// would go on. Nothing is opened.
    pub fn change(&self, plan: &JobPlan) -> Result<(Option<Manifest>, Change), StartError> {
        let newest = self.store.epochs()?.first().map(|&epoch| self.store.manifest(epoch));
        let newest = newest.transpose()?;
        let kept = self.kept(newest.as_ref(), plan)?;
        let change = Change::new(kept, &plan.outline(), self.inserts);
        Ok((kept.cloned(), change))
    }
}
