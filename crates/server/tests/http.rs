//! Requests as a client sends them, byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema};
use flate2::Compression;
use flate2::write::GzEncoder;
use rialto_connectors::{Environment, Ingest, TableSpec};
use rialto_engine::{Poll, Reader};
use rialto_storage::log::{Batch, Config, Pressure, Topic};
use serde_json::{Value, json};

use rialto_server::{Security, Server, StartError, Tls};

fn spec(name: &str) -> TableSpec {
    let schema = Schema::new(vec![
        Field::new("event_id", DataType::Utf8, true),
        Field::new("qty", DataType::Int64, false),
    ]);
    let options =
        [("connector", "http"), ("http.body.size-max", "1mb"), ("http.queue.size-max", "1kb")];
    TableSpec::new(name, Arc::new(schema), options)
}

fn server(base: &Path) -> Server {
    let ingest = Ingest::open(&spec("sales"), &Environment::new(base)).unwrap();
    start(vec![ingest], Security::default())
}

fn start(tables: Vec<Ingest>, security: Security) -> Server {
    Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), tables, security).unwrap()
}

/// An answer: status, headers, body.
struct Answer(u16, String, Value);

/// Sends bytes and reads until the server closes.
fn send(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The server may answer, and close, before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(&chunk[..n]),
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Answer(status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost:1\r\nconnection: close\r\n\
         content-length: {length}\r\n{headers}\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

const JSON: &str = "content-type: application/json\r\n";

fn post(address: SocketAddr, body: &[u8]) -> Answer {
    send(address, &request("POST", "/v1/events/sales", JSON, body))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How many rows the table's log has.
fn rows(base: &Path) -> usize {
    let source = rialto_connectors::source(&spec("sales"), &Environment::new(base)).unwrap();
    let mut reader: Box<dyn Reader> = source.readers(1).unwrap().remove(0);
    let mut rows = 0;
    while let Poll::Rows(delta) = reader.poll(10_000).unwrap() {
        rows += delta.num_rows();
    }
    rows
}

#[test]
fn rows_are_taken_plain_and_packed_and_repetitions_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let at = server.address();
    let body = b"{\"event_id\":\"a\",\"qty\":1}\n{\"event_id\":\"b\",\"qty\":2}\n";
    let Answer(status, head, answer) = post(at, body);
    assert_eq!((status, answer), (200, json!({ "accepted": 2, "duplicates": 0 })));
    assert!(head.contains("content-type: application/json"));
    let packed = request(
        "POST",
        "/v1/events/sales",
        "content-type: application/x-ndjson; charset=utf-8\r\ncontent-encoding: gzip\r\n",
        &gzip(b"[{\"event_id\":\"b\",\"qty\":2},{\"event_id\":\"c\",\"qty\":3}]"),
    );
    let Answer(status, _, answer) = send(at, &packed);
    assert_eq!((status, answer), (200, json!({ "accepted": 1, "duplicates": 1 })));
    assert_eq!(rows(dir.path()), 3);
    let Answer(status, _, answer) = send(at, &request("GET", "/readyz", "", b""));
    assert_eq!((status, answer), (200, json!({ "ready": true, "rows": { "sales": 3 } })));
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let at = server.address();
    let body = b"[{\"qty\":1},{\"qty\":\"many\"},{},{\"qty\":2}]";
    let Answer(status, _, answer) = post(at, body);
    assert_eq!(status, 400);
    assert_eq!(answer["error"], "2 of 4 rows cannot be taken; nothing was stored");
    assert_eq!(answer["rows"][0]["index"], 1);
    assert_eq!(answer["rows"][1]["reason"], "column 'qty' is NOT NULL");
    for (body, expected) in
        [(&b""[..], "the body is empty"), (b"[{\"qty\":1}", "the array has no ']'")]
    {
        let Answer(status, _, answer) = post(at, body);
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains(expected), "{answer}");
    }
    let ask = |method: &str, path: &str, headers: &str, body: &[u8]| {
        let Answer(status, _, answer) = send(at, &request(method, path, headers, body));
        (status, format!("{} ({})", answer["error"], answer["hint"]))
    };
    let row = b"{\"qty\":1}";
    let (status, said) = ask("POST", "/v1/events/sale", JSON, row);
    assert!(status == 404 && said.contains("did you mean 'sales'?"), "{said}");
    let (status, said) = ask("POST", "/v1/events/sales", "", row);
    assert!(status == 415 && said.contains("application/json"), "{said}");
    let packed = format!("{JSON}content-encoding: br\r\n");
    assert_eq!(ask("POST", "/v1/events/sales", &packed, row).0, 415);
    let packed = format!("{JSON}content-encoding: gzip\r\n");
    let (status, said) = ask("POST", "/v1/events/sales", &packed, row);
    assert!(status == 400 && said.contains("is not gzip"), "{said}");
    assert_eq!(ask("GET", "/v1/events/sales", "", b"").0, 405);
    assert_eq!(ask("GET", "/v1/nothing", "", b"").0, 404);
    let foreign = b"GET /livez HTTP/1.1\r\nhost: shop.example:80\r\nconnection: close\r\n\r\n";
    assert_eq!(send(at, foreign).0, 403);
    assert_eq!(rows(dir.path()), 0);
}

#[test]
fn large_bodies_are_refused_however_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let at = server.address();
    let large = format!("{{\"qty\":1,\"x\":\"{}\"}}", "x".repeat(2 << 20));
    assert_eq!(post(at, large.as_bytes()).0, 413);
    // 100 MB are said, and never sent.
    let said = b"POST /v1/events/sales HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
        content-type: application/json\r\ncontent-length: 100000000\r\n\r\n";
    assert_eq!(send(at, said).0, 413);
    let mut chunked = format!(
        "POST /v1/events/sales HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{JSON}\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n",
        large.len()
    );
    chunked.push_str(&large);
    chunked.push_str("\r\n0\r\n\r\n");
    assert_eq!(send(at, chunked.as_bytes()).0, 413);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let headers = format!("{JSON}content-encoding: gzip\r\n");
    let Answer(status, _, answer) = send(at, &request("POST", "/v1/events/sales", &headers, &bomb));
    assert_eq!(status, 413, "{answer}");
    assert!(answer["hint"].as_str().unwrap().contains("http.body.size-max"));
    assert_eq!(post(at, b"{\"qty\":1}").0, 200, "the server goes on");
}

