//! Tables of files, as a user meets them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use rialto_engine::{DeadLetter, Delta, Poll, Position, Reader};

use crate::spec::{Environment, TableSpec};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]))
}

fn spec(options: &[(&str, &str)]) -> TableSpec {
    let connector = [("connector", "filesystem")];
    TableSpec::new("t", schema(), connector.iter().chain(options).copied())
}

fn object(id: i64) -> String {
    format!("{{\"id\":{id},\"name\":\"row {id}\"}}\n")
}

fn objects(ids: std::ops::Range<i64>) -> String {
    ids.map(object).collect()
}

fn readers(spec: &TableSpec, base: &Path, count: usize) -> Vec<Box<dyn Reader>> {
    let environment = Environment::new(base);
    crate::source(spec, &environment).unwrap().readers(count).unwrap()
}

/// Polls readers in turn to the end.
fn drain(readers: &mut [Box<dyn Reader>], rows_max: usize) -> (Vec<Delta>, Vec<DeadLetter>) {
    let (mut deltas, mut dead) = (Vec::new(), Vec::new());
    loop {
        let mut ended = true;
        for reader in readers.iter_mut() {
            if let Poll::Rows(delta) = reader.poll(rows_max).unwrap() {
                deltas.push(delta);
                ended = false;
            }
            dead.extend(reader.take_dead_letters());
        }
        if ended {
            return (deltas, dead);
        }
    }
}

fn ids(deltas: &[Delta]) -> Vec<i64> {
    let values = |d: &Delta| d.column(0).as_primitive::<Int64Type>().values().to_vec();
    deltas.iter().flat_map(values).collect()
}

fn texts(deltas: &[Delta]) -> Vec<String> {
    let mut out = Vec::new();
    for delta in deltas {
        for row in 0..delta.num_rows() {
            let value = |c: &Arc<dyn Array>| {
                if c.is_null(row) {
                    return "~".to_owned();
                }
                arrow::util::display::array_value_to_string(c, row).unwrap()
            };
            out.push(delta.batch().columns().iter().map(value).collect::<Vec<_>>().join("|"));
        }
    }
    out
}

#[test]
fn plain_and_packed_files_are_read_in_name_order() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    fs::create_dir(base.join("in")).unwrap();
    fs::write(base.join("in/b.json"), objects(10..20)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    gzip.write_all(objects(0..10).as_bytes()).unwrap();
    fs::write(base.join("in/a.json.gz"), gzip.finish().unwrap()).unwrap();
    let packed = zstd::encode_all(objects(20..30).as_bytes(), 0).unwrap();
    fs::write(base.join("in/c.zst"), packed).unwrap();
    fs::write(base.join("in/_SUCCESS"), "").unwrap();
    fs::write(base.join("in/d.json"), object(30).trim_end()).unwrap();
    let spec = spec(&[("path", "in"), ("format", "json")]);
    for rows_max in [1, 3, 100] {
        let (deltas, dead) = drain(&mut readers(&spec, base, 1), rows_max);
        assert_eq!(ids(&deltas), (0..31).collect::<Vec<_>>());
        assert!(deltas.iter().all(|d| d.num_rows() <= rows_max));
        assert_eq!(dead, []);
    }
}

#[test]
fn bad_records_have_file_and_line_and_can_fail_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    fs::write(base.join("a.json"), format!("{}oops\n{}", object(1), object(2))).unwrap();
    let mut skip = spec(&[("path", "a.json"), ("format", "json")]);
    let (deltas, dead) = drain(&mut readers(&skip, base, 1), 10);
    assert_eq!(ids(&deltas), [1, 2]);
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].position.as_str(), dead[0].bytes.as_slice()), ("a.json:2", &b"oops"[..]));
    skip.options.push(("rialto.on-error".into(), "fail".into()));
    let error = readers(&skip, base, 1)[0].poll(10).unwrap_err();
    assert!(error.to_string().starts_with("cannot read a.json:2: expected an object"), "{error}");
    let ignore =
        spec(&[("path", "a.json"), ("format", "json"), ("json.ignore-parse-errors", "true")]);
    let (deltas, dead) = drain(&mut readers(&ignore, base, 1), 10);
    assert_eq!((ids(&deltas), dead), (vec![1, 2], vec![]));
}

