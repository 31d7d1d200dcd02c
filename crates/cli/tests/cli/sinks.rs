//! A sink whose outside is away holds back its own pipeline only.

use std::fs;

use crate::running::{Running, wait_until};

/// Two pipelines: one into a topic of a broker that is not there, one into files.
const JOB: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE left_rows (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '2000',
  'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '100000000');
CREATE TABLE right_rows (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '2000',
  'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '100000000');
CREATE TABLE topic (a BIGINT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json',
  'properties.bootstrap.servers' = '127.0.0.1:1', GUARANTEE);
CREATE TABLE files (a BIGINT) WITH (
  'connector' = 'filesystem', 'path' = 'files', 'format' = 'csv');
INSERT INTO topic SELECT a FROM left_rows;
INSERT INTO files SELECT a FROM right_rows;
";

#[test]
fn a_sink_that_is_away_holds_back_its_own_pipeline_only() {
    holds_back_its_own(
        "'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'nobody'",
    );
}

#[test]
fn so_does_one_that_promises_less() {
    holds_back_its_own("'sink.delivery-guarantee' = 'at-least-once'");
}

fn holds_back_its_own(guarantee: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), JOB.replace("GUARANTEE", guarantee)).unwrap();
    let run = ["run", "job.sql", "--state", "state"];
    let files = || {
        let Ok(entries) = fs::read_dir(dir.path().join("files")) else { return 0 };
        let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).count()
    };
    let mut seen = 0;
    for _ in 0..2 {
        let running = Running::start(dir.path(), &run);
        wait_until("files become visible", || files() > seen + 5);
        let ended = running.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        seen = files();
    }
    // What could not be delivered is in the checkpoint, epoch by epoch.
    let manifests = dir.path().join("state/checkpoints/manifests");
    let newest = fs::read_dir(manifests).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    let manifest = fs::read(newest).unwrap();
    let manifest = String::from_utf8_lossy(&manifest);
    assert!(manifest.matches("-sink-0").count() > 10, "{manifest}");
}
