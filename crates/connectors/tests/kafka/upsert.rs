//! `upsert-kafka`, as a source and as a sink.

use arrow::datatypes::DataType::{Int64, Utf8};
use rialto_connectors::TableSpec;

use crate::broker::{Broker, broker};
use crate::sink::Output;
use crate::table::{Input, SpecExt, of};

fn stock(broker: &Broker, topic: &str) -> TableSpec {
    let columns = [("item", Utf8), ("pieces", Int64)];
    let mut spec = of(broker, "upsert-kafka", topic, &columns)
        .option_set("key.format", "raw")
        .option_set("value.format", "json");
    spec.primary_key = vec!["item".into()];
    spec
}

#[test]
fn the_last_record_of_a_key_is_its_row() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(2, &[]);
    let records = [
        ("a", Some("{\"item\":\"a\",\"pieces\":1}")),
        ("b", Some("{\"item\":\"b\",\"pieces\":5}")),
        ("c", None),
        ("a", Some("{\"item\":\"a\",\"pieces\":2}")),
        ("b", None),
        ("a", Some("{\"item\":\"a\",\"pieces\":")),
    ];
    broker.write_keyed(&topic, &records);
    let spec = stock(broker, &topic);
    let mut input = Input::open(&spec, 2);
    input.until(5);
    while input.dead.is_empty() {
        input.poll(100).unwrap();
    }
    // What cannot be read changes nothing.
    assert_eq!(input.net(), ["a|2"]);
    let positions = input.positions();
    drop(input);
    // A restart takes rows back that it never saw itself.
    let more = [("a", Some("{\"item\":\"a\",\"pieces\":3}")), ("d", None)];
    broker.write_keyed(&topic, &more);
    let mut input = Input::resume(&spec, 1, &positions);
    input.until(2);
    let mut changes: Vec<(String, i64)> = Vec::new();
    for delta in &input.deltas {
        for row in 0..delta.num_rows() {
            changes.push((crate::table::text(delta.batch(), row), delta.weight(row)));
        }
    }
    assert_eq!(changes, [("a|2".to_owned(), -1), ("a|3".to_owned(), 1)]);
}

#[test]
fn what_is_written_is_read_again() {
    let Some(broker) = broker() else { return };
    let topic = broker.topic(3, &[("cleanup.policy", "compact")]);
    let spec = stock(broker, &topic);
    let mut output = Output::open(&spec);
    output.write(&[("a", 1, 1), ("b", 2, 1), ("c", 3, 1)]);
    output.write(&[("a", 1, -1), ("a", 10, 1), ("b", 2, -1), ("c", 3, -1), ("c", 30, 1)]);
    output.write(&[("b", 20, 1), ("c", 30, -1)]);
    output.commit(1);
    let read = Input::open(&spec.clone().bounded(), 2).to_end();
    assert_eq!(read.net(), ["a|10", "b|20"]);
    // Six versions and two tombstones: an update is one record.
    let raw = of(broker, "kafka", &topic, &[("item", Utf8), ("value", Utf8)])
        .option_set("key.format", "raw")
        .option_set("key.fields", "item")
        .option_set("value.format", "raw")
        .option_set("value.fields-include", "EXCEPT_KEY")
        .option_set("scan.startup.mode", "earliest-offset")
        .bounded();
    let read = Input::open(&raw, 1).to_end();
    let gone = read.net().iter().filter(|row| row.ends_with("|NULL")).count();
    assert_eq!((read.rows(), gone), (8, 2));
}
