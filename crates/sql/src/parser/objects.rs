//! `CREATE` and `DROP` of every kind of object, `USE`, `SET` and `RESET`.

use sqlparser::tokenizer::Token;

use super::ast::{
    CreateCatalog, CreateDatabase, CreateFunction, CreateModel, DropDatabase, DropObject,
    QualifiedName, Statement, Use,
};
use super::cursor::{
    Parsed, comma_separated, eat_word, eat_words, expect, expect_word, expected, expected_error,
    identifier, peek_words, refuse, string_literal, token_span,
};
use super::statement::StatementParser;
use crate::error::SqlError;

/// What can stand behind `CREATE` and `DROP`.
const OBJECT_KINDS: &str = "TABLE, VIEW, MATERIALIZED VIEW, DATABASE, CATALOG, FUNCTION or MODEL";

/// The words of a kind of object, its `DROP`, and how many parts its name can have.
type DropKind = (&'static [&'static str], fn(DropObject) -> Statement, usize);

/// What stands between `CREATE` and the kind of object.
#[derive(Clone, Copy)]
struct Modifiers {
    replace: bool,
    temporary: bool,
    system: bool,
}

impl StatementParser<'_> {
    /// `CREATE …`.
    pub(super) fn create(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "CREATE")?;
        let span = token_span(self.p.peek_token_ref());
        let modifiers = Modifiers {
            replace: eat_words(&mut self.p, &["OR", "REPLACE"]),
            temporary: eat_word(&mut self.p, "TEMPORARY"),
            system: eat_word(&mut self.p, "SYSTEM"),
        };
        let Modifiers { replace, temporary, system } = modifiers;
        if peek_words(&self.p, &["MATERIALIZED", "TABLE"]) {
            let error = SqlError::not_supported("CREATE MATERIALIZED TABLE").with_span(span);
            return Err(refuse(error.with_hint("use CREATE MATERIALIZED VIEW name AS query")));
        }
        let kinds: [(&[&str], bool, bool, bool); 7] = [
            // words, and whether OR REPLACE, TEMPORARY, SYSTEM may stand before them
            (&["TABLE"], true, true, false),
            (&["VIEW"], false, true, false),
            (&["MATERIALIZED", "VIEW"], true, false, false),
            (&["DATABASE"], false, false, false),
            (&["CATALOG"], false, false, false),
            (&["FUNCTION"], false, true, true),
            (&["MODEL"], true, true, false),
        ];
        let Some((words, may_replace, may_temporary, may_system)) =
            kinds.into_iter().find(|(words, ..)| eat_words(&mut self.p, words))
        else {
            return Err(refuse(expected_error(&self.p, OBJECT_KINDS)));
        };
        let kind = words.join(" ");
        for (said, may, word) in [
            (replace, may_replace, "OR REPLACE"),
            (temporary, may_temporary, "TEMPORARY"),
            (system, may_system, "SYSTEM"),
        ] {
            if said && !may {
                let error = SqlError::not_supported(format!("CREATE {word} {kind}"));
                let error = error.with_span(span);
                return Err(refuse(match (words, replace) {
                    (["VIEW"], true) => error.with_hint("use ALTER VIEW name AS query"),
                    _ => error,
                }));
            }
        }
        match words {
            ["TABLE"] => self.create_table(temporary, replace),
            ["VIEW"] => self.create_view(temporary),
            ["MATERIALIZED", ..] => self.create_materialized_view(replace),
            ["DATABASE"] => self.create_database(),
            ["CATALOG"] => self.create_catalog(),
            ["FUNCTION"] => self.create_function(temporary, system),
            _ => self.create_model(temporary, replace),
        }
    }

    fn create_database(&mut self) -> Parsed<Statement> {
        let on_conflict = self.on_conflict(false)?;
        let name = self.name_of_parts("a database name", 2)?;
        let comment = self.comment()?;
        let options = self.with_options()?;
        Ok(Statement::CreateDatabase(CreateDatabase { name, on_conflict, comment, options }))
    }

    fn create_catalog(&mut self) -> Parsed<Statement> {
        let on_conflict = self.on_conflict(false)?;
        let name = self.name_of_parts("a catalog name", 1)?;
        let comment = self.comment()?;
        let options = self.with_options()?;
        Ok(Statement::CreateCatalog(CreateCatalog { name, on_conflict, comment, options }))
    }

    /// `name AS 'identifier' [LANGUAGE l] [USING JAR '…', …] [WITH (…)]`.
    fn create_function(&mut self, temporary: bool, system: bool) -> Parsed<Statement> {
        if system && !temporary {
            let span = token_span(self.p.get_current_token());
            let error = SqlError::new("a system function must be TEMPORARY").with_span(span);
            return Err(refuse(error.with_hint("write CREATE TEMPORARY SYSTEM FUNCTION")));
        }
        let on_conflict = self.on_conflict(false)?;
        let name = self.name_of_parts("a function name", if system { 1 } else { 3 })?;
        expect_word(&mut self.p, "AS")?;
        let identifier_text = string_literal(&mut self.p, "the function's class or module")?;
        let language = match eat_word(&mut self.p, "LANGUAGE") {
            true => Some(identifier(&mut self.p, "a language")?.0.to_ascii_uppercase()),
            false => None,
        };
        let resources = match eat_word(&mut self.p, "USING") {
            true => comma_separated(&mut self.p, |p| {
                if !["JAR", "FILE", "ARTIFACT"].iter().any(|word| eat_word(p, word)) {
                    return expected(p, "JAR, FILE or ARTIFACT");
                }
                string_literal(p, "the path")
            })?,
            false => Vec::new(),
        };
        let options = self.with_options()?;
        Ok(Statement::CreateFunction(CreateFunction {
            name,
            temporary,
            system,
            on_conflict,
            identifier: identifier_text,
            language,
            resources,
            options,
        }))
    }

    /// `name [INPUT (…)] [OUTPUT (…)] [COMMENT '…'] [WITH (…)] [AS query]`.
    fn create_model(&mut self, temporary: bool, replace: bool) -> Parsed<Statement> {
        let on_conflict = self.on_conflict(replace)?;
        let name = self.name("a model name")?;
        let input = match eat_word(&mut self.p, "INPUT") {
            true => self.typed_columns()?,
            false => Vec::new(),
        };
        let output = match eat_word(&mut self.p, "OUTPUT") {
            true => self.typed_columns()?,
            false => Vec::new(),
        };
        let comment = self.comment()?;
        let options = self.with_options()?;
        let query = match eat_word(&mut self.p, "AS") {
            true => Some(self.query()?),
            false => None,
        };
        Ok(Statement::CreateModel(CreateModel {
            name,
            temporary,
            on_conflict,
            input,
            output,
            comment,
            options,
            query,
        }))
    }

    /// `DROP …`.
    pub(super) fn drop(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "DROP")?;
        let temporary = eat_word(&mut self.p, "TEMPORARY");
        let system = eat_word(&mut self.p, "SYSTEM");
        if eat_word(&mut self.p, "DATABASE") {
            return self.drop_database();
        }
        let kinds: [DropKind; 6] = [
            (&["TABLE"], Statement::DropTable, 3),
            (&["VIEW"], Statement::DropView, 3),
            (&["MATERIALIZED", "VIEW"], Statement::DropMaterializedView, 3),
            (&["CATALOG"], Statement::DropCatalog, 1),
            (&["FUNCTION"], Statement::DropFunction, 3),
            (&["MODEL"], Statement::DropModel, 3),
        ];
        let Some((words, statement, parts)) =
            kinds.into_iter().find(|(words, ..)| eat_words(&mut self.p, words))
        else {
            return Err(refuse(expected_error(&self.p, OBJECT_KINDS)));
        };
        if system && words != ["FUNCTION"] {
            let what = format!("DROP SYSTEM {}", words.join(" "));
            return Err(refuse(SqlError::not_supported(what)));
        }
        let if_exists = self.if_exists();
        let name = self.name_of_parts("a name", parts)?;
        Ok(statement(DropObject { name, temporary, if_exists }))
    }

    fn drop_database(&mut self) -> Parsed<Statement> {
        let if_exists = self.if_exists();
        let name = self.name_of_parts("a database name", 2)?;
        let cascade = eat_word(&mut self.p, "CASCADE");
        if !cascade {
            eat_word(&mut self.p, "RESTRICT");
        }
        Ok(Statement::DropDatabase(DropDatabase { name, if_exists, cascade }))
    }

    /// A name of at most so many parts.
    pub(super) fn name_of_parts(&mut self, what: &str, parts: usize) -> Parsed<QualifiedName> {
        let name = self.name(what)?;
        if name.parts.len() <= parts {
            return Ok(name);
        }
        let error = SqlError::new(format!("{name} is not {what}: it has too many parts"));
        Err(refuse(error.with_span(name.span)))
    }

    /// `USE database` / `USE CATALOG catalog`.
    pub(super) fn use_statement(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "USE")?;
        if eat_word(&mut self.p, "CATALOG") {
            return Ok(Statement::Use(Use::Catalog(self.name_of_parts("a catalog name", 1)?)));
        }
        if peek_words(&self.p, &["MODULES"]) {
            let error = SqlError::not_supported("USE MODULES")
                .with_span(token_span(self.p.peek_token_ref()))
                .with_hint("all functions are built in");
            return Err(refuse(error));
        }
        Ok(Statement::Use(Use::Database(self.name_of_parts("a database name", 2)?)))
    }

    /// `SET` / `SET 'key' = 'value'`.
    pub(super) fn set(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "SET")?;
        if self.p.peek_token_ref().token == Token::EOF {
            return Ok(Statement::Set(None));
        }
        let key = self.setting_key()?;
        expect(&mut self.p, &Token::Eq)?;
        let value = string_literal(&mut self.p, "the value")?;
        Ok(Statement::Set(Some((key, value))))
    }

    /// `RESET` / `RESET 'key'`.
    pub(super) fn reset(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "RESET")?;
        if self.p.peek_token_ref().token == Token::EOF {
            return Ok(Statement::Reset(None));
        }
        self.setting_key().map(|key| Statement::Reset(Some(key)))
    }

    fn setting_key(&mut self) -> Parsed<String> {
        if let Token::Word(word) = &self.p.peek_token_ref().token {
            let error = expected_error(&self.p, "the setting's name in single quotes")
                .with_hint(format!("write '{}…' = '…'", word.value));
            return Err(refuse(error));
        }
        string_literal(&mut self.p, "the setting's name")
    }
}
