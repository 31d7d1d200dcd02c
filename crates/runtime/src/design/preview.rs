//! The first rows of a source that is not yet there, what a query makes of them, and what of its
//! records cannot be read.
//!
//! # Semantics
//! A job of its own reads for a moment and is let go: no state, no checkpoint, nothing written. It
//! reads the source itself, or a few records that somebody gives in its place.

use std::fs;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rialto_connectors::Environment;
use rialto_engine::{Delta, Result as EngineResult};
use rialto_sql::parser::{CreateTable, Options, ParsedStatement, Statement, parse, parse_one};
use rialto_sql::planner::{Planner, Session};
use rialto_sql::types::quote_identifier;
use serde::Serialize;

use super::saved::{refused, unusable};
use super::{Column, Design, DesignError, Result};
use crate::job::{Job, Observer, StepSummary};
use crate::plan::JobPlan;
use crate::session::Runtime;

/// Rows of an answer at most.
const ROWS_MAX: usize = 50;
/// Records that were refused, of an answer at most; and how much of each.
const REFUSED_MAX: usize = 50;
const RECORD_BYTES_MAX: usize = 2_000;
/// How long is waited for rows.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a look waits for the next.
const PAUSE: Duration = Duration::from_millis(5);
/// The most that somebody gives in the place of a source.
const SAMPLE_BYTES_MAX: usize = 128 << 10;

/// What somebody wants to look at.
#[derive(Debug)]
pub struct Asked<'a> {
    /// A `CREATE TABLE`.
    pub table: &'a str,
    /// A `SELECT` over it; none: all its columns.
    pub query: Option<&'a str>,
    /// Records in the place of those that the source has.
    pub sample: Option<&'a str>,
}

/// A record that cannot be read.
#[derive(Debug, Serialize)]
pub struct RefusedRecord {
    /// Where it stands.
    pub position: String,
    /// Why.
    pub reason: String,
    /// As it came, or its beginning.
    pub record: String,
}

/// The first rows of a source.
#[derive(Debug)]
pub struct Preview {
    /// The columns of the rows.
    pub columns: Vec<Column>,
    /// The rows, in the order in which they came.
    pub rows: Vec<RecordBatch>,
    /// What could not be read on the way.
    pub refused: Vec<RefusedRecord>,
    /// Whether the source has no more than this.
    pub has_ended: bool,
}

impl Design {
    /// Reads the first rows of a table that is not yet there. Waits for them a moment.
    ///
    /// # Errors
    /// Where the statement is wrong, the source cannot be opened, or a value cannot be computed.
    pub fn preview(&self, asked: &Asked<'_>) -> Result<Preview> {
        let create = parse_one(asked.table)?;
        let Some(sample) = asked.sample else {
            return self.first_rows(&create, asked.query);
        };
        if sample.len() > SAMPLE_BYTES_MAX {
            let what = format!("the sample has more than {} kB", SAMPLE_BYTES_MAX >> 10);
            return Err(refused(what, "a few records are enough"));
        }
        let folder = tempfile::tempdir().map_err(|e| unusable(&std::env::temp_dir(), &e))?;
        let file = folder.path().join("sample");
        fs::write(&file, sample).map_err(|e| unusable(&file, &e))?;
        let Statement::CreateTable(table) = create.statement else { return Err(no_table()) };
        let mut table = *table;
        table.options = of_sample(&table.options, &file.to_string_lossy());
        let statement = Statement::CreateTable(Box::new(table));
        let create = ParsedStatement { statement, ..create };
        let mut environment = Environment::new(folder.path());
        environment.roots = Some(vec![folder.path().to_path_buf()]);
        self.read(&create, asked.query, environment)
    }

