//! Objects in a bucket of S3, or of what speaks its language.
//!
//! ```text
//! s3://bucket/prefix?endpoint=http://127.0.0.1:9000&allow-http=true&region=us-east-1
//! ```
//!
//! What the URL does not say is taken from the variables that AWS's own tools know
//! (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …). Credentials are never looked for in
//! places that were not named: the service of an instance is asked only with
//! `credentials=instance`, so that a machine that has none is told so at once.
//!
//! A new object is put on the condition that there is none of its name, which S3 has known since
//! 2024; a store that does not know it cannot be used, and says so at the first checkpoint.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::error::{Result, StorageError};
use crate::remote::RemoteStorage;

/// One request takes no longer; the whole call, with its retries, has the patience of
/// [`RemoteStorage`].
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_TIMEOUT: Duration = Duration::from_secs(40);
const RETRIES_MAX: usize = 8;

/// What may stand behind the `?` of a URL.
const PARAMETERS: &[&str] = &["endpoint", "region", "path-style", "allow-http", "credentials"];

/// Whether a text names a bucket, not a folder.
pub fn is_s3(text: &str) -> bool {
    text.starts_with("s3://")
}

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
    path_style: Option<bool>,
    allow_http: Option<bool>,
    instance: bool,
}

fn refuse(url: &str, reason: impl Into<String>) -> StorageError {
    StorageError::Place { place: without_secrets(url), reason: reason.into() }
}

/// Nobody should write a secret into the URL; who did must not find it in a log.
fn without_secrets(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (_, rest))) => format!("{scheme}://…@{rest}"),
        None => url.to_owned(),
    }
}

impl Place {
    fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("s3://").ok_or_else(|| refuse(url, "it is no s3:// URL"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.contains('@') {
            let reason = "keys are not written into the URL: set AWS_ACCESS_KEY_ID and \
                          AWS_SECRET_ACCESS_KEY";
            return Err(refuse(url, reason));
        }
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let fine = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        if bucket.is_empty() || !bucket.bytes().all(fine) {
            return Err(refuse(url, format!("'{bucket}' is no name of a bucket")));
        }
        let mut place = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: None,
            region: None,
            path_style: None,
            allow_http: None,
            instance: false,
        };
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "endpoint" => place.endpoint = Some(value.trim_end_matches('/').to_owned()),
                "region" => place.region = Some(value.to_owned()),
                "path-style" => place.path_style = Some(boolean(url, name, value)?),
                "allow-http" => place.allow_http = Some(boolean(url, name, value)?),
                "credentials" if value == "instance" => place.instance = true,
                "credentials" => {
                    return Err(refuse(
                        url,
                        "'credentials' can be 'instance' only; keys are set \
                                            with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                    ));
                }
                _ => {
                    let known = PARAMETERS.join(", ");
                    return Err(refuse(url, format!("it has no '{name}'; known are {known}")));
                }
            }
        }
        Ok(place)
    }
}

fn boolean(url: &str, name: &str, value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(refuse(url, format!("'{name}' is 'true' or 'false', not '{value}'"))),
    }
}

