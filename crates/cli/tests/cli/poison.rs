//! Files and records that no format can read: what is good in them and behind them is taken, and
//! what is not is told with its reason.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{rialto, stderr, stdout};

/// A gzip file of one block that is not packed: the text, of which more is promised than there is.
fn cut_gzip(text: &str, promised: u16) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    bytes.extend_from_slice(&promised.to_le_bytes());
    bytes.extend_from_slice(&(!promised).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A zstd file of blocks: whether one is of a single byte again and again, of what length, and its
/// bytes. `window`: as the header says how much memory it takes.
fn zstd(window: u8, blocks: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for (at, (kind, len, content)) in blocks.iter().enumerate() {
        let last = u32::from(at + 1 == blocks.len());
        bytes.extend_from_slice(&(last | kind << 1 | len << 3).to_le_bytes()[..3]);
        bytes.extend_from_slice(content);
    }
    bytes
}

/// As they are, one byte again and again, and what is no kind of block.
const RAW: u32 = 0;
const REPEATED: u32 = 1;
const RESERVED: u32 = 3;
/// Windows of 128 KiB and of more than anybody has.
const WINDOW: u8 = 7 << 3;
const WINDOW_BEYOND: u8 = 0xff;
const BLOCK_MAX: u32 = 128 << 10;

fn run(dir: &Path, sql: &str) -> (String, Vec<Value>) {
    let _ = fs::remove_file(dir.join("dead.json"));
    let output = rialto(dir, &["sql", "-c", sql, "-o", "csv", "--dead-letters", "dead.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let dead = fs::read_to_string(dir.join("dead.json")).unwrap_or_default();
    let dead = dead.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (stdout(&output), dead)
}

fn text<'v>(letter: &'v Value, name: &str) -> &'v str {
    letter[name].as_str().unwrap_or_else(|| panic!("no '{name}' in {letter}"))
}

#[test]
fn what_can_be_unpacked_of_a_broken_file_is_taken_and_the_next_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    let cut = cut_gzip("{\"a\":1}\n{\"a\":2}\n{\"a\":3", 60_000);
    fs::write(at.join("in/1.json.gz"), cut).unwrap();
    fs::write(at.join("in/2.json"), "{\"a\":4}\n").unwrap();
    fs::write(at.join("in/3.json.gz"), [&[0x1f, 0x8b][..], b"nothing of gzip"].concat()).unwrap();
    fs::write(at.join("in/4.json"), "{\"a\":5}\n").unwrap();
    let table = |more: &str| {
        format!(
            "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'in',
               'format' = 'json'{more}); SELECT a FROM t ORDER BY a;"
        )
    };
    let (rows, dead) = run(at, &table(""));
    assert_eq!(rows, "a\n1\n2\n4\n5\n");
    assert_eq!(dead.len(), 2, "{dead:?}");
    let of = |file: &str| dead.iter().find(|d| text(d, "position").contains(file)).unwrap();
    assert!(text(of("1.json.gz"), "position").ends_with("1.json.gz:3"), "{dead:?}");
    for letter in &dead {
        assert!(text(letter, "reason").contains("cannot be unpacked from here on"), "{letter}");
    }
    // Whoever wants to be told at once is.
    let text = table(", 'rialto.on-error' = 'fail'");
    let failed = rialto(at, &["sql", "-c", &text]);
    assert_eq!(failed.status.code(), Some(1), "{}", stdout(&failed));
    assert!(stderr(&failed).contains("cannot be unpacked"), "{}", stderr(&failed));
}

