//! A project with state: killed at any moment, run again, and everything is exact.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rialto_runtime::crash::PLACES;

use crate::running::{Running, wait_for_checkpoints};
use crate::{command, rialto, stderr, stdout};

/// Rows by a clock of their own, a window, a join and a rank over them; into files, a log, views.
const JOB: &str = "
SET 'execution.checkpointing.interval' = '40 ms';
CREATE TABLE sales (
  id BIGINT, shop INT, price INT,
  at AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR at AS at - INTERVAL '0.2' SECOND
) WITH (
  'connector' = 'datagen', 'rows-per-second' = '60000', 'fields.id.kind' = 'sequence',
  'fields.id.start' = '1', 'fields.id.end' = '400000', 'fields.shop.min' = '1',
  'fields.shop.max' = '40', 'fields.price.min' = '1', 'fields.price.max' = '500'
);
CREATE TABLE big (id BIGINT, shop INT) WITH (
  'connector' = 'filesystem', 'path' = 'big', 'format' = 'csv');
CREATE TABLE minutes (shop INT, w TIMESTAMP(3), n BIGINT, paid BIGINT) WITH (
  'connector' = 'filesystem', 'path' = 'minutes', 'format' = 'csv');
CREATE TABLE journal (id BIGINT, shop INT, price INT) WITH (
  'connector' = 'log', 'partitions' = '2', 'key.fields' = 'shop',
  'scan.bounded.mode' = 'latest-offset');
INSERT INTO big SELECT id, shop FROM sales WHERE price > 450;
INSERT INTO minutes SELECT shop, window_start, COUNT(*), SUM(price)
  FROM TUMBLE(TABLE sales, DESCRIPTOR(at), INTERVAL '1' SECOND)
  GROUP BY shop, window_start, window_end;
INSERT INTO journal SELECT id, shop, price FROM sales WHERE price <= 25;
CREATE MATERIALIZED VIEW totals AS
  SELECT shop, COUNT(*) AS n, SUM(price) AS paid, COUNT(DISTINCT price) AS prices, MAX(id) AS latest
  FROM sales GROUP BY shop;
CREATE MATERIALIZED VIEW dear AS
  SELECT id, shop, price, paid FROM (
    SELECT s.id, s.shop, s.price, t.paid,
      ROW_NUMBER() OVER (PARTITION BY s.shop ORDER BY s.price DESC, s.id) AS place
    FROM sales AS s JOIN totals AS t ON s.shop = t.shop AND s.price > 490
  ) WHERE place <= 3;
";

/// What a project has answered: its views as it printed them, and its files and log, sorted.
#[derive(Debug, PartialEq, Eq)]
struct Answer(BTreeMap<&'static str, Vec<String>>);

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn files(folder: &Path) -> Vec<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.starts_with('.'), "{name} was left behind");
        text += &fs::read_to_string(&path).unwrap();
    }
    sorted(&text)
}

fn answer(dir: &Path, printed: &str) -> Answer {
    let table = JOB.split("CREATE TABLE journal").nth(1).unwrap().split(';').next().unwrap();
    let read = format!("CREATE TABLE journal{table}; SELECT id, shop, price FROM journal");
    let journal = rialto(dir, &["sql", "-c", &read, "-o", "csv"]);
    assert_eq!(journal.status.code(), Some(0), "{}", stderr(&journal));
    Answer(BTreeMap::from([
        ("views", sorted(printed)),
        ("big", files(&dir.join("big"))),
        ("minutes", files(&dir.join("minutes"))),
        ("journal", sorted(&stdout(&journal))),
    ]))
}

/// Numbers that look random and are the same in every run (a linear congruential generator).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % n
    }
}

