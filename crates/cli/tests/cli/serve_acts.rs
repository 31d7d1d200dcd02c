//! What people do over HTTP: approve, change rules, build segments, put refused records right. Each
//! is an event, and what comes of it is seen in the views of the running job.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Running, wait_until};
use crate::serve_views::ask;

/// A project over the packs of this repository, its tables filled over HTTP.
fn start(dir: &Path, before: &str, packs: &[&str]) -> (Running, String) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs");
    fs::write(dir.join("before.sql"), before).unwrap();
    let mut include = vec![
        format!("{root}/model/sql"),
        format!("{root}/model/from_http.sql"),
        "before.sql".to_owned(),
    ];
    include.extend(packs.iter().map(|pack| format!("{root}/{pack}")));
    fs::create_dir(dir.join("sql")).unwrap();
    fs::write(dir.join("sql/own.sql"), "-- Nothing of its own.\n").unwrap();
    let toml = format!("include = {}\n", json!(include));
    fs::write(dir.join("rialto.toml"), toml).unwrap();
    serve(dir, ".")
}

fn serve(dir: &Path, project: &str) -> (Running, String) {
    let running =
        Running::start(dir, &["run", project, "--state", "state", "--serve", "127.0.0.1:0"]);
    wait_until("where it serves", || running.said().contains("serving http://"));
    let said = running.said();
    let address = said.split("serving http://").nth(1).and_then(|l| l.split('/').next());
    let address = address.unwrap().trim().trim_end_matches(';').to_owned();
    let address = address.split(';').next().unwrap().to_owned();
    wait_until("a step", || ask(&address, "GET", "/v1/views", "").0 == 200);
    (running, address)
}

fn send(address: &str, table: &str, rows: Value) {
    let (status, said) = ask(address, "POST", &format!("/v1/events/{table}"), &rows.to_string());
    assert_eq!(status, 200, "{table}: {said}");
}

fn rows(address: &str, path: &str) -> Vec<Value> {
    let (status, said) = ask(address, "GET", &format!("/v1/views/{path}"), "");
    assert_eq!(status, 200, "{path}: {said}");
    said["rows"].as_array().unwrap().clone()
}

/// A time without the zeros behind its last digit: a row has it as the format JSON does.
fn instant(time: &Value) -> &str {
    let text = time.as_str().unwrap().trim_end_matches('Z');
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[test]
fn a_decision_is_approved_once_and_is_then_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    let before = "SET 'execution.checkpointing.interval' = '50 ms';
        CREATE TABLE decision WITH ('connector' = 'log') LIKE model.decision;
        CREATE TABLE given WITH ('connector' = 'http') LIKE model.decision;
        INSERT INTO decision SELECT * FROM given;";
    let packs = ["decisions/journal.sql", "decisions/sql"];
    let (child, address) = start(dir.path(), before, &packs);
    let decision = |id: &str, status: &str| {
        json!({
            "decision_id": id, "decided_at": "2026-05-01 10:00:00Z", "decision_type": "replenish",
            "subject_id": "tea", "sku": "tea", "quantity": 5, "status": status,
        })
    };
    send(&address, "given", json!([decision("r/1, tea", "proposed"), decision("r2", "proposed")]));
    wait_until("the decisions", || rows(&address, "decision_state").len() == 2);
    let say = |id: &str, verdict: &str| {
        let body = json!({ "verdict": verdict, "note": "as agreed" }).to_string();
        ask(&address, "POST", &format!("/v1/decisions/{id}"), &body)
    };
    let (status, said) = say("r%2F1%2C%20tea", "approve");
    assert_eq!(status, 200, "{said}");
    assert_eq!((&said["actor"], &said["verdict"]), (&json!("local"), &json!("approve")));
    // It is one more word on the decision, for whoever carries it out, and the state has it all.
    wait_until("the word", || rows(&address, "decision_state?status=applied").len() == 1);
    let state = rows(&address, "decision_state?status=applied");
    assert_eq!(state[0]["reviewed_by"], "local");
    assert_eq!(state[0]["review_note"], "as agreed");
    assert_eq!(instant(&state[0]["reviewed_at"]), instant(&said["reviewed_at"]));
    // What is done is done; what is said is said; and what is not there cannot be approved.
    let (status, said) = say("r%2F1%2C%20tea", "reject");
    assert_eq!((status, &said["status"]), (409, &json!("applied")), "{said}");
    assert_eq!(say("r2", "reject").0, 200);
    wait_until("the rejection", || rows(&address, "decision_state?status=rejected").len() == 1);
    assert_eq!(say("r2", "approve").0, 409);
    let (status, said) = say("r3", "approve");
    assert_eq!(status, 404, "{said}");
    let (status, said) = say("r2", "perhaps");
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("perhaps"), "{said}");
    child.kill();
}

