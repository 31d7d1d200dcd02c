//! `GET /v1/views…`: the views of the job, page by page and by key.

use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use rialto_runtime::serving::{ReadError, Serving, Shape};
use serde_json::{Value, json};

use crate::answer::{Refusal, answer, raw};
use crate::parameters::{self, cursor_of, key_of, parameters, wrong};
use crate::routes::Shared;

/// The parameters of a request.
pub type Pairs = Query<Vec<(String, String)>>;

/// What readers see of the job, once it runs.
pub fn serving(shared: &Shared) -> Result<Arc<Serving>, Refusal> {
    let starting = || refused(ReadError::Starting);
    shared.served.get().cloned().ok_or_else(starting)
}

/// A reader's error as an answer.
pub fn refused(error: ReadError) -> Refusal {
    let what = error.to_string();
    match error {
        ReadError::Starting => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, what).retry_after(1),
        ReadError::NoView { hint, .. } => Refusal::new(StatusCode::NOT_FOUND, what).hint(hint),
        ReadError::NoStep { asked, first, last } => {
            let status = if asked > last { StatusCode::NOT_FOUND } else { StatusCode::GONE };
            Refusal::new(status, what)
                .hint("begin anew without a step")
                .with("first", json!(first))
                .with("last", json!(last))
        }
        ReadError::Wrong { hint, .. } => wrong(what, hint),
        ReadError::TooMuch(_) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, what),
        ReadError::Engine(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what),
    }
}

fn described(shape: &Shape) -> Value {
    let columns: Vec<Value> = shape
        .schema()
        .fields()
        .iter()
        .zip(shape.types())
        .map(|(field, of)| json!({ "name": field.name(), "type": of.summary() }))
        .collect();
    let key: Vec<&str> =
        shape.key().iter().map(|&c| shape.schema().field(c).name().as_str()).collect();
    json!({ "name": shape.name(), "columns": columns, "key": key })
}

/// The views of the job.
#[utoipa::path(get, path = "/v1/views", tag = "views", responses(
    (status = 200, description = "name, columns, key and rows of every view, at one step"),
))]
pub async fn list(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    let snapshot = serving.snapshot(None).map_err(refused)?;
    let views: Vec<Value> = serving
        .shapes()
        .iter()
        .enumerate()
        .map(|(at, shape)| {
            let mut view = described(shape);
            view["rows"] = json!(snapshot.rows(at));
            view
        })
        .collect();
    let (first, last) = serving.range().unwrap_or_default();
    let steps = json!({ "first": first, "last": last });
    let body = json!({ "step": snapshot.step(), "steps": steps, "views": views });
    Ok(answer(StatusCode::OK, &body))
}

/// A page of a view.
#[utoipa::path(get, path = "/v1/views/{name}", tag = "views", params(
    ("name" = String, Path, description = "the view"),
    ("limit" = Option<u32>, Query, description = "rows of a page, 1 to 10000; 100"),
    ("order" = Option<String>, Query, description = "columns, `-` before one for highest first"),
    ("cursor" = Option<String>, Query, description = "the `next` of the page before"),
    ("as_of" = Option<u64>, Query, description = "a step; none: the newest"),
), responses(
    (status = 200, description = "rows; every other parameter is a filter on a column"),
    (status = 400, description = "a parameter is wrong"),
    (status = 404, description = "no such view"),
    (status = 410, description = "the step is no longer kept"),
))]
pub async fn page(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(pairs): Pairs,
) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    let view = serving.view(&name).map_err(refused)?;
    let parameters = parameters(&serving.shapes()[view], &pairs)?;
    let _turn = shared.turn().await?;
    let read = move || {
        let snapshot = serving.snapshot(parameters.as_of).map_err(refused)?;
        let read = serving.page(&snapshot, view, &parameters.request).map_err(refused)?;
        let (rows, next) = read;
        if next.is_some() {
            serving.pin(&snapshot);
        }
        let next = next.map(|page| cursor_of(snapshot.step(), &page));
        let shape = &serving.shapes()[view];
        written(shape, snapshot.step(), &rows, next.as_deref())
    };
    blocking(read).await?.map(raw)
}

/// The row of a key.
#[utoipa::path(get, path = "/v1/views/{name}/{key}", tag = "views", params(
    ("name" = String, Path, description = "the view"),
    ("key" = String, Path, description = "the values of its key, separated by commas"),
    ("as_of" = Option<u64>, Query, description = "a step; none: the newest"),
), responses(
    (status = 200, description = "the row"),
    (status = 404, description = "no such view, or no row with this key"),
))]
pub async fn point(
    State(shared): State<Arc<Shared>>,
    Path((name, _)): Path<(String, String)>,
    Query(pairs): Pairs,
    uri: Uri,
) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    let view = serving.view(&name).map_err(refused)?;
    let mut as_of = None;
    for (name, value) in &pairs {
        match name.as_str() {
            "as_of" => as_of = Some(parameters::step(value)?),
            _ => return Err(wrong(format!("'{name}' says nothing here"), "there is as_of")),
        }
    }
    // The key as it was sent: a comma within a value is not one between two.
    let key = key_of(uri.path().rsplit('/').next().unwrap_or_default())?;
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    let snapshot = serving.snapshot(as_of).map_err(refused)?;
    let Some(row) = serving.row(&snapshot, view, &key).map_err(refused)? else {
        let what = format!("'{name}' has no row with the key {}", key.join(", "));
        let step = json!(snapshot.step());
        return Err(Refusal::new(StatusCode::NOT_FOUND, what).with("step", step));
    };
    let mut out = format!("{{\"step\":{},\"row\":", snapshot.step()).into_bytes();
    write_row(&serving.shapes()[view], &row, 0, &mut out)?;
    out.extend_from_slice(b"}\n");
    Ok(raw(out))
}

/// Runs what takes its time beside the requests.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        let what = "answering broke off (this is a bug, please report it)";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })
}

/// Appends a row.
pub fn write_row(
    shape: &Shape,
    rows: &RecordBatch,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    shape.write_json(rows, row, out).map_err(|e| {
        let what = format!("a row of '{}' cannot be written: {e}", shape.name());
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })
}

fn written(
    shape: &Shape,
    step: u64,
    rows: &RecordBatch,
    next: Option<&str>,
) -> Result<Vec<u8>, Refusal> {
    let name = Value::from(shape.name());
    let mut out = format!("{{\"view\":{name},\"step\":{step},\"rows\":[").into_bytes();
    for row in 0..rows.num_rows() {
        if row > 0 {
            out.push(b',');
        }
        write_row(shape, rows, row, &mut out)?;
    }
    let next = next.map_or(Value::Null, Value::from);
    out.extend_from_slice(format!("],\"next\":{next}}}\n").as_bytes());
    Ok(out)
}
