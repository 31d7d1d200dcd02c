//! The format `raw`: a line is the value of the table's only column, byte for byte.
//!
//! Text goes through a charset; a number is its bytes, of which there must be exactly as many as
//! its type has.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef,
};
use rialto_engine::EngineError;

use super::column::{Column, Slot};
use super::lines::each_line;
use super::{BATCH_BYTES_MAX, BadRecord, Decoder, Encoder, Progress, ReadColumns, TextFormat};
use crate::error::{ConnectorError, Result};
use crate::options::Options;
use crate::spec::TableSpec;

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: "raw",
    options: &["raw.charset", "raw.endianness"],
    validate,
    decoder: |options, columns| Ok(Box::new(RawDecoder::new(options, &columns)?)),
    encoder: |options, _| Ok(Box::new(RawEncoder { layout: Layout::from_options(options)? })),
    splittable: true,
    changelog: false,
    in_files: true,
};

/// How text becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
}

/// How values become bytes.
#[derive(Debug, Clone, Copy)]
struct Layout {
    charset: Charset,
    little_endian: bool,
}

impl Layout {
    fn from_options(options: &Options<'_>) -> Result<Self> {
        let name = options.get("raw.charset").unwrap_or("UTF-8");
        let charset = match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Charset::Utf8,
            "US-ASCII" | "ASCII" => Charset::Ascii,
            "ISO-8859-1" | "LATIN1" => Charset::Latin1,
            _ => {
                let known = "'UTF-8', 'US-ASCII' or 'ISO-8859-1'";
                return Err(options.bad("raw.charset", name, known));
            }
        };
        let order = options.choice("raw.endianness", &["big-endian", "little-endian"])?;
        Ok(Self { charset, little_endian: order == Some("little-endian") })
    }
}

fn validate(spec: &TableSpec, options: &Options<'_>) -> Result<()> {
    Layout::from_options(options)?;
    let fields = spec.schema.fields();
    let mut content = fields.iter().filter(|f| !spec.partition_keys.contains(f.name()));
    let (Some(field), None) = (content.next(), content.next()) else {
        return Err(ConnectorError::new(format!(
            "table '{}' must have exactly one column for the format 'raw'",
            spec.name
        ))
        .detail(format!("it has {}", fields.len() - spec.partition_keys.len()))
        .hint("take the record as one STRING or BYTES column and compute others from it"));
    };
    match field.data_type() {
        DataType::Utf8
        | DataType::Binary
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64 => Ok(()),
        other => Err(ConnectorError::new(format!(
            "column '{}' of table '{}' has no raw form",
            field.name(),
            spec.name
        ))
        .detail(format!("its type is {other}"))
        .hint("raw values are strings, bytes, booleans, integers and floats")),
    }
}

/// Reads lines as values of one column, or of none if the plan reads no column.
struct RawDecoder {
    schema: SchemaRef,
    layout: Layout,
    slot: Option<Slot>,
    rows: usize,
    bytes: usize,
}

impl RawDecoder {
    fn new(options: &Options<'_>, columns: &ReadColumns) -> Result<Self> {
        let schema = columns.schema();
        let slot = schema.fields().first().map(Slot::new).transpose().map_err(|data_type| {
            ConnectorError::new(format!("the raw format has no type {data_type}"))
        })?;
        Ok(Self { schema, layout: Layout::from_options(options)?, slot, rows: 0, bytes: 0 })
    }

    fn value(&mut self, bytes: &[u8]) -> std::result::Result<(), String> {
        if let Some(slot) = &mut self.slot {
            read_value(&mut slot.column, bytes, self.layout)?;
        }
        self.rows += 1;
        Ok(())
    }
}

