//! Rows that a query says itself, by `VALUES` or by a `SELECT` without `FROM`.
//!
//! Flink reads them with a source that does not remember what it has read. It counts as unread
//! until a checkpoint is begun after its end; a job that goes on from an earlier checkpoint, or
//! from a savepoint that was taken so early, reads them once more beside the state that has them
//! already, and a join with them has its rows twice for good. So they are told by numbers, which
//! come from a source that does remember: `VALUES (1, 'a'), (2, 'b')` becomes
//! `SELECT CASE n WHEN 1 THEN 1 ELSE 2 END, CASE n WHEN 1 THEN 'a' ELSE 'b' END FROM numbers …`.

use std::ops::Range;

use crate::text::{Edit, Kind, Token, edited, tokens};

/// The table with the numbers, whatever the current database is.
const NUMBERS: &str = "`default_catalog`.`default_database`.`rialto$numbers`";
/// Its column. No query can mean another one by it.
const NUMBER: &str = "`rialto$n`";

/// A text whose constant rows come from the table of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// The text.
    pub(crate) text: String,
    /// The largest number that it needs.
    pub(crate) rows: usize,
}

/// The declaration of the table of numbers.
pub(crate) fn numbers(rows: usize) -> String {
    format!(
        "CREATE TABLE {NUMBERS} ({NUMBER} INT) WITH (\n  'connector' = 'datagen',\n  \
         'scan.parallelism' = '1',\n  'fields.rialto$n.kind' = 'sequence',\n  \
         'fields.rialto$n.start' = '1',\n  'fields.rialto$n.end' = '{rows}'\n)"
    )
}

/// Puts numbered rows in the place of constant ones; none where there are no constant rows.
pub(crate) fn numbered(text: &str) -> Option<Numbered> {
    let tokens = tokens(text);
    let words = Words { text, tokens: &tokens };
    let mut edits = Vec::new();
    let mut rows = 0;
    let mut at = 0;
    while at < tokens.len() {
        if words.is(at, "VALUES")
            && let Some((values, end)) = words.values(at)
        {
            rows = rows.max(values.len());
            let range = tokens[at].range.start..tokens[end - 1].range.end;
            edits.push(Edit { range, by: words.as_select(&values, at, end) });
            at = end;
            continue;
        }
        if words.is(at, "SELECT")
            && let Some(place) = words.place_of_from(at)
        {
            rows = rows.max(1);
            let by = format!(" FROM {NUMBERS} WHERE {NUMBER} <= 1");
            edits.push(Edit { range: place..place, by });
        }
        at += 1;
    }
    (!edits.is_empty()).then(|| Numbered { text: edited(text, edits), rows })
}

