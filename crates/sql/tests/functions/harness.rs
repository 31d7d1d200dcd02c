//! A small harness for tests: plans `SELECT <expression>`, evaluates it over one row and
//! answers the text that a printed result would show.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DFSchema, Result, TableReference, plan_err};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion_optimizer::analyzer::AnalyzerRule;
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_physical_expr::create_physical_expr;
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast::{self, DataType as SqlType, ExactNumberInfo, TimezoneInfo};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::Parser;

use rialto_sql::functions::cast::TYPE_METADATA_KEY;
use rialto_sql::functions::{FunctionRegistry, SessionSettings, StepClock, format_field_value};
use rialto_sql::semantics::{FlinkExprPlanner, apply};

#[derive(Debug)]
struct Context {
    functions: FunctionRegistry,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql: &SqlType) -> Result<Option<FieldRef>> {
        let declared = |t: DataType, text: String| {
            let meta = [(TYPE_METADATA_KEY.to_string(), text)].into();
            Some(Arc::new(Field::new("", t, true).with_metadata(meta)))
        };
        let plain = |t: DataType| Some(Arc::new(Field::new("", t, true)));
        let unit = |p: u64| match p {
            0..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ => TimeUnit::Nanosecond,
        };
        Ok(match sql {
            SqlType::String(_) => plain(DataType::Utf8),
            SqlType::Bytes(_) => plain(DataType::Binary),
            SqlType::Char(Some(_)) | SqlType::Varchar(Some(_)) => {
                declared(DataType::Utf8, sql.to_string())
            }
            SqlType::Timestamp(p, TimezoneInfo::None) => {
                let p = p.unwrap_or(6);
                let t = DataType::Timestamp(unit(p), None);
                if [3, 6, 9].contains(&p) {
                    plain(t)
                } else {
                    declared(t, format!("TIMESTAMP({p})"))
                }
            }
            SqlType::Custom(name, args) if name.to_string() == "TIMESTAMP_LTZ" => {
                let p = args.first().and_then(|a| a.parse().ok()).unwrap_or(6);
                plain(DataType::Timestamp(unit(p), Some("UTC".into())))
            }
            SqlType::Time(_, _) => plain(DataType::Time32(TimeUnit::Millisecond)),
            SqlType::Float(_) => plain(DataType::Float32),
            SqlType::Decimal(ExactNumberInfo::None) => plain(DataType::Decimal128(10, 0)),
            _ => None,
        })
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("no table {name}")
    }
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar(name)
    }
    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }
    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window(name)
    }
    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }
    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }
    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(Types))
    }
    fn options(&self) -> &ConfigOptions {
        &self.options
    }
    fn udf_names(&self) -> Vec<String> {
        self.functions.scalar_names()
    }
    fn higher_order_function_names(&self) -> Vec<String> {
        vec![]
    }
    fn udaf_names(&self) -> Vec<String> {
        self.functions.aggregate_names()
    }
    fn udwf_names(&self) -> Vec<String> {
        self.functions.window_names()
    }
}

/// The session of the tests: UTC, 2024-03-05 06:07:08.009.
pub fn utc() -> SessionSettings {
    SessionSettings { clock: StepClock::at(1_709_618_828_009), ..SessionSettings::default() }
}

/// Plans a query through semantics and type coercion.
pub fn plan(sql: &str, settings: &SessionSettings) -> Result<LogicalPlan> {
    let context = Context {
        functions: FunctionRegistry::new(settings),
        planners: vec![Arc::new(FlinkExprPlanner::new(settings))],
        options: ConfigOptions::default(),
    };
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_enable_ident_normalization(false);
    let statements = Parser::parse_sql(&GenericDialect {}, sql)
        .map_err(|e| datafusion_common::DataFusionError::External(Box::new(e)))?;
    let mut statement = statements
        .into_iter()
        .next()
        .ok_or_else(|| datafusion_common::DataFusionError::Plan("no statement".to_string()))?;
    prepare(&mut statement);
    let plan = SqlToRel::new_with_options(&context, options).sql_statement_to_plan(statement)?;
    let plan = apply(plan, settings)?;
    TypeCoercion::new().analyze(plan, &context.options)
}

