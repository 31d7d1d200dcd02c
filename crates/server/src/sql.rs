//! `POST /v1/sql`: a `SELECT` in Flink's dialect over the views of one snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_connectors::format::json::JsonEncoder;
use rialto_runtime::serving::{QueryError, QueryLimits, QueryRows};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer::{Refusal, raw};
use crate::events::check_type;
use crate::routes::Shared;
use crate::views::{blocking, refused, serving};

/// The longest request.
const BODY_BYTES_MAX: usize = 256 << 10;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// One `SELECT`.
    query: String,
    /// As of which step; none: the newest.
    as_of: Option<u64>,
    /// How many milliseconds it may take, 10,000 at most.
    timeout_ms: Option<u64>,
    /// How many rows it may answer, 10,000 at most.
    rows_max: Option<usize>,
}

/// Ends a query whose asker has gone.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Answers a `SELECT` over the views.
#[utoipa::path(post, path = "/v1/sql", tag = "sql", request_body = Question, responses(
    (status = 200, description = "step, columns and rows"),
    (status = 400, description = "the query is wrong, or no SELECT over views"),
    (status = 422, description = "the query takes too much time, rows or memory"),
    (status = 429, description = "too many queries at once"),
))]
pub async fn sql(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let arrived = shared.bodies.read(&parts.headers, body, BODY_BYTES_MAX).await?;
    let question: Question = serde_json::from_slice(&arrived.unpack()?).map_err(|e| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("the body is not a question: {e}"))
            .hint("send {\"query\": \"SELECT …\"}")
    })?;
    let _turn = shared.query()?;
    let most = QueryLimits::default();
    let asked = Duration::from_millis(question.timeout_ms.unwrap_or(u64::MAX));
    let rows = question.rows_max.unwrap_or(most.rows).min(most.rows);
    let limits = QueryLimits { time: asked.min(most.time), rows, ..most };
    let gone = Gone(Arc::default());
    let seen = Arc::clone(&gone.0);
    let ask = move || {
        let snapshot = serving.snapshot(question.as_of).map_err(refused)?;
        let answer = serving.query(&snapshot, &question.query, limits, &seen);
        let answer = answer.map_err(|e| failed(&e, &question.query))?;
        written(snapshot.step(), &answer)
    };
    let answered = blocking(ask).await?;
    drop(gone);
    answered.map(raw)
}

/// Why a query has no answer, as one.
pub fn failed(error: &QueryError, text: &str) -> Refusal {
    match error {
        QueryError::Sql(sql) => {
            let mut refusal = Refusal::new(StatusCode::BAD_REQUEST, sql.message.clone());
            if let Some(hint) = &sql.hint {
                refusal = refusal.hint(hint.clone());
            }
            refusal.with("report", Value::from(sql.render(text, "query")))
        }
        QueryError::Limit { what, hint } => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, what.clone()).hint(hint.clone())
        }
        QueryError::Engine(error) => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        }
    }
}

fn written(step: u64, answer: &QueryRows) -> Result<Vec<u8>, Refusal> {
    let schema = answer.rows.schema();
    let columns: Vec<Value> = schema
        .fields()
        .iter()
        .zip(&answer.types)
        .map(|(field, of)| json!({ "name": field.name(), "type": of.summary() }))
        .collect();
    let encoder = JsonEncoder::new(&schema);
    let columns = Value::from(columns);
    let mut out = format!("{{\"step\":{step},\"columns\":{columns},\"rows\":[").into_bytes();
    for row in 0..answer.rows.num_rows() {
        if row > 0 {
            out.push(b',');
        }
        encoder.write_row(&answer.rows, row, &mut out).map_err(|e| {
            let what = format!("a row of the answer cannot be written: {e}");
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, what)
        })?;
    }
    out.extend_from_slice(b"]}\n");
    Ok(out)
}
