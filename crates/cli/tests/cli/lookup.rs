//! A table of a real PostgreSQL that is asked for keys while a project runs, and changes meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::postgres::Server;
use crate::running::{Running, wait_for_checkpoints};

/// Sales as files that come, joined with a table of the database.
const JOB: &str = "
SET 'execution.checkpointing.interval' = '50 ms';
CREATE TABLE sales (shop INT, price INT, at AS PROCTIME()) WITH ('connector' = 'filesystem',
  'path' = 'sales', 'format' = 'csv', 'source.monitor-interval' = '20 ms');
CREATE MATERIALIZED VIEW named AS
  SELECT price, name FROM sales AS s
  LEFT JOIN shops FOR SYSTEM_TIME AS OF s.at AS t ON s.shop = t.id AND t.name <> 'Hidden';
CREATE VIEW paid AS SELECT shop, SUM(price) AS paid, PROCTIME() AS at FROM sales GROUP BY shop;
CREATE MATERIALIZED VIEW totals AS
  SELECT p.shop AS shop, p.paid AS paid, t.name AS name FROM paid AS p
  JOIN shops FOR SYSTEM_TIME AS OF p.at AS t ON p.shop = t.id;
";

const FILL: &str = "CREATE TABLE shops (id integer PRIMARY KEY, name text); \
    INSERT INTO shops VALUES (1, 'Rialto'), (2, 'Lido'), (3, 'Hidden')";

fn psql(server: &Server, text: &str) {
    let status = Command::new("psql").args([server.url.as_str(), "-qc", text]).status();
    assert!(status.expect("psql is beside the server").success());
}

/// A file that is there at once.
fn sales(dir: &Path, name: &str, rows: &str) {
    fs::write(dir.join(name), rows).unwrap();
    fs::rename(dir.join(name), dir.join("sales").join(name)).unwrap();
}

fn project(server: &Server, options: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sales")).unwrap();
    let shops = server.table("shops", "id INT, name STRING");
    let shops = shops.replace(");\n", &format!("{options});\n"));
    fs::write(dir.path().join("job.sql"), format!("{shops}{JOB}")).unwrap();
    dir
}

const RUN: [&str; 8] =
    ["run", "job.sql", "--state", "state", "--changelog", "-o", "json", "--watch"];

#[test]
fn a_row_meets_the_database_of_its_moment_and_is_taken_back_as_it_was() {
    let Some(server) = Server::up() else { return };
    psql(&server, FILL);
    let dir = project(&server, "");
    let at = dir.path();
    let running = Running::start(at, &[&RUN[..], &["totals"]].concat());
    sales(at, "a.csv", "1,10\n2,20\n3,30\n9,90\n");
    running.wait_for(r#"{"shop":1,"paid":10,"name":"Rialto"}"#);
    wait_for_checkpoints(&at.join("state"), 2);
    let killed = running.kill();
    assert_eq!(killed.code, None, "{killed:?}");

    psql(&server, "UPDATE shops SET name = 'New ' || name WHERE id <> 3");
    let running = Running::start(at, &[&RUN[..], &["totals"]].concat());
    sales(at, "b.csv", "1,1\n3,3\n");
    running.wait_for(r#"{"shop":1,"paid":11,"name":"New Rialto"}"#);
    wait_for_checkpoints(&at.join("state"), 2);
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("going on from checkpoint"), "{ended:?}");
    // Taken back is what the first run had answered, though the database says otherwise now.
    let is_back = |line: &str| line.contains("\"-U\"") || line.contains("\"-D\"");
    let old = r#"{"shop":1,"paid":10,"name":"Rialto"}"#;
    assert!(ended.printed.lines().any(|l| is_back(l) && l.contains(old)), "{ended:?}");
    assert!(!ended.printed.contains(r#""paid":10,"name":"New Rialto""#), "{}", ended.printed);

    let shown = Running::start(at, &["run", "job.sql", "--state", "state", "-o", "json"]);
    wait_for_checkpoints(&at.join("state"), 1);
    let shown = shown.terminate();
    let mut rows: Vec<&str> = shown.printed.lines().collect();
    rows.sort_unstable();
    let row = |row: &str| format!("{{\"table\":\"named\",\"row\":{row}}}");
    let total = |row: &str| format!("{{\"table\":\"totals\",\"row\":{row}}}");
    let expected = [
        row(r#"{"price":1,"name":"New Rialto"}"#),
        row(r#"{"price":10,"name":"Rialto"}"#),
        row(r#"{"price":20,"name":"Lido"}"#),
        row(r#"{"price":3,"name":null}"#),
        row(r#"{"price":30,"name":null}"#),
        row(r#"{"price":90,"name":null}"#),
        total(r#"{"shop":1,"paid":11,"name":"New Rialto"}"#),
        total(r#"{"shop":2,"paid":20,"name":"Lido"}"#),
        total(r#"{"shop":3,"paid":33,"name":"Hidden"}"#),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_partial_cache_keeps_answers_and_a_full_one_the_table() {
    let Some(server) = Server::up() else { return };
    psql(&server, FILL);
    for options in [", 'lookup.cache' = 'PARTIAL'", ", 'lookup.cache' = 'FULL'"] {
        psql(&server, "UPDATE shops SET name = 'Rialto' WHERE id = 1");
        let dir = project(&server, options);
        let running = Running::start(dir.path(), &[&RUN[..], &["named"]].concat());
        sales(dir.path(), "a.csv", "1,10\n");
        running.wait_for(r#"{"price":10,"name":"Rialto"}"#);
        psql(&server, "UPDATE shops SET name = 'New' WHERE id = 1");
        sales(dir.path(), "b.csv", "1,11\n");
        running.wait_for(r#"{"price":11,"name":"Rialto"}"#);
        running.kill();
    }
}

#[test]
fn a_join_without_a_key_to_ask_for_is_told() {
    let Some(server) = Server::up() else { return };
    psql(&server, FILL);
    let dir = project(&server, "");
    let job = fs::read_to_string(dir.path().join("job.sql")).unwrap();
    let job = job.replace("s.shop = t.id AND", "CAST(s.shop AS STRING) = UPPER(t.name) AND");
    fs::write(dir.path().join("job.sql"), job).unwrap();
    let ended = Running::start(dir.path(), &["run", "job.sql", "--state", "state"]).finish();
    assert_eq!(ended.code, Some(2), "{}", ended.said);
    assert!(
        ended.said.contains("no key is left by which 'shops' could be asked"),
        "{}",
        ended.said
    );
    assert!(ended.said.contains("'lookup.cache' = 'FULL'"), "{}", ended.said);
}
