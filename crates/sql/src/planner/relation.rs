//! Table factors that DataFusion does not plan: window table functions, versions, arrays, hints.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Column, DFSchema, Result, ScalarValue, TableReference, plan_err};
use datafusion_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion_expr::{Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder};
use rialto_engine::LocalZone;
use rialto_engine::operator::window_assign::Windows;
use sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Spanned, TableFactor,
    TableVersion,
};

use crate::catalog::Relation;
use crate::error::{Span, SqlError};
use crate::functions::SessionSettings;

use super::context::{TableRef, external, table_of};
use super::nodes::{UnnestLeaf, WindowKind, WindowNode};
use super::temporal::VersionNode;
use super::using;

/// Plans Flink's own table factors.
#[derive(Debug)]
pub(super) struct FlinkRelationPlanner {
    /// What the types of expressions depend on.
    pub settings: SessionSettings,
}

impl RelationPlanner for FlinkRelationPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let planned = |plan, alias| {
            Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
        };
        match relation {
            TableFactor::TableFunction { expr: ast::Expr::Function(function), alias } => {
                let FunctionArguments::List(list) = function.args else {
                    return plan_err!("table function {} needs arguments", function.name);
                };
                planned(self.table_function(&function.name, list.args, context)?, alias)
            }
            TableFactor::Function { name, args, alias, .. } => {
                planned(self.table_function(&name, args, context)?, alias)
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                planned(self.table_function(&name, args.args, context)?, alias)
            }
            TableFactor::Table { name, alias, with_hints, version, .. }
                if version.is_some() || !with_hints.is_empty() =>
            {
                let plan = hinted_table(&name, &with_hints, context)?;
                let plan = match version {
                    Some(version) => version_of(plan, version)?,
                    None => plan,
                };
                planned(plan, alias)
            }
            TableFactor::UNNEST { alias, mut array_exprs, with_ordinality, .. } => {
                let (Some(array), true) = (array_exprs.pop(), array_exprs.is_empty()) else {
                    return plan_err!("UNNEST takes one collection");
                };
                let collection = context.sql_expr_to_logical_expr(array, &DFSchema::empty())?;
                planned(unnest_leaf(collection, with_ordinality)?, alias)
            }
            TableFactor::MatchRecognize { .. } => {
                let (plan, alias) = super::pattern::plan(relation, context, &self.settings)?;
                planned(plan, alias)
            }
            TableFactor::NestedJoin { table_with_joins, alias }
                if using::ends_in_using(&table_with_joins) =>
            {
                planned(using::plan(*table_with_joins, context)?, alias)
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

impl FlinkRelationPlanner {
    fn table_function(
        &self,
        name: &ObjectName,
        args: Vec<FunctionArg>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let lengths: &[&str] = match name.to_string().to_ascii_uppercase().as_str() {
            "TUMBLE" => &["SIZE", "OFFSET"],
            "HOP" => &["SLIDE", "SIZE", "OFFSET"],
            "CUMULATE" => &["STEP", "SIZE", "OFFSET"],
            "SESSION" => &["GAP"],
            "UNNEST" => return plan_err!("UNNEST takes one collection"),
            other => {
                return plan_err!(
                    "no table function is called {other}; there are TUMBLE, HOP, CUMULATE and \
                     SESSION"
                );
            }
        };
        window(name, lengths, args, LocalZone::new(self.settings.time_zone), context)
    }
}

/// The arguments of a window function: the table, the descriptor, then lengths.
fn window(
    name: &ObjectName,
    lengths: &[&str],
    args: Vec<FunctionArg>,
    zone: LocalZone,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let mut order = vec!["DATA", "TIMECOL"];
    order.extend(lengths);
    let mut slots: Vec<Option<ast::Expr>> = vec![None; order.len()];
    for (at, arg) in args.into_iter().enumerate() {
        let (at, expr) = argument(&order, at, arg)?;
        if at >= slots.len() {
            return plan_err!(
                "{name} takes at most {} arguments: {}",
                slots.len(),
                order.join(", ")
            );
        }
        slots[at] = Some(expr);
    }
    let mut slots = order.iter().zip(slots);
    let mut next = || -> Result<ast::Expr> {
        match slots.next() {
            Some((_, Some(expr))) => Ok(expr),
            Some((missing, None)) => plan_err!("{name} needs the argument {missing}"),
            None => plan_err!("{name} has too few arguments"),
        }
    };
    let (input, partition) = table_argument(next()?, context)?;
    let time = descriptor(next()?, &input)?;
    let mut values = Vec::new();
    for (at, length) in lengths.iter().enumerate() {
        if *length == "OFFSET" && at + 1 == lengths.len() {
            values.push(next().ok().map_or(Ok(0), |e| millis(e, length, context))?);
        } else {
            values.push(millis(next()?, length, context)?);
        }
    }
    let kind = match (lengths[0], values.as_slice()) {
        ("SIZE", &[size, offset]) => WindowKind::Aligned(Windows::Tumble { size, offset }),
        ("SLIDE", &[slide, size, offset]) => {
            WindowKind::Aligned(Windows::Hop { slide, size, offset })
        }
        ("STEP", &[step, size, offset]) => {
            WindowKind::Aligned(Windows::Cumulate { step, size, offset })
        }
        (_, &[gap, ..]) if gap > 0 => WindowKind::Session { gap },
        _ => return plan_err!("the gap of a SESSION window must be positive"),
    };
    if let WindowKind::Aligned(windows) = kind
        && let Err(error) = windows.validate()
    {
        return plan_err!("{error}");
    }
    let partition = partition
        .into_iter()
        .map(|p| context.sql_to_expr(p, input.schema()))
        .collect::<Result<Vec<_>>>()?;
    Ok(WindowNode::try_new(input, time, partition, kind, zone)?.into_plan())
}

/// The position and value of an argument, by name or by place.
fn argument(order: &[&str], at: usize, arg: FunctionArg) -> Result<(usize, ast::Expr)> {
    let (at, value) = match arg {
        FunctionArg::Named { name, arg, .. } => {
            let wanted = name.value.to_ascii_uppercase();
            match order.iter().position(|n| *n == wanted) {
                Some(at) => (at, arg),
                None => {
                    return plan_err!(
                        "no argument is called {wanted}; there are {}",
                        order.join(", ")
                    );
                }
            }
        }
        FunctionArg::Unnamed(arg) => (at, arg),
        FunctionArg::ExprNamed { .. } => return plan_err!("an argument's name must be a word"),
    };
    match value {
        FunctionArgExpr::Expr(expr) => Ok((at, expr)),
        other => plan_err!("{other} cannot be an argument of a table function"),
    }
}

/// `TABLE t [PARTITION BY …]` or a subquery: the rows, and the partition columns.
fn table_argument(
    expr: ast::Expr,
    context: &mut dyn RelationPlannerContext,
) -> Result<(LogicalPlan, Vec<ast::Expr>)> {
    match expr {
        ast::Expr::Function(function) if function.name.to_string() == "$TABLE" => {
            let FunctionArguments::List(list) = function.args else {
                return plan_err!("TABLE needs the name of a table");
            };
            let mut exprs = Vec::new();
            for arg in list.args {
                match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => exprs.push(expr),
                    other => return plan_err!("{other} is not the name of a table"),
                }
            }
            if exprs.is_empty() {
                return plan_err!("TABLE needs the name of a table");
            }
            let table = exprs.remove(0);
            let plan = match table {
                ast::Expr::Subquery(query) => context.plan(derived(query))?,
                table => context.plan(table_factor(name_parts(&table)?))?,
            };
            Ok((plan, exprs))
        }
        ast::Expr::Subquery(query) => Ok((context.plan(derived(query))?, Vec::new())),
        other => plan_err!("the first argument of a window must be TABLE name, not {other}"),
    }
}

fn derived(subquery: Box<ast::Query>) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery, alias: None, sample: None }
}

