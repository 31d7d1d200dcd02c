//! Avro as its specification and Flink have it: bytes worked out by hand, schemas resolved, files
//! that arrow-avro reads and has written, and a registry on this machine.

use std::io::{BufRead, BufReader, Cursor as Bytes, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Fields, Int32Type, Int64Type, Schema as Columns,
    Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::confluent::{ConfluentDecoder, ConfluentEncoder};
use super::registry::Registry;
use super::*;
use crate::format::tests::sample;

fn table(fields: Vec<Field>, options: &[(&str, &str)]) -> TableSpec {
    TableSpec::new("t", Arc::new(Columns::new(fields)), options.iter().copied())
}

fn nullable(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn decoder(spec: &TableSpec) -> Box<dyn Decoder> {
    (FORMAT.decoder)(&Options::new(spec), ReadColumns::all(&spec.schema)).unwrap()
}

fn encode(spec: &TableSpec, batch: &RecordBatch) -> Vec<Vec<u8>> {
    let mut encoder = (FORMAT.encoder)(&Options::new(spec), spec.schema.clone()).unwrap();
    (0..batch.num_rows())
        .map(|row| {
            let mut out = Vec::new();
            encoder.encode(batch, row..row + 1, &mut out).unwrap();
            assert_eq!(out.pop(), Some(b'\n'));
            out
        })
        .collect()
}

/// Reads one record that was written with a schema into the columns of a table.
fn resolved(writer: &Value, bytes: &[u8], fields: Vec<Field>) -> Result<RecordBatch, String> {
    let columns = ReadColumns::all(&Arc::new(Columns::new(fields)));
    let mut rows = Rows::new(&columns, NAME).unwrap();
    let schema = Schema::parse(&writer.to_string(), &[])?;
    let plan = RecordPlan::new(&schema, rows.slots())?;
    let mut cursor = Cursor::new(bytes);
    let read =
        rows.add::<cursor::Fault>(bytes.len(), |slots| plan.read(&schema, slots, &mut cursor));
    read.map_err(|e| e.to_string())?;
    assert!(cursor.is_at_end(), "{} bytes are left", cursor.rest().len());
    Ok(rows.finish().unwrap())
}

fn record(fields: Value) -> Value {
    json!({ "type": "record", "name": "r", "fields": fields })
}

#[test]
fn the_schema_of_a_table_is_the_one_that_flink_derives() {
    let row = Fields::from(vec![Field::new("x", DataType::Float64, false)]);
    let fields = [
        Field::new("id", DataType::Int64, false),
        nullable("small", DataType::Int16),
        nullable("price", DataType::Decimal128(10, 2)),
        nullable("ts", DataType::Timestamp(TimeUnit::Millisecond, None)),
        nullable("tags", DataType::List(Arc::new(nullable("item", DataType::Utf8)))),
        nullable("sub", DataType::Struct(row)),
    ];
    let expected = json!({
        "type": "record", "name": "record", "namespace": "org.apache.flink.avro.generated",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "small", "type": ["null", "int"], "default": null},
            {"name": "price", "type": ["null", {"type": "bytes", "logicalType": "decimal",
                "precision": 10, "scale": 2}], "default": null},
            {"name": "ts", "type": ["null", {"type": "long",
                "logicalType": "timestamp-millis"}], "default": null},
            {"name": "tags", "type": ["null", {"type": "array",
                "items": ["null", "string"]}], "default": null},
            {"name": "sub", "type": ["null", {"type": "record", "name": "record_sub",
                "fields": [{"name": "x", "type": "double"}]}], "default": null},
        ],
    });
    assert_eq!(schema::derive(&fields, true).unwrap(), expected);
    let micros = nullable("t6", DataType::Timestamp(TimeUnit::Microsecond, None));
    let zoned = nullable("z", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())));
    for (field, word) in [(&micros, "at most 3 digits"), (&zoned, "TIMESTAMP_LTZ")] {
        let no_form = schema::derive(std::slice::from_ref(field), true).unwrap_err();
        assert!(no_form.reason.contains(word), "{}", no_form.reason);
        assert!(no_form.reason.contains("legacy"), "{}", no_form.reason);
    }
    let both = schema::derive(&[micros, zoned], false).unwrap().to_string();
    assert!(both.contains("local-timestamp-micros") && both.contains("\"timestamp-millis\""));
    let odd = schema::derive(&[nullable("a b", DataType::Utf8)], true).unwrap_err();
    assert!(odd.reason.contains("letters"), "{}", odd.reason);
}