#[test]
fn a_rule_is_tried_without_effect_and_then_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), "", &["inventory/sql", "pricing/sql"]);
    let price = |id: &str, kind: &str, amount: f64| {
        json!({
            "event_id": id, "event_time": "2024-05-01 08:00:00Z", "sku": "tea", "price_type": kind,
            "amount": amount, "currency": "EUR", "in_stock": true, "match_confidence": 1,
            "competitor_id": "x",
        })
    };
    send(
        &address,
        "sku",
        json!([{ "sku": "tea", "updated_at": "2024-04-01 00:00:00Z",
        "product_id": "tea", "unit_cost": 2 }]),
    );
    send(
        &address,
        "price_event",
        json!([price("p1", "list", 5.0), price("p2", "competitor", 4.8)]),
    );
    wait_until("a proposal", || rows(&address, "pricing_proposal").len() == 1);
    let before = rows(&address, "pricing_proposal");
    assert_eq!(before[0]["new_price"].as_f64(), Some(4.8));
    let known = ask(&address, "GET", "/v1/rules", "").1;
    let rules = known["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 4, "{known}");
    assert_eq!(known["guards"]["max_step"].as_f64(), Some(0.2));
    let wanted = |rate: f64| {
        let rule = json!({ "rule_id": "competitor", "kind": "competitor", "is_active": true,
            "priority": 3, "days": null, "rate": rate, "note": "a test" });
        json!({ "rules": [rule] }).to_string()
    };
    // What would be, if: the pack's own views say it, and nothing has happened.
    let (status, found) = ask(&address, "POST", "/v1/rules/simulate", &wanted(0.1));
    assert_eq!(status, 200, "{found}");
    assert_eq!((&found["differ"], &found["changes"]), (&json!(1), &json!(1)), "{found}");
    let row = &found["rows"][0];
    assert_eq!((row["now_price"].as_f64(), row["new_price"].as_f64()), (Some(4.8), Some(4.3)));
    assert_eq!(row["price"].as_f64(), Some(5.0));
    assert_eq!(rows(&address, "pricing_proposal"), before);
    let same = ask(&address, "POST", "/v1/rules/simulate", &wanted(0.0)).1;
    assert_eq!(same["differ"], 0, "{same}");
    // One that is switched off is not heard: the price stays.
    let off = wanted(0.1).replace("\"is_active\":true", "\"is_active\":false");
    let off = ask(&address, "POST", "/v1/rules/simulate", &off).1;
    assert_eq!(off["rows"][0]["new_price"].as_f64(), Some(5.0), "{off}");
    // The command asks the same.
    let server = format!("http://{address}");
    let simulate = |change: &str| {
        crate::rialto(dir.path(), &["price", "simulate", change, "--server", &server])
    };
    let told = simulate("competitor.rate=0.1");
    let text = crate::stdout(&told);
    assert_eq!(told.status.code(), Some(0), "{}", crate::stderr(&told));
    assert!(text.starts_with("1 price would be another\n"), "{text}");
    assert!(text.contains("tea") && text.contains("4.3"), "{text}");
    let none = simulate("competitor.rate=0");
    assert_eq!(crate::stdout(&none), "no price would be another\n");
    let unknown = simulate("rival.rate=0.1");
    assert_eq!(unknown.status.code(), Some(2));
    let said = crate::stderr(&unknown);
    assert!(said.contains("no rule 'rival'") && said.contains("competitor"), "{said}");
    let refused = simulate("competitor.rate=0.9");
    assert_eq!(refused.status.code(), Some(2));
    assert!(crate::stderr(&refused).contains("0.5"), "{}", crate::stderr(&refused));
    // What is none is refused, and says why.
    let (status, said) = ask(&address, "PUT", "/v1/rules", &wanted(0.9));
    assert!(status == 400 && said["hint"].as_str().unwrap().contains("0.5"), "{said}");
    // Changed, it is so from then on, as it was foretold.
    let (status, said) = ask(&address, "PUT", "/v1/rules", &wanted(0.1));
    assert_eq!(status, 200, "{said}");
    wait_until("the price", || rows(&address, "pricing_proposal") != before);
    assert_eq!(rows(&address, "pricing_proposal")[0]["new_price"].as_f64(), Some(4.3));
    let rule = &rows(&address, "pricing_rule?rule_id=competitor")[0];
    assert_eq!((&rule["actor"], &rule["note"]), (&json!("local"), &json!("a test")));
    child.terminate();
    // It lies in the log, and holds in the next run.
    let (child, address) = serve(dir.path(), ".");
    wait_until("the rule", || {
        let found = rows(&address, "pricing_rule?rule_id=competitor");
        found.first().is_some_and(|rule| rule["rate"].as_f64() == Some(0.1))
    });
    child.kill();
}

