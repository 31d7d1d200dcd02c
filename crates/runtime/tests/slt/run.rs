//! Runs the blocks of a file in one session and compares.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::Array;
use rialto_engine::{Delta, Result};
use rialto_runtime::checkpoint::{CheckpointOptions, CheckpointStore};
use rialto_runtime::storage::LocalStorage;
use rialto_runtime::storage::testing::CrashFiles;
use rialto_runtime::view::View;
use rialto_runtime::{Answer, Control, Job, JobPlan, Observer, Runtime, RuntimeOptions};
use rialto_sql::functions::format_field_value;

use crate::file::{Block, Kind, read};

/// How a run is cut and spread.
pub struct Settings {
    pub shards: usize,
    pub step_rows: Option<usize>,
    /// After so many steps a query's job ends with a checkpoint and another goes on from it.
    pub restart_steps: Option<usize>,
    pub data: PathBuf,
}

/// What became of a block.
pub struct Outcome {
    /// `file.slt:n`, the n-th block of the file from 1.
    pub id: String,
    /// What was wrong.
    pub failure: Option<String>,
}

pub fn run_file(path: &Path, name: &str, settings: &Settings) -> Vec<Outcome> {
    let text = std::fs::read_to_string(path).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let text = text
        .replace("${DATA}", &settings.data.to_string_lossy())
        .replace("${TMP}", &temporary.path().to_string_lossy());
    let environment = rialto_connectors::Environment::new(temporary.path());
    let mut runtime = Runtime::new(environment, RuntimeOptions { shards: Some(settings.shards) });
    let blocks = read(&text);
    let run = |(at, block): (usize, &Block)| {
        let id = format!("{name}:{}", at + 1);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run_block(&mut runtime, block, settings)
        }));
        let failure = match caught {
            Ok(result) => result.err(),
            Err(_) => Some("panicked".into()),
        };
        let place = |f: String| format!("line {}: {}\n{f}", block.line, block.sql);
        Outcome { id, failure: failure.map(place) }
    };
    blocks.iter().enumerate().map(run).collect()
}

fn run_block(
    runtime: &mut Runtime,
    block: &Block,
    settings: &Settings,
) -> std::result::Result<(), String> {
    let answer = execute(runtime, &block.sql, settings);
    match (&block.kind, answer) {
        (Kind::Error, Err(_)) | (Kind::Ok, Ok(_)) => Ok(()),
        (Kind::Error, Ok(_)) => Err("it should have failed".into()),
        (_, Err(error)) => Err(error),
        (Kind::Query { types, sorted, rows }, Ok(mut found)) => {
            let mut expected = rows.clone();
            if *sorted {
                expected.sort();
                found.sort();
            }
            compare(types, &expected, &found)
        }
    }
}

fn compare(types: &str, expected: &[String], found: &[String]) -> std::result::Result<(), String> {
    let same = expected.len() == found.len()
        && expected.iter().zip(found).all(|(e, f)| rows_equal(types, e, f));
    if same {
        return Ok(());
    }
    let show = |rows: &[String]| {
        let mut text: Vec<&str> = rows.iter().take(12).map(String::as_str).collect();
        if rows.len() > 12 {
            text.push("…");
        }
        text.join("\n  ")
    };
    Err(format!(
        "expected {} rows:\n  {}\nfound {} rows:\n  {}",
        expected.len(),
        show(expected),
        found.len(),
        show(found)
    ))
}

fn rows_equal(types: &str, expected: &str, found: &str) -> bool {
    let (e, f): (Vec<&str>, Vec<&str>) =
        (expected.split('\t').collect(), found.split('\t').collect());
    e.len() == f.len()
        && e.iter().zip(&f).enumerate().all(|(i, (e, f))| {
            e == f || types.as_bytes().get(i) == Some(&b'R') && numbers_equal(e, f)
        })
}

fn numbers_equal(expected: &str, found: &str) -> bool {
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(e), Ok(f)) if e.is_finite() && f.is_finite() => {
            (e - f).abs() <= 1e-6 * e.abs().max(f.abs())
        }
        _ => false,
    }
}

