//! The figures in words: how far the job is, and what holds a view back.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use rialto_engine::Watermark;
use rialto_engine::executor::{NodeRole, ReaderFigures};
use serde_json::{Value, json};

use super::figures::{Figures, OutputFigures, SourceFigures, locked};
use super::prometheus::watermark;

/// So many readers of a source are told one by one.
const READERS_MAX: usize = 64;

/// A source without a row for this long is called silent.
const SILENT_MS: i64 = 10_000;

impl Figures {
    /// The source whose watermark is the least behind an output, and that watermark.
    pub(super) fn least_source(&self, output: &OutputFigures) -> Option<(&SourceFigures, i64)> {
        let sources = output.sources.iter().filter_map(|&s| self.sources.get(s));
        let timed = sources.filter(|s| s.has_time);
        let least = timed.min_by_key(|s| s.watermark.load(Relaxed))?;
        Some((least, watermark(least)?))
    }

    /// How the job stands, for people and for programs that ask for them.
    pub fn status(&self, now_ms: i64) -> Value {
        let checkpoints = locked(&self.checkpoints).clone();
        let readers = self.gauges.readers();
        let sources: Vec<Value> = (self.sources.iter().enumerate())
            .map(|(at, s)| self.source_status(s, readers.get(at).map_or(&[], |r| r), now_ms))
            .collect();
        let ends = self.ends();
        let outputs: Vec<Value> = (self.outputs.iter().enumerate())
            .filter(|(_, output)| !output.sources.is_empty())
            .map(|(at, output)| {
                let mut status = self.output_status(output, &readers, now_ms);
                status["node"] = json!(ends.get(&at));
                status
            })
            .collect();
        let late: u64 = locked(&self.late).values().sum();
        let kept = checkpoints.interval_ms.map(|interval| {
            json!({
                "interval_ms": interval,
                "last": checkpoints.durable.as_ref().map(|d| d.epoch),
                "age_ms": now_ms - checkpoints.durable_ms,
                "duration_ms": checkpoints.duration_ms,
                "pause_us": checkpoints.durable.as_ref().map(|d| d.pause_us),
                "changed_bytes": checkpoints.durable.as_ref().map(|d| d.changed_bytes),
                "alarm": self.alarm(now_ms).is_some(),
            })
        });
        json!({
            "at_ms": now_ms,
            "started_ms": self.started_ms,
            "steps": self.steps.load(Relaxed),
            "rows": self.rows.load(Relaxed),
            "late_rows": late,
            "catching_up": self.is_catching_up.load(Relaxed),
            "sources": sources,
            "outputs": outputs,
            "operators": self.operators(),
            "checkpoints": kept,
        })
    }

    fn source_status(&self, s: &SourceFigures, readers: &[ReaderFigures], now_ms: i64) -> Value {
        let last = s.last_row_ms.load(Relaxed);
        let time = watermark(s);
        let held_by = self.outputs.iter().filter(|o| o.is_behind.load(Relaxed));
        let held_by: Vec<&str> = held_by
            .filter(|o| o.sources.iter().any(|&at| std::ptr::eq(&self.sources[at], s)))
            .map(|o| o.name.as_str())
            .collect();
        json!({
            "name": s.name,
            "rows": s.rows.load(Relaxed),
            "dead_letters": s.dead.load(Relaxed),
            "last_row_ms": (last > 0).then_some(last),
            "watermark_ms": time,
            "lag_ms": time.map(|w| now_ms - w),
            "ended": s.watermark.load(Relaxed) == Watermark::MAX.0,
            "held_by": held_by,
            "bytes": readers.iter().map(|reader| reader.bytes).sum::<Option<u64>>(),
            "slowest_reader": slowest(s, readers),
            "readers": readers.iter().take(READERS_MAX).map(reader_status).collect::<Vec<_>>(),
        })
    }

    fn output_status(
        &self,
        output: &OutputFigures,
        readers: &[Vec<ReaderFigures>],
        now_ms: i64,
    ) -> Value {
        let backlog = locked(&output.backlog).clone();
        let least = self.least_source(output);
        json!({
            "name": output.name,
            "kind": if output.is_view { "view" } else { "sink" },
            "rows": output.rows.load(Relaxed),
            "backlog_epochs": backlog.epochs,
            "backlog_bytes": backlog.bytes,
            "away": backlog.away,
            "behind": output.is_behind.load(Relaxed),
            "watermark_ms": least.map(|(_, w)| w),
            "held_back_by": self.holder(output, readers, now_ms),
        })
    }

