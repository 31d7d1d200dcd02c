//! The parser, seen from outside: statements that Flink takes and what they become, statements that
//! are wrong and what the user reads, and texts that are too large.

use std::time::{Duration, Instant};

use rialto_sql::error::SqlError;
use rialto_sql::parser::*;
use sqlparser::ast::{Expr, SetExpr, TableFactor};

fn statement(text: &str) -> Statement {
    match parse_one(text) {
        Ok(parsed) => parsed.statement,
        Err(error) => panic!("{}\n{text}", error.render(text, "test.sql")),
    }
}

fn error(text: &str) -> SqlError {
    match parse(text) {
        Ok(parsed) => panic!("this should be refused: {text}\n{parsed:?}"),
        Err(error) => error,
    }
}

fn query(text: &str) -> QueryText {
    match statement(text) {
        Statement::Query(query) => query,
        other => panic!("not a query: {other:?}"),
    }
}

/// The canonical text of a query's only column.
fn column(expression: &str) -> String {
    canonical(&format!("SELECT {expression} FROM t"))
        .strip_prefix("SELECT ")
        .and_then(|text| text.strip_suffix(" FROM t"))
        .map(str::to_string)
        .expect("one column")
}

fn canonical(text: &str) -> String {
    query(text).query.to_string()
}

fn relation(text: &str) -> TableFactor {
    match *query(text).query.body {
        SetExpr::Select(select) => select.from[0].relation.clone(),
        other => panic!("not a select: {other}"),
    }
}

fn table(text: &str) -> CreateTable {
    match statement(text) {
        Statement::CreateTable(table) => *table,
        other => panic!("not a table: {other:?}"),
    }
}

