//! The connector `webhook` against a server of the test's own: one that is slow, away, or refuses.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use hmac::{Hmac, Mac};
use rialto_connectors::{Changelog, Environment, Sink, TableSpec};
use rialto_engine::{CommitError, Committer, Delta};
use sha2::Sha256;

const PATIENCE: Duration = Duration::from_secs(30);

/// A request as it came.
#[derive(Debug, Clone)]
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn key(&self) -> String {
        self.header("idempotency-key").to_owned()
    }
}

/// What the server does with the request of a number.
type Answer = dyn Fn(usize) -> String + Send + Sync;

/// An HTTP server that answers as a test says.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

fn status(code: u16, more: &str) -> String {
    format!("HTTP/1.1 {code} X\r\nContent-Length: 5\r\nConnection: close\r\n{more}\r\nhello")
}

impl Server {
    fn up(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?token=secret", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer): (_, Arc<Answer>) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &seen, answer.as_ref()));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &Answer) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length?.1.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let request =
        Request { line: line.trim_end().into(), headers, body: String::from_utf8(body).ok()? };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        seen.len() - 1
    };
    let mut stream = stream;
    stream.write_all(answer(number).as_bytes()).ok()
}

fn table(url: &str, options: &[(&str, &str)]) -> TableSpec {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]));
    let fixed = [
        ("connector", "webhook"),
        ("url", url),
        ("allow-private-addresses", "true"),
        ("sink.retry.initial-pause", "10 ms"),
        ("sink.retry.max-pause", "40 ms"),
        ("sink.circuit-breaker.pause", "50 ms"),
    ];
    TableSpec::new("t", schema, fixed.iter().chain(options).copied())
}

struct Output {
    sink: Box<dyn Sink>,
    committer: Box<dyn Committer>,
    spec: TableSpec,
}

impl Output {
    fn open(spec: &TableSpec) -> Self {
        let mut sink = rialto_connectors::sink(spec, &Environment::new(".")).unwrap();
        let committer = sink.committer().unwrap();
        Self { sink, committer, spec: spec.clone() }
    }

    fn prepare(&mut self, epoch: u64, rows: &[(i64, &str, i64)]) -> Vec<u8> {
        let numbers = Int64Array::from_iter_values(rows.iter().map(|r| r.0));
        let texts = StringArray::from_iter_values(rows.iter().map(|r| r.1));
        let columns: Vec<ArrayRef> = vec![Arc::new(numbers), Arc::new(texts)];
        let batch = RecordBatch::try_new(self.spec.schema.clone(), columns).unwrap();
        let weights = rows.iter().map(|r| r.2).collect::<Vec<_>>();
        self.sink.write(&Delta::weighted(batch, Int64Array::from(weights)), 1).unwrap();
        self.sink.prepare(epoch).unwrap()
    }

