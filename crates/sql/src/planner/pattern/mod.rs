//! `MATCH_RECOGNIZE`: from its clauses to a [`MatchNode`].
//!
//! What Flink refuses is refused here too: groups with a quantifier, alternatives, a variable that
//! stands twice, a pattern that ends with a greedy loop or that no row at all fits.

mod node;
mod terms;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Column, DataFusionError, Result};
use datafusion_expr::planner::RelationPlannerContext;
use datafusion_expr::{Expr, LogicalPlan, SortExpr};
use rialto_engine::operator::match_recognize::{PATTERN_VARIABLES_MAX, Pattern, Preference, Skip};
use sqlparser::ast::{
    self, AfterMatchSkip, Ident, MatchRecognizePattern, MatchRecognizeSymbol, RepetitionQuantifier,
    RowsPerMatch, Spanned, SymbolDefinition, TableAlias, TableFactor,
};
use sqlparser::tokenizer::Span as TokenSpan;

use super::context::external;
use crate::error::{Span, SqlError};
use crate::functions::SessionSettings;
use crate::parser::WITHIN_SYMBOL;

pub use node::{MatchClauses, MatchColumn, MatchNode, MatchTerm};
use terms::Terms;

/// An error at a place in the query.
fn refused(message: impl Into<String>, place: TokenSpan) -> DataFusionError {
    external(SqlError::new(message).with_span(Span::from_sqlparser(place)))
}

/// Plans `table MATCH_RECOGNIZE (…)`; answers its alias too.
pub(super) fn plan(
    relation: TableFactor,
    context: &mut dyn RelationPlannerContext,
    settings: &SessionSettings,
) -> Result<(LogicalPlan, Option<TableAlias>)> {
    let place = relation.span();
    let TableFactor::MatchRecognize {
        table,
        partition_by,
        order_by,
        measures,
        rows_per_match,
        after_match_skip,
        pattern,
        symbols,
        alias,
    } = relation
    else {
        return Err(refused("expected MATCH_RECOGNIZE", place));
    };
    if let Some(RowsPerMatch::AllRows(_)) = rows_per_match {
        let message = "ALL ROWS PER MATCH is not supported; use ONE ROW PER MATCH";
        return Err(refused(message, place));
    }
    // The types of what is read must be final before expressions over it are planned.
    let input = super::rewrite::finish(context.plan(*table)?, settings)?;
    let partition = partition_by
        .into_iter()
        .map(|expr| column(expr, &input, "PARTITION BY", context))
        .collect::<Result<Vec<Column>>>()?;
    let order = order_by
        .into_iter()
        .map(|o| sort(o, &input, context))
        .collect::<Result<Vec<SortExpr>>>()?;
    let mut variables = Vec::new();
    let pattern = parts(&pattern, &mut variables, place)?;
    let (within, symbols) = within(symbols, context)?;
    let skip = skip(after_match_skip, &variables)?;
    let time = match order.first() {
        Some(SortExpr { expr: Expr::Column(column), .. }) => {
            Some(Arc::clone(input.schema().qualified_field_from_column(column)?.1))
        }
        _ => return Err(refused("MATCH_RECOGNIZE needs an ORDER BY a time attribute", place)),
    };
    let mut terms = Terms { input: &input, variables: &variables, time, settings, context };
    let define = define(symbols, &mut terms)?;
    let mut outputs = Vec::with_capacity(measures.len());
    for measure in measures {
        let term = terms.plan(measure.expr)?;
        let field = terms::field(&term, &measure.alias.value)?;
        outputs.push((term, field));
    }
    let place = Span::from_sqlparser(place);
    let measures = outputs;
    let clauses = MatchClauses {
        partition,
        order,
        variables,
        pattern,
        define,
        measures,
        skip,
        within,
        place,
    };
    Ok((MatchNode::try_new(input, clauses)?.into_plan(), alias))
}

/// The condition of each variable.
fn define(symbols: Vec<SymbolDefinition>, terms: &mut Terms<'_>) -> Result<Vec<Option<MatchTerm>>> {
    let mut define = vec![None; terms.variables.len()];
    for SymbolDefinition { symbol, definition } in symbols {
        let at = variable(&symbol, terms.variables)?;
        let (text, place) = (definition.to_string(), definition.span());
        let term = terms.plan(definition)?;
        let data_type = terms::data_type(&term)?;
        if data_type != DataType::Boolean {
            let name = crate::functions::typing::type_name(&data_type);
            let message =
                format!("the condition of {} is a {name} and not a BOOLEAN: {text}", symbol.value);
            return Err(refused(message, place));
        }
        if define[at].replace(term).is_some() {
            let message = format!("DEFINE has two conditions of {}", symbol.value);
            return Err(refused(message, symbol.span));
        }
    }
    Ok(define)
}