#[test]
fn a_record_has_the_bytes_of_the_specification() {
    let spec = table(
        vec![
            Field::new("id", DataType::Int64, false),
            nullable("name", DataType::Utf8),
            nullable("price", DataType::Decimal128(10, 2)),
        ],
        &[],
    );
    // 64 is 0x80 0x01; a name of 2 bytes; -1.29 is -129, 0xff7f in two bytes.
    let bytes = b"\x80\x01\x02\x04hi\x02\x04\xff\x7f";
    let mut decoder = decoder(&spec);
    decoder.decode_record(bytes).unwrap();
    decoder.decode_record(b"\x01\x00\x00").unwrap();
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[64, -1]);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "hi");
    assert_eq!(batch.column(2).as_primitive::<Decimal128Type>().value(0), -129);
    assert!(batch.column(1).is_null(1) && batch.column(2).is_null(1));
    assert_eq!(encode(&spec, &batch), [bytes.to_vec(), b"\x01\x00\x00".to_vec()]);
}

#[test]
fn what_is_written_is_read_back_and_a_part_of_the_columns_too() {
    let batch = sample();
    let fields: Vec<Field> = batch.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let spec = table(fields, &[("avro.timestamp_mapping.legacy", "false")]);
    let mut all = decoder(&spec);
    let columns = ReadColumns { wanted: vec![3, 0], ..ReadColumns::all(&spec.schema) };
    let mut some = (FORMAT.decoder)(&Options::new(&spec), columns).unwrap();
    for record in encode(&spec, &batch) {
        all.decode_record(&record).unwrap();
        some.decode_record(&record).unwrap();
    }
    assert_eq!(all.finish().unwrap(), batch);
    assert_eq!(some.finish().unwrap(), batch.project(&[3, 0]).unwrap());
}

