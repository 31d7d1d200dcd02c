//! A first draft of a mapping: columns of a user's file onto a table of the event model.

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rialto_runtime::sql::parser::ast::ColumnDef;
use rialto_runtime::sql::parser::{Statement, parse};

use crate::failure::{Failure, Result};

use super::packs;

/// How much of a file is read to learn its columns.
const HEAD_BYTES: u64 = 1 << 20;
/// What a column of moments is called in exports, besides the model's own name.
const TIME_NAMES: [&str; 6] = ["time", "timestamp", "datetime", "date", "createdat", "ts"];

/// `sale_line=exports/till.csv`: a table of the model and a file with rows for it.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The table of the model.
    pub table: String,
    /// The user's file.
    pub file: PathBuf,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once('=') {
            Some((table, file)) if !table.is_empty() && !file.is_empty() => {
                Ok(Self { table: table.into(), file: file.into() })
            }
            _ => Err("write TABLE=FILE, as in sale_line=exports/till.csv".into()),
        }
    }
}

/// What a file's rows are made of.
struct Shape {
    format: &'static str,
    columns: Vec<String>,
}

impl Mapping {
    /// The SQL: the file as a table of texts, and a view with the columns of the model.
    pub fn sql(&self) -> Result<String> {
        let model = self.model_columns()?;
        let shape = self.shape()?;
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let mut text = format!(
            "-- {file} as the model's {table}: docs/mapping.md. What stands for a column is a\n\
             -- draft by name: rename, cast, convert units and codes, and leave NULL what you do\n\
             -- not have. Rows without an event_time are dead letters.\n\
             CREATE TABLE my_{table} (\n",
            file = file.display(),
            table = self.table,
        );
        for column in &shape.columns {
            let _ = writeln!(text, "  {} STRING,", quoted(column));
        }
        let time = shape.time_column();
        let moment = match time {
            Some(column) => format!("CAST({} AS TIMESTAMP_LTZ(3))", quoted(column)),
            None => "CAST(NULL AS TIMESTAMP_LTZ(3))".into(),
        };
        let has_time = model.iter().any(|column| column.name == "event_time");
        if has_time {
            let _ = writeln!(
                text,
                "  `row_time` AS {moment},\n  \
                 WATERMARK FOR `row_time` AS `row_time` - INTERVAL '10' SECOND"
            );
        } else {
            // The last comma.
            text.truncate(text.trim_end().len() - 1);
            text.push('\n');
        }
        let header = if shape.format == "csv" { ", 'csv.header' = 'true'" } else { "" };
        let path = file.display().to_string().replace('\'', "''");
        let _ = writeln!(
            text,
            ") WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{}'{header});\n",
            shape.format
        );
        let _ = writeln!(text, "CREATE VIEW {} AS\nSELECT", self.table);
        for (at, column) in model.iter().enumerate() {
            let comma = if at + 1 == model.len() { "" } else { "," };
            let value = match column.name.as_str() {
                "event_time" => "`row_time`".to_string(),
                name => shape.value_of(name, column),
            };
            let note = note(column);
            let _ = writeln!(text, "  {value} AS {}{comma}{note}", quoted(&column.name));
        }
        let _ = writeln!(text, "FROM my_{};", self.table);
        Ok(text)
    }

    fn model_columns(&self) -> Result<Vec<ColumnDef>> {
        let mut tables = Vec::new();
        for file in packs::model().iter().filter(|f| f.path.starts_with("model/sql/")) {
            let sql = String::from_utf8_lossy(&file.bytes).into_owned();
            let parsed = parse(&sql).map_err(|e| Failure::sql(&e, &sql, &file.path))?;
            for statement in parsed {
                let Statement::CreateTable(table) = statement.statement else { continue };
                if table.name.object() == self.table {
                    return Ok(table.columns);
                }
                tables.push(table.name.object().to_string());
            }
        }
        let hint = format!("its tables are {}", tables.join(", "));
        let message = format!("the event model has no table '{}'", self.table);
        Err(Failure::request(message, Some(&hint)))
    }

    /// The names in the first line of a CSV file, or of the members of the first JSON object.
    fn shape(&self) -> Result<Shape> {
        let head = first_line(&self.file)
            .map_err(|e| Failure::request(format!("{}: {e}", self.file.display()), None))?;
        if let Ok(serde_json::Value::Object(row)) = serde_json::from_str(&head) {
            return Ok(Shape { format: "json", columns: row.keys().cloned().collect() });
        }
        let names = head.split(',').map(|name| name.trim().trim_matches('"').trim().to_string());
        let columns: Vec<String> = names.collect();
        let doubled = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name));
        let wrong = match doubled {
            Some((_, name)) => Some(format!("two columns are called '{name}'")),
            None if columns.iter().any(String::is_empty) => Some("a column has no name".into()),
            None => None,
        };
        match wrong {
            None => Ok(Shape { format: "csv", columns }),
            Some(wrong) => {
                let hint = "a CSV file begins with the names of its columns, separated by commas; \
                            a JSON file has one object a line";
                Err(Failure::request(format!("{}: {wrong}", self.file.display()), Some(hint)))
            }
        }
    }
}

impl Shape {
    fn named(&self, name: &str) -> Option<&str> {
        let wanted = plain(name);
        self.columns.iter().map(String::as_str).find(|column| plain(column) == wanted)
    }

    fn time_column(&self) -> Option<&str> {
        self.named("event_time").or_else(|| TIME_NAMES.iter().find_map(|name| self.named(name)))
    }

    /// The user's column of this name as the type that the model has, or NULL.
    fn value_of(&self, name: &str, column: &ColumnDef) -> String {
        let data_type = column.data_type.clone().map(|mut data_type| {
            data_type.nullable = true;
            data_type.to_string()
        });
        let data_type = data_type.unwrap_or_else(|| "STRING".into());
        match self.named(name) {
            Some(own) if data_type == "STRING" => quoted(own),
            Some(own) => format!("CAST({} AS {data_type})", quoted(own)),
            None => format!("CAST(NULL AS {data_type})"),
        }
    }
}

/// What the model says of a column, behind its line.
fn note(column: &ColumnDef) -> String {
    let required = column.data_type.as_ref().is_some_and(|t| !t.nullable);
    let required = if required { Some("must not be NULL") } else { None };
    let comment = column.comment.as_deref().map(|text| text.replace('\n', " "));
    match (required, comment) {
        (None, None) => String::new(),
        (Some(required), None) => format!(" -- {required}"),
        (None, Some(comment)) => format!(" -- {comment}"),
        (Some(required), Some(comment)) => format!(" -- {required}; {comment}"),
    }
}

/// `Order ID`, `order-id` and `order_id` are one name.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn first_line(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let head = BufReader::new(std::fs::File::open(file)?).take(HEAD_BYTES);
    BufReader::new(head).read_until(b'\n', &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').trim().to_string();
    match text.is_empty() {
        true => Err(std::io::Error::other("its first line is empty")),
        false => Ok(text),
    }
}
