//! What somebody saves while the job runs: files of the project like all others.
//!
//! A file is called `zz_saved_0001_NAME.sql`: it comes after everything that the project's authors
//! wrote, and after the views that were saved before it, which it may read.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rialto_sql::catalog::ObjectPath;
use rialto_sql::parser::{ParsedStatement, Statement, parse};
use rialto_sql::types::quote_identifier;
use serde::Serialize;

use super::{Column, Design, DesignError, Result, columns_of, missing, name_of};

/// How the files begin.
const PREFIX: &str = "zz_saved_";
/// The longest name.
const NAME_BYTES_MAX: usize = 64;
/// Saved views of a project at most.
const SAVED_MAX: usize = 500;

/// A view as somebody wants it saved.
#[derive(Debug)]
pub struct NewView<'a> {
    /// Its name: lower-case letters, digits and `_`.
    pub name: &'a str,
    /// One `SELECT`.
    pub query: &'a str,
    /// What it is for; none where it says so itself.
    pub comment: Option<&'a str>,
    /// Who saves it.
    pub actor: &'a str,
}

/// A view that was saved.
#[derive(Debug, Serialize)]
pub struct SavedView {
    /// Its name.
    pub name: String,
    /// The file, relative to the project.
    pub file: String,
    /// Its columns.
    pub columns: Vec<Column>,
}

impl Design {
    /// Saves a view into the project, once it is sure that it can be planned and run there.
    ///
    /// # Errors
    /// Where it cannot, there is something of this name, or the file cannot be written.
    pub fn save(&self, view: &NewView<'_>) -> Result<SavedView> {
        check_name(view.name)?;
        let text = text_of(view)?;
        let statement = only_view(&text, view.name)?;
        // Who saves at the same time waits: numbers and names are given once.
        let mut session = self.session();
        let mut tried = session.clone();
        tried.bound = session.bound.share();
        tried.catalog.apply(&statement.statement)?;
        let Statement::CreateMaterializedView(create) = &statement.statement else {
            return Err(refused("this is no materialized view", "write one SELECT"));
        };
        let created = tried.catalog.view(&create.name)?.clone();
        let relation = tried.catalog.relation(&create.name)?;
        let columns = columns_of(&tried, relation)?;
        // Not all that can be asked can be kept: only the whole way down tells.
        self.planning(|plan| Ok(plan.add_view(&tried, &created)?))?;
        let file = self.new_file(view.name)?;
        write_new(&file, &text)?;
        *session = tried;
        let file = file.strip_prefix(self.folder()).unwrap_or(&file);
        Ok(SavedView { name: view.name.to_owned(), file: file.display().to_string(), columns })
    }

    /// Takes what was saved out of the project. The job that runs keeps it until its end.
    ///
    /// # Errors
    /// Where it is none, or something reads it.
    pub fn remove(&self, name: &str) -> Result<()> {
        let files = self.saved()?;
        let Some((_, file)) = files.iter().find(|(saved, _)| saved == name) else {
            let session = self.snapshot();
            let all = session.catalog.relations(None)?;
            if !all.iter().any(|one| name_of(&session, one.path()) == name) {
                return Err(missing(&session, name));
            }
            let what = format!("'{name}' was not saved here: it is in a file of the project");
            return Err(refused(what, "take it out of that file, and run the project again"));
        };
        let text = fs::read_to_string(file).map_err(|e| unusable(file, &e))?;
        // A file that somebody has broken since can be taken out all the same.
        let own = || vec![("MATERIALIZED VIEW", name.to_owned())];
        let declared = declared_in(&text).unwrap_or_else(|_| own());
        for (_, one) in &declared {
            if let Some(reader) = self.named_in(one, file)? {
                let what = format!("'{one}' is named in {}", reader.display());
                return Err(refused(what, "take out what reads it first"));
            }
        }
        let mut session = self.session();
        let mut without = session.clone();
        without.bound = session.bound.share();
        for (kind, one) in declared.iter().rev() {
            let drop = format!("DROP {kind} IF EXISTS {}", quote_identifier(one));
            for parsed in parse(&drop)? {
                without.catalog.apply(&parsed.statement)?;
            }
        }
        fs::remove_file(file).map_err(|e| unusable(file, &e))?;
        let gone = |path: &ObjectPath| declared.iter().any(|(_, one)| *one == path.object);
        let dropped = session.catalog.relations(None)?.into_iter().map(|one| one.path().clone());
        dropped.filter(gone).for_each(|path| self.forget(&path));
        *session = without;
        Ok(())
    }

