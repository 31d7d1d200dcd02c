//! Who answers what.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use rialto_connectors::Ingest;
use rialto_connectors::options::nearest;
use rialto_runtime::serving::Serving;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::Tokens;
use crate::access::{Caller, Need};
use crate::answer::{Refusal, answer};
use crate::body::Bodies;
use crate::guard::{self, Guard};
use crate::health::Health;
use crate::operations::{self, Slot};
use crate::{
    alerts, changes, collect, console, decisions, events, letters, openapi, project, rules,
    segments, sources, sql, tokens, views,
};

/// Pages that are read at once; more wait a moment.
const PAGES_MAX: usize = 8;
/// How long.
const TURN_PATIENCE: Duration = Duration::from_secs(5);
/// Queries that are answered at once.
const QUERIES_MAX: usize = 4;
/// Subscribers at once.
const SUBSCRIBERS_MAX: usize = 256;

/// Where the views are, once the job runs.
pub type Served = OnceLock<Arc<Serving>>;

/// What the routes share.
pub struct Shared {
    tables: BTreeMap<String, Arc<Ingest>>,
    health: Arc<Health>,
    /// The job, once it runs.
    pub job: Arc<Slot>,
    /// The bytes of requests that are being read or taken.
    pub bodies: Bodies,
    /// The views, once the job runs.
    pub served: Arc<Served>,
    /// The project, once the job runs.
    pub design: Arc<project::Designed>,
    /// The alerts, once the job runs.
    pub alerts: Arc<alerts::Watched>,
    /// The project's tokens.
    pub tokens: Option<Tokens>,
    pages: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    subscribers: Arc<Semaphore>,
}

impl Shared {
    /// Waits for one's turn to read a page.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let turn = Arc::clone(&self.pages).acquire_owned();
        match tokio::time::timeout(TURN_PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(too_many("pages are being read")),
        }
    }

    /// A place among the queries that run.
    pub fn query(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.queries).try_acquire_owned();
        place.map_err(|_| too_many("queries run"))
    }

    /// A place among the subscribers.
    pub fn subscriber(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.subscribers).try_acquire_owned();
        place.map_err(|_| too_many("subscribers are connected"))
    }

    /// A table that takes events, where there is one of this name.
    pub fn ingest(&self, name: &str) -> Option<&Arc<Ingest>> {
        self.tables.get(name)
    }

    /// The table of a request.
    pub fn table(&self, name: &str) -> Result<&Arc<Ingest>, Refusal> {
        self.tables.get(name).ok_or_else(|| {
            let error = format!("there is no table '{name}' that takes events");
            let refusal = Refusal::new(StatusCode::NOT_FOUND, error);
            let names: Vec<&str> = self.tables.keys().map(String::as_str).collect();
            match (nearest(name, &names), names.as_slice()) {
                (Some(near), _) => refusal.hint(format!("did you mean '{near}'?")),
                (None, []) => refusal.hint("the project has no table with 'connector' = 'http'"),
                (None, names) => refusal.hint(format!("there are {}", names.join(", "))),
            }
        })
    }
}

fn too_many(what: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, format!("too many {what} at once"))
        .hint("ask again after the time that Retry-After says")
        .retry_after(1)
}

/// What the routes are given.
pub struct Parts {
    /// The tables that take events, by name.
    pub tables: BTreeMap<String, Arc<Ingest>>,
    /// What the server says of itself.
    pub health: Arc<Health>,
    /// The project's tokens.
    pub tokens: Option<Tokens>,
    /// The job, once it runs, as the following.
    pub job: Arc<Slot>,
    /// Its views.
    pub served: Arc<Served>,
    /// Its project.
    pub design: Arc<project::Designed>,
    /// Its alerts.
    pub alerts: Arc<alerts::Watched>,
}

/// What is there once the job runs.
type After = (Arc<Slot>, Arc<Served>, Arc<project::Designed>);

impl Parts {
    /// From what the server has.
    pub fn of(
        tables: BTreeMap<String, Arc<Ingest>>,
        (tokens, health, alerts): (Option<Tokens>, Arc<Health>, Arc<alerts::Watched>),
        (job, served, design): After,
    ) -> Self {
        Self { tables, health, tokens, job, served, design, alerts }
    }
}

