use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::running::{Running, wait_until};
use crate::{rialto, stderr};

const PROJECT: &str = "CREATE TABLE sales (event_id STRING, sku STRING NOT NULL, qty INT) \
    WITH ('connector' = 'http');\n\
    CREATE TABLE large (sku STRING, qty INT) \
    WITH ('connector' = 'log', 'partitions' = '2', 'key.fields' = 'sku');\n\
    CREATE MATERIALIZED VIEW counted AS SELECT COUNT(*) AS n, SUM(qty) AS total FROM sales;\n\
    INSERT INTO large SELECT sku, qty FROM sales WHERE qty >= 100;\n";

/// A running project and where it serves.
fn start(dir: &Path) -> (Running, String) {
    let watch = ["--watch", "counted", "--changelog", "-o", "json"];
    let serve = ["run", "job.sql", "--serve", "127.0.0.1:0"];
    let running = Running::start(dir, &[&serve[..], &watch].concat());
    wait_until("where it serves", || running.said().contains('\n'));
    let said = running.said();
    let address = said.strip_prefix("serving http://").and_then(|l| l.split('/').next());
    let address = address.unwrap_or_else(|| panic!("where it serves: {said}")).to_owned();
    (running, address)
}

/// Sends a body; answers the status and what was said.
fn post(address: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /v1/events/sales HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn wait_ready(address: &str) {
    let ready = || get(address, "/readyz").is_ok_and(|a| a.contains("{\"ready\":true"));
    wait_until("ready", ready);
}

#[test]
fn events_over_http_are_in_the_view_and_go_on_into_a_log() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), PROJECT).unwrap();
    let (child, address) = start(dir.path());
    wait_ready(&address);
    let body = r#"[{"event_id":"1","sku":"tea","qty":100},{"event_id":"2","sku":"milk","qty":7}]"#;
    assert_eq!(post(&address, body).unwrap().0, 200);
    let (status, said) = post(&address, body).unwrap();
    assert_eq!((status, said.trim()), (200, r#"{"accepted":0,"duplicates":2}"#));
    let (status, said) = post(&address, r#"{"event_id":"3","qty":7}"#).unwrap();
    assert!(status == 400 && said.contains("column 'sku' is NOT NULL"), "{said}");
    // Another process reads what is durable, and cannot write.
    let read = "CREATE TABLE sales (sku STRING) WITH ('connector' = 'log', \
        'scan.bounded.mode' = 'latest-offset'); SELECT * FROM sales";
    let output = rialto(dir.path(), &["sql", "-o", "csv", "-c", read]);
    assert_eq!(crate::stdout(&output), "sku\ntea\nmilk\n", "{}", stderr(&output));
    let output = rialto(dir.path(), &["run", "job.sql", "--serve", "127.0.0.1:0"]);
    assert!(stderr(&output).contains("is being written by another process"), "{output:?}");
    child.wait_for(r#""n":2,"total":107"#);
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let read = "CREATE TABLE large (sku STRING, qty INT) WITH ('connector' = 'log', \
        'scan.bounded.mode' = 'latest-offset'); SELECT * FROM large";
    let output = rialto(dir.path(), &["sql", "-o", "csv", "-c", read]);
    assert_eq!(crate::stdout(&output), "sku,qty\ntea,100\n", "{}", stderr(&output));
}

#[test]
fn what_was_acknowledged_is_there_once_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), PROJECT).unwrap();
    let (mut sent, mut total) = (0, 0);
    for round in 0..5 {
        let (child, address) = start(dir.path());
        // What was being sent when the process was killed is sent again: it may be there or not.
        for n in sent..sent + 30 {
            let body = format!("{{\"event_id\":\"e{n}\",\"sku\":\"x\",\"qty\":{n}}}");
            let (status, said) = post(&address, &body).unwrap();
            assert_eq!(status, 200, "round {round}: {said}");
            total += n;
        }
        sent += 30;
        let unanswered = format!("{{\"event_id\":\"e{sent}\",\"sku\":\"x\",\"qty\":{sent}}}");
        let to = address.clone();
        let last = std::thread::spawn(move || post(&to, &unanswered).is_ok());
        child.kill();
        let _ = last.join();
    }
    let (child, address) = start(dir.path());
    wait_ready(&address);
    let body = format!("{{\"event_id\":\"e{sent}\",\"sku\":\"x\",\"qty\":{sent}}}");
    assert_eq!(post(&address, &body).unwrap().0, 200);
    child.wait_for(&format!("\"n\":{},\"total\":{}", sent + 1, total + sent));
    let ended = child.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[test]
fn an_address_that_cannot_be_served_is_an_error_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("job.sql"), PROJECT).unwrap();
    for wrong in [&["--tls"][..], &["--require-tokens"], &["--postgres", "127.0.0.1:0"]] {
        let output = rialto(dir.path(), &[&["run", "job.sql"][..], wrong].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--serve <ADDR>"), "{}", stderr(&output));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = rialto(dir.path(), &["run", "job.sql", "--serve", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot serve on"), "{}", stderr(&output));
}
