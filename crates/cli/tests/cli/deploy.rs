//! `deploy`: what is rendered, and a gateway that answers, fails, forgets and is too old.
//!
//! The gateway here is a small server that speaks the gateway's and the cluster's REST, so that
//! every trouble can be had at will; `tests/flink/cluster_test.py` does the same with a real Flink.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{rialto, stderr, stdout};

const SQL: &str = "\
CREATE TABLE sales ( -- as they come
  id BIGINT, product STRING NOT NULL, amount DECIMAL(10, 2), file STRING METADATA FROM 'file.name'
) WITH ('connector' = 'filesystem', 'path' = 'sales', 'format' = 'csv', 'csv.header' = 'true');

CREATE MATERIALIZED VIEW totals AS
SELECT product, SUM(amount) AS total FROM sales /* all */ GROUP BY product;

CREATE TABLE big (id BIGINT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'log', 'partitions' = '4');
INSERT INTO big SELECT id FROM sales WHERE amount > 100;

SET 'rialto.dead-letters.retention.time' = '30 d';
SELECT * FROM totals;
";

fn project() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("shop.sql"), SQL).unwrap();
    dir
}

#[test]
fn a_project_is_rendered_from_its_own_text() {
    let dir = project();
    let out =
        rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run", "--local", "local.sql"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let script = stdout(&out);
    for part in [
        "SET 'table.local-time-zone' = 'UTC';",
        "-- shop.sql:1\nCREATE TABLE sales ( -- as they come\n  id BIGINT, product STRING NOT NULL",
        "file STRING \n) WITH (\n  'connector' = 'kafka',\n  'topic' = 'sales',",
        "CREATE VIEW `totals` AS\nSELECT product, SUM(amount) AS total FROM sales /* all */ GROUP BY",
        "CREATE TABLE `totals$topic` (\n  `product` STRING NOT NULL,\n  `total` DECIMAL(38, 2),\n  \
         PRIMARY KEY (`product`) NOT ENFORCED\n) WITH (\n  'connector' = 'upsert-kafka',",
        "CREATE TABLE big (id BIGINT)\nWITH (\n  'connector' = 'kafka',\n  'topic' = 'big',",
        "EXECUTE STATEMENT SET\nBEGIN\nINSERT INTO `totals$topic`\nSELECT * FROM `totals`;\n\
         INSERT INTO big SELECT id FROM sales WHERE amount > 100;\nEND;",
    ] {
        assert!(script.contains(part), "{part}\nis not in\n{script}");
    }
    assert!(!script.contains("csv.header") && !script.contains("rialto."), "{script}");
    let report = stderr(&out);
    for line in [
        "shop.sql:1: mapped: CREATE TABLE sales: a topic 'sales', which the local Rialto fills: \
         'csv.header' = 'true' is Rialto's own\n",
        "shop.sql:5: mapped: CREATE MATERIALIZED VIEW totals: a view and a topic 'totals', keyed by \
         (product)\n",
        "shop.sql:10: same: INSERT INTO big\n",
        "topic totals: the view totals, from Flink to Rialto, cleanup.policy=compact\n",
        "6 statements: 1 same, 5 mapped, 0 not portable\n",
    ] {
        assert!(report.contains(line), "{line}\nis not in\n{report}");
    }
    // What stays is a project of its own, and reads the files where they are.
    let local = fs::read_to_string(dir.path().join("local.sql")).unwrap();
    let whole = dir.path().join("sales").display().to_string();
    for part in [
        whole.as_str(),
        "INSERT INTO `sales$topic` (`id`, `product`, `amount`, `file`)\nSELECT",
        "INSERT INTO `big` (`id`)\nSELECT `id` FROM `big$topic`",
        "CREATE MATERIALIZED VIEW `totals` PRIMARY KEY (`product`) NOT ENFORCED AS\nSELECT * FROM",
    ] {
        assert!(local.contains(part), "{part}\nis not in\n{local}");
    }
    let check = rialto(dir.path(), &["check", "local.sql"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
}

#[test]
fn what_cannot_go_is_said_with_its_place_and_the_file_of_the_cluster_overrides() {
    let dir = project();
    let more = "CREATE TABLE odd (a INT, k BYTES METADATA FROM 'key' VIRTUAL) \
                WITH ('connector' = 'log');\nINSERT INTO odd SELECT 1;\nSET \
                'table.local-time-zone' = 'Europe/London';\n";
    fs::write(dir.path().join("more.sql"), more).unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "more.sql", "--dry-run"]);
    assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
    let report = stderr(&out);
    for line in [
        "more.sql:1: not portable: CREATE TABLE odd, because Kafka has no metadata 'key'",
        "more.sql:2: not portable: INSERT INTO odd, because the database or the time zone",
        "error: the project cannot go to Flink as it stands\nhint: ",
    ] {
        assert!(report.contains(line), "{line}\nis not in\n{report}");
    }
    let config = "name = \"trade\"\ntopic-prefix = \"eu.\"\nbootstrap-servers = \"k:9\"\n\
                  partitions = 8\n[settings]\n\"parallelism.default\" = \"8\"\n[properties]\n\
                  \"security.protocol\" = \"SSL\"\n[tables.big]\nconnector = \"print\"\n";
    fs::write(dir.path().join("flink.toml"), config).unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let script = stdout(&out);
    for part in [
        "SET 'pipeline.name' = 'trade';",
        "SET 'parallelism.default' = '8';",
        "'topic' = 'eu.sales',\n  'properties.bootstrap.servers' = 'k:9',\n  \
         'properties.security.protocol' = 'SSL',",
        "WITH (\n  'connector' = 'print'\n)",
    ] {
        assert!(script.contains(part), "{part}\nis not in\n{script}");
    }
    fs::write(dir.path().join("flink.toml"), "partitons = 8\n").unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("flink.toml: "), "{}", stderr(&out));
}

