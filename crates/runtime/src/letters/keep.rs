//! Writes letters down, as part of the job's checkpoints.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rialto_connectors::{Environment, TableSpec};
use rialto_engine::{DeadLetter, Delta, EngineError, Result, Sink, Source};
use serde::{Deserialize, Serialize};

use super::again::{About, WithAgain};
use super::event::{
    Draft, Event, Form, RECORD_BYTES_MAX, Retention, What, batch, end_of, form_of, id_of_letter,
    id_sent_again, keep_taken, of_letters, spec, taken_until,
};
use super::{FOLDER, folder_of, replace};

/// Why nothing can be sent again to some tables.
const SEVERAL_SOURCES: &str = "the project reads it by several sources (other options, or a view \
    that is rebuilt beside others), and not all of them have refused the same";
/// So many letters are made ready at once.
const LETTERS_AT_ONCE: usize = 4096;
/// So many bytes of records are written at once.
const BATCH_BYTES: usize = 8 << 20;

/// The letters of one job, shared by the job and the sources that may refuse records.
#[derive(Clone)]
pub struct Letters {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the run began, in epoch milliseconds.
    run: i64,
    /// The logs that are open, by table.
    logs: BTreeMap<String, Box<dyn Sink>>,
    /// What the sources have taken of that which was sent again, since the last step.
    taken: Vec<Taken>,
    /// How many sources each table has.
    sources: BTreeMap<String, usize>,
    retention: Retention,
    /// The next record to take of each table, as of the last step, and of what is prepared.
    next: BTreeMap<String, u64>,
    promised: BTreeMap<String, u64>,
}

/// A record that was sent again and has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub table: String,
    pub id: String,
    /// How often it was tried before.
    pub attempts: i32,
    pub offset: u64,
    pub record: Vec<u8>,
}

/// What a checkpoint keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Prepared {
    run: i64,
    /// What each log needs to commit the epoch.
    logs: BTreeMap<String, String>,
}

impl std::fmt::Debug for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letters").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

