//! Reading from an offset of each partition.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::batch::{self, Block, NoFrame};
use super::error::{LogError, Result};
use super::segment::{Mark, Start, Stop, Walk, file_name, io};
use super::topic::{Topic, View};

/// So much of a segment is read at once.
const CHUNK: u64 = 1 << 20;

/// Reads some partitions of a log, in the order in which they were written.
#[derive(Debug)]
pub struct LogReader {
    topic: Arc<Topic>,
    /// The next offset of each partition.
    next: BTreeMap<u32, u64>,
    /// The segment and the byte in it after the last frame that was looked at.
    at: Option<(u64, u64)>,
    buffer: Vec<u8>,
    done: usize,
    ready: VecDeque<Block>,
}

impl LogReader {
    /// A reader of some partitions from the given offsets on.
    pub fn new(topic: Arc<Topic>, next: BTreeMap<u32, u64>) -> Self {
        let (buffer, ready) = (Vec::new(), VecDeque::new());
        Self { topic, next, at: None, buffer, done: 0, ready }
    }

    /// The log.
    pub fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }

    /// The next durable records of one batch and partition, or `None` if there are none yet. Of
    /// the first block of a partition the records before the wanted offset are part, too.
    pub fn next(&mut self) -> Result<Option<Block>> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Ok(Some(block));
            }
            let view = self.topic.view()?;
            let Some((segment, position)) = self.at else {
                self.locate(&view)?;
                continue;
            };
            let Some(place) = view.segments.iter().position(|&s| s == segment) else {
                // Retention was faster, or the log is another one: look where we are.
                self.lose_place();
                self.locate(&view)?;
                continue;
            };
            let path = self.topic.folder.join(file_name(segment));
            let following = view.segments.get(place + 1).copied();
            let limit = match following {
                None => view.position,
                Some(_) => match self.topic.files.len(&path) {
                    Ok(len) => len,
                    Err(e) => {
                        self.topic.look_again(&view, io("read", &path, e))?;
                        continue;
                    }
                },
            };
            if position >= limit {
                let Some(following) = following else { return Ok(None) };
                let (_, first) =
                    match Start::read(self.topic.files.as_ref(), &self.topic.folder, following) {
                        Ok(found) => found,
                        Err(error) => {
                            self.topic.look_again(&view, error)?;
                            continue;
                        }
                    };
                self.lose_place();
                self.at = Some((following, first));
                continue;
            }
            self.advance(&view, segment, position, limit)?;
        }
    }

    fn lose_place(&mut self) {
        self.at = None;
        self.buffer.clear();
        self.done = 0;
    }

    /// Finds the segment, and a place in it, from which on all wanted records come.
    fn locate(&mut self, view: &View) -> Result<()> {
        for (&partition, &offset) in &self.next {
            let end = view.offsets.get(partition as usize).copied().unwrap_or(0);
            if offset > end {
                let folder = self.topic.shown();
                return Err(LogError::Beyond { folder, partition, offset, end });
            }
        }
        let wanted = self.next.clone();
        let is_before = |offsets: &[u64]| {
            wanted.iter().all(|(&p, &o)| offsets.get(p as usize).is_none_or(|&first| first <= o))
        };
        let mut place = None;
        for &segment in view.segments.iter().rev() {
            let start = match self.topic.start_of(segment) {
                Ok(start) => start,
                Err(error) => return self.topic.look_again(view, error),
            };
            if is_before(&start.offsets) {
                place = Some(segment);
                break;
            }
        }
        let Some(segment) = place else { return self.gone() };
        let before = |mark: &Mark| is_before(&mark.offsets);
        let marked = match self.topic.index_of_complete(view, segment) {
            Some(index) => index.last(before).map(|m| m.position),
            None => self.topic.active_mark(segment, &before),
        };
        let first = match marked {
            Some(position) => position,
            None => match Start::read(self.topic.files.as_ref(), &self.topic.folder, segment) {
                Ok((_, first)) => first,
                Err(error) => return self.topic.look_again(view, error),
            },
        };
        self.lose_place();
        self.at = Some((segment, first));
        Ok(())
    }

    fn gone(&self) -> Result<()> {
        let earliest = self.topic.earliest()?;
        for (&partition, &offset) in &self.next {
            let earliest = earliest.get(partition as usize).copied().unwrap_or(0);
            if offset < earliest {
                let folder = self.topic.shown();
                return Err(LogError::Gone { folder, partition, offset, earliest });
            }
        }
        // What was missing is there now: the caller looks again.
        Ok(())
    }

    /// Reads a part of a segment and takes what is ours out of it.
    fn advance(&mut self, view: &View, segment: u64, position: u64, limit: u64) -> Result<()> {
        let path = self.topic.folder.join(file_name(segment));
        let damaged = |position, reason: &str| LogError::Damaged {
            file: path.display().to_string(),
            position,
            reason: reason.to_owned(),
        };
        let mut position = position;
        loop {
            match batch::frame(&self.buffer[self.done..]) {
                Ok(frame) if position + frame.bytes as u64 > limit => {
                    return Err(damaged(position, "a batch ends behind the end of the log"));
                }
                Ok(frame) => {
                    let Some(sections) = frame.sections() else {
                        return Err(damaged(position, "a batch holds no records that fit it"));
                    };
                    for section in &sections {
                        if let Some(next) = self.next.get_mut(&section.partition)
                            && *next < section.end()
                        {
                            *next = section.end();
                            self.ready.push_back(section.to_block(frame.head.time));
                        }
                    }
                    position += frame.bytes as u64;
                    self.done += frame.bytes;
                    self.at = Some((segment, position));
                    if !self.ready.is_empty() || position >= limit {
                        return Ok(());
                    }
                }
                Err(NoFrame::Broken(reason)) => return Err(damaged(position, reason)),
                Err(NoFrame::Short(needed)) => {
                    if position + needed as u64 > limit {
                        return Err(damaged(position, "the log ends within a batch"));
                    }
                    if !self.fill(view, segment, position, needed, limit)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads more of a segment; `false` if it was deleted meanwhile.
    fn fill(
        &mut self,
        view: &View,
        segment: u64,
        position: u64,
        needed: usize,
        limit: u64,
    ) -> Result<bool> {
        let path = self.topic.folder.join(file_name(segment));
        self.buffer.drain(..self.done);
        self.done = 0;
        let have = self.buffer.len() as u64;
        let from = position + have;
        let range: Range<u64> = from..limit.min(from + CHUNK.max(needed as u64));
        match self.topic.files.read_range(&path, range) {
            Ok(read) if !read.is_empty() => {
                self.buffer.extend_from_slice(&read);
                Ok(true)
            }
            Ok(_) => Err(LogError::Damaged {
                file: path.display().to_string(),
                position: from,
                reason: "the file is shorter than what was acknowledged".into(),
            }),
            Err(e) => {
                self.topic.look_again(view, io("read", &path, e))?;
                self.lose_place();
                Ok(false)
            }
        }
    }
}

impl Topic {
    /// The index of a segment that is not the last one.
    fn index_of_complete(&self, view: &View, segment: u64) -> Option<Arc<super::segment::Index>> {
        (view.segments.last() != Some(&segment)).then(|| self.index_of(segment)).flatten()
    }

    /// The first offset of each partition whose record was written at `time` or later; the end
    /// where there is none.
    pub fn offsets_at(&self, time: i64) -> Result<Vec<u64>> {
        let view = self.view()?;
        let mut found: Vec<Option<u64>> = vec![None; self.partitions as usize];
        // All segments that begin before the time; only the last of them can hold the first record.
        let mut from = 0;
        for (place, &segment) in view.segments.iter().enumerate() {
            if self.start_of(segment)?.time < time {
                from = place;
            }
        }
        for (place, &segment) in view.segments.iter().enumerate().skip(from) {
            let (_, first) = Start::read(self.files.as_ref(), &self.folder, segment)?;
            let before = |mark: &Mark| mark.time < time;
            let index = self.index_of_complete(&view, segment);
            let first = index.and_then(|i| i.last(before).map(|m| m.position)).unwrap_or(first);
            let path = self.folder.join(file_name(segment));
            let limit = match view.segments.get(place + 1) {
                None => view.position,
                Some(_) => self.files.len(&path).map_err(|e| io("read", &path, e))?,
            };
            let mut walk = Walk::new(self.files.as_ref(), path.clone(), first, limit);
            let mut see = |frame: &batch::Frame<'_>| {
                if frame.head.time < time {
                    return;
                }
                for section in frame.sections().unwrap_or_default() {
                    if let Some(found) = found.get_mut(section.partition as usize) {
                        found.get_or_insert(section.first);
                    }
                }
            };
            loop {
                match walk.next(&mut see) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(Stop::Failed(error)) => return Err(error),
                    Err(Stop::NoFrame(reason)) => {
                        return Err(LogError::Damaged {
                            file: path.display().to_string(),
                            position: walk.position,
                            reason: reason.into(),
                        });
                    }
                }
            }
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        let ends = view.offsets.iter();
        Ok(found.iter().zip(ends).map(|(found, end)| found.unwrap_or(*end)).collect())
    }
}