/// Good statements whose details are looked at elsewhere: each must be read, and be read again
/// from its own text as the same statement.
const GOOD: &[&str] = &[
    "SELECT 1",
    "SELECT a, b AS c FROM t WHERE a > 1 AND NOT (b IS NULL OR c <> 'x')",
    "SELECT DISTINCT `from`, `日本` FROM `my table`",
    "SELECT * FROM cat.db.t AS x, LATERAL TABLE(split(x.a, ',')) AS s(word, len)",
    "SELECT * FROM orders o LEFT JOIN LATERAL TABLE(f(o.a)) AS x(y) ON TRUE",
    "WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x FROM a) SELECT * FROM b",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 5",
    "SELECT a FROM t UNION SELECT b FROM u INTERSECT SELECT c FROM v EXCEPT SELECT d FROM w",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM (VALUES (1, 'a')) AS t(id, name)",
    "SELECT COUNT(*), COUNT(DISTINCT a) FILTER (WHERE b > 1), SUM(x) FROM t GROUP BY c HAVING SUM(x) > 5",
    "SELECT a, GROUPING(a) FROM t GROUP BY GROUPING SETS ((a, b), (a), ())",
    "SELECT a FROM t GROUP BY ROLLUP (a, b)",
    "SELECT a FROM t GROUP BY CUBE (a, b)",
    "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' MINUTES)) GROUP BY window_start",
    "SELECT * FROM TABLE(HOP(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' MINUTE, SIZE => INTERVAL '10' MINUTE))",
    "SELECT * FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES))",
    "SELECT * FROM TABLE(SESSION(TABLE bid PARTITION BY item, DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
    "SELECT * FROM TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' MINUTES)",
    "SELECT TUMBLE_START(ts, INTERVAL '1' HOUR) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)",
    "SELECT o.*, r.rate FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.c = r.c",
    "SELECT * FROM a, b WHERE a.id = b.id AND a.ts BETWEEN b.ts - INTERVAL '4' HOUR AND b.ts",
    "SELECT * FROM a FULL OUTER JOIN b ON a.x = b.x CROSS JOIN c NATURAL JOIN d",
    "SELECT * FROM a JOIN b USING (x, y)",
    "SELECT * FROM t WHERE a IN (SELECT b FROM u) AND EXISTS (SELECT 1 FROM v WHERE v.x = t.x)",
    "SELECT (SELECT MAX(b) FROM u) FROM t WHERE (a, b) IN ((1, 2), (3, 4))",
    "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS rn FROM t) WHERE rn <= 3",
    "SELECT SUM(x) OVER (PARTITION BY a ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) FROM t",
    "SELECT SUM(x) OVER w, AVG(x) OVER w FROM t WINDOW w AS (PARTITION BY a ORDER BY ts ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)",
    "SELECT LISTAGG(DISTINCT a, ';') FROM t",
    "SELECT id, tag FROM t CROSS JOIN UNNEST(tags) AS u (tag)",
    "SELECT CASE WHEN a > 1 THEN 'x' ELSE 'y' END, CASE a WHEN 1 THEN 2 END FROM t",
    "SELECT DATE '2020-01-01', TIME '10:00:00', TIMESTAMP '2020-01-01 00:00:00.123' FROM t",
    "SELECT IF(a > 1, 'x', 'y'), COALESCE(a, b), NULLIF(a, 0), LEFT(s, 2), RIGHT(s, 2) FROM t",
    "SELECT CURRENT_DATE, CURRENT_TIME, LOCALTIME, LOCALTIMESTAMP, CURRENT_TIMESTAMP, NOW(), PROCTIME() FROM t",
    "SELECT a LIKE 'x%' ESCAPE '!', a NOT LIKE 'y', a SIMILAR TO 'z+', a NOT IN (1, 2) FROM t",
    "SELECT EXTRACT(EPOCH FROM ts), EXTRACT(DOW FROM ts), FLOOR(ts TO HOUR), CEIL(ts TO DAY) FROM t",
    "SELECT TRIM(BOTH ' ' FROM s), TRIM(s), SUBSTRING(s FROM 2 FOR 3), POSITION('a' IN s), OVERLAY(s PLACING 'x' FROM 2 FOR 1) FROM t",
    "SELECT m['key'], arr[1], r.f, t.r.f.g FROM t",
    "SELECT COUNT(*) FROM t ORDER BY a ASC NULLS FIRST, b DESC NULLS LAST OFFSET 5 ROWS FETCH FIRST 10 ROWS ONLY",
    "SELECT 1e3, .5, 1.50, -1, x'4F', 'it''s', U&'\\00e4' FROM t",
    "SELECT * FROM ML_PREDICT(TABLE t, MODEL m, DESCRIPTOR(a, b))",
    "SELECT /*+ STATE_TTL('a' = '1d', 'b' = '12h') */ * FROM a JOIN b ON a.x = b.x",
    "INSERT INTO t SELECT * FROM u",
    "INSERT INTO cat.db.t (a, b) VALUES (1, 2), (3, 4)",
    "INSERT INTO t (SELECT * FROM u)",
    "INSERT OVERWRITE t PARTITION (dt = '2020-01-01', h = 3) SELECT a FROM u",
    "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
    "EXECUTE INSERT INTO t SELECT 1",
    "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END",
    "EXPLAIN SELECT 1",
    "EXPLAIN PLAN FOR INSERT INTO t SELECT 1",
    "EXPLAIN CHANGELOG_MODE, ESTIMATED_COST, PLAN_ADVICE, JSON_EXECUTION_PLAN SELECT a FROM t",
    "EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; END",
    "EXPLAIN WATERMARK SELECT a FROM t",
    "EXPLAIN WATERMARK FOR INSERT INTO t SELECT 1",
    "EXPLAIN WATERMARK FOR my_view",
    "EXPLAIN WATERMARK `shop`.`my view`",
    "CREATE TABLE t (a INT)",
    "CREATE TEMPORARY TABLE IF NOT EXISTS db.t (a INT) WITH ('connector' = 'print')",
    "CREATE OR REPLACE TABLE t WITH ('connector' = 'print') AS SELECT 1 AS a",
    "CREATE TABLE t (b, a) AS SELECT 1 AS a, 2 AS b",
    "CREATE TABLE t (a INT, PRIMARY KEY (a) NOT ENFORCED) DISTRIBUTED BY HASH(a) INTO 4 BUCKETS",
    "CREATE TABLE t (a INT) DISTRIBUTED INTO 3 BUCKETS",
    "CREATE TABLE t (a INT CONSTRAINT pk PRIMARY KEY NOT ENFORCED COMMENT 'the key')",
    "CREATE TABLE t LIKE u",
    "DROP TABLE t",
    "DROP TEMPORARY TABLE IF EXISTS cat.db.t",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE IF EXISTS t RENAME a TO b",
    "ALTER TABLE t ADD c STRING COMMENT 'new' FIRST",
    "ALTER TABLE t ADD (c INT AFTER a, d AS c * 2, e STRING METADATA VIRTUAL, PRIMARY KEY (c) NOT ENFORCED)",
    "ALTER TABLE t ADD WATERMARK FOR ts AS ts - INTERVAL '1' SECOND",
    "ALTER TABLE t MODIFY (a BIGINT NOT NULL, WATERMARK FOR ts AS ts)",
    "ALTER TABLE t MODIFY CONSTRAINT k PRIMARY KEY (a, b) NOT ENFORCED",
    "ALTER TABLE t DROP (a, b)",
    "ALTER TABLE t DROP a",
    "ALTER TABLE t DROP PRIMARY KEY",
    "ALTER TABLE t DROP CONSTRAINT k",
    "ALTER TABLE t DROP WATERMARK",
    "ALTER TABLE t SET ('a' = '1', 'b' = '2')",
    "ALTER TABLE t RESET ('a', 'b')",
    "CREATE VIEW v AS SELECT 1 AS a",
    "CREATE TEMPORARY VIEW IF NOT EXISTS v (a COMMENT 'x', b) COMMENT 'view' AS SELECT 1, 2",
    "ALTER VIEW v RENAME TO w",
    "ALTER VIEW v AS SELECT 2",
    "DROP VIEW IF EXISTS v",
    "CREATE MATERIALIZED VIEW v AS SELECT a, COUNT(*) AS n FROM t GROUP BY a",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS v (a, n) PRIMARY KEY (a) NOT ENFORCED WITH ('ttl' = '1 d') AS SELECT a, 1 FROM t",
    "CREATE OR REPLACE MATERIALIZED VIEW v COMMENT 'kpi' AS SELECT 1 AS a",
    "DROP MATERIALIZED VIEW v",
    "CREATE DATABASE IF NOT EXISTS c.d COMMENT 'x' WITH ('a' = 'b')",
    "DROP DATABASE IF EXISTS d CASCADE",
    "DROP DATABASE d RESTRICT",
    "CREATE CATALOG c WITH ('type' = 'generic_in_memory')",
    "DROP CATALOG IF EXISTS c",
    "CREATE FUNCTION f AS 'com.example.F'",
    "CREATE TEMPORARY SYSTEM FUNCTION IF NOT EXISTS f AS 'mod.f' LANGUAGE PYTHON USING JAR 'a.jar', JAR 'b.jar'",
    "DROP TEMPORARY SYSTEM FUNCTION IF EXISTS f",
    "CREATE MODEL m INPUT (a INT, b STRING) OUTPUT (c DOUBLE COMMENT 'score') WITH ('provider' = 'x')",
    "CREATE MODEL IF NOT EXISTS m WITH ('provider' = 'x') AS SELECT a FROM t",
    "DROP MODEL IF EXISTS m",
    "USE db",
    "USE CATALOG c",
    "SET",
    "SET 'table.local-time-zone' = 'Europe/Berlin'",
    "RESET",
    "RESET 'a'",
    "SHOW CATALOGS",
    "SHOW DATABASES FROM c LIKE 'a%'",
    "SHOW TABLES IN c.d NOT LIKE '%tmp'",
    "SHOW VIEWS",
    "SHOW MATERIALIZED VIEWS ILIKE 'A_'",
    "SHOW USER FUNCTIONS",
    "SHOW FUNCTIONS",
    "SHOW MODELS",
    "SHOW COLUMNS FROM t LIKE 'a%'",
    "SHOW CREATE TABLE t",
    "SHOW CREATE VIEW v",
    "SHOW CREATE MATERIALIZED VIEW v",
    "SHOW CURRENT CATALOG",
    "SHOW CURRENT DATABASE",
    "SHOW JOBS",
    "DESCRIBE t",
    "DESC EXTENDED c.d.t",
    "DESCRIBE DATABASE EXTENDED d",
    "DESCRIBE MODEL m",
    "DESCRIBE `model`",
    "QUIT",
    "EXIT",
];

