//! Flink SQL over a snapshot: a job of its own that ends, by the planner and engine of all others.
//!
//! A query sees the materialized views of the snapshot as tables, and the project's other views by
//! their queries: its session has no other table, its connector opens nothing but the snapshot
//! whatever a hint says, and only a `SELECT` is taken. A view that reads a source has no rows here:
//! the source is not there. It runs on the reader's thread, in steps that are small while they are
//! slow, so that it can be ended between two of them: when its time is over, when its answer or its
//! memory grows beyond the limit, or when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rialto_engine::source::{Poll, Position, Reader};
use rialto_engine::{Delta, EngineError, Result, Source};
use rialto_sql::catalog::{ColumnDef, ColumnKind, Relation};
use rialto_sql::error::SqlError;
use rialto_sql::functions::StepClock;
use rialto_sql::parser::{CreateTable, ParsedStatement, Statement, parse};
use rialto_sql::planner::Session;
use rialto_sql::step::{Connect, ScanTable, build};
use rialto_sql::types::{FlinkType, quote_identifier};

use super::shape::Rows;
use super::{Serving, Shape, Snapshot};
use crate::job::{Job, Observer, StepSummary};
use crate::output::{JobOutput, Target};
use crate::plan::JobPlan;
use crate::view::View;

/// Rows that a table gives to the first step. Few, and growing slowly: joins of several tables
/// multiply them, and nothing ends a step but its end.
const STEP_ROWS_FIRST: usize = 4;
/// And to any step.
const STEP_ROWS_MAX: usize = 16 << 10;
/// A step that takes longer is followed by smaller ones.
const STEP_TIME: Duration = Duration::from_millis(25);
/// One that takes less, by larger ones.
const QUICK_TIME: Duration = Duration::from_millis(3);

/// What a query may take.
#[derive(Debug, Clone, Copy)]
pub struct QueryLimits {
    /// How long.
    pub time: Duration,
    /// Rows of the answer.
    pub rows: usize,
    /// By how much the process may grow meanwhile.
    pub bytes: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), rows: 10_000, bytes: 512 << 20 }
    }
}

/// What a query answers.
#[derive(Debug)]
pub struct QueryRows {
    /// The rows, in the order that the query asks for.
    pub rows: RecordBatch,
    /// The types of the columns.
    pub types: Vec<FlinkType>,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is wrong, or asks for what is not allowed.
    #[error("{0}")]
    Sql(SqlError),
    /// A limit.
    #[error("{what}")]
    Limit {
        /// What went beyond it.
        what: String,
        /// What to do.
        hint: String,
    },
    /// It could not be computed.
    #[error("{0}")]
    Engine(#[from] EngineError),
}

impl From<SqlError> for QueryError {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

/// A session whose tables are the views.
pub(super) fn session_of(shapes: &[Arc<Shape>], of: &Session) -> Result<Session> {
    let internal = |e: SqlError| EngineError::Internal(e.to_string());
    let mut session = Session { settings: of.settings.clone(), ..Session::default() };
    for shape in shapes {
        let create = declaration(shape).map_err(internal)?;
        let columns = shape.schema().fields().iter().zip(shape.types());
        let columns = columns.map(|(field, data_type)| ColumnDef {
            name: field.name().clone(),
            data_type: Some(data_type.clone()),
            kind: ColumnKind::Physical,
            comment: None,
            span: None,
        });
        session.catalog.create_table_as(&create, columns.collect()).map_err(internal)?;
    }
    // The others are planned when somebody asks for them, and only then.
    for relation in of.catalog.relations(None).map_err(internal)? {
        let Relation::View(view) = relation else { continue };
        if !view.materialized {
            let text = view.show_create();
            for parsed in parse(&text).map_err(internal)? {
                session.catalog.apply(&parsed.statement).map_err(internal)?;
            }
        }
    }
    Ok(session)
}

/// Puts a query in the place of a relation, for one question.
fn put_instead(
    session: &mut Session,
    name: &str,
    query: &str,
) -> std::result::Result<(), SqlError> {
    let text = format!("CREATE TEMPORARY VIEW {} AS {query}", quote_identifier(name));
    let mut statements = parse(&text)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(parsed), true) => session.catalog.apply(&parsed.statement).map(drop),
        _ => Err(SqlError::new(format!("what stands for '{name}' is no single query"))),
    }
}

