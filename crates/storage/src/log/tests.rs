//! Tests of the log, over a disk that crashes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::Files;
use crate::testing::{CrashFiles, Fault};

const FOLDER: &str = "/log";

/// A configuration with a clock that the test moves.
fn config(time: &Arc<AtomicI64>) -> Config {
    let time = Arc::clone(time);
    let clock: Clock = Arc::new(move || time.load(Ordering::Relaxed));
    Config { partitions: Some(2), segment_bytes: 1500, clock, ..Config::default() }
}

fn small() -> Config {
    config(&Arc::new(AtomicI64::new(1000)))
}

fn open(files: &CrashFiles, config: Config) -> Result<Arc<Topic>> {
    Topic::open(Arc::new(files.clone()), Path::new(FOLDER), config).map(Arc::new)
}

fn batch(rows: &[(u32, &str)]) -> Batch {
    let mut batch = Batch::default();
    for (partition, value) in rows {
        batch.records.entry(*partition).or_default().push(None, 0, value.as_bytes());
    }
    batch
}

fn write(topic: &Topic, batch: Batch) -> Result<Appended> {
    let ticket = topic.append(batch, Pressure::Wait)?;
    topic.wait(&ticket)
}

/// All records that can be read from the given offsets on: partition, offset, value.
fn read_from(topic: &Arc<Topic>, next: &[(u32, u64)]) -> Result<Vec<(u32, u64, String)>> {
    let wanted: BTreeMap<u32, u64> = next.iter().copied().collect();
    let mut reader = LogReader::new(Arc::clone(topic), wanted.clone());
    let mut found = Vec::new();
    while let Some(block) = reader.next()? {
        for (at, range) in block.ranges().into_iter().enumerate() {
            let offset = block.first + at as u64;
            if offset >= wanted[&block.partition] {
                let value = String::from_utf8_lossy(&block.values[range]).into_owned();
                found.push((block.partition, offset, value));
            }
        }
    }
    Ok(found)
}

fn read(topic: &Arc<Topic>) -> Result<Vec<(u32, u64, String)>> {
    read_from(topic, &[(0, 0), (1, 0)])
}

#[test]
fn what_is_written_is_read_from_any_offset() {
    let files = CrashFiles::new();
    let topic = open(&files, small()).unwrap();
    let mut expected = Vec::new();
    for n in 0..200 {
        let values = [format!("a{n}"), format!("b{n}"), format!("c{n}")];
        let rows = [(0, values[0].as_str()), (1, &values[1]), (0, &values[2])];
        let appended = write(&topic, batch(&rows)).unwrap();
        assert_eq!(appended.first, [(0, 2 * n), (1, n)]);
        expected.push((0, 2 * n, values[0].clone()));
        expected.push((0, 2 * n + 1, values[2].clone()));
        expected.push((1, n, values[1].clone()));
    }
    assert!(files.list(Path::new(FOLDER)).unwrap().len() > 10, "there are several segments");
    assert_eq!(read(&topic).unwrap(), expected);
    drop(topic);
    let topic = open(&files, small()).unwrap();
    for (zero, one) in [(0, 0), (1, 0), (399, 3), (400, 200), (17, 200), (250, 125)] {
        let wanted = |(p, o, _): &&(u32, u64, String)| *o >= if *p == 0 { zero } else { one };
        let rest: Vec<_> = expected.iter().filter(wanted).cloned().collect();
        assert_eq!(read_from(&topic, &[(0, zero), (1, one)]).unwrap(), rest);
    }
    let only = read_from(&topic, &[(1, 150)]).unwrap();
    assert_eq!((only.len(), &only[0]), (50, &(1, 150, "b150".to_owned())));
    let error = read_from(&topic, &[(0, 401)]).unwrap_err();
    assert!(error.to_string().contains("offset 401 of partition 0"), "{error}");
    assert_eq!(topic.end().unwrap(), [400, 200]);
}

