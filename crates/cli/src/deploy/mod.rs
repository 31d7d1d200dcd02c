//! `rialto deploy`: a project on a Flink cluster.
//!
//! - `arguments.rs`: what a user may type
//! - `check.rs`: the fixtures of a project on both sides
//! - `jobs.rs`: the part of `rialto jobs` that is about Flink

mod arguments;
mod check;
mod jobs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rialto_flink::cluster::{Cluster, Stop};
use rialto_flink::deploy::{Change, Deployed, Options, deploy as submit};
use rialto_flink::record::{self, Record};
use rialto_flink::{Config, Rendered, Trouble, Verdict, Writer, render, totals};
use serde_json::json;

use crate::args::{Answer, JobArguments};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;
use crate::project::open_with;
use crate::sql;

pub use arguments::Deploy;
use arguments::{DeployCommand, Flink, OfJob, Rendering, Target, Upgrade};
pub use jobs::{of_gateway, of_record};

/// Does what is to be done with a project on a cluster.
pub fn deploy(command: &Deploy, stdout: &Stdout) -> Result<()> {
    match &command.command {
        DeployCommand::Flink(command) => flink(command, stdout),
        DeployCommand::Check(command) => check::check(command, stdout),
        DeployCommand::Upgrade(command) => upgrade(command, stdout),
        DeployCommand::Savepoint(command) => savepoint(command, stdout),
        DeployCommand::Cancel(command) => cancel(command, stdout),
    }
}

/// What a cluster refused, as a user reads it.
fn told(trouble: Trouble) -> Failure {
    let hint = trouble.hint.as_ref().map(|h| format!("hint: {h}\n")).unwrap_or_default();
    let text = format!("error: {trouble}\n{hint}");
    if trouble.is_request { Failure::Request(text) } else { Failure::Job(text) }
}

fn flink(command: &Flink, stdout: &Stdout) -> Result<()> {
    let rendered = rendered(&command.rendering, stdout)?;
    match &command.gateway {
        None => {
            if command.rendering.script.is_none() && command.rendering.output == Answer::Text {
                stdout.text(&rendered.script())?;
            }
            if command.rendering.output == Answer::Json {
                stdout.line(&as_json(&rendered).to_string())?;
            }
            told_report(&rendered);
            portable(&rendered)
        }
        Some(gateway) => {
            portable(&rendered).inspect_err(|_| told_report(&rendered))?;
            let options = Options {
                project: &command.rendering.project.project,
                gateway,
                rest: command.target.rest.as_deref(),
                change: Change::Refuse,
                savepoints: None,
                limit: Duration::from_secs(command.target.timeout),
            };
            let done = submit(&rendered, &options).map_err(told)?;
            print_deployed(&rendered, &done, command.rendering.output, stdout)
        }
    }
}

fn upgrade(command: &Upgrade, stdout: &Stdout) -> Result<()> {
    let rendered = rendered(&command.rendering, stdout)?;
    portable(&rendered).inspect_err(|_| told_report(&rendered))?;
    let last = of_project(&command.rendering.project.project)?;
    let Target { rest, timeout } = &command.target;
    let options = Options {
        project: &command.rendering.project.project,
        gateway: command.gateway.as_deref().unwrap_or(&last.gateway),
        rest: rest.as_deref(),
        change: if command.drop_state { Change::UpgradeAndDrop } else { Change::Upgrade },
        savepoints: command.savepoints.as_deref(),
        limit: Duration::from_secs(*timeout),
    };
    let done = submit(&rendered, &options).map_err(told)?;
    print_deployed(&rendered, &done, command.rendering.output, stdout)
}

/// Renders a project, and writes the files that are asked for.
fn rendered(command: &Rendering, stdout: &Stdout) -> Result<Rendered> {
    let path = &command.project.project;
    let variables = command.project.variables.iter();
    let variables: Vec<_> = variables.map(|v| (v.0.clone(), v.1.clone())).collect();
    let project = open_with(path, &variables)?;
    let config = Config::read(&project.base_dir, command.config.as_deref());
    let config = config.map_err(|error| Failure::request(error, None))?;
    let name = config.name.clone().unwrap_or_else(|| name_of(path));
    let mut runtime = sql::runtime(&project.base_dir, &JobArguments::default(), stdout);
    let rendered = render(&project, &name, &config, &mut runtime).map_err(|refused| {
        Failure::sql(&refused.error, &refused.text, &refused.path.display().to_string())
    })?;
    let write = |file: &Option<PathBuf>, text: String| match file {
        None => Ok(()),
        Some(file) => std::fs::write(file, text).map_err(|error| {
            Failure::request(format!("cannot write {}: {error}", file.display()), None)
        }),
    };
    write(&command.script, rendered.script())?;
    write(&command.local, rendered.local_script())?;
    Ok(rendered)
}

/// A project is called by its folder, or by its file.
fn name_of(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let name = if path.is_dir() { whole.file_name() } else { whole.file_stem() };
    name.map_or_else(|| "rialto".into(), |name| name.to_string_lossy().into_owned())
}

