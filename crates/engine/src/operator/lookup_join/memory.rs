//! What rows that may be taken back were joined with.

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

use super::LookupJoinSpec;
use super::pairs::Pairs;
use super::table::columns_of;
use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::operator::order::RowBytes;
use crate::state::{Changed, Dirty, Persist, StateReader, StateWriter, persist_struct};
use crate::{Delta, Deltas, Result};

/// A probe row that is there.
#[derive(Debug, Default, Clone)]
struct Remembered {
    /// How often.
    count: i64,
    /// The values of the table's columns that it was answered with, a row each.
    answer: Vec<Box<[u8]>>,
}

persist_struct!(Remembered { count, answer });

/// The probe rows that are there, each with its answer.
pub(super) struct Memory {
    /// The columns that tell rows apart.
    known_by: Vec<usize>,
    rows: KeyTable,
    remembered: Vec<Remembered>,
    dirty: Dirty,
    bytes: Option<RowBytes>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// A step's change, each row once.
pub(super) struct Change {
    /// The rows that are new: with which slots, and what they are.
    pub fresh: (Vec<u32>, Delta),
    /// Those that were there before, whether they come or go.
    known: (Vec<u32>, Delta),
}

/// The name of the table in a checkpoint.
const ROWS: &str = "rows";

impl Memory {
    pub fn new(spec: &LookupJoinSpec, known_by: &[usize]) -> Result<Self> {
        let fields = spec.output_schema.fields()[spec.probe_output.len()..].to_vec();
        let found: SchemaRef = Arc::new(Schema::new(fields));
        let bytes = match found.fields().is_empty() {
            true => None,
            false => Some(RowBytes::new(&found)?),
        };
        let rows = KeyTable::for_columns(&spec.probe_schema, known_by)?;
        let (known_by, remembered, dirty) = (known_by.to_vec(), Vec::new(), Dirty::default());
        Ok(Self { known_by, rows, remembered, dirty, bytes })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Nets a step's rows, and tells those that are new from those that are there.
    pub fn take(&mut self, schema: &SchemaRef, deltas: &[Delta]) -> Result<Change> {
        let all = Delta::concat(schema, deltas)?;
        let mut slots = Vec::new();
        self.rows.intern(&columns_of(&all, &self.known_by), all.num_rows(), &mut slots)?;
        self.remembered.resize_with(self.rows.capacity(), Remembered::default);
        // By slot: the place in the list below.
        let mut places = vec![u32::MAX; self.rows.capacity()];
        let mut net: Vec<(u32, u32, i64)> = Vec::new();
        for (row, &slot) in slots.iter().enumerate() {
            let place = &mut places[slot as usize];
            if *place == u32::MAX {
                *place = net.len() as u32;
                net.push((slot, row as u32, 0));
            }
            net[*place as usize].2 += all.weight(row);
        }
        let is_new = |slot: u32| self.remembered[slot as usize].count == 0;
        for &(slot, ..) in net.iter().filter(|(slot, _, weight)| *weight == 0 && is_new(*slot)) {
            self.rows.remove(slot);
        }
        net.retain(|(.., weight)| *weight != 0);
        let part = |new: bool| -> Result<(Vec<u32>, Delta)> {
            let part = || net.iter().filter(|(slot, ..)| is_new(*slot) == new);
            let rows = UInt32Array::from_iter_values(part().map(|(_, row, _)| *row));
            let weights = Int64Array::from_iter_values(part().map(|(.., weight)| *weight));
            let taken = all.take(&rows)?;
            let arrival = taken.arrival().map(|a| Int64Array::from(a.to_vec()));
            let delta = Delta::weighted(taken.batch().clone(), weights).with_arrival(arrival);
            Ok((part().map(|(slot, ..)| *slot).collect(), delta))
        };
        Ok(Change { fresh: part(true)?, known: part(false)? })
    }

    /// Remembers that rows of these slots have met values of the table.
    pub fn remember(&mut self, slots: &[u32], probes: &[u32], found: &[ArrayRef]) -> Result<()> {
        let bytes = self.bytes.as_ref().map(|bytes| bytes.encode(found)).transpose()?;
        for (at, &probe) in probes.iter().enumerate() {
            let row = bytes.as_ref().map_or_else(Box::default, |b| b.row(at).data().into());
            self.remembered[slots[probe as usize] as usize].answer.push(row);
        }
        Ok(())
    }

    /// Emits what the known rows were answered with, as often as they come or go, and counts all.
    pub fn settle(&mut self, change: &Change, pairs: &Pairs, out: &mut Deltas) -> Result<()> {
        let (slots, rows) = &change.known;
        let (mut probes, mut alone, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &slot) in slots.iter().enumerate() {
            let answer = &self.remembered[slot as usize].answer;
            answers.extend(answer.iter().map(AsRef::as_ref));
            probes.extend(std::iter::repeat_n(row as u32, answer.len()));
            if answer.is_empty() && pairs.spec.keep_unmatched {
                alone.push(row as u32);
            }
        }
        if !probes.is_empty() {
            let taken = rows.take(&UInt32Array::from(probes))?;
            let mut columns = pairs.probe_columns(&taken);
            if let Some(bytes) = &self.bytes {
                columns.extend(bytes.decode(answers.into_iter())?);
            }
            let batch = record_batch(&pairs.spec.output_schema, columns, taken.num_rows())?;
            out.push(taken.with_batch(batch));
        }
        if !alone.is_empty() {
            // A row with a null in its key is here, too: it was answered with nothing.
            out.push(pairs.padded(&rows.take(&UInt32Array::from(alone))?)?);
        }
        for (slots, rows) in [&change.known, &change.fresh] {
            for (row, &slot) in slots.iter().enumerate() {
                let remembered = &mut self.remembered[slot as usize];
                remembered.count += rows.weight(row);
                self.dirty.mark(slot);
                if remembered.count == 0 {
                    *remembered = Remembered::default();
                    self.rows.remove(slot);
                }
            }
        }
        Ok(())
    }

    pub fn save(&mut self, out: &mut StateWriter) -> Result<()> {
        let rows = &self.rows;
        let changed = Changed::take(&mut self.dirty, rows.capacity(), |slot| rows.is_live(slot));
        out.slots(ROWS, &changed, |_, slot, out| {
            rows.save(slot, out);
            self.remembered[slot as usize].put(out);
        })
    }

    pub fn load(&mut self, from: &StateReader<'_>) -> Result<()> {
        for part in 0..from.parts() {
            for (old, mut input) in from.slots(part, ROWS) {
                let Some(slot) = self.rows.load(from, old, &mut input)? else { continue };
                self.remembered.resize_with(self.rows.capacity(), Remembered::default);
                self.remembered[slot as usize] = input.get()?;
            }
        }
        self.rows.loaded();
        if from.is_same() {
            self.dirty.start();
        }
        Ok(())
    }
}