#[test]
fn one_fsync_acknowledges_all_that_wait() {
    let files = CrashFiles::new();
    let topic = open(&files, Config { segment_bytes: 1 << 20, ..small() }).unwrap();
    topic.open_for_writing().unwrap();
    let before = files.syncs();
    let tickets: Vec<_> = (0..10)
        .map(|n| topic.append(batch(&[(0, &format!("v{n}"))]), Pressure::Refuse).unwrap())
        .collect();
    assert!(topic.queued_bytes() > 0);
    for (n, ticket) in tickets.iter().enumerate() {
        assert_eq!(topic.wait(ticket).unwrap().first, [(0, n as u64)]);
    }
    assert_eq!(files.syncs() - before, 1);
    assert_eq!(topic.queued_bytes(), 0);
}

#[test]
fn many_threads_write_and_each_batch_is_there_once_and_whole() {
    let files = CrashFiles::new();
    let topic = open(&files, Config { queue_bytes_max: 2000, ..small() }).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let topic = &topic;
            scope.spawn(move || {
                for n in 0..50 {
                    let value = format!("{thread}-{n}");
                    write(topic, batch(&[(0, &value), (1, &value), (0, &value)])).unwrap();
                }
            });
        }
    });
    let found = read(&topic).unwrap();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    found.iter().for_each(|(_, _, value)| *counts.entry(value).or_default() += 1);
    assert_eq!(counts.len(), 400);
    assert!(counts.values().all(|&n| n == 3));
    for thread in 0..8 {
        let prefix = format!("{thread}-");
        let of_thread = found.iter().filter(|(p, _, v)| *p == 1 && v.starts_with(&prefix));
        let order: Vec<u32> = of_thread.map(|(_, _, v)| v[2..].parse().unwrap()).collect();
        assert_eq!(order, (0..50).collect::<Vec<_>>(), "a producer's batches keep their order");
    }
}

#[test]
fn too_much_that_waits_is_refused() {
    let files = CrashFiles::new();
    let topic = open(&files, Config { queue_bytes_max: 300, ..small() }).unwrap();
    let first = topic.append(batch(&[(0, "x")]), Pressure::Refuse).unwrap();
    let second = topic.append(batch(&[(0, &"y".repeat(400))]), Pressure::Refuse);
    assert!(matches!(second, Err(LogError::Busy { .. })), "{second:?}");
    topic.wait(&first).unwrap();
    write(&topic, batch(&[(0, &"y".repeat(400))])).unwrap();
}

#[test]
fn a_failed_fsync_ends_all_writing_and_no_reader_sees_what_it_lost() {
    let files = CrashFiles::new();
    let topic = open(&files, small()).unwrap();
    let other = open(&files, small()).unwrap();
    write(&topic, batch(&[(0, "durable")])).unwrap();
    files.fail(1, Fault::Eio);
    let error = write(&topic, batch(&[(0, "lost")])).unwrap_err();
    assert!(matches!(error, LogError::Poisoned { .. }), "{error}");
    let calls = files.calls();
    let again = write(&topic, batch(&[(0, "later")])).unwrap_err();
    assert!(matches!(again, LogError::Poisoned { .. }), "{again}");
    assert_eq!(files.calls(), calls, "the disk is not asked again");
    for topic in [&topic, &other] {
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert_eq!(read(topic).unwrap(), [(0, 0, "durable".to_owned())]);
    }
}

#[test]
fn a_full_disk_refuses_a_batch_and_takes_the_next() {
    let files = CrashFiles::new();
    let topic = open(&files, small()).unwrap();
    write(&topic, batch(&[(0, "one")])).unwrap();
    files.fail(0, Fault::ShortWrite);
    let error = write(&topic, batch(&[(0, "two")])).unwrap_err();
    assert!(matches!(&error, LogError::Storage(e) if e.is_full()), "{error}");
    assert_eq!(write(&topic, batch(&[(0, "three")])).unwrap().first, [(0, 1)]);
    let values: Vec<_> = read(&topic).unwrap().into_iter().map(|(_, _, v)| v).collect();
    assert_eq!(values, ["one", "three"]);
}

