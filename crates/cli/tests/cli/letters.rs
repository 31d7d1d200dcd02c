//! Records that a source refused: kept, shown, put right, and then everything is as if they had
//! been good at once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::kafka::broker;
use crate::restart::Dice;
use crate::running::{Running, wait_for_checkpoints, wait_until};
use crate::{rialto, stderr, stdout};

const COLUMNS: &str = "id BIGINT, shop INT, price INT";
const ROWS: u64 = 400;

/// A line of the input: every tenth is wrong in one of three ways.
fn line(id: u64, is_wrong: bool) -> String {
    let (shop, price) = (id % 7, id % 13);
    match (is_wrong && id % 10 == 0, id % 30) {
        (false, _) => format!("{{\"id\":{id},\"shop\":{shop},\"price\":{price}}}"),
        (true, 0) => format!("{{\"id\":{id},\"shop\":{shop},\"price\":\"much\"}}"),
        (true, 10) => format!("{{\"id\":{id},\"shop\":{shop},\"pri"),
        (true, _) => format!("id {id}, shop {shop}"),
    }
}

fn lines(is_wrong: bool) -> String {
    (1..=ROWS).map(|id| line(id, is_wrong) + "\n").collect()
}

fn job(table: &str) -> String {
    format!(
        "SET 'execution.checkpointing.interval' = '40 ms';
        CREATE TABLE sales ({COLUMNS}) WITH ({table});
        CREATE TABLE out ({COLUMNS}) WITH (
          'connector' = 'filesystem', 'path' = 'out', 'format' = 'csv');
        INSERT INTO out SELECT id, shop, price FROM sales WHERE price > 3;
        CREATE MATERIALIZED VIEW totals AS
          SELECT shop, COUNT(*) AS n, COUNT(DISTINCT id) AS ids, SUM(price) AS paid,
            MAX(price) AS dearest FROM sales GROUP BY shop;"
    )
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let visible = entries.filter(|p| !p.file_name().unwrap().to_string_lossy().starts_with('.'));
    sorted(&visible.map(|p| fs::read_to_string(p).unwrap()).collect::<String>())
}

/// The letters of the folder `state`, as `list` tells them.
fn letters(dir: &Path) -> Vec<Value> {
    let listed = rialto(dir, &["dead-letters", "list", "state", "-o", "json"]);
    assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
    stdout(&listed).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn of_status<'l>(letters: &'l [Value], status: &str) -> Vec<&'l Value> {
    letters.iter().filter(|l| l["status"] == status).collect()
}

