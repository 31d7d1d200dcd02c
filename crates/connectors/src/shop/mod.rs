//! `shop`: tables of the event model, filled by a simulated shop (`rialto-shop`).
//!
//! - `options.rs`: the options of a table, and what its columns must be
//! - `feed.rs`: one world that all tables of a job with the same options share
//! - `reader.rs`: the events of one table as rows, at the pace of the world's time
//! - `decisions.rs`: what the world is told, out of an embedded log
//! - `stage.rs`: a world whose hours pass when somebody says so

mod decisions;
mod feed;
mod options;
mod reader;
mod stage;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use rialto_engine::{Reader, Source};

use crate::error::Result;
use crate::registry::{Connector, no_metadata};
use crate::spec::{Environment, TableSpec};
use feed::Feed;
use options::Settings;
use reader::EventReader;

pub use rialto_shop::{Act, Config, Decision, Hidden, Place, Secrets, TABLES, Truth, World};
pub use stage::Stage;

pub(crate) const CONNECTOR: Connector = Connector {
    name: "shop",
    validate,
    source: Some(source),
    lookup: None,
    sink: None,
    accepts_changes: false,
    formats_take_changes: false,
    metadata: no_metadata,
};

fn validate(spec: &TableSpec) -> Result<()> {
    Settings::read(spec).map(drop)
}

fn source(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Source>> {
    let mut settings = Settings::read(spec)?;
    settings.place_decisions(environment)?;
    settings.stage = environment.stage.clone();
    Ok(Box::new(ShopSource { spec: spec.clone(), schema: spec.read_schema()?, settings }))
}

struct ShopSource {
    spec: TableSpec,
    schema: SchemaRef,
    settings: Settings,
}

impl Source for ShopSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn is_bounded(&self) -> bool {
        let endless = self.settings.world.days == 0 || self.settings.stage.is_some();
        !endless || self.settings.table.is_fixed()
    }

    /// One reader: a table's rows come in one order, whatever the parallelism is.
    fn readers(&self, _parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let seat = Feed::join(&self.settings);
        let reader = EventReader::new(&self.spec, self.schema.clone(), seat)?;
        Ok(vec![Box::new(reader)])
    }
}
