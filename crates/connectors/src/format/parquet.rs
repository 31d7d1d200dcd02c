//! The format `parquet`: whole columns, read a row group after the other.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::ReadColumns;
use crate::error::Result;
use crate::options::Options;

/// The names of the format's options.
pub(crate) const OPTIONS: &[&str] = &["parquet.compression"];

/// Rows of one read. A poll takes slices of it.
const BATCH_ROWS: usize = 8192;

/// A Parquet file that is being read.
pub(crate) struct ParquetFile {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// What was read but not yet taken.
    rest: Option<RecordBatch>,
}

/// Why a file gives no more rows.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// Its bytes are not what they should be: they will not get better.
    Content(String),
    /// It cannot be read, or it is not of the columns that are declared.
    Refused(String),
}

impl Unreadable {
    fn of_parquet(error: ParquetError) -> Self {
        let text = format!("not a readable Parquet file: {error}");
        let is_disk = |e: &(dyn std::error::Error + 'static)| {
            e.downcast_ref::<std::io::Error>().is_some_and(|e| e.raw_os_error().is_some())
        };
        match &error {
            ParquetError::External(inner) if is_disk(inner.as_ref()) => Self::Refused(text),
            _ => Self::Content(text),
        }
    }

    fn of_arrow(error: ArrowError) -> Self {
        let text = format!("not a readable Parquet file: {error}");
        match &error {
            ArrowError::IoError(_, inner) if inner.raw_os_error().is_some() => Self::Refused(text),
            _ => Self::Content(text),
        }
    }
}

impl ParquetFile {
    /// Opens a file behind its first `skip` rows, to read the wanted columns by their names.
    pub fn open(path: &Path, columns: &ReadColumns, skip: u64) -> Result<Self, Unreadable> {
        let text = Unreadable::of_parquet;
        let refused = |e: &dyn ToString| Unreadable::Refused(e.to_string());
        let file = File::open(path).map_err(|e| refused(&e))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(text)?;
        let schema = columns.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let in_file = builder.schema().clone();
        let indices: Vec<usize> =
            names.iter().filter_map(|name| in_file.index_of(name).ok()).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), indices);
        let skip = usize::try_from(skip).map_err(|e| refused(&e))?;
        let reader = builder
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .with_offset(skip)
            .build()
            .map_err(text)?;
        Ok(Self { reader, schema, rest: None })
    }

    /// Up to `rows_max` rows, or `None` at the end.
    pub fn next(&mut self, rows_max: usize) -> Result<Option<RecordBatch>, Unreadable> {
        let batch = match self.rest.take() {
            Some(batch) => batch,
            None => match self.reader.next() {
                Some(batch) => {
                    let batch = batch.map_err(Unreadable::of_arrow)?;
                    self.adapt(&batch).map_err(Unreadable::Refused)?
                }
                None => return Ok(None),
            },
        };
        let rows_max = rows_max.max(1);
        if batch.num_rows() <= rows_max {
            return Ok(Some(batch));
        }
        self.rest = Some(batch.slice(rows_max, batch.num_rows() - rows_max));
        Ok(Some(batch.slice(0, rows_max)))
    }

    /// The columns as declared: by name, a missing one null, other types cast where that is exact.
    fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let Some(array) = batch.column_by_name(field.name()) else {
                arrays.push(new_null_array(field.data_type(), batch.num_rows()));
                continue;
            };
            let (found, declared) = (array.data_type(), field.data_type());
            if found == declared {
                arrays.push(array.clone());
                continue;
            }
            let mismatch = |why: String| {
                let name = field.name();
                format!("column '{name}' is a {found} in the file, declared as {declared}{why}")
            };
            if !can_cast_types(found, declared) || !is_faithful(found, declared) {
                return Err(mismatch(String::new()));
            }
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let array = cast_with_options(array, declared, &options)
                .map_err(|e| mismatch(format!(": {e}")))?;
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| e.to_string())
    }
}

/// Whether a cast changes the form of a value but never what it says.
fn is_faithful(found: &DataType, declared: &DataType) -> bool {
    use DataType::*;
    let text = |t: &DataType| matches!(t, Utf8 | LargeUtf8 | Utf8View | Dictionary(_, _));
    let bytes = |t: &DataType| matches!(t, Binary | LargeBinary | BinaryView | FixedSizeBinary(_));
    let exact = |t: &DataType| t.is_integer() || matches!(t, Decimal128(_, _) | Decimal256(_, _));
    let moment = |t: &DataType| matches!(t, Timestamp(_, _));
    (text(found) && text(declared))
        || (bytes(found) && bytes(declared))
        || (exact(found) && exact(declared))
        || (exact(found) && declared.is_floating())
        || (found.is_floating() && declared.is_floating())
        || (moment(found) && moment(declared))
        || (matches!(found, Time32(_) | Time64(_)) && matches!(declared, Time32(_) | Time64(_)))
        || (found.is_nested() && declared.is_nested())
        || matches!(found, Null)
}

/// The codec that the option names; snappy, as in Flink, if it names none.
pub(crate) fn compression(options: &Options<'_>) -> Result<Compression> {
    let words = ["SNAPPY", "ZSTD", "LZ4_RAW", "UNCOMPRESSED"];
    Ok(match options.choice("parquet.compression", &words)? {
        Some("ZSTD") => Compression::ZSTD(ZstdLevel::default()),
        Some("LZ4_RAW") => Compression::LZ4_RAW,
        Some("UNCOMPRESSED") => Compression::UNCOMPRESSED,
        _ => Compression::SNAPPY,
    })
}

/// A Parquet file that is being written.
pub(crate) struct ParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file of rows of a schema.
    pub fn new(out: W, schema: SchemaRef, compression: Compression) -> Result<Self, String> {
        let properties = WriterProperties::builder().set_compression(compression).build();
        let writer =
            ArrowWriter::try_new(out, schema, Some(properties)).map_err(|e| e.to_string())?;
        Ok(Self { writer })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        self.writer.write(batch).map_err(|e| e.to_string())
    }

    /// About how many bytes the file has so far.
    pub fn size(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W, String> {
        self.writer.into_inner().map_err(|e| e.to_string())
    }
}
