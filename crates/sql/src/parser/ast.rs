//! The statements of Flink SQL as this crate sees them.
//!
//! Queries and expressions stay sqlparser's `Query` and `Expr` (in the canonical forms that the
//! dialect produces), each beside the user's own text, because that text is what `SHOW CREATE`,
//! error messages and a Flink cluster get to see.

use std::fmt;

use sqlparser::ast::{Expr, Query};

use crate::error::Span;
use crate::types::FlinkType;

/// One statement of a file, with the text it was written as.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedStatement {
    /// What it says.
    pub statement: Statement,
    /// The user's own text, without the closing semicolon.
    pub text: String,
    /// Its place in the whole file.
    pub span: Span,
}

/// Every statement that Rialto understands.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `SELECT`, `WITH`, `VALUES`.
    Query(QueryText),
    /// `INSERT INTO` / `INSERT OVERWRITE`.
    Insert(Insert),
    /// `EXECUTE STATEMENT SET BEGIN … END`, one job of several inserts.
    StatementSet(Vec<Insert>),
    /// `EXPLAIN`.
    Explain(Explain),
    /// `EXPLAIN WATERMARK` (ours: who waits for what time, and why).
    ExplainWatermark(ExplainWatermark),
    /// `CREATE TABLE`, also `… AS query` and `… LIKE t`.
    CreateTable(Box<CreateTable>),
    /// `ALTER TABLE`.
    AlterTable(AlterTable),
    /// `DROP TABLE`.
    DropTable(DropObject),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `ALTER VIEW`.
    AlterView(AlterView),
    /// `DROP VIEW`.
    DropView(DropObject),
    /// `CREATE MATERIALIZED VIEW` (ours: a served, keyed view).
    CreateMaterializedView(CreateMaterializedView),
    /// `DROP MATERIALIZED VIEW`.
    DropMaterializedView(DropObject),
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `DROP DATABASE`.
    DropDatabase(DropDatabase),
    /// `CREATE CATALOG`.
    CreateCatalog(CreateCatalog),
    /// `DROP CATALOG`.
    DropCatalog(DropObject),
    /// `CREATE FUNCTION`.
    CreateFunction(CreateFunction),
    /// `DROP FUNCTION`.
    DropFunction(DropObject),
    /// `CREATE MODEL`.
    CreateModel(CreateModel),
    /// `DROP MODEL`.
    DropModel(DropObject),
    /// `USE db` / `USE CATALOG c`.
    Use(Use),
    /// `SET` (all of them) or `SET 'key' = 'value'`.
    Set(Option<(String, String)>),
    /// `RESET` (all of them) or `RESET 'key'`.
    Reset(Option<String>),
    /// `SHOW …`.
    Show(Show),
    /// `DESCRIBE` / `DESC`.
    Describe(Describe),
    /// `QUIT` / `EXIT`.
    Quit,
}

/// A name of one to three parts: `table`, `database.table`, `catalog.database.table`.
#[derive(Debug, Clone)]
pub struct QualifiedName {
    /// The parts, outermost first; never empty.
    pub parts: Vec<String>,
    /// Where it stands, when it was read from text.
    pub span: Option<Span>,
}

/// Two names are the same when their parts are, wherever they stand.
impl PartialEq for QualifiedName {
    fn eq(&self, other: &QualifiedName) -> bool {
        self.parts == other.parts
    }
}

impl Eq for QualifiedName {}

impl QualifiedName {
    /// A name of one part.
    pub fn simple(name: impl Into<String>) -> QualifiedName {
        QualifiedName { parts: vec![name.into()], span: None }
    }

    /// The last part.
    pub fn object(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

/// An expression and the text it was written as.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprText {
    /// The expression, in canonical form.
    pub expr: Expr,
    /// The user's own text.
    pub text: String,
    /// Its place in the file.
    pub span: Span,
}

/// A query and the text it was written as.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryText {
    /// The query, in canonical form.
    pub query: Box<Query>,
    /// The user's own text.
    pub text: String,
    /// Its place in the file.
    pub span: Span,
    /// Query hints (`/*+ STATE_TTL('a' = '1d') */` behind a `SELECT`), in order.
    pub hints: Vec<QueryHint>,
}

/// A hint behind `SELECT`: `BROADCAST(a)`, `LOOKUP('table'='c', …)`, `STATE_TTL('a'='1d')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryHint {
    /// Name in upper case.
    pub name: String,
    /// Its arguments, in order: a key with a value, or a bare key (a table name).
    pub arguments: Vec<HintArgument>,
    /// Where the hint comment stands.
    pub span: Span,
}

/// One argument of a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintArgument {
    /// The key, or the only word.
    pub key: String,
    /// The value behind `=`.
    pub value: Option<String>,
}

