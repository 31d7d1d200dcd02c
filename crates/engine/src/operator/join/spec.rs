//! What a join is told by the planner.

use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::retention::Retention;
use crate::expr::Expression;
use crate::operator::Emission;
use crate::{EngineError, Result};

/// Which rows of two inputs make up the answer. Right semi and anti joins are left ones with the
/// inputs swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// The matching pairs.
    Inner,
    /// The matching pairs, and left rows without a match beside nulls.
    Left,
    /// The matching pairs, and right rows without a match beside nulls.
    Right,
    /// The matching pairs, and rows of both sides without a match beside nulls.
    Full,
    /// The left rows that have a match, once each.
    LeftSemi,
    /// The left rows that have no match.
    LeftAnti,
}

impl JoinKind {
    /// Whether matching pairs are part of the answer.
    pub(super) fn emits_pairs(self) -> bool {
        !matches!(self, Self::LeftSemi | Self::LeftAnti)
    }

    /// What the answer holds of single rows of a side (0 left, 1 right).
    pub(super) fn single(self, side: usize) -> Single {
        match (self, side) {
            (Self::Left | Self::Full | Self::LeftAnti, 0) => Single::Unmatched,
            (Self::Right | Self::Full, 1) => Single::Unmatched,
            (Self::LeftSemi, 0) => Single::Matched,
            _ => Single::None,
        }
    }
}

/// Which rows of one side are in the answer by themselves, not as half of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single {
    None,
    Matched,
    Unmatched,
}

/// A join of two inputs; see the module documentation for what it does.
#[derive(Debug, Clone)]
pub struct JoinSpec {
    /// Which rows make up the answer.
    pub kind: JoinKind,
    /// The key columns of the left input. May be empty: every row then meets every row.
    pub left_keys: Vec<usize>,
    /// The key columns of the right input, of the same types as those of the left.
    pub right_keys: Vec<usize>,
    /// For each key, whether null matches null (`IS NOT DISTINCT FROM`); with `=` it does not.
    pub null_safe: Vec<bool>,
    /// A further condition over the left columns followed by the right columns.
    pub filter: Option<Expression>,
    /// The columns of the left input.
    pub left_schema: SchemaRef,
    /// The columns of the right input.
    pub right_schema: SchemaRef,
    /// The columns of the output, after `output` has chosen them. The columns of a side that an
    /// outer join pads must be nullable.
    pub output_schema: SchemaRef,
    /// Whether the left input never takes a row back. Its rows are then kept without a look-up.
    pub left_insert_only: bool,
    /// Whether the right input never takes a row back.
    pub right_insert_only: bool,
    /// The columns to emit, out of the left columns followed by the right ones (semi and anti
    /// joins: the left ones). `None` emits all. Columns that nobody needs are not even kept.
    pub output: Option<Vec<usize>>,
    /// When rows may be forgotten. `None` keeps them until the other input ends.
    pub retention: Option<Retention>,
    /// Whether unmatched rows are emitted at once and corrected, or only when they are final.
    pub emission: Emission,
}

impl JoinSpec {
    pub(super) fn schema(&self, side: usize) -> &SchemaRef {
        if side == 0 { &self.left_schema } else { &self.right_schema }
    }

    pub(super) fn keys(&self, side: usize) -> &[usize] {
        if side == 0 { &self.left_keys } else { &self.right_keys }
    }

    pub(super) fn insert_only(&self, side: usize) -> bool {
        if side == 0 { self.left_insert_only } else { self.right_insert_only }
    }

    /// The side and column there of a column of left ++ right.
    pub(super) fn locate(&self, column: usize) -> Result<(usize, usize)> {
        let left = self.left_schema.fields().len();
        let right = self.right_schema.fields().len();
        match column {
            c if c < left => Ok((0, c)),
            c if c < left + right => Ok((1, c - left)),
            c => Err(invalid(format!("column {c} of {} was asked for", left + right))),
        }
    }

    /// The emitted columns as positions in left ++ right.
    pub(super) fn output_columns(&self) -> Vec<usize> {
        let left = self.left_schema.fields().len();
        let right = self.right_schema.fields().len();
        let all = if self.kind.emits_pairs() { left + right } else { left };
        self.output.clone().unwrap_or_else(|| (0..all).collect())
    }

    /// Refuses a specification that contradicts itself.
    pub(super) fn validate(&self) -> Result<()> {
        let keys = self.left_keys.len();
        if self.right_keys.len() != keys || self.null_safe.len() != keys {
            return Err(invalid(format!(
                "{keys} left keys, {} right keys, {} null flags",
                self.right_keys.len(),
                self.null_safe.len()
            )));
        }
        for (&l, &r) in self.left_keys.iter().zip(&self.right_keys) {
            let left = column_type(&self.left_schema, l)?;
            let right = column_type(&self.right_schema, r)?;
            if left != right {
                return Err(invalid(format!("a key of {left} against one of {right}")));
            }
        }
        let columns = self.output_columns();
        if columns.len() != self.output_schema.fields().len() {
            return Err(invalid(format!(
                "{} columns for an output of {}",
                columns.len(),
                self.output_schema.fields().len()
            )));
        }
        for column in columns {
            if self.locate(column)?.0 == 1 && !self.kind.emits_pairs() {
                return Err(invalid("a semi or anti join has no right columns".into()));
            }
        }
        self.validate_time()
    }

    fn validate_time(&self) -> Result<()> {
        match self.retention {
            Some(Retention::Interval { left_time, right_time, lower_ms, upper_ms }) => {
                time_column(&self.left_schema, left_time)?;
                time_column(&self.right_schema, right_time)?;
                if lower_ms > upper_ms {
                    return Err(invalid(format!("an interval from {lower_ms} to {upper_ms} ms")));
                }
            }
            Some(Retention::Window { left_end, right_end, .. }) => {
                time_column(&self.left_schema, left_end)?;
                time_column(&self.right_schema, right_end)?;
                let mut keys = self.left_keys.iter().zip(&self.right_keys);
                if !keys.any(|(&l, &r)| (l, r) == (left_end, right_end)) {
                    return Err(invalid("the window ends are not among the keys".into()));
                }
            }
            Some(Retention::Ttl { .. }) | None => {}
        }
        if self.emission == Emission::Updates {
            return Ok(());
        }
        if !(self.left_insert_only && self.right_insert_only) {
            return Err(invalid("final rows of an input that takes rows back".into()));
        }
        let bounded =
            matches!(self.retention, Some(Retention::Interval { .. } | Retention::Window { .. }));
        let waits = (0..2).any(|side| self.kind.single(side) == Single::Unmatched);
        if waits && !bounded {
            return Err(invalid("final unmatched rows of a join without a time bound".into()));
        }
        Ok(())
    }
}

pub(super) fn invalid(text: String) -> EngineError {
    EngineError::Internal(format!("a join was planned with {text}"))
}

fn column_type(schema: &Schema, column: usize) -> Result<&DataType> {
    let field = schema.fields().get(column);
    field.map(|f| f.data_type()).ok_or_else(|| invalid(format!("a key column {column}")))
}

fn time_column(schema: &Schema, column: usize) -> Result<()> {
    match column_type(schema, column)? {
        DataType::Timestamp(..) => Ok(()),
        other => Err(invalid(format!("a time column of type {other}"))),
    }
}
