//! Collections, a row for each element.

use crate::error::{Result, SqlError};
use crate::planner::nodes::UnnestNode;

use super::{Lowering, Plan};

impl Lowering {
    pub(super) fn unnest(&self, node: &UnnestNode) -> Result<Plan> {
        Err(SqlError::not_supported(format!("UNNEST of {}", node.collection)))
    }
}
