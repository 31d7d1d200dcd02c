//! `SHOW` and `DESCRIBE`.

use super::ast::{Describe, DescribeTarget, QualifiedName, Show, ShowFilter, ShowKind, Statement};
use super::cursor::{
    Parsed, eat_word, eat_words, expect_word, expected, expected_error, peek_words, refuse,
    string_literal,
};
use super::statement::StatementParser;

/// The words of a kind of object and its `SHOW CREATE`.
type ShowCreate = (&'static [&'static str], fn(QualifiedName) -> ShowKind);

impl StatementParser<'_> {
    /// `SHOW …`.
    pub(super) fn show(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "SHOW")?;
        let kind = self.show_kind()?;
        let filter = self.show_filter()?;
        Ok(Statement::Show(Show { kind, filter }))
    }

    fn show_kind(&mut self) -> Parsed<ShowKind> {
        let fixed: [(&[&str], ShowKind); 6] = [
            (&["CATALOGS"], ShowKind::Catalogs),
            (&["CURRENT", "CATALOG"], ShowKind::CurrentCatalog),
            (&["CURRENT", "DATABASE"], ShowKind::CurrentDatabase),
            (&["JOBS"], ShowKind::Jobs),
            (&["MODULES"], ShowKind::Modules),
            (&["FULL", "MODULES"], ShowKind::Modules),
        ];
        for (words, kind) in fixed {
            if eat_words(&mut self.p, words) {
                return Ok(kind);
            }
        }
        if eat_word(&mut self.p, "DATABASES") {
            return Ok(ShowKind::Databases(self.show_scope("a catalog name", 1)?));
        }
        if let Some(kind) = self.show_in_database()? {
            return Ok(kind);
        }
        if eat_word(&mut self.p, "CREATE") {
            return self.show_create();
        }
        if eat_word(&mut self.p, "PARTITIONS") {
            return Ok(ShowKind::Partitions(self.name("a table name")?));
        }
        if eat_word(&mut self.p, "COLUMNS") {
            if !eat_word(&mut self.p, "FROM") && !eat_word(&mut self.p, "IN") {
                return expected(&self.p, "FROM and a table name");
            }
            return Ok(ShowKind::Columns(self.name("a table name")?));
        }
        Err(refuse(expected_error(
            &self.p,
            "CATALOGS, DATABASES, TABLES, VIEWS, MATERIALIZED VIEWS, FUNCTIONS, MODELS, COLUMNS, \
             CREATE, CURRENT or JOBS",
        )))
    }

    fn show_in_database(&mut self) -> Parsed<Option<ShowKind>> {
        let what = "a database name";
        Ok(Some(if eat_word(&mut self.p, "TABLES") {
            ShowKind::Tables(self.show_scope(what, 2)?)
        } else if eat_word(&mut self.p, "VIEWS") {
            ShowKind::Views(self.show_scope(what, 2)?)
        } else if eat_words(&mut self.p, &["MATERIALIZED", "VIEWS"]) {
            ShowKind::MaterializedViews(self.show_scope(what, 2)?)
        } else if eat_word(&mut self.p, "MODELS") {
            ShowKind::Models(self.show_scope(what, 2)?)
        } else if eat_word(&mut self.p, "FUNCTIONS") {
            ShowKind::Functions { user_only: false, database: self.show_scope(what, 2)? }
        } else if eat_words(&mut self.p, &["USER", "FUNCTIONS"]) {
            ShowKind::Functions { user_only: true, database: self.show_scope(what, 2)? }
        } else {
            return Ok(None);
        }))
    }

    /// `[FROM|IN name]`.
    fn show_scope(&mut self, what: &str, parts: usize) -> Parsed<Option<QualifiedName>> {
        if eat_word(&mut self.p, "FROM") || eat_word(&mut self.p, "IN") {
            return self.name_of_parts(what, parts).map(Some);
        }
        Ok(None)
    }

    fn show_create(&mut self) -> Parsed<ShowKind> {
        let kinds: [ShowCreate; 5] = [
            (&["TABLE"], ShowKind::CreateTable),
            (&["VIEW"], ShowKind::CreateView),
            (&["MATERIALIZED", "VIEW"], ShowKind::CreateMaterializedView),
            (&["MODEL"], ShowKind::CreateModel),
            (&["CATALOG"], ShowKind::CreateCatalog),
        ];
        for (words, kind) in kinds {
            if eat_words(&mut self.p, words) {
                return Ok(kind(self.name("a name")?));
            }
        }
        expected(&self.p, "TABLE, VIEW, MATERIALIZED VIEW, MODEL or CATALOG")
    }

    fn show_filter(&mut self) -> Parsed<Option<ShowFilter>> {
        let negated = eat_word(&mut self.p, "NOT");
        let ignore_case = if eat_word(&mut self.p, "LIKE") {
            false
        } else if eat_word(&mut self.p, "ILIKE") {
            true
        } else if negated {
            return expected(&self.p, "LIKE or ILIKE");
        } else {
            return Ok(None);
        };
        let pattern = string_literal(&mut self.p, "the pattern")?;
        Ok(Some(ShowFilter { negated, ignore_case, pattern }))
    }

    /// `DESCRIBE [EXTENDED] name`, `DESCRIBE CATALOG|DATABASE|FUNCTION|MODEL [EXTENDED] name`.
    pub(super) fn describe(&mut self) -> Parsed<Statement> {
        self.p.advance_token();
        let targets = [
            ("CATALOG", DescribeTarget::Catalog, 1),
            ("DATABASE", DescribeTarget::Database, 2),
            ("FUNCTION", DescribeTarget::Function, 3),
            ("MODEL", DescribeTarget::Model, 3),
            ("TABLE", DescribeTarget::Table, 3),
        ];
        let mut found = (DescribeTarget::Table, 3);
        for (word, target, parts) in targets {
            // `DESCRIBE model` is about a table of that name.
            let has_name =
                matches!(self.p.peek_nth_token_ref(1).token, sqlparser::tokenizer::Token::Word(_));
            if has_name && peek_words(&self.p, &[word]) {
                self.p.advance_token();
                found = (target, parts);
                break;
            }
        }
        let extended = eat_word(&mut self.p, "EXTENDED");
        let name = self.name_of_parts("a name", found.1)?;
        Ok(Statement::Describe(Describe { target: found.0, name, extended }))
    }
}
