//! The format `canal-json`: changes of a MySQL database as Alibaba's Canal writes them.
//!
//! ```json
//! {"data": [{"id": 1, "n": 5}], "old": [{"n": 4}], "type": "UPDATE", "table": "t"}
//! ```
//!
//! A record holds any number of rows. `INSERT` adds them, `DELETE` takes them back, `UPDATE` takes
//! the old ones back and adds the new ones; `old` has only those members that changed. Changes of
//! tables themselves (`isDdl`, or without `data`) are no rows. A record is taken whole or not at
//! all.

use regex::Regex;

use super::cursor::{Cursor, Parsed, Reason};
use super::debezium::{ChangeDecoder, ChangeEncoder, Envelope, members};
use super::{encoder_of, rules, validate_as};
use crate::error::Result;
use crate::format::TextFormat;
use crate::options::Options;

/// The prefix of the format's options.
const NAME: &str = "canal-json";

const ADDED: [&[u8]; 2] = [b"{\"data\":[", b"],\"type\":\"INSERT\"}\n"];
const TAKEN: [&[u8]; 2] = [b"{\"data\":[", b"],\"type\":\"DELETE\"}\n"];

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: NAME,
    options: &[
        "canal-json.database.include",
        "canal-json.table.include",
        "canal-json.ignore-parse-errors",
        "canal-json.timestamp-format.standard",
        "canal-json.map-null-key.mode",
        "canal-json.map-null-key.literal",
        "canal-json.encode.decimal-as-plain-number",
        "canal-json.encode.ignore-null-fields",
    ],
    validate: |spec, options| {
        Filter::from_options(options)?;
        validate_as(NAME, spec, options)
    },
    decoder: |options, columns| {
        let envelope = Envelope::Canal(Filter::from_options(options)?);
        Ok(Box::new(ChangeDecoder::new(NAME, &columns, rules(NAME, options)?, envelope)?))
    },
    encoder: |options, schema| {
        let rows = encoder_of(NAME, options, &schema)?;
        Ok(Box::new(ChangeEncoder { rows, added: ADDED, taken: TAKEN }))
    },
    // A row must not be taken back before it was added: the changes stay in their order.
    splittable: false,
    changelog: true,
    in_files: true,
};

/// Which databases and tables are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    database: Option<Regex>,
    table: Option<Regex>,
}

impl Filter {
    fn from_options(options: &Options<'_>) -> Result<Self> {
        let pattern = |name: &str| -> Result<Option<Regex>> {
            let Some(text) = options.get(name) else { return Ok(None) };
            Regex::new(&format!("^(?:{text})$"))
                .map(Some)
                .map_err(|e| options.bad(name, text, "a pattern").hint(e.to_string()))
        };
        Ok(Self {
            database: pattern("canal-json.database.include")?,
            table: pattern("canal-json.table.include")?,
        })
    }

    fn takes(&self, change: &Change) -> bool {
        let fits = |pattern: &Option<Regex>, name: &Option<Vec<u8>>| {
            pattern.as_ref().is_none_or(|pattern| {
                let name = name.as_deref().map(String::from_utf8_lossy);
                name.is_some_and(|name| pattern.is_match(&name))
            })
        };
        fits(&self.database, &change.database) && fits(&self.table, &change.table)
    }
}

/// The parts of a change: where its rows start, and its words.
#[derive(Default)]
struct Change {
    data: Option<usize>,
    old: Option<usize>,
    is_ddl: bool,
    kind: Option<Vec<u8>>,
    database: Option<Vec<u8>>,
    table: Option<Vec<u8>>,
}

impl ChangeDecoder {
    /// Reads the change at the cursor.
    pub(super) fn canal(&mut self, mut cursor: Cursor<'_>) -> Parsed<()> {
        let line = cursor.bytes;
        let mut change = Change::default();
        members(&mut cursor, |key, cursor| {
            let word = match key {
                b"data" => return rows_at(cursor, &mut change.data),
                b"old" => return rows_at(cursor, &mut change.old),
                b"isDdl" => {
                    change.is_ddl = cursor.peek() == b't';
                    return cursor.skip_value();
                }
                b"type" => &mut change.kind,
                b"database" => &mut change.database,
                b"table" => &mut change.table,
                _ => return cursor.skip_value(),
            };
            if cursor.peek() != b'"' {
                return cursor.skip_value();
            }
            *word = Some(cursor.string()?.into_owned());
            Ok(())
        })?;
        cursor.skip_space();
        if cursor.at != line.len() {
            return Err(cursor.expected("the end of the record"));
        }
        if let Envelope::Canal(filter) = self.envelope()
            && !filter.takes(&change)
        {
            return Ok(());
        }
        self.canal_rows(line, &change)
    }

    fn canal_rows(&mut self, line: &[u8], change: &Change) -> Parsed<()> {
        let kind = change.kind.as_deref();
        let kind = kind.ok_or_else(|| Reason::new("there is no member 'type'"))?;
        let Some(data) = change.data.filter(|_| !change.is_ddl) else {
            return match kind {
                b"INSERT" | b"UPDATE" | b"DELETE" if !change.is_ddl => {
                    let kind = String::from_utf8_lossy(kind);
                    Err(Reason::new(format!("the change '{kind}' has no 'data'")))
                }
                _ => Ok(()),
            };
        };
        let data = elements(line, data)?;
        match kind {
            b"INSERT" => data.iter().try_for_each(|&(at, _)| self.canal_row(line, at, kind, 1)),
            b"DELETE" => data.iter().try_for_each(|&(at, _)| self.canal_row(line, at, kind, -1)),
            b"UPDATE" => {
                let old = match change.old {
                    Some(old) => elements(line, old)?,
                    None => Vec::new(),
                };
                if old.len() != data.len() {
                    let (old, new) = (old.len(), data.len());
                    return Err(Reason::new(format!("{new} rows take the place of {old}")));
                }
                for (&(new_at, new_end), (old_at, old_end)) in data.iter().zip(old) {
                    let before = merged(&line[new_at..new_end], &line[old_at..old_end]);
                    self.row(&before, Some(0), "old", kind, -1)?;
                    self.canal_row(line, new_at, kind, 1)?;
                }
                Ok(())
            }
            other => Err(Reason::new(format!(
                "the change '{}' is not known; there are INSERT, UPDATE and DELETE",
                String::from_utf8_lossy(other)
            ))),
        }
    }

