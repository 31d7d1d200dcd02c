//! Epochs of records, each in the topic once and whole.
//!
//! librdkafka cannot take up a transaction that another process has prepared: whoever begins with
//! the same transactional id aborts it. So nothing is sent before an epoch is committed. Then all
//! its records go into one transaction, together with a mark that says so: the offset of a group
//! of our own, on the first partition of the topic, is the number of the epoch. Transactions are
//! atomic over topics and groups, so the mark is there exactly if the records are.
//!
//! A restart has the records of the last prepared epoch from the checkpoint and looks for the mark:
//! if it is there, they are in the topic; if not, they are sent again. A transaction that expired,
//! or whose end nobody saw, is decided in the same way.
//!
//! Epochs are counted anew by each run of a job, so the mark also names the run. A mark that is
//! gone (groups are forgotten after a time) is told from one that never was by what the run had
//! seen before: see [`Transactions::recover`].

use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use rialto_engine::EngineError;

use super::client::{Context, KafkaConsumer, KafkaProducer, explain};
use super::outbox::{Outbox, Record, headers};
use super::properties::{Properties, Side};
use crate::spec::Output;

/// Java's default, and Flink's is an hour; a transaction here lasts as long as it takes to send.
const TRANSACTION_TIMEOUT_MS: u64 = 60_000;
/// How long one call may take before its outcome is looked at.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a topic is waited for that a broker may be making.
const TOPIC_WAIT: Duration = Duration::from_secs(2);
/// How often the same epoch is tried before the sink gives up.
const TRIES_MAX: usize = 20;

/// What a client needs to be made.
pub(super) struct Client {
    pub table: String,
    pub topic: String,
    pub properties: Properties,
    pub stderr: Output,
}

impl Client {
    pub fn failed(&self, reason: impl Into<String>) -> EngineError {
        let brokers = self.properties.brokers();
        let place = format!("table '{}' to the topic '{}' at {brokers}", self.table, self.topic);
        EngineError::sink(place, reason.into())
    }

