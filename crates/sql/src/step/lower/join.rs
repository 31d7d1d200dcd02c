//! Joins: keys become columns, rows with equal keys meet in one shard.

use std::sync::Arc;

use datafusion_common::{DFSchema, JoinType, NullEquality, ScalarValue};
use datafusion_expr::logical_plan::Join;
use datafusion_expr::{Expr, Operator};
use rialto_engine::operator::Emission;
use rialto_engine::operator::join::{JoinKind, JoinSpec, Retention};

use crate::error::{Result, SqlError};

use super::{Lowering, Plan, column_of, exchange_exactly, loose, union_all};
use crate::step::{Role, StepNode, StepPlan, Traits};

/// One side of a join with its key columns.
pub(super) struct Side {
    pub plan: Plan,
    pub schema: Arc<DFSchema>,
    pub keys: Vec<usize>,
    /// How many columns the query knows; what follows are computed keys.
    pub width: usize,
}

impl Lowering {
    pub(super) fn join(&self, join: &Join) -> Result<Plan> {
        match join.join_type {
            JoinType::LeftMark => return self.mark_join(join),
            JoinType::RightMark => {
                return Err(SqlError::not_supported("a mark join from the right"));
            }
            JoinType::RightSemi | JoinType::RightAnti => {
                return Err(SqlError::not_supported("a semi join from the right"));
            }
            _ => {}
        }
        if join.null_aware {
            return self.null_aware_anti(join);
        }
        let (left_on, right_on): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
        let left = self.side(&join.left, &left_on)?;
        let right = self.side(&join.right, &right_on)?;
        self.join_sides(join, left, right, join.filter.as_ref(), join.join_type)
    }

    fn side(&self, plan: &datafusion_expr::LogicalPlan, on: &[Expr]) -> Result<Side> {
        self.side_of(self.lower(plan)?, plan.schema(), on)
    }

    /// The rows of a side with its keys, where each key's shard is.
    pub(super) fn side_of(&self, input: Plan, schema: &DFSchema, on: &[Expr]) -> Result<Side> {
        let width = input.schema.fields().len();
        let (plan_with_keys, keys) = self.append(input, on, schema)?;
        let schema = extended(schema, &plan_with_keys)?;
        let plan = exchange_exactly(plan_with_keys, &keys);
        Ok(Side { plan, schema, keys, width })
    }

