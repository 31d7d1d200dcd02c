//! The folder in which a project keeps its checkpoints.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rialto_runtime::Job;
use rialto_runtime::checkpoint::{
    CheckpointError, CheckpointOptions, CheckpointStore, Manifest, Resumed,
};
use rialto_runtime::connectors::options::parse_duration;
use rialto_runtime::letters::{self, Letters};
use rialto_runtime::sql::planner::Session;
use rialto_runtime::storage::{LocalStorage, OsFiles};
use serde_json::json;

use crate::args::{Answer, Checkpoints};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;

const INTERVAL: &str = "execution.checkpointing.interval";
const RETAINED: &str = "execution.checkpointing.num-retained";

/// Keeps other runs of the project out for as long as it lives.
pub struct StateFolder {
    store: CheckpointStore,
    letters: Letters,
    _lock: File,
}

impl StateFolder {
    /// Opens a folder, or makes it.
    pub fn open(folder: &Path) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| {
            Failure::Job(format!("error: cannot keep state in {}: {e}\n", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        let lock = File::create(folder.join("lock")).map_err(|e| failed(&e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("the state in {} is in use", folder.display());
                let hint = "another run of this project has it: stop that, or give this one \
                            another folder";
                return Err(Failure::request(message, Some(hint)));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let store = store(folder).map_err(|e| failed(&e))?;
        let letters = Letters::open(folder).map_err(|e| failed(&e))?;
        Ok(Self { store, letters, _lock: lock })
    }

    /// Where what the project's sources refuse is kept.
    pub fn letters(&self) -> &Letters {
        &self.letters
    }

    /// Has a job go on from the newest checkpoint, and keep further ones; `fresh`: begin anew.
    pub fn keep(&self, job: &mut Job, session: &Session, fresh: bool) -> Result<()> {
        let options = options(session)?;
        if fresh {
            self.store.clear().map_err(|e| Failure::Job(format!("error: {e}\n")))?;
        }
        let resumed = job.keep(self.store.clone(), options).map_err(|error| match error {
            CheckpointError::Changed { epoch, difference } => Failure::Request(format!(
                "error: the project is not the one that wrote checkpoint {epoch}\n{difference}\n\
                 hint: --fresh forgets the checkpoints and begins anew\n"
            )),
            error => Failure::Job(format!(
                "error: {error}\nhint: --fresh forgets the checkpoints and begins anew\n"
            )),
        })?;
        say(&resumed);
        Ok(())
    }
}

fn store(folder: &Path) -> std::result::Result<CheckpointStore, CheckpointError> {
    let storage = LocalStorage::open(Arc::new(OsFiles), folder.join("checkpoints"))?;
    Ok(CheckpointStore::new(Arc::new(storage)))
}

fn options(session: &Session) -> Result<CheckpointOptions> {
    let mut options = CheckpointOptions::default();
    if let Some(text) = session.config.get(INTERVAL) {
        options.interval = parse_duration(text.trim()).ok_or_else(|| {
            let message = format!("'{text}' is not a duration");
            Failure::request(message, Some(&format!("write SET '{INTERVAL}' = '10 s'")))
        })?;
    }
    if let Some(text) = session.config.get(RETAINED) {
        let number = text.trim().parse().ok().filter(|&n: &usize| n > 0);
        options.retained = number.ok_or_else(|| {
            let message = format!("'{text}' is not a number of checkpoints");
            Failure::request(message, Some(&format!("write SET '{RETAINED}' = '3'")))
        })?;
    }
    Ok(options)
}

fn say(resumed: &Resumed) {
    for broken in &resumed.broken {
        tell(&format!("warning: {broken}; an older one is used\n"));
    }
    if let Some(epoch) = resumed.epoch {
        let rows = resumed.summary.rows;
        tell(&format!("going on from checkpoint {epoch}, behind {rows} rows\n"));
    }
}

/// The state folder that a user means by a folder: itself, or that of the project in it.
pub fn state_of(folder: &Path) -> Result<PathBuf> {
    let is_state = |folder: &Path| {
        folder.join("checkpoints").is_dir() || folder.join(letters::FOLDER).is_dir()
    };
    let inner = folder.join(".rialto/state");
    [folder.to_path_buf(), inner].into_iter().find(|f| is_state(f)).ok_or_else(|| {
        let message = format!("there is no state of a job in {}", folder.display());
        Failure::request(message, Some("name the folder of `rialto run --state`"))
    })
}

/// Lists checkpoints, newest first.
pub fn checkpoints(command: &Checkpoints, stdout: &Stdout) -> Result<()> {
    let folder = &command.state;
    if !folder.join("checkpoints").is_dir() {
        let message = format!("there are no checkpoints in {}", folder.display());
        return Err(Failure::request(message, Some("name the folder of `rialto run --state`")));
    }
    let broken = |e: CheckpointError| Failure::Job(format!("error: {e}\n"));
    let store = store(folder).map_err(broken)?;
    for epoch in store.epochs().map_err(broken)? {
        let manifest = store.manifest(epoch);
        stdout.line(&match command.output {
            Answer::Json => as_json(epoch, manifest),
            Answer::Text => as_text(epoch, manifest),
        })?;
    }
    Ok(())
}

fn as_json(epoch: u64, manifest: std::result::Result<Manifest, CheckpointError>) -> String {
    match manifest {
        Ok(m) => json!({
            "checkpoint": epoch, "taken_ms": m.taken_ms, "steps": m.summary.steps,
            "rows": m.summary.rows, "shards": m.shards, "finished": m.finished,
            "pause_us": m.pause_us, "changed_bytes": m.changed_bytes,
        }),
        Err(error) => json!({ "checkpoint": epoch, "error": error.to_string() }),
    }
    .to_string()
}

fn as_text(epoch: u64, manifest: std::result::Result<Manifest, CheckpointError>) -> String {
    match manifest {
        Ok(m) => {
            let taken = chrono::DateTime::from_timestamp_millis(m.taken_ms);
            let taken = taken.map_or(String::new(), |t| t.format("%F %T%.3f UTC").to_string());
            let ended = if m.finished { ", the input has ended" } else { "" };
            let Manifest { summary, shards, .. } = m;
            let (rows, pause) = (summary.rows, m.pause_us as f64 / 1000.0);
            let kib = m.changed_bytes.div_ceil(1024);
            format!(
                "{epoch:>6}  {taken}  {rows} rows, {shards} shards, {kib} KiB changed, paused \
                 {pause:.1} ms{ended}"
            )
        }
        Err(error) => format!("{epoch:>6}  cannot be used: {error}"),
    }
}