    /// Commits as the runtime does: again and again; answers the reasons why it had to.
    fn deliver(&mut self, epoch: u64, prepared: &[u8]) -> Vec<String> {
        let since = Instant::now();
        let mut reasons = Vec::new();
        loop {
            match self.committer.commit(epoch, prepared) {
                Ok(()) => return reasons,
                Err(CommitError::Away(error)) => reasons.push(error.to_string()),
                Err(CommitError::Refused(error)) => panic!("{error}"),
            }
            assert!(since.elapsed() < PATIENCE, "{reasons:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn refused(done: Result<(), CommitError>) -> String {
    match done {
        Err(CommitError::Refused(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_change_is_a_request_with_a_key_and_a_signature() {
    let server = Server::up(|_| status(200, ""));
    let options = [("secret", "s3cret"), ("headers.X-Shop", "7"), ("method", "PUT")];
    let mut output = Output::open(&table(&server.url, &options));
    let prepared = output.prepare(1, &[(1, "a\"b", 1), (2, "b", -1)]);
    assert!(server.requests().is_empty(), "nothing is sent before it is committed");
    assert!(output.deliver(1, &prepared).is_empty());
    let requests = server.requests();
    let bodies: Vec<&str> = requests.iter().map(|r| r.body.as_str()).collect();
    assert_eq!(
        bodies,
        [r#"{"op":"-D","row":{"id":2,"name":"b"}}"#, r#"{"op":"+I","row":{"id":1,"name":"a\"b"}}"#]
    );
    assert_ne!(requests[0].key(), requests[1].key());
    for request in &requests {
        assert_eq!(request.line, "PUT /hook?token=secret HTTP/1.1");
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("x-shop"), "7");
        let signature = request.header("x-rialto-signature");
        let (time, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let mut expected = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        expected.update(format!("{time}.{}", request.body).as_bytes());
        let hex: String =
            expected.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(mac, hex);
    }
    let nothing = output.prepare(2, &[]);
    assert!(nothing.is_empty());
    output.committer.commit(2, &nothing).unwrap();
}

#[test]
fn rows_go_together_and_old_versions_of_a_key_do_not_go() {
    let server = Server::up(|_| status(204, ""));
    let mut spec = table(&server.url, &[("sink.batch.max-rows", "2"), ("body", "change")]);
    spec.primary_key = vec!["id".into()];
    spec.changelog = Changelog { retracts: true, upsert_key: Some(vec![0]) };
    let mut output = Output::open(&spec);
    let prepared = output.prepare(1, &[(1, "old", -1), (1, "new", 1), (2, "b", 1), (3, "c", -1)]);
    output.deliver(1, &prepared);
    let bodies: Vec<String> = server.requests().into_iter().map(|r| r.body).collect();
    assert_eq!(
        bodies,
        [
            r#"[{"op":"+U","row":{"id":1,"name":"new"}},{"op":"+I","row":{"id":2,"name":"b"}}]"#,
            r#"[{"op":"-D","row":{"id":3,"name":"c"}}]"#
        ]
    );
    let row = table(&server.url, &[("body", "row")]);
    let mut output = Output::open(&row);
    let prepared = output.prepare(1, &[(4, "d", 1)]);
    output.deliver(1, &prepared);
    assert_eq!(server.requests()[2].body, r#"{"id":4,"name":"d"}"#);
    let mut row = row;
    row.changelog.retracts = true;
    let error = rialto_connectors::sink(&row, &Environment::new(".")).err().unwrap().to_string();
    assert!(error.contains("a row alone cannot say so"), "{error}");
}

#[test]
fn a_flaky_server_gets_everything_in_order_under_the_same_keys() {
    // Two of three fail; every fourth takes the request and its answer is lost.
    let server = Server::up(|number| match number % 12 {
        3 | 7 => String::new(),
        n if n % 3 == 2 => status(200, ""),
        n if n % 2 == 0 => status(503, ""),
        _ => status(429, "Retry-After: 0\r\n"),
    });
    let mut output = Output::open(&table(&server.url, &[]));
    let rows: Vec<(i64, &str, i64)> = (0..20).map(|id| (id, "x", 1)).collect();
    let prepared = output.prepare(1, &rows);
    let reasons = output.deliver(1, &prepared);
    assert!(reasons.iter().any(|r| r.contains("503")), "{reasons:?}");
    assert!(reasons.iter().all(|r| !r.contains("token")), "a token is told: {reasons:?}");
    let mut keys = HashSet::new();
    let firsts: Vec<String> =
        server.requests().into_iter().filter(|r| keys.insert(r.key())).map(|r| r.body).collect();
    let expected = |id: usize| format!("{{\"op\":\"+I\",\"row\":{{\"id\":{id},\"name\":\"x\"}}}}");
    assert_eq!(firsts, (0..20).map(expected).collect::<Vec<_>>());
}

#[test]
fn a_later_run_sends_what_was_promised_under_the_same_keys() {
    let server = Server::up(|number| if number == 2 { status(500, "") } else { status(200, "") });
    let spec = table(&server.url, &[]);
    let mut first = Output::open(&spec);
    let prepared = first.prepare(5, &[(1, "a", 1), (2, "b", 1), (3, "c", 1)]);
    assert!(matches!(first.committer.commit(5, &prepared), Err(CommitError::Away(_))));
    drop(first);
    let mut second = Output::open(&spec);
    second.committer.recover(&[(5, prepared)]).unwrap();
    let next = second.prepare(6, &[(4, "d", 1)]);
    second.deliver(6, &next);
    let keys: Vec<String> = server.requests().iter().map(Request::key).collect();
    // Two were taken, the third failed; then all three again, and what came after.
    assert_eq!(keys.len(), 7);
    assert_eq!(keys[..3], keys[3..6]);
    assert!(!keys[..6].contains(&keys[6]));
}

#[test]
fn the_server_says_when_it_wants_to_be_asked_again() {
    let server = Server::up(|number| match number {
        0 => status(429, "Retry-After: 1\r\n"),
        _ => status(200, ""),
    });
    let mut output = Output::open(&table(&server.url, &[]));
    let prepared = output.prepare(1, &[(1, "a", 1)]);
    let since = Instant::now();
    let reasons = output.deliver(1, &prepared);
    assert!(since.elapsed() >= Duration::from_millis(950), "{:?}", since.elapsed());
    assert_eq!(server.requests().len(), 2);
    assert!(reasons.last().unwrap().contains("the next try is in"), "{reasons:?}");
}

#[test]
fn a_server_that_stays_away_is_left_alone_for_a_while() {
    let server = Server::up(|number| if number < 3 { status(503, "") } else { status(200, "") });
    let options =
        [("sink.circuit-breaker.failures", "3"), ("sink.circuit-breaker.pause", "800 ms")];
    let spec = table(&server.url, &[]);
    let spec = TableSpec {
        options: spec
            .options
            .into_iter()
            .chain(options.map(|(k, v)| (k.into(), v.into())))
            .collect(),
        ..spec
    };
    let mut output = Output::open(&spec);
    let prepared = output.prepare(1, &[(1, "a", 1)]);
    let since = Instant::now();
    output.deliver(1, &prepared);
    // Half of the pause at least: it is jittered.
    assert!(since.elapsed() >= Duration::from_millis(400), "{:?}", since.elapsed());
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_server_that_says_nothing_is_away() {
    let server = Server::up(|number| {
        if number == 0 {
            std::thread::sleep(Duration::from_secs(3));
        }
        status(200, "")
    });
    let spec = table(&server.url, &[("sink.request-timeout", "150 ms")]);
    let mut output = Output::open(&spec);
    let prepared = output.prepare(1, &[(1, "a", 1)]);
    let reasons = output.deliver(1, &prepared);
    assert!(reasons[0].contains("no answer in time"), "{reasons:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut output = Output::open(&table(&format!("http://{nobody}/"), &[]));
    let prepared = output.prepare(1, &[(1, "a", 1)]);
    let error = output.committer.commit(1, &prepared);
    assert!(
        matches!(&error, Err(CommitError::Away(e)) if e.to_string().contains("cannot connect")),
        "{error:?}"
    );
}

#[test]
fn what_is_refused_fails_or_is_dropped() {
    let answer = |number| if number == 1 { status(422, "") } else { status(200, "") };
    let rows = [(1, "a", 1), (2, "b", 1), (3, "c", 1)];
    let server = Server::up(answer);
    let mut output = Output::open(&table(&server.url, &[]));
    let prepared = output.prepare(1, &rows);
    let error = refused(output.committer.commit(1, &prepared));
    assert!(error.contains("422") && error.contains("hello"), "{error}");
    assert!(error.contains("sink.on-refused"), "{error}");
    assert_eq!(server.requests().len(), 2);
    let server = Server::up(answer);
    let mut output = Output::open(&table(&server.url, &[("sink.on-refused", "drop")]));
    let prepared = output.prepare(1, &rows);
    assert!(output.deliver(1, &prepared).is_empty());
    assert_eq!(server.requests().len(), 3);
    assert!(matches!(output.committer.commit(1, b"nonsense"), Err(CommitError::Refused(_))));
}

#[test]
fn a_redirect_is_not_followed_and_a_private_address_not_called() {
    let server = Server::up(|_| status(302, "Location: http://10.0.0.1/\r\n"));
    let mut output = Output::open(&table(&server.url, &[]));
    let prepared = output.prepare(1, &[(1, "a", 1)]);
    let error = refused(output.committer.commit(1, &prepared));
    assert!(error.contains("redirects are not followed (to http://10.0.0.1/)"), "{error}");
    // A name is only known to be private when it is looked up.
    let url = server.url.replace("127.0.0.1", "localhost");
    let mut spec = table(&url, &[]);
    spec.options.retain(|(name, _)| name != "allow-private-addresses");
    let mut output = Output::open(&spec);
    let prepared = output.prepare(1, &[(1, "a", 1)]);
    let error = refused(output.committer.commit(1, &prepared));
    assert!(error.contains("not one of the public internet"), "{error}");
    assert_eq!(server.requests().len(), 1);
}