    /// The names of the views that were saved.
    pub(super) fn saved_names(&self) -> Result<BTreeSet<String>> {
        Ok(self.saved()?.into_iter().map(|(name, _)| name).collect())
    }

    /// Where the project's own SQL lies; none, where it is one file.
    fn place(&self) -> Option<PathBuf> {
        let project = self.project.is_dir().then_some(&self.project)?;
        let inner = project.join("sql");
        Some(if inner.is_dir() { inner } else { project.clone() })
    }

    /// The views that were saved, each with its file, in the order of the files.
    fn saved(&self) -> Result<Vec<(String, PathBuf)>> {
        let Some(place) = self.place() else { return Ok(Vec::new()) };
        let entries = fs::read_dir(&place).map_err(|e| unusable(&place, &e))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        files.sort();
        Ok(files.into_iter().filter_map(|file| Some((saved_name(&file)?.1, file))).collect())
    }

    /// A file for what is saved next.
    pub(super) fn new_file(&self, name: &str) -> Result<PathBuf> {
        let Some(place) = self.place() else {
            let what = format!("the project is one file: {}", self.project.display());
            return Err(refused(what, "views are saved into a folder: make it a project of one"));
        };
        let saved = self.saved()?;
        if saved.len() >= SAVED_MAX {
            let what = format!("{SAVED_MAX} views are saved already");
            return Err(refused(what, "remove some, or write files of your own"));
        }
        let last = saved.iter().filter_map(|(_, file)| Some(saved_name(file)?.0)).max();
        let number = last.unwrap_or(0) + 1;
        Ok(place.join(format!("{PREFIX}{number:04}_{name}.sql")))
    }

    /// A file of the project, other than its own, that has a name as a word.
    fn named_in(&self, name: &str, own: &Path) -> Result<Option<PathBuf>> {
        let Some(place) = self.place() else { return Ok(None) };
        for entry in fs::read_dir(&place).map_err(|e| unusable(&place, &e))? {
            let Ok(path) = entry.map(|entry| entry.path()) else { continue };
            if path == own || path.extension().is_none_or(|end| end != "sql") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|e| unusable(&path, &e))?;
            let is_part = |c: char| !c.is_alphanumeric() && c != '_';
            if text.split(is_part).any(|word| word == name) {
                return Ok(Some(path.strip_prefix(self.folder()).unwrap_or(&path).to_path_buf()));
            }
        }
        Ok(None)
    }
}

/// The number and the name of a saved view's file.
fn saved_name(file: &Path) -> Option<(u32, String)> {
    let name = file.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(".sql")?;
    let (number, name) = name.split_once('_')?;
    Some((number.parse().ok()?, name.to_owned()))
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_name) {
        return Ok(());
    }
    let said: String = name.chars().take(80).collect();
    let hint = "take 1 to 64 lower-case letters, digits and '_', a letter first";
    Err(refused(format!("'{said}' is no name of a view"), hint))
}

/// What the file says.
fn text_of(view: &NewView<'_>) -> Result<String> {
    check_variables(&[Some(view.query), view.comment])?;
    let mut query = view.query.trim();
    query = query.strip_suffix(';').unwrap_or(query).trim_end();
    if !matches!(parse(query)?.as_slice(), [one] if matches!(one.statement, Statement::Query(_))) {
        let what = "only one SELECT can be saved as a view";
        return Err(refused(what, "what else it needs belongs into a file of the project"));
    }
    let mut text = heading(view.actor, view.comment);
    let name = quote_identifier(view.name);
    text.push_str(&format!("CREATE MATERIALIZED VIEW {name} AS\n{query}\n;\n"));
    Ok(text)
}

