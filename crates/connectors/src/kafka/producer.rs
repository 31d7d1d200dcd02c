//! Producers: how they are made, and how they take records, many with one call.

use std::ops::Deref;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rialto_engine::{CommitError, EngineError};

use super::client::{Context, KafkaProducer, explain};
use super::native::TopicQueue;
use super::outbox::{Record, headers};
use super::properties::{Properties, Side};
use crate::spec::Output;

/// How long a topic is waited for that a broker may be making.
const TOPIC_WAIT: Duration = Duration::from_secs(2);
/// How many records are handed over with one call. Those without a key go to one partition, as
/// Kafka's clients have it: a broker is sent fewer and larger batches.
const BATCH: usize = 4096;
/// How long a full buffer is waited for before it is tried again.
const FULL_WAIT: Duration = Duration::from_millis(10);

/// What a client needs to be made.
#[derive(Clone)]
pub(super) struct Client {
    pub table: String,
    pub topic: String,
    pub properties: Properties,
    pub stderr: Output,
}

impl Client {
    /// What will not get better by waiting.
    pub fn refused(&self, reason: impl Into<String>) -> CommitError {
        CommitError::Refused(self.failed(reason))
    }

    /// What may.
    pub fn away(&self, reason: impl Into<String>) -> CommitError {
        CommitError::Away(self.failed(reason))
    }

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

    /// A producer for the topic, which has to be there.
    pub fn producer(&self, config: &ClientConfig) -> Result<TopicProducer, CommitError> {
        let context = Context::new(&self.table, self.properties.patience(), &self.stderr);
        let producer = KafkaProducer::from_config_and_context(config, context)
            .map_err(|e| self.refused(e.to_string()))?;
        let partitions = partitions(&producer, &self.topic).map_err(|e| match e {
            NoTopic::Away(reason) => self.away(reason),
            NoTopic::Refused(reason) => self.refused(reason),
        })?;
        Ok(TopicProducer { producer, topic: self.topic.clone(), partitions, next: 0 })
    }
}

/// A producer for one topic.
pub(super) struct TopicProducer {
    producer: KafkaProducer,
    topic: String,
    partitions: i32,
    /// Where the next records go that may go anywhere.
    next: i32,
}

impl Deref for TopicProducer {
    type Target = KafkaProducer;

    fn deref(&self) -> &KafkaProducer {
        &self.producer
    }
}

impl TopicProducer {
    /// How many partitions the topic had when it was asked for.
    pub fn partitions(&self) -> i32 {
        self.partitions
    }

    /// What an error means, with the last trouble of the client.
    pub fn explain(&self, error: &KafkaError) -> String {
        explain(error, self.producer.context())
    }

    /// Sends records in order; waits where the client's buffer is full.
    pub fn send<'r>(
        &mut self,
        records: impl Iterator<Item = Record<'r>>,
    ) -> Result<(), KafkaError> {
        let queue = TopicQueue::open(&self.producer, &self.topic)?;
        let mut batch = Vec::with_capacity(BATCH);
        for record in records {
            if record.timestamp.is_some() || record.headers.is_some() {
                // The call for many knows of neither.
                send_all(&queue, &mut batch, self.next)?;
                self.send_one(&record)?;
                continue;
            }
            batch.push(record);
            if batch.len() == BATCH {
                send_all(&queue, &mut batch, self.next)?;
                self.next = (self.next + 1) % self.partitions.max(1);
            }
        }
        send_all(&queue, &mut batch, self.next)?;
        self.next = (self.next + 1) % self.partitions.max(1);
        Ok(())
    }

    fn send_one(&self, record: &Record<'_>) -> Result<(), KafkaError> {
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic);
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
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((error, back))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
                {
                    self.producer.poll(FULL_WAIT);
                    message = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

/// Hands over all records of a batch, which is empty then; those that may go anywhere go to
/// `anywhere`.
fn send_all(
    queue: &TopicQueue<'_>,
    batch: &mut Vec<Record<'_>>,
    anywhere: i32,
) -> Result<(), KafkaError> {
    let mut rest = batch.as_slice();
    while let Some(first) = rest.first() {
        let to = destination(first, anywhere);
        let run = rest.iter().take_while(|r| destination(r, anywhere) == to).count();
        let (mut these, after) = rest.split_at(run);
        while !these.is_empty() {
            let taken = queue.produce(to, these)?;
            these = &these[taken..];
            if !these.is_empty() {
                queue.producer().poll(FULL_WAIT);
            }
        }
        rest = after;
    }
    batch.clear();
    Ok(())
}

/// The partition of a record; `None` leaves it to the key.
fn destination(record: &Record<'_>, anywhere: i32) -> Option<i32> {
    match (record.partition, record.key) {
        (Some(partition), _) => Some(partition),
        (None, Some(_)) => None,
        (None, None) => Some(anywhere),
    }
}

/// Why nothing is known of a topic.
enum NoTopic {
    /// No broker answers.
    Away(String),
    /// It is not there, or not for us.
    Refused(String),
}

/// How many partitions a topic has. One that is not there may be made by the broker, because it was
/// asked for: that is waited for a little.
fn partitions(producer: &KafkaProducer, topic: &str) -> Result<i32, NoTopic> {
    let since = Instant::now();
    loop {
        let client = producer.client();
        let metadata = client.fetch_metadata(Some(topic), producer.context().patience);
        let metadata = metadata.map_err(|e| {
            let reason = explain(&e, producer.context());
            NoTopic::Away(format!("no broker answers: {reason}"))
        })?;
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let error = found.and_then(|t| t.error()).map(RDKafkaErrorCode::from);
        let count = found.map_or(0, |t| t.partitions().len());
        match error {
            None if count > 0 => return Ok(i32::try_from(count).unwrap_or(i32::MAX)),
            None
            | Some(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable,
            ) if since.elapsed() > TOPIC_WAIT => {
                return Err(NoTopic::Refused(format!("the topic '{topic}' does not exist")));
            }
            None
            | Some(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable,
            ) => std::thread::sleep(Duration::from_millis(100)),
            Some(error) => {
                return Err(NoTopic::Refused(format!("the topic cannot be written: {error}")));
            }
        }
    }
}
