//! Poison through every format: records that cannot be rows stand between good ones, and cost
//! themselves only.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray, StructArray, Time32MillisecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::{BadRecord, Decoder, ReadColumns, TEXT_FORMATS, TextFormat, protobuf};
use crate::options::Options;
use crate::spec::TableSpec;

fn nulls(bits: [bool; 4]) -> Option<NullBuffer> {
    Some(NullBuffer::from(bits.to_vec()))
}

/// Four rows of every type, with nulls and with what is at the edges.
pub(super) fn sample() -> RecordBatch {
    let element = Arc::new(Field::new("item", DataType::Utf8, true));
    let texts = StringArray::from(vec![Some("x"), None, Some("")]);
    let ends = |ends: [i32; 5]| OffsetBuffer::new(ScalarBuffer::from(ends.to_vec()));
    let valid = nulls([true, true, true, false]);
    let list = ListArray::new(element, ends([0, 2, 2, 3, 3]), Arc::new(texts), valid.clone());
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int64, true),
    ]);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let counts: ArrayRef = Arc::new(Int64Array::from(vec![Some(-5), None]));
    let pairs = StructArray::new(entries.clone(), vec![keys, counts], None);
    let entry = Arc::new(Field::new("entries", DataType::Struct(entries), false));
    let map = MapArray::new(entry, ends([0, 0, 2, 2, 2]), pairs, valid.clone(), false);
    let parts = Fields::from(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8, true),
    ]);
    let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None, None]));
    let b: ArrayRef = Arc::new(StringArray::from(vec![Some("é"), None, Some("z"), None]));
    let row = StructArray::new(parts, vec![a, b], valid);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1, -1, i64::MAX, i64::MIN]))),
        ("yes", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, None]))),
        ("tiny", Arc::new(Int8Array::from(vec![Some(i8::MAX), Some(i8::MIN), None, Some(0)]))),
        ("small", Arc::new(Int16Array::from(vec![Some(300), None, Some(-300), Some(0)]))),
        ("int", Arc::new(Int32Array::from(vec![Some(i32::MAX), None, Some(i32::MIN), Some(64)]))),
        ("float", Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.0), Some(3e38)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-0.0), Some(1e300)]))),
        ("text", Arc::new(StringArray::from(vec![Some("plain"), Some(""), None, Some("é\n\"")]))),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\n\xff"[..]), Some(b""), None, None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(0), Some(-1), None, Some(20_000)]))),
        (
            "time",
            Arc::new(Time32MillisecondArray::from(vec![Some(0), None, Some(86_399_999), None])),
        ),
        ("ts", Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None, Some(1), Some(0)]))),
        (
            "zoned",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1), Some(1 << 50)])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![Some(-129), None, Some(0), Some(10_i128.pow(20) - 1)])
                    .with_precision_and_scale(20, 3)
                    .unwrap(),
            ),
        ),
        ("list", Arc::new(list)),
        ("map", Arc::new(map)),
        ("row", Arc::new(row)),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), *name != "id"))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// The columns of the poisoned tables.
fn columns() -> SchemaRef {
    let element = Arc::new(Field::new("item", DataType::Utf8, true));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("price", DataType::Decimal128(10, 2), true),
        Field::new("amount", DataType::Float64, true),
        Field::new("n", DataType::Int32, true),
        Field::new("day", DataType::Date32, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("tags", DataType::List(element), true),
    ]))
}

fn format(name: &str) -> &'static TextFormat {
    TEXT_FORMATS.iter().find(|f| f.name == name).unwrap()
}

/// A table of a format, and one record of it that is good.
struct Subject {
    format: &'static TextFormat,
    spec: TableSpec,
    good: Vec<u8>,
    _files: tempfile::TempDir,
}

const GOOD: &str = r#"{"id":7,"name":"good","price":1.25,"amount":0.5,"n":3,"day":"2024-02-29","ts":"2024-02-29 23:59:59.999","tags":["a","b"]}"#;