impl Letters {
    /// The letters below a job's state folder.
    pub fn open(state: &Path) -> std::io::Result<Self> {
        let folder = state.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        // What a relative path means is another thing for a connector.
        let folder = folder.canonicalize()?;
        Ok(Self { inner: Arc::new(Inner { folder, state: Mutex::default() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left half done is of a step that does not count.
        self.inner.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn folder_of(&self, table: &str) -> PathBuf {
        folder_of(&self.inner.folder, table)
    }

    /// A source, and beside it what is sent again to its table.
    pub(crate) fn beside(
        &self,
        spec: &TableSpec,
        source: Box<dyn Source>,
        environment: &Environment,
    ) -> Result<WithAgain> {
        *self.state().sources.entry(spec.name.clone()).or_default() += 1;
        // The log is the job's own, wherever tables may lie.
        let environment = Environment { roots: None, ..environment.clone() };
        WithAgain::new(self.clone(), spec, source, environment)
    }

    /// Says how long letters are kept. To be called before the first is.
    pub(crate) fn retain(&self, retention: Retention) {
        self.state().retention = retention;
    }

    /// Whether a table is read by several sources, which do not all refuse the same.
    pub(super) fn is_ambiguous(&self, table: &str) -> bool {
        self.state().sources.get(table).is_some_and(|&n| n > 1)
    }

    /// Takes note of a record that is being fed to its source in this step.
    pub(super) fn take(&self, taken: Taken) {
        self.state().taken.push(taken);
    }

    /// Whether one of these tables has records waiting that were sent again.
    pub(crate) fn are_waiting(&self, tables: &BTreeSet<String>) -> Result<bool> {
        for table in tables {
            let folder = self.folder_of(table);
            let failed = |e| of_letters(table, e);
            let end = end_of(&folder.join("again")).map_err(failed)?;
            if end == 0 || About::read(&folder).is_ok_and(|about| about.closed.is_some()) {
                continue;
            }
            if taken_until(&folder).map_err(failed)? < end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All sources are open: nothing can be sent again to a table of which not every source has
    /// refused the same. Answers the tables.
    pub(crate) fn opened(&self) -> Result<BTreeSet<String>> {
        let sources = self.state().sources.clone();
        for (table, _) in sources.iter().filter(|(_, n)| **n > 1) {
            let closed = About::close(&self.folder_of(table), SEVERAL_SOURCES);
            closed.map_err(|e| of_letters(table, e))?;
        }
        Ok(sources.into_keys().collect())
    }

    /// The job begins anew: what comes now are letters of another run.
    pub(crate) fn begin(&self, now_ms: i64) -> Result<()> {
        self.state().run = now_ms;
        let path = self.inner.folder.join("run");
        let written = replace(&path, &now_ms.to_string());
        written.map_err(|e| EngineError::sink(path.display().to_string(), e))
    }

    /// What the sources have taken since the last step of that which was sent again. To be called
    /// between two steps.
    pub(crate) fn take_taken(&self) -> Vec<Taken> {
        std::mem::take(&mut self.state().taken)
    }

    /// Writes down what a step has refused, and what it has taken of that which was sent again.
    pub(crate) fn stepped(
        &self,
        refused: &[(String, DeadLetter)],
        taken: &[Taken],
        now_ms: i64,
    ) -> Result<()> {
        let mut state = self.state();
        let mut by_id: HashMap<(&str, &str), &Taken> = HashMap::new();
        for taken in taken {
            let next = state.next.entry(taken.table.clone()).or_default();
            *next = (*next).max(taken.offset + 1);
            by_id.entry((&taken.table, &taken.id)).or_insert(taken);
        }
        let mut refused_again = HashSet::new();
        // In parts: where all input is bad, a step has more letters than should be copied at once.
        for part in refused.chunks(LETTERS_AT_ONCE) {
            let mut drafts: BTreeMap<&str, Vec<Draft>> = BTreeMap::new();
            for (table, letter) in part {
                let again = id_sent_again(letter).and_then(|id| {
                    let taken = *by_id.get(&(table.as_str(), id))?;
                    refused_again.insert((table.as_str(), taken.offset));
                    Some(draft_again(letter, taken))
                });
                let first = || draft(id_of_letter(table, letter), letter, form_of(letter));
                drafts.entry(table).or_default().push(again.unwrap_or_else(first));
            }
            self.write_all(&mut state, drafts, now_ms)?;
        }
        let mut drafts: BTreeMap<&str, Vec<Draft>> = BTreeMap::new();
        for taken in taken {
            if !refused_again.contains(&(taken.table.as_str(), taken.offset)) {
                drafts.entry(&taken.table).or_default().push(redriven(taken));
            }
        }
        self.write_all(&mut state, drafts, now_ms)
    }

    fn write_all(
        &self,
        state: &mut State,
        drafts: BTreeMap<&str, Vec<Draft>>,
        now_ms: i64,
    ) -> Result<()> {
        for (table, mut drafts) in drafts {
            for draft in &mut drafts {
                (draft.event.at, draft.event.run) = (now_ms, state.run);
            }
            self.write(state, table, &drafts)?;
        }
        Ok(())
    }

    /// Writes in parts: a log takes no batch of any size.
    fn write(&self, state: &mut State, table: &str, drafts: &[Draft]) -> Result<()> {
        let log = self.log(state, table)?;
        let mut rest = drafts;
        while !rest.is_empty() {
            let mut bytes = 0;
            let full = |d: &Draft| {
                bytes += d.bytes.as_ref().map_or(0, Vec::len);
                bytes > BATCH_BYTES
            };
            let count = rest.iter().position(full).map_or(rest.len(), |at| at.max(1));
            let (part, after) = rest.split_at(count);
            log.write(&Delta::insert_only(batch(part)?), 0)?;
            rest = after;
        }
        Ok(())
    }

    fn log<'s>(&self, state: &'s mut State, table: &str) -> Result<&'s mut Box<dyn Sink>> {
        let folder = self.folder_of(table);
        let retention = &state.retention;
        Ok(match state.logs.entry(table.to_owned()) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                About::ensure(&folder, table).map_err(|e| of_letters(table, e))?;
                let environment = Environment::new(&self.inner.folder);
                let spec = spec(table, &folder, retention);
                let log = rialto_connectors::sink(&spec, &environment);
                place.insert(log.map_err(|e| of_letters(table, e))?)
            }
        })
    }

    /// What takes part in the job's checkpoints.
    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(LetterSink { letters: self.clone() })
    }

    /// The tables that have a log of letters.
    fn tables(&self) -> Result<Vec<String>> {
        let failed =
            |e: std::io::Error| EngineError::sink(self.inner.folder.display().to_string(), e);
        let mut tables = Vec::new();
        for entry in std::fs::read_dir(&self.inner.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.join("letters").is_dir() {
                tables.push(About::read(&path).map_err(failed)?.table);
            }
        }
        Ok(tables)
    }
}

/// A record that was refused for the first time.
fn draft(id: String, letter: &DeadLetter, form: Form) -> Draft {
    let kept = letter.bytes.len().min(RECORD_BYTES_MAX);
    let event = Event {
        id,
        event: What::Refused,
        at: 0,
        run: 0,
        attempt: 1,
        position: Some(letter.position.clone()),
        reason: Some(letter.reason.clone()),
        record: None,
        beside: letter.beside.as_ref().map(ToString::to_string),
        size: i64::try_from(letter.bytes.len()).ok(),
        form: Some(form),
        sent: None,
    };
    Draft { event, bytes: Some(letter.bytes[..kept].to_vec()) }
}

/// A record that was sent again and refused again. Where it was at first is known, and what the
/// engine refuses is a row, no record any more.
fn draft_again(letter: &DeadLetter, taken: &Taken) -> Draft {
    let kept = taken.record.len().min(RECORD_BYTES_MAX);
    let mut again = redriven(taken);
    again.event.event = What::Refused;
    again.event.reason = Some(letter.reason.clone());
    again.event.size = i64::try_from(taken.record.len()).ok();
    again.event.form = Some(Form::Record);
    again.bytes = Some(taken.record[..kept].to_vec());
    again
}

fn redriven(taken: &Taken) -> Draft {
    let event = Event {
        id: taken.id.clone(),
        event: What::Redriven,
        at: 0,
        run: 0,
        attempt: taken.attempts.saturating_add(1),
        position: None,
        reason: None,
        record: None,
        beside: None,
        size: None,
        form: None,
        sent: i64::try_from(taken.offset).ok(),
    };
    Draft { event, bytes: None }
}

/// The logs of all tables as one sink of the job, which writes to them by [`Letters::stepped`].
struct LetterSink {
    letters: Letters,
}

impl Sink for LetterSink {
    fn write(&mut self, _: &Delta, _: u64) -> Result<()> {
        Err(EngineError::Internal("no output of a circuit goes to the dead letters".into()))
    }

    fn prepare(&mut self, epoch: u64) -> Result<Vec<u8>> {
        let mut state = self.letters.state();
        let mut prepared = Prepared { run: state.run, logs: BTreeMap::new() };
        for (table, log) in &mut state.logs {
            let kept = log.prepare(epoch)?;
            if !kept.is_empty() {
                let text = String::from_utf8(kept).map_err(|e| of_letters(table, e))?;
                prepared.logs.insert(table.clone(), text);
            }
        }
        state.promised = std::mem::take(&mut state.next);
        serde_json::to_vec(&prepared).map_err(|e| EngineError::sink("dead letters", e))
    }

    fn commit(&mut self, epoch: u64) -> Result<()> {
        let mut state = self.letters.state();
        state.logs.values_mut().try_for_each(|log| log.commit(epoch))?;
        for (table, next) in std::mem::take(&mut state.promised) {
            let kept = keep_taken(&self.letters.folder_of(&table), next);
            kept.map_err(|e| of_letters(&table, e))?;
        }
        Ok(())
    }

    fn recover(&mut self, epoch: u64, prepared: &[u8]) -> Result<()> {
        let Prepared { run, logs } = serde_json::from_slice(prepared).map_err(|e| {
            let reason = format!("what checkpoint {epoch} keeps of them is not ours: {e}");
            EngineError::sink("dead letters", reason)
        })?;
        // Of the others what was staged and never promised is removed.
        let mut tables = self.letters.tables()?;
        tables.extend(logs.keys().cloned());
        tables.sort_unstable();
        tables.dedup();
        let mut state = self.letters.state();
        state.run = run;
        for table in tables {
            let kept = logs.get(&table).map_or(&[][..], |text| text.as_bytes());
            self.letters.log(&mut state, &table)?.recover(epoch, kept)?;
        }
        Ok(())
    }
}