/// All routes.
pub fn router(parts: Parts, guard: Guard) -> Router {
    let Parts { tables, health, tokens, job, served, design, alerts } = parts;
    let shared = Arc::new(Shared {
        tables,
        health,
        job,
        bodies: Bodies::default(),
        served,
        design,
        alerts,
        tokens,
        pages: Arc::new(Semaphore::new(PAGES_MAX)),
        queries: Arc::new(Semaphore::new(QUERIES_MAX)),
        subscribers: Arc::new(Semaphore::new(SUBSCRIBERS_MAX)),
    });
    Router::new()
        .route("/v1/events/{table}", post(events::post_events))
        .route("/v1/track", post(collect::collect))
        .route("/v1/identify", post(collect::collect))
        .route("/v1/page", post(collect::collect))
        .route("/v1/screen", post(collect::collect))
        .route("/v1/alias", post(collect::collect))
        .route("/v1/batch", post(collect::collect))
        .route("/v1/views", get(views::list).post(project::save))
        .route("/v1/views/{name}", get(views::page).delete(project::remove))
        .route("/v1/views/{name}/changes", get(changes::changes))
        .route("/v1/views/{name}/{key}", get(views::point))
        .route("/v1/sql", post(sql::sql))
        .merge(acts())
        .merge(work())
        .route("/v1/openapi.json", get(openapi::openapi))
        .route("/v1/whoami", get(guard::whoami))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(operations::metrics))
        .route("/v1/status", get(operations::status))
        .route("/v1/checkpoint", post(operations::checkpoint))
        .fallback(other)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::new(guard), guard::guard))
        .with_state(shared)
}

/// What people do.
fn acts() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/decisions/{id}", post(decisions::review))
        .route("/v1/rules", get(rules::rules).put(rules::change))
        .route("/v1/rules/simulate", post(rules::simulate))
        .route("/v1/segments", get(segments::segments))
        .route("/v1/segments/count", post(segments::count))
        .route("/v1/segments/{id}", put(segments::save).delete(segments::delete))
        .route("/v1/dead-letters", get(letters::list))
        .route("/v1/dead-letters/redrive", post(letters::redrive))
        .route("/v1/dead-letters/discard", post(letters::discard))
        .route("/v1/dead-letters/{id}", get(letters::show))
}

/// What people do to the project, and to who may ask.
fn work() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/catalogue", get(project::catalogue))
        .route("/v1/lineage/{name}", get(project::lineage))
        .route("/v1/explain", post(project::explain))
        .route("/v1/sources", post(sources::save))
        .route("/v1/sources/preview", post(sources::attempt))
        .route("/v1/restart", post(project::restart))
        .route("/v1/alerts", get(alerts::list))
        .route("/v1/alerts/try", post(alerts::attempt))
        .route("/v1/alerts/{id}", put(alerts::save).delete(alerts::delete))
        .route("/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/v1/tokens/{name}", delete(tokens::revoke))
        .route("/v1/people", get(tokens::people))
        .route("/v1/people/{name}", put(tokens::keep_person).delete(tokens::remove_person))
}

/// The process answers.
async fn livez() -> Response {
    answer(StatusCode::OK, &json!({ "status": "live" }))
}

/// Whether all is well, and if not, why; who may not read is told whether alone.
async fn readyz(State(shared): State<Arc<Shared>>, caller: Option<Extension<Caller>>) -> Response {
    let reasons = shared.health.reasons_now();
    if caller.is_none_or(|caller| !caller.role.may(Need::View)) {
        let ready = reasons.is_empty();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        return answer(status, &json!({ "ready": ready }));
    }
    if reasons.is_empty() {
        let rows: BTreeMap<&str, usize> =
            shared.tables.iter().map(|(name, table)| (name.as_str(), table.rows())).collect();
        let mut body = json!({ "ready": true, "rows": rows });
        if let Some(job) = shared.job.get() {
            body["catching_up"] = job.status()["catching_up"].clone();
        }
        return answer(StatusCode::OK, &body);
    }
    let reasons: Vec<_> =
        reasons.iter().map(|(who, why)| json!({ "who": who, "reason": why })).collect();
    answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "reasons": reasons }))
}

/// The console, and what is nowhere.
async fn other(request: Request) -> Response {
    let path = request.uri().path();
    let is_api = path == "/v1" || path.starts_with("/v1/");
    let page = || console::answer(request.method(), path, request.headers());
    if let Some(response) = (!is_api).then(page).flatten() {
        return response;
    }
    let error = format!("there is nothing at {path}");
    let refusal = Refusal::new(StatusCode::NOT_FOUND, error).hint(
        "/v1/openapi.json says what there is: /v1/views, /v1/sql, /v1/events/{table}, /livez, \
         /readyz, /metrics, /v1/status",
    );
    refusal.into_response()
}

async fn no_such_method(request: Request) -> Refusal {
    let error = format!("{} does not take {}", request.uri().path(), request.method());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error)
        .hint("events and queries are sent with POST, everything else is asked with GET")
}
