//! The files of a table, shared by its readers: handed out in name order, cut where that helps.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::compression::Compression;
use super::paths::{FoundFile, Location};

/// A plain file of one record a line is cut into pieces of this size, so that two readers share it.
pub(super) const SPLIT_BYTES: u64 = 32 << 20;

/// A file, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub file: FoundFile,
    /// The records whose first byte is in `start..end` belong to the split.
    pub start: u64,
    /// Where the next split starts; `None` for the last one of a file.
    pub end: Option<u64>,
}

/// What is left to read.
#[derive(Debug)]
pub(super) struct Queue {
    location: Location,
    pending: VecDeque<Split>,
    known: HashSet<PathBuf>,
    /// How often to look for new files; `None` for a bounded table.
    interval: Option<Duration>,
    listed: Option<Instant>,
    split_bytes: Option<u64>,
}

impl Queue {
    /// `split_bytes` is the size of pieces, where files of the format can be cut.
    pub fn new(
        location: Location,
        interval: Option<Duration>,
        split_bytes: Option<u64>,
    ) -> rialto_engine::Result<Self> {
        let mut queue = Self {
            location,
            pending: VecDeque::new(),
            known: HashSet::new(),
            interval,
            listed: None,
            split_bytes,
        };
        queue.list()?;
        Ok(queue)
    }

    pub fn is_bounded(&self) -> bool {
        self.interval.is_none()
    }

    fn list(&mut self) -> rialto_engine::Result<()> {
        self.listed = Some(Instant::now());
        for file in self.location.files()? {
            // In a folder that is watched it may be about to be written: it is looked at again.
            if file.size == 0 && self.interval.is_some() {
                continue;
            }
            if self.known.insert(file.path.clone()) {
                self.cut(file);
            }
        }
        Ok(())
    }

    fn cut(&mut self, file: FoundFile) {
        // A file that cannot be read is one piece: the reader that opens it says what is wrong.
        let plain = || matches!(Compression::of(&file.path), Ok(Compression::None));
        let Some(piece) = self.split_bytes.filter(|piece| file.size > *piece && plain()) else {
            self.pending.push_back(Split { file, start: 0, end: None });
            return;
        };
        let mut start = 0;
        while file.size - start > piece {
            let end = Some(start + piece);
            self.pending.push_back(Split { file: file.clone(), start, end });
            start += piece;
        }
        self.pending.push_back(Split { file, start, end: None });
    }

    /// The next split to read, looking for new files where the table is watched.
    pub fn next(&mut self) -> rialto_engine::Result<Option<Split>> {
        if self.pending.is_empty()
            && let Some(interval) = self.interval
            && self.listed.is_none_or(|at| at.elapsed() >= interval)
        {
            self.list()?;
        }
        Ok(self.pending.pop_front())
    }

    /// Takes a split out, because it was read before or because a reader goes on with it.
    pub fn remove(&mut self, path: &PathBuf, start: u64) {
        self.known.insert(path.clone());
        self.pending.retain(|s| s.start != start || &s.file.path != path);
    }
}