#[test]
fn a_large_file_is_shared_by_readers_and_no_record_is_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let text = objects(0..500);
    fs::write(base.join("a.json"), &text).unwrap();
    let spec = spec(&[("path", "a.json"), ("format", "json")]);
    let environment = Environment::new(base);
    // Every size of a piece, so that every place of a record is once a border.
    for split_bytes in (20..90).chain([1000, text.len() as u64 - 1, text.len() as u64]) {
        let mut queue_readers = {
            let options = super::FileOptions::read(&spec).unwrap();
            let location = options.location(&environment).unwrap();
            let (columns, assembly) =
                super::Assembly::new(&spec, location.folder(), base.into(), "x").unwrap();
            let source = super::FileSource {
                spec: spec.clone(),
                location,
                columns,
                assembly: Arc::new(assembly),
                split_bytes,
            };
            rialto_engine::Source::readers(&source, 3).unwrap()
        };
        let (deltas, dead) = drain(&mut queue_readers, 7);
        let mut found = ids(&deltas);
        found.sort_unstable();
        assert_eq!(found, (0..500).collect::<Vec<_>>(), "{split_bytes}");
        assert_eq!(dead, []);
    }
}

#[test]
fn a_large_file_of_a_table_with_a_watermark_is_read_by_one_reader_in_order() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.json"), objects(0..500)).unwrap();
    let mut spec = spec(&[("path", "a.json"), ("format", "json")]);
    spec.rowtime = Some("t".into());
    let options = super::FileOptions::read(&spec).unwrap();
    let location = options.location(&Environment::new(dir.path())).unwrap();
    let (columns, assembly) =
        super::Assembly::new(&spec, location.folder(), dir.path().into(), "x").unwrap();
    let assembly = Arc::new(assembly);
    let source = super::FileSource { spec, location, columns, assembly, split_bytes: 100 };
    let (deltas, dead) = drain(&mut rialto_engine::Source::readers(&source, 3).unwrap(), 7);
    assert_eq!((ids(&deltas), dead), ((0..500).collect(), vec![]));
}

#[test]
fn a_reader_goes_on_where_another_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    fs::create_dir(base.join("in")).unwrap();
    fs::write(base.join("in/a.json"), objects(0..10)).unwrap();
    fs::write(base.join("in/b.json"), format!("{}bad\n{}", objects(10..15), objects(15..30)))
        .unwrap();
    let csv: String = (0..30).map(|i| format!("row {i},{i}\n")).collect();
    fs::create_dir(base.join("csv")).unwrap();
    let packed = zstd::encode_all(format!("name,id\n{csv}").as_bytes(), 0).unwrap();
    fs::write(base.join("csv/a.csv.zst"), packed).unwrap();
    let tables = [
        spec(&[("path", "in"), ("format", "json")]),
        spec(&[("path", "csv"), ("format", "csv"), ("csv.header", "true")]),
    ];
    for spec in &tables {
        for polls in 0..12 {
            let mut first = readers(spec, base, 2);
            let mut found = Vec::new();
            for poll in 0..polls {
                if let Poll::Rows(delta) = first[poll % 2].poll(3).unwrap() {
                    found.extend(ids(&[delta]));
                }
            }
            let positions: Vec<Position> = first.iter().map(|r| r.position()).collect();
            // One reader takes over from two.
            let mut second = readers(spec, base, 1);
            for position in &positions {
                let text = position.to_string();
                second[0].seek(&serde_json::from_str(&text).unwrap()).unwrap();
            }
            let (deltas, dead) = drain(&mut second, 4);
            found.extend(ids(&deltas));
            found.sort_unstable();
            assert_eq!(found, (0..30).collect::<Vec<_>>(), "after {polls} polls");
            assert!(dead.iter().all(|d| d.position == "in/b.json:6"), "{dead:?}");
        }
    }
    assert!(readers(&tables[0], base, 1)[0].seek(&serde_json::json!({"x": 1})).is_err());
}

