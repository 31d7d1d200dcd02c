//! The rows of a view, kept as its changes come.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{SortColumn as ArrowSort, lexsort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow_row::{RowConverter, SortField};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::operator::SortColumn;
use crate::state::{Changed, Dirty, Input, Persist, StatePart, StateWriter, persist_struct};
use crate::{Delta, Digest, EngineError, Result};

/// A multiset of rows: what a view or a query's result is right now.
pub struct View {
    schema: SchemaRef,
    shown: SchemaRef,
    converter: RowConverter,
    /// The places in `rows` by the hash of the row.
    places: HashTable<u32>,
    rows: Vec<Row>,
    free: Vec<u32>,
    hasher: RandomState,
    arrivals: u64,
    dirty: Dirty,
    /// Of all changes.
    digest: Digest,
}

/// The name of the table of rows in a checkpoint.
const ROWS: &str = "rows";

/// A distinct row of the multiset. Its hash is kept so that a table that grows reads no row: a view
/// of long rows must not stop the step that happens to grow it.
#[derive(Debug, Default)]
struct Row {
    hash: u64,
    bytes: Box<[u8]>,
    /// The order in which distinct rows came.
    arrival: u64,
    /// How often it is there; zero: the place is free.
    count: i64,
}

/// A row as it is written: hashes are another process's own.
struct Kept {
    bytes: Box<[u8]>,
    arrival: u64,
    count: i64,
}
persist_struct!(Kept { bytes, arrival, count });

impl View {
    /// A view without rows.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter();
        let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        let shown = Arc::clone(&schema);
        Ok(Self {
            schema,
            shown,
            converter,
            places: HashTable::new(),
            rows: Vec::new(),
            free: Vec::new(),
            hasher: RandomState::default(),
            arrivals: 0,
            dirty: Dirty::default(),
            digest: Digest::default(),
        })
    }

    /// Shows only the first columns, under these names and declared types.
    pub fn showing(self, shown: SchemaRef) -> Self {
        Self { shown, ..self }
    }

    /// The columns that are shown.
    pub fn schema(&self) -> &SchemaRef {
        &self.shown
    }

    /// Takes a step's change. A row may be taken back before it is added within a step or over
    /// several; one that is not there when the view is read is an error.
    pub fn apply(&mut self, delta: &Delta) -> Result<()> {
        let rows = self.converter.convert_columns(delta.batch().columns())?;
        for row in 0..delta.num_rows() {
            let (encoded, weight) = (rows.row(row), delta.weight(row));
            let bytes = encoded.data();
            let hash = self.hasher.hash_one(bytes);
            self.digest.add_bytes(bytes, weight);
            let rows = &mut self.rows;
            let same = |&at: &u32| {
                let row = &rows[at as usize];
                row.hash == hash && *row.bytes == *bytes
            };
            let place = match self.places.entry(hash, same, |&at| rows[at as usize].hash) {
                Entry::Occupied(entry) => {
                    let place = *entry.get();
                    let row = &mut rows[place as usize];
                    row.count += weight;
                    if row.count == 0 {
                        row.bytes = Box::default();
                        self.free.push(place);
                        entry.remove();
                    }
                    place
                }
                Entry::Vacant(entry) => {
                    let place = self.free.pop().unwrap_or(rows.len() as u32);
                    entry.insert(place);
                    self.arrivals += 1;
                    let (arrival, count) = (self.arrivals, weight);
                    put(rows, place, Row { hash, bytes: bytes.into(), arrival, count });
                    place
                }
            };
            self.dirty.mark(place);
        }
        Ok(())
    }

    /// The digest of all changes so far, those of earlier runs included. It is added up from the
    /// changes, not from the rows: [`View::digest_of`] says whether the two fit.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Goes on from the digest of an earlier run.
    pub fn set_digest(&mut self, digest: Digest) {
        self.digest = digest;
    }

    /// The digest of the rows that a checkpoint has of a view.
    pub fn digest_of(part: &StatePart) -> Result<Digest> {
        let mut digest = Digest::default();
        for (_, bytes) in part.slots(ROWS) {
            let Kept { bytes, count, .. } = Input::new(bytes).get()?;
            digest.add_bytes(&bytes, count);
        }
        Ok(digest)
    }

    /// Writes the rows that changed since the last checkpoint.
    pub fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let rows = &self.rows;
        let live = |place: u32| rows[place as usize].count != 0;
        let changed = Changed::take(&mut self.dirty, rows.len(), live);
        out.slots(ROWS, &changed, |_, place, out| {
            let Row { bytes, arrival, count, .. } = &rows[place as usize];
            bytes.put(out);
            arrival.put(out);
            count.put(out);
        })
    }

    /// Takes over the rows of a checkpoint; there is none yet. `same`: the next checkpoint adds to
    /// that one, and need not write them again.
    pub fn restore(&mut self, from: &StatePart, same: bool) -> Result<()> {
        for (place, bytes) in from.slots(ROWS) {
            let Kept { bytes, arrival, count } = Input::new(bytes).get()?;
            let hash = self.hasher.hash_one(&*bytes);
            put(&mut self.rows, place, Row { hash, bytes, arrival, count });
            self.arrivals = self.arrivals.max(arrival);
            let rows = &self.rows;
            self.places.insert_unique(hash, place, |&at| rows[at as usize].hash);
        }
        let rows = &self.rows;
        self.free = (0..rows.len() as u32).filter(|&p| rows[p as usize].count == 0).collect();
        if same {
            self.dirty.start();
        }
        Ok(())
    }

    /// The rows now, in `order`, or in the order of their arrival.
    pub fn read(&self, order: &[SortColumn]) -> Result<RecordBatch> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|r| r.count != 0).collect();
        rows.sort_unstable_by_key(|r| r.arrival);
        if let Some(row) = rows.iter().find(|r| r.count < 0) {
            return Err(EngineError::not_there("a result", &self.decoded([&*row.bytes])?));
        }
        let repeated = rows.iter().flat_map(|r| std::iter::repeat_n(&*r.bytes, r.count as usize));
        let batch = self.decoded(repeated)?;
        let batch = sorted(batch, order)?;
        let width = self.shown.fields().len();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns()[..width].to_vec();
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.shown), columns, &options)?)
    }

    fn decoded<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<RecordBatch> {
        let parser = self.converter.parser();
        let mut count = 0;
        let rows = rows.into_iter().inspect(|_| count += 1).map(|bytes| parser.parse(bytes));
        let columns = self.converter.convert_rows(rows)?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// Puts a row in its place, behind the end where it is new.
fn put(rows: &mut Vec<Row>, place: u32, row: Row) {
    if place as usize >= rows.len() {
        rows.resize_with(place as usize + 1, Row::default);
    }
    rows[place as usize] = row;
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