    /// The settings of a producer, with our defaults where the table says nothing.
    pub fn producer_config(&self) -> rialto_engine::Result<ClientConfig> {
        let mut config = self.properties.config(Side::Producer)?;
        for (name, value) in [
            ("linger.ms", "20"),
            ("batch.size", "1000000"),
            ("enable.idempotence", "true"),
            ("queue.buffering.max.messages", "500000"),
            ("queue.buffering.max.kbytes", "262144"),
            ("delivery.report.only.error", "true"),
            ("partitioner", "murmur2_random"),
        ] {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        Ok(config)
    }

    pub fn producer(&self, config: &ClientConfig) -> rialto_engine::Result<KafkaProducer> {
        let context = Context::new(&self.table, self.properties.patience(), &self.stderr);
        KafkaProducer::from_config_and_context(config, context)
            .map_err(|e| self.failed(e.to_string()))
    }
}

/// How many partitions a topic has. One that is not there may be made by the broker, because it was
/// asked for: that is waited for a little.
pub(super) fn partitions(producer: &KafkaProducer, topic: &str) -> Result<i32, String> {
    let since = Instant::now();
    loop {
        let metadata =
            producer
                .client()
                .fetch_metadata(Some(topic), producer.context().patience)
                .map_err(|e| format!("no broker answers: {}", explain(&e, producer.context())))?;
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let error = found.and_then(|t| t.error()).map(RDKafkaErrorCode::from);
        let count = found.map_or(0, |t| t.partitions().len());
        match error {
            None if count > 0 => return i32::try_from(count).map_err(|e| e.to_string()),
            None
            | Some(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable,
            ) if since.elapsed() > TOPIC_WAIT => {
                return Err(format!("the topic '{topic}' does not exist"));
            }
            None
            | Some(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable,
            ) => std::thread::sleep(Duration::from_millis(100)),
            Some(error) => return Err(format!("the topic cannot be written: {error}")),
        }
    }
}

/// Sends a record; waits where the client's buffer is full.
pub(super) fn send(
    producer: &KafkaProducer,
    topic: &str,
    record: &Record<'_>,
) -> Result<(), KafkaError> {
    let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
    message.key = record.key;
    message.payload = record.value;
    message.partition = record.partition;
    message.timestamp = record.timestamp;
    if let Some(bytes) = record.headers {
        let mut all = OwnedHeaders::new();
        for (key, value) in headers(bytes) {
            all = all.insert(Header { key, value });
        }
        message.headers = Some(all);
    }
    loop {
        match producer.send(message) {
            Ok(()) => return Ok(()),
            Err((error, back))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                producer.poll(Duration::from_millis(10));
                message = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// The last epoch that is in the topic, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub run: String,
    pub epoch: u64,
}

/// Commits epochs. See the module's documentation.
pub(super) struct Transactions {
    client: Client,
    /// The transactional id, and with an ending the group of the mark.
    id: String,
    timeout: Duration,
    /// Tells this process from others of the same id.
    instance: String,
    claimed: bool,
    producer: Option<KafkaProducer>,
    marks: Option<KafkaConsumer>,
    /// Sleeps before a transaction is committed: lets tests make one expire.
    pub hold: Option<Duration>,
}

/// What to do about an error within a transaction.
enum Verdict {
    /// The same call may go through now.
    CallAgain,
    /// The transaction has to be aborted and done again.
    Abort,
    /// The producer is of no use any more.
    Fatal,
}

impl Transactions {
    pub fn new(client: Client, prefix: &str, instance: String) -> Self {
        let timeout = client.properties.get("transaction.timeout.ms");
        let timeout_ms = timeout.and_then(|t| t.trim().parse().ok());
        let timeout = Duration::from_millis(timeout_ms.unwrap_or(TRANSACTION_TIMEOUT_MS));
        let (producer, marks, hold) = (None, None, None);
        let (id, claimed) = (format!("{prefix}-rialto"), false);
        Self { client, id, timeout, instance, claimed, producer, marks, hold }
    }

    /// Becomes the only one who writes under this transactional id; whoever did before is fenced,
    /// and what it had not committed is aborted.
    pub fn open(&mut self) -> rialto_engine::Result<()> {
        if self.producer.is_some() {
            return Ok(());
        }
        let mut config = self.client.producer_config()?;
        config
            .set("transactional.id", &self.id)
            .set("transaction.timeout.ms", self.timeout.as_millis().to_string());
        // librdkafka wants a record to be given up before its transaction is.
        config.remove("delivery.timeout.ms");
        config.set("message.timeout.ms", self.timeout.as_millis().to_string());
        let producer = self.client.producer(&config)?;
        partitions(&producer, &self.client.topic).map_err(|e| self.client.failed(e))?;
        self.claim()?;
        let begun = Instant::now();
        loop {
            match producer.init_transactions(CALL_TIMEOUT) {
                Ok(()) => break,
                Err(error) => {
                    let again = matches!(verdict(&error), Verdict::CallAgain);
                    let reason = explain(&error, producer.context());
                    if !again || begun.elapsed() > CALL_TIMEOUT * 4 {
                        return Err(self.client.failed(format!(
                            "transactions of '{}' cannot begin: {reason}",
                            self.id
                        )));
                    }
                    producer.context().warn(&format!("{reason}; trying again"));
                }
            }
        }
        self.producer = Some(producer);
        Ok(())
    }

    /// The producer, once open.
    pub fn producer(&self) -> Option<&KafkaProducer> {
        self.producer.as_ref()
    }

    pub fn failed(&self, reason: impl Into<String>) -> EngineError {
        self.client.failed(reason)
    }

    /// Says to others that the sink is this process's from now on; or, if it was before, sees
    /// whether it still is. A broker does not tell a producer whose transaction expired from one
    /// that another process has taken the place of, and only the first may begin again.
    fn claim(&mut self) -> rialto_engine::Result<()> {
        let owners = self.group("owner")?;
        let failed = |e: KafkaError| {
            self.client.failed(format!("no broker answers: {}", explain(&e, owners.context())))
        };
        let topic = self.client.topic.as_str();
        let mut list = TopicPartitionList::new();
        if self.claimed {
            list.add_partition(topic, 0);
            let found = owners.committed_offsets(list, CALL_TIMEOUT).map_err(failed)?;
            let owner = found.find_partition(topic, 0).map(|e| e.metadata().to_owned());
            if owner.as_deref() != Some(&self.instance) {
                return Err(self.fenced(""));
            }
            return Ok(());
        }
        let mut element = list.add_partition(topic, 0);
        element.set_offset(Offset::Offset(0)).map_err(failed)?;
        element.set_metadata(self.instance.as_str());
        owners.commit(&list, CommitMode::Sync).map_err(failed)?;
        self.claimed = true;
        Ok(())
    }

    fn fenced(&self, detail: &str) -> EngineError {
        self.client.failed(format!(
            "another process writes under the same 'sink.transactional-id-prefix' (the \
             transactional id is '{}'), and this one was shut out{detail}",
            self.id
        ))
    }

    /// A client of a group that is named after the sink.
    fn group(&self, ending: &str) -> rialto_engine::Result<KafkaConsumer> {
        let mut config = self.client.properties.config(Side::Consumer)?;
        config
            .set("group.id", format!("{}-{ending}", self.id))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed");
        let patience = self.client.properties.patience();
        let context = Context::new(&self.client.table, patience, &self.client.stderr);
        KafkaConsumer::from_config_and_context(&config, context)
            .map_err(|e| self.client.failed(e.to_string()))
    }

    fn marks(&mut self) -> rialto_engine::Result<&KafkaConsumer> {
        if self.marks.is_none() {
            self.marks = Some(self.group("epochs")?);
        }
        self.marks.as_ref().ok_or_else(|| EngineError::Internal("no consumer of marks".into()))
    }

    /// The mark that stands. To be asked by an open sink: then no transaction is undecided.
    pub fn mark(&mut self) -> rialto_engine::Result<Option<Mark>> {
        self.open()?;
        let topic = self.client.topic.clone();
        let mut asked = TopicPartitionList::new();
        asked
            .add_partition_offset(&topic, 0, Offset::Invalid)
            .map_err(|e| self.client.failed(e.to_string()))?;
        let found = self.marks()?.committed_offsets(asked, CALL_TIMEOUT);
        let list = found.map_err(|e| {
            self.client.failed(format!("cannot see which epoch is in the topic: {e}"))
        })?;
        let element = list.find_partition(&topic, 0);
        let Some(element) = element else { return Ok(None) };
        element.error().map_err(|e| self.client.failed(e.to_string()))?;
        Ok(match element.offset() {
            Offset::Offset(epoch) => {
                let epoch = u64::try_from(epoch).unwrap_or_default();
                Some(Mark { run: element.metadata().to_owned(), epoch })
            }
            _ => None,
        })
    }

    /// Puts the records of an epoch and its mark into the topic, once.
    pub fn commit(&mut self, run: &str, epoch: u64, outbox: &Outbox) -> rialto_engine::Result<()> {
        let mut last = String::new();
        for try_number in 0..TRIES_MAX {
            self.open()?;
            let begun = Instant::now();
            let error = match self.attempt(run, epoch, outbox)? {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            last = match &self.producer {
                Some(producer) => explain(&error, producer.context()),
                None => error.to_string(),
            };
            let aborted = match verdict(&error) {
                Verdict::Fatal => false,
                Verdict::CallAgain | Verdict::Abort => self.abort(),
            };
            if aborted {
                std::thread::sleep(Duration::from_millis(50 << try_number.min(6)));
                continue;
            }
            // The broker itself bumps the epoch of a producer whose transaction took too long.
            // Sooner than that it was somebody else.
            if is_fenced(&error) && begun.elapsed() < self.timeout {
                return Err(self.fenced(&format!(": {last}")));
            }
            self.producer = None;
            // Its end was not seen: the mark tells.
            if self.mark()? == Some(Mark { run: run.to_owned(), epoch }) {
                return Ok(());
            }
        }
        Err(self.client.failed(format!("epoch {epoch} cannot be committed: {last}")))
    }

    /// One transaction, from its beginning to its end. The outer error is final.
    fn attempt(
        &mut self,
        run: &str,
        epoch: u64,
        outbox: &Outbox,
    ) -> rialto_engine::Result<Result<(), KafkaError>> {
        let topic = self.client.topic.clone();
        let group = self
            .marks()?
            .group_metadata()
            .ok_or_else(|| EngineError::Internal("a consumer without a group".into()))?;
        let mut mark = TopicPartitionList::new();
        let offset = i64::try_from(epoch).unwrap_or(i64::MAX);
        let mut element = mark.add_partition(&topic, 0);
        element
            .set_offset(Offset::Offset(offset))
            .map_err(|e| self.client.failed(e.to_string()))?;
        element.set_metadata(run);
        let hold = self.hold.take();
        let Some(producer) = &self.producer else {
            return Err(EngineError::Internal("a transaction without a producer".into()));
        };
        Ok((|| {
            producer.begin_transaction()?;
            for record in outbox.records() {
                send(producer, &topic, &record)?;
            }
            if let Some(hold) = hold {
                producer.flush(CALL_TIMEOUT)?;
                std::thread::sleep(hold);
            }
            again(|| producer.send_offsets_to_transaction(&mark, &group, CALL_TIMEOUT))?;
            again(|| producer.commit_transaction(CALL_TIMEOUT))?;
            match producer.context().take_undelivered() {
                // A transaction with a record that was not delivered cannot have been committed.
                Some(code) => Err(KafkaError::MessageProduction(code)),
                None => Ok(()),
            }
        })())
    }

    /// Aborts the running transaction; `false` where the producer is of no use any more.
    fn abort(&mut self) -> bool {
        let Some(producer) = &self.producer else { return false };
        let aborted = again(|| producer.abort_transaction(CALL_TIMEOUT)).is_ok();
        producer.context().take_undelivered();
        aborted
    }

    /// Sees to it that an epoch that was prepared by an earlier process is in the topic.
    pub fn recover(&mut self, epoch: u64, prepared: &[u8]) -> rialto_engine::Result<()> {
        let (run, seen, outbox) =
            Outbox::decode(prepared).map_err(|reason| self.client.failed(reason))?;
        match self.mark()? {
            Some(mark) if mark.run == run && mark.epoch >= epoch => return Ok(()),
            None if seen.is_some() => {
                return Err(self.client.failed(format!(
                    "whether epoch {epoch} is in the topic cannot be told: the offsets of the \
                     group '{}-epochs' are gone (a broker forgets those of an idle group after \
                     'offsets.retention.minutes'). Start the job anew, or commit any offset for \
                     that group to let epoch {epoch} be written again",
                    self.id
                )));
            }
            _ => {}
        }
        self.commit(&run, epoch, &outbox)
    }
}

/// Calls until the outcome is known.
fn again(call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    for _ in 0..3 {
        match call() {
            Err(error) if matches!(verdict(&error), Verdict::CallAgain) => {}
            outcome => return outcome,
        }
    }
    call()
}

fn verdict(error: &KafkaError) -> Verdict {
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Verdict::Fatal,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Verdict::Abort,
        KafkaError::Transaction(error) if error.is_retriable() => Verdict::CallAgain,
        KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut) => Verdict::CallAgain,
        error if is_fenced(error) => Verdict::Fatal,
        KafkaError::MessageProduction(RDKafkaErrorCode::Fatal) => Verdict::Fatal,
        _ => Verdict::Abort,
    }
}

fn is_fenced(error: &KafkaError) -> bool {
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
        )
    )
}
