//! The SQL/JSON functions, whose clauses become plain arguments.
//!
//! | written | canonical |
//! |---|---|
//! | `JSON_VALUE(i, p RETURNING t DEFAULT d ON EMPTY)` | `(i, p, 't', 'DEFAULT', d, 'NULL', …)` |
//! | `JSON_QUERY(i, p WITH WRAPPER …)` | `(i, p, '', 'UNCONDITIONAL', 'NULL', 'NULL')` |
//! | `JSON_EXISTS(i, p … ON ERROR)` | `JSON_EXISTS(i, p, 'FALSE')` |
//! | `JSON_OBJECT(KEY k VALUE v …)` | `JSON_OBJECT('NULL', k, v)` |
//! | `JSON_ARRAY(v …)` | `JSON_ARRAY('ABSENT', v)` |
//! | `JSON_OBJECTAGG(KEY k VALUE v …)` | `JSON_OBJECTAGG(k, v, 'NULL')` |
//! | `JSON_ARRAYAGG(v …)` | `JSON_ARRAYAGG(v, 'ABSENT')` |

use sqlparser::ast::{Expr, Ident, Value};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span as TokenSpan, Token};

use super::cursor::{
    Parsed, eat_word, eat_words, expect, expect_word, expect_words, expected, expected_error,
    peek_words, refuse,
};
use super::data_type::parse_type;
use super::prefix::{aggregate_tail, at_close, call, function as node, one_of, string};

/// The reader of a JSON function with clauses; `None` for any other function.
pub fn function(name: &str) -> Option<fn(&mut Parser<'_>) -> Parsed<Expr>> {
    Some(match name {
        "JSON_VALUE" => value,
        "JSON_QUERY" => query,
        "JSON_EXISTS" => exists,
        "JSON_OBJECT" => object,
        "JSON_ARRAY" => array,
        "JSON_OBJECTAGG" => object_aggregate,
        "JSON_ARRAYAGG" => array_aggregate,
        _ => return None,
    })
}

/// Takes the function's name and its opening parenthesis.
fn open(parser: &mut Parser<'_>) -> Parsed<TokenSpan> {
    let place = parser.next_token().span;
    expect(parser, &Token::LParen)?;
    Ok(place)
}

fn close(parser: &mut Parser<'_>, wanted: &str) -> Parsed<()> {
    if parser.consume_token(&Token::RParen) { Ok(()) } else { expected(parser, wanted) }
}

/// `input, path`.
fn input_and_path(parser: &mut Parser<'_>) -> Parsed<Vec<Expr>> {
    let input = parser.parse_expr()?;
    let _ = eat_words(parser, &["FORMAT", "JSON"]);
    expect(parser, &Token::Comma)?;
    Ok(vec![input, parser.parse_expr()?])
}

fn returning(parser: &mut Parser<'_>) -> Parsed<String> {
    match eat_word(parser, "RETURNING") {
        true => Ok(parse_type(parser)?.summary()),
        false => Ok(String::new()),
    }
}

fn null(place: TokenSpan) -> Expr {
    Expr::Value(Value::Null.with_span(place))
}

fn value(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let mut arguments = input_and_path(parser)?;
    arguments.push(string(returning(parser)?, place));
    let mut on_empty = ("NULL", null(place));
    let mut on_error = ("NULL", null(place));
    let mut seen = (false, false);
    while !at_close(parser) {
        let behaviour = if eat_word(parser, "DEFAULT") {
            ("DEFAULT", parser.parse_expr()?)
        } else if let Some(word) = one_of(parser, &["NULL", "ERROR"]) {
            (word, null(place))
        } else {
            return expected(parser, "RETURNING, NULL, ERROR, DEFAULT or ')' in JSON_VALUE");
        };
        match event(parser)? {
            Event::Empty if !seen.0 && !seen.1 => (seen.0, on_empty) = (true, behaviour),
            Event::Error if !seen.1 => (seen.1, on_error) = (true, behaviour),
            _ => return order_error(parser),
        }
    }
    close(parser, "')'")?;
    for (word, default) in [on_empty, on_error] {
        arguments.push(string(word, place));
        arguments.push(default);
    }
    Ok(call("JSON_VALUE", arguments, place))
}

enum Event {
    Empty,
    Error,
}

/// `ON EMPTY` or `ON ERROR`.
fn event(parser: &mut Parser<'_>) -> Parsed<Event> {
    expect_word(parser, "ON")?;
    if eat_word(parser, "EMPTY") {
        Ok(Event::Empty)
    } else if eat_word(parser, "ERROR") {
        Ok(Event::Error)
    } else {
        expected(parser, "EMPTY or ERROR")
    }
}

fn order_error<T>(parser: &Parser<'_>) -> Parsed<T> {
    Err(refuse(
        expected_error(parser, "each of ON EMPTY and ON ERROR at most once")
            .with_hint("ON EMPTY stands before ON ERROR"),
    ))
}

