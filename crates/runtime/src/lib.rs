//! A project as running jobs: statements, step loop, views for readers.
//!
//! [`Runtime`] holds a session and turns statements into answers: declarations change the catalog,
//! queries and inserts become a [`Job`], which moves step by step until its input ends or it is
//! told to stop.

pub mod checkpoint;
mod connect;
pub mod crash;
mod delivery;
mod describe;
pub mod design;
pub mod fixture;
pub mod job;
mod keeping;
pub mod letters;
pub mod operations;
pub mod output;
mod plan;
pub mod project;
pub mod serving;
mod session;
pub use rialto_engine::view;

pub use delivery::{Backlog, Outlet};
pub use job::{Control, Job, Observer, StepSummary, Summary};
pub use keeping::{Keeping, StartError};
pub use plan::JobPlan;
pub use rialto_connectors as connectors;
pub use rialto_engine as engine;
pub use rialto_sql as sql;
pub use rialto_storage as storage;
pub use session::{Answer, Runtime, RuntimeOptions};
