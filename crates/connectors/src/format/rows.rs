//! Rows that grow record by record, for the formats whose records are binary.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use rialto_engine::EngineError;

use super::column::Slot;
use super::{BATCH_BYTES_MAX, ReadColumns};
use crate::error::{ConnectorError, Result};

/// The columns of what a decoder produces, and how many rows of them are whole.
pub(super) struct Rows {
    schema: SchemaRef,
    slots: Vec<Slot>,
    count: usize,
    bytes: usize,
}

impl Rows {
    /// Empty columns; `format` is for the message about a type that cannot be held.
    pub fn new(columns: &ReadColumns, format: &str) -> Result<Self> {
        let schema = columns.schema();
        let slots = schema.fields().iter().map(Slot::new).collect::<Result<Vec<_>, _>>();
        let slots = slots.map_err(|data_type| {
            ConnectorError::new(format!("the format '{format}' has no type {data_type}"))
        })?;
        Ok(Self { schema, slots, count: 0, bytes: 0 })
    }

    /// The columns, for what has to fit them.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Adds one row by a function that appends one value to each column. Where it fails nothing of
    /// the row is left.
    pub fn add<E: From<String>>(
        &mut self,
        bytes: usize,
        read: impl FnOnce(&mut [Slot]) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = read(&mut self.slots).and_then(|()| {
            match self.slots.iter().find(|slot| slot.breaks_not_null()) {
                Some(slot) => Err(format!("column '{}' is NOT NULL", slot.name()).into()),
                None => Ok(()),
            }
        });
        match read {
            Ok(()) => {
                self.count += 1;
                self.bytes += bytes;
            }
            Err(_) => self.slots.iter_mut().for_each(|slot| slot.column.truncate(self.count)),
        }
        read
    }

    /// Counts bytes of a row that was added.
    pub fn note_bytes(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// How many rows are whole.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether the batch has to be closed before more comes.
    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX
    }

    /// Takes the rows.
    pub fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        let internal = |e: arrow::error::ArrowError| EngineError::Internal(e.to_string());
        let arrays: Result<Vec<ArrayRef>, _> = self.slots.iter_mut().map(Slot::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        (self.count, self.bytes) = (0, 0);
        let arrays = arrays.map_err(internal)?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(internal)
    }
}
