//! `webhook`: every change is a request to an HTTP server.
//!
//! - `options.rs`: the options
//! - `sink.rs`: changes into bodies, and the bodies of an epoch as they lie in the checkpoint
//! - `committer.rs`: one request after the other, with pauses where the server asks for them
//! - `sender.rs`: a request, its signature, and what the answer means
//! - `address.rs`: which addresses a request may go to
//!
//! # What is promised
//! At least once and in order. A request carries an `Idempotency-Key` that is the same whenever it
//! is sent again, also by another run: a receiver that remembers the keys gets every change once.
//! Within a run an epoch is gone on with where it stopped; a run that begins from a checkpoint
//! sends an epoch that was not known to be delivered from its start.

mod address;
mod committer;
mod options;
mod sender;
mod sink;

use rialto_engine::Sink;

use crate::error::Result;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};
use options::WebhookOptions;

pub(crate) const CONNECTOR: Connector = Connector {
    name: "webhook",
    validate: |spec| WebhookOptions::read(spec).map(drop),
    source: None,
    lookup: None,
    sink: Some(sink),
    accepts_changes: true,
    formats_take_changes: false,
    metadata: no_metadata,
};

fn sink(spec: &TableSpec, _: &Environment) -> Result<Box<dyn Sink>> {
    Ok(Box::new(sink::WebhookSink::new(spec)?))
}