/// What a saved file declares: kind and name, in order.
fn declared_in(text: &str) -> Result<Vec<(&'static str, String)>> {
    let declared = parse(text)?.into_iter().filter_map(|parsed| match parsed.statement {
        Statement::CreateTable(one) => Some(("TABLE", one.name)),
        Statement::CreateView(one) => Some(("VIEW", one.name)),
        Statement::CreateMaterializedView(one) => Some(("MATERIALIZED VIEW", one.name)),
        _ => None,
    });
    Ok(declared.map(|(kind, name)| (kind, name.object().to_owned())).collect())
}

/// How what is saved begins: who saved it, and what it is for.
pub(super) fn heading(actor: &str, comment: Option<&str>) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!("-- Saved in the console by {}.\n", line(actor));
    if let Some(comment) = comment.filter(|comment| !comment.trim().is_empty()) {
        text.push_str(&format!("-- {}\n", line(comment)));
    }
    text
}

/// Refuses what a file of the project would replace by something else.
pub(super) fn check_variables(texts: &[Option<&str>]) -> Result<()> {
    if texts.iter().flatten().all(|text| !text.contains("${")) {
        return Ok(());
    }
    let what = "the text has ${…}, which a file of the project would replace";
    Err(refused(what, "write what it stands for"))
}

/// The one statement of what will be read from the file.
fn only_view(text: &str, name: &str) -> Result<ParsedStatement> {
    let mut statements = parse(text)?;
    let is_it = |parsed: &ParsedStatement| match &parsed.statement {
        Statement::CreateMaterializedView(create) => create.name.parts == [name],
        _ => false,
    };
    match (statements.pop(), statements.is_empty()) {
        (Some(parsed), true) if is_it(&parsed) => Ok(parsed),
        _ => Err(refused("only one SELECT can be saved as a view", "write one SELECT")),
    }
}

/// Writes a file that is not there yet, durably: what is answered as saved is.
pub(super) fn write_new(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a view would keep the project from running.
            let _ = fs::remove_file(path);
        }
        written?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|e| unusable(path, &e))
}

pub(super) fn unusable(path: &Path, error: &std::io::Error) -> DesignError {
    let reason = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("{error}: let this Rialto write the project's folder, or save it by hand")
        }
        _ => error.to_string(),
    };
    DesignError::File { path: path.to_path_buf(), reason }
}

