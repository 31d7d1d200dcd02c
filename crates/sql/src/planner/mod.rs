//! From a query to a plan that can be run.
//!
//! [`Planner`] binds a parsed query to the catalog and answers DataFusion's logical plan with
//! Flink's meaning ([`crate::semantics`]), optimised by a chosen list of rules. Time, windows,
//! versions and patterns, which DataFusion does not know, are nodes of our own ([`nodes`]).

mod bound;
mod context;
mod correlated;
mod dialect;
mod group_window;
mod lateral;
mod membership;
mod membership_value;
pub mod nodes;
mod optimize;
mod origins;
pub mod pattern;
mod relation;
mod rewrite;
mod row_in;
mod row_star;
mod select_names;
mod set_all;
pub mod temporal;
mod unnest;
mod using;

use std::collections::BTreeMap;

use datafusion_common::DFSchema;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use sqlparser::ast::Statement;

use crate::catalog::{Catalog, ColumnKind, ObjectPath, Relation, TableDef, ViewDef};
use crate::error::{Result, SqlError};
use crate::functions::SessionSettings;
use crate::parser::{ExprText, QueryText};
use crate::semantics;
use crate::types::FlinkType;

pub use bound::{BoundViews, Reads};
pub use context::{TableRef, table_of};
pub use origins::{ColumnOrigin, Columns, Origins};

/// What a session has declared and set.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Tables, views, functions and models.
    pub catalog: Catalog,
    /// Time zone and clock.
    pub settings: SessionSettings,
    /// The keys that `SET` has set.
    pub config: BTreeMap<String, String>,
    /// Views that have been bound.
    pub bound: BoundViews,
}

impl Session {
    /// What a setting begins with that says of a view that it is computed once, with all its
    /// columns, for everything that reads it: `rialto.share.NAME`.
    pub const SHARE: &str = "rialto.share.";

    /// Whether a view is a step of its own that its readers share. Others become part of each query
    /// that names them, with the columns that it needs.
    pub fn is_shared(&self, view: &ViewDef) -> bool {
        let set = |name: &str| self.config.get(&format!("{}{name}", Self::SHARE));
        view.materialized || set(&view.path.object).is_some_and(|value| value == "true")
    }

    /// The settings of shared views.
    fn shares(&self) -> Vec<(String, String)> {
        let shares = self.config.iter().filter(|(key, _)| key.starts_with(Self::SHARE));
        shares.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// Binds queries to a session.
#[derive(Debug)]
pub struct Planner<'a> {
    session: &'a Session,
}

impl<'a> Planner<'a> {
    /// A planner for what the session knows now.
    pub fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// The optimised logical plan of a query.
    pub fn plan(&self, query: &QueryText) -> Result<LogicalPlan> {
        let bound = self.bind(query).map_err(|e| locate(e, query))?;
        optimize::optimize(bound).map_err(|e| locate(e.into(), query))
    }

    /// The logical plan as the query says it, with Flink's types, not optimised. This is what the
    /// batch referee runs.
    pub fn bind(&self, query: &QueryText) -> Result<LogicalPlan> {
        let mut ast = query.query.clone();
        let context = context::Context::new(self.session, 0);
        context.prepare(&mut ast)?;
        let planner = SqlToRel::new_with_options(&context, parser_options());
        let plan = planner.sql_statement_to_plan(Statement::Query(ast))?;
        Ok(rewrite::finish(plan, &self.session.settings)?)
    }

    /// The columns of a query.
    pub fn columns(&self, query: &QueryText) -> Result<Vec<(String, FlinkType)>> {
        let plan = self.bind(query).map_err(|e| locate(e, query))?;
        let fields = plan.schema().fields();
        fields.iter().map(|f| Ok((f.name().clone(), FlinkType::from_field(f)?))).collect()
    }

