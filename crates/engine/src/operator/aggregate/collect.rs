//! Aggregates that need all values of their group: `LISTAGG`, `ARRAY_AGG`, `COLLECT`, `PERCENTILE`
//! and the single value of a scalar subquery.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, ListArray, MapArray, StringArray,
    StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type};
use arrow_row::{RowConverter, SortField};

use crate::{EngineError, Result};

use crate::state::{Input, Persist};
use crate::store::held;

use super::accumulator::{Accumulator, Update};

/// What is made of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CollectKind {
    /// The one value; two are an error.
    Single,
    /// Text joined by the second argument.
    Text,
    /// A JSON array of values that are JSON texts.
    JsonArray,
    /// A JSON object of members that are JSON texts: `"key":value`.
    JsonObject,
    /// An array in order of arrival, nulls included.
    Array,
    /// A map from value to count.
    Multiset,
    /// An interpolated order statistic.
    Percentile,
}

/// The argument rows of each group in order of arrival, with their counts.
pub(super) struct Collected {
    kind: CollectKind,
    output: DataType,
    converter: RowConverter,
    groups: Vec<Vec<(Box<[u8]>, i64)>>,
}

impl Collected {
    pub fn new(types: &[DataType], output: DataType, kind: CollectKind) -> Result<Self> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        Ok(Self { kind, output, converter: RowConverter::new(fields)?, groups: Vec::new() })
    }

    /// The argument columns of all values of the given groups, and where each group's end.
    fn flatten(&self, slots: &[u32]) -> Result<(Vec<ArrayRef>, Vec<usize>)> {
        let parser = self.converter.parser();
        let mut ends = Vec::with_capacity(slots.len());
        let mut rows = Vec::new();
        for &slot in slots {
            for (bytes, count) in &self.groups[slot as usize] {
                for _ in 0..(*count).max(0) {
                    rows.push(parser.parse(bytes));
                }
            }
            ends.push(rows.len());
        }
        Ok((self.converter.convert_rows(rows)?, ends))
    }

    fn single(&self, slots: &[u32]) -> Result<ArrayRef> {
        let (columns, ends) = self.flatten(slots)?;
        let mut start = 0;
        let mut at: Vec<Option<u32>> = Vec::with_capacity(slots.len());
        for end in ends {
            if end - start > 1 {
                let text = "a scalar subquery returned more than one row";
                return Err(EngineError::Data(text.into()));
            }
            at.push((end > start).then_some(start as u32));
            start = end;
        }
        Ok(take(&columns[0], &UInt32Array::from(at), None)?)
    }

    fn text(&self, slots: &[u32]) -> Result<ArrayRef> {
        let (columns, ends) = self.flatten(slots)?;
        let values = cast(&columns[0], &DataType::Utf8)?;
        let values = values.as_string::<i32>();
        let separators = columns.get(1).map(|c| cast(c, &DataType::Utf8)).transpose()?;
        let separators = separators.as_ref().map(|c| c.as_string::<i32>());
        let mut start = 0;
        let joined = ends.into_iter().map(|end| {
            let mut text: Option<String> = None;
            for row in start..end {
                match &mut text {
                    None => text = Some(values.value(row).to_owned()),
                    Some(text) => {
                        text.push_str(separators.map_or(",", |s| s.value(row)));
                        text.push_str(values.value(row));
                    }
                }
            }
            start = end;
            text
        });
        Ok(Arc::new(StringArray::from_iter(joined)))
    }

    fn json(&self, slots: &[u32], open: char, close: char) -> Result<ArrayRef> {
        let (columns, ends) = self.flatten(slots)?;
        let values = cast(&columns[0], &DataType::Utf8)?;
        let values = values.as_string::<i32>();
        let mut start = 0;
        let joined = ends.into_iter().map(|end| {
            let mut text = String::from(open);
            let mut parts: Vec<&str> = (start..end).map(|row| values.value(row)).collect();
            // The members of an object have no order of their own: by key, each run gives the same.
            if self.kind == CollectKind::JsonObject {
                parts.sort_unstable();
            }
            text.push_str(&parts.join(","));
            text.push(close);
            start = end;
            text
        });
        Ok(Arc::new(StringArray::from_iter_values(joined)))
    }

    fn array(&self, slots: &[u32]) -> Result<ArrayRef> {
        let (columns, ends) = self.flatten(slots)?;
        let DataType::List(item) = &self.output else {
            return Err(EngineError::Internal(format!("an array aggregate as {}", self.output)));
        };
        let nulls = NullBuffer::from_iter(lengths(&ends).map(|n| n > 0));
        let offsets = OffsetBuffer::from_lengths(lengths(&ends));
        let values = cast(&columns[0], item.data_type())?;
        Ok(Arc::new(ListArray::try_new(item.clone(), offsets, values, Some(nulls))?))
    }

    fn multiset(&self, slots: &[u32]) -> Result<ArrayRef> {
        let DataType::Map(entries, _) = &self.output else {
            return Err(EngineError::Internal(format!("a multiset as {}", self.output)));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(EngineError::Internal("a map without entries".into()));
        };
        let parser = self.converter.parser();
        let (mut rows, mut counts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for &slot in slots {
            let start = counts.len();
            let mut seen: hashbrown::HashMap<&[u8], usize> = hashbrown::HashMap::new();
            for (bytes, count) in self.groups[slot as usize].iter().filter(|(_, c)| *c > 0) {
                let at = *seen.entry(bytes).or_insert_with(|| {
                    rows.push(parser.parse(bytes));
                    counts.push(0);
                    counts.len() - 1
                });
                counts[at] += *count as i32;
            }
            assert!(counts.len() >= start);
            ends.push(counts.len());
        }
        let keys = cast(&self.converter.convert_rows(rows)?[0], fields[0].data_type())?;
        let values: ArrayRef = Arc::new(Int32Array::from(counts));
        let columns = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
        let offsets = OffsetBuffer::from_lengths(lengths(&ends));
        Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, columns, None, false)?))
    }

    /// Linear interpolation between the closest ranks: position `p · (n − 1)` of the sorted values,
    /// for one fraction or for each of an array.
    fn percentile(&self, slots: &[u32]) -> Result<ArrayRef> {
        let (columns, ends) = self.flatten(slots)?;
        let values = cast(&columns[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        let list = columns[1].as_list_opt::<i32>();
        let fractions = list.map_or(&columns[1], |l| l.values());
        let fractions = cast(fractions, &DataType::Float64)?;
        let fractions = fractions.as_primitive::<Float64Type>();
        let mut start = 0;
        let mut results: Vec<Option<f64>> = Vec::with_capacity(slots.len());
        let mut parts = Vec::with_capacity(slots.len());
        for &end in &ends {
            let mut sorted: Vec<f64> = values.values()[start..end].to_vec();
            sorted.sort_by(f64::total_cmp);
            let asked = match (list, end > start) {
                (_, false) => 0..0,
                (None, true) => start..start + 1,
                (Some(list), true) => {
                    let offsets = list.value_offsets();
                    offsets[start] as usize..offsets[start + 1] as usize
                }
            };
            parts.push(asked.len());
            let at = |i: usize| fractions.is_valid(i).then(|| fractions.value(i));
            results.extend(asked.map(|i| at(i).map(|p| interpolate(&sorted, p))));
            if list.is_none() && end == start {
                results.push(None);
            }
            start = end;
        }
        let results = Float64Array::from(results);
        match &self.output {
            DataType::List(item) => {
                let nulls = NullBuffer::from_iter(lengths(&ends).map(|n| n > 0));
                let offsets = OffsetBuffer::from_lengths(parts);
                let results = cast(&results, item.data_type())?;
                Ok(Arc::new(ListArray::try_new(item.clone(), offsets, results, Some(nulls))?))
            }
            output => Ok(cast(&results, output)?),
        }
    }
}

fn interpolate(sorted: &[f64], fraction: f64) -> f64 {
    let position = fraction.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (position - low as f64)
}

fn lengths(ends: &[usize]) -> impl Iterator<Item = usize> + '_ {
    ends.iter().enumerate().map(|(i, end)| end - if i == 0 { 0 } else { ends[i - 1] })
}

