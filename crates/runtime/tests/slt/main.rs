//! Runs the SQL corpus (`tests/slt`), whose answers were recorded from a real Apache Flink.
//!
//! `RIALTO_SLT=joins/regular` runs only files whose path contains the text; `RIALTO_SLT_SHARDS=4`
//! runs with that many shards; `RIALTO_SLT_STEP_ROWS=1` cuts the input into steps of that many
//! rows; `RIALTO_SLT_RESTART_STEPS=2` ends a query's job after every second step with a
//! checkpoint, from which another goes on. What does not hold yet is listed in
//! `tests/slt/known-failures.txt`, a line a block: a block that fails without being listed fails
//! the test, and so does one that is listed and passes.

mod file;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Planning recurses; deep queries want a deep stack.
const STACK_BYTES: usize = 64 << 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn slt_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            slt_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "slt") {
            found.push(path);
        }
    }
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn the_corpus_holds() {
    run_corpus(&run::Settings {
        shards: number("RIALTO_SLT_SHARDS").unwrap_or(1),
        step_rows: number("RIALTO_SLT_STEP_ROWS"),
        restart_steps: number("RIALTO_SLT_RESTART_STEPS"),
        data: root().join("tests/data"),
    });
}

#[test]
fn the_corpus_holds_if_every_query_is_interrupted_again_and_again() {
    let data = root().join("tests/data");
    run_corpus(&run::Settings { shards: 2, step_rows: Some(3), restart_steps: Some(1), data });
}

fn run_corpus(settings: &run::Settings) {
    let root = root();
    let base = root.join("tests/slt");
    let mut files = Vec::new();
    slt_files(&base, &mut files);
    files.sort();
    let only = std::env::var("RIALTO_SLT").unwrap_or_default();
    let name = |p: &PathBuf| p.strip_prefix(&base).unwrap().to_string_lossy().into_owned();
    files.retain(|p| name(p).contains(&only));
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = run::run_file(path, &name(path), settings);
            outcomes.lock().unwrap().extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).unwrap();
        }
    });
    let known = std::fs::read_to_string(base.join("known-failures.txt")).unwrap_or_default();
    let known: BTreeSet<&str> = known.lines().filter(|l| !l.starts_with('#')).collect();
    report(outcomes.into_inner().unwrap(), &known);
}

fn report(mut outcomes: Vec<run::Outcome>, known: &BTreeSet<&str>) {
    outcomes.sort_by(|a, b| a.id.cmp(&b.id));
    let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut broken, mut mended) = (Vec::new(), Vec::new());
    for outcome in &outcomes {
        let group = outcome.id.split('/').next().unwrap_or_default();
        let (passed, failed) = groups.entry(group).or_default();
        *(if outcome.failure.is_none() { passed } else { failed }) += 1;
        match (&outcome.failure, known.contains(outcome.id.as_str())) {
            (Some(failure), false) => broken.push(format!("{}\n{failure}", outcome.id)),
            (None, true) => mended.push(outcome.id.clone()),
            _ => {}
        }
    }
    for (group, (passed, failed)) in &groups {
        println!("{group:12} {passed:4} passed {failed:4} failed");
    }
    if let Ok(path) = std::env::var("RIALTO_SLT_FAILURES") {
        let failed = outcomes.iter().filter(|o| o.failure.is_some());
        let lines: Vec<&str> = failed.map(|o| o.id.as_str()).collect();
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    for text in &broken {
        println!("\n=== {text}");
    }
    assert!(mended.is_empty(), "these pass now, take them off the list: {mended:#?}");
    assert!(broken.is_empty(), "{} blocks fail (see above)", broken.len());
}
