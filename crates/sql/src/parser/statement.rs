//! One statement: which family it belongs to, and the steps that all families share.

use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token};

use super::ast::{
    ColumnDef, ExprText, Options, ParsedStatement, PrimaryKey, QualifiedName, Statement,
};
use super::canonical;
use super::cursor::{
    Parsed, eat_word, eat_words, expect, expect_words, expected, expected_error, identifier,
    name_list, parenthesized, peek_words, refuse, string_literal, token_span,
};
use super::dialect::FlinkDialect;
use super::lexer::{Hints, StatementTokens};
use super::limits::RECURSION_DEPTH_MAX;
use super::reserved::{is_reserved, reserved_error};
use super::source::Source;
use crate::catalog::nearest;
use crate::error::{Span, SqlError};

static DIALECT: FlinkDialect = FlinkDialect;

/// The words a statement can begin with, for a hint at the nearest.
const FIRST_WORDS: &[&str] = &[
    "ALTER", "BEGIN", "CREATE", "DESC", "DESCRIBE", "DROP", "EXECUTE", "EXIT", "EXPLAIN", "INSERT",
    "QUIT", "RESET", "SELECT", "SET", "SHOW", "USE", "VALUES", "WITH",
];

/// Statements of Flink that Rialto refuses, and what to do instead.
const REFUSED: &[(&[&str], &str)] = &[
    (&["ANALYZE"], "statistics are not needed here"),
    (&["LOAD", "MODULE"], "all functions are built in"),
    (&["UNLOAD", "MODULE"], "all functions are built in"),
    (&["ADD", "JAR"], "there is no JVM here; see CREATE FUNCTION"),
    (&["REMOVE", "JAR"], "there is no JVM here"),
    (&["STOP", "JOB"], "use the `rialto jobs` command"),
    (&["DELETE"], "rows leave a table by its own changelog"),
    (&["UPDATE"], "rows change by a table's own changelog"),
    (&["MERGE"], "write the query that gives the merged rows"),
    (&["TRUNCATE"], "use INSERT OVERWRITE"),
    (&["CALL"], "there are no procedures"),
    (&["REFRESH"], "a materialized view is always fresh"),
    (&["COMPILE", "PLAN"], "plans are made when a statement runs"),
    (&["COMPILE", "AND"], "plans are made when a statement runs"),
    (&["EXECUTE", "PLAN"], "plans are made when a statement runs"),
    (&["GRANT"], "rights are a matter of the server"),
    (&["REVOKE"], "rights are a matter of the server"),
];

/// Reads one statement; the methods of the families stand in their own files.
pub struct StatementParser<'a> {
    pub(super) p: Parser<'a>,
    pub(super) source: &'a Source<'a>,
    pub(super) hints: &'a Hints,
    /// The statement's tokens once more, for a second look after an error.
    pub(super) tokens: StatementTokens,
}

impl<'a> StatementParser<'a> {
    /// A parser at the first token.
    pub fn new(source: &'a Source<'a>, hints: &'a Hints, tokens: StatementTokens) -> Self {
        let p = Parser::new(&DIALECT)
            .with_recursion_limit(RECURSION_DEPTH_MAX)
            .with_tokens_with_locations(tokens.clone());
        StatementParser { p, source, hints, tokens }
    }

    /// The statement and nothing behind it.
    pub fn whole_statement(&mut self) -> Parsed<ParsedStatement> {
        let parsed = self.statement()?;
        self.finish()?;
        Ok(parsed)
    }

    /// Says so when something is left.
    pub fn finish(&mut self) -> Parsed<()> {
        match &self.p.peek_token_ref().token {
            Token::EOF => Ok(()),
            Token::Word(w) if w.quote_style.is_none() && is_reserved(&w.value) => {
                let span = token_span(self.p.peek_token_ref());
                let what = "the end of the statement";
                Err(refuse(reserved_error(&w.value, what).with_span(span)))
            }
            _ => expected(&self.p, "the end of the statement"),
        }
    }

    /// A statement, with its text.
    pub fn statement(&mut self) -> Parsed<ParsedStatement> {
        let start = self.start();
        let statement = self.by_first_word()?;
        let (text, span) = self.since(start);
        Ok(ParsedStatement { statement, text, span })
    }