fn subject(name: &str) -> Subject {
    let files = tempfile::tempdir().unwrap();
    let mut options: Vec<(String, String)> = Vec::new();
    let mut schema = columns();
    let good = match name {
        "json" => GOOD.as_bytes().to_vec(),
        "debezium-json" => format!(r#"{{"before":null,"after":{GOOD},"op":"c"}}"#).into_bytes(),
        "canal-json" => format!(r#"{{"data":[{GOOD}],"type":"INSERT"}}"#).into_bytes(),
        "csv" => b"7,good,1.25,0.5,3,2024-02-29,2024-02-29 23:59:59.999,a;b".to_vec(),
        "raw" => {
            schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, false)]));
            b"good".to_vec()
        }
        "avro" => [
            &[14, 2, 8][..],
            b"good",
            &[2, 2, 125, 2],
            &0.5_f64.to_le_bytes(),
            &[2, 6, 2, 0xfe, 0xb4, 2, 2],
            &[0xfe, 0x83, 0xb0, 0xa5, 0xdf, 0x63, 2, 4, 2, 2, b'a', 2, 2, b'b', 0],
        ]
        .concat(),
        "avro-confluent" => {
            options.push(("avro-confluent.url".into(), registry()));
            [&[0, 0, 0, 0, 1, 14, 8][..], b"good"].concat()
        }
        "protobuf" => {
            let path = files.path().join("shop.desc");
            std::fs::write(&path, protobuf::tests::descriptors()).unwrap();
            options.push((protobuf::DESCRIPTORS.into(), path.to_string_lossy().into_owned()));
            options.push(("protobuf.message-class-name".into(), "shop.Poison".into()));
            schema = Arc::new(Schema::new(vec![
                Field::new("id", DataType::Int64, false),
                Field::new("name", DataType::Utf8, true),
                Field::new("kind", DataType::Utf8, true),
            ]));
            b"\x08\x07\x12\x04good\x18\x01".to_vec()
        }
        other => panic!("there is no poison for {other}"),
    };
    if name == "avro-confluent" {
        schema = Arc::new(schema.project(&[0, 1]).unwrap());
    }
    let spec = TableSpec::new("t", schema, options);
    Subject { format: format(name), spec, good, _files: files }
}

impl Subject {
    fn decoder(&self) -> Box<dyn Decoder> {
        let options = Options::new(&self.spec);
        (self.format.decoder)(&options, ReadColumns::all(&self.spec.schema)).unwrap()
    }

    /// The row that the good record is.
    fn row(&self) -> RecordBatch {
        let mut decoder = self.decoder();
        decoder.decode_record(&self.good).unwrap();
        let row = decoder.finish().unwrap();
        assert_eq!(row.num_rows(), 1);
        assert!(row.columns().iter().all(|c| c.is_valid(0)), "{row:?}");
        row
    }
}