    fn join_sides(
        &self,
        join: &Join,
        left: Side,
        right: Side,
        filter: Option<&Expr>,
        join_type: JoinType,
    ) -> Result<Plan> {
        let kind = match join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            JoinType::Right => JoinKind::Right,
            JoinType::Full => JoinKind::Full,
            JoinType::LeftSemi => JoinKind::LeftSemi,
            JoinType::LeftAnti => JoinKind::LeftAnti,
            other => return Err(SqlError::not_supported(format!("{other} JOIN"))),
        };
        let both = left.schema.join(&right.schema)?;
        let insert_only = left.plan.traits.insert_only && right.plan.traits.insert_only;
        let bounds = self.retention(&left, &right, filter, &both, insert_only);
        let condition = filter.map(|f| self.physical(f, &both)).transpose()?;
        let offset = left.plan.schema.fields().len();
        let pairs = !matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti);
        let mut output: Vec<usize> = (0..left.width).collect();
        if pairs {
            output.extend((0..right.width).map(|c| offset + c));
        }
        let final_ok = bounds.is_some() && insert_only;
        let emission = if final_ok { self.emission } else { Emission::Updates };
        let schema = loose(join.schema.as_arrow());
        let schema = if pairs { schema } else { loose(left_schema(&left).as_ref()) };
        let traits = join_traits(kind, &left, &right, &output, offset, emission, bounds);
        let (left_ms, right_ms) = (self.ttl.of(&join.left)?, self.ttl.of(&join.right)?);
        let lives = left_ms.is_some() || right_ms.is_some();
        let ttl = lives.then_some(Retention::Ttl { left_ms, right_ms });
        let retention = bounds.or(ttl);
        let spec = JoinSpec {
            kind,
            null_safe: vec![join.null_equality == NullEquality::NullEqualsNull; left.keys.len()],
            left_keys: left.keys,
            right_keys: right.keys,
            filter: condition,
            left_schema: Arc::clone(&left.plan.schema),
            right_schema: Arc::clone(&right.plan.schema),
            output_schema: Arc::clone(&schema),
            left_insert_only: left.plan.traits.insert_only,
            right_insert_only: right.plan.traits.insert_only,
            output: Some(output),
            retention,
            emission,
        };
        let node = StepNode::Join(Box::new(spec));
        Ok(Arc::new(StepPlan { node, inputs: vec![left.plan, right.plan], schema, traits }))
    }

    /// When the rows of a join can be forgotten: windows that end, times that are bounded.
    fn retention(
        &self,
        left: &Side,
        right: &Side,
        filter: Option<&Expr>,
        both: &DFSchema,
        insert_only: bool,
    ) -> Option<Retention> {
        let ends = left.keys.iter().zip(&right.keys).find_map(|(&left_end, &right_end)| {
            let roles = (left.plan.traits.roles[left_end], right.plan.traits.roles[right_end]);
            match roles {
                (Role::WindowEnd(zone), Role::WindowEnd(other)) if zone == other => {
                    Some(Retention::Window { left_end, right_end, zone })
                }
                _ => None,
            }
        });
        if ends.is_some() {
            return ends;
        }
        let bounds = time_bounds(filter?, both, left, right)?;
        insert_only.then_some(bounds)
    }

    /// `EXISTS` or `IN` within a larger condition: the left rows with a flag that says whether
    /// there is a match. Those with one and those without, each with its constant.
    fn mark_join(&self, join: &Join) -> Result<Plan> {
        let mut parts = Vec::with_capacity(2);
        for (join_type, mark) in [(JoinType::LeftSemi, true), (JoinType::LeftAnti, false)] {
            let (left_on, right_on): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
            let left = self.side(&join.left, &left_on)?;
            let right = self.side(&join.right, &right_on)?;
            let plan = self.join_sides(join, left, right, join.filter.as_ref(), join_type)?;
            let from = join.left.schema();
            let mut exprs: Vec<Expr> = from.columns().into_iter().map(Expr::Column).collect();
            exprs.push(Expr::Literal(ScalarValue::Boolean(Some(mark)), None));
            parts.push(self.project(plan, &exprs, from, join.schema.as_arrow())?);
        }
        Ok(union_all(parts, join.schema.as_arrow()))
    }

    /// `x NOT IN (…)`: true only where no element is equal *or unknown*.
    fn null_aware_anti(&self, join: &Join) -> Result<Plan> {
        let mut matches = join.filter.clone();
        for (left, right) in &join.on {
            let equal = Expr::BinaryExpr(datafusion_expr::BinaryExpr::new(
                Box::new(left.clone()),
                Operator::Eq,
                Box::new(right.clone()),
            ));
            let unknown = left.clone().is_null().or(right.clone().is_null());
            let one = equal.or(unknown);
            matches = Some(match matches {
                Some(all) => all.and(one),
                None => one,
            });
        }
        let left = self.side(&join.left, &[])?;
        let right = self.side(&join.right, &[])?;
        self.join_sides(join, left, right, matches.as_ref(), JoinType::LeftAnti)
    }
}

