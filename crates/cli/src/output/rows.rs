//! Rows and changes, in the format that was asked for.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use rialto_runtime::connectors::changes;
use rialto_runtime::connectors::format::Encoder;
use rialto_runtime::connectors::format::csv::{CsvEncoder, Dialect};
use rialto_runtime::connectors::format::json::JsonEncoder;
use rialto_runtime::engine::{Delta, Result};
use rialto_runtime::sql::functions::SessionSettings;

use super::stdout::{Stdout, sink_error};
use super::table::{Table, row_count};
use crate::args::Format;

/// Prints rows that are all there, and in a table how many they are.
pub fn print_rows(
    batch: &RecordBatch,
    format: Format,
    settings: &SessionSettings,
    stdout: &Stdout,
) -> Result<()> {
    if format != Format::Table {
        let mut writer = RowWriter::new(&batch.schema(), format, stdout);
        writer.write(batch)?;
        return writer.finish();
    }
    let mut text = String::new();
    if batch.num_rows() > 0 {
        Table::whole(batch, settings, &mut text);
    }
    text.push_str(&row_count(batch.num_rows()));
    text.push('\n');
    stdout.text(&text).map_err(sink_error)
}

/// The rows of a view among others, and how many of them to print.
pub struct RowsOfView<'a> {
    /// The view.
    pub name: &'a str,
    /// What is in it.
    pub rows: &'a RecordBatch,
    /// More rows than this are left out.
    pub max: usize,
}

impl RowsOfView<'_> {
    /// Prints the rows: as a table under the name of the view, or as objects or records that bear
    /// it.
    pub fn print(&self, format: Format, settings: &SessionSettings, stdout: &Stdout) -> Result<()> {
        let all = self.rows.num_rows();
        let batch = self.rows.slice(0, all.min(self.max));
        match format {
            Format::Json => return self.print_objects(&batch, stdout),
            Format::Csv => return self.print_records(&batch, stdout),
            Format::Table => {}
        }
        let mut text = format!("{}\n", self.name);
        if batch.num_rows() > 0 {
            Table::whole(&batch, settings, &mut text);
        }
        text.push_str(&row_count(all));
        if batch.num_rows() < all {
            text.push_str(&format!(", the first {} are shown", batch.num_rows()));
        }
        text.push_str("\n\n");
        stdout.text(&text).map_err(sink_error)
    }

    fn print_objects(&self, batch: &RecordBatch, stdout: &Stdout) -> Result<()> {
        let encoder = JsonEncoder::new(&batch.schema());
        let name = serde_json::Value::from(self.name);
        let mut out = Vec::new();
        for row in 0..batch.num_rows() {
            out.extend_from_slice(format!("{{\"table\":{name},\"row\":").as_bytes());
            encoder.write_row(batch, row, &mut out)?;
            out.extend_from_slice(b"}\n");
        }
        stdout.bytes(&out).map_err(sink_error)
    }

    /// A header and the records of the view, which have its name first, and an empty line.
    fn print_records(&self, batch: &RecordBatch, stdout: &Stdout) -> Result<()> {
        let names: ArrayRef = Arc::new(StringArray::from(vec![self.name; batch.num_rows()]));
        let schema = behind(&[("table", DataType::Utf8)], &batch.schema());
        let columns = std::iter::once(names).chain(batch.columns().iter().cloned()).collect();
        let named = RecordBatch::try_new(schema, columns)?;
        let mut writer = RowWriter::new(&named.schema(), Format::Csv, stdout);
        writer.write(&named)?;
        stdout.line("").map_err(sink_error)
    }
}

/// Prints rows as they come.
pub struct RowWriter {
    encoder: Box<dyn Encoder>,
    started: bool,
    buffer: Vec<u8>,
    stdout: Stdout,
}

impl RowWriter {
    /// For rows of a schema, as CSV or else as JSON.
    pub fn new(schema: &SchemaRef, format: Format, stdout: &Stdout) -> Self {
        let encoder: Box<dyn Encoder> = match format {
            Format::Csv => {
                let dialect = Dialect { header: true, ..Dialect::default() };
                Box::new(CsvEncoder::new(schema, dialect))
            }
            Format::Json | Format::Table => Box::new(JsonEncoder::new(schema)),
        };
        Self { encoder, started: false, buffer: Vec::new(), stdout: stdout.clone() }
    }