    /// An expression over the columns of `schema`: a computed column, a watermark.
    pub fn expression(&self, text: &ExprText, schema: &DFSchema) -> Result<Expr> {
        let bind = || -> Result<Expr> {
            let context = context::Context::new(self.session, 0);
            let planner = SqlToRel::new_with_options(&context, parser_options());
            let mut ast = text.expr.clone();
            dialect::prepare_expr(&mut ast)?;
            let expr = planner.sql_to_expr(ast, schema, &mut PlannerContext::new())?;
            let expr = semantics::apply_to_expr(expr, schema, &self.session.settings)?;
            Ok(optimize::coerce(expr, schema)?)
        };
        bind().map_err(|e| if e.span.is_some() { e } else { e.with_span(text.span) })
    }

    /// Finds the types of a table's computed columns, in the order of their declaration.
    pub fn resolve_table(&self, table: &mut TableDef) -> Result<()> {
        for at in 0..table.columns.len() {
            if let ColumnKind::Computed(text) = &table.columns[at].kind
                && table.columns[at].data_type.is_none()
            {
                let schema = context::declared_schema(table)?;
                let expr = self.expression(text, &schema)?;
                let (_, field) = datafusion_expr::ExprSchemable::to_field(&expr, &schema)?;
                table.columns[at].data_type = Some(FlinkType::from_field(&field)?);
            }
        }
        if let Some(watermark) = &table.watermark {
            let schema = context::declared_schema(table)?;
            self.expression(&watermark.expression, &schema)?;
        }
        Ok(())
    }
}

fn parser_options() -> ParserOptions {
    ParserOptions {
        parse_float_as_decimal: true,
        enable_ident_normalization: false,
        support_varchar_with_length: true,
        enable_options_value_normalization: false,
        collect_spans: true,
        map_string_types_to_utf8view: false,
        // Flink holds null for the lowest value: first when ascending.
        default_null_ordering: datafusion_sql::planner::NullOrdering::NullsMin,
    }
}

fn locate(error: SqlError, query: &QueryText) -> SqlError {
    if error.span.is_some() { error } else { error.with_span(query.span) }
}

impl Planner<'_> {
    /// The value of a configuration key.
    pub(crate) fn config(&self, key: &str) -> Option<&str> {
        self.session.config.get(key).map(String::as_str)
    }

    /// A computed column over what a table's connector reads. A computed column that refers to
    /// another takes its expression in.
    pub(crate) fn computed(
        &self,
        table: &TableDef,
        text: &ExprText,
        read: &DFSchema,
    ) -> Result<Expr> {
        use datafusion_common::tree_node::{Transformed, TreeNode};
        let declared = context::declared_schema(table)?;
        let expr = self.expression(text, &declared)?;
        let mut failed = None;
        let inlined = expr.transform_up(|e| {
            let Expr::Column(column) = &e else { return Ok(Transformed::no(e)) };
            let computed = table.column(&column.name).map(|c| &c.kind);
            match computed {
                Some(ColumnKind::Computed(inner)) => match self.computed(table, inner, read) {
                    Ok(inner) => Ok(Transformed::yes(inner)),
                    Err(error) => {
                        failed = Some(error);
                        Ok(Transformed::no(e))
                    }
                },
                _ => Ok(Transformed::no(e)),
            }
        })?;
        failed.map_or(Ok(inlined.data), Err)
    }
}

