//! The format `debezium-json`: one change of a database a line.
//!
//! ```json
//! {"before": {"id": 1, "n": 4}, "after": {"id": 1, "n": 5}, "op": "u"}
//! ```
//!
//! `c` (create) and `r` (read, of a snapshot) add the row `after`; `d` takes the row `before` back;
//! `u` does both. The rows themselves are read and written as the format `json` does. A record is
//! taken whole or not at all: an update whose `after` cannot be read does not take its `before`
//! back. A row that is taken back must be the whole row that was there: a database that logs only
//! the keys of old rows has to be told to log all columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use rialto_engine::EngineError;

use super::cursor::{Cursor, Parsed, Reason};
use super::value::{Rules, Values};
use super::{JsonEncoder, encoder_of, rules, validate_as};
use crate::error::{ConnectorError, Result};
use crate::format::column::{Slot, no_type};
use crate::format::lines::each_line;
use crate::format::{
    BATCH_BYTES_MAX, BadRecord, Decoder, Encoder, Progress, ReadColumns, TextFormat,
};
use crate::options::Options;

/// The prefix of the format's options.
const NAME: &str = "debezium-json";

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: NAME,
    options: &[
        "debezium-json.schema-include",
        "debezium-json.ignore-parse-errors",
        "debezium-json.timestamp-format.standard",
        "debezium-json.map-null-key.mode",
        "debezium-json.map-null-key.literal",
        "debezium-json.encode.decimal-as-plain-number",
        "debezium-json.encode.ignore-null-fields",
    ],
    validate: |spec, options| {
        options.boolean("debezium-json.schema-include", false)?;
        validate_as(NAME, spec, options)
    },
    decoder: |options, columns| Ok(Box::new(ChangeDecoder::from_options(options, &columns)?)),
    encoder,
    // A row must not be taken back before it was added: the changes stay in their order.
    splittable: false,
    changelog: true,
    in_files: true,
};

/// Reads newline-delimited changes, Debezium's or Canal's.
pub(super) struct ChangeDecoder {
    schema: SchemaRef,
    slots: Vec<Slot>,
    values: Values,
    envelope: Envelope,
    weights: Vec<i64>,
    finished: Vec<i64>,
    bytes: usize,
    dropped: u64,
}

/// What stands around the rows of a change.
pub(super) enum Envelope {
    /// Debezium's; with a schema each record is `{"schema": …, "payload": …}`.
    Debezium {
        with_schema: bool,
    },
    Canal(super::canal::Filter),
}

/// Where the parts of a change are in its line.
#[derive(Default)]
struct Change {
    before: Option<usize>,
    after: Option<usize>,
    op: Option<Vec<u8>>,
}

impl ChangeDecoder {
    fn from_options(options: &Options<'_>, columns: &ReadColumns) -> Result<Self> {
        let with_schema = options.boolean("debezium-json.schema-include", false)?;
        Self::new(NAME, columns, rules(NAME, options)?, Envelope::Debezium { with_schema })
    }

