//! The batch answer: DataFusion's own SQL over the rows that are there.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::data::{Contents, Table};

/// Answers queries as batches.
pub struct Referee {
    executor: tokio::runtime::Runtime,
    context: SessionContext,
}

/// A query that is planned once and answered over whatever its tables hold by then.
pub struct Prepared<'a> {
    referee: &'a Referee,
    plan: LogicalPlan,
    memory: Vec<Arc<MemTable>>,
}

impl Referee {
    pub fn new() -> Self {
        let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let config = SessionConfig::new()
            .with_target_partitions(1)
            .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
            // Sorting the branches of a union apart makes plans that DataFusion itself refuses:
            // columns that are equal in one branch are not in another.
            .set_bool("datafusion.optimizer.repartition_sorts", false)
            // It holds a computed column for one that is never null, plans it as one that may be,
            // and refuses its own plan for the difference.
            .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true);
        let state = SessionStateBuilder::new_with_default_features().with_config(config);
        // It would count one distinct constant in an empty table.
        let rules = PhysicalOptimizer::new().rules.into_iter();
        let rules = rules.filter(|rule| rule.name() != "aggregate_statistics").collect();
        let state = state.with_physical_optimizer_rules(rules).build();
        let context = SessionContext::new_with_state(state);
        Self { executor, context }
    }

    pub fn prepare(&self, tables: &[Table], sql: &str) -> Result<Prepared<'_>, String> {
        let mut memory = Vec::with_capacity(tables.len());
        for table in tables {
            let empty = MemTable::try_new(table.schema(), vec![vec![]]).unwrap();
            let table_ref = Arc::new(empty);
            self.context.deregister_table(table.name.as_str()).unwrap();
            self.context.register_table(table.name.as_str(), table_ref.clone()).unwrap();
            memory.push(table_ref);
        }
        let plan = self.executor.block_on(async {
            let (state, plan) = self.context.sql(sql).await?.into_parts();
            state.optimize(&plan)
        });
        let plan = plan.map_err(|e| format!("the referee cannot plan it: {e}"))?;
        Ok(Prepared { referee: self, plan, memory })
    }
}

impl Prepared<'_> {
    /// The rows of the answer as text, sorted.
    pub fn answer(&self, tables: &[Table], contents: &Contents) -> Result<Vec<String>, String> {
        let state = self.referee.context.state();
        let answer = self.referee.executor.block_on(async {
            for (at, table) in tables.iter().enumerate() {
                let batch = table.batch(contents.rows(at).into_iter());
                *self.memory[at].batches[0].write().await = vec![batch];
            }
            let plan = state.query_planner().create_physical_plan(&self.plan, &state).await?;
            collect(plan, state.task_ctx()).await
        });
        let batches = answer.map_err(|e| format!("the referee failed: {e}"))?;
        let mut rows: Vec<String> = batches.iter().flat_map(text_rows).collect();
        rows.sort();
        Ok(rows)
    }
}

/// The rows of a batch as text.
pub fn text_rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Timestamp(..) => {
                cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None)).unwrap()
            }
            _ => Arc::clone(column),
        })
        .collect();
    let formats: Vec<_> = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    let cell = |at: usize, row: usize| match columns[at].data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if columns[at].is_valid(row) => {
            format!("'{}'", formats[at].value(row))
        }
        _ => formats[at].value(row).to_string(),
    };
    let row = |row| (0..columns.len()).map(|c| cell(c, row)).collect::<Vec<_>>().join(", ");
    (0..batch.num_rows()).map(row).collect()
}
