//! Joins the rows of a `FROM` clause with the elements of their own arrays.
//!
//! SQL writes `t CROSS JOIN UNNEST(t.items) AS i (sku, quantity)`; DataFusion plans a join whose
//! right side refers to its left. Here the two become one node.

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchemaRef, Result, plan_err};
use datafusion_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};

use super::nodes::{UnnestLeaf, UnnestNode};

pub(super) fn join_arrays(plan: LogicalPlan) -> Result<LogicalPlan> {
    let joined = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Join(join) => match find_leaf(&join.right) {
            Some(leaf) => {
                let outer = match join.join_type {
                    JoinType::Inner => false,
                    JoinType::Left => true,
                    other => return plan_err!("{other} JOIN with UNNEST is not supported"),
                };
                let elements = join.right.schema();
                let left = join.left.as_ref().clone();
                let plan = unnest(left, leaf, outer, elements)?;
                let trivial = matches!(
                    &join.filter,
                    None | Some(Expr::Literal(
                        datafusion_common::ScalarValue::Boolean(Some(true)),
                        _
                    ))
                );
                match (trivial, join.filter.clone(), outer) {
                    (true, ..) => Ok(Transformed::yes(plan)),
                    (false, Some(filter), false) => {
                        let plan = LogicalPlanBuilder::from(plan).filter(filter)?.build()?;
                        Ok(Transformed::yes(plan))
                    }
                    _ => plan_err!("a LEFT JOIN with UNNEST takes ON TRUE as its condition"),
                }
            }
            None => Ok(Transformed::no(LogicalPlan::Join(join))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    // A leaf that was not joined stands alone: the elements of a constant.
    let alone = joined.data.transform_up_with_subqueries(|plan| match as_leaf(&plan) {
        Some(leaf) => {
            let one = LogicalPlanBuilder::empty(true).build()?;
            let schema = leaf.schema.clone();
            Ok(Transformed::yes(unnest(one, leaf, false, &schema)?))
        }
        None => Ok(Transformed::no(plan)),
    })?;
    Ok(alone.data)
}

fn unnest(
    input: LogicalPlan,
    leaf: &UnnestLeaf,
    outer: bool,
    elements: &DFSchemaRef,
) -> Result<LogicalPlan> {
    let own = leaf.collection.clone().transform_up(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(UnnestNode::try_new(input, own.data, outer, leaf.ordinality, elements)?.into_plan())
}

fn as_leaf(plan: &LogicalPlan) -> Option<&UnnestLeaf> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

/// The leaf below aliases and renaming projections.
fn find_leaf(plan: &LogicalPlan) -> Option<&UnnestLeaf> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => find_leaf(&alias.input),
        LogicalPlan::Subquery(subquery) => find_leaf(&subquery.subquery),
        LogicalPlan::Projection(projection)
            if projection.expr.iter().all(|e| matches!(e, Expr::Column(_) | Expr::Alias(_))) =>
        {
            find_leaf(&projection.input)
        }
        other => as_leaf(other),
    }
}
