//! A condition over candidate pairs, bound to just the columns that it reads.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;

use crate::expr::{Expression, evaluate_mask, record_batch};
use crate::{EngineError, Result};

/// The residual condition of a join.
#[derive(Debug)]
pub(crate) struct Residual {
    condition: Expression,
    schema: SchemaRef,
}

impl Residual {
    /// The columns that a condition reads, ascending.
    pub(crate) fn columns(condition: &Expression) -> Vec<usize> {
        let mut columns: Vec<usize> =
            collect_columns(condition).iter().map(Column::index).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Binds a condition over `fields` to a batch of only [`Residual::columns`].
    pub(crate) fn new(condition: &Expression, fields: &[FieldRef]) -> Result<Self> {
        let columns = Self::columns(condition);
        let field = |&column: &usize| {
            fields.get(column).cloned().ok_or_else(|| {
                EngineError::Internal(format!("a join condition reads column {column}"))
            })
        };
        let read: Vec<FieldRef> = columns.iter().map(field).collect::<Result<_>>()?;
        let moved = Arc::clone(condition).transform(|node| {
            let moved = node.downcast_ref::<Column>().map(|column| {
                let place = columns.partition_point(|&c| c < column.index());
                Arc::new(Column::new(column.name(), place)) as Expression
            });
            Ok(match moved {
                Some(column) => Transformed::yes(column),
                None => Transformed::no(node),
            })
        });
        Ok(Self { condition: moved.data()?, schema: Arc::new(Schema::new(read)) })
    }

    /// Decides the rows of the columns that the condition reads.
    pub(crate) fn decide(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<BooleanArray> {
        evaluate_mask(&self.condition, &record_batch(&self.schema, columns, rows)?)
    }
}
