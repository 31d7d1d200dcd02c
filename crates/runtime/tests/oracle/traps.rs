//! Known traps of incremental views, each as a story: rows come and go, the view stays right.

use crate::data::{Cell, Change, Input, Kind, Row, Table};
use crate::harness::{Spread, check};
use crate::query::Text;
use crate::referee::Referee;
use crate::with_deep_stack;

/// `+t(1, 'a')` and the like, one a change; a blank line ends a step.
fn input(story: &str) -> Input {
    let tables = vec![
        Table::new("t", &[("k", Kind::BigInt), ("v", Kind::BigInt), ("s", Kind::Text)], true),
        Table::new("u", &[("j", Kind::BigInt), ("w", Kind::BigInt)], true),
    ];
    let mut steps = vec![Vec::new()];
    for line in story.trim().lines().map(str::trim) {
        if line.is_empty() {
            steps.push(Vec::new());
            continue;
        }
        let weight = if line.starts_with('-') { -1 } else { 1 };
        let (name, cells) = line[1..].trim_end_matches(')').split_once('(').unwrap();
        let table = tables.iter().position(|t| t.name == name).unwrap();
        let row: Row = cells.split(',').map(|cell| cell_of(cell.trim())).collect();
        assert_eq!(row.len(), tables[table].columns.len(), "{line}");
        steps.last_mut().unwrap().push(Change { table, row, weight });
    }
    Input { tables, steps }
}

fn cell_of(text: &str) -> Cell {
    match text {
        "NULL" => Cell::Null,
        text if text.starts_with('\'') => Cell::Text(text.trim_matches('\'').to_owned()),
        text => Cell::Int(text.parse().unwrap()),
    }
}

/// The query holds over the story, as told and in one step, with one shard and with more.
fn holds(sql: &'static str, story: &'static str) {
    with_deep_stack(move || {
        let referee = Referee::new();
        let told = input(story);
        let all: Vec<Change> = told.steps.concat();
        let singly = all.iter().map(|change| vec![change.clone()]).collect();
        let cuts = [told.steps.clone(), vec![all], singly];
        for steps in cuts {
            let input = Input { tables: told.tables.clone(), steps };
            for (shards, splits) in [(1, 1), (2, 2), (4, 1)] {
                let spread = Spread { shards, threads: splits, splits };
                check(&input, &Text::same(sql), spread, &referee).unwrap_or_else(|e| panic!("{e}"));
            }
        }
    });
}

#[test]
fn the_minimum_goes() {
    holds(
        "SELECT k, MIN(v) AS a, MAX(v) AS b, MIN(s) AS c FROM t GROUP BY k",
        "+t(1, 5, 'b')\n+t(1, 2, 'a')\n+t(1, 9, 'c')\n\n-t(1, 2, 'a')\n\n-t(1, 9, 'c')\n\n\
         -t(1, 5, 'b')\n\n+t(1, 7, NULL)",
    );
}

#[test]
fn the_minimum_is_there_twice() {
    holds(
        "SELECT k, MIN(v) AS a, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k",
        "+t(1, 2, 'a')\n+t(1, 2, 'a')\n+t(1, 3, 'a')\n\n-t(1, 2, 'a')\n\n-t(1, 2, 'a')",
    );
}

#[test]
fn a_group_goes_and_comes_back() {
    holds(
        "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY k HAVING COUNT(*) < 3",
        "+t(1, 2, 'a')\n+t(NULL, 4, 'a')\n\n-t(1, 2, 'a')\n\n+t(1, 3, 'b')\n+t(1, 3, 'b')\n\n\
         +t(1, 4, 'b')\n\n-t(1, 3, 'b')\n-t(NULL, 4, 'a')",
    );
}

#[test]
fn a_sum_of_nulls_is_null() {
    holds(
        "SELECT k, SUM(v) AS s, COUNT(v) AS n, COUNT(*) AS m FROM t GROUP BY k",
        "+t(1, NULL, 'a')\n\n+t(1, 4, 'a')\n\n-t(1, 4, 'a')\n\n+t(1, NULL, 'a')",
    );
}

