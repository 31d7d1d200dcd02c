//! Checkpoints in a storage.
//!
//! ```text
//! manifests/000000000012        one checkpoint
//! state/000000000012-0          what shard 0 changed up to it
//! state/000000000012-0-merged   that of some checkpoints in one, or all that it had
//! state/000000000012-views      the same of the views
//! state/000000000012-sink-1     what the sink of output 1 needs to commit or deliver it
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use rialto_engine::executor::{Restored, ShardState};
use rialto_engine::view::View;
use rialto_engine::{Digest, EngineError};
use rialto_storage::frame::{self, Kind};
use rialto_storage::{Storage, StorageError};

use super::manifest::{Manifest, PendingEpoch};
use super::merge::{Merging, Stopped};
use super::object::{self, Tables};

const MANIFEST: Kind = Kind { tag: *b"CKPT", what: "checkpoint manifest", version: 1 };
pub(super) const STATE: Kind = Kind { tag: *b"STAT", what: "checkpoint state", version: 1 };

/// Why checkpoints cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The storage does not do what it should.
    #[error("cannot keep checkpoints: {0}")]
    Storage(#[from] StorageError),
    /// The job is not the one whose checkpoints these are.
    #[error("checkpoint {epoch} is of another job")]
    Changed {
        /// The newest checkpoint.
        epoch: u64,
    },
    /// What an insert writes was changed, and nobody has said what is to become of what it wrote.
    #[error("the changed project writes other rows into {} than before", .tables.join(", "))]
    ChangedInserts {
        /// The tables.
        tables: Vec<String>,
    },
    /// What is there is not what was written.
    #[error("{0}")]
    Broken(String),
}

impl From<EngineError> for CheckpointError {
    fn from(error: EngineError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<frame::FrameError> for CheckpointError {
    fn from(error: frame::FrameError) -> Self {
        Self::Broken(error.to_string())
    }
}

pub(super) type Result<T> = std::result::Result<T, CheckpointError>;

/// Takes the next piece of an object.
pub(super) type Give<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// The newest whole checkpoint, and what was found on the way to it.
#[derive(Debug, Default)]
pub struct Found {
    /// The checkpoint; none where there is none that is whole.
    pub manifest: Option<Manifest>,
    /// All that it has.
    pub(crate) loaded: Option<Loaded>,
    /// Newer ones that cannot be used, and why.
    pub broken: Vec<String>,
}

/// What a job goes on from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub circuit: Restored,
    /// The rows of the views, by output.
    pub views: ShardState,
    /// What the sinks have prepared, by output.
    pub prepared: Vec<Option<Vec<u8>>>,
    /// What they had not delivered, by output: epoch, object and bytes.
    pub pending: Vec<Vec<(u64, String, Vec<u8>)>>,
}

/// The checkpoints of one job.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    storage: Arc<dyn Storage>,
}

fn manifest_name(epoch: u64) -> String {
    format!("manifests/{epoch:012}")
}

/// The name of an object that an epoch writes.
pub(super) fn object_name(epoch: u64, what: &str) -> String {
    format!("state/{epoch:012}-{what}")
}

impl CheckpointStore {
    /// The checkpoints below a storage's root.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// The numbers of all checkpoints, newest first, whole or not.
    pub fn epochs(&self) -> Result<Vec<u64>> {
        let objects = self.storage.list("manifests/")?;
        let number = |name: &str| name.strip_prefix("manifests/")?.parse().ok();
        let mut epochs: Vec<u64> = objects.iter().filter_map(|o| number(&o.name)).collect();
        epochs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(epochs)
    }

    /// One checkpoint's manifest.
    pub fn manifest(&self, epoch: u64) -> Result<Manifest> {
        let name = manifest_name(epoch);
        let bytes = self.storage.get(&name)?;
        let opened = frame::open(MANIFEST, &name, &bytes)?;
        let manifest: Manifest = serde_json::from_slice(opened.payload)
            .map_err(|e| CheckpointError::Broken(format!("checkpoint manifest '{name}': {e}")))?;
        Ok(manifest)
    }

    /// The newest checkpoint all of whose objects are whole.
    pub fn newest(&self) -> Result<Found> {
        let mut found = Found::default();
        for epoch in self.epochs()? {
            match self.manifest(epoch).and_then(|m| self.load(&m).map(|loaded| (m, loaded))) {
                Ok((manifest, loaded)) => {
                    (found.manifest, found.loaded) = (Some(manifest), Some(loaded));
                    break;
                }
                Err(error) => found.broken.push(format!("checkpoint {epoch}: {error}")),
            }
        }
        Ok(found)
    }

    /// Reads every object of a checkpoint, and answers how many there are and their bytes.
    pub fn check(&self, epoch: u64) -> Result<(usize, u64)> {
        let manifest = self.manifest(epoch)?;
        let objects = objects(&manifest);
        let mut bytes = 0;
        for name in &objects {
            bytes += self.read(name)?.len() as u64;
        }
        Ok((objects.len(), bytes))
    }

    /// The outputs of a checkpoint whose rows are not what their changes come to: for each its
    /// name, the digest of the changes and that of the rows.
    pub fn misfits(&self, epoch: u64) -> Result<Vec<(String, Digest, Digest)>> {
        let manifest = self.manifest(epoch)?;
        let views = self.state(&manifest.views)?;
        let mut misfits = Vec::new();
        for (at, output) in manifest.outputs.iter().enumerate() {
            let (Some(digest), Some(part)) = (output.digest, views.node(at)) else { continue };
            let rows = View::digest_of(part)?;
            if rows != digest {
                misfits.push((output.name.clone(), digest, rows));
            }
        }
        Ok(misfits)
    }

