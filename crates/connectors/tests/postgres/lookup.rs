//! Rows asked for by key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType::{self, Date32, Decimal128, Int32, Int64, Utf8};
use arrow::util::display::array_value_to_string;
use rialto_connectors::{Environment, TableSpec};
use rialto_engine::Lookup;

use crate::server::{server, set};

fn opened(spec: &TableSpec, keys: &[(usize, DataType)]) -> Result<Box<dyn Lookup>, String> {
    let table = rialto_connectors::lookup(spec, keys, &Environment::new("."));
    let table = table.map_err(|e| e.to_string())?.expect("it is asked by key");
    table.open().map_err(|e| e.to_string())
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let cell = |array: &ArrayRef, row| match array.is_null(row) {
        true => "NULL".to_owned(),
        false => array_value_to_string(array, row).unwrap(),
    };
    let shown = |row| {
        let cells: Vec<_> = batch.columns().iter().map(|array| cell(array, row)).collect();
        cells.join("|")
    };
    let mut rows: Vec<String> = (0..batch.num_rows()).map(shown).collect();
    rows.sort();
    rows
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[test]
fn all_rows_of_all_keys_come_at_once() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (shop int, sku text, price numeric(10, 2), since date); \
         INSERT INTO {name} VALUES (1, 'tea', 1.50, '1591-06-09'), (1, 'tea', 2, NULL), \
         (1, 'milk', 3, NULL), (2, 'tea', 4, NULL), (NULL, 'tea', 5, NULL)"
    ));
    let columns = [("shop", Int32), ("sku", Utf8), ("price", Decimal128(10, 2)), ("since", Date32)];
    let spec = server.table(&name, &columns, 0);
    // A number may come wider than the column is.
    let mut by_shop = opened(&spec, &[(0, Int64)]).unwrap();
    let found = by_shop.find(&[numbers(&[1, 7, i64::MAX])]).unwrap();
    assert_eq!(rows(&found), ["1|milk|3.00|NULL", "1|tea|1.50|1591-06-09", "1|tea|2.00|NULL"]);
    // A text with U+0000 is no text of PostgreSQL's, and so nobody's key.
    let mut by_both = opened(&spec, &[(1, Utf8), (0, Int64)]).unwrap();
    let keys = [texts(&["tea", "tea\0", "milk", "milk"]), numbers(&[2, 1, 2, 1])];
    assert_eq!(rows(&by_both.find(&keys).unwrap()), ["1|milk|3.00|NULL", "2|tea|4.00|NULL"]);
    assert_eq!(by_both.find(&[texts(&["\0"]), numbers(&[1])]).unwrap().num_rows(), 0);
    let mut by_price = opened(&spec, &[(2, Decimal128(12, 3))]).unwrap();
    let prices = Decimal128Array::from(vec![1500, 4001, 5000]);
    let prices: ArrayRef = Arc::new(prices.with_precision_and_scale(12, 3).unwrap());
    let found = by_price.find(&[prices]).unwrap();
    assert_eq!(rows(&found), ["1|tea|1.50|1591-06-09", "NULL|tea|5.00|NULL"]);
    // What is not needed is not read, and what was changed is seen.
    let narrow = TableSpec { projection: Some(vec![2]), ..spec };
    let mut lookup = opened(&narrow, &[(0, Int32)]).unwrap();
    let two: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![2]));
    assert_eq!(rows(&lookup.find(&[Arc::clone(&two)]).unwrap()), ["4.00"]);
    server.sql(&format!("UPDATE {name} SET price = 6 WHERE shop = 2"));
    assert_eq!(rows(&lookup.find(&[two]).unwrap()), ["6.00"]);
}

#[test]
fn a_key_that_is_read_as_its_text_is_asked_for_by_its_text() {
    let Some(server) = server() else { return };
    let name = server.name();
    let id = "0a0a0a0a-1b1b-2c2c-3d3d-4e4e4e4e4e4e";
    server.sql(&format!(
        "CREATE TYPE e{name} AS ENUM ('new', 'old'); \
         CREATE TABLE {name} (id uuid PRIMARY KEY, state e{name}, n int); \
         INSERT INTO {name} VALUES ('{id}', 'new', 1), (gen_random_uuid(), 'old', 2)"
    ));
    let spec = server.table(&name, &[("id", Utf8), ("state", Utf8), ("n", Utf8)], 0);
    let spec = TableSpec { projection: Some(vec![1, 2]), ..spec };
    let asked = |column: usize, values: &[&str]| {
        let mut lookup = opened(&spec, &[(column, Utf8)]).unwrap();
        rows(&lookup.find(&[texts(values)]).unwrap())
    };
    assert_eq!(asked(0, &["no uuid at all", id]), ["new|1"]);
    assert_eq!(asked(0, &[&id.to_uppercase()]), [""; 0]);
    assert_eq!(asked(1, &["new", "unheard of"]), ["new|1"]);
    assert_eq!(asked(2, &["2", "two"]), ["old|2"]);
}

#[test]
fn many_keys_are_one_question_and_an_index_answers_it() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (id bigint PRIMARY KEY, v bigint); \
         INSERT INTO {name} SELECT n, n * 2 FROM generate_series(1, 200000) n; ANALYZE {name}"
    ));
    let spec = server.table(&name, &[("id", Int64), ("v", Int64)], 1);
    let mut lookup = opened(&spec, &[(0, Int64)]).unwrap();
    let keys: Vec<i64> = (0..16_000).map(|n| n * 25).collect();
    let began = std::time::Instant::now();
    for _ in 0..5 {
        assert_eq!(lookup.find(&[numbers(&keys)]).unwrap().num_rows(), 8000);
    }
    eprintln!("{:.0} keys a second", 80_000.0 / began.elapsed().as_secs_f64());
}

#[test]
fn a_server_that_restarts_is_asked_again_and_one_that_is_gone_is_told() {
    let Some(server) = crate::server::up(&[]) else { return };
    server.sql("CREATE TABLE shops (id bigint PRIMARY KEY); INSERT INTO shops VALUES (1)");
    let spec = server.table("shops", &[("id", Int64)], 1);
    let mut lookup = opened(&spec, &[(0, Int64)]).unwrap();
    let once = set(spec.clone(), "lookup.max-retries", "0");
    let mut impatient = opened(&once, &[(0, Int64)]).unwrap();
    server.run("kill");
    let error = impatient.find(&[numbers(&[1])]).unwrap_err().to_string();
    assert!(error.contains("a lookup failed after 0 retries"), "{error}");
    assert!(error.contains("'our_shops'"), "{error}");
    server.run("start");
    assert_eq!(lookup.find(&[numbers(&[1])]).unwrap().num_rows(), 1);
    let wrong = server.table("shops", &[("ident", Int64)], 1);
    let error = opened(&wrong, &[(0, Int64)]).err().unwrap();
    assert!(error.contains("has no column 'ident'"), "{error}");
    let whole = set(spec, "lookup.cache", "FULL");
    let table = rialto_connectors::lookup(&whole, &[(0, Int64)], &Environment::new("."));
    assert!(table.unwrap().is_none());
}