/// Runs a statement to its end; rows come as text, cells separated by tabs.
fn execute(
    runtime: &mut Runtime,
    sql: &str,
    settings: &Settings,
) -> std::result::Result<Vec<String>, String> {
    let statements = rialto_sql::parser::parse(sql).map_err(|e| e.to_string())?;
    let mut rows = Vec::new();
    for statement in &statements {
        match runtime.execute(statement).map_err(|e| e.to_string())? {
            Answer::Query(job, plan) => rows = query(runtime, *job, &plan, settings)?,
            Answer::Insert(mut job) => {
                job.set_step_rows_max(settings.step_rows.unwrap_or(usize::MAX));
                let nobody = &mut Collect { view: None };
                job.run(&Control::default(), nobody).map_err(|e| e.to_string())?;
            }
            Answer::Rows(batch) => rows = text_rows(runtime, &batch),
            Answer::Text(text) => rows = text.lines().map(str::to_owned).collect(),
            Answer::Done(_) | Answer::Quit => {}
        }
    }
    Ok(rows)
}

struct Collect {
    view: Option<View>,
}

impl Observer for Collect {
    fn changed(&mut self, _: usize, delta: &Delta, _: u64) -> Result<()> {
        match &mut self.view {
            Some(view) => view.apply(delta),
            None => Ok(()),
        }
    }
}

fn query(
    runtime: &Runtime,
    mut job: Job,
    plan: &JobPlan,
    settings: &Settings,
) -> std::result::Result<Vec<String>, String> {
    if let Some(rows) = settings.step_rows {
        job.set_step_rows_max(rows);
    }
    let mut collect = Collect { view: Some(plan.view(0).map_err(|e| e.to_string())?) };
    match settings.restart_steps {
        None => drop(job.run(&Control::default(), &mut collect).map_err(|e| e.to_string())?),
        Some(steps) => collect = with_restarts(runtime, job, plan, settings, steps)?,
    }
    let Some(view) = &collect.view else { return Ok(Vec::new()) };
    let batch = view.read(plan.order(0)).map_err(|e| e.to_string())?;
    Ok(text_rows(runtime, &batch))
}

/// Runs a query through many jobs, each of which goes on from the one before.
fn with_restarts(
    runtime: &Runtime,
    job: Job,
    plan: &JobPlan,
    settings: &Settings,
    steps: usize,
) -> std::result::Result<Collect, String> {
    let storage = LocalStorage::open(Arc::new(CrashFiles::new()), "/state");
    let store = CheckpointStore::new(Arc::new(storage.map_err(|e| e.to_string())?));
    let mut next = Some(job);
    loop {
        let started = || runtime.start(plan).map_err(|e| e.to_string());
        let mut job = next.take().map_or_else(started, Ok)?;
        job.set_step_rows_max(settings.step_rows.unwrap_or(usize::MAX));
        let options = CheckpointOptions::default();
        job.keep(store.clone(), options).map_err(|e| e.to_string())?;
        let mut collect = Collect { view: Some(plan.view(0).map_err(|e| e.to_string())?) };
        job.show_kept(&mut collect).map_err(|e| e.to_string())?;
        for _ in 0..steps {
            if !job.step(&mut collect).map_err(|e| e.to_string())? {
                return Ok(collect);
            }
        }
        job.checkpoint().map_err(|e| e.to_string())?;
    }
}

fn text_rows(runtime: &Runtime, batch: &arrow::array::RecordBatch) -> Vec<String> {
    let settings = &runtime.session().settings;
    let schema = batch.schema();
    let cell = |column: usize, row: usize| {
        let array = batch.column(column);
        if array.is_null(row) {
            return "NULL".to_owned();
        }
        let declared = schema.field(column).metadata().get("flink.type").cloned();
        let text = format_field_value(array.as_ref(), row, declared.as_deref(), settings);
        let text = text.trim_end().replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
        if text.is_empty() { "(empty)".into() } else { text }
    };
    let row = |row| (0..batch.num_columns()).map(|c| cell(c, row)).collect::<Vec<_>>().join("\t");
    (0..batch.num_rows()).map(row).collect()
}
