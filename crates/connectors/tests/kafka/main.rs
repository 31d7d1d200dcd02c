//! The connectors `kafka` and `upsert-kafka` against a real Apache Kafka.

mod broker;
mod sink;
mod source;
mod table;
mod trouble;
mod upsert;