#[test]
fn good_statements_are_read_and_keep_their_text() {
    for text in GOOD {
        let parsed = match parse(&format!("-- a remark\n\n{text} ;\n")) {
            Ok(parsed) => parsed,
            Err(error) => panic!("{}", error.render(text, "test.sql")),
        };
        assert_eq!(parsed.len(), 1, "{text}");
        assert_eq!(&parsed[0].text, text);
        assert_eq!((parsed[0].span.start.line, parsed[0].span.start.column), (3, 1), "{text}");
        // Keywords in the other case say the same (strings, names and types aside, which the
        // statements of this list keep in one case each).
        parse_one(&parsed[0].text).expect("its own text");
    }
}

/// Bad statements: the text, a part of the message, the line and column, and a part of the hint.
const BAD: &[(&str, &str, (u64, u64), &str)] = &[
    ("SELEC 1", "no statement begins with SELEC", (1, 1), "SELECT"),
    ("SELECT a FROM", "expected identifier, found the end of the statement", (1, 14), ""),
    ("SELECT a,\n  b +\nFROM t", "FROM is a reserved word", (3, 1), "backticks"),
    ("SELECT \"a\" FROM t", "double quotes", (1, 8), "`a`"),
    ("SELECT 'abc FROM t", "no closing quote", (1, 8), "twice"),
    ("SELECT value FROM t", "VALUE is a reserved word", (1, 8), "`value`"),
    ("SELECT a AS day FROM t", "DAY is a reserved word", (1, 13), "`day`"),
    ("SELECT a FROM t AS user", "USER is a reserved word", (1, 20), "`user`"),
    ("SELECT (a + 1 FROM t", "", (1, 15), ""),
    ("SELECT a FROM (SELECT b FROM t WHERE)", "expected an expression, found ')'", (1, 37), ""),
    ("SELECT a FROM (SELECT b FRM t)", "expected ')'", (1, 29), ""),
    ("SELECT a::INT FROM t", "no operator ::", (1, 9), "CAST"),
    ("SELECT a == 1 FROM t", "no operator ==", (1, 10), "="),
    ("SELECT CAST(a AS FOO) FROM t", "unknown type FOO", (1, 18), ""),
    ("SELECT CAST(a AS STRNG) FROM t", "unknown type STRNG", (1, 18), "STRING"),
    ("SELECT CAST(a AS DECIMAL(50, 2)) FROM t", "DECIMAL(50, 2)", (1, 18), ""),
    ("SELECT SAFE_CAST(a AS INT) FROM t", "SAFE_CAST is not supported", (1, 8), "TRY_CAST"),
    ("SELECT INTERVAL '5' FROM t", "the interval's unit", (1, 21), "MINUTE"),
    ("SELECT INTERVAL 5 MINUTE FROM t", "single quotes", (1, 17), "'5'"),
    ("SELECT TIMESTAMPADD(FORTNIGHT, 1, ts) FROM t", "a unit such as", (1, 21), ""),
    ("SELECT MAP['a', 1, 'b'] FROM t", "a key without a value", (1, 8), ""),
    ("SELECT JSON_VALUE(a, '$.b' NULL ON NOTHING) FROM t", "EMPTY or ERROR", (1, 36), ""),
    (
        "SELECT * FROM t /*+ BROADCAST(t) */",
        "BROADCAST is not a hint for a table",
        (1, 17),
        "SELECT",
    ),
    ("SELECT * FROM t /*+ OPTIONS('a') */", "has no value", (1, 17), ""),
    ("SELECT a b c FROM t", "expected the end of the statement", (1, 12), ""),
    ("SELECT 1; SELECT 2 2", "expected the end of the statement", (1, 20), ""),
    ("CREATE TABLE t", "needs columns", (1, 14), ""),
    ("CREATE TABLE t (a)", "have no types", (1, 14), ""),
    ("CREATE TABLE t (a INT, a STRING)", "declared twice", (1, 24), ""),
    ("CREATE TABLE t (a INT,)", "one ',' too many", (1, 22), ""),
    ("CREATE TABLE t (a TEXT)", "unknown type TEXT", (1, 19), "STRING"),
    ("CREATE TABLE t (a RAW('x', 'y'))", "type RAW is not supported", (1, 19), "BYTES"),
    ("CREATE TABLE t (time TIMESTAMP(3))", "TIME is a reserved word", (1, 17), "`time`"),
    ("CREATE TABLE t (a INT PRIMARY KEY)", "NOT ENFORCED", (1, 34), "promise"),
    ("CREATE TABLE t (a INT DEFAULT 1)", "DEFAULT on column 'a'", (1, 23), ""),
    ("CREATE TABLE t (a INT UNIQUE)", "UNIQUE on column 'a'", (1, 23), "PRIMARY KEY"),
    ("CREATE TABLE t (a INT, WATERMARK FOR a.b AS a)", "inside a row", (1, 38), "computed"),
    ("CREATE TABLE t (a TIMESTAMP WITH TIME ZONE)", "not supported", (1, 19), "TIMESTAMP_LTZ"),
    ("CREATE TABLE t (a INT) WITH (connector = 'x')", "in single quotes", (1, 30), ""),
    ("CREATE TABLE t (a INT) WITH ('a' = '1', 'a' = '2')", "given twice", (1, 41), ""),
    ("CREATE TABLE t (a INT) WITH ('a' = 1)", "option's value in single quotes", (1, 36), ""),
    ("CREATE TABLE t LIKE u (OVERWRITING PARTITIONS)", "OVERWRITING", (1, 24), ""),
    ("CREATE OR REPLACE TABLE IF NOT EXISTS t (a INT)", "exclude each other", (1, 25), ""),
    ("CREATE OR REPLACE VIEW v AS SELECT 1", "not supported", (1, 8), "ALTER VIEW"),
    ("CREATE MATERIALIZED TABLE t AS SELECT 1", "not supported", (1, 8), "MATERIALIZED VIEW"),
    ("CREATE VIEW v SELECT 1", "expected AS", (1, 15), ""),
    ("CREATE INDEX i ON t (a)", "expected TABLE, VIEW", (1, 8), ""),
    ("DROP INDEX i", "expected TABLE, VIEW", (1, 6), ""),
    ("ALTER TABLE t DO SOMETHING", "expected RENAME, ADD", (1, 15), ""),
    ("ALTER TABLE t ADD PARTITION (a = 1)", "not supported", (1, 19), ""),
    ("ALTER DATABASE d SET ('a' = 'b')", "ALTER DATABASE is not supported", (1, 7), ""),
    ("INSERT t SELECT 1", "expected INTO or OVERWRITE", (1, 8), ""),
    ("INSERT INTO t (a, b)", "expected a query", (1, 21), ""),
    ("DELETE FROM t", "DELETE is not supported", (1, 1), ""),
    ("UPDATE t SET a = 1", "UPDATE is not supported", (1, 1), ""),
    ("ANALYZE TABLE t COMPUTE STATISTICS", "ANALYZE is not supported", (1, 1), ""),
    ("SET a = b", "single quotes", (1, 5), "'a"),
    ("SHOW NOTHING", "expected CATALOGS", (1, 6), ""),
    ("EXPLAIN EXPLAIN SELECT 1", "expected a query", (1, 9), ""),
    ("EXECUTE STATEMENT SET BEGIN SELECT 1; END", "expected INSERT or END", (1, 29), ""),
    ("EXECUTE STATEMENT SET BEGIN END", "is empty", (1, 29), ""),
    ("USE a.b.c", "too many parts", (1, 5), ""),
    ("DROP TABLE a.b.c.d", "more than three parts", (1, 12), ""),
    ("CREATE SYSTEM FUNCTION f AS 'x'", "must be TEMPORARY", (1, 15), ""),
    (
        "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) WITHIN INTERVAL '1' HOUR)",
        "no DEFINE",
        (1, 46),
        "",
    ),
];

