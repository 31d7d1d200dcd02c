//! The command as a user runs it: arguments in, exit code and text out.
//!
//! - `sql.rs`: statements, formats, errors, what could not be read
//! - `ends.rs`: all ends at once, killed again and again
//! - `delivery.rs`: messages that leave the house, to a broker, a database and a webhook
//! - `deploy.rs`: a project for a Flink cluster, and a gateway of its own
//! - `fixtures.rs`: `test`
//! - `init.rs`: new projects, and files that are mapped onto the event model
//! - `kafka.rs`: between topics of a real broker
//! - `letters.rs`: records that were refused, and are sent again
//! - `lookup.rs`: a real database that is asked while a project runs
//! - `memory.rs`: a limit for memory
//! - `operations.rs`: metrics, status, checkpoints on request, the doctor
//! - `packs.rs`: what must hold of the packs at all times
//! - `poison.rs`: files and records that no format can read
//! - `postgres.rs`: into a real database that is killed as well
//! - `project.rs`: `run` and `check`
//! - `restart.rs`: projects that are killed, and go on
//! - `running.rs`: a command beside the test
//! - `serve.rs`: events over HTTP while a project runs
//! - `serve_design.rs`: lineage, saved views, alerts and tokens over HTTP
//! - `serve_collect.rs`: calls of Segment's libraries
//! - `serve_acts.rs`: approving, rules, segments and dead letters over HTTP
//! - `serve_postgres.rs`: views for PostgreSQL's clients
//! - `serve_security.rs`: tokens, roles and TLS
//! - `serve_views.rs`: views over HTTP
//! - `shop.rs`: the simulated shop, killed, and told decisions
//! - `signals.rs`: endless jobs and who ends them
//! - `sinks.rs`: sinks that are away
//! - `terminal.rs`: what only a terminal sees
//! - `change.rs`: projects that are edited between two runs, and savepoints
//! - `bench.rs`: `nexmark` and `bench`
//! - `bucket.rs`: checkpoints in a bucket

mod bench;
mod bucket;
mod change;
mod delivery;
mod deploy;
mod ends;
mod fixtures;
mod init;
mod kafka;
mod letters;
mod lookup;
mod memory;
mod operations;
mod packs;
mod poison;
mod postgres;
mod project;
mod restart;
mod running;
mod serve;
mod serve_acts;
mod serve_collect;
mod serve_design;
mod serve_postgres;
mod serve_security;
mod serve_views;
mod shop;
mod signals;
mod sinks;
mod sql;
mod terminal;
mod truth;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const SALES: &str = r#"{"id":1,"product":"tea","amount":10.50}
{"id":2,"product":"milk","amount":3.25}
{"id":3,"product":"tea","amount":"much"}
{"id":4,"product":null,"amount":1}
{"id":5,"product":"tea","amount":2.00}
"#;

const TABLE: &str = "CREATE TABLE sales (id BIGINT, product STRING, amount DECIMAL(10, 2)) \
    WITH ('connector' = 'filesystem', 'path' = 'sales.json', 'format' = 'json');\n";

const TOTALS: &str =
    "SELECT product, COUNT(*) AS n, SUM(amount) AS total FROM sales GROUP BY product";

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sales.json"), SALES).unwrap();
    dir
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    command
}

fn rialto(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What a query over the sales prints, and that it ended well.
fn query(options: &[&str], query: &str) -> String {
    let dir = folder();
    let text = format!("{TABLE}{query};");
    let arguments = [&["sql", "-c", &text, "--shards", "2"], options].concat();
    let output = rialto(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}
