//! `LATERAL (SELECT MAX(…) FROM r WHERE r.x < l.x)`: an aggregate for each row of the left side.
//!
//! DataFusion joins laterally where the condition on the left row is an equality. For any other
//! condition the subquery is computed once for each combination of the values that it takes from
//! the left, and joined with the left by them. As in Flink a left row for which there is nothing
//! to aggregate has no partner: `CROSS JOIN` leaves it out, `LEFT JOIN` pads it.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, JoinType, NullEquality, Result};
use datafusion_expr::logical_plan::{Aggregate, Join, SubqueryAlias};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator};

/// The name of the values that a subquery takes from the left.
const OUTER: &str = "$outer";

/// Joins the lateral aggregates of a plan.
pub(super) fn join_aggregates(plan: LogicalPlan) -> Result<LogicalPlan> {
    let joined = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => Ok(match lateral(&join)? {
            Some(plan) => Transformed::yes(plan),
            None => Transformed::no(LogicalPlan::Join(join)),
        }),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(joined.data)
}

fn lateral(join: &Join) -> Result<Option<LogicalPlan>> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || !join.on.is_empty() {
        return Ok(None);
    }
    let (body, alias) = match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) => (&subquery.subquery, None),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => (&subquery.subquery, Some(&alias.alias)),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let outer = outer_columns(body)?;
    let known = outer.iter().all(|c| join.left.schema().has_column(c));
    if outer.is_empty() || !known || !is_unequal_aggregate(body)? {
        return Ok(None);
    }
    let name = |at: usize| format!("{OUTER}{at}");
    let values = outer.iter().enumerate().map(|(at, c)| Expr::Column(c.clone()).alias(name(at)));
    let values = LogicalPlanBuilder::from(join.left.as_ref().clone())
        .project(values.collect::<Vec<_>>())?
        .distinct()?
        .alias(OUTER)?
        .build()?;
    let carry = Carry { outer: &outer, values: &values };
    let Some((body, mut keys)) = carry.plan(body)? else { return Ok(None) };
    let right = match alias {
        Some(alias) => {
            keys.iter_mut().for_each(|k| k.relation = Some(alias.clone()));
            LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(body), alias.clone())?)
        }
        None => body,
    };
    let columns = join.schema.columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
    let left = LogicalPlanBuilder::from(join.left.as_ref().clone());
    let filter = join.filter.clone();
    let nulls = NullEquality::NullEqualsNull;
    let joined = left.join_detailed(right, join.join_type, (outer.clone(), keys), filter, nulls)?;
    Ok(Some(joined.project(columns)?.build()?))
}

/// The columns of the left side that a subquery refers to, each once.
fn outer_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let Expr::OuterReferenceColumn(_, column) = e
                    && !found.contains(column)
                {
                    found.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

fn has_outer(expr: &Expr) -> Result<bool> {
    expr.exists(|e| Ok(matches!(e, Expr::OuterReferenceColumn(..))))
}

/// Whether the plan is an aggregate without keys over a condition that compares with the left other
/// than by an equality.
fn is_unequal_aggregate(plan: &LogicalPlan) -> Result<bool> {
    let (mut aggregates, mut unequal) = (false, false);
    plan.apply(|node| {
        match node {
            LogicalPlan::Aggregate(aggregate) => aggregates |= aggregate.group_expr.is_empty(),
            LogicalPlan::Filter(filter) => {
                for part in datafusion_expr::utils::split_conjunction(&filter.predicate) {
                    let equality = matches!(part, Expr::BinaryExpr(b) if b.op == Operator::Eq);
                    unequal |= !equality && has_outer(part)?;
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(aggregates && unequal)
}

/// Brings the values of the left into a subquery, and through it to its output.
struct Carry<'a> {
    outer: &'a [Column],
    values: &'a LogicalPlan,
}

impl Carry<'_> {
    /// The plan with the values as further columns, and their names; `None` for a plan of another
    /// shape.
    fn plan(&self, plan: &LogicalPlan) -> Result<Option<(LogicalPlan, Vec<Column>)>> {
        let columns = |keys: &[Column]| keys.iter().cloned().map(Expr::Column).collect::<Vec<_>>();
        Ok(match plan {
            LogicalPlan::Filter(filter) if has_outer(&filter.predicate)? => {
                if !outer_columns(&filter.input)?.is_empty() {
                    return Ok(None);
                }
                let keys = self.values.schema().columns();
                let predicate = self.own(&filter.predicate, &keys)?;
                let rows = LogicalPlanBuilder::from(self.values.clone())
                    .cross_join(filter.input.as_ref().clone())?
                    .filter(predicate)?;
                Some((rows.build()?, keys))
            }
            LogicalPlan::Filter(filter) => match self.plan(&filter.input)? {
                Some((input, keys)) => {
                    let input = LogicalPlanBuilder::from(input).filter(filter.predicate.clone())?;
                    Some((input.build()?, keys))
                }
                None => None,
            },
            LogicalPlan::Projection(projection) => match self.plan(&projection.input)? {
                Some((input, keys)) => {
                    let own = projection.expr.iter().map(|e| self.own(e, &keys));
                    let mut exprs = own.collect::<Result<Vec<_>>>()?;
                    exprs.extend(columns(&keys));
                    Some((LogicalPlanBuilder::from(input).project(exprs)?.build()?, keys))
                }
                None => None,
            },
            LogicalPlan::Aggregate(aggregate) => match self.plan(&aggregate.input)? {
                Some((input, keys)) => {
                    let mut group = columns(&keys);
                    group.extend(aggregate.group_expr.iter().cloned());
                    let own = aggregate.aggr_expr.iter().map(|e| self.own(e, &keys));
                    let calls = own.collect::<Result<Vec<_>>>()?;
                    let aggregate = Aggregate::try_new(Arc::new(input), group, calls)?;
                    Some((LogicalPlan::Aggregate(aggregate), keys))
                }
                None => None,
            },
            _ => None,
        })
    }

    /// The expression over the values instead of the left side's columns.
    fn own(&self, expr: &Expr, keys: &[Column]) -> Result<Expr> {
        let replaced = expr.clone().transform(|e| {
            let at = match &e {
                Expr::OuterReferenceColumn(_, c) => self.outer.iter().position(|o| o == c),
                _ => None,
            };
            Ok(match at {
                Some(at) => Transformed::yes(Expr::Column(keys[at].clone())),
                None => Transformed::no(e),
            })
        })?;
        Ok(replaced.data)
    }
}
