//! The connector `tcp` against servers of the test's own.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use rialto_connectors::{Environment, TableSpec};
use rialto_engine::{DeadLetter, Delta, Poll, Reader};

const PATIENCE: Duration = Duration::from_secs(30);

fn table(listener: &TcpListener, options: &[(&str, &str)]) -> TableSpec {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]));
    let port = listener.local_addr().unwrap().port().to_string();
    let fixed = [
        ("connector", "tcp"),
        ("hostname", "127.0.0.1"),
        ("port", port.as_str()),
        ("format", "json"),
        ("scan.reconnect.max-pause", "50 ms"),
    ];
    let mut spec = TableSpec::new("t", schema, fixed);
    for (name, value) in options {
        spec.options.retain(|(known, _)| known != name);
        spec.options.push(((*name).to_owned(), (*value).to_owned()));
    }
    spec
}

struct Input {
    reader: Box<dyn Reader>,
    deltas: Vec<Delta>,
    dead: Vec<DeadLetter>,
    ended: bool,
}

impl Input {
    fn open(spec: &TableSpec) -> Self {
        let source = rialto_connectors::source(spec, &Environment::new(".")).unwrap();
        assert_eq!(source.is_bounded(), spec.option("scan.on-close") == Some("end"));
        let mut readers = source.readers(4).unwrap();
        assert_eq!(readers.len(), 1);
        let reader = readers.remove(0);
        Self { reader, deltas: Vec::new(), dead: Vec::new(), ended: false }
    }

    fn poll(&mut self) {
        match self.reader.poll(100).unwrap() {
            Poll::Rows(delta) => self.deltas.push(delta),
            Poll::Idle => std::thread::sleep(Duration::from_millis(1)),
            Poll::End => self.ended = true,
        }
        self.dead.append(&mut self.reader.take_dead_letters());
    }

    fn until(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !reached(self) {
            self.poll();
            assert!(since.elapsed() < PATIENCE, "waited in vain: {what}, {:?}", self.rows());
        }
    }

    fn rows(&self) -> Vec<String> {
        let row = |delta: &Delta, row: usize| {
            let ids = delta.column(0).as_primitive::<Int64Type>();
            let names = delta.column(1).as_string::<i32>();
            let name = if names.is_null(row) { "NULL" } else { names.value(row) };
            format!("{}|{name}", ids.value(row))
        };
        let rows = |d: &Delta| (0..d.num_rows()).map(|r| row(d, r)).collect::<Vec<_>>();
        self.deltas.iter().flat_map(rows).collect()
    }
}

/// Takes the next connection; the reader makes it when it is polled.
fn accept(listener: &TcpListener, input: &mut Input) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    input.until("a connection", |_| {
        accepted = accepted.take().or_else(|| listener.accept().ok());
        accepted.is_some()
    });
    let stream = accepted.unwrap().0;
    stream.set_nonblocking(false).unwrap();
    stream
}

