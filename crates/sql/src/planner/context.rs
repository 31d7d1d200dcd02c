//! What DataFusion's SQL planner may ask of the session.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DFSchema, DFSchemaRef, DataFusionError, Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource,
    TableType, WindowUDF,
};
use datafusion_sql::planner::SqlToRel;
use sqlparser::ast::{self, Statement};

use crate::catalog::{Relation, TableDef, ViewDef};
use crate::error::SqlError;
use crate::functions::FunctionRegistry;
use crate::functions::cast::FlinkCast;
use crate::parser::{QualifiedName, Use};
use crate::semantics::FlinkExprPlanner;
use crate::types::FlinkType;

use super::bound::Reads;
use super::relation::FlinkRelationPlanner;
use super::{Session, dialect, group_window, parser_options, row_star};

/// Views may be defined over views; more than this is taken for a circle.
const VIEW_DEPTH_MAX: usize = 64;

/// A table or materialized view as a leaf of a logical plan.
#[derive(Debug)]
pub struct TableRef {
    /// What it is.
    pub relation: Relation,
    /// Its columns.
    pub schema: SchemaRef,
}

impl TableSource for TableRef {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }
}

/// The table that a scan reads.
pub fn table_of(source: &Arc<dyn TableSource>) -> Option<&TableRef> {
    let any: &dyn std::any::Any = source.as_ref();
    any.downcast_ref::<TableRef>()
}

/// An ordinary view: its plan takes its place.
#[derive(Debug)]
struct ViewRef {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl TableSource for ViewRef {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

/// The columns of a table whose types are known.
pub(super) fn declared_schema(table: &TableDef) -> crate::error::Result<DFSchema> {
    let schema = table_schema(table);
    let name = TableReference::bare(table.path.object.clone());
    Ok(DFSchema::try_from_qualified_schema(name, &schema)?)
}

/// The columns of a table; computed columns without a type yet are left out.
pub(super) fn table_schema(table: &TableDef) -> Schema {
    let with_type = |c: &crate::catalog::ColumnDef| {
        let data_type = c.data_type.as_ref()?;
        Some(data_type.to_field(&c.name))
    };
    Schema::new(table.columns.iter().filter_map(with_type).collect::<Vec<_>>())
}

/// The session, as DataFusion asks for it.
#[derive(Debug)]
pub(super) struct Context<'a> {
    session: &'a Session,
    depth: usize,
    /// What has been looked up, also by the views that were.
    reads: RefCell<Reads>,
    /// Whether every view is a leaf, also one that stands for its query.
    names_views: bool,
    functions: FunctionRegistry,
    options: ConfigOptions,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
}

impl<'a> Context<'a> {
    pub fn new(session: &'a Session, depth: usize) -> Self {
        let mut options = ConfigOptions::default();
        options.sql_parser.enable_ident_normalization = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.parse_float_as_decimal = true;
        Self {
            session,
            depth,
            reads: RefCell::default(),
            names_views: false,
            functions: FunctionRegistry::new(&session.settings),
            options,
            expr_planners: vec![Arc::new(FlinkExprPlanner::new(&session.settings))],
            relation_planners: vec![Arc::new(FlinkRelationPlanner {
                settings: session.settings.clone(),
            })],
        }
    }

    /// Brings a query into the form that DataFusion's planner takes.
    pub fn prepare(&self, query: &mut ast::Query) -> crate::error::Result<()> {
        row_star::expand(query, &mut |from| self.columns_of(from));
        dialect::prepare_query(query)
    }

    /// The columns of a query that may not even be one.
    fn columns_of(&self, mut query: ast::Query) -> Option<DFSchemaRef> {
        dialect::prepare_query(&mut query).ok()?;
        let planner = SqlToRel::new_with_options(self, parser_options());
        let plan = planner.sql_statement_to_plan(Statement::Query(Box::new(query))).ok()?;
        Some(Arc::clone(plan.schema()))
    }

    fn view(&self, view: &ViewDef) -> Result<Arc<dyn TableSource>> {
        let plan = self.view_plan(view)?;
        let schema = Arc::new(plan.schema().as_arrow().clone());
        if self.names_views || self.session.is_shared(view) {
            let relation = Relation::View(Box::new(view.clone()));
            return Ok(Arc::new(TableRef { relation, schema }));
        }
        Ok(Arc::new(ViewRef { plan, schema }))
    }

