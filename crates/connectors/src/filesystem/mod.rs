//! `filesystem`: tables of files.
//!
//! - `options.rs`: the options
//! - `paths.rs`: which files a path means, and which are allowed
//! - `compression.rs`: plain, gzip and zstd
//! - `queue.rs`: what is left to read, shared by the readers
//! - `reader.rs`: splits into rows
//! - `replay.rs`: rows at the speed of a clock
//! - `columns.rs`: partition and metadata columns
//! - `sink.rs`, `part.rs`: rows into rolling part files
//!
//! A file is read once. What is appended to it later, or put in its place, is not seen. In a folder
//! that is watched a file of no bytes is none yet: it is read when it has some.

mod columns;
mod compression;
mod options;
mod part;
pub(crate) mod paths;
mod queue;
mod reader;
mod replay;
mod sink;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_crash;

use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, SchemaRef};
use rialto_engine::{EngineError, Reader, Sink, Source};

use crate::error::{ConnectorError, Result};
use crate::format::ReadColumns;
use crate::format::column::{has_variant, no_type};
use crate::options::Options;
use crate::registry::Connector;
use crate::spec::{Environment, TableSpec};
use columns::Assembly;
use options::{FileOptions, Format};
use queue::{Queue, SPLIT_BYTES};
use reader::{Decoding, FileReader};
use replay::Replay;

pub(crate) const CONNECTOR: Connector = Connector {
    name: "filesystem",
    validate: |spec| FileOptions::read(spec).map(drop),
    source: Some(source),
    lookup: None,
    sink: Some(sink),
    accepts_changes: false,
    formats_take_changes: true,
    metadata: columns::metadata,
};

fn source(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Source>> {
    let options = FileOptions::read(spec)?;
    let location = options.location(environment)?;
    // What is missing is said before anything runs.
    location.files()?;
    let (columns, assembly) =
        Assembly::new(spec, location.folder(), environment.base_dir.clone(), options.default_name)?;
    let source = FileSource {
        spec: spec.clone(),
        location,
        columns,
        assembly: Arc::new(assembly),
        split_bytes: SPLIT_BYTES,
    };
    source.decoding(&options)?;
    Ok(Box::new(source))
}

fn sink(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Sink>> {
    let options = FileOptions::read(spec)?;
    let location = options.location(environment)?;
    Ok(Box::new(sink::FileSink::new(spec, &options, location)?))
}

/// A table of files, to be read.
struct FileSource {
    spec: TableSpec,
    location: paths::Location,
    columns: ReadColumns,
    assembly: Arc<Assembly>,
    split_bytes: u64,
}

impl FileSource {
    fn decoding(&self, options: &FileOptions<'_>) -> Result<Decoding> {
        let columns = self.columns.clone();
        Ok(match options.format {
            Format::Text(format) => {
                Decoding::Text((format.decoder)(&Options::new(&self.spec), columns)?)
            }
            Format::Parquet => {
                // Its texts may be no JSON, and what is made of them would be no variant.
                let fields = columns.schema();
                if let Some(field) = fields.fields().iter().find(|f| has_variant(f.data_type())) {
                    let what = format!("column '{}' cannot be read", field.name());
                    let why = no_type("parquet", &DataType::LargeUtf8);
                    return Err(ConnectorError::new(what).detail(why));
                }
                Decoding::Parquet(columns)
            }
        })
    }
}

impl FileSource {
    /// Where a reader's rows have a column.
    fn index(&self, column: &str) -> rialto_engine::Result<usize> {
        self.assembly.schema().index_of(column).map_err(|_| {
            EngineError::Internal(format!("'{column}' of '{}' is not read", self.spec.name))
        })
    }
}

impl Source for FileSource {
    fn schema(&self) -> SchemaRef {
        self.assembly.schema().clone()
    }

    fn is_bounded(&self) -> bool {
        self.spec.option("source.monitor-interval").is_none()
    }

    fn readers(&self, parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let options = FileOptions::read(&self.spec)?;
        let (splittable, changelog) = match options.format {
            Format::Text(format) => (format.splittable, format.changelog),
            Format::Parquet => (false, false),
        };
        let split_bytes = (splittable && self.spec.rowtime.is_none()).then_some(self.split_bytes);
        let queue = Queue::new(self.location.clone(), options.interval, split_bytes)?;
        let bounded = queue.is_bounded();
        let queue = Arc::new(Mutex::new(queue));
        let mut readers: Vec<Box<dyn Reader>> = Vec::new();
        // Changes keep their order: a row must not be taken back before it was added.
        let parallelism = if changelog { 1 } else { parallelism.max(1) };
        // There is one clock.
        let parallelism = if options.replay.is_some() { 1 } else { parallelism };
        for _ in 0..parallelism {
            let reader = FileReader {
                queue: queue.clone(),
                decoding: self.decoding(&options)?,
                assembly: self.assembly.clone(),
                on_error: options.on_error,
                open: None,
                resumed: Vec::new(),
                done: Vec::new(),
                dead: Vec::new(),
                bounded,
                buffer: Vec::new(),
                bytes: 0,
            };
            readers.push(match options.replay {
                Some((column, speed)) => Box::new(Replay::new(reader, self.index(column)?, speed)),
                None => Box::new(reader),
            });
        }
        Ok(readers)
    }
}
