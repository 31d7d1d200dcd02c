//! Statements, one after the other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use rialto_connectors::given::Given;
use rialto_connectors::shop::Stage;
use rialto_connectors::{Environment, Ingest};
use rialto_sql::catalog::{ColumnDef, ColumnKind, Relation, TableDef};
use rialto_sql::error::SqlError;
use rialto_sql::functions::{SessionSettings, format_value};
use rialto_sql::parser::{
    CreateTable, Explain, ExplainWatermark, Insert, ParsedStatement, QualifiedName, Statement,
};
use rialto_sql::planner::{Planner, Session};

use crate::checkpoint::{Change, CheckpointError, Resumed};
use crate::job::Job;
use crate::keeping::{Keeping, StartError};
use crate::plan::{JobPlan, STATE_TTL, check_letters_setting, check_share_setting, state_ttl_ms};
use crate::{connect, describe};

type Result<T> = std::result::Result<T, SqlError>;

/// How jobs run.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// How many shards a job has; where it is not said, what suits the cores and the job.
    pub shards: Option<usize>,
}

/// A session that answers statements.
#[derive(Debug)]
pub struct Runtime {
    session: Session,
    environment: Environment,
    options: RuntimeOptions,
}

/// What a statement answers.
pub enum Answer {
    /// It was done; a word to say so.
    Done(String),
    /// Rows that are there at once (`SHOW`, `DESCRIBE`).
    Rows(RecordBatch),
    /// Text (`EXPLAIN`, `SHOW CREATE`).
    Text(String),
    /// A query: its job has one output, which the observer takes.
    Query(Box<Job>, JobPlan),
    /// Inserts: a job that writes to sinks.
    Insert(Box<Job>),
    /// The user wants to leave.
    Quit,
}

impl Runtime {
    /// A session over an environment.
    pub fn new(mut environment: Environment, options: RuntimeOptions) -> Self {
        let session = Session::default();
        environment.format_value = formatter(&session.settings);
        Self { session, environment, options }
    }

    /// A session that goes on from what another one has declared and set.
    pub(crate) fn over(session: Session, mut environment: Environment) -> Self {
        environment.format_value = formatter(&session.settings);
        let zone = session.config.get("table.local-time-zone");
        zone.into_iter().for_each(|zone| environment.time_zone.clone_from(zone));
        Self { session, environment, options: RuntimeOptions { shards: Some(1) } }
    }

    /// What has been declared and set, for whoever goes on with it.
    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// What has been declared and set.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The world that connectors may touch.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Reads what a test gives from here on, and opens no connector for reading.
    pub fn give(&mut self, given: Arc<Given>) {
        self.environment.given = Some(given);
    }

    /// Has every table of the simulated shop read this one from here on.
    pub fn set_stage(&mut self, stage: Arc<Stage>) {
        self.environment.stage = Some(stage);
    }

    /// How jobs run.
    pub fn options(&self) -> &RuntimeOptions {
        &self.options
    }

    /// Answers a statement. Jobs are handed out ready to run, not yet running.
    pub fn execute(&mut self, parsed: &ParsedStatement) -> Result<Answer> {
        match &parsed.statement {
            Statement::Query(query) => {
                let mut plan = JobPlan::default();
                plan.add_query(&self.session, query)?;
                let job = self.start(&plan)?;
                Ok(Answer::Query(Box::new(job), plan))
            }
            Statement::Insert(insert) => self.insert(std::slice::from_ref(insert)),
            Statement::StatementSet(inserts) => self.insert(inserts),
            Statement::Explain(explain) => Ok(Answer::Text(self.explain(explain)?)),
            Statement::ExplainWatermark(what) => Ok(Answer::Text(self.explain_watermark(what)?)),
            Statement::CreateTable(create) => self.create_table(create),
            Statement::Set(pair) => self.set(pair.as_ref()),
            Statement::Reset(key) => self.reset(key.as_deref()),
            Statement::Show(show) => describe::show(&self.session, show),
            Statement::Describe(what) => describe::describe(&self.session, what),
            Statement::Quit => Ok(Answer::Quit),
            other => {
                self.check_view(other)?;
                let before = self.session.catalog.clone();
                if self.session.catalog.apply(other)?.is_none() {
                    return Err(SqlError::not_supported("this statement"));
                }
                if let Statement::AlterTable(alter) = other
                    && let Ok(table) = self.session.catalog.table(&alter.name)
                    && let Err(error) = self.resolve(table.clone())
                {
                    self.session.catalog = before;
                    let at = alter.name.span;
                    return Err(if error.span.is_some() { error } else { error.with_span(at) });
                }
                Ok(Answer::Done("OK".into()))
            }
        }
    }

