//! Row storage of stateful operators: rows kept column by column, found again by id, key or value.
//!
//! - [`RowStore`] keeps rows in growing typed columns. A row's id is its place and never changes; a
//!   removed row's place is given to the next new row, so that ids stay dense under retention.
//! - [`Chains`] links the rows of a key, [`RowLookup`] finds the row equal to another.
//! - [`Expiry`] hands out rows in the order in which they may be forgotten, [`Leases`] keys that
//!   were not written for some time.

mod bits;
mod bytes;
mod chain;
mod column;
mod expiry;
mod lease;
mod lookup;
mod rows;
mod times;

pub use chain::Chains;
pub use expiry::Expiry;
pub use lease::Leases;
pub use lookup::RowLookup;
pub use rows::RowStore;
pub use times::times_ms;

/// The memory that a vector holds, in bytes.
pub(crate) fn held<T>(values: &Vec<T>) -> usize {
    values.capacity() * size_of::<T>()
}

/// The id of no row: gathers as null.
pub const NO_ROW: u32 = u32::MAX;
