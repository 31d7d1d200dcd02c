//! Since when alerts fire, in a file: what still fires when the job goes on has fired since then.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::book::{Alert, replace};

/// Where the file lies in a project: beside its state, as it is no part of what people write.
const FILE: &str = ".rialto/alerts-firing.json";
/// The form of the file.
const VERSION: u32 = 1;

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fires {
    /// Its name.
    id: String,
    /// Of when the alert is that was looked at: one that was changed since is another one.
    changed_ms: i64,
    /// Since when it fires.
    since_ms: i64,
}

#[derive(Default, Serialize, Deserialize)]
struct Written {
    version: u32,
    firing: Vec<Fires>,
}

/// The file, and what it holds.
#[derive(Debug)]
pub struct Firing {
    path: PathBuf,
    held: Vec<Fires>,
}

impl Firing {
    /// Of a project's folder. A file that is not there or cannot be read holds nothing: what it
    /// tells is found again, but for the time.
    pub fn at(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let text = std::fs::read(&path).unwrap_or_default();
        let written: Written = serde_json::from_slice(&text).unwrap_or_default();
        let held = if written.version == VERSION { written.firing } else { Vec::new() };
        Self { path, held }
    }

    /// Since when an alert fires, if it did when it was last looked at.
    pub fn since_ms(&self, alert: &Alert) -> Option<i64> {
        let is_it = |one: &&Fires| one.id == alert.id && one.changed_ms == alert.changed_ms;
        self.held.iter().find(is_it).map(|one| one.since_ms)
    }

    /// Keeps since when which alerts fire; writes only what has changed.
    pub fn keep(&mut self, firing: &[(&Alert, i64)]) -> Result<(), String> {
        let fires = |(alert, since_ms): &(&Alert, i64)| Fires {
            id: alert.id.clone(),
            changed_ms: alert.changed_ms,
            since_ms: *since_ms,
        };
        let now: Vec<Fires> = firing.iter().map(fires).collect();
        if now == self.held {
            return Ok(());
        }
        let written = Written { version: VERSION, firing: now };
        let write = || {
            let text = serde_json::to_vec(&written)?;
            match replace(&self.path, &text) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                    replace(&self.path, &text)
                }
                done => done,
            }
        };
        let path = self.path.display();
        write().map_err(|e| format!("cannot keep since when alerts fire in {path}: {e}"))?;
        self.held = written.firing;
        Ok(())
    }
}
