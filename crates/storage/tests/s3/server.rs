//! As much of S3 as a storage needs: objects of one bucket, put on a condition, listed in pages.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// The only bucket.
pub const BUCKET: &str = "shop";
/// The only key that is let in.
pub const KEY: &str = "AKIDTEST";
/// A page of a listing has so few objects that there are several.
const PAGE: usize = 2;

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    gone: bool,
    fail: (u32, u16),
    failed: u32,
}

/// A server on a port of this machine; it ends with the process.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into() }
}

fn error(status: u16, code: &str) -> Answer {
    let text = format!("<Error><Code>{code}</Code><Message>{code} happened</Message></Error>");
    Answer { status, headers: vec![("Content-Type", "application/xml".into())], body: text.into() }
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn object(&self, name: &str) -> Option<Vec<u8>> {
        self.state().objects.get(name).cloned()
    }

    /// The next requests are answered with a status and nothing done.
    pub fn fail_next(&self, count: u32, status: u16) {
        self.state().fail = (count, status);
    }

    pub fn failed(&self) -> u32 {
        self.state().failed
    }

    pub fn drop_bucket(&self) {
        self.state().gone = true;
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let mut answer = handle(&request, &mut state.lock().unwrap());
        let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
        let len = answer.body.len();
        if request.method == "HEAD" {
            answer.body.clear();
        }
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {len}\r\n\r\n"));
        let sent = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&answer.body));
        if sent.is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let len = headers.get("content-length").map_or(0, |l: &String| l.parse().unwrap());
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter(|p| !p.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    });
    Some(Request { method, path: decoded(path), query: query.collect(), headers, body })
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            let hex = std::str::from_utf8(&hex).unwrap().to_owned();
            out.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

fn handle(request: &Request, state: &mut State) -> Answer {
    if state.fail.0 > 0 {
        state.fail.0 -= 1;
        state.failed += 1;
        return error(state.fail.1, "SlowDown");
    }
    let signed = request.headers.get("authorization").map(String::as_str).unwrap_or_default();
    if !signed.contains(&format!("Credential={KEY}/")) {
        return error(403, "InvalidAccessKeyId");
    }
    let mut parts = request.path.trim_start_matches('/').splitn(2, '/');
    let (bucket, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if bucket != BUCKET || state.gone {
        return error(404, "NoSuchBucket");
    }
    match request.method.as_str() {
        "PUT" => put(request, key, state),
        "GET" if key.is_empty() => list(request, state),
        "GET" | "HEAD" => get(request, key, state),
        "POST" if request.query.contains_key("delete") => delete(request, state),
        "DELETE" => {
            state.objects.remove(key);
            answer(204, "")
        }
        _ => error(405, "MethodNotAllowed"),
    }
}

fn put(request: &Request, key: &str, state: &mut State) -> Answer {
    let condition = request.headers.get("if-none-match").map(String::as_str);
    if condition == Some("*") && state.objects.contains_key(key) {
        return error(412, "PreconditionFailed");
    }
    state.objects.insert(key.to_owned(), request.body.clone());
    Answer { headers: vec![("ETag", "\"1\"".into())], ..answer(200, "") }
}

fn get(request: &Request, key: &str, state: &State) -> Answer {
    let Some(bytes) = state.objects.get(key) else { return error(404, "NoSuchKey") };
    let mut headers = vec![
        ("ETag", "\"1\"".to_owned()),
        ("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT".to_owned()),
    ];
    let range = request.headers.get("range").and_then(|r| r.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|r| r.split_once('-')) else {
        return Answer { status: 200, headers, body: bytes.clone() };
    };
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let last = last.min(bytes.len() - 1);
    headers.push(("Content-Range", format!("bytes {first}-{last}/{}", bytes.len())));
    Answer { status: 206, headers, body: bytes[first..=last].to_vec() }
}

fn list(request: &Request, state: &State) -> Answer {
    assert_eq!(request.query.get("list-type").map(String::as_str), Some("2"));
    let prefix = request.query.get("prefix").cloned().unwrap_or_default();
    let from = request.query.get("continuation-token").cloned().unwrap_or_default();
    let found: Vec<_> =
        state.objects.iter().filter(|(k, _)| k.starts_with(&prefix) && **k > from).collect();
    let mut body = String::from("<ListBucketResult>");
    for (key, bytes) in found.iter().take(PAGE) {
        body.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2025-01-01T00:00:00.000Z</LastModified>\
             <ETag>\"1\"</ETag><Size>{}</Size></Contents>",
            bytes.len()
        ));
    }
    if found.len() > PAGE {
        let last = found[PAGE - 1].0;
        body.push_str(&format!("<NextContinuationToken>{last}</NextContinuationToken>"));
    }
    body.push_str("</ListBucketResult>");
    answer(200, body)
}

fn delete(request: &Request, state: &mut State) -> Answer {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let mut out = String::from("<DeleteResult>");
    for part in body.split("<Key>").skip(1) {
        let key = part.split("</Key>").next().unwrap_or_default();
        state.objects.remove(key);
        out.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
    }
    out.push_str("</DeleteResult>");
    answer(200, out)
}
