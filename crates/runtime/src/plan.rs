//! What a job shall do, planned but not started.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use rialto_connectors::{Changelog, Environment};
use rialto_engine::operator::Emission;
use rialto_sql::catalog::{ObjectPath, Relation, TableDef, ViewDef};
use rialto_sql::error::SqlError;
use rialto_sql::parser::{Insert, QueryText};
use rialto_sql::planner::{Planner, Session};
use rialto_sql::step::{
    Identities, Lowering, Order, Query, StateTtl, StepNode, StepPlan, build, explain, steps,
};

use crate::checkpoint::{Outline, Step};
use crate::connect::{Connectors, sink, sink_schema};
use crate::delivery::Outlet;
use crate::job::Job;
use crate::letters::Letters;
use crate::output::{JobOutput, Target};
use crate::view::View;

type Result<T> = std::result::Result<T, SqlError>;

/// The outputs of a job, each with its step plan.
#[derive(Debug, Default)]
pub struct JobPlan {
    outputs: Vec<PlannedOutput>,
}

#[derive(Debug)]
struct PlannedOutput {
    name: String,
    plan: Arc<StepPlan>,
    order: Order,
    /// The columns to show.
    columns: SchemaRef,
    /// The table to write to; none: a view or query, which the observer takes.
    table: Option<TableDef>,
}

impl JobPlan {
    /// Adds a query whose changes the observer takes.
    pub fn add_query(&mut self, session: &Session, query: &QueryText) -> Result<()> {
        let mut lowering = lowering(session, Emission::Updates)?;
        let logical = Planner::new(session).plan(query)?;
        lowering.ttl = state_ttl(session, query)?;
        lowering.statement = Some("in the query".into());
        lowering.ttl.check(&logical).map_err(|e| located(e, query))?;
        let Query { plan, order, columns } =
            lowering.query(&logical).map_err(|e| located(e, query))?;
        self.outputs.push(PlannedOutput {
            name: "query".into(),
            plan,
            order,
            columns,
            table: None,
        });
        Ok(())
    }

    /// Adds a materialized view.
    pub fn add_view(&mut self, session: &Session, view: &ViewDef) -> Result<()> {
        let lowering = lowering(session, Emission::Updates)?;
        let plan = lowering.views.get(&view.path).cloned();
        let plan = plan.ok_or_else(|| SqlError::new("the view is not in the catalog"))?;
        let name = view.path.object.clone();
        let columns = Arc::new(Schema::new(
            Planner::new(session)
                .columns_of_view(view)?
                .into_iter()
                .map(|(name, data_type)| data_type.to_field(&name).with_nullable(true))
                .collect::<Vec<_>>(),
        ));
        let order = Order::new();
        self.outputs.push(PlannedOutput { name, plan, order, columns, table: None });
        Ok(())
    }

    /// Adds an insert.
    pub fn add_insert(&mut self, session: &Session, insert: &Insert) -> Result<()> {
        let mut table = session.catalog.table(&insert.target)?.clone();
        for option in insert.hints.iter() {
            table.options.set(option.key.clone(), option.value.clone(), option.span);
        }
        // An append-only sink waits for what is final; one with a key takes updates.
        let emission = match table.key_columns() {
            [] => Emission::Final,
            _ => Emission::Updates,
        };
        let logical = Planner::new(session).plan_insert(insert, &table, &sink_schema(&table))?;
        let mut lowering = lowering(session, emission)?;
        lowering.ttl = state_ttl(session, &insert.source)?;
        lowering.statement = Some(format!("in INSERT INTO {}", table.path.object));
        lowering.ttl.check(&logical).map_err(|e| located(e, &insert.source))?;
        let plan = lowering.lower(&logical).map_err(|e| located(e, &insert.source))?;
        check_sink(&table, &plan)?;
        let name = table.path.object.clone();
        let (order, columns) = (Order::new(), Arc::clone(&plan.schema));
        let output = PlannedOutput { name, plan, order, columns, table: Some(table) };
        self.outputs.push(output);
        Ok(())
    }

