//! What metadata columns say of one record, as JSON: kept with a record that is refused, and given
//! back with it when it is sent again.
//!
//! | what | as JSON |
//! | --- | --- |
//! | a number, a text | itself |
//! | a time, in epoch milliseconds | `{"ms": 1700000000000}` |
//! | bytes | `{"base64": "AAE="}` |
//! | a map of texts to bytes | `{"map": [["name", "AAE="], ["none", null]]}` |

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, Int64Array, MapArray, StringArray, StringBuilder,
    StructArray, TimestampMillisecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A time, in epoch milliseconds.
pub(crate) fn time(ms: i64) -> Value {
    json!({ "ms": ms })
}

/// Bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    json!({ "base64": STANDARD.encode(bytes) })
}

/// A map of texts to bytes.
pub(crate) fn map<'a>(entries: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Value {
    let entries = entries.map(|(name, value)| json!([name, value.map(|v| STANDARD.encode(v))]));
    json!({ "map": entries.collect::<Vec<_>>() })
}

/// A column of one row that says what was kept; none where that is nothing of this type.
pub fn column(said: &Value, data_type: &DataType) -> Option<ArrayRef> {
    let array: ArrayRef = match said {
        Value::Number(number) => Arc::new(Int64Array::from(vec![number.as_i64()?])),
        Value::String(text) => Arc::new(StringArray::from(vec![text.as_str()])),
        Value::Object(object) => {
            if let Some(ms) = object.get("ms") {
                let time = TimestampMillisecondArray::from(vec![ms.as_i64()?]);
                Arc::new(time.with_timezone("UTC"))
            } else if let Some(text) = object.get("base64") {
                let bytes = STANDARD.decode(text.as_str()?).ok()?;
                Arc::new(BinaryArray::from(vec![bytes.as_slice()]))
            } else {
                return map_column(object.get("map")?.as_array()?, data_type);
            }
        }
        _ => return None,
    };
    let array =
        if array.data_type() == data_type { array } else { cast(&array, data_type).ok()? };
    (array.null_count() == 0).then_some(array)
}

fn map_column(said: &[Value], data_type: &DataType) -> Option<ArrayRef> {
    let (mut names, mut values) = (StringBuilder::new(), BinaryBuilder::new());
    for entry in said {
        names.append_value(entry.get(0)?.as_str()?);
        match entry.get(1)?.as_str() {
            Some(text) => values.append_value(STANDARD.decode(text).ok()?),
            None => values.append_null(),
        }
    }
    let DataType::Map(entries, ordered) = data_type else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    let columns: [ArrayRef; 2] = [Arc::new(names.finish()), Arc::new(values.finish())];
    let columns = columns.iter().zip(fields).map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>().ok()?;
    let rows = StructArray::try_new(fields.clone(), columns, None).ok()?;
    let ends = OffsetBuffer::from_lengths([said.len()]);
    let map = MapArray::try_new(Arc::clone(entries), ends, rows, None, *ordered).ok()?;
    Some(Arc::new(map))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};
    use arrow::util::display::array_value_to_string;

    use super::*;

    fn shown(said: &Value, data_type: &DataType) -> Option<String> {
        column(said, data_type).map(|column| array_value_to_string(&column, 0).unwrap())
    }

    #[test]
    fn what_is_kept_is_given_back_as_the_type_that_is_asked_for() {
        let zoned = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(shown(&json!(7), &DataType::Int32), is("7"));
        assert_eq!(shown(&json!("CreateTime"), &DataType::Utf8), is("CreateTime"));
        assert_eq!(shown(&time(1_700_000_000_123), &zoned), is("2023-11-14T22:13:20.123Z"));
        assert_eq!(shown(&bytes(&[0xff, 0]), &DataType::Binary), is("ff00"));
        let entry = vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Binary, true),
        ];
        let entries = Field::new("entries", DataType::Struct(entry.into()), false);
        let of_bytes = DataType::Map(Arc::new(entries), false);
        let headers = [("a", Some(&[1_u8, 2][..])), ("b", None)];
        assert_eq!(shown(&map(headers.into_iter()), &of_bytes), is("{a: 0102, b: }"));
        assert_eq!(shown(&map(std::iter::empty()), &of_bytes), is("{}"));
        for (said, data_type) in [
            (json!("many"), DataType::Int32),
            (json!({"base64": "?"}), DataType::Binary),
            (json!(null), DataType::Utf8),
            (map(headers.into_iter()), DataType::Utf8),
        ] {
            assert_eq!(shown(&said, &data_type), None, "{said}");
        }
    }
}
