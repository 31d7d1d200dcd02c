//! `rialto doctor`: what a job stands on, checked piece by piece, with what to do about each.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rialto_runtime::JobPlan;
use rialto_runtime::checkpoint::CheckpointStore;
use rialto_runtime::letters::{Book, Status};
use rialto_runtime::sql::catalog::{Relation, TableDef};
use serde_json::json;

use crate::args::{Answer, Doctor, JobArguments};
use crate::failure::{Failure, Result};
use crate::jobs::{is_running, last_status};
use crate::output::Stdout;
use crate::project::operate::now_ms;
use crate::project::{open_with, state_of, statements, store, wrong};
use crate::sql;

/// Less room than this is a warning, and less than a tenth of it a failure.
const FREE_BYTES: u64 = 1 << 30;
/// Segments, parts and connections: fewer open files than this are soon too few.
const OPEN_FILES_MIN: u64 = 1024;
/// How long a server may take to take a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// No clock is right that is before this: 2024-01-01.
const CLOCK_MS_MIN: i64 = 1_704_067_200_000;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Ok,
    Warning,
    Failed,
}

/// A check, what was found, and what to do about it.
struct Finding {
    what: String,
    health: Health,
    found: String,
    hint: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, what: &str, found: impl Into<String>) {
        self.add(what, Health::Ok, found, None);
    }

    fn warn(&mut self, what: &str, found: impl Into<String>, hint: &str) {
        self.add(what, Health::Warning, found, Some(hint));
    }

    fn fail(&mut self, what: &str, found: impl Into<String>, hint: &str) {
        self.add(what, Health::Failed, found, Some(hint));
    }

    fn add(&mut self, what: &str, health: Health, found: impl Into<String>, hint: Option<&str>) {
        let (what, hint) = (what.to_owned(), hint.map(str::to_owned));
        self.0.push(Finding { what, health, found: found.into(), hint });
    }
}

/// Checks a state folder, a project, or both.
pub fn doctor(command: &Doctor, stdout: &Stdout) -> Result<()> {
    let place = &command.place;
    let mut findings = Findings::default();
    let is_project = is_project(place);
    let state = state_of(place).ok();
    if !is_project && state.is_none() {
        let message = format!("{} is neither a project nor a state folder", place.display());
        let hint = "name the folder of `rialto run --state`, or a project";
        return Err(Failure::request(message, Some(hint)));
    }
    if is_project {
        check_project(command, stdout, &mut findings);
    }
    if let Some(state) = &state {
        check_state(state, &mut findings);
    }
    check_machine(state.as_deref().unwrap_or(place), &mut findings);
    tell(&findings, command.output, stdout)?;
    stdout.flush()?;
    let failed = findings.0.iter().filter(|f| f.health == Health::Failed).count();
    match failed {
        0 => Ok(()),
        n => Err(Failure::Job(format!("{n} of {} checks failed\n", findings.0.len()))),
    }
}

fn tell(findings: &Findings, output: Answer, stdout: &Stdout) -> Result<()> {
    for Finding { what, health, found, hint } in &findings.0 {
        let word = match health {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Failed => "failed",
        };
        match output {
            Answer::Json => {
                let line = json!({ "check": what, "is": word, "found": found, "do": hint });
                stdout.line(&line.to_string())?;
            }
            Answer::Text => {
                stdout.line(&format!("{word:<9}{what:<14}{found}"))?;
                if let Some(hint) = hint {
                    stdout.line(&format!("{:<23}{hint}", ""))?;
                }
            }
        }
    }
    Ok(())
}

fn is_project(place: &Path) -> bool {
    let has_sql = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|e| e.path()).any(|p| p.extension().is_some_and(|e| e == "sql"))
    };
    place.is_file() || has_sql(place) || has_sql(&place.join("sql"))
}

/// Plans the project and looks for the outside of its tables.
fn check_project(command: &Doctor, stdout: &Stdout, findings: &mut Findings) {
    let variables: Vec<(String, String)> =
        command.variables.iter().map(|v| (v.0.clone(), v.1.clone())).collect();
    let project = match open_with(&command.place, &variables) {
        Ok(project) => project,
        Err(failure) => {
            let hint = "`rialto check` shows the place";
            return findings.fail("project", first_line(&failure), hint);
        }
    };
    let job = JobArguments::default();
    let mut runtime = sql::runtime(&project.base_dir, &job, stdout);
    let mut plan = JobPlan::default();
    for (file, statement) in statements(&project) {
        if let Err(error) = runtime.plan(statement, &mut plan) {
            let failure = wrong(&error, statement, file);
            let hint = "`rialto check` shows the place";
            return findings.fail("project", first_line(&failure), hint);
        }
    }
    findings.ok("project", format!("{} outputs can be planned", plan.len()));
    for relation in runtime.session().catalog.relations(None).into_iter().flatten() {
        if let Relation::Table(table) = relation {
            check_table(table, &project.base_dir, findings);
        }
    }
}

