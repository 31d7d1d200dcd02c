//! A project as those see it who look at it while it runs: what it declares, what its views are
//! made of, and views that somebody saves into it.
//!
//! - `explain.rs`: a query as the steps that would keep it right
//! - `inserts.rs`: what the project's `INSERT`s write
//! - `lineage.rs`: which columns of which tables a view's columns come from
//! - `preview.rs`: the first rows of a source that is not yet there
//! - `saved.rs`: views as files of the project
//! - `sources.rs`: tables that are read, saved as views are
//!
//! # Semantics
//! The job that runs is not touched. A view that is saved is checked against all that the project
//! declares, becomes a file of it, and begins when the project is run again; so the project stays
//! what it was, text that people read, review and put under version control.

mod explain;
mod inserts;
mod lineage;
mod preview;
mod saved;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rialto_connectors::Environment;
use rialto_sql::catalog::{ObjectPath, Relation, nearest};
use rialto_sql::error::SqlError;
use rialto_sql::parser::Statement;
use rialto_sql::planner::{Origins, Planner, Session};
use serde::Serialize;

use crate::plan::JobPlan;
use crate::project::Project;
use crate::session::{Runtime, RuntimeOptions};

pub use explain::{Explained, ExplainedStep};
use inserts::{Writes, written_by};
pub use lineage::{Edge, Lineage, Member};
pub use preview::{Asked, Preview, RefusedRecord};
pub use saved::{NewView, SavedView};
pub use sources::{NewSource, SavedSource};

/// Why a project cannot be looked at or changed so.
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    /// There is nothing of this name.
    #[error("{what}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What there is.
        hint: String,
    },
    /// It cannot be done.
    #[error("{what}")]
    Refused {
        /// Why.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The text is wrong, or no view can be made of it.
    #[error("{0}")]
    Sql(Box<SqlError>),
    /// The project's files cannot be used.
    #[error("cannot use {path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl From<SqlError> for DesignError {
    fn from(error: SqlError) -> Self {
        Self::Sql(Box::new(error))
    }
}

type Result<T> = std::result::Result<T, DesignError>;

/// A column as it is declared, or as the planner types it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in Flink's words.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// A table or view of the project.
#[derive(Debug, Clone, Serialize)]
pub struct Declared {
    /// Its name; with its database where that is not the project's own.
    pub name: String,
    /// `table`, `view` or `materialized view`.
    pub kind: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns of its key.
    pub key: Vec<String>,
    /// What a table reads or writes.
    pub connector: Option<String>,
    /// What its author says of it.
    pub comment: Option<String>,
    /// The query of a view.
    pub query: Option<String>,
    /// Whether it was saved as a view, and can be removed.
    pub is_saved: bool,
    /// Whether the job that runs has it.
    pub is_running: bool,
}

/// So many questions are lowered by one plan, which keeps what it has lowered.
const QUESTIONS_MAX: usize = 100;

/// Plans what is explained and saved: what it has lowered once, it need not lower again.
#[derive(Debug, Default)]
struct Planning {
    plan: JobPlan,
    questions: usize,
}

impl Planning {
    /// The plan for the next question; now and then a new one, or it would grow for ever.
    fn next(&mut self) -> &mut JobPlan {
        if self.questions >= QUESTIONS_MAX {
            *self = Self::default();
        }
        self.questions += 1;
        &mut self.plan
    }
}

/// The project of a running job.
#[derive(Debug)]
pub struct Design {
    /// A folder, or one file.
    project: PathBuf,
    /// What replaces `${name}` in its files.
    variables: Vec<(String, String)>,
    /// What the job runs with, and what has been saved since.
    session: Mutex<Session>,
    /// What the job had at its start.
    running: BTreeSet<ObjectPath>,
    /// What views are made of; a view does not change while it has its name.
    origins: Mutex<BTreeMap<ObjectPath, Arc<Origins>>>,
    /// What the project's files wrote into its tables when the job began.
    writes: Vec<Writes>,
    /// Plans what is explained and saved.
    planning: Mutex<Planning>,
}

impl Design {
    /// Of a project whose job runs with a session.
    pub fn new(project: &Path, variables: &[(String, String)], session: &Session) -> Self {
        let mut own = session.clone();
        // Binding hundreds of views takes seconds: what is bound is bound.
        own.bound = session.bound.share();
        let relations = own.catalog.relations(None).unwrap_or_default();
        let running = relations.iter().map(|relation| relation.path().clone()).collect();
        let files = Project::open(project, variables);
        Self {
            project: project.to_path_buf(),
            variables: variables.to_vec(),
            session: Mutex::new(own),
            running,
            origins: Mutex::default(),
            writes: files.map_or_else(|_| Vec::new(), |files| written_by(&files)),
            planning: Mutex::default(),
        }
    }