#[test]
fn a_sum_of_floats_returns_to_zero() {
    // Added and taken back in another order; what is left must be exact.
    holds(
        "SELECT k, SUM(CAST(v AS DOUBLE) * 1e15 + 0.25) = 0.25 AS a FROM t GROUP BY k",
        "+t(1, 0, 'a')\n\n+t(1, 3, 'a')\n+t(1, -7, 'b')\n\n-t(1, 3, 'a')\n\n-t(1, -7, 'b')",
    );
}

#[test]
fn distinct_counts_share_their_values() {
    holds(
        "SELECT COUNT(DISTINCT v) AS a, COUNT(DISTINCT v) FILTER (WHERE s = 'a') AS b, \
         SUM(DISTINCT v) FILTER (WHERE s = 'b') AS c, COUNT(DISTINCT s) AS d FROM t",
        "+t(1, 1, 'a')\n+t(1, 1, 'b')\n+t(2, 1, 'a')\n+t(2, 2, NULL)\n\n-t(1, 1, 'a')\n\n\
         -t(2, 1, 'a')\n\n-t(1, 1, 'b')\n\n+t(1, NULL, 'b')",
    );
}

#[test]
fn a_global_aggregate_of_nothing_is_one_row() {
    holds(
        "SELECT COUNT(*) AS n, SUM(v) AS s, MAX(s) AS m, COUNT(DISTINCT k) AS d FROM t",
        "+t(1, 1, 'a')\n\n-t(1, 1, 'a')\n\n+t(1, NULL, NULL)",
    );
}

#[test]
fn a_grouped_aggregate_of_nothing_is_no_row() {
    holds(
        "SELECT n, COUNT(*) AS m FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) AS q GROUP BY n",
        "+t(1, 1, 'a')\n\n+t(2, 1, 'a')\n+t(2, 1, 'a')\n\n-t(1, 1, 'a')\n\n-t(2, 1, 'a')\n\n\
         -t(2, 1, 'a')",
    );
}

#[test]
fn outer_joins_pad_and_match_in_turn() {
    for kind in ["LEFT", "RIGHT", "FULL"] {
        let sql =
            format!("SELECT t.k, t.v, u.j, u.w FROM t {kind} JOIN u ON t.k = u.j AND t.v < u.w");
        holds(
            sql.leak(),
            "+t(1, 1, 'a')\n\n+u(1, 5)\n\n+u(1, 6)\n\n-u(1, 5)\n\n-u(1, 6)\n\n+u(1, 0)\n+u(1, \
             9)\n\n \
             -t(1, 1, 'a')\n+t(NULL, 1, 'a')\n+u(NULL, 7)\n\n+t(1, 1, 'a')\n+t(1, 1, 'a')\n\n\
             -u(1, 9)\n-t(1, 1, 'a')",
        );
    }
}

#[test]
fn both_sides_of_a_join_change_in_one_step() {
    holds(
        "SELECT t.s, u.w FROM t JOIN u ON t.k = u.j",
        "+t(1, 1, 'a')\n+u(1, 5)\n\n-t(1, 1, 'a')\n-u(1, 5)\n+t(1, 1, 'b')\n+u(1, 6)\n\n\
         -t(1, 1, 'b')\n+t(1, 1, 'b')\n+u(1, 6)",
    );
}

#[test]
fn a_join_with_itself() {
    holds(
        "SELECT a.v, b.s FROM t AS a JOIN t AS b ON a.k = b.v",
        "+t(1, 1, 'a')\n\n+t(1, 2, 'b')\n+t(2, 1, 'c')\n\n-t(1, 1, 'a')\n\n-t(2, 1, 'c')",
    );
}

#[test]
fn exists_counts_its_matches() {
    for not in ["", "NOT "] {
        let sql = format!(
            "SELECT k, v FROM t WHERE {not}EXISTS (SELECT 1 FROM u WHERE u.j = t.k AND u.w > t.v)"
        );
        holds(
            sql.leak(),
            "+t(1, 1, 'a')\n+t(NULL, 1, 'b')\n\n+u(1, 5)\n+u(1, 5)\n\n-u(1, 5)\n\n-u(1, 5)\n\n\
             +u(1, 0)\n\n+u(NULL, 9)\n+t(1, 1, 'a')",
        );
    }
}

