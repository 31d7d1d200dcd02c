//! What can be wrong with a table's connector: always a mistake of the request, found before any
//! row flows.

use std::fmt;

use rialto_engine::EngineError;

/// The result of a connector call.
pub type Result<T, E = ConnectorError> = std::result::Result<T, E>;

/// An error in three parts: what is wrong, what was found, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorError {
    /// One sentence: what is wrong and where.
    pub message: String,
    /// What was found, or why it cannot be.
    pub detail: Option<String>,
    /// What would be right.
    pub hint: Option<String>,
}

impl ConnectorError {
    /// An error of which only the message is known so far.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: None, hint: None }
    }

    /// Adds what was found.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectorError {}

impl From<ConnectorError> for EngineError {
    fn from(error: ConnectorError) -> Self {
        Self::Data(error.to_string())
    }
}
