//! What an operator gets back from a checkpoint.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::codec::{Input, Persist};
use super::writer::{ENTRY_HEAD, TableImage, entries};
use crate::key::shard_of;
use crate::{EngineError, Result};

/// Where a slot's newest bytes lie: in which image, from where, how many.
#[derive(Debug, Clone, Copy)]
struct Place {
    image: u32,
    start: usize,
    length: u32,
}

/// The slot is not in use.
const NOT_USED: Place = Place { image: u32::MAX, start: 0, length: 0 };

/// The state of one shard's instance of an operator: the newest bytes of each slot of each table.
#[derive(Debug, Default)]
pub struct StatePart {
    images: Vec<Bytes>,
    tables: BTreeMap<String, Vec<Place>>,
}

impl StatePart {
    /// Takes over a later checkpoint's changes.
    pub fn apply(&mut self, image: TableImage) -> Result<()> {
        let number = self.images.len() as u32;
        let slots = self.tables.entry(image.name).or_default();
        if image.full {
            slots.clear();
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
            if slot as usize >= slots.len() {
                slots.resize(slot as usize + 1, NOT_USED);
            }
            slots[slot as usize] = place;
        }
        self.images.push(image.entries);
        Ok(())
    }

    /// The slots of a table that are in use, ascending, each with its bytes.
    pub fn slots<'a>(&'a self, name: &str) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let slots = self.tables.get(name).into_iter().flatten().enumerate();
        slots.filter_map(|(slot, place)| {
            let bytes = self.images.get(place.image as usize)?;
            Some((slot as u32, &bytes[place.start..place.start + place.length as usize]))
        })
    }

    /// The names of the tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
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
