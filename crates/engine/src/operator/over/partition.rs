//! The rows of one partition in order, and what is to be computed when some of them change.

use super::kernel::State;
use super::spec::{Frame, FrameBound, FrameUnits, Reach};
use crate::operator::order::Key;
use crate::state::{Input, Persist, persist_struct};
use crate::{EngineError, Result};

/// States are kept every so many rows, so that a change in the middle starts near itself.
const CHECKPOINT_ROWS: usize = 64;

/// Orders peers: see [`crate::operator::order`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tie {
    Arrival(u64),
    Bytes(Box<[u8]>),
}

/// Where a row stands.
pub(super) type Place = (Key, Tie);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) id: u32,
    /// Event time in epoch milliseconds, where the window has one.
    pub(super) time: i64,
}

/// The rows of one partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) entries: Vec<Entry>,
    /// How many rows were dropped before the first entry.
    pub(super) base: usize,
    /// `Final`: how many entries have come out.
    pub(super) settled: usize,
    /// States after the first so many entries; in order.
    pub(super) snapshots: Vec<(usize, Vec<State>)>,
    /// Rows that were dropped but that some state still shows.
    pub(super) pinned: Vec<u32>,
    /// When the watermark has something to do here.
    pub(super) due: Option<i64>,
}

/// A range of a partition's rows whose functions are to be computed. Rows are counted from the
/// first one that is needed.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// Where its rows are among all the gathered ones.
    pub(super) offset: usize,
    /// Where running functions start, and their states there.
    pub(super) begin: usize,
    pub(super) seed: Option<Vec<State>>,
    /// The rows whose results are wanted.
    pub(super) from: usize,
    pub(super) to: usize,
    /// How many rows of the partition lie before row 0, and how many there are in all.
    pub(super) position: usize,
    pub(super) total: usize,
    /// The peers and the frame of each row from `begin` on.
    pub(super) peers: Vec<(u32, u32)>,
    pub(super) frames: Vec<(u32, u32)>,
    /// Before which rows states are to be kept.
    pub(super) marks: Vec<usize>,
}

persist_struct!(Entry { place, id, time });
persist_struct!(Partition { entries, base, settled, snapshots, pinned, due });

impl Persist for Tie {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Arrival(number) => {
                out.push(0);
                number.put(out);
            }
            Self::Bytes(bytes) => {
                out.push(1);
                bytes.put(out);
            }
        }
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        Ok(match input.get::<u8>()? {
            0 => Self::Arrival(input.get()?),
            1 => Self::Bytes(input.get()?),
            other => return Err(EngineError::State(format!("{other} is no kind of tie"))),
        })
    }
}

impl Partition {
    /// Gives the rows the ids that they have now.
    pub(super) fn renumber(&mut self, id_now: &mut dyn FnMut(u32) -> u32) {
        self.entries.iter_mut().for_each(|entry| entry.id = id_now(entry.id));
        self.pinned.iter_mut().for_each(|id| *id = id_now(*id));
        for state in self.snapshots.iter_mut().flat_map(|(_, states)| states) {
            state.renumber(id_now);
        }
    }

    /// Where the rows start that a change from `first` on can be seen by.
    pub(super) fn start_of_change(&self, first: &Place, reach: &Reach) -> usize {
        if reach.whole {
            return 0;
        }
        let mut start = self.entries.partition_point(|e| e.place.0 < first.0);
        if reach.rows_before > 0 {
            start = self.entries.partition_point(|e| e.place < *first);
            start = start.saturating_sub(usize::try_from(reach.rows_before).unwrap_or(usize::MAX));
            start = self.group_start(start);
        }
        if reach.range_before > 0 {
            let bound = shifted(&first.0, reach.range_before, true);
            start = start.min(self.entries.partition_point(|e| e.place.0 < bound));
        }
        start.min(self.entries.partition_point(|e| e.place.0 < first.0))
    }

