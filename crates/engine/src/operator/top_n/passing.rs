//! Windows that open and close within one step: their rows are ranked where they lie, and none is
//! kept. Where much is read at once most windows are such.

use std::cell::Cell;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow_row::Rows;

use super::{Changes, RankFunction, Ranking, Ties, TopN, last_moment};
use crate::operator::event_time::epoch_millis;
use crate::operator::order::{Key, Keys, RowBytes};
use crate::{Delta, Deltas, Result, Watermark};

/// A row of a window that passes: its partition and its number in the step's delta.
type Row = (u32, u32);

impl TopN {
    /// Ranks the partitions of windows that came with this delta and that the watermark has passed
    /// already. Gives the rows of all others, and the output.
    pub(super) fn pass(&mut self, delta: Delta, watermark: Watermark) -> Result<(Delta, Deltas)> {
        let Some(column) = self.spec.window_end else { return Ok((delta, Deltas::new())) };
        let ends = self.spec.zone.ends(epoch_millis(delta.column(column))?);
        let mut rows = self.passing(&delta, &ends, watermark)?;
        if rows.is_empty() {
            return Ok((delta, Deltas::new()));
        }
        let mut stays = vec![true; delta.num_rows()];
        rows.iter().for_each(|&(_, row)| stays[row as usize] = false);
        let keys = self.encoder.encode(delta.batch().columns())?;
        let (mut fresh, mut bytes) = (Vec::new(), None);
        rows.sort_unstable();
        for partition in rows.chunk_by_mut(|a, b| a.0 == b.0) {
            self.table.remove(partition[0].0);
            if !self.rank(&delta, partition, &keys, bytes.as_ref(), &mut fresh) {
                let rows = RowBytes::new(self.store.schema())?;
                bytes = Some(rows.encode(delta.batch().columns())?);
                self.rank(&delta, partition, &keys, bytes.as_ref(), &mut fresh);
            }
        }
        let output = self.emit(&Changes { stored: Vec::new(), fresh }, delta.batch())?;
        let rest = (0_u32..).zip(&stays).filter(|(_, stays)| **stays).map(|(row, _)| row);
        Ok((delta.take(&UInt32Array::from_iter_values(rest))?, output))
    }

    /// The rows of the windows that pass. Their partitions are in the table. A partition of which
    /// a row is taken back is none of them: that needs the rows side by side.
    fn passing(
        &mut self,
        delta: &Delta,
        ends: &Int64Array,
        watermark: Watermark,
    ) -> Result<Vec<Row>> {
        let is_over = |row: &u32| {
            let row = *row as usize;
            ends.is_valid(row) && watermark.passed(last_moment(ends.value(row)))
        };
        let over: UInt32Array = (0..delta.num_rows() as u32).filter(is_over).collect();
        if over.is_empty() {
            return Ok(Vec::new());
        }
        let key = |&column: &usize| take(delta.column(column), &over, None);
        let keys: Vec<ArrayRef> = self.spec.partition.iter().map(key).collect::<Result<_, _>>()?;
        let mut slots = Vec::new();
        self.table.intern(&keys, over.len(), &mut slots)?;
        let mut stays = self.windows.known.clone();
        stays.resize(self.table.capacity(), false);
        for (&slot, &row) in slots.iter().zip(over.values()) {
            stays[slot as usize] |= delta.weight(row as usize) <= 0;
        }
        let rows = slots.into_iter().zip(over.values().iter().copied());
        Ok(rows.filter(|&(slot, _)| !stays[slot as usize]).collect())
    }

    /// Appends what of one partition's rows is in the output. Answers false, and appends nothing,
    /// where rows have equal keys and their bytes are wanted to tell them apart.
    fn rank(
        &self,
        delta: &Delta,
        rows: &mut [Row],
        keys: &Keys,
        bytes: Option<&Rows>,
        out: &mut Vec<Ranking>,
    ) -> bool {
        let has_ties = Cell::new(false);
        let tie = |a: usize, b: usize| {
            has_ties.set(true);
            match (bytes, self.spec.ties) {
                (Some(bytes), _) => bytes.row(a).cmp(&bytes.row(b)),
                (None, Ties::FirstArrival) => a.cmp(&b),
                (None, Ties::LastArrival) => b.cmp(&a),
            }
        };
        let compare = |a: &Row, b: &Row| {
            let (a, b) = (a.1 as usize, b.1 as usize);
            keys.compare_rows(a, b).then_with(|| tie(a, b))
        };
        // Peers may share a rank, so that only numbers bound how many rows matter.
        let bound = match self.spec.function {
            RankFunction::RowNumber => usize::try_from(self.ranker.last).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let mut first = rows;
        if bound < first.len() {
            first.select_nth_unstable_by(bound, compare);
            first = &mut first[..bound];
        }
        first.sort_unstable_by(compare);
        if has_ties.get() && bytes.is_none() && !self.spec.input_insert_only {
            return false;
        }
        let ranked: Vec<(Key, Row)> =
            first.iter().map(|&row| (keys.key(row.1 as usize), row)).collect();
        let weight = |row: u32| delta.weight(row as usize);
        let entries = ranked.iter().map(|(key, (_, row))| (key, *row, weight(*row)));
        self.ranker.outputs(entries, out);
        true
    }
}