#[test]
fn what_is_read_of_a_database_comes_by_a_topic() {
    let dir = tempfile::tempdir().unwrap();
    let stock = |name: &str| {
        format!(
            "CREATE TABLE {name} (sku STRING, n INT) WITH ('connector' = 'jdbc', 'url' = \
             'jdbc:postgresql://127.0.0.1:9/shop', 'username' = 'r', 'table-name' = 'stock');\n"
        )
    };
    let sales = "CREATE TABLE sales (sku STRING, at AS PROCTIME()) WITH ('connector' = 'log');\n";
    let asked = "CREATE MATERIALIZED VIEW a AS SELECT s.sku, t.n FROM sales AS s \
                 JOIN asked FOR SYSTEM_TIME AS OF s.at AS t ON t.sku = s.sku;\n";
    let read = "CREATE MATERIALIZED VIEW r AS SELECT SUM(n) AS n FROM stock;\n";
    let sql = format!("{}{}{sales}{asked}{read}", stock("asked"), stock("stock"));
    fs::write(dir.path().join("shop.sql"), &sql).unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    let report = stderr(&out);
    assert_eq!(out.status.code(), Some(0), "{report}");
    assert!(report.contains("shop.sql:1: same: CREATE TABLE asked"), "{report}");
    let topic = "shop.sql:2: mapped: CREATE TABLE stock: a topic 'stock', which the local Rialto \
                 fills: Flink's 'jdbc' may read all rows once more";
    assert!(report.contains(topic), "{report}");

    let both = "CREATE MATERIALIZED VIEW b AS SELECT SUM(n) AS n FROM asked;\n";
    fs::write(dir.path().join("shop.sql"), sql + both).unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    let report = stderr(&out);
    assert_eq!(out.status.code(), Some(2), "{report}");
    let why = "shop.sql:1: not portable: CREATE TABLE asked, because it is read from end to end \
               and looked up in as well";
    assert!(report.contains(why), "{report}");
    fs::write(dir.path().join("flink.toml"), "[connectors]\njdbc = \"same\"\n").unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}