    /// How many rows at the end do not see a change up to `last`.
    pub(super) fn rows_after_change(&self, last: &Place, reach: &Reach) -> usize {
        if reach.whole || reach.running || reach.positions {
            return 0;
        }
        let mut end = self.entries.partition_point(|e| e.place.0 <= last.0);
        if reach.rows_after > 0 {
            let rows = usize::try_from(reach.rows_after).unwrap_or(usize::MAX);
            end = end.saturating_add(rows).min(self.entries.len());
            end = self.group_end(end);
        }
        if reach.range_after > 0 {
            let bound = shifted(&last.0, reach.range_after, false);
            end = end.max(self.entries.partition_point(|e| e.place.0 <= bound));
        }
        self.entries.len() - end
    }

    /// Goes back from a position to the first of its peers.
    fn group_start(&self, at: usize) -> usize {
        let Some(entry) = self.entries.get(at) else { return at };
        self.entries[..at].partition_point(|e| e.place.0 < entry.place.0)
    }

    /// Goes on from a position to behind the last peer of the row before it.
    fn group_end(&self, at: usize) -> usize {
        let Some(entry) = at.checked_sub(1).and_then(|i| self.entries.get(i)) else { return at };
        at + self.entries[at..].partition_point(|e| e.place.0 <= entry.place.0)
    }

    /// The computation of the rows `from..to`. The ids of all rows that it needs go to `ids`.
    pub(super) fn job(
        &self,
        (from, to): (usize, usize),
        frame: &Frame,
        reach: &Reach,
        ids: &mut Vec<u32>,
    ) -> Job {
        let snapshot = self.snapshots.iter().rev().find(|s| s.0 <= from && reach.running);
        let begin = match (reach.running, snapshot) {
            (false, _) => from,
            (true, None) => 0,
            (true, Some(snapshot)) => snapshot.0,
        };
        let (peers, frames) = self.frames(begin, to, frame);
        let rows = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let mut low = begin.min(from.saturating_sub(rows(reach.rows_after)));
        let mut high = to.saturating_add(rows(reach.rows_before)).min(self.entries.len());
        if !frame_is_running(frame) {
            // Frames move forwards: the first wanted one starts lowest, the last ends highest.
            low = frames.get(from - begin).map_or(low, |f| low.min(f.0 as usize));
            high = frames.last().map_or(high, |f| high.max(f.1 as usize));
        }
        let local = |pairs: Vec<(u32, u32)>| -> Vec<(u32, u32)> {
            let low = low as u32;
            pairs.iter().map(|p| (p.0.saturating_sub(low), p.1.saturating_sub(low))).collect()
        };
        let offset = ids.len();
        ids.extend(self.entries[low..high].iter().map(|e| e.id));
        let marks = if reach.running { checkpoints(begin, to, &peers) } else { Vec::new() };
        Job {
            offset,
            begin: begin - low,
            seed: snapshot.map(|s| s.1.clone()),
            from: from - low,
            to: to - low,
            position: self.base + low,
            total: self.base + self.entries.len(),
            peers: local(peers),
            frames: local(frames),
            marks: marks.into_iter().map(|m| m - low).collect(),
        }
    }

    /// The peers and the frame of the rows `begin..to`, as positions.
    fn frames(&self, begin: usize, to: usize, frame: &Frame) -> (Vec<(u32, u32)>, Vec<(u32, u32)>) {
        let mut peers = Vec::with_capacity(to - begin);
        let mut frames = Vec::with_capacity(to - begin);
        let start = if begin < to { self.group_start(begin) } else { begin };
        let mut group = (start, begin);
        for row in begin..to {
            if row >= group.1 {
                let start = if row == begin { group.0 } else { row };
                let key = &self.entries[row].place.0;
                let mut end = row + 1;
                while self.entries.get(end).is_some_and(|e| e.place.0 == *key) {
                    end += 1;
                }
                group = (start, end);
            }
            peers.push((group.0 as u32, group.1 as u32));
            let start = self.bound(row, group, frame.start, frame.units, true);
            let end = self.bound(row, group, frame.end, frame.units, false);
            frames.push((start as u32, end.max(start) as u32));
        }
        (peers, frames)
    }

