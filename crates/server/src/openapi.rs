//! `GET /v1/openapi.json`: what can be asked, as OpenAPI 3.1.

use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi;

use crate::answer::{Refusal, raw};

/// The API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rialto",
        description = "Views of a running job, queries, events, and what people do"
    ),
    paths(
        crate::views::list,
        crate::views::page,
        crate::views::point,
        crate::changes::changes,
        crate::sql::sql,
        crate::events::post_events,
        crate::collect::collect,
        crate::guard::whoami,
        crate::decisions::review,
        crate::rules::rules,
        crate::rules::change,
        crate::rules::simulate,
        crate::segments::segments,
        crate::segments::save,
        crate::segments::delete,
        crate::segments::count,
        crate::letters::list,
        crate::letters::show,
        crate::letters::redrive,
        crate::letters::discard,
        crate::project::catalogue,
        crate::project::lineage,
        crate::project::save,
        crate::project::remove,
        crate::project::restart,
        crate::project::explain,
        crate::sources::attempt,
        crate::sources::save,
        crate::operations::status,
        crate::alerts::list,
        crate::alerts::attempt,
        crate::alerts::save,
        crate::alerts::delete,
        crate::tokens::list,
        crate::tokens::create,
        crate::tokens::revoke,
        crate::tokens::people,
        crate::tokens::keep_person,
        crate::tokens::remove_person,
        openapi,
    ),
    components(schemas(
        crate::sql::Question,
        crate::decisions::Verdict,
        crate::decisions::Review,
        crate::rules::Kind,
        crate::rules::Rule,
        crate::rules::Rules,
        crate::segments::Condition,
        crate::segments::Segment,
        crate::segments::Conditions,
        crate::letters::Again,
        crate::letters::Aside,
        crate::project::ViewToSave,
        crate::project::QueryToExplain,
        crate::sources::SourceToTry,
        crate::sources::SourceToSave,
        crate::alerts::NewAlert,
        crate::alerts::Tried,
        crate::tokens::NewToken,
        crate::tokens::NewPerson,
    ))
)]
struct Api;

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "api", responses(
    (status = 200, description = "this document"),
))]
pub async fn openapi() -> Result<Response, Refusal> {
    let text = Api::openapi().to_json().map_err(|e| {
        let what = format!("the description cannot be written: {e}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })?;
    Ok(raw(text.into_bytes()))
}
