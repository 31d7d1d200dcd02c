//! The statements that bring rows from the session's own table into the target.

use arrow::datatypes::DataType;
use tokio_postgres::{Client, Statement};

use super::catalog::PgTable;
use super::client::{Trouble, quoted};
use super::options::PgOptions;
use super::types::{Wire, written};

/// The session's own table.
pub(super) const STAGE: &str = "pg_temp.rialto_stage";

/// What the sink's rows are made of.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub names: Vec<String>,
    pub types: Vec<DataType>,
    pub wires: Vec<Wire>,
    /// The columns of the primary key.
    pub key: Vec<usize>,
}

impl Shape {
    /// Names the form of the rows: what a checkpoint keeps can only be read in the same.
    pub fn form(&self) -> String {
        let column = |(name, wire): (&String, &Wire)| format!("{name} {wire:?}");
        let columns: Vec<String> = self.names.iter().zip(&self.wires).map(column).collect();
        format!("{}; key {:?}", columns.join(", "), self.key)
    }
}

/// What one column becomes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The name of our column.
    pub ours: String,
    /// The name in the database, as SQL has it.
    pub sql: String,
    /// What reads it from the session's own table, whose alias is `s`.
    pub from: String,
    /// The column's type.
    pub shown: String,
}

/// The statements of a sink, prepared.
pub(super) struct Merge {
    pub table: PgTable,
    pub targets: Vec<Target>,
    pub copy: String,
    pub insert: Statement,
    /// Where there is a key.
    pub delete: Option<Statement>,
    pub insert_sql: String,
    pub delete_sql: Option<String>,
}

impl Merge {
    /// Looks at the target and makes the session's own table.
    pub async fn plan(
        client: &Client,
        options: &PgOptions,
        shape: &Shape,
    ) -> Result<Self, Trouble> {
        let table = PgTable::find(client, &options.target).await?;
        let targets = targets(&table, shape).map_err(Trouble::Refused)?;
        check_key(&table, &targets, shape).map_err(Trouble::Refused)?;
        let cells: Vec<String> =
            shape.wires.iter().enumerate().map(|(at, w)| format!(", c{at} {}", w.sql())).collect();
        client
            .batch_execute(&format!(
                "CREATE TEMP TABLE rialto_stage (n int8, d bool{}) ON COMMIT DELETE ROWS",
                cells.concat()
            ))
            .await?;
        let insert_sql = insert(&table, &targets, shape);
        let delete_sql = delete(&table, &targets, shape);
        let insert = client.prepare(&insert_sql).await?;
        let delete = match &delete_sql {
            Some(sql) => Some(client.prepare(sql).await?),
            None => None,
        };
        let copy = format!("COPY {STAGE} FROM STDIN (FORMAT binary)");
        Ok(Self { table, targets, copy, insert, delete, insert_sql, delete_sql })
    }
}

fn targets(table: &PgTable, shape: &Shape) -> Result<Vec<Target>, String> {
    let target = |(at, (name, data_type)): (usize, (&String, &DataType))| {
        let column = table.column(name)?;
        let cast = written(data_type, column).map_err(|e| format!("column '{name}': {e}"))?;
        Ok(Target {
            ours: name.clone(),
            sql: quoted(&column.name),
            from: match cast {
                Some(cast) => format!("s.c{at}::{cast}"),
                None => format!("s.c{at}"),
            },
            shown: column.shown.clone(),
        })
    };
    let targets: Vec<Target> = shape
        .names
        .iter()
        .zip(&shape.types)
        .enumerate()
        .map(target)
        .collect::<Result<_, String>>()?;
    let missing = table.columns.iter().find(|column| {
        let given = targets.iter().any(|t| t.sql == quoted(&column.name));
        column.not_null && !column.has_default && !column.generated && !given
    });
    match missing {
        Some(column) => Err(format!(
            "the database's column '{}' is NOT NULL without a default, and the table does not \
             have it (declare it, or give it a default)",
            column.name
        )),
        None => Ok(targets),
    }
}

fn check_key(table: &PgTable, targets: &[Target], shape: &Shape) -> Result<(), String> {
    if shape.key.is_empty() || table.is_view {
        return Ok(());
    }
    let names: Vec<String> = shape.key.iter().map(|&k| targets[k].sql.clone()).collect();
    let plain: Vec<&str> = table
        .columns
        .iter()
        .filter(|c| names.contains(&quoted(&c.name)))
        .map(|c| c.name.as_str())
        .collect();
    match table.has_key(&plain) {
        true => Ok(()),
        false => Err(format!(
            "the database has no primary key and no unique index over ({}), by which rows would \
             be replaced (CREATE UNIQUE INDEX ON {} ({}))",
            plain.join(", "),
            table.sql(),
            names.join(", ")
        )),
    }
}

fn insert(table: &PgTable, targets: &[Target], shape: &Shape) -> String {
    let list = |of: fn(&Target) -> &str| targets.iter().map(of).collect::<Vec<_>>().join(", ");
    let mut sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM {STAGE} s WHERE NOT s.d AND s.n BETWEEN $1 AND $2",
        table.sql(),
        list(|t| &t.sql),
        list(|t| &t.from),
    );
    if shape.key.is_empty() {
        return sql;
    }
    let key: Vec<&str> = shape.key.iter().map(|&k| targets[k].sql.as_str()).collect();
    let set: Vec<String> = targets
        .iter()
        .enumerate()
        .filter(|(at, _)| !shape.key.contains(at))
        .map(|(_, t)| format!("{0} = EXCLUDED.{0}", t.sql))
        .collect();
    sql += &format!(" ON CONFLICT ({}) DO ", key.join(", "));
    sql += &match set.is_empty() {
        true => "NOTHING".to_owned(),
        false => format!("UPDATE SET {}", set.join(", ")),
    };
    sql
}

fn delete(table: &PgTable, targets: &[Target], shape: &Shape) -> Option<String> {
    if shape.key.is_empty() {
        return None;
    }
    let equal: Vec<String> =
        shape.key.iter().map(|&k| format!("t.{} = {}", targets[k].sql, targets[k].from)).collect();
    Some(format!(
        "DELETE FROM {} t USING {STAGE} s WHERE s.d AND s.n BETWEEN $1 AND $2 AND {}",
        table.sql(),
        equal.join(" AND ")
    ))
}