    /// For some columns of a format.
    pub(super) fn new(
        format: &str,
        columns: &ReadColumns,
        rules: Rules,
        envelope: Envelope,
    ) -> Result<Self> {
        let schema = columns.schema();
        let slot = |field| {
            Slot::new(field).map_err(|data_type| {
                ConnectorError::new(format!("column '{}' cannot be read", field.name()))
                    .detail(no_type(format, &data_type))
            })
        };
        let slots = schema.fields().iter().map(slot).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            schema,
            slots,
            values: Values { rules, ignored: 0 },
            envelope,
            weights: Vec::new(),
            finished: Vec::new(),
            bytes: 0,
            dropped: 0,
        })
    }

    /// What stands around the rows.
    pub(super) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Reads one line; the rows of a record that cannot be read are taken back.
    fn record(&mut self, line: &[u8]) -> Parsed<()> {
        let (rows, ignored) = (self.weights.len(), self.values.ignored);
        let read = match std::str::from_utf8(line) {
            Ok(_) => self.change(line),
            Err(_) => Err(Reason::new("the record is not valid UTF-8")),
        };
        if read.is_err() {
            self.values.ignored = ignored;
            self.weights.truncate(rows);
            self.slots.iter_mut().for_each(|slot| slot.column.truncate(rows));
        }
        read
    }

    fn change(&mut self, line: &[u8]) -> Parsed<()> {
        let mut cursor = Cursor { bytes: line, at: 0 };
        cursor.skip_space();
        if cursor.at == line.len() {
            return Ok(());
        }
        let with_schema = match &self.envelope {
            Envelope::Debezium { with_schema } => *with_schema,
            Envelope::Canal(_) => return self.canal(cursor),
        };
        let change = envelope(&mut cursor, with_schema)?;
        cursor.skip_space();
        if cursor.at != line.len() {
            return Err(cursor.expected("the end of the record"));
        }
        let op = change.op.as_deref().ok_or_else(|| Reason::new("there is no member 'op'"))?;
        match op {
            b"c" | b"r" => self.row(line, change.after, "after", op, 1),
            b"u" => {
                self.row(line, change.before, "before", op, -1)?;
                self.row(line, change.after, "after", op, 1)
            }
            b"d" => self.row(line, change.before, "before", op, -1),
            other => Err(Reason::new(format!(
                "the operation '{}' is not known; there are c, r, u and d",
                String::from_utf8_lossy(other)
            ))),
        }
    }

    /// Reads the row that starts at `at`, with a weight.
    pub(super) fn row(
        &mut self,
        line: &[u8],
        at: Option<usize>,
        name: &str,
        op: &[u8],
        weight: i64,
    ) -> Parsed<()> {
        let op = String::from_utf8_lossy(op);
        let mut cursor = Cursor { bytes: line, at: at.unwrap_or(line.len()) };
        if at.is_none() || cursor.peek() == b'n' {
            let advice = match weight {
                -1 if matches!(self.envelope, Envelope::Debezium { .. }) => {
                    "; let the database log all columns of old rows (in PostgreSQL: ALTER TABLE \
                       … REPLICA IDENTITY FULL)"
                }
                _ => "",
            };
            return Err(Reason::new(format!("the operation '{op}' has no '{name}' row{advice}")));
        }
        if cursor.peek() != b'{' {
            return Err(cursor.expected(&format!("an object as the '{name}' row")));
        }
        let rows = self.weights.len();
        self.values
            .members(&mut self.slots, rows, &mut cursor, |_, _, _| {})
            .map_err(|reason| Reason::new(format!("in the '{name}' row: {}", reason.0)))?;
        self.weights.push(weight);
        Ok(())
    }
}

/// Finds the parts of a change; with a schema they are in the member `payload`.
fn envelope(cursor: &mut Cursor<'_>, with_schema: bool) -> Parsed<Change> {
    let mut change = Change::default();
    let mut payload = None;
    members(cursor, |key, cursor| {
        if with_schema {
            if key == b"payload" {
                payload = Some(cursor.at);
            }
            return cursor.skip_value();
        }
        part(&mut change, key, cursor)
    })?;
    if with_schema {
        let Some(at) = payload else {
            return Err(Reason::new(
                "there is no member 'payload' ('debezium-json.schema-include' is set)",
            ));
        };
        let mut inner = Cursor { bytes: cursor.bytes, at };
        members(&mut inner, |key, cursor| part(&mut change, key, cursor))?;
    }
    Ok(change)
}

/// Notes where a member of the change is, and walks over it.
fn part(change: &mut Change, key: &[u8], cursor: &mut Cursor<'_>) -> Parsed<()> {
    match key {
        b"before" => change.before = Some(cursor.at),
        b"after" => change.after = Some(cursor.at),
        b"op" if cursor.peek() == b'"' => {
            change.op = Some(cursor.string()?.into_owned());
            return Ok(());
        }
        b"op" => return Err(cursor.expected("the operation as a string")),
        _ => {}
    }
    cursor.skip_value()
}

