//! CSV records into columns.
//!
//! A line without a quote is a record, cut at its delimiters; everything else goes through
//! `csv-core`, which knows quotes, escapes and line ends inside fields.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memmem::find_iter;
use memchr::{memchr, memchr_iter, memchr2, memchr3};
use rialto_engine::EngineError;

use super::Dialect;
use crate::error::{ConnectorError, Result};
use crate::format::column::{Column, Slot, no_type};
use crate::format::field::{not_a, parse_field};
use crate::format::{BATCH_BYTES_MAX, BadRecord, Decoder, Progress, ReadColumns, decode_alone};

/// Reads CSV. See the module's documentation.
pub struct CsvDecoder {
    schema: SchemaRef,
    slots: Vec<Slot>,
    columns: ReadColumns,
    dialect: Dialect,
    core: Reader,
    /// The fields of the record: places in the record or, if unquoted, in `text`.
    fields: Vec<(usize, usize)>,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// For each field of a record the column that takes it.
    targets: Vec<Option<usize>>,
    header_pending: bool,
    file_start: bool,
    rows: usize,
    bytes: usize,
    ignored: u64,
}

/// What stands at the start of some input.
enum Found {
    /// A record of so many bytes; its fields are in `fields`, over the input or over `text`.
    Record { len: usize, unquoted: bool },
    /// So many bytes that hold no record.
    Nothing(usize),
    /// A quoted field without an end, from here to the end of the input.
    Endless,
    /// Only the beginning of a record.
    Partial,
}

