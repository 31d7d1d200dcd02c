//! Has the system's allocator give back what is free.
//!
//! Left to itself glibc takes blocks of up to 32 MiB from heaps that it does not give back while
//! anything behind them is in use: half of what a growing vector held would stay.

#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "the allocator is set by calls of the C library")]
mod of_glibc {
    use crate::spill::BLOCK_MIN;

    /// Blocks that could be spilled are mapped one by one: freed, they are gone.
    pub fn large_blocks_go_back() {
        let bytes = libc::c_int::try_from(BLOCK_MIN).unwrap_or(libc::c_int::MAX);
        // SAFETY: the call sets a number that later allocations look at.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) };
    }

    /// Pages of the heaps without anything in use on them are given back.
    pub fn free_pages_go_back() {
        // SAFETY: the call takes the heaps' own locks, and touches free memory only.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(target_env = "gnu")]
pub(crate) use of_glibc::{free_pages_go_back, large_blocks_go_back};

/// Other allocators decide for themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn large_blocks_go_back() {}

/// Other allocators decide for themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn free_pages_go_back() {}
