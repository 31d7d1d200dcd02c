//! What is read, and how often.

use std::collections::BTreeMap;

use arrow::datatypes::DataType::{Decimal128, Int32, Int64, Timestamp, Utf8};
use arrow::datatypes::TimeUnit;
use rialto_connectors::TableSpec;

use crate::server::{Input, Server, server, set};

/// A table of so many rows.
fn filled(server: &Server, key: &str, rows: u32) -> (String, TableSpec) {
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (id bigint {key}, name text); \
         INSERT INTO {name} SELECT n, 'name ' || n FROM generate_series(1, {rows}) n"
    ));
    let spec = server.table(&name, &[("id", Int64), ("name", Utf8)], 0);
    (name, spec)
}

fn once(input: &Input, rows: usize) {
    let counted = input.counted();
    assert_eq!(counted.len(), rows);
    let more: BTreeMap<_, _> = counted.iter().filter(|(_, count)| **count != 1).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn a_table_is_read_once_in_the_order_of_its_key() {
    let Some(server) = server() else { return };
    let (_, spec) = filled(server, "PRIMARY KEY", 20_000);
    let input = Input::open(&spec, 4).to_end();
    assert_eq!(input.readers.len(), 1);
    once(&input, 20_000);
    assert_eq!(input.in_order()[..2], ["1|name 1", "2|name 2"]);
    assert!(input.dead.is_empty());
}

#[test]
fn only_the_columns_that_are_asked_for_are_read() {
    let Some(server) = server() else { return };
    let (_, mut spec) = filled(server, "PRIMARY KEY", 3);
    spec.projection = Some(vec![1]);
    assert_eq!(Input::open(&spec, 1).to_end().in_order(), ["name 1", "name 2", "name 3"]);
    spec.projection = Some(vec![]);
    let input = Input::open(&spec, 1).to_end();
    assert_eq!((input.rows(), input.deltas[0].batch().num_columns()), (3, 0));
}

#[test]
fn reading_goes_on_behind_the_last_row_that_was_given() {
    let Some(server) = server() else { return };
    let name = server.name();
    // A key of two columns, one of which is not read, in an order that is not that of the columns.
    server.sql(&format!(
        "CREATE TABLE {name} (n int, at timestamp, id numeric(10, 2), PRIMARY KEY (id, at)); \
         INSERT INTO {name} SELECT n, timestamp '2024-01-01' + (n % 7) * interval '1.5 s', \
         (n / 7) + 0.25 FROM generate_series(1, 5000) n"
    ));
    let spec = server.table(&name, &[("n", Int32), ("id", Decimal128(10, 2))], 0);
    let spec = set(spec, "scan.fetch-size", "100");
    for stop in [1, 99, 100, 101, 2345, 5000] {
        let mut first = Input::open(&spec, 1);
        first.until(stop, 37);
        let positions = first.positions();
        let given = first.rows();
        let mut second = Input::resume(&spec, 1, &positions).unwrap();
        second.try_to_end().unwrap();
        assert_eq!(given + second.rows(), 5000, "after {given}");
        first.deltas.append(&mut second.deltas);
        once(&first, 5000);
    }
    let ended = Input::open(&spec, 1).to_end();
    let again = Input::resume(&spec, 1, &ended.positions()).unwrap().to_end();
    assert_eq!(again.rows(), 0);
}

#[test]
fn a_table_without_a_key_is_not_read_on_from_the_middle() {
    let Some(server) = server() else { return };
    // Nulls have no order: a unique index over a column that may be null is not one to go on by.
    let (_, spec) = filled(server, "UNIQUE", 5000);
    let untouched = Input::open(&spec, 1).positions();
    let mut input = Input::open(&spec, 1);
    input.until(10, 10);
    let error = Input::resume(&spec, 1, &input.positions()).err().unwrap().to_string();
    assert!(error.contains("has no primary key"), "{error}");
    input.try_to_end().unwrap();
    once(&input, 5000);
    assert_eq!(Input::resume(&spec, 1, &input.positions()).unwrap().to_end().rows(), 0);
    assert_eq!(Input::resume(&spec, 1, &untouched).unwrap().to_end().rows(), 5000);
}

#[test]
fn a_unique_index_over_what_is_never_null_is_as_good_as_a_key() {
    let Some(server) = server() else { return };
    let (_, spec) = filled(server, "UNIQUE NOT NULL", 5000);
    let mut first = Input::open(&spec, 1);
    first.until(1234, 10);
    let mut second = Input::resume(&spec, 1, &first.positions()).unwrap().to_end();
    first.deltas.append(&mut second.deltas);
    once(&first, 5000);
}

#[test]
fn parts_are_read_by_several_readers_and_by_another_number_later() {
    let Some(server) = server() else { return };
    let (_, spec) = filled(server, "PRIMARY KEY", 10_000);
    let options = [
        ("scan.partition.column", "id"),
        ("scan.partition.num", "7"),
        ("scan.partition.lower-bound", "1"),
        ("scan.partition.upper-bound", "9000"),
        ("scan.fetch-size", "64"),
    ];
    let spec = options.iter().fold(spec, |spec, (name, value)| set(spec, name, value));
    let whole = Input::open(&spec, 3).to_end();
    assert_eq!(whole.readers.len(), 3);
    // As in Flink what lies outside of the bounds is not read.
    once(&whole, 9000);
    let mut first = Input::open(&spec, 3);
    first.until(4000, 50);
    let mut second = Input::resume(&spec, 2, &first.positions()).unwrap();
    second.until(2000, 50);
    let mut third = Input::resume(&spec, 5, &second.positions()).unwrap();
    third.try_to_end().unwrap();
    first.deltas.append(&mut second.deltas);
    first.deltas.append(&mut third.deltas);
    once(&first, 9000);
    let bad = set(spec, "scan.partition.column", "name");
    let error = Input::try_open(&bad, 1).err().unwrap().to_string();
    assert!(error.contains("has to be a number"), "{error}");
}

#[test]
fn a_row_that_cannot_be_read_is_a_dead_letter() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (id int PRIMARY KEY, price numeric, at timestamp, nums int[]); \
         INSERT INTO {name} VALUES (1, 1.005, '2024-01-31 08:26:00.9996', '{{1}}'), \
         (2, 'NaN', NULL, NULL), (3, 123456789, NULL, NULL), (4, 1, 'infinity', NULL), \
         (5, 1, NULL, '{{{{1,2}},{{3,4}}}}'), (6, NULL, NULL, NULL)"
    ));
    let nums = arrow::datatypes::Field::new("item", Int32, true);
    let columns = [
        ("id", Int64),
        ("price", Decimal128(6, 2)),
        ("at", Timestamp(TimeUnit::Millisecond, None)),
        ("nums", arrow::datatypes::DataType::List(std::sync::Arc::new(nums))),
    ];
    let spec = server.table(&name, &columns, 0);
    let input = Input::open(&spec, 1).to_end();
    assert_eq!(input.in_order(), ["1|1.01|2024-01-31T08:26:00.999|[1]", "6|NULL|NULL|NULL"]);
    let reasons: Vec<_> = input.dead.iter().map(|d| (&d.position, &d.reason)).collect();
    assert_eq!(reasons.len(), 4);
    for (at, (key, reason)) in [
        ("key (2)", "column 'price': NaN is no DECIMAL"),
        ("key (3)", "column 'price': it does not fit DECIMAL(6, 2)"),
        ("key (4)", "column 'at': infinity is no TIMESTAMP"),
        ("key (5)", "column 'nums': an array of 2 dimensions, and one is expected"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(reasons[at].0.ends_with(key), "{:?}", reasons[at]);
        assert_eq!(reasons[at].1, reason);
    }
    let mut input = Input::open(&set(spec, "rialto.on-error", "fail"), 1);
    let error = input.try_to_end().unwrap_err().to_string();
    assert!(error.contains("NaN is no DECIMAL") && error.contains("key (2)"), "{error}");
}

