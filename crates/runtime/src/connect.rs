//! Tables opened by the connectors.

use std::sync::Arc;

use rialto_connectors::{Changelog, ConnectorError, Environment, Ingest, TableSpec};
use rialto_engine::{LookupTable, Sink, Source};
use rialto_sql::catalog::{ColumnKind, TableDef};
use rialto_sql::error::SqlError;
use rialto_sql::step::{Connect, ScanTable};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::letters::Letters;

/// Opens tables within an environment.
pub(crate) struct Connectors<'a> {
    pub environment: &'a Environment,
    /// Where what the sources refuse is kept, if it is.
    pub letters: Option<&'a Letters>,
}

impl Connect for Connectors<'_> {
    fn source(&self, scan: &ScanTable<'_>) -> Result<Box<dyn Source>, SqlError> {
        let mut spec = spec(scan.table, Arc::clone(&scan.physical));
        spec.projection = Some(scan.projection.clone());
        spec.metadata = scan.metadata.clone();
        let source = rialto_connectors::source(&spec, self.environment);
        let source = source.map_err(|e| of_table(scan.table, e))?;
        Ok(match self.letters {
            Some(letters) => Box::new(letters.beside(&spec, source, self.environment)?),
            None => source,
        })
    }

    fn lookup(
        &self,
        scan: &ScanTable<'_>,
        keys: &[(usize, DataType)],
    ) -> Result<Option<Arc<dyn LookupTable>>, SqlError> {
        let mut spec = spec(scan.table, Arc::clone(&scan.physical));
        spec.projection = Some(scan.projection.clone());
        let table = rialto_connectors::lookup(&spec, keys, self.environment);
        table.map_err(|e| of_table(scan.table, e))
    }
}

/// Opens a table for writing.
pub(crate) fn sink(
    table: &TableDef,
    changelog: Changelog,
    environment: &Environment,
) -> Result<Box<dyn Sink>, SqlError> {
    let mut spec = spec(table, sink_schema(table));
    spec.changelog = changelog;
    spec.metadata = written_metadata(table);
    rialto_connectors::sink(&spec, environment).map_err(|e| of_table(table, e))
}

/// Opens a table that takes rows over HTTP. Unlike a reader it holds senders to `NOT NULL`.
pub(crate) fn ingest(table: &TableDef, environment: &Environment) -> Result<Ingest, SqlError> {
    let physical = table.columns.iter().filter(|c| matches!(c.kind, ColumnKind::Physical));
    let fields = physical.filter_map(|c| Some(c.data_type.as_ref()?.to_field(&c.name)));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ingest::open(&spec(table, schema), environment).map_err(|e| of_table(table, e))
}

/// An error that says which table cannot be opened: a job has many, and no place in a text.
fn of_table(table: &TableDef, error: ConnectorError) -> SqlError {
    let named = error.message.contains(&format!("'{}'", table.path.object));
    let mut error = sql_error(error);
    if !named {
        error.message = format!("table '{}': {}", table.path.object, error.message);
    }
    error
}

/// Checks a table's connector and options, without touching anything outside.
pub(crate) fn validate(table: &TableDef) -> Result<(), SqlError> {
    let mut spec = spec(table, sink_schema(table));
    spec.metadata = written_metadata(table);
    rialto_connectors::validate(&spec).map_err(sql_error)
}

/// Those columns of a sink's schema that are metadata: key and column.
fn written_metadata(table: &TableDef) -> Vec<(String, Field)> {
    let written = table.columns.iter().filter_map(|c| match &c.kind {
        ColumnKind::Metadata { key, is_virtual: false, .. } => {
            let field = c.data_type.as_ref()?.to_field(&c.name).with_nullable(true);
            Some((key.clone().unwrap_or_else(|| c.name.clone()), field))
        }
        _ => None,
    });
    written.collect()
}

/// The columns that are written: physical ones, and metadata that is not virtual.
pub(crate) fn sink_schema(table: &TableDef) -> SchemaRef {
    let written = table.columns.iter().filter(|c| match &c.kind {
        ColumnKind::Physical => true,
        ColumnKind::Metadata { is_virtual, .. } => !is_virtual,
        ColumnKind::Computed(_) => false,
    });
    let fields = written.filter_map(|c| {
        let data_type = c.data_type.as_ref()?;
        Some(data_type.to_field(&c.name).with_nullable(true))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn spec(table: &TableDef, schema: SchemaRef) -> TableSpec {
    let options = table.options.iter().map(|o| (o.key.clone(), o.value.clone()));
    let mut spec = TableSpec::new(table.path.object.clone(), schema, options);
    spec.primary_key = table.key_columns().to_vec();
    spec.rowtime = table.watermark.as_ref().map(|watermark| watermark.column.clone());
    spec.partition_keys = table.partitioned_by.clone();
    spec
}

/// A connector's error in the words of the dialect's.
pub(crate) fn sql_error(error: ConnectorError) -> SqlError {
    let mut sql = SqlError::new(error.message.clone());
    if let Some(detail) = &error.detail {
        sql = sql.with_detail(detail.clone());
    }
    if let Some(hint) = &error.hint {
        sql = sql.with_hint(hint.clone());
    }
    sql
}
