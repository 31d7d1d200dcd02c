//! What happens, on the standard error, for people and for machines.
//!
//! `RIALTO_LOG` says what is logged, as a level (`info`) or by part (`rialto_runtime=debug,warn`).
//! Without it only warnings and errors are: a command's own words are enough.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::failure::tell;

/// The variable that says what is logged.
const VARIABLE: &str = "RIALTO_LOG";
/// What is logged without it.
const DEFAULT: &str = "warn";

/// Begins to log.
pub fn start(format: LogFormat) {
    let filter = match std::env::var(VARIABLE) {
        Ok(text) if !text.trim().is_empty() => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            tell(&format!("warning: {VARIABLE}={text} is not understood: {error}\n"));
            EnvFilter::new(DEFAULT)
        }),
        _ => EnvFilter::new(DEFAULT),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second one is refused: what the first one does stays.
    let _ = match format {
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
