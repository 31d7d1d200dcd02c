//! Makes one object of some that are behind one another.
//!
//! Of what is read and written only windows are in memory, but for objects behind a network. A
//! state has hundreds of megabytes, and memory that the system has to find first takes longer than
//! what is done in it: whoever merges in memory takes a core from the steps for seconds. So the
//! objects are read again and again: are they whole, where are the newest bytes of each slot, what
//! is their checksum, and where do they go.

use std::collections::BTreeMap;

use rialto_engine::EngineError;
use rialto_engine::state::{ENTRY_HEAD, EntryHead, Input};
use rialto_storage::Storage;
use rialto_storage::frame::{self, HEADER_BYTES};

use super::object::put_head;
use super::store::{CheckpointError, Give, Result, STATE};

/// So many bytes of all objects together are in memory, but of each at least [`WINDOW_MIN`].
const WINDOWS: u64 = 32 << 20;
const WINDOW_MIN: u64 = 64 << 10;
/// So many bytes are written at a time.
const PIECE: usize = 1 << 20;

/// Asked now and then; a merge ends when it is true.
pub(super) type Stopped<'a> = &'a dyn Fn() -> bool;

/// What objects come to, and where it is.
pub(super) struct Merging<'a> {
    sources: Vec<Source<'a>>,
    /// The tables of each node, in the order in which they were found first.
    nodes: BTreeMap<usize, Vec<Table>>,
    /// The objects are all there is.
    whole: bool,
    stopped: Stopped<'a>,
}

/// What is known of a table.
struct Table {
    name: String,
    /// Whether that is all there is; else there is more in what was written before.
    full: bool,
    slots: Vec<Place>,
}

/// Where a slot's newest bytes lie: in which object, from where, how many.
#[derive(Clone, Copy)]
struct Place {
    object: u32,
    length: u32,
    start: u64,
}

/// Nothing was said of the slot.
const NOWHERE: Place = Place { object: u32::MAX, length: 0, start: 0 };
/// The slot is not in use.
const FREED: Place = Place { object: u32::MAX - 1, length: 0, start: 0 };

impl<'a> Merging<'a> {
    /// Looks through the objects, oldest first. `whole`: there is none before them.
    pub fn of(
        storage: &'a dyn Storage,
        objects: &'a [String],
        whole: bool,
        stopped: Stopped<'a>,
    ) -> Result<Self> {
        let part = (WINDOWS / objects.len().max(1) as u64).max(WINDOW_MIN);
        let window = if storage.parts_are_cheap() { part } else { u64::MAX };
        Self::with_windows(storage, objects, whole, stopped, window)
    }

    fn with_windows(
        storage: &'a dyn Storage,
        objects: &'a [String],
        whole: bool,
        stopped: Stopped<'a>,
        window: u64,
    ) -> Result<Self> {
        let mut merging = Self { sources: Vec::new(), nodes: BTreeMap::new(), whole, stopped };
        for (number, name) in objects.iter().enumerate() {
            let mut source = Source::open(storage, name, window, stopped)?;
            merging.look_through(number as u32, &mut source)?;
            merging.sources.push(source);
        }
        Ok(merging)
    }

    fn look_through(&mut self, object: u32, source: &mut Source<'_>) -> Result<()> {
        let mut at = HEADER_BYTES as u64;
        while at < source.end {
            let head = source.table(&mut at)?;
            let tables = self.nodes.entry(head.node).or_default();
            let number = tables.iter().position(|table| table.name == head.name);
            let number = number.unwrap_or_else(|| {
                tables.push(Table { name: head.name, full: false, slots: Vec::new() });
                tables.len() - 1
            });
            let table = &mut tables[number];
            if head.full {
                table.full = true;
                table.slots.clear();
            }
            while at < head.end {
                let EntryHead { slot, length } = source.entry(&mut at)?;
                if slot as usize >= table.slots.len() {
                    table.slots.resize(slot as usize + 1, NOWHERE);
                }
                table.slots[slot as usize] = match length {
                    Some(length) => Place { object, length, start: at },
                    None => FREED,
                };
                at += u64::from(length.unwrap_or(0));
            }
        }
        Ok(())
    }

    /// Gives out the bytes of the object, without its envelope, piece by piece.
    pub fn write(&mut self, give: Give<'_>) -> Result<()> {
        let mut out = Vec::with_capacity(PIECE + PIECE / 8);
        for (&node, tables) in &self.nodes {
            for table in tables {
                let full = self.whole || table.full;
                put_head(node, &table.name, full, table.bytes(full), &mut out);
                for (slot, place) in table.said(full) {
                    let is_used = place.object != FREED.object;
                    let head = EntryHead { slot, length: is_used.then_some(place.length) };
                    head.put(&mut out);
                    if is_used {
                        let source = &mut self.sources[place.object as usize];
                        out.extend_from_slice(source.bytes(place.start, place.length.into())?);
                    }
                    if out.len() >= PIECE {
                        go_on(self.stopped)?;
                        give(&out)?;
                        out.clear();
                    }
                }
            }
        }
        give(&out)
    }
}

