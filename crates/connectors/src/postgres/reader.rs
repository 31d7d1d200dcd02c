//! Reads parts of a table, each by a query that a thread of its own follows.
//!
//! The server sends rows as fast as they are taken: a full channel holds the thread, the thread the
//! socket, and the socket the server. A position is the key of the last row of each part that is
//! not read to its end. A table without a primary key, or a unique index over columns that are
//! never null, has no order that could be found again, so reading it cannot go on in the middle.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use arrow::array::RecordBatch;
use futures_util::TryStreamExt;
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader};
use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::client::{Session, Trouble};
use super::decode::RowDecoder;
use super::options::PgOptions;
use super::scan::{Mark, Parts, Query};
use crate::spec::TableSpec;

/// So many batches wait in the channel.
const BATCHES_MAX: usize = 2;
/// A server that is away is asked again so often, after times that grow up to the longest.
const TRIES_MAX: u32 = 20;
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a thread tells.
enum Message {
    Rows(Chunk),
    End,
    Failed(EngineError),
}

/// Rows that came together.
struct Chunk {
    batch: RecordBatch,
    /// The keys of the rows, where there is a key.
    marks: Vec<Mark>,
    /// The key of the last row, also of one that could not be read.
    last: Option<Mark>,
    dead: Vec<DeadLetter>,
}

/// A part that is being read.
struct Open {
    part: usize,
    /// The last row that was given.
    mark: Option<Mark>,
    /// Whether any row was.
    begun: bool,
    messages: Option<Receiver<Message>>,
    /// The rows that are not all given, and how many are.
    rest: Option<(Chunk, usize)>,
}

/// Reads parts of a table until none is left.
pub(super) struct PgReader {
    spec: TableSpec,
    options: PgOptions,
    query: Arc<Query>,
    parts: Arc<Parts>,
    open: Option<Open>,
    /// Parts that were begun before a restart.
    resumed: Vec<Open>,
    done: BTreeSet<usize>,
    dead: Vec<DeadLetter>,
}

impl PgReader {
    pub fn new(
        spec: &TableSpec,
        options: &PgOptions,
        query: Arc<Query>,
        parts: Arc<Parts>,
    ) -> Self {
        Self {
            spec: spec.clone(),
            options: options.clone(),
            query,
            parts,
            open: None,
            resumed: Vec::new(),
            done: BTreeSet::new(),
            dead: Vec::new(),
        }
    }

    fn failed(&self, reason: impl ToString) -> EngineError {
        EngineError::source(self.options.place(), reason)
    }

    /// Opens the next part; `false` if there is none.
    fn open_next(&mut self) -> rialto_engine::Result<bool> {
        let fresh = || Open { part: 0, mark: None, begun: false, messages: None, rest: None };
        let mut open = match self.resumed.pop() {
            Some(open) => open,
            None => match self.parts.next() {
                Some(part) => Open { part, ..fresh() },
                None => return Ok(false),
            },
        };
        let (sender, messages) = sync_channel(BATCHES_MAX);
        let worker = Worker {
            spec: self.spec.clone(),
            options: self.options.clone(),
            query: Arc::clone(&self.query),
            part: open.part,
            mark: open.mark.clone(),
            sent: false,
            sender,
        };
        let thread = std::thread::Builder::new().name(format!("postgres {}", self.spec.name));
        thread.spawn(move || worker.run()).map_err(|e| self.failed(e))?;
        open.messages = Some(messages);
        self.open = Some(open);
        Ok(true)
    }

    /// Gives up to so many of the rows that wait.
    fn give(&mut self, rows_max: usize) -> Option<Delta> {
        let open = self.open.as_mut()?;
        let (chunk, given) = open.rest.as_mut()?;
        let rows = rows_max.min(chunk.batch.num_rows() - *given);
        let batch = chunk.batch.slice(*given, rows);
        *given += rows;
        open.begun = true;
        if *given == chunk.batch.num_rows() {
            open.mark = chunk.last.take();
            open.rest = None;
        } else {
            open.mark = chunk.marks.get(*given - 1).cloned();
        }
        Some(Delta::insert_only(batch))
    }
}