#[test]
fn too_much_that_waits_is_answered_with_when_to_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let folder = dir.path().join(".rialto/log/sales");
    let topic = Topic::shared(&folder, Config::default()).unwrap();
    let mut batch = Batch::default();
    batch.records.entry(0).or_default().push(None, 0, &[b' '; 2000]);
    let ticket = topic.append(batch, Pressure::Refuse).unwrap();
    let Answer(status, head, answer) = post(server.address(), b"{\"qty\":1}");
    assert_eq!(status, 429, "{answer}");
    assert!(head.contains("retry-after: 1"), "{head}");
    topic.wait(&ticket).unwrap();
    assert_eq!(post(server.address(), b"{\"qty\":1}").0, 200);
}

#[test]
fn many_senders_share_fsyncs_and_every_event_is_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let at = server.address();
    let accepted: usize = std::thread::scope(|scope| {
        let send = |thread: usize| {
            scope.spawn(move || {
                let mut accepted = 0;
                for n in 0..15 {
                    // Every event is sent by two threads.
                    let body = format!("{{\"event_id\":\"{}-{n}\",\"qty\":{n}}}", thread / 2);
                    loop {
                        match post(at, body.as_bytes()) {
                            Answer(200, _, answer) => {
                                accepted += answer["accepted"].as_u64().unwrap() as usize;
                                break;
                            }
                            Answer(429, ..) => std::thread::sleep(Duration::from_millis(20)),
                            Answer(status, _, answer) => panic!("{status}: {answer}"),
                        }
                    }
                }
                accepted
            })
        };
        let threads: Vec<_> = (0..8).map(send).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(accepted, 60);
    assert_eq!(rows(dir.path()), 60);
}

#[test]
fn a_server_that_stops_says_so_and_does_not_hang() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let at = server.address();
    server.health().not_ready("job", "the job is starting");
    let Answer(status, _, answer) = send(at, &request("GET", "/readyz", "", b""));
    assert_eq!(status, 503);
    assert_eq!(answer["reasons"][0], json!({ "who": "job", "reason": "the job is starting" }));
    assert_eq!(send(at, &request("GET", "/livez", "", b"")).0, 200);
    server.health().ready("job");
    // A connection that says nothing must not keep the server.
    let silent = TcpStream::connect(at).unwrap();
    let started = Instant::now();
    server.stop();
    assert!(started.elapsed() < Duration::from_secs(10));
    drop(silent);
    assert!(TcpStream::connect(at).is_err());
}

#[test]
fn other_machines_are_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let tls = || Tls::self_signed(dir.path(), everywhere.ip()).unwrap();
    // One of the two is not enough.
    for (is_required, tls) in [(false, None), (true, None), (false, Some(tls()))] {
        let security = Security { tokens: None, is_required, tls };
        let error = Server::start(everywhere, Vec::new(), security).unwrap_err();
        assert!(matches!(error, StartError::NotLoopback(_)), "{error}");
    }
}