impl CsvDecoder {
    /// For some columns of files of a dialect.
    pub fn new(columns: ReadColumns, dialect: Dialect) -> Result<Self> {
        let schema = columns.schema();
        let slots = schema
            .fields()
            .iter()
            .map(|field| {
                Slot::new(field).map_err(|data_type| {
                    ConnectorError::new(format!("column '{}' cannot be read", field.name()))
                        .detail(no_type("csv", &data_type))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let core = ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .quote(dialect.quote.unwrap_or(b'"'))
            .quoting(dialect.quote.is_some())
            .escape(dialect.escape)
            .build();
        let mut decoder = Self {
            schema,
            slots,
            core,
            fields: Vec::new(),
            text: vec![0; 1024],
            ends: vec![0; 64],
            targets: Vec::new(),
            header_pending: false,
            file_start: true,
            rows: 0,
            bytes: 0,
            ignored: 0,
            columns,
            dialect,
        };
        decoder.start_file();
        Ok(decoder)
    }

    fn find(&mut self, input: &[u8], last: bool) -> Found {
        if self.dialect.comments && input.first() == Some(&b'#') {
            return match memchr(b'\n', input) {
                Some(end) => Found::Nothing(end + 1),
                None if last => Found::Nothing(input.len()),
                None => Found::Partial,
            };
        }
        let stop = match self.dialect.quote {
            Some(quote) => memchr3(b'\n', b'\r', quote, input),
            None => memchr2(b'\n', b'\r', input),
        };
        let (line, len) = match stop {
            None if last => (input.len(), input.len()),
            None => return Found::Partial,
            Some(at) if input[at] == b'\n' => (at, at + 1),
            Some(at) if input[at] == b'\r' => match input.get(at + 1) {
                Some(b'\n') => (at, at + 2),
                None if !last => return Found::Partial,
                // A carriage return alone ends a record, too.
                _ => (at, at + 1),
            },
            Some(_) => return self.find_quoted(input, last),
        };
        if line == 0 {
            return Found::Nothing(len);
        }
        self.fields.clear();
        let mut start = 0;
        for end in memchr_iter(self.dialect.delimiter, &input[..line]) {
            self.fields.push((start, end));
            start = end + 1;
        }
        self.fields.push((start, line));
        Found::Record { len, unquoted: false }
    }

    fn find_quoted(&mut self, input: &[u8], last: bool) -> Found {
        self.core.reset();
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            let (result, bytes_in, bytes_out, fields) = self.core.read_record(
                &input[read..],
                &mut self.text[written..],
                &mut self.ends[ended..],
            );
            let at_end = read == input.len();
            read += bytes_in;
            written += bytes_out;
            ended += fields;
            match result {
                // Reading on from the end of the input tells the machine that it is the end.
                ReadRecordResult::InputEmpty if last => {}
                ReadRecordResult::InputEmpty => return Found::Partial,
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::End => return Found::Nothing(input.len()),
                ReadRecordResult::Record if at_end && self.is_endless(input) => {
                    return Found::Endless;
                }
                ReadRecordResult::Record => break,
            }
        }
        if input[read - 1] == b'\r' {
            match input.get(read) {
                Some(b'\n') => read += 1,
                None if !last => return Found::Partial,
                _ => {}
            }
        }
        self.fields.clear();
        let mut start = 0;
        for &end in &self.ends[..ended] {
            self.fields.push((start, end));
            start = end;
        }
        Found::Record { len: read, unquoted: true }
    }

    /// Whether a record that ran to the end of the file has a quote too few.
    fn is_endless(&self, record: &[u8]) -> bool {
        let quote = self.dialect.quote.unwrap_or(b'"');
        memchr_iter(quote, record).count() % 2 == 1 && memchr(b'\n', record).is_some()
    }

    /// Takes the fields as the names of the columns.
    fn read_header(&mut self, record: &[u8]) -> Result<(), String> {
        let names: Vec<String> = self
            .fields
            .iter()
            .map(|&(a, b)| String::from_utf8_lossy(record[a..b].trim_ascii()).into_owned())
            .collect();
        self.targets = vec![None; names.len()];
        for (slot, column) in self.slots.iter().enumerate() {
            let Some(place) = names.iter().position(|name| name == column.name()) else {
                return Err(format!(
                    "the header has no column '{}', only {}",
                    column.name(),
                    names.join(", ")
                ));
            };
            self.targets[place] = Some(slot);
        }
        Ok(())
    }

    /// Appends the fields as a row, or says why not (and then no column has changed).
    fn append(&mut self, record: &[u8]) -> Result<(), String> {
        let (found, expected) = (self.fields.len(), self.targets.len());
        let ignore = self.dialect.ignore_errors;
        if found > expected || (found < expected && !ignore) {
            return Err(format!("the record has {found} fields, not {expected}"));
        }
        for place in 0..expected {
            let Some(slot) = self.targets[place] else { continue };
            let slot = &mut self.slots[slot];
            let Some(&(start, end)) = self.fields.get(place) else {
                slot.column.push_null();
                self.ignored += 1;
                continue;
            };
            let field = &record[start..end];
            if self.dialect.null.as_deref() == Some(field) {
                slot.column.push_null();
            } else if let Err(reason) = read_field(&mut slot.column, field, &self.dialect) {
                if !ignore {
                    return Err(explain(slot.name(), field, reason));
                }
                slot.column.truncate(self.rows);
                slot.column.push_null();
                self.ignored += 1;
            }
            if slot.breaks_not_null() {
                return Err(format!("column '{}' is NOT NULL", slot.name()));
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn take_back(&mut self) {
        let rows = self.rows;
        self.slots.iter_mut().for_each(|slot| slot.column.truncate(rows));
    }

    fn reject(&mut self, raw: &[u8], done: Progress, reason: String, bad: &mut Vec<BadRecord>) {
        self.take_back();
        if self.dialect.ignore_errors {
            self.ignored += 1;
            return;
        }
        let bytes = raw.trim_ascii_end().to_vec();
        bad.push(BadRecord { offset: done.consumed, line: done.lines, reason, bytes });
    }

    /// Takes one record, the header or a row.
    fn record(
        &mut self,
        raw: &[u8],
        unquoted: bool,
        done: Progress,
        bad: &mut Vec<BadRecord>,
    ) -> Result<(), String> {
        if std::str::from_utf8(raw).is_err() {
            if self.header_pending {
                return Err("the header is not valid UTF-8".into());
            }
            self.reject(raw, done, "the record is not valid UTF-8".into(), bad);
            return Ok(());
        }
        // The text is taken out for the moment, so that the columns can be changed beside it.
        let text = std::mem::take(&mut self.text);
        let record = if unquoted { text.as_slice() } else { raw };
        let result = if std::mem::take(&mut self.header_pending) {
            self.read_header(record)
        } else {
            if let Err(reason) = self.append(record) {
                self.reject(raw, done, reason, bad);
            }
            Ok(())
        };
        self.text = text;
        result
    }
}

fn explain(name: &str, field: &[u8], reason: String) -> String {
    let hint =
        if field.is_empty() { " ('csv.null-literal' = '' reads empty fields as NULL)" } else { "" };
    format!("column '{name}': {reason}{hint}")
}

/// Reads a field, which may be an array or a row of plain values.
fn read_field(column: &mut Column, field: &[u8], dialect: &Dialect) -> Result<(), String> {
    match column {
        Column::List(list) => {
            if !field.is_empty() {
                for element in split(field, &dialect.element_delimiter) {
                    read_plain(&mut list.element.column, element, dialect)?;
                }
            }
            let len = list.element.column.len();
            list.close(len);
            Ok(())
        }
        Column::Row(row) => {
            let parts: Vec<&[u8]> = split(field, &dialect.element_delimiter).collect();
            if parts.len() != row.fields.len() {
                return Err(not_a(field, &format!("a ROW of {} fields", row.fields.len())));
            }
            for (slot, part) in row.fields.iter_mut().zip(parts) {
                read_plain(&mut slot.column, part, dialect)?;
            }
            row.close();
            Ok(())
        }
        _ => parse_field(column, field),
    }
}

fn read_plain(column: &mut Column, field: &[u8], dialect: &Dialect) -> Result<(), String> {
    if dialect.null.as_deref() == Some(field) {
        column.push_null();
        return Ok(());
    }
    parse_field(column, field)
}

fn split<'a>(field: &'a [u8], delimiter: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut start = 0;
    let cuts = find_iter(field, delimiter).map(Some).chain([None]);
    cuts.map(move |cut| {
        let end = cut.unwrap_or(field.len());
        let part = &field[start..end];
        start = end + delimiter.len();
        part
    })
}

impl Decoder for CsvDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> Result<Progress, String> {
        let mut done = Progress::default();
        if self.rows == 0 {
            // What came to nothing fills no batch.
            self.bytes = 0;
        }
        if self.file_start && (input.len() >= 3 || last) {
            self.file_start = false;
            done.consumed = if input.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        }
        while done.consumed < input.len()
            && (self.header_pending || self.rows < rows_max)
            && self.bytes < BATCH_BYTES_MAX
        {
            let rest = &input[done.consumed..];
            let len = match self.find(rest, last) {
                Found::Partial => break,
                Found::Nothing(len) => len,
                Found::Record { len, unquoted } => {
                    self.record(&rest[..len], unquoted, done, bad)?;
                    len
                }
                Found::Endless => {
                    // One quote too many must not swallow the rest of the file.
                    let len = memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
                    let reason = "a quoted field has no end".into();
                    self.reject(&rest[..len], done, reason, bad);
                    len
                }
            };
            done.consumed += len;
            done.lines += memchr_iter(b'\n', &rest[..len]).count() as u64;
            self.bytes += len;
        }
        Ok(done)
    }

    /// A message may have several lines. Where one of them is bad, none is a row: the whole message
    /// is what is kept, and what would come twice if it were sent again.
    fn decode_record(&mut self, record: &[u8]) -> Result<(), String> {
        let before = self.rows;
        let decoded = decode_alone(self, record);
        if decoded.is_err() {
            self.rows = before;
            self.take_back();
        }
        decoded
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            arrays.push(slot.finish().map_err(|e| EngineError::Internal(e.to_string()))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|e| EngineError::Internal(e.to_string()))
    }

    fn start_file(&mut self) {
        self.file_start = true;
        self.header_pending = self.dialect.header;
        let wanted = &self.columns.wanted;
        self.targets = (0..self.columns.file.len())
            .map(|place| wanted.iter().position(|&w| w == place))
            .collect();
    }

    fn needs_header(&self) -> bool {
        self.header_pending
    }

    fn ignored(&self) -> u64 {
        self.ignored
    }
}
