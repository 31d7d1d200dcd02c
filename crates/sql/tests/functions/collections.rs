//! Arrays, maps, rows.

use crate::harness::{check, check_errors, check_types};

#[test]
fn arrays() {
    check(&[
        ("ARRAY[1, 2, 3]", "[1, 2, 3]"),
        ("ARRAY[1, 2.5]", "[1.0, 2.5]"),
        ("ARRAY[1, 2][1]", "1"),
        ("ARRAY[1, 2][3]", "<NULL>"),
        ("CARDINALITY(ARRAY[1, 2])", "2"),
        ("ELEMENT(ARRAY[7])", "7"),
        ("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "TRUE"),
        ("ARRAY_CONTAINS(ARRAY[1, NULL], NULL)", "TRUE"),
        ("ARRAY_POSITION(ARRAY['a', 'b'], 'b')", "2"),
        ("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]"),
        ("ARRAY_APPEND(ARRAY[1], 2)", "[1, 2]"),
        ("ARRAY_PREPEND(ARRAY[1], 2)", "[2, 1]"),
        ("ARRAY_DISTINCT(ARRAY[1, 2, 1, NULL, NULL])", "[1, 2, NULL]"),
        ("ARRAY_REVERSE(ARRAY[1, 2, 3])", "[3, 2, 1]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], 2, 3)", "[2, 3]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3], -2)", "[2, 3]"),
        ("ARRAY_SORT(ARRAY[3, NULL, 1])", "[NULL, 1, 3]"),
        ("ARRAY_SORT(ARRAY[3, NULL, 1], FALSE)", "[3, 1, NULL]"),
        ("ARRAY_MAX(ARRAY[1, 3, NULL])", "3"),
        ("ARRAY_MIN(ARRAY[2, 1])", "1"),
        ("ARRAY_JOIN(ARRAY['a', NULL, 'b'], '-')", "a-b"),
        ("ARRAY_JOIN(ARRAY['a', NULL], '-', 'x')", "a-x"),
        ("ARRAY_CONCAT(ARRAY[1], ARRAY[2, 3])", "[1, 2, 3]"),
        ("ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "[1, 2, 3]"),
        ("ARRAY_EXCEPT(ARRAY[1, 2, 1], ARRAY[2])", "[1]"),
        ("ARRAY_INTERSECT(ARRAY[1, 2], ARRAY[2, 3])", "[2]"),
    ]);
    check_types(&[("ARRAY[1, 2][1]", "INT"), ("ARRAY['a']", "ARRAY<STRING>")]);
    check_errors(&[("ELEMENT(ARRAY[1, 2])", "2 elements")]);
}

#[test]
fn maps_and_rows() {
    check(&[
        ("MAP('a', 1, 'b', 2)", "{a=1, b=2}"),
        ("MAP('a', 1)['a']", "1"),
        ("MAP('a', 1)['z']", "<NULL>"),
        ("CARDINALITY(MAP('a', 1))", "1"),
        ("MAP_KEYS(MAP('a', 1))", "[a]"),
        ("MAP_VALUES(MAP('a', 1))", "[1]"),
        ("MAP_ENTRIES(MAP('a', 1))", "[(a, 1)]"),
        ("MAP_FROM_ARRAYS(ARRAY['x', 'y'], ARRAY[1, 2])", "{x=1, y=2}"),
        ("MAP_UNION(MAP('a', 1), MAP('a', 2, 'b', 3))", "{a=2, b=3}"),
        ("ROW(1, 'a')", "(1, a)"),
        ("(1, 'a')", "(1, a)"),
    ]);
}
