use std::fs;
use std::process::Stdio;

use crate::{SALES, TABLE, TOTALS, command, folder, query, rialto, stderr, stdout};

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
fn a_column_that_is_selected_again_is_numbered() {
    let text = query(
        &["-o", "csv"],
        "SELECT id, id, n AS id0, id, 1 FROM (SELECT id, 7 AS n FROM sales) WHERE id = 4",
    );
    assert_eq!(text, "id,id1,id0,id2,EXPR$4\n4,4,7,4,1\n");
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
fn a_table_that_is_not_there_is_marked_by_its_name() {
    let place = |text: &str| {
        let dir = folder();
        let output = rialto(dir.path(), &["sql", "-c", text]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let told = stderr(&output);
        let (_, mark) = told.split_once(&format!("1 | {text}\n  | ")).unwrap_or_else(|| {
            panic!("{told}");
        });
        let mark = mark.lines().next().unwrap();
        let start = mark.find('^').unwrap();
        text[start..start + mark.matches('^').count()].to_owned()
    };
    assert_eq!(place("SELECT * FROM nosuch"), "nosuch");
    let window = "TUMBLE(TABLE nosuch, DESCRIPTOR(ts), INTERVAL '1' DAY)";
    assert_eq!(place(&format!("SELECT COUNT(*) FROM TABLE({window})")), "nosuch");
    let window = "SESSION(DATA => TABLE nosuch PARTITION BY k, TIMECOL => DESCRIPTOR(ts), \
        GAP => INTERVAL '1' DAY)";
    assert_eq!(place(&format!("SELECT * FROM {window}")), "nosuch");
    assert_eq!(place("SELECT * FROM a_b.nosuch /*+ OPTIONS('x' = 'y') */"), "a_b.nosuch");
}

#[test]
fn what_is_not_understood_is_said_in_the_words_of_sql() {
    let told = |text: &str| {
        let dir = folder();
        let output = rialto(dir.path(), &["sql", "-c", text]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        stderr(&output)
    };
    let text = told("SELECT CONCATT('a', 'b')");
    assert!(text.starts_with("error: function 'CONCATT' not found\n"), "{text}");
    assert!(text.ends_with("hint: did you mean CONCAT?\n"), "{text}");
    let text = told("SELECT NOTHING_LIKE_IT(1)");
    assert!(!text.contains("hint"), "{text}");
    let text = told("SELECT SUM(x) FROM (VALUES ('a')) AS t(x)");
    assert!(text.starts_with("error: SUM does not take arguments of type"), "{text}");
    assert!(!text.contains("coercion") && !text.contains("Candidate"), "{text}");
    let table = "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'nowhere'";
    let text = told(&format!("{table}, 'formt' = 'csv')"));
    assert!(text.contains("or did you mean it by 'formt'?"), "{text}");
    let text = told(&format!("{table}, 'format' = 'csv'); SELECT a FROM t"));
    assert!(text.starts_with("error: table 't': the path 'nowhere' does not exist\n"), "{text}");
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
fn a_row_that_was_never_added_cannot_be_taken_back() {
    let dir = folder();
    let change = r#"{"before": {"sku": "tea", "n": 3}, "after": null, "op": "d"}"#;
    fs::create_dir(dir.path().join("stock")).unwrap();
    fs::write(dir.path().join("stock/changes.json"), change).unwrap();
    let table = "CREATE TABLE stock (sku STRING, n INT) WITH ('connector' = 'filesystem', \
                 'path' = 'stock', 'format' = 'debezium-json');\n";
    let over = "SELECT sku, SUM(n) OVER (PARTITION BY sku ORDER BY n) AS s FROM stock";
    for (query, place) in [
        ("SELECT sku, n FROM stock", "a result"),
        ("SELECT sku, SUM(n) AS n FROM stock GROUP BY sku", "the group"),
        (over, "an OVER window"),
    ] {
        let output = rialto(dir.path(), &["sql", "-c", &format!("{table}{query};")]);
        assert_eq!(output.status.code(), Some(1));
        let told = stderr(&output);
        assert!(told.contains(place), "{told}");
        assert!(told.contains("taken back that was never added; some input"), "{told}");
        assert!(!told.contains("bug"), "{told}");
    }
    let view = format!("{table}CREATE MATERIALIZED VIEW all_of_it AS SELECT sku, n FROM stock;\n");
    fs::write(dir.path().join("shop.sql"), view).unwrap();
    let output = rialto(dir.path(), &["run", "shop.sql"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("'all_of_it': a row is taken back that was never added"), "{told}");
    assert!(told.contains("{sku: tea, n: 3}"), "{told}");
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

#[test]
fn a_plan_is_explained_without_reading() {
    let dir = tempfile::tempdir().unwrap();
    let output = rialto(dir.path(), &["explain", "-c", &format!("{TABLE}{TOTALS};")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("== Step plan ==\n"), "{text}");
    assert!(text.contains("Scan(table=[sales]"), "{text}");
}

/// Two tables with a time, one without, and what waits for it.
const TIMED: &str = "SET 'table.exec.source.idle-timeout' = '1 min';
    CREATE TABLE sales (id BIGINT, at TIMESTAMP(3), WATERMARK FOR at AS at - INTERVAL '5' SECOND)
      WITH ('connector' = 'filesystem', 'path' = 'sales', 'format' = 'json',
        'scan.watermark.alignment.max-drift' = '30 s');
    CREATE TABLE returns (id BIGINT, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH (
      'connector' = 'filesystem', 'path' = 'returns', 'format' = 'json',
      'scan.watermark.idle-timeout' = '10 s');
    CREATE TABLE plain (id BIGINT) WITH (
      'connector' = 'filesystem', 'path' = 'plain', 'format' = 'json');
    CREATE TABLE hourly (window_end TIMESTAMP(3), n BIGINT) WITH (
      'connector' = 'filesystem', 'path' = 'out', 'format' = 'json');
    CREATE MATERIALIZED VIEW pairs AS SELECT s.id FROM sales AS s LEFT JOIN returns AS r
      ON s.id = r.id AND r.at BETWEEN s.at - INTERVAL '1' MINUTE AND s.at + INTERVAL '1' HOUR;";

const HOURLY: &str = "INSERT INTO hourly SELECT window_end, COUNT(*)
    FROM TUMBLE(TABLE sales, DESCRIPTOR(at), INTERVAL '1' HOUR) GROUP BY window_start, window_end;";

#[test]
fn it_is_said_what_waits_for_which_watermark() {
    let dir = tempfile::tempdir().unwrap();
    let said = |statements: &str| {
        let text = format!("{TIMED}{statements}");
        let output = rialto(dir.path(), &["sql", "-c", &text]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let sales = "table 'sales': WATERMARK FOR at AS at - INTERVAL '5' SECOND, delay 5 second, \
        a reader that is silent for 1 min is left out, no reader runs more than 30 s ahead\n";
    let hourly = said(&format!("EXPLAIN WATERMARK {HOURLY}"));
    let expected = format!(
        "== INSERT INTO hourly ==\nwatermark: that of 'sales'\n\
        rows wait for it: see the operators that hold back\n  WindowAggregate: holds back: gives \
        the rows of a window once, when the watermark reaches its end\n    {sales}"
    );
    assert!(hourly.contains(&expected), "{hourly}");
    let pairs = said("EXPLAIN WATERMARK pairs;");
    for expected in [
        "== view pairs ==\nwatermark: the least of 'returns', 'sales'\nno row waits for it\n",
        "  Join: answers at once; a row is let go when the other input's watermark has passed all \
         that it can match; its output is 61 min behind\n",
        &format!("    {sales}"),
        "    table 'returns': WATERMARK FOR at AS at, delay none, a reader that is silent for 10 s \
         is left out\n",
    ] {
        assert!(pairs.contains(expected), "{expected} in {pairs}");
    }
    let plain =
        said("EXPLAIN WATERMARK SELECT p.id FROM plain AS p JOIN pairs AS q ON p.id = q.id;");
    assert!(
        plain.contains("but none before the end of 'plain', without a WATERMARK\n")
            && plain.contains("table 'plain': no WATERMARK, so none before its input ends\n"),
        "{plain}"
    );
    assert!(said("EXPLAIN WATERMARK plain;").contains("watermark: none, no table declares one\n"));
    let all = format!("{TIMED}{HOURLY}");
    let output = rialto(dir.path(), &["explain", "--watermark", "-c", &all]);
    let all = stdout(&output);
    assert!(all.contains("== view pairs ==") && all.contains(&expected), "{all}");
    let output = rialto(dir.path(), &["sql", "-c", "EXPLAIN WATERMARK nothing;"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("1:19"), "{}", stderr(&output));
}

#[test]
fn any_number_of_shards_gives_the_same_rows() {
    let rows = |shards: &str| {
        let dir = folder();
        let text = format!("{TABLE}{TOTALS} ORDER BY product;");
        let output = rialto(dir.path(), &["sql", "-c", &text, "-o", "csv", "--shards", shards]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    assert_eq!(rows("1"), "product,n,total\n,1,1.00\nmilk,1,3.25\ntea,2,12.50\n");
    assert_eq!(rows("2"), rows("1"));
    assert_eq!(rows("7"), rows("1"));
    let dir = folder();
    let output = rialto(dir.path(), &["sql", "-c", "SELECT 1", "--shards", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_changelog_as_csv_begins_with_kind_and_step() {
    let text = query(&["--changelog", "-o", "csv"], "SELECT id, product FROM sales WHERE id = 4");
    assert_eq!(text, "op,step,id,product\n+I,1,4,\n");
}

#[test]
fn what_an_order_needs_is_not_a_column_of_the_changelog() {
    let text =
        query(&["--changelog", "-o", "json"], "SELECT id FROM sales WHERE id = 5 ORDER BY amount");
    assert_eq!(text, "{\"op\":\"+I\",\"step\":1,\"row\":{\"id\":5}}\n");
}

const CLICKS: &str = "CREATE TABLE clicks (id INT, t TIMESTAMP(3), s AS CAST(t AS TIMESTAMP(0)), \
    WATERMARK FOR t AS t) WITH ('connector' = 'filesystem', 'path' = 'clicks.csv', \
    'format' = 'csv');\n";

#[test]
fn rows_that_come_too_late_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "1,2024-01-01 00:00:00\n2,2024-01-01 00:01:00\n3,2024-01-01 00:00:05\n";
    fs::write(dir.path().join("clicks.csv"), rows).unwrap();
    let query = "SELECT window_start, COUNT(*) AS n FROM \
        TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(t), INTERVAL '10' SECOND)) \
        GROUP BY window_start, window_end ORDER BY window_start;";
    let text = format!("{CLICKS}{query}");
    let output = rialto(dir.path(), &["sql", "-c", &text, "-o", "csv"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = "window_start,n\n2024-01-01 00:00:00,1\n2024-01-01 00:01:00,1\n";
    assert_eq!(stdout(&output), expected);
    assert_eq!(stderr(&output), "1 row came too late for WindowAggregate\n");
}

#[test]
fn a_view_and_an_aggregate_keep_the_precision_of_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("clicks.csv"), "1,2024-01-01 00:00:12.345\n").unwrap();
    let view = "CREATE VIEW per_window AS SELECT window_start, MAX(s) AS latest FROM \
        TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(t), INTERVAL '10' SECOND)) \
        GROUP BY window_start, window_end; SELECT * FROM per_window;";
    let expected = "\
+-------------------------+---------------------+
| window_start            | latest              |
+-------------------------+---------------------+
| 2024-01-01 00:00:10.000 | 2024-01-01 00:00:12 |
+-------------------------+---------------------+
1 row in set
";
    let output = rialto(dir.path(), &["sql", "-c", &format!("{CLICKS}{view}")]);
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    let output = rialto(dir.path(), &["sql", "--changelog", "-c", &format!("{CLICKS}{view}")]);
    let text = stdout(&output);
    assert!(text.contains("| 2024-01-01 00:00:10.000 | 2024-01-01 00:00:12 |"), "{text}");
}

#[test]
fn a_computed_column_may_have_the_name_of_the_field_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bids.json"), r#"{"bid":{"id":7,"price":9}}"#).unwrap();
    let text = "CREATE TABLE bids (bid ROW<id INT, price INT>, price AS bid.price) WITH \
        ('connector' = 'filesystem', 'path' = 'bids.json', 'format' = 'json');\n\
        SELECT price, bid.id AS id FROM bids;";
    let output = rialto(dir.path(), &["sql", "-o", "csv", "-c", text]);
    assert_eq!(stdout(&output), "price,id\n9,7\n", "{}", stderr(&output));
}
