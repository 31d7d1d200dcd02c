//! `(a, b) IN (SELECT x, y …)`.
//!
//! DataFusion plans `IN` for one column. A row is in a subquery where some row of it equals in
//! every column, and surely not in it where every row of it differs surely in some column:
//! both are an `EXISTS`. Within a larger condition the answer is FALSE where SQL says UNKNOWN,
//! which a filter treats alike.

use sqlparser::ast::{
    self, BinaryOperator, Expr, Ident, Query, Select, SelectItem, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, Value,
};

use super::dialect;

/// The name of the subquery's rows.
const ROWS: &str = "$in";

/// `row IN (subquery)`, or `NOT IN`, as `EXISTS`.
pub(super) fn exists(row: Vec<Expr>, subquery: Box<Query>, negated: bool) -> Expr {
    let columns: Vec<Ident> =
        (0..row.len()).map(|at| Ident::with_quote('`', format!("$in{at}"))).collect();
    let parts = row.into_iter().zip(&columns).map(|(value, column)| {
        let rows = Ident::with_quote('`', ROWS);
        let column = Expr::CompoundIdentifier(vec![rows, column.clone()]);
        let equal = binary(column.clone(), BinaryOperator::Eq, value.clone());
        if !negated {
            return equal;
        }
        // Not surely different.
        let or = |a, b| binary(a, BinaryOperator::Or, b);
        let is_null = |e| Expr::IsNull(Box::new(e));
        Expr::Nested(Box::new(or(or(equal, is_null(column)), is_null(value))))
    });
    let all = parts.reduce(|a, b| binary(a, BinaryOperator::And, b));
    let subquery = Box::new(matching(subquery, columns, all));
    Expr::Exists { subquery, negated }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// `SELECT 1 FROM (subquery) AS $in (columns) WHERE condition`.
fn matching(subquery: Box<Query>, columns: Vec<Ident>, condition: Option<Expr>) -> Query {
    let columns =
        columns.into_iter().map(|name| TableAliasColumnDef { name, data_type: None }).collect();
    let name = Ident::with_quote('`', ROWS);
    let alias = TableAlias { explicit: true, name, columns, at: None };
    let relation =
        TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    let one = Expr::Value(Value::Number("1".into(), false).into());
    let select = Select {
        select_token: ast::helpers::attached_token::AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::UnnamedExpr(one)],
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation, joins: Vec::new() }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: condition,
        connect_by: Vec::new(),
        group_by: ast::GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: ast::SelectFlavor::Standard,
    };
    dialect::query_of(None, select)
}
