//! The REST of a Flink cluster: jobs that run there, and what can be asked of them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::Http;
use crate::trouble::Trouble;

/// How often is looked whether something has happened.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    http: Http,
}

/// A job, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct JobState {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `RUNNING`, `FAILED`, …
    pub state: String,
    /// How long it has been there.
    pub duration_ms: i64,
    /// How many tasks run, of how many.
    pub tasks: (u64, u64),
    /// Its sources and the rest, in the order of the plan.
    pub vertices: Vec<Vertex>,
    /// The last checkpoint that was completed: its number, when, bytes and milliseconds.
    pub checkpoint: Option<Checkpointed>,
    /// How many checkpoints failed, and how often the job began again.
    pub failed_checkpoints: u64,
    /// The last exception, if there was one.
    pub exception: Option<String>,
}

/// One operator chain of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertex {
    /// Its name.
    pub name: String,
    /// Rows that came in.
    pub read: u64,
    /// Rows that went out.
    pub written: u64,
    /// Rows a second that come in or, of a source, go out.
    pub rate: f64,
}

/// A completed checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpointed {
    /// Its number.
    pub id: u64,
    /// When it was triggered.
    pub at_ms: i64,
    /// How large its state is.
    pub bytes: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// The state of a job that the cluster does not know.
pub const GONE: &str = "GONE";

/// Whether a job in this state is over.
pub fn is_over(state: &str) -> bool {
    matches!(state, "FINISHED" | "FAILED" | "CANCELED" | GONE)
}

impl Cluster {
    /// The cluster whose REST is at a URL.
    pub fn new(rest: &str) -> Result<Self, Trouble> {
        Ok(Self { http: Http::new(rest, "a Flink cluster")? })
    }

    /// Where it is asked.
    pub fn rest(&self) -> &str {
        self.http.base()
    }

