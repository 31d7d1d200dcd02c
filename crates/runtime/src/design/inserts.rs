//! What the project's `INSERT`s write: a table that one fills has a lineage, as a view has.

use std::sync::{Arc, OnceLock};

use rialto_sql::catalog::{ObjectPath, TableDef, ViewDef};
use rialto_sql::parser::Statement;
use rialto_sql::parser::{CreateTable, Insert, ParsedStatement, QualifiedName, QueryText};
use rialto_sql::planner::{Origins, Planner, Session};

use crate::connect::sink_schema;
use crate::project::Project;

/// A statement that writes into a table, as far as its lineage goes.
#[derive(Debug)]
pub(super) struct Writes {
    target: QualifiedName,
    /// None: all that the table has.
    columns: Vec<String>,
    /// Those that have a value by `PARTITION (…)`.
    fixed: Vec<String>,
    /// The rows.
    pub query: QueryText,
    /// What the columns that are written are made of, once somebody has asked.
    origins: OnceLock<Option<Arc<Origins>>>,
}

/// All that a project's files write.
pub(super) fn written_by(project: &Project) -> Vec<Writes> {
    let statements = project.files.iter().flat_map(|file| &file.statements);
    statements.flat_map(writes).collect()
}

fn writes(parsed: &ParsedStatement) -> Vec<Writes> {
    match &parsed.statement {
        Statement::Insert(insert) => vec![Writes::of(insert)],
        Statement::StatementSet(inserts) => inserts.iter().map(Writes::of).collect(),
        Statement::CreateTable(create) => Writes::of_created(create).into_iter().collect(),
        _ => Vec::new(),
    }
}

impl Writes {
    fn of(insert: &Insert) -> Self {
        Self {
            target: insert.target.clone(),
            columns: insert.columns.clone(),
            fixed: insert.partition.iter().map(|(column, _)| column.clone()).collect(),
            query: insert.source.clone(),
            origins: OnceLock::new(),
        }
    }

    fn of_created(create: &CreateTable) -> Option<Self> {
        Some(Self {
            target: create.name.clone(),
            columns: Vec::new(),
            fixed: Vec::new(),
            query: create.query.clone()?,
            origins: OnceLock::new(),
        })
    }

    /// The table that is written to.
    pub fn target<'s>(&self, session: &'s Session) -> Option<&'s TableDef> {
        session.catalog.table(&self.target).ok()
    }

    /// What the columns that are written are made of. None: its names cannot be looked up from the
    /// project's own place, as behind `USE`.
    pub fn origins(&self, session: &Session) -> Option<Arc<Origins>> {
        self.origins.get_or_init(|| self.find(session).map(Arc::new)).clone()
    }

    fn find(&self, session: &Session) -> Option<Origins> {
        let table = self.target(session)?;
        let catalog = &session.catalog;
        // The planner tells of views what they are made of. This one is nobody else's.
        let object = format!("INSERT INTO {} {:?}", table.path, self.query.span);
        let view = ViewDef {
            path: ObjectPath { object, ..table.path.clone() },
            columns: Vec::new(),
            query: self.query.clone(),
            home: (catalog.current_catalog().into(), catalog.current_database().into()),
            materialized: false,
            primary_key: None,
            options: Default::default(),
            comment: None,
            temporary: true,
        };
        let mut origins = Planner::new(session).origins(&view).ok()?;
        let columns = self.names(table).into_iter().zip(origins.columns);
        origins.columns = columns.map(|(name, (_, made_of))| (name, made_of)).collect();
        Some(origins)
    }

    /// The columns that the query's are written to, in its order.
    fn names(&self, table: &TableDef) -> Vec<String> {
        if !self.columns.is_empty() {
            return self.columns.clone();
        }
        let schema = sink_schema(table);
        let names = schema.fields().iter().map(|field| field.name().clone());
        names.filter(|name| !self.fixed.contains(name)).collect()
    }
}
