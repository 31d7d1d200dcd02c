//! Limits on what is parsed, checked on tokens before any tree is built.
//!
//! A tree is as deep as its longest chain: `a + b + c` leans left, one level a term. Cloning,
//! comparing and dropping such a tree recurses in code that is not ours, so the depth is bounded
//! here, where a clear message is still possible. Chains of `AND` and `OR` are balanced afterwards
//! (see `canonical`), which is why they may be longer. What passes here can be parsed, copied and
//! dropped on a stack of 8 MiB, also in a build without optimisation.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Result, Span, SqlError};

/// Largest text that is parsed at once.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most tokens of a statement.
pub const STATEMENT_TOKENS_MAX: usize = 400_000;
/// Deepest nesting of parentheses, brackets and `CASE`.
pub const NESTING_DEPTH_MAX: usize = 100;
/// Deepest tree: an operator is one level, a subquery or a set operation a few (see `Level`).
pub const TREE_DEPTH_MAX: usize = 256;
/// Most `AND` and `OR` of one expression.
pub const EXPRESSION_CONNECTIVES_MAX: usize = 4_096;
/// Most `UNION`, `INTERSECT`, `EXCEPT` side by side.
pub const SET_OPERATIONS_MAX: usize = 120;
/// Most joins of one `FROM`.
pub const JOINS_MAX: usize = 256;
/// How often the parser may call itself; far above what the nesting allows in good text.
pub const RECURSION_DEPTH_MAX: usize = 1_024;

/// How many levels of the tree a subquery takes.
const SUBQUERY_DEPTH: usize = 3;
/// How many levels a set operation takes.
const SET_OPERATION_DEPTH: usize = 2;
/// How many levels a balanced chain of `AND` and `OR` takes at most.
const CONNECTIVES_DEPTH_MAX: usize = 24;

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
    /// Operators since the last comma, clause, `AND` or `OR`: they lean left on each other.
    operators: usize,
    /// The deepest parenthesis among their operands.
    operand_depth: usize,
    /// The deepest item so far.
    item_depth: usize,
    connectives: usize,
    set_operations: usize,
    joins: usize,
    is_subquery: bool,
}

impl Level {
    /// Ends an item: what follows does not lean on it.
    fn end_item(&mut self) {
        self.item_depth = self.item_depth.max(self.operators + self.operand_depth);
        (self.operators, self.operand_depth) = (0, 0);
    }

    /// How deep the tree of this level is.
    fn depth(&self) -> usize {
        let item = self.item_depth.max(self.operators + self.operand_depth);
        item + self.connectives.min(CONNECTIVES_DEPTH_MAX)
            + SET_OPERATION_DEPTH * self.set_operations
            + if self.is_subquery { SUBQUERY_DEPTH } else { 1 }
    }
}

/// Refuses a statement that is too long, too deep or too wide to be planned.
pub fn check_statement(tokens: &[TokenWithSpan]) -> Result<()> {
    if let Some(token) = tokens.get(STATEMENT_TOKENS_MAX) {
        return Err(too_many("the statement has", STATEMENT_TOKENS_MAX, "tokens", token));
    }
    let mut levels = vec![Level::default()];
    for (i, token) in tokens.iter().enumerate() {
        if opens_level(&token.token) {
            let is_subquery = tokens.get(i + 1).is_some_and(|t| begins_query(&t.token));
            levels.push(Level { is_subquery, ..Level::default() });
            if levels.len() > NESTING_DEPTH_MAX {
                return Err(too_many("this is nested", NESTING_DEPTH_MAX, "levels deep", token)
                    .with_hint("name the inner parts in a WITH clause or in views"));
            }
        } else if closes_level(&token.token) {
            if levels.len() > 1 {
                let depth = levels.pop().map_or(0, |level| level.depth());
                if let Some(outer) = levels.last_mut() {
                    outer.operand_depth = outer.operand_depth.max(depth);
                    check_depth(outer, token)?;
                }
            }
        } else if let Some(level) = levels.last_mut() {
            count(level, token)?;
        }
    }
    Ok(())
}

fn opens_level(token: &Token) -> bool {
    match token {
        Token::LParen | Token::LBracket => true,
        Token::Word(w) => w.quote_style.is_none() && w.keyword == Keyword::CASE,
        _ => false,
    }
}

fn closes_level(token: &Token) -> bool {
    match token {
        Token::RParen | Token::RBracket => true,
        Token::Word(w) => w.quote_style.is_none() && w.keyword == Keyword::END,
        _ => false,
    }
}

fn begins_query(token: &Token) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none()
        && matches!(w.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES))
}

fn count(level: &mut Level, token: &TokenWithSpan) -> Result<()> {
    match &token.token {
        Token::Comma => {
            level.end_item();
            level.connectives = 0;
        }
        Token::SemiColon => *level = Level::default(),
        Token::Word(w) if w.quote_style.is_none() => return count_word(level, w.keyword, token),
        Token::Word(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::HexStringLiteral(_)
        | Token::Period => {}
        _ => return count_operator(level, token),
    }
    Ok(())
}

fn count_word(level: &mut Level, keyword: Keyword, token: &TokenWithSpan) -> Result<()> {
    match keyword {
        Keyword::AND | Keyword::OR => {
            level.end_item();
            level.connectives += 1;
            if level.connectives > EXPRESSION_CONNECTIVES_MAX {
                let error =
                    too_many("this condition has", EXPRESSION_CONNECTIVES_MAX, "terms", token);
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
            level.end_item();
            (level.connectives, level.joins) = (0, 0);
            level.set_operations += 1;
            if level.set_operations > SET_OPERATIONS_MAX {
                let what = "the query has";
                return Err(too_many(what, SET_OPERATIONS_MAX, "set operations in a row", token)
                    .with_hint("use VALUES for rows, or split the query into views"));
            }
        }
        Keyword::JOIN => {
            level.end_item();
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
        | Keyword::ELSE => {
            level.end_item();
            level.connectives = 0;
        }
        _ => {}
    }
    Ok(())
}

fn count_operator(level: &mut Level, token: &TokenWithSpan) -> Result<()> {
    level.operators += 1;
    check_depth(level, token)
}

fn check_depth(level: &Level, token: &TokenWithSpan) -> Result<()> {
    if level.depth() <= TREE_DEPTH_MAX {
        return Ok(());
    }
    Err(too_many("this expression has", TREE_DEPTH_MAX, "operators on top of each other", token)
        .with_hint("split it with a WITH clause or with views"))
}

fn too_many(what: &str, limit: usize, unit: &str, token: &TokenWithSpan) -> SqlError {
    SqlError::new(format!("{what} more than {limit} {unit}"))
        .with_span(Span::from_sqlparser(token.span))
}
