//! Grouping: keys, arguments and filters become columns, rows of a group meet in one shard.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::GroupingSet;
use datafusion_expr::logical_plan::Aggregate;
use datafusion_expr::{Expr, ExprSchemable};
use rialto_engine::operator::Emission;
use rialto_engine::operator::aggregate::{
    AggregateCall, AggregateFunction, AggregateSpec, WindowRetention,
};

use crate::error::{Result, SqlError};

use super::{Lowering, Plan, exchange, loose, union_all, window_end};
use crate::step::{Role, StepNode, StepPlan, Traits};

/// A call whose arguments and filter are still expressions.
struct Call {
    function: AggregateFunction,
    arguments: Vec<Expr>,
    filter: Option<Expr>,
    distinct: bool,
}

impl Lowering {
    pub(super) fn aggregate(&self, aggregate: &Aggregate) -> Result<Plan> {
        let calls = aggregate.aggr_expr.iter().map(call_of).collect::<Result<Vec<_>>>()?;
        let input = self.lower(&aggregate.input)?;
        let schema = aggregate.input.schema();
        let mut columns = Columns::default();
        let (input, keys) = match aggregate.group_expr.as_slice() {
            [Expr::GroupingSet(sets)] => {
                let sets = expand(sets);
                let arguments = collect_arguments(&calls, &mut columns);
                (self.grouping_sets(input, aggregate, sets, &arguments)?, None)
            }
            keys => {
                let keys: Vec<usize> = keys.iter().map(|k| columns.add(k)).collect();
                collect_arguments(&calls, &mut columns);
                let to = columns.schema(schema)?;
                (self.project(input, &columns.exprs, schema, &to)?, Some(keys))
            }
        };
        let width = keys.as_ref().map_or(aggregate.schema.fields().len() - calls.len(), Vec::len);
        // With grouping sets, the keys and the grouping id stand before the arguments.
        let offset = if keys.is_some() { 0 } else { width };
        let keys = keys.unwrap_or_else(|| (0..width).collect());
        let output = loose(aggregate.schema.as_arrow());
        let calls: Vec<AggregateCall> = calls
            .iter()
            .enumerate()
            .map(|(i, call)| AggregateCall {
                function: call.function,
                arguments: call.arguments.iter().map(|a| offset + columns.add(a)).collect(),
                filter: call.filter.as_ref().map(|f| offset + columns.add(f)),
                distinct: call.distinct && !matters_not(call.function),
                output: Arc::clone(&output.fields()[width + i]),
            })
            .collect();
        let ttl_ms = self.ttl.of(&aggregate.input)?;
        Ok(self.grouped(input, keys, calls, output, ttl_ms))
    }

    fn grouped(
        &self,
        input: Plan,
        keys: Vec<usize>,
        calls: Vec<AggregateCall>,
        output: arrow::datatypes::SchemaRef,
        ttl_ms: Option<i64>,
    ) -> Plan {
        let (input, keys, calls) =
            super::slices::sliced(&input, &keys, &calls).unwrap_or((input, keys, calls));
        let window = window_end(&input.traits, &keys)
            .map(|(end_key, zone)| WindowRetention { end_key, zone });
        let emission = if window.is_some() { self.emission } else { Emission::Updates };
        let mut roles: Vec<Role> = keys.iter().map(|&k| input.traits.roles[k]).collect();
        roles.resize(output.fields().len(), Role::None);
        let insert_only_distinct = calls.is_empty() && input.traits.insert_only && window.is_none();
        let input = exchange(input, &keys);
        let at = |column: usize| keys.iter().position(|&key| key == column);
        let traits = Traits {
            insert_only: emission == Emission::Final || insert_only_distinct,
            key: Some((0..keys.len()).collect()),
            window: input.traits.window.and_then(|(s, e)| Some((at(s)?, at(e)?))),
            roles,
            partitioning: super::partitioning_among(&input, &keys),
            restates: false,
        };
        let spec = AggregateSpec {
            input: Arc::clone(&input.schema),
            keys,
            calls,
            output: Arc::clone(&output),
            input_insert_only: input.traits.insert_only,
            window,
            emission,
            ttl_ms,
        };
        let node = StepNode::Aggregate(Box::new(spec));
        Arc::new(StepPlan { node, inputs: vec![input], schema: output, traits })
    }

    /// Every row once for each grouping set: the keys that the set leaves out are null, and a
    /// number says which set it is.
    fn grouping_sets(
        &self,
        input: Plan,
        aggregate: &Aggregate,
        sets: Vec<Vec<Expr>>,
        arguments: &[Expr],
    ) -> Result<Plan> {
        let schema = aggregate.input.schema();
        let width = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
        let keys = distinct_keys(&sets);
        if keys.len() + 1 != width {
            return Err(SqlError::new("GROUPING SETS with a shape that is not understood"));
        }
        let id_type = aggregate.schema.field(keys.len()).data_type().clone();
        let mut fields: Vec<Field> = (0..width)
            .map(|i| aggregate.schema.field(i).as_ref().clone().with_nullable(true))
            .collect();
        for (i, argument) in arguments.iter().enumerate() {
            let data_type = argument.get_type(schema.as_ref())?;
            fields.push(Field::new(format!("$arg{i}"), data_type, true));
        }
        let to = Schema::new(fields);
        let mut inputs = Vec::with_capacity(sets.len());
        for (nth, set) in sets.iter().enumerate() {
            let mut exprs = Vec::with_capacity(to.fields().len());
            let mut id = 0_u64;
            for (at, key) in keys.iter().enumerate() {
                let absent = !set.contains(key);
                id = id << 1 | u64::from(absent);
                exprs.push(match absent {
                    true => Expr::Literal(ScalarValue::try_from(to.field(at).data_type())?, None),
                    false => key.clone(),
                });
            }
            // A set that is written twice gives its groups twice.
            let twins = sets[..nth].iter().filter(|s| *s == set).count() as u64;
            let id = id | twins << keys.len();
            let id = ScalarValue::UInt64(Some(id)).cast_to(&id_type)?;
            exprs.push(Expr::Literal(id, None));
            exprs.extend(arguments.iter().cloned());
            inputs.push(self.project(Arc::clone(&input), &exprs, schema, &to)?);
        }
        Ok(union_all(inputs, &to))
    }
}

