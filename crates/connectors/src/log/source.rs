//! Where reading begins and ends, and who reads which partitions.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use rialto_engine::{EngineError, Reader, Source};
use rialto_storage::log::{LogError, Topic};

use super::options::{LogOptions, Offsets, Place, of_log};
use super::reader::{Columns, Owners, RecordReader};
use crate::error::{ConnectorError, Result};
use crate::format::ReadColumns;
use crate::options::Options;
use crate::spec::{Environment, TableSpec};

/// A table in a log, to be read.
pub(super) struct LogSource {
    spec: TableSpec,
    topic: Arc<Topic>,
    schema: SchemaRef,
    start: Place,
    stop: Option<Place>,
    fail_on_error: bool,
    exact: bool,
    decoder: fn(&Options<'_>, ReadColumns) -> Result<Box<dyn crate::format::Decoder>>,
}

impl LogSource {
    /// Opens the table's log, which is made where there is none.
    pub fn open(
        spec: &TableSpec,
        options: &LogOptions<'_>,
        environment: &Environment,
    ) -> Result<Self> {
        let folder = options.folder(environment)?;
        let topic = Topic::shared(&folder, options.config.clone());
        let topic = topic.map_err(|e| of_log(&spec.name, &e))?;
        for place in [Some(&options.start), options.stop.as_ref()].into_iter().flatten() {
            check(place, &topic, &spec.name)?;
        }
        let source = Self {
            spec: spec.clone(),
            topic,
            schema: spec.read_schema()?,
            start: options.start.clone(),
            stop: options.stop.clone(),
            fail_on_error: options.fail_on_error,
            // Only where a record is one line, and a line's end no part of it, are records cut by
            // lines: an open quote of CSV must not swallow the next record.
            exact: options.format.name == "raw" || !options.format.splittable,
            decoder: options.format.decoder,
        };
        (source.decoder)(&options.raw, source.columns().read)?;
        Ok(source)
    }

    fn columns(&self) -> Columns {
        let file = self.spec.schema.fields().iter().cloned().collect();
        Columns {
            read: ReadColumns { file, wanted: self.spec.projected() },
            metadata: self.spec.metadata.clone(),
            schema: Arc::clone(&self.schema),
            exact: self.exact,
        }
    }

    fn offsets(&self, place: &Place) -> Result<Vec<u64>, LogError> {
        match place {
            Place::Earliest => self.topic.earliest(),
            Place::Latest => self.topic.end(),
            Place::Time(time) => self.topic.offsets_at(*time),
            // A partition that is not named begins at its first record.
            Place::Offsets(offsets) => {
                let mut all = self.topic.earliest()?;
                for (&partition, &offset) in offsets {
                    if let Some(place) = all.get_mut(partition as usize) {
                        *place = offset;
                    }
                }
                Ok(all)
            }
        }
    }
}

/// Refuses offsets of partitions that the log does not have.
fn check(place: &Place, topic: &Topic, table: &str) -> Result<()> {
    let Place::Offsets(offsets) = place else { return Ok(()) };
    let partitions = topic.partitions();
    match offsets.keys().find(|p| **p >= partitions) {
        None => Ok(()),
        Some(partition) => Err(ConnectorError::new(format!(
            "table '{table}' names an offset of partition {partition}"
        ))
        .detail(format!("its log has {partitions} partitions, counted from 0"))),
    }
}

impl Source for LogSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn is_bounded(&self) -> bool {
        self.stop.is_some()
    }

    fn readers(&self, parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let failed = |e: LogError| EngineError::source(format!("table '{}'", self.spec.name), e);
        let start = self.offsets(&self.start).map_err(failed)?;
        let stop = self.stop.as_ref().map(|s| self.offsets(s)).transpose().map_err(failed)?;
        let partitions = self.topic.partitions() as usize;
        let count = parallelism.clamp(1, partitions);
        let mut readers: Vec<Box<dyn Reader>> = Vec::with_capacity(count);
        let owners = Owners::default();
        for number in 0..count {
            let own = (number..partitions).step_by(count);
            let of = |all: &[u64]| own.clone().map(|p| (p as u32, all[p])).collect::<Offsets>();
            let options = Options::new(&self.spec);
            let columns = self.columns();
            let decoder = (self.decoder)(&options, columns.read.clone())?;
            readers.push(Box::new(RecordReader::new(
                &self.spec.name,
                Arc::clone(&self.topic),
                decoder,
                columns,
                of(&start),
                stop.as_deref().map(of),
                self.fail_on_error,
                (number, Arc::clone(&owners)),
            )));
        }
        Ok(readers)
    }
}
