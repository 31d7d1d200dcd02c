//! `INSERT` and statement sets.

use sqlparser::tokenizer::Token;

use super::ast::{Insert, Options, Statement};
use super::cursor::{
    Parsed, eat_word, expect, expect_word, expect_words, expected, expected_error, identifier,
    name_list, peek_words, refuse, word_is,
};
use super::lexer::Hints;
use super::statement::StatementParser;
use crate::error::SqlError;

impl StatementParser<'_> {
    /// `INSERT INTO|OVERWRITE t [PARTITION (…)] [(columns)] query`.
    pub(super) fn insert(&mut self) -> Parsed<Insert> {
        let start = self.start();
        expect_word(&mut self.p, "INSERT")?;
        let overwrite = eat_word(&mut self.p, "OVERWRITE");
        if !overwrite && !eat_word(&mut self.p, "INTO") {
            return expected(&self.p, "INTO or OVERWRITE");
        }
        eat_word(&mut self.p, "TABLE");
        let mut target = self.name_with_hint("a table name")?;
        let hints = match target.parts.last().and_then(|last| Hints::marked(last)) {
            Some(number) => {
                target.parts.pop();
                self.hints.table.get(number).map(|(o, _)| o.clone()).unwrap_or_default()
            }
            None => Options::new(),
        };
        let partition = match eat_word(&mut self.p, "PARTITION") {
            true => self.partition()?,
            false => Vec::new(),
        };
        let columns = match self.at_column_list() {
            true => name_list(&mut self.p, "a column name")?,
            false => Vec::new(),
        };
        let source = self.query()?;
        let (text, span) = self.since(start);
        Ok(Insert { target, overwrite, hints, partition, columns, source, text, span })
    }

    /// `(column = value, …)`.
    fn partition(&mut self) -> Parsed<Vec<(String, super::ast::ExprText)>> {
        expect(&mut self.p, &Token::LParen)?;
        let mut values = Vec::new();
        loop {
            let (column, span) = identifier(&mut self.p, "a partition column")?;
            if !self.p.consume_token(&Token::Eq) {
                return Err(refuse(
                    expected_error(&self.p, "'=' and the partition's value").with_span(span),
                ));
            }
            values.push((column, self.expression()?));
            if !self.p.consume_token(&Token::Comma) {
                break;
            }
        }
        expect(&mut self.p, &Token::RParen)?;
        Ok(values)
    }

    /// Whether a parenthesis opens column names rather than a query.
    fn at_column_list(&self) -> bool {
        let next = &self.p.peek_nth_token_ref(1).token;
        let opens_query = ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|w| word_is(next, w));
        self.p.peek_token_ref().token == Token::LParen && !opens_query && *next != Token::LParen
    }

    /// `[EXECUTE] STATEMENT SET BEGIN insert; … END` or `BEGIN STATEMENT SET; insert; … END`.
    pub(super) fn statement_set(&mut self) -> Parsed<Statement> {
        if eat_word(&mut self.p, "BEGIN") {
            expect_words(&mut self.p, &["STATEMENT", "SET"])?;
            expect(&mut self.p, &Token::SemiColon)?;
        } else {
            eat_word(&mut self.p, "EXECUTE");
            expect_words(&mut self.p, &["STATEMENT", "SET", "BEGIN"])?;
        }
        let mut inserts = Vec::new();
        while !eat_word(&mut self.p, "END") {
            if self.p.consume_token(&Token::SemiColon) {
                continue;
            }
            if !peek_words(&self.p, &["INSERT"]) && !peek_words(&self.p, &["EXECUTE", "INSERT"]) {
                return Err(refuse(
                    expected_error(&self.p, "INSERT or END")
                        .with_hint("a statement set holds INSERT statements only"),
                ));
            }
            eat_word(&mut self.p, "EXECUTE");
            inserts.push(self.insert()?);
            if !self.p.consume_token(&Token::SemiColon) {
                return expected(&self.p, "';' behind the INSERT");
            }
        }
        if inserts.is_empty() {
            let span = super::cursor::token_span(self.p.get_current_token());
            return Err(refuse(SqlError::new("this statement set is empty").with_span(span)));
        }
        Ok(Statement::StatementSet(inserts))
    }
}
