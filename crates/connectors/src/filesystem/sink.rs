//! Rows into rolling part files, visible by a rename when their epoch commits.
//!
//! Exactly once: a file belongs to one epoch. `prepare` closes every open file and writes the epoch
//! into its hidden name, `commit` renames it. After a crash `commit` of the checkpointed epoch
//! finds the hidden files by their names, and removes those of epochs that never were. One job
//! writes to a table's folder at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{partition, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use rialto_engine::{Delta, EngineError, Sink};
use rialto_storage::{Files, OsFiles, create_folders};

use super::compression::Compression;
use super::options::{FileOptions, Format};
use super::part::{ClosedPart, Making, PartFile, leftovers};
use super::paths::{Location, escaped};
use crate::changelog::changes;
use crate::error::{ConnectorError, Result};
use crate::format::cells::{Cells, Column};
use crate::format::is_changelog;
use crate::format::parquet;
use crate::format::text::TimestampStyle;
use crate::options::Options;
use crate::spec::TableSpec;

/// So many files are open at once; then the fullest is closed.
const OPEN_FILES_MAX: usize = 128;

/// Which rows of a batch are taken back; `None` where none is.
type Signs = Option<Vec<bool>>;

/// The options of writing.
#[derive(Debug, Clone)]
pub(super) struct SinkOptions {
    file_size: u64,
    packed: Compression,
    success_file: Option<String>,
}

impl SinkOptions {
    pub fn read(raw: &Options<'_>) -> Result<Self> {
        raw.duration("sink.rolling-policy.rollover-interval")?;
        raw.duration("sink.rolling-policy.check-interval")?;
        let packed = match raw.choice("compression", &["auto", "none", "gzip", "zstd"])? {
            Some("gzip") => Compression::Gzip,
            Some("zstd") => Compression::Zstd,
            _ => Compression::None,
        };
        let trigger =
            raw.choice("sink.partition-commit.trigger", &["process-time", "partition-time"])?;
        if trigger == Some("partition-time") {
            return Err(ConnectorError::new(format!(
                "table '{}' commits partitions by 'partition-time', which is not supported",
                raw.table()
            ))
            .hint("'process-time' commits a partition with every checkpoint"));
        }
        let success_file = match raw.get("sink.partition-commit.policy.kind") {
            None => None,
            Some(kind) if kind.trim() == "success-file" => Some(
                raw.get("sink.partition-commit.success-file.name").unwrap_or("_SUCCESS").to_owned(),
            ),
            Some(kind) => {
                return Err(raw.bad("sink.partition-commit.policy.kind", kind, "'success-file'"));
            }
        };
        let file_size = raw.memory("sink.rolling-policy.file-size")?.unwrap_or(128 << 20);
        Ok(Self { file_size, packed, success_file })
    }
}

/// Writes a table of files.
pub(super) struct FileSink {
    table: String,
    files: Arc<dyn Files>,
    /// Tells the files of this run from those of earlier ones.
    run: String,
    /// Folders that this sink has made, or has found and made durable.
    folders: BTreeSet<PathBuf>,
    folder: PathBuf,
    making: Making,
    extension: String,
    options: SinkOptions,
    default_name: String,
    /// Whether the format can take rows back, and the key of updates.
    changelog: bool,
    upsert_key: Option<Vec<usize>>,
    /// The columns of the folders' names, and those of the files.
    partition: Vec<usize>,
    content: Vec<usize>,
    open: BTreeMap<PathBuf, PartFile>,
    /// Closed since the last `prepare`.
    closed: Vec<ClosedPart>,
    prepared: BTreeMap<u64, Vec<ClosedPart>>,
    recovered: bool,
}

