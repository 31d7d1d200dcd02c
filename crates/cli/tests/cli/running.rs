//! A command that runs beside the test. Nothing here sleeps for a time and hopes: a test waits for
//! what it needs to have happened, and fails where it does not.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::command;

/// Longer than anything takes on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something has happened.
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The number of the newest checkpoint under a folder of state.
pub fn newest_checkpoint(state: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(state.join("checkpoints/manifests")) else { return 0 };
    // A file that is being written has another name, and is no checkpoint yet.
    let number = |name: String| name.parse().unwrap_or(0);
    entries.flatten().map(|e| number(e.file_name().to_string_lossy().into())).max().unwrap_or(0)
}

/// Waits for so many checkpoints more than there are.
pub fn wait_for_checkpoints(state: &Path, more: u64) {
    let goal = newest_checkpoint(state) + more;
    wait_until("checkpoints", || newest_checkpoint(state) >= goal);
}

/// A running command. One that is dropped is killed.
pub struct Running {
    child: Child,
    printed: Arc<Mutex<String>>,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// What a command left.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub printed: String,
    pub said: String,
}

fn gather(from: impl Read + Send + 'static) -> (Arc<Mutex<String>>, JoinHandle<()>) {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    let reader = std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = String::new();
        while from.read_line(&mut line).is_ok_and(|n| n > 0) {
            into.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
    (text, reader)
}

impl Running {
    /// Starts a command in a folder.
    pub fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_with(dir, arguments, &[])
    }

    /// Starts a command with some of its environment set.
    pub fn start_with(dir: &Path, arguments: &[&str], set: &[(&str, String)]) -> Self {
        let mut command = command(dir, arguments);
        command.envs(set.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (printed, out) = gather(child.stdout.take().unwrap());
        let (said, err) = gather(child.stderr.take().unwrap());
        Self { child, printed, said, readers: vec![out, err] }
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// What it has said on the side so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Waits until it ends by itself.
    pub fn finish(self) -> Ended {
        self.ended()
    }

    /// Waits until it has printed a text.
    pub fn wait_for(&self, text: &str) {
        let what = || format!("{text:?} in {} {}", self.printed(), self.said());
        let began = Instant::now();
        while !self.printed.lock().unwrap().contains(text) {
            assert!(began.elapsed() < PATIENCE, "waited in vain: {}", what());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for so many checkpoints more than there are, and tells what it said where none comes.
    pub fn wait_for_checkpoints(&self, state: &Path, more: u64) {
        let goal = newest_checkpoint(state) + more;
        let began = Instant::now();
        while newest_checkpoint(state) < goal {
            let waited = began.elapsed() >= PATIENCE || !self.is_running();
            assert!(!waited, "no checkpoint {goal}: {} {}", self.printed(), self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.ended()
    }

    /// Asks it to stop.
    pub fn terminate(self) -> Ended {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        self.ended()
    }

    fn ended(mut self) -> Ended {
        let code = self.child.wait().unwrap().code();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Ended { code, printed: self.printed(), said: self.said() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
