//! What is written, and how often.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, Decimal128Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::DataType::{Decimal128, Int32, Int64, Utf8};
use rialto_engine::CommitError;

use crate::server::{Output, Server, said, server, set};

const PAIR: [(&str, arrow::datatypes::DataType); 2] = [("id", Int64), ("name", Utf8)];

/// An empty table of a number and a text, with or without a primary key.
fn pair(server: &Server, key: &str) -> String {
    let name = server.name();
    server.sql(&format!("CREATE TABLE {name} (id bigint {key}, name text)"));
    name
}

fn all(server: &Server, name: &str) -> Vec<String> {
    server.sql(&format!("SELECT * FROM {name} ORDER BY 1, 2"))
}

#[test]
fn rows_of_a_key_replace_one_another_and_go() {
    let Some(server) = server() else { return };
    let name = pair(server, "PRIMARY KEY");
    let mut output = Output::open(&server.table(&name, &PAIR, 1));
    output.rows(&[(1, "a", 1), (2, "b", 1), (3, "c", 1)]);
    assert!(all(server, &name).is_empty(), "nothing is there before it is committed");
    output.commit(1);
    assert_eq!(all(server, &name), ["1|a", "2|b", "3|c"]);
    // An update, a delete, a row that came and went, one that went and came.
    output.rows(&[(1, "a", -1), (1, "A", 1), (2, "b", -1), (4, "d", 1), (3, "c", -1)]);
    output.rows(&[(4, "d", -1), (3, "C", 1)]);
    output.commit(2);
    assert_eq!(all(server, &name), ["1|A", "3|C"]);
    output.commit(3);
    assert_eq!(all(server, &name), ["1|A", "3|C"]);
}

#[test]
fn rows_without_a_key_are_added_and_never_taken_back() {
    let Some(server) = server() else { return };
    let name = pair(server, "");
    let spec = server.table(&name, &PAIR, 0);
    let mut output = Output::open(&spec);
    output.rows(&[(1, "a", 2), (1, "b", 1)]);
    output.commit(1);
    assert_eq!(all(server, &name), ["1|a", "1|a", "1|b"]);
    let mut retracting = spec;
    retracting.changelog.retracts = true;
    let error = Output::try_open(&retracting).err().unwrap();
    assert!(error.contains("doesn't support consuming update and delete changes"), "{error}");
}

#[test]
fn what_was_committed_is_not_written_twice() {
    let Some(server) = server() else { return };
    let name = pair(server, "");
    let spec = server.table(&name, &PAIR, 0);
    let mut first = Output::open(&spec);
    first.rows(&[(1, "a", 1)]);
    let one = first.commit(1);
    first.rows(&[(2, "b", 1)]);
    let two = first.prepare(2);
    // The commit is made, and nobody sees that it was.
    first.committer.commit(2, &two).unwrap();
    drop(first);
    let mut second = Output::opened(&spec).unwrap();
    second.committer.recover(&[(1, one.clone()), (2, two.clone())]).map_err(said).unwrap();
    assert_eq!(all(server, &name), ["1|a", "2|b"]);
    second.rows(&[(3, "c", 1)]);
    second.commit(3);
    drop(second);
    // Once more from the first checkpoint: the second run is not known to it.
    let mut third = Output::opened(&spec).unwrap();
    third.committer.recover(&[(2, two)]).map_err(said).unwrap();
    assert_eq!(all(server, &name), ["1|a", "2|b", "3|c"]);
}

#[test]
fn what_was_promised_and_not_committed_is_written_by_the_next_run() {
    let Some(server) = server() else { return };
    let name = pair(server, "PRIMARY KEY");
    let spec = server.table(&name, &PAIR, 1);
    let mut first = Output::open(&spec);
    first.rows(&[(1, "a", 1)]);
    first.commit(1);
    first.rows(&[(1, "a", -1), (1, "A", 1), (2, "b", 1)]);
    let two = first.prepare(2);
    first.rows(&[(9, "never promised", 1)]);
    drop(first.prepare(3));
    drop(first);
    let mut second = Output::opened(&spec).unwrap();
    second.committer.recover(&[(2, two)]).map_err(said).unwrap();
    assert_eq!(all(server, &name), ["1|A", "2|b"]);
}

#[test]
fn what_another_run_has_written_is_known_after_many_runs() {
    let Some(server) = server() else { return };
    let name = pair(server, "");
    let spec = server.table(&name, &PAIR, 0);
    // The first run is gone before it comes to the database.
    let mut first = Output::opened(&spec).unwrap();
    first.rows(&[(1, "a", 1)]);
    let one = first.prepare(1);
    drop(first);
    let pending = [(1, one)];
    for run in 0..80 {
        let mut next = Output::opened(&spec).unwrap();
        let pending = if run == 0 { pending.as_slice() } else { &[] };
        next.committer.recover(pending).map_err(said).unwrap();
    }
    let mut last = Output::opened(&spec).unwrap();
    last.committer.recover(&pending).map_err(said).unwrap();
    assert_eq!(all(server, &name), ["1|a"]);
}

