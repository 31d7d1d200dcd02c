//! `MATCH_RECOGNIZE` as a node of the logical plan.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion_common::{Column, DFSchema, DFSchemaRef, Result, plan_err};
use datafusion_expr::{Expr, Extension, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore};
use rialto_engine::operator::match_recognize::{Pattern, Skip};

use crate::error::Span;

/// What an expression of a pattern asks of a match. `variable` is the position of a pattern
/// variable; without one all rows of the match are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MatchColumn {
    /// `LAST(A.x, offset)`.
    Last {
        /// The variable.
        variable: Option<usize>,
        /// The column of the input.
        column: Column,
        /// How many of the variable's rows before the last.
        offset: usize,
    },
    /// `FIRST(A.x, offset)`.
    First {
        /// The variable.
        variable: Option<usize>,
        /// The column of the input.
        column: Column,
        /// How many of the variable's rows after the first.
        offset: usize,
    },
    /// An aggregate over the variable's rows.
    Aggregate {
        /// The variable.
        variable: Option<usize>,
        /// The call, over the input's columns.
        call: Expr,
    },
    /// `MATCH_ROWTIME()`.
    Time,
}

/// A condition or a measure: an expression over a row of what it asks of the match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MatchTerm {
    /// What it asks, one column of `row` each.
    pub columns: Vec<MatchColumn>,
    /// The row that the expression is over.
    pub row: DFSchemaRef,
    /// The expression.
    pub expression: Expr,
}

/// The clauses of a `MATCH_RECOGNIZE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MatchClauses {
    /// `PARTITION BY`.
    pub partition: Vec<Column>,
    /// `ORDER BY`; every one is a column.
    pub order: Vec<SortExpr>,
    /// The variables of the pattern, in the order in which they stand there.
    pub variables: Vec<String>,
    /// `PATTERN`, with variables by position.
    pub pattern: Pattern,
    /// `DEFINE`: the condition of each variable, if it has one.
    pub define: Vec<Option<MatchTerm>>,
    /// `MEASURES`, with their output columns.
    pub measures: Vec<(MatchTerm, FieldRef)>,
    /// `AFTER MATCH SKIP`.
    pub skip: Skip,
    /// `WITHIN`, in milliseconds.
    pub within: Option<i64>,
    /// Where it stands in the query.
    pub place: Option<Span>,
}

/// Rows that follow a pattern, one row a match: the partition columns, then the measures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MatchNode {
    /// The rows.
    pub input: LogicalPlan,
    /// What is searched for.
    pub clauses: MatchClauses,
    schema: DFSchemaRef,
}

impl MatchNode {
    /// The node over an input whose columns the clauses speak of.
    pub fn try_new(input: LogicalPlan, clauses: MatchClauses) -> Result<Self> {
        let mut fields: Vec<FieldRef> = Vec::new();
        for column in &clauses.partition {
            fields.push(Arc::clone(input.schema().qualified_field_from_column(column)?.1));
        }
        fields.extend(clauses.measures.iter().map(|(_, field)| Arc::clone(field)));
        let fields = fields.into_iter().map(|field| (None, field)).collect();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { input, clauses, schema })
    }

    /// As a logical plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// All columns of the input that are read.
    fn read(&self) -> Vec<&Column> {
        let clauses = &self.clauses;
        let mut read: Vec<&Column> = clauses.partition.iter().collect();
        read.extend(clauses.order.iter().flat_map(|s| s.expr.column_refs()));
        let terms = clauses.define.iter().flatten();
        for column in terms.chain(clauses.measures.iter().map(|m| &m.0)).flat_map(|t| &t.columns) {
            match column {
                MatchColumn::Last { column, .. } | MatchColumn::First { column, .. } => {
                    read.push(column);
                }
                MatchColumn::Aggregate { call, .. } => read.extend(call.column_refs()),
                MatchColumn::Time => {}
            }
        }
        read
    }
}

impl UserDefinedLogicalNodeCore for MatchNode {
    fn name(&self) -> &str {
        "MatchRecognize"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        // Conditions and measures are over rows of a match, which no rule knows of.
        Vec::new()
    }

    /// A row that is left out would change what follows what.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MatchRecognize: variables=[{}]", self.clauses.variables.join(", "))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.into_iter().next() {
            Some(input) => Self::try_new(input, self.clauses.clone()),
            None => plan_err!("MATCH_RECOGNIZE needs an input"),
        }
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        let position = |c: &Column| self.input.schema().index_of_column(c).ok();
        let mut needed: Vec<usize> =
            self.read().into_iter().map(position).collect::<Option<_>>()?;
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

crate::planner::nodes::no_order!(MatchNode);
