//! Objects in a store behind a network: whatever the crate `object_store` can speak to.
//!
//! A store acknowledges an object when it is durable, and makes it visible at once or not at all,
//! so that there is nothing to sync and nothing to rename. Calls block: they are made by threads
//! of their own, never by one that runs other futures.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use tokio::runtime::Runtime;

use crate::error::{Result, StorageError};
use crate::storage::{Object, Storage, Upload, check_name};

/// An answer that takes longer is taken for none.
const PATIENCE: Duration = Duration::from_secs(60);

/// Objects below a prefix of a store.
#[derive(Debug)]
pub struct RemoteStorage {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    runtime: Runtime,
}

impl RemoteStorage {
    /// Objects of `store` whose names start with `prefix`; an empty one is the whole store.
    pub fn over(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self> {
        let prefix = prefix.trim_matches('/').to_owned();
        if !prefix.is_empty() {
            check_name(&prefix)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("storage")
            .enable_all()
            .build()
            .map_err(|e| StorageError::io("open", prefix.as_str(), e))?;
        Ok(Self { store, prefix, runtime })
    }

    /// Asks the store once, and takes nothing from the answer but that it came.
    pub(crate) fn reach(&self) -> Result<()> {
        let place = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let first = async { next(&mut self.store.list(place.as_ref())).await.transpose() };
        match self.run("list", &self.prefix, first) {
            Err(StorageError::NotFound { .. }) => Err(no_bucket("list", &self.prefix)),
            other => other.map(drop),
        }
    }

    fn path(&self, name: &str) -> Result<Path> {
        check_name(name)?;
        Ok(Path::from(self.full(name)))
    }

    fn full(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    fn run<T>(
        &self,
        action: &'static str,
        name: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T> {
        let timed = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, call).await });
        match timed {
            Ok(result) => result.map_err(|e| told(action, name, e)),
            Err(_) => {
                let reason = format!("no answer within {} s", PATIENCE.as_secs());
                let error = io::Error::new(io::ErrorKind::TimedOut, reason);
                Err(StorageError::io(action, name, error))
            }
        }
    }

    fn put_as(&self, name: &str, bytes: &[u8], mode: PutMode) -> Result<()> {
        let path = self.path(name)?;
        let options = PutOptions { mode, ..PutOptions::default() };
        let payload = bytes.to_vec().into();
        match self.run("write", name, self.store.put_opts(&path, payload, options)) {
            // What is not found where something is put is the bucket.
            Err(StorageError::NotFound { .. }) => Err(no_bucket("write", name)),
            other => other.map(drop),
        }
    }
}

impl Storage for RemoteStorage {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.put_as(name, bytes, PutMode::Overwrite)
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.put_as(name, bytes, PutMode::Create)
    }

    fn upload<'a>(&'a self, name: &str) -> Result<Box<dyn Upload + 'a>> {
        Ok(Box::new(Whole { storage: self, name: name.to_owned(), bytes: Vec::new() }))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name)?;
        let bytes = async { self.store.get(&path).await?.bytes().await };
        self.run("read", name, bytes).map(|bytes| bytes.to_vec())
    }

    fn get_range(&self, name: &str, range: Range<u64>) -> Result<Vec<u8>> {
        let path = self.path(name)?;
        let read = async {
            // A range that begins behind the end is an error of the store, and nothing to us.
            let len = self.store.head(&path).await?.size;
            if range.start >= len || range.is_empty() {
                return Ok::<_, Error>(Vec::new());
            }
            let range = GetRange::Bounded(range.start..range.end.min(len));
            let options = GetOptions { range: Some(range), ..GetOptions::default() };
            let found = self.store.get_opts(&path, options).await?;
            Ok(found.bytes().await?.to_vec())
        };
        self.run("read", name, read)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        // A store lists whole parts of names only; the rest is for us to compare.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() {
            check_name(folder)?;
        }
        let folder = match (self.prefix.as_str(), folder) {
            (own, "") => own.to_owned(),
            (_, folder) => self.full(folder),
        };
        let place = (!folder.is_empty()).then(|| Path::from(folder));
        let listed = async {
            let mut found: Vec<ObjectMeta> = Vec::new();
            let mut pages = self.store.list(place.as_ref());
            while let Some(object) = next(&mut pages).await {
                found.push(object?);
            }
            Ok::<_, Error>(found)
        };
        let own = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let mut objects: Vec<Object> = self
            .run("list", prefix, listed)?
            .into_iter()
            .filter_map(|meta| {
                let name = meta.location.as_ref().get(own..)?.to_owned();
                Some(Object { name, len: meta.size })
            })
            .filter(|object| object.name.starts_with(prefix) && check_name(&object.name).is_ok())
            .collect();
        objects.sort();
        Ok(objects)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match self.run("delete", name, self.store.delete(&path)) {
            Err(StorageError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }
}

