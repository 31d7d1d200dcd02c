//! A circuit from step plans. What several outputs share is built once.

mod lookup;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::DFSchema;
use rialto_engine::operator::aggregate::{Aggregate, Combine};
use rialto_engine::operator::clock_time::ClockTime;
use rialto_engine::operator::consolidate::Consolidate;
use rialto_engine::operator::filter_project::{FilterProject, SelectColumns};
use rialto_engine::operator::first_row::FirstRow;
use rialto_engine::operator::join::Join;
use rialto_engine::operator::lookup_join::LookupJoin;
use rialto_engine::operator::match_recognize::MatchRecognize;
use rialto_engine::operator::over::Over;
use rialto_engine::operator::session::SessionWindow;
use rialto_engine::operator::set_operation::SetOperation;
use rialto_engine::operator::temporal_join::TemporalJoin;
use rialto_engine::operator::top_n::TopN;
use rialto_engine::operator::union::Union;
use rialto_engine::operator::unnest::Unnest;
use rialto_engine::operator::values::Values;
use rialto_engine::operator::window_assign::WindowAssign;
use rialto_engine::source::{Projection, SourceInput, WatermarkStrategy};
use rialto_engine::{
    Circuit, CircuitBuilder, Delta, EngineError, LookupTable, NodeId, OutputId, Source,
};

use crate::catalog::{ColumnKind, ObjectPath, TableDef};
use crate::error::{Result, SqlError};
use crate::planner::{Planner, Session};

use super::identity::{Identities, saying};
use super::{StepNode, StepPlan};

/// What the plan reads of a table, for the connector that opens it.
#[derive(Debug, Clone)]
pub struct ScanTable<'a> {
    /// The table, with its options.
    pub table: &'a TableDef,
    /// All its physical columns.
    pub physical: SchemaRef,
    /// Which of them are needed, in order.
    pub projection: Vec<usize>,
    /// The metadata columns that are needed: the connector's key and the column; they follow.
    pub metadata: Vec<(String, Field)>,
}

/// Opens tables. The runtime implements it with the connectors.
pub trait Connect {
    /// Opens a table for reading.
    fn source(&self, scan: &ScanTable<'_>) -> Result<Box<dyn Source>>;

    /// Opens a table to be asked for the rows of keys, each a physical column (by position) and the
    /// type in which its values come; none where it is one that is read whole.
    fn lookup(
        &self,
        _scan: &ScanTable<'_>,
        _keys: &[(usize, DataType)],
    ) -> Result<Option<Arc<dyn LookupTable>>> {
        Ok(None)
    }
}

/// A circuit with an output for each plan, in order.
///
/// Plans share what they have in common within a *generation*; those of another one read their
/// tables for themselves. So a part of a job that was changed can begin anew beside the part that
/// goes on. `generations` has one for each plan; plans behind its end are of generation 0.
pub fn build(
    plans: &[Arc<StepPlan>],
    generations: &[u32],
    session: &Session,
    connect: &dyn Connect,
) -> Result<(Circuit, Vec<OutputId>)> {
    let of = |at: usize| generations.get(at).copied().unwrap_or(0);
    let mut build = Build::new(session, connect);
    let mut outputs = vec![None; plans.len()];
    for generation in (0..plans.len()).map(of).collect::<BTreeSet<u32>>() {
        build.begin(generation);
        let mine = || plans.iter().enumerate().filter(|(at, _)| of(*at) == generation);
        mine().for_each(|(_, plan)| build.collect(plan));
        for (at, plan) in mine() {
            let node = build.node(plan)?;
            outputs[at] = Some(build.circuit.output("output", node));
        }
    }
    Ok((build.circuit.build(), outputs.into_iter().flatten().collect()))
}

/// Scans of one table with the same options share a source.
type ScanKey = (ObjectPath, Vec<(String, String)>);

struct Build<'a> {
    session: &'a Session,
    connect: &'a dyn Connect,
    circuit: CircuitBuilder,
    identities: Identities,
    /// What the identities of this generation begin with.
    prefix: String,
    /// The columns of each table that some plan reads.
    scans: HashMap<ScanKey, Vec<usize>>,
    /// The node of each source, and the columns that it gives.
    sources: HashMap<ScanKey, (NodeId, Vec<usize>)>,
    /// Sources that do not end by themselves.
    unbounded: HashSet<ScanKey>,
    /// Plans that have been built, by address.
    nodes: HashMap<*const StepPlan, NodeId>,
    /// The same by what they do to what: two branches of a query that say the same share a node.
    equal: HashMap<String, NodeId>,
}

