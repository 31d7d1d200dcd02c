//! The allocator of the process, one limit for its memory, and a file for what is beyond it.
//!
//! State lies in few large vectors: tables of keys, columns of rows. Where the process holds more
//! memory of its own than half its limit, vectors that are made or grow from then on are put into
//! a file that is mapped into memory. They are used as any other: the operating system keeps in
//! memory what is touched and what there is room for, writes the rest to the file, and needs no one
//! to be killed. What is small stays where it was.
//!
//! - `allocator.rs`: which allocation goes where
//! - `spill.rs`: the file, its blocks, and what is free
//! - `watch.rs`: how much memory the process holds, and when to spill
//!
//! A disk that fails under a mapped page ends the process with a signal (`SIGBUS`), as a failing
//! swap device would. A disk that is full does not: a block's place is asked for before it is used.

mod allocator;
mod spill;
mod watch;

pub use watch::{Usage, is_exceeded, limit, machine, settled, usage};
