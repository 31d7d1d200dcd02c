//! The rows of a view, kept as its changes come.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{SortColumn as ArrowSort, lexsort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use rialto_engine::operator::SortColumn;
use rialto_engine::{Delta, EngineError, Result};

/// A multiset of rows: what a view or a query's result is right now.
pub struct View {
    schema: SchemaRef,
    shown: SchemaRef,
    converter: RowConverter,
    rows: HashMap<Box<[u8]>, (u64, i64)>,
    arrivals: u64,
}

impl View {
    /// A view without rows.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter();
        let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        let shown = Arc::clone(&schema);
        Ok(Self { schema, shown, converter, rows: HashMap::new(), arrivals: 0 })
    }

    /// Shows only the first columns, under these names and declared types.
    pub fn showing(self, shown: SchemaRef) -> Self {
        Self { shown, ..self }
    }

    /// The columns that are shown.
    pub fn schema(&self) -> &SchemaRef {
        &self.shown
    }

    /// Takes a step's change. A row that is taken back without being there is a bug and an error.
    pub fn apply(&mut self, delta: &Delta) -> Result<()> {
        let rows = self.converter.convert_columns(delta.batch().columns())?;
        for row in 0..delta.num_rows() {
            let (bytes, weight) = (rows.row(row), delta.weight(row));
            match self.rows.get_mut(bytes.data()) {
                Some((_, count)) => {
                    *count += weight;
                    if *count == 0 {
                        self.rows.remove(bytes.data());
                    }
                }
                None => {
                    self.arrivals += 1;
                    let entry = (self.arrivals, weight);
                    self.rows.insert(bytes.data().into(), entry);
                }
            }
        }
        Ok(())
    }

    /// The rows now, in `order`, or in the order of their arrival.
    pub fn read(&self, order: &[SortColumn]) -> Result<RecordBatch> {
        let mut rows: Vec<(&[u8], u64, i64)> =
            self.rows.iter().map(|(b, (at, count))| (b.as_ref(), *at, *count)).collect();
        rows.sort_unstable_by_key(|(_, at, _)| *at);
        if rows.iter().any(|(_, _, count)| *count < 0) {
            return Err(EngineError::Internal("a row was taken back that was not there".into()));
        }
        let total: usize = rows.iter().map(|(_, _, count)| *count as usize).sum();
        if self.schema.fields().is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(total));
            return Ok(RecordBatch::try_new_with_options(
                Arc::clone(&self.schema),
                vec![],
                &options,
            )?);
        }
        let parser = self.converter.parser();
        let repeated = rows.iter().flat_map(|(b, _, n)| std::iter::repeat_n(*b, *n as usize));
        let columns = self.converter.convert_rows(repeated.map(|b| parser.parse(b)))?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let batch = sorted(batch, order)?;
        let width = self.shown.fields().len();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns()[..width].to_vec();
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.shown), columns, &options)?)
    }
}

/// A batch in order; rows that compare equal keep theirs.
fn sorted(batch: RecordBatch, order: &[SortColumn]) -> Result<RecordBatch> {
    if order.is_empty() || batch.num_rows() < 2 {
        return Ok(batch);
    }
    let mut columns: Vec<ArrowSort> = order
        .iter()
        .map(|s| ArrowSort { values: Arc::clone(batch.column(s.column)), options: Some(s.options) })
        .collect();
    let position = UInt32Array::from_iter_values(0..batch.num_rows() as u32);
    columns.push(ArrowSort { values: Arc::new(position), options: None });
    let indices = lexsort_to_indices(&columns, None)?;
    Ok(take_record_batch(&batch, &indices)?)
}
