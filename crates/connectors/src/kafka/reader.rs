//! One share of a table's partitions, read into rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::error::RDKafkaErrorCode;
use rialto_engine::{DeadLetter, EngineError, Poll, Position, Reader};
use serde_json::{Map, Value, json};

use super::decode::{About, RowMaker};
use super::hub::{Assigned, Hub, Resume};
use super::native::Message;
use super::options::OnError;
use crate::shown::shown_partitions;

/// So many messages are taken from a queue at once.
const MESSAGES_MAX: usize = 4096;
/// A poll comes back after so many bytes, whatever they became.
const POLL_BYTES_MAX: usize = 64 << 20;

/// Reads the partitions that the hub deals to it.
pub(super) struct KafkaReader {
    hub: Arc<Hub>,
    index: usize,
    rows: RowMaker,
    on_error: OnError,
    partitions: Vec<Assigned>,
    /// Which partition is read first by the next poll.
    turn: usize,
    news: Option<u64>,
    /// The first rows have been given, or there is no need to wait for other readers.
    begun: bool,
    /// How often it was asked for them.
    polls: u64,
    /// The position before anything was read.
    sought: Position,
    dead: Vec<DeadLetter>,
    /// How many bytes of keys and values it has read.
    bytes: u64,
}

impl KafkaReader {
    pub fn new(hub: Arc<Hub>, index: usize, rows: RowMaker, on_error: OnError) -> Self {
        let begun = !hub.is_in_order();
        let sought = Value::Object(Map::new());
        let (dead, turn, news, polls, bytes) = (Vec::new(), 0, None, 0, 0);
        let partitions = Vec::new();
        Self {
            hub,
            index,
            rows,
            on_error,
            partitions,
            turn,
            news,
            begun,
            polls,
            sought,
            dead,
            bytes,
        }
    }

    /// Takes over partitions that were dealt to this reader since the last poll.
    fn catch_up(&mut self) -> rialto_engine::Result<()> {
        // Read before the partitions are taken: what is dealt in between is news again.
        let news = Some(self.hub.news());
        if self.news == news {
            return Ok(());
        }
        let taken = self.hub.take(self.index)?;
        self.partitions.extend(taken);
        self.news = news;
        Ok(())
    }

    /// Whether the first rows may be given now.
    fn begin(&mut self) -> bool {
        if !self.begun {
            self.polls += 1;
            let heard = self.partitions.iter().filter(|p| p.queue.len() > 0 || is_done(p));
            self.begun = self.hub.may_give(self.polls, heard.map(|p| (&p.topic, p.partition)));
        }
        self.begun
    }

    /// Reads one partition until enough rows are waiting or nothing is left; answers the bytes.
    fn read(&mut self, at: usize, rows_max: usize, bytes_max: usize) -> Outcome {
        let mut bytes = 0;
        let partition = &mut self.partitions[at];
        if is_done(partition) {
            return Ok(0);
        }
        self.rows.begin(&partition.topic, partition.partition);
        let mut messages_left = rows_max;
        while messages_left > 0 && self.rows.rows() < rows_max && bytes < bytes_max {
            let wanted = messages_left.min(MESSAGES_MAX).min(rows_max - self.rows.rows());
            let Assigned { topic, partition, queue, next, stop, last } = &mut *partition;
            let batch = queue.poll(wanted);
            if batch.len() == 0 {
                break;
            }
            messages_left = messages_left.saturating_sub(batch.len());
            for message in batch.iter() {
                if let Some((code, text)) = message.error() {
                    if code == RDKafkaErrorCode::PartitionEOF {
                        // Behind the last record there may be marks of transactions.
                        *next = (*next).max(message.offset());
                        continue;
                    }
                    match self.hub.explain(topic, *partition, *next, code, &text) {
                        Some(error) => return Err(error),
                        None => continue,
                    }
                }
                let offset = message.offset();
                if stop.is_some_and(|stop| offset >= stop) {
                    *next = (*next).max(offset);
                    break;
                }
                let (key, value) = (message.key(), message.payload());
                bytes += value.map_or(0, <[u8]>::len) + key.map_or(0, <[u8]>::len);
                let taken = match last {
                    Some(last) => upsert(&mut self.rows, last, message),
                    None => {
                        let about = About::of(message, self.rows.wants_metadata());
                        let headers = self.rows.wants_headers().then_some(message);
                        self.rows.add(key, value, about, headers, 1)
                    }
                };
                *next = offset + 1;
                if let Err(reason) = taken {
                    let position = format!("{topic}/{partition}/{offset}");
                    if let Some(failure) = self.rows.take_failure() {
                        return Err(EngineError::source(position, failure));
                    }
                    if self.on_error == OnError::Fail {
                        return Err(EngineError::source(position, reason));
                    }
                    let bytes = value.or(key).unwrap_or_default().to_vec();
                    let beside = self.rows.beside(message);
                    self.dead.push(DeadLetter { position, reason, bytes, beside });
                }
            }
        }
        Ok(bytes)
    }
}