#[test]
fn a_watched_folder_shows_new_files() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    fs::write(base.join("a.json"), objects(0..2)).unwrap();
    let spec = spec(&[("path", "."), ("format", "json"), ("source.monitor-interval", "1 ms")]);
    let source = crate::source(&spec, &Environment::new(base)).unwrap();
    assert!(!source.is_bounded());
    let mut readers = source.readers(1).unwrap();
    let (deltas, _) = drain(&mut readers, 10);
    assert_eq!(ids(&deltas), [0, 1]);
    assert!(matches!(readers[0].poll(10).unwrap(), Poll::Idle));
    fs::write(base.join(".b.json"), objects(2..4)).unwrap();
    fs::rename(base.join(".b.json"), base.join("b.json")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    let (deltas, _) = drain(&mut readers, 10);
    assert_eq!(ids(&deltas), [2, 3]);
}

#[test]
fn an_empty_file_in_a_watched_folder_is_read_when_it_has_some_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    fs::write(base.join("a.json"), "").unwrap();
    fs::write(base.join("b.json"), objects(0..1)).unwrap();
    let watched = spec(&[("path", "."), ("format", "json"), ("source.monitor-interval", "1 ms")]);
    let mut all = readers(&watched, base, 1);
    let (deltas, _) = drain(&mut all, 10);
    assert_eq!(ids(&deltas), [0]);
    // Neither is it noted as read, for a run that goes on from here.
    let at = all[0].position();
    fs::write(base.join("a.json"), objects(1..3)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(ids(&drain(&mut all, 10).0), [1, 2]);
    let mut later = readers(&watched, base, 1);
    later[0].seek(&at).unwrap();
    assert_eq!(ids(&drain(&mut later, 10).0), [1, 2]);
    // One that is not watched is what it is.
    fs::write(base.join("c.json"), "").unwrap();
    let bounded = spec(&[("path", "c.json"), ("format", "json")]);
    let (deltas, dead) = drain(&mut readers(&bounded, base, 1), 10);
    assert_eq!((ids(&deltas).len(), dead.len()), (0, 0));
}

#[test]
fn partitions_and_metadata_are_columns() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let folder = base.join("in/day=2024-01-02/name=__DEFAULT_PARTITION__");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(base.join("in/day=2024-01-01/name=a%2Fb")).unwrap();
    fs::write(base.join("in/day=2024-01-01/name=a%2Fb/x.csv"), "1\n2\n").unwrap();
    fs::write(folder.join("y.csv"), "3\n").unwrap();
    let mut spec = spec(&[("path", "in"), ("format", "csv")]);
    spec.schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("day", DataType::Date32, true),
    ]));
    spec.partition_keys = vec!["day".into(), "name".into()];
    spec.projection = Some(vec![2, 0, 1]);
    spec.metadata = vec![
        ("file.name".into(), Field::new("f", DataType::Utf8, true)),
        ("file.size".into(), Field::new("s", DataType::Int64, true)),
    ];
    let mut all = readers(&spec, base, 1);
    let (deltas, _) = drain(&mut all, 100);
    assert_eq!(
        texts(&deltas),
        ["2024-01-01|1|a/b|x.csv|4", "2024-01-01|2|a/b|x.csv|4", "2024-01-02|3|~|y.csv|2"]
    );
    spec.projection = Some(vec![]);
    spec.metadata = vec![(
        "file.modification-time".into(),
        Field::new("m", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
    )];
    let (deltas, _) = drain(&mut readers(&spec, base, 1), 2);
    assert_eq!(deltas.iter().map(Delta::num_rows).sum::<usize>(), 3);
}

