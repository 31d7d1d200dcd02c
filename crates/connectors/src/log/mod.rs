//! `log`: tables in a durable log of this machine; `http`: the same, filled by who sends events.
//!
//! - `options.rs`: the options
//! - `source.rs`: where reading begins and ends, and who reads which partitions
//! - `reader.rs`: records into rows
//! - `keys.rs`: rows into records
//! - `sink.rs`, `staged.rs`: rows into the log, exactly once
//! - `http.rs`: the connector `http`, and the rows of a request
//! - `split.rs`: the JSON of a request into records
//!
//! The log itself is `rialto_storage::log`: it keeps bytes and knows no format.

pub(crate) mod http;
mod keys;
mod options;
mod reader;
mod sink;
mod source;
mod split;
mod staged;
#[cfg(test)]
mod tests_crash;

use arrow::datatypes::{DataType, TimeUnit};
use rialto_engine::{Sink, Source};
use rialto_storage::log::Topic;

use crate::error::{ConnectorError, Result};
use crate::registry::Connector;
use crate::spec::{Environment, TableSpec};
use options::{LogOptions, of_log};

pub(crate) const CONNECTOR: Connector = Connector {
    name: "log",
    validate: |spec| LogOptions::read(spec).map(drop),
    source: Some(source),
    lookup: None,
    sink: Some(sink),
    accepts_changes: false,
    formats_take_changes: true,
    metadata,
};

/// The metadata columns and their types.
fn metadata() -> Vec<(&'static str, DataType)> {
    vec![
        ("partition", DataType::Int32),
        ("offset", DataType::Int64),
        ("timestamp", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
        ("key", DataType::Binary),
    ]
}

fn source(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Source>> {
    let options = LogOptions::read(spec)?;
    Ok(Box::new(source::LogSource::open(spec, &options, environment)?))
}

fn sink(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Sink>> {
    let options = LogOptions::read(spec)?;
    if let Some((key, field)) = spec.metadata.first() {
        return Err(ConnectorError::new(format!("table '{}' cannot be written", spec.name))
            .detail(format!(
                "its column '{}' is the metadata '{key}', which a log gives and does not take",
                field.name()
            ))
            .hint("declare the column as METADATA … VIRTUAL"));
    }
    let folder = options.folder(environment)?;
    let topic =
        Topic::shared(&folder, options.config.clone()).map_err(|e| of_log(&spec.name, &e))?;
    topic.open_for_writing().map_err(|e| of_log(&spec.name, &e))?;
    Ok(Box::new(sink::LogSink::new(spec, &options, topic)?))
}
