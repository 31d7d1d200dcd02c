//! From a logical plan to a step plan.
//!
//! One method a logical node; families that need more room have a file of their own. Each answers a
//! step plan whose columns stand in the order of the logical node's.

mod aggregate;
mod interval;
mod join;
mod over;
mod pattern;
mod query;
mod rank;
mod scan;
mod session;
mod slices;
mod temporal;
mod traced;
mod ttl;
mod unnest;

pub(super) use temporal::column_at;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::logical_plan::{FetchType, Limit, SkipType};
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::{Expr, LogicalPlan, SortExpr};
use datafusion_physical_expr::create_physical_expr;
use rialto_engine::expr::Expression;
use rialto_engine::operator::set_operation::SetRule;
use rialto_engine::operator::{Emission, SortColumn};
use rialto_engine::{LocalZone, Partitioning};

use crate::catalog::ObjectPath;
use crate::error::{Result, SqlError};
use crate::planner::nodes::{SetAllNode, UnnestNode, WindowKind, WindowNode};
use crate::planner::pattern::MatchNode;
use crate::planner::temporal::{TemporalJoinNode, VersionNode};

pub use query::Query;
pub use scan::has_changes;
pub use ttl::StateTtl;

use super::{Order, Role, StepNode, StepPlan, Traits};

/// Lowers logical plans for one job.
#[derive(Debug, Default)]
pub struct Lowering {
    /// When event-time operators give their results.
    pub emission: Emission,
    /// The materialized views that may be read, already lowered.
    pub views: HashMap<ObjectPath, Arc<StepPlan>>,
    /// How long state without another end is kept.
    pub ttl: StateTtl,
    /// What the job does with the query, for errors: `INSERT INTO t`.
    pub statement: Option<String>,
}

type Plan = Arc<StepPlan>;

