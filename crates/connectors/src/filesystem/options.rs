//! The options of the `filesystem` connector.

use std::time::Duration;

use regex::Regex;

use super::paths::Location;
use super::sink::SinkOptions;
use crate::error::{ConnectorError, Result};
use crate::format::{self, TextFormat};
use crate::options::{Options, nearest};
use crate::spec::{Environment, TableSpec};

const NAMES: &[&str] = &[
    "path",
    "format",
    "compression",
    "partition.default-name",
    "source.monitor-interval",
    "source.path.regex-pattern",
    "source.report-statistics",
    "sink.rolling-policy.file-size",
    "sink.rolling-policy.rollover-interval",
    "sink.rolling-policy.check-interval",
    "sink.partition-commit.trigger",
    "sink.partition-commit.delay",
    "sink.partition-commit.watermark-time-zone",
    "sink.partition-commit.policy.kind",
    "sink.partition-commit.success-file.name",
    "partition.time-extractor.kind",
    "partition.time-extractor.timestamp-pattern",
    "sink.shuffle-by-partition.enable",
    "auto-compaction",
    "compaction.file-size",
    "rialto.on-error",
    "rialto.replay.speed",
];

/// What a record that cannot be decoded leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    /// It becomes a dead letter, and the stream goes on.
    Skip,
    /// The source fails.
    Fail,
}

/// How the files are written.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Text(&'static TextFormat),
    Parquet,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Text(format) => format.name,
            Self::Parquet => "parquet",
        }
    }
}

/// The options, read and checked.
pub(super) struct FileOptions<'a> {
    pub raw: Options<'a>,
    pub path: &'a str,
    pub format: Format,
    pub regex: Option<Regex>,
    pub interval: Option<Duration>,
    /// The column of event time that sets the pace, and how much faster than the clock.
    pub replay: Option<(&'a str, f64)>,
    pub on_error: OnError,
    /// The name of a partition whose value is null.
    pub default_name: &'a str,
    pub sink: SinkOptions,
}

impl<'a> FileOptions<'a> {
    pub fn read(spec: &'a TableSpec) -> Result<Self> {
        let raw = Options::new(spec);
        let format = find_format(&raw)?;
        match format {
            Format::Text(text) => {
                raw.refuse_unknown("filesystem", &[NAMES, text.options])?;
                (text.validate)(spec, &raw)?;
            }
            Format::Parquet => {
                raw.refuse_unknown("filesystem", &[NAMES, format::parquet::OPTIONS])?;
            }
        }
        if raw.boolean("auto-compaction", false)? {
            return Err(ConnectorError::new(format!(
                "table '{}' asks for 'auto-compaction', which is not supported",
                spec.name
            ))
            .hint("raise 'sink.rolling-policy.file-size' and the interval of checkpoints"));
        }
        raw.boolean("source.report-statistics", false).ok();
        for key in &spec.partition_keys {
            if spec.schema.field_with_name(key).is_err() {
                return Err(ConnectorError::new(format!(
                    "table '{}' is partitioned by '{key}', which is no column of it",
                    spec.name
                )));
            }
        }
        let on_error = match raw.choice("rialto.on-error", &["skip", "fail"])? {
            Some("fail") => OnError::Fail,
            _ => OnError::Skip,
        };
        Ok(Self {
            path: raw.required("path")?,
            format,
            regex: regex(&raw)?,
            interval: raw.duration("source.monitor-interval")?,
            replay: replay(spec, &raw)?,
            on_error,
            default_name: raw.get("partition.default-name").unwrap_or("__DEFAULT_PARTITION__"),
            sink: SinkOptions::read(&raw)?,
            raw,
        })
    }

    pub fn location(&self, environment: &Environment) -> Result<Location> {
        Location::new(self.path, self.regex.clone(), environment)
    }
}

fn replay<'a>(spec: &'a TableSpec, raw: &Options<'a>) -> Result<Option<(&'a str, f64)>> {
    const NAME: &str = "rialto.replay.speed";
    let Some(speed) = raw.speed(NAME)? else { return Ok(None) };
    let refused = |reason: &str| {
        ConnectorError::new(format!("option '{NAME}' of table '{}' cannot be kept", spec.name))
            .detail(reason)
            .hint("files are replayed by a column of theirs: WATERMARK FOR column AS column")
    };
    let Some(column) = &spec.rowtime else {
        return Err(refused("the table has no watermark"));
    };
    match spec.schema.field_with_name(column) {
        Ok(_) => Ok(Some((column, speed))),
        Err(_) => Err(refused(&format!("its event time '{column}' is not in the files"))),
    }
}

fn regex(raw: &Options<'_>) -> Result<Option<Regex>> {
    let Some(text) = raw.get("source.path.regex-pattern") else { return Ok(None) };
    // As in Flink the whole path has to match, not a part of it.
    Regex::new(&format!("^(?:{text})$")).map(Some).map_err(|e| {
        ConnectorError::new(format!(
            "option 'source.path.regex-pattern' of table '{}' is not valid",
            raw.table()
        ))
        .detail(e.to_string())
    })
}

fn find_format(raw: &Options<'_>) -> Result<Format> {
    let name = raw.required("format")?;
    if name == "parquet" {
        return Ok(Format::Parquet);
    }
    if let Some(text) = format::TEXT_FORMATS.iter().find(|f| f.name == name) {
        if !text.in_files {
            return Err(ConnectorError::new(format!(
                "table '{}' asks for the format '{name}' in files, which is not supported",
                raw.table()
            ))
            .detail("its records have no ends of their own")
            .hint("it is a format of messages: use it with 'kafka' or 'log'"));
        }
        return Ok(Format::Text(text));
    }
    let files = format::TEXT_FORMATS.iter().filter(|f| f.in_files);
    let names: Vec<&str> = files.map(|f| f.name).chain(["parquet"]).collect();
    let error = ConnectorError::new(format!(
        "table '{}' asks for a format '{name}' that does not exist",
        raw.table()
    ))
    .detail(format!("known are {}", names.join(", ")));
    Err(match nearest(name, &names) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error,
    })
}
