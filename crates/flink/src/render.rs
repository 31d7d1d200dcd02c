//! A project as Flink SQL, and what stays of it with the local Rialto.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rialto_runtime::Runtime;
use rialto_runtime::project::Project;
use rialto_runtime::sql::catalog::{ColumnKind, ObjectPath, TableDef};
use rialto_runtime::sql::parser::{
    AlterAction, CreateTable, Insert, ParsedStatement, QualifiedName, Statement,
};
use rialto_runtime::sql::planner::Session;
use rialto_runtime::sql::step::has_changes;
use rialto_runtime::sql::types::{quote_identifier, quote_string};

use crate::config::Config;
use crate::constants::{numbered, numbers};
use crate::functions::with_known_functions;
use crate::mapping::{
    Fate, Shape, Side, TRANSACTIONS, Topic, Uses, Writer, fate, not_json, record_columns, shape_of,
    topic_name, topic_options, topic_table, with_clause,
};
use crate::report::{Finding, Verdict};
use crate::survey::{Declared, Item, Refused, Survey, ViewShape, survey};
use crate::text::{TableText, edited, with_hint, with_quoted_words};

/// A statement for Flink, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The statement, without its semicolon.
    pub text: String,
    /// The file of the user's statement; none: the project has not said it.
    pub place: Option<(PathBuf, u64)>,
    /// Whether it writes to a table with a key, where a new row takes the place of the old one.
    pub is_keyed: bool,
}

/// A project, rendered.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The name of the job.
    pub name: String,
    /// What is set and declared, in order.
    pub declarations: Vec<Part>,
    /// What runs: the members of one statement set.
    pub inserts: Vec<Part>,
    /// The SQL of the local Rialto: it fills and empties topics, and serves the views.
    pub local: Vec<String>,
    /// The topics in between.
    pub topics: Vec<Topic>,
    /// What is said of each statement of the project.
    pub findings: Vec<Finding>,
}

/// Renders a project for Flink.
pub fn render(
    project: &Project,
    name: &str,
    config: &Config,
    runtime: &mut Runtime,
) -> Result<Rendered, Box<Refused>> {
    let survey = survey(project, runtime)?;
    let base = std::path::absolute(&project.base_dir).unwrap_or_else(|_| project.base_dir.clone());
    let rendered = Rendered { name: name.to_owned(), ..Rendered::default() };
    let mut renderer = Renderer {
        survey: &survey,
        config,
        base,
        rendered,
        numbers: 0,
        transactions: BTreeMap::new(),
    };
    renderer.preamble();
    let set = renderer.rendered.declarations.len();
    for item in &survey.items {
        renderer.item(item);
    }
    let mut rendered = renderer.rendered;
    if renderer.numbers > 0 {
        let part = Part { text: numbers(renderer.numbers), place: None, is_keyed: false };
        rendered.declarations.insert(set, part);
    }
    Ok(rendered)
}

impl Rendered {
    /// Whether every statement has its place.
    pub fn is_portable(&self) -> bool {
        self.findings.iter().all(|f| f.verdict != Verdict::NotPortable)
    }

    /// The statement set that is the job; none where there is nothing to run.
    pub fn statement_set(&self) -> Option<String> {
        let members: Vec<String> =
            self.inserts.iter().map(|part| format!("{};\n", part.text)).collect();
        let set = format!("EXECUTE STATEMENT SET\nBEGIN\n{}END", members.concat());
        (!members.is_empty()).then_some(set)
    }

    /// All of it as a script for Flink's own client.
    pub fn script(&self) -> String {
        let mut out = String::new();
        for part in &self.declarations {
            if let Some((file, line)) = &part.place {
                out.push_str(&format!("-- {}:{line}\n", file.display()));
            }
            out.push_str(&format!("{};\n\n", part.text));
        }
        self.statement_set().iter().for_each(|set| out.push_str(&format!("{set};\n")));
        out
    }

    /// The SQL of the local Rialto as a file.
    pub fn local_script(&self) -> String {
        let mut out = format!(
            "-- What stays with Rialto while '{}' runs on Flink: it fills topics, empties topics, \
             and serves\n-- the views. Written by `rialto deploy flink`, which writes it anew.\n\n",
            self.name
        );
        self.local.iter().for_each(|text| out.push_str(&format!("{text};\n\n")));
        out
    }
}