    fn read(&self, name: &str) -> Result<Bytes> {
        let bytes = Bytes::from(self.storage.get(name)?);
        frame::open(STATE, name, &bytes)?;
        Ok(bytes.slice(frame::HEADER_BYTES..))
    }

    pub(super) fn state(&self, objects: &[String]) -> Result<ShardState> {
        let mut state = ShardState::default();
        for name in objects {
            object::apply(&self.read(name)?, &mut state)?;
        }
        Ok(state)
    }

    /// All that a checkpoint has.
    pub(super) fn load(&self, manifest: &Manifest) -> Result<Loaded> {
        let shards = manifest.state.iter().map(|objects| self.state(objects));
        let shards = shards.collect::<Result<Vec<_>>>()?;
        let pending = manifest.outputs.iter().map(|output| {
            let read = |name: &str| self.read(name).map(|bytes| bytes.to_vec());
            let read = |p: &PendingEpoch| Ok((p.epoch, p.object.clone(), read(&p.object)?));
            output.pending.iter().map(read).collect::<Result<Vec<_>>>()
        });
        let pending = pending.collect::<Result<Vec<_>>>()?;
        let prepared = manifest.outputs.iter();
        let read = |name: &str| self.read(name).map(|bytes| bytes.to_vec());
        let prepared = prepared.map(|o| o.prepared.as_deref().map(read).transpose());
        Ok(Loaded {
            circuit: Restored {
                progress: manifest.progress.clone(),
                shards,
                ..Restored::default()
            },
            views: self.state(&manifest.views)?,
            prepared: prepared.collect::<Result<Vec<_>>>()?,
            pending,
        })
    }

    /// Writes the changed tables of some nodes, and answers how many bytes the object has.
    pub(super) fn put(&self, name: &str, tables: &Tables) -> Result<u64> {
        self.put_pieces(name, &mut |give| object::write(tables, give))
    }

    /// Writes an object that is never in memory as a whole: `write` gives out its pieces, and does
    /// so twice, because their checksum stands in front. Answers how many bytes the object has.
    pub(super) fn put_pieces(
        &self,
        name: &str,
        write: &mut dyn FnMut(Give<'_>) -> Result<()>,
    ) -> Result<u64> {
        let (mut length, mut crc) = (0, 0);
        write(&mut |piece| {
            length += piece.len() as u64;
            crc = frame::crc_of(crc, piece);
            Ok(())
        })?;
        let mut upload = self.storage.upload(name)?;
        upload.write(&frame::header_of(STATE, name, length, crc))?;
        write(&mut |piece| Ok(upload.write(piece)?))?;
        upload.finish()?;
        Ok(frame::HEADER_BYTES as u64 + length)
    }

    /// Writes an object.
    pub(super) fn put_as(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(self.storage.put(name, &frame::seal(STATE, name, bytes))?)
    }

    /// Writes the manifest: from here on the checkpoint is there.
    pub(super) fn publish(&self, manifest: &Manifest) -> Result<()> {
        let name = manifest_name(manifest.epoch);
        let bytes = serde_json::to_vec(manifest)
            .map_err(|e| CheckpointError::Broken(format!("checkpoint manifest '{name}': {e}")))?;
        Ok(self.storage.put_new(&name, &frame::seal(MANIFEST, &name, &bytes))?)
    }

    /// How many bytes each object has.
    pub(super) fn sizes(&self) -> Result<BTreeMap<String, u64>> {
        let objects = self.storage.list("state/")?;
        Ok(objects.into_iter().map(|object| (object.name, object.len)).collect())
    }

    /// Makes one object, of that name, of some that are behind one another, and answers its bytes.
    /// `whole`: there is none before them. `stopped` is asked in between.
    pub(super) fn merge(
        &self,
        name: &str,
        objects: &[String],
        whole: bool,
        stopped: Stopped<'_>,
    ) -> Result<u64> {
        let mut merging = Merging::of(self.storage.as_ref(), objects, whole, stopped)?;
        self.put_pieces(name, &mut |give| merging.write(give))
    }

    /// Lets go of all checkpoints but the newest `retained`, and of the objects of none.
    pub(super) fn retain(&self, retained: usize, also: &BTreeSet<String>) -> Result<()> {
        let epochs = self.epochs()?;
        let (kept, old) = epochs.split_at(retained.max(1).min(epochs.len()));
        for &epoch in old {
            self.storage.delete(&manifest_name(epoch))?;
        }
        let mut used = also.clone();
        for &epoch in kept {
            // What a broken manifest names is not known: it keeps nothing.
            if let Ok(manifest) = self.manifest(epoch) {
                used.extend(objects(&manifest).into_iter().cloned());
            }
        }
        for object in self.storage.list("state/")? {
            if !used.contains(&object.name) {
                self.storage.delete(&object.name)?;
            }
        }
        Ok(())
    }

    /// Copies a checkpoint, whole, into another store.
    pub fn copy(&self, manifest: &Manifest, to: &Self) -> Result<()> {
        for name in objects(manifest) {
            to.put_as(name, &self.read(name)?)?;
        }
        to.publish(manifest)
    }

    /// Forgets everything: a job begins anew.
    pub fn clear(&self) -> Result<()> {
        for epoch in self.epochs()? {
            self.storage.delete(&manifest_name(epoch))?;
        }
        for object in self.storage.list("state/")? {
            self.storage.delete(&object.name)?;
        }
        Ok(())
    }
}

/// The names of all objects of a checkpoint.
fn objects(manifest: &Manifest) -> Vec<&String> {
    let state = manifest.state.iter().flatten().chain(&manifest.views);
    let outputs = manifest.outputs.iter();
    let sinks = outputs.flat_map(|o| o.prepared.iter().chain(o.pending.iter().map(|p| &p.object)));
    state.chain(sinks).collect()
}
