//! Flink SQL: parse, catalog, functions, plan; a logical plan becomes a circuit.

pub mod functions;
pub mod semantics;
