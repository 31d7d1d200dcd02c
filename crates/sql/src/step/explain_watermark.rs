//! What `EXPLAIN WATERMARK` prints: the way of the watermark from the tables to an output, which
//! operators wait for it, and what they give when it comes.

use std::collections::BTreeMap;
use std::fmt::Write;

use rialto_engine::operator::Emission;
use rialto_engine::operator::join::{JoinKind, JoinSpec, Retention};
use rialto_engine::operator::temporal_join::TemporalTime;

use super::{StepNode, StepPlan};
use crate::catalog::TableDef;

/// The path of an output's watermark: a first line that says what it waits for, then the operators
/// that have to do with it as an indented tree, the last one first, and the tables.
///
/// `idle` is the session's `table.exec.source.idle-timeout`, which counts where a table has none.
pub fn explain_watermark(plan: &StepPlan, idle: Option<&str>) -> String {
    let mut text = summary(plan);
    write_node(plan, idle, 1, &mut text);
    text
}

/// What is known of the tables that an output's watermark is made of.
#[derive(Default)]
struct Feeding<'p> {
    tables: BTreeMap<&'p str, &'p TableDef>,
    /// It follows the clock somewhere.
    clock: bool,
    /// Some operator holds rows back until the watermark comes.
    waits: bool,
}

fn collect<'p>(plan: &'p StepPlan, found: &mut Feeding<'p>) {
    found.waits |= meaning(plan).is_some_and(|m| m.waits);
    match &plan.node {
        StepNode::Scan { table, .. } => {
            found.tables.insert(&table.path.object, table);
        }
        StepNode::ClockTime => found.clock = true,
        _ => plan.inputs.iter().for_each(|input| collect(input, found)),
    }
}

fn summary(plan: &StepPlan) -> String {
    let mut found = Feeding::default();
    collect(plan, &mut found);
    let clock = if found.clock { Some("the clock".to_owned()) } else { None };
    let timed = found.tables.values().filter(|t| t.watermark.is_some());
    let mut of: Vec<String> = timed.map(|t| format!("'{}'", t.path.object)).collect();
    of.extend(clock);
    let untimed: Vec<&str> =
        found.tables.values().filter(|t| t.watermark.is_none()).map(|t| &*t.path.object).collect();
    let mut text = match (of.as_slice(), untimed.as_slice()) {
        ([], _) => "watermark: none, no table declares one".to_owned(),
        ([one], []) => format!("watermark: that of {one}"),
        (many, []) => format!("watermark: the least of {}", many.join(", ")),
        (many, untimed) => format!(
            "watermark: the least of {}, but none before the end of '{}', without a WATERMARK",
            many.join(", "),
            untimed.join("', '")
        ),
    };
    text.push_str(match found.waits {
        true => "\nrows wait for it: see the operators that hold back\n",
        false => "\nno row waits for it\n",
    });
    text
}

/// What an operator has to do with the watermark.
struct Meaning {
    /// It holds rows back until the watermark comes.
    waits: bool,
    text: String,
}

fn write_node(plan: &StepPlan, idle: Option<&str>, depth: usize, text: &mut String) {
    let indent = depth * 2;
    let mut below = depth;
    if let StepNode::Scan { table, .. } = &plan.node {
        let _ = writeln!(text, "{:indent$}{}", "", describe_table(table, idle));
        return;
    }
    if let Some(meaning) = meaning(plan) {
        let what = if meaning.waits { "holds back: " } else { "" };
        let name = plan.node.name();
        let _ = writeln!(text, "{:indent$}{name}: {what}{}", "", meaning.text);
        below += 1;
    } else if plan.inputs.len() > 1 {
        let name = plan.node.name();
        let _ = writeln!(text, "{:indent$}{name}: the least of its inputs; does not wait", "");
        below += 1;
    }
    plan.inputs.iter().for_each(|input| write_node(input, idle, below, text));
}

fn describe_table(table: &TableDef, idle: Option<&str>) -> String {
    let name = &table.path.object;
    let Some(watermark) = &table.watermark else {
        return format!("table '{name}': no WATERMARK, so none before its input ends");
    };
    let expression = watermark.expression.text.trim();
    let mut text = format!("table '{name}': WATERMARK FOR {} AS {expression}", watermark.column);
    if let Some(delay) = delay_of(expression, &watermark.column) {
        let _ = write!(text, ", delay {delay}");
    }
    let option = |key: &str| table.options.get(key);
    let own = option("scan.watermark.idle-timeout");
    let timeout = own.or(idle.filter(|t| t.trim_start_matches('0') != ""));
    match timeout {
        Some(timeout) => {
            let _ = write!(text, ", a reader that is silent for {timeout} is left out");
        }
        None => text.push_str(", a silent reader holds it back (no idle timeout)"),
    }
    if let Some(drift) = option("scan.watermark.alignment.max-drift") {
        let _ = write!(text, ", no reader runs more than {drift} ahead");
    }
    if let Some(ahead) = option("rialto.watermark.max-ahead") {
        let _ = write!(text, ", rows more than {ahead} ahead of the clock do not move it");
    }
    text
}