fn scan_key(table: &TableDef) -> ScanKey {
    let options = table.options.iter().map(|o| (o.key.clone(), o.value.clone())).collect();
    (table.path.clone(), options)
}

impl<'a> Build<'a> {
    fn new(session: &'a Session, connect: &'a dyn Connect) -> Self {
        Self {
            session,
            connect,
            circuit: CircuitBuilder::new(),
            identities: Identities::default(),
            prefix: String::new(),
            scans: HashMap::new(),
            sources: HashMap::new(),
            unbounded: HashSet::new(),
            nodes: HashMap::new(),
            equal: HashMap::new(),
        }
    }

    /// From here on nothing is shared with what was built before.
    fn begin(&mut self, generation: u32) {
        self.prefix = match generation {
            0 => String::new(),
            generation => format!("{generation}/"),
        };
        self.scans.clear();
        self.sources.clear();
        self.nodes.clear();
        self.equal.clear();
    }

    fn collect(&mut self, plan: &StepPlan) {
        if let StepNode::Scan { table, columns } = &plan.node {
            let all = self.scans.entry(scan_key(table)).or_default();
            for &column in columns {
                if !all.contains(&column) {
                    all.push(column);
                }
            }
            all.sort_unstable();
        }
        plan.inputs.iter().for_each(|input| self.collect(input));
    }

    fn node(&mut self, plan: &Arc<StepPlan>) -> Result<NodeId> {
        if let Some(&node) = self.nodes.get(&Arc::as_ptr(plan)) {
            return Ok(node);
        }
        let asked = self.asked(plan)?;
        // A table that is asked is not read.
        let read = &plan.inputs[..if asked.is_some() { 1 } else { plan.inputs.len() }];
        let inputs = read.iter().map(|i| self.node(i)).collect::<Result<Vec<NodeId>>>()?;
        let mut saying = format!("{} {inputs:?}", saying(plan));
        let mut identity = self.identities.of(plan);
        if asked.is_some() {
            saying += &format!(" asks {}", self.identities.of(&plan.inputs[1]));
            identity += "-asks";
        }
        let node = match (self.equal.get(&saying), asked) {
            (Some(&node), _) => node,
            (None, Some(table)) => self.lookup_by_key(plan, inputs, table)?,
            (None, None) => self.operator(plan, inputs)?,
        };
        self.circuit.identify(node, format!("{}{identity}", self.prefix));
        self.equal.insert(saying, node);
        self.nodes.insert(Arc::as_ptr(plan), node);
        Ok(node)
    }

