//! The format `csv`: RFC 4180, and what Flink's options make of it.
//!
//! - `decode.rs`: records into columns
//! - `encode.rs`: rows into records

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, SchemaRef};

pub use decode::CsvDecoder;
pub use encode::CsvEncoder;

use super::{Encoder, TextFormat};
use crate::error::{ConnectorError, Result};
use crate::options::Options;
use crate::spec::TableSpec;

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: "csv",
    options: &[
        "csv.field-delimiter",
        "csv.quote-character",
        "csv.disable-quote-character",
        "csv.allow-comments",
        "csv.ignore-parse-errors",
        "csv.array-element-delimiter",
        "csv.escape-character",
        "csv.null-literal",
        "csv.write-bigdecimal-in-scientific-notation",
        "csv.header",
    ],
    validate,
    decoder: |options, columns| {
        Ok(Box::new(CsvDecoder::new(columns, Dialect::from_options(options)?)?))
    },
    encoder: |options, schema| encoder(options, &schema),
    // A quoted field may hold line ends, so that no place in a file is surely one between records.
    splittable: false,
    changelog: false,
    in_files: true,
};

/// How records are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields; `None` if quotes mean nothing.
    pub quote: Option<u8>,
    /// Makes the next character of a quoted field mean itself.
    pub escape: Option<u8>,
    /// Whether lines that start with `#` are skipped.
    pub comments: bool,
    /// The text that is a null.
    pub null: Option<Vec<u8>>,
    /// Between the elements of an array or the fields of a nested row.
    pub element_delimiter: Vec<u8>,
    /// Whether a value that does not fit is a null, and a record that does not fit is dropped.
    pub ignore_errors: bool,
    /// Whether the first record of a file names the columns.
    pub header: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comments: false,
            null: None,
            element_delimiter: b";".to_vec(),
            ignore_errors: false,
            header: false,
        }
    }
}

impl Dialect {
    fn from_options(options: &Options<'_>) -> Result<Self> {
        let quoting = !options.boolean("csv.disable-quote-character", false)?;
        let quote = options.character("csv.quote-character")?;
        if !quoting && quote.is_some() {
            return Err(ConnectorError::new(format!(
                "table '{}' both sets and disables the quote character",
                options.table()
            ))
            .hint("set only one of 'csv.quote-character' and 'csv.disable-quote-character'"));
        }
        let delimiter = options.character("csv.field-delimiter")?.unwrap_or(b',');
        if matches!(delimiter, b'\n' | b'\r') {
            return Err(options.bad("csv.field-delimiter", "\\n", "other than the end of a line"));
        }
        let elements = options.get("csv.array-element-delimiter").unwrap_or(";");
        if elements.is_empty() {
            return Err(options.bad("csv.array-element-delimiter", "", "a text of any length"));
        }
        Ok(Self {
            delimiter,
            quote: quoting.then(|| quote.unwrap_or(b'"')),
            escape: options.character("csv.escape-character")?,
            comments: options.boolean("csv.allow-comments", false)?,
            null: options.get("csv.null-literal").map(|t| t.as_bytes().to_vec()),
            element_delimiter: elements.as_bytes().to_vec(),
            ignore_errors: options.boolean("csv.ignore-parse-errors", false)?,
            header: options.boolean("csv.header", false)?,
        })
    }
}

fn validate(spec: &TableSpec, options: &Options<'_>) -> Result<()> {
    Dialect::from_options(options)?;
    options.boolean("csv.write-bigdecimal-in-scientific-notation", true)?;
    for field in spec.schema.fields() {
        let inner_is_nested = match field.data_type() {
            DataType::Map(_, _) => true,
            DataType::List(element) => element.data_type().is_nested(),
            DataType::Struct(fields) => fields.iter().any(|f| f.data_type().is_nested()),
            _ => false,
        };
        if inner_is_nested {
            return Err(ConnectorError::new(format!(
                "column '{}' of table '{}' has no form in CSV",
                field.name(),
                spec.name
            ))
            .detail(format!("its type is {}", field.data_type()))
            .hint("CSV holds plain values, arrays of them and rows of them; use json or parquet"));
        }
    }
    Ok(())
}

fn encoder(options: &Options<'_>, schema: &SchemaRef) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(CsvEncoder::new(schema, Dialect::from_options(options)?)))
}