fn table_factor(parts: Vec<ast::Ident>) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(parts),
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

fn name_parts(expr: &ast::Expr) -> Result<Vec<ast::Ident>> {
    match expr {
        ast::Expr::Identifier(ident) => Ok(vec![ident.clone()]),
        ast::Expr::CompoundIdentifier(parts) => Ok(parts.clone()),
        other => plan_err!("{other} is not a name"),
    }
}

/// `DESCRIPTOR(column)`.
fn descriptor(expr: ast::Expr, input: &LogicalPlan) -> Result<Expr> {
    if let ast::Expr::Function(function) = &expr
        && function.name.to_string().eq_ignore_ascii_case("DESCRIPTOR")
        && let FunctionArguments::List(list) = &function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(column))] = list.args.as_slice()
    {
        let parts = name_parts(column)?;
        let name = parts.last().map_or("", |p| p.value.as_str());
        let found = input.schema().iter().filter(|(_, f)| f.name() == name).collect::<Vec<_>>();
        return match found.as_slice() {
            [(qualifier, field)] => Ok(Expr::Column(Column::new(qualifier.cloned(), field.name()))),
            [] => plan_err!("there is no column `{name}` to make windows of"),
            _ => plan_err!("the column `{name}` is ambiguous"),
        };
    }
    plan_err!("expected DESCRIPTOR(column), found {expr}")
}

