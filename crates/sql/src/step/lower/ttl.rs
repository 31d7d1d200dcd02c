//! How long state is kept that no window and no bound on time ends: `table.exec.state.ttl` and the
//! hint `STATE_TTL`.

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_expr::LogicalPlan;

use crate::error::{Result, SqlError};
use crate::parser::QueryHint;

/// The hint's name.
const HINT: &str = "STATE_TTL";

/// Times to live in milliseconds, by the clock of the steps.
#[derive(Debug, Clone, Default)]
pub struct StateTtl {
    /// For all state; `None` keeps it for ever.
    pub default_ms: Option<i64>,
    /// For the rows of tables, views and aliases by name, from hints; `None` as before.
    named: Vec<(String, Option<i64>)>,
}

impl StateTtl {
    /// The session's time to live; zero keeps state for ever.
    pub fn new(default_ms: i64) -> Self {
        Self { default_ms: positive(default_ms), named: Vec::new() }
    }

    /// With the hints of a query. `millis` reads a duration such as `1 d`.
    pub fn hinted(
        mut self,
        hints: &[QueryHint],
        millis: impl Fn(&str) -> Option<i64>,
    ) -> Result<Self> {
        for hint in hints.iter().filter(|h| h.name == HINT) {
            for argument in &hint.arguments {
                let value = argument.value.as_deref().unwrap_or_default();
                let ttl = millis(value).ok_or_else(|| {
                    SqlError::new(format!("'{value}' is not a time to live"))
                        .with_hint("write STATE_TTL('table or alias' = '12 h')")
                        .with_span(hint.span)
                })?;
                self.named.push((argument.key.clone(), positive(ttl)));
            }
        }
        Ok(self)
    }

    /// Refuses a hint that names nothing of the query.
    pub fn check(&self, plan: &LogicalPlan) -> Result<()> {
        for (name, _) in &self.named {
            let mut found = false;
            plan.apply_with_subqueries(|node| {
                found |= is_called(node, name);
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })?;
            if !found {
                return Err(SqlError::new(format!(
                    "the hint {HINT} names '{name}', which is no input of the query"
                ))
                .with_hint("name a table, a view or an alias of the FROM clause"));
            }
        }
        Ok(())
    }

    /// For the rows of an input.
    pub(super) fn of(&self, input: &LogicalPlan) -> Option<i64> {
        let mut node = input;
        loop {
            if let Some((_, ttl)) = self.named.iter().find(|(name, _)| is_called(node, name)) {
                return *ttl;
            }
            node = match node {
                LogicalPlan::SubqueryAlias(alias) => &alias.input,
                LogicalPlan::Projection(projection) => &projection.input,
                LogicalPlan::Filter(filter) => &filter.input,
                _ => return self.default_ms,
            };
        }
    }
}

fn positive(ms: i64) -> Option<i64> {
    (ms > 0).then_some(ms)
}

fn is_called(plan: &LogicalPlan, name: &str) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => alias.alias.table() == name,
        LogicalPlan::TableScan(scan) => {
            scan.table_name.table() == name || scan.table_name.to_string() == name
        }
        _ => false,
    }
}