impl Table {
    /// The slots of which something is to be said, ascending. `full`: what is not said is not in
    /// use.
    fn said(&self, full: bool) -> impl Iterator<Item = (u32, Place)> + '_ {
        let slots = self.slots.iter().enumerate();
        let is_said = move |place: &Place| {
            place.object != NOWHERE.object && !(full && place.object == FREED.object)
        };
        slots.filter(move |(_, place)| is_said(place)).map(|(slot, place)| (slot as u32, *place))
    }

    /// How many bytes [`Self::said`] takes.
    fn bytes(&self, full: bool) -> u64 {
        self.said(full).map(|(_, place)| ENTRY_HEAD as u64 + u64::from(place.length)).sum()
    }
}

/// What stands before the entries of a table.
struct TableHead {
    node: usize,
    full: bool,
    name: String,
    /// Where its entries end.
    end: u64,
}

/// An object of which a window is in memory.
struct Source<'a> {
    storage: &'a dyn Storage,
    name: &'a str,
    /// Where the object ends.
    end: u64,
    window_bytes: u64,
    /// Where the window begins.
    from: u64,
    window: Vec<u8>,
}

impl<'a> Source<'a> {
    /// Opens an object, after it was read once to see that it is whole: what is in it is believed.
    fn open(
        storage: &'a dyn Storage,
        name: &'a str,
        window_bytes: u64,
        stopped: Stopped<'_>,
    ) -> Result<Self> {
        let room = HEADER_BYTES as u64;
        let end = room.saturating_add(window_bytes);
        let window = storage.get_range(name, 0..end)?;
        let head = frame::open_head(STATE, name, &window)?;
        let end = room.saturating_add(head.length);
        let mut source = Self { storage, name, end, window_bytes, from: 0, window };
        let (mut at, mut crc) = (room, 0);
        while at < end {
            go_on(stopped)?;
            let bytes = source.part(at)?;
            crc = frame::crc_of(crc, bytes);
            at += bytes.len() as u64;
        }
        frame::check(STATE, name, &head, crc)?;
        Ok(source)
    }

    /// What is in the window from there on; at least one byte.
    fn part(&mut self, at: u64) -> Result<&[u8]> {
        self.bytes(at, 1)?;
        let last = (self.end - self.from).min(self.window.len() as u64);
        Ok(&self.window[(at - self.from) as usize..last as usize])
    }

    /// So many bytes from there on.
    fn bytes(&mut self, at: u64, length: u64) -> Result<&[u8]> {
        let end = at.checked_add(length).filter(|&end| end <= self.end);
        let end = end.ok_or_else(|| self.broken("it ends in the middle of a value"))?;
        if at < self.from || end > self.from + self.window.len() as u64 {
            let to = end.max(at.saturating_add(self.window_bytes)).min(self.end);
            // The old one goes before the new one comes.
            self.window = Vec::new();
            self.window = self.storage.get_range(self.name, at..to)?;
            self.from = at;
            if (self.window.len() as u64) < length {
                return Err(self.broken("it is torn"));
            }
        }
        let start = (at - self.from) as usize;
        Ok(&self.window[start..start + length as usize])
    }

    fn table(&mut self, at: &mut u64) -> Result<TableHead> {
        let mut head = Input::new(self.take(at, 17)?);
        let (node, full, length) = (head.get::<usize>()?, head.get::<bool>()?, head.get::<u64>()?);
        let name = String::from_utf8(self.take(at, length)?.to_vec());
        let name = name.map_err(|_| EngineError::State("a table's name is no text".into()))?;
        let length = Input::new(self.take(at, 8)?).get::<u64>()?;
        let end = at.checked_add(length).filter(|&end| end <= self.end);
        let end = end.ok_or_else(|| self.broken("a table ends behind it"))?;
        Ok(TableHead { node, full, name, end })
    }

    fn entry(&mut self, at: &mut u64) -> Result<EntryHead> {
        Ok(EntryHead::get(&mut Input::new(self.take(at, ENTRY_HEAD as u64)?))?)
    }

    fn take(&mut self, at: &mut u64, length: u64) -> Result<&[u8]> {
        let from = *at;
        *at = at.saturating_add(length);
        self.bytes(from, length)
    }

    fn broken(&self, what: &str) -> CheckpointError {
        CheckpointError::Broken(format!("checkpoint state '{}': {what}", self.name))
    }
}