    /// A frame bound of a row; the end is the first row that is not in the frame.
    fn bound(
        &self,
        row: usize,
        group: (usize, usize),
        bound: FrameBound,
        units: FrameUnits,
        start: bool,
    ) -> usize {
        let length = self.entries.len();
        let rows = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let behind = usize::from(!start);
        match (bound, units) {
            (FrameBound::UnboundedPreceding, _) => 0,
            (FrameBound::UnboundedFollowing, _) => length,
            (FrameBound::CurrentRow, FrameUnits::Rows) => row + behind,
            (FrameBound::CurrentRow, FrameUnits::Range) => {
                if start {
                    group.0
                } else {
                    group.1
                }
            }
            (FrameBound::Preceding(n), FrameUnits::Rows) => (row + behind).saturating_sub(rows(n)),
            (FrameBound::Following(n), FrameUnits::Rows) => {
                row.saturating_add(rows(n)).saturating_add(behind).min(length)
            }
            (FrameBound::Preceding(n), FrameUnits::Range)
            | (FrameBound::Following(n), FrameUnits::Range) => {
                let key = &self.entries[row].place.0;
                let Key::Fixed(_) = key else { return if start { group.0 } else { group.1 } };
                let key = shifted(key, n, matches!(bound, FrameBound::Preceding(_)));
                match start {
                    true => self.entries.partition_point(|e| e.place.0 < key),
                    false => self.entries.partition_point(|e| e.place.0 <= key),
                }
            }
        }
    }

    /// Keeps the states that a job found at its marks, fewer where they lie close together.
    pub(super) fn keep_states(&mut self, from: usize, states: Vec<(usize, Vec<State>)>) {
        let keep = self.snapshots.partition_point(|s| s.0 <= from);
        self.snapshots.truncate(keep);
        for (position, state) in states {
            if self.snapshots.last().is_some_and(|s| s.0 >= position) {
                continue;
            }
            while let [.., before, _] = &self.snapshots[..]
                && position - before.0 < CHECKPOINT_ROWS
            {
                self.snapshots.pop();
            }
            self.snapshots.push((position, state));
        }
    }

    /// Drops entries from the front so that about `count` go; running states decide the exact
    /// number. Gives the ids of rows that nothing needs any more.
    pub(super) fn evict(&mut self, count: usize, reach: &Reach) -> Vec<u32> {
        let mut count = count;
        if reach.running {
            let at = self.snapshots.partition_point(|s| s.0 <= count);
            count = at.checked_sub(1).map_or(0, |at| self.snapshots[at].0);
            self.snapshots.drain(..at.saturating_sub(1));
        }
        let mut gone: Vec<u32> = self.entries.drain(..count).map(|e| e.id).collect();
        self.snapshots.iter_mut().for_each(|s| s.0 -= count);
        self.base += count;
        self.settled -= count.min(self.settled);
        let shown = |id: &u32| {
            let states = self.snapshots.iter().flat_map(|s| &s.1);
            states.filter_map(State::row).any(|row| row == *id)
        };
        gone.append(&mut self.pinned);
        let (pinned, gone) = gone.into_iter().partition(shown);
        self.pinned = pinned;
        gone
    }
}

fn frame_is_running(frame: &Frame) -> bool {
    (frame.start, frame.end) == (FrameBound::UnboundedPreceding, FrameBound::CurrentRow)
}

/// A key so far before or after another.
fn shifted(key: &Key, by: u64, backwards: bool) -> Key {
    match key {
        Key::Fixed(value) if backwards => Key::Fixed(value.saturating_sub(by)),
        Key::Fixed(value) => Key::Fixed(value.saturating_add(by)),
        other => other.clone(),
    }
}

/// Positions in `begin..=to` before which states are kept: where peers start, and the end.
fn checkpoints(begin: usize, to: usize, peers: &[(u32, u32)]) -> Vec<usize> {
    let mut marks = Vec::new();
    let mut last = begin;
    for row in begin..to {
        if row - last >= CHECKPOINT_ROWS && peers[row - begin].0 as usize == row {
            marks.push(row);
            last = row;
        }
    }
    if to > begin {
        marks.push(to);
    }
    marks
}
