//! Dates and times.

use crate::harness::{check, check_errors, check_in, check_types, utc};
use rialto_sql::functions::SessionSettings;

#[test]
fn parts() {
    check(&[
        ("YEAR(DATE '1994-09-27')", "1994"),
        ("QUARTER(DATE '1994-09-27')", "3"),
        ("WEEK(DATE '1994-09-27')", "39"),
        ("DAYOFYEAR(DATE '1994-09-27')", "270"),
        ("DAYOFWEEK(DATE '1994-09-27')", "3"),
        ("EXTRACT(DOW FROM DATE '2024-03-03')", "1"),
        ("EXTRACT(WEEK FROM DATE '2021-01-01')", "53"),
        ("EXTRACT(EPOCH FROM TIMESTAMP '1970-01-02 00:00:01')", "86401"),
        ("EXTRACT(CENTURY FROM DATE '2001-01-01')", "21"),
        ("EXTRACT(DECADE FROM DATE '2001-01-01')", "200"),
        ("MINUTE(TIMESTAMP '1994-09-27 13:14:15')", "14"),
        ("EXTRACT(SECOND FROM TIMESTAMP '1994-09-27 13:14:15')", "15"),
        ("EXTRACT(MONTH FROM DATE '2006-06-05')", "6"),
    ]);
    check_types(&[("EXTRACT(MONTH FROM DATE '2006-06-05')", "BIGINT")]);
}

#[test]
fn rounding_and_shifting() {
    check(&[
        ("FLOOR(TIMESTAMP '2024-03-05 06:07:08', 'HOUR')", "2024-03-05 06:00:00"),
        ("CEIL(TIMESTAMP '2024-03-05 06:07:08', 'DAY')", "2024-03-06 00:00:00"),
        ("FLOOR(DATE '2024-03-05', 'MONTH')", "2024-03-01"),
        ("CEIL(DATE '2024-03-05', 'YEAR')", "2025-01-01"),
        ("FLOOR(TIME '12:44:31', 'MINUTE')", "12:44:00"),
        ("FLOOR(DATE '2024-03-05', 'WEEK')", "2024-03-03"),
        ("TIMESTAMPADD('MONTH', 1, DATE '2024-01-31')", "2024-02-29"),
        ("TIMESTAMPADD('DAY', -1, DATE '2024-03-01')", "2024-02-29"),
        ("TIMESTAMPDIFF('DAY', DATE '2024-02-28', DATE '2024-03-01')", "2"),
        ("TIMESTAMPDIFF('MONTH', DATE '2024-01-31', DATE '2024-02-29')", "1"),
        ("DATE '2024-01-31' + INTERVAL '1' MONTH", "2024-02-29"),
        ("TIMESTAMP '2024-01-01 00:00:00' - INTERVAL '5' MINUTE", "2023-12-31 23:55:00"),
        ("TIME '23:30:00' + INTERVAL '1' HOUR", "00:30:00"),
        ("INTERVAL '1' HOUR", "+0 01:00:00.000"),
        ("INTERVAL '10' DAY", "+10 00:00:00.000"),
        ("INTERVAL '14' MONTH", "+1-02"),
        ("INTERVAL '1' HOUR * 3", "+0 03:00:00.000"),
        ("DATE '2024-01-03' - DATE '2024-01-01'", "+2 00:00:00.000"),
        ("OVERLAPS(TIME '2:55:00', INTERVAL '1' HOUR, TIME '3:30:00', INTERVAL '2' HOUR)", "TRUE"),
    ]);
    check_errors(&[("TIMESTAMPADD('FOO', 1, DATE '2024-01-31')", "not a time unit")]);
}

#[test]
fn reading_and_writing() {
    check(&[
        (
            "DATE_FORMAT(TIMESTAMP '2024-03-05 16:07:08', 'yyyy/MM/dd hh:mm a')",
            "2024/03/05 04:07 PM",
        ),
        ("DATE_FORMAT('2024-03-05 06:07:08', 'EEE, d MMM yy')", "Tue, 5 Mar 24"),
        ("DATE_FORMAT(DATE '2024-03-05', '''Day'' D')", "Day 65"),
        ("TO_TIMESTAMP('2024-03-05 06:07:08')", "2024-03-05 06:07:08.000"),
        ("TO_TIMESTAMP('05.03.2024 06h', 'dd.MM.yyyy HH''h''')", "2024-03-05 06:00:00.000"),
        ("TO_TIMESTAMP('20240305', 'yyyyMMdd')", "2024-03-05 00:00:00.000"),
        ("TO_TIMESTAMP('nonsense')", "<NULL>"),
        ("TO_TIMESTAMP_LTZ(1000, 0)", "1970-01-01 00:16:40.000"),
        ("TO_TIMESTAMP_LTZ(1500)", "1970-01-01 00:00:01.500"),
        ("TO_DATE('2024-03-05')", "2024-03-05"),
        ("TO_DATE('05/03/24', 'dd/MM/yy')", "2024-03-05"),
        ("FROM_UNIXTIME(44)", "1970-01-01 00:00:44"),
        ("FROM_UNIXTIME(44, 'HH:mm')", "00:00"),
        ("UNIX_TIMESTAMP('1970-01-01 00:00:44')", "44"),
        ("UNIX_TIMESTAMP('x')", "-9223372036854775808"),
        ("UNIX_TIMESTAMP('1970-01-01 08:00:01.001 +0800', 'yyyy-MM-dd HH:mm:ss.SSS X')", "1"),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'UTC', 'America/Los_Angeles')", "1969-12-31 16:00:00"),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'GMT+08:00', 'UTC')", "1969-12-31 16:00:00"),
    ]);
    check_errors(&[("TO_TIMESTAMP_LTZ(1, 6)", "precision")]);
}

#[test]
fn clock() {
    check(&[
        ("UNIX_TIMESTAMP()", "1709618828"),
        ("NOW()", "2024-03-05 06:07:08.009"),
        ("CURRENT_DATE()", "2024-03-05"),
        ("LOCALTIME()", "06:07:08"),
        ("LOCALTIMESTAMP()", "2024-03-05 06:07:08.009"),
    ]);
    let tokyo = SessionSettings { time_zone: chrono_tz::Asia::Tokyo, ..utc() };
    check_in(
        &tokyo,
        &[
            ("CURRENT_TIMESTAMP()", "2024-03-05 15:07:08.009"),
            ("LOCALTIMESTAMP()", "2024-03-05 15:07:08.009"),
            ("FROM_UNIXTIME(44)", "1970-01-01 09:00:44"),
        ],
    );
    check_types(&[("NOW()", "TIMESTAMP_LTZ(3)"), ("LOCALTIMESTAMP()", "TIMESTAMP(3)")]);
}
