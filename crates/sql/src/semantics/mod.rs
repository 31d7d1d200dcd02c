//! Flink's meaning of expressions, over DataFusion's logical plan.
//!
//! [`FlinkExprPlanner`] is asked while SQL becomes a plan; [`apply`] then walks the finished
//! plan, before DataFusion's own type coercion, and gives every expression Flink's types and
//! results. The names of output columns stay.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DFSchemaRef, Result, plan_err};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Join, Projection, Union, Values};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, LogicalPlan};

use crate::functions::SessionSettings;
use crate::functions::typing::{common_type, type_name};

mod compare;
mod expr_planner;
mod rewrite;
mod type_of;

pub use expr_planner::FlinkExprPlanner;
use rewrite::Rewriter;

/// Gives the plan's expressions Flink's types and results; output names stay.
pub fn apply(plan: LogicalPlan, settings: &SessionSettings) -> Result<LogicalPlan> {
    Semantics { settings }.plan(plan, &[])
}

/// Gives one expression over a schema Flink's types and results, e.g. a computed column.
pub fn apply_to_expr(expr: Expr, schema: &DFSchema, settings: &SessionSettings) -> Result<Expr> {
    let semantics = Semantics { settings };
    Rewriter { semantics: &semantics, schema, outer: &[] }.expr(expr)
}

/// The walk over a plan.
pub(crate) struct Semantics<'a> {
    pub settings: &'a SessionSettings,
}

impl Semantics<'_> {
    /// Rewrites a plan; `outer` are the schemas that a correlated subquery may refer to.
    pub(crate) fn plan(&self, plan: LogicalPlan, outer: &[DFSchemaRef]) -> Result<LogicalPlan> {
        let plan = plan.map_children(|p| self.plan(p, outer).map(Transformed::yes))?.data;
        match plan {
            LogicalPlan::Values(values) => self.values(values, outer),
            LogicalPlan::Limit(_) | LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => Ok(plan),
            LogicalPlan::Union(union) => self.union(union),
            plan => self.expressions(plan, outer),
        }
    }

    fn expressions(&self, plan: LogicalPlan, outer: &[DFSchemaRef]) -> Result<LogicalPlan> {
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&DFSchema::try_from_qualified_schema(
                scan.table_name.clone(),
                &scan.source.schema(),
            )?);
        }
        let names = NamePreserver::new(&plan);
        let rewriter = Rewriter { semantics: self, schema: &schema, outer };
        let plan = plan
            .map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(Transformed::yes(name.restore(rewriter.expr(expr)?)))
            })?
            .data;
        let plan = match plan {
            LogicalPlan::Join(join) => self.join(join)?,
            plan => plan,
        };
        plan.recompute_schema()
    }

    fn join(&self, mut join: Join) -> Result<LogicalPlan> {
        let mut on = Vec::with_capacity(join.on.len());
        for (left, right) in join.on {
            on.push(compare::equal_sides(
                left,
                join.left.schema(),
                right,
                join.right.schema(),
                self.settings,
            )?);
        }
        join.on = on;
        Ok(LogicalPlan::Join(join))
    }

    /// Columns of `VALUES` take the common type of their rows.
    fn values(&self, mut values: Values, outer: &[DFSchemaRef]) -> Result<LogicalPlan> {
        let empty = DFSchema::empty();
        rewrite::without_inferred_casts(&mut values.values, &values.schema)?;
        let rewriter = Rewriter { semantics: self, schema: &empty, outer };
        let mut rows = Vec::with_capacity(values.values.len());
        for row in values.values {
            let row = row.into_iter().map(|e| rewriter.expr(e)).collect::<Result<Vec<_>>>()?;
            rows.push(row);
        }
        let mut fields = Vec::new();
        for (i, (qualifier, field)) in values.schema.iter().enumerate() {
            let mut types = Vec::with_capacity(rows.len());
            let mut nullable = false;
            for row in &rows {
                use datafusion_expr::ExprSchemable;
                types.push(row[i].get_type(&empty)?);
                nullable |= row[i].nullable(&empty)?;
            }
            let Some(common) = common_type(&types) else {
                let types: Vec<String> = types.iter().map(type_name).collect();
                return plan_err!(
                    "The rows of VALUES have no common type in column {}: {}",
                    i + 1,
                    types.join(", ")
                );
            };
            for row in &mut rows {
                let cell = std::mem::replace(&mut row[i], Expr::default());
                row[i] = rewrite::cast_to(cell, &common, &empty, self.settings)?;
            }
            let field = field.as_ref().clone().with_data_type(common).with_nullable(nullable);
            fields.push((qualifier.cloned(), Arc::new(field)));
        }
        let metadata = values.schema.metadata().clone();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, metadata)?);
        Ok(LogicalPlan::Values(Values { schema, values: rows }))
    }

    /// All inputs of a union take the common types, under the first input's names.
    fn union(&self, union: Union) -> Result<LogicalPlan> {
        let Some(first) = union.inputs.first().map(|p| Arc::clone(p.schema())) else {
            return Ok(LogicalPlan::Union(union));
        };
        let mut targets = Vec::with_capacity(first.fields().len());
        for i in 0..first.fields().len() {
            let types: Vec<_> = union
                .inputs
                .iter()
                .filter_map(|p| p.schema().fields().get(i).map(|f| f.data_type().clone()))
                .collect();
            match common_type(&types) {
                Some(t) if types.len() == union.inputs.len() => targets.push(t),
                _ => {
                    let types: Vec<String> = types.iter().map(type_name).collect();
                    return plan_err!(
                        "The inputs of a set operation have no common type in column {} ({}): {}",
                        i + 1,
                        first.field(i).name(),
                        types.join(", ")
                    );
                }
            }
        }
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for input in union.inputs {
            inputs.push(self.cast_columns(input, &targets)?);
        }
        Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
    }

    fn cast_columns(
        &self,
        input: Arc<LogicalPlan>,
        targets: &[arrow::datatypes::DataType],
    ) -> Result<Arc<LogicalPlan>> {
        let schema = Arc::clone(input.schema());
        if schema.fields().iter().zip(targets).all(|(f, t)| f.data_type() == t) {
            return Ok(input);
        }
        let mut exprs = Vec::with_capacity(targets.len());
        for ((qualifier, field), target) in schema.iter().zip(targets) {
            let column = Expr::from((qualifier, field));
            let cast = rewrite::cast_to(column.clone(), target, &schema, self.settings)?;
            exprs.push(if cast == column {
                cast
            } else {
                cast.alias_qualified(qualifier.cloned(), field.name())
            });
        }
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, input)?)))
    }
}
