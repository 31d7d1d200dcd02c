//! The functions themselves: one pass over the rows of each job.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, PrimitiveArray, RecordBatch,
    UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, DecimalType, Field, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Schema,
};

use super::partition::Job;
use super::spec::{Frame, FunctionKind, Nulls, WindowFunction};
use crate::expr::evaluate;
use crate::operator::order::{Key, KeyEncoder, SortColumn};
use crate::operator::rows::NO_ROW;
use crate::state::{Input, Persist};
use crate::{EngineError, Result};

/// What is carried from row to row.
#[derive(Debug, Clone)]
pub(super) enum State {
    Nothing,
    Count(i64),
    Exact { sum: i128, count: i64 },
    Float { sum: f64, count: i64 },
    Moments { count: f64, mean: f64, squares: f64 },
    Best(Option<(Key, u32)>),
    Row(u32),
}

impl State {
    /// The row that it shows, if it shows one.
    pub(super) fn row(&self) -> Option<u32> {
        match self {
            Self::Best(Some((_, id))) => Some(*id),
            Self::Row(id) if *id != NO_ROW => Some(*id),
            _ => None,
        }
    }
}

impl State {
    /// Gives the row that it shows the id that it has now.
    pub(super) fn renumber(&mut self, id_now: &mut dyn FnMut(u32) -> u32) {
        match self {
            Self::Best(Some((_, id))) | Self::Row(id) => *id = id_now(*id),
            _ => {}
        }
    }
}

impl Persist for State {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => out.push(0),
            Self::Count(count) => {
                out.push(1);
                count.put(out);
            }
            Self::Exact { sum, count } => {
                out.push(2);
                sum.put(out);
                count.put(out);
            }
            Self::Float { sum, count } => {
                out.push(3);
                sum.put(out);
                count.put(out);
            }
            Self::Moments { count, mean, squares } => {
                out.push(4);
                [*count, *mean, *squares].put(out);
            }
            Self::Best(best) => {
                out.push(5);
                best.put(out);
            }
            Self::Row(id) => {
                out.push(6);
                id.put(out);
            }
        }
    }

    fn get(input: &mut Input<'_>) -> Result<Self> {
        Ok(match input.get::<u8>()? {
            0 => Self::Nothing,
            1 => Self::Count(input.get()?),
            2 => Self::Exact { sum: input.get()?, count: input.get()? },
            3 => Self::Float { sum: input.get()?, count: input.get()? },
            4 => {
                let [count, mean, squares] = input.get()?;
                Self::Moments { count, mean, squares }
            }
            5 => Self::Best(input.get()?),
            6 => Self::Row(input.get()?),
            other => return Err(EngineError::State(format!("{other} is no state of a function"))),
        })
    }
}

/// The results of one function, before they have their type.
pub(super) enum Results {
    Exact(Vec<Option<i128>>),
    Float(Vec<Option<f64>>),
    /// The rows whose argument is the result.
    Rows(Vec<u32>),
}

enum Values {
    Nothing,
    Exact(Vec<i128>),
    Float(Vec<f64>),
    Keys(Vec<Key>),
}

/// The argument of a function over all gathered rows.
pub(super) struct Argument {
    values: Values,
    /// What equal values have in common, where they are taken once.
    distinct: Option<Vec<Key>>,
    nulls: Option<NullBuffer>,
    scale: i8,
}

impl Argument {
    /// Reads the argument as the function needs it.
    pub(super) fn new(function: &WindowFunction, column: Option<&ArrayRef>) -> Result<Self> {
        let kind = function.kind;
        let Some(column) = column else {
            return Ok(Self { values: Values::Nothing, distinct: None, nulls: None, scale: 0 });
        };
        let scale = match column.data_type() {
            DataType::Decimal128(_, scale) => *scale,
            _ => 0,
        };
        let values = match kind {
            FunctionKind::Sum | FunctionKind::Avg if !column.data_type().is_floating() => {
                Values::Exact(exact(column)?)
            }
            FunctionKind::Sum | FunctionKind::Avg | FunctionKind::Variance { .. } => {
                let floats = cast(column, &DataType::Float64)?;
                Values::Float(floats.as_primitive::<Float64Type>().values().to_vec())
            }
            FunctionKind::Min | FunctionKind::Max => {
                let order = match kind {
                    FunctionKind::Min => SortColumn::ascending(0),
                    _ => SortColumn::descending(0),
                };
                Values::Keys(keys(column, order)?)
            }
            _ => Values::Nothing,
        };
        let distinct = match function.distinct {
            true => Some(keys(column, SortColumn::ascending(0))?),
            false => None,
        };
        let nulls = column.logical_nulls().filter(|n| n.null_count() > 0);
        Ok(Self { values, distinct, nulls, scale })
    }

