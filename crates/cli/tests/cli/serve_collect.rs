//! Calls of Segment's libraries, as rows of the event model that a running project reads.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Running, wait_until};
use crate::serve_views::ask;
use crate::{rialto, stdout};

fn start(dir: &Path, sql: &str, more: &[&str]) -> (Running, String) {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs/model/sql");
    fs::create_dir_all(dir.join("sql")).unwrap();
    fs::write(dir.join("rialto.toml"), format!("include = [{model:?}]\n")).unwrap();
    fs::write(dir.join("sql/job.sql"), sql).unwrap();
    let serve = ["run", ".", "--serve", "127.0.0.1:0"];
    let running = Running::start(dir, &[&serve[..], more].concat());
    wait_until("where it serves", || running.said().contains("serving http://"));
    let said = running.said();
    let address = said.split("serving http://").nth(1).and_then(|l| l.split(['/', ';']).next());
    let address = address.unwrap().trim().to_owned();
    (running, address)
}

const SHOP: &str = "\
    CREATE TABLE behavior_event WITH ('connector' = 'http') LIKE model.behavior_event;\n\
    CREATE TABLE identity_event WITH ('connector' = 'http') LIKE model.identity_event;\n\
    CREATE TABLE order_event WITH ('connector' = 'http') LIKE model.order_event;\n\
    CREATE TABLE sale_line WITH ('connector' = 'http') LIKE model.sale_line;\n\
    CREATE MATERIALIZED VIEW steps AS SELECT customer_id, anonymous_id, action, sku, unit_price, \
    url FROM behavior_event;\n\
    CREATE MATERIALIZED VIEW known AS SELECT id_type, id_hash, customer_id FROM identity_event;\n\
    CREATE MATERIALIZED VIEW orders AS SELECT order_id, status, amount FROM order_event;\n\
    CREATE MATERIALIZED VIEW sold AS SELECT sku, SUM(line_total) AS amount FROM sale_line \
    GROUP BY sku;\n";

/// The rows of a view, once there are so many.
fn rows(address: &str, view: &str, count: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    wait_until(view, || {
        let (_, answer) = ask(address, "GET", &format!("/v1/views/{view}"), "");
        rows = answer["rows"].as_array().cloned().unwrap_or_default();
        rows.len() >= count
    });
    rows
}

