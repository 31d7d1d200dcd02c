//! `ALTER TABLE` and `ALTER VIEW`, as they change the catalog.

use std::sync::Arc;

use super::change::finish_table;
use super::lookup::{missing, wrong_kind};
use super::{Catalog, ObjectPath, Outcome, Relation, Relations, TableDef};
use crate::error::{Result, SqlError};
use crate::parser::{
    AlterAction, AlterItem, AlterTable, AlterView, ColumnDef, ColumnKind, ColumnPosition,
    QualifiedName, QueryText,
};

impl Catalog {
    /// `ALTER TABLE`: all of it or, after an error, nothing of it.
    pub fn alter_table(&mut self, alter: &AlterTable) -> Result<Outcome> {
        if alter.if_exists && self.find_relation(&alter.name).is_none() {
            return Ok(Outcome::Nothing);
        }
        let mut table = self.table(&alter.name)?.clone();
        if let AlterAction::RenameTable(to) = &alter.action {
            return self.rename(&alter.name, to);
        }
        change(&mut table, &alter.action)
            .and_then(|()| finish_table(&mut table))
            .map_err(|e| e.with_span(alter.name.span))?;
        let path = table.path.clone();
        self.space(table.temporary).insert(path, Arc::new(Relation::Table(Box::new(table))));
        Ok(Outcome::Done)
    }

    /// `ALTER VIEW`.
    pub fn alter_view(&mut self, alter: &AlterView) -> Result<Outcome> {
        match alter {
            AlterView::Rename { name, to } => {
                self.view(name)?;
                self.rename(name, to)
            }
            AlterView::SetQuery { name, query } => self.set_query(name, query),
        }
    }

    fn set_query(&mut self, name: &QualifiedName, query: &QueryText) -> Result<Outcome> {
        let mut view = self.view(name)?.clone();
        if view.materialized {
            let found = Relation::View(Box::new(view));
            return Err(wrong_kind(&found, "view", name)
                .with_hint("use CREATE OR REPLACE MATERIALIZED VIEW"));
        }
        view.query = query.clone();
        view.columns.clear();
        view.home = (self.current_catalog.clone(), self.current_database.clone());
        let path = view.path.clone();
        self.space(view.temporary).insert(path, Arc::new(Relation::View(Box::new(view))));
        Ok(Outcome::Done)
    }

    fn rename(&mut self, from: &QualifiedName, to: &QualifiedName) -> Result<Outcome> {
        let old = self.path(from)?;
        // A new name of one part stays in the object's own database.
        let new = match to.parts.as_slice() {
            [object] => ObjectPath { object: object.clone(), ..old.clone() },
            _ => self.new_path(to)?,
        };
        if !new.is_beside(&old) {
            return Err(SqlError::not_supported("a move to another database").with_span(to.span));
        }
        let temporary = self.temporary.contains_key(&old);
        if let Some(found) = self.space(temporary).get(&new) {
            let message = format!("there is already a {} named '{to}'", found.kind_name());
            return Err(SqlError::new(message).with_span(to.span));
        }
        let space = self.space(temporary);
        let Some(mut relation) = space.remove(&old) else {
            return Ok(Outcome::Nothing);
        };
        match Arc::make_mut(&mut relation) {
            Relation::Table(table) => table.path = new.clone(),
            Relation::View(view) => view.path = new.clone(),
        }
        space.insert(new, relation);
        Ok(Outcome::Done)
    }

    fn space(&mut self, temporary: bool) -> &mut Relations {
        if temporary { &mut self.temporary } else { &mut self.permanent }
    }
}

fn change(table: &mut TableDef, action: &AlterAction) -> Result<()> {
    match action {
        AlterAction::RenameTable(_) => Ok(()),
        AlterAction::RenameColumn { from, to } => rename_column(table, from, to),
        AlterAction::Add(items) => items.iter().try_for_each(|item| add(table, item)),
        AlterAction::Modify(items) => items.iter().try_for_each(|item| modify(table, item)),
        AlterAction::DropColumns(names) => names.iter().try_for_each(|n| drop_column(table, n)),
        AlterAction::DropPrimaryKey { name } => {
            let key = table.primary_key.take().ok_or_else(|| has_no("primary key"))?;
            match name {
                Some(name) if key.name.as_ref() != Some(name) => {
                    Err(SqlError::new(format!("the table has no constraint named '{name}'")))
                }
                _ => Ok(()),
            }
        }
        AlterAction::DropWatermark => {
            table.watermark.take().map(drop).ok_or_else(|| has_no("watermark"))
        }
        AlterAction::DropDistribution => {
            table.distribution.take().map(drop).ok_or_else(|| has_no("distribution"))
        }
        AlterAction::SetOptions(options) => {
            for entry in options.iter() {
                table.options.set(entry.key.clone(), entry.value.clone(), entry.span);
            }
            Ok(())
        }
        AlterAction::ResetOptions(keys) => {
            for key in keys {
                if key == "connector" {
                    return Err(SqlError::new("the option 'connector' cannot be reset"));
                }
                table.options.remove(key);
            }
            Ok(())
        }
    }
}

fn has_no(what: &str) -> SqlError {
    SqlError::new(format!("the table has no {what}"))
}

fn has_already(what: &str) -> SqlError {
    SqlError::new(format!("the table has a {what} already")).with_hint("use MODIFY to change it")
}