#[test]
fn options_are_checked() {
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("path", "x")], "needs the option 'format'"),
        (&[("path", "x"), ("format", "jsn")], "a format 'jsn' that does not exist"),
        (&[("path", "x"), ("format", "json"), ("csv.header", "true")], "unknown option"),
        (&[("path", "x"), ("format", "csv"), ("auto-compaction", "true")], "not supported"),
        (&[("path", "x"), ("format", "csv"), ("rialto.on-error", "explode")], "is not valid"),
        (&[("path", "x"), ("format", "csv"), ("source.path.regex-pattern", "(")], "is not valid"),
    ];
    for (options, expected) in cases {
        let error = crate::validate(&spec(options)).unwrap_err();
        assert!(error.message.contains(expected), "{error}");
    }
    let mut odd = spec(&[("path", "x"), ("format", "csv")]);
    odd.partition_keys = vec!["nothing".into()];
    assert!(crate::validate(&odd).is_err());
}

fn batch(from: i64, to: i64) -> RecordBatch {
    let names = (from..to).map(|i| (i % 3 != 0).then(|| format!("n{}", i % 3)));
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(Int64Array::from_iter_values(from..to)),
        Arc::new(StringArray::from_iter(names)),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn visible(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if !entry.file_name().to_string_lossy().starts_with('.') {
                found.insert(entry.path().to_string_lossy().into_owned());
            }
        }
    }
    found
}

#[test]
fn what_a_sink_commits_a_source_reads_in_every_format() {
    for (format, extra) in [
        ("json", ("compression", "gzip")),
        ("csv", ("csv.null-literal", "\\N")),
        ("csv", ("compression", "zstd")),
        ("parquet", ("parquet.compression", "ZSTD")),
        ("avro", ("avro.codec", "snappy")),
        ("avro", ("compression", "gzip")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path();
        let mut options = vec![("path", "out"), ("format", format), extra];
        if extra.0 == "compression" && format == "csv" {
            options.push(("csv.null-literal", "NULL"));
        }
        let spec = spec(&options);
        let mut sink = crate::sink(&spec, &Environment::new(base)).unwrap();
        sink.write(&Delta::insert_only(batch(0, 10)), 1).unwrap();
        let twice = Int64Array::from_iter_values([2, 1, 1]);
        sink.write(&Delta::weighted(batch(10, 13), twice), 2).unwrap();
        assert!(visible(&base.join("out")).is_empty());
        sink.prepare(1).unwrap();
        assert!(visible(&base.join("out")).is_empty());
        sink.commit(1).unwrap();
        sink.commit(1).unwrap();
        assert_eq!(visible(&base.join("out")).len(), 1);
        let (deltas, dead) = drain(&mut readers(&spec, base, 1), 5);
        assert_eq!(dead, []);
        let expected: Vec<i64> = (0..=10).chain(10..13).collect();
        assert_eq!(ids(&deltas), expected, "{format}");
        assert_eq!(texts(&deltas)[0], "0|~");
        let error = sink.write(&Delta::uniform(batch(0, 1), -1), 3).unwrap_err();
        assert!(error.to_string().contains("takes a row back"), "{error}");
    }
}

#[test]
fn after_a_crash_the_checkpointed_epoch_is_committed_and_the_rest_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let spec = spec(&[("path", "out"), ("format", "json")]);
    let out = base.join("out");
    fs::create_dir(&out).unwrap();
    // As an earlier process left it: epoch 4 was checkpointed, 5 was not, a file was being written.
    for (name, ids) in [
        (".part-t-00ff-0.json.epoch-3", 0..1),
        (".part-t-00ff-1.json.epoch-4", 1..2),
        (".part-t-00ff-2.json.epoch-5", 2..3),
        (".part-t-00ff-3.json.inprogress", 3..4),
        (".part-other-00ff-3.json.inprogress", 4..5),
    ] {
        fs::write(out.join(name), objects(ids)).unwrap();
    }
    let mut sink = crate::sink(&spec, &Environment::new(base)).unwrap();
    sink.recover(4, &[]).unwrap();
    let (deltas, _) = drain(&mut readers(&spec, base, 1), 100);
    assert_eq!(ids(&deltas), [0, 1]);
    let hidden: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with('.'))
        .collect();
    assert_eq!(hidden, [".part-other-00ff-3.json.inprogress"]);
    sink.write(&Delta::insert_only(batch(2, 4)), 9).unwrap();
    sink.prepare(5).unwrap();
    sink.commit(5).unwrap();
    let (deltas, _) = drain(&mut readers(&spec, base, 1), 100);
    let mut found = ids(&deltas);
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2, 3]);
}

