//! Queries: sqlparser's, in canonical form, with the hints that stand in them.

use sqlparser::ast::{Query, SetExpr};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::QueryText;
use super::canonical;
use super::cursor::{
    Parsed, expected_error, from_parser_error, peek_words, refuse, token_span, word_is,
};
use super::lexer::closing;
use super::limits::RECURSION_DEPTH_MAX;
use super::statement::StatementParser;
use crate::error::{Span, SqlError};

/// The words a query can begin with.
const QUERY_WORDS: [&str; 3] = ["SELECT", "WITH", "VALUES"];
/// Most subqueries that are read again to find the place of an error.
const PINPOINT_QUERIES_MAX: usize = 100;

impl StatementParser<'_> {
    /// A query with its text and its hints.
    pub(super) fn query(&mut self) -> Parsed<QueryText> {
        let begins = QUERY_WORDS.iter().any(|word| peek_words(&self.p, &[word]))
            || peek_words(&self.p, &["TABLE"])
            || self.p.peek_token_ref().token == Token::LParen;
        if !begins {
            return Err(refuse(expected_error(&self.p, "a query (SELECT, WITH or VALUES)")));
        }
        let start = self.start();
        let mut query = self.p.parse_query()?;
        let (text, span) = self.since(start);
        refuse_writes(&query, span)?;
        canonical::canonicalize_query(&mut query, self.hints).map_err(refuse)?;
        let is_inside = |hint: Span| span.start <= hint.start && hint.end <= span.end;
        let hints = self.hints.query.iter().filter(|h| is_inside(h.span)).cloned().collect();
        Ok(QueryText { query, text, span, hints })
    }
}

/// sqlparser takes `WITH … INSERT` as a query.
fn refuse_writes(query: &Query, span: Span) -> Parsed<()> {
    let what = match query.body.as_ref() {
        SetExpr::Insert(_) => "INSERT behind WITH",
        SetExpr::Update(_) => "UPDATE",
        SetExpr::Delete(_) => "DELETE",
        SetExpr::Merge(_) => "MERGE",
        _ => return Ok(()),
    };
    Err(refuse(
        SqlError::not_supported(what).with_span(span).with_hint("write INSERT INTO t WITH …"),
    ))
}

/// Finds a better place for an error in a statement that has subqueries.
///
/// Where a parenthesis opens a subquery or a join, sqlparser tries the one and then the other, and
/// reports what was wrong with the other. So each subquery is read on its own; the innermost one
/// that is wrong has the true error.
pub fn pinpoint(parser: &StatementParser<'_>, error: SqlError) -> SqlError {
    let tokens = &parser.tokens;
    if let Some(open) = unclosed(tokens) {
        let error = match error.span {
            Some(_) => error,
            None => SqlError::new("this parenthesis is never closed").with_span(open),
        };
        return error;
    }
    // From the back, so that the innermost one is read first.
    let opens = (0..tokens.len()).rev().filter(|i| {
        let next = tokens.get(i + 1).map(|t| &t.token);
        tokens[*i].token == Token::LParen
            && next.is_some_and(|t| QUERY_WORDS.iter().any(|word| word_is(t, word)))
    });
    opens
        .take(PINPOINT_QUERIES_MAX)
        .find_map(|open| error_of(parser, open + 1, closing(tokens, open)?))
        .unwrap_or(error)
}

/// What is wrong with the query in these tokens, if something is.
fn error_of(parser: &StatementParser<'_>, from: usize, to: usize) -> Option<SqlError> {
    let tokens = parser.tokens[from..to].to_vec();
    let dialect = super::dialect::FlinkDialect;
    let mut inner = Parser::new(&dialect)
        .with_recursion_limit(RECURSION_DEPTH_MAX)
        .with_tokens_with_locations(tokens);
    let error = match inner.parse_query() {
        Err(error) => from_parser_error(error),
        Ok(_) if inner.peek_token_ref().token == Token::EOF => return None,
        Ok(_) => expected_error(&inner, "')' or another clause of the query"),
    };
    let close = token_span(&parser.tokens[to]);
    Some(match error.span {
        Some(_) => error,
        None => {
            let message = error.message.replace("the end of the statement", "')'");
            SqlError { message, ..error }.with_span(close)
        }
    })
}

/// The innermost parenthesis that is opened and never closed.
fn unclosed(tokens: &[TokenWithSpan]) -> Option<Span> {
    let mut open = Vec::new();
    for token in tokens {
        match token.token {
            Token::LParen => open.push(token),
            Token::RParen => drop(open.pop()),
            _ => {}
        }
    }
    open.last().and_then(|token| token_span(token))
}
