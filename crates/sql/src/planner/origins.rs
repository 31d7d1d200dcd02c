//! Which columns of which tables and views a query's columns are made of.
//!
//! The bound plan says it: a column of a scan is itself, a column of a projection is made of the
//! columns that its expression names, and so on upwards. Columns that choose rows, join them or
//! group them make no value; they are told apart from those that do.
//!
//! A view that is read is a leaf here, also one that is not materialized: its own columns are asked
//! for in their turn.

use std::collections::BTreeSet;

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::{Expr, JoinType, LogicalPlan};

use crate::catalog::{ObjectPath, ViewDef};
use crate::error::SqlError;

use super::context::{Context, table_of};
use super::{Planner, locate};

/// A column of a table or view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnOrigin {
    /// The table or view.
    pub relation: ObjectPath,
    /// The column.
    pub column: String,
}

/// Some columns, each once.
pub type Columns = BTreeSet<ColumnOrigin>;

/// Where a view's rows come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// The view's columns, each with what its values are made of.
    pub columns: Vec<(String, Columns)>,
    /// What chooses, joins and groups the rows.
    pub rows: Columns,
    /// All tables and views that are read, also where no column of them is named.
    pub relations: BTreeSet<ObjectPath>,
}

impl Planner<'_> {
    /// What a view's columns are made of, one step down.
    pub fn origins(&self, view: &ViewDef) -> crate::error::Result<Origins> {
        let context = Context::new(self.session, 0);
        // A view that stands for its query is seen through where the plan depends on its form,
        // as joins as of a time do: then its own tables are the leaves.
        let plan = context.view_plan_over_views(view).or_else(|_| context.view_plan(view));
        let found = plan.and_then(|plan| origins_of(&plan));
        found.map_err(|e| locate(SqlError::from(e), &view.query))
    }
}

fn origins_of(plan: &LogicalPlan) -> Result<Origins> {
    let mut walk = Walk::default();
    let fields = walk.fields(plan)?;
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    let columns = names.zip(fields).collect();
    Ok(Origins { columns, rows: walk.rows, relations: walk.relations })
}

#[derive(Default)]
struct Walk {
    rows: Columns,
    relations: BTreeSet<ObjectPath>,
}

impl Walk {
    /// What each column of a plan is made of.
    fn fields(&mut self, plan: &LogicalPlan) -> Result<Vec<Columns>> {
        match plan {
            LogicalPlan::TableScan(scan) => Ok(self.scanned(scan)),
            LogicalPlan::Projection(projection) => {
                let (schema, input) = (projection.input.schema(), self.fields(&projection.input)?);
                projection.expr.iter().map(|e| self.of(e, schema, &input)).collect()
            }
            LogicalPlan::Filter(filter) => {
                let input = self.fields(&filter.input)?;
                let chosen = self.of(&filter.predicate, filter.input.schema(), &input)?;
                self.rows.extend(chosen);
                Ok(input)
            }
            LogicalPlan::Aggregate(aggregate) => {
                let (schema, input) = (aggregate.input.schema(), self.fields(&aggregate.input)?);
                let groups = aggregate.group_expr.iter();
                let groups: Vec<Columns> =
                    groups.map(|e| self.of(e, schema, &input)).collect::<Result<_>>()?;
                self.rows.extend(groups.iter().flatten().cloned());
                let values = aggregate.aggr_expr.iter();
                let values: Vec<Columns> =
                    values.map(|e| self.of(e, schema, &input)).collect::<Result<_>>()?;
                let width = plan.schema().fields().len();
                // Grouping sets have further columns between the groups and the aggregates.
                let groups = match groups.len() + values.len() == width {
                    true => groups,
                    false => {
                        let all: Columns = groups.into_iter().flatten().collect();
                        vec![all; width.saturating_sub(values.len())]
                    }
                };
                Ok(groups.into_iter().chain(values).collect())
            }
            LogicalPlan::Window(window) => {
                let mut input = self.fields(&window.input)?;
                for expr in &window.window_expr {
                    let made = self.of(expr, window.input.schema(), &input)?;
                    input.push(made);
                }
                Ok(input)
            }
            LogicalPlan::Join(join) => self.joined(join, plan.schema().fields().len()),
            LogicalPlan::Union(union) => {
                let mut all = vec![Columns::new(); plan.schema().fields().len()];
                for input in &union.inputs {
                    let fields = self.fields(input)?;
                    all.iter_mut().zip(fields).for_each(|(all, one)| all.extend(one));
                }
                Ok(all)
            }
            LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => {
                Ok(vec![Columns::new(); plan.schema().fields().len()])
            }
            LogicalPlan::SubqueryAlias(alias) => self.fields(&alias.input),
            LogicalPlan::Subquery(subquery) => self.fields(&subquery.subquery),
            LogicalPlan::Sort(sort) => self.fields(&sort.input),
            LogicalPlan::Limit(limit) => self.fields(&limit.input),
            other => self.any(other),
        }
    }

