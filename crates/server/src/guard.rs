//! Who is let in: by the name that a browser used, by the page it asks for, by a token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::access::{Access, Caller, Need, Refused, Role};
use crate::answer::{Refusal, answer};
use crate::listen::Peer;

/// Decides about requests before anybody else sees them.
#[derive(Debug)]
pub struct Guard {
    access: Arc<Access>,
    /// Whether only this machine can connect: then only its names are right.
    is_local: bool,
}

impl Guard {
    /// Of a server that only this machine reaches, or others as well.
    pub fn new(access: Arc<Access>, is_local: bool) -> Self {
        Self { access, is_local }
    }

    fn check(&self, request: &Request) -> Result<Option<Caller>, Response> {
        let headers = request.headers();
        check_host(headers, self.is_local).map_err(Refusal::into_response)?;
        check_origin(request.method(), headers).map_err(Refusal::into_response)?;
        if let Some(caller) = self.access.anybody() {
            return Ok(Some(caller));
        }
        let (method, path) = (request.method(), request.uri().path());
        let need = need(method, path);
        let Some(secret) = secret(headers, need) else {
            return if need == Need::Nothing {
                Ok(None)
            } else {
                Err(unknown("a token is needed"))
            };
        };
        let from = request.extensions().get::<ConnectInfo<Peer>>();
        let from = from.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.0.ip());
        let caller = match self.access.caller(&secret, from) {
            Ok(caller) => caller,
            Err(_) if need == Need::Nothing => return Ok(None),
            Err(refused) => return Err(refusal(refused)),
        };
        if caller.role.may(need) {
            return Ok(Some(caller));
        }
        let (name, role) = (caller.name.unwrap_or_default(), caller.role.name());
        let error = format!("the token '{name}' has the role {role}");
        let hint = format!("{method} {path} needs the role {}", Role::enough_for(need));
        Err(Refusal::new(StatusCode::FORBIDDEN, error).hint(hint).into_response())
    }
}

/// Lets in who may come in.
pub async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let mut response = match guard.check(&request) {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        Err(response) => response,
    };
    // What is no script by its type is none for a browser either.
    let kind = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, kind);
    response
}

/// What a request needs. What is not named here needs the most.
fn need(method: &Method, path: &str) -> Need {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let rest = match path.strip_prefix("/v1/") {
        Some(rest) => rest,
        None if path == "/metrics" => return Need::View,
        None => return Need::Nothing,
    };
    match rest {
        "openapi.json" | "whoami" if is_read => Need::Any,
        "sql" if *method == Method::POST => Need::Ask,
        // They ask what would be; nothing comes of it.
        "rules/simulate" | "segments/count" | "alerts/try" | "explain"
            if *method == Method::POST =>
        {
            Need::Ask
        }
        // Who may ask is nobody's business who could not change it.
        _ if matches!(rest.split('/').next(), Some("tokens" | "people")) => Need::Administer,
        // Records as somebody sent them: more than any view shows.
        _ if is_read && rest.split('/').next() == Some("dead-letters") => Need::Ask,
        _ if rest.starts_with("events/") && *method == Method::POST => Need::Send,
        "track" | "identify" | "page" | "screen" | "alias" | "batch" if *method == Method::POST => {
            Need::Send
        }
        _ if is_read => Need::View,
        _ => Need::Administer,
    }
}

/// The token that a request brings along. Who sends events may say it as the user of the scheme
/// `Basic`, as Segment's libraries say their key; browsers send that by themselves, so that it is
/// good for nothing else.
fn secret(headers: &HeaderMap, need: Need) -> Option<String> {
    let said = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = said.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let is_basic = scheme.eq_ignore_ascii_case("basic") && need == Need::Send;
    let decoded = is_basic.then(|| STANDARD.decode(rest.trim()).ok()).flatten()?;
    let user = decoded.split(|&byte| byte == b':').next()?;
    String::from_utf8(user.to_vec()).ok()
}

fn unknown(what: &str) -> Response {
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, what).hint(
        "send 'Authorization: Bearer TOKEN'; `rialto token create NAME --role viewer` makes one",
    );
    let mut response = refusal.into_response();
    let challenge = HeaderValue::from_static("Bearer realm=\"rialto\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn refusal(refused: Refused) -> Response {
    match refused {
        Refused::Unknown => {
            unknown("the token is not one of this server, was revoked, or has expired")
        }
        Refused::TooOften(wait) => {
            let error = "too many attempts with a wrong token";
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, error);
            refusal.retry_after(wait.as_secs().max(1)).into_response()
        }
        Refused::Broken(why) => {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why);
            refusal.hint("nobody is let in until the file is right again").into_response()
        }
    }
}

/// Refuses what a browser asks for a foreign page whose name was made to mean this machine.
fn check_host(headers: &HeaderMap, is_local: bool) -> Result<(), Refusal> {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    if !is_local || host.is_none_or(is_this_machine) {
        return Ok(());
    }
    let error = "this server answers only by the names of this machine";
    let refusal = Refusal::new(StatusCode::FORBIDDEN, error);
    Err(refusal.hint("use the host 127.0.0.1, [::1] or localhost"))
}

