//! Top-N: a condition that bounds a rank, `ORDER BY … LIMIT`.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::logical_plan::{Filter, Window};
use datafusion_expr::{Expr, LogicalPlan, Operator, SortExpr, WindowFunctionDefinition};
use datafusion_physical_expr::expressions::lit;
use rialto_engine::LocalZone;
use rialto_engine::expr::Expression;
use rialto_engine::operator::first_row::FirstRowSpec;
use rialto_engine::operator::top_n::{RankFunction, Ties, TopNSpec};
use rialto_engine::operator::{Emission, SortColumn};

use crate::error::Result;

use super::{Lowering, Plan, column_of, exchange};
use crate::step::{Role, StepNode, StepPlan, Traits};

/// The ranks that a condition lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RankBounds {
    first: u64,
    last: Option<u64>,
}

impl Lowering {
    /// `WHERE rank <= n` directly over one rank function: keeps the first rows only.
    pub(super) fn top_n(&self, filter: &Filter) -> Result<Option<Plan>> {
        let Some((window, rank_column, map)) = ranked(&filter.input) else { return Ok(None) };
        let [expr] = window.window_expr.as_slice() else { return Ok(None) };
        let Some((function, call)) = rank_function(expr) else { return Ok(None) };
        let mut bounds = RankBounds { first: 1, last: None };
        let mut rest = Vec::new();
        for part in datafusion_expr::utils::split_conjunction(&filter.predicate) {
            if !bound(part, filter.input.schema(), rank_column, &mut bounds) {
                rest.push(part.clone());
            }
        }
        let Some(last) = bounds.last else { return Ok(None) };
        let plan = self.ranked_rows(window, call, function, (bounds.first, Some(last)))?;
        let plan = match map {
            Some(projection) => self.project(
                plan,
                &projection.expr,
                window_schema(projection),
                projection.schema.as_arrow(),
            )?,
            None => plan,
        };
        match datafusion_expr::utils::conjunction(rest) {
            Some(rest) => Ok(Some(self.keep(plan, &rest, filter.input.schema())?)),
            None => Ok(Some(plan)),
        }
    }

    pub(super) fn ranked_rows(
        &self,
        window: &Window,
        call: &WindowFunction,
        function: RankFunction,
        (first, last): (u64, Option<u64>),
    ) -> Result<Plan> {
        let input = self.lower(&window.input)?;
        let schema = window.input.schema();
        let width = input.schema.fields().len();
        let (input, partition) = self.append(input, &call.params.partition_by, schema)?;
        let orders: Vec<Expr> = call.params.order_by.iter().map(|s| s.expr.clone()).collect();
        let (input, order) = self.append(input, &orders, schema)?;
        let order = sort_columns(&order, &call.params.order_by);
        let rank = window.schema.field(window.schema.fields().len() - 1).name().clone();
        let ttl_ms = self.ttl.of(&window.input)?;
        let keys = (partition, order);
        let plan = self.top_n_plan(input, function, keys, (first, last), Some(rank), ttl_ms);
        // Computed keys stand between the input's columns and the rank: take them out.
        let columns: Vec<usize> = (0..width).chain([plan.schema.fields().len() - 1]).collect();
        if columns.len() == plan.schema.fields().len() {
            return Ok(plan);
        }
        Ok(select(plan, columns))
    }

    /// `ORDER BY … LIMIT n`, or a bare `LIMIT`: the first rows of all.
    pub(super) fn first_rows(
        &self,
        input: &LogicalPlan,
        order: &[SortExpr],
        skip: u64,
        fetch: Option<u64>,
    ) -> Result<Plan> {
        let lowered = self.lower(input)?;
        let width = lowered.schema.fields().len();
        let exprs: Vec<Expr> = order.iter().map(|s| s.expr.clone()).collect();
        let (lowered, at) = self.append(lowered, &exprs, input.schema())?;
        let order = sort_columns(&at, order);
        let last = fetch.map(|n| skip.saturating_add(n));
        let function = RankFunction::RowNumber;
        // The first rows of all are no key's: they stay.
        let plan =
            self.top_n_plan(lowered, function, (Vec::new(), order), (skip + 1, last), None, None);
        if plan.schema.fields().len() == width {
            return Ok(plan);
        }
        Ok(select(plan, (0..width).collect()))
    }

