//! Joins as of a time: with the version that was valid then, or with a table as it is now.
//!
//! Versions are rows that are never taken back, each valid from its time on. That is what a table
//! with a primary key and a watermark gives, and what stands below a view that keeps the last row
//! of each key: the view itself would only give the net change of a step, and hide the versions
//! that came and went within it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Column, DFSchema};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, Operator, UserDefinedLogicalNodeCore};
use rialto_engine::expr::Expression;
use rialto_engine::operator::Emission;
use rialto_engine::operator::lookup_join::LookupJoinSpec;
use rialto_engine::operator::temporal_join::{TemporalJoinSpec, TemporalTime};
use rialto_engine::operator::top_n::{RankFunction, TopNSpec};

use super::join::Side;
use super::{Lowering, Plan, column_of, loose, physical, rank};
use crate::error::{Result, SqlError};
use crate::planner::temporal::TemporalJoinNode;
use crate::step::{Role, StepNode, StepPlan, Traits};

/// A condition in its parts: equal expressions of the two sides, and the rest.
#[derive(Default)]
struct Condition {
    left: Vec<Expr>,
    right: Vec<Expr>,
    rest: Vec<Expr>,
}

impl Condition {
    fn of(node: &TemporalJoinNode) -> Result<Self> {
        let (left, right) = (node.left.schema(), node.right.schema());
        let within = |expr: &Expr, schema: &DFSchema| {
            let columns = expr.column_refs();
            !columns.is_empty() && columns.iter().all(|c| schema.has_column(c))
        };
        let mut condition = Self::default();
        for part in split_conjunction_owned(node.condition.clone()) {
            if let Expr::BinaryExpr(binary) = &part
                && binary.op == Operator::Eq
            {
                let (a, b) = (binary.left.as_ref(), binary.right.as_ref());
                let swapped = within(a, right) && within(b, left);
                if swapped || within(a, left) && within(b, right) {
                    let (a, b) = if swapped { (b, a) } else { (a, b) };
                    condition.left.push(a.clone());
                    condition.right.push(b.clone());
                    continue;
                }
            }
            condition.rest.push(part);
        }
        if condition.left.is_empty() {
            return Err(SqlError::new(
                "a join FOR SYSTEM_TIME AS OF needs an equality of columns of both sides",
            )
            .with_hint("write: ON probe.key = t.key"));
        }
        Ok(condition)
    }
}

impl Lowering {
    pub(super) fn temporal_join(&self, node: &TemporalJoinNode) -> Result<Plan> {
        self.join_as_of(node).map_err(|error| error.with_span(node.place))
    }

    fn join_as_of(&self, node: &TemporalJoinNode) -> Result<Plan> {
        let (left, right) = (self.lower(&node.left)?, self.lower(&node.right)?);
        let condition = Condition::of(node)?;
        let event_time = match &node.as_of {
            Some(column) => event_time(column, node.left.schema(), &left.traits)?,
            None => None,
        };
        let left = self.side_of(left, node.left.schema(), &condition.left)?;
        match event_time {
            Some(time) => self.join_versions(node, condition, left, right, time),
            None => self.look_up(node, condition, left, right),
        }
    }

    fn join_versions(
        &self,
        node: &TemporalJoinNode,
        condition: Condition,
        left: Side,
        right: Plan,
        probe_time: usize,
    ) -> Result<Plan> {
        let right = versions(right)?;
        check_key(&right, &condition.right, node)?;
        let timed = |role: &Role| role.is_event_time();
        let version_time = right.traits.roles.iter().position(timed).ok_or_else(|| {
            SqlError::new("a versioned table needs an event time, and this one has none")
                .with_hint("declare WATERMARK FOR time AS … in CREATE TABLE")
        })?;
        let right = self.side_of(right, node.right.schema(), &condition.right)?;
        let (output, filter) = (output(&left, &right), filter(condition.rest, &left, &right)?);
        let schema = loose(node.schema().as_arrow());
        let probe = &left.plan.traits;
        let mut traits = as_of_traits(&left, &right);
        traits.insert_only = probe.insert_only && self.emission == Emission::Final;
        traits.key = probe.key.clone();
        let spec = TemporalJoinSpec {
            keep_unmatched: node.outer,
            probe_keys: left.keys,
            version_keys: right.keys,
            filter,
            probe_schema: Arc::clone(&left.plan.schema),
            version_schema: Arc::clone(&right.plan.schema),
            output_schema: Arc::clone(&schema),
            output: Some(output),
            probe_insert_only: probe.insert_only,
            time: TemporalTime::Event { probe_time, version_time },
            emission: self.emission,
        };
        let node = StepNode::TemporalJoin(Box::new(spec));
        Ok(Arc::new(StepPlan { node, inputs: vec![left.plan, right.plan], schema, traits }))
    }

