//! Requests to a gateway or a cluster, one after the other.

use std::error::Error;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::trouble::Trouble;

/// How long one request may take: planning a large statement set takes a gateway many seconds.
const REQUEST_MAX: Duration = Duration::from_secs(180);
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A client and the thread's own little runtime for it.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    runtime: tokio::runtime::Runtime,
    base: String,
    /// What stands at the other end, as it is called in errors.
    who: &'static str,
}

impl Http {
    /// A client for what answers below a URL.
    pub(crate) fn new(base: &str, who: &'static str) -> Result<Self, Trouble> {
        let wrong =
            |why: String| Trouble::new(format!("cannot ask {who} at {base}"), why).request();
        let base = base.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(wrong("the address is no URL".into()).hint("write http://host:port"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| wrong(e.to_string()))?;
        let client = Client::builder().timeout(REQUEST_MAX).connect_timeout(CONNECT_MAX).build();
        let client = client.map_err(|e| wrong(e.to_string()))?;
        Ok(Self { client, runtime, base, who })
    }

    /// Where requests go.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Asks, and answers what was answered; `what` is said of an error.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        what: &str,
    ) -> Result<Value, Trouble> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = self.runtime.block_on(async {
            let answer = request.send().await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.text().await?))
        });
        let (status, text) = answer.map_err(|error| self.away(what, &error))?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() && !value.is_null() {
            return Ok(value);
        }
        Err(self.refused(what, status, &value, &text))
    }

    fn away(&self, what: &str, error: &reqwest::Error) -> Trouble {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = error.to_string();
            cause = error.source();
        }
        let why = format!("{} at {} does not answer ({why})", self.who, self.base);
        Trouble::new(what, why).hint("is it running, and is the address right?")
    }

    fn refused(&self, what: &str, status: StatusCode, value: &Value, text: &str) -> Trouble {
        let errors: Vec<&str> =
            value["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if errors.is_empty() {
            let shown: String = text.chars().take(200).collect();
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            let why = format!("{} answers {status}, which is not {}: {shown}", self.base, self.who);
            return Trouble::new(what, why).hint("is the address right?");
        }
        Trouble::told(what, &errors.join("\n"))
    }

    /// Waits between two looks at something.
    pub(crate) fn pause(&self, time: Duration) {
        // A timer is made within the runtime, or not at all.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}