    /// The jobs, each by id, name and state; the newest first.
    pub fn jobs(&self) -> Result<Vec<[String; 3]>, Trouble> {
        let what = "cannot list the jobs of the cluster";
        let found = self.http.ask(Method::GET, "/jobs/overview", None, what)?;
        let mut jobs: Vec<&Value> = found["jobs"].as_array().into_iter().flatten().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job["start-time"].as_i64()));
        let text = |job: &Value, key: &str| job[key].as_str().unwrap_or_default().to_owned();
        Ok(jobs.iter().map(|j| [text(j, "jid"), text(j, "name"), text(j, "state")]).collect())
    }

    /// The state of a job; [`GONE`] where the cluster does not know it.
    pub fn state(&self, job: &str) -> Result<String, Trouble> {
        let jobs = self.jobs()?;
        let found = jobs.into_iter().find(|[id, ..]| id == job);
        Ok(found.map_or_else(|| GONE.into(), |[_, _, state]| state))
    }

    /// All that is said of a job.
    pub fn job(&self, job: &str) -> Result<JobState, Trouble> {
        let what = format!("cannot ask about the job {job}");
        let get = |path: &str| self.http.ask(Method::GET, path, None, &what);
        let found = get(&format!("/jobs/{job}"))?;
        let checkpoints = get(&format!("/jobs/{job}/checkpoints")).unwrap_or(Value::Null);
        let mut vertices = Vec::new();
        for vertex in found["vertices"].as_array().into_iter().flatten() {
            let id = vertex["id"].as_str().unwrap_or_default();
            let metrics = "numRecordsInPerSecond,numRecordsOutPerSecond";
            let path = format!("/jobs/{job}/vertices/{id}/subtasks/metrics?get={metrics}&agg=sum");
            let rates = get(&path).unwrap_or(Value::Null);
            let rates = rates.as_array().into_iter().flatten();
            let rate = rates.filter_map(|rate| rate["sum"].as_f64()).fold(0.0, f64::max);
            vertices.push(Vertex {
                name: vertex["name"].as_str().unwrap_or_default().to_owned(),
                read: vertex["metrics"]["read-records"].as_u64().unwrap_or(0),
                written: vertex["metrics"]["write-records"].as_u64().unwrap_or(0),
                rate,
            });
        }
        let last = &checkpoints["latest"]["completed"];
        let running = found["status-counts"]["RUNNING"].as_u64().unwrap_or(0);
        let all = found["status-counts"].as_object().into_iter().flatten();
        Ok(JobState {
            id: job.to_owned(),
            name: found["name"].as_str().unwrap_or_default().to_owned(),
            state: found["state"].as_str().unwrap_or_default().to_owned(),
            duration_ms: found["duration"].as_i64().unwrap_or(0),
            tasks: (running, all.filter_map(|(_, n)| n.as_u64()).sum()),
            vertices,
            checkpoint: last["id"].as_u64().map(|id| Checkpointed {
                id,
                at_ms: last["trigger_timestamp"].as_i64().unwrap_or(0),
                bytes: last["state_size"].as_u64().unwrap_or(0),
                duration_ms: last["end_to_end_duration"].as_u64().unwrap_or(0),
            }),
            failed_checkpoints: checkpoints["counts"]["failed"].as_u64().unwrap_or(0),
            exception: self.exception(job)?,
        })
    }

    /// Where the last completed checkpoint of a job is kept, if it is kept anywhere.
    pub fn last_checkpoint(&self, job: &str) -> Result<Option<String>, Trouble> {
        let what = format!("cannot ask for the last checkpoint of job {job}");
        let path = format!("/jobs/{job}/checkpoints");
        let found = self.http.ask(Method::GET, &path, None, &what)?;
        let place = found["latest"]["completed"]["external_path"].as_str();
        // A cluster without a folder for checkpoints says so in words.
        Ok(place.filter(|place| !place.starts_with('<')).map(str::to_owned))
    }

    /// The innermost cause of the last exception of a job.
    pub fn exception(&self, job: &str) -> Result<Option<String>, Trouble> {
        let path = format!("/jobs/{job}/exceptions?maxExceptions=1");
        let what = "cannot ask for exceptions";
        let found = self.http.ask(Method::GET, &path, None, what)?;
        let entry = &found["exceptionHistory"]["entries"][0]["stacktrace"];
        let text = entry.as_str().or_else(|| found["root-exception"].as_str());
        Ok(text.map(|text| Trouble::told("", text)).map(|trouble| match trouble.hint {
            Some(hint) => format!("{} (hint: {hint})", trouble.why),
            None => trouble.why,
        }))
    }

    /// Waits until a job is in one of the states, or over; answers its state.
    pub fn wait(&self, job: &str, wanted: &[&str], limit: Duration) -> Result<String, Trouble> {
        let start = Instant::now();
        loop {
            let state = self.state(job)?;
            if wanted.contains(&state.as_str()) || is_over(&state) {
                return Ok(state);
            }
            if start.elapsed() > limit {
                let seconds = limit.as_secs();
                let why = format!("after {seconds} s it is {state}");
                let mut trouble =
                    Trouble::new(format!("job {job} is not yet where it shall be"), why)
                        .hint("`rialto jobs --gateway URL` says how it stands");
                if let Some(exception) = self.exception(job)? {
                    trouble.why.push_str(&format!("; its last exception: {exception}"));
                }
                return Err(trouble);
            }
            self.http.pause(LOOK_INTERVAL);
        }
    }

    /// Cancels a job and waits until it has ended.
    pub fn cancel(&self, job: &str, limit: Duration) -> Result<String, Trouble> {
        let what = format!("cannot cancel job {job}");
        let path = format!("/jobs/{job}?mode=cancel");
        self.http.ask(Method::PATCH, &path, None, &what)?;
        self.wait(job, &[], limit)
    }

    /// Takes a savepoint, and with `stop` ends the job behind it; answers where it is. One that the
    /// cluster declines for the moment is asked for again within the limit.
    pub fn savepoint(
        &self,
        job: &str,
        folder: Option<&str>,
        stop: Stop,
        limit: Duration,
    ) -> Result<String, Trouble> {
        let what = format!("cannot take a savepoint of job {job}");
        let start = Instant::now();
        loop {
            let operation = self.try_savepoint(job, folder, stop, start + limit, &what)?;
            if let Some(location) = operation["location"].as_str() {
                return Ok(location.to_owned());
            }
            let cause = operation["failure-cause"]["stack-trace"].as_str().unwrap_or_default();
            if !passes(cause) || start.elapsed() > limit {
                return Err(Trouble::told(what, cause));
            }
            self.http.pause(LOOK_INTERVAL);
        }
    }

    /// What became of a savepoint that was asked for once.
    fn try_savepoint(
        &self,
        job: &str,
        folder: Option<&str>,
        stop: Stop,
        deadline: Instant,
        what: &str,
    ) -> Result<Value, Trouble> {
        let (path, body) = match stop {
            Stop::No => (format!("/jobs/{job}/savepoints"), json!({ "target-directory": folder })),
            Stop::Yes => {
                (format!("/jobs/{job}/stop"), json!({ "targetDirectory": folder, "drain": false }))
            }
        };
        let begun = self.http.ask(Method::POST, &path, Some(&body), what)?;
        let request = begun["request-id"].as_str().unwrap_or_default();
        let path = format!("/jobs/{job}/savepoints/{request}");
        loop {
            let mut found = self.http.ask(Method::GET, &path, None, what)?;
            if found["status"]["id"] == "COMPLETED" {
                return Ok(found["operation"].take());
            }
            if Instant::now() > deadline {
                return Err(Trouble::new(what, "it has not been completed in time").hint(
                    "give it more time with --timeout; a task that is always busy holds it up",
                ));
            }
            self.http.pause(LOOK_INTERVAL);
        }
    }
}

/// Whether a savepoint was declined for what is over in a moment: a task that has read all it has
/// (constant rows do so at once, again after every restart) is just ending, or one is starting.
fn passes(cause: &str) -> bool {
    ["(task is closing)", "(tasks not ready)", "Not all required tasks are currently running"]
        .iter()
        .any(|reason| cause.contains(reason))
}

/// Whether the job ends behind its savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It goes on.
    No,
    /// It ends.
    Yes,
}
