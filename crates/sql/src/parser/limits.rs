//! Limits on what is parsed, checked on tokens before any tree is built.
//!
//! A tree is as deep as its longest chain: `a + b + c` leans left, one level a term. Cloning,
//! comparing and dropping such a tree recurses in code that is not ours, so the depth is bounded
//! here, where a clear message is still possible. Chains of `AND` and `OR` are balanced afterwards
//! (see `canonical`), which is why they may be longer.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Result, Span, SqlError};

/// Largest text that is parsed at once.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most tokens of a statement.
pub const STATEMENT_TOKENS_MAX: usize = 400_000;
/// Deepest nesting of parentheses, brackets and `CASE`.
pub const NESTING_DEPTH_MAX: usize = 100;
/// Most operators of one expression, between two commas or clauses.
pub const EXPRESSION_OPERATORS_MAX: usize = 512;
/// Most `AND` and `OR` of one expression.
pub const EXPRESSION_CONNECTIVES_MAX: usize = 4_096;
/// Most `UNION`, `INTERSECT`, `EXCEPT` side by side.
pub const SET_OPERATIONS_MAX: usize = 512;
/// Most joins of one `FROM`.
pub const JOINS_MAX: usize = 256;
/// How often the parser may call itself; far above what the nesting allows in good text.
pub const RECURSION_DEPTH_MAX: usize = 1_024;

/// Refuses a text that is too large.
pub fn check_text(text: &str) -> Result<()> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(SqlError::new(format!(
        "the SQL text has {} bytes, more than the limit of {TEXT_BYTES_MAX} bytes",
        text.len()
    ))
    .with_hint("split it into several files; rows belong in a table, not in a statement"))
}

/// What has been counted on one level of parentheses.
#[derive(Default, Clone, Copy)]
struct Level {
    operators: usize,
    connectives: usize,
    set_operations: usize,
    joins: usize,
}

/// Refuses a statement that is too long, too deep or too wide to be planned.
pub fn check_statement(tokens: &[TokenWithSpan]) -> Result<()> {
    if let Some(token) = tokens.get(STATEMENT_TOKENS_MAX) {
        return Err(too_many(
            "the statement has",
            STATEMENT_TOKENS_MAX,
            "tokens",
            token,
        ));
    }
    let mut levels = vec![Level::default()];
    for token in tokens {
        let opens = match &token.token {
            Token::LParen | Token::LBracket => true,
            Token::Word(w) => w.quote_style.is_none() && w.keyword == Keyword::CASE,
            _ => false,
        };
        if opens {
            levels.push(Level::default());
            if levels.len() > NESTING_DEPTH_MAX {
                return Err(
                    too_many("this is nested", NESTING_DEPTH_MAX, "levels deep", token)
                        .with_hint("name the inner parts in a WITH clause or in views"),
                );
            }
            continue;
        }
        let closes = match &token.token {
            Token::RParen | Token::RBracket => true,
            Token::Word(w) => w.quote_style.is_none() && w.keyword == Keyword::END,
            _ => false,
        };
        if closes {
            if levels.len() > 1 {
                levels.pop();
            }
            continue;
        }
        if let Some(level) = levels.last_mut() {
            count(level, token)?;
        }
    }
    Ok(())
}

fn count(level: &mut Level, token: &TokenWithSpan) -> Result<()> {
    match &token.token {
        Token::Comma => {
            level.operators = 0;
            level.connectives = 0;
        }
        Token::Word(w) if w.quote_style.is_none() => return count_word(level, w.keyword, token),
        Token::Word(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::HexStringLiteral(_)
        | Token::Period
        | Token::SemiColon => {}
        _ => return count_operator(level, token),
    }
    Ok(())
}

fn count_word(level: &mut Level, keyword: Keyword, token: &TokenWithSpan) -> Result<()> {
    match keyword {
        Keyword::AND | Keyword::OR => {
            level.operators = 0;
            level.connectives += 1;
            if level.connectives > EXPRESSION_CONNECTIVES_MAX {
                let error = too_many(
                    "this condition has",
                    EXPRESSION_CONNECTIVES_MAX,
                    "terms",
                    token,
                );
                return Err(error.with_hint("use IN (…), or join with a table of the values"));
            }
        }
        Keyword::NOT
        | Keyword::IS
        | Keyword::IN
        | Keyword::LIKE
        | Keyword::SIMILAR
        | Keyword::BETWEEN
        | Keyword::AT
        | Keyword::OVERLAPS => return count_operator(level, token),
        Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
            *level = Level {
                set_operations: level.set_operations + 1,
                ..Level::default()
            };
            if level.set_operations > SET_OPERATIONS_MAX {
                let what = "the query has";
                return Err(
                    too_many(what, SET_OPERATIONS_MAX, "set operations in a row", token)
                        .with_hint("use VALUES for rows, or split the query into views"),
                );
            }
        }
        Keyword::JOIN => {
            level.operators = 0;
            level.connectives = 0;
            level.joins += 1;
            if level.joins > JOINS_MAX {
                return Err(too_many("the query has", JOINS_MAX, "joins", token));
            }
        }
        Keyword::SELECT
        | Keyword::FROM
        | Keyword::WHERE
        | Keyword::GROUP
        | Keyword::HAVING
        | Keyword::ORDER
        | Keyword::ON
        | Keyword::WHEN
        | Keyword::THEN
        | Keyword::ELSE
        | Keyword::INSERT => {
            level.operators = 0;
            level.connectives = 0;
            if keyword == Keyword::INSERT {
                *level = Level::default();
            }
        }
        _ => {}
    }
    Ok(())
}

fn count_operator(level: &mut Level, token: &TokenWithSpan) -> Result<()> {
    level.operators += 1;
    if level.operators <= EXPRESSION_OPERATORS_MAX {
        return Ok(());
    }
    Err(too_many(
        "this expression has",
        EXPRESSION_OPERATORS_MAX,
        "operators",
        token,
    )
    .with_hint("split it with parentheses or a WITH clause"))
}

fn too_many(what: &str, limit: usize, unit: &str, token: &TokenWithSpan) -> SqlError {
    SqlError::new(format!("{what} more than {limit} {unit}"))
        .with_span(Span::from_sqlparser(token.span))
}