fn left_schema(left: &Side) -> Arc<arrow::datatypes::Schema> {
    let fields: Vec<_> = left.plan.schema.fields()[..left.width].to_vec();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

/// The logical columns of a side followed by its computed keys.
fn extended(schema: &DFSchema, plan: &Plan) -> Result<Arc<DFSchema>> {
    let width = schema.fields().len();
    let mut fields: Vec<_> = schema.iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
    let side = datafusion_common::TableReference::bare(format!("$side{:p}", Arc::as_ptr(plan)));
    for field in &plan.schema.fields()[width..] {
        fields.push((Some(side.clone()), Arc::clone(field)));
    }
    Ok(Arc::new(DFSchema::new_with_metadata(fields, Default::default())?))
}

fn join_traits(
    kind: JoinKind,
    left: &Side,
    right: &Side,
    output: &[usize],
    offset: usize,
    emission: Emission,
    retention: Option<Retention>,
) -> Traits {
    let (l, r) = (&left.plan.traits, &right.plan.traits);
    let insert_only = l.insert_only && r.insert_only;
    let grows = matches!(kind, JoinKind::Inner | JoinKind::LeftSemi);
    // A row of a time-bounded inner join is as late as its rows; of any other join, however late.
    // Rows that a window join pairs are as old as their window. A side that may be padded has no
    // time: the nulls in it would be taken for late.
    let known = |roles: &[Role], padded: bool| match retention {
        None => vec![Role::None; roles.len()],
        Some(_) if padded => vec![Role::None; roles.len()],
        Some(Retention::Window { .. }) => super::window_roles(roles),
        Some(_) => roles.to_vec(),
    };
    let left_roles = known(&l.roles, matches!(kind, JoinKind::Right | JoinKind::Full));
    let right_roles = known(&r.roles, matches!(kind, JoinKind::Left | JoinKind::Full));
    let role = |&c: &usize| match c.checked_sub(offset) {
        None => left_roles[c],
        Some(c) => right_roles[c],
    };
    let key = match kind {
        JoinKind::LeftSemi | JoinKind::LeftAnti => l.key.clone(),
        JoinKind::Inner => match (&l.key, &r.key) {
            (Some(l), Some(r)) => {
                let all = l.iter().copied().chain(r.iter().map(|c| offset + c));
                all.map(|c| output.iter().position(|&o| o == c)).collect()
            }
            _ => None,
        },
        _ => None,
    };
    let moved = |keys: &[usize]| -> Option<Vec<usize>> {
        let all = keys.iter().map(|c| output.iter().position(|o| o == c));
        all.collect::<Option<Vec<usize>>>().filter(|p| !p.is_empty())
    };
    let padded = matches!(kind, JoinKind::Right | JoinKind::Full);
    let is_single = |side: &Traits| side.key.as_ref().is_some_and(Vec::is_empty);
    let insert_only = insert_only && (grows || emission == Emission::Final);
    let beside_one = left.keys.is_empty() && (is_single(l) || is_single(r));
    Traits {
        insert_only,
        restates: !insert_only && (beside_one || l.restates || r.restates),
        key,
        window: None,
        roles: output.iter().map(role).collect(),
        partitioning: if padded { None } else { moved(&left.keys) },
    }
}

/// Bounds on the difference of two event times that a condition implies: `l.t BETWEEN r.t - x AND
/// r.t + y`, in whatever way it is written.
fn time_bounds(filter: &Expr, both: &DFSchema, left: &Side, right: &Side) -> Option<Retention> {
    let offset = left.plan.schema.fields().len();
    let (mut lower, mut upper) = (None, None);
    let mut times = None;
    for part in datafusion_expr::utils::split_conjunction(filter) {
        let Expr::BinaryExpr(comparison) = part else { continue };
        let Some((a, a_ms)) = shifted(&comparison.left, both) else { continue };
        let Some((b, b_ms)) = shifted(&comparison.right, both) else { continue };
        // a + a_ms ⋈ b + b_ms, with one column of each side.
        let (l, r, difference, operator) = match (a < offset, b < offset) {
            (true, false) => (a, b - offset, b_ms - a_ms, comparison.op),
            (false, true) => (b, a - offset, a_ms - b_ms, comparison.op.swap()?),
            _ => continue,
        };
        let timed =
            left.plan.traits.roles[l].is_event_time() && right.plan.traits.roles[r].is_event_time();
        if !timed || times.is_some_and(|t| t != (l, r)) {
            continue;
        }
        times = Some((l, r));
        // The bounds are inclusive; the filter itself decides the edge.
        match operator {
            Operator::Gt | Operator::GtEq => lower = lower.max(Some(difference)),
            Operator::Lt | Operator::LtEq => {
                upper = Some(upper.map_or(difference, |u: i64| u.min(difference)));
            }
            Operator::Eq => {
                lower = lower.max(Some(difference));
                upper = Some(upper.map_or(difference, |u: i64| u.min(difference)));
            }
            _ => {}
        }
    }
    let (left_time, right_time) = times?;
    let (lower_ms, upper_ms) = (lower?, upper?);
    Some(Retention::Interval { left_time, right_time, lower_ms, upper_ms })
}

/// A column plus or minus a constant interval: its position and the shift in milliseconds.
fn shifted(expr: &Expr, schema: &DFSchema) -> Option<(usize, i64)> {
    if let Some(column) = column_of(expr, schema) {
        return Some((column, 0));
    }
    match expr {
        Expr::Cast(cast) => shifted(&cast.expr, schema),
        Expr::BinaryExpr(binary) => {
            let (column, shift) = shifted(&binary.left, schema)?;
            let by = interval_ms(&binary.right)?;
            match binary.op {
                Operator::Plus => Some((column, shift + by)),
                Operator::Minus => Some((column, shift - by)),
                _ => None,
            }
        }
        Expr::ScalarFunction(call) => {
            let [column, by] = call.args.as_slice() else { return None };
            let (column, shift) = shifted(column, schema)?;
            let by = interval_ms(by)?;
            match call.func.name().to_ascii_uppercase().as_str() {
                "PLUS" | "+" => Some((column, shift + by)),
                "MINUS" | "-" => Some((column, shift - by)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn interval_ms(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(i)), _) if i.months == 0 => {
            Some(i64::from(i.days) * 86_400_000 + i.nanoseconds / 1_000_000)
        }
        _ => None,
    }
}
