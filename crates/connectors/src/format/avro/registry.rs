//! The schema registry: schemas by their numbers, and numbers for schemas.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::error::{ConnectorError, Result};
use crate::options::Options;

/// The options that say where the registry is and who asks.
pub(super) const OPTIONS: &[&str] = &[
    "avro-confluent.url",
    "avro-confluent.subject",
    "avro-confluent.timestamp_mapping.legacy",
    "avro-confluent.basic-auth.credentials-source",
    "avro-confluent.basic-auth.user-info",
    "avro-confluent.bearer-auth.credentials-source",
    "avro-confluent.bearer-auth.token",
    "avro-confluent.ssl.truststore.location",
    "avro-confluent.ssl.truststore.password",
    "avro-confluent.ssl.keystore.location",
    "avro-confluent.ssl.keystore.password",
];

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A registry that does not answer is asked again after these pauses, about 13 s in all.
const PAUSES_MS: &[u64] = &[100, 200, 400, 800, 1600, 3200, 6400];
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Schemas that name schemas that name schemas go no deeper, and are no more.
const REFERENCES_MAX: usize = 200;

/// Why there is no schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is none of that number: the fault of the record that names it.
    Unknown(String),
    /// The registry does not answer, or not to us: nobody's record is to blame.
    Failed(String),
}

#[derive(Debug, Clone)]
enum Login {
    None,
    Basic(String, Option<String>),
    Bearer(String),
}

/// A schema as the registry has it, and those that it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registered {
    pub text: String,
    pub named: Vec<String>,
}

/// A registry, to be asked.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    urls: Vec<Url>,
    login: Login,
    client: Client,
    runtime: Arc<Runtime>,
    pauses_ms: &'static [u64],
}

impl Registry {
    /// Checks the options alone.
    pub fn check(options: &Options<'_>) -> Result<()> {
        urls(options)?;
        login(options).map(drop)
    }

