//! The folder, or the bucket, in which a project keeps its checkpoints.
//!
//! Who keeps other runs out is a lock on a file, which a bucket does not have: with checkpoints in
//! a bucket the lock is in the project's own folder `.rialto`, as its logs are. Runs on two
//! machines do not see one another's locks.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rialto_runtime::checkpoint::{
    CheckpointError, CheckpointOptions, CheckpointStore, Manifest, Resumed,
};
use rialto_runtime::connectors::options::parse_duration;
use rialto_runtime::letters::{self, Letters};
use rialto_runtime::sql::planner::Session;
use rialto_runtime::storage::{LocalStorage, OsFiles, RemoteStorage, is_s3};
use rialto_runtime::{Job, JobPlan, Keeping, Runtime, StartError};
use serde_json::json;

use super::{change, without_place};
use crate::args::{Answer, Checkpoints, Run};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;

const INTERVAL: &str = "execution.checkpointing.interval";
const BACKLOG_INTERVAL: &str = "execution.checkpointing.interval-during-backlog";
const RETAINED: &str = "execution.checkpointing.num-retained";

/// How often, and after which pauses, it is tried to get the lock of the folder.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Keeps other runs of the project out for as long as it lives.
pub struct StateFolder {
    store: CheckpointStore,
    letters: Letters,
    here: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Opens a folder, or makes it; or a bucket, with a lock below `base_dir`.
    pub fn open(place: &Path, base_dir: &Path) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| {
            Failure::Job(format!("error: cannot keep state in {}: {e}\n", place.display()))
        };
        let url = place.to_str().filter(|text| is_s3(text));
        let here = local(place, base_dir);
        let folder = here.as_path();
        let failed_here = |e: &dyn std::fmt::Display| match url {
            None => failed(e),
            Some(_) => failed(&format!(
                "a bucket keeps checkpoints only; the lock, and the logs of the project's tables, \
                 need a local folder, and {} cannot be used: {e}",
                folder.display()
            )),
        };
        std::fs::create_dir_all(folder).map_err(|e| failed_here(&e))?;
        let lock = File::create(folder.join("lock")).map_err(|e| failed_here(&e))?;
        match try_lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("the state in {} is in use", place.display());
                let hint = "another run of this project has it: stop that, or give this one \
                            another folder";
                return Err(Failure::request(message, Some(hint)));
            }
            Err(TryLockError::Error(error)) => return Err(failed_here(&error)),
        }
        let store = store(place).map_err(|e| failed(&e))?;
        let letters = Letters::open(&here).map_err(|e| failed_here(&e))?;
        Ok(Self { store, letters, here, _lock: lock })
    }

    /// Opens a folder only to look at it; a project may be running on it.
    pub fn look(place: &Path, base_dir: &Path) -> Result<Looked> {
        is_there(place)?;
        let failed = |e: &dyn std::fmt::Display| Failure::Job(format!("error: {e}\n"));
        let store = store(place).map_err(|e| failed(&e))?;
        let letters = Letters::open(&local(place, base_dir)).map_err(|e| failed(&e))?;
        Ok(Looked { store, letters })
    }

    /// The folder of what is not a checkpoint.
    pub fn here(&self) -> &Path {
        &self.here
    }

    /// The checkpoints.
    pub fn store(&self) -> &CheckpointStore {
        &self.store
    }

    /// A job that goes on from the newest checkpoint, and keeps further ones.
    pub fn start(&self, runtime: &Runtime, plan: &JobPlan, command: &Run) -> Result<Job> {
        let options = options(runtime.session())?;
        if command.fresh {
            self.store.clear().map_err(|e| Failure::Job(format!("error: {e}\n")))?;
        }
        let keeping = Keeping {
            store: self.store.clone(),
            options,
            letters: &self.letters,
            inserts: command.changed_inserts.map(Into::into),
        };
        let (job, resumed, change) = runtime.start_kept(plan, keeping).map_err(not_started)?;
        say(&resumed);
        change::say(&change);
        Ok(job)
    }
}

/// A state folder that is only looked at.
pub struct Looked {
    store: CheckpointStore,
    letters: Letters,
}

impl Looked {
    /// How a job would be kept here.
    pub fn keeping(&self) -> Keeping<'_> {
        Keeping {
            store: self.store.clone(),
            options: CheckpointOptions::default(),
            letters: &self.letters,
            inserts: None,
        }
    }
}

/// Why a job with state does not start, and what to do about it.
pub fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Sql(error) => without_place(&error),
        StartError::Checkpoint(error @ CheckpointError::ChangedInserts { .. }) => {
            Failure::Request(format!(
                "error: {error}\nhint: --changed-inserts rewrite writes all of them again from \
                 the beginning of the sources, --changed-inserts continue only what comes from now \
                 on; `rialto plan` shows what is reused\n"
            ))
        }
        StartError::Checkpoint(error) => Failure::Job(format!(
            "error: {error}\nhint: --fresh forgets the checkpoints and begins anew\n"
        )),
    }
}

/// Where what is not a checkpoint lies: a bucket has no lock and no log.
fn local(place: &Path, base_dir: &Path) -> PathBuf {
    match place.to_str().is_some_and(is_s3) {
        true => base_dir.join(".rialto"),
        false => place.to_owned(),
    }
}

