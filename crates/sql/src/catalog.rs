//! What has been created: tables, views, functions and models, by catalog and database.
//!
//! The catalog holds declarations, not data. It follows Flink's rules of names (case-sensitive,
//! one to three parts, looked up in the current catalog and database; a temporary object hides a
//! permanent one of the same name) and answers every conflict with an error that says what is
//! there already, or which name is nearest.

mod alter;
mod change;
mod like;
mod lookup;
mod show;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::parser::QueryText;

pub use crate::parser::{
    ColumnDef, ColumnKind, Distribution, OptionEntry, Options, PrimaryKey, ViewColumn, Watermark,
};
pub use lookup::nearest;
pub use show::like_matches;

/// The catalog that is there from the start.
pub const DEFAULT_CATALOG: &str = "default_catalog";
/// The database that is there from the start.
pub const DEFAULT_DATABASE: &str = "default_database";

/// The full name of an object: catalog, database, object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectPath {
    /// The catalog.
    pub catalog: String,
    /// The database.
    pub database: String,
    /// The object itself.
    pub object: String,
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.catalog, self.database, self.object)
    }
}

/// A table, as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDef {
    /// Its full name.
    pub path: ObjectPath,
    /// Its columns, in order.
    pub columns: Vec<ColumnDef>,
    /// Its watermark.
    pub watermark: Option<Watermark>,
    /// Its primary key.
    pub primary_key: Option<PrimaryKey>,
    /// Its partition columns.
    pub partitioned_by: Vec<String>,
    /// Its buckets.
    pub distribution: Option<Distribution>,
    /// Its `WITH` options, in order.
    pub options: Options,
    /// Its comment.
    pub comment: Option<String>,
    /// Whether it ends with the session.
    pub temporary: bool,
}

impl TableDef {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The columns of the primary key; empty without one.
    pub fn key_columns(&self) -> &[String] {
        self.primary_key.as_ref().map_or(&[], |k| &k.columns)
    }
}

/// A view or a materialized view.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewDef {
    /// Its full name.
    pub path: ObjectPath,
    /// Column names; empty: the query's own.
    pub columns: Vec<ViewColumn>,
    /// Its query.
    pub query: QueryText,
    /// The catalog and database its names are looked up in.
    pub home: (String, String),
    /// Whether its rows are kept and served.
    pub materialized: bool,
    /// The key a materialized view is served by; `None`: the planner's.
    pub primary_key: Option<PrimaryKey>,
    /// The options of a materialized view.
    pub options: Options,
    /// Its comment.
    pub comment: Option<String>,
    /// Whether it ends with the session.
    pub temporary: bool,
}

/// A function that was created by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDef {
    /// Its full name.
    pub path: ObjectPath,
    /// The class or module that holds it.
    pub identifier: String,
    /// `LANGUAGE`, in upper case.
    pub language: Option<String>,
    /// `USING JAR` and the like.
    pub resources: Vec<String>,
    /// Its options.
    pub options: Options,
    /// Whether it is found without a database.
    pub system: bool,
    /// Whether it ends with the session.
    pub temporary: bool,
}

/// A model that was created by name.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelDef {
    /// Its full name.
    pub path: ObjectPath,
    /// Its input columns.
    pub input: Vec<ColumnDef>,
    /// Its output columns.
    pub output: Vec<ColumnDef>,
    /// Its options.
    pub options: Options,
    /// Its comment.
    pub comment: Option<String>,
    /// What it is fitted on, if it is fitted here.
    pub query: Option<QueryText>,
    /// Whether it ends with the session.
    pub temporary: bool,
}

/// A table or a view: what a name in a `FROM` clause can mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// A table.
    Table(Box<TableDef>),
    /// A view or materialized view.
    View(Box<ViewDef>),
}

impl Relation {
    /// Its full name.
    pub fn path(&self) -> &ObjectPath {
        match self {
            Relation::Table(table) => &table.path,
            Relation::View(view) => &view.path,
        }
    }

    /// What a user calls it.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Relation::Table(_) => "table",
            Relation::View(view) if view.materialized => "materialized view",
            Relation::View(_) => "view",
        }
    }

    /// Whether it ends with the session.
    pub fn is_temporary(&self) -> bool {
        match self {
            Relation::Table(table) => table.temporary,
            Relation::View(view) => view.temporary,
        }
    }
}

/// What an accepted statement did to the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it says.
    Done,
    /// `IF [NOT] EXISTS` made it do nothing.
    Nothing,
}

#[derive(Debug, Clone, Default)]
struct Database {
    comment: Option<String>,
    options: Options,
}

#[derive(Debug, Clone, Default)]
struct CatalogEntry {
    comment: Option<String>,
    options: Options,
    databases: BTreeMap<String, Database>,
}

/// Tables and views, each as one declaration that copies of the catalog share: another declaration
/// is another object, also where it says the same.
type Relations = BTreeMap<ObjectPath, Arc<Relation>>;

/// All declared objects, and the current catalog and database.
#[derive(Debug, Clone)]
pub struct Catalog {
    current_catalog: String,
    current_database: String,
    catalogs: BTreeMap<String, CatalogEntry>,
    permanent: Relations,
    temporary: Relations,
    functions: BTreeMap<ObjectPath, FunctionDef>,
    models: BTreeMap<ObjectPath, ModelDef>,
}

#[cfg(test)]
mod tests;
