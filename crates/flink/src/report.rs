//! What is said of each statement: it is the same on Flink, it is mapped, or it is not portable.

use std::fmt;
use std::path::PathBuf;

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes as it is.
    Same,
    /// Something else goes in its place, or it stays with the local Rialto.
    Mapped,
    /// Nothing can go.
    NotPortable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Mapped => "mapped",
            Self::NotPortable => "not portable",
        })
    }
}

/// A statement and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The line in which it begins.
    pub line: u64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What it is: `CREATE TABLE sales`.
    pub what: String,
    /// What is done, and why; empty where it is the same.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, verdict, what, why } = self;
        write!(f, "{}:{line}: {verdict}: {what}", file.display())?;
        match (verdict, why.as_str()) {
            (_, "") => Ok(()),
            (Verdict::NotPortable, why) => write!(f, ", because {why}"),
            (_, why) => write!(f, ": {why}"),
        }
    }
}

/// How many findings there are of each kind, as a line.
pub fn totals(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    format!(
        "{} statements: {} same, {} mapped, {} not portable",
        findings.len(),
        count(Verdict::Same),
        count(Verdict::Mapped),
        count(Verdict::NotPortable)
    )
}
