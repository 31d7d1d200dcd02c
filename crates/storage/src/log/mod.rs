//! A durable, partitioned log of records: batches in segments.
//!
//! - `batch.rs`: the form of a batch: records of one producer, whole or not at all
//! - `segment.rs`: a file of batches, its header and its sparse index
//! - `recover.rs`: what is found at opening: torn tails are cut off
//! - `topic.rs`: a log that is open in this process
//! - `writer.rs`: group commit, rolling, retention
//! - `ids.rs`: the ids of events that were taken, so that none is taken twice
//! - `reader.rs`: reading from an offset of each partition
//!
//! # Layout
//! A log is a folder. All partitions share its segments, so that a batch with rows of several
//! partitions is one write and one fsync, and atomic. A record's *offset* counts the records of its
//! partition; a batch's *sequence* counts the batches of the log.
//!
//! | name | what |
//! | --- | --- |
//! | `topic` | the number of partitions; written once |
//! | `lock` | held by the one process that writes |
//! | `00…042.log` | a segment, named by the sequence of its first batch |
//! | `00…042.idx` | the index of a segment that is complete; without it one reads from its start |
//! | `end` | how far the log is durable, for readers in other processes |
//!
//! # Promises
//! - A batch that was acknowledged is there after a crash, one that was not is there whole or not
//!   at all. One fsync acknowledges all batches that wait for it.
//! - A reader never sees a batch before it is durable.
//! - After a failed fsync nothing is taken any more. At the next opening the last segment is
//!   written anew from what can be read: pages that the kernel calls clean may not be on the disk.

mod batch;
mod error;
mod ids;
mod reader;
mod recover;
mod segment;
#[cfg(test)]
mod tests;
mod topic;
mod writer;

pub use batch::{Batch, Block, Producer, Records};
pub use error::{LogError, Result};
pub use ids::{IdWindow, id_of};
pub use reader::LogReader;
pub use topic::{Clock, Config, Topic};
pub use writer::{Appended, Pressure, Ticket};
