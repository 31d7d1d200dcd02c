//! Runs a query step by step and holds the view against the batch answer after every step.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rialto_engine::executor::{Restored, ShardState, Snapshot};
use rialto_engine::operator::Emission;
use rialto_engine::{Circuit, EngineError, Executor, OutputId, Parallelism};
use rialto_runtime::view::View;
use rialto_sql::parser::{Statement, parse_one};
use rialto_sql::planner::{Planner, Session};
use rialto_sql::step::{Lowering, StepPlan, build, explain};

use crate::data::{Contents, Input};
use crate::feed::Feed;
use crate::query::Text;
use crate::referee::{Referee, text_rows};

/// How a case is run.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub shards: usize,
    /// Of each shard.
    pub threads: usize,
    pub splits: usize,
}

/// A query in motion over a case's input.
pub struct Subject {
    circuit: Circuit,
    executor: Executor,
    /// What checkpoints wrote since the state was last written whole; where there are restarts.
    written: Option<Vec<Snapshot>>,
    output: OutputId,
    feed: Feed,
    plan: Arc<StepPlan>,
    /// How many columns are shown; those behind them only order what is shown.
    width: usize,
    view: View,
    step: i64,
    /// How many rows were found to be late.
    pub late: usize,
}

impl Subject {
    pub fn start(
        input: &Input,
        sql: &str,
        spread: Spread,
        emission: Emission,
    ) -> Result<Self, String> {
        let mut session = Session::default();
        for table in &input.tables {
            let parsed = parse_one(&table.ddl()).map_err(|e| e.to_string())?;
            session.catalog.apply(&parsed.statement).map_err(|e| e.to_string())?;
        }
        let parsed = parse_one(sql).map_err(|e| format!("does not parse: {e}"))?;
        let Statement::Query(query) = &parsed.statement else {
            return Err("not a query".into());
        };
        let logical = Planner::new(&session).plan(query);
        let logical = logical.map_err(|e| format!("cannot be planned: {e}"))?;
        let query_length = sql.len();
        let lowering = Lowering { emission, ..Lowering::default() };
        let query = lowering.query(&logical).map_err(|e| format!("cannot be lowered: {e}"))?;
        let (plan, width) = (query.plan, query.columns.fields().len());
        let feed = Feed::new(input, spread.splits);
        let (circuit, outputs) = build(&[Arc::clone(&plan)], &[], &session, &feed)
            .map_err(|e| format!("cannot be built: {e}"))?;
        let Spread { shards, threads, .. } = spread;
        let executor = Executor::new(&circuit, Parallelism { shards, threads });
        let executor = executor.map_err(|e| e.to_string())?;
        let view = View::new(Arc::clone(&plan.schema)).map_err(|e| e.to_string())?;
        // Half of the cases are interrupted.
        let restarts = (query_length + input.steps.len()) % 2 == 0;
        let (written, output) = (restarts.then(Vec::new), outputs[0]);
        Ok(Self { circuit, executor, written, output, feed, plan, width, view, step: 0, late: 0 })
    }

    /// The operators, for a failure's message.
    pub fn explain(&self) -> String {
        explain(&self.plan)
    }

    /// Takes one step over what has been released.
    pub fn step(&mut self) -> Result<(), String> {
        self.step += 1;
        let report = self.executor.step_rows(self.step, usize::MAX);
        let mut report = report.map_err(|e| format!("the step failed: {e}"))?;
        self.late += report.late.iter().flat_map(|(_, d)| d).map(|d| d.num_rows()).sum::<usize>();
        for delta in report.take_output(self.output) {
            let negative = (0..delta.num_rows()).any(|row| delta.weight(row) < 0);
            if self.plan.traits.insert_only && negative {
                return Err("an insert-only output took a row back".into());
            }
            self.view.apply(&delta).map_err(|e| e.to_string())?;
        }
        self.interrupt().map_err(|e| format!("the restart failed: {e}"))
    }

    /// Writes a checkpoint after every step and goes on from it after every second one: in another
    /// executor, which after every fourth step has another number of shards.
    fn interrupt(&mut self) -> Result<(), EngineError> {
        let Some(written) = &mut self.written else { return Ok(()) };
        written.push(self.executor.checkpoint()?);
        if self.step % 2 == 0 {
            return Ok(());
        }
        let before = written[0].shards.len();
        let shards = if self.step % 4 == 3 { before % 4 + 1 } else { before };
        let mut restored = Restored::default();
        restored.shards.resize_with(before, ShardState::default);
        for snapshot in written.iter() {
            restored.progress = snapshot.progress.clone();
            for (state, nodes) in restored.shards.iter_mut().zip(&snapshot.shards) {
                for (node, tables) in nodes {
                    state.apply(*node, tables.clone())?;
                }
            }
        }
        if shards != before {
            // Keys have new slots: the next checkpoint writes everything.
            written.clear();
        }
        self.executor = Executor::new(&self.circuit, shards)?;
        self.executor.restore(restored)
    }