impl Lowering {
    /// Lowers a node and all below it.
    pub fn lower(&self, plan: &LogicalPlan) -> Result<Plan> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.lower(&alias.input),
            LogicalPlan::Subquery(subquery) => self.lower(&subquery.subquery),
            LogicalPlan::Projection(p) => {
                let input = self.lower(&p.input)?;
                self.project(input, &p.expr, p.input.schema(), plan.schema().as_arrow())
            }
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Window(window) => self.window_functions(window),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.lower(&sort.input),
            LogicalPlan::Sort(sort) => {
                let fetch = sort.fetch.map(|n| n as u64);
                self.first_rows(&sort.input, &sort.expr, 0, fetch)
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Union(union) => {
                let inputs = union.inputs.iter().map(|i| self.lower(i)).collect::<Result<_>>()?;
                Ok(union_all(inputs, plan.schema().as_arrow()))
            }
            LogicalPlan::EmptyRelation(empty) => {
                let schema = loose(empty.schema.as_arrow());
                let rows = usize::from(empty.produce_one_row);
                let nulls = |f: &Arc<Field>| new_null_array(f.data_type(), rows);
                let columns = schema.fields().iter().map(nulls).collect();
                values(schema, columns, rows)
            }
            LogicalPlan::Values(v) => self.values(v),
            LogicalPlan::Extension(extension) => {
                let node = extension.node.as_any();
                if let Some(window) = node.downcast_ref::<WindowNode>() {
                    self.window(window)
                } else if let Some(unnest) = node.downcast_ref::<UnnestNode>() {
                    self.unnest(unnest)
                } else if let Some(found) = node.downcast_ref::<MatchNode>() {
                    self.match_recognize(found)
                } else if let Some(join) = node.downcast_ref::<TemporalJoinNode>() {
                    self.temporal_join(join)
                } else if let Some(version) = node.downcast_ref::<VersionNode>() {
                    Err(SqlError::new("FOR SYSTEM_TIME AS OF stands only on the right of a join")
                        .with_span(version.place)
                        .with_hint("write: probe JOIN t FOR SYSTEM_TIME AS OF probe.time ON …"))
                } else if let Some(set) = node.downcast_ref::<SetAllNode>() {
                    self.set_all(set)
                } else {
                    Err(not_supported(plan))
                }
            }
            other => Err(not_supported(other)),
        }
    }

    /// `INTERSECT ALL`, `EXCEPT ALL`: equal rows meet in one shard and are counted.
    fn set_all(&self, set: &SetAllNode) -> Result<Plan> {
        let schema = loose(set.left.schema().as_arrow());
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let mut inputs = Vec::with_capacity(2);
        for side in [&set.left, &set.right] {
            inputs.push(exchange_exactly(self.lower(side)?, &all));
        }
        let traits = Traits {
            insert_only: !set.except && inputs.iter().all(|i| i.traits.insert_only),
            key: None,
            window: None,
            roles: vec![Role::None; all.len()],
            partitioning: Some(all),
            restates: false,
        };
        let rule = if set.except { SetRule::ExceptAll } else { SetRule::IntersectAll };
        Ok(Arc::new(StepPlan { node: StepNode::SetOperation(rule), inputs, schema, traits }))
    }

    /// An expression bound to the columns of its input, whose errors say where it stands.
    fn physical(&self, expr: &Expr, schema: &DFSchema) -> Result<Expression> {
        Ok(traced::traced(physical(expr, schema)?, expr, self.statement.as_deref()))
    }

    fn filter(&self, filter: &datafusion_expr::logical_plan::Filter) -> Result<Plan> {
        if let Some(top_n) = self.top_n(filter)? {
            return Ok(top_n);
        }
        let input = self.lower(&filter.input)?;
        self.keep(input, &filter.predicate, filter.input.schema())
    }

    /// The rows for which the predicate is true.
    fn keep(&self, input: Plan, predicate: &Expr, schema: &DFSchema) -> Result<Plan> {
        let condition = Some(self.physical(predicate, schema)?);
        let node = StepNode::FilterProject { condition, projection: None };
        let (schema, traits) = (Arc::clone(&input.schema), input.traits.clone());
        Ok(Arc::new(StepPlan { node, inputs: vec![input], schema, traits }))
    }

    /// Computes columns; picks them where nothing is computed; merges with a filter below.
    fn project(&self, input: Plan, exprs: &[Expr], from: &DFSchema, to: &Schema) -> Result<Plan> {
        let columns: Vec<Option<usize>> = exprs.iter().map(|e| column_of(e, from)).collect();
        let mut traits = project_traits(&input.traits, &columns);
        let proctime = exprs.iter().zip(&mut traits.roles).filter(|(e, _)| is_proctime(e));
        proctime.for_each(|(_, role)| *role = Role::Proctime);
        let schema = loose(to);
        if let Some(columns) = columns.iter().copied().collect::<Option<Vec<usize>>>() {
            let same = columns.iter().copied().eq(0..input.schema.fields().len());
            if same && schema == input.schema {
                return Ok(input);
            }
            let (node, inputs) = (StepNode::Select(columns), vec![input]);
            return Ok(Arc::new(StepPlan { node, inputs, schema, traits }));
        }
        let projection =
            exprs.iter().map(|e| self.physical(e, from)).collect::<Result<Vec<_>>>()?;
        let (condition, input) = match &input.node {
            StepNode::FilterProject { condition, projection: None } => {
                (condition.clone(), Arc::clone(&input.inputs[0]))
            }
            _ => (None, input),
        };
        let node = StepNode::FilterProject { condition, projection: Some(projection) };
        Ok(Arc::new(StepPlan { node, inputs: vec![input], schema, traits }))
    }

    fn limit(&self, limit: &Limit) -> Result<Plan> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(SqlError::not_supported("LIMIT or OFFSET that is not a number"));
        };
        self.limited(&limit.input, skip as u64, fetch.map(|n| n as u64))
    }

    /// The first rows of an input in its own order. The order may stand below a projection, which
    /// then leaves out columns that only serve to sort.
    fn limited(&self, input: &LogicalPlan, skip: u64, fetch: Option<u64>) -> Result<Plan> {
        match input {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                self.first_rows(&sort.input, &sort.expr, skip, fetch)
            }
            LogicalPlan::SubqueryAlias(alias) => self.limited(&alias.input, skip, fetch),
            LogicalPlan::Projection(p) if sorts_below(&p.input) => {
                let rows = self.limited(&p.input, skip, fetch)?;
                self.project(rows, &p.expr, p.input.schema(), p.schema.as_arrow())
            }
            other => self.first_rows(other, &[], skip, fetch),
        }
    }

    fn values(&self, values_node: &datafusion_expr::logical_plan::Values) -> Result<Plan> {
        let schema = loose(values_node.schema.as_arrow());
        let empty = DFSchema::empty();
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let none = Arc::new(Schema::empty());
        let one = RecordBatch::try_new_with_options(none, vec![], &options)
            .map_err(|e| SqlError::new(e.to_string()))?;
        let mut columns: Vec<Vec<ScalarValue>> = vec![Vec::new(); schema.fields().len()];
        for row in &values_node.values {
            for (expr, column) in row.iter().zip(&mut columns) {
                let array = self.physical(expr, &empty)?.evaluate(&one)?.into_array(1)?;
                column.push(ScalarValue::try_from_array(&array, 0)?);
            }
        }
        let columns = columns
            .into_iter()
            .zip(schema.fields())
            .map(|(values, field)| {
                let array = ScalarValue::iter_to_array(values)?;
                Ok(arrow::compute::cast(&array, field.data_type())?)
            })
            .collect::<datafusion_common::Result<Vec<ArrayRef>>>()?;
        values(schema, columns, values_node.values.len())
    }

    fn window(&self, window: &WindowNode) -> Result<Plan> {
        let input = self.lower(&window.input)?;
        let time = column_of(&window.time, window.input.schema())
            .ok_or_else(|| SqlError::new("the time of a window must be a column"))?;
        let input = match input.traits.roles[time] {
            Role::Proctime => clock_time(input, time),
            _ => input,
        };
        let timed = input.traits.roles[time].is_event_time();
        let schema = loose(window_schema_of(window).as_arrow());
        let mut traits = input.traits.clone();
        // Rows are multiplied or moved: only the input's key together with the window is a key.
        let width = input.schema.fields().len();
        traits.key = traits.key.map(|mut k| {
            k.push(width + 1);
            k
        });
        let role = |role| if timed { role } else { Role::None };
        traits.roles.extend([
            role(Role::WindowStart),
            role(Role::WindowEnd(window.zone)),
            role(Role::WindowTime),
        ]);
        match window.kind {
            WindowKind::Aligned(windows) => {
                traits.window = windows.are_equally_long().then_some((width, width + 1));
                let node = StepNode::WindowAssign { time, windows, zone: window.zone };
                Ok(Arc::new(StepPlan { node, inputs: vec![input], schema, traits }))
            }
            WindowKind::Session { gap } => self.session(input, window, (time, gap), schema, traits),
        }
    }

    /// The columns to sort by; expressions are appended as further columns.
    fn sort_columns(
        &self,
        input: Plan,
        order: &[SortExpr],
        logical: &LogicalPlan,
    ) -> Result<(Plan, Order)> {
        let exprs: Vec<Expr> = order.iter().map(|s| s.expr.clone()).collect();
        let (input, columns) = self.append(input, &exprs, logical.schema())?;
        let columns = columns.into_iter().zip(order).map(|(column, s)| SortColumn {
            column,
            options: SortOptions { descending: !s.asc, nulls_first: s.nulls_first },
        });
        Ok((input, columns.collect()))
    }

    /// The input with a column for each expression that is not one yet, and where they are. The
    /// input may have further columns behind those of `schema`.
    fn append(&self, input: Plan, exprs: &[Expr], schema: &DFSchema) -> Result<(Plan, Vec<usize>)> {
        let mut fields: Vec<Field> =
            input.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        let width = fields.len();
        let mut positions = Vec::with_capacity(exprs.len());
        let mut computed: Vec<Expression> = Vec::new();
        for expr in exprs {
            if let Some(column) = column_of(expr, schema) {
                positions.push(column);
                continue;
            }
            let expression = self.physical(expr, schema)?;
            let data_type = expression.data_type(schema.as_arrow())?;
            positions.push(width + computed.len());
            fields.push(Field::new(format!("$expr{}", computed.len()), data_type, true));
            computed.push(expression);
        }
        if computed.is_empty() {
            return Ok((input, positions));
        }
        let mut projection: Vec<Expression> =
            (0..width).map(|c| column(&input.schema, c)).collect();
        projection.extend(computed);
        let mut traits = input.traits.clone();
        traits.roles.resize(fields.len(), Role::None);
        let schema = Arc::new(Schema::new(fields));
        let node = StepNode::FilterProject { condition: None, projection: Some(projection) };
        Ok((Arc::new(StepPlan { node, inputs: vec![input], schema, traits }), positions))
    }
}

