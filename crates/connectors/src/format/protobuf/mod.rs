//! The format `protobuf`: a message of a broker is one Protobuf message.
//!
//! - `message.rs`: descriptors, and which field becomes which column
//! - `read.rs`: messages into columns
//! - `write.rs`: rows into messages
//!
//! Flink takes generated classes; here `protobuf.descriptor-set` names the file that `protoc
//! --include_imports --descriptor_set_out=FILE` writes. Fields that the table does not have are
//! passed over, also those that the descriptor does not know.

mod message;
mod read;
#[cfg(test)]
pub(in crate::format) mod tests;
mod write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use rialto_engine::EngineError;

use super::cells::Column;
use super::rows::Rows;
use super::{BadRecord, Decoder, Encoder, Progress, ReadColumns, TextFormat};
use crate::error::Result;
use crate::options::Options;
use message::{Shape, find_message, shapes};
use read::Reading;
use write::Writing;

/// The prefix of the format's options.
const NAME: &str = "protobuf";
/// The file with the descriptors.
pub(crate) const DESCRIPTORS: &str = "protobuf.descriptor-set";
/// The message, by its name or by that of its Java class.
const MESSAGE: &str = "protobuf.message-class-name";

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: NAME,
    options: &[
        DESCRIPTORS,
        MESSAGE,
        "protobuf.ignore-parse-errors",
        "protobuf.read-default-values",
        "protobuf.write-null-string-literal",
    ],
    validate: |_, options| {
        options.required(MESSAGE)?;
        options.required(DESCRIPTORS).map_err(|error| {
            error.detail("no Java class is loaded: the message is read by its descriptor").hint(
                "write one with 'protoc --include_imports --descriptor_set_out=FILE x.proto' and \
                 name the file",
            )
        })?;
        options.boolean("protobuf.ignore-parse-errors", false)?;
        options.boolean("protobuf.read-default-values", false).map(drop)
    },
    decoder: |options, columns| Ok(Box::new(ProtobufDecoder::new(options, &columns)?)),
    encoder: |options, schema| Ok(Box::new(ProtobufEncoder::new(options, &schema)?)),
    splittable: false,
    changelog: false,
    in_files: false,
};

struct ProtobufDecoder {
    message: MessageDescriptor,
    shapes: Vec<Shape>,
    reading: Reading,
    rows: Rows,
    ignore_errors: bool,
    ignored: u64,
}

impl ProtobufDecoder {
    fn new(options: &Options<'_>, columns: &ReadColumns) -> Result<Self> {
        let message = find_message(options, MESSAGE, DESCRIPTORS)?;
        // A column that is not read has to fit as well: the mistake shows before it is needed.
        shapes(options, &message, &columns.file)?;
        let shapes = shapes(options, &message, columns.schema().fields())?;
        Ok(Self {
            message,
            shapes,
            reading: Reading { defaults: options.boolean("protobuf.read-default-values", false)? },
            rows: Rows::new(columns, NAME)?,
            ignore_errors: options.boolean("protobuf.ignore-parse-errors", false)?,
            ignored: 0,
        })
    }

    fn read(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        let message = DynamicMessage::decode(self.message.clone(), record)
            .map_err(|e| format!("the record is no {}: {e}", self.message.full_name()))?;
        let (reading, shapes) = (self.reading, &self.shapes);
        self.rows.add(record.len(), |slots| reading.fields(shapes, &message, slots))
    }
}

impl Decoder for ProtobufDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        _: bool,
        _: usize,
        _: &mut Vec<BadRecord>,
    ) -> std::result::Result<Progress, String> {
        match input.is_empty() {
            true => Ok(Progress::default()),
            false => Err("a file cannot be 'protobuf': its messages have no ends".into()),
        }
    }

    fn decode_record(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        match self.read(record) {
            Err(_) if self.ignore_errors => {
                self.ignored += 1;
                Ok(())
            }
            read => read,
        }
    }

    fn rows(&self) -> usize {
        self.rows.count()
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        self.rows.finish()
    }

    fn ignored(&self) -> u64 {
        self.ignored
    }
}

struct ProtobufEncoder {
    message: MessageDescriptor,
    shapes: Vec<Shape>,
    writing: Writing,
}

impl ProtobufEncoder {
    fn new(options: &Options<'_>, schema: &SchemaRef) -> Result<Self> {
        let message = find_message(options, MESSAGE, DESCRIPTORS)?;
        let shapes = shapes(options, &message, schema.fields())?;
        let literal = options.get("protobuf.write-null-string-literal").unwrap_or_default();
        Ok(Self { message, shapes, writing: Writing { null_text: literal.to_owned() } })
    }
}

impl Encoder for ProtobufEncoder {
    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let columns = batch.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>();
        let columns = columns
            .map_err(|t| EngineError::Data(format!("a {t} cannot be written as Protobuf")))?;
        for row in rows {
            let columns = columns.iter();
            let message = self.writing.message(&self.message, &self.shapes, columns, row);
            let message = message.map_err(EngineError::Data)?;
            message.encode(out).map_err(|e| EngineError::Internal(e.to_string()))?;
            out.push(b'\n');
        }
        Ok(())
    }
}