#[test]
fn all_examples_and_packs_are_portable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = tempfile::tempdir().unwrap();
    let mut projects: Vec<_> = ["examples/demo", "examples/online-retail", "examples/packs"]
        .map(|project| root.join(project))
        .into();
    // Those that `examples/packs` does not include.
    let others = ["ads", "customers", "loyalty", "market", "recommend"];
    projects.extend(others.map(|pack| root.join("packs").join(pack)));
    for project in projects {
        let place = project.display().to_string();
        let local = dir.path().join("local.sql").display().to_string();
        let out = rialto(dir.path(), &["deploy", "flink", &place, "--dry-run", "--local", &local]);
        assert_eq!(out.status.code(), Some(0), "{place}: {}", stderr(&out));
        // Planning is the slow part: those with the most connectors stand for the rest.
        if place.contains("examples") {
            let check = rialto(dir.path(), &["check", &local]);
            assert_eq!(check.status.code(), Some(0), "{place}: {}", stderr(&check));
        }
    }
}

#[test]
fn rows_of_a_query_come_from_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE t (a INT) WITH ('connector' = 'log');\n\
               CREATE VIEW names (a, name) AS SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v;\n\
               CREATE MATERIALIZED VIEW named AS SELECT t.a, name FROM t JOIN names AS n ON n.a = t.a;\n";
    fs::write(dir.path().join("shop.sql"), sql).unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let (script, report) = (stdout(&out), stderr(&out));
    let numbers =
        "CREATE TABLE `default_catalog`.`default_database`.`rialto$numbers` (`rialto$n` INT)";
    let case = "(SELECT CASE `rialto$n` WHEN 1 THEN 1 ELSE 2 END,\n  CASE `rialto$n` WHEN 1 THEN 'x' \
                ELSE 'y' END\nFROM ";
    let place = |part: &str| script.find(part).unwrap_or_else(|| panic!("{part}\nnot in {script}"));
    assert!(place(numbers) < place("CREATE TABLE t ("));
    assert!(place(case) < place("WHERE `rialto$n` <= 2) AS v"));
    assert!(script.contains("'fields.rialto$n.end' = '2'"), "{script}");
    assert!(report.contains("shop.sql:2: mapped: CREATE VIEW names"), "{report}");
    assert!(report.contains("constant rows come from numbers"), "{report}");
}

