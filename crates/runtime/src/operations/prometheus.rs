//! The figures as metrics, in the text format of OpenMetrics.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rialto_engine::Watermark;
use rialto_engine::executor::{NodeFigures, NodeRole};

use super::figures::{Figures, SourceFigures, locked};

type Labels = Vec<(&'static str, String)>;

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

fn counter(
    registry: &mut Registry,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (Labels, u64)>,
) {
    let family = Family::<Labels, Counter>::default();
    for (labels, value) in values {
        if labels.is_empty() {
            let counter = Counter::<u64>::default();
            counter.inc_by(value);
            return registry.register(name, help, counter);
        }
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(name, help, family);
}

/// A counter of seconds.
fn seconds_counter(
    registry: &mut Registry,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (Labels, std::time::Duration)>,
) {
    let family = Family::<Labels, Counter<f64, AtomicU64>>::default();
    for (labels, value) in values {
        if labels.is_empty() {
            let counter = Counter::<f64, AtomicU64>::default();
            counter.inc_by(value.as_secs_f64());
            return registry.register(name, help, counter);
        }
        family.get_or_create(&labels).inc_by(value.as_secs_f64());
    }
    registry.register(name, help, family);
}

fn gauge(
    registry: &mut Registry,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for (labels, value) in values {
        if labels.is_empty() {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(value);
            return registry.register(name, help, gauge);
        }
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// The watermark of a source that has one, in epoch milliseconds.
pub(super) fn watermark(source: &SourceFigures) -> Option<i64> {
    let watermark = Watermark(source.watermark.load(Relaxed));
    let known = watermark != Watermark::MIN && watermark != Watermark::MAX;
    (source.has_time && known).then_some(watermark.0)
}

impl Figures {
    /// All metrics, as Prometheus reads them.
    pub fn metrics(&self, now_ms: i64) -> String {
        let mut registry = Registry::with_prefix("rialto");
        let r = &mut registry;
        let one = |value: u64| [(Labels::new(), value)];
        counter(r, ("steps", "Steps taken"), one(self.steps.load(Relaxed)));
        counter(r, ("rows", "Rows taken in, earlier runs included"), one(self.rows.load(Relaxed)));
        let up = seconds(now_ms - self.started_ms);
        gauge(r, ("uptime_seconds", "Since the job was started"), [(Labels::new(), up)]);
        let catching_up = f64::from(u8::from(self.is_catching_up.load(Relaxed)));
        let help = "Whether the last step took as much as a step takes at most";
        gauge(r, ("catching_up", help), [(Labels::new(), catching_up)]);
        let help = "How long steps with rows took";
        r.register_with_unit("step", help, Unit::Seconds, self.step_seconds.clone());
        self.source_metrics(r, now_ms);
        self.reader_metrics(r, now_ms);
        self.output_metrics(r);
        self.operator_metrics(r);
        self.checkpoint_metrics(r, now_ms);
        let mut text = String::new();
        // Writing to a string fails for want of memory alone.
        let _ = encode(&mut text, &registry);
        text
    }

    fn source_metrics(&self, r: &mut Registry, now_ms: i64) {
        let of = |value: &dyn Fn(&SourceFigures) -> u64| -> Vec<(Labels, u64)> {
            let one = |s: &SourceFigures| (labels([("source", &s.name)]), value(s));
            self.sources.iter().map(one).collect()
        };
        counter(r, ("source_rows", "Rows that a source gave"), of(&|s| s.rows.load(Relaxed)));
        let help = "Records that a source refused";
        counter(r, ("source_dead_letters", help), of(&|s| s.dead.load(Relaxed)));
        let timed = |value: &dyn Fn(i64) -> f64| -> Vec<(Labels, f64)> {
            let one =
                |s: &SourceFigures| Some((labels([("source", &s.name)]), value(watermark(s)?)));
            self.sources.iter().filter_map(one).collect()
        };
        let help = "The watermark of a source with an event time, in seconds since 1970";
        gauge(r, ("source_watermark_seconds", help), timed(&seconds));
        let help = "How far the watermark of a source is behind the clock";
        gauge(r, ("source_watermark_lag_seconds", help), timed(&|w| seconds(now_ms - w)));
        let idle = |s: &SourceFigures| {
            let last = s.last_row_ms.load(Relaxed);
            (last > 0).then(|| (labels([("source", &s.name)]), seconds(now_ms - last)))
        };
        let idle: Vec<(Labels, f64)> = self.sources.iter().filter_map(idle).collect();
        gauge(r, ("source_silence_seconds", "Since the last row of a source"), idle);
        let late = locked(&self.late);
        let late = late.iter().map(|(o, rows)| (labels([("operator", o)]), *rows));
        counter(r, ("late_rows", "Rows that came too late for an operator"), late);
    }

    fn reader_metrics(&self, r: &mut Registry, now_ms: i64) {
        let readers = self.gauges.readers();
        let sources = || self.sources.iter().zip(&readers);
        let bytes = sources().filter_map(|(source, readers)| {
            let bytes: Option<u64> = readers.iter().map(|reader| reader.bytes).sum();
            (!readers.is_empty()).then_some((labels([("source", &source.name)]), bytes?))
        });
        let help = "Bytes that a source read in this run, unpacked";
        counter(r, ("source_bytes", help), bytes.collect::<Vec<_>>());
        let timed = sources().filter(|(source, _)| source.has_time);
        let each = timed.flat_map(|(source, readers)| {
            readers.iter().enumerate().map(move |(number, reader)| (source, number, reader))
        });
        let each: Vec<_> = each.collect();
        let of = |source: &SourceFigures, number: usize| {
            labels([("source", &source.name), ("reader", &number.to_string())])
        };
        let known = each.iter().filter(|(_, _, reader)| reader.watermark != Watermark::MIN.0);
        let marks =
            known.map(|(source, number, reader)| (of(source, *number), seconds(reader.watermark)));
        let help = "The watermark of one reader of a source, in seconds since 1970";
        gauge(r, ("reader_watermark_seconds", help), marks.collect::<Vec<_>>());
        let silent = each.iter().filter_map(|(source, number, reader)| {
            Some((of(source, *number), seconds(now_ms - reader.last_row_ms?)))
        });
        let help = "Since the last row of one reader of a source";
        gauge(r, ("reader_silence_seconds", help), silent.collect::<Vec<_>>());
        let held = self.outputs.iter().filter(|o| o.is_behind.load(Relaxed)).flat_map(|output| {
            let sources = output.sources.iter().filter_map(|&s| self.sources.get(s));
            sources.map(|s| (labels([("source", &s.name), ("sink", &output.name)]), 1.0))
        });
        let help = "Sources that are not read until a sink has delivered more";
        gauge(r, ("source_held", help), held.collect::<Vec<_>>());
    }

    /// The names of the outputs that a node has a part in.
    pub(super) fn outputs_of(&self, node: usize) -> Vec<&str> {
        let outputs = self.node_outputs.get(node).into_iter().flatten();
        outputs.filter_map(|&at| self.outputs.get(at)).map(|o| o.name.as_str()).collect()
    }

    fn operator_metrics(&self, r: &mut Registry) {
        let nodes = self.gauges.nodes();
        let works = |node: &NodeFigures| node.role != NodeRole::Output;
        let nodes: Vec<(Labels, &NodeFigures)> = (nodes.iter().enumerate())
            .filter(|(_, node)| works(node))
            .map(|(at, node)| {
                let outputs = self.outputs_of(at).join(",");
                let at = at.to_string();
                (labels([("operator", &node.name), ("node", &at), ("outputs", &outputs)]), node)
            })
            .collect();
        let busy = nodes.iter().map(|(labels, node)| (labels.clone(), node.busy));
        let help = "How long an operator (of a source: reading it) worked in steps";
        seconds_counter(r, ("operator_seconds", help), busy);
        let rows = nodes.iter().map(|(labels, node)| (labels.clone(), node.rows));
        counter(r, ("operator_rows", "Rows that an operator gave"), rows);
        let keep = || nodes.iter().filter(|(_, node)| node.state_rows + node.state_bytes > 0);
        let rows = keep().map(|(labels, node)| (labels.clone(), node.state_rows as f64));
        gauge(r, ("operator_state_rows", "Rows, groups or entries of a state"), rows);
        let bytes = keep().map(|(labels, node)| (labels.clone(), node.state_bytes as f64));
        gauge(r, ("operator_state_bytes", "The memory of a state's columns and tables"), bytes);
        let steps = [(Labels::new(), self.gauges.steps())];
        let help = "How long all shards together were in steps";
        seconds_counter(r, ("steps_seconds", help), steps);
        let waits = [(Labels::new(), self.gauges.waits())];
        let help = "How much of that shards waited for one another";
        seconds_counter(r, ("exchange_wait_seconds", help), waits);
    }

    fn output_metrics(&self, r: &mut Registry) {
        let kind = |is_view: bool| if is_view { "view" } else { "sink" };
        let rows = self.outputs.iter().map(|o| {
            let of = labels([("output", o.name.as_str()), ("kind", kind(o.is_view))]);
            (of, o.rows.load(Relaxed))
        });
        counter(r, ("output_rows", "Rows that a view or sink was changed by"), rows);
        let busy = self.outputs.iter().map(|o| {
            let of = labels([("output", o.name.as_str()), ("kind", kind(o.is_view))]);
            (of, std::time::Duration::from_nanos(o.busy_ns.load(Relaxed)))
        });
        let help = "How long it took to hand changes on to a view or sink";
        seconds_counter(r, ("output_seconds", help), busy);
        let sinks = || self.outputs.iter().filter(|o| !o.is_view);
        let of = |name: &str| labels([("sink", name)]);
        let epochs = sinks().map(|o| (of(&o.name), locked(&o.backlog).epochs as f64));
        let help = "Epochs of a sink that are not known to be visible";
        gauge(r, ("sink_backlog_epochs", help), epochs);
        let bytes = sinks().map(|o| (of(&o.name), locked(&o.backlog).bytes as f64));
        gauge(r, ("sink_backlog_bytes", "What a sink still has to deliver"), bytes);
        let away =
            sinks().map(|o| (of(&o.name), f64::from(u8::from(locked(&o.backlog).away.is_some()))));
        gauge(r, ("sink_away", "Whether the outside of a sink takes nothing now"), away);
        let behind = sinks().map(|o| (of(&o.name), f64::from(u8::from(o.is_behind.load(Relaxed)))));
        let help = "Whether a sink has so much to deliver that its sources are not read";
        gauge(r, ("sink_behind", help), behind);
        let held = self.outputs.iter().filter_map(|o| {
            let (source, lag) = self.least_source(o)?;
            Some((labels([("output", o.name.as_str()), ("source", &source.name)]), seconds(lag)))
        });
        let help = "The least watermark behind a view or sink, and the source that it is of";
        gauge(r, ("output_watermark_seconds", help), held.collect::<Vec<_>>());
    }

    fn checkpoint_metrics(&self, r: &mut Registry, now_ms: i64) {
        let checkpoints = locked(&self.checkpoints).clone();
        if checkpoints.interval_ms.is_none() {
            return;
        }
        let help = "Checkpoints that became durable in this run";
        counter(r, ("checkpoints", help), [(Labels::new(), checkpoints.count)]);
        let none = |value: f64| [(Labels::new(), value)];
        let age = seconds(now_ms - checkpoints.durable_ms);
        gauge(r, ("checkpoint_age_seconds", "Since the last durable checkpoint"), none(age));
        let alarm = f64::from(u8::from(self.alarm(now_ms).is_some()));
        let help = "Whether no checkpoint became durable for three intervals";
        gauge(r, ("checkpoint_alarm", help), none(alarm));
        let Some(last) = checkpoints.durable else { return };
        gauge(r, ("checkpoint_epoch", "The last durable checkpoint"), none(last.epoch as f64));
        let duration = seconds(checkpoints.duration_ms);
        let help = "From when the last checkpoint was taken until it was durable";
        gauge(r, ("checkpoint_duration_seconds", help), none(duration));
        let pause = last.pause_us as f64 / 1e6;
        let help = "How long the job stood still for the last checkpoint";
        gauge(r, ("checkpoint_pause_seconds", help), none(pause));
        let help = "State that had changed since the checkpoint before the last";
        gauge(r, ("checkpoint_changed_bytes", help), none(last.changed_bytes as f64));
    }
}
