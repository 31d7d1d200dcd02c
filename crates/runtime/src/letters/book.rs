//! What has become of each letter, told from the logs; sending again and discarding.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use rialto_storage::log::{Batch, Config, LogError, Pressure, Topic};
use serde_json::json;

use super::again::About;
use super::event::{AgainKey, Event, Form, RECORD_BYTES_MAX, What, each_event, each_record};
use super::{FOLDER, folder_of};

/// Why letters cannot be read, or not be sent again.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A log does not do what it should.
    #[error("the dead letters of table '{table}': {error}")]
    Log {
        /// The table.
        table: String,
        /// What is wrong.
        error: LogError,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What is asked for cannot be done.
    #[error("{0}")]
    Refused(String),
}

type Result<T> = std::result::Result<T, BookError>;

/// What has become of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It was refused, and that is all.
    Open,
    /// Its record was sent again, and no durable step has taken it yet.
    Waiting,
    /// Its record was sent again and taken.
    Redriven,
    /// It was put aside for ever.
    Discarded,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }
}

/// A record that a source refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Tells it from all others of its state folder.
    pub id: String,
    /// The table whose source refused it.
    pub table: String,
    /// Where it was found.
    pub position: String,
    /// Why it was refused, the last time.
    pub reason: String,
    /// When it was refused first, in epoch milliseconds.
    pub first_ms: i64,
    /// When something happened to it last, in epoch milliseconds.
    pub last_ms: i64,
    /// How often it was tried.
    pub attempts: i32,
    /// What has become of it.
    pub status: Status,
    /// How many bytes the record has.
    pub size: u64,
    /// Whether the record was decoded before it was refused: what is kept is its row as JSON.
    pub is_row: bool,
    /// Whether it is of a run before the last one that began anew. That may have read the record
    /// anew.
    pub is_earlier: bool,
}

/// What is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// The letter.
    pub id: String,
    /// Another record in its place.
    pub record: Option<Vec<u8>>,
}

/// The letters of one table.
#[derive(Debug)]
pub struct TableLetters {
    /// The table.
    pub table: String,
    /// The letters, in the order in which they were first refused.
    pub letters: Vec<Letter>,
    /// Where each of them is, by its id.
    places: HashMap<String, usize>,
    folder: PathBuf,
    about: About,
}

/// All letters of a state folder.
#[derive(Debug)]
pub struct Book {
    folder: PathBuf,
    /// The tables, by name.
    pub tables: Vec<TableLetters>,
}

