//! The figures of a run, printed.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::args::{Answer, Bench};
use crate::failure::{Failure, Result};
use crate::output::{Stdout, thousands};
use crate::unreadable;

/// What a run took.
pub struct Figures {
    rows: u64,
    /// Rows that came too late, records that could not be read: they were not worked on.
    pub lost: u64,
    wall_s: f64,
    /// None, where the system does not tell.
    pub cpu_s: Option<f64>,
    peak_mb: Option<f64>,
    job_s: f64,
    /// Of a run at a rate: p50, p99 and the greatest, in milliseconds.
    latency_ms: Option<[f64; 3]>,
}

impl Figures {
    /// What the process of a run said, and how long it was there.
    pub fn new(found: &Value, wall_s: f64) -> Self {
        let number = |name: &str| found[name].as_f64();
        let count = |name: &str| found[name].as_u64().unwrap_or(0);
        let latency = [number("p50_ms"), number("p99_ms"), number("max_ms")];
        Self {
            rows: count("rows"),
            lost: count("late") + count("dead_letters"),
            wall_s,
            cpu_s: number("cpu_s"),
            peak_mb: number("peak_mb"),
            job_s: number("job_s").unwrap_or(wall_s),
            latency_ms: match latency {
                [Some(p50), Some(p99), Some(max)] => Some([p50, p99, max]),
                _ => None,
            },
        }
    }

    fn rows_per_s(&self) -> f64 {
        let seconds = if self.latency_ms.is_some() { self.job_s } else { self.wall_s };
        self.rows as f64 / seconds.max(1e-9)
    }

    fn rows_per_cpu_s(&self) -> Option<f64> {
        self.cpu_s.filter(|&s| s > 0.0).map(|s| self.rows as f64 / s)
    }
}

/// Prints the figures of each query, and how they compare with others.
pub struct Printer {
    json: bool,
    shards: usize,
    rate: Option<u64>,
    others: Option<HashMap<String, f64>>,
    ratios: Vec<f64>,
}

impl Printer {
    /// For the queries of a command.
    pub fn new(command: &Bench, shards: usize) -> Result<Self> {
        let others = command.against.as_deref().map(best_rates).transpose()?;
        let json = command.output == Answer::Json;
        Ok(Self { json, shards, rate: command.latency, others, ratios: Vec::new() })
    }

    /// Prints what stands above the figures.
    pub fn start(&self, stdout: &Stdout) -> Result<()> {
        if self.json {
            return Ok(());
        }
        let head = match (self.rate, &self.others) {
            (Some(_), _) => {
                format!("{:12} {:>12} {:>10} {:>10}", "query", "rows/s", "p50 ms", "p99 ms")
                    + &format!(" {:>10} {:>8} {:>8}", "max ms", "cores", "peak MB")
            }
            (None, others) => {
                format!("{:12} {:>12} {:>12} {:>12}", "query", "rows", "rows/s", "rows/CPU s")
                    + &format!(" {:>8} {:>8} {:>8}", "wall s", "CPU s", "peak MB")
                    + if others.is_some() { "    ratio" } else { "" }
            }
        };
        stdout.line(&head)?;
        Ok(stdout.flush()?)
    }

    /// Prints the figures of a query.
    pub fn print(&mut self, name: &str, figures: &Figures, stdout: &Stdout) -> Result<()> {
        let other = self.others.as_ref().and_then(|o| o.get(name).copied());
        let ratio = other.zip(figures.rows_per_cpu_s()).map(|(other, own)| own / other);
        self.ratios.extend(ratio);
        let line = match self.json {
            true => Value::Object(self.object(name, figures, ratio)).to_string(),
            false => line(name, figures, ratio),
        };
        stdout.line(&line)?;
        Ok(stdout.flush()?)
    }

    fn object(&self, name: &str, figures: &Figures, ratio: Option<f64>) -> Map<String, Value> {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| drop(object.insert(name.into(), value));
        put("system", "rialto".into());
        put("query", name.into());
        put("shards", self.shards.into());
        put("rows", figures.rows.into());
        put("wall_s", round(figures.wall_s).into());
        put("cpu_s", json!(figures.cpu_s.map(round)));
        put("peak_mb", json!(figures.peak_mb.map(f64::round)));
        put("rows_per_s", figures.rows_per_s().round().into());
        match figures.latency_ms {
            Some([p50, p99, max]) => {
                put("rate", json!(self.rate));
                put("p50_ms", round(p50).into());
                put("p99_ms", round(p99).into());
                put("max_ms", round(max).into());
            }
            None => put("rows_per_cpu_s", json!(figures.rows_per_cpu_s().map(f64::round))),
        }
        if let Some(ratio) = ratio {
            put("ratio", round(ratio).into());
        }
        object
    }

    /// Prints the mean of all ratios.
    pub fn finish(&self, stdout: &Stdout) -> Result<()> {
        if !self.json && !self.ratios.is_empty() {
            let logs: f64 = self.ratios.iter().map(|r| r.ln()).sum();
            let mean = (logs / self.ratios.len() as f64).exp();
            let of = self.ratios.len();
            stdout.line(&format!("geometric mean of {of} ratios of rows/CPU s: {mean:.2}"))?;
        }
        Ok(())
    }
}

fn line(name: &str, figures: &Figures, ratio: Option<f64>) -> String {
    let known = |value: Option<String>| value.unwrap_or_else(|| "?".into());
    let rate = |value: f64| thousands(value.round() as u64);
    let peak = known(figures.peak_mb.map(|mb| format!("{mb:.0}")));
    let per_s = rate(figures.rows_per_s());
    if let Some([p50, p99, max]) = figures.latency_ms {
        let cores = known(figures.cpu_s.map(|s| format!("{:.2}", s / figures.wall_s.max(1e-9))));
        return format!(
            "{name:12} {per_s:>12} {p50:>10.2} {p99:>10.2} {max:>10.2} {cores:>8} {peak:>8}"
        );
    }
    let rows = thousands(figures.rows);
    let per_cpu_s = known(figures.rows_per_cpu_s().map(rate));
    let (wall, cpu) = (figures.wall_s, known(figures.cpu_s.map(|s| format!("{s:.2}"))));
    let ratio = ratio.map(|r| format!(" {r:>8.2}")).unwrap_or_default();
    format!("{name:12} {rows:>12} {per_s:>12} {per_cpu_s:>12} {wall:>8.2} {cpu:>8} {peak:>8}")
        + &ratio
}

/// The best rows per CPU second of each query in a file of figures, an object a line.
fn best_rates(path: &Path) -> Result<HashMap<String, f64>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| unreadable(&path.display().to_string(), &error))?;
    let mut best: HashMap<String, f64> = HashMap::new();
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let run: Value = serde_json::from_str(line).unwrap_or_default();
        if let (Some(query), Some(rate)) = (run["query"].as_str(), run["rows_per_cpu_s"].as_f64()) {
            let known = best.entry(query.to_owned()).or_insert(rate);
            *known = known.max(rate);
        }
    }
    if best.is_empty() {
        return Err(Failure::request(
            format!("{} has no figures to compare with", path.display()),
            Some("it should hold what rialto bench -o json prints, or bench/flink/run.py"),
        ));
    }
    Ok(best)
}
