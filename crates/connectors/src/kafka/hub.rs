//! What the readers of one table share: the client, the partitions dealt among them, the search for
//! new ones.
//!
//! Partitions are assigned, never subscribed to: no group decides who reads what, and a restart
//! reads on from positions that the job kept. Offsets are committed to the group only to be seen by
//! tools.
//!
//! A table with a watermark has a reader for each partition, so that each has a watermark of its
//! own, as in Flink. Their first rows are given together: were one partition read before the
//! others, its watermark would make their rows late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rialto_engine::EngineError;

use super::client::{Context, KafkaConsumer, explain};
use super::native::PartitionQueue;
use super::options::{KafkaOptions, Place, Topics};
use super::properties::{Properties, Side};
use super::topics::{self, Offsets, Split};
use super::upsert::LastRecords;
use crate::spec::Output;

/// So many bytes are fetched ahead, by all partitions together.
const AHEAD_KBYTES_MAX: usize = 64 << 10;
/// And by a single one at least so many.
const AHEAD_KBYTES_MIN: usize = 1 << 10;
/// How often the client's news are heard.
const TICK: Duration = Duration::from_millis(100);
/// How often offsets are committed to the group.
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// How often topics are looked for that were deleted.
const DELETED_INTERVAL: Duration = Duration::from_secs(3);
/// A partition that nobody heard of for so long does not hold back the others' first rows.
const FIRST_ROWS_WAIT: Duration = Duration::from_secs(10);

/// Where to go on reading a partition.
#[derive(Debug, Clone)]
pub(super) struct Resume {
    pub next: i64,
    pub stop: Option<i64>,
    /// The last record of every key, for `upsert-kafka`.
    pub last: Option<String>,
    /// Who was told to go on here, and knows the watermark that belongs to it.
    pub reader: Option<usize>,
}

/// A partition that is dealt to a reader.
pub(super) struct Assigned {
    pub topic: Arc<str>,
    pub partition: i32,
    pub queue: PartitionQueue,
    /// The offset to read next.
    pub next: i64,
    /// The offset to stop before.
    pub stop: Option<i64>,
    pub last: Option<LastRecords>,
}

/// See the module's documentation.
pub(super) struct Hub {
    table: String,
    brokers: String,
    consumer: Arc<KafkaConsumer>,
    topics: Topics,
    start: Place,
    stop: Option<Place>,
    upsert: bool,
    reset: Option<String>,
    discovery: Option<Duration>,
    /// Whether offsets are committed to a group.
    commits: bool,
    readers: usize,
    in_order: bool,
    state: Mutex<State>,
    /// Grows whenever partitions were dealt or something failed.
    news: AtomicU64,
}

#[derive(Default)]
struct State {
    started: bool,
    failure: Option<String>,
    resume: BTreeMap<Split, Resume>,
    /// Which reader has which partition.
    dealt: BTreeMap<Split, usize>,
    fresh: BTreeMap<usize, Vec<Assigned>>,
    /// The partitions of which nothing has been heard yet, until when to wait for them.
    silent: BTreeSet<Split>,
    silent_until: Option<Instant>,
    /// The poll in which every reader gives its first rows.
    give_from: Option<u64>,
    /// The offsets that are read next, to be committed.
    positions: Offsets,
    committed: Offsets,
}

impl Hub {
    /// Connects, and sees that the topics are there. Nothing is read yet.
    pub fn new(
        options: &KafkaOptions<'_>,
        in_order: bool,
        parallelism: usize,
        stderr: &Output,
    ) -> rialto_engine::Result<Arc<Self>> {
        let table = options.raw.table().to_owned();
        let probe = consumer(&table, &options.properties, None, stderr)?;
        let brokers = options.properties.brokers().to_owned();
        let place = |e: String| failed(&table, &brokers, e);
        let splits = topics::partitions(&probe, &options.topics).map_err(place)?;
        let readers = match in_order {
            // A partition that appears later shares the reader of another.
            true => splits.len().max(1),
            false => parallelism.max(1),
        };
        drop(probe);
        let ahead = AHEAD_KBYTES_MAX / splits.len().max(1);
        let ahead = Some(ahead.clamp(AHEAD_KBYTES_MIN, AHEAD_KBYTES_MAX));
        Ok(Arc::new(Self {
            consumer: Arc::new(consumer(&table, &options.properties, ahead, stderr)?),
            topics: options.topics.clone(),
            start: options.start.clone(),
            stop: options.stop.clone(),
            upsert: options.upsert,
            reset: options.properties.get("auto.offset.reset").map(str::to_owned),
            // The partitions of a bounded table are those that there are at the start.
            discovery: options.discovery.filter(|_| options.stop.is_none()),
            commits: options.properties.get("group.id").is_some()
                && options.properties.get("enable.auto.commit") != Some("false"),
            readers,
            in_order,
            state: Mutex::default(),
            news: AtomicU64::new(0),
            brokers,
            table,
        }))
    }

