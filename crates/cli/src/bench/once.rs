//! One run: a project as one job, and what it took.

use std::path::Path;
use std::time::{Duration, Instant};

use rialto_runtime::engine::{Delta, Result as EngineResult};
use rialto_runtime::sql::parser::Statement;
use rialto_runtime::view::View;
use rialto_runtime::{Control, JobPlan, Observer, Runtime, StepSummary};
use serde_json::{Value, json};

use super::process;
use crate::args::{Bench, JobArguments};
use crate::failure::{Failure, Result};
use crate::output::Stdout;
use crate::project::{open_with, statements, without_place, wrong};
use crate::signals::Signals;
use crate::sql;

/// Rows of the first second are not measured: plans are cold, memory is new.
const WARM_UP: Duration = Duration::from_secs(1);

/// Runs the one project and prints a line of figures.
pub fn once(command: &Bench, stdout: &Stdout) -> Result<()> {
    let Some(path) = command.queries.first() else {
        return Err(Failure::request("there is nothing to run", None));
    };
    let mut variables: Vec<(String, String)> =
        command.variables.iter().map(|v| (v.0.clone(), v.1.clone())).collect();
    if let Some(data) = &command.data {
        variables.push(("DATA".into(), data.display().to_string()));
    }
    if let Some(rate) = command.latency {
        variables.push(("RATE".into(), rate.to_string()));
    }
    let project = open_with(Path::new(path), &variables)?;
    let job = JobArguments { shards: command.shards, ..JobArguments::default() };
    let mut runtime = sql::runtime(&project.base_dir, &job, stdout);
    let mut plan = JobPlan::default();
    for (file, statement) in statements(&project) {
        add(&mut runtime, &mut plan, statement, command.latency.is_some())
            .map_err(|e| wrong(&e, statement, file))?;
    }
    if plan.is_empty() {
        let hint = "write an INSERT, a CREATE MATERIALIZED VIEW or a SELECT";
        return Err(Failure::request("there is nothing to measure", Some(hint)));
    }
    let control = Signals::for_command()?.control();
    let mut job = runtime.start(&plan).map_err(|e| without_place(&e))?;
    let views = (0..plan.len()).map(|at| plan.view(at)).collect::<EngineResult<_>>()?;
    let pace = command
        .latency
        .map(|rate| Pace::new(rate as f64, Duration::from_secs(command.seconds), control.clone()));
    let mut observer = Readable { views, pace };
    let began = Instant::now();
    let summary = job.run(&control, &mut observer)?;
    let mut found = json!({
        "rows": summary.rows,
        "steps": summary.steps,
        "late": summary.late,
        "dead_letters": summary.dead_letters,
        "job_s": began.elapsed().as_secs_f64(),
        "cpu_s": process::cpu_seconds(),
        "peak_mb": process::peak_megabytes(),
    });
    if let Some(pace) = observer.pace {
        pace.report(&mut found)?;
    }
    stdout.line(&found.to_string())?;
    Ok(())
}

/// Plans a statement. Where latency is measured, what an insert would write is kept as a view.
fn add(
    runtime: &mut Runtime,
    plan: &mut JobPlan,
    statement: &rialto_runtime::sql::parser::ParsedStatement,
    as_views: bool,
) -> rialto_runtime::sql::error::Result<()> {
    let inserts = match &statement.statement {
        Statement::Insert(insert) if as_views => std::slice::from_ref(insert),
        Statement::StatementSet(inserts) if as_views => inserts.as_slice(),
        _ => return runtime.plan(statement, plan).map(drop),
    };
    inserts.iter().try_for_each(|insert| plan.add_query(runtime.session(), &insert.source))
}

/// Keeps every view of the job so that it can be read.
struct Readable {
    views: Vec<View>,
    pace: Option<Pace>,
}

impl Observer for Readable {
    fn changed(&mut self, output: usize, delta: &Delta, _: u64) -> EngineResult<()> {
        self.views[output].apply(delta)
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> EngineResult<()> {
        if let Some(pace) = &mut self.pace {
            pace.stepped(summary.rows);
        }
        Ok(())
    }
}

/// Rows that come at a rate: row n is due n/rate seconds after the start, and it is in the views
/// when the step that took it has ended.
struct Pace {
    rate: f64,
    lasts: Duration,
    control: Control,
    started: Instant,
    rows: u64,
    latencies_ms: Vec<f64>,
    /// More rows came than were due: which row is due when cannot be said.
    too_many: bool,
}

impl Pace {
    fn new(rate: f64, lasts: Duration, control: Control) -> Self {
        let (started, latencies_ms) = (Instant::now(), Vec::new());
        Self { rate, lasts, control, started, rows: 0, latencies_ms, too_many: false }
    }

    fn stepped(&mut self, rows: u64) {
        let now = self.started.elapsed();
        for row in self.rows..self.rows + rows {
            let due_s = row as f64 / self.rate;
            if due_s >= WARM_UP.as_secs_f64() {
                self.latencies_ms.push(((now.as_secs_f64() - due_s) * 1000.0).max(0.0));
            }
        }
        self.rows += rows;
        // A row is due at the very start; a paced source gives nothing before it is due.
        self.too_many |= self.rows as f64 > now.as_secs_f64() * self.rate + 1.0;
        if now >= self.lasts || self.too_many {
            self.control.stop();
        }
    }

    /// Adds the percentiles to the figures.
    fn report(mut self, found: &mut Value) -> Result<()> {
        if self.too_many {
            return Err(Failure::request(
                "more rows came than were due, so that their latency cannot be told",
                Some("the project must read one source, which gives ${RATE} rows a second"),
            ));
        }
        self.latencies_ms.sort_unstable_by(f64::total_cmp);
        if self.latencies_ms.is_empty() {
            let reason = "no row came after the first second";
            return Err(Failure::Job(format!("error: {reason}: does the input keep the rate?\n")));
        }
        for (name, share) in [("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0)] {
            found[name] = percentile(&self.latencies_ms, share).into();
        }
        found["measured_rows"] = self.latencies_ms.len().into();
        Ok(())
    }
}

/// The least value that so large a share of the sorted values does not exceed.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 0.5), 100.0);
        assert_eq!(percentile(&sorted, 0.99), 198.0);
        assert_eq!(percentile(&sorted, 1.0), 200.0);
        assert_eq!(percentile(&[7.0], 0.5), 7.0);
    }
}
