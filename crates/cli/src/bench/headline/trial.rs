//! One world and one policy in it: hour by hour, each decision known before the next hour.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rialto_runtime::connectors::changes;
use rialto_runtime::connectors::format::json::JsonEncoder;
use rialto_runtime::connectors::shop::{Config, Stage, Truth};
use rialto_runtime::engine::{Delta, EngineError, Result as EngineResult};
use rialto_runtime::sql::parser::Statement;
use rialto_runtime::storage::log::{self, Batch, Pressure, Producer, Records, Topic};
use rialto_runtime::{Job, JobPlan, Observer, StepSummary};
use serde_json::{Map, Value};

use crate::args::JobArguments;
use crate::failure::{Failure, Result};
use crate::output::Stdout;
use crate::{project, sql};

/// How long a world trades.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Days without decisions.
    pub warm_up: u32,
    /// Days after them.
    pub days: u32,
}

/// What came of a trial.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// What was true when the first decision was made.
    pub before: Truth,
    /// What was true at the end.
    pub after: Truth,
    /// How many decisions the shop carried out.
    pub decisions: usize,
}

/// A world in which nobody decides.
pub fn off(config: &Config, length: Length) -> Outcome {
    let mut truths = Stage::alone(config.clone(), [length.warm_up, length.days].map(hours));
    let after = truths.pop().unwrap_or_default();
    Outcome { before: truths.pop().unwrap_or_default(), after, decisions: 0 }
}

fn hours(days: u32) -> u64 {
    u64::from(days) * 24
}

/// A world in which the project's view decides.
pub fn on(
    folder: &Path,
    view: &str,
    config: &Config,
    length: Length,
    stdout: &Stdout,
) -> Result<Outcome> {
    let stage = Arc::new(Stage::new(config.clone()));
    let mut trial = Trial::start(folder, view, Arc::clone(&stage), stdout)?;
    let failed = |e: EngineError| Failure::Job(format!("error: {e}\n"));
    let mut decisions = 0;
    for _ in 0..hours(length.warm_up) {
        trial.hour(&[]).map_err(failed)?;
    }
    let before = stage.truth();
    // What it would have decided meanwhile nobody did; what it says now is the first that is done.
    trial.heard.begin();
    let mut told = Vec::new();
    for _ in 0..hours(length.days) {
        decisions += trial.hour(&told).map_err(failed)?;
        told = std::mem::take(&mut trial.heard.rows);
        trial.note(&told).map_err(failed)?;
        told.iter_mut().for_each(for_the_shop);
    }
    Ok(Outcome { before, after: stage.truth(), decisions })
}

/// A job, and the world that it watches.
struct Trial {
    stage: Arc<Stage>,
    job: Job,
    heard: Heard,
    /// The table `decision`, which some packs read.
    log: Arc<Topic>,
}

impl Trial {
    fn start(folder: &Path, view: &str, stage: Arc<Stage>, stdout: &Stdout) -> Result<Self> {
        let opened = project::open_with(folder, &[])?;
        let mut runtime = sql::runtime(&opened.base_dir, &JobArguments::default(), stdout);
        runtime.set_stage(Arc::clone(&stage));
        let mut plan = JobPlan::default();
        for (file, statement) in project::statements(&opened) {
            let declares = !matches!(
                statement.statement,
                Statement::Query(_) | Statement::Explain(_) | Statement::Insert(_)
            );
            if declares {
                let planned = runtime.plan(statement, &mut plan);
                planned.map_err(|e| project::wrong(&e, statement, file))?;
            }
        }
        plan.observe_only(|name| name == view);
        let key = plan.plan(0).traits.key.clone();
        let job = plan.start(runtime.session(), runtime.environment(), Some(1), None);
        let job = job.map_err(|e| project::without_place(&e))?;
        let unwritten = |e: log::LogError| Failure::Job(format!("error: {e}\n"));
        let log = Topic::shared(&folder.join(".rialto/log/decision"), log::Config::default());
        let log = log.map_err(unwritten)?;
        log.open_for_writing().map_err(unwritten)?;
        Ok(Self { stage, job, heard: Heard { key, ..Heard::default() }, log })
    }

