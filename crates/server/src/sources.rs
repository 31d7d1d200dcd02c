//! `/v1/sources`: the first rows of a source that somebody is about to add, and adding it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_connectors::format::json::JsonEncoder;
use rialto_runtime::design::{Asked, NewSource, Preview};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::acts;
use crate::answer::{Refusal, answer, raw};
use crate::project::{design, refused, restart_of};
use crate::routes::Shared;
use crate::views::blocking;

const FORM: &str = "{\"table\": \"CREATE TABLE …\", \"query\": null, \"sample\": null}";
const NEW_FORM: &str = "{\"name\": \"…\", \"text\": \"CREATE TABLE …\", \"comment\": null}";

/// What somebody wants to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceToTry {
    /// A `CREATE TABLE`.
    table: String,
    /// A `SELECT` over it; none: all its columns.
    query: Option<String>,
    /// Records in the place of those that the source has.
    sample: Option<String>,
}

/// A source to save.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceToSave {
    /// The table's name: lower-case letters, digits and `_`.
    name: String,
    /// A `CREATE TABLE`, and a view over it where there is one.
    text: String,
    /// What it is for.
    comment: Option<String>,
}

/// The first rows of a source that is not there yet. Nothing is written.
#[utoipa::path(post, path = "/v1/sources/preview", operation_id = "try_source", tag = "project",
    request_body = SourceToTry, responses(
    (status = 200, description = "columns, rows, and the records that cannot be read, with why"),
    (status = 400, description = "the statement is wrong"),
    (status = 409, description = "the source cannot be opened, or a value cannot be computed"),
))]
pub async fn attempt(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let asked: SourceToTry = acts::body(&shared, request, FORM).await?;
    let _turn = shared.query()?;
    let look = move || {
        let SourceToTry { table, query, sample } = &asked;
        let (query, sample) = (query.as_deref(), sample.as_deref());
        let found = design.preview(&Asked { table, query, sample });
        written(&found.map_err(|e| refused(&e, table))?)
    };
    blocking(look).await?.map(raw)
}

fn written(found: &Preview) -> Result<Vec<u8>, Refusal> {
    let about = json!({
        "columns": found.columns, "refused": found.refused, "ended": found.has_ended,
    });
    let mut out = about.to_string().into_bytes();
    // The rows go where the object ends.
    out.pop();
    out.extend_from_slice(b",\"rows\":[");
    let mut is_first = true;
    for batch in &found.rows {
        write_rows(batch, &mut is_first, &mut out)?;
    }
    out.extend_from_slice(b"]}\n");
    Ok(out)
}

fn write_rows(batch: &RecordBatch, is_first: &mut bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let encoder = JsonEncoder::new(&batch.schema());
    for row in 0..batch.num_rows() {
        if !std::mem::take(is_first) {
            out.push(b',');
        }
        encoder.write_row(batch, row, out).map_err(|e| {
            let what = format!("a row cannot be written: {e}");
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, what)
        })?;
    }
    Ok(())
}

/// Saves a source into the project.
#[utoipa::path(post, path = "/v1/sources", operation_id = "save_source", tag = "project",
    request_body = SourceToSave, responses(
    (status = 201, description = "its file and columns; it begins with the next run"),
    (status = 400, description = "a statement is wrong"),
    (status = 409, description = "it is no source, or reads what it may not"),
))]
pub async fn save(
    State(shared): State<Arc<Shared>>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let source: SourceToSave = acts::body(&shared, request, NEW_FORM).await?;
    acts::check_note(source.comment.as_deref())?;
    let actor = acts::actor(caller.as_ref());
    let save = move || {
        let SourceToSave { name, text, comment } = &source;
        let new = NewSource { name, text, comment: comment.as_deref(), actor: &actor };
        design.save_source(&new).map_err(|e| refused(&e, text))
    };
    let saved = blocking(save).await??;
    let mut body = serde_json::to_value(&saved).unwrap_or(Value::Null);
    body["restart"] = restart_of(&shared);
    Ok(answer(StatusCode::CREATED, &body))
}
