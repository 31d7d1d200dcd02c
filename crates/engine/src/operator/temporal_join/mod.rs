//! Rows joined with the version of another table that was valid at their time.
//!
//! # Semantics
//! `probe [LEFT] JOIN versioned FOR SYSTEM_TIME AS OF probe.ts ON …`: a probe row meets the one row
//! of its key whose time is the greatest not after its own, as Flink's event-time temporal join
//! does. A deletion ends a key from its time on. With processing time a row meets the version there
//! is when it comes. Updates of the versioned input must come whole: the row taken back and the new
//! one in the same step. A probe row whose time is before the watermark of its input is late and
//! reported; one whose time is the watermark's can still be answered, and stays marked as behind.
//!
//! # State
//! The versions that can still be asked for, newest first by key; probe rows that wait (`Final`) or
//! may be corrected (`Updates`); only the columns that the output and the condition read.
//!
//! # Emission
//! [`Emission::Updates`] answers a probe row at once and corrects it when a version comes that is
//! valid at its time. [`Emission::Final`] answers it once the watermark of both inputs has reached
//! its time, and never corrects it.
//!
//! # Retention
//! A version goes when a newer one has begun before the watermark of both inputs; a probe row goes
//! when it has been answered for good: when the versioned input's watermark has reached its time.

mod probes;
mod spec;
#[cfg(test)]
mod tests;
mod versions;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, new_null_array};
use arrow::compute::not;
use arrow::datatypes::FieldRef;

use crate::expr::record_batch;
use crate::key::KeyTable;
use crate::operator::Emission;
use crate::operator::join::Residual;
use crate::operator::rows::split_nulls;
use crate::state::{Changed, Dirty, Persist, SlotMap, StateReader, StateWriter};
use crate::store::{NO_ROW, times_ms};
use crate::{Delta, Deltas, EngineError, Operator, Result, StepContext, Watermark};

use probes::Probes;
pub use spec::{TemporalJoinSpec, TemporalTime};
use versions::Versions;

/// A column read from a kept row: of the probe (0) or the version (1), and where it is kept.
type Place = (usize, usize);

/// The operator; input 0 is the probe side, input 1 the versioned side.
#[derive(Debug)]
pub struct TemporalJoin {
    spec: TemporalJoinSpec,
    keys: KeyTable,
    versions: Versions,
    probes: Probes,
    output: Vec<Place>,
    filter: Option<(Residual, Vec<Place>)>,
    /// Keys that changed since the last checkpoint.
    dirty: Dirty,
}

/// Rows to emit: a probe row, its version or none, a weight.
#[derive(Default)]
struct Answers {
    probes: Vec<u32>,
    versions: Vec<u32>,
    weights: Vec<i64>,
}

impl Answers {
    fn push(&mut self, probe: u32, version: u32, weight: i64) {
        self.probes.push(probe);
        self.versions.push(version);
        self.weights.push(weight);
    }
}

impl TemporalJoin {
    /// A temporal join as specified. A specification that contradicts itself is an internal error.
    pub fn new(spec: &TemporalJoinSpec) -> Result<Self> {
        spec.validate()?;
        let condition = spec.filter.as_ref().map_or(vec![], Residual::columns);
        let mut needed = [Vec::new(), Vec::new()];
        for column in spec.output_columns().into_iter().chain(condition.iter().copied()) {
            let (side, column) = spec.locate(column)?;
            needed[side].push(column);
        }
        for columns in &mut needed {
            columns.sort_unstable();
            columns.dedup();
        }
        let place = |column: usize| {
            let (side, column) = spec.locate(column)?;
            Ok((side, needed[side].partition_point(|&c| c < column)))
        };
        let output = spec.output_columns().into_iter().map(place).collect::<Result<_>>()?;
        let filter = match &spec.filter {
            None => None,
            Some(filter) => {
                let (probe, version) = (spec.probe_schema.fields(), spec.version_schema.fields());
                let fields: Vec<FieldRef> = probe.iter().chain(version).cloned().collect();
                let places = condition.into_iter().map(place).collect::<Result<_>>()?;
                Some((Residual::new(filter, &fields)?, places))
            }
        };
        let [probe, version] = needed;
        Ok(Self {
            keys: KeyTable::for_columns(&spec.probe_schema, &spec.probe_keys)?,
            versions: Versions::new(&spec.version_schema, version)?,
            probes: Probes::new(&spec.probe_schema, probe)?,
            output,
            filter,
            dirty: Dirty::default(),
            spec: spec.clone(),
        })
    }

    fn time_columns(&self) -> Option<[usize; 2]> {
        match self.spec.time {
            TemporalTime::Event { probe_time, version_time } => Some([probe_time, version_time]),
            TemporalTime::Processing => None,
        }
    }

