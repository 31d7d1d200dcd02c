//! Flink SQL: parse, catalog, functions, plan; a logical plan becomes a circuit.

pub mod catalog;
pub mod error;
pub mod functions;
pub mod parser;
pub mod planner;
pub mod semantics;
pub mod step;
pub mod types;
