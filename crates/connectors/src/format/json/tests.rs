//! The fast way equals the careful way, and both equal a plain reading with serde_json.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;
use serde_json::Value;

use super::value::Rules;
use super::{JsonDecoder, JsonEncoder};
use crate::format::text::TimestampStyle;
use crate::format::{BadRecord, Decoder, Encoder, ReadColumns};

const STRICT: Rules =
    Rules { fail_on_missing: false, ignore_errors: false, style: TimestampStyle::Sql };

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect();
    Arc::new(Schema::new(fields))
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

fn list(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", element, true)))
}

fn map(value: DataType) -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", value, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn row(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(schema(fields).fields().clone())
}

/// Decodes a text in cuts of at most `cut` bytes and `rows_max` rows.
fn decode_in(
    mut decoder: JsonDecoder,
    text: &[u8],
    cut: usize,
    rows_max: usize,
) -> (Vec<RecordBatch>, Vec<BadRecord>) {
    let (mut batches, mut bad) = (Vec::new(), Vec::new());
    let (mut at, mut line, mut end) = (0, 0, 0);
    loop {
        end = (end + cut).min(text.len());
        loop {
            let mut found = Vec::new();
            let last = end == text.len();
            let step = decoder.decode(&text[at..end], last, rows_max, &mut found).unwrap();
            for mut record in found {
                record.offset += at;
                record.line += line;
                bad.push(record);
            }
            at += step.consumed;
            line += step.lines;
            if decoder.rows() < rows_max {
                break;
            }
            batches.push(decoder.finish().unwrap());
        }
        if end == text.len() {
            batches.push(decoder.finish().unwrap());
            assert_eq!(at, text.len());
            return (batches, bad);
        }
    }
}

fn decode(schema: &SchemaRef, rules: Rules, text: &str) -> (RecordBatch, Vec<BadRecord>) {
    let decoder = JsonDecoder::new(&ReadColumns::all(schema), rules).unwrap();
    let (batches, bad) = decode_in(decoder, text.as_bytes(), usize::MAX / 2, usize::MAX);
    (batches.into_iter().next().unwrap(), bad)
}

