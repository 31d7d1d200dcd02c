//! The names of the columns of a `SELECT`, as Flink gives them.
//!
//! What is computed is `EXPR$0` by its position; a field of a row has the name of the field; a
//! name that was there before gets a number: `a`, `a0`, `a1`. DataFusion would name a field by the
//! call that reads it, and take two columns of one name for a mistake.

use sqlparser::ast::{Expr, Ident, ObjectName, Select, SelectItem, TableFactor, TableWithJoins};

/// Gives select items the names that Flink gives them.
pub(super) fn name_columns(select: &mut Select) {
    let tables: Vec<Vec<String>> = select.from.iter().flat_map(table_names).collect();
    let all: Vec<String> = select.projection.iter().filter_map(name_of).collect();
    let mut taken: Vec<String> = Vec::new();
    for (at, item) in select.projection.iter_mut().enumerate() {
        let (expr, name, is_named) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone(), true),
            SelectItem::UnnamedExpr(expr) => {
                let path = path_of(expr);
                let named = !path.is_empty() && !is_field(&path, &tables);
                let name = path.last().cloned().unwrap_or_else(|| format!("EXPR${at}"));
                (expr, name, named)
            }
            _ => continue,
        };
        let unique = match taken.contains(&name) {
            true => free_name(&name, &[&taken, &all]),
            false => name.clone(),
        };
        taken.push(unique.clone());
        if unique != name || !is_named {
            let alias = Ident::with_quote('`', unique);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// The name with the first number behind it that makes it new.
fn free_name(name: &str, taken: &[&[String]]) -> String {
    let is_free = |n: &String| !taken.iter().any(|names| names.contains(n));
    (0..).map(|n: u32| format!("{name}{n}")).find(is_free).unwrap_or_default()
}

/// The names that lead to a column or to a field of one; of anything else none.
fn path_of(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::Identifier(name) => vec![name.value.clone()],
        Expr::CompoundIdentifier(parts) => parts.iter().map(|name| name.value.clone()).collect(),
        _ => Vec::new(),
    }
}

fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => path_of(expr).pop(),
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    }
}

/// Whether a path goes further than to a column of one of the tables. A path that begins with no
/// table begins with a column, or with a table of a query around this one: a name is right for
/// that too.
fn is_field(path: &[String], tables: &[Vec<String>]) -> bool {
    match path.split_last() {
        Some((_, table)) => !table.is_empty() && !tables.iter().any(|t| t.ends_with(table)),
        None => false,
    }
}

/// What the tables of an item of `FROM` are called: their alias, or the parts of their name.
fn table_names(from: &TableWithJoins) -> Vec<Vec<String>> {
    let factors = std::iter::once(&from.relation).chain(from.joins.iter().map(|j| &j.relation));
    let mut names = Vec::new();
    for factor in factors {
        match factor {
            TableFactor::Table { name, alias: None, .. } => names.push(parts(name)),
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::MatchRecognize { alias, .. } => {
                names.extend(alias.iter().map(|a| vec![a.name.value.clone()]));
            }
            TableFactor::NestedJoin { table_with_joins, alias } => match alias {
                Some(alias) => names.push(vec![alias.name.value.clone()]),
                None => names.extend(table_names(table_with_joins)),
            },
            _ => {}
        }
    }
    names
}

fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|p| p.as_ident().map(|i| i.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::{SetExpr, Statement};
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    use super::*;

    fn named(sql: &str) -> Vec<String> {
        let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        let Statement::Query(query) = statements.remove(0) else { panic!("{sql}") };
        let SetExpr::Select(mut select) = *query.body else { panic!("{sql}") };
        name_columns(&mut select);
        select.projection.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_field_has_its_own_name() {
        assert_eq!(named("SELECT r.x, t.r.s.y FROM t"), ["r.x AS `x`", "t.r.s.y AS `y`"]);
        assert_eq!(named("SELECT r.x FROM a.b.t AS r"), ["r.x"]);
        assert_eq!(named("SELECT t.x, b.t.y, a.b.t.z FROM a.b.t"), ["t.x", "b.t.y", "a.b.t.z"]);
        assert_eq!(named("SELECT l.x FROM (l CROSS JOIN r) JOIN s ON 1 = 1"), ["l.x"]);
    }

    #[test]
    fn a_name_that_comes_again_gets_a_number() {
        assert_eq!(named("SELECT r.x, r.x FROM t"), ["r.x AS `x`", "r.x AS `x0`"]);
        assert_eq!(named("SELECT r.x, x, x FROM t"), ["r.x AS `x`", "x AS `x0`", "x AS `x1`"]);
        assert_eq!(named("SELECT x, r.x FROM t"), ["x", "r.x AS `x0`"]);
        assert_eq!(named("SELECT a, a FROM t"), ["a", "a AS `a0`"]);
        assert_eq!(named("SELECT a, b AS a FROM t"), ["a", "b AS `a0`"]);
        assert_eq!(named("SELECT l.a, r.a FROM l, r"), ["l.a", "r.a AS `a0`"]);
        assert_eq!(
            named("SELECT r.x, r.x, 1 AS x0 FROM t"),
            ["r.x AS `x`", "r.x AS `x1`", "1 AS x0"]
        );
    }

    #[test]
    fn what_is_computed_is_counted() {
        assert_eq!(
            named("SELECT a, b + 1, (r).x FROM t"),
            ["a", "b + 1 AS `EXPR$1`", "(r).x AS `EXPR$2`"]
        );
    }
}
