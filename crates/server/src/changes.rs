//! `GET /v1/views/{name}/changes`: a view, and then what changes in it, as server-sent events.
//!
//! A subscriber keeps nothing in the server but the step that it has seen: the changes are kept
//! once for all. One that reads so slowly that its next change is no longer kept is told so, and
//! its stream ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::Array;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rialto_runtime::serving::{Filter, ReadError, Rows, Serving, Snapshot, StepChange};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::access::Caller;
use crate::answer::Refusal;
use crate::parameters;
use crate::routes::Shared;
use crate::views::{Pairs, blocking, refused, serving, write_row};

/// Rows of an event of the snapshot.
const EVENT_ROWS: usize = 1000;
/// A stream that has nothing to say says so.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A view, and then what changes in it.
#[utoipa::path(get, path = "/v1/views/{name}/changes", tag = "views", params(
    ("name" = String, Path, description = "the view"),
    ("from" = Option<u64>, Query, description = "changes after this step, without a snapshot"),
), responses(
    (status = 200, description = "`snapshot`, `change` and `dropped` events; filters as for rows",
        body = String, content_type = "text/event-stream"),
    (status = 410, description = "changes after the step are no longer kept"),
))]
pub async fn changes(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(pairs): Pairs,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    let view = serving.view(&name).map_err(refused)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut from = seen.map(parameters::step).transpose()?;
    let mut filters = Vec::new();
    for (name, value) in &pairs {
        match name.as_str() {
            "from" if from.is_none() => from = Some(parameters::step(value)?),
            "from" => {}
            _ => filters.push(parameters::filter(&serving.shapes()[view], name, value)?),
        }
    }
    let place = shared.subscriber()?;
    let (phase, after) = match from {
        Some(step) => {
            serving.changes(view, step).map_err(refused)?;
            (Phase::Changes, step)
        }
        None => {
            let snapshot = serving.snapshot(None).map_err(refused)?;
            let rows = serving.scan(&snapshot, view);
            (Phase::Snapshot(Box::new(rows), Arc::clone(&snapshot)), snapshot.step())
        }
    };
    let steps = serving.steps();
    let subscriber =
        Subscriber { serving, view, filters, steps, after, phase, caller, _place: place };
    let events = stream::unfold(subscriber, |subscriber| async move {
        let (event, subscriber) = subscriber.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(event)), subscriber))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// Where a subscriber is.
enum Phase {
    /// It reads the rows that are there.
    Snapshot(Box<Rows>, Arc<Snapshot>),
    /// It waits for changes.
    Changes,
    /// It was told why there is no more.
    Ended,
}

struct Subscriber {
    serving: Arc<Serving>,
    view: usize,
    filters: Vec<Filter>,
    steps: watch::Receiver<u64>,
    after: u64,
    phase: Phase,
    caller: Caller,
    _place: OwnedSemaphorePermit,
}

