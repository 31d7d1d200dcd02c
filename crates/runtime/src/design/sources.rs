//! Tables that are read, saved into the project as views are; with a view that says what their
//! columns mean, where one is given.
//!
//! # Semantics
//! Who saves a source has the job read where it points to. Files must lie in the project's folder:
//! whoever may change the project over the network does not get to read the machine with it.
//!
//! A password is not written into a file of the project: a source names a variable of the project,
//! `'password' = '${name}'`, and whoever runs the project says what it is. No other part of a
//! source may name one, so that nobody has it shown.

use rialto_connectors::Environment;
use rialto_sql::catalog::TableDef;
use rialto_sql::parser::{CreateTable, Options, ParsedStatement, Statement, parse};
use serde::Serialize;

use super::saved::{check_name, check_variables, heading, refused, write_new};
use super::{Column, Design, Result, columns_of};
use crate::project::{ProjectError, variables};
use crate::session::Runtime;

/// The option that may name a variable.
const PASSWORD: &str = "password";

/// A source as somebody wants it saved.
#[derive(Debug)]
pub struct NewSource<'a> {
    /// The table's name: lower-case letters, digits and `_`.
    pub name: &'a str,
    /// A `CREATE TABLE`, and a view over it where there is one.
    pub text: &'a str,
    /// What it is for.
    pub comment: Option<&'a str>,
    /// Who saves it.
    pub actor: &'a str,
}

/// A source that was saved.
#[derive(Debug, Serialize)]
pub struct SavedSource {
    /// The table.
    pub name: String,
    /// The view over it.
    pub view: Option<String>,
    /// The file, relative to the project.
    pub file: String,
    /// The columns of the view, or else of the table.
    pub columns: Vec<Column>,
}

impl Design {
    /// Saves a table that is read, and what is made of its rows, into the project.
    ///
    /// # Errors
    /// Where it is something else, cannot be planned, reads files from elsewhere, or cannot be
    /// written.
    pub fn save_source(&self, source: &NewSource<'_>) -> Result<SavedSource> {
        check_name(source.name)?;
        check_variables(&[source.comment])?;
        let body = source.text.trim();
        let text = format!("{}{body}\n", heading(source.actor, source.comment));
        let statements = parse(&text)?;
        let (create, view) = parts(&statements)?;
        match password_of(&create.options) {
            Some(name) => {
                self.password(name)?;
                check_variables(&[Some(&text.replacen(&format!("${{{name}}}"), "", 1))])?;
            }
            None => check_variables(&[Some(&text)])?,
        }
        if create.name.parts != [source.name] {
            let what = format!("the table is not called '{}'", source.name);
            return Err(refused(what, "give the source and its table one name"));
        }
        self.check_place(&statements)?;
        // Who saves at the same time waits: numbers and names are given once.
        let mut session = self.session();
        let mut tried = session.clone();
        tried.bound = session.bound.share();
        let mut runtime = Runtime::over(tried, self.rooted());
        self.planning(|plan| {
            statements.iter().try_for_each(|one| Ok(runtime.plan(one, plan).map(drop)?))
        })?;
        let tried = runtime.into_session();
        let table = tried.catalog.table(&create.name)?;
        readable(table)?;
        let made = view.as_ref().unwrap_or(&create.name);
        let columns = columns_of(&tried, tried.catalog.relation(made)?)?;
        let file = self.new_file(source.name)?;
        write_new(&file, &text)?;
        *session = tried;
        let file = file.strip_prefix(self.folder()).unwrap_or(&file);
        Ok(SavedSource {
            name: source.name.to_owned(),
            view: view.map(|view| view.object().to_owned()),
            file: file.display().to_string(),
            columns,
        })
    }

    /// The value of a variable of the project that is a password.
    fn password(&self, name: &str) -> Result<String> {
        let unusable = |e: ProjectError| refused(e.to_string(), "put the file right");
        let variables = variables(&self.project, &self.variables).map_err(unusable)?;
        variables.get(name).cloned().ok_or_else(|| {
            let what = format!("the project has no variable '{name}' for the password");
            refused(what, "run it with -D NAME=VALUE, or name it in [variables] of rialto.toml")
        })
    }

    /// The options with the password that they name.
    pub(super) fn with_password(&self, options: &mut Options) -> Result<()> {
        if let Some(name) = password_of(options).map(str::to_owned) {
            options.set(PASSWORD, self.password(&name)?, None);
        }
        Ok(())
    }

    /// The world that a source of the console may touch.
    pub(super) fn rooted(&self) -> Environment {
        let mut environment = Environment::new(self.folder());
        environment.roots = Some(vec![self.folder().to_path_buf()]);
        environment
    }

    /// Refuses a table of files that lie elsewhere: files are opened to see.
    fn check_place(&self, statements: &[ParsedStatement]) -> Result<()> {
        let [create, ..] = statements else { return Ok(()) };
        let Statement::CreateTable(table) = &create.statement else { return Ok(()) };
        if table.options.get("connector") == Some("filesystem") {
            self.try_to_open(create)?;
        }
        Ok(())
    }
}

/// The variable that stands for the password.
fn password_of(options: &Options) -> Option<&str> {
    options.get(PASSWORD)?.strip_prefix("${")?.strip_suffix('}')
}

/// Refuses a table that cannot be read.
fn readable(table: &TableDef) -> Result<()> {
    let connector = table.options.get("connector").unwrap_or_default();
    match rialto_connectors::capabilities(connector, table.options.get("format")) {
        Some(able) if !able.readable => {
            let what = format!("the connector '{connector}' is for writing only");
            Err(refused(what, "take one that can be read"))
        }
        _ => Ok(()),
    }
}