fn first_line(failure: &Failure) -> String {
    let (Failure::Request(text) | Failure::Job(text)) = failure;
    text.lines().next().unwrap_or_default().to_owned()
}

/// Looks whether the outside of a table is there, where that costs no more than a connection.
fn check_table(table: &TableDef, base: &Path, findings: &mut Findings) {
    let option = |name: &str| table.options.get(name);
    let what = format!("table {}", table.path.object);
    if let Some(servers) = option("properties.bootstrap.servers") {
        let servers: Vec<&str> = servers.split(',').map(str::trim).collect();
        let reached = servers.iter().map(|server| connect(server)).collect::<Vec<_>>();
        return match reached.iter().any(std::result::Result::is_ok) {
            true => findings.ok(&what, format!("a broker of {} answers", servers.join(", "))),
            false => {
                let why = reached.into_iter().find_map(std::result::Result::err);
                let found = format!("no broker takes a connection: {}", why.unwrap_or_default());
                let hint = "look after the broker, the network and 'properties.bootstrap.servers'";
                findings.fail(&what, found, hint);
            }
        };
    }
    if let Some(server) = option("url").and_then(server_of) {
        return match connect(&server) {
            Ok(()) => findings.ok(&what, format!("{server} takes connections")),
            Err(why) => findings.fail(
                &what,
                format!("{server} takes no connection: {why}"),
                "look after the server, the network and 'url'",
            ),
        };
    }
    if option("connector") == Some("filesystem")
        && let Some(path) = option("path")
    {
        let path = path.strip_prefix("file://").unwrap_or(path);
        let full = base.join(path);
        let is_pattern = path.contains(['*', '?', '[']);
        match std::fs::metadata(&full) {
            Ok(_) => findings.ok(&what, format!("{} is there", full.display())),
            Err(_) if is_pattern => findings.ok(&what, format!("files of {path}")),
            Err(error) => findings.warn(
                &what,
                format!("{}: {error}", full.display()),
                "a table that is written makes it; one that is read needs it",
            ),
        }
    }
}

/// `host:port` of a URL; none where it names no server.
fn server_of(url: &str) -> Option<String> {
    let url = url.strip_prefix("jdbc:").unwrap_or(url);
    let (scheme, rest) = url.split_once("://")?;
    let server = rest.split(['/', '?']).next()?;
    let server = server.rsplit_once('@').map_or(server, |(_, server)| server);
    let port = match scheme {
        "http" => 80,
        "https" => 443,
        "postgres" | "postgresql" => 5432,
        _ => 0,
    };
    let has_port = server.rsplit_once(':').is_some_and(|(_, p)| p.parse::<u16>().is_ok());
    match (has_port, port) {
        (true, _) => Some(server.to_owned()),
        (false, 0) => None,
        (false, port) => Some(format!("{server}:{port}")),
    }
}

fn connect(server: &str) -> std::result::Result<(), String> {
    let found = server.to_socket_addrs().map_err(|e| format!("{server}: {e}"))?;
    let mut why = format!("{server}: there is no such host");
    for address in found {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => why = format!("{server}: {error}"),
        }
    }
    Err(why)
}

/// Checks a state folder: its lock, all that its checkpoints consist of, its dead letters.
fn check_state(state: &Path, findings: &mut Findings) {
    let probe = state.join(format!("doctor-{}.probe", std::process::id()));
    let written =
        std::fs::write(&probe, b"probe").and_then(|()| std::fs::File::open(&probe)?.sync_all());
    let _ = std::fs::remove_file(&probe);
    match written {
        Ok(()) => findings.ok("folder", format!("{} can be written", state.display())),
        Err(error) => findings.fail(
            "folder",
            format!("{} cannot be written: {error}", state.display()),
            "give the user of the job the right to write there, or look after the disk",
        ),
    }
    let running = match is_running(state) {
        Ok(true) => {
            let pid = last_status(state)["pid"].as_u64();
            let of = pid.map_or(String::new(), |pid| format!(", process {pid}"));
            findings.ok("lock", format!("a job runs{of}"));
            true
        }
        Ok(false) => {
            findings.ok("lock", "no job runs");
            false
        }
        Err(error) => {
            findings.fail("lock", error.to_string(), "look after the disk and the user's rights");
            false
        }
    };
    check_checkpoints(state, running, findings);
    match Book::read(state) {
        Err(error) => {
            let hint = "look after the disk; the checkpoints do not depend on it";
            findings.fail("dead letters", error.to_string(), hint);
        }
        Ok(book) => {
            let count = |status| book.letters().filter(|l| l.status == status).count();
            let (open, waiting) = (count(Status::Open), count(Status::Waiting));
            let found = format!("{open} open, {waiting} waiting");
            if waiting > 0 && !running {
                let hint = "run the project: what was sent again is taken then";
                findings.warn("dead letters", found, hint);
            } else if open > 0 {
                let hint = "`rialto dead-letters list` shows them";
                findings.warn("dead letters", found, hint);
            } else {
                findings.ok("dead letters", found);
            }
        }
    }
}

