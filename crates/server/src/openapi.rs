//! `GET /v1/openapi.json`: what can be asked, as OpenAPI 3.1.

use axum::http::StatusCode;
use axum::response::Response;
use utoipa::OpenApi;

use crate::answer::{Refusal, raw};

/// The API.
#[derive(OpenApi)]
#[openapi(
    info(title = "Rialto", description = "Views of a running job, queries over them, and events"),
    paths(
        crate::views::list,
        crate::views::page,
        crate::views::point,
        crate::changes::changes,
        crate::sql::sql,
        crate::events::post_events,
        crate::collect::collect,
        crate::guard::whoami,
        openapi,
    ),
    components(schemas(crate::sql::Question))
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
