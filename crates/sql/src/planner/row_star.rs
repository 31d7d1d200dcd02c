//! `SELECT t.row.*`: the fields of a column that is a row.
//!
//! Only the types of the `FROM` clause say which fields there are. So, before the query is
//! planned, the `FROM` clause of such a select is planned alone, and the star is written out.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, DFSchemaRef, TableReference};
use sqlparser::ast::{
    self, Expr, Ident, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    VisitMut, VisitorMut,
};

/// Writes out the stars behind columns that are rows; `from` answers the columns of a query.
pub(super) fn expand(query: &mut Query, columns: &mut dyn FnMut(Query) -> Option<DFSchemaRef>) {
    let _ = query.visit(&mut Stars { columns, with: Vec::new() });
}

struct Stars<'a> {
    columns: &'a mut dyn FnMut(Query) -> Option<DFSchemaRef>,
    /// The `WITH` clauses around the select that is visited.
    with: Vec<Option<ast::With>>,
}

impl VisitorMut for Stars<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.with.push(query.with.clone());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.with.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let tables = select
            .from
            .iter()
            .flat_map(|f| std::iter::once(&f.relation).chain(f.joins.iter().map(|j| &j.relation)));
        let tables: Vec<String> = tables.filter_map(table_name).collect();
        let is_row = |item: &SelectItem| {
            star_path(item).is_some_and(|path| path.len() > 1 || !tables.contains(&path[0]))
        };
        if !select.projection.iter().any(is_row) {
            return ControlFlow::Continue(());
        }
        let alone = self.from_alone(select);
        if let Some(schema) = (self.columns)(alone) {
            let items = std::mem::take(&mut select.projection);
            for item in items {
                match fields_of(&item, &schema) {
                    Some(fields) => select.projection.extend(fields),
                    None => select.projection.push(item),
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl Stars<'_> {
    /// `SELECT * FROM …` of a select, with all that is named around it.
    fn from_alone(&self, select: &Select) -> Query {
        let mut alone = select.clone();
        alone.distinct = None;
        alone.projection = vec![SelectItem::Wildcard(Default::default())];
        alone.selection = None;
        alone.group_by = ast::GroupByExpr::Expressions(Vec::new(), Vec::new());
        alone.having = None;
        alone.named_window = Vec::new();
        let mut around = self.with.iter().flatten();
        let with = around.next().cloned().map(|mut first| {
            first.cte_tables.extend(around.flat_map(|w| w.cte_tables.clone()));
            first
        });
        super::dialect::query_of(with, alone)
    }
}

fn table_name(factor: &ast::TableFactor) -> Option<String> {
    let alias = match factor {
        ast::TableFactor::Table { alias, name, .. } => match alias {
            Some(alias) => return Some(alias.name.value.clone()),
            None => return last_part(name),
        },
        ast::TableFactor::Derived { alias, .. }
        | ast::TableFactor::TableFunction { alias, .. }
        | ast::TableFactor::Function { alias, .. }
        | ast::TableFactor::UNNEST { alias, .. } => alias,
        _ => return None,
    };
    alias.as_ref().map(|a| a.name.value.clone())
}

fn last_part(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.clone())
}

/// The words before `.*`.
fn star_path(item: &SelectItem) -> Option<Vec<String>> {
    let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
    else {
        return None;
    };
    name.0.iter().map(|p| p.as_ident().map(|i| i.value.clone())).collect()
}

/// The fields of the row that a star stands behind, as select items; `None` if it is no row.
fn fields_of(item: &SelectItem, schema: &DFSchema) -> Option<Vec<SelectItem>> {
    let path = star_path(item)?;
    let named = |at: usize| {
        let table = (at == 1).then(|| TableReference::bare(path[0].as_str()));
        let name = path.get(at)?;
        let mut found = schema.iter().filter(|(qualifier, field)| {
            field.name() == name && (table.is_none() || *qualifier == table.as_ref())
        });
        let (_, field) = found.next()?;
        found.next().is_none().then(|| (field.data_type().clone(), at + 1))
    };
    let (mut data_type, rest) = named(1).or_else(|| named(0))?;
    for name in &path[rest..] {
        let DataType::Struct(fields) = &data_type else { return None };
        data_type = fields.iter().find(|f| f.name() == name)?.data_type().clone();
    }
    let DataType::Struct(fields) = data_type else { return None };
    let quoted = |name: &String| Ident::with_quote('`', name);
    let item = |name: &String| SelectItem::ExprWithAlias {
        expr: Expr::CompoundIdentifier(path.iter().chain([name]).map(quoted).collect()),
        alias: quoted(name),
    };
    Some(fields.iter().map(|f| item(f.name())).collect())
}
