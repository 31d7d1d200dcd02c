//! The list of connectors, and the functions that find the right one for a table.

use std::sync::Arc;

use arrow::datatypes::DataType;
use rialto_engine::{LookupTable, Sink, Source};

use crate::error::{ConnectorError, Result};
use crate::filesystem::paths::Location;
use crate::format::{FILE_OPTIONS, is_changelog};
use crate::options::{Options, nearest};
use crate::spec::{Environment, TableSpec};
use crate::{
    blackhole, datagen, filesystem, kafka, log, nexmark, postgres, print, shop, tcp, webhook,
};

type MakeSource = fn(&TableSpec, &Environment) -> Result<Box<dyn Source>>;
/// None: the table's options have it read whole.
type MakeLookup =
    fn(&TableSpec, &[(usize, DataType)], &Environment) -> Result<Option<Arc<dyn LookupTable>>>;
type MakeSink = fn(&TableSpec, &Environment) -> Result<Box<dyn Sink>>;

/// What a connector can do. Adding a connector is adding one of these to [`CONNECTORS`].
pub(crate) struct Connector {
    /// The value of the option `connector`.
    pub name: &'static str,
    /// Checks the options alone: no file is opened, nothing is connected.
    pub validate: fn(&TableSpec) -> Result<()>,
    /// Opens the table for reading; `None` if it cannot be read.
    pub source: Option<MakeSource>,
    /// Opens the table to be asked for rows by key; `None` if it can only be read.
    pub lookup: Option<MakeLookup>,
    /// Opens the table for writing; `None` if it cannot be written.
    pub sink: Option<MakeSink>,
    /// Whether the sink takes rows that are taken back.
    pub accepts_changes: bool,
    /// Whether the sink takes rows that are taken back where its format has a form for them.
    pub formats_take_changes: bool,
    /// The metadata columns: key and type.
    pub metadata: fn() -> Vec<(&'static str, DataType)>,
}

const CONNECTORS: &[Connector] = &[
    blackhole::CONNECTOR,
    datagen::CONNECTOR,
    filesystem::CONNECTOR,
    log::http::CONNECTOR,
    kafka::KAFKA,
    log::CONNECTOR,
    nexmark::CONNECTOR,
    postgres::CONNECTOR,
    postgres::JDBC,
    print::CONNECTOR,
    shop::CONNECTOR,
    kafka::UPSERT,
    tcp::CONNECTOR,
    tcp::SOCKET,
    webhook::CONNECTOR,
];

/// What a table's connector can do, for the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The table can be read.
    pub readable: bool,
    /// The table can be written.
    pub writable: bool,
    /// As a sink it takes updates and deletes; if not, only insert-only input can go there.
    pub accepts_changes: bool,
}

/// The names of all connectors, sorted.
pub fn connector_names() -> Vec<&'static str> {
    let mut names: Vec<_> = CONNECTORS.iter().map(|c| c.name).collect();
    names.sort_unstable();
    names
}

/// What the connector of that name can do with a format; `None` if there is none of that name.
pub fn capabilities(connector: &str, format: Option<&str>) -> Option<Capabilities> {
    CONNECTORS.iter().find(|c| c.name == connector).map(|c| Capabilities {
        readable: c.source.is_some(),
        writable: c.sink.is_some(),
        accepts_changes: accepts_changes(c, format),
    })
}

fn accepts_changes(connector: &Connector, format: Option<&str>) -> bool {
    connector.accepts_changes || connector.formats_take_changes && format.is_some_and(is_changelog)
}

/// The type of a metadata column (`file.path`) of a connector, or `None` if it has no such column.
pub fn metadata_type(connector: &str, key: &str) -> Option<DataType> {
    let connector = CONNECTORS.iter().find(|c| c.name == connector)?;
    (connector.metadata)().into_iter().find(|(k, _)| *k == key).map(|(_, t)| t)
}

/// Checks a table's options without touching anything outside.
pub fn validate(spec: &TableSpec) -> Result<()> {
    let connector = find(spec)?;
    (connector.validate)(spec)
}