fn check_checkpoints(state: &Path, running: bool, findings: &mut Findings) {
    const OLDER: &str = "an older one is used; where none is whole, restore a backup of the folder \
        or begin anew with --fresh";
    if !state.join("checkpoints").is_dir() {
        let hint = "a run with --state takes the first one";
        return findings.warn("checkpoints", "there are none", hint);
    }
    let store = match store(state) {
        Ok(store) => store,
        Err(error) => {
            return findings.fail("checkpoints", error.to_string(), "look after the disk");
        }
    };
    let epochs = match store.epochs() {
        Ok(epochs) => epochs,
        Err(error) => {
            return findings.fail("checkpoints", error.to_string(), "look after the disk");
        }
    };
    if epochs.is_empty() {
        let hint = "a run with --state takes the first one";
        findings.warn("checkpoints", "there are none", hint);
    }
    for &epoch in &epochs {
        let what = format!("checkpoint {epoch}");
        match store.check(epoch) {
            Ok((objects, bytes)) => {
                let kib = bytes.div_ceil(1024);
                findings.ok(&what, format!("{objects} objects, {kib} KiB, all whole"));
                check_digests(&store, epoch, findings);
            }
            // A running job lets go of old ones while we look.
            Err(_) if running && store.epochs().is_ok_and(|now| !now.contains(&epoch)) => {}
            Err(error) => findings.fail(&what, error.to_string(), OLDER),
        }
    }
    let newest = epochs.iter().find_map(|&epoch| store.manifest(epoch).ok());
    let Some(newest) = newest else { return };
    let age = now_ms() - newest.taken_ms;
    if age < 0 {
        let found = format!("checkpoint {} was taken in {} s", newest.epoch, -age / 1000);
        findings.warn("clock", found, "the clock has gone back: look after the time service");
    } else if running && last_status(state)["checkpoints"]["alarm"] == true {
        let found = format!("the last one is {} s old", age / 1000);
        let hint = "look at the log of the job and at the disk: three intervals have passed";
        findings.fail("checkpoints", found, hint);
    }
}

/// Whether the rows of the views are what their changes come to.
fn check_digests(store: &CheckpointStore, epoch: u64, findings: &mut Findings) {
    const HINT: &str = "its rows were changed by something else than its changes: go on from an \
        older checkpoint or a savepoint, or rebuild it with --fresh, and report it";
    // A running job may have let go of it: then there is nothing to say.
    for (name, changes, rows) in store.misfits(epoch).unwrap_or_default() {
        let found = format!(
            "checkpoint {epoch}: the rows have the hash {rows}, all changes together {changes}"
        );
        findings.fail(&format!("view {name}"), found, HINT);
    }
}

/// Checks the machine, as far as it says something of itself.
fn check_machine(folder: &Path, findings: &mut Findings) {
    match free_bytes(folder) {
        None => findings.warn("disk", "how much room there is cannot be told", "look by hand"),
        Some(free) => {
            let found = format!("{} MiB free at {}", free >> 20, folder.display());
            let hint = "make room: a job stops when the disk is full";
            match free {
                free if free >= FREE_BYTES => findings.ok("disk", found),
                free if free >= FREE_BYTES / 10 => findings.warn("disk", found, hint),
                _ => findings.fail("disk", found, hint),
            }
        }
    }
    match now_ms() >= CLOCK_MS_MIN {
        true => findings.ok("clock", format!("{} UTC", chrono::Utc::now().format("%F %T"))),
        false => findings.fail("clock", "it is before 2024", "set the clock of the machine"),
    }
    match open_files() {
        None => findings.ok("open files", "no bound is known"),
        Some(limit) if limit >= OPEN_FILES_MIN => {
            findings.ok("open files", format!("up to {limit}"));
        }
        Some(limit) => {
            let hint = "raise it: `ulimit -n 65536`, or LimitNOFILE of the service";
            findings.warn("open files", format!("up to {limit}"), hint);
        }
    }
}

/// The room on the disk of a folder, as `df` tells it.
fn free_bytes(folder: &Path) -> Option<u64> {
    let folder: PathBuf = folder.canonicalize().ok()?;
    let folder = if folder.is_dir() { folder.as_path() } else { folder.parent()? };
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    kib.checked_mul(1024)
}

/// How many files a process of this user may have open; none where that is not said.
fn open_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_a_url_is_found() {
        assert_eq!(server_of("postgres://me:pw@db/shop").as_deref(), Some("db:5432"));
        assert_eq!(server_of("jdbc:postgresql://db:6000/shop?a=b").as_deref(), Some("db:6000"));
        assert_eq!(server_of("https://example.org/hook").as_deref(), Some("example.org:443"));
        assert_eq!(server_of("file:///tmp/x"), None);
        assert_eq!(server_of("nothing"), None);
    }
}