/// Walks over the members of the object at the cursor; `value` must walk over each one's value.
pub(super) fn members(
    cursor: &mut Cursor<'_>,
    mut value: impl FnMut(&[u8], &mut Cursor<'_>) -> Parsed<()>,
) -> Parsed<()> {
    if cursor.peek() != b'{' {
        return Err(cursor.expected("an object, one a line"));
    }
    cursor.at += 1;
    cursor.skip_space();
    if cursor.peek() == b'}' {
        cursor.at += 1;
        return Ok(());
    }
    loop {
        let key = cursor.key()?;
        value(&key, cursor)?;
        if !cursor.separator(b'}')? {
            return Ok(());
        }
    }
}

impl Decoder for ChangeDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> std::result::Result<Progress, String> {
        if self.weights.is_empty() {
            // What came to nothing fills no batch.
            self.bytes = 0;
        }
        if self.weights.len() >= rows_max || self.bytes >= BATCH_BYTES_MAX {
            return Ok(Progress::default());
        }
        Ok(each_line(input, last, |line, at| {
            self.bytes += line.len() + 1;
            if let Err(reason) = self.record(line) {
                if self.values.rules.ignore_errors {
                    self.dropped += 1;
                } else {
                    bad.push(BadRecord {
                        offset: at.consumed,
                        line: at.lines,
                        reason: reason.0.into(),
                        bytes: line.to_vec(),
                    });
                }
            }
            self.weights.len() < rows_max && self.bytes < BATCH_BYTES_MAX
        }))
    }

    fn decode_record(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        let record = super::one_line(record)?;
        self.bytes += record.len();
        match self.record(&record) {
            Err(_) if self.values.rules.ignore_errors => {
                self.dropped += 1;
                Ok(())
            }
            read => read.map_err(|reason| reason.0.into()),
        }
    }

    fn rows(&self) -> usize {
        self.weights.len()
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            arrays.push(slot.finish().map_err(|e| EngineError::Internal(e.to_string()))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.weights.len()));
        self.finished = std::mem::take(&mut self.weights);
        self.bytes = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| EngineError::Internal(e.to_string()))
    }

    fn take_weights(&mut self) -> Option<Vec<i64>> {
        Some(std::mem::take(&mut self.finished))
    }

    fn ignored(&self) -> u64 {
        self.dropped + self.values.ignored
    }
}

