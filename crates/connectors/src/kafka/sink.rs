//! Rows into topics.
//!
//! What is promised depends on `sink.delivery-guarantee`. With `none` records go out as they come,
//! and nobody asks what became of them. With `at-least-once` and `exactly-once` the records of an
//! epoch are kept until it is committed, and then go out beside the job: as they are, again and
//! again until all are acknowledged (`sending.rs`), or in one transaction (`transaction.rs`).

use std::sync::PoisonError;
use std::time::Duration;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rdkafka::producer::Producer;
use rialto_engine::{Committer, Delta, Sink};

use super::encode::{HalfWriter, MetadataWriter, timestamp_ms};
use super::options::{Guarantee, KafkaOptions, Partitioner, Topics};
use super::outbox::{Outbox, Record};
use super::producer::{Client, TopicProducer};
use super::sending::Sending;
use super::transaction::{Hold, Seen, Transactions};
use crate::changelog::{RowKind, changes};
use crate::error::{ConnectorError, Result};
use crate::spec::{Environment, TableSpec};

/// How long a checkpoint waits for records that nobody promised.
const FLUSH: Duration = Duration::from_millis(200);

/// Writes a table of a topic.
pub struct KafkaSink {
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
    Kept(Box<Kept>),
}

/// Records that go out as they come.
struct Direct {
    client: Client,
    producer: Option<TopicProducer>,
    /// The records of the rows at hand.
    outbox: Outbox,
}

/// Records that go out when their epoch is committed.
struct Kept {
    /// Who commits them, until it is asked for.
    committer: Option<Box<dyn Committer>>,
    /// Names the epochs of this run.
    run: String,
    /// What this run has seen of the mark, if anything.
    seen: Seen,
    hold: Hold,
    outbox: Outbox,
    client: Client,
    /// Asks how many partitions there are.
    asking: Option<TopicProducer>,
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
            topic,
            properties: options.properties.clone(),
            stderr: environment.stderr.clone(),
        };
        let (run, seen, hold) = (unique(), Seen::default(), Hold::default());
        let committer: Option<Box<dyn Committer>> = match (options.guarantee, options.id_prefix) {
            (Guarantee::ExactlyOnce, Some(prefix)) => {
                let (theirs, held) = (Seen::clone(&seen), Hold::clone(&hold));
                let run = run.clone();
                Some(Box::new(Transactions::new(client.clone(), prefix, run, theirs, held)))
            }
            (Guarantee::None, _) => None,
            _ => Some(Box::new(Sending::new(client.clone()))),
        };
        let delivery = match committer {
            None => Delivery::Direct(Box::new(Direct {
                client,
                producer: None,
                outbox: Outbox::default(),
            })),
            committer => {
                let (outbox, asking) = (Outbox::default(), None);
                Delivery::Kept(Box::new(Kept {
                    committer,
                    run,
                    seen,
                    hold,
                    outbox,
                    client,
                    asking,
                }))
            }
        };
        Ok(Self {
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
            Delivery::Kept(sink) => sink.client.failed(reason),
        }
    }

    /// For tests: lets the next transaction wait before its end, longer than it may last.
    #[doc(hidden)]
    pub fn hold_next_transaction(&mut self, hold: Duration) {
        if let Delivery::Kept(sink) = &mut self.delivery {
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
        self.spread.ask(&mut self.delivery)?;
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
                Delivery::Direct(direct) => direct.outbox.push(&record),
                Delivery::Kept(sink) => sink.outbox.push(&record),
            }
        }
        match &mut self.delivery {
            Delivery::Direct(direct) => direct.send(),
            Delivery::Kept(_) => Ok(()),
        }
    }

    fn prepare(&mut self, _: u64) -> rialto_engine::Result<Vec<u8>> {
        match &mut self.delivery {
            Delivery::Direct(direct) => {
                direct.flush();
                Ok(Vec::new())
            }
            Delivery::Kept(sink) => Ok(sink.prepare()),
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
            Delivery::Kept(sink) => sink.committer.take(),
        }
    }
}

impl Spread {
    /// Learns how many partitions there are, where that is needed.
    fn ask(&mut self, delivery: &mut Delivery) -> rialto_engine::Result<()> {
        if self.partitions > 0 || self.by != Partitioner::RoundRobin {
            return Ok(());
        }
        let producer = match delivery {
            Delivery::Direct(direct) => direct.open()?,
            Delivery::Kept(sink) => {
                let producer = match sink.asking.take() {
                    Some(producer) => producer,
                    None => sink.client.producer(&sink.client.producer_config()?)?,
                };
                sink.asking.insert(producer)
            }
        };
        self.partitions = producer.partitions();
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
    fn open(&mut self) -> rialto_engine::Result<&mut TopicProducer> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.client.producer(&self.client.producer_config()?)?,
        };
        Ok(self.producer.insert(producer))
    }

    fn send(&mut self) -> rialto_engine::Result<()> {
        let outbox = std::mem::take(&mut self.outbox);
        let producer = self.open()?;
        let sent = producer.send(outbox.records()).map_err(|e| producer.explain(&e));
        sent.map_err(|reason| self.client.failed(reason))
    }

    /// Has what was sent go out, as far as the broker takes it at once.
    fn flush(&mut self) {
        if let Some(producer) = self.producer.as_ref().filter(|p| p.in_flight_count() > 0) {
            // With no guarantee nobody asks what became of it.
            let _ = producer.flush(FLUSH);
            producer.context().take_undelivered();
        }
    }
}

impl Kept {
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
