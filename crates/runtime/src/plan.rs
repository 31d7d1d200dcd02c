//! What a job shall do, planned but not started.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use rialto_connectors::{Changelog, Environment};
use rialto_engine::operator::Emission;
use rialto_sql::catalog::{ObjectPath, Relation, TableDef, ViewDef};
use rialto_sql::error::SqlError;
use rialto_sql::parser::{Insert, QueryText};
use rialto_sql::planner::{Planner, Reads, Session};
use rialto_sql::step::{
    Identities, Lowering, Order, Query, StateTtl, StepNode, StepPlan, build, explain,
    explain_watermark, steps,
};

use crate::checkpoint::{Outline, Step};
use crate::connect::{Connectors, sink, sink_schema};
use crate::delivery::Outlet;
use crate::job::Job;
use crate::letters::{Letters, Retention};
use crate::output::{JobOutput, Target};
use crate::view::View;

type Result<T> = std::result::Result<T, SqlError>;

/// The outputs of a job, each with its step plan.
#[derive(Debug, Default)]
pub struct JobPlan {
    outputs: Vec<PlannedOutput>,
    lowered: Lowered,
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
        let mut lowering = self.lowered.lowering(session, Emission::Updates)?;
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
        let lowering = self.lowered.lowering(session, Emission::Updates)?;
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
        let mut lowering = self.lowered.lowering(session, emission)?;
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

