//! The streaming core: deltas, operators, time, state and circuits.
//!
//! Everything that flows is a [`Delta`]: an Arrow batch plus one signed weight a row. A [`Circuit`]
//! moves in steps: a step takes a cut of its sources, pushes it through every operator once, in
//! order, and publishes all outputs together. Between steps nothing is half done.
//!
//! This crate knows no SQL text, no connector and no server.

pub mod circuit;
pub mod consolidate;
pub mod delta;
pub mod digest;
pub mod error;
pub mod executor;
pub mod expr;
pub mod key;
pub mod lookup;
pub mod operator;
pub mod sink;
pub mod source;
pub mod state;
pub mod store;
#[cfg(test)]
mod testing;
pub mod time;
pub mod view;
pub mod zone;

pub use circuit::{Circuit, CircuitBuilder, NodeId, NodeInfo, OutputId, Partitioning, SourceId};
pub use delta::{Delta, Deltas};
pub use digest::Digest;
pub use error::{EngineError, Result};
pub use executor::{Executor, Parallelism, StepReport};
pub use lookup::{CacheLimits, Lookup, LookupTable};
pub use operator::{Operator, StepContext};
pub use sink::{CommitError, Committer, Sink};
pub use source::{DeadLetter, Poll, Position, Reader, Source};
pub use time::{Progress, Watermark};
pub use zone::LocalZone;
