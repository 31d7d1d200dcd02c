//! One request: what it carries, and what its answer means.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use sha2::Sha256;
use tokio::runtime::{Builder, Runtime};

use super::address::{PublicOnly, refusal};
use super::options::Calls;

/// A server that asks for a longer pause is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// So much of an answer is shown.
const ANSWER_BYTES_MAX: usize = 300;

/// What came of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    Taken,
    /// It may be taken later; the server may have said when.
    Later(String, Option<Duration>),
    /// It never will be.
    Refused(String),
}

/// Sends requests, with the threads that it needs: none but the caller's.
pub(super) struct Sender {
    runtime: Runtime,
    client: Client,
}

impl Sender {
    pub fn new(calls: &Calls) -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("no event loop: {e}"))?;
        let mut client = Client::builder()
            .user_agent(concat!("rialto/", env!("CARGO_PKG_VERSION")))
            .timeout(calls.timeout)
            // A redirect could lead anywhere, and a proxy would do the looking up of names.
            .redirect(Policy::none())
            .no_proxy();
        if !calls.allow_private {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        let client = client.build().map_err(|e| chain(&e))?;
        Ok(Self { runtime, client })
    }

    /// Sends one body under its key.
    pub fn send(&self, calls: &Calls, key: &str, body: &[u8]) -> Outcome {
        self.runtime.block_on(async {
            let mut request = self
                .client
                .request(calls.method.clone(), calls.url.clone())
                .header(CONTENT_TYPE, "application/json")
                .header("Idempotency-Key", key);
            if let Some(secret) = &calls.secret {
                request = request.header("X-Rialto-Signature", signature(secret, now(), body));
            }
            // The table's own headers go before ours of the same name.
            let request = request.headers(calls.headers.clone()).body(body.to_vec());
            match request.send().await {
                Ok(response) => judge(response).await,
                Err(error) => match refusal(&error) {
                    Some(reason) => Outcome::Refused(reason),
                    None if error.is_builder() => Outcome::Refused(chain(&error)),
                    None => Outcome::Later(chain(&error), None),
                },
            }
        })
    }
}

async fn judge(response: Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Taken;
    }
    let pause = retry_after(response.headers());
    let location =
        response.headers().get(LOCATION).and_then(|l| l.to_str().ok().map(str::to_owned));
    let answer = shown(response).await;
    let said = match answer.is_empty() {
        true => format!("the server answers {status}"),
        false => format!("the server answers {status}: {answer}"),
    };
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Later(said, pause)
        }
        status if status.is_server_error() => Outcome::Later(said, pause),
        status if status.is_redirection() => Outcome::Refused(format!(
            "{said}; redirects are not followed (to {})",
            location.as_deref().unwrap_or("nowhere")
        )),
        _ => Outcome::Refused(said),
    }
}

/// The beginning of an answer, on one line.
async fn shown(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            _ => break,
        }
    }
    bytes.truncate(ANSWER_BYTES_MAX);
    let text = String::from_utf8_lossy(&bytes);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect::<String>().trim().to_owned()
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(text).ok()?;
            until.signed_duration_since(Utc::now()).to_std().unwrap_or_default()
        }
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `t=1706689560,v1=…`: the time, and the HMAC-SHA-256 of the time, a dot and the body.
fn signature(secret: &str, time: u64, body: &[u8]) -> String {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return format!("t={time}");
    };
    mac.update(time.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// An error with its causes, without the URL: it may hold a token.
fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let kind = match error {
        e if e.is_timeout() => "no answer in time",
        e if e.is_connect() => "cannot connect",
        _ => "the request failed",
    };
    parts.push(kind.into());
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_can_be_checked() {
        // printf '%s' '1706689560.{"a":1}' | openssl dgst -sha256 -hmac key
        let expected = "t=1706689560,\
            v1=415101b7b2465831cd1a5a3fbababc2dc9e74ffd00f396bfb6d41280edd373f6";
        assert_eq!(signature("key", 1_706_689_560, b"{\"a\":1}"), expected);
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("99999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        let later = (Utc::now() + chrono::TimeDelta::seconds(90)).to_rfc2822();
        assert!(of(&later).is_some_and(|pause| pause > Duration::from_secs(60)));
    }
}
