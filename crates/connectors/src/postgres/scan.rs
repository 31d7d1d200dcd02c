//! A table read once, in parts, in the order of its key.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::datatypes::SchemaRef;
use rialto_engine::{EngineError, Reader, Source};
use tokio_postgres::Client;

use super::catalog::PgTable;
use super::client::{Session, Trouble, quoted};
use super::decode::RowDecoder;
use super::options::{PgOptions, Split};
use super::reader::PgReader;
use super::types;
use crate::error::Result;
use crate::spec::TableSpec;

/// A table of a database, to be read.
pub(super) struct PgSource {
    spec: TableSpec,
    options: PgOptions,
    schema: SchemaRef,
}

impl PgSource {
    /// Opens a table for reading. The database is asked when the readers are made.
    pub fn new(spec: &TableSpec) -> Result<Self> {
        let options = PgOptions::read(spec)?;
        RowDecoder::new(spec)?;
        Ok(Self { spec: spec.clone(), options, schema: spec.read_schema()? })
    }
}

impl Source for PgSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn readers(&self, parallelism: usize) -> rialto_engine::Result<Vec<Box<dyn Reader>>> {
        let failed = |t: Trouble| EngineError::source(self.options.place(), t.text());
        let session = Session::open(&self.options).map_err(failed)?;
        let query = session.run(Query::plan(&session.client, &self.options, &self.spec));
        let query = Arc::new(query.map_err(failed)?);
        let parts = Arc::new(Parts::new(query.parts.len()));
        let count = match self.spec.rowtime.is_some() {
            // The parts follow one another, and so do their times.
            true => 1,
            false => parallelism.clamp(1, query.parts.len()),
        };
        let mut readers: Vec<Box<dyn Reader>> = Vec::with_capacity(count);
        for _ in 0..count {
            let (query, parts) = (Arc::clone(&query), Arc::clone(&parts));
            readers.push(Box::new(PgReader::new(&self.spec, &self.options, query, parts)));
        }
        Ok(readers)
    }
}

/// A column of the key: its name and type, as SQL has them.
#[derive(Debug, Clone)]
struct KeyColumn {
    name: String,
    shown: String,
}

/// What is asked of the database.
#[derive(Debug)]
pub(super) struct Query {
    /// The expressions of the columns, then the texts of the key.
    select: Vec<String>,
    from: String,
    /// The column that the parts are cut by, as SQL has it.
    split: Option<String>,
    /// The bounds of the parts; a table that is not cut is one part without bounds.
    pub parts: Vec<Option<(i64, i64)>>,
    key: Vec<KeyColumn>,
    /// How many columns come before the key.
    pub columns: usize,
}

/// The last row that was read of a part: the texts of its key.
pub(super) type Mark = Vec<String>;

impl Query {
    async fn plan(
        client: &Client,
        options: &PgOptions,
        spec: &TableSpec,
    ) -> std::result::Result<Self, Trouble> {
        let table = PgTable::find(client, &options.target).await?;
        let mut select = select(&table, spec).map_err(Trouble::Refused)?;
        let columns = select.len();
        // A null would stand in no order, and many rows could have it.
        let is_set = |name: &String| table.columns.iter().any(|c| c.name == *name && c.not_null);
        let known_by = table.keys.iter().find(|key| key.primary || key.columns.iter().all(is_set));
        let mut key = Vec::new();
        for name in known_by.map_or(&[][..], |key| key.columns.as_slice()) {
            let column = table.column(name).map_err(Trouble::Refused)?;
            select.push(format!("{}::text", of_table(name)));
            key.push(KeyColumn { name: of_table(name), shown: column.shown.clone() });
        }
        if select.is_empty() {
            select.push("1::int4".into());
        }
        let split = match &options.split {
            Some(split) => Some(split_column(&table, split).map_err(Trouble::Refused)?),
            None => None,
        };
        let parts = match &options.split {
            Some(split) => cut(split).into_iter().map(Some).collect(),
            None => vec![None],
        };
        Ok(Self { select, from: table.sql(), split, parts, key, columns })
    }

