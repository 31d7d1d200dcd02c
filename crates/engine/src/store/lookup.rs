//! Finding the stored row that equals another.

use hashbrown::HashTable;

use super::RowStore;
use super::held;

/// A set of rows of a [`RowStore`] by value: the hash of each row, and its owner's slot.
///
/// A row that is looked up has been put into the store first: then all comparisons are between two
/// stored rows, and a row that turns out to be a double is removed again.
#[derive(Debug, Default)]
pub struct RowLookup {
    table: HashTable<u32>,
    hashes: Vec<u64>,
}

impl RowLookup {
    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.table.allocation_size() + held(&self.hashes)
    }

    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The row that equals `row`, if there is one; otherwise `row` joins the set. `slots[id]` is
    /// the key slot of a row: rows of different keys are never equal.
    pub fn find_or_insert(
        &mut self,
        store: &RowStore,
        slots: &[u32],
        row: u32,
        hash: u64,
    ) -> Option<u32> {
        let index = row as usize;
        let hash = hash ^ u64::from(slots[index]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let same = |&other: &u32| {
            let o = other as usize;
            self.hashes[o] == hash && slots[o] == slots[index] && store.equal(other, row)
        };
        if let Some(&found) = self.table.find(hash, same) {
            return Some(found);
        }
        if index >= self.hashes.len() {
            self.hashes.resize(index + 1, 0);
        }
        self.hashes[index] = hash;
        self.table.insert_unique(hash, row, |&r| self.hashes[r as usize]);
        None
    }

    /// Takes a row out of the set.
    pub fn remove(&mut self, row: u32) {
        let hash = self.hashes[row as usize];
        if let Ok(entry) = self.table.find_entry(hash, |&r| r == row) {
            entry.remove();
        }
    }

    /// Takes all rows out.
    pub fn clear(&mut self) {
        self.table.clear();
        self.hashes.clear();
    }
}
