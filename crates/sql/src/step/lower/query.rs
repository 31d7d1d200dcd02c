//! A whole query: what keeps its answer, and how that is shown.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_expr::logical_plan::{Limit, Projection};
use datafusion_expr::{LogicalPlan, SortExpr};
use rialto_engine::operator::SortColumn;

use super::{Lowering, Order, Plan, StepNode, StepPlan, column, column_of, project_traits};
use crate::error::Result;

/// A query's step plan, and how its rows are shown.
#[derive(Debug, Clone)]
pub struct Query {
    /// What keeps the answer. Columns behind those of `columns` are there to order by.
    pub plan: Arc<StepPlan>,
    /// The order of a final `ORDER BY`; empty: none.
    pub order: Order,
    /// The columns to show, with the types that were declared.
    pub columns: SchemaRef,
}

impl Lowering {
    /// Lowers a whole query. A final `ORDER BY` without a limit only orders what is shown.
    pub fn query(&self, plan: &LogicalPlan) -> Result<Query> {
        let nullable = |f: &Arc<Field>| f.as_ref().clone().with_nullable(true);
        let columns: Vec<Field> = plan.schema().fields().iter().map(nullable).collect();
        let (lowered, order) = self.ordered(plan)?;
        Ok(Query { plan: lowered, order, columns: Arc::new(Schema::new(columns)) })
    }

    /// The plan, with hidden columns at its end where the order needs them, and the order.
    fn ordered(&self, plan: &LogicalPlan) -> Result<(Plan, Order)> {
        match plan {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let input = self.lower(&sort.input)?;
                self.sort_columns(input, &sort.expr, &sort.input)
            }
            LogicalPlan::Sort(sort) => self.order_of(plan, &sort.expr),
            LogicalPlan::Limit(limit) => match limit.input.as_ref() {
                LogicalPlan::Sort(sort) => self.order_of(plan, &sort.expr),
                LogicalPlan::Projection(p) => {
                    let below = Limit { input: Arc::clone(&p.input), ..limit.clone() };
                    self.ordered_projection(p, &LogicalPlan::Limit(below))
                }
                LogicalPlan::SubqueryAlias(alias) => {
                    let below = Limit { input: Arc::clone(&alias.input), ..limit.clone() };
                    self.ordered(&LogicalPlan::Limit(below))
                }
                _ => Ok((self.lower(plan)?, Order::new())),
            },
            LogicalPlan::Projection(p) => self.ordered_projection(p, &p.input),
            LogicalPlan::SubqueryAlias(alias) => self.ordered(&alias.input),
            _ => Ok((self.lower(plan)?, Order::new())),
        }
    }

    /// The first rows in some order: they are shown in the same one.
    fn order_of(&self, plan: &LogicalPlan, order: &[SortExpr]) -> Result<(Plan, Order)> {
        let input = self.lower(plan)?;
        self.sort_columns(input, order, plan)
    }

    /// A projection above what is ordered: columns of the order that it leaves out stay, hidden.
    fn ordered_projection(&self, p: &Projection, below: &LogicalPlan) -> Result<(Plan, Order)> {
        let (input, order) = self.ordered(below)?;
        let from = below.schema();
        let width = p.expr.len();
        let visible: Vec<Option<usize>> = p.expr.iter().map(|e| column_of(e, from)).collect();
        let mut hidden: Vec<usize> = Vec::new();
        let mut moved = Order::with_capacity(order.len());
        for sort in order {
            let at = visible.iter().position(|c| *c == Some(sort.column)).unwrap_or_else(|| {
                let known = hidden.iter().position(|h| *h == sort.column);
                width
                    + known.unwrap_or_else(|| {
                        hidden.push(sort.column);
                        hidden.len() - 1
                    })
            });
            moved.push(SortColumn { column: at, ..sort });
        }
        let narrow = input.schema.fields().len() == from.fields().len();
        if hidden.is_empty() && narrow {
            let plan = self.project(input, &p.expr, from, p.schema.as_arrow())?;
            return Ok((plan, moved));
        }
        let mut projection =
            p.expr.iter().map(|e| self.physical(e, from)).collect::<Result<Vec<_>>>()?;
        let mut fields: Vec<Field> =
            super::loose(p.schema.as_arrow()).fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut columns = visible;
        for (i, at) in hidden.into_iter().enumerate() {
            projection.push(column(&input.schema, at));
            fields.push(input.schema.field(at).clone().with_name(format!("$order{i}")));
            columns.push(Some(at));
        }
        let traits = project_traits(&input.traits, &columns);
        let node = StepNode::FilterProject { condition: None, projection: Some(projection) };
        let schema = Arc::new(Schema::new(fields));
        Ok((Arc::new(StepPlan { node, inputs: vec![input], schema, traits }), moved))
    }
}
