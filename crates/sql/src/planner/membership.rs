//! `NOT IN` over nulls.
//!
//! `x NOT IN (…)` is true where no element is equal to `x` or may be: with a null among them, or a
//! null `x` and any element, it is unknown. DataFusion knows that of a `NOT IN` that stands alone
//! and is not correlated. In a larger condition its mark join takes unknown for false, whose
//! negation is true; and of a correlated one our join could not tell the correlation, which is
//! two-valued, from the comparison. Both are said with `EXISTS` here.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue, not_impl_err};
use datafusion_expr::expr::{Exists, InSubquery};
use datafusion_expr::logical_plan::{Distinct, Filter, Subquery};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, lit, when,
};

/// What is as good as unknown where a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// False.
    Positive,
    /// True: under a `NOT`.
    Negative,
    /// Nothing else.
    Exact,
}

/// Says with `EXISTS` what `NOT IN` means, where its nulls would be forgotten.
pub(super) fn null_aware(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut names = 0;
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Filter(filter) = plan else { return Ok(Transformed::no(plan)) };
        let mut rewriter = Rewriter { schema: filter.input.schema(), names, changed: false };
        let parts = split_conjunction_owned(filter.predicate.clone());
        let parts = parts.into_iter().map(|part| match part {
            Expr::InSubquery(i) if i.subquery.outer_ref_columns.is_empty() => {
                Ok(Expr::InSubquery(i))
            }
            part => rewriter.condition(part, Place::Positive),
        });
        let predicate = conjunction(parts.collect::<Result<Vec<_>>>()?);
        names = rewriter.names;
        match predicate.filter(|_| rewriter.changed) {
            Some(predicate) => {
                let filter = Filter::try_new(predicate, Arc::clone(&filter.input))?;
                Ok(Transformed::yes(LogicalPlan::Filter(filter)))
            }
            None => Ok(Transformed::no(LogicalPlan::Filter(filter))),
        }
    })?;
    Ok(rewritten.data)
}

struct Rewriter<'a> {
    /// The columns outside of the subqueries.
    schema: &'a DFSchema,
    names: usize,
    changed: bool,
}

impl Rewriter<'_> {
    fn condition(&mut self, expr: Expr, place: Place) -> Result<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::And | Operator::Or) =>
            {
                let left = Box::new(self.condition(*left, place)?);
                let right = Box::new(self.condition(*right, place)?);
                Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            Expr::Not(inner) => {
                let inside = match place {
                    Place::Positive => Place::Negative,
                    Place::Negative => Place::Positive,
                    Place::Exact => Place::Exact,
                };
                Ok(Expr::Not(Box::new(self.condition(*inner, inside)?)))
            }
            Expr::InSubquery(membership) => self.membership(membership, place),
            other => {
                let children = other.map_children(|child| {
                    let exact = self.condition(child, Place::Exact)?;
                    Ok(Transformed::yes(exact))
                })?;
                Ok(children.data)
            }
        }
    }

    fn membership(&mut self, i: InSubquery, place: Place) -> Result<Expr> {
        let element = i.subquery.subquery.schema();
        let nullable = element.field(0).is_nullable() || i.expr.nullable(self.schema)?;
        let simple = !i.expr.exists(|e| Ok(is_outer(e)))?;
        let matters = match place {
            Place::Positive => i.negated,
            Place::Negative => !i.negated,
            Place::Exact => true,
        };
        if !nullable || !simple || !matters {
            return Ok(Expr::InSubquery(i));
        }
        self.changed = true;
        let equal = |element: &Expr, x: &Expr| element.clone().eq(x.clone());
        let unknown = |element: &Expr, x: &Expr| element.clone().is_null().or(x.clone().is_null());
        if place == Place::Exact {
            let null = Expr::Literal(ScalarValue::Boolean(None), None);
            return when(self.exists(&i, false, equal)?, lit(!i.negated))
                .when(self.exists(&i, false, unknown)?, null)
                .otherwise(lit(i.negated));
        }
        self.exists(&i, i.negated, |element, x| equal(element, x).or(unknown(element, x)))
    }

    /// Whether there is an element that stands so to `x`.
    fn exists(
        &mut self,
        i: &InSubquery,
        negated: bool,
        condition: impl Fn(&Expr, &Expr) -> Expr,
    ) -> Result<Expr> {
        let (elements, element) = self.elements(i)?;
        let mut outer = i.subquery.outer_ref_columns.clone();
        let x = i.expr.as_ref().clone().transform_up(|e| match e {
            Expr::Column(column) => {
                let (_, field) = self.schema.qualified_field_from_column(&column)?;
                let column = Expr::OuterReferenceColumn(Arc::clone(field), column);
                if !outer.contains(&column) {
                    outer.push(column.clone());
                }
                Ok(Transformed::yes(column))
            }
            other => Ok(Transformed::no(other)),
        })?;
        let condition = condition(&element, &x.data);
        // One filter with the correlation: of two, DataFusion forgets the columns of the lower.
        let elements = match elements.build()? {
            LogicalPlan::Filter(below) => LogicalPlanBuilder::from(below.input)
                .filter(below.predicate.and(condition))?
                .build()?,
            elements => LogicalPlanBuilder::from(elements).filter(condition)?.build()?,
        };
        let subquery = Subquery {
            subquery: Arc::new(elements),
            outer_ref_columns: outer,
            spans: i.subquery.spans.clone(),
        };
        Ok(Expr::Exists(Exists { subquery, negated }))
    }

    /// The rows of the subquery and what is the element in them. They get a name of their own, so
    /// that the columns of `x` are not taken for theirs. A correlation is not found below another
    /// name: there, the filter stands below the projection instead.
    fn elements(&mut self, i: &InSubquery) -> Result<(LogicalPlanBuilder, Expr)> {
        let plan = i.subquery.subquery.as_ref();
        if i.subquery.outer_ref_columns.is_empty() {
            self.names += 1;
            let elements =
                LogicalPlanBuilder::from(plan.clone()).alias(format!("$in{}", self.names))?;
            let element = Expr::Column(elements.schema().columns()[0].clone());
            return Ok((elements, element));
        }
        let projection = match plan {
            LogicalPlan::Distinct(Distinct::All(input)) => input.as_ref(),
            plan => plan,
        };
        match projection {
            LogicalPlan::Projection(p)
                if !i.expr.column_refs().iter().any(|c| p.input.schema().has_column(c)) =>
            {
                let element = p.expr[0].clone().unalias();
                Ok((LogicalPlanBuilder::from(p.input.as_ref().clone()), element))
            }
            _ => not_impl_err!(
                "NOT IN of this correlated subquery, whose elements may be null; write NOT EXISTS"
            ),
        }
    }
}

/// What stands for a value from further outside, or for a query.
fn is_outer(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::InSubquery(_)
            | Expr::Exists(_)
    )
}
