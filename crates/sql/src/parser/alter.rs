//! `ALTER TABLE` and `ALTER VIEW`.

use sqlparser::tokenizer::Token;

use super::ast::{AlterAction, AlterItem, AlterTable, AlterView, ColumnPosition, Statement};
use super::cursor::{
    Parsed, comma_separated, eat_word, eat_words, expect, expect_word, expected, expected_error,
    identifier, name_list, parenthesized, peek_words, refuse, string_literal, token_span,
};
use super::statement::StatementParser;
use crate::error::SqlError;

impl StatementParser<'_> {
    /// `ALTER …`.
    pub(super) fn alter(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "ALTER")?;
        if eat_word(&mut self.p, "TABLE") {
            return self.alter_table();
        }
        if eat_word(&mut self.p, "VIEW") {
            return self.alter_view();
        }
        let span = token_span(self.p.peek_token_ref());
        let what = self.p.peek_token_ref().token.to_string().to_ascii_uppercase();
        let error = SqlError::not_supported(format!("ALTER {what}")).with_span(span);
        Err(refuse(
            error.with_hint("ALTER TABLE and ALTER VIEW are; drop others and create them again"),
        ))
    }

    fn alter_table(&mut self) -> Parsed<Statement> {
        let if_exists = self.if_exists();
        let name = self.name("a table name")?;
        let action = self.alter_action()?;
        Ok(Statement::AlterTable(AlterTable { name, if_exists, action }))
    }

    fn alter_action(&mut self) -> Parsed<AlterAction> {
        if eat_words(&mut self.p, &["RENAME", "TO"]) {
            return Ok(AlterAction::RenameTable(self.name("the table's new name")?));
        }
        if eat_word(&mut self.p, "RENAME") {
            let (from, _) = identifier(&mut self.p, "a column name")?;
            expect_word(&mut self.p, "TO")?;
            let (to, _) = identifier(&mut self.p, "the column's new name")?;
            return Ok(AlterAction::RenameColumn { from, to });
        }
        for (word, action) in [
            ("ADD", AlterAction::Add as fn(Vec<AlterItem>) -> AlterAction),
            ("MODIFY", AlterAction::Modify),
        ] {
            if eat_word(&mut self.p, word) {
                self.refuse_partitions(word)?;
                return Ok(action(self.alter_items()?));
            }
        }
        if eat_word(&mut self.p, "DROP") {
            self.refuse_partitions("DROP")?;
            return self.alter_drop();
        }
        if eat_word(&mut self.p, "SET") {
            return Ok(AlterAction::SetOptions(self.option_list()?));
        }
        if eat_word(&mut self.p, "RESET") {
            let keys = parenthesized(&mut self.p, |p| string_literal(p, "an option's name"))?;
            return Ok(AlterAction::ResetOptions(keys));
        }
        expected(&self.p, "RENAME, ADD, MODIFY, DROP, SET or RESET")
    }

    fn refuse_partitions(&self, word: &str) -> Parsed<()> {
        let is_partition = peek_words(&self.p, &["PARTITION"])
            || peek_words(&self.p, &["IF", "NOT", "EXISTS", "PARTITION"])
            || peek_words(&self.p, &["IF", "EXISTS", "PARTITION"]);
        if !is_partition {
            return Ok(());
        }
        let error = SqlError::not_supported(format!("ALTER TABLE … {word} PARTITION"))
            .with_span(token_span(self.p.peek_token_ref()))
            .with_hint("partitions are found in the table's files");
        Err(refuse(error))
    }

    fn alter_items(&mut self) -> Parsed<Vec<AlterItem>> {
        if !self.p.consume_token(&Token::LParen) {
            return Ok(vec![self.alter_item()?]);
        }
        let mut items = Vec::new();
        loop {
            items.push(self.alter_item()?);
            if !self.p.consume_token(&Token::Comma) {
                break;
            }
        }
        expect(&mut self.p, &Token::RParen)?;
        Ok(items)
    }

    fn alter_item(&mut self) -> Parsed<AlterItem> {
        if peek_words(&self.p, &["WATERMARK", "FOR"]) {
            return Ok(AlterItem::Watermark(self.watermark()?));
        }
        if self.at_constraint() {
            return Ok(AlterItem::PrimaryKey(self.constraint()?));
        }
        if peek_words(&self.p, &["DISTRIBUTION"]) {
            return Ok(AlterItem::Distribution(self.distribution("DISTRIBUTION")?));
        }
        // `ADD COLUMN c INT` says the same as `ADD c INT`.
        eat_word(&mut self.p, "COLUMN");
        let (column, key) = self.column()?;
        if let Some(key) = key {
            let error = SqlError::not_supported("PRIMARY KEY behind a column of ALTER TABLE")
                .with_span(key.span)
                .with_hint("add it on its own: ADD PRIMARY KEY (…) NOT ENFORCED");
            return Err(refuse(error));
        }
        let position = if eat_word(&mut self.p, "FIRST") {
            ColumnPosition::First
        } else if eat_word(&mut self.p, "AFTER") {
            ColumnPosition::After(identifier(&mut self.p, "a column name")?.0)
        } else {
            ColumnPosition::Unchanged
        };
        Ok(AlterItem::Column(column, position))
    }

    fn alter_drop(&mut self) -> Parsed<AlterAction> {
        if eat_words(&mut self.p, &["PRIMARY", "KEY"]) {
            return Ok(AlterAction::DropPrimaryKey { name: None });
        }
        if eat_word(&mut self.p, "CONSTRAINT") {
            let (name, _) = identifier(&mut self.p, "the constraint's name")?;
            return Ok(AlterAction::DropPrimaryKey { name: Some(name) });
        }
        if eat_word(&mut self.p, "WATERMARK") {
            return Ok(AlterAction::DropWatermark);
        }
        if eat_word(&mut self.p, "DISTRIBUTION") {
            return Ok(AlterAction::DropDistribution);
        }
        eat_word(&mut self.p, "COLUMN");
        if self.p.peek_token_ref().token == Token::LParen {
            return Ok(AlterAction::DropColumns(name_list(&mut self.p, "a column name")?));
        }
        let columns =
            comma_separated(&mut self.p, |p| identifier(p, "a column name").map(|(name, _)| name))?;
        Ok(AlterAction::DropColumns(columns))
    }

    fn alter_view(&mut self) -> Parsed<Statement> {
        let name = self.name("a view name")?;
        if eat_words(&mut self.p, &["RENAME", "TO"]) {
            let to = self.name("the view's new name")?;
            return Ok(Statement::AlterView(AlterView::Rename { name, to }));
        }
        if eat_word(&mut self.p, "AS") {
            let query = self.query()?;
            return Ok(Statement::AlterView(AlterView::SetQuery { name, query }));
        }
        Err(refuse(expected_error(&self.p, "RENAME TO or AS and a query")))
    }
}
