//! `rialto run` and `rialto check`: a project as a whole.
//!
//! - `change.rs`: what becomes of a project that was edited
//! - `observe.rs`: the views of a running project
//! - `operate.rs`: who looks after it while it runs
//! - `progress.rs`: the line on the terminal
//! - `savepoint.rs`: checkpoints with names
//! - `serve.rs`: events over HTTP while the job runs
//! - `state.rs`: the folder of the checkpoints

mod change;
mod observe;
pub mod operate;
mod progress;
mod savepoint;
mod serve;
pub mod state;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::Arc;

use rialto_runtime::design::Design;
use rialto_runtime::output::Target;
use rialto_runtime::project::{Project, ProjectError, SqlFile};
use rialto_runtime::serving::{Publisher, Retain};
use rialto_runtime::sql::catalog::nearest;
use rialto_runtime::sql::error::SqlError;
use rialto_runtime::sql::parser::{ParsedStatement, Statement};
use rialto_runtime::{Answer as Answered, Job, JobPlan, Runtime};
use rialto_server::Server;
use serde_json::json;

use crate::args::{Answer, Check, Format, JobArguments, ProjectArguments, Run};
use crate::failure::{Failure, Result, tell};
use crate::memory;
use crate::output::{Report, Stdout, print_rows};
use crate::signals::Signals;
use crate::sql::{self, Flow, Session};
pub use change::plan;
use observe::Views;
use operate::Operator;
pub use savepoint::{restore, savepoint};
pub use serve::{home as server_home, no_token};
use state::StateFolder;
pub use state::{checkpoints, newest_checkpoint, state_of, store};

/// Runs a project; again, where somebody asks for it meanwhile.
pub fn run(command: &Run, stdout: &Stdout) -> Result<()> {
    let signals = Signals::for_command()?;
    run_once(command, &signals, stdout)?;
    if !signals.wants_again() {
        return Ok(());
    }
    // A new process by the same words: nothing of this one's memory, threads or sessions is left.
    let again = std::env::current_exe()
        .map(|own| std::process::Command::new(own).args(std::env::args_os().skip(1)).exec());
    let error = again.map_or_else(|error| error, |error| error);
    Err(Failure::Job(format!("error: cannot begin again: {error}\n")))
}

