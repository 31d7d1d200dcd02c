//! The threads of a shard.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::{EngineError, Result};

/// What all threads of a shard do at once.
type Work = Arc<dyn Fn() + Send + Sync>;

/// The threads that help a shard's own. They live as long as the shard: a step is too short to
/// start threads for it.
pub(super) struct Crew {
    helpers: Vec<Helper>,
}

struct Helper {
    work: Option<Sender<Work>>,
    done: Receiver<bool>,
    handle: Option<JoinHandle<()>>,
}

impl Crew {
    /// Starts what a shard needs to have so many threads with its own.
    pub fn new(shard: usize, threads: usize) -> Result<Self> {
        let helpers = (1..threads).map(|number| Helper::start(shard, number));
        Ok(Self { helpers: helpers.collect::<Result<_>>()? })
    }

    /// How many threads there are, with the shard's own.
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Does `work` on every thread, and returns when all are back.
    pub fn all(&self, work: Work) -> Result<()> {
        let gone = || EngineError::Internal("a thread of a shard is gone".into());
        for helper in &self.helpers {
            let inbox = helper.work.as_ref().ok_or_else(gone)?;
            inbox.send(Arc::clone(&work)).map_err(|_| gone())?;
        }
        let mut well = attempt(&work);
        // All are waited for, also where one has failed: none may be at work behind the step.
        for helper in &self.helpers {
            well &= helper.done.recv().unwrap_or(false);
        }
        if well { Ok(()) } else { Err(gone()) }
    }
}

fn attempt(work: &Work) -> bool {
    catch_unwind(AssertUnwindSafe(|| work())).is_ok()
}

impl Helper {
    fn start(shard: usize, number: usize) -> Result<Self> {
        let (work, inbox) = channel::<Work>();
        let (outbox, done) = channel();
        let handle = std::thread::Builder::new()
            .name(format!("shard-{shard}.{number}"))
            .spawn(move || {
                while let Ok(work) = inbox.recv() {
                    let well = attempt(&work);
                    // What it holds must be free when the shard goes on.
                    drop(work);
                    if outbox.send(well).is_err() {
                        break;
                    }
                }
            })
            .map_err(|e| EngineError::Internal(format!("cannot start a worker thread: {e}")))?;
        Ok(Self { work: Some(work), done, handle: Some(handle) })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.helpers.iter_mut().for_each(|helper| drop(helper.work.take()));
        for helper in &mut self.helpers {
            // It catches panics, so a failed join has nothing to add.
            let _ = helper.handle.take().map(JoinHandle::join);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_threads_work_and_a_panic_of_one_is_told() {
        let crew = Crew::new(0, 3).unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let count_one = move || _ = counted.fetch_add(1, Ordering::Relaxed);
        crew.all(Arc::new(count_one)).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 3);
        let turn = AtomicUsize::new(0);
        let fails = move || assert_ne!(turn.fetch_add(1, Ordering::Relaxed), 1);
        assert!(crew.all(Arc::new(fails)).is_err());
        assert!(crew.all(Arc::new(|| ())).is_ok());
    }
}
