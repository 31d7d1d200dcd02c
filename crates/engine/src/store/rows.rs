//! Rows of some columns, kept column by column.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};

use super::NO_ROW;
use super::bits::Bits;
use super::column::Column;
use crate::state::{Dirty, Input};
use crate::{EngineError, Result};

/// A growing table of rows; a row's id is its place and does not change while the row lives.
///
/// There are no chunks: each column is one growing vector, so a stream of one-row steps costs the
/// same as one big batch, and gathering a row is one access a column.
#[derive(Debug)]
pub struct RowStore {
    columns: Vec<Column>,
    /// One more than the greatest id ever given out.
    capacity: usize,
    free: Vec<u32>,
    live: Bits,
    /// Rows that were written or removed since the last checkpoint. What is kept beside the rows is
    /// written with them: who changes that, marks the row.
    pub dirty: Dirty,
    /// Rows removed since the last [`RowStore::compact`].
    removed: usize,
}

impl RowStore {
    /// A store for rows of these column types. Without columns it still counts rows.
    pub fn new(types: &[DataType]) -> Result<Self> {
        let columns = types.iter().map(Column::new).collect::<Result<_>>()?;
        let (free, live, dirty) = (Vec::new(), Bits::default(), Dirty::default());
        Ok(Self { columns, capacity: 0, free, live, dirty, removed: 0 })
    }

    /// The store for some columns of a schema.
    pub fn for_columns(schema: &SchemaRef, columns: &[usize]) -> Result<Self> {
        let types: Vec<DataType> =
            columns.iter().map(|&c| schema.field(c).data_type().clone()).collect();
        Self::new(&types)
    }

    /// How many rows live.
    pub fn len(&self) -> usize {
        self.capacity - self.free.len()
    }