#[test]
fn calls_are_rows_of_the_model_once() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), SHOP, &[]);
    let viewed = json!({
        "messageId": "1", "anonymousId": "a", "event": "Product Viewed",
        "context": { "page": { "url": "https://shop.example/tea" } },
        "properties": { "sku": "tea", "price": 4.5 },
    });
    let call = |path: &str, body: &Value| ask(&address, "POST", path, &body.to_string());
    let (status, said) = call("/v1/track", &viewed);
    assert_eq!((status, &said["success"], &said["accepted"]), (200, &json!(true), &json!(1)));
    let order = json!({ "order_id": "o1", "total": 13.5, "currency": "GBP",
        "products": [{ "sku": "tea", "price": 4.5, "quantity": 3 }] });
    let batch = json!({ "sentAt": "2026-03-02T10:00:00Z", "batch": [
        viewed_again(&viewed),
        { "type": "page", "messageId": "2", "userId": "ann", "name": "Tea" },
        { "type": "identify", "messageId": "3", "userId": "ann", "anonymousId": "a",
            "traits": { "email": "ann@example.com" } },
        { "type": "track", "messageId": "4", "userId": "ann", "event": "Order Completed",
            "properties": order },
        { "type": "track", "messageId": "5", "userId": "ann", "event": "Signed Up" },
        { "type": "track", "messageId": "6", "event": "Cart Viewed" },
        { "type": "group", "messageId": "7", "userId": "ann", "groupId": "g" },
    ] });
    let (status, said) = call("/v1/batch", &batch);
    assert_eq!(status, 200, "{said}");
    // A page, two identities, an order and its line; the product was seen before.
    assert_eq!((&said["accepted"], &said["duplicates"]), (&json!(5), &json!(1)), "{said}");
    let at = |list: &Value| -> Vec<u64> {
        list.as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap()).collect()
    };
    assert_eq!((at(&said["ignored"]), at(&said["refused"])), (vec![4, 6], vec![5]), "{said}");
    let (status, said) = call("/v1/batch", &batch);
    assert_eq!((status, &said["accepted"], &said["duplicates"]), (200, &json!(0), &json!(6)));
    let mut steps = rows(&address, "steps", 2);
    steps.sort_by_key(|row| row["action"].to_string());
    assert_eq!(steps.len(), 2);
    assert_eq!(
        (&steps[0]["action"], &steps[0]["customer_id"]),
        (&json!("page_viewed"), &json!("ann"))
    );
    assert_eq!(
        (&steps[1]["sku"], &steps[1]["url"]),
        (&json!("tea"), &json!("https://shop.example/tea"))
    );
    assert_eq!(steps[1]["unit_price"].to_string(), "4.5");
    assert_eq!(rows(&address, "known", 2).len(), 2);
    assert_eq!(rows(&address, "orders", 1)[0]["status"], "paid");
    assert_eq!(rows(&address, "sold", 1)[0]["amount"].to_string(), "13.5");
    let (status, said) = call("/v1/track", &json!({ "event": "Cart Viewed" }));
    assert_eq!((status, at(&said["refused"])), (400, vec![0]), "{said}");
    assert_eq!(call("/v1/batch", &json!({})).0, 400);
    assert_eq!(child.terminate().code, Some(0));
}

fn viewed_again(viewed: &Value) -> Value {
    let mut again = viewed.clone();
    again["type"] = json!("track");
    again
}

#[test]
fn a_project_without_the_tables_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE identity_event WITH ('connector' = 'http') LIKE model.identity_event;\n\
        CREATE MATERIALIZED VIEW known AS SELECT customer_id FROM identity_event;\n";
    let (child, address) = start(dir.path(), sql, &[]);
    let call = r#"{"messageId": "1", "userId": "u", "event": "Cart Viewed"}"#;
    let (status, said) = ask(&address, "POST", "/v1/track", call);
    assert_eq!(status, 404);
    assert!(said["error"].as_str().unwrap().contains("'behavior_event'"), "{said}");
    drop(child);
    let other = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE t (x INT) WITH ('connector' = 'http');\n\
        CREATE MATERIALIZED VIEW v AS SELECT x FROM t;\n";
    let (child, address) = start(other.path(), sql, &[]);
    let (status, said) = ask(&address, "POST", "/v1/identify", r#"{"userId": "u"}"#);
    assert_eq!(status, 404);
    assert!(said["hint"].as_str().unwrap().contains("from_http.sql"), "{said}");
    assert_eq!(child.terminate().code, Some(0));
}

#[test]
fn a_write_key_is_a_token_of_the_role_ingest() {
    let dir = tempfile::tempdir().unwrap();
    let (child, address) = start(dir.path(), SHOP, &["--require-tokens"]);
    let make = |role: &str| {
        stdout(&rialto(dir.path(), &["token", "create", role, "--role", role])).trim().to_owned()
    };
    let status = |key: &str| {
        let body = r#"{"messageId": "1", "userId": "u", "event": "Cart Viewed"}"#;
        let user = base64(&format!("{key}:"));
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "POST /v1/track HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: Basic {user}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
    };
    let (key, viewer) = (make("ingest"), make("viewer"));
    wait_until("the key is known", || status(&key) == 200);
    assert_eq!(
        (status(&viewer), status("wrong"), ask(&address, "POST", "/v1/track", "{}").0),
        (403, 401, 401)
    );
    assert_eq!(child.terminate().code, Some(0));
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
