//! Looking after a job from outside: metrics, status, checkpoints on request, the doctor.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::running::{Running, newest_checkpoint, wait_until};
use crate::{command, rialto, stderr, stdout};

/// Two sources with an event time, one of them silent; no checkpoint but those that are asked for.
const JOB: &str = "SET 'execution.checkpointing.interval' = '1 h';
    CREATE TABLE sales (id BIGINT, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH (
      'connector' = 'filesystem', 'path' = 'sales', 'format' = 'json',
      'source.monitor-interval' = '20 ms');
    CREATE TABLE returns (id BIGINT, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH (
      'connector' = 'filesystem', 'path' = 'returns', 'format' = 'json',
      'source.monitor-interval' = '20 ms');
    CREATE TABLE out (id BIGINT) WITH (
      'connector' = 'filesystem', 'path' = 'out', 'format' = 'csv');
    INSERT INTO out SELECT id FROM sales;
    CREATE MATERIALIZED VIEW every_sale AS SELECT COUNT(*) AS n FROM sales;
    CREATE MATERIALIZED VIEW pairs AS SELECT s.id FROM sales AS s JOIN returns AS r
      ON s.id = r.id AND r.at BETWEEN s.at AND s.at + INTERVAL '1' HOUR;";

const SALES: &str = "{\"id\":1,\"at\":\"2024-01-01 00:00:01\"}\nnone\n\
    {\"id\":2,\"at\":\"2024-01-01 00:00:02\"}\n";

fn project(at: &Path) {
    fs::create_dir(at.join("sales")).unwrap();
    fs::create_dir(at.join("returns")).unwrap();
    fs::write(at.join("sales/a.json"), SALES).unwrap();
    fs::write(at.join("job.sql"), JOB).unwrap();
}

/// Asks the server of a run; answers the status line, the heads and the body as one text.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

fn jobs(at: &Path) -> Value {
    let output = rialto(at, &["jobs", "state", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn named<'v>(all: &'v Value, name: &str) -> &'v Value {
    all.as_array().unwrap().iter().find(|v| v["name"] == name).unwrap()
}

#[test]
fn a_running_job_tells_how_it_is_and_takes_checkpoints_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    project(at);
    let run = ["run", "job.sql", "--state", "state", "--shards", "1"];
    let running = Running::start(at, &[&run[..], &["--serve", "127.0.0.1:0"]].concat());
    wait_until("where it serves", || running.said().contains('\n'));
    let said = running.said();
    let address = said.strip_prefix("serving http://").unwrap();
    let address = address.split(['/', ';', '\n']).next().unwrap().to_owned();
    let metrics = || ask(&address, "GET /metrics");
    wait_until("rows", || metrics().contains("rialto_source_rows_total{source=\"sales\"} 2"));
    let all = metrics();
    for expected in [
        "application/openmetrics-text",
        "# TYPE rialto_steps counter",
        "rialto_rows_total 2\n",
        "rialto_source_rows_total{source=\"returns\"} 0\n",
        "rialto_source_dead_letters_total{source=\"sales\"} 1\n",
        "rialto_source_watermark_seconds{source=\"sales\"} 1704067202.0\n",
        "rialto_source_watermark_lag_seconds{source=\"sales\"} ",
        "rialto_output_rows_total{output=\"out\",kind=\"sink\"} 2\n",
        "rialto_output_watermark_seconds{output=\"every_sale\",source=\"sales\"} 1704067202.0\n",
        "rialto_step_seconds_bucket{le=\"",
        "rialto_source_bytes_total{source=\"sales\"} ",
        "rialto_reader_watermark_seconds{source=\"sales\",reader=\"0\"} 1704067202.0\n",
        "rialto_operator_seconds_total{operator=\"Join\",node=\"",
        "outputs=\"pairs\"} ",
        "rialto_steps_seconds_total ",
        "rialto_exchange_wait_seconds_total 0.0\n",
        "rialto_output_seconds_total{output=\"every_sale\",kind=\"view\"} ",
        "rialto_step_seconds_count ",
        "rialto_sink_backlog_epochs{sink=\"out\"} 0.0\n",
        "rialto_checkpoint_age_seconds ",
        "rialto_checkpoint_alarm 0.0\n",
        "rialto_checkpoints_total 0\n",
    ] {
        assert!(all.contains(expected), "{expected} in {all}");
    }
    assert!(all.ends_with("# EOF\n"), "{all}");
    assert!(body(&ask(&address, "GET /readyz"))["ready"] == true);
    // Sizes are looked at twice a second.
    wait_until("the state of the count", || {
        metrics().lines().any(|line| {
            line.starts_with("rialto_operator_state_rows{operator=\"Aggregate\",")
                && line.ends_with("outputs=\"every_sale\"} 1.0")
        })
    });
    wait_until("the state of the join", || {
        let all = metrics();
        let bytes = all.lines().find_map(|line| {
            let rest = line.strip_prefix("rialto_operator_state_bytes{operator=\"Join\",")?;
            rest.rsplit_once(' ')?.1.parse::<f64>().ok()
        });
        all.contains("rialto_operator_state_rows{operator=\"Join\"") && bytes > Some(16.0)
    });
    let status = body(&ask(&address, "GET /v1/status"));
    assert_eq!(named(&status["sources"], "sales")["rows"], 2, "{status}");
    assert_eq!(named(&status["sources"], "sales")["bytes"], SALES.len(), "{status}");
    let reader = &named(&status["sources"], "sales")["readers"][0];
    assert_eq!(reader["watermark_ms"], 1_704_067_202_000_i64, "{status}");
    let join = named(&status["operators"], "Join");
    assert_eq!((&join["outputs"][0], &join["state_rows"]), (&"pairs".into(), &2.into()), "{join}");
    let shares = status["operators"].as_array().unwrap().iter();
    let shares: f64 = shares.map(|o| o["share"].as_f64().unwrap()).sum();
    assert!(shares > 0.5 && shares < 1.01, "{shares} of {status}");
    let held = &named(&status["outputs"], "pairs")["held_back_by"];
    assert_eq!(held, "'returns' has given no row yet: there is no watermark", "{status}");

    assert_eq!(newest_checkpoint(&at.join("state")), 0, "none is due for an hour");
    let taken = ask(&address, "POST /v1/checkpoint");
    assert_eq!(body(&taken)["checkpoint"], 1, "{taken}");
    assert_eq!(newest_checkpoint(&at.join("state")), 1);
    let output = rialto(at, &["checkpoint", "state"]);
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("checkpoint 2\n", Some(0)));
    assert_eq!(newest_checkpoint(&at.join("state")), 2);
    assert!(metrics().contains("rialto_checkpoint_epoch 2.0\n"), "{}", metrics());

    wait_until("the status", || jobs(at)["status"]["checkpoints"]["last"] == 2);
    let found = jobs(at);
    assert_eq!(found["job"], "running", "{found}");
    assert_eq!(found["checkpoint"]["rows"], 2, "{found}");
    assert_eq!(found["dead_letters"]["open"], 1, "{found}");
    let told = stdout(&rialto(at, &["jobs", "state"]));
    assert!(told.contains(&format!("serving http://{address}")), "{told}");
    assert!(told.contains("source      sales: 2 rows, the last "), "{told}");
    assert!(told.contains("view        pairs: 0 changes, held back by 'returns' has"), "{told}");
    assert!(told.contains("sink        out: 2 changes"), "{told}");
    let doctor = rialto(at, &["doctor", "state"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", stdout(&doctor));
    assert!(stdout(&doctor).contains("a job runs, process "), "{}", stdout(&doctor));

    // What holds back comes: the join goes on.
    let returned = "{\"id\":1,\"at\":\"2024-01-01 00:00:05\"}\n";
    fs::write(at.join("returns/a.json"), returned).unwrap();
    wait_until("the watermark", || {
        let status = body(&ask(&address, "GET /v1/status"));
        named(&status["outputs"], "pairs")["watermark_ms"] == 1_704_067_202_000_i64
    });
    let ended = running.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let found = jobs(at);
    assert_eq!(found["job"], "stopped", "{found}");
    assert_eq!(found["checkpoint"]["rows"], 3, "{found}");
    let refused = rialto(at, &["checkpoint", "state"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("no job runs with the state"), "{}", stderr(&refused));
    let none = rialto(at, &["jobs", "sales"]);
    assert_eq!(none.status.code(), Some(2), "{}", stderr(&none));
}

#[test]
fn the_doctor_finds_what_is_broken_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    project(at);
    let bounded = JOB.replace("'source.monitor-interval' = '20 ms'", "'rialto.on-error' = 'skip'");
    fs::write(at.join("job.sql"), bounded).unwrap();
    fs::write(at.join("returns/a.json"), "").unwrap();
    let ran = rialto(at, &["run", "job.sql", "--state", "state"]);
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    assert_eq!(jobs(at)["job"], "finished");
    let well = rialto(at, &["doctor", "state", "-o", "json"]);
    assert_eq!(well.status.code(), Some(0), "{}", stdout(&well));
    assert!(stdout(&well).contains("all whole"), "{}", stdout(&well));
    assert!(stdout(&well).contains("{\"check\":\"dead letters\",\"is\":\"warning\""));
    let project = rialto(at, &["doctor", "job.sql"]);
    assert_eq!(project.status.code(), Some(0), "{}", stdout(&project));
    assert!(stdout(&project).contains("ok       table sales"), "{}", stdout(&project));

    let objects = at.join("state/checkpoints/state");
    let object = fs::read_dir(&objects).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&object).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&object, bytes).unwrap();
    let broken = rialto(at, &["doctor", "state"]);
    assert_eq!(broken.status.code(), Some(1), "{}", stdout(&broken));
    let name = object.file_name().unwrap().to_string_lossy().into_owned();
    let found = stdout(&broken);
    assert!(found.contains("failed   checkpoint ") && found.contains(&name), "{found}");
    assert!(stderr(&broken).contains("checks failed"), "{}", stderr(&broken));

    // No broker listens on the discard port of this machine.
    let away = "CREATE TABLE k (a INT) WITH ('connector' = 'kafka', 'topic' = 't', \
        'properties.bootstrap.servers' = '127.0.0.1:9', 'format' = 'json');
        CREATE MATERIALIZED VIEW v AS SELECT a FROM k;";
    fs::write(at.join("away.sql"), away).unwrap();
    let away = rialto(at, &["doctor", "away.sql"]);
    assert_eq!(away.status.code(), Some(1), "{}", stdout(&away));
    assert!(stdout(&away).contains("no broker takes a connection"), "{}", stdout(&away));
    let nothing = rialto(at, &["doctor", "sales"]);
    assert_eq!(nothing.status.code(), Some(2), "{}", stderr(&nothing));
}

#[test]
fn logs_are_for_people_or_machines() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::write(at.join("a.json"), "{\"a\":1}\n").unwrap();
    let job = "CREATE TABLE n (a INT) WITH ('connector' = 'filesystem', 'path' = 'a.json', \
        'format' = 'json'); CREATE MATERIALIZED VIEW v AS SELECT a FROM n;";
    fs::write(at.join("job.sql"), job).unwrap();
    let run = |arguments: &[&str], level: &str| {
        let mut command = command(at, &[&["run", "job.sql"], arguments].concat());
        let output = command.env("RIALTO_LOG", level).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    assert_eq!(run(&[], ""), "");
    assert!(run(&[], "info").contains("the job runs project=\"job.sql\""));
    for line in run(&["--log-format", "json"], "info").lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(event["level"], "INFO", "{line}");
        assert!(event["timestamp"].is_string() && event["project"] == "job.sql", "{line}");
    }
    assert!(run(&[], "rialto=loud").contains("is not understood"));
}
