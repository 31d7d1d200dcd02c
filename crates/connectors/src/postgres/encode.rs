//! Rows in the binary form of `COPY`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::numeric;
use super::options::OnNull;
use super::types::Wire;
use crate::format::cells::{Cells, Column};
use crate::format::json::JsonEncoder;
use crate::format::text::TimestampStyle;

/// From 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
pub(super) const EPOCH_DAYS: i32 = 10_957;
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// The last day and the last microsecond that the database can hold.
const DAY_MAX: i32 = 2_145_031_948;
const MICROS_MAX: i64 = 9_223_371_331_200_000_000;
/// The first day: 4714-11-24 BC.
const DAY_MIN: i32 = -2_451_545;
const MICROS_MIN: i64 = -211_813_488_000_000_000;

/// The length of a null.
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// The name of the column that a value of JSON is written as, to be cut off again.
const JSON_KEY: &str = "v";

/// Turns cells into what `COPY` takes: length and bytes.
pub(super) struct RowEncoder {
    names: Vec<String>,
    wires: Vec<Wire>,
    on_null: OnNull,
}

/// The columns of a batch, seen by type.
pub(super) struct Rows<'a> {
    columns: Vec<Column<'a>>,
    /// Columns of JSON, by the table's column.
    json: Vec<Option<(JsonEncoder, RecordBatch)>>,
}

impl RowEncoder {
    /// For rows of a schema; the name of the column and its type, where one has no form.
    pub fn new(schema: &Schema, on_null: OnNull) -> Result<Self, (String, DataType)> {
        let wire = |field: &Arc<Field>| {
            Wire::of(field.data_type()).ok_or((field.name().clone(), field.data_type().clone()))
        };
        let wires = schema.fields().iter().map(wire).collect::<Result<_, _>>()?;
        let names = schema.fields().iter().map(|f| f.name().clone()).collect();
        Ok(Self { names, wires, on_null })
    }

    pub fn len(&self) -> usize {
        self.wires.len()
    }

    pub fn open<'a>(&self, batch: &'a RecordBatch) -> Result<Rows<'a>, String> {
        let column = |array: &'a ArrayRef| {
            Column::new(array).map_err(|t| format!("a {t} cannot be written"))
        };
        let columns = batch.columns().iter().map(column).collect::<Result<_, _>>()?;
        let json = |(array, wire): (&ArrayRef, &Wire)| {
            let field = Field::new(JSON_KEY, array.data_type().clone(), true);
            let schema = Arc::new(Schema::new(vec![field]));
            (*wire == Wire::Json).then(|| {
                let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)]);
                batch.map(|batch| (JsonEncoder::new(&schema), batch)).map_err(|e| e.to_string())
            })
        };
        let json = batch.columns().iter().zip(&self.wires).map(|pair| json(pair).transpose());
        Ok(Rows { columns, json: json.collect::<Result<_, _>>()? })
    }

    /// Appends one cell; the reason names the column.
    pub fn cell(
        &self,
        rows: &Rows<'_>,
        column: usize,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let start = out.len();
        let written = match &rows.json[column] {
            Some((encoder, batch)) if !batch.column(0).is_null(row) => {
                sized(out, |out| json(encoder, batch, row, out))
            }
            _ => self.plain(&rows.columns[column], &self.wires[column], row, out),
        };
        written.map_err(|reason| {
            out.truncate(start);
            format!("column '{}': {reason}", self.names[column])
        })
    }

    fn plain(
        &self,
        column: &Column<'_>,
        wire: &Wire,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if column.is_null(row) {
            out.extend_from_slice(&NULL);
            return Ok(());
        }
        match &column.cells {
            Cells::Bool(a) => fixed(out, [u8::from(a.value(row))]),
            Cells::I8(a) => fixed(out, i16::from(a.value(row)).to_be_bytes()),
            Cells::I16(a) => fixed(out, a.value(row).to_be_bytes()),
            Cells::I32(a) => fixed(out, a.value(row).to_be_bytes()),
            Cells::I64(a) => fixed(out, a.value(row).to_be_bytes()),
            Cells::F32(a) => fixed(out, a.value(row).to_be_bytes()),
            Cells::F64(a) => fixed(out, a.value(row).to_be_bytes()),
            Cells::Date(a) => fixed(out, date(a.value(row))?.to_be_bytes()),
            Cells::TimeMs(a) => fixed(out, (i64::from(a.value(row)) * 1000).to_be_bytes()),
            Cells::Timestamp(values, unit, _) => {
                fixed(out, micros(values[row], *unit)?.to_be_bytes());
            }
            Cells::Decimal(a, scale) => sized(out, |out| {
                numeric::write(out, a.value(row), u32::from(scale.unsigned_abs()));
                Ok(())
            })?,
            Cells::Utf8(a) => sized(out, |out| self.text(a.value(row).as_bytes(), out))?,
            Cells::Binary(a) => sized(out, |out| {
                out.extend_from_slice(a.value(row));
                Ok(())
            })?,
            Cells::List(list, element) => {
                let Wire::Array(item) = wire else { return Err("an array of arrays".into()) };
                let ends = list.value_offsets();
                let range = ends[row] as usize..ends[row + 1] as usize;
                sized(out, |out| self.array(element, item, range, out))?;
            }
            Cells::Null | Cells::Variant(_) | Cells::Map(..) | Cells::Row(_) => {
                return Err("a value without a form in PostgreSQL".into());
            }
        }
        Ok(())
    }

    fn array(
        &self,
        element: &Column<'_>,
        item: &Wire,
        range: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let dimensions = i32::from(!range.is_empty());
        let nulls = range.clone().any(|at| element.is_null(at));
        out.extend_from_slice(&dimensions.to_be_bytes());
        out.extend_from_slice(&i32::from(nulls).to_be_bytes());
        out.extend_from_slice(&item.oid().to_be_bytes());
        if range.is_empty() {
            return Ok(());
        }
        let len = i32::try_from(range.len()).map_err(|_| "the array is too long".to_owned())?;
        out.extend_from_slice(&len.to_be_bytes());
        // The first element has the number 1.
        out.extend_from_slice(&1i32.to_be_bytes());
        range.into_iter().try_for_each(|at| self.plain(element, item, at, out))
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        if memchr::memchr(0, text).is_none() {
            out.extend_from_slice(text);
            return Ok(());
        }
        match self.on_null {
            OnNull::Fail => Err("the text holds the character U+0000, which PostgreSQL cannot \
                                 store ('sink.null-characters' = 'remove' or 'replace' takes \
                                 it out)"
                .into()),
            OnNull::Remove => {
                out.extend(text.iter().filter(|byte| **byte != 0));
                Ok(())
            }
            OnNull::Replace => {
                for byte in text {
                    match byte {
                        0 => out.extend_from_slice("\u{fffd}".as_bytes()),
                        byte => out.push(*byte),
                    }
                }
                Ok(())
            }
        }
    }
}