    fn take_versions(&mut self, deltas: &[Delta], context: &mut StepContext<'_>) -> Result<()> {
        let delta = Delta::concat(&self.spec.version_schema, deltas)?;
        let time = self.time_columns().map(|[_, version]| version);
        let (delta, timeless) = split_nulls(delta, &time.into_iter().collect::<Vec<_>>())?;
        // A version without a time is valid at no time; it is told, not lost.
        if let Some(timeless) = timeless {
            context.report_late(timeless);
        }
        let (delta, _) = split_nulls(delta, &self.spec.version_keys)?;
        if delta.is_empty() {
            return Ok(());
        }
        let slots = self.slots(&delta, &self.spec.version_keys.clone())?;
        let times = time.map(|t| times_ms(delta.column(t))).transpose()?;
        self.versions.apply(&delta, &slots, times.as_ref())
    }

    fn slots(&mut self, delta: &Delta, keys: &[usize]) -> Result<Vec<u32>> {
        let columns: Vec<ArrayRef> = keys.iter().map(|&k| delta.column(k).clone()).collect();
        let mut slots = Vec::new();
        self.keys.intern(&columns, delta.num_rows(), &mut slots)?;
        self.dirty.mark_all(&slots);
        Ok(slots)
    }

    /// Keeps the probe rows that are in time and can meet a version; the others are reported or
    /// answered. Gives the ids of the rows kept.
    fn take_probes(
        &mut self,
        deltas: &[Delta],
        context: &mut StepContext<'_>,
        out: &mut Deltas,
    ) -> Result<Vec<u32>> {
        let mut delta = Delta::concat(&self.spec.probe_schema, deltas)?;
        let time = self.time_columns().map(|[probe, _]| probe);
        if let Some(time) = time {
            let times = times_ms(delta.column(time))?;
            let before = context.inputs[0].before.0;
            let late = |(row, time): (usize, Option<i64>)| {
                let watermark = delta.arrival().map_or(before, |a| a[row]);
                Some(time.is_some_and(|t| t < watermark))
            };
            let late: BooleanArray = times.iter().enumerate().map(late).collect();
            if late.true_count() > 0 {
                context.report_late(delta.filter(&late)?);
                delta = delta.filter(&not(&late)?)?;
            }
        }
        let must: Vec<usize> = self.spec.probe_keys.iter().copied().chain(time).collect();
        let (delta, alone) = split_nulls(delta, &must)?;
        if let (Some(alone), true) = (alone, self.spec.keep_unmatched) {
            out.push(self.padded(&alone)?);
        }
        if delta.is_empty() {
            return Ok(Vec::new());
        }
        let slots = self.slots(&delta, &self.spec.probe_keys.clone())?;
        let times = time.map(|t| times_ms(delta.column(t))).transpose()?;
        let before = context.inputs[0].before.0;
        self.probes.insert(&delta, &slots, times.as_ref(), before)
    }

    fn padded(&self, rows: &Delta) -> Result<Delta> {
        let mut columns = Vec::new();
        for (index, column) in self.spec.output_columns().into_iter().enumerate() {
            let data_type = self.spec.output_schema.field(index).data_type();
            columns.push(match self.spec.locate(column)? {
                (0, column) => rows.column(column).clone(),
                _ => new_null_array(data_type, rows.num_rows()),
            });
        }
        let batch = record_batch(&self.spec.output_schema, columns, rows.num_rows())?;
        Ok(rows.with_batch(batch))
    }

    fn version_of(&self, probe: u32) -> u32 {
        let time = match self.spec.time {
            TemporalTime::Event { .. } => self.probes.times[probe as usize],
            TemporalTime::Processing => i64::MAX,
        };
        self.versions.at(self.probes.slots[probe as usize], time)
    }

    /// Answers rows with the versions there are now.
    fn answer(&self, probes: &[u32], answers: &mut Answers) {
        for &probe in probes {
            answers.push(probe, self.version_of(probe), self.probes.weights[probe as usize]);
        }
    }

    /// Corrects the rows whose version is another now.
    fn correct(&mut self, answers: &mut Answers) {
        for &slot in &self.versions.touched {
            let mut probe = self.probes.chains.first(slot);
            while probe != NO_ROW {
                let (p, version) = (probe as usize, self.version_of(probe));
                let before = std::mem::replace(&mut self.probes.answers[p], version);
                if version != before {
                    self.probes.corrected(probe);
                    let weight = self.probes.weights[p];
                    answers.push(probe, before, -weight);
                    answers.push(probe, version, weight);
                }
                probe = self.probes.chains.after(probe);
            }
        }
    }

    /// Answers new rows with the version there is; it may be corrected later.
    fn answer_for_now(&mut self, new: &[u32], answers: &mut Answers) {
        self.answer(new, answers);
        let given = &answers.versions[answers.versions.len() - new.len()..];
        for (&probe, &version) in new.iter().zip(given) {
            self.probes.answers[probe as usize] = version;
        }
    }

    fn gather(&self, (side, stored): Place, answers: &Answers) -> Result<ArrayRef> {
        match side {
            0 => self.probes.gather(stored, &answers.probes),
            _ => self.versions.gather(stored, &answers.versions),
        }
    }

