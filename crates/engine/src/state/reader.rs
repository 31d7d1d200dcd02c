//! What an operator gets back from a checkpoint.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::codec::{Input, Persist};
use super::writer::{ENTRY_HEAD, FREED, TableImage, entries};
use crate::key::shard_of;
use crate::{EngineError, Result};

/// Where a slot's newest bytes lie: in which image, from where, how many.
#[derive(Debug, Clone, Copy)]
struct Place {
    image: u32,
    start: usize,
    length: u32,
}

/// Nothing was said of the slot.
const NOWHERE: Place = Place { image: u32::MAX, start: 0, length: 0 };
/// The slot is not in use.
const NOT_USED: Place = Place { image: u32::MAX - 1, start: 0, length: 0 };

/// The state of one shard's instance of an operator: the newest bytes of each slot of each table.
#[derive(Debug, Default)]
pub struct StatePart {
    images: Vec<Bytes>,
    tables: BTreeMap<String, Table>,
}

/// What is known of a table.
#[derive(Debug, Default)]
struct Table {
    /// Whether that is all there is; else there is more in what was written before.
    full: bool,
    slots: Vec<Place>,
}

impl StatePart {
    /// Takes over a later checkpoint's changes.
    pub fn apply(&mut self, image: TableImage) -> Result<()> {
        let number = self.images.len() as u32;
        let table = self.tables.entry(image.name).or_default();
        if image.full {
            *table = Table { full: true, slots: Vec::new() };
        }
        let mut read = 0;
        for entry in entries(&image.entries) {
            let (slot, bytes) = entry?;
            read += ENTRY_HEAD;
            let length = bytes.map_or(0, <[u8]>::len);
            let place = match bytes {
                Some(_) => Place { image: number, start: read, length: length as u32 },
                None => NOT_USED,
            };
            read += length;
            if slot as usize >= table.slots.len() {
                table.slots.resize(slot as usize + 1, NOWHERE);
            }
            table.slots[slot as usize] = place;
        }
        self.images.push(image.entries);
        Ok(())
    }

    /// The slots of a table that are in use, ascending, each with its bytes.
    pub fn slots<'a>(&'a self, name: &str) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let said = self.tables.get(name).into_iter().flat_map(|table| self.said(table));
        said.filter_map(|(slot, bytes)| Some((slot, bytes?)))
    }

    /// The slots of a table of which something was said, ascending, each with its bytes; none where
    /// it is not in use.
    fn said<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = (u32, Option<&'a [u8]>)> {
        let slots =
            table.slots.iter().enumerate().filter(|(_, place)| place.image != NOWHERE.image);
        slots.map(|(slot, place)| {
            let bytes = self.images.get(place.image as usize);
            (slot as u32, bytes.map(|b| &b[place.start..place.start + place.length as usize]))
        })
    }

    /// The tables, each with what all images come to that were applied. `whole`: there is nothing
    /// before them.
    pub fn merged(&self, whole: bool) -> impl Iterator<Item = MergedTable<'_>> {
        self.tables.iter().map(move |(name, table)| {
            let full = whole || table.full;
            MergedTable { name, full, part: self, table }
        })
    }

    /// The names of the tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

/// What merging checkpoints makes of a table.
#[derive(Debug)]
pub struct MergedTable<'a> {
    /// The table's name within its operator.
    pub name: &'a str,
    /// See [`TableImage::full`].
    pub full: bool,
    part: &'a StatePart,
    table: &'a Table,
}

impl MergedTable<'_> {
    /// Appends the bytes of [`TableImage::entries`].
    pub fn write(&self, out: &mut Vec<u8>) {
        for (slot, bytes) in self.part.said(self.table) {
            if self.full && bytes.is_none() {
                continue;
            }
            slot.put(out);
            bytes.map_or(FREED, |bytes| bytes.len() as u32).put(out);
            out.extend_from_slice(bytes.unwrap_or_default());
        }
    }
}

/// The state that an operator's instance takes over.
///
/// With as many shards as before it is that of the same shard, and slots keep their numbers. With
/// another number every instance sees the state of all shards, takes over the keys that it owns,
/// and gives them new slots.
#[derive(Debug)]
pub struct StateReader<'a> {
    parts: Vec<&'a StatePart>,
    /// Which shard reads, and of how many, where keys are dealt anew.
    shard: Option<(usize, usize)>,
    /// The columns of a key by which it is spread, where that is not the whole key.
    route: Option<&'a [usize]>,
    prefix: String,
}

impl<'a> StateReader<'a> {
    /// The state of the same shard.
    pub fn same(part: &'a StatePart) -> Self {
        Self { parts: vec![part], shard: None, route: None, prefix: String::new() }
    }

    /// The state of all shards, of which `shard` of `shards` takes what it owns.
    pub fn dealt(parts: Vec<&'a StatePart>, shard: usize, shards: usize) -> Self {
        Self { parts, shard: Some((shard, shards)), route: None, prefix: String::new() }
    }

    /// The same, where keys are spread by some of their columns only.
    pub fn routed(self, route: Option<&'a [usize]>) -> Self {
        Self { route, ..self }
    }

    /// The columns of a key by which it is dealt anew, where that is not the whole key.
    pub fn route(&self) -> Option<&'a [usize]> {
        self.route.filter(|_| !self.is_same())
    }

    /// Whether slots keep their numbers.
    pub fn is_same(&self) -> bool {
        self.shard.is_none()
    }

    /// How many shards' states there are to read.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Whether this instance owns a key with this hash.
    #[inline]
    pub fn owns(&self, hash: u64) -> bool {
        self.shard.is_none_or(|(shard, shards)| shard_of(hash, shards) == shard)
    }

    /// Whether this instance is the first, which owns what has no key.
    pub fn is_first(&self) -> bool {
        self.shard.is_none_or(|(shard, _)| shard == 0)
    }

    /// A part of the operator, whose tables have this name in front.
    pub fn part(&self, name: &str) -> Self {
        let prefix = format!("{}{name}.", self.prefix);
        Self { parts: self.parts.clone(), shard: self.shard, route: self.route, prefix }
    }

    /// The slots of a table of part number `part`, ascending, each with its bytes.
    pub fn slots(
        &self,
        part: usize,
        name: &str,
    ) -> impl Iterator<Item = (u32, Input<'a>)> + use<'a> {
        let slots = self.parts[part].slots(&format!("{}{name}", self.prefix));
        slots.map(|(slot, bytes)| (slot, Input::new(bytes)))
    }

    /// A value that was written whole, of part number `part`.
    pub fn value<T: Persist>(&self, part: usize, name: &str) -> Result<T> {
        let (_, mut input) = self
            .slots(part, name)
            .next()
            .ok_or_else(|| EngineError::State(format!("it has no '{}{name}'", self.prefix)))?;
        input.get()
    }
}

/// From the slots of a checkpoint to those that their keys have got now.
#[derive(Debug, Default)]
pub(crate) struct SlotMap {
    slots: Vec<u32>,
}

impl SlotMap {
    const NONE: u32 = u32::MAX;

    /// Notes where a slot has gone.
    pub(crate) fn set(&mut self, old: u32, new: u32) {
        if old as usize >= self.slots.len() {
            self.slots.resize(old as usize + 1, Self::NONE);
        }
        self.slots[old as usize] = new;
    }

    /// Where a slot has gone; `None` where another instance has it.
    pub(crate) fn get(&self, old: u32) -> Option<u32> {
        self.slots.get(old as usize).copied().filter(|&new| new != Self::NONE)
    }
}
