//! Rows into CSV records, quoted where they have to be.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use rialto_engine::EngineError;

use super::Dialect;
use crate::format::Encoder;
use crate::format::cells::{Cells, Column};
use crate::format::text::TimestampStyle;

/// Writes CSV.
#[derive(Debug, Clone)]
pub struct CsvEncoder {
    dialect: Dialect,
    names: Vec<String>,
    /// The bytes for which a field is quoted.
    special: [bool; 256],
}

impl CsvEncoder {
    /// For rows of a schema.
    pub fn new(schema: &SchemaRef, dialect: Dialect) -> Self {
        let names = schema.fields().iter().map(|f| f.name().clone()).collect();
        let quoted = [Some(dialect.delimiter), dialect.quote, dialect.escape];
        let mut special = [false; 256];
        for byte in quoted.into_iter().flatten().chain(*b"\n\r") {
            special[usize::from(byte)] = true;
        }
        Self { dialect, names, special }
    }

    fn is_quoted(&self, text: &[u8]) -> bool {
        // A first '#' would make a comment of the record, if the reader knows comments.
        text.iter().any(|&byte| self.special[usize::from(byte)]) || text.first() == Some(&b'#')
    }

    fn field(&self, text: &[u8], out: &mut Vec<u8>) {
        let Some(quote) = self.dialect.quote.filter(|_| self.is_quoted(text)) else {
            return out.extend_from_slice(text);
        };
        out.push(quote);
        for &byte in text {
            if byte == quote {
                out.push(self.dialect.escape.unwrap_or(quote));
            } else if Some(byte) == self.dialect.escape {
                out.push(byte);
            }
            out.push(byte);
        }
        out.push(quote);
    }

    fn value(&self, column: &Column<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if column.is_null(row) {
            out.extend_from_slice(self.dialect.null.as_deref().unwrap_or_default());
            return Ok(());
        }
        match &column.cells {
            Cells::Utf8(a) => self.field(a.value(row).as_bytes(), out),
            Cells::Binary(a) => self.field(STANDARD.encode(a.value(row)).as_bytes(), out),
            Cells::List(list, element) => {
                let ends = list.value_offsets();
                let range = ends[row] as usize..ends[row + 1] as usize;
                let elements = range.map(|at| (element.as_ref(), at));
                let text = self.joined(elements)?;
                self.field(&text, out);
            }
            Cells::Row(fields) => {
                let text = self.joined(fields.iter().map(|(_, field)| (field, row)))?;
                self.field(&text, out);
            }
            Cells::Map(..) => return Err("a MAP has no form in CSV".into()),
            _ => {
                let start = out.len();
                column.write_plain(row, TimestampStyle::Sql, out);
                if self.is_quoted(&out[start..]) {
                    let text = out.split_off(start);
                    self.field(&text, out);
                }
            }
        }
        Ok(())
    }

    /// The texts of several values, with the element delimiter between them.
    fn joined<'a, 'b: 'a>(
        &self,
        values: impl Iterator<Item = (&'a Column<'b>, usize)>,
    ) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for (index, (column, row)) in values.enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.dialect.element_delimiter);
            }
            let start = out.len();
            match &column.cells {
                _ if column.is_null(row) => {
                    out.extend_from_slice(self.dialect.null.as_deref().unwrap_or_default());
                }
                Cells::Utf8(a) => out.extend_from_slice(a.value(row).as_bytes()),
                Cells::Binary(a) => out.extend_from_slice(STANDARD.encode(a.value(row)).as_bytes()),
                _ if column.write_plain(row, TimestampStyle::Sql, &mut out) => {}
                _ => return Err("an array of nested values has no form in CSV".into()),
            }
            if memmem::find(&out[start..], &self.dialect.element_delimiter).is_some() {
                return Err("an element of an array holds 'csv.array-element-delimiter'".into());
            }
        }
        Ok(out)
    }
}

impl Encoder for CsvEncoder {
    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.dialect.header {
            return;
        }
        for (index, name) in self.names.iter().enumerate() {
            if index > 0 {
                out.push(self.dialect.delimiter);
            }
            self.field(name.as_bytes(), out);
        }
        out.push(b'\n');
    }

    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let columns: Vec<Column<'_>> = batch
            .columns()
            .iter()
            .map(Column::new)
            .collect::<Result<_, _>>()
            .map_err(|t| EngineError::Data(format!("a {t} cannot be written as CSV")))?;
        for row in rows {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.push(self.dialect.delimiter);
                }
                self.value(column, row, out).map_err(EngineError::Data)?;
            }
            out.push(b'\n');
        }
        Ok(())
    }
}
