//! Rows into topics.
//!
//! What is promised depends on `sink.delivery-guarantee`. With `none` and `at-least-once` records
//! go out as they come; `at-least-once` waits for all of them before an epoch is prepared. With
//! `exactly-once` the records of an epoch are kept until it is committed and then go out in one
//! transaction: see `transaction.rs`.

use std::sync::PoisonError;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rdkafka::producer::Producer;
use rialto_engine::{Committer, Delta, Sink};

use super::client::{KafkaProducer, explain};
use super::encode::{HalfWriter, MetadataWriter, timestamp_ms};
use super::options::{Guarantee, KafkaOptions, Partitioner, Topics};
use super::outbox::{Outbox, Record};
use super::transaction::{Client, Hold, Seen, Transactions, partitions, send};
use crate::changelog::{RowKind, changes};
use crate::error::{ConnectorError, Result};
use crate::spec::{Environment, TableSpec};

/// How long a record may wait to be delivered, as the Java client has it.
const DELIVERY_TIMEOUT_MS: &str = "300000";

/// Writes a table of a topic.
pub struct KafkaSink {
    topic: String,
    value: HalfWriter,
    key: Option<HalfWriter>,
    metadata: MetadataWriter,
    form: Form,
    upsert_key: Option<Vec<usize>>,
    spread: Spread,
    delivery: Delivery,
}

/// What becomes of a row that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// There is none.
    Append,
    /// The format says so.
    Changes,
    /// A tombstone, unless the row of the key has another version.
    Upsert,
}

/// The choice of partitions, where it is ours.
struct Spread {
    by: Partitioner,
    /// How many partitions there are; 0 until the broker was asked.
    partitions: i32,
    next: i32,
}

enum Delivery {
    Direct(Box<Direct>),
    Transactional(Box<Transactional>),
}

/// Records that go out as they come.
struct Direct {
    client: Client,
    producer: Option<KafkaProducer>,
    waits: bool,
}

/// Records that go out when their epoch is committed.
struct Transactional {
    /// Who commits them, until it is asked for.
    transactions: Option<Transactions>,
    /// Names the epochs of this run.
    run: String,
    /// What this run has seen of the mark, if anything.
    seen: Seen,
    hold: Hold,
    outbox: Outbox,
    client: Client,
    /// Asks how many partitions there are.
    asking: Option<KafkaProducer>,
}

impl KafkaSink {
    /// Opens a table for writing. Nothing is sent, and no broker asked, before the first row.
    pub fn new(spec: &TableSpec, environment: &Environment, upsert: bool) -> Result<Self> {
        let options = KafkaOptions::read(spec, upsert)?;
        let topic = match &options.topics {
            Topics::List(names) if names.len() == 1 => names[0].clone(),
            _ => {
                return Err(ConnectorError::new(format!(
                    "table '{}' cannot be written",
                    spec.name
                ))
                .detail("it names more than one topic, or a pattern")
                .hint("'topic' has to name the one topic to write to"));
            }
        };
        let form = match (upsert, options.value.format.changelog) {
            (true, _) => Form::Upsert,
            (false, true) => Form::Changes,
            (false, false) => Form::Append,
        };
        let client = Client {
            table: spec.name.clone(),
            topic: topic.clone(),
            properties: options.properties.clone(),
            stderr: environment.stderr.clone(),
        };
        let delivery = match (options.guarantee, options.id_prefix) {
            (Guarantee::ExactlyOnce, Some(prefix)) => {
                let (run, seen, hold) = (unique(), Seen::default(), Hold::default());
                let (theirs, held) = (Seen::clone(&seen), Hold::clone(&hold));
                let transactions =
                    Transactions::new(client.clone(), prefix, run.clone(), theirs, held);
                Delivery::Transactional(Box::new(Transactional {
                    transactions: Some(transactions),
                    run,
                    seen,
                    hold,
                    outbox: Outbox::default(),
                    client,
                    asking: None,
                }))
            }
            (guarantee, _) => Delivery::Direct(Box::new(Direct {
                client,
                producer: None,
                waits: guarantee != Guarantee::None,
            })),
        };
        Ok(Self {
            topic,
            value: HalfWriter::new(&options.value)?,
            key: options.key.as_ref().map(HalfWriter::new).transpose()?,
            metadata: MetadataWriter::new(spec, &options)?,
            form,
            upsert_key: match upsert {
                true => options.key.as_ref().map(|k| k.columns.clone()),
                false => spec.changelog.upsert_key.clone(),
            },
            spread: Spread { by: options.partitioner, partitions: 0, next: 0 },
            delivery,
        })
    }

