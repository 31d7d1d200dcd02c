//! The project of the running job: what it declares, where its columns come from, views that are
//! saved into it, and going on with what was saved.

use std::sync::{Arc, OnceLock};

use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_runtime::design::{Design, DesignError, NewView};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::acts;
use crate::answer::{Refusal, answer};
use crate::operations::job;
use crate::routes::Shared;
use crate::views::blocking;

/// The longest query that is saved.
const QUERY_BYTES_MAX: usize = 64 << 10;
const FORM: &str = "{\"name\": \"…\", \"query\": \"SELECT …\", \"comment\": null}";

/// Where the project is, once the job runs.
pub type Designed = OnceLock<Arc<Design>>;

/// A view to save.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewToSave {
    /// Its name: lower-case letters, digits and `_`.
    name: String,
    /// One `SELECT` over tables and views of the project.
    query: String,
    /// What it is for.
    comment: Option<String>,
}

/// The project, once the job runs.
pub fn design(shared: &Shared) -> Result<Arc<Design>, Refusal> {
    shared.design.get().cloned().ok_or_else(|| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the job is starting").retry_after(1)
    })
}

/// Why the project cannot be looked at or changed, as an answer. `text`: what was sent.
pub fn refused(error: &DesignError, text: &str) -> Refusal {
    let what = error.to_string();
    match error {
        DesignError::Missing { hint, .. } => {
            Refusal::new(StatusCode::NOT_FOUND, what).hint(hint.clone())
        }
        DesignError::Refused { hint, .. } => {
            Refusal::new(StatusCode::CONFLICT, what).hint(hint.clone())
        }
        DesignError::Sql(sql) => {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, sql.message.clone());
            let refusal = match &sql.hint {
                Some(hint) => refusal.hint(hint.clone()),
                None => refusal,
            };
            refusal.with("report", Value::from(sql.render(text, "query")))
        }
        DesignError::File { .. } => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what)
            .hint("look at the folder of the project, and at the disk"),
    }
}

fn as_answer(value: impl serde::Serialize) -> Result<Response, Refusal> {
    let value = serde_json::to_value(value).map_err(|e| {
        let what = format!("the answer cannot be written: {e}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })?;
    Ok(answer(StatusCode::OK, &value))
}

/// All tables and views of the project.
#[utoipa::path(get, path = "/v1/catalogue", tag = "project", responses(
    (status = 200, description = "name, kind, columns, key, query of each; saved, running or not"),
))]
pub async fn catalogue(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let declared = blocking(move || design.declared()).await?;
    as_answer(json!({ "relations": declared.map_err(|e| refused(&e, ""))? }))
}

/// Where the columns of a view come from.
#[utoipa::path(get, path = "/v1/lineage/{name}", tag = "project", params(
    ("name" = String, Path, description = "a table or view of the project"),
), responses(
    (status = 200, description = "members below it, edges from column to column, who reads it"),
    (status = 404, description = "no such table or view"),
))]
pub async fn lineage(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let _turn = shared.turn().await?;
    let found = blocking(move || design.lineage(&name)).await?;
    as_answer(found.map_err(|e| refused(&e, ""))?)
}

/// A query to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryToExplain {
    /// One `SELECT` over tables and views of the project.
    query: String,
}

/// The steps that would keep a query right, were it saved as a view.
#[utoipa::path(post, path = "/v1/explain", tag = "project", request_body = QueryToExplain,
    responses(
    (status = 200, description = "steps, the last one first, each with those that it reads"),
    (status = 400, description = "no view can be made of the query"),
))]
pub async fn explain(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let asked: QueryToExplain = acts::body(&shared, request, "{\"query\": \"SELECT …\"}").await?;
    let _turn = shared.query()?;
    let explain = move || design.explain(&asked.query).map_err(|e| refused(&e, &asked.query));
    as_answer(blocking(explain).await??)
}

/// Saves a query as a materialized view of the project.
#[utoipa::path(post, path = "/v1/views", operation_id = "save_view", tag = "project",
    request_body = ViewToSave, responses(
    (status = 201, description = "its file and columns; it begins with the next run"),
    (status = 400, description = "no view can be made of the query"),
    (status = 409, description = "there is one of this name, or the project is one file"),
))]
pub async fn save(
    State(shared): State<Arc<Shared>>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let view: ViewToSave = acts::body(&shared, request, FORM).await?;
    acts::check_note(view.comment.as_deref())?;
    if view.query.len() > QUERY_BYTES_MAX {
        let what = format!("the query has more than {} kB", QUERY_BYTES_MAX >> 10);
        return Err(acts::wrong(what, "make several views of it"));
    }
    let actor = acts::actor(caller.as_ref());
    let save = move || {
        let ViewToSave { name, query, comment } = &view;
        let new = NewView { name, query, comment: comment.as_deref(), actor: &actor };
        design.save(&new).map_err(|e| refused(&e, query))
    };
    let saved = blocking(save).await??;
    let mut body = json!({ "name": saved.name, "file": saved.file, "columns": saved.columns });
    body["restart"] = restart_of(&shared);
    Ok(answer(StatusCode::CREATED, &body))
}

/// Takes a view that was saved out of the project.
#[utoipa::path(delete, path = "/v1/views/{name}", operation_id = "remove_view", tag = "project",
    params(("name" = String, Path, description = "a view that was saved")), responses(
    (status = 200, description = "its file is gone; the job keeps the view until its end"),
    (status = 404, description = "no such view"),
    (status = 409, description = "it is in a file that somebody wrote, or something reads it"),
))]
pub async fn remove(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let design = design(&shared)?;
    let removed = name.clone();
    let gone = blocking(move || design.remove(&removed)).await?;
    gone.map_err(|e| refused(&e, ""))?;
    let body = json!({ "removed": name, "restart": restart_of(&shared) });
    Ok(answer(StatusCode::OK, &body))
}

/// Whether the job can be asked to go on with the project as it is now; if not, why.
pub fn restart_of(shared: &Shared) -> Value {
    match job(shared).map(|job| job.can_restart()) {
        Ok(Ok(())) => json!({ "possible": true, "reason": null }),
        Ok(Err(reason)) => json!({ "possible": false, "reason": reason }),
        Err(_) => json!({ "possible": false, "reason": "the job is starting" }),
    }
}

/// Ends the job between two steps, and begins it again with the project as it is now.
#[utoipa::path(post, path = "/v1/restart", tag = "project", responses(
    (status = 202, description = "the server is away for a moment, and goes on where it was"),
    (status = 409, description = "the job keeps no state, or cannot be started again from here"),
))]
pub async fn restart(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let job = job(&shared)?;
    let design = design(&shared)?;
    // What would not start again is not stopped.
    let check = move || design.check_files();
    blocking(check).await?.map_err(|e| refused(&e, ""))?;
    job.restart().map_err(|reason| {
        Refusal::new(StatusCode::CONFLICT, reason).hint("stop it, and run the project again")
    })?;
    Ok(answer(StatusCode::ACCEPTED, &json!({ "restarting": true })))
}