#[test]
fn a_writers_schema_is_resolved_against_the_columns() {
    let writer = record(json!([
        {"name": "gone", "type": {"type": "map", "values": ["null", {"type": "array",
            "items": {"type": "record", "name": "inner", "fields": [
                {"name": "next", "type": ["null", "inner"]}]}}]}},
        {"name": "b", "type": "int"},
        {"name": "kind", "type": {"type": "enum", "name": "k", "symbols": ["NEW", "OLD"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "cost", "type": {"type": "fixed", "name": "f", "size": 3,
            "logicalType": "decimal", "precision": 6, "scale": 3}},
        {"name": "u", "type": ["string", "null", "long"]},
    ]));
    let bytes = [
        // One entry "k" in a block with its size, an array of one record that ends a chain of two.
        &[1_u8, 10, 2, b'k', 2, 2, 2, 0, 0, 0][..],
        // b = 7, OLD, 1_500_999 us, 1.235, branch 2: 9
        &[14, 2],
        &[0xce, 0x9c, 0xb7, 1],
        &[0, 4, 0xd3],
        &[4, 18],
    ]
    .concat();
    let read = resolved(
        &writer,
        &bytes,
        vec![
            nullable("u", DataType::Int64),
            nullable("missing", DataType::Utf8),
            nullable("b", DataType::Float64),
            nullable("kind", DataType::Utf8),
            nullable("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
            nullable("cost", DataType::Decimal128(5, 2)),
        ],
    )
    .unwrap();
    assert_eq!(read.column(0).as_primitive::<Int64Type>().value(0), 9);
    assert!(read.column(1).is_null(0));
    assert_eq!(read.column(2).as_primitive::<arrow::datatypes::Float64Type>().value(0), 7.0);
    assert_eq!(read.column(3).as_string::<i32>().value(0), "OLD");
    assert_eq!(read.column(4).as_primitive::<TimestampMillisecondType>().value(0), 1500);
    assert_eq!(read.column(5).as_primitive::<Decimal128Type>().value(0), 124);
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let writer = record(json!([{"name": "a", "type": ["null", "string"]}]));
    let unfit = resolved(&writer, b"\x00", vec![nullable("a", DataType::Int64)]).unwrap_err();
    assert_eq!(unfit, "field 'a': a string of the writer's schema fits no BIGINT");
    let missing = vec![Field::new("b", DataType::Int64, false)];
    let missing = resolved(&writer, b"\x00", missing).unwrap_err();
    assert!(missing.contains("no field 'b', which is NOT NULL"), "{missing}");
    let null = vec![Field::new("a", DataType::Utf8, false)];
    assert_eq!(resolved(&writer, b"\x00", null).unwrap_err(), "column 'a' is NOT NULL");
    let small = record(json!([{"name": "a", "type": "int"}]));
    let wide = resolved(&small, b"\x80\x02", vec![nullable("a", DataType::Int8)]).unwrap_err();
    assert_eq!(wide, "column 'a': 128 is no TINYINT");
    for (text, word) in [
        ("{", "not JSON"),
        (r#"{"type":"record","name":"r","fields":[{"name":"a","type":"nix"}]}"#, "no type 'nix'"),
        (r#"{"type":"record","name":"r"}"#, "no 'fields'"),
        (r#"{"type":"fixed","name":"f","size":-1}"#, "'size'"),
        ("[]", "no branch"),
    ] {
        let error = Schema::parse(text, &[]).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
    let plain = Schema::parse("\"long\"", &[]).unwrap();
    assert!(RecordPlan::new(&plain, &[]).unwrap_err().contains("not a record"));
}

#[test]
fn times_dates_and_decimals_at_their_edges() {
    let writer = record(json!([
        {"name": "d", "type": {"type": "int", "logicalType": "date"}},
        {"name": "t", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "ts", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "n", "type": "bytes"},
    ]));
    let fields = || {
        vec![
            nullable("d", DataType::Date32),
            nullable("t", DataType::Time32(TimeUnit::Millisecond)),
            nullable("ts", DataType::Timestamp(TimeUnit::Microsecond, None)),
            nullable("n", DataType::Decimal128(3, 1)),
        ]
    };
    // Day -1, 1999 us, -1 ms, and a number that has more digits than the column: null, as in Flink.
    let bytes = [&[1_u8, 0x9e, 0x1f, 1, 4][..], &[0x7f, 0xff]].concat();
    let read = resolved(&writer, &bytes, fields()).unwrap();
    assert_eq!(read.column(0).as_primitive::<Date32Type>().value(0), -1);
    assert_eq!(read.column(1).as_primitive::<Time32MillisecondType>().value(0), 1);
    assert_eq!(read.column(2).as_primitive::<TimestampMicrosecondType>().value(0), -1000);
    assert!(read.column(3).is_null(0));
    // The largest timestamp of milliseconds has no microseconds.
    let mut far = vec![0, 0];
    cursor::write_long(&mut far, i64::MAX);
    far.extend([2, 1]);
    assert!(resolved(&writer, &far, fields()).unwrap_err().contains("no TIMESTAMP"));
    let long = [&[0_u8, 0, 0, 40][..], &[0xff; 20]].concat();
    let read = resolved(&writer, &long, fields()).unwrap();
    assert_eq!(read.column(3).as_primitive::<Decimal128Type>().value(0), -1);
}

/// Lengths and counts that promise more than there is cost an error, not memory.
#[test]
fn promises_are_not_believed() {
    let writer = record(json!([
        {"name": "a", "type": {"type": "array", "items": "null"}},
        {"name": "s", "type": "string"},
    ]));
    let fields = || {
        vec![
            nullable("a", DataType::List(Arc::new(nullable("item", DataType::Utf8)))),
            nullable("s", DataType::Utf8),
        ]
    };
    let mut huge = Vec::new();
    cursor::write_long(&mut huge, i64::MAX);
    assert!(resolved(&writer, &huge, fields()).unwrap_err().contains("do not fit"));
    // Many blocks of elements that take no byte.
    let blocks = [0xfe_u8, 0x3f].repeat(1000);
    assert!(resolved(&writer, &blocks, fields()).unwrap_err().contains("do not fit"));
    let mut long = vec![0_u8];
    cursor::write_long(&mut long, i64::MAX);
    assert!(resolved(&writer, &long, fields()).unwrap_err().contains("ends too early"));
    let mut negative = vec![0_u8];
    cursor::write_long(&mut negative, -5);
    assert!(resolved(&writer, &negative, fields()).unwrap_err().contains("a length is -5"));
    // A record within itself without an end.
    let nested = json!({"type": "record", "name": "n", "fields": [
        {"name": "skipped", "type": "n"}]});
    assert!(resolved(&nested, &[], vec![]).unwrap_err().contains("nested too deeply"));
}

fn read_file(spec: &TableSpec, bytes: &[u8], cut: usize) -> (Vec<RecordBatch>, Vec<BadRecord>) {
    let mut decoder = decoder(spec);
    let (mut batches, mut bad) = (Vec::new(), Vec::new());
    let (mut at, mut end, mut lines) = (0, 0, 0);
    decoder.start_file();
    loop {
        end = (end + cut).min(bytes.len());
        let last = end == bytes.len();
        let mut found = Vec::new();
        let done = decoder.decode(&bytes[at..end], last, 1, &mut found).unwrap();
        bad.extend(found.into_iter().map(|b| BadRecord { line: b.line + lines, ..b }));
        (at, lines) = (at + done.consumed, lines + done.lines);
        if decoder.rows() > 0 {
            batches.push(decoder.finish().unwrap());
        }
        if last && at == end || last && done == Progress::default() {
            return (batches, bad);
        }
    }
}

fn write_file(spec: &TableSpec, batches: &[RecordBatch]) -> Vec<u8> {
    let mut encoder = (FORMAT.encoder)(&Options::new(spec), spec.schema.clone()).unwrap();
    let mut out = Vec::new();
    encoder.start(&mut out);
    for batch in batches {
        encoder.encode(batch, 0..batch.num_rows(), &mut out).unwrap();
    }
    out
}

fn file_table(codec: &str) -> TableSpec {
    let fields: Vec<Field> =
        sample().schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    table(fields, &[("avro.timestamp_mapping.legacy", "false"), ("avro.codec", codec)])
}

fn joined(batches: &[RecordBatch]) -> RecordBatch {
    arrow::compute::concat_batches(&sample().schema(), batches).unwrap()
}

#[test]
fn files_are_read_back_in_any_cut_with_every_codec() {
    let batch = sample();
    for codec in CODECS {
        let spec = file_table(codec);
        let file = write_file(&spec, &[batch.clone(), batch.slice(1, 2)]);
        for cut in [1, 7, 100, 1 << 20] {
            let (batches, bad) = read_file(&spec, &file, cut);
            assert!(bad.is_empty(), "{codec} {cut}: {bad:?}");
            assert_eq!(joined(&batches), joined(&[batch.clone(), batch.slice(1, 2)]));
        }
    }
    let empty = write_file(&file_table("null"), &[]);
    assert_eq!(read_file(&file_table("null"), &empty, 5), (vec![], vec![]));
    let mut decoder = decoder(&file_table("null"));
    let foreign = decoder.decode(b"PAR1....", true, 10, &mut Vec::new()).unwrap_err();
    assert!(foreign.contains("no Avro file"), "{foreign}");
}

/// What arrow-avro writes we read, and what we write it reads.
#[test]
fn arrow_avro_agrees_about_files() {
    let batch = sample();
    let plain: Vec<usize> = (0..batch.num_columns()).collect();
    let batch = batch.project(&plain).unwrap();
    let spec = file_table("deflate");
    let ours = write_file(&spec, std::slice::from_ref(&batch));
    let theirs = arrow_avro::reader::ReaderBuilder::new().build(Bytes::new(ours)).unwrap();
    let read: Vec<RecordBatch> = theirs.collect::<Result<_, _>>().unwrap();
    assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), batch.num_rows());
    for (index, column) in batch.columns().iter().enumerate() {
        let show = |array: &dyn Array, row: usize| {
            arrow::util::display::array_value_to_string(array, row).unwrap()
        };
        for row in 0..batch.num_rows() {
            let name = batch.schema_ref().field(index).name();
            assert_eq!(show(read[0].column(index), row), show(column, row), "{name} {row}");
        }
    }
    let mut file = Vec::new();
    let mut writer =
        arrow_avro::writer::AvroWriter::new(&mut file, batch.schema().as_ref().clone()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let (batches, bad) = read_file(&spec, &file, 1 << 20);
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(joined(&batches), batch);
}

#[test]
fn damage_costs_its_block_only() {
    let batch = sample();
    let spec = file_table("null");
    let parts: Vec<RecordBatch> = (0..batch.num_rows()).map(|r| batch.slice(r, 1)).collect();
    let blocks: Vec<usize> =
        (0..=parts.len()).map(|n| write_file(&spec, &parts[..n]).len()).collect();
    let good = write_file(&spec, &parts);
    // The count of the second block, its length, its mark.
    for place in [blocks[1], blocks[1] + 1, blocks[2] - 3] {
        let mut broken = good.clone();
        broken[place] ^= 0x55;
        let (batches, bad) = read_file(&spec, &broken, 1 << 20);
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert!(!bad.is_empty(), "byte {place} is not noticed");
        assert!(rows + 2 >= parts.len(), "byte {place} costs {} rows", parts.len() - rows);
        assert_eq!(joined(&batches[..1]), parts[0], "what stands before is untouched");
    }
    // A file that was cut.
    let (batches, bad) = read_file(&spec, &good[..blocks[2] - 1], 1 << 20);
    assert_eq!((batches.len(), bad.len(), bad[0].line), (1, 1, 1));
    assert!(bad[0].reason.contains("ends within a block"), "{}", bad[0].reason);
}

#[test]
fn a_value_that_does_not_fit_costs_its_record_only() {
    let wide = table(vec![Field::new("a", DataType::Int64, false)], &[("avro.codec", "null")]);
    let values = arrow::array::Int64Array::from(vec![1, 1 << 40, 3]);
    let batch = RecordBatch::try_new(wide.schema.clone(), vec![Arc::new(values)]).unwrap();
    let file = write_file(&wide, &[batch]);
    let narrow = table(vec![Field::new("a", DataType::Int32, false)], &[]);
    let (batches, bad) = read_file(&narrow, &file, 1 << 20);
    assert_eq!(batches[0].column(0).as_primitive::<Int32Type>().values(), &[1, 3]);
    assert_eq!((bad.len(), bad[0].line), (1, 1));
    assert_eq!(bad[0].reason, "column 'a': 1099511627776 is no INT");
}

type Served = Arc<Mutex<Vec<(String, String)>>>;

/// A registry that knows two schemas, and answers 503 to the first requests.
fn registry(busy: usize) -> (String, Served) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let served: Served = Arc::default();
    let log = Arc::clone(&served);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut head) = (String::new(), String::new());
            reader.read_line(&mut line).unwrap();
            let mut len = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                if let Some(text) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    len = text.trim().parse().unwrap();
                }
                if header.trim().is_empty() {
                    break;
                }
                head.push_str(&header);
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body).unwrap();
            let path = line.split_whitespace().nth(1).unwrap().to_owned();
            let text = String::from_utf8(body).unwrap();
            log.lock().unwrap().push((path.clone(), format!("{head}{text}")));
            let (status, answer) = match number < busy {
                true => (503, json!({"message": "busy"})),
                false => answer_of(&path),
            };
            let answer = answer.to_string();
            let mut stream = stream;
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    (url, served)
}

fn answer_of(path: &str) -> (u16, Value) {
    let v1 = record(json!([
        {"name": "id", "type": "int"}, {"name": "name", "type": "string"}]));
    let v2 = record(json!([
        {"name": "extra", "type": "double"},
        {"name": "id", "type": ["null", "long"]},
        {"name": "at", "type": "shop.At"}]));
    let at = json!({"type": "record", "name": "At", "namespace": "shop", "fields": [
        {"name": "x", "type": "int"}]});
    match path {
        "/api/schemas/ids/1" => (200, json!({"schema": v1.to_string()})),
        "/api/schemas/ids/2" => (
            200,
            json!({"schema": v2.to_string(), "references": [
            {"name": "shop.At", "subject": "a/b", "version": 3}]}),
        ),
        "/api/subjects/a%2Fb/versions/3" => (200, json!({"schema": at.to_string(), "id": 9})),
        "/api/schemas/ids/3" => (200, json!({"schema": "syntax", "schemaType": "PROTOBUF"})),
        "/api/schemas/ids/4" => (200, json!({"schema": "\"long\""})),
        "/api/subjects/orders-value/versions" => (200, json!({"id": 258})),
        "/api/subjects/other/versions" => (409, json!({"message": "not so"})),
        "/api/schemas/ids/401" => (401, json!({"message": "who are you"})),
        _ => (404, json!({"error_code": 40403})),
    }
}

fn confluent_table(url: &str, more: &[(&str, &str)]) -> TableSpec {
    let row = Fields::from(vec![nullable("x", DataType::Int64)]);
    let mut spec = table(
        vec![
            nullable("id", DataType::Int64),
            nullable("name", DataType::Utf8),
            nullable("at", DataType::Struct(row)),
        ],
        more,
    );
    spec.options.push(("avro-confluent.url".into(), url.into()));
    spec
}

fn confluent_decoder(spec: &TableSpec) -> ConfluentDecoder {
    let registry = Registry::open(&Options::new(spec)).unwrap().impatient();
    ConfluentDecoder::new(registry, Rows::new(&ReadColumns::all(&spec.schema), "x").unwrap())
}

#[test]
fn records_are_read_by_the_schemas_of_a_registry() {
    let (url, served) = registry(0);
    let spec = confluent_table(&url, &[("avro-confluent.basic-auth.user-info", "user:pass:word")]);
    let mut decoder = confluent_decoder(&spec);
    decoder.decode_record(b"\x00\x00\x00\x00\x01\x0e\x04ab").unwrap();
    decoder.decode_record(b"\x00\x00\x00\x00\x01\x10\x00").unwrap();
    let second = [&[0, 0, 0, 0, 2][..], &1.5f64.to_le_bytes(), &[2, 18, 4]].concat();
    decoder.decode_record(&second).unwrap();
    // Bad ones cost themselves only, and each reason is asked of the registry once.
    let bad: [(&[u8], &str); 9] = [
        (b"", "the record is empty"),
        (b"{}", "begins with the byte 123"),
        (b"\x00\x00\x00", "within the number of its schema"),
        (b"\x00\x00\x00\x00\x05\x02", "has no schema 5"),
        (b"\x00\x00\x00\x00\x05\x02", "has no schema 5"),
        (b"\x00\x00\x00\x00\x03\x02", "of the type PROTOBUF"),
        (b"\x00\x00\x00\x00\x04\x02", "not a record"),
        (b"\x00\x00\x00\x00\x01\x0e\x04a", "ends too early"),
        (b"\x00\x00\x00\x00\x01\x0e\x02ab", "1 bytes follow"),
    ];
    for (bytes, word) in bad {
        let reason = decoder.decode_record(bytes).unwrap_err();
        assert!(reason.contains(word), "{reason}");
        assert_eq!(decoder.take_failure(), None, "{reason}");
    }
    let batch = decoder.finish().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[7, 8, 9]);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "ab");
    assert!(batch.column(1).is_null(2) && batch.column(2).is_null(0));
    let x = batch.column(2).as_struct().column(0).as_primitive::<Int64Type>().value(2);
    assert_eq!(x, 2);
    let served = served.lock().unwrap();
    let paths: Vec<&str> = served.iter().map(|(path, _)| path.as_str()).collect();
    let ids = |id: u32| format!("/api/schemas/ids/{id}");
    assert_eq!(
        paths,
        [&ids(1), &ids(2), "/api/subjects/a%2Fb/versions/3", &ids(5), &ids(3), &ids(4)]
    );
    assert!(served[0].1.to_ascii_lowercase().contains("authorization: basic "), "{}", served[0].1);
}

