//! What is read, and from where on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::AsArray;
use arrow::datatypes::DataType::{Binary, Int32, Int64, Utf8};
use arrow::datatypes::{DataType, Field, Fields};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};

use crate::broker::broker;
use crate::table::{Input, SpecExt, TIMESTAMP_LTZ, of, table};

fn numbers(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|n| format!("{{\"n\": {n}}}")).collect()
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn every_start_mode_finds_its_place() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    broker.write(&topic, 0, &strs(&numbers(0..10)));
    std::thread::sleep(Duration::from_millis(20));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
    std::thread::sleep(Duration::from_millis(20));
    broker.write(&topic, 0, &strs(&numbers(10..20)));
    let columns = [("n", Int64)];
    let from = |settings: &[(&str, &str)]| {
        let mut spec = table(broker, &topic, &columns).bounded();
        for (name, value) in settings {
            spec = spec.option_set(name, value);
        }
        let read = Input::open(&spec, 2).to_end().in_order();
        read.iter().map(|n| n.parse().unwrap()).collect::<Vec<i64>>()
    };
    let mode = "scan.startup.mode";
    assert_eq!(from(&[]), Vec::from_iter(0..20));
    assert!(from(&[(mode, "latest-offset")]).is_empty());
    let millis = [(mode, "timestamp"), ("scan.startup.timestamp-millis", now.as_str())];
    assert_eq!(from(&millis), Vec::from_iter(10..20));
    let late = [(mode, "timestamp"), ("scan.startup.timestamp-millis", "99999999999999")];
    assert!(from(&late).is_empty());
    let offsets = "partition:0,offset:17";
    let specific = [(mode, "specific-offsets"), ("scan.startup.specific-offsets", offsets)];
    assert_eq!(from(&specific), [17, 18, 19]);
    let end = [
        ("scan.bounded.mode", "specific-offsets"),
        ("scan.bounded.specific-offsets", "partition:0,offset:3"),
    ];
    assert_eq!(from(&end), [0, 1, 2]);
    let end = [("scan.bounded.mode", "timestamp"), ("scan.bounded.timestamp-millis", now.as_str())];
    assert_eq!(from(&end), Vec::from_iter(0..10));

    let group = [(mode, "group-offsets"), ("properties.group.id", "places")];
    let spec = group
        .iter()
        .fold(table(broker, &topic, &columns).bounded(), |spec, (k, v)| spec.option_set(k, v));
    let error = Input::open(&spec, 1).failure();
    assert!(error.contains("has committed no offset"), "{error}");
    let reset = [&group[..], &[("properties.auto.offset.reset", "earliest")]].concat();
    assert_eq!(from(&reset), Vec::from_iter(0..20));
    // What was read above was committed when its reader went.
    broker.write(&topic, 0, &strs(&numbers(20..22)));
    let mut read = from(&group);
    for _ in 0..50 {
        if !read.is_empty() && read.len() < 22 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        read = from(&group);
    }
    assert_eq!(read, [20, 21]);
}

#[test]
fn the_latest_offset_is_that_of_the_start() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(2, &[]);
    broker.write(&topic, 0, &["{\"n\": 1}"]);
    let spec =
        table(broker, &topic, &[("n", Int64)]).option_set("scan.startup.mode", "latest-offset");
    let mut input = Input::open(&spec, 1);
    while input.positions()[0].as_object().unwrap().is_empty() {
        input.poll(100).unwrap();
    }
    broker.write(&topic, 0, &["{\"n\": 2}"]);
    broker.write(&topic, 1, &["{\"n\": 3}"]);
    assert_eq!(input.until(2).net(), ["2", "3"]);
}