impl Book {
    /// Reads the letters below a job's state folder; none where no job has kept any.
    pub fn read(state: &Path) -> Result<Self> {
        let folder = state.join(FOLDER);
        let mut tables = Vec::new();
        if folder.is_dir() {
            let failed = |error| BookError::File { path: folder.clone(), error };
            let run = match std::fs::read_to_string(folder.join("run")) {
                Ok(text) => text.trim().parse().ok(),
                Err(_) => None,
            };
            for entry in std::fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.join("about").is_file() {
                    tables.push(TableLetters::read(&path, run)?);
                }
            }
        }
        tables.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(Self { folder, tables })
    }

    /// The letters of all tables.
    pub fn letters(&self) -> impl Iterator<Item = &Letter> {
        self.tables.iter().flat_map(|t| &t.letters)
    }

    /// The letter whose id is, or begins with, a text.
    pub fn find(&self, id: &str) -> Result<&Letter> {
        let mut found = self.letters().filter(|l| l.id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(letter), None) if !id.is_empty() => Ok(letter),
            (Some(_), Some(_)) if !id.is_empty() => {
                Err(BookError::Refused(format!("several letters have an id that begins with {id}")))
            }
            _ => Err(BookError::Refused(format!("there is no letter {id}"))),
        }
    }

    /// The record of a letter as it was refused the last time, and whether it is whole.
    pub fn record(&self, letter: &Letter) -> Result<(Vec<u8>, bool)> {
        let records = self.records(&letter.table, &HashSet::from([letter.id.as_str()]))?;
        let record = records.into_values().next().unwrap_or_default().record;
        let whole = record.len() as u64 == letter.size;
        Ok((record, whole))
    }

    /// The records of all letters of a table, by id, as far as they are kept.
    pub fn all_records(&self, table: &TableLetters) -> Result<HashMap<String, Vec<u8>>> {
        let ids = table.letters.iter().map(|l| l.id.as_str()).collect();
        let records = self.records(&table.table, &ids)?;
        Ok(records.into_iter().map(|(id, kept)| (id, kept.record)).collect())
    }

    fn records(&self, table: &str, ids: &HashSet<&str>) -> Result<HashMap<String, Kept>> {
        let mut records: HashMap<String, Kept> = HashMap::new();
        let see = &mut |event: Event| {
            if !ids.contains(event.id.as_str()) {
                return;
            }
            let bytes = event.bytes();
            let kept = records.entry(event.id).or_default();
            // One that was refused again says nothing new of what stood beside it.
            let beside = event.beside.and_then(|text| serde_json::from_str(&text).ok());
            kept.beside = beside.or(kept.beside.take());
            kept.record = bytes.unwrap_or_else(|| std::mem::take(&mut kept.record));
        };
        let read = each_event(&folder_of(&self.folder, table), see);
        read.map_err(|error| BookError::Log { table: table.to_owned(), error })?;
        Ok(records)
    }

    fn table(&self, name: &str) -> Result<&TableLetters> {
        let found = self.tables.iter().find(|t| t.table == name);
        found.ok_or_else(|| BookError::Refused(format!("there are no letters of table '{name}'")))
    }

    /// Sends records again, each to its table: they are taken by the running job, or by its next
    /// run. All of a table are sent, or none. The answer is how many there are.
    pub fn send(&self, sends: &[Send], now_ms: i64) -> Result<usize> {
        for (table, sends) in self.by_table(sends)? {
            let found = self.table(table)?;
            found.check_takes()?;
            let log = found.open("again")?;
            // Whoever sends at the same time waits for the log, and then sees what we have sent.
            let now = TableLetters::read(&found.folder, None)?;
            let ids = sends.iter().map(|s| s.id.as_str()).collect();
            let mut records = self.records(table, &ids)?;
            let mut batch = Batch::default();
            for send in sends {
                let letter = now.open_letter(&send.id)?;
                let Kept { record: kept, beside } = records.remove(&letter.id).unwrap_or_default();
                let record = match &send.record {
                    Some(record) => record.clone(),
                    None => {
                        if let Some(reason) = now.hindrance(letter) {
                            let what = format!("letter {} cannot be sent again", letter.id);
                            return Err(BookError::Refused(format!("{what} as it was: {reason}")));
                        }
                        kept
                    }
                };
                let (id, attempts) = (letter.id.clone(), letter.attempts);
                let position = Some(letter.position.clone());
                let key = AgainKey { id, attempts, at: now_ms, position, beside };
                let key = json!(key).to_string();
                batch.records.entry(0).or_default().push(Some(key.as_bytes()), 0, &record);
            }
            now.append(&log, batch)?;
        }
        Ok(sends.len())
    }

    /// Puts letters aside: they are not open any more.
    pub fn discard(&self, ids: &[String], now_ms: i64) -> Result<usize> {
        let sends: Vec<Send> = ids.iter().map(|id| Send { id: id.clone(), record: None }).collect();
        for (table, sends) in self.by_table(&sends)? {
            let found = self.table(table)?;
            let log = found.open("discarded")?;
            let now = TableLetters::read(&found.folder, None)?;
            let mut batch = Batch::default();
            for send in sends {
                let letter = now.open_letter(&send.id)?;
                let text = json!({ "id": letter.id, "at": now_ms }).to_string();
                batch.records.entry(0).or_default().push(None, 0, text.as_bytes());
            }
            now.append(&log, batch)?;
        }
        Ok(ids.len())
    }

    fn by_table<'s>(&self, sends: &'s [Send]) -> Result<BTreeMap<&str, Vec<&'s Send>>> {
        let all: HashMap<&str, &str> =
            self.letters().map(|l| (l.id.as_str(), l.table.as_str())).collect();
        let mut by_table: BTreeMap<&str, Vec<&Send>> = BTreeMap::new();
        let mut seen = HashSet::new();
        for send in sends.iter().filter(|s| seen.insert(s.id.as_str())) {
            let none = || BookError::Refused(format!("there is no letter {}", send.id));
            let table = all.get(send.id.as_str()).ok_or_else(none)?;
            by_table.entry(table).or_default().push(send);
        }
        Ok(by_table)
    }
}

/// A record as it was refused the last time, and what stood beside it.
#[derive(Debug, Default)]
struct Kept {
    record: Vec<u8>,
    beside: Option<serde_json::Value>,
}

/// What is known of a letter while its events are read.
struct Fold {
    letter: Letter,
    run: i64,
    /// The last of its records that a step has taken.
    taken: Option<i64>,
    /// It is known what was refused.
    is_known: bool,
}