#[test]
fn a_table_that_does_not_fit_is_refused() {
    let Some(server) = server() else { return };
    let (name, _) = filled(server, "PRIMARY KEY", 1);
    let refused = |columns: &[(&str, arrow::datatypes::DataType)]| {
        Input::try_open(&server.table(&name, columns, 0), 1).err().unwrap().to_string()
    };
    let error = refused(&[("id", Int32)]);
    assert!(
        error.contains("column 'id': in the database it is bigint (declare BIGINT)"),
        "{error}"
    );
    let error = refused(&[("nam", Utf8)]);
    assert!(error.contains("did you mean 'name'?"), "{error}");
    let spec = server.table(&name, &[("id", Int64)], 0);
    let error = Input::try_open(&set(spec.clone(), "password", "wrong"), 1).err().unwrap();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    let error = Input::try_open(&set(spec, "table-name", "nowhere.at_all"), 1).err().unwrap();
    assert!(error.to_string().contains("there is no table 'nowhere.at_all'"), "{error}");
}

#[test]
fn flinks_connector_and_a_view_are_read_too() {
    let Some(server) = server() else { return };
    let (name, spec) = filled(server, "PRIMARY KEY", 10);
    server.sql(&format!("CREATE VIEW v_{name} AS SELECT * FROM {name} WHERE id > 8"));
    let spec = set(spec, "connector", "jdbc");
    let url = server.url.replace("postgresql://rialto:rialto@", "jdbc:postgresql://");
    let spec = set(set(set(spec, "url", &url), "username", "rialto"), "password", "rialto");
    let spec = set(spec, "table-name", &format!("public.v_{name}"));
    assert_eq!(Input::open(&spec, 1).to_end().counted().len(), 2);
}