#[test]
fn metadata_headers_and_keys_stand_beside_the_value() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(2, &[]);
    let producer = broker.producer(&[]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("first") })
        .insert(Header { key: "none", value: None::<&str> })
        .insert(Header { key: "trace", value: Some("last") });
    let record = BaseRecord::to(&topic)
        .partition(1)
        .key("\u{1}\u{2}")
        .payload("{\"n\": 7}")
        .timestamp(1_700_000_000_123)
        .headers(headers);
    producer.send(record).map_err(|(e, _)| e).unwrap();
    let record = BaseRecord::<str, str>::to(&topic).partition(1).payload("{\"n\":\n 8}\n");
    producer.send(record.timestamp(5)).map_err(|(e, _)| e).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();

    let entries =
        Fields::from(vec![Field::new("keys", Utf8, false), Field::new("values", Binary, true)]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    let spec = table(broker, &topic, &[("k_id", DataType::Int16), ("n", Int64)])
        .option_set("key.format", "raw")
        .option_set("key.fields", "k_id")
        .option_set("key.fields-prefix", "k_")
        .option_set("value.fields-include", "EXCEPT_KEY")
        .bounded()
        .with_metadata("topic", Utf8)
        .with_metadata("partition", Int32)
        .with_metadata("offset", Int64)
        .with_metadata("timestamp", TIMESTAMP_LTZ())
        .with_metadata("timestamp-type", Utf8)
        .with_metadata("leader-epoch", Int32)
        .with_metadata("headers", DataType::Map(entries.into(), false));
    let read = Input::open(&spec, 1).to_end();
    assert_eq!(
        read.in_order(),
        [
            format!(
                "258|7|{topic}|1|0|2023-11-14T22:13:20.123Z|CreateTime|0|\
                 {{none: , trace: 6c617374}}"
            ),
            format!("NULL|8|{topic}|1|1|1970-01-01T00:00:00.005Z|CreateTime|0|{{}}"),
        ]
    );
    assert!(read.dead.is_empty());
}

#[test]
fn a_record_may_have_65536_headers() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let producer = broker.producer(&[]);
    let mut headers = OwnedHeaders::new();
    for n in 0..65_536 {
        // Half of them have a name that came before.
        let key = format!("h{}", n % 32_768);
        headers = headers.insert(Header { key: &key, value: Some(&n.to_string()) });
    }
    for (text, headers) in [("{\"n\": 7}", headers.clone()), ("no row", headers)] {
        let record = BaseRecord::<str, str>::to(&topic).payload(text).headers(headers);
        producer.send(record.timestamp(5)).map_err(|(e, _)| e).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
    let entries =
        Fields::from(vec![Field::new("keys", Utf8, false), Field::new("values", Binary, true)]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    let map = DataType::Map(entries.into(), false);
    let spec =
        table(broker, &topic, &[("n", Int64)]).bounded().with_metadata("headers", map.clone());
    let read = Input::open(&spec, 1).to_end();
    let batch = read.deltas[0].batch();
    let lengths: Vec<i32> =
        batch.column(1).as_map().offsets().lengths().map(|n| n as i32).collect();
    assert_eq!(lengths, [32_768]);
    // The last of a name counts: also in what is kept of a record that was refused.
    let values = batch.column(1).as_map().values().as_binary::<i32>().clone();
    assert_eq!(values.value(0), b"32768");
    assert_eq!(read.dead.len(), 1);
    let kept = read.dead[0].beside.as_ref().unwrap();
    let kept = rialto_connectors::beside::column(&kept["headers"], &map).unwrap();
    assert_eq!(kept.as_map().values().as_binary::<i32>(), &values);
    // Where nobody reads them they cost nothing.
    let spec = table(broker, &topic, &[("n", Int64)]).bounded();
    let read = Input::open(&spec, 1).to_end();
    assert_eq!((read.net(), read.dead[0].beside.is_none()), (vec!["7".to_owned()], true));
}

#[test]
fn only_the_columns_of_the_plan_are_read() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    broker.write_keyed(&topic, &[("5", Some("{\"a\": 1, \"b\": \"x\"}"))]);
    let mut spec = table(broker, &topic, &[("a", Int64), ("b", Utf8), ("id", Utf8)])
        .option_set("key.format", "raw")
        .option_set("key.fields", "id")
        .option_set("value.fields-include", "EXCEPT_KEY")
        .bounded();
    spec.projection = Some(vec![2, 1]);
    assert_eq!(Input::open(&spec, 1).to_end().net(), ["5|x"]);
    spec.projection = Some(vec![]);
    let count = Input::open(&spec, 1).to_end();
    assert_eq!((count.rows(), count.deltas[0].batch().num_columns()), (1, 0));
}