    fn look_up(
        &self,
        node: &TemporalJoinNode,
        condition: Condition,
        left: Side,
        right: Plan,
    ) -> Result<Plan> {
        let columns = condition.right.iter().map(|e| key_column(e, node.right.schema())).collect();
        let right = self.side_of(right, node.right.schema(), &condition.right)?;
        let filter = filter(condition.rest, &left, &right)?;
        let schema = loose(node.schema().as_arrow());
        let traits = as_of_traits(&left, &right);
        let spec = LookupJoinSpec {
            keep_unmatched: node.outer,
            probe_keys: left.keys,
            table_keys: right.keys,
            filter,
            probe_schema: Arc::clone(&left.plan.schema),
            table_schema: Arc::clone(&right.plan.schema),
            probe_output: (0..left.width).collect(),
            table_output: (0..right.width).collect(),
            output_schema: Arc::clone(&schema),
            table_insert_only: right.plan.traits.insert_only,
        };
        let node = StepNode::LookupJoin { spec: Box::new(spec), columns, place: node.place };
        Ok(Arc::new(StepPlan { node, inputs: vec![left.plan, right.plan], schema, traits }))
    }
}

/// The position of an event time; `None` for a processing time.
fn event_time(column: &Column, schema: &DFSchema, traits: &Traits) -> Result<Option<usize>> {
    let at = column_of(&Expr::Column(column.clone()), schema)
        .ok_or_else(|| SqlError::new(format!("the left side has no column '{column}'")))?;
    match traits.roles[at] {
        Role::Proctime => Ok(None),
        role if role.is_event_time() => Ok(Some(at)),
        _ => Err(SqlError::new(format!(
            "FOR SYSTEM_TIME AS OF takes a time attribute of the left side, and '{column}' is none"
        ))
        .with_hint(
            "an event time is the column of the table's WATERMARK, a processing time a column \
             such as p AS PROCTIME()",
        )),
    }
}

/// All versions, as rows that are never taken back.
fn versions(plan: Plan) -> Result<Plan> {
    if plan.traits.insert_only || reads_table(&plan) {
        return Ok(plan);
    }
    history(&plan).ok_or_else(|| {
        SqlError::not_supported("FOR SYSTEM_TIME AS OF an event time of a query that updates")
            .with_detail("versions come from a table, or from a view that keeps the last rows")
            .with_hint(
                "end the view with SELECT … FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY key \
                 ORDER BY time DESC) AS n FROM t) WHERE n = 1",
            )
    })
}

/// Whether a plan's rows are those of a table, as its connector gives them.
fn reads_table(plan: &StepPlan) -> bool {
    match &plan.node {
        StepNode::Scan { .. } => true,
        StepNode::Select(_) | StepNode::FilterProject { .. } => reads_table(&plan.inputs[0]),
        _ => false,
    }
}

/// What a deduplication that keeps the last row of each key reads, in the form of what it gives.
fn history(plan: &StepPlan) -> Option<Plan> {
    let (node, input) = match &plan.node {
        StepNode::TopN(spec) if keeps_last(spec, plan) => {
            let input = Arc::clone(&plan.inputs[0]);
            let rows = match &spec.rank_output {
                Some(name) => rank::with_rank_of_one(input, name),
                None => input,
            };
            (StepNode::Select((0..plan.schema.fields().len()).collect()), rows)
        }
        StepNode::Select(columns) => (StepNode::Select(columns.clone()), history(&plan.inputs[0])?),
        StepNode::FilterProject { condition: None, projection } => {
            let projection = projection.clone();
            let node = StepNode::FilterProject { condition: None, projection };
            (node, history(&plan.inputs[0])?)
        }
        _ => return None,
    };
    // The deduplication's rows may come back late and have no event time; these only come.
    let role = |from: Option<usize>| from.map_or(Role::None, |at| input.traits.roles[at]);
    let roles = match &node {
        StepNode::Select(columns) => columns.iter().map(|&at| role(Some(at))).collect(),
        StepNode::FilterProject { projection: Some(expressions), .. } => {
            expressions.iter().map(|e| role(column_at(e))).collect()
        }
        _ => input.traits.roles.clone(),
    };
    let traits = Traits { insert_only: true, roles, ..plan.traits.clone() };
    let schema = Arc::clone(&plan.schema);
    Some(Arc::new(StepPlan { node, inputs: vec![input], schema, traits }))
}

