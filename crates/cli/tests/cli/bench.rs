use std::fs;

use crate::{rialto, stderr, stdout};

#[test]
fn nexmark_events_are_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["nexmark", "--dir", "nx", "--events", "1000", "--parts", "2", "-o", "json"];
    let output = rialto(dir.path(), &arguments);
    assert_eq!(stdout(&output), "{\"person\":20,\"auction\":60,\"bid\":920}\n");
    let bids = "CREATE TABLE bid (auction BIGINT, price BIGINT) WITH ('connector' = 'filesystem', \
                'path' = 'nx/bid', 'format' = 'json'); SELECT COUNT(price) AS n FROM bid";
    let output = rialto(dir.path(), &["sql", "-o", "csv", "-c", bids]);
    assert_eq!(stdout(&output), "n\n920\n");
}

#[test]
fn nexmark_events_have_the_rate_and_start_that_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--events", "100", "--rate", "10", "--start", "2024-02-28 23:59:55"];
    let output = rialto(dir.path(), &[&["nexmark", "--dir", "nx"], &arguments[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let people = fs::read_to_string(dir.path().join("nx/person/part-0.json")).unwrap();
    let times: Vec<&str> =
        people.lines().map(|l| l.split("\"dateTime\":\"").nth(1).unwrap()).collect();
    assert_eq!(times.len(), 2);
    assert!(times[0].starts_with("2024-02-28 23:59:55.000\""), "{}", times[0]);
    assert!(times[1].starts_with("2024-02-29 00:00:00.000\""), "{}", times[1]);
}

/// The figures that a benchmark prints.
fn figures(arguments: &[&str]) -> Vec<serde_json::Value> {
    let dir = tempfile::tempdir().unwrap();
    let output = rialto(dir.path(), &[&["bench", "-o", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn queries_of_nexmark_are_measured_by_name() {
    let found = figures(&["q0", "q13", "--events", "1000", "--runs", "1", "--shards", "2"]);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["query"], "q0");
    assert_eq!(found[0]["rows"], 920);
    assert_eq!(found[1]["rows"], 10_920);
    assert!(found[0]["wall_s"].as_f64().unwrap() > 0.0);
    assert!(found[0]["peak_mb"].as_f64().unwrap() > 1.0);
}

#[test]
fn a_file_is_measured_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE n (a BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = \
        '${ROWS}', 'rows-per-second' = '1000000000'); \
        CREATE TABLE b (a BIGINT) WITH ('connector' = 'blackhole'); INSERT INTO b SELECT SUM(a) FROM n;";
    fs::write(dir.path().join("sum.sql"), sql).unwrap();
    // Enough that the process uses a tick of the system's clock.
    let arguments = ["bench", "sum.sql", "-D", "ROWS=300000", "--runs", "1"];
    let output = rialto(dir.path(), &[&arguments[..], &["-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::write(dir.path().join("before.json"), &output.stdout).unwrap();
    let output = rialto(dir.path(), &[&arguments[..], &["--against", "before.json"]].concat());
    let text = stdout(&output);
    assert!(text.contains("sum.sql           300,000 "), "{text}");
    assert!(text.contains("geometric mean of 1 ratios"), "{text}");
}

#[test]
fn latency_is_measured_at_a_rate() {
    let found = figures(&["q1", "--latency", "2000", "--seconds", "2", "--shards", "1"]);
    let number = |name: &str| found[0][name].as_f64().unwrap();
    assert!(number("rows") > 2000.0 && number("rows") < 8000.0, "{}", found[0]);
    assert!(number("p50_ms") > 0.0, "{}", found[0]);
    assert!(number("p50_ms") <= number("p99_ms"), "{}", found[0]);
    assert!(number("p99_ms") <= number("max_ms"), "{}", found[0]);
}

#[test]
fn a_benchmark_says_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let output = rialto(dir.path(), &["bench", "q99"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: there is no project or file 'q99'\nhint: "));
    fs::write(dir.path().join("wrong.sql"), "SELECT nothing;").unwrap();
    let output = rialto(dir.path(), &["bench", "wrong.sql"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.starts_with("wrong.sql failed: error: column 'nothing' not found\n"), "{told}");
    assert!(told.ends_with("error: 1 of 1 queries failed\n"), "{told}");
}

#[test]
fn policies_are_judged_in_the_same_worlds_every_time() {
    let run = || {
        let line = "bench headline price --seeds 2 --days 3 --customers 60 --products 12";
        let arguments: Vec<&str> = line.split(' ').chain(["-o", "json"]).collect();
        let dir = tempfile::tempdir().unwrap();
        let output = rialto(dir.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let first = run();
    assert_eq!(first, run(), "the same worlds, the same decisions");
    let lines: Vec<serde_json::Value> =
        first.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Three policies, and the same in worlds where prices do not matter.
    assert_eq!(lines.len(), 6);
    let pricing = |null: bool| {
        let is = |line: &&serde_json::Value| {
            line["policy"] == "textbook" && line["field"] == "price" && line["null_world"] == null
        };
        lines.iter().find(is).unwrap()
    };
    assert!(pricing(false)["decisions"].as_u64() > Some(10), "{first}");
    assert!(pricing(true)["decisions"].as_u64() > Some(10), "{first}");
    let units = |line: &serde_json::Value| {
        let figures = line["figures"].as_array().unwrap();
        figures.iter().find(|f| f["figure"] == "pieces sold").unwrap()["change"].as_f64().unwrap()
    };
    let (real, null) = (units(pricing(false)).abs(), units(pricing(true)).abs());
    assert!(real > 5.0, "other prices, other sales: {first}");
    assert!(null < 2.0, "where prices do not matter they change nothing: {first}");
}

#[test]
fn a_field_in_which_nothing_is_decided_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = rialto(dir.path(), &["bench", "headline", "weather"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("nothing is decided in 'weather'"), "{said}");
    assert!(said.contains("stock, price, offers, ads"), "{said}");
}