#[test]
fn bad_statements_are_refused_at_the_right_place() {
    let mut wrong = Vec::new();
    for (text, message, place, hint) in BAD {
        let error = error(text);
        let found = error.span.map_or((0, 0), |s| (s.start.line, s.start.column));
        let has_hint = hint.is_empty() || error.hint.as_ref().is_some_and(|h| h.contains(hint));
        if !error.message.contains(message) || found != *place || !has_hint {
            wrong.push(format!("{text}\n  {error:?}"));
        }
        let jargon = ["sql parser", "Line:", "EOF", "ParserError", "\u{1}"];
        assert!(!jargon.iter().any(|j| error.to_string().contains(j)), "{error}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_error_is_drawn_under_the_user_s_own_line() {
    let text = "-- orders of a day\nSELECT\n\tvalue\nFROM orders";
    let rendered = error(text).render(text, "kpi.sql");
    assert_eq!(
        rendered,
        "error: VALUE is a reserved word, expected a column name\n \
         --> kpi.sql:3:2\n  |\n3 | \tvalue\n  | \t^^^^^\n\
         hint: to use it as a name, put it in backticks: `value`\n"
    );
}

#[test]
fn a_file_is_cut_at_semicolons_outside_of_strings_comments_and_sets() {
    let text = "/* one; two */ SELECT 'a;b'; -- c;\n;;\n\
                BEGIN STATEMENT SET; INSERT INTO a SELECT 1;\
                 INSERT INTO b SELECT `x;` FROM t; END;\n\
                EXECUTE STATEMENT SET BEGIN \
                INSERT INTO a SELECT CASE WHEN b THEN 1 END FROM t; END;\n\
                SELECT 3";
    let parsed = parse(text).expect("four statements");
    assert_eq!(parsed.len(), 4);
    assert_eq!(parsed[0].text, "SELECT 'a;b'");
    let Statement::StatementSet(inserts) = &parsed[1].statement else { panic!("{parsed:?}") };
    assert_eq!(inserts.len(), 2);
    assert_eq!(inserts[1].text, "INSERT INTO b SELECT `x;` FROM t");
    assert!(matches!(&parsed[2].statement, Statement::StatementSet(one) if one.len() == 1));
    assert_eq!((parsed[3].span.start.line, parsed[3].span.start.column), (5, 1));
    assert_eq!(parse("  -- nothing\n ; ").expect("nothing"), vec![]);
}

#[test]
fn a_table_is_read_with_all_its_clauses() {
    let text = "CREATE TABLE IF NOT EXISTS `default_catalog`.shop.orders (
      order_id BIGINT NOT NULL,
      item ROW<sku STRING, tags ARRAY<STRING>> COMMENT 'what',
      price DECIMAL(10, 2),
      total AS price * 1.19 COMMENT 'gross',
      kafka_ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
      `offset` BIGINT METADATA,
      ts TIMESTAMP(3),
      WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
      CONSTRAINT pk PRIMARY KEY (order_id, ts) NOT ENFORCED
    ) COMMENT 'all orders'
    PARTITIONED BY (ts)
    WITH ('connector' = 'filesystem', 'path' = '/data')
    LIKE base (INCLUDING ALL EXCLUDING WATERMARKS OVERWRITING OPTIONS)";
    let table = table(text);
    assert_eq!(table.on_conflict, OnConflict::Ignore);
    assert_eq!(table.name.parts, ["default_catalog", "shop", "orders"]);
    let types: Vec<String> =
        table.columns.iter().filter_map(|c| c.data_type.as_ref()).map(|t| t.to_string()).collect();
    assert_eq!(
        types,
        [
            "BIGINT NOT NULL",
            "ROW<`sku` STRING, `tags` ARRAY<STRING>>",
            "DECIMAL(10, 2)",
            "TIMESTAMP_LTZ(3)",
            "BIGINT",
            "TIMESTAMP(3)"
        ]
    );
    let ColumnKind::Computed(total) = &table.columns[3].kind else { panic!("total is computed") };
    assert_eq!(total.text, "price * 1.19");
    assert_eq!(
        table.columns[4].kind,
        ColumnKind::Metadata { key: Some("timestamp".into()), is_virtual: true }
    );
    assert_eq!(table.columns[5].kind, ColumnKind::Metadata { key: None, is_virtual: false });
    let watermark = table.watermark.expect("a watermark");
    assert_eq!(watermark.column, "ts");
    assert_eq!(watermark.expression.text, "ts - INTERVAL '5' SECOND");
    let key = table.primary_key.expect("a key");
    assert_eq!((key.name.as_deref(), key.columns.len()), (Some("pk"), 2));
    assert_eq!(table.options.get("path"), Some("/data"));
    assert_eq!(table.partitioned_by, ["ts"]);
    let like = table.like.expect("LIKE");
    assert_eq!(like.options.len(), 3);
    assert_eq!(like.options[1].feature, LikeFeature::Watermarks);
}

#[test]
fn types_survive_a_cast() {
    for (written, canonical) in [
        ("CAST(a AS STRING)", "CAST(a AS STRING)"),
        ("TRY_CAST(a AS DECIMAL(5))", "TRY_CAST(a AS DECIMAL(5,0))"),
        ("CAST(a AS TIMESTAMP_LTZ(3))", "CAST(a AS TIMESTAMP_LTZ(3))"),
        ("CAST(a AS TIMESTAMP(3) WITH LOCAL TIME ZONE)", "CAST(a AS TIMESTAMP_LTZ(3))"),
        ("CAST(a AS TIMESTAMP)", "CAST(a AS TIMESTAMP(6))"),
        (
            "CAST(a AS ROW<x INT, y ARRAY<MAP<STRING, INT>>>)",
            "CAST(a AS STRUCT<`x` INT, `y` ARRAY<Map(STRING, INT)>>)",
        ),
        ("CAST(a AS MULTISET<INT>)", "CAST(a AS MULTISET(INT))"),
        ("CAST(a AS BYTES)", "CAST(a AS BYTES)"),
        ("CAST(a AS INTERVAL DAY TO SECOND(3))", "CAST(a AS INTERVAL(DAY(2) TO SECOND(3)))"),
    ] {
        assert_eq!(column(written), canonical);
    }
}

#[test]
fn special_syntax_becomes_plain_calls() {
    for (written, canonical) in [
        ("TIMESTAMPADD(day, 3, ts)", "TIMESTAMPADD('DAY', 3, ts)"),
        ("TIMESTAMPDIFF(SECOND, a, b)", "TIMESTAMPDIFF('SECOND', a, b)"),
        ("MAP['a', 1, 'b', 2]", "MAP('a', 1, 'b', 2)"),
        ("MAP['a', MAP['b', 1]]['a']['b']", "MAP('a', MAP('b', 1))['a']['b']"),
        ("ARRAY[1, 2][1]", "ARRAY[1, 2][1]"),
        ("ROW(1, 'a')", "ROW(1, 'a')"),
        ("JSON_VALUE(j, '$.a')", "JSON_VALUE(j, '$.a', '', 'NULL', NULL, 'NULL', NULL)"),
        (
            "JSON_VALUE(j, 'lax $.a' RETURNING INT DEFAULT -1 ON EMPTY ERROR ON ERROR)",
            "JSON_VALUE(j, 'lax $.a', 'INT', 'DEFAULT', -1, 'ERROR', NULL)",
        ),
        (
            "JSON_QUERY(j, '$.a' WITH CONDITIONAL ARRAY WRAPPER EMPTY ARRAY ON EMPTY)",
            "JSON_QUERY(j, '$.a', '', 'CONDITIONAL', 'EMPTY ARRAY', 'NULL')",
        ),
        (
            "JSON_QUERY(j, '$' RETURNING ARRAY<STRING> WITHOUT WRAPPER ERROR ON ERROR)",
            "JSON_QUERY(j, '$', 'ARRAY<STRING>', 'WITHOUT', 'NULL', 'ERROR')",
        ),
        ("JSON_EXISTS(j, '$.a')", "JSON_EXISTS(j, '$.a', 'FALSE')"),
        ("JSON_EXISTS(j, '$.a' UNKNOWN ON ERROR)", "JSON_EXISTS(j, '$.a', 'UNKNOWN')"),
        (
            "JSON_OBJECT(KEY 'a' VALUE 1, 'b' VALUE JSON_ARRAY(1, x) ABSENT ON NULL)",
            "JSON_OBJECT('ABSENT', 'a', 1, 'b', JSON_ARRAY('ABSENT', 1, x))",
        ),
        ("JSON_OBJECT()", "JSON_OBJECT('NULL')"),
        ("JSON_ARRAY(NULL ON NULL)", "JSON_ARRAY('NULL')"),
        ("JSON_OBJECTAGG(KEY k VALUE v)", "JSON_OBJECTAGG(k, v, 'NULL')"),
        (
            "JSON_ARRAYAGG(v NULL ON NULL) FILTER (WHERE v > 1)",
            "JSON_ARRAYAGG(v, 'NULL') FILTER (WHERE v > 1)",
        ),
        ("a IS JSON", "IS_JSON(a, 'VALUE')"),
        ("a IS NOT JSON OBJECT AND b", "NOT IS_JSON(a, 'OBJECT') AND b"),
        ("(a, b) OVERLAPS (c, d)", "OVERLAPS(a, b, c, d)"),
        ("a BETWEEN SYMMETRIC 1 AND 2 AND b", "BETWEEN_SYMMETRIC(a, 1, 2) AND b"),
        ("a NOT BETWEEN SYMMETRIC 1 + 1 AND 2", "NOT BETWEEN_SYMMETRIC(a, 1 + 1, 2)"),
        ("a BETWEEN ASYMMETRIC 1 AND 2", "a BETWEEN 1 AND 2"),
        ("INTERVAL -'1 02:00' DAY TO MINUTE", "INTERVAL '-1 02:00' DAY TO MINUTE"),
        ("INTERVAL '10' MINUTES", "INTERVAL '10' MINUTE"),
        ("CEILING(ts TO YEAR)", "CEIL(ts TO YEAR)"),
    ] {
        assert_eq!(column(written), canonical);
    }
}

#[test]
fn is_distinct_from_ends_where_the_comparison_ends() {
    assert_eq!(column("a IS DISTINCT FROM b AND c"), "a IS DISTINCT FROM b AND c");
    let SetExpr::Select(select) =
        *query("SELECT 1 FROM t WHERE a IS NOT DISTINCT FROM b OR c").query.body
    else {
        panic!("a select")
    };
    assert!(matches!(select.selection, Some(Expr::BinaryOp { .. })), "{:?}", select.selection);
}

#[test]
fn table_and_model_arguments_become_marked_calls() {
    for (written, wanted) in [
        ("f(TABLE t)", "f($TABLE(t))"),
        ("f(TABLE a.t PARTITION BY (x, y) ORDER BY z)", "f($TABLE(a.t, x, y ORDER BY z))"),
        (
            "f(DATA => TABLE t PARTITION BY x, ON_TIME => DESCRIPTOR(ts))",
            "f(DATA => $TABLE(t, x), ON_TIME => DESCRIPTOR(ts))",
        ),
        ("ML_F(TABLE (SELECT 1), MODEL m)", "ML_F((SELECT 1), $MODEL(m))"),
        (
            "f(TABLE t /*+ OPTIONS('a' = 'b') */ PARTITION BY x)",
            "f($TABLE(t, x, OPTIONS('a', 'b')))",
        ),
    ] {
        assert_eq!(
            canonical(&format!("SELECT * FROM TABLE({written})")),
            format!("SELECT * FROM TABLE({wanted})")
        );
    }
}

#[test]
fn lateral_and_unnest_have_one_form_each() {
    let lateral = relation("SELECT * FROM LATERAL TABLE(split(a, ',')) AS s (w)");
    let TableFactor::Function { lateral: true, name, args, alias: Some(_), .. } = lateral else {
        panic!("{lateral:?}")
    };
    assert_eq!((name.to_string().as_str(), args.len()), ("split", 2));
    for text in
        ["UNNEST(a) WITH ORDINALITY AS u (x, i)", "LATERAL UNNEST(a) WITH ORDINALITY AS u (x, i)"]
    {
        let unnest = relation(&format!("SELECT * FROM {text}"));
        let TableFactor::UNNEST { array_exprs, with_ordinality: true, alias: Some(_), .. } = unnest
        else {
            panic!("{unnest:?}")
        };
        assert_eq!(array_exprs.len(), 1);
    }
}

#[test]
fn hints_are_kept_where_they_belong() {
    let query = query(
        "SELECT /*+ STATE_TTL('a' = '1d', b.c = '12h'), BROADCAST(b) */ * \
         FROM a /*+ OPTIONS('k' = 'v', 'x' = '1') */ AS x JOIN b ON x.i = b.i",
    );
    assert_eq!(query.hints.len(), 2);
    assert_eq!(query.hints[0].name, "STATE_TTL");
    assert_eq!(query.hints[0].arguments[1].key, "b.c");
    assert_eq!(query.hints[0].arguments[1].value.as_deref(), Some("12h"));
    assert_eq!(query.hints[1].arguments[0], HintArgument { key: "b".into(), value: None });
    let SetExpr::Select(select) = *query.query.body else { panic!("a select") };
    let TableFactor::Table { name, with_hints, alias, .. } = &select.from[0].relation else {
        panic!("a table")
    };
    assert_eq!(name.to_string(), "a");
    assert_eq!(with_hints[0].to_string(), "OPTIONS('k', 'v', 'x', '1')");
    assert_eq!(alias.as_ref().map(|a| a.name.value.as_str()), Some("x"));

    let Statement::Insert(insert) =
        statement("INSERT INTO a.b.t /*+ OPTIONS('k' = 'v') */ SELECT 1")
    else {
        panic!("an insert")
    };
    assert_eq!(insert.target.parts, ["a", "b", "t"]);
    assert_eq!(insert.hints.get("k"), Some("v"));
    // A temporal join's hint stands before its version.
    let text = "SELECT * FROM o JOIN c /*+ OPTIONS('a' = 'b') */ FOR SYSTEM_TIME AS OF o.p AS c ON o.i = c.i";
    assert!(canonical(text).contains("FOR SYSTEM_TIME AS OF o.p"));
}

#[test]
fn match_recognize_carries_within_as_its_first_symbol() {
    let factor = relation(
        "SELECT * FROM ticker MATCH_RECOGNIZE (
           PARTITION BY symbol ORDER BY ts
           MEASURES A.ts AS start_ts, LAST(B.price) AS last_price
           ONE ROW PER MATCH AFTER MATCH SKIP TO NEXT ROW
           PATTERN (A B+? C{2,3}) WITHIN INTERVAL '1' HOUR
           DEFINE B AS B.price < A.price, C AS C.price > LAST(B.price, 1)
         ) AS m",
    );
    let TableFactor::MatchRecognize { symbols, pattern, measures, alias, .. } = factor else {
        panic!("{factor:?}")
    };
    assert_eq!(symbols.len(), 3);
    assert_eq!(symbols[0].symbol.value, WITHIN_SYMBOL);
    assert_eq!(symbols[0].definition.to_string(), "INTERVAL '1' HOUR");
    assert_eq!(symbols[1].symbol.value, "B");
    assert_eq!(pattern.to_string(), "A B+? C{2,3}");
    assert_eq!(measures.len(), 2);
    assert!(alias.is_some());
}