    fn top_n_plan(
        &self,
        input: Plan,
        function: RankFunction,
        (partition, order): (Vec<usize>, Vec<SortColumn>),
        (first, last): (u64, Option<u64>),
        rank_output: Option<String>,
        ttl_ms: Option<i64>,
    ) -> Plan {
        let input = exchange(input, &partition);
        let ascending =
            |s: &SortColumn| !s.options.descending && input.traits.roles[s.column].is_event_time();
        // Without a key it is `ORDER BY time LIMIT 1`, which takes late rows too.
        let is_first = function == RankFunction::RowNumber
            && (first, last) == (1, Some(1))
            && !partition.is_empty();
        if let ([one], true) = (order.as_slice(), is_first && input.traits.insert_only)
            && ascending(one)
            && super::window_end(&input.traits, &partition).is_none()
        {
            return self.first_row(input, partition, one.column, rank_output);
        }
        let window = super::window_end(&input.traits, &partition);
        let window_end = window.map(|(at, _)| partition[at]);
        let emission = if window_end.is_some() { self.emission } else { Emission::Updates };
        // Flink keeps the last of two rows of one time where it deduplicates by a descending time.
        let by_time =
            |s: &SortColumn| s.options.descending && input.traits.roles[s.column].is_event_time();
        let ties = match order.as_slice() {
            [one] if by_time(one) && last == Some(1) => Ties::LastArrival,
            _ => Ties::FirstArrival,
        };
        let spec = TopNSpec {
            function,
            partition: partition.clone(),
            order,
            first,
            last,
            rank_output,
            input_insert_only: input.traits.insert_only,
            ties,
            window_end,
            zone: window.map_or(LocalZone::UTC, |(_, zone)| zone),
            emission,
            ttl_ms,
        };
        let mut fields = input.schema.fields().to_vec();
        // A row comes back however old it is, once those before it are gone.
        let mut roles = match window_end {
            _ if spec.is_output_insert_only() => input.traits.roles.clone(),
            Some(_) => super::window_roles(&input.traits.roles),
            None => vec![Role::None; input.traits.roles.len()],
        };
        if let Some(name) = &spec.rank_output {
            let data_type = arrow::datatypes::DataType::Int64;
            fields.push(Arc::new(arrow::datatypes::Field::new(name, data_type, true)));
            roles.push(Role::None);
        }
        let single = last == Some(1) && function == RankFunction::RowNumber;
        let key = match (single, &spec.rank_output) {
            (true, _) => Some(partition.clone()),
            (false, Some(_)) if function == RankFunction::RowNumber => {
                let mut key = partition.clone();
                key.push(fields.len() - 1);
                Some(key)
            }
            _ => input.traits.key.clone(),
        };
        let traits = Traits {
            insert_only: spec.is_output_insert_only(),
            key,
            window: input.traits.window,
            roles,
            partitioning: input.traits.partitioning.clone(),
            restates: false,
        };
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let node = StepNode::TopN(Box::new(spec));
        Arc::new(StepPlan { node, inputs: vec![input], schema, traits })
    }
}

impl Lowering {
    /// The first row of each key by event time, with its rank, which is 1, if that is asked for.
    fn first_row(
        &self,
        input: Plan,
        partition: Vec<usize>,
        time: usize,
        rank_output: Option<String>,
    ) -> Plan {
        let schema = Arc::clone(&input.schema);
        let traits = Traits {
            insert_only: self.emission == Emission::Final,
            key: Some(partition.clone()),
            window: input.traits.window,
            roles: input.traits.roles.clone(),
            partitioning: input.traits.partitioning.clone(),
            restates: false,
        };
        let node = StepNode::FirstRow(FirstRowSpec { partition, time, emission: self.emission });
        let plan = StepPlan { node, inputs: vec![input], schema, traits: traits.clone() };
        match rank_output {
            Some(name) => with_rank_of_one(Arc::new(plan), &name),
            None => Arc::new(plan),
        }
    }
}

/// The rows with the number 1 behind them.
pub(super) fn with_rank_of_one(input: Plan, name: &str) -> Plan {
    let mut fields = input.schema.fields().to_vec();
    fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
    let columns = (0..input.schema.fields().len()).map(|c| super::column(&input.schema, c));
    let one: Expression = lit(1_i64);
    let projection = Some(columns.chain([one]).collect());
    let mut traits = input.traits.clone();
    traits.roles.push(Role::None);
    let node = StepNode::FilterProject { condition: None, projection };
    let schema = Arc::new(Schema::new(fields));
    Arc::new(StepPlan { node, inputs: vec![input], schema, traits })
}

fn window_schema(
    projection: &datafusion_expr::logical_plan::Projection,
) -> &datafusion_common::DFSchema {
    projection.input.schema()
}

