//! The options of a table.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::address::{is_public, not_public};
use crate::error::{ConnectorError, Result};
use crate::format::{TextFormat, json};
use crate::options::Options;
use crate::spec::TableSpec;

const NAMES: &[&str] = &[
    "url",
    "method",
    "headers.*",
    "format",
    "body",
    "secret",
    "allow-private-addresses",
    "sink.batch.max-rows",
    "sink.on-refused",
    "sink.request-timeout",
    "sink.retry.initial-pause",
    "sink.retry.max-pause",
    "sink.circuit-breaker.failures",
    "sink.circuit-breaker.pause",
];

/// Rows that one request may hold.
const BATCH_ROWS_MAX: usize = 10_000;

/// What a change looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// `{"op":"+I","row":{…}}`
    Change,
    /// The row alone.
    Row,
}

/// What becomes of a request that the server will never take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRefused {
    Fail,
    Drop,
}

/// The options of one table, read and checked.
#[derive(Clone)]
pub(super) struct WebhookOptions<'a> {
    pub raw: Options<'a>,
    pub format: &'static TextFormat,
    pub body: Body,
    pub batch_rows_max: usize,
    pub calls: Calls,
}

/// What a request is made of, and when it is made again.
#[derive(Clone)]
pub(super) struct Calls {
    pub table: String,
    pub url: Url,
    pub method: Method,
    pub headers: HeaderMap,
    pub secret: Option<String>,
    pub allow_private: bool,
    pub on_refused: OnRefused,
    pub timeout: Duration,
    pub pause: (Duration, Duration),
    pub breaker_failures: u32,
    pub breaker_pause: Duration,
}

impl<'a> WebhookOptions<'a> {
    pub fn read(spec: &'a TableSpec) -> Result<Self> {
        let raw = Options::new(spec);
        let format = &json::FORMAT;
        raw.refuse_unknown("webhook", &[NAMES, format.options])?;
        if let Some(name) = raw.get("format")
            && name != format.name
        {
            return Err(raw.bad("format", name, "'json'"));
        }
        (format.validate)(spec, &raw)?;
        let body = match raw.choice("body", &["change", "row"])? {
            Some("row") => Body::Row,
            _ => Body::Change,
        };
        if body == Body::Row && spec.changelog.retracts {
            return Err(ConnectorError::new(format!(
                "table '{}' cannot be written with 'body' = 'row'",
                spec.name
            ))
            .detail("the input takes rows back, and a row alone cannot say so")
            .hint("use 'body' = 'change', or write a query whose rows are final"));
        }
        let rows: usize = raw.number("sink.batch.max-rows")?.unwrap_or(1);
        if !(1..=BATCH_ROWS_MAX).contains(&rows) {
            let expected = format!("a number from 1 to {BATCH_ROWS_MAX}");
            return Err(raw.bad("sink.batch.max-rows", &rows.to_string(), &expected));
        }
        Ok(Self { raw, format, body, batch_rows_max: rows, calls: Calls::read(&raw)? })
    }
}

impl Calls {
    fn read(raw: &Options<'_>) -> Result<Self> {
        let allow_private = raw.boolean("allow-private-addresses", false)?;
        let method = match raw.choice("method", &["POST", "PUT", "PATCH"])? {
            Some("PUT") => Method::PUT,
            Some("PATCH") => Method::PATCH,
            _ => Method::POST,
        };
        let duration = |name: &str, default: u64| -> Result<Duration> {
            let found = raw.duration(name)?.unwrap_or(Duration::from_millis(default));
            Ok(found.clamp(Duration::from_millis(1), Duration::from_secs(3600)))
        };
        let first = duration("sink.retry.initial-pause", 500)?;
        let secret = raw.get("secret").map(str::to_owned);
        if secret.as_deref() == Some("") {
            return Err(raw.bad("secret", "", "a key to sign with"));
        }
        Ok(Self {
            table: raw.table().to_owned(),
            url: url(raw, allow_private)?,
            method,
            headers: headers(raw)?,
            secret,
            allow_private,
            on_refused: match raw.choice("sink.on-refused", &["fail", "drop"])? {
                Some("drop") => OnRefused::Drop,
                _ => OnRefused::Fail,
            },
            timeout: duration("sink.request-timeout", 10_000)?,
            pause: (first, duration("sink.retry.max-pause", 60_000)?.max(first)),
            breaker_failures: raw.number("sink.circuit-breaker.failures")?.unwrap_or(5).max(1),
            breaker_pause: duration("sink.circuit-breaker.pause", 30_000)?,
        })
    }

    /// Where requests go, for messages: a URL may hold a token in its query.
    pub fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map_or_else(String::new, |port| format!(":{port}"));
        let (scheme, path) = (self.url.scheme(), self.url.path());
        format!("table '{}' ({scheme}://{host}{port}{path})", self.table)
    }
}

fn url(raw: &Options<'_>, allow_private: bool) -> Result<Url> {
    let text = raw.required("url")?;
    let expected = "a URL: 'https://shop.example/hooks/orders'";
    let url = Url::parse(text).map_err(|e| raw.bad("url", text, &format!("{expected} ({e})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(raw.bad("url", url.scheme(), "http or https"));
    }
    let host = url.host_str().unwrap_or_default();
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
        && !allow_private
        && !is_public(address)
    {
        let error = ConnectorError::new(format!("table '{}' cannot be written", raw.table()));
        return Err(error.detail(not_public(host, address)));
    }
    Ok(url)
}

fn headers(raw: &Options<'_>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in raw.with_prefix("headers.") {
        let option = format!("headers.{name}");
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| raw.bad(&option, name, "the name of a header"))?;
        // The value may be a secret and is not shown.
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| raw.bad(&option, "…", "a value of a header"))?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<String> {
        let all = [("connector", "webhook")];
        let all = all.iter().chain(options).copied();
        let spec = TableSpec::new("t", Arc::new(Schema::empty()), all);
        WebhookOptions::read(&spec).map(|o| o.calls.place())
    }

    #[test]
    fn a_private_address_is_refused_also_in_disguise() {
        for url in [
            "http://127.0.0.1/x",
            "http://0x7f.1/x",
            "http://2130706433/",
            "http://[::1]:80/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            let error = read(&[("url", url)]).unwrap_err().to_string();
            assert!(error.contains("allow-private-addresses"), "{url}: {error}");
            assert!(read(&[("url", url), ("allow-private-addresses", "true")]).is_ok(), "{url}");
        }
    }

    #[test]
    fn options_are_checked_and_secrets_are_not_told() {
        let place = read(&[("url", "https://u:p@shop.example:8443/hook?token=secret")]).unwrap();
        assert_eq!(place, "table 't' (https://shop.example:8443/hook)");
        assert!(read(&[("url", "ftp://shop.example/")]).is_err());
        assert!(read(&[("url", "shop.example")]).is_err());
        let with = |name, value| read(&[("url", "https://shop.example/"), (name, value)]);
        for (name, value) in [
            ("method", "GET"),
            ("format", "csv"),
            ("body", "all"),
            ("secret", ""),
            ("sink.batch.max-rows", "0"),
            ("sink.on-refused", "ignore"),
            ("headers.a b", "x"),
            ("header.X", "x"),
        ] {
            assert!(with(name, value).is_err(), "{name}");
        }
        let error = with("headers.Authorization", "Bearer \u{7f}").unwrap_err().to_string();
        assert!(!error.contains("Bearer"), "{error}");
    }
}