/// The position of the column that a bound expression is.
pub(in crate::step) fn column_at(expression: &Expression) -> Option<usize> {
    expression.downcast_ref::<datafusion_physical_expr::expressions::Column>().map(|c| c.index())
}

/// `ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1` over rows that only come.
fn keeps_last(spec: &TopNSpec, plan: &StepPlan) -> bool {
    let by_time = match spec.order.as_slice() {
        [one] => {
            let roles = &plan.inputs[0].traits.roles;
            one.options.descending && roles[one.column].is_event_time()
        }
        _ => false,
    };
    by_time
        && spec.function == RankFunction::RowNumber
        && (spec.first, spec.last) == (1, Some(1))
        && spec.input_insert_only
        && spec.window_end.is_none()
}

/// The condition must hold the whole key of the versions, so that a row meets one at most.
fn check_key(right: &StepPlan, on: &[Expr], node: &TemporalJoinNode) -> Result<()> {
    let Some(key) = right.traits.key.as_ref() else {
        return Err(SqlError::new("a versioned table needs a primary key, and this one has none")
            .with_hint(
                "declare PRIMARY KEY (…) NOT ENFORCED, or join a view that keeps the last row of \
                 each key by ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC)",
            ));
    };
    let schema = node.right.schema();
    let equal: Vec<usize> = on.iter().filter_map(|e| key_column(e, schema)).collect();
    if key.iter().all(|column| equal.contains(column)) {
        return Ok(());
    }
    let names: Vec<&str> = key.iter().map(|&c| right.schema.field(c).name().as_str()).collect();
    Err(SqlError::new(format!(
        "the condition of a join FOR SYSTEM_TIME AS OF must contain the primary key ({}) of the \
         versioned table",
        names.join(", ")
    ))
    .with_detail(format!("it is {}", node.condition))
    .with_hint("compare each column of the key with an expression of the left side by ="))
}

/// The column that an expression is, also where an integer is widened to meet the other side.
fn key_column(expr: &Expr, schema: &DFSchema) -> Option<usize> {
    let width = |t: &DataType| t.is_signed_integer().then(|| t.primitive_width()).flatten();
    match expr {
        Expr::Cast(cast) => {
            let at = key_column(&cast.expr, schema)?;
            let from = width(schema.field(at).data_type())?;
            (from <= width(cast.field.data_type())?).then_some(at)
        }
        other => column_of(other, schema),
    }
}

fn filter(rest: Vec<Expr>, left: &Side, right: &Side) -> Result<Option<Expression>> {
    let is_true = |e: &Expr| *e == datafusion_expr::lit(true);
    let rest = conjunction(rest.into_iter().filter(|e| !is_true(e)));
    let both = left.schema.join(&right.schema)?;
    rest.map(|rest| physical(&rest, &both)).transpose()
}

/// The columns that the query knows, out of those of both sides.
fn output(left: &Side, right: &Side) -> Vec<usize> {
    let offset = left.plan.schema.fields().len();
    (0..left.width).chain((0..right.width).map(|c| offset + c)).collect()
}

/// What is known of a row that is emitted once with what it met: it is as late as the row.
fn as_of_traits(left: &Side, right: &Side) -> Traits {
    let probe = &left.plan.traits;
    let mut roles = probe.roles[..left.width].to_vec();
    roles.resize(left.width + right.width, Role::None);
    let known = left.keys.iter().all(|&key| key < left.width);
    Traits {
        insert_only: probe.insert_only,
        key: None,
        window: None,
        roles,
        partitioning: known.then(|| left.keys.clone()),
        restates: false,
    }
}
