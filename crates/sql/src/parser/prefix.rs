//! Expressions that begin in Flink's own way: `CAST` to Flink's types, `INTERVAL`, `MAP[…]`,
//! `TABLE t`, `MODEL m`, `TIMESTAMPADD` and the JSON functions. Each becomes the canonical form
//! that the planner and the function library know.

use sqlparser::ast::{
    CastKind, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName,
    Value, WindowType,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span as TokenSpan, Token, Word};

use super::cursor::{
    Parsed, eat_word, eat_words, expect, expect_word, expected_error, refuse, string_literal,
    token_span, unsigned, word_is,
};
use super::data_type::parse_type;
use super::json;
use crate::error::{Span, SqlError};
use crate::types::TIME_PRECISION_MAX;

/// The function that a `TABLE t` argument becomes.
pub const TABLE_ARGUMENT: &str = "$TABLE";
/// The function that a `MODEL m` argument becomes.
pub const MODEL_ARGUMENT: &str = "$MODEL";

/// How far before `MODEL m` its function is looked for.
const MODEL_CALL_TOKENS_MAX: usize = 256;

/// The units of `TIMESTAMPADD` and `TIMESTAMPDIFF`.
const TIMESTAMP_UNITS: &[&str] = &[
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "MILLISECOND",
    "MICROSECOND",
    "NANOSECOND",
];

/// Reads an expression that begins in Flink's own way; `None` leaves it to sqlparser.
pub fn parse(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let Token::Word(word) = &parser.peek_token_ref().token else {
        return None;
    };
    if word.quote_style.is_some() {
        return None;
    }
    let next = &parser.peek_nth_token_ref(1).token;
    let name = word.value.to_ascii_uppercase();
    let hook: fn(&mut Parser<'_>) -> Parsed<Expr> = match (name.as_str(), next) {
        ("CAST" | "TRY_CAST", Token::LParen) => cast,
        ("SAFE_CAST", Token::LParen) => safe_cast,
        ("INTERVAL", Token::SingleQuotedString(_) | Token::Plus | Token::Minus) => interval,
        ("INTERVAL", Token::Number(..)) => unquoted_interval,
        ("MAP", Token::LBracket) => map_literal,
        ("MULTISET", Token::LBracket) => multiset_literal,
        ("TABLE", Token::LParen | Token::Word(_)) => table_argument,
        ("MODEL", Token::Word(_)) if in_model_call(parser) => model_argument,
        ("TIMESTAMPADD" | "TIMESTAMPDIFF", Token::LParen) => timestamp_arithmetic,
        ("CEILING", Token::LParen) => ceiling,
        ("UNKNOWN", after) if !matches!(after, Token::Period | Token::LParen) => unknown,
        (_, Token::LParen) if name.starts_with("JSON_") => json::function(&name)?,
        _ => return None,
    };
    Some(hook(parser))
}

/// A call of a function by one name.
pub fn call(name: &str, arguments: Vec<Expr>, span: TokenSpan) -> Expr {
    Expr::Function(function(Ident::with_span(span, name), arguments))
}

/// The node of a call.
pub fn function(name: Ident, arguments: Vec<Expr>) -> Function {
    let args = arguments.into_iter().map(FunctionArgExpr::Expr).map(FunctionArg::Unnamed);
    Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    }
}

/// A string literal.
pub fn string(text: impl Into<String>, span: TokenSpan) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).with_span(span))
}

/// The clauses that may follow an aggregate: `FILTER (WHERE …)` and `OVER …`.
pub fn aggregate_tail(parser: &mut Parser<'_>, mut function: Function) -> Parsed<Expr> {
    if eat_word(parser, "FILTER") {
        expect(parser, &Token::LParen)?;
        expect_word(parser, "WHERE")?;
        function.filter = Some(Box::new(parser.parse_expr()?));
        expect(parser, &Token::RParen)?;
    }
    if eat_word(parser, "OVER") {
        function.over = Some(if parser.consume_token(&Token::LParen) {
            WindowType::WindowSpec(parser.parse_window_spec()?)
        } else {
            WindowType::NamedWindow(parser.parse_identifier()?)
        });
    }
    Ok(Expr::Function(function))
}

