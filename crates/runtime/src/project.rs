//! A project: a folder with `rialto.toml` and SQL files, or one SQL file.

use std::path::{Path, PathBuf};

use rialto_sql::error::SqlError;
use rialto_sql::parser::{ParsedStatement, parse};
use serde::Deserialize;

/// The SQL of a project in the order in which it is run.
#[derive(Debug)]
pub struct Project {
    /// Relative paths of tables are relative to this.
    pub base_dir: PathBuf,
    /// The files, each with its text and statements.
    pub files: Vec<SqlFile>,
}

/// One file of a project.
#[derive(Debug)]
pub struct SqlFile {
    /// Where it is, as it is shown in messages.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Its statements.
    pub statements: Vec<ParsedStatement>,
}

/// Why a project could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A file or folder is missing or cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// What was looked for.
        path: PathBuf,
        /// Why it could not be read.
        reason: String,
    },
    /// `rialto.toml` says something that is not understood.
    #[error("{path}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not Flink SQL.
    #[error("{error}")]
    Sql {
        /// The file.
        path: PathBuf,
        /// What it says.
        text: String,
        /// What is wrong.
        error: Box<SqlError>,
    },
}

/// What `rialto.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Replacements for `${name}` in the SQL.
    variables: std::collections::BTreeMap<String, String>,
}

impl Project {
    /// Reads a folder (`rialto.toml`, `sql/*.sql` by name) or a single file. `${name}` in the SQL
    /// is replaced by what `variables` or else the project's `[variables]` say.
    pub fn open(path: &Path, variables: &[(String, String)]) -> Result<Self, ProjectError> {
        let mut config = Config::default();
        let (base_dir, paths) = if path.is_dir() {
            config = read_config(&path.join("rialto.toml"))?;
            (path.to_path_buf(), sql_files(path)?)
        } else {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            (parent.unwrap_or(Path::new(".")).to_path_buf(), vec![path.to_path_buf()])
        };
        config.variables.extend(variables.iter().cloned());
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
            let text = substitute(&text, &config.variables);
            match parse(&text) {
                Ok(statements) => files.push(SqlFile { path, text, statements }),
                Err(error) => {
                    return Err(ProjectError::Sql { path, text, error: Box::new(error) });
                }
            }
        }
        Ok(Self { base_dir, files })
    }
}

fn unreadable(path: &Path, reason: impl ToString) -> ProjectError {
    ProjectError::Unreadable { path: path.to_path_buf(), reason: reason.to_string() }
}

fn read_config(path: &Path) -> Result<Config, ProjectError> {
    if !path.exists() {
        return Ok(Config::default());
    }
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
    toml::from_str(&text)
        .map_err(|e| ProjectError::Config { path: path.to_path_buf(), reason: e.to_string() })
}

fn sql_files(folder: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let inner = folder.join("sql");
    let place = if inner.is_dir() { inner } else { folder.to_path_buf() };
    let entries = std::fs::read_dir(&place).map_err(|e| unreadable(&place, e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(unreadable(&place, "there is no .sql file in it"));
    }
    Ok(files)
}

fn substitute(text: &str, variables: &std::collections::BTreeMap<String, String>) -> String {
    let mut out = text.to_owned();
    for (name, value) in variables {
        out = out.replace(&format!("${{{name}}}"), value);
    }
    out
}
