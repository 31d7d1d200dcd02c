//! A disk that crashes, for tests.
//!
//! [`CrashFiles`] keeps two halves of a file system: what programs see, and what would be there
//! after the power fails. [`CrashFiles::crash`] takes the first away. Of what was not synced any
//! part may survive, in any order:
//!
//! - of bytes written since the last fsync of their file any sectors of 512 bytes; where a later
//!   one survives without an earlier one, there are zeros between
//! - of names made, replaced or taken away since the last sync of their folder any; a name that
//!   survives may lead to a file whose content did not
//!
//! A fault can be put on the n-th call that changes something: see [`Fault`]. As on Linux, a failed
//! fsync of a file drops what it could not write while programs still read it, and the next fsync
//! says that all is well. Names are kept by a journal: a failed sync of a folder leaves them on
//! their way.

mod disk;
mod random;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::files::{Entry, File, Files, Guard};
use disk::Disk;
pub use random::Random;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device fails. A write leaves nothing, an fsync loses what was not durable.
    Eio,
    /// The disk is full.
    Enospc,
    /// A write stops in its middle, and the disk is full. Other calls fail as with [`Enospc`].
    ///
    /// [`Enospc`]: Fault::Enospc
    ShortWrite,
    /// The power fails in the middle of the call: it has happened or not, and every call from here
    /// on fails, until [`CrashFiles::crash`] brings the machine back.
    PowerOff,
}

/// What happens to a call, and how the run ends in which it happened.
#[derive(Debug, Clone, Copy)]
pub struct WayToEnd {
    /// For messages.
    pub name: &'static str,
    /// What happens.
    pub fault: Fault,
    /// Whether the machine goes on: what was written is then seen by the next run, synced or not.
    pub machine_goes_on: bool,
}

impl WayToEnd {
    /// Ends the run.
    pub fn ends(&self, files: &CrashFiles, seed: u64) {
        if self.machine_goes_on { files.restart() } else { files.crash(seed) }
    }
}

const fn way(name: &'static str, fault: Fault, machine_goes_on: bool) -> WayToEnd {
    WayToEnd { name, fault, machine_goes_on }
}

/// All ways in which a run can end at a call that changes something.
pub const WAYS_TO_END: &[WayToEnd] = &[
    way("killed", Fault::PowerOff, true),
    way("torn by a power cut", Fault::PowerOff, false),
    way("EIO", Fault::Eio, true),
    way("EIO and a power cut", Fault::Eio, false),
    way("ENOSPC", Fault::Enospc, true),
    way("ENOSPC and a power cut", Fault::Enospc, false),
    way("a short write", Fault::ShortWrite, true),
    way("a short write and a power cut", Fault::ShortWrite, false),
];

/// A file system in memory that forgets what was not synced.
#[derive(Debug, Clone, Default)]
pub struct CrashFiles {
    disk: Arc<Mutex<Disk>>,
}

impl CrashFiles {
    /// An empty disk with a root folder `/`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The power fails and comes back. What was not synced survives in part, as the seed says; all
    /// open files and locks are gone, and no fault is left.
    pub fn crash(&self, seed: u64) {
        self.disk().crash(&mut Random::new(seed));
    }

    /// The process ends and is started again, while the machine goes on: what was written is seen,
    /// synced or not; open files and locks are gone, and no fault is left.
    pub fn restart(&self) {
        self.disk().restart();
    }

    /// Puts a fault on the `n`-th call from now that changes something; 0 is the next one.
    pub fn fail(&self, n: u64, fault: Fault) {
        self.disk().fail(n, fault);
    }

    /// How many calls have changed something, or tried to.
    pub fn calls(&self) -> u64 {
        self.disk().calls()
    }

    /// How many fsyncs of files were asked for.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A test that panicked within a call has failed anyway.
        self.disk.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn open(&self, file: disk::OpenFile) -> Box<dyn File> {
        Box::new(CrashFile { files: self.clone(), file })
    }
}

impl Files for CrashFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = self.disk().create(path)?;
        Ok(self.open(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = self.disk().open(path)?;
        Ok(self.open(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk().rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk().link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk().remove(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk().create_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk().sync_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk().read(path, 0..u64::MAX)
    }

    fn read_range(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.disk().read(path, range)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk().list(folder)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.disk().len(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>> {
        let Some(boot) = self.disk().lock(path)? else { return Ok(None) };
        Ok(Some(Box::new(CrashGuard { files: self.clone(), path: path.to_owned(), boot })))
    }
}

#[derive(Debug)]
struct CrashGuard {
    files: CrashFiles,
    path: PathBuf,
    boot: u64,
}

impl Guard for CrashGuard {}

impl Drop for CrashGuard {
    fn drop(&mut self) {
        self.files.disk().unlock(&self.path, self.boot);
    }
}

#[derive(Debug)]
struct CrashFile {
    files: CrashFiles,
    file: disk::OpenFile,
}

impl File for CrashFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.files.disk().write(self.file, bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.files.disk().truncate(self.file, len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.files.disk().sync(self.file)
    }
}
