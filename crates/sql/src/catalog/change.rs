//! `CREATE`, `DROP` and `USE`, as they change the catalog.

use std::sync::Arc;

use super::lookup::{missing, wrong_kind};
use super::{
    Catalog, CatalogEntry, DEFAULT_CATALOG, DEFAULT_DATABASE, Database, FunctionDef, ModelDef,
    ObjectPath, Outcome, Relation, TableDef, ViewDef, like,
};
use crate::error::{Result, SqlError};
use crate::parser::{
    ColumnDef, ColumnKind, CreateCatalog, CreateDatabase, CreateFunction, CreateMaterializedView,
    CreateModel, CreateTable, CreateView, DropDatabase, DropObject, OnConflict, Options,
    QualifiedName, Statement, Use,
};
use crate::types::{FlinkType, TypeKind};

impl Catalog {
    /// Does what a statement says about the catalog.
    ///
    /// `None`: the statement is not about the catalog, or it is `CREATE TABLE … AS`, whose columns
    /// only the planner knows (see [`Catalog::create_table_as`]).
    pub fn apply(&mut self, statement: &Statement) -> Result<Option<Outcome>> {
        Ok(Some(match statement {
            Statement::CreateTable(table) if table.query.is_none() => self.create_table(table)?,
            Statement::AlterTable(alter) => self.alter_table(alter)?,
            Statement::DropTable(drop) => self.drop_table(drop)?,
            Statement::CreateView(view) => self.create_view(view)?,
            Statement::AlterView(alter) => self.alter_view(alter)?,
            Statement::DropView(drop) => self.drop_view(drop)?,
            Statement::CreateMaterializedView(view) => self.create_materialized_view(view)?,
            Statement::DropMaterializedView(drop) => self.drop_materialized_view(drop)?,
            Statement::CreateDatabase(create) => self.create_database(create)?,
            Statement::DropDatabase(drop) => self.drop_database(drop)?,
            Statement::CreateCatalog(create) => self.create_catalog(create)?,
            Statement::DropCatalog(drop) => self.drop_catalog(drop)?,
            Statement::CreateFunction(create) => self.create_function(create)?,
            Statement::DropFunction(drop) => self.drop_function(drop)?,
            Statement::CreateModel(create) => self.create_model(create)?,
            Statement::DropModel(drop) => self.drop_model(drop)?,
            Statement::Use(place) => self.use_place(place)?,
            _ => return Ok(None),
        }))
    }

    /// `CREATE TABLE`, also `LIKE`.
    pub fn create_table(&mut self, create: &CreateTable) -> Result<Outcome> {
        if create.query.is_some() {
            return Err(SqlError::new("the columns of CREATE TABLE … AS are not known yet")
                .with_span(create.name.span));
        }
        self.create_table_as(create, Vec::new())
    }

    /// `CREATE TABLE … AS query`, with the columns of the query; declared columns come first, and
    /// one of the same name takes the place of the query's.
    pub fn create_table_as(
        &mut self,
        create: &CreateTable,
        query_columns: Vec<ColumnDef>,
    ) -> Result<Outcome> {
        let path = self.new_path(&create.name)?;
        let mut table = TableDef {
            path: path.clone(),
            columns: create.columns.clone(),
            watermark: create.watermark.clone(),
            primary_key: create.primary_key.clone(),
            partitioned_by: create.partitioned_by.clone(),
            distribution: create.distribution.clone(),
            options: create.options.clone(),
            comment: create.comment.clone(),
            temporary: create.temporary,
        };
        for column in query_columns {
            if table.column(&column.name).is_none() {
                table.columns.push(column);
            }
        }
        if !create.column_order.is_empty() {
            reorder(&mut table, create)?;
        }
        if let Some(clause) = &create.like {
            let source = self.table(&clause.source)?;
            table = like::merge(source, table, &clause.options)
                .map_err(|e| e.with_span(create.name.span))?;
        }
        finish_table(&mut table).map_err(|e| e.with_span(create.name.span))?;
        let relation = Relation::Table(Box::new(table));
        self.add_relation(path, relation, create.on_conflict, &create.name)
    }

