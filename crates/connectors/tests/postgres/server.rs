//! A real server for the tests, tables over it, and the other side of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use rialto_connectors::{Changelog, Environment, Sink, TableSpec};
use rialto_engine::{
    CommitError, Committer, DeadLetter, Delta, EngineError, Poll, Position, Reader,
};
use tokio_postgres::SimpleQueryMessage;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A running server.
pub struct Server {
    pub url: String,
    /// The file of the authority that signed its certificate, for `localhost`.
    pub authority: String,
    folder: String,
}

fn script() -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(root.join("scripts/postgres.sh"))
}

/// The server that the tests share, or `None`, said loudly, where this machine can have none.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| up(&[])).as_ref()
}

/// A server of a test's own.
pub fn up(settings: &[&str]) -> Option<Server> {
    let mut command = script();
    command.args(["up", "--for", &std::process::id().to_string()]).args(settings);
    let output = command.stderr(Stdio::inherit()).output().expect("scripts/postgres.sh runs");
    if output.status.code() == Some(3) {
        // Past the capture of the test runner: nobody shall think that this was tested.
        let _ = writeln!(std::io::stderr(), "test: SKIPPED: there is no PostgreSQL (see above)");
        return None;
    }
    assert!(output.status.success(), "scripts/postgres.sh up failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.strip_prefix('=')).expect(name).to_owned()
    };
    let authority = value("POSTGRES_CA").trim_matches('\'').to_owned();
    Some(Server { url: value("POSTGRES_URL"), authority, folder: value("POSTGRES_DIR") })
}

impl Server {
    /// `stop`, `kill` or `start`.
    pub fn run(&self, what: &str) {
        let status = script().args([what, &self.folder]).status().unwrap();
        assert!(status.success(), "scripts/postgres.sh {what} failed");
    }