/// Whether the rows of a plan come in an order of their own.
fn sorts_below(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(sort) => sort.fetch.is_none(),
        LogicalPlan::Projection(p) => sorts_below(&p.input),
        LogicalPlan::SubqueryAlias(alias) => sorts_below(&alias.input),
        _ => false,
    }
}

fn window_schema_of(window: &WindowNode) -> &DFSchema {
    use datafusion_expr::UserDefinedLogicalNodeCore;
    window.schema()
}

fn not_supported(plan: &LogicalPlan) -> SqlError {
    SqlError::not_supported(format!("this part of the query: {}", plan.display()))
}

/// A reference to a column of the input by position.
fn column(schema: &SchemaRef, at: usize) -> Expression {
    Arc::new(datafusion_physical_expr::expressions::Column::new(schema.field(at).name(), at))
}

/// An expression bound to the columns of its input.
fn physical(expr: &Expr, schema: &DFSchema) -> Result<Expression> {
    let properties = ExecutionProps::new();
    let expr = interval::as_duration(expr, schema)?;
    Ok(create_physical_expr(&expr, schema, &properties, &PhysicalPlanningContext::default())?)
}

/// The position of the column that an expression is, under whatever name.
fn column_of(expr: &Expr, schema: &DFSchema) -> Option<usize> {
    match expr {
        Expr::Alias(alias) => column_of(&alias.expr, schema),
        Expr::Column(column) => schema.maybe_index_of_column(column),
        _ => None,
    }
}

