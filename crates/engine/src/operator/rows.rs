//! Rows kept by number: columnar chunks, gathered by id.
//!
//! An operator keeps small ids in its own structures and the rows here. Chunks of few rows are
//! merged with their neighbours (each row is copied a logarithmic number of times), chunks that
//! are mostly dead are rewritten, so that memory follows the live rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{interleave, not, take};
use arrow::datatypes::SchemaRef;
use arrow_row::{RowConverter, SortField};

use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::state::{Changed, Dirty, Input, SlotMap, StateReader, StateWriter, put_bytes};
use crate::store::held;
use crate::{Delta, Result};

/// No row: gathers as null where that is allowed.
pub(crate) const NO_ROW: u32 = u32::MAX;

const CHUNK_ROWS_MAX: usize = 16_384;
const DEAD: (u32, u32) = (u32::MAX, u32::MAX);

/// Rows of one schema under ids that stay valid until they are removed.
#[derive(Debug)]
pub(crate) struct RowStore {
    schema: SchemaRef,
    chunks: Vec<Option<Chunk>>,
    free_chunks: Vec<u32>,
    /// Chunks in the order of their making that may still be merged.
    tail: Vec<u32>,
    locations: Vec<(u32, u32)>,
    free_ids: Vec<u32>,
    /// Rows that came or went since the last checkpoint.
    dirty: Dirty,
}

/// The name of the table of rows in a checkpoint.
const ROWS: &str = "rows";

#[derive(Debug)]
struct Chunk {
    columns: Vec<ArrayRef>,
    ids: Vec<u32>,
    live: usize,
}