#[test]
fn match_recognize_searches_a_query_in_parentheses() {
    let factor = relation(
        "SELECT * FROM (SELECT * FROM (SELECT * FROM t) MATCH_RECOGNIZE (
           ORDER BY ts MEASURES A.ts AS ts PATTERN (A) DEFINE A AS (A.x) > 1)) MATCH_RECOGNIZE (
           ORDER BY ts MEASURES B.ts AS ts PATTERN (B) WITHIN INTERVAL '1' DAY DEFINE B AS TRUE
         ) AS m",
    );
    let TableFactor::MatchRecognize { table, symbols, .. } = factor else { panic!("{factor:?}") };
    assert_eq!(symbols.len(), 2);
    let TableFactor::Derived { subquery, .. } = *table else { panic!("{table:?}") };
    let SetExpr::Select(select) = *subquery.body else { panic!("a select") };
    let inner = &select.from[0].relation;
    assert!(inner.to_string().starts_with("(SELECT * FROM t) MATCH_RECOGNIZE("), "{inner}");
}

#[test]
fn keywords_have_no_case_and_names_do() {
    let text =
        "create table Orders (Id int not null, primary key (Id) not enforced) with ('A' = 'b')";
    let table = table(text);
    assert_eq!(table.name.object(), "Orders");
    assert_eq!(table.columns[0].name, "Id");
    assert_eq!(canonical("select Id from Orders"), "SELECT Id FROM Orders");
}