#[test]
fn another_process_reads_what_is_durable_and_cannot_write() {
    let files = CrashFiles::new();
    let writer = open(&files, small()).unwrap();
    write(&writer, batch(&[(0, "one")])).unwrap();
    let reader = open(&files, small()).unwrap();
    assert_eq!(read(&reader).unwrap().len(), 1);
    let error = reader.open_for_writing().unwrap_err();
    assert!(matches!(error, LogError::Locked { .. }), "{error}");
    for n in 0..50 {
        write(&writer, batch(&[(n % 2, &"x".repeat(100))])).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(10));
    assert_eq!(read(&reader).unwrap(), read(&writer).unwrap());
    drop(writer);
    reader.open_for_writing().unwrap();
    write(&reader, batch(&[(0, "mine")])).unwrap();
    assert_eq!(reader.end().unwrap(), [27, 25]);
}

#[test]
fn retention_deletes_whole_segments_and_a_reader_behind_is_told() {
    let files = CrashFiles::new();
    let time = Arc::new(AtomicI64::new(0));
    let kept = Config { retention_ms: Some(500), ..config(&time) };
    let topic = open(&files, kept).unwrap();
    let mut slow = LogReader::new(Arc::clone(&topic), BTreeMap::from([(0, 0)]));
    for n in 0..100 {
        time.store(n * 10, Ordering::Relaxed);
        write(&topic, batch(&[(0, &"x".repeat(100))])).unwrap();
        if n == 0 {
            assert!(slow.next().unwrap().is_some());
        }
    }
    let earliest = topic.earliest().unwrap()[0];
    assert!((30..=50).contains(&earliest), "the records of the last 500 ms are there: {earliest}");
    assert_eq!(read_from(&topic, &[(0, earliest)]).unwrap().len() as u64, 100 - earliest);
    let expected = format!("offset 1 of partition 0 of the log {FOLDER} is gone, earliest is");
    let error = slow.next().unwrap_err();
    assert!(error.to_string().starts_with(&expected), "{error}");

    let sized = Config { retention_bytes: Some(4000), retention_ms: None, ..config(&time) };
    drop((topic, slow));
    let topic = open(&files, sized).unwrap();
    write(&topic, batch(&[(0, "last")])).unwrap();
    let entries = files.list(Path::new(FOLDER)).unwrap();
    let logs = entries.iter().filter(|e| e.name.ends_with(".log"));
    let bytes: u64 = logs.map(|e| files.len(&Path::new(FOLDER).join(&e.name)).unwrap()).sum();
    assert!(bytes <= 4000 + 1500, "{bytes}");
}

#[test]
fn offsets_are_found_by_time() {
    let files = CrashFiles::new();
    let time = Arc::new(AtomicI64::new(0));
    let topic = open(&files, config(&time)).unwrap();
    for n in 0..100i64 {
        time.store(n * 10, Ordering::Relaxed);
        write(&topic, batch(&[((n % 2) as u32, &"x".repeat(90))])).unwrap();
    }
    for (at, expected) in [(0, [0, 0]), (1, [1, 0]), (500, [25, 25]), (995, [50, 50])] {
        assert_eq!(topic.offsets_at(at).unwrap(), expected, "at {at}");
    }
}

#[test]
fn an_event_is_taken_once_within_the_window_also_after_a_restart() {
    let files = CrashFiles::new();
    let time = Arc::new(AtomicI64::new(0));
    let window = Some(IdWindow { milliseconds: 1000, count_max: 1000 });
    let kept = || Config { ids: window, ..config(&time) };
    let send = |topic: &Topic, events: &[&str]| {
        let ids: Vec<u128> = events.iter().map(|e| id_of(e.as_bytes())).collect();
        let ticket = topic.append_unique(100, &ids, Pressure::Refuse, |keep| {
            let mut batch = Batch::default();
            for ((event, id), _) in events.iter().zip(&ids).zip(keep).filter(|(_, k)| **k) {
                batch.records.entry(0).or_default().push(None, *id, event.as_bytes());
            }
            batch
        });
        let ticket = ticket?;
        topic.wait(&ticket).map(|_| ticket.duplicates)
    };
    let topic = open(&files, kept()).unwrap();
    topic.open_for_writing().unwrap();
    assert_eq!(send(&topic, &["a", "b", "a"]).unwrap(), 1);
    assert_eq!(send(&topic, &["b", "c"]).unwrap(), 1);
    files.fail(0, Fault::Enospc);
    assert!(send(&topic, &["d"]).is_err());
    assert_eq!(send(&topic, &["d"]).unwrap(), 0, "what failed was not taken");
    drop(topic);
    files.crash(3);
    let topic = open(&files, kept()).unwrap();
    topic.open_for_writing().unwrap();
    assert_eq!(send(&topic, &["a", "c", "d", "e"]).unwrap(), 3);
    time.store(5000, Ordering::Relaxed);
    assert_eq!(send(&topic, &["a"]).unwrap(), 0, "the window is over");
    let values: Vec<_> = read(&topic).unwrap().into_iter().map(|(_, _, v)| v).collect();
    assert_eq!(values, ["a", "b", "c", "d", "e", "a"]);
}