/// Appends a value to a column, or says why the bytes are none.
fn read_value(
    column: &mut Column,
    bytes: &[u8],
    layout: Layout,
) -> std::result::Result<(), String> {
    macro_rules! number {
        ($into:expr, $native:ty) => {{
            let exact = exactly(bytes)?;
            $into.push(match layout.little_endian {
                true => <$native>::from_le_bytes(exact),
                false => <$native>::from_be_bytes(exact),
            })
        }};
    }
    match column {
        Column::Utf8(text) => match layout.charset {
            Charset::Utf8 => match std::str::from_utf8(bytes) {
                Ok(_) => text.push(bytes),
                Err(_) => return Err("the record is not valid UTF-8".into()),
            },
            Charset::Ascii if bytes.is_ascii() => text.push(bytes),
            Charset::Ascii => return Err("the record is not valid US-ASCII".into()),
            Charset::Latin1 => {
                let decoded: String = bytes.iter().map(|&b| char::from(b)).collect();
                text.push(decoded.as_bytes());
            }
        },
        Column::Binary(binary) => binary.push(bytes),
        Column::Bool(values, validity) => {
            let [byte] = exactly(bytes)?;
            values.append(byte != 0);
            validity.valid();
        }
        Column::I8(c) => number!(c, i8),
        Column::I16(c) => number!(c, i16),
        Column::I32(c) => number!(c, i32),
        Column::I64(c) => number!(c, i64),
        Column::F32(c) => number!(c, f32),
        Column::F64(c) => number!(c, f64),
        _ => return Err("the column's type has no raw form".into()),
    }
    Ok(())
}

fn exactly<const N: usize>(bytes: &[u8]) -> std::result::Result<[u8; N], String> {
    bytes.try_into().map_err(|_| format!("expected {N} bytes, found {}", bytes.len()))
}

impl Decoder for RawDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> std::result::Result<Progress, String> {
        if self.rows == 0 {
            // What came to nothing fills no batch.
            self.bytes = 0;
        }
        if self.rows >= rows_max || self.bytes >= BATCH_BYTES_MAX {
            return Ok(Progress::default());
        }
        Ok(each_line(input, last, |line, at| {
            self.bytes += line.len() + 1;
            if let Err(reason) = self.value(line) {
                let (offset, bytes) = (at.consumed, line.to_vec());
                bad.push(BadRecord { offset, line: at.lines, reason, bytes });
            }
            self.rows < rows_max && self.bytes < BATCH_BYTES_MAX
        }))
    }

    fn decode_record(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        self.bytes += record.len();
        self.value(record)
    }

    fn decode_null(&mut self) -> bool {
        if let Some(slot) = &mut self.slot {
            if !slot.field.is_nullable() {
                return false;
            }
            slot.column.push_null();
        }
        self.rows += 1;
        true
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        let internal = |e: arrow::error::ArrowError| EngineError::Internal(e.to_string());
        let column = self.slot.as_mut().map(Slot::finish).transpose().map_err(internal)?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        let arrays = column.into_iter().collect();
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(internal)
    }

    fn ignored(&self) -> u64 {
        0
    }
}

/// Writes the only column of a table, a value a line.
struct RawEncoder {
    layout: Layout,
}

impl RawEncoder {
    fn value(&self, column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        macro_rules! number {
            ($arrow:ty) => {{
                let value = column.as_primitive::<$arrow>().value(row);
                match self.layout.little_endian {
                    true => out.extend_from_slice(&value.to_le_bytes()),
                    false => out.extend_from_slice(&value.to_be_bytes()),
                }
            }};
        }
        match column.data_type() {
            DataType::Utf8 => self.text(column.as_string::<i32>().value(row), out)?,
            DataType::Binary => out.extend_from_slice(column.as_binary::<i32>().value(row)),
            DataType::Boolean => out.push(u8::from(column.as_boolean().value(row))),
            DataType::Int8 => number!(Int8Type),
            DataType::Int16 => number!(Int16Type),
            DataType::Int32 => number!(Int32Type),
            DataType::Int64 => number!(Int64Type),
            DataType::Float32 => number!(Float32Type),
            DataType::Float64 => number!(Float64Type),
            other => return Err(format!("a {other} has no raw form")),
        }
        Ok(())
    }

