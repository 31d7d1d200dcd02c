//! The console: the files of a single page, as they were built into the binary.
//!
//! They hold no data and need no token; what the page shows it asks of the API, as anybody. A path
//! that is no file is one of the page's own views, and is answered with the page.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

/// What `make console` wrote before this was compiled.
#[derive(Embed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Built;

/// The page itself.
const PAGE: &str = "index.html";
/// Files below it are named by a hash of what is in them.
const HASHED: &str = "assets/";
/// What the page may do: talk to this server alone, in no frame. Styles may be inline, as widgets
/// that place themselves do it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is answered where there is no console.
const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <title>Rialto</title>\n<h1>Rialto is running</h1>\n\
    <p>The console is not part of this build. <code>make console</code> builds it, and \
    <code>make build</code> puts it into the binary.</p>\n\
    <p>The API is there: <a href=\"/v1/openapi.json\">/v1/openapi.json</a> describes it, \
    <a href=\"/v1/views\">/v1/views</a> lists the views.</p>\n</html>\n";

/// A file: its bytes, and a hash of them.
struct File {
    bytes: Cow<'static, [u8]>,
    hash: [u8; 32],
}

/// Where files are looked up: by their path below the folder, without a `/` before it.
type Files<'f> = &'f dyn Fn(&str) -> Option<File>;

fn built(path: &str) -> Option<File> {
    let file = Built::get(path)?;
    Some(File { hash: file.metadata.sha256_hash(), bytes: file.data })
}

/// Answers a request for a path that is not one of the API's. None: there is nothing.
pub fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    answer_from(&built, method, path, headers)
}

fn answer_from(files: Files, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    let asked = path.strip_prefix('/').unwrap_or(path);
    let found = files(asked).is_some();
    let name = if found { asked } else { PAGE };
    if !found && asked.starts_with(HASHED) {
        // A page of an older build must not take another page for its script.
        return None;
    }
    let Some(plain) = files(name) else {
        return asked.is_empty().then(|| guarded(html(NOT_BUILT)));
    };
    let packed = takes_gzip(headers).then(|| files(&format!("{name}.gz"))).flatten();
    let is_packed = packed.is_some();
    let file = packed.unwrap_or(plain);
    let tag = tag_of(&file.hash);
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|said| names(said, &tag));
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(file.bytes).into_response(),
    };
    let out = response.headers_mut();
    if !is_known {
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind_of(name)));
        if is_packed {
            out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    let keep = match name.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Some(guarded(response))
}

fn html(text: &'static str) -> Response {
    let kind = HeaderValue::from_static(kind_of(PAGE));
    let keep = HeaderValue::from_static("no-cache");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], text).into_response()
}

/// Says what a browser may do with a page of ours.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let says = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in says {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn tag_of(hash: &[u8; 32]) -> String {
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether an `If-None-Match` names a tag.
fn names(said: &HeaderValue, tag: &str) -> bool {
    let Ok(said) = said.to_str() else { return false };
    said.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// Whether the client can unpack gzip, and has not said that it would rather not.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok());
    said.flat_map(|said| said.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|p| p.strip_prefix("q=")?.parse::<f32>().ok());
        is_gzip && weight.unwrap_or(1.0) > 0.0
    })
}

/// What a file is, by its name. Browsers are told not to guess, so that this must be right.
fn kind_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 4] = [
        ("index.html", "<p>the page</p>"),
        ("assets/app-1f3.js", "run()"),
        ("assets/app-1f3.js.gz", "packed"),
        ("favicon.svg", "<svg/>"),
    ];

    fn files(path: &str) -> Option<File> {
        let at = FILES.iter().position(|(name, _)| *name == path)?;
        Some(File { bytes: FILES[at].1.as_bytes().into(), hash: [at as u8; 32] })
    }

    fn get(path: &str, said: &[(header::HeaderName, &str)]) -> Option<Response> {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.insert(name, value.parse().unwrap());
        }
        answer_from(&files, &Method::GET, path, &headers)
    }

    fn header_of(response: &Response, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn body_of(response: Response) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(axum::body::to_bytes(response.into_body(), 1 << 20)).unwrap().to_vec()
    }

    #[test]
    fn a_path_is_its_file_or_the_page() {
        for path in ["/", "/index.html", "/views/revenue", "/a.b/c"] {
            let response = get(path, &[]).unwrap();
            assert_eq!(header_of(&response, header::CONTENT_TYPE), "text/html; charset=utf-8");
            assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-cache");
            assert_eq!(body_of(response), FILES[0].1.as_bytes(), "{path}");
        }
        let icon = get("/favicon.svg", &[]).unwrap();
        assert_eq!(header_of(&icon, header::CONTENT_TYPE), "image/svg+xml");
        assert!(get("/assets/app-000.js", &[]).is_none(), "of another build");
        assert!(answer_from(&files, &Method::POST, "/", &HeaderMap::new()).is_none());
    }

    #[test]
    fn what_is_named_by_its_hash_is_kept_and_packed() {
        let plain = get("/assets/app-1f3.js", &[]).unwrap();
        assert!(header_of(&plain, header::CACHE_CONTROL).contains("immutable"));
        assert_eq!(header_of(&plain, header::CONTENT_ENCODING), "");
        for (said, is_packed) in [("gzip, br", true), ("br", false), ("gzip;q=0, *", false)] {
            let response = get("/assets/app-1f3.js", &[(header::ACCEPT_ENCODING, said)]).unwrap();
            let kind = header_of(&response, header::CONTENT_TYPE);
            assert_eq!(kind, "text/javascript; charset=utf-8");
            assert_eq!(header_of(&response, header::CONTENT_ENCODING) == "gzip", is_packed);
            assert_eq!(body_of(response) == b"packed", is_packed, "{said}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let tag = header_of(&get("/", &[]).unwrap(), header::ETAG).to_owned();
        for said in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
            let response = get("/", &[(header::IF_NONE_MATCH, &said)]).unwrap();
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{said}");
            assert_eq!(header_of(&response, header::ETAG), tag);
            assert!(body_of(response).is_empty());
        }
        let other = get("/", &[(header::IF_NONE_MATCH, "\"x\"")]).unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn without_a_console_the_root_says_how_to_get_one() {
        let none = |_: &str| None;
        let response = answer_from(&none, &Method::GET, "/", &HeaderMap::new()).unwrap();
        assert!(header_of(&response, header::CONTENT_SECURITY_POLICY).contains("frame-ancestors"));
        assert!(String::from_utf8(body_of(response)).unwrap().contains("make console"));
        assert!(answer_from(&none, &Method::GET, "/other", &HeaderMap::new()).is_none());
    }
}