#[test]
fn an_older_run_that_is_still_alive_is_refused() {
    let Some(server) = server() else { return };
    let name = pair(server, "PRIMARY KEY");
    let spec = set(server.table(&name, &PAIR, 1), "sink.id", &format!("fenced {name}"));
    let Output { sink, committer, .. } = Output::open(&spec);
    let mut sink = sink;
    let mut old = committer;
    let (columns, _) = crate::server::pairs(&[(1, "old", 1)]);
    let batch = arrow::array::RecordBatch::try_new(spec.schema.clone(), columns).unwrap();
    sink.write(&rialto_engine::Delta::insert_only(batch), 1).unwrap();
    let prepared = sink.prepare(1).unwrap();
    // The old run's sink gives its name free; what commits for it lives on, as another process's.
    drop(sink);
    let mut new = Output::open(&spec);
    let error = old.commit(1, &prepared).map_err(said).unwrap_err();
    assert!(error.starts_with("refused"), "{error}");
    assert!(error.contains("another run writes as the sink"), "{error}");
    new.rows(&[(1, "new", 1)]);
    new.commit(1);
    assert_eq!(all(server, &name), ["1|new"]);
}

#[test]
fn two_inserts_of_a_job_into_one_table_are_two_sinks() {
    let Some(server) = server() else { return };
    let name = pair(server, "");
    let spec = server.table(&name, &PAIR, 0);
    let (mut one, mut two) = (Output::open(&spec), Output::open(&spec));
    for epoch in 1..4 {
        one.rows(&[(epoch, "one", 1)]);
        two.rows(&[(epoch, "two", 1)]);
        one.commit(epoch as u64);
        two.commit(epoch as u64);
    }
    assert_eq!(all(server, &name).len(), 6);
}

#[test]
fn a_table_that_does_not_fit_is_refused_when_it_is_opened() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (id bigint PRIMARY KEY, price numeric(10, 2), \
         at timestamp(3), made bigint GENERATED ALWAYS AS (id * 2) STORED)"
    ));
    let refused = |columns: &[(&str, arrow::datatypes::DataType)], key: usize| {
        Output::opened(&server.table(&name, columns, key)).err().expect("it is refused")
    };
    let missing = server.table(&format!("{name}x"), &PAIR, 1);
    let error = Output::opened(&missing).err().unwrap();
    assert!(error.contains(&format!("there is no table '{name}x'")), "{error}");
    let error = refused(&[("id", Int64), ("prise", Decimal128(10, 2))], 1);
    assert!(error.contains("no column 'prise' (did you mean 'price'?)"), "{error}");
    let error = refused(&[("id", Int64), ("price", Decimal128(10, 3))], 1);
    assert!(error.contains("numeric(10,2), and would lose digits"), "{error}");
    let error = refused(&[("id", Int64), ("price", Utf8)], 1);
    assert!(error.contains("declare DECIMAL(10, 2)"), "{error}");
    let error = refused(&[("id", Int64), ("made", Int64)], 1);
    assert!(error.contains("the database computes it"), "{error}");
    let error = refused(&[("price", Decimal128(10, 2)), ("id", Int64)], 1);
    assert!(error.contains("no unique index over (price)"), "{error}");
    let error = refused(&[("price", Decimal128(10, 2))], 0);
    assert!(error.contains("'id' is NOT NULL without a default"), "{error}");
    // Smaller letters than were written are found as SQL would find them.
    Output::open(&server.table(&name.to_uppercase(), &[("ID", Int64)], 1));
}

#[test]
fn a_violated_constraint_names_the_row_and_stops() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (id bigint PRIMARY KEY, n int NOT NULL CHECK (n > 0), \
         price numeric(5, 2), code varchar(3))"
    ));
    let columns = [("id", Int64), ("n", Int32), ("price", Decimal128(9, 2)), ("code", Utf8)];
    let spec = server.table(&name, &columns, 1);
    let rows = |bad: (Option<i32>, i128, &str)| -> Vec<ArrayRef> {
        let ids: Vec<i64> = (0..1000).collect();
        let n = (0..1000).map(|id| if id == 617 { bad.0 } else { Some(1) });
        let price = (0..1000).map(|id| if id == 617 { bad.1 } else { 100 });
        let code = (0..1000).map(|id| if id == 617 { bad.2 } else { "ok" });
        let price = Decimal128Array::from_iter_values(price);
        vec![
            Arc::new(Int64Array::from(ids)),
            Arc::new(Int32Array::from_iter(n)),
            Arc::new(price.with_precision_and_scale(9, 2).unwrap()),
            Arc::new(StringArray::from_iter_values(code)),
        ]
    };
    for (bad, said_of) in [
        ((None, 1, "ok"), "column: n"),
        ((Some(-1), 1, "ok"), "constraint"),
        ((Some(1), 100_000, "ok"), "column 'price'"),
        ((Some(1), 1, "long"), "column 'code'"),
    ] {
        let mut output = Output::open(&spec);
        output.write(rows(bad), None);
        let error = output.try_commit(1).map_err(said).unwrap_err();
        assert!(error.starts_with("refused"), "{error}");
        assert!(error.contains("id = '617'"), "{error}");
        assert!(error.contains(said_of), "{error}");
        assert!(error.contains(&name), "{error}");
    }
    assert!(all(server, &name).is_empty(), "nothing of a refused epoch is there");
}

