//! `rialto jobs` and `rialto checkpoint`: jobs that run, seen from outside by their state folders.
//! Of a project that was deployed to Flink the job there is shown as well.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use rialto_runtime::letters::{Book, Status};
use serde_json::{Value, json};

use crate::args::{Answer, Checkpoint, Jobs};
use crate::failure::{Failure, Result};
use crate::output::{Stdout, thousands};
use crate::project::operate::{ANSWER, REQUEST, STATUS, now_ms, replace};
use crate::project::{newest_checkpoint, state, state_of};

/// How often is looked for an answer.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// So many operators are shown, the busiest ones, of those that take so much of the steps.
const OPERATORS_MAX: usize = 5;
const SHARE_MIN: f64 = 0.05;

/// Whether a run has the state folder now. Where there is no lock no job ever ran.
pub fn is_running(state: &Path) -> std::io::Result<bool> {
    let path = state.join("lock");
    if !path.exists() {
        return Ok(false);
    }
    match File::open(path)?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn unreadable(state: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Job(format!("error: cannot read the state in {}: {error}\n", state.display()))
}

/// How a job stood a moment ago, or when it ended; null where it never said so.
pub fn last_status(state: &Path) -> Value {
    let text = std::fs::read_to_string(state.join(STATUS)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Says how jobs are.
pub fn jobs(command: &Jobs, stdout: &Stdout) -> Result<()> {
    for (number, folder) in command.states.iter().enumerate() {
        // A project may run here, on Flink, or on both sides of its topics.
        let deployed = crate::deploy::deployed(folder)?;
        let state = match (state_of(folder), &deployed) {
            (Ok(state), _) => state,
            (Err(_), Some(record)) => {
                if number > 0 && command.output == Answer::Text {
                    stdout.line("")?;
                }
                crate::deploy::of_record(record, command.output, stdout)?;
                continue;
            }
            (Err(error), None) => return Err(error),
        };
        let found = gather(&state)?;
        match command.output {
            Answer::Json => stdout.line(&found.to_string())?,
            Answer::Text => {
                if number > 0 {
                    stdout.line("")?;
                }
                stdout.text(&describe(&found))?;
            }
        }
        if let Some(record) = &deployed {
            if command.output == Answer::Text {
                stdout.line("")?;
            }
            crate::deploy::of_record(record, command.output, stdout)?;
        }
    }
    if let Some(gateway) = &command.gateway {
        if command.output == Answer::Text && !command.states.is_empty() {
            stdout.line("")?;
        }
        crate::deploy::of_gateway(gateway, command.output, stdout)?;
    }
    Ok(())
}

/// All that is known of the job of a state folder.
fn gather(state: &Path) -> Result<Value> {
    let running = is_running(state).map_err(|e| unreadable(state, &e))?;
    let newest = newest_checkpoint(state).map_err(|e| unreadable(state, &e))?;
    let book = Book::read(state).map_err(|e| unreadable(state, &e))?;
    let count = |status| book.letters().filter(|l| l.status == status && !l.is_earlier).count();
    let finished = newest.as_ref().is_some_and(|m| m.finished);
    let job = match (running, finished, &newest) {
        (true, ..) => "running",
        (false, true, _) => "finished",
        (false, false, Some(_)) => "stopped",
        (false, false, None) => "new",
    };
    Ok(json!({
        "state": state.display().to_string(),
        "job": job,
        "checkpoint": newest.as_ref().map(|m| json!({
            "checkpoint": m.epoch, "taken_ms": m.taken_ms, "rows": m.summary.rows,
            "steps": m.summary.steps, "late": m.summary.late, "shards": m.shards,
            "outputs": state::digests(m),
        })),
        "dead_letters": {
            "open": count(Status::Open), "waiting": count(Status::Waiting),
            "redriven": count(Status::Redriven), "discarded": count(Status::Discarded),
        },
        "status": last_status(state),
    }))
}

fn time(milliseconds: &Value) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_millis(milliseconds.as_i64()?)?;
    Some(time.format("%F %T%.3f UTC").to_string())
}

fn seconds(milliseconds: i64) -> String {
    format!("{:.1} s", milliseconds as f64 / 1000.0)
}

fn describe(found: &Value) -> String {
    let status = &found["status"];
    let is_running = found["job"] == "running";
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |name: &str, text: String| lines.push((name.to_owned(), text));
    line("state", found["state"].as_str().unwrap_or_default().to_owned());
    let mut job = found["job"].as_str().unwrap_or_default().to_owned();
    if is_running && let Some(pid) = status["pid"].as_u64() {
        let since = time(&status["started_ms"]).unwrap_or_default();
        job.push_str(&format!(", process {pid}, since {since}"));
        if let Some(address) = status["address"].as_str() {
            let scheme = if status["tls"] == true { "https" } else { "http" };
            job.push_str(&format!(", serving {scheme}://{address}"));
        }
        if status["catching_up"] == true {
            job.push_str(", catching up");
        }
    }
    line("job", job);
    if let Some(project) = status["project"].as_str() {
        line("project", project.to_owned());
    }
    let number = |value: &Value| thousands(value.as_u64().unwrap_or(0));
    let kept = &found["checkpoint"];
    if is_running && status.is_object() {
        let (rows, steps) = (number(&status["rows"]), number(&status["steps"]));
        line("rows", format!("{rows} in {steps} steps, {} late", number(&status["late_rows"])));
    } else if kept.is_object() {
        let (rows, steps) = (number(&kept["rows"]), number(&kept["steps"]));
        line("rows", format!("{rows} in {steps} steps, {} late", number(&kept["late"])));
    }
    line("checkpoint", checkpoint_line(kept, &status["checkpoints"], is_running));
    let letters = &found["dead_letters"];
    let letters = ["open", "waiting", "redriven", "discarded"]
        .map(|name| format!("{} {name}", number(&letters[name])));
    line("letters", letters.join(", "));
    let hash = |o: &Value| Some(format!("{} {}", o["name"].as_str()?, o["hash"].as_str()?));
    let hashes: Vec<String> =
        kept["outputs"].as_array().into_iter().flatten().filter_map(hash).collect();
    if !hashes.is_empty() {
        line("hashes", hashes.join(", "));
    }
    let each = |name: &str| status[name].as_array().cloned().unwrap_or_default();
    if is_running {
        each("sources").iter().for_each(|s| line("source", source_line(s, &status["at_ms"])));
        each("outputs").iter().for_each(|o| line(o["kind"].as_str().unwrap_or(""), output_line(o)));
        let operators = each("operators");
        let shown = operators.iter().filter(|o| o["share"].as_f64() >= Some(SHARE_MIN));
        shown.take(OPERATORS_MAX).for_each(|o| line("operator", operator_line(o)));
    }
    lines.iter().map(|(name, text)| format!("{name:<12}{text}\n")).collect()
}

fn checkpoint_line(kept: &Value, live: &Value, is_running: bool) -> String {
    let Some(epoch) = kept["checkpoint"].as_u64() else { return "none yet".into() };
    let taken = kept["taken_ms"].as_i64().unwrap_or(0);
    let mut text = format!("{epoch}, {} ago", seconds((now_ms() - taken).max(0)));
    if is_running && live.is_object() {
        let of = |name: &str| live[name].as_i64().unwrap_or(0);
        text.push_str(&format!(
            "; every {}, took {}, paused {:.1} ms, {} KiB changed",
            seconds(of("interval_ms")),
            seconds(of("duration_ms")),
            of("pause_us") as f64 / 1000.0,
            of("changed_bytes").unsigned_abs().div_ceil(1024)
        ));
        if live["alarm"] == true {
            text.push_str("; ALARM: none has become durable for three intervals");
        }
    }
    text
}

fn source_line(source: &Value, at_ms: &Value) -> String {
    let name = source["name"].as_str().unwrap_or_default();
    let mut text = format!("{name}: {} rows", thousands(source["rows"].as_u64().unwrap_or(0)));
    if let (Some(last), Some(at)) = (source["last_row_ms"].as_i64(), at_ms.as_i64()) {
        text.push_str(&format!(", the last {} ago", seconds((at - last).max(0))));
    }
    if let Some(watermark) = time(&source["watermark_ms"]) {
        let lag = source["lag_ms"].as_i64().unwrap_or(0);
        text.push_str(&format!(", watermark {watermark} (lag {})", seconds(lag)));
    }
    let reader = &source["slowest_reader"];
    if let (Some(number), Some(of @ 2..)) = (reader["number"].as_u64(), reader["of"].as_u64()) {
        text.push_str(&format!(", the slowest reader is {} of {of}", number + 1));
        if let Some(reads) = reader["reads"].as_str() {
            text.push_str(&format!(" ({reads})"));
        }
    }
    if source["ended"] == true {
        text.push_str(", ended");
    }
    if let Some(dead @ 1..) = source["dead_letters"].as_u64() {
        text.push_str(&format!(", {} refused", thousands(dead)));
    }
    let held: Vec<&str> =
        source["held_by"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !held.is_empty() {
        text.push_str(&format!(", not read: held back by {}", held.join(", ")));
    }
    text
}

/// What an operator does of all that is done in steps, and what it keeps.
fn operator_line(operator: &Value) -> String {
    let name = operator["name"].as_str().unwrap_or_default();
    let outputs = operator["outputs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let share = operator["share"].as_f64().unwrap_or(0.0) * 100.0;
    let of = outputs.collect::<Vec<_>>().join(", ");
    let mut text = format!("{name} of {of}: {share:.0} % of the time in steps");
    let kept = operator["state_rows"].as_u64().unwrap_or(0);
    let bytes = operator["state_bytes"].as_u64().unwrap_or(0);
    if kept + bytes > 0 {
        let kib = bytes.div_ceil(1024);
        text.push_str(&format!(", keeps {} rows ({} KiB)", thousands(kept), thousands(kib)));
    }
    text
}

fn output_line(output: &Value) -> String {
    let name = output["name"].as_str().unwrap_or_default();
    let rows = thousands(output["rows"].as_u64().unwrap_or(0));
    let mut text = format!("{name}: {rows} changes");
    if let Some(watermark) = time(&output["watermark_ms"]) {
        text.push_str(&format!(", watermark {watermark}"));
    }
    if let Some(by) = output["held_back_by"].as_str() {
        text.push_str(&format!(", held back by {by}"));
    }
    if let Some(epochs @ 1..) = output["backlog_epochs"].as_u64() {
        let kib = output["backlog_bytes"].as_u64().unwrap_or(0).div_ceil(1024);
        text.push_str(&format!(", {epochs} epochs ({kib} KiB) to deliver"));
    }
    if let Some(away) = output["away"].as_str() {
        text.push_str(&format!(", away: {away}"));
    }
    text
}

/// Asks the running job for a checkpoint, and waits for it.
pub fn checkpoint(command: &Checkpoint, stdout: &Stdout) -> Result<()> {
    let state = state_of(&command.state)?;
    let running = || is_running(&state).map_err(|e| unreadable(&state, &e));
    if !running()? {
        let message = format!("no job runs with the state in {}", state.display());
        let hint = "a job takes its last checkpoint when it ends: `rialto checkpoints` lists them";
        return Err(Failure::request(message, Some(hint)));
    }
    let word = format!("{}-{}", std::process::id(), now_ms());
    let asked = replace(&state.join(REQUEST), &word);
    asked.map_err(|e| Failure::Job(format!("error: cannot ask for a checkpoint: {e}\n")))?;
    let began = Instant::now();
    let epoch = loop {
        let text = std::fs::read_to_string(state.join(ANSWER)).unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if answer["word"] == word.as_str() {
            break answer["checkpoint"].as_u64().unwrap_or(0);
        }
        if !running()? {
            let message = "error: the job has ended meanwhile; its last checkpoint is kept\n";
            return Err(Failure::Job(message.into()));
        }
        if began.elapsed() > Duration::from_secs(command.timeout) {
            let seconds = command.timeout;
            return Err(Failure::Job(format!(
                "error: the job took no checkpoint within {seconds} s\n\
                 hint: `rialto jobs` says how it stands, --timeout waits longer\n"
            )));
        }
        std::thread::sleep(LOOK_INTERVAL);
    };
    match command.output {
        Answer::Json => stdout.line(&json!({ "checkpoint": epoch }).to_string())?,
        Answer::Text => stdout.line(&format!("checkpoint {epoch}"))?,
    }
    Ok(())
}