    fn emit(&self, mut answers: Answers, out: &mut Deltas) -> Result<()> {
        if let Some((filter, places)) = &self.filter {
            let columns =
                places.iter().map(|&p| self.gather(p, &answers)).collect::<Result<_>>()?;
            let mask = filter.decide(columns, answers.probes.len())?;
            for (row, version) in answers.versions.iter_mut().enumerate() {
                if mask.is_null(row) || !mask.value(row) {
                    *version = NO_ROW;
                }
            }
        }
        if !self.spec.keep_unmatched {
            let met: Vec<bool> = answers.versions.iter().map(|&v| v != NO_ROW).collect();
            let mut keep = met.iter();
            answers.probes.retain(|_| keep.next() == Some(&true));
            let mut keep = met.iter();
            answers.weights.retain(|_| keep.next() == Some(&true));
            answers.versions.retain(|&v| v != NO_ROW);
        }
        let rows = answers.probes.len();
        if rows == 0 {
            return Ok(());
        }
        let columns =
            self.output.iter().map(|&p| self.gather(p, &answers)).collect::<Result<_>>()?;
        let batch = record_batch(&self.spec.output_schema, columns, rows)?;
        let arrival = self.probes.arrival(&answers.probes);
        let delta = if answers.weights.iter().all(|&w| w == 1) {
            Delta::insert_only(batch)
        } else {
            Delta::weighted(batch, Int64Array::from(answers.weights))
        };
        out.push(delta.with_arrival(arrival));
        Ok(())
    }

    /// Forgets what can no longer be asked for.
    fn release(&mut self, done: &[u32], context: &StepContext<'_>) -> Result<()> {
        let mut slots = Vec::new();
        self.probes.remove(done, &mut slots);
        let bound = match self.spec.time {
            TemporalTime::Event { .. } => context.watermark().0,
            TemporalTime::Processing => i64::MAX,
        };
        self.versions.finish(bound, &mut slots);
        if context.inputs[0].after == Watermark::MAX && self.probes.len() == 0 {
            self.versions.clear(&mut slots)?;
        }
        for slot in slots {
            if self.versions.is_unused(slot) && self.probes.chains.first(slot) == NO_ROW {
                self.keys.remove(slot);
                self.dirty.mark(slot);
            }
        }
        Ok(())
    }
}

impl Operator for TemporalJoin {
    fn step(&mut self, inputs: Vec<Deltas>, context: &mut StepContext<'_>) -> Result<Deltas> {
        let [probes, versions] = <[Deltas; 2]>::try_from(inputs).map_err(|i| {
            EngineError::Internal(format!("a temporal join got {} inputs", i.len()))
        })?;
        let mut out = Deltas::new();
        if !versions.is_empty() {
            self.take_versions(&versions, context)?;
        }
        let (mut answers, mut new) = (Answers::default(), Vec::new());
        let corrects = self.time_columns().is_some() && self.spec.emission == Emission::Updates;
        if corrects {
            self.correct(&mut answers);
        }
        if !probes.is_empty() {
            new = self.take_probes(&probes, context, &mut out)?;
        }
        let done = match (self.spec.time, self.spec.emission) {
            (TemporalTime::Processing, _) => {
                let due = self.probes.due(i64::MAX);
                self.answer(&due, &mut answers);
                due
            }
            (TemporalTime::Event { .. }, Emission::Final) => {
                let due = self.probes.due(context.watermark().0);
                self.answer(&due, &mut answers);
                due
            }
            (TemporalTime::Event { .. }, Emission::Updates) => {
                self.answer_for_now(&new, &mut answers);
                self.probes.due(context.inputs[1].after.0)
            }
        };
        self.emit(answers, &mut out)?;
        self.release(&done, context)?;
        Ok(out)
    }

    fn state_rows(&self) -> usize {
        self.versions.len() + self.probes.len()
    }

    fn state_bytes(&self) -> usize {
        self.keys.bytes() + self.versions.bytes() + self.probes.bytes()
    }

    fn checkpoint(&mut self, out: &mut StateWriter) -> Result<()> {
        let Self { keys, versions, probes, dirty, .. } = self;
        let changed = Changed::take(dirty, keys.capacity(), |slot| keys.is_live(slot));
        out.slots("keys", &changed, |_, slot, out| {
            keys.save(slot, out);
            versions.live(slot).put(out);
        })?;
        out.part("versions", |out| versions.save(out))?;
        out.part("probes", |out| probes.save(out))
    }

    fn restore(&mut self, from: &StateReader<'_>) -> Result<()> {
        let mut maps = Vec::new();
        for part in 0..from.parts() {
            let mut map = SlotMap::default();
            for (old, mut input) in from.slots(part, "keys") {
                let Some(slot) = self.keys.load(from, old, &mut input)? else { continue };
                map.set(old, slot);
                self.versions.set_live(slot, input.get()?);
            }
            maps.push(map);
        }
        self.keys.loaded();
        if from.is_same() {
            self.dirty.start();
        }
        let versions = self.versions.load(&from.part("versions"), &maps)?;
        self.probes.load(&from.part("probes"), &maps, &versions)
    }
}
