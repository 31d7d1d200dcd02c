//! Flink SQL: parse, catalog, functions, plan; a logical plan becomes a circuit.

pub mod catalog;
pub mod error;
pub mod parser;
pub mod planner;
pub mod semantics;
pub mod step;
pub mod types;

pub use rialto_functions as functions;
