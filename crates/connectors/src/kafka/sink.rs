//! Rows into topics.
//!
//! What is promised depends on `sink.delivery-guarantee`. With `none` and `at-least-once` records
//! go out as they come; `at-least-once` waits for all of them before an epoch is prepared. With
//! `exactly-once` the records of an epoch are kept until it is committed and then go out in one
//! transaction: see `transaction.rs`.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rdkafka::producer::Producer;
use rialto_engine::{Delta, Sink};

use super::client::{KafkaProducer, explain};
use super::encode::{HalfWriter, MetadataWriter, timestamp_ms};
use super::options::{Guarantee, KafkaOptions, Partitioner, Topics};
use super::outbox::{Outbox, Record};
use super::transaction::{Client, Transactions, partitions, send};
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
    transactions: Transactions,
    /// Names the epochs of this run.
    run: String,
    /// What this run has seen of the mark, if anything.
    seen: Option<String>,
    opened: bool,
    outbox: Outbox,
    prepared: BTreeMap<u64, Outbox>,
    committed: Option<u64>,
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
                let run = unique();
                Delivery::Transactional(Box::new(Transactional {
                    transactions: Transactions::new(client, prefix, run.clone()),
                    run,
                    seen: None,
                    opened: false,
                    outbox: Outbox::default(),
                    prepared: BTreeMap::new(),
                    committed: None,
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
            Delivery::Transactional(t) => t.transactions.failed(reason),
        }
    }

    /// For tests: lets the next transaction wait before its end, longer than it may last.
    #[doc(hidden)]
    pub fn hold_next_transaction(&mut self, hold: std::time::Duration) {
        if let Delivery::Transactional(sink) = &mut self.delivery {
            sink.transactions.hold = Some(hold);
        }
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        let (batch, retracts) = self.rows(delta)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.delivery.open()?;
        self.spread.ask(&self.topic, &self.delivery)?;
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

    fn prepare(&mut self, epoch: u64) -> rialto_engine::Result<Vec<u8>> {
        match &mut self.delivery {
            Delivery::Direct(direct) => direct.flush().map(|()| Vec::new()),
            Delivery::Transactional(sink) => {
                sink.open()?;
                let outbox = std::mem::take(&mut sink.outbox);
                let kept = outbox.encode(&sink.run, sink.seen.as_deref());
                sink.prepared.insert(epoch, outbox);
                Ok(kept)
            }
        }
    }

    fn commit(&mut self, epoch: u64) -> rialto_engine::Result<()> {
        match &mut self.delivery {
            Delivery::Direct(_) => Ok(()),
            Delivery::Transactional(sink) => sink.commit(epoch),
        }
    }

    fn recover(&mut self, epoch: u64, prepared: &[u8]) -> rialto_engine::Result<()> {
        match &mut self.delivery {
            Delivery::Direct(_) => Ok(()),
            // The checkpoint is from when the sink promised less.
            Delivery::Transactional(_) if prepared.is_empty() => Ok(()),
            Delivery::Transactional(sink) => {
                sink.transactions.recover(epoch, prepared)?;
                sink.open()?;
                sink.committed = Some(epoch);
                Ok(())
            }
        }
    }
}

impl Spread {
    /// Learns how many partitions there are, where that is needed.
    fn ask(&mut self, topic: &str, delivery: &Delivery) -> rialto_engine::Result<()> {
        if self.partitions > 0 || self.by != Partitioner::RoundRobin {
            return Ok(());
        }
        let Some(producer) = delivery.producer() else { return Ok(()) };
        self.partitions = partitions(producer, topic).map_err(|e| delivery.failed(&e))?;
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

impl Delivery {
    fn open(&mut self) -> rialto_engine::Result<()> {
        match self {
            Self::Direct(direct) => direct.open(),
            Self::Transactional(sink) => sink.open(),
        }
    }

    fn producer(&self) -> Option<&KafkaProducer> {
        match self {
            Self::Direct(direct) => direct.producer.as_ref(),
            Self::Transactional(sink) => sink.transactions.producer(),
        }
    }

    fn failed(&self, reason: &str) -> rialto_engine::EngineError {
        match self {
            Self::Direct(direct) => direct.client.failed(reason),
            Self::Transactional(sink) => sink.transactions.failed(reason),
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
            partitions(&producer, &self.client.topic).map_err(|e| self.client.failed(e))?;
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
    /// Shuts out whoever wrote before, and learns what is in the topic.
    fn open(&mut self) -> rialto_engine::Result<()> {
        if !self.opened {
            self.transactions.open()?;
            let mark = self.transactions.mark()?;
            self.seen = mark.map(|mark| format!("{}/{}", mark.run, mark.epoch));
            self.opened = true;
        }
        Ok(())
    }

    fn commit(&mut self, epoch: u64) -> rialto_engine::Result<()> {
        if self.committed.is_some_and(|committed| committed >= epoch) {
            return Ok(());
        }
        while let Some((&next, outbox)) = self.prepared.first_key_value()
            && next <= epoch
        {
            self.transactions.commit(&self.run, next, outbox)?;
            self.seen = Some(format!("{}/{next}", self.run));
            self.committed = Some(next);
            self.prepared.remove(&next);
        }
        Ok(())
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
