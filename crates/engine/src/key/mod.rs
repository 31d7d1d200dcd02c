//! Keys: one hash a row, computed per column, and tables from keys to dense slots.

mod hash;
mod packed;
mod table;

pub use hash::{hash_bytes, hash_columns, shard_of};
pub use table::{KeyTable, NO_SLOT};
