//! `postgres`, and `jdbc` with a URL of PostgreSQL: tables of a database.
//!
//! - `options.rs`, `tls.rs`, `client.rs`: the options, and a connection
//! - `catalog.rs`, `types.rs`: what the database says of a table, and whether it fits ours
//! - `encode.rs`, `decode.rs`, `numeric.rs`: values in PostgreSQL's binary form
//! - `outbox.rs`, `sink.rs`: the rows of an epoch, gathered
//! - `committer.rs`, `epochs.rs`, `merge.rs`, `diagnose.rs`: an epoch into the database, once
//! - `scan.rs`, `reader.rs`: a table read in the order of its key
//! - `lookup.rs`: a table asked for the rows of keys
//!
//! What is written goes with `COPY` into a table of the session's own, and from there into the
//! target, in one transaction with the number of the epoch: whatever the process has seen of a
//! commit, the database knows whether it was.

mod catalog;
mod client;
mod committer;
mod decode;
mod diagnose;
mod encode;
mod epochs;
mod lookup;
mod merge;
mod numeric;
mod options;
mod outbox;
mod reader;
mod scan;
mod sink;
mod tls;
mod types;

use rialto_engine::{Sink, Source};

use crate::error::{ConnectorError, Result};
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};
use options::PgOptions;

pub(crate) const CONNECTOR: Connector = Connector {
    name: "postgres",
    validate: |spec| PgOptions::read(spec).map(drop),
    source: Some(source),
    lookup: Some(lookup::open),
    sink: Some(sink),
    accepts_changes: true,
    formats_take_changes: false,
    metadata: no_metadata,
};

pub(crate) const JDBC: Connector = Connector { name: "jdbc", ..CONNECTOR };

fn source(spec: &TableSpec, _: &Environment) -> Result<Box<dyn Source>> {
    Ok(Box::new(scan::PgSource::new(spec)?))
}

fn sink(spec: &TableSpec, _: &Environment) -> Result<Box<dyn Sink>> {
    if spec.changelog.retracts && spec.primary_key.is_empty() {
        return Err(ConnectorError::new(format!(
            "table sink '{}' doesn't support consuming update and delete changes",
            spec.name
        ))
        .detail("it has no primary key: rows can only be added to it")
        .hint("declare PRIMARY KEY (…) NOT ENFORCED, or write a query whose rows are final"));
    }
    Ok(Box::new(sink::PgSink::new(spec)?))
}
