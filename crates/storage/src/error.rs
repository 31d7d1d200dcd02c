//! What can go wrong with stored things.

use std::io;
use std::sync::Arc;

use crate::frame::FrameError;

/// The result of a storage call.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// Why an object could not be stored or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// There is no such object.
    #[error("there is no object '{name}'")]
    NotFound {
        /// The object that was asked for.
        name: String,
    },
    /// The object is there already, and must not be replaced.
    #[error("the object '{name}' exists already")]
    Exists {
        /// The object that was to be made.
        name: String,
    },
    /// A name that no object can have.
    #[error("'{name}' is not the name of an object: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A place that cannot be used for objects.
    #[error("cannot keep objects in {place}: {reason}")]
    Place {
        /// The place, as it was named.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or the service failed.
    #[error("cannot {action} '{name}': {error}")]
    Io {
        /// What was tried: `write`, `read`.
        action: &'static str,
        /// With which object or file.
        name: String,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// An fsync failed before. What is on the disk is not known until it is opened again.
    #[error(
        "nothing is stored any more, because an fsync failed: {reason} (look after the disk, then \
         restart: what was acknowledged is read again)"
    )]
    Poisoned {
        /// What failed, and where.
        reason: String,
    },
    /// The bytes of an object are not what was written under its name.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl StorageError {
    /// An error of the system, with what was tried.
    pub fn io(action: &'static str, name: impl Into<String>, error: io::Error) -> Self {
        Self::Io { action, name: name.into(), error: Arc::new(error) }
    }

    /// Whether the disk has no room: reading works, and writing will again when there is.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull)
    }
}
