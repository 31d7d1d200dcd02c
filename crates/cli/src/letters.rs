//! `rialto dead-letters`: records that sources refused.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rialto_runtime::Runtime;
use rialto_runtime::letters::{Book, BookError, Letter, Send, Status, edited};
use rialto_runtime::sql::functions::SessionSettings;
use rialto_runtime::sql::parser::parse;
use serde_json::json;

use crate::args::{
    Answer, DeadLetters, Discard, Format, LettersCommand, ListLetters, Redrive, Selection,
    ShowLetter,
};
use crate::failure::{Failure, Result, tell};
use crate::output::{Stdout, print_rows};
use crate::project::operate::replace;
use crate::project::state_of;
use crate::unreadable;

/// How many bytes of a record that is no text stand on a line.
const HEX_BYTES: usize = 16;

/// Answers a command about dead letters.
pub fn dead_letters(command: &DeadLetters, stdout: &Stdout) -> Result<()> {
    match &command.command {
        LettersCommand::List(command) => list(command, stdout),
        LettersCommand::Show(command) => show(command, stdout),
        LettersCommand::Redrive(command) => redrive(command, stdout),
        LettersCommand::Discard(command) => discard(command, stdout),
    }
}

fn failed(error: BookError) -> Failure {
    match error {
        BookError::Refused(reason) => Failure::request(reason, None),
        other => Failure::Job(format!("error: {other}\n")),
    }
}

fn open(folder: &Path) -> Result<Book> {
    Book::read(&state_of(folder)?).map_err(failed)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(milliseconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(milliseconds);
    time.map_or_else(String::new, |t| t.format("%F %T%.3f UTC").to_string())
}

/// Refuses a table that has no letters and never had any.
fn check_table(book: &Book, table: &str) -> Result<()> {
    let names: Vec<&str> = book.tables.iter().map(|t| t.table.as_str()).collect();
    if names.contains(&table) {
        return Ok(());
    }
    let hint = match names.as_slice() {
        [] => "no table has refused anything yet".to_owned(),
        names => format!("the tables are {}", names.join(", ")),
    };
    Err(Failure::request(format!("there is no table '{table}' in the state"), Some(&hint)))
}

fn list(command: &ListLetters, stdout: &Stdout) -> Result<()> {
    let book = open(&command.state)?;
    if let Some(table) = &command.table {
        check_table(&book, table)?;
    }
    let wanted = |l: &&Letter| {
        command.table.as_ref().is_none_or(|t| *t == l.table)
            && (!command.open || l.status == Status::Open)
    };
    let letters: Vec<&Letter> = book.letters().filter(wanted).collect();
    if command.output == Format::Json {
        return letters.iter().try_for_each(|l| Ok(stdout.line(&l.described().to_string())?));
    }
    let texts = |of: &dyn Fn(&Letter) -> String| -> ArrayRef {
        Arc::new(letters.iter().map(|l| Some(of(l))).collect::<StringArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", texts(&|l| l.id.clone())),
        ("table", texts(&|l| l.table.clone())),
        ("status", texts(&status)),
        ("attempts", Arc::new(letters.iter().map(|l| Some(l.attempts)).collect::<Int32Array>())),
        ("refused", texts(&|l| time(l.first_ms))),
        ("bytes", Arc::new(letters.iter().map(|l| size(l)).collect::<Int64Array>())),
        ("position", texts(&|l| l.position.clone())),
        ("reason", texts(&|l| l.reason.clone())),
    ];
    let field =
        |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<Field>>()));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema, arrays)
        .map_err(|e| Failure::Job(format!("error: cannot list the letters: {e}\n")))?;
    print_rows(&batch, command.output, &SessionSettings::default(), stdout)?;
    Ok(())
}

fn size(letter: &Letter) -> Option<i64> {
    i64::try_from(letter.size).ok()
}

/// What has become of a letter; of one of an earlier run its record may have been read anew.
fn status(letter: &Letter) -> String {
    let earlier = if letter.is_earlier { ", earlier run" } else { "" };
    format!("{}{earlier}", letter.status.name())
}

