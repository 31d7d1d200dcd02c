use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::{command, stderr};

/// Asks a process to stop.
fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_signal_ends_an_endless_query_with_the_result_so_far() {
    let dir = tempfile::tempdir().unwrap();
    let endless = "CREATE TABLE n (a BIGINT) WITH ('connector' = 'datagen', \
                   'rows-per-second' = '1000'); SELECT a AS number FROM n";
    let mut child = command(dir.path(), &["sql", "-o", "csv", "-c", endless]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut header = String::new();
    lines.read_line(&mut header).unwrap();
    assert_eq!(header, "number\n");
    // Rows flow: the job runs.
    signal(&child, "-TERM");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "stopped: this is the result so far\n");
    assert!(rest.lines().count() > 0);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let endless = "CREATE TABLE n (a BIGINT) WITH ('connector' = 'datagen', \
                   'rows-per-second' = '100000'); SELECT a FROM n";
    let mut child = command(dir.path(), &["sql", "-o", "json", "-c", endless]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"a\":"), "{first}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_signal_ends_an_endless_project_between_two_steps() {
    for name in ["-INT", "-TERM"] {
        let dir = tempfile::tempdir().unwrap();
        let sql = "CREATE TABLE n (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = \
            '1000', 'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = \
            '1000000');\n\
            CREATE MATERIALIZED VIEW counted AS SELECT COUNT(a) AS n, MAX(a) AS latest FROM n;\n";
        fs::write(dir.path().join("job.sql"), sql).unwrap();
        let arguments =
            ["run", "job.sql", "--shards", "1", "--watch", "counted", "--changelog", "-o", "json"];
        let mut child = command(dir.path(), &arguments);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        assert!(first.starts_with("{\"table\":\"counted\",\"op\":\"+I\",\"step\":"), "{first}");
        signal(&child, name);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stderr(&output), "stopped between two steps\n");
        // A step is whole or not there: as many rows as the greatest number says.
        let last = rest.lines().last().unwrap_or(&first);
        let last: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["row"]["n"], last["row"]["latest"], "{last}");
    }
}
