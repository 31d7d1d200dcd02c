use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::{TABLE, TOTALS, folder, rialto, stderr, stdout};

/// A project of two files with two views, an insert and a query.
fn project() -> TempDir {
    let dir = folder();
    fs::create_dir(dir.path().join("sql")).unwrap();
    fs::write(dir.path().join("rialto.toml"), "[variables]\nleast = \"2\"\n").unwrap();
    fs::write(dir.path().join("sql/1-tables.sql"), TABLE).unwrap();
    let views = format!(
        "CREATE MATERIALIZED VIEW totals AS {TOTALS};\n\
         CREATE MATERIALIZED VIEW great AS SELECT product FROM totals WHERE total > ${{least}};\n\
         CREATE TABLE shown (product STRING) WITH ('connector' = 'print');\n\
         INSERT INTO shown SELECT product FROM sales WHERE id = 2;\n\
         SELECT MAX(amount) AS greatest FROM sales;\n"
    );
    fs::write(dir.path().join("sql/2-views.sql"), views).unwrap();
    dir
}

#[test]
fn a_project_runs_as_one_job_and_prints_its_views() {
    let dir = project();
    let output = rialto(Path::new("."), &["run", &dir.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("+I[milk]\ntotals\n"), "{text}");
    assert!(text.contains("| tea     | 2 | 12.50 |\n"), "{text}");
    assert!(text.contains("3 rows in set\n\ngreat\n"), "{text}");
    assert!(
        text.ends_with("| greatest |\n+----------+\n|    10.50 |\n+----------+\n1 row in set\n")
    );
    let told = stderr(&output);
    assert!(!told.contains("rows/s"), "progress on a pipe: {told}");
}

#[test]
fn rows_of_a_view_are_limited_and_variables_replaced() {
    let dir = project();
    let arguments = ["run", ".", "-o", "json", "--rows", "1", "-D", "least=5"];
    let text = stdout(&rialto(dir.path(), &arguments));
    let rows: Vec<serde_json::Value> = text
        .lines()
        .filter(|l| l.contains("\"table\""))
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert_eq!(rows[1], serde_json::json!({"table": "great", "row": {"product": "tea"}}));
}

#[test]
fn views_are_printed_as_csv() {
    let dir = project();
    let output = rialto(dir.path(), &["run", ".", "-o", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let parts: Vec<&str> = text.split("\n\n").collect();
    let [totals, great, query] = parts[..] else { panic!("{text}") };
    let mut rows: Vec<&str> = totals.lines().collect();
    rows.sort_unstable();
    let expected = ["+I[milk]", "table,product,n,total", "totals,,1,1.00", "totals,milk,1,3.25"];
    assert_eq!(rows[..4], expected);
    assert_eq!(rows[4..], ["totals,tea,2,12.50"]);
    let mut rows: Vec<&str> = great.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["great,milk", "great,tea", "table,product"]);
    assert_eq!(query, "greatest\n10.50\n");
}

#[test]
fn changes_of_one_view_are_printed_as_csv() {
    let dir = two_steps();
    let arguments = ["run", "job.sql", "--shards", "1", "-o", "csv", "--watch"];
    let output = rialto(dir.path(), &[&arguments[..], &["sold"]].concat());
    let expected = "op,step,product,n,latest
+I,1,tea,1,2024-01-01 08:00:00
+I,1,milk,1,2024-01-01 08:30:00
-U,2,tea,1,2024-01-01 08:00:00
+U,2,tea,2,2024-01-01 09:00:00
";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    let output = rialto(dir.path(), &[&arguments[..], &["sold,moments"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("take -o json"), "{}", stderr(&output));
}

#[test]
fn watched_views_print_their_changes_in_commit_order() {
    let dir = project();
    let arguments = ["run", ".", "--watch", "great,totals", "--changelog", "-o", "json"];
    let output = rialto(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut rows = std::collections::BTreeMap::new();
    let mut step = 0;
    for line in stdout(&output).lines().filter(|l| l.contains("\"table\"")) {
        let change: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(change["step"].as_u64().unwrap() >= step, "{line}");
        step = change["step"].as_u64().unwrap();
        let weight = if change["op"].as_str().unwrap().starts_with('+') { 1 } else { -1 };
        *rows.entry(format!("{} {}", change["table"], change["row"])).or_insert(0) += weight;
    }
    rows.retain(|_, weight| *weight != 0);
    let expected = [
        r#""great" {"product":"milk"}"#,
        r#""great" {"product":"tea"}"#,
        r#""totals" {"product":"milk","n":1,"total":3.25}"#,
        r#""totals" {"product":"tea","n":2,"total":12.5}"#,
        r#""totals" {"product":null,"n":1,"total":1.0}"#,
    ];
    assert_eq!(rows.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    assert!(rows.values().all(|&weight| weight == 1), "{rows:?}");
}

#[test]
fn an_unknown_view_cannot_be_watched() {
    let dir = project();
    let output = rialto(dir.path(), &["run", ".", "--watch", "total"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean 'totals'?"), "{}", stderr(&output));
}

#[test]
fn a_check_opens_nothing() {
    let dir = project();
    fs::remove_file(dir.path().join("sales.json")).unwrap();
    let output = rialto(dir.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "ok: 2 files, 2 tables, 2 views, 1 insert, 1 query\n");
    fs::write(dir.path().join("sql/3.sql"), "SELECT x FROM totals;").unwrap();
    let output = rialto(dir.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("sql/3.sql:1:8"), "{}", stderr(&output));
}

/// Sales in two files: with one shard a step each.
fn two_steps() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sales")).unwrap();
    let day = |file: &str, rows: &str| fs::write(dir.path().join(file), rows).unwrap();
    day("sales/1.csv", "tea,2024-01-01 08:00:00\nmilk,2024-01-01 08:30:00\n");
    day("sales/2.csv", "tea,2024-01-01 09:00:00\n");
    let sql = "CREATE TABLE sales (product STRING, sold TIMESTAMP(0)) WITH ('connector' = \
        'filesystem', 'path' = 'sales', 'format' = 'csv');\n\
        CREATE MATERIALIZED VIEW sold AS SELECT product, COUNT(*) AS n, MAX(sold) AS latest \
        FROM sales GROUP BY product;\n\
        CREATE MATERIALIZED VIEW moments AS SELECT sold FROM sales;\n";
    fs::write(dir.path().join("job.sql"), sql).unwrap();
    dir
}

#[test]
fn a_watched_change_is_an_object_with_table_kind_step_and_row() {
    let dir = two_steps();
    let arguments = ["run", "job.sql", "--shards", "1", "--watch", "sold,moments", "--changelog"];
    let output = rialto(dir.path(), &[&arguments[..], &["-o", "json"]].concat());
    let expected = r#"{"table":"sold","op":"+I","step":1,"row":{"product":"tea","n":1,"latest":"2024-01-01 08:00:00"}}
{"table":"sold","op":"+I","step":1,"row":{"product":"milk","n":1,"latest":"2024-01-01 08:30:00"}}
{"table":"moments","op":"+I","step":1,"row":{"sold":"2024-01-01 08:00:00"}}
{"table":"moments","op":"+I","step":1,"row":{"sold":"2024-01-01 08:30:00"}}
{"table":"sold","op":"-U","step":2,"row":{"product":"tea","n":1,"latest":"2024-01-01 08:00:00"}}
{"table":"sold","op":"+U","step":2,"row":{"product":"tea","n":2,"latest":"2024-01-01 09:00:00"}}
{"table":"moments","op":"+I","step":2,"row":{"sold":"2024-01-01 09:00:00"}}
"#;
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_watched_change_is_a_line_for_people() {
    let dir = two_steps();
    let output = rialto(dir.path(), &["run", "job.sql", "--shards", "1", "--watch", "sold"]);
    let last = "step 2  sold  +U  product=tea, n=2, latest=2024-01-01 09:00:00\n";
    assert!(stdout(&output).ends_with(last), "{}", stdout(&output));
}

#[test]
fn records_that_a_project_cannot_read_are_counted() {
    let dir = project();
    let output = rialto(dir.path(), &["run", ".", "--dead-letters", "bad.json"]);
    assert_eq!(output.status.code(), Some(0));
    let told = stderr(&output);
    assert!(told.contains("of 'sales' could not be read (first: "), "{told}");
    let kept = fs::read_to_string(dir.path().join("bad.json")).unwrap();
    assert!(kept.lines().all(|line| line.contains("sales.json:3")), "{kept}");
}

#[test]
fn rows_without_an_event_time_are_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "{\"id\": 1, \"ts\": \"2024-01-01 08:00:00\"}\n{\"id\": 2, \"ts\": null}\n\
        {\"id\": 3}\n{\"id\": 4, \"ts\": \"2024-01-01 08:00:01\"}\n";
    fs::write(dir.path().join("in.json"), rows).unwrap();
    let sql = |option: &str| {
        format!(
            "CREATE TABLE t (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = \
             'filesystem', 'path' = 'in.json', 'format' = 'json'{option});\n\
             CREATE MATERIALIZED VIEW ids AS SELECT id FROM t;\n\
             CREATE MATERIALIZED VIEW n AS SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, \
             DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;\n"
        )
    };
    fs::write(dir.path().join("job.sql"), sql("")).unwrap();
    let arguments = ["run", "job.sql", "-o", "csv", "--shards", "1", "--dead-letters", "dead.json"];
    let output = rialto(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "table,id\nids,1\nids,4\n\ntable,n\nn,2\n\n");
    let told = stderr(&output);
    let first = "2 records of 't' could not be read (first: row 2 of reader 0: column 'ts': \
        the event time is null)";
    assert!(told.contains(first), "{told}");
    assert!(!told.contains("too late"), "{told}");
    let kept = fs::read_to_string(dir.path().join("dead.json")).unwrap();
    assert_eq!(kept.lines().count(), 2, "{kept}");
    let letter: serde_json::Value = serde_json::from_str(kept.lines().next().unwrap()).unwrap();
    let row: serde_json::Value = serde_json::from_str(letter["bytes"].as_str().unwrap()).unwrap();
    assert_eq!(row, serde_json::json!({"id": 2, "ts": null}));

    fs::write(dir.path().join("job.sql"), sql(", 'rialto.on-error' = 'fail'")).unwrap();
    let output = rialto(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the event time is null"), "{}", stderr(&output));
}

#[test]
fn a_table_that_cannot_be_opened_is_named() {
    let dir = project();
    fs::remove_file(dir.path().join("sales.json")).unwrap();
    let output = rialto(dir.path(), &["run", "."]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.starts_with("error: table 'sales': the path 'sales.json' does not exist\n"));
    assert!(told.contains("\nhint: relative paths start at the project's folder\n"), "{told}");
}

#[test]
fn a_project_without_anything_to_do_is_refused() {
    let dir = folder();
    fs::write(dir.path().join("job.sql"), TABLE).unwrap();
    let output = rialto(dir.path(), &["run", "job.sql"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: the project has nothing to run\nhint: "));
}