#[test]
fn a_long_condition_is_balanced_and_keeps_its_order() {
    let terms: Vec<String> = (0..3_000).map(|i| format!("a = {i}")).collect();
    let text = format!("SELECT 1 FROM t WHERE {}", terms.join(" OR "));
    let SetExpr::Select(select) = *query(&text).query.body else { panic!("a select") };
    let mut expr = select.selection.as_ref().expect("a condition");
    let mut depth = 0;
    while let Expr::BinaryOp { left, op: sqlparser::ast::BinaryOperator::Or, .. } = expr {
        depth += 1;
        expr = left;
    }
    assert!(depth <= 12, "{depth}");
    assert_eq!(expr.to_string(), "a = 0");
    assert_eq!(select.selection.as_ref().map(ToString::to_string), Some(terms.join(" OR ")));
}

/// The promise is a second; a build without optimisation on a busy machine gets a few.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(8);
/// The stack of a main thread, which the limits are made for.
const STACK_BYTES: usize = 8 * 1024 * 1024;

fn refused_in_time(text: &str) -> SqlError {
    let start = Instant::now();
    let error = parse(text).expect_err("beyond a limit");
    let elapsed = start.elapsed();
    assert!(elapsed < REFUSAL_TIME_MAX, "{elapsed:?}: {error}");
    error
}