    /// `CREATE VIEW`.
    pub fn create_view(&mut self, create: &CreateView) -> Result<Outcome> {
        let path = self.new_path(&create.name)?;
        let view = ViewDef {
            path: path.clone(),
            columns: create.columns.clone(),
            query: create.query.clone(),
            home: (self.current_catalog.clone(), self.current_database.clone()),
            materialized: false,
            primary_key: None,
            options: Options::new(),
            comment: create.comment.clone(),
            temporary: create.temporary,
        };
        let relation = Relation::View(Box::new(view));
        self.add_relation(path, relation, create.on_conflict, &create.name)
    }

    /// `CREATE MATERIALIZED VIEW`.
    pub fn create_materialized_view(&mut self, create: &CreateMaterializedView) -> Result<Outcome> {
        let path = self.new_path(&create.name)?;
        let view = ViewDef {
            path: path.clone(),
            columns: create.columns.clone(),
            query: create.query.clone(),
            home: (self.current_catalog.clone(), self.current_database.clone()),
            materialized: true,
            primary_key: create.primary_key.clone(),
            options: create.options.clone(),
            comment: create.comment.clone(),
            temporary: false,
        };
        let relation = Relation::View(Box::new(view));
        self.add_relation(path, relation, create.on_conflict, &create.name)
    }

    fn add_relation(
        &mut self,
        path: ObjectPath,
        relation: Relation,
        on_conflict: OnConflict,
        name: &QualifiedName,
    ) -> Result<Outcome> {
        let space = match relation.is_temporary() {
            true => &mut self.temporary,
            false => &mut self.permanent,
        };
        match (space.get(&path), on_conflict) {
            (Some(_), OnConflict::Ignore) => return Ok(Outcome::Nothing),
            (Some(old), OnConflict::Fail) => return Err(exists(old.kind_name(), name)),
            (Some(old), OnConflict::Replace) if old.kind_name() != relation.kind_name() => {
                return Err(wrong_kind(old, relation.kind_name(), name));
            }
            _ => {}
        }
        space.insert(path, Arc::new(relation));
        Ok(Outcome::Done)
    }

    /// `DROP TABLE`.
    pub fn drop_table(&mut self, drop: &DropObject) -> Result<Outcome> {
        self.drop_relation(drop, "table", "DROP TABLE")
    }

    /// `DROP VIEW`.
    pub fn drop_view(&mut self, drop: &DropObject) -> Result<Outcome> {
        self.drop_relation(drop, "view", "DROP VIEW")
    }

    /// `DROP MATERIALIZED VIEW`.
    pub fn drop_materialized_view(&mut self, drop: &DropObject) -> Result<Outcome> {
        self.drop_relation(drop, "materialized view", "DROP MATERIALIZED VIEW")
    }

    fn drop_relation(
        &mut self,
        drop: &DropObject,
        kind: &'static str,
        command: &str,
    ) -> Result<Outcome> {
        let path = self.path(&drop.name)?;
        if !drop.temporary && self.temporary.get(&path).is_some_and(|r| r.kind_name() == kind) {
            let message = format!("{} is a temporary {kind}", drop.name);
            let hint = command.replacen("DROP", "use DROP TEMPORARY", 1);
            return Err(SqlError::new(message).with_span(drop.name.span).with_hint(hint));
        }
        let space = match drop.temporary {
            true => &mut self.temporary,
            false => &mut self.permanent,
        };
        match space.get(&path) {
            Some(found) if found.kind_name() == kind => {
                space.remove(&path);
                Ok(Outcome::Done)
            }
            Some(found) => {
                let hint = format!("use DROP {}", found.kind_name().to_ascii_uppercase());
                Err(wrong_kind(found, kind, &drop.name).with_hint(hint))
            }
            None if drop.if_exists => Ok(Outcome::Nothing),
            None => {
                let kind = if drop.temporary { format!("temporary {kind}") } else { kind.into() };
                Err(self.missing_relation(&kind, &drop.name, &path))
            }
        }
    }