    #[inline]
    fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|n| n.is_valid(row))
    }

    fn initial(&self, kind: FunctionKind) -> State {
        match (kind, &self.values) {
            (FunctionKind::Count | FunctionKind::DenseRank, _) => State::Count(0),
            (FunctionKind::Variance { .. }, _) => {
                State::Moments { count: 0.0, mean: 0.0, squares: 0.0 }
            }
            (_, Values::Exact(_)) => State::Exact { sum: 0, count: 0 },
            (_, Values::Float(_)) => State::Float { sum: 0.0, count: 0 },
            (FunctionKind::Min | FunctionKind::Max, _) => State::Best(None),
            (FunctionKind::First(_) | FunctionKind::Last(_), _) => State::Row(NO_ROW),
            _ => State::Nothing,
        }
    }
}

/// The values of a column as keys of an order.
fn keys(column: &ArrayRef, order: SortColumn) -> Result<Vec<Key>> {
    let field = Field::new("x", column.data_type().clone(), true);
    let encoder = KeyEncoder::new(&Arc::new(Schema::new(vec![field])), &[order])?;
    let keys = encoder.encode(std::slice::from_ref(column))?;
    Ok((0..column.len()).map(|row| keys.key(row)).collect())
}

/// How often each value is in a frame, where equal values are taken once.
#[derive(Default)]
struct Seen<'a> {
    times: HashMap<&'a Key, u32>,
}

impl<'a> Seen<'a> {
    /// Whether a value that comes is the first of its kind.
    fn comes(&mut self, distinct: Option<&'a Vec<Key>>, at: usize) -> bool {
        let Some(keys) = distinct else { return true };
        let times = self.times.entry(&keys[at]).or_default();
        *times += 1;
        *times == 1
    }

    /// Whether a value that goes is the last of its kind.
    fn goes(&mut self, distinct: Option<&'a Vec<Key>>, at: usize) -> bool {
        let Some(keys) = distinct else { return true };
        let Some(times) = self.times.get_mut(&keys[at]) else { return false };
        *times -= 1;
        let last = *times == 0;
        if last {
            self.times.remove(&keys[at]);
        }
        last
    }
}

/// Integers and decimals as exact numbers; decimals without their scale.
fn exact(column: &ArrayRef) -> Result<Vec<i128>> {
    if let DataType::Decimal128(..) = column.data_type() {
        return Ok(column.as_primitive::<Decimal128Type>().values().to_vec());
    }
    let integers = cast(column, &DataType::Int64)?;
    Ok(integers.as_primitive::<Int64Type>().values().iter().map(|&v| i128::from(v)).collect())
}

/// One function over one job.
pub(super) struct Pass<'a> {
    pub(super) function: &'a WindowFunction,
    pub(super) frame: &'a Frame,
    pub(super) argument: &'a Argument,
    pub(super) ids: &'a [u32],
    pub(super) job: &'a Job,
    /// Which of the states of the job is this function's.
    pub(super) number: usize,
}

