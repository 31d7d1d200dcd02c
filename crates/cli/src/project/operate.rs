//! Looks after the running job beside it: answers who asks for a checkpoint, tells how the job is
//! in a file, and raises the alarm when checkpoints fail to come.
//!
//! The files lie in the state folder, so that commands work without a port:
//!
//! | name | what |
//! | --- | --- |
//! | `status.json` | how the job stood a moment ago, or when it ended |
//! | `checkpoint.request` | a word of whoever asks for a checkpoint |
//! | `checkpoint.answer` | the same word, and the checkpoint |

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rialto_runtime::operations::Figures;
use rialto_runtime::{Control, Job};
use rialto_server::{Health, Operated, Server};
use serde_json::{Value, json};
use tracing::{error, info, warn};

/// How often is looked whether somebody asks for something.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How often the status is written...
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// ...and not before so many times as long as writing it takes, for jobs of a thousand operators.
const STATUS_FACTOR: u32 = 200;
/// How long a request over HTTP waits for its checkpoint.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(60);
/// The longest word of a request.
const WORD_BYTES_MAX: usize = 100;

/// How the job stands, in a state folder.
pub const STATUS: &str = "status.json";
/// Asks for a checkpoint.
pub const REQUEST: &str = "checkpoint.request";
/// Says that it is there.
pub const ANSWER: &str = "checkpoint.answer";

/// The time in epoch milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Writes a small file whole.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

/// What is known of the job, and how it is asked for something.
struct Desk {
    figures: Arc<Figures>,
    control: Control,
    project: String,
    state: Option<PathBuf>,
    address: Option<SocketAddr>,
    is_encrypted: bool,
    health: Option<Arc<Health>>,
    ended: AtomicBool,
    /// Set so that the job begins again once it has stopped.
    again: Arc<AtomicBool>,
    /// Why it cannot.
    stays: Option<&'static str>,
}

/// Looks after a job until it is dropped.
pub struct Operator {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    /// Begins to look after a job that is about to run.
    pub fn start(
        job: &Job,
        (control, again): (&Control, Arc<AtomicBool>),
        project: &Path,
        (state, serve): (Option<&Path>, Option<SocketAddr>),
        server: Option<&Server>,
    ) -> std::io::Result<Self> {
        let desk = Arc::new(Desk {
            figures: Arc::clone(job.figures()),
            control: control.clone(),
            project: project.display().to_string(),
            state: state.map(Path::to_path_buf),
            address: server.map(Server::address),
            is_encrypted: server.is_some_and(Server::is_encrypted),
            health: server.map(|s| Arc::clone(s.health())),
            ended: AtomicBool::new(false),
            again,
            stays: match (state, serve) {
                (None, _) => Some("the job keeps no state, so that it would begin anew"),
                (_, Some(at)) if at.port() == 0 => Some("its port is another one at every start"),
                _ => None,
            },
        });
        if let Some(server) = server {
            server.operate(Arc::clone(&desk) as Arc<dyn Operated>);
        }
        if let Some(state) = state {
            // Whoever asked an earlier run has gone.
            let _ = std::fs::remove_file(state.join(REQUEST));
        }
        let own = Arc::clone(&desk);
        let look_after = move || Watch::new(&own).run();
        let thread = std::thread::Builder::new().name("operator".into()).spawn(look_after)?;
        info!(project = desk.project, "the job runs");
        Ok(Self { desk, thread: Some(thread) })
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.desk.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        info!(project = self.desk.project, "the job has stopped");
    }
}

impl Operated for Desk {
    fn metrics(&self) -> String {
        self.figures.metrics(now_ms())
    }

    fn status(&self) -> Value {
        let mut status = self.figures.status(now_ms());
        status["project"] = json!(self.project);
        status["pid"] = json!(std::process::id());
        status["rialto"] = json!(env!("CARGO_PKG_VERSION"));
        status["address"] = json!(self.address.map(|a| a.to_string()));
        status["tls"] = json!(self.is_encrypted);
        status
    }

    fn state_folder(&self) -> Option<PathBuf> {
        self.state.clone()
    }