#[test]
fn a_second_insert_into_a_topic_has_transactions_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE t (a INT) WITH ('connector' = 'log');\n\
               CREATE TABLE u (a INT, no INT) WITH ('connector' = 'log');\n\
               INSERT INTO u SELECT a, 1 FROM t;\n\
               INSERT INTO u (a) SELECT a FROM t;\n";
    fs::write(dir.path().join("shop.sql"), sql).unwrap();
    let out = rialto(dir.path(), &["deploy", "flink", "shop.sql", "--dry-run"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let (script, report) = (stdout(&out), stderr(&out));
    let hint = "/*+ OPTIONS('sink.transactional-id-prefix' = 'rialto-u-2') */";
    for part in [
        "CREATE TABLE u (a INT, `no` INT) WITH (",
        "'sink.transactional-id-prefix' = 'rialto-u',",
        "INSERT INTO u SELECT a, 1 FROM t;",
        &format!("INSERT INTO u {hint} (a) SELECT a FROM t;"),
    ] {
        assert!(script.contains(part), "{part}\nnot in {script}");
    }
    assert!(report.contains("shop.sql:3: same: INSERT INTO u"), "{report}");
    assert!(report.contains("shop.sql:4: mapped: INSERT INTO u: its transactions"), "{report}");
}

#[test]
fn a_check_needs_fixtures_and_what_is_portable() {
    let dir = project();
    let check = |more: &[&str]| {
        let mut arguments = vec!["deploy", "--check", ".", "--gateway", "http://127.0.0.1:9"];
        arguments.extend(more);
        let out = rialto(dir.path(), &arguments);
        (out.status.code(), stderr(&out))
    };
    let (code, err) = check(&[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("no fixtures in") && err.contains("docs/testing.md"), "{err}");
    fs::create_dir(dir.path().join("tests")).unwrap();
    let fixture = "- name: one\n  given: [{sales: [{id: 1}]}]\n  expect: {totals: [{total: 1}]}\n";
    fs::write(dir.path().join("tests/a.yaml"), fixture).unwrap();
    let (code, err) = check(&["--only", "two"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("there is no such fixture"), "{err}");
    fs::write(dir.path().join("zone.sql"), "SET 'table.local-time-zone' = 'Asia/Tokyo';\n")
        .unwrap();
    let (code, err) = check(&[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("not portable: CREATE MATERIALIZED VIEW totals"), "{err}");
    assert!(err.contains("hint: only what is portable can be compared"), "{err}");
}

const CLOSING: &str = "a.B: Failure reason: Checkpoint was declined (task is closing)";
const STARTING: &str = "a.B: Failure reason: Not all required tasks are currently running.";

/// What the fake cluster is told to do, and what it has seen.
#[derive(Default)]
struct Fake {
    version: &'static str,
    /// A statement that contains this is refused with these errors.
    refuses: Option<(&'static str, &'static str)>,
    /// So many sessions are forgotten at their second statement.
    forgets: usize,
    /// The next savepoints fail with these errors.
    declines: Vec<&'static str>,
    /// The state in which a job is from its submission on.
    state: &'static str,
    /// What every plan looks like.
    explains: &'static str,
    statements: Vec<String>,
    /// Whether the operation that is asked about still runs.
    busy: bool,
    sessions: usize,
    jobs: Vec<[String; 3]>,
    address: String,
}

/// Starts a gateway and a cluster at one address.
fn fake(fake: Fake) -> (String, Arc<Mutex<Fake>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let state = Arc::new(Mutex::new(Fake { address: address.clone(), ..fake }));
    let shared = Arc::clone(&state);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || serve(stream.unwrap(), &shared));
        }
    });
    (format!("http://{address}"), state)
}