/// Of a table without columns, to which those of the view are given.
fn declaration(shape: &Shape) -> std::result::Result<CreateTable, SqlError> {
    let name = quote_identifier(shape.name());
    let text = format!("CREATE TABLE {name} WITH ('connector' = 'view') AS SELECT 1 AS `1`");
    match parse(&text)?.pop().map(|parsed| parsed.statement) {
        Some(Statement::CreateTable(create)) => Ok(*create),
        _ => Err(SqlError::new(format!("the view '{}' has no declaration", shape.name()))),
    }
}

/// The one `SELECT` of a text.
fn select(sql: &str) -> std::result::Result<ParsedStatement, SqlError> {
    let mut statements = parse(sql)?;
    let only = "only one SELECT can be asked";
    match (statements.pop(), statements.is_empty()) {
        (Some(parsed), true) if matches!(parsed.statement, Statement::Query(_)) => Ok(parsed),
        (Some(parsed), true) => Err(SqlError::new(only)
            .with_span(parsed.span)
            .with_hint("views can be read here; what the project declares is in its files")),
        (Some(second), false) => Err(SqlError::new(only).with_span(second.span)),
        (None, _) => Err(SqlError::new("there is no statement").with_hint("write a SELECT")),
    }
}

impl Serving {
    /// Answers a `SELECT` over the views of a snapshot. `gone` ends it early.
    ///
    /// # Errors
    /// Where it is no `SELECT` over views, or takes too much.
    pub fn query(
        &self,
        snapshot: &Arc<Snapshot>,
        sql: &str,
        limits: QueryLimits,
        gone: &AtomicBool,
    ) -> std::result::Result<QueryRows, QueryError> {
        self.query_instead(snapshot, sql, &[], limits, gone)
    }

    /// Like [`Serving::query`], with queries in the place of some views: what would the answer be
    /// if they were so? The job, and everybody else, goes on with what is.
    ///
    /// # Errors
    /// As of [`Serving::query`].
    pub fn query_instead(
        &self,
        snapshot: &Arc<Snapshot>,
        sql: &str,
        instead: &[(&str, String)],
        limits: QueryLimits,
        gone: &AtomicBool,
    ) -> std::result::Result<QueryRows, QueryError> {
        let began = Instant::now();
        let parsed = select(sql)?;
        let Statement::Query(query) = &parsed.statement else {
            return Err(SqlError::new("only one SELECT can be asked").into());
        };
        let mut session = self.session.clone();
        for (name, query) in instead {
            put_instead(&mut session, name, query)?;
        }
        // The running job's clock is its own.
        session.settings.clock = StepClock::default();
        let mut plan = JobPlan::default();
        plan.add_query(&session, query)?;
        let tables = Tables { serving: self, snapshot };
        let steps = [Arc::clone(plan.plan(0))];
        let (circuit, ids) = build(&steps, &[], &session, &tables)?;
        let output = JobOutput {
            name: "query".into(),
            output: ids.first().copied(),
            identity: String::new(),
            generation: 0,
            schema: Arc::clone(&plan.plan(0).schema),
            consolidate: true,
            target: Target::Observer,
        };
        let clock = session.settings.clock.clone();
        let mut job = Job::start(&circuit, Some(1), vec![output], clock)?;
        let view = plan.view(0)?;
        let mut answer = Answer { view, rows: 0 };
        let guard = Guard { began, limits, gone, own: own_bytes() };
        guard.run(&mut job, &mut answer)?;
        let rows = answer.view.read(plan.order(0))?;
        let schema = rows.schema();
        let types = schema.fields().iter().map(|f| FlinkType::from_field(f));
        let types = types.collect::<std::result::Result<_, _>>()?;
        Ok(QueryRows { rows, types })
    }
}

/// What a query has answered so far.
struct Answer {
    view: View,
    rows: i64,
}