/// `'key' = 'value'` pairs of a `WITH` clause, in the order they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    entries: Vec<OptionEntry>,
}

/// One option, with the place of its key.
#[derive(Debug, Clone)]
pub struct OptionEntry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where the key stands, when it was read from text.
    pub span: Option<Span>,
}

/// Two options are the same when key and value are, wherever they stand.
impl PartialEq for OptionEntry {
    fn eq(&self, other: &OptionEntry) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl Eq for OptionEntry {}

impl Options {
    /// No options.
    pub fn new() -> Options {
        Options::default()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|e| e.value.as_str())
    }

    /// Key, value and place of a key.
    pub fn entry(&self, key: &str) -> Option<&OptionEntry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// Sets a key; a key that is there keeps its place in the order.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>, span: Option<Span>) {
        let entry = OptionEntry { key: key.into(), value: value.into(), span };
        match self.entries.iter_mut().find(|e| e.key == entry.key) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// Removes a key and says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.key != key);
        self.entries.len() < before
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = &OptionEntry> {
        self.entries.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Options {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Options {
        let mut options = Options::new();
        for (key, value) in iter {
            options.set(key, value, None);
        }
        options
    }
}

/// A column of a table, as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: String,
    /// Its type; `None` for a computed column, whose type the planner finds.
    pub data_type: Option<FlinkType>,
    /// Where its value comes from.
    pub kind: ColumnKind,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// Where its name stands, when it was read from text.
    pub span: Option<Span>,
}

/// Where the value of a column comes from.
// A table has tens of columns: what a box would save is not worth its noise at every match.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    /// The record itself.
    Physical,
    /// An expression over other columns: `c AS expr`.
    Computed(ExprText),
    /// The connector's metadata: `c TYPE METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// The connector's name for it; `None` when it is the column's own.
        key: Option<String>,
        /// Left out when the table is written to.
        is_virtual: bool,
    },
}

/// `WATERMARK FOR column AS expression`.
#[derive(Debug, Clone, PartialEq)]
pub struct Watermark {
    /// The event-time column.
    pub column: String,
    /// The bound, over the table's columns.
    pub expression: ExprText,
}

/// `[CONSTRAINT name] PRIMARY KEY (…) NOT ENFORCED`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryKey {
    /// The constraint's name.
    pub name: Option<String>,
    /// Its columns.
    pub columns: Vec<String>,
    /// Where it stands.
    pub span: Option<Span>,
}

/// `DISTRIBUTED [BY [HASH|RANGE] (…)] [INTO n BUCKETS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The algorithm, if it was named.
    pub kind: Option<DistributionKind>,
    /// The bucket columns.
    pub columns: Vec<String>,
    /// The number of buckets, if it was given.
    pub buckets: Option<u32>,
}

/// The algorithm of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistributionKind {
    /// By hash.
    Hash,
    /// By range.
    Range,
}

/// What happens when the object is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// An error.
    #[default]
    Fail,
    /// `IF NOT EXISTS`: nothing.
    Ignore,
    /// `OR REPLACE`: the new one takes its place.
    Replace,
}

/// `CREATE [OR REPLACE] [TEMPORARY] TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// The table's name.
    pub name: QualifiedName,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS` or `OR REPLACE`.
    pub on_conflict: OnConflict,
    /// Columns, as declared.
    pub columns: Vec<ColumnDef>,
    /// `CREATE TABLE t (a, b) AS query`: names only, an order for the query's columns.
    pub column_order: Vec<String>,
    /// The watermark.
    pub watermark: Option<Watermark>,
    /// The primary key.
    pub primary_key: Option<PrimaryKey>,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `DISTRIBUTED …`.
    pub distribution: Option<Distribution>,
    /// `PARTITIONED BY (…)`.
    pub partitioned_by: Vec<String>,
    /// `WITH (…)`.
    pub options: Options,
    /// `LIKE t (…)`.
    pub like: Option<LikeClause>,
    /// `AS query`.
    pub query: Option<QueryText>,
}

/// `LIKE source (INCLUDING … EXCLUDING … OVERWRITING …)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikeClause {
    /// The table that is taken as a pattern.
    pub source: QualifiedName,
    /// What of it is taken, in order.
    pub options: Vec<LikeOption>,
}

/// One line of a `LIKE` clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeOption {
    /// How the two are merged.
    pub strategy: LikeStrategy,
    /// Which part of the table it is about.
    pub feature: LikeFeature,
}

/// How a part of the source table meets the new one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeStrategy {
    /// Both; the same key twice is an error.
    Including,
    /// The new table's only.
    Excluding,
    /// Both; the new table's wins.
    Overwriting,
}

