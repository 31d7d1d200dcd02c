//! Tables in a log, as a job meets them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit};
use rialto_engine::{DeadLetter, Delta, Poll, Reader, Sink};

use rialto_connectors::{Accepted, Environment, Ingest, Refused, TableSpec};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("event_id", DataType::Utf8, true),
        Field::new("qty", DataType::Int64, true),
    ]))
}

fn spec(connector: &str, options: &[(&str, &str)]) -> TableSpec {
    let connector = [("connector", connector)];
    TableSpec::new("t", schema(), connector.iter().chain(options).copied())
}

fn readers(spec: &TableSpec, base: &Path, count: usize) -> Vec<Box<dyn Reader>> {
    rialto_connectors::source(spec, &Environment::new(base)).unwrap().readers(count).unwrap()
}

fn sink(spec: &TableSpec, base: &Path) -> Box<dyn Sink> {
    rialto_connectors::sink(spec, &Environment::new(base)).unwrap()
}

/// Polls until nothing comes.
fn drain(reader: &mut dyn Reader, rows_max: usize) -> (Vec<Delta>, Vec<DeadLetter>) {
    let (mut deltas, mut dead) = (Vec::new(), Vec::new());
    while let Poll::Rows(delta) = reader.poll(rows_max).unwrap() {
        assert!(delta.num_rows() <= rows_max);
        deltas.push(delta);
        dead.extend(reader.take_dead_letters());
    }
    (deltas, dead)
}

fn numbers(deltas: &[Delta], column: usize) -> Vec<i64> {
    let values = |d: &Delta| d.column(column).as_primitive::<Int64Type>().values().to_vec();
    deltas.iter().flat_map(values).collect()
}

fn rows(from: i64, to: i64) -> Delta {
    let ids: Vec<String> = (from..to).map(|n| format!("e{}", n % 7)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(ids)),
        Arc::new(Int64Array::from((from..to).collect::<Vec<_>>())),
    ];
    Delta::insert_only(RecordBatch::try_new(schema(), columns).unwrap())
}

/// Everything that is in the table's log, by partitions one after the other.
fn all(spec: &TableSpec, base: &Path) -> Vec<i64> {
    let mut readers = readers(spec, base, 64);
    readers.iter_mut().flat_map(|r| numbers(&drain(r.as_mut(), 1000).0, 1)).collect()
}

fn write_epoch(sink: &mut dyn Sink, from: i64, to: i64, epoch: u64) -> Vec<u8> {
    sink.write(&rows(from, to), epoch).unwrap();
    sink.prepare(epoch).unwrap()
}

#[test]
fn rows_are_visible_with_their_epoch_and_read_from_any_position() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("log", &[("segment.size", "4kb")]);
    let mut sink = sink(&spec, dir.path());
    let mut reader = readers(&spec, dir.path(), 1).remove(0);
    write_epoch(sink.as_mut(), 0, 500, 1);
    assert!(matches!(reader.poll(100).unwrap(), Poll::Idle), "the epoch is not committed");
    sink.commit(1).unwrap();
    sink.commit(1).unwrap();
    write_epoch(sink.as_mut(), 500, 600, 2);
    sink.commit(2).unwrap();
    let mut found = Vec::new();
    for _ in 0..3 {
        let Poll::Rows(delta) = reader.poll(70).unwrap() else { panic!("rows are there") };
        found.extend(numbers(&[delta], 1));
    }
    let position = reader.position();
    assert_eq!(position, serde_json::json!({ "offsets": { "0": found.len() } }));
    let mut resumed = readers(&spec, dir.path(), 1).remove(0);
    resumed.seek(&position).unwrap();
    found.extend(numbers(&drain(resumed.as_mut(), 64).0, 1));
    assert_eq!(found, (0..600).collect::<Vec<_>>());
    let error = reader.seek(&serde_json::json!({ "done": [] })).unwrap_err();
    assert!(error.to_string().contains("is not one of a log"), "{error}");
}