impl Accumulator for Collected {
    fn bytes(&self) -> usize {
        held(&self.groups)
    }

    fn resize(&mut self, capacity: usize) {
        self.groups.resize_with(capacity, Vec::new);
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let keeps_nulls = matches!(self.kind, CollectKind::Array | CollectKind::Single);
        let filter = if keeps_nulls { update.filter.cloned() } else { update.valid_filter()? };
        let rows = self.converter.convert_columns(update.arguments)?;
        let groups = &mut self.groups;
        Update { filter: filter.as_ref(), ..*update }.for_each(|row, slot, weight| {
            let (group, value) = (&mut groups[slot], rows.row(row));
            let bytes = value.data();
            // A retraction may come before its insertion within a step: opposite signs cancel.
            let cancels = |(v, c): &(Box<[u8]>, i64)| (*c > 0) != (weight > 0) && **v == *bytes;
            let found = match weight < 0 || group.iter().any(|(_, c)| *c < 0) {
                true => group.iter().position(cancels),
                false => None,
            };
            match found {
                Some(at) => {
                    group[at].1 += weight;
                    if group[at].1 == 0 {
                        group.remove(at);
                    }
                }
                None => group.push((bytes.into(), weight)),
            }
        });
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        match self.kind {
            CollectKind::Single => self.single(slots),
            CollectKind::Text => self.text(slots),
            CollectKind::JsonArray => self.json(slots, '[', ']'),
            CollectKind::JsonObject => self.json(slots, '{', '}'),
            CollectKind::Array => self.array(slots),
            CollectKind::Multiset => self.multiset(slots),
            CollectKind::Percentile => self.percentile(slots),
        }
    }

    fn clear(&mut self, slots: &[u32]) {
        slots.iter().for_each(|&s| self.groups[s as usize].clear());
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        self.groups[slot].put(out);
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        self.groups[slot] = input.get()?;
        Ok(())
    }
}