/// Opens a table for reading.
pub fn source(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Source>> {
    let connector = find(spec)?;
    (connector.validate)(spec)?;
    check_metadata(connector, spec)?;
    match (connector.source, &environment.given) {
        (Some(_), Some(given)) => given.source(spec),
        (Some(make), None) => make(&with_files(spec, environment)?, environment),
        (None, _) => Err(ConnectorError::new(format!("table '{}' cannot be read", spec.name))
            .detail(format!("the connector '{}' is for writing only", connector.name))),
    }
}

/// Opens a table to be asked for the rows of keys: physical columns, by position, and the types in
/// which their values will come. `None` where it is read whole instead.
pub fn lookup(
    spec: &TableSpec,
    keys: &[(usize, DataType)],
    environment: &Environment,
) -> Result<Option<Arc<dyn LookupTable>>> {
    let connector = find(spec)?;
    let (Some(make), None) = (connector.lookup, &environment.given) else { return Ok(None) };
    (connector.validate)(spec)?;
    make(&with_files(spec, environment)?, keys, environment)
}

/// Opens a table for writing.
pub fn sink(spec: &TableSpec, environment: &Environment) -> Result<Box<dyn Sink>> {
    let connector = find(spec)?;
    (connector.validate)(spec)?;
    let Some(make) = connector.sink else {
        return Err(ConnectorError::new(format!("table '{}' cannot be written", spec.name))
            .detail(format!("the connector '{}' is for reading only", connector.name)));
    };
    if spec.changelog.retracts && !accepts_changes(connector, spec.value_format()) {
        return Err(ConnectorError::new(format!(
            "table sink '{}' doesn't support consuming update and delete changes",
            spec.name
        ))
        .detail(format!("the connector '{}' can only append rows", connector.name))
        .hint("write a query whose rows are final, or use a sink that takes changes"));
    }
    make(&with_files(spec, environment)?, environment)
}

/// The table with the files that its formats need named as the environment has them.
fn with_files(spec: &TableSpec, environment: &Environment) -> Result<TableSpec> {
    let mut spec = spec.clone();
    for (name, value) in &mut spec.options {
        let inner = name.strip_prefix("key.").or(name.strip_prefix("value.")).unwrap_or(name);
        if FILE_OPTIONS.contains(&inner) {
            let location = Location::new(value, None, environment)?;
            *value = location.path.to_string_lossy().into_owned();
        }
    }
    Ok(spec)
}

fn find(spec: &TableSpec) -> Result<&'static Connector> {
    let name = Options::new(spec).required("connector")?;
    CONNECTORS.iter().find(|c| c.name == name).ok_or_else(|| {
        let names = connector_names();
        let error = ConnectorError::new(format!(
            "table '{}' asks for a connector '{name}' that does not exist",
            spec.name
        ))
        .detail(format!("known are {}", names.join(", ")));
        match nearest(name, &names) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error,
        }
    })
}

fn check_metadata(connector: &Connector, spec: &TableSpec) -> Result<()> {
    let known = (connector.metadata)();
    for (key, _) in &spec.metadata {
        if !known.iter().any(|(k, _)| k == key) {
            let names: Vec<_> = known.iter().map(|(k, _)| *k).collect();
            return Err(ConnectorError::new(format!(
                "table '{}' asks for the metadata column '{key}'",
                spec.name
            ))
            .detail(if names.is_empty() {
                format!("the connector '{}' has no metadata columns", connector.name)
            } else {
                format!("the connector '{}' has {}", connector.name, names.join(", "))
            }));
        }
    }
    Ok(())
}

/// For connectors without metadata columns.
pub(crate) fn no_metadata() -> Vec<(&'static str, DataType)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;

    fn spec(connector: &str) -> TableSpec {
        TableSpec::new("t", Arc::new(Schema::empty()), [("connector", connector)])
    }

    #[test]
    fn an_unknown_connector_names_its_neighbour() {
        let error = validate(&spec("prin")).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean 'print'?"));
        let none: [(&str, &str); 0] = [];
        let error = validate(&TableSpec::new("t", Arc::new(Schema::empty()), none)).unwrap_err();
        assert!(error.message.contains("needs the option 'connector'"));
    }

    #[test]
    fn a_sink_cannot_be_read() {
        let environment = Environment::new(".");
        let error = source(&spec("print"), &environment).err().unwrap();
        assert!(error.message.contains("cannot be read"), "{error}");
    }
}