fn cast(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let kind = if eat_word(parser, "CAST") {
        CastKind::Cast
    } else {
        expect_word(parser, "TRY_CAST")?;
        CastKind::TryCast
    };
    expect(parser, &Token::LParen)?;
    let expr = Box::new(parser.parse_expr()?);
    expect_word(parser, "AS")?;
    let data_type = parse_type(parser)?.to_sql_type();
    expect(parser, &Token::RParen)?;
    Ok(Expr::Cast { kind, expr, data_type, array: false, format: None })
}

/// `UNKNOWN` is a null that is a truth value.
fn unknown(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = parser.next_token().span;
    Ok(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::Null.with_span(place))),
        data_type: DataType::Boolean,
        array: false,
        format: None,
    })
}

fn safe_cast(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let span = token_span(parser.peek_token_ref());
    let error = SqlError::not_supported("SAFE_CAST").with_span(span);
    Err(refuse(error.with_hint("use TRY_CAST(x AS type), which is NULL where CAST fails")))
}

/// `INTERVAL [-]'1 02:03:04.5' DAY TO SECOND(3)`.
fn interval(parser: &mut Parser<'_>) -> Parsed<Expr> {
    expect_word(parser, "INTERVAL")?;
    let negative = parser.consume_token(&Token::Minus);
    if !negative {
        let _ = parser.consume_token(&Token::Plus);
    }
    let span = parser.peek_token_ref().span;
    let text = string_literal(parser, "the interval's value")?;
    let text = if negative { flip_sign(&text) } else { text };
    let Some(first) = interval_field(parser) else {
        return Err(refuse(
            expected_error(parser, "the interval's unit")
                .with_hint("write INTERVAL '5' MINUTE, or INTERVAL '1 12:00' DAY TO MINUTE"),
        ));
    };
    let mut interval = Interval {
        value: Box::new(string(text, span)),
        leading_field: Some(first),
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    };
    if parser.consume_token(&Token::LParen) {
        interval.leading_precision = Some(precision(parser)?);
        if parser.consume_token(&Token::Comma) {
            interval.fractional_seconds_precision = Some(precision(parser)?);
        }
        expect(parser, &Token::RParen)?;
    }
    // `FLOOR(x - INTERVAL '10' SECOND TO MINUTE)`: a unit that cannot end this interval is not its.
    if word_is(&parser.peek_token_ref().token, "TO") && spans(&interval, parser) {
        parser.advance_token();
        interval.last_field = interval_field(parser);
        if parser.consume_token(&Token::LParen) {
            interval.fractional_seconds_precision = Some(precision(parser)?);
            expect(parser, &Token::RParen)?;
        }
    }
    Ok(Expr::Interval(interval))
}

/// Whether `TO unit` comes next, with a unit that this interval can end with: a smaller one of the
/// same kind.
fn spans(interval: &Interval, parser: &Parser<'_>) -> bool {
    let Token::Word(last) = &parser.peek_nth_token_ref(1).token else { return false };
    let last = last.value.to_ascii_uppercase();
    let last = last.strip_suffix('S').unwrap_or(&last);
    let ends: &[&str] = match interval.leading_field {
        Some(DateTimeField::Year) => &["MONTH"],
        Some(DateTimeField::Day) => &["HOUR", "MINUTE", "SECOND"],
        Some(DateTimeField::Hour) => &["MINUTE", "SECOND"],
        Some(DateTimeField::Minute) => &["SECOND"],
        _ => &[],
    };
    ends.contains(&last)
}

fn flip_sign(text: &str) -> String {
    match text.trim().strip_prefix('-') {
        Some(positive) => positive.to_string(),
        None => format!("-{}", text.trim().trim_start_matches('+')),
    }
}