    fn by_first_word(&mut self) -> Parsed<Statement> {
        let token = self.p.peek_token_ref();
        let first = match &token.token {
            Token::Word(w) if w.quote_style.is_none() => w.value.to_ascii_uppercase(),
            Token::LParen => return self.query().map(Statement::Query),
            _ => return expected(&self.p, "a statement"),
        };
        match first.as_str() {
            "SELECT" | "WITH" | "VALUES" | "TABLE" => self.query().map(Statement::Query),
            "INSERT" => self.insert().map(Statement::Insert),
            "EXECUTE" if peek_words(&self.p, &["EXECUTE", "STATEMENT"]) => self.statement_set(),
            "BEGIN" => self.statement_set(),
            "EXECUTE" if self.executes_directly() => {
                self.p.advance_token();
                self.by_first_word()
            }
            "EXPLAIN" => self.explain(),
            "CREATE" => self.create(),
            "REPLACE" => self.replace_table(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "USE" => self.use_statement(),
            "SET" => self.set(),
            "RESET" => self.reset(),
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" => self.describe(),
            "QUIT" | "EXIT" => {
                self.p.advance_token();
                Ok(Statement::Quit)
            }
            _ => Err(self.unknown_statement(&first)),
        }
    }

    /// `EXECUTE SELECT …`, `EXECUTE INSERT …` say the same without `EXECUTE`.
    fn executes_directly(&self) -> bool {
        ["SELECT", "WITH", "VALUES", "INSERT"]
            .iter()
            .any(|word| peek_words(&self.p, &["EXECUTE", word]))
    }

    fn unknown_statement(&self, first: &str) -> sqlparser::parser::ParserError {
        let span = token_span(self.p.peek_token_ref());
        if let Some((words, hint)) = REFUSED.iter().find(|(w, _)| peek_words(&self.p, w)) {
            let error = SqlError::not_supported(words.join(" ")).with_span(span);
            return refuse(error.with_hint(*hint));
        }
        let error = SqlError::new(format!("no statement begins with {first}")).with_span(span);
        refuse(match nearest(first, FIRST_WORDS.iter().copied()) {
            Some(word) => error.with_hint(format!("did you mean {word}?")),
            None => error.with_hint("statements begin with SELECT, INSERT, CREATE, SHOW, SET, …"),
        })
    }

    /// Where the next token starts.
    pub(super) fn start(&self) -> Location {
        self.p.peek_token_ref().span.start
    }

    /// The text from `start` to the last token that was taken, and its place.
    pub(super) fn since(&self, start: Location) -> (String, Span) {
        let end = self.p.get_current_token().span.end;
        let text = self.source.slice(start, end).to_string();
        let position = |l: Location| crate::error::Position { line: l.line, column: l.column };
        (text, Span { start: position(start), end: position(end) })
    }

    /// An expression with its text.
    pub(super) fn expression(&mut self) -> Parsed<ExprText> {
        let start = self.start();
        let mut expr = self.p.parse_expr()?;
        canonical::canonicalize_expr(&mut expr, self.hints).map_err(refuse)?;
        let (text, span) = self.since(start);
        Ok(ExprText { expr, text, span })
    }

    /// A name of one to three parts.
    pub(super) fn name(&mut self, what: &str) -> Parsed<QualifiedName> {
        let name = self.name_with_hint(what)?;
        if Hints::marked(name.object()).is_some() {
            let error = SqlError::new("a hint has no meaning here").with_span(name.span);
            let hint = "hints stand behind SELECT, or behind a table that is read or written";
            return Err(refuse(error.with_hint(hint)));
        }
        Ok(name)
    }

    /// A name, whose last part may be the marker of a hint.
    pub(super) fn name_with_hint(&mut self, what: &str) -> Parsed<QualifiedName> {
        let (first, span) = identifier(&mut self.p, what)?;
        let mut name = QualifiedName { parts: vec![first], span };
        while self.p.consume_token(&Token::Period) {
            let (part, end) = identifier(&mut self.p, what)?;
            name.parts.push(part);
            name.span = name.span.zip(end).map(|(a, b)| a.union(b));
        }
        let marks = usize::from(Hints::marked(name.object()).is_some());
        if name.parts.len() > 3 + marks {
            let error = SqlError::new(format!("the name {name} has more than three parts"))
                .with_span(name.span)
                .with_hint("a full name is catalog.database.object");
            return Err(refuse(error));
        }
        Ok(name)
    }

    /// `IF NOT EXISTS`.
    pub(super) fn if_not_exists(&mut self) -> Parsed<bool> {
        if !eat_word(&mut self.p, "IF") {
            return Ok(false);
        }
        expect_words(&mut self.p, &["NOT", "EXISTS"])?;
        Ok(true)
    }

    /// `IF EXISTS`.
    pub(super) fn if_exists(&mut self) -> bool {
        eat_words(&mut self.p, &["IF", "EXISTS"])
    }

    /// `COMMENT 'text'`.
    pub(super) fn comment(&mut self) -> Parsed<Option<String>> {
        match eat_word(&mut self.p, "COMMENT") {
            true => string_literal(&mut self.p, "the comment").map(Some),
            false => Ok(None),
        }
    }

    /// `WITH ('key' = 'value', …)`.
    pub(super) fn with_options(&mut self) -> Parsed<Options> {
        match eat_word(&mut self.p, "WITH") {
            true => self.option_list(),
            false => Ok(Options::new()),
        }
    }

    /// `('key' = 'value', …)`.
    pub(super) fn option_list(&mut self) -> Parsed<Options> {
        let mut options = Options::new();
        expect(&mut self.p, &Token::LParen)?;
        if self.p.consume_token(&Token::RParen) {
            return Ok(options);
        }
        loop {
            let span = token_span(self.p.peek_token_ref());
            let key = string_literal(&mut self.p, "an option's name")?;
            if !self.p.consume_token(&Token::Eq) {
                return expected(&self.p, "'=' and the option's value");
            }
            let value = string_literal(&mut self.p, "the option's value")?;
            if options.get(&key).is_some() {
                let error = SqlError::new(format!("the option '{key}' is given twice"));
                return Err(refuse(error.with_span(span)));
            }
            options.set(key, value, span);
            if !self.p.consume_token(&Token::Comma) {
                break;
            }
        }
        match self.p.consume_token(&Token::RParen) {
            true => Ok(options),
            false => expected(&self.p, "',' or ')'"),
        }
    }

    /// `PRIMARY KEY (…) NOT ENFORCED`, its name already read.
    pub(super) fn primary_key(&mut self, name: Option<String>) -> Parsed<PrimaryKey> {
        let start = self.start();
        expect_words(&mut self.p, &["PRIMARY", "KEY"])?;
        let columns = name_list(&mut self.p, "a column name")?;
        if let Some(twice) = columns.iter().enumerate().find(|(i, c)| columns[..*i].contains(c)) {
            let error = SqlError::new(format!("the primary key names '{}' twice", twice.1));
            return Err(refuse(error.with_span(self.since(start).1)));
        }
        self.not_enforced()?;
        Ok(PrimaryKey { name, columns, span: Some(self.since(start).1) })
    }

    /// Flink checks no key, so a key says that nobody does.
    pub(super) fn not_enforced(&mut self) -> Parsed<()> {
        if eat_words(&mut self.p, &["NOT", "ENFORCED"]) {
            return Ok(());
        }
        let error = expected_error(&self.p, "NOT ENFORCED behind PRIMARY KEY");
        Err(refuse(error.with_hint(
            "the key is a promise about the data that is not checked: PRIMARY KEY (…) NOT ENFORCED",
        )))
    }

    /// Columns with types only: `(a INT, b STRING COMMENT '…')`.
    pub(super) fn typed_columns(&mut self) -> Parsed<Vec<ColumnDef>> {
        let columns = parenthesized(&mut self.p, |p| {
            let (name, span) = identifier(p, "a column name")?;
            let data_type = Some(super::data_type::parse_type(p)?);
            let comment = match eat_word(p, "COMMENT") {
                true => Some(string_literal(p, "the comment")?),
                false => None,
            };
            let kind = super::ast::ColumnKind::Physical;
            Ok(ColumnDef { name, data_type, kind, comment, span })
        })?;
        refuse_twice(&columns)?;
        Ok(columns)
    }
}

/// Refuses a column name that stands twice.
pub fn refuse_twice(columns: &[ColumnDef]) -> Parsed<()> {
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|c| c.name == column.name) {
            let error = SqlError::new(format!("the column '{}' is declared twice", column.name));
            return Err(refuse(error.with_span(column.span)));
        }
    }
    Ok(())
}
