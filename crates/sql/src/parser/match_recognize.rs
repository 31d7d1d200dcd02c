//! What sqlparser's grammar of `MATCH_RECOGNIZE` has no place for, prepared on the tokens.
//!
//! - `AFTER MATCH SKIP TO v` becomes `AFTER MATCH SKIP TO LAST v`
//! - `WITHIN` behind `PATTERN` becomes a first symbol of `DEFINE` named `$WITHIN`
//! - a query in parentheses, `(SELECT …) MATCH_RECOGNIZE (…)`, becomes the argument of a table
//!   function `$QUERY`, since the clause is read behind a table's name only

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, ObjectName, TableFactor};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::cursor::word_is;
use super::lexer::{StatementTokens, closing};
use crate::error::{Result, Span, SqlError};

/// The first symbol of a `MATCH_RECOGNIZE` that carries its `WITHIN` interval.
pub const WITHIN_SYMBOL: &str = "$WITHIN";
/// The table function that stands around a query.
const QUERY_FUNCTION: &str = "$QUERY";

/// Puts every `MATCH_RECOGNIZE` of a statement into the form that sqlparser reads.
pub fn prepare(tokens: StatementTokens) -> Result<StatementTokens> {
    if find_word(&tokens, 0, "MATCH_RECOGNIZE").is_none() {
        return Ok(tokens);
    }
    move_within(name_last(wrap_queries(tokens)))
}

/// `AFTER MATCH SKIP TO v` means the last row of `v`.
fn name_last(tokens: StatementTokens) -> StatementTokens {
    const SKIP: [&str; 4] = ["AFTER", "MATCH", "SKIP", "TO"];
    let mut named = StatementTokens::with_capacity(tokens.len() + 1);
    for token in tokens {
        let to_variable = matches!(token.token, Token::Word(_))
            && !["NEXT", "FIRST", "LAST"].iter().any(|word| word_is(&token.token, word))
            && named.len() >= SKIP.len()
            && named[named.len() - SKIP.len()..]
                .iter()
                .zip(SKIP)
                .all(|(before, word)| word_is(&before.token, word));
        if to_variable {
            named.push(TokenWithSpan { token: Token::make_keyword("LAST"), span: token.span });
        }
        named.push(token);
    }
    named
}

/// `(SELECT …) MATCH_RECOGNIZE` becomes `` `$QUERY`((SELECT …)) MATCH_RECOGNIZE ``.
fn wrap_queries(tokens: StatementTokens) -> StatementTokens {
    let mut opened = Vec::new();
    let (mut opens, mut closes) = (Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => opened.push(at),
            Token::RParen => {
                let Some(open) = opened.pop() else { continue };
                let is = |at: usize, words: &[&str]| {
                    let token = tokens.get(at).map(|t| &t.token);
                    token.is_some_and(|t| words.iter().any(|word| word_is(t, word)))
                };
                if is(at + 1, &["MATCH_RECOGNIZE"]) && is(open + 1, &["SELECT", "WITH"]) {
                    opens.push(open);
                    closes.push(at);
                }
            }
            _ => {}
        }
    }
    if opens.is_empty() {
        return tokens;
    }
    opens.sort_unstable();
    closes.sort_unstable();
    let (mut opens, mut closes) = (opens.into_iter().peekable(), closes.into_iter().peekable());
    let mut wrapped = Vec::with_capacity(tokens.len() + 3 * opens.len());
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        let placed = |token| TokenWithSpan { token, span };
        if opens.next_if_eq(&at).is_some() {
            wrapped.push(placed(Token::Word(quoted(QUERY_FUNCTION))));
            wrapped.push(placed(Token::LParen));
        }
        wrapped.push(token);
        if closes.next_if_eq(&at).is_some() {
            wrapped.push(placed(Token::RParen));
        }
    }
    wrapped
}

/// Takes the function `$QUERY` off a query again.
pub fn unwrap_query(factor: &mut TableFactor) {
    let TableFactor::Table { name, args: Some(args), .. } = factor else { return };
    if !is_query_function(name) {
        return;
    }
    let query = match args.args.pop() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))) => query,
        other => return args.args.extend(other),
    };
    *factor = TableFactor::Derived { lateral: false, subquery: query, alias: None, sample: None };
}

fn is_query_function(name: &ObjectName) -> bool {
    match name.0.as_slice() {
        [part] => part.as_ident().is_some_and(|ident| ident.value == QUERY_FUNCTION),
        _ => false,
    }
}

fn quoted(name: &str) -> Word {
    Word { value: name.into(), quote_style: Some('`'), keyword: Keyword::NoKeyword }
}

/// `PATTERN (…) WITHIN interval DEFINE …` becomes
/// ``PATTERN (…) DEFINE `$WITHIN` AS interval, …``.
fn move_within(mut tokens: StatementTokens) -> Result<StatementTokens> {
    let mut from = 0;
    while let Some(at) = find_word(&tokens, from, "MATCH_RECOGNIZE") {
        from = at + 1;
        let Some(pattern) = find_word(&tokens, from, "PATTERN") else {
            continue;
        };
        let Some(close) = closing(&tokens, pattern + 1) else {
            continue;
        };
        let within = close + 1;
        if !tokens.get(within).is_some_and(|t| word_is(&t.token, "WITHIN")) {
            continue;
        }
        let span = Span::from_sqlparser(tokens[within].span);
        let Some(define) = find_word(&tokens, within, "DEFINE") else {
            return Err(
                SqlError::new("MATCH_RECOGNIZE has no DEFINE behind WITHIN").with_span(span)
            );
        };
        let place = tokens[within].span;
        let interval: Vec<_> = tokens.drain(within..define).skip(1).collect();
        let at = |token| TokenWithSpan { token, span: place };
        let symbol = Token::Word(quoted(WITHIN_SYMBOL));
        let mut moved = vec![at(symbol), at(Token::make_keyword("AS"))];
        moved.extend(interval);
        moved.push(at(Token::Comma));
        // DEFINE has slid to where WITHIN stood.
        tokens.splice(within + 1..within + 1, moved);
    }
    Ok(tokens)
}

fn find_word(tokens: &[TokenWithSpan], from: usize, word: &str) -> Option<usize> {
    (from..tokens.len()).find(|i| word_is(&tokens[*i].token, word))
}
