//! A project on an Apache Flink cluster: from the user's own text to a running Flink job.
//!
//! - `survey.rs`: the project, planned: what is read, what is written, what has which key
//! - `mapping.rs`: what becomes of a table, by its connector; `config.rs`: what `flink.toml` says
//! - `text.rs`: edits of the user's text; no statement is ever printed from a plan
//! - `constants.rs`: rows that a query says itself, told so that Flink reads them once
//! - `functions.rs`: functions that Flink does not have
//! - `render.rs`: the Flink SQL, and the SQL that stays with the local Rialto
//! - `report.rs`: what is said of each statement
//! - `gateway.rs`, `cluster.rs`: the SQL Gateway and the cluster's REST, over `http.rs`
//! - `deploy.rs`: a rendered project onto a cluster, once; `record.rs`: what was done last
//! - `check.rs`, `topics.rs`: a project on both sides, on the rows of a fixture
//! - `trouble.rs`: what a cluster refuses, and what to do about it
//!
//! Between the two run Kafka topics. What Flink cannot read (a log, a request, a simulated shop, a
//! file of this machine) Rialto puts into a topic; what Flink computes comes back by a topic and is
//! served as the same view, under the same name.

pub mod check;
pub mod cluster;
pub mod config;
mod constants;
pub mod deploy;
mod functions;
mod gateway;
mod http;
mod mapping;
pub mod record;
mod render;
mod report;
mod survey;
mod text;
mod topics;
mod trouble;

pub use config::Config;
pub use mapping::{Topic, Writer};
pub use render::{Part, Rendered, render};
pub use report::{Finding, Verdict, totals};
pub use survey::Refused;
pub use trouble::Trouble;
