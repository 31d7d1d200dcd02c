//! What is told of a running job to those who look after it.
//!
//! - `figures.rs`: what the job notes: counts and times, a few numbers a step
//! - `prometheus.rs`: the figures as metrics
//! - `status.rs`: the figures in words: how far the job is, and what holds a view back
//!
//! The job writes numbers that stand by themselves; whoever asks puts them together. So nothing
//! that is told costs on the step's path more than writing it down.

mod figures;
mod prometheus;
mod status;

pub use figures::Figures;
pub(crate) use figures::TakenFigures;
