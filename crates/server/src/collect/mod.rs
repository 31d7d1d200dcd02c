//! `POST /v1/track`, `/v1/identify`, `/v1/page`, `/v1/screen`, `/v1/alias`, `/v1/batch`: calls as
//! Segment's libraries send them, as rows of the event model.
//!
//! - `map.rs`: which rows a call is
//! - `value.rs`: texts, times and amounts as they are sent
//!
//! A call is known by its `messageId`: one that is sent again is not stored again. Unlike rows that
//! are sent as such, a batch is not refused for one bad call: these libraries throw away what is
//! refused, the good calls included. What was not taken is said instead.

mod map;
mod value;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_connectors::{Accepted, Ingest};
use serde_json::{Value, json};

use crate::answer::{Refusal, answer};
use crate::events::{broken_off, check_type, refusal};
use crate::routes::Shared;
use map::{Kind, Mapped, TABLES, Table, map};
use value::Sent;

/// The largest body. Segment's libraries stay below half of it.
const BODY_BYTES_MAX: usize = 1 << 20;
/// So many calls of a batch that were not taken are told.
const TOLD_MAX: usize = 100;

/// Takes a call, or a batch of them.
#[utoipa::path(post, path = "/v1/batch", tag = "events",
    request_body(content = String, content_type = "application/json"), responses(
    (status = 200, description = "what was taken is durable; `ignored` and `refused` say what not"),
    (status = 400, description = "nothing could be taken"),
    (status = 404, description = "the project has no table that the call is for"),
))]
pub async fn collect(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let kind = Kind::of_path(request.uri().path());
    let tables = Tables::of(&shared)?;
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let arrived = shared.bodies.read(&parts.headers, body, BODY_BYTES_MAX).await?;
    let take = move || {
        let body: Value = serde_json::from_slice(&arrived.unpack()?).map_err(|e| {
            Refusal::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {e}"))
        })?;
        tables.take(kind, &body)
    };
    // A request that is given up by its sender is taken to its end all the same.
    tokio::task::spawn_blocking(take).await.map_err(|_| broken_off())?
}

/// The project's tables that calls become rows of.
struct Tables {
    tables: [Option<Arc<Ingest>>; TABLES.len()],
}

/// What became of the calls of a request.
#[derive(Default)]
struct Outcome {
    rows: [Vec<u8>; TABLES.len()],
    ignored: Vec<Value>,
    refused: Vec<Value>,
    taken: usize,
    missing: Option<&'static str>,
}

impl Tables {
    fn of(shared: &Shared) -> Result<Self, Refusal> {
        let tables = TABLES.map(|table| shared.table(table.name()).ok().cloned());
        if tables.iter().all(Option::is_none) {
            return Err(none("there is no collector: the project has no table that it fills"));
        }
        Ok(Self { tables })
    }

    fn has(&self, table: Table) -> bool {
        self.tables[table as usize].is_some()
    }

    fn take(&self, kind: Option<Kind>, body: &Value) -> Result<Response, Refusal> {
        let mut outcome = Outcome::default();
        let sent = Sent::of(body);
        match kind {
            Some(kind) => self.call(0, kind, body, &sent, &mut outcome),
            None => {
                let batch = body["batch"].as_array().ok_or_else(|| {
                    let error = "the body has no array 'batch'";
                    Refusal::new(StatusCode::BAD_REQUEST, error)
                })?;
                for (index, call) in batch.iter().enumerate() {
                    match Kind::of_type(&call["type"]) {
                        Some(kind) => self.call(index, kind, call, &sent, &mut outcome),
                        None => {
                            let why = "its 'type' is none of track, identify, page, screen, alias";
                            outcome.ignored.push(json!({ "index": index, "reason": why }));
                        }
                    }
                }
            }
        }
        if let (Some(_), Some(missing)) = (kind, outcome.missing) {
            return Err(none(&format!("there is no table '{missing}' that takes events")));
        }
        let all = self.store(&outcome)?;
        Ok(outcome.answer(all))
    }

    fn call(&self, index: usize, kind: Kind, call: &Value, sent: &Sent, outcome: &mut Outcome) {
        let mut ignored = |why: String| {
            outcome.ignored.push(json!({ "index": index, "reason": why }));
        };
        match map(kind, call, sent) {
            Mapped::Rows(rows) => {
                if !rows.iter().any(|(table, _)| self.has(*table)) {
                    let name = rows.first().map_or("behavior_event", |(table, _)| table.name());
                    ignored(format!("there is no table '{name}' that takes events"));
                    outcome.missing = Some(name);
                    return;
                }
                outcome.taken += 1;
                for (table, row) in rows.into_iter().filter(|(table, _)| self.has(*table)) {
                    let into = &mut outcome.rows[table as usize];
                    into.extend_from_slice(row.to_string().as_bytes());
                    into.push(b'\n');
                }
            }
            Mapped::Ignored(why) => ignored(why),
            Mapped::Refused(why) => {
                outcome.refused.push(json!({ "index": index, "reason": why }));
            }
        }
    }

    /// One table after the other. Where one fails the request is sent again, and what is stored
    /// by then is known by its ids.
    fn store(&self, outcome: &Outcome) -> Result<Accepted, Refusal> {
        let mut all = Accepted::default();
        for (table, rows) in self.tables.iter().zip(&outcome.rows) {
            let Some(table) = table.as_ref().filter(|_| !rows.is_empty()) else { continue };
            let one = table.accept(rows).map_err(refusal)?;
            all.accepted += one.accepted;
            all.duplicates += one.duplicates;
        }
        Ok(all)
    }
}

impl Outcome {
    fn answer(mut self, all: Accepted) -> Response {
        let is_bad = self.taken == 0 && !self.refused.is_empty();
        let status = if is_bad { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        self.ignored.truncate(TOLD_MAX);
        self.refused.truncate(TOLD_MAX);
        let body = json!({
            "success": !is_bad, "accepted": all.accepted, "duplicates": all.duplicates,
            "ignored": self.ignored, "refused": self.refused,
        });
        answer(status, &body)
    }
}

fn none(what: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, what).hint(
        "declare behavior_event, identity_event, order_event or sale_line of the event model with \
         'connector' = 'http' (packs/model/from_http.sql does)",
    )
}
