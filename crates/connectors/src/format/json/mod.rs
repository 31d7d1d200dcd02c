//! The format `json`: one JSON object a line.
//!
//! - `cursor.rs`: walking over JSON text
//! - `value.rs`: a value into a column, with Flink's conversions
//! - `decode.rs`: records, the fast way and the careful way
//! - `encode.rs`: rows to objects
//! - `debezium.rs`: the format `debezium-json`, changes of rows
//! - `canal.rs`: the format `canal-json`, the same in other words

pub(crate) mod canal;
mod cursor;
pub(crate) mod debezium;
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
use super::{ReadColumns, TextFormat};
use crate::error::{ConnectorError, Result};
use crate::options::Options;
use crate::spec::TableSpec;
use value::Rules;

/// The prefix of the format's options.
const NAME: &str = "json";

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: NAME,
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
    validate: |spec, options| {
        options.boolean("json.fail-on-missing-field", false)?;
        options.boolean("json.decode.json-parser.enabled", false)?;
        validate_as(NAME, spec, options)
    },
    decoder: |options, columns| Ok(Box::new(JsonDecoder::from_options(options, &columns)?)),
    encoder: |options, schema| Ok(Box::new(encoder_of(NAME, options, &schema)?)),
    splittable: true,
    changelog: false,
    in_files: true,
};

impl JsonDecoder {
    /// A decoder for some columns, as the options of a table say.
    pub fn from_options(options: &Options<'_>, columns: &ReadColumns) -> Result<Self> {
        Self::new(columns, rules(NAME, options)?)
    }
}

/// A record that stands alone as one line. A line end can only be white space between its parts:
/// within a string it has to be escaped, and a carriage return, which it becomes here, too.
fn one_line(record: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, String> {
    if record.trim_ascii().is_empty() {
        return Err("the record is empty".into());
    }
    Ok(match memchr::memchr(b'\n', record) {
        None => record.into(),
        Some(_) => record.iter().map(|&b| if b == b'\n' { b'\r' } else { b }).collect(),
    })
}

/// The rules of values; `format` is the prefix of the options.
fn rules(format: &str, options: &Options<'_>) -> Result<Rules> {
    let rules = Rules {
        fail_on_missing: options.boolean(&format!("{format}.fail-on-missing-field"), false)?,
        ignore_errors: options.boolean(&format!("{format}.ignore-parse-errors"), false)?,
        style: style(format, options)?,
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

fn style(format: &str, options: &Options<'_>) -> Result<TimestampStyle> {
    let option = format!("{format}.timestamp-format.standard");
    Ok(match options.choice(&option, &["SQL", "ISO-8601"])? {
        Some("ISO-8601") => TimestampStyle::Iso,
        _ => TimestampStyle::Sql,
    })
}

fn null_key(format: &str, options: &Options<'_>) -> Result<NullKey> {
    let option = format!("{format}.map-null-key.mode");
    Ok(match options.choice(&option, &["FAIL", "DROP", "LITERAL"])? {
        Some("DROP") => NullKey::Drop,
        Some("LITERAL") => {
            let text = options.get(&format!("{format}.map-null-key.literal")).unwrap_or("null");
            NullKey::Literal(text.to_owned())
        }
        _ => NullKey::Fail,
    })
}

/// Checks the options and columns of a format whose rows are JSON objects.
fn validate_as(format: &str, spec: &TableSpec, options: &Options<'_>) -> Result<()> {
    rules(format, options)?;
    null_key(format, options)?;
    for name in ["encode.decimal-as-plain-number", "encode.ignore-null-fields"] {
        options.boolean(&format!("{format}.{name}"), false)?;
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

fn encoder_of(format: &str, options: &Options<'_>, schema: &SchemaRef) -> Result<JsonEncoder> {
    let mut encoder = JsonEncoder::new(schema)
        .with_style(style(format, options)?)
        .with_null_key(null_key(format, options)?);
    if options.boolean(&format!("{format}.encode.ignore-null-fields"), false)? {
        encoder = encoder.without_nulls();
    }
    Ok(encoder)
}