/// A registry with one schema, which every number has below 100.
fn registry() -> String {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            lines.by_ref().find(|l| l.as_ref().is_ok_and(String::is_empty));
            let known = first.contains("/schemas/ids/1 ");
            let schema = r#"{"schema":"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"name\",\"type\":\"string\"}]}"}"#;
            let (status, body) = if known { (200, schema) } else { (404, "{}") };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

/// A record and what has to be said of it; `None` where it is a row after all.
type Case = (&'static str, Vec<u8>, Option<&'static str>);

fn case(name: &'static str, record: impl Into<Vec<u8>>, says: &'static str) -> Case {
    (name, record.into(), Some(says))
}

fn row(name: &'static str, record: impl Into<Vec<u8>>) -> Case {
    (name, record.into(), None)
}

/// Members of a JSON object that cannot be read, and those that can.
fn json_members() -> Vec<(&'static str, String, Option<&'static str>)> {
    let bad = |name, text: &str, says| (name, text.to_owned(), Some(says));
    let good = |name, text: &str| (name, text.to_owned(), None);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let many: String = (0..200_000).map(|i| format!("\"k{i}\":1,")).collect();
    vec![
        bad("i64 + 1", r#""id":9223372036854775808"#, "BIGINT"),
        bad("i64 - 1", r#""id":-9223372036854775809"#, "BIGINT"),
        bad("a number in words", r#""id":"seven""#, "BIGINT"),
        bad("no number", r#""id":nul"#, ""),
        bad("null where NOT NULL", r#""id":null"#, "column 'id' is NOT NULL"),
        bad("a missing member", r#""name":"x""#, "column 'id' is NOT NULL"),
        bad("an object for a text and a half", r#""id":1,"name":{"#, ""),
        bad("a date of the year 10000", r#""id":1,"day":"10000-01-01""#, "DATE"),
        bad("a date that is none", r#""id":1,"day":"2023-02-29""#, "DATE"),
        bad("a date in the words of another", r#""id":1,"day":"29.02.2024""#, "DATE"),
        bad("a time of the epoch in seconds", r#""id":1,"ts":1709251199"#, "TIMESTAMP"),
        bad("i32 + 1", r#""id":1,"n":2147483648"#, "INT"),
        bad("a text that is no decimal", r#""id":1,"price":"1,25""#, "DECIMAL"),
        bad("depth", &format!(r#""id":1,"x":{deep}"#), "deep"),
        bad("a wrong escape", r#""id":1,"name":"\q""#, ""),
        good("duplicate keys: the last one holds", r#""id":1,"id":2"#),
        good(
            "0.1 + 0.2 with scale 40",
            r#""id":1,"price":0.3000000000000000444089209850062616169453"#,
        ),
        good("a decimal that is too large is null", r#""id":1,"price":1e300"#),
        good("minus zero", r#""id":1,"amount":-0.0"#),
        good("many keys", &format!(r#"{many}"id":1"#)),
        good("names with quotes and emoji", r#""id":1,"\"😀":1"#),
        good("ten years from now", r#""id":1,"ts":"2036-01-01 00:00:00""#),
        good("an hour that summer time leaves out", r#""id":1,"ts":"2024-03-31 02:30:00""#),
    ]
}

/// The same members within what a format puts around a row.
fn json_cases(around: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Case> {
    let mut cases: Vec<Case> = json_members()
        .into_iter()
        .map(|(name, members, says)| (name, around(format!("{{{members}}}").as_bytes()), says))
        .collect();
    let whole = around(GOOD.as_bytes());
    let with = |text: &[u8]| around(text);
    cases.extend([
        case("empty", "", "the record is empty"),
        case("cut", &whole[..whole.len() - 2], ""),
        case("a comma too much", with(b"{\"id\":1,}"), ""),
        // One is fine before the first record.
        case("marks of byte order", [&b"\xef\xbb\xbf\xef\xbb\xbf"[..], &whole[..]].concat(), ""),
        case("a zero byte", with(b"{\"id\":1\0}"), ""),
        case("half a surrogate", with(br#"{"id":1,"name":"\ud800"}"#), "surrogate"),
        case("no UTF-8", with(b"{\"id\":1,\"name\":\"\xff\xfe\"}"), "UTF-8"),
        case("no object", with(b"[1,2]"), ""),
        case("NaN", with(br#"{"id":1,"amount":NaN}"#), ""),
        case("something behind it", [&whole[..], b" x"].concat(), ""),
        case("a quote without an end", with(b"{\"id\":1,\"name\":\"abc}"), ""),
    ]);
    cases
}

fn csv_cases() -> Vec<Case> {
    vec![
        case("empty", "", "the record is empty"),
        case("too few fields", "1,a,2", "8"),
        case("too many fields", "1,a,2,3,4,2024-01-01,2024-01-01 00:00:00,x,y", "8"),
        case("i64 + 1", "9223372036854775808,a,2,3,4,2024-01-01,2024-01-01 00:00:00,x", "BIGINT"),
        case("i32 + 1", "1,a,2,3,2147483648,2024-01-01,2024-01-01 00:00:00,x", "INT"),
        case("no number", "x,a,2,3,4,2024-01-01,2024-01-01 00:00:00,x", "BIGINT"),
        case("no date", "1,a,2,3,4,2023-02-29,2024-01-01 00:00:00,x", "DATE"),
        case("the year 10000", "1,a,2,3,4,10000-01-01,2024-01-01 00:00:00,x", "DATE"),
        case("a time of the epoch", "1,a,2,3,4,2024-01-01,1709251199,x", "TIMESTAMP"),
        case("no decimal", "1,a,\"1,25\",3,4,2024-01-01,2024-01-01 00:00:00,x", "DECIMAL"),
        case("no UTF-8", &b"1,\xff,,,,,,"[..], "UTF-8"),
        case(
            "an infinity that Java does not know",
            "1,a,2,inf,4,2024-01-01,2024-01-01 00:00:00,x",
            "DOUBLE",
        ),
        row("a formula", "1,\"=cmd|' /C calc'!A0\",2,3,4,2024-01-01,2024-01-01 00:00:00,x"),
        row("1e400 is an infinity, as in Java", "1,a,2,1e400,4,2024-01-01,2024-01-01 00:00:00,x"),
    ]
}

fn avro_cases(good: &[u8]) -> Vec<Case> {
    let mut cases = vec![
        case("empty", "", "empty"),
        case("a number without an end", [0xff_u8; 11], "64 bits"),
        case("a branch that is none", [14_u8, 9], "branch -5"),
        case("a length below zero", [14_u8, 2, 1], "length is -1"),
        case(
            "a length without end",
            [&[14, 2, 0xfe][..], &[0xff; 7], &[0x7f]].concat(),
            "too early",
        ),
        case("no UTF-8", [&good[..3], b"\xff\xff\xff\xff", &good[7..]].concat(), "UTF-8"),
        case("text", GOOD, ""),
    ];
    for end in 1..good.len() {
        cases.push(case("cut", &good[..end], "too early"));
    }
    let mut bomb = good[..good.len() - 8].to_vec();
    bomb.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    cases.push(case("an array of 2^41 elements", bomb, "do not fit"));
    cases
}

fn confluent_cases(good: &[u8]) -> Vec<Case> {
    let mut cases = vec![
        case("empty", "", "empty"),
        case("no magic byte", &good[1..], ""),
        case("json", GOOD, "byte 123"),
        case("an unknown schema", [&[0, 0, 0, 0, 9][..], &good[5..]].concat(), "no schema 9"),
        case("the largest number", [0_u8, 255, 255, 255, 255, 1], "no schema 4294967295"),
        case("too long", [good, b"x"].concat(), "1 bytes follow"),
    ];
    for end in 1..good.len() {
        let says = if end < 5 { "number of its schema" } else { "too early" };
        cases.push(case("cut", &good[..end], says));
    }
    cases
}

fn protobuf_cases() -> Vec<Case> {
    vec![
        case("a field that is cut", &b"\x08\x07\x12\x04goo"[..], "no shop.Poison"),
        case("a length without end", [&b"\x12"[..], &[0xff; 9], &[1]].concat(), "no shop.Poison"),
        case("a kind of bytes that is none", b"\x0f\x00", "no shop.Poison"),
        case("the field 0", b"\x00\x00", "no shop.Poison"),
        case("another type", b"\x0a\x01x", "no shop.Poison"),
        case("no UTF-8", b"\x08\x01\x12\x01\xff", "no shop.Poison"),
        case(
            "an unknown value of an enum",
            b"\x08\x01\x18\x09",
            "the enum shop.Kind has no value 9",
        ),
        case("text", GOOD, "no shop.Poison"),
        case("groups without end", [0x23_u8; 300], "no shop.Poison"),
        row("an empty message is one of defaults", b""),
        row("an unknown field", b"\x08\x01\xa2\x06\x02hi"),
    ]
}

fn cases(subject: &Subject) -> Vec<Case> {
    match subject.format.name {
        "json" => json_cases(<[u8]>::to_vec),
        "debezium-json" => {
            json_cases(|row| [&b"{\"before\":null,\"after\":"[..], row, b",\"op\":\"c\"}"].concat())
        }
        "canal-json" => {
            json_cases(|row| [&b"{\"data\":["[..], row, b"],\"type\":\"INSERT\"}"].concat())
        }
        "csv" => csv_cases(),
        "raw" => vec![case("no UTF-8", b"\xff\xfe", "UTF-8"), row("empty", "")],
        "avro" => avro_cases(&subject.good),
        "avro-confluent" => confluent_cases(&subject.good),
        "protobuf" => protobuf_cases(),
        other => panic!("there is no poison for {other}"),
    }
}

/// The good rows of a batch that also has the rows of poison that is none.
fn check_rows(subject: &Subject, found: &RecordBatch, goods: &[Range<usize>]) {
    let good = subject.row();
    for range in goods {
        assert_eq!(range.len(), 1, "{}", subject.format.name);
        assert_eq!(found.slice(range.start, 1), good, "{}", subject.format.name);
    }
}

#[test]
fn every_format_has_its_poison() {
    for format in TEXT_FORMATS {
        let subject = subject(format.name);
        assert!(cases(&subject).len() > 1, "{}", format.name);
    }
}

#[test]
fn poison_in_messages_costs_itself_only() {
    let mut wrong = Vec::new();
    for format in TEXT_FORMATS {
        let subject = subject(format.name);
        let mut decoder = subject.decoder();
        let mut goods = Vec::new();
        for (name, record, says) in cases(&subject) {
            let start = decoder.rows();
            decoder.decode_record(&subject.good).unwrap();
            goods.push(start..decoder.rows());
            let before = decoder.rows();
            let read = decoder.decode_record(&record);
            let added = decoder.rows() - before;
            match (&read, says) {
                (Err(reason), Some(says)) if added == 0 && reason.contains(says) => {}
                (Ok(()), None) if added == 1 => {}
                _ => wrong.push(format!("{}: {name}: {read:?}, {added} rows", format.name)),
            }
            assert_eq!(decoder.take_failure(), None);
        }
        let start = decoder.rows();
        decoder.decode_record(&subject.good).unwrap();
        goods.push(start..decoder.rows());
        check_rows(&subject, &decoder.finish().unwrap(), &goods);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn poison_in_lines_is_told_by_its_place() {
    for name in ["json", "debezium-json", "canal-json", "csv", "raw"] {
        let subject = subject(name);
        let (mut file, mut expected, mut goods) = (Vec::new(), Vec::new(), 0);
        for (number, (_, record, says)) in cases(&subject).into_iter().enumerate() {
            // A blank line is no record, and no row either, in all formats but raw.
            if says.is_none() || record.is_empty() {
                continue;
            }
            for _ in 0..=number % 3 {
                file.extend_from_slice(&subject.good);
                file.push(b'\n');
                goods += 1;
            }
            let line = memchr::memchr_iter(b'\n', &file).count() as u64;
            expected.push((file.len(), line, record.clone()));
            file.extend_from_slice(&record);
            file.push(b'\n');
        }
        file.extend_from_slice(&subject.good);
        goods += 1;
        let mut decoder = subject.decoder();
        decoder.start_file();
        let mut bad = Vec::new();
        let done = decoder.decode(&file, true, usize::MAX, &mut bad).unwrap();
        assert_eq!(done.consumed, file.len(), "{name}");
        let place = |BadRecord { offset, line, bytes, .. }| (offset, line, bytes);
        let found: Vec<_> = bad.into_iter().map(place).collect();
        let places = |all: &[(usize, u64, Vec<u8>)]| -> Vec<(usize, u64)> {
            all.iter().map(|(offset, line, _)| (*offset, *line)).collect()
        };
        assert_eq!(places(&found), places(&expected), "{name}");
        assert!(found == expected, "{name}: other bytes are kept");
        let rows = decoder.finish().unwrap();
        let good = subject.row();
        let all: Vec<RecordBatch> = (0..goods).map(|_| good.clone()).collect();
        assert_eq!(rows, concat_batches(&good.schema(), &all).unwrap(), "{name}");
    }
}

#[test]
fn a_record_of_many_megabytes_is_a_record() {
    let long = "x".repeat(32 << 20);
    let subject = subject("json");
    let mut decoder = subject.decoder();
    decoder.decode_record(format!(r#"{{"id":1,"name":"{long}"}}"#).as_bytes()).unwrap();
    let cut = format!(r#"{{"id":1,"name":"{long}"#);
    assert!(decoder.decode_record(cut.as_bytes()).is_err());
    decoder.decode_record(&subject.good).unwrap();
    let rows = decoder.finish().unwrap();
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[1, 7]);
    assert_eq!(rows.column(1).as_string::<i32>().value(0).len(), long.len());
}

/// The memory of this process, as Linux tells it.
fn resident_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages * 4096)
}

#[test]
fn nothing_but_poison_takes_no_memory() {
    const BYTES: usize = 64 << 10;
    const RECORDS: usize = 8_000;
    for name in ["json", "csv", "avro", "protobuf"] {
        let subject = subject(name);
        let mut decoder = subject.decoder();
        // The good part of a record that is bad at its end: all of it was taken in before.
        let text = "y".repeat(BYTES);
        let mut avro = vec![2, 2];
        super::avro::write_length(&mut avro, BYTES);
        avro.extend_from_slice(text.as_bytes());
        let poison = match name {
            "json" => format!(r#"{{"id":1,"name":"{text}","n":x}}"#).into_bytes(),
            "csv" => format!("1,{text},,,x,,,").into_bytes(),
            "avro" => avro,
            _ => [&b"\x12\xff\xff\xff\x7f"[..], text.as_bytes()].concat(),
        };
        for _ in 0..100 {
            assert!(decoder.decode_record(&poison).is_err(), "{name}");
        }
        let Some(before) = resident_bytes() else { return };
        for _ in 0..RECORDS {
            assert!(decoder.decode_record(&poison).is_err(), "{name}");
        }
        let after = resident_bytes().unwrap_or(before);
        // Other tests run beside this one; kept records would be half a gigabyte.
        let grown = after.saturating_sub(before);
        assert!(grown < RECORDS * BYTES / 2, "{name}: {grown} bytes more");
        // Half a gigabyte of poison fills no batch: the next good record is a row.
        decoder.decode_record(&subject.good).unwrap();
        assert_eq!(decoder.finish().unwrap(), subject.row(), "{name}");
    }
}

/// What happens to a good record on its way.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Flip(usize, u8),
    Insert(usize, u8),
    Other(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        prop::collection::vec(any::<u8>(), 0..64).prop_map(Damage::Other),
    ]
}

impl Damage {
    fn done_to(&self, good: &[u8]) -> Vec<u8> {
        let mut record = good.to_vec();
        match self {
            Self::Cut(at) => record.truncate(at % good.len()),
            Self::Flip(at, bit) => record[at % good.len()] ^= 1 << bit,
            Self::Insert(at, byte) => record.insert(at % good.len(), *byte),
            Self::Other(bytes) => record = bytes.clone(),
        }
        record
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Whatever comes, there is an answer, and what is good beside it stays as it is.
    #[test]
    fn damage_never_reaches_the_next_record(
        damages in prop::collection::vec(damage(), 1..8),
        place in 0..8_usize,
    ) {
        // The registry is asked for numbers that are not known: slow, and tested by itself.
        let name = ["json", "debezium-json", "canal-json", "csv", "raw", "avro", "protobuf"];
        let subject = subject(name[place % name.len()]);
        let mut decoder = subject.decoder();
        let good = subject.row();
        let mut goods = Vec::new();
        for damage in &damages {
            goods.push(decoder.rows());
            decoder.decode_record(&subject.good).unwrap();
            let before = decoder.rows();
            if decoder.decode_record(&damage.done_to(&subject.good)).is_err() {
                prop_assert_eq!(decoder.rows(), before, "a bad record left a row");
            }
        }
        goods.push(decoder.rows());
        decoder.decode_record(&subject.good).unwrap();
        let rows = decoder.finish().unwrap();
        for at in goods {
            prop_assert_eq!(&rows.slice(at, 1), &good);
        }
    }
}