fn serve(mut stream: TcpStream, fake: &Mutex<Fake>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace();
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
            if let Some(n) = header.to_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (status, answer) = fake.lock().unwrap().answer(&method, &path, &body);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        if stream.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

impl Fake {
    fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let port = self.address.rsplit(':').next().unwrap();
        let error = |text: &str| (500, json!({ "errors": ["Internal server error.", text] }));
        let parts: Vec<&str> = path.split(['/', '?']).skip(1).collect();
        match (method, parts.as_slice()) {
            ("GET", ["v1", "info"]) => {
                (200, json!({ "productName": "Apache Flink", "version": self.version }))
            }
            ("POST", ["v1", "sessions"]) => {
                self.sessions += 1;
                (200, json!({ "sessionHandle": format!("s{}", self.sessions) }))
            }
            ("GET", ["v1", "sessions", _]) => {
                (200, json!({ "properties": { "rest.address": "127.0.0.1", "rest.port": port } }))
            }
            ("POST", ["v1", "sessions", session, "statements"]) => {
                let statement = body["statement"].as_str().unwrap().to_owned();
                if self.forgets > 0 && !self.statements.is_empty() {
                    self.forgets -= 1;
                    self.statements.clear();
                    return error(&format!("a.B: Session '{session}' does not exist.\n\tat x"));
                }
                self.statements.push(statement.clone());
                if statement.starts_with("EXECUTE STATEMENT SET") {
                    let name = self.statements.iter().find_map(|s| {
                        s.strip_prefix("SET 'pipeline.name' = '")?.strip_suffix('\'')
                    });
                    let job = format!("job{}", self.jobs.len() + 1);
                    self.jobs.push([job, name.unwrap().to_owned(), self.state.to_owned()]);
                }
                (200, json!({ "operationHandle": format!("o{}", self.statements.len()) }))
            }
            ("GET", [.., "status"]) => {
                self.busy = !self.busy;
                let status = if self.busy { "RUNNING" } else { "FINISHED" };
                (200, json!({ "status": status }))
            }
            ("GET", [.., "result", "0"]) => {
                let last = self.statements.last().unwrap();
                match self.refuses {
                    Some((sign, errors)) if last.contains(sign) => error(errors),
                    _ => match self.jobs.last() {
                        Some([job, ..]) => (200, json!({ "jobID": job })),
                        None => {
                            let row = json!({ "fields": [self.explains] });
                            (200, json!({ "results": { "data": [row] } }))
                        }
                    },
                }
            }
            ("DELETE", ["v1", ..]) => (200, json!({ "status": "CLOSED" })),
            ("GET", ["jobs", "overview"]) => {
                let jobs = self.jobs.iter().enumerate().map(|(at, [id, name, state])| {
                    json!({ "jid": id, "name": name, "state": state, "start-time": at })
                });
                (200, json!({ "jobs": jobs.collect::<Vec<_>>() }))
            }
            ("POST", ["jobs", _, "stop"]) if !self.declines.is_empty() => {
                (202, json!({ "request-id": "r" }))
            }
            ("PATCH", ["jobs", job, ..]) | ("POST", ["jobs", job, "stop"]) => {
                let found = self.jobs.iter_mut().find(|[id, ..]| id == job).unwrap();
                found[2] = "CANCELED".into();
                (202, json!({ "request-id": "r" }))
            }
            ("POST", ["jobs", _, "savepoints"]) => (202, json!({ "request-id": "r" })),
            ("GET", ["jobs", job, "savepoints", "r"]) => {
                let operation = match self.declines.pop() {
                    Some(trace) => json!({ "failure-cause": { "stack-trace": trace } }),
                    None => json!({ "location": format!("file:/s/{job}") }),
                };
                (200, json!({ "status": { "id": "COMPLETED" }, "operation": operation }))
            }
            ("GET", ["jobs", _, "exceptions", ..]) => (
                200,
                json!({ "exceptionHistory": { "entries": [
                    { "stacktrace": "a.B: x\n\tat y\nCaused by: c.D: no topic 'sales'\n\tat z" }] } }),
            ),
            ("GET", ["jobs", job]) => {
                let [_, name, state] = self.jobs.iter().find(|[id, ..]| id == job).unwrap();
                let vertex = json!({ "id": "v", "name": "Source: sales[1]",
                    "metrics": { "read-records": 0, "write-records": 7 } });
                (
                    200,
                    json!({ "name": name, "state": state, "duration": 1500,
                    "status-counts": { "RUNNING": 2, "FAILED": 0 }, "vertices": [vertex] }),
                )
            }
            ("GET", ["jobs", _, "checkpoints"]) => (
                200,
                json!({ "counts": { "failed": 1 }, "latest": { "completed": {
                    "id": 4, "state_size": 2048, "end_to_end_duration": 12, "external_path": "file:/c/4" } } }),
            ),
            ("GET", ["jobs", _, "vertices", ..]) => {
                (200, json!([{ "id": "numRecordsOutPerSecond", "sum": 3.5 }]))
            }
            _ => (404, json!({ "errors": [format!("Not found: {method} {path}")] })),
        }
    }
}

const RUNNING: Fake = Fake {
    version: "2.3.0",
    refuses: None,
    forgets: 0,
    declines: Vec::new(),
    state: "RUNNING",
    explains: "",
    statements: Vec::new(),
    busy: false,
    sessions: 0,
    jobs: Vec::new(),
    address: String::new(),
};

fn deploy(dir: &TempDir, command: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut arguments = vec!["deploy", command, "shop.sql"];
    arguments.extend(more);
    let out = rialto(dir.path(), &arguments);
    (out.status.code(), stdout(&out), stderr(&out))
}

