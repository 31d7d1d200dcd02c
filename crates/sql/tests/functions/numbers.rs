//! Arithmetic, number functions, comparisons.

use crate::harness::{check, check_errors, check_types};

#[test]
fn integer_arithmetic() {
    check(&[
        ("1 + 2", "3"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 % 3", "1"),
        ("-7 % 3", "-1"),
        ("MOD(7, -3)", "1"),
        ("2147483647 + 1", "-2147483648"),
        ("3000000000 + 1", "3000000001"),
        ("CAST(127 AS TINYINT) + CAST(1 AS TINYINT)", "-128"),
        ("7 / 2.0", "3.500000"),
        ("1 + NULL", "<NULL>"),
        ("- 5", "-5"),
        ("ABS(-5)", "5"),
        ("7 / CAST(2 AS DOUBLE)", "3.5"),
        ("1 / CAST(0 AS DOUBLE)", "Infinity"),
    ]);
    check_types(&[
        ("1", "INT"),
        ("3000000000", "BIGINT"),
        ("1.5", "DECIMAL(2, 1)"),
        ("0.5", "DECIMAL(2, 1)"),
        ("1 + 1", "INT"),
        ("1 + 3000000000", "BIGINT"),
        ("CAST(1 AS TINYINT) + 1", "INT"),
        ("3000000000 % 7", "INT"),
        ("7 % 3000000000", "BIGINT"),
        ("1 + 1.5", "DECIMAL(12, 1)"),
        ("CAST(1 AS FLOAT) + 1", "FLOAT"),
        ("CAST(1 AS FLOAT) + 1.5", "DOUBLE"),
        ("CAST(1 AS DECIMAL(10,2)) * CAST(1 AS DECIMAL(10,2))", "DECIMAL(21, 4)"),
        ("CAST(7 AS DECIMAL(10,2)) / 3", "DECIMAL(21, 13)"),
        ("CAST(1 AS DECIMAL(38,10)) * CAST(1 AS DECIMAL(38,10))", "DECIMAL(38, 6)"),
        ("CASE WHEN TRUE THEN 1 ELSE 2.5 END", "DECIMAL(11, 1)"),
        ("CAST(7.25 AS DECIMAL(10, 2)) % 3", "DECIMAL(10, 2)"),
    ]);
    check_errors(&[
        ("1 / 0", "by zero"),
        ("1 % 0", "by zero"),
        ("1.5 / 0", "zero"),
        ("'1' + 1", "Cannot apply '+'"),
        ("'1' = 1", "implicit type conversion"),
    ]);
}

#[test]
fn decimals() {
    check(&[
        ("CAST(7 AS DECIMAL(10,2)) / 3", "2.3333333333333"),
        ("CAST(1 AS DECIMAL(10,2)) / CAST(3 AS DECIMAL(10,2))", "0.3333333333333"),
        ("1.1 * 1.1", "1.21"),
        ("1.10 + 2.345", "3.445"),
        ("5.5 % 2", "1.5"),
        ("-5.5 % 2", "-1.5"),
        ("CAST(99999999999999999999999999999999999999 AS DECIMAL(38,0)) + 1", "<NULL>"),
        ("CAST(1.005 AS DECIMAL(10,2))", "1.01"),
        ("CAST(-1.005 AS DECIMAL(10,2))", "-1.01"),
        ("CAST(12345.6 AS DECIMAL(4,1))", "<NULL>"),
        ("CAST('1.25' AS DECIMAL(10,1))", "1.3"),
        ("CAST(0.1 AS DOUBLE)", "0.1"),
        ("CAST(CAST(2.5 AS DOUBLE) AS DECIMAL(10,0))", "3"),
        ("1.5 = 1.50", "TRUE"),
        ("1 < 1.5", "TRUE"),
        ("0.000", "0.000"),
        ("CAST(1 AS DECIMAL(10,2)) = 1", "TRUE"),
    ]);
}

#[test]
fn number_functions() {
    check(&[
        ("ROUND(2.345, 2)", "2.35"),
        ("ROUND(-2.345, 2)", "-2.35"),
        ("ROUND(125, -1)", "130"),
        ("ROUND(CAST(2.5 AS DOUBLE), 0)", "3.0"),
        ("ROUND(CAST(1.005 AS DOUBLE), 2)", "1.01"),
        ("ROUND(2.5)", "3"),
        ("TRUNCATE(42.324, 2)", "42.32"),
        ("TRUNCATE(42.324)", "42"),
        ("TRUNCATE(CAST(42.324 AS DOUBLE), 2)", "42.32"),
        ("TRUNCATE(142, -1)", "140"),
        ("FLOOR(2.7)", "2"),
        ("FLOOR(-2.7)", "-3"),
        ("CEIL(2.1)", "3"),
        ("CEIL(-2.1)", "-2"),
        ("CEILING(CAST(2.1 AS DOUBLE))", "3.0"),
        ("FLOOR(5)", "5"),
        ("SIGN(-2.5)", "-1.0"),
        ("SIGN(-3)", "-1"),
        ("POWER(2, 10)", "1024.0"),
        ("SQRT(16)", "4.0"),
        ("EXP(0)", "1.0"),
        ("LN(1)", "0.0"),
        ("LOG10(1000)", "3.0"),
        ("LOG2(8)", "3.0"),
        ("LOG(2, 8)", "3.0"),
        ("LOG(E())", "1.0"),
        ("PI()", "3.141592653589793"),
        ("ATAN2(1, 1)", "0.7853981633974483"),
        ("DEGREES(PI())", "180.0"),
        ("BIN(12)", "1100"),
        ("HEX(255)", "FF"),
        ("HEX('hello,world')", "68656C6C6F2C776F726C64"),
        ("UNHEX('466C696E6B')", "x'466c696e6b'"),
        ("CONV('100', 2, 10)", "4"),
        ("CONV(-10, 16, -10)", "-16"),
        ("GREATEST(1, 3, 2)", "3"),
        ("GREATEST(1, NULL, 2)", "<NULL>"),
        ("LEAST('b', 'a')", "a"),
        ("GREATEST(1, 2.5)", "2.5"),
    ]);
}
