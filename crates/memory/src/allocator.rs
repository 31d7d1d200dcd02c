//! Which allocation goes where.

#![allow(unsafe_code, reason = "an allocator is made of unsafe calls")]

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

use crate::spill;

/// Steps make and drop many small buffers on several threads, which costs less than with glibc's
/// heaps.
static HEAP: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3, which the crate has no name for.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// `mi_option_allow_thp`, likewise.
const ALLOW_THP: libmimalloc_sys::mi_option_t = 43;
/// Huge pages are asked for, and given back as a whole only.
const HUGE_PAGES_KEPT_WHOLE: std::ffi::c_long = 2;
/// So long the heap keeps pages with nothing on them.
const KEPT_MS: std::ffi::c_long = 3_000;

/// Here, and not in the binary, for these calls to be compiled as the rest of the step's path.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The heap, and the file for what is large once memory is scarce: until [`crate::limit`] is
/// called, everything goes to the heap.
struct Allocator;

// SAFETY: every block comes from the heap or from a mapped file, and goes back to where it came
// from: which of them it is, is told by its address, as the file's range of addresses is reserved
// for as long as the process lives and the heap has no part of it. Blocks of the file are aligned
// to pages, are as large as asked for, and are no one else's until they are given back.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if spill::wants(layout.size())
            && let Some(block) = spill::take(layout)
        {
            return block;
        }
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { HEAP.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // A block of the file is a hole until it is written: it reads as zeroes.
        if spill::wants(layout.size())
            && let Some(block) = spill::take(layout)
        {
            return block;
        }
        // SAFETY: the caller's promise about the layout is handed on.
        unsafe { HEAP.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if layout.size() >= spill::BLOCK_MIN && spill::owns(ptr) {
            spill::give_back(ptr, layout);
            return;
        }
        // SAFETY: the block is not of the file, so it is of the heap, with this layout.
        unsafe { HEAP.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let owned = layout.size() >= spill::BLOCK_MIN && spill::owns(ptr);
        if owned && spill::fits(layout.size(), new_size) {
            return ptr;
        }
        if !owned && !spill::wants(new_size) {
            // SAFETY: a block that is not of the file is of the heap, with this layout.
            return unsafe { HEAP.realloc(ptr, layout, new_size) };
        }
        // SAFETY: the caller promises that `new_size`, rounded up to the alignment, fits an isize.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // What lay in the file goes on there, unless it has become small.
        let taken = if new_size >= spill::BLOCK_MIN { spill::take(new_layout) } else { None };
        // SAFETY: `new_layout` is not empty, as the caller promises; both blocks are at least as
        // long as the shorter of the two sizes and are not the same; the old one is given back
        // where it came from.
        unsafe {
            let new = taken.unwrap_or_else(|| HEAP.alloc(new_layout));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(ptr, new, layout.size().min(new_size));
                self.dealloc(ptr, layout);
            }
            new
        }
    }
}

/// Has the heap give back pages without anything in use on them, as far as the calling thread may.
pub(crate) fn free_pages_go_back() {
    // SAFETY: the call takes the heap's own locks, and touches free memory only.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Has the heap keep what was freed for some seconds: what a checkpoint takes is taken again for
/// the next, and fresh pages cost more than all that is written to them.
pub(crate) fn free_pages_are_kept() {
    // SAFETY: the call sets a number that later calls of the heap look at, unless the environment
    // has set it (`MIMALLOC_PURGE_DELAY`).
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT_MS) };
}

/// Has page faults take huge pages, where the system has some to give, or small ones only.
pub(crate) fn pages_may_be_huge(may: bool) {
    // SAFETY: the call sets a number that later calls of the heap look at, unless the environment
    // has set it (`MIMALLOC_ALLOW_THP`).
    unsafe { libmimalloc_sys::mi_option_set_default(ALLOW_THP, HUGE_PAGES_KEPT_WHOLE) };
    #[cfg(target_os = "linux")]
    // SAFETY: the call sets a flag of the process; memory that it has stays what it is. Where there
    // is no such flag it fails, and nothing is different.
    unsafe {
        let (off, none): (libc::c_ulong, libc::c_ulong) = ((!may).into(), 0);
        libc::prctl(libc::PR_SET_THP_DISABLE, off, none, none, none);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = may;
}