    fn operator(&mut self, plan: &Arc<StepPlan>, inputs: Vec<NodeId>) -> Result<NodeId> {
        let name = plan.node.name();
        let schema = Arc::clone(&plan.schema);
        Ok(match &plan.node {
            StepNode::Scan { table, columns } => self.scan(table, columns, schema)?,
            StepNode::Values(batch) => {
                let rows = Delta::insert_only(batch.clone());
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(Values { rows: Some(rows.clone()) }))
                })
            }
            StepNode::FilterProject { condition, projection } => {
                let projection =
                    projection.clone().map(|expressions| Projection { expressions, schema });
                let operator = FilterProject { condition: condition.clone(), projection };
                self.circuit.operator(name, inputs, move || Ok(Box::new(operator.clone())))
            }
            StepNode::Select(columns) => {
                let operator = SelectColumns { columns: columns.clone(), schema };
                self.circuit.operator(name, inputs, move || Ok(Box::new(operator.clone())))
            }
            StepNode::Exchange(partitioning) => {
                self.circuit.exchange(inputs[0], partitioning.clone())
            }
            StepNode::WindowAssign { time, windows, zone } => {
                let input = Arc::clone(&plan.inputs[0].schema);
                let (time, windows, zone) = (*time, *windows, *zone);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(WindowAssign::new(&input, time, windows, zone)?))
                })
            }
            StepNode::ClockTime => self.circuit.operator(name, inputs, || Ok(Box::new(ClockTime))),
            StepNode::Combine(spec) => {
                let spec = spec.clone();
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(Combine::new(spec.as_ref().clone())?))
                })
            }
            StepNode::Join(_) | StepNode::TemporalJoin(_) | StepNode::LookupJoin { .. } => {
                self.join(plan, inputs)?
            }
            StepNode::Aggregate(_)
            | StepNode::TopN(_)
            | StepNode::FirstRow(_)
            | StepNode::SetOperation(_)
            | StepNode::Over(_)
            | StepNode::MatchRecognize(_)
            | StepNode::Session(_) => self.keyed(plan, inputs)?,
            StepNode::Unnest(spec) => {
                let spec = spec.clone();
                let input = Arc::clone(&plan.inputs[0].schema);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(Unnest::new(&input, spec.as_ref().clone())?))
                })
            }
            StepNode::Union => self.circuit.operator(name, inputs, move || {
                Ok(Box::new(Union { schema: Arc::clone(&schema) }))
            }),
            StepNode::Consolidate => self.circuit.operator(name, inputs, move || {
                Ok(Box::new(Consolidate { schema: Arc::clone(&schema) }))
            }),
        })
    }

    /// Operators that keep something for each key, and by which columns of it they are spread.
    fn keyed(&mut self, plan: &StepPlan, inputs: Vec<NodeId>) -> Result<NodeId> {
        let node = self.keyed_operator(plan, inputs)?;
        let none = Vec::new();
        let key = match &plan.node {
            StepNode::Aggregate(spec) => &spec.keys,
            StepNode::TopN(spec) => &spec.partition,
            StepNode::FirstRow(spec) => &spec.partition,
            StepNode::Over(spec) => &spec.partition,
            StepNode::MatchRecognize(spec) => &spec.partition,
            StepNode::Session(spec) => &spec.partition,
            _ => &none,
        };
        if let Some(by) = plan.inputs[0].traits.partitioning.as_ref().filter(|by| *by != key) {
            let places = by.iter().map(|c| key.iter().position(|k| k == c));
            if let Some(route) = places.collect::<Option<Vec<usize>>>() {
                self.circuit.route(node, route);
            }
        }
        Ok(node)
    }

    fn keyed_operator(&mut self, plan: &StepPlan, inputs: Vec<NodeId>) -> Result<NodeId> {
        let (name, schema) = (plan.node.name(), Arc::clone(&plan.schema));
        Ok(match &plan.node {
            StepNode::Aggregate(spec) => {
                let spec = spec.clone();
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(Aggregate::new(spec.as_ref().clone())?))
                })
            }
            StepNode::TopN(spec) => {
                let spec = spec.clone();
                let input = Arc::clone(&plan.inputs[0].schema);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(TopN::new(&input, spec.as_ref().clone())?))
                })
            }
            StepNode::FirstRow(spec) => {
                let spec = spec.clone();
                let input = Arc::clone(&plan.inputs[0].schema);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(FirstRow::new(&input, spec.clone())?))
                })
            }
            StepNode::SetOperation(rule) => {
                let rule = *rule;
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(SetOperation::new(rule, Arc::clone(&schema))?))
                })
            }
            StepNode::Over(spec) => {
                let spec = spec.clone();
                let input = Arc::clone(&plan.inputs[0].schema);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(Over::new(&input, spec.as_ref().clone())?))
                })
            }
            StepNode::MatchRecognize(spec) => {
                let spec = spec.clone();
                let input = Arc::clone(&plan.inputs[0].schema);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(MatchRecognize::new(&input, spec.as_ref().clone())?))
                })
            }
            StepNode::Session(spec) => {
                let spec = spec.clone();
                let input = Arc::clone(&plan.inputs[0].schema);
                self.circuit.operator(name, inputs, move || {
                    Ok(Box::new(SessionWindow::new(&input, spec.clone())?))
                })
            }
            _ => return Err(SqlError::not_supported(format!("{name} by key"))),
        })
    }

    fn join(&mut self, plan: &StepPlan, inputs: Vec<NodeId>) -> Result<NodeId> {
        let name = plan.node.name();
        Ok(match &plan.node {
            StepNode::TemporalJoin(spec) => {
                let spec = spec.clone();
                self.circuit.operator(name, inputs, move || Ok(Box::new(TemporalJoin::new(&spec)?)))
            }
            StepNode::LookupJoin { spec, place, .. } => {
                self.check_ends(&plan.inputs[1]).map_err(|error| error.with_span(*place))?;
                let spec = spec.clone();
                self.circuit.operator(name, inputs, move || Ok(Box::new(LookupJoin::new(&spec)?)))
            }
            StepNode::Join(spec) => {
                let spec = spec.clone();
                self.circuit.operator(name, inputs, move || Ok(Box::new(Join::new(&spec)?)))
            }
            _ => return Err(SqlError::not_supported(format!("{name} as a join"))),
        })
    }

    /// A table's source, and the columns of this scan out of all that are read of it.
    fn scan(&mut self, table: &TableDef, columns: &[usize], schema: SchemaRef) -> Result<NodeId> {
        let key = scan_key(table);
        let all = self.scans.get(&key).cloned().unwrap_or_else(|| columns.to_vec());
        let (node, all) = match self.sources.get(&key) {
            Some(found) => found.clone(),
            None => {
                let made = self.source(table, &all)?;
                self.sources.insert(key, made.clone());
                made
            }
        };
        if all == columns {
            return Ok(node);
        }
        let columns: Vec<usize> =
            columns.iter().filter_map(|c| all.iter().position(|a| a == c)).collect();
        let operator = SelectColumns { columns, schema };
        Ok(self.circuit.operator("Select", vec![node], move || Ok(Box::new(operator.clone()))))
    }

    /// Refuses to look rows up in what never ends; its sources are open.
    fn check_ends(&self, plan: &StepPlan) -> Result<()> {
        if let StepNode::Scan { table, .. } = &plan.node
            && self.unbounded.contains(&scan_key(table))
        {
            let message = format!("the table '{}' never ends", table.path.object);
            return Err(SqlError::new(message)
                .with_detail(
                    "a join FOR SYSTEM_TIME AS OF a processing time first reads its table whole",
                )
                .with_hint(
                    "read a bounded table, such as files without 'source.monitor-interval', or \
                     join as of an event time",
                ));
        }
        plan.inputs.iter().try_for_each(|input| self.check_ends(input))
    }

    /// Opens a table so that it gives `columns` of its declaration (in order), and its watermark;
    /// answers which columns it gives: the watermark's may be one more.
    fn source(&mut self, table: &TableDef, columns: &[usize]) -> Result<(NodeId, Vec<usize>)> {
        let planner = Planner::new(self.session);
        let layout = Layout::new(table, columns)?;
        let source = self.connect.source(&layout.scan)?;
        if !source.is_bounded() {
            self.unbounded.insert(scan_key(table));
        }
        let input = layout.input(&planner)?;
        let node = self.circuit.source(table.path.object.clone(), source, input);
        // Which columns are read is no part of it: a position is one in all of them.
        let mut hasher = DefaultHasher::new();
        table.show_create().hash(&mut hasher);
        self.circuit.identify_source(node, format!("{}{:016x}", self.prefix, hasher.finish()));
        Ok((node, layout.columns))
    }
}

