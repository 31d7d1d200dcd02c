//! The changed tables of some nodes as bytes.

use bytes::Bytes;
use rialto_engine::executor::ShardState;
use rialto_engine::state::{Input, Persist, TableImage};
use rialto_engine::{EngineError, Result};

use super::store::{self, Give};

/// Smaller pieces are put together before they are given out.
const PIECE_MIN: usize = 64 << 10;

/// Nodes (or outputs) with their changed tables.
pub(super) type Tables = Vec<(usize, Vec<TableImage>)>;

/// Gives out the bytes of an object, without its envelope, piece by piece.
pub(super) fn write(tables: &Tables, give: Give<'_>) -> store::Result<()> {
    let mut out = Vec::new();
    for (node, images) in tables {
        for TableImage { name, full, entries } in images {
            put_head(*node, name, *full, entries.len() as u64, &mut out);
            if entries.len() < PIECE_MIN {
                out.extend_from_slice(entries);
            } else {
                give(&out)?;
                out.clear();
                give(entries)?;
            }
            if out.len() >= PIECE_MIN {
                give(&out)?;
                out.clear();
            }
        }
    }
    give(&out)
}

/// What stands before a table's entries, which have so many bytes.
pub(super) fn put_head(node: usize, table: &str, full: bool, bytes: u64, out: &mut Vec<u8>) {
    (node as u64).put(out);
    full.put(out);
    (table.len() as u64).put(out);
    out.extend_from_slice(table.as_bytes());
    bytes.put(out);
}

/// Takes over the tables of an object, whose bytes it shares.
pub(super) fn apply(bytes: &Bytes, state: &mut ShardState) -> Result<()> {
    let mut input = Input::new(bytes);
    while input.remaining() > 0 {
        let (node, full) = (input.get::<u64>()? as usize, input.get::<bool>()?);
        let name = String::from_utf8(take_long(&mut input)?.to_vec());
        let name = name.map_err(|_| EngineError::State("a table's name is no text".into()))?;
        let entries = bytes.slice_ref(take_long(&mut input)?);
        state.apply(node, vec![TableImage { name, full, entries }])?;
    }
    Ok(())
}

fn take_long<'a>(input: &mut Input<'a>) -> Result<&'a [u8]> {
    let length = input.get::<usize>()?;
    input.take(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(u32, Option<&[u8]>)], full: bool) -> Tables {
        let mut out = Vec::new();
        for (slot, value) in entries {
            slot.put(&mut out);
            value.map_or(u32::MAX, |value| value.len() as u32).put(&mut out);
            out.extend_from_slice(value.unwrap_or_default());
        }
        vec![(7, vec![TableImage { name: "t".into(), full, entries: out.into() }])]
    }

    fn encode(tables: &Tables) -> Bytes {
        let mut out = Vec::new();
        let mut give = |piece: &[u8]| {
            out.extend_from_slice(piece);
            Ok(())
        };
        write(tables, &mut give).unwrap();
        Bytes::from(out)
    }

    fn state(objects: &[Bytes]) -> ShardState {
        let mut state = ShardState::default();
        objects.iter().for_each(|object| apply(object, &mut state).unwrap());
        state
    }

    #[test]
    fn tables_come_back_and_later_ones_count() {
        let objects = [
            table(&[(1, Some(b"old"))], true),
            table(&[(1, Some(b"new"))], false),
            table(&[(2, Some(b"two"))], false),
        ];
        let objects = objects.map(|tables| encode(&tables));
        let state = state(&objects);
        let slots: Vec<(u32, &[u8])> = state.node(7).unwrap().slots("t").collect();
        assert_eq!(slots, [(1, &b"new"[..]), (2, &b"two"[..])]);
        let torn = objects[0].slice(..objects[0].len() - 1);
        assert!(apply(&torn, &mut ShardState::default()).is_err());
    }
}
