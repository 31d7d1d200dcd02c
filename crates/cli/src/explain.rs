//! `rialto explain`.

use std::path::Path;

use rialto_runtime::sql::parser::{Explain as ExplainStatement, ParsedStatement, Statement, parse};
use rialto_runtime::{Answer as Answered, Runtime};
use serde_json::json;

use crate::args::{Answer, Explain, JobArguments};
use crate::failure::{Failure, Result};
use crate::output::Stdout;
use crate::sql;

/// Makes a script's declarations and prints the plan of all else.
pub fn explain(command: &Explain, stdout: &Stdout) -> Result<()> {
    let Some((name, text)) = sql::script(&command.script)? else {
        return Err(Failure::request("there is nothing to explain", Some("use -f FILE or -c SQL")));
    };
    let job = JobArguments::default();
    let mut runtime = sql::runtime(Path::new("."), &job, stdout);
    for statement in &parse(&text).map_err(|e| Failure::sql(&e, &text, &name))? {
        let plan = plan(&mut runtime, statement)
            .map_err(|e| Failure::sql(&e.with_span(statement.span), &text, &name))?;
        let Some(plan) = plan else { continue };
        match command.output {
            Answer::Text => stdout.line(&format!("{}\n", plan.trim_end()))?,
            Answer::Json => {
                let line = json!({"statement": statement.text, "plan": plan});
                stdout.line(&line.to_string())?;
            }
        }
    }
    Ok(())
}

/// The plan of a query or insert; none for a declaration, which is made instead.
fn plan(
    runtime: &mut Runtime,
    statement: &ParsedStatement,
) -> rialto_runtime::sql::error::Result<Option<String>> {
    let explained = match &statement.statement {
        Statement::Query(_) | Statement::Insert(_) | Statement::StatementSet(_) => {
            let inner =
                ExplainStatement { details: Vec::new(), statement: Box::new(statement.clone()) };
            ParsedStatement { statement: Statement::Explain(inner), ..statement.clone() }
        }
        _ => statement.clone(),
    };
    // A table made from a query would be filled at once: it is planned instead.
    if let Statement::CreateTable(create) = &explained.statement
        && create.query.is_some()
    {
        let mut plan = rialto_runtime::JobPlan::default();
        runtime.plan(&explained, &mut plan)?;
        return Ok(Some(format!("== Step plan ==\n{}", plan.explain())));
    }
    match runtime.execute(&explained)? {
        Answered::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}