pub(super) fn select(input: Plan, columns: Vec<usize>) -> Plan {
    let fields: Vec<_> = columns.iter().map(|&c| Arc::clone(&input.schema.fields()[c])).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let kept: Vec<Option<usize>> = columns.iter().copied().map(Some).collect();
    let traits = super::project_traits(&input.traits, &kept);
    Arc::new(StepPlan { node: StepNode::Select(columns), inputs: vec![input], schema, traits })
}

pub(super) fn sort_columns(columns: &[usize], order: &[SortExpr]) -> Vec<SortColumn> {
    let pairs = columns.iter().zip(order);
    pairs
        .map(|(&column, s)| SortColumn {
            column,
            options: SortOptions { descending: !s.asc, nulls_first: s.nulls_first },
        })
        .collect()
}

type Ranked<'a> = (&'a Window, usize, Option<&'a datafusion_expr::logical_plan::Projection>);

/// The window node below a filter, the position of its result in the filter's input, and the
/// projection between the two.
fn ranked(plan: &LogicalPlan) -> Option<Ranked<'_>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => ranked(&alias.input),
        LogicalPlan::Window(window) => Some((window, window.schema.fields().len() - 1, None)),
        LogicalPlan::Projection(projection) => {
            let mut below = projection.input.as_ref();
            while let LogicalPlan::SubqueryAlias(alias) = below {
                below = &alias.input;
            }
            let LogicalPlan::Window(window) = below else { return None };
            let rank = window.schema.fields().len() - 1;
            let position = |e: &Expr| column_of(e, projection.input.schema()) == Some(rank);
            let at = projection.expr.iter().position(position)?;
            Some((window, at, Some(projection)))
        }
        _ => None,
    }
}

pub(super) fn rank_function(expr: &Expr) -> Option<(RankFunction, &WindowFunction)> {
    match expr {
        Expr::Alias(alias) => rank_function(&alias.expr),
        Expr::WindowFunction(call) => {
            let WindowFunctionDefinition::WindowUDF(function) = &call.fun else { return None };
            let function = match function.name().to_ascii_lowercase().as_str() {
                "row_number" => RankFunction::RowNumber,
                "rank" => RankFunction::Rank,
                "dense_rank" => RankFunction::DenseRank,
                _ => return None,
            };
            Some((function, call))
        }
        _ => None,
    }
}

/// Takes a condition on the rank into the bounds; false if it is about something else.
fn bound(
    expr: &Expr,
    schema: &datafusion_common::DFSchema,
    rank: usize,
    bounds: &mut RankBounds,
) -> bool {
    match expr {
        Expr::Between(between) if !between.negated => {
            let low = integer(&between.low);
            let high = integer(&between.high);
            match (column_at(&between.expr, schema) == Some(rank), low, high) {
                (true, Some(low), Some(high)) => {
                    limit(bounds, Operator::GtEq, low) && limit(bounds, Operator::LtEq, high)
                }
                _ => false,
            }
        }
        Expr::BinaryExpr(binary) => {
            if column_at(&binary.left, schema) == Some(rank) {
                integer(&binary.right).is_some_and(|n| limit(bounds, binary.op, n))
            } else if column_at(&binary.right, schema) == Some(rank) {
                let swapped = binary.op.swap();
                match (integer(&binary.left), swapped) {
                    (Some(n), Some(op)) => limit(bounds, op, n),
                    _ => false,
                }
            } else {
                false
            }
        }
        _ => false,
    }
}

/// A column under casts that keep its order.
fn column_at(expr: &Expr, schema: &datafusion_common::DFSchema) -> Option<usize> {
    match expr {
        Expr::Cast(cast) => column_at(&cast.expr, schema),
        other => column_of(other, schema),
    }
}

fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Cast(cast) => integer(&cast.expr),
        Expr::Literal(value, _) if !value.is_null() => {
            match value.cast_to(&arrow::datatypes::DataType::Int64) {
                Ok(ScalarValue::Int64(Some(n))) => Some(n),
                _ => None,
            }
        }
        _ => None,
    }
}

fn limit(bounds: &mut RankBounds, op: Operator, n: i64) -> bool {
    let at = |n: i64| n.max(0) as u64;
    let mut last = |n: u64| bounds.last = Some(bounds.last.map_or(n, |l| l.min(n)));
    match op {
        Operator::LtEq => last(at(n)),
        Operator::Lt => last(at(n.saturating_sub(1))),
        Operator::Eq => {
            last(at(n));
            bounds.first = bounds.first.max(at(n));
        }
        Operator::GtEq => bounds.first = bounds.first.max(at(n)),
        Operator::Gt => bounds.first = bounds.first.max(at(n.saturating_add(1))),
        _ => return false,
    }
    true
}