#[test]
fn texts_beyond_the_limits_are_refused_at_once() {
    let sum = format!("SELECT {} FROM t", vec!["a"; 20_000].join(" + "));
    assert!(refused_in_time(&sum).message.contains("operators"));
    let parsed = parse(&format!("SELECT {} FROM t", vec!["a"; 200].join(" + ")));
    assert!(parsed.is_ok(), "{parsed:?}");
    let or = format!("SELECT 1 FROM t WHERE {}", vec!["a = 1"; 20_000].join(" OR "));
    assert!(refused_in_time(&or).message.contains("terms"));
    let arms = vec!["SELECT 1"; 5_000].join(" UNION ALL ");
    assert!(refused_in_time(&arms).message.contains("set operations"));
    let large = format!("SELECT '{}'", "x".repeat(5_000_000));
    assert!(refused_in_time(&large).message.contains("bytes"));
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(refused_in_time(&deep).message.contains("levels deep"));
    let not = format!("SELECT {} a FROM t", "NOT ".repeat(20_000));
    assert!(refused_in_time(&not).message.contains("operators"));
    let joins = format!("SELECT 1 FROM t {}", "JOIN u ON TRUE ".repeat(1_000));
    assert!(refused_in_time(&joins).message.contains("joins"));
    let array = |n| format!("CREATE TABLE t (a {}INT{})", "ARRAY<".repeat(n), ">".repeat(n));
    refused_in_time(&array(5_000));
    assert!(refused_in_time(&array(100)).message.contains("levels deep"));
    let explain = format!("{}SELECT 1", "EXPLAIN ".repeat(50_000));
    refused_in_time(&explain);
}

