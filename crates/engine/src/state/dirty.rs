//! Which slots have changed.

/// The slots of a table that were written or freed since the last checkpoint.
///
/// Off until [`Dirty::take`] is called for the first time: the first checkpoint writes everything.
#[derive(Debug, Default)]
pub struct Dirty {
    on: bool,
    marked: Vec<u64>,
    slots: Vec<u32>,
}

impl Dirty {
    /// Notes that a slot was written or freed.
    #[inline]
    pub fn mark(&mut self, slot: u32) {
        if self.on {
            self.note(slot);
        }
    }

    fn note(&mut self, slot: u32) {
        let (word, bit) = (slot as usize / 64, 1 << (slot % 64));
        if word >= self.marked.len() {
            self.marked.resize(word + 1, 0);
        }
        if self.marked[word] & bit == 0 {
            self.marked[word] |= bit;
            self.slots.push(slot);
        }
    }

    /// Notes that all of these slots were written or freed.
    #[inline]
    pub fn mark_all(&mut self, slots: &[u32]) {
        if self.on {
            slots.iter().for_each(|&slot| self.note(slot));
        }
    }

    /// The marked slots, which are marked no more; `None` where nothing was tracked so far. From
    /// here on everything is.
    pub(super) fn take(&mut self) -> Option<Vec<u32>> {
        if !std::mem::replace(&mut self.on, true) {
            return None;
        }
        for &slot in &self.slots {
            self.marked[slot as usize / 64] = 0;
        }
        Some(std::mem::take(&mut self.slots))
    }

    /// Stops tracking: the next checkpoint writes everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Begins to track without a checkpoint: what is there was just read from one.
    pub fn start(&mut self) {
        self.reset();
        self.on = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_handed_out_once_and_only_when_tracking_has_begun() {
        let mut dirty = Dirty::default();
        dirty.mark(7);
        assert_eq!(dirty.take(), None);
        dirty.mark_all(&[7, 130, 7]);
        dirty.mark(130);
        assert_eq!(dirty.take(), Some(vec![7, 130]));
        dirty.mark(7);
        assert_eq!(dirty.take(), Some(vec![7]));
        assert_eq!(dirty.take(), Some(vec![]));
    }
}
