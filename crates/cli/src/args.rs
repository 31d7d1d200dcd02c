//! What a user may type.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Real-time views over streams, described by Flink SQL.
#[derive(Debug, Parser)]
#[command(name = "rialto", version, about, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 well, 1 the job failed, 2 the request was wrong.")]
pub struct Arguments {
    /// How what happens is logged on the standard error; RIALTO_LOG says what: warn, info,
    /// rialto_runtime=debug
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How what happens is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text an event.
    Text,
    /// A JSON object an event.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run SQL statements: a file, a text, or a shell
    ///
    /// A SELECT prints its final rows, or with --changelog every change; an INSERT runs to the
    /// end of its input. The first error stops. Without -f and -c a shell opens, or, when the
    /// standard input is not a terminal, the statements are read from there.
    Sql(Sql),
    /// Run a project: all its views and inserts as one job
    ///
    /// A project is a folder with SQL files (in sql/, or beside an optional rialto.toml), or one
    /// SQL file. Inserts and materialized views of all files share their sources. Bounded input
    /// runs to its end; SIGINT and SIGTERM stop between two steps.
    Run(Run),
    /// Say what a run of an edited project would take over of its state
    ///
    /// Each output and operator is reused with its state, rebuilt from the beginning of its
    /// sources, or dropped. Nothing is run.
    Plan(Plan),
    /// List the checkpoints that a project's runs have left
    Checkpoints(Checkpoints),
    /// Keep a checkpoint under a name, list those, or drop one
    Savepoint(Savepoint),
    /// Have the next run go on from a savepoint
    ///
    /// What sinks were given after it stays where it is, and is given to them again.
    Restore(Restore),
    /// Say how jobs are: running or not, how far, and what holds their views back
    Jobs(Jobs),
    /// Have a running job take a checkpoint now
    Checkpoint(Checkpoint),
    /// Check what a job stands on: its state, its files, the machine
    Doctor(Doctor),
    /// Make, list and revoke tokens: who may ask the server of a project, and for what
    ///
    /// From the first token on the server answers nobody without one. Roles: viewer reads views;
    /// analyst asks in SQL as well; ingest sends events and reads nothing; admin may do everything.
    Token(Token),
    /// Look after records that sources refused: list, show, send again, discard
    ///
    /// A run with --state keeps them. A record that is sent again, as it was or repaired, is taken
    /// by the running job or by its next run, once.
    DeadLetters(DeadLetters),
    /// Show it: a simulated shop with all packs, its console, API and PostgreSQL port
    ///
    /// Makes the project at the first time, and goes on where it was at the next. With --data it
    /// is the real data set Online Retail instead, replayed once.
    Demo(Demo),
    /// Begin a project: packs of a shop, as files of your own
    ///
    /// Writes the event model, the packs and what they need, where their rows come from, and a
    /// rialto.toml with every rule that can be set. Nothing is ever written over.
    Init(Init),
    /// Parse and plan a project without opening its tables
    Check(Check),
    /// Test a project: rows that are given, and what must come of them
    ///
    /// The fixtures are tests/*.yaml of the project. Each is run with several numbers of shards,
    /// cuts into steps and restarts. No table is opened, nothing is written.
    Test(Test),
    /// Show how queries and inserts would run
    ///
    /// Declarations are made, nothing is read or written; each SELECT, INSERT and statement set
    /// is answered with its plan.
    Explain(Explain),
    /// Bring a project onto an Apache Flink cluster, and look after it there
    Deploy(crate::deploy::Deploy),
    /// Try rules of prices on a running project
    #[command(subcommand)]
    Price(crate::price::Price),
    /// Measure what queries cost
    ///
    /// Each query runs over bounded input, in a process of its own: rows a second, CPU seconds,
    /// peak memory. With --latency its input comes at a rate, and what is measured is how long a
    /// row takes until the view over it can be read.
    Bench(Bench),
    /// Write the events of the Nexmark benchmark as files of JSON
    Nexmark(Nexmark),
    /// Say which Rialto this is
    Version(Version),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Bordered tables, for people.
    #[value(alias = "text")]
    Table,
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// How a command without rows answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Answer {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Statements from a file or from the command line.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Script {
    /// The file with the statements; '-' is the standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The statements
    #[arg(short, long, value_name = "SQL")]
    pub command: Option<String>,
}

