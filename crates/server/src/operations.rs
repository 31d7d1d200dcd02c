//! What is told of the running job, and what it may be asked for.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::answer::{Refusal, answer};
use crate::routes::Shared;

/// The metrics' text, in the words of the format.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A running job, as the server sees it: it knows no job.
pub trait Operated: Send + Sync {
    /// The job's metrics, in the text format of OpenMetrics.
    fn metrics(&self) -> String;

    /// How the job stands.
    fn status(&self) -> Value;

    /// Has the job take a checkpoint, waits until it is durable and answers its number, or says why
    /// there is none.
    fn checkpoint(&self) -> Result<u64, String>;

    /// Where the job keeps its state, if it does.
    fn state_folder(&self) -> Option<PathBuf>;

    /// Whether the job could be ended and begun again from here; if not, why.
    fn can_restart(&self) -> Result<(), String>;

    /// Has the job end between two steps, and begin again with the project as it is then.
    fn restart(&self) -> Result<(), String>;
}

/// Where the job is, once it runs.
pub(crate) type Slot = OnceLock<Arc<dyn Operated>>;

/// The job, once it runs.
pub fn job(shared: &Shared) -> Result<Arc<dyn Operated>, Refusal> {
    shared.job.get().cloned().ok_or_else(|| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the job is starting").retry_after(1)
    })
}

/// `GET /metrics`.
pub async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let text = job(&shared)?.metrics();
    let kind = HeaderValue::from_static(METRICS);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response())
}

/// `GET /v1/status`.
pub async fn status(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    Ok(answer(StatusCode::OK, &job(&shared)?.status()))
}

/// `POST /v1/checkpoint`.
pub async fn checkpoint(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let job = job(&shared)?;
    let taken = tokio::task::spawn_blocking(move || job.checkpoint()).await;
    match taken {
        Ok(Ok(epoch)) => Ok(answer(StatusCode::OK, &json!({ "checkpoint": epoch }))),
        Ok(Err(reason)) => Err(Refusal::new(StatusCode::CONFLICT, reason)),
        Err(_) => {
            let error = "the server stops: ask again";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error).retry_after(1))
        }
    }
}
