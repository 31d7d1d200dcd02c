//! `rialto test`: a project on rows that fixtures give.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rialto_runtime::JobPlan;
use rialto_runtime::fixture::{Fixture, FixtureError, Tested, read};
use rialto_runtime::sql::parser::Statement;
use serde_json::json;

use crate::args::{Answer, JobArguments, Test, Variable};
use crate::failure::{Failure, Result};
use crate::output::Stdout;
use crate::{project, sql};

/// Runs the fixtures of a project.
pub fn test(command: &Test, stdout: &Stdout) -> Result<()> {
    let (mut passed, mut failed) = (0, 0);
    for project in tested_projects(&command.project.project) {
        for path in files(&project)? {
            let shown = path.display().to_string();
            for fixture in read(&path).map_err(wrong)? {
                let wanted = |text: &String| shown.contains(text) || fixture.name.contains(text);
                if !command.only.as_ref().is_none_or(wanted) {
                    continue;
                }
                let tested = run(&project, &command.project.variables, &fixture, stdout)?;
                if tested.failures.is_empty() {
                    passed += 1;
                } else {
                    failed += 1;
                }
                tell(command.output, &shown, &fixture.name, &tested, stdout)?;
                stdout.flush()?;
            }
        }
    }
    if command.output == Answer::Text {
        let all = project::counted(passed + failed, "fixture", "fixtures");
        stdout.line(&format!("{all}: {passed} passed, {failed} failed"))?;
    }
    match (passed, failed) {
        (0, 0) => Err(Failure::request("there is no such fixture", None)),
        (_, 0) => Ok(()),
        (_, n) => {
            let failed = project::counted(n, "fixture", "fixtures");
            Err(Failure::Job(format!("error: {failed} failed\n")))
        }
    }
}

/// What is wrong with a fixture.
pub fn wrong(error: FixtureError) -> Failure {
    Failure::request(error, None)
}

/// The project, where it has fixtures, and the packs that it keeps as its own files.
pub fn tested_projects(project: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project.join("packs")).into_iter().flatten();
    let mut packs: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|pack| pack.join("tests").is_dir() && pack.join("rialto.toml").is_file())
        .collect();
    packs.sort();
    // A project without any is told so.
    if project.join("tests").is_dir() || packs.is_empty() {
        packs.insert(0, project.to_path_buf());
    }
    packs
}

/// The files with fixtures, by name.
pub fn files(project: &Path) -> Result<Vec<PathBuf>> {
    let folder = project.join("tests");
    let hint = "a fixture is a file tests/NAME.yaml of the project (docs/testing.md)";
    let none = |reason: &str| {
        let message = format!("no fixtures in {}: {reason}", folder.display());
        Failure::request(message, Some(hint))
    };
    let entries = std::fs::read_dir(&folder).map_err(|e| none(&e.to_string()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .collect();
    files.sort();
    match files.is_empty() {
        true => Err(none("there is no .yaml file")),
        false => Ok(files),
    }
}

/// Plans the project on what the fixture gives, and runs it.
fn run(project: &Path, said: &[Variable], fixture: &Fixture, stdout: &Stdout) -> Result<Tested> {
    let mut variables = fixture.variables();
    variables.splice(0..0, said.iter().map(|v| (v.0.clone(), v.1.clone())));
    let opened = project::open_with(project, &variables)?;
    let (given, entries) = fixture.given().map_err(wrong)?;
    let given = Arc::new(given);
    let job = JobArguments::default();
    let mut runtime = sql::runtime(&opened.base_dir, &job, stdout);
    runtime.give(Arc::clone(&given));
    let mut plan = JobPlan::default();
    for (file, statement) in project::statements(&opened) {
        // Queries are for people who look at a run.
        if matches!(statement.statement, Statement::Query(_) | Statement::Explain(_)) {
            continue;
        }
        let planned = runtime.plan(statement, &mut plan);
        planned.map_err(|e| project::wrong(&e, statement, file))?;
    }
    fixture.run(&runtime, plan, &given, &entries).map_err(wrong)
}

fn tell(
    answer: Answer,
    file: &str,
    name: &str,
    tested: &Tested,
    stdout: &Stdout,
) -> std::io::Result<()> {
    if answer == Answer::Json {
        let line = json!({
            "file": file, "name": name, "runs": tested.runs, "failures": tested.failures,
        });
        return stdout.line(&line.to_string());
    }
    let word = if tested.failures.is_empty() { "ok    " } else { "FAILED" };
    stdout.line(&format!("{word} {file}: {name} ({} runs)", tested.runs))?;
    tested.failures.iter().try_for_each(|line| stdout.line(&format!("       {line}")))
}