/// What the real parser does with literals and units.
fn prepare(statement: &mut ast::Statement) {
    let _ = ast::visit_expressions_mut(statement, |expr| {
        match expr {
            ast::Expr::TypedString(t) => {
                if let SqlType::Timestamp(p @ None, TimezoneInfo::None) = &mut t.data_type {
                    let text = t.value.to_string();
                    let digits = text.split_once('.').map_or(0, |(_, f)| f.len() - 1);
                    *p = Some(digits as u64);
                }
            }
            ast::Expr::Value(v) => {
                if let ast::Value::Number(n, _) = &v.value {
                    if n.contains(['e', 'E']) {
                        let text = format!("CAST('{n}' AS DOUBLE)");
                        *expr = expression(&text);
                    }
                }
            }
            ast::Expr::Floor { .. } | ast::Expr::Ceil { .. } => {
                let text = expr.to_string();
                if let Some((call, unit)) = text.rsplit_once(" TO ") {
                    *expr = expression(&format!("{call}, '{}')", unit.trim_end_matches(')')));
                }
            }
            ast::Expr::Function(f) if f.name.to_string().starts_with("TIMESTAMP") => {
                let text = expr.to_string();
                if let Some((head, rest)) = text.split_once('(') {
                    if let Some((unit, rest)) = rest.split_once(',') {
                        let unit = unit.trim_matches('\'');
                        *expr = expression(&format!("{head}('{unit}',{rest}"));
                    }
                }
            }
            _ => {}
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
}

fn expression(text: &str) -> ast::Expr {
    match Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut p| p.parse_expr()) {
        Ok(e) => e,
        Err(e) => panic!("{text}: {e}"),
    }
}

/// The text of the expression's value and the name of its type.
pub fn try_eval(expr: &str, settings: &SessionSettings) -> Result<(String, String)> {
    let plan = plan(&format!("SELECT {expr}"), settings)?;
    let LogicalPlan::Projection(projection) = &plan else {
        return plan_err!("not a projection: {plan}");
    };
    let schema = DFSchema::empty();
    let physical = create_physical_expr(
        &projection.expr[0],
        &schema,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
    let array = physical.evaluate(&batch)?.into_array(1)?;
    let field = plan.schema().field(0);
    assert_eq!(field.data_type(), array.data_type(), "planned and real type of {expr}");
    assert!(field.is_nullable() || !array.is_null(0), "{expr} was planned as NOT NULL");
    let declared = field.metadata().get(TYPE_METADATA_KEY).map(String::as_str);
    let text = format_field_value(&array, 0, declared, settings);
    Ok((text, rialto_sql::functions::typing::type_name(field.data_type())))
}

/// Checks `(expression, text)` cases in UTC.
#[track_caller]
pub fn check(cases: &[(&str, &str)]) {
    check_in(&utc(), cases);
}

/// Checks `(expression, text)` cases in a session.
#[track_caller]
pub fn check_in(settings: &SessionSettings, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expr, expected) in cases {
        match try_eval(expr, settings) {
            Ok((text, _)) if text == *expected => {}
            Ok((text, _)) => wrong.push(format!("{expr}\n     is {text}\n not is {expected}")),
            Err(e) => wrong.push(format!("{expr}\n  fails {}", e.strip_backtrace())),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Checks `(expression, type)` cases.
#[track_caller]
pub fn check_types(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (expr, expected) in cases {
        match try_eval(expr, &utc()) {
            Ok((_, t)) if t == *expected => {}
            Ok((_, t)) => wrong.push(format!("{expr} has type {t}, not {expected}")),
            Err(e) => wrong.push(format!("{expr} fails {}", e.strip_backtrace())),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Checks that expressions fail with a message that holds the text.
#[track_caller]
pub fn check_errors(cases: &[(&str, &str)]) {
    for (expr, expected) in cases {
        match try_eval(expr, &utc()) {
            Ok((text, _)) => panic!("{expr} should fail, but is {text}"),
            Err(e) => {
                let e = e.strip_backtrace();
                assert!(e.contains(expected), "{expr} fails with: {e}, not with: {expected}");
            }
        }
    }
}

/// Evaluates projections, filters and `VALUES`: enough for queries about expressions.
pub fn run(plan: &LogicalPlan) -> Result<RecordBatch> {
    match plan {
        LogicalPlan::EmptyRelation(_) => {
            let options = RecordBatchOptions::new().with_row_count(Some(1));
            Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?)
        }
        LogicalPlan::Values(values) => {
            let mut rows = Vec::new();
            for row in &values.values {
                rows.push(project(row, &one_row()?, &DFSchema::empty())?);
            }
            let columns = (0..values.schema.fields().len())
                .map(|i| {
                    let parts: Vec<&dyn arrow::array::Array> =
                        rows.iter().map(|r| r[i].as_ref()).collect();
                    Ok(arrow::compute::concat(&parts)?)
                })
                .collect::<Result<Vec<_>>>()?;
            batch_of(plan, columns, rows.len())
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let input = run(&alias.input)?;
            let rows = input.num_rows();
            batch_of(plan, input.columns().to_vec(), rows)
        }
        LogicalPlan::Projection(p) => {
            let input = run(&p.input)?;
            let columns = project(&p.expr, &input, p.input.schema())?;
            batch_of(plan, columns, input.num_rows())
        }
        LogicalPlan::Filter(f) => {
            let input = run(&f.input)?;
            let mask = project(std::slice::from_ref(&f.predicate), &input, f.input.schema())?;
            let mask = arrow::array::AsArray::as_boolean(mask[0].as_ref());
            Ok(arrow::compute::filter_record_batch(&input, mask)?)
        }
        other => plan_err!("the test harness does not run {}", other.display()),
    }
}

fn one_row() -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?)
}

fn batch_of(
    plan: &LogicalPlan,
    columns: Vec<arrow::array::ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let fields: Vec<FieldRef> = plan
        .schema()
        .fields()
        .iter()
        .map(|f| Arc::new(f.as_ref().clone().with_nullable(true)))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn project(
    exprs: &[datafusion_expr::Expr],
    input: &RecordBatch,
    schema: &DFSchema,
) -> Result<Vec<arrow::array::ArrayRef>> {
    let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    exprs
        .iter()
        .map(|e| {
            let physical = create_physical_expr(e, schema, &props, &context)?;
            physical.evaluate(input)?.into_array(input.num_rows())
        })
        .collect()
}
