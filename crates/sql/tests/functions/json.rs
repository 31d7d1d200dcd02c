//! JSON functions.

use crate::harness::{check, check_errors, check_types};

#[test]
fn reading() {
    check(&[
        ("JSON_VALUE('{\"a\": true}', '$.a')", "true"),
        ("JSON_VALUE('{\"a\": true}', '$.a', 'BOOLEAN')", "TRUE"),
        ("JSON_VALUE('{\"a.b\": [0.998,0.996]}', '$.[\"a.b\"][0]', 'DOUBLE')", "0.998"),
        ("JSON_VALUE('{\"a\": true}', 'lax $.b', '', 'DEFAULT', FALSE)", "FALSE"),
        ("JSON_VALUE('{\"a\": true}', 'strict $.b', '', 'NULL', NULL, 'DEFAULT', 'x')", "x"),
        ("JSON_VALUE('{\"a\": 1}', '$.a', 'INTEGER')", "1"),
        ("JSON_VALUE('{\"a\": [1]}', '$.a')", "<NULL>"),
        ("JSON_VALUE('{\"a b\": \"right\"}', 'strict $.[''a b'']')", "right"),
        ("JSON_VALUE('no', '$.a')", "<NULL>"),
        ("JSON_QUERY('{ \"a\": { \"b\": 1 } }', '$.a')", "{\"b\":1}"),
        ("JSON_QUERY('[1, 2]', '$')", "[1,2]"),
        (
            "JSON_QUERY('{\"a\":[{\"c\":\"c1\"},{\"c\":\"c2\"}]}', 'lax $.a[*].c')",
            "[\"c1\",\"c2\"]",
        ),
        ("JSON_QUERY('{}', '$', '', 'CONDITIONAL')", "[{}]"),
        ("JSON_QUERY('[1, 2]', '$', '', 'UNCONDITIONAL')", "[[1,2]]"),
        ("JSON_QUERY('1', '$')", "<NULL>"),
        ("JSON_QUERY('1', '$', '', 'CONDITIONAL')", "[1]"),
        ("JSON_QUERY('{}', 'lax $.invalid', '', 'WITHOUT', 'EMPTY OBJECT')", "{}"),
        ("JSON_QUERY('{}', 'strict $.invalid', '', 'WITHOUT', 'NULL', 'EMPTY ARRAY')", "[]"),
        ("JSON_QUERY('[\"a\",1]', '$', 'ARRAY<STRING>')", "[a, 1]"),
        ("JSON_EXISTS('{\"a\": true}', '$.a')", "TRUE"),
        ("JSON_EXISTS('{\"a\": true}', '$.b')", "FALSE"),
        ("JSON_EXISTS('{\"a\": [{ \"b\": 1 }]}', '$.a[0].b')", "TRUE"),
        ("JSON_EXISTS('{\"a\": true}', 'strict $.b', 'TRUE')", "TRUE"),
        ("IS_JSON('1')", "TRUE"),
        ("IS_JSON('abc')", "FALSE"),
        ("IS_JSON('{}', 'SCALAR')", "FALSE"),
        ("IS_JSON('{}', 'OBJECT')", "TRUE"),
    ]);
    check_types(&[("JSON_VALUE('1', '$', 'INTEGER')", "INT")]);
    check_errors(&[("JSON_VALUE('{}', 'lax $.b', '', 'ERROR')", "Empty result")]);
}

#[test]
fn writing() {
    check(&[
        ("JSON_STRING(1)", "1"),
        ("JSON_STRING(TRUE)", "true"),
        ("JSON_STRING('Hello, \"World\"!')", "\"Hello, \\\"World\\\"!\""),
        ("JSON_STRING(ARRAY[1, 2])", "[1,2]"),
        ("JSON_STRING(CAST(NULL AS INT))", "<NULL>"),
        ("JSON_OBJECT('NULL')", "{}"),
        ("JSON_OBJECT('NULL', 'K2', 'V2', 'K1', 1)", "{\"K1\":1,\"K2\":\"V2\"}"),
        ("JSON_OBJECT('NULL', 'K', CAST(NULL AS STRING))", "{\"K\":null}"),
        ("JSON_OBJECT('ABSENT', 'K', CAST(NULL AS STRING))", "{}"),
        ("JSON_OBJECT('NULL', 'a', JSON_OBJECT('NULL', 'b', 1))", "{\"a\":{\"b\":1}}"),
        ("JSON_OBJECT('NULL', 'a', '{}')", "{\"a\":\"{}\"}"),
        ("JSON_ARRAY('ABSENT', 1, '2', NULL)", "[1,\"2\"]"),
        ("JSON_ARRAY('NULL', JSON_ARRAY('ABSENT', 1), NULL)", "[[1],null]"),
        ("JSON_ARRAY('ABSENT')", "[]"),
        ("JSON_QUOTE('a/\"é')", "\"a\\/\\\"\\u00e9\""),
        ("JSON_UNQUOTE('\"a\\u00e9\"')", "aé"),
        ("JSON_STRING(1.50)", "1.50"),
    ]);
}
