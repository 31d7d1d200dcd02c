//! A growing bitmap.

/// A vector of bits, false where nothing was set.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    #[inline]
    pub(super) fn get(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    #[inline]
    pub(super) fn set(&mut self, index: usize, value: bool) {
        let word = index / 64;
        if word >= self.words.len() {
            if !value {
                return;
            }
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (index % 64);
        if value {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_bits_are_false_and_set_ones_can_be_cleared() {
        let mut bits = Bits::default();
        bits.set(200, false);
        assert_eq!(bits.bytes(), 0, "clearing what was never set costs nothing");
        bits.set(64, true);
        bits.set(3, true);
        bits.set(3, false);
        assert_eq!(
            (bits.get(3), bits.get(64), bits.get(65), bits.get(9999)),
            (false, true, false, false)
        );
    }
}
