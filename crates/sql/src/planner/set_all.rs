//! `INTERSECT ALL` and `EXCEPT ALL`.
//!
//! DataFusion plans them as semi and anti joins, which do not count how often a row is on the
//! right:
//! `(x, x) EXCEPT ALL (x)` would be empty. Here such a join becomes a node of its own.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion_common::tree_node::Transformed;
use datafusion_common::{DFSchemaRef, NullEquality, Result, plan_err};
use datafusion_expr::logical_plan::{Distinct, Join};
use datafusion_expr::{Expr, Extension, JoinType, LogicalPlan, UserDefinedLogicalNodeCore};

/// Rows as often as they are in both inputs, or more often in the left one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetAllNode {
    /// The rows.
    pub left: LogicalPlan,
    /// What they are compared with, in columns of the same types.
    pub right: LogicalPlan,
    /// `EXCEPT ALL`; otherwise `INTERSECT ALL`.
    pub except: bool,
}

impl PartialOrd for SetAllNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for SetAllNode {
    fn name(&self) -> &str {
        if self.except { "ExceptAll" } else { "IntersectAll" }
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.left.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut inputs = inputs.into_iter();
        match (inputs.next(), inputs.next()) {
            (Some(left), Some(right)) => Ok(Self { left, right, except: self.except }),
            _ => plan_err!("a set operation needs two inputs"),
        }
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        // Whole rows are compared.
        let all = |plan: &LogicalPlan| (0..plan.schema().fields().len()).collect();
        Some(vec![all(&self.left), all(&self.right)])
    }
}

/// Puts the nodes in the place of the joins.
pub(super) fn count_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    let counted = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Join(join) if is_all(&join) => {
            let plain = |e: &Expr| matches!(e, Expr::Column(_));
            if !join.on.iter().all(|(l, r)| plain(l) && plain(r)) {
                return plan_err!(
                    "INTERSECT ALL and EXCEPT ALL take columns of the same types; CAST one side"
                );
            }
            let except = join.join_type == JoinType::LeftAnti;
            let left = Arc::unwrap_or_clone(join.left);
            let right = Arc::unwrap_or_clone(join.right);
            let node = Arc::new(SetAllNode { left, right, except });
            Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(counted.data)
}

/// Nothing else that is written in SQL is planned as a semi join in which null equals null. Without
/// `ALL`, the left side is distinct; with it and a distinct left side, the join is right as it is.
fn is_all(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && join.on.len() == join.left.schema().fields().len()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
}
