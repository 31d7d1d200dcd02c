//! What DataFusion's logical plan does not know: windows and lateral arrays; set operations that
//! count, versions and patterns have files of their own.

use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion_common::{DFSchema, DFSchemaRef, Result, plan_err};
use datafusion_expr::{Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use rialto_engine::LocalZone;
use rialto_engine::operator::window_assign::{Windows, window_schema};

pub use super::set_all::SetAllNode;

/// Which windows a window table function makes, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// `TUMBLE`, `HOP`, `CUMULATE`: a function of the row's time.
    Aligned(Windows),
    /// `SESSION`: rows closer than the gap belong together.
    Session {
        /// The gap.
        gap: i64,
    },
}

/// A window table function over `input`: adds `window_start`, `window_end` and `window_time`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WindowNode {
    /// The rows.
    pub input: LogicalPlan,
    /// The time column; always a plain column.
    pub time: Expr,
    /// `PARTITION BY` columns of a session.
    pub partition: Vec<Expr>,
    /// Which windows.
    pub kind: WindowKind,
    /// The zone in whose local time they are cut.
    pub zone: LocalZone,
    schema: DFSchemaRef,
}

impl WindowNode {
    /// The node; the time must be a column of the input with a timestamp type. Times of
    /// `TIMESTAMP_LTZ` are cut in `zone`, those of `TIMESTAMP` as they are.
    pub fn try_new(
        input: LogicalPlan,
        time: Expr,
        partition: Vec<Expr>,
        kind: WindowKind,
        zone: LocalZone,
    ) -> Result<Self> {
        let Expr::Column(column) = &time else {
            return plan_err!("the DESCRIPTOR of a window must name a column");
        };
        let at = input.schema().index_of_column(column)?;
        let arrow = Arc::new(input.schema().as_arrow().clone());
        let zone = match arrow.field(at).data_type() {
            DataType::Timestamp(_, Some(_)) => zone,
            _ => LocalZone::UTC,
        };
        let with_window = window_schema(&arrow, at)
            .map_err(|e| datafusion_common::DataFusionError::Plan(e.to_string()))?;
        let added: Vec<_> = with_window.fields()[arrow.fields().len()..].to_vec();
        let mut fields: Vec<_> =
            input.schema().iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        fields.extend(added.into_iter().map(|f| (None, f)));
        let schema = DFSchema::new_with_metadata(fields, arrow.metadata().clone())?;
        Ok(Self { input, time, partition, kind, zone, schema: Arc::new(schema) })
    }

    /// As a logical plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "Window"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let mut all = vec![self.time.clone()];
        all.extend(self.partition.iter().cloned());
        all
    }

    /// A condition on the rows themselves may go below a window that is a function of the row; not
    /// one on the window's own columns, and nothing below a session, which other rows shape.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let all = self.schema.fields().iter().map(|f| f.name().clone());
        match self.kind {
            WindowKind::Session { .. } => all.collect(),
            WindowKind::Aligned(_) => all.filter(|n| n.starts_with("window_")).collect(),
        }
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window: time={}, {:?}", self.time, self.kind)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut exprs = exprs.into_iter();
        match (inputs.into_iter().next(), exprs.next()) {
            (Some(input), Some(time)) => {
                Self::try_new(input, time, exprs.collect(), self.kind, self.zone)
            }
            _ => plan_err!("a window needs an input and a time column"),
        }
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        let mut needed: Vec<usize> = output.iter().copied().filter(|&i| i < width).collect();
        for expr in self.expressions() {
            if let Expr::Column(column) = expr {
                needed.push(self.input.schema().index_of_column(&column).ok()?);
            }
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

/// A column of arrays, maps or multisets, a row for each element, beside the row that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnnestNode {
    /// The rows.
    pub input: LogicalPlan,
    /// The collection.
    pub collection: Expr,
    /// Whether a row without elements stays, padded with nulls.
    pub outer: bool,
    /// Whether the last column is the element's position.
    pub ordinality: bool,
    schema: DFSchemaRef,
}

impl UnnestNode {
    /// The node; `elements` are the columns that an element becomes.
    pub fn try_new(
        input: LogicalPlan,
        collection: Expr,
        outer: bool,
        ordinality: bool,
        elements: &DFSchemaRef,
    ) -> Result<Self> {
        let mut fields: Vec<_> =
            input.schema().iter().map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        // The names are the query's; the types are those of the collection as it is now typed.
        let types = element_types(&collection.get_type(input.schema())?);
        for (at, (qualifier, field)) in elements.iter().enumerate() {
            let field = match types.get(at) {
                Some(t) => Arc::new(field.as_ref().clone().with_data_type(t.clone())),
                None => Arc::clone(field),
            };
            fields.push((qualifier.cloned(), field));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { input, collection, outer, ordinality, schema })
    }

    /// The columns of the elements.
    pub fn elements(&self) -> Schema {
        let width = self.input.schema().fields().len();
        Schema::new(self.schema.fields()[width..].to_vec())
    }

    /// As a logical plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

/// The types of the columns that an element of a collection becomes.
fn element_types(collection: &DataType) -> Vec<DataType> {
    let fields = |data_type: &DataType| match data_type {
        DataType::Struct(fields) => fields.iter().map(|f| f.data_type().clone()).collect(),
        other => vec![other.clone()],
    };
    match collection {
        DataType::List(item) | DataType::LargeList(item) => fields(item.data_type()),
        DataType::Map(entries, _) => fields(entries.data_type()),
        _ => Vec::new(),
    }
}

impl Hash for UnnestNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.collection.hash(state);
        (self.outer, self.ordinality).hash(state);
    }
}

impl UserDefinedLogicalNodeCore for UnnestNode {
    fn name(&self) -> &str {
        "Unnest"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.collection.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unnest: {}", self.collection)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let width = self.input.schema().fields().len();
        let elements: Vec<_> =
            self.schema.iter().skip(width).map(|(q, f)| (q.cloned(), Arc::clone(f))).collect();
        let elements = Arc::new(DFSchema::new_with_metadata(elements, Default::default())?);
        match (inputs.into_iter().next(), exprs.into_iter().next()) {
            (Some(input), Some(collection)) => {
                Self::try_new(input, collection, self.outer, self.ordinality, &elements)
            }
            _ => plan_err!("UNNEST needs an input and a collection"),
        }
    }
}

/// An array in a `FROM` clause before it is joined with the rows that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnnestLeaf {
    /// The collection, over the columns of the join's left side.
    pub collection: Expr,
    /// Whether the last column is the element's position.
    pub ordinality: bool,
    /// The columns of an element.
    pub schema: DFSchemaRef,
}

impl UserDefinedLogicalNodeCore for UnnestLeaf {
    fn name(&self) -> &str {
        "UnnestLeaf"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.collection.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnnestLeaf: {}", self.collection)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        match exprs.into_iter().next() {
            Some(collection) => Ok(Self { collection, ..self.clone() }),
            None => plan_err!("UNNEST needs a collection"),
        }
    }
}

// Plans have no order that means anything; DataFusion asks for one all the same.
macro_rules! no_order {
    ($($node:ty),*) => {$(
        impl PartialOrd for $node {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                (self == other).then_some(std::cmp::Ordering::Equal)
            }
        }
    )*};
}
pub(in crate::planner) use no_order;
no_order!(WindowNode, UnnestNode, UnnestLeaf);
