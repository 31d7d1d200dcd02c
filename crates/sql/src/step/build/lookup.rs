//! Tables that are asked for the rows of keys, instead of being read.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use rialto_engine::expr::{Expression, evaluate_mask, project, record_batch};
use rialto_engine::operator::lookup_join::LookupByKey;
use rialto_engine::source::Projection;
use rialto_engine::{CacheLimits, Delta, Lookup, LookupTable, NodeId};

use super::{Build, Layout};
use crate::catalog::{ColumnKind, TableDef};
use crate::error::{Result, SqlError};
use crate::planner::Planner;
use crate::step::lower::column_at;
use crate::step::{Role, StepNode, StepPlan};

/// What is done to the rows of a table before they are joined.
#[derive(Debug)]
enum Stage {
    Select(Vec<usize>, SchemaRef),
    Filter(Expression),
    Project(Projection),
}

impl Stage {
    fn apply(&self, batch: RecordBatch) -> rialto_engine::Result<RecordBatch> {
        match self {
            Self::Select(columns, schema) => {
                let picked = columns.iter().map(|&c| Arc::clone(batch.column(c))).collect();
                record_batch(schema, picked, batch.num_rows())
            }
            Self::Filter(condition) => {
                let mask = evaluate_mask(condition, &batch)?;
                Ok(Delta::insert_only(batch).filter(&mask)?.batch().clone())
            }
            Self::Project(Projection { expressions, schema }) => {
                project(expressions, schema, &batch)
            }
        }
    }
}

/// A connector's table as the query sees it.
#[derive(Debug)]
pub(super) struct Asked {
    table: Arc<dyn LookupTable>,
    /// Which keys of the join it is asked for; the others are compared here.
    keys: Vec<usize>,
    stages: Arc<Vec<Stage>>,
}

impl LookupTable for Asked {
    fn cache(&self) -> Option<CacheLimits> {
        self.table.cache()
    }

    fn open(&self) -> rialto_engine::Result<Box<dyn Lookup>> {
        let (lookup, keys) = (self.table.open()?, self.keys.clone());
        Ok(Box::new(Asking { lookup, keys, stages: Arc::clone(&self.stages) }))
    }
}

struct Asking {
    lookup: Box<dyn Lookup>,
    keys: Vec<usize>,
    stages: Arc<Vec<Stage>>,
}

impl Lookup for Asking {
    fn find(&mut self, keys: &[ArrayRef]) -> rialto_engine::Result<RecordBatch> {
        let keys: Vec<ArrayRef> = self.keys.iter().map(|&k| Arc::clone(&keys[k])).collect();
        let found = self.lookup.find(&keys)?;
        self.stages.iter().try_fold(found, |batch, stage| stage.apply(batch))
    }
}

/// A scan, and what stands above it.
struct Chain<'p> {
    table: &'p TableDef,
    columns: &'p [usize],
    /// From the scan upwards.
    above: Vec<&'p StepPlan>,
}

impl<'p> Chain<'p> {
    /// None where there is more than a scan and what can be done to each row by itself.
    fn of(mut plan: &'p StepPlan) -> Option<Self> {
        let mut above = Vec::new();
        loop {
            match &plan.node {
                StepNode::Scan { table, columns } => {
                    above.reverse();
                    return Some(Self { table, columns, above });
                }
                StepNode::Exchange(_) => {}
                StepNode::Select(_) | StepNode::FilterProject { .. } => above.push(plan),
                _ => return None,
            }
            plan = &plan.inputs[0];
        }
    }

    /// The physical column, by position among them, that a column of the top is.
    fn physical(&self, top: usize) -> Option<usize> {
        let mut column = top;
        for plan in self.above.iter().rev() {
            column = match &plan.node {
                StepNode::Select(columns) => columns[column],
                StepNode::FilterProject { projection: Some(all), .. } => column_at(&all[column])?,
                _ => column,
            };
        }
        let at = self.columns[column];
        let is_physical = |at: usize| matches!(self.table.columns[at].kind, ColumnKind::Physical);
        is_physical(at).then(|| (0..at).filter(|&c| is_physical(c)).count())
    }

