//! The step plan: what a circuit will do, as data.
//!
//! A logical plan says *what* the answer is; a [`StepPlan`] says with which operators it is kept
//! right: where rows are exchanged, what is insert-only, which columns are a key, when state may
//! go. `EXPLAIN` prints it, [`build`] makes a circuit of it.

mod build;
mod explain;
mod explain_watermark;
mod identity;
mod lower;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rialto_engine::LocalZone;
use rialto_engine::Partitioning;
use rialto_engine::expr::Expression;
use rialto_engine::operator::SortColumn;
use rialto_engine::operator::aggregate::{AggregateSpec, CombineSpec};
use rialto_engine::operator::first_row::FirstRowSpec;
use rialto_engine::operator::join::JoinSpec;
use rialto_engine::operator::lookup_join::LookupJoinSpec;
use rialto_engine::operator::match_recognize::MatchSpec;
use rialto_engine::operator::over::OverSpec;
use rialto_engine::operator::session::SessionSpec;
use rialto_engine::operator::set_operation::SetRule;
use rialto_engine::operator::temporal_join::TemporalJoinSpec;
use rialto_engine::operator::top_n::TopNSpec;
use rialto_engine::operator::unnest::UnnestSpec;
use rialto_engine::operator::window_assign::Windows;

use crate::catalog::TableDef;
use crate::error::Span;

pub use build::{Connect, ScanTable, build};
pub use explain::{explain, explain_step};
pub use explain_watermark::explain_watermark;
pub use identity::{Identities, steps};
pub use lower::{Lowering, Query, StateTtl, has_changes};

/// An operator with its inputs.
#[derive(Debug)]
pub struct StepPlan {
    /// What it does.
    pub node: StepNode,
    /// What it reads.
    pub inputs: Vec<Arc<StepPlan>>,
    /// The columns of its output.
    pub schema: SchemaRef,
    /// What is known of its output.
    pub traits: Traits,
}

/// What an operator's output is known to be.
#[derive(Debug, Clone, Default)]
pub struct Traits {
    /// No row is ever taken back.
    pub insert_only: bool,
    /// Columns of which no two rows that are there at once have equal values.
    pub key: Option<Vec<usize>>,
    /// The start and the end of a row's window, where the start tells the end: of a key that has
    /// both, the end may be left out.
    pub window: Option<(usize, usize)>,
    /// What a column means for time; one a column.
    pub roles: Vec<Role>,
    /// A row is in the shard of the hash of these columns, in this order; `None`: anywhere.
    pub partitioning: Option<Vec<usize>>,
    /// The change of one row may make a step say many rows anew, most of them as they were.
    pub restates: bool,
}

/// What a column means for time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Nothing.
    #[default]
    None,
    /// The event time that the watermark speaks of.
    Rowtime,
    /// The inclusive start of a row's window.
    WindowStart,
    /// The exclusive end of a row's window, in the local time of a zone.
    WindowEnd(LocalZone),
    /// The last moment of a row's window; an event time.
    WindowTime,
    /// The processing time: `PROCTIME()`.
    Proctime,
}

impl Role {
    /// Whether the watermark bounds the column.
    pub fn is_event_time(self) -> bool {
        matches!(self, Self::Rowtime | Self::WindowTime)
    }
}

/// What an operator does.
#[derive(Debug)]
pub enum StepNode {
    /// Reads columns (by position in the declaration) of a table.
    Scan {
        /// The table.
        table: Box<TableDef>,
        /// Which of its columns.
        columns: Vec<usize>,
    },
    /// Gives rows that the query spells out.
    Values(RecordBatch),
    /// Keeps rows and computes columns.
    FilterProject {
        /// Which rows.
        condition: Option<Expression>,
        /// Which columns; none: those of the input.
        projection: Option<Vec<Expression>>,
    },
    /// Picks columns of the input.
    Select(Vec<usize>),
    /// Brings rows together.
    Exchange(Partitioning),
    /// Adds the columns of a row's windows.
    WindowAssign {
        /// The time column.
        time: usize,
        /// Which windows.
        windows: Windows,
        /// The zone in whose local time they are cut.
        zone: LocalZone,
    },
    /// Makes the clock the event time.
    ClockTime,
    /// Combines rows of a step that are in the same windows.
    Combine(Box<CombineSpec>),
    /// Groups.
    Aggregate(Box<AggregateSpec>),
    /// Joins two inputs.
    Join(Box<JoinSpec>),
    /// Joins rows with the version of a table that was valid at their time.
    TemporalJoin(Box<TemporalJoinSpec>),
    /// Joins rows with a table as it is, as they come.
    LookupJoin {
        /// How.
        spec: Box<LookupJoinSpec>,
        /// The column of the right side that each key is, where it is one: what a table can be
        /// asked for.
        columns: Vec<Option<usize>>,
        /// Where the join stands in the query.
        place: Option<Span>,
    },
    /// Keeps the first rows of every partition.
    TopN(Box<TopNSpec>),
    /// Keeps the first row of every key by event time.
    FirstRow(FirstRowSpec),
    /// Computes functions over the rows around each row.
    Over(Box<OverSpec>),
    /// Finds rows that follow a pattern.
    MatchRecognize(Box<MatchSpec>),
    /// Adds the columns of a row's session.
    Session(SessionSpec),
    /// Gives a row for each element of a collection.
    Unnest(Box<UnnestSpec>),
    /// Appends its inputs.
    Union,
    /// Leaves out rows that a step takes back and says again.
    Consolidate,
    /// Counts equal rows of its inputs.
    SetOperation(SetRule),
}

impl StepNode {
    /// The operator's name, as `EXPLAIN` and metrics show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scan { .. } => "Scan",
            Self::Values(_) => "Values",
            Self::FilterProject { projection: None, .. } => "Filter",
            Self::FilterProject { condition: None, .. } => "Project",
            Self::FilterProject { .. } => "FilterProject",
            Self::Select(_) => "Select",
            Self::Exchange(_) => "Exchange",
            Self::WindowAssign { .. } => "WindowAssign",
            Self::ClockTime => "ClockTime",
            Self::Combine(_) => "Combine",
            Self::Aggregate(spec) if spec.window.is_some() => "WindowAggregate",
            Self::Aggregate(_) => "Aggregate",
            Self::Join(_) => "Join",
            Self::TemporalJoin(_) => "TemporalJoin",
            Self::LookupJoin { .. } => "LookupJoin",
            Self::TopN(_) => "TopN",
            Self::FirstRow(_) => "FirstRow",
            Self::Over(_) => "Over",
            Self::MatchRecognize(_) => "MatchRecognize",
            Self::Session(_) => "SessionWindow",
            Self::Unnest(_) => "Unnest",
            Self::Union => "Union",
            Self::Consolidate => "Consolidate",
            Self::SetOperation(_) => "SetOperation",
        }
    }
}

/// The order in which rows are shown.
pub type Order = Vec<SortColumn>;
