//! The pass over a parsed query that gives it its canonical form.
//!
//! - `t /*+ OPTIONS(…) */`: the marker in the table's name becomes `with_hints`
//! - `UNNEST(a)` in `FROM` is a `TableFactor::UNNEST`, also behind `LATERAL`
//! - `LATERAL TABLE(f(x))` is the lateral function `f(x)`
//! - `(SELECT …) MATCH_RECOGNIZE (…)` searches a `TableFactor::Derived`
//! - a long chain of `AND` or `OR` is balanced, so that no later step recurses a thousand deep
//! - a reserved word that was used as a name is refused

use std::mem;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    Query, Select, SelectItem, TableAlias, TableFactor, Value, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Span as TokenSpan;

use super::ast::Options;
use super::lexer::Hints;
use super::match_recognize::unwrap_query;
use super::prefix::{TABLE_ARGUMENT, function, string};
use super::reserved::{is_reserved, reserved_error};
use crate::error::{Result, Span, SqlError};

/// Chains of `AND` and `OR` up to this many terms keep the shape they were written in.
const CHAIN_TERMS_KEPT: usize = 12;

/// Gives a query its canonical form.
pub fn canonicalize_query(query: &mut Query, hints: &Hints) -> Result<()> {
    finish(query.visit(&mut Canonical { hints }))
}

/// Gives an expression its canonical form.
pub fn canonicalize_expr(expr: &mut Expr, hints: &Hints) -> Result<()> {
    finish(expr.visit(&mut Canonical { hints }))
}

fn finish(flow: ControlFlow<SqlError>) -> Result<()> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Canonical<'a> {
    hints: &'a Hints,
}

impl VisitorMut for Canonical<'_> {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                check_name(alias, "a column name")?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            check_alias(Some(&cte.alias))?;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        lower_lateral(factor);
        lower_unnest(factor);
        unwrap_query(factor);
        check_alias(alias_of(factor))?;
        let TableFactor::Table { name, with_hints, .. } = factor else {
            return ControlFlow::Continue(());
        };
        if !with_hints.is_empty() {
            let error = SqlError::not_supported("WITH (…) behind a table in FROM")
                .with_hint("write t /*+ OPTIONS('key' = 'value') */");
            return ControlFlow::Break(error.with_span(name_span(name)));
        }
        if let Some((options, span)) = self.take_hint(name) {
            with_hints.push(options_call(options, span));
        }
        for part in &name.0 {
            if let Some(ident) = part.as_ident() {
                check_name(ident, "a table name")?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::Identifier(ident) => check_name(ident, "a column name")?,
            Expr::CompoundIdentifier(parts) => {
                for part in parts.iter() {
                    check_name(part, "a column name")?;
                }
            }
            Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => balance(expr),
            Expr::Function(function) if function.name.to_string() == TABLE_ARGUMENT => {
                self.hint_of_argument(&mut function.args);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Canonical<'_> {
    /// Takes the marker off a table's name and answers what it stands for.
    fn take_hint(&self, name: &mut ObjectName) -> Option<(&Options, Option<Span>)> {
        let number = Hints::marked(&name.0.last()?.as_ident()?.value)?;
        let (options, span) = self.hints.table.get(number)?;
        name.0.pop();
        Some((options, *span))
    }

    /// A hint inside `TABLE t /*+ … */` becomes the last argument of `$TABLE`.
    fn hint_of_argument(&self, arguments: &mut FunctionArguments) {
        let FunctionArguments::List(list) = arguments else {
            return;
        };
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(relation))) = list.args.first_mut()
        else {
            return;
        };
        let Expr::CompoundIdentifier(parts) = relation else {
            return;
        };
        let Some(number) = parts.last().and_then(|last| Hints::marked(&last.value)) else {
            return;
        };
        let Some((options, span)) = self.hints.table.get(number) else {
            return;
        };
        parts.pop();
        if parts.len() == 1 {
            *relation = Expr::Identifier(parts.remove(0));
        }
        let hint = FunctionArgExpr::Expr(options_call(options, *span));
        list.args.push(FunctionArg::Unnamed(hint));
    }
}

/// `OPTIONS('key', 'value', …)`.
fn options_call(options: &Options, _span: Option<Span>) -> Expr {
    let place = TokenSpan::empty();
    let arguments = options.iter().flat_map(|o| [&o.key, &o.value]);
    Expr::Function(function(
        Ident::new("OPTIONS"),
        arguments.map(|text| string(text.clone(), place)).collect(),
    ))
}

