//! The operations on files that durability is built from.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::Path;

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without the folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_folder: bool,
}

/// A file system, as far as we need one. Errors are the system's: their `kind` is what counts.
pub trait Files: Send + Sync + Debug {
    /// Makes a new file for writing; an existing one is an error of the kind `AlreadyExists`.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Opens an existing file for writing at its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Gives a file another name in place of what has that name. Atomic, but durable only after
    /// [`sync_folder`](Self::sync_folder).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name; `AlreadyExists` if something has it.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a name away.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes one folder below an existing one; fine if it is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// A part of a file, shorter where the file ends.
    fn read_range(&self, path: &Path, range: Range<u64>) -> io::Result<Vec<u8>>;

    /// Says that nobody will soon read a file again: what the system holds of it in memory may go.
    fn forget(&self, _path: &Path) {}

    /// The names in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// The length of a file.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Takes the lock of a file, which is made where there is none; `None` if someone has it. The
    /// lock ends with the guard, or with the process.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Guard>>>;
}

/// Holds a lock until it is dropped.
pub trait Guard: Send + Sync + Debug {}

/// A file that is being written, always at its end.
pub trait File: Send + Debug {
    /// Appends all of `bytes`. After an error some of them may be there.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off after `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Makes the content durable. After an error it must not be tried again: see [`SafeFile`].
    fn sync(&mut self) -> io::Result<()>;

    /// Says that nobody will soon read what was synced: the system need not hold it in memory.
    fn forget(&mut self) {}
}

/// A file that never trusts a disk that lied: after a failed fsync, or a failed write that could
/// not be undone, every call answers the first error.
#[derive(Debug)]
pub struct SafeFile {
    file: Box<dyn File>,
    len: u64,
    failed: Option<(io::ErrorKind, String)>,
}

impl SafeFile {
    /// Guards a file of so many bytes.
    pub fn new(file: Box<dyn File>, len: u64) -> Self {
        Self { file, len, failed: None }
    }

    /// How many bytes were written, synced or not.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Why the file takes nothing any more.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_ref().map(|(_, reason)| reason.as_str())
    }

    /// Appends all of `bytes`, or none of them: what a failed write left is cut off.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        match self.file.write(bytes) {
            Ok(()) => {
                self.len += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                if let Err(second) = self.file.truncate(self.len) {
                    let reason = format!("{error}, and its remains could not be cut off: {second}");
                    self.failed = Some((error.kind(), reason));
                }
                Err(error)
            }
        }
    }

    /// Cuts the file off after `len` bytes.
    pub fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.check()?;
        match self.file.truncate(len) {
            Ok(()) => {
                self.len = self.len.min(len);
                Ok(())
            }
            Err(error) => Err(self.fail(&error, "cutting off")),
        }
    }

    /// Makes what was written durable. The first failure is final.
    pub fn sync(&mut self) -> io::Result<()> {
        self.check()?;
        match self.file.sync() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(&error, "fsync")),
        }
    }

    fn fail(&mut self, error: &io::Error, what: &str) -> io::Error {
        let reason = format!("{what} failed: {error}");
        self.failed = Some((error.kind(), reason.clone()));
        io::Error::new(error.kind(), reason)
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            None => Ok(()),
            Some((kind, reason)) => Err(io::Error::new(*kind, reason.clone())),
        }
    }
}

/// Makes a folder and those above it that are missing, durably: each new name is synced into the
/// folder that holds it. So is the name of a folder that is there: whoever made it may have been
/// killed before it was.
pub fn create_folders(files: &dyn Files, path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    if files.list(path).is_ok() {
        let Some(parent) = parent else { return Ok(()) };
        return match files.sync_folder(parent) {
            // A folder that is not ours to sync, or cannot be, was not made by us.
            Err(e) if is_foreign(&e) => Ok(()),
            synced => synced,
        };
    }
    if let Some(parent) = parent {
        create_folders(files, parent)?;
    }
    files.create_folder(path)?;
    files.sync_folder(parent.unwrap_or(Path::new(".")))
}

fn is_foreign(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}