    /// The columns of an output that are shown, with the types that were declared; the plan may
    /// have further ones behind them, to order by.
    pub fn columns(&self, output: usize) -> &SchemaRef {
        &self.outputs[output].columns
    }

    /// An empty view of an output's rows, for an observer to keep.
    pub fn view(&self, output: usize) -> rialto_engine::Result<View> {
        let planned = &self.outputs[output];
        Ok(View::new(Arc::clone(&planned.plan.schema))?.showing(Arc::clone(&planned.columns)))
    }

    /// The names of the outputs, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|output| output.name.as_str())
    }

    /// Keeps the outputs of these names; the observer takes those of tables as well.
    pub fn observe_only(&mut self, wanted: impl Fn(&str) -> bool) {
        self.outputs.retain(|output| wanted(&output.name));
        self.outputs.iter_mut().for_each(|output| output.table = None);
    }

    /// How many outputs there are.
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// The order in which an output is shown.
    pub fn order(&self, output: usize) -> &Order {
        &self.outputs[output].order
    }

    /// The step plan of each output.
    pub fn plan(&self, output: usize) -> &Arc<StepPlan> {
        &self.outputs[output].plan
    }

    /// The step plans as `EXPLAIN` shows them.
    pub fn explain(&self) -> String {
        self.outputs.iter().map(|o| explain(&o.plan)).collect::<Vec<_>>().join("\n")
    }

    /// The names of the tables that are read.
    pub fn tables_read(&self) -> BTreeSet<String> {
        let all = self.outputs.iter().flat_map(|output| steps(&output.plan));
        let name = |step: Arc<StepPlan>| match &step.node {
            StepNode::Scan { table, .. } => Some(table.path.object.clone()),
            _ => None,
        };
        all.filter_map(name).collect()
    }

    /// What the outputs are, to compare with those of an earlier run.
    pub fn outline(&self) -> Vec<Outline> {
        let mut identities = Identities::default();
        let mut outline = |output: &PlannedOutput| Outline {
            name: output.name.clone(),
            insert: output.table.is_some(),
            identity: identities.of(&output.plan),
            steps: steps(&output.plan)
                .iter()
                .map(|step| Step { name: step.node.name().into(), identity: identities.of(step) })
                .collect(),
        };
        self.outputs.iter().map(&mut outline).collect()
    }

    /// Opens sources and sinks and builds the circuit. Of a job that is kept, what the sources
    /// refuse goes to its letters, and what is sent again is taken from there; its outputs are of
    /// the generations that are given.
    pub fn start(
        &self,
        session: &Session,
        environment: &Environment,
        shards: usize,
        kept: Option<(&Letters, &[u32])>,
    ) -> Result<Job> {
        let (letters, generations) = kept.unzip();
        let generations = generations.unwrap_or_default();
        let plans: Vec<Arc<StepPlan>> = self.outputs.iter().map(|o| Arc::clone(&o.plan)).collect();
        let connectors = Connectors { environment, letters };
        let (circuit, ids) = build(&plans, generations, session, &connectors)?;
        let mut outputs = Vec::with_capacity(ids.len());
        let mut identities = Identities::default();
        for (at, (planned, output)) in self.outputs.iter().zip(ids).enumerate() {
            let target = match &planned.table {
                Some(table) => {
                    let changelog = changelog(table, &planned.plan);
                    let sink = sink(table, changelog, environment)?;
                    Target::Sink(Outlet::new(&planned.name, sink)?)
                }
                None => Target::Observer,
            };
            let discards = planned.table.as_ref().and_then(|t| t.options.get("connector"));
            outputs.push(JobOutput {
                name: planned.name.clone(),
                output: Some(output),
                identity: identities.of(&planned.plan),
                generation: generations.get(at).copied().unwrap_or(0),
                schema: Arc::clone(&planned.plan.schema),
                consolidate: discards != Some("blackhole"),
                target,
            });
        }
        let mut job = Job::start(&circuit, shards, outputs, session.settings.clock.clone())?;
        if let Some(letters) = letters {
            job.keep_letters(letters.clone())?;
        }
        Ok(job)
    }
}

