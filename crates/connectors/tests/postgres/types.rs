//! Every type, there and back.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, MapBuilder, StringArray,
    StringBuilder, StructArray, Time32MillisecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use arrow::array::{Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::server::{Input, Output, Server, server, set};

fn ltz() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn row_fields() -> Fields {
    Fields::from(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
    ])
}

fn map_type() -> DataType {
    let entries = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Int64, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    DataType::Map(Arc::new(entries), false)
}

/// The columns, and what they are in the database.
fn columns() -> Vec<(&'static str, DataType, &'static str)> {
    vec![
        ("id", DataType::Int64, "bigint PRIMARY KEY"),
        ("flag", DataType::Boolean, "boolean"),
        ("tiny", DataType::Int8, "smallint"),
        ("small", DataType::Int16, "smallint"),
        ("num", DataType::Int32, "integer"),
        ("real", DataType::Float32, "real"),
        ("dbl", DataType::Float64, "double precision"),
        ("price", DataType::Decimal128(38, 10), "numeric(38, 10)"),
        ("cents", DataType::Decimal128(9, 3), "numeric"),
        ("note", DataType::Utf8, "text"),
        ("code", DataType::Utf8, "varchar(2000)"),
        ("data", DataType::Binary, "bytea"),
        ("day", DataType::Date32, "date"),
        ("tim", DataType::Time32(TimeUnit::Millisecond), "time"),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp"),
        ("atz", ltz(), "timestamp(3) with time zone"),
        ("nums", list_of(DataType::Int64), "bigint[]"),
        ("words", list_of(DataType::Utf8), "text[]"),
        ("rec", DataType::Struct(row_fields()), "jsonb"),
        ("tags", map_type(), "json"),
    ]
}

/// Values of one row; `None` are nulls.
#[derive(Debug, Clone)]
struct Values {
    flag: Option<bool>,
    ints: (Option<i8>, Option<i16>, Option<i32>),
    floats: (Option<f32>, Option<f64>),
    price: Option<i128>,
    cents: Option<i32>,
    texts: (Option<String>, Option<String>),
    data: Option<Vec<u8>>,
    day: Option<i32>,
    time: Option<i32>,
    at: Option<i64>,
    atz: Option<i64>,
    nums: Option<Vec<Option<i64>>>,
    words: Option<Vec<Option<String>>>,
    rec: Option<(Option<i64>, Option<String>)>,
    tags: Option<Vec<(u8, Option<i64>)>>,
}

fn word() -> impl Strategy<Value = String> {
    // All of Unicode but the one character that the database cannot hold.
    proptest::collection::vec(any::<char>(), 0..12)
        .prop_map(|chars| chars.into_iter().filter(|c| *c != '\0').collect())
}

fn values() -> impl Strategy<Value = Values> {
    use proptest::option::of;
    let first = (
        of(any::<bool>()),
        (of(any::<i8>()), of(any::<i16>()), of(any::<i32>())),
        (
            of(proptest::num::f32::ANY.prop_map(|f| if f.is_nan() { f32::NAN } else { f })),
            of(proptest::num::f64::ANY.prop_map(|f| if f.is_nan() { f64::NAN } else { f })),
        ),
        of(any::<i128>().prop_map(|v| v % 10i128.pow(38))),
        of(-999_999_999i32..=999_999_999),
        (of(word()), of(word())),
        of(proptest::collection::vec(any::<u8>(), 0..20)),
    );
    let second = (
        // The first and last day of Flink.
        of(-719_162i32..=2_932_896),
        of(0i32..86_400_000),
        of(-62_135_596_800_000_000i64..253_402_300_800_000_000),
        of(-62_135_596_800_000i64..253_402_300_800_000),
        of(proptest::collection::vec(of(any::<i64>()), 0..5)),
        of(proptest::collection::vec(of(word()), 0..4)),
        of((of(any::<i64>()), of(word()))),
        of(proptest::collection::btree_map(any::<u8>(), of(any::<i64>()), 0..4)
            .prop_map(|m| m.into_iter().collect())),
    );
    (first, second).prop_map(|(a, b)| Values {
        flag: a.0,
        ints: a.1,
        floats: a.2,
        price: a.3,
        cents: a.4,
        texts: a.5,
        data: a.6,
        day: b.0,
        time: b.1,
        at: b.2,
        atz: b.3,
        nums: b.4,
        words: b.5,
        rec: b.6,
        tags: b.7,
    })
}