/// Whether an expression is `PROCTIME()`, under whatever name.
fn is_proctime(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_proctime(&alias.expr),
        Expr::ScalarFunction(call) => call.func.name().eq_ignore_ascii_case("PROCTIME"),
        _ => false,
    }
}

/// The same columns, all nullable and without metadata: what flows through a circuit. What SQL says
/// of nullability is for the planner; a batch must not be refused for it.
fn loose(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| Field::new(f.name(), f.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// What is known of columns after a projection.
fn project_traits(input: &Traits, columns: &[Option<usize>]) -> Traits {
    let place = |column: usize| columns.iter().position(|p| *p == Some(column));
    let moved =
        |from: &Vec<usize>| -> Option<Vec<usize>> { from.iter().map(|&c| place(c)).collect() };
    let key = input.key.as_ref().and_then(|key| {
        // The end is not missed where the start is there.
        let told = input.window.filter(|(start, end)| key.contains(start) && place(*end).is_none());
        moved(&key.iter().copied().filter(|&c| told.is_none_or(|(_, end)| c != end)).collect())
    });
    Traits {
        insert_only: input.insert_only,
        key,
        window: input.window.and_then(|(start, end)| Some((place(start)?, place(end)?))),
        roles: columns.iter().map(|c| c.map_or(Role::None, |c| input.roles[c])).collect(),
        partitioning: input.partitioning.as_ref().and_then(moved),
        restates: input.restates,
    }
}

/// The partitioning of rows that an operator groups by columns of its input and then gives with
/// these first: that of the input, which may be by fewer of them.
fn partitioning_among(input: &Plan, columns: &[usize]) -> Option<Vec<usize>> {
    let by = input.traits.partitioning.as_ref()?;
    by.iter().map(|c| columns.iter().position(|column| column == c)).collect()
}

/// Brings rows with equal values of `keys` to one shard, unless they are there already. By what
/// they are partitioned then is what the plan's traits say: it may be fewer columns.
fn exchange(input: Plan, keys: &[usize]) -> Plan {
    let input = consolidated(input);
    let there = |p: &Vec<usize>| !p.is_empty() && p.iter().all(|c| keys.contains(c));
    if input.traits.partitioning.as_ref().is_some_and(there) {
        return input;
    }
    exchange_exactly(input, keys)
}

/// Brings rows with equal values of `keys`, in this order, to the shard of their hash.
fn exchange_exactly(input: Plan, keys: &[usize]) -> Plan {
    let input = consolidated(input);
    if input.traits.partitioning.as_deref() == Some(keys) && !keys.is_empty() {
        return input;
    }
    let partitioning = match keys {
        [] => Partitioning::Single,
        keys => Partitioning::Hash(keys.to_vec()),
    };
    let mut traits = input.traits.clone();
    traits.partitioning = Some(keys.to_vec()).filter(|k| !k.is_empty());
    let schema = Arc::clone(&input.schema);
    let node = StepNode::Exchange(partitioning);
    Arc::new(StepPlan { node, inputs: vec![input], schema, traits })
}

/// The rows without those that a step takes back and says again, where there may be many of them:
/// all that were joined with a single row, when that changes. What stands behind it, and keeps
/// something for each row, then has to do with what is different alone.
fn consolidated(input: Plan) -> Plan {
    if !input.traits.restates || matches!(input.node, StepNode::Consolidate) {
        return input;
    }
    let (schema, traits) = (Arc::clone(&input.schema), input.traits.clone());
    Arc::new(StepPlan { node: StepNode::Consolidate, inputs: vec![input], schema, traits })
}

/// Rows by the clock: their processing time becomes the event time, and no other column is one.
fn clock_time(input: Plan, time: usize) -> Plan {
    let mut traits = input.traits.clone();
    traits.roles.fill(Role::None);
    traits.roles[time] = Role::Rowtime;
    let schema = Arc::clone(&input.schema);
    Arc::new(StepPlan { node: StepNode::ClockTime, inputs: vec![input], schema, traits })
}

/// Roles for an operator whose rows may change for as long as their window is open: event times
/// other than the window's may be behind the watermark by then, and an operator above would take
/// the change for late.
fn window_roles(roles: &[Role]) -> Vec<Role> {
    let kept = |role: &Role| if *role == Role::Rowtime { Role::None } else { *role };
    roles.iter().map(kept).collect()
}

/// The position of a window's end among some columns, and the zone of its local time.
fn window_end(traits: &Traits, columns: &[usize]) -> Option<(usize, LocalZone)> {
    columns.iter().enumerate().find_map(|(at, &column)| match traits.roles[column] {
        Role::WindowEnd(zone) => Some((at, zone)),
        _ => None,
    })
}

fn values(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<Plan> {
    let batch = rialto_engine::expr::record_batch(&schema, columns, rows)
        .map_err(|e| SqlError::new(e.to_string()))?;
    let roles = vec![Role::None; schema.fields().len()];
    let traits = Traits { insert_only: true, roles, ..Traits::default() };
    Ok(Arc::new(StepPlan { node: StepNode::Values(batch), inputs: vec![], schema, traits }))
}

/// The rows of all inputs; roles are kept where all agree.
fn union_all(inputs: Vec<Plan>, schema: &Schema) -> Plan {
    let schema = loose(schema);
    let role = |at: usize| {
        let first = inputs.first().map_or(Role::None, |i| i.traits.roles[at]);
        let same = inputs.iter().all(|i| i.traits.roles[at] == first);
        if same { first } else { Role::None }
    };
    let traits = Traits {
        insert_only: inputs.iter().all(|i| i.traits.insert_only),
        key: None,
        window: None,
        roles: (0..schema.fields().len()).map(role).collect(),
        partitioning: None,
        restates: inputs.iter().any(|i| i.traits.restates),
    };
    Arc::new(StepPlan { node: StepNode::Union, inputs, schema, traits })
}

/// An expression of a table's declaration, bound to what is read.
pub(super) fn bind(expr: &Expr, schema: &DFSchema) -> Result<Expression> {
    physical(expr, schema)
}

/// A duration such as `5 s`, `500 ms`, `1 min`, `2 h`, `1 d`, in milliseconds.
pub(super) fn duration_ms(key: &str, text: &str) -> Result<i64> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = trimmed.split_at(digits);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => 0,
    };
    match number.parse::<i64>() {
        Ok(n) if scale > 0 => Ok(n.saturating_mul(scale)),
        _ => Err(SqlError::new(format!("'{text}' is not a duration, as '{key}' wants it"))
            .with_hint("write for example '5 s', '500 ms', '1 min' or '2 h'")),
    }
}
