//! What a view's rows look like: columns, key, and how rows are encoded, decoded and written.
//!
//! A row is encoded with the columns of its key before the others, by an encoding whose order is
//! that of the values. So the rows of a view lie in the order of its key, and those of one key, or
//! of the first columns of it, lie side by side.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use rialto_connectors::format::json::JsonEncoder;
use rialto_engine::{Delta, EngineError, Result};
use rialto_sql::types::FlinkType;

use super::tree::{Scan, Tree};
use super::{ReadError, Reading};

/// The columns of a view, and its key.
#[derive(Debug)]
pub struct Shape {
    name: String,
    schema: SchemaRef,
    key: Vec<usize>,
    types: Vec<FlinkType>,
    /// The columns in the order in which they are encoded.
    order: Vec<usize>,
    converter: RowConverter,
    encoder: JsonEncoder,
}

impl Shape {
    /// Of a view with these columns. `key`: columns of which no two rows have equal values.
    pub(crate) fn new(name: &str, schema: &SchemaRef, key: Option<&[usize]>) -> Result<Self> {
        let width = schema.fields().len();
        let key: Vec<usize> = key.unwrap_or_default().to_vec();
        if key.iter().any(|&column| column >= width) {
            return Err(EngineError::Internal(format!("the key of '{name}' is not in it")));
        }
        let others = (0..width).filter(|column| !key.contains(column));
        let order: Vec<usize> = key.iter().copied().chain(others).collect();
        let fields = order.iter().map(|&c| SortField::new(schema.field(c).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let types = schema.fields().iter().map(|field| FlinkType::from_field(field));
        let types = types.collect::<std::result::Result<_, _>>();
        let types = types.map_err(|e| EngineError::Internal(e.to_string()))?;
        let encoder = JsonEncoder::new(schema);
        let schema = Arc::clone(schema);
        Ok(Self { name: name.to_owned(), schema, key, types, order, converter, encoder })
    }

    /// The name of the view.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of its key, by number; none: its rows are a multiset.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// The types of its columns, as Flink calls them.
    pub fn types(&self) -> &[FlinkType] {
        &self.types
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.schema.fields().iter().position(|field| field.name() == name)
    }

    /// Appends a row as a JSON object, as the format `json` writes it.
    ///
    /// # Errors
    /// Where a value cannot be written: a map with a null key.
    pub fn write_json(&self, rows: &RecordBatch, row: usize, out: &mut Vec<u8>) -> Result<()> {
        self.encoder.write_row(rows, row, out)
    }

    /// Takes a change into a tree; answers the bytes that had to be copied.
    pub(crate) fn apply(&self, tree: &mut Tree, delta: &Delta) -> Result<usize> {
        let columns: Vec<ArrayRef> =
            self.order.iter().map(|&column| Arc::clone(delta.column(column))).collect();
        let rows = self.converter.convert_columns(&columns)?;
        let mut copied = 0;
        // A row that is taken back before it comes is there at the end of the step.
        for row in 0..delta.num_rows() {
            copied += tree.add(rows.row(row).data(), delta.weight(row)).1;
        }
        Ok(copied)
    }

    /// Rows of a batch of the view's columns, from their encodings.
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<RecordBatch> {
        let parser = self.converter.parser();
        let mut count = 0;
        let rows = rows.map(|bytes| {
            count += 1;
            parser.parse(bytes)
        });
        let decoded = self.converter.convert_rows(rows)?;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.order.len()];
        for (&column, array) in self.order.iter().zip(decoded) {
            columns[column] = Some(array);
        }
        let columns = columns.into_iter().flatten().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// The error for a row that was taken back more often than it was added.
    fn not_there(&self, row: &[u8]) -> EngineError {
        match self.decode(std::iter::once(row)) {
            Ok(rows) => EngineError::not_there(&format!("'{}'", self.name), &rows),
            Err(error) => error,
        }
    }

    /// The encoding of the first columns of the key, from texts.
    pub(crate) fn prefix(&self, values: &[&str]) -> Reading<Vec<u8>> {
        let mut fields = Vec::with_capacity(values.len());
        let mut arrays = Vec::with_capacity(values.len());
        for (value, &column) in values.iter().zip(&self.key) {
            fields.push(SortField::new(self.schema.field(column).data_type().clone()));
            arrays.push(self.value(column, value)?);
        }
        let converter = RowConverter::new(fields).map_err(EngineError::from)?;
        let rows = converter.convert_columns(&arrays).map_err(EngineError::from)?;
        Ok(rows.row(0).data().to_vec())
    }

    /// A value of a column from its text, as an array of one row.
    pub(crate) fn value(&self, column: usize, text: &str) -> Reading<ArrayRef> {
        let field = self.schema.field(column);
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let wrong = || ReadError::Wrong {
            what: format!("'{text}' is no value of column '{}'", field.name()),
            hint: format!("the column is of the type {}", self.types[column].summary()),
        };
        if matches!(
            field.data_type(),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64
        ) && text.trim().parse::<i64>().is_err()
        {
            return Err(wrong());
        }
        let texts = StringArray::from(vec![text]);
        cast_with_options(&texts, field.data_type(), &options).map_err(|_| wrong())
    }
}

/// The rows of a version, decoded some at a time.
#[derive(Debug)]
pub struct Rows {
    shape: Arc<Shape>,
    scan: Scan,
    prefix: Vec<u8>,
    /// The encodings of the rows of the last batch, one behind the other.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// A row that is there more often than the last batch had room for, and how often still.
    again: (Vec<u8>, i64),
    is_ended: bool,
}

impl Rows {
    /// The rows that begin with a prefix, from a row on.
    pub(crate) fn new(shape: &Arc<Shape>, tree: &Tree, prefix: Vec<u8>, from: &[u8]) -> Self {
        let from = if from < prefix.as_slice() { &prefix } else { from };
        let scan = tree.scan(from);
        let (bytes, ends, again) = (Vec::new(), Vec::new(), (Vec::new(), 0));
        Self { shape: Arc::clone(shape), scan, prefix, bytes, ends, again, is_ended: false }
    }

    /// The next rows, at most so many; none at the end.
    ///
    /// # Errors
    /// Where a row is not there that some input has taken back.
    pub fn next(&mut self, rows_max: usize) -> Result<Option<RecordBatch>> {
        self.bytes.clear();
        self.ends.clear();
        while self.again.1 > 0 && self.ends.len() < rows_max {
            self.bytes.extend_from_slice(&self.again.0);
            self.ends.push(self.bytes.len());
            self.again.1 -= 1;
        }
        while !self.is_ended && self.ends.len() < rows_max {
            let Some((row, mark)) = self.scan.next() else {
                self.is_ended = true;
                break;
            };
            if !row.starts_with(&self.prefix) {
                self.is_ended = true;
                break;
            }
            if mark.count < 0 {
                return Err(self.shape.not_there(row));
            }
            let room = (rows_max - self.ends.len()) as i64;
            for _ in 0..mark.count.min(room) {
                self.bytes.extend_from_slice(row);
                self.ends.push(self.bytes.len());
            }
            if mark.count > room {
                self.again = (row.to_vec(), mark.count - room);
            }
        }
        if self.ends.is_empty() {
            return Ok(None);
        }
        let rows = (0..self.ends.len()).map(|at| self.encoded(at));
        self.shape.decode(rows).map(Some)
    }

    /// The encoding of a row of the last batch.
    pub(crate) fn encoded(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }
}

/// All rows of a version in the order in which they came.
pub(crate) fn in_order_of_arrival(shape: &Shape, tree: &Tree) -> Result<RecordBatch> {
    let mut scan = tree.scan(&[]);
    let mut rows: Vec<(u64, Box<[u8]>)> = Vec::new();
    while let Some((row, mark)) = scan.next() {
        if mark.count < 0 {
            return Err(shape.not_there(row));
        }
        rows.extend((0..mark.count).map(|_| (mark.arrival, Box::from(row))));
    }
    rows.sort_by_key(|(arrival, _)| *arrival);
    shape.decode(rows.iter().map(|(_, row)| &**row))
}