    /// The same of the source itself.
    fn first_rows(&self, create: &ParsedStatement, query: Option<&str>) -> Result<Preview> {
        let Statement::CreateTable(table) = &create.statement else { return Err(no_table()) };
        check_can_be_looked_at(table)?;
        let mut table = table.clone();
        self.with_password(&mut table.options)?;
        let create = ParsedStatement { statement: Statement::CreateTable(table), ..create.clone() };
        self.read(&create, query, self.rooted())
    }

    /// Opens a source and reads nothing of it.
    pub(super) fn try_to_open(&self, create: &ParsedStatement) -> Result<()> {
        self.opened(create, None, self.rooted()).map(|_| ())
    }

    fn read(
        &self,
        create: &ParsedStatement,
        query: Option<&str>,
        environment: Environment,
    ) -> Result<Preview> {
        let (mut job, columns) = self.opened(create, query, environment)?;
        let (rows, refused, has_ended) = looked_at(&mut job)?;
        Ok(Preview { columns, rows, refused, has_ended })
    }

    /// A job over the table alone, and the columns of the query.
    fn opened(
        &self,
        create: &ParsedStatement,
        query: Option<&str>,
        environment: Environment,
    ) -> Result<(Job, Vec<Column>)> {
        let Statement::CreateTable(table) = &create.statement else { return Err(no_table()) };
        // Nothing of the project: names are free, and no other source is opened.
        let own = self.snapshot();
        let (config, settings) = (own.config, own.settings);
        let session = Session { config, settings, ..Session::default() };
        let mut runtime = Runtime::over(session, environment);
        let mut plan = JobPlan::default();
        runtime.plan(create, &mut plan)?;
        let all = format!("SELECT * FROM {}", quote_identifier(table.name.object()));
        let question = parse(query.unwrap_or(&all))?;
        let [ParsedStatement { statement: Statement::Query(query), .. }] = question.as_slice()
        else {
            return Err(refused("a mapping is one SELECT", "write one SELECT over the table"));
        };
        plan.add_query(runtime.session(), query)?;
        let columns = Planner::new(runtime.session()).columns(query)?.into_iter();
        let columns = columns.map(|(name, of)| Column { name, data_type: of.summary() });
        Ok((runtime.start(&plan)?, columns.collect()))
    }
}

fn no_table() -> DesignError {
    refused("a source is one CREATE TABLE", "write CREATE TABLE name (…) WITH (…)")
}

/// A table whose rows are sent to it has none before it is there.
fn check_can_be_looked_at(table: &CreateTable) -> Result<()> {
    match table.options.get("connector") {
        Some(connector @ ("http" | "log")) => {
            let what = format!("a table of the connector '{connector}' is given its rows later");
            Err(refused(what, "give some records as a sample"))
        }
        _ => Ok(()),
    }
}

/// The options of a file of the same format.
fn of_sample(options: &Options, file: &str) -> Options {
    let format = options.get("format").or_else(|| options.get("value.format"));
    let format = format.unwrap_or("json").to_owned();
    let mut own = Options::new();
    own.set("connector", "filesystem", None);
    own.set("path", file, None);
    own.set("format", format.clone(), None);
    for option in options.iter() {
        let key = option.key.strip_prefix("value.").unwrap_or(&option.key);
        if key.strip_prefix(&format).is_some_and(|rest| rest.starts_with('.')) {
            own.set(key, option.value.clone(), option.span);
        }
    }
    own
}

type Looked = (Vec<RecordBatch>, Vec<RefusedRecord>, bool);

