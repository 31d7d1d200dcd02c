//! Casts and how values look.

use crate::harness::{check, check_errors, check_in, check_types, utc};
use rialto_sql::functions::SessionSettings;

#[test]
fn to_numbers() {
    check(&[
        ("CAST(' 42 ' AS INT)", "42"),
        ("CAST('12.7' AS INT)", "12"),
        ("TRY_CAST('x' AS INT)", "<NULL>"),
        ("COALESCE(TRY_CAST('x' AS INT), 0)", "0"),
        ("CAST(300 AS TINYINT)", "44"),
        ("CAST(-1.9 AS INT)", "-1"),
        ("CAST(CAST(1e20 AS DOUBLE) AS INT)", "2147483647"),
        ("CAST('NaN' AS DOUBLE)", "NaN"),
        ("CAST('1e3' AS DOUBLE)", "1000.0"),
        ("CAST(TRUE AS INT)", "1"),
        ("CAST(0 AS BOOLEAN)", "FALSE"),
        ("CAST('yes' AS BOOLEAN)", "TRUE"),
        ("CAST(3 AS DECIMAL(5, 2))", "3.00"),
        ("CAST('1.5e2' AS DECIMAL(5, 1))", "150.0"),
    ]);
    check_errors(&[
        ("CAST('x' AS INT)", "not a valid INT"),
        ("CAST('99999999999' AS INT)", "not a valid INT"),
        ("CAST('maybe' AS BOOLEAN)", "not a valid BOOLEAN"),
        ("CAST(TIMESTAMP '2024-01-01 00:00:00' AS INT)", "cannot convert"),
    ]);
}

#[test]
fn to_text() {
    check(&[
        ("CAST(1.50 AS STRING)", "1.50"),
        ("CAST(CAST(1 AS DOUBLE) AS STRING)", "1.0"),
        ("CAST(CAST(12345678 AS DOUBLE) AS STRING)", "1.2345678E7"),
        ("CAST(CAST(0.0001 AS DOUBLE) AS STRING)", "1.0E-4"),
        ("CAST(CAST(0.1 AS FLOAT) AS STRING)", "0.1"),
        ("CAST(TRUE AS STRING)", "TRUE"),
        ("CAST(DATE '2024-02-29' AS STRING)", "2024-02-29"),
        ("CAST(TIME '12:34:56' AS STRING)", "12:34:56"),
        (
            "CAST(CAST('2024-01-01 01:02:03.5' AS TIMESTAMP(3)) AS STRING)",
            "2024-01-01 01:02:03.500",
        ),
        ("CAST(CAST('2024-01-01 01:02:03.5' AS TIMESTAMP(0)) AS STRING)", "2024-01-01 01:02:03"),
        ("CAST(ARRAY[1, 2, NULL] AS STRING)", "[1, 2, NULL]"),
        ("CAST(MAP('a', 1) AS STRING)", "{a=1}"),
        ("CAST(ROW(1, 'a', NULL) AS STRING)", "(1, a, NULL)"),
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        ("CAST('ab' AS CHAR(4)) || '|'", "ab  |"),
        ("CAST('ab' AS BYTES)", "x'6162'"),
        ("CAST(CAST('ab' AS BYTES) AS STRING)", "ab"),
        ("CAST(NULL AS INT)", "<NULL>"),
    ]);
    check_types(&[
        ("CAST(1 AS STRING)", "STRING"),
        ("CAST('2024-01-01' AS TIMESTAMP)", "TIMESTAMP(6)"),
    ]);
}

#[test]
fn to_times() {
    check(&[
        ("CAST('2024-1-5' AS DATE)", "2024-01-05"),
        ("CAST('2024' AS DATE)", "2024-01-01"),
        ("TRY_CAST('2024-02-30' AS DATE)", "<NULL>"),
        ("CAST('12:34' AS TIME)", "12:34:00"),
        ("CAST('2024-01-05' AS TIMESTAMP(3))", "2024-01-05 00:00:00.000"),
        ("CAST('2024-01-05 1:2:3.123456' AS TIMESTAMP(3))", "2024-01-05 01:02:03.123"),
        ("CAST(TIMESTAMP '2024-01-05 10:11:12' AS DATE)", "2024-01-05"),
        ("CAST(TIMESTAMP '2024-01-05 10:11:12' AS TIME)", "10:11:12"),
        ("CAST(DATE '2024-01-05' AS TIMESTAMP(3))", "2024-01-05 00:00:00.000"),
    ]);
    let berlin = SessionSettings { time_zone: chrono_tz::Europe::Berlin, ..utc() };
    check_in(
        &berlin,
        &[
            ("TO_TIMESTAMP_LTZ(0, 3)", "1970-01-01 01:00:00.000"),
            ("CAST(TO_TIMESTAMP_LTZ(0, 3) AS TIMESTAMP(3))", "1970-01-01 01:00:00.000"),
            ("CAST(TO_TIMESTAMP_LTZ(0, 3) AS STRING)", "1970-01-01 01:00:00.000"),
            ("HOUR(TO_TIMESTAMP_LTZ(0, 3))", "1"),
            (
                "TO_TIMESTAMP_LTZ(0, 3) = CAST(TIMESTAMP '1970-01-01 01:00:00' AS TIMESTAMP_LTZ(3))",
                "TRUE",
            ),
        ],
    );
}
