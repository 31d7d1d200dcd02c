//! `rialto bench`: what queries cost.
//!
//! - `nexmark.rs`: the queries of Nexmark, which the command brings along
//! - `once.rs`: one run, in a process of its own
//! - `process.rs`: what this process has used
//! - `figures.rs`: the figures of a run, printed
//! - `headline/`: what decisions bring in the simulated shop, which is another matter
//!
//! The command starts itself once for each run, so that a query's memory is its own and its time
//! includes all that a user waits for.

mod figures;
mod headline;
mod nexmark;
mod once;
mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::args::{Bench, OtherBench};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;
use figures::{Figures, Printer};

/// Measures every query and prints its figures.
pub fn bench(command: &Bench, stdout: &Stdout) -> Result<()> {
    if let Some(OtherBench::Headline(command)) = &command.other {
        return headline::headline(command, stdout);
    }
    if command.once {
        return once::once(command, stdout);
    }
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
    let shards = command.shards.map_or_else(cores, usize::from);
    let scratch = Scratch::new()?;
    let queries = queries(command, shards, &scratch.0)?;
    let mut printer = Printer::new(command, shards)?;
    printer.start(stdout)?;
    let mut failed = 0;
    for Query { name, path } in &queries {
        match measure(command, path, shards) {
            Ok(figures) => {
                printer.print(name, &figures, stdout)?;
                if figures.lost > 0 {
                    let lost = figures.lost;
                    tell(&format!("{name}: {lost} of the rows came too late or were unreadable\n"));
                }
            }
            Err(reason) => {
                failed += 1;
                tell(&format!("{name} failed: {}\n", reason.trim_end()));
            }
        }
    }
    printer.finish(stdout)?;
    match failed {
        0 => Ok(()),
        n => Err(Failure::Job(format!("error: {n} of {} queries failed\n", queries.len()))),
    }
}

/// A query and the project that it is.
struct Query {
    name: String,
    path: PathBuf,
}

/// Finds the projects that are named, and writes those that the command brings along.
fn queries(command: &Bench, shards: usize, scratch: &Path) -> Result<Vec<Query>> {
    let mut names = command.queries.clone();
    if names.is_empty() {
        names.extend(nexmark::QUERIES.iter().map(|(name, _)| (*name).to_owned()));
        if command.latency.is_some() {
            tell("q13 is left out: it reads a second input, which comes at no rate\n");
            names.retain(|name| name != "q13");
        }
    }
    // All names are looked at before events are made, which may take a while.
    if let Some(name) = names.iter().find(|n| !nexmark::knows(n) && !Path::new(n).exists()) {
        let message = format!("there is no project or file '{name}'");
        return Err(Failure::request(message, Some("the queries of Nexmark are q0 to q23")));
    }
    let mut events = None;
    if command.latency.is_none() && names.iter().any(|n| nexmark::knows(n)) {
        events = Some(nexmark::events(command, shards, scratch)?);
    }
    let query = |name: String| {
        let path = match nexmark::knows(&name) {
            true => nexmark::write(&name, events.as_deref(), scratch)?,
            false => PathBuf::from(&name),
        };
        Ok(Query { name, path })
    };
    names.into_iter().map(query).collect()
}

/// The best of some runs, or what one of them said when it failed.
fn measure(command: &Bench, path: &Path, shards: usize) -> std::result::Result<Figures, String> {
    let runs = if command.latency.is_some() { 1 } else { command.runs };
    let mut best: Option<Figures> = None;
    for _ in 0..runs {
        let figures = run_once(command, path, shards)?;
        if best.as_ref().is_none_or(|b| figures.cpu_s < b.cpu_s) {
            best = Some(figures);
        }
    }
    best.ok_or_else(|| "it was not run".into())
}

/// Runs a project in a process of its own.
fn run_once(command: &Bench, path: &Path, shards: usize) -> std::result::Result<Figures, String> {
    let program = std::env::current_exe().map_err(|e| format!("cannot find myself: {e}"))?;
    let mut run = Command::new(program);
    run.arg("bench").arg("--once").arg(path).args(["--shards", &shards.to_string()]);
    if let Some(data) = &command.data {
        run.arg("--data").arg(data);
    }
    if let Some(rate) = command.latency {
        run.args(["--latency", &rate.to_string(), "--seconds", &command.seconds.to_string()]);
    }
    for variable in &command.variables {
        run.arg("-D").arg(format!("{}={}", variable.0, variable.1));
    }
    let began = Instant::now();
    let run = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = run.output().map_err(|e| format!("cannot run: {e}"))?;
    let wall_s = began.elapsed().as_secs_f64();
    let told = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        return Err(if told.is_empty() { done.status.to_string() } else { told.into_owned() });
    }
    let found: Value = serde_json::from_slice(&done.stdout)
        .map_err(|_| "it printed what is no figure: a project that is measured must not print")?;
    Ok(Figures::new(&found, wall_s))
}

/// A folder for what is made; gone with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rialto-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| cannot_write(&path, &e))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's own place for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Job(format!("error: cannot write to {}: {error}\n", path.display()))
}
