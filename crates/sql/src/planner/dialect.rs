//! Forms of the syntax tree that DataFusion's SQL planner does not take, in forms that it takes.
//!
//! - `FLOOR(t TO unit)`, `CEIL(t TO unit)`: calls with the unit as text
//! - `INTERVAL '1 12' DAY TO HOUR`: one text with a unit behind each number
//! - `TIMESTAMP '…'`: with the precision that its digits say
//! - `ARRAY[a, b]`: a call of `ARRAY`
//! - `1e3`: a cast to `DOUBLE`; `U&'…'`, `_UTF8'…'`: plain text
//! - `CAST(x AS t)` in a query: a call whose name says the type, because DataFusion leaves a cast
//!   out
//!   of an expression's name and would take `AVG(x)` and `AVG(CAST(x AS DOUBLE))` for one column
//! - `a[1].b`: the field's name as text; `FETCH FIRST n ROWS`: `LIMIT n`
//! - `TUMBLE_START(t, i)`: a call over the group window (see `group_window`)
//! - `GROUPING(a)`, `GROUPING_ID(a, b)`, `GROUP_ID()`: DataFusion's `grouping`, as a `BIGINT`
//! - `BITMAP_BUILD_AGG(i)` and the like: of what is gathered into an array
//! - `(a, b) IN (SELECT …)`: `EXISTS` (see `row_in`); `NATURAL`, `USING`: see `using`
//! - select items without a name: as Flink names them ([`super::select_names`])

use std::ops::ControlFlow;

use sqlparser::ast::{
    self, AccessExpr, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, Ident, Interval,
    LimitClause, SetExpr, TimezoneInfo, TypedString, Value, VisitMut, VisitorMut,
};

use crate::error::{Result, Span, SqlError};
use crate::parser::prefix::function;
use crate::types::{FlinkType, TIME_PRECISION_MAX};

use super::{group_window, row_in, using};

/// Digits of an interval's first number where its unit does not say.
const INTERVAL_PRECISION_DEFAULT: u64 = 2;

/// What the name of a cast's function begins with; the type follows.
pub(super) const CAST: &str = "$CAST ";
/// The same for `TRY_CAST`.
pub(super) const TRY_CAST: &str = "$TRY_CAST ";
/// The same for a cast in `VALUES` whose rows declare different types.
pub(super) const VALUE_CAST: &str = "$VALUE_CAST ";

/// Brings a query into the form that DataFusion's planner takes.
pub(super) fn prepare_query(query: &mut ast::Query) -> Result<()> {
    finish(query.visit(&mut Forms { names_casts: true }))
}

/// The same for an expression that stands alone.
pub(super) fn prepare_expr(expr: &mut Expr) -> Result<()> {
    finish(expr.visit(&mut Forms { names_casts: false }))
}

fn finish(flow: ControlFlow<SqlError>) -> Result<()> {
    match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Forms {
    names_casts: bool,
}

impl VisitorMut for Forms {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<SqlError> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            common_declarations(values);
        }
        check(fetch_first(query))
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<SqlError> {
        super::select_names::name_columns(select);
        select.from.iter_mut().for_each(using::nest);
        check(refuse_repeated_sets(select))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        check(self.expr(expr))
    }
}

