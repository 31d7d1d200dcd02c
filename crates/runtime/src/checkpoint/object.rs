//! The changed tables of some nodes as bytes.

use bytes::Bytes;
use rialto_engine::executor::ShardState;
use rialto_engine::state::{Input, Persist, TableImage};
use rialto_engine::{EngineError, Result};
use rialto_storage::frame::HEADER_BYTES;

/// Nodes (or outputs) with their changed tables.
pub(super) type Tables = Vec<(usize, Vec<TableImage>)>;

/// The bytes of an object behind [`HEADER_BYTES`] of room for its envelope.
pub(super) fn encode(tables: &Tables) -> Vec<u8> {
    let images = tables.iter().flat_map(|(_, images)| images);
    let bytes: usize = images.map(|i| i.entries.len() + i.name.len() + 32).sum();
    let mut out = Vec::with_capacity(bytes + HEADER_BYTES);
    out.resize(HEADER_BYTES, 0);
    for (node, images) in tables {
        for image in images {
            put_head(*node, &image.name, image.full, &mut out);
            put_long(&image.entries, &mut out);
        }
    }
    out
}

/// As [`encode`], of the object that some come to which were applied. `whole`: there is none
/// before them; `bytes_max`: that many they have themselves, and it has no more. Room for all at
/// once is for memory that is touched once: a vector that grows is copied again and again.
pub(super) fn encode_merged(state: &ShardState, whole: bool, bytes_max: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes_max + HEADER_BYTES);
    out.resize(HEADER_BYTES, 0);
    for (node, part) in state.nodes() {
        for table in part.merged(whole) {
            put_head(node, table.name, table.full, &mut out);
            let length_at = out.len();
            0_u64.put(&mut out);
            let from = out.len();
            table.write(&mut out);
            let length = (out.len() - from) as u64;
            out[length_at..from].copy_from_slice(&length.to_le_bytes());
        }
    }
    out
}

fn put_head(node: usize, table: &str, full: bool, out: &mut Vec<u8>) {
    (node as u64).put(out);
    full.put(out);
    put_long(table.as_bytes(), out);
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

    fn table(entries: &[(u32, Option<&[u8]>)], full: bool) -> Tables {
        let mut out = Vec::new();
        for (slot, value) in entries {
            slot.put(&mut out);
            value.map_or(u32::MAX, |value| value.len() as u32).put(&mut out);
            out.extend_from_slice(value.unwrap_or_default());
        }
        vec![(7, vec![TableImage { name: "t".into(), full, entries: out.into() }])]
    }

    /// Without the room.
    fn payload(object: Vec<u8>) -> Bytes {
        Bytes::from(object).slice(HEADER_BYTES..)
    }

    fn state(objects: &[Bytes]) -> ShardState {
        let mut state = ShardState::default();
        objects.iter().for_each(|object| apply(object, &mut state).unwrap());
        state
    }

    fn slots(state: &ShardState) -> Vec<(u32, Vec<u8>)> {
        let slots = state.node(7).unwrap().slots("t");
        slots.map(|(slot, bytes)| (slot, bytes.to_vec())).collect()
    }

    #[test]
    fn tables_come_back_and_later_ones_count() {
        let objects = [
            table(&[(1, Some(b"old"))], true),
            table(&[(1, Some(b"new"))], false),
            table(&[(2, Some(b"two"))], false),
        ];
        let objects = objects.map(|tables| payload(encode(&tables)));
        let state_of_all = state(&objects);
        assert_eq!(slots(&state_of_all), [(1, b"new".to_vec()), (2, b"two".to_vec())]);
        let whole = payload(encode_merged(&state_of_all, true, 0));
        let again = state(&[whole.clone()]);
        assert_eq!(payload(encode_merged(&again, true, 0)), whole);
        let torn = whole.slice(..whole.len() - 1);
        assert!(apply(&torn, &mut ShardState::default()).is_err());
    }

    #[test]
    fn changes_can_be_merged_without_what_they_change() {
        let objects = [
            table(&[(0, Some(b"a")), (1, Some(b"b")), (2, Some(b"c")), (4, Some(b"e"))], true),
            table(&[(1, None), (2, Some(b"C"))], false),
            table(&[(3, Some(b"d")), (0, None)], false),
            table(&[(0, Some(b"A")), (4, None)], false),
        ];
        let objects = objects.map(|tables| payload(encode(&tables)));
        let all = slots(&state(&objects));
        assert_eq!(all.len(), 3);
        for from in 1..objects.len() {
            for to in from + 1..=objects.len() {
                let merged = payload(encode_merged(&state(&objects[from..to]), false, 0));
                let chain = [&objects[..from], &[merged], &objects[to..]].concat();
                assert_eq!(slots(&state(&chain)), all, "{from}..{to}");
            }
        }
    }
}