impl Reader for PgReader {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        loop {
            if let Some(rows) = self.give(rows_max.max(1)) {
                return Ok(Poll::Rows(rows));
            }
            let Some(open) = &mut self.open else {
                if self.open_next()? {
                    continue;
                }
                return Ok(Poll::End);
            };
            let message = open.messages.as_ref().map(Receiver::try_recv);
            match message {
                Some(Ok(Message::Rows(mut chunk))) => {
                    self.dead.append(&mut chunk.dead);
                    open.rest = Some((chunk, 0));
                }
                Some(Ok(Message::End)) => {
                    self.done.insert(open.part);
                    self.open = None;
                }
                Some(Ok(Message::Failed(error))) => return Err(error),
                Some(Err(TryRecvError::Empty)) => return Ok(Poll::Idle),
                Some(Err(TryRecvError::Disconnected)) | None => {
                    return Err(self.failed("the thread that reads it has ended"));
                }
            }
        }
    }

    fn position(&self) -> Position {
        let open = self
            .open
            .iter()
            .chain(&self.resumed)
            .map(|open| json!({ "part": open.part, "after": open.mark, "begun": open.begun }));
        json!({ "done": self.done, "open": open.collect::<Vec<_>>() })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        let bad = || self.failed(format!("the position {position} is not one of this table"));
        let count = self.query.parts.len();
        let part = |value: &Value| -> Option<usize> {
            usize::try_from(value.as_u64()?).ok().filter(|part| *part < count)
        };
        let done: Option<BTreeSet<usize>> =
            position["done"].as_array().ok_or_else(bad)?.iter().map(part).collect();
        let mut resumed = Vec::new();
        for open in position["open"].as_array().ok_or_else(bad)? {
            let part = part(&open["part"]).ok_or_else(bad)?;
            let mark: Option<Mark> =
                serde_json::from_value(open["after"].clone()).map_err(|_| bad())?;
            let begun = open["begun"].as_bool().ok_or_else(bad)?;
            let keyed = mark.as_ref().is_some_and(|m| m.len() == self.query.key_len());
            if begun && !keyed {
                return Err(self.failed(
                    "reading was interrupted in the middle, and cannot go on: the database's table \
                     has no primary key and no unique index over columns that are NOT NULL, or \
                     another one than before (begin anew with '--fresh', or \
                     give it a primary key)",
                ));
            }
            resumed.push(Open { part, mark, begun, messages: None, rest: None });
        }
        self.done.extend(done.ok_or_else(bad)?);
        self.open = None;
        self.resumed.extend(resumed);
        self.done
            .iter()
            .copied()
            .chain(self.resumed.iter().map(|open| open.part))
            .for_each(|part| self.parts.claim(part));
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }
}

/// Follows the query of one part.
struct Worker {
    spec: TableSpec,
    options: PgOptions,
    query: Arc<Query>,
    part: usize,
    mark: Option<Mark>,
    sent: bool,
    sender: SyncSender<Message>,
}

/// Why a worker stopped.
enum Stop {
    /// Nobody listens any more.
    Unheard,
    Trouble(Trouble),
    Failed(EngineError),
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Trouble(error.into())
    }
}

impl Worker {
    fn run(mut self) {
        let mut tries = 0;
        let mut pause = Duration::from_millis(50);
        loop {
            let before = self.mark.clone();
            let last = match self.follow() {
                Ok(()) => Message::End,
                Err(Stop::Unheard) => return,
                Err(Stop::Failed(error)) => Message::Failed(error),
                Err(Stop::Trouble(Trouble::Away(reason))) if self.may_try_again() => {
                    if self.mark != before {
                        tries = 0;
                    }
                    tries += 1;
                    if tries <= TRIES_MAX {
                        tracing::warn!("{}: {reason}; trying again", self.options.place());
                        std::thread::sleep(pause);
                        pause = (pause * 2).min(PAUSE_MAX);
                        continue;
                    }
                    Message::Failed(EngineError::source(self.options.place(), reason))
                }
                Err(Stop::Trouble(trouble)) => {
                    Message::Failed(EngineError::source(self.options.place(), trouble.text()))
                }
            };
            // A reader that is gone needs no last word.
            drop(self.sender.send(last));
            return;
        }
    }

