//! From keys to dense slots, with removal.
//!
//! Operators keep their state in plain vectors indexed by slot. A removed key's slot is given to
//! the next new key, so that state stays dense under retention.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow_row::{RowConverter, SortField};
use hashbrown::HashTable;

use super::hash::hash_columns;
use super::packed::{pack, unpack, words_of};
use crate::Result;
use crate::state::{Input, Persist, StateReader, put_bytes};
use crate::store::held;

/// The answer of a look-up that found nothing.
pub const NO_SLOT: u32 = u32::MAX;

/// A map from keys (rows of some columns) to slots `0..capacity`.
///
/// Two keys are equal if all their values are; null equals null (SQL's grouping, not its `=`).
#[derive(Debug)]
pub struct KeyTable {
    types: Vec<DataType>,
    store: Store,
    slots: HashTable<u32>,
    hashes: Vec<u64>,
    free: Vec<u32>,
    /// Hashes of the rows of the last call, kept for reuse of the allocation.
    row_hashes: Vec<u64>,
}

impl KeyTable {
    /// A table for keys of these column types. No columns: there is one key, the empty one.
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        let store = Store::new(&types)?;
        Ok(Self {
            types,
            store,
            slots: HashTable::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            row_hashes: Vec::new(),
        })
    }

    /// The table for the given columns of a schema.
    pub fn for_columns(schema: &SchemaRef, columns: &[usize]) -> Result<Self> {
        Self::new(columns.iter().map(|&c| schema.field(c).data_type().clone()).collect())
    }

    /// The types of the key's columns.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let store = match &self.store {
            Store::Packed1(s) => held(&s.keys),
            Store::Packed2(s) => held(&s.keys),
            Store::Packed4(s) => held(&s.keys),
            Store::Packed8(s) => held(&s.keys),
            Store::Bytes(s) => held(&s.keys) + s.key_bytes,
        };
        store + self.slots.allocation_size() + held(&self.hashes) + held(&self.free)
    }

    /// One more than the greatest slot ever given out: how long a state vector must be.
    pub fn capacity(&self) -> usize {
        self.hashes.len()
    }

    /// The slot of each row's key, made where it is new. `slots` is cleared first.
    ///
    /// Slots of new keys may be reused ones: whoever removes a key clears its state.
    pub fn intern(&mut self, keys: &[ArrayRef], rows: usize, slots: &mut Vec<u32>) -> Result<()> {
        self.probe(keys, rows, slots, true)
    }

    /// The slot of each row's key, [`NO_SLOT`] where it is unknown. `slots` is cleared first.
    pub fn find(&mut self, keys: &[ArrayRef], rows: usize, slots: &mut Vec<u32>) -> Result<()> {
        self.probe(keys, rows, slots, false)
    }

    fn probe(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        slots: &mut Vec<u32>,
        insert: bool,
    ) -> Result<()> {
        assert_eq!(keys.len(), self.types.len());
        let mut row_hashes = std::mem::take(&mut self.row_hashes);
        hash_columns(keys, rows, &mut row_hashes)?;
        slots.clear();
        slots.reserve(rows);
        match &mut self.store {
            Store::Packed1(s) => {
                let batch = s.batch(keys, rows)?;
                let parts = (&mut self.slots, &mut self.hashes, &mut self.free);
                probe_rows(parts, s, &batch, &row_hashes, slots, insert);
            }
            Store::Packed2(s) => {
                let batch = s.batch(keys, rows)?;
                let parts = (&mut self.slots, &mut self.hashes, &mut self.free);
                probe_rows(parts, s, &batch, &row_hashes, slots, insert);
            }
            Store::Packed4(s) => {
                let batch = s.batch(keys, rows)?;
                let parts = (&mut self.slots, &mut self.hashes, &mut self.free);
                probe_rows(parts, s, &batch, &row_hashes, slots, insert);
            }
            Store::Packed8(s) => {
                let batch = s.batch(keys, rows)?;
                let parts = (&mut self.slots, &mut self.hashes, &mut self.free);
                probe_rows(parts, s, &batch, &row_hashes, slots, insert);
            }
            Store::Bytes(s) => {
                let batch = s.batch(keys)?;
                let parts = (&mut self.slots, &mut self.hashes, &mut self.free);
                probe_rows(parts, s, &batch, &row_hashes, slots, insert);
            }
        }
        self.row_hashes = row_hashes;
        Ok(())
    }

    /// Forgets the key of `slot` and makes the slot free for another.
    pub fn remove(&mut self, slot: u32) {
        let hash = self.hashes[slot as usize];
        if let Ok(entry) = self.slots.find_entry(hash, |&s| s == slot) {
            entry.remove();
            self.store.release(slot);
            self.free.push(slot);
        }
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.hashes.clear();
        self.free.clear();
        match &mut self.store {
            Store::Packed1(s) => s.keys.clear(),
            Store::Packed2(s) => s.keys.clear(),
            Store::Packed4(s) => s.keys.clear(),
            Store::Packed8(s) => s.keys.clear(),
            Store::Bytes(s) => {
                s.keys.clear();
                s.key_bytes = 0;
            }
        }
    }

    /// All slots in use, in no order.
    pub fn iter_slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().copied()
    }

    /// Whether a slot has a key.
    pub fn is_live(&self, slot: u32) -> bool {
        let hash = self.hashes.get(slot as usize);
        hash.is_some_and(|&hash| self.slots.find(hash, |&s| s == slot).is_some())
    }

    /// Appends the key of a slot, which has one, to a checkpoint.
    pub fn save(&self, slot: u32, out: &mut Vec<u8>) {
        self.hashes[slot as usize].put(out);
        match &self.store {
            Store::Packed1(s) => s.keys[slot as usize].put(out),
            Store::Packed2(s) => s.keys[slot as usize].put(out),
            Store::Packed4(s) => s.keys[slot as usize].put(out),
            Store::Packed8(s) => s.keys[slot as usize].put(out),
            Store::Bytes(s) => put_bytes(&s.keys[slot as usize], out),
        }
    }

    /// Reads the key of slot `old` of a checkpoint back, and answers its slot; none where another
    /// shard owns it. The one key of no columns is the first shard's.
    /// [`KeyTable::loaded`] ends a round of this.
    pub fn load(
        &mut self,
        from: &StateReader<'_>,
        old: u32,
        input: &mut Input<'_>,
    ) -> Result<Option<u32>> {
        if let Some(route) = from.route() {
            return self.load_routed(from, route, input);
        }
        let keyless = self.types.is_empty();
        let wanted = |hash| if keyless { from.is_first() } else { from.owns(hash) };
        self.load_at(from.is_same().then_some(old), input, wanted)
    }

    /// As [`KeyTable::load`], where the shard follows from some columns of the key.
    fn load_routed(
        &mut self,
        from: &StateReader<'_>,
        route: &[usize],
        input: &mut Input<'_>,
    ) -> Result<Option<u32>> {
        let Some(slot) = self.load_at(None, input, |_| true)? else { return Ok(None) };
        let key = self.keys(&[slot])?;
        let columns: Vec<ArrayRef> = route.iter().map(|&c| key[c].clone()).collect();
        let mut hashes = Vec::new();
        hash_columns(&columns, 1, &mut hashes)?;
        if from.owns(hashes[0]) {
            return Ok(Some(slot));
        }
        self.remove(slot);
        Ok(None)
    }

    /// Reads a key back if `wanted` says so of its hash: to the slot `at`, or to a new one.
    pub fn load_at(
        &mut self,
        at: Option<u32>,
        input: &mut Input<'_>,
        wanted: impl Fn(u64) -> bool,
    ) -> Result<Option<u32>> {
        let hash = u64::get(input)?;
        let slot = at.unwrap_or(self.hashes.len() as u32);
        let keep = wanted(hash);
        match &mut self.store {
            Store::Packed1(s) => load_packed(&mut s.keys, slot, input, keep)?,
            Store::Packed2(s) => load_packed(&mut s.keys, slot, input, keep)?,
            Store::Packed4(s) => load_packed(&mut s.keys, slot, input, keep)?,
            Store::Packed8(s) => load_packed(&mut s.keys, slot, input, keep)?,
            Store::Bytes(s) => {
                let key = Box::<[u8]>::get(input)?;
                if keep {
                    s.key_bytes += key.len();
                    put_at(&mut s.keys, slot, key);
                }
            }
        }
        if !keep {
            return Ok(None);
        }
        put_at(&mut self.hashes, slot, hash);
        let hashes = &self.hashes;
        self.slots.insert_unique(hash, slot, |&s| hashes[s as usize]);
        Ok(Some(slot))
    }

    /// Ends a round of [`KeyTable::load`]: slots without a key are free.
    pub fn loaded(&mut self) {
        let mut live = vec![false; self.hashes.len()];
        self.slots.iter().for_each(|&slot| live[slot as usize] = true);
        self.free = (0..live.len() as u32).rev().filter(|&s| !live[s as usize]).collect();
    }

    /// The key columns of the given slots, a row each.
    pub fn keys(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.store {
            Store::Packed1(s) => s.columns(&self.types, slots),
            Store::Packed2(s) => s.columns(&self.types, slots),
            Store::Packed4(s) => s.columns(&self.types, slots),
            Store::Packed8(s) => s.columns(&self.types, slots),
            Store::Bytes(s) => s.columns(&self.types, slots),
        }
    }
}

