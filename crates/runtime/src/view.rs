//! The rows of a view, kept as its changes come.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{SortColumn as ArrowSort, lexsort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rialto_engine::operator::SortColumn;
use rialto_engine::{Delta, EngineError, Result};

/// A multiset of rows: what a view or a query's result is right now.
pub struct View {
    schema: SchemaRef,
    shown: SchemaRef,
    converter: RowConverter,
    rows: HashTable<Row>,
    hasher: RandomState,
    arrivals: u64,
}

/// A distinct row of the multiset. Its hash is kept so that a table that grows reads no row: a view
/// of long rows must not stop the step that happens to grow it.
struct Row {
    hash: u64,
    bytes: Box<[u8]>,
    /// The order in which distinct rows came.
    arrival: u64,
    count: i64,
}

impl View {
    /// A view without rows.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter();
        let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        let shown = Arc::clone(&schema);
        let (rows, hasher) = (HashTable::new(), RandomState::default());
        Ok(Self { schema, shown, converter, rows, hasher, arrivals: 0 })
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
            let (encoded, weight) = (rows.row(row), delta.weight(row));
            let bytes = encoded.data();
            let hash = self.hasher.hash_one(bytes);
            let same = |r: &Row| r.hash == hash && *r.bytes == *bytes;
            match self.rows.entry(hash, same, |r| r.hash) {
                Entry::Occupied(mut entry) => {
                    entry.get_mut().count += weight;
                    if entry.get().count == 0 {
                        entry.remove();
                    }
                }
                Entry::Vacant(entry) => {
                    self.arrivals += 1;
                    let (arrival, count) = (self.arrivals, weight);
                    entry.insert(Row { hash, bytes: bytes.into(), arrival, count });
                }
            }
        }
        Ok(())
    }

    /// The rows now, in `order`, or in the order of their arrival.
    pub fn read(&self, order: &[SortColumn]) -> Result<RecordBatch> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_unstable_by_key(|r| r.arrival);
        if rows.iter().any(|r| r.count < 0) {
            return Err(EngineError::Internal("a row was taken back that was not there".into()));
        }
        let total: usize = rows.iter().map(|r| r.count as usize).sum();
        if self.schema.fields().is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(total));
            return Ok(RecordBatch::try_new_with_options(
                Arc::clone(&self.schema),
                vec![],
                &options,
            )?);
        }
        let parser = self.converter.parser();
        let repeated = rows.iter().flat_map(|r| std::iter::repeat_n(&*r.bytes, r.count as usize));
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
