//! What a user may type behind `rialto deploy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::{Answer, ProjectArguments};

/// `rialto deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    #[command(subcommand)]
    pub command: DeployCommand,
}

/// What is done with a project on a cluster.
#[derive(Debug, Subcommand)]
pub enum DeployCommand {
    /// Bring a project onto a Flink cluster, through its SQL Gateway
    ///
    /// The project's own SQL goes there, with the tables' connectors mapped; a materialized view
    /// becomes a topic that the local Rialto reads back as the same view. What flink.toml beside
    /// the SQL says goes before the mapping. Doing it again changes nothing.
    Flink(Flink),
    /// Run the project's fixtures here and on a Flink cluster, and say where they differ
    ///
    /// A fixture is what `rialto test` takes. Its rows go to topics that are made for it, through
    /// the brokers that flink.toml names; no real table is read or written.
    #[command(long_flag = "check")]
    Check(Check),
    /// Stop the project's job with a savepoint, and go on from it with the text as it is now
    Upgrade(Upgrade),
    /// Take a savepoint of the project's job
    Savepoint(OfJob),
    /// Cancel the project's job
    Cancel(OfJob),
}

/// How a project is rendered.
#[derive(Debug, Args)]
pub struct Rendering {
    #[command(flatten)]
    pub project: ProjectArguments,
    /// What is said about the cluster [default: flink.toml of the project]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write the Flink SQL here
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Write the SQL here that the local Rialto runs beside it
    #[arg(long, value_name = "FILE")]
    pub local: Option<PathBuf>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// Where a project goes.
#[derive(Debug, Args)]
pub struct Target {
    /// The REST of the cluster [default: the gateway is asked]
    #[arg(long, value_name = "URL")]
    pub rest: Option<String>,
    /// How long is waited until the job runs
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// `rialto deploy flink`.
#[derive(Debug, Args)]
pub struct Flink {
    #[command(flatten)]
    pub rendering: Rendering,
    /// The SQL Gateway: http://host:8083
    #[arg(long, value_name = "URL", required_unless_present = "dry_run")]
    pub gateway: Option<String>,
    /// Print the Flink SQL, and what becomes of each statement; ask nobody
    #[arg(long, conflicts_with = "gateway")]
    pub dry_run: bool,
    #[command(flatten)]
    pub target: Target,
}

/// `rialto deploy check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub project: ProjectArguments,
    /// The SQL Gateway: http://host:8083
    #[arg(long, value_name = "URL")]
    pub gateway: String,
    /// What is said about the cluster [default: flink.toml of the project]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Fixtures whose file or name contains this
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// The REST of the cluster [default: the gateway is asked]
    #[arg(long, value_name = "URL")]
    pub rest: Option<String>,
    /// How long is waited for the job of a fixture to end
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}

/// `rialto deploy upgrade`.
#[derive(Debug, Args)]
pub struct Upgrade {
    #[command(flatten)]
    pub rendering: Rendering,
    /// The SQL Gateway [default: that of the last time]
    #[arg(long, value_name = "URL")]
    pub gateway: Option<String>,
    /// Where the savepoint goes [default: where the cluster says]
    #[arg(long, value_name = "URL")]
    pub savepoints: Option<String>,
    /// Drop state that the new text has no place for; otherwise such an upgrade fails
    #[arg(long)]
    pub drop_state: bool,
    #[command(flatten)]
    pub target: Target,
}

/// `rialto deploy savepoint` and `rialto deploy cancel`.
#[derive(Debug, Args)]
pub struct OfJob {
    /// The project's folder, or one SQL file
    #[arg(value_name = "PROJECT|FILE", default_value = ".")]
    pub project: PathBuf,
    /// A job by its id, in place of the project's
    #[arg(long, value_name = "ID", requires = "rest")]
    pub job: Option<String>,
    /// The REST of the cluster of that job
    #[arg(long, value_name = "URL", requires = "job")]
    pub rest: Option<String>,
    /// Where a savepoint goes [default: where the cluster says]
    #[arg(long, value_name = "URL")]
    pub savepoints: Option<String>,
    /// How long is waited
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Answer,
}