#[test]
fn not_in_with_null_is_never_true() {
    holds(
        "SELECT k, v FROM t WHERE k NOT IN (SELECT j FROM u)",
        "+t(1, 1, 'a')\n+t(NULL, 2, 'b')\n\n+u(2, 0)\n\n+u(NULL, 0)\n\n-u(2, 0)\n\n-u(NULL, 0)\n\n\
         +u(1, 1)",
    );
}

#[test]
fn a_scalar_subquery_moves() {
    holds(
        "SELECT k, v, (SELECT MAX(w) FROM u) AS m FROM t WHERE v <= (SELECT COUNT(*) FROM u)",
        "+t(1, 1, 'a')\n+t(2, 2, 'b')\n\n+u(1, 5)\n\n+u(1, 7)\n\n-u(1, 7)\n\n-u(1, 5)",
    );
}

#[test]
fn a_correlated_count_of_nothing_is_zero() {
    holds(
        "SELECT k, (SELECT COUNT(*) FROM u WHERE u.j = t.k) AS n FROM t",
        "+t(1, 1, 'a')\n+t(NULL, 1, 'a')\n\n+u(1, 5)\n\n+u(1, 5)\n+u(2, 5)\n\n-u(1, 5)\n-u(1, 5)",
    );
}

#[test]
fn set_operations_know_nulls_and_copies() {
    // INTERSECT ALL and EXCEPT ALL, which the referee reads otherwise, are with the properties.
    for operator in ["UNION", "UNION ALL", "EXCEPT", "INTERSECT"] {
        let sql = format!("SELECT k, v FROM t {operator} SELECT j, w FROM u");
        holds(
            sql.leak(),
            "+t(1, 1, 'a')\n+t(1, 1, 'b')\n+t(NULL, NULL, 'c')\n\n+u(1, 1)\n+u(NULL, NULL)\n\n\
             -t(1, 1, 'a')\n\n-t(1, 1, 'b')\n-u(NULL, NULL)\n\n+u(1, 1)\n\n-u(1, 1)\n-u(1, 1)",
        );
    }
}

#[test]
fn a_rank_loses_its_first() {
    holds(
        "SELECT k, v, s, r FROM (SELECT k, v, s, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC \
         NULLS LAST, s ASC NULLS FIRST) AS r FROM t) AS q WHERE r <= 2",
        "+t(1, 5, 'a')\n+t(1, 3, 'b')\n+t(1, 3, 'a')\n+t(1, NULL, 'z')\n\n-t(1, 5, 'a')\n\n\
         -t(1, 3, 'b')\n\n+t(1, 9, 'x')\n+t(1, 9, 'x')\n\n-t(1, 9, 'x')\n-t(1, 3, 'a')",
    );
}

#[test]
fn a_limit_keeps_the_order_that_is_not_selected() {
    holds(
        "SELECT x FROM (SELECT k AS x, v AS y FROM t ORDER BY v DESC NULLS LAST LIMIT 1) AS q",
        "+t(1, 1, 'a')\n\n+t(2, 2, 'a')\n\n+t(3, 0, 'a')\n\n-t(2, 2, 'a')",
    );
}

/// As [`holds`], where the referee needs other words.
fn holds_as(ours: &'static str, theirs: &'static str, story: &'static str) {
    with_deep_stack(move || {
        let referee = Referee::new();
        let text = Text { ours: ours.into(), theirs: theirs.into() };
        for (shards, splits) in [(1, 1), (2, 2), (4, 1)] {
            let spread = Spread { shards, threads: splits, splits };
            check(&input(story), &text, spread, &referee).unwrap_or_else(|e| panic!("{e}"));
        }
    });
}

