//! The views of a running job, for readers beside it.
//!
//! - `tree.rs`: an ordered multiset of rows whose versions share what has not changed
//! - `shape.rs`: how the rows of a view are encoded, decoded and written
//! - `publish.rs`: the job's side: changes in, a snapshot a step out
//! - `window.rs`: which snapshots and changes can still be read
//! - `read.rs`: filters, orders and pages
//! - `query.rs`: Flink SQL over a snapshot
//!
//! # Semantics
//! A [`Snapshot`] holds every view as it stood at the end of one and the same step. It never
//! changes and is never torn: whoever holds one reads what the job had computed from its input so
//! far, however long the reading takes. The job waits for no reader.
//!
//! # Cost
//! A step pays for the rows that it changed: a path of tree nodes a row at most, and one reference
//! a view. Nothing is sorted, copied whole, or decoded before somebody reads it.

mod publish;
mod query;
mod read;
mod shape;
mod tree;
mod window;

use std::sync::{Arc, RwLock, RwLockReadGuard};

use rialto_engine::EngineError;
use rialto_sql::catalog::nearest;
use rialto_sql::planner::Session;
use tokio::sync::watch;

pub use publish::{Publisher, Retain};
pub use query::{QueryError, QueryLimits, QueryRows};
pub use read::{Compare, Filter, Page, PageRequest, SortBy};
pub use shape::{Rows, Shape};
pub use window::{Changes, StepChange};

use tree::Tree;
use window::Window;

/// The answer of a reader.
pub type Reading<T> = Result<T, ReadError>;

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No step has ended yet.
    #[error("the job is starting: no step has ended yet")]
    Starting,
    /// There is no such view.
    #[error("there is no view '{name}'")]
    NoView {
        /// What was asked for.
        name: String,
        /// What to ask for.
        hint: String,
    },
    /// The step is no longer, or not yet, there.
    #[error("step {asked} {}: steps {first} to {last} can be read", if asked > last {
        "has not ended yet"
    } else {
        "is no longer kept"
    })]
    NoStep {
        /// The step.
        asked: u64,
        /// The oldest that is kept.
        first: u64,
        /// The newest.
        last: u64,
    },
    /// What was asked cannot be meant.
    #[error("{what}")]
    Wrong {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// It took too long.
    #[error("{0}")]
    TooMuch(String),
    /// The engine's own error.
    #[error("{0}")]
    Engine(#[from] EngineError),
}

/// All views at the end of one step.
#[derive(Debug)]
pub struct Snapshot {
    step: u64,
    trees: Vec<Tree>,
}

impl Snapshot {
    /// The step after which the views stood so.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// How many rows a view has.
    pub fn rows(&self, view: usize) -> u64 {
        self.trees.get(view).map_or(0, Tree::rows)
    }
}

/// What readers see of a job: its views, at steps that have ended.
#[derive(Debug)]
pub struct Serving {
    shapes: Vec<Arc<Shape>>,
    window: RwLock<Window>,
    steps: watch::Receiver<u64>,
    /// The views as tables, for queries.
    session: Session,
}

impl Serving {
    /// The views, by number.
    pub fn shapes(&self) -> &[Arc<Shape>] {
        &self.shapes
    }

    /// The number of a view.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn view(&self, name: &str) -> Reading<usize> {
        self.shapes.iter().position(|shape| shape.name() == name).ok_or_else(|| {
            let names = self.shapes.iter().map(|shape| shape.name());
            let hint = match (nearest(name, names.clone()), self.shapes.is_empty()) {
                (Some(near), _) => format!("did you mean '{near}'?"),
                (None, true) => "the project has no materialized view".into(),
                (None, false) => format!("there are {}", Vec::from_iter(names).join(", ")),
            };
            ReadError::NoView { name: name.to_owned(), hint }
        })
    }

    /// All views at the end of the newest step that changed one, or as of a step.
    ///
    /// # Errors
    /// Where the step is not kept, or there is none yet.
    pub fn snapshot(&self, as_of: Option<u64>) -> Reading<Arc<Snapshot>> {
        self.window().snapshot(as_of)
    }

    /// Keeps a snapshot readable for a while, for those who read it page by page.
    pub fn pin(&self, snapshot: &Arc<Snapshot>) {
        self.window.write().unwrap_or_else(|e| e.into_inner()).pin(snapshot);
    }

    /// What changed in a view after a step, up to the newest one.
    ///
    /// # Errors
    /// Where changes since then are no longer kept.
    pub fn changes(&self, view: usize, after: u64) -> Reading<Changes> {
        self.window().changes(view, after)
    }

    /// Tells the newest step that changed a view, and that the job has ended.
    pub fn steps(&self) -> watch::Receiver<u64> {
        self.steps.clone()
    }

    /// The steps that can be read, oldest and newest; none before the first has ended.
    pub fn range(&self) -> Option<(u64, u64)> {
        self.window().range()
    }

    fn window(&self) -> RwLockReadGuard<'_, Window> {
        // A window is whole between any two calls.
        self.window.read().unwrap_or_else(|e| e.into_inner())
    }
}
