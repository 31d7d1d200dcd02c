//! Rows into the log, exactly once.
//!
//! The rows of an epoch are staged beside the log. `prepare` makes them durable there; `commit`
//! brings them into the log in batches that carry the run, the epoch and their number, so that a
//! commit that is repeated, or was cut off by a crash, adds what is missing and nothing twice.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rialto_engine::{Delta, EngineError, Sink};
use rialto_storage::log::{Batch, Topic};

use super::keys::{Encoded, Keys};
use super::options::LogOptions;
use super::staged::{Stage, Staged, is_full, shown, sweep};
use crate::changelog::changes;
use crate::error::Result;
use crate::filesystem::paths::escaped;
use crate::format::Encoder;
use crate::spec::TableSpec;

/// Writes a table to its log.
pub(super) struct LogSink {
    table: String,
    topic: Arc<Topic>,
    encoder: Box<dyn Encoder>,
    changelog: bool,
    upsert_key: Option<Vec<usize>>,
    keys: Keys,
    /// Another one each time: epochs are counted anew by a job that starts anew.
    run: String,
    stages: u64,
    batch: Batch,
    stage: Option<Stage>,
    prepared: BTreeMap<u64, Staged>,
    swept: bool,
}

impl LogSink {
    pub fn new(spec: &TableSpec, options: &LogOptions<'_>, topic: Arc<Topic>) -> Result<Self> {
        let encoder = (options.format.encoder)(&options.raw, spec.schema.clone())?;
        let random = || u128::from(RandomState::new().build_hasher().finish());
        let run = format!("{:032x}", random() << 64 | random());
        let keys = Keys::new(spec, options, topic.partitions())?;
        runs().push((topic.folder().to_owned(), escaped(&spec.name), run.clone()));
        Ok(Self {
            table: spec.name.clone(),
            keys,
            topic,
            encoder,
            changelog: options.format.changelog,
            upsert_key: spec.changelog.upsert_key.clone(),
            run,
            stages: 0,
            batch: Batch::default(),
            stage: None,
            prepared: BTreeMap::new(),
            swept: false,
        })
    }

    fn failed(&self, reason: impl ToString) -> EngineError {
        let place = format!("table '{}' ({})", self.table, shown(self.topic.folder()));
        EngineError::sink(place, reason)
    }

    /// Whose staged rows these are: two inserts into one table are told apart by their runs.
    fn name(&self) -> String {
        escaped(&self.table)
    }

    /// Writes what is gathered to the stage.
    fn flush(&mut self) -> rialto_engine::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        if self.stage.is_none() {
            let made = Stage::create(&self.topic, &self.name(), &self.run, self.stages);
            self.stage = Some(made.map_err(|e| self.failed(e))?);
            self.stages += 1;
        }
        match &mut self.stage {
            Some(stage) => stage.add(&self.topic, &batch).map_err(|e| self.failed(e)),
            None => Ok(()),
        }
    }

    fn add(&mut self, batch: &RecordBatch, retracts: Option<&[bool]>) -> rialto_engine::Result<()> {
        let values = match retracts {
            Some(retracts) => Encoded::changes(self.encoder.as_mut(), batch, retracts)?,
            None => Encoded::rows(self.encoder.as_mut(), batch)?,
        };
        let keys = self.keys.of(batch)?;
        for row in 0..values.len() {
            let key = keys.as_ref().map(|keys| keys.row(row));
            let value = values.row(row);
            let partition = self.keys.partition(key);
            self.batch.records.entry(partition).or_default().push(key, 0, value);
        }
        if is_full(self.batch.bytes()) { self.flush() } else { Ok(()) }
    }

    /// Removes what runs before this one staged and no checkpoint kept.
    fn sweep(&mut self) -> rialto_engine::Result<()> {
        if std::mem::replace(&mut self.swept, true) {
            return Ok(());
        }
        // Another insert of this job into the same table may still need what it has prepared.
        let name = self.name();
        let folder = self.topic.folder();
        let is_beside = |(of, other, run): &(PathBuf, String, String)| {
            of == folder && *other == name && *run != self.run
        };
        if runs().iter().any(is_beside) {
            return Ok(());
        }
        sweep(&self.topic, &name, &self.run).map_err(|e| self.failed(e))
    }
}

/// The sinks that this process has, by folder of the log, table and run.
fn runs() -> MutexGuard<'static, Vec<(PathBuf, String, String)>> {
    static RUNS: Mutex<Vec<(PathBuf, String, String)>> = Mutex::new(Vec::new());
    RUNS.lock().unwrap_or_else(|e| e.into_inner())
}

impl Drop for LogSink {
    fn drop(&mut self) {
        runs().retain(|(.., run)| *run != self.run);
    }
}

impl Sink for LogSink {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        self.sweep()?;
        let batch = delta.batch();
        if !self.changelog && delta.weights().is_none() {
            return self.add(batch, None);
        }
        let changes = changes(delta, self.upsert_key.as_deref())?;
        let rows: Vec<u32> = changes.iter().map(|(_, row)| *row as u32).collect();
        let rows = take_record_batch(batch, &UInt32Array::from(rows))?;
        let retracts: Vec<bool> = changes.iter().map(|(kind, _)| kind.retracts()).collect();
        if self.changelog {
            return self.add(&rows, Some(&retracts));
        }
        if retracts.contains(&true) {
            return Err(self.failed("rows are only added: nothing can be taken back"));
        }
        self.add(&rows, None)
    }

    fn prepare(&mut self, epoch: u64) -> rialto_engine::Result<Vec<u8>> {
        self.flush()?;
        let Some(stage) = self.stage.take() else { return Ok(Vec::new()) };
        let staged = stage.prepare(&self.topic, &self.run, epoch).map_err(|e| self.failed(e))?;
        let kept = serde_json::to_vec(&staged).map_err(|e| self.failed(e))?;
        self.prepared.insert(epoch, staged);
        Ok(kept)
    }

    fn commit(&mut self, epoch: u64) -> rialto_engine::Result<()> {
        let Some(staged) = self.prepared.get(&epoch) else { return Ok(()) };
        staged.commit(&self.topic).map_err(|e| self.failed(e))?;
        self.prepared.remove(&epoch);
        Ok(())
    }

    fn recover(&mut self, epoch: u64, prepared: &[u8]) -> rialto_engine::Result<()> {
        if !prepared.is_empty() {
            let staged: Staged = serde_json::from_slice(prepared).map_err(|e| {
                self.failed(format!("what the checkpoint keeps of epoch {epoch} is not ours: {e}"))
            })?;
            // Epochs are counted on by a run of another name: the checkpoint may be an old one.
            staged.commit(&self.topic).map_err(|e| self.failed(e))?;
        }
        // Later epochs were staged and never came into the log: nothing has to be taken back.
        self.sweep()
    }
}