fn precision(parser: &mut Parser<'_>) -> Parsed<u64> {
    let number = unsigned(parser, "a precision")?;
    if number <= u64::from(TIME_PRECISION_MAX) + 1 {
        return Ok(number);
    }
    let error = SqlError::new(format!("an interval's precision of {number} is out of range"));
    Err(refuse(error.with_span(token_span(parser.get_current_token()))))
}

fn interval_field(parser: &mut Parser<'_>) -> Option<DateTimeField> {
    let Token::Word(Word { value, quote_style: None, .. }) = &parser.peek_token_ref().token else {
        return None;
    };
    let field = match value.to_ascii_uppercase().as_str() {
        "YEAR" | "YEARS" => DateTimeField::Year,
        "QUARTER" | "QUARTERS" => DateTimeField::Quarter,
        "MONTH" | "MONTHS" => DateTimeField::Month,
        "WEEK" | "WEEKS" => DateTimeField::Week(None),
        "DAY" | "DAYS" => DateTimeField::Day,
        "HOUR" | "HOURS" => DateTimeField::Hour,
        "MINUTE" | "MINUTES" => DateTimeField::Minute,
        "SECOND" | "SECONDS" => DateTimeField::Second,
        _ => return None,
    };
    parser.advance_token();
    Some(field)
}

fn unquoted_interval(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let number = parser.peek_nth_token_ref(1);
    let error = SqlError::new("an interval's value stands in single quotes")
        .with_span(token_span(number))
        .with_hint(format!("write INTERVAL '{}' and its unit", number.token));
    Err(refuse(error))
}

fn map_literal(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = parser.peek_token_ref().span;
    expect_word(parser, "MAP")?;
    let items = bracketed(parser)?;
    if items.len() % 2 != 0 {
        let error = SqlError::new("MAP has a key without a value")
            .with_span(Span::from_sqlparser(place))
            .with_hint("write MAP['key1', value1, 'key2', value2]");
        return Err(refuse(error));
    }
    Ok(call("MAP", items, place))
}

fn multiset_literal(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = parser.peek_token_ref().span;
    expect_word(parser, "MULTISET")?;
    Ok(call("MULTISET", bracketed(parser)?, place))
}