/// Refuses what a page of another server wants changed or sent. What it reads it does not get to
/// see: no answer allows it.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let origin = origin.to_str().ok().and_then(|o| Some(o.split_once("://")?.1));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if origin.is_some() && origin == host {
        return Ok(());
    }
    let error = "pages of another server may send nothing here";
    let refusal = Refusal::new(StatusCode::FORBIDDEN, error);
    Err(refusal.hint("the Origin of the request is not this server; send it from a program"))
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost")
}

/// Who the server takes the caller for.
#[utoipa::path(get, path = "/v1/whoami", tag = "api", responses(
    (status = 200, description = "the token's name, its role and what it may do"),
    (status = 401, description = "a token is needed"),
))]
pub async fn whoami(caller: axum::Extension<Caller>) -> Response {
    let may = |need| caller.role.may(need);
    answer(
        StatusCode::OK,
        &json!({
            "token": caller.name, "person": caller.person, "role": caller.role.name(), "may": {
                "read": may(Need::View), "sql": may(Need::Ask), "send": may(Need::Send),
                "administer": may(Need::Administer),
            },
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_not_named_needs_the_most() {
        let (get, post) = (Method::GET, Method::POST);
        for (method, path, needs) in [
            (&get, "/", Need::Nothing),
            (&get, "/livez", Need::Nothing),
            (&get, "/metrics", Need::View),
            (&get, "/v1/views/a/changes", Need::View),
            (&get, "/v1/whoami", Need::Any),
            (&get, "/v1/sql", Need::View),
            (&post, "/v1/sql", Need::Ask),
            (&post, "/v1/events/a", Need::Send),
            (&post, "/v1/batch", Need::Send),
            (&post, "/v1/checkpoint", Need::Administer),
            (&post, "/v1/decisions/a", Need::Administer),
            (&get, "/v1/rules", Need::View),
            (&Method::PUT, "/v1/rules", Need::Administer),
            (&post, "/v1/rules/simulate", Need::Ask),
            (&post, "/v1/segments/count", Need::Ask),
            (&Method::PUT, "/v1/segments/a", Need::Administer),
            (&get, "/v1/dead-letters", Need::Ask),
            (&get, "/v1/dead-letters/a", Need::Ask),
            (&post, "/v1/dead-letters/redrive", Need::Administer),
            (&post, "/v1/%73ql", Need::Administer),
            (&get, "/v1/tokens", Need::Administer),
            (&get, "/v1/people", Need::Administer),
            (&Method::PUT, "/v1/people/ann", Need::Administer),
            (&post, "/v1/tokens", Need::Administer),
            (&get, "/v1/lineage/a", Need::View),
            (&post, "/v1/views", Need::Administer),
            (&post, "/v1/explain", Need::Ask),
            (&post, "/v1/sources", Need::Administer),
            (&post, "/v1/sources/preview", Need::Administer),
            (&post, "/v1/restart", Need::Administer),
            (&get, "/v1/alerts", Need::View),
            (&post, "/v1/alerts/try", Need::Ask),
            (&Method::PUT, "/v1/alerts/try", Need::Administer),
            (&Method::DELETE, "/v1/views/a", Need::Administer),
            (&Method::OPTIONS, "/v1/sql", Need::Administer),
        ] {
            assert_eq!(need(method, path), needs, "{method} {path}");
        }
    }

    #[test]
    fn a_key_in_a_basic_header_sends_and_does_nothing_else() {
        let said = |scheme| headers(&[(header::AUTHORIZATION, scheme)]);
        let token = Some("key".to_owned());
        assert_eq!(secret(&said("Basic a2V5Og=="), Need::Send), token);
        assert_eq!(secret(&said("Basic a2V5Og=="), Need::View), None);
        assert_eq!(secret(&said("bearer key"), Need::View), token);
        assert_eq!(secret(&said("Basic %"), Need::Send), None);
    }

    #[test]
    fn foreign_pages_and_names_are_refused() {
        let host = |host: &str, local| check_host(&headers(&[(header::HOST, host)]), local).is_ok();
        assert!(host("localhost:1", true) && host("[::1]:1", true) && host("127.0.0.2", true));
        assert!(!host("evil.example", true) && !host("127.0.0.1.evil.example:1", true));
        assert!(host("shop.example", false));
        let origin = |origin: &str| {
            let said = [(header::HOST, "localhost:1"), (header::ORIGIN, origin)];
            check_origin(&Method::POST, &headers(&said)).is_ok()
        };
        assert!(origin("http://localhost:1") && origin("https://localhost:1"));
        assert!(!origin("http://localhost:2") && !origin("null") && !origin(""));
        assert!(check_origin(&Method::POST, &HeaderMap::new()).is_ok());
        let foreign = headers(&[(header::ORIGIN, "http://evil.example")]);
        assert!(check_origin(&Method::GET, &foreign).is_ok());
    }
}
