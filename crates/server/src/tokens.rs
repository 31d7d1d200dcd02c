//! `/v1/tokens` and `/v1/people`: who may ask, for the administrator.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::{Caller, Holder, Role, Token, Tokens, TokensError};
use crate::acts::{self, wrong};
use crate::answer::{Refusal, answer};
use crate::routes::Shared;
use crate::views::blocking;

/// The longest that a token with an end may hold.
const DAYS_MAX: u32 = 3_650;
const DAY: Duration = Duration::from_secs(86_400);
const FORM: &str = "{\"name\": \"…\", \"role\": \"viewer\", \"days\": 90}";

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name.
    name: String,
    /// `admin`, `analyst`, `viewer` or `ingest`; none: what `person` may do.
    role: Option<String>,
    /// Who is to have it.
    person: Option<String>,
    /// After how many days it ends; none: never.
    days: Option<u32>,
}

/// Somebody to make known, or to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// What they are called.
    title: String,
    /// `admin`, `analyst`, `viewer` or `ingest`.
    role: String,
}

fn failed(error: TokensError) -> Refusal {
    match error {
        TokensError::Refused(why) => Refusal::new(StatusCode::CONFLICT, why),
        other => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
    }
}

fn tokens(shared: &Shared) -> Result<Tokens, Refusal> {
    shared.tokens.clone().ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "this server keeps no tokens")
            .hint("run the project with --serve")
    })
}

fn described(token: &Token, now_ms: i64) -> Value {
    json!({
        "name": token.name, "role": token.role.name(), "person": token.person,
        "created_ms": token.created_ms, "expires_ms": token.expires_ms,
        "holds": token.holds(now_ms),
    })
}

fn role_of(name: &str) -> Result<Role, Refusal> {
    Role::named(name).ok_or_else(|| {
        let names = Role::ALL.map(Role::name).join(", ");
        wrong(format!("there is no role '{name}'"), format!("take one of {names}"))
    })
}

/// The tokens of the project: what they are called and good for, never what they are.
#[utoipa::path(get, path = "/v1/tokens", operation_id = "tokens", tag = "tokens", responses(
    (status = 200, description = "name, role, when made, when it ends; whether one is needed"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, Refusal> {
    let tokens = tokens(&shared)?;
    let read = blocking(move || tokens.read()).await?.map_err(failed)?;
    let now = crate::access::now_ms();
    let all: Vec<Value> = read.iter().map(|token| described(token, now)).collect();
    let own = caller.and_then(|caller| caller.name.clone());
    Ok(answer(StatusCode::OK, &json!({ "tokens": all, "own": own })))
}

/// Makes a token. The answer is the only place where it is shown.
#[utoipa::path(post, path = "/v1/tokens", operation_id = "create_token", tag = "tokens",
    request_body = NewToken, responses(
    (status = 201, description = "the token, shown this once"),
    (status = 400, description = "no such role, or too long"),
    (status = 409, description = "there is one of this name, or the first is not of an admin"),
))]
pub async fn create(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Refusal> {
    let tokens = tokens(&shared)?;
    let NewToken { name, role, person, days } = acts::body(&shared, request, FORM).await?;
    let role = match (role, &person) {
        (Some(role), None) => Some(role_of(&role)?),
        (None, Some(_)) => None,
        _ => {
            return Err(wrong(
                "a token has a role, or a person who has one",
                format!("send {FORM}"),
            ));
        }
    };
    if days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
        return Err(wrong("a token ends after 1 to 3650 days", "leave out days: it never ends"));
    }
    // From the first token on nobody asks without one: with another role nobody could make more.
    if role.is_some_and(|role| role != Role::Admin) && !tokens.exist() {
        let what = "the first token must be an admin's: from then on nobody is let in without one";
        let refusal = Refusal::new(StatusCode::CONFLICT, what);
        return Err(refusal.hint("make one with the role admin, and keep it"));
    }
    let expires = days.map(|days| DAY * days);
    let make = move || {
        let holder = match (&person, role) {
            (Some(person), _) => Holder::Person(person),
            (None, role) => Holder::Role(role.unwrap_or(Role::Viewer)),
        };
        tokens.create_for(&name, holder, expires)
    };
    let (token, secret) = blocking(make).await?.map_err(failed)?;
    let mut body = described(&token, token.created_ms);
    body["token"] = json!(secret);
    Ok(answer(StatusCode::CREATED, &body))
}

/// Takes a token back.
#[utoipa::path(delete, path = "/v1/tokens/{name}", operation_id = "revoke_token", tag = "tokens",
    params(("name" = String, Path, description = "the token's name")), responses(
    (status = 200, description = "it is good for nothing within a second"),
    (status = 409, description = "no such token, or it is the last admin's"),
))]
pub async fn revoke(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let tokens = tokens(&shared)?;
    let revoked = name.clone();
    let revoke = move || {
        let all = tokens.read()?;
        let now = crate::access::now_ms();
        let is_other = |t: &Token| t.name != revoked && t.role == Role::Admin && t.holds(now);
        if !all.iter().any(is_other) && all.iter().any(|t| t.name == revoked) {
            let why = "it is the last token of an admin: nobody could make another one here";
            return Err(TokensError::Refused(why.into()));
        }
        tokens.revoke(&revoked)
    };
    blocking(revoke).await?.map_err(failed)?;
    Ok(answer(StatusCode::OK, &json!({ "revoked": name })))
}

/// The people of the project.
#[utoipa::path(get, path = "/v1/people", operation_id = "people", tag = "tokens", responses(
    (status = 200, description = "name, what they are called, role, since when"),
))]
pub async fn people(State(shared): State<Arc<Shared>>) -> Result<Response, Refusal> {
    let tokens = tokens(&shared)?;
    let people = blocking(move || tokens.people()).await?.map_err(failed)?;
    Ok(answer(StatusCode::OK, &json!({ "people": people })))
}

/// Makes somebody known, or changes what they are called and may do, with all of their tokens.
#[utoipa::path(put, path = "/v1/people/{name}", operation_id = "keep_person", tag = "tokens",
    params(("name" = String, Path, description = "by what they are noted")),
    request_body = NewPerson, responses(
    (status = 200, description = "as they are known now"),
    (status = 409, description = "no such name, or nobody would be an admin any more"),
))]
pub async fn keep_person(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let tokens = tokens(&shared)?;
    if !tokens.exist() {
        let what = "nobody needs a token yet, so that everybody is an admin";
        let refusal = Refusal::new(StatusCode::CONFLICT, what);
        return Err(refusal.hint("make a token with the role admin first, and keep it"));
    }
    let form = "{\"title\": \"…\", \"role\": \"viewer\"}";
    let NewPerson { title, role } = acts::body(&shared, request, form).await?;
    let role = role_of(&role)?;
    let kept = blocking(move || tokens.keep_person(&name, &title, role)).await?.map_err(failed)?;
    Ok(answer(StatusCode::OK, &json!(kept)))
}

/// Takes somebody out, with all of their tokens.
#[utoipa::path(delete, path = "/v1/people/{name}", operation_id = "remove_person", tag = "tokens",
    params(("name" = String, Path, description = "by what they are noted")), responses(
    (status = 200, description = "their tokens are good for nothing within a second"),
    (status = 409, description = "nobody of this name, or nobody would be an admin any more"),
))]
pub async fn remove_person(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let tokens = tokens(&shared)?;
    let removed = name.clone();
    let gone = blocking(move || tokens.remove_person(&removed)).await?.map_err(failed)?;
    Ok(answer(StatusCode::OK, &json!({ "removed": name, "tokens": gone })))
}