pub fn kills() -> u64 {
    std::env::var("RIALTO_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// The hash of all changes of each output, as of the newest checkpoint.
fn hashes(dir: &Path) -> BTreeMap<String, String> {
    let listed = rialto(dir, &["checkpoints", "state", "-o", "json"]);
    let newest = stdout(&listed).lines().next().unwrap().to_owned();
    let newest: serde_json::Value = serde_json::from_str(&newest).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let outputs = newest["outputs"].as_array().unwrap();
    outputs.iter().map(|o| (text(&o["name"]), text(&o["hash"]))).collect()
}

#[test]
fn runs_that_have_read_the_same_have_the_same_hashes() {
    let job = JOB.replace("'400000'", "'150000'");
    let straight = tempfile::tempdir().unwrap();
    fs::write(straight.path().join("job.sql"), &job).unwrap();
    let run = ["run", "job.sql", "--state", "state", "--shards"];
    let output = rialto(straight.path(), &[&run[..], &["1"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = hashes(straight.path());
    assert_eq!(expected.len(), 5, "{expected:?}");
    assert!(expected.values().all(|hash| hash != "0000000000000000"), "{expected:?}");

    let halves = tempfile::tempdir().unwrap();
    fs::write(halves.path().join("job.sql"), &job).unwrap();
    let running = Running::start(halves.path(), &[&run[..], &["2"]].concat());
    wait_for_checkpoints(&halves.path().join("state"), 2);
    assert_eq!(running.terminate().code, Some(0));
    let saved = rialto(halves.path(), &["savepoint", "create", "state", "half"]);
    assert_eq!(saved.status.code(), Some(0), "{}", stderr(&saved));
    let half = hashes(halves.path());
    assert_ne!(half["journal"], expected["journal"], "it was stopped before the end");
    let saved = stdout(&rialto(halves.path(), &["savepoint", "list", "state"]));
    assert!(saved.contains(&format!("journal {}", half["journal"])), "{saved}");
    let output = rialto(halves.path(), &[&run[..], &["3"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(hashes(halves.path()), expected);
    let told = stdout(&rialto(halves.path(), &["jobs", "state"]));
    assert!(told.contains(&format!("totals {}", expected["totals"])), "{told}");

    // Other rows have other hashes: the test can fail.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("job.sql"), job.replace("price <= 25", "price <= 26")).unwrap();
    let output = rialto(other.path(), &[&run[..], &["1"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let other = hashes(other.path());
    assert_ne!(other["journal"], expected["journal"]);
    assert_eq!(other["totals"], expected["totals"]);
}

#[test]
fn a_project_that_is_killed_again_and_again_answers_as_if_it_never_was() {
    // More kills need more time, not more rows: those that are joined are compared with all others.
    let rate = format!("'{}'", 1_200_000 / kills().max(20));
    let job = JOB.replace("'60000'", &rate);
    let straight = tempfile::tempdir().unwrap();
    fs::write(straight.path().join("job.sql"), &job).unwrap();
    let all = ["run", "job.sql", "-o", "json", "--rows", "1000"];
    let output = rialto(straight.path(), &[&all[..], &["--state", "state"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = answer(straight.path(), &stdout(&output));
    assert!(expected.0.values().all(|rows| rows.len() > 40), "there is something to compare");

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), &job).unwrap();
    let mut dice = Dice(7);
    let (mut resumed, mut shards) = (0, "2");
    for kill in 0..kills() {
        // Every third time with another number of shards.
        if kill % 3 == 2 {
            shards = ["1", "2", "3"][dice.below(3) as usize];
        }
        let state = ["--state", "state", "--shards", shards];
        let run = Running::start(dir.path(), &[&all[..], &state].concat());
        // Every second one gets so far that the next goes on from it; the others are hit wherever
        // they are, while they start, too.
        if kill % 2 == 0 {
            wait_for_checkpoints(&dir.path().join("state"), 1);
            std::thread::sleep(Duration::from_millis(dice.below(120)));
        } else {
            std::thread::sleep(Duration::from_millis(20 + dice.below(400)));
        }
        let ended = run.kill();
        resumed += u64::from(ended.said.contains("going on from checkpoint"));
    }
    let output = rialto(dir.path(), &[&all[..], &["--state", "state", "--shards", "2"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("going on from checkpoint"), "{}", stderr(&output));
    assert!(resumed + 1 >= kills() / 2, "every second run went on, {resumed} did");
    assert_eq!(hashes(straight.path()), hashes(dir.path()));
    let found = answer(dir.path(), &stdout(&output));
    for (what, rows) in &expected.0 {
        let found = &found.0[what];
        let lost: Vec<_> =
            rows.iter().filter(|r| found.binary_search(r).is_err()).take(3).collect();
        let new: Vec<_> = found.iter().filter(|r| rows.binary_search(r).is_err()).take(3).collect();
        assert_eq!(
            (rows.len(), lost.len(), new.len()),
            (found.len(), 0, 0),
            "{what}: lost {lost:?}, too many {new:?}"
        );
        assert_eq!(rows, found, "{what}");
    }
}

/// As a power cut between any two durable calls of a checkpoint's way, again and again.
#[test]
fn a_project_that_ends_at_any_place_of_a_checkpoint_answers_as_if_it_never_did() {
    let hits = kills().div_ceil(10);
    let rate = format!("'{}'", 1_300_000 / (hits * PLACES.len() as u64));
    let job = JOB.replace("'60000'", &rate);
    let straight = tempfile::tempdir().unwrap();
    fs::write(straight.path().join("job.sql"), &job).unwrap();
    let all = ["run", "job.sql", "-o", "json", "--rows", "1000"];
    let output = rialto(straight.path(), &all);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = answer(straight.path(), &stdout(&output));

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), &job).unwrap();
    let mut dice = Dice(5);
    let shards = |dice: &mut Dice| ["1", "2", "3"][dice.below(3) as usize];
    // One run that leaves something to go on from.
    let first = Running::start(dir.path(), &[&all[..], &["--state", "state"]].concat());
    wait_for_checkpoints(&dir.path().join("state"), 1);
    first.kill();
    for hit in 0..hits {
        for place in PLACES {
            let state = ["--state", "state", "--shards", shards(&mut dice)];
            // Places of the start are passed once, the others by each checkpoint, or each sink.
            let pass = if place.starts_with("re") { 1 } else { 1 + dice.below(3) };
            let mut run = command(dir.path(), &[&all[..], &state].concat());
            let output = run.env("RIALTO_CRASH_AT", format!("{place}:{pass}")).output().unwrap();
            assert_eq!(output.status.code(), None, "{place} {hit}: {}", stderr(&output));
            assert!(
                stderr(&output).contains("going on from checkpoint")
                    || place == "restore"
                    || place == "recover"
                    || place == "recovered",
                "{place}: {}",
                stderr(&output)
            );
        }
    }
    let output = rialto(dir.path(), &[&all[..], &["--state", "state"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(expected, answer(dir.path(), &stdout(&output)));
}

#[test]
fn a_signal_stops_with_a_checkpoint_and_the_next_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), JOB).unwrap();
    let run = ["run", "job.sql", "--state", "state"];
    let running = Running::start(dir.path(), &run);
    wait_for_checkpoints(&dir.path().join("state"), 2);
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let listed = rialto(dir.path(), &["checkpoints", "state", "-o", "json"]);
    let newest: serde_json::Value =
        serde_json::from_str(stdout(&listed).lines().next().unwrap()).unwrap();
    assert_eq!(newest["finished"], false, "{newest}");

    // Other rows into a table than before: the user has to say what is meant.
    let other = JOB.replace("price > 450", "price > 451");
    fs::write(dir.path().join("job.sql"), other).unwrap();
    let refused = rialto(dir.path(), &run);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("writes other rows into big than before"), "{refused:?}");
    assert!(stderr(&refused).contains("--changed-inserts rewrite"), "{refused:?}");

    fs::write(dir.path().join("job.sql"), JOB).unwrap();
    let output = rialto(dir.path(), &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let going_on = format!("going on from checkpoint {}", newest["name"].as_str().unwrap());
    assert!(stderr(&output).contains(&going_on), "{}", stderr(&output));
    let listed = rialto(dir.path(), &["checkpoints", "state"]);
    assert!(stdout(&listed).contains("400000 rows"), "{}", stdout(&listed));
    assert!(stdout(&listed).contains("the input has ended"), "{}", stdout(&listed));
}

#[test]
fn a_damaged_checkpoint_is_told_and_an_older_one_used() {
    let dir = tempfile::tempdir().unwrap();
    let endless = JOB.replace("'fields.id.end' = '400000'", "'fields.id.end' = '9000000000'");
    fs::write(dir.path().join("job.sql"), endless).unwrap();
    let run = ["run", "job.sql", "--state", "state"];
    let stop = |checkpoints| {
        let running = Running::start(dir.path(), &run);
        wait_for_checkpoints(&dir.path().join("state"), checkpoints);
        let second = rialto(dir.path(), &run);
        assert_eq!(second.status.code(), Some(2), "one run at a time: {}", stderr(&second));
        assert!(stderr(&second).contains("is in use"), "{}", stderr(&second));
        running.terminate()
    };
    stop(3);
    let manifests = dir.path().join("state/checkpoints/manifests");
    let mut names: Vec<_> = fs::read_dir(&manifests).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "three are kept: {names:?}");
    let newest = names.pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(&newest, bytes).unwrap();
    let said = stop(2).said;
    assert!(said.contains("is damaged") && said.contains("an older one is used"), "{said}");
    assert!(said.contains("going on from checkpoint"), "{said}");

    // Where none is whole the run is refused: to begin anew is for the user to say.
    for entry in fs::read_dir(&manifests).unwrap() {
        fs::write(entry.unwrap().path(), "x").unwrap();
    }
    let output = rialto(dir.path(), &run);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("no checkpoint can be used") && said.contains("--fresh"), "{said}");
    assert!(fs::read_dir(&manifests).unwrap().count() > 0, "nothing was thrown away");
}

#[test]
fn a_view_that_does_not_change_outlives_other_numbers_of_shards() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("in")).unwrap();
    fs::write(dir.path().join("in/a.json"), "{\"a\":1}\n{\"a\":2}\n").unwrap();
    let job = "SET 'execution.checkpointing.interval' = '100 ms';
        CREATE TABLE n (a BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in',
          'format' = 'json', 'source.monitor-interval' = '50 ms');
        CREATE MATERIALIZED VIEW v AS SELECT COUNT(*) AS n, SUM(a) AS s FROM n;";
    fs::write(dir.path().join("job.sql"), job).unwrap();
    for shards in ["2", "1", "1", "3", "2"] {
        let run = ["run", "job.sql", "--state", "state", "-o", "json", "--shards", shards];
        let running = Running::start(dir.path(), &run);
        // The files are read before the first of them, or between the two.
        wait_for_checkpoints(&dir.path().join("state"), 2);
        let ended = running.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        let expected = "{\"table\":\"v\",\"row\":{\"n\":2,\"s\":3}}\n";
        assert_eq!(ended.printed, expected, "{shards} shards: {}", ended.said);
    }
}
