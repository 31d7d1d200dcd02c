//! What can go wrong with a log.

use crate::error::StorageError;

/// The result of a call to a log.
pub type Result<T, E = LogError> = std::result::Result<T, E>;

/// Why a log could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The disk failed, or a file is not what it should be.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Another process writes.
    #[error(
        "the log {folder} is being written by another process (one process writes to a log; stop \
         it, or let the rows go through it)"
    )]
    Locked {
        /// The log's folder.
        folder: String,
    },
    /// Retention has deleted what is asked for.
    #[error(
        "offset {offset} of partition {partition} of the log {folder} is gone, earliest is \
         {earliest}: retention has deleted what this reader had not read"
    )]
    Gone {
        /// The log's folder.
        folder: String,
        /// The partition.
        partition: u32,
        /// What was asked for.
        offset: u64,
        /// The first offset that there is.
        earliest: u64,
    },
    /// The log ends before the offset.
    #[error(
        "offset {offset} of partition {partition} of the log {folder} was never written, its end \
         is {end}: the log is not the one that was read before"
    )]
    Beyond {
        /// The log's folder.
        folder: String,
        /// The partition.
        partition: u32,
        /// What was asked for.
        offset: u64,
        /// The offset that the next record will get.
        end: u64,
    },
    /// What was acknowledged cannot be read.
    #[error("the log file {file} is damaged at byte {position}: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        position: u64,
        /// What was found.
        reason: String,
    },
    /// Too much waits to be written.
    #[error("{queued} bytes wait to be written to the log {folder}: try again later")]
    Busy {
        /// The log's folder.
        folder: String,
        /// How much waits.
        queued: usize,
    },
    /// A failed fsync before.
    #[error(
        "the log {folder} takes nothing any more: {reason} (look after the disk, then restart: \
         what was acknowledged is read again)"
    )]
    Poisoned {
        /// The log's folder.
        folder: String,
        /// What failed.
        reason: String,
    },
    /// The log has another number of partitions.
    #[error("the log {folder} has {found} partitions, not {asked}: they cannot be changed")]
    Partitions {
        /// The log's folder.
        folder: String,
        /// How many it has.
        found: u32,
        /// How many were asked for.
        asked: u32,
    },
    /// A batch that is too large for a frame.
    #[error("a batch of {bytes} bytes is larger than {limit}, the most that a log takes at once")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// A record for a partition that the log does not have.
    #[error("there is no partition {partition}: the log has {partitions}")]
    NoPartition {
        /// The partition.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// There is no log, and this process may not make it now.
    #[error("there is no log in {folder}")]
    Missing {
        /// The folder.
        folder: String,
    },
}