fn put_at<T: Default + Clone>(all: &mut Vec<T>, slot: u32, value: T) {
    if slot as usize >= all.len() {
        all.resize(slot as usize + 1, T::default());
    }
    all[slot as usize] = value;
}

fn load_packed<const N: usize>(
    keys: &mut Vec<[u64; N]>,
    slot: u32,
    input: &mut Input<'_>,
    keep: bool,
) -> Result<()> {
    let key = <[u64; N]>::get(input)?;
    if keep {
        if slot as usize >= keys.len() {
            keys.resize(slot as usize + 1, [0; N]);
        }
        keys[slot as usize] = key;
    }
    Ok(())
}

/// What [`probe_rows`] needs of a way to keep keys.
trait KeyStore {
    type Batch<'a>;
    fn equal(&self, slot: u32, batch: &Self::Batch<'_>, row: usize) -> bool;
    fn put(&mut self, slot: u32, batch: &Self::Batch<'_>, row: usize);
}

fn probe_rows<S: KeyStore>(
    (table, hashes, free): (&mut HashTable<u32>, &mut Vec<u64>, &mut Vec<u32>),
    store: &mut S,
    batch: &S::Batch<'_>,
    row_hashes: &[u64],
    slots: &mut Vec<u32>,
    insert: bool,
) {
    for (row, &hash) in row_hashes.iter().enumerate() {
        let same = |&slot: &u32| hashes[slot as usize] == hash && store.equal(slot, batch, row);
        if let Some(&slot) = table.find(hash, same) {
            slots.push(slot);
        } else if insert {
            let slot = free.pop().unwrap_or(hashes.len() as u32);
            if slot as usize == hashes.len() {
                hashes.push(hash);
            } else {
                hashes[slot as usize] = hash;
            }
            store.put(slot, batch, row);
            table.insert_unique(hash, slot, |&s| hashes[s as usize]);
            slots.push(slot);
        } else {
            slots.push(NO_SLOT);
        }
    }
}

#[derive(Debug)]
enum Store {
    Packed1(Packed<1>),
    Packed2(Packed<2>),
    Packed4(Packed<4>),
    Packed8(Packed<8>),
    Bytes(Bytes),
}

impl Store {
    fn new(types: &[DataType]) -> Result<Self> {
        let words: Option<usize> = types.iter().map(words_of).sum();
        // The last word holds the null bits.
        Ok(match words {
            Some(0) => Self::Packed1(Packed::default()),
            Some(1) => Self::Packed2(Packed::default()),
            Some(2 | 3) => Self::Packed4(Packed::default()),
            Some(4..=7) => Self::Packed8(Packed::default()),
            _ => Self::Bytes(Bytes::new(types)?),
        })
    }

    fn release(&mut self, slot: u32) {
        if let Self::Bytes(bytes) = self {
            let key = std::mem::take(&mut bytes.keys[slot as usize]);
            bytes.key_bytes -= key.len();
        }
    }
}

#[derive(Debug)]
struct Packed<const N: usize> {
    keys: Vec<[u64; N]>,
}

impl<const N: usize> Default for Packed<N> {
    fn default() -> Self {
        Self { keys: Vec::new() }
    }
}

impl<const N: usize> Packed<N> {
    fn batch(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<[u64; N]>> {
        let mut keys = vec![[0; N]; rows];
        let mut offset = 0;
        for (bit, column) in columns.iter().enumerate() {
            pack(column, offset, bit, &mut keys)?;
            offset += words_of(column.data_type()).unwrap_or(1);
        }
        Ok(keys)
    }

    fn columns(&self, types: &[DataType], slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let keys: Vec<[u64; N]> = slots.iter().map(|&s| self.keys[s as usize]).collect();
        let mut offset = 0;
        let mut columns = Vec::with_capacity(types.len());
        for (bit, data_type) in types.iter().enumerate() {
            columns.push(unpack(data_type, offset, bit, &keys)?);
            offset += words_of(data_type).unwrap_or(1);
        }
        Ok(columns)
    }
}

impl<const N: usize> KeyStore for Packed<N> {
    type Batch<'a> = Vec<[u64; N]>;

    #[inline(always)]
    fn equal(&self, slot: u32, batch: &Self::Batch<'_>, row: usize) -> bool {
        self.keys[slot as usize] == batch[row]
    }

    fn put(&mut self, slot: u32, batch: &Self::Batch<'_>, row: usize) {
        if slot as usize == self.keys.len() {
            self.keys.push(batch[row]);
        } else {
            self.keys[slot as usize] = batch[row];
        }
    }
}

/// Keys as bytes: the value itself for one string or binary column, Arrow rows for all else. The
/// null of a single column is the one key without the leading marker byte.
#[derive(Debug)]
struct Bytes {
    keys: Vec<Box<[u8]>>,
    /// The length of all keys.
    key_bytes: usize,
    converter: Option<RowConverter>,
}

enum ByteRows<'a> {
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Rows(arrow_row::Rows),
}

impl ByteRows<'_> {
    /// The bytes of one row's key and whether it is a plain non-null value.
    #[inline]
    fn get(&self, row: usize) -> (bool, &[u8]) {
        match self {
            Self::Text(a) if a.is_null(row) => (false, &[]),
            Self::Text(a) => (true, a.value(row).as_bytes()),
            Self::Binary(a) if a.is_null(row) => (false, &[]),
            Self::Binary(a) => (true, a.value(row)),
            Self::Rows(rows) => (true, rows.row(row).data()),
        }
    }
}

impl Bytes {
    fn new(types: &[DataType]) -> Result<Self> {
        let plain = matches!(types, [DataType::Utf8 | DataType::Binary]);
        let fields = types.iter().cloned().map(SortField::new).collect();
        let converter = if plain { None } else { Some(RowConverter::new(fields)?) };
        Ok(Self { keys: Vec::new(), key_bytes: 0, converter })
    }

