//! Which columns of which tables a view's columns come from, through all views between, and through
//! the tables that the project itself fills.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rialto_sql::catalog::{ObjectPath, Relation};
use rialto_sql::parser::QueryText;
use rialto_sql::planner::{ColumnOrigin, Origins, Session};
use serde::Serialize;

use super::{Column, Design, Result, columns_of, missing, name_of};

/// Tables and views of an answer at most: a graph of more is read by nobody.
const MEMBERS_MAX: usize = 300;

/// A table or view on the way.
#[derive(Debug, Serialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// `table`, `view` or `materialized view`.
    pub kind: &'static str,
    /// How many views lie between it and the one that was asked for, on the shortest way.
    pub distance: usize,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// A column that is made of another one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// Table or view, and column, of which it is made.
    pub from: (String, String),
    /// View, or table that is written, and its column; none: the whole row, which it chooses, joins
    /// or groups.
    pub to: (String, Option<String>),
}

/// Where a view comes from.
#[derive(Debug, Serialize)]
pub struct Lineage {
    /// The view.
    pub name: String,
    /// Its query, where it is a view.
    pub query: Option<String>,
    /// It, and everything below it, nearest first.
    pub members: Vec<Member>,
    /// What is made of what.
    pub edges: Vec<Edge>,
    /// Which views read it, and which tables are written from it.
    pub read_by: Vec<String>,
    /// Whether there is more below than is told.
    pub is_cut: bool,
}

impl Design {
    /// Where a view or table comes from, down to the tables that come from elsewhere; and who reads
    /// it.
    ///
    /// # Errors
    /// Where there is none of this name, or a view cannot be planned any more.
    pub fn lineage(&self, name: &str) -> Result<Lineage> {
        let session = self.snapshot();
        let relations = session.catalog.relations(None)?;
        let asked = relations.iter().find(|one| name_of(&session, one.path()) == name);
        let asked = *asked.ok_or_else(|| missing(&session, name))?;
        let mut below = Below::of(self, &session, asked.path());
        below.walk()?;
        let read_by = self.readers_of(&session, asked.path())?;
        let query = match asked {
            Relation::View(view) => Some(view.query.text.clone()),
            Relation::Table(_) => None,
        };
        let Below { members, edges, is_cut, .. } = below;
        let (name, edges) = (name.to_owned(), edges.into_iter().collect());
        Ok(Lineage { name, query, members, edges, read_by, is_cut })
    }

    /// The views that read a table or view, and the tables that are written from it, by name.
    pub(super) fn readers_of(&self, session: &Session, path: &ObjectPath) -> Result<Vec<String>> {
        // Only a query that names it can read it: working out what all are made of takes seconds.
        let names = |query: &QueryText| query.text.contains(&path.object.replace('`', "``"));
        let mut readers = BTreeSet::new();
        for relation in session.catalog.relations(None)? {
            let Relation::View(view) = relation else { continue };
            if names(&view.query) && self.origins(session, relation)?.relations.contains(path) {
                readers.insert(name_of(session, relation.path()));
            }
        }
        for write in self.writes.iter().filter(|write| names(&write.query)) {
            let origins = write.origins(session);
            if origins.is_some_and(|one| one.relations.contains(path)) {
                readers.extend(write.target(session).map(|table| name_of(session, &table.path)));
            }
        }
        Ok(readers.into_iter().collect())
    }
}

/// A walk from a view down to its tables.
struct Below<'a> {
    design: &'a Design,
    session: &'a Session,
    waiting: VecDeque<(ObjectPath, usize)>,
    seen: BTreeSet<ObjectPath>,
    members: Vec<Member>,
    edges: BTreeSet<Edge>,
    is_cut: bool,
}

impl<'a> Below<'a> {
    fn of(design: &'a Design, session: &'a Session, asked: &ObjectPath) -> Self {
        Self {
            design,
            session,
            waiting: [(asked.clone(), 0)].into(),
            seen: [asked.clone()].into(),
            members: Vec::new(),
            edges: BTreeSet::new(),
            is_cut: false,
        }
    }

    fn walk(&mut self) -> Result<()> {
        while let Some((path, distance)) = self.waiting.pop_front() {
            if self.members.len() >= MEMBERS_MAX {
                self.is_cut = true;
                return Ok(());
            }
            // What a temporary view hides, or lies in another place, is a leaf all the same.
            let Some(relation) = self.session.catalog.relation_at(&path) else { continue };
            self.members.push(Member {
                name: name_of(self.session, &path),
                kind: relation.kind_name(),
                distance,
                columns: columns_of(self.session, relation)?,
            });
            self.look(relation, distance)?;
        }
        Ok(())
    }

    fn look(&mut self, relation: &Relation, distance: usize) -> Result<()> {
        for origins in self.design.made_of(self.session, relation)? {
            self.add(relation, distance, &origins);
        }
        Ok(())
    }

    fn add(&mut self, relation: &Relation, distance: usize, origins: &Origins) {
        let name = name_of(self.session, relation.path());
        let mut by_column = BTreeMap::new();
        for (column, made_of) in &origins.columns {
            by_column.insert(Some(column.clone()), made_of);
        }
        by_column.insert(None, &origins.rows);
        for (column, made_of) in by_column {
            for ColumnOrigin { relation, column: from } in made_of {
                let from = (name_of(self.session, relation), from.clone());
                self.edges.insert(Edge { from, to: (name.clone(), column.clone()) });
            }
        }
        for path in &origins.relations {
            if self.seen.insert(path.clone()) {
                self.waiting.push_back((path.clone(), distance + 1));
            }
        }
    }
}
