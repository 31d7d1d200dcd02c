//! Tables, rows and changes of a case.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    BigInt,
    Text,
    Boolean,
    Time,
}

impl Kind {
    /// The type's name, the same in both dialects.
    pub fn sql(self) -> &'static str {
        match self {
            Self::BigInt => "BIGINT",
            Self::Text => "VARCHAR",
            Self::Boolean => "BOOLEAN",
            Self::Time => "TIMESTAMP(3)",
        }
    }

    fn flink(self) -> &'static str {
        if self == Self::Text { "STRING" } else { self.sql() }
    }

    fn arrow(self) -> DataType {
        match self {
            Self::BigInt => DataType::Int64,
            Self::Text => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bool(bool),
    /// Epoch milliseconds.
    Time(i64),
}

pub type Row = Vec<Cell>;

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// Event time of a table: which column, and how far the watermark stays behind it.
#[derive(Debug, Clone, Copy)]
pub struct EventTime {
    pub column: usize,
    pub delay_seconds: i64,
}

/// A table of a case.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Rows may be taken back.
    pub changelog: bool,
    pub time: Option<EventTime>,
}

impl Table {
    /// A table without event time.
    pub fn new(name: &str, columns: &[(&str, Kind)], changelog: bool) -> Self {
        let column = |(name, kind): &(&str, Kind)| Column { name: (*name).into(), kind: *kind };
        let columns = columns.iter().map(column).collect();
        Self { name: name.into(), columns, changelog, time: None }
    }

    /// The declaration in Flink SQL.
    pub fn ddl(&self) -> String {
        let mut parts: Vec<String> =
            self.columns.iter().map(|c| format!("{} {}", c.name, c.kind.flink())).collect();
        if let Some(time) = self.time {
            let column = &self.columns[time.column].name;
            let delay = time.delay_seconds;
            parts
                .push(format!("WATERMARK FOR {column} AS {column} - INTERVAL '{delay}' SECOND(5)"));
        }
        let changelog = if self.changelog { ", 'rialto.changelog' = 'true'" } else { "" };
        let (name, parts) = (&self.name, parts.join(", "));
        format!("CREATE TABLE {name} ({parts}) WITH ('connector' = 'memory'{changelog})")
    }

    pub fn schema(&self) -> SchemaRef {
        let field = |c: &Column| Field::new(&c.name, c.kind.arrow(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// Rows as a batch.
    pub fn batch<'a>(&self, rows: impl Iterator<Item = &'a Row> + Clone) -> RecordBatch {
        let column = |at: usize| -> ArrayRef {
            let cells = rows.clone().map(|row| &row[at]);
            match self.columns[at].kind {
                Kind::BigInt => Arc::new(Int64Array::from_iter(cells.map(|c| match c {
                    Cell::Int(v) => Some(*v),
                    _ => None,
                }))),
                Kind::Text => Arc::new(StringArray::from_iter(cells.map(|c| match c {
                    Cell::Text(v) => Some(v.as_str()),
                    _ => None,
                }))),
                Kind::Boolean => Arc::new(BooleanArray::from_iter(cells.map(|c| match c {
                    Cell::Bool(v) => Some(*v),
                    _ => None,
                }))),
                Kind::Time => {
                    Arc::new(TimestampMillisecondArray::from_iter(cells.map(|c| match c {
                        Cell::Time(v) => Some(*v),
                        _ => None,
                    })))
                }
            }
        };
        let columns = (0..self.columns.len()).map(column).collect();
        RecordBatch::try_new(self.schema(), columns).expect("cells are of their column's kind")
    }
}

/// A row that comes or goes.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which table, by position.
    pub table: usize,
    pub row: Row,
    pub weight: i64,
}

/// The tables, and what happens to them step by step.
#[derive(Debug, Clone)]
pub struct Input {
    pub tables: Vec<Table>,
    pub steps: Vec<Vec<Change>>,
}

impl Input {
    /// All steps as text, for a failure's message.
    pub fn show(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            text += &format!("{};\n", table.ddl());
        }
        for (at, step) in self.steps.iter().enumerate() {
            text += &format!("step {}:\n", at + 1);
            for change in step {
                let cells: Vec<String> = change.row.iter().map(show_cell).collect();
                let name = &self.tables[change.table].name;
                text += &format!("  {:+} {name} ({})\n", change.weight, cells.join(", "));
            }
        }
        text
    }
}

fn show_cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".into(),
        Cell::Int(v) => v.to_string(),
        Cell::Text(v) => format!("'{v}'"),
        Cell::Bool(v) => v.to_string(),
        Cell::Time(v) => time_literal(*v),
    }
}

/// A moment as both dialects write it.
pub fn time_literal(ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms).expect("a moment in range");
    format!("TIMESTAMP '{}'", at.naive_utc().format("%Y-%m-%d %H:%M:%S%.3f"))
}

/// The rows of each table after some steps: what a batch query reads.
#[derive(Debug)]
pub struct Contents {
    tables: Vec<HashMap<Row, i64>>,
}

impl Contents {
    pub fn new(tables: usize) -> Self {
        Self { tables: vec![HashMap::new(); tables] }
    }

    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            *self.tables[change.table].entry(change.row.clone()).or_default() += change.weight;
        }
    }

    /// The rows of a table, each as often as it is there.
    pub fn rows(&self, table: usize) -> Vec<&Row> {
        let rows = self.tables[table].iter();
        rows.flat_map(|(row, &n)| std::iter::repeat_n(row, n.max(0) as usize)).collect()
    }
}