impl Planner<'_> {
    /// The columns of a view, under its own names.
    pub fn columns_of_view(
        &self,
        view: &crate::catalog::ViewDef,
    ) -> Result<Vec<(String, FlinkType)>> {
        let plan = context::Context::new(self.session, 0).view_plan(view)?;
        let fields = plan.schema().fields();
        fields.iter().map(|f| Ok((f.name().clone(), FlinkType::from_field(f)?))).collect()
    }

    /// The optimised logical plan of a view's query under the view's column names.
    pub fn plan_view(&self, view: &crate::catalog::ViewDef) -> Result<LogicalPlan> {
        let context = context::Context::new(self.session, 0);
        let plan = context.view_plan(view)?;
        optimize::optimize(plan).map_err(|e| locate(e.into(), &view.query))
    }

    /// The declarations that a view's plan is made of, its own among them. As long as they are
    /// those of the catalog, the plan is the same.
    pub fn reads(&self, view: &ViewDef) -> Result<Reads> {
        let context = context::Context::new(self.session, 0);
        context.view_plan(view)?;
        let mut reads = context.into_reads();
        self.session.catalog.declared_at(&view.path).map(|own| reads.add(own));
        Ok(reads)
    }

    /// The views that a view reads and that are steps of their own.
    pub fn views_below(&self, view: &ViewDef) -> Result<Vec<ObjectPath>> {
        let plan = context::Context::new(self.session, 0).view_plan(view)?;
        let mut found = Vec::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(Relation::View(view)) = table_of(&scan.source).map(|t| &t.relation)
            {
                found.push(view.path.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    }

    /// The optimised logical plan of what an insert writes: a column for each of the sink's, in
    /// its type.
    pub fn plan_insert(
        &self,
        insert: &crate::parser::Insert,
        table: &TableDef,
        sink: &arrow::datatypes::SchemaRef,
    ) -> Result<LogicalPlan> {
        let plan = self.bind(&insert.source).map_err(|e| locate(e, &insert.source))?;
        let position = |name: &String| {
            sink.index_of(name).map_err(|_| {
                SqlError::new(format!("table '{}' has no column '{name}'", table.path.object))
                    .with_span(insert.span)
            })
        };
        let mut fixed = BTreeMap::new();
        for (name, value) in &insert.partition {
            let at = position(name)?;
            if !table.partitioned_by.contains(name) {
                return Err(SqlError::new(format!("'{name}' is not a partition column"))
                    .with_span(insert.span)
                    .with_hint("PARTITION gives values to columns of the table's PARTITIONED BY"));
            }
            let value = self.expression(value, &DFSchema::empty())?;
            fixed.insert(at, cast_to(value, &sink.fields()[at]));
        }
        let targets: Vec<usize> = if insert.columns.is_empty() {
            (0..sink.fields().len()).filter(|at| !fixed.contains_key(at)).collect()
        } else {
            insert.columns.iter().map(position).collect::<Result<_>>()?
        };
        let columns = plan.schema().columns();
        if columns.len() != targets.len() {
            return Err(SqlError::new(format!(
                "the query has {} columns, the table '{}' takes {}",
                columns.len(),
                table.path.object,
                targets.len()
            ))
            .with_detail(format!(
                "query: {}; sink: {}",
                names(plan.schema().field_names()),
                names(sink.fields().iter().map(|f| f.name().clone()).collect())
            ))
            .with_span(insert.span));
        }
        let mut exprs = Vec::with_capacity(sink.fields().len());
        for (at, field) in sink.fields().iter().enumerate() {
            let from = targets.iter().position(|&t| t == at);
            let expr = match from {
                None if fixed.contains_key(&at) => fixed[&at].clone(),
                Some(from) if plan.schema().field(from).data_type() == field.data_type() => {
                    Expr::Column(columns[from].clone())
                }
                Some(from) => cast_to(Expr::Column(columns[from].clone()), field),
                None => cast_to(Expr::Literal(datafusion_common::ScalarValue::Null, None), field),
            };
            exprs.push(expr.alias(field.name()));
        }
        let written = datafusion_expr::LogicalPlanBuilder::from(plan).project(exprs)?.build()?;
        let written = semantics::apply(written, &self.session.settings)?;
        optimize::optimize(written).map_err(|e| locate(e.into(), &insert.source))
    }
}

fn names(names: Vec<String>) -> String {
    format!("[{}]", names.join(", "))
}

fn cast_to(expr: Expr, field: &arrow::datatypes::FieldRef) -> Expr {
    Expr::Cast(datafusion_expr::Cast::new_from_field(Box::new(expr), field.clone()))
}