impl RowStore {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            chunks: Vec::new(),
            free_chunks: Vec::new(),
            tail: Vec::new(),
            locations: Vec::new(),
            free_ids: Vec::new(),
            dirty: Dirty::default(),
        }
    }

    /// The columns of the rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.locations.len() - self.free_ids.len()
    }

    /// About how much memory the rows take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let columns = self.chunks.iter().flatten().flat_map(|chunk| &chunk.columns);
        let rows = columns.map(|column| {
            let data = column.to_data();
            data.get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
        });
        rows.sum::<usize>() + held(&self.locations) * 2 + held(&self.free_ids)
    }

    /// Keeps the rows of `batch`; their ids are appended to `ids`, in order.
    pub(crate) fn append(&mut self, batch: &RecordBatch, ids: &mut Vec<u32>) -> Result<()> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let number = self.free_chunk();
        let first = ids.len();
        for row in 0..rows as u32 {
            let id = self.free_ids.pop().unwrap_or(self.locations.len() as u32);
            if id as usize == self.locations.len() {
                self.locations.push((number, row));
            } else {
                self.locations[id as usize] = (number, row);
            }
            ids.push(id);
        }
        self.dirty.mark_all(&ids[first..]);
        let chunk =
            Chunk { columns: batch.columns().to_vec(), ids: ids[first..].to_vec(), live: rows };
        self.chunks[number as usize] = Some(chunk);
        self.tail.push(number);
        self.merge_tail()
    }

    /// Forgets a row. Its id may be given to another.
    pub(crate) fn remove(&mut self, id: u32) -> Result<()> {
        let (number, _) = std::mem::replace(&mut self.locations[id as usize], DEAD);
        assert_ne!(number, DEAD.0, "row {id} was removed twice");
        self.free_ids.push(id);
        self.dirty.mark(id);
        let Some(chunk) = self.chunks[number as usize].as_mut() else { return Ok(()) };
        chunk.live -= 1;
        if chunk.live == 0 {
            self.chunks[number as usize] = None;
            self.free_chunks.push(number);
            self.tail.retain(|&n| n != number);
        } else if chunk.live * 3 < chunk.ids.len() && chunk.ids.len() >= 64 {
            let merged = self.merged(&[number])?;
            self.place(number, merged);
        }
        Ok(())
    }

    fn converter(&self) -> Result<RowConverter> {
        let fields = self.schema.fields().iter();
        let fields = fields.map(|f| SortField::new(f.data_type().clone())).collect();
        Ok(RowConverter::new(fields)?)
    }

    /// Writes the rows that came or went since the last checkpoint.
    fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let locations = &self.locations;
        let live = |id: u32| locations[id as usize] != DEAD;
        let changed = Changed::take(&mut self.dirty, locations.len(), live);
        let rows = self.gather(&changed.live)?;
        let rows = self.converter()?.convert_columns(rows.columns())?;
        out.slots(ROWS, &changed, |row, _, out| {
            if rows.num_rows() > 0 {
                put_bytes(rows.row(row).data(), out);
            }
        })
    }

    /// Reads back the rows of one part for which `place` has an id. Ids are those of the
    /// checkpoint where they stay the same, otherwise they come from [`RowStore::next_id`].
    fn load(
        &mut self,
        from: &StateReader<'_>,
        part: usize,
        place: impl Fn(u32) -> Option<u32>,
    ) -> Result<()> {
        let converter = self.converter()?;
        let parser = converter.parser();
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        for (old, mut input) in from.slots(part, ROWS) {
            let Some(id) = place(old) else { continue };
            ids.push(id);
            if !self.schema.fields().is_empty() {
                rows.push(parser.parse(input.bytes()?));
            }
        }
        if let Some(greatest) = ids.iter().max()
            && *greatest as usize >= self.locations.len()
        {
            self.locations.resize(*greatest as usize + 1, DEAD);
        }
        let mut columns = converter.convert_rows(rows)?;
        let mut from_row = 0;
        for ids in ids.chunks(CHUNK_ROWS_MAX) {
            let number = self.free_chunk();
            let columns = columns.iter_mut().map(|c| c.slice(from_row, ids.len())).collect();
            from_row += ids.len();
            self.place(number, Chunk { columns, ids: ids.to_vec(), live: ids.len() });
        }
        Ok(())
    }

    /// The id that a row gets that is read back to a new place.
    fn next_id(&mut self) -> u32 {
        self.locations.push(DEAD);
        self.locations.len() as u32 - 1
    }

    /// Ends a round of [`RowStore::load`]: ids without a row are free.
    fn loaded(&mut self, same: bool) {
        if same {
            self.dirty.start();
        }
        let locations = &self.locations;
        let dead = |&id: &u32| locations[id as usize] == DEAD;
        self.free_ids = (0..locations.len() as u32).rev().filter(dead).collect();
    }

    /// The rows with these ids, in this order.
    pub(crate) fn gather(&self, ids: &[u32]) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        record_batch(&self.schema, self.gather_columns(ids, &all)?, ids.len())
    }

    /// Some columns of the rows with these ids. [`NO_ROW`] gathers as null.
    pub(crate) fn gather_columns(&self, ids: &[u32], columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut used: Vec<u32> = Vec::new();
        let mut place = vec![u32::MAX; self.chunks.len()];
        let mut nulls = false;
        let mut at = Vec::with_capacity(ids.len());
        for &id in ids {
            if id == NO_ROW {
                nulls = true;
                at.push((usize::MAX, 0));
                continue;
            }
            let (number, row) = self.locations[id as usize];
            let slot = &mut place[number as usize];
            if *slot == u32::MAX {
                *slot = used.len() as u32;
                used.push(number);
            }
            at.push((*slot as usize, row as usize));
        }
        for (chunk, _) in at.iter_mut().filter(|(chunk, _)| *chunk == usize::MAX) {
            *chunk = used.len();
        }
        let chunks: Vec<&Chunk> =
            used.iter().filter_map(|&n| self.chunks[n as usize].as_ref()).collect();
        columns.iter().map(|&c| self.gather_column(&chunks, nulls, &at, c)).collect()
    }

    fn gather_column(
        &self,
        chunks: &[&Chunk],
        nulls: bool,
        at: &[(usize, usize)],
        column: usize,
    ) -> Result<ArrayRef> {
        if let ([chunk], false) = (chunks, nulls) {
            let rows = UInt32Array::from_iter_values(at.iter().map(|&(_, row)| row as u32));
            return Ok(take(&chunk.columns[column], &rows, None)?);
        }
        let null = new_null_array(self.schema.field(column).data_type(), 1);
        let mut arrays: Vec<&dyn Array> =
            chunks.iter().map(|c| c.columns[column].as_ref()).collect();
        if nulls || arrays.is_empty() {
            arrays.push(null.as_ref());
        }
        Ok(interleave(&arrays, at)?)
    }

    fn free_chunk(&mut self) -> u32 {
        if let Some(number) = self.free_chunks.pop() {
            return number;
        }
        self.chunks.push(None);
        self.chunks.len() as u32 - 1
    }

    /// Merges the newest chunks while the last is at least half of the one before it.
    fn merge_tail(&mut self) -> Result<()> {
        let length =
            |store: &Self, n: u32| store.chunks[n as usize].as_ref().map_or(0, |c| c.ids.len());
        while let [.., before, last] = self.tail[..] {
            let (a, b) = (length(self, before), length(self, last));
            if b * 2 < a || a + b > CHUNK_ROWS_MAX {
                break;
            }
            self.tail.pop();
            let merged = self.merged(&[before, last])?;
            self.chunks[last as usize] = None;
            self.free_chunks.push(last);
            self.place(before, merged);
        }
        // What is large enough, or lies below such a chunk, will not be merged any more.
        if let [.., last] = self.tail[..]
            && length(self, last) * 2 > CHUNK_ROWS_MAX
        {
            self.tail.clear();
        }
        Ok(())
    }

    /// The live rows of some chunks as one chunk.
    fn merged(&self, numbers: &[u32]) -> Result<Chunk> {
        let mut ids = Vec::new();
        for &number in numbers {
            let Some(chunk) = self.chunks[number as usize].as_ref() else { continue };
            let live =
                |&(row, &id): &(usize, &u32)| self.locations[id as usize] == (number, row as u32);
            ids.extend(chunk.ids.iter().enumerate().filter(live).map(|(_, &id)| id));
        }
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let columns = self.gather_columns(&ids, &all)?;
        Ok(Chunk { columns, live: ids.len(), ids })
    }

    fn place(&mut self, number: u32, chunk: Chunk) {
        for (row, &id) in chunk.ids.iter().enumerate() {
            self.locations[id as usize] = (number, row as u32);
        }
        self.chunks[number as usize] = Some(chunk);
    }
}

