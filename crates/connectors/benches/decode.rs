//! What decoding costs: the seven columns of Nexmark bids from NDJSON in memory.
//!
//! `cargo bench --workspace --bench decode` prints rows and bytes per second of processor time, best
//! and median of some runs. No test: nothing fails when the machine is busy.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use rialto_connectors::TableSpec;
use rialto_connectors::format::json::JsonDecoder;
use rialto_connectors::format::{Decoder, ReadColumns};
use rialto_connectors::options::Options;

const ROWS: usize = 500_000;
const RUNS: usize = 7;

fn main() {
    let input = bids();
    println!("{ROWS} bids, {} bytes a row", input.len() / ROWS);
    for (name, wanted) in [
        ("7 of 7 columns", vec![0, 1, 2, 3, 4, 5, 6]),
        ("5 of 7 columns (q0)", vec![0, 1, 2, 5, 6]),
        ("3 of 7 columns", vec![0, 2, 5]),
    ] {
        let mut seconds: Vec<f64> = (0..RUNS).map(|_| decode(&input, &wanted)).collect();
        seconds.sort_by(f64::total_cmp);
        let rate = |seconds: f64| ROWS as f64 / seconds / 1e6;
        let bytes = input.len() as f64 / seconds[0] / 1e6;
        println!(
            "{name:22} best {:5.2} M rows/s, {bytes:6.0} MB/s; median {:5.2} M rows/s",
            rate(seconds[0]),
            rate(seconds[RUNS / 2]),
        );
    }
}

fn columns() -> Vec<FieldRef> {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    let fields = [
        ("auction", DataType::Int64),
        ("bidder", DataType::Int64),
        ("price", DataType::Int64),
        ("channel", DataType::Utf8),
        ("url", DataType::Utf8),
        ("dateTime", time),
        ("extra", DataType::Utf8),
    ];
    fields.into_iter().map(|(name, t)| Arc::new(Field::new(name, t, true)) as FieldRef).collect()
}

/// Seconds that one pass over the input takes.
fn decode(input: &[u8], wanted: &[usize]) -> f64 {
    let read = ReadColumns { file: columns(), wanted: wanted.to_vec() };
    let spec = TableSpec::new("bid", read.schema(), [("format", "json")]);
    let Ok(mut decoder) = JsonDecoder::from_options(&Options::new(&spec), &read) else {
        unreachable!("all types can be read")
    };
    let (mut at, mut rows, mut bad) = (0, 0, Vec::new());
    let began = cpu_seconds();
    while at < input.len() {
        let taken = decoder.decode(&input[at..], true, 8_192, &mut bad).map_or(0, |p| p.consumed);
        at += taken;
        rows += decoder.finish().map_or(0, |batch| batch.num_rows());
    }
    let seconds = cpu_seconds() - began;
    assert_eq!((rows, bad.len()), (ROWS, 0));
    seconds
}

/// Processor time of this thread so far: a busy machine stretches the clock's time.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: f64 = stat.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(f64::NAN);
    nanos / 1e9
}

/// Bids with the widths and the spread of Nexmark's.
fn bids() -> Vec<u8> {
    let mut state = 88_172_645_463_325_252u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut text = String::new();
    for row in 0..ROWS as u64 {
        let ms = row / 10;
        let channel = match next(8) {
            n @ 0..4 => ["Google", "Facebook", "Baidu", "Apple"][n as usize].to_owned(),
            _ => format!("channel-{}", next(10_000)),
        };
        let word = |next: &mut dyn FnMut(u64) -> u64, len: u64| -> String {
            (0..len).map(|_| char::from(b'a' + next(26) as u8)).collect()
        };
        let path = word(&mut next, 15);
        let len = 60 + next(40);
        let extra = word(&mut next, len);
        let price = 10u64.pow(next(6) as u32 + 1) + next(10);
        text += &format!(
            "{{\"auction\":{},\"bidder\":{},\"price\":{price},\"channel\":\"{channel}\",\
             \"url\":\"https://www.nexmark.com/{path}/item.htm?query=1&channel_id={}\",\
             \"dateTime\":\"2024-01-01 00:{:02}:{:02}.{:03}\",\"extra\":\"{extra}\"}}\n",
            1_000 + row / 16 + next(100),
            1_000 + next(50_000),
            next(1 << 30),
            ms / 60_000 % 60,
            ms / 1_000 % 60,
            ms % 1_000,
        );
    }
    text.into_bytes()
}