    /// Prints rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.start();
        self.encoder.encode(batch, 0..batch.num_rows(), &mut self.buffer)?;
        self.hand_over()
    }

    /// Prints what stands before the first row, where there was none.
    pub fn finish(&mut self) -> Result<()> {
        self.start();
        self.hand_over()
    }

    fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.encoder.start(&mut self.buffer);
        }
    }

    fn hand_over(&mut self) -> Result<()> {
        self.stdout.bytes(&self.buffer).map_err(sink_error)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Prints changes with their kind and step.
pub struct ChangeWriter {
    key: Option<Vec<usize>>,
    columns: SchemaRef,
    style: Style,
    settings: SessionSettings,
    stdout: Stdout,
}

enum Style {
    /// An object a change; the text is what stands before the kind.
    Json { head: String, encoder: JsonEncoder },
    /// A record a change, after two columns of ours.
    Csv { schema: SchemaRef, writer: RowWriter },
    /// A line of a table a change.
    Table { table: Table, open: bool },
    /// `step 3  v1  +I  n=1, day=2024-01-31`: for changes of several views at once.
    Line { view: String },
}

impl ChangeWriter {
    /// For the changes of one query. `key` are the columns by which an old and a new row are one
    /// update.
    pub fn of_query(
        schema: &SchemaRef,
        key: Option<Vec<usize>>,
        format: Format,
        settings: &SessionSettings,
        stdout: &Stdout,
    ) -> Self {
        let style = match format {
            Format::Json => Style::Json { head: "{".into(), encoder: JsonEncoder::new(schema) },
            Format::Csv => {
                let schema = with_kind(schema);
                let writer = RowWriter::new(&schema, Format::Csv, stdout);
                Style::Csv { schema, writer }
            }
            Format::Table => {
                let schema = with_kind(schema);
                let table = Table::new(schema.fields().iter().map(AsRef::as_ref));
                Style::Table { table, open: false }
            }
        };
        let columns = Arc::clone(schema);
        Self { key, columns, style, settings: settings.clone(), stdout: stdout.clone() }
    }

    /// For the changes of one of several views, each line with its name.
    pub fn of_view(
        view: &str,
        schema: &SchemaRef,
        key: Option<Vec<usize>>,
        format: Format,
        settings: &SessionSettings,
        stdout: &Stdout,
    ) -> Self {
        let style = match format {
            Format::Json => {
                let name = serde_json::Value::from(view);
                let head = format!("{{\"table\":{name},");
                Style::Json { head, encoder: JsonEncoder::new(schema) }
            }
            Format::Csv => return Self::of_query(schema, key, format, settings, stdout),
            Format::Table => Style::Line { view: view.to_owned() },
        };
        let columns = Arc::clone(schema);
        Self { key, columns, style, settings: settings.clone(), stdout: stdout.clone() }
    }

    /// Prints the changes of a step.
    pub fn write(&mut self, delta: &Delta, step: u64) -> Result<()> {
        let changes = changes(delta, self.key.as_deref())?;
        let kinds: Vec<&str> = changes.iter().map(|(kind, _)| kind.symbol()).collect();
        let rows = UInt32Array::from_iter_values(changes.iter().map(|(_, row)| *row as u32));
        let batch = shown(take_record_batch(delta.batch(), &rows)?, &self.columns)?;
        match &mut self.style {
            Style::Json { head, encoder } => {
                let mut out = Vec::new();
                for (row, kind) in kinds.iter().enumerate() {
                    let place = format!("{head}\"op\":\"{kind}\",\"step\":{step},\"row\":");
                    out.extend_from_slice(place.as_bytes());
                    encoder.write_row(&batch, row, &mut out)?;
                    out.extend_from_slice(b"}\n");
                }
                self.stdout.bytes(&out).map_err(sink_error)
            }
            Style::Csv { schema, writer } => {
                // A number of steps that SQL's BIGINT cannot hold is never reached.
                let step = i64::try_from(step).unwrap_or(i64::MAX);
                let mut columns: Vec<ArrayRef> = vec![
                    Arc::new(StringArray::from(kinds)),
                    Arc::new(Int64Array::from_value(step, batch.num_rows())),
                ];
                columns.extend(batch.columns().iter().cloned());
                writer.write(&RecordBatch::try_new(Arc::clone(schema), columns)?)
            }
            Style::Table { table, open } => {
                let mut cells = Table::cells(&batch, &self.settings);
                for (row, kind) in cells.iter_mut().zip(kinds) {
                    row.splice(0..0, [kind.to_owned(), step.to_string()]);
                }
                table.fit(&cells);
                let mut text = String::new();
                if !std::mem::replace(open, true) {
                    table.header(&mut text);
                }
                cells.iter().for_each(|row| table.row(row, &mut text));
                self.stdout.text(&text).map_err(sink_error)
            }
            Style::Line { view } => {
                let schema = batch.schema();
                let mut text = String::new();
                for (row, kind) in Table::cells(&batch, &self.settings).iter().zip(kinds) {
                    let cells = schema.fields().iter().zip(row);
                    let cells: Vec<String> =
                        cells.map(|(field, cell)| format!("{}={cell}", field.name())).collect();
                    let cells = cells.join(", ");
                    text.push_str(&format!("step {step}  {view}  {kind}  {cells}\n"));
                }
                self.stdout.text(&text).map_err(sink_error)
            }
        }
    }

    /// Closes a table; says what stands before the first change, where there was none.
    pub fn finish(&mut self) -> Result<()> {
        match &mut self.style {
            Style::Csv { writer, .. } => writer.finish(),
            Style::Table { table, open: true } => {
                let mut text = String::new();
                table.border(&mut text);
                self.stdout.text(&text).map_err(sink_error)
            }
            Style::Table { open: false, .. } => self.stdout.line(&row_count(0)).map_err(sink_error),
            Style::Json { .. } | Style::Line { .. } => Ok(()),
        }
    }
}

/// A batch under the columns that are shown, with their declared types. What a plan has behind
/// them, to order by, is left out.
pub(super) fn shown(batch: RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let arrays = batch.columns()[..columns.fields().len()].to_vec();
    Ok(RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &options)?)
}

/// The columns of a change: its kind, its step, then the row.
fn with_kind(schema: &SchemaRef) -> SchemaRef {
    behind(&[("op", DataType::Utf8), ("step", DataType::Int64)], schema)
}

/// The columns of a schema behind some of ours.
fn behind(own: &[(&str, DataType)], schema: &SchemaRef) -> SchemaRef {
    let field = |(name, data_type): &(&str, DataType)| -> FieldRef {
        Arc::new(Field::new(*name, data_type.clone(), false))
    };
    let mut fields: Vec<FieldRef> = own.iter().map(field).collect();
    fields.extend(schema.fields().iter().cloned());
    Arc::new(Schema::new(fields))
}
