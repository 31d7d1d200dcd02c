//! String functions, regular expressions, hashes, URLs, conditions.

use crate::harness::{check, check_errors, check_types};

#[test]
fn strings() {
    check(&[
        ("'a' || 'b'", "ab"),
        ("'a' || NULL", "<NULL>"),
        ("CHAR_LENGTH('日本')", "2"),
        ("UPPER('abC')", "ABC"),
        ("lower('ABc')", "abc"),
        ("POSITION('b' IN 'abc')", "2"),
        ("POSITION('z' IN 'abc')", "0"),
        ("TRIM('  a ')", "a"),
        ("TRIM(BOTH 'x' FROM 'xxaxx')", "a"),
        ("TRIM(LEADING 'x' FROM 'xxaxx')", "axx"),
        ("LTRIM('  a ')", "a "),
        ("RTRIM('  a ')", "  a"),
        ("BTRIM('www.apache.org', 'wgro')", ".apache."),
        ("REPEAT('ab', 3)", "ababab"),
        ("REPEAT('ab', -1)", ""),
        ("OVERLAY('xxxxxtest' PLACING 'xxxx' FROM 6)", "xxxxxxxxx"),
        ("OVERLAY('xxxxxtest' PLACING 'xxxx' FROM 6 FOR 2)", "xxxxxxxxxst"),
        ("SUBSTRING('abcdef' FROM 2 FOR 3)", "bcd"),
        ("SUBSTRING('abcdef', -2)", "ef"),
        ("SUBSTR('abcdef', 0, 2)", "ab"),
        ("SUBSTR('abc', -5)", ""),
        ("SUBSTR('abc', 1, -1)", "<NULL>"),
        ("REPLACE('ababab', 'abab', 'z')", "zab"),
        ("INITCAP('hello wORLD-foo')", "Hello World-Foo"),
        ("CONCAT('AA', 'BB', 'CC')", "AABBCC"),
        ("CONCAT('a', NULL)", "<NULL>"),
        ("CONCAT_WS('~', 'AA', NULL, 'BB', '', 'CC')", "AA~BB~~CC"),
        ("CONCAT_WS(CAST(NULL AS STRING), 'a')", "<NULL>"),
    ]);
}

#[test]
fn more_strings() {
    check(&[
        ("LPAD('hi', 4, '??')", "??hi"),
        ("LPAD('hi', 1, '??')", "h"),
        ("RPAD('hi', 5, 'ab')", "hiaba"),
        ("RPAD('hi', -1, 'x')", "<NULL>"),
        ("ASCII('abc')", "97"),
        ("ASCII('')", "0"),
        ("CHR(353)", "a"),
        ("INSTR('abcabc', 'c')", "3"),
        ("INSTR('abcabc', 'c', -1, 2)", "3"),
        ("LEFT('abc', 2)", "ab"),
        ("LEFT('abc', -2)", ""),
        ("RIGHT('abc', 2)", "bc"),
        ("LOCATE('b', 'abcb', 3)", "4"),
        ("REVERSE('abc')", "cba"),
        ("SPLIT_INDEX('a,b,,d', ',', 3)", "d"),
        ("SPLIT_INDEX('a,b', ',', 5)", "<NULL>"),
        ("SPLIT_INDEX('a,b', 44, 1)", "b"),
        ("TRANSLATE('www.apache.org', 'wapcheorg', ' APCHEcom')", "   .APACHE.com"),
        ("ELT(2, 'scala', 'java', 'go')", "java"),
        ("ELT(9, 'a')", "<NULL>"),
        ("STARTSWITH('abc', 'ab')", "TRUE"),
        ("ENDSWITH('abc', 'bc')", "TRUE"),
        ("IS_ALPHA('Abc')", "TRUE"),
        ("IS_ALPHA('ab1')", "FALSE"),
        ("IS_DIGIT('123')", "TRUE"),
        ("IS_DECIMAL('1.5')", "TRUE"),
        ("IS_DECIMAL('x')", "FALSE"),
        ("PRINTF('%d %s %.2f %05d', 1, 'a', 1.005, 42)", "1 a 1.01 00042"),
        ("SPLIT('a,b,c', ',')", "[a, b, c]"),
        ("STR_TO_MAP('k1=v1,k2=v2')", "{k1=v1, k2=v2}"),
    ]);
    check_errors(&[("'a' || 1", "Cannot apply '||'"), ("UPPER(1)", "UPPER does not take")]);
}

