//! What a project consists of, planned by Rialto: which tables are read and written, and by which
//! key the rows of each view are told apart. What is wrong with the SQL is found here, with its
//! place, before anything goes to a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rialto_runtime::project::{Project, SqlFile};
use rialto_runtime::sql::catalog::{ObjectPath, TableDef, ViewDef};
use rialto_runtime::sql::error::SqlError;
use rialto_runtime::sql::parser::{Insert, ParsedStatement, QualifiedName, Statement};
use rialto_runtime::sql::planner::Planner;
use rialto_runtime::sql::step::{StepNode, StepPlan, steps};
use rialto_runtime::sql::types::FlinkType;
use rialto_runtime::{JobPlan, Runtime};

/// A statement that Rialto refuses, with the file that it stands in.
#[derive(Debug)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// What is wrong with it.
    pub error: SqlError,
}

/// All that has to be known before a statement can be rendered.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    /// The statements, in order.
    pub(crate) items: Vec<Item<'a>>,
    /// The tables that inserts write to, and whether they only add rows.
    pub(crate) written: BTreeMap<ObjectPath, bool>,
    /// The same tables by the names that the inserts use, and whether they have a key.
    pub(crate) targets: BTreeMap<Vec<String>, (ObjectPath, bool)>,
    /// The tables that are read.
    pub(crate) read: BTreeSet<ObjectPath>,
    /// Those of them that are asked for rows by a key, as a lookup join does.
    pub(crate) asked: BTreeSet<ObjectPath>,
    /// Those of them that are read from end to end.
    pub(crate) scanned: BTreeSet<ObjectPath>,
    /// The catalog, database and time zone at the end.
    pub(crate) home: Home,
}

/// Where short names are looked up, and the zone of the session.
pub(crate) type Home = [String; 3];

/// A statement, and what it declared.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) file: &'a SqlFile,
    pub(crate) parsed: &'a ParsedStatement,
    pub(crate) home: Home,
    pub(crate) declared: Declared,
}

/// What a statement declared.
#[derive(Debug)]
pub(crate) enum Declared {
    /// A table.
    Table(Box<TableDef>),
    /// A materialized view.
    View(Box<ViewShape>),
    /// Nothing that the catalog of tables knows.
    Other,
}

/// What is known of a materialized view.
#[derive(Debug)]
pub(crate) struct ViewShape {
    pub(crate) view: ViewDef,
    pub(crate) columns: Vec<(String, FlinkType)>,
    /// The columns of its key.
    pub(crate) key: Option<Vec<String>>,
    /// Whether its rows are only ever added.
    pub(crate) adds_only: bool,
}

/// Plans a project without opening a table of it.
pub(crate) fn survey<'a>(
    project: &'a Project,
    runtime: &mut Runtime,
) -> Result<Survey<'a>, Box<Refused>> {
    let mut survey = Survey {
        items: Vec::new(),
        written: BTreeMap::new(),
        targets: BTreeMap::new(),
        read: BTreeSet::new(),
        asked: BTreeSet::new(),
        scanned: BTreeSet::new(),
        home: Home::default(),
    };
    let mut plan = JobPlan::default();
    for file in &project.files {
        for parsed in &file.statements {
            if matches!(parsed.statement, Statement::Quit) {
                break;
            }
            let refused = |error: SqlError| {
                Box::new(Refused {
                    path: file.path.clone(),
                    text: file.text.clone(),
                    error: error.with_span(parsed.span),
                })
            };
            survey.take(file, parsed, runtime, &mut plan).map_err(refused)?;
        }
    }
    survey.home = home(runtime);
    Ok(survey)
}

fn home(runtime: &Runtime) -> Home {
    let catalog = &runtime.session().catalog;
    let zone = &runtime.environment().time_zone;
    [catalog.current_catalog().to_owned(), catalog.current_database().to_owned(), zone.clone()]
}

impl<'a> Survey<'a> {
    fn take(
        &mut self,
        file: &'a SqlFile,
        parsed: &'a ParsedStatement,
        runtime: &mut Runtime,
        plan: &mut JobPlan,
    ) -> Result<(), SqlError> {
        let home = home(runtime);
        let before = plan.len();
        if matches!(parsed.statement, Statement::Query(_)) {
            // Planned for its errors alone: what only it reads is not deployed.
            runtime.plan(parsed, &mut JobPlan::default())?;
        } else {
            runtime.plan(parsed, plan)?;
        }
        for output in before..plan.len() {
            self.reads(&steps(plan.plan(output)));
        }
        let adds_only = |output: usize| plan.plan(output).traits.insert_only;
        let declared = match &parsed.statement {
            Statement::CreateTable(create) => {
                let table = runtime.session().catalog.table(&create.name)?.clone();
                if create.query.is_some() {
                    self.writes(runtime, &create.name, adds_only(before))?;
                }
                Declared::Table(Box::new(table))
            }
            Statement::CreateMaterializedView(create) => {
                let session = runtime.session();
                let view = session.catalog.view(&create.name)?.clone();
                let columns = Planner::new(session).columns_of_view(&view)?;
                let name = |&at: &usize| columns[at].0.clone();
                let key = plan.key(before, session).map(|key| key.iter().map(name).collect());
                let adds_only = adds_only(before);
                Declared::View(Box::new(ViewShape { view, columns, key, adds_only }))
            }
            Statement::Insert(insert) => {
                self.writes(runtime, &insert.target, adds_only(before))?;
                Declared::Other
            }
            Statement::StatementSet(inserts) => {
                for (number, Insert { target, .. }) in inserts.iter().enumerate() {
                    self.writes(runtime, target, adds_only(before + number))?;
                }
                Declared::Other
            }
            _ => Declared::Other,
        };
        self.items.push(Item { file, parsed, home, declared });
        Ok(())
    }

    /// Notes which tables a plan reads, and how.
    fn reads(&mut self, plan: &[Arc<StepPlan>]) {
        let is = |one: &Arc<StepPlan>, other: &Arc<StepPlan>| Arc::ptr_eq(one, other);
        let lookups = plan.iter().filter(|step| matches!(step.node, StepNode::LookupJoin { .. }));
        let asked: Vec<&Arc<StepPlan>> = lookups.filter_map(|j| table_of(&j.inputs[1])).collect();
        for step in plan {
            let StepNode::Scan { table, .. } = &step.node else { continue };
            self.read.insert(table.path.clone());
            let is_asked = asked.iter().any(|scan| is(scan, step));
            let kind = if is_asked { &mut self.asked } else { &mut self.scanned };
            kind.insert(table.path.clone());
        }
    }

    fn writes(
        &mut self,
        runtime: &Runtime,
        target: &QualifiedName,
        adds_only: bool,
    ) -> Result<(), SqlError> {
        let table = runtime.session().catalog.table(target)?;
        let path = table.path.clone();
        let is_keyed = !table.key_columns().is_empty();
        self.targets.insert(target.parts.clone(), (path.clone(), is_keyed));
        *self.written.entry(path).or_insert(true) &= adds_only;
        Ok(())
    }
}

/// The scan of the table that a lookup join asks: above it is only what is done to each row.
fn table_of(plan: &Arc<StepPlan>) -> Option<&Arc<StepPlan>> {
    match plan.node {
        StepNode::Scan { .. } => Some(plan),
        StepNode::Exchange(_) | StepNode::Select(_) | StepNode::FilterProject { .. } => {
            table_of(&plan.inputs[0])
        }
        _ => None,
    }
}
