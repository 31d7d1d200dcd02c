//! Formats: bytes to rows and rows to bytes. One file or folder each.
//!
//! A format knows no file and no directory: it is fed bytes and answers batches and bad records.

pub(crate) mod avro;
pub(crate) mod cells;
pub(crate) mod column;
pub mod csv;
pub(crate) mod field;
pub mod json;
mod lines;
pub(crate) mod parquet;
pub(crate) mod protobuf;
mod raw;
mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use rialto_engine::EngineError;

use crate::error::Result;
use crate::options::Options;
use crate::spec::TableSpec;

/// After so many bytes a batch is closed, whatever the number of its rows: the offsets of Arrow's
/// strings have 32 bits.
pub(crate) const BATCH_BYTES_MAX: usize = 256 << 20;

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Where the record starts, counted from the start of the decoded input.
    pub offset: usize,
    /// How many lines of the input come before it.
    pub line: u64,
    /// Why it could not be decoded.
    pub reason: String,
    /// The record, without its line end.
    pub bytes: Vec<u8>,
}

/// How far a decoder came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes of the input are done with: always whole records.
    pub consumed: usize,
    /// How many lines they were.
    pub lines: u64,
}

/// Turns a stream of bytes into rows, whole records at a time.
pub trait Decoder: Send {
    /// Decodes records from the start of `input` until `rows_max` rows are waiting or no whole
    /// record is left; with `last`, the end of the input ends the last record. An error is one of
    /// the whole file: a header that does not fit.
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> Result<Progress, String>;

    /// Decodes one record that stands alone, as in a message of a broker, or says why it is none.
    /// It may become no row where the format was told to ignore what it cannot read.
    fn decode_record(&mut self, record: &[u8]) -> Result<(), String> {
        decode_alone(self, record)
    }

    /// Takes a message without a value; answers whether that is a row in this format.
    fn decode_null(&mut self) -> bool {
        false
    }

    /// What keeps every record from being decoded, not the last one alone: a service that does not
    /// answer. The last record is then no bad one, and the source cannot go on.
    fn take_failure(&mut self) -> Option<String> {
        None
    }

    /// How many rows are waiting.
    fn rows(&self) -> usize;

    /// Takes the waiting rows.
    fn finish(&mut self) -> rialto_engine::Result<RecordBatch>;

    /// Takes the weights of the rows that the last [`finish`](Self::finish) gave; `None` where each
    /// row is added once.
    fn take_weights(&mut self) -> Option<Vec<i64>> {
        None
    }

    /// Forgets what was learnt of the file before: the next input is the start of one.
    fn start_file(&mut self) {}

    /// Whether the next input has to be the start of a file, because there is a header.
    fn needs_header(&self) -> bool {
        false
    }

    /// How many records and fields were dropped because the format was told to ignore them.
    fn ignored(&self) -> u64;
}

/// Decodes a record as if it were a file.
fn decode_alone<D: Decoder + ?Sized>(decoder: &mut D, record: &[u8]) -> Result<(), String> {
    if record.is_empty() {
        return Err("the record is empty".into());
    }
    decoder.start_file();
    let mut bad = Vec::new();
    let done = decoder.decode(record, true, usize::MAX, &mut bad)?;
    match bad.into_iter().next() {
        Some(bad) => Err(bad.reason),
        None if done.consumed < record.len() => Err("the batch is full".into()),
        None => Ok(()),
    }
}

/// Turns rows into bytes.
pub trait Encoder: Send {
    /// Appends what stands before the first row of a file.
    fn start(&mut self, _out: &mut Vec<u8>) {}

    /// Appends rows `from..to` of a batch. Behind every row stands a line end, which is none of its
    /// bytes where a row stands alone; files of binary formats have none.
    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()>;

    /// Appends all rows of a batch, of which some are taken back: only formats of changes can.
    fn encode_changes(
        &mut self,
        batch: &RecordBatch,
        retracts: &[bool],
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        if retracts.contains(&true) {
            return Err(EngineError::Internal("the format cannot take a row back".into()));
        }
        self.encode(batch, 0..batch.num_rows(), out)
    }
}

/// The columns that a file holds, and which of them to read in which order.
#[derive(Debug, Clone)]
pub struct ReadColumns {
    /// The columns of the file, as declared.
    pub file: Vec<FieldRef>,
    /// Indices into `file`: what a decoder produces.
    pub wanted: Vec<usize>,
}

impl ReadColumns {
    /// All columns of a schema.
    pub fn all(schema: &SchemaRef) -> Self {
        let file: Vec<FieldRef> = schema.fields().iter().cloned().collect();
        Self { wanted: (0..file.len()).collect(), file }
    }

    /// The schema of what a decoder produces.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<FieldRef> =
            self.wanted.iter().map(|&i| Arc::clone(&self.file[i])).collect();
        Arc::new(arrow::datatypes::Schema::new(fields))
    }
}

/// All formats that are made of records, one after the other.
pub(crate) const TEXT_FORMATS: &[TextFormat] = &[
    avro::FORMAT,
    avro::confluent::FORMAT,
    json::canal::FORMAT,
    csv::FORMAT,
    json::debezium::FORMAT,
    json::FORMAT,
    protobuf::FORMAT,
    raw::FORMAT,
];

/// Options of formats whose values are paths of files.
pub(crate) const FILE_OPTIONS: &[&str] = &[
    protobuf::DESCRIPTORS,
    "avro-confluent.ssl.truststore.location",
    "avro-confluent.ssl.keystore.location",
];

/// Whether the rows of a format are changes: some add a row and some take one back.
pub fn is_changelog(format: &str) -> bool {
    TEXT_FORMATS.iter().any(|f| f.name == format && f.changelog)
}

/// A format of records by its name.
pub(crate) struct TextFormat {
    pub name: &'static str,
    /// The names of its options.
    pub options: &'static [&'static str],
    /// Checks options and column types.
    pub validate: fn(&TableSpec, &Options<'_>) -> Result<()>,
    pub decoder: fn(&Options<'_>, ReadColumns) -> Result<Box<dyn Decoder>>,
    pub encoder: fn(&Options<'_>, SchemaRef) -> Result<Box<dyn Encoder>>,
    /// Whether every record is exactly one line, so that a file can be cut at any line end.
    pub splittable: bool,
    /// Whether a record can take a row back. Such records keep their order: one reader reads all.
    pub changelog: bool,
    /// Whether records can stand one behind the other in a file.
    pub in_files: bool,
}