fn name_span(name: &ObjectName) -> Option<Span> {
    Span::from_sqlparser(name.0.first()?.as_ident()?.span)
}

fn check_name(ident: &Ident, what: &str) -> ControlFlow<SqlError> {
    if ident.quote_style.is_some() || !is_reserved(&ident.value) {
        return ControlFlow::Continue(());
    }
    let span = Span::from_sqlparser(ident.span);
    ControlFlow::Break(reserved_error(&ident.value, what).with_span(span))
}

fn check_alias(alias: Option<&TableAlias>) -> ControlFlow<SqlError> {
    let Some(alias) = alias else {
        return ControlFlow::Continue(());
    };
    check_name(&alias.name, "a table alias")?;
    for column in &alias.columns {
        check_name(&column.name, "a column name")?;
    }
    ControlFlow::Continue(())
}

fn alias_of(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::MatchRecognize { alias, .. } => alias.as_ref(),
        _ => None,
    }
}

/// `LATERAL TABLE(f(x))` was read as a function named `TABLE`.
fn lower_lateral(factor: &mut TableFactor) {
    let TableFactor::Function { name, args, lateral: true, .. } = factor else {
        return;
    };
    if !is_named(name, "TABLE") || args.len() != 1 {
        return;
    }
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(call))) = &mut args[0] else {
        return;
    };
    let inner_args = match mem::replace(&mut call.args, FunctionArguments::None) {
        FunctionArguments::List(list) => list.args,
        FunctionArguments::None => Vec::new(),
        FunctionArguments::Subquery(query) => {
            vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))]
        }
    };
    let inner_name = mem::replace(&mut call.name, ObjectName(Vec::new()));
    *name = inner_name;
    *args = inner_args;
}

/// `UNNEST(a) [WITH ORDINALITY]` was read as a table with arguments, or as a lateral function.
fn lower_unnest(factor: &mut TableFactor) {
    let (arguments, alias, with_ordinality) = match factor {
        TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. }
            if is_named(name, "UNNEST") =>
        {
            (&mut args.args, alias, *with_ordinality)
        }
        TableFactor::Function { name, args, alias, with_ordinality, .. }
            if is_named(name, "UNNEST") =>
        {
            (args, alias, *with_ordinality)
        }
        _ => return,
    };
    let is_plain =
        |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(_)));
    if !arguments.iter().all(is_plain) {
        return;
    }
    let array_exprs = mem::take(arguments).into_iter().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    *factor = TableFactor::UNNEST {
        array_exprs: array_exprs.collect(),
        alias: alias.take(),
        with_offset: false,
        with_offset_alias: None,
        with_ordinality,
    };
}

fn is_named(name: &ObjectName, wanted: &str) -> bool {
    match name.0.as_slice() {
        [part] => part.as_ident().is_some_and(|ident| {
            ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case(wanted)
        }),
        _ => false,
    }
}

/// `((a OR b) OR c) OR d` becomes `(a OR b) OR (c OR d)` when it is long.
fn balance(expr: &mut Expr) {
    let Expr::BinaryOp { op, .. } = expr else {
        return;
    };
    let op = op.clone();
    if chain_length(expr, &op) <= CHAIN_TERMS_KEPT {
        return;
    }
    let mut terms = Vec::new();
    let mut rest = mem::replace(expr, placeholder());
    loop {
        match rest {
            Expr::BinaryOp { left, op: found, right } if found == op => {
                terms.push(*right);
                rest = *left;
            }
            first => {
                terms.push(first);
                break;
            }
        }
    }
    terms.reverse();
    *expr = join_terms(terms, &op);
}

fn chain_length(mut expr: &Expr, op: &BinaryOperator) -> usize {
    let mut terms = 1;
    while let Expr::BinaryOp { left, op: found, .. } = expr {
        if found != op {
            break;
        }
        terms += 1;
        expr = left;
    }
    terms
}

/// Pairs neighbours until one is left; the order of the terms stays.
fn join_terms(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    while terms.len() > 1 {
        let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
        let mut rest = terms.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => {
                    Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) }
                }
                None => left,
            });
        }
        terms = pairs;
    }
    terms.pop().unwrap_or_else(placeholder)
}

fn placeholder() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}