fn check(result: Result<()>) -> ControlFlow<SqlError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl Forms {
    fn expr(&self, expr: &mut Expr) -> Result<()> {
        match expr {
            Expr::Floor { expr: inner, field: CeilFloorKind::DateTimeField(unit) } => {
                if let Some(call) = rounded("FLOOR", inner, unit) {
                    *expr = call;
                }
            }
            Expr::Ceil { expr: inner, field: CeilFloorKind::DateTimeField(unit) } => {
                if let Some(call) = rounded("CEIL", inner, unit) {
                    *expr = call;
                }
            }
            Expr::Interval(interval) => plain_interval(interval)?,
            // sqlparser's own node would be planned without the queries around it.
            Expr::Array(array) => *expr = call("ARRAY", std::mem::take(&mut array.elem)),
            Expr::TypedString(literal) => declare_precision(literal),
            Expr::CompoundFieldAccess { access_chain, .. } => {
                access_chain.iter_mut().for_each(field_as_text);
            }
            Expr::Prefixed { value, .. } => *expr = std::mem::replace(value, null()),
            Expr::Value(value) => match &mut value.value {
                Value::UnicodeStringLiteral(text) => {
                    value.value = Value::SingleQuotedString(std::mem::take(text));
                }
                Value::Number(digits, _) if digits.contains(['e', 'E']) => {
                    let text = Value::SingleQuotedString(digits.clone()).into();
                    *expr = cast(Expr::Value(text), DataType::Double(ast::ExactNumberInfo::None));
                    return self.expr(expr);
                }
                Value::HexStringLiteral(digits) if digits.len() % 2 == 1 => {
                    return Err(SqlError::new(format!(
                        "X'{digits}' has an odd number of digits: each byte takes two"
                    )));
                }
                _ => {}
            },
            Expr::Cast { kind, expr: inner, data_type, .. } if self.names_casts => {
                let prefix = if *kind == CastKind::TryCast { TRY_CAST } else { CAST };
                let name = format!("{prefix}{}", FlinkType::from_sql_type(data_type)?);
                let inner = std::mem::replace(inner.as_mut(), null());
                *expr = call(&name, vec![inner]);
            }
            Expr::Function(function) => {
                if let Some(other) = renamed(function) {
                    *expr = other;
                }
            }
            Expr::InSubquery { expr: row, subquery, negated } => {
                if let Expr::Tuple(row) = row.as_mut() {
                    *expr = row_in::exists(std::mem::take(row), subquery.clone(), *negated);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A call of a function by this very name.
fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(function(Ident::with_quote('`', name), arguments))
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    let expr = Box::new(expr);
    Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None }
}

/// Calls that have another name here: parts of group windows and of grouping sets.
fn renamed(function: &ast::Function) -> Option<Expr> {
    let name = function.name.to_string().to_ascii_uppercase();
    let bigint = |expr: Expr| call(&format!("{CAST}BIGINT"), vec![expr]);
    let mut inner = function.clone();
    match name.as_str() {
        "GROUPING" | "GROUPING_ID" => {
            inner.name = vec![Ident::with_quote('`', "grouping")].into();
            return Some(bigint(Expr::Function(inner)));
        }
        "GROUP_ID" => {
            return Some(bigint(Expr::Value(Value::Number("0".into(), false).into())));
        }
        _ => {}
    }
    if let Some(kind) = name.strip_prefix("BITMAP_").and_then(|n| n.strip_suffix("_AGG")) {
        return bitmap_aggregate(kind, inner);
    }
    let (window, part) = name.split_once('_')?;
    if !matches!(window, "TUMBLE" | "HOP" | "SESSION") {
        return None;
    }
    let part = match part {
        "START" => group_window::START,
        "END" => group_window::END,
        "ROWTIME" => group_window::ROWTIME,
        "PROCTIME" => return Some(call("PROCTIME", Vec::new())),
        _ => return None,
    };
    inner.name = vec![Ident::new(window)].into();
    Some(call(part, vec![Expr::Function(inner)]))
}

/// Aggregates of bitmaps, made of those that gather values: `BITMAP_BUILD_AGG(i)` is built of
/// `ARRAY_AGG(DISTINCT i)`.
fn bitmap_aggregate(kind: &str, mut inner: ast::Function) -> Option<Expr> {
    let mut gathered = |name: &str, distinct: bool| {
        inner.name = vec![Ident::new(name)].into();
        if let ast::FunctionArguments::List(list) = &mut inner.args {
            list.duplicate_treatment = distinct.then_some(ast::DuplicateTreatment::Distinct);
        }
        Expr::Function(inner.clone())
    };
    let all = match kind {
        "BUILD" => return Some(call("$BITMAP_BUILD_ALL", vec![gathered("ARRAY_AGG", true)])),
        // NULL where there is no value at all.
        "BUILD_CARDINALITY" => {
            let zero = Expr::Value(Value::Number("0".into(), false).into());
            return Some(call("NULLIF", vec![gathered("COUNT", true), zero]));
        }
        "AND" | "AND_CARDINALITY" => "$BITMAP_AND_ALL",
        "OR" | "OR_CARDINALITY" => "$BITMAP_OR_ALL",
        "XOR" | "XOR_CARDINALITY" => "$BITMAP_XOR_ALL",
        _ => return None,
    };
    let bitmap = call(all, vec![gathered("ARRAY_AGG", false)]);
    match kind.ends_with("_CARDINALITY") {
        true => Some(call("BITMAP_CARDINALITY", vec![bitmap])),
        false => Some(bitmap),
    }
}

/// `GROUP_ID()` counts the sets that are written twice: where there is none, it is zero.
fn refuse_repeated_sets(select: &ast::Select) -> Result<()> {
    let ast::GroupByExpr::Expressions(keys, _) = &select.group_by else { return Ok(()) };
    let plain =
        |sets: &Vec<Vec<Expr>>| sets.iter().enumerate().all(|(i, s)| !sets[..i].contains(s));
    let distinct = match keys.as_slice() {
        [Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets)] => plain(sets),
        keys => !keys
            .iter()
            .any(|k| matches!(k, Expr::GroupingSets(_) | Expr::Rollup(_) | Expr::Cube(_))),
    };
    let asks = |expr: &Expr| match expr {
        Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("GROUP_ID") => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    let asked = ast::visit_expressions(&select.projection, asks).is_break()
        || ast::visit_expressions(&select.having, asks).is_break();
    match asked && !distinct {
        true => Err(SqlError::not_supported("GROUP_ID() over grouping sets that may repeat")
            .with_hint("write each grouping set once; GROUPING_ID(a, b) tells them apart")),
        false => Ok(()),
    }
}

/// `name(x TO unit)` as a call; without a unit there is nothing to do.
fn rounded(name: &str, inner: &mut Expr, unit: &DateTimeField) -> Option<Expr> {
    if *unit == DateTimeField::NoDateTime {
        return None;
    }
    let inner = std::mem::replace(inner, null());
    Some(call(name, vec![inner, text(&unit.to_string())]))
}

/// `.name` behind a subscript or a call.
fn field_as_text(access: &mut AccessExpr) {
    if let AccessExpr::Dot(Expr::Identifier(name)) = access {
        *access = AccessExpr::Dot(text(&name.value));
    }
}

/// `TIMESTAMP '2024-01-01 00:00:00.5'` is a `TIMESTAMP(1)`.
fn declare_precision(literal: &mut TypedString) {
    let DataType::Timestamp(precision @ None, TimezoneInfo::None) = &mut literal.data_type else {
        return;
    };
    if let Value::SingleQuotedString(text) = &literal.value.value {
        *precision = Some(fraction_digits(text));
    }
}

fn fraction_digits(text: &str) -> u64 {
    let digits = text.rsplit_once('.').map_or(0, |(_, f)| f.trim_end().len());
    digits.min(usize::from(TIME_PRECISION_MAX)) as u64
}

/// `FETCH FIRST n ROWS ONLY` is `LIMIT n`.
fn fetch_first(query: &mut ast::Query) -> Result<()> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.percent || fetch.with_ties {
        return Err(SqlError::not_supported("FETCH with PERCENT or WITH TIES")
            .with_hint("write FETCH FIRST n ROWS ONLY"));
    }
    let one = || Expr::Value(Value::Number("1".into(), false).into());
    let rows = Some(fetch.quantity.unwrap_or_else(one));
    match &mut query.limit_clause {
        None => {
            let (limit, offset, limit_by) = (rows, None, Vec::new());
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = rows,
        Some(_) => return Err(SqlError::new("LIMIT and FETCH FIRST stand in one query")),
    }
    Ok(())
}

/// A query of one select and nothing else.
pub(super) fn query_of(with: Option<ast::With>, select: ast::Select) -> ast::Query {
    ast::Query {
        with,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// The rows of `VALUES` must declare one type a column: timestamps the longest precision among
/// them; where casts name different types, no row declares more than Arrow's type says.
fn common_declarations(values: &mut ast::Values) {
    let width = values.rows.first().map_or(0, |r| r.len());
    for column in 0..width {
        let cells = || values.rows.iter().filter_map(|row| row.get(column));
        let precision = cells().filter_map(timestamp_digits).max();
        let mut declared = cells().map(|cell| match cell {
            Expr::Cast { data_type, .. } => Some(data_type.to_string()),
            _ => None,
        });
        let first = declared.next().flatten();
        let differ = declared.any(|d| d != first);
        for row in &mut values.rows {
            match row.get_mut(column) {
                Some(Expr::TypedString(literal)) => {
                    if let DataType::Timestamp(p @ None, TimezoneInfo::None) =
                        &mut literal.data_type
                    {
                        *p = precision;
                    }
                }
                Some(cell @ Expr::Cast { kind: CastKind::Cast, .. }) if differ => {
                    bare_cast(cell);
                }
                _ => {}
            }
        }
    }
}

fn timestamp_digits(cell: &Expr) -> Option<u64> {
    match cell {
        Expr::TypedString(TypedString {
            data_type: DataType::Timestamp(None, TimezoneInfo::None),
            value,
            ..
        }) => match &value.value {
            Value::SingleQuotedString(text) => Some(fraction_digits(text)),
            _ => None,
        },
        _ => None,
    }
}

fn bare_cast(cell: &mut Expr) {
    if let Expr::Cast { expr, data_type, .. } = cell
        && let Ok(to) = FlinkType::from_sql_type(data_type)
    {
        let inner = std::mem::replace(expr.as_mut(), null());
        *cell = call(&format!("{VALUE_CAST}{to}"), vec![inner]);
    }
}

/// An interval of several units, or with a precision, as one text with a unit behind each number.
fn plain_interval(interval: &mut Interval) -> Result<()> {
    fits_precision(interval)?;
    interval.leading_precision = None;
    interval.fractional_seconds_precision = None;
    let (Some(first), Expr::Value(value)) = (&interval.leading_field, interval.value.as_mut())
    else {
        return Ok(());
    };
    let Some(last) = interval.last_field.take() else { return Ok(()) };
    let Value::SingleQuotedString(literal) = &value.value else { return Ok(()) };
    let wrong = || {
        SqlError::new(format!("'{literal}' is not an interval {first} TO {last}"))
            .with_hint("write for example INTERVAL '1-06' YEAR TO MONTH, '1 12:30' DAY TO MINUTE")
    };
    let trimmed = literal.trim();
    let (sign, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let numbers: Vec<&str> = digits.split(['-', ' ', ':']).filter(|n| !n.is_empty()).collect();
    let (Some(from), Some(to)) = (unit_rank(first), unit_rank(&last)) else {
        return Err(wrong());
    };
    if to < from || numbers.len() != to - from + 1 || (from < 2) != (to < 2) {
        return Err(wrong());
    }
    let number = |n: &&str| n.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !numbers.iter().all(number) {
        return Err(wrong());
    }
    let parts = numbers.iter().zip(&UNITS[from..=to]);
    let parts: Vec<String> = parts.map(|(n, unit)| format!("{sign}{n} {unit}")).collect();
    value.value = Value::SingleQuotedString(parts.join(" "));
    interval.leading_field = None;
    Ok(())
}

/// An interval's first number has two digits, unless its unit says another precision.
fn fits_precision(interval: &Interval) -> Result<()> {
    let (Some(unit), Expr::Value(value)) = (&interval.leading_field, interval.value.as_ref())
    else {
        return Ok(());
    };
    let Value::SingleQuotedString(literal) = &value.value else { return Ok(()) };
    let number: String = literal
        .trim()
        .trim_start_matches(['-', '+'])
        .trim_start_matches('0')
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let precision = interval.leading_precision.unwrap_or(INTERVAL_PRECISION_DEFAULT);
    if number.len() as u64 <= precision {
        return Ok(());
    }
    let digits = number.len();
    let hint = match unit {
        // Flink takes no precision of more than two digits here.
        DateTimeField::Second => "write it in a larger unit: INTERVAL '60' MINUTE".to_owned(),
        _ => format!("write INTERVAL '{literal}' {unit}({digits}), or a larger unit"),
    };
    Err(SqlError::new(format!("{number} has more digits than {unit}({precision}) holds"))
        .with_span(Span::from_sqlparser(value.span))
        .with_hint(hint))
}

/// Units of an interval from the largest; the first two count months.
const UNITS: [&str; 6] = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];

fn unit_rank(unit: &DateTimeField) -> Option<usize> {
    let name = unit.to_string();
    UNITS.iter().position(|u| *u == name)
}