struct Renderer<'a> {
    survey: &'a Survey<'a>,
    config: &'a Config,
    base: PathBuf,
    rendered: Rendered,
    /// How many numbers constant rows need.
    numbers: usize,
    /// By what prefix the transactions of a table's topic are told apart, and how many inserts have
    /// been seen that write to it.
    transactions: BTreeMap<ObjectPath, (String, usize)>,
}

/// How a topic is read back where everything shall end: `-D BOUNDED=latest-offset`.
const BOUNDED: (&str, &str) = ("scan.bounded.mode", "${BOUNDED:-unbounded}");

impl Renderer<'_> {
    fn preamble(&mut self) {
        let mut settings: Vec<(String, String)> = vec![
            ("pipeline.name".into(), self.rendered.name.clone()),
            // Flink's own default is the zone of whatever machine plans the job.
            ("table.local-time-zone".into(), "UTC".into()),
            ("execution.checkpointing.interval".into(), "10 s".into()),
            // A job that failed goes on from its last checkpoint when it is deployed again.
            (
                "execution.checkpointing.externalized-checkpoint-retention".into(),
                "RETAIN_ON_CANCELLATION".into(),
            ),
            // A sink whose key is not the query's takes the last row, as Rialto's does.
            ("table.exec.sink.require-on-conflict".into(), "false".into()),
        ];
        for (key, value) in &self.config.settings {
            settings.retain(|(known, _)| known != key);
            settings.push((key.clone(), value.clone()));
        }
        for (key, value) in settings {
            let text = format!("SET {} = {}", quote_string(&key), quote_string(&value));
            self.rendered.declarations.push(Part { text, place: None, is_keyed: false });
        }
    }

    fn found(&mut self, item: &Item<'_>, verdict: Verdict, what: String, why: impl Into<String>) {
        let (file, line) = (item.file.path.clone(), item.parsed.span.start.line);
        let (mut verdict, mut why) = (verdict, why.into());
        if verdict == Verdict::Same && with_quoted_words(&item.parsed.text).is_some() {
            verdict = Verdict::Mapped;
            why = "a name is put in backticks: it is a reserved word there".into();
        }
        if verdict == Verdict::Same && with_known_functions(&item.parsed.text).is_some() {
            verdict = Verdict::Mapped;
            why = "CONV of a hash is a sum of its digits there".into();
        }
        if verdict == Verdict::Same && numbered(&item.parsed.text).is_some() {
            verdict = Verdict::Mapped;
            why = "its constant rows come from numbers: Flink may read them twice".into();
        }
        self.rendered.findings.push(Finding { file, line, verdict, what, why });
    }

    /// A text as it means the same there.
    fn there(&mut self, text: String) -> String {
        let text = with_quoted_words(&text).unwrap_or(text);
        let text = with_known_functions(&text).unwrap_or(text);
        match numbered(&text) {
            Some(numbered) => {
                self.numbers = self.numbers.max(numbered.rows);
                numbered.text
            }
            None => text,
        }
    }

    fn declare(&mut self, item: &Item<'_>, text: String) {
        let text = self.there(text);
        let place = Some((item.file.path.clone(), item.parsed.span.start.line));
        self.rendered.declarations.push(Part { text, place, is_keyed: false });
    }

    /// A statement that means the same on both sides.
    fn same(&mut self, item: &Item<'_>, what: String, is_local: bool) {
        self.declare(item, item.parsed.text.clone());
        if is_local {
            self.rendered.local.push(item.parsed.text.clone());
        }
        self.found(item, Verdict::Same, what, "");
    }

    fn item(&mut self, item: &Item<'_>) {
        match (&item.parsed.statement, &item.declared) {
            (Statement::CreateTable(create), Declared::Table(table)) => {
                self.table(item, create, table);
            }
            (Statement::CreateMaterializedView(_), Declared::View(shape)) => self.view(item, shape),
            (Statement::Insert(insert), _) => self.insert(item, insert),
            (Statement::StatementSet(inserts), _) => {
                inserts.iter().for_each(|insert| self.insert(item, insert));
            }
            (statement, _) => self.other(item, statement),
        }
    }

    fn other(&mut self, item: &Item<'_>, statement: &Statement) {
        let what = beginning(item.parsed);
        let nowhere = |why: &str| (Verdict::NotPortable, why.to_owned());
        let (verdict, why) = match statement {
            Statement::Set(Some((key, _))) | Statement::Reset(Some(key))
                if key.starts_with("rialto.") =>
            {
                // The views that are shared are read there, and not here.
                if !key.starts_with(Session::SHARE) {
                    self.rendered.local.push(item.parsed.text.clone());
                }
                (Verdict::Mapped, "left out there: it is Rialto's own".to_owned())
            }
            Statement::Query(_) | Statement::Show(_) | Statement::Describe(_) => {
                (Verdict::Mapped, "left out there: it only prints; ask the local Rialto".into())
            }
            Statement::Explain(_) | Statement::ExplainWatermark(_) => {
                (Verdict::Mapped, "left out there: it only prints".into())
            }
            Statement::DropMaterializedView(_) => {
                nowhere("the view is a view and a topic there (take both statements out)")
            }
            Statement::CreateModel(_) | Statement::DropModel(_) => {
                nowhere("models are asked by Rialto")
            }
            Statement::AlterTable(alter) => match &alter.action {
                AlterAction::SetOptions(_) | AlterAction::ResetOptions(_) => {
                    nowhere("its options are mapped where the table is declared; write them there")
                }
                AlterAction::RenameTable(_) | AlterAction::RenameColumn { .. } => {
                    nowhere("topics have the names that were declared; write the new name there")
                }
                _ => return self.same(item, what, true),
            },
            Statement::CreateView(_)
            | Statement::AlterView(_)
            | Statement::DropView(_)
            | Statement::CreateFunction(_)
            | Statement::DropFunction(_) => return self.same(item, what, false),
            _ => return self.same(item, what, true),
        };
        self.found(item, verdict, what, why);
    }

    fn table(&mut self, item: &Item<'_>, create: &CreateTable, table: &TableDef) {
        let what = format!("CREATE TABLE {}", create.name);
        let is_written = self.survey.written.contains_key(&table.path);
        let uses = Uses {
            is_scanned: self.survey.scanned.contains(&table.path),
            is_asked: self.survey.asked.contains(&table.path),
            is_written,
        };
        let (options, shape, why) = match fate(table, uses, self.config) {
            Fate::Nowhere(why) => return self.found(item, Verdict::NotPortable, what, why),
            Fate::Same(dropped) => {
                if dropped.is_empty() && create.like.is_none() && create.query.is_none() {
                    return self.same(item, what, true);
                }
                let mut options = table.options.clone();
                for key in &dropped {
                    options.remove(key);
                }
                let why = match dropped.as_slice() {
                    [] => "its options are spelled out".to_owned(),
                    dropped => {
                        format!("without '{}', which only Rialto knows", dropped.join("', '"))
                    }
                };
                (options, None, why)
            }
            Fate::Options(options, why) => (options, None, why),
            Fate::Topic(because) => {
                // What comes from outside may be changes as well.
                let adds_only = match self.survey.written.get(&table.path) {
                    Some(&adds_only) => adds_only,
                    None => !has_changes(table),
                };
                let shape = shape_of(table, adds_only);
                if let Some(why) = self.no_topic(table, is_written) {
                    return self.found(item, Verdict::NotPortable, what, why);
                }
                let (options, why) = self.table_topic(table, &shape, is_written, &because);
                if let Some(prefix) = options.get(TRANSACTIONS) {
                    let count = usize::from(create.query.is_some());
                    self.transactions.insert(table.path.clone(), (prefix.to_owned(), count));
                }
                (options, Some(shape), why)
            }
        };
        if let Some(query) = &create.query {
            let shape = shape.clone().unwrap_or_else(|| match table.key_columns() {
                [] => Shape::Appended,
                key => Shape::Keyed(key.to_vec()),
            });
            let name = quoted(&create.name, "");
            let text = topic_table(&name, &record_columns(table), &shape, &options);
            self.declare(item, text);
            let is_keyed = !table.key_columns().is_empty();
            self.run(item, format!("INSERT INTO {name}\n{}", query.text), is_keyed);
            self.rendered.local.push(self.local_table(&item.parsed.text, create, table));
        } else {
            let text = self.table_text(&item.parsed.text, table, &options, shape.as_ref());
            self.declare(item, text);
            self.rendered.local.push(self.local_table(&item.parsed.text, create, table));
        }
        if let Some(shape) = &shape {
            self.bridge(table, &create.name, shape, is_written);
        }
        self.found(item, Verdict::Mapped, what, why);
    }

    /// Why a table cannot be a topic.
    fn no_topic(&self, table: &TableDef, is_written: bool) -> Option<String> {
        let known = ["partition", "offset", "timestamp"];
        let strange = table.columns.iter().find_map(|column| match &column.kind {
            ColumnKind::Metadata { key, .. } if is_written => {
                let key = key.as_deref().unwrap_or(&column.name);
                (!known.contains(&key)).then(|| {
                    format!("Kafka has no metadata '{key}', and the table is written there")
                })
            }
            _ => None,
        });
        strange.or_else(|| not_json(&record_columns(table)))
    }

    fn table_topic(
        &self,
        table: &TableDef,
        shape: &Shape,
        is_written: bool,
        because: &str,
    ) -> (rialto_runtime::sql::parser::Options, String) {
        let config = self.config;
        let topic = topic_name(config, &table.path.database, &table.path.object);
        let side = if is_written { Side::Written } else { Side::Read };
        let is_read = self.survey.read.contains(&table.path);
        let mut options = topic_options(config, &topic, shape, side, is_read);
        if is_read {
            config.source.iter().for_each(|(k, v)| options.set(k.clone(), v.clone(), None));
            if table.watermark.is_some() {
                // A subtask without a partition would hold the watermark back.
                options.set("scan.parallelism", config.partitions.to_string(), None);
            }
        }
        for option in table.options.iter() {
            if option.key.starts_with("scan.watermark.") {
                options.set(option.key.clone(), option.value.clone(), None);
            }
        }
        let who = match (is_read, is_written) {
            (_, true) => "which the local Rialto empties",
            (true, false) => "which the local Rialto fills",
            (false, false) => "which nobody uses",
        };
        (options, format!("a topic '{topic}', {who}: {because}"))
    }

    /// The user's declaration with other options.
    fn table_text(
        &self,
        text: &str,
        table: &TableDef,
        options: &rialto_runtime::sql::parser::Options,
        shape: Option<&Shape>,
    ) -> String {
        let found = TableText::of(text);
        let mut edits = vec![found.with_options(&with_clause(options))];
        let loses_key = matches!(shape, Some(Shape::Appended | Shape::Changes))
            && !table.key_columns().is_empty();
        if found.has_like() {
            let constraints = if loses_key { " EXCLUDING CONSTRAINTS" } else { "" };
            edits.extend(found.like_without(&format!("EXCLUDING OPTIONS{constraints}")));
        }
        if loses_key {
            // Flink has no key on rows that are only added.
            edits.extend(found.without_primary_key());
        }
        if shape.is_some() && !self.survey.written.contains_key(&table.path) {
            let columns = table.columns.iter();
            let of_metadata = columns.filter(|c| matches!(c.kind, ColumnKind::Metadata { .. }));
            edits.extend(of_metadata.filter_map(|c| found.without_metadata(&c.name)));
        }
        edited(text, edits)
    }

    /// The declaration for the local Rialto, with the places of files as they are from anywhere.
    fn local_table(&self, text: &str, create: &CreateTable, table: &TableDef) -> String {
        let mut options = table.options.clone();
        let connector = table.options.get("connector").unwrap_or_default();
        if matches!(connector, "log" | "http") && options.get("path").is_none() {
            options.set("path", format!(".rialto/log/{}", table.path.object), None);
        }
        for key in ["path", "decisions"] {
            let place = options.get(key).filter(|p| !p.is_empty() && !p.contains("://"));
            if let Some(place) = place.map(|place| self.base.join(Path::new(place))) {
                options.set(key, place.display().to_string(), None);
            }
        }
        if create.query.is_some() {
            let name = quoted(&create.name, "");
            let key = match table.key_columns() {
                [] => Shape::Appended,
                key => Shape::Keyed(key.to_vec()),
            };
            return topic_table(&name, &record_columns(table), &key, &options);
        }
        if options == table.options {
            return text.to_owned();
        }
        let found = TableText::of(text);
        let mut edits = vec![found.with_options(&with_clause(&options))];
        edits.extend(found.like_without("EXCLUDING OPTIONS").filter(|_| found.has_like()));
        edited(text, edits)
    }

    /// The local side of a table's topic: it is filled from the table, or emptied into it.
    fn bridge(&mut self, table: &TableDef, name: &QualifiedName, shape: &Shape, is_written: bool) {
        if !is_written && !self.survey.read.contains(&table.path) {
            return;
        }
        let config = self.config;
        let topic = topic_name(config, &table.path.database, &table.path.object);
        let side = if is_written { Side::Read } else { Side::Written };
        let mut options = topic_options(config, &topic, shape, side, is_written);
        if is_written {
            options.set(BOUNDED.0, BOUNDED.1, None);
        }
        let (theirs, ours) = (quoted(name, "$topic"), quoted(name, ""));
        let mut columns = record_columns(table);
        if is_written {
            // What only Kafka knows of a record is not written.
            columns.retain(|(name, _)| {
                table.column(name).is_some_and(|c| {
                    !matches!(c.kind, ColumnKind::Metadata { is_virtual: true, .. })
                })
            });
        }
        let names: BTreeSet<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let listed: Vec<String> = columns.iter().map(|(name, _)| quote_identifier(name)).collect();
        assert_eq!(names.len(), listed.len());
        let listed = listed.join(", ");
        self.rendered.local.push(topic_table(&theirs, &columns, shape, &options));
        self.rendered.local.push(match is_written {
            true => format!("INSERT INTO {ours} ({listed})\nSELECT {listed} FROM {theirs}"),
            false => format!("INSERT INTO {theirs} ({listed})\nSELECT {listed} FROM {ours}"),
        });
        let writer = if is_written { Writer::Flink } else { Writer::Rialto };
        let is_compacted = matches!(shape, Shape::Keyed(_));
        let of = format!("the table {name}");
        self.rendered.topics.push(Topic { name: topic, is_compacted, writer, of });
    }

    fn view(&mut self, item: &Item<'_>, shape: &ViewShape) {
        let ViewShape { view, columns, key, adds_only } = shape;
        let Statement::CreateMaterializedView(create) = &item.parsed.statement else { return };
        let what = format!("CREATE MATERIALIZED VIEW {}", create.name);
        if let Some(why) = not_json(columns) {
            return self.found(item, Verdict::NotPortable, what, why);
        }
        if let Some(why) = self.elsewhere(item) {
            return self.found(item, Verdict::NotPortable, what, why);
        }
        let topic = topic_name(self.config, &view.path.database, &view.path.object);
        let is_there = |name: &String| columns.iter().any(|(c, t)| c == name && !t.nullable);
        let rows = match key {
            Some(key) if !key.is_empty() && view.primary_key.is_some() => Shape::Keyed(key.clone()),
            Some(key) if !key.is_empty() && key.iter().all(is_there) => Shape::Keyed(key.clone()),
            _ if *adds_only => Shape::Appended,
            _ => Shape::Changes,
        };
        let why = match (&rows, key) {
            (Shape::Keyed(key), _) => format!("keyed by ({})", key.join(", ")),
            (Shape::Appended, _) => "rows are only added".into(),
            (Shape::Changes, Some(key)) if !key.is_empty() => format!(
                "as changes, for its key ({}) may be NULL (PRIMARY KEY says that it is not)",
                key.join(", ")
            ),
            (Shape::Changes, _) => "as changes, for it has no key".into(),
        };
        let named: Vec<String> = create.columns.iter().map(|c| quote_identifier(&c.name)).collect();
        let named = match named.as_slice() {
            [] => String::new(),
            named => format!(" ({})", named.join(", ")),
        };
        let (own, theirs) = (quoted(&create.name, ""), quoted(&create.name, "$topic"));
        self.declare(item, format!("CREATE VIEW {own}{named} AS\n{}", create.query.text));
        let options = topic_options(self.config, &topic, &rows, Side::Written, false);
        self.declare(item, topic_table(&theirs, columns, &rows, &options));
        let is_keyed = matches!(rows, Shape::Keyed(_));
        self.run(item, format!("INSERT INTO {theirs}\nSELECT * FROM {own}"), is_keyed);
        let mut options = topic_options(self.config, &topic, &rows, Side::Read, true);
        options.set(BOUNDED.0, BOUNDED.1, None);
        self.rendered.local.push(topic_table(&theirs, columns, &rows, &options));
        let key = match &rows {
            Shape::Keyed(key) => {
                let key: Vec<String> = key.iter().map(|c| quote_identifier(c)).collect();
                format!(" PRIMARY KEY ({}) NOT ENFORCED", key.join(", "))
            }
            _ => String::new(),
        };
        let read = format!("CREATE MATERIALIZED VIEW {own}{key} AS\nSELECT * FROM {theirs}");
        self.rendered.local.push(read);
        self.rendered.topics.push(Topic {
            name: topic.clone(),
            is_compacted: matches!(rows, Shape::Keyed(_)),
            writer: Writer::Flink,
            of: format!("the view {}", create.name),
        });
        self.found(item, Verdict::Mapped, what, format!("a view and a topic '{topic}', {why}"));
    }

    fn insert(&mut self, item: &Item<'_>, insert: &Insert) {
        let what = format!("INSERT INTO {}", insert.target);
        if let Some(option) = insert.hints.iter().find(|o| o.key.starts_with("rialto.")) {
            let why = format!("the hint '{}' is Rialto's own", option.key);
            return self.found(item, Verdict::NotPortable, what, why);
        }
        if let Some(why) = self.elsewhere(item) {
            return self.found(item, Verdict::NotPortable, what, why);
        }
        let is_keyed = self.survey.targets.get(&insert.target.parts).is_some_and(|(_, key)| *key);
        let Some(hint) = self.own_transactions(insert) else {
            self.run(item, insert.text.clone(), is_keyed);
            return self.found(item, Verdict::Same, what, "");
        };
        self.run(item, with_hint(&insert.text, &hint), is_keyed);
        let why = "its transactions have a name of their own, beside those of the insert before it";
        self.found(item, Verdict::Mapped, what, why);
    }

    /// The hint that a second insert into one topic needs: it is a writer of its own there, and of
    /// two writers with the same transactions the broker shuts out one.
    fn own_transactions(&mut self, insert: &Insert) -> Option<String> {
        let (path, _) = self.survey.targets.get(&insert.target.parts)?;
        let (prefix, count) = self.transactions.get_mut(path)?;
        *count += 1;
        let own = quote_string(&format!("{prefix}-{count}"));
        let is_first = *count == 1 || !insert.hints.is_empty();
        (!is_first).then(|| format!("OPTIONS({} = {own})", quote_string(TRANSACTIONS)))
    }

    fn run(&mut self, item: &Item<'_>, text: String, is_keyed: bool) {
        let text = self.there(text);
        let place = Some((item.file.path.clone(), item.parsed.span.start.line));
        self.rendered.inserts.push(Part { text, place, is_keyed });
    }

    /// All inserts run in one statement set, at the end: names and times must mean the same there.
    fn elsewhere(&self, item: &Item<'_>) -> Option<String> {
        (item.home != self.survey.home).then(|| {
            "the database or the time zone is changed behind it, and all inserts run at the end \
             (move the USE or SET before the first of them)"
                .to_owned()
        })
    }
}

/// A name in backticks, with something behind its last part.
fn quoted(name: &QualifiedName, behind: &str) -> String {
    let last = name.parts.len().saturating_sub(1);
    let parts = name.parts.iter().enumerate().map(|(at, part)| match at == last {
        true => quote_identifier(&format!("{part}{behind}")),
        false => quote_identifier(part),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// What a statement is, by its first words.
fn beginning(parsed: &ParsedStatement) -> String {
    let words: Vec<&str> = parsed.text.split_whitespace().take(5).collect();
    let line = words.join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}
