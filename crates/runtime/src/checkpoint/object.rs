//! The changed tables of some nodes as bytes.

use rialto_engine::executor::ShardState;
use rialto_engine::state::{Input, Persist, TableImage};
use rialto_engine::{EngineError, Result};

/// Nodes (or outputs) with their changed tables.
pub(super) type Tables = Vec<(usize, Vec<TableImage>)>;

/// The bytes of an object.
pub(super) fn encode(tables: &Tables) -> Vec<u8> {
    let bytes = tables.iter().flat_map(|(_, images)| images);
    let mut out = Vec::with_capacity(bytes.map(|i| i.entries.len() + i.name.len() + 32).sum());
    for (node, images) in tables {
        for image in images {
            (*node as u64).put(&mut out);
            image.full.put(&mut out);
            put_long(image.name.as_bytes(), &mut out);
            put_long(&image.entries, &mut out);
        }
    }
    out
}

/// Takes over the tables of an object.
pub(super) fn apply(bytes: &[u8], state: &mut ShardState) -> Result<()> {
    let mut input = Input::new(bytes);
    while input.remaining() > 0 {
        let (node, full) = (input.get::<u64>()? as usize, input.get::<bool>()?);
        let name = String::from_utf8(take_long(&mut input)?.to_vec());
        let name = name.map_err(|_| EngineError::State("a table's name is no text".into()))?;
        let entries = take_long(&mut input)?.to_vec();
        state.apply(node, vec![TableImage { name, full, entries }])?;
    }
    Ok(())
}

fn put_long(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u64).put(out);
    out.extend_from_slice(bytes);
}

fn take_long<'a>(input: &mut Input<'a>) -> Result<&'a [u8]> {
    let length = input.get::<usize>()?;
    input.take(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back_and_later_ones_count() {
        let table = |slot: u32, value: &[u8], full| {
            let mut entries = Vec::new();
            slot.put(&mut entries);
            (value.len() as u32).put(&mut entries);
            entries.extend_from_slice(value);
            TableImage { name: "t".into(), full, entries }
        };
        let mut state = ShardState::default();
        for image in [table(1, b"old", true), table(1, b"new", false), table(2, b"two", false)] {
            apply(&encode(&vec![(7, vec![image])]), &mut state).unwrap();
        }
        let slots: Vec<(u32, &[u8])> = state.node(7).unwrap().slots("t").collect();
        assert_eq!(slots, [(1, b"new".as_slice()), (2, b"two".as_slice())]);
        let whole = encode(&state.whole());
        let mut again = ShardState::default();
        apply(&whole, &mut again).unwrap();
        assert_eq!(encode(&again.whole()), whole);
        assert!(apply(&whole[..whole.len() - 1], &mut ShardState::default()).is_err());
    }
}
