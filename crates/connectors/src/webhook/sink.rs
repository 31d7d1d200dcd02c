//! Changes into the bodies of requests.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use rialto_engine::{Committer, Delta, EngineError, Sink};
use serde::{Deserialize, Serialize};

use super::committer::WebhookCommitter;
use super::options::{Body, Calls, WebhookOptions};
use crate::changelog::{RowKind, changes};
use crate::error::Result;
use crate::format::Encoder;
use crate::spec::TableSpec;

/// Sends a table's changes to a server.
pub(super) struct WebhookSink {
    place: String,
    encoder: Box<dyn Encoder>,
    body: Body,
    batch_rows_max: usize,
    upsert_key: Option<Vec<usize>>,
    /// Whether the table has a primary key: then an old version is not sent before its new one.
    keyed: bool,
    run: String,
    calls: Option<Calls>,
    /// The bodies that are whole, each with its length before it.
    bodies: Vec<u8>,
    requests: u64,
    /// The body that is not full, and its rows.
    open: Vec<u8>,
    open_rows: usize,
}

/// What is kept of an epoch, before its bodies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Names the run: epochs are counted anew by a job that begins anew.
    pub run: String,
    pub epoch: u64,
    pub requests: u64,
}

impl WebhookSink {
    pub fn new(spec: &TableSpec) -> Result<Self> {
        let options = WebhookOptions::read(spec)?;
        let random = || u128::from(RandomState::new().build_hasher().finish());
        Ok(Self {
            place: options.calls.place(),
            encoder: (options.format.encoder)(&options.raw, spec.schema.clone())?,
            body: options.body,
            batch_rows_max: options.batch_rows_max,
            upsert_key: spec.changelog.upsert_key.clone(),
            keyed: !spec.primary_key.is_empty(),
            run: format!("{:032x}", random() << 64 | random()),
            calls: Some(options.calls),
            bodies: Vec::new(),
            requests: 0,
            open: Vec::new(),
            open_rows: 0,
        })
    }

    fn add(&mut self, delta: &Delta, kind: RowKind, row: usize) -> rialto_engine::Result<()> {
        if self.batch_rows_max > 1 {
            self.open.push(if self.open_rows == 0 { b'[' } else { b',' });
        }
        if self.body == Body::Change {
            self.open.extend_from_slice(b"{\"op\":\"");
            self.open.extend_from_slice(kind.symbol().as_bytes());
            self.open.extend_from_slice(b"\",\"row\":");
        }
        self.encoder
            .encode(delta.batch(), row..row + 1, &mut self.open)
            .map_err(|e| EngineError::sink(&self.place, e))?;
        // The end of the line.
        self.open.pop();
        if self.body == Body::Change {
            self.open.push(b'}');
        }
        self.open_rows += 1;
        if self.open_rows == self.batch_rows_max {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.open_rows == 0 {
            return;
        }
        if self.batch_rows_max > 1 {
            self.open.push(b']');
        }
        self.bodies.extend_from_slice(&(self.open.len() as u64).to_le_bytes());
        self.bodies.append(&mut self.open);
        self.open_rows = 0;
        self.requests += 1;
    }
}

impl Header {
    /// The header of what a checkpoint keeps of an epoch, and the bodies.
    pub fn read(kept: &[u8]) -> std::result::Result<(Self, Vec<&[u8]>), String> {
        let end = memchr::memchr(b'\n', kept).ok_or("it has no header")?;
        let header: Self = serde_json::from_slice(&kept[..end]).map_err(|e| e.to_string())?;
        let mut rest = &kept[end + 1..];
        let mut bodies = Vec::new();
        while let Some((len, behind)) = rest.split_first_chunk::<8>() {
            let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
            let (body, behind) = behind.split_at_checked(len).ok_or("it is cut off")?;
            bodies.push(body);
            rest = behind;
        }
        match bodies.len() as u64 == header.requests && rest.is_empty() {
            true => Ok((header, bodies)),
            false => Err("it is cut off".into()),
        }
    }
}

impl Sink for WebhookSink {
    fn write(&mut self, delta: &Delta, _: u64) -> rialto_engine::Result<()> {
        for (kind, row) in changes(delta, self.upsert_key.as_deref())? {
            if !(self.keyed && kind == RowKind::UpdateBefore) {
                self.add(delta, kind, row)?;
            }
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: u64) -> rialto_engine::Result<Vec<u8>> {
        self.close();
        if self.requests == 0 {
            return Ok(Vec::new());
        }
        let header = Header { run: self.run.clone(), epoch, requests: self.requests };
        let mut kept = serde_json::to_vec(&header)
            .map_err(|e| EngineError::sink(&self.place, format!("cannot be prepared: {e}")))?;
        kept.push(b'\n');
        kept.append(&mut self.bodies);
        self.requests = 0;
        Ok(kept)
    }

    fn commit(&mut self, _: u64) -> rialto_engine::Result<()> {
        Err(EngineError::Internal("a webhook was asked to commit by itself".into()))
    }

    fn recover(&mut self, _: u64, _: &[u8]) -> rialto_engine::Result<()> {
        Err(EngineError::Internal("a webhook was asked to recover by itself".into()))
    }

    fn committer(&mut self) -> Option<Box<dyn Committer>> {
        let calls = self.calls.take()?;
        Some(Box::new(WebhookCommitter::new(calls)))
    }
}
