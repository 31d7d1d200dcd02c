//! Rows into the bytes of Avro values.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use rialto_engine::EngineError;

use super::cursor::{write_bytes, write_long};
use crate::format::cells::{Cells, Column};

/// Writes rows with the schema that [`derive`](super::schema::derive) makes of their columns.
#[derive(Debug, Clone)]
pub(super) struct RowWriter {
    fields: Vec<Shape>,
}

/// Whether a value may be null, which is said before it, and the same of what is inside of it.
#[derive(Debug, Clone)]
struct Shape {
    nullable: bool,
    name: String,
    inner: Vec<Shape>,
}

impl Shape {
    fn of(field: &Field) -> Self {
        let inner = match field.data_type() {
            DataType::List(element) => vec![Self::of(element)],
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(parts) => parts.iter().skip(1).map(|f| Self::of(f)).collect(),
                _ => Vec::new(),
            },
            DataType::Struct(fields) => fields.iter().map(|f| Self::of(f)).collect(),
            _ => Vec::new(),
        };
        // A column of nulls alone is `null`, not a union with it.
        let nullable = field.is_nullable() && field.data_type() != &DataType::Null;
        Self { nullable, name: field.name().clone(), inner }
    }
}

/// The columns of a batch, seen by type.
pub(super) fn columns(batch: &RecordBatch) -> rialto_engine::Result<Vec<Column<'_>>> {
    let columns = batch.columns().iter().map(Column::new).collect::<Result<_, _>>();
    columns.map_err(|t| EngineError::Data(format!("a {t} cannot be written as Avro")))
}

impl RowWriter {
    pub fn new(schema: &SchemaRef) -> Self {
        Self { fields: schema.fields().iter().map(|f| Shape::of(f)).collect() }
    }

    /// Appends one row; nothing of it where it cannot be written.
    pub fn row(
        &self,
        columns: &[Column<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let start = out.len();
        for (shape, column) in self.fields.iter().zip(columns) {
            if let Err(reason) = value(shape, column, row, out) {
                out.truncate(start);
                return Err(EngineError::Data(format!("column '{}': {reason}", shape.name)));
            }
        }
        Ok(())
    }
}

fn value(shape: &Shape, column: &Column<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let is_null = column.is_null(row);
    if shape.nullable {
        // The union is [null, type].
        write_long(out, i64::from(!is_null));
    }
    if is_null {
        return match shape.nullable || matches!(column.cells, Cells::Null) {
            true => Ok(()),
            false => Err("a NULL where the declaration says NOT NULL".into()),
        };
    }
    match &column.cells {
        Cells::Null => {}
        Cells::Variant(_) => return Err("a VARIANT has no form in Avro".into()),
        Cells::Bool(a) => out.push(u8::from(a.value(row))),
        Cells::I8(a) => write_long(out, a.value(row).into()),
        Cells::I16(a) => write_long(out, a.value(row).into()),
        Cells::I32(a) => write_long(out, a.value(row).into()),
        Cells::I64(a) => write_long(out, a.value(row)),
        Cells::F32(a) => out.extend_from_slice(&a.value(row).to_le_bytes()),
        Cells::F64(a) => out.extend_from_slice(&a.value(row).to_le_bytes()),
        Cells::Decimal(a, _) => {
            let bytes = a.value(row).to_be_bytes();
            write_bytes(out, &bytes[signs(&bytes)..]);
        }
        Cells::Utf8(a) => write_bytes(out, a.value(row).as_bytes()),
        Cells::Binary(a) => write_bytes(out, a.value(row)),
        Cells::Date(a) => write_long(out, a.value(row).into()),
        Cells::TimeMs(a) => write_long(out, a.value(row).into()),
        // The schema says the unit of the column.
        Cells::Timestamp(values, ..) => write_long(out, values[row]),
        Cells::List(list, element) => {
            let ends = list.value_offsets();
            let range = ends[row] as usize..ends[row + 1] as usize;
            block(&shape.inner, range, out, |shape, at, out| value(shape, element, at, out))?;
        }
        Cells::Map(map, key, of_key) => {
            let ends = map.value_offsets();
            let range = ends[row] as usize..ends[row + 1] as usize;
            block(&shape.inner, range, out, |shape, at, out| {
                let Cells::Utf8(keys) = &key.cells else {
                    return Err("keys of a map in Avro are strings".into());
                };
                write_bytes(out, keys.value(at).as_bytes());
                value(shape, of_key, at, out)
            })?;
        }
        Cells::Row(fields) => {
            for (shape, (name, field)) in shape.inner.iter().zip(fields) {
                value(shape, field, row, out).map_err(|e| format!("field '{name}': {e}"))?;
            }
        }
    }
    Ok(())
}

/// The elements of an array or a map: one block, and the empty one at the end.
fn block(
    inner: &[Shape],
    range: std::ops::Range<usize>,
    out: &mut Vec<u8>,
    mut element: impl FnMut(&Shape, usize, &mut Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let [shape] = inner else { return Err("the type has no form in Avro".into()) };
    if !range.is_empty() {
        write_long(out, range.len() as i64);
        for at in range {
            element(shape, at, out)?;
        }
    }
    out.push(0);
    Ok(())
}

/// How many bytes at the front only repeat the sign.
fn signs(bytes: &[u8; 16]) -> usize {
    let fill = if bytes[0] >= 0x80 { 0xff } else { 0 };
    let mut start = 0;
    while start < 15 && bytes[start] == fill && (bytes[start + 1] >= 0x80) == (fill == 0xff) {
        start += 1;
    }
    start
}