fn position_of(table: &TableDef, name: &str) -> Result<usize> {
    table
        .columns
        .iter()
        .position(|c| c.name == name)
        .ok_or_else(|| missing("column", name, table.columns.iter().map(|c| c.name.as_str())))
}

fn add(table: &mut TableDef, item: &AlterItem) -> Result<()> {
    match item {
        AlterItem::Column(column, position) => {
            if table.column(&column.name).is_some() {
                let message = format!("the table has a column '{}' already", column.name);
                return Err(SqlError::new(message).with_span(column.span));
            }
            insert(table, column.clone(), position, table.columns.len())
        }
        AlterItem::Watermark(_) if table.watermark.is_some() => Err(has_already("watermark")),
        AlterItem::PrimaryKey(_) if table.primary_key.is_some() => Err(has_already("primary key")),
        AlterItem::Distribution(_) if table.distribution.is_some() => {
            Err(has_already("distribution"))
        }
        other => set(table, other),
    }
}

fn modify(table: &mut TableDef, item: &AlterItem) -> Result<()> {
    match item {
        AlterItem::Column(column, position) => {
            let at = position_of(table, &column.name)?;
            let old = table.columns.remove(at);
            let mut new = column.clone();
            new.comment = new.comment.or(old.comment);
            insert(table, new, position, at)
        }
        AlterItem::Watermark(_) if table.watermark.is_none() => Err(has_no("watermark")),
        AlterItem::PrimaryKey(_) if table.primary_key.is_none() => Err(has_no("primary key")),
        AlterItem::Distribution(_) if table.distribution.is_none() => Err(has_no("distribution")),
        other => set(table, other),
    }
}

fn set(table: &mut TableDef, item: &AlterItem) -> Result<()> {
    match item {
        AlterItem::Column(..) => {}
        AlterItem::Watermark(watermark) => table.watermark = Some(watermark.clone()),
        AlterItem::PrimaryKey(key) => table.primary_key = Some(key.clone()),
        AlterItem::Distribution(d) => table.distribution = Some(d.clone()),
    }
    Ok(())
}

fn insert(
    table: &mut TableDef,
    column: ColumnDef,
    position: &ColumnPosition,
    unchanged: usize,
) -> Result<()> {
    let at = match position {
        ColumnPosition::Unchanged => unchanged,
        ColumnPosition::First => 0,
        ColumnPosition::After(name) => position_of(table, name)? + 1,
    };
    table.columns.insert(at, column);
    Ok(())
}

fn rename_column(table: &mut TableDef, from: &str, to: &str) -> Result<()> {
    let at = position_of(table, from)?;
    if table.column(to).is_some() {
        return Err(SqlError::new(format!("the table has a column '{to}' already")));
    }
    refuse_used(table, from, "renamed")?;
    let renamed = |names: &mut Vec<String>| {
        names.iter_mut().filter(|n| *n == from).for_each(|n| *n = to.to_string());
    };
    table.primary_key.iter_mut().for_each(|key| renamed(&mut key.columns));
    renamed(&mut table.partitioned_by);
    table.distribution.iter_mut().for_each(|d| renamed(&mut d.columns));
    // A metadata column without a key is found by its name, which must not be lost.
    if let ColumnKind::Metadata { key: key @ None, .. } = &mut table.columns[at].kind {
        *key = Some(from.to_string());
    }
    table.columns[at].name = to.to_string();
    Ok(())
}

fn drop_column(table: &mut TableDef, name: &str) -> Result<()> {
    let at = position_of(table, name)?;
    refuse_used(table, name, "dropped")?;
    let role = if table.key_columns().iter().any(|c| c == name) {
        Some("the primary key")
    } else if table.partitioned_by.iter().any(|c| c == name) {
        Some("the partitioning")
    } else if table.distribution.iter().any(|d| d.columns.iter().any(|c| c == name)) {
        Some("the distribution")
    } else {
        None
    };
    if let Some(role) = role {
        return Err(SqlError::new(format!("the column '{name}' is part of {role}")));
    }
    table.columns.remove(at);
    Ok(())
}

/// A column that an expression of the table reads can be neither renamed nor dropped.
fn refuse_used(table: &TableDef, name: &str, verb: &str) -> Result<()> {
    let computed = table.columns.iter().find_map(|c| match &c.kind {
        ColumnKind::Computed(expr) if mentions(&expr.expr, name) => Some(c.name.as_str()),
        _ => None,
    });
    if let Some(user) = computed {
        let message = format!("the column '{name}' cannot be {verb}: '{user}' is computed from it");
        return Err(SqlError::new(message).with_hint(format!("drop or modify '{user}' first")));
    }
    let in_watermark = table
        .watermark
        .as_ref()
        .is_some_and(|w| w.column == name || mentions(&w.expression.expr, name));
    if in_watermark {
        let message = format!("the column '{name}' cannot be {verb}: the watermark reads it");
        return Err(SqlError::new(message).with_hint("drop or modify the watermark first"));
    }
    Ok(())
}

fn mentions(expr: &sqlparser::ast::Expr, column: &str) -> bool {
    use sqlparser::ast::{Expr, visit_expressions};
    use std::ops::ControlFlow;
    visit_expressions(expr, |e| match e {
        Expr::Identifier(ident) if ident.value == column => ControlFlow::Break(()),
        Expr::CompoundIdentifier(parts) if parts.iter().any(|p| p.value == column) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}
