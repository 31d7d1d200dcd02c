//! The formats `avro` and `avro-confluent`.
//!
//! - `schema.rs`: schemas, read from JSON and derived from columns
//! - `cursor.rs`: the bytes of values
//! - `plan.rs`: from a writer's schema to columns
//! - `write.rs`: rows into values
//! - `container.rs`: files of blocks
//! - `registry.rs`, `confluent.rs`: schemas by numbers
//!
//! Our own reader, not the one of `arrow-avro`, which reads the same bytes as the referee of the
//! tests: that one fails with the batch where a record is bad, and a decoder here has to give up
//! one record only, as often as there are bad ones; and it believes lengths, which must not be
//! believed.
//!
//! A message of a broker is one record without a header: its schema is the one that the table's
//! columns have, as in Flink. A file is a container with the writer's schema in its header.

pub(crate) mod confluent;
mod container;
mod cursor;
mod plan;
mod registry;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use rialto_engine::EngineError;
use serde_json::Value;

use super::rows::Rows;
use super::{BadRecord, Decoder, Encoder, Progress, ReadColumns, TextFormat};
use crate::error::{ConnectorError, Result};
use crate::options::Options;
use crate::spec::TableSpec;
use container::{CODECS, Codec, ContainerReader, ContainerWriter};
use cursor::Cursor;
use plan::RecordPlan;
use schema::Schema;
use write::{RowWriter, columns};

/// The prefix of the format's options.
const NAME: &str = "avro";

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: NAME,
    options: &["avro.encoding", "avro.codec", "avro.timestamp_mapping.legacy"],
    validate: |spec, options| {
        encoding(options)?;
        codec(options)?;
        validate_as(NAME, spec, options)
    },
    decoder: |options, columns| Ok(Box::new(AvroDecoder::new(options, &columns)?)),
    encoder: |options, schema| Ok(Box::new(AvroEncoder::new(options, &schema)?)),
    splittable: false,
    changelog: false,
    in_files: true,
};

fn encoding(options: &Options<'_>) -> Result<()> {
    match options.choice("avro.encoding", &["binary", "json"])? {
        Some("json") => Err(ConnectorError::new(format!(
            "table '{}' asks for 'avro.encoding' = 'json'",
            options.table()
        ))
        .detail("this is not supported")
        .hint("use 'binary', which is the default, or the format 'json'")),
        _ => Ok(()),
    }
}

fn codec(options: &Options<'_>) -> Result<Codec> {
    let name = options.choice("avro.codec", CODECS)?;
    Ok(name.and_then(Codec::named).unwrap_or(Codec::Snappy))
}

/// The schema of a table's records; an error names the column that has no form in Avro.
fn derived(format: &str, options: &Options<'_>, schema: &SchemaRef) -> Result<Value> {
    let fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    let legacy = options.boolean(&format!("{format}.timestamp_mapping.legacy"), true)?;
    schema::derive(&fields, legacy).map_err(|no_form| {
        ConnectorError::new(format!(
            "column '{}' of table '{}' has no form in Avro",
            no_form.column,
            options.table()
        ))
        .detail(no_form.reason.replace("timestamp_mapping", &format!("{format}.timestamp_mapping")))
    })
}

/// Checks the columns of a table; those of its folders are not in its files.
fn validate_as(format: &str, spec: &TableSpec, options: &Options<'_>) -> Result<()> {
    let fields = spec.schema.fields().iter();
    let content = fields.filter(|f| !spec.partition_keys.contains(f.name()));
    let fields: Vec<_> = content.cloned().collect();
    let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
    derived(format, options, &schema).map(drop)
}

/// Reads records of the table's own schema, and files of any that fits.
struct AvroDecoder {
    schema: Schema,
    plan: RecordPlan,
    rows: Rows,
    files: ContainerReader,
}

impl AvroDecoder {
    fn new(options: &Options<'_>, columns: &ReadColumns) -> Result<Self> {
        let file: SchemaRef =
            std::sync::Arc::new(arrow::datatypes::Schema::new(columns.file.clone()));
        let rows = Rows::new(columns, NAME)?;
        let wrong = |reason: String| {
            ConnectorError::new(format!("table '{}' has no Avro schema", options.table()))
                .detail(reason)
        };
        let text = derived(NAME, options, &file)?.to_string();
        let schema = Schema::parse(&text, &[]).map_err(wrong)?;
        let plan = RecordPlan::new(&schema, rows.slots()).map_err(wrong)?;
        Ok(Self { schema, plan, rows, files: ContainerReader::default() })
    }
}

impl Decoder for AvroDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> std::result::Result<Progress, String> {
        self.files.decode(&mut self.rows, input, last, rows_max, bad)
    }

    fn decode_record(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        if record.is_empty() && !self.rows.slots().is_empty() {
            return Err("the record is empty".into());
        }
        let (schema, plan) = (&self.schema, &self.plan);
        // What follows is left alone, as in Flink: a writer may know columns that the table does
        // not have yet.
        let mut cursor = Cursor::new(record);
        let read = self.rows.add(record.len(), |slots| plan.read(schema, slots, &mut cursor));
        read.map_err(|fault| fault.to_string())
    }

    fn rows(&self) -> usize {
        self.rows.count()
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        self.rows.finish()
    }

    fn start_file(&mut self) {
        self.files.start_file();
    }

    fn needs_header(&self) -> bool {
        self.files.needs_header()
    }

    fn ignored(&self) -> u64 {
        0
    }
}

/// Writes records, or blocks of them from the moment on that a file was begun.
struct AvroEncoder {
    writer: RowWriter,
    container: ContainerWriter,
    in_files: bool,
}

impl AvroEncoder {
    fn new(options: &Options<'_>, schema: &SchemaRef) -> Result<Self> {
        let derived = derived(NAME, options, schema)?;
        let container = ContainerWriter::new(codec(options)?, &derived);
        Ok(Self { writer: RowWriter::new(schema), container, in_files: false })
    }
}

impl Encoder for AvroEncoder {
    fn start(&mut self, out: &mut Vec<u8>) {
        self.in_files = true;
        self.container.header(out);
    }

    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let columns = columns(batch)?;
        if !self.in_files {
            for row in rows {
                self.writer.row(&columns, row, out)?;
                out.push(b'\n');
            }
            return Ok(());
        }
        let mut content = Vec::new();
        let mut first = rows.start;
        for row in rows.clone() {
            self.writer.row(&columns, row, &mut content)?;
            if content.len() >= BLOCK_BYTES || row + 1 == rows.end {
                let written = self.container.block(row + 1 - first, &content, out);
                written.map_err(|e| EngineError::Internal(e.to_string()))?;
                content.clear();
                first = row + 1;
            }
        }
        Ok(())
    }
}

/// A block is closed when its records have so many bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Appends a length as Avro writes it, for the poison of all formats.
#[cfg(test)]
pub(super) fn write_length(out: &mut Vec<u8>, length: usize) {
    cursor::write_long(out, length as i64);
}
