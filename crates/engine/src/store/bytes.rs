//! Values of varying length, one a row, in an arena that is compacted as rows die.

use super::NO_ROW;

/// New blocks of the arena are this long, unless a single value is longer.
const BLOCK_BYTES: usize = 1 << 20;
/// Below this much garbage the arena is left alone.
const GARBAGE_BYTES_MIN: usize = 1 << 20;
const INLINE: usize = 12;

/// A value of up to 12 bytes lies in its view; a longer one in a block, at an offset.
#[derive(Debug, Clone, Copy, Default)]
struct View {
    len: u32,
    data: [u8; INLINE],
}

impl View {
    fn outside(len: usize, block: usize, offset: usize) -> Self {
        let mut data = [0; INLINE];
        data[..4].copy_from_slice(&(block as u32).to_le_bytes());
        data[4..8].copy_from_slice(&(offset as u32).to_le_bytes());
        Self { len: len as u32, data }
    }

    fn place(&self) -> (usize, usize) {
        let word = |at: usize| {
            let d = &self.data;
            u32::from_le_bytes([d[at], d[at + 1], d[at + 2], d[at + 3]]) as usize
        };
        (word(0), word(4))
    }
}

/// A vector of byte strings that can be overwritten and cleared.
#[derive(Debug, Default)]
pub(super) struct ByteColumn {
    views: Vec<View>,
    blocks: Vec<Vec<u8>>,
    used: usize,
    garbage: usize,
}

impl ByteColumn {
    pub(super) fn resize(&mut self, rows: usize) {
        self.views.resize(rows, View::default());
    }

    /// The bytes of a row; empty for a row that does not exist.
    #[inline]
    pub(super) fn get(&self, row: u32) -> &[u8] {
        let Some(view) = self.views.get(row as usize) else {
            assert_eq!(row, NO_ROW);
            return &[];
        };
        let len = view.len as usize;
        if len <= INLINE {
            return &view.data[..len];
        }
        let (block, offset) = view.place();
        &self.blocks[block][offset..offset + len]
    }

    /// Overwrites a row that is clear.
    #[inline]
    pub(super) fn set(&mut self, row: u32, value: &[u8]) {
        assert_eq!(self.views[row as usize].len, 0);
        self.views[row as usize] = self.put(value);
    }

    fn put(&mut self, value: &[u8]) -> View {
        if value.len() <= INLINE {
            let mut data = [0; INLINE];
            data[..value.len()].copy_from_slice(value);
            return View { len: value.len() as u32, data };
        }
        let full = |block: &Vec<u8>| block.len() + value.len() > block.capacity();
        if self.blocks.last().is_none_or(full) {
            self.blocks.push(Vec::with_capacity(BLOCK_BYTES.max(value.len())));
        }
        let last = self.blocks.len() - 1;
        let block = &mut self.blocks[last];
        let offset = block.len();
        block.extend_from_slice(value);
        self.used += value.len();
        View::outside(value.len(), last, offset)
    }

    /// Empties a row; its bytes become garbage.
    pub(super) fn clear(&mut self, row: u32) {
        let view = &mut self.views[row as usize];
        if view.len as usize > INLINE {
            self.garbage += view.len as usize;
        }
        *view = View::default();
    }

    /// Rewrites the arena where more than half of it is garbage. Amortised over the removals.
    pub(super) fn compact(&mut self) {
        if self.garbage < GARBAGE_BYTES_MIN || self.garbage * 2 < self.used {
            return;
        }
        let blocks = std::mem::take(&mut self.blocks);
        (self.used, self.garbage) = (0, 0);
        for row in 0..self.views.len() {
            let view = self.views[row];
            if view.len as usize > INLINE {
                let (block, offset) = view.place();
                self.views[row] = self.put(&blocks[block][offset..offset + view.len as usize]);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(Vec::capacity).sum();
        self.views.capacity() * size_of::<View>() + blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_compaction_and_garbage_is_given_back() {
        let mut column = ByteColumn::default();
        let value = |row: u32, len: usize| vec![(row % 251) as u8; len];
        column.resize(4001);
        for row in 0..4000_u32 {
            column.set(row, &value(row, 1000 + row as usize % 7));
        }
        column.set(4000, b"short");
        let before = column.bytes();
        for row in (0..4000).filter(|row| row % 4 != 0) {
            column.clear(row);
        }
        column.compact();
        assert!(column.bytes() * 2 < before, "{} of {before} bytes left", column.bytes());
        for row in 0..4000 {
            let expected = if row % 4 == 0 { value(row, 1000 + row as usize % 7) } else { vec![] };
            assert_eq!(column.get(row), expected);
        }
        assert_eq!(column.get(4000), b"short");
        assert_eq!(column.get(NO_ROW), b"");
    }
}
