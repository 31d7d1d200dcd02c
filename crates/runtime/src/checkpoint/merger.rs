//! Merges objects of checkpoints beside all that anybody waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::chain::{Merge, Merged};
use super::store::CheckpointStore;

/// The thread, which merges one after the other.
pub(super) struct Merger {
    work: Option<Sender<Merge>>,
    done: Receiver<Option<Merged>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    merging: Option<String>,
}

impl Merger {
    pub fn start(store: CheckpointStore) -> std::io::Result<Self> {
        let (work, inbox) = channel::<Merge>();
        let (outbox, done) = channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stopped);
        let run = move || {
            stand_back();
            let is_stopped = || asked.load(Ordering::Acquire);
            while let Ok(merge) = inbox.recv() {
                // What fails is tried again behind the next checkpoint.
                if outbox.send(merge.run(&store, &is_stopped).ok()).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("merging".into()).spawn(run)?;
        Ok(Self { work: Some(work), done, stopped, thread: Some(thread), merging: None })
    }

    /// The object that is being written, or was, and has not been taken.
    pub fn merging(&self) -> Option<&String> {
        self.merging.as_ref()
    }

    /// Begins to merge; nothing is being merged.
    pub fn merge(&mut self, merge: Merge) {
        let name = merge.name.clone();
        let is_sent = self.work.as_ref().is_some_and(|work| work.send(merge).is_ok());
        self.merging = is_sent.then_some(name);
    }

    /// What was merged since this was asked last.
    pub fn take_done(&mut self) -> Option<Merged> {
        let done = self.done.try_recv().ok()?;
        self.merging = None;
        done
    }
}

impl Drop for Merger {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread that calls runs where a core would do nothing else: merging moves much memory, and a
/// low priority alone lets it take a third of a core from steps that wake for a moment only.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "how a thread is scheduled is set by a call of the C library")]
fn stand_back() {
    // SAFETY: the structure is plain numbers, of which this policy wants zeroes; the call changes
    // how the calling thread is scheduled, and nothing if it fails.
    unsafe {
        let parameters: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters);
    }
}

/// Elsewhere there is no such policy.
#[cfg(not(target_os = "linux"))]
fn stand_back() {}
