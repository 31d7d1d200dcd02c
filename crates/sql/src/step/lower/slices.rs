//! Grouping by overlapping windows: rows are combined before they are spread over them.
//!
//! A row of `HOP` or `CUMULATE` is in several windows. The boundaries of the windows cut time into
//! slices, and all rows of a slice are in the same windows. So the rows of a step that have the
//! same key and slice are counted first, and it is these few counts that go to every window and to
//! the shard of their group. Aggregates whose results add up can be split so.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use rialto_engine::LocalZone;
use rialto_engine::operator::aggregate::{AggregateCall, AggregateFunction, CombineSpec};
use rialto_engine::operator::window_assign::{Windows, window_schema};

use crate::step::{Role, StepNode, StepPlan, Traits};

use super::Plan;

/// A grouping over combined rows: its input, keys and calls.
pub(super) type Sliced = (Plan, Vec<usize>, Vec<AggregateCall>);

/// The same grouping over rows that were combined by slice; `None` where that is not possible.
pub(super) fn sliced(input: &Plan, keys: &[usize], calls: &[AggregateCall]) -> Option<Sliced> {
    let (assign, columns) = below_selections(input);
    let StepNode::WindowAssign { time, windows, .. } = assign.node else { return None };
    let slices = slices(windows)?;
    let rows = &assign.inputs[0];
    let width = rows.schema.fields().len();
    let zoned = matches!(rows.schema.field(time).data_type(), DataType::Timestamp(_, Some(_)));
    let has_end = keys.iter().any(|&k| columns[k] == width + 1);
    if zoned || !has_end || !rows.traits.insert_only {
        return None;
    }
    let calls = calls.iter().map(|c| Split::new(c, &columns, width)).collect::<Option<Vec<_>>>()?;
    let plain: Vec<usize> = keys.iter().map(|&k| columns[k]).filter(|&c| c < width).collect();
    let combined = combine(assign, (time, slices), &plain, &calls)?;
    let input = assign_again(combined, plain.len(), windows)?;
    let bounds = input.schema.fields().len() - 3;
    let keys = keys.iter().map(|&k| match columns[k] {
        c if c >= width => Some(bounds + c - width),
        c => plain.iter().position(|&p| p == c),
    });
    let keys = keys.collect::<Option<Vec<_>>>()?;
    let first = plain.len() + 1;
    let calls = calls.into_iter().enumerate().map(|(i, call)| call.merge(first + i)).collect();
    Some((input, keys, calls))
}

/// What stands below mere selections of columns, and which of its columns the input's are.
fn below_selections(input: &Plan) -> (&Plan, Vec<usize>) {
    let mut columns: Vec<usize> = (0..input.schema.fields().len()).collect();
    let mut plan = input;
    while let StepNode::Select(chosen) = &plan.node {
        columns.iter_mut().for_each(|c| *c = chosen[*c]);
        plan = &plan.inputs[0];
    }
    (plan, columns)
}

/// The slices of windows that overlap.
fn slices(windows: Windows) -> Option<Windows> {
    match windows {
        Windows::Hop { slide, size, offset } if size > slide && size % slide == 0 => {
            Some(Windows::Tumble { size: slide, offset })
        }
        Windows::Cumulate { step, size, offset } if size > step => {
            Some(Windows::Tumble { size: step, offset })
        }
        _ => None,
    }
}

/// A call in two parts: over the rows of a slice, and over its results.
struct Split {
    partial: AggregateCall,
    merge: AggregateFunction,
}

impl Split {
    /// `columns` says which columns of the rows with their windows the call's are.
    fn new(call: &AggregateCall, columns: &[usize], width: usize) -> Option<Self> {
        use AggregateFunction as F;
        let sums_up = || {
            let output = call.output.data_type();
            output.is_integer() || matches!(output, DataType::Decimal128(..))
        };
        let merge = match call.function {
            F::Count => F::Sum0,
            F::Sum if sums_up() => F::Sum,
            F::Sum0 if sums_up() => F::Sum0,
            F::Min => F::Min,
            F::Max => F::Max,
            _ => return None,
        };
        let arguments: Vec<usize> = call.arguments.iter().map(|&a| columns[a]).collect();
        let filter = call.filter.map(|f| columns[f]);
        if call.distinct || arguments.iter().chain(&filter).any(|&c| c >= width) {
            return None;
        }
        Some(Self { partial: AggregateCall { arguments, filter, ..call.clone() }, merge })
    }

    fn merge(self, argument: usize) -> AggregateCall {
        AggregateCall {
            function: self.merge,
            arguments: vec![argument],
            filter: None,
            ..self.partial
        }
    }
}

/// The rows of `assign`'s input, combined by the given columns and their slice: these columns, the
/// start of the slice, the partial results.
fn combine(
    assign: &Plan,
    (time, slices): (usize, Windows),
    plain: &[usize],
    calls: &[Split],
) -> Option<Plan> {
    let node = StepNode::WindowAssign { time, windows: slices, zone: LocalZone::UTC };
    let (schema, traits) = (Arc::clone(&assign.schema), assign.traits.clone());
    let sliced = StepPlan { node, inputs: assign.inputs.clone(), schema, traits };
    let start = sliced.schema.fields().len() - 3;
    let mut keys = plain.to_vec();
    keys.push(start);
    let mut fields: Vec<FieldRef> =
        keys.iter().map(|&k| Arc::clone(&sliced.schema.fields()[k])).collect();
    fields.extend(calls.iter().enumerate().map(|(i, call)| {
        Arc::new(Field::new(format!("$partial{i}"), call.partial.output.data_type().clone(), true))
    }));
    let output = Arc::new(Schema::new(fields));
    let mut roles: Vec<Role> = plain.iter().map(|&k| sliced.traits.roles[k]).collect();
    roles.resize(output.fields().len(), Role::None);
    let traits = Traits { insert_only: true, roles, ..Traits::default() };
    let node = StepNode::Combine(Box::new(CombineSpec {
        input: Arc::clone(&sliced.schema),
        keys,
        slice_end: start + 1,
        calls: calls.iter().map(|c| c.partial.clone()).collect(),
        output: Arc::clone(&output),
    }));
    Some(Arc::new(StepPlan { node, inputs: vec![Arc::new(sliced)], schema: output, traits }))
}

/// The combined rows with the windows of their slices.
fn assign_again(combined: Plan, time: usize, windows: Windows) -> Option<Plan> {
    let schema = window_schema(&combined.schema, time).ok()?;
    let mut traits = combined.traits.clone();
    traits.roles.extend([Role::WindowStart, Role::WindowEnd(LocalZone::UTC), Role::WindowTime]);
    let start = combined.schema.fields().len();
    traits.window = windows.are_equally_long().then_some((start, start + 1));
    let node = StepNode::WindowAssign { time, windows, zone: LocalZone::UTC };
    Some(Arc::new(StepPlan { node, inputs: vec![combined], schema, traits }))
}