    /// Lets the next step read the changes of `step`.
    pub fn release(&self, input: &Input, step: usize) {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for change in &input.steps[step] {
            *counts.entry(change.table).or_default() += 1;
        }
        for (table, rows) in counts {
            self.feed.release(&input.tables[table].name, rows);
        }
    }

    /// Says that the input has ended.
    pub fn end(&self) {
        self.feed.end();
    }

    /// The rows of the view as text, sorted.
    pub fn rows(&self) -> Result<Vec<String>, String> {
        let batch = self.view.read(&[]).map_err(|e| e.to_string())?;
        if let Some(key) = &self.plan.traits.key {
            let keys = batch.project(key).map_err(|e| e.to_string())?;
            let mut seen = HashSet::new();
            let rows = if key.is_empty() {
                vec![String::new(); batch.num_rows()]
            } else {
                text_rows(&keys)
            };
            if let Some(twice) = rows.into_iter().find(|row| !seen.insert(row.clone())) {
                return Err(format!("the key [{twice}] of columns {key:?} is there twice"));
            }
        }
        let shown: Vec<usize> = (0..self.width).collect();
        let mut rows = text_rows(&batch.project(&shown).map_err(|e| e.to_string())?);
        rows.sort();
        Ok(rows)
    }
}

/// Runs a case; an error says where the view and the batch answer part.
pub fn check(input: &Input, sql: &Text, spread: Spread, referee: &Referee) -> Result<(), String> {
    let failed = |step: usize, plan: &str, what: String| {
        format!(
            "after step {step} on {spread:?}: {what}\n\n-- Flink SQL\n{}\n\n-- batch SQL\n{}\n\n\
             {plan}\n{}",
            sql.ours,
            sql.theirs,
            input.show()
        )
    };
    let mut subject = Subject::start(input, &sql.ours, spread, Emission::Updates)
        .map_err(|e| failed(0, "", e))?;
    let plan = subject.explain();
    let prepared = referee.prepare(&input.tables, &sql.theirs);
    let prepared = prepared.map_err(|e| failed(0, &plan, e))?;
    let mut contents = Contents::new(input.tables.len());
    let mut expected: Option<Vec<String>> = None;
    // The first step has no input, the last one its end: both have an answer too.
    for step in 0..input.steps.len() + 2 {
        match step.checked_sub(1) {
            None => {}
            Some(at) if at == input.steps.len() => subject.end(),
            Some(at) => {
                subject.release(input, at);
                contents.apply(&input.steps[at]);
                expected = None;
            }
        }
        subject.step().map_err(|e| failed(step, &plan, e))?;
        let found = subject.rows().map_err(|e| failed(step, &plan, e))?;
        let expected = match &mut expected {
            Some(known) => known,
            none => {
                let answer = prepared.answer(&input.tables, &contents);
                none.insert(answer.map_err(|e| failed(step, &plan, e))?)
            }
        };
        if found != *expected {
            return Err(failed(step, &plan, difference(expected, &found)));
        }
    }
    Ok(())
}

/// What is refused where rows may not be corrected: a frame that is not in the order of time.
const NEVER_FINAL: &str = "an append-only result of an OVER window is not supported";

/// Runs a case whose windows answer once, when they close: at the end of the input all have. A
/// query that cannot be answered so is to be refused.
pub fn check_final(
    input: &Input,
    sql: &Text,
    spread: Spread,
    referee: &Referee,
) -> Result<(), String> {
    let mut subject = match Subject::start(input, &sql.ours, spread, Emission::Final) {
        Err(reason) if reason.starts_with(NEVER_FINAL) => return Ok(()),
        started => started?,
    };
    let plan = subject.explain();
    let failed = |what: String| {
        let (ours, theirs) = (&sql.ours, &sql.theirs);
        format!(
            "at the end, emitted once, on {spread:?}: {what}\n\n-- Flink SQL\n{ours}\n\n\
             -- batch SQL\n{theirs}\n\n{plan}\n{}",
            input.show()
        )
    };
    let mut contents = Contents::new(input.tables.len());
    for step in 0..input.steps.len() {
        subject.release(input, step);
        contents.apply(&input.steps[step]);
        subject.step().map_err(failed)?;
    }
    subject.end();
    subject.step().map_err(failed)?;
    let expected = referee.prepare(&input.tables, &sql.theirs).map_err(failed)?;
    let expected = expected.answer(&input.tables, &contents).map_err(failed)?;
    let found = subject.rows().map_err(failed)?;
    if found == expected { Ok(()) } else { Err(failed(difference(&expected, &found))) }
}

/// What one has and the other has not.
pub fn difference(expected: &[String], found: &[String]) -> String {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    expected.iter().for_each(|row| counts.entry(row).or_default().0 += 1);
    found.iter().for_each(|row| counts.entry(row).or_default().1 += 1);
    let mut text = format!("{} rows expected, {} found", expected.len(), found.len());
    for (row, (expected, found)) in counts.iter().filter(|(_, (e, f))| e != f) {
        text += &format!("\n  ({row}): expected {expected} times, found {found} times");
    }
    text
}