fn bracketed(parser: &mut Parser<'_>) -> Parsed<Vec<Expr>> {
    expect(parser, &Token::LBracket)?;
    let mut items = Vec::new();
    if parser.consume_token(&Token::RBracket) {
        return Ok(items);
    }
    loop {
        items.push(parser.parse_expr()?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    expect(parser, &Token::RBracket)?;
    Ok(items)
}

/// `TABLE t [PARTITION BY c | (c, d)] [ORDER BY e]`, `TABLE (query) …`: `$TABLE(t, c, d)`, with the
/// order as the call's own `ORDER BY` clause; a bare query without a partition stays a subquery.
fn table_argument(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = parser.peek_token_ref().span;
    expect_word(parser, "TABLE")?;
    let relation = if parser.consume_token(&Token::LParen) {
        let query = parser.parse_query()?;
        expect(parser, &Token::RParen)?;
        Expr::Subquery(query)
    } else {
        let mut parts: Vec<Ident> = Vec::new();
        for part in parser.parse_object_name(true)?.0 {
            parts.extend(part.as_ident().cloned());
        }
        match parts.len() {
            1 => Expr::Identifier(parts.remove(0)),
            _ => Expr::CompoundIdentifier(parts),
        }
    };
    let mut arguments = vec![relation];
    if eat_words(parser, &["PARTITION", "BY"]) {
        if parser.consume_token(&Token::LParen) {
            arguments.extend(parser.parse_comma_separated(Parser::parse_expr)?);
            expect(parser, &Token::RParen)?;
        } else {
            arguments.push(parser.parse_expr()?);
        }
    }
    let mut order = Vec::new();
    if eat_words(parser, &["ORDER", "BY"]) {
        if parser.consume_token(&Token::LParen) {
            order = parser.parse_comma_separated(Parser::parse_order_by_expr)?;
            expect(parser, &Token::RParen)?;
        } else {
            order.push(parser.parse_order_by_expr()?);
        }
    }
    if let ([Expr::Subquery(_)], true) = (&arguments[..], order.is_empty()) {
        return Ok(arguments.remove(0));
    }
    let mut function = function(Ident::with_span(place, TABLE_ARGUMENT), arguments);
    if let (FunctionArguments::List(list), false) = (&mut function.args, order.is_empty()) {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    Ok(Expr::Function(function))
}

/// Whether an argument of a function of models (`ML_PREDICT`, …) begins here: anywhere else `model`
/// is a name like others.
fn in_model_call(parser: &Parser<'_>) -> bool {
    let mut depth = 0;
    for index in (0..parser.index()).rev().take(MODEL_CALL_TOKENS_MAX) {
        match &parser.token_at(index).token {
            Token::RParen => depth += 1,
            Token::LParen if depth > 0 => depth -= 1,
            Token::LParen => {
                return (0..index)
                    .rev()
                    .map(|before| &parser.token_at(before).token)
                    .find(|token| !matches!(token, Token::Whitespace(_)))
                    .is_some_and(|token| {
                        matches!(token, Token::Word(word)
                        if word.value.to_ascii_uppercase().starts_with("ML_"))
                    });
            }
            _ => {}
        }
    }
    false
}

fn model_argument(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let place = parser.peek_token_ref().span;
    expect_word(parser, "MODEL")?;
    let mut parts: Vec<Ident> = Vec::new();
    for part in parser.parse_object_name(false)?.0 {
        parts.extend(part.as_ident().cloned());
    }
    let name = match parts.len() {
        1 => Expr::Identifier(parts.remove(0)),
        _ => Expr::CompoundIdentifier(parts),
    };
    Ok(call(MODEL_ARGUMENT, vec![name], place))
}

/// `TIMESTAMPADD(DAY, 1, x)`: the unit becomes a string.
fn timestamp_arithmetic(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let name = parser.next_token();
    expect(parser, &Token::LParen)?;
    let unit = parser.peek_token_ref();
    let place = unit.span;
    let text = match &unit.token {
        Token::Word(w) => w.value.to_ascii_uppercase(),
        Token::SingleQuotedString(text) => text.to_ascii_uppercase(),
        _ => String::new(),
    };
    let text = text.strip_prefix("SQL_TSI_").map(str::to_string).unwrap_or(text);
    if !TIMESTAMP_UNITS.contains(&text.as_str()) {
        let wanted = "a unit such as SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR";
        return Err(refuse(expected_error(parser, wanted)));
    }
    parser.advance_token();
    let mut arguments = vec![string(text, place)];
    while parser.consume_token(&Token::Comma) {
        arguments.push(parser.parse_expr()?);
    }
    expect(parser, &Token::RParen)?;
    if arguments.len() != 3 {
        let error = SqlError::new(format!("{} takes three arguments", name.token));
        return Err(refuse(error.with_span(token_span(&name)).with_hint(
            "write TIMESTAMPADD(unit, count, point) or TIMESTAMPDIFF(unit, from, to)",
        )));
    }
    Ok(call(&name.token.to_string().to_ascii_uppercase(), arguments, name.span))
}

/// `CEILING` is `CEIL` by another name.
fn ceiling(parser: &mut Parser<'_>) -> Parsed<Expr> {
    parser.advance_token();
    parser.parse_ceil_floor_expr(true)
}

/// Whether the next token is `)`.
pub fn at_close(parser: &Parser<'_>) -> bool {
    parser.peek_token_ref().token == Token::RParen
}

/// The next word in upper case, when it is one of these.
pub fn one_of(parser: &mut Parser<'_>, words: &[&'static str]) -> Option<&'static str> {
    let found = words.iter().find(|w| word_is(&parser.peek_token_ref().token, w))?;
    parser.advance_token();
    Some(found)
}