#[test]
fn a_registry_that_is_away_is_asked_again_and_then_nobodys_record_is_to_blame() {
    let (url, _) = registry(2);
    let mut decoder = confluent_decoder(&confluent_table(&url, &[]));
    decoder.decode_record(b"\x00\x00\x00\x00\x01\x0e\x04ab").unwrap();
    let (url, served) = registry(usize::MAX);
    let mut decoder = confluent_decoder(&confluent_table(&url, &[]));
    let reason = decoder.decode_record(b"\x00\x00\x00\x00\x01\x0e\x04ab").unwrap_err();
    assert!(reason.contains("after 3 tries") && reason.contains("503"), "{reason}");
    assert_eq!(decoder.take_failure(), Some(reason));
    assert_eq!(served.lock().unwrap().len(), 3);
    // Nobody listens there at all.
    let mut decoder = confluent_decoder(&confluent_table("http://127.0.0.1:9", &[]));
    let reason = decoder.decode_record(b"\x00\x00\x00\x00\x01\x0e\x04ab").unwrap_err();
    assert!(decoder.take_failure().is_some() && reason.contains("127.0.0.1:9"), "{reason}");
    let (url, _) = registry(0);
    let mut decoder = confluent_decoder(&confluent_table(&url, &[]));
    let reason = decoder.decode_record(b"\x00\x00\x00\x01\x91").unwrap_err();
    assert!(reason.contains("401") && reason.contains("basic-auth"), "{reason}");
    assert!(decoder.take_failure().is_some());
}