#[test]
fn not_in_beside_or_keeps_its_nulls() {
    holds_as(
        "SELECT k, v FROM t WHERE k NOT IN (SELECT j FROM u) OR v = 9",
        "SELECT k, v FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE j = k OR j IS NULL OR k IS \
         NULL) \
         OR v = 9",
        "+t(1, 1, 'a')\n+t(NULL, 2, 'b')\n+t(NULL, 9, 'c')\n\n+u(2, 0)\n\n+u(NULL, 0)\n\n\
         -u(2, 0)\n\n-u(NULL, 0)\n\n+u(1, 1)",
    );
}

#[test]
fn a_correlation_of_not_in_is_never_unknown() {
    holds_as(
        "SELECT k, v FROM t WHERE k NOT IN (SELECT j FROM u WHERE u.w = t.v)",
        "SELECT k, v FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.w = t.v AND (j = k OR j IS \
         NULL \
         OR k IS NULL))",
        "+t(1, NULL, 'a')\n+t(NULL, 2, 'b')\n+t(1, 2, 'c')\n\n+u(7, 2)\n\n+u(NULL, 2)\n\n\
         +u(1, NULL)\n\n-u(7, 2)\n\n-u(NULL, 2)\n\n+u(1, 2)",
    );
}

#[test]
fn membership_that_is_unknown_stays_unknown() {
    // Neither in nor not in, where an element is null.
    holds_as(
        "SELECT k FROM t WHERE (k IN (SELECT j FROM u)) IS UNKNOWN",
        "SELECT k FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE j = k) AND EXISTS (SELECT 1 FROM \
         u \
         WHERE j IS NULL OR k IS NULL)",
        "+t(1, 1, 'a')\n+t(NULL, 2, 'b')\n\n+u(2, 0)\n\n+u(NULL, 0)\n\n+u(1, 0)\n\n-u(NULL, 0)",
    );
}

#[test]
fn a_scalar_subquery_correlates_by_null() {
    holds_as(
        "SELECT k, (SELECT COUNT(*) FROM u WHERE u.j IS NOT DISTINCT FROM t.k) AS n, (SELECT \
         MAX(w) \
         FROM u WHERE t.k = u.j + 1) AS m FROM t",
        "SELECT k, COALESCE(a.n, 0), b.m FROM t LEFT JOIN (SELECT j, COUNT(*) AS n FROM u GROUP \
         BY j) \
         AS a ON a.j IS NOT DISTINCT FROM t.k LEFT JOIN (SELECT j + 1 AS j, MAX(w) AS m FROM u \
         GROUP \
         BY j + 1) AS b ON b.j = t.k",
        "+t(1, 1, 'a')\n+t(NULL, 1, 'a')\n+t(0, 1, 'z')\n\n+u(0, 5)\n+u(NULL, 4)\n\n\
         +u(NULL, 5)\n+u(2, 5)\n\n-u(0, 5)\n-u(NULL, 5)\n\n-u(NULL, 4)",
    );
}

#[test]
fn sets_without_a_row_group_nothing() {
    holds_as(
        "SELECT k, s, SUM(v) AS x, COUNT(DISTINCT k) AS n FROM t GROUP BY GROUPING SETS ((k), (s), ())",
        "SELECT k, NULL AS s, SUM(v) AS x, COUNT(DISTINCT k) AS n FROM t GROUP BY k UNION ALL \
         SELECT \
         NULL, s, SUM(v), COUNT(DISTINCT k) FROM t GROUP BY s UNION ALL SELECT NULL, NULL, SUM(v), \
         COUNT(DISTINCT k) FROM t HAVING COUNT(*) > 0",
        "+t(1, 1, 'a')\n+t(NULL, 1, NULL)\n\n+t(1, 2, 'b')\n\n-t(1, 1, 'a')\n-t(NULL, 1, NULL)\n\n\
         -t(1, 2, 'b')",
    );
}

