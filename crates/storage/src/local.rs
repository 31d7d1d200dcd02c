//! Objects as files below a folder.
//!
//! An object is written under a hidden name, synced, renamed, and its folder synced: a crash leaves
//! the old object or the new one. What hidden files a crash leaves is removed at opening, and every
//! folder is synced: what is read from then on stays, also where a handle met a failed sync before.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::error::{Result, StorageError};
use crate::files::{File, Files, create_folders};
use crate::storage::{Object, Storage, Upload, check_name};

/// What an unfinished object's name starts with. No object's name can.
const HIDDEN: &str = ".tmp-";

/// So much of an object is written before the system is told to forget it. Memory in which
/// it keeps what nobody reads again has to be found and cleared first, which took five times as
/// long as writing did.
const PART_BYTES: u64 = 4 << 20;

/// Objects below one folder. One process at a time writes to it.
#[derive(Debug)]
pub struct LocalStorage {
    files: Arc<dyn Files>,
    root: PathBuf,
    next: AtomicU64,
    /// Why nothing is stored any more.
    poison: Mutex<Option<String>>,
}

impl LocalStorage {
    /// Opens a folder, which is made where there is none, and removes what a crash left.
    pub fn open(files: Arc<dyn Files>, root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let failed = |e| StorageError::io("open", root.display().to_string(), e);
        create_folders(files.as_ref(), &root).map_err(failed)?;
        settle(files.as_ref(), &root).map_err(failed)?;
        Ok(Self { files, root, next: AtomicU64::new(0), poison: Mutex::new(None) })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn poison(&self) -> MutexGuard<'_, Option<String>> {
        // A string is never half written.
        self.poison.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn check(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        match &*self.poison() {
            Some(reason) => Err(StorageError::Poisoned { reason: reason.clone() }),
            None => Ok(self.root.join(name)),
        }
    }

    /// The first failed fsync ends all storing.
    fn poisoned(&self, what: &Path, error: &std::io::Error) -> StorageError {
        let reason = format!("{}: {error}", what.display());
        let reason = self.poison().get_or_insert(reason).clone();
        StorageError::Poisoned { reason }
    }

    /// Makes the folders above an object.
    fn make_folder(&self, folder: &Path) -> Result<()> {
        if folder == self.root || self.files.list(folder).is_ok() {
            return Ok(());
        }
        let above = folder.parent().unwrap_or(&self.root);
        self.make_folder(above)?;
        let made = self.files.create_folder(folder);
        made.map_err(|e| StorageError::io("make", folder.display().to_string(), e))?;
        self.files.sync_folder(above).map_err(|e| self.poisoned(above, &e))
    }

    /// Begins a hidden file in the folder of an object, which is made.
    fn hide<'a>(&'a self, name: &str) -> Result<Hidden<'a>> {
        let path = self.check(name)?;
        let folder = Self::folder_of(&path);
        self.make_folder(folder)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let hidden = folder.join(format!("{HIDDEN}{}-{number}", std::process::id()));
        let failed = |e| StorageError::io("write", name, e);
        let file = self.files.create(&hidden).map_err(failed)?;
        Ok(Hidden { storage: self, name: name.to_owned(), path, hidden, file, unsynced: 0 })
    }

    fn sync_folder_of(&self, path: &Path) -> Result<()> {
        let folder = Self::folder_of(path);
        self.files.sync_folder(folder).map_err(|e| self.poisoned(folder, &e))
    }

    fn folder_of(path: &Path) -> &Path {
        path.parent().unwrap_or(path)
    }
}

impl Storage for LocalStorage {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut hidden = self.hide(name)?;
        hidden.write(bytes)?;
        Box::new(hidden).finish()
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut hidden = self.hide(name)?;
        hidden.write(bytes)?;
        hidden.sync()?;
        // A rename would replace what is there; a second name is refused.
        self.files.link(&hidden.hidden, &hidden.path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => StorageError::Exists { name: name.to_owned() },
            _ => hidden.failed(e),
        })?;
        self.sync_folder_of(&hidden.path)
    }

    fn upload<'a>(&'a self, name: &str) -> Result<Box<dyn Upload + 'a>> {
        Ok(Box::new(self.hide(name)?))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        check_name(name)?;
        self.files.read(&self.root.join(name)).map_err(|e| not_read(name, e))
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>> {
        check_name(name)?;
        let path = self.root.join(name);
        let bytes = self.files.read_range(&path, range).map_err(|e| not_read(name, e))?;
        self.files.forget(&path);
        Ok(bytes)
    }

    fn parts_are_cheap(&self) -> bool {
        true
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        // Only the folder that the prefix names can hold anything.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() {
            check_name(folder)?;
        }
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |e| StorageError::io("list", folder.as_str(), e);
            let entries = match self.files.list(&self.root.join(&folder)) {
                Ok(entries) => entries,
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) => return Err(failed(e)),
            };
            for entry in entries {
                let name = match folder.as_str() {
                    "" => entry.name,
                    folder => format!("{folder}/{}", entry.name),
                };
                if check_name(&name).is_err() {
                    continue;
                }
                if entry.is_folder {
                    folders.push(name);
                } else if name.starts_with(prefix) {
                    match self.files.len(&self.root.join(&name)) {
                        Ok(len) => found.push(Object { name, len }),
                        // Deleted meanwhile.
                        Err(e) if e.kind() == ErrorKind::NotFound => {}
                        Err(e) => return Err(failed(e)),
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.check(name)?;
        match self.files.remove(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(StorageError::io("delete", name, e)),
            _ => Ok(()),
        }
    }
}

/// An object under its hidden name.
struct Hidden<'a> {
    storage: &'a LocalStorage,
    name: String,
    /// The object's own.
    path: PathBuf,
    hidden: PathBuf,
    file: Box<dyn File>,
    unsynced: u64,
}

impl Hidden<'_> {
    fn failed(&self, error: std::io::Error) -> StorageError {
        StorageError::io("write", self.name.as_str(), error)
    }

    /// Makes the content durable.
    fn sync(&mut self) -> Result<()> {
        self.file.sync().map_err(|e| self.storage.poisoned(&self.hidden, &e))?;
        self.file.forget();
        self.unsynced = 0;
        Ok(())
    }
}

impl Upload for Hidden<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for part in bytes.chunks(PART_BYTES as usize) {
            if self.unsynced + part.len() as u64 > PART_BYTES {
                self.sync()?;
            }
            self.file.write(part).map_err(|e| self.failed(e))?;
            self.unsynced += part.len() as u64;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.sync()?;
        let renamed = self.storage.files.rename(&self.hidden, &self.path);
        renamed.map_err(|e| self.failed(e))?;
        self.storage.sync_folder_of(&self.path)
    }
}

impl Drop for Hidden<'_> {
    /// Takes the hidden name away, which is gone where the object has its own. Only room is lost if
    /// this fails: opening will try again.
    fn drop(&mut self) {
        let _ = self.storage.files.remove(&self.hidden);
    }
}

fn not_read(name: &str, error: std::io::Error) -> StorageError {
    match error.kind() {
        ErrorKind::NotFound => StorageError::NotFound { name: name.to_owned() },
        _ => StorageError::io("read", name, error),
    }
}

/// Removes hidden files and makes the names that are seen durable.
fn settle(files: &dyn Files, folder: &Path) -> std::io::Result<()> {
    for entry in files.list(folder)? {
        let path = folder.join(&entry.name);
        if entry.is_folder {
            settle(files, &path)?;
        } else if entry.name.starts_with(HIDDEN) {
            files.remove(&path)?;
        }
    }
    files.sync_folder(folder)
}
