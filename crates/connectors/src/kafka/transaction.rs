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

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};
use rialto_engine::{CommitError, Committer, EngineError};

use super::client::{Context, KafkaConsumer, explain};
use super::outbox::Outbox;
use super::producer::{Client, TopicProducer};
use super::properties::Side;

/// Java's default, and Flink's is an hour; a transaction here lasts as long as it takes to send.
const TRANSACTION_TIMEOUT_MS: u64 = 60_000;
/// How long one call may take before its outcome is looked at.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often an epoch that a broker does not take, for a reason that may pass, is tried in a row.
const TRIES_MAX: usize = 20;

type Commit<T> = Result<T, CommitError>;

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
    producer: Option<TopicProducer>,
    marks: Option<KafkaConsumer>,
    /// An epoch of which it is not known whether it is in the topic.
    unknown: Option<Mark>,
    /// What is known of the mark, for the epochs that are prepared meanwhile.
    seen: Seen,
    /// Sleeps before a transaction is committed: lets tests make one expire.
    hold: Hold,
}

/// The last mark that was seen, shared between who prepares epochs and who commits them.
pub(super) type Seen = Arc<Mutex<Option<Mark>>>;
/// How long the next transaction waits before its end.
pub(super) type Hold = Arc<Mutex<Option<Duration>>>;

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
    pub fn new(client: Client, prefix: &str, instance: String, seen: Seen, hold: Hold) -> Self {
        let timeout = client.properties.get("transaction.timeout.ms");
        let timeout_ms = timeout.and_then(|t| t.trim().parse().ok());
        let timeout = Duration::from_millis(timeout_ms.unwrap_or(TRANSACTION_TIMEOUT_MS));
        let (producer, marks, unknown) = (None, None, None);
        let (id, claimed) = (format!("{prefix}-rialto"), false);
        Self { client, id, timeout, instance, claimed, producer, marks, unknown, seen, hold }
    }

    /// Becomes the only one who writes under this transactional id; whoever did before is fenced,
    /// and what it had not committed is aborted.
    fn open(&mut self) -> Commit<()> {
        if self.producer.is_some() {
            return Ok(());
        }
        let mut config = self.client.producer_config().map_err(CommitError::Refused)?;
        config
            .set("transactional.id", &self.id)
            .set("transaction.timeout.ms", self.timeout.as_millis().to_string());
        // librdkafka wants a record to be given up before its transaction is.
        config.remove("delivery.timeout.ms");
        config.set("message.timeout.ms", self.timeout.as_millis().to_string());
        let producer = self.client.producer(&config)?;
        self.claim()?;
        let begun = Instant::now();
        loop {
            match producer.init_transactions(CALL_TIMEOUT) {
                Ok(()) => break,
                Err(error) => {
                    let again = matches!(verdict(&error), Verdict::CallAgain);
                    let reason = producer.explain(&error);
                    let reason = format!("transactions of '{}' cannot begin: {reason}", self.id);
                    if !again && !is_away(&error) {
                        return Err(self.client.refused(reason));
                    }
                    if !again || begun.elapsed() > CALL_TIMEOUT {
                        return Err(self.client.away(reason));
                    }
                    producer.context().warn(&format!("{reason}; trying again"));
                }
            }
        }
        self.producer = Some(producer);
        Ok(())
    }

    /// Says to others that the sink is this process's from now on; or, if it was before, sees
    /// whether it still is. A broker does not tell a producer whose transaction expired from one
    /// that another process has taken the place of, and only the first may begin again.
    fn claim(&mut self) -> Commit<()> {
        let owners = self.group("owner")?;
        let failed = |e: KafkaError| {
            self.client.away(format!("no broker answers: {}", explain(&e, owners.context())))
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

    fn fenced(&self, detail: &str) -> CommitError {
        self.client.refused(format!(
            "another process writes under the same 'sink.transactional-id-prefix' (the \
             transactional id is '{}'), and this one was shut out{detail}",
            self.id
        ))
    }

    /// A client of a group that is named after the sink.
    fn group(&self, ending: &str) -> Commit<KafkaConsumer> {
        let config = self.client.properties.config(Side::Consumer);
        let mut config = config.map_err(|e| CommitError::Refused(e.into()))?;
        config
            .set("group.id", format!("{}-{ending}", self.id))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed");
        let patience = self.client.properties.patience();
        let context = Context::new(&self.client.table, patience, &self.client.stderr);
        KafkaConsumer::from_config_and_context(&config, context)
            .map_err(|e| self.client.refused(e.to_string()))
    }

    fn marks(&mut self) -> Commit<&KafkaConsumer> {
        if self.marks.is_none() {
            self.marks = Some(self.group("epochs")?);
        }
        self.marks.as_ref().ok_or_else(|| internal("no consumer of marks"))
    }

    /// The mark that stands. To be asked by an open sink: then no transaction is undecided.
    fn mark(&mut self) -> Commit<Option<Mark>> {
        self.open()?;
        let topic = self.client.topic.clone();
        let mut asked = TopicPartitionList::new();
        asked
            .add_partition_offset(&topic, 0, Offset::Invalid)
            .map_err(|e| self.client.refused(e.to_string()))?;
        let found = self.marks()?.committed_offsets(asked, CALL_TIMEOUT);
        let list = found.map_err(|e| {
            self.client.away(format!("cannot see which epoch is in the topic: {e}"))
        })?;
        let element = list.find_partition(&topic, 0);
        let Some(element) = element else { return Ok(None) };
        element.error().map_err(|e| self.client.away(e.to_string()))?;
        let mark = match element.offset() {
            Offset::Offset(epoch) => {
                let epoch = u64::try_from(epoch).unwrap_or_default();
                Some(Mark { run: element.metadata().to_owned(), epoch })
            }
            _ => None,
        };
        self.see(mark.clone());
        Ok(mark)
    }

    /// Whether what was last seen of the mark says that an epoch is in the topic.
    fn has_seen(&self, mark: &Mark) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().is_some_and(|seen| seen.run == mark.run && seen.epoch >= mark.epoch)
    }

    fn see(&self, mark: Option<Mark>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = mark;
    }

    /// Puts the records of an epoch and its mark into the topic, once.
    fn put(&mut self, mark: &Mark, outbox: &Outbox) -> Commit<()> {
        if self.unknown.is_some() {
            self.mark()?;
            self.unknown = None;
        }
        if self.has_seen(mark) {
            return Ok(());
        }
        let mut last = String::new();
        for try_number in 0..TRIES_MAX {
            self.open()?;
            let begun = Instant::now();
            let error = match self.attempt(mark, outbox)? {
                Ok(()) => {
                    self.see(Some(mark.clone()));
                    return Ok(());
                }
                Err(error) => error,
            };
            last = match &self.producer {
                Some(producer) => producer.explain(&error),
                None => error.to_string(),
            };
            let aborted = match verdict(&error) {
                Verdict::Fatal => false,
                Verdict::CallAgain | Verdict::Abort => self.abort(),
            };
            if aborted {
                if is_away(&error) {
                    return Err(self.client.away(last));
                }
                std::thread::sleep(Duration::from_millis(50 << try_number.min(6)));
                continue;
            }
            // The broker itself bumps the epoch of a producer whose transaction took too long.
            // Sooner than that it was somebody else.
            if is_fenced(&error) && begun.elapsed() < self.timeout {
                return Err(self.fenced(&format!(": {last}")));
            }
            self.producer = None;
            // Its end was not seen: the mark tells, as soon as a broker can be asked.
            self.unknown = Some(mark.clone());
            self.mark()?;
            self.unknown = None;
            if self.has_seen(mark) {
                return Ok(());
            }
        }
        Err(self.client.refused(format!("epoch {} cannot be committed: {last}", mark.epoch)))
    }

    /// One transaction, from its beginning to its end. The outer error is final.
    fn attempt(&mut self, mark: &Mark, outbox: &Outbox) -> Commit<Result<(), KafkaError>> {
        let topic = self.client.topic.clone();
        let group = self.marks()?.group_metadata();
        let group = group.ok_or_else(|| internal("a consumer without a group"))?;
        let mut offsets = TopicPartitionList::new();
        let offset = i64::try_from(mark.epoch).unwrap_or(i64::MAX);
        let mut element = offsets.add_partition(&topic, 0);
        element
            .set_offset(Offset::Offset(offset))
            .map_err(|e| self.client.refused(e.to_string()))?;
        element.set_metadata(mark.run.as_str());
        let hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(producer) = &mut self.producer else {
            return Err(internal("a transaction without a producer"));
        };
        Ok((|| {
            producer.begin_transaction()?;
            producer.send(outbox.records())?;
            if let Some(hold) = hold {
                producer.flush(CALL_TIMEOUT)?;
                std::thread::sleep(hold);
            }
            again(|| producer.send_offsets_to_transaction(&offsets, &group, CALL_TIMEOUT))?;
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

    /// Fails where a mark should be there and is not.
    fn missing(&self, epoch: u64) -> CommitError {
        self.client.refused(format!(
            "whether epoch {epoch} is in the topic cannot be told: the offsets of the group \
             '{}-epochs' are gone (a broker forgets those of an idle group after \
             'offsets.retention.minutes'). Start the job anew, or commit any offset for that group \
             to let epoch {epoch} be written again",
            self.id
        ))
    }
}

impl Committer for Transactions {
    fn commit(&mut self, epoch: u64, prepared: &[u8]) -> Commit<()> {
        let (run, _, outbox) =
            Outbox::decode(prepared).map_err(|reason| self.client.refused(reason))?;
        self.put(&Mark { run, epoch }, &outbox)
    }

    fn recover(&mut self, pending: &[(u64, Vec<u8>)]) -> Commit<()> {
        // Whoever wrote before is shut out, and what it left open is aborted.
        self.open()?;
        let mut left = Vec::new();
        for (epoch, prepared) in pending {
            let decoded = Outbox::decode(prepared);
            let (run, seen, outbox) = decoded.map_err(|reason| self.client.refused(reason))?;
            left.push((Mark { run, epoch: *epoch }, seen, outbox));
        }
        let found = self.mark()?;
        if let (None, Some((mark, Some(_), _))) = (&found, left.first()) {
            return Err(self.missing(mark.epoch));
        }
        // They go out in order: with the one that is marked all before it are there, also those
        // that an earlier run than its own had prepared.
        let is_there =
            |m: &Mark| found.as_ref().is_some_and(|f| f.run == m.run && f.epoch >= m.epoch);
        let there = left.iter().rposition(|(mark, ..)| is_there(mark)).map_or(0, |at| at + 1);
        left.drain(..there);
        left.iter().try_for_each(|(mark, _, outbox)| self.put(mark, outbox))
    }
}

fn internal(reason: &str) -> CommitError {
    CommitError::Refused(EngineError::Internal(reason.into()))
}

/// Whether an error is of a broker that cannot be reached, or not yet.
pub(super) fn is_away(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::MessageTimedOut
                | Code::RequestTimedOut
                | Code::BrokerNotAvailable
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::ConcurrentTransactions
                | Code::NetworkException
        )
    )
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
