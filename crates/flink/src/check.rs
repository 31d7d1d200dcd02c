//! What a project gives on both sides for the same rows: those of a fixture.
//!
//! The project goes to Flink as it would be deployed, only that every table is a topic of its own
//! for this one check, so that nothing of the real ones is read or written. The local Rialto fills
//! the topics with what the fixture gives; Flink runs to their end; the local Rialto reads back
//! what has come out. Beside that the project runs here, on the same rows.
//!
//! The input ends behind the fixture's rows, and time goes by them alone: the watermarks that a
//! fixture gives are left out on both sides, for no topic can carry them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_runtime::connectors::given::{Arrived, Given};
use rialto_runtime::engine::{Delta, Result as EngineResult};
use rialto_runtime::fixture::row_text;
use rialto_runtime::project::Project;
use rialto_runtime::sql::parser::{ParsedStatement, Statement, parse};
use rialto_runtime::sql::types::quote_identifier;
use rialto_runtime::view::View;
use rialto_runtime::{Control, JobPlan, Observer, Runtime};

use crate::config::{Config, Treatment};
use crate::deploy::to_the_end;
use crate::render::{Rendered, render};
use crate::survey::Refused;
use crate::topics::Topics;
use crate::trouble::Trouble;

/// How many rows of a kind a difference shows.
const SHOWN: usize = 8;
/// What the name of a table's view ends with that reads its topic back.
const READ_BACK: &str = "$check";

/// Rows as text, each with how often it is there.
type Rows = BTreeMap<String, i64>;
/// The rows of each view and of each table that is written.
type Outputs = BTreeMap<String, Rows>;

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// How many views and written tables were compared.
    pub outputs: usize,
    /// How many rows they hold here.
    pub rows: i64,
    /// What differs, as lines; none: all is the same.
    pub differences: Vec<String>,
    /// How long the project ran here.
    pub local: Duration,
    /// How long it ran on Flink, from its submission on.
    pub flink: Duration,
}

/// Where a check runs.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The SQL Gateway.
    pub gateway: &'a str,
    /// The REST of the cluster; none: the gateway is asked.
    pub rest: Option<&'a str>,
    /// What `flink.toml` says.
    pub config: &'a Config,
    /// How long is waited for the job to end.
    pub limit: Duration,
}

/// Why there is nothing to compare.
#[derive(Debug)]
pub enum Unchecked {
    /// A statement of the project is wrong.
    Refused(Box<Refused>),
    /// Some statement has no place on Flink; the project as it was rendered says which.
    NotPortable(Box<Rendered>),
    /// Something else.
    Trouble(Box<Trouble>),
}

impl From<Trouble> for Unchecked {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(Box::new(trouble))
    }
}

/// Runs a project on both sides, on rows that are given. `runtime` makes a new session.
pub fn check(
    project: &Project,
    name: &str,
    given: &Given,
    place: &Place<'_>,
    runtime: &dyn Fn() -> Runtime,
) -> Result<Checked, Unchecked> {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(fits).collect();
    let name = format!("check-{name}-{}", unique());
    let config = own(place.config, &name);
    let rendered = render(project, &name, &config, &mut runtime()).map_err(Unchecked::Refused)?;
    if !rendered.is_portable() {
        return Err(Unchecked::NotPortable(Box::new(rendered)));
    }
    let given = rows_alone(given);
    let began = Instant::now();
    let expected = locally(project, &given, runtime())?;
    let local = began.elapsed();

    let names = rendered.topics.iter().map(|topic| topic.name.clone()).collect();
    let _topics = Topics::make(&config.bootstrap_servers, &config.properties, names)?;
    let script = rendered.local_script().replace("${BOUNDED:-unbounded}", "latest-offset");
    let statements = parse(&script).map_err(|e| broken(e.message))?;
    fill(&statements, &given, runtime())?;
    let began = Instant::now();
    to_the_end(&rendered, place.gateway, place.rest, place.limit)?;
    let flink = began.elapsed();
    let found = read_back(&statements, runtime())?;

    // What a table with a key holds behind several inserts, only the table knows.
    let expected: Outputs = expected.into_iter().filter(|(n, _)| found.contains_key(n)).collect();
    Ok(Checked {
        outputs: expected.len(),
        rows: expected.values().flat_map(Rows::values).sum(),
        differences: differences(&expected, &found),
        local,
        flink,
    })
}