    /// The columns of an output of which no two rows have equal values: those that a materialized
    /// view declares, or else those that the planner knows.
    pub fn key(&self, output: usize, session: &Session) -> Option<Vec<usize>> {
        let planned = &self.outputs[output];
        let relations = session.catalog.relations(None).unwrap_or_default();
        let declared = relations.into_iter().find_map(|relation| match relation {
            Relation::View(view) if view.path.object == planned.name => view.primary_key.as_ref(),
            _ => None,
        });
        let position = |name: &String| planned.columns.index_of(name).ok();
        let declared = declared.and_then(|key| key.columns.iter().map(position).collect());
        let width = planned.columns.fields().len();
        let known = || planned.plan.traits.key.clone();
        declared.or_else(known).filter(|key: &Vec<usize>| key.iter().all(|&c| c < width))
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

    /// For each output the path of its watermark, as `EXPLAIN WATERMARK` shows it.
    pub fn explain_watermark(&self, session: &Session) -> String {
        let idle = session.config.get(IDLE_TIMEOUT).map(String::as_str);
        let one = |output: &PlannedOutput| {
            let kind = match (&output.table, output.name.as_str()) {
                (Some(_), name) => format!("INSERT INTO {name}"),
                (None, "query") => "query".into(),
                (None, name) => format!("view {name}"),
            };
            format!("== {kind} ==\n{}", explain_watermark(&output.plan, idle))
        };
        self.outputs.iter().map(one).collect::<Vec<_>>().join("\n")
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
        shards: Option<usize>,
        kept: Option<(&Letters, &[u32])>,
    ) -> Result<Job> {
        let (letters, generations) = kept.unzip();
        if let Some(letters) = letters {
            let setting = |key: &str| session.config.get(key).cloned();
            let (time, size) = (setting(LETTERS_TIME), setting(LETTERS_SIZE));
            letters.retain(Retention { time, size });
        }
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

/// The views of a session that have been lowered: the materialized ones, and those that are shared.
#[derive(Debug, Default)]
struct Lowered {
    /// A materialized view is corrected as rows arrive, whoever reads it. A shared one gives its
    /// rows when its reader wants them, so that there may be two of it.
    views: HashMap<Emission, HashMap<ObjectPath, Arc<StepPlan>>>,
    /// What each of them is made of.
    reads: HashMap<ObjectPath, Reads>,
    /// What was set when they were lowered.
    with: BTreeMap<String, String>,
}

impl Lowered {
    /// A lowering that knows every materialized or shared view of the catalog.
    fn lowering(&mut self, session: &Session, emission: Emission) -> Result<Lowering> {
        // What a view is shared for is what is planned from then on.
        let mut with = session.config.clone();
        with.retain(|key, _| !key.starts_with(Session::SHARE));
        if self.with != with {
            *self = Self { with, ..Self::default() };
        }
        self.reads.retain(|_, reads| reads.are_in(&session.catalog));
        let is_known = |path: &ObjectPath| self.reads.contains_key(path);
        self.views.values_mut().for_each(|plans| plans.retain(|path, _| is_known(path)));
        self.lower(session, Emission::Updates)?;
        if emission != Emission::Updates {
            self.lower(session, emission)?;
        }
        let views = self.views.get(&emission).cloned().unwrap_or_default();
        Ok(Lowering { emission, views, ..Lowering::default() })
    }

    /// Lowers what is not yet, for readers who want their rows at a certain time.
    fn lower(&mut self, session: &Session, emission: Emission) -> Result<()> {
        let mut views = self.views.remove(&emission).unwrap_or_default();
        let corrected = self.views.get(&Emission::Updates);
        let mut waiting: Vec<&ViewDef> = Vec::new();
        for relation in session.catalog.relations(None)? {
            if let Relation::View(view) = relation
                && session.is_shared(view)
                && !views.contains_key(&view.path)
            {
                match corrected.and_then(|plans| plans.get(&view.path)) {
                    Some(plan) if view.materialized => {
                        views.insert(view.path.clone(), Arc::clone(plan));
                    }
                    _ => waiting.push(view),
                }
            }
        }
        // A view may read others: whatever can be lowered is, until nothing is left.
        let planner = Planner::new(session);
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut failed = None;
            let mut left = Vec::new();
            for view in waiting {
                let lowering = Lowering {
                    emission,
                    views: views.clone(),
                    ttl: state_ttl(session, &view.query)?,
                    statement: Some(format!("in view {}", view.path.object)),
                };
                let below = planner.views_below(view)?;
                if !below.iter().all(|path| views.contains_key(path)) {
                    left.push(view);
                    continue;
                }
                let lower =
                    |logical| lowering.ttl.check(&logical).and_then(|()| lowering.lower(&logical));
                match planner.plan_view(view).and_then(lower) {
                    Ok(plan) => {
                        self.reads.insert(view.path.clone(), planner.reads(view)?);
                        views.insert(view.path.clone(), plan);
                    }
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
            waiting = left;
            if let Some(error) = failed {
                return Err(error);
            }
            if waiting.len() == before {
                return Err(SqlError::new("views read each other in a circle"));
            }
        }
        self.views.insert(emission, views);
        Ok(())
    }
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

/// The setting that says after how long a silent reader is left out.
const IDLE_TIMEOUT: &str = "table.exec.source.idle-timeout";

/// The settings that say how long dead letters are kept, and how much of them.
const LETTERS_TIME: &str = "rialto.dead-letters.retention.time";
const LETTERS_SIZE: &str = "rialto.dead-letters.retention.size";

/// Refuses a setting of the dead letters that is none.
pub(crate) fn check_letters_setting(key: &str, value: &str) -> Result<()> {
    let options = rialto_connectors::options::parse_duration;
    let (fits, example) = match key {
        LETTERS_TIME => (options(value.trim()).is_some(), "30 d"),
        LETTERS_SIZE => (rialto_connectors::options::parse_memory(value.trim()).is_some(), "1 gb"),
        _ => return Ok(()),
    };
    match fits {
        true => Ok(()),
        false => Err(SqlError::new(format!("'{value}' is not what '{key}' wants"))
            .with_hint(format!("write SET '{key}' = '{example}'"))),
    }
}

/// Refuses to share what is no view.
pub(crate) fn check_share_setting(session: &Session, key: &str, value: &str) -> Result<()> {
    let Some(name) = key.strip_prefix(Session::SHARE) else { return Ok(()) };
    let is_view = session
        .catalog
        .relations(None)?
        .iter()
        .any(|relation| matches!(relation, Relation::View(view) if view.path.object == name));
    if !is_view {
        return Err(SqlError::new(format!("there is no view '{name}' that could be shared"))
            .with_hint("create the view first, and write its name as it is there"));
    }
    if !matches!(value, "true" | "false") {
        return Err(SqlError::new(format!("'{value}' is not what '{key}' wants"))
            .with_hint(format!("write SET '{key}' = 'true'")));
    }
    Ok(())
}

/// The setting that says how long state is kept.
pub(crate) const STATE_TTL: &str = "table.exec.state.ttl";

#[cfg(test)]
mod tests {
    use rialto_engine::operator::join::Retention;

    use super::*;
    use crate::{Runtime, RuntimeOptions};

    fn planned(sql: &str) -> Result<JobPlan> {
        let options = RuntimeOptions { shards: Some(1) };
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

    /// How many steps keep first rows, over all outputs.
    fn first_rows(sql: &str) -> usize {
        let plan = planned(sql).unwrap();
        let mut found: Vec<Arc<StepPlan>> = Vec::new();
        for output in 0..plan.outputs.len() {
            for step in steps(plan.plan(output)) {
                let is_new = !found.iter().any(|known| Arc::ptr_eq(known, &step));
                if matches!(step.node, StepNode::FirstRow(_)) && is_new {
                    found.push(step);
                }
            }
        }
        found.len()
    }

    const ONCE: &str = "CREATE TABLE e (id INT, v INT, w INT, t TIMESTAMP(3), \
        WATERMARK FOR t AS t) WITH ('connector' = 'datagen');\
        CREATE VIEW once AS SELECT id, v, w, t FROM (SELECT *, ROW_NUMBER() OVER \
            (PARTITION BY id ORDER BY t) AS n FROM e) WHERE n = 1;";
    const READERS: &str = "CREATE MATERIALIZED VIEW x AS SELECT id, v FROM once;\
        CREATE MATERIALIZED VIEW y AS SELECT id, w FROM once WHERE w > 1;";

    #[test]
    fn a_shared_view_is_one_step_for_all_that_read_it() {
        assert_eq!(first_rows(&format!("{ONCE}{READERS}")), 2);
        let shared = format!("{ONCE} SET 'rialto.share.once' = 'true'; {READERS}");
        assert_eq!(first_rows(&shared), 1);
        // What is only appended to waits for what is final, and has a step of its own.
        let sink = "CREATE TABLE s (id INT) WITH ('connector' = 'blackhole');\
            INSERT INTO s SELECT id FROM once; INSERT INTO s SELECT w FROM once";
        assert_eq!(first_rows(&format!("{shared}{sink}")), 2);
        let unshared = format!("{ONCE} SET 'rialto.share.once' = 'false'; {READERS}");
        assert_eq!(first_rows(&unshared), 2);
    }

    #[test]
    fn only_a_view_that_is_there_can_be_shared() {
        let error = planned(&format!("{ONCE} SET 'rialto.share.onse' = 'true'")).unwrap_err();
        assert!(error.to_string().contains("there is no view 'onse'"), "{error}");
        let error = planned(&format!("{ONCE} SET 'rialto.share.once' = 'yes'")).unwrap_err();
        assert!(error.to_string().contains("'yes' is not what"), "{error}");
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
