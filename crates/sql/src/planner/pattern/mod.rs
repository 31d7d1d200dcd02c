//! `MATCH_RECOGNIZE`: from its clauses to a [`MatchNode`].
//!
//! What Flink refuses is refused here too: groups with a quantifier, alternatives, a variable that
//! stands twice, a pattern that ends with a greedy loop or that no row at all fits.

mod node;
mod terms;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Column, Result, plan_err};
use datafusion_expr::planner::RelationPlannerContext;
use datafusion_expr::{Expr, LogicalPlan, SortExpr};
use rialto_engine::operator::match_recognize::{Pattern, Preference, Skip};
use sqlparser::ast::{
    self, AfterMatchSkip, MatchRecognizePattern, MatchRecognizeSymbol, RepetitionQuantifier,
    RowsPerMatch, SymbolDefinition, TableAlias, TableFactor,
};

use crate::functions::SessionSettings;
use crate::parser::WITHIN_SYMBOL;

pub use node::{MatchClauses, MatchColumn, MatchNode, MatchTerm};
use terms::Terms;

/// Plans `table MATCH_RECOGNIZE (…)`; answers its alias too.
pub(super) fn plan(
    relation: TableFactor,
    context: &mut dyn RelationPlannerContext,
    settings: &SessionSettings,
) -> Result<(LogicalPlan, Option<TableAlias>)> {
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
        return plan_err!("expected MATCH_RECOGNIZE");
    };
    if let Some(RowsPerMatch::AllRows(_)) = rows_per_match {
        return plan_err!("ALL ROWS PER MATCH is not supported; use ONE ROW PER MATCH");
    }
    // The types of what is read must be final before expressions over it are planned.
    let input = super::rewrite::finish(context.plan(*table)?, settings)?;
    let mut partition = Vec::with_capacity(partition_by.len());
    for expr in partition_by {
        partition.push(column(expr, &input, "PARTITION BY", context)?);
    }
    let order = order_by
        .into_iter()
        .map(|o| sort(o, &input, context))
        .collect::<Result<Vec<SortExpr>>>()?;
    let mut variables = Vec::new();
    let pattern = parts(&pattern, &mut variables)?;
    let (within, symbols) = within(symbols, context)?;
    let skip = skip(after_match_skip, &variables)?;
    let time = match order.first() {
        Some(SortExpr { expr: Expr::Column(column), .. }) => {
            Some(Arc::clone(input.schema().qualified_field_from_column(column)?.1))
        }
        _ => return plan_err!("MATCH_RECOGNIZE needs an ORDER BY a time attribute"),
    };
    let mut terms = Terms { input: &input, variables: &variables, time, settings, context };
    let mut define = vec![None; variables.len()];
    for SymbolDefinition { symbol, definition } in symbols {
        let at = variable(&symbol.value, &variables)?;
        let text = definition.to_string();
        let term = terms.plan(definition)?;
        if terms::data_type(&term)? != DataType::Boolean {
            return plan_err!("the condition of {} is not a BOOLEAN: {text}", symbol.value);
        }
        if define[at].replace(term).is_some() {
            return plan_err!("DEFINE has two conditions of {}", symbol.value);
        }
    }
    let mut outputs = Vec::with_capacity(measures.len());
    for measure in measures {
        let term = terms.plan(measure.expr)?;
        let field = terms::field(&term, &measure.alias.value)?;
        outputs.push((term, field));
    }
    let measures = outputs;
    let clauses =
        MatchClauses { partition, order, variables, pattern, define, measures, skip, within };
    Ok((MatchNode::try_new(input, clauses)?.into_plan(), alias))
}

fn column(
    expr: ast::Expr,
    input: &LogicalPlan,
    clause: &str,
    context: &mut dyn RelationPlannerContext,
) -> Result<Column> {
    let text = expr.to_string();
    match context.sql_to_expr(expr, input.schema())? {
        Expr::Column(column) => Ok(column),
        _ => plan_err!("{clause} of MATCH_RECOGNIZE takes columns, not {text}"),
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
    let interval = symbols.remove(0).definition;
    let text = interval.to_string();
    match super::relation::millis(interval, "WITHIN", context)? {
        ms if ms > 0 => Ok((Some(ms), symbols)),
        _ => plan_err!("WITHIN takes a positive interval, not {text}"),
    }
}

fn skip(skip: Option<AfterMatchSkip>, variables: &[String]) -> Result<Skip> {
    Ok(match skip {
        None | Some(AfterMatchSkip::PastLastRow) => Skip::PastLastRow,
        Some(AfterMatchSkip::ToNextRow) => Skip::ToNextRow,
        Some(AfterMatchSkip::ToFirst(name)) => Skip::ToFirst(variable(&name.value, variables)?),
        Some(AfterMatchSkip::ToLast(name)) => Skip::ToLast(variable(&name.value, variables)?),
    })
}

/// The position of a pattern variable.
fn variable(name: &str, variables: &[String]) -> Result<usize> {
    match variables.iter().position(|v| v == name) {
        Some(at) => Ok(at),
        None => {
            plan_err!("there is no pattern variable {name}; PATTERN has {}", variables.join(", "))
        }
    }
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

    fn check(&self, name: &str) -> Result<()> {
        if self.max.is_some_and(|max| max == 0 || max < self.min) {
            return plan_err!("the quantifier of {name} allows no number of rows");
        }
        if self.reluctant && self.is_optional() {
            return plan_err!(
                "a reluctant {name} that may be left out is not supported; without the second ? \
                 it already ends as soon as what follows fits"
            );
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
fn parts(pattern: &MatchRecognizePattern, variables: &mut Vec<String>) -> Result<Pattern> {
    let mut steps = Vec::new();
    flatten(pattern, &mut steps)?;
    let mut parts = Vec::with_capacity(steps.len());
    for (name, quantifier) in &steps {
        quantifier.check(name)?;
        if variables.contains(name) {
            return plan_err!("the pattern variable {name} stands in PATTERN more than once");
        }
        parts.push(quantifier.pattern(variables.len()));
        variables.push(name.clone());
    }
    match steps.last() {
        Some((name, last)) if last.keeps() => plan_err!(
            "PATTERN must not end with a greedy quantifier, as {name} has: it would wait for rows \
             for ever; end with a plain variable or make it reluctant, such as {name}+?"
        ),
        _ if steps.iter().all(|(_, q)| q.min == 0) => {
            plan_err!("PATTERN fits no rows at all: one variable must not be optional")
        }
        _ => Ok(Pattern::Concatenation(parts)),
    }
}

fn flatten(pattern: &MatchRecognizePattern, steps: &mut Vec<(String, Quantifier)>) -> Result<()> {
    use MatchRecognizePattern as P;
    match pattern {
        P::Concat(parts) => parts.iter().try_for_each(|part| flatten(part, steps)),
        P::Group(inner) => flatten(inner, steps),
        P::Symbol(symbol) => {
            let once = Quantifier { min: 1, max: Some(1), reluctant: false };
            steps.push((name_of(symbol)?, once));
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
                    steps.push((name_of(symbol)?, quantifier));
                    Ok(())
                }
                other => plan_err!("a quantifier of a group is not supported: ({other})"),
            }
        }
        other => plan_err!("{other} is not supported in PATTERN: it takes variables in a row"),
    }
}

fn name_of(symbol: &MatchRecognizeSymbol) -> Result<String> {
    match symbol {
        MatchRecognizeSymbol::Named(name) => Ok(name.value.clone()),
        other => plan_err!("{other} is not supported in PATTERN"),
    }
}