/// Fails where a project has left no state.
pub fn is_there(folder: &Path) -> Result<()> {
    if folder.to_str().is_some_and(is_s3) || folder.join("checkpoints").is_dir() {
        return Ok(());
    }
    let message = format!("there are no checkpoints in {}", folder.display());
    Err(Failure::request(message, Some("name the folder of `rialto run --state`")))
}

/// Takes a lock. A command that only looks whether a job runs may have it for a moment.
fn try_lock(lock: &File) -> std::result::Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            answer => return answer,
        }
    }
    lock.try_lock()
}

/// The checkpoints below a folder, or in a bucket.
pub fn store(folder: &Path) -> std::result::Result<CheckpointStore, CheckpointError> {
    if let Some(url) = folder.to_str().filter(|text| is_s3(text)) {
        let variables = std::env::vars_os();
        let texts =
            variables.filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
        let storage = RemoteStorage::s3(url, texts)?;
        return Ok(CheckpointStore::new(Arc::new(storage)));
    }
    let storage = LocalStorage::open(Arc::new(OsFiles), folder.join("checkpoints"))?;
    Ok(CheckpointStore::new(Arc::new(storage)))
}

fn options(session: &Session) -> Result<CheckpointOptions> {
    let mut options = CheckpointOptions::default();
    let duration = |key: &str| -> Result<Option<Duration>> {
        let Some(text) = session.config.get(key) else { return Ok(None) };
        let duration = parse_duration(text.trim()).ok_or_else(|| {
            let message = format!("'{text}' is not a duration");
            Failure::request(message, Some(&format!("write SET '{key}' = '10 s'")))
        })?;
        Ok(Some(duration))
    };
    options.interval = duration(INTERVAL)?.unwrap_or(options.interval);
    options.interval_during_backlog = duration(BACKLOG_INTERVAL)?;
    let backlog = options.interval_during_backlog;
    if let Some(less) = backlog.filter(|d| !d.is_zero() && *d < options.interval) {
        let message = format!("'{BACKLOG_INTERVAL}' is {less:?}, less than '{INTERVAL}'");
        let hint = "write no less than that, or '0 s' for no checkpoints during a backlog";
        return Err(Failure::request(message, Some(hint)));
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

/// The newest checkpoint below a state folder that can be read; none where there is none.
pub fn newest_checkpoint(folder: &Path) -> std::result::Result<Option<Manifest>, CheckpointError> {
    if !folder.join("checkpoints").is_dir() {
        return Ok(None);
    }
    let store = store(folder)?;
    Ok(store.epochs()?.into_iter().find_map(|epoch| store.manifest(epoch).ok()))
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
    is_there(folder)?;
    let broken = |e: CheckpointError| Failure::Job(format!("error: {e}\n"));
    let store = store(folder).map_err(broken)?;
    for epoch in store.epochs().map_err(broken)? {
        let line = described(&epoch.to_string(), store.manifest(epoch), command.output, false);
        stdout.line(&line)?;
    }
    Ok(())
}

/// A line about a checkpoint; `name` is its number, or that of a savepoint.
pub fn described(
    name: &str,
    manifest: std::result::Result<Manifest, CheckpointError>,
    output: Answer,
    with_hashes: bool,
) -> String {
    match output {
        Answer::Json => as_json(name, manifest),
        Answer::Text => as_text(name, manifest, with_hashes),
    }
}

fn as_json(name: &str, manifest: std::result::Result<Manifest, CheckpointError>) -> String {
    match manifest {
        Ok(m) => json!({
            "name": name, "checkpoint": m.epoch, "taken_ms": m.taken_ms, "steps": m.summary.steps,
            "rows": m.summary.rows, "shards": m.shards, "finished": m.finished,
            "pause_us": m.pause_us, "changed_bytes": m.changed_bytes,
            "outputs": digests(&m),
            "cuts": m.cuts,
        }),
        Err(error) => json!({ "name": name, "error": error.to_string() }),
    }
    .to_string()
}

fn as_text(
    name: &str,
    manifest: std::result::Result<Manifest, CheckpointError>,
    with_hashes: bool,
) -> String {
    match manifest {
        Ok(m) => {
            let taken = chrono::DateTime::from_timestamp_millis(m.taken_ms);
            let taken = taken.map_or(String::new(), |t| t.format("%F %T%.3f UTC").to_string());
            let ended = if m.finished { ", the input has ended" } else { "" };
            let (summary, shards) = (&m.summary, m.shards);
            let (rows, pause) = (summary.rows, m.pause_us as f64 / 1000.0);
            let kib = m.changed_bytes.div_ceil(1024);
            let mut text = format!(
                "{name:>6}  {taken}  {rows} rows, {shards} shards, {kib} KiB changed, paused \
                 {pause:.1} ms{ended}"
            );
            let outputs = m.outputs.iter().filter_map(|o| Some((&o.name, o.digest?)));
            let hashes: Vec<String> =
                outputs.map(|(name, hash)| format!("{name} {hash}")).collect();
            if with_hashes && !hashes.is_empty() {
                text.push_str(&format!("\n{:>6}  hashes: {}", "", hashes.join(", ")));
            }
            text
        }
        Err(error) => format!("{name:>6}  cannot be used: {error}"),
    }
}

/// The hash of all changes of each output, by which two runs are compared.
pub fn digests(manifest: &Manifest) -> serde_json::Value {
    let outputs = manifest.outputs.iter();
    outputs.filter_map(|o| Some(json!({ "name": o.name, "hash": o.digest? }))).collect()
}
