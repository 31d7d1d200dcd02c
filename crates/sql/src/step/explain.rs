//! What `EXPLAIN` prints of a step plan.

use std::fmt::Write;

use rialto_engine::expr::Expression;
use rialto_engine::operator::temporal_join::TemporalTime;
use rialto_engine::{LocalZone, Partitioning};

use super::{Role, StepNode, StepPlan};

/// The plan as an indented tree, the last operator first: what each does, whether its output is
/// insert-only (`[I]`) or takes rows back (`[I,U,D]`), its key, its event times and what it keeps.
pub fn explain(plan: &StepPlan) -> String {
    let mut text = String::new();
    write_node(plan, 0, &mut text);
    text
}

/// What a step does, as its line says it first, and what it keeps between steps.
pub fn explain_step(plan: &StepPlan) -> (String, Option<String>) {
    (describe(plan), state(plan))
}

fn write_node(plan: &StepPlan, depth: usize, text: &mut String) {
    let mode = if plan.traits.insert_only { "[I]" } else { "[I,U,D]" };
    let _ = write!(text, "{:depth$}{}", "", describe(plan), depth = depth * 2);
    let _ = write!(text, ", changelogMode={mode}");
    if let Some(key) = &plan.traits.key {
        let _ = write!(text, ", key=[{}]", names(plan, key));
    }
    let timed = |role: Role| role.is_event_time();
    let times: Vec<usize> =
        (0..plan.traits.roles.len()).filter(|&c| timed(plan.traits.roles[c])).collect();
    if !times.is_empty() {
        let _ = write!(text, ", rowtime=[{}]", names(plan, &times));
    }
    if let Some(state) = state(plan) {
        let _ = write!(text, ", state={state}");
    }
    text.push('\n');
    for input in &plan.inputs {
        write_node(input, depth + 1, text);
    }
}

