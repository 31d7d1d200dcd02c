//! Sources, sinks and formats: one file or folder each.
//!
//! A connector is given a table as plain data, a [`TableSpec`], and the world that it may touch, an
//! [`Environment`]; it answers a [`Source`] or a [`Sink`]. It knows no SQL text and no runtime.
//! `registry.rs` is the one place where a connector is listed.

pub mod beside;
pub mod changelog;
pub mod error;
pub mod format;
pub mod options;
pub mod spec;

mod blackhole;
mod datagen;
mod filesystem;
mod generate;
pub mod given;
pub mod kafka;
mod log;
pub mod nexmark;
mod postgres;
mod print;
mod registry;
pub mod shop;
mod shown;
mod tcp;
mod webhook;

pub use changelog::{RowKind, changes};
pub use error::{ConnectorError, Result};
pub use log::http::{Accepted, BadRow, Ingest, Refused};
pub use registry::{
    Capabilities, capabilities, connector_names, lookup, metadata_type, sink, source, validate,
};
pub use rialto_engine::{Sink, Source};
pub use spec::{Changelog, Environment, FormatValue, Output, TableSpec};