/// Tells the topics of one check from those of another.
fn unique() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{}-{}", std::process::id(), now.unwrap_or_default().as_millis())
}

/// The configuration of a check: no table is where it is really.
fn own(config: &Config, name: &str) -> Config {
    let mut own = config.clone();
    own.topic_prefix = format!("{name}.");
    own.partitions = 1;
    own.tables.clear();
    own.every_connector = Some(Treatment::Topic);
    own.source = BTreeMap::from([
        ("scan.bounded.mode".into(), "latest-offset".into()),
        // Time goes row by row, as it does here.
        ("scan.watermark.emit.strategy".into(), "on-event".into()),
    ]);
    own
}

/// The rows that are given, without watermarks, and ending.
fn rows_alone(given: &Given) -> Arc<Given> {
    let rows = given.arrivals().iter().filter(|a| matches!(a.what, Arrived::Row(_)));
    let given = Given::new(rows.cloned().collect(), true);
    given.show(given.len());
    Arc::new(given)
}

fn broken(why: impl std::fmt::Display) -> Unchecked {
    Unchecked::from(Trouble::new("the check cannot run here", why.to_string()))
}

/// What the project gives here.
fn locally(
    project: &Project,
    given: &Arc<Given>,
    mut runtime: Runtime,
) -> Result<Outputs, Unchecked> {
    runtime.give(Arc::clone(given));
    let mut plan = JobPlan::default();
    for file in &project.files {
        for parsed in &file.statements {
            match parsed.statement {
                Statement::Quit => break,
                Statement::Query(_) | Statement::Explain(_) => continue,
                _ => {}
            }
            runtime.plan(parsed, &mut plan).map_err(|error| {
                Unchecked::Refused(Box::new(Refused {
                    path: file.path.clone(),
                    text: file.text.clone(),
                    error: error.with_span(parsed.span),
                }))
            })?;
        }
    }
    plan.observe_only(|_| true);
    observed(&plan, &runtime)
}

/// Fills the topics that Flink reads with what is given.
fn fill(
    statements: &[ParsedStatement],
    given: &Arc<Given>,
    mut runtime: Runtime,
) -> Result<(), Unchecked> {
    runtime.give(Arc::clone(given));
    let mut plan = JobPlan::default();
    for parsed in statements {
        let is_meant = match &parsed.statement {
            Statement::CreateMaterializedView(_) => false,
            Statement::Insert(insert) => {
                insert.target.parts.last().is_some_and(|name| name.ends_with("$topic"))
            }
            _ => true,
        };
        if is_meant {
            runtime.plan(parsed, &mut plan).map_err(|e| broken(e.message))?;
        }
    }
    if plan.is_empty() {
        return Ok(());
    }
    let mut job = plan
        .start(runtime.session(), runtime.environment(), Some(1), None)
        .map_err(|e| broken(e.message))?;
    job.run(&Control::default(), &mut Nobody).map(drop).map_err(broken)
}