    /// Writes down the type that the planner found for a computed column.
    pub fn set_column_type(&mut self, path: &ObjectPath, column: &str, data_type: FlinkType) {
        let relation = match self.temporary.contains_key(path) {
            true => self.temporary.get_mut(path),
            false => self.permanent.get_mut(path),
        };
        if let Some(Relation::Table(table)) = relation.map(Arc::make_mut)
            && let Some(found) = table.columns.iter_mut().find(|c| c.name == column)
        {
            found.data_type = Some(data_type);
        }
    }

    /// `CREATE DATABASE`.
    pub fn create_database(&mut self, create: &CreateDatabase) -> Result<Outcome> {
        let (catalog, database) = self.database_path(&create.name);
        self.require_catalog(&catalog).map_err(|e| e.with_span(create.name.span))?;
        let Some(entry) = self.catalogs.get_mut(&catalog) else {
            return Ok(Outcome::Nothing);
        };
        if entry.databases.contains_key(&database) {
            return match create.on_conflict {
                OnConflict::Ignore => Ok(Outcome::Nothing),
                _ => Err(exists("database", &create.name)),
            };
        }
        let options = create.options.clone();
        entry.databases.insert(database, Database { comment: create.comment.clone(), options });
        Ok(Outcome::Done)
    }

    /// `DROP DATABASE`.
    pub fn drop_database(&mut self, drop: &DropDatabase) -> Result<Outcome> {
        let (catalog, database) = self.database_path(&drop.name);
        let found = self.require_database(&catalog, &database);
        if let Err(error) = found {
            return match drop.if_exists {
                true => Ok(Outcome::Nothing),
                false => Err(error.with_span(drop.name.span)),
            };
        }
        let refuse = |message: String, hint: &str| {
            Err(SqlError::new(message).with_span(drop.name.span).with_hint(hint))
        };
        if catalog == self.current_catalog && database == self.current_database {
            return refuse(format!("the database '{database}' is in use"), "USE another one first");
        }
        let inside = |path: &ObjectPath| path.catalog == catalog && path.database == database;
        let is_empty = !self.permanent.keys().any(inside)
            && !self.functions.keys().any(inside)
            && !self.models.keys().any(inside);
        if !is_empty && !drop.cascade {
            let message = format!("the database '{database}' is not empty");
            return refuse(message, "use DROP DATABASE … CASCADE to drop all that is in it");
        }
        self.permanent.retain(|path, _| !inside(path));
        self.temporary.retain(|path, _| !inside(path));
        self.functions.retain(|path, _| !inside(path));
        self.models.retain(|path, _| !inside(path));
        if let Some(entry) = self.catalogs.get_mut(&catalog) {
            entry.databases.remove(&database);
        }
        Ok(Outcome::Done)
    }

    /// `CREATE CATALOG`: one in memory, with a database `default`, as Flink's.
    pub fn create_catalog(&mut self, create: &CreateCatalog) -> Result<Outcome> {
        let name = create.name.object().to_string();
        if self.catalogs.contains_key(&name) {
            return match create.on_conflict {
                OnConflict::Ignore => Ok(Outcome::Nothing),
                _ => Err(exists("catalog", &create.name)),
            };
        }
        let entry_of = |key: &str| create.options.entry(key);
        match create.options.get("type") {
            Some("generic_in_memory") | None => {}
            Some(other) => {
                let span = entry_of("type").and_then(|e| e.span);
                return Err(SqlError::not_supported(format!("a catalog of type '{other}'"))
                    .with_span(span)
                    .with_hint("use 'type' = 'generic_in_memory'"));
            }
        }
        let database = create.options.get("default-database").unwrap_or("default").to_string();
        let mut entry = CatalogEntry {
            comment: create.comment.clone(),
            options: create.options.clone(),
            ..CatalogEntry::default()
        };
        entry.databases.insert(database, Database::default());
        self.catalogs.insert(name, entry);
        Ok(Outcome::Done)
    }

