//! The project behind a running job over HTTP: lineage, views that are saved, alerts, tokens.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Running, wait_until};
use crate::serve_views::ask;

const PROJECT: &str = "SET 'execution.checkpointing.interval' = '50 ms';
CREATE TABLE sale (id INT, sku STRING, pieces INT, at_ms BIGINT) WITH ('connector' = 'http');
CREATE VIEW sold AS SELECT sku, pieces FROM sale WHERE at_ms > 0;
CREATE MATERIALIZED VIEW by_sku AS SELECT sku, SUM(pieces) AS n FROM sold GROUP BY sku;
CREATE TABLE noted (of_sku STRING, half INT, note STRING) WITH ('connector' = 'log');
INSERT INTO noted (half, of_sku) SELECT pieces / 2, sku FROM sold WHERE pieces > 1;
CREATE MATERIALIZED VIEW again AS SELECT MAX(half) AS most FROM noted;
";

/// A project of its own folder, served on a port that is its own at every start.
fn start(dir: &Path) -> (Running, String) {
    fs::create_dir(dir.join("sql")).unwrap();
    fs::write(dir.join("sql/a.sql"), PROJECT).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let line = ["run", ".", "--state", ".rialto/state", "--serve", &free];
    let running = Running::start(dir, &line);
    wait_until("the server", || running.said().contains("serving http://"));
    sell(&free, json!([{"id": 1, "sku": "tea", "pieces": 3, "at_ms": 1}]));
    wait_until("a row", || rows(&free, "by_sku") == [json!({"sku": "tea", "n": 3})]);
    (running, free)
}

fn sell(address: &str, rows: Value) {
    let (status, said) = ask(address, "POST", "/v1/events/sale", &rows.to_string());
    assert_eq!(status, 200, "{said}");
}

fn rows(address: &str, view: &str) -> Vec<Value> {
    let (status, said) = ask(address, "GET", &format!("/v1/views/{view}"), "");
    if status == 200 { said["rows"].as_array().unwrap().clone() } else { Vec::new() }
}

fn save(address: &str, name: &str, query: &str) -> (u16, Value) {
    let body = json!({ "name": name, "query": query, "comment": null }).to_string();
    ask(address, "POST", "/v1/views", &body)
}

#[test]
fn a_view_is_saved_checked_and_begins_when_the_job_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let (status, said) = save(&address, "top", "SELECT sku FROM by_sku WHERE n >= 3");
    assert_eq!(status, 201, "{said}");
    assert_eq!(said["file"], "sql/zz_saved_0001_top.sql");
    assert_eq!(said["columns"], json!([{"name": "sku", "type": "STRING"}]));
    assert_eq!(said["restart"]["possible"], true, "{said}");
    for (name, query, expected) in [
        ("top", "SELECT sku FROM by_sku", 400),
        ("other", "SELECT nothing FROM by_sku", 400),
        ("other", "DROP TABLE sale", 409),
        ("Other", "SELECT sku FROM by_sku", 409),
    ] {
        let (status, said) = save(&address, name, query);
        assert_eq!(status, expected, "{query}: {said}");
    }
    // Not yet: the job runs with what it began with.
    assert_eq!(ask(&address, "GET", "/v1/views/top", "").0, 404);
    let (_, said) = ask(&address, "GET", "/v1/catalogue", "");
    let all = said["relations"].as_array().unwrap();
    let top = all.iter().find(|one| one["name"] == "top").unwrap();
    assert_eq!((&top["is_saved"], &top["is_running"]), (&json!(true), &json!(false)));
    let (status, said) = ask(&address, "POST", "/v1/restart", "");
    assert_eq!(status, 202, "{said}");
    let is_back = || child.said().matches("serving http://").count() == 2;
    wait_until("the server to be back", is_back);
    wait_until("the view", || rows(&address, "top") == [json!({"sku": "tea"})]);
    // What was there goes on, and events go on to be taken.
    sell(&address, json!([{"id": 2, "sku": "milk", "pieces": 9, "at_ms": 1}]));
    wait_until("both", || rows(&address, "top").len() == 2 && rows(&address, "by_sku").len() == 2);
    let (status, said) = ask(&address, "DELETE", "/v1/views/by_sku", "");
    assert_eq!(status, 409, "{said}");
    assert_eq!(ask(&address, "DELETE", "/v1/views/top", "").0, 200);
    assert!(!dir.path().join("sql/zz_saved_0001_top.sql").exists());
    // A file that would not run is said before anything is stopped.
    fs::write(dir.path().join("sql/b.sql"), "CREATE VIEW broken AS SELECT x FROM nowhere;")
        .unwrap();
    let (status, said) = ask(&address, "POST", "/v1/restart", "");
    assert_eq!(status, 409, "{said}");
    assert!(said["error"].as_str().unwrap().contains("nowhere"), "{said}");
    assert_eq!(rows(&address, "by_sku").len(), 2);
    child.terminate();
}