fn show(command: &ShowLetter, stdout: &Stdout) -> Result<()> {
    let book = open(&command.state)?;
    let letter = book.find(&command.id).map_err(failed)?;
    let (record, whole) = book.record(letter).map_err(failed)?;
    let text = std::str::from_utf8(&record).ok();
    if command.output == Answer::Json {
        let mut shown = letter.described();
        shown["is_row"] = json!(letter.is_row);
        shown["whole"] = json!(whole);
        match text {
            Some(text) => shown["record"] = json!(text),
            None => shown["base64"] = json!(STANDARD.encode(&record)),
        }
        return Ok(stdout.line(&shown.to_string())?);
    }
    let kind = match (letter.is_row, text) {
        (true, _) => "the row that the record became, as JSON",
        (false, Some(_)) => "text",
        (false, None) => "not UTF-8",
    };
    let cut = if whole { String::new() } else { format!(", the first {} kept", record.len()) };
    for (name, value) in [
        ("letter", letter.id.clone()),
        ("table", letter.table.clone()),
        ("status", status(letter)),
        ("attempts", letter.attempts.to_string()),
        ("refused", time(letter.first_ms)),
        ("last", time(letter.last_ms)),
        ("position", letter.position.clone()),
        ("reason", letter.reason.clone()),
        ("record", format!("{} bytes{cut}, {kind}", letter.size)),
    ] {
        stdout.line(&format!("{name:<10}{value}"))?;
    }
    stdout.line("")?;
    match text {
        Some(text) => stdout.line(text)?,
        None => stdout.text(&hexadecimal(&record))?,
    }
    Ok(())
}

/// Bytes with their place before them and their text behind them.
fn hexadecimal(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, part) in bytes.chunks(HEX_BYTES).enumerate() {
        let digits: Vec<String> = part.iter().map(|b| format!("{b:02x}")).collect();
        let shown = |b: &u8| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' };
        let text: String = part.iter().map(shown).collect();
        let digits = digits.join(" ");
        out.push_str(&format!("{:08x}  {digits:<47}  {text}\n", line * HEX_BYTES));
    }
    out
}

/// The letters that are meant: those that are named, or all open ones of this run.
fn selected(book: &Book, which: &Selection) -> Result<Vec<Letter>> {
    if !which.ids.is_empty() {
        let find = |id: &String| book.find(id).cloned().map_err(failed);
        return which.ids.iter().map(find).collect();
    }
    if let Some(table) = &which.table {
        check_table(book, table)?;
    }
    let of_table = |l: &&Letter| which.table.as_ref().is_none_or(|t| *t == l.table);
    let open = book.letters().filter(of_table).filter(|l| l.status == Status::Open);
    let (earlier, now): (Vec<&Letter>, Vec<&Letter>) = open.partition(|l| l.is_earlier);
    if !earlier.is_empty() {
        tell(&format!(
            "{} open letters of an earlier run are left out: the last one may have read their \
             records anew (name them by their ids)\n",
            earlier.len()
        ));
    }
    Ok(now.into_iter().cloned().collect())
}

fn redrive(command: &Redrive, stdout: &Stdout) -> Result<()> {
    let book = open(&command.state)?;
    let mut letters = selected(&book, &command.which)?;
    let repaired = command.set_record.is_some() || command.edit.is_some();
    if repaired && letters.len() != 1 {
        let message = "a repaired record is that of one letter";
        return Err(Failure::request(message, Some("name one id")));
    }
    if command.which.ids.is_empty() {
        letters.retain(|letter| {
            let table = book.tables.iter().find(|t| t.table == letter.table);
            let hindrance = table.and_then(|t| t.hindrance(letter));
            if let Some(reason) = &hindrance {
                tell(&format!("letter {} is left out: {reason}\n", letter.id));
            }
            hindrance.is_none()
        });
    }
    let mut sends = Vec::with_capacity(letters.len());
    for letter in &letters {
        sends.push(Send { id: letter.id.clone(), record: repair(command, &book, letter)? });
    }
    let count = book.send(&sends, now_ms()).map_err(failed)?;
    match command.output {
        Answer::Json => {
            let ids: Vec<&String> = sends.iter().map(|s| &s.id).collect();
            stdout.line(&json!({ "sent": count, "ids": ids }).to_string())?;
        }
        Answer::Text => stdout.line(&format!(
            "{count} {} sent again: taken by the running job, or by its next run",
            if count == 1 { "record is" } else { "records are" }
        ))?,
    }
    Ok(())
}