fn go_on(stopped: Stopped<'_>) -> Result<()> {
    if stopped() {
        return Err(CheckpointError::Broken("the merging was broken off".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;
    use rialto_engine::executor::ShardState;
    use rialto_engine::state::TableImage;
    use rialto_storage::LocalStorage;
    use rialto_storage::testing::CrashFiles;

    use super::super::object::Tables;
    use super::super::store::CheckpointStore;
    use super::*;

    const TABLES: [&str; 3] = ["keys", "a", "rows"];

    /// A table's slots with their bytes: how many, and of which letter.
    type Entries = Vec<(u32, Option<(usize, u8)>)>;

    /// The tables of an object: node, table, whether all is said, entries.
    type Said = Vec<(usize, usize, bool, Entries)>;

    fn tables(said: &Said) -> Tables {
        let image = |(node, table, full, entries): &(usize, usize, bool, Entries)| {
            let mut out = Vec::new();
            for &(slot, ref value) in entries {
                let value = value.map(|(length, letter)| vec![letter; length]);
                let length = value.as_ref().map(|value| value.len() as u32);
                EntryHead { slot, length }.put(&mut out);
                out.extend(value.unwrap_or_default());
            }
            let name = TABLES[*table].to_owned();
            (*node, vec![TableImage { name, full: *full, entries: Bytes::from(out) }])
        };
        said.iter().map(image).collect()
    }

    struct Shop {
        storage: Arc<LocalStorage>,
        store: CheckpointStore,
    }

    impl Shop {
        fn new() -> Self {
            let files = Arc::new(CrashFiles::new());
            let storage = Arc::new(LocalStorage::open(files, "/state").unwrap());
            Self { store: CheckpointStore::new(storage.clone()), storage }
        }

        fn put(&self, objects: &[Said]) -> Vec<String> {
            let put = |(number, said): (usize, &Said)| {
                let name = format!("state/{number}");
                self.store.put(&name, &tables(said)).unwrap();
                name
            };
            objects.iter().enumerate().map(put).collect()
        }

        fn merge(&self, name: &str, objects: &[String], whole: bool, window: u64) -> u64 {
            self.try_merge(name, objects, whole, window, &|| false).unwrap()
        }

        fn try_merge(
            &self,
            name: &str,
            objects: &[String],
            whole: bool,
            window: u64,
            stopped: Stopped<'_>,
        ) -> Result<u64> {
            let storage = self.storage.as_ref();
            let mut merging = Merging::with_windows(storage, objects, whole, stopped, window)?;
            self.store.put_pieces(name, &mut |give| merging.write(give))
        }

        /// Every slot of which the objects say that it is in use.
        fn slots(&self, objects: &[String]) -> Vec<(usize, &'static str, u32, Vec<u8>)> {
            let state: ShardState = self.store.state(objects).unwrap();
            let mut found = Vec::new();
            for node in 0..4 {
                for name in TABLES {
                    let part = state.node(node);
                    let slots = part.into_iter().flat_map(|part| part.slots(name));
                    found.extend(slots.map(|(slot, bytes)| (node, name, slot, bytes.to_vec())));
                }
            }
            found
        }
    }

    fn said() -> impl Strategy<Value = Said> {
        let value = proptest::option::weighted(0.7, (0..40_usize, b'a'..=b'z'));
        let entries = proptest::collection::vec((0..30_u32, value), 0..12);
        let table = (0..4_usize, 0..TABLES.len(), proptest::bool::weighted(0.2), entries);
        proptest::collection::vec(table, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever the objects say, in whatever order: a part of a chain can be replaced by what
        /// it was merged into, through windows of any size.
        #[test]
        fn what_was_merged_says_what_the_objects_said(
            objects in proptest::collection::vec(said(), 2..7),
            from in 0..5_usize,
            window in prop_oneof![1..100_u64, Just(u64::MAX)],
        ) {
            let shop = Shop::new();
            let names = shop.put(&objects);
            let from = from.min(names.len() - 2);
            for to in from + 1..=names.len() {
                let length = shop.merge("state/merged", &names[from..to], from == 0, window);
                let stored = shop.storage.get("state/merged").unwrap().len() as u64;
                prop_assert_eq!(stored, length);
                let merged = vec!["state/merged".to_owned()];
                let chain = [&names[..from], &merged, &names[to..]].concat();
                prop_assert_eq!(shop.slots(&chain), shop.slots(&names), "{}..{}", from, to);
            }
        }
    }

    fn some() -> Vec<Said> {
        let many = (0..50).map(|slot| (slot, Some((20, b'a')))).collect();
        let fewer = (0..50).step_by(3).map(|slot| (slot, None)).collect();
        vec![vec![(1, 0, true, many)], vec![(1, 0, false, fewer)]]
    }

    #[test]
    fn what_is_broken_or_broken_off_leaves_nothing() {
        let shop = Shop::new();
        let names = shop.put(&some());
        let storage = shop.storage.as_ref();
        let merge =
            |stopped: Stopped<'_>| shop.try_merge("state/merged", &names, true, 64, stopped);
        let asked = std::cell::Cell::new(0);
        let error = merge(&|| asked.replace(asked.get() + 1) == 3).unwrap_err().to_string();
        assert_eq!(error, "the merging was broken off");
        let bytes = storage.get(&names[0]).unwrap();
        for (broken, said) in [
            (bytes[..bytes.len() - 1].to_vec(), "torn"),
            ([&bytes[..500], b"?", &bytes[501..]].concat(), "damaged"),
        ] {
            storage.put(&names[0], &broken).unwrap();
            let error = merge(&|| false).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let left = storage.list("state/").unwrap();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