/// A size in bytes.
fn size(text: &str) -> Result<u64, String> {
    rialto_runtime::connectors::options::parse_memory(text)
        .ok_or_else(|| "expected a size such as 512MB or 4GB".into())
}

/// How a job runs.
#[derive(Debug, Default, Args)]
pub struct JobArguments {
    /// Parts into which the keys of a job are dealt, each with threads of its own [default: one a
    /// core; for a job of very many operators one for four cores, which share its operators]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: Option<u16>,
    /// How much memory the process may hold of its own [default: 3/4 of what the machine has]
    ///
    /// State beyond it lies in a file, in the folder of --state or in /var/tmp, and is read from
    /// there when it is needed.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Write every record that could not be read to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub dead_letters: Option<PathBuf>,
}

/// `rialto sql`.
#[derive(Debug, Args)]
pub struct Sql {
    #[command(flatten)]
    pub script: Script,
    /// How rows are printed
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Format,
    /// Print every change of a query with its kind (+I -U +U -D) and step
    #[arg(long)]
    pub changelog: bool,
    /// Make the dead letters of this state folder readable, as tables `TABLE$dead_letters`
    #[arg(long, value_name = "DIR|PROJECT")]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub job: JobArguments,
}

/// A replacement for `${name}` in a project's SQL.
#[derive(Debug, Clone)]
pub struct Variable(pub String, pub String);

fn variable(text: &str) -> Result<Variable, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Variable(name.into(), value.into())),
        _ => Err("expected name=value".into()),
    }
}

/// A moment in epoch milliseconds.
fn moment(text: &str) -> Result<i64, String> {
    match arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text) {
        Ok(nanoseconds) => Ok(nanoseconds / 1_000_000),
        Err(_) => Err("expected a timestamp such as '2024-01-31 00:00:00'".into()),
    }
}

/// Which project.
#[derive(Debug, Args)]
pub struct ProjectArguments {
    /// The project's folder, or one SQL file
    #[arg(value_name = "PROJECT|FILE", default_value = ".")]
    pub project: PathBuf,
    /// Replace ${name} in the SQL by a value
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<Variable>,
}

/// `rialto run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub project: ProjectArguments,
    /// Print the changes of these views as they happen, in commit order
    #[arg(long, value_name = "VIEW,…", value_delimiter = ',')]
    pub watch: Vec<String>,
    /// Print changes with their kind; --watch always does, so that this is only said for clarity
    #[arg(long, requires = "watch")]
    pub changelog: bool,
    /// How rows are printed
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Format,
    /// Rows of each view that are printed when the job ends
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rows: usize,
    /// Keep checkpoints in this folder or bucket, and go on from the newest one there
    ///
    /// A bucket is s3://BUCKET/PREFIX, with ?endpoint=URL&region=NAME&allow-http=true where needed;
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the like are read from the environment.
    #[arg(long, value_name = "DIR|S3-URL")]
    pub state: Option<PathBuf>,
    /// Forget the checkpoints that are there and begin anew
    #[arg(long, requires = "state")]
    pub fresh: bool,
    /// What becomes of an INSERT that was edited since the last run
    #[arg(long, value_enum, requires = "state")]
    pub changed_inserts: Option<ChangedInserts>,
    /// Serve over HTTP while the job runs, at an address of this machine (127.0.0.1:8080)
    ///
    /// GET /v1/views reads the materialized views, POST /v1/sql asks over them, POST
    /// /v1/events/TABLE puts rows into the tables with 'connector' = 'http'. /v1/openapi.json says
    /// the rest. At an address that other machines reach (0.0.0.0:8080) TLS is spoken and tokens
    /// are required; the first start prints one for an admin.
    #[arg(long, value_name = "ADDR")]
    pub serve: Option<SocketAddr>,
    /// Answer PostgreSQL's clients as well, at an address (127.0.0.1:5433)
    #[arg(long, value_name = "ADDR", requires = "serve")]
    pub postgres: Option<SocketAddr>,
    /// Answer nobody without a token, also on this machine; see `rialto token`
    #[arg(long, requires = "serve")]
    pub require_tokens: bool,
    /// Speak TLS also on this machine, with a certificate that is made at the first start
    #[arg(long, requires = "serve")]
    pub tls: bool,
    /// Speak TLS with this certificate (PEM, with those that vouch for it)
    #[arg(long, value_name = "FILE", requires_all = ["serve", "tls_key"])]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub job: JobArguments,
}