fn lists<B, T>(
    builder: B,
    rows: &[Values],
    of: impl Fn(&Values) -> &Option<Vec<Option<T>>>,
    push: impl Fn(&mut B, &Option<T>),
) -> ListArray
where
    B: arrow::array::ArrayBuilder,
{
    let mut list = ListBuilder::new(builder);
    for row in rows {
        match of(row) {
            Some(items) => {
                items.iter().for_each(|item| push(list.values(), item));
                list.append(true);
            }
            None => list.append(false),
        }
    }
    list.finish()
}

fn maps(rows: &[Values]) -> MapArray {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in rows {
        for (key, value) in row.tags.iter().flatten() {
            map.keys().append_value(format!("k\"{key}"));
            map.values().append_option(*value);
        }
        map.append(row.tags.is_some()).unwrap();
    }
    map.finish()
}

fn arrays(rows: &[Values]) -> Vec<ArrayRef> {
    let texts = |of: fn(&Values) -> &Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(|r| of(r).as_deref())))
    };
    let decimal = |values: Decimal128Array, precision, scale| -> ArrayRef {
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
    };
    let nulls = rows.iter().map(|r| r.rec.is_some()).collect::<Vec<_>>();
    let numbers = Int64Array::from_iter(rows.iter().map(|r| r.rec.as_ref().and_then(|v| v.0)));
    let words = rows.iter().map(|r| r.rec.as_ref().and_then(|v| v.1.as_deref()));
    let words = StringArray::from_iter(words);
    let rec = StructArray::new(
        row_fields(),
        vec![Arc::new(numbers), Arc::new(words)],
        Some(nulls.into()),
    );
    let millis = TimestampMillisecondArray::from_iter(rows.iter().map(|r| r.atz));
    let push_word = |b: &mut StringBuilder, v: &Option<String>| b.append_option(v.as_deref());
    vec![
        Arc::new(Int64Array::from_iter_values(0..rows.len() as i64)),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|r| r.flag))),
        Arc::new(Int8Array::from_iter(rows.iter().map(|r| r.ints.0))),
        Arc::new(Int16Array::from_iter(rows.iter().map(|r| r.ints.1))),
        Arc::new(Int32Array::from_iter(rows.iter().map(|r| r.ints.2))),
        Arc::new(Float32Array::from_iter(rows.iter().map(|r| r.floats.0))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.floats.1))),
        decimal(Decimal128Array::from_iter(rows.iter().map(|r| r.price)), 38, 10),
        decimal(Decimal128Array::from_iter(rows.iter().map(|r| r.cents.map(i128::from))), 9, 3),
        texts(|r| &r.texts.0),
        texts(|r| &r.texts.1),
        Arc::new(BinaryArray::from_iter(rows.iter().map(|r| r.data.as_deref()))),
        Arc::new(Date32Array::from_iter(rows.iter().map(|r| r.day))),
        Arc::new(Time32MillisecondArray::from_iter(rows.iter().map(|r| r.time))),
        Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.at))),
        Arc::new(millis.with_timezone("UTC")),
        Arc::new(lists(Int64Builder::new(), rows, |r| &r.nums, |b, v| b.append_option(*v))),
        Arc::new(lists(StringBuilder::new(), rows, |r| &r.words, push_word)),
        Arc::new(rec),
        Arc::new(maps(rows)),
    ]
}

fn make(server: &Server) -> String {
    let name = server.name();
    let declared: Vec<String> = columns().iter().map(|(n, _, t)| format!("{n} {t}")).collect();
    server.sql(&format!("CREATE TABLE {name} ({})", declared.join(", ")));
    name
}