    fn batch<'a>(&self, columns: &'a [ArrayRef]) -> Result<ByteRows<'a>> {
        Ok(match &self.converter {
            Some(converter) => ByteRows::Rows(converter.convert_columns(columns)?),
            None if columns[0].data_type() == &DataType::Utf8 => {
                ByteRows::Text(columns[0].as_string())
            }
            None => ByteRows::Binary(columns[0].as_binary()),
        })
    }

    fn columns(&self, types: &[DataType], slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let stored = |slot: &u32| &self.keys[*slot as usize];
        if let Some(converter) = &self.converter {
            let parser = converter.parser();
            let rows = slots.iter().map(|s| parser.parse(&stored(s)[1..]));
            return Ok(converter.convert_rows(rows)?);
        }
        let value = |slot| stored(slot).get(1..);
        let binary = BinaryArray::from_iter(slots.iter().map(value));
        if types[0] == DataType::Binary {
            return Ok(vec![Arc::new(binary)]);
        }
        let (offsets, values, nulls): (_, _, Option<NullBuffer>) = binary.into_parts();
        Ok(vec![Arc::new(StringArray::try_new(offsets, values, nulls)?)])
    }
}

impl KeyStore for Bytes {
    type Batch<'a> = ByteRows<'a>;

    #[inline]
    fn equal(&self, slot: u32, batch: &Self::Batch<'_>, row: usize) -> bool {
        let stored = &self.keys[slot as usize];
        match (stored.get(1..), batch.get(row)) {
            (Some(stored), (true, value)) => stored == value,
            (None, (false, _)) => true,
            _ => false,
        }
    }

