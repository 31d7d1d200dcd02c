//! The simulated shop in a project: killed and gone on with, and told decisions.

use std::fs;
use std::path::Path;

use crate::running::{Running, wait_for_checkpoints, wait_until};
use crate::{rialto, stderr, stdout};

/// A shop of two days, and views over two of its tables.
const SHOP: &str = "
SET 'execution.checkpointing.interval' = '100 ms';
CREATE TABLE sale_line (
  event_id STRING, event_time TIMESTAMP_LTZ(3), business_date DATE, channel STRING,
  sku STRING, quantity DECIMAL(18, 4), unit_price DECIMAL(18, 4),
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH ('connector' = 'shop', 'customers' = '800', 'days' = '2', 'speed' = '${SPEED}' ${MORE});
CREATE TABLE moved (event_id STRING, location_id STRING, quantity DECIMAL(18, 4))
WITH ('connector' = 'shop', 'table' = 'stock_movement', 'customers' = '800', 'days' = '2',
  'speed' = '${SPEED}' ${MORE});
CREATE MATERIALIZED VIEW sold AS
SELECT business_date, channel, COUNT(*) AS n, COUNT(DISTINCT event_id) AS events,
  SUM(quantity * unit_price) AS amount
FROM sale_line GROUP BY business_date, channel;
CREATE MATERIALIZED VIEW there AS
SELECT location_id, COUNT(*) AS n, SUM(quantity) AS pieces FROM moved GROUP BY location_id;
";

fn project(dir: &Path, speed: &str, more: &str) {
    fs::create_dir_all(dir.join("sql")).unwrap();
    let sql = SHOP.replace("${SPEED}", speed).replace("${MORE}", more);
    fs::write(dir.join("sql/shop.sql"), sql).unwrap();
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_shop_that_is_killed_goes_on_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let straight = tempfile::tempdir().unwrap();
    project(straight.path(), "max", "");
    let expected = rialto(straight.path(), &["run", ".", "-o", "json"]);
    assert_eq!(expected.status.code(), Some(0), "{}", stderr(&expected));
    // Two days in some seconds, so that there is time to kill it in.
    project(dir.path(), "40000", "");
    let state = dir.path().join("state");
    for shards in ["1", "2", "2"] {
        let arguments = ["run", ".", "--state", "state", "--shards", shards, "-o", "json"];
        let running = Running::start(dir.path(), &arguments);
        wait_for_checkpoints(&state, 2);
        running.kill();
    }
    let ended = rialto(dir.path(), &["run", ".", "--state", "state", "-o", "json"]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(sorted(&stdout(&expected)).len() > 5);
    assert_eq!(sorted(&stdout(&ended)), sorted(&stdout(&expected)));
}

#[test]
fn a_decision_in_a_log_changes_the_world() {
    let dir = tempfile::tempdir().unwrap();
    let decisions = ", 'decisions' = 'decisions'";
    project(dir.path(), "max", decisions);
    let without = rialto(dir.path(), &["run", ".", "-o", "json"]);
    assert_eq!(without.status.code(), Some(0), "{}", stderr(&without));
    // Everything at a hundredth of a pound: decided before the shop opens.
    let prices = "
CREATE TABLE sku (sku STRING) WITH ('connector' = 'shop', 'customers' = '800', 'days' = '1');
CREATE TABLE decision (
  decision_id STRING, decision_type STRING, status STRING, sku STRING, amount DECIMAL(18, 4)
) WITH ('connector' = 'log', 'path' = 'decisions');
INSERT INTO decision SELECT 'd-' || sku, 'price', 'applied', sku, 0.01 FROM sku;
";
    let told = rialto(dir.path(), &["sql", "-c", prices]);
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    let with = rialto(dir.path(), &["run", ".", "-o", "json"]);
    assert_eq!(with.status.code(), Some(0), "{}", stderr(&with));
    assert_ne!(stdout(&with), stdout(&without));
    let paid = "SELECT MAX(unit_price) AS dearest FROM sale_line";
    fs::write(dir.path().join("sql/z.sql"), paid).unwrap();
    let dearest = rialto(dir.path(), &["run", ".", "-o", "csv"]);
    let text = stdout(&dearest);
    // Shipping still costs what it does; no article does.
    assert!(text.lines().any(|line| line == "3.9500"), "{text}");
    // Killed and gone on with, the world remembers what it was told, and is told no more twice.
    fs::remove_file(dir.path().join("sql/z.sql")).unwrap();
    project(dir.path(), "40000", decisions);
    let running = Running::start(dir.path(), &["run", ".", "--state", "state"]);
    wait_for_checkpoints(&dir.path().join("state"), 2);
    running.kill();
    let running = Running::start(dir.path(), &["run", ".", "--state", "state", "-o", "json"]);
    wait_until("the end", || !running.is_running());
    let ended = running.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(sorted(&ended.printed), sorted(&stdout(&with)));
}
