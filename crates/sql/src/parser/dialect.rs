//! Flink's SQL as a dialect of sqlparser: what is a name, which clauses exist, and the hooks where
//! Flink's own expressions are read (see `prefix` and `infix`).

use sqlparser::ast::Expr;
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use super::{infix, prefix};

/// How tightly a unit behind a difference of moments binds.
const INTERVAL_UNIT_PRECEDENCE: u8 = 140;

/// Flink SQL: names in backticks, case kept, strings in single quotes.
#[derive(Debug, Clone, Copy, Default)]
pub struct FlinkDialect;

impl Dialect for FlinkDialect {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    /// Words that begin an expression of their own kind: without this, sqlparser answers an error
    /// inside them by reading the word as a name, once for each level, which takes time beyond all
    /// bounds in a nested one.
    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        matches!(
            kw,
            Keyword::EXISTS
                | Keyword::INTERVAL
                | Keyword::TRIM
                | Keyword::CASE
                | Keyword::CAST
                | Keyword::TRY_CAST
                | Keyword::EXTRACT
                | Keyword::CEIL
                | Keyword::FLOOR
                | Keyword::POSITION
                | Keyword::SUBSTRING
                | Keyword::SUBSTR
                | Keyword::OVERLAY
                | Keyword::NOT
                | Keyword::ARRAY
                | Keyword::CURRENT_TIMESTAMP
                | Keyword::CURRENT_TIME
                | Keyword::CURRENT_DATE
                | Keyword::LOCALTIME
                | Keyword::LOCALTIMESTAMP
        )
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    /// `(a - b) DAY TO SECOND`: the unit binds as tightly as a subscript.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        infix::at_interval_unit(parser).then_some(Ok(INTERVAL_UNIT_PRECEDENCE))
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        prefix::parse(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        infix::parse(parser, expr, precedence)
    }
}