#[test]
fn a_text_with_a_null_character_is_refused_or_mended() {
    let Some(server) = server() else { return };
    let name = pair(server, "PRIMARY KEY");
    let spec = server.table(&name, &PAIR, 1);
    let bad = || -> Vec<ArrayRef> {
        vec![
            Arc::new(Int64Array::from(vec![1, 7])),
            Arc::new(StringArray::from(vec!["fine", "a\0b"])),
        ]
    };
    let error = Output::open(&spec).try_write(bad(), None).unwrap_err().to_string();
    assert!(error.contains("column 'name'") && error.contains("the key (7)"), "{error}");
    assert!(error.contains("U+0000"), "{error}");
    let mut output = Output::open(&set(spec.clone(), "sink.null-characters", "remove"));
    output.write(bad(), None);
    output.commit(1);
    assert_eq!(all(server, &name), ["1|fine", "7|ab"]);
    let mut output = Output::open(&set(spec, "sink.null-characters", "replace"));
    output.write(bad(), None);
    output.commit(1);
    assert_eq!(all(server, &name), ["1|fine", "7|a\u{fffd}b"]);
}

#[test]
fn a_value_moves_from_one_row_to_another_under_a_second_unique_index() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!("CREATE TABLE {name} (id bigint PRIMARY KEY, name text UNIQUE)"));
    let mut output = Output::open(&server.table(&name, &PAIR, 1));
    output.rows(&[(1, "only", 1)]);
    output.commit(1);
    output.rows(&[(2, "only", 1), (1, "only", -1)]);
    output.commit(2);
    assert_eq!(all(server, &name), ["2|only"]);
}

#[test]
fn rows_of_another_table_are_not_taken() {
    let Some(server) = server() else { return };
    let name = pair(server, "PRIMARY KEY");
    let spec = server.table(&name, &PAIR, 1);
    let mut output = Output::open(&spec);
    for kept in [&b"nonsense"[..], b"{\"run\":\"r\"}\n"] {
        let error = output.committer.commit(1, kept).map_err(said).unwrap_err();
        assert!(error.starts_with("refused"), "{error}");
    }
    output.rows(&[(1, "a", 1)]);
    let prepared = output.prepare(1);
    let mut other = Output::open(&server.table(&name, &PAIR[..1], 1));
    let refused = other.committer.commit(1, &prepared);
    assert!(matches!(refused, Err(CommitError::Refused(_))));
}

/// So many rows a second have to go through, far less than there are: the machine is shared.
const RATE_MIN: f64 = 5_000.0;

#[test]
fn many_rows_are_upserted_quickly() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TABLE {name} (id bigint PRIMARY KEY, name text, price numeric(10, 2))"
    ));
    let columns = [("id", Int64), ("name", Utf8), ("price", Decimal128(10, 2))];
    let mut output = Output::open(&server.table(&name, &columns, 1));
    const ROWS: i64 = 100_000;
    let began = Instant::now();
    for epoch in 1..=2 {
        for part in 0..10 {
            let ids = part * ROWS / 10..(part + 1) * ROWS / 10;
            let names = ids.clone().map(|id| format!("name {id} of {epoch}"));
            let prices = Decimal128Array::from_iter_values(ids.clone().map(i128::from));
            let columns: Vec<Arc<dyn Array>> = vec![
                Arc::new(Int64Array::from_iter_values(ids.clone())),
                Arc::new(StringArray::from_iter_values(names)),
                Arc::new(prices.with_precision_and_scale(10, 2).unwrap()),
            ];
            output.write(columns, None);
        }
        output.commit(epoch);
    }
    let rate = (2 * ROWS) as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} rows/s upserted");
    assert!(rate > RATE_MIN, "{rate:.0} rows/s");
    let found = server.sql(&format!("SELECT count(*), sum(price), min(name) FROM {name}"));
    assert_eq!(found, ["100000|49999500.00|name 0 of 2"]);
}