    /// Lets an hour pass in which the shop does what it is told, and shows it to the job. Answers
    /// how many decisions the shop understood.
    fn hour(&mut self, told: &[Map<String, Value>]) -> EngineResult<usize> {
        let understood = self.stage.pass_hour(told);
        loop {
            self.job.step(&mut self.heard)?;
            if self.heard.taken_in == 0 {
                return Ok(understood);
            }
        }
    }

    /// Writes what was decided into the table of decisions.
    fn note(&self, decisions: &[Map<String, Value>]) -> EngineResult<()> {
        if decisions.is_empty() {
            return Ok(());
        }
        let mut records = Records::default();
        for row in decisions {
            records.push(None, 0, Value::Object(row.clone()).to_string().as_bytes());
        }
        let batch = Batch { records: [(0, records)].into(), producer: Producer::default() };
        let failed = |e: log::LogError| EngineError::Internal(e.to_string());
        let ticket = self.log.append(batch, Pressure::Wait).map_err(failed)?;
        self.log.wait(&ticket).map(drop).map_err(failed)
    }
}

/// The decisions that the view says, each of them heard once.
#[derive(Default)]
struct Heard {
    key: Option<Vec<usize>>,
    /// Those that the view has now, by their ids: before anybody listens.
    standing: BTreeMap<String, Map<String, Value>>,
    listens: bool,
    known: BTreeSet<String>,
    /// Those that nobody has been told yet, as they are carried out.
    rows: Vec<Map<String, Value>>,
    /// How many rows the last step took in.
    taken_in: u64,
}

impl Heard {
    /// Listens from here on, and hears what stands.
    fn begin(&mut self) {
        self.listens = true;
        for (id, row) in std::mem::take(&mut self.standing) {
            self.hear(id, row);
        }
    }

    /// The first word on a decision is what was decided.
    fn hear(&mut self, id: String, mut row: Map<String, Value>) {
        let may = row.get("status").and_then(Value::as_str) != Some("rejected");
        if self.known.insert(id) && may {
            // Whoever is asked says yes.
            row.insert("status".into(), "applied".into());
            self.rows.push(row);
        }
    }
}

impl Observer for Heard {
    fn changed(&mut self, _: usize, delta: &Delta, _: u64) -> EngineResult<()> {
        let encoder = JsonEncoder::new(&delta.batch().schema());
        for (kind, row) in changes(delta, self.key.as_deref())? {
            let mut text = Vec::new();
            encoder.write_row(delta.batch(), row, &mut text)?;
            let parsed = serde_json::from_slice::<Map<String, Value>>(&text);
            let row = parsed.map_err(|e| EngineError::Internal(e.to_string()))?;
            let id = row.get("decision_id").and_then(Value::as_str).unwrap_or_default().to_owned();
            match (kind.retracts(), self.listens) {
                (true, false) => drop(self.standing.remove(&id)),
                (false, false) => drop(self.standing.insert(id, row)),
                (true, true) => {}
                (false, true) => self.hear(id, row),
            }
        }
        Ok(())
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> EngineResult<()> {
        self.taken_in = summary.rows;
        match summary.dead_letters.first() {
            Some((table, letter)) => Err(EngineError::source(
                format!("table '{table}', {}", letter.position),
                &letter.reason,
            )),
            None => Ok(()),
        }
    }
}

/// It knows no transfers between places: goods for a store are ordered of the warehouse. So it is
/// in the loop of a project with the simulated shop.
fn for_the_shop(row: &mut Map<String, Value>) {
    if row.get("decision_type").and_then(Value::as_str) == Some("allocate") {
        row.insert("decision_type".into(), "replenish".into());
    }
}
