//! The group windows of old: `GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)`.
//!
//! `TUMBLE`, `HOP` and `SESSION` as keys of a grouping, and `TUMBLE_START`, `_END`, `_ROWTIME` of
//! them, become the window node that the table functions of the same names are, and a grouping by
//! the window's columns. While SQL becomes a plan the window is one key, a call, and
//! `TUMBLE_START(ts, i)` is a call over that key ([`START`]); here both go.

use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::Aggregate;
use datafusion_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use rialto_engine::LocalZone;
use rialto_engine::operator::window_assign::Windows;

use super::nodes::{WindowKind, WindowNode};

/// The start of a window, of its key.
pub(super) const START: &str = "$WINDOW_START";
/// The end.
pub(super) const END: &str = "$WINDOW_END";
/// The time attribute: the last moment of the window.
pub(super) const ROWTIME: &str = "$WINDOW_ROWTIME";

/// The functions that a window has, and the column that each is.
const PARTS: [(&str, &str); 3] =
    [(START, "window_start"), (END, "window_end"), (ROWTIME, "window_time")];
/// The windows.
const WINDOWS: [&str; 3] = ["TUMBLE", "HOP", "SESSION"];

/// The stand-in for a window or a part of it, by its name in upper case.
pub(super) fn function(name: &str) -> Option<Arc<ScalarUDF>> {
    let name = name.to_ascii_uppercase();
    let parts = PARTS.iter().map(|(part, _)| *part);
    let found = WINDOWS.into_iter().chain(parts).find(|n| *n == name)?;
    let signature = Signature::variadic_any(Volatility::Immutable);
    Some(Arc::new(ScalarUDF::new_from_impl(Marker { name: found, signature })))
}

/// A call that is gone before a plan is run.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Marker {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Marker {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Millisecond, None))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("the group window {} was not planned", self.name)
    }
}

fn marker(expr: &Expr) -> Option<(&'static str, &ScalarFunction)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    call.func.inner().downcast_ref::<Marker>().map(|m| (m.name, call))
}

/// Plans the group windows of a query.
pub(super) fn plan_windows(plan: LogicalPlan, zone: LocalZone) -> Result<LogicalPlan> {
    let mut any = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|e| {
            any |= e.exists(|e| Ok(marker(e).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if !any {
        return Ok(plan);
    }
    Ok(plan.transform_up_with_subqueries(|node| node_of(node, zone).map(Transformed::yes))?.data)
}

fn node_of(node: LogicalPlan, zone: LocalZone) -> Result<LogicalPlan> {
    let node = match node {
        LogicalPlan::Aggregate(aggregate) => grouped(aggregate, zone)?,
        other => other,
    };
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|e| part_column(e))?;
        Ok(expr.update_data(|e| name.restore(e)))
    })?;
    let node = node.data.recompute_schema()?;
    for expr in node.expressions() {
        if let Some(name) = first_marker(&expr)? {
            return plan_err!(
                "{name} is a group window: it stands in GROUP BY, and its _START, _END and \
                 _ROWTIME repeat its arguments; elsewhere use TABLE({name}(TABLE t, \
                 DESCRIPTOR(time), …))"
            );
        }
    }
    Ok(node)
}

/// `$WINDOW_START(key)` is a column of the window.
fn part_column(expr: Expr) -> Result<Transformed<Expr>> {
    let Some((name, call)) = marker(&expr) else { return Ok(Transformed::no(expr)) };
    let part = PARTS.iter().find(|(part, _)| *part == name);
    match (part, call.args.as_slice()) {
        (Some((_, column)), [Expr::Column(_)]) => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(*column))))
        }
        _ => Ok(Transformed::no(expr)),
    }
}

