//! Rows of a query into Arrow columns.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, SchemaRef, TimeUnit};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::encode::{EPOCH_DAYS, EPOCH_MICROS};
use super::numeric;
use super::types::Wire;
use crate::error::{ConnectorError, Result};
use crate::format::column::{Column, Slot};
use crate::format::json::{JsonDecoder, write_string};
use crate::format::{Decoder, ReadColumns};
use crate::options::Options;
use crate::spec::TableSpec;

/// The bytes of a value as the server sent them.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn raw(row: &Row, at: usize) -> std::result::Result<Option<&[u8]>, String> {
    row.try_get::<_, Raw<'_>>(at).map(|raw| raw.0).map_err(|e| e.to_string())
}

/// Gathers rows into a batch.
pub(super) struct RowDecoder {
    schema: SchemaRef,
    /// Columns by their place; `None` for those that are JSON.
    plain: Vec<Option<(Slot, Wire)>>,
    /// The columns of JSON are read together, one object a row.
    json: Option<JsonDecoder>,
    record: Vec<u8>,
    rows: usize,
}

impl RowDecoder {
    /// For the columns that a reader produces.
    pub fn new(spec: &TableSpec) -> Result<Self> {
        let schema = spec.read_schema()?;
        let no_form = |field: &FieldRef| {
            ConnectorError::new(format!(
                "column '{}' of table '{}' cannot be read from PostgreSQL",
                field.name(),
                spec.name
            ))
            .detail(format!("a {} has no form there", field.data_type()))
        };
        let mut plain = Vec::new();
        let mut nested = Vec::new();
        for field in schema.fields() {
            match Wire::of(field.data_type()).ok_or_else(|| no_form(field))? {
                Wire::Json => {
                    nested.push(Arc::clone(field));
                    plain.push(None);
                }
                wire => {
                    plain.push(Some((Slot::new(field).map_err(|_| no_form(field))?, wire)));
                }
            }
        }
        let json = match nested.is_empty() {
            true => None,
            false => {
                let columns = ReadColumns { wanted: (0..nested.len()).collect(), file: nested };
                Some(JsonDecoder::from_options(&Options::new(spec), &columns)?)
            }
        };
        Ok(Self { schema, plain, json, record: Vec::new(), rows: 0 })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row, or says why it is none.
    pub fn push(&mut self, row: &Row) -> std::result::Result<(), String> {
        let done = self.push_plain(row).and_then(|()| self.push_json(row));
        match done {
            Ok(()) => self.rows += 1,
            Err(_) => {
                let rows = self.rows;
                self.plain.iter_mut().flatten().for_each(|(slot, _)| slot.column.truncate(rows));
            }
        }
        done
    }

    fn push_plain(&mut self, row: &Row) -> std::result::Result<(), String> {
        for (at, place) in self.plain.iter_mut().enumerate() {
            let Some((slot, wire)) = place else { continue };
            let bytes = raw(row, at)?;
            cell(&mut slot.column, wire, bytes)
                .map_err(|reason| format!("column '{}': {reason}", slot.name()))?;
            if slot.breaks_not_null() {
                return Err(format!("column '{}' is NULL and declared NOT NULL", slot.name()));
            }
        }
        Ok(())
    }

    fn push_json(&mut self, row: &Row) -> std::result::Result<(), String> {
        let Some(decoder) = &mut self.json else { return Ok(()) };
        self.record.clear();
        for at in (0..self.plain.len()).filter(|at| self.plain[*at].is_none()) {
            self.record.push(if self.record.is_empty() { b'{' } else { b',' });
            write_string(&mut self.record, self.schema.field(at).name().as_bytes());
            self.record.push(b':');
            self.record.extend_from_slice(raw(row, at)?.unwrap_or(b"null"));
        }
        self.record.push(b'}');
        decoder.decode_record(&self.record)
    }

    /// Takes the rows.
    pub fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        let mut nested = match &mut self.json {
            Some(decoder) => decoder.finish()?.columns().to_vec(),
            None => Vec::new(),
        }
        .into_iter();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.plain.len());
        for place in &mut self.plain {
            match place {
                Some((slot, _)) => arrays.push(slot.finish()?),
                None => arrays.extend(nested.next()),
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }

    /// A row that could not be read, as text: what is no text in hexadecimal.
    pub fn shown(&self, row: &Row) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, field) in self.schema.fields().iter().enumerate() {
            out.push(if at == 0 { b'{' } else { b',' });
            write_string(&mut out, field.name().as_bytes());
            out.push(b':');
            let texts = matches!(Wire::of(field.data_type()), Some(Wire::Text | Wire::Json));
            match raw(row, at).ok().flatten() {
                None => out.extend_from_slice(b"null"),
                Some(bytes) if texts => write_string(&mut out, bytes),
                Some(bytes) => {
                    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                    write_string(&mut out, format!("\\x{hex}").as_bytes());
                }
            }
        }
        out.push(b'}');
        out
    }
}

