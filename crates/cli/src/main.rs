//! The `rialto` command: arguments in, exit codes and text out.
//!
//! Everything that a command does is done by `rialto_runtime`; here is only what a user types and
//! reads. A command answers a [`failure::Failure`], which becomes an exit code: 0 well, 1 the job
//! failed, 2 the request was wrong.

mod args;
mod bench;
mod demo;
mod deploy;
mod doctor;
mod explain;
mod failure;
mod init;
mod jobs;
mod letters;
mod logging;
mod memory;
mod nexmark;
mod output;
mod price;
mod project;
mod shell;
mod signals;
mod sql;
mod test;
mod token;
mod version;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::failure::{Failure, Result};
use crate::output::Stdout;

/// Queries nest deeper than the stack of a main thread.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    // Wrong arguments end here, with clap's message and code 2.
    let arguments = Arguments::parse();
    let worker = std::thread::Builder::new()
        .name("rialto".into())
        .stack_size(STACK_BYTES)
        .spawn(move || execute(arguments));
    match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(_)) => {
            failure::tell("error: the command broke off (this is a bug, please report it)\n");
            ExitCode::from(failure::JOB_FAILED)
        }
        Err(error) => {
            failure::tell(&format!("error: cannot start a thread: {error}\n"));
            ExitCode::from(failure::JOB_FAILED)
        }
    }
}

/// Runs a command and says the exit code.
fn execute(arguments: Arguments) -> u8 {
    let stdout = Stdout::new();
    logging::start(arguments.log_format);
    let result = dispatch(&arguments, &stdout).and_then(|()| Ok(stdout.flush()?));
    match result {
        Ok(()) => 0,
        // The reader of our output has gone: it has what it wanted.
        Err(_) if stdout.is_closed() => 0,
        Err(failure) => {
            let _ = stdout.flush();
            failure.report();
            failure.exit_code()
        }
    }
}

fn dispatch(arguments: &Arguments, stdout: &Stdout) -> Result<()> {
    match &arguments.command {
        Command::Sql(command) => sql::sql(command, stdout),
        Command::Run(command) => project::run(command, stdout),
        Command::Plan(command) => project::plan(command, stdout),
        Command::Savepoint(command) => project::savepoint(command, stdout),
        Command::Restore(command) => project::restore(command),
        Command::Checkpoints(command) => project::checkpoints(command, stdout),
        Command::Jobs(command) => jobs::jobs(command, stdout),
        Command::Checkpoint(command) => jobs::checkpoint(command, stdout),
        Command::Doctor(command) => doctor::doctor(command, stdout),
        Command::Token(command) => token::token(&command.command, stdout),
        Command::DeadLetters(command) => letters::dead_letters(command, stdout),
        Command::Deploy(command) => deploy::deploy(command, stdout),
        Command::Price(command) => price::price(command, stdout),
        Command::Demo(command) => demo::demo(command, stdout),
        Command::Init(command) => init::init(command, stdout),
        Command::Check(command) => project::check(command, stdout),
        Command::Test(command) => test::test(command, stdout),
        Command::Explain(command) => explain::explain(command, stdout),
        Command::Bench(command) => bench::bench(command, stdout),
        Command::Nexmark(command) => nexmark::nexmark(command, stdout),
        Command::Version(command) => version::version(command, stdout),
    }
}

/// An error that keeps a command from starting at all.
fn unreadable(what: &str, error: &std::io::Error) -> Failure {
    Failure::Request(format!("error: cannot read {what}: {error}\n"))
}
