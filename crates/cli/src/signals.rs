//! Signals that ask a running job to stop between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rialto_runtime::Control;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::failure::{Failure, Result};

/// The flag that signals set.
#[derive(Debug, Clone)]
pub struct Signals {
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// SIGINT and SIGTERM stop the job; a second one ends the process at once.
    pub fn for_command() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the first signal must find the flag down.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
                .and_then(|_| flag::register(signal, Arc::clone(&stop)))
                .map_err(cannot_listen)?;
        }
        Ok(Self { stop })
    }

    /// SIGINT stops the query that runs, never the shell.
    pub fn for_shell() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        flag::register(SIGINT, Arc::clone(&stop)).map_err(cannot_listen)?;
        Ok(Self { stop })
    }

    /// A control that obeys the signals.
    pub fn control(&self) -> Control {
        Control::listening_to(Arc::clone(&self.stop))
    }

    /// Whether a signal came.
    pub fn came(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Forgets a signal that has been obeyed.
    pub fn forget(&self) {
        self.stop.store(false, Ordering::Release);
    }
}

fn cannot_listen(error: std::io::Error) -> Failure {
    Failure::Job(format!("error: cannot listen to signals: {error}\n"))
}
