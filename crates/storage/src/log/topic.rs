//! A log that is open in this process.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::error::{LogError, Result};
use super::ids::IdWindow;
use super::recover::{recover, replace};
use super::segment::{End, Index, Start, TOPIC_NAME, io, read_topic, seal_topic, segments};
use super::writer::{Active, Queue};
use crate::files::{Files, Guard, create_folders};
use crate::os::OsFiles;

/// Tells the time in epoch milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How long it is tried to get the lock that another process holds for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How often is looked how far another process has come.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// How a log is kept.
#[derive(Clone)]
pub struct Config {
    /// How many partitions a new log has; an existing one must have as many. `None` takes what is
    /// there, and makes one.
    pub partitions: Option<u32>,
    /// A larger segment is followed by the next one.
    pub segment_bytes: u64,
    /// Records that are older may be deleted.
    pub retention_ms: Option<i64>,
    /// Of a larger log the oldest records may be deleted.
    pub retention_bytes: Option<u64>,
    /// So much may wait to be written.
    pub queue_bytes_max: usize,
    /// Which ids are remembered.
    pub ids: Option<IdWindow>,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            partitions: None,
            segment_bytes: 64 << 20,
            retention_ms: None,
            retention_bytes: None,
            queue_bytes_max: 64 << 20,
            ids: None,
            clock: Arc::new(|| {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
            }),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("partitions", &self.partitions)
            .field("segment_bytes", &self.segment_bytes)
            .field("retention_ms", &self.retention_ms)
            .field("retention_bytes", &self.retention_bytes)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

/// What a reader may see.
#[derive(Debug)]
pub(super) struct View {
    /// The sequences that name the segments, in order.
    pub segments: Vec<u64>,
    /// The byte after the last durable batch of the last segment.
    pub position: u64,
    /// The offset that the next record of each partition gets.
    pub offsets: Vec<u64>,
}

/// A log. Shared by all who read and write it in this process.
#[derive(Debug)]
pub struct Topic {
    pub(super) files: Arc<dyn Files>,
    pub(super) folder: PathBuf,
    pub(super) partitions: u32,
    pub(super) config: Mutex<Config>,
    pub(super) queue: Mutex<Queue>,
    pub(super) wake: Condvar,
    /// What the writer has; taken before `queue` where both are.
    pub(super) active: Mutex<Option<Active>>,
    view: Mutex<Seen>,
    starts: Mutex<HashMap<u64, Arc<Start>>>,
    indexes: Mutex<HashMap<u64, Arc<Index>>>,
}

/// The view, and where it is from.
#[derive(Debug)]
struct Seen {
    view: Arc<View>,
    /// Whether this process writes; if not, another one may.
    own: bool,
    looked: Instant,
    end: Option<End>,
}

/// The logs that are open in this process, by folder: the lock of a file is the process's, and what
/// one part writes the others see at once.
fn open_topics() -> &'static Mutex<HashMap<PathBuf, Weak<Topic>>> {
    static OPEN: OnceLock<Mutex<HashMap<PathBuf, Weak<Topic>>>> = OnceLock::new();
    OPEN.get_or_init(Mutex::default)
}

impl Topic {
    /// The log in a folder of this machine, made where there is none. All who ask for the same
    /// folder get the same log; the first one's configuration holds.
    pub fn shared(folder: &Path, config: Config) -> Result<Arc<Self>> {
        create_folders(&OsFiles, folder).map_err(|e| io("make", folder, e))?;
        let real = folder.canonicalize().map_err(|e| io("open", folder, e))?;
        let mut topics = locked(open_topics());
        topics.retain(|_, topic| topic.strong_count() > 0);
        if let Some(topic) = topics.get(&real).and_then(Weak::upgrade) {
            topic.check_partitions(config.partitions)?;
            if config.ids.is_some() {
                topic.remember_ids(config.ids)?;
            }
            return Ok(topic);
        }
        let topic = Arc::new(Self::open(Arc::new(OsFiles), &real, config)?);
        topics.insert(real, Arc::downgrade(&topic));
        Ok(topic)
    }