/// A part of a table that `LIKE` can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeFeature {
    /// Everything.
    All,
    /// Primary key.
    Constraints,
    /// `DISTRIBUTED`.
    Distribution,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// `WITH` options.
    Options,
    /// `PARTITIONED BY`.
    Partitions,
    /// Watermark.
    Watermarks,
}

/// `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub name: QualifiedName,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// What changes.
    pub action: AlterAction,
}

/// What an `ALTER TABLE` changes.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterAction {
    /// `RENAME TO name`.
    RenameTable(QualifiedName),
    /// `RENAME old TO new`.
    RenameColumn {
        /// The present name.
        from: String,
        /// The new one.
        to: String,
    },
    /// `ADD (…)`.
    Add(Vec<AlterItem>),
    /// `MODIFY (…)`.
    Modify(Vec<AlterItem>),
    /// `DROP column` / `DROP (a, b)`.
    DropColumns(Vec<String>),
    /// `DROP PRIMARY KEY` / `DROP CONSTRAINT name`.
    DropPrimaryKey {
        /// The constraint's name, when it was said.
        name: Option<String>,
    },
    /// `DROP WATERMARK`.
    DropWatermark,
    /// `DROP DISTRIBUTION`.
    DropDistribution,
    /// `SET ('k' = 'v')`.
    SetOptions(Options),
    /// `RESET ('k')`.
    ResetOptions(Vec<String>),
}

/// One item of `ADD` or `MODIFY`.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterItem {
    /// A column and where it goes.
    Column(ColumnDef, ColumnPosition),
    /// A watermark.
    Watermark(Watermark),
    /// A primary key.
    PrimaryKey(PrimaryKey),
    /// A distribution.
    Distribution(Distribution),
}

/// Where a new or moved column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnPosition {
    /// Where it is; a new column goes last.
    Unchanged,
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(String),
}

/// `DROP [TEMPORARY] … [IF EXISTS] name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropObject {
    /// The object's name.
    pub name: QualifiedName,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF EXISTS`.
    pub if_exists: bool,
}

/// A column name of a view, with its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
}

/// `CREATE [TEMPORARY] VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// The view's name.
    pub name: QualifiedName,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS`.
    pub on_conflict: OnConflict,
    /// Column names; empty: the query's own.
    pub columns: Vec<ViewColumn>,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `AS query`.
    pub query: QueryText,
}

/// `ALTER VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterView {
    /// `ALTER VIEW v RENAME TO w`.
    Rename {
        /// The view.
        name: QualifiedName,
        /// Its new name.
        to: QualifiedName,
    },
    /// `ALTER VIEW v AS query`.
    SetQuery {
        /// The view.
        name: QualifiedName,
        /// Its new query.
        query: QueryText,
    },
}

/// `CREATE [OR REPLACE] MATERIALIZED VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateMaterializedView {
    /// The view's name.
    pub name: QualifiedName,
    /// `IF NOT EXISTS` or `OR REPLACE`.
    pub on_conflict: OnConflict,
    /// Column names; empty: the query's own.
    pub columns: Vec<ViewColumn>,
    /// The key it is served by; `None`: the planner's.
    pub primary_key: Option<PrimaryKey>,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `WITH (…)`.
    pub options: Options,
    /// `AS query`.
    pub query: QueryText,
}

/// `INSERT INTO t …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table that is written to.
    pub target: QualifiedName,
    /// `OVERWRITE` instead of `INTO`.
    pub overwrite: bool,
    /// `/*+ OPTIONS(…) */` behind the table's name.
    pub hints: Options,
    /// `PARTITION (column = value, …)`.
    pub partition: Vec<(String, ExprText)>,
    /// Column names; empty: all of them, in order.
    pub columns: Vec<String>,
    /// The rows.
    pub source: QueryText,
    /// The whole statement's own text.
    pub text: String,
    /// The whole statement's place.
    pub span: Span,
}

/// `EXPLAIN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    /// What is asked for beyond the plan.
    pub details: Vec<ExplainDetail>,
    /// The statement to explain.
    pub statement: Box<ParsedStatement>,
}

/// What `EXPLAIN WATERMARK` explains.
#[derive(Debug, Clone, PartialEq)]
pub enum ExplainWatermark {
    /// A query, an insert or a statement set.
    Statement(Box<ParsedStatement>),
    /// A view or table by its name.
    Relation(QualifiedName),
}

/// What `EXPLAIN` is asked for beyond the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainDetail {
    /// `ESTIMATED_COST`.
    EstimatedCost,
    /// `CHANGELOG_MODE`.
    ChangelogMode,
    /// `PLAN_ADVICE`.
    PlanAdvice,
    /// `JSON_EXECUTION_PLAN`.
    JsonExecutionPlan,
}

