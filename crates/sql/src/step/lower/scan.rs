//! Tables and materialized views as inputs.

use std::sync::Arc;

use datafusion_expr::logical_plan::TableScan;
use sqlparser::ast;

use crate::catalog::{ColumnKind, Relation, TableDef};
use crate::error::{Result, SqlError};
use crate::planner::table_of;

use super::{Lowering, Plan, loose};
use crate::step::{Role, StepNode, StepPlan, Traits};

impl Lowering {
    pub(super) fn scan(&self, scan: &TableScan) -> Result<Plan> {
        let table = table_of(&scan.source)
            .ok_or_else(|| SqlError::new(format!("'{}' cannot be read", scan.table_name)))?;
        let all: Vec<usize> = (0..table.schema.fields().len()).collect();
        let columns = scan.projection.clone().unwrap_or(all);
        let schema = loose(scan.projected_schema.as_arrow());
        match &table.relation {
            Relation::Table(def) => {
                let traits = scan_traits(def, &columns);
                let node = StepNode::Scan { table: def.clone(), columns };
                Ok(Arc::new(StepPlan { node, inputs: vec![], schema, traits }))
            }
            Relation::View(view) => {
                let plan = self.views.get(&view.path).ok_or_else(|| {
                    SqlError::new(format!("the view '{}' is not running", view.path.object))
                        .with_hint("create it earlier in the same project")
                })?;
                let columns: Vec<Option<usize>> = columns.into_iter().map(Some).collect();
                let traits = super::project_traits(&plan.traits, &columns);
                let node = StepNode::Select(columns.into_iter().flatten().collect());
                Ok(Arc::new(StepPlan { node, inputs: vec![Arc::clone(plan)], schema, traits }))
            }
        }
    }
}

/// Internal, for tests: a table whose source gives rows with signed weights.
const CHANGELOG_OPTION: &str = "rialto.changelog";
/// The formats whose records are changes of rows.
const CHANGELOG_FORMATS: &[&str] = &["canal-json", "debezium-json"];

/// The connectors that make changes of rows and keys.
const CHANGELOG_CONNECTORS: &[&str] = &["upsert-kafka"];

/// Whether the table's source takes rows back.
pub fn has_changes(table: &TableDef) -> bool {
    let one_of = |option: &str, names: &[&str]| {
        table.options.get(option).is_some_and(|value| names.contains(&value))
    };
    table.options.get(CHANGELOG_OPTION) == Some("true")
        || one_of("connector", CHANGELOG_CONNECTORS)
        || one_of("format", CHANGELOG_FORMATS)
        || one_of("value.format", CHANGELOG_FORMATS)
}

fn scan_traits(table: &TableDef, columns: &[usize]) -> Traits {
    let time = table.watermark.as_ref().map(|w| w.column.as_str());
    let role = |&c: &usize| {
        let column = &table.columns[c];
        match &column.kind {
            _ if time == Some(column.name.as_str()) => Role::Rowtime,
            ColumnKind::Computed(text) if is_proctime(&text.expr) => Role::Proctime,
            _ => Role::None,
        }
    };
    let position = |name: &String| columns.iter().position(|&c| table.columns[c].name == *name);
    let key: Option<Vec<usize>> = match table.key_columns() {
        [] => None,
        names => names.iter().map(position).collect(),
    };
    Traits {
        insert_only: !has_changes(table),
        key,
        window: None,
        roles: columns.iter().map(role).collect(),
        partitioning: None,
        restates: false,
    }
}

fn is_proctime(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("PROCTIME"))
}
