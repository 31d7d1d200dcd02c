//! `/v1/alerts`: what somebody wants to be told, as a view and a condition.
//!
//! - `book.rs`: the alerts of a project, in a file of it
//! - `firing.rs`: since when they fire, in a file
//! - `watch.rs`: looks at them as the views change
//!
//! An alert fires while its view has rows that fulfil its condition. Rows are looked at as of a
//! step, like all that is read; an alert whose view did not change is not looked at again.

mod book;
mod firing;
mod watch;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::{Caller, now_ms};
use crate::acts::{self, wrong};
use crate::answer::{Refusal, answer};
use crate::routes::Shared;
use crate::views::{blocking, refused, serving};

use book::{Alert, Book};
use firing::Firing;
pub use watch::Watch;

/// The longest condition.
const CONDITION_BYTES_MAX: usize = 4 << 10;
/// The longest title.
const TITLE_CHARS_MAX: usize = 200;
/// How long a condition may take to be tried.
const TRY_TIME: Duration = Duration::from_secs(5);
const FORM: &str = "{\"title\": \"…\", \"view\": \"…\", \"condition\": \"…\", \
    \"severity\": \"warning\"}";

/// Who watches, once the job runs.
pub type Watched = OnceLock<Arc<Watch>>;

/// An alert as somebody wants it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlert {
    /// How it is called.
    title: String,
    /// A materialized view.
    view: String,
    /// A condition over its columns, in SQL.
    condition: String,
    /// `notice`, `warning` or `critical`.
    severity: String,
}

/// A condition to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// A materialized view.
    view: String,
    /// A condition over its columns, in SQL.
    condition: String,
}

fn watch(shared: &Shared) -> Result<Arc<Watch>, Refusal> {
    shared.alerts.get().cloned().ok_or_else(|| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the job is starting").retry_after(1)
    })
}

fn unwritable(why: String) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why)
        .hint("look at alerts.json in the project's folder, and at the disk")
}

/// All alerts, those that fire first.
#[utoipa::path(get, path = "/v1/alerts", operation_id = "alerts", tag = "alerts", responses(
    (status = 200, description = "each with whether it fires, since when, and rows that do it"),
))]
pub async fn list(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    Ok(answer(StatusCode::OK, &watch(&shared)?.told()))
}

/// Counts the rows that fulfil a condition now.
async fn tried(shared: &Shared, view: String, condition: String) -> Result<Value, Refusal> {
    if condition.trim().is_empty() || condition.len() > CONDITION_BYTES_MAX {
        let what = format!("a condition has 1 to {CONDITION_BYTES_MAX} bytes");
        return Err(wrong(what, "write one over the view's columns: available < 3"));
    }
    let serving = serving(shared)?;
    serving.view(&view).map_err(refused)?;
    let _turn = shared.query()?;
    let look = move || {
        let snapshot = serving.snapshot(None).map_err(refused)?;
        let found = watch::look(&serving, &snapshot, &view, &condition, TRY_TIME)?;
        Ok::<Value, Refusal>(json!({
            "step": snapshot.step(), "rows": found.rows, "some": found.some,
        }))
    };
    blocking(look).await?
}

/// What a condition would do now.
#[utoipa::path(post, path = "/v1/alerts/try", operation_id = "try_alert", tag = "alerts",
    request_body = Tried, responses(
    (status = 200, description = "step, how many rows fulfil it, and some of them"),
    (status = 400, description = "it is no condition over this view"),
))]
pub async fn attempt(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = "{\"view\": \"…\", \"condition\": \"…\"}";
    let Tried { view, condition } = acts::body(&shared, request, form).await?;
    Ok(answer(StatusCode::OK, &tried(&shared, view, condition).await?))
}

/// Keeps an alert, or changes it.
#[utoipa::path(put, path = "/v1/alerts/{id}", operation_id = "save_alert", tag = "alerts",
    params(("id" = String, Path, description = "its name: lower-case letters, digits and `_`")),
    request_body = NewAlert, responses(
    (status = 200, description = "it is kept in alerts.json of the project, and looked at"),
    (status = 400, description = "it is no condition over this view"),
))]
pub async fn save(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    acts::check_name("alert", &id)?;
    let watch = watch(&shared)?;
    let NewAlert { title, view, condition, severity } = acts::body(&shared, request, FORM).await?;
    if title.trim().is_empty() || title.chars().count() > TITLE_CHARS_MAX {
        let what = format!("a title has 1 to {TITLE_CHARS_MAX} characters");
        return Err(wrong(what, "say what it means in a few words"));
    }
    if !book::SEVERITIES.contains(&severity.as_str()) {
        let hint = format!("take one of {}", book::SEVERITIES.join(", "));
        return Err(wrong(format!("there is no severity '{severity}'"), hint));
    }
    let found = tried(&shared, view.clone(), condition.clone()).await?;
    let (actor, changed_ms) = (acts::actor(caller.as_ref()), now_ms());
    let alert = Alert { id, title, view, condition, severity, actor, changed_ms };
    let said = json!({ "id": alert.id, "rows": found["rows"] });
    let kept = blocking(move || watch.keep(alert)).await?;
    kept.map_err(unwritable)?;
    Ok(answer(StatusCode::OK, &said))
}

/// Forgets an alert.
#[utoipa::path(delete, path = "/v1/alerts/{id}", operation_id = "delete_alert", tag = "alerts",
    params(("id" = String, Path, description = "its name")), responses(
    (status = 200, description = "it is forgotten"),
    (status = 404, description = "no such alert"),
))]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let watch = watch(&shared)?;
    let forgotten = id.clone();
    match blocking(move || watch.forget(&forgotten)).await?.map_err(unwritable)? {
        true => Ok(answer(StatusCode::OK, &json!({ "deleted": id }))),
        false => {
            let what = format!("there is no alert '{id}'");
            Err(Refusal::new(StatusCode::NOT_FOUND, what).hint("GET /v1/alerts lists them"))
        }
    }
}

/// The alerts of a project, watched from now on.
pub fn open(folder: &std::path::Path) -> Watch {
    Watch::new(Book::at(folder), Firing::at(folder))
}
