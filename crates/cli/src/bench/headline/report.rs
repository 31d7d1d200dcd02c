//! Means over worlds, and how sure they are.

use serde_json::json;

use super::policy::{Field, Metric, Policy};
use super::trial::Outcome;

/// The two-sided 95 % quantile of Student's t for 1 to 30 degrees of freedom; the normal
/// distribution's beyond (Abramowitz and Stegun, table 26.10).
const T95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
const NORMAL95: f64 = 1.960;

/// A mean and the half of its 95 % confidence interval; none of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The interval is the mean, give or take this.
    pub margin: Option<f64>,
}

impl Estimate {
    /// Of independent values, one a world.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let margin = (n > 1).then(|| {
            let t = T95.get(n - 2).copied().unwrap_or(NORMAL95);
            t * (squares / (n - 1) as f64 / n as f64).sqrt()
        });
        Some(Self { mean, margin })
    }

    /// Whether no effect at all is within the interval.
    pub fn may_be_zero(&self) -> bool {
        self.margin.is_some_and(|margin| self.mean.abs() <= margin)
    }
}

/// What a policy did in one world, beside what happened without it.
pub struct Pair {
    /// The world without decisions.
    pub off: Outcome,
    /// The same world with them.
    pub on: Outcome,
}

/// What a policy did to one figure.
pub struct Effect {
    /// The figure without it, the mean of all worlds.
    pub off: f64,
    /// The figure with it.
    pub on: f64,
    /// By how many percent it is more, or, of a figure that is zero without it, by how much.
    pub lift: Option<Estimate>,
    /// The lift is no share but a difference.
    pub is_difference: bool,
}

/// Compares world by world: both worlds of a pair throw the same dice.
pub fn effect(metric: &Metric, pairs: &[Pair]) -> Effect {
    let value = |outcome: &Outcome| (metric.value)(&outcome.before, &outcome.after);
    let values: Vec<(f64, f64)> = pairs.iter().map(|p| (value(&p.off), value(&p.on))).collect();
    let is_difference = values.iter().any(|(off, _)| *off == 0.0);
    let lift = |(off, on): &(f64, f64)| match is_difference {
        true => on - off,
        false => (on - off) / off.abs() * 100.0,
    };
    let lifts: Vec<f64> = values.iter().map(lift).collect();
    let n = values.len().max(1) as f64;
    Effect {
        off: values.iter().map(|v| v.0).sum::<f64>() / n,
        on: values.iter().map(|v| v.1).sum::<f64>() / n,
        lift: Estimate::of(&lifts),
        is_difference,
    }
}

/// The lines of one policy, one a figure.
pub fn lines(field: &Field, policy: &Policy, null: bool, pairs: &[Pair]) -> Vec<String> {
    let metrics = field.metrics.iter().filter(|m| !null || m.is_null);
    let world = if null { "null" } else { "" };
    let line = |metric: &Metric| {
        let effect = effect(metric, pairs);
        let unit = if effect.is_difference { "  " } else { " %" };
        let lift = effect.lift.map_or("-".to_owned(), |lift| {
            let margin = lift.margin.map_or("?".to_owned(), |margin| format!("{margin:.1}"));
            format!("{:+.1} ± {margin}{unit}", lift.mean)
        });
        let verdict = match effect.lift {
            Some(lift) if lift.margin.is_none() => "",
            Some(lift) if lift.may_be_zero() => "about zero",
            Some(lift) if (lift.mean > 0.0) == metric.more_is_better => "better",
            Some(_) => "worse",
            None => "",
        };
        let claimed = metric.claimed.filter(|_| !null);
        let claimed = claimed.map_or(String::new(), |c| format!("{c:+.0} %"));
        format!(
            "{:<7} {:<18} {world:<5} {:<30} {:>12} {:>12} {lift:>20}  {verdict:<11}{claimed:>6}",
            field.name,
            policy.name,
            metric.name,
            shown(effect.off),
            shown(effect.on),
        )
    };
    metrics.map(line).map(|line| line.trim_end().to_owned()).collect()
}

/// Above the lines.
pub fn header() -> String {
    format!(
        "{:<7} {:<18} {:<5} {:<30} {:>12} {:>12} {:>20}  {:<11}{:>6}",
        "field", "policy", "world", "figure", "off", "on", "change", "that is", "claim"
    )
}

/// The same as one object.
pub fn object(field: &Field, policy: &Policy, is_null: bool, pairs: &[Pair]) -> serde_json::Value {
    let metrics = field.metrics.iter().filter(|m| !is_null || m.is_null);
    let figures = metrics.map(|metric| {
        let effect = effect(metric, pairs);
        json!({
            "figure": metric.name, "off": effect.off, "on": effect.on,
            "change": effect.lift.map(|l| l.mean), "margin": effect.lift.and_then(|l| l.margin),
            "unit": if effect.is_difference { "difference" } else { "percent" },
            "claimed_percent": metric.claimed,
        })
    });
    let decisions: usize = pairs.iter().map(|p| p.on.decisions).sum();
    json!({
        "field": field.name, "policy": policy.name, "null_world": is_null, "worlds": pairs.len(),
        "decisions": decisions, "figures": figures.collect::<Vec<_>>(),
    })
}

fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_of_students_t() {
        // Mean 3, deviation sqrt(2.5), five values: 2.776 × sqrt(2.5 / 5).
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(estimate.mean, 3.0);
        assert!((estimate.margin.unwrap() - 1.963).abs() < 0.001, "{estimate:?}");
        assert!(!estimate.may_be_zero());
        assert!(Estimate::of(&[-1.0, 1.1, 0.2]).unwrap().may_be_zero());
        assert_eq!(Estimate::of(&[2.0]).unwrap().margin, None);
        assert_eq!(Estimate::of(&[]), None);
    }
}
