//! `CREATE VIEW` and `CREATE MATERIALIZED VIEW`.

use sqlparser::tokenizer::Token;

use super::ast::{CreateMaterializedView, CreateView, Statement, ViewColumn};
use super::cursor::{
    Parsed, eat_word, expect_word, expected_error, identifier, parenthesized, peek_words, refuse,
    string_literal, token_span,
};
use super::statement::StatementParser;
use crate::error::SqlError;

impl StatementParser<'_> {
    /// `CREATE [TEMPORARY] VIEW` is read; the name follows.
    pub(super) fn create_view(&mut self, temporary: bool) -> Parsed<Statement> {
        let on_conflict = self.on_conflict(false)?;
        let name = self.name("a view name")?;
        let columns = self.view_columns()?;
        let comment = self.comment()?;
        let query = self.view_query()?;
        let view = CreateView { name, temporary, on_conflict, columns, comment, query };
        Ok(Statement::CreateView(view))
    }

    /// `CREATE [OR REPLACE] MATERIALIZED VIEW` is read; the name follows.
    pub(super) fn create_materialized_view(&mut self, replace: bool) -> Parsed<Statement> {
        let on_conflict = self.on_conflict(replace)?;
        let name = self.name("a view name")?;
        let columns = self.view_columns()?;
        let mut comment = self.comment()?;
        let primary_key = match self.at_constraint() {
            true => Some(self.constraint()?),
            false => None,
        };
        if comment.is_none() {
            comment = self.comment()?;
        }
        let options = self.with_options()?;
        let query = self.view_query()?;
        Ok(Statement::CreateMaterializedView(CreateMaterializedView {
            name,
            on_conflict,
            columns,
            primary_key,
            comment,
            options,
            query,
        }))
    }

    fn view_query(&mut self) -> Parsed<super::ast::QueryText> {
        if !peek_words(&self.p, &["AS"]) {
            return Err(refuse(expected_error(&self.p, "AS and the view's query")));
        }
        expect_word(&mut self.p, "AS")?;
        self.query()
    }

    fn view_columns(&mut self) -> Parsed<Vec<ViewColumn>> {
        if self.p.peek_token_ref().token != Token::LParen {
            return Ok(Vec::new());
        }
        let mut spans = Vec::new();
        let columns: Vec<ViewColumn> = parenthesized(&mut self.p, |p| {
            spans.push(token_span(p.peek_token_ref()));
            let (name, _) = identifier(p, "a column name")?;
            let comment = match eat_word(p, "COMMENT") {
                true => Some(string_literal(p, "the comment")?),
                false => None,
            };
            Ok(ViewColumn { name, comment })
        })?;
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].iter().any(|c| c.name == column.name) {
                let error = SqlError::new(format!("the column '{}' stands twice", column.name));
                return Err(refuse(error.with_span(spans[i])));
            }
        }
        Ok(columns)
    }
}