/// An object that is sent when it is whole.
struct Whole<'a> {
    storage: &'a RemoteStorage,
    name: String,
    bytes: Vec<u8>,
}

impl Upload for Whole<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.storage.put(&self.name, &self.bytes)
    }
}

/// The next item of a stream.
async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}

fn no_bucket(action: &'static str, name: &str) -> StorageError {
    StorageError::io(
        action,
        name,
        io::Error::new(io::ErrorKind::NotFound, "there is no such bucket"),
    )
}

fn told(action: &'static str, name: &str, error: Error) -> StorageError {
    let text = said(&error);
    let name = name.to_owned();
    let denied =
        |hint: &str| io::Error::new(io::ErrorKind::PermissionDenied, format!("{hint}: {text}"));
    match error {
        // A missing bucket is no missing object, which would look like an empty place.
        _ if text.contains("NoSuchBucket") => no_bucket(action, &name),
        Error::NotFound { .. } => StorageError::NotFound { name },
        Error::AlreadyExists { .. } => StorageError::Exists { name },
        Error::PermissionDenied { .. } => {
            StorageError::io(action, name, denied("access is denied"))
        }
        Error::Unauthenticated { .. } => {
            StorageError::io(action, name, denied("the credentials are not accepted"))
        }
        // Of a listing that failed only the text says why.
        _ if text.contains("status code: 403") => {
            StorageError::io(action, name, denied("access is denied"))
        }
        _ => StorageError::io(action, name, io::Error::other(text)),
    }
}

/// An error with its causes, each said once.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::LocalStorage;
    use crate::testing::CrashFiles;

    /// What every storage answers.
    fn obeys_the_contract(storage: &dyn Storage) {
        assert!(matches!(storage.get("a/b"), Err(StorageError::NotFound { .. })));
        storage.put("a/b", b"one").unwrap();
        storage.put("a/b", b"second").unwrap();
        assert_eq!(storage.get("a/b").unwrap(), b"second");
        assert!(matches!(storage.put_new("a/b", b"x"), Err(StorageError::Exists { .. })));
        storage.put_new("a/bc", b"").unwrap();
        storage.put("z", b"zz").unwrap();
        assert_eq!(storage.get_range("a/b", 1..3).unwrap(), b"ec");
        assert_eq!(storage.get_range("a/b", 4..100).unwrap(), b"nd");
        assert_eq!(storage.get_range("a/b", 50..60).unwrap(), b"");
        assert!(matches!(storage.get_range("q", 0..1), Err(StorageError::NotFound { .. })));
        let names = |prefix: &str| -> Vec<(String, u64)> {
            let objects = storage.list(prefix).unwrap();
            objects.into_iter().map(|o| (o.name, o.len)).collect()
        };
        let all = [("a/b".to_owned(), 6), ("a/bc".to_owned(), 0), ("z".to_owned(), 2)];
        assert_eq!(names(""), all);
        assert_eq!(names("a/"), all[..2]);
        assert_eq!(names("a/bc"), all[1..2]);
        assert!(names("none/").is_empty());
        storage.delete("a/b").unwrap();
        storage.delete("a/b").unwrap();
        assert_eq!(names("a/b"), all[1..2]);
        for name in ["", "/a", "a//b", "../a", "a/.hidden", "a b", "ä"] {
            assert!(matches!(storage.put(name, b""), Err(StorageError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn a_folder_and_a_remote_store_answer_alike() {
        let local = LocalStorage::open(Arc::new(CrashFiles::new()), "/data").unwrap();
        obeys_the_contract(&local);
        let store = Arc::new(InMemory::new());
        obeys_the_contract(&RemoteStorage::over(store.clone(), "").unwrap());
        let inner = RemoteStorage::over(Arc::new(InMemory::new()), "shop/one/").unwrap();
        obeys_the_contract(&inner);
        assert_eq!(store.to_string(), "InMemory");
    }
}