#[test]
fn copies_are_counted_on_both_sides() {
    for operator in ["EXCEPT", "INTERSECT"] {
        let numbered = |columns: &str, table: &str| {
            format!(
                "SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY {columns}) AS n FROM {table}"
            )
        };
        let ours = format!("SELECT k, v FROM t {operator} ALL SELECT j, w FROM u");
        let theirs = format!(
            "SELECT k, v FROM ({} {operator} {}) AS e",
            numbered("k, v", "t"),
            numbered("j, w", "u")
        );
        holds_as(
            ours.leak(),
            theirs.leak(),
            "+t(1, 1, 'a')\n+t(1, 1, 'b')\n+t(1, 1, 'c')\n+t(NULL, 2, 'd')\n\n+u(1, 1)\n\n\
             +u(1, 1)\n+u(NULL, 2)\n\n-t(1, 1, 'a')\n\n-u(1, 1)\n\n-t(1, 1, 'b')\n-u(1, 1)",
        );
    }
}

#[test]
fn rows_around_a_row_go() {
    holds(
        "SELECT k, v, s, SUM(v) OVER (PARTITION BY k ORDER BY v ASC NULLS FIRST, s ASC NULLS FIRST \
         ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, COUNT(s) OVER (PARTITION BY k ORDER BY v \
         ASC \
         NULLS FIRST RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) AS b FROM t",
        "+t(1, 1, 'a')\n+t(1, 2, 'b')\n+t(1, 5, 'c')\n\n-t(1, 2, 'b')\n\n+t(1, NULL, 'd')\n\
         +t(1, 3, NULL)\n\n-t(1, 1, 'a')\n\n-t(1, NULL, 'd')",
    );
}

#[test]
fn groups_of_groups_follow_what_is_taken_back() {
    holds(
        "SELECT n, COUNT(*) AS a, SUM(m) AS b, MIN(k) AS c, COUNT(DISTINCT m) FILTER (WHERE n > \
         1) AS d \
         FROM (SELECT k, COUNT(*) AS n, MAX(v) AS m FROM t GROUP BY k) AS q GROUP BY n",
        "+t(1, 5, 'a')\n+t(2, 5, 'a')\n+t(3, 7, 'a')\n\n+t(1, 9, 'b')\n\n-t(1, 9, 'b')\n\n\
         -t(3, 7, 'a')\n+t(2, 6, 'a')\n\n-t(2, 5, 'a')\n-t(1, 5, 'a')\n\n-t(2, 6, 'a')",
    );
}

#[test]
fn the_second_takes_the_place_of_the_first() {
    // A Top-N of groups, whose rows move past each other.
    holds(
        "SELECT k, n, r FROM (SELECT k, n, ROW_NUMBER() OVER (ORDER BY n DESC, k ASC NULLS FIRST) \
         AS r \
         FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) AS g) AS q WHERE r <= 2",
        "+t(1, 1, 'a')\n+t(2, 1, 'a')\n+t(3, 1, 'a')\n\n+t(3, 2, 'a')\n\n+t(2, 2, 'a')\n\
         +t(2, 3, 'a')\n\n-t(2, 1, 'a')\n-t(2, 2, 'a')\n-t(2, 3, 'a')\n\n-t(3, 1, 'a')",
    );
}

#[test]
fn a_scalar_subquery_correlates_by_less() {
    holds_as(
        "SELECT k, v, (SELECT COUNT(*) FROM u WHERE u.w < t.v AND u.j = t.k) AS n, (SELECT MAX(w) \
         FROM \
         u WHERE u.j <> t.k OR t.k IS NULL) AS m FROM t",
        "SELECT k, v, COALESCE(a.n, 0), b.m FROM t LEFT JOIN (SELECT d.k AS k0, d.v AS v0, \
         COUNT(*) AS \
         n FROM (SELECT DISTINCT k, v FROM t) AS d JOIN u ON u.w < d.v AND u.j = d.k GROUP BY \
         d.k, d.v) \
         AS a ON k0 = t.k AND v0 = t.v LEFT JOIN (SELECT d.k AS k1, MAX(w) AS m FROM (SELECT \
         DISTINCT k \
         FROM t) AS d JOIN u ON u.j <> d.k OR d.k IS NULL GROUP BY d.k) AS b ON k1 IS NOT \
         DISTINCT FROM \
         t.k",
        "+t(1, 1, 'a')\n+t(NULL, 1, 'a')\n+t(1, 7, 'z')\n\n+u(1, 5)\n+u(NULL, 4)\n\n+u(2, 6)\n\n\
         -t(1, 7, 'z')\n+u(1, 0)\n\n-u(2, 6)\n+t(1, 1, 'b')\n\n-u(1, 0)\n-t(1, 1, 'a')",
    );
}