#[test]
fn what_runs_is_left_alone_and_what_was_changed_goes_on_from_a_savepoint() {
    let (dir, (url, fake)) = (project(), fake(RUNNING));
    let (code, out, err) = deploy(&dir, "flink", &["--gateway", &url]);
    assert_eq!((code, out), (Some(0), format!("'shop' is job job1 on {url}, RUNNING\n")), "{err}");
    let sent = fake.lock().unwrap().statements.clone();
    let begins = |text: &str| sent.iter().position(|s| s.starts_with(text)).unwrap();
    assert!(begins("SET 'pipeline.name' = 'shop'") < begins("CREATE TABLE sales"));
    assert!(begins("EXPLAIN CHANGELOG_MODE INSERT INTO big") < begins("EXECUTE STATEMENT SET"));

    let (code, out, _) = deploy(&dir, "flink", &["--gateway", &url]);
    let expected = format!("nothing to do: 'shop' is job job1 on {url}, RUNNING\n");
    assert_eq!((code, &out), (Some(0), &expected));
    assert_eq!(fake.lock().unwrap().jobs.len(), 1);

    // Nor does a comment between two statements change anything.
    fs::write(dir.path().join("shop.sql"), format!("-- A shop.\n\n{SQL}")).unwrap();
    let (code, out, _) = deploy(&dir, "flink", &["--gateway", &url]);
    assert_eq!((code, out), (Some(0), expected));

    let edited = SQL.replace("amount > 100", "amount > 200");
    fs::write(dir.path().join("shop.sql"), edited).unwrap();
    let (code, _, err) = deploy(&dir, "flink", &["--gateway", &url]);
    assert_eq!(code, Some(2));
    assert!(err.contains("with another text") && err.contains("rialto deploy upgrade"), "{err}");

    // Tasks that are just ending or starting decline a savepoint; in a moment they do not.
    fake.lock().unwrap().declines = vec![CLOSING, STARTING];
    let (code, out, err) = deploy(&dir, "upgrade", &[]);
    let expected = format!("'shop' is job job2 on {url}, RUNNING, from file:/s/job1\n");
    assert_eq!((code, out), (Some(0), expected), "{err}");
    let sent = fake.lock().unwrap().statements.clone();
    assert!(sent.contains(&"SET 'execution.state-recovery.path' = 'file:/s/job1'".to_owned()));

    let (code, out, _) = deploy(&dir, "savepoint", &[]);
    assert_eq!((code, out.as_str()), (Some(0), "file:/s/job2\n"));
    // What does not pass is said at once, and what should when its time is over.
    for (declines, why) in [
        (vec!["a.B: the disk is full"], "the disk is full"),
        (vec![CLOSING; 100], "Checkpoint was declined (task is closing)"),
    ] {
        fake.lock().unwrap().declines = declines;
        let (code, _, err) = deploy(&dir, "savepoint", &["--timeout", "1"]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("cannot take a savepoint of job job2") && err.contains(why), "{err}");
    }
    fake.lock().unwrap().declines.clear();

    let out = rialto(dir.path(), &["jobs", "--gateway", &url]);
    let text = stdout(&out);
    for line in [
        "job         job2 'shop' on ",
        "state       RUNNING, 2 of 2 tasks, for 1.5 s\n",
        "operator    Source: sales[1]: 0 in, 7 out, 3 rows/s\n",
        "checkpoint  4, 2 KiB in 12 ms; 1 failed\n",
        "exception   no topic 'sales'\n",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}{}", stderr(&out));
    }

    // Of the project alone: its own job, where it was noted to be.
    let out = rialto(dir.path(), &["jobs", "shop.sql"]);
    let expected = format!("job         job2 'shop' on {url}\nstate       RUNNING, 2 of 2 tasks");
    assert!(stdout(&out).starts_with(&expected), "{}{}", stdout(&out), stderr(&out));

    // A job that failed goes on from its last checkpoint.
    fake.lock().unwrap().jobs[1][2] = "FAILED".into();
    let (code, out, err) = deploy(&dir, "flink", &["--gateway", &url]);
    let expected = format!("'shop' is job job3 on {url}, RUNNING, from file:/c/4\n");
    assert_eq!((code, out), (Some(0), expected), "{err}");
    // One that nobody knows any more is not begun anew by itself: its topics have its rows.
    let jobs = std::mem::take(&mut fake.lock().unwrap().jobs);
    let (code, _, err) = deploy(&dir, "flink", &["--gateway", &url]);
    assert_eq!(code, Some(2));
    assert!(err.contains("does not know it any more") && err.contains("topic-prefix"), "{err}");
    let out = rialto(dir.path(), &["jobs", "shop.sql"]);
    assert!(stdout(&out).contains("state       GONE: the cluster does not"), "{}", stdout(&out));
    fake.lock().unwrap().jobs = jobs;

    let (code, out, _) = deploy(&dir, "cancel", &[]);
    assert_eq!((code, out.as_str()), (Some(0), "job job3 is CANCELED\n"));
    let (code, _, err) = deploy(&dir, "cancel", &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("'shop' has no job now"), "{err}");
    let out = rialto(dir.path(), &["jobs", "shop.sql", "-o", "json"]);
    let line: Value = serde_json::from_str(&stdout(&out)).unwrap();
    assert_eq!((&line["state"], &line["name"]), (&json!("NONE"), &json!("shop")));
}

