//! What goes wrong with brokers, topics and records.

use std::time::{Duration, Instant};

use arrow::datatypes::DataType::{Int64, Utf8};
use rdkafka::producer::{BaseRecord, Producer};

use crate::broker::{broker, up};
use crate::table::{Input, PATIENCE, SpecExt, table};

#[test]
fn a_broker_that_restarts_costs_no_row() {
    let Some(_) = broker() else { return };
    let Some(broker) = up() else { return };
    let topic = broker.topic(2, &[]);
    broker.write(&topic, 0, &["{\"n\": 1}"]);
    let spec = table(&broker, &topic, &[("n", Int64)]);
    let mut input = Input::open(&spec, 1);
    input.until(1);
    broker.stop();
    for _ in 0..20 {
        assert_eq!(input.poll(100).unwrap(), 0);
        std::thread::sleep(Duration::from_millis(20));
    }
    broker.start();
    broker.write(&topic, 1, &["{\"n\": 2}", "{\"n\": 3}"]);
    assert_eq!(input.until(3).net(), ["1", "2", "3"]);
    drop(input);
    broker.stop();
    let hasty = spec.option_set("properties.default.api.timeout.ms", "500");
    let error = Input::try_open(&hasty, 1).err().unwrap().to_string();
    assert!(error.contains("no broker answers"), "{error}");
}

#[test]
fn offsets_that_are_gone_stop_the_table() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let values: Vec<String> = (0..20).map(|n| format!("{{\"n\": {n}}}")).collect();
    broker.write(&topic, 0, &values.iter().map(String::as_str).collect::<Vec<_>>());
    broker.forget(&topic, 0, 15);
    let spec = table(broker, &topic, &[("n", Int64)]);
    // The beginning is what is left.
    assert_eq!(Input::open(&spec.clone().bounded(), 1).to_end().rows(), 5);
    let at = |next: i64| {
        let position = serde_json::json!({&topic: {"0": {"next": next}}});
        Input::resume(&spec, 1, &[position]).failure()
    };
    let error = at(7);
    let expected = format!("offset 7 of {topic}/0 is gone, the earliest that is left is 15");
    assert!(error.contains(&expected), "{error}");
    let error = at(99);
    assert!(error.contains(&format!("offset 99 of {topic}/0 is not there")), "{error}");
    let position = serde_json::json!({&topic: {"5": {"next": 0}}});
    let error = Input::resume(&spec, 1, &[position]).failure();
    assert!(error.contains(&format!("the partition {topic}/5")), "{error}");
}

#[test]
fn a_topic_that_is_deleted_stops_the_table() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    broker.write(&topic, 0, &["{\"n\": 1}"]);
    let mut input = Input::open(&table(broker, &topic, &[("n", Int64)]), 1);
    input.until(1);
    broker.delete(&topic);
    let error = input.failure();
    assert!(error.contains(&topic) && error.contains("deleted"), "{error}");
}

#[test]
fn what_cannot_be_decoded_is_kept_with_its_place() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let deep = "[".repeat(100_000);
    let records: Vec<Vec<u8>> = vec![
        b"{\"n\": 1}".to_vec(),
        b"{\"n\": ".to_vec(),
        b"".to_vec(),
        b"\xef\xbb\xbf{\"n\": 2}".to_vec(),
        b"{\"s\": \"\xff\"}".to_vec(),
        b"{\"n\": 1e400}".to_vec(),
        format!("{{\"n\": {deep}").into_bytes(),
        b"{\"s\": \"a\nb\"}".to_vec(),
        b"{\"n\": 3} {\"n\": 4}".to_vec(),
        b"{\n  \"n\": 5\n}".to_vec(),
        b"{\"n\": 9223372036854775808}".to_vec(),
        b"{\"n\": 6,}".to_vec(),
        b"{\"n\": 7, \"n\": 8}".to_vec(),
    ];
    let producer = broker.producer(&[]);
    for record in &records {
        let record = BaseRecord::<[u8], [u8]>::to(&topic).payload(record);
        producer.send(record).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
    let columns = [("n", Int64), ("s", Utf8)];
    let spec = table(broker, &topic, &columns).bounded();
    let read = Input::open(&spec, 1).to_end();
    assert_eq!(read.in_order(), ["1|NULL", "2|NULL", "5|NULL", "8|NULL"]);
    let places: Vec<&str> = read.dead.iter().map(|d| d.position.as_str()).collect();
    let expected: Vec<String> =
        [1, 2, 4, 5, 6, 7, 8, 10, 11].iter().map(|o| format!("{topic}/0/{o}")).collect();
    assert_eq!(places, expected);
    for dead in &read.dead {
        let offset: usize = dead.position.rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(dead.bytes, records[offset]);
        assert!(!dead.reason.is_empty());
    }
    let ignoring = spec.clone().option_set("json.ignore-parse-errors", "true");
    let ignoring = Input::open(&ignoring.with_metadata("offset", Int64), 1).to_end();
    assert!(ignoring.dead.is_empty());
    assert!(ignoring.in_order().contains(&"5|NULL|9".to_owned()));
    let error = Input::open(&spec.option_set("rialto.on-error", "fail"), 1).failure();
    assert!(error.contains(&format!("{topic}/0/1")), "{error}");
}

#[test]
fn nothing_but_poison_is_read_at_speed_in_flat_memory() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(2, &[]);
    let producer = broker.producer(&[("linger.ms", "20"), ("batch.size", "500000")]);
    let poison = format!("{{\"n\": \"{}", "x".repeat(190));
    let count = 300_000;
    for n in 0..count {
        loop {
            let record = BaseRecord::<[u8], str>::to(&topic).partition(n % 2).payload(&poison);
            match producer.send(record) {
                Ok(()) => break,
                Err(_) => producer.poll(Duration::from_millis(5)),
            }
        }
    }
    producer.flush(Duration::from_secs(30)).unwrap();
    drop(producer);
    let mut input = Input::open(&table(broker, &topic, &[("n", Int64)]), 1);
    let since = Instant::now();
    let (mut dead, mut most) = (0, 0);
    let mut early = 0;
    while dead < count as usize {
        input.poll(1000).unwrap();
        dead += input.dead.len();
        input.dead.clear();
        if dead > 50_000 && early == 0 {
            early = resident_kb();
        }
        most = most.max(resident_kb());
        assert!(since.elapsed() < PATIENCE, "{dead} of {count}");
    }
    let rate = count as f64 / since.elapsed().as_secs_f64();
    eprintln!("{rate:.0} dead letters a second");
    // Beside this test others run; librdkafka fetches at most 64 MiB ahead.
    assert!(most < early + 200_000, "{early} kB, then {most} kB");
    assert_eq!(input.rows(), 0);
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}