#[test]
fn a_sink_rolls_files_and_makes_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let mut spec = spec(&[
        ("path", "out"),
        ("format", "csv"),
        ("csv.header", "true"),
        ("sink.rolling-policy.file-size", "20b"),
        ("sink.partition-commit.policy.kind", "success-file"),
    ]);
    spec.options[4].1 = "20".into();
    spec.partition_keys = vec!["name".into()];
    let mut sink = crate::sink(&spec, &Environment::new(base)).unwrap();
    for step in 0..4 {
        sink.write(&Delta::insert_only(batch(step * 9, step * 9 + 9)), 1).unwrap();
    }
    sink.prepare(7).unwrap();
    sink.commit(7).unwrap();
    let files = visible(&base.join("out"));
    let of = |part: &str| files.iter().filter(|f| f.contains(part)).count();
    assert_eq!(files.iter().filter(|f| f.ends_with("_SUCCESS")).count(), 3);
    for part in ["name=n1/part", "name=n2/part", "name=__DEFAULT_PARTITION__/part"] {
        assert!(of(part) > 1, "{files:?}");
    }
    let one = files.iter().find(|f| f.contains("n1/part")).unwrap();
    assert!(fs::read_to_string(one).unwrap().starts_with("id\n"));
    let (deltas, _) = drain(&mut readers(&spec, base, 1), 100);
    let mut found = texts(&deltas);
    found.sort();
    let mut expected = texts(&[Delta::insert_only(batch(0, 36))]);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_sink_with_updates_is_refused_as_flink_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(&[("path", "out"), ("format", "json")]);
    spec.changelog.retracts = true;
    let error = crate::sink(&spec, &Environment::new(dir.path())).err().unwrap();
    assert!(error.message.contains("doesn't support consuming update and delete changes"));
}

#[test]
fn parquet_columns_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let table = spec(&[("path", "out"), ("format", "parquet")]);
    let mut sink = crate::sink(&table, &Environment::new(base)).unwrap();
    sink.write(&Delta::insert_only(batch(0, 20_000)), 1).unwrap();
    sink.prepare(1).unwrap();
    sink.commit(1).unwrap();
    let mut other = table.clone();
    other.schema = Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("missing", DataType::Int32, true),
        Field::new("id", DataType::Decimal128(20, 1), true),
    ]));
    let mut first = readers(&other, base, 1);
    let Poll::Rows(delta) = first[0].poll(100).unwrap() else { panic!("no rows") };
    assert_eq!(texts(&[delta.slice(0, 2)]), ["~|~|0.0", "n1|~|1.0"]);
    let mut second = readers(&other, base, 1);
    second[0].seek(&first[0].position()).unwrap();
    let (deltas, _) = drain(&mut second, 5000);
    let rows = texts(&deltas);
    assert_eq!((rows.len(), rows[0].as_str()), (19_900, "n1|~|100.0"));
    let mut wrong = table.clone();
    wrong.schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Int64, true)]));
    let error = readers(&wrong, base, 1)[0].poll(1).unwrap_err().to_string();
    assert!(error.contains("column 'name' is a Utf8 in the file, declared as Int64"), "{error}");
}

