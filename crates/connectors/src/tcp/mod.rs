//! `tcp`, and Flink's `socket`: lines that a server sends.
//!
//! - `options.rs`: the options
//! - `socket.rs`: the connection, on a thread of its own
//! - `reader.rs`: lines into rows
//!
//! # What is promised
//! At most once. A socket cannot be asked for what it has sent: what was on its way when the
//! process or the connection ended is lost, and so is what came after the last checkpoint of a run
//! that was killed. Where that matters events belong into `http` or `log`.

mod options;
mod reader;
mod socket;

use arrow::datatypes::SchemaRef;
use rialto_engine::{Reader, Source};

use crate::error::Result;
use crate::format::ReadColumns;
use crate::options::Options;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};
use options::TcpOptions;
use reader::LineReader;

pub(crate) const CONNECTOR: Connector = Connector {
    name: "tcp",
    validate: |spec| TcpOptions::read(spec).map(drop),
    source: Some(source),
    lookup: None,
    sink: None,
    accepts_changes: false,
    formats_take_changes: false,
    metadata: no_metadata,
};

pub(crate) const SOCKET: Connector = Connector { name: "socket", ..CONNECTOR };

fn source(spec: &TableSpec, _: &Environment) -> Result<Box<dyn Source>> {
    let bounded = TcpOptions::read(spec)?.ends;
    let source = TcpSource { spec: spec.clone(), schema: spec.read_schema()?, bounded };
    source.decoder()?;
    Ok(Box::new(source))
}

/// A table of lines, to be read.
struct TcpSource {
    spec: TableSpec,
    schema: SchemaRef,
    bounded: bool,
}

impl TcpSource {
    fn decoder(&self) -> Result<Box<dyn crate::format::Decoder>> {
        let options = TcpOptions::read(&self.spec)?;
        let file = self.spec.schema.fields().iter().cloned().collect();
        let columns = ReadColumns { file, wanted: self.spec.projected() };
        (options.format.decoder)(&Options::new(&self.spec), columns)
    }
}

impl Source for TcpSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn is_bounded(&self) -> bool {
        self.bounded
    }

    fn readers(&self, _: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let options = TcpOptions::read(&self.spec)?;
        let decoder = self.decoder()?;
        Ok(vec![Box::new(LineReader::new(&options, self.schema.clone(), decoder))])
    }
}
