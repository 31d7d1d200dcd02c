//! `rialto plan`: what becomes of each part of a project that was edited, before it runs.

use rialto_runtime::checkpoint::{Change, Fate, Manifest};
use rialto_runtime::{JobPlan, Keeping};
use serde_json::json;

use super::state::StateFolder;
use super::{open, statements, wrong};
use crate::args::{Answer, JobArguments, Plan};
use crate::failure::{Result, tell};
use crate::output::Stdout;
use crate::sql;

/// Compares a project with the checkpoint that it would go on from.
pub fn plan(command: &Plan, stdout: &Stdout) -> Result<()> {
    let project = open(&command.project)?;
    let job = JobArguments::default();
    let mut runtime = sql::runtime(&project.base_dir, &job, stdout);
    let mut plan = JobPlan::default();
    for (file, statement) in statements(&project) {
        runtime.plan(statement, &mut plan).map_err(|e| wrong(&e, statement, file))?;
    }
    let state = StateFolder::look(&command.state, &project.base_dir)?;
    let keeping = Keeping { inserts: command.changed_inserts.map(Into::into), ..state.keeping() };
    let (kept, change) = keeping.change(&plan).map_err(super::state::not_started)?;
    match command.output {
        Answer::Text => as_text(kept.as_ref(), &change, stdout),
        Answer::Json => as_json(kept.as_ref(), &change, stdout),
    }
}

fn as_text(kept: Option<&Manifest>, change: &Change, stdout: &Stdout) -> Result<()> {
    let Some(kept) = kept else {
        return Ok(stdout.line("there is nothing to go on from: the project begins anew")?);
    };
    let rows = kept.summary.rows;
    stdout.line(&format!("checkpoint {}, behind {rows} rows", kept.epoch))?;
    for output in &change.outputs {
        let what = match (output.fate, output.insert) {
            (Fate::Dropped, _) => "output",
            (_, true) => "insert into",
            (_, false) => "view",
        };
        let note = match (output.undecided, output.fate) {
            (true, _) => "  other rows than before: say --changed-inserts rewrite or continue",
            (false, Fate::Rebuilt) => "  from the first row of its sources",
            (false, Fate::Continued) => "  from the next row of its sources, without state",
            _ => "",
        };
        stdout.line(&format!("{:<10} {what} {}{note}", output.fate.name(), output.name))?;
    }
    stdout.line("operators")?;
    for (fate, name, of) in &change.operators {
        let of = if of.is_empty() { String::new() } else { format!("  of {}", of.join(", ")) };
        stdout.line(&format!("{:<10} {name}{of}", fate.name()))?;
    }
    Ok(())
}

fn as_json(kept: Option<&Manifest>, change: &Change, stdout: &Stdout) -> Result<()> {
    let outputs = change
        .outputs
        .iter()
        .map(|o| json!({ "name": o.name, "fate": o.fate.name(), "undecided": o.undecided }));
    let operators = change
        .operators
        .iter()
        .map(|(fate, name, of)| json!({ "name": name, "fate": fate.name(), "outputs": of }));
    let line = json!({
        "checkpoint": kept.map(|m| m.epoch),
        "outputs": outputs.collect::<Vec<_>>(),
        "operators": operators.collect::<Vec<_>>(),
    });
    Ok(stdout.line(&line.to_string())?)
}

/// Tells in a line what a run takes over.
pub fn say(change: &Change) {
    if change.operators.is_empty() || !change.is_any() {
        return;
    }
    let counts = [Fate::Reused, Fate::Rebuilt, Fate::Continued, Fate::Dropped]
        .map(|fate| (change.count(fate), fate.name()));
    let counts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")).collect();
    tell(&format!("the project has changed: operators {}\n", counts.join(", ")));
}
