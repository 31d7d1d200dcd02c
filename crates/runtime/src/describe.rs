//! `SHOW` and `DESCRIBE`.

use rialto_sql::catalog::{ColumnKind, Relation, TableDef, like_matches};
use rialto_sql::error::SqlError;
use rialto_sql::functions::FunctionRegistry;
use rialto_sql::parser::{Describe, DescribeTarget, QualifiedName, Show, ShowKind};
use rialto_sql::planner::{Planner, Session};

use crate::session::{Answer, rows};

type Result<T> = std::result::Result<T, SqlError>;

pub(crate) fn show(session: &Session, show: &Show) -> Result<Answer> {
    let catalog = &session.catalog;
    let list = |title: &str, names: Vec<String>| {
        let kept = names.into_iter().filter(|n| like_matches(show.filter.as_ref(), n));
        rows(&[title], vec![kept.collect::<Vec<_>>()])
    };
    let relations = |at: &Option<QualifiedName>, keep: fn(&Relation) -> bool| {
        let all = catalog.relations(at.as_ref())?;
        let mut names: Vec<String> =
            all.into_iter().filter(|r| keep(r)).map(|r| r.path().object.clone()).collect();
        names.sort();
        Ok::<_, SqlError>(names)
    };
    match &show.kind {
        ShowKind::Catalogs => list("catalog name", owned(catalog.catalog_names())),
        ShowKind::CurrentCatalog => {
            list("current catalog name", owned(vec![catalog.current_catalog()]))
        }
        ShowKind::Databases(at) => {
            list("database name", owned(catalog.database_names(at.as_ref())?))
        }
        ShowKind::CurrentDatabase => {
            list("current database name", owned(vec![catalog.current_database()]))
        }
        ShowKind::Tables(at) => list("table name", relations(at, |_| true)?),
        ShowKind::Views(at) => list("view name", relations(at, |r| r.kind_name() == "view")?),
        ShowKind::MaterializedViews(at) => {
            list("materialized view name", relations(at, |r| r.kind_name() == "materialized view")?)
        }
        ShowKind::Functions { .. } => {
            let registry = FunctionRegistry::new(&session.settings);
            let mut names = registry.scalar_names();
            names.extend(registry.aggregate_names());
            names.extend(registry.window_names());
            names.sort();
            names.dedup();
            list("function name", names)
        }
        ShowKind::Models(_) => {
            list("model name", catalog.models().map(|m| m.path.object.clone()).collect())
        }
        ShowKind::Columns(name) => columns(session, name),
        ShowKind::CreateTable(name) => Ok(Answer::Text(catalog.table(name)?.show_create())),
        ShowKind::CreateView(name) | ShowKind::CreateMaterializedView(name) => {
            Ok(Answer::Text(catalog.view(name)?.show_create()))
        }
        ShowKind::CreateCatalog(name) => Ok(Answer::Text(catalog.show_create_catalog(name)?)),
        ShowKind::Modules => list("module name", vec!["core".into()]),
        ShowKind::Partitions(_) | ShowKind::Jobs | ShowKind::CreateModel(_) => {
            Err(SqlError::not_supported("this SHOW statement"))
        }
    }
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

pub(crate) fn describe(session: &Session, what: &Describe) -> Result<Answer> {
    match what.target {
        DescribeTarget::Table => columns(session, &what.name),
        _ => Err(SqlError::not_supported("DESCRIBE of anything but a table or view")),
    }
}

fn columns(session: &Session, name: &QualifiedName) -> Result<Answer> {
    let mut table: Vec<Vec<String>> = vec![Vec::new(); 6];
    let mut add = |cells: [String; 6]| {
        table.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
    };
    match session.catalog.relation(name)? {
        Relation::Table(def) => def.columns.iter().for_each(|c| add(table_column(def, c))),
        Relation::View(view) => {
            let plan = Planner::new(session).plan_view(view)?;
            for field in plan.schema().fields() {
                let flink = rialto_sql::types::FlinkType::from_field(field)?;
                let null = flink.nullable.to_string().to_uppercase();
                let none = String::new;
                add([field.name().clone(), flink.summary(), null, none(), none(), none()]);
            }
        }
    }
    rows(&["name", "type", "null", "key", "extras", "watermark"], table)
}

fn table_column(table: &TableDef, column: &rialto_sql::catalog::ColumnDef) -> [String; 6] {
    let rowtime = table.watermark.as_ref().filter(|w| w.column == column.name);
    let mut shown = column.data_type.as_ref().map_or_else(String::new, |t| t.summary());
    if rowtime.is_some() {
        shown.push_str(" *ROWTIME*");
    }
    let in_key = table.key_columns().contains(&column.name);
    let nullable = column.data_type.as_ref().is_none_or(|t| t.nullable) && !in_key;
    let key =
        if in_key { format!("PRI({})", table.key_columns().join(", ")) } else { String::new() };
    let extras = match &column.kind {
        ColumnKind::Physical => String::new(),
        ColumnKind::Computed(text) => format!("AS {}", text.text),
        ColumnKind::Metadata { key, is_virtual } => {
            let from = key.as_ref().map(|k| format!(" FROM '{k}'")).unwrap_or_default();
            format!("METADATA{from}{}", if *is_virtual { " VIRTUAL" } else { "" })
        }
    };
    let watermark = rowtime.map_or_else(String::new, |w| w.expression.text.clone());
    [column.name.clone(), shown, nullable.to_string().to_uppercase(), key, extras, watermark]
}