    fn canal_row(&mut self, line: &[u8], at: usize, kind: &[u8], weight: i64) -> Parsed<()> {
        self.row(line, Some(at), "data", kind, weight)
    }
}

/// Notes where an array starts, unless it is null, and walks over it.
fn rows_at(cursor: &mut Cursor<'_>, place: &mut Option<usize>) -> Parsed<()> {
    *place = (cursor.peek() != b'n').then_some(cursor.at);
    cursor.skip_value()
}

/// Where the elements of the array at `at` start and end.
fn elements(line: &[u8], at: usize) -> Parsed<Vec<(usize, usize)>> {
    let mut cursor = Cursor { bytes: line, at };
    if cursor.peek() != b'[' {
        return Err(cursor.expected("an array of rows"));
    }
    cursor.at += 1;
    cursor.skip_space();
    let mut found = Vec::new();
    if cursor.peek() == b']' {
        return Ok(found);
    }
    loop {
        cursor.skip_space();
        let start = cursor.at;
        cursor.skip_value()?;
        found.push((start, cursor.at));
        if !cursor.separator(b']')? {
            return Ok(found);
        }
    }
}

/// The row that was there before: the new one with the members that were other ones. Of several
/// members of one name the last one counts.
fn merged(new: &[u8], old: &[u8]) -> Vec<u8> {
    let inner = |object: &[u8]| -> Option<Vec<u8>> {
        let inner = object.strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
        Some(inner.to_vec())
    };
    // What is no object is refused where it is read.
    let (Some(new), Some(old)) = (inner(new), inner(old)) else { return old.to_vec() };
    let between: &[u8] = if new.is_empty() || old.is_empty() { b"" } else { b"," };
    [b"{", new.as_slice(), between, old.as_slice(), b"}"].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::format::ReadColumns;
    use crate::spec::TableSpec;

    fn read(options: &[(&str, &str)], lines: &[&str]) -> (Vec<String>, Vec<String>) {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8, true),
        ]));
        let spec = TableSpec::new("t", Arc::clone(&schema), options.iter().copied());
        let columns = ReadColumns::all(&schema);
        let mut decoder = (FORMAT.decoder)(&Options::new(&spec), columns).unwrap();
        let bad: Vec<String> =
            lines.iter().filter_map(|l| decoder.decode_record(l.as_bytes()).err()).collect();
        let batch = decoder.finish().unwrap();
        let weights = decoder.take_weights().unwrap();
        let value = |c: usize, r: usize| {
            arrow::util::display::array_value_to_string(batch.column(c), r).unwrap()
        };
        let row = |(r, w): (usize, &i64)| format!("{w:+}|{}|{}", value(0, r), value(1, r));
        (weights.iter().enumerate().map(row).collect(), bad)
    }

    const INSERT: &str = r#"{"data":[{"id":"1","name":"a"},{"id":2,"name":null}],"type":"INSERT",
        "database":"shop","table":"items","isDdl":false,"old":null}"#;

    #[test]
    fn changes_are_signed_rows() {
        let update = r#"{"data":[{"id":1,"name":"b"},{"id":2,"name":"c"}],
            "old":[{"name":"a"},{"name":null,"id":20}],"type":"UPDATE"}"#;
        let delete = r#"{"type":"DELETE","data":[{"id":1,"name":"b"}],"old":null}"#;
        let ddl = r#"{"data":null,"type":"CREATE","isDdl":true,"sql":"create table t"}"#;
        let (rows, bad) = read(&[], &[INSERT, update, delete, ddl]);
        let expected = ["+1|1|a", "+1|2|", "-1|1|a", "+1|1|b", "-1|20|", "+1|2|c", "-1|1|b"];
        assert_eq!((rows, bad), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn a_record_is_bad_as_a_whole_and_says_why() {
        let (rows, bad) = read(
            &[],
            &[
                r#"{"data":[{"id":1},{"id":"x"}],"type":"INSERT"}"#,
                r#"{"data":[{"id":1}],"old":[],"type":"UPDATE"}"#,
                r#"{"data":[{"id":1}],"type":"UPSERT"}"#,
                r#"{"data":null,"type":"INSERT"}"#,
                r#"{"data":[{"id":1}]}"#,
                r#"{"data":[7],"type":"INSERT"}"#,
            ],
        );
        assert_eq!(rows, Vec::<String>::new());
        let parts = [
            "in the 'data' row",
            "1 rows take the place of 0",
            "the change 'UPSERT' is not known",
            "the change 'INSERT' has no 'data'",
            "there is no member 'type'",
            "expected an object as the 'data' row",
        ];
        assert_eq!(bad.len(), parts.len());
        for (reason, part) in bad.iter().zip(parts) {
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn databases_and_tables_can_be_chosen() {
        let with = |name: &str, pattern: &str| read(&[(name, pattern)], &[INSERT]).0.len();
        assert_eq!(with("canal-json.database.include", "shop"), 2);
        assert_eq!(with("canal-json.database.include", "sho"), 0);
        assert_eq!(with("canal-json.table.include", "it.*"), 2);
        assert_eq!(with("canal-json.table.include", "users"), 0);
    }
}
