//! Tables of one world: what is read, from where it goes on, and what is refused.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rialto_engine::{Poll, Reader};
use rialto_shop::{Kind, Table};

use crate::spec::{Environment, TableSpec};

fn schema(table: Table) -> SchemaRef {
    let field = |column: &rialto_shop::Column| {
        let data_type = match column.kind {
            Kind::Text => DataType::Utf8,
            Kind::Whole => DataType::Int64,
            Kind::Decimal => DataType::Decimal128(18, 4),
            Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Kind::Date => DataType::Date32,
            Kind::Flag => DataType::Boolean,
            Kind::Float => DataType::Float64,
        };
        Field::new(column.name, data_type, true)
    };
    Arc::new(Schema::new(table.columns().map(field).collect::<Vec<_>>()))
}

fn spec(table: Table, seed: &str) -> TableSpec {
    let options = [
        ("connector", "shop"),
        ("seed", seed),
        ("days", "3"),
        ("customers", "600"),
        ("products", "60"),
    ];
    TableSpec::new(table.name(), schema(table), options)
}

fn reader(spec: &TableSpec) -> Box<dyn Reader> {
    let source = crate::source(spec, &Environment::new(".")).unwrap();
    assert!(source.is_bounded());
    source.readers(3).unwrap().remove(0)
}

/// Reads to the end, or until so many rows are there.
fn read(reader: &mut dyn Reader, rows: usize) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    let mut count = 0;
    while count < rows {
        match reader.poll(97).unwrap() {
            Poll::Rows(delta) => {
                count += delta.num_rows();
                batches.push(delta.batch().clone());
            }
            Poll::Idle => std::thread::yield_now(),
            Poll::End => break,
        }
    }
    batches
}

fn whole(batches: &[RecordBatch]) -> RecordBatch {
    arrow::compute::concat_batches(&batches[0].schema(), batches).unwrap()
}

#[test]
fn every_table_can_be_read_whole_and_the_same_each_time() {
    // Long enough for orders to arrive, and for somebody to write a review.
    let longer = |table, seed: &str| {
        let mut spec = spec(table, seed);
        spec.options.push(("days".into(), "12".into()));
        spec
    };
    let all = |seed: &str| {
        let mut readers: Vec<_> =
            Table::ALL.iter().map(|table| reader(&longer(*table, seed))).collect();
        let read = |r: &mut Box<dyn Reader>| whole(&read(r.as_mut(), usize::MAX));
        readers.iter_mut().map(read).collect::<Vec<_>>()
    };
    let first = all("101");
    for (table, batch) in Table::ALL.iter().zip(&first) {
        assert!(batch.num_rows() > 0, "{}", table.name());
        let source = batch.column_by_name("source").unwrap().as_string::<i32>();
        assert!(source.iter().all(|text| text == Some("simulated")), "{}", table.name());
    }
    assert_eq!(first, all("101"));
    assert_ne!(first, all("102"));
    // A table that is read alone has the same rows as beside all others.
    let sales = Table::ALL.iter().position(|t| *t == Table::SaleLine).unwrap();
    let mut alone = reader(&longer(Table::SaleLine, "101"));
    assert_eq!(whole(&read(alone.as_mut(), usize::MAX)), first[sales]);
}

#[test]
fn a_restart_goes_on_exactly() {
    let tables = [Table::SaleLine, Table::BehaviorEvent];
    let begin = || tables.map(|table| reader(&spec(table, "103")));
    let straight = begin().map(|mut r| whole(&read(r.as_mut(), usize::MAX)));
    let mut readers = begin();
    // One is far ahead of the other when they are stopped.
    let heads = [read(readers[0].as_mut(), 400), read(readers[1].as_mut(), 50)];
    let positions = readers.each_ref().map(|r| r.position());
    drop(readers);
    let mut again = begin();
    for (reader, position) in again.iter_mut().zip(&positions) {
        reader.seek(position).unwrap();
    }
    for (index, head) in heads.into_iter().enumerate() {
        let mut batches = head;
        batches.extend(read(again[index].as_mut(), usize::MAX));
        assert_eq!(whole(&batches), straight[index]);
    }
    assert!(again[0].seek(&serde_json::json!({"next": 1})).is_err());
}

