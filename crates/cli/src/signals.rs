//! Signals that ask a running job to stop between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rialto_runtime::Control;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator;

use crate::failure::{Failure, Result};

/// A second signal within this time is the same wish: `timeout` signals the process and its group.
const PATIENCE: Duration = Duration::from_secs(1);

/// The flag that signals set.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    again: Arc<AtomicBool>,
}

impl Signals {
    /// SIGINT and SIGTERM stop the job; a later one ends the process at once, for a step that
    /// does not end.
    pub fn for_command() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut signals = iterator::Signals::new([SIGINT, SIGTERM]).map_err(cannot_listen)?;
        let flag = Arc::clone(&stop);
        let listen = move || {
            let mut first = None;
            for signal in signals.forever() {
                flag.store(true, Ordering::Release);
                let first = *first.get_or_insert_with(Instant::now);
                if first.elapsed() > PATIENCE {
                    std::process::exit(128 + signal);
                }
            }
        };
        let listener = std::thread::Builder::new().name("signals".into()).spawn(listen);
        listener.map_err(cannot_listen)?;
        Ok(Self { stop, again: Arc::default() })
    }

    /// SIGINT stops the query that runs, never the shell.
    pub fn for_shell() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        flag::register(SIGINT, Arc::clone(&stop)).map_err(cannot_listen)?;
        Ok(Self { stop, again: Arc::default() })
    }

    /// A control that obeys the signals.
    pub fn control(&self) -> Control {
        Control::listening_to(Arc::clone(&self.stop))
    }

    /// Whether a signal came.
    pub fn came(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// What is set so that the job begins again once it has stopped.
    pub fn again(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.again)
    }

    /// Whether it shall.
    pub fn wants_again(&self) -> bool {
        self.again.load(Ordering::Acquire)
    }

    /// Forgets a signal that has been obeyed.
    pub fn forget(&self) {
        self.stop.store(false, Ordering::Release);
    }
}

fn cannot_listen(error: std::io::Error) -> Failure {
    Failure::Job(format!("error: cannot listen to signals: {error}\n"))
}