#[test]
fn every_trouble_is_said_with_what_to_do() {
    let dir = project();
    let connector = "a.B: no\n\tat x\nCaused by: a.V: Could not find any factory for identifier \
                     'kafka' that implements 'X' in the classpath.\n\tat y";
    let column = "a.B: no\n\tat x\nCaused by: a.V: Column 'amount' not found in any table\n\tat y";
    let cases = [
        (
            Fake { version: "1.20.1", ..RUNNING },
            2,
            vec!["is Flink 1.20.1, which is too old", "hint: use a gateway and a cluster of Flink"],
        ),
        (
            Fake { refuses: Some(("EXPLAIN CHANGELOG_MODE INSERT INTO big", column)), ..RUNNING },
            1,
            vec!["shop.sql:10: Flink refuses this statement: Column 'amount' not found"],
        ),
        (
            Fake { refuses: Some(("EXPLAIN", connector)), ..RUNNING },
            1,
            vec!["Could not find any factory for identifier 'kafka'", "flink-sql-connector-kafka"],
        ),
        (
            Fake { forgets: 9, ..RUNNING },
            1,
            vec!["Session 's2' does not exist.", "run the command"],
        ),
        (
            Fake {
                explains: "== Optimized Execution Plan ==\n+- Values(tuples=[[{ 1 }]])",
                ..RUNNING
            },
            2,
            vec![
                "shop.sql:5: Flink refuses this statement: it has rows of its own",
                "VALUES (...)",
            ],
        ),
        (Fake { state: "FAILED", ..RUNNING }, 1, vec!["the job job1 failed: no topic 'sales'"]),
        (
            Fake { jobs: vec![["x".into(), "shop".into(), "RUNNING".into()]], ..RUNNING },
            2,
            vec!["'shop' runs already: job x has that name", "rialto deploy cancel --job"],
        ),
    ];
    for (told, expected, parts) in cases {
        let (url, _) = fake(told);
        let (code, out, err) = deploy(&dir, "flink", &["--gateway", &url]);
        assert_eq!((code, out.as_str()), (Some(expected), ""), "{err}");
        for part in parts {
            assert!(err.contains(part), "{part}\nis not in\n{err}");
        }
    }
    // A session that is forgotten once is opened again.
    let (url, state) = fake(Fake { forgets: 1, ..RUNNING });
    let (code, _, err) = deploy(&dir, "flink", &["--gateway", &url]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(state.lock().unwrap().sessions, 2);
    // Nobody there, and somebody else.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, err) = deploy(&project(), "flink", &["--gateway", &format!("http://{gone}")]);
    assert_eq!(code, Some(1));
    assert!(err.contains("does not answer") && err.contains("hint: is it running"), "{err}");
    let record = dir.path().join(".rialto/flink-shop.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace(&url, &format!("http://{gone}"))).unwrap();
    let (code, _, err) = deploy(&dir, "flink", &["--gateway", &url]);
    assert_eq!(code, Some(1));
    assert!(err.contains("gone for good, remove") && err.contains("flink-shop.json"), "{err}");
    let (code, _, err) = deploy(&project(), "flink", &["--gateway", "localhost:8083"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("the address is no URL"), "{err}");
}