#[test]
fn a_segment_is_counted_saved_entered_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let before = "CREATE TABLE decision WITH ('connector' = 'http') LIKE model.decision;";
    let (child, address) = start(dir.path(), before, &["customers/sql"]);
    let sale = |id: &str, customer: &str, amount: i64| {
        json!({
            "event_id": id, "event_time": "2026-03-02 10:00:00Z", "transaction_id": id,
            "line_no": 1, "txn_type": "sale", "line_type": "item", "business_date": "2026-03-02",
            "store_id": "s", "channel": "web", "sku": "tea", "quantity": 1, "unit_price": amount,
            "line_total": amount, "currency": "EUR", "customer_id": customer,
        })
    };
    send(&address, "sale_line", json!([sale("a", "c1", 900), sale("b", "c2", 20)]));
    let tagged = "customer_tag?tag_code=lifetime_value";
    wait_until("the tags", || rows(&address, tagged).len() == 2);
    let conditions = json!([
        { "tag_code": "lifetime_value", "values": ["high", "top"] },
        { "tag_code": "main_channel" },
    ]);
    let asked = json!({ "conditions": conditions }).to_string();
    let (status, found) = ask(&address, "POST", "/v1/segments/count", &asked);
    assert_eq!(status, 200, "{found}");
    assert_eq!((&found["members"], &found["of"]), (&json!(1), &json!(2)), "{found}");
    assert_eq!(found["some"][0]["customer_id"], "c1");
    let excluded = json!({ "conditions": [{ "tag_code": "main_channel" },
        { "tag_code": "lifetime_value", "values": ["high"], "is_excluded": true }] });
    let found = ask(&address, "POST", "/v1/segments/count", &excluded.to_string()).1;
    assert_eq!(found["some"][0]["customer_id"], "c2", "{found}");
    let segment = json!({ "title": "Spends much", "conditions": conditions }).to_string();
    let (status, said) = ask(&address, "PUT", "/v1/segments/spends_much", &segment);
    assert_eq!(status, 200, "{said}");
    let members = || rows(&address, "segment_built_member?segment_id=spends_much");
    wait_until("a member", || members().len() == 1);
    // Who becomes one enters.
    send(&address, "sale_line", json!([sale("c", "c2", 990)]));
    wait_until("the second member", || members().len() == 2);
    let known = ask(&address, "GET", "/v1/segments", "").1;
    assert_eq!(known["segments"][0]["members"], 2, "{known}");
    assert_eq!(
        known["segments"][0]["conditions"][1],
        json!({
            "tag_code": "main_channel", "values": [], "is_excluded": false
        })
    );
    assert_eq!(ask(&address, "PUT", "/v1/segments/Spends", &segment).0, 400);
    assert_eq!(ask(&address, "DELETE", "/v1/segments/spends_much", "").0, 200);
    wait_until("nobody", || members().is_empty());
    child.kill();
}

#[test]
fn a_refused_record_is_put_right_over_http() {
    let dir = tempfile::tempdir().unwrap();
    let records = "{\"id\":1,\"qty\":2}\n{\"id\":2,\"qty\":\"two\"}\n{\"id\":3,\n";
    fs::create_dir(dir.path().join("sales")).unwrap();
    fs::write(dir.path().join("sales/a.json"), records).unwrap();
    let job = "SET 'execution.checkpointing.interval' = '50 ms';
        CREATE TABLE sales (id BIGINT, qty INT) WITH ('connector' = 'filesystem',
          'path' = 'sales', 'format' = 'json', 'source.monitor-interval' = '50 ms');
        CREATE MATERIALIZED VIEW total AS SELECT COUNT(*) AS n, SUM(qty) AS qty FROM sales;";
    fs::write(dir.path().join("job.sql"), job).unwrap();
    let (child, address) = serve(dir.path(), "job.sql");
    let list = |status: &str| {
        let path = format!("/v1/dead-letters?table=sales&status={status}");
        ask(&address, "GET", &path, "").1
    };
    wait_until("the letters", || list("open")["count"] == 2);
    let letters = list("open")["letters"].as_array().unwrap().clone();
    let of = |size: u64| letters.iter().find(|l| l["bytes"] == size).unwrap()["id"].clone();
    let (wrong, broken) = (of(20), of(8));
    let (_, shown) =
        ask(&address, "GET", &format!("/v1/dead-letters/{}", wrong.as_str().unwrap()), "");
    assert_eq!(shown["record"], "{\"id\":2,\"qty\":\"two\"}", "{shown}");
    let redrive =
        |body: Value| ask(&address, "POST", "/v1/dead-letters/redrive", &body.to_string());
    let (status, said) = redrive(json!({ "ids": [broken], "edit": { "id": 3 } }));
    assert!(status == 400 && said["hint"].as_str().unwrap().contains("record"), "{said}");
    let (status, said) = redrive(json!({ "ids": [wrong], "edit": { "qty": 5 } }));
    assert_eq!((status, &said["sent"]), (200, &json!(1)), "{said}");
    wait_until("the row", || rows(&address, "total")[0]["qty"] == 7);
    wait_until("its letter", || list("redriven")["count"] == 1);
    let aside = json!({ "ids": [broken] }).to_string();
    assert_eq!(ask(&address, "POST", "/v1/dead-letters/discard", &aside).0, 200);
    assert_eq!(list("open")["count"], 0);
    assert_eq!(redrive(json!({ "ids": [broken] })).0, 409);
    child.kill();
}
