//! From text to the tokens of single statements.
//!
//! Besides cutting the file at its semicolons, this step prepares what sqlparser's grammar has no
//! place for: hint comments are taken out (a hint behind `SELECT` goes into a list, a hint behind
//! a table leaves a marker in the table's name), and `MATCH_RECOGNIZE` is put into a form that it
//! reads (see `match_recognize`). Whitespace and comments are dropped; every token keeps its place.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use super::ast::{HintArgument, Options, QueryHint};
use super::cursor::{from_parser_error, word_is};
use super::dialect::FlinkDialect;
use super::limits;
use super::match_recognize;
use super::source::Source;
use crate::error::{Result, Span, SqlError};

/// A table name's last part that stands for a hint; its number follows.
const HINT_MARK: &str = "$hint";

/// The tokens of one statement, without its semicolon; never empty.
pub type StatementTokens = Vec<TokenWithSpan>;

/// The hints of a file.
#[derive(Debug, Default)]
pub struct Hints {
    /// Behind `SELECT`, in order.
    pub query: Vec<QueryHint>,
    /// `OPTIONS(…)` behind a table's name.
    pub table: Vec<(Options, Option<Span>)>,
}

impl Hints {
    /// The number of the table hint that a name's part stands for.
    pub fn marked(part: &str) -> Option<usize> {
        part.strip_prefix(HINT_MARK)?.parse().ok()
    }
}

/// Cuts a file into statements.
pub fn lex(source: &Source<'_>) -> Result<(Vec<StatementTokens>, Hints)> {
    let mut hints = Hints::default();
    let mut tokens = Vec::new();
    for token in tokenize(source.text())? {
        match &token.token {
            Token::Whitespace(Whitespace::MultiLineComment(text)) if text.starts_with('+') => {
                let text = text[1..].to_string();
                place_hint(&text, &token, &mut tokens, &mut hints)?;
            }
            Token::Whitespace(_) => {}
            Token::DoubleQuotedString(text) => return Err(double_quoted(text, &token)),
            _ => tokens.push(token),
        }
    }
    let mut statements = Vec::new();
    for statement in split(tokens) {
        limits::check_statement(&statement)?;
        statements.push(match_recognize::prepare(statement)?);
    }
    Ok((statements, hints))
}

/// All tokens of a text, with their places.
pub fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    Tokenizer::new(&FlinkDialect, text)
        .tokenize_with_location()
        .map_err(|e| unterminated(from_parser_error(e.into())))
}

fn unterminated(error: SqlError) -> SqlError {
    if error.message.starts_with("Unterminated string literal") {
        return SqlError { message: "this string has no closing quote".into(), ..error }
            .with_hint("a single quote inside a string is written twice: ''");
    }
    if error.message.contains("close delimiter") || error.message.contains("Expected close") {
        return SqlError { message: "this name has no closing backtick".into(), ..error };
    }
    error
}

fn double_quoted(text: &str, token: &TokenWithSpan) -> SqlError {
    SqlError::new(format!("double quotes have no meaning here: \"{text}\""))
        .with_span(Span::from_sqlparser(token.span))
        .with_hint(format!(
            "a name goes in backticks: `{text}`; a string in single quotes: '{text}'"
        ))
}

/// Cuts at semicolons; those inside a statement set belong to it.
fn split(tokens: Vec<TokenWithSpan>) -> Vec<StatementTokens> {
    let mut statements = Vec::new();
    let mut current: StatementTokens = Vec::new();
    let mut in_set = false;
    for token in tokens {
        let is_semicolon = token.token == Token::SemiColon;
        if is_semicolon && (!in_set || closes_set(&current)) {
            if !current.is_empty() {
                statements.push(std::mem::take(&mut current));
            }
            in_set = false;
            continue;
        }
        if is_semicolon && current.is_empty() {
            continue;
        }
        current.push(token);
        in_set = in_set || opens_set(&current);
    }
    if !current.is_empty() {
        statements.push(current);
    }
    statements
}

/// `… STATEMENT SET BEGIN` or `BEGIN STATEMENT SET`.
fn opens_set(tokens: &[TokenWithSpan]) -> bool {
    let ends_with = |words: &[&str]| {
        tokens.len() >= words.len()
            && tokens[tokens.len() - words.len()..]
                .iter()
                .zip(words)
                .all(|(t, w)| word_is(&t.token, w))
    };
    ends_with(&["STATEMENT", "SET", "BEGIN"])
        || (tokens.len() == 3 && ends_with(&["BEGIN", "STATEMENT", "SET"]))
}

