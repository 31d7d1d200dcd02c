//! What an `OVER` computes: frames, functions and how far a change reaches.

use arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};

use crate::expr::Expression;
use crate::operator::emission::Emission;
use crate::operator::order::{SortColumn, is_fixed};
use crate::{EngineError, Result};

/// An `OVER` window and the functions that are computed over it.
#[derive(Debug, Clone)]
pub struct OverSpec {
    /// The columns of `PARTITION BY`; none: all rows are one partition.
    pub partition: Vec<usize>,
    /// The columns of `ORDER BY`; none: all rows are peers.
    pub order: Vec<SortColumn>,
    /// The rows around a row that an aggregate sees.
    pub frame: Frame,
    /// The functions, one output column each.
    pub functions: Vec<WindowFunction>,
    /// Whether every weight of the input is positive.
    pub input_insert_only: bool,
    /// The column of event time, which must be the first of `order`, ascending: rows at or behind
    /// the watermark are late, and state is dropped as it moves.
    pub event_time: Option<usize>,
    /// When rows come out. `Final` needs `event_time` and functions that look back only.
    pub emission: Emission,
}

/// A frame: from where to where around the current row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// What the bounds count.
    pub units: FrameUnits,
    /// Where the frame starts.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
}

impl Frame {
    /// SQL's default with an `ORDER BY`: all rows before, and the peers.
    pub const DEFAULT: Self = Self {
        units: FrameUnits::Range,
        start: FrameBound::UnboundedPreceding,
        end: FrameBound::CurrentRow,
    };
}

/// What frame bounds count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameUnits {
    /// Rows.
    Rows,
    /// Differences of the order column, in its own unit; the current row means all its peers.
    Range,
}

/// One bound of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameBound {
    /// The first row of the partition.
    UnboundedPreceding,
    /// So much before the current row.
    Preceding(u64),
    /// The current row, or its peers.
    CurrentRow,
    /// So much after the current row.
    Following(u64),
    /// The last row of the partition.
    UnboundedFollowing,
}

/// Whether a null value counts as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Nulls are values like others.
    Respect,
    /// Nulls are passed over.
    Ignore,
}

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum FunctionKind {
    /// `COUNT(x)`; without an argument `COUNT(*)`.
    Count,
    /// `SUM(x)`; integers wrap, decimals that do not fit are null.
    Sum,
    /// `AVG(x)`; integers are truncated, decimals rounded half up.
    Avg,
    Min,
    Max,
    /// `FIRST_VALUE(x)`.
    First(Nulls),
    /// `LAST_VALUE(x)`.
    Last(Nulls),
    /// `VAR_POP`, `VAR_SAMP`, `STDDEV_POP`, `STDDEV_SAMP`.
    Variance {
        sample: bool,
        root: bool,
    },
    /// `LAG(x, offset)`: the value so many rows before.
    Lag(u64),
    /// `LEAD(x, offset)`: the value so many rows after.
    Lead(u64),
    RowNumber,
    Rank,
    DenseRank,
    /// `NTILE(n)`.
    Ntile(u64),
    PercentRank,
    CumeDist,
}

/// A function, its arguments and its output column.
#[derive(Debug, Clone)]
pub struct WindowFunction {
    /// Which function.
    pub kind: FunctionKind,
    /// Its argument, over the input's columns.
    pub argument: Option<Expression>,
    /// Whether `COUNT`, `SUM` or `AVG` takes equal values of a frame once.
    pub distinct: bool,
    /// `FILTER (WHERE …)` of an aggregate.
    pub filter: Option<Expression>,
    /// What `LAG` and `LEAD` give where there is no such row, and `LAG` where its value is null;
    /// null without it.
    pub default: Option<Expression>,
    /// The name and type of the result.
    pub output: FieldRef,
}

impl WindowFunction {
    /// Whether its value can be carried on from row to row.
    pub(super) fn is_running(&self, frame: &Frame) -> bool {
        use FunctionKind::{DenseRank, Rank, RowNumber};
        match self.kind {
            DenseRank => true,
            RowNumber | Rank => false,
            // What has been counted would have to be carried on as well.
            _ => self.is_framed() && frame.is_running() && !self.distinct,
        }
    }

    /// Whether equal values can be taken once.
    pub(super) fn can_be_distinct(&self) -> bool {
        matches!(self.kind, FunctionKind::Count | FunctionKind::Sum | FunctionKind::Avg)
    }

    /// Whether its value depends on the frame.
    pub(super) fn is_framed(&self) -> bool {
        use FunctionKind::{Avg, Count, First, Last, Max, Min, Sum, Variance};
        let kind = self.kind;
        matches!(kind, Avg | Count | First(_) | Last(_) | Max | Min | Sum | Variance { .. })
    }
}

