//! `nexmark`: the events of the Nexmark benchmark, an auction house.
//!
//! - `config.rs`: the options
//! - `events.rs`: people, auctions and bids by their number
//! - `source.rs`: one table of all events, as in Nexmark's own definition
//! - `files.rs`: the same events as files of JSON
//!
//! An event depends on the seed and its number alone.

mod config;
mod events;
mod files;
mod source;

pub(crate) use config::base_time;
pub(crate) use source::CONNECTOR;

pub use config::Config;
pub use files::write_ndjson;
