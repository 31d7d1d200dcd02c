//! Flink's system functions, with Flink's results.
//!
//! Scalar functions are DataFusion `ScalarUDF`s over arrow kernels, one file a group, each
//! group a table of [`call::Def`]s. Aggregate functions are described for planning only; the
//! engine runs them itself. They know neither SQL text nor plans, and are a crate of their own
//! because they run for every row: they are compiled for speed, the planner is not. What a
//! function does differently from Flink stands in `docs/functions.md`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

mod aggregate;
mod bitmap;
mod call;
pub mod cast;
mod collection;
pub mod float;
mod format;
mod json;
mod json_functions;
mod math;
mod misc;
mod number;
pub mod operators;
mod pattern;
mod printf;
mod regexp;
mod string;
mod temporal;
mod time;
pub mod typing;
pub mod variant;
mod window;

pub use call::FlinkFunction;
pub use format::{format_field_value, format_value};

/// The clock of a step: milliseconds since the epoch, set by the engine once a step.
///
/// Every function that tells the time reads it, so all rows of a step see one moment and a
/// replay of the step sees the same one.
#[derive(Clone, Debug, Default)]
pub struct StepClock(pub Arc<AtomicI64>);

impl StepClock {
    /// A clock that stands at `epoch_ms`.
    pub fn at(epoch_ms: i64) -> StepClock {
        StepClock(Arc::new(AtomicI64::new(epoch_ms)))
    }

    /// Sets the moment of the step that begins.
    pub fn set(&self, epoch_ms: i64) {
        self.0.store(epoch_ms, Ordering::Release);
    }

    /// The moment of the running step.
    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

/// What functions need to know of the session.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// `table.local-time-zone`.
    pub time_zone: chrono_tz::Tz,
    /// The step's clock.
    pub clock: StepClock,
    /// The current catalog, as `CURRENT_CATALOG()` tells it.
    pub catalog: String,
    /// The current database, as `CURRENT_DATABASE()` tells it.
    pub database: String,
}

impl Default for SessionSettings {
    fn default() -> Self {
        SessionSettings {
            time_zone: chrono_tz::UTC,
            clock: StepClock::default(),
            catalog: "default_catalog".to_string(),
            database: "default_database".to_string(),
        }
    }
}

impl PartialEq for SessionSettings {
    fn eq(&self, other: &Self) -> bool {
        self.time_zone == other.time_zone
            && self.catalog == other.catalog
            && self.database == other.database
            && Arc::ptr_eq(&self.clock.0, &other.clock.0)
    }
}

impl Eq for SessionSettings {}

/// All scalar functions, bound to the session.
pub fn scalar_functions(settings: &SessionSettings) -> Vec<Arc<ScalarUDF>> {
    definitions()
        .into_iter()
        .map(|def| {
            let function = call::FlinkFunction::new(def, settings.clone());
            Arc::new(ScalarUDF::new_from_impl(function))
        })
        .collect()
}

/// One scalar function by its own name, bound to the session.
pub fn scalar_function(name: &str, settings: &SessionSettings) -> Option<ScalarUDF> {
    let def = definitions().into_iter().find(|d| d.name == name)?;
    Some(ScalarUDF::new_from_impl(call::FlinkFunction::new(def, settings.clone())))
}

/// Every function, group after group.
fn definitions() -> Vec<call::Def> {
    [
        math::defs(),
        string::defs(),
        regexp::defs(),
        misc::defs(),
        temporal::defs(),
        json_functions::defs(),
        collection::defs(),
        bitmap::defs(),
        variant::defs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All aggregate functions: names, signatures and result types, for planning.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    aggregate::all()
}

/// All window functions, for planning.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    window::all()
}

/// Functions by name; Flink's built-in names do not care for case.
#[derive(Clone, Debug, Default)]
pub struct FunctionRegistry {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    window: HashMap<String, Arc<WindowUDF>>,
}

impl FunctionRegistry {
    /// The registry of all built-in functions.
    pub fn new(settings: &SessionSettings) -> FunctionRegistry {
        let mut registry = FunctionRegistry::default();
        for f in scalar_functions(settings) {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                registry.scalar.insert(name.to_ascii_uppercase(), Arc::clone(&f));
            }
        }
        for f in aggregate_functions() {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                registry.aggregate.insert(name.to_ascii_uppercase(), Arc::clone(&f));
            }
        }
        // The planner resolves it into the number of the grouping set.
        let grouping = datafusion_functions_aggregate::grouping::grouping_udaf();
        registry.aggregate.insert("GROUPING".into(), grouping);
        for f in window_functions() {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                registry.window.insert(name.to_ascii_uppercase(), Arc::clone(&f));
            }
        }
        registry
    }

    /// The scalar function of that name.
    pub fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(&name.to_ascii_uppercase()).cloned()
    }

    /// The aggregate function of that name.
    pub fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.get(&name.to_ascii_uppercase()).cloned()
    }

    /// The window function of that name.
    pub fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.window.get(&name.to_ascii_uppercase()).cloned()
    }

    /// All scalar names, sorted.
    pub fn scalar_names(&self) -> Vec<String> {
        sorted(self.scalar.keys())
    }

    /// All aggregate names, sorted.
    pub fn aggregate_names(&self) -> Vec<String> {
        sorted(self.aggregate.keys())
    }

    /// All window names, sorted.
    pub fn window_names(&self) -> Vec<String> {
        sorted(self.window.keys())
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names
}