    /// The rows to write, in order, and which of them are taken back.
    fn rows(&self, delta: &Delta) -> rialto_engine::Result<(RecordBatch, Vec<bool>)> {
        let all = changes(delta, self.upsert_key.as_deref())?;
        let mut indices = Vec::with_capacity(all.len());
        let mut retracts = Vec::with_capacity(all.len());
        for (kind, row) in all {
            match self.form {
                Form::Append if kind.retracts() => {
                    return Err(self.failed(
                        "the input takes a row back, and the topic can only be appended to",
                    ));
                }
                // The new version of the row follows, and takes its place.
                Form::Upsert if kind == RowKind::UpdateBefore => continue,
                _ => {}
            }
            indices.push(u32::try_from(row).unwrap_or(u32::MAX));
            retracts.push(kind.retracts());
        }
        let plain = delta.weights().is_none() && indices.len() == delta.num_rows();
        let batch = match plain {
            true => delta.batch().clone(),
            false => take_record_batch(delta.batch(), &UInt32Array::from(indices))?,
        };
        Ok((batch, retracts))
    }

    fn failed(&self, reason: &str) -> rialto_engine::EngineError {
        match &self.delivery {
            Delivery::Direct(direct) => direct.client.failed(reason),
            Delivery::Transactional(sink) => sink.client.failed(reason),
        }
    }

    /// For tests: lets the next transaction wait before its end, longer than it may last.
    #[doc(hidden)]
    pub fn hold_next_transaction(&mut self, hold: std::time::Duration) {
        if let Delivery::Transactional(sink) = &mut self.delivery {
            *sink.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
        }
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        let (batch, retracts) = self.rows(delta)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if let Delivery::Direct(direct) = &mut self.delivery {
            direct.open()?;
        }
        self.spread.ask(&self.topic, &mut self.delivery)?;
        let signs = (self.form == Form::Changes).then_some(retracts.as_slice());
        let values = self.value.encode(&batch, signs)?;
        let keys = self.key.as_mut().map(|key| key.encode(&batch, None)).transpose()?;
        let timestamps = self.metadata.timestamps(&batch)?;
        for row in 0..batch.num_rows() {
            let headers = self.metadata.headers(&batch, row)?;
            let tombstone = self.form == Form::Upsert && retracts[row];
            let record = Record {
                partition: self.spread.next(),
                timestamp: timestamp_ms(timestamps.as_ref(), row),
                key: keys.as_ref().and_then(|keys| keys.row(row)),
                value: if tombstone { None } else { values.row(row) },
                headers: headers.as_deref(),
            };
            match &mut self.delivery {
                Delivery::Direct(direct) => direct.send(&record)?,
                Delivery::Transactional(sink) => sink.outbox.push(&record),
            }
        }
        Ok(())
    }

    fn prepare(&mut self, _: u64) -> rialto_engine::Result<Vec<u8>> {
        match &mut self.delivery {
            Delivery::Direct(direct) => direct.flush().map(|()| Vec::new()),
            Delivery::Transactional(sink) => Ok(sink.prepare()),
        }
    }

    fn commit(&mut self, _: u64) -> rialto_engine::Result<()> {
        Ok(())
    }

