//! A project with state that is edited between two runs: what is unchanged goes on, what is new
//! answers as if it had always been there.

use std::fs;
use std::path::Path;

use crate::running::{Running, wait_for_checkpoints};
use crate::{rialto, stderr, stdout};

/// 40,000 sales, read from files that are watched.
fn project(dir: &Path) {
    fs::create_dir(dir.join("in")).unwrap();
    let line = |id: u32| format!("{id},{},{}\n", id % 7, id % 100);
    fs::write(dir.join("in/a.csv"), (0..20_000).map(line).collect::<String>()).unwrap();
    fs::write(dir.join("in/b.csv"), (20_000..40_000).map(line).collect::<String>()).unwrap();
}

const SALES: &str = "SET 'execution.checkpointing.interval' = '50 ms';
CREATE TABLE sales (id BIGINT, shop INT, price INT) WITH ('connector' = 'filesystem',
  'path' = 'in', 'format' = 'csv', 'source.monitor-interval' = '20 ms');
CREATE TABLE dear (id BIGINT, price INT) WITH (
  'connector' = 'filesystem', 'path' = 'dear', 'format' = 'csv');
";
const TOTALS: &str = "CREATE MATERIALIZED VIEW totals AS
  SELECT shop, COUNT(*) AS n, SUM(price) AS paid FROM sales GROUP BY shop;\n";
const BEST: &str = "CREATE MATERIALIZED VIEW best AS SELECT * FROM (
  SELECT id, price, ROW_NUMBER() OVER (ORDER BY price DESC, id) AS place FROM sales)
  WHERE place <= 3;\n";
const DEAR: &str = "INSERT INTO dear SELECT id, price FROM sales WHERE price > 97;\n";

/// Runs a project until `shown` is what its views print, and stops it.
fn run(dir: &Path, sql: &str, options: &[&str], shown: &[&str]) -> String {
    fs::write(dir.join("job.sql"), sql).unwrap();
    let views =
        ["totals", "best", "named"].into_iter().filter(|v| sql.contains(&format!("VIEW {v}")));
    let watch = views.collect::<Vec<_>>().join(",");
    let all = ["run", "job.sql", "--state", "state", "--watch", &watch, "-o", "json"];
    let running = Running::start(dir, &[&all[..], options].concat());
    shown.iter().for_each(|text| running.wait_for(text));
    wait_for_checkpoints(&dir.join("state"), 1);
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.said
}

fn rows_of(folder: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.file_name().unwrap().to_string_lossy().starts_with('.'), "{path:?}");
        rows.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
    }
    rows.sort();
    rows
}

