//! Words that are names only in backticks.
//!
//! The list is kept to the words that Flink's grammar surely reserves: to refuse a good query is
//! worse than to take one that Flink would not.

use crate::error::SqlError;

/// Reserved words, in upper case, sorted.
const RESERVED: &[&str] = &[
    "ALL",
    "ALTER",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "AVG",
    "BETWEEN",
    "BIGINT",
    "BINARY",
    "BOOLEAN",
    "BOTH",
    "BY",
    "CASE",
    "CAST",
    "CHAR",
    "CHARACTER",
    "CHECK",
    "COLUMN",
    "CONSTRAINT",
    "COUNT",
    "CREATE",
    "CROSS",
    "CUBE",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "DATE",
    "DAY",
    "DECIMAL",
    "DEFAULT",
    "DEFINE",
    "DELETE",
    "DESCRIBE",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FETCH",
    "FILTER",
    "FLOAT",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GRANT",
    "GROUP",
    "GROUPING",
    "HAVING",
    "HOUR",
    "IN",
    "INNER",
    "INSERT",
    "INT",
    "INTEGER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MATCH",
    "MATCH_RECOGNIZE",
    "MAX",
    "MEASURES",
    "MERGE",
    "MIN",
    "MINUS",
    "MINUTE",
    "MONTH",
    "MULTISET",
    "NATURAL",
    "NOT",
    "NULL",
    "NUMERIC",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "OVERLAPS",
    "PARTITION",
    "PATTERN",
    "POSITION",
    "PRECISION",
    "PRIMARY",
    "RANGE",
    "RANK",
    "REFERENCES",
    "RIGHT",
    "ROLLUP",
    "ROW",
    "ROWS",
    "ROW_NUMBER",
    "SECOND",
    "SELECT",
    "SET",
    "SIMILAR",
    "SMALLINT",
    "SOME",
    "SUM",
    "SYMMETRIC",
    "TABLE",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "TINYINT",
    "TO",
    "TRUE",
    "UNION",
    "UNIQUE",
    "UNKNOWN",
    "UNNEST",
    "UPDATE",
    "USER",
    "USING",
    "VALUE",
    "VALUES",
    "VARBINARY",
    "VARCHAR",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
    "WITHOUT",
    "YEAR",
];

/// Whether a word is a name only in backticks.
pub fn is_reserved(word: &str) -> bool {
    RESERVED
        .binary_search(&word.to_ascii_uppercase().as_str())
        .is_ok()
}

/// The error for a reserved word where `what` (such as "a column name") was expected.
pub fn reserved_error(word: &str, what: &str) -> SqlError {
    SqlError::new(format!(
        "{} is a reserved word, expected {what}",
        word.to_ascii_uppercase()
    ))
    .with_hint(format!(
        "to use it as a name, put it in backticks: `{word}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_because_it_is_searched_by_halves() {
        assert!(RESERVED.windows(2).all(|w| w[0] < w[1]));
        assert!(is_reserved("value") && is_reserved("Date") && !is_reserved("price"));
    }
}