#[test]
fn a_sink_registers_its_schema_and_writes_its_number() {
    let (url, served) = registry(0);
    let spec = confluent_table(&url, &[("avro-confluent.subject", "orders-value")]);
    let options = Options::new(&spec);
    let open = || Registry::open(&options).unwrap().impatient();
    let mut encoder = ConfluentEncoder::with(open(), &options, &spec.schema).unwrap();
    let mut rows = confluent_decoder(&spec);
    rows.decode_record(b"\x00\x00\x00\x00\x01\x0e\x04ab").unwrap();
    let batch = rows.finish().unwrap();
    let mut out = Vec::new();
    encoder.encode(&batch, 0..1, &mut out).unwrap();
    encoder.encode(&batch, 0..1, &mut out).unwrap();
    let one = b"\x00\x00\x00\x01\x02\x02\x0e\x02\x04ab\x00\n";
    assert_eq!(out, one.repeat(2));
    let served = served.lock().unwrap();
    let posts: Vec<_> = served.iter().filter(|(path, _)| path.contains("subjects")).collect();
    assert_eq!(posts.len(), 1, "it is registered once");
    assert!(posts[0].1.contains("org.apache.flink.avro.generated"), "{}", posts[0].1);
    drop(served);
    let spec = confluent_table(&url, &[("avro-confluent.subject", "other")]);
    let options = Options::new(&spec);
    let mut encoder = ConfluentEncoder::with(open(), &options, &spec.schema).unwrap();
    let error = encoder.encode(&batch, 0..1, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("not compatible") && error.contains("other"), "{error}");
    let spec = confluent_table(&url, &[]);
    let error = ConfluentEncoder::with(open(), &Options::new(&spec), &spec.schema).err().unwrap();
    assert!(error.to_string().contains("'avro-confluent.subject'"), "{error}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |options: &[(&str, &str)]| {
        let spec = table(vec![nullable("a", DataType::Utf8)], options);
        (confluent::FORMAT.validate)(&spec, &Options::new(&spec)).unwrap_err().to_string()
    };
    assert!(refused(&[]).contains("needs the option 'avro-confluent.url'"));
    assert!(refused(&[("avro-confluent.url", "localhost:8081")]).contains("a URL"));
    let url = ("avro-confluent.url", "http://localhost:1");
    let user = ("avro-confluent.basic-auth.user-info", "user");
    assert!(refused(&[url, user]).contains("user:password"));
    let token = ("avro-confluent.bearer-auth.token", "t");
    assert!(refused(&[url, user, token]).contains("only one"));
    let source = ("avro-confluent.basic-auth.credentials-source", "SASL_INHERIT");
    assert!(refused(&[url, source]).contains("USER_INFO"));
    let json = table(vec![nullable("a", DataType::Utf8)], &[("avro.encoding", "json")]);
    let error = (FORMAT.validate)(&json, &Options::new(&json)).unwrap_err().to_string();
    assert!(error.contains("not supported"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever the bytes of a schema and of a record are, there is an answer.
    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let writer = record(json!([
            {"name": "a", "type": {"type": "array", "items": ["null", "string", "double"]}},
            {"name": "m", "type": {"type": "map", "values": "long"}},
            {"name": "s", "type": {"type": "array", "items": "bytes"}},
            {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "scale": 2}},
        ]));
        let columns = ReadColumns::all(&Arc::new(Columns::new(vec![
            nullable("a", DataType::List(Arc::new(nullable("item", DataType::Utf8)))),
            nullable("d", DataType::Decimal128(12, 4)),
        ])));
        let mut rows = Rows::new(&columns, NAME).unwrap();
        let schema = Schema::parse(&writer.to_string(), &[]).unwrap();
        let plan = RecordPlan::new(&schema, rows.slots()).unwrap();
        let mut cursor = Cursor::new(&bytes);
        let read = rows.add::<cursor::Fault>(0, |slots| plan.read(&schema, slots, &mut cursor));
        prop_assert_eq!(rows.finish().unwrap().num_rows(), usize::from(read.is_ok()));
        let mut files = ContainerReader::default();
        let mut file = b"Obj\x01".to_vec();
        file.extend_from_slice(&bytes);
        let _ = files.decode(&mut rows, &file, true, 10, &mut Vec::new());
        prop_assert!(Schema::parse(&String::from_utf8_lossy(&bytes), &[]).is_err());
    }
}
