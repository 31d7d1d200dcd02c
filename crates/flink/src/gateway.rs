//! The SQL Gateway: a session in which statements are run one after the other.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::Http;
use crate::trouble::Trouble;

/// Flink from here on knows the names of options that the script uses.
const VERSION_MIN: (u32, u32) = (2, 0);
/// A statement is looked at so often until it has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// No declaration and no submission takes longer.
const STATEMENT_MAX: Duration = Duration::from_secs(600);

/// A session at a SQL Gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    http: Http,
    session: String,
}

/// What a statement answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The id of the job that it started.
    pub(crate) job: Option<String>,
    /// The text of its first row, as of an `EXPLAIN`.
    pub(crate) text: String,
}

impl Gateway {
    /// Looks whether there is a gateway that is new enough, and opens a session.
    pub(crate) fn open(url: &str, name: &str) -> Result<Self, Trouble> {
        let http = Http::new(url, "a SQL Gateway")?;
        let what = "cannot speak to the SQL Gateway";
        let info = http.ask(Method::GET, "/v1/info", None, what)?;
        let version = info["version"].as_str().unwrap_or_default();
        let mut parts = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
        let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if found < VERSION_MIN {
            let (major, minor) = VERSION_MIN;
            let why = format!("{url} is Flink {version}, which is too old");
            let hint = format!("use a gateway and a cluster of Flink {major}.{minor} or later");
            return Err(Trouble::new(what, why).hint(hint).request());
        }
        let body = json!({ "sessionName": name });
        let opened =
            http.ask(Method::POST, "/v1/sessions", Some(&body), "cannot open a session")?;
        let session = opened["sessionHandle"].as_str().unwrap_or_default().to_owned();
        Ok(Self { http, session })
    }

    /// The address of the cluster's own REST, as the gateway is configured.
    pub(crate) fn rest(&self) -> Result<String, Trouble> {
        let path = format!("/v1/sessions/{}", self.session);
        let what = "cannot ask the gateway where its cluster is";
        let found = self.http.ask(Method::GET, &path, None, what)?;
        let of = |key: &str| found["properties"][key].as_str().filter(|v| !v.is_empty());
        let address = of("rest.address").or_else(|| of("jobmanager.rpc.address"));
        match address {
            Some(address) => Ok(format!("http://{address}:{}", of("rest.port").unwrap_or("8081"))),
            None => Err(Trouble::new(what, "its configuration has no rest.address")
                .hint("say it: --rest http://jobmanager:8081")),
        }
    }

    /// Runs a statement to its end; `what` is said of an error.
    pub(crate) fn run(&self, statement: &str, what: &str) -> Result<Answer, Trouble> {
        let base = format!("/v1/sessions/{}", self.session);
        let body = json!({ "statement": statement });
        let begun =
            self.http.ask(Method::POST, &format!("{base}/statements"), Some(&body), what)?;
        let operation = begun["operationHandle"].as_str().unwrap_or_default().to_owned();
        let operation = format!("{base}/operations/{operation}");
        let start = Instant::now();
        loop {
            let status = self.http.ask(Method::GET, &format!("{operation}/status"), None, what)?;
            match status["status"].as_str().unwrap_or_default() {
                "INITIALIZED" | "PENDING" | "RUNNING" if start.elapsed() < STATEMENT_MAX => {
                    self.http.pause(LOOK_INTERVAL);
                }
                "INITIALIZED" | "PENDING" | "RUNNING" => {
                    let seconds = STATEMENT_MAX.as_secs();
                    return Err(Trouble::new(what, format!("no answer within {seconds} s"))
                        .hint("look at the log of the SQL Gateway"));
                }
                // The result of one that failed is its error.
                _ => break,
            }
        }
        let result = self.http.ask(Method::GET, &format!("{operation}/result/0"), None, what)?;
        let job = result["jobID"].as_str().map(str::to_owned).or_else(|| job_in_rows(&result));
        // What was asked is not asked again: an error here changes nothing.
        let _ = self.http.ask(Method::DELETE, &format!("{operation}/close"), None, what);
        let text = &result["results"]["data"][0]["fields"][0];
        Ok(Answer { job, text: text.as_str().unwrap_or_default().to_owned() })
    }

    /// Ends the session; jobs that it started go on.
    pub(crate) fn close(&self) {
        let path = format!("/v1/sessions/{}", self.session);
        let _ = self.http.ask(Method::DELETE, &path, None, "cannot close the session");
    }
}

/// Older versions of the protocol say the job in a row of the column `job id`.
fn job_in_rows(result: &Value) -> Option<String> {
    let columns = result["results"]["columns"].as_array()?;
    let at = columns.iter().position(|column| column["name"] == "job id")?;
    Some(result["results"]["data"][0]["fields"][at].as_str()?.to_owned())
}
