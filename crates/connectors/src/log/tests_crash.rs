//! Every call of a log sink at which it can be broken off, on a disk that crashes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rialto_engine::{Delta, Sink};
use rialto_storage::log::{Config, LogReader, Topic};
use rialto_storage::testing::{CrashFiles, WAYS_TO_END};

use super::options::LogOptions;
use super::sink::LogSink;
use crate::spec::TableSpec;

const EPOCHS: u64 = 4;
const ROWS: u64 = 5;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]))
}

fn topic(files: &CrashFiles) -> Option<Arc<Topic>> {
    let config = Config { partitions: Some(2), ..Config::default() };
    Topic::open(Arc::new(files.clone()), Path::new("/log"), config).ok().map(Arc::new)
}

fn rows(epoch: u64) -> Vec<i64> {
    (epoch * 100..epoch * 100 + ROWS).map(|id| id as i64).collect()
}

fn delta(epoch: u64) -> Delta {
    let ids: ArrayRef = Arc::new(Int64Array::from(rows(epoch)));
    Delta::insert_only(RecordBatch::try_new(schema(), vec![ids]).unwrap())
}

/// The ids in the log, sorted: rows of one epoch are in one partition or the other.
fn visible(topic: &Arc<Topic>) -> Vec<i64> {
    let mut reader = LogReader::new(Arc::clone(topic), BTreeMap::from([(0, 0), (1, 0)]));
    let mut ids = Vec::new();
    while let Some(block) = reader.next().unwrap() {
        for range in block.ranges() {
            let row: serde_json::Value = serde_json::from_slice(&block.values[range]).unwrap();
            ids.push(row["id"].as_i64().unwrap());
        }
    }
    ids.sort_unstable();
    ids
}

fn expected(epochs: u64) -> Vec<i64> {
    (1..=epochs).flat_map(rows).collect()
}

/// What a checkpoint elsewhere keeps of the sink.
#[derive(Debug, Clone, Default, PartialEq)]
struct Kept {
    epoch: u64,
    prepared: Vec<u8>,
}

/// Runs from a checkpoint until a call fails; answers the last checkpoint and the last epoch whose
/// commit was acknowledged.
fn run(topic: &Arc<Topic>, from: &Kept) -> (Kept, u64) {
    let spec = TableSpec::new("t", schema(), [("format", "json")]);
    let options = LogOptions::read(&spec).unwrap();
    let mut sink = LogSink::new(&spec, &options, Arc::clone(topic)).unwrap();
    let mut kept = from.clone();
    if from.epoch > 0 && sink.recover(from.epoch, &from.prepared).is_err() {
        return (kept, 0);
    }
    let mut committed = from.epoch;
    for epoch in from.epoch + 1..=EPOCHS {
        let written = sink.write(&delta(epoch), 0).and_then(|()| sink.prepare(epoch));
        let Ok(prepared) = written else { return (kept, committed) };
        kept = Kept { epoch, prepared };
        if sink.commit(epoch).is_err() {
            return (kept, committed);
        }
        committed = epoch;
    }
    (kept, committed)
}

#[test]
fn rows_are_in_the_log_once_wherever_a_sink_is_broken_off() {
    let files = CrashFiles::new();
    let whole = topic(&files).unwrap();
    assert_eq!(run(&whole, &Kept::default()).1, EPOCHS);
    assert_eq!(visible(&whole), expected(EPOCHS));
    drop(whole);
    let calls = files.calls();
    let mut points = 0;
    for n in 0..calls {
        for (kind, way) in WAYS_TO_END.iter().enumerate() {
            let what = format!("{} at call {n}", way.name);
            let files = CrashFiles::new();
            files.fail(n, way.fault);
            let opened = topic(&files);
            let ran = opened.as_ref().map(|topic| run(topic, &Kept::default()));
            let (kept, committed) = ran.unwrap_or_default();
            drop(opened);
            way.ends(&files, n * 31 + kind as u64);
            let next = topic(&files).unwrap();
            let seen = visible(&next);
            assert!(seen.iter().all(|id| expected(kept.epoch).contains(id)), "{what}: {seen:?}");
            let lost = expected(committed).into_iter().find(|id| !seen.contains(id));
            assert_eq!(lost, None, "{what}: acknowledged, and lost");
            let (kept_last, done) = run(&next, &kept);
            assert_eq!(done, EPOCHS, "{what}: the next run goes on");
            assert_eq!(visible(&next), expected(EPOCHS), "{what}: after the next run");
            drop(next);
            files.crash(n);
            let last = topic(&files).unwrap();
            assert_eq!(visible(&last), expected(EPOCHS), "{what}: and a power cut");
            // Nothing comes back with the run after that one.
            assert_eq!(run(&last, &kept_last).1, EPOCHS, "{what}");
            assert_eq!(visible(&last), expected(EPOCHS), "{what}: and a third run");
            points += 1;
        }
    }
    let ways = WAYS_TO_END.len();
    println!("log sink: {points} crash points, {calls} calls and {ways} ways to end at each");
    assert!(calls > 30, "there are {calls} calls to break off");
}