#[test]
fn a_file_of_changes_is_read_in_order_by_one_reader_and_bad_changes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let lines = [
        r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c"}"#,
        r#"{"before":{"id":1,"name":"a"},"after":{"id":"x"},"op":"u"}"#,
        r#"{"before":{"id":1,"name":"a"},"after":{"id":1,"name":"b"},"op":"u"}"#,
    ];
    fs::create_dir(base.join("in")).unwrap();
    fs::write(base.join("in/1.json"), lines.join("\n")).unwrap();
    let last = r#"{"before":{"id":1,"name":"b"},"after":null,"op":"d"}"#;
    fs::write(base.join("in/2.json"), last).unwrap();
    let spec = spec(&[("path", "in"), ("format", "debezium-json")]);
    let mut readers = readers(&spec, base, 4);
    assert_eq!(readers.len(), 1);
    let (deltas, dead) = drain(&mut readers, 2);
    let weights = |d: &Delta| (0..d.num_rows()).map(|row| d.weight(row)).collect::<Vec<_>>();
    assert_eq!(deltas.iter().flat_map(weights).collect::<Vec<_>>(), [1, -1, 1, -1]);
    assert_eq!(texts(&deltas), ["1|a", "1|a", "1|b", "1|b"]);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].position, "in/1.json:2");
    assert!(dead[0].reason.starts_with("in the 'after' row: "), "{}", dead[0].reason);
    assert_eq!(dead[0].bytes, lines[1].as_bytes());
}

#[test]
fn a_sink_of_changes_writes_what_is_added_and_what_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    let mut out = spec(&[("path", "out"), ("format", "debezium-json")]);
    out.changelog.retracts = true;
    out.changelog.upsert_key = Some(vec![0]);
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 1])),
        Arc::new(StringArray::from(vec!["new", "two", "old"])),
    ];
    let rows = RecordBatch::try_new(schema(), columns).unwrap();
    let environment = Environment::new(base);
    let mut sink = crate::sink(&out, &environment).unwrap();
    sink.write(&Delta::weighted(rows.clone(), Int64Array::from(vec![1, 1, -1])), 1).unwrap();
    sink.prepare(1).unwrap();
    sink.commit(1).unwrap();
    let (deltas, dead) = drain(&mut readers(&out, base, 1), 10);
    assert_eq!(
        (texts(&deltas), dead.len()),
        (vec!["1|old".into(), "1|new".into(), "2|two".into()], 0)
    );
    assert_eq!(deltas[0].weights(), Some(&[-1, 1, 1][..]));
    let mut plain = spec(&[("path", "plain"), ("format", "json")]);
    plain.changelog.retracts = true;
    let error = crate::sink(&plain, &environment).err().unwrap();
    assert!(error.message.contains("doesn't support consuming update and delete"), "{error}");
}

#[test]
fn avro_files_are_read_on_from_any_block() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&[("path", "out"), ("format", "avro")]);
    let mut sink = crate::sink(&spec, &Environment::new(dir.path())).unwrap();
    for part in 0..20 {
        let ids = Int64Array::from((part * 5..part * 5 + 5).collect::<Vec<_>>());
        let names = StringArray::from(vec!["n"; 5]);
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(names)]).unwrap();
        sink.write(&Delta::insert_only(batch), 0).unwrap();
    }
    sink.prepare(1).unwrap();
    sink.commit(1).unwrap();
    // Each of the polls is of another run, and goes on where the last one stood.
    let (mut found, mut position): (Vec<i64>, Option<Position>) = (Vec::new(), None);
    for _ in 0..4 {
        let mut reader = readers(&spec, dir.path(), 1).remove(0);
        if let Some(position) = &position {
            reader.seek(position).unwrap();
        }
        let Poll::Rows(delta) = reader.poll(12).unwrap() else { panic!("rows are there") };
        found.extend(ids(&[delta]));
        position = Some(reader.position());
    }
    let mut last = readers(&spec, dir.path(), 1);
    last[0].seek(&position.unwrap()).unwrap();
    found.extend(ids(&drain(&mut last, 7).0));
    assert_eq!(found, (0..100).collect::<Vec<_>>());
    let wrong = TableSpec::new(
        "t",
        schema(),
        [("connector", "filesystem"), ("path", "out"), ("format", "avro-confluent")],
    );
    let error = crate::source(&wrong, &Environment::new(dir.path())).err().unwrap();
    assert!(error.to_string().contains("in files, which is not supported"), "{error}");
}
