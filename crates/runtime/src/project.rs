//! A project: a folder with `rialto.toml` and SQL files, or one SQL file.

use std::collections::BTreeMap;
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
    variables: BTreeMap<String, String>,
    /// Files, and folders of files, whose SQL is read before the project's own: in this order,
    /// relative to the project.
    include: Vec<PathBuf>,
}

impl Project {
    /// Reads a folder (`rialto.toml`, what it includes, `sql/*.sql` by name) or a single file.
    /// `${name}` in the SQL is replaced by what `variables` or else the project's `[variables]`
    /// say, or else by the default in `${name:-default}`.
    pub fn open(path: &Path, variables: &[(String, String)]) -> Result<Self, ProjectError> {
        let config = config_of(path)?;
        let (base_dir, paths) = if path.is_dir() {
            let mut paths = included(path, &config.include)?;
            // A project may be made of what it includes.
            paths.extend(sql_files(path, !config.include.is_empty())?);
            (path.to_path_buf(), paths)
        } else {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            (parent.unwrap_or(Path::new(".")).to_path_buf(), vec![path.to_path_buf()])
        };
        let variables = with(config.variables, variables);
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
            let text = substitute(&text, &variables);
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

/// What replaces `${name}` in a project's SQL.
pub(crate) fn variables(
    path: &Path,
    said: &[(String, String)],
) -> Result<BTreeMap<String, String>, ProjectError> {
    Ok(with(config_of(path)?.variables, said))
}

/// What was said where the project is run goes before what it says itself.
fn with(mut own: BTreeMap<String, String>, said: &[(String, String)]) -> BTreeMap<String, String> {
    own.extend(said.iter().cloned());
    own
}

/// A project that is one file says nothing beside it.
fn config_of(project: &Path) -> Result<Config, ProjectError> {
    match project.is_dir() {
        true => read_config(&project.join("rialto.toml")),
        false => Ok(Config::default()),
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

/// The files that a project includes. A pack that is shared lies outside of the project.
fn included(project: &Path, include: &[PathBuf]) -> Result<Vec<PathBuf>, ProjectError> {
    let mut files = Vec::new();
    for place in include {
        let place = project.join(place);
        if place.is_dir() {
            files.extend(sql_files(&place, false)?);
        } else if place.is_file() {
            files.push(place);
        } else {
            let reason = "it is included by rialto.toml, and is no file and no folder";
            return Err(unreadable(&place, reason));
        }
    }
    Ok(files)
}

fn sql_files(folder: &Path, may_be_none: bool) -> Result<Vec<PathBuf>, ProjectError> {
    let inner = folder.join("sql");
    let place = if inner.is_dir() { inner } else { folder.to_path_buf() };
    let entries = std::fs::read_dir(&place).map_err(|e| unreadable(&place, e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    if files.is_empty() && !may_be_none {
        return Err(unreadable(&place, "there is no .sql file in it"));
    }
    Ok(files)
}

/// The SQL with `${name}` and `${name:-default}` replaced. What has neither a value nor a default
/// stays as it is.
fn substitute(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        let inner = &from[2..end];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let value = variables.get(name).map(String::as_str).or(default);
        out.push_str(value.unwrap_or(&from[..=end]));
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn what_is_included_comes_first_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("pack/sql/b.sql"), "SELECT '${x}';");
        write(&dir.path().join("pack/sql/a.sql"), "SELECT 1;");
        write(&dir.path().join("more.sql"), "SELECT 2;");
        let shop = dir.path().join("shop");
        write(&shop.join("sql/0.sql"), "SELECT 3;");
        let toml = "include = [\"../more.sql\", \"../pack\"]\n[variables]\nx = \"4\"\n";
        write(&shop.join("rialto.toml"), toml);
        let project = Project::open(&shop, &[]).unwrap();
        let texts: Vec<&str> = project.files.iter().map(|f| f.text.as_str()).collect();
        assert_eq!(texts, ["SELECT 2;", "SELECT 1;", "SELECT '4';", "SELECT 3;"]);
        write(&shop.join("rialto.toml"), "include = [\"../mor.sql\"]");
        let error = Project::open(&shop, &[]).unwrap_err().to_string();
        assert!(error.contains("mor.sql: it is included by rialto.toml"), "{error}");
    }

    #[test]
    fn a_name_without_a_value_has_its_default_or_stays() {
        let variables = [("a".to_owned(), "1".to_owned())].into();
        let cases = [
            ("x ${a} y ${a:-2}", "x 1 y 1"),
            ("${b:-it's} ${b:-}|", "it's |"),
            ("${b} $a {a} ${a", "${b} $a {a} ${a"),
        ];
        for (text, expected) in cases {
            assert_eq!(substitute(text, &variables), expected);
        }
    }
}
