//! Collections, a row for each element.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use rialto_engine::operator::unnest::{Collection, UnnestJoin, UnnestSpec};

use crate::error::{Result, SqlError};
use crate::planner::nodes::UnnestNode;

use super::{Lowering, Plan, loose, rank};
use crate::step::{Role, StepNode, StepPlan, Traits};

impl Lowering {
    pub(super) fn unnest(&self, node: &UnnestNode) -> Result<Plan> {
        let input = self.lower(&node.input)?;
        let width = input.schema.fields().len();
        let collections = std::slice::from_ref(&node.collection);
        let (input, columns) = self.append(input, collections, node.input.schema())?;
        let column = columns[0];
        let collection = match input.schema.field(column).data_type() {
            DataType::List(_) => Collection::Array,
            DataType::Map(..) => Collection::Map,
            other => return Err(SqlError::not_supported(format!("UNNEST of {other}"))),
        };
        let elements = node.elements();
        let mut names: Vec<String> = elements.fields().iter().map(|f| f.name().clone()).collect();
        let ordinality = if node.ordinality { names.pop() } else { None };
        let join = if node.outer { UnnestJoin::Left } else { UnnestJoin::Cross };
        let spec = UnnestSpec { column, collection, join, names, ordinality };
        let mut fields = input.schema.fields().to_vec();
        let before = fields.len();
        fields.extend(elements.fields().iter().cloned());
        let schema = loose(&Schema::new(fields));
        let mut roles = input.traits.roles.clone();
        roles.resize(schema.fields().len(), Role::None);
        let traits = Traits {
            insert_only: input.traits.insert_only,
            key: None,
            window: None,
            roles,
            partitioning: input.traits.partitioning.clone(),
            restates: input.traits.restates,
        };
        let total = schema.fields().len();
        let node = StepNode::Unnest(Box::new(spec));
        let plan = Arc::new(StepPlan { node, inputs: vec![input], schema, traits });
        if before == width {
            return Ok(plan);
        }
        Ok(rank::select(plan, (0..width).chain(before..total).collect()))
    }
}
