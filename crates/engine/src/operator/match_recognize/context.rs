//! What conditions and measures see of a match: references to its rows as columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};

use crate::Result;
use crate::expr::{Expression, evaluate, record_batch};
use crate::operator::over::{WindowFunction, aggregate};
use crate::operator::rows::{NO_ROW, RowStore};

/// Something of a match that an expression can ask for. `variable` is the number of a pattern
/// variable; without one all rows of the match are meant.
#[derive(Debug, Clone)]
pub enum MatchReference {
    /// A column of the row that is `offset` rows before the last one of the variable: `A.x` is
    /// `LAST(A.x, 0)`. In a condition the row at hand is the last one of the variable it is tried
    /// for.
    Last {
        /// The variable.
        variable: Option<usize>,
        /// The column of the input.
        column: usize,
        /// How many of the variable's rows before the last.
        offset: usize,
    },
    /// A column of the row that is `offset` rows after the first one of the variable.
    First {
        /// The variable.
        variable: Option<usize>,
        /// The column of the input.
        column: usize,
        /// How many of the variable's rows after the first.
        offset: usize,
    },
    /// An aggregate over the variable's rows; its argument is over the input's columns.
    Aggregate {
        /// The variable.
        variable: Option<usize>,
        /// One of the framed functions of `OVER`.
        function: WindowFunction,
    },
    /// `MATCH_ROWTIME()`: the time of the last row.
    MatchTime,
}

/// An expression over a row whose columns are these references, in order.
#[derive(Debug, Clone)]
pub struct MatchExpression {
    /// The columns of the row.
    pub references: Vec<MatchReference>,
    /// The expression, bound to that row.
    pub expression: Expression,
}

/// A match, or what may become one: the ids of its rows and the variable of each.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) ids: Vec<u32>,
    pub(super) variables: Vec<u16>,
}

impl Candidate {
    /// The rows of a variable, in order.
    fn rows(&self, variable: Option<usize>) -> impl DoubleEndedIterator<Item = u32> + '_ {
        let fits = move |v: u16| variable.is_none_or(|wanted| wanted == usize::from(v));
        self.ids.iter().zip(&self.variables).filter(move |(_, v)| fits(**v)).map(|(id, _)| *id)
    }
}

impl MatchReference {
    /// The column that the reference makes.
    pub fn field(&self, input: &SchemaRef, time: usize) -> FieldRef {
        match self {
            Self::Last { column, .. } | Self::First { column, .. } => {
                let data_type = input.field(*column).data_type().clone();
                Arc::new(Field::new(input.field(*column).name(), data_type, true))
            }
            Self::Aggregate { function, .. } => Arc::clone(&function.output),
            Self::MatchTime => {
                let data_type = input.field(time).data_type().clone();
                Arc::new(Field::new("MATCH_ROWTIME", data_type, true))
            }
        }
    }

    /// The column of the input, if a condition of `variable` reads it of the row at hand.
    fn own_column(&self, own: usize) -> Option<usize> {
        match self {
            Self::Last { variable, column, offset: 0 }
                if variable.is_none_or(|variable| variable == own) =>
            {
                Some(*column)
            }
            _ => None,
        }
    }
}

/// An expression with the schema of its references.
pub(super) struct Bound {
    expression: MatchExpression,
    schema: SchemaRef,
    time: usize,
}

impl Bound {
    pub(super) fn new(expression: MatchExpression, input: &SchemaRef, time: usize) -> Self {
        let fields = expression.references.iter().map(|r| r.field(input, time));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { expression, schema, time }
    }

    /// The columns of the input that the condition of `variable` needs, if it looks at nothing but
    /// the row at hand.
    pub(super) fn row_columns(&self, variable: usize) -> Option<Vec<usize>> {
        self.expression.references.iter().map(|r| r.own_column(variable)).collect()
    }

    /// The values for rows of the input, given [`Bound::row_columns`].
    pub(super) fn of_rows(&self, batch: &RecordBatch, columns: &[usize]) -> Result<ArrayRef> {
        let columns = columns.iter().map(|&c| Arc::clone(batch.column(c))).collect();
        let rows = record_batch(&self.schema, columns, batch.num_rows())?;
        evaluate(&self.expression.expression, &rows)
    }

    /// The values for matches, one each.
    pub(super) fn of_matches(&self, store: &RowStore, matches: &[Candidate]) -> Result<ArrayRef> {
        let mut columns = Vec::with_capacity(self.expression.references.len());
        for reference in &self.expression.references {
            columns.push(self.column(reference, store, matches)?);
        }
        let rows = record_batch(&self.schema, columns, matches.len())?;
        evaluate(&self.expression.expression, &rows)
    }

    fn column(
        &self,
        reference: &MatchReference,
        store: &RowStore,
        matches: &[Candidate],
    ) -> Result<ArrayRef> {
        let pick = |column: usize, row: &dyn Fn(&Candidate) -> Option<u32>| -> Result<ArrayRef> {
            let ids: Vec<u32> = matches.iter().map(|m| row(m).unwrap_or(NO_ROW)).collect();
            Ok(store.gather_columns(&ids, &[column])?.remove(0))
        };
        match reference {
            MatchReference::Last { variable, column, offset } => {
                pick(*column, &|m| m.rows(*variable).nth_back(*offset))
            }
            MatchReference::First { variable, column, offset } => {
                pick(*column, &|m| m.rows(*variable).nth(*offset))
            }
            MatchReference::MatchTime => pick(self.time, &|m| m.ids.last().copied()),
            MatchReference::Aggregate { variable, function } => {
                let (mut ids, mut sets) = (Vec::new(), Vec::with_capacity(matches.len()));
                for found in matches {
                    let start = ids.len();
                    ids.extend(found.rows(*variable));
                    sets.push((start, ids.len()));
                }
                aggregate(function, &store.gather(&ids)?, &sets)
            }
        }
    }
}