    /// The function that a cast in a query has become (see `dialect`).
    fn cast(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let (kind, to) = [dialect::CAST, dialect::TRY_CAST, dialect::VALUE_CAST]
            .iter()
            .find_map(|kind| Some((*kind, name.strip_prefix(kind)?)))?;
        let mut field = FlinkType::parse(to).ok()?.to_field("");
        if kind == dialect::VALUE_CAST {
            field = field.with_metadata(HashMap::new());
        }
        let lenient = kind == dialect::TRY_CAST;
        let cast = FlinkCast::new(Arc::new(field), lenient, self.session.settings.clone());
        Some(Arc::new(ScalarUDF::new_from_impl(cast)))
    }

    /// The plan of a view's query under the view's column names.
    pub fn view_plan(&self, view: &ViewDef) -> Result<LogicalPlan> {
        if self.depth > VIEW_DEPTH_MAX {
            return plan_err!("view '{}' is defined over itself", view.path.object);
        }
        let (plan, reads) = match self.session.bound.get(self.session, view) {
            Some(bound) => bound,
            None => {
                let (plan, reads) = self.bind_view(view, false)?;
                self.session.bound.put(self.session, view, &plan, &reads);
                (plan, reads)
            }
        };
        self.reads.borrow_mut().extend(&reads);
        Ok(plan)
    }

    /// What has been looked up, also by the views that were.
    pub fn into_reads(self) -> Reads {
        self.reads.into_inner()
    }

    /// The plan of a view's query in which every view that it reads is a leaf.
    pub fn view_plan_over_views(&self, view: &ViewDef) -> Result<LogicalPlan> {
        self.bind_view(view, true).map(|(plan, _)| plan)
    }

    fn bind_view(&self, view: &ViewDef, names_views: bool) -> Result<(LogicalPlan, Reads)> {
        // A view's names are looked up where it was created.
        let mut session = self.session.clone();
        session.bound = self.session.bound.share();
        let (catalog, database) = view.home.clone();
        let home = QualifiedName { parts: vec![catalog, database], span: None };
        session.catalog.use_place(&Use::Database(home)).map_err(external)?;
        let mut context = Context::new(&session, self.depth + 1);
        context.names_views = names_views;
        let mut ast = view.query.query.clone();
        context.prepare(&mut ast).map_err(external)?;
        let planner = SqlToRel::new_with_options(&context, parser_options());
        let plan = planner.sql_statement_to_plan(Statement::Query(ast))?;
        let plan = super::rewrite::finish(plan, &session.settings)?;
        Ok((rename(plan, view)?, context.into_reads()))
    }
}

/// The view's own column names, where it has some.
fn rename(plan: LogicalPlan, view: &ViewDef) -> Result<LogicalPlan> {
    if view.columns.is_empty() {
        return Ok(plan);
    }
    let columns = plan.schema().columns();
    if columns.len() != view.columns.len() {
        return plan_err!(
            "view '{}' names {} columns, but its query has {}",
            view.path.object,
            view.columns.len(),
            columns.len()
        );
    }
    let named = columns.into_iter().zip(&view.columns);
    let exprs = named.map(|(c, v)| datafusion_expr::Expr::Column(c).alias(&v.name));
    LogicalPlanBuilder::from(plan).project(exprs.collect::<Vec<_>>())?.build()
}

/// The parts of a reference as the user wrote them.
pub(super) fn qualified_name(name: &TableReference) -> QualifiedName {
    let parts = [name.catalog(), name.schema(), Some(name.table())];
    let parts = parts.into_iter().flatten().map(str::to_owned).collect();
    QualifiedName { parts, span: None }
}

/// One of our errors on its way through DataFusion.
pub(super) fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let catalog = &self.session.catalog;
        let relation = catalog.relation(&qualified_name(&name)).map_err(external)?;
        if let Some(declared) = catalog.declared_at(relation.path()) {
            self.reads.borrow_mut().add(declared);
        }
        match relation {
            Relation::View(view) => self.view(view),
            Relation::Table(table) => {
                let schema = Arc::new(table_schema(table));
                Ok(Arc::new(TableRef { relation: relation.clone(), schema }))
            }
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(FlinkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.cast(name)
            .or_else(|| self.functions.scalar(name))
            .or_else(|| group_window::function(name))
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.scalar_names()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.functions.aggregate_names()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.functions.window_names()
    }
}

/// Flink's type names in casts.
#[derive(Debug)]
struct FlinkTypes;

impl TypePlanner for FlinkTypes {
    fn plan_type_field(
        &self,
        sql_type: &sqlparser::ast::DataType,
    ) -> Result<Option<arrow::datatypes::FieldRef>> {
        let flink = FlinkType::from_sql_type(sql_type).map_err(external)?;
        Ok(Some(Arc::new(flink.to_field(""))))
    }
}
