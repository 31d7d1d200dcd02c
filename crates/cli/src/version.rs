//! `rialto version`.

use serde_json::json;

use crate::args::{Answer, Version};
use crate::failure::Result;
use crate::output::Stdout;

/// Prints the name and version of the program.
pub fn version(command: &Version, stdout: &Stdout) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    match command.output {
        Answer::Text => stdout.line(&format!("rialto {version}"))?,
        Answer::Json => stdout.line(&json!({"name": "rialto", "version": version}).to_string())?,
    }
    Ok(())
}
