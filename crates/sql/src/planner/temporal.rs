//! `JOIN t FOR SYSTEM_TIME AS OF time ON …`: the join and the version in it become one node.
//!
//! DataFusion plans a join whose right side is a [`VersionNode`]. Its rules may move conditions
//! into the sides of a join and change the order of joins; neither is right for a join as of a
//! time, so [`join_versions`] makes a [`TemporalJoinNode`] of it before any rule looks.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::tree_node::Transformed;
use datafusion_common::{Column, DFSchema, DFSchemaRef, Result, TableReference, internal_err};
use datafusion_expr::logical_plan::{Join, Projection, SubqueryAlias, build_join_schema};
use datafusion_expr::utils::conjunction;
use datafusion_expr::{Expr, Extension, JoinType, LogicalPlan, UserDefinedLogicalNodeCore, lit};

use super::context::{external, table_of};
use crate::catalog::Relation;
use crate::error::{Span, SqlError};

/// `t FOR SYSTEM_TIME AS OF time`: marks the right side of a join.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionNode {
    /// The versioned rows.
    pub input: LogicalPlan,
    /// The time as of which they are read, a column of the join's left side; none: `PROCTIME()`.
    pub as_of: Option<Column>,
    /// Where the time stands in the query.
    pub place: Option<Span>,
}

impl VersionNode {
    /// As a logical plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl UserDefinedLogicalNodeCore for VersionNode {
    fn name(&self) -> &str {
        "Version"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        // `as_of` belongs to the other side of the join: no rule may look at it here.
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version: as of {}", shown(self.as_of.as_ref()))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.into_iter().next() {
            Some(input) => Ok(Self { input, ..self.clone() }),
            None => internal_err!("a version needs an input"),
        }
    }
}

fn shown(as_of: Option<&Column>) -> String {
    as_of.map_or_else(|| "PROCTIME()".to_string(), ToString::to_string)
}

/// Rows joined with another table as it was, or is, at a time of each row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TemporalJoinNode {
    /// The rows.
    pub left: LogicalPlan,
    /// The table that is read as of their time.
    pub right: LogicalPlan,
    /// Whether a row of the left side without a match stays, padded with nulls.
    pub outer: bool,
    /// The condition, over the columns of both sides.
    pub condition: Expr,
    /// A column of the left side; none: the processing time.
    pub as_of: Option<Column>,
    /// Where the time stands in the query.
    pub place: Option<Span>,
    schema: DFSchemaRef,
}

impl TemporalJoinNode {
    fn try_new(
        (left, right): (LogicalPlan, LogicalPlan),
        outer: bool,
        condition: Expr,
        as_of: Option<Column>,
        place: Option<Span>,
    ) -> Result<Self> {
        let join_type = if outer { JoinType::Left } else { JoinType::Inner };
        let schema = Arc::new(build_join_schema(left.schema(), right.schema(), &join_type)?);
        // A rule that changes an expression may keep its old name as an alias.
        let condition = condition.unalias_nested().data;
        Ok(Self { left, right, outer, condition, as_of, place, schema })
    }

    /// As a logical plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// Whether a column of the right side is needed though nothing of the query reads it: what
    /// could be its time, and the key of a table. Of what is not a plain table all columns are.
    fn is_kept(&self, column: usize) -> bool {
        let mut plan = &self.right;
        while let LogicalPlan::SubqueryAlias(alias) = plan {
            plan = &alias.input;
        }
        let LogicalPlan::TableScan(scan) = plan else { return true };
        let Some(Relation::Table(table)) = table_of(&scan.source).map(|t| &t.relation) else {
            return true;
        };
        let field = self.right.schema().field(column);
        matches!(field.data_type(), DataType::Timestamp(..))
            || table.key_columns().contains(field.name())
    }
}

impl UserDefinedLogicalNodeCore for TemporalJoinNode {
    fn name(&self) -> &str {
        "TemporalJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let as_of = self.as_of.iter().cloned().map(Expr::Column);
        std::iter::once(self.condition.clone()).chain(as_of).collect()
    }

