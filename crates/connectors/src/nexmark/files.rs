//! The events as files of JSON, a folder a kind: what the benchmark reads.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::config::Config;
use super::events::{Events, Kind};
use crate::format::json::write_string;
use crate::format::text::{push_padded, write_date};

/// Events that stay together when they are dealt to the part files: one epoch of the standard
/// proportions, so that every file goes through time at the same speed.
const DEALT_EVENTS: u64 = 50;

/// Writes the first `events` events below `dir` as `person/`, `auction/` and `bid/`, each with
/// `parts` files named `part-0.json` and so on, to which epochs of 50 events are dealt in turn.
/// Answers the number of people, auctions and bids.
pub fn write_ndjson(
    dir: &Path,
    events: u64,
    parts: usize,
    config: &Config,
) -> io::Result<[u64; 3]> {
    let parts = parts.max(1);
    let open = |folder: &str| -> io::Result<Vec<BufWriter<File>>> {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder)?;
        (0..parts)
            .map(|part| {
                let file = File::create(folder.join(format!("part-{part}.json")))?;
                Ok(BufWriter::with_capacity(1 << 18, file))
            })
            .collect()
    };
    let mut files = [open("person")?, open("auction")?, open("bid")?];
    let mut made = Events::new(config.clone());
    let mut counts = [0; 3];
    let mut line = Vec::new();
    for number in 0..events {
        let part = (number / DEALT_EVENTS % parts as u64) as usize;
        line.clear();
        let kind = made.make(number);
        let time = made.time(number);
        match kind {
            Kind::Person => write_person(&made, time, &mut line),
            Kind::Auction => write_auction(&made, time, &mut line),
            Kind::Bid => write_bid(&made, time, &mut line),
        }
        line.extend_from_slice(b"}\n");
        counts[kind as usize] += 1;
        files[kind as usize][part].write_all(&line)?;
    }
    for file in files.iter_mut().flatten() {
        file.flush()?;
    }
    Ok(counts)
}

fn write_person(events: &Events, time: i64, out: &mut Vec<u8>) {
    let person = &events.person;
    number("{\"id\":", person.id, out);
    text(",\"name\":", &person.name, out);
    text(",\"emailAddress\":", &person.email, out);
    text(",\"creditCard\":", &person.credit_card, out);
    text(",\"city\":", person.city, out);
    text(",\"state\":", person.state, out);
    moment(",\"dateTime\":", time, out);
    text(",\"extra\":", &person.extra, out);
}

fn write_auction(events: &Events, time: i64, out: &mut Vec<u8>) {
    let auction = &events.auction;
    number("{\"id\":", auction.id, out);
    text(",\"itemName\":", &auction.item, out);
    text(",\"description\":", &auction.description, out);
    number(",\"initialBid\":", auction.initial_bid, out);
    number(",\"reserve\":", auction.reserve, out);
    moment(",\"dateTime\":", time, out);
    moment(",\"expires\":", auction.expires, out);
    number(",\"seller\":", auction.seller, out);
    number(",\"category\":", auction.category, out);
    text(",\"extra\":", &auction.extra, out);
}

fn write_bid(events: &Events, time: i64, out: &mut Vec<u8>) {
    let bid = &events.bid;
    number("{\"auction\":", bid.auction, out);
    number(",\"bidder\":", bid.bidder, out);
    number(",\"price\":", bid.price, out);
    text(",\"channel\":", &bid.channel, out);
    text(",\"url\":", &bid.url, out);
    moment(",\"dateTime\":", time, out);
    text(",\"extra\":", &bid.extra, out);
}

fn number(key: &str, value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    push_padded(out, value, 1);
}

fn text(key: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    write_string(out, value.as_bytes());
}

/// A timestamp that always has its three digits after the point.
fn moment(key: &str, ms: i64, out: &mut Vec<u8>) {
    const DAY: i64 = 86_400_000;
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    write_date(out, i32::try_from(ms.div_euclid(DAY)).unwrap_or(i32::MAX));
    let of_day = ms.rem_euclid(DAY).unsigned_abs();
    for (separator, value, width) in [
        (b' ', of_day / 3_600_000, 2),
        (b':', of_day / 60_000 % 60, 2),
        (b':', of_day / 1000 % 60, 2),
        (b'.', of_day % 1000, 3),
    ] {
        out.push(separator);
        push_padded(out, value, width);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_dealt_in_turn_and_every_line_is_an_object() {
        let dir = tempfile::tempdir().unwrap();
        let counts = write_ndjson(dir.path(), 200, 2, &Config::default()).unwrap();
        assert_eq!(counts, [4, 12, 184]);
        let lines = |name: &str| {
            let text = fs::read_to_string(dir.path().join(name)).unwrap();
            text.lines()
                .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
                .collect::<Vec<_>>()
        };
        let (even, odd) = (lines("person/part-0.json"), lines("person/part-1.json"));
        let ids = |people: &[serde_json::Value]| {
            people.iter().map(|p| p["id"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((ids(&even), ids(&odd)), (vec![1000, 1002], vec![1001, 1003]));
        assert_eq!(even[1]["dateTime"], "2015-07-15 00:00:00.010");
        let bids = lines("bid/part-0.json");
        assert_eq!(bids.len(), 92);
        assert!(bids.iter().all(|b| b.as_object().unwrap().len() == 7));
    }
}