/// How a table's declared columns come from what its connector reads.
struct Layout<'a> {
    scan: ScanTable<'a>,
    columns: Vec<usize>,
    /// What the connector produces: physical and metadata columns by name.
    read: DFSchema,
}

impl<'a> Layout<'a> {
    fn new(table: &'a TableDef, columns: &[usize]) -> Result<Self> {
        // The watermark is computed whether its column is read or not.
        let mut columns = columns.to_vec();
        if let Some(watermark) = &table.watermark
            && let Some(at) = table.columns.iter().position(|c| c.name == watermark.column)
            && !columns.contains(&at)
        {
            columns.push(at);
        }
        let mut needed: Vec<usize> = Vec::new();
        for &at in &columns {
            needs(table, at, &mut needed);
        }
        if let Some(watermark) = &table.watermark {
            for name in column_names(&watermark.expression.expr) {
                if let Some(at) = table.columns.iter().position(|c| c.name == name) {
                    needs(table, at, &mut needed);
                }
            }
        }
        let mut physical = Vec::new();
        let mut projection = Vec::new();
        let mut metadata = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let Some(data_type) = &column.data_type else { continue };
            let wanted = needed.contains(&at);
            match &column.kind {
                ColumnKind::Physical => {
                    if wanted {
                        projection.push(physical.len());
                    }
                    physical.push(data_type.to_field(&column.name).with_nullable(true));
                }
                ColumnKind::Metadata { key, .. } if wanted => {
                    let key = key.clone().unwrap_or_else(|| column.name.clone());
                    let field = data_type.to_field(&column.name).with_nullable(true);
                    metadata.push((key, field));
                }
                ColumnKind::Metadata { .. } | ColumnKind::Computed(_) => {}
            }
        }
        let mut fields: Vec<Field> = projection.iter().map(|&p| physical[p].clone()).collect();
        fields.extend(metadata.iter().map(|(_, field)| field.clone()));
        let name = datafusion_common::TableReference::bare(table.path.object.clone());
        let read = DFSchema::try_from_qualified_schema(name, &Schema::new(fields))?;
        let physical = Arc::new(Schema::new(physical));
        Ok(Self { scan: ScanTable { table, physical, projection, metadata }, columns, read })
    }

    /// Computed columns and the watermark over what the connector reads.
    fn input(&self, planner: &Planner<'_>) -> Result<SourceInput> {
        let mut expressions = Vec::with_capacity(self.columns.len());
        let mut fields = Vec::with_capacity(self.columns.len());
        for &at in &self.columns {
            let expr = self.expr(at, planner)?;
            expressions.push(super::lower::bind(&expr, &self.read)?);
            fields.push(self.field(at)?);
        }
        let schema = Arc::new(Schema::new(fields));
        let watermark = self.watermark(&schema, planner)?;
        Ok(SourceInput { projection: Some(Projection { expressions, schema }), watermark })
    }

    /// A declared column as the circuit has it.
    fn field(&self, at: usize) -> Result<Field> {
        let column = &self.scan.table.columns[at];
        let data_type = column.data_type.as_ref().ok_or_else(|| {
            SqlError::new(format!("the type of column '{}' is not known", column.name))
        })?;
        Ok(Field::new(&column.name, data_type.to_arrow(), true))
    }

    /// A declared column as an expression over what is read.
    fn expr(&self, at: usize, planner: &Planner<'_>) -> Result<datafusion_expr::Expr> {
        let table = self.scan.table;
        let column = &table.columns[at];
        match &column.kind {
            ColumnKind::Computed(text) => planner.computed(table, text, &self.read),
            _ => {
                let name = datafusion_common::Column::new_unqualified(&column.name);
                Ok(datafusion_expr::Expr::Column(name))
            }
        }
    }

    fn watermark(
        &self,
        schema: &SchemaRef,
        planner: &Planner<'_>,
    ) -> Result<Option<WatermarkStrategy>> {
        let table = self.scan.table;
        let Some(watermark) = &table.watermark else { return Ok(None) };
        let name = datafusion_common::TableReference::bare(table.path.object.clone());
        let columns = DFSchema::try_from_qualified_schema(name, schema)?;
        // The watermark may be over any declared column; those that are not read are not there.
        let expr = planner.expression(&watermark.expression, &columns)?;
        let column = schema
            .index_of(&watermark.column)
            .map_err(|_| SqlError::new(format!("there is no column '{}'", watermark.column)))?;
        let duration = |key: &str| -> Result<Option<i64>> {
            match table.options.get(key) {
                Some(text) => super::lower::duration_ms(key, text).map(Some),
                None => Ok(None),
            }
        };
        let global = self.session_idle(planner)?;
        Ok(Some(WatermarkStrategy {
            column,
            expression: super::lower::bind(&expr, &columns)?,
            idle_timeout_ms: duration("scan.watermark.idle-timeout")?.or(global),
            ahead_max_ms: duration("rialto.watermark.max-ahead")?,
            drift_max_ms: duration("scan.watermark.alignment.max-drift")?,
            null_fails: table.options.get("rialto.on-error") == Some("fail"),
        }))
    }

    fn session_idle(&self, planner: &Planner<'_>) -> Result<Option<i64>> {
        let key = "table.exec.source.idle-timeout";
        match planner.config(key) {
            Some(text) => Ok(Some(super::lower::duration_ms(key, text)?).filter(|&ms| ms > 0)),
            None => Ok(None),
        }
    }
}

/// Adds a declared column, and what it is computed from, to the columns that are needed. What is
/// there already is not looked at again: a column may have the name of a field that it is computed
/// from (`at AS bid.at`), which looks as if it were computed from itself.
fn needs(table: &TableDef, at: usize, needed: &mut Vec<usize>) {
    if needed.contains(&at) {
        return;
    }
    needed.push(at);
    if let ColumnKind::Computed(text) = &table.columns[at].kind {
        for name in column_names(&text.expr) {
            if let Some(at) = table.columns.iter().position(|c| c.name == name) {
                needs(table, at, needed);
            }
        }
    }
}

/// The names of columns in an expression; a superset is harmless.
fn column_names(expr: &sqlparser::ast::Expr) -> Vec<String> {
    use std::ops::ControlFlow;
    let mut names = Vec::new();
    let _ = sqlparser::ast::visit_expressions(expr, |e| {
        match e {
            sqlparser::ast::Expr::Identifier(name) => names.push(name.value.clone()),
            sqlparser::ast::Expr::CompoundIdentifier(parts) => {
                names.extend(parts.iter().map(|p| p.value.clone()));
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

impl From<EngineError> for SqlError {
    fn from(error: EngineError) -> Self {
        SqlError::new(error.to_string())
    }
}