/// Steps until there are rows enough, no more come, or it has taken too long.
fn looked_at(job: &mut Job) -> Result<Looked> {
    job.set_step_rows_max(ROWS_MAX);
    let (mut taken, began) = (Taken::default(), Instant::now());
    let mut has_ended = false;
    while taken.count < ROWS_MAX && taken.refused.len() < REFUSED_MAX && !has_ended {
        let before = (taken.count, taken.refused.len());
        let more = job.step(&mut taken).map_err(|error| {
            let hint = "look at the table's options, and at what the mapping computes";
            refused(error.to_string(), hint)
        })?;
        has_ended = !more;
        if began.elapsed() > PATIENCE {
            break;
        }
        if more && before == (taken.count, taken.refused.len()) {
            // A source without news for a while, of which there are rows, has no more of them.
            if taken.count > 0 && taken.last.is_some_and(|at| at.elapsed() > PATIENCE / 8) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok((taken.rows, taken.refused, has_ended))
}

/// What a look has seen.
#[derive(Default)]
struct Taken {
    rows: Vec<RecordBatch>,
    count: usize,
    refused: Vec<RefusedRecord>,
    last: Option<Instant>,
}

impl Observer for Taken {
    fn changed(&mut self, _: usize, delta: &Delta, _: u64) -> EngineResult<()> {
        let room = ROWS_MAX.saturating_sub(self.count);
        let rows = delta.batch().slice(0, room.min(delta.num_rows()));
        self.count += rows.num_rows();
        self.rows.push(rows);
        self.last = Some(Instant::now());
        Ok(())
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> EngineResult<()> {
        let room = REFUSED_MAX.saturating_sub(self.refused.len());
        for (_, letter) in summary.dead_letters.iter().take(room) {
            let end = letter.bytes.len().min(RECORD_BYTES_MAX);
            self.refused.push(RefusedRecord {
                position: letter.position.clone(),
                reason: letter.reason.clone(),
                record: String::from_utf8_lossy(&letter.bytes[..end]).into_owned(),
            });
            self.last = Some(Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILL: &str = "CREATE TABLE till (id INT, pieces STRING) WITH \
        ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = '127.0.0.1:1', \
         'format' = 'json', 'json.ignore-parse-errors' = 'false')";

    fn design() -> (tempfile::TempDir, Design) {
        let dir = tempfile::tempdir().unwrap();
        let design = Design::new(dir.path(), &[], &Session::default());
        (dir, design)
    }

    #[test]
    fn a_sample_is_read_as_the_source_would_be() {
        let (_dir, design) = design();
        let sample = "{\"id\": 1, \"pieces\": \"4\"}\n{\"id\": \"x\"}\n{\"id\": 3}\n";
        let query = "SELECT id, TRY_CAST(pieces AS INT) * 2 AS twice FROM till";
        let asked = Asked { table: TILL, query: Some(query), sample: Some(sample) };
        let found = design.preview(&asked).unwrap();
        let names: Vec<&str> = found.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["id", "twice"]);
        assert_eq!(found.rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
        assert!(found.has_ended);
        assert_eq!(found.refused.len(), 1);
        assert_eq!(found.refused[0].record, "{\"id\": \"x\"}");
        assert!(found.refused[0].reason.contains("id"), "{}", found.refused[0].reason);
    }

    #[test]
    fn files_of_the_project_are_looked_at_and_no_others() {
        let (dir, design) = design();
        let rows: String = (0..200).map(|id| format!("{{\"id\": {id}}}\n")).collect();
        fs::write(dir.path().join("a.json"), rows).unwrap();
        let table = |path: &str| {
            format!(
                "CREATE TABLE a (id INT) WITH ('connector' = 'filesystem', 'path' = '{path}', \
                 'format' = 'json', 'source.monitor-interval' = '10 ms')"
            )
        };
        let look =
            |path: &str| design.preview(&Asked { table: &table(path), query: None, sample: None });
        let found = look("a.json").unwrap();
        assert_eq!(found.rows.iter().map(RecordBatch::num_rows).sum::<usize>(), ROWS_MAX);
        assert!(look("/etc/hostname").unwrap_err().to_string().contains("not allowed"));
        let sent = "CREATE TABLE a (id INT) WITH ('connector' = 'http')";
        let asked = Asked { table: sent, query: None, sample: None };
        assert!(design.preview(&asked).unwrap_err().to_string().contains("given its rows later"));
    }
}