/// The variables of the process that may say something about S3.
struct Variables(Vec<(String, String)>);

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl RemoteStorage {
    /// The objects of a bucket below a prefix, as a URL `s3://bucket/prefix` says; `variables` are
    /// those of the process. The bucket is asked at once, so that what is wrong shows now.
    pub fn s3(
        url: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<RemoteStorage> {
        let place = Place::parse(url)?;
        let mut known: Vec<(String, String)> = variables.into_iter().collect();
        known.retain(|(name, _)| name.to_ascii_uppercase().starts_with("AWS_"));
        let variables = Variables(known);
        let builder = builder(url, &place, &variables)?;
        let store = builder.build().map_err(|e| refuse(url, e.to_string()))?;
        let storage = RemoteStorage::over(Arc::new(store), &place.prefix)?;
        storage.reach().map_err(|e| refuse(url, e.to_string()))?;
        Ok(storage)
    }
}

fn builder(url: &str, place: &Place, variables: &Variables) -> Result<AmazonS3Builder> {
    let mut builder = AmazonS3Builder::new().with_bucket_name(&place.bucket);
    for (name, value) in &variables.0 {
        if let (Ok(key), false) =
            (name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>(), value.is_empty())
        {
            builder = builder.with_config(key, value);
        }
    }
    check_credentials(url, place, variables)?;
    let endpoint = place.endpoint.as_deref();
    let endpoint = endpoint
        .or_else(|| variables.get("AWS_ENDPOINT_URL_S3"))
        .or_else(|| variables.get("AWS_ENDPOINT_URL"))
        .or_else(|| variables.get("AWS_ENDPOINT"));
    let by_variable = variables.get("AWS_ALLOW_HTTP") == Some("true");
    let allow_http = place.allow_http.unwrap_or(by_variable);
    if let Some(endpoint) = endpoint {
        match endpoint.split_once("://") {
            Some(("https", _)) => {}
            Some(("http", _)) if allow_http => {}
            Some(("http", _)) => {
                return Err(refuse(
                    url,
                    format!(
                        "its endpoint {endpoint} is not encrypted: say 'allow-http=true' in the \
                         URL, or AWS_ALLOW_HTTP=true, if that is meant"
                    ),
                ));
            }
            _ => return Err(refuse(url, format!("its endpoint '{endpoint}' is no URL"))),
        }
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    let region = place.region.as_deref();
    let region = region
        .or_else(|| variables.get("AWS_REGION"))
        .or_else(|| variables.get("AWS_DEFAULT_REGION"));
    if endpoint.is_none() && region.is_none() {
        return Err(refuse(url, "no region is set: say 'region=…' in the URL, or AWS_REGION"));
    }
    // What stands in for S3 mostly has one region, whatever its name.
    builder = builder.with_region(region.unwrap_or("us-east-1"));
    if let Some(path_style) = place.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    let options = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT);
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
        base: 2.0,
    };
    let retry = RetryConfig { backoff, max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT };
    Ok(builder
        .with_client_options(options)
        .with_retry(retry)
        .with_conditional_put(S3ConditionalPut::ETagMatch))
}

/// Refuses to begin without anything to sign requests with.
fn check_credentials(url: &str, place: &Place, variables: &Variables) -> Result<()> {
    let has = |name: &str| variables.get(name).is_some();
    let (key, secret) = (has("AWS_ACCESS_KEY_ID"), has("AWS_SECRET_ACCESS_KEY"));
    let others = [
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    if place.instance && !key && !secret || others.iter().any(|name| has(name)) {
        return Ok(());
    }
    let reason = match (key, secret) {
        (true, true) => return Ok(()),
        (true, false) => "AWS_SECRET_ACCESS_KEY is not set, though AWS_ACCESS_KEY_ID is",
        (false, true) => "AWS_ACCESS_KEY_ID is not set, though AWS_SECRET_ACCESS_KEY is",
        (false, false) => {
            "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or say \
             'credentials=instance' in the URL on a machine that has a role"
        }
    };
    Err(refuse(url, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    fn refused(url: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        RemoteStorage::s3(url, variables).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_is_said_before_anything_is_asked() {
        let none = refused("s3://shop/a", &[]);
        assert!(none.contains("s3://shop/a") && none.contains("AWS_ACCESS_KEY_ID"), "{none}");
        let half = refused("s3://shop/a", &KEYS[..1]);
        assert!(half.contains("AWS_SECRET_ACCESS_KEY is not set"), "{half}");
        let region = refused("s3://shop/a", &KEYS);
        assert!(region.contains("no region"), "{region}");
        let plain = refused("s3://shop/a?endpoint=http://127.0.0.1:1", &KEYS);
        assert!(plain.contains("allow-http=true"), "{plain}");
        let odd = refused("s3://shop/a?endpont=http://127.0.0.1:1", &KEYS);
        assert!(odd.contains("no 'endpont'") && odd.contains("endpoint"), "{odd}");
        assert!(refused("s3:///a", &KEYS).contains("no name of a bucket"));
        assert!(refused("s3://shop?path-style=yes", &KEYS).contains("'true' or 'false'"));
        let name = refused("s3://shop/a b?region=x", &KEYS);
        assert!(name.contains("a b"), "{name}");
        assert!(!refused("s3://id:secret@shop/a", &KEYS).contains("secret@"));
    }

    #[test]
    fn a_url_says_the_bucket_the_prefix_and_how_to_ask() {
        let url = "s3://shop/one/two/?endpoint=https://minio:9000/&region=eu&path-style=false";
        let place = Place::parse(url).unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("shop", "one/two"));
        assert_eq!(place.endpoint.as_deref(), Some("https://minio:9000"));
        assert_eq!((place.region.as_deref(), place.path_style), (Some("eu"), Some(false)));
        assert_eq!((place.allow_http, place.instance), (None, false));
        assert!(is_s3(url) && !is_s3("state"));
    }
}
