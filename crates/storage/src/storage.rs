//! Whole objects by name.

use std::fmt::Debug;
use std::ops::Range;

use crate::error::{Result, StorageError};

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// How many bytes it has.
    pub len: u64,
}

/// Keeps immutable objects by name. Names look like relative paths: `checkpoints/12/manifest`.
///
/// Who reads an object sees the whole of it: no reader ever meets one that is half written.
pub trait Storage: Send + Sync + Debug {
    /// Stores an object, in place of what had its name. Durable when it returns; after an error
    /// either the old or the new one is there, whole.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Stores an object of a new name; [`StorageError::Exists`] if there is one. Of several that
    /// try at once exactly one succeeds.
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Begins to store an object that is not in memory as a whole, in place of what has its name.
    fn upload<'a>(&'a self, name: &str) -> Result<Box<dyn Upload + 'a>>;

    /// The bytes of an object.
    fn get(&self, name: &str) -> Result<Vec<u8>>;

    /// A part of an object, shorter where the object ends.
    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>>;

    /// Whether many small parts of an object cost about as much as all of it at once: not where
    /// every call has to cross a network.
    fn parts_are_cheap(&self) -> bool {
        false
    }

    /// The objects whose names start with `prefix`, sorted by name.
    fn list(&self, prefix: &str) -> Result<Vec<Object>>;

    /// Takes an object away; fine if there is none. It may be back after a crash: what must not
    /// be read again has to be told by what names it.
    fn delete(&self, name: &str) -> Result<()>;
}

/// An object that is being written, from its front. There is none before it is finished; one that
/// is dropped before leaves nothing.
pub trait Upload {
    /// Appends all of `bytes`.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// The object is there, whole and durable, when this returns; see [`Storage::put`].
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Refuses names that cannot be kept everywhere: on a file system and in a bucket.
pub fn check_name(name: &str) -> Result<()> {
    let refuse = |reason| Err(StorageError::Name { name: name.to_owned(), reason });
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.len() > 900 {
        return refuse("it is longer than 900 bytes");
    }
    for part in name.split('/') {
        if part.is_empty() {
            return refuse("it has an empty part between two '/'");
        }
        if part.starts_with('.') {
            return refuse("a part of it starts with '.'");
        }
        if part.len() > 200 {
            return refuse("a part of it is longer than 200 bytes");
        }
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.=/+".contains(&b);
    if !name.bytes().all(fine) {
        return refuse("only ASCII letters, digits and '-_.=+/' may stand in it");
    }
    Ok(())
}