    /// Makes declarations, as [`execute`](Self::execute) does, but starts no job: what a query, an
    /// insert or a materialized view shall do is added to `plan`, so that one job can do it all.
    /// `None` where something was added.
    pub fn plan(&mut self, parsed: &ParsedStatement, plan: &mut JobPlan) -> Result<Option<Answer>> {
        match &parsed.statement {
            Statement::Query(query) => plan.add_query(&self.session, query)?,
            Statement::Insert(insert) => plan.add_insert(&self.session, insert)?,
            Statement::StatementSet(inserts) => {
                for insert in inserts {
                    plan.add_insert(&self.session, insert)?;
                }
            }
            Statement::CreateTable(create) => match self.declare_table(create)? {
                Some(insert) => plan.add_insert(&self.session, &insert)?,
                None => return Ok(Some(Answer::Done("OK".into()))),
            },
            Statement::CreateMaterializedView(create) => {
                self.execute(parsed)?;
                plan.add_view(&self.session, self.session.catalog.view(&create.name)?)?;
            }
            _ => return self.execute(parsed).map(Some),
        }
        Ok(None)
    }

    /// The tables of the current database that take rows over HTTP, opened for it.
    pub fn ingests(&self) -> Result<Vec<Ingest>> {
        let mut ingests = Vec::new();
        for relation in self.session.catalog.relations(None)? {
            if let Relation::Table(table) = relation
                && table.options.iter().any(|o| o.key == "connector" && o.value == "http")
            {
                ingests.push(connect::ingest(table, &self.environment)?);
            }
        }
        Ok(ingests)
    }

    /// A job over several outputs, ready to run.
    pub fn start(&self, plan: &JobPlan) -> Result<Job> {
        plan.start(&self.session, &self.environment, self.options.shards, None)
    }

    /// A job that keeps checkpoints: it goes on from the newest one, with what of it the project
    /// still has.
    pub fn start_kept(
        &self,
        plan: &JobPlan,
        keeping: Keeping<'_>,
    ) -> std::result::Result<(Job, Resumed, Change), StartError> {
        let found = keeping.store.newest()?;
        let kept = keeping.kept(found.manifest.as_ref(), plan)?;
        let change = Change::new(kept, &plan.outline(), keeping.inserts);
        let tables = change.undecided();
        if !tables.is_empty() {
            return Err(CheckpointError::ChangedInserts { tables }.into());
        }
        let generations = change.generations();
        let kept = Some((keeping.letters, generations.as_slice()));
        let mut job = plan.start(&self.session, &self.environment, self.options.shards, kept)?;
        let resumed = job.keep_from(keeping.store, found, keeping.options, true)?;
        Ok((job, resumed, change))
    }

    fn insert(&mut self, inserts: &[Insert]) -> Result<Answer> {
        let mut plan = JobPlan::default();
        for insert in inserts {
            plan.add_insert(&self.session, insert)?;
        }
        Ok(Answer::Insert(Box::new(self.start(&plan)?)))
    }

    fn create_table(&mut self, create: &CreateTable) -> Result<Answer> {
        match self.declare_table(create)? {
            Some(insert) => self.insert(&[insert]),
            None => Ok(Answer::Done("OK".into())),
        }
    }

    /// Makes a table; where it is made from a query, answers the insert that fills it.
    fn declare_table(&mut self, create: &CreateTable) -> Result<Option<Insert>> {
        let Some(query) = &create.query else {
            self.session.catalog.create_table(create)?;
            self.finish_table(&create.name)?;
            return Ok(None);
        };
        let columns = Planner::new(&self.session).columns(query)?;
        let columns = columns.into_iter().map(|(name, data_type)| ColumnDef {
            name,
            data_type: Some(data_type),
            kind: ColumnKind::Physical,
            comment: None,
            span: None,
        });
        self.session.catalog.create_table_as(create, columns.collect())?;
        self.finish_table(&create.name)?;
        Ok(Some(Insert {
            target: create.name.clone(),
            overwrite: false,
            hints: Default::default(),
            partition: Vec::new(),
            columns: Vec::new(),
            source: query.clone(),
            text: query.text.clone(),
            span: query.span,
        }))
    }

    /// Types of computed columns, and a first look at the options. A table that is wrong is gone.
    fn finish_table(&mut self, name: &QualifiedName) -> Result<()> {
        let table: TableDef = self.session.catalog.table(name)?.clone();
        let temporary = table.temporary;
        if let Err(error) = self.resolve(table) {
            let drop =
                rialto_sql::parser::DropObject { name: name.clone(), temporary, if_exists: true };
            self.session.catalog.drop_table(&drop)?;
            let at = name.span;
            return Err(if error.span.is_some() { error } else { error.with_span(at) });
        }
        Ok(())
    }

    /// Finds the types of a table's computed columns and looks at its options.
    fn resolve(&mut self, mut table: TableDef) -> Result<()> {
        Planner::new(&self.session).resolve_table(&mut table)?;
        connect::validate(&table)?;
        for column in &table.columns {
            if let Some(data_type) = &column.data_type {
                let catalog = &mut self.session.catalog;
                catalog.set_column_type(&table.path, &column.name, data_type.clone());
            }
        }
        Ok(())
    }