    pub fn readers(&self) -> usize {
        self.readers
    }

    pub fn is_bounded(&self) -> bool {
        self.stop.is_some()
    }

    pub fn news(&self) -> u64 {
        self.news.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it in hand cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn failed(&self, reason: impl Into<String>) -> EngineError {
        failed(&self.table, &self.brokers, reason.into())
    }

    /// Reads on from here, whichever reader has the partition.
    pub fn resume(&self, split: Split, at: Resume) -> rialto_engine::Result<()> {
        let mut state = self.state();
        if state.started {
            return Err(EngineError::Internal("a Kafka table moved while it is read".into()));
        }
        state.resume.insert(split, at);
        Ok(())
    }

    /// Begins to read, once; then hands over the partitions that were dealt to a reader.
    pub fn take(self: &Arc<Self>, reader: usize) -> rialto_engine::Result<Vec<Assigned>> {
        let mut state = self.state();
        if !state.started {
            self.begin(&mut state).map_err(|e| self.failed(e))?;
            state.started = true;
            self.watch().map_err(|e| self.failed(e))?;
        }
        if let Some(failure) = &state.failure {
            return Err(self.failed(failure.clone()));
        }
        Ok(state.fresh.remove(&reader).unwrap_or_default())
    }

    fn begin(self: &Arc<Self>, state: &mut State) -> Result<(), String> {
        let mut splits = topics::partitions(&self.consumer, &self.topics)?;
        let resumed = !state.resume.is_empty();
        if resumed && self.is_bounded() {
            splits.retain(|split| state.resume.contains_key(split));
        }
        if let Some((topic, partition)) = state.resume.keys().find(|s| !splits.contains(s)) {
            return Err(format!(
                "the partition {topic}/{partition}, which was read before, is gone (a job cannot \
                 go on without it; start it anew)"
            ));
        }
        let new: Vec<Split> =
            splits.iter().filter(|s| !state.resume.contains_key(*s)).cloned().collect();
        let start = if resumed { &Place::Earliest } else { &self.start };
        let reset = self.reset.as_deref();
        let starts = topics::offsets(&self.consumer, &new, start, reset)?;
        let stops = match &self.stop {
            Some(place) => topics::offsets(&self.consumer, &new, place, reset)?,
            None => Offsets::new(),
        };
        for split in new {
            let next = starts.get(&split).copied().unwrap_or(0);
            let stop = stops.get(&split).copied();
            state.resume.insert(split, Resume { next, stop, last: None, reader: None });
        }
        if self.in_order {
            state.silent_until = Some(Instant::now() + FIRST_ROWS_WAIT);
            state.silent = splits.iter().cloned().collect();
        }
        self.deal(state)?;
        let offsets: Offsets = state.positions.clone();
        self.consumer
            .assign(&topics::list_of(&offsets)?)
            .map_err(|e| explain(&e, self.consumer.context()))
    }

    /// Gives each partition of `resume` to a reader.
    fn deal(&self, state: &mut State) -> Result<(), String> {
        // Those that belong to a reader first: the others are dealt around them.
        let mut resume: Vec<(Split, Resume)> =
            std::mem::take(&mut state.resume).into_iter().collect();
        resume.sort_by_key(|(_, at)| at.reader.is_none());
        for (split, at) in resume {
            let queue = PartitionQueue::new(&self.consumer, &split.0, split.1)
                .ok_or_else(|| format!("'{}' cannot be the name of a topic", split.0))?;
            let last = match (self.upsert, &at.last) {
                (true, Some(text)) => Some(LastRecords::decode(text)?),
                (true, None) => Some(LastRecords::default()),
                (false, _) => None,
            };
            let reader = at.reader.unwrap_or_else(|| self.least_busy(state));
            let (topic, partition) = (Arc::from(split.0.as_str()), split.1);
            let assigned = Assigned { topic, partition, queue, next: at.next, stop: at.stop, last };
            state.positions.insert(split.clone(), at.next);
            state.dealt.insert(split, reader);
            state.fresh.entry(reader).or_default().push(assigned);
        }
        self.news.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn least_busy(&self, state: &State) -> usize {
        let mut counts = vec![0usize; self.readers];
        state.dealt.values().for_each(|&reader| counts[reader] += 1);
        (0..self.readers).min_by_key(|&reader| counts[reader]).unwrap_or_default()
    }

    /// Whether the first rows may be given, by a reader that asks for the `poll`-th time. `heard`
    /// are partitions of which something is there.
    ///
    /// A reader that has given nothing holds no watermark back. So all have to begin in the same
    /// step, or the rows of those that begin later are late. A step polls every reader once, and
    /// while one asks another may be one step behind or before it: hence two polls later.
    pub fn may_give<'s>(
        &self,
        poll: u64,
        heard: impl Iterator<Item = (&'s Arc<str>, i32)>,
    ) -> bool {
        let mut state = self.state();
        for (topic, partition) in heard {
            state.silent.remove(&(topic.to_string(), partition));
        }
        let waited = state.silent_until.is_none_or(|t| t <= Instant::now());
        if state.give_from.is_none() && (state.silent.is_empty() || waited) {
            state.silent.clear();
            state.give_from = Some(poll + 2);
        }
        state.give_from.is_some_and(|from| poll >= from)
    }

    /// Whether rows are given together at first.
    pub fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// Notes what is read next, to be committed.
    pub fn note<'s>(&self, positions: impl Iterator<Item = (&'s Arc<str>, i32, i64)>) {
        if !self.commits {
            return;
        }
        let mut state = self.state();
        for (topic, partition, next) in positions {
            if let Some(place) = state.positions.get_mut(&(topic.to_string(), partition)) {
                *place = next;
            }
        }
    }

