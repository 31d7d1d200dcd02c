//! `/v1/dead-letters`: records that sources refused; put right and sent again, or put aside.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rialto_runtime::letters::{Book, BookError, Send, Status, edited};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::acts::{self, wrong};
use crate::answer::{Refusal, answer};
use crate::operations::job;
use crate::routes::Shared;
use crate::views::blocking;

/// Letters of an answer at most.
const LISTED_MAX: usize = 1_000;
/// Letters of a request at most.
const IDS_MAX: usize = 10_000;
/// Bytes of a record that are shown.
const SHOWN_BYTES_MAX: usize = 1 << 20;

/// Which letters are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    table: Option<String>,
    status: Option<String>,
}

/// Letters to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Their ids.
    ids: Vec<String>,
    /// Of one letter: another record in its place.
    record: Option<String>,
    /// Of one letter whose record is JSON: members to replace.
    edit: Option<Value>,
}

/// Letters to put aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    /// Their ids.
    ids: Vec<String>,
}

fn failed(error: BookError) -> Refusal {
    match error {
        BookError::Refused(reason) => Refusal::new(StatusCode::CONFLICT, reason),
        other => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, other.to_string()),
    }
}

/// The job's state folder, where its letters lie.
fn folder(shared: &Shared) -> Result<PathBuf, Refusal> {
    job(shared)?.state_folder().ok_or_else(|| {
        let what = "the job keeps no dead letters: it has no state";
        Refusal::new(StatusCode::NOT_FOUND, what).hint("run it with --state DIR")
    })
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The letters of the job, the newest first.
#[utoipa::path(get, path = "/v1/dead-letters",
    operation_id = "letters", tag = "dead letters", params(
    ("table" = Option<String>, Query, description = "of this table alone"),
    ("status" = Option<String>, Query, description = "open, waiting, redriven or discarded"),
), responses(
    (status = 200, description = "letters, how many there are, and how many of each status"),
    (status = 404, description = "the job has no state, and keeps none"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Query(which): Query<Which>,
) -> Result<Response, Refusal> {
    let folder = folder(&shared)?;
    let read = move || -> Result<Value, Refusal> {
        let book = Book::read(&folder).map_err(failed)?;
        let of_table = |l: &&_| which.table.as_ref().is_none_or(|t| *t == table_of(l));
        let all: Vec<_> = book.letters().filter(of_table).collect();
        let count = |status: Status| all.iter().filter(|l| l.status == status).count();
        let counts = json!({
            "open": count(Status::Open), "waiting": count(Status::Waiting),
            "redriven": count(Status::Redriven), "discarded": count(Status::Discarded),
        });
        let asked = |l: &&&_| which.status.as_ref().is_none_or(|s| s == status_of(l));
        let mut found: Vec<_> = all.iter().filter(asked).collect();
        found.sort_by_key(|l| std::cmp::Reverse(l.last_ms));
        let letters: Vec<Value> = found.iter().take(LISTED_MAX).map(|l| l.described()).collect();
        Ok(json!({ "letters": letters, "count": found.len(), "by_status": counts }))
    };
    Ok(answer(StatusCode::OK, &blocking(read).await??))
}

fn table_of(letter: &rialto_runtime::letters::Letter) -> &str {
    &letter.table
}

fn status_of(letter: &rialto_runtime::letters::Letter) -> &'static str {
    letter.status.name()
}

/// One letter with its record.
#[utoipa::path(get, path = "/v1/dead-letters/{id}",
    operation_id = "letter", tag = "dead letters", params(
    ("id" = String, Path, description = "its id, or how it begins"),
), responses(
    (status = 200, description = "the letter; its record as text, or as base64 where it is none"),
    (status = 404, description = "there is no such letter"),
))]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let folder = folder(&shared)?;
    let read = move || -> Result<Value, Refusal> {
        let book = Book::read(&folder).map_err(failed)?;
        let letter = book.find(&id);
        let letter = letter.map_err(|e| Refusal::new(StatusCode::NOT_FOUND, e.to_string()))?;
        let (mut record, is_whole) = book.record(letter).map_err(failed)?;
        let is_cut = record.len() > SHOWN_BYTES_MAX;
        record.truncate(SHOWN_BYTES_MAX);
        let mut shown = letter.described();
        shown["is_row"] = json!(letter.is_row);
        shown["whole"] = json!(is_whole && !is_cut);
        match String::from_utf8(record) {
            Ok(text) => shown["record"] = json!(text),
            Err(bytes) => shown["base64"] = json!(STANDARD.encode(bytes.as_bytes())),
        }
        Ok(shown)
    };
    Ok(answer(StatusCode::OK, &blocking(read).await??))
}