    /// What is done to the rows above the scan.
    fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        for plan in &self.above {
            let schema = Arc::clone(&plan.schema);
            match &plan.node {
                StepNode::Select(columns) => stages.push(Stage::Select(columns.clone(), schema)),
                StepNode::FilterProject { condition, projection } => {
                    stages.extend(condition.clone().map(Stage::Filter));
                    let projection = projection.clone();
                    stages.extend(
                        projection
                            .map(|expressions| Stage::Project(Projection { expressions, schema })),
                    );
                }
                _ => {}
            }
        }
        stages
    }
}

impl Build<'_> {
    /// The table of a lookup join, where it is one that is asked.
    pub(super) fn asked(&self, plan: &StepPlan) -> Result<Option<Asked>> {
        let StepNode::LookupJoin { spec, columns, place } = &plan.node else { return Ok(None) };
        let right = &plan.inputs[1];
        let Some(chain) = Chain::of(right) else { return Ok(None) };
        let (mut keys, mut asked_for) = (Vec::new(), Vec::new());
        for (at, column) in columns.iter().enumerate() {
            if let Some(physical) = column.and_then(|column| chain.physical(column)) {
                let data_type = right.schema.field(spec.table_keys[at]).data_type();
                asked_for.push((physical, data_type.clone()));
                keys.push(at);
            }
        }
        let layout = Layout::new(chain.table, chain.columns)?;
        let table = self.connect.lookup(&layout.scan, &asked_for);
        let table = table.map_err(|error| error.with_span(*place))?;
        let Some(table) = table else { return Ok(None) };
        if keys.is_empty() {
            let name = &chain.table.path.object;
            return Err(SqlError::new(format!("no key is left by which '{name}' could be asked"))
                .with_detail(
                    "rows are asked for by columns of the table, compared by = as they are",
                )
                .with_hint("compare a column of it, or read it whole: 'lookup.cache' = 'FULL'")
                .with_span(*place));
        }
        let mut stages = Vec::new();
        let input = layout.input(&Planner::new(self.session))?;
        stages.extend(input.projection.map(Stage::Project));
        if layout.columns.len() > chain.columns.len() {
            // The column of a watermark that nobody reads comes last.
            let fields = chain.columns.iter().map(|&at| layout.field(at));
            let schema = arrow::datatypes::Schema::new(fields.collect::<Result<Vec<_>>>()?);
            stages.push(Stage::Select((0..chain.columns.len()).collect(), Arc::new(schema)));
        }
        stages.extend(chain.stages());
        Ok(Some(Asked { table, keys, stages: Arc::new(stages) }))
    }

    /// The node of a lookup join whose table is asked.
    pub(super) fn lookup_by_key(
        &mut self,
        plan: &StepPlan,
        inputs: Vec<NodeId>,
        table: Asked,
    ) -> Result<NodeId> {
        let StepNode::LookupJoin { spec, .. } = &plan.node else {
            return Err(SqlError::not_supported("a lookup of something else"));
        };
        let (spec, probe) = (spec.clone(), &plan.inputs[0].traits);
        let told_apart = |at: &usize| probe.roles.get(*at) != Some(&Role::Proctime);
        let columns = 0..spec.probe_schema.fields().len();
        let known_by = (!probe.insert_only).then(|| columns.filter(told_apart).collect::<Vec<_>>());
        let route = known_by.as_ref().and_then(|known_by| {
            let place = |key: &usize| known_by.iter().position(|column| column == key);
            spec.probe_keys.iter().map(place).collect::<Option<Vec<usize>>>()
        });
        let node = self.circuit.operator(plan.node.name(), inputs, move || {
            Ok(Box::new(LookupByKey::new(&spec, &table, known_by.as_deref())?))
        });
        if let Some(route) = route {
            self.circuit.route(node, route);
        }
        Ok(node)
    }
}
