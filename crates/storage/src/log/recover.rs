//! Opening a log for writing: what is whole is kept, a torn tail is cut off.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::Path;

use super::batch::Producer;
use super::error::{LogError, Result};
use super::ids::{IdWindow, Ids};
use super::segment::{
    self, End, Index, Mark, Start, Stop, Walk, file_name, index_name, io, segments,
};
use crate::files::{Files, SafeFile};

/// A file that is written under this name is not there yet.
const HIDDEN: &str = ".tmp-";
/// So many producers are remembered.
pub(super) const PRODUCERS_MAX: usize = 256;

/// A log, ready to be appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub file: SafeFile,
    /// The header of the segment that is written.
    pub start: Start,
    /// The sequence of the next batch.
    pub sequence: u64,
    /// The time of the last batch.
    pub time: i64,
    /// The offset that the next record of each partition gets.
    pub offsets: Vec<u64>,
    pub producers: VecDeque<Producer>,
    pub index: Index,
    /// The sequences that name the segments, in order; the last one is written.
    pub segments: Vec<u64>,
}

/// Notes that a producer wrote; it is the one that was seen last.
pub(super) fn note_producer(producers: &mut VecDeque<Producer>, producer: Producer) {
    if producer.id == [0; 16] {
        return;
    }
    producers.retain(|p| p.id != producer.id);
    producers.push_back(producer);
    if producers.len() > PRODUCERS_MAX {
        producers.pop_front();
    }
}

/// Makes a file of a name at once: hidden, synced, renamed, its folder synced. A failed sync is
/// [`LogError::Poisoned`].
pub(super) fn replace(files: &dyn Files, folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let (hidden, path) = (folder.join(format!("{HIDDEN}{name}")), folder.join(name));
    let poisoned = |e: std::io::Error| LogError::Poisoned {
        folder: folder.display().to_string(),
        reason: format!("{}: {e}", path.display()),
    };
    match files.remove(&hidden) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(io("write", &hidden, e)),
        _ => {}
    }
    let written = files.create(&hidden).and_then(|mut file| file.write(bytes).map(|()| file));
    let mut file = written.map_err(|e| io("write", &path, e))?;
    file.sync().map_err(poisoned)?;
    files.rename(&hidden, &path).map_err(|e| io("write", &path, e))?;
    files.sync_folder(folder).map_err(poisoned)
}

/// Opens the last segment of a log whose lock is held; makes the first where there is none.
pub(super) fn recover(
    files: &dyn Files,
    folder: &Path,
    partitions: u32,
    now: i64,
) -> Result<Recovered> {
    clean(files, folder)?;
    let end = End::read(files, folder);
    let found = segments(files, folder)?;
    let Some(&last) = found.last() else {
        let offsets = vec![0; partitions as usize];
        let start = Start { sequence: 0, time: now, offsets, producers: Vec::new() };
        let file = create(files, folder, &start)?;
        return Ok(Recovered {
            file,
            sequence: 0,
            time: now,
            offsets: start.offsets.clone(),
            producers: VecDeque::new(),
            index: Index::default(),
            segments: vec![0],
            start,
        });
    };
    let (start, first) = Start::read(files, folder, last)?;
    let path = folder.join(file_name(last));
    let len = files.len(&path).map_err(|e| io("read", &path, e))?;
    let mut tail = Tail::new(&start);
    let (position, broken) = tail.walk(files, folder, first, len)?;
    let end = end.filter(|end| end.segment == last);
    if let (Some(end), Some(reason)) = (&end, broken)
        && end.position > position
    {
        return Err(LogError::Damaged {
            file: path.display().to_string(),
            position,
            reason: format!(
                "{reason}, but {} bytes behind it were acknowledged; to go on without them, \
                 remove the file '{}' beside it",
                end.position - position,
                End::NAME
            ),
        });
    }
    if !end.is_some_and(|end| end.clean && end.position == len && position == len) {
        // What an fsync failed for may be read and still not be on the disk.
        let whole = files.read_range(&path, 0..position).map_err(|e| io("read", &path, e))?;
        replace(files, folder, &file_name(last), &whole)?;
    }
    let file = files.append(&path).map_err(|e| io("open", &path, e))?;
    Ok(Recovered {
        file: SafeFile::new(file, position),
        start,
        sequence: tail.sequence,
        time: tail.time,
        offsets: tail.offsets,
        producers: tail.producers,
        index: tail.index,
        segments: found,
    })
}