impl FileSink {
    pub fn new(spec: &TableSpec, options: &FileOptions<'_>, location: Location) -> Result<Self> {
        let folder = location.folder();
        if folder.is_file() {
            return Err(ConnectorError::new(format!("table '{}' cannot be written", spec.name))
                .detail(format!("its path '{}' is a file, not a folder", location.written)));
        }
        let fields = spec.schema.fields();
        let place = |key: &String| fields.iter().position(|f| f.name() == key);
        let partition: Vec<usize> = spec.partition_keys.iter().filter_map(place).collect();
        let content: Vec<usize> =
            (0..fields.len()).filter(|index| !partition.contains(index)).collect();
        let schema: SchemaRef =
            Arc::new(Schema::new(content.iter().map(|&i| fields[i].clone()).collect::<Vec<_>>()));
        let mut extension = format!(".{}", options.format.name());
        let making = match options.format {
            Format::Text(format) => {
                extension.push_str(match options.sink.packed {
                    Compression::None => "",
                    Compression::Gzip => ".gz",
                    Compression::Zstd => ".zst",
                });
                let encoder = (format.encoder)(&options.raw, schema)?;
                Making::Text { encoder, packed: options.sink.packed }
            }
            Format::Parquet => {
                let compression = parquet::compression(&options.raw)?;
                Making::Parquet { schema, compression }
            }
        };
        Ok(Self {
            table: spec.name.clone(),
            files: Arc::new(OsFiles),
            run: run().to_owned(),
            folders: BTreeSet::new(),
            folder,
            making,
            extension,
            options: options.sink.clone(),
            default_name: options.default_name.to_owned(),
            changelog: is_changelog(options.format.name()),
            upsert_key: spec.changelog.upsert_key.clone(),
            partition,
            content,
            open: BTreeMap::new(),
            closed: Vec::new(),
            prepared: BTreeMap::new(),
            recovered: false,
        })
    }

    /// The same on another disk, as another run.
    #[cfg(test)]
    pub fn on(mut self, files: Arc<dyn Files>, run: &str) -> Self {
        (self.files, self.run) = (files, run.to_owned());
        self
    }

    fn failed(&self, reason: impl ToString) -> EngineError {
        EngineError::sink(format!("table '{}' ({})", self.table, self.folder.display()), reason)
    }

    fn prefix(&self) -> String {
        format!("part-{}-", escaped(&self.table))
    }

    /// The folder of a row below the table's own, by the values of the partition columns.
    fn folder_of(&self, batch: &RecordBatch, row: usize) -> rialto_engine::Result<PathBuf> {
        let mut folder = self.folder.clone();
        for &index in &self.partition {
            let name = escaped(batch.schema_ref().field(index).name());
            let column = Column::new(batch.column(index))
                .map_err(|t| self.failed(format!("a partition cannot have the type {t}")))?;
            let mut text = Vec::new();
            if !column.is_null(row) {
                match &column.cells {
                    Cells::Utf8(a) => text.extend_from_slice(a.value(row).as_bytes()),
                    _ if column.write_plain(row, TimestampStyle::Sql, &mut text) => {}
                    _ => return Err(self.failed(format!("'{name}' cannot name a folder"))),
                }
            }
            let text = String::from_utf8_lossy(&text);
            let value = if text.is_empty() { self.default_name.clone() } else { escaped(&text) };
            folder.push(format!("{name}={value}"));
        }
        Ok(folder)
    }

    /// The rows of each folder, in order of appearance. Neighbours mostly share their folder.
    fn by_folder(&self, batch: &RecordBatch) -> rialto_engine::Result<Vec<(PathBuf, Vec<u32>)>> {
        let keys: Vec<ArrayRef> =
            self.partition.iter().map(|&index| batch.column(index).clone()).collect();
        let mut places: HashMap<PathBuf, usize> = HashMap::new();
        let mut groups: Vec<(PathBuf, Vec<u32>)> = Vec::new();
        for run in partition(&keys)?.ranges() {
            let folder = self.folder_of(batch, run.start)?;
            let place = *places.entry(folder.clone()).or_insert_with(|| {
                groups.push((folder, Vec::new()));
                groups.len() - 1
            });
            let rows = u32::try_from(run.start).and_then(|a| Ok(a..u32::try_from(run.end)?));
            groups[place].1.extend(rows.map_err(|e| self.failed(e))?);
        }
        Ok(groups)
    }