#[test]
fn a_producers_repetition_is_recognised_after_segments_and_restarts() {
    let files = CrashFiles::new();
    let topic = open(&files, small()).unwrap();
    let of = |epoch, part| Batch {
        producer: Producer { id: [7; 16], epoch, part },
        ..batch(&[(0, "row")])
    };
    assert!(!write(&topic, of(1, 0)).unwrap().repeated);
    assert!(!write(&topic, of(1, 1)).unwrap().repeated);
    assert!(write(&topic, of(1, 0)).unwrap().repeated);
    for _ in 0..50 {
        write(&topic, batch(&[(1, &"x".repeat(100))])).unwrap();
    }
    drop(topic);
    let topic = open(&files, small()).unwrap();
    assert!(write(&topic, of(1, 1)).unwrap().repeated);
    assert!(!write(&topic, of(2, 0)).unwrap().repeated);
    assert_eq!(read_from(&topic, &[(0, 0)]).unwrap().len(), 3);
}

#[test]
fn damage_within_what_was_acknowledged_is_told_and_never_cut_off() {
    let files = CrashFiles::new();
    let topic = open(&files, Config { segment_bytes: 1 << 20, ..small() }).unwrap();
    for n in 0..10 {
        write(&topic, batch(&[(0, &format!("value {n}"))])).unwrap();
    }
    drop(topic);
    let path = Path::new(FOLDER).join("00000000000000000000.log");
    let mut bytes = files.read(&path).unwrap();
    let at = bytes.len() - 200;
    bytes[at] ^= 1;
    files.remove(&path).unwrap();
    files.create(&path).unwrap().write(&bytes).unwrap();
    let error = open(&files, small()).unwrap_err();
    assert!(error.to_string().contains("is damaged at byte"), "{error}");
    // The user may say that the loss is accepted.
    files.remove(&Path::new(FOLDER).join("end")).unwrap();
    let topic = open(&files, small()).unwrap();
    let left = read(&topic).unwrap().len();
    assert!((1..10).contains(&left), "{left}");
}

#[test]
fn keys_and_values_with_line_ends_come_back() {
    let files = CrashFiles::new();
    let topic = open(&files, small()).unwrap();
    let mut records = Records::default();
    records.push(Some(b"k1"), 0, b"two\nlines");
    records.push(None, 5, b"");
    records.push(Some(b""), 0, b"end");
    let records = BTreeMap::from([(1, records)]);
    write(&topic, Batch { records, producer: Producer::default() }).unwrap();
    let mut reader = LogReader::new(topic, BTreeMap::from([(1, 0)]));
    let block = reader.next().unwrap().unwrap();
    assert!(!block.is_lines());
    assert_eq!(block.keys(), [Some(&b"k1"[..]), None, Some(b"")]);
    let values: Vec<&[u8]> = block.ranges().into_iter().map(|r| &block.values[r]).collect();
    assert_eq!(values, [&b"two\nlines"[..], b"", b"end"]);
    assert_eq!(block.time, 1000);
}