#[test]
fn patterns() {
    check(&[
        ("'abc' LIKE 'a%'", "TRUE"),
        ("'a%c' LIKE 'a!%c' ESCAPE '!'", "TRUE"),
        ("'abc' LIKE 'a!%c' ESCAPE '!'", "FALSE"),
        ("'a\\b' LIKE 'a\\b'", "TRUE"),
        ("'abc' NOT LIKE '_b_'", "FALSE"),
        ("'abc' SIMILAR TO 'a(b|x)%'", "TRUE"),
        ("'abc' NOT SIMILAR TO '[a-c]+'", "FALSE"),
        ("REGEXP('abc', 'b')", "TRUE"),
        ("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 2)", "bar"),
        ("REGEXP_EXTRACT('abc', 'x')", "<NULL>"),
        ("REGEXP_REPLACE('foobar', 'oo|ar', '')", "fb"),
        ("REGEXP_REPLACE('abc', 'b', '$0')", "a$0c"),
        ("REGEXP_COUNT('a1b2', '[0-9]')", "2"),
        ("REGEXP_INSTR('abc1', '[0-9]')", "4"),
        ("REGEXP_SUBSTR('abc12', '\\d+')", "12"),
        ("REGEXP_EXTRACT_ALL('a1b2', '([a-z])[0-9]')", "[a, b]"),
        ("REGEXP_REPLACE('abc', '(', 'x')", "<NULL>"),
    ]);
    check_errors(&[
        ("REGEXP('aa', '(?=a)a')", "look-ahead"),
        ("'abc' LIKE 'a!b' ESCAPE '!'", "escape sequence"),
    ]);
}

#[test]
fn hashes_and_urls() {
    check(&[
        ("MD5('')", "d41d8cd98f00b204e9800998ecf8427e"),
        ("SHA1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("SHA2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("TO_BASE64('hello world')", "aGVsbG8gd29ybGQ="),
        ("FROM_BASE64('aGVsbG8gd29ybGQ=')", "hello world"),
        ("ENCODE('é', 'ISO-8859-1')", "x'e9'"),
        ("DECODE(ENCODE('é', 'UTF-16'), 'UTF-16')", "é"),
        ("URL_ENCODE('a b&c')", "a+b%26c"),
        ("URL_DECODE('a+b%26c')", "a b&c"),
        ("URL_DECODE('%x')", "<NULL>"),
        ("PARSE_URL('http://facebook.com/path1/p.php?k1=v1&k2=v2#Ref1', 'HOST')", "facebook.com"),
        ("PARSE_URL('http://f.com/p?k1=v1&k2=v2#R', 'QUERY', 'k2')", "v2"),
        ("PARSE_URL('http://f.com/p?k1=v1#R', 'REF')", "R"),
        ("CHAR_LENGTH(UUID())", "36"),
        ("TYPEOF(1.5)", "DECIMAL(2, 1) NOT NULL"),
    ]);
}

#[test]
fn conditions() {
    check(&[
        ("IF(5 > 3, 5, 3)", "5"),
        ("IF(CAST(NULL AS BOOLEAN), 1, 2)", "2"),
        ("COALESCE(NULL, 'a', 'b')", "a"),
        ("COALESCE(1, 1/0)", "1"),
        ("IFNULL(CAST(NULL AS INT), 5)", "5"),
        ("NULLIF(5, 5)", "<NULL>"),
        ("NULLIF(5, 0)", "5"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("1 BETWEEN 0 AND 1.5", "TRUE"),
        ("BETWEEN_SYMMETRIC(12, 15, 12)", "TRUE"),
        ("3 IN (1, 2, 3)", "TRUE"),
        ("4 IN (1, NULL)", "<NULL>"),
        ("1 IS DISTINCT FROM NULL", "TRUE"),
        ("DATE '2024-01-01' = '2024-01-01'", "TRUE"),
        ("TRUE AND NULL", "<NULL>"),
        ("CURRENT_DATABASE()", "default_database"),
    ]);
    check_types(&[("COALESCE(1, 2.5)", "DECIMAL(11, 1)"), ("IF(TRUE, 1, 3000000000)", "BIGINT")]);
}