    /// Opens the log in a folder; no other part of this process may have it open.
    pub fn open(files: Arc<dyn Files>, folder: &Path, config: Config) -> Result<Self> {
        create_folders(files.as_ref(), folder).map_err(|e| io("make", folder, e))?;
        let started = Instant::now();
        let (partitions, seen) = loop {
            if let Some(guard) = lock(files.as_ref(), folder)? {
                let partitions = make(files.as_ref(), folder, &config)?;
                let view = settle(files.as_ref(), folder, partitions, (config.clock)())?;
                drop(guard);
                break (partitions, view);
            }
            // Whoever holds the lock has made the log, or is about to.
            if let Some(partitions) = read_topic(files.as_ref(), folder)?
                && let Some(end) = End::read(files.as_ref(), folder)
            {
                let view = view_of(files.as_ref(), folder, &end)?;
                break (partitions, view);
            }
            if started.elapsed() > LOCK_PATIENCE {
                return Err(LogError::Missing { folder: folder.display().to_string() });
            }
            std::thread::sleep(LOOK_INTERVAL);
        };
        let seen = Seen { view: Arc::new(seen), own: false, looked: Instant::now(), end: None };
        let topic = Self {
            files,
            folder: folder.to_owned(),
            partitions,
            queue: Mutex::default(),
            wake: Condvar::new(),
            active: Mutex::new(None),
            view: Mutex::new(seen),
            starts: Mutex::default(),
            indexes: Mutex::default(),
            config: Mutex::new(config),
        };
        let asked = topic.config().partitions;
        topic.check_partitions(asked)?;
        Ok(topic)
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The operations on its files, for what lies beside the log.
    pub fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// The offset that the next durable record of each partition gets.
    pub fn end(&self) -> Result<Vec<u64>> {
        Ok(self.view()?.offsets.clone())
    }

    /// The first offset of each partition that there still is.
    pub fn earliest(&self) -> Result<Vec<u64>> {
        loop {
            let view = self.view()?;
            let Some(&first) = view.segments.first() else { return Ok(view.offsets.clone()) };
            match self.start_of(first) {
                Ok(start) => return Ok(start.offsets.clone()),
                // Deleted just now.
                Err(error) => self.look_again(&view, error)?,
            }
        }
    }

    /// Goes on where the log has changed meanwhile; if not, the error stands.
    pub(super) fn look_again(&self, seen: &View, error: LogError) -> Result<()> {
        let now = self.look(Duration::ZERO)?;
        if now.segments == seen.segments { Err(error) } else { Ok(()) }
    }

    pub(super) fn config(&self) -> Config {
        locked(&self.config).clone()
    }

    pub(super) fn shown(&self) -> String {
        self.folder.display().to_string()
    }

    fn check_partitions(&self, asked: Option<u32>) -> Result<()> {
        match asked {
            Some(asked) if asked != self.partitions => {
                Err(LogError::Partitions { folder: self.shown(), found: self.partitions, asked })
            }
            _ => Ok(()),
        }
    }

    /// What may be read now.
    pub(super) fn view(&self) -> Result<Arc<View>> {
        self.look(LOOK_INTERVAL)
    }

    fn look(&self, interval: Duration) -> Result<Arc<View>> {
        let mut seen = locked(&self.view);
        if seen.own || seen.looked.elapsed() < interval {
            return Ok(Arc::clone(&seen.view));
        }
        seen.looked = Instant::now();
        let end = End::read(self.files.as_ref(), &self.folder);
        if let Some(end) = end
            && seen.end.as_ref() != Some(&end)
        {
            seen.view = Arc::new(view_of(self.files.as_ref(), &self.folder, &end)?);
            seen.end = Some(end);
        } else {
            // Retention deletes without moving the end.
            let first = segments(self.files.as_ref(), &self.folder)?.into_iter().next();
            if let Some(first) = first
                && seen.view.segments.first().is_some_and(|&s| s < first)
            {
                let View { segments, position, offsets } = &*seen.view;
                let segments = segments.iter().copied().filter(|&s| s >= first).collect();
                let (position, offsets) = (*position, offsets.clone());
                seen.view = Arc::new(View { segments, position, offsets });
            }
        }
        Ok(Arc::clone(&seen.view))
    }

    /// The writer says what is durable.
    pub(super) fn show(&self, view: View) {
        let mut seen = locked(&self.view);
        seen.view = Arc::new(view);
        seen.own = true;
    }

    /// The header of a segment; it never changes.
    pub(super) fn start_of(&self, sequence: u64) -> Result<Arc<Start>> {
        if let Some(start) = locked(&self.starts).get(&sequence) {
            return Ok(Arc::clone(start));
        }
        let (start, _) = Start::read(self.files.as_ref(), &self.folder, sequence)?;
        let start = Arc::new(start);
        locked(&self.starts).insert(sequence, Arc::clone(&start));
        Ok(start)
    }

    /// The index of a complete segment, if there is one.
    pub(super) fn index_of(&self, sequence: u64) -> Option<Arc<Index>> {
        if let Some(index) = locked(&self.indexes).get(&sequence) {
            return Some(Arc::clone(index));
        }
        let index = Arc::new(Index::read(self.files.as_ref(), &self.folder, sequence)?);
        locked(&self.indexes).insert(sequence, Arc::clone(&index));
        Some(index)
    }

    /// Forgets what was read of a segment that is gone.
    pub(super) fn forget(&self, sequence: u64) {
        locked(&self.starts).remove(&sequence);
        locked(&self.indexes).remove(&sequence);
    }

    /// Takes the lock of the log, for as long as this process writes.
    pub(super) fn lock_for_writing(&self) -> Result<Box<dyn Guard>> {
        let started = Instant::now();
        loop {
            if let Some(guard) = lock(self.files.as_ref(), &self.folder)? {
                return Ok(guard);
            }
            if started.elapsed() > LOCK_PATIENCE {
                return Err(LogError::Locked { folder: self.shown() });
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

/// A mutex whose holders leave nothing half changed when they panic.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn lock(files: &dyn Files, folder: &Path) -> Result<Option<Box<dyn Guard>>> {
    let path = folder.join("lock");
    files.lock(&path).map_err(|e| io("lock", &path, e))
}

/// The number of partitions, which is written down if the log is new.
fn make(files: &dyn Files, folder: &Path, config: &Config) -> Result<u32> {
    if let Some(partitions) = read_topic(files, folder)? {
        return Ok(partitions);
    }
    let partitions = config.partitions.unwrap_or(1);
    replace(files, folder, TOPIC_NAME, &seal_topic(partitions))?;
    Ok(partitions)
}

/// Recovers a log that nobody writes, and says how far it is durable.
fn settle(files: &dyn Files, folder: &Path, partitions: u32, now: i64) -> Result<View> {
    let found = recover(files, folder, partitions, now)?;
    let end = End {
        segment: found.start.sequence,
        position: found.file.len(),
        clean: true,
        offsets: found.offsets,
    };
    publish(files, folder, &end)?;
    Ok(View { segments: found.segments, position: end.position, offsets: end.offsets })
}

/// Tells other processes how far the log is durable. Not synced: after a crash of the machine an
/// older end, or none, is found, and recovery looks for the true one.
pub(super) fn publish(files: &dyn Files, folder: &Path, end: &End) -> Result<()> {
    let (hidden, path) = (folder.join(".tmp-end"), folder.join(End::NAME));
    let _ = files.remove(&hidden);
    let written = files.create(&hidden).and_then(|mut file| {
        file.write(&end.seal())?;
        files.rename(&hidden, &path)
    });
    written.map_err(|e| io("write", &path, e))
}

fn view_of(files: &dyn Files, folder: &Path, end: &End) -> Result<View> {
    let mut segments = segments(files, folder)?;
    segments.retain(|&s| s <= end.segment);
    Ok(View { segments, position: end.position, offsets: end.offsets.clone() })
}