/// The name of the table of partitions in a checkpoint.
const PARTITIONS: &str = "partitions";

/// Writes the state of an operator that keeps rows by partition: the changed partitions, as
/// `encode` writes them behind their keys, and the changed rows.
pub(crate) fn save_partitions(
    out: &mut StateWriter,
    (table, dirty, store): (&KeyTable, &mut Dirty, &mut RowStore),
    encode: impl Fn(u32, &mut Vec<u8>),
) -> Result<()> {
    let changed = Changed::take(dirty, table.capacity(), |slot| table.is_live(slot));
    out.slots(PARTITIONS, &changed, |_, slot, out| {
        table.save(slot, out);
        encode(slot, out);
    })?;
    store.save(out)
}

/// Reads back what [`save_partitions`] wrote. `load` reads one partition; it is given the
/// partition's slot, and asks for the id that each of its rows has now.
pub(crate) fn load_partitions(
    from: &StateReader<'_>,
    (table, dirty, store): (&mut KeyTable, &mut Dirty, &mut RowStore),
    mut load: impl FnMut(u32, &mut Input<'_>, &mut dyn FnMut(u32) -> u32) -> Result<()>,
) -> Result<()> {
    let same = from.is_same();
    for part in 0..from.parts() {
        let mut rows = SlotMap::default();
        for (old, mut input) in from.slots(part, PARTITIONS) {
            let Some(slot) = table.load(from, old, &mut input)? else { continue };
            let mut id_now = |id: u32| match (rows.get(id), same) {
                _ if id == NO_ROW => NO_ROW,
                (Some(now), _) => now,
                (None, true) => {
                    rows.set(id, id);
                    id
                }
                (None, false) => {
                    let now = store.next_id();
                    rows.set(id, now);
                    now
                }
            };
            load(slot, &mut input, &mut id_now)?;
        }
        store.load(from, part, |old| rows.get(old))?;
    }
    table.loaded();
    store.loaded(same);
    if same {
        dirty.start();
    }
    Ok(())
}

/// The rows of `batch` at `indices`, or the batch itself where that is all of it.
pub(crate) fn take_rows(batch: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch> {
    let all = indices.len() == batch.num_rows()
        && indices.iter().enumerate().all(|(at, &row)| at == row as usize);
    if all {
        return Ok(batch.clone());
    }
    let rows = indices.len();
    let indices = UInt32Array::from(indices);
    let columns = batch.columns().iter().map(|c| Ok(take(c, &indices, None)?));
    crate::expr::record_batch(&batch.schema(), columns.collect::<Result<_>>()?, rows)
}

/// `batch` with more columns on its right, as rows of `schema`.
pub(crate) fn widen(
    schema: &SchemaRef,
    batch: &RecordBatch,
    more: impl IntoIterator<Item = ArrayRef>,
) -> Result<RecordBatch> {
    let columns = batch.columns().iter().cloned().chain(more).collect();
    record_batch(&Arc::clone(schema), columns, batch.num_rows())
}

/// The rows without a null in `columns`, and those with one if there are any.
pub(crate) fn split_nulls(delta: Delta, columns: &[usize]) -> Result<(Delta, Option<Delta>)> {
    let mut valid: Option<NullBuffer> = None;
    for &column in columns {
        valid = NullBuffer::union(valid.as_ref(), delta.column(column).logical_nulls().as_ref());
    }
    let Some(valid) = valid.filter(|v| v.null_count() > 0) else {
        return Ok((delta, None));
    };
    let valid = BooleanArray::new(valid.into_inner(), None);
    Ok((delta.filter(&valid)?, Some(delta.filter(&not(&valid)?)?)))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    #[test]
    fn rows_keep_their_ids_through_merges_and_removals() {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]));
        let mut store = RowStore::new(Arc::clone(&schema));
        let mut kept: Vec<(u32, i64)> = Vec::new();
        let mut state = 7_u64;
        for value in 0..3_000_i64 {
            let length = 1 + value % 3;
            let values = Int64Array::from_iter_values((0..length).map(|i| value * 10 + i));
            let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(values)]).unwrap();
            let mut ids = Vec::new();
            store.append(&batch, &mut ids).unwrap();
            kept.extend(ids.iter().zip(0..).map(|(&id, i)| (id, value * 10 + i)));
            while kept.len() > 500 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (id, _) = kept.swap_remove((state >> 33) as usize % kept.len());
                store.remove(id).unwrap();
            }
        }
        let ids: Vec<u32> = kept.iter().map(|k| k.0).collect();
        let rows = store.gather(&ids).unwrap();
        let values = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(values, kept.iter().map(|k| k.1).collect::<Vec<_>>());
        assert_eq!((store.len(), store.locations.len() < 600), (500, true));
        let held: usize = store.chunks.iter().flatten().map(|c| c.ids.len()).sum();
        assert!(held < 2_500, "dead rows are given up, but {held} rows are held for 500");
    }
}