#[test]
fn every_codec_of_compression_is_read() {
    let Some(broker) = broker() else { return };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = broker.topic(1, &[]);
        let producer = broker.producer(&[("compression.type", codec), ("linger.ms", "50")]);
        for n in 0..2000 {
            let text = format!("{{\"n\": {n}, \"text\": \"the same again and again\"}}");
            let record = BaseRecord::<[u8], str>::to(&topic).payload(&text);
            producer.send(record).map_err(|(e, _)| e).unwrap();
        }
        producer.flush(Duration::from_secs(10)).unwrap();
        let spec = table(broker, &topic, &[("n", Int64)]).bounded();
        let read = Input::open(&spec, 1).to_end();
        let expected: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        assert_eq!(read.in_order(), expected, "{codec}");
    }
}

#[test]
fn what_was_aborted_is_not_read() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    let producer = broker.producer(&[("transactional.id", "aborts")]);
    producer.init_transactions(Duration::from_secs(20)).unwrap();
    let send = |n: i64| {
        let text = format!("{{\"n\": {n}}}");
        producer.send(BaseRecord::<[u8], str>::to(&topic).payload(&text)).map_err(|(e, _)| e)
    };
    for (n, commit) in [(1, true), (2, false), (3, true), (4, false)] {
        producer.begin_transaction().unwrap();
        send(n).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
        match commit {
            true => producer.commit_transaction(Duration::from_secs(10)).unwrap(),
            false => producer.abort_transaction(Duration::from_secs(10)).unwrap(),
        }
    }
    let spec = table(broker, &topic, &[("n", Int64)]).bounded();
    let read = Input::open(&spec, 1).to_end();
    assert_eq!(read.net(), ["1", "3"]);
    // Eight offsets: four records, four marks of their transactions.
    assert_eq!(read.positions()[0][&topic]["0"]["next"], 8);
    let dirty = spec.option_set("properties.isolation.level", "read_uncommitted");
    assert_eq!(Input::open(&dirty, 1).to_end().net(), ["1", "2", "3", "4"]);

    // One that is not decided yet holds back what comes after it.
    producer.begin_transaction().unwrap();
    send(5).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
    broker.write(&topic, 0, &["{\"n\": 6}"]);
    let mut open = Input::open(&table(broker, &topic, &[("n", Int64)]), 1);
    open.until(2);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(10));
        open.poll(100).unwrap();
    }
    assert_eq!(open.net(), ["1", "3"]);
    producer.commit_transaction(Duration::from_secs(10)).unwrap();
    assert_eq!(open.until(4).net(), ["1", "3", "5", "6"]);
}

#[test]
fn a_restart_goes_on_with_any_number_of_readers() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(3, &[]);
    for partition in 0..3 {
        let base = i64::from(partition) * 100;
        broker.write(&topic, partition, &strs(&numbers(base..base + 50)));
    }
    let spec = table(broker, &topic, &[("n", Int64)]).bounded();
    let mut first = Input::open(&spec, 2);
    while first.rows() < 60 {
        first.poll(7).unwrap();
    }
    let positions = first.positions();
    let before = first.net();
    drop(first);
    // The end is that of the first start.
    broker.write(&topic, 0, &["{\"n\": 1000}"]);
    for readers in [1, 2, 5] {
        let after = Input::resume(&spec, readers, &positions).to_end().net();
        let mut all: Vec<i64> = before.iter().chain(&after).map(|n| n.parse().unwrap()).collect();
        all.sort_unstable();
        let expected: Vec<i64> = (0..50).chain(100..150).chain(200..250).collect();
        assert_eq!(all, expected, "{readers} readers");
    }
}

