//! The durable form of an operator's state: tables of slots, written as they change.
//!
//! - `codec.rs`: values as bytes
//! - `dirty.rs`: which slots have changed since the last checkpoint
//! - `writer.rs`: what an operator hands over at a checkpoint
//! - `reader.rs`: what it gets back
//!
//! An operator keeps its state in vectors by slot or row id, and its durable form is the same: a
//! *table* is a set of slots, each with its bytes. A checkpoint writes the slots that were touched
//! since the one before, so it costs what changed; merging checkpoints is taking the newest bytes
//! of each slot and needs no knowledge of the operator. What can be computed from the slots
//! (timers, queues, look-ups) is not written.
//!
//! Nothing is tracked until the first checkpoint, which writes every slot: a job without
//! checkpoints pays nothing.

mod codec;
mod dirty;
mod reader;
mod writer;

pub(crate) use codec::persist_struct;
pub(crate) use codec::put_bytes;
pub use codec::{Input, Persist};
pub use dirty::Dirty;
pub(crate) use reader::SlotMap;
pub use reader::{StatePart, StateReader};
pub use writer::{Changed, ENTRY_HEAD, EntryHead, StateWriter, TableImage, entries};