    /// Plans the project as its files are now, as the next run of it will. Takes as long.
    ///
    /// # Errors
    /// Where it could not be run.
    pub fn check_files(&self) -> Result<()> {
        let project = Project::open(&self.project, &self.variables).map_err(|e| {
            let hint = "put the file right, then ask again".into();
            DesignError::Refused { what: e.to_string(), hint }
        })?;
        let environment = Environment::new(&project.base_dir);
        let mut runtime = Runtime::new(environment, RuntimeOptions::default());
        let mut plan = JobPlan::default();
        for file in &project.files {
            for parsed in &file.statements {
                match &parsed.statement {
                    Statement::Quit => break,
                    Statement::Query(_) => continue,
                    _ => {}
                }
                if let Err(error) = runtime.plan(parsed, &mut plan) {
                    let what = format!("{}: {}", file.path.display(), error.message);
                    let hint = "put the file right, then ask again".into();
                    return Err(DesignError::Refused { what, hint });
                }
            }
        }
        Ok(())
    }

    /// Where the project lies: files that belong to it go there.
    pub fn folder(&self) -> &Path {
        match self.project.parent() {
            Some(parent) if !self.project.is_dir() && !parent.as_os_str().is_empty() => parent,
            Some(_) if !self.project.is_dir() => Path::new("."),
            _ => &self.project,
        }
    }

    /// All tables and views of the project, by name.
    pub fn declared(&self) -> Result<Vec<Declared>> {
        let session = self.snapshot();
        let saved = self.saved_names()?;
        let relations = session.catalog.relations(None)?;
        relations.into_iter().map(|one| self.describe(&session, one, &saved)).collect()
    }

    fn describe(
        &self,
        session: &Session,
        relation: &Relation,
        saved: &BTreeSet<String>,
    ) -> Result<Declared> {
        let path = relation.path();
        let name = name_of(session, path);
        let (key, connector, comment, query) = match relation {
            Relation::Table(table) => {
                let connector = table.options.iter().find(|option| option.key == "connector");
                let connector = connector.map(|option| option.value.clone());
                (table.key_columns().to_vec(), connector, table.comment.clone(), None)
            }
            Relation::View(view) => {
                let key = view.primary_key.as_ref().map(|key| key.columns.clone());
                let query = Some(view.query.text.clone());
                (key.unwrap_or_default(), None, view.comment.clone(), query)
            }
        };
        Ok(Declared {
            is_saved: saved.contains(&name),
            is_running: self.running.contains(path),
            kind: relation.kind_name(),
            columns: columns_of(session, relation)?,
            name,
            key,
            connector,
            comment,
            query,
        })
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // A session is changed as a whole, or not at all.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session as it is now, to plan with while others save.
    fn snapshot(&self) -> Session {
        let session = self.session();
        let mut own = session.clone();
        own.bound = session.bound.share();
        own
    }

    /// Has a plan that knows what was lowered before.
    fn planning<T>(&self, with: impl FnOnce(&mut JobPlan) -> Result<T>) -> Result<T> {
        let mut planning = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = planning.next();
        let found = with(plan);
        // What was lowered stays known; what is asked next begins without these outputs.
        plan.observe_only(|_| false);
        found
    }

    fn origins(&self, session: &Session, relation: &Relation) -> Result<Arc<Origins>> {
        let Relation::View(view) = relation else { return Ok(Arc::default()) };
        let known = || self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&view.path) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(Planner::new(session).origins(view)?);
        known().insert(view.path.clone(), Arc::clone(&found));
        Ok(found)
    }

    /// What a table or view is made of: a view of its query, a table of all that is written to it.
    fn made_of(&self, session: &Session, relation: &Relation) -> Result<Vec<Arc<Origins>>> {
        let Relation::Table(table) = relation else {
            return Ok(vec![self.origins(session, relation)?]);
        };
        let fills = |one: &&Writes| one.target(session).is_some_and(|at| at.path == table.path);
        Ok(self.writes.iter().filter(fills).filter_map(|one| one.origins(session)).collect())
    }

    fn forget(&self, path: &ObjectPath) {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

/// A name as the project's own files may write it.
fn name_of(session: &Session, path: &ObjectPath) -> String {
    let catalog = &session.catalog;
    let (here, there) = (catalog.current_database(), path.database.as_str());
    if path.catalog != catalog.current_catalog() {
        format!("{}.{there}.{}", path.catalog, path.object)
    } else if here != there {
        format!("{there}.{}", path.object)
    } else {
        path.object.clone()
    }
}

fn columns_of(session: &Session, relation: &Relation) -> Result<Vec<Column>> {
    Ok(match relation {
        Relation::Table(table) => {
            let said = |name: &str, of: Option<String>| Column {
                name: name.to_owned(),
                data_type: of.unwrap_or_default(),
            };
            let columns = table.columns.iter();
            columns.map(|c| said(&c.name, c.data_type.as_ref().map(|t| t.summary()))).collect()
        }
        Relation::View(view) => {
            let columns = Planner::new(session).columns_of_view(view)?.into_iter();
            columns.map(|(name, of)| Column { name, data_type: of.summary() }).collect()
        }
    })
}

/// There is no such table or view.
fn missing(session: &Session, name: &str) -> DesignError {
    let what = format!("the project has no table or view '{name}'");
    let relations = session.catalog.relations(None).unwrap_or_default();
    let names: Vec<&str> = relations.iter().map(|r| r.path().object.as_str()).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => "GET /v1/catalogue lists them".into(),
    };
    DesignError::Missing { what, hint }
}