    fn put(&mut self, slot: u32, batch: &Self::Batch<'_>, row: usize) {
        let (plain, bytes) = batch.get(row);
        let mut key = Vec::with_capacity(bytes.len() + 1);
        if plain {
            key.push(1);
            key.extend_from_slice(bytes);
        }
        let key = key.into_boxed_slice();
        self.key_bytes += key.len();
        if slot as usize == self.keys.len() {
            self.keys.push(key);
        } else {
            self.keys[slot as usize] = key;
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array};

    use super::*;

    fn check(columns: Vec<ArrayRef>, expected: &[u32]) {
        let types = columns.iter().map(|c| c.data_type().clone()).collect();
        let mut table = KeyTable::new(types).unwrap();
        let mut slots = Vec::new();
        table.intern(&columns, expected.len(), &mut slots).unwrap();
        assert_eq!(slots, expected);
        let keys = table.keys(&slots).unwrap();
        assert_eq!(keys, columns, "keys come back as they went in");
        table.find(&columns, expected.len(), &mut slots).unwrap();
        assert_eq!(slots, expected);
    }

    #[test]
    fn a_key_of_every_kind_finds_its_slot_again() {
        let ints: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(1), None, Some(1), None, Some(0)]));
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec![Some("a"), None, Some("a"), Some(""), None]));
        let money: ArrayRef = Arc::new(
            Decimal128Array::from(vec![Some(-5), None, Some(-5), None, Some(i128::MAX / 4)])
                .with_precision_and_scale(38, 2)
                .unwrap(),
        );
        check(vec![ints.clone()], &[0, 1, 0, 1, 2]);
        check(vec![texts.clone()], &[0, 1, 0, 2, 1]);
        check(vec![ints.clone(), money.clone()], &[0, 1, 0, 1, 2]);
        check(vec![ints.clone(), ints.clone(), money, ints.clone()], &[0, 1, 0, 1, 2]);
        check(vec![ints, texts], &[0, 1, 0, 2, 3]);
    }

    #[test]
    fn a_removed_key_is_unknown_and_its_slot_serves_the_next() {
        let mut table = KeyTable::new(vec![DataType::Utf8]).unwrap();
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let mut slots = Vec::new();
        table.intern(&[keys.clone()], 3, &mut slots).unwrap();
        table.remove(slots[1]);
        assert_eq!(table.len(), 2);
        table.find(&[keys], 3, &mut slots).unwrap();
        assert_eq!(slots, [0, NO_SLOT, 2]);
        let other: ArrayRef = Arc::new(StringArray::from(vec!["d"]));
        table.intern(&[other], 1, &mut slots).unwrap();
        assert_eq!((slots[0], table.capacity()), (1, 3));
    }

    #[test]
    fn the_empty_key_has_one_slot() {
        let mut table = KeyTable::new(vec![]).unwrap();
        let mut slots = Vec::new();
        table.intern(&[], 3, &mut slots).unwrap();
        assert_eq!(slots, [0, 0, 0]);
    }
}
