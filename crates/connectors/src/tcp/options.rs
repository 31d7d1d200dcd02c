//! The options of a table.

use std::time::Duration;

use crate::error::{ConnectorError, Result};
use crate::format::{TEXT_FORMATS, TextFormat};
use crate::options::{Options, nearest};
use crate::spec::TableSpec;

const NAMES: &[&str] = &[
    "hostname",
    "port",
    "byte-delimiter",
    "format",
    "scan.on-close",
    "scan.line.size-max",
    "scan.reconnect.max-pause",
    "rialto.on-error",
];

/// A longer line could not be kept in a batch.
const LINE_BYTES_LIMIT: u64 = 64 << 20;

/// The options of one table, read and checked.
#[derive(Clone)]
pub(super) struct TcpOptions {
    pub table: String,
    pub hostname: String,
    pub port: u16,
    pub delimiter: u8,
    pub format: &'static TextFormat,
    /// Whether the table ends when the server closes the connection.
    pub ends: bool,
    pub line_bytes_max: usize,
    pub pause_max: Duration,
    pub fail_on_error: bool,
}

impl TcpOptions {
    pub fn read(spec: &TableSpec) -> Result<Self> {
        let raw = Options::new(spec);
        let connector = raw.required("connector")?;
        let format = find_format(&raw)?;
        raw.refuse_unknown(connector, &[NAMES, format.options])?;
        (format.validate)(spec, &raw)?;
        if format.name == "csv" && raw.boolean("csv.header", false)? {
            return Err(raw
                .bad("csv.header", "true", "possible for lines of a socket")
                .hint("a line of a socket is one row: there is no place for a header"));
        }
        let hostname = raw.required("hostname")?;
        if hostname.trim().is_empty() {
            return Err(raw.bad("hostname", hostname, "a name or an address"));
        }
        let port = raw.required("port")?;
        let port = raw
            .number::<u16>("port")?
            .filter(|p| *p > 0)
            .ok_or_else(|| raw.bad("port", port, "a port from 1 to 65535"))?;
        let line = raw.memory("scan.line.size-max")?.unwrap_or(1 << 20);
        let pause = raw.duration("scan.reconnect.max-pause")?;
        Ok(Self {
            table: spec.name.clone(),
            hostname: hostname.trim().to_owned(),
            port,
            delimiter: raw.number::<u8>("byte-delimiter")?.unwrap_or(b'\n'),
            format,
            ends: raw.choice("scan.on-close", &["reconnect", "end"])? == Some("end"),
            line_bytes_max: line.clamp(1, LINE_BYTES_LIMIT) as usize,
            pause_max: pause.unwrap_or(Duration::from_secs(10)).max(Duration::from_millis(10)),
            fail_on_error: raw.choice("rialto.on-error", &["skip", "fail"])? == Some("fail"),
        })
    }

    /// Where the lines are from, for messages.
    pub fn place(&self) -> String {
        format!("table '{}' ({}:{})", self.table, self.hostname, self.port)
    }
}

fn find_format(raw: &Options<'_>) -> Result<&'static TextFormat> {
    let name = raw.required("format")?;
    // A record that may hold any byte cannot be cut at one.
    let formats = || TEXT_FORMATS.iter().filter(|f| f.in_files);
    if let Some(format) = formats().find(|f| f.name == name) {
        return Ok(format);
    }
    let names: Vec<&str> = formats().map(|f| f.name).collect();
    let error = ConnectorError::new(format!(
        "table '{}' asks for a format '{name}' that lines cannot have",
        raw.table()
    ))
    .detail(format!("known are {}", names.join(", ")));
    Err(match nearest(name, &names) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error,
    })
}
