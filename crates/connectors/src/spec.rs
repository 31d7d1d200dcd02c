//! What a connector is given: a table as plain data, and the world it may touch.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::Array;
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::error::{ConnectorError, Result};
use crate::given::Given;
use crate::shop::Stage;

/// A table, as far as a connector has to know it. No SQL text, no expressions.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// The table's name, for messages and for `print`.
    pub name: String,
    /// The physical columns, in the order of the declaration.
    pub schema: SchemaRef,
    /// The physical columns that the plan reads, as indices into `schema`; a reader produces
    /// exactly these, in this order. `None` is all of them. Sinks ignore it.
    pub projection: Option<Vec<usize>>,
    /// Metadata columns that the plan reads: the connector's key (`file.path`) and the column that
    /// it becomes. A reader appends them to the physical columns. For a sink they are those columns
    /// of `schema` that are metadata.
    pub metadata: Vec<(String, Field)>,
    /// The columns of `PRIMARY KEY … NOT ENFORCED`.
    pub primary_key: Vec<String>,
    /// The column of event time, where the table has a watermark: then what was written in order is
    /// read in order, a file by one reader. Two readers of one file would make rows of its first
    /// part late. Sinks ignore it.
    pub rowtime: Option<String>,
    /// The columns of `PARTITIONED BY`.
    pub partition_keys: Vec<String>,
    /// The options of `WITH (…)`, in order.
    pub options: Vec<(String, String)>,
    /// What a sink's input looks like. Sources ignore it.
    pub changelog: Changelog,
}

/// What a sink has to expect of its input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changelog {
    /// Whether the input takes rows back at all.
    pub retracts: bool,
    /// The key by which a `-1/+1` pair is one update, as indices into the schema; `None` where the
    /// changes have no key.
    pub upsert_key: Option<Vec<usize>>,
}

impl TableSpec {
    /// A table of the given columns and options that is read whole, without a key.
    pub fn new<K: Into<String>, V: Into<String>>(
        name: impl Into<String>,
        schema: SchemaRef,
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self {
            name: name.into(),
            schema,
            projection: None,
            metadata: Vec::new(),
            primary_key: Vec::new(),
            rowtime: None,
            partition_keys: Vec::new(),
            options: options.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            changelog: Changelog::default(),
        }
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// The format of the rows, or of that part of a record which is not its key.
    pub fn value_format(&self) -> Option<&str> {
        self.option("format").or_else(|| self.option("value.format"))
    }

    /// The indices of the physical columns that a reader produces, in order.
    pub fn projected(&self) -> Vec<usize> {
        match &self.projection {
            Some(indices) => indices.clone(),
            None => (0..self.schema.fields().len()).collect(),
        }
    }

    /// The schema of what a reader produces: the projected columns, then the metadata columns.
    pub fn read_schema(&self) -> Result<SchemaRef> {
        let mut fields = Vec::new();
        for index in self.projected() {
            let field = self.schema.fields().get(index).ok_or_else(|| {
                ConnectorError::new(format!("table '{}' has no column {index}", self.name))
            })?;
            fields.push(field.clone());
        }
        fields.extend(self.metadata.iter().map(|(_, field)| Arc::new(field.clone())));
        Ok(Arc::new(Schema::new(fields)))
    }
}

/// Formats one value of an array as text, as the dialect prints it.
pub type FormatValue = Arc<dyn Fn(&dyn Array, usize) -> String + Send + Sync>;

/// Where a `print` sink writes.
pub type Output = Arc<Mutex<dyn Write + Send>>;

/// The world that connectors may touch.
#[derive(Clone)]
pub struct Environment {
    /// Relative paths resolve against it.
    pub base_dir: PathBuf,
    /// Where set, a path outside all of these folders is refused.
    pub roots: Option<Vec<PathBuf>>,
    /// The session's time zone, by its IANA name.
    pub time_zone: String,
    /// How values look as text (`print`).
    pub format_value: FormatValue,
    /// Where `print` writes.
    pub stdout: Output,
    /// Where `print` writes with `standard-error`.
    pub stderr: Output,
    /// What a test gives: then no connector is opened for reading.
    pub given: Option<Arc<Given>>,
    /// The simulated shop of a bench: then all of its tables are of this one.
    pub stage: Option<Arc<Stage>>,
}

impl Environment {
    /// The user's own shell: any path, the process's output, Arrow's text of values.
    pub fn new(base_dir: impl Into<PathBuf>) -> Self {
        Self {
            base_dir: base_dir.into(),
            roots: None,
            time_zone: "UTC".into(),
            format_value: Arc::new(plain_text),
            stdout: Arc::new(Mutex::new(std::io::stdout())),
            stderr: Arc::new(Mutex::new(std::io::stderr())),
            given: None,
            stage: None,
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("base_dir", &self.base_dir)
            .field("roots", &self.roots)
            .field("time_zone", &self.time_zone)
            .finish_non_exhaustive()
    }
}

fn plain_text(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "null".into();
    }
    arrow::util::display::array_value_to_string(array, row).unwrap_or_else(|e| e.to_string())
}