fn names(plan: &StepPlan, columns: &[usize]) -> String {
    let name = |&c: &usize| plan.schema.field(c).name().clone();
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn list(expressions: &[Expression]) -> String {
    expressions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn describe(plan: &StepPlan) -> String {
    let name = plan.node.name();
    let input = |at: usize, columns: &[usize]| names(&plan.inputs[at], columns);
    let body = match &plan.node {
        StepNode::Scan { table, columns } => {
            let column = |&c: &usize| table.columns[c].name.clone();
            let columns = columns.iter().map(column).collect::<Vec<_>>().join(", ");
            let watermark = match &table.watermark {
                Some(w) => format!(", watermark=[{} AS {}]", w.column, w.expression.text),
                None => String::new(),
            };
            format!("table=[{}], columns=[{columns}]{watermark}", table.path.object)
        }
        StepNode::Values(batch) => format!("rows={}", batch.num_rows()),
        StepNode::FilterProject { condition, projection } => {
            let condition = condition.as_ref().map(|c| format!("where=[{c}]"));
            let projection = projection.as_ref().map(|p| format!("select=[{}]", list(p)));
            condition.into_iter().chain(projection).collect::<Vec<_>>().join(", ")
        }
        StepNode::Select(columns) => format!("select=[{}]", input(0, columns)),
        StepNode::Exchange(Partitioning::Hash(keys)) => format!("hash=[{}]", input(0, keys)),
        StepNode::Exchange(Partitioning::Single) => "single".into(),
        StepNode::WindowAssign { time, windows, zone } => {
            format!("time=[{}], windows={windows:?}{}", input(0, &[*time]), in_zone(*zone))
        }
        StepNode::Combine(spec) => format!("by=[{}]", input(0, &spec.keys)),
        StepNode::Aggregate(spec) => {
            let calls: Vec<String> = spec.calls.iter().map(|c| c.output.name().clone()).collect();
            let calls = calls.join(", ");
            format!(
                "groupBy=[{}], select=[{calls}], emit={:?}",
                input(0, &spec.keys),
                spec.emission
            )
        }
        StepNode::Join(_) | StepNode::TemporalJoin(_) | StepNode::LookupJoin { .. } => {
            describe_join(plan)
        }
        StepNode::TopN(_)
        | StepNode::FirstRow(_)
        | StepNode::Over(_)
        | StepNode::MatchRecognize(_) => describe_ordered(plan),
        StepNode::Session(spec) => {
            let by = input(0, &spec.partition);
            let time = input(0, &[spec.time]);
            let zone = in_zone(spec.zone);
            format!("time=[{time}], gap={} ms, partitionBy=[{by}]{zone}", spec.gap)
        }
        StepNode::Unnest(spec) => format!("collection=[{}]", input(0, &[spec.column])),
        StepNode::Union | StepNode::ClockTime | StepNode::Consolidate => String::new(),
        StepNode::SetOperation(rule) => format!("{rule:?}"),
    };
    if body.is_empty() { name.into() } else { format!("{name}({body})") }
}

/// The zone of windows that are not cut in UTC.
fn in_zone(zone: LocalZone) -> String {
    zone.name().map(|name| format!(", zone={name}")).unwrap_or_default()
}

/// Operators over the rows of a partition in their order.
fn describe_ordered(plan: &StepPlan) -> String {
    let input = |columns: &[usize]| names(&plan.inputs[0], columns);
    match &plan.node {
        StepNode::TopN(spec) => {
            let by = input(&spec.partition);
            let order: Vec<usize> = spec.order.iter().map(|s| s.column).collect();
            let last = spec.last.map_or("unbounded".into(), |n| n.to_string());
            let range = format!("{}..{last}", spec.first);
            format!(
                "rank={:?} {range}, partitionBy=[{by}], orderBy=[{}]",
                spec.function,
                input(&order)
            )
        }
        StepNode::FirstRow(spec) => {
            let (by, time) = (input(&spec.partition), input(&[spec.time]));
            format!("partitionBy=[{by}], orderBy=[{time}], emit={:?}", spec.emission)
        }
        StepNode::Over(spec) => {
            let order: Vec<usize> = spec.order.iter().map(|s| s.column).collect();
            let calls: Vec<&str> =
                spec.functions.iter().map(|f| f.output.name().as_str()).collect();
            format!(
                "partitionBy=[{}], orderBy=[{}], select=[{}], emit={:?}",
                input(&spec.partition),
                input(&order),
                calls.join(", "),
                spec.emission
            )
        }
        StepNode::MatchRecognize(spec) => {
            let order: Vec<usize> = spec.order.iter().map(|s| s.column).collect();
            let within = spec.within.map(|ms| format!(", within={ms} ms")).unwrap_or_default();
            format!(
                "partitionBy=[{}], orderBy=[{}], variables=[{}], skip={:?}{within}",
                input(&spec.partition),
                input(&order),
                spec.variables.join(", "),
                spec.skip
            )
        }
        _ => String::new(),
    }
}

fn describe_join(plan: &StepPlan) -> String {
    let input = |at: usize, columns: &[usize]| names(&plan.inputs[at], columns);
    let body = |kind: &str, left: &[usize], right: &[usize], filter: Option<&Expression>| {
        let filter = filter.map(|f| format!(", where=[{f}]")).unwrap_or_default();
        format!("kind={kind}, on=[({}) = ({})]{filter}", input(0, left), input(1, right))
    };
    let as_of = |keep_unmatched: bool| if keep_unmatched { "Left" } else { "Inner" };
    match &plan.node {
        StepNode::Join(spec) => {
            let kind = format!("{:?}", spec.kind);
            body(&kind, &spec.left_keys, &spec.right_keys, spec.filter.as_ref())
        }
        StepNode::TemporalJoin(spec) => {
            let kind = as_of(spec.keep_unmatched);
            let time = match spec.time {
                TemporalTime::Event { probe_time, version_time } => {
                    let (probe, version) = (input(0, &[probe_time]), input(1, &[version_time]));
                    format!("time=[{probe}], versions=[{version}]")
                }
                TemporalTime::Processing => "time=processing".into(),
            };
            let on = body(kind, &spec.probe_keys, &spec.version_keys, spec.filter.as_ref());
            format!("{on}, {time}, emit={:?}", spec.emission)
        }
        StepNode::LookupJoin { spec, .. } => {
            let kind = as_of(spec.keep_unmatched);
            body(kind, &spec.probe_keys, &spec.table_keys, spec.filter.as_ref())
        }
        _ => String::new(),
    }
}

/// What an operator keeps between steps, and until when.
fn state(plan: &StepPlan) -> Option<String> {
    Some(match &plan.node {
        StepNode::Aggregate(spec) if spec.window.is_some() => {
            "groups, until their window ends".into()
        }
        StepNode::Aggregate(_) => "groups, kept".into(),
        StepNode::Join(spec) => match spec.retention {
            Some(retention) => format!("rows of both sides, {retention:?}"),
            None => "rows of both sides, kept".into(),
        },
        StepNode::TemporalJoin(_) => "versions and rows, until the watermarks have passed".into(),
        StepNode::LookupJoin { .. } => "rows of the table, kept".into(),
        StepNode::TopN(spec) => match (spec.input_insert_only, spec.last) {
            (true, Some(n)) => format!("first {n} rows of each partition"),
            _ => "all rows of each partition".into(),
        },
        StepNode::FirstRow(_) => "rows until the watermark has passed them, then their keys".into(),
        StepNode::Over(spec) if spec.event_time.is_some() => {
            "rows of each partition, until no later row can see them".into()
        }
        StepNode::Over(_) => "all rows of each partition".into(),
        StepNode::MatchRecognize(_) => "rows from the start of the running match on".into(),
        StepNode::Session(_) => "rows of open sessions".into(),
        StepNode::SetOperation(_) => "a count for each different row, kept".into(),
        _ => return None,
    })
}