#[test]
fn lineage_is_told_column_by_column() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let (status, said) = ask(&address, "GET", "/v1/lineage/by_sku", "");
    assert_eq!(status, 200, "{said}");
    let edges = said["edges"].as_array().unwrap();
    for edge in [
        json!({"from": ["sold", "pieces"], "to": ["by_sku", "n"]}),
        json!({"from": ["sale", "pieces"], "to": ["sold", "pieces"]}),
        json!({"from": ["sale", "at_ms"], "to": ["sold", null]}),
    ] {
        assert!(edges.contains(&edge), "{edge}: {said}");
    }
    // A table that the project fills itself is on the way, with the columns that are written.
    let (_, said) = ask(&address, "GET", "/v1/lineage/again", "");
    let members = said["members"].as_array().unwrap();
    let names: Vec<&Value> = members.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["again", "noted", "sold", "sale"], "{said}");
    let edges = said["edges"].as_array().unwrap().iter();
    let written: Vec<&Value> = edges.filter(|one| one["to"][0] == "noted").collect();
    let expected = [
        json!({"from": ["sold", "pieces"], "to": ["noted", null]}),
        json!({"from": ["sold", "pieces"], "to": ["noted", "half"]}),
        json!({"from": ["sold", "sku"], "to": ["noted", "of_sku"]}),
    ];
    assert_eq!(written, expected.iter().collect::<Vec<_>>());
    let (_, said) = ask(&address, "GET", "/v1/lineage/sold", "");
    assert_eq!(said["read_by"], json!(["by_sku", "noted"]));
    let (status, said) = ask(&address, "GET", "/v1/lineage/by_skus", "");
    assert_eq!((status, &said["hint"]), (404, &json!("did you mean 'by_sku'?")));
    child.terminate();
}

#[test]
fn an_alert_fires_while_rows_fulfil_it_and_is_kept_by_the_project() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let alert = |condition: &str| json!({"title": "Much", "view": "by_sku", "condition": condition, "severity": "warning"});
    let put = |id: &str, alert: &Value| {
        ask(&address, "PUT", &format!("/v1/alerts/{id}"), &alert.to_string())
    };
    let told = || ask(&address, "GET", "/v1/alerts", "").1;
    let tried = json!({"view": "by_sku", "condition": "n > 2 -- so many"}).to_string();
    let (status, said) = ask(&address, "POST", "/v1/alerts/try", &tried);
    assert_eq!((status, &said["rows"]), (200, &json!(1)), "{said}");
    assert_eq!(put("much", &alert("n > nothing")).0, 400);
    assert_eq!(put("Much", &alert("n > 5")).0, 400);
    let (status, said) = put("much", &alert("n > 5"));
    assert_eq!(status, 200, "{said}");
    wait_until("a look", || told()["alerts"][0]["step"].is_number());
    assert_eq!(told()["firing"], 0);
    sell(&address, json!([{"id": 2, "sku": "tea", "pieces": 5, "at_ms": 1}]));
    wait_until("the alert", || told()["firing"] == 1);
    let first = told()["alerts"][0].clone();
    assert_eq!((&first["rows"], &first["some"]), (&json!(1), &json!([{"sku": "tea", "n": 8}])));
    assert!(first["since_ms"].is_number(), "{first}");
    sell(&address, json!([{"id": 3, "sku": "tea", "pieces": -5, "at_ms": 1}]));
    wait_until("its end", || told()["firing"] == 0);
    let kept = fs::read_to_string(dir.path().join("alerts.json")).unwrap();
    assert!(kept.contains("\"condition\": \"n > 5\""), "{kept}");
    assert_eq!(ask(&address, "DELETE", "/v1/alerts/much", "").0, 200);
    assert_eq!(ask(&address, "DELETE", "/v1/alerts/much", "").0, 404);
    assert_eq!(told()["alerts"], json!([]));
    child.terminate();
}

