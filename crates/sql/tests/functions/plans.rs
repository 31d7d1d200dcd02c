//! Whole queries: output names stay, types are Flink's, subqueries are reached.

use datafusion_expr::LogicalPlan;

use crate::harness::{plan, utc};
use rialto_sql::functions::typing::type_name;

fn columns(sql: &str) -> Vec<String> {
    match plan(sql, &utc()) {
        Ok(plan) => plan
            .schema()
            .fields()
            .iter()
            .map(|f| format!("{} {}", f.name(), type_name(f.data_type())))
            .collect(),
        Err(e) => panic!("{sql} fails: {}", e.strip_backtrace()),
    }
}

#[test]
fn values_and_projections() {
    assert_eq!(columns("SELECT a, a + 1 AS b FROM (VALUES (1), (2)) AS t(a)"), ["a INT", "b INT"]);
    assert_eq!(columns("SELECT a FROM (VALUES (1), (2.5)) AS t(a)"), ["a DECIMAL(11, 1)"]);
    assert_eq!(columns("SELECT 1 AS x UNION ALL SELECT 3000000000"), ["x BIGINT"]);
}

#[test]
fn aggregates() {
    let from = "FROM (VALUES (1, 1.50, 'a')) AS t(i, d, s)";
    assert_eq!(
        columns(&format!(
            "SELECT COUNT(*) AS c, SUM(i) AS si, AVG(i) AS ai, SUM(d) AS sd, AVG(d) AS ad, \
             LISTAGG(s) AS l, COLLECT(s) AS m, STDDEV_POP(i) AS p, MAX(d) AS x {from}"
        )),
        [
            "c BIGINT",
            "si INT",
            "ai INT",
            "sd DECIMAL(38, 2)",
            "ad DECIMAL(38, 6)",
            "l STRING",
            "m MAP<STRING NOT NULL, INT>",
            "p INT",
            "x DECIMAL(3, 2)",
        ]
    );
    assert_eq!(
        columns(&format!("SELECT i + 1 AS k, COUNT(*) AS n {from} GROUP BY i + 1")),
        ["k INT", "n BIGINT"]
    );
    assert_eq!(
        columns(&format!("SELECT ROW_NUMBER() OVER (PARTITION BY s ORDER BY i) AS r {from}")).len(),
        1
    );
}

#[test]
fn subqueries() {
    let sql = "SELECT a FROM (VALUES (1)) AS t(a) \
               WHERE EXISTS (SELECT 1 FROM (VALUES (1)) AS u(b) WHERE b = t.a)";
    let text = match plan(sql, &utc()) {
        Ok(plan @ LogicalPlan::Projection(_)) => plan.display_indent().to_string(),
        other => panic!("{other:?}"),
    };
    assert!(!text.contains("CAST"), "both sides are INT already: {text}");
}
