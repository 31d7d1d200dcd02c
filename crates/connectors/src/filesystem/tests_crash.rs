//! Every call of a file sink at which it can be broken off, on a disk that crashes.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rialto_engine::{Delta, Sink};
use rialto_storage::Files;
use rialto_storage::testing::{CrashFiles, WAYS_TO_END};

use super::options::FileOptions;
use super::sink::FileSink;
use crate::spec::{Environment, TableSpec};

const EPOCHS: u64 = 4;
/// So many rows have an epoch, in both partitions.
const ROWS: u64 = 6;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("part", DataType::Int64, false),
    ]))
}

fn open(files: &CrashFiles, run: u64) -> FileSink {
    let options = [("path", "/out/table"), ("format", "json")];
    let mut spec = TableSpec::new("t", schema(), options);
    spec.partition_keys = vec!["part".into()];
    let options = FileOptions::read(&spec).unwrap();
    let location = options.location(&Environment::new("/")).unwrap();
    let sink = FileSink::new(&spec, &options, location).unwrap();
    sink.on(Arc::new(files.clone()), &format!("run{run}"))
}

fn rows(epoch: u64) -> Vec<i64> {
    (epoch * 100..epoch * 100 + ROWS).map(|id| id as i64).collect()
}

fn delta(epoch: u64) -> Delta {
    let ids = rows(epoch);
    let parts: Vec<i64> = ids.iter().map(|id| id % 2).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(ids)), Arc::new(Int64Array::from(parts))];
    Delta::insert_only(RecordBatch::try_new(schema(), columns).unwrap())
}

/// The ids that a reader of the table sees: of the files whose names are not hidden.
fn visible(files: &CrashFiles) -> Vec<i64> {
    let (mut ids, mut folders) = (Vec::new(), vec![Path::new("/out/table").to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in files.list(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            if entry.is_folder {
                folders.push(path);
            } else if !entry.name.starts_with('.') {
                let text = String::from_utf8(files.read(&path).unwrap()).unwrap();
                for line in text.lines() {
                    let row: serde_json::Value = serde_json::from_str(line).unwrap();
                    ids.push(row["id"].as_i64().unwrap());
                }
            }
        }
    }
    ids.sort_unstable();
    ids
}

fn expected(epochs: u64) -> Vec<i64> {
    (1..=epochs).flat_map(rows).collect()
}

/// Runs from a checkpoint until a call fails; answers the last checkpoint and the last epoch whose
/// commit was acknowledged. A checkpoint itself is kept elsewhere, and never fails here.
fn run(files: &CrashFiles, number: u64, from: u64) -> (u64, u64) {
    let mut sink = open(files, number);
    if from > 0 && sink.recover(from, &[]).is_err() {
        return (from, 0);
    }
    let mut state = (from, from);
    for epoch in from + 1..=EPOCHS {
        if sink.write(&delta(epoch), 0).is_err() || sink.prepare(epoch).is_err() {
            return state;
        }
        state.0 = epoch;
        if sink.commit(epoch).is_err() {
            return state;
        }
        state.1 = epoch;
    }
    state
}

#[test]
fn files_are_visible_once_wherever_a_sink_is_broken_off() {
    let files = CrashFiles::new();
    assert_eq!(run(&files, 0, 0), (EPOCHS, EPOCHS));
    assert_eq!(visible(&files), expected(EPOCHS));
    let calls = files.calls();
    let mut points = 0;
    for n in 0..calls {
        for (kind, way) in WAYS_TO_END.iter().enumerate() {
            let what = format!("{} at call {n}", way.name);
            let files = CrashFiles::new();
            files.fail(n, way.fault);
            let (checkpoint, committed) = run(&files, 1, 0);
            way.ends(&files, n * 31 + kind as u64);
            // Nothing that no checkpoint promised is ever seen, and nothing acknowledged is lost.
            let seen = visible(&files);
            assert!(seen.iter().all(|id| expected(checkpoint).contains(id)), "{what}: {seen:?}");
            let lost = expected(committed).into_iter().find(|id| !seen.contains(id));
            assert_eq!(lost, None, "{what}: acknowledged, and lost");
            // The next run goes on from the last checkpoint; all is there once, and stays.
            assert_eq!(run(&files, 2, checkpoint), (EPOCHS, EPOCHS), "{what}");
            assert_eq!(visible(&files), expected(EPOCHS), "{what}: after the next run");
            files.crash(n);
            assert_eq!(visible(&files), expected(EPOCHS), "{what}: and a power cut");
            // Nothing comes back with the run after that one.
            assert_eq!(run(&files, 3, EPOCHS), (EPOCHS, EPOCHS), "{what}");
            assert_eq!(visible(&files), expected(EPOCHS), "{what}: and a third run");
            points += 1;
        }
    }
    let ways = WAYS_TO_END.len();
    println!("file sink: {points} crash points, {calls} calls and {ways} ways to end at each");
    assert!(calls > 40, "there are {calls} calls to break off");
}
