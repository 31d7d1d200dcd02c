//! What is known of a project's last deployment, in a small file beside its state.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::trouble::Trouble;

/// What was submitted, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The gateway that it was submitted to.
    pub gateway: String,
    /// The REST of the cluster on which it runs.
    pub rest: String,
    /// The name of the job.
    pub name: String,
    /// The hash of the script.
    pub script: String,
    /// The job's id; none while it is being submitted.
    pub job: Option<String>,
    /// The savepoint from which the next submission goes on.
    pub savepoint: Option<String>,
}

/// The file of a project, which is a folder or one SQL file.
pub fn path(project: &Path) -> PathBuf {
    let folder = project.parent().filter(|parent| !parent.as_os_str().is_empty());
    let (folder, name) = match project.file_stem().filter(|_| !project.is_dir()) {
        None => (project, "flink.json".to_owned()),
        Some(stem) => {
            (folder.unwrap_or(Path::new(".")), format!("flink-{}.json", stem.to_string_lossy()))
        }
    };
    folder.join(".rialto").join(name)
}

impl Record {
    /// Reads it; none where nothing was ever deployed.
    pub fn read(project: &Path) -> Result<Option<Self>, Trouble> {
        let path = path(project);
        let what = format!("cannot read {}", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| {
                Trouble::new(what, error.to_string())
                    .hint(
                        "it says which job is the project's; without the file it is deployed anew",
                    )
                    .request()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Trouble::new(what, error.to_string())),
        }
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, project: &Path) -> Result<(), Trouble> {
        let path = path(project);
        let failed = |error: std::io::Error| {
            Trouble::new(format!("cannot write {}", path.display()), error.to_string())
        };
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
        let part = path.with_extension("json.part");
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        std::fs::write(&part, text + "\n").map_err(failed)?;
        std::fs::rename(&part, &path).map_err(failed)
    }
}