/// What Flink has put into the topics of the views and of the tables that it writes.
fn read_back(statements: &[ParsedStatement], mut runtime: Runtime) -> Result<Outputs, Unchecked> {
    let mut plan = JobPlan::default();
    for parsed in statements {
        let failed = |e: rialto_runtime::sql::error::SqlError| broken(e.message);
        match &parsed.statement {
            Statement::Insert(insert) => {
                let Some(name) = insert.target.parts.last().filter(|n| !n.ends_with("$topic"))
                else {
                    continue;
                };
                let Some((_, select)) = parsed.text.split_once("\nSELECT ") else { continue };
                let name = quote_identifier(&format!("{name}{READ_BACK}"));
                let text = format!("CREATE MATERIALIZED VIEW {name} AS\nSELECT {select}");
                for parsed in parse(&text).map_err(failed)? {
                    runtime.plan(&parsed, &mut plan).map_err(failed)?;
                }
            }
            _ => {
                runtime.plan(parsed, &mut plan).map_err(failed)?;
            }
        }
    }
    let found = observed(&plan, &runtime)?;
    let plain = |name: String| name.strip_suffix(READ_BACK).map(str::to_owned).unwrap_or(name);
    Ok(found.into_iter().map(|(name, rows)| (plain(name), rows)).collect())
}

/// Runs a plan to its end, and gives the rows of each output by its name.
fn observed(plan: &JobPlan, runtime: &Runtime) -> Result<Outputs, Unchecked> {
    let (session, environment) = (runtime.session(), runtime.environment());
    if plan.is_empty() {
        return Ok(Outputs::new());
    }
    let mut job = plan.start(session, environment, Some(1), None).map_err(|e| broken(e.message))?;
    let views: EngineResult<Vec<View>> = (0..plan.len()).map(|at| plan.view(at)).collect();
    let mut views = Views(views.map_err(broken)?);
    job.run(&Control::default(), &mut views).map_err(broken)?;
    let mut outputs = Outputs::new();
    for (name, view) in plan.names().zip(&views.0) {
        let batch = view.read(&[]).map_err(broken)?;
        let rows = outputs.entry(name.to_owned()).or_default();
        for row in 0..batch.num_rows() {
            *rows.entry(row_text(&batch, row, &session.settings)).or_default() += 1;
        }
    }
    Ok(outputs)
}

struct Views(Vec<View>);

impl Observer for Views {
    fn changed(&mut self, output: usize, delta: &Delta, _step: u64) -> EngineResult<()> {
        self.0[output].apply(delta)
    }
}

struct Nobody;

impl Observer for Nobody {
    fn changed(&mut self, _output: usize, _delta: &Delta, _step: u64) -> EngineResult<()> {
        Ok(())
    }
}

/// What differs, as lines.
fn differences(here: &Outputs, there: &Outputs) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, rows) in here {
        let none = Rows::new();
        let others = there.get(name).unwrap_or(&none);
        let mut rest = others.clone();
        for (row, times) in rows {
            *rest.entry(row.clone()).or_default() -= times;
        }
        if rest.values().all(|times| *times == 0) {
            continue;
        }
        lines.push(format!("{name}:"));
        for (who, sign) in [("here only", -1), ("on Flink only", 1)] {
            let rows: Vec<(&String, i64)> =
                rest.iter().map(|(row, times)| (row, times * sign)).filter(|r| r.1 > 0).collect();
            for (row, times) in rows.iter().take(SHOWN) {
                let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
                lines.push(format!("  {who} {row}{times}"));
            }
            if rows.len() > SHOWN {
                lines.push(format!("  {who} … and {} more", rows.len() - SHOWN));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_with_its_side() {
        let rows = |all: &[(&str, i64)]| all.iter().map(|(r, n)| ((*r).to_owned(), *n)).collect();
        let here = Outputs::from([
            ("v".to_owned(), rows(&[("{a: 1}", 1), ("{a: 2}", 2)])),
            ("w".to_owned(), rows(&[("{b: 1}", 1)])),
        ]);
        let mut there = here.clone();
        assert!(differences(&here, &there).is_empty());
        there.insert("v".into(), rows(&[("{a: 1}", 1), ("{a: 3}", 2)]));
        let expected = ["v:", "  here only {a: 2} (2 times)", "  on Flink only {a: 3} (2 times)"];
        assert_eq!(differences(&here, &there), expected);
        there.remove("w");
        assert!(differences(&here, &there).contains(&"w:".to_owned()));
    }
}