    /// What an error that stands in the place of a message means. `None` where it passes by itself.
    pub fn explain(
        &self,
        topic: &str,
        partition: i32,
        next: i64,
        code: RDKafkaErrorCode,
        text: &str,
    ) -> Option<EngineError> {
        use RDKafkaErrorCode as Code;
        let name = format!("{topic}/{partition}");
        let reason = match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => self.gone(topic, partition, next),
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicId => match topics::exists(&self.consumer, topic) {
                Some(false) => format!("the topic '{topic}' was deleted while it was read"),
                _ => return None,
            },
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::Fatal
            | Code::BadMessage
            | Code::BadCompression
            | Code::NotImplemented => format!("{name} cannot be read at offset {next}: {text}"),
            _ => {
                self.consumer.context().warn(&format!("{name}: {text}; trying again"));
                return None;
            }
        };
        Some(self.failed(reason))
    }

    fn gone(&self, topic: &str, partition: i32, next: i64) -> String {
        let bounds =
            self.consumer.fetch_watermarks(topic, partition, self.consumer.context().patience);
        let found = match bounds {
            Ok((low, high)) if next < low => {
                format!("is gone, the earliest that is left is {low}, the end is {high}")
            }
            Ok((low, high)) => {
                format!("is not there (was the topic made anew?): it has {low} up to {high}")
            }
            Err(_) => "is gone".to_owned(),
        };
        format!(
            "offset {next} of {topic}/{partition} {found} (rows were lost: to go on all the same, \
             start the job anew with 'scan.startup.mode' = 'earliest-offset')"
        )
    }

    /// Starts the thread that hears the client's news, finds partitions and commits offsets. It
    /// ends when the last reader is gone.
    fn watch(self: &Arc<Self>) -> Result<(), String> {
        let hub = Arc::downgrade(self);
        std::thread::Builder::new()
            .name(format!("kafka-{}", self.table))
            .spawn(move || watch(&hub))
            .map(drop)
            .map_err(|e| format!("cannot start a thread: {e}"))
    }

    fn discover(&self) {
        let found = match topics::partitions(&self.consumer, &self.topics) {
            Ok(found) => found,
            Err(reason) => {
                self.consumer.context().warn(&format!("{reason}; trying again"));
                return;
            }
        };
        let mut state = self.state();
        let new: Vec<Split> = found.into_iter().filter(|s| !state.dealt.contains_key(s)).collect();
        if new.is_empty() {
            return;
        }
        // What was written to a partition before it was found is read, too.
        let added = topics::offsets(&self.consumer, &new, &Place::Earliest, None).and_then(|at| {
            for (split, next) in &at {
                let resume = Resume { next: *next, stop: None, last: None, reader: None };
                state.resume.insert(split.clone(), resume);
            }
            self.deal(&mut state)?;
            let list = topics::list_of(&at)?;
            self.consumer.incremental_assign(&list).map_err(|e| e.to_string())
        });
        drop(state);
        if let Err(reason) = added {
            self.fail(format!("new partitions cannot be read: {reason}"));
        }
    }

    /// Fails where a topic that is read is not there twice in a row: librdkafka itself waits for it
    /// to come back.
    fn look_for_deleted(&self, missing: &mut BTreeSet<String>) {
        let topics: BTreeSet<String> = self.state().dealt.keys().map(|s| s.0.clone()).collect();
        let is_gone = |topic: &String| topics::exists(&self.consumer, topic) == Some(false);
        let gone: BTreeSet<String> = topics.into_iter().filter(is_gone).collect();
        if let Some(topic) = gone.intersection(missing).next() {
            self.fail(format!("the topic '{topic}' was deleted while it was read"));
        }
        *missing = gone;
    }

    fn fail(&self, reason: String) {
        self.state().failure.get_or_insert(reason);
        self.news.fetch_add(1, Ordering::Release);
    }

    fn commit(&self) {
        let mut state = self.state();
        if !self.commits || state.positions == state.committed {
            return;
        }
        state.committed = state.positions.clone();
        let list = topics::list_of(&state.committed);
        drop(state);
        let done = list.and_then(|list| {
            self.consumer.commit(&list, CommitMode::Async).map_err(|e| e.to_string())
        });
        if let Err(reason) = done {
            self.consumer.context().warn(&format!("offsets cannot be committed: {reason}"));
        }
    }
}