impl Rows<'_> {
    /// Some cells as text, for messages: `(7, 'a')`.
    pub fn shown(&self, batch: &RecordBatch, columns: &[usize], row: usize) -> String {
        let mut out = Vec::new();
        for (at, &column) in columns.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"(" } else { b", " });
            let cells = &self.columns[column];
            if cells.is_null(row) {
                out.extend_from_slice(b"NULL");
            } else if !cells.write_plain(row, TimestampStyle::Sql, &mut out) {
                let array = batch.column(column);
                let text = arrow::util::display::array_value_to_string(array, row);
                out.extend_from_slice(format!("'{}'", text.unwrap_or_default()).as_bytes());
            }
        }
        out.push(b')');
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn fixed<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&bytes);
}

/// Appends what a function writes, its length before it.
fn sized(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let len = i32::try_from(out.len() - start - 4)
        .map_err(|_| "the value is longer than 2 GiB".to_owned())?;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// A value as JSON: what stands in the object of the one column.
fn json(
    encoder: &JsonEncoder,
    batch: &RecordBatch,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let start = out.len();
    encoder.write_row(batch, row, out).map_err(|e| e.to_string())?;
    // `{"v":` before it and `}` behind it.
    out.drain(start..start + JSON_KEY.len() + 4);
    out.pop();
    Ok(())
}

fn date(days: i32) -> Result<i32, String> {
    days.checked_sub(EPOCH_DAYS)
        .filter(|days| (DAY_MIN..DAY_MAX).contains(days))
        .ok_or_else(|| "the date lies outside of what PostgreSQL can store".into())
}

fn micros(value: i64, unit: TimeUnit) -> Result<i64, String> {
    let micros = match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value.div_euclid(1000)),
    };
    micros
        .and_then(|micros| micros.checked_sub(EPOCH_MICROS))
        .filter(|micros| (MICROS_MIN..MICROS_MAX).contains(micros))
        .ok_or_else(|| "the time lies outside of what PostgreSQL can store".into())
}