impl Frame {
    fn is_running(&self) -> bool {
        (self.start, self.end) == (FrameBound::UnboundedPreceding, FrameBound::CurrentRow)
    }

    fn is_bounded(&self) -> bool {
        use FrameBound::{CurrentRow, Following, Preceding};
        let bounded = |b| matches!(b, Preceding(_) | CurrentRow | Following(_));
        bounded(self.start) && bounded(self.end)
    }
}

/// How far the change of one row reaches.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// All rows after the change: some value is carried on.
    pub(super) running: bool,
    /// The position is asked for, so that all rows after the change may be different.
    pub(super) positions: bool,
    /// The whole partition.
    pub(super) whole: bool,
    /// How many rows after a row can see it, and how far in order units.
    pub(super) rows_after: u64,
    pub(super) range_after: u64,
    /// How many rows before a row can see it, and how far in order units.
    pub(super) rows_before: u64,
    pub(super) range_before: u64,
}

impl Reach {
    pub(super) fn new(spec: &OverSpec) -> Self {
        use FunctionKind::{CumeDist, Lag, Lead, Ntile, PercentRank, Rank, RowNumber};
        let mut reach = Self::default();
        for function in &spec.functions {
            reach.running |= function.is_running(&spec.frame);
            match function.kind {
                Ntile(_) | PercentRank | CumeDist => reach.whole = true,
                RowNumber | Rank => reach.positions = true,
                Lag(n) => reach.rows_after = reach.rows_after.max(n),
                Lead(n) => reach.rows_before = reach.rows_before.max(n),
                _ => {}
            }
            if function.is_framed() && !function.is_running(&spec.frame) {
                reach.add_frame(&spec.frame);
            }
        }
        reach
    }

    fn add_frame(&mut self, frame: &Frame) {
        self.whole |= !frame.is_bounded();
        let (after, before) = match frame.units {
            FrameUnits::Rows => (&mut self.rows_after, &mut self.rows_before),
            FrameUnits::Range => (&mut self.range_after, &mut self.range_before),
        };
        for bound in [frame.start, frame.end] {
            match bound {
                FrameBound::Preceding(n) => *after = n.max(*after),
                FrameBound::Following(n) => *before = n.max(*before),
                _ => {}
            }
        }
    }

    /// Whether rows before a change never see it.
    pub(super) fn looks_back_only(&self) -> bool {
        !self.whole && self.rows_before == 0 && self.range_before == 0
    }
}

impl OverSpec {
    /// Whether this makes sense over rows of `input`.
    pub(super) fn validate(&self, input: &SchemaRef) -> Result<()> {
        use FrameBound::{Following, Preceding};
        let offset = |b| matches!(b, Preceding(_) | Following(_));
        let by_offset = offset(self.frame.start) || offset(self.frame.end);
        let one_number = matches!(self.order[..], [one]
            if is_fixed(input.field(one.column).data_type()));
        if self.frame.units == FrameUnits::Range && by_offset && !one_number {
            return Err(EngineError::Data(
                "a RANGE frame with an offset needs one ORDER BY column of an integer, DATE or \
                 TIMESTAMP type"
                    .into(),
            ));
        }
        if self.frame.start == FrameBound::UnboundedFollowing
            || self.frame.end == FrameBound::UnboundedPreceding
        {
            return Err(EngineError::Data(
                "the frame of an OVER window ends before it starts".into(),
            ));
        }
        if let Some(time) = self.event_time
            && !self.order.first().is_some_and(|s| s.column == time && !s.options.descending)
        {
            return Err(EngineError::Internal(
                "event time is not what the rows are ordered by".into(),
            ));
        }
        if self.functions.iter().any(|f| f.distinct && !f.can_be_distinct()) {
            return Err(EngineError::Internal("DISTINCT of a function that has none".into()));
        }
        if self.emission == Emission::Final
            && (self.event_time.is_none() || !Reach::new(self).looks_back_only())
        {
            return Err(EngineError::Data(
                "an append-only result of an OVER window is not supported for functions that look \
                 at following rows, or without an ORDER BY a time attribute"
                    .into(),
            ));
        }
        Ok(())
    }

    /// How many milliseconds `range_after` is, rounded up.
    pub(super) fn range_millis(&self, input: &SchemaRef, range: u64) -> i64 {
        let unit = self.event_time.map(|time| input.field(time).data_type().clone());
        let millis = match unit {
            Some(DataType::Timestamp(TimeUnit::Second, _)) => range.saturating_mul(1_000),
            Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => range.div_ceil(1_000),
            Some(DataType::Timestamp(TimeUnit::Nanosecond, _)) => range.div_ceil(1_000_000),
            _ => range,
        };
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}
