//! `rialto jobs`: how jobs on Flink are, those of a cluster and the one of a project.

use rialto_flink::cluster::{Cluster, GONE, JobState};
use rialto_flink::deploy;
use rialto_flink::record::Record;
use serde_json::{Value, json};

use super::told;
use crate::args::Answer;
use crate::failure::Result;
use crate::output::{Stdout, thousands};

/// Prints the jobs of the cluster behind a SQL Gateway, or behind the REST of a cluster itself.
pub fn of_gateway(url: &str, output: Answer, stdout: &Stdout) -> Result<()> {
    let rest = deploy::rest_of(url).map_err(told)?;
    let cluster = Cluster::new(&rest).map_err(told)?;
    let jobs = cluster.jobs().map_err(told)?;
    for (number, [id, ..]) in jobs.iter().enumerate() {
        if output == Answer::Text && number > 0 {
            stdout.line("")?;
        }
        print(&cluster, id, output, stdout)?;
    }
    if jobs.is_empty() && output == Answer::Text {
        stdout.line(&format!("no job on {rest}"))?;
    }
    Ok(())
}

/// Prints the job that a project was deployed as.
pub fn of_record(record: &Record, output: Answer, stdout: &Stdout) -> Result<()> {
    let Record { rest, name, savepoint, .. } = record;
    let absent = |job: &Option<String>, state: &str, why: String| match output {
        Answer::Json => stdout.line(
            &json!({ "cluster": rest, "job": job, "name": name, "state": state,
                "savepoint": savepoint })
            .to_string(),
        ),
        Answer::Text => stdout.text(&why),
    };
    let Some(job) = &record.job else {
        let from = savepoint.as_ref().map(|s| format!("; the next goes on from {s}"));
        let why = format!("job         none of '{name}' on {rest}{}\n", from.unwrap_or_default());
        return Ok(absent(&None, "NONE", why)?);
    };
    let cluster = Cluster::new(rest).map_err(told)?;
    if cluster.state(job).map_err(told)? == GONE {
        let why = format!(
            "job         {job} '{name}' on {rest}\nstate       {GONE}: the cluster does not know \
             it any more (`rialto deploy flink` says what to do)\n"
        );
        return Ok(absent(&record.job, GONE, why)?);
    }
    print(&cluster, job, output, stdout)
}

fn print(cluster: &Cluster, job: &str, output: Answer, stdout: &Stdout) -> Result<()> {
    let job = cluster.job(job).map_err(told)?;
    match output {
        Answer::Json => stdout.line(&as_json(cluster.rest(), &job).to_string())?,
        Answer::Text => stdout.text(&as_text(cluster.rest(), &job))?,
    }
    Ok(())
}

fn as_json(rest: &str, job: &JobState) -> Value {
    let vertices: Vec<Value> = job
        .vertices
        .iter()
        .map(|v| {
            json!({ "name": v.name, "read": v.read, "written": v.written, "rows_per_s": v.rate })
        })
        .collect();
    json!({
        "cluster": rest, "job": job.id, "name": job.name, "state": job.state,
        "duration_ms": job.duration_ms, "tasks_running": job.tasks.0, "tasks": job.tasks.1,
        "operators": vertices,
        "checkpoint": job.checkpoint.as_ref().map(|c| json!({
            "checkpoint": c.id, "taken_ms": c.at_ms, "bytes": c.bytes, "duration_ms": c.duration_ms,
        })),
        "failed_checkpoints": job.failed_checkpoints, "exception": job.exception,
    })
}

fn as_text(rest: &str, job: &JobState) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    lines.push(("job", format!("{} '{}' on {rest}", job.id, job.name)));
    let seconds = job.duration_ms as f64 / 1000.0;
    let (running, all) = job.tasks;
    lines.push(("state", format!("{}, {running} of {all} tasks, for {seconds:.1} s", job.state)));
    for vertex in &job.vertices {
        let name: String = vertex.name.chars().take(60).collect();
        let (read, written) = (thousands(vertex.read), thousands(vertex.written));
        let rate = thousands(vertex.rate as u64);
        lines.push(("operator", format!("{name}: {read} in, {written} out, {rate} rows/s")));
    }
    let failed = match job.failed_checkpoints {
        0 => String::new(),
        failed => format!("; {failed} failed"),
    };
    lines.push((
        "checkpoint",
        match &job.checkpoint {
            None => format!("none yet{failed}"),
            Some(c) => {
                let (kib, ms) = (c.bytes.div_ceil(1024), c.duration_ms);
                format!("{}, {} KiB in {ms} ms{failed}", c.id, thousands(kib))
            }
        },
    ));
    if let Some(exception) = &job.exception {
        lines.push(("exception", exception.clone()));
    }
    lines.iter().map(|(name, text)| format!("{name:<12}{text}\n")).collect()
}
