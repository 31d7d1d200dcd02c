//! What is told of the running job, and what it may be asked for.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Refusal, answer};
use crate::routes::Shared;

/// The metrics' text, in the words of the format.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// So many outputs of an operator are named where not all operators are told.
const OUTPUTS_MAX: usize = 3;

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

/// How much of the status is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// So many of the busiest operators; none: all.
    operators: Option<usize>,
    /// And those that have a part in this output.
    output: Option<String>,
    /// And this source, with all outputs that it feeds.
    source: Option<String>,
}

/// How the job stands. A job of many views has thousands of operators, each with the names of all
/// outputs that it works for: who looks again and again says how many are enough.
#[utoipa::path(get, path = "/v1/status", tag = "operations", params(
    ("operators" = Option<usize>, Query, description = "so many of the busiest; none: all"),
    ("output" = Option<String>, Query, description = "and those that this output is made by"),
    ("source" = Option<String>, Query, description = "and this source, with all that it feeds"),
), responses(
    (status = 200, description = "rows, sources, outputs, operators and what they read"),
))]
pub async fn status(
    State(shared): State<Arc<Shared>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|e| {
        let hint = "say operators=100, output=NAME and source=NAME, or nothing";
        Refusal::new(StatusCode::BAD_REQUEST, e.body_text()).hint(hint)
    })?;
    let mut status = job(&shared)?.status();
    cut(&mut status, &wanted);
    Ok(answer(StatusCode::OK, &status))
}

/// Leaves out the operators that are not wanted, and says of all how many and how large they are.
fn cut(status: &mut Value, wanted: &Wanted) {
    let Some(Value::Array(operators)) = status.get_mut("operators") else { return };
    let count = operators.len();
    let sizes = operators.iter().filter_map(|one| one["state_bytes"].as_u64());
    let state_bytes: u64 = sizes.sum();
    if let Some(most) = wanted.operators {
        let works_for = |one: &Value| {
            let outputs = one["outputs"].as_array().into_iter().flatten();
            let mut names = outputs.filter_map(Value::as_str);
            wanted.output.as_deref().is_some_and(|output| names.any(|name| name == output))
        };
        let is_source = |one: &Value| {
            one["kind"] == "source" && wanted.source.as_deref().is_some_and(|s| one["name"] == s)
        };
        // They come with the busiest first.
        let mut place = 0;
        operators.retain(|one| {
            place += 1;
            place <= most || works_for(one) || is_source(one)
        });
        for one in operators.iter_mut().filter(|one| !is_source(one)) {
            cut_outputs(one, wanted.output.as_deref());
        }
    }
    status["operators_in_all"] = json!({ "count": count, "state_bytes": state_bytes });
}

/// Of an operator that works for many outputs, the one that is looked at and the first few.
fn cut_outputs(operator: &mut Value, wanted: Option<&str>) {
    let Some(Value::Array(outputs)) = operator.get_mut("outputs") else { return };
    let count = outputs.len();
    outputs.sort_by_key(|name| name.as_str() != wanted);
    outputs.truncate(OUTPUTS_MAX);
    operator["outputs_in_all"] = json!(count);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_often_is_told_of_what_it_looks_at() {
        let operator =
            |node: u64, of: &[&str]| json!({ "node": node, "outputs": of, "state_bytes": 10 });
        let all = ["a", "b", "c", "d", "e"];
        let told = |wanted: &Wanted| {
            let operators = json!([operator(4, &all), operator(2, &["b"]), operator(7, &["e"])]);
            let mut status = json!({ "rows": 3, "operators": operators });
            cut(&mut status, wanted);
            status
        };
        let whole = told(&Wanted::default());
        assert_eq!(whole["operators"].as_array().unwrap().len(), 3);
        assert_eq!(whole["operators"][0]["outputs"], json!(all));
        let of = Wanted { operators: Some(1), output: Some("e".into()), source: None };
        let part = told(&of);
        let nodes: Vec<&Value> = part["operators"].as_array().unwrap().iter().collect();
        assert_eq!(nodes.iter().map(|one| &one["node"]).collect::<Vec<_>>(), [4, 7]);
        assert_eq!(nodes[0]["outputs"], json!(["e", "a", "b"]));
        assert_eq!(nodes[0]["outputs_in_all"], 5);
        assert_eq!(part["operators_in_all"], json!({ "count": 3, "state_bytes": 30 }));
    }
}
