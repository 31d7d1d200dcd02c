//! A file of batches: its name, its header, its index.

use std::path::{Path, PathBuf};

use super::batch::{self, Frame, NoFrame, Producer};
use super::error::{LogError, Result};
use crate::error::StorageError;
use crate::files::Files;
use crate::frame::{self, HEADER_BYTES, Kind};

const SEGMENT: Kind = Kind { tag: *b"LOGS", what: "segment of a log", version: 1 };
const INDEX: Kind = Kind { tag: *b"LOGX", what: "index of a segment", version: 1 };
const END: Kind = Kind { tag: *b"LOGE", what: "end of a log", version: 1 };
const TOPIC: Kind = Kind { tag: *b"LOGT", what: "log", version: 1 };

/// The index has an entry for about so many bytes.
const STRIDE: u64 = 128 << 10;
/// So much of a file is read at once.
const CHUNK: u64 = 1 << 20;

/// Where a segment begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// The sequence of its first batch.
    pub sequence: u64,
    /// The time of the last batch before it.
    pub time: i64,
    /// The offset that the next record of each partition gets.
    pub offsets: Vec<u64>,
    /// The last part of the last epoch of each producer that wrote lately.
    pub producers: Vec<Producer>,
}

/// An entry of the index: what is true just before a byte of the segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub position: u64,
    pub sequence: u64,
    pub time: i64,
    pub offsets: Vec<u64>,
}

/// How far a log is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The sequence that names the last segment.
    pub segment: u64,
    /// The byte in it after the last durable batch.
    pub position: u64,
    /// Whether nothing was on its way when this was written.
    pub clean: bool,
    /// The offset that the next record of each partition gets.
    pub offsets: Vec<u64>,
}

pub(super) fn file_name(sequence: u64) -> String {
    format!("{sequence:020}.log")
}

pub(super) fn index_name(sequence: u64) -> String {
    format!("{sequence:020}.idx")
}

/// The sequence that a segment's file is named by.
pub(super) fn sequence_of(name: &str) -> Option<u64> {
    name.strip_suffix(".log").filter(|n| n.len() == 20)?.parse().ok()
}

pub(super) fn io(action: &'static str, path: &Path, error: std::io::Error) -> LogError {
    StorageError::io(action, path.display().to_string(), error).into()
}

/// The sequences of the segments in a folder, in order.
pub(super) fn segments(files: &dyn Files, folder: &Path) -> Result<Vec<u64>> {
    let entries = files.list(folder).map_err(|e| io("list", folder, e))?;
    let mut found: Vec<u64> = entries.iter().filter_map(|e| sequence_of(&e.name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// Numbers written one after the other.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn long(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn longs(&mut self, values: &[u64]) {
        self.long(values.len() as u64);
        values.iter().for_each(|&v| self.long(v));
    }
}

/// Numbers read in the order in which they were written. Answers `None` where they end: the
/// checksum was right, so that only another program can have written them.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn long(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn longs(&mut self) -> Option<Vec<u64>> {
        let count = self.long()?;
        if count > self.0.len() as u64 / 8 {
            return None;
        }
        (0..count).map(|_| self.long()).collect()
    }
}

impl Start {
    /// The bytes that a segment starts with.
    pub fn seal(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.long(self.sequence);
        out.long(self.time as u64);
        out.longs(&self.offsets);
        out.long(self.producers.len() as u64);
        for producer in &self.producers {
            out.0.extend_from_slice(&producer.id);
            out.long(producer.epoch);
            out.long(u64::from(producer.part));
        }
        frame::seal(SEGMENT, &file_name(self.sequence), &out.0)
    }

    /// Reads a segment's header; answers where the first batch is, too.
    pub fn read(files: &dyn Files, folder: &Path, sequence: u64) -> Result<(Self, u64)> {
        let name = file_name(sequence);
        let path = folder.join(&name);
        let read = |range| files.read_range(&path, range).map_err(|e| io("read", &path, e));
        let mut bytes = read(0..4096)?;
        // Where the file is longer than a header can be, it is the header that says its length.
        if let Some(length) = bytes.get(16..20).and_then(|b| <[u8; 4]>::try_from(b).ok()) {
            let whole = HEADER_BYTES as u64 + u64::from(u32::from_le_bytes(length));
            if whole > bytes.len() as u64 {
                bytes = read(0..whole)?;
            }
            bytes.truncate(usize::try_from(whole).unwrap_or(usize::MAX));
        }
        let opened = frame::open(SEGMENT, &name, &bytes).map_err(StorageError::from)?;
        let start = Self::parse(opened.payload).filter(|s| s.sequence == sequence);
        let start = start.ok_or_else(|| LogError::Damaged {
            file: path.display().to_string(),
            position: 0,
            reason: "its header says nothing that fits".into(),
        })?;
        Ok((start, bytes.len() as u64))
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let mut numbers = Numbers(payload);
        let (sequence, time) = (numbers.long()?, numbers.long()? as i64);
        let offsets = numbers.longs()?;
        let count = numbers.long()?;
        let mut producers = Vec::new();
        for _ in 0..count {
            let (id, epoch) = (numbers.bytes()?, numbers.long()?);
            producers.push(Producer { id, epoch, part: u32::try_from(numbers.long()?).ok()? });
        }
        Some(Self { sequence, time, offsets, producers })
    }
}

/// Takes an index along while batches are written or read.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    marks: Vec<Mark>,
}

