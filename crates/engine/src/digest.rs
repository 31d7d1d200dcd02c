//! A hash of all changes so far that does not depend on their order, nor on how they were cut.
//!
//! Every row has a hash of its own; the digest is the sum of them, each times its row's weight. So
//! a row that is added and taken back leaves nothing, and two runs whose changes come to the same
//! have the same digest, however many steps and shards they had. Sums over floats whose last digits
//! depend on the order of the rows are other rows, and have another digest.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::key::{hash_bytes, hash_columns};
use crate::{Delta, Result};

/// The sum of the hashes of rows, each times its weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Takes in a row by its hash.
    #[inline]
    fn add(&mut self, hash: u64, weight: i64) {
        self.0 = self.0.wrapping_add(spread(hash).wrapping_mul(weight as u64));
    }

    /// Takes in a row by the bytes that it is encoded as.
    #[inline]
    pub fn add_bytes(&mut self, row: &[u8], weight: i64) {
        self.add(hash_bytes(row), weight);
    }

    /// Takes in the rows of a change. `scratch` is kept by the caller for its allocation.
    pub fn add_delta(&mut self, delta: &Delta, scratch: &mut Vec<u64>) -> Result<()> {
        hash_columns(delta.batch().columns(), delta.num_rows(), scratch)?;
        match delta.weights() {
            None => scratch.iter().for_each(|&hash| self.add(hash, 1)),
            Some(weights) => {
                scratch.iter().zip(weights.iter()).for_each(|(&hash, &w)| self.add(hash, w));
            }
        }
        Ok(())
    }
}

/// Every bit of the answer depends on every bit of the hash: sums of it tell nothing by chance.
#[inline]
fn spread(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash = (hash ^ (hash >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 32)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    use super::*;

    fn rows(ids: &[i64], weights: &[i64]) -> Delta {
        let texts: Vec<String> = ids.iter().map(|id| format!("row {}", id % 7)).collect();
        let columns: [(&str, ArrayRef); 2] = [
            ("id", Arc::new(Int64Array::from(ids.to_vec()))),
            ("text", Arc::new(StringArray::from(texts))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Delta::weighted(batch, Int64Array::from(weights.to_vec()))
    }

    fn of(deltas: &[Delta]) -> Digest {
        let mut digest = Digest::default();
        deltas.iter().for_each(|d| digest.add_delta(d, &mut Vec::new()).unwrap());
        digest
    }

    #[test]
    fn neither_order_nor_cut_nor_what_was_taken_back_matters() {
        let all = of(&[rows(&[1, 2, 3, 3], &[1, 1, 1, 1])]);
        assert_eq!(of(&[rows(&[3], &[2]), rows(&[2], &[1]), rows(&[1], &[1])]), all);
        assert_eq!(of(&[rows(&[3, 1, 9], &[2, 1, 1]), rows(&[9, 2], &[-1, 1])]), all);
        assert_ne!(of(&[rows(&[1, 2, 3], &[1, 1, 1])]), all);
        assert_ne!(of(&[rows(&[1, 2, 4, 3], &[1, 1, 1, 1])]), all);
        assert_eq!(of(&[rows(&[5], &[1]), rows(&[5], &[-1])]), Digest::default());
        let kept = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&kept).unwrap(), all);
    }
}