#[test]
fn what_never_changes_ends_at_once() {
    let endless = |table| {
        let mut spec = spec(table, "106");
        spec.options.push(("days".into(), "0".into()));
        crate::source(&spec, &Environment::new(".")).unwrap()
    };
    let (skus, sales) = (endless(Table::Sku), endless(Table::SaleLine));
    assert!(skus.is_bounded() && !sales.is_bounded());
    // What changes seldom says how far the world has come.
    let mut people = endless(Table::Customer).readers(1).unwrap().remove(0);
    let mut sales = sales.readers(1).unwrap().remove(0);
    let mut skus = skus.readers(1).unwrap().remove(0);
    assert!(whole(&read(skus.as_mut(), usize::MAX)).num_rows() >= 60);
    assert_eq!(people.watermark(), None);
    read(people.as_mut(), 460);
    // 2025-09-01 00:00:00, and at least a day.
    assert!(people.watermark().is_some_and(|at| at > 1_756_684_800_000 + 86_400_000));
    // The other table goes on, and the hours behind it are forgotten.
    assert!(whole(&read(sales.as_mut(), 5000)).num_rows() >= 5000);
    let position = skus.position();
    let mut again = endless(Table::Sku).readers(1).unwrap().remove(0);
    again.seek(&position).unwrap();
    assert!(matches!(again.poll(10).unwrap(), Poll::End));
}

#[test]
fn only_what_is_wanted_is_made() {
    let mut some = spec(Table::SaleLine, "104");
    let all = whole(&read(reader(&some).as_mut(), usize::MAX));
    some.projection = Some(vec![2, 1]);
    let found = whole(&read(reader(&some).as_mut(), usize::MAX));
    assert_eq!(found.num_columns(), 2);
    assert_eq!(found.column(0), all.column(2));
    assert_eq!(found.column(1), all.column(1));
}

#[test]
fn a_pace_holds_back() {
    let mut paced = spec(Table::SaleLine, "105");
    paced.options.push(("speed".into(), "1".into()));
    paced.options.push(("start".into(), "2025-09-01 12:00:00".into()));
    let mut reader = reader(&paced);
    let (mut rows, mut last) = (0, 0);
    // What happened before the start is there at once; then time passes as on a clock.
    while let Poll::Rows(delta) = reader.poll(1000).unwrap() {
        rows += delta.num_rows();
        let times = delta.column(2).clone();
        let times = times.as_primitive::<arrow::datatypes::TimestampMillisecondType>().clone();
        last = times.value(times.len() - 1);
    }
    assert!(rows > 0);
    // 2025-09-01 12:00:00, and the time that this test took.
    assert!(last < 1_756_728_000_000 + 60_000, "{last}");
}

#[test]
fn a_history_is_there_at_once() {
    let newest = |history: &str| {
        let mut paced = spec(Table::SaleLine, "105");
        paced.options.push(("speed".into(), "1".into()));
        paced.options.push(("history".into(), history.into()));
        paced.options.retain(|(name, _)| name != "days");
        paced.options.push(("days".into(), "30".into()));
        let mut reader = reader(&paced);
        let mut newest = i64::MIN;
        while let Poll::Rows(delta) = reader.poll(100_000).unwrap() {
            let times = delta.column(2).clone();
            let times = times.as_primitive::<arrow::datatypes::TimestampMillisecondType>();
            newest = newest.max(times.values().iter().copied().max().unwrap_or(newest));
        }
        newest
    };
    // The default start is a midnight; the shops are closed then.
    let day = 86_400_000;
    let (three, five) = (newest("3"), newest("5"));
    assert!(three < 1_756_684_800_000 + 3 * day + 60_000, "{three}");
    assert!(three > 1_756_684_800_000 + 2 * day, "{three}");
    assert!(five > three + day, "{five} behind {three}");
}

#[test]
fn mistakes_are_named() {
    let check = |change: &dyn Fn(&mut TableSpec)| {
        let mut spec = spec(Table::SaleLine, "1");
        change(&mut spec);
        crate::validate(&spec).unwrap_err()
    };
    let error = check(&|s| s.name = "sale_lines".into());
    assert!(error.message.contains("no table of the event model"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("did you mean 'table' = 'sale_line'?"));
    let error = check(&|s| s.options.push(("speed".into(), "fast".into())));
    assert!(error.message.contains("speed"), "{error}");
    let error = check(&|s| s.options.push(("customers".into(), "0".into())));
    assert!(error.to_string().contains("from 1 to"), "{error}");
    let error = check(&|s| {
        s.schema = Arc::new(Schema::new(vec![Field::new("quantiti", DataType::Utf8, true)]));
    });
    assert_eq!(error.hint.as_deref(), Some("did you mean 'quantity'?"));
    let error = check(&|s| {
        s.schema = Arc::new(Schema::new(vec![Field::new("quantity", DataType::Int32, true)]));
    });
    assert!(error.detail.unwrap().contains("DECIMAL(18, 4)"));
}
