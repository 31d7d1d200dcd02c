//! What can go wrong while a circuit runs.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::DataFusionError;
use thiserror::Error;

/// The result of an engine call.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// Of a row that goes without having come. No operator does that on its own: some input has.
pub(crate) const NEVER_ADDED: &str = "a row is taken back that was never added; some input takes \
                                      back what it has not given, such as a topic of changes that \
                                      is not read from its beginning";

/// An error of a running circuit. Errors are values: no operator panics on a user's data.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A value could not be computed: a cast that fails, a division by zero, an overflow.
    #[error("{0}")]
    Data(String),
    /// A source could not be read. `place` names the table, file or split.
    #[error("cannot read {place}: {reason}")]
    Source {
        /// The table, file or split that was read.
        place: String,
        /// What went wrong, in words for the user.
        reason: String,
    },
    /// A sink could not be written. `place` names the table, file or address.
    #[error("cannot write {place}: {reason}")]
    Sink {
        /// The table, file or address that was written.
        place: String,
        /// What went wrong, in words for the user.
        reason: String,
    },
    /// The state of a checkpoint cannot be taken over.
    #[error("the checkpoint cannot be read: {0}")]
    State(String),
    /// The job needs more of the machine than it may have.
    #[error("the job was stopped: {0}")]
    Resources(String),
    /// The engine's own promise was broken. Always a bug of Rialto.
    #[error("internal error: {0} (this is a bug in Rialto, please report it)")]
    Internal(String),
}

impl EngineError {
    /// A source error.
    pub fn source(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Source { place: place.into(), reason: reason.to_string() }
    }

    /// A sink error.
    pub fn sink(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Sink { place: place.into(), reason: reason.to_string() }
    }

    /// The first of `rows`, which belong to the result that `place` names, was taken back more
    /// often than it was added.
    pub fn not_there(place: &str, rows: &RecordBatch) -> Self {
        let options = FormatOptions::new().with_null("NULL");
        let cell = |(field, column): (&FieldRef, &ArrayRef)| {
            let value = ArrayFormatter::try_new(column, &options).map(|f| f.value(0).to_string());
            format!("{}: {}", field.name(), value.unwrap_or_else(|_| "…".into()))
        };
        let schema = rows.schema();
        let row: Vec<String> = schema.fields().iter().zip(rows.columns()).map(cell).collect();
        Self::Data(format!("{place}: {NEVER_ADDED}: {{{}}}", row.join(", ")))
    }
}

impl From<ArrowError> for EngineError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(inner) => Self::Data(inner.to_string()),
            ArrowError::DivideByZero => Self::Data("division by zero".into()),
            ArrowError::ComputeError(text)
            | ArrowError::CastError(text)
            | ArrowError::ArithmeticOverflow(text)
            | ArrowError::ParseError(text) => Self::Data(text),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::ArrowError(inner, _) => (*inner).into(),
            DataFusionError::Execution(text) => Self::Data(text),
            DataFusionError::Context(_, inner) => (*inner).into(),
            DataFusionError::Diagnostic(_, inner) => (*inner).into(),
            other => Self::Data(other.strip_backtrace()),
        }
    }
}