fn located(error: SqlError, query: &QueryText) -> SqlError {
    if error.span.is_some() { error } else { error.with_span(query.span) }
}

fn changelog(table: &TableDef, plan: &StepPlan) -> Changelog {
    let schema = sink_schema(table);
    let declared: Vec<usize> =
        table.key_columns().iter().filter_map(|k| schema.index_of(k).ok()).collect();
    let upsert_key = match declared.as_slice() {
        [] => plan.traits.key.clone(),
        _ => Some(declared),
    };
    Changelog { retracts: !plan.traits.insert_only, upsert_key }
}

/// Flink refuses to send changes to a sink that can only append; so do we.
fn check_sink(table: &TableDef, plan: &StepPlan) -> Result<()> {
    let connector = table.options.get("connector").unwrap_or_default();
    let format = table.options.get("format").or_else(|| table.options.get("value.format"));
    let capabilities = rialto_connectors::capabilities(connector, format);
    let accepts = capabilities.is_none_or(|c| c.accepts_changes);
    if plan.traits.insert_only || accepts {
        return Ok(());
    }
    let mut producer = plan;
    while let Some(input) = producer.inputs.iter().find(|i| !i.traits.insert_only) {
        producer = input;
    }
    Err(SqlError::new(format!(
        "table sink '{}' doesn't support consuming update and delete changes, which are produced \
         by {}",
        table.path,
        producer.node.name()
    ))
    .with_detail(format!("the connector '{connector}' can only append rows"))
    .with_hint(
        "aggregate over windows that end, or write to a sink that takes changes (files do with \
         'format' = 'debezium-json')",
    ))
}

/// A lowering that knows every materialized view of the catalog.
fn lowering(session: &Session, emission: Emission) -> Result<Lowering> {
    let mut views: HashMap<ObjectPath, Arc<StepPlan>> = HashMap::new();
    let mut waiting: Vec<&ViewDef> = Vec::new();
    for relation in session.catalog.relations(None)? {
        if let Relation::View(view) = relation
            && view.materialized
        {
            waiting.push(view);
        }
    }
    // A view may read others: whatever can be lowered is, until nothing is left.
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut failed = None;
        let mut left = Vec::new();
        for view in waiting {
            let ttl = state_ttl(session, &view.query)?;
            let lowering = Lowering {
                emission: Emission::Updates,
                views: views.clone(),
                ttl,
                statement: Some(format!("in view {}", view.path.object)),
            };
            let planner = Planner::new(session);
            let lower =
                |logical| lowering.ttl.check(&logical).and_then(|()| lowering.lower(&logical));
            match planner.plan_view(view).and_then(lower) {
                Ok(plan) => drop(views.insert(view.path.clone(), plan)),
                Err(error) => {
                    failed.get_or_insert(error);
                    left.push(view);
                }
            }
        }
        waiting = left;
        if let (true, Some(error)) = (waiting.len() == before, failed) {
            return Err(error);
        }
    }
    Ok(Lowering { emission, views, ..Lowering::default() })
}

/// How long a query's state is kept, by the session and by the query's hints.
fn state_ttl(session: &Session, query: &QueryText) -> Result<StateTtl> {
    let default = match session.config.get(STATE_TTL) {
        Some(text) => state_ttl_ms(text)?,
        None => 0,
    };
    StateTtl::new(default).hinted(&query.hints, |text| state_ttl_ms(text).ok())
}

/// A time to live in milliseconds, as it is written in a setting.
pub(crate) fn state_ttl_ms(text: &str) -> Result<i64> {
    let duration = rialto_connectors::options::parse_duration(text.trim());
    duration.and_then(|d| i64::try_from(d.as_millis()).ok()).ok_or_else(|| {
        SqlError::new(format!("'{text}' is not a duration"))
            .with_hint(format!("write SET '{STATE_TTL}' = '12 h'; '0 ms' keeps state for ever"))
    })
}

