//! Which snapshots and changes can still be read: those of the last steps, within bounds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rialto_engine::Delta;

use super::publish::Retain;
use super::{ReadError, Reading, Snapshot};

/// How many snapshots are kept for readers that go on page by page.
const PINS_MAX: usize = 16;
/// How long.
const PIN_TIME: Duration = Duration::from_secs(60);

/// What one step changed in one view.
#[derive(Debug, Clone)]
pub struct StepChange {
    /// The step.
    pub step: u64,
    /// The rows that came and went, each once.
    pub delta: Delta,
}

/// What changed in a view since a step.
#[derive(Debug)]
pub struct Changes {
    /// The newest step that is looked at: where to go on.
    pub step: u64,
    /// The changes, in order.
    pub changes: Vec<StepChange>,
}

/// The changes of a step in all views.
#[derive(Debug)]
pub(super) struct Changed {
    pub step: u64,
    pub deltas: Vec<(usize, Delta)>,
    pub bytes: usize,
}

#[derive(Debug)]
struct Version {
    snapshot: Arc<Snapshot>,
    /// What it alone holds, about: the bytes that the next step copied.
    bytes: usize,
}

/// The snapshots and changes that are kept.
#[derive(Debug)]
pub(super) struct Window {
    retain: Retain,
    versions: VecDeque<Version>,
    versions_bytes: usize,
    changes: VecDeque<Changed>,
    changes_bytes: usize,
    /// Changes of this step and of earlier ones are not kept.
    floor: u64,
    /// The newest step that has ended, whether it changed anything or not.
    ended: u64,
    pins: VecDeque<(Instant, Arc<Snapshot>)>,
}

impl Window {
    pub fn new(retain: Retain) -> Self {
        Self {
            retain,
            versions: VecDeque::new(),
            versions_bytes: 0,
            changes: VecDeque::new(),
            changes_bytes: 0,
            floor: 0,
            ended: 0,
            pins: VecDeque::new(),
        }
    }

    /// A step has ended and changed nothing.
    pub fn ended(&mut self, step: u64) {
        self.ended = step;
    }

    /// A step has ended; `copied`: what it had to copy of the one before. What is let go is given
    /// back, to be freed by someone who holds no lock.
    pub fn publish(
        &mut self,
        snapshot: Arc<Snapshot>,
        copied: usize,
        changed: Changed,
    ) -> Vec<Arc<Snapshot>> {
        self.ended = snapshot.step;
        if let Some(last) = self.versions.back_mut() {
            last.bytes = copied;
            self.versions_bytes += copied;
            self.changes_bytes += changed.bytes;
            self.changes.push_back(changed);
        } else {
            self.floor = snapshot.step;
        }
        self.versions.push_back(Version { snapshot, bytes: 0 });
        let mut gone = Vec::new();
        while self.versions.len() > 1
            && (self.versions.len() > self.retain.steps || self.versions_bytes > self.retain.bytes)
        {
            let Some(version) = self.versions.pop_front() else { break };
            self.versions_bytes -= version.bytes;
            gone.push(version.snapshot);
        }
        while self.changes_bytes > self.retain.bytes || self.changes.len() > self.retain.changes {
            let Some(changed) = self.changes.pop_front() else { break };
            self.changes_bytes -= changed.bytes;
            self.floor = changed.step;
        }
        while self.pins.front().is_some_and(|(since, _)| since.elapsed() > PIN_TIME) {
            gone.extend(self.pins.pop_front().map(|(_, snapshot)| snapshot));
        }
        gone
    }

    pub fn pin(&mut self, snapshot: &Arc<Snapshot>) {
        self.pins.retain(|(_, pinned)| pinned.step != snapshot.step);
        self.pins.push_back((Instant::now(), Arc::clone(snapshot)));
        while self.pins.len() > PINS_MAX {
            self.pins.pop_front();
        }
    }

    pub fn range(&self) -> Option<(u64, u64)> {
        Some((self.versions.front()?.snapshot.step, self.ended))
    }

    pub fn snapshot(&self, as_of: Option<u64>) -> Reading<Arc<Snapshot>> {
        let (first, last) = self.range().ok_or(ReadError::Starting)?;
        let Some(asked) = as_of else {
            let newest = self.versions.back().ok_or(ReadError::Starting)?;
            return Ok(Arc::clone(&newest.snapshot));
        };
        if (first..=last).contains(&asked) {
            let after = self.versions.partition_point(|v| v.snapshot.step <= asked);
            return Ok(Arc::clone(&self.versions[after - 1].snapshot));
        }
        let pinned = self.pins.iter().find(|(_, pinned)| pinned.step == asked);
        let pinned = pinned.map(|(_, snapshot)| Arc::clone(snapshot));
        pinned.ok_or(ReadError::NoStep { asked, first, last })
    }

    pub fn changes(&self, view: usize, after: u64) -> Reading<Changes> {
        let (_, last) = self.range().ok_or(ReadError::Starting)?;
        if after < self.floor || after > last {
            return Err(ReadError::NoStep { asked: after, first: self.floor, last });
        }
        let from = self.changes.partition_point(|changed| changed.step <= after);
        let changes = self.changes.iter().skip(from).flat_map(|changed| {
            let mine = changed.deltas.iter().filter(|(of, _)| *of == view);
            mine.map(|(_, delta)| StepChange { step: changed.step, delta: delta.clone() })
        });
        let step = self.changes.back().map_or(after, |changed| changed.step.max(after));
        Ok(Changes { step, changes: changes.collect() })
    }
}