impl Index {
    /// Marks a place, if the last mark is far enough back.
    pub fn note(&mut self, mark: impl FnOnce() -> Mark, position: u64) {
        if self.marks.last().is_none_or(|last| position >= last.position + STRIDE) {
            self.marks.push(mark());
        }
    }

    /// The last mark for which `before` is true: it is true of all marks before, too.
    pub fn last(&self, before: impl Fn(&Mark) -> bool) -> Option<&Mark> {
        let count = self.marks.partition_point(before);
        count.checked_sub(1).map(|last| &self.marks[last])
    }

    pub fn seal(&self, sequence: u64) -> Vec<u8> {
        let mut out = Writer::default();
        for mark in &self.marks {
            out.long(mark.position);
            out.long(mark.sequence);
            out.long(mark.time as u64);
            out.longs(&mark.offsets);
        }
        frame::seal(INDEX, &index_name(sequence), &out.0)
    }

    /// The index of a complete segment, if there is a whole one.
    pub fn read(files: &dyn Files, folder: &Path, sequence: u64) -> Option<Self> {
        let name = index_name(sequence);
        let bytes = files.read(&folder.join(&name)).ok()?;
        let mut numbers = Numbers(frame::open(INDEX, &name, &bytes).ok()?.payload);
        let mut marks = Vec::new();
        while !numbers.0.is_empty() {
            let (position, sequence) = (numbers.long()?, numbers.long()?);
            let time = numbers.long()? as i64;
            marks.push(Mark { position, sequence, time, offsets: numbers.longs()? });
        }
        Some(Self { marks })
    }
}

impl End {
    pub const NAME: &'static str = "end";

    pub fn seal(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.long(self.segment);
        out.long(self.position);
        out.long(u64::from(self.clean));
        out.longs(&self.offsets);
        frame::seal(END, Self::NAME, &out.0)
    }

    /// What was written last, if it is whole: nobody syncs it.
    pub fn read(files: &dyn Files, folder: &Path) -> Option<Self> {
        let bytes = files.read(&folder.join(Self::NAME)).ok()?;
        let mut numbers = Numbers(frame::open(END, Self::NAME, &bytes).ok()?.payload);
        let (segment, position) = (numbers.long()?, numbers.long()?);
        let clean = numbers.long()? == 1;
        Some(Self { segment, position, clean, offsets: numbers.longs()? })
    }
}

/// The file that says how many partitions there are.
pub(super) const TOPIC_NAME: &str = "topic";

pub(super) fn seal_topic(partitions: u32) -> Vec<u8> {
    let mut out = Writer::default();
    out.long(u64::from(partitions));
    frame::seal(TOPIC, TOPIC_NAME, &out.0)
}

/// The number of partitions of a log; `None` where there is no log.
pub(super) fn read_topic(files: &dyn Files, folder: &Path) -> Result<Option<u32>> {
    let path = folder.join(TOPIC_NAME);
    let bytes = match files.read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io("read", &path, e)),
    };
    let opened = frame::open(TOPIC, TOPIC_NAME, &bytes).map_err(StorageError::from)?;
    let partitions = Numbers(opened.payload).long().and_then(|p| u32::try_from(p).ok());
    partitions.filter(|p| *p > 0).map(Some).ok_or_else(|| LogError::Damaged {
        file: path.display().to_string(),
        position: 0,
        reason: "it does not say how many partitions there are".into(),
    })
}

/// Walks over the frames of a part of a segment's file.
pub(super) struct Walk<'f> {
    files: &'f dyn Files,
    path: PathBuf,
    /// The byte after the last frame.
    pub position: u64,
    limit: u64,
    buffer: Vec<u8>,
    /// How much of the buffer is done with.
    done: usize,
}

/// Why a walk has ended before its limit.
pub(super) enum Stop {
    /// What stands there is no frame, or not all of one.
    NoFrame(&'static str),
    /// It could not be read.
    Failed(LogError),
}

impl<'f> Walk<'f> {
    /// Walks from one byte of a segment to another.
    pub fn new(files: &'f dyn Files, path: PathBuf, from: u64, limit: u64) -> Self {
        Self { files, path, position: from, limit, buffer: Vec::new(), done: 0 }
    }

    /// Shows the next frame to `see`; `false` at the limit.
    pub fn next(&mut self, see: &mut dyn FnMut(&Frame<'_>)) -> Result<bool, Stop> {
        if self.position >= self.limit {
            return Ok(false);
        }
        loop {
            match batch::frame(&self.buffer[self.done..]) {
                Ok(found) => {
                    see(&found);
                    let bytes = found.bytes;
                    self.position += bytes as u64;
                    self.done += bytes;
                    return Ok(true);
                }
                Err(NoFrame::Broken(reason)) => return Err(Stop::NoFrame(reason)),
                Err(NoFrame::Short(needed)) => self.fill(needed)?,
            }
        }
    }

    fn fill(&mut self, needed: usize) -> Result<(), Stop> {
        let have = (self.buffer.len() - self.done) as u64;
        let from = self.position + have;
        let wanted = CHUNK.max((needed as u64).saturating_sub(have));
        let to = self.limit.min(from + wanted);
        if self.position + needed as u64 > self.limit {
            return Err(Stop::NoFrame("the file ends within it"));
        }
        let read = self.files.read_range(&self.path, from..to);
        let read = read.map_err(|e| Stop::Failed(io("read", &self.path, e)))?;
        if read.is_empty() {
            return Err(Stop::NoFrame("the file ends within it"));
        }
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(&read);
        Ok(())
    }
}