    /// `DROP CATALOG`.
    pub fn drop_catalog(&mut self, drop: &DropObject) -> Result<Outcome> {
        let name = drop.name.object();
        if let Err(error) = self.require_catalog(name) {
            return match drop.if_exists {
                true => Ok(Outcome::Nothing),
                false => Err(error.with_span(drop.name.span)),
            };
        }
        if name == self.current_catalog || name == DEFAULT_CATALOG {
            return Err(SqlError::new(format!("the catalog '{name}' is in use"))
                .with_span(drop.name.span)
                .with_hint("USE CATALOG another one first; the default one stays"));
        }
        self.permanent.retain(|path, _| path.catalog != name);
        self.temporary.retain(|path, _| path.catalog != name);
        self.functions.retain(|path, _| path.catalog != name);
        self.models.retain(|path, _| path.catalog != name);
        self.catalogs.remove(name);
        Ok(Outcome::Done)
    }

    /// `CREATE FUNCTION`.
    pub fn create_function(&mut self, create: &CreateFunction) -> Result<Outcome> {
        let path = match create.system {
            true => ObjectPath::system(create.name.object()),
            false => self.new_path(&create.name)?,
        };
        if self.functions.contains_key(&path) {
            return match create.on_conflict {
                OnConflict::Ignore => Ok(Outcome::Nothing),
                _ => Err(exists("function", &create.name)),
            };
        }
        let function = FunctionDef {
            path: path.clone(),
            identifier: create.identifier.clone(),
            language: create.language.clone(),
            resources: create.resources.clone(),
            options: create.options.clone(),
            system: create.system,
            temporary: create.temporary,
        };
        self.functions.insert(path, function);
        Ok(Outcome::Done)
    }

    /// `DROP FUNCTION`.
    pub fn drop_function(&mut self, drop: &DropObject) -> Result<Outcome> {
        let path = match self.find_function(&drop.name) {
            Some(function) => function.path.clone(),
            None if drop.if_exists => return Ok(Outcome::Nothing),
            None => {
                let names = self.functions.keys().map(|p| p.object.as_str());
                let error = missing("function", &drop.name.to_string(), names);
                return Err(error.with_span(drop.name.span));
            }
        };
        self.functions.remove(&path);
        Ok(Outcome::Done)
    }

    /// `CREATE MODEL`.
    pub fn create_model(&mut self, create: &CreateModel) -> Result<Outcome> {
        let path = self.new_path(&create.name)?;
        match (self.models.contains_key(&path), create.on_conflict) {
            (true, OnConflict::Ignore) => return Ok(Outcome::Nothing),
            (true, OnConflict::Fail) => return Err(exists("model", &create.name)),
            _ => {}
        }
        let model = ModelDef {
            path: path.clone(),
            input: create.input.clone(),
            output: create.output.clone(),
            options: create.options.clone(),
            comment: create.comment.clone(),
            query: create.query.clone(),
            temporary: create.temporary,
        };
        self.models.insert(path, model);
        Ok(Outcome::Done)
    }

    /// `DROP MODEL`.
    pub fn drop_model(&mut self, drop: &DropObject) -> Result<Outcome> {
        match self.model(&drop.name) {
            Ok(model) => {
                let path = model.path.clone();
                self.models.remove(&path);
                Ok(Outcome::Done)
            }
            Err(_) if drop.if_exists => Ok(Outcome::Nothing),
            Err(error) => Err(error),
        }
    }

    /// `USE`.
    pub fn use_place(&mut self, place: &Use) -> Result<Outcome> {
        match place {
            Use::Catalog(name) => {
                let entry =
                    self.require_catalog(name.object()).map_err(|e| e.with_span(name.span))?;
                // A catalog opens at its first database, the default one if it has that.
                let first = entry.databases.keys().next().cloned().unwrap_or_default();
                let default = entry.databases.contains_key(DEFAULT_DATABASE);
                self.current_database = if default { DEFAULT_DATABASE.into() } else { first };
                self.current_catalog = name.object().to_string();
            }
            Use::Database(name) => {
                let (catalog, database) = self.database_path(name);
                self.require_database(&catalog, &database).map_err(|e| e.with_span(name.span))?;
                (self.current_catalog, self.current_database) = (catalog, database);
            }
        }
        Ok(Outcome::Done)
    }

