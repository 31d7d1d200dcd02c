//! Rows into records: keys and values through their formats.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMillisecondType};
use rialto_engine::EngineError;

use super::options::{Half, KafkaOptions};
use super::outbox::put_header;
use crate::error::{ConnectorError, Result};
use crate::format::Encoder;
use crate::options::Options;
use crate::spec::TableSpec;

/// Encoded rows: the bytes of each.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    bytes: Vec<u8>,
    /// For each row where it starts and ends, or `None` for a null.
    rows: Vec<Option<(usize, usize)>>,
}

impl Encoded {
    pub fn row(&self, row: usize) -> Option<&[u8]> {
        let (start, end) = (*self.rows.get(row)?)?;
        self.bytes.get(start..end)
    }
}

/// Writes one half of the records.
pub(super) struct HalfWriter {
    columns: Vec<usize>,
    schema: SchemaRef,
    encoder: Box<dyn Encoder>,
    /// Whether a row never has a line end within it.
    lines: bool,
    /// Whether a null is written as no bytes at all.
    raw: bool,
}

impl HalfWriter {
    pub fn new(half: &Half) -> Result<Self> {
        let options = Options::new(&half.spec);
        let schema = half.spec.schema.clone();
        Ok(Self {
            columns: half.columns.clone(),
            encoder: (half.format.encoder)(&options, schema.clone())?,
            lines: matches!(half.format.name, "json" | "debezium-json" | "canal-json"),
            raw: half.format.name == "raw",
            schema,
        })
    }

    /// The columns of this half under its own names.
    fn project(&self, batch: &RecordBatch) -> rialto_engine::Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self.columns.iter().map(|&i| batch.column(i).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }

    /// Encodes all rows of a batch; `retracts` says which are taken back.
    pub fn encode(
        &mut self,
        batch: &RecordBatch,
        retracts: Option<&[bool]>,
    ) -> rialto_engine::Result<Encoded> {
        let batch = self.project(batch)?;
        let rows = batch.num_rows();
        let mut out = Encoded { bytes: Vec::new(), rows: Vec::with_capacity(rows) };
        if self.lines {
            match retracts {
                Some(signs) => self.encoder.encode_changes(&batch, signs, &mut out.bytes)?,
                None => self.encoder.encode(&batch, 0..rows, &mut out.bytes)?,
            }
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', &out.bytes) {
                out.rows.push(Some((start, end)));
                start = end + 1;
            }
        } else {
            for row in 0..rows {
                if self.raw && batch.column(0).is_null(row) {
                    out.rows.push(None);
                    continue;
                }
                let start = out.bytes.len();
                self.encoder.encode(&batch, row..row + 1, &mut out.bytes)?;
                let end = out.bytes.len() - usize::from(out.bytes.ends_with(b"\n"));
                out.rows.push(Some((start, end)));
            }
        }
        if out.rows.len() != rows {
            let found = out.rows.len();
            return Err(EngineError::Internal(format!("{rows} rows became {found} records")));
        }
        Ok(out)
    }
}

/// Writes metadata columns into records.
#[derive(Debug, Default)]
pub(super) struct MetadataWriter {
    timestamp: Option<usize>,
    headers: Option<usize>,
}

impl MetadataWriter {
    pub fn new(spec: &TableSpec, _: &KafkaOptions<'_>) -> Result<Self> {
        let mut writer = Self::default();
        for (key, field) in &spec.metadata {
            let column = spec.schema.index_of(field.name()).ok();
            match key.as_str() {
                "timestamp" => writer.timestamp = column,
                "headers" => writer.headers = column,
                other => {
                    return Err(ConnectorError::new(format!(
                        "column '{}' of table '{}' cannot be written",
                        field.name(),
                        spec.name
                    ))
                    .detail(format!("the broker sets the metadata '{other}' itself"))
                    .hint("declare the column as METADATA VIRTUAL: then it is for reading only"));
                }
            }
        }
        Ok(writer)
    }

    /// The timestamps of all rows.
    pub fn timestamps(&self, batch: &RecordBatch) -> rialto_engine::Result<Option<ArrayRef>> {
        let Some(column) = self.timestamp else { return Ok(None) };
        let DataType::Timestamp(_, zone) = batch.column(column).data_type() else {
            return Err(EngineError::Internal("a timestamp of another type".into()));
        };
        let wanted = DataType::Timestamp(TimeUnit::Millisecond, zone.clone());
        Ok(Some(cast(batch.column(column), &wanted)?))
    }

    /// The headers of a row, in the form of the outbox.
    pub fn headers(
        &self,
        batch: &RecordBatch,
        row: usize,
    ) -> rialto_engine::Result<Option<Vec<u8>>> {
        let Some(column) = self.headers else { return Ok(None) };
        let Some(map) = batch.column(column).as_map_opt() else {
            return Err(EngineError::Internal("headers that are no map".into()));
        };
        if map.is_null(row) {
            return Ok(None);
        }
        let entries = map.value(row);
        let names = cast(entries.column(0), &DataType::Utf8)?;
        let values = cast(entries.column(1), &DataType::Binary)?;
        let (names, values) = (names.as_string::<i32>(), values.as_binary::<i32>());
        let mut out = Vec::new();
        for at in 0..entries.len() {
            let value = values.is_valid(at).then(|| values.value(at));
            put_header(&mut out, names.value(at), value);
        }
        Ok(Some(out))
    }
}

/// A row's timestamp in milliseconds of the epoch.
pub(super) fn timestamp_ms(column: Option<&ArrayRef>, row: usize) -> Option<i64> {
    let column = column?;
    let values = column.as_primitive_opt::<TimestampMillisecondType>()?;
    values.is_valid(row).then(|| values.value(row))
}
