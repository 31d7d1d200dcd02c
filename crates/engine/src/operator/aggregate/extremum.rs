//! `MIN` and `MAX`.
//!
//! Over insert-only input one value a group suffices. Where rows can be taken back, the group keeps
//! all its values in order: the next best must be at hand when the best one goes.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, SortField};

use crate::{EngineError, Result};

use crate::state::{Input, Persist};
use crate::store::held;

use super::accumulator::{Accumulator, Update};

/// Which end of the order is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Least,
    Greatest,
}

/// Turns values of one column into bytes that sort like them, and back.
#[derive(Debug)]
pub(super) struct Codec {
    converter: RowConverter,
}

impl Codec {
    pub fn new(data_type: DataType) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(data_type)])?;
        Ok(Self { converter })
    }

    pub fn encode(&self, column: &ArrayRef) -> Result<arrow_row::Rows> {
        Ok(self.converter.convert_columns(std::slice::from_ref(column))?)
    }

    /// The column of the given values; `None` is null.
    pub fn decode<'a>(&self, values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef> {
        let values: Vec<Option<&[u8]>> = values.collect();
        let parser = self.converter.parser();
        let present = values.iter().flatten().map(|bytes| parser.parse(bytes));
        let mut columns = self.converter.convert_rows(present)?;
        let dense = columns
            .pop()
            .ok_or_else(|| EngineError::Internal("no column came back from rows".into()))?;
        if dense.len() == values.len() {
            return Ok(dense);
        }
        let mut next = 0;
        let at: arrow::array::UInt32Array = values
            .iter()
            .map(|v| {
                v.map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        Ok(arrow::compute::take(&dense, &at, None)?)
    }
}

/// The best value so far, for insert-only input.
pub(super) struct Extremum {
    side: Side,
    values: Best,
}

enum Best {
    /// Fixed-width values as they compare, in a type wide enough for all of them.
    Integer {
        best: Vec<Option<i64>>,
        data_type: DataType,
    },
    Bytes {
        best: Vec<Option<Box<[u8]>>>,
        codec: Codec,
    },
}

/// Types whose values compare like the 64-bit integers that Arrow casts them to and back.
fn is_integer_like(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Timestamp(..)
    )
}

impl Extremum {
    pub fn new(data_type: DataType, side: Side) -> Result<Self> {
        let values = if is_integer_like(&data_type) {
            Best::Integer { best: Vec::new(), data_type }
        } else {
            Best::Bytes { best: Vec::new(), codec: Codec::new(data_type)? }
        };
        Ok(Self { side, values })
    }
}

impl Accumulator for Extremum {
    fn bytes(&self) -> usize {
        match &self.values {
            Best::Integer { best, .. } => held(best),
            Best::Bytes { best, .. } => held(best),
        }
    }

    fn resize(&mut self, capacity: usize) {
        match &mut self.values {
            Best::Integer { best, .. } => best.resize(capacity, None),
            Best::Bytes { best, .. } => best.resize(capacity, None),
        }
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let filter: Option<BooleanArray> = update.valid_filter()?;
        let update = Update { filter: filter.as_ref(), ..*update };
        let greatest = self.side == Side::Greatest;
        match &mut self.values {
            Best::Integer { best, .. } => {
                use arrow::array::AsArray;
                use arrow::datatypes::Int64Type;
                let column = arrow::compute::cast(&update.arguments[0], &DataType::Int64)?;
                let values = column.as_primitive::<Int64Type>().values();
                update.for_each(|row, slot, _| {
                    let (value, best) = (values[row], &mut best[slot]);
                    if best.is_none_or(|b| if greatest { value > b } else { value < b }) {
                        *best = Some(value);
                    }
                });
            }
            Best::Bytes { best, codec } => {
                let rows = codec.encode(&update.arguments[0])?;
                update.for_each(|row, slot, _| {
                    let (value, best) = (rows.row(row), &mut best[slot]);
                    let better = |b: &[u8]| {
                        if greatest { value.data() > b } else { value.data() < b }
                    };
                    if best.as_deref().is_none_or(better) {
                        *best = Some(value.data().into());
                    }
                });
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        match &self.values {
            Best::Integer { best, data_type } => {
                let values = slots.iter().map(|&s| best[s as usize]);
                let column = arrow::array::Int64Array::from_iter(values);
                Ok(arrow::compute::cast(&column, data_type)?)
            }
            Best::Bytes { best, codec } => {
                codec.decode(slots.iter().map(|&s| best[s as usize].as_deref()))
            }
        }
    }

    fn clear(&mut self, slots: &[u32]) {
        for &slot in slots {
            match &mut self.values {
                Best::Integer { best, .. } => best[slot as usize] = None,
                Best::Bytes { best, .. } => best[slot as usize] = None,
            }
        }
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        match &self.values {
            Best::Integer { best, .. } => best[slot].put(out),
            Best::Bytes { best, .. } => best[slot].put(out),
        }
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        match &mut self.values {
            Best::Integer { best, .. } => best[slot] = input.get()?,
            Best::Bytes { best, .. } => best[slot] = input.get()?,
        }
        Ok(())
    }
}

/// All values of a group in order, with how often each is there.
pub(super) struct Ordered {
    side: Side,
    codec: Codec,
    values: Vec<BTreeMap<Box<[u8]>, i64>>,
}

impl Ordered {
    pub fn new(data_type: DataType, side: Side) -> Result<Self> {
        Ok(Self { side, codec: Codec::new(data_type)?, values: Vec::new() })
    }
}

impl Accumulator for Ordered {
    fn bytes(&self) -> usize {
        held(&self.values)
    }

    fn resize(&mut self, capacity: usize) {
        self.values.resize_with(capacity, BTreeMap::new);
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let filter = update.valid_filter()?;
        let rows = self.codec.encode(&update.arguments[0])?;
        let values = &mut self.values;
        Update { filter: filter.as_ref(), ..*update }.for_each(|row, slot, weight| {
            let (group, value) = (&mut values[slot], rows.row(row));
            match group.get_mut(value.data()) {
                Some(count) => {
                    *count += weight;
                    // Within a step a retraction may come before its insertion: only zero goes.
                    if *count == 0 {
                        group.remove(value.data());
                    }
                }
                None => drop(group.insert(value.data().into(), weight)),
            }
        });
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        self.codec.decode(slots.iter().map(|&slot| {
            let mut present = self.values[slot as usize].iter().filter(|(_, count)| **count > 0);
            let best = match self.side {
                Side::Least => present.next(),
                Side::Greatest => present.next_back(),
            };
            best.map(|(value, _)| value.as_ref())
        }))
    }

    fn clear(&mut self, slots: &[u32]) {
        slots.iter().for_each(|&s| self.values[s as usize].clear());
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        self.values[slot].put(out);
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        self.values[slot] = input.get()?;
        Ok(())
    }
}
