//! Answers as JSON, and errors as problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An answer that is JSON.
pub fn answer(status: StatusCode, body: &Value) -> Response {
    written(status, "application/json", body)
}

fn written(status: StatusCode, kind: &'static str, body: &Value) -> Response {
    let mut text = body.to_string();
    text.push('\n');
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// An answer that was written as JSON by whoever knows the rows.
pub fn raw(text: Vec<u8>) -> Response {
    let json = HeaderValue::from_static("application/json");
    (StatusCode::OK, [(header::CONTENT_TYPE, json)], text).into_response()
}

/// Why a request was refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
}

impl Refusal {
    /// What is wrong, in one sentence.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let error = error.into();
        let title = status.canonical_reason().unwrap_or("error");
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(),
            "detail": error, "error": error,
        });
        Self { status, body, retry_after: None }
    }

    /// What is wrong, in one sentence.
    pub fn said(&self) -> String {
        self.body["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Adds what to do.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.with("hint", Value::String(hint.into()))
    }

    /// Adds a member to the answer.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }

    /// Says when it is worth trying again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = written(self.status, "application/problem+json", &self.body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