#[test]
fn every_type_comes_back_as_it_went() {
    let Some(server) = server() else { return };
    let name = make(server);
    let declared: Vec<_> = columns().into_iter().map(|(n, t, _)| (n, t)).collect();
    let spec = server.table(&name, &declared, 1);
    let mut runner = TestRunner::new(Config {
        cases: 12,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&proptest::collection::vec(values(), 1..40), |rows| {
            server.sql(&format!("TRUNCATE {name}"));
            let written = arrays(&rows);
            let mut output = Output::open(&spec);
            output.write(written.clone(), None);
            output.commit(1);
            let input = Input::open(&set(spec.clone(), "rialto.on-error", "fail"), 1).to_end();
            let read: Vec<_> = input.deltas.iter().map(|d| d.batch().clone()).collect();
            let read = arrow::compute::concat_batches(&spec.schema, &read).unwrap();
            prop_assert_eq!(read.num_rows(), rows.len());
            for (at, column) in written.iter().enumerate() {
                // By their text, in which all NaN are one, and so are -0.0 and 0.0 not.
                for row in 0..rows.len() {
                    let shown = |array: &ArrayRef| {
                        let null = array.is_null(row);
                        let text = arrow::util::display::array_value_to_string(array, row).unwrap();
                        if null { "NULL".to_owned() } else { text }
                    };
                    let (went, came) = (shown(column), shown(read.column(at)));
                    prop_assert_eq!(went, came, "column {} row {}", declared[at].0, row);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_database_sees_the_values_that_were_meant() {
    let Some(server) = server() else { return };
    let name = make(server);
    let declared: Vec<_> = columns().into_iter().map(|(n, t, _)| (n, t)).collect();
    let mut output = Output::open(&server.table(&name, &declared, 1));
    let row = Values {
        flag: Some(true),
        ints: (Some(-7), Some(300), Some(-70_000)),
        floats: (Some(1.5), Some(f64::INFINITY)),
        price: Some(-123_456_789_012_345_678),
        cents: Some(19_990),
        texts: (Some("Grüße".into()), None),
        data: Some(vec![0, 255]),
        day: Some(19_753),
        time: Some(45_296_789),
        at: Some(1_706_689_256_123_456),
        atz: Some(1_706_689_256_123),
        nums: Some(vec![Some(1), None, Some(3)]),
        words: Some(vec![]),
        rec: Some((Some(1), Some("a\"b".into()))),
        tags: Some(vec![(1, Some(2))]),
    };
    output.write(arrays(&[row]), None);
    output.commit(1);
    let found = server.sql(&format!("SET TimeZone = 'UTC'; SELECT * FROM {name}"));
    let expected = "0|t|-7|300|-70000|1.5|Infinity|-12345678.9012345678|19.990|Grüße|NULL|\\x00ff|\
        2024-01-31|12:34:56.789|2024-01-31 08:20:56.123456|2024-01-31 08:20:56.123+00|\
        {1,NULL,3}|{}|\
        {\"n\": 1, \"s\": \"a\\\"b\"}|{\"k\\\"1\":2}";
    assert_eq!(found, [expected]);
}

#[test]
fn types_that_are_only_known_there_are_texts_here() {
    let Some(server) = server() else { return };
    let name = server.name();
    server.sql(&format!(
        "CREATE TYPE mood_{name} AS ENUM ('sad', 'glad'); \
         CREATE DOMAIN label_{name} AS varchar(10) CHECK (VALUE <> 'bad'); \
         CREATE TABLE {name} (id uuid PRIMARY KEY, mood mood_{name}, host inet, \
         doc jsonb, label label_{name}, fixed char(4), words varchar(5)[])"
    ));
    let text = |name: &'static str| (name, DataType::Utf8);
    let columns = [
        text("id"),
        text("mood"),
        text("host"),
        text("doc"),
        text("label"),
        text("fixed"),
        ("words", list_of(DataType::Utf8)),
    ];
    let spec = server.table(&name, &columns, 1);
    let row = |id: &str, mood: &str| -> Vec<ArrayRef> {
        let one = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let mut words = ListBuilder::new(StringBuilder::new());
        words.values().append_value("a");
        words.append(true);
        vec![
            one(id),
            one(mood),
            one("10.0.0.1"),
            one("{\"a\": 1}"),
            one("good"),
            one("ab"),
            Arc::new(words.finish()),
        ]
    };
    let id = "00000000-0000-0000-0000-00000000002a";
    let mut output = Output::open(&spec);
    output.write(row(id, "glad"), None);
    output.commit(1);
    output.write(row(id, "sad"), None);
    output.commit(2);
    let read = Input::open(&spec, 1).to_end();
    assert_eq!(read.in_order(), [format!("{id}|sad|10.0.0.1/32|{{\"a\": 1}}|good|ab|[a]")]);
    output.write(row("no uuid", "sad"), None);
    let error = output.try_commit(3).map_err(crate::server::said).unwrap_err();
    assert!(error.contains("column 'id'") && error.contains("no uuid"), "{error}");
    let mut output = Output::open(&spec);
    output.write(row(id, "glad"), Some(vec![-1]));
    output.commit(4);
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {name}")), ["0"]);
}
