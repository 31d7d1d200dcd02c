//! `FIRST_VALUE` and `LAST_VALUE`: by order of arrival, nulls left out.
//!
//! A retraction takes back the earliest arrival of an equal value.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::Result;

use crate::state::{Input, Persist};
use crate::store::held;

use super::accumulator::{Accumulator, Update};
use super::extremum::{Codec, Side};

/// The values of a group by their order of arrival.
pub(super) struct Position {
    side: Side,
    codec: Codec,
    groups: Vec<BTreeMap<u64, (Box<[u8]>, i64)>>,
    next: u64,
}

impl Position {
    pub fn new(data_type: DataType, side: Side) -> Result<Self> {
        Ok(Self { side, codec: Codec::new(data_type)?, groups: Vec::new(), next: 0 })
    }
}

impl Accumulator for Position {
    fn bytes(&self) -> usize {
        held(&self.groups)
    }

    fn resize(&mut self, capacity: usize) {
        self.groups.resize_with(capacity, BTreeMap::new);
    }

    fn update(&mut self, update: &Update<'_>) -> Result<()> {
        let filter = update.valid_filter()?;
        let rows = self.codec.encode(&update.arguments[0])?;
        let (groups, next) = (&mut self.groups, &mut self.next);
        Update { filter: filter.as_ref(), ..*update }.for_each(|row, slot, weight| {
            let (group, row) = (&mut groups[slot], rows.row(row));
            let value = row.data();
            *next += 1;
            // Opposite signs of one value cancel, in whichever order a step brings them.
            let opposite = |count: i64| (count > 0) != (weight > 0);
            let found = if weight < 0 || group.values().any(|(_, c)| *c < 0) {
                let same = |(v, c): &(Box<[u8]>, i64)| v.as_ref() == value && opposite(*c);
                group.iter().find(|(_, entry)| same(entry)).map(|(at, _)| *at)
            } else {
                None
            };
            match found {
                Some(at) => {
                    if let Some(entry) = group.get_mut(&at) {
                        entry.1 += weight;
                        if entry.1 == 0 {
                            group.remove(&at);
                        }
                    }
                }
                None => drop(group.insert(*next, (value.into(), weight))),
            }
        });
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        self.codec.decode(slots.iter().map(|&slot| {
            let mut present = self.groups[slot as usize].values().filter(|(_, count)| *count > 0);
            let found = match self.side {
                Side::Least => present.next(),
                Side::Greatest => present.next_back(),
            };
            found.map(|(value, _)| value.as_ref())
        }))
    }

    fn clear(&mut self, slots: &[u32]) {
        slots.iter().for_each(|&s| self.groups[s as usize].clear());
    }

    fn save(&self, slot: usize, out: &mut Vec<u8>) {
        self.groups[slot].put(out);
    }

    fn load(&mut self, slot: usize, input: &mut Input<'_>) -> Result<()> {
        self.groups[slot] = input.get()?;
        // Later values come behind all that were there.
        let last = self.groups[slot].last_key_value().map_or(0, |(at, _)| *at);
        self.next = self.next.max(last);
        Ok(())
    }
}