impl Subscriber {
    /// The next event, and who waits for the one after it.
    async fn next(mut self) -> Option<(Vec<u8>, Self)> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ended => None,
            Phase::Snapshot(rows, snapshot) => {
                let told = blocking(move || self.snapshot(rows, snapshot)).await;
                told.ok()
            }
            Phase::Changes => Some(self.change().await),
        }
    }

    /// Some rows of the snapshot; the last event says that it is whole.
    fn snapshot(mut self, mut rows: Box<Rows>, snapshot: Arc<Snapshot>) -> (Vec<u8>, Self) {
        let shape = Arc::clone(&self.serving.shapes()[self.view]);
        let step = snapshot.step();
        let batch = match rows.next(EVENT_ROWS) {
            Ok(batch) => batch,
            Err(error) => return self.dropped(&error.to_string()),
        };
        let Some(batch) = batch else {
            self.phase = Phase::Changes;
            let data = format!("{{\"step\":{step},\"rows\":[],\"complete\":true}}");
            return (event("snapshot", Some(step), data.as_bytes()), self);
        };
        let mask = match shape.passes(&self.filters, &batch) {
            Ok(mask) => mask,
            Err(error) => return self.dropped(&error.to_string()),
        };
        let mut data = format!("{{\"step\":{step},\"rows\":[").into_bytes();
        let mut first = true;
        for row in 0..batch.num_rows() {
            if mask.as_ref().is_some_and(|m| m.is_null(row) || !m.value(row)) {
                continue;
            }
            if !std::mem::take(&mut first) {
                data.push(b',');
            }
            if write_row(&shape, &batch, row, &mut data).is_err() {
                return self.dropped("a row cannot be written as JSON");
            }
        }
        data.extend_from_slice(b"],\"complete\":false}");
        self.phase = Phase::Snapshot(rows, snapshot);
        // Only a whole snapshot can be gone on from, so that this event has no id.
        (event("snapshot", None, &data), self)
    }

    /// The changes of the next step that has some.
    async fn change(mut self) -> (Vec<u8>, Self) {
        loop {
            if !self.caller.still_holds() {
                return self.dropped("the token was revoked or has expired");
            }
            self.steps.borrow_and_update();
            let changes = match self.serving.changes(self.view, self.after) {
                Ok(changes) => changes,
                Err(ReadError::NoStep { first, .. }) => {
                    let why = format!(
                        "the subscriber is too slow: changes after step {} are no longer kept, \
                         those after step {first} are; begin anew",
                        self.after
                    );
                    return self.dropped(&why);
                }
                Err(error) => return self.dropped(&error.to_string()),
            };
            let mut out = Vec::new();
            for change in &changes.changes {
                match self.written(change) {
                    Ok(Some(data)) => {
                        out.extend_from_slice(&event("change", Some(change.step), &data));
                    }
                    Ok(None) => {}
                    Err(why) => return self.dropped(&why),
                }
            }
            self.after = changes.step;
            if !out.is_empty() {
                self.phase = Phase::Changes;
                return (out, self);
            }
            match tokio::time::timeout(KEEP_ALIVE, self.steps.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return self.dropped("the job has ended"),
                Err(_) => {
                    self.phase = Phase::Changes;
                    return (b": nothing new\n\n".to_vec(), self);
                }
            }
        }
    }

    /// What a step took away and added, of what passes the filters.
    fn written(&self, change: &StepChange) -> Result<Option<Vec<u8>>, String> {
        let shape = &self.serving.shapes()[self.view];
        let rows = change.delta.batch();
        let mask = shape.passes(&self.filters, rows).map_err(|e| e.to_string())?;
        let (mut away, mut added) = (Vec::new(), Vec::new());
        for row in 0..rows.num_rows() {
            if mask.as_ref().is_some_and(|m| m.is_null(row) || !m.value(row)) {
                continue;
            }
            let weight = change.delta.weight(row);
            let out = if weight < 0 { &mut away } else { &mut added };
            for _ in 0..weight.unsigned_abs() {
                if !out.is_empty() {
                    out.push(b',');
                }
                let written = write_row(shape, rows, row, out);
                written.map_err(|_| "a row cannot be written as JSON".to_owned())?;
            }
        }
        if away.is_empty() && added.is_empty() {
            return Ok(None);
        }
        let mut data = format!("{{\"step\":{},\"remove\":[", change.step).into_bytes();
        data.extend_from_slice(&away);
        data.extend_from_slice(b"],\"add\":[");
        data.extend_from_slice(&added);
        data.extend_from_slice(b"]}");
        Ok(Some(data))
    }

    fn dropped(mut self, why: &str) -> (Vec<u8>, Self) {
        self.phase = Phase::Ended;
        let data = serde_json::json!({ "reason": why }).to_string();
        (event("dropped", None, data.as_bytes()), self)
    }
}

fn event(name: &str, id: Option<u64>, data: &[u8]) -> Vec<u8> {
    let mut event = format!("event: {name}\n").into_bytes();
    if let Some(id) = id {
        event.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    event.extend_from_slice(b"data: ");
    // JSON has no line end of its own.
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    event
}