#[test]
fn lines_become_rows_and_bad_ones_dead_letters() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = [("scan.on-close", "end"), ("scan.line.size-max", "100")];
    let mut input = Input::open(&table(&listener, &options));
    let mut server = accept(&listener, &mut input);
    let long = format!("{{\"id\":9,\"name\":\"{}\"}}", "x".repeat(200));
    let text =
        format!("{{\"id\":1,\"name\":\"a\"}}\r\n\nno json\n{long}\n{{\"id\":2}}\n{{\"id\":3}}");
    // In pieces, as a network has it.
    for piece in text.as_bytes().chunks(7) {
        server.write_all(piece).unwrap();
        server.flush().unwrap();
    }
    drop(server);
    input.until("the end", |input| input.ended);
    assert_eq!(input.rows(), ["1|a", "2|NULL", "3|NULL"]);
    let dead: Vec<_> = input.dead.iter().map(|d| (d.position.clone(), d.bytes.len())).collect();
    assert_eq!(dead.len(), 2);
    assert!(dead[0].0.ends_with("line 3") && dead[1].0.ends_with("line 4"), "{dead:?}");
    assert_eq!(input.dead[0].bytes, b"no json");
    assert_eq!((dead[1].1, input.dead[1].reason.contains("longer than 100 bytes")), (100, true));
    assert_eq!(input.reader.position(), serde_json::json!({ "lines": 6 }));
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut input = Input::open(&table(&listener, &[]));
    for round in 0..5 {
        let mut server = accept(&listener, &mut input);
        writeln!(server, "{{\"id\":{round}}}").unwrap();
        input.until("a row", |input| input.rows().len() == round + 1);
        server.shutdown(Shutdown::Both).unwrap();
    }
    assert!(!input.ended);
    // A server that is not there at all is asked until it is.
    let address = listener.local_addr().unwrap();
    drop(listener);
    let until = Instant::now() + Duration::from_millis(200);
    input.until("a pause", |_| Instant::now() > until);
    let listener = TcpListener::bind(address).unwrap();
    let mut server = accept(&listener, &mut input);
    writeln!(server, "{{\"id\":5}}").unwrap();
    input.until("a row", |input| input.rows().len() == 6);
    let position = input.reader.position();
    let mut later = Input::open(&table(&listener, &[]));
    later.reader.seek(&position).unwrap();
    assert_eq!(later.reader.position(), position);
    assert!(later.reader.seek(&serde_json::json!({ "offset": 1 })).is_err());
}

#[test]
fn other_formats_and_delimiters_are_read_as_flink_has_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = [
        ("connector", "socket"),
        ("format", "csv"),
        ("byte-delimiter", "0"),
        ("scan.on-close", "end"),
    ];
    let mut input = Input::open(&table(&listener, &options));
    let mut server = accept(&listener, &mut input);
    server.write_all(b"1,\"a\nb\"\x002,c\0").unwrap();
    drop(server);
    input.until("the end", |input| input.ended);
    assert_eq!(input.rows(), ["1|a\nb", "2|c"]);
}

#[test]
fn a_reader_that_does_not_keep_up_holds_the_server_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut input = Input::open(&table(&listener, &[("scan.on-close", "end")]));
    let mut server = accept(&listener, &mut input);
    const ROWS: usize = 300_000;
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let writer = std::thread::spawn(move || {
        let name = "y".repeat(100);
        for id in 0..ROWS {
            writeln!(server, "{{\"id\":{id},\"name\":\"{name}\"}}").unwrap();
            counter.store(id, std::sync::atomic::Ordering::Relaxed);
        }
    });
    // Nobody polls: the server stops before it has sent everything.
    let mut last = 0;
    let since = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(150));
        let now = sent.load(std::sync::atomic::Ordering::Relaxed);
        if now == last && now > 0 {
            break;
        }
        last = now;
        assert!(since.elapsed() < PATIENCE);
    }
    assert!(last < ROWS - 1, "all of {ROWS} rows were taken");
    let mut rows = 0;
    while !input.ended {
        input.poll();
        rows += input.deltas.drain(..).map(|d| d.num_rows()).sum::<usize>();
        assert!(since.elapsed() < PATIENCE);
    }
    writer.join().unwrap();
    assert_eq!(rows, ROWS);
}

#[test]
fn options_are_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (name, value) in [
        ("port", "0"),
        ("port", "70000"),
        ("hostname", " "),
        ("format", "parquet"),
        ("byte-delimiter", "256"),
        ("scan.on-close", "stop"),
        ("path", "x"),
    ] {
        let spec = table(&listener, &[(name, value)]);
        assert!(rialto_connectors::validate(&spec).is_err(), "{name} = {value}");
    }
    let spec = table(&listener, &[("format", "csv"), ("csv.header", "true")]);
    assert!(rialto_connectors::validate(&spec).is_err());
    assert!(rialto_connectors::validate(&table(&listener, &[("format", "raw")])).is_err());
    assert!(rialto_connectors::sink(&table(&listener, &[]), &Environment::new(".")).is_err());
}