    fn recover(&mut self, _: u64, _: &[u8]) -> rialto_engine::Result<()> {
        Ok(())
    }

    fn committer(&mut self) -> Option<Box<dyn Committer>> {
        match &mut self.delivery {
            Delivery::Direct(_) => None,
            Delivery::Transactional(sink) => {
                sink.transactions.take().map(|t| Box::new(t) as Box<dyn Committer>)
            }
        }
    }
}

impl Spread {
    /// Learns how many partitions there are, where that is needed.
    fn ask(&mut self, topic: &str, delivery: &mut Delivery) -> rialto_engine::Result<()> {
        if self.partitions > 0 || self.by != Partitioner::RoundRobin {
            return Ok(());
        }
        let (found, client) = match delivery {
            Delivery::Direct(direct) => match &direct.producer {
                Some(producer) => (partitions(producer, topic), &direct.client),
                None => return Ok(()),
            },
            Delivery::Transactional(sink) => {
                let producer = match sink.asking.take() {
                    Some(producer) => producer,
                    None => sink.client.producer(&sink.client.producer_config()?)?,
                };
                (partitions(sink.asking.insert(producer), topic), &sink.client)
            }
        };
        self.partitions = found.map_err(|e| client.failed(e.reason()))?;
        Ok(())
    }

    fn next(&mut self) -> Option<i32> {
        match self.by {
            Partitioner::Default => None,
            Partitioner::Fixed => Some(0),
            Partitioner::RoundRobin => {
                let partition = self.next;
                self.next = (self.next + 1) % self.partitions.max(1);
                Some(partition)
            }
        }
    }
}

impl Direct {
    fn open(&mut self) -> rialto_engine::Result<()> {
        if self.producer.is_none() {
            let mut config = self.client.producer_config()?;
            if config.get("delivery.timeout.ms").is_none() {
                config.set("delivery.timeout.ms", DELIVERY_TIMEOUT_MS);
            }
            let producer = self.client.producer(&config)?;
            partitions(&producer, &self.client.topic)
                .map_err(|e| self.client.failed(e.reason()))?;
            self.producer = Some(producer);
        }
        Ok(())
    }

    fn send(&mut self, record: &Record<'_>) -> rialto_engine::Result<()> {
        let Some(producer) = &self.producer else { return Ok(()) };
        send(producer, &self.client.topic, record)
            .map_err(|e| self.client.failed(explain(&e, producer.context())))?;
        self.check()
    }

    /// Fails where a record could not be delivered.
    fn check(&self) -> rialto_engine::Result<()> {
        let Some(producer) = &self.producer else { return Ok(()) };
        match producer.context().take_undelivered() {
            Some(code) if self.waits => {
                let trouble = producer.context().trouble().map(|t| format!("; {t}"));
                let trouble = trouble.unwrap_or_default();
                Err(self.client.failed(format!("a record was not delivered: {code}{trouble}")))
            }
            _ => Ok(()),
        }
    }

    /// Waits until every record is delivered.
    fn flush(&mut self) -> rialto_engine::Result<()> {
        let Some(producer) = &self.producer else { return Ok(()) };
        while producer.in_flight_count() > 0 {
            // A time-out of this call is none of a record's: those have one of their own.
            let _ = producer.flush(producer.context().patience);
            self.check()?;
            if !self.waits {
                break;
            }
        }
        self.check()
    }
}

impl Transactional {
    fn prepare(&mut self) -> Vec<u8> {
        let outbox = std::mem::take(&mut self.outbox);
        if outbox.is_empty() {
            return Vec::new();
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.as_ref().map(|mark| format!("{}/{}", mark.run, mark.epoch));
        outbox.encode(&self.run, seen.as_deref())
    }
}

/// A text that no other process has.
fn unique() -> String {
    use std::hash::{BuildHasher, Hasher};
    use std::time::{SystemTime, UNIX_EPOCH};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    format!("{nanos:x}-{:x}", hasher.finish())
}
