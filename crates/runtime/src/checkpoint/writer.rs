//! Writes checkpoints beside the running job.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use super::manifest::Manifest;
use super::object::{self, Tables};
use super::store::{CheckpointError, CheckpointStore};
use crate::crash::crash_at;

/// So many objects of a shard are merged into one, so that a restart reads few.
const OBJECTS_MAX: usize = 32;

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

/// The objects of one shard, or of the views, oldest first.
#[derive(Default, Clone)]
struct Chain {
    objects: Vec<String>,
    /// The bytes of the first, which holds all, and of those behind it.
    whole: usize,
    changes: usize,
}

impl Chain {
    fn add(&mut self, name: String, bytes: usize) {
        match self.objects.is_empty() {
            true => self.whole = bytes,
            false => self.changes += bytes,
        }
        self.objects.push(name);
    }

    /// Whether reading the changes costs more than the whole, or there are many of them.
    fn is_long(&self) -> bool {
        self.objects.len() > OBJECTS_MAX
            || self.objects.len() > 2 && self.changes > self.whole.max(1 << 20)
    }
}

/// What the thread knows.
pub(super) struct Chains {
    store: CheckpointStore,
    retained: usize,
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
        let mut chains = Chains::new(store, retained, from);
        let (work, inbox) = channel::<Taken>();
        let (outbox, done) = channel();
        let run = move || {
            while let Ok(taken) = inbox.recv() {
                let epoch = taken.manifest.epoch;
                let written = chains.write(taken);
                let well = written.is_ok();
                if outbox.send(written.map(|()| epoch)).is_err() || !well {
                    break;
                }
                // What is behind the promise: nobody waits for it, and it may fail.
                chains.tidy(epoch);
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
    pub(super) fn new(store: CheckpointStore, retained: usize, from: Option<&Manifest>) -> Self {
        let chain = |objects: &Vec<String>| Chain { objects: objects.clone(), ..Chain::default() };
        Self {
            store,
            retained,
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
            self.shards[number].extend(&self.store, epoch, &number.to_string(), tables)?;
        }
        self.views.extend(&self.store, epoch, "views", &views)?;
        manifest.state = self.shards.iter().map(|chain| chain.objects.clone()).collect();
        manifest.views = self.views.objects.clone();
        for (name, bytes) in &prepared {
            self.store.put_as(name, bytes)?;
        }
        crash_at("publish");
        self.store.publish(&manifest)?;
        crash_at("published");
        Ok(())
    }

    /// Merges what has become long and lets go of what is old. The next checkpoint names the
    /// result; what fails here is tried again then.
    pub(super) fn tidy(&mut self, epoch: u64) {
        let views = std::iter::once(("views".to_owned(), &mut self.views));
        let shards = self.shards.iter_mut().enumerate().map(|(n, chain)| (n.to_string(), chain));
        for (what, chain) in shards.chain(views) {
            if chain.is_long()
                && let Ok(name) = self.store.merge(epoch, &what, &chain.objects)
            {
                let whole = chain.whole.max(chain.changes);
                *chain = Chain { objects: vec![name], whole, changes: 0 };
            }
        }
        let all = self.shards.iter().chain([&self.views]);
        let used: BTreeSet<String> = all.flat_map(|chain| chain.objects.clone()).collect();
        crash_at("collect");
        let _ = self.store.retain(self.retained, &used);
    }
}

impl Chain {
    fn extend(
        &mut self,
        store: &CheckpointStore,
        epoch: u64,
        what: &str,
        tables: &Tables,
    ) -> Result<(), CheckpointError> {
        if tables.is_empty() {
            return Ok(());
        }
        let bytes = object::encode(tables);
        let name = store.put(epoch, what, &bytes)?;
        self.add(name, bytes.len());
        Ok(())
    }
}