    fn append(
        &mut self,
        folder: PathBuf,
        rows: &RecordBatch,
        retracts: Option<&[bool]>,
    ) -> rialto_engine::Result<()> {
        if !self.open.contains_key(&folder) {
            if self.open.len() >= OPEN_FILES_MAX {
                let fullest = self.open.iter().max_by_key(|(_, part)| part.size());
                if let Some(fullest) = fullest.map(|(folder, _)| folder.clone()) {
                    self.close(&fullest)?;
                }
            }
            let name = format!("{}{}-{}{}", self.prefix(), self.run, next_part(), self.extension);
            if self.folders.insert(folder.clone()) {
                create_folders(self.files.as_ref(), &folder).map_err(|e| self.failed(e))?;
            }
            let part = PartFile::create(self.files.as_ref(), &folder, name, &mut self.making);
            self.open.insert(folder.clone(), part.map_err(|e| self.failed(e))?);
        }
        let Some(part) = self.open.get_mut(&folder) else { return Ok(()) };
        let result = part.write(rows, retracts, &mut self.making);
        let full = part.size() >= self.options.file_size;
        result.map_err(|e| self.failed(e))?;
        if full { self.close(&folder) } else { Ok(()) }
    }

    fn close(&mut self, folder: &PathBuf) -> rialto_engine::Result<()> {
        if let Some(part) = self.open.remove(folder) {
            self.closed.push(part.close().map_err(|e| self.failed(e))?);
        }
        Ok(())
    }

    /// The changes of a delta in the order in which they are written, and which take a row back.
    fn changes(&self, delta: &Delta) -> rialto_engine::Result<(Option<UInt32Array>, Signs)> {
        let (mut rows, mut signs) = (Vec::new(), Vec::new());
        for (kind, row) in changes(delta, self.upsert_key.as_deref())? {
            rows.push(u32::try_from(row).map_err(|e| self.failed(e))?);
            signs.push(kind.retracts());
        }
        Ok((Some(UInt32Array::from(rows)), Some(signs)))
    }

    /// Deals with what earlier runs left: epochs up to `committed` are made visible, the rest goes.
    fn clean_up(&mut self, committed: Option<u64>) -> std::io::Result<()> {
        if std::mem::replace(&mut self.recovered, true) {
            return Ok(());
        }
        let mine = format!("{}{}-", self.prefix(), self.run);
        let (left, all) = leftovers(self.files.as_ref(), &self.folder, &self.prefix())?;
        // What is removed has to stay away: back after a power cut, it would be taken for a file of
        // an epoch that another run has committed by then. And what a killed run has made visible
        // has to stay so, wherever that is.
        let mut folders = BTreeSet::new();
        if committed.is_some() {
            folders.extend(all);
        }
        for left in left {
            if left.name.starts_with(&mine) {
                continue;
            }
            folders.insert(left.folder.clone());
            let visible = left.epoch.is_some_and(|epoch| Some(epoch) <= committed);
            let done = if visible {
                let renamed = self.files.rename(&left.path, &left.folder.join(&left.name));
                renamed.and_then(|()| self.mark_success(&left.folder))
            } else {
                self.files.remove(&left.path)
            };
            match done {
                // Another sink of this table in this process was faster.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        folders.iter().try_for_each(|folder| self.files.sync_folder(folder))
    }

    /// Makes the names of files durable, up to the folder that the table's own is in: a name is on
    /// the disk when its folder was synced, not when its file was.
    fn sync_folders(&self, parts: &[ClosedPart]) -> std::io::Result<()> {
        let mut folders = BTreeSet::new();
        for part in parts {
            let below = part.folder.ancestors().take_while(|f| f.starts_with(&self.folder));
            folders.extend(below.map(std::path::Path::to_owned));
            folders.extend(self.folder.parent().map(std::path::Path::to_owned));
        }
        // A relative path of one part has an empty parent.
        let named = folders.iter().filter(|folder| !folder.as_os_str().is_empty());
        named.into_iter().try_for_each(|folder| self.files.sync_folder(folder))
    }

    fn mark_success(&self, folder: &std::path::Path) -> std::io::Result<()> {
        match &self.options.success_file {
            Some(name) => match self.files.create(&folder.join(name)) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }
}

/// Numbers the part files of this process: two jobs that write one table, one after the other, must
/// not give their files one name.
fn next_part() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Tells the files of this process from those of earlier ones.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let random = std::hash::RandomState::new().build_hasher().finish();
        format!("{random:016x}")
    })
}

