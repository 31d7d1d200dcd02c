//! The queries of Nexmark, which the command brings along, and their events.

use std::fs;
use std::path::{Path, PathBuf};

use rialto_runtime::connectors::nexmark::{Config, write_ndjson};

use super::cannot_write;
use crate::args::Bench;
use crate::failure::{Failure, Result, tell};

macro_rules! query {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../bench/nexmark/", $name, ".sql")))
    };
}

/// The queries by name.
pub const QUERIES: [(&str, &str); 24] = [
    query!("q0"),
    query!("q1"),
    query!("q2"),
    query!("q3"),
    query!("q4"),
    query!("q5"),
    query!("q6"),
    query!("q7"),
    query!("q8"),
    query!("q9"),
    query!("q10"),
    query!("q11"),
    query!("q12"),
    query!("q13"),
    query!("q14"),
    query!("q15"),
    query!("q16"),
    query!("q17"),
    query!("q18"),
    query!("q19"),
    query!("q20"),
    query!("q21"),
    query!("q22"),
    query!("q23"),
];

/// The streams as files, and as they come at a rate.
const FILES: &str = include_str!("../../../../bench/nexmark/ddl.sql");
const LIVE: &str = include_str!("../../../../bench/nexmark/ddl_live.sql");
const SIDE_INPUT: &str = include_str!("../../../../bench/nexmark/side_input/side_input.csv");

/// Whether a query has that name.
pub fn knows(name: &str) -> bool {
    QUERIES.iter().any(|(known, _)| *known == name)
}

/// The folder of the events; they are made where there are none.
pub fn events(command: &Bench, shards: usize, scratch: &Path) -> Result<PathBuf> {
    let folder = command.data.clone().unwrap_or_else(|| scratch.join("events"));
    if let Ok(files) = fs::read_dir(folder.join("bid")) {
        let files = files.count();
        // A reader takes one file after the other: the rows of its second would come too late.
        if files != shards {
            return Err(Failure::request(
                format!("{} has {files} files a stream, for {shards} shards", folder.display()),
                Some("say --shards as many as there are files, or another folder"),
            ));
        }
        return absolute(&folder);
    }
    if folder.is_dir() && fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::request(
            format!("{} has other things than Nexmark's events in it", folder.display()),
            Some("name a folder that rialto nexmark has written, or one that is not there yet"),
        ));
    }
    tell(&format!("making {} events in {}\n", command.events, folder.display()));
    write_ndjson(&folder, command.events, shards, &Config::default())
        .map_err(|error| cannot_write(&folder, &error))?;
    absolute(&folder)
}

/// Writes a query as a project of one file: over the files of `events`, or else live.
pub fn write(name: &str, events: Option<&Path>, scratch: &Path) -> Result<PathBuf> {
    let side = scratch.join("side_input");
    put(&side.join("side_input.csv"), SIDE_INPUT)?;
    let query = QUERIES.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    let streams = if events.is_some() { FILES } else { LIVE };
    let text = format!("{streams}\n{query}")
        .replace("${SINK}", "'connector' = 'blackhole'")
        .replace("${SIDE}", &side.display().to_string())
        .replace("${OUT}", &scratch.join("out").display().to_string());
    let text = match events {
        Some(folder) => text.replace("${DATA}", &folder.display().to_string()),
        None => text,
    };
    let path = scratch.join(format!("{name}.sql"));
    put(&path, &text)?;
    Ok(path)
}

fn put(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| cannot_write(path, &error))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| cannot_write(path, &error))
}