    /// A view's query must be plannable when the view is made.
    fn check_view(&self, statement: &Statement) -> Result<()> {
        let (query, named) = match statement {
            Statement::CreateView(create) => (&create.query, create.columns.len()),
            Statement::CreateMaterializedView(create) => (&create.query, 0),
            _ => return Ok(()),
        };
        let found = Planner::new(&self.session).columns(query)?.len();
        if named != 0 && named != found {
            return Err(SqlError::new(format!(
                "the view names {named} columns, but its query has {found}"
            ))
            .with_span(query.span));
        }
        Ok(())
    }

    fn explain(&self, explain: &Explain) -> Result<String> {
        let mut plan = JobPlan::default();
        let planner = Planner::new(&self.session);
        let mut logical = Vec::new();
        match &explain.statement.statement {
            Statement::Query(query) => {
                logical.push(planner.plan(query)?);
                plan.add_query(&self.session, query)?;
            }
            Statement::Insert(insert) => {
                logical.push(planner.plan(&insert.source)?);
                plan.add_insert(&self.session, insert)?;
            }
            Statement::StatementSet(inserts) => {
                for insert in inserts {
                    logical.push(planner.plan(&insert.source)?);
                    plan.add_insert(&self.session, insert)?;
                }
            }
            _ => return Err(SqlError::not_supported("EXPLAIN of this statement")),
        }
        let logical: Vec<String> = logical.iter().map(|p| p.display_indent().to_string()).collect();
        Ok(format!(
            "== Logical plan ==\n{}\n\n== Step plan ==\n{}",
            logical.join("\n\n"),
            plan.explain()
        ))
    }

    fn explain_watermark(&self, what: &ExplainWatermark) -> Result<String> {
        let mut plan = JobPlan::default();
        match what {
            ExplainWatermark::Statement(parsed) => match &parsed.statement {
                Statement::Query(query) => plan.add_query(&self.session, query)?,
                Statement::Insert(insert) => plan.add_insert(&self.session, insert)?,
                Statement::StatementSet(inserts) => {
                    for insert in inserts {
                        plan.add_insert(&self.session, insert)?;
                    }
                }
                _ => return Err(SqlError::not_supported("EXPLAIN WATERMARK of this statement")),
            },
            ExplainWatermark::Relation(name) => match self.session.catalog.view(name) {
                Ok(view) if view.materialized => plan.add_view(&self.session, view)?,
                _ => {
                    let parts =
                        name.parts.iter().map(|part| format!("`{}`", part.replace('`', "``")));
                    let text = format!("SELECT * FROM {}", parts.collect::<Vec<_>>().join("."));
                    let parsed = rialto_sql::parser::parse_one(&text)?;
                    let Statement::Query(query) = parsed.statement else {
                        return Err(SqlError::not_supported("EXPLAIN WATERMARK of this name"));
                    };
                    let planned = plan.add_query(&self.session, &query);
                    planned.map_err(|e| SqlError { span: name.span, ..e })?;
                }
            },
        }
        Ok(plan.explain_watermark(&self.session))
    }

    fn set(&mut self, pair: Option<&(String, String)>) -> Result<Answer> {
        let Some((key, value)) = pair else {
            let (keys, values): (Vec<_>, Vec<_>) = self.session.config.iter().unzip();
            return rows(&["key", "value"], vec![keys, values]);
        };
        if key == "table.local-time-zone" {
            self.session.settings.time_zone = value.parse().map_err(|_| {
                SqlError::new(format!("'{value}' is not a time zone"))
                    .with_hint("use a name such as 'Europe/London' or 'UTC'")
            })?;
            self.environment.time_zone.clone_from(value);
            self.environment.format_value = formatter(&self.session.settings);
        }
        if key == STATE_TTL {
            state_ttl_ms(value)?;
        }
        check_letters_setting(key, value)?;
        check_share_setting(&self.session, key, value)?;
        self.session.config.insert(key.clone(), value.clone());
        Ok(Answer::Done("OK".into()))
    }

    fn reset(&mut self, key: Option<&str>) -> Result<Answer> {
        match key {
            Some(key) => drop(self.session.config.remove(key)),
            None => self.session.config.clear(),
        }
        if key.is_none_or(|k| k == "table.local-time-zone") {
            self.session.settings.time_zone = SessionSettings::default().time_zone;
            self.environment.time_zone = "UTC".into();
            self.environment.format_value = formatter(&self.session.settings);
        }
        Ok(Answer::Done("OK".into()))
    }
}

fn formatter(settings: &SessionSettings) -> rialto_connectors::FormatValue {
    let settings = settings.clone();
    Arc::new(
        move |array: &dyn Array, row: usize| {
            if array.is_null(row) { "null".into() } else { format_value(array, row, &settings) }
        },
    )
}

/// Columns of text as an answer.
pub(crate) fn rows<S: AsRef<str>>(names: &[&str], columns: Vec<Vec<S>>) -> Result<Answer> {
    let fields: Vec<Field> = names.iter().map(|n| Field::new(*n, DataType::Utf8, true)).collect();
    let columns = columns.iter().map(|values| {
        let values = values.iter().map(|v| Some(v.as_ref()));
        Arc::new(StringArray::from_iter(values)) as ArrayRef
    });
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect());
    Ok(Answer::Rows(batch.map_err(|e| SqlError::new(e.to_string()))?))
}