/// What the plan says, a line each.
fn plan(dir: &Path, options: &[&str]) -> Vec<String> {
    let arguments = [&["plan", "job.sql", "--state", "state"], options].concat();
    let output = rialto(dir, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

const TOTAL_OF_2: &str = "\"shop\":2,\"n\":5714";
const BEST_3: &str = "\"id\":299,\"price\":99,\"place\":3";

#[test]
fn what_is_unchanged_goes_on_and_what_is_new_is_as_if_it_had_always_been_there() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    project(at);
    run(at, &[SALES, TOTALS, DEAR].concat(), &[], &[TOTAL_OF_2]);
    assert_eq!(rows_of(&at.join("dear")).len(), 800);

    // A comment makes no other project of it, nor does a new view touch what is there.
    let edited = ["-- rows of the year\n\n", SALES, TOTALS, "/* the rest */ ", DEAR].concat();
    fs::write(at.join("job.sql"), &edited).unwrap();
    let said = plan(at, &[]);
    assert!(said.contains(&"reused view totals".to_owned()), "{said:?}");
    assert!(said.iter().all(|l| !l.starts_with("rebuilt")), "{said:?}");
    let said = run(at, &edited, &[], &[TOTAL_OF_2]);
    assert!(said.contains("going on from checkpoint") && !said.contains("changed"), "{said}");

    let more = [SALES, DEAR, BEST, TOTALS].concat();
    fs::write(at.join("job.sql"), &more).unwrap();
    let said = plan(at, &[]);
    for line in [
        "reused insert into dear",
        "rebuilt view best from the first row of its sources",
        "reused view totals",
        "reused Aggregate of totals",
        "rebuilt TopN of best",
    ] {
        assert!(said.iter().any(|l| l == line), "{line} in {said:?}");
    }
    let said = run(at, &more, &["--shards", "2"], &[TOTAL_OF_2, BEST_3]);
    assert!(said.contains("the project has changed: operators"), "{said}");
    // And once more: what was rebuilt goes on as well, also with another number of shards.
    let said = run(at, &more, &["--shards", "1"], &[TOTAL_OF_2, BEST_3]);
    assert!(said.contains("going on from checkpoint") && !said.contains("changed"), "{said}");
    // New rows reach the old and the new.
    fs::write(at.join("in/c.csv"), "40000,2,1000\n").unwrap();
    let seen = ["\"shop\":2,\"n\":5715", "\"id\":40000,\"price\":1000,\"place\":1"];
    run(at, &more, &["--shards", "2"], &seen);
    assert_eq!(rows_of(&at.join("dear")).len(), 801, "nothing twice");

    // What is not asked for any more is let go.
    let less = [SALES, BEST].concat();
    fs::write(at.join("job.sql"), &less).unwrap();
    let said = plan(at, &[]);
    assert!(said.contains(&"dropped output totals".to_owned()), "{said:?}");
    assert!(said.contains(&"reused view best".to_owned()), "{said:?}");
    run(at, &less, &[], &[seen[1]]);
}

#[test]
fn an_insert_that_was_edited_is_not_run_before_its_user_has_said_how() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    project(at);
    run(at, &[SALES, TOTALS, DEAR].concat(), &[], &[TOTAL_OF_2]);
    let edited = [SALES, TOTALS, &DEAR.replace("> 97", "> 98")].concat();
    fs::write(at.join("job.sql"), &edited).unwrap();
    let refused = rialto(at, &["run", "job.sql", "--state", "state"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let said = plan(at, &[]);
    let line = "rebuilt insert into dear other rows than before: say --changed-inserts rewrite or \
                continue";
    assert!(said.contains(&line.to_owned()), "{said:?}");

    // Only what comes from now on.
    fs::write(at.join("in/c.csv"), "40000,2,98\n40001,2,99\n").unwrap();
    let now = ["\"shop\":2,\"n\":5716"];
    run(at, &edited, &["--changed-inserts", "continue"], &now);
    let rows = rows_of(&at.join("dear"));
    assert_eq!(rows.len(), 801);
    assert!(rows.contains(&"40001,99".to_owned()) && !rows.contains(&"40000,98".to_owned()));
    // All of them.
    let again = [SALES, TOTALS, &DEAR.replace("> 97", "= 99")].concat();
    run(at, &again, &["--changed-inserts", "rewrite"], &now);
    assert_eq!(rows_of(&at.join("dear")).len(), 801 + 401);
    run(at, &again, &[], &now);
    assert_eq!(rows_of(&at.join("dear")).len(), 801 + 401);
}

#[test]
fn a_savepoint_outlives_checkpoints_and_is_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    project(at);
    let job = [SALES, TOTALS].concat();
    run(at, &job, &[], &[TOTAL_OF_2]);
    let ok = |arguments: &[&str]| {
        let output = rialto(at, arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output) + &stderr(&output)
    };
    let said = ok(&["savepoint", "create", "state", "before"]);
    assert!(said.contains("savepoint before: checkpoint"), "{said}");
    let twice = rialto(at, &["savepoint", "create", "state", "before"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(ok(&["savepoint", "list", "state"]).contains("before"), "it is listed");
    fs::write(at.join("in/c.csv"), "40000,2,1\n").unwrap();
    run(at, &job, &[], &["\"shop\":2,\"n\":5715"]);

    // Back to it, and the new file is read again; of a running project, too.
    let said = ok(&["restore", "state", "before"]);
    assert!(said.contains("the next run goes on from savepoint before"), "{said}");
    fs::remove_file(at.join("in/c.csv")).unwrap();
    let said = run(at, &job, &["--shards", "3"], &[TOTAL_OF_2]);
    assert!(said.contains("behind 40000 rows"), "{said}");
    ok(&["savepoint", "drop", "state", "before"]);
    let gone = rialto(at, &["restore", "state", "before"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(stderr(&gone).contains("there is no savepoint before"), "{}", stderr(&gone));
    let bad = rialto(at, &["savepoint", "create", "state", "../x"]);
    assert!(stderr(&bad).contains("cannot name a savepoint"), "{}", stderr(&bad));
}