    fn can_restart(&self) -> Result<(), String> {
        self.stays.map_or(Ok(()), |why| Err(why.into()))
    }

    fn restart(&self) -> Result<(), String> {
        self.can_restart()?;
        self.again.store(true, Ordering::Release);
        self.control.stop();
        Ok(())
    }

    fn checkpoint(&self) -> Result<u64, String> {
        if !self.figures.keeps_checkpoints() {
            return Err("the job keeps no checkpoints: run it with --state DIR".into());
        }
        let asked = self.control.ask_for_checkpoint();
        let began = Instant::now();
        while began.elapsed() < CHECKPOINT_PATIENCE && !self.ended.load(Ordering::Acquire) {
            if let Some(epoch) = self.figures.checkpoint_since(asked) {
                return Ok(epoch);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let seconds = CHECKPOINT_PATIENCE.as_secs();
        Err(format!("the job has ended, or took no checkpoint for {seconds} s"))
    }
}

/// What the thread goes on with from look to look.
struct Watch<'d> {
    desk: &'d Desk,
    /// Who waits for a checkpoint: the word, and the number of the question.
    waiting: Option<(String, u64)>,
    is_alarmed: bool,
    /// When the status is written next.
    tells_at: Instant,
    cannot_write: bool,
}

impl<'d> Watch<'d> {
    fn new(desk: &'d Desk) -> Self {
        Self {
            desk,
            waiting: None,
            is_alarmed: false,
            tells_at: Instant::now(),
            cannot_write: false,
        }
    }

    fn run(&mut self) {
        while !self.desk.ended.load(Ordering::Acquire) {
            self.look();
            std::thread::park_timeout(LOOK_INTERVAL);
        }
        self.answer();
        self.tell();
    }

    fn look(&mut self) {
        self.alarm();
        self.question();
        self.answer();
        if Instant::now() >= self.tells_at {
            self.tell();
        }
    }

    fn alarm(&mut self) {
        let silent = self.desk.figures.alarm(now_ms());
        if silent.is_some() == self.is_alarmed {
            return;
        }
        self.is_alarmed = silent.is_some();
        let health = self.desk.health.as_ref();
        match silent {
            Some(silent) => {
                let seconds = silent / 1000;
                let reason = format!("no checkpoint has become durable for {seconds} s");
                error!(seconds, "{reason}: three intervals, see the disk and `rialto doctor`");
                health.into_iter().for_each(|h| h.not_ready("checkpoints", &reason));
            }
            None => {
                info!("checkpoints become durable again");
                health.into_iter().for_each(|h| h.ready("checkpoints"));
            }
        }
    }

    /// Takes in a request for a checkpoint.
    fn question(&mut self) {
        let Some(state) = &self.desk.state else { return };
        let path = state.join(REQUEST);
        if self.waiting.is_some() || !path.exists() {
            return;
        }
        let Ok(word) = std::fs::read_to_string(&path) else { return };
        // One that cannot be removed would be asked for ever.
        if std::fs::remove_file(&path).is_ok() && word.len() <= WORD_BYTES_MAX {
            self.waiting = Some((word, self.desk.control.ask_for_checkpoint()));
        }
    }

    fn answer(&mut self) {
        let (Some(state), Some((word, asked))) = (&self.desk.state, &self.waiting) else { return };
        let Some(epoch) = self.desk.figures.checkpoint_since(*asked) else { return };
        let answer = json!({ "word": word, "checkpoint": epoch }).to_string();
        if let Err(error) = replace(&state.join(ANSWER), &answer) {
            warn!(%error, "cannot answer that checkpoint {epoch} was taken");
        }
        self.waiting = None;
    }

    /// Writes how the job stands.
    fn tell(&mut self) {
        let Some(state) = &self.desk.state else { return };
        let began = Instant::now();
        let written = replace(&state.join(STATUS), &self.desk.status().to_string());
        if let Err(error) = &written
            && !self.cannot_write
        {
            warn!(%error, "cannot write how the job stands");
        }
        self.cannot_write = written.is_err();
        self.tells_at = began + STATUS_INTERVAL.max(began.elapsed() * STATUS_FACTOR);
    }
}