/// In binary records any byte can be a line end.
#[test]
fn binary_records_keep_all_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("log", &[("format", "avro"), ("key.fields", "qty"), ("key.format", "avro")]);
    let mut sink = sink(&spec, dir.path());
    write_epoch(sink.as_mut(), -300, 300, 1);
    sink.commit(1).unwrap();
    assert_eq!(all(&spec, dir.path()), (-300..300).collect::<Vec<_>>());
}

#[test]
fn positions_are_gone_on_from_by_any_number_of_readers() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec("log", &[("partitions", "3"), ("key.fields", "event_id")]);
    spec.name = "dealt".into();
    let mut sink = sink(&spec, dir.path());
    write_epoch(sink.as_mut(), 0, 100, 1);
    sink.commit(1).unwrap();
    for (before, after) in [(1, 3), (3, 1), (2, 3), (3, 2)] {
        let mut first = readers(&spec, dir.path(), before);
        let mut seen: Vec<i64> = Vec::new();
        for reader in &mut first {
            if let Poll::Rows(delta) = reader.poll(11).unwrap() {
                seen.extend(numbers(&[delta], 1));
            }
        }
        // As a job deals them: each position to one of the readers that there are now.
        let mut second = readers(&spec, dir.path(), after);
        for (number, reader) in first.iter().enumerate() {
            second[number % after].seek(&reader.position()).unwrap();
        }
        for reader in &mut second {
            seen.extend(numbers(&drain(reader.as_mut(), 1000).0, 1));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<i64>>(), "{before} readers, then {after}");
    }
}

#[test]
fn a_prepared_epoch_is_committed_by_the_next_run_once() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("log", &[]);
    let mut first = sink(&spec, dir.path());
    let one = write_epoch(first.as_mut(), 0, 10, 1);
    first.commit(1).unwrap();
    let two = write_epoch(first.as_mut(), 10, 20, 2);
    // An epoch that no checkpoint keeps: it is lost with its run, and read again from the source.
    write_epoch(first.as_mut(), 20, 30, 3);
    drop(first);
    for _ in 0..2 {
        let mut next = sink(&spec, dir.path());
        next.recover(2, &two).unwrap();
        next.recover(2, &two).unwrap();
        assert_eq!(all(&spec, dir.path()), (0..20).collect::<Vec<_>>());
    }
    let mut old = sink(&spec, dir.path());
    old.recover(1, &one).unwrap();
    assert_eq!(all(&spec, dir.path()).len(), 20, "what was committed stays once");
    // A run that counts its epochs anew is not taken for a repetition.
    let mut anew = sink(&spec, dir.path());
    write_epoch(anew.as_mut(), 20, 25, 1);
    anew.commit(1).unwrap();
    assert_eq!(all(&spec, dir.path()), (0..25).collect::<Vec<_>>());
    drop((old, anew));
    let folder = dir.path().join(".rialto/log/t");
    let left = std::fs::read_dir(folder).unwrap();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|n| n.starts_with("staged-")), "{left:?}");
}

#[test]
fn what_was_prepared_and_then_damaged_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("log", &[]);
    let mut first = sink(&spec, dir.path());
    let prepared = write_epoch(first.as_mut(), 0, 10, 1);
    drop(first);
    let folder = dir.path().join(".rialto/log/t");
    let staged = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
    let staged = staged.filter(|p| p.extension().is_some_and(|e| e == "rows")).last().unwrap();
    let whole = std::fs::read(&staged).unwrap();
    std::fs::write(&staged, &whole[..whole.len() - 1]).unwrap();
    let error = sink(&spec, dir.path()).recover(1, &prepared).unwrap_err();
    assert!(error.to_string().contains("not the length that was prepared"), "{error}");
    let mut flipped = whole.clone();
    flipped[60] ^= 1;
    std::fs::write(&staged, &flipped).unwrap();
    let error = sink(&spec, dir.path()).recover(1, &prepared).unwrap_err();
    assert!(error.to_string().contains("holds no whole batch"), "{error}");
    std::fs::write(&staged, &whole).unwrap();
    sink(&spec, dir.path()).recover(1, &prepared).unwrap();
    assert_eq!(all(&spec, dir.path()).len(), 10);
}