    /// Characters that the charset does not have become `?`, as Java writes them.
    fn text(&self, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let limit = match self.layout.charset {
            Charset::Utf8 => {
                out.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            Charset::Ascii => 0x7f,
            Charset::Latin1 => 0xff,
        };
        let byte = |c: char| u8::try_from(u32::from(c)).ok().filter(|b| *b <= limit);
        out.extend(text.chars().map(|c| byte(c).unwrap_or(b'?')));
        Ok(())
    }
}

impl Encoder for RawEncoder {
    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let column = batch.column(0);
        for row in rows {
            if column.is_null(row) {
                return Err(EngineError::Data(
                    "a NULL cannot be written as raw (use COALESCE, or the format json)".into(),
                ));
            }
            self.value(column, row, out).map_err(EngineError::Data)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Int32Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn spec(data_type: DataType, options: &[(&str, &str)]) -> TableSpec {
        let schema = Schema::new(vec![Field::new("v", data_type, true)]);
        TableSpec::new("t", Arc::new(schema), options.iter().copied())
    }

    fn read(spec: &TableSpec, text: &[u8]) -> (ArrayRef, Vec<BadRecord>) {
        let options = Options::new(spec);
        let mut decoder = RawDecoder::new(&options, &ReadColumns::all(&spec.schema)).unwrap();
        let mut bad = Vec::new();
        let step = decoder.decode(text, true, 100, &mut bad).unwrap();
        assert_eq!(step.consumed, text.len());
        (decoder.finish().unwrap().column(0).clone(), bad)
    }

    fn write(spec: &TableSpec, column: ArrayRef) -> Vec<u8> {
        let batch = RecordBatch::try_new(Arc::clone(&spec.schema), vec![column]).unwrap();
        let mut encoder = RawEncoder { layout: Layout::from_options(&Options::new(spec)).unwrap() };
        let mut out = Vec::new();
        encoder.encode(&batch, 0..batch.num_rows(), &mut out).unwrap();
        out
    }

    #[test]
    fn a_line_is_a_text() {
        let spec = spec(DataType::Utf8, &[]);
        let (column, bad) = read(&spec, b"# a\n\n b;\xc3\xa9\r\n\xff\nend");
        let texts: Vec<_> = column.as_string::<i32>().iter().flatten().collect();
        assert_eq!(texts, ["# a", "", " b;é", "end"]);
        assert_eq!((bad.len(), bad[0].line, bad[0].offset), (1, 3, 12));
        let back = write(&spec, Arc::new(StringArray::from(vec!["x", "é"])));
        assert_eq!(back, "x\né\n".as_bytes());
    }

    #[test]
    fn charsets_read_and_write_their_bytes() {
        let latin = spec(DataType::Utf8, &[("raw.charset", "ISO-8859-1")]);
        let (column, _) = read(&latin, b"caf\xe9");
        assert_eq!(column.as_string::<i32>().value(0), "café");
        assert_eq!(write(&latin, Arc::new(StringArray::from(vec!["é€"]))), b"\xe9?\n");
        let ascii = spec(DataType::Utf8, &[("raw.charset", "us-ascii")]);
        assert_eq!(read(&ascii, b"caf\xe9").1.len(), 1);
        let odd = spec(DataType::Utf8, &[("raw.charset", "EBCDIC")]);
        assert!(Layout::from_options(&Options::new(&odd)).is_err());
    }

    #[test]
    fn numbers_have_their_width_in_either_order() {
        let big = spec(DataType::Int32, &[]);
        let (column, bad) = read(&big, b"\x00\x00\x01\x02\nabc");
        assert_eq!(column.as_primitive::<Int32Type>().values(), &[258]);
        assert_eq!(bad[0].reason, "expected 4 bytes, found 3");
        let little = spec(DataType::Int32, &[("raw.endianness", "little-endian")]);
        assert_eq!(write(&little, Arc::new(Int32Array::from(vec![258]))), b"\x02\x01\0\0\n");
        let float = spec(DataType::Float32, &[]);
        let bytes = write(&float, Arc::new(Float32Array::from(vec![1.5])));
        assert_eq!(read(&float, &bytes).0.as_primitive::<Float32Type>().value(0), 1.5);
    }

    #[test]
    fn the_table_has_one_column_of_a_plain_type() {
        let fields =
            vec![Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Utf8, true)];
        let none: [(&str, &str); 0] = [];
        let two = TableSpec::new("t", Arc::new(Schema::new(fields)), none);
        let error = validate(&two, &Options::new(&two)).unwrap_err();
        assert!(error.message.contains("exactly one column"), "{error}");
        let date = spec(DataType::Date32, &[]);
        assert!(validate(&date, &Options::new(&date)).is_err());
    }
}
