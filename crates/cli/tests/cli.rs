//! The command as a user runs it: arguments in, exit code and text out.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const SALES: &str = r#"{"id":1,"product":"tea","amount":10.50}
{"id":2,"product":"milk","amount":3.25}
{"id":3,"product":"tea","amount":"much"}
{"id":4,"product":null,"amount":1}
{"id":5,"product":"tea","amount":2.00}
"#;

const TABLE: &str = "CREATE TABLE sales (id BIGINT, product STRING, amount DECIMAL(10, 2)) \
    WITH ('connector' = 'filesystem', 'path' = 'sales.json', 'format' = 'json');\n";

const TOTALS: &str =
    "SELECT product, COUNT(*) AS n, SUM(amount) AS total FROM sales GROUP BY product";

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sales.json"), SALES).unwrap();
    dir
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    command
}

fn rialto(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a query over the sales prints, and that it ended well.
fn query(options: &[&str], query: &str) -> String {
    let dir = folder();
    let text = format!("{TABLE}{query};");
    let arguments = [&["sql", "-c", &text, "--shards", "2"], options].concat();
    let output = rialto(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_query_prints_its_final_rows_as_a_table() {
    let text = query(&[], &format!("{TOTALS} ORDER BY total DESC"));
    let expected = "\
+---------+---+-------+
| product | n | total |
+---------+---+-------+
| tea     | 2 | 12.50 |
| milk    | 1 |  3.25 |
| <NULL>  | 1 |  1.00 |
+---------+---+-------+
3 rows in set
";
    assert_eq!(text, expected);
}

#[test]
fn a_query_without_rows_says_so() {
    assert_eq!(query(&[], "SELECT id FROM sales WHERE id > 99"), "Empty set\n");
    assert_eq!(query(&["-o", "json"], "SELECT id FROM sales WHERE id > 99"), "");
    assert_eq!(query(&["-o", "csv"], "SELECT id FROM sales WHERE id > 99"), "id\n");
}

#[test]
fn a_query_prints_an_object_a_row() {
    let text = query(&["-o", "json"], &format!("{TOTALS} ORDER BY total DESC"));
    let expected = r#"{"product":"tea","n":2,"total":12.50}
{"product":"milk","n":1,"total":3.25}
{"product":null,"n":1,"total":1.00}
"#;
    assert_eq!(text, expected);
    let text = query(&["-o", "json"], "SELECT id, product FROM sales WHERE id = 1");
    assert_eq!(text.lines().next(), Some(r#"{"id":1,"product":"tea"}"#));
}

#[test]
fn a_query_prints_csv_with_a_header() {
    let text = query(&["-o", "csv"], &format!("{TOTALS} ORDER BY total DESC"));
    assert_eq!(text, "product,n,total\ntea,2,12.50\nmilk,1,3.25\n,1,1.00\n");
}

#[test]
fn a_changelog_has_kind_and_step() {
    let text = query(&["--changelog", "-o", "json"], "SELECT COUNT(amount) AS n FROM sales");
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["row"]["n"], 4);
    assert!(last["step"].as_u64().unwrap() > 0);
    assert!(["+I", "+U"].contains(&last["op"].as_str().unwrap()), "{last}");
    let text = query(&["--changelog"], "SELECT id FROM sales WHERE id = 4");
    let expected = "\
+----+------+----+
| op | step | id |
+----+------+----+
| +I |    1 |  4 |
+----+------+----+
";
    assert_eq!(text, expected);
}

#[test]
fn a_wrong_query_is_shown_with_a_caret() {
    let dir = folder();
    fs::write(dir.path().join("q.sql"), format!("{TABLE}SELECT prodct FROM sales;\n")).unwrap();
    let output = rialto(dir.path(), &["sql", "-f", "q.sql"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.starts_with("error: column 'prodct' not found\n"), "{text}");
    assert!(text.contains("--> q.sql:2:8\n"), "{text}");
    assert!(text.contains("2 | SELECT prodct FROM sales;\n  |        ^^^^^^\n"), "{text}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn exit_codes_tell_a_wrong_request_from_a_failed_job() {
    let dir = folder();
    let code = |arguments: &[&str]| rialto(dir.path(), arguments).status.code();
    assert_eq!(code(&["sql", "-c", "SELECT 1 +"]), Some(2));
    assert_eq!(code(&["sql", "-f", "missing.sql"]), Some(2));
    assert_eq!(code(&["run", "missing"]), Some(2));
    assert_eq!(code(&["sql", "--no-such-flag"]), Some(2));
    assert_eq!(code(&["sql", "-c", "SELECT 1 / (id - 4) FROM (VALUES (4)) AS t(id)"]), Some(1));
    assert_eq!(code(&["version"]), Some(0));
}

#[test]
fn the_first_error_stops_a_script() {
    let dir = folder();
    let output =
        rialto(dir.path(), &["sql", "-o", "csv", "-c", "SELECT 1 AS a; SELECT b; SELECT 2"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "a\n1\n");
}

#[test]
fn statements_come_from_a_pipe() {
    let dir = folder();
    let mut child = command(dir.path(), &["sql", "-o", "csv"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"SELECT 7 AS a;").unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), "a\n7\n");
}

#[test]
fn bad_records_are_counted_and_kept() {
    let dir = folder();
    let text = format!("{TABLE}SELECT SUM(amount) AS total FROM sales;");
    let arguments = ["sql", "-o", "csv", "-c", &text, "--dead-letters", "bad.json"];
    let output = rialto(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "total\n16.75\n");
    let told = stderr(&output);
    assert!(told.starts_with("1 record of 'sales' could not be read (first: "), "{told}");
    assert!(told.contains("sales.json:3: "), "{told}");
    let kept = fs::read_to_string(dir.path().join("bad.json")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(kept.trim_end()).unwrap();
    assert_eq!(letter["table"], "sales");
    assert_eq!(letter["bytes"], SALES.lines().nth(2).unwrap());
}

#[test]
fn inserts_run_to_their_end_in_silence() {
    let dir = folder();
    let sink = "CREATE TABLE teas (id BIGINT) WITH ('connector' = 'filesystem', 'path' = 'teas', \
                'format' = 'csv');\n";
    let insert = "INSERT INTO teas SELECT id FROM sales WHERE product = 'tea';";
    let output = rialto(dir.path(), &["sql", "-c", &format!("{TABLE}{sink}{insert}")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir.path().join("teas")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines.sort();
    // The amount is not asked for, so that nothing is wrong with record 3.
    assert_eq!(lines, ["1", "3", "5"]);
}

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

#[test]
fn a_plan_is_explained_without_reading() {
    let dir = tempfile::tempdir().unwrap();
    let output = rialto(dir.path(), &["explain", "-c", &format!("{TABLE}{TOTALS};")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("== Step plan ==\n"), "{text}");
    assert!(text.contains("Scan(table=[sales]"), "{text}");
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
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
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
