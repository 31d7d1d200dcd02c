//! Which allocation goes where.

#![allow(unsafe_code, reason = "an allocator is made of unsafe calls")]

use std::alloc::{GlobalAlloc, Layout, System};

use crate::spill;

/// The process's allocator: the system's, and the file for what is large once memory is scarce.
///
/// To be made the `#[global_allocator]` of a binary. Until [`crate::limit`] is called it hands
/// everything to the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

// SAFETY: every block comes from `System` or from a mapped file, and goes back to where it came
// from: which of them it is, is told by its address, as the file's range of addresses is reserved
// for as long as the process lives and `System` has no part of it. Blocks of the file are aligned
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
        unsafe { System.alloc(layout) }
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
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if layout.size() >= spill::BLOCK_MIN && spill::owns(ptr) {
            spill::give_back(ptr, layout);
            return;
        }
        // SAFETY: the block is not of the file, so it is of `System`, with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let owned = layout.size() >= spill::BLOCK_MIN && spill::owns(ptr);
        if owned && spill::fits(layout.size(), new_size) {
            return ptr;
        }
        if !owned && !spill::wants(new_size) {
            // SAFETY: a block that is not of the file is of `System`, with this layout.
            return unsafe { System.realloc(ptr, layout, new_size) };
        }
        // SAFETY: the caller promises that `new_size`, rounded up to the alignment, fits an isize.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // What lay in the file goes on there, unless it has become small.
        let taken = if new_size >= spill::BLOCK_MIN { spill::take(new_layout) } else { None };
        // SAFETY: `new_layout` is not empty, as the caller promises; both blocks are at least as
        // long as the shorter of the two sizes and are not the same; the old one is given back
        // where it came from.
        unsafe {
            let new = taken.unwrap_or_else(|| System.alloc(new_layout));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(ptr, new, layout.size().min(new_size));
                self.dealloc(ptr, layout);
            }
            new
        }
    }
}