#[test]
fn a_key_stays_in_its_partition_and_metadata_tell_where_a_row_is_from() {
    let dir = tempfile::tempdir().unwrap();
    let keyed = [("partitions", "4"), ("key.fields", "event_id"), ("key.format", "raw")];
    let mut spec = spec("log", &keyed);
    let mut sink = sink(&spec, dir.path());
    write_epoch(sink.as_mut(), 0, 700, 1);
    sink.commit(1).unwrap();
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let column = |key: &str, data_type| (key.to_owned(), Field::new(key, data_type, true));
    spec.metadata = vec![
        column("partition", DataType::Int32),
        column("offset", DataType::Int64),
        column("key", DataType::Binary),
        column("timestamp", time),
    ];
    let mut readers = readers(&spec, dir.path(), 2);
    assert_eq!(readers.len(), 2);
    let mut places = std::collections::BTreeMap::new();
    let mut seen = 0;
    for reader in &mut readers {
        for delta in drain(reader.as_mut(), 50).0 {
            let ids = delta.column(0).as_string::<i32>().clone();
            let partitions = delta.column(2).as_primitive::<Int32Type>().clone();
            let offsets = delta.column(3).as_primitive::<Int64Type>().clone();
            let keys = delta.column(4).as_any().downcast_ref::<BinaryArray>().unwrap().clone();
            for row in 0..delta.num_rows() {
                assert_eq!(ids.value(row).as_bytes(), keys.value(row));
                let next = places.entry(partitions.value(row)).or_insert(0);
                assert_eq!(offsets.value(row), *next, "offsets are counted by partition");
                *next += 1;
                seen += 1;
            }
            assert_eq!(delta.column(5).null_count(), 0);
        }
    }
    assert_eq!(seen, 700);
    assert!(places.len() > 1, "several partitions are used: {places:?}");
}

#[test]
fn bounded_and_starting_offsets_are_kafkas() {
    let dir = tempfile::tempdir().unwrap();
    let plain = spec("log", &[]);
    let mut sink = sink(&plain, dir.path());
    write_epoch(sink.as_mut(), 0, 100, 1);
    sink.commit(1).unwrap();
    let read = |options: &[(&str, &str)]| {
        let mut reader = readers(&spec("log", options), dir.path(), 1).remove(0);
        let (deltas, _) = drain(reader.as_mut(), 30);
        (numbers(&deltas, 1), matches!(reader.poll(1).unwrap(), Poll::End))
    };
    let bounded = ("scan.bounded.mode", "latest-offset");
    assert_eq!(read(&[bounded]), ((0..100).collect(), true));
    let at = ("scan.startup.specific-offsets", "partition:0,offset:42");
    assert_eq!(
        read(&[("scan.startup.mode", "specific-offsets"), at]),
        ((42..100).collect(), false)
    );
    let to = ("scan.bounded.specific-offsets", "partition:0,offset:45");
    let both = [
        ("scan.startup.mode", "specific-offsets"),
        at,
        ("scan.bounded.mode", "specific-offsets"),
        to,
    ];
    assert_eq!(read(&both), ((42..45).collect(), true));
    assert_eq!(read(&[("scan.startup.mode", "latest-offset")]), (vec![], false));
    let since = ("scan.startup.timestamp-millis", "0");
    assert_eq!(read(&[("scan.startup.mode", "timestamp"), since]).0.len(), 100);
    let mut late = readers(&spec("log", &[bounded]), dir.path(), 1).remove(0);
    write_epoch(sink.as_mut(), 100, 200, 2);
    sink.commit(2).unwrap();
    assert_eq!(numbers(&drain(late.as_mut(), 1000).0, 1).len(), 100, "the end was fixed before");
}

