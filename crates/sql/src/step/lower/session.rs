//! `SESSION` windows: rows closer than the gap belong together.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use rialto_engine::operator::Emission;
use rialto_engine::operator::session::SessionSpec;

use crate::error::{Result, SqlError};
use crate::planner::nodes::WindowNode;

use super::{Lowering, Plan, column_of, exchange};
use crate::step::{StepNode, StepPlan, Traits};

impl Lowering {
    pub(super) fn session(
        &self,
        input: Plan,
        window: &WindowNode,
        (time, gap): (usize, i64),
        schema: SchemaRef,
        mut traits: Traits,
    ) -> Result<Plan> {
        let partition = window
            .partition
            .iter()
            .map(|e| column_of(e, window.input.schema()))
            .collect::<Option<Vec<usize>>>()
            .ok_or_else(|| SqlError::new("PARTITION BY of a SESSION window takes columns"))?;
        let input = exchange(input, &partition);
        let timed = input.traits.roles[time].is_event_time();
        let emission = if timed { self.emission } else { Emission::Updates };
        let spec = SessionSpec {
            partition,
            time,
            gap,
            zone: window.zone,
            input_insert_only: input.traits.insert_only,
            emission,
        };
        traits.insert_only = emission == Emission::Final;
        traits.partitioning = input.traits.partitioning.clone();
        traits.roles = super::window_roles(&traits.roles);
        // A row's bounds change as its session grows: they are no part of a key.
        traits.key = input.traits.key.clone();
        let node = StepNode::Session(spec);
        Ok(Arc::new(StepPlan { node, inputs: vec![input], schema, traits }))
    }
}