/// Makes an empty segment, durably.
pub(super) fn create(files: &dyn Files, folder: &Path, start: &Start) -> Result<SafeFile> {
    let name = file_name(start.sequence);
    let bytes = start.seal();
    replace(files, folder, &name, &bytes)?;
    let path = folder.join(name);
    let file = files.append(&path).map_err(|e| io("open", &path, e))?;
    Ok(SafeFile::new(file, bytes.len() as u64))
}

/// Removes what a crash left half made, and makes the names durable that are seen.
fn clean(files: &dyn Files, folder: &Path) -> Result<()> {
    for entry in files.list(folder).map_err(|e| io("list", folder, e))? {
        if entry.name.starts_with(HIDDEN) && !entry.is_folder {
            let path = folder.join(&entry.name);
            files.remove(&path).map_err(|e| io("remove", &path, e))?;
        }
    }
    files.sync_folder(folder).map_err(|e| io("sync", folder, e))
}

/// What is learnt from the batches of a segment.
struct Tail {
    segment: u64,
    sequence: u64,
    time: i64,
    offsets: Vec<u64>,
    producers: VecDeque<Producer>,
    index: Index,
}

impl Tail {
    fn new(start: &Start) -> Self {
        Self {
            segment: start.sequence,
            sequence: start.sequence,
            time: start.time,
            offsets: start.offsets.clone(),
            producers: start.producers.iter().copied().collect(),
            index: Index::default(),
        }
    }

    /// Reads batches up to `len`; answers where they end, and why before the end of the file.
    fn walk(
        &mut self,
        files: &dyn Files,
        folder: &Path,
        from: u64,
        len: u64,
    ) -> Result<(u64, Option<&'static str>)> {
        let mut walk = Walk::new(files, folder.join(file_name(self.segment)), from, len);
        loop {
            let position = walk.position;
            let mut fits = true;
            let read = walk.next(&mut |frame| {
                let sections = frame.sections().filter(|_| frame.head.sequence == self.sequence);
                let Some(sections) = sections else {
                    fits = false;
                    return;
                };
                let mark = Mark {
                    position,
                    sequence: self.sequence,
                    time: self.time,
                    offsets: self.offsets.clone(),
                };
                self.index.note(|| mark, position);
                for section in sections {
                    if let Some(next) = self.offsets.get_mut(section.partition as usize) {
                        *next = section.end();
                    }
                }
                self.sequence += 1;
                self.time = frame.head.time;
                note_producer(&mut self.producers, frame.head.producer);
            });
            match read {
                Ok(true) if fits => {}
                Ok(true) => return Ok((position, Some("it holds a batch of another place"))),
                Ok(false) => return Ok((position, None)),
                Err(Stop::NoFrame(reason)) => return Ok((position, Some(reason))),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
    }
}

/// Keeps the index of a complete segment. Without one readers begin at the segment's start, so that
/// nobody waits for it.
pub(super) fn keep_index(files: &dyn Files, folder: &Path, sequence: u64, index: &Index) {
    let path = folder.join(index_name(sequence));
    let _ = files.remove(&path);
    let written = files.create(&path).and_then(|mut file| file.write(&index.seal(sequence)));
    if written.is_err() {
        let _ = files.remove(&path);
    }
}

/// Reads the ids of the window, newest segment first.
pub(super) fn load_ids(
    files: &dyn Files,
    folder: &Path,
    segments: &[u64],
    window: IdWindow,
    now: i64,
) -> Result<Ids> {
    let since = now.saturating_sub(window.milliseconds);
    let mut found: Vec<(i64, Vec<u128>)> = Vec::new();
    let mut count = 0;
    for &sequence in segments.iter().rev() {
        let mut of_segment = Vec::new();
        let (start, first) = Start::read(files, folder, sequence)?;
        let path = folder.join(segment::file_name(sequence));
        let len = files.len(&path).map_err(|e| io("read", &path, e))?;
        let mut walk = Walk::new(files, path, first, len);
        let mut see = |frame: &super::batch::Frame<'_>| {
            if frame.head.time >= since {
                let sections = frame.sections().unwrap_or_default();
                let ids: Vec<u128> = sections.iter().flat_map(|s| s.ids()).collect();
                of_segment.push((frame.head.time, ids));
            }
        };
        // Recovery has seen to the last segment; in others a broken batch is the readers' error.
        while matches!(walk.next(&mut see), Ok(true)) {}
        count += of_segment.iter().map(|(_, ids)| ids.len()).sum::<usize>();
        of_segment.reverse();
        found.append(&mut of_segment);
        if count >= window.count_max || start.time < since {
            break;
        }
    }
    let mut ids = Ids::default();
    for (time, batch) in found.into_iter().rev() {
        ids.insert(time, batch);
    }
    ids.forget(window, now);
    Ok(ids)
}