/// `DISTINCT` changes nothing for these.
fn matters_not(function: AggregateFunction) -> bool {
    matches!(function, AggregateFunction::Min | AggregateFunction::Max)
}

/// Expressions that the operator reads, each once.
#[derive(Default)]
struct Columns {
    exprs: Vec<Expr>,
}

impl Columns {
    fn add(&mut self, expr: &Expr) -> usize {
        match self.exprs.iter().position(|e| e == expr) {
            Some(at) => at,
            None => {
                self.exprs.push(expr.clone());
                self.exprs.len() - 1
            }
        }
    }

    fn schema(&self, input: &DFSchema) -> Result<Schema> {
        let fields = self.exprs.iter().map(|e| {
            let (_, field) = e.to_field(input)?;
            Ok(field.as_ref().clone())
        });
        Ok(Schema::new(fields.collect::<Result<Vec<_>>>()?))
    }
}

fn collect_arguments(calls: &[Call], columns: &mut Columns) -> Vec<Expr> {
    let before = columns.exprs.len();
    for call in calls {
        call.arguments.iter().chain(&call.filter).for_each(|e| {
            columns.add(e);
        });
    }
    columns.exprs[before..].to_vec()
}

fn call_of(expr: &Expr) -> Result<Call> {
    let function = match expr {
        Expr::Alias(alias) => return call_of(&alias.expr),
        Expr::AggregateFunction(function) => function,
        other => return Err(SqlError::not_supported(format!("the aggregate {other}"))),
    };
    if !function.params.order_by.is_empty() {
        return Err(SqlError::not_supported("ORDER BY within an aggregate"));
    }
    let name = function.func.name().to_ascii_uppercase();
    let mut arguments = function.params.args.clone();
    let kind = aggregate_function(&name)?;
    // COUNT(*) comes as COUNT(1): a constant that is not null counts every row.
    if kind == AggregateFunction::Count && arguments.iter().all(is_constant) {
        arguments.clear();
    }
    Ok(Call {
        function: kind,
        arguments,
        filter: function.params.filter.as_deref().cloned(),
        distinct: function.params.distinct || name == "APPROX_COUNT_DISTINCT",
    })
}

fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if !value.is_null())
}

/// The engine's function for a SQL name in upper case.
pub(super) fn aggregate_function(name: &str) -> Result<AggregateFunction> {
    use AggregateFunction as F;
    Ok(match name {
        // Exact is a fine approximation.
        "COUNT" | "APPROX_COUNT_DISTINCT" => F::Count,
        "SUM" => F::Sum,
        "$SUM0" | "SUM0" => F::Sum0,
        "AVG" => F::Avg,
        "MIN" => F::Min,
        "MAX" => F::Max,
        "VAR_POP" => F::VarPop,
        "VAR_SAMP" | "VARIANCE" => F::VarSamp,
        "STDDEV_POP" => F::StddevPop,
        "STDDEV_SAMP" | "STDDEV" => F::StddevSamp,
        "FIRST_VALUE" => F::FirstValue,
        "LAST_VALUE" => F::LastValue,
        "SINGLE_VALUE" => F::SingleValue,
        "LISTAGG" => F::ListAgg,
        "ARRAY_AGG" => F::ArrayAgg,
        "COLLECT" => F::Collect,
        "PERCENTILE" => F::Percentile,
        "JSON_ARRAYAGG" => F::JsonArray,
        "JSON_OBJECTAGG" => F::JsonObject,
        other => return Err(SqlError::not_supported(format!("the aggregate function {other}"))),
    })
}

/// Every grouping set spelled out.
fn expand(sets: &GroupingSet) -> Vec<Vec<Expr>> {
    match sets {
        GroupingSet::GroupingSets(sets) => sets.clone(),
        GroupingSet::Rollup(keys) => (0..=keys.len()).rev().map(|n| keys[..n].to_vec()).collect(),
        GroupingSet::Cube(keys) => {
            let subset = |bits: usize| {
                let there = keys.iter().enumerate().filter(move |(i, _)| bits >> i & 1 == 1);
                there.map(|(_, k)| k.clone()).collect()
            };
            (0..1_usize << keys.len().min(16)).rev().map(subset).collect()
        }
    }
}

/// The keys of all sets in the order in which the logical plan lists them.
fn distinct_keys(sets: &[Vec<Expr>]) -> Vec<Expr> {
    let mut keys: Vec<Expr> = Vec::new();
    for key in sets.iter().flatten() {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}