    /// Whether no row lives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the greatest id ever given out: how long a vector beside the rows must be.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(Column::bytes).sum();
        columns + self.free.capacity() * size_of::<u32>()
    }

    /// The type of a column.
    pub fn data_type(&self, column: usize) -> &DataType {
        self.columns[column].data_type()
    }

    /// Adds the rows at `rows` (distinct; all of them only in ascending order) of the given columns
    /// and appends their ids to `ids`.
    pub fn insert(&mut self, columns: &[ArrayRef], rows: &[u32], ids: &mut Vec<u32>) -> Result<()> {
        assert_eq!(columns.len(), self.columns.len());
        let first = ids.len();
        let reused = rows.len().min(self.free.len());
        let fresh = rows.len() - reused;
        let len = self.capacity + fresh;
        if len >= NO_ROW as usize {
            return Err(EngineError::Data(format!(
                "the state of one shard would exceed {NO_ROW} rows; use more shards or a state \
                 retention time (table.exec.state.ttl)"
            )));
        }
        ids.extend(self.free.drain(self.free.len() - reused..).rev());
        ids.extend(self.capacity as u32..len as u32);
        for (column, array) in self.columns.iter_mut().zip(columns) {
            column.write(array, rows, &ids[first..], len)?;
        }
        self.capacity = len;
        ids[first..].iter().for_each(|&id| self.live.set(id as usize, true));
        self.dirty.mark_all(&ids[first..]);
        Ok(())
    }

    /// Whether an id is a row's.
    pub fn is_live(&self, id: u32) -> bool {
        self.live.get(id as usize)
    }

    /// Appends a row to a checkpoint.
    pub fn save(&self, id: u32, out: &mut Vec<u8>) {
        self.columns.iter().for_each(|c| c.save(id, out));
    }

    /// Reads a row back under the id `at`, or a new one. [`RowStore::loaded`] ends a round of this.
    pub fn load(&mut self, at: Option<u32>, input: &mut Input<'_>) -> Result<u32> {
        let id = at.unwrap_or(self.capacity as u32);
        let len = self.capacity.max(id as usize + 1);
        for column in &mut self.columns {
            column.load(id, len, input)?;
        }
        self.capacity = len;
        self.live.set(id as usize, true);
        Ok(id)
    }

    /// Ends a round of [`RowStore::load`]: ids without a row are free.
    pub fn loaded(&mut self) {
        let live = &self.live;
        self.free = (0..self.capacity as u32).rev().filter(|&id| !live.get(id as usize)).collect();
    }

    /// Frees a row's place. The row must live.
    pub fn remove(&mut self, id: u32) {
        assert!((id as usize) < self.capacity);
        self.columns.iter_mut().for_each(|c| c.clear(id));
        self.live.set(id as usize, false);
        self.dirty.mark(id);
        self.free.push(id);
        self.removed += 1;
    }

    /// Gives back memory of removed rows where it is much; call it once after a round of removals.
    pub fn compact(&mut self) {
        if std::mem::take(&mut self.removed) > 0 {
            self.columns.iter_mut().for_each(Column::compact);
        }
    }

    /// Forgets all rows and gives their memory back.
    pub fn clear(&mut self) -> Result<()> {
        let types: Vec<DataType> = self.columns.iter().map(|c| c.data_type().clone()).collect();
        // The next checkpoint writes what is there then, whole.
        *self = Self::new(&types)?;
        Ok(())
    }

    /// Whether two rows are equal in every column; null equals null.
    #[inline]
    pub fn equal(&self, a: u32, b: u32) -> bool {
        self.columns.iter().all(|c| c.equal(a, b))
    }

    /// The values of one column for the rows `ids`, null for [`NO_ROW`].
    pub fn gather(&self, column: usize, ids: &[u32]) -> Result<ArrayRef> {
        self.columns[column].gather(ids)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Array, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int8Array, Int32Array,
        Int64Array, ListArray, StringArray, StringViewArray, TimestampMillisecondArray,
    };
    use arrow::compute::take;
    use arrow::datatypes::Int64Type;

    use super::*;

    fn sample() -> Vec<ArrayRef> {
        let money = Decimal128Array::from(vec![Some(5), None, Some(-7), Some(i128::MAX / 4)]);
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
            Some(vec![Some(9)]),
        ]);
        let long = "a text longer than what a view can hold";
        vec![
            Arc::new(Int8Array::from(vec![1, 2, 3, 4])),
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(1)])),
            Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)])),
            Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None, Some(0.0)])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])),
            Arc::new(money.with_precision_and_scale(38, 2).unwrap()),
            Arc::new(StringArray::from(vec![Some(long), None, Some(""), Some("é")])),
            Arc::new(StringViewArray::from(vec![Some("x"), None, Some(long), Some("")])),
            Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(&b""[..]), None])),
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1), None, Some(3), Some(4)])
                    .with_timezone("UTC"),
            ),
            Arc::new(list),
        ]
    }

    #[test]
    fn a_column_of_every_kind_comes_back_as_it_went_in_also_in_reused_places() {
        let columns = sample();
        let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
        let mut store = RowStore::new(&types).unwrap();
        let mut first = Vec::new();
        store.insert(&columns, &[0, 1, 2, 3], &mut first).unwrap();
        store.remove(first[1]);
        store.remove(first[3]);
        assert_eq!(store.len(), 2);
        let mut second = Vec::new();
        store.insert(&columns, &[3, 0, 1], &mut second).unwrap();
        assert_eq!((store.len(), store.capacity()), (5, 5), "free places are used first");
        let ids = [first[0], second[2], NO_ROW, second[0], first[2], second[1]];
        let rows = Int32Array::from(vec![Some(0), Some(1), None, Some(3), Some(2), Some(0)]);
        for (index, column) in columns.iter().enumerate() {
            let expected = take(column, &rows, None).unwrap();
            assert_eq!(&store.gather(index, &ids).unwrap(), &expected, "{}", types[index]);
        }
        assert!(store.equal(first[0], second[1]));
        assert!(!store.equal(first[0], second[2]));
        store.clear().unwrap();
        assert!(store.is_empty());
    }

    #[test]
    fn a_slice_of_an_array_is_stored_from_its_own_start() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let mut store = RowStore::new(&[DataType::Int64, DataType::Utf8]).unwrap();
        let mut ids = Vec::new();
        store.insert(&[ints.slice(1, 2), texts.slice(1, 2)], &[0, 1], &mut ids).unwrap();
        assert_eq!(store.gather(0, &ids).unwrap().as_ref(), ints.slice(1, 2).as_ref());
        assert_eq!(store.gather(1, &ids).unwrap().as_ref(), texts.slice(1, 2).as_ref());
    }

    #[test]
    fn a_foreign_column_type_is_an_error() {
        let mut store = RowStore::new(&[DataType::Int64]).unwrap();
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert!(store.insert(&[texts], &[0], &mut Vec::new()).is_err());
    }
}
