//! What the routes share by which somebody does something: a body, who it was, an event in a
//! table's log, questions over one snapshot.
//!
//! An act is an event: it goes into the embedded log of a table of the project, by the way that
//! every event takes, and what comes of it is a view. Nothing is kept by the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use axum::extract::{Extension, Request};
use axum::http::StatusCode;
use rialto_connectors::Ingest;
use rialto_connectors::format::json::JsonEncoder;
use rialto_runtime::serving::{QueryLimits, Serving, Snapshot};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access::Caller;
use crate::answer::Refusal;
use crate::events::{self, check_type};
use crate::routes::Shared;
use crate::sql;
use crate::views::blocking;

/// The longest request.
const BODY_BYTES_MAX: usize = 256 << 10;
/// The longest text that somebody may leave with an act.
pub const NOTE_CHARS_MAX: usize = 1_000;
/// The name of an act where nobody needs a token.
const NOBODY: &str = "local";

/// The body of a request as what it should be; `form` says what that is.
pub async fn body<T: DeserializeOwned>(
    shared: &Shared,
    request: Request,
    form: &str,
) -> Result<T, Refusal> {
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    let arrived = shared.bodies.read(&parts.headers, body, BODY_BYTES_MAX).await?;
    serde_json::from_slice(&arrived.unpack()?).map_err(|e| {
        let what = format!("the body is not what is taken here: {e}");
        Refusal::new(StatusCode::BAD_REQUEST, what).hint(format!("send {form}"))
    })
}

/// A wrong request.
pub fn wrong(what: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, what).hint(hint)
}

/// Who asks, as it is noted with what was done.
pub fn actor(caller: Option<&Extension<Caller>>) -> String {
    caller.and_then(|c| c.actor()).unwrap_or(NOBODY).to_owned()
}

/// Refuses a text that is too long to be shown beside a row.
pub fn check_note(note: Option<&str>) -> Result<(), Refusal> {
    match note {
        Some(note) if note.chars().count() > NOTE_CHARS_MAX => {
            let what = format!("the note has more than {NOTE_CHARS_MAX} characters");
            Err(wrong(what, "say it more shortly"))
        }
        _ => Ok(()),
    }
}

/// Refuses what is no name: lower-case letters, digits and `_`, 64 of them at most.
pub fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if (1..=64).contains(&name.len()) && name.bytes().all(is_name) {
        return Ok(());
    }
    let said: String = name.chars().take(80).collect();
    let hint = "take 1 to 64 lower-case letters, digits and '_'";
    Err(wrong(format!("{what} '{said}' is no name"), hint))
}

/// Now, as the format `json` writes it; of two acts the later one has the later time.
pub fn now() -> String {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let later = |last: i64| Some(clock.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    let time = clock.max(last.unwrap_or_default() + 1);
    let time = timestamp_ms_to_datetime(time).unwrap_or_default();
    time.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// The table that takes an act; `file` of the packs declares it.
pub fn table(shared: &Shared, name: &str, file: &str) -> Result<Arc<Ingest>, Refusal> {
    shared.ingest(name).cloned().ok_or_else(|| {
        let what = format!("the project has no table '{name}' that takes this");
        let hint = format!("include {file} in rialto.toml, and run the project again");
        Refusal::new(StatusCode::NOT_FOUND, what).hint(hint)
    })
}

/// Appends events: all of them are durable when this answers. How many were there before.
pub async fn store(table: Arc<Ingest>, rows: Vec<Value>) -> Result<usize, Refusal> {
    let text = Value::Array(rows).to_string();
    // A request that is given up by its sender is taken to its end all the same.
    let taken = blocking(move || table.accept(text.as_bytes())).await?;
    taken.map(|taken| taken.duplicates).map_err(events::refusal)
}

/// The rows that a question has over a snapshot, with other queries in the place of some views.
/// Blocks.
pub fn rows(
    serving: &Serving,
    snapshot: &Arc<Snapshot>,
    question: &str,
    instead: &[(&str, String)],
) -> Result<Vec<Value>, Refusal> {
    answered(serving, snapshot, question, instead, QueryLimits::default())
}

/// The rows that a question has over a snapshot, within limits. Blocks.
pub fn rows_within(
    serving: &Serving,
    snapshot: &Arc<Snapshot>,
    question: &str,
    limits: QueryLimits,
) -> Result<Vec<Value>, Refusal> {
    answered(serving, snapshot, question, &[], limits)
}

fn answered(
    serving: &Serving,
    snapshot: &Arc<Snapshot>,
    question: &str,
    instead: &[(&str, String)],
    limits: QueryLimits,
) -> Result<Vec<Value>, Refusal> {
    let gone = AtomicBool::new(false);
    let answer = serving.query_instead(snapshot, question, instead, limits, &gone);
    let answer = answer.map_err(|e| sql::failed(&e, question))?;
    let internal = |what: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what);
    let encoder = JsonEncoder::new(&answer.rows.schema());
    (0..answer.rows.num_rows())
        .map(|row| {
            let mut text = Vec::new();
            encoder
                .write_row(&answer.rows, row, &mut text)
                .map_err(|e| internal(format!("a row of the answer cannot be written: {e}")))?;
            serde_json::from_slice(&text)
                .map_err(|e| internal(format!("a row of the answer cannot be read: {e}")))
        })
        .collect()
}

/// A text as a literal of SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether the project has all these views; if not, which pack brings them.
pub fn check_views(serving: &Serving, names: &[&str], pack: &str) -> Result<(), Refusal> {
    let missing = names.iter().find(|name| serving.view(name).is_err());
    missing.map_or(Ok(()), |name| {
        let what = format!("the project has no view '{name}'");
        let hint = format!("include packs/{pack}/sql in rialto.toml, and run the project again");
        Err(Refusal::new(StatusCode::NOT_FOUND, what).hint(hint))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_have_times_in_their_order() {
        let times: Vec<String> = (0..100).map(|_| now()).collect();
        assert!(times.is_sorted() && times.windows(2).all(|two| two[0] != two[1]), "{times:?}");
        assert!(times[0].len() == 24 && times[0].ends_with('Z'), "{}", times[0]);
    }

    #[test]
    fn names_and_texts_are_harmless_in_sql() {
        assert!(check_name("rule", "cheap_2").is_ok());
        for wrong in ["", "A", "a b", "a'", "a\u{e4}", &"a".repeat(65)] {
            assert!(check_name("rule", wrong).is_err(), "{wrong}");
        }
        assert_eq!(literal("it's"), "'it''s'");
    }
}
