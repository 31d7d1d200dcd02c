//! From what a format decodes to what the table shows: partition and metadata columns join in.

use std::path::{Path, PathBuf};

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMillisecondArray, UInt32Array, new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, FieldRef, SchemaRef, TimeUnit};
use rialto_engine::EngineError;
use serde_json::{Map, Value, json};

use super::paths::{FoundFile, partition_values};
use crate::beside;
use crate::error::{ConnectorError, Result};
use crate::format::ReadColumns;
use crate::format::column::Slot;
use crate::format::field::parse_field;
use crate::spec::TableSpec;

/// The metadata columns and their types.
pub(super) fn metadata() -> Vec<(&'static str, DataType)> {
    vec![
        ("file.path", DataType::Utf8),
        ("file.name", DataType::Utf8),
        ("file.size", DataType::Int64),
        ("file.modification-time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
    ]
}

/// Where one column of the table comes from.
#[derive(Debug)]
enum Part {
    Decoded(usize),
    Partition(FieldRef),
    Metadata(String, DataType),
}

/// Puts the columns of a table together.
#[derive(Debug)]
pub(super) struct Assembly {
    schema: SchemaRef,
    parts: Vec<Part>,
    folder: PathBuf,
    base_dir: PathBuf,
    default_name: String,
}

impl Assembly {
    /// What a format has to decode, and how the table's columns come of it.
    pub fn new(
        spec: &TableSpec,
        folder: PathBuf,
        base_dir: PathBuf,
        default_name: &str,
    ) -> Result<(ReadColumns, Self)> {
        let is_partition = |name: &String| spec.partition_keys.contains(name);
        let fields = spec.schema.fields();
        let file: Vec<FieldRef> =
            fields.iter().filter(|f| !is_partition(f.name())).cloned().collect();
        let mut wanted: Vec<usize> = Vec::new();
        let mut parts = Vec::new();
        for index in spec.projected() {
            let Some(field) = fields.get(index) else {
                return Err(ConnectorError::new(format!(
                    "table '{}' has no column {index}",
                    spec.name
                )));
            };
            let Some(place) = file.iter().position(|f| f.name() == field.name()) else {
                parts.push(Part::Partition(field.clone()));
                continue;
            };
            let decoded = wanted.iter().position(|&w| w == place).unwrap_or_else(|| {
                wanted.push(place);
                wanted.len() - 1
            });
            parts.push(Part::Decoded(decoded));
        }
        for (key, field) in &spec.metadata {
            parts.push(Part::Metadata(key.clone(), field.data_type().clone()));
        }
        let schema = spec.read_schema()?;
        let default_name = default_name.to_owned();
        let columns = ReadColumns { file, wanted };
        Ok((columns, Self { schema, parts, folder, base_dir, default_name }))
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether some column speaks of the file that the row is from.
    pub fn depends_on_file(&self) -> bool {
        self.parts.iter().any(|p| !matches!(p, Part::Decoded(_)))
    }

    /// A file's name in messages: short where it lies in the project.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.base_dir).unwrap_or(path).display().to_string()
    }

    /// The table's columns for rows that were decoded from one file.
    pub fn assemble(
        &self,
        decoded: RecordBatch,
        file: &FoundFile,
    ) -> rialto_engine::Result<RecordBatch> {
        self.build(decoded, |part, rows| match part {
            Part::Partition(field) => self.partition(field, file, rows),
            Part::Metadata(key, data_type) => Ok(repeat(&value_of(key, data_type, file)?, rows)?),
            Part::Decoded(_) => {
                Err(EngineError::Internal("a decoded column is no constant".into()))
            }
        })
    }

    /// The table's columns where none of them speaks of the file.
    pub fn without_file(&self, decoded: RecordBatch) -> rialto_engine::Result<RecordBatch> {
        self.build(decoded, |_, _| {
            Err(EngineError::Internal("a column speaks of a file that is not known".into()))
        })
    }

    /// What the table reads of a file, and its name does not say, for a record that is refused.
    pub fn beside(&self, file: &FoundFile) -> Option<Value> {
        let said = self.parts.iter().filter_map(|part| match part {
            Part::Metadata(key, _) if key == "file.size" => Some((key.clone(), json!(file.size))),
            Part::Metadata(key, _) if key == "file.modification-time" => {
                Some((key.clone(), beside::time(file.modified)))
            }
            _ => None,
        });
        let said: Map<String, Value> = said.collect();
        (!said.is_empty()).then_some(Value::Object(said))
    }

    fn build(
        &self,
        decoded: RecordBatch,
        constant: impl Fn(&Part, usize) -> rialto_engine::Result<ArrayRef>,
    ) -> rialto_engine::Result<RecordBatch> {
        let rows = decoded.num_rows();
        let mut arrays = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            arrays.push(match part {
                Part::Decoded(index) => decoded.column(*index).clone(),
                other => constant(other, rows)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }

    fn partition(
        &self,
        field: &FieldRef,
        file: &FoundFile,
        rows: usize,
    ) -> rialto_engine::Result<ArrayRef> {
        let place = || self.shown(&file.path);
        let values = partition_values(&self.folder, &file.path);
        let Some((_, text)) = values.iter().find(|(key, _)| key == field.name()) else {
            return Err(EngineError::source(
                place(),
                format!("the path has no folder '{}=…' of the partition", field.name()),
            ));
        };
        if *text == self.default_name {
            return Ok(new_null_array(field.data_type(), rows));
        }
        let mut slot = Slot::new(field).map_err(|t| {
            EngineError::source(place(), format!("a partition cannot have the type {t}"))
        })?;
        parse_field(&mut slot.column, text.as_bytes()).map_err(|reason| {
            EngineError::source(place(), format!("partition '{}': {reason}", field.name()))
        })?;
        Ok(repeat(&slot.finish()?, rows)?)
    }
}

fn value_of(key: &str, data_type: &DataType, file: &FoundFile) -> rialto_engine::Result<ArrayRef> {
    let text = |value: std::borrow::Cow<'_, str>| -> ArrayRef {
        std::sync::Arc::new(StringArray::from(vec![value.into_owned()]))
    };
    let value: ArrayRef = match key {
        "file.path" => text(file.path.to_string_lossy()),
        "file.name" => text(file.path.file_name().unwrap_or_default().to_string_lossy()),
        "file.size" => {
            let size = i64::try_from(file.size).unwrap_or(i64::MAX);
            std::sync::Arc::new(Int64Array::from(vec![size]))
        }
        _ => std::sync::Arc::new(
            TimestampMillisecondArray::from(vec![file.modified]).with_timezone("UTC"),
        ),
    };
    Ok(if value.data_type() == data_type { value } else { cast(&value, data_type)? })
}

fn repeat(one: &dyn Array, rows: usize) -> Result<ArrayRef, arrow::error::ArrowError> {
    take(one, &UInt32Array::from_value(0, rows), None)
}
