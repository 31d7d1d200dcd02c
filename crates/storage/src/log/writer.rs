//! Writing: one fsync for all who wait, the next segment, retention.
//!
//! Producers put batches into a queue. The first one that waits becomes the leader: it takes all
//! that is queued, writes it, syncs, and answers everyone. Who comes meanwhile waits for the next
//! round. No thread is needed, and under load a round grows by itself.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard, OnceLock};

use super::batch::{Batch, Producer};
use super::error::{LogError, Result};
use super::ids::{IdWindow, Ids, Known};
use super::recover::{create, keep_index, load_ids, note_producer, recover};
use super::segment::{End, Index, Mark, Start, file_name, index_name, io};
use super::topic::{Topic, View, locked, publish};
use crate::files::{Guard, SafeFile};

/// What became of a batch.
pub(super) type Outcome = Arc<OnceLock<Result<Appended>>>;

/// A batch is in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record of each partition that the batch has records of.
    pub first: Vec<(u32, u64)>,
    /// The batch was there already: its producer has written it before.
    pub repeated: bool,
}

/// What to do when too much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Answer [`LogError::Busy`].
    Refuse,
    /// Wait for room.
    Wait,
}

/// Batches that were queued; [`Topic::wait`] writes them.
#[derive(Debug)]
#[must_use = "a batch is written by the one who waits for it"]
pub struct Ticket {
    own: Outcome,
    /// Batches of others with events that this one repeats.
    others: Vec<Outcome>,
    /// How many records were left out because their event was taken before.
    pub duplicates: usize,
}

#[derive(Debug)]
struct Pending {
    batch: Batch,
    ids: Vec<u128>,
    outcome: Outcome,
}

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pending: Vec<Pending>,
    /// How many bytes wait or are being written.
    bytes: usize,
    leader: bool,
    ids: Ids,
    /// Why nothing is taken any more.
    poison: Option<String>,
}

/// What the writer knows.
#[derive(Debug)]
pub(super) struct Active {
    file: SafeFile,
    start: Start,
    sequence: u64,
    time: i64,
    offsets: Vec<u64>,
    producers: VecDeque<Producer>,
    index: Index,
    segments: Vec<u64>,
    /// Freed last.
    _guard: Box<dyn Guard>,
}