/// How far a watermark stays behind its column, where its expression says so plainly.
fn delay_of(expression: &str, column: &str) -> Option<String> {
    let bare = |text: &str| text.trim().trim_matches('`') == column;
    if bare(expression) {
        return Some("none".into());
    }
    let (left, right) = expression.split_once('-')?;
    let mut words = right.split_whitespace();
    let is_interval = words.next()?.eq_ignore_ascii_case("INTERVAL");
    let (number, unit) = (words.next()?, words.next()?);
    let number: f64 = number.trim_matches('\'').parse().ok()?;
    let plain = bare(left) && is_interval && words.next().is_none();
    plain.then(|| format!("{number} {}", unit.to_ascii_lowercase()))
}

fn meaning(plan: &StepPlan) -> Option<Meaning> {
    let is_final = |emission: Emission| emission == Emission::Final;
    let waits = |text: &str| Some(Meaning { waits: true, text: text.to_owned() });
    let passes = |text: &str| Some(Meaning { waits: false, text: text.to_owned() });
    match &plan.node {
        StepNode::Aggregate(spec) if spec.window.is_some() => match is_final(spec.emission) {
            true => waits("gives the rows of a window once, when the watermark reaches its end"),
            false => passes(
                "gives and corrects a window's rows as they come; the window is closed when the \
                 watermark reaches its end, and its rows are late from then on",
            ),
        },
        StepNode::TopN(spec) if spec.window_end.is_some() => match is_final(spec.emission) {
            true => waits("gives the ranks of a window once, when the watermark reaches its end"),
            false => passes(
                "gives and corrects a window's ranks as rows come; the window is closed when the \
                 watermark reaches its end",
            ),
        },
        StepNode::Join(spec) => join_meaning(spec),
        StepNode::TemporalJoin(spec) => match (spec.time, is_final(spec.emission)) {
            (TemporalTime::Processing, _) => None,
            (_, true) => {
                waits("answers a row when the least watermark of both inputs reaches its time")
            }
            (_, false) => passes(
                "answers a row at once and corrects it until the least watermark of both inputs \
                 has reached its time",
            ),
        },
        StepNode::FirstRow(spec) => match is_final(spec.emission) {
            true => waits("gives the first row of a key when the watermark reaches its time"),
            false => passes("gives a row at once; one at or behind the watermark is late"),
        },
        StepNode::Over(spec) if spec.event_time.is_some() => match is_final(spec.emission) {
            true => waits("gives a row when the watermark reaches its time"),
            false => {
                passes("gives and corrects rows as they come; behind the watermark they are late")
            }
        },
        StepNode::MatchRecognize(spec) => {
            let mut text = "gives a match when the watermark has passed its last row".to_owned();
            if let Some(within) = spec.within {
                let _ = write!(text, "; its output is {} behind", milliseconds(within));
            }
            waits(&text)
        }
        StepNode::Session(spec) => match is_final(spec.emission) {
            true => waits("gives the rows of a session once, when the watermark reaches its end"),
            false => passes(
                "gives and corrects rows as they come; a session is closed when the watermark \
                 reaches its end",
            ),
        },
        StepNode::ClockTime => passes("from here on the watermark is the clock"),
        _ => None,
    }
}

fn join_meaning(spec: &JoinSpec) -> Option<Meaning> {
    let alone = match spec.kind {
        JoinKind::Inner | JoinKind::LeftSemi => None,
        JoinKind::Left => Some("a left row without a match"),
        JoinKind::Right => Some("a right row without a match"),
        JoinKind::Full => Some("a row without a match"),
        JoinKind::LeftAnti => Some("a left row"),
    };
    let is_final = spec.emission == Emission::Final;
    match (spec.retention?, alone) {
        (Retention::Ttl { .. }, _) => None,
        (Retention::Window { .. }, _) if is_final => Some(Meaning {
            waits: true,
            text: "gives the rows of a window when the watermarks of both inputs reach its end"
                .into(),
        }),
        (Retention::Window { .. }, _) => Some(Meaning {
            waits: false,
            text: "answers at once; the window is closed when the watermarks reach its end".into(),
        }),
        (Retention::Interval { lower_ms, upper_ms, .. }, alone) => {
            let delay = lower_ms.saturating_neg().max(0).saturating_add(upper_ms.max(0));
            let behind = match delay {
                0 => String::new(),
                delay => format!("; its output is {} behind", milliseconds(delay)),
            };
            let end = "when the other input's watermark has passed all that it can match";
            let (waits, text) = match alone.filter(|_| is_final) {
                Some(alone) => (true, format!("gives pairs at once, {alone} {end}{behind}")),
                None => (false, format!("answers at once; a row is let go {end}{behind}")),
            };
            Some(Meaning { waits, text })
        }
    }
}

/// A time in the greatest unit that it is a whole number of.
fn milliseconds(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let unit = units.into_iter().find(|(unit, _)| ms != 0 && ms % unit == 0);
    unit.map_or_else(|| format!("{ms} ms"), |(unit, name)| format!("{} {name}", ms / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_of_a_plain_expression_is_told() {
        assert_eq!(delay_of("at", "at").as_deref(), Some("none"));
        assert_eq!(delay_of("`at` - INTERVAL '5' SECOND", "at").as_deref(), Some("5 second"));
        assert_eq!(delay_of("at - INTERVAL '1:30' MINUTE TO SECOND", "at"), None);
        assert_eq!(delay_of("CAST(x AS TIMESTAMP(3))", "at"), None);
        assert_eq!(milliseconds(5_000), "5 s");
        assert_eq!(milliseconds(90_000), "90 s");
        assert_eq!(milliseconds(3_600_000), "1 h");
        assert_eq!(milliseconds(1), "1 ms");
    }
}
