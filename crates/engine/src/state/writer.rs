//! What an operator hands over at a checkpoint.

use bytes::Bytes;

use super::codec::{Input, Persist};
use super::dirty::Dirty;
use crate::{EngineError, Result};

/// The length that stands for a slot that was freed.
const FREED: u32 = u32::MAX;
/// How many bytes an [`EntryHead`] takes.
pub const ENTRY_HEAD: usize = 8;

/// What stands before a slot's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHead {
    /// The slot.
    pub slot: u32,
    /// How many bytes follow; none, and `None`, where it was freed.
    pub length: Option<u32>,
}

impl EntryHead {
    /// Appends its bytes.
    #[inline]
    pub fn put(self, out: &mut Vec<u8>) {
        self.slot.put(out);
        self.length.unwrap_or(FREED).put(out);
    }

    /// Reads it back.
    #[inline]
    pub fn get(input: &mut Input<'_>) -> Result<Self> {
        let (slot, length) = (input.get()?, input.get()?);
        Ok(Self { slot, length: (length != FREED).then_some(length) })
    }
}

/// The changes of one table of one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableImage {
    /// The table's name within its operator.
    pub name: String,
    /// Whether these are all slots; what was written before then counts no more.
    pub full: bool,
    /// Slot, length, bytes; again and again. Read by [`entries`].
    pub entries: Bytes,
}

/// The slots of a table that a checkpoint writes.
#[derive(Debug)]
pub struct Changed {
    /// Those that are in use.
    pub live: Vec<u32>,
    freed: Vec<u32>,
    full: bool,
}

impl Changed {
    /// The slots below `capacity` that changed since the last time; all in use, the first time.
    pub fn take(dirty: &mut Dirty, capacity: usize, is_live: impl Fn(u32) -> bool) -> Self {
        match dirty.take() {
            None => {
                let live = (0..capacity as u32).filter(|&slot| is_live(slot)).collect();
                Self { live, freed: Vec::new(), full: true }
            }
            Some(slots) => {
                let below = |slot: u32| (slot as usize) < capacity;
                let (live, freed) = slots.into_iter().partition(|&s| below(s) && is_live(s));
                Self { live, freed, full: false }
            }
        }
    }
}

/// Takes the tables of one operator.
#[derive(Debug, Default)]
pub struct StateWriter {
    prefix: String,
    tables: Vec<TableImage>,
}

impl StateWriter {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the changed slots of a table: `encode(i, slot, out)` appends the bytes of
    /// `changed.live[i]`. A table that has not changed costs nothing.
    pub fn slots(
        &mut self,
        name: &str,
        changed: &Changed,
        mut encode: impl FnMut(usize, u32, &mut Vec<u8>),
    ) -> Result<()> {
        if changed.live.is_empty() && changed.freed.is_empty() && !changed.full {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(changed.live.len() * 32 + changed.freed.len() * 8);
        for &slot in &changed.freed {
            EntryHead { slot, length: None }.put(&mut entries);
        }
        for (index, &slot) in changed.live.iter().enumerate() {
            slot.put(&mut entries);
            let length_at = entries.len();
            FREED.put(&mut entries);
            encode(index, slot, &mut entries);
            let length = (entries.len() - length_at - 4) as u64;
            let length = u32::try_from(length).ok().filter(|&n| n != FREED).ok_or_else(|| {
                EngineError::State(format!("one key of '{name}' needs {length} bytes"))
            })?;
            entries[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        }
        let name = format!("{}{name}", self.prefix);
        self.tables.push(TableImage { name, full: changed.full, entries: entries.into() });
        Ok(())
    }

    /// Writes a small value whole.
    pub fn value(&mut self, name: &str, value: &impl Persist) -> Result<()> {
        let changed = Changed { live: vec![0], freed: Vec::new(), full: true };
        self.slots(name, &changed, |_, _, out| value.put(out))
    }

    /// Writes a part of the operator; its tables get the part's name in front.
    pub fn part(&mut self, name: &str, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let length = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        let result = write(self);
        self.prefix.truncate(length);
        result
    }

    /// What was written.
    pub fn finish(self) -> Vec<TableImage> {
        self.tables
    }
}

/// The entries of a [`TableImage`]: slots with their bytes, `None` for one that was freed.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<(u32, Option<&[u8]>)>> {
    let mut input = Input::new(bytes);
    std::iter::from_fn(move || {
        (input.remaining() > 0).then(|| {
            let EntryHead { slot, length } = EntryHead::get(&mut input)?;
            Ok((slot, length.map(|length| input.take(length as usize)).transpose()?))
        })
    })
}