/// What is sent in place of a letter's record; none: the record as it was.
fn repair(command: &Redrive, book: &Book, letter: &Letter) -> Result<Option<Vec<u8>>> {
    if let Some(path) = &command.set_record {
        let mut record = if path == Path::new("-") {
            standard_input()?
        } else {
            std::fs::read(path).map_err(|e| unreadable(&path.display().to_string(), &e))?
        };
        // The line end of a file's last line is no part of the record.
        if record.ends_with(b"\n") {
            record.pop();
        }
        return Ok(Some(record));
    }
    let Some(edit) = &command.edit else { return Ok(None) };
    let edit = match edit.as_str() {
        "-" => standard_input()?,
        text => text.as_bytes().to_vec(),
    };
    let (record, _) = book.record(letter).map_err(failed)?;
    edited(&record, &edit).map(Some).map_err(|reason| {
        let message = format!("letter {} cannot be edited: {reason}", letter.id);
        Failure::request(message, Some("--set-record gives a whole record in its place"))
    })
}

fn standard_input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.map_err(|e| unreadable("the standard input", &e))?;
    Ok(bytes)
}

fn discard(command: &Discard, stdout: &Stdout) -> Result<()> {
    let book = open(&command.state)?;
    let letters = selected(&book, &command.which)?;
    let ids: Vec<String> = letters.into_iter().map(|l| l.id).collect();
    let count = book.discard(&ids, now_ms()).map_err(failed)?;
    match command.output {
        Answer::Json => stdout.line(&json!({ "discarded": count, "ids": ids }).to_string())?,
        Answer::Text => {
            let letters = if count == 1 { "letter is" } else { "letters are" };
            stdout.line(&format!("{count} {letters} discarded"))?;
        }
    }
    Ok(())
}

/// Makes the letters of a state folder readable: for each table one more, `T$dead_letters`, with
/// what there is now.
pub fn declare(runtime: &mut Runtime, folder: &Path) -> Result<()> {
    let state = state_of(folder)?;
    let state = state.canonicalize().map_err(|e| unreadable(&state.display().to_string(), &e))?;
    let book = Book::read(&state).map_err(failed)?;
    for table in &book.tables {
        let records = book.all_records(table).map_err(failed)?;
        let mut text = String::new();
        for letter in &table.letters {
            let mut row = letter.described();
            row["record"] = json!(records.get(&letter.id).map(|r| STANDARD.encode(r)));
            text.push_str(&row.to_string());
            text.push('\n');
        }
        let path = table.folder().join("listed.json");
        replace(&path, &text)
            .map_err(|e| Failure::Job(format!("error: cannot write {}: {e}\n", path.display())))?;
        let declaration = declaration(&table.table, &path.display().to_string());
        let statements = parse(&declaration);
        let statements = statements.map_err(|e| Failure::sql(&e, &declaration, "dead letters"))?;
        for statement in &statements {
            let done = runtime.execute(statement);
            done.map_err(|e| Failure::sql(&e, &declaration, "dead letters"))?;
        }
    }
    Ok(())
}

fn declaration(table: &str, path: &str) -> String {
    let name = format!("{table}$dead_letters").replace('`', "``");
    let path = path.replace('\'', "''");
    format!(
        "CREATE TEMPORARY TABLE `{name}` (
           id STRING, status STRING, earlier_run BOOLEAN, attempts INT,
           refused_ms BIGINT, last_ms BIGINT, bytes BIGINT, `position` STRING, reason STRING,
           record BYTES,
           refused AS TO_TIMESTAMP_LTZ(refused_ms, 3), `last` AS TO_TIMESTAMP_LTZ(last_ms, 3)
         ) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_with_their_text() {
        let shown = hexadecimal(b"\xff\x00ab");
        assert_eq!(shown, format!("00000000  {:<47}  ..ab\n", "ff 00 61 62"));
    }
}
