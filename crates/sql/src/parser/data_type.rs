//! Flink's data types, from tokens.

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};

use super::cursor::{
    eat_word, expect_word, expected, from_parser_error, identifier, refuse, string_literal,
    unsigned, word_is,
};
use super::dialect::FlinkDialect;
use crate::error::{Result, SqlError};
use crate::types::{
    FlinkType, IntervalFields, IntervalUnit, RowField, TIMESTAMP_PRECISION_DEFAULT, TypeKind,
};

/// How deep a type may nest.
const TYPE_DEPTH_MAX: usize = 64;

type Parsed<T> = std::result::Result<T, ParserError>;

impl FlinkType {
    /// Reads a type from its SQL text.
    pub fn parse(text: &str) -> Result<FlinkType> {
        let dialect = FlinkDialect;
        let tokens = Tokenizer::new(&dialect, text)
            .tokenize_with_location()
            .map_err(|e| from_parser_error(e.into()))?;
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
        let data_type = parse_type(&mut parser).map_err(from_parser_error)?;
        match &parser.peek_token_ref().token {
            Token::EOF => Ok(data_type),
            other => Err(SqlError::new(format!("unexpected {other} behind the type {data_type}"))),
        }
    }
}
