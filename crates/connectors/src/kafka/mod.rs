//! `kafka` and `upsert-kafka`: tables of topics.
//!
//! - `options.rs`, `properties.rs`: the options, and the settings of the client among them
//! - `client.rs`, `native.rs`: librdkafka
//! - `topics.rs`: partitions and offsets, asked of a broker
//! - `hub.rs`: what the readers of a table share
//! - `reader.rs`, `decode.rs`: messages into rows
//! - `upsert.rs`: the last record of every key
//! - `sink.rs`, `encode.rs`: rows into messages
//! - `producer.rs`: producers, and records into their buffers
//! - `transaction.rs`, `outbox.rs`: epochs of messages, each in the topic once
//! - `sending.rs`: epochs of messages, each in the topic at least once
//!
//! A reader takes messages from librdkafka's queues of its partitions, which are filled in the
//! background up to a number of bytes: that is the back-pressure, for each partition by itself. A
//! position is the offset to read next, for each partition.

mod client;
mod decode;
mod encode;
mod hub;
mod native;
mod options;
mod outbox;
mod producer;
mod properties;
mod reader;
mod sending;
mod sink;
mod topics;
mod transaction;
mod upsert;

use arrow::datatypes::SchemaRef;
use rialto_engine::{Reader, Sink, Source};

use crate::error::{ConnectorError, Result};
use crate::registry::Connector;
use crate::spec::{Environment, Output, TableSpec};
use decode::RowMaker;
use hub::Hub;
use options::KafkaOptions;
use reader::KafkaReader;

pub use sink::KafkaSink;

pub(crate) const KAFKA: Connector = Connector {
    name: "kafka",
    validate: |spec| KafkaOptions::read(spec, false).map(drop),
    source: Some(|spec, environment| source(spec, environment, false)),
    lookup: None,
    sink: Some(|spec, environment| sink(spec, environment, false)),
    accepts_changes: false,
    formats_take_changes: true,
    metadata: decode::metadata,
};

pub(crate) const UPSERT: Connector = Connector {
    name: "upsert-kafka",
    validate: |spec| KafkaOptions::read(spec, true).map(drop),
    source: Some(|spec, environment| source(spec, environment, true)),
    lookup: None,
    sink: Some(|spec, environment| sink(spec, environment, true)),
    accepts_changes: true,
    formats_take_changes: false,
    metadata: decode::metadata,
};

fn source(spec: &TableSpec, environment: &Environment, upsert: bool) -> Result<Box<dyn Source>> {
    let options = KafkaOptions::read(spec, upsert)?;
    options.check_source()?;
    if upsert && spec.metadata.iter().any(|(key, _)| key == "headers") {
        // The headers of the last record of each key are not kept.
        return Err(ConnectorError::new(format!(
            "the metadata column 'headers' of table '{}' is not supported",
            spec.name
        ))
        .detail("'upsert-kafka' takes rows back, and keeps no headers to take back with them")
        .hint("read the topic with the connector 'kafka'"));
    }
    let schema = RowMaker::new(spec, &options)?.schema().clone();
    let bounded = options.stop.is_some();
    let stderr = environment.stderr.clone();
    Ok(Box::new(KafkaSource { spec: spec.clone(), schema, bounded, upsert, stderr }))
}

fn sink(spec: &TableSpec, environment: &Environment, upsert: bool) -> Result<Box<dyn Sink>> {
    Ok(Box::new(KafkaSink::new(spec, environment, upsert)?))
}

/// A table of topics, to be read.
struct KafkaSource {
    spec: TableSpec,
    schema: SchemaRef,
    bounded: bool,
    upsert: bool,
    stderr: Output,
}

impl Source for KafkaSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn is_bounded(&self) -> bool {
        self.bounded
    }

    fn readers(&self, parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let options = KafkaOptions::read(&self.spec, self.upsert)?;
        let hub = Hub::new(&options, self.spec.rowtime.is_some(), parallelism, &self.stderr)?;
        let mut readers: Vec<Box<dyn Reader>> = Vec::with_capacity(hub.readers());
        for index in 0..hub.readers() {
            let rows = RowMaker::new(&self.spec, &options)?;
            readers.push(Box::new(KafkaReader::new(hub.clone(), index, rows, options.on_error)));
        }
        Ok(readers)
    }
}
