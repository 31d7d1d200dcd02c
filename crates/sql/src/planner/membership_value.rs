//! `IN (SELECT …)` and `EXISTS (SELECT …)` as values: `SELECT a IN (SELECT b FROM u) FROM t`.
//!
//! DataFusion makes joins of them where they are conditions only. So the rows are divided by the
//! condition: those for which it is true, those for which it is false and, of `IN` over nulls,
//! those for which it is unknown, each with its constant. Every row is in exactly one part, and
//! moves to another when the subquery's rows change.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result, ScalarValue};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

/// Makes columns of the memberships that are values in a plan.
pub(super) fn columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut names = 0;
    let rewritten = plan.transform_up_with_subqueries(|node| {
        if !has_membership(&node)? {
            return Ok(Transformed::no(node));
        }
        match node {
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) => {
                with_columns(node, &mut names).map(Transformed::yes)
            }
            LogicalPlan::Sort(_) => {
                // What is only ordered by is no column of the result.
                let columns = node.schema().columns().into_iter().map(Expr::Column);
                let columns: Vec<Expr> = columns.collect();
                let sorted = with_columns(node, &mut names)?;
                let plan = LogicalPlanBuilder::from(sorted).project(columns)?.build()?;
                Ok(Transformed::yes(plan))
            }
            other => Ok(Transformed::no(other)),
        }
    })?;
    Ok(rewritten.data)
}

fn has_membership(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= expr.exists(|e| Ok(is_membership(e)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn is_membership(expr: &Expr) -> bool {
    matches!(expr, Expr::InSubquery(_) | Expr::Exists(_))
}

/// The node over an input that has a column for each of its memberships.
fn with_columns(node: LogicalPlan, names: &mut usize) -> Result<LogicalPlan> {
    let mut input = (*node.inputs()[0]).clone();
    let mut known: Vec<(Expr, Expr)> = Vec::new();
    let preserver = NamePreserver::new(&node);
    let mut expressions = Vec::new();
    for expr in node.expressions() {
        let name = preserver.save(&expr);
        let replaced = expr.transform_down(|e| {
            if !is_membership(&e) {
                return Ok(Transformed::no(e));
            }
            if let Some((_, column)) = known.iter().find(|(membership, _)| *membership == e) {
                return Ok(Transformed::yes(column.clone()));
            }
            *names += 1;
            let column = format!("$member{names}");
            input = divided(&input, &e, &column)?;
            let column = Expr::Column(Column::new_unqualified(column));
            known.push((e, column.clone()));
            Ok(Transformed::yes(column))
        })?;
        expressions.push(name.restore(replaced.data));
    }
    node.with_new_exprs(expressions, vec![input])
}

/// The rows of `input` with the value of a membership as their last column.
fn divided(input: &LogicalPlan, membership: &Expr, name: &str) -> Result<LogicalPlan> {
    let mut parts = vec![
        (membership.clone(), Some(true)),
        (Expr::Not(Box::new(membership.clone())), Some(false)),
    ];
    if may_be_unknown(input, membership)? {
        parts.push((membership.clone().is_null(), None));
    }
    let columns = input.schema().columns();
    let plain = |at: usize| format!("$column{at}");
    let mut all: Option<LogicalPlanBuilder> = None;
    for (condition, value) in parts {
        let named = columns.iter().enumerate();
        let mut row: Vec<Expr> =
            named.map(|(at, column)| Expr::Column(column.clone()).alias(plain(at))).collect();
        row.push(Expr::Literal(ScalarValue::Boolean(value), None).alias(name));
        let part = LogicalPlanBuilder::from(input.clone()).filter(condition)?.project(row)?;
        all = Some(match all {
            Some(others) => others.union(part.build()?)?,
            None => part,
        });
    }
    let all = all.unwrap_or_else(|| LogicalPlanBuilder::from(input.clone()));
    // A union forgets of which table a column is.
    let mut row: Vec<Expr> = (columns.into_iter().enumerate())
        .map(|(at, column)| {
            let plain = Expr::Column(Column::new_unqualified(plain(at)));
            plain.alias_qualified(column.relation, column.name)
        })
        .collect();
    row.push(Expr::Column(Column::new_unqualified(name)));
    all.project(row)?.build()
}

fn may_be_unknown(input: &LogicalPlan, membership: &Expr) -> Result<bool> {
    match membership {
        Expr::InSubquery(i) => {
            let element = i.subquery.subquery.schema().field(0).is_nullable();
            Ok(element || i.expr.nullable(input.schema().as_ref())?)
        }
        _ => Ok(false),
    }
}
