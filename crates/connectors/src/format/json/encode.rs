//! Rows into newline-delimited JSON, with Flink's texts of values.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rialto_engine::EngineError;

use crate::format::Encoder;
use crate::format::cells::{Cells, Column};
use crate::format::text::TimestampStyle;

/// What becomes of an entry of a map whose key is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NullKey {
    /// The row cannot be written.
    Fail,
    /// The entry is left out.
    Drop,
    /// The key becomes this text.
    Literal(String),
}

/// Writes one JSON object a row.
#[derive(Debug, Clone)]
pub struct JsonEncoder {
    keys: Vec<Vec<u8>>,
    style: TimestampStyle,
    null_key: NullKey,
    skip_nulls: bool,
}

impl JsonEncoder {
    /// For rows of a schema: SQL timestamps, nulls written, null keys of maps refused.
    pub fn new(schema: &SchemaRef) -> Self {
        let keys = schema
            .fields()
            .iter()
            .map(|field| {
                let mut key = Vec::new();
                write_string(&mut key, field.name().as_bytes());
                key.push(b':');
                key
            })
            .collect();
        let style = TimestampStyle::Sql;
        Self { keys, style, null_key: NullKey::Fail, skip_nulls: false }
    }

    pub(super) fn with_style(mut self, style: TimestampStyle) -> Self {
        self.style = style;
        self
    }

    /// Says what becomes of null keys in maps.
    pub fn with_null_key(mut self, null_key: NullKey) -> Self {
        self.null_key = null_key;
        self
    }

    /// Leaves out columns that are null.
    pub fn without_nulls(mut self) -> Self {
        self.skip_nulls = true;
        self
    }

    /// Appends one row as an object, without a line end.
    pub fn write_row(
        &self,
        batch: &RecordBatch,
        row: usize,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let columns = columns(batch)?;
        self.object(&columns, row, out)
    }

    fn object(
        &self,
        columns: &[Column<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        out.push(b'{');
        let start = out.len();
        for (key, column) in self.keys.iter().zip(columns) {
            if self.skip_nulls && column.is_null(row) {
                continue;
            }
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(key);
            self.value(column, row, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn value(
        &self,
        column: &Column<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        if column.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match &column.cells {
            Cells::Utf8(a) => write_string(out, a.value(row).as_bytes()),
            Cells::Binary(a) => write_string(out, STANDARD.encode(a.value(row)).as_bytes()),
            Cells::List(list, element) => {
                out.push(b'[');
                let ends = list.value_offsets();
                for at in ends[row]..ends[row + 1] {
                    if at > ends[row] {
                        out.push(b',');
                    }
                    self.value(element, at as usize, out)?;
                }
                out.push(b']');
            }
            Cells::Map(map, key, value) => {
                let ends = map.value_offsets();
                self.map(key, value, ends[row] as usize..ends[row + 1] as usize, out)?;
            }
            Cells::Row(fields) => self.nested_row(fields, row, out)?,
            Cells::F64(a) if !a.value(row).is_finite() => self.quoted(column, row, out),
            Cells::F32(a) if !a.value(row).is_finite() => self.quoted(column, row, out),
            Cells::Date(_) | Cells::TimeMs(_) | Cells::Timestamp(..) => {
                self.quoted(column, row, out);
            }
            _ => drop(column.write_plain(row, self.style, out)),
        }
        Ok(())
    }

    fn nested_row(
        &self,
        fields: &[(&str, Column<'_>)],
        row: usize,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        out.push(b'{');
        let start = out.len();
        for (name, field) in fields {
            if self.skip_nulls && field.is_null(row) {
                continue;
            }
            if out.len() > start {
                out.push(b',');
            }
            write_string(out, name.as_bytes());
            out.push(b':');
            self.value(field, row, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn quoted(&self, column: &Column<'_>, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        column.write_plain(row, self.style, out);
        out.push(b'"');
    }

    fn map(
        &self,
        key: &Column<'_>,
        value: &Column<'_>,
        entries: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        out.push(b'{');
        let start = out.len();
        for entry in entries {
            let null_key = key.is_null(entry);
            if null_key && self.null_key == NullKey::Drop {
                continue;
            }
            if out.len() > start {
                out.push(b',');
            }
            match &self.null_key {
                NullKey::Literal(text) if null_key => write_string(out, text.as_bytes()),
                _ if null_key => {
                    return Err(EngineError::Data(
                        "a map with a null key cannot be written as JSON (set \
                         'json.map-null-key.mode' to 'DROP' or 'LITERAL')"
                            .into(),
                    ));
                }
                _ => self.map_key(key, entry, out),
            }
            out.push(b':');
            self.value(value, entry, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// Keys of objects are strings, whatever the type of the map's keys is.
    fn map_key(&self, key: &Column<'_>, entry: usize, out: &mut Vec<u8>) {
        match &key.cells {
            Cells::Utf8(a) => write_string(out, a.value(entry).as_bytes()),
            Cells::Binary(a) => write_string(out, STANDARD.encode(a.value(entry)).as_bytes()),
            _ => self.quoted(key, entry, out),
        }
    }
}

fn columns(batch: &RecordBatch) -> rialto_engine::Result<Vec<Column<'_>>> {
    batch
        .columns()
        .iter()
        .map(|array| {
            Column::new(array)
                .map_err(|t| EngineError::Data(format!("a {t} cannot be written as JSON")))
        })
        .collect()
}

impl Encoder for JsonEncoder {
    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let columns = columns(batch)?;
        for row in rows {
            self.object(&columns, row, out)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

/// Appends a text in double quotes, escaped as JSON wants it.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut at = 0;
    loop {
        let end = super::cursor::plain_end(text, at);
        out.extend_from_slice(&text[at..end]);
        let Some(&byte) = text.get(end) else { break };
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => 0,
        };
        if short != 0 {
            out.extend_from_slice(&[b'\\', short]);
        } else {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        }
        at = end + 1;
    }
    out.push(b'"');
}