    /// Which source an output's event time waits for, and why, in words; none where nothing waits.
    fn holder(
        &self,
        output: &OutputFigures,
        readers: &[Vec<ReaderFigures>],
        now_ms: i64,
    ) -> Option<String> {
        let sources = output.sources.iter().filter_map(|&s| Some((s, self.sources.get(s)?)));
        let timed = sources.filter(|(_, s)| s.has_time);
        let (at, source) = timed.min_by_key(|(_, s)| s.watermark.load(Relaxed))?;
        let readers = readers.get(at).map_or(&[][..], Vec::as_slice);
        let slowest = slowest_of(readers).filter(|_| readers.len() > 1);
        let split = slowest.map_or(String::new(), |(number, reader)| {
            let reads = reader.reads.as_ref().map_or(String::new(), |r| format!(": {r}"));
            format!(" (reader {} of {}{reads})", number + 1, readers.len())
        });
        let name = format!("{}'{split}", source.name);
        let time = Watermark(source.watermark.load(Relaxed));
        if time == Watermark::MAX {
            return None;
        }
        if time == Watermark::MIN {
            let what = match source.rows.load(Relaxed) {
                0 => "has given no row yet",
                _ => "has a reader that has given no row yet",
            };
            return Some(format!("'{name} {what}: there is no watermark"));
        }
        let own = slowest.and_then(|(_, reader)| reader.last_row_ms);
        let silent = now_ms - own.unwrap_or_else(|| source.last_row_ms.load(Relaxed));
        let hint = "(a table that may be silent says so: 'scan.watermark.idle-timeout')";
        Some(match silent >= SILENT_MS {
            true => format!("'{name} has given no row for {} s {hint}", silent / 1000),
            false => format!("'{name}, whose rows are {} s old", (now_ms - time.0).max(0) / 1000),
        })
    }
}

/// The reader that the watermark of a source waits for, and its number.
fn slowest_of(readers: &[ReaderFigures]) -> Option<(usize, &ReaderFigures)> {
    let active = readers.iter().enumerate().filter(|(_, r)| !r.ended && !r.idle);
    active.min_by_key(|(_, r)| r.watermark)
}

fn slowest(source: &SourceFigures, readers: &[ReaderFigures]) -> Option<Value> {
    let (number, reader) = slowest_of(readers)?;
    source.has_time.then(|| {
        let mut value = reader_status(reader);
        value["number"] = json!(number);
        value["of"] = json!(readers.len());
        value
    })
}

fn reader_status(reader: &ReaderFigures) -> Value {
    let known = reader.watermark != Watermark::MIN.0 && reader.watermark != Watermark::MAX.0;
    json!({
        "reads": reader.reads,
        "watermark_ms": known.then_some(reader.watermark),
        "started": reader.started,
        "idle": reader.idle,
        "ended": reader.ended,
        "rows": reader.rows,
        "bytes": reader.bytes,
        "last_row_ms": reader.last_row_ms,
    })
}

impl Figures {
    /// The operator that gives each output its rows.
    fn ends(&self) -> BTreeMap<usize, usize> {
        let nodes = self.gauges.nodes().into_iter().enumerate();
        let ends = nodes.filter(|(_, node)| node.role == NodeRole::Output);
        let ends = ends.flat_map(|(node, _)| {
            let input = self.node_inputs.get(node).and_then(|inputs| inputs.first());
            let outputs = self.node_outputs.get(node).into_iter().flatten();
            outputs.filter_map(move |&output| Some((output, *input?)))
        });
        ends.collect()
    }

    /// What each operator does and keeps, the busiest first.
    fn operators(&self) -> Vec<Value> {
        let steps = self.gauges.steps().as_secs_f64();
        let nodes = self.gauges.nodes();
        let mut nodes: Vec<_> =
            nodes.iter().enumerate().filter(|(_, n)| n.role != NodeRole::Output).collect();
        nodes.sort_by_key(|(_, node)| std::cmp::Reverse(node.busy));
        let of = |(at, node): (usize, &rialto_engine::executor::NodeFigures)| {
            let share = if steps > 0.0 { node.busy.as_secs_f64() / steps } else { 0.0 };
            json!({
                "node": at,
                "name": node.name,
                "kind": match node.role {
                    NodeRole::Source(_) => "source",
                    NodeRole::Exchange => "exchange",
                    NodeRole::Operator | NodeRole::Output => "operator",
                },
                "outputs": self.outputs_of(at),
                "inputs": self.node_inputs.get(at),
                "share": (share * 1e4).round() / 1e4,
                "rows": node.rows,
                "state_rows": node.state_rows,
                "state_bytes": node.state_bytes,
            })
        };
        nodes.into_iter().map(of).collect()
    }
}
