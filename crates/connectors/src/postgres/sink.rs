//! Rows into a table: what happens beside the job's steps is the committer's.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard};

use arrow::array::RecordBatch;
use rialto_engine::{Committer, Delta, EngineError, Sink};

use super::client::{Session, Trouble};
use super::committer::PgCommitter;
use super::encode::RowEncoder;
use super::merge::{Merge, Shape};
use super::options::PgOptions;
use super::outbox::Outbox;
use super::types::Wire;
use crate::changelog::{RowKind, changes};
use crate::error::{ConnectorError, Result};
use crate::spec::TableSpec;

/// Writes a table of the database.
pub(super) struct PgSink {
    place: String,
    encoder: RowEncoder,
    key: Vec<usize>,
    outbox: Outbox,
    shape: Shape,
    run: String,
    committer: Option<PgCommitter>,
    /// Held, so that no other sink of this process takes the name.
    _identity: Identity,
    cells: Vec<u8>,
    key_cells: Vec<u8>,
}

impl PgSink {
    /// Opens a table for writing. Whether it fits is asked of the database where there is one; one
    /// that is away is asked when it is back.
    pub fn new(spec: &TableSpec) -> Result<Self> {
        let options = PgOptions::read(spec)?;
        let key: Vec<usize> =
            spec.primary_key.iter().filter_map(|k| spec.schema.index_of(k).ok()).collect();
        let encoder =
            RowEncoder::new(&spec.schema, options.on_null).map_err(|(column, data_type)| {
                ConnectorError::new(format!(
                    "column '{column}' of table '{}' cannot be written to PostgreSQL",
                    spec.name
                ))
                .detail(format!("a {data_type} has no form there"))
            })?;
        let shape = Shape {
            names: spec.schema.fields().iter().map(|f| f.name().clone()).collect(),
            types: spec.schema.fields().iter().map(|f| f.data_type().clone()).collect(),
            wires: spec.schema.fields().iter().filter_map(|f| Wire::of(f.data_type())).collect(),
            key: key.clone(),
        };
        check(&options, &shape)?;
        let random = || u128::from(RandomState::new().build_hasher().finish());
        let run = format!("{:032x}", random() << 64 | random());
        let base = options.sink_id.clone();
        let base = base.unwrap_or_else(|| format!("{} -> {}", spec.name, options.target.shown()));
        let identity = Identity::new(&options.place(), base);
        let place = options.place();
        let name = identity.name.clone();
        let committer = PgCommitter::new(options, shape.clone(), name, run.clone());
        Ok(Self {
            place,
            encoder,
            key,
            outbox: Outbox::default(),
            shape,
            run,
            committer: Some(committer),
            _identity: identity,
            cells: Vec::new(),
            key_cells: Vec::new(),
        })
    }

    fn add(&mut self, batch: &RecordBatch, rows: &[(RowKind, usize)]) -> Result<(), String> {
        let open = self.encoder.open(batch)?;
        for &(kind, row) in rows {
            if kind == RowKind::UpdateBefore && !self.key.is_empty() {
                // The new version of the row follows, and takes its place.
                continue;
            }
            if kind.retracts() && self.key.is_empty() {
                return Err("the input takes a row back, and the table has no primary key".into());
            }
            self.cells.clear();
            self.key_cells.clear();
            for column in 0..self.encoder.len() {
                let is_key = self.key.contains(&column);
                if kind.retracts() && !is_key {
                    self.cells.extend_from_slice(&(-1i32).to_be_bytes());
                    continue;
                }
                let start = self.cells.len();
                let cell = self.encoder.cell(&open, column, row, &mut self.cells);
                cell.map_err(|reason| self.of_row(reason, batch, row))?;
                if is_key {
                    self.key_cells.extend_from_slice(&self.cells[start..]);
                }
            }
            let key = (!self.key.is_empty()).then_some(self.key_cells.as_slice());
            self.outbox.push(key, &self.cells, kind.retracts());
        }
        Ok(())
    }

    /// A reason, with the row that it is of.
    fn of_row(&self, reason: String, batch: &RecordBatch, row: usize) -> String {
        let Ok(open) = self.encoder.open(batch) else { return reason };
        let all: Vec<usize> = (0..self.encoder.len().min(8)).collect();
        match self.key.as_slice() {
            [] => format!("{reason}; the row begins with {}", open.shown(batch, &all, row)),
            key => format!("{reason}; the row has the key {}", open.shown(batch, key, row)),
        }
    }
}

/// Asks the database whether the table is there and takes our columns.
fn check(options: &PgOptions, shape: &Shape) -> Result<()> {
    let checked = Session::open(options)
        .and_then(|session| session.run(Merge::plan(&session.client, options, shape)).map(drop));
    match checked {
        Ok(()) => Ok(()),
        Err(Trouble::Refused(reason)) => {
            Err(ConnectorError::new(format!("{} cannot be written", options.place()))
                .detail(reason))
        }
        Err(Trouble::Away(reason)) => {
            tracing::warn!("{}: {reason}; its rows wait until it is there", options.place());
            Ok(())
        }
    }
}

impl Sink for PgSink {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        let key = (!self.key.is_empty()).then_some(self.key.as_slice());
        let rows = changes(delta, key)?;
        self.add(delta.batch(), &rows).map_err(|reason| EngineError::sink(&self.place, reason))
    }

    fn prepare(&mut self, epoch: u64) -> rialto_engine::Result<Vec<u8>> {
        Ok(self.outbox.take(&self.run, epoch, &self.shape.form(), self.shape.names.len()))
    }

    fn commit(&mut self, _: u64) -> rialto_engine::Result<()> {
        Err(EngineError::Internal("a sink of PostgreSQL was asked to commit by itself".into()))
    }

    fn recover(&mut self, _: u64, _: &[u8]) -> rialto_engine::Result<()> {
        Err(EngineError::Internal("a sink of PostgreSQL was asked to recover by itself".into()))
    }

    fn committer(&mut self) -> Option<Box<dyn Committer>> {
        self.committer.take().map(|committer| Box::new(committer) as Box<dyn Committer>)
    }
}

/// The name by which the database knows a sink: two inserts of one process into one table are two.
struct Identity {
    place: String,
    number: usize,
    name: String,
}

impl Identity {
    fn new(place: &str, base: String) -> Self {
        let mut used = identities();
        let mut number = 1;
        while used.iter().any(|(p, n)| p == place && *n == number) {
            number += 1;
        }
        used.push((place.to_owned(), number));
        let name = if number == 1 { base } else { format!("{base} #{number}") };
        Self { place: place.to_owned(), number, name }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        identities().retain(|(place, number)| *place != self.place || *number != self.number);
    }
}

fn identities() -> MutexGuard<'static, Vec<(String, usize)>> {
    static USED: Mutex<Vec<(String, usize)>> = Mutex::new(Vec::new());
    USED.lock().unwrap_or_else(|e| e.into_inner())
}