fn column(
    expr: ast::Expr,
    input: &LogicalPlan,
    clause: &str,
    context: &mut dyn RelationPlannerContext,
) -> Result<Column> {
    let (text, place) = (expr.to_string(), expr.span());
    match context.sql_to_expr(expr, input.schema())? {
        Expr::Column(column) => Ok(column),
        _ => {
            let message = format!("{clause} of MATCH_RECOGNIZE takes columns, not {text}");
            Err(refused(message, place))
        }
    }
}

fn sort(
    order: ast::OrderByExpr,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<SortExpr> {
    let column = column(order.expr, input, "ORDER BY", context)?;
    let ascending = order.options.asc.unwrap_or(true);
    // Flink holds null for the lowest value.
    let nulls_first = order.options.nulls_first.unwrap_or(ascending);
    Ok(SortExpr::new(Expr::Column(column), ascending, nulls_first))
}

/// `WITHIN`, which the parser hands over as a first definition, and the true definitions.
fn within(
    mut symbols: Vec<SymbolDefinition>,
    context: &mut dyn RelationPlannerContext,
) -> Result<(Option<i64>, Vec<SymbolDefinition>)> {
    if symbols.first().is_none_or(|s| s.symbol.value != WITHIN_SYMBOL) {
        return Ok((None, symbols));
    }
    let SymbolDefinition { symbol, definition } = symbols.remove(0);
    let text = definition.to_string();
    match super::relation::millis(definition, "WITHIN", context)? {
        ms if ms > 0 => Ok((Some(ms), symbols)),
        _ => Err(refused(format!("WITHIN takes a positive interval, not {text}"), symbol.span)),
    }
}

fn skip(skip: Option<AfterMatchSkip>, variables: &[String]) -> Result<Skip> {
    Ok(match skip {
        // Flink's default is not the standard's.
        None | Some(AfterMatchSkip::ToNextRow) => Skip::ToNextRow,
        Some(AfterMatchSkip::PastLastRow) => Skip::PastLastRow,
        Some(AfterMatchSkip::ToFirst(name)) => Skip::ToFirst(variable(&name, variables)?),
        Some(AfterMatchSkip::ToLast(name)) => Skip::ToLast(variable(&name, variables)?),
    })
}

/// The position of a pattern variable.
fn variable(name: &Ident, variables: &[String]) -> Result<usize> {
    variables.iter().position(|v| *v == name.value).ok_or_else(|| {
        let all = variables.join(", ");
        let message = format!("there is no pattern variable {}; PATTERN has {all}", name.value);
        refused(message, name.span)
    })
}

/// How often a variable stands in a row.
#[derive(Debug, Clone, Copy)]
struct Quantifier {
    min: u32,
    max: Option<u32>,
    reluctant: bool,
}

impl Quantifier {
    fn new(quantifier: &RepetitionQuantifier, reluctant: bool) -> Self {
        let (min, max) = match *quantifier {
            RepetitionQuantifier::ZeroOrMore => (0, None),
            RepetitionQuantifier::OneOrMore => (1, None),
            RepetitionQuantifier::AtMostOne => (0, Some(1)),
            RepetitionQuantifier::Exactly(n) => (n, Some(n)),
            RepetitionQuantifier::AtLeast(n) => (n, None),
            RepetitionQuantifier::AtMost(n) => (0, Some(n)),
            RepetitionQuantifier::Range(min, max) => (min, Some(max)),
        };
        Self { min, max, reluctant }
    }

    fn check(&self, name: &Ident) -> Result<()> {
        if self.max.is_some_and(|max| max == 0 || max < self.min) {
            let message = format!("the quantifier of {} allows no number of rows", name.value);
            return Err(refused(message, name.span));
        }
        if self.reluctant && self.is_optional() {
            let message = format!(
                "a reluctant {0} that may be left out is not supported; write {0}? without the \
                 second ?, which already ends as soon as what follows fits",
                name.value
            );
            return Err(refused(message, name.span));
        }
        Ok(())
    }

    fn is_optional(&self) -> bool {
        self.min == 0 && self.max == Some(1)
    }

    /// Flink: `A?` keeps no row from what follows, every other greedy loop does.
    fn keeps(&self) -> bool {
        !self.reluctant && !self.is_optional() && self.max != Some(self.min)
    }

    fn pattern(&self, variable: usize) -> Pattern {
        let preference = if self.keeps() { Preference::Greedy } else { Preference::Reluctant };
        let pattern = Box::new(Pattern::Variable(variable));
        Pattern::Repeat { pattern, min: self.min, max: self.max, preference }
    }
}

/// A pattern, which is a row of variables with quantifiers; the variables are named as they come.
fn parts(
    pattern: &MatchRecognizePattern,
    variables: &mut Vec<String>,
    place: TokenSpan,
) -> Result<Pattern> {
    let mut steps = Vec::new();
    flatten(pattern, place, &mut steps)?;
    let mut parts = Vec::with_capacity(steps.len());
    for (name, quantifier) in &steps {
        quantifier.check(name)?;
        if variables.contains(&name.value) {
            let message =
                format!("the pattern variable {} stands in PATTERN more than once", name.value);
            return Err(refused(message, name.span));
        }
        parts.push(quantifier.pattern(variables.len()));
        variables.push(name.value.clone());
    }
    if variables.len() > PATTERN_VARIABLES_MAX {
        let message =
            format!("a PATTERN of more than {PATTERN_VARIABLES_MAX} variables is not supported");
        return Err(refused(message, place));
    }
    match steps.last() {
        Some((name, last)) if last.keeps() => Err(refused(
            format!(
                "PATTERN must not end with a greedy quantifier, as {0} has: it would wait for \
                 rows for ever; end with a plain variable or make it reluctant, such as {0}+?",
                name.value
            ),
            name.span,
        )),
        _ if steps.iter().all(|(_, q)| q.min == 0) => {
            let message = "PATTERN fits no rows at all: one variable must not be optional";
            Err(refused(message, place))
        }
        _ => Ok(Pattern::Concatenation(parts)),
    }
}

fn flatten(
    pattern: &MatchRecognizePattern,
    place: TokenSpan,
    steps: &mut Vec<(Ident, Quantifier)>,
) -> Result<()> {
    use MatchRecognizePattern as P;
    match pattern {
        P::Concat(parts) => parts.iter().try_for_each(|part| flatten(part, place, steps)),
        P::Group(inner) => flatten(inner, place, steps),
        P::Symbol(symbol) => {
            let once = Quantifier { min: 1, max: Some(1), reluctant: false };
            steps.push((name_of(symbol, place)?, once));
            Ok(())
        }
        P::Repetition(inner, quantifier) => {
            // `A+?` comes as an optional `A+`.
            let (inner, quantifier) = match (inner.as_ref(), quantifier) {
                (P::Repetition(inner, loops), RepetitionQuantifier::AtMostOne) => {
                    (inner.as_ref(), Quantifier::new(loops, true))
                }
                (inner, quantifier) => (inner, Quantifier::new(quantifier, false)),
            };
            let mut inner = inner;
            while let P::Group(grouped) = inner {
                inner = grouped;
            }
            match inner {
                P::Symbol(symbol) => {
                    steps.push((name_of(symbol, place)?, quantifier));
                    Ok(())
                }
                other => {
                    let message = format!("a quantifier of a group is not supported: ({other})");
                    Err(refused(message, first_name(other).unwrap_or(place)))
                }
            }
        }
        other => {
            let message =
                format!("{other} is not supported in PATTERN: it takes variables in a row");
            Err(refused(message, first_name(other).unwrap_or(place)))
        }
    }
}

fn name_of(symbol: &MatchRecognizeSymbol, place: TokenSpan) -> Result<Ident> {
    match symbol {
        MatchRecognizeSymbol::Named(name) => Ok(name.clone()),
        other => Err(refused(format!("{other} is not supported in PATTERN"), place)),
    }
}

/// The place of the first variable of a pattern.
fn first_name(pattern: &MatchRecognizePattern) -> Option<TokenSpan> {
    use MatchRecognizePattern as P;
    match pattern {
        P::Symbol(MatchRecognizeSymbol::Named(name))
        | P::Exclude(MatchRecognizeSymbol::Named(name)) => Some(name.span),
        P::Concat(parts) | P::Alternation(parts) => parts.iter().find_map(first_name),
        P::Group(inner) | P::Repetition(inner, _) => first_name(inner),
        _ => None,
    }
}