/// The setting that says how long state is kept.
pub(crate) const STATE_TTL: &str = "table.exec.state.ttl";

#[cfg(test)]
mod tests {
    use rialto_engine::operator::join::Retention;

    use super::*;
    use crate::{Runtime, RuntimeOptions};

    fn planned(sql: &str) -> Result<JobPlan> {
        let options = RuntimeOptions { shards: 1 };
        let mut runtime = Runtime::new(Environment::new("."), options);
        let mut plan = JobPlan::default();
        for statement in rialto_sql::parser::parse(sql)? {
            runtime.plan(&statement, &mut plan)?;
        }
        Ok(plan)
    }

    /// The times to live of a plan's nodes, inputs first.
    fn ttls(plan: &StepPlan, found: &mut Vec<[Option<i64>; 2]>) {
        plan.inputs.iter().for_each(|input| ttls(input, found));
        match &plan.node {
            StepNode::Aggregate(spec) => found.push([spec.ttl_ms, None]),
            StepNode::TopN(spec) => found.push([spec.ttl_ms, None]),
            StepNode::Join(spec) => found.push(match spec.retention {
                Some(Retention::Ttl { left_ms, right_ms }) => [left_ms, right_ms],
                _ => [None, None],
            }),
            _ => {}
        }
    }

    const TABLES: &str = "CREATE TABLE a (k INT, v INT) WITH ('connector' = 'datagen');\
        CREATE TABLE b (k INT, w INT) WITH ('connector' = 'datagen', 'rialto.state.ttl' = '5 s');";

    fn ttls_of(sql: &str) -> Vec<[Option<i64>; 2]> {
        let plan = planned(&format!("{TABLES}{sql}")).unwrap();
        let mut found = Vec::new();
        ttls(plan.plan(0), &mut found);
        found
    }

    #[test]
    fn a_time_to_live_comes_from_the_hint_the_table_or_the_session() {
        let join = "SELECT a.k, v, w FROM a JOIN b ON a.k = b.k";
        assert_eq!(ttls_of(join), [[None, Some(5_000)]]);
        let session = "SET 'table.exec.state.ttl' = '1 min';";
        assert_eq!(ttls_of(&format!("{session}{join}")), [[Some(60_000), Some(5_000)]]);
        let hinted = join.replace("SELECT", "SELECT /*+ STATE_TTL('a' = '2 h', 'b' = '0 s') */");
        assert_eq!(ttls_of(&format!("{session}{hinted}")), [[Some(7_200_000), None]]);
        let group = "SELECT x.k, COUNT(*) FROM b AS x WHERE w > 1 GROUP BY x.k";
        assert_eq!(ttls_of(group), [[Some(5_000), None]]);
        let best = "SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) \
             AS n FROM a) AS t WHERE n = 1";
        assert_eq!(ttls_of(best), [[None, None]]);
        assert_eq!(ttls_of(&format!("{session}{best}")), [[Some(60_000), None]]);
    }

    #[test]
    fn a_hint_must_name_an_input() {
        let error = planned(&format!(
            "{TABLES}SELECT /*+ STATE_TTL('c' = '1 h') */ k, COUNT(*) FROM a GROUP BY k"
        ));
        assert!(error.unwrap_err().to_string().contains("names 'c'"));
    }

    #[test]
    fn planner_and_connectors_agree_on_which_formats_have_changes() {
        for format in ["csv", "json", "raw", "parquet", "debezium-json"] {
            let plan = planned(&format!(
                "CREATE TABLE t (line STRING) WITH ('connector' = 'filesystem', 'path' = 'x', \
                 'format' = '{format}'); SELECT * FROM t"
            ));
            let insert_only = plan.unwrap().plan(0).traits.insert_only;
            assert_eq!(insert_only, !rialto_connectors::format::is_changelog(format), "{format}");
        }
    }
}
