//! Expressions over batches, compiled once per operator.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion_common::cast::as_boolean_array;
use datafusion_physical_expr::PhysicalExpr;

use crate::{EngineError, Result};

/// An expression that has been bound to the columns of its input.
pub type Expression = Arc<dyn PhysicalExpr>;

/// The values of `expression`, one a row.
pub fn evaluate(expression: &Expression, batch: &RecordBatch) -> Result<ArrayRef> {
    Ok(expression.evaluate(batch)?.into_array(batch.num_rows())?)
}

/// The values of a condition; null stays null and counts as false for a filter.
pub fn evaluate_mask(condition: &Expression, batch: &RecordBatch) -> Result<BooleanArray> {
    Ok(as_boolean_array(&evaluate(condition, batch)?)?.clone())
}

/// One output column a expression, as rows of `schema`.
pub fn project(
    expressions: &[Expression],
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let columns =
        expressions.iter().map(|e| evaluate(e, batch)).collect::<Result<Vec<ArrayRef>>>()?;
    record_batch(schema, columns, batch.num_rows())
}

/// A batch from columns; also without columns, where `rows` alone says how many rows there are.
pub fn record_batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| EngineError::Internal(format!("columns do not fit their schema: {e}")))
}
