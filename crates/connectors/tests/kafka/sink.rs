//! What is written, and how often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType::{Int32, Int64, Utf8};
use rialto_connectors::kafka::KafkaSink;
use rialto_connectors::{Environment, Sink, TableSpec};
use rialto_engine::{CommitError, Committer, Delta};

use crate::broker::{Broker, broker};
use crate::table::{Input, SpecExt, TIMESTAMP_LTZ, of, table};

/// A sink of rows of a text and a number.
pub struct Output {
    sink: KafkaSink,
    committer: Option<Box<dyn Committer>>,
    kept: BTreeMap<u64, Vec<u8>>,
    spec: TableSpec,
    step: u64,
}

impl Output {
    pub fn open(spec: &TableSpec) -> Self {
        let upsert = spec.option("connector") == Some("upsert-kafka");
        let mut sink = KafkaSink::new(spec, &Environment::new("."), upsert).unwrap();
        let committer = sink.committer();
        Self { sink, committer, kept: BTreeMap::new(), spec: spec.clone(), step: 0 }
    }

    /// Writes rows with weights.
    pub fn write(&mut self, rows: &[(&str, i64, i64)]) {
        self.try_write(rows).unwrap_or_else(|e| panic!("{e}"));
    }

    fn try_write(&mut self, rows: &[(&str, i64, i64)]) -> rialto_engine::Result<()> {
        let texts = StringArray::from_iter_values(rows.iter().map(|r| r.0));
        let numbers = Int64Array::from_iter_values(rows.iter().map(|r| r.1));
        let columns: Vec<Arc<dyn arrow::array::Array>> = vec![Arc::new(texts), Arc::new(numbers)];
        let batch = RecordBatch::try_new(self.spec.schema.clone(), columns).unwrap();
        let weights = Int64Array::from_iter_values(rows.iter().map(|r| r.2));
        self.step += 1;
        self.sink.write(&Delta::weighted(batch, weights), self.step)
    }

    /// Writes and prepares an epoch of rows.
    fn prepare(&mut self, epoch: u64, rows: &[&str]) -> Vec<u8> {
        let rows: Vec<_> = rows.iter().map(|text| (*text, epoch as i64, 1)).collect();
        self.write(&rows);
        self.ready(epoch)
    }

    /// Prepares an epoch of what was written.
    fn ready(&mut self, epoch: u64) -> Vec<u8> {
        let kept = self.sink.prepare(epoch).unwrap();
        self.kept.insert(epoch, kept.clone());
        kept
    }

    /// Commits what was prepared up to an epoch, as a running job does.
    fn deliver(&mut self, epoch: u64) -> rialto_engine::Result<()> {
        let Some(committer) = &mut self.committer else { return self.sink.commit(epoch) };
        for (&epoch, kept) in self.kept.range(..=epoch).filter(|(_, kept)| !kept.is_empty()) {
            patient(|| committer.commit(epoch, kept))?;
        }
        Ok(())
    }

    /// Goes on from a checkpoint.
    fn recover(&mut self, epoch: u64, kept: &[u8]) -> rialto_engine::Result<()> {
        let pending = [(epoch, kept.to_vec())];
        patient(|| self.committer.as_mut().unwrap().recover(&pending))
    }

    pub fn commit(&mut self, epoch: u64) {
        self.ready(epoch);
        self.deliver(epoch).unwrap();
    }
}