/// Writes a row that is added, and one that is taken back, as Flink does: an update is the one
/// after the other.
pub(super) struct ChangeEncoder {
    pub rows: JsonEncoder,
    /// What stands around a row that is added.
    pub added: [&'static [u8]; 2],
    /// What stands around a row that is taken back.
    pub taken: [&'static [u8]; 2],
}

const ADDED: [&[u8]; 2] = [b"{\"before\":null,\"after\":", b",\"op\":\"c\"}\n"];
const TAKEN: [&[u8]; 2] = [b"{\"before\":", b",\"after\":null,\"op\":\"d\"}\n"];

fn encoder(options: &Options<'_>, schema: SchemaRef) -> Result<Box<dyn Encoder>> {
    if options.boolean("debezium-json.schema-include", false)? {
        return Err(ConnectorError::new(format!(
            "table '{}' cannot be written with 'debezium-json.schema-include'",
            options.table()
        ))
        .hint("records are written without their schema; leave the option out"));
    }
    let rows = encoder_of(NAME, options, &schema)?;
    Ok(Box::new(ChangeEncoder { rows, added: ADDED, taken: TAKEN }))
}

impl Encoder for ChangeEncoder {
    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let retracts = vec![false; rows.len()];
        self.encode_changes(&batch.slice(rows.start, rows.len()), &retracts, out)
    }

    fn encode_changes(
        &mut self,
        batch: &RecordBatch,
        retracts: &[bool],
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        for (row, &retracts) in retracts.iter().enumerate() {
            let [head, tail] = if retracts { self.taken } else { self.added };
            out.extend_from_slice(head);
            self.rows.write_row(batch, row, out)?;
            out.extend_from_slice(tail);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::format::text::TimestampStyle;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8, true),
        ]))
    }

    fn decoder(ignore_errors: bool, with_schema: bool) -> ChangeDecoder {
        let rules = Rules { fail_on_missing: false, ignore_errors, style: TimestampStyle::Sql };
        let envelope = Envelope::Debezium { with_schema };
        ChangeDecoder::new(NAME, &ReadColumns::all(&schema()), rules, envelope).unwrap()
    }

    /// The rows as `+1|a`, and the reasons of bad records.
    fn read(mut decoder: ChangeDecoder, text: &str, rows_max: usize) -> (Vec<String>, Vec<String>) {
        let (mut rows, mut reasons, mut at) = (Vec::new(), Vec::new(), 0);
        while at < text.len() {
            let mut bad = Vec::new();
            let step = decoder.decode(&text.as_bytes()[at..], true, rows_max, &mut bad).unwrap();
            assert!(step.consumed > 0);
            at += step.consumed;
            reasons.extend(bad.into_iter().map(|b| b.reason));
            let batch = decoder.finish().unwrap();
            let weights = decoder.take_weights().unwrap();
            assert_eq!(weights.len(), batch.num_rows());
            let value = |c: usize, r: usize| {
                arrow::util::display::array_value_to_string(batch.column(c), r).unwrap()
            };
            for (row, weight) in weights.iter().enumerate() {
                rows.push(format!("{weight:+}|{}|{}", value(0, row), value(1, row)));
            }
        }
        (rows, reasons)
    }

    const CHANGES: &str = concat!(
        r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c"}"#,
        "\n",
        r#"{"op":"r","ts_ms":5,"source":{"db":1},"after":{"name":"b","id":2},"before":null}"#,
        "\n",
        "\n",
        r#"{"before":{"id":1,"name":"a"},"after":{"id":1,"name":"c"},"op":"u"}"#,
        "\r\n",
        r#"{"before":{"id":2,"name":"b"},"after":null,"op":"d"}"#,
    );

    #[test]
    fn operations_are_signed_rows() {
        let expected = ["+1|1|a", "+1|2|b", "-1|1|a", "+1|1|c", "-1|2|b"];
        for rows_max in [1, 2, 100] {
            let (rows, bad) = read(decoder(false, false), CHANGES, rows_max);
            assert_eq!(rows, expected);
            assert!(bad.is_empty());
        }
    }

    #[test]
    fn a_bad_record_is_bad_as_a_whole_and_says_why() {
        let text = [
            r#"{"before":{"id":1,"name":"a"},"after":{"id":"x"},"op":"u"}"#,
            r#"{"before":null,"after":{"id":1},"op":"u"}"#,
            r#"{"before":null,"after":{"id":1},"op":"t"}"#,
            r#"{"before":null,"after":{"id":1}}"#,
            r#"{"before":null,"after":{"name":"no id"},"op":"c"}"#,
            r#"{"before":null,"after":null,"op":"c"}"#,
            r#"{"before":null,"after":{"id":7},"op":"c"} more"#,
            r#"{"before":null,"after":{"id":8},"op":"c"}"#,
        ]
        .join("\n");
        let (rows, bad) = read(decoder(false, false), &text, 100);
        assert_eq!(rows, ["+1|8|"]);
        let starts = [
            "in the 'after' row: ",
            "the operation 'u' has no 'before' row; let the database log all columns",
            "the operation 't' is not known",
            "there is no member 'op'",
            "in the 'after' row: column 'id' is NOT NULL",
            "the operation 'c' has no 'after' row",
            "expected the end of the record",
        ];
        assert_eq!(bad.len(), starts.len());
        for (reason, start) in bad.iter().zip(starts) {
            assert!(reason.starts_with(start), "{reason}");
        }
        let (rows, bad) = read(decoder(true, false), &text, 100);
        assert_eq!((rows, bad), (vec!["+1|8|".to_owned()], vec![]));
    }

    #[test]
    fn with_a_schema_the_change_is_the_payload() {
        let text = concat!(
            r#"{"schema":{"type":"struct"},"#,
            r#""payload":{"before":null,"after":{"id":1,"name":"a"},"op":"c"}}"#,
            "\n",
            r#"{"before":null,"after":{"id":2},"op":"c"}"#,
        );
        let (rows, bad) = read(decoder(false, true), text, 100);
        assert_eq!(rows, ["+1|1|a"]);
        assert!(bad[0].starts_with("there is no member 'payload'"), "{}", bad[0]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut read_in = decoder(false, false);
        read_in.decode(CHANGES.as_bytes(), true, 100, &mut Vec::new()).unwrap();
        let batch = read_in.finish().unwrap();
        let retracts: Vec<bool> = read_in.take_weights().unwrap().iter().map(|&w| w < 0).collect();
        let mut out = Vec::new();
        let mut encoder =
            ChangeEncoder { rows: JsonEncoder::new(&schema()), added: ADDED, taken: TAKEN };
        encoder.encode_changes(&batch, &retracts, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with(
                "{\"before\":null,\"after\":{\"id\":1,\"name\":\"a\"},\"op\":\"c\"}\n"
            )
        );
        let (rows, bad) = read(decoder(false, false), &text, 100);
        assert_eq!(rows, read(decoder(false, false), CHANGES, 100).0);
        assert!(bad.is_empty());
    }
}
