//! The rows of an epoch that is not committed, in a file beside the log.
//!
//! A sink's rows belong to an epoch, and become visible with it. Until then they are here: synced
//! when the epoch is prepared, copied into the log when it is committed, and removed. What a
//! restart needs to commit a prepared epoch is a [`Staged`], which is kept in the checkpoint.

use std::io;
use std::path::Path;

use rialto_storage::SafeFile;
use rialto_storage::log::{Batch, LogError, Pressure, Producer, Topic};
use serde::{Deserialize, Serialize};

/// So much is gathered before it is written.
const PART_BYTES: usize = 1 << 20;

/// The rows of a prepared epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Staged {
    /// The run that wrote it: another one each time a sink starts, in hexadecimal.
    pub run: String,
    /// The epoch.
    pub epoch: u64,
    /// The file in the log's folder.
    file: String,
    /// How many batches are in it.
    parts: u32,
    /// Its length.
    bytes: u64,
}

/// A file that rows are being written to.
#[derive(Debug)]
pub(super) struct Stage {
    name: String,
    file: SafeFile,
    parts: u32,
}

/// The name of a stage; `sink` and `run` tell whose it is.
fn file_name(sink: &str, run: &str, number: u64) -> String {
    format!("{}-{run}-{number}.rows", prefix(sink))
}

fn prefix(sink: &str) -> String {
    format!("staged-{sink}")
}

impl Stage {
    pub fn create(topic: &Topic, sink: &str, run: &str, number: u64) -> io::Result<Self> {
        let name = file_name(sink, run, number);
        let file = topic.files().create(&topic.folder().join(&name))?;
        Ok(Self { name, file: SafeFile::new(file, 0), parts: 0 })
    }

    /// Adds a batch.
    pub fn add(&mut self, topic: &Topic, batch: &Batch) -> Result<(), LogError> {
        let mut bytes = Vec::with_capacity(batch.bytes());
        batch.write(topic.partitions(), &mut bytes)?;
        self.file.write(&bytes).map_err(|e| broken("write", &self.name, e))?;
        self.parts += 1;
        Ok(())
    }

    /// Makes the rows durable, as those of an epoch.
    pub fn prepare(mut self, topic: &Topic, run: &str, epoch: u64) -> Result<Staged, LogError> {
        self.file.sync().map_err(|e| broken("sync", &self.name, e))?;
        let synced = topic.files().sync_folder(topic.folder());
        synced.map_err(|e| broken("sync", &self.name, e))?;
        let (parts, bytes) = (self.parts, self.file.len());
        Ok(Staged { run: run.to_owned(), epoch, file: self.name, parts, bytes })
    }
}

impl Staged {
    fn producer(&self, part: u32) -> Option<Producer> {
        let id = u128::from_str_radix(&self.run, 16).ok()?.to_le_bytes();
        Some(Producer { id, epoch: self.epoch, part })
    }

    /// Brings the rows into the log, those that are not there, and removes the file.
    pub fn commit(&self, topic: &Topic) -> Result<(), LogError> {
        let Some(last) = self.parts.checked_sub(1) else { return Ok(()) };
        let damaged = |position, reason: &str| LogError::Damaged {
            file: topic.folder().join(&self.file).display().to_string(),
            position,
            reason: reason.to_owned(),
        };
        let nobody = || damaged(0, "the checkpoint names no run that can have written it");
        if topic.has(self.producer(last).ok_or_else(nobody)?)? {
            return remove(topic, &self.file);
        }
        let path = topic.folder().join(&self.file);
        let files = topic.files();
        let len = files.len(&path).map_err(|e| broken("read", &self.file, e))?;
        if len != self.bytes {
            return Err(damaged(len, "it has not the length that was prepared"));
        }
        let mut position = 0;
        let mut tickets = Vec::new();
        let mut wanted = 2 * PART_BYTES as u64;
        for part in 0..self.parts {
            let (mut batch, bytes) = loop {
                let range = position..len.min(position + wanted);
                let read = files.read_range(&path, range.clone());
                let read = read.map_err(|e| broken("read", &self.file, e))?;
                match Batch::read(&read) {
                    Some(found) => break found,
                    None if range.end < len => wanted *= 2,
                    None => return Err(damaged(position, "it holds no whole batch")),
                }
            };
            position += bytes as u64;
            batch.producer = self.producer(part).ok_or_else(nobody)?;
            // Several are on their way at once: one fsync for all of them.
            tickets.push(topic.append(batch, Pressure::Wait)?);
        }
        for ticket in &tickets {
            topic.wait(ticket)?;
        }
        remove(topic, &self.file)
    }
}

/// Removes the files of a sink's epochs that never will be committed: all but those of `run`.
pub(super) fn sweep(topic: &Topic, sink: &str, run: &str) -> io::Result<()> {
    for entry in topic.files().list(topic.folder())? {
        if run_of(&entry.name, sink).is_some_and(|found| found != run) {
            topic.files().remove(&topic.folder().join(&entry.name))?;
        }
    }
    Ok(())
}

/// The run that a sink's file is of.
fn run_of<'n>(name: &'n str, sink: &str) -> Option<&'n str> {
    let rest = name.strip_prefix(&prefix(sink))?.strip_prefix('-')?.strip_suffix(".rows")?;
    let (run, number) = rest.split_once('-')?;
    (run.len() == 32 && number.bytes().all(|b| b.is_ascii_digit())).then_some(run)
}

fn remove(topic: &Topic, name: &str) -> Result<(), LogError> {
    match topic.files().remove(&topic.folder().join(name)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(broken("remove", name, e)),
        _ => Ok(()),
    }
}

fn broken(action: &'static str, name: &str, error: io::Error) -> LogError {
    rialto_storage::StorageError::io(action, name, error).into()
}

/// Whether a batch is large enough to be written.
pub(super) fn is_full(batch_bytes: usize) -> bool {
    batch_bytes >= PART_BYTES
}

/// A path for messages.
pub(super) fn shown(folder: &Path) -> String {
    folder.display().to_string()
}
