//! Rewrites of a plan between binding and optimising.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, internal_err};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use rialto_engine::LocalZone;

use crate::functions::SessionSettings;
use crate::semantics;

/// What every plan from SQL goes through: arrays and aggregates joined laterally, joins as of a
/// time, group windows, then Flink's types.
pub(super) fn finish(plan: LogicalPlan, settings: &SessionSettings) -> Result<LogicalPlan> {
    let plan = super::temporal::join_versions(super::unnest::join_arrays(plan)?)?;
    let plan = super::lateral::join_aggregates(plan)?;
    super::group_window::check_hops(&plan)?;
    let plan = super::group_window::plan_windows(plan, LocalZone::new(settings.time_zone))?;
    super::set_all::count_rows(semantics::apply(plan, settings)?)
}

/// A scalar subquery answers one row; the join that takes its place would silently take several.
/// An aggregate that fails on a second row keeps the promise.
pub(super) fn single_values(plan: LogicalPlan) -> Result<LogicalPlan> {
    let functions = crate::functions::aggregate_functions();
    let Some(single_value) = functions.into_iter().find(|f| f.name() == "SINGLE_VALUE") else {
        return internal_err!("the aggregate SINGLE_VALUE is missing");
    };
    let guard = |expr: Expr| match expr {
        Expr::ScalarSubquery(subquery) if needs_guard(&subquery) => {
            let column = Expr::Column(subquery.subquery.schema().columns()[0].clone());
            let name = column.schema_name().to_string();
            let single = Expr::AggregateFunction(AggregateFunction::new_udf(
                Arc::clone(&single_value),
                vec![column],
                false,
                None,
                vec![],
                None,
            ));
            let guarded = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
                .aggregate(Vec::<Expr>::new(), vec![single.alias(name)])?
                .build()?;
            let subquery = Subquery { subquery: Arc::new(guarded), ..subquery };
            Ok(Transformed::yes(Expr::ScalarSubquery(subquery)))
        }
        other => Ok(Transformed::no(other)),
    };
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        plan.map_expressions(|expr| expr.transform_up(guard))
    })?;
    Ok(rewritten.data)
}

/// Whether the subquery can answer several rows as far as its shape tells.
fn needs_guard(subquery: &Subquery) -> bool {
    fn one_row(plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
                plan.inputs().iter().all(|p| one_row(p))
            }
            LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
            _ => false,
        }
    }
    !one_row(&subquery.subquery)
}