/// Asks again where the outside is away, as a running job does.
fn patient(mut call: impl FnMut() -> Result<(), CommitError>) -> rialto_engine::Result<()> {
    let since = Instant::now();
    loop {
        match call() {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(error)) => return Err(error),
            Err(CommitError::Away(error)) => {
                assert!(since.elapsed() < Duration::from_secs(60), "{error}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

const COLUMNS: [(&str, arrow::datatypes::DataType); 2] = [("s", Utf8), ("n", Int64)];

fn exactly_once(broker: &Broker, topic: &str) -> TableSpec {
    of(broker, "kafka", topic, &COLUMNS)
        .option_set("format", "json")
        .option_set("sink.delivery-guarantee", "exactly-once")
        .option_set("sink.transactional-id-prefix", topic)
        .option_set("scan.startup.mode", "earliest-offset")
}

/// What a reader of committed records finds.
fn committed(broker: &Broker, topic: &str) -> Vec<String> {
    Input::open(&table(broker, topic, &COLUMNS).bounded(), 1).to_end().in_order()
}

#[test]
fn every_guarantee_writes_every_row() {
    let Some(broker) = broker() else { return };
    for guarantee in ["none", "at-least-once", "exactly-once"] {
        let topic = broker.topic(1, &[]);
        let spec = exactly_once(broker, &topic).option_set("sink.delivery-guarantee", guarantee);
        let mut output = Output::open(&spec);
        output.write(&[("a", 1, 2), ("b", 2, 1)]);
        output.commit(1);
        output.write(&[("c", 3, 1)]);
        output.commit(2);
        let since = Instant::now();
        // With no guarantee nobody waits for what was sent.
        while committed(broker, &topic).len() < 4 && since.elapsed() < Duration::from_secs(5) {}
        assert_eq!(committed(broker, &topic), ["a|1", "a|1", "b|2", "c|3"], "{guarantee}");
        let error = output.try_write(&[("a", 1, -1)]).unwrap_err().to_string();
        assert!(error.contains("takes a row back"), "{error}");
    }
}

#[test]
fn keys_partitions_and_timestamps_are_written() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(4, &[]);
    let keyed = of(broker, "kafka", &topic, &COLUMNS)
        .option_set("value.format", "csv")
        .option_set("key.format", "raw")
        .option_set("key.fields", "s")
        .option_set("value.fields-include", "EXCEPT_KEY")
        .option_set("scan.startup.mode", "earliest-offset")
        .bounded();
    let mut output = Output::open(&keyed);
    output.write(&[("alpha", 1, 1), ("beta", 2, 1), ("gamma", 3, 1), ("alpha", 4, 1)]);
    output.commit(1);
    let read = Input::open(&keyed.clone().with_metadata("partition", Int32), 1).to_end().net();
    assert_eq!(read.len(), 4);
    let partition = |row: &str| row.rsplit('|').next().unwrap().parse::<i32>().unwrap();
    for row in &read {
        let key = row.split('|').next().unwrap();
        assert_eq!(partition(row), java_partition(key.as_bytes(), 4), "{row}");
    }

    for (partitioner, partitions) in [("fixed", vec![0, 0, 0]), ("round-robin", vec![0, 1, 2])] {
        let topic = broker.topic(4, &[]);
        let spec = table(broker, &topic, &COLUMNS).option_set("sink.partitioner", partitioner);
        let mut output = Output::open(&spec);
        output.write(&[("a", 1, 1), ("b", 2, 1), ("c", 3, 1)]);
        output.commit(1);
        let read = Input::open(&spec.bounded().with_metadata("partition", Int32), 1).to_end();
        let found: Vec<i32> = read.net().iter().map(|row| partition(row)).collect();
        assert_eq!(found, partitions, "{partitioner}");
    }

    let topic = broker.topic(1, &[]);
    let mut spec =
        of(broker, "kafka", &topic, &[("s", Utf8), ("n", Int64)]).option_set("format", "json");
    spec = spec.option_set("sink.delivery-guarantee", "none");
    spec.schema = Arc::new(arrow::datatypes::Schema::new(vec![
        arrow::datatypes::Field::new("s", Utf8, true),
        arrow::datatypes::Field::new("at", TIMESTAMP_LTZ(), true),
    ]));
    spec.metadata = vec![("timestamp".into(), spec.schema.field(1).clone())];
    let mut sink = KafkaSink::new(&spec, &Environment::new("."), false);
    if let Ok(sink) = &mut sink {
        let times = arrow::array::TimestampMillisecondArray::from(vec![77]).with_timezone("UTC");
        let batch = RecordBatch::try_new(
            spec.schema.clone(),
            vec![Arc::new(StringArray::from(vec!["x"])), Arc::new(times)],
        );
        sink.write(&Delta::insert_only(batch.unwrap()), 1).unwrap();
        sink.prepare(1).unwrap();
    }
    assert!(sink.is_ok());
    let read = table(broker, &topic, &[("s", Utf8), ("at", Utf8)])
        .with_metadata("timestamp", TIMESTAMP_LTZ());
    // With no guarantee nobody waits until it is there.
    assert_eq!(Input::open(&read, 1).until(1).net(), ["x|NULL|1970-01-01T00:00:00.077Z"]);
}

/// The partition of a key by Kafka's definition: murmur2 of 32 bits, positive, modulo.
fn java_partition(key: &[u8], partitions: i32) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ key.len() as u32;
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * at);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^= h >> 15;
    (h & 0x7fff_ffff) as i32 % partitions
}

#[test]
fn changes_go_where_the_format_has_a_form_for_them() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let spec = table(broker, &topic, &COLUMNS).option_set("format", "debezium-json");
    let mut output = Output::open(&spec);
    output.write(&[("a", 1, 1), ("b", 1, 1)]);
    output.write(&[("a", 1, -1), ("a", 2, 1)]);
    output.commit(1);
    assert_eq!(Input::open(&spec.bounded(), 1).to_end().net(), ["a|2", "b|1"]);
}

#[test]
fn nothing_is_seen_before_the_commit_and_a_commit_counts_once() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(2, &[]);
    let mut output = Output::open(&exactly_once(broker, &topic));
    output.prepare(1, &["a", "b"]);
    assert!(committed(broker, &topic).is_empty());
    output.deliver(1).unwrap();
    output.deliver(1).unwrap();
    output.prepare(2, &["c"]);
    // An epoch may be empty, and several may be committed by one call.
    assert!(output.ready(3).is_empty());
    output.deliver(3).unwrap();
    output.deliver(2).unwrap();
    let mut rows = committed(broker, &topic);
    rows.sort();
    assert_eq!(rows, ["a|1", "b|1", "c|2"]);
}