    /// A condition goes to neither side: fewer versions are other versions.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.fields().iter().map(|f| f.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.outer { "Left" } else { "Inner" };
        let as_of = shown(self.as_of.as_ref());
        write!(f, "{kind} TemporalJoin: as of {as_of}, on {}", self.condition)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (mut exprs, mut inputs) = (exprs.into_iter(), inputs.into_iter());
        let (Some(condition), Some(left), Some(right)) =
            (exprs.next(), inputs.next(), inputs.next())
        else {
            return internal_err!("a temporal join needs a condition and two inputs");
        };
        let as_of = match exprs.next() {
            None => None,
            Some(Expr::Column(column)) => Some(column),
            Some(other) => return internal_err!("a temporal join as of {other}"),
        };
        Self::try_new((left, right), self.outer, condition, as_of, self.place)
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let (left, right) = (self.left.schema(), self.right.schema());
        let width = left.fields().len();
        let mut needed: HashSet<usize> = output.iter().copied().collect();
        for expr in self.expressions() {
            for column in expr.column_refs() {
                needed.insert(self.schema.maybe_index_of_column(column)?);
            }
        }
        needed.extend((0..right.fields().len()).filter(|&c| self.is_kept(c)).map(|c| width + c));
        let mut sides = vec![Vec::new(), Vec::new()];
        for column in needed {
            match column.checked_sub(width) {
                None => sides[0].push(column),
                Some(column) => sides[1].push(column),
            }
        }
        sides.iter_mut().for_each(|side| side.sort_unstable());
        Some(sides)
    }
}

/// Makes one node of every join with a version.
pub(super) fn join_versions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let joined = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Join(join) => match without_version(&join.right)? {
            Some((right, version)) => Ok(Transformed::yes(temporal(join, right, &version)?)),
            None => Ok(Transformed::no(LogicalPlan::Join(join))),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok(joined.data)
}

fn temporal(join: Join, right: LogicalPlan, version: &VersionNode) -> Result<LogicalPlan> {
    let refused = |error: SqlError| external(error.with_span(version.place));
    let outer = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left => true,
        other => {
            let what =
                format!("{} JOIN with FOR SYSTEM_TIME AS OF", other.to_string().to_uppercase());
            let hint = "use JOIN or LEFT JOIN, with the versioned table on the right";
            return Err(refused(SqlError::not_supported(what).with_hint(hint)));
        }
    };
    let as_of = version.as_of.as_ref();
    let as_of = as_of.map(|c| time_column(c, join.left.schema())).transpose().map_err(refused)?;
    let equal = join.on.into_iter().map(|(left, right)| left.eq(right));
    let condition = conjunction(equal.chain(join.filter)).unwrap_or_else(|| lit(true));
    let sides = (Arc::unwrap_or_clone(join.left), right);
    let node = TemporalJoinNode::try_new(sides, outer, condition, as_of, version.place)?;
    Ok(node.into_plan())
}

/// The one column of the left side that is meant.
fn time_column(as_of: &Column, left: &DFSchema) -> Result<Column, SqlError> {
    let same = |(qualifier, field): &(Option<&TableReference>, &FieldRef)| {
        let table = as_of.relation.as_ref();
        *field.name() == as_of.name
            && table.is_none_or(|table| qualifier.is_some_and(|q| table.resolved_eq(q)))
    };
    match left.iter().filter(same).collect::<Vec<_>>().as_slice() {
        [(qualifier, field)] => Ok(Column::new(qualifier.cloned(), field.name())),
        [] => {
            let message = format!("the left side of the join has no column '{as_of}'");
            let hint = "FOR SYSTEM_TIME AS OF takes a time column of the left side";
            Err(SqlError::new(message).with_hint(hint))
        }
        _ => {
            let message = format!("the column '{as_of}' of the left side is ambiguous");
            Err(SqlError::new(message).with_hint("put the name of its table before it"))
        }
    }
}

/// What a version is of, under the aliases above it, and the version.
fn without_version(plan: &LogicalPlan) -> Result<Option<(LogicalPlan, VersionNode)>> {
    Ok(match plan {
        LogicalPlan::Extension(extension) => {
            let version = extension.node.as_any().downcast_ref::<VersionNode>();
            version.map(|version| (version.input.clone(), version.clone()))
        }
        LogicalPlan::SubqueryAlias(alias) => match without_version(&alias.input)? {
            Some((input, version)) => {
                let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
                Some((LogicalPlan::SubqueryAlias(alias), version))
            }
            None => None,
        },
        // The names of `AS t (a, b)`.
        LogicalPlan::Projection(p)
            if p.expr.iter().all(|e| matches!(e, Expr::Column(_) | Expr::Alias(_))) =>
        {
            match without_version(&p.input)? {
                Some((input, version)) => {
                    let renamed = Projection::try_new(p.expr.clone(), Arc::new(input))?;
                    Some((LogicalPlan::Projection(renamed), version))
                }
                None => None,
            }
        }
        _ => None,
    })
}

crate::planner::nodes::no_order!(VersionNode, TemporalJoinNode);
