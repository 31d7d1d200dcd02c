//! `rialto sql`: statements, one after the other.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rialto_runtime::connectors::Environment;
use rialto_runtime::sql::error::SqlError;
use rialto_runtime::sql::parser::{ParsedStatement, parse};
use rialto_runtime::{Answer, Job, Runtime, RuntimeOptions};

use crate::args::{Format, JobArguments, Script, Sql};
use crate::failure::{Failure, Result, tell};
use crate::output::{QueryOutput, Report, Stdout, print_rows};
use crate::signals::Signals;
use crate::{letters, shell, unreadable};

/// Runs a script, or opens the shell.
pub fn sql(command: &Sql, stdout: &Stdout) -> Result<()> {
    crate::memory::limit(command.job.memory, None)?;
    let Some((name, text)) = script(&command.script)? else {
        return shell::shell(|signals| Session::new(command, signals, stdout));
    };
    let mut session = Session::new(command, Signals::for_command()?, stdout)?;
    session.script(&name, &text).map(drop)
}

/// The name and text of a script; none, where a user sits before the terminal.
pub fn script(script: &Script) -> Result<Option<(String, String)>> {
    if let Some(text) = &script.command {
        return Ok(Some(("command line".into(), text.clone())));
    }
    match &script.file {
        None if std::io::stdin().is_terminal() => Ok(None),
        Some(path) if path != Path::new("-") => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| unreadable(&name, &e))?;
            Ok(Some((name, text)))
        }
        None | Some(_) => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|e| unreadable("the standard input", &e))?;
            Ok(Some(("standard input".into(), text)))
        }
    }
}

/// A runtime whose `print` sinks share our standard output.
pub fn runtime(base_dir: &Path, job: &JobArguments, stdout: &Stdout) -> Runtime {
    let mut environment = Environment::new(base_dir);
    environment.stdout = Arc::new(Mutex::new(stdout.clone()));
    let options = RuntimeOptions { shards: job.shards.map(usize::from) };
    Runtime::new(environment, options)
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on with the next statement.
    Continue,
    /// A signal stopped a job, or the user wants to leave.
    Stop,
}

/// Answers statements and prints the answers.
pub struct Session<'a> {
    /// What has been declared.
    pub runtime: Runtime,
    /// Where a signal shows.
    pub signals: Signals,
    /// Someone sits there: say also what was done without a result.
    pub interactive: bool,
    report: Report,
    format: Format,
    changelog: bool,
    stdout: &'a Stdout,
}

impl<'a> Session<'a> {
    fn new(command: &Sql, signals: Signals, stdout: &'a Stdout) -> Result<Self> {
        let mut runtime = runtime(Path::new("."), &command.job, stdout);
        if let Some(state) = &command.state {
            letters::declare(&mut runtime, state)?;
        }
        let report = Report::new(command.job.dead_letters.as_deref())?;
        let (format, changelog) = (command.output, command.changelog);
        Ok(Self { runtime, signals, interactive: false, report, format, changelog, stdout })
    }

    /// A session for queries over what `runtime` has declared.
    pub fn over(
        runtime: Runtime,
        signals: Signals,
        report: Report,
        format: Format,
        stdout: &'a Stdout,
    ) -> Self {
        let changelog = false;
        Self { runtime, signals, interactive: false, report, format, changelog, stdout }
    }

    /// Answers the statements of a text; the first error ends it. A text that cannot be parsed is
    /// refused before anything is done.
    pub fn script(&mut self, name: &str, text: &str) -> Result<Flow> {
        for statement in &parse(text).map_err(|e| Failure::sql(&e, text, name))? {
            if self.statement(statement, name, text)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Answers one statement of the text `text` in the file `name`.
    pub fn statement(
        &mut self,
        statement: &ParsedStatement,
        name: &str,
        text: &str,
    ) -> Result<Flow> {
        let started = Instant::now();
        let wrong = |e: SqlError| {
            // What no part of the text is to blame for is at least this statement's.
            Failure::sql(&e.with_span(statement.span), text, name)
        };
        match self.runtime.execute(statement).map_err(wrong)? {
            Answer::Done(word) => self.say(&word)?,
            Answer::Rows(rows) => {
                let settings = &self.runtime.session().settings;
                print_rows(&rows, self.format, settings, self.stdout)?;
            }
            Answer::Text(text) => match self.format {
                Format::Json => {
                    self.stdout.line(&serde_json::json!({"text": text}).to_string())?;
                }
                Format::Table | Format::Csv => self.stdout.line(text.trim_end())?,
            },
            Answer::Query(job, plan) => {
                let settings = self.runtime.session().settings.clone();
                let how = (self.format, self.changelog);
                let report = &mut self.report;
                let mut output = QueryOutput::new(&plan, how, &settings, self.stdout, report)?;
                let mut job = *job;
                let result = job.run(&self.signals.control(), &mut output);
                // What came before an error is true, but a table of it would look whole.
                let result = match result {
                    Ok(_) => output.finish().map_err(Failure::from),
                    Err(error) => Err(error.into()),
                };
                self.finish_job(result, started.elapsed())?;
            }
            Answer::Insert(job) => {
                let result = self.insert(*job);
                self.finish_job(result, started.elapsed())?;
            }
            Answer::Quit => return Ok(Flow::Stop),
        }
        self.stdout.flush()?;
        let stopped = self.signals.came() && !self.interactive;
        Ok(if stopped { Flow::Stop } else { Flow::Continue })
    }

    fn insert(&mut self, mut job: Job) -> Result<()> {
        let summary = job.run(&self.signals.control(), &mut self.report)?;
        self.say(&format!("{} rows read", summary.rows))
    }

    /// Says how a job went: what it could not read, and that it was stopped.
    fn finish_job(&mut self, result: Result<()>, elapsed: Duration) -> Result<()> {
        self.stdout.flush()?;
        self.report.tell()?;
        result?;
        if self.signals.came() {
            tell("stopped: this is the result so far\n");
        } else if self.interactive {
            tell(&format!("({:.2} s)\n", elapsed.as_secs_f64()));
        }
        Ok(())
    }

    fn say(&self, word: &str) -> Result<()> {
        if self.interactive {
            self.stdout.line(word)?;
        }
        Ok(())
    }
}
