//! How many rows of JSON a CPU second decodes.
//!
//! ```text
//! cargo run --release -p rialto-connectors --example decode_bench [EVENTS]
//! ```
//!
//! Writes Nexmark's bids to a temporary folder and decodes all seven columns, then one, from
//! memory. The time is that of the process's CPU, so that other work on the machine does not count.

use std::fs;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rialto_connectors::TableSpec;
use rialto_connectors::format::json::JsonDecoder;
use rialto_connectors::format::{Decoder, ReadColumns};
use rialto_connectors::nexmark::{Config, write_ndjson};
use rialto_connectors::options::Options;

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;

fn main() {
    let events = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let dir = std::env::temp_dir().join(format!("rialto-decode-bench-{}", std::process::id()));
    let made = cpu_seconds();
    let written = write_ndjson(&dir, events, 1, &Config::default());
    let made = cpu_seconds() - made;
    let text = written.and_then(|_| fs::read(dir.join("bid/part-0.json")));
    let _ = fs::remove_dir_all(&dir);
    let text = match text {
        Ok(text) => text,
        Err(error) => return eprintln!("cannot write or read {}: {error}", dir.display()),
    };
    println!("generate: {:.2} M events per CPU second", events as f64 / made / 1e6);
    let all: Vec<usize> = (0..7).collect();
    for wanted in [all, vec![0, 2], vec![]] {
        let mut best = f64::MAX;
        let mut rows = 0;
        for _ in 0..5 {
            let start = cpu_seconds();
            rows = decode(&text, &wanted);
            best = best.min(cpu_seconds() - start);
        }
        println!(
            "decode {} columns: {:.2} M rows per CPU second ({rows} rows of {} bytes, {:.0} MB/s)",
            wanted.len(),
            rows as f64 / best / 1e6,
            text.len() / rows.max(1),
            text.len() as f64 / best / 1e6,
        );
    }
}

fn decode(text: &[u8], wanted: &[usize]) -> usize {
    let none: [(&str, &str); 0] = [];
    let spec = TableSpec::new("bid", bid(), none);
    let mut columns = ReadColumns::all(&spec.schema);
    columns.wanted = wanted.to_vec();
    let mut decoder = match JsonDecoder::from_options(&Options::new(&spec), &columns) {
        Ok(decoder) => decoder,
        Err(error) => panic!("{error}"),
    };
    let (mut at, mut rows) = (0, 0);
    let mut bad = Vec::new();
    while at < text.len() {
        let step = decoder.decode(&text[at..], true, BATCH_ROWS, &mut bad).expect("no header");
        at += step.consumed;
        rows += decoder.finish().expect("columns of one length").num_rows();
    }
    assert!(bad.is_empty(), "{:?}", bad.first());
    rows
}

fn bid() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("auction", DataType::Int64),
        field("bidder", DataType::Int64),
        field("price", DataType::Int64),
        field("channel", DataType::Utf8),
        field("url", DataType::Utf8),
        field("dateTime", DataType::Timestamp(TimeUnit::Millisecond, None)),
        field("extra", DataType::Utf8),
    ]))
}

/// The CPU time of this process: user and system, in ticks of a hundredth of a second or finer.
fn cpu_seconds() -> f64 {
    // Nanoseconds on the CPU are the first number of this file (Linux).
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.map_or_else(wall_seconds, |n| n / 1e9)
}

fn wall_seconds() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