fn check_ids(ids: &[String]) -> Result<(), Refusal> {
    if (1..=IDS_MAX).contains(&ids.len()) {
        return Ok(());
    }
    Err(wrong(format!("a request names 1 to {IDS_MAX} letters"), "send {\"ids\": [\"…\"]}"))
}

/// The ids of the letters that are meant, each whole.
fn whole_ids(book: &Book, ids: &[String]) -> Result<Vec<String>, Refusal> {
    let find = |id: &String| book.find(id).map(|l| l.id.clone());
    ids.iter().map(find).collect::<Result<_, _>>().map_err(failed)
}

/// Sends records again, as they were or put right.
#[utoipa::path(post, path = "/v1/dead-letters/redrive", tag = "dead letters",
    request_body = Again, responses(
    (status = 200, description = "they are durable: the job takes them, once"),
    (status = 400, description = "the record cannot be edited so"),
    (status = 409, description = "a letter is not open, or cannot be taken as it was"),
))]
pub async fn redrive(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = "{\"ids\": [\"…\"], \"record\": \"…\" or \"edit\": {…}}";
    let again: Again = acts::body(&shared, request, form).await?;
    check_ids(&again.ids)?;
    let is_repaired = again.record.is_some() || again.edit.is_some();
    if is_repaired && again.ids.len() != 1 || again.record.is_some() && again.edit.is_some() {
        let what = "a repaired record is that of one letter, and is said in one way";
        return Err(wrong(what, "name one id, with 'record' or 'edit'"));
    }
    let folder = folder(&shared)?;
    let send = move || -> Result<Value, Refusal> {
        let book = Book::read(&folder).map_err(failed)?;
        let ids = whole_ids(&book, &again.ids)?;
        let mut record = again.record.map(String::into_bytes);
        if let (Some(edit), [id]) = (&again.edit, ids.as_slice()) {
            let letter = book.find(id).map_err(failed)?;
            let (kept, _) = book.record(letter).map_err(failed)?;
            let put_right = edited(&kept, edit.to_string().as_bytes());
            record = Some(put_right.map_err(|reason| {
                let what = format!("letter {id} cannot be edited: {reason}");
                wrong(what, "'record' gives a whole record in its place")
            })?);
        }
        let sends: Vec<Send> =
            ids.iter().map(|id| Send { id: id.clone(), record: record.clone() }).collect();
        let count = book.send(&sends, now_ms()).map_err(failed)?;
        Ok(json!({ "sent": count, "ids": ids }))
    };
    Ok(answer(StatusCode::OK, &blocking(send).await??))
}

/// Puts letters aside for ever.
#[utoipa::path(post, path = "/v1/dead-letters/discard", tag = "dead letters",
    request_body = Aside, responses(
    (status = 200, description = "they are not open any more"),
    (status = 409, description = "a letter is not open"),
))]
pub async fn discard(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let aside: Aside = acts::body(&shared, request, "{\"ids\": [\"…\"]}").await?;
    check_ids(&aside.ids)?;
    let folder = folder(&shared)?;
    let put_aside = move || -> Result<Value, Refusal> {
        let book = Book::read(&folder).map_err(failed)?;
        let ids = whole_ids(&book, &aside.ids)?;
        let count = book.discard(&ids, now_ms()).map_err(failed)?;
        Ok(json!({ "discarded": count, "ids": ids }))
    };
    Ok(answer(StatusCode::OK, &blocking(put_aside).await??))
}
