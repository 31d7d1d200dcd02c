//! Types: read from text, printed as `DESCRIBE` does, and carried through Arrow and back.

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::*;

fn parsed(text: &str) -> FlinkType {
    FlinkType::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// As written, and as `DESCRIBE` prints it.
const TYPES: &[(&str, &str)] = &[
    ("char", "CHAR(1)"),
    ("CHARACTER(3)", "CHAR(3)"),
    ("VARCHAR", "VARCHAR(1)"),
    ("VARCHAR(20)", "VARCHAR(20)"),
    ("CHAR VARYING(5)", "VARCHAR(5)"),
    ("VARCHAR(2147483647)", "STRING"),
    ("BINARY(2)", "BINARY(2)"),
    ("BINARY VARYING(2)", "VARBINARY(2)"),
    ("BYTES", "BYTES"),
    ("BITMAP", "BITMAP"),
    ("DEC", "DECIMAL(10, 0)"),
    ("NUMERIC(5)", "DECIMAL(5, 0)"),
    ("DECIMAL(38, 18)", "DECIMAL(38, 18)"),
    ("INTEGER", "INT"),
    ("DOUBLE PRECISION", "DOUBLE"),
    ("TIME", "TIME(0)"),
    ("TIME(3) WITHOUT TIME ZONE", "TIME(3)"),
    ("TIMESTAMP", "TIMESTAMP(6)"),
    ("TIMESTAMP(0)", "TIMESTAMP(0)"),
    ("TIMESTAMP(9) WITHOUT TIME ZONE", "TIMESTAMP(9)"),
    ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)"),
    ("INTERVAL YEAR TO MONTH", "INTERVAL YEAR(2) TO MONTH"),
    ("INTERVAL DAY(3) TO SECOND(6)", "INTERVAL DAY(3) TO SECOND(6)"),
    ("INTERVAL HOUR", "INTERVAL HOUR"),
    ("ARRAY<INT NOT NULL>", "ARRAY<INT NOT NULL>"),
    ("INT ARRAY", "ARRAY<INT>"),
    ("MULTISET<STRING>", "MULTISET<STRING>"),
    ("MAP<STRING, ARRAY<ROW<a INT>>>", "MAP<STRING, ARRAY<ROW<`a` INT>>>"),
    ("ROW(a INT, `b c` STRING 'it''s')", "ROW<`a` INT, `b c` STRING 'it''s'>"),
    ("ROW<INT, STRING>", "ROW<`f0` INT, `f1` STRING>"),
    ("BIGINT NOT NULL", "BIGINT NOT NULL"),
];

#[test]
fn every_type_is_read_and_printed_as_flink_prints_it() {
    for (written, printed) in TYPES {
        let data_type = parsed(written);
        assert_eq!(&data_type.to_string(), printed);
        assert_eq!(parsed(printed), data_type, "{printed} is read again");
    }
}

#[test]
fn every_type_survives_the_way_through_an_arrow_field() {
    for (written, _) in TYPES {
        let declared = parsed(written);
        let field = declared.to_field("c");
        assert_eq!(field.is_nullable(), declared.nullable);
        assert_eq!(FlinkType::from_field(&field).expect("a Flink type"), declared, "{field:?}");
    }
}

#[test]
fn every_type_survives_the_way_through_a_cast() {
    for written in [
        "CHAR(3)",
        "STRING",
        "DECIMAL(5, 2)",
        "TIMESTAMP_LTZ(3)",
        "TIME(3)",
        "BYTES",
        "BITMAP",
        "INTERVAL DAY(2) TO SECOND(3)",
        "MULTISET<INT>",
        "ARRAY<MAP<STRING, ROW<`a` INT>>>",
    ] {
        let declared = parsed(written);
        let back = FlinkType::from_sql_type(&declared.to_sql_type()).expect("a Flink type");
        assert_eq!(back, declared);
    }
}

#[test]
fn arrow_types_are_the_ones_the_engine_expects() {
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    for (flink, arrow) in [
        ("TIMESTAMP(0)", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("TIMESTAMP(6)", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("TIMESTAMP_LTZ(9)", utc(TimeUnit::Nanosecond)),
        ("DECIMAL(10, 2)", DataType::Decimal128(10, 2)),
        ("TIME", DataType::Time32(TimeUnit::Millisecond)),
        ("VARCHAR(3)", DataType::Utf8),
    ] {
        assert_eq!(parsed(flink).to_arrow(), arrow);
    }
}

#[test]
fn metadata_that_no_longer_fits_the_field_is_not_believed() {
    // An expression kept a VARCHAR(20)'s metadata and made a number of it.
    let field = parsed("VARCHAR(20)").to_field("c");
    let field = Field::new("c", DataType::Int32, true).with_metadata(field.metadata().clone());
    assert_eq!(FlinkType::from_field(&field).expect("a Flink type").to_string(), "INT");
}

#[test]
fn types_that_flink_has_not_are_refused_with_what_is_right() {
    for (text, message, hint) in [
        ("TEXT", "unknown type TEXT", "STRING"),
        ("DECIMAL(39, 0)", "out of range", ""),
        ("DECIMAL(5, 6)", "more digits behind the point", "between 0 and 5"),
        ("TIMESTAMP(10)", "out of range", "between 0 and 9"),
        ("CHAR(0)", "out of range", "between 1"),
        ("RAW('a', 'b')", "not supported", "BYTES"),
        ("INTERVAL MONTH TO DAY", "there is no INTERVAL MONTH TO DAY", ""),
        ("ROW<a INT, a INT>", "two fields named 'a'", ""),
        ("ARRAY<INT>>", "", ""),
        ("INT INT", "behind type INT", ""),
    ] {
        let error = FlinkType::parse(text).expect_err(text);
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(error.hint.unwrap_or_default().contains(hint), "{text}");
    }
}