fn portable(rendered: &Rendered) -> Result<()> {
    if rendered.is_portable() {
        return Ok(());
    }
    let hint = "change these statements, or say in flink.toml what their tables are on Flink";
    Err(Failure::request("the project cannot go to Flink as it stands", Some(hint)))
}

/// The report goes where errors go, so that the script can be piped.
fn told_report(rendered: &Rendered) {
    for finding in &rendered.findings {
        tell(&format!("{finding}\n"));
    }
    for topic in &rendered.topics {
        let (who, whom) = match topic.writer {
            Writer::Rialto => ("Rialto", "Flink"),
            Writer::Flink => ("Flink", "Rialto"),
        };
        let policy = if topic.is_compacted { "compact" } else { "delete" };
        let name = &topic.name;
        let of = &topic.of;
        tell(&format!("topic {name}: {of}, from {who} to {whom}, cleanup.policy={policy}\n"));
    }
    tell(&format!("{}\n", totals(&rendered.findings)));
}

fn as_json(rendered: &Rendered) -> serde_json::Value {
    let findings: Vec<_> = rendered
        .findings
        .iter()
        .map(|f| {
            let verdict = match f.verdict {
                Verdict::Same => "same",
                Verdict::Mapped => "mapped",
                Verdict::NotPortable => "not_portable",
            };
            let file = f.file.display().to_string();
            let (line, what, why) = (f.line, &f.what, &f.why);
            json!({ "file": file, "line": line, "verdict": verdict, "what": what, "why": why })
        })
        .collect();
    let topics: Vec<_> = rendered
        .topics
        .iter()
        .map(|t| {
            let writer = if t.writer == Writer::Flink { "flink" } else { "rialto" };
            json!({ "name": t.name, "of": t.of, "writer": writer, "compacted": t.is_compacted })
        })
        .collect();
    json!({
        "name": rendered.name, "portable": rendered.is_portable(), "findings": findings,
        "topics": topics, "script": rendered.script(), "local": rendered.local_script(),
    })
}

fn print_deployed(
    rendered: &Rendered,
    done: &Deployed,
    output: Answer,
    stdout: &Stdout,
) -> Result<()> {
    let Deployed { is_new, job, state, rest, savepoint } = done;
    if output == Answer::Json {
        let line = json!({
            "job": job, "state": state, "rest": rest, "submitted": is_new, "savepoint": savepoint,
        });
        return Ok(stdout.line(&line.to_string())?);
    }
    let name = &rendered.name;
    let from = savepoint.as_ref().map(|s| format!(", from {s}")).unwrap_or_default();
    stdout.line(&match is_new {
        true => format!("'{name}' is job {job} on {rest}, {state}{from}"),
        false => format!("nothing to do: '{name}' is job {job} on {rest}, {state}"),
    })?;
    Ok(())
}

/// What was deployed last of a project; none where nothing ever was.
pub fn deployed(project: &Path) -> Result<Option<Record>> {
    Record::read(project).map_err(told)
}

/// What was deployed last of a project that must have been.
fn of_project(project: &Path) -> Result<Record> {
    deployed(project)?.ok_or_else(|| {
        let message = format!("nothing of {} was deployed", project.display());
        let hint = format!("`rialto deploy flink` writes {}", record::path(project).display());
        Failure::request(message, Some(&hint))
    })
}

/// The job that is meant, its cluster, and the record that is about it.
fn job_of(command: &OfJob) -> Result<(Cluster, String, Option<Record>)> {
    if let (Some(job), Some(rest)) = (&command.job, &command.rest) {
        return Ok((Cluster::new(rest).map_err(told)?, job.clone(), None));
    }
    let record = of_project(&command.project)?;
    let Some(job) = record.job.clone() else {
        let hint = "`rialto deploy flink` goes on from its last savepoint";
        let message = format!("'{}' has no job now", record.name);
        return Err(Failure::request(message, Some(hint)));
    };
    let cluster = Cluster::new(&record.rest).map_err(told)?;
    Ok((cluster, job, Some(record)))
}

fn savepoint(command: &OfJob, stdout: &Stdout) -> Result<()> {
    let (cluster, job, _) = job_of(command)?;
    let limit = Duration::from_secs(command.timeout);
    let taken = cluster.savepoint(&job, command.savepoints.as_deref(), Stop::No, limit);
    let taken = taken.map_err(told)?;
    match command.output {
        Answer::Json => stdout.line(&json!({ "job": job, "savepoint": taken }).to_string())?,
        Answer::Text => stdout.line(&taken)?,
    }
    Ok(())
}

fn cancel(command: &OfJob, stdout: &Stdout) -> Result<()> {
    let (cluster, job, record) = job_of(command)?;
    let state = cluster.cancel(&job, Duration::from_secs(command.timeout)).map_err(told)?;
    if let Some(mut record) = record {
        record.job = None;
        record.write(&command.project).map_err(told)?;
    }
    match command.output {
        Answer::Json => stdout.line(&json!({ "job": job, "state": state }).to_string())?,
        Answer::Text => stdout.line(&format!("job {job} is {state}"))?,
    }
    Ok(())
}
