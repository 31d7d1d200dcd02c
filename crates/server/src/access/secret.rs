//! Random bytes, and comparing what is secret.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// 256 random bits of the operating system: three random UUIDs have 366 of them.
pub fn random() -> [u8; 32] {
    let mut hash = Sha256::new();
    (0..3).for_each(|_| hash.update(Uuid::new_v4().as_bytes()));
    hash.finalize().into()
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
pub fn same(one: &[u8; 32], two: &[u8; 32]) -> bool {
    let differ = one.iter().zip(two).fold(0, |differ, (a, b)| differ | (a ^ b));
    std::hint::black_box(differ) == 0
}

/// An id that nothing else has.
pub fn random_id() -> String {
    Uuid::new_v4().to_string()
}