impl Sink for FileSink {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        self.clean_up(None).map_err(|e| self.failed(e))?;
        let (rows, retracts) = match self.changelog {
            true => self.changes(delta)?,
            false => (appended(delta).map_err(|e| self.failed(e))?, None),
        };
        let batch = match &rows {
            Some(indices) => take_record_batch(delta.batch(), indices)?,
            None => delta.batch().clone(),
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let arrays: Vec<ArrayRef> = self.content.iter().map(|&i| batch.column(i).clone()).collect();
        let schema = batch.schema_ref().project(&self.content)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let content = RecordBatch::try_new_with_options(schema.into(), arrays, &options)?;
        if self.partition.is_empty() {
            return self.append(self.folder.clone(), &content, retracts.as_deref());
        }
        for (folder, rows) in self.by_folder(&batch)? {
            let signs: Option<Vec<bool>> =
                retracts.as_ref().map(|r| rows.iter().map(|&row| r[row as usize]).collect());
            let part = take_record_batch(&content, &UInt32Array::from(rows))?;
            self.append(folder, &part, signs.as_deref())?;
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: u64) -> rialto_engine::Result<Vec<u8>> {
        self.clean_up(None).map_err(|e| self.failed(e))?;
        for folder in self.open.keys().cloned().collect::<Vec<_>>() {
            self.close(&folder)?;
        }
        let mut closed = std::mem::take(&mut self.closed);
        for part in &mut closed {
            part.prepare(self.files.as_ref(), epoch).map_err(|e| self.failed(e))?;
        }
        self.sync_folders(&closed).map_err(|e| self.failed(e))?;
        self.prepared.entry(epoch).or_default().append(&mut closed);
        // The names of the hidden files say the rest.
        Ok(Vec::new())
    }

    fn commit(&mut self, epoch: u64) -> rialto_engine::Result<()> {
        self.clean_up(None).map_err(|e| self.failed(e))?;
        let later = self.prepared.split_off(&(epoch + 1));
        let ready = std::mem::replace(&mut self.prepared, later);
        let ready: Vec<ClosedPart> = ready.into_values().flatten().collect();
        for part in &ready {
            part.commit(self.files.as_ref())
                .and_then(|()| self.mark_success(&part.folder))
                .map_err(|e| self.failed(e))?;
        }
        self.sync_folders(&ready).map_err(|e| self.failed(e))
    }

    fn recover(&mut self, epoch: u64, _: &[u8]) -> rialto_engine::Result<()> {
        self.clean_up(Some(epoch)).map_err(|e| self.failed(e))
    }
}

/// The rows of a delta as often as they are added; `None` where that is each of them once.
fn appended(delta: &Delta) -> Result<Option<UInt32Array>, String> {
    let Some(weights) = delta.weights() else { return Ok(None) };
    if weights.iter().any(|&w| w < 0) {
        return Err("files can only be appended to, and the input takes a row back".into());
    }
    let mut rows = Vec::new();
    for (row, &weight) in weights.iter().enumerate() {
        let row = u32::try_from(row).map_err(|e| e.to_string())?;
        rows.extend((0..weight).map(|_| row));
    }
    Ok(Some(UInt32Array::from(rows)))
}
