//! `blackhole`: takes everything, keeps nothing. For measuring.

use rialto_engine::{Delta, Sink};

use crate::error::Result;
use crate::options::Options;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};

pub(crate) const CONNECTOR: Connector = Connector {
    name: "blackhole",
    validate,
    source: None,
    lookup: None,
    sink: Some(sink),
    accepts_changes: true,
    formats_take_changes: false,
    metadata: no_metadata,
};

fn validate(spec: &TableSpec) -> Result<()> {
    Options::new(spec).refuse_unknown("blackhole", &[&["property-version"]])
}

fn sink(_: &TableSpec, _: &Environment) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Blackhole))
}

struct Blackhole;

impl Sink for Blackhole {
    fn write(&mut self, _: &Delta, _: u64) -> rialto_engine::Result<()> {
        Ok(())
    }

    fn prepare(&mut self, _: u64) -> rialto_engine::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: u64) -> rialto_engine::Result<()> {
        Ok(())
    }

    fn recover(&mut self, _: u64, _: &[u8]) -> rialto_engine::Result<()> {
        Ok(())
    }
}