    /// Whether reading can go on behind a row.
    pub fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// How many columns the key has.
    pub fn key_len(&self) -> usize {
        self.key.len()
    }

    /// The query of a part behind a row, and the number of its parameters for bounds (numbers) and
    /// for the key (texts), in this order.
    pub fn sql(&self, part: usize, behind: bool) -> String {
        let mut conditions = Vec::new();
        let mut parameters = 0;
        if let (Some(column), Some(_)) = (&self.split, self.parts[part]) {
            conditions.push(format!("{column} BETWEEN $1::int8 AND $2::int8"));
            parameters = 2;
        }
        if behind {
            let names: Vec<&str> = self.key.iter().map(|k| k.name.as_str()).collect();
            let value = |(at, key): (usize, &KeyColumn)| {
                format!("CAST(${}::text AS {})", parameters + at + 1, key.shown)
            };
            let values: Vec<String> = self.key.iter().enumerate().map(value).collect();
            conditions.push(format!("({}) > ({})", names.join(", "), values.join(", ")));
        }
        let mut sql = format!("SELECT {} FROM {} t", self.select.join(", "), self.from);
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        if self.has_key() {
            let names: Vec<&str> = self.key.iter().map(|k| k.name.as_str()).collect();
            sql += &format!(" ORDER BY {}", names.join(", "));
        }
        sql
    }
}

/// The expressions that read the columns of our table.
pub(super) fn select(
    table: &PgTable,
    spec: &TableSpec,
) -> std::result::Result<Vec<String>, String> {
    let expression = |index: usize| {
        let field = spec.schema.field(index);
        let column = table.column(field.name())?;
        types::read(column, field.data_type(), &of_table(&column.name))
            .map_err(|reason| format!("column '{}': {reason}", field.name()))
    };
    spec.projected().into_iter().map(expression).collect()
}

/// A column of the table that is read: what is selected may have the same name.
pub(super) fn of_table(name: &str) -> String {
    format!("t.{}", quoted(name))
}

fn split_column(table: &PgTable, split: &Split) -> std::result::Result<String, String> {
    let column = table.column(&split.column)?;
    match column.type_name.as_str() {
        "int2" | "int4" | "int8" | "numeric" => Ok(of_table(&column.name)),
        _ => Err(format!(
            "'scan.partition.column' = '{}' is {} in the database, and has to be a number",
            split.column, column.shown
        )),
    }
}

/// Cuts a range into parts of as equal a length as can be.
fn cut(split: &Split) -> Vec<(i64, i64)> {
    let (lower, length) =
        (i128::from(split.lower), i128::from(split.upper) - i128::from(split.lower) + 1);
    let parts = i128::from(split.parts).min(length);
    let start = |part: i128| lower + length * part / parts;
    (0..parts).map(|part| (start(part) as i64, (start(part + 1) - 1) as i64)).collect()
}

/// The parts that no reader has begun.
#[derive(Debug)]
pub(super) struct Parts {
    waiting: Mutex<Vec<usize>>,
}

impl Parts {
    fn new(count: usize) -> Self {
        Self { waiting: Mutex::new((0..count).rev().collect()) }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<usize>> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The next part to read.
    pub fn next(&self) -> Option<usize> {
        self.waiting().pop()
    }

    /// Takes a part out: it was read, or is a reader's already.
    pub fn claim(&self, part: usize) {
        self.waiting().retain(|p| *p != part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_range_once() {
        let split = |parts, lower, upper| Split { column: "c".into(), parts, lower, upper };
        assert_eq!(cut(&split(3, 0, 9)), [(0, 2), (3, 5), (6, 9)]);
        assert_eq!(cut(&split(5, 1, 2)), [(1, 1), (2, 2)]);
        let all = cut(&split(2, i64::MIN, i64::MAX));
        assert_eq!((all[0].0, all[1].1), (i64::MIN, i64::MAX));
        assert_eq!(all[0].1 + 1, all[1].0);
    }
}