#[test]
fn a_table_with_a_watermark_has_a_reader_for_each_partition() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(3, &[]);
    for partition in 0..3 {
        broker.write(&topic, partition, &strs(&numbers(0..10)));
    }
    let mut spec = table(broker, &topic, &[("n", Int64)]);
    spec.rowtime = Some("t".into());
    let mut input = Input::open(&spec, 1);
    assert_eq!(input.readers.len(), 3);
    assert_eq!(input.until(30).rows(), 30);
    assert!(input.deltas.len() >= 3, "rows of different partitions are never in one delta");
}

#[test]
fn topics_are_a_list_or_a_pattern_and_new_ones_are_found() {
    let Some(broker) = broker() else { return };
    broker.create("shop-a", 1, &[]);
    broker.create("shop-b", 1, &[]);
    broker.create("workshop-a", 1, &[]);
    for topic in ["shop-a", "shop-b", "workshop-a"] {
        broker.write(topic, 0, &["{\"n\": 1}"]);
    }
    let mut spec = table(broker, "", &[("n", Int64)]).with_metadata("topic", Utf8);
    let list = spec.clone().option_set("topic", "shop-b; workshop-a").bounded();
    assert_eq!(Input::open(&list, 1).to_end().net(), ["1|shop-b", "1|workshop-a"]);
    spec.options.retain(|(name, _)| name != "topic");
    let pattern = spec
        .option_set("topic-pattern", "shop-.*")
        .option_set("scan.topic-partition-discovery.interval", "200 ms");
    let mut input = Input::open(&pattern, 2);
    assert_eq!(input.until(2).net(), ["1|shop-a", "1|shop-b"]);
    // New partitions and new topics are read from their beginnings.
    broker.create("shop-c", 1, &[]);
    broker.write("shop-c", 0, &["{\"n\": 2}"]);
    broker.grow("shop-a", 2);
    broker.write("shop-a", 1, &["{\"n\": 3}"]);
    let all = ["1|shop-a", "1|shop-b", "2|shop-c", "3|shop-a"];
    assert_eq!(input.until(4).net(), all);
    let positions = input.positions();
    drop(input);
    broker.write("shop-c", 0, &["{\"n\": 4}"]);
    assert_eq!(Input::resume(&pattern, 1, &positions).until(1).net(), ["4|shop-c"]);
}

#[test]
fn formats_read_whole_messages() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(1, &[]);
    broker.write(&topic, 0, &["1,\"a\nb\"", "\"2", "3,c\n"]);
    let csv =
        table(broker, &topic, &[("n", Int64), ("s", Utf8)]).option_set("format", "csv").bounded();
    let read = Input::open(&csv, 1).to_end();
    assert_eq!(read.net(), ["1|a\nb", "3|c"]);
    assert_eq!(read.dead[0].position, format!("{topic}/0/1"));
    let raw = of(broker, "kafka", &topic, &[("s", Utf8)])
        .option_set("format", "raw")
        .option_set("scan.startup.mode", "earliest-offset")
        .bounded();
    assert_eq!(Input::open(&raw, 1).to_end().in_order(), ["1,\"a\nb\"", "\"2", "3,c\n"]);

    let topic = broker.topic(1, &[]);
    let records = [
        ("1", Some("{\"op\":\"c\",\"after\":{\"n\":1}}")),
        ("1", Some("{\"op\":\"u\",\n\"before\":{\"n\":1},\"after\":{\"n\":2}}")),
        ("3", Some("{\"op\":\"r\",\"after\":{\"n\":3}}")),
        ("3", Some("{\"op\":\"d\",\"before\":{\"n\":3}}")),
        ("3", None),
    ];
    broker.write_keyed(&topic, &records);
    let changes =
        table(broker, &topic, &[("n", Int64)]).option_set("format", "debezium-json").bounded();
    let read = Input::open(&changes, 1).to_end();
    assert_eq!(read.net(), ["2"]);
    assert!(read.dead.is_empty());
}