#[test]
fn zstd_that_is_broken_or_a_bomb_costs_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("in")).unwrap();
    let rows = b"{\"a\":1}\n{\"a\":2}\n{\"a\":";
    let raw = (RAW, rows.len() as u32, &rows[..]);
    let file = |name: &str, bytes: &[u8]| fs::write(at.join("in").join(name), bytes).unwrap();
    // A block that cannot be, behind two rows and a part of one.
    file("1.json.zst", &zstd(WINDOW, &[raw, (RESERVED, 1, b"")]));
    file("2.json", b"{\"a\":3}\n");
    // Nothing behind the promise of a block; half a header; a window of terabytes.
    file("3.json.zst", &zstd(WINDOW, &[raw, (RAW, 60_000, b"{\"a\"")]));
    file("4.json.zst", &zstd(WINDOW, &[])[..5]);
    file("5.json.zst", &zstd(WINDOW_BEYOND, &[raw]));
    // 64 KiB of file, 2 GiB of lines without anything: they are passed, block by block.
    let empty = vec![(REPEATED, BLOCK_MAX, &b"\n"[..]); 16 << 10];
    let last = b"{\"a\":4}\n";
    let blocks = [empty, vec![(RAW, last.len() as u32, &last[..])]].concat();
    file("6.json.zst", &zstd(WINDOW, &blocks));
    file("7.json", b"{\"a\":5}\n");
    let table = "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'in',
        'format' = 'json'); SELECT a, COUNT(*) AS n FROM t GROUP BY a ORDER BY a;";
    let (rows, dead) = run(at, table);
    assert_eq!(rows, "a,n\n1,2\n2,2\n3,1\n4,1\n5,1\n");
    assert_eq!(dead.len(), 4, "{dead:?}");
    for name in ["1.json.zst:3", "3.json.zst:3", "4.json.zst:1", "5.json.zst:1"] {
        let letter = dead.iter().find(|d| text(d, "position").ends_with(name));
        let letter = letter.unwrap_or_else(|| panic!("no letter of {name}: {dead:?}"));
        assert!(text(letter, "reason").contains("cannot be unpacked"), "{letter}");
    }

    // A record without end stops the job, before the memory does.
    let spaces = vec![(REPEATED, BLOCK_MAX, &b" "[..]); 16 << 10];
    let blocks = [vec![(RAW, 8, &b"{\"a\":1}\n"[..])], spaces].concat();
    file("8.json.zst", &zstd(WINDOW, &blocks));
    let failed = rialto(at, &["sql", "-c", table]);
    assert_eq!(failed.status.code(), Some(1), "{}", stdout(&failed));
    let said = stderr(&failed);
    assert!(said.contains("8.json.zst@8") && said.contains("a record is longer than"), "{said}");
}

#[test]
fn a_parquet_file_that_is_none_costs_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let good = "CREATE TABLE p (a INT, b STRING) WITH ('connector' = 'filesystem', 'path' = 'in',
        'format' = 'parquet', 'parquet.compression' = 'UNCOMPRESSED');";
    let made = format!("{good} INSERT INTO p VALUES (1, 'one'), (2, 'two'), (3, 'three');");
    run(at, &made);
    let file = fs::read_dir(at.join("in")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    fs::write(at.join("in/0-empty.parquet"), "").unwrap();
    fs::write(at.join("in/0-cut.parquet"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at.join("in/0-text.parquet"), "a,b\n1,one\n").unwrap();
    // The header of the first page says what cannot be.
    let mut page = whole.clone();
    page[4..12].fill(0xff);
    fs::write(at.join("in/0-page.parquet"), page).unwrap();
    let (rows, dead) = run(at, &format!("{good} SELECT a, b FROM p ORDER BY a;"));
    assert_eq!(rows, "a,b\n1,one\n2,two\n3,three\n");
    assert_eq!(dead.len(), 4, "{dead:?}");
    for name in ["0-empty", "0-cut", "0-text", "0-page"] {
        let letter = dead.iter().find(|d| text(d, "position").contains(name)).unwrap();
        let reason = text(letter, "reason");
        assert!(reason.contains("not a readable Parquet file"), "{name}: {reason}");
    }
}

#[test]
fn records_of_65536_columns_are_records_or_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let many = 65_536;
    let members: Vec<String> = (0..many).map(|i| format!("\"c{i}\":{i}")).collect();
    let lines = format!("{{\"a\":1}}\n{{{},\"a\":2}}\n{{\"a\":3}}\n", members.join(","));
    fs::write(at.join("t.json"), lines).unwrap();
    let json = "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 't.json',
        'format' = 'json'); SELECT a FROM t ORDER BY a;";
    let (rows, dead) = run(at, json);
    assert_eq!((rows.as_str(), dead.len()), ("a\n1\n2\n3\n", 0));
    let cells = vec!["7"; many].join(",");
    fs::write(at.join("t.csv"), format!("1,x\n{cells}\n3,z\n")).unwrap();
    let csv = "CREATE TABLE t (a INT, b STRING) WITH ('connector' = 'filesystem',
        'path' = 't.csv', 'format' = 'csv'); SELECT a FROM t ORDER BY a;";
    let (rows, dead) = run(at, csv);
    assert_eq!(rows, "a\n1\n3\n");
    assert_eq!(dead.len(), 1);
    assert!(text(&dead[0], "position").ends_with("t.csv:2"), "{}", text(&dead[0], "position"));
}