fn watch(hub: &Weak<Hub>) {
    let (mut discovered, mut committed) = (Instant::now(), Instant::now());
    let (mut looked, mut missing) = (Instant::now(), BTreeSet::new());
    loop {
        std::thread::sleep(TICK);
        let Some(hub) = hub.upgrade() else { return };
        // All messages are in the queues of their partitions: this hears of errors only.
        if let Some(Err(KafkaError::MessageConsumptionFatal(code))) =
            hub.consumer.poll(Duration::ZERO)
        {
            hub.fail(format!("the client failed: {code}"));
        }
        if hub.discovery.is_some_and(|interval| discovered.elapsed() >= interval) {
            hub.discover();
            discovered = Instant::now();
        }
        if looked.elapsed() >= DELETED_INTERVAL {
            hub.look_for_deleted(&mut missing);
            looked = Instant::now();
        }
        if committed.elapsed() >= COMMIT_INTERVAL {
            hub.commit();
            committed = Instant::now();
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // What was read last is committed, too; nobody waits for it long.
        self.commit();
    }
}

fn failed(table: &str, brokers: &str, reason: String) -> EngineError {
    EngineError::source(format!("table '{table}' from Kafka at {brokers}"), reason)
}

fn consumer(
    table: &str,
    properties: &Properties,
    ahead_kbytes: Option<usize>,
    stderr: &Output,
) -> rialto_engine::Result<KafkaConsumer> {
    let mut config = properties.config(Side::Consumer)?;
    if config.get("group.id").is_none() {
        config.set("group.id", format!("rialto-{table}"));
    }
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        // An offset that is gone is an error and never a jump.
        .set("auto.offset.reset", "error")
        // A queue that was full is filled again at once, not a second later.
        .set("fetch.queue.backoff.ms", "20");
    if let Some(kbytes) = ahead_kbytes {
        config.set("queued.max.messages.kbytes", kbytes.to_string());
    }
    let context = Context::new(table, properties.patience(), stderr);
    KafkaConsumer::from_config_and_context(&config, context)
        .map_err(|e| failed(table, properties.brokers(), e.to_string()))
}
