//! What `SHOW` lists, and the text of `SHOW CREATE`.

use std::fmt::Write;

use super::{Catalog, FunctionDef, ModelDef, ObjectPath, Relation, TableDef, ViewDef};
use crate::error::Result;
use crate::parser::{
    ColumnDef, ColumnKind, Distribution, DistributionKind, Options, PrimaryKey, QualifiedName,
    ShowFilter,
};
use crate::types::{quote_identifier, quote_string};

impl Catalog {
    /// All catalogs, in order of their names.
    pub fn catalog_names(&self) -> Vec<&str> {
        self.catalogs.keys().map(String::as_str).collect()
    }

    /// The databases of a catalog, the current one by default.
    pub fn database_names(&self, catalog: Option<&QualifiedName>) -> Result<Vec<&str>> {
        let entry = match catalog {
            Some(name) => {
                self.require_catalog(name.object()).map_err(|e| e.with_span(name.span))?
            }
            None => self.require_catalog(&self.current_catalog)?,
        };
        Ok(entry.databases.keys().map(String::as_str).collect())
    }

    /// Tables and views of a database, the current one by default; temporary ones first.
    pub fn relations(&self, database: Option<&QualifiedName>) -> Result<Vec<&Relation>> {
        let (catalog, name) = match database {
            Some(name) => self.database_path(name),
            None => (self.current_catalog.clone(), self.current_database.clone()),
        };
        self.require_database(&catalog, &name)
            .map_err(|e| e.with_span(database.and_then(|d| d.span)))?;
        let here = |path: &ObjectPath| path.catalog == catalog && path.database == name;
        let temporary = self.temporary.iter().filter(|(path, _)| here(path));
        let permanent = self
            .permanent
            .iter()
            .filter(|(path, _)| here(path) && !self.temporary.contains_key(*path));
        let mut found: Vec<&Relation> =
            temporary.chain(permanent).map(|(_, r)| r.as_ref()).collect();
        found.sort_by_key(|r| &r.path().object);
        Ok(found)
    }

    /// All functions that were created.
    pub fn functions(&self) -> impl Iterator<Item = &FunctionDef> {
        self.functions.values()
    }

    /// All models.
    pub fn models(&self) -> impl Iterator<Item = &ModelDef> {
        self.models.values()
    }

    /// The comment of a database.
    pub fn database_comment(&self, name: &QualifiedName) -> Result<Option<&str>> {
        let (catalog, database) = self.database_path(name);
        let found = self.require_database(&catalog, &database);
        Ok(found.map_err(|e| e.with_span(name.span))?.comment.as_deref())
    }

    /// The options of a database.
    pub fn database_options(&self, name: &QualifiedName) -> Result<&Options> {
        let (catalog, database) = self.database_path(name);
        let found = self.require_database(&catalog, &database);
        Ok(&found.map_err(|e| e.with_span(name.span))?.options)
    }

    /// The text of `SHOW CREATE CATALOG`.
    pub fn show_create_catalog(&self, name: &QualifiedName) -> Result<String> {
        let entry = self.require_catalog(name.object()).map_err(|e| e.with_span(name.span))?;
        let mut text = format!("CREATE CATALOG {}", quote_identifier(name.object()));
        push_comment(&mut text, entry.comment.as_deref());
        push_options(&mut text, &entry.options);
        Ok(text)
    }
}

/// Whether a name passes a `[NOT] LIKE` filter; without one, all do.
pub fn like_matches(filter: Option<&ShowFilter>, name: &str) -> bool {
    let Some(filter) = filter else { return true };
    let (pattern, name) = match filter.ignore_case {
        true => (filter.pattern.to_lowercase(), name.to_lowercase()),
        false => (filter.pattern.clone(), name.to_string()),
    };
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches_from(&pattern, &name) != filter.negated
}

