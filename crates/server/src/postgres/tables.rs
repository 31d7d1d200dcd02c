//! The views of a snapshot as tables, and PostgreSQL's catalogue of them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider, TableProvider,
};
use datafusion::common::ScalarValue;
use datafusion::config::Dialect;
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::setup_pg_catalog;
use futures_util::stream;
use rialto_runtime::serving::{Serving, Snapshot};

/// The database that all views are in.
pub const DATABASE: &str = "rialto";
/// The schema.
pub const SCHEMA: &str = "public";
/// What clients are told of the server's version: they ask for no more than it has.
pub const VERSION: &str = "16.6";
/// What all statements together may hold while they compute.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Rows that are decoded at once.
const BATCH_ROWS: usize = 4096;

/// What all statements have in common.
pub struct Base {
    serving: Arc<Serving>,
    context: SessionContext,
    catalogue: Arc<dyn SchemaProvider>,
}

impl Base {
    /// For the views of a job.
    pub fn new(serving: Arc<Serving>) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(DATABASE, SCHEMA)
            .with_information_schema(true)
            .with_target_partitions(1);
        config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(MEMORY_BYTES_MAX, 1.0)
            .with_disk_manager_builder(disk)
            .build_arc()?;
        let context = SessionContext::new_with_config_rt(config, runtime);
        let views = Views { serving: Arc::clone(&serving), snapshot: None };
        let database = Arc::new(MemoryCatalogProvider::new());
        database.register_schema(SCHEMA, Arc::new(views))?;
        context.register_catalog(DATABASE, database.clone());
        setup_pg_catalog(&context, DATABASE, EmptyContextProvider).map_err(|e| *e)?;
        let version = move |_: &[ColumnarValue]| {
            let text = format!(
                "PostgreSQL {VERSION} (Rialto {}: views, read only)",
                env!("CARGO_PKG_VERSION")
            );
            Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))))
        };
        let version =
            create_udf("version", vec![], DataType::Utf8, Volatility::Stable, Arc::new(version));
        context.register_udf(version);
        let catalogue = database.schema("pg_catalog");
        let catalogue =
            catalogue.ok_or_else(|| DataFusionError::Internal("there is no catalogue".into()))?;
        Ok(Self { serving, context, catalogue })
    }

    /// For one statement: every table is of the same snapshot.
    pub fn at_one_step(&self) -> Result<SessionContext> {
        let snapshot = self.serving.snapshot(None);
        let snapshot = snapshot.map_err(|e| DataFusionError::Execution(e.to_string()))?;
        let serving = Arc::clone(&self.serving);
        let views = Views { serving, snapshot: Some(snapshot) };
        let database = Arc::new(MemoryCatalogProvider::new());
        database.register_schema(SCHEMA, Arc::new(views))?;
        database.register_schema("pg_catalog", Arc::clone(&self.catalogue))?;
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        catalogs.register_catalog(DATABASE.into(), database);
        let state = SessionStateBuilder::new_from_existing(self.context.state())
            .with_catalog_list(catalogs)
            .build();
        Ok(SessionContext::new_with_state(state))
    }
}

/// The views as a schema: of a snapshot, or, for the catalogue, without one.
#[derive(Debug)]
struct Views {
    serving: Arc<Serving>,
    snapshot: Option<Arc<Snapshot>>,
}

#[async_trait]
impl SchemaProvider for Views {
    fn table_names(&self) -> Vec<String> {
        self.serving.shapes().iter().map(|shape| shape.name().to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Ok(view) = self.serving.view(name) else { return Ok(None) };
        let part = View {
            serving: Arc::clone(&self.serving),
            snapshot: self.snapshot.clone(),
            view,
            schema: Arc::clone(self.serving.shapes()[view].schema()),
        };
        let table = StreamingTable::try_new(Arc::clone(&part.schema), vec![Arc::new(part)])?;
        Ok(Some(Arc::new(table)))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.serving.view(name).is_ok()
    }
}

/// The rows of a view.
#[derive(Debug)]
struct View {
    serving: Arc<Serving>,
    snapshot: Option<Arc<Snapshot>>,
    view: usize,
    schema: SchemaRef,
}

impl PartitionStream for View {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let snapshot = match &self.snapshot {
            Some(snapshot) => Ok(Arc::clone(snapshot)),
            None => self.serving.snapshot(None),
        };
        let rows = snapshot.map(|snapshot| self.serving.scan(&snapshot, self.view));
        let rows = rows.map_err(|e| DataFusionError::Execution(e.to_string()));
        let batches = stream::unfold(Some(rows), |rows| async move {
            let mut rows = match rows? {
                Ok(rows) => rows,
                Err(error) => return Some((Err(error), None)),
            };
            match rows.next(BATCH_ROWS) {
                Ok(Some(batch)) => Some((Ok(batch), Some(Ok(rows)))),
                Ok(None) => None,
                Err(error) => Some((Err(DataFusionError::Execution(error.to_string())), None)),
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
