//! `/v1/segments`: segments that somebody builds out of tags, and how many would be in one.
//!
//! As with rules, a count asks the pack's own view over a snapshot, with the conditions of the
//! question in the place of those that are saved.

use std::sync::Arc;

use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rialto_runtime::serving::Serving;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Caller;
use crate::acts::{self, literal, wrong};
use crate::answer::{Refusal, answer};
use crate::routes::Shared;
use crate::views::{blocking, refused, serving};

const TABLE: &str = "segment_change";
const FILE: &str = "packs/customers/sql";
/// Conditions of a segment, values of a condition.
const CONDITIONS_MAX: usize = 20;
const VALUES_MAX: usize = 100;
/// The longest tag, and the longest value.
const TEXT_CHARS_MAX: usize = 200;
/// Any value, in the pack's words.
const ANY: &str = "*";
/// Members that a count names.
const SHOWN_MAX: usize = 20;

/// What a member must have, or must not have.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The tag: a `tag_code` of `customer_tag_rule`.
    tag_code: String,
    /// One of these values; none: whichever.
    #[serde(default)]
    values: Vec<String>,
    /// Whether who has it is no member.
    #[serde(default)]
    is_excluded: bool,
}

/// A segment as somebody wants it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// How it is called.
    title: String,
    /// All of them must hold.
    conditions: Vec<Condition>,
}

/// Conditions to count.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// All of them must hold.
    conditions: Vec<Condition>,
}

const FORM: &str = "{\"title\": \"…\", \"conditions\": [{\"tag_code\", \"values\": [], \
    \"is_excluded\": false}]}";

fn check(conditions: &[Condition]) -> Result<(), Refusal> {
    if !(1..=CONDITIONS_MAX).contains(&conditions.len()) {
        let what = format!("a segment has 1 to {CONDITIONS_MAX} conditions");
        return Err(wrong(what, FORM));
    }
    if conditions.iter().all(|c| c.is_excluded) {
        let hint = "say what a member has, too: who has no tag at all is not known";
        return Err(wrong("all conditions exclude somebody", hint));
    }
    for Condition { tag_code, values, .. } in conditions {
        let is_long = |text: &String| text.is_empty() || text.chars().count() > TEXT_CHARS_MAX;
        if is_long(tag_code) || values.iter().any(is_long) {
            let what = format!("a tag or a value is empty, or longer than {TEXT_CHARS_MAX}");
            return Err(wrong(what, "take those of customer_tag"));
        }
        if values.len() > VALUES_MAX {
            let what = format!("{tag_code} has more than {VALUES_MAX} values");
            return Err(wrong(what, "without values it is whichever"));
        }
    }
    Ok(())
}

/// The values as the pack takes them.
fn values_of(condition: &Condition) -> Vec<String> {
    match condition.values.as_slice() {
        [] => vec![ANY.to_owned()],
        values => values.to_vec(),
    }
}

/// The segments that somebody has built.
#[utoipa::path(get, path = "/v1/segments", tag = "acts", responses(
    (status = 200, description = "step, and segments with title, conditions and members"),
    (status = 404, description = "the project does not include the pack `customers`"),
))]
pub async fn segments(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let serving = serving(&shared)?;
    acts::check_views(&serving, &["segment_built", "segment_built_member"], "customers")?;
    let read = move || -> Result<Value, Refusal> {
        let snapshot = serving.snapshot(None).map_err(refused)?;
        let ask = |question: &str| acts::rows(&serving, &snapshot, question, &[]);
        let mut segments = ask("SELECT * FROM segment_built ORDER BY segment_id")?;
        let counts = ask(
            "SELECT segment_id, COUNT(*) AS members FROM segment_built_member GROUP BY segment_id",
        )?;
        for segment in &mut segments {
            let of = counts.iter().find(|c| c["segment_id"] == segment["segment_id"]);
            segment["members"] = of.map_or(json!(0), |c| c["members"].clone());
            said_plainly(segment);
        }
        Ok(json!({ "step": snapshot.step(), "segments": segments }))
    };
    Ok(answer(StatusCode::OK, &blocking(read).await??))
}

/// The conditions of a row in the words of a request.
fn said_plainly(segment: &mut Value) {
    let Some(conditions) = segment["conditions"].as_array() else { return };
    let said = conditions.iter().map(|c| {
        let values = c["tag_values"].as_array().cloned().unwrap_or_default();
        let values: Vec<Value> = values.into_iter().filter(|v| v != ANY).collect();
        json!({ "tag_code": c["tag_code"], "values": values, "is_excluded": c["is_excluded"] })
    });
    segment["conditions"] = said.collect();
}