/// The name of a window that was not planned.
fn first_marker(expr: &Expr) -> Result<Option<&'static str>> {
    let mut found = None;
    expr.apply(|e| {
        if let Some((name, _)) = marker(e).filter(|(name, _)| WINDOWS.contains(name)) {
            found = Some(name);
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// A grouping with a window among its keys, as a window and a grouping by the window's columns.
fn grouped(aggregate: Aggregate, zone: LocalZone) -> Result<LogicalPlan> {
    let (windows, keys): (Vec<Expr>, Vec<Expr>) =
        aggregate.group_expr.iter().cloned().partition(|e| marker(e).is_some());
    let window = match windows.as_slice() {
        [] => return Ok(LogicalPlan::Aggregate(aggregate)),
        [window] => window,
        _ => return plan_err!("GROUP BY takes one group window, not {}", windows.len()),
    };
    let Some((name, call)) = marker(window) else { return internal_err!("a window is a call") };
    let (time, kind) = arguments(name, &call.args)?;
    let input = Arc::unwrap_or_clone(aggregate.input);
    let (input, partition) = match kind {
        WindowKind::Session { .. } => partitioned(input, &keys)?,
        WindowKind::Aligned(_) => (input, Vec::new()),
    };
    let input = WindowNode::try_new(input, time, partition, kind, zone)?.into_plan();
    let parts = PARTS.iter().map(|(_, c)| Expr::Column(Column::new_unqualified(*c)));
    let group = keys.into_iter().chain(parts).collect();
    let aggregate = Aggregate::try_new(Arc::new(input), group, aggregate.aggr_expr)?;
    Ok(LogicalPlan::Aggregate(aggregate))
}

/// A session's rows belong together where the other keys are equal: keys that are computed become
/// columns.
fn partitioned(input: LogicalPlan, keys: &[Expr]) -> Result<(LogicalPlan, Vec<Expr>)> {
    if keys.iter().all(|k| matches!(k, Expr::Column(_))) {
        return Ok((input, keys.to_vec()));
    }
    let mut exprs: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut partition = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        partition.push(match key {
            Expr::Column(_) => key.clone(),
            computed => {
                let name = format!("$key{at}");
                exprs.push(computed.clone().alias(&name));
                Expr::Column(Column::new_unqualified(name))
            }
        });
    }
    Ok((LogicalPlanBuilder::from(input).project(exprs)?.build()?, partition))
}

/// The time column and the lengths of a window.
fn arguments(name: &str, args: &[Expr]) -> Result<(Expr, WindowKind)> {
    let usage = match name {
        "HOP" => "HOP(time, slide, size)",
        "SESSION" => "SESSION(time, gap)",
        _ => "TUMBLE(time, size)",
    };
    let Some((time @ Expr::Column(_), lengths)) = args.split_first() else {
        return plan_err!("the group window {usage} takes a time column first");
    };
    let lengths = lengths.iter().map(|e| millis(usage, e)).collect::<Result<Vec<_>>>()?;
    let kind = match (name, lengths.as_slice()) {
        ("TUMBLE", &[size]) => WindowKind::Aligned(Windows::Tumble { size, offset: 0 }),
        ("HOP", &[slide, size]) => WindowKind::Aligned(Windows::Hop { slide, size, offset: 0 }),
        ("SESSION", &[gap]) if gap > 0 => WindowKind::Session { gap },
        ("SESSION", &[_]) => return plan_err!("the gap of a SESSION window must be positive"),
        _ => return plan_err!("a group window is written {usage}, without further arguments"),
    };
    if let WindowKind::Aligned(windows) = kind
        && let Err(error) = windows.validate()
    {
        return plan_err!("{error}");
    }
    Ok((time.clone(), kind))
}

fn millis(usage: &str, expr: &Expr) -> Result<i64> {
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _)
            if interval.months == 0 =>
        {
            Ok(i64::from(interval.days) * 86_400_000 + interval.nanoseconds / 1_000_000)
        }
        other => plan_err!(
            "the lengths of {usage} are constant intervals without months, such as INTERVAL '10' \
             SECOND, not {other}"
        ),
    }
}

/// Flink's check of `HOP` table functions that are aggregated over.
pub(super) fn check_hops(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node
            && aggregate.group_expr.iter().any(is_window_end)
            && let Some(WindowKind::Aligned(Windows::Hop { slide, size, .. })) =
                window_below(&aggregate.input)
            && size % slide != 0
        {
            return plan_err!(
                "the size of a HOP window that is aggregated must be a multiple of its slide: \
                 the size is {size} ms and the slide {slide} ms"
            );
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn is_window_end(key: &Expr) -> bool {
    match key {
        Expr::Column(column) => column.name == "window_end",
        Expr::Alias(alias) => is_window_end(&alias.expr),
        Expr::GroupingSet(sets) => sets.distinct_expr().into_iter().any(is_window_end),
        _ => false,
    }
}

/// The window whose columns come through to here unchanged.
fn window_below(plan: &LogicalPlan) -> Option<WindowKind> {
    match plan {
        LogicalPlan::Projection(p) => window_below(&p.input),
        LogicalPlan::Filter(f) => window_below(&f.input),
        LogicalPlan::SubqueryAlias(a) => window_below(&a.input),
        LogicalPlan::Extension(e) => e.node.as_any().downcast_ref::<WindowNode>().map(|w| w.kind),
        _ => None,
    }
}