/// Runs a command about letters, which goes well, and answers what it printed.
fn command(dir: &Path, arguments: &[&str]) -> String {
    let output = rialto(dir, &[&["dead-letters"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// Puts a letter right, as a person would who reads it, and sends it again.
fn put_right(dir: &Path, letter: &Value) {
    let id = letter["id"].as_str().unwrap();
    let shown = command(dir, &["show", "state", id, "-o", "json"]);
    let record = serde_json::from_str::<Value>(&shown).unwrap()["record"].clone();
    let record = record.as_str().unwrap();
    let digits: String = record
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    let number: u64 = digits.parse().unwrap();
    assert_eq!(record, line(number, true), "the record is kept as it was");
    if record.ends_with('}') {
        let edit = format!("{{\"price\":{}}}", number % 13);
        command(dir, &["redrive", "state", id, "--edit", &edit]);
    } else {
        let file = dir.join("right.json");
        fs::write(&file, line(number, false) + "\n").unwrap();
        command(dir, &["redrive", "state", id, "--set-record", "right.json"]);
    }
}

/// What the job answers to good input that ends.
fn straight(bounded: &str, fill: impl Fn(&Path, bool)) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), false);
    fs::write(dir.path().join("job.sql"), job(bounded)).unwrap();
    let output = rialto(dir.path(), &["run", "job.sql", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (sorted(&stdout(&output)), files(&dir.path().join("out")))
}

/// Refuses, kills, puts right, kills: at the end all is as in the run whose input was good.
fn as_if_good_at_once(table: &str, bounded: &str, fill: impl Fn(&Path, bool)) {
    let expected = straight(bounded, &fill);
    assert_eq!(expected.0.len(), 7, "{:?}", expected.0);
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fill(at, true);
    fs::write(at.join("job.sql"), job(table)).unwrap();
    let run = |shards| {
        Running::start(
            at,
            &["run", "job.sql", "--state", "state", "-o", "json", "--shards", shards],
        )
    };
    let mut dice = Dice(23);
    let mut running = run("2");
    wait_until("letters", || at.join("state/dead-letters").exists() && !letters(at).is_empty());
    let mut turn = 0;
    loop {
        // Killed wherever it is, and begun again with another number of shards.
        if turn % 2 == 1 {
            std::thread::sleep(Duration::from_millis(dice.below(150)));
            running.kill();
            running = run(["1", "2", "3"][turn % 3]);
            // Every second one gets so far that it takes something; others are hit as they start.
            if turn % 4 == 3 {
                wait_for_checkpoints(&at.join("state"), 1);
            }
        }
        let all = letters(at);
        let open = of_status(&all, "open");
        if all.len() as u64 == ROWS / 10 && open.is_empty() && of_status(&all, "waiting").is_empty()
        {
            break;
        }
        for letter in open.iter().take(1 + dice.below(6) as usize) {
            // The first time some are sent as they were: refused again, and still one letter.
            if letter["attempts"] == 1 && dice.below(3) == 0 {
                command(at, &["redrive", "state", letter["id"].as_str().unwrap()]);
            } else {
                put_right(at, letter);
            }
        }
        turn += 1;
        assert!(turn < 400, "it comes to an end: {all:?}");
    }
    let all = letters(at);
    assert_eq!(of_status(&all, "redriven").len() as u64, ROWS / 10, "{all:?}");
    assert!(all.iter().any(|l| l["attempts"].as_i64() > Some(2)), "some were refused twice");
    let mut ids: Vec<&str> = all.iter().map(|l| l["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "a record that is refused again is no new letter");
    wait_for_checkpoints(&at.join("state"), 2);
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(sorted(&ended.printed), expected.0, "{}", ended.said);
    assert_eq!(files(&at.join("out")), expected.1);
}

#[test]
fn letters_of_files_that_are_put_right_are_as_good_as_new() {
    let fill = |dir: &Path, is_wrong| {
        fs::create_dir(dir.join("in")).unwrap();
        fs::write(dir.join("in/a.json"), lines(is_wrong)).unwrap();
    };
    let files = "'connector' = 'filesystem', 'path' = 'in', 'format' = 'json'";
    let endless = format!("{files}, 'source.monitor-interval' = '20 ms'");
    as_if_good_at_once(&endless, files, fill);
}

/// Writes the input as lines that nobody looks at.
fn fill_by_sql(dir: &Path, is_wrong: bool, raw: &str) {
    fs::write(dir.join("lines.txt"), lines(is_wrong)).unwrap();
    let text = format!(
        "CREATE TABLE lines (line STRING) WITH (
           'connector' = 'filesystem', 'path' = 'lines.txt', 'format' = 'raw');
         CREATE TABLE raw (line STRING) WITH ({raw});
         INSERT INTO raw SELECT line FROM lines;"
    );
    let filled = rialto(dir, &["sql", "-c", &text]);
    assert_eq!(filled.status.code(), Some(0), "{}", stderr(&filled));
}

#[test]
fn letters_of_a_log_that_are_put_right_are_as_good_as_new() {
    let log = |format| {
        format!("'connector' = 'log', 'path' = 'events', 'partitions' = '2', 'format' = '{format}'")
    };
    let bounded = format!("{}, 'scan.bounded.mode' = 'latest-offset'", log("json"));
    let fill = |dir: &Path, is_wrong| fill_by_sql(dir, is_wrong, &log("raw"));
    as_if_good_at_once(&log("json"), &bounded, fill);
}

#[test]
fn letters_of_a_broker_that_are_put_right_are_as_good_as_new() {
    let Some(server) = broker() else { return };
    let topic = |is_wrong, format| {
        let name = if is_wrong { "with-letters" } else { "without-letters" };
        format!(
            "'connector' = 'kafka', 'topic' = '{name}', 'format' = '{format}', \
             'properties.bootstrap.servers' = '{server}', 'scan.startup.mode' = 'earliest-offset'"
        )
    };
    let bounded = format!("{}, 'scan.bounded.mode' = 'latest-offset'", topic(false, "json"));
    let fill = |dir: &Path, is_wrong| fill_by_sql(dir, is_wrong, &topic(is_wrong, "raw"));
    as_if_good_at_once(&topic(true, "json"), &bounded, fill);
}

/// Refused, put right by `--edit` and taken by the next run; what the view then says.
fn put_right_by_edit(at: &Path, job: &str, edit: &str) -> Vec<String> {
    fs::write(at.join("job.sql"), job).unwrap();
    let run = || {
        let output = rialto(at, &["run", "job.sql", "--state", "state", "-o", "csv"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        sorted(&stdout(&output))
    };
    run();
    let all = letters(at);
    assert_eq!(all.len(), 1, "{all:?}");
    command(at, &["redrive", "state", all[0]["id"].as_str().unwrap(), "--edit", edit]);
    let rows = run();
    assert_eq!(letters(at)[0]["status"], "redriven", "{:?}", letters(at));
    rows
}

#[test]
fn what_stood_beside_a_record_of_a_log_is_given_back_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let log = "'connector' = 'log', 'path' = 'events', 'partitions' = '1', 'format' = 'json'";
    let fill = format!(
        "CREATE TABLE w (k STRING, price STRING) WITH ({log}, 'key.fields' = 'k');
         INSERT INTO w VALUES ('good', '1'), ('bad', 'much');"
    );
    let filled = rialto(at, &["sql", "-c", &fill]);
    assert_eq!(filled.status.code(), Some(0), "{}", stderr(&filled));
    let job = format!(
        "CREATE TABLE t (k STRING, price INT, `key` BYTES METADATA VIRTUAL,
           ts TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL,
           place BIGINT METADATA FROM 'offset' VIRTUAL)
           WITH ({log}, 'scan.bounded.mode' = 'latest-offset');
         CREATE MATERIALIZED VIEW v AS SELECT price, DECODE(`key`, 'UTF-8') AS k, place FROM t;
         CREATE MATERIALIZED VIEW times AS SELECT COUNT(ts) AS n, COUNT(DISTINCT ts) AS d FROM t;"
    );
    // Both were written at the same moment.
    let rows = put_right_by_edit(at, &job, "{\"price\":3}");
    let has = |row: &str| assert!(rows.iter().any(|r| r == row), "{row} in {rows:?}");
    has("v,3,\"{\"\"k\"\":\"\"bad\"\"}\",1");
    has("v,1,\"{\"\"k\"\":\"\"good\"\"}\",0");
    has("times,2,1");
}

#[test]
fn what_stood_beside_a_record_of_a_file_is_given_back_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    fs::write(at.join("in/a.json"), "{\"a\":1}\n{\"a\":\"x\"}\n").unwrap();
    let job = "CREATE TABLE t (a INT, size BIGINT METADATA FROM 'file.size' VIRTUAL,
           m TIMESTAMP_LTZ(3) METADATA FROM 'file.modification-time' VIRTUAL,
           name STRING METADATA FROM 'file.name' VIRTUAL)
           WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
         CREATE MATERIALIZED VIEW v AS SELECT SUM(a) AS s, MIN(size) AS least, MAX(size) AS most,
           COUNT(m) AS ms, COUNT(DISTINCT m) AS d, COUNT(name) AS names FROM t;";
    let rows = put_right_by_edit(at, job, "{\"a\":2}");
    assert!(rows.iter().any(|r| r == "v,3,18,18,2,1,2"), "{rows:?}");
}

#[test]
fn what_stood_beside_a_record_of_a_broker_is_given_back_with_it() {
    let Some(server) = broker() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let topic = |more: &str| {
        format!(
            "'connector' = 'kafka', 'topic' = 'beside', 'format' = 'json', \
             'properties.bootstrap.servers' = '{server}', \
             'scan.startup.mode' = 'earliest-offset'{more}"
        )
    };
    let columns = "headers MAP<STRING, BYTES> METADATA, \
        ts TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp'";
    let fill = format!(
        "CREATE TABLE w (price STRING, {columns}) WITH ({});
         INSERT INTO w VALUES
           ('1', MAP['shop', ENCODE('Lido', 'UTF-8')], TO_TIMESTAMP_LTZ(1700000000123, 3)),
           ('much', MAP['shop', ENCODE('Rialto', 'UTF-8')], TO_TIMESTAMP_LTZ(1700000001234, 3));",
        topic("")
    );
    let filled = rialto(at, &["sql", "-c", &fill]);
    assert_eq!(filled.status.code(), Some(0), "{}", stderr(&filled));
    let job = format!(
        "CREATE TABLE t (price INT, {columns}, epoch INT METADATA FROM 'leader-epoch' VIRTUAL,
           who STRING METADATA FROM 'timestamp-type' VIRTUAL) WITH ({});
         CREATE MATERIALIZED VIEW v AS SELECT price, DECODE(headers['shop'], 'UTF-8') AS shop,
           TIMESTAMPDIFF(SECOND, TO_TIMESTAMP_LTZ(0, 3), ts) AS ts, epoch, who FROM t;",
        topic(", 'scan.bounded.mode' = 'latest-offset'")
    );
    let rows = put_right_by_edit(at, &job, "{\"price\":3}");
    let has = |row: &str| assert!(rows.iter().any(|r| r == row), "{row} in {rows:?}");
    has("v,1,Lido,1700000000,0,CreateTime");
    has("v,3,Rialto,1700000001,0,CreateTime");
}

#[test]
fn a_job_that_has_ended_goes_on_with_what_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let input = "{\"id\":1,\"shop\":1,\"price\":5}\n{\"id\":2,\"shop\":1,\"price\":\"x\"}\nnone\n";
    fs::create_dir(at.join("in")).unwrap();
    fs::write(at.join("in/a.json"), input).unwrap();
    let table = "'connector' = 'filesystem', 'path' = 'in', 'format' = 'json'";
    fs::write(at.join("job.sql"), job(table)).unwrap();
    let run = || {
        let output = rialto(at, &["run", "job.sql", "--state", "state", "-o", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        (stdout(&output), stderr(&output))
    };
    let one = "\"shop\":1,\"n\":1,\"ids\":1,\"paid\":5,\"dearest\":5";
    assert!(run().0.contains(one));
    let first = letters(at);
    assert_eq!(of_status(&first, "open").len(), 2, "{first:?}");
    let place = first[0]["position"].as_str().unwrap();
    assert!(place.ends_with("in/a.json:2"), "{place}");
    assert!(first[0]["reason"].as_str().unwrap().contains("price"), "{first:?}");
    let id = first[0]["id"].as_str().unwrap();
    command(at, &["redrive", "state", &id[..6], "--edit", "{\"price\":7}"]);
    let twice = rialto(at, &["dead-letters", "redrive", "state", id]);
    assert_eq!(twice.status.code(), Some(2), "{}", stderr(&twice));
    assert!(stderr(&twice).contains("waits for the job"), "{}", stderr(&twice));

    let (printed, said) = run();
    assert!(said.contains("going on from checkpoint"), "{said}");
    assert!(printed.contains("\"n\":2,\"ids\":2,\"paid\":12,\"dearest\":7"), "{printed} {said}");
    assert_eq!(files(&at.join("out")), ["1,1,5", "2,1,7"]);
    let then = letters(at);
    assert_eq!(then[0]["status"], "redriven", "{then:?}");
    assert_eq!(then[1]["status"], "open", "{then:?}");

    // Nothing waits: the next run begins anew, as a batch would, and refuses the same again.
    let (printed, said) = run();
    assert!(printed.contains(one) && !said.contains("going on"), "{printed} {said}");
    let anew = letters(at);
    assert_eq!(anew.len(), 2, "the same records in the same places: {anew:?}");
    assert_eq!(of_status(&anew, "open").len(), 2, "{anew:?}");
    assert!(anew.iter().all(|l| l["earlier_run"] == false), "{anew:?}");

    fs::write(at.join("in/a.json"), "{\"id\":1,\"shop\":1,\"price\":5}\n").unwrap();
    run();
    let left = letters(at);
    assert!(left.iter().all(|l| l["earlier_run"] == true), "{left:?}");
    let none = rialto(at, &["dead-letters", "redrive", "state", "--all"]);
    assert_eq!(
        stdout(&none),
        "0 records are sent again: taken by the running job, or by its next run\n"
    );
    assert!(stderr(&none).contains("2 open letters of an earlier run"), "{}", stderr(&none));
}

#[test]
fn letters_are_shown_as_they_are_and_can_be_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    fs::write(at.join("in/a.csv"), b"id,shop,price\n1,2,3\nx,2,3\n\xff\x00,2,3\n").unwrap();
    let table = "'connector' = 'filesystem', 'path' = 'in', 'format' = 'csv', \
        'csv.header' = 'true'";
    fs::write(at.join("job.sql"), job(table)).unwrap();
    let ran = rialto(at, &["run", "job.sql", "--state", ".rialto/state"]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    // A project stands for its state.
    let listed = command(at, &["list", "."]);
    assert!(listed.contains("| open   |") && listed.contains("2 rows in set"), "{listed}");
    let listed = command(at, &["list", ".", "--open", "-o", "csv"]);
    let ids: Vec<&str> = listed.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{listed}");

    let shown = command(at, &["show", ".", ids[0]]);
    assert!(shown.contains("in/a.csv:3") && shown.ends_with("\n\nx,2,3\n"), "{shown}");
    let shown = command(at, &["show", ".", ids[1]]);
    assert!(shown.contains("6 bytes, not UTF-8"), "{shown}");
    assert!(shown.contains("00000000  ff 00 2c 32 2c 33  "), "{shown}");
    let shown = command(at, &["show", ".", ids[1], "-o", "json"]);
    assert!(shown.contains("\"base64\":\"/wAsMiwz\""), "{shown}");

    let query = "SELECT `position`, status, attempts, CAST(record AS STRING) AS r \
        FROM `sales$dead_letters` WHERE bytes = 5";
    let read = rialto(at, &["sql", "--state", ".", "-c", query, "-o", "csv"]);
    let rows = stdout(&read);
    assert!(rows.contains("in/a.csv:3,open,1,\"x,2,3\""), "{rows} {}", stderr(&read));

    let refused = |arguments: &[&str], text: &str| {
        let output = rialto(at, &[&["dead-letters"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(text), "{arguments:?}: {}", stderr(&output));
    };
    refused(&["redrive", ".", ids[0]], "its files have headers");
    refused(&["redrive", ".", ids[0], "--edit", "{}"], "its record");
    refused(&["redrive", ".", "nothing"], "there is no letter nothing");
    refused(&["list", ".", "--table", "sale"], "the tables are sales");
    refused(&["list", "in"], "there is no state of a job");
    refused(&["redrive", "."], "required");
    let said = command(at, &["discard", ".", ids[1]]);
    assert_eq!(said, "1 letter is discarded\n");
    refused(&["discard", ".", ids[1]], "is discarded already");
    fs::write(at.join("right.csv"), "9,2,8").unwrap();
    command(at, &["redrive", ".", ids[0], "--set-record", "right.csv"]);
    let ran = rialto(at, &["run", "job.sql", "--state", ".rialto/state", "-o", "csv"]);
    assert!(stdout(&ran).contains("totals,2,2,2,11,8"), "{}", stdout(&ran));
    let listed = command(at, &["list", ".", "-o", "csv"]);
    assert!(listed.contains(",redriven,2,") && listed.contains(",discarded,1,"), "{listed}");
}

#[test]
fn what_is_sent_again_moves_no_watermark_and_may_be_late() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    let row =
        |id: u32, minute: u32| format!("{{\"id\":{id},\"at\":\"2024-01-01 00:{minute:02}:00\"}}\n");
    let bad = "{\"id\":\"x\",\"at\":\"2024-01-01 00:01:30\"}\n{\"id\":7}\n";
    let input = [&row(1, 1), bad, &row(2, 2), &row(3, 20)].concat();
    fs::write(at.join("in/a.json"), input).unwrap();
    let job = "SET 'execution.checkpointing.interval' = '40 ms';
        CREATE TABLE n (id BIGINT, `at` TIMESTAMP(3), WATERMARK FOR `at` AS `at`) WITH (
          'connector' = 'filesystem', 'path' = 'in', 'format' = 'json',
          'source.monitor-interval' = '20 ms');
        CREATE MATERIALIZED VIEW every_row AS SELECT COUNT(*) AS n, SUM(id) AS s FROM n;
        CREATE MATERIALIZED VIEW minutes AS SELECT window_start, COUNT(*) AS n
          FROM TUMBLE(TABLE n, DESCRIPTOR(`at`), INTERVAL '10' MINUTE)
          GROUP BY window_start, window_end;";
    fs::write(at.join("job.sql"), job).unwrap();
    let watch = ["--watch", "every_row,minutes", "-o", "json"];
    let running =
        Running::start(at, &[&["run", "job.sql", "--state", "state"], &watch[..]].concat());
    running.wait_for("\"row\":{\"n\":3,\"s\":6}");
    wait_until("two letters", || at.join("state/dead-letters").exists() && letters(at).len() == 2);
    let all = letters(at);
    let timeless = all.iter().find(|l| l["reason"].as_str().unwrap().contains("null")).unwrap();
    let undecoded = all.iter().find(|l| l["id"] != timeless["id"]).unwrap();
    // What was a row already is no record any more.
    let id = timeless["id"].as_str().unwrap();
    let output = rialto(at, &["dead-letters", "redrive", "state", id]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("what is kept is its row"), "{}", stderr(&output));
    // Far ahead of all others: if it moved the watermark, what comes in order would be late.
    fs::write(at.join("far.json"), row(100, 55)).unwrap();
    command(at, &["redrive", "state", id, "--set-record", "far.json"]);
    running.wait_for("\"row\":{\"n\":4,\"s\":106}");
    fs::write(at.join("in/b.json"), row(4, 21)).unwrap();
    running.wait_for("\"row\":{\"n\":5,\"s\":110}");
    running.wait_for("{\"window_start\":\"2024-01-01 00:20:00\",\"n\":2}");
    // Its window has closed: late there, and counted where no time is asked for.
    command(at, &["redrive", "state", undecoded["id"].as_str().unwrap(), "--edit", "{\"id\":50}"]);
    running.wait_for("\"row\":{\"n\":6,\"s\":160}");
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("1 row came too late"), "{}", ended.said);
    let all = letters(at);
    assert_eq!(of_status(&all, "redriven").len(), 2, "{all:?}");
}

#[test]
fn a_table_of_several_sources_takes_nothing_again_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    fs::write(at.join("in/a.json"), lines(true)).unwrap();
    let table = "'connector' = 'filesystem', 'path' = 'in', 'format' = 'json'";
    let other = "CREATE MATERIALIZED VIEW other AS SELECT SUM(price) AS paid FROM sales \
        /*+ OPTIONS('json.timestamp-format.standard' = 'ISO-8601') */;";
    fs::write(at.join("job.sql"), job(table) + other).unwrap();
    let ran = rialto(at, &["run", "job.sql", "--state", "state"]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    assert!(stderr(&ran).contains("they are kept: rialto dead-letters list state"), "{ran:?}");
    let all = letters(at);
    assert_eq!(all.len() as u64, ROWS / 10, "a record that two sources refuse is one letter");
    let id = all[0]["id"].as_str().unwrap();
    let refused = rialto(at, &["dead-letters", "redrive", "state", id]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("not supported"), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("by several sources"), "{}", stderr(&refused));

    // With one source again, and nothing else changed, it can be put right.
    fs::write(at.join("job.sql"), job(table)).unwrap();
    let run = ["run", "job.sql", "--state", "state", "--fresh", "-o", "json"];
    let ran = rialto(at, &run);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    letters(at).iter().for_each(|letter| put_right(at, letter));
    let ran = rialto(at, &[&run[..4], &run[5..]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let counted: u64 = stdout(&ran)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["row"]["n"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, ROWS, "{}", stdout(&ran));
}

#[test]
fn letters_are_kept_as_long_as_the_project_says_and_nothing_is_taken_twice() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    // A file that is seen while it is written would be read as what it is then: it is moved in.
    let bad = |number: usize| {
        fs::write(at.join("bad"), "no row\n")?;
        fs::rename(at.join("bad"), at.join(format!("in/{number:03}.json")))
    };
    bad(0).unwrap();
    let job = "SET 'execution.checkpointing.interval' = '20 ms';
        SET 'rialto.dead-letters.retention.time' = '2 s';
        CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'in',
          'format' = 'json', 'source.monitor-interval' = '10 ms');
        CREATE MATERIALIZED VIEW v AS SELECT SUM(a) AS s FROM t;";
    fs::write(at.join("job.sql"), job).unwrap();
    let run = ["run", "job.sql", "--state", "state", "-o", "json", "--shards", "1"];
    let running = Running::start(at, &run);
    wait_for_checkpoints(&at.join("state"), 1);
    wait_until("the first letter", || letters(at).len() == 1);
    let first = letters(at)[0]["id"].as_str().unwrap().to_owned();
    fs::write(at.join("right.json"), "{\"a\":100}").unwrap();
    command(at, &["redrive", "state", &first, "--set-record", "right.json"]);
    wait_until("it is taken", || letters(at).iter().all(|l| l["status"] == "redriven"));
    let has =
        |part: &str| letters(at).iter().any(|l| l["position"].as_str().unwrap().contains(part));
    // Each further letter may end a segment; what is older goes with it.
    for number in 1..1000 {
        bad(number).unwrap();
        wait_until("its letter", || has(&format!("{number:03}.json")));
        if !has("000.json") {
            break;
        }
    }
    assert!(!has("000.json"), "{:?}", letters(at));
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.printed.contains("100"), "{}", ended.printed);
    // A run from the start refuses the record again: what was sent in its place is no part of it,
    // though the log has forgotten that it was taken.
    let fresh = Running::start(at, &[&run[..], &["--fresh"]].concat());
    wait_for_checkpoints(&at.join("state"), 1);
    wait_until("the first letter again", || has("000.json"));
    let ended = fresh.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(!ended.printed.contains("100"), "{}", ended.printed);

    let wrong = job.replace("2 s", "for ever");
    fs::write(at.join("job.sql"), wrong).unwrap();
    let refused = rialto(at, &run);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("'for ever' is not what"), "{}", stderr(&refused));
}