/// The rows as JSON objects again: an easy way to look at any type.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let mut out = Vec::new();
    let all = 0..batch.num_rows();
    JsonEncoder::new(&batch.schema()).encode(batch, all, &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn values_of_every_type_are_read_and_written() {
    let schema = schema(&[
        ("b", DataType::Boolean),
        ("t", DataType::Int8),
        ("s", DataType::Int16),
        ("i", DataType::Int32),
        ("l", DataType::Int64),
        ("f", DataType::Float32),
        ("d", DataType::Float64),
        ("m", DataType::Decimal128(10, 2)),
        ("x", DataType::Utf8),
        ("y", DataType::Binary),
        ("day", DataType::Date32),
        ("at", DataType::Time32(TimeUnit::Millisecond)),
        ("ts", timestamp()),
        ("tz", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
        ("a", list(DataType::Int32)),
        ("o", map(DataType::Float64)),
        ("r", row(&[("p", DataType::Int64), ("q", list(DataType::Utf8))])),
    ]);
    let text = concat!(
        r#"{"b":true,"t":-128,"s":32767,"i":-5,"l":9223372036854775807,"f":1.5,"d":-2.5E10,"#,
        r#""m":12.34,"x":"a\"b\u00e9","y":"AQID","day":"2024-02-29","at":"08:26:00.5","#,
        r#""ts":"2024-01-01 00:00:00.123","tz":"2024-01-01 00:00:00.000000001Z","a":[1,null,3],"#,
        r#""o":{"k":1.0,"n":null},"r":{"p":7,"q":["u","v"]}}"#
    );
    let (batch, bad) = decode(&schema, STRICT, &format!("{text}\n{text}\n{{}}\n"));
    assert_eq!(bad, []);
    let expected = text.replace("\\u00e9", "é");
    let nulls = concat!(
        r#"{"b":null,"t":null,"s":null,"i":null,"l":null,"f":null,"d":null,"m":null,"x":null,"#,
        r#""y":null,"day":null,"at":null,"ts":null,"tz":null,"a":null,"o":null,"r":null}"#
    );
    assert_eq!(rows(&batch), [expected.as_str(), expected.as_str(), nulls]);
}

#[test]
fn conversions_are_those_of_flink() {
    let schema = schema(&[
        ("i", DataType::Int32),
        ("d", DataType::Float64),
        ("m", DataType::Decimal128(5, 2)),
        ("x", DataType::Utf8),
        ("b", DataType::Boolean),
    ]);
    let cases = [
        (r#"{"i":"12"}"#, r#"{"i":12,"d":null,"m":null,"x":null,"b":null}"#),
        (r#"{"i":" +7 "}"#, r#"{"i":7,"d":null,"m":null,"x":null,"b":null}"#),
        (r#"{"i":12.9}"#, r#"{"i":12,"d":null,"m":null,"x":null,"b":null}"#),
        (r#"{"i":-12.9e0}"#, r#"{"i":-12,"d":null,"m":null,"x":null,"b":null}"#),
        (r#"{"d":"NaN"}"#, r#"{"i":null,"d":"NaN","m":null,"x":null,"b":null}"#),
        (r#"{"d":3}"#, r#"{"i":null,"d":3.0,"m":null,"x":null,"b":null}"#),
        (r#"{"m":"1.005"}"#, r#"{"i":null,"d":null,"m":1.01,"x":null,"b":null}"#),
        (r#"{"m":12345.6}"#, r#"{"i":null,"d":null,"m":null,"x":null,"b":null}"#),
        (r#"{"x":17850.0}"#, r#"{"i":null,"d":null,"m":null,"x":"17850.0","b":null}"#),
        (r#"{"x":true}"#, r#"{"i":null,"d":null,"m":null,"x":"true","b":null}"#),
        (
            r#"{"x":{ "a" : [1, "é"]}}"#,
            r#"{"i":null,"d":null,"m":null,"x":"{\"a\":[1,\"é\"]}","b":null}"#,
        ),
        (r#"{"b":"TRUE"}"#, r#"{"i":null,"d":null,"m":null,"x":null,"b":true}"#),
        (r#"{"b":1}"#, r#"{"i":null,"d":null,"m":null,"x":null,"b":false}"#),
        (r#"{"i":1,"i":2}"#, r#"{"i":2,"d":null,"m":null,"x":null,"b":null}"#),
        (r#"{"I":1,"other":[{}]}"#, r#"{"i":null,"d":null,"m":null,"x":null,"b":null}"#),
    ];
    for (input, expected) in cases {
        let (batch, bad) = decode(&schema, STRICT, input);
        assert_eq!(bad, [], "{input}");
        assert_eq!(rows(&batch), [expected], "{input}");
    }
}

#[test]
fn a_bad_record_is_kept_with_its_place_and_the_others_go_on() {
    let schema = schema(&[("i", DataType::Int32), ("x", DataType::Utf8)]);
    let text = b"{\"i\":1,\"x\":\"a\"}\n{\"i\":\"one\",\"x\":\"b\"}\r\n\n\xff\xfe\n\
        {\"i\":2,\"x\":\"c\"} x\n{\"i\":3,\"x\":\"d\"}";
    for (cut, rows_max) in [(1000, 1000), (1, 1), (7, 2)] {
        let decoder = JsonDecoder::new(&ReadColumns::all(&schema), STRICT).unwrap();
        let (batches, bad) = decode_in(decoder, text, cut, rows_max);
        let rows: Vec<String> = batches.iter().flat_map(rows).collect();
        assert_eq!(rows, [r#"{"i":1,"x":"a"}"#, r#"{"i":3,"x":"d"}"#]);
        let places: Vec<_> = bad.iter().map(|b| (b.line, b.offset)).collect();
        assert_eq!(places, [(1, 16), (3, 38), (4, 41)]);
        assert_eq!(bad[0].reason, "column 'i': 'one' is not INT");
        assert_eq!(bad[0].bytes, b"{\"i\":\"one\",\"x\":\"b\"}");
        assert_eq!(bad[1].reason, "the record is not valid UTF-8");
        assert!(bad[2].reason.contains("expected the end of the record"));
    }
}

#[test]
fn options_decide_about_missing_fields_and_errors() {
    let schema = schema(&[("i", DataType::Int32), ("a", list(DataType::Int32))]);
    let missing = Rules { fail_on_missing: true, ..STRICT };
    let (batch, bad) = decode(&schema, missing, "{\"i\":1}\n{\"i\":1,\"a\":null}\n");
    assert_eq!(rows(&batch), [r#"{"i":1,"a":null}"#]);
    assert_eq!(bad[0].reason, "there is no field 'a'");

    let ignore = Rules { ignore_errors: true, ..STRICT };
    let text = "{\"i\":\"x\",\"a\":[1,\"y\",3]}\n{\"i\":2,\"a\":7}\nnot json\n{\"i\":3,\"a\":[}\n";
    let columns = ReadColumns::all(&schema);
    let mut decoder = JsonDecoder::new(&columns, ignore).unwrap();
    let mut bad = Vec::new();
    decoder.decode(text.as_bytes(), true, 100, &mut bad).unwrap();
    assert_eq!(bad, []);
    assert_eq!(decoder.ignored(), 5);
    let batch = decoder.finish().unwrap();
    assert_eq!(rows(&batch), [r#"{"i":null,"a":[1,null,3]}"#, r#"{"i":2,"a":null}"#]);
}

#[test]
fn not_null_columns_take_no_null() {
    let schema = Arc::new(Schema::new(vec![Field::new("i", DataType::Int32, false)]));
    let (batch, bad) = decode(&schema, STRICT, "{\"i\":1}\n{\"i\":null}\n{\"i\":2}\n{}\n");
    assert_eq!(rows(&batch), [r#"{"i":1}"#, r#"{"i":2}"#]);
    assert_eq!(bad.len(), 2);
    assert_eq!(bad[0].reason, "column 'i' is NOT NULL");
}

#[test]
fn only_wanted_columns_are_read_in_the_wanted_order() {
    let schema = schema(&[("a", DataType::Int32), ("b", DataType::Utf8), ("c", DataType::Int32)]);
    let mut columns = ReadColumns::all(&schema);
    columns.wanted = vec![2, 0];
    let text = "{\"a\":1,\"b\":7,\"c\":3}\n{\"a\":4,\"b\":{\"z\":[]},\"c\":6}\n";
    let decoder = JsonDecoder::new(&columns, STRICT).unwrap();
    let (batches, bad) = decode_in(decoder, text.as_bytes(), 1000, 1000);
    assert_eq!(bad, []);
    assert_eq!(rows(&batches[0]), [r#"{"c":3,"a":1}"#, r#"{"c":6,"a":4}"#]);
    columns.wanted = vec![];
    let decoder = JsonDecoder::new(&columns, STRICT).unwrap();
    let (batches, _) = decode_in(decoder, text.as_bytes(), 1000, 1000);
    assert_eq!((batches[0].num_rows(), batches[0].num_columns()), (2, 0));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_record() {
    let schema = schema(&[("i", DataType::Int32)]);
    let (batch, bad) = decode(&schema, STRICT, "\u{feff}{\"i\":1}\n");
    assert_eq!((rows(&batch), bad), (vec![r#"{"i":1}"#.to_owned()], vec![]));
}

/// Records in which everything varies that a layout could be wrong about.
fn records() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => any::<i32>().prop_map(|i| i.to_string()),
        1 => any::<f64>().prop_map(|f| format!("{f:e}")),
        4 => "[a-z é\"\\\\\u{1}\n€]{0,20}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        1 => Just("null".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("[1, 2,{\"a\":\"]\"}]".to_owned()),
        1 => Just("{\"i\": 5,\"n\":[[]]}".to_owned()),
        1 => Just("\"2024-01-01 00:00:00.5\"".to_owned()),
        1 => Just("01".to_owned()),
        1 => Just("\"\\ud83d\\ude00\"".to_owned()),
        1 => Just("tru".to_owned()),
    ];
    let key = prop_oneof![
        8 => prop::sample::select(vec!["i", "x", "t", "l", "d", "other"]).prop_map(str::to_owned),
        1 => Just("\\u0069".to_owned()),
    ];
    let space = prop::sample::select(vec!["", "", "", " ", "\t"]);
    let member = (space.clone(), key, space, value)
        .prop_map(|(a, key, b, value)| format!("{a}\"{key}\":{b}{value}{a}"));
    let free = prop::collection::vec(member, 0..6).prop_map(|m| format!("{{{}}}", m.join(",")));
    let regular = (any::<i64>(), "[ -~]{0,30}", 0u32..1000).prop_map(|(i, x, ms)| {
        let x = serde_json::to_string(&x).unwrap();
        format!(r#"{{"i":{i},"x":{x},"t":"2024-01-01 00:00:00.{ms:03}","l":[1],"d":0.5}}"#)
    });
    let broken = prop::sample::select(vec!["", " ", "{", "}", "[]", "{\"i\":1", "{\"i\":1}}", "x"]);
    prop_oneof![6 => regular, 6 => free, 1 => broken.prop_map(str::to_owned)]
}

fn expected_row(line: &str) -> Option<(Option<i64>, Option<String>, Option<f64>)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let object = value.as_object()?;
    let member = |name| object.get(name).filter(|v| !v.is_null());
    let i = match member("i") {
        None => None,
        Some(Value::Number(n)) => Some(n.as_i64().or_else(|| {
            let f = n.as_f64()?.trunc();
            (f.abs() < 9e18).then_some(f as i64)
        })?),
        Some(Value::String(s)) => Some(s.trim().parse().ok()?),
        Some(_) => return None,
    };
    let x = member("x").map(|v| match v {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    });
    let d = match member("d") {
        None => None,
        Some(Value::Number(n)) => Some(n.as_f64()?),
        Some(Value::String(s)) => Some(s.trim().parse().ok()?),
        Some(_) => return None,
    };
    Some((i, x, d))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_fast_way_is_the_careful_way(
        lines in prop::collection::vec(records(), 0..30),
        cut in 1usize..200,
        rows_max in 1usize..10,
        ignore_errors: bool,
    ) {
        let schema = schema(&[
            ("i", DataType::Int64),
            ("x", DataType::Utf8),
            ("t", timestamp()),
            ("l", list(DataType::Int32)),
            ("d", DataType::Float64),
        ]);
        let columns = ReadColumns::all(&schema);
        let rules = Rules { ignore_errors, ..STRICT };
        let text = lines.join("\n").into_bytes();
        let careful = JsonDecoder::new(&columns, rules).unwrap().careful_only();
        let expected = decode_in(careful, &text, usize::MAX / 2, usize::MAX);
        let fast = JsonDecoder::new(&columns, rules).unwrap();
        let found = decode_in(fast, &text, cut, rows_max);
        let all = |batches: &[RecordBatch]| {
            batches.iter().flat_map(rows).collect::<Vec<_>>()
        };
        prop_assert_eq!(all(&found.0), all(&expected.0));
        prop_assert_eq!(found.1, expected.1);
    }

    #[test]
    fn both_ways_are_what_serde_json_reads(lines in prop::collection::vec(records(), 0..20)) {
        let schema = schema(&[
            ("i", DataType::Int64),
            ("x", DataType::Utf8),
            ("d", DataType::Float64),
        ]);
        // Of a name that comes twice serde_json looks at the last value alone; Flink reads both.
        let twice = |line: &str| {
            let count = |name: &str| line.matches(&format!("{name}\":")).count();
            count("i") + count("\\u0069") > 1 || count("x") > 1 || count("d") > 1
        };
        let lines: Vec<String> =
            lines.into_iter().filter(|l| !l.trim().is_empty() && !twice(l)).collect();
        let (batch, bad) = decode(&schema, STRICT, &lines.join("\n"));
        let mut expected = Vec::new();
        for line in &lines {
            // A number as text keeps its digits, which serde_json does not.
            expected.extend(expected_row(line));
        }
        prop_assert_eq!(batch.num_rows(), expected.len());
        prop_assert_eq!(batch.num_rows() + bad.len(), lines.len());
        for (at, (i, x, d)) in expected.into_iter().enumerate() {
            let found: Value = serde_json::from_str(&rows(&batch.slice(at, 1))[0]).unwrap();
            // serde_json reads a double as a neighbour of the nearest one at times, which shows in
            // whole numbers of more than 53 bits: there the next double passes too.
            let near = match (found["i"].as_i64(), i) {
                (Some(found), Some(i)) => {
                    let slack = if i.unsigned_abs() > 1 << 53 { 1_024 } else { 0 };
                    found.abs_diff(i) <= slack
                }
                (found, i) => found == i,
            };
            prop_assert!(near, "{} {:?}", found["i"], i);
            let same = match (found["x"].as_str(), &x) {
                (Some(found), Some(x)) => {
                    found == x || serde_json::from_str::<f64>(found).ok() == x.parse().ok()
                }
                (found, x) => found.is_none() && x.is_none(),
            };
            prop_assert!(same, "{} {:?}", found["x"], x);
            prop_assert_eq!(found["d"].as_f64(), d);
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        values in prop::collection::vec(
            (any::<i64>(), any::<String>(), any::<Option<i32>>(), any::<u64>()), 1..20),
    ) {
        use arrow::array::{Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
        let days = Arc::new(arrow::array::Date32Array::from_iter(
            values.iter().map(|v| v.2.map(|d| d % 700_000)),
        ));
        let times = TimestampMicrosecondArray::from_iter_values(
            values.iter().map(|v| (v.3 % 4_000_000_000_000_000) as i64),
        );
        let money = Decimal128Array::from_iter_values(values.iter().map(|v| i128::from(v.0)))
            .with_precision_and_scale(20, 4)
            .unwrap();
        let columns: Vec<(&str, Arc<dyn Array>)> = vec![
            ("l", Arc::new(Int64Array::from_iter_values(values.iter().map(|v| v.0)))),
            ("x \"é", Arc::new(StringArray::from_iter_values(values.iter().map(|v| &v.1)))),
            ("day", days),
            ("t", Arc::new(times)),
            ("m", Arc::new(money)),
        ];
        let fields: Vec<Field> = columns
            .iter()
            .map(|(n, a)| Field::new(*n, a.data_type().clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns.into_iter().map(|c| c.1).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
        let text = rows(&batch).join("\n");
        let (again, bad) = decode(&schema, STRICT, &text);
        prop_assert_eq!(bad, vec![]);
        prop_assert_eq!(again, batch);
    }
}