/// `CREATE DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    /// `database` or `catalog.database`.
    pub name: QualifiedName,
    /// `IF NOT EXISTS`.
    pub on_conflict: OnConflict,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `WITH (…)`.
    pub options: Options,
}

/// `DROP DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropDatabase {
    /// `database` or `catalog.database`.
    pub name: QualifiedName,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// `CASCADE`: with all that is in it.
    pub cascade: bool,
}

/// `CREATE CATALOG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateCatalog {
    /// The catalog's name, one part.
    pub name: QualifiedName,
    /// `IF NOT EXISTS`.
    pub on_conflict: OnConflict,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `WITH (…)`.
    pub options: Options,
}

/// `CREATE FUNCTION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFunction {
    /// The function's name.
    pub name: QualifiedName,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `SYSTEM` (of no database).
    pub system: bool,
    /// `IF NOT EXISTS`.
    pub on_conflict: OnConflict,
    /// `AS 'identifier'`: the class or module that holds it.
    pub identifier: String,
    /// `LANGUAGE …` in upper case, when it was said.
    pub language: Option<String>,
    /// `USING JAR '…', …`.
    pub resources: Vec<String>,
    /// `WITH (…)`.
    pub options: Options,
}

/// `CREATE MODEL`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateModel {
    /// The model's name.
    pub name: QualifiedName,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS` or `OR REPLACE`.
    pub on_conflict: OnConflict,
    /// `INPUT (…)`.
    pub input: Vec<ColumnDef>,
    /// `OUTPUT (…)`.
    pub output: Vec<ColumnDef>,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `WITH (…)`.
    pub options: Options,
    /// `AS query`: what it is fitted on.
    pub query: Option<QueryText>,
}

/// `USE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// `USE CATALOG c`.
    Catalog(QualifiedName),
    /// `USE db` / `USE catalog.db`.
    Database(QualifiedName),
}

/// `SHOW …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// What is shown.
    pub kind: ShowKind,
    /// `[NOT] LIKE '…'`.
    pub filter: Option<ShowFilter>,
}

/// What `SHOW` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShowKind {
    /// `SHOW CATALOGS`.
    Catalogs,
    /// `SHOW CURRENT CATALOG`.
    CurrentCatalog,
    /// `SHOW DATABASES [FROM catalog]`.
    Databases(Option<QualifiedName>),
    /// `SHOW CURRENT DATABASE`.
    CurrentDatabase,
    /// `SHOW TABLES [FROM database]` (tables and views, as Flink lists them).
    Tables(Option<QualifiedName>),
    /// `SHOW VIEWS [FROM database]`.
    Views(Option<QualifiedName>),
    /// `SHOW MATERIALIZED VIEWS [FROM database]`.
    MaterializedViews(Option<QualifiedName>),
    /// `SHOW [USER] FUNCTIONS [FROM database]`.
    Functions {
        /// `USER`: those created here only.
        user_only: bool,
        /// The database.
        database: Option<QualifiedName>,
    },
    /// `SHOW MODELS [FROM database]`.
    Models(Option<QualifiedName>),
    /// `SHOW COLUMNS FROM table`.
    Columns(QualifiedName),
    /// `SHOW PARTITIONS table`.
    Partitions(QualifiedName),
    /// `SHOW CREATE TABLE`.
    CreateTable(QualifiedName),
    /// `SHOW CREATE VIEW`.
    CreateView(QualifiedName),
    /// `SHOW CREATE MATERIALIZED VIEW`.
    CreateMaterializedView(QualifiedName),
    /// `SHOW CREATE MODEL`.
    CreateModel(QualifiedName),
    /// `SHOW CREATE CATALOG`.
    CreateCatalog(QualifiedName),
    /// `SHOW JOBS`.
    Jobs,
    /// `SHOW MODULES` / `SHOW FULL MODULES`.
    Modules,
}

/// `[NOT] LIKE '…'` / `[NOT] ILIKE '…'` behind `SHOW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowFilter {
    /// `NOT`.
    pub negated: bool,
    /// `ILIKE`: letters of either case.
    pub ignore_case: bool,
    /// The pattern, with `%` and `_`.
    pub pattern: String,
}

/// `DESCRIBE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Describe {
    /// The kind of object.
    pub target: DescribeTarget,
    /// Its name.
    pub name: QualifiedName,
    /// `EXTENDED`.
    pub extended: bool,
}

/// The kind of object that `DESCRIBE` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescribeTarget {
    /// A table or view.
    Table,
    /// `DESCRIBE CATALOG`.
    Catalog,
    /// `DESCRIBE DATABASE`.
    Database,
    /// `DESCRIBE FUNCTION`.
    Function,
    /// `DESCRIBE MODEL`.
    Model,
}