type Outcome = rialto_engine::Result<usize>;

fn is_done(partition: &Assigned) -> bool {
    partition.stop.is_some_and(|stop| partition.next >= stop)
}

/// Takes a record as what becomes of the row of its key.
fn upsert(
    rows: &mut RowMaker,
    last: &mut super::upsert::LastRecords,
    message: Message<'_>,
) -> Result<(), String> {
    let key = message.key().ok_or("the record has no key")?;
    let about = About::of(message, rows.wants_metadata());
    let old = last.get(key);
    match (old, message.payload()) {
        (Some(old), Some(value)) if *old.value == *value && !rows.wants_metadata() => return Ok(()),
        (None, None) => return Ok(()),
        _ => {}
    }
    let Some(value) = message.payload() else {
        if let Some(old) = old {
            rows.add(Some(key), Some(&old.value), old.about, None, -1)?;
        }
        last.remove(key);
        return Ok(());
    };
    if let Some(old) = old {
        rows.add(Some(key), Some(&old.value), old.about, None, -1)?;
    }
    let before = rows.rows();
    let taken = rows.add(Some(key), Some(value), about, None, 1);
    if taken.is_err() || rows.rows() == before {
        // A row that cannot be read does not take the old one away.
        if let Some(old) = old {
            rows.add(Some(key), Some(&old.value), old.about, None, 1)?;
        }
        return taken;
    }
    last.put(key, value, about);
    Ok(())
}

impl Reader for KafkaReader {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        self.catch_up()?;
        if !self.begin() {
            return Ok(Poll::Idle);
        }
        let count = self.partitions.len();
        let mut bytes = 0;
        for step in 0..count {
            let at = (self.turn + step) % count;
            bytes += self.read(at, rows_max.max(1), POLL_BYTES_MAX.saturating_sub(bytes))?;
            if self.rows.rows() >= rows_max || bytes >= POLL_BYTES_MAX {
                break;
            }
        }
        if count > 0 {
            self.turn = (self.turn + 1) % count;
        }
        self.bytes += bytes as u64;
        if bytes > 0 {
            let positions = self.partitions.iter().map(|p| (&p.topic, p.partition, p.next));
            self.hub.note(positions);
        }
        if self.rows.rows() > 0 {
            let delta = self.rows.finish()?;
            if !delta.is_empty() {
                return Ok(Poll::Rows(delta));
            }
        }
        if self.hub.is_bounded() && self.partitions.iter().all(is_done) {
            return Ok(Poll::End);
        }
        Ok(Poll::Idle)
    }

    fn has_share(&self) -> bool {
        !self.partitions.is_empty()
    }

    fn reads(&self) -> Option<String> {
        let partitions = self.partitions.iter();
        Some(shown_partitions(partitions.map(|p| format!("{}/{}", p.topic, p.partition))))
    }

    fn bytes_read(&self) -> Option<u64> {
        Some(self.bytes)
    }

    /// `{topic: {partition: {"next": offset}}}`.
    fn position(&self) -> Position {
        if self.news.is_none() {
            return self.sought.clone();
        }
        let mut topics: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for partition in &self.partitions {
            let mut place = Map::new();
            place.insert("next".into(), json!(partition.next));
            if let Some(stop) = partition.stop {
                place.insert("stop".into(), json!(stop));
            }
            if let Some(last) = &partition.last {
                // Compression into memory fails for want of memory alone.
                place.insert("last".into(), json!(last.encode().unwrap_or_default()));
            }
            let of_topic = topics.entry(&partition.topic).or_default();
            of_topic.insert(partition.partition.to_string(), Value::Object(place));
        }
        json!(topics)
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        let broken =
            || EngineError::Data(format!("this is no position of a Kafka table: {position}"));
        for (topic, partitions) in position.as_object().ok_or_else(broken)? {
            for (partition, place) in partitions.as_object().ok_or_else(broken)? {
                let partition: i32 = partition.parse().map_err(|_| broken())?;
                let next = place.get("next").and_then(Value::as_i64).ok_or_else(broken)?;
                let stop = place.get("stop").and_then(Value::as_i64);
                let last = place.get("last").and_then(Value::as_str).map(str::to_owned);
                let reader = Some(self.index);
                let at = Resume { next, stop, last, reader };
                self.hub.resume((topic.clone(), partition), at)?;
            }
        }
        // One reader may go on where several stood.
        match (self.sought.as_object_mut(), position.as_object()) {
            (Some(sought), Some(more)) => {
                for (topic, partitions) in more {
                    let place = sought.entry(topic.clone()).or_insert_with(|| json!({}));
                    if let (Some(place), Some(more)) =
                        (place.as_object_mut(), partitions.as_object())
                    {
                        place.extend(more.clone());
                    }
                }
            }
            _ => return Err(broken()),
        }
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }
}
