//! The interactive shell.
//!
//! - `helper.rs`: when a statement is complete, and what a word may become
//! - `history.rs`: where lines are remembered

mod helper;
mod history;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::failure::{Failure, Result, tell};
use crate::signals::Signals;
use crate::sql::{Flow, Session};
use helper::ShellHelper;

const HELP: &str = "\
A statement ends with ';' and may take several lines.
  SHOW TABLES;  DESCRIBE t;  EXPLAIN SELECT …;   look around
  EXPLAIN WATERMARK my_view;                     what it waits for
  SET 'table.local-time-zone' = 'Europe/London';  change a setting
  Tab completes words, Ctrl-C clears the line,
  quit; or Ctrl-D leaves.
";

/// Reads statements from the terminal until the user leaves. `open` opens the session.
pub fn shell<'a>(open: impl FnOnce(Signals) -> Result<Session<'a>>) -> Result<()> {
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor: Editor<ShellHelper, FileHistory> =
        Editor::with_config(config).map_err(no_terminal)?;
    // The editor takes SIGINT for itself when it is made; a handler from before would be deaf.
    let mut session = open(Signals::for_shell()?)?;
    session.interactive = true;
    editor.set_helper(Some(ShellHelper::default()));
    let history = history::file();
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    tell(&format!("Rialto {}. help; tells more, quit; leaves.\n", env!("CARGO_PKG_VERSION")));
    loop {
        if let Some(helper) = editor.helper_mut() {
            helper.learn(session.runtime.session());
        }
        let text = match editor.readline("rialto> ") {
            Ok(text) => text,
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(no_terminal(error)),
        };
        if text.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(text.trim());
        if answer(&mut session, &text)? == Flow::Stop {
            break;
        }
    }
    if let Some(file) = &history
        && let Err(error) = history::save(&mut editor, file)
    {
        tell(&format!("cannot keep the history in {}: {error}\n", file.display()));
    }
    Ok(())
}

/// Answers what was typed; an error is told, and the shell goes on.
fn answer(session: &mut Session<'_>, text: &str) -> Result<Flow> {
    match helper::command(text) {
        Some("help") => {
            tell(HELP);
            return Ok(Flow::Continue);
        }
        Some(_) => return Ok(Flow::Stop),
        None => {}
    }
    session.signals.forget();
    match session.script("shell", text) {
        Ok(flow) => Ok(flow),
        Err(failure) => {
            failure.report();
            Ok(Flow::Continue)
        }
    }
}

fn no_terminal(error: ReadlineError) -> Failure {
    Failure::Job(format!("error: cannot read from the terminal: {error}\n"))
}
