//! The real sales of a shop: 305 files of CSV, read as they are.
//!
//! The data is not part of the repository. Where it is absent the test says so and passes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int32Type, Schema, TimeUnit};
use rialto_connectors::{Environment, TableSpec};
use rialto_engine::{Delta, Poll};

fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = ["../shared/data/online-retail", "../../shared/data/online-retail"]
        .iter()
        .map(|relative| root.join(relative))
        .find(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("SKIPPED: ../shared/data/online-retail is not there");
    }
    folder
}

fn spec(options: &[(&str, &str)]) -> TableSpec {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let schema = Schema::new(vec![
        field("InvoiceNo", DataType::Utf8),
        field("StockCode", DataType::Utf8),
        field("Description", DataType::Utf8),
        field("Quantity", DataType::Int32),
        field("InvoiceDate", DataType::Timestamp(TimeUnit::Millisecond, None)),
        field("UnitPrice", DataType::Decimal128(12, 3)),
        field("CustomerID", DataType::Utf8),
        field("Country", DataType::Utf8),
    ]);
    let fixed = [
        ("connector", "filesystem"),
        ("path", "online-retail"),
        ("format", "csv"),
        ("csv.header", "true"),
        ("source.path.regex-pattern", ".*\\.csv"),
    ];
    TableSpec::new("sales", Arc::new(schema), fixed.iter().chain(options).copied())
}

fn read(spec: &TableSpec, base: &Path) -> (Vec<Delta>, usize) {
    let source = rialto_connectors::source(spec, &Environment::new(base)).unwrap();
    let mut readers = source.readers(2).unwrap();
    let (mut deltas, mut dead, mut open) = (Vec::new(), 0, readers.len());
    while open > 0 {
        open = 0;
        for reader in &mut readers {
            if let Poll::Rows(delta) = reader.poll(8192).unwrap() {
                deltas.push(delta);
                open += 1;
            }
            dead += reader.take_dead_letters().len();
        }
    }
    (deltas, dead)
}

#[test]
fn all_sales_are_read() {
    let Some(folder) = data() else { return };
    let base = folder.parent().unwrap();
    let (deltas, dead) = read(&spec(&[]), base);
    let rows: usize = deltas.iter().map(Delta::num_rows).sum();
    assert_eq!((rows, dead), (541_909, 0));
    let (mut quantity, mut cents, mut anonymous) = (0i64, 0i128, 0);
    for delta in &deltas {
        let count = delta.column(3).as_primitive::<Int32Type>();
        let price = delta.column(5).as_primitive::<Decimal128Type>();
        assert_eq!(count.null_count() + price.null_count(), 0);
        for row in 0..delta.num_rows() {
            quantity += i64::from(count.value(row));
            cents += i128::from(count.value(row)) * price.value(row);
        }
        let customers = delta.column(6).as_string::<i32>();
        anonymous += customers.iter().flatten().filter(|c| c.is_empty()).count();
        assert!(customers.iter().flatten().all(|c| c.is_empty() || c.ends_with(".0")));
    }
    assert_eq!(quantity, 5_176_450);
    assert_eq!(anonymous, 135_080);
    // In thousandths, exactly.
    assert_eq!(cents, 9_747_747_934);
}