#[test]
fn options_that_cannot_be_are_refused_with_what_would_be_right() {
    for (connector, options, expected) in [
        ("log", &[("partitons", "2")][..], "did you mean 'partitions'"),
        ("log", &[("partitions", "0")], "a number from 1 to 1024"),
        ("log", &[("format", "jsn")], "did you mean 'json'"),
        ("log", &[("key.fields", "qt")], "did you mean 'qty'"),
        ("log", &[("key.format", "raw")], "has 'key.format' but no 'key.fields'"),
        ("log", &[("scan.startup.mode", "group-offsets")], "is not one of 'earliest-offset'"),
        ("log", &[("scan.startup.mode", "timestamp")], "scan.startup.timestamp-millis"),
        ("log", &[("value.fields-include", "EXCEPT_KEY")], "not supported"),
        ("log", &[("format", "csv"), ("csv.header", "true")], "no place for a header"),
        ("http", &[("format", "csv")], "events come over HTTP as JSON"),
        ("http", &[("http.event-id", "x")], "is not a column of the table"),
        ("http", &[("json.ignore-parse-errors", "true")], "is refused, with the reason"),
        ("log", &[("http.event-id", "event_id")], "unknown option 'http.event-id'"),
    ] {
        let error = rialto_connectors::validate(&spec(connector, options)).unwrap_err().to_string();
        assert!(error.contains(expected), "{options:?}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    drop(sink(&spec("log", &[("partitions", "2")]), dir.path()));
    let error = rialto_connectors::source(
        &spec("log", &[("partitions", "3")]),
        &Environment::new(dir.path()),
    );
    assert!(error.err().unwrap().to_string().contains("has 2 partitions, not 3"));
    let error =
        rialto_connectors::sink(&spec("http", &[]), &Environment::new(dir.path())).err().unwrap();
    assert!(error.to_string().contains("cannot be written"), "{error}");
}

#[test]
fn a_record_that_is_no_row_goes_to_the_dead_letters_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let raw = TableSpec::new(
        "t",
        Arc::new(Schema::new(vec![Field::new("line", DataType::Utf8, true)])),
        [("connector", "log"), ("format", "raw")],
    );
    let lines = [
        "{\"event_id\":\"a\",\"qty\":1}",
        "{\"event_id\":\"b\",\"qty\":",
        "nonsense\nof two lines\r",
        "{\"event_id\":\"c\",\"qty\":3}",
        "\u{0}",
        "{\"qty\":4}",
    ];
    let column: ArrayRef = Arc::new(StringArray::from(lines.to_vec()));
    let batch = RecordBatch::try_new(raw.schema.clone(), vec![column]).unwrap();
    let mut sink = sink(&raw, dir.path());
    sink.write(&Delta::insert_only(batch), 1).unwrap();
    sink.prepare(1).unwrap();
    sink.commit(1).unwrap();
    let back = drain(readers(&raw, dir.path(), 1)[0].as_mut(), 100).0;
    let column = back[0].column(0).as_string::<i32>();
    assert_eq!(column.iter().map(Option::unwrap).collect::<Vec<_>>(), lines, "byte for byte");

    let mut reader = readers(&spec("log", &[]), dir.path(), 1).remove(0);
    let (deltas, dead) = drain(reader.as_mut(), 2);
    assert_eq!(numbers(&deltas, 1), [1, 3, 4]);
    let places: Vec<&str> = dead.iter().map(|d| d.position.as_str()).collect();
    assert_eq!(
        places,
        ["t partition 0 offset 1", "t partition 0 offset 2", "t partition 0 offset 4"]
    );
    assert_eq!(dead[0].bytes, lines[1].as_bytes());
    assert!(dead.iter().all(|d| !d.reason.is_empty()));
    let failing = spec("log", &[("rialto.on-error", "fail")]);
    let mut reader = readers(&failing, dir.path(), 1).remove(0);
    let error = loop {
        match reader.poll(1) {
            Ok(Poll::Rows(_)) => {}
            Ok(_) => panic!("the second record is bad"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("partition 0 offset 1"), "{error}");
}

#[test]
fn a_reader_that_was_overtaken_by_retention_is_told_and_never_reset() {
    let dir = tempfile::tempdir().unwrap();
    let small = spec("log", &[("segment.size", "4kb"), ("retention.size", "8kb")]);
    let mut sink = sink(&small, dir.path());
    let mut slow = readers(&small, dir.path(), 1).remove(0);
    for epoch in 1..40 {
        write_epoch(sink.as_mut(), 0, 50, epoch);
        sink.commit(epoch).unwrap();
    }
    let error = slow.poll(100).unwrap_err().to_string();
    assert!(error.contains("offset 0 of partition 0") && error.contains("earliest is"), "{error}");
    let mut earliest = readers(&small, dir.path(), 1).remove(0);
    assert!(!drain(earliest.as_mut(), 1000).0.is_empty());
}

fn accept(ingest: &Ingest, body: &str) -> Result<Accepted, Refused> {
    ingest.accept(body.as_bytes())
}

#[test]
fn an_event_is_taken_once_and_a_bad_row_keeps_all_out() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("http", &[("partitions", "2"), ("key.fields", "event_id")]);
    let open = || Ingest::open(&spec, &Environment::new(dir.path())).unwrap();
    let ingest = open();
    let body = "{\"event_id\":\"a\",\"qty\":1}\n{\"event_id\":\"b\",\"qty\":2}\n{\"qty\":3}";
    let taken = accept(&ingest, body).unwrap();
    assert_eq!(taken, Accepted { accepted: 3, duplicates: 0 });
    let again = accept(&ingest, body).unwrap();
    assert_eq!(again, Accepted { accepted: 1, duplicates: 2 }, "a row without an id is new");
    drop(ingest);
    let ingest = open();
    let mixed = "[{\"event_id\":\"b\",\"qty\":9},{\"event_id\":\"c\",\"qty\":4}]";
    assert_eq!(accept(&ingest, mixed).unwrap(), Accepted { accepted: 1, duplicates: 1 });
    let bad = "[{\"event_id\":\"d\",\"qty\":5},{\"event_id\":\"e\",\"qty\":\"x\"},7]";
    let Err(Refused::Rows { reasons, bad, rows }) = accept(&ingest, bad) else {
        panic!("two rows are bad");
    };
    assert_eq!((bad, rows), (2, 3));
    assert_eq!(reasons.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 2]);
    let mut found = all(&spec, dir.path());
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3, 3, 4]);
    assert_eq!(ingest.rows(), 1);
}