#[test]
fn a_prepared_epoch_outlives_its_process() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let spec = exactly_once(broker, &topic);
    let mut first = Output::open(&spec);
    first.prepare(1, &["a"]);
    first.deliver(1).unwrap();
    // Killed between preparing and committing.
    let kept = first.prepare(2, &["b", "c"]);
    drop(first);
    let mut second = Output::open(&spec);
    second.recover(2, &kept).unwrap();
    assert_eq!(committed(broker, &topic), ["a|1", "b|2", "c|2"]);
    // Killed while it recovered: it recovers again.
    drop(second);
    let mut third = Output::open(&spec);
    third.recover(2, &kept).unwrap();
    third.deliver(2).unwrap();
    // Killed between the commit and its acknowledgement, with an epoch begun.
    let kept = third.prepare(3, &["d"]);
    third.deliver(3).unwrap();
    third.write(&[("lost", 4, 1)]);
    drop(third);
    let mut fourth = Output::open(&spec);
    fourth.recover(3, &kept).unwrap();
    let kept = fourth.prepare(4, &["e"]);
    drop(fourth);
    let mut fifth = Output::open(&spec);
    fifth.recover(4, &kept).unwrap();
    fifth.prepare(5, &["f"]);
    fifth.deliver(5).unwrap();
    assert_eq!(committed(broker, &topic), ["a|1", "b|2", "c|2", "d|3", "e|4", "f|5"]);

    let error = Output::open(&spec).recover(5, b"something else").unwrap_err();
    assert!(error.to_string().contains("not written by this connector"), "{error}");
}

#[test]
fn a_job_that_starts_anew_counts_anew() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let spec = exactly_once(broker, &topic);
    let mut first = Output::open(&spec);
    for epoch in 1..=3 {
        first.prepare(epoch, &["old"]);
        first.deliver(epoch).unwrap();
    }
    drop(first);
    // Its epochs 1 and 2 are not those of the run before.
    let mut second = Output::open(&spec);
    second.prepare(1, &["new"]);
    second.deliver(1).unwrap();
    let kept = second.prepare(2, &["new"]);
    drop(second);
    Output::open(&spec).recover(2, &kept).unwrap();
    assert_eq!(committed(broker, &topic), ["old|1", "old|2", "old|3", "new|1", "new|2"]);
}

#[test]
fn an_expired_transaction_loses_nothing() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let spec = exactly_once(broker, &topic).option_set("properties.transaction.timeout.ms", "1000");
    let mut output = Output::open(&spec);
    output.prepare(1, &["a", "b"]);
    output.sink.hold_next_transaction(Duration::from_millis(2500));
    output.deliver(1).unwrap();
    output.prepare(2, &["c"]);
    output.deliver(2).unwrap();
    assert_eq!(committed(broker, &topic), ["a|1", "b|1", "c|2"]);
}

#[test]
fn a_second_process_shuts_out_the_first() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let spec = exactly_once(broker, &topic).option_set("properties.transaction.timeout.ms", "3000");
    let mut first = Output::open(&spec);
    first.committer.as_mut().unwrap().recover(&[]).unwrap();
    let kept = first.prepare(1, &["a"]);
    let mut second = Output::open(&spec);
    second.recover(1, &kept).unwrap();
    second.prepare(2, &["b"]);
    let error = first.deliver(1).unwrap_err().to_string();
    assert!(error.contains("another process writes under the same"), "{error}");
    second.deliver(2).unwrap();
    assert_eq!(committed(broker, &topic), ["a|1", "b|2"]);
    // Also where the first was away for longer than its transactions last.
    second.prepare(3, &["c"]);
    let mut third = Output::open(&spec);
    third.committer.as_mut().unwrap().recover(&[]).unwrap();
    third.prepare(1, &["d"]);
    second.sink.hold_next_transaction(Duration::from_millis(3500));
    let error = second.deliver(3).unwrap_err().to_string();
    assert!(error.contains("another process writes under the same"), "{error}");
    third.deliver(1).unwrap();
    assert_eq!(committed(broker, &topic), ["a|1", "b|2", "d|1"]);
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let Some(broker) = broker() else { return };
    let spec = table(broker, "nowhere", &COLUMNS);
    let mut output = Output::open(&spec);
    output.prepare(1, &["a"]);
    let error = output.deliver(1).unwrap_err().to_string();
    assert!(error.contains("the topic 'nowhere' does not exist"), "{error}");
    let unasked = spec.clone().option_set("sink.delivery-guarantee", "none");
    let error = Output::open(&unasked).try_write(&[("a", 1, 1)]).unwrap_err().to_string();
    assert!(error.contains("the topic 'nowhere' does not exist"), "{error}");
    let error = Input::try_open(&spec, 1).err().unwrap().to_string();
    assert!(error.contains("the topic 'nowhere' does not exist"), "{error}");
}
