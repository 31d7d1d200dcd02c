//! `rialto test`: fixtures that pass, that fail, and that do not fit their project.

use std::path::Path;

use serde_json::Value;

use crate::{rialto, stderr, stdout};

const SQL: &str = "
    CREATE TABLE stock_movement (
      event_time TIMESTAMP(3), sku STRING, quantity DECIMAL(18, 4),
      place STRING METADATA FROM 'topic' VIRTUAL,
      WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
    ) WITH ('connector' = 'kafka', 'topic' = 'moves', 'format' = 'json',
      'properties.bootstrap.servers' = '127.0.0.1:9', 'scan.startup.mode' = 'earliest-offset');
    CREATE TABLE listed (sku STRING, on_hand DECIMAL(18, 4), PRIMARY KEY (sku) NOT ENFORCED)
      WITH ('connector' = 'upsert-kafka', 'topic' = 'low', 'key.format' = 'json',
      'value.format' = 'json', 'properties.bootstrap.servers' = '127.0.0.1:9');
    CREATE MATERIALIZED VIEW stock AS
      SELECT sku, SUM(quantity) AS on_hand FROM stock_movement GROUP BY sku;
    CREATE MATERIALIZED VIEW moves_an_hour AS
      SELECT window_start, sku, COUNT(*) AS n
      FROM TABLE(TUMBLE(TABLE stock_movement, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
      GROUP BY window_start, window_end, sku;
    INSERT INTO listed SELECT sku, on_hand FROM stock WHERE on_hand < ${LOW};
";

const GIVEN: &str = "
  variables: {LOW: 10}
  given:
    - stock_movement:
        - {event_time: 2024-05-01 09:00:00, sku: tea, quantity: 12, place: shop}
        - {event_time: 2024-05-01 09:01:00, sku: tea, quantity: -3.5}
    - stock_movement:
        - {event_time: 2024-05-01 09:02:00, sku: milk, quantity: 1}
        - {event_time: 2024-05-01 09:03:00, sku: milk, quantity: much}
    - watermark: {stock_movement: 2024-05-01 10:00:00}
    - stock_movement:
        - {event_time: 2024-05-01 09:59:59, sku: milk, quantity: 100}
";

const EXPECTED: &str = "
  ends: false
  expect:
    listed:
      - {sku: tea, on_hand: 8.5}
    moves_an_hour:
      - {sku: tea, n: 2, window_start: 2024-05-01 09:00:00}
      - {sku: milk, n: 1}
  changes:
    stock:
      - {$op: +I, sku: tea, on_hand: 8.5}
      - {$op: +I, sku: milk, on_hand: 1}
      - {$op: -U, sku: milk, on_hand: 1}
      - {$op: +U, sku: milk, on_hand: 101}
  late:
    - {sku: milk}
  dead_letters:
    stock_movement: [\"'much' is not a DECIMAL\"]
";

fn project(at: &Path, fixtures: &str) {
    std::fs::create_dir_all(at.join("sql")).unwrap();
    std::fs::create_dir_all(at.join("tests")).unwrap();
    std::fs::write(at.join("sql/10.sql"), SQL).unwrap();
    std::fs::write(at.join("tests/stock.yaml"), fixtures).unwrap();
}

#[test]
fn what_is_expected_holds_for_every_cut_shard_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let expected = EXPECTED
        .replace("{sku: milk, n: 1}", "{sku: milk, n: 1, window_start: 2024-05-01 09:00:00}");
    project(dir.path(), &format!("- name: tea runs low\n{GIVEN}{expected}"));
    let done = rialto(dir.path(), &["test"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    let said = stdout(&done);
    assert!(said.contains("ok     ./tests/stock.yaml: tea runs low (20 runs)"), "{said}");
    assert!(said.ends_with("1 fixture: 1 passed, 0 failed\n"), "{said}");
}

#[test]
fn what_differs_is_shown_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &format!("- name: tea runs low\n{GIVEN}{EXPECTED}"));
    let done = rialto(dir.path(), &["test", "-o", "json"]);
    assert_eq!(done.status.code(), Some(1), "{}", stderr(&done));
    assert_eq!(stderr(&done), "error: 1 fixture failed\n");
    let told: Value = serde_json::from_str(&stdout(&done)).unwrap();
    let failures: Vec<&str> =
        told["failures"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().trim()).collect();
    let found = "too many {window_start: 2024-05-01 09:00:00.000, sku: milk, n: 1}";
    assert_eq!(
        failures,
        [
            "with 1 shard, an entry a step:",
            "moves_an_hour:",
            "missing  {window_start: NULL, sku: milk, n: 1}",
            found
        ]
    );
}

#[test]
fn a_fixture_that_does_not_fit_says_what_does() {
    let cases = [
        (GIVEN.replace("sku: tea", "skus: tea"), EXPECTED.to_owned(), "did you mean 'sku'?"),
        (
            GIVEN.replace("- stock_movement", "- stok_movement"),
            EXPECTED.to_owned(),
            "'stock_movement'?",
        ),
        (GIVEN.to_owned(), EXPECTED.replace("listed:", "list:"), "no view or insert 'list'"),
        (
            GIVEN.to_owned(),
            EXPECTED.replace("n: 2", "m: 2"),
            "'moves_an_hour': there is no column 'm'",
        ),
        (GIVEN.to_owned(), EXPECTED.replace("n: 2", "n: two"), "'two' is not"),
        (GIVEN.to_owned(), "  ends: false".to_owned(), "it expects nothing"),
        (GIVEN.replace("quantity: -3.5", "$op: -D"), EXPECTED.to_owned(), "takes rows only"),
        (GIVEN.replace("2024-05-01 10:00:00}", "later}"), EXPECTED.to_owned(), "a watermark is"),
        (GIVEN.to_owned(), EXPECTED.replace("late:", "lately:"), "lately"),
    ];
    for (given, expected, why) in cases {
        let dir = tempfile::tempdir().unwrap();
        project(dir.path(), &format!("- name: tea\n{given}{expected}"));
        let done = rialto(dir.path(), &["test"]);
        let said = stderr(&done);
        assert_eq!(done.status.code(), Some(2), "{why}: {said}{}", stdout(&done));
        assert!(said.contains(why), "{why}: {said}");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("sql")).unwrap();
    let done = rialto(dir.path(), &["test"]);
    assert!(stderr(&done).contains("a fixture is a file tests/NAME.yaml"), "{}", stderr(&done));
}