#[test]
fn poison_is_refused_with_a_reason_and_the_good_rows_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("http", &[]);
    let ingest = Ingest::open(&spec, &Environment::new(dir.path())).unwrap();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let wide: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":1")).collect();
    let wide = format!("{{\"qty\":1,{}}}", wide.join(","));
    let poison: [&[u8]; 12] = [
        b"{\"qty\":1",
        b"{\"qty\":1,}",
        b"{\"qty\":NaN}",
        b"{\"qty\":Infinity}",
        b"{\"qty\":1e400}",
        b"{\"qty\":9223372036854775808}",
        b"{\"event_id\":\"\xff\xfe\"}",
        b"{\"event_id\":\"\\ud800\"}",
        b"{\"qty\":1}\x00",
        b"[1,2]",
        b"[{\"event_id\":\"two\nlines\"}]",
        deep.as_bytes(),
    ];
    for body in poison {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        match ingest.accept(body) {
            Err(Refused::Rows { reasons, .. }) => {
                assert!(!reasons[0].reason.is_empty() && reasons[0].reason.len() < 400, "{shown}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
    for (body, qty) in [
        ("\u{feff}{\"qty\":1}", 1),
        ("{\"qty\":1,\"qty\":2}", 2),
        ("{\"qty\":\"9223372036854775807\"}", i64::MAX),
        (wide.as_str(), 1),
    ] {
        accept(&ingest, body).unwrap();
        assert_eq!(all(&spec, dir.path()).pop(), Some(qty));
    }
    assert_eq!(all(&spec, dir.path()).len(), 4);
    let reader = &mut readers(&spec, dir.path(), 1)[0];
    assert!(drain(reader.as_mut(), 10).1.is_empty(), "what was taken can be read");
}
