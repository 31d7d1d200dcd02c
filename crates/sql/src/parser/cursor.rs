//! Small steps over sqlparser's `Parser`, and how its errors become ours.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::reserved::{is_reserved, reserved_error};
use crate::error::{Position, Span, SqlError};

/// What a parsing step answers; the error is [`refuse`]d or sqlparser's own.
pub type Parsed<T> = std::result::Result<T, ParserError>;

/// Sets our own errors apart from sqlparser's while they travel through its code, which knows
/// texts only.
const MARK: char = '\u{1}';

/// Packs an error of ours so that it can travel through sqlparser.
pub fn refuse(error: SqlError) -> ParserError {
    let place = error.span.map_or(String::new(), |s| {
        format!("{} {} {} {}", s.start.line, s.start.column, s.end.line, s.end.column)
    });
    let parts = [
        String::new(),
        error.message,
        error.detail.unwrap_or_default(),
        error.hint.unwrap_or_default(),
        place,
    ];
    ParserError::ParserError(parts.join(&MARK.to_string()))
}

/// An error from sqlparser, or one of ours that travelled through it.
pub fn from_parser_error(error: ParserError) -> SqlError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return SqlError::new("the statement is nested too deeply")
                .with_hint("name the inner parts in a WITH clause or in views");
        }
    };
    if text.starts_with(MARK) { unpack(&text) } else { foreign(&text) }
}

fn unpack(text: &str) -> SqlError {
    let mut parts = text.split(MARK).skip(1).map(str::to_string);
    let mut error = SqlError::new(parts.next().unwrap_or_default());
    error.detail = parts.next().filter(|s| !s.is_empty());
    error.hint = parts.next().filter(|s| !s.is_empty());
    let place = parts.next().unwrap_or_default();
    let numbers: Vec<u64> = place.split(' ').filter_map(|n| n.parse().ok()).collect();
    if let [line, column, end_line, end_column] = numbers[..] {
        error.span = Some(Span {
            start: Position { line, column },
            end: Position { line: end_line, column: end_column },
        });
    }
    error
}

/// sqlparser's "Expected: X, found: Y at Line: 1, Column: 2".
fn foreign(text: &str) -> SqlError {
    let (message, span) = match text.rfind(" at Line: ") {
        Some(at) => (&text[..at], place_of(&text[at..])),
        None => (text, None),
    };
    let message = match message.strip_prefix("Expected: ").and_then(|m| m.split_once(", found: ")) {
        Some((wanted, found)) => format!("expected {wanted}, found {}", found_text(found)),
        None => message.trim_end_matches([',', ' ']).to_string(),
    };
    let mut error = SqlError::new(message);
    error.span = span;
    error
}

fn place_of(text: &str) -> Option<Span> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    let (line, column) = (numbers.next()?, numbers.next()?);
    (line > 0).then(|| Span::at(Position { line, column }))
}

fn found_text(found: &str) -> String {
    match found {
        "EOF" => "the end of the statement".to_string(),
        other => format!("'{other}'"),
    }
}

/// "expected X, found Y" at the next token.
pub fn expected<T>(parser: &Parser<'_>, wanted: &str) -> Parsed<T> {
    Err(refuse(expected_error(parser, wanted)))
}

/// The error of [`expected`], to be given a hint.
pub fn expected_error(parser: &Parser<'_>, wanted: &str) -> SqlError {
    let token = parser.peek_token_ref();
    let found = found_text(&token.token.to_string());
    SqlError::new(format!("expected {wanted}, found {found}")).with_span(token_span(token))
}

/// The place of a token; `None` at the end of the text.
pub fn token_span(token: &TokenWithSpan) -> Option<Span> {
    Span::from_sqlparser(token.span)
}

/// Whether a token is this unquoted word, in either case.
pub fn word_is(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w)
        if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// Whether the next words are these.
pub fn peek_words(parser: &Parser<'_>, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(i, w)| word_is(&parser.peek_nth_token_ref(i).token, w))
}

/// Takes the next word if it is this one.
pub fn eat_word(parser: &mut Parser<'_>, word: &str) -> bool {
    let found = word_is(&parser.peek_token_ref().token, word);
    if found {
        parser.advance_token();
    }
    found
}

/// Takes the next words if they are these, all of them or none.
pub fn eat_words(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let found = peek_words(parser, words);
    if found {
        words.iter().for_each(|_| parser.advance_token());
    }
    found
}

/// Takes this word or says that it was expected.
pub fn expect_word(parser: &mut Parser<'_>, word: &str) -> Parsed<()> {
    if eat_word(parser, word) { Ok(()) } else { expected(parser, word) }
}

/// Takes these words or says which was expected.
pub fn expect_words(parser: &mut Parser<'_>, words: &[&str]) -> Parsed<()> {
    words.iter().try_for_each(|word| expect_word(parser, word))
}

/// Takes this token or says that it was expected.
pub fn expect(parser: &mut Parser<'_>, token: &Token) -> Parsed<()> {
    if parser.consume_token(token) { Ok(()) } else { expected(parser, &format!("'{token}'")) }
}

/// An identifier with its place; a reserved word needs backticks.
pub fn identifier(parser: &mut Parser<'_>, what: &str) -> Parsed<(String, Option<Span>)> {
    let token = parser.peek_token_ref();
    let span = token_span(token);
    match &token.token {
        Token::Word(w) if w.quote_style.is_none() && is_reserved(&w.value) => {
            Err(refuse(reserved_error(&w.value, what).with_span(span)))
        }
        Token::Word(w) => {
            let name = w.value.clone();
            if name.is_empty() {
                return Err(refuse(SqlError::new("a name may not be empty").with_span(span)));
            }
            parser.advance_token();
            Ok((name, span))
        }
        _ => expected(parser, what),
    }
}

/// A string in single quotes.
pub fn string_literal(parser: &mut Parser<'_>, what: &str) -> Parsed<String> {
    match &parser.peek_token_ref().token {
        Token::SingleQuotedString(text) | Token::UnicodeStringLiteral(text) => {
            let text = text.clone();
            parser.advance_token();
            Ok(text)
        }
        _ => expected(parser, &format!("{what} in single quotes")),
    }
}

/// A whole number without a sign.
pub fn unsigned(parser: &mut Parser<'_>, what: &str) -> Parsed<u64> {
    let number = match &parser.peek_token_ref().token {
        Token::Number(text, _) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) => {
            parser.advance_token();
            Ok(number)
        }
        None => expected(parser, what),
    }
}

/// `item, item, …` with at least one.
pub fn comma_separated<T>(
    parser: &mut Parser<'_>,
    mut item: impl FnMut(&mut Parser<'_>) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    let mut items = vec![item(parser)?];
    while parser.consume_token(&Token::Comma) {
        items.push(item(parser)?);
    }
    Ok(items)
}

/// `(item, item, …)` with at least one.
pub fn parenthesized<T>(
    parser: &mut Parser<'_>,
    item: impl FnMut(&mut Parser<'_>) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    expect(parser, &Token::LParen)?;
    let items = comma_separated(parser, item)?;
    if parser.consume_token(&Token::RParen) { Ok(items) } else { expected(parser, "',' or ')'") }
}

/// `(name, name, …)`.
pub fn name_list(parser: &mut Parser<'_>, what: &str) -> Parsed<Vec<String>> {
    parenthesized(parser, |p| identifier(p, what).map(|(name, _)| name))
}
