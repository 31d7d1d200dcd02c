//! Operators between two expressions that sqlparser lacks or reads otherwise than Flink.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span as TokenSpan, Token};

use super::cursor::{
    Parsed, eat_word, eat_words, expect_word, expected_error, peek_words, refuse, token_span,
};
use super::dialect::FlinkDialect;
use super::prefix::{call, one_of, string};
use crate::error::SqlError;

/// Reads an operator that is ours; `None` leaves it to sqlparser.
pub fn parse(
    parser: &mut Parser<'_>,
    left: &Expr,
    _precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    let token = parser.peek_token_ref();
    let place = token.span;
    match &token.token {
        Token::DoubleColon => Some(Err(foreign(parser, "::", "CAST(x AS type)"))),
        Token::DoubleEq => Some(Err(foreign(parser, "==", "="))),
        Token::Word(_) => word_operator(parser, left, place).transpose(),
        _ => None,
    }
}

fn foreign(parser: &Parser<'_>, operator: &str, instead: &str) -> ParserError {
    refuse(
        SqlError::new(format!("there is no operator {operator}"))
            .with_span(token_span(parser.peek_token_ref()))
            .with_hint(format!("use {instead}")),
    )
}

fn word_operator(parser: &mut Parser<'_>, left: &Expr, place: TokenSpan) -> Parsed<Option<Expr>> {
    let rest_of_is = || FlinkDialect.prec_value(Precedence::Is);
    Ok(if at_interval_unit(parser) {
        Some(difference(parser, left)?)
    } else if eat_words(parser, &["IS", "JSON"]) {
        Some(is_json(parser, left, place))
    } else if eat_words(parser, &["IS", "NOT", "JSON"]) {
        Some(negate(is_json(parser, left, place)))
    } else if eat_words(parser, &["IS", "DISTINCT", "FROM"]) {
        // sqlparser reads everything up to the end of the condition as the right side.
        let right = parser.parse_subexpr(rest_of_is())?;
        Some(Expr::IsDistinctFrom(Box::new(left.clone()), Box::new(right)))
    } else if eat_words(parser, &["IS", "NOT", "DISTINCT", "FROM"]) {
        let right = parser.parse_subexpr(rest_of_is())?;
        Some(Expr::IsNotDistinctFrom(Box::new(left.clone()), Box::new(right)))
    } else if peek_words(parser, &["OVERLAPS"]) {
        Some(overlaps(parser, left, place)?)
    } else if eat_words(parser, &["BETWEEN", "SYMMETRIC"]) {
        Some(between_symmetric(parser, left, place)?)
    } else if eat_words(parser, &["NOT", "BETWEEN", "SYMMETRIC"]) {
        Some(negate(between_symmetric(parser, left, place)?))
    } else if eat_words(parser, &["BETWEEN", "ASYMMETRIC"]) {
        Some(parser.parse_between(left.clone(), false)?)
    } else if eat_words(parser, &["NOT", "BETWEEN", "ASYMMETRIC"]) {
        Some(parser.parse_between(left.clone(), true)?)
    } else {
        None
    })
}

/// Whether an interval's unit stands behind a parenthesis: `(a - b) DAY`.
pub fn at_interval_unit(parser: &Parser<'_>) -> bool {
    let units = ["DAY", "HOUR", "MINUTE", "SECOND", "YEAR", "MONTH"];
    parser.get_current_token().token == Token::RParen
        && units.iter().any(|unit| peek_words(parser, &[unit]))
}

/// The units of `(a - b) DAY TO SECOND`, which a difference of moments has anyway.
fn difference(parser: &mut Parser<'_>, left: &Expr) -> Parsed<Expr> {
    let error = expected_error(parser, "the end of the expression");
    let minus = |e: &Expr| matches!(e, Expr::BinaryOp { op: BinaryOperator::Minus, .. });
    if !matches!(left, Expr::Nested(inner) if minus(inner)) {
        return Err(refuse(error));
    }
    let days = one_of(parser, &["DAY", "HOUR", "MINUTE", "SECOND"]).is_some();
    if days && eat_word(parser, "TO") {
        let _ = one_of(parser, &["HOUR", "MINUTE", "SECOND"]);
    }
    match days {
        true => Ok(left.clone()),
        false => Err(refuse(error.with_hint(
            "a difference in years or months is not supported; use TIMESTAMPDIFF(MONTH, b, a)",
        ))),
    }
}

fn negate(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

fn is_json(parser: &mut Parser<'_>, left: &Expr, place: TokenSpan) -> Expr {
    let kind = one_of(parser, &["VALUE", "SCALAR", "ARRAY", "OBJECT"]).unwrap_or("VALUE");
    call("IS_JSON", vec![left.clone(), string(kind, place)], place)
}

fn between_symmetric(parser: &mut Parser<'_>, left: &Expr, place: TokenSpan) -> Parsed<Expr> {
    let precedence = FlinkDialect.prec_value(Precedence::Between);
    let low = parser.parse_subexpr(precedence)?;
    expect_word(parser, "AND")?;
    let high = parser.parse_subexpr(precedence)?;
    Ok(call("BETWEEN_SYMMETRIC", vec![left.clone(), low, high], place))
}

fn overlaps(parser: &mut Parser<'_>, left: &Expr, place: TokenSpan) -> Parsed<Expr> {
    let error = expected_error(parser, "OVERLAPS between two pairs")
        .with_hint("write (from1, to1) OVERLAPS (from2, to2)");
    eat_word(parser, "OVERLAPS");
    let right = parser.parse_subexpr(FlinkDialect.prec_value(Precedence::Between))?;
    match (left, right) {
        (Expr::Tuple(l), Expr::Tuple(r)) if l.len() == 2 && r.len() == 2 => {
            Ok(call("OVERLAPS", l.iter().cloned().chain(r).collect(), place))
        }
        _ => Err(refuse(error)),
    }
}