impl Pass<'_> {
    /// Empty results of the kind that the function has.
    pub(super) fn results(function: &WindowFunction, argument: &Argument) -> Results {
        use FunctionKind::{CumeDist, First, Lag, Last, Lead, Max, Min, PercentRank, Variance};
        match (function.kind, &argument.values) {
            (Min | Max | First(_) | Last(_) | Lag(_) | Lead(_), _) => Results::Rows(Vec::new()),
            (PercentRank | CumeDist | Variance { .. }, _) | (_, Values::Float(_)) => {
                Results::Float(Vec::new())
            }
            _ => Results::Exact(Vec::new()),
        }
    }

    /// Computes the job's rows. Gives the function's states at the job's marks.
    pub(super) fn run(&self, results: &mut Results) -> Vec<State> {
        if self.function.is_running(self.frame) {
            return self.run_on(results);
        }
        match self.function.kind {
            FunctionKind::Min | FunctionKind::Max => self.slide_best(results),
            FunctionKind::First(_) | FunctionKind::Last(_) => self.pick(results),
            _ if self.function.is_framed() => self.slide(results),
            _ => (self.job.from..self.job.to).for_each(|row| self.place(row, results)),
        }
        vec![State::Nothing; self.job.marks.len()]
    }

    /// The row's place in the gathered columns.
    #[inline]
    fn at(&self, row: usize) -> usize {
        self.job.offset + row
    }

    #[inline]
    fn pair(&self, pairs: &[(u32, u32)], row: usize) -> (usize, usize) {
        let pair = pairs[row - self.job.begin];
        (pair.0 as usize, pair.1 as usize)
    }

    /// A value that is carried on from the job's begin.
    fn run_on(&self, results: &mut Results) -> Vec<State> {
        let job = self.job;
        let mut state = match &job.seed {
            Some(seed) => seed[self.number].clone(),
            None => self.argument.initial(self.function.kind),
        };
        let mut states = Vec::with_capacity(job.marks.len());
        let mut end = job.begin;
        for row in job.begin..job.to {
            if job.marks.get(states.len()) == Some(&row) {
                states.push(state.clone());
            }
            if self.function.kind == FunctionKind::DenseRank {
                if let (State::Count(groups), true) =
                    (&mut state, self.pair(&job.peers, row).0 == row)
                {
                    *groups += 1;
                }
            } else {
                let frame_end = self.pair(&job.frames, row).1;
                while end < frame_end {
                    self.add(&mut state, end);
                    end += 1;
                }
            }
            if row >= job.from {
                self.push(&state, results);
            }
        }
        while states.len() < job.marks.len() {
            states.push(state.clone());
        }
        states
    }

    /// Frames that move: exact values leave as they came; others are added up again, as a float
    /// that was added and taken away leaves a trace.
    fn slide(&self, results: &mut Results) {
        let kind = self.function.kind;
        let mut state = self.argument.initial(kind);
        let invertible = matches!(state, State::Count(_) | State::Exact { .. });
        let (mut start, mut end) = (0, 0);
        let (distinct, mut seen) = (self.argument.distinct.as_ref(), Seen::default());
        for row in self.job.from..self.job.to {
            let frame = self.pair(&self.job.frames, row);
            if frame.0 >= end || (frame.0 > start && !invertible) {
                state = self.argument.initial(kind);
                seen.times.clear();
                (start, end) = (frame.0, frame.0);
            }
            while start < frame.0 {
                if seen.goes(distinct, self.at(start)) {
                    self.remove(&mut state, start);
                }
                start += 1;
            }
            while end < frame.1 {
                if seen.comes(distinct, self.at(end)) {
                    self.add(&mut state, end);
                }
                end += 1;
            }
            self.push(&state, results);
        }
    }

    /// The best row of frames that move: candidates in a queue, the best in front.
    fn slide_best(&self, results: &mut Results) {
        let Values::Keys(keys) = &self.argument.values else { return };
        let Results::Rows(rows) = results else { return };
        let mut queue: VecDeque<usize> = VecDeque::new();
        let mut end = 0;
        for row in self.job.from..self.job.to {
            let frame = self.pair(&self.job.frames, row);
            end = end.max(frame.0);
            while end < frame.1 {
                let at = self.at(end);
                if self.argument.is_valid(at) {
                    while queue.back().is_some_and(|&b| keys[at] < keys[self.at(b)]) {
                        queue.pop_back();
                    }
                    queue.push_back(end);
                }
                end += 1;
            }
            while queue.front().is_some_and(|&front| front < frame.0) {
                queue.pop_front();
            }
            // A frame that ends before the current row may end before the front.
            let best = queue.front().filter(|&&front| front < frame.1);
            rows.push(best.map_or(NO_ROW, |&best| self.ids[self.at(best)]));
        }
    }

    /// The first or last row of frames that move.
    fn pick(&self, results: &mut Results) {
        let Results::Rows(rows) = results else { return };
        for row in self.job.from..self.job.to {
            let (start, end) = self.pair(&self.job.frames, row);
            let valid = |at: &usize| self.argument.is_valid(self.at(*at));
            let found = match self.function.kind {
                FunctionKind::First(Nulls::Respect) => (start..end).next(),
                FunctionKind::First(Nulls::Ignore) => (start..end).find(valid),
                FunctionKind::Last(Nulls::Respect) => (start..end).next_back(),
                _ => (start..end).rev().find(valid),
            };
            rows.push(found.map_or(NO_ROW, |at| self.ids[self.at(at)]));
        }
    }

    /// Functions of the row's place in its partition.
    fn place(&self, row: usize, results: &mut Results) {
        let job = self.job;
        let peers = self.pair(&job.peers, row);
        let number = (job.position + row) as i128 + 1;
        let total = job.total as i128;
        let rank = (job.position + peers.0) as i128 + 1;
        match (self.function.kind, results) {
            (FunctionKind::RowNumber, Results::Exact(out)) => out.push(Some(number)),
            (FunctionKind::Rank, Results::Exact(out)) => out.push(Some(rank)),
            (FunctionKind::Ntile(tiles), Results::Exact(out)) => {
                out.push(Some(tile(number - 1, total, i128::from(tiles.max(1)))));
            }
            (FunctionKind::PercentRank, Results::Float(out)) => {
                let others = (total - 1) as f64;
                out.push(Some(if others > 0.0 { (rank - 1) as f64 / others } else { 0.0 }));
            }
            (FunctionKind::CumeDist, Results::Float(out)) => {
                out.push(Some((job.position + peers.1) as f64 / total as f64));
            }
            (FunctionKind::Lag(n), Results::Rows(out)) => {
                let at = usize::try_from(n).ok().and_then(|n| row.checked_sub(n));
                out.push(at.map_or(NO_ROW, |at| self.ids[self.at(at)]));
            }
            (FunctionKind::Lead(n), Results::Rows(out)) => {
                let rows = job.total - job.position;
                let at = usize::try_from(n).ok().and_then(|n| row.checked_add(n));
                let at = at.filter(|at| *at < rows);
                out.push(at.map_or(NO_ROW, |at| self.ids[self.at(at)]));
            }
            _ => {}
        }
    }

    #[inline]
    fn add(&self, state: &mut State, row: usize) {
        let at = self.at(row);
        let respected = matches!(
            self.function.kind,
            FunctionKind::First(Nulls::Respect) | FunctionKind::Last(Nulls::Respect)
        );
        if !respected && !self.argument.is_valid(at) {
            return;
        }
        match (state, &self.argument.values) {
            (State::Count(count), _) => *count += 1,
            (State::Exact { sum, count }, Values::Exact(values)) => {
                *sum = sum.wrapping_add(values[at]);
                *count += 1;
            }
            (State::Float { sum, count }, Values::Float(values)) => {
                *sum += values[at];
                *count += 1;
            }
            (State::Moments { count, mean, squares }, Values::Float(values)) => {
                *count += 1.0;
                let distance = values[at] - *mean;
                *mean += distance / *count;
                *squares += distance * (values[at] - *mean);
            }
            (State::Best(best), Values::Keys(keys)) => {
                if best.as_ref().is_none_or(|(key, _)| keys[at] < *key) {
                    *best = Some((keys[at].clone(), self.ids[at]));
                }
            }
            (State::Row(id), _) => {
                if *id == NO_ROW || matches!(self.function.kind, FunctionKind::Last(_)) {
                    *id = self.ids[at];
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn remove(&self, state: &mut State, row: usize) {
        let at = self.at(row);
        if !self.argument.is_valid(at) {
            return;
        }
        match (state, &self.argument.values) {
            (State::Count(count), _) => *count -= 1,
            (State::Exact { sum, count }, Values::Exact(values)) => {
                *sum = sum.wrapping_sub(values[at]);
                *count -= 1;
            }
            _ => {}
        }
    }

    fn push(&self, state: &State, results: &mut Results) {
        match (state, results) {
            (State::Count(count), Results::Exact(out)) => out.push(Some(i128::from(*count))),
            (State::Exact { sum, count }, Results::Exact(out)) => {
                out.push(self.exact_result(*sum, *count));
            }
            (State::Float { sum, count }, Results::Float(out)) => {
                let average = self.function.kind == FunctionKind::Avg;
                let divisor = if average { *count as f64 } else { 1.0 };
                out.push((*count > 0).then_some(sum / divisor));
            }
            (State::Moments { count, squares, .. }, Results::Float(out)) => {
                let FunctionKind::Variance { sample, root } = self.function.kind else { return };
                let divisor = if sample { count - 1.0 } else { *count };
                let variance = (divisor > 0.0).then_some(squares / divisor);
                out.push(if root { variance.map(f64::sqrt) } else { variance });
            }
            (State::Best(best), Results::Rows(out)) => {
                out.push(best.as_ref().map_or(NO_ROW, |b| b.1));
            }
            (State::Row(id), Results::Rows(out)) => out.push(*id),
            _ => {}
        }
    }

    /// A sum or an average of exact numbers at the scale of the output.
    fn exact_result(&self, sum: i128, count: i64) -> Option<i128> {
        let DataType::Decimal128(_, scale) = self.function.output.data_type() else {
            let average = self.function.kind == FunctionKind::Avg;
            return (count > 0).then(|| if average { sum / i128::from(count) } else { sum });
        };
        let divisor = match self.function.kind {
            FunctionKind::Avg => i128::from(count),
            _ => 1,
        };
        let shift = i32::from(*scale) - i32::from(self.argument.scale);
        let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
        let (number, divisor) = match shift >= 0 {
            true => (sum.checked_mul(factor)?, divisor),
            false => (sum, divisor.checked_mul(factor)?),
        };
        (count > 0).then(|| divide_half_up(number, divisor))
    }
}

/// An aggregate over sets of rows, given as ranges of `rows`: one value each.
pub(crate) fn aggregate(
    function: &WindowFunction,
    rows: &RecordBatch,
    sets: &[(usize, usize)],
) -> Result<ArrayRef> {
    let column = function.argument.as_ref().map(|a| evaluate(a, rows)).transpose()?;
    let argument = Argument::new(function, column.as_ref())?;
    let ids: Vec<u32> = (0..rows.num_rows() as u32).collect();
    let mut results = Pass::results(function, &argument);
    let job = Job::default();
    let frame = &Frame::DEFAULT;
    let pass = Pass { function, frame, argument: &argument, ids: &ids, job: &job, number: 0 };
    for &(from, to) in sets {
        let mut state = argument.initial(function.kind);
        (from..to).for_each(|row| pass.add(&mut state, row));
        pass.push(&state, &mut results);
    }
    match (results, column) {
        (Results::Exact(values), _) => exact_column(values, function.output.data_type()),
        (Results::Float(values), _) => {
            Ok(cast(&Float64Array::from(values), function.output.data_type())?)
        }
        (Results::Rows(picked), Some(column)) => {
            let picked = picked.into_iter().map(|row| (row != NO_ROW).then_some(row));
            Ok(take(&column, &picked.collect::<UInt32Array>(), None)?)
        }
        (Results::Rows(_), None) => {
            Err(EngineError::Internal("an aggregate has no argument".into()))
        }
    }
}

/// A quotient rounded to the nearest, halves away from zero.
fn divide_half_up(number: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (number / divisor, number % divisor);
    if rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2) && rest != 0 {
        return quotient + number.signum() * divisor.signum();
    }
    quotient
}

/// In which of `tiles` parts of `total` rows the row number `row` (from 0) is, from 1.
fn tile(row: i128, total: i128, tiles: i128) -> i128 {
    let (size, larger) = (total / tiles, total % tiles);
    let in_larger = larger * (size + 1);
    if row < in_larger {
        row / (size + 1) + 1
    } else {
        larger + (row - in_larger) / size.max(1) + 1
    }
}

/// Exact results as a column of `data_type`: integers wrap, decimals that do not fit are null.
pub(super) fn exact_column(values: Vec<Option<i128>>, data_type: &DataType) -> Result<ArrayRef> {
    fn integers<T: ArrowPrimitiveType>(
        values: &[Option<i128>],
        native: impl Fn(i128) -> T::Native,
    ) -> ArrayRef {
        Arc::new(values.iter().map(|v| v.map(&native)).collect::<PrimitiveArray<T>>())
    }
    Ok(match data_type {
        DataType::Int64 => integers::<Int64Type>(&values, |v| v as i64),
        DataType::Int32 => integers::<Int32Type>(&values, |v| v as i32),
        DataType::Int16 => integers::<Int16Type>(&values, |v| v as i16),
        DataType::Int8 => integers::<Int8Type>(&values, |v| v as i8),
        DataType::Decimal128(precision, scale) => {
            let fits = |v: &i128| Decimal128Type::is_valid_decimal_precision(*v, *precision);
            let values = values.into_iter().map(|v| v.filter(fits));
            let column = Decimal128Array::from_iter(values);
            Arc::new(column.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Float64 | DataType::Float32 => {
            let floats = values.iter().map(|v| v.map(|v| v as f64)).collect::<Float64Array>();
            cast(&floats, data_type)?
        }
        other => {
            return Err(EngineError::Internal(format!("{other} is not the type of a number")));
        }
    })
}
