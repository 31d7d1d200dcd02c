//! The alerts of a project: `alerts.json` in its folder, for people to read and to keep under
//! version control like its SQL.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The name of the file.
const FILE: &str = "alerts.json";
/// The form of the file.
const VERSION: u32 = 1;
/// Alerts of a project at most: each is a query whenever its view changes.
const ALERTS_MAX: usize = 200;
/// What an alert may be.
pub const SEVERITIES: [&str; 3] = ["critical", "warning", "notice"];

/// What somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name.
    pub id: String,
    /// How it is called.
    pub title: String,
    /// The view.
    pub view: String,
    /// The condition over the view's columns.
    pub condition: String,
    /// How bad it is.
    pub severity: String,
    /// Who wants it.
    pub actor: String,
    /// Since when, in epoch milliseconds.
    pub changed_ms: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    alerts: Vec<Alert>,
}

/// The file.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
}

impl Book {
    /// Of a project's folder.
    pub fn at(folder: &Path) -> Self {
        Self { path: folder.join(FILE) }
    }

    /// The alerts; what is wrong with the file.
    pub fn read(&self) -> Result<Vec<Alert>, String> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let written: Written = serde_json::from_str(&text).map_err(|e| self.failed(e))?;
        match written.version {
            VERSION => Ok(written.alerts),
            other => Err(self.failed(format!("it has the form {other}, this Rialto knows 1"))),
        }
    }

    /// Adds an alert, or puts it in the place of the one of its name.
    pub fn put(&self, alert: Alert) -> Result<Vec<Alert>, String> {
        let mut alerts = self.read()?;
        match alerts.iter().position(|one| one.id == alert.id) {
            Some(at) => alerts[at] = alert,
            None if alerts.len() >= ALERTS_MAX => {
                return Err(format!("there are {ALERTS_MAX} alerts already: delete some"));
            }
            None => alerts.push(alert),
        }
        self.write(&alerts)?;
        Ok(alerts)
    }

    /// Takes an alert out; none where there is none of this name.
    pub fn take(&self, id: &str) -> Result<Option<Vec<Alert>>, String> {
        let mut alerts = self.read()?;
        let before = alerts.len();
        alerts.retain(|one| one.id != id);
        if alerts.len() == before {
            return Ok(None);
        }
        self.write(&alerts)?;
        Ok(Some(alerts))
    }

    fn write(&self, alerts: &[Alert]) -> Result<(), String> {
        let written = Written { version: VERSION, alerts: alerts.to_vec() };
        let mut text = serde_json::to_vec_pretty(&written).map_err(|e| self.failed(e))?;
        text.push(b'\n');
        replace(&self.path, &text).map_err(|e| self.failed(e))
    }

    fn failed(&self, why: impl ToString) -> String {
        format!("cannot use the alerts in {}: {}", self.path.display(), why.to_string())
    }
}

/// Puts a text in the place of a file: the old one or the new one is there, whatever happens.
pub(super) fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(id: &str, condition: &str) -> Alert {
        Alert {
            id: id.into(),
            title: "Nearly gone".into(),
            view: "position".into(),
            condition: condition.into(),
            severity: "warning".into(),
            actor: "ann".into(),
            changed_ms: 1,
        }
    }

    #[test]
    fn alerts_are_kept_replaced_and_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let book = Book::at(dir.path());
        assert_eq!(book.read().unwrap(), []);
        book.put(alert("a", "n < 1")).unwrap();
        book.put(alert("b", "n < 2")).unwrap();
        book.put(alert("a", "n < 3")).unwrap();
        assert_eq!(book.read().unwrap(), [alert("a", "n < 3"), alert("b", "n < 2")]);
        assert_eq!(book.take("c").unwrap(), None);
        assert_eq!(book.take("a").unwrap(), Some(vec![alert("b", "n < 2")]));
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(book.read().unwrap_err().contains("alerts.json"));
        assert!(book.put(alert("d", "n")).is_err(), "what cannot be read is not overwritten");
    }
}
