//! `rialto savepoint` and `rialto restore`: checkpoints that are kept until somebody drops them.

use std::path::{Path, PathBuf};

use rialto_runtime::checkpoint::{CheckpointError, CheckpointStore, Manifest};
use rialto_runtime::storage::is_s3;

use super::state::{self, StateFolder};
use crate::args::{Restore, Savepoint, SavepointCommand};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;

/// How often a copy is begun anew because the running job let go of what was being copied.
const TRIES_MAX: usize = 20;

/// Makes, lists or drops savepoints.
pub fn savepoint(command: &Savepoint, stdout: &Stdout) -> Result<()> {
    match &command.command {
        SavepointCommand::Create { state, name } => create(state, name),
        SavepointCommand::List { state, output } => {
            for (name, folder) in all(state)? {
                let newest = newest(&folder);
                stdout.line(&state::described(&name, newest, *output, true))?;
            }
            Ok(())
        }
        SavepointCommand::Drop { state, name } => {
            let folder = existing(state, name)?;
            std::fs::remove_dir_all(&folder).map_err(|e| failed(&e))?;
            tell(&format!("dropped savepoint {name}\n"));
            Ok(())
        }
    }
}

/// Makes a savepoint what the next run goes on from.
pub fn restore(command: &Restore) -> Result<()> {
    let folder = existing(&command.state, &command.name)?;
    let state = StateFolder::open(&command.state, &command.state)?;
    let from = state::store(&folder).map_err(|e| failed(&e))?;
    let manifest = from.newest().map_err(|e| failed(&e))?;
    let broken = || manifest.broken.join("; ");
    let manifest = manifest.manifest.as_ref().ok_or_else(|| failed(&broken()))?;
    // Whole before anything is let go of.
    state.store().clear().map_err(|e| failed(&e))?;
    from.copy(manifest, state.store()).map_err(|e| failed(&e))?;
    let rows = manifest.summary.rows;
    let (name, epoch) = (&command.name, manifest.epoch);
    tell(&format!(
        "the next run goes on from savepoint {name} (checkpoint {epoch}, behind {rows} rows)\n"
    ));
    Ok(())
}

fn create(state: &Path, name: &str) -> Result<()> {
    let folder = folder(state, name)?;
    if folder.exists() {
        let message = format!("there is a savepoint {name} already");
        let hint = "choose another name, or drop it: rialto savepoint drop";
        return Err(Failure::request(message, Some(hint)));
    }
    state::is_there(state)?;
    let from = state::store(state).map_err(|e| failed(&e))?;
    let unfinished = folder.with_file_name(format!(".{name}"));
    for _ in 0..TRIES_MAX {
        // What an earlier try left.
        let _ = std::fs::remove_dir_all(&unfinished);
        let newest = from.epochs().map_err(|e| failed(&e))?.first().copied();
        let Some(epoch) = newest else {
            return Err(Failure::request("there is no checkpoint yet", Some("run the project")));
        };
        let copied = copy(&from, epoch, &unfinished);
        match copied {
            Ok(manifest) => {
                std::fs::rename(&unfinished, &folder).map_err(|e| failed(&e))?;
                let rows = manifest.summary.rows;
                tell(&format!("savepoint {name}: checkpoint {epoch}, behind {rows} rows\n"));
                return Ok(());
            }
            // The job went on, and let go of it meanwhile.
            Err(_) if from.manifest(epoch).is_err() => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(failed(
        &"the job lets go of its checkpoints faster than they can be copied; keep more \
                 ('execution.checkpointing.num-retained')",
    ))
}

fn copy(
    from: &CheckpointStore,
    epoch: u64,
    to: &Path,
) -> std::result::Result<Manifest, CheckpointError> {
    let manifest = from.manifest(epoch)?;
    from.copy(&manifest, &state::store(to)?)?;
    Ok(manifest)
}

fn newest(folder: &Path) -> std::result::Result<Manifest, CheckpointError> {
    let store = state::store(folder)?;
    let epoch = store.epochs()?.first().copied();
    store.manifest(epoch.ok_or_else(|| CheckpointError::Broken("it is empty".into()))?)
}

fn folder(state: &Path, name: &str) -> Result<PathBuf> {
    if state.to_str().is_some_and(is_s3) {
        let hint = "copy the bucket, or keep checkpoints in a folder";
        return Err(Failure::request("a bucket keeps no savepoints", Some(hint)));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
        let message = format!("'{name}' cannot name a savepoint");
        return Err(Failure::request(message, Some("take letters, digits, '-', '_' and '.'")));
    }
    Ok(state.join("savepoints").join(name))
}

fn existing(state: &Path, name: &str) -> Result<PathBuf> {
    let folder = folder(state, name)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let names: Vec<String> = all(state)?.into_iter().map(|(name, _)| name).collect();
    let hint = match names.as_slice() {
        [] => "there are no savepoints here".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    Err(Failure::request(format!("there is no savepoint {name}"), Some(&hint)))
}

fn all(state: &Path) -> Result<Vec<(String, PathBuf)>> {
    state::is_there(state)?;
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(state.join("savepoints")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(failed(&error)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| failed(&e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Job(format!("error: {error}\n"))
}