#[test]
fn a_tree_cannot_be_made_deep_by_mixing_parentheses_and_operators() {
    // ((a + a + …) + a + …) + a + …: no level is long, the tree is.
    let mut text = "a".to_string();
    for _ in 0..50 {
        text = format!("({text} + {})", vec!["a"; 50].join(" + "));
    }
    let error = refused_in_time(&format!("SELECT {text} FROM t"));
    assert!(error.message.contains("on top of each other"), "{error}");
}

/// Parses, copies, compares, prints and drops a query.
fn exercise(text: &str) {
    let parsed = query(text);
    let copy = parsed.clone();
    assert_eq!(copy.query.to_string(), parsed.query.to_string());
    assert!(copy == parsed);
}

#[test]
fn what_lies_within_the_limits_fits_the_stack_of_a_main_thread() {
    let texts = [
        format!("SELECT {} FROM t", vec!["a"; 250].join(" + ")),
        format!("SELECT {} FROM t", vec!["a"; 250].join(" || ")),
        format!("SELECT {}a FROM t", "- ".repeat(250)),
        format!("SELECT {}1{}", "(".repeat(90), ")".repeat(90)),
        format!("SELECT {}1{}", "f(".repeat(90), ")".repeat(90)),
        format!("{} SELECT 1 {}", "SELECT * FROM (".repeat(80), ")".repeat(80)),
        vec!["SELECT 1"; 120].join(" UNION ALL "),
        format!("SELECT 1 FROM t {}", "JOIN u ON TRUE ".repeat(250)),
    ];
    for text in texts {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let name = text.chars().take(40).collect::<String>();
        println!("{name}");
        thread.spawn(move || exercise(&text)).expect("a thread").join().expect(&name);
    }
}

#[test]
fn an_error_deep_inside_is_found_without_trying_all_ways() {
    for text in [
        format!("SELECT {}a b c{}", "FLOOR(".repeat(60), ")".repeat(60)),
        format!("SELECT {}a b c{}", "CAST(".repeat(60), " AS INT)".repeat(60)),
        format!("SELECT {}a b c{}", "f(g => ".repeat(60), ")".repeat(60)),
        format!("SELECT {} a b c {}", "CASE WHEN ".repeat(60), " THEN 1 END".repeat(60)),
        format!("SELECT * FROM {}t u v w{}", "(SELECT * FROM ".repeat(60), ")".repeat(60)),
        format!("SELECT * FROM {}t u v w{}", "(".repeat(60), ")".repeat(60)),
        format!("SELECT {}a b c{}", "(".repeat(60), ")".repeat(60)),
    ] {
        refused_in_time(&text);
    }
}