/// The table, and the name of the view over it.
fn parts(
    statements: &[ParsedStatement],
) -> Result<(&CreateTable, Option<rialto_sql::parser::QualifiedName>)> {
    let only = || refused("a source is one CREATE TABLE, and a view over it", "leave out the rest");
    let (first, rest) = statements.split_first().ok_or_else(only)?;
    let Statement::CreateTable(create) = &first.statement else { return Err(only()) };
    let is_plain = create.query.is_none() && create.like.is_none() && !create.temporary;
    if !is_plain {
        return Err(refused("a source declares its own columns", "write CREATE TABLE name (…)"));
    }
    match rest {
        [] => Ok((create, None)),
        [one] => match &one.statement {
            Statement::CreateView(view) => Ok((create, Some(view.name.clone()))),
            Statement::CreateMaterializedView(view) => Ok((create, Some(view.name.clone()))),
            _ => Err(only()),
        },
        _ => Err(only()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rialto_sql::planner::Session;

    use super::*;

    const TILL: &str = "CREATE TABLE till (id INT, pieces STRING) WITH \
        ('connector' = 'filesystem', 'path' = 'till.json', 'format' = 'json');";

    fn project() -> (tempfile::TempDir, Design) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sql")).unwrap();
        fs::write(dir.path().join("till.json"), "{\"id\": 1, \"pieces\": \"4\"}\n").unwrap();
        let design = Design::new(dir.path(), &[], &Session::default());
        (dir, design)
    }

    fn save(design: &Design, name: &str, text: &str) -> Result<SavedSource> {
        design.save_source(&NewSource { name, text, comment: Some("the till"), actor: "ann" })
    }

    #[test]
    fn a_source_is_a_file_with_its_table_and_its_view() {
        let (dir, design) = project();
        let view = "CREATE MATERIALIZED VIEW till_rows AS\n\
                    SELECT id, TRY_CAST(pieces AS INT) AS pieces FROM till;";
        let saved = save(&design, "till", &format!("{TILL}\n{view}")).unwrap();
        assert_eq!(saved.file, "sql/zz_saved_0001_till.sql");
        assert_eq!(saved.view.as_deref(), Some("till_rows"));
        let types: Vec<&str> = saved.columns.iter().map(|c| c.data_type.as_str()).collect();
        assert_eq!(types, ["INT", "INT"]);
        let text = fs::read_to_string(dir.path().join(&saved.file)).unwrap();
        assert!(
            text.starts_with("-- Saved in the console by ann.\n-- the till\nCREATE TABLE till")
        );
        let declared = design.declared().unwrap();
        assert!(declared.iter().any(|one| one.name == "till" && one.is_saved && !one.is_running));
        assert!(declared.iter().any(|one| one.name == "till_rows"));
        // Both go together, and the names are free again.
        design.remove("till").unwrap();
        assert!(design.declared().unwrap().is_empty());
        save(&design, "till", TILL).unwrap();
    }

    #[test]
    fn a_password_is_a_variable_of_the_project() {
        let (dir, design) = project();
        let stock = "CREATE TABLE stock (sku STRING) WITH ('connector' = 'jdbc', 'url' = \
            'jdbc:postgresql://127.0.0.1:1/shop', 'table-name' = 'stock', \
            'username' = 'ann', 'password' = '${pg}');";
        let missing = save(&design, "stock", stock).unwrap_err().to_string();
        assert!(missing.contains("no variable 'pg'"), "{missing}");
        fs::write(dir.path().join("rialto.toml"), "[variables]\npg = \"secret\"\n").unwrap();
        // Nobody has it shown, or sent to where it does not belong.
        for text in [
            stock.replace("'stock',", "'${pg}',"),
            format!("{stock}CREATE VIEW v AS SELECT '${{pg}}' AS told FROM stock;"),
            stock.replace("'${pg}'", "'x${pg}'"),
        ] {
            let error = save(&design, "stock", &text).unwrap_err().to_string();
            assert!(error.contains("${"), "{text}: {error}");
        }
        let saved = save(&design, "stock", stock).unwrap();
        let text = fs::read_to_string(dir.path().join(saved.file)).unwrap();
        assert!(text.contains("'${pg}'") && !text.contains("secret"));
        let mut options = Options::new();
        options.set(PASSWORD, "${pg}", None);
        design.with_password(&mut options).unwrap();
        assert_eq!(options.get(PASSWORD), Some("secret"));
    }

    #[test]
    fn what_is_no_source_of_the_project_leaves_nothing() {
        let (dir, design) = project();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("a.json"), "{}\n").unwrap();
        let elsewhere = TILL.replace("till.json", &outside.path().join("a.json").to_string_lossy());
        for (name, text, said) in [
            ("till", elsewhere.as_str(), "is not allowed"),
            ("till", &TILL.replace("till.json", "${x}"), "${"),
            ("other", TILL, "not called 'other'"),
            ("till", "DROP TABLE till", "one CREATE TABLE"),
            ("till", &format!("{TILL} DROP TABLE till;"), "one CREATE TABLE"),
            ("till", &TILL.replace("'filesystem'", "'print'"), ""),
            ("till", &TILL.replace("'json')", "'jsn')"), "jsn"),
            ("till", &format!("{TILL} CREATE VIEW v AS SELECT nothing FROM till;"), "nothing"),
        ] {
            let error = save(&design, name, text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert_eq!(fs::read_dir(dir.path().join("sql")).unwrap().count(), 0);
        assert!(design.declared().unwrap().is_empty());
    }
}