/// `; END` or `BEGIN END`: what stands before a semicolon that ends a statement set.
fn closes_set(tokens: &[TokenWithSpan]) -> bool {
    match tokens {
        [.., before, end] if word_is(&end.token, "END") => {
            before.token == Token::SemiColon || word_is(&before.token, "BEGIN")
        }
        _ => false,
    }
}

fn place_hint(
    text: &str,
    comment: &TokenWithSpan,
    tokens: &mut Vec<TokenWithSpan>,
    hints: &mut Hints,
) -> Result<()> {
    let span = Span::from_sqlparser(comment.span);
    let parsed = parse_hints(text).map_err(|e| SqlError { span: None, ..e }.with_span(span))?;
    let last = tokens.last().map(|t| &t.token);
    if matches!(last, Some(Token::Word(w)) if is_plain(w) && w.keyword == Keyword::SELECT) {
        let placed = parsed
            .into_iter()
            .filter_map(|(name, arguments)| Some(QueryHint { name, arguments, span: span? }));
        hints.query.extend(placed);
        return Ok(());
    }
    if !matches!(last, Some(Token::Word(_))) {
        return Err(
            SqlError::new("a hint stands behind SELECT or behind a table's name").with_span(span)
        );
    }
    let mut options = Options::new();
    for (name, arguments) in parsed {
        if name != "OPTIONS" {
            return Err(SqlError::new(format!("{name} is not a hint for a table"))
                .with_span(span)
                .with_hint(
                    "behind a table stands OPTIONS('key' = 'value'); other hints go behind SELECT",
                ));
        }
        for argument in arguments {
            let Some(value) = argument.value else {
                return Err(SqlError::new(format!("the option '{}' has no value", argument.key))
                    .with_span(span)
                    .with_hint("write OPTIONS('key' = 'value')"));
            };
            options.set(argument.key, value, span);
        }
    }
    let marker = Word {
        value: format!("{HINT_MARK}{}", hints.table.len()),
        quote_style: Some('`'),
        keyword: Keyword::NoKeyword,
    };
    for token in [Token::Period, Token::Word(marker)] {
        tokens.push(TokenWithSpan { token, span: comment.span });
    }
    hints.table.push((options, span));
    Ok(())
}

fn is_plain(word: &Word) -> bool {
    word.quote_style.is_none()
}

/// `NAME(key = value, …) [,] NAME(…)`.
fn parse_hints(text: &str) -> Result<Vec<(String, Vec<HintArgument>)>> {
    let tokens: Vec<Token> = tokenize(text)?
        .into_iter()
        .map(|t| t.token)
        .filter(|t| !matches!(t, Token::Whitespace(_)))
        .collect();
    let bad = || {
        SqlError::new("this hint cannot be read").with_hint("write /*+ NAME('key' = 'value', …) */")
    };
    let mut hints = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        let Token::Word(name) = first else {
            return Err(bad());
        };
        let mut arguments = Vec::new();
        rest = tail;
        if let Some((Token::LParen, tail)) = rest.split_first() {
            let end = tail.iter().position(|t| *t == Token::RParen).ok_or_else(bad)?;
            for argument in tail[..end].split(|t| *t == Token::Comma) {
                arguments.push(hint_argument(argument).ok_or_else(bad)?);
            }
            rest = &tail[end + 1..];
        }
        hints.push((name.value.to_ascii_uppercase(), arguments));
        if let Some((Token::Comma, tail)) = rest.split_first() {
            rest = tail;
        }
    }
    Ok(hints)
}

fn hint_argument(tokens: &[Token]) -> Option<HintArgument> {
    let text = |tokens: &[Token]| -> Option<String> {
        match tokens {
            [Token::SingleQuotedString(text) | Token::Number(text, _)] => Some(text.clone()),
            // A table may be named by several parts: a.b.c.
            _ => tokens.iter().map(name_part).collect(),
        }
    };
    match tokens.iter().position(|t| *t == Token::Eq) {
        Some(at) => {
            Some(HintArgument { key: text(&tokens[..at])?, value: text(&tokens[at + 1..]) })
        }
        None if tokens.is_empty() => None,
        None => Some(HintArgument { key: text(tokens)?, value: None }),
    }
}

fn name_part(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.value.clone()),
        Token::Period => Some(".".to_string()),
        _ => None,
    }
}

/// The closing parenthesis of the opening one at `open`.
pub fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    if tokens.get(open)?.token != Token::LParen {
        return None;
    }
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}