struct Words<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Words<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.kind == Kind::Word && self.text[token.range.clone()].eq_ignore_ascii_case(word)
        })
    }

    fn is_any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(at, word))
    }

    /// The rows behind `VALUES`, each with the texts of its values, and the token behind them.
    fn values(&self, at: usize) -> Option<(Vec<Vec<&str>>, usize)> {
        let mut rows = Vec::new();
        let mut next = at + 1;
        loop {
            next += usize::from(self.is(next, "ROW"));
            let open = self.tokens.get(next).filter(|token| token.kind == Kind::Open)?;
            let closes = |token: &Token| token.kind == Kind::Close && token.depth == open.depth;
            let close = next + self.tokens[next..].iter().position(closes)?;
            rows.push(self.items(next + 1..close));
            next = close + 1;
            let goes_on = self.tokens.get(next).is_some_and(|t| t.kind == Kind::Comma)
                && (self.is(next + 1, "ROW")
                    || self.tokens.get(next + 1).is_some_and(|t| t.kind == Kind::Open));
            if !goes_on {
                let width = rows[0].len();
                return rows.iter().all(|row| row.len() == width).then_some((rows, next));
            }
            next += 1;
        }
    }

    /// The texts between the commas of a row.
    fn items(&self, tokens: Range<usize>) -> Vec<&str> {
        let inner = &self.tokens[tokens];
        let Some(depth) = inner.iter().map(|token| token.depth).min() else { return Vec::new() };
        let is_comma = |token: &Token| token.kind == Kind::Comma && token.depth == depth;
        let between = inner.split(is_comma).filter(|item| !item.is_empty());
        between.map(|i| &self.text[i[0].range.start..i[i.len() - 1].range.end]).collect()
    }

    /// The `SELECT` that gives the rows; in parentheses where it stands beside something.
    fn as_select(&self, rows: &[Vec<&str>], at: usize, end: usize) -> String {
        let columns = (0..rows[0].len()).map(|column| {
            let (last, others) = rows.split_last().map(|(l, o)| (l[column], o)).unwrap_or_default();
            if others.is_empty() {
                return last.to_owned();
            }
            let whens = others.iter().enumerate();
            let whens = whens.map(|(n, row)| format!(" WHEN {} THEN {}", n + 1, row[column]));
            format!("CASE {NUMBER}{} ELSE {last} END", whens.collect::<String>())
        });
        let columns = columns.collect::<Vec<_>>().join(",\n  ");
        let from = format!("FROM {NUMBERS} WHERE {NUMBER} <= {}", rows.len());
        let select = format!("SELECT {columns}\n{from}");
        let sets = ["UNION", "EXCEPT", "INTERSECT", "MINUS", "ALL", "ORDER", "LIMIT", "FETCH"];
        let is_beside = self.is_any(end, &sets)
            || at.checked_sub(1).is_some_and(|before| self.is_any(before, &sets));
        if is_beside { format!("({select})") } else { select }
    }

    /// Where the `FROM` of a `SELECT` would stand that has none.
    fn place_of_from(&self, select: usize) -> Option<usize> {
        let depth = self.tokens[select].depth;
        let ends = ["UNION", "EXCEPT", "INTERSECT", "MINUS", "ORDER", "LIMIT", "OFFSET", "FETCH"];
        let mut last = select;
        for at in select + 1..self.tokens.len() {
            let token = &self.tokens[at];
            if token.depth < depth || &self.text[token.range.clone()] == ";" {
                break;
            }
            if token.depth == depth {
                // `IS NOT DISTINCT FROM` compares.
                if self.is(at, "FROM") && !self.is(at - 1, "DISTINCT") {
                    return None;
                }
                // Nobody writes these without a FROM; whoever does is told by Flink's plan.
                if self.is_any(at, &["WHERE", "GROUP", "HAVING"]) {
                    return None;
                }
                if self.is_any(at, &ends) {
                    break;
                }
            }
            last = at;
        }
        Some(self.tokens[last].range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &str) -> Option<String> {
        let shorten = |text: String| text.replace(NUMBERS, "numbers").replace(NUMBER, "n");
        numbered(of).map(|numbered| shorten(numbered.text))
    }

    #[test]
    fn values_are_told_by_numbers() {
        let sql = "SELECT * FROM (VALUES (1, 'a, (b)'), -- one\n (2, COALESCE(x, 'c'))) AS t";
        let expected = "SELECT * FROM (SELECT CASE n WHEN 1 THEN 1 ELSE 2 END,\n  CASE n WHEN 1 \
                        THEN 'a, (b)' ELSE COALESCE(x, 'c') END\nFROM numbers WHERE n <= 2) AS t";
        assert_eq!(text(sql).as_deref(), Some(expected));
        assert_eq!(numbered(sql).unwrap().rows, 2);
        let sql = "INSERT INTO t VALUES ROW(1, 2)";
        let expected = "INSERT INTO t SELECT 1,\n  2\nFROM numbers WHERE n <= 1";
        assert_eq!(text(sql).as_deref(), Some(expected));
        let sql = "VALUES (1) UNION ALL VALUES (2), (3)";
        let expected = "(SELECT 1\nFROM numbers WHERE n <= 1) UNION ALL (SELECT CASE n WHEN 1 \
                        THEN 2 ELSE 3 END\nFROM numbers WHERE n <= 2)";
        assert_eq!(text(sql).as_deref(), Some(expected));
    }

    #[test]
    fn a_select_without_from_gets_one() {
        let from = " FROM numbers WHERE n <= 1";
        for (sql, expected) in [
            (
                "CREATE VIEW v AS SELECT 1 AS a /* x */",
                format!("CREATE VIEW v AS SELECT 1 AS a{from} /* x */"),
            ),
            (
                "SELECT 1 UNION ALL SELECT a FROM t WHERE a > (SELECT 2)",
                format!("SELECT 1{from} UNION ALL SELECT a FROM t WHERE a > (SELECT 2{from})"),
            ),
            (
                "SELECT CASE WHEN 1 IS NOT DISTINCT FROM 2 THEN 3 END",
                format!("SELECT CASE WHEN 1 IS NOT DISTINCT FROM 2 THEN 3 END{from}"),
            ),
        ] {
            assert_eq!(text(sql), Some(expected), "{sql}");
        }
    }

    #[test]
    fn other_rows_stay_as_they_are() {
        for sql in [
            "SELECT EXTRACT(YEAR FROM at), 'VALUES (1)', `values` FROM t -- VALUES (1)",
            "CREATE TABLE t (a INT) WITH ('connector' = 'log')",
            "SELECT a, (SELECT MAX(b) FROM u) FROM t",
        ] {
            assert_eq!(text(sql), None, "{sql}");
        }
    }
}
