//! `rialto nexmark`.

use rialto_runtime::connectors::nexmark::{Config, write_ndjson};
use serde_json::json;

use crate::args::{Answer, Nexmark};
use crate::failure::{Failure, Result};
use crate::output::Stdout;

/// Writes the events and says how many of each kind there are.
pub fn nexmark(command: &Nexmark, stdout: &Stdout) -> Result<()> {
    let default = Config::default();
    let config = Config {
        seed: command.seed,
        events_per_second: command.rate,
        base_time: command.start.unwrap_or(default.base_time),
        ..default
    };
    let parts = usize::from(command.parts);
    let written = write_ndjson(&command.dir, command.events, parts, &config);
    let [people, auctions, bids] = written.map_err(|error| {
        Failure::Job(format!("error: cannot write to {}: {error}\n", command.dir.display()))
    })?;
    match command.output {
        Answer::Text => stdout.line(&format!(
            "{people} people, {auctions} auctions and {bids} bids in {}",
            command.dir.display()
        ))?,
        Answer::Json => {
            stdout.line(&json!({"person": people, "auction": auctions, "bid": bids}).to_string())?
        }
    }
    Ok(())
}