#[test]
fn an_alert_that_goes_on_firing_has_fired_since_before_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let told = || ask(&address, "GET", "/v1/alerts", "").1;
    let fired = |id: &str| {
        let all = told()["alerts"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["id"] == id).map(|one| one["since_ms"].clone())
    };
    for (id, condition) in [("much", "n > 2"), ("more", "n > 5")] {
        let alert =
            json!({"title": id, "view": "by_sku", "condition": condition, "severity": "warning"});
        let (status, said) = ask(&address, "PUT", &format!("/v1/alerts/{id}"), &alert.to_string());
        assert_eq!(status, 200, "{said}");
    }
    wait_until("the first", || fired("much").is_some_and(|since| since.is_number()));
    let since = fired("much");
    let file = dir.path().join(".rialto/alerts-firing.json");
    wait_until("its file", || fs::read_to_string(&file).is_ok_and(|text| text.contains("much")));
    assert_eq!(ask(&address, "POST", "/v1/restart", "").0, 202);
    wait_until("the server to be back", || child.said().matches("serving http://").count() == 2);
    let is_looked_at = || {
        let alerts = told()["alerts"].clone();
        alerts.as_array().is_some_and(|all| all.iter().all(|one| one["step"].is_number()))
    };
    wait_until("a look", is_looked_at);
    assert_eq!(fired("much"), since);
    assert_eq!(fired("more"), Some(Value::Null));
    // What has ended meanwhile begins anew when it fires again.
    sell(&address, json!([{"id": 2, "sku": "tea", "pieces": -3, "at_ms": 1}]));
    wait_until("its end", || fired("much") == Some(Value::Null));
    sell(&address, json!([{"id": 3, "sku": "tea", "pieces": 3, "at_ms": 1}]));
    wait_until("its return", || fired("much").is_some_and(|again| again.is_number()));
    assert_ne!(fired("much"), since);
    child.terminate();
}

#[test]
fn the_first_token_is_an_admins_and_opens_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let make = |name: &str, role: &str| {
        let body = json!({"name": name, "role": role, "days": null}).to_string();
        ask(&address, "POST", "/v1/tokens", &body)
    };
    assert_eq!(make("bi", "viewer").0, 409);
    let ann = json!({"title": "Ann", "role": "viewer"}).to_string();
    assert_eq!(ask(&address, "PUT", "/v1/people/ann", &ann).0, 409, "nobody needs a token yet");
    assert_eq!(make("me", "owner").0, 400);
    let (status, said) = make("me", "admin");
    assert_eq!(status, 201, "{said}");
    assert!(said["token"].as_str().unwrap().starts_with("rialto_"), "{said}");
    wait_until("the lock", || ask(&address, "GET", "/v1/tokens", "").0 == 401);
    child.terminate();
}

