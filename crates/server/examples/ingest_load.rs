//! Sends events to a running `rialto run --serve` as fast as it takes them, and says how fast.
//!
//! ```text
//! ingest_load ADDR TABLE ROWS [CONNECTIONS] [BATCH]
//! ```
//!
//! Each connection sends its batches one after the other, as a cash desk or a collector does; a row
//! counts when the answer that it is durable has come. `bench/ingest/run.py` starts all parts.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String, String> {
    let [address, table, rows, rest @ ..] = arguments else {
        return Err("usage: ingest_load ADDR TABLE ROWS [CONNECTIONS] [BATCH]".into());
    };
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("'{text}' is no number"));
    let rows = number(rows)?;
    let connections = rest.first().map_or(Ok(8), |n| number(n))?.max(1);
    let batch = rest.get(1).map_or(Ok(500), |n| number(n))?.max(1);
    let batches = rows.div_ceil(batch * connections).max(1);
    let run = std::process::id();
    let started = Instant::now();
    let results: Vec<Result<Vec<Duration>, String>> = std::thread::scope(|scope| {
        let send = |connection: usize| {
            let prefix = format!("{run}-{connection}");
            scope.spawn(move || send_all(address, table, &prefix, batches, batch))
        };
        let threads: Vec<_> = (0..connections).map(send).collect();
        let broke = || Err("a connection's thread broke off".to_owned());
        threads.into_iter().map(|t| t.join().unwrap_or_else(|_| broke())).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut latencies: Vec<Duration> = Vec::new();
    for result in results {
        latencies.extend(result?);
    }
    latencies.sort_unstable();
    let rows = latencies.len() * batch;
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        latencies[place.min(latencies.len() - 1)].as_secs_f64() * 1000.0
    };
    Ok(format!(
        "{{\"rows\": {rows}, \"seconds\": {seconds:.2}, \"rows_per_second\": {:.0}, \
         \"connections\": {connections}, \"batch\": {batch}, \
         \"p50_ms\": {:.1}, \"p99_ms\": {:.1}}}",
        rows as f64 / seconds,
        at(0.5),
        at(0.99),
    ))
}

/// Sends batches over one connection; answers how long each took.
fn send_all(
    address: &str,
    table: &str,
    prefix: &str,
    batches: usize,
    batch: usize,
) -> Result<Vec<Duration>, String> {
    let failed = |e: std::io::Error| format!("{address}: {e}");
    let stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let mut reader = BufReader::new(stream.try_clone().map_err(failed)?);
    let mut stream = stream;
    let mut latencies = Vec::with_capacity(batches);
    let (mut body, mut request) = (String::new(), Vec::new());
    for number in 0..batches {
        body.clear();
        for row in 0..batch {
            let n = number * batch + row;
            let (second, store, sku) = (n / 50 % 60, n % 40, n * 7919 % 5000);
            let _ = writeln!(
                body,
                "{{\"event_id\":\"{prefix}-{n}\",\"ts\":\"2026-03-02 10:15:{second:02}.000\",\
                 \"store\":{store},\"sku\":\"S{sku:05}\",\"qty\":{},\"price\":{}.{:02}}}",
                n % 5 + 1,
                n % 90,
                n % 100,
            );
        }
        request.clear();
        let length = body.len();
        let _ = write!(
            request,
            "POST /v1/events/{table} HTTP/1.1\r\nhost: {address}\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let started = Instant::now();
        stream.write_all(&request).map_err(failed)?;
        let answer = read_answer(&mut reader).map_err(failed)?;
        latencies.push(started.elapsed());
        let expected = format!("{{\"accepted\":{batch},\"duplicates\":0}}");
        if answer.1.trim() != expected {
            return Err(format!("batch {number}: {} {}", answer.0, answer.1.trim()));
        }
    }
    Ok(latencies)
}

/// The status line and the body of an answer.
fn read_answer(reader: &mut impl BufRead) -> std::io::Result<(String, String)> {
    let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut status)?;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the server has closed the connection"));
        }
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status.trim().to_owned(), String::from_utf8_lossy(&body).into_owned()))
}
