//! The format `json`: one JSON object a line.
//!
//! - `cursor.rs`: walking over JSON text
//! - `value.rs`: a value into a column, with Flink's conversions
//! - `decode.rs`: records, the fast way and the careful way
//! - `encode.rs`: rows to objects

mod cursor;
mod decode;
mod encode;
#[cfg(test)]
mod tests;
mod value;

use arrow::datatypes::{DataType, SchemaRef};

pub use decode::JsonDecoder;
pub(crate) use encode::write_string;
pub use encode::{JsonEncoder, NullKey};

use super::text::TimestampStyle;
use super::{Encoder, ReadColumns, TextFormat};
use crate::error::{ConnectorError, Result};
use crate::options::Options;
use crate::spec::TableSpec;
use value::Rules;

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: "json",
    options: &[
        "json.ignore-parse-errors",
        "json.fail-on-missing-field",
        "json.timestamp-format.standard",
        "json.map-null-key.mode",
        "json.map-null-key.literal",
        "json.encode.decimal-as-plain-number",
        "json.encode.ignore-null-fields",
        "json.decode.json-parser.enabled",
    ],
    validate,
    decoder: |options, columns| Ok(Box::new(JsonDecoder::from_options(options, &columns)?)),
    encoder,
    splittable: true,
};

impl JsonDecoder {
    /// A decoder for some columns, as the options of a table say.
    pub fn from_options(options: &Options<'_>, columns: &ReadColumns) -> Result<Self> {
        Self::new(columns, rules(options)?)
    }
}

fn rules(options: &Options<'_>) -> Result<Rules> {
    let rules = Rules {
        fail_on_missing: options.boolean("json.fail-on-missing-field", false)?,
        ignore_errors: options.boolean("json.ignore-parse-errors", false)?,
        style: style(options)?,
    };
    if rules.fail_on_missing && rules.ignore_errors {
        return Err(ConnectorError::new(format!(
            "table '{}' cannot both fail on missing fields and ignore parse errors",
            options.table()
        ))
        .hint("set only one of 'json.fail-on-missing-field' and 'json.ignore-parse-errors'"));
    }
    Ok(rules)
}

fn style(options: &Options<'_>) -> Result<TimestampStyle> {
    let name = options.choice("json.timestamp-format.standard", &["SQL", "ISO-8601"])?;
    Ok(match name {
        Some("ISO-8601") => TimestampStyle::Iso,
        _ => TimestampStyle::Sql,
    })
}

fn null_key(options: &Options<'_>) -> Result<NullKey> {
    Ok(match options.choice("json.map-null-key.mode", &["FAIL", "DROP", "LITERAL"])? {
        Some("DROP") => NullKey::Drop,
        Some("LITERAL") => {
            let text = options.get("json.map-null-key.literal").unwrap_or("null");
            NullKey::Literal(text.to_owned())
        }
        _ => NullKey::Fail,
    })
}

fn validate(spec: &TableSpec, options: &Options<'_>) -> Result<()> {
    rules(options)?;
    null_key(options)?;
    for name in [
        "json.encode.decimal-as-plain-number",
        "json.encode.ignore-null-fields",
        "json.decode.json-parser.enabled",
    ] {
        options.boolean(name, false)?;
    }
    for field in spec.schema.fields() {
        if let Some(key) = odd_map_key(field.data_type()) {
            return Err(ConnectorError::new(format!(
                "column '{}' of table '{}' has no form in JSON",
                field.name(),
                spec.name
            ))
            .detail(format!("keys of a JSON map are strings, not {key}")));
        }
    }
    Ok(())
}

/// The type of the keys of a map that has no strings as keys, at any depth.
fn odd_map_key(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                if fields[0].data_type() != &DataType::Utf8 {
                    return Some(fields[0].data_type().clone());
                }
                odd_map_key(fields[1].data_type())
            }
            other => Some(other.clone()),
        },
        DataType::List(element) => odd_map_key(element.data_type()),
        DataType::Struct(fields) => fields.iter().find_map(|f| odd_map_key(f.data_type())),
        _ => None,
    }
}

fn encoder(options: &Options<'_>, schema: SchemaRef) -> Result<Box<dyn Encoder>> {
    let mut encoder =
        JsonEncoder::new(&schema).with_style(style(options)?).with_null_key(null_key(options)?);
    if options.boolean("json.encode.ignore-null-fields", false)? {
        encoder = encoder.without_nulls();
    }
    Ok(Box::new(encoder))
}
