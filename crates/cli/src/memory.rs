//! `--memory`: how much the process may hold of its own, and where the rest lies.

use std::path::{Path, PathBuf};

use rialto_memory as memory;

use crate::failure::{Failure, Result};

/// What is left to the rest of the machine, where the user says nothing: a quarter.
const SHARE: (u64, u64) = (3, 4);
/// What the process needs to begin with.
const LEAST: u64 = 128 << 20;

/// Bounds the process's memory: by what the user says, else by what the machine has. `state` is the
/// folder of the job's state, if it has one: what does not fit in memory lies on the same disk.
pub fn limit(said: Option<u64>, state: Option<&Path>) -> Result<()> {
    let Some(bytes) = said.or_else(|| Some(memory::machine()? / SHARE.1 * SHARE.0)) else {
        return Ok(());
    };
    if bytes < LEAST {
        let message = format!("--memory {} MB is too little to begin with", bytes >> 20);
        return Err(Failure::request(message, Some("give it 128 MB or more")));
    }
    let folder = state.map_or_else(on_a_disk, Path::to_owned);
    match memory::limit(bytes, &folder) {
        Ok(()) => Ok(()),
        // Nobody asked for it: the job runs without a file to spill to.
        Err(_) if said.is_none() => Ok(()),
        Err(error) => {
            let folder = folder.display();
            Err(Failure::Job(format!(
                "error: cannot make a file to spill to in {folder}: {error}\n"
            )))
        }
    }
}

/// A folder for temporary files that is not in memory itself, as `/tmp` may be.
fn on_a_disk() -> PathBuf {
    let lasting = PathBuf::from("/var/tmp");
    if lasting.is_dir() { lasting } else { std::env::temp_dir() }
}