    /// The registry that a table's options name; nothing is asked yet.
    pub fn open(options: &Options<'_>) -> Result<Self> {
        let urls = urls(options)?;
        let failed = |detail: String| {
            let table = options.table();
            ConnectorError::new(format!("the schema registry of table '{table}' cannot be asked"))
                .detail(detail)
        };
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::limited(3));
        if let Some(pem) = pem(options, "avro-confluent.ssl.truststore.location")? {
            let roots = Certificate::from_pem_bundle(&pem).map_err(|e| failed(e.to_string()))?;
            client = client.tls_built_in_root_certs(false);
            for root in roots {
                client = client.add_root_certificate(root);
            }
        }
        if let Some(pem) = pem(options, "avro-confluent.ssl.keystore.location")? {
            client = client.identity(Identity::from_pem(&pem).map_err(|e| failed(e.to_string()))?);
        }
        let client = client.build().map_err(|e| failed(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Arc::new(runtime.map_err(|e| failed(e.to_string()))?);
        Ok(Self { urls, login: login(options)?, client, runtime, pauses_ms: PAUSES_MS })
    }

    #[cfg(test)]
    pub fn impatient(mut self) -> Self {
        self.pauses_ms = &[1, 1];
        self
    }

    /// The schema of a number.
    pub fn schema(&self, id: u32) -> Result<Registered, Refusal> {
        let answer = self.ask(&Method::GET, &format!("schemas/ids/{id}"), None)?;
        let Some(answer) = answer else {
            return Err(Refusal::Unknown(format!("the schema registry has no schema {id}")));
        };
        let mut named = Vec::new();
        self.gather(&answer, &mut named, &mut Vec::new())?;
        Ok(Registered { text: text_of(&answer)?, named })
    }

    /// The texts of the schemas that a schema uses, those first that others use.
    fn gather(
        &self,
        answer: &Value,
        named: &mut Vec<String>,
        seen: &mut Vec<(String, i64)>,
    ) -> Result<(), Refusal> {
        let kind = answer.get("schemaType").and_then(Value::as_str).unwrap_or("AVRO");
        if kind != "AVRO" {
            return Err(Refusal::Unknown(format!("the schema is of the type {kind}, not AVRO")));
        }
        for reference in answer.get("references").and_then(Value::as_array).into_iter().flatten() {
            let subject = reference.get("subject").and_then(Value::as_str);
            let version = reference.get("version").and_then(Value::as_i64);
            let (Some(subject), Some(version)) = (subject, version) else {
                return Err(Refusal::Unknown(format!("{reference} refers to no schema")));
            };
            let place = (subject.to_owned(), version);
            if seen.contains(&place) {
                continue;
            }
            seen.push(place);
            if seen.len() > REFERENCES_MAX {
                return Err(Refusal::Unknown("the schema refers to too many others".into()));
            }
            let path = format!("subjects/{}/versions/{version}", escaped(subject));
            let inner = self.ask(&Method::GET, &path, None)?.ok_or_else(|| {
                Refusal::Unknown(format!("there is no version {version} of '{subject}'"))
            })?;
            self.gather(&inner, named, seen)?;
            named.push(text_of(&inner)?);
        }
        Ok(())
    }

    /// Registers a schema, or finds it registered; answers its number.
    pub fn register(&self, subject: &str, schema: &Value) -> Result<u32, Refusal> {
        let path = format!("subjects/{}/versions", escaped(subject));
        let body = json!({ "schema": schema.to_string() }).to_string();
        let answer = self.ask(&Method::POST, &path, Some(&body))?;
        let id = answer.as_ref().and_then(|a| a.get("id")).and_then(Value::as_u64);
        id.and_then(|id| u32::try_from(id).ok()).ok_or_else(|| {
            Refusal::Failed(format!("the schema registry gave '{subject}' no number"))
        })
    }

    /// Asks until there is an answer, from the one address or the other; `None` is "not found".
    fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<Option<Value>, Refusal> {
        let mut pauses = self.pauses_ms.iter();
        loop {
            let mut reason = String::new();
            for url in &self.urls {
                match self.ask_once(url, method, path, body) {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Final(refusal)) => return Err(refusal),
                    Err(Failure::Again(why)) => reason = format!("{why} ({})", shown(url)),
                }
            }
            let Some(pause) = pauses.next() else {
                let tries = self.pauses_ms.len() + 1;
                return Err(Refusal::Failed(format!(
                    "the schema registry cannot be asked, after {tries} tries: {reason}"
                )));
            };
            tracing::warn!(path, reason, "the schema registry is asked again");
            std::thread::sleep(Duration::from_millis(*pause));
        }
    }

    fn ask_once(
        &self,
        url: &Url,
        method: &Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        let base = url.as_str().trim_end_matches('/');
        let mut request = self.client.request(method.clone(), format!("{base}/{path}"));
        request = request.header("Accept", CONTENT_TYPE);
        request = match &self.login {
            Login::None => request,
            Login::Basic(user, password) => request.basic_auth(user, password.as_ref()),
            Login::Bearer(token) => request.bearer_auth(token),
        };
        if let Some(body) = body {
            request = request.header("Content-Type", CONTENT_TYPE).body(body.to_owned());
        }
        let call = async {
            let mut response = request.send().await.map_err(|e| Failure::Again(chain(&e)))?;
            let status = response.status();
            let mut bytes = Vec::new();
            while let Some(part) = response.chunk().await.map_err(|e| Failure::Again(chain(&e)))? {
                bytes.extend_from_slice(&part);
                if bytes.len() > ANSWER_BYTES_MAX {
                    return Err(Failure::failed("its answer is too long"));
                }
            }
            Ok((status, bytes))
        };
        // A thread of its own: the caller's may run other futures, and must not be blocked on two.
        let joined = std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(call)).join());
        let (status, bytes) = joined.unwrap_or_else(|_| Err(Failure::failed("it broke down")))?;
        if status.is_success() {
            let answer = serde_json::from_slice(&bytes);
            return answer.map(Some).map_err(|e| {
                Failure::failed(&format!("the answer of {} is no JSON: {e}", shown(url)))
            });
        }
        let said = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]).trim().to_owned();
        match status {
            StatusCode::NOT_FOUND if method == Method::GET => Ok(None),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(Failure::Again(format!("it answers {status}: {said}")))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::failed(&format!(
                "{} answers {status}: {said} (look at 'avro-confluent.basic-auth.user-info' and \
                 'avro-confluent.bearer-auth.token')",
                shown(url)
            ))),
            StatusCode::CONFLICT => Err(Failure::failed(&format!(
                "the schema of the table is not compatible with the one of its subject: {said}"
            ))),
            status => Err(Failure::failed(&format!("{} answers {status}: {said}", shown(url)))),
        }
    }
}