/// A constant interval in milliseconds.
pub(super) fn millis(
    expr: ast::Expr,
    what: &str,
    context: &mut dyn RelationPlannerContext,
) -> Result<i64> {
    let text = expr.to_string();
    let value = context.sql_to_expr(expr, &DFSchema::empty())?;
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) = value else {
        return plan_err!(
            "{what} must be a constant interval such as INTERVAL '10' SECOND, not {text}"
        );
    };
    if interval.months != 0 {
        return plan_err!("{what} must not count months, which differ in length: {text}");
    }
    Ok(i64::from(interval.days) * 86_400_000 + interval.nanoseconds / 1_000_000)
}

/// `t FOR SYSTEM_TIME AS OF time`: the time is a column of the other side, or `PROCTIME()`.
fn version_of(input: LogicalPlan, version: TableVersion) -> Result<LogicalPlan> {
    let expr = match version {
        TableVersion::ForSystemTimeAsOf(expr) => expr,
        other => return plan_err!("{other} is not supported; use FOR SYSTEM_TIME AS OF"),
    };
    let place = Span::from_sqlparser(expr.span());
    let as_of = match &expr {
        ast::Expr::Identifier(name) => Some(Column::new_unqualified(&name.value)),
        ast::Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
            let table = TableReference::bare(parts[0].value.as_str());
            Some(Column::new(Some(table), &parts[1].value))
        }
        ast::Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("PROCTIME") => None,
        other => {
            let message =
                format!("FOR SYSTEM_TIME AS OF takes a time column of the left side, not {other}");
            return Err(external(SqlError::new(message).with_span(place)));
        }
    };
    Ok(VersionNode { input, as_of, place }.into_plan())
}

/// A table whose options are overridden by a hint.
fn hinted_table(
    name: &ObjectName,
    hints: &[ast::Expr],
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let reference = context.object_name_to_table_reference(name.clone())?;
    let source = context.context_provider().get_table_source(reference.clone());
    let source = source.map_err(|error| {
        let error = SqlError::from(error);
        let place = error.span.or_else(|| Span::from_sqlparser(name.span()));
        external(error.with_span(place))
    })?;
    let options = hints.iter().map(hint_options).collect::<Result<Vec<_>>>()?.concat();
    let source = match table_of(&source) {
        Some(TableRef { relation: Relation::Table(table), schema }) if !options.is_empty() => {
            let mut table = table.clone();
            for (key, value) in options {
                table.options.set(key, value, None);
            }
            let relation = Relation::Table(table);
            Arc::new(TableRef { relation, schema: Arc::clone(schema) })
        }
        _ if !options.is_empty() => {
            return plan_err!("OPTIONS applies to tables, and '{name}' is a view");
        }
        _ => source,
    };
    LogicalPlanBuilder::scan(reference, source, None)?.build()
}

fn hint_options(hint: &ast::Expr) -> Result<Vec<(String, String)>> {
    let ast::Expr::Function(function) = hint else {
        return plan_err!("the hint {hint} is not known");
    };
    let FunctionArguments::List(list) = &function.args else {
        return Ok(Vec::new());
    };
    let mut texts = Vec::new();
    for arg in &list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Value(value))) => {
                match value.clone().into_string() {
                    Some(text) => texts.push(text),
                    None => return plan_err!("a hint's options are strings, not {value}"),
                }
            }
            other => return plan_err!("a hint's options are strings, not {other}"),
        }
    }
    let (pairs, _) = texts.as_chunks::<2>();
    Ok(pairs.iter().map(|[k, v]| (k.clone(), v.clone())).collect())
}

/// The columns that an element of a collection becomes.
fn unnest_leaf(collection: Expr, ordinality: bool) -> Result<LogicalPlan> {
    let data_type = match &collection {
        Expr::OuterReferenceColumn(field, _) => field.data_type().clone(),
        other => other.get_type(&DFSchema::empty())?,
    };
    let mut fields: Vec<FieldRef> = match &data_type {
        DataType::List(item) | DataType::LargeList(item) => match item.data_type() {
            DataType::Struct(fields) => fields.to_vec(),
            other => vec![Arc::new(Field::new("EXPR$0", other.clone(), true))],
        },
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                let names = ["KEY", "VALUE"];
                let named = fields.iter().zip(names).map(|(f, n)| f.as_ref().clone().with_name(n));
                named.map(|f| Arc::new(f.with_nullable(true))).collect()
            }
            other => return plan_err!("a map of {other} cannot be unnested"),
        },
        other => return plan_err!("UNNEST takes an array, a map or a multiset, not {other}"),
    };
    fields.iter_mut().for_each(|f| *f = Arc::new(f.as_ref().clone().with_nullable(true)));
    if ordinality {
        fields.push(Arc::new(Field::new("ORDINALITY", DataType::Int32, true)));
    }
    let fields = fields.into_iter().map(|f| (None, f)).collect();
    let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
    let node = UnnestLeaf { collection, ordinality, schema };
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}