    /// Whether a query that broke off can be asked again without giving a row twice.
    fn may_try_again(&self) -> bool {
        !self.sent || self.query.has_key()
    }

    fn follow(&mut self) -> Result<(), Stop> {
        let session = Session::open(&self.options).map_err(Stop::Trouble)?;
        session.run(self.rows(&session))
    }

    async fn rows(&mut self, session: &Session) -> Result<(), Stop> {
        let mut decoder =
            RowDecoder::new(&self.spec).map_err(|e| Stop::Failed(EngineError::from(e)))?;
        let sql = self.query.sql(self.part, self.mark.is_some());
        let bounds = self.query.parts[self.part];
        let mark = self.mark.clone().unwrap_or_default();
        let mut parameters: Vec<&(dyn ToSql + Sync)> = Vec::new();
        if let Some((lower, upper)) = &bounds {
            parameters.extend([lower as &(dyn ToSql + Sync), upper]);
        }
        parameters.extend(mark.iter().map(|text| text as &(dyn ToSql + Sync)));
        let statement = session.client.prepare(&sql).await?;
        let rows = session.client.query_raw(&statement, parameters).await?;
        let mut rows = std::pin::pin!(rows);
        let mut marks = Vec::new();
        let mut dead = Vec::new();
        let mut last = None;
        while let Some(row) = rows.try_next().await? {
            let mark = self.mark_of(&row)?;
            match decoder.push(&row) {
                Ok(()) => marks.extend(mark.clone()),
                Err(reason) => dead.push(self.bury(&decoder, &row, mark.as_ref(), reason)?),
            }
            last = mark;
            if decoder.rows() + dead.len() >= self.options.fetch_size {
                self.send(&mut decoder, &mut marks, &mut last, &mut dead)?;
            }
        }
        if decoder.rows() + dead.len() > 0 {
            self.send(&mut decoder, &mut marks, &mut last, &mut dead)?;
        }
        Ok(())
    }

    fn mark_of(&self, row: &Row) -> Result<Option<Mark>, Stop> {
        if !self.query.has_key() {
            return Ok(None);
        }
        let places = self.query.columns..self.query.columns + self.query.key_len();
        let mark: Result<Mark, _> = places.map(|at| row.try_get::<_, String>(at)).collect();
        Ok(Some(mark?))
    }

    /// A row that could not be read, or a failure, as the table asks for.
    fn bury(
        &self,
        decoder: &RowDecoder,
        row: &Row,
        mark: Option<&Mark>,
        reason: String,
    ) -> Result<DeadLetter, Stop> {
        let place = self.options.place();
        let position = match mark {
            Some(mark) => format!("{place}, key ({})", mark.join(", ")),
            None => place,
        };
        if self.options.fail_on_error {
            return Err(Stop::Failed(EngineError::source(position, reason)));
        }
        Ok(DeadLetter { position, reason, bytes: decoder.shown(row), beside: None })
    }

    fn send(
        &mut self,
        decoder: &mut RowDecoder,
        marks: &mut Vec<Mark>,
        last: &mut Option<Mark>,
        dead: &mut Vec<DeadLetter>,
    ) -> Result<(), Stop> {
        let chunk = Chunk {
            batch: decoder.finish().map_err(Stop::Failed)?,
            marks: std::mem::take(marks),
            last: last.take(),
            dead: std::mem::take(dead),
        };
        let mark = chunk.last.clone();
        self.sender.send(Message::Rows(chunk)).map_err(|_| Stop::Unheard)?;
        self.sent = true;
        self.mark = mark;
        Ok(())
    }
}