#[test]
fn a_membership_is_a_value_that_changes() {
    // The referee knows `IN` as a condition only: by what there is in `u`, and how much of it null.
    let joined = "FROM t CROSS JOIN (SELECT COUNT(*) AS n, COUNT(*) - COUNT(w) AS nulls FROM u) AS \
                  c LEFT JOIN (SELECT w, COUNT(*) AS m FROM u GROUP BY w) AS h ON t.v = h.w";
    let member = "CASE WHEN h.m > 0 THEN TRUE WHEN c.n = 0 THEN FALSE WHEN t.v IS NULL OR \
                  c.nulls > 0 THEN NULL ELSE FALSE END";
    let story = "+t(1, 1, 'a')\n+t(2, NULL, 'b')\n\n+u(1, 5)\n\n+u(1, 1)\n+u(2, 1)\n\n\
                 -u(1, 1)\n\n+u(3, NULL)\n-u(2, 1)\n\n-u(1, 5)\n+t(1, 1, 'a')\n\n-u(3, NULL)\n\n\
                 -t(2, NULL, 'b')";
    let theirs = format!(
        "SELECT t.k, {member} AS a, NOT ({member}) AS b, COALESCE(e.m, 0) > 0 AS c {joined} \
         LEFT JOIN (SELECT j, COUNT(*) AS m FROM u GROUP BY j) AS e ON t.k = e.j"
    );
    holds_as(
        "SELECT t.k, t.v IN (SELECT w FROM u) AS a, v NOT IN (SELECT w FROM u) AS b, \
         EXISTS (SELECT 1 FROM u WHERE j = t.k) AS c FROM t",
        theirs.leak(),
        story,
    );
    let theirs = format!(
        "SELECT a, COUNT(*) AS n, SUM(CASE WHEN n > 0 THEN k ELSE 0 END) AS s FROM \
         (SELECT t.k, c.n, {member} AS a {joined}) AS q GROUP BY a"
    );
    holds_as(
        "SELECT v IN (SELECT w FROM u) AS a, COUNT(*) AS n, SUM(CASE WHEN EXISTS (SELECT 1 FROM u) \
         THEN k ELSE 0 END) AS s FROM t GROUP BY v IN (SELECT w FROM u)",
        theirs.leak(),
        story,
    );
}

#[test]
fn groups_that_stayed_where_a_join_left_them_meet_others() {
    // The groups are where the hash of `k` is; the other side comes by `k` and `v`.
    let story = "+t(1, 1, 'a')\n+t(2, 1, 'a')\n+u(1, 1)\n\n+t(1, 2, 'b')\n+t(3, 5, 'b')\n+u(3, 5)\n\n\
                 +t(4, 7, 'a')\n+u(1, 2)\n+u(4, 7)\n\n-t(1, 1, 'a')\n+t(5, 9, 'c')\n\n-u(3, 5)";
    let joined = "(SELECT x.k AS k, y.v AS v, COUNT(*) AS n FROM t AS x JOIN t AS y ON x.k = y.k \
                  GROUP BY x.k, y.v)";
    holds(
        format!("SELECT q.k, q.v, q.n FROM {joined} AS q JOIN u ON q.k = u.j AND q.v = u.w").leak(),
        story,
    );
    holds(
        format!("SELECT q.k, q.v, q.k AS l FROM {joined} AS q EXCEPT SELECT j, w, j AS l FROM u")
            .leak(),
        story,
    );
    holds(
        "SELECT r.k, r.v, u.w FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k, v ORDER BY n) \
         AS i FROM (SELECT k, v, COUNT(*) OVER (PARTITION BY k) AS n FROM t) AS o) AS r JOIN u ON \
         r.k = u.j AND r.v = u.w WHERE r.i = 1",
        story,
    );
}
