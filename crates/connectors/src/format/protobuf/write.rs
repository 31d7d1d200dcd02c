//! Rows into messages.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, Value};

use super::message::Shape;
use crate::format::cells::{Cells, Column};

/// How messages are written.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    /// What stands for a null string within an array or a map.
    pub null_text: String,
}

impl Writing {
    /// A row as a message: columns that are null are not set.
    pub fn message<'a, 'b: 'a>(
        &self,
        descriptor: &MessageDescriptor,
        shapes: &[Shape],
        columns: impl Iterator<Item = &'a Column<'b>>,
        row: usize,
    ) -> Result<DynamicMessage, String> {
        let mut message = DynamicMessage::new(descriptor.clone());
        for (shape, column) in shapes.iter().zip(columns) {
            if column.is_null(row) {
                continue;
            }
            let name = shape.field.name();
            let value =
                self.value(shape, column, row).map_err(|e| format!("field '{name}': {e}"))?;
            // Of the fields of a oneof the last one stays, as in Flink.
            let set = message.try_set_field(&shape.field, value);
            set.map_err(|e| format!("field '{name}': {e}"))?;
        }
        Ok(message)
    }

    fn value(&self, shape: &Shape, column: &Column<'_>, row: usize) -> Result<Value, String> {
        Ok(match &column.cells {
            Cells::List(list, element) => {
                let ends = list.value_offsets();
                let range = ends[row] as usize..ends[row + 1] as usize;
                let items: Result<_, String> =
                    range.map(|at| self.element(shape, element, at)).collect();
                Value::List(items?)
            }
            Cells::Map(map, key, value) => {
                let [of_key, of_value] = shape.inner.as_slice() else {
                    return Err("it is no map".into());
                };
                let ends = map.value_offsets();
                let mut entries = HashMap::new();
                for at in ends[row] as usize..ends[row + 1] as usize {
                    let key = map_key(self.element(of_key, key, at)?)?;
                    entries.insert(key, self.element(of_value, value, at)?);
                }
                Value::Map(entries)
            }
            _ => self.single(shape, column, row)?,
        })
    }

    /// A value within an array or a map, where nothing can be null.
    fn element(&self, shape: &Shape, column: &Column<'_>, row: usize) -> Result<Value, String> {
        if !column.is_null(row) {
            return self.single(shape, column, row);
        }
        Ok(match shape.field.kind() {
            Kind::String => Value::String(self.null_text.clone()),
            kind => Value::default_value(&kind),
        })
    }

    fn single(&self, shape: &Shape, column: &Column<'_>, row: usize) -> Result<Value, String> {
        let kind = shape.field.kind();
        Ok(match &column.cells {
            Cells::Bool(a) => Value::Bool(a.value(row)),
            Cells::F32(a) => Value::F32(a.value(row)),
            Cells::F64(a) => Value::F64(a.value(row)),
            Cells::Binary(a) => Value::Bytes(a.value(row).to_vec().into()),
            Cells::Utf8(a) => match kind {
                Kind::Enum(of) => {
                    let name = a.value(row);
                    let value = of.get_value_by_name(name);
                    let missing = || format!("the enum {} has no '{name}'", of.full_name());
                    Value::EnumNumber(value.ok_or_else(missing)?.number())
                }
                _ => Value::String(a.value(row).to_owned()),
            },
            Cells::I8(a) => number(&kind, a.value(row).into())?,
            Cells::I16(a) => number(&kind, a.value(row).into())?,
            Cells::I32(a) => number(&kind, a.value(row).into())?,
            Cells::I64(a) => number(&kind, a.value(row))?,
            Cells::Row(fields) => match kind {
                Kind::Message(descriptor) => {
                    let columns = fields.iter().map(|(_, column)| column);
                    Value::Message(self.message(&descriptor, &shape.inner, columns, row)?)
                }
                _ => return Err("it is no message".into()),
            },
            _ => return Err("its type has no form in Protobuf".into()),
        })
    }
}

/// A whole number as a field of its kind has it; unsigned fields keep the bits of a negative one,
/// as in Java.
fn number(kind: &Kind, value: i64) -> Result<Value, String> {
    let narrow = || i32::try_from(value).map_err(|_| format!("{value} has more than 32 bits"));
    Ok(match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(narrow()?),
        Kind::Uint32 | Kind::Fixed32 => match u32::try_from(value) {
            Ok(value) => Value::U32(value),
            Err(_) => Value::U32(narrow()?.cast_unsigned()),
        },
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(value),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(value.cast_unsigned()),
        Kind::Enum(of) => {
            let number = narrow()?;
            if of.get_value(number).is_none() {
                return Err(format!("the enum {} has no value {number}", of.full_name()));
            }
            Value::EnumNumber(number)
        }
        _ => return Err("the field is no whole number".into()),
    })
}

fn map_key(value: Value) -> Result<MapKey, String> {
    Ok(match value {
        Value::Bool(v) => MapKey::Bool(v),
        Value::I32(v) => MapKey::I32(v),
        Value::I64(v) => MapKey::I64(v),
        Value::U32(v) => MapKey::U32(v),
        Value::U64(v) => MapKey::U64(v),
        Value::String(v) => MapKey::String(v),
        _ => return Err("it cannot be the key of a map".into()),
    })
}
