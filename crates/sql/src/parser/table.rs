//! `CREATE TABLE`, in all its clauses.

use sqlparser::tokenizer::Token;

use super::ast::{
    ColumnDef, ColumnKind, CreateTable, Distribution, DistributionKind, LikeClause, LikeFeature,
    LikeOption, LikeStrategy, OnConflict, PrimaryKey, QualifiedName, Statement, Watermark,
};
use super::cursor::{
    Parsed, eat_word, eat_words, expect, expect_word, expect_words, expected, expected_error,
    identifier, name_list, peek_words, refuse, string_literal, token_span, unsigned,
};
use super::data_type::parse_type;
use super::statement::{StatementParser, refuse_twice};
use crate::error::{Span, SqlError};

/// What stands between the parentheses of a table.
#[derive(Default)]
struct Elements {
    columns: Vec<ColumnDef>,
    column_order: Vec<String>,
    watermark: Option<Watermark>,
    primary_key: Option<PrimaryKey>,
}

impl StatementParser<'_> {
    /// `CREATE [OR REPLACE] [TEMPORARY] TABLE` is read; the name follows.
    pub(super) fn create_table(&mut self, temporary: bool, replace: bool) -> Parsed<Statement> {
        let on_conflict = self.on_conflict(replace)?;
        let name = self.name("a table name")?;
        let elements = match self.p.peek_token_ref().token {
            Token::LParen => self.table_elements()?,
            _ => Elements::default(),
        };
        let comment = self.comment()?;
        let distribution = match peek_words(&self.p, &["DISTRIBUTED"]) {
            true => Some(self.distribution("DISTRIBUTED")?),
            false => None,
        };
        let partitioned_by = match eat_words(&mut self.p, &["PARTITIONED", "BY"]) {
            true => name_list(&mut self.p, "a column name")?,
            false => Vec::new(),
        };
        let options = self.with_options()?;
        let like = match eat_word(&mut self.p, "LIKE") {
            true => Some(self.like_clause()?),
            false => None,
        };
        let query = match like.is_none() && eat_word(&mut self.p, "AS") {
            true => Some(self.query()?),
            false => None,
        };
        let Elements { columns, column_order, watermark, primary_key } = elements;
        let table = CreateTable {
            name,
            temporary,
            on_conflict,
            columns,
            column_order,
            watermark,
            primary_key,
            comment,
            distribution,
            partitioned_by,
            options,
            like,
            query,
        };
        self.check_table(&table)?;
        Ok(Statement::CreateTable(Box::new(table)))
    }

    /// `REPLACE TABLE t AS query`, Flink's short form of `CREATE OR REPLACE TABLE`.
    pub(super) fn replace_table(&mut self) -> Parsed<Statement> {
        expect_words(&mut self.p, &["REPLACE", "TABLE"])?;
        self.create_table(false, true)
    }

    /// `IF NOT EXISTS`, which `OR REPLACE` excludes.
    pub(super) fn on_conflict(&mut self, replace: bool) -> Parsed<OnConflict> {
        let span = token_span(self.p.peek_token_ref());
        match (replace, self.if_not_exists()?) {
            (true, true) => {
                let error = SqlError::new("OR REPLACE and IF NOT EXISTS exclude each other");
                Err(refuse(error.with_span(span)))
            }
            (true, false) => Ok(OnConflict::Replace),
            (false, true) => Ok(OnConflict::Ignore),
            (false, false) => Ok(OnConflict::Fail),
        }
    }

    fn check_table(&self, table: &CreateTable) -> Parsed<()> {
        let error = |message: &str| Err(refuse(SqlError::new(message).with_span(table.name.span)));
        if !table.column_order.is_empty() && table.query.is_none() {
            return error("the columns of this table have no types");
        }
        if table.columns.is_empty() && table.query.is_none() && table.like.is_none() {
            return error("a table needs columns, or LIKE another table, or AS a query");
        }
        if table.query.is_some() && table.temporary {
            return error("CREATE TEMPORARY TABLE … AS is not supported");
        }
        Ok(())
    }

    fn table_elements(&mut self) -> Parsed<Elements> {
        let mut elements = Elements::default();
        expect(&mut self.p, &Token::LParen)?;
        if self.p.consume_token(&Token::RParen) {
            return Ok(elements);
        }
        loop {
            self.table_element(&mut elements)?;
            if !self.p.consume_token(&Token::Comma) {
                break;
            }
            if self.p.peek_token_ref().token == Token::RParen {
                let span = token_span(self.p.get_current_token());
                return Err(refuse(SqlError::new("one ',' too many").with_span(span)));
            }
        }
        if !self.p.consume_token(&Token::RParen) {
            return expected(&self.p, "',' or ')' behind the column");
        }
        refuse_twice(&elements.columns)?;
        if !elements.column_order.is_empty() && !elements.columns.is_empty() {
            let span = elements.columns[0].span;
            let error = SqlError::new("some columns have a type and some have none");
            return Err(refuse(error.with_span(span)));
        }
        Ok(elements)
    }

    fn table_element(&mut self, elements: &mut Elements) -> Parsed<()> {
        if peek_words(&self.p, &["WATERMARK", "FOR"]) {
            let span = token_span(self.p.peek_token_ref());
            let watermark = self.watermark()?;
            return set_once(&mut elements.watermark, watermark, span, "watermark");
        }
        if self.at_constraint() {
            let span = token_span(self.p.peek_token_ref());
            let key = self.constraint()?;
            return set_once(&mut elements.primary_key, key, span, "primary key");
        }
        let next = &self.p.peek_nth_token_ref(1).token;
        if matches!(next, Token::Comma | Token::RParen) {
            let (name, _) = identifier(&mut self.p, "a column name")?;
            elements.column_order.push(name);
            return Ok(());
        }
        let (column, key) = self.column()?;
        let span = column.span;
        elements.columns.push(column);
        match key {
            Some(key) => set_once(&mut elements.primary_key, key, span, "primary key"),
            None => Ok(()),
        }
    }

    pub(super) fn at_constraint(&self) -> bool {
        peek_words(&self.p, &["PRIMARY", "KEY"])
            || peek_words(&self.p, &["CONSTRAINT"])
            || peek_words(&self.p, &["UNIQUE"])
            || peek_words(&self.p, &["FOREIGN", "KEY"])
    }

    /// `[CONSTRAINT name] PRIMARY KEY (…) NOT ENFORCED`.
    pub(super) fn constraint(&mut self) -> Parsed<PrimaryKey> {
        let name = match eat_word(&mut self.p, "CONSTRAINT") {
            true => Some(identifier(&mut self.p, "the constraint's name")?.0),
            false => None,
        };
        if peek_words(&self.p, &["UNIQUE"]) || peek_words(&self.p, &["FOREIGN"]) {
            let span = token_span(self.p.peek_token_ref());
            let what = format!("a {} constraint", self.p.peek_token_ref().token);
            let error = SqlError::not_supported(what).with_span(span);
            return Err(refuse(error.with_hint("a table can have a PRIMARY KEY (…) NOT ENFORCED")));
        }
        self.primary_key(name)
    }

    /// `WATERMARK FOR column AS expression`.
    pub(super) fn watermark(&mut self) -> Parsed<Watermark> {
        expect_words(&mut self.p, &["WATERMARK", "FOR"])?;
        let (column, span) = identifier(&mut self.p, "a column name")?;
        if self.p.peek_token_ref().token == Token::Period {
            let error = SqlError::not_supported("a watermark on a field inside a row")
                .with_span(span)
                .with_hint("add a computed column for the field and put the watermark on it");
            return Err(refuse(error));
        }
        expect_word(&mut self.p, "AS")?;
        Ok(Watermark { column, expression: self.expression()? })
    }

    /// A column, and its key when it is declared inline.
    pub(super) fn column(&mut self) -> Parsed<(ColumnDef, Option<PrimaryKey>)> {
        let (name, span) = identifier(&mut self.p, "a column name")?;
        if eat_word(&mut self.p, "AS") {
            let expression = self.expression()?;
            let comment = self.comment()?;
            let kind = ColumnKind::Computed(expression);
            return Ok((ColumnDef { name, data_type: None, kind, comment, span }, None));
        }
        let data_type = Some(parse_type(&mut self.p)?);
        let mut kind = ColumnKind::Physical;
        if eat_word(&mut self.p, "METADATA") {
            let key = match eat_word(&mut self.p, "FROM") {
                true => Some(string_literal(&mut self.p, "the metadata key")?),
                false => None,
            };
            kind = ColumnKind::Metadata { key, is_virtual: eat_word(&mut self.p, "VIRTUAL") };
        }
        let key = self.inline_key(&name, span)?;
        self.refuse_column_clauses(&name)?;
        let comment = self.comment()?;
        Ok((ColumnDef { name, data_type, kind, comment, span }, key))
    }

    fn inline_key(&mut self, column: &str, span: Option<Span>) -> Parsed<Option<PrimaryKey>> {
        let name = match eat_word(&mut self.p, "CONSTRAINT") {
            true => Some(identifier(&mut self.p, "the constraint's name")?.0),
            false => None,
        };
        if !eat_words(&mut self.p, &["PRIMARY", "KEY"]) {
            return match name {
                Some(_) => expected(&self.p, "PRIMARY KEY"),
                None => Ok(None),
            };
        }
        self.not_enforced()?;
        Ok(Some(PrimaryKey { name, columns: vec![column.to_string()], span }))
    }

    /// Clauses that other databases have behind a column.
    fn refuse_column_clauses(&mut self, column: &str) -> Parsed<()> {
        let span = token_span(self.p.peek_token_ref());
        let (what, hint) = if peek_words(&self.p, &["DEFAULT"]) {
            ("DEFAULT", "give the value in the query that writes the table")
        } else if peek_words(&self.p, &["UNIQUE"]) {
            ("UNIQUE", "a table can have a PRIMARY KEY (…) NOT ENFORCED")
        } else if peek_words(&self.p, &["GENERATED"]) {
            ("GENERATED", "a computed column is written: name AS expression")
        } else if peek_words(&self.p, &["CHECK"]) || peek_words(&self.p, &["REFERENCES"]) {
            ("a checked constraint", "filter the rows in a view")
        } else {
            return Ok(());
        };
        let error = SqlError::not_supported(format!("{what} on column '{column}'"));
        Err(refuse(error.with_span(span).with_hint(hint)))
    }

    /// `DISTRIBUTED [BY [HASH|RANGE] (…)] [INTO n BUCKETS]`, after this first word.
    pub(super) fn distribution(&mut self, first: &str) -> Parsed<Distribution> {
        expect_word(&mut self.p, first)?;
        let mut distribution = Distribution { kind: None, columns: Vec::new(), buckets: None };
        if eat_word(&mut self.p, "BY") {
            distribution.kind = if eat_word(&mut self.p, "HASH") {
                Some(DistributionKind::Hash)
            } else if eat_word(&mut self.p, "RANGE") {
                Some(DistributionKind::Range)
            } else {
                None
            };
            distribution.columns = name_list(&mut self.p, "a column name")?;
        }
        if eat_word(&mut self.p, "INTO") {
            let count = unsigned(&mut self.p, "the number of buckets")?;
            let span = token_span(self.p.get_current_token());
            distribution.buckets =
                Some(u32::try_from(count).ok().filter(|n| *n > 0).ok_or_else(|| {
                    refuse(SqlError::new("the number of buckets is out of range").with_span(span))
                })?);
            expect_word(&mut self.p, "BUCKETS")?;
        }
        if distribution.columns.is_empty() && distribution.buckets.is_none() {
            return expected(&self.p, "BY (…) or INTO n BUCKETS");
        }
        Ok(distribution)
    }

    /// The source and the options behind `LIKE`.
    fn like_clause(&mut self) -> Parsed<LikeClause> {
        let source: QualifiedName = self.name("a table name")?;
        let mut options: Vec<LikeOption> = Vec::new();
        if !self.p.consume_token(&Token::LParen) {
            return Ok(LikeClause { source, options });
        }
        while !self.p.consume_token(&Token::RParen) {
            let span = token_span(self.p.peek_token_ref());
            let option = self.like_option()?;
            if options.iter().any(|o| o.feature == option.feature) {
                let error = SqlError::new("LIKE says twice what to do with one part of the table");
                return Err(refuse(error.with_span(span)));
            }
            let only_options = matches!(
                option.feature,
                LikeFeature::Generated
                    | LikeFeature::Metadata
                    | LikeFeature::Options
                    | LikeFeature::Watermarks
            );
            if option.strategy == LikeStrategy::Overwriting && !only_options {
                let error = SqlError::new("OVERWRITING is not possible for this part of a table")
                    .with_span(span)
                    .with_hint("GENERATED, METADATA, OPTIONS and WATERMARKS can be overwritten");
                return Err(refuse(error));
            }
            options.push(option);
        }
        Ok(LikeClause { source, options })
    }

    fn like_option(&mut self) -> Parsed<LikeOption> {
        let strategy = if eat_word(&mut self.p, "INCLUDING") {
            LikeStrategy::Including
        } else if eat_word(&mut self.p, "EXCLUDING") {
            LikeStrategy::Excluding
        } else if eat_word(&mut self.p, "OVERWRITING") {
            LikeStrategy::Overwriting
        } else {
            return expected(&self.p, "INCLUDING, EXCLUDING, OVERWRITING or ')'");
        };
        let features = [
            ("ALL", LikeFeature::All),
            ("CONSTRAINTS", LikeFeature::Constraints),
            ("DISTRIBUTION", LikeFeature::Distribution),
            ("GENERATED", LikeFeature::Generated),
            ("METADATA", LikeFeature::Metadata),
            ("OPTIONS", LikeFeature::Options),
            ("PARTITIONS", LikeFeature::Partitions),
            ("WATERMARKS", LikeFeature::Watermarks),
        ];
        let found = features.into_iter().find(|(word, _)| eat_word(&mut self.p, word));
        match found {
            Some((_, feature)) => Ok(LikeOption { strategy, feature }),
            None => Err(refuse(expected_error(
                &self.p,
                "ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA, OPTIONS, PARTITIONS or \
                 WATERMARKS",
            ))),
        }
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, span: Option<Span>, what: &str) -> Parsed<()> {
    if slot.is_some() {
        let error = SqlError::new(format!("the table has two of them: a second {what}"));
        return Err(refuse(error.with_span(span)));
    }
    *slot = Some(value);
    Ok(())
}
