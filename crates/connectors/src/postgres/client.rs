//! A connection, and what its errors mean.

use std::future::Future;
use std::time::Duration;

use rialto_engine::{CommitError, EngineError};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Error};

use super::options::PgOptions;
use super::tls;

/// What every session is set to: texts of values that mean the same everywhere, and no waiting for
/// ever for somebody else's lock.
const SESSION: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; \
    SET lock_timeout = '30s'; SET client_min_messages = 'warning'";

/// Why something could not be done in the database.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may be possible later: no server, a server that restarts, a deadlock.
    Away(String),
    /// It never will be.
    Refused(String),
}

impl Trouble {
    pub fn text(&self) -> &str {
        match self {
            Self::Away(text) | Self::Refused(text) => text,
        }
    }

    /// Adds where it was.
    pub fn at(self, place: &str) -> CommitError {
        match self {
            Self::Away(text) => CommitError::Away(EngineError::sink(place, text)),
            Self::Refused(text) => CommitError::Refused(EngineError::sink(place, text)),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let text = told(&error);
        match error.as_db_error() {
            Some(db) if !heals(db.code()) => Self::Refused(text),
            // Without a word of the server: the connection, or what lies between.
            _ => Self::Away(text),
        }
    }
}

/// Whether an error of the server goes away by itself.
fn heals(code: &SqlState) -> bool {
    let code = code.code();
    // 08 connections, 53 resources (too many connections, a full disk), 58 the server's system.
    ["08", "53", "58"].iter().any(|class| code.starts_with(class))
        || matches!(
            code,
            // Serialization, deadlock; a lock that was waited for; cancelled; shut down, crashed,
            // starting; a standby, or a server that was made read-only for a while.
            "40001" | "40P01" | "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "25006"
        )
}

/// An error in the words of the server.
pub(super) fn told(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        return told_by_server(db);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn told_by_server(db: &DbError) -> String {
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    for (name, value) in
        [("detail", db.detail()), ("constraint", db.constraint()), ("column", db.column())]
    {
        if let Some(value) = value {
            text = format!("{text}; {name}: {value}");
        }
    }
    if let Some(hint) = db.hint() {
        text = format!("{text} ({hint})");
    }
    text
}

/// A session of the server, with the threads that it needs: none but the caller's.
pub(super) struct Session {
    runtime: Runtime,
    pub client: Client,
}

impl Session {
    /// Connects, for at most the time that the options allow.
    pub fn open(options: &PgOptions) -> Result<Self, Trouble> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Trouble::Away(format!("no event loop: {e}")))?;
        let tls = tls::connector(options).map_err(Trouble::Refused)?;
        // A name that is looked up, and a server that says nothing, have no end of their own.
        let limit =
            options.config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(10));
        let client = runtime.block_on(async {
            let connecting = async {
                let (client, connection) = options.config.connect(tls).await?;
                tokio::spawn(async move {
                    // Whoever uses the client is told the same.
                    drop(connection.await);
                });
                client.batch_execute(SESSION).await?;
                Ok::<_, Error>(client)
            };
            match tokio::time::timeout(limit, connecting).await {
                Ok(done) => done.map_err(Trouble::from),
                Err(_) => Err(Trouble::Away(format!("no answer within {limit:?}"))),
            }
        })?;
        Ok(Self { runtime, client })
    }

    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
