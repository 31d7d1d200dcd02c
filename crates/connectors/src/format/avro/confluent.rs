//! The format `avro-confluent`: before each record stands the number of the schema that it was
//! written with, which a registry knows.
//!
//! ```text
//! 0  schema (4 bytes, highest first)  record
//! ```
//!
//! A record of an unknown schema is a dead letter. A registry that does not answer is nobody's
//! fault: it is asked again for some seconds, then the source fails, and goes on from there when it
//! is started again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rialto_engine::EngineError;
use serde_json::Value;

use super::cursor::Cursor;
use super::plan::RecordPlan;
use super::registry::{OPTIONS, Refusal, Registered, Registry};
use super::schema::Schema;
use super::write::{RowWriter, columns};
use super::{derived, validate_as};
use crate::error::{ConnectorError, Result};
use crate::format::rows::Rows;
use crate::format::{BadRecord, Decoder, Encoder, Progress, TextFormat};
use crate::options::Options;

/// The prefix of the format's options.
pub(crate) const NAME: &str = "avro-confluent";
/// The subject under which a sink registers its schema.
pub(crate) const SUBJECT: &str = "avro-confluent.subject";

pub(crate) const FORMAT: TextFormat = TextFormat {
    name: NAME,
    options: OPTIONS,
    validate: |spec, options| {
        Registry::check(options)?;
        validate_as(NAME, spec, options)
    },
    decoder: |options, columns| {
        let rows = Rows::new(&columns, NAME)?;
        Ok(Box::new(ConfluentDecoder::new(Registry::open(options)?, rows)))
    },
    encoder: |options, schema| Ok(Box::new(ConfluentEncoder::new(options, &schema)?)),
    splittable: false,
    changelog: false,
    in_files: false,
};

/// How long an unknown schema stays unknown: it may be registered yet.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// So many schemas are remembered; no topic has more, but broken records may name any number.
const SCHEMAS_MAX: usize = 10_000;

/// A schema by which records are read.
struct Known {
    schema: Schema,
    plan: RecordPlan,
}

/// What is known of a number.
enum Entry {
    Known(Box<Known>),
    /// Why there is no schema, or none that fits the table, and since when.
    Unknown(String, Instant),
}

pub(super) struct ConfluentDecoder {
    registry: Registry,
    rows: Rows,
    schemas: HashMap<u32, Entry>,
    failure: Option<String>,
}

impl ConfluentDecoder {
    pub fn new(registry: Registry, rows: Rows) -> Self {
        Self { registry, rows, schemas: HashMap::new(), failure: None }
    }

    /// Makes sure that a schema is known as far as it can be.
    fn look_up(&mut self, id: u32) -> std::result::Result<(), String> {
        match self.schemas.get(&id) {
            Some(Entry::Known(_)) => return Ok(()),
            Some(Entry::Unknown(_, since)) if since.elapsed() < UNKNOWN_FOR => return Ok(()),
            _ => {}
        }
        let entry = match self.registry.schema(id) {
            Ok(Registered { text, named }) => {
                let known = Schema::parse(&text, &named).and_then(|schema| {
                    let plan = RecordPlan::new(&schema, self.rows.slots())?;
                    Ok(Entry::Known(Box::new(Known { schema, plan })))
                });
                let unfit = |e| Entry::Unknown(format!("schema {id}: {e}"), Instant::now());
                known.unwrap_or_else(unfit)
            }
            Err(Refusal::Unknown(reason)) => Entry::Unknown(reason, Instant::now()),
            Err(Refusal::Failed(reason)) => {
                self.failure = Some(reason.clone());
                return Err(reason);
            }
        };
        if self.schemas.len() >= SCHEMAS_MAX {
            self.schemas.retain(|_, entry| matches!(entry, Entry::Known(_)));
        }
        self.schemas.insert(id, entry);
        Ok(())
    }
}

impl Decoder for ConfluentDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        _: bool,
        _: usize,
        _: &mut Vec<BadRecord>,
    ) -> std::result::Result<Progress, String> {
        match input.is_empty() {
            true => Ok(Progress::default()),
            false => Err("a file cannot be 'avro-confluent': its records have no ends".into()),
        }
    }

    fn decode_record(&mut self, record: &[u8]) -> std::result::Result<(), String> {
        let (id, body) = match record {
            [0, a, b, c, d, body @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), body),
            [] => return Err("the record is empty".into()),
            [0, ..] => return Err("the record ends within the number of its schema".into()),
            [first, ..] => {
                let what = "the number of an Avro schema stands behind a byte 0";
                return Err(format!("the record begins with the byte {first}, but {what}"));
            }
        };
        self.look_up(id)?;
        let Some(entry) = self.schemas.get(&id) else {
            return Err(format!("the schema {id} is not known"));
        };
        let known = match entry {
            Entry::Known(known) => known,
            Entry::Unknown(reason, _) => return Err(reason.clone()),
        };
        let read = self.rows.add::<super::cursor::Fault>(record.len(), |slots| {
            let mut cursor = Cursor::new(body);
            known.plan.read(&known.schema, slots, &mut cursor)?;
            match cursor.rest().len() {
                0 => Ok(()),
                more => Err(format!("{more} bytes follow the record").into()),
            }
        });
        read.map_err(|fault| fault.to_string())
    }

    fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn rows(&self) -> usize {
        self.rows.count()
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        self.rows.finish()
    }

    fn ignored(&self) -> u64 {
        0
    }
}

pub(super) struct ConfluentEncoder {
    registry: Registry,
    subject: String,
    schema: Value,
    writer: RowWriter,
    /// The number of the schema, from the first row on.
    id: Option<u32>,
}

impl ConfluentEncoder {
    fn new(options: &Options<'_>, schema: &SchemaRef) -> Result<Self> {
        Self::with(Registry::open(options)?, options, schema)
    }

    pub fn with(registry: Registry, options: &Options<'_>, schema: &SchemaRef) -> Result<Self> {
        let subject = options.get(SUBJECT).ok_or_else(|| {
            ConnectorError::new(format!("table '{}' needs the option '{SUBJECT}'", options.table()))
                .detail("the schema of its records is registered under that subject")
                .hint("a table of 'kafka' with one topic has '<topic>-value' by default")
        })?;
        let schema_json = derived(NAME, options, schema)?;
        let (subject, writer) = (subject.to_owned(), RowWriter::new(schema));
        Ok(Self { registry, subject, schema: schema_json, writer, id: None })
    }
}

impl Encoder for ConfluentEncoder {
    fn encode(
        &mut self,
        batch: &RecordBatch,
        rows: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> rialto_engine::Result<()> {
        let id = match self.id {
            Some(id) => id,
            None => {
                let registered = self.registry.register(&self.subject, &self.schema);
                let id = registered.map_err(|refusal| match refusal {
                    Refusal::Failed(reason) | Refusal::Unknown(reason) => {
                        let place = format!("subject '{}'", self.subject);
                        EngineError::sink(place, reason)
                    }
                })?;
                *self.id.insert(id)
            }
        };
        let columns = columns(batch)?;
        for row in rows {
            out.push(0);
            out.extend_from_slice(&id.to_be_bytes());
            self.writer.row(&columns, row, out)?;
            out.push(b'\n');
        }
        Ok(())
    }
}