impl Observer for Answer {
    fn changed(&mut self, _: usize, delta: &Delta, _: u64) -> Result<()> {
        self.rows += (0..delta.num_rows()).map(|row| delta.weight(row)).sum::<i64>();
        self.view.apply(delta)
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> Result<()> {
        match summary.dead_letters.first() {
            Some((_, letter)) => Err(EngineError::Data(letter.reason.clone())),
            None => Ok(()),
        }
    }
}

/// Holds a query to its limits.
struct Guard<'a> {
    began: Instant,
    limits: QueryLimits,
    gone: &'a AtomicBool,
    own: u64,
}

impl Guard<'_> {
    fn run(&self, job: &mut Job, answer: &mut Answer) -> std::result::Result<(), QueryError> {
        let mut rows = STEP_ROWS_FIRST;
        loop {
            job.set_step_rows_max(rows);
            let step = Instant::now();
            let more = job.step(answer)?;
            self.look(answer)?;
            if !more {
                return Ok(());
            }
            let took = step.elapsed();
            if took > STEP_TIME {
                rows = (rows / 2).max(1);
            } else if took < QUICK_TIME {
                rows = (rows * 2).min(STEP_ROWS_MAX);
            }
        }
    }

    fn look(&self, answer: &Answer) -> std::result::Result<(), QueryError> {
        let limit = |what: String, hint: &str| Err(QueryError::Limit { what, hint: hint.into() });
        let QueryLimits { time, rows, bytes } = self.limits;
        if self.gone.load(Ordering::Relaxed) {
            return limit("the query was cancelled".into(), "ask again");
        }
        if self.began.elapsed() > time {
            let what = format!("the query took more than {} s", time.as_secs_f64());
            return limit(what, "make it a materialized view: then it is kept up to date");
        }
        if answer.rows > rows as i64 {
            let what = format!("the answer has more than {rows} rows");
            return limit(what, "add a LIMIT or a WHERE, or read a view page by page");
        }
        if own_bytes().saturating_sub(self.own) > bytes || rialto_memory::is_exceeded() {
            let what = format!("the query needs more than {} MB of memory", bytes >> 20);
            return limit(what, "join fewer rows, or make it a materialized view");
        }
        Ok(())
    }
}

/// What the process holds, as the system tells it; 0 where it does not.
fn own_bytes() -> u64 {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = told.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

/// Opens the views of a snapshot.
struct Tables<'a> {
    serving: &'a Serving,
    snapshot: &'a Arc<Snapshot>,
}

impl Connect for Tables<'_> {
    fn source(&self, scan: &ScanTable<'_>) -> std::result::Result<Box<dyn Source>, SqlError> {
        let name = &scan.table.path.object;
        let view = self.serving.view(name).map_err(|e| SqlError::new(e.to_string()))?;
        let schema = scan.physical.project(&scan.projection);
        let schema = schema.map_err(|e| SqlError::new(e.to_string()))?;
        Ok(Box::new(ViewSource {
            shape: Arc::clone(&self.serving.shapes[view]),
            snapshot: Arc::clone(self.snapshot),
            view,
            columns: scan.projection.clone(),
            schema: Arc::new(schema),
        }))
    }
}

/// A view of a snapshot as a table that ends.
struct ViewSource {
    shape: Arc<Shape>,
    snapshot: Arc<Snapshot>,
    view: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl Source for ViewSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn readers(&self, _: usize) -> Result<Vec<Box<dyn Reader>>> {
        let tree = &self.snapshot.trees[self.view];
        Ok(vec![Box::new(ViewReader {
            rows: Rows::new(&self.shape, tree, Vec::new(), &[]),
            columns: self.columns.clone(),
            schema: Arc::clone(&self.schema),
            given: 0,
        })])
    }
}

struct ViewReader {
    rows: Rows,
    columns: Vec<usize>,
    schema: SchemaRef,
    given: u64,
}

impl Reader for ViewReader {
    fn poll(&mut self, rows_max: usize) -> Result<Poll> {
        let Some(rows) = self.rows.next(rows_max)? else { return Ok(Poll::End) };
        self.given += rows.num_rows() as u64;
        let rows = rows.project(&self.columns)?.with_schema(Arc::clone(&self.schema))?;
        Ok(Poll::Rows(Delta::insert_only(rows)))
    }

    fn position(&self) -> Position {
        self.given.into()
    }

    fn seek(&mut self, _: &Position) -> Result<()> {
        Err(EngineError::Internal("a query over a snapshot is not gone on with".into()))
    }
}