pub(super) fn refused(what: impl Into<String>, hint: &str) -> DesignError {
    DesignError::Refused { what: what.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use rialto_sql::planner::Session;

    use super::*;

    const PROJECT: &str = "CREATE TABLE sale (id INT, sku STRING, pieces INT, at_ms BIGINT) \
        WITH ('connector' = 'http');\n\
        CREATE VIEW sold AS SELECT sku, pieces FROM sale WHERE at_ms > 0;\n\
        CREATE MATERIALIZED VIEW by_sku AS SELECT sku, SUM(pieces) AS n FROM sold GROUP BY sku;";

    fn project() -> (tempfile::TempDir, Design) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sql")).unwrap();
        fs::write(dir.path().join("sql/a.sql"), PROJECT).unwrap();
        let mut session = Session::default();
        for parsed in parse(PROJECT).unwrap() {
            session.catalog.apply(&parsed.statement).unwrap();
        }
        let design = Design::new(dir.path(), &[], &session);
        (dir, design)
    }

    fn save(design: &Design, name: &str, query: &str) -> Result<SavedView> {
        design.save(&NewView { name, query, comment: Some("for\ntests"), actor: "ann" })
    }

    #[test]
    fn what_is_saved_is_a_file_that_others_can_read() {
        let (dir, design) = project();
        let saved = save(&design, "top", "SELECT sku, n FROM by_sku WHERE n > 3 -- many").unwrap();
        assert_eq!(saved.file, "sql/zz_saved_0001_top.sql");
        let text = fs::read_to_string(dir.path().join(&saved.file)).unwrap();
        assert_eq!(
            text,
            "-- Saved in the console by ann.\n-- for tests\nCREATE MATERIALIZED VIEW `top` AS\n\
             SELECT sku, n FROM by_sku WHERE n > 3 -- many\n;\n"
        );
        let second = save(&design, "count_top", "SELECT COUNT(*) AS n FROM top;").unwrap();
        assert_eq!(second.file, "sql/zz_saved_0002_count_top.sql");
        let declared = design.declared().unwrap();
        let top = declared.iter().find(|one| one.name == "top").unwrap();
        assert!(top.is_saved && !top.is_running && top.kind == "materialized view");
        assert!(declared.iter().any(|one| one.name == "by_sku" && one.is_running));
        // The next run reads them in this order.
        let next = crate::project::Project::open(dir.path(), &[]).unwrap();
        assert_eq!(next.files.len(), 3);
        let said = design.remove("top").unwrap_err().to_string();
        assert_eq!(said, "'top' is named in sql/zz_saved_0002_count_top.sql");
        design.remove("count_top").unwrap();
        design.remove("top").unwrap();
        assert!(!dir.path().join("sql/zz_saved_0001_top.sql").exists());
        assert!(design.declared().unwrap().iter().all(|one| !one.is_saved));
    }

    #[test]
    fn what_cannot_be_saved_leaves_nothing() {
        let (dir, design) = project();
        for (name, query, said) in [
            ("Top", "SELECT 1 AS a", "no name"),
            ("1a", "SELECT 1 AS a", "no name"),
            ("by_sku", "SELECT sku FROM sold", "already"),
            ("a", "SELECT nothing FROM sold", "nothing"),
            ("a", "DROP TABLE sale", "only one SELECT"),
            ("a", "SELECT 1 AS a; SELECT 2 AS b", "only one SELECT"),
            ("a", "SELECT '${x}' AS a", "${"),
            ("a", "SELECT sku FROM sold /*", ""),
        ] {
            let error = save(&design, name, query).unwrap_err().to_string();
            assert!(error.contains(said), "{query}: {error}");
        }
        assert_eq!(fs::read_dir(dir.path().join("sql")).unwrap().count(), 1);
        assert!(design.remove("by_sku").unwrap_err().to_string().contains("was not saved here"));
        assert!(matches!(design.remove("nobody"), Err(DesignError::Missing { .. })));
    }

    #[test]
    fn lineage_goes_through_views_down_to_the_table() {
        let (_dir, design) = project();
        let found = design.lineage("by_sku").unwrap();
        let names: Vec<_> = found.members.iter().map(|m| (m.name.as_str(), m.distance)).collect();
        assert_eq!(names, [("by_sku", 0), ("sold", 1), ("sale", 2)]);
        let has = |from: (&str, &str), to: (&str, Option<&str>)| {
            found.edges.iter().any(|edge| {
                (edge.from.0.as_str(), edge.from.1.as_str()) == from
                    && (edge.to.0.as_str(), edge.to.1.as_deref()) == to
            })
        };
        assert!(has(("sold", "pieces"), ("by_sku", Some("n"))));
        assert!(has(("sold", "sku"), ("by_sku", Some("sku"))));
        assert!(has(("sale", "pieces"), ("sold", Some("pieces"))));
        assert!(has(("sale", "at_ms"), ("sold", None)), "{:?}", found.edges);
        assert!(!has(("sale", "at_ms"), ("sold", Some("pieces"))));
        assert!(!has(("sale", "id"), ("sold", None)));
        assert_eq!(design.lineage("sold").unwrap().read_by, ["by_sku"]);
        assert!(matches!(design.lineage("by_skus"), Err(DesignError::Missing { .. })));
    }
}
