//! `NATURAL JOIN` and `JOIN … USING`: `*` shows the common columns first.
//!
//! DataFusion leaves each column where its side has it. So such a join is planned here: the join
//! itself as DataFusion makes it (its `*` then shows one of two equal columns), and above it the
//! columns in SQL's order. Where an outer join's `*` would show the side that may be missing, the
//! two columns are replaced by the one that is always there.

use datafusion_common::{Column, JoinType, Result, plan_err};
use datafusion_expr::planner::RelationPlannerContext;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, when};
use sqlparser::ast::{self, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

/// Puts each `NATURAL` or `USING` join of a `FROM` clause, with what is left of it, into
/// parentheses of its own, so that the relation planner is asked for it.
pub(super) fn nest(from: &mut TableWithJoins) {
    if !from.joins.iter().any(|join| is_using(&join.join_operator)) {
        return;
    }
    for join in std::mem::take(&mut from.joins) {
        let using = is_using(&join.join_operator);
        from.joins.push(join);
        if using {
            let relation = from.relation.clone();
            let joins = std::mem::take(&mut from.joins);
            let inner = Box::new(TableWithJoins { relation, joins });
            from.relation = TableFactor::NestedJoin { table_with_joins: inner, alias: None };
        }
    }
}

/// Whether the last of the joins is one of ours.
pub(super) fn ends_in_using(join: &TableWithJoins) -> bool {
    join.joins.last().is_some_and(|j| is_using(&j.join_operator))
}

fn is_using(operator: &JoinOperator) -> bool {
    matches!(constraint(operator), Some((JoinConstraint::Using(_) | JoinConstraint::Natural, _)))
}

fn constraint(operator: &JoinOperator) -> Option<(&JoinConstraint, JoinType)> {
    Some(match operator {
        JoinOperator::Join(c) | JoinOperator::Inner(c) => (c, JoinType::Inner),
        JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (c, JoinType::Left),
        JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (c, JoinType::Right),
        JoinOperator::FullOuter(c) => (c, JoinType::Full),
        _ => return None,
    })
}

/// Plans a join whose last part is `NATURAL` or has `USING`.
pub(super) fn plan(
    mut joined: TableWithJoins,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let Some(last) = joined.joins.pop() else { return plan_err!("there is no join to plan") };
    let Some((constraint, join_type)) = constraint(&last.join_operator) else {
        return plan_err!("{last} is not a join that takes USING");
    };
    let left = match joined.joins.is_empty() {
        true => joined.relation,
        false => TableFactor::NestedJoin { table_with_joins: Box::new(joined), alias: None },
    };
    let left = context.plan(left)?;
    let right = context.plan(last.relation.clone())?;
    let names = match constraint {
        JoinConstraint::Using(names) => names.iter().map(single).collect::<Result<Vec<_>>>()?,
        _ => common_names(&left, &right),
    };
    if names.is_empty() {
        return LogicalPlanBuilder::from(left).cross_join(right)?.build();
    }
    let keys = names.into_iter().map(Column::from_name).collect();
    let join = LogicalPlanBuilder::from(left).join_using(right, join_type, keys)?.build()?;
    common_first(join, join_type)
}

fn single(name: &ast::ObjectName) -> Result<String> {
    match name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(ident) => Ok(ident.value.clone()),
            None => plan_err!("USING takes names of columns, not {name}"),
        },
        _ => plan_err!("USING takes names of columns without a table, not {name}"),
    }
}

/// The names that both sides have, in the order of the left.
fn common_names(left: &LogicalPlan, right: &LogicalPlan) -> Vec<String> {
    let there = |name: &String| right.schema().fields().iter().any(|f| f.name() == name);
    let mut names: Vec<String> = Vec::new();
    for field in left.schema().fields() {
        if there(field.name()) && !names.contains(field.name()) {
            names.push(field.name().clone());
        }
    }
    names
}

/// The join's columns with the common ones first.
fn common_first(plan: LogicalPlan, join_type: JoinType) -> Result<LogicalPlan> {
    let LogicalPlan::Join(join) = &plan else { return Ok(plan) };
    let mut first = Vec::new();
    let mut taken: Vec<Column> = Vec::new();
    for (a, b) in &join.on {
        let (Expr::Column(a), Expr::Column(b)) = (a, b) else { return Ok(plan) };
        let swapped = !join.left.schema().has_column(a);
        let (left, right) = if swapped { (b, a) } else { (a, b) };
        // `*` shows the lesser of the two names.
        let right_shown = right < left;
        let wrong = match join_type {
            JoinType::Left => right_shown,
            JoinType::Right => !right_shown,
            JoinType::Full => true,
            _ => false,
        };
        let (l, r) = (Expr::Column(left.clone()), Expr::Column(right.clone()));
        if wrong {
            let one = match join_type {
                JoinType::Left => l,
                JoinType::Right => r,
                _ => when(l.clone().is_not_null(), l).otherwise(r)?,
            };
            first.push(one.alias(&left.name));
        } else {
            first.extend([l, r]);
        }
        taken.extend([left.clone(), right.clone()]);
    }
    let rest = plan.schema().columns().into_iter().filter(|c| !taken.contains(c));
    first.extend(rest.map(Expr::Column));
    LogicalPlanBuilder::from(plan).project(first)?.build()
}