    pub(super) fn database_path(&self, name: &QualifiedName) -> (String, String) {
        match name.parts.as_slice() {
            [catalog, database, ..] => (catalog.clone(), database.clone()),
            _ => (self.current_catalog.clone(), name.object().to_string()),
        }
    }
}

fn exists(kind: &str, name: &QualifiedName) -> SqlError {
    SqlError::new(format!("there is already a {kind} named '{name}'"))
        .with_span(name.span)
        .with_hint("use IF NOT EXISTS to keep it, or drop it first")
}

/// `CREATE TABLE t (b, a) AS query`: the query's columns in the order that was written.
fn reorder(table: &mut TableDef, create: &CreateTable) -> Result<()> {
    let mut ordered = Vec::with_capacity(create.column_order.len());
    for name in &create.column_order {
        let column = table.column(name).cloned().ok_or_else(|| {
            let names = table.columns.iter().map(|c| c.name.as_str());
            missing("column of the query", name, names).with_span(create.name.span)
        })?;
        ordered.push(column);
    }
    if ordered.len() != table.columns.len() {
        return Err(SqlError::new("the list of columns must name every column of the query")
            .with_span(create.name.span));
    }
    table.columns = ordered;
    Ok(())
}

/// The rules that a whole table must keep; its key columns become `NOT NULL`.
pub(super) fn finish_table(table: &mut TableDef) -> Result<()> {
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let unknown = |what: &str, name: &str| {
        let mut error = missing("column", name, names.iter().copied());
        error.message = format!("the {what} names '{name}', which is not a column of the table");
        error
    };
    let is_missing = |name: &&String| !names.contains(&name.as_str());
    if let Some(name) = table.partitioned_by.iter().find(is_missing) {
        return Err(unknown("PARTITIONED BY clause", name));
    }
    let mut buckets = table.distribution.iter().flat_map(|d| &d.columns);
    if let Some(name) = buckets.find(is_missing) {
        return Err(unknown("DISTRIBUTED BY clause", name));
    }
    if let Some(watermark) = &table.watermark {
        let Some(column) = table.column(&watermark.column) else {
            let error = unknown("watermark", &watermark.column);
            return Err(error.with_span(watermark.expression.span));
        };
        check_time_column(column).map_err(|e| e.with_span(watermark.expression.span))?;
    }
    let Some(key) = table.primary_key.clone() else {
        return Ok(());
    };
    for name in &key.columns {
        if !names.contains(&name.as_str()) {
            return Err(unknown("primary key", name).with_span(key.span));
        }
    }
    for column in table.columns.iter_mut().filter(|c| key.columns.contains(&c.name)) {
        if !matches!(column.kind, ColumnKind::Physical) {
            let message = format!("the primary key column '{}' is not physical", column.name);
            return Err(SqlError::new(message).with_span(key.span).with_hint(
                "a key is made of columns that are in the records, not computed or metadata",
            ));
        }
        if let Some(data_type) = &mut column.data_type {
            data_type.nullable = false;
        }
    }
    Ok(())
}

/// An event-time column is a `TIMESTAMP` or `TIMESTAMP_LTZ` of at most milliseconds.
fn check_time_column(column: &ColumnDef) -> Result<()> {
    let Some(data_type) = &column.data_type else {
        return Ok(());
    };
    if matches!(data_type.kind, TypeKind::Timestamp(0..=3) | TypeKind::TimestampLtz(0..=3)) {
        return Ok(());
    }
    let name = &column.name;
    Err(SqlError::new(format!("the watermark's column '{name}' has the type {data_type}"))
        .with_detail("event time is a TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3")
        .with_hint(format!("declare {name} TIMESTAMP(3), or add a computed column that casts it")))
}
