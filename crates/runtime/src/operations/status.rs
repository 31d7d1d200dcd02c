//! The figures in words: how far the job is, and what holds a view back.

use std::sync::atomic::Ordering::Relaxed;

use rialto_engine::Watermark;
use serde_json::{Value, json};

use super::figures::{Figures, OutputFigures, ReaderFigures, SourceFigures, locked};
use super::prometheus::watermark;

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
        let newest = checkpoints.taken.as_ref().or(checkpoints.durable.as_ref());
        let readers = |source: usize| newest.and_then(|n| n.readers.get(source));
        let sources: Vec<Value> = (self.sources.iter().enumerate())
            .map(|(at, s)| {
                self.source_status(s, readers(at).map_or(&[][..], Vec::as_slice), now_ms)
            })
            .collect();
        let outputs: Vec<Value> = (self.outputs.iter().filter(|o| !o.sources.is_empty()))
            .map(|output| self.output_status(output, now_ms))
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
            "slowest_reader": slowest(s, readers),
        })
    }

    fn output_status(&self, output: &OutputFigures, now_ms: i64) -> Value {
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
            "held_back_by": self.holder(output, now_ms),
        })
    }

    /// Which source an output's event time waits for, and why, in words; none where nothing waits.
    fn holder(&self, output: &OutputFigures, now_ms: i64) -> Option<String> {
        let sources = output.sources.iter().filter_map(|&s| self.sources.get(s));
        let source = sources.filter(|s| s.has_time).min_by_key(|s| s.watermark.load(Relaxed))?;
        let name = &source.name;
        let time = Watermark(source.watermark.load(Relaxed));
        if time == Watermark::MAX {
            return None;
        }
        if time == Watermark::MIN {
            let what = match source.rows.load(Relaxed) {
                0 => "has given no row yet",
                _ => "has a reader that has given no row yet",
            };
            return Some(format!("'{name}' {what}: there is no watermark"));
        }
        let silent = now_ms - source.last_row_ms.load(Relaxed);
        let hint = "(a table that may be silent says so: 'scan.watermark.idle-timeout')";
        Some(match silent >= SILENT_MS {
            true => format!("'{name}' has given no row for {} s {hint}", silent / 1000),
            false => format!("'{name}', whose rows are {} s old", (now_ms - time.0).max(0) / 1000),
        })
    }
}

/// The reader that the watermark of a source waits for, when the last checkpoint was taken.
fn slowest(source: &SourceFigures, readers: &[ReaderFigures]) -> Option<Value> {
    let active = readers.iter().enumerate().filter(|(_, r)| !r.ended && !r.idle);
    let (number, reader) = active.min_by_key(|(_, r)| r.watermark)?;
    source.has_time.then(|| {
        let known = reader.watermark != Watermark::MIN.0;
        json!({
            "number": number,
            "of": readers.len(),
            "watermark_ms": known.then_some(reader.watermark),
            "started": reader.started,
            "rows": reader.rows,
        })
    })
}
