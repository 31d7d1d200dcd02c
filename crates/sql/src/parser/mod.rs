//! From SQL text to statements.
//!
//! [`parse`] cuts a file at its semicolons and reads each statement: DDL and utility statements by
//! recursive descent in the files named after their families, queries and expressions through
//! sqlparser under our [`dialect::FlinkDialect`], then brought into canonical form. Every error
//! points at a line and a column of the whole file.

mod alter;
pub mod ast;
mod canonical;
mod cursor;
mod data_type;
pub mod dialect;
mod explain;
mod infix;
mod insert;
mod json;
mod lexer;
pub mod limits;
mod match_recognize;
mod objects;
pub mod prefix;
mod query;
mod reserved;
mod show;
mod source;
mod statement;
mod table;
mod view;

pub use ast::*;
pub use match_recognize::WITHIN_SYMBOL;
pub use reserved::is_reserved;

use crate::error::{Result, Span};
use cursor::{from_parser_error, token_span};
use lexer::{Hints, StatementTokens};
use source::Source;
use statement::StatementParser;

/// Reads all statements of a text, in order; the first error ends it.
pub fn parse(text: &str) -> Result<Vec<ParsedStatement>> {
    limits::check_text(text)?;
    let source = Source::new(text);
    let (statements, hints) = lexer::lex(&source)?;
    statements.into_iter().map(|tokens| parse_tokens(&source, &hints, tokens)).collect()
}

/// Reads a text that must be one statement.
pub fn parse_one(text: &str) -> Result<ParsedStatement> {
    let mut statements = parse(text)?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(crate::error::SqlError::new("there is no statement in this text")),
        (Some(second), _) => {
            Err(crate::error::SqlError::at("expected one statement, found several", second.span))
        }
    }
}

/// Reads one expression over columns, such as a computed column's, from its text.
pub fn parse_expression(text: &str) -> Result<ExprText> {
    limits::check_text(text)?;
    let source = Source::new(text);
    let (mut statements, hints) = lexer::lex(&source)?;
    match (statements.pop(), statements.len()) {
        (Some(tokens), 0) => {
            let mut parser = StatementParser::new(&source, &hints, tokens);
            let expr = parser.expression().map_err(from_parser_error)?;
            parser.finish().map_err(from_parser_error)?;
            Ok(expr)
        }
        _ => Err(crate::error::SqlError::new("expected one expression")),
    }
}

fn parse_tokens(
    source: &Source<'_>,
    hints: &Hints,
    tokens: StatementTokens,
) -> Result<ParsedStatement> {
    let end = tokens.last().and_then(token_span).map(|span| Span::at(span.end));
    let mut parser = StatementParser::new(source, hints, tokens);
    parser.whole_statement().map_err(|error| {
        let error = from_parser_error(error);
        // sqlparser knows no place for the end of the text.
        query::pinpoint(&parser, error).with_span(end)
    })
}