/// What is done to a log.
#[derive(Debug, Clone)]
enum Step {
    Write { rows: usize, len: usize },
    Fail { after: u64, fault: Fault },
    Crash { seed: u64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        Just(Fault::Eio),
        Just(Fault::Enospc),
        Just(Fault::ShortWrite),
        Just(Fault::PowerOff)
    ];
    prop_oneof![
        8 => (1..5usize, 0..400usize).prop_map(|(rows, len)| Step::Write { rows, len }),
        2 => (0..14u64, fault).prop_map(|(after, fault)| Step::Fail { after, fault }),
        2 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
        1 => Just(Step::Reopen),
    ]
}

/// What was sent, whether it was acknowledged, and what a reader has seen.
#[derive(Debug, Default)]
struct Model {
    sent: Vec<(Vec<(u32, String)>, bool)>,
    seen: BTreeMap<(u32, u64), String>,
}

impl Model {
    /// Everything that can be read: all that was acknowledged, in order, batches whole, and what
    /// was seen before at the same offsets.
    fn check(&mut self, topic: &Arc<Topic>) -> Result<(), TestCaseError> {
        let found = read(topic).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let now: BTreeMap<(u32, u64), String> =
            found.iter().map(|(p, o, v)| ((*p, *o), v.clone())).collect();
        for (place, value) in &self.seen {
            prop_assert_eq!(now.get(place), Some(value), "at {:?}", place);
        }
        let mut next = [0, 0];
        for (rows, acknowledged) in &self.sent {
            let mut after = next;
            let is_there = rows.iter().all(|(partition, value)| {
                let offset = after[*partition as usize];
                after[*partition as usize] += 1;
                now.get(&(*partition, offset)) == Some(value)
            });
            if is_there {
                next = after;
            } else {
                prop_assert!(!acknowledged, "lost: {rows:?}");
            }
        }
        prop_assert_eq!(next.iter().sum::<u64>(), now.len() as u64, "more than whole batches");
        // What was not taken will never be.
        let mut at = [0, 0];
        self.sent.retain(|(rows, _)| {
            let mut after = at;
            let is_there = rows.iter().all(|(partition, value)| {
                let offset = after[*partition as usize];
                after[*partition as usize] += 1;
                now.get(&(*partition, offset)) == Some(value)
            });
            if is_there {
                at = after;
            }
            is_there
        });
        self.sent.iter_mut().for_each(|(_, acknowledged)| *acknowledged = true);
        self.seen = now;
        Ok(())
    }
}

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let files = CrashFiles::new();
    let failed = |e: LogError| TestCaseError::fail(e.to_string());
    let mut model = Model::default();
    let mut topic = open(&files, small()).map_err(failed)?;
    let mut poisoned = false;
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Write { rows, len } => {
                let row = |n| {
                    let value = format!("{at}-{n}-{}", "x".repeat(len * n));
                    (((at + n) % 2) as u32, value)
                };
                // Batches list the rows of a partition together.
                let mut rows: Vec<(u32, String)> = (0..*rows).map(row).collect();
                rows.sort_by_key(|(partition, _)| *partition);
                let each: Vec<_> = rows.iter().map(|(p, v)| (*p, v.as_str())).collect();
                let result = write(&topic, batch(&each));
                prop_assert!(!(poisoned && result.is_ok()), "a poisoned log took something");
                poisoned |= matches!(result, Err(LogError::Poisoned { .. }));
                model.sent.push((rows, result.is_ok()));
            }
            Step::Fail { after, fault } => files.fail(*after, *fault),
            Step::Crash { seed } => {
                drop(topic);
                files.crash(seed.wrapping_add(at as u64));
                topic = open(&files, small()).map_err(failed)?;
                poisoned = false;
                model.check(&topic)?;
            }
            Step::Reopen => {
                drop(topic);
                // A fault may hit the opening; the power failing helps.
                topic = match open(&files, small()) {
                    Ok(topic) => topic,
                    Err(_) => {
                        files.crash(at as u64);
                        open(&files, small()).map_err(failed)?
                    }
                };
                poisoned = false;
                model.check(&topic)?;
            }
        }
    }
    drop(topic);
    files.crash(steps.len() as u64);
    let topic = open(&files, small()).map_err(failed)?;
    model.check(&topic)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn what_was_acknowledged_survives_every_crash(
        steps in proptest::collection::vec(step(), 1..30)
    ) {
        run(&steps)?;
    }
}
