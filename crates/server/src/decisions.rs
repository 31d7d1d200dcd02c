//! `POST /v1/decisions/{id}`: somebody approves or rejects what a pack has proposed.

use std::sync::Arc;

use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_runtime::serving::Serving;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::acts;
use crate::answer::{Refusal, answer};
use crate::parameters::parameters;
use crate::routes::Shared;
use crate::views::{blocking, refused, serving, write_row};

/// Where it goes, and who declares that.
const TABLE: &str = "decision_review";
const FILE: &str = "packs/decisions/journal.sql";
/// Where decisions stand.
const STATE: &str = "decision_state";

/// What somebody says on a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may be done.
    Approve,
    /// It may not.
    Reject,
}

/// A review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What is said.
    verdict: Verdict,
    /// Why.
    note: Option<String>,
}

/// Approves or rejects a proposed decision.
#[utoipa::path(post, path = "/v1/decisions/{id}", tag = "acts", params(
    ("id" = String, Path, description = "its decision_id"),
), request_body = Review, responses(
    (status = 200, description = "decision_id, verdict, actor and reviewed_at: it is durable"),
    (status = 404, description = "no such decision in decision_state"),
    (status = 409, description = "it does not wait for anybody (any more); status says how it is"),
))]
pub async fn review(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = "{\"verdict\": \"approve\" or \"reject\", \"note\": \"…\"}";
    let review: Review = acts::body(&shared, request, form).await?;
    let note = review.note.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
    acts::check_note(note.as_deref())?;
    let table = acts::table(&shared, TABLE, FILE)?;
    let serving = serving(&shared)?;
    acts::check_views(&serving, &[STATE], "decisions")?;
    let of = id.clone();
    let found = blocking(move || status_of(&serving, &of)).await??;
    let said = |status: &str| {
        let what = format!("the decision does not wait for approval: it is {status}");
        Refusal::new(StatusCode::CONFLICT, what).with("status", json!(status))
    };
    match found.as_deref() {
        Some("proposed") => {}
        Some(status) => return Err(said(status)),
        None => {
            let shown: String = id.chars().take(200).collect();
            let what = format!("there is no decision '{shown}' in {STATE}");
            let hint = "the journal writes what packs propose with the next checkpoint; a project \
                        without --state has none";
            return Err(Refusal::new(StatusCode::NOT_FOUND, what).hint(hint));
        }
    }
    let (actor, at) = (acts::actor(caller.as_ref()), acts::now());
    let verdict = match review.verdict {
        Verdict::Approve => "approve",
        Verdict::Reject => "reject",
    };
    let row = json!({
        "event_id": id, "decision_id": id, "verdict": verdict, "note": note, "actor": actor,
        "reviewed_at": at,
    });
    // The event is called as the decision is: of two who say something at once one comes second.
    if acts::store(table, vec![row]).await? > 0 {
        let what = "somebody else has said something on this decision a moment ago";
        let hint = "look at it again: decision_reviewed says what and who";
        return Err(Refusal::new(StatusCode::CONFLICT, what).hint(hint));
    }
    let body = json!({
        "decision_id": id, "verdict": verdict, "note": note, "actor": actor, "reviewed_at": at,
    });
    Ok(answer(StatusCode::OK, &body))
}

/// How a decision stands now; none: nobody knows it.
fn status_of(serving: &Serving, id: &str) -> Result<Option<String>, Refusal> {
    let snapshot = serving.snapshot(None).map_err(refused)?;
    let view = serving.view(STATE).map_err(refused)?;
    let shape = &serving.shapes()[view];
    let asked = parameters(shape, &[("decision_id".to_owned(), format!("eq.{id}"))])?;
    let (rows, _) = serving.page(&snapshot, view, &asked.request).map_err(refused)?;
    if rows.num_rows() == 0 {
        return Ok(None);
    }
    let mut text = Vec::new();
    write_row(shape, &rows, 0, &mut text)?;
    let row: Value = serde_json::from_slice(&text).unwrap_or_default();
    Ok(Some(row["status"].as_str().unwrap_or_default().to_owned()))
}
