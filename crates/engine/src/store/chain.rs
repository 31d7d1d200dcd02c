//! The rows of each key, as linked lists in plain vectors.

use super::{NO_ROW, held};

/// From a key's slot (see [`crate::key::KeyTable`]) to the ids of its rows, newest first.
#[derive(Debug)]
pub struct Chains {
    heads: Vec<u32>,
    next: Vec<u32>,
    /// Only kept where single rows are removed.
    previous: Option<Vec<u32>>,
}

impl Chains {
    /// Chains whose rows stay, or go all at once.
    pub fn grow_only() -> Self {
        Self { heads: Vec::new(), next: Vec::new(), previous: None }
    }

    /// Chains from which single rows can be removed; costs four bytes a row more.
    pub fn removable() -> Self {
        Self { previous: Some(Vec::new()), ..Self::grow_only() }
    }

    /// Whether [`Chains::remove`] may be called.
    pub fn is_removable(&self) -> bool {
        self.previous.is_some()
    }

    /// The newest row of a slot, or [`NO_ROW`].
    #[inline]
    pub fn first(&self, slot: u32) -> u32 {
        self.heads.get(slot as usize).copied().unwrap_or(NO_ROW)
    }

    /// The row after `row`, or [`NO_ROW`].
    #[inline]
    pub fn after(&self, row: u32) -> u32 {
        self.next[row as usize]
    }

    /// The rows of a slot.
    pub fn rows(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let mut row = self.first(slot);
        std::iter::from_fn(move || {
            let this = row;
            (this != NO_ROW).then(|| {
                row = self.after(this);
                this
            })
        })
    }

    /// Links `row` in front of the rows of `slot`.
    #[inline]
    pub fn insert(&mut self, slot: u32, row: u32) {
        let (s, r) = (slot as usize, row as usize);
        if s >= self.heads.len() {
            self.heads.resize(s + 1, NO_ROW);
        }
        if r >= self.next.len() {
            self.next.resize(r + 1, NO_ROW);
        }
        let head = self.heads[s];
        self.next[r] = head;
        self.heads[s] = row;
        if let Some(previous) = &mut self.previous {
            if r >= previous.len() {
                previous.resize(r + 1, NO_ROW);
            }
            previous[r] = NO_ROW;
            if head != NO_ROW {
                previous[head as usize] = row;
            }
        }
    }

    /// Unlinks `row`, which is linked under `slot`.
    pub fn remove(&mut self, slot: u32, row: u32) {
        let Some(previous) = &mut self.previous else {
            unreachable!("these chains cannot lose single rows");
        };
        let (before, after) = (previous[row as usize], self.next[row as usize]);
        if after != NO_ROW {
            previous[after as usize] = before;
        }
        if before == NO_ROW {
            self.heads[slot as usize] = after;
        } else {
            self.next[before as usize] = after;
        }
        self.next[row as usize] = NO_ROW;
    }

    /// The memory held, in bytes.
    pub fn bytes(&self) -> usize {
        held(&self.heads) + held(&self.next) + self.previous.as_ref().map_or(0, held)
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.next.clear();
        if let Some(previous) = &mut self.previous {
            previous.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_linked_and_unlinked_at_every_position() {
        let mut chains = Chains::removable();
        for (slot, row) in [(0, 0), (3, 1), (0, 2), (0, 3), (0, 4)] {
            chains.insert(slot, row);
        }
        let rows = |chains: &Chains, slot| chains.rows(slot).collect::<Vec<_>>();
        assert_eq!(rows(&chains, 0), [4, 3, 2, 0]);
        chains.remove(0, 3);
        chains.remove(0, 4);
        chains.remove(0, 0);
        assert_eq!(rows(&chains, 0), [2]);
        chains.remove(0, 2);
        chains.insert(3, 0);
        assert_eq!(
            (rows(&chains, 0), rows(&chains, 3), rows(&chains, 9)),
            (vec![], vec![0, 1], vec![])
        );
    }
}
