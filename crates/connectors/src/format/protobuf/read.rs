//! Messages into columns.

use prost_reflect::{DynamicMessage, Kind, MapKey, Value};

use super::message::Shape;
use crate::format::column::{Column, List, Map, Slot};

/// What becomes of fields that are not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// They have their defaults; else they are null, unless the syntax cannot tell an absent value
    /// from its default.
    pub defaults: bool,
}

impl Reading {
    /// Appends the fields of a message, one to each column.
    pub fn fields(
        self,
        shapes: &[Shape],
        message: &DynamicMessage,
        slots: &mut [Slot],
    ) -> Result<(), String> {
        for (shape, slot) in shapes.iter().zip(slots) {
            let field = &shape.field;
            let many = field.is_list() || field.is_map();
            let has_value =
                self.defaults || message.has_field(field) || !(many || field.supports_presence());
            if has_value {
                let value = message.get_field(field);
                self.value(shape, &value, &mut slot.column)
                    .map_err(|e| format!("field '{}': {e}", field.name()))?;
            } else {
                slot.column.push_null();
            }
        }
        Ok(())
    }

    fn value(self, shape: &Shape, value: &Value, column: &mut Column) -> Result<(), String> {
        match (value, column) {
            (Value::Bool(v), Column::Bool(values, validity)) => {
                values.append(*v);
                validity.valid();
            }
            (Value::I32(v), Column::I32(c)) => c.push(*v),
            (Value::I32(v), Column::I64(c)) => c.push((*v).into()),
            (Value::I64(v), Column::I64(c)) => c.push(*v),
            // As in Java, whose numbers have signs: the bits are kept.
            (Value::U32(v), Column::I32(c)) => c.push(v.cast_signed()),
            (Value::U32(v), Column::I64(c)) => c.push((*v).into()),
            (Value::U64(v), Column::I64(c)) => c.push(v.cast_signed()),
            (Value::F32(v), Column::F32(c)) => c.push(*v),
            (Value::F64(v), Column::F64(c)) => c.push(*v),
            (Value::String(v), Column::Utf8(c)) => c.push(v.as_bytes()),
            (Value::Bytes(v), Column::Binary(c)) => c.push(v),
            (Value::EnumNumber(number), column) => enumerated(shape, *number, column)?,
            (Value::Message(message), Column::Row(row)) => {
                self.fields(&shape.inner, message, &mut row.fields)?;
                if let Some(field) = row.fields.iter().find(|f| f.breaks_not_null()) {
                    return Err(format!("field '{}' is NOT NULL", field.name()));
                }
                row.close();
            }
            (Value::List(items), Column::List(list)) => self.list(shape, items, list)?,
            (Value::Map(entries), Column::Map(map)) => {
                let mut entries: Vec<(&MapKey, &Value)> = entries.iter().collect();
                // In an order that is the same in every run.
                entries.sort_by(|a, b| a.0.cmp(b.0));
                self.map(shape, &entries, map)?;
            }
            _ => return Err("the value is of another type than its field".into()),
        }
        Ok(())
    }

    fn list(self, shape: &Shape, items: &[Value], list: &mut List) -> Result<(), String> {
        for item in items {
            self.value(shape, item, &mut list.element.column)?;
        }
        list.close(list.element.column.len());
        Ok(())
    }

    fn map(
        self,
        shape: &Shape,
        entries: &[(&MapKey, &Value)],
        map: &mut Map,
    ) -> Result<(), String> {
        let [of_key, of_value] = shape.inner.as_slice() else { return Err("it is no map".into()) };
        for (key, value) in entries {
            let key = match key {
                MapKey::Bool(v) => Value::Bool(*v),
                MapKey::I32(v) => Value::I32(*v),
                MapKey::I64(v) => Value::I64(*v),
                MapKey::U32(v) => Value::U32(*v),
                MapKey::U64(v) => Value::U64(*v),
                MapKey::String(v) => Value::String(v.clone()),
            };
            self.value(of_key, &key, &mut map.key.column)?;
            self.value(of_value, value, &mut map.value.column)?;
        }
        map.close(map.key.column.len());
        Ok(())
    }
}

fn enumerated(shape: &Shape, number: i32, column: &mut Column) -> Result<(), String> {
    let Kind::Enum(of) = shape.field.kind() else { return Err("the field is no enum".into()) };
    let small = |name: &str| format!("{number} is no {name}");
    match column {
        Column::Utf8(c) => match of.get_value(number) {
            Some(value) => c.push(value.name().as_bytes()),
            None => return Err(format!("the enum {} has no value {number}", of.full_name())),
        },
        Column::I32(c) => c.push(number),
        Column::I64(c) => c.push(number.into()),
        Column::I16(c) => c.push(i16::try_from(number).map_err(|_| small("SMALLINT"))?),
        Column::I8(c) => c.push(i8::try_from(number).map_err(|_| small("TINYINT"))?),
        _ => return Err("the value is of another type than its field".into()),
    }
    Ok(())
}
