//! The last record of every key of a partition, for `upsert-kafka` as a source.
//!
//! A record of a topic that is read this way says what the row of its key is from now on; one
//! without a value says that there is no such row any more. To take the old row back one has to
//! know it, so the last record of each key is kept as it was: its bytes, not its row, because they
//! mean the same to every later version of the table and of Rialto. The old row is made by reading
//! the old bytes again.
//!
//! The records are a part of the reader's position: the topic itself cannot give them back, since
//! compaction may have removed the record that was last when the position was taken.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldhash::fast::RandomState;

use super::decode::About;

/// The level of compression of a position.
const LEVEL: i32 = 1;

/// What was last said of a key.
#[derive(Debug, Clone)]
pub(super) struct Last {
    pub value: Box<[u8]>,
    pub about: About,
}

/// The last record of every key.
#[derive(Debug, Default)]
pub(super) struct LastRecords {
    by_key: HashMap<Box<[u8]>, Last, RandomState>,
}

impl LastRecords {
    pub fn get(&self, key: &[u8]) -> Option<&Last> {
        self.by_key.get(key)
    }

    pub fn put(&mut self, key: &[u8], value: &[u8], about: About) {
        let last = Last { value: value.into(), about };
        match self.by_key.get_mut(key) {
            Some(place) => *place = last,
            None => drop(self.by_key.insert(key.into(), last)),
        }
    }

    pub fn remove(&mut self, key: &[u8]) {
        self.by_key.remove(key);
    }

    /// The records as text, for a position.
    pub fn encode(&self) -> Result<String, String> {
        let mut bytes = Vec::new();
        for (key, last) in &self.by_key {
            put_bytes(&mut bytes, key);
            put_bytes(&mut bytes, &last.value);
            let (ms, by_broker) = last.about.timestamp.unwrap_or((i64::MIN, false));
            bytes.extend_from_slice(&last.about.offset.to_le_bytes());
            bytes.extend_from_slice(&ms.to_le_bytes());
            bytes.push(by_broker.into());
            bytes.extend_from_slice(&last.about.leader_epoch.unwrap_or(-1).to_le_bytes());
        }
        let packed = zstd::bulk::compress(&bytes, LEVEL).map_err(|e| e.to_string())?;
        Ok(format!("{}:{}", bytes.len(), STANDARD.encode(packed)))
    }

    /// The records of a text that [`encode`](Self::encode) made.
    pub fn decode(text: &str) -> Result<Self, String> {
        let broken = || "the records of the position are broken".to_owned();
        let (len, packed) = text.split_once(':').ok_or_else(broken)?;
        let packed = STANDARD.decode(packed).map_err(|_| broken())?;
        let len: usize = len.parse().map_err(|_| broken())?;
        let bytes = zstd::bulk::decompress(&packed, len).map_err(|_| broken())?;
        let mut rest = bytes.as_slice();
        let mut records = Self::default();
        while !rest.is_empty() {
            let key = take_bytes(&mut rest).ok_or_else(broken)?;
            let value = take_bytes(&mut rest).ok_or_else(broken)?;
            let offset = i64::from_le_bytes(take(&mut rest).ok_or_else(broken)?);
            let ms = i64::from_le_bytes(take(&mut rest).ok_or_else(broken)?);
            let [by_broker] = take(&mut rest).ok_or_else(broken)?;
            let epoch = i32::from_le_bytes(take(&mut rest).ok_or_else(broken)?);
            let timestamp = (ms != i64::MIN).then_some((ms, by_broker != 0));
            let leader_epoch = (epoch >= 0).then_some(epoch);
            records.put(key, value, About { offset, timestamp, leader_epoch });
        }
        Ok(records)
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_bytes<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let len = usize::try_from(u64::from_le_bytes(take(rest)?)).ok()?;
    let (bytes, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_from_a_position() {
        let mut records = LastRecords::default();
        let about = About { offset: 7, timestamp: Some((9, true)), leader_epoch: Some(3) };
        records.put(b"a", b"old", About::default());
        records.put(b"a", b"new", about);
        records.put(b"b", b"", About::default());
        records.put(b"gone", b"x", about);
        records.remove(b"gone");
        let back = LastRecords::decode(&records.encode().unwrap()).unwrap();
        assert_eq!(back.by_key.len(), 2);
        let last = back.get(b"a").unwrap();
        assert_eq!((&last.value[..], last.about.timestamp), (&b"new"[..], Some((9, true))));
        assert_eq!(back.get(b"b").unwrap().about.leader_epoch, None);
        assert!(LastRecords::decode("9:AAAA").is_err());
        assert!(LastRecords::decode("").is_err());
    }
}