    fn scanned(&mut self, scan: &datafusion_expr::TableScan) -> Vec<Columns> {
        let relation = table_of(&scan.source).map(|table| table.relation.path().clone());
        self.relations.extend(relation.clone());
        let fields = scan.projected_schema.fields().iter();
        let origin = |name: &String| {
            let relation = relation.clone()?;
            Some(ColumnOrigin { relation, column: name.clone() })
        };
        fields.map(|field| origin(field.name()).into_iter().collect()).collect()
    }

    fn joined(&mut self, join: &datafusion_expr::Join, width: usize) -> Result<Vec<Columns>> {
        let (left, right) = (self.fields(&join.left)?, self.fields(&join.right)?);
        for (one, other) in &join.on {
            let one = self.of(one, join.left.schema(), &left)?;
            let other = self.of(other, join.right.schema(), &right)?;
            self.rows.extend(one.into_iter().chain(other));
        }
        let both = join.left.schema().join(join.right.schema());
        let all: Vec<Columns> = left.iter().chain(&right).cloned().collect();
        if let (Some(filter), Ok(both)) = (&join.filter, both) {
            let chosen = self.of(filter, &both, &all)?;
            self.rows.extend(chosen);
        }
        let mut fields = match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right,
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left,
            _ => all,
        };
        // A mark says whether there is a partner.
        fields.resize(width, Columns::new());
        Ok(fields)
    }

    /// A node that is known by its columns and expressions only: what it passes on keeps its name,
    /// what it adds is made of what its expressions name.
    fn any(&mut self, plan: &LogicalPlan) -> Result<Vec<Columns>> {
        let mut inputs = Vec::new();
        for input in plan.inputs() {
            inputs.push((input.schema(), self.fields(input)?));
        }
        let mut named = Columns::new();
        for expr in plan.expressions() {
            for (schema, fields) in &inputs {
                let made = self.of(&expr, schema, fields)?;
                named.extend(made);
            }
        }
        self.rows.extend(named.iter().cloned());
        let passed = |qualifier, name: &str| {
            inputs.iter().find_map(|(schema, fields)| {
                let at = schema.index_of_column_by_name(qualifier, name)?;
                fields.get(at).cloned()
            })
        };
        let fields = plan.schema().iter();
        let made = |name: Option<Columns>| name.unwrap_or_else(|| named.clone());
        Ok(fields.map(|(qualifier, field)| made(passed(qualifier, field.name()))).collect())
    }

    /// What an expression over a plan's columns is made of. A column that is not the plan's is one
    /// of another input, or of the query around.
    fn of(&mut self, expr: &Expr, schema: &DFSchema, fields: &[Columns]) -> Result<Columns> {
        let mut made = Columns::new();
        expr.apply(|inner| {
            match inner {
                Expr::Column(column) => {
                    let at = schema.index_of_column(column).ok();
                    made.extend(at.and_then(|at| fields.get(at)).into_iter().flatten().cloned());
                }
                Expr::ScalarSubquery(subquery) => {
                    let answered = self.fields(&subquery.subquery)?;
                    made.extend(answered.into_iter().flatten());
                }
                Expr::Exists(exists) => {
                    let asked = self.fields(&exists.subquery.subquery)?;
                    self.rows.extend(asked.into_iter().flatten());
                }
                Expr::InSubquery(within) => {
                    let asked = self.fields(&within.subquery.subquery)?;
                    self.rows.extend(asked.into_iter().flatten());
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(made)
    }
}