fn run_once(command: &Run, signals: &Signals, stdout: &Stdout) -> Result<()> {
    let project = open(&command.project)?;
    let mut runtime = sql::runtime(&project.base_dir, &command.job, stdout);
    let format = command.output;
    let mut plan = JobPlan::default();
    let mut queries = Vec::new();
    for (file, statement) in statements(&project) {
        if matches!(statement.statement, Statement::Query(_)) {
            queries.push((file, statement));
            continue;
        }
        let answer = runtime.plan(statement, &mut plan);
        match answer.map_err(|e| wrong(&e, statement, file))? {
            Some(Answered::Rows(rows)) => {
                print_rows(&rows, format, &runtime.session().settings, stdout)?;
            }
            Some(Answered::Text(text)) => stdout.line(text.trim_end())?,
            _ => {}
        }
    }
    if plan.is_empty() && queries.is_empty() {
        let message = "the project has nothing to run";
        let hint = "write an INSERT, a CREATE MATERIALIZED VIEW or a SELECT";
        return Err(Failure::request(message, Some(hint)));
    }
    let mut report = Report::new(command.job.dead_letters.as_deref())?;
    stdout.flush()?;
    // Another run of the project is told so before it touches anything.
    let state = command.state.as_deref().map(|s| StateFolder::open(s, &project.base_dir));
    let state = state.transpose()?;
    memory::limit(command.job.memory, state.as_ref().map(StateFolder::here))?;
    let own = project.base_dir.join(".rialto");
    let home = state.as_ref().map_or(own, |state| server_home(state.here()));
    let server = serve::start(command, &home, &runtime)?;
    if !plan.is_empty() {
        let job = match &state {
            Some(state) => state.start(&runtime, &plan, command)?,
            None => runtime.start(&plan).map_err(|e| without_place(&e))?,
        };
        server.iter().for_each(serve::is_ready);
        let at = (signals, server.as_ref());
        let result = run_job(job, &plan, &runtime, command, at, stdout, &mut report);
        server.into_iter().for_each(Server::stop);
        result?;
    } else if let Some(view) = command.watch.first() {
        return Err(no_such_view(view, &[]));
    }
    if signals.came() {
        return Ok(());
    }
    let mut session = Session::over(runtime, signals.clone(), report, format, stdout);
    for (file, statement) in queries {
        let name = file.path.display().to_string();
        if session.statement(statement, &name, &file.text)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn run_job(
    mut job: Job,
    plan: &JobPlan,
    runtime: &Runtime,
    command: &Run,
    (signals, server): (&Signals, Option<&Server>),
    stdout: &Stdout,
    report: &mut Report,
) -> Result<()> {
    let views: Vec<&str> = job
        .outputs()
        .iter()
        .filter(|o| matches!(o.target, Target::Observer))
        .map(|o| o.name.as_str())
        .collect();
    if let Some(wrong) = command.watch.iter().find(|w| !views.contains(&w.as_str())) {
        return Err(no_such_view(wrong, &views));
    }
    if let (Format::Csv, [_, _, ..]) = (command.output, command.watch.as_slice()) {
        let message = "-o csv prints the changes of one view: those of several have other columns";
        return Err(Failure::request(message, Some("watch one view, or take -o json")));
    }
    let settings = &runtime.session().settings;
    let retain = if server.is_some() { Retain::SERVED } else { Retain::NEWEST };
    let is_kept = server.is_some() || command.watch.is_empty();
    let publisher = || Publisher::new(&job, plan, runtime.session(), retain);
    let publisher = is_kept.then(publisher).transpose()?;
    if let (Some(server), Some(publisher)) = (server, &publisher) {
        server.show(Arc::clone(publisher.serving()));
        let variables = variables(&command.project);
        let design = Design::new(&command.project.project, &variables, runtime.session());
        server.design(Arc::new(design));
    }
    let mut views = Views::new(&job, plan, publisher, command, settings, stdout, report)?;
    let control = signals.control();
    let (state, file) = (command.state.as_deref(), &command.project.project);
    let (stops, kept) = ((&control, signals.again()), (state, command.serve));
    let operator = Operator::start(&job, stops, file, kept, server).map_err(|e| {
        Failure::Job(format!("error: cannot start a thread that looks after the job: {e}\n"))
    })?;
    let result = job.run(&control, &mut views);
    drop(operator);
    let ended = views.finish(result.is_ok());
    stdout.flush()?;
    let has_refused = report.has_refused();
    report.tell()?;
    if let Some(state) = state.filter(|_| has_refused) {
        tell(&format!("they are kept: rialto dead-letters list {}\n", state.display()));
    }
    result?;
    ended?;
    if signals.wants_again() {
        tell("stopped between two steps, to go on with the project as it is now\n");
    } else if signals.came() {
        tell("stopped between two steps\n");
    }
    Ok(())
}

fn no_such_view(name: &str, views: &[&str]) -> Failure {
    let hint = match (nearest(name, views.iter().copied()), views) {
        (Some(near), _) => format!("did you mean '{near}'?"),
        (None, []) => "the project has no materialized view".into(),
        (None, views) => format!("the materialized views are {}", views.join(", ")),
    };
    let message = format!("cannot watch '{name}': there is no such materialized view");
    Failure::request(message, Some(&hint))
}

/// Plans a project and says what it consists of.
pub fn check(command: &Check, stdout: &Stdout) -> Result<()> {
    let project = open(&command.project)?;
    let job = JobArguments::default();
    let mut runtime = sql::runtime(&project.base_dir, &job, stdout);
    let mut plan = JobPlan::default();
    let mut found = Found { files: project.files.len(), ..Found::default() };
    for (file, statement) in statements(&project) {
        runtime.plan(statement, &mut plan).map_err(|e| wrong(&e, statement, file))?;
        found.count(&statement.statement);
    }
    let Found { files, tables, views, inserts, queries } = found;
    match command.output {
        Answer::Text => stdout.line(&format!(
            "ok: {}, {}, {}, {}, {}",
            counted(files, "file", "files"),
            counted(tables, "table", "tables"),
            counted(views, "view", "views"),
            counted(inserts, "insert", "inserts"),
            counted(queries, "query", "queries"),
        ))?,
        Answer::Json => {
            let line = json!({
                "files": files, "tables": tables, "views": views,
                "inserts": inserts, "queries": queries,
            });
            stdout.line(&line.to_string())?;
        }
    }
    Ok(())
}

/// How much there is of each kind.
#[derive(Default)]
struct Found {
    files: usize,
    tables: usize,
    views: usize,
    inserts: usize,
    queries: usize,
}

impl Found {
    fn count(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable(create) => {
                self.tables += 1;
                self.inserts += usize::from(create.query.is_some());
            }
            Statement::CreateView(_) | Statement::CreateMaterializedView(_) => self.views += 1,
            Statement::Insert(_) => self.inserts += 1,
            Statement::StatementSet(inserts) => self.inserts += inserts.len(),
            Statement::Query(_) => self.queries += 1,
            _ => {}
        }
    }
}

/// So many of something.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn open(arguments: &ProjectArguments) -> Result<Project> {
    open_with(&arguments.project, &variables(arguments))
}

fn variables(arguments: &ProjectArguments) -> Vec<(String, String)> {
    arguments.variables.iter().map(|v| (v.0.clone(), v.1.clone())).collect()
}

/// Reads a project; what is wrong with it is a wrong request.
pub fn open_with(path: &Path, variables: &[(String, String)]) -> Result<Project> {
    Project::open(path, variables).map_err(|error| match error {
        ProjectError::Sql { path, text, error } => {
            Failure::sql(&error, &text, &path.display().to_string())
        }
        other => Failure::request(other, None),
    })
}

/// All statements of a project, each with its file. `QUIT` ends the file that it is in.
pub fn statements(project: &Project) -> impl Iterator<Item = (&SqlFile, &ParsedStatement)> {
    project.files.iter().flat_map(|file| {
        let until_quit =
            file.statements.iter().take_while(|s| !matches!(s.statement, Statement::Quit));
        until_quit.map(move |statement| (file, statement))
    })
}

/// An error in a statement of a project.
pub fn wrong(error: &SqlError, statement: &ParsedStatement, file: &SqlFile) -> Failure {
    let error = error.clone().with_span(statement.span);
    Failure::sql(&error, &file.text, &file.path.display().to_string())
}

/// An error without the place of a statement: the whole job is meant.
pub fn without_place(error: &SqlError) -> Failure {
    Failure::Request(SqlError { span: None, ..error.clone() }.render("", ""))
}