/// `%` and `_`, by remembering the last `%` and trying one character more for it.
fn matches_from(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'%') {
            last = Some((p, n));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '_' || *c == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((at, from)) = last {
            last = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

impl ObjectPath {
    /// The full name in backticks.
    pub fn quoted(&self) -> String {
        [&self.catalog, &self.database, &self.object].map(|p| quote_identifier(p)).join(".")
    }
}

impl Relation {
    /// The text of `SHOW CREATE`.
    pub fn show_create(&self) -> String {
        match self {
            Relation::Table(table) => table.show_create(),
            Relation::View(view) => view.show_create(),
        }
    }
}

impl TableDef {
    /// The text of `SHOW CREATE TABLE`; read again it declares the same table.
    pub fn show_create(&self) -> String {
        let temporary = if self.temporary { "TEMPORARY " } else { "" };
        let mut text = format!("CREATE {temporary}TABLE {} (\n", self.path.quoted());
        let mut lines: Vec<String> = self.columns.iter().map(column_line).collect();
        if let Some(watermark) = &self.watermark {
            let column = quote_identifier(&watermark.column);
            lines.push(format!("WATERMARK FOR {column} AS {}", watermark.expression.text));
        }
        if let Some(key) = &self.primary_key {
            lines.push(key_line(key));
        }
        for (i, line) in lines.iter().enumerate() {
            let comma = if i + 1 < lines.len() { "," } else { "" };
            let _ = writeln!(text, "  {line}{comma}");
        }
        text.push(')');
        push_comment(&mut text, self.comment.as_deref());
        if let Some(distribution) = &self.distribution {
            let _ = write!(text, "\n{}", distribution_line(distribution));
        }
        if !self.partitioned_by.is_empty() {
            let _ = write!(text, "\nPARTITIONED BY ({})", quoted_list(&self.partitioned_by));
        }
        push_options(&mut text, &self.options);
        text
    }
}

impl ViewDef {
    /// The text of `SHOW CREATE VIEW` or `SHOW CREATE MATERIALIZED VIEW`.
    pub fn show_create(&self) -> String {
        let temporary = if self.temporary { "TEMPORARY " } else { "" };
        let materialized = if self.materialized { "MATERIALIZED " } else { "" };
        let mut text = format!("CREATE {temporary}{materialized}VIEW {}", self.path.quoted());
        if !self.columns.is_empty() {
            let columns: Vec<String> = self
                .columns
                .iter()
                .map(|c| {
                    let comment = c.comment.as_deref();
                    let comment = comment.map(|t| format!(" COMMENT {}", quote_string(t)));
                    format!("{}{}", quote_identifier(&c.name), comment.unwrap_or_default())
                })
                .collect();
            let _ = write!(text, " (\n  {}\n)", columns.join(",\n  "));
        }
        push_comment(&mut text, self.comment.as_deref());
        if let Some(key) = &self.primary_key {
            let _ = write!(text, "\n{}", key_line(key));
        }
        push_options(&mut text, &self.options);
        let _ = write!(text, "\nAS {}", self.query.text);
        text
    }
}

fn column_line(column: &ColumnDef) -> String {
    let mut line = quote_identifier(&column.name);
    match (&column.kind, &column.data_type) {
        (ColumnKind::Computed(expr), _) => {
            let _ = write!(line, " AS {}", expr.text);
        }
        (_, Some(data_type)) => {
            let _ = write!(line, " {data_type}");
        }
        (_, None) => {}
    }
    if let ColumnKind::Metadata { key, is_virtual } = &column.kind {
        line.push_str(" METADATA");
        if let Some(key) = key {
            let _ = write!(line, " FROM {}", quote_string(key));
        }
        line.push_str(if *is_virtual { " VIRTUAL" } else { "" });
    }
    if let Some(comment) = &column.comment {
        let _ = write!(line, " COMMENT {}", quote_string(comment));
    }
    line
}

fn key_line(key: &PrimaryKey) -> String {
    let name = key.name.as_ref().map(|n| format!("CONSTRAINT {} ", quote_identifier(n)));
    let columns = quoted_list(&key.columns);
    format!("{}PRIMARY KEY ({columns}) NOT ENFORCED", name.unwrap_or_default())
}

fn distribution_line(distribution: &Distribution) -> String {
    let mut line = "DISTRIBUTED".to_string();
    if !distribution.columns.is_empty() {
        let kind = match distribution.kind {
            Some(DistributionKind::Hash) => "HASH",
            Some(DistributionKind::Range) => "RANGE",
            None => "",
        };
        let _ = write!(line, " BY {kind}({})", quoted_list(&distribution.columns));
    }
    if let Some(buckets) = distribution.buckets {
        let _ = write!(line, " INTO {buckets} BUCKETS");
    }
    line
}

fn quoted_list(names: &[String]) -> String {
    names.iter().map(|n| quote_identifier(n)).collect::<Vec<_>>().join(", ")
}

fn push_comment(text: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment {
        let _ = write!(text, "\nCOMMENT {}", quote_string(comment));
    }
}

fn push_options(text: &mut String, options: &Options) {
    if options.is_empty() {
        return;
    }
    let lines: Vec<String> = options
        .iter()
        .map(|o| format!("  {} = {}", quote_string(&o.key), quote_string(&o.value)))
        .collect();
    let _ = write!(text, "\nWITH (\n{}\n)", lines.join(",\n"));
}