fn query(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let mut arguments = input_and_path(parser)?;
    arguments.push(string(returning(parser)?, place));
    let wrapper = if eat_word(parser, "WITHOUT") {
        eat_word(parser, "ARRAY");
        expect_word(parser, "WRAPPER")?;
        "WITHOUT"
    } else if eat_word(parser, "WITH") {
        let kind = one_of(parser, &["CONDITIONAL", "UNCONDITIONAL"]).unwrap_or("UNCONDITIONAL");
        eat_word(parser, "ARRAY");
        expect_word(parser, "WRAPPER")?;
        kind
    } else {
        "WITHOUT"
    };
    let (mut on_empty, mut on_error) = ("NULL", "NULL");
    let mut seen = (false, false);
    while !at_close(parser) {
        let behaviour = if eat_words(parser, &["EMPTY", "ARRAY"]) {
            "EMPTY ARRAY"
        } else if eat_words(parser, &["EMPTY", "OBJECT"]) {
            "EMPTY OBJECT"
        } else if let Some(word) = one_of(parser, &["NULL", "ERROR"]) {
            word
        } else {
            return expected(parser, "a wrapper, NULL, ERROR, EMPTY or ')' in JSON_QUERY");
        };
        match event(parser)? {
            Event::Empty if !seen.0 && !seen.1 => (seen.0, on_empty) = (true, behaviour),
            Event::Error if !seen.1 => (seen.1, on_error) = (true, behaviour),
            _ => return order_error(parser),
        }
    }
    close(parser, "')'")?;
    arguments.extend([wrapper, on_empty, on_error].map(|word| string(word, place)));
    Ok(call("JSON_QUERY", arguments, place))
}

fn exists(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let mut arguments = input_and_path(parser)?;
    let behaviour = match one_of(parser, &["TRUE", "FALSE", "UNKNOWN", "ERROR"]) {
        Some(word) => {
            expect_words(parser, &["ON", "ERROR"])?;
            word
        }
        None => "FALSE",
    };
    close(parser, "TRUE, FALSE, UNKNOWN or ERROR ON ERROR, or ')'")?;
    arguments.push(string(behaviour, place));
    Ok(call("JSON_EXISTS", arguments, place))
}

/// `[NULL|ABSENT ON NULL]`.
fn on_null(parser: &mut Parser<'_>, default: &'static str) -> &'static str {
    if eat_words(parser, &["NULL", "ON", "NULL"]) {
        "NULL"
    } else if eat_words(parser, &["ABSENT", "ON", "NULL"]) {
        "ABSENT"
    } else {
        default
    }
}

fn at_on_null(parser: &Parser<'_>) -> bool {
    peek_words(parser, &["NULL", "ON", "NULL"]) || peek_words(parser, &["ABSENT", "ON", "NULL"])
}

/// `[KEY] k VALUE v`.
fn key_and_value(parser: &mut Parser<'_>) -> Parsed<[Expr; 2]> {
    let next = parser.peek_nth_token_ref(1).token.clone();
    // KEY may be a column's name, too: `key VALUE 1`.
    if !matches!(next, Token::Period | Token::LParen) && !peek_words(parser, &["KEY", "VALUE"]) {
        eat_word(parser, "KEY");
    }
    let key = parser.parse_expr()?;
    expect_word(parser, "VALUE")?;
    let value = parser.parse_expr()?;
    let _ = eat_words(parser, &["FORMAT", "JSON"]);
    Ok([key, value])
}

fn object(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let mut pairs = Vec::new();
    if !at_close(parser) && !at_on_null(parser) {
        loop {
            pairs.extend(key_and_value(parser)?);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let mut arguments = vec![string(on_null(parser, "NULL"), place)];
    arguments.extend(pairs);
    close(parser, "',', NULL ON NULL, ABSENT ON NULL or ')'")?;
    Ok(call("JSON_OBJECT", arguments, place))
}

fn array(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let mut items = Vec::new();
    if !at_close(parser) && !at_on_null(parser) {
        loop {
            items.push(parser.parse_expr()?);
            let _ = eat_words(parser, &["FORMAT", "JSON"]);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let mut arguments = vec![string(on_null(parser, "ABSENT"), place)];
    arguments.extend(items);
    close(parser, "',', NULL ON NULL, ABSENT ON NULL or ')'")?;
    Ok(call("JSON_ARRAY", arguments, place))
}

fn object_aggregate(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let mut arguments = Vec::from(key_and_value(parser)?);
    arguments.push(string(on_null(parser, "NULL"), place));
    close(parser, "NULL ON NULL, ABSENT ON NULL or ')'")?;
    aggregate_tail(parser, node(Ident::with_span(place, "JSON_OBJECTAGG"), arguments))
}

fn array_aggregate(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = open(parser)?;
    let item = parser.parse_expr()?;
    let arguments = vec![item, string(on_null(parser, "ABSENT"), place)];
    close(parser, "NULL ON NULL, ABSENT ON NULL or ')'")?;
    aggregate_tail(parser, node(Ident::with_span(place, "JSON_ARRAYAGG"), arguments))
}