/// Saves a segment.
#[utoipa::path(put, path = "/v1/segments/{id}", operation_id = "save_segment", tag = "acts", params(
    ("id" = String, Path, description = "its name: lower-case letters, digits and '_'"),
), request_body = Segment, responses(
    (status = 200, description = "it is durable; its members are those of segment_built_member"),
    (status = 400, description = "it is none"),
))]
pub async fn save(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Refusal> {
    let segment: Segment = acts::body(&shared, request, FORM).await?;
    check(&segment.conditions)?;
    let title = segment.title.trim();
    if title.is_empty() || title.chars().count() > TEXT_CHARS_MAX {
        let what = format!("the title is empty, or longer than {TEXT_CHARS_MAX}");
        return Err(wrong(what, "it is what people read"));
    }
    let conditions: Vec<Value> = segment
        .conditions
        .iter()
        .enumerate()
        .map(|(at, c)| {
            json!({
                "no": at + 1, "tag_code": c.tag_code, "tag_values": values_of(c),
                "is_excluded": c.is_excluded,
            })
        })
        .collect();
    put(&shared, &id, caller, json!({ "title": title, "conditions": conditions }), true).await
}

/// Deletes a segment.
#[utoipa::path(delete, path = "/v1/segments/{id}",
    operation_id = "delete_segment", tag = "acts", params(
    ("id" = String, Path, description = "its name"),
), responses(
    (status = 200, description = "it is gone from the job's next step on"),
))]
pub async fn delete(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, Refusal> {
    put(&shared, &id, caller, json!({}), false).await
}

async fn put(
    shared: &Shared,
    id: &str,
    caller: Option<Extension<Caller>>,
    mut row: Value,
    is_active: bool,
) -> Result<Response, Refusal> {
    acts::check_name("the segment", id)?;
    let table = acts::table(shared, TABLE, FILE)?;
    let (actor, at) = (acts::actor(caller.as_ref()), acts::now());
    row["event_id"] = json!(Uuid::new_v4().to_string());
    row["segment_id"] = json!(id);
    row["is_active"] = json!(is_active);
    row["actor"] = json!(actor);
    row["changed_at"] = json!(at);
    acts::store(table, vec![row]).await?;
    let body = json!({
        "segment_id": id, "is_active": is_active, "actor": actor, "changed_at": at,
    });
    Ok(answer(StatusCode::OK, &body))
}

/// How many fit conditions now.
#[utoipa::path(post, path = "/v1/segments/count", operation_id = "count_segment", tag = "acts",
    request_body = Conditions, responses(
    (status = 200, description = "step, members, of how many, and some of them"),
    (status = 400, description = "they are none"),
))]
pub async fn count(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = "{\"conditions\": [{\"tag_code\", \"values\": [], \"is_excluded\": false}]}";
    let wanted: Conditions = acts::body(&shared, request, form).await?;
    check(&wanted.conditions)?;
    let serving = serving(&shared)?;
    acts::check_views(&serving, &["segment_condition", "customer_tag"], "customers")?;
    let _turn = shared.query()?;
    let work = move || counted(&serving, &wanted.conditions);
    Ok(answer(StatusCode::OK, &blocking(work).await??))
}

fn counted(serving: &Serving, conditions: &[Condition]) -> Result<Value, Refusal> {
    let snapshot = serving.snapshot(None).map_err(refused)?;
    let instead = [("segment_condition", stand_in(conditions))];
    let fit = "SELECT COUNT(*) AS n FROM segment_fit";
    let number = |rows: Vec<Value>| rows.first().map_or(json!(0), |row| row["n"].clone());
    let members = number(acts::rows(serving, &snapshot, fit, &instead)?);
    let all = "SELECT COUNT(DISTINCT customer_id) AS n FROM customer_tag";
    let of = number(acts::rows(serving, &snapshot, all, &[])?);
    let some = format!(
        "SELECT customer_id, entered_at FROM segment_fit ORDER BY entered_at DESC, customer_id \
         LIMIT {SHOWN_MAX}"
    );
    let some = acts::rows(serving, &snapshot, &some, &instead)?;
    Ok(json!({ "step": snapshot.step(), "members": members, "of": of, "some": some }))
}

/// The conditions as a query that stands for the view.
fn stand_in(conditions: &[Condition]) -> String {
    let mut rows = Vec::new();
    for (at, condition) in conditions.iter().enumerate() {
        for value in values_of(condition) {
            let excluded = if condition.is_excluded { "TRUE" } else { "FALSE" };
            let (tag, value) = (literal(&condition.tag_code), literal(&value));
            rows.push(format!("({}, {tag}, {value}, {excluded})", at + 1));
        }
    }
    format!(
        "SELECT 'draft' AS segment_id, `no`, CAST(tag_code AS STRING) AS tag_code, \
         CAST(tag_value AS STRING) AS tag_value, is_excluded \
         FROM (VALUES {}) AS c (`no`, tag_code, tag_value, is_excluded)",
        rows.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(tag: &str, values: &[&str], is_excluded: bool) -> Condition {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        Condition { tag_code: tag.into(), values, is_excluded }
    }

    #[test]
    fn a_segment_that_is_none_is_refused() {
        assert!(check(&[condition("a", &[], false), condition("b", &["x"], true)]).is_ok());
        assert!(check(&[]).is_err());
        assert!(check(&[condition("b", &["x"], true)]).is_err());
        assert!(check(&[condition("", &[], false)]).is_err());
        assert!(check(&[condition("a", &[&"x".repeat(201)], false)]).is_err());
        assert!(check(&vec![condition("a", &[], false); 21]).is_err());
    }

    #[test]
    fn conditions_stand_as_rows_and_are_no_text_of_sql() {
        let text = stand_in(&[condition("a", &[], false), condition("it's", &["x", "y"], true)]);
        assert!(text.contains("(1, 'a', '*', FALSE), (2, 'it''s', 'x', TRUE), (2, 'it''s', 'y'"));
    }
}
