//! Which slots have changed.

/// The slots of a table that were written or freed since the last checkpoint.
///
/// Off until [`Dirty::take`] is called for the first time: the first checkpoint writes everything.
#[derive(Debug, Default)]
pub struct Dirty {
    on: bool,
    /// A bit for each slot.
    marked: Vec<u64>,
    count: usize,
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
        self.count += usize::from(self.marked[word] & bit == 0);
        self.marked[word] |= bit;
    }

    /// Notes that all of these slots were written or freed.
    #[inline]
    pub fn mark_all(&mut self, slots: &[u32]) {
        if self.on {
            slots.iter().for_each(|&slot| self.note(slot));
        }
    }

    /// The marked slots, ascending, which are marked no more; `None` where nothing was tracked so
    /// far. From here on everything is.
    pub(super) fn take(&mut self) -> Option<Vec<u32>> {
        if !std::mem::replace(&mut self.on, true) {
            return None;
        }
        let count = std::mem::take(&mut self.count);
        let mut slots = Vec::with_capacity(count);
        let words = self.marked.iter_mut().zip((0..).step_by(64));
        for (word, first) in words {
            if slots.len() == count {
                break;
            }
            let mut rest = std::mem::take(word);
            while rest != 0 {
                slots.push(first + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        Some(slots)
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
        dirty.mark_all(&[130, 7, 130, 63]);
        dirty.mark(130);
        assert_eq!(dirty.take(), Some(vec![7, 63, 130]));
        dirty.mark(7);
        assert_eq!(dirty.take(), Some(vec![7]));
        assert_eq!(dirty.take(), Some(vec![]));
    }
}