enum Failure {
    Again(String),
    Final(Refusal),
}

impl Failure {
    fn failed(reason: &str) -> Self {
        Self::Final(Refusal::Failed(format!("the schema registry cannot be used: {reason}")))
    }
}

fn text_of(answer: &Value) -> Result<String, Refusal> {
    let text = answer.get("schema").and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| Refusal::Failed("the schema registry answers without a schema".into()))
}

/// An error with what caused it: the outermost says only that sending failed.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

/// A URL without the password that may be in it.
fn shown(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |p| format!(":{p}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// A part of a path, with everything escaped that could end it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => drop(write!(out, "%{b:02X}")),
        }
    }
    out
}

fn urls(options: &Options<'_>) -> Result<Vec<Url>> {
    let name = "avro-confluent.url";
    let text = options.required(name)?;
    let mut urls = Vec::new();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let url = Url::parse(part).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        urls.push(url.ok_or_else(|| options.bad(name, part, "a URL such as 'http://host:8081'"))?);
    }
    match urls.is_empty() {
        true => Err(options.bad(name, text, "a URL such as 'http://host:8081'")),
        false => Ok(urls),
    }
}

fn login(options: &Options<'_>) -> Result<Login> {
    let basic = "avro-confluent.basic-auth.";
    let bearer = "avro-confluent.bearer-auth.";
    let name = |prefix: &str, rest: &str| format!("{prefix}{rest}");
    let info = options.get(&name(basic, "user-info"));
    let token = options.get(&name(bearer, "token"));
    if info.is_some() && token.is_some() {
        return Err(options
            .bad(&name(bearer, "token"), "…", "possible beside 'basic-auth.user-info'")
            .hint("set only one of them"));
    }
    let of_basic = options.choice(&name(basic, "credentials-source"), &["URL", "USER_INFO"])?;
    let of_bearer = options.choice(&name(bearer, "credentials-source"), &["STATIC_TOKEN"])?;
    if of_bearer.is_some() && token.is_none() {
        options.required(&name(bearer, "token"))?;
    }
    if of_basic == Some("USER_INFO") && info.is_none() {
        options.required(&name(basic, "user-info"))?;
    }
    if let Some(token) = token {
        return Ok(Login::Bearer(token.to_owned()));
    }
    let Some(info) = info.filter(|_| of_basic != Some("URL")) else {
        // A user within the URL is sent by the client itself.
        return Ok(Login::None);
    };
    let Some((user, password)) = info.split_once(':') else {
        return Err(options.bad(&name(basic, "user-info"), "…", "of the form 'user:password'"));
    };
    Ok(Login::Basic(user.to_owned(), Some(password.to_owned())))
}

/// The text of a file of certificates.
fn pem(options: &Options<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(path) = options.get(name) else { return Ok(None) };
    let bytes = std::fs::read(Path::new(path)).map_err(|e| {
        ConnectorError::new(format!("'{name}' of table '{}' cannot be read", options.table()))
            .detail(format!("{path}: {e}"))
    })?;
    if memchr::memmem::find(&bytes, b"-----BEGIN ").is_none() {
        return Err(options.bad(name, path, "a PEM file").hint(
            "JKS and PKCS12 stores are not supported: keytool and openssl make PEM of them",
        ));
    }
    Ok(Some(bytes))
}