    /// A name that no other test has.
    pub fn name(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Runs statements; the rows of the last one as `1|a|NULL`.
    pub fn try_sql(&self, text: &str) -> Result<Vec<String>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls)
                .await
                .map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            let messages = client.simple_query(text).await.map_err(|e| {
                e.as_db_error().map_or_else(|| e.to_string(), |db| db.message().to_owned())
            })?;
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let cell = |at| row.get(at).unwrap_or("NULL");
                    Some((0..row.len()).map(cell).collect::<Vec<_>>().join("|"))
                }
                _ => None,
            });
            Ok(rows.collect())
        })
    }

    pub fn sql(&self, text: &str) -> Vec<String> {
        self.try_sql(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    /// A table of the connector with these columns; the first ones are its primary key.
    pub fn table(&self, name: &str, columns: &[(&str, DataType)], key: usize) -> TableSpec {
        let fields: Vec<Field> =
            columns.iter().map(|(name, t)| Field::new(*name, t.clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let options = [("connector", "postgres"), ("url", &self.url), ("table-name", name)];
        let mut spec = TableSpec::new(format!("our_{name}"), schema, options);
        spec.primary_key = columns[..key].iter().map(|(name, _)| (*name).to_owned()).collect();
        let retracts = key > 0;
        spec.changelog = Changelog { retracts, upsert_key: retracts.then(|| (0..key).collect()) };
        spec
    }
}

pub fn set(mut spec: TableSpec, name: &str, value: &str) -> TableSpec {
    spec.options.retain(|(known, _)| known != name);
    spec.options.push((name.to_owned(), value.to_owned()));
    spec
}

/// A sink and what commits for it.
pub struct Output {
    pub sink: Box<dyn Sink>,
    pub committer: Box<dyn Committer>,
    spec: TableSpec,
}

impl Output {
    pub fn open(spec: &TableSpec) -> Self {
        Self::try_open(spec).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Opens a sink as a run of a job does that begins anew.
    pub fn try_open(spec: &TableSpec) -> Result<Self, String> {
        let mut output = Self::opened(spec)?;
        output.committer.recover(&[]).map_err(said)?;
        Ok(output)
    }

    /// Opens a sink and says nothing to the database yet.
    pub fn opened(spec: &TableSpec) -> Result<Self, String> {
        let sink = rialto_connectors::sink(spec, &Environment::new("."));
        let mut sink = sink.map_err(|e| e.to_string())?;
        let committer = sink.committer().expect("it hands out a committer");
        Ok(Self { sink, committer, spec: spec.clone() })
    }

    pub fn write(&mut self, columns: Vec<ArrayRef>, weights: Option<Vec<i64>>) {
        self.try_write(columns, weights).unwrap_or_else(|e| panic!("{e}"));
    }

    pub fn try_write(
        &mut self,
        columns: Vec<ArrayRef>,
        weights: Option<Vec<i64>>,
    ) -> rialto_engine::Result<()> {
        let batch = RecordBatch::try_new(self.spec.schema.clone(), columns).unwrap();
        let delta = match weights {
            Some(weights) => Delta::weighted(batch, Int64Array::from(weights)),
            None => Delta::insert_only(batch),
        };
        self.sink.write(&delta, 1)
    }

    /// Writes rows of a number and a text, with weights.
    pub fn rows(&mut self, rows: &[(i64, &str, i64)]) {
        let (columns, weights) = pairs(rows);
        self.write(columns, Some(weights));
    }

    pub fn prepare(&mut self, epoch: u64) -> Vec<u8> {
        self.sink.prepare(epoch).unwrap()
    }

    pub fn try_commit(&mut self, epoch: u64) -> Result<Vec<u8>, CommitError> {
        let prepared = self.prepare(epoch);
        self.committer.commit(epoch, &prepared).map(|()| prepared)
    }

    pub fn commit(&mut self, epoch: u64) -> Vec<u8> {
        self.try_commit(epoch).unwrap_or_else(|e| panic!("{}", said(e)))
    }

    /// Commits what was prepared as the runtime does: again and again until it is done.
    pub fn deliver(&mut self, epoch: u64, prepared: &[u8]) -> u32 {
        let since = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.committer.commit(epoch, prepared) {
                Ok(()) => return tries,
                Err(CommitError::Away(_)) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("{}", said(error)),
            }
            assert!(since.elapsed() < PATIENCE, "epoch {epoch} is not taken");
        }
    }
}

pub fn pairs(rows: &[(i64, &str, i64)]) -> (Vec<ArrayRef>, Vec<i64>) {
    let numbers = Int64Array::from_iter_values(rows.iter().map(|r| r.0));
    let texts = StringArray::from_iter_values(rows.iter().map(|r| r.1));
    (vec![Arc::new(numbers), Arc::new(texts)], rows.iter().map(|r| r.2).collect())
}

pub fn said(error: CommitError) -> String {
    match error {
        CommitError::Away(error) => format!("away: {error}"),
        CommitError::Refused(error) => format!("refused: {error}"),
    }
}

/// What was read of a table.
pub struct Input {
    pub readers: Vec<Box<dyn Reader>>,
    pub deltas: Vec<Delta>,
    pub dead: Vec<DeadLetter>,
    ended: Vec<bool>,
}

impl Input {
    pub fn open(spec: &TableSpec, parallelism: usize) -> Self {
        Self::try_open(spec, parallelism).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn try_open(spec: &TableSpec, parallelism: usize) -> Result<Self, EngineError> {
        let source = rialto_connectors::source(spec, &Environment::new("."))?;
        assert!(source.is_bounded());
        let readers = source.readers(parallelism)?;
        let ended = vec![false; readers.len()];
        Ok(Self { readers, deltas: Vec::new(), dead: Vec::new(), ended })
    }

    /// Opens a table and goes on from positions.
    pub fn resume(
        spec: &TableSpec,
        parallelism: usize,
        positions: &[Position],
    ) -> Result<Self, EngineError> {
        let mut input = Self::try_open(spec, parallelism)?;
        let count = input.readers.len();
        for (at, position) in positions.iter().enumerate() {
            input.readers[at % count].seek(position)?;
        }
        Ok(input)
    }

    /// Polls every reader once.
    pub fn poll(&mut self, rows_max: usize) -> Result<usize, EngineError> {
        let mut rows = 0;
        for (reader, ended) in self.readers.iter_mut().zip(&mut self.ended) {
            match reader.poll(rows_max)? {
                Poll::Rows(delta) => {
                    rows += delta.num_rows();
                    self.deltas.push(delta);
                }
                Poll::Idle => {}
                Poll::End => *ended = true,
            }
            self.dead.append(&mut reader.take_dead_letters());
        }
        Ok(rows)
    }

    pub fn try_to_end(&mut self) -> Result<(), EngineError> {
        let since = Instant::now();
        while !self.ended.iter().all(|&e| e) {
            if self.poll(1000)? == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(since.elapsed() < PATIENCE, "no end after {} rows", self.rows());
        }
        Ok(())
    }

    pub fn to_end(mut self) -> Self {
        self.try_to_end().unwrap_or_else(|e| panic!("{e}"));
        self
    }

    /// Reads, a few rows at a time, until so many were read in all.
    pub fn until(&mut self, rows: usize, rows_max: usize) {
        let since = Instant::now();
        while self.rows() < rows {
            if self.poll(rows_max).unwrap_or_else(|e| panic!("{e}")) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(since.elapsed() < PATIENCE, "{} rows of {rows}", self.rows());
        }
    }

    pub fn rows(&self) -> usize {
        self.deltas.iter().map(Delta::num_rows).sum()
    }

    pub fn positions(&self) -> Vec<Position> {
        self.readers.iter().map(|r| r.position()).collect()
    }

    /// The rows as text, and how often each was read.
    pub fn counted(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for delta in &self.deltas {
            for row in 0..delta.num_rows() {
                *counts.entry(text(delta.batch(), row)).or_default() += delta.weight(row);
            }
        }
        counts
    }

    /// The rows as text, in the order in which they came.
    pub fn in_order(&self) -> Vec<String> {
        let rows = |d: &Delta| (0..d.num_rows()).map(|r| text(d.batch(), r)).collect::<Vec<_>>();
        self.deltas.iter().flat_map(rows).collect()
    }
}

/// A row as `1|a|NULL`.
pub fn text(batch: &RecordBatch, row: usize) -> String {
    let value = |column: &Arc<dyn Array>| match column.is_null(row) {
        true => "NULL".to_owned(),
        false => arrow::util::display::array_value_to_string(column, row).unwrap(),
    };
    batch.columns().iter().map(value).collect::<Vec<_>>().join("|")
}
