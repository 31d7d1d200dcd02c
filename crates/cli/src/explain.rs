//! `rialto explain`.

use std::path::Path;

use rialto_runtime::sql::parser::{
    Explain as ExplainStatement, ExplainWatermark, ParsedStatement, Statement, parse,
};
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
        let plan = plan(&mut runtime, statement, command.watermark)
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
    watermark: bool,
) -> rialto_runtime::sql::error::Result<Option<String>> {
    if watermark {
        return of_watermark(runtime, statement);
    }
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

/// The watermark of a query, insert or materialized view; a declaration is made.
fn of_watermark(
    runtime: &mut Runtime,
    statement: &ParsedStatement,
) -> rialto_runtime::sql::error::Result<Option<String>> {
    let mut plan = rialto_runtime::JobPlan::default();
    let explain = match &statement.statement {
        Statement::Query(_) | Statement::Insert(_) | Statement::StatementSet(_) => {
            ExplainWatermark::Statement(Box::new(statement.clone()))
        }
        Statement::CreateMaterializedView(create) => {
            runtime.execute(statement)?;
            ExplainWatermark::Relation(create.name.clone())
        }
        // A table made from a query would be filled at once: it is planned instead.
        Statement::CreateTable(create) if create.query.is_some() => {
            runtime.plan(statement, &mut plan)?;
            return Ok(Some(plan.explain_watermark(runtime.session())));
        }
        _ => {
            return match runtime.execute(statement)? {
                Answered::Text(text) => Ok(Some(text)),
                _ => Ok(None),
            };
        }
    };
    let explain = Statement::ExplainWatermark(explain);
    match runtime.execute(&ParsedStatement { statement: explain, ..statement.clone() })? {
        Answered::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}
