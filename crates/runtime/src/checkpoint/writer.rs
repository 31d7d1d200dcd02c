//! Writes checkpoints beside the running job.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use super::chain::{Chain, Merge, MergePolicy, Merged};
use super::manifest::Manifest;
use super::merger::Merger;
use super::object::Tables;
use super::store::{CheckpointError, CheckpointStore, object_name};
use crate::crash::crash_at;

/// A checkpoint as the job hands it over.
pub(crate) struct Taken {
    /// The manifest, without its objects.
    pub manifest: Manifest,
    /// The changed tables of each shard.
    pub shards: Vec<Tables>,
    /// Those of the views, by output.
    pub views: Tables,
    /// What the sinks have prepared, by the objects that the manifest names for it.
    pub prepared: Vec<(String, Arc<Vec<u8>>)>,
}

type Done = Result<u64, CheckpointError>;

/// The thread that writes, one checkpoint at a time.
pub(crate) struct Writer {
    work: Option<Sender<Taken>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
    in_flight: bool,
}

/// What the thread knows.
pub(super) struct Chains {
    store: CheckpointStore,
    retained: usize,
    policy: MergePolicy,
    shards: Vec<Chain>,
    views: Chain,
}

impl Writer {
    /// Starts to write for a job. `from`: the checkpoint that it goes on from with the same shards,
    /// so that only changes have to be written.
    pub fn start(
        store: CheckpointStore,
        retained: usize,
        from: Option<&Manifest>,
    ) -> std::io::Result<Self> {
        let mut merger = Merger::start(store.clone())?;
        let mut chains = Chains::new(store, retained, MergePolicy::default(), from);
        let (work, inbox) = channel::<Taken>();
        let (outbox, done) = channel();
        let run = move || {
            while let Ok(taken) = inbox.recv() {
                let epoch = taken.manifest.epoch;
                if let Some(merged) = merger.take_done() {
                    chains.adopt(&merged);
                }
                let written = chains.write(taken);
                let well = written.is_ok();
                if outbox.send(written.map(|()| epoch)).is_err() || !well {
                    break;
                }
                // What is behind the promise: nobody waits for it, and it may fail.
                chains.let_go(merger.merging());
                if merger.merging().is_none()
                    && let Some(merge) = chains.due(epoch)
                {
                    merger.merge(merge);
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoints".into()).spawn(run)?;
        Ok(Self { work: Some(work), done, thread: Some(thread), in_flight: false })
    }

    /// Whether a checkpoint is being written.
    pub fn is_busy(&self) -> bool {
        self.in_flight
    }

    /// Hands a checkpoint over; none is being written.
    pub fn write(&mut self, taken: Taken) -> Result<(), CheckpointError> {
        let sent = self.work.as_ref().and_then(|work| work.send(taken).ok());
        sent.ok_or_else(gone)?;
        self.in_flight = true;
        Ok(())
    }

    /// The number of a checkpoint that has become durable; `wait` for the one being written.
    pub fn take_done(&mut self, wait: bool) -> Result<Option<u64>, CheckpointError> {
        if !self.in_flight {
            return Ok(None);
        }
        let done = if wait {
            self.done.recv().map_err(|_| gone())?
        } else {
            match self.done.try_recv() {
                Ok(done) => done,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(gone()),
            }
        };
        self.in_flight = false;
        done.map(Some)
    }
}

fn gone() -> CheckpointError {
    CheckpointError::Broken("the thread that writes checkpoints is gone".into())
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Chains {
    pub(super) fn new(
        store: CheckpointStore,
        retained: usize,
        policy: MergePolicy,
        from: Option<&Manifest>,
    ) -> Self {
        // Where sizes are not known, objects are merged sooner than they had to be.
        let sizes = from.and_then(|_| store.sizes().ok()).unwrap_or_default();
        let chain = |objects: &Vec<String>| Chain::of(objects, &sizes);
        Self {
            store,
            retained,
            policy,
            shards: from.map_or(Vec::new(), |m| m.state.iter().map(chain).collect()),
            views: from.map_or(Chain::default(), |m| chain(&m.views)),
        }
    }

    /// Writes the objects of a checkpoint, and then its manifest: by that it is there.
    pub(super) fn write(&mut self, taken: Taken) -> Result<(), CheckpointError> {
        let Taken { mut manifest, shards, views, prepared } = taken;
        let epoch = manifest.epoch;
        self.shards.resize_with(shards.len(), Chain::default);
        for (number, tables) in shards.iter().enumerate() {
            let name = object_name(epoch, &number.to_string());
            extend(&mut self.shards[number], &self.store, name, tables)?;
        }
        extend(&mut self.views, &self.store, object_name(epoch, "views"), &views)?;
        let objects = |chain: &Chain| chain.objects().cloned().collect();
        manifest.state = self.shards.iter().map(objects).collect();
        manifest.views = objects(&self.views);
        for (name, bytes) in &prepared {
            self.store.put_as(name, bytes)?;
        }
        crash_at("publish");
        self.store.publish(&manifest)?;
        crash_at("published");
        Ok(())
    }

    /// What should be merged next, by the name of the checkpoint that was written last.
    pub(super) fn due(&self, epoch: u64) -> Option<Merge> {
        let views = std::iter::once(("views".to_owned(), &self.views));
        let shards = self.shards.iter().enumerate().map(|(n, chain)| (n.to_string(), chain));
        let name = |what: &str| object_name(epoch, &format!("{what}-merged"));
        shards.chain(views).find_map(|(what, chain)| chain.due(self.policy, name(&what)))
    }

    /// The next checkpoint names what was merged.
    pub(super) fn adopt(&mut self, merged: &Merged) {
        let mut chains = self.shards.iter_mut().chain([&mut self.views]);
        chains.any(|chain| chain.adopt(merged));
    }

    /// Lets go of what is old, but not of what is being merged: no checkpoint names it yet.
    pub(super) fn let_go(&self, merging: Option<&String>) {
        let all = self.shards.iter().chain([&self.views]);
        let used: BTreeSet<String> = all.flat_map(Chain::objects).chain(merging).cloned().collect();
        crash_at("collect");
        let _ = self.store.retain(self.retained, &used);
    }
}

fn extend(
    chain: &mut Chain,
    store: &CheckpointStore,
    name: String,
    tables: &Tables,
) -> Result<(), CheckpointError> {
    if tables.is_empty() {
        return Ok(());
    }
    let bytes = store.put(&name, tables)?;
    chain.add(name, bytes);
    Ok(())
}
