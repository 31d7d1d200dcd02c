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
                let spread = Spread { shards, splits };
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
            "+t(1, 1, 'a')\n\n+u(1, 5)\n\n+u(1, 6)\n\n-u(1, 5)\n\n-u(1, 6)\n\n+u(1, 0)\n+u(1, 9)\n\n\
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