#[test]
fn a_source_is_tried_saved_and_read_once_the_job_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let till =
        "{\"no\": 1, \"pieces\": \"4\"}\n{\"no\": \"x\"}\n{\"no\": 2, \"pieces\": \"six\"}\n";
    fs::write(dir.path().join("till.json"), till).unwrap();
    let table = "CREATE TABLE till (no INT, pieces STRING) WITH ('connector' = 'filesystem', \
                 'path' = 'till.json', 'format' = 'json', 'source.monitor-interval' = '50 ms')";
    let mapping = "SELECT no AS id, TRY_CAST(pieces AS INT) AS pieces FROM till";
    let asked = json!({"table": table, "query": mapping, "sample": null}).to_string();
    let (status, said) = ask(&address, "POST", "/v1/sources/preview", &asked);
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["rows"], json!([{"id": 1, "pieces": 4}, {"id": 2, "pieces": null}]), "{said}");
    assert_eq!(said["refused"][0]["record"], "{\"no\": \"x\"}", "{said}");
    let text = format!("{table};\nCREATE MATERIALIZED VIEW till_rows AS\n{mapping};");
    let source = json!({"name": "till", "text": text, "comment": "the till"}).to_string();
    let (status, said) = ask(&address, "POST", "/v1/sources", &source);
    assert_eq!((status, &said["file"]), (201, &json!("sql/zz_saved_0001_till.sql")), "{said}");
    assert_eq!(ask(&address, "POST", "/v1/sources", &source).0, 400, "it is there");
    assert_eq!(ask(&address, "POST", "/v1/restart", "").0, 202);
    wait_until("the server to be back", || child.said().matches("serving http://").count() == 2);
    wait_until("its rows", || rows(&address, "till_rows").len() == 2);
    let (status, said) = ask(&address, "DELETE", "/v1/views/till", "");
    assert_eq!(status, 200, "{said}");
    assert!(!dir.path().join("sql/zz_saved_0001_till.sql").exists());
    child.terminate();
}

#[test]
fn a_query_is_explained_down_to_the_views_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path());
    let explain =
        |query: &str| ask(&address, "POST", "/v1/explain", &json!({ "query": query }).to_string());
    let (status, said) = explain("SELECT MAX(n) AS most FROM by_sku");
    assert_eq!(status, 200, "{said}");
    let steps = said["steps"].as_array().unwrap();
    let view = steps.iter().find(|step| step["view"] == "by_sku").unwrap();
    assert_eq!((&view["name"], &view["inputs"]), (&json!("View"), &json!([])));
    let counts = steps.iter().find(|step| step["name"] == "Aggregate").unwrap();
    assert_eq!(counts["keeps"], "groups, kept", "{said}");
    assert!(steps.iter().all(|step| step["name"] != "Scan"), "{said}");
    // What is asked of a plain view goes down to the table.
    let (_, said) = explain("SELECT sku FROM sold");
    assert!(said["steps"].as_array().unwrap().iter().any(|step| step["name"] == "Scan"), "{said}");
    assert_eq!(explain("SELECT nothing FROM sold").0, 400);
    assert_eq!(explain("DROP TABLE sale").0, 409);
    let (_, whole) = ask(&address, "GET", "/v1/status", "");
    let (_, part) = ask(&address, "GET", "/v1/status?operators=0&output=by_sku", "");
    let nodes = |said: &Value| said["operators"].as_array().unwrap().len();
    assert!(nodes(&part) < nodes(&whole) && nodes(&part) > 1, "{part}");
    // The operators of an output hang together, from its sources to its end.
    let by_sku = |one: &&Value| one["name"] == "by_sku";
    let end = part["outputs"].as_array().unwrap().iter().find(by_sku).unwrap()["node"].clone();
    let of = |node: &Value| {
        part["operators"].as_array().unwrap().iter().find(|one| &one["node"] == node).cloned()
    };
    let mut at = of(&end).expect("the end of the view");
    while at["kind"] != "source" {
        at = of(&at["inputs"][0]).expect("what it reads");
    }
    assert_eq!(at["name"], "sale", "{part}");
    assert_eq!(ask(&address, "GET", "/v1/status?operators=few", "").0, 400);
    child.terminate();
}
