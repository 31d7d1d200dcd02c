//! A limit for memory: state beyond it lies in a file, and the answer is the same.

use std::fs;

use crate::running::Running;
use crate::{rialto, stderr, stdout};

const JOB: &str = "
CREATE TABLE sales (k BIGINT, v BIGINT) WITH ('connector' = 'datagen',
  'rows-per-second' = '100000000', 'number-of-rows' = '6000000', 'fields.k.kind' = 'sequence',
  'fields.k.start' = '1', 'fields.k.end' = '6000000', 'fields.v.min' = '1', 'fields.v.max' = '9');
CREATE MATERIALIZED VIEW answer AS
  SELECT COUNT(*) AS n, SUM(c) AS c, SUM(k * l) AS l FROM (
    SELECT k, COUNT(*) AS c, MAX(v) / 10 AS l FROM sales GROUP BY k);
";

/// Kilobytes of a running process that no file backs, and that one does.
fn resident(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let of = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    Some((of("RssAnon:")?, of("RssFile:")?))
}

#[test]
fn state_beyond_the_limit_lies_in_a_file_and_the_answer_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), JOB).unwrap();
    let run = ["run", "job.sql", "-o", "json", "--state", "state", "--memory", "160MB"];
    let running = Running::start(dir.path(), &run);
    let (mut own, mut backed) = (0, 0);
    while running.printed().is_empty() && running.is_running() {
        if let Some((anonymous, file)) = resident(running.pid()) {
            own = own.max(anonymous);
            backed = backed.max(file);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let ended = running.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(
        ended.printed,
        "{\"table\":\"answer\",\"row\":{\"n\":6000000,\"c\":6000000,\"l\":0}}\n"
    );
    assert!(own < 200 << 10, "{own} KiB of its own");
    assert!(backed > 150 << 10, "{backed} KiB of files");
    let little = rialto(dir.path(), &["run", "job.sql", "--memory", "1MB"]);
    assert_eq!(little.status.code(), Some(2), "{}", stdout(&little));
    assert!(stderr(&little).contains("is too little"), "{}", stderr(&little));
}