impl TableLetters {
    /// `run`: when the run began that is the current one, where that is known.
    fn read(folder: &Path, run: Option<i64>) -> Result<Self> {
        let failed = |error| BookError::File { path: folder.join("about"), error };
        let about = About::read(folder).map_err(failed)?;
        let table = about.table.clone();
        let failed = |error| BookError::Log { table: table.clone(), error };
        let mut folds: Vec<Fold> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let see = &mut |event: Event| {
            let place = *places.entry(event.id.clone()).or_insert_with(|| {
                folds.push(Fold::new(&table, &event));
                folds.len() - 1
            });
            folds[place].see(event);
        };
        each_event(folder, see).map_err(failed)?;
        // What was sent and is not known to have been taken.
        let mut sent: HashMap<String, i64> = HashMap::new();
        let see = &mut |offset: u64, _: i64, key: Option<&[u8]>, _: &[u8]| {
            let key = key.and_then(|key| serde_json::from_slice::<AgainKey>(key).ok());
            if let (Some(key), Ok(offset)) = (key, i64::try_from(offset)) {
                sent.insert(key.id, offset);
            }
        };
        each_record(&folder.join("again"), see).map_err(failed)?;
        let mut discarded: HashMap<String, i64> = HashMap::new();
        let see = &mut |_: u64, time: i64, _: Option<&[u8]>, value: &[u8]| {
            let said: serde_json::Value = serde_json::from_slice(value).unwrap_or_default();
            if let Some(id) = said["id"].as_str() {
                discarded.insert(id.to_owned(), said["at"].as_i64().unwrap_or(time));
            }
        };
        each_record(&folder.join("discarded"), see).map_err(failed)?;
        // Of some retention has deleted what was refused, and left what became of it.
        let letters = folds.into_iter().filter(|fold| fold.is_known).map(|fold| {
            let Fold { mut letter, taken, run: of, .. } = fold;
            if sent.get(&letter.id).is_some_and(|&offset| taken.is_none_or(|t| t < offset)) {
                letter.status = Status::Waiting;
            }
            if let Some(&at) = discarded.get(&letter.id)
                && at >= letter.last_ms
            {
                (letter.status, letter.last_ms) = (Status::Discarded, at);
            }
            letter.is_earlier = run.is_some_and(|run| of < run);
            letter
        });
        let letters: Vec<Letter> = letters.collect();
        let places = letters.iter().enumerate().map(|(at, l)| (l.id.clone(), at)).collect();
        Ok(Self { letters, places, table, folder: folder.to_owned(), about })
    }

    /// A letter about which nothing has been decided.
    fn open_letter(&self, id: &str) -> Result<&Letter> {
        let letter = self.places.get(id).map(|&at| &self.letters[at]);
        let letter =
            letter.ok_or_else(|| BookError::Refused(format!("there is no letter {id}")))?;
        match letter.status {
            Status::Open => Ok(letter),
            Status::Waiting => Err(BookError::Refused(format!(
                "letter {id} was sent again and waits for the job to take it"
            ))),
            status => Err(BookError::Refused(format!("letter {id} is {} already", status.name()))),
        }
    }

    fn check_takes(&self) -> Result<()> {
        let Some(reason) = &self.about.closed else { return Ok(()) };
        let table = &self.table;
        let what = format!("not supported: nothing can be sent again to table '{table}'");
        Err(BookError::Refused(format!("{what}: {reason}")))
    }

    /// Why the record of a letter cannot be sent again as it was, if so.
    pub fn hindrance(&self, letter: &Letter) -> Option<String> {
        if let Some(reason) = self.about.closed.as_ref().or(self.about.edited_only.as_ref()) {
            return Some(reason.clone());
        }
        if letter.is_row {
            let reason = "it was decoded before it was refused: what is kept is its row";
            return Some(reason.into());
        }
        let cut = letter.size > RECORD_BYTES_MAX as u64;
        cut.then(|| {
            let size = letter.size;
            format!("of its {size} bytes only the first {RECORD_BYTES_MAX} are kept")
        })
    }

    fn log_error(&self, error: LogError) -> BookError {
        BookError::Log { table: self.table.clone(), error }
    }

    /// One of the logs that commands write.
    fn open(&self, name: &str) -> Result<std::sync::Arc<Topic>> {
        let config = Config { partitions: Some(1), ..Config::default() };
        let log = Topic::shared(&self.folder.join(name), config).map_err(|e| self.log_error(e))?;
        log.open_for_writing().map_err(|e| self.log_error(e))?;
        Ok(log)
    }

    fn append(&self, log: &Topic, batch: Batch) -> Result<()> {
        let ticket = log.append(batch, Pressure::Wait).map_err(|e| self.log_error(e))?;
        log.wait(&ticket).map(drop).map_err(|e| self.log_error(e))
    }

    /// The folder of its logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Fold {
    fn new(table: &str, first: &Event) -> Self {
        let letter = Letter {
            id: first.id.clone(),
            table: table.to_owned(),
            position: String::new(),
            reason: String::new(),
            first_ms: first.at,
            last_ms: first.at,
            attempts: 0,
            status: Status::Open,
            size: 0,
            is_row: false,
            is_earlier: false,
        };
        Self { letter, run: first.run, taken: None, is_known: false }
    }

    fn see(&mut self, event: Event) {
        let letter = &mut self.letter;
        letter.last_ms = event.at;
        letter.attempts = letter.attempts.max(event.attempt);
        self.run = self.run.max(event.run);
        self.taken = self.taken.max(event.sent);
        match event.event {
            What::Redriven => letter.status = Status::Redriven,
            What::Refused => {
                self.is_known = true;
                letter.status = Status::Open;
                letter.reason = event.reason.unwrap_or_default();
                letter.is_row = event.form == Some(Form::Row);
                letter.size = event.size.and_then(|s| u64::try_from(s).ok()).unwrap_or(0);
                if let Some(position) = event.position {
                    letter.position = position;
                }
            }
        }
    }
}