impl Topic {
    /// Becomes the writer of the log, if this process is not: takes the lock, cuts off what is torn
    /// and reads the ids of the window.
    pub fn open_for_writing(&self) -> Result<()> {
        self.writer().map(drop)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Option<Active>>> {
        let mut active = locked(&self.active);
        if active.is_some() {
            return Ok(active);
        }
        let guard = self.lock_for_writing()?;
        let found =
            recover(self.files.as_ref(), &self.folder, self.partitions, (self.config().clock)())?;
        let writer = Active {
            file: found.file,
            start: found.start,
            sequence: found.sequence,
            time: found.time,
            offsets: found.offsets,
            producers: found.producers,
            index: found.index,
            segments: found.segments,
            _guard: guard,
        };
        self.load_ids(&writer)?;
        self.announce(&writer, false)?;
        *active = Some(writer);
        Ok(active)
    }

    fn load_ids(&self, writer: &Active) -> Result<()> {
        let config = self.config();
        let Some(window) = config.ids else { return Ok(()) };
        let (files, now) = (self.files.as_ref(), (config.clock)());
        locked(&self.queue).ids = load_ids(files, &self.folder, &writer.segments, window, now)?;
        Ok(())
    }

    /// Remembers ids from now on.
    pub(super) fn remember_ids(&self, window: Option<IdWindow>) -> Result<()> {
        let before = std::mem::replace(&mut locked(&self.config).ids, window);
        match &*locked(&self.active) {
            Some(writer) if before.is_none() => self.load_ids(writer),
            _ => Ok(()),
        }
    }

    /// Queues a batch. Nothing is written before [`wait`](Self::wait).
    pub fn append(&self, batch: Batch, pressure: Pressure) -> Result<Ticket> {
        self.append_unique(batch.bytes(), &[], pressure, |_| batch)
    }

    /// Queues the records whose ids are new: `build` makes the batch of those that are marked. An
    /// id of zero is always new. `bytes` is about the size of the whole.
    pub fn append_unique(
        &self,
        bytes: usize,
        ids: &[u128],
        pressure: Pressure,
        build: impl FnOnce(&[bool]) -> Batch,
    ) -> Result<Ticket> {
        let mut queue = locked(&self.queue);
        let config = self.config();
        loop {
            self.check(&queue)?;
            // A batch larger than the bound is taken alone.
            if queue.bytes == 0 || queue.bytes + bytes <= config.queue_bytes_max {
                break;
            }
            match pressure {
                Pressure::Refuse => {
                    return Err(LogError::Busy { folder: self.shown(), queued: queue.bytes });
                }
                Pressure::Wait => {
                    queue = self.lead_or_wait(queue);
                }
            }
        }
        let outcome = Outcome::default();
        let mut others: Vec<Outcome> = Vec::new();
        let mut keep = vec![true; ids.len()];
        let mut duplicates = 0;
        if let Some(window) = config.ids {
            queue.ids.forget(window, (config.clock)());
        }
        for (keep, &id) in keep.iter_mut().zip(ids).filter(|(_, id)| **id != 0) {
            match queue.ids.look(id) {
                Known::New => queue.ids.reserve(id, &outcome),
                Known::Durable => (*keep, duplicates) = (false, duplicates + 1),
                Known::Waiting(other) => {
                    (*keep, duplicates) = (false, duplicates + 1);
                    if !Arc::ptr_eq(&other, &outcome)
                        && !others.last().is_some_and(|last| Arc::ptr_eq(last, &other))
                    {
                        others.push(other);
                    }
                }
            }
        }
        let batch = build(&keep);
        let ids: Vec<u128> = batch.records.values().flat_map(|r| r.ids().iter().copied()).collect();
        if let Err(error) = batch.check(self.partitions) {
            queue.ids.settle(&ids, None);
            return Err(error);
        }
        if batch.is_empty() {
            let _ = outcome.set(Ok(Appended::default()));
        } else {
            queue.bytes += batch.bytes();
            queue.pending.push(Pending { batch, ids, outcome: Arc::clone(&outcome) });
        }
        Ok(Ticket { own: outcome, others, duplicates })
    }

    fn check(&self, queue: &Queue) -> Result<()> {
        match &queue.poison {
            Some(reason) => {
                Err(LogError::Poisoned { folder: self.shown(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    /// Waits until the batches of a ticket are durable; writes them, if nobody else does.
    pub fn wait(&self, ticket: &Ticket) -> Result<Appended> {
        let mut queue = locked(&self.queue);
        loop {
            let open = ticket.others.iter().chain([&ticket.own]).any(|o| o.get().is_none());
            if !open {
                break;
            }
            queue = self.lead_or_wait(queue);
        }
        drop(queue);
        for other in &ticket.others {
            if let Some(Err(error)) = other.get() {
                return Err(error.clone());
            }
        }
        ticket.own.get().cloned().unwrap_or_else(|| Ok(Appended::default()))
    }

    /// How many bytes wait to be written.
    pub fn queued_bytes(&self) -> usize {
        locked(&self.queue).bytes
    }

    /// Why the log takes nothing any more, if so.
    pub fn failure(&self) -> Option<String> {
        locked(&self.queue).poison.clone()
    }

    /// Whether a producer's batch is in the log already.
    pub fn has(&self, producer: Producer) -> Result<bool> {
        Ok(self.writer()?.as_ref().is_some_and(|writer| writer.has(producer)))
    }

    /// Writes what is queued, or waits for the one who does.
    fn lead_or_wait<'q>(&'q self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        if queue.leader || queue.pending.is_empty() {
            // The leader wakes everyone, and everyone looks again.
            return self.wake.wait(queue).unwrap_or_else(|e| e.into_inner());
        }
        queue.leader = true;
        let group = std::mem::take(&mut queue.pending);
        drop(queue);
        // Without this a panic within the round would leave the others waiting for ever.
        let round = Round { topic: self, group };
        round.write();
        locked(&self.queue)
    }
}

/// One round of the leader. When it is dropped, everyone has an answer.
struct Round<'t> {
    topic: &'t Topic,
    group: Vec<Pending>,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let mut queue = locked(&self.topic.queue);
        for pending in &self.group {
            let failed = || {
                let reason = "the round broke off".to_owned();
                Err(LogError::Poisoned { folder: self.topic.shown(), reason })
            };
            let outcome = pending.outcome.get_or_init(failed);
            if outcome.is_err() {
                queue.ids.settle(&pending.ids, None);
            }
            queue.bytes = queue.bytes.saturating_sub(pending.batch.bytes());
        }
        queue.leader = false;
        drop(queue);
        self.topic.wake.notify_all();
    }
}

impl Round<'_> {
    fn write(self) {
        let topic = self.topic;
        let result = topic.writer().and_then(|mut active| match active.as_mut() {
            Some(writer) => {
                let time = writer.write(topic, &self.group)?;
                let mut queue = locked(&topic.queue);
                for pending in &self.group {
                    queue.ids.settle(&pending.ids, Some(time));
                }
                drop(queue);
                writer.after(topic);
                Ok(())
            }
            None => Err(LogError::Missing { folder: topic.shown() }),
        });
        if let Err(error) = result {
            if let LogError::Poisoned { reason, .. } = &error {
                locked(&topic.queue).poison.get_or_insert(reason.clone());
            }
            for pending in &self.group {
                let _ = pending.outcome.set(Err(error.clone()));
            }
        }
    }
}

impl Active {
    /// Writes batches and makes them durable; answers their time.
    fn write(&mut self, topic: &Topic, group: &[Pending]) -> Result<i64> {
        let path = || topic.folder.join(file_name(self.start.sequence));
        let time = self.time.max((topic.config().clock)());
        let (mut sequence, mut offsets) = (self.sequence, self.offsets.clone());
        let mut producers = self.producers.clone();
        let mut bytes = Vec::new();
        let mut marks = Vec::new();
        let mut answers = Vec::with_capacity(group.len());
        for Pending { batch, .. } in group {
            if repeats(&producers, batch.producer) {
                answers.push(Appended { first: Vec::new(), repeated: true });
                continue;
            }
            let position = self.file.len() + bytes.len() as u64;
            // What was written before may be as late as this round.
            let before = if marks.is_empty() { self.time } else { time };
            marks.push(Mark { position, sequence, time: before, offsets: offsets.clone() });
            let first = |p: &u32| (*p, offsets[*p as usize]);
            let first = batch.records.keys().map(first).collect();
            answers.push(Appended { first, repeated: false });
            batch.encode(sequence, time, &mut offsets, &mut bytes);
            note_producer(&mut producers, batch.producer);
            sequence += 1;
        }
        if !bytes.is_empty() {
            self.file.write(&bytes).map_err(|e| match self.file.failure() {
                Some(reason) => poisoned(topic, reason),
                None => io("write", &path(), e),
            })?;
            self.file.sync().map_err(|e| poisoned(topic, &format!("{}: {e}", path().display())))?;
        }
        for mark in marks {
            let position = mark.position;
            self.index.note(|| mark, position);
        }
        (self.sequence, self.offsets, self.producers) = (sequence, offsets, producers);
        self.time = time;
        topic.show(self.view());
        for (pending, answer) in group.iter().zip(answers) {
            let _ = pending.outcome.set(Ok(answer));
        }
        Ok(time)
    }

    fn has(&self, producer: Producer) -> bool {
        repeats(&self.producers, producer)
    }

    fn view(&self) -> View {
        View {
            segments: self.segments.clone(),
            position: self.file.len(),
            offsets: self.offsets.clone(),
        }
    }

    /// What follows a round: the batches are durable whatever happens here.
    fn after(&mut self, topic: &Topic) {
        let config = topic.config();
        let now = (config.clock)();
        let old = config.retention_ms.is_some_and(|ms| {
            // A segment that is written slowly must not keep old records for ever.
            self.start.time < now.saturating_sub(ms)
        });
        let used = self.sequence > self.start.sequence;
        if (used && old) || self.file.len() >= config.segment_bytes {
            self.try_roll(topic);
        }
        let _ = self.retain(topic, &config, now);
        let _ = topic.announce(self, false);
    }

    /// Begins the next segment. Without one the old goes on growing, and the next round tries
    /// again; but where the new one may be there, nothing may be added to the old one any more.
    fn try_roll(&mut self, topic: &Topic) {
        let Err(error) = self.roll(topic) else { return };
        let path = topic.folder.join(file_name(self.sequence));
        let is_absent =
            topic.files.len(&path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        if !is_absent || matches!(error, LogError::Poisoned { .. }) {
            locked(&topic.queue).poison.get_or_insert(error.to_string());
        }
    }

    /// Begins the next segment.
    fn roll(&mut self, topic: &Topic) -> Result<()> {
        let files = topic.files.as_ref();
        let start = Start {
            sequence: self.sequence,
            time: self.time,
            offsets: self.offsets.clone(),
            producers: self.producers.iter().copied().collect(),
        };
        let file = create(files, &topic.folder, &start)?;
        let index = std::mem::take(&mut self.index);
        keep_index(files, &topic.folder, self.start.sequence, &index);
        self.segments.push(start.sequence);
        self.file = file;
        self.start = start;
        topic.show(self.view());
        Ok(())
    }

    /// Deletes segments that nobody has a right to any more, oldest first.
    fn retain(&mut self, topic: &Topic, config: &super::Config, now: i64) -> Result<()> {
        let files = topic.files.as_ref();
        let mut total = 0;
        if config.retention_bytes.is_some() {
            for &sequence in &self.segments {
                let path = topic.folder.join(file_name(sequence));
                total += files.len(&path).map_err(|e| io("read", &path, e))?;
            }
        }
        while let [first, second, ..] = self.segments[..] {
            // The next segment's header has the time of this one's last batch.
            let last_time = topic.start_of(second)?.time;
            let old = config.retention_ms.is_some_and(|ms| last_time < now.saturating_sub(ms));
            if !old && config.retention_bytes.is_none_or(|most| total <= most) {
                break;
            }
            let path = topic.folder.join(file_name(first));
            total = total.saturating_sub(files.len(&path).map_err(|e| io("read", &path, e))?);
            self.segments.remove(0);
            topic.show(self.view());
            topic.forget(first);
            let _ = files.remove(&topic.folder.join(index_name(first)));
            files.remove(&path).map_err(|e| io("remove", &path, e))?;
            // One after the other: a crash must not bring back a segment before a hole.
            files.sync_folder(&topic.folder).map_err(|e| io("sync", &topic.folder, e))?;
        }
        Ok(())
    }
}

fn repeats(producers: &VecDeque<Producer>, producer: Producer) -> bool {
    let known = producers.iter().find(|p| p.id == producer.id && p.id != [0; 16]);
    known.is_some_and(|known| (producer.epoch, producer.part) <= (known.epoch, known.part))
}

fn poisoned(topic: &Topic, reason: &str) -> LogError {
    LogError::Poisoned { folder: topic.shown(), reason: reason.to_owned() }
}

impl Topic {
    /// Tells readers how far the log is durable.
    fn announce(&self, writer: &Active, clean: bool) -> Result<()> {
        self.show(writer.view());
        let end = End {
            segment: writer.start.sequence,
            position: writer.file.len(),
            clean,
            offsets: writer.offsets.clone(),
        };
        publish(self.files.as_ref(), &self.folder, &end)
    }

    /// The place in the segment that is written from which to look for what `before` says of it.
    pub(super) fn active_mark(&self, sequence: u64, before: &dyn Fn(&Mark) -> bool) -> Option<u64> {
        let active = self.active.try_lock().ok()?;
        let writer = active.as_ref().filter(|w| w.start.sequence == sequence)?;
        writer.index.last(before).map(|mark| mark.position)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let active = locked(&self.active).take();
        if let Some(writer) = active
            && self.failure().is_none()
        {
            // Without it the last segment is written anew at the next opening, no more.
            let _ = self.announce(&writer, true);
        }
    }
}
