//! Reads a `.slt` file into blocks; the format is described in `tests/slt/README.md`.

/// One block of a file.
#[derive(Debug)]
pub struct Block {
    /// The line of its first word, from 1.
    pub line: usize,
    /// What it asks for.
    pub kind: Kind,
    /// The statement.
    pub sql: String,
}

/// What a block asks for.
#[derive(Debug)]
pub enum Kind {
    /// The statement succeeds.
    Ok,
    /// The statement fails.
    Error,
    /// The query gives these rows.
    Query { types: String, sorted: bool, rows: Vec<String> },
}

/// The blocks that are meant for Rialto, in order.
pub fn read(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut at, mut blocks, mut skipped) = (0, Vec::new(), false);
    while at < lines.len() {
        let line = lines[at].trim_end();
        at += 1;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["halt", ..] => break,
            ["skipif", engine] => skipped |= *engine == "rialto",
            ["onlyif", engine] => skipped |= *engine != "rialto",
            ["statement", "ok"] => {
                let sql = statement(&lines, &mut at);
                push(&mut blocks, &mut skipped, Block { line: at, kind: Kind::Ok, sql });
            }
            ["statement" | "query", "error", ..] => {
                let sql = statement(&lines, &mut at);
                push(&mut blocks, &mut skipped, Block { line: at, kind: Kind::Error, sql });
            }
            ["query", types, sort @ ..] => {
                let start = at;
                let sql = statement(&lines, &mut at);
                let mut rows = Vec::new();
                if lines.get(at - 1).is_some_and(|l| l.trim_end() == "----") {
                    while at < lines.len() && !lines[at].is_empty() {
                        rows.push(lines[at].to_owned());
                        at += 1;
                    }
                }
                let sorted = sort.first() != Some(&"nosort");
                let kind = Kind::Query { types: (*types).to_owned(), sorted, rows };
                push(&mut blocks, &mut skipped, Block { line: start, kind, sql });
            }
            other => panic!("line {at}: {other:?} is not a block"),
        }
    }
    blocks
}

fn push(blocks: &mut Vec<Block>, skipped: &mut bool, block: Block) {
    if !std::mem::take(skipped) {
        blocks.push(block);
    }
}

/// The lines up to `----` or a blank line, which is passed.
fn statement(lines: &[&str], at: &mut usize) -> String {
    let start = *at;
    while *at < lines.len() && !lines[*at].trim().is_empty() && lines[*at].trim_end() != "----" {
        *at += 1;
    }
    let sql = lines[start..*at].join("\n");
    *at += 1;
    sql
}
