//! Scalar subqueries whose correlation DataFusion's decorrelation does not take.
//!
//! It pulls `column = outer` over an aggregate and nothing else; it leaves the subquery where it
//! is otherwise, and a later rule then fails over it. An equality of any expression, and one that
//! holds null equal to null, is brought to that form here: a projection below the filter computes
//! the side that is the subquery's own. `x IS NOT DISTINCT FROM outer` is two equalities, of
//! whether the sides are null and of their values with something in the place of null.
//!
//! Any other condition is judged for each value that the outer columns have: these, each once, are
//! joined to the subquery's rows, and the correlation is the equality with them.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result, ScalarValue};
use datafusion_expr::logical_plan::{Filter, Subquery};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, ident, lit, when,
};

/// Brings the correlations of all scalar subqueries to `column = outer` where they can be.
pub(super) fn plain_equalities(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut names = 0;
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let outer = match plan.inputs().as_slice() {
            [input] => Some((*input).clone()),
            _ => None,
        };
        plan.map_expressions(|expr| {
            expr.transform_up(|expr| match expr {
                Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty() => {
                    subquery_of_equalities(subquery, outer.as_ref(), &mut names)
                }
                other => Ok(Transformed::no(other)),
            })
        })
    })?;
    Ok(rewritten.data)
}

fn subquery_of_equalities(
    subquery: Subquery,
    outer: Option<&LogicalPlan>,
    names: &mut usize,
) -> Result<Transformed<Expr>> {
    let inner = subquery.subquery.as_ref().clone().transform_up(|plan| {
        let LogicalPlan::Filter(filter) = plan else { return Ok(Transformed::no(plan)) };
        let filter = match outer {
            Some(outer) => over_each_value(filter, outer, names)?,
            None => filter,
        };
        filtered(filter, names)
    })?;
    let subquery = Subquery { subquery: inner.data.into(), ..subquery };
    Ok(Transformed::new_transformed(Expr::ScalarSubquery(subquery), inner.transformed))
}

/// The filter with what is correlated otherwise than by an equality judged for each value of the
/// outer columns.
fn over_each_value(filter: Filter, outer: &LogicalPlan, names: &mut usize) -> Result<Filter> {
    let other = |part: &&Expr| part.contains_outer() && equality(part).is_none();
    let mut columns: Vec<(Expr, Column)> = Vec::new();
    for part in split_conjunction(&filter.predicate).into_iter().filter(other) {
        part.apply(|e| {
            if let Expr::OuterReferenceColumn(_, column) = e
                && !columns.iter().any(|(known, _)| known == e)
            {
                columns.push((e.clone(), column.clone()));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    let known = |(_, column): &(Expr, Column)| outer.schema().has_column(column);
    if columns.is_empty() || !columns.iter().all(known) {
        return Ok(filter);
    }
    *names += 1;
    let alias = format!("$outer{names}");
    let name = |at: usize| format!("value{at}");
    let values = columns.iter().enumerate();
    let values = values.map(|(at, (_, column))| Expr::Column(column.clone()).alias(name(at)));
    let values = LogicalPlanBuilder::from(outer.clone())
        .project(values.collect::<Vec<_>>())?
        .distinct()?
        .alias(alias.as_str())?
        .build()?;
    let value = |at: usize| Expr::Column(Column::new(Some(alias.as_str()), name(at)));
    let mut parts = Vec::new();
    for part in split_conjunction(&filter.predicate) {
        if !other(&part) {
            parts.push(part.clone());
            continue;
        }
        let judged = part.clone().transform_up(|e| {
            match columns.iter().position(|(column, _)| *column == e) {
                Some(at) => Ok(Transformed::yes(value(at))),
                None => Ok(Transformed::no(e)),
            }
        })?;
        parts.push(judged.data);
    }
    for (at, (column, _)) in columns.iter().enumerate() {
        let (left, right) = (Box::new(value(at)), Box::new(column.clone()));
        parts.push(Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right }));
    }
    let predicate = conjunction(parts).unwrap_or_else(|| lit(true));
    let pairs = LogicalPlanBuilder::from(filter.input).cross_join(values)?.build()?;
    Filter::try_new(predicate, pairs.into())
}

/// The filter over a projection that computes what its correlated equalities compare.
fn filtered(filter: Filter, names: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let schema = filter.input.schema();
    let mut computed: Vec<Expr> = Vec::new();
    let mut parts: Vec<Expr> = Vec::new();
    let mut column = |expr: Expr| {
        *names += 1;
        let name = format!("$correlated{names}");
        computed.push(expr.alias(&name));
        ident(name)
    };
    for part in split_conjunction(&filter.predicate) {
        match equality(part) {
            Some((own, outer, true)) => {
                let instead = ScalarValue::new_default(&own.get_type(schema.as_ref())?)?;
                let filled = |e: &Expr| {
                    let literal = Expr::Literal(instead.clone(), None);
                    when(e.clone().is_null(), literal).otherwise(e.clone())
                };
                parts.push(column(own.clone().is_null()).eq(outer.clone().is_null()));
                parts.push(column(filled(own)?).eq(filled(outer)?));
            }
            Some((own, outer, false)) if !matches!(own, Expr::Column(_)) => {
                parts.push(column(own.clone()).eq(outer.clone()));
            }
            _ => parts.push(part.clone()),
        }
    }
    let Some(predicate) = conjunction(parts).filter(|_| !computed.is_empty()) else {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    };
    let own: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let below = own.iter().cloned().chain(computed).collect::<Vec<_>>();
    let plan = LogicalPlanBuilder::from(filter.input)
        .project(below)?
        .filter(predicate)?
        .project(own)?
        .build()?;
    Ok(Transformed::yes(plan))
}

/// The subquery's side and the outer side of an equality, and whether null equals null.
fn equality(part: &Expr) -> Option<(&Expr, &Expr, bool)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else { return None };
    let null_safe = match op {
        Operator::Eq => false,
        Operator::IsNotDistinctFrom => true,
        _ => return None,
    };
    let own = |e: &Expr| e.any_column_refs() && !e.contains_outer();
    let outer = |e: &Expr| e.contains_outer() && !e.any_column_refs();
    match (left.as_ref(), right.as_ref()) {
        (l, r) if own(l) && outer(r) => Some((l, r, null_safe)),
        (l, r) if outer(l) && own(r) => Some((r, l, null_safe)),
        _ => None,
    }
}
