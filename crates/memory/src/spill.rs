//! The file, its blocks, and what is free.
//!
//! A range of addresses is reserved once. The byte at `n` of the range is the byte at `n` of the
//! file. A block has a power of two of bytes; one that is given back has its pages and its place on
//! the disk taken away at once, and is handed out again as a hole.

#![allow(unsafe_code, reason = "memory is mapped by system calls")]

use std::alloc::Layout;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is smaller stays in memory: vectors that hold a batch, and all that is not state.
pub(crate) const BLOCK_MIN: usize = 4 << 20;
/// How many addresses are reserved. Only what is used of them costs anything.
const RANGE: usize = 4 << 40;
/// Sizes of blocks: powers of two from `BLOCK_MIN` to `RANGE`.
const CLASSES: usize = (RANGE / BLOCK_MIN).ilog2() as usize + 1;
const PAGE: usize = 4096;

/// How many bytes large allocations may still take from the system before the next look at what the
/// process holds; the greatest number where nothing is spilled at all.
static HEADROOM: AtomicI64 = AtomicI64::new(i64::MAX);
/// Where the range begins; 0 until it is reserved.
static BASE: AtomicUsize = AtomicUsize::new(0);
/// The bytes of the blocks that are in use.
static USED: AtomicU64 = AtomicU64::new(0);
static SPACE: Mutex<Space> =
    Mutex::new(Space { file: None, end: 0, free: [const { Vec::new() }; CLASSES] });

struct Space {
    file: Option<File>,
    /// How much of the range has been given out at some time.
    end: usize,
    /// The offsets of free blocks, by class.
    free: [Vec<usize>; CLASSES],
}

fn space() -> MutexGuard<'static, Space> {
    SPACE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The class of the blocks that hold so many bytes.
fn class(size: usize) -> usize {
    (size.next_power_of_two().max(BLOCK_MIN) / BLOCK_MIN).ilog2() as usize
}

fn bytes(class: usize) -> usize {
    BLOCK_MIN << class
}

/// Whether a block that was taken for `old` bytes holds `new`, and is not far too large for them.
pub(crate) fn fits(old: usize, new: usize) -> bool {
    new >= BLOCK_MIN && class(old) == class(new)
}

/// Whether an allocation of so many bytes is to go to the file. One that is not is counted.
#[inline]
pub(crate) fn wants(size: usize) -> bool {
    let left = HEADROOM.load(Ordering::Relaxed);
    if left == i64::MAX || size < BLOCK_MIN {
        return false;
    }
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let fits = left >= size;
    if fits {
        HEADROOM.fetch_sub(size, Ordering::Relaxed);
    }
    !fits
}

/// From now on large allocations may take so many bytes from the system.
pub(crate) fn leave(bytes: u64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).min(i64::MAX - 1);
    HEADROOM.store(bytes, Ordering::Relaxed);
}

/// The bytes of the blocks that are in use.
pub(crate) fn used() -> u64 {
    USED.load(Ordering::Relaxed)
}

/// Whether an address is of the file.
#[inline]
pub(crate) fn owns(ptr: *mut u8) -> bool {
    let base = BASE.load(Ordering::Acquire);
    base != 0 && (ptr as usize).wrapping_sub(base) < RANGE
}

/// Makes the file, without a name, in a folder, and reserves the range.
pub(crate) fn open(folder: &Path) -> io::Result<()> {
    let mut space = space();
    if space.file.is_some() {
        return Ok(());
    }
    let name = folder.join(format!(".rialto-spill-{}", std::process::id()));
    let options = File::options().read(true).write(true).create_new(true).open(&name);
    // One of that name is of a process that died between these two lines.
    let file =
        options.or_else(|_| File::options().read(true).write(true).truncate(true).open(&name))?;
    // Nobody else needs its name, and without one it goes with the process, however that ends.
    std::fs::remove_file(&name)?;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that is there.
    let base = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        libc::mmap(std::ptr::null_mut(), RANGE, libc::PROT_NONE, flags, -1, 0)
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    space.file = Some(file);
    BASE.store(base as usize, Ordering::Release);
    Ok(())
}

/// A block of the file that reads as zeroes; `None` where there shall be none, or can be none.
pub(crate) fn take(layout: Layout) -> Option<*mut u8> {
    if layout.align() > PAGE {
        return None;
    }
    let (class, base) = (class(layout.size()), BASE.load(Ordering::Acquire));
    let size = bytes(class);
    let mut space = space();
    let (offset, is_new) = match space.free[class].pop() {
        Some(offset) => (offset, false),
        None if size <= RANGE - space.end => (space.end, true),
        None => return None,
    };
    let file = space.file.as_ref()?.as_raw_fd();
    // A page without a place on the disk would end the process when it is written.
    let (at, length) = (libc::off_t::try_from(offset).ok()?, libc::off_t::try_from(size).ok()?);
    // SAFETY: the file is open; the call changes its length and nothing in memory.
    let placed = unsafe { libc::fallocate(file, 0, at, length) == 0 };
    if !placed {
        if !is_new {
            space.free[class].push(offset);
        }
        return None;
    }
    let block = (base + offset) as *mut u8;
    if is_new {
        // SAFETY: the addresses are of our range, and no block was ever made of them. The mapping
        // replaces the reservation there.
        let mapped = unsafe {
            let flags = libc::MAP_SHARED | libc::MAP_FIXED;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(block.cast(), size, access, flags, file, at) != libc::MAP_FAILED
        };
        if !mapped {
            return None;
        }
        // Keys are hashed: the page next to one is not the next to be read.
        // SAFETY: advice about a mapping of ours.
        unsafe { libc::madvise(block.cast(), size, libc::MADV_RANDOM) };
        space.end += size;
    }
    drop(space);
    USED.fetch_add(size as u64, Ordering::Relaxed);
    Some(block)
}

/// Takes a block back that [`take`] gave for a layout.
pub(crate) fn give_back(ptr: *mut u8, layout: Layout) {
    let class = class(layout.size());
    let size = bytes(class);
    let offset = ptr as usize - BASE.load(Ordering::Acquire);
    let mut space = space();
    if let Some(file) = &space.file
        && let (Ok(at), Ok(length)) = (libc::off_t::try_from(offset), libc::off_t::try_from(size))
    {
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: the block is no one's any more. Its pages and its place on the disk go.
        let emptied = unsafe { libc::fallocate(file.as_raw_fd(), mode, at, length) == 0 };
        if !emptied {
            // SAFETY: as above; the block is `size` bytes long.
            unsafe { std::ptr::write_bytes(ptr, 0, size) };
        }
    }
    // The list may grow: its own memory is far too small to come from here.
    space.free[class].push(offset);
    drop(space);
    USED.fetch_sub(size as u64, Ordering::Relaxed);
}
