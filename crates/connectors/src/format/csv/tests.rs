//! Records of all shapes, cut in all places.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::{CsvDecoder, CsvEncoder, Dialect};
use crate::format::{BadRecord, Decoder, Encoder, ReadColumns};

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect();
    Arc::new(Schema::new(fields))
}

fn decode_in(
    mut decoder: CsvDecoder,
    text: &[u8],
    cut: usize,
    rows_max: usize,
) -> Result<(Vec<String>, Vec<BadRecord>), String> {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let (mut at, mut line, mut end) = (0, 0, 0);
    loop {
        end = (end + cut).min(text.len());
        loop {
            let mut found = Vec::new();
            let last = end == text.len();
            let step = decoder.decode(&text[at..end], last, rows_max, &mut found)?;
            for mut record in found {
                record.offset += at;
                record.line += line;
                bad.push(record);
            }
            at += step.consumed;
            line += step.lines;
            let full = decoder.rows() >= rows_max;
            if full || last {
                rows.extend(texts(&decoder.finish().unwrap()));
            }
            if !full {
                break;
            }
        }
        if end == text.len() {
            assert_eq!(at, text.len());
            return Ok((rows, bad));
        }
    }
}

/// Every row with `|` between values and `~` for nulls.
fn texts(batch: &RecordBatch) -> Vec<String> {
    let text = |array: &dyn Array, row| {
        if array.is_null(row) {
            return "~".to_owned();
        }
        arrow::util::display::array_value_to_string(array, row).unwrap()
    };
    let row = |row| {
        let values: Vec<_> = batch.columns().iter().map(|c| text(c.as_ref(), row)).collect();
        values.join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

fn read(columns: ReadColumns, dialect: Dialect, text: &str) -> (Vec<String>, Vec<BadRecord>) {
    let decoder = CsvDecoder::new(columns, dialect).unwrap();
    decode_in(decoder, text.as_bytes(), usize::MAX / 2, usize::MAX).unwrap()
}

fn retail() -> SchemaRef {
    schema(&[
        ("InvoiceNo", DataType::Utf8),
        ("Description", DataType::Utf8),
        ("Quantity", DataType::Int32),
        ("InvoiceDate", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("UnitPrice", DataType::Decimal128(10, 2)),
        ("CustomerID", DataType::Utf8),
    ])
}

#[test]
fn a_file_with_a_header_is_read_by_name() {
    let text = "\u{feff}CustomerID,InvoiceNo,Extra,Description,UnitPrice,InvoiceDate,Quantity\r\n\
                17850.0,536365,x,\"A \"\"B\"\", C\",2.55,2010-12-01 08:26:00,6\r\n\
                ,C536379,x,\"two\nlines\",-1.999,2010-12-01 09:41:00.5,-1\r\n";
    let dialect = Dialect { header: true, ..Dialect::default() };
    let expected = [
        "536365|A \"B\", C|6|2010-12-01T08:26:00|2.55|17850.0",
        "C536379|two\nlines|-1|2010-12-01T09:41:00.500|-2.00|",
    ];
    for (cut, rows_max) in [(1000, 100), (1, 1), (10, 2)] {
        let columns = ReadColumns::all(&retail());
        let decoder = CsvDecoder::new(columns, dialect.clone()).unwrap();
        let (rows, bad) = decode_in(decoder, text.as_bytes(), cut, rows_max).unwrap();
        assert_eq!(rows, expected);
        assert_eq!(bad, []);
    }
    let mut columns = ReadColumns::all(&retail());
    columns.wanted = vec![5, 0];
    let (rows, _) = read(columns, dialect, text);
    assert_eq!(rows, ["17850.0|536365", "|C536379"]);
}

#[test]
fn a_header_without_a_column_is_an_error() {
    let dialect = Dialect { header: true, ..Dialect::default() };
    let decoder = CsvDecoder::new(ReadColumns::all(&retail()), dialect).unwrap();
    let error = decode_in(decoder, b"InvoiceNo,Quantity\n", 100, 100).unwrap_err();
    assert_eq!(error, "the header has no column 'Description', only InvoiceNo, Quantity");
}

#[test]
fn bad_records_are_kept_with_their_line() {
    let schema = schema(&[("a", DataType::Utf8), ("n", DataType::Int32)]);
    let text = b"\"x\ny\",1\nb,two\r\n\nc\nd,3,4\n\xff,5\ne,\nf,6";
    for (cut, rows_max) in [(1000, 100), (1, 1), (3, 2)] {
        let decoder = CsvDecoder::new(ReadColumns::all(&schema), Dialect::default()).unwrap();
        let (rows, bad) = decode_in(decoder, text, cut, rows_max).unwrap();
        assert_eq!(rows, ["x\ny|1", "f|6"]);
        let found: Vec<_> = bad.iter().map(|b| (b.line + 1, b.reason.as_str())).collect();
        let empty =
            "column 'n': '' is not INT ('csv.null-literal' = '' reads empty fields as NULL)";
        assert_eq!(
            found,
            [
                (3, "column 'n': 'two' is not INT"),
                (5, "the record has 1 fields, not 2"),
                (6, "the record has 3 fields, not 2"),
                (7, "the record is not valid UTF-8"),
                (8, empty),
            ]
        );
        assert_eq!(bad[0].bytes, b"b,two");
        assert_eq!(bad[3].bytes, b"\xff,5");
    }
}

#[test]
fn a_quote_without_an_end_costs_one_line() {
    let schema = schema(&[("a", DataType::Utf8), ("n", DataType::Int32)]);
    let columns = ReadColumns::all(&schema);
    let (rows, bad) = read(columns, Dialect::default(), "a,1\n\"b,2\nc,3\n5\" pipe,4\nd,5\n");
    // Two stray quotes make one field of what is between them, line ends and all.
    assert_eq!(rows, ["a|1", "b,2\nc,3\n5 pipe|4", "d|5"]);
    assert_eq!(bad, []);
    let columns = ReadColumns::all(&schema);
    let (rows, bad) = read(columns, Dialect::default(), "a,1\n\"b,2\nc,3\nd,4\n");
    assert_eq!(rows, ["a|1", "c|3", "d|4"]);
    assert_eq!(bad[0].reason, "a quoted field has no end");
    assert_eq!((bad[0].line, bad[0].bytes.as_slice()), (1, b"\"b,2".as_slice()));
}

#[test]
fn options_change_the_dialect() {
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int32, true)));
    let schema = schema(&[("a", DataType::Utf8), ("n", DataType::Int32), ("l", list)]);
    let dialect = Dialect {
        delimiter: b'\t',
        quote: Some(b'\''),
        escape: Some(b'\\'),
        comments: true,
        null: Some(b"NULL".to_vec()),
        element_delimiter: b"::".to_vec(),
        ..Dialect::default()
    };
    let text = "# comment\n'it\\'s'\tNULL\t1::NULL::3\n#\n\"b\"\t2\t\n";
    let (rows, bad) = read(ReadColumns::all(&schema), dialect.clone(), text);
    assert_eq!(bad, []);
    assert_eq!(rows, ["it's|~|[1, , 3]", "\"b\"|2|[]"]);
    let unquoted = Dialect { quote: None, ignore_errors: true, ..Dialect::default() };
    let (rows, bad) = read(ReadColumns::all(&schema), unquoted, "\"a,x\nb,1,2;y\nc,1,2,3\n");
    assert_eq!(bad, []);
    assert_eq!(rows, ["\"a|~|~", "b|1|~"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read_again(
        values in prop::collection::vec(
            ("[a-c,;\"\r\n#é ]{0,6}", prop::option::of("[a-c,\"\r\n\\\\']{1,6}")), 1..12),
        cut in 1usize..50,
        rows_max in 1usize..6,
        escape in prop::option::of(Just(b'\\')),
    ) {
        let schema = schema(&[("a", DataType::Utf8), ("b", DataType::Utf8)]);
        let a = StringArray::from_iter_values(values.iter().map(|v| v.0.as_str()));
        let b = StringArray::from_iter(values.iter().map(|v| v.1.as_deref()));
        let batch =
            RecordBatch::try_new(schema.clone(), vec![Arc::new(a), Arc::new(b)]).unwrap();
        let dialect = Dialect {
            null: Some(b"~~".to_vec()), escape, header: true, ..Dialect::default()
        };
        let mut encoder = CsvEncoder::new(&schema, dialect.clone());
        let mut text = Vec::new();
        encoder.start(&mut text);
        encoder.encode(&batch, 0..batch.num_rows(), &mut text).unwrap();
        let decoder = CsvDecoder::new(ReadColumns::all(&schema), dialect).unwrap();
        let (rows, bad) = decode_in(decoder, &text, cut, rows_max).unwrap();
        prop_assert_eq!(bad, vec![]);
        prop_assert_eq!(rows, texts(&batch));
    }

    #[test]
    fn no_input_is_too_strange(
        text in prop::collection::vec(
            prop::sample::select(b"a,\"\r\n#\\\xff1".to_vec()), 0..60),
        cut in 1usize..20,
    ) {
        let schema = schema(&[("a", DataType::Utf8), ("b", DataType::Int32)]);
        let read = |cut, rows_max| {
            let columns = ReadColumns::all(&schema);
            let decoder = CsvDecoder::new(columns, Dialect::default()).unwrap();
            decode_in(decoder, &text, cut, rows_max).unwrap()
        };
        // However the input is cut, the same comes out.
        prop_assert_eq!(read(cut, 2), read(1000, 1000));
    }
}
