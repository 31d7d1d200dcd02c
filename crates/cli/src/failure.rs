//! Why a command did not end well.

use std::io::Write;

use rialto_runtime::engine::EngineError;
use rialto_runtime::sql::error::SqlError;

/// The exit code of a job that failed.
pub const JOB_FAILED: u8 = 1;
/// The exit code of a request that was wrong.
pub const REQUEST_WRONG: u8 = 2;

/// The result of a command.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a command did not end well, as the text that the user reads.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for cannot be done.
    Request(String),
    /// It could be done, but did not come to its end.
    Job(String),
}

impl Failure {
    /// An error in the SQL `text` that stands in `file`.
    pub fn sql(error: &SqlError, text: &str, file: &str) -> Self {
        Self::Request(error.render(text, file))
    }

    /// A request that is wrong, in one line, and what to do instead.
    pub fn request(message: impl std::fmt::Display, hint: Option<&str>) -> Self {
        let hint = hint.map(|h| format!("hint: {h}\n")).unwrap_or_default();
        Self::Request(format!("error: {message}\n{hint}"))
    }

    /// Says it on the standard error.
    pub fn report(&self) {
        let (Self::Request(text) | Self::Job(text)) = self;
        tell(text);
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Request(_) => REQUEST_WRONG,
            Self::Job(_) => JOB_FAILED,
        }
    }
}

/// Writes to the standard error. Where nobody listens, nothing is left to be done.
pub fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Job(format!("error: {error}\n"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Job(format!("error: cannot write the output: {error}\n"))
    }
}