type Cell<T = ()> = std::result::Result<T, String>;

fn sized<const N: usize>(bytes: &[u8]) -> Cell<[u8; N]> {
    bytes.try_into().map_err(|_| format!("{} bytes where {N} are expected", bytes.len()))
}

/// Reads one value into its column.
fn cell(column: &mut Column, wire: &Wire, bytes: Option<&[u8]>) -> Cell {
    let Some(bytes) = bytes else {
        column.push_null();
        return Ok(());
    };
    match column {
        Column::Bool(values, validity) => {
            values.append(sized::<1>(bytes)? != [0]);
            validity.valid();
        }
        Column::I8(c) => {
            let value = i16::from_be_bytes(sized(bytes)?);
            c.push(i8::try_from(value).map_err(|_| format!("{value} does not fit TINYINT"))?);
        }
        Column::I16(c) => c.push(i16::from_be_bytes(sized(bytes)?)),
        Column::I32(c) => c.push(i32::from_be_bytes(sized(bytes)?)),
        Column::I64(c) => c.push(i64::from_be_bytes(sized(bytes)?)),
        Column::F32(c) => c.push(f32::from_be_bytes(sized(bytes)?)),
        Column::F64(c) => c.push(f64::from_be_bytes(sized(bytes)?)),
        Column::Decimal(c, precision, scale) => c.push(numeric::read(bytes, *precision, *scale)?),
        Column::Utf8(c) => {
            std::str::from_utf8(bytes).map_err(|_| "the text is not UTF-8".to_owned())?;
            c.push(bytes);
        }
        Column::Binary(c) => c.push(bytes),
        Column::Date(c) => c.push(date(i32::from_be_bytes(sized(bytes)?))?),
        Column::TimeMs(c) => {
            let micros = i64::from_be_bytes(sized(bytes)?);
            if !(0..86_400_000_000).contains(&micros) {
                return Err("24:00:00 is no TIME".into());
            }
            c.push((micros / 1000) as i32);
        }
        Column::Timestamp(c) => {
            let value = timestamp(i64::from_be_bytes(sized(bytes)?), c.unit)?;
            c.plain.push(value);
        }
        Column::List(list) => {
            let Wire::Array(item) = wire else { return Err("it is no array".into()) };
            array(&mut list.element.column, item, bytes)?;
            let len = list.element.column.len();
            list.close(len);
        }
        Column::Null(_) | Column::Map(_) | Column::Row(_) => {
            return Err("a value without a form in PostgreSQL".into());
        }
    }
    Ok(())
}

fn date(days: i32) -> Cell<i32> {
    match days {
        i32::MAX | i32::MIN => Err("infinity is no DATE".into()),
        days => days.checked_add(EPOCH_DAYS).ok_or_else(|| "the date is too late".into()),
    }
}

fn timestamp(micros: i64, unit: TimeUnit) -> Cell<i64> {
    if matches!(micros, i64::MAX | i64::MIN) {
        return Err("infinity is no TIMESTAMP".into());
    }
    let micros = micros.checked_add(EPOCH_MICROS);
    let value = micros.and_then(|micros| match unit {
        TimeUnit::Second => Some(micros.div_euclid(1_000_000)),
        TimeUnit::Millisecond => Some(micros.div_euclid(1000)),
        TimeUnit::Microsecond => Some(micros),
        TimeUnit::Nanosecond => micros.checked_mul(1000),
    });
    value.ok_or_else(|| "the time lies outside of what the column can hold".into())
}

fn array(element: &mut Column, item: &Wire, bytes: &[u8]) -> Cell {
    let cut = || "an array that is cut off".to_owned();
    let int = |at: usize| -> Cell<i32> {
        let four = bytes.get(at..at + 4).ok_or_else(cut)?;
        Ok(i32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    };
    let dimensions = int(0)?;
    if dimensions == 0 {
        return Ok(());
    }
    if dimensions != 1 {
        return Err(format!("an array of {dimensions} dimensions, and one is expected"));
    }
    let mut at = 20;
    for _ in 0..int(12)? {
        let len = int(at)?;
        at += 4;
        let value = match usize::try_from(len) {
            Err(_) => None,
            Ok(len) => {
                let value = bytes.get(at..at + len).ok_or_else(cut)?;
                at += len;
                Some(value)
            }
        };
        let null = value.is_none();
        cell(element, item, value)?;
        if null && matches!(element, Column::Null(_)) {
            return Err("a value without a type".into());
        }
    }
    Ok(())
}
