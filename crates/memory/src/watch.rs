//! How much memory the process holds, and when to spill.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::{allocator, spill};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(20);
/// So many looks in a row see more than there may be: it is not only a batch that passes.
const BEYOND_MAX: u32 = 25;
/// After so many looks that find memory scarce what is free is given back.
const TRIM_LOOKS: u32 = 25;
const PAGE: u64 = 4096;

static LIMIT: AtomicU64 = AtomicU64::new(0);
static OWN: AtomicU64 = AtomicU64::new(0);
static EXCEEDED: AtomicBool = AtomicBool::new(false);

/// Where the process's memory stands, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// What it may hold of its own; 0 where nothing was said.
    pub limit: u64,
    /// What it holds that no file backs.
    pub own: u64,
    /// What lies in the file.
    pub spilled: u64,
}

/// Where the process's memory stands.
pub fn usage() -> Usage {
    Usage {
        limit: LIMIT.load(Ordering::Relaxed),
        own: OWN.load(Ordering::Relaxed),
        spilled: spill::used(),
    }
}

/// Whether the process holds more than it may though everything large lies in the file.
pub fn is_exceeded() -> bool {
    EXCEEDED.load(Ordering::Relaxed)
}

/// Bounds the memory that the process holds of its own, from now on and once: what is beyond goes
/// into a file without a name in `folder`, which has to be on a disk.
///
/// # Errors
/// Where the file cannot be made, or no thread can watch.
pub fn limit(bytes: u64, folder: &Path) -> io::Result<()> {
    let statm = File::open("/proc/self/statm")?;
    spill::open(folder)?;
    if LIMIT.swap(bytes.max(1), Ordering::AcqRel) != 0 {
        return Ok(());
    }
    allocator::free_pages_are_kept();
    allocator::pages_may_be_huge(false);
    let look = move || {
        let (mut beyond, mut looks) = (0, 0_u32);
        loop {
            let Some(own) = own(&statm) else { return };
            OWN.store(own, Ordering::Relaxed);
            let limit = LIMIT.load(Ordering::Relaxed);
            // What grows next copies first, so that half of it has to do for what is there.
            looks = looks.wrapping_add(1);
            spill::leave((limit / 2).saturating_sub(own));
            if own > limit / 2 && looks.is_multiple_of(TRIM_LOOKS) {
                allocator::free_pages_go_back();
            }
            beyond = if own > limit { beyond + 1 } else { 0 };
            EXCEEDED.store(beyond >= BEYOND_MAX, Ordering::Relaxed);
            std::thread::sleep(INTERVAL);
        }
    };
    std::thread::Builder::new().name("memory".into()).spawn(look).map(drop)
}

/// Says that the process has what it works on, and takes memory slowly from now on: it may be in
/// huge pages then, which are found faster. Before, each would have to be cleared as a whole when
/// it is touched first, which took a third of the rate of a backlog.
pub fn settled() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| allocator::pages_may_be_huge(true));
}

/// The memory that no file backs: what is resident, less what is shared.
fn own(statm: &File) -> Option<u64> {
    let mut text = [0; 128];
    let length = statm.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..length]).ok()?;
    let mut pages = text.split_ascii_whitespace().skip(1).map(|n| n.parse::<u64>().ok());
    let (resident, shared) = (pages.next()??, pages.next()??);
    Some(resident.saturating_sub(shared) * PAGE)
}

/// The memory that the machine has for this process: what it has in all, or what its control group
/// is given, in bytes.
pub fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let total: u64 = total.trim().trim_end_matches("kB").trim().parse().ok()?;
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let given = groups.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let given = given.filter_map(|text| text.trim().parse::<u64>().ok());
    given.chain([total * 1024]).min()
}
