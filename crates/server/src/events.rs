//! `POST /v1/events/{table}`: rows into a table's log.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use rialto_connectors::Refused;
use serde_json::{Value, json};

use crate::answer::{Refusal, answer};
use crate::body::busy;
use crate::routes::Shared;

/// The types of bodies that are taken. A page of another site cannot send them without asking.
const TYPES: [&str; 4] =
    ["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Takes the rows of a request: all are durable when the answer is 200, else none is there.
#[utoipa::path(post, path = "/v1/events/{table}", tag = "events", params(
    ("table" = String, Path, description = "a table with 'connector' = 'http'"),
), request_body(content = String, content_type = "application/json"), responses(
    (status = 200, description = "all rows are durable"),
    (status = 400, description = "some rows are not those of the table; nothing was stored"),
))]
pub async fn post_events(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let table = Arc::clone(shared.table(&name)?);
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let arrived = shared.bodies.read(&parts.headers, body, table.body_bytes_max()).await?;
    let take = move || {
        let body = arrived.unpack()?;
        table.accept(&body).map_err(refusal)
    };
    // A request that is given up by its sender is taken to its end all the same.
    match tokio::task::spawn_blocking(take).await {
        Ok(taken) => {
            let taken = taken?;
            let body = json!({ "accepted": taken.accepted, "duplicates": taken.duplicates });
            Ok(answer(StatusCode::OK, &body))
        }
        Err(_) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "taking the rows broke off (this is a bug, please report it)",
        )),
    }
}

/// Refuses what does not say that it is JSON.
pub fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or_default();
    let kind = said.split(';').next().unwrap_or_default().trim();
    if TYPES.iter().any(|t| t.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    let error = match kind {
        "" => "the request does not say what its body is".to_owned(),
        kind => format!("a body of the type '{kind}' is not taken"),
    };
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
        .hint("send 'Content-Type: application/json', or application/x-ndjson"))
}

/// Why rows were not taken, as an answer.
pub fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::Body(reason) => Refusal::new(StatusCode::BAD_REQUEST, reason),
        Refused::Rows { reasons, bad, rows } => {
            let error = format!("{bad} of {rows} rows cannot be taken; nothing was stored");
            let reasons: Vec<Value> = reasons
                .into_iter()
                .map(|row| json!({ "index": row.index, "reason": row.reason }))
                .collect();
            Refusal::new(StatusCode::BAD_REQUEST, error)
                .with("bad", json!(bad))
                .with("rows", Value::Array(reasons))
        }
        Refused::Busy => busy("too much waits to be written"),
        Refused::Full(reason) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the disk is full; nothing was stored")
                .with("detail", Value::String(reason))
                .retry_after(30)
        }
        Refused::Failed(reason) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the rows cannot be stored; whether some are is known after a restart",
        )
        .with("detail", Value::String(reason)),
    }
}