/// What becomes of an insert that was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChangedInserts {
    /// Write all its rows, from the beginning of its sources; what it wrote before stays
    Rewrite,
    /// Write what comes from now on; it begins without state
    Continue,
}

impl From<ChangedInserts> for rialto_runtime::checkpoint::ChangedInserts {
    fn from(inserts: ChangedInserts) -> Self {
        match inserts {
            ChangedInserts::Rewrite => Self::Rewrite,
            ChangedInserts::Continue => Self::Continue,
        }
    }
}

/// `rialto plan`.
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub project: ProjectArguments,
    /// The folder of `rialto run --state`
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// What becomes of an INSERT that was edited since the last run
    #[arg(long, value_enum)]
    pub changed_inserts: Option<ChangedInserts>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto savepoint`.
#[derive(Debug, Args)]
pub struct Savepoint {
    #[command(subcommand)]
    pub command: SavepointCommand,
}

/// What is done with savepoints.
#[derive(Debug, Subcommand)]
pub enum SavepointCommand {
    /// Keep the newest checkpoint, of a project that runs or not, until it is dropped
    Create {
        /// The folder of `rialto run --state`
        #[arg(value_name = "DIR")]
        state: PathBuf,
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List them
    List {
        /// The folder of `rialto run --state`
        #[arg(value_name = "DIR")]
        state: PathBuf,
        /// How the answer is printed
        #[arg(short, long, value_enum, default_value = "text")]
        output: Answer,
    },
    /// Drop one
    Drop {
        /// The folder of `rialto run --state`
        #[arg(value_name = "DIR")]
        state: PathBuf,
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `rialto restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The folder of `rialto run --state`; no run may be using it
    #[arg(value_name = "DIR")]
    pub state: PathBuf,
    /// The savepoint
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `rialto checkpoints`.
#[derive(Debug, Args)]
pub struct Checkpoints {
    /// The folder or bucket that was given to `rialto run --state`
    #[arg(value_name = "DIR|S3-URL")]
    pub state: PathBuf,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto jobs`.
#[derive(Debug, Args)]
pub struct Jobs {
    /// Folders of `rialto run --state`, or projects with the state in .rialto/state; of a project
    /// that was deployed to Flink the job there as well
    #[arg(value_name = "DIR|PROJECT", required_unless_present = "gateway")]
    pub states: Vec<PathBuf>,
    /// The jobs of a Flink cluster as well: its SQL Gateway, or its own REST
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto checkpoint`.
#[derive(Debug, Args)]
pub struct Checkpoint {
    /// The folder of `rialto run --state`, or a project with the state in .rialto/state
    #[arg(value_name = "DIR|PROJECT")]
    pub state: PathBuf,
    /// How long is waited for it
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The folder of `rialto run --state`, a project's folder, or one SQL file
    #[arg(value_name = "DIR|PROJECT")]
    pub place: PathBuf,
    /// Replace ${name} in the project's SQL by a value
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<Variable>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto token`.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenRole {
    /// Everything
    Admin,
    /// Views, and SQL over them
    Analyst,
    /// Views
    Viewer,
    /// Sending events
    Ingest,
}

/// A duration.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = rialto_runtime::connectors::options::parse_duration(text);
    parsed.filter(|d| !d.is_zero()).ok_or_else(|| "expected a duration such as 30d or 12h".into())
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it: it is not kept, and cannot be printed again
    Create {
        /// Its name; the user of PostgreSQL's protocol
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is good for
        #[arg(long, value_enum)]
        role: TokenRole,
        /// After which time it is good for nothing [default: never]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<Duration>,
        /// The project, or the folder of `rialto run --state`
        #[arg(long, value_name = "DIR|PROJECT", default_value = ".")]
        state: PathBuf,
        /// How the answer is printed
        #[arg(short, long, value_enum, default_value = "text")]
        output: Answer,
    },
    /// List them
    List {
        /// The project, or the folder of `rialto run --state`
        #[arg(long, value_name = "DIR|PROJECT", default_value = ".")]
        state: PathBuf,
        /// How the answer is printed
        #[arg(short, long, value_enum, default_value = "text")]
        output: Answer,
    },
    /// Take one back
    Revoke {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// The project, or the folder of `rialto run --state`
        #[arg(long, value_name = "DIR|PROJECT", default_value = ".")]
        state: PathBuf,
    },
}

/// `rialto dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    pub command: LettersCommand,
}

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub enum LettersCommand {
    /// List them, in the order in which they were refused
    List(ListLetters),
    /// Show a whole record, where it was found and why it was refused
    Show(ShowLetter),
    /// Send records again, as they were or repaired
    Redrive(Redrive),
    /// Put letters aside: they are not open any more
    Discard(Discard),
}

/// `rialto dead-letters list`.
#[derive(Debug, Args)]
pub struct ListLetters {
    /// The folder of `rialto run --state`, or a project with the state in .rialto/state
    #[arg(value_name = "DIR|PROJECT")]
    pub state: PathBuf,
    /// Only those of this table
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Only those about which nothing has been decided
    #[arg(long)]
    pub open: bool,
    /// How they are printed
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Format,
}

/// `rialto dead-letters show`.
#[derive(Debug, Args)]
pub struct ShowLetter {
    /// The folder of `rialto run --state`, or a project with the state in .rialto/state
    #[arg(value_name = "DIR|PROJECT")]
    pub state: PathBuf,
    /// The letter: its id, or how it begins
    #[arg(value_name = "ID")]
    pub id: String,
    /// How it is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// Which letters.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Selection {
    /// Letters: their ids, or how they begin
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All open ones of a table
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// All open ones
    #[arg(long)]
    pub all: bool,
}

/// `rialto dead-letters redrive`.
#[derive(Debug, Args)]
pub struct Redrive {
    /// The folder of `rialto run --state`, or a project with the state in .rialto/state
    #[arg(value_name = "DIR|PROJECT")]
    pub state: PathBuf,
    #[command(flatten)]
    pub which: Selection,
    /// Send the record in this file in place of the one letter's; '-' is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "all"])]
    pub set_record: Option<PathBuf>,
    /// Send the letter's record with these members of JSON put in place: {"price": 3}; '-' reads
    /// them from the standard input
    #[arg(long, value_name = "JSON", conflicts_with_all = ["table", "all", "set_record"])]
    pub edit: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto dead-letters discard`.
#[derive(Debug, Args)]
pub struct Discard {
    /// The folder of `rialto run --state`, or a project with the state in .rialto/state
    #[arg(value_name = "DIR|PROJECT")]
    pub state: PathBuf,
    #[command(flatten)]
    pub which: Selection,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub project: ProjectArguments,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto explain`.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub script: Script,
    /// Say what watermark each query, insert and materialized view follows, and what waits for it
    #[arg(long)]
    pub watermark: bool,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto bench`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    /// Something else than what queries cost
    #[command(subcommand)]
    pub other: Option<OtherBench>,
    /// Queries of Nexmark (q0 … q23; all of them, where nothing is named), projects, SQL files
    #[arg(value_name = "QUERY|PROJECT|FILE")]
    pub queries: Vec<String>,
    /// The folder of the input, ${DATA} in the SQL; Nexmark's events are made there if it has none
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many events are made for Nexmark
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub events: u64,
    /// Runs of each query; the one with the least CPU time counts
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub runs: u16,
    /// Measure latency instead, at so many rows a second, ${RATE} in the SQL
    #[arg(long, value_name = "RATE", value_parser = clap::value_parser!(u64).range(1..))]
    pub latency: Option<u64>,
    /// How long latency is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "latency",
        value_parser = clap::value_parser!(u64).range(2..=86_400))]
    pub seconds: u64,
    /// Print the ratio to what this file says: an earlier run's -o json
    #[arg(long, value_name = "FILE", conflicts_with = "latency")]
    pub against: Option<PathBuf>,
    /// Replace ${name} in the SQL by a value
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<Variable>,
    /// Threads that share the work of a job [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub shards: Option<u16>,
    /// How the figures are printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
    /// Run one project in this process and print what it took; what a measurement consists of
    #[arg(long, hide = true)]
    pub once: bool,
}

/// `rialto bench …`.
#[derive(Debug, Subcommand)]
pub enum OtherBench {
    /// What the packs' decisions bring in the simulated shop, beside those of simpler policies
    Headline(Headline),
}

/// `rialto bench headline`.
#[derive(Debug, Args)]
pub struct Headline {
    /// Fields of decisions: stock, price, offers, ads, lists [default: all]
    #[arg(value_name = "FIELD")]
    pub fields: Vec<String>,
    /// How many worlds
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub seeds: u16,
    /// Days in which something is decided, behind a warm-up
    #[arg(long, value_name = "N", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// Customers of a world
    #[arg(long, value_name = "N", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub customers: u32,
    /// Products of a world
    #[arg(long, value_name = "N", default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(12..=100_000))]
    pub products: u32,
    /// How the figures are printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// The folder of the project
    #[arg(value_name = "DIR", default_value = "rialto-demo")]
    pub project: PathBuf,
    /// The folder with the CSV files of Online Retail
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many times as fast as the clock the data goes: 1, 1000, or max
    #[arg(long, value_name = "N", default_value = "max", requires = "data")]
    pub speed: String,
    /// The console and the API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub serve: SocketAddr,
    /// The port for psql and BI tools
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5433")]
    pub postgres: SocketAddr,
}

/// `rialto init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder of the new project
    #[arg(value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// The packs; what they need comes with them
    #[arg(short, long = "pack", value_name = "PACK,...", value_delimiter = ',')]
    pub packs: Vec<String>,
    /// Where rows come from, but those of --map
    #[arg(long, value_enum, default_value = "shop")]
    pub from: SourceOfRows,
    /// Draft how a file (CSV with names, or JSON lines) becomes a table of the event model
    #[arg(long, value_name = "TABLE=FILE")]
    pub map: Vec<crate::init::Mapping>,
    /// List the packs
    #[arg(long)]
    pub list: bool,
}

/// Where the rows of a new project come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceOfRows {
    /// A simulated shop.
    Shop,
    /// Whoever posts events over HTTP.
    Http,
    /// Embedded logs.
    Log,
}

impl SourceOfRows {
    /// Its name, as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Http => "http",
            Self::Log => "log",
        }
    }
}

/// `rialto test`.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    pub project: ProjectArguments,
    /// Fixtures whose file or name contains this
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto nexmark`.
#[derive(Debug, Args)]
pub struct Nexmark {
    /// The folder for person/, auction/ and bid/
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// How many events, all kinds together
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub events: u64,
    /// Files a kind
    #[arg(long, value_name = "P", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub parts: u16,
    /// Events of one second of event time
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// The time of the first event, such as '2024-01-31 00:00:00' [default: 2015-07-15 00:00:00]
    #[arg(long, value_name = "TIMESTAMP", value_parser = moment)]
    pub start: Option<i64>,
    /// Other seeds, other events
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto version`.
#[derive(Debug, Args)]
pub struct Version {
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}
