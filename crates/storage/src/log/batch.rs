//! The form of a batch.
//!
//! ```text
//! length u32 | crc u32 | sequence u64 | time i64 | producer 16 | epoch u64 | part u32 |
//! number of sections u16 | sections
//! section: partition u32 | first offset u64 | records u32 | flags u8 |
//!          keys: bytes u32, each: length + 1 or 0 for none u32, bytes |
//!          ids: 16 each | lengths: u32 each | values: bytes u32, each followed by a line end
//! ```
//!
//! Numbers are little-endian. The checksum is over the length and all that follows it. Values stand
//! as lines, so that a format of lines decodes them where they are; lengths are there only where a
//! value holds a line end itself.

use std::collections::BTreeMap;

use super::error::{LogError, Result};

/// A batch is at most so large.
pub(super) const FRAME_BYTES_MAX: usize = 512 << 20;
/// Length and checksum.
pub(super) const PREFIX_BYTES: usize = 8;
/// Sequence to number of sections.
const HEAD_BYTES: usize = 46;

const KEYS: u8 = 1;
const IDS: u8 = 2;
const LENGTHS: u8 = 4;

/// Records of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    count: u32,
    keys: Vec<u8>,
    has_keys: bool,
    ids: Vec<u128>,
    has_ids: bool,
    lengths: Vec<u32>,
    has_line_ends: bool,
    values: Vec<u8>,
}

impl Records {
    /// Adds a record. An id that is not zero marks the event for those who look for repetitions.
    pub fn push(&mut self, key: Option<&[u8]>, id: u128, value: &[u8]) {
        self.count += 1;
        let length = key.map_or(0, |k| k.len() as u32 + 1);
        self.keys.extend_from_slice(&length.to_le_bytes());
        self.keys.extend_from_slice(key.unwrap_or_default());
        self.has_keys |= key.is_some();
        self.ids.push(id);
        self.has_ids |= id != 0;
        self.lengths.push(value.len() as u32);
        self.has_line_ends |= value.contains(&b'\n');
        self.values.extend_from_slice(value);
        self.values.push(b'\n');
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.values.len() + self.keys.len() + 16 * self.ids.len() + 64
    }

    pub(super) fn ids(&self) -> &[u128] {
        &self.ids
    }

    /// The records of a section, to be written again.
    fn of(section: &Section<'_>) -> Self {
        let block = section.to_block(0);
        let mut records = Self::default();
        let ids = section.ids.map(|ids| ids.chunks_exact(16).map(id).collect::<Vec<_>>());
        for (at, (range, key)) in block.ranges().into_iter().zip(block.keys()).enumerate() {
            let id = ids.as_ref().and_then(|ids| ids.get(at)).copied().unwrap_or(0);
            records.push(key, id, &block.values[range]);
        }
        records
    }

    fn encode(&self, partition: u32, first: u64, out: &mut Vec<u8>) {
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        out.extend_from_slice(&partition.to_le_bytes());
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.push(
            flag(self.has_keys, KEYS) | flag(self.has_ids, IDS) | flag(self.has_line_ends, LENGTHS),
        );
        if self.has_keys {
            out.extend_from_slice(&(self.keys.len() as u32).to_le_bytes());
            out.extend_from_slice(&self.keys);
        }
        if self.has_ids {
            self.ids.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
        }
        if self.has_line_ends {
            self.lengths.iter().for_each(|length| out.extend_from_slice(&length.to_le_bytes()));
        }
        out.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.values);
    }
}

/// Who wrote a batch, so that a repetition is recognised: parts of an epoch are written in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Producer {
    /// Another one for every run that starts anew; zeros for nobody.
    pub id: [u8; 16],
    /// The epoch that the rows belong to.
    pub epoch: u64,
    /// Which batch of the epoch it is.
    pub part: u32,
}

/// The records that are written together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The records, by partition.
    pub records: BTreeMap<u32, Records>,
    /// Who writes them.
    pub producer: Producer,
}

impl Batch {
    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.records.values().map(Records::bytes).sum::<usize>() + PREFIX_BYTES + HEAD_BYTES
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.values().map(Records::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.values().all(Records::is_empty)
    }

    /// Appends the batch in a form that [`Batch::read`] reads, for what is kept beside a log.
    pub fn write(&self, partitions: u32, out: &mut Vec<u8>) -> Result<()> {
        self.check(partitions)?;
        self.encode(0, 0, &mut vec![0; partitions as usize], out);
        Ok(())
    }

    /// The batch that `bytes` start with, and how many bytes it takes; `None` where there is no
    /// whole one.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let found = frame(bytes).ok()?;
        let sections = found.sections()?;
        let records = sections.iter().map(|s| (s.partition, Records::of(s))).collect();
        Some((Self { records, producer: found.head.producer }, found.bytes))
    }

    /// Refuses what does not fit into a frame, or into the log.
    pub(super) fn check(&self, partitions: u32) -> Result<()> {
        if let Some((&partition, _)) = self.records.last_key_value()
            && partition >= partitions
        {
            return Err(LogError::NoPartition { partition, partitions });
        }
        let (bytes, limit) = (self.bytes(), FRAME_BYTES_MAX);
        if bytes > limit { Err(LogError::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    /// Appends the batch's frame and moves the offsets of its partitions.
    pub(super) fn encode(&self, sequence: u64, time: i64, next: &mut [u64], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX_BYTES]);
        out.extend_from_slice(&sequence.to_le_bytes());
        out.extend_from_slice(&time.to_le_bytes());
        out.extend_from_slice(&self.producer.id);
        out.extend_from_slice(&self.producer.epoch.to_le_bytes());
        out.extend_from_slice(&self.producer.part.to_le_bytes());
        let sections = self.records.iter().filter(|(_, records)| !records.is_empty());
        out.extend_from_slice(&(sections.clone().count() as u16).to_le_bytes());
        for (&partition, records) in sections {
            let next = &mut next[partition as usize];
            records.encode(partition, *next, out);
            *next += u64::from(records.count);
        }
        let length = (out.len() - start - PREFIX_BYTES) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        let crc = checksum(&out[start..start + 4], &out[start + PREFIX_BYTES..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }
}

fn checksum(length: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), body)
}

/// What stands at the head of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub sequence: u64,
    pub time: i64,
    pub producer: Producer,
}

/// A frame that was found whole.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub head: Head,
    /// Length, checksum and body.
    pub bytes: usize,
    sections: u16,
    body: &'a [u8],
}

/// Why there is no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// So many bytes are needed to know more.
    Short(usize),
    /// What stands there is no frame.
    Broken(&'static str),
}

/// The frame that `bytes` start with.
pub(super) fn frame(bytes: &[u8]) -> Result<Frame<'_>, NoFrame> {
    let Some(prefix) = bytes.get(..PREFIX_BYTES) else {
        return Err(NoFrame::Short(PREFIX_BYTES));
    };
    let length = word(prefix, 0) as usize;
    if !(HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Err(NoFrame::Broken("its length is none"));
    }
    let Some(body) = bytes.get(PREFIX_BYTES..PREFIX_BYTES + length) else {
        return Err(NoFrame::Short(PREFIX_BYTES + length));
    };
    if checksum(&prefix[..4], body) != word(prefix, 4) {
        return Err(NoFrame::Broken("it does not fit its checksum"));
    }
    let mut id = [0; 16];
    id.copy_from_slice(&body[16..32]);
    let producer = Producer { id, epoch: long(body, 32), part: word(body, 40) };
    let head = Head { sequence: long(body, 0), time: long(body, 8) as i64, producer };
    let sections = u16::from_le_bytes([body[44], body[45]]);
    Ok(Frame { head, bytes: PREFIX_BYTES + length, sections, body: &body[HEAD_BYTES..] })
}

impl<'a> Frame<'a> {
    /// The sections; `None` where they do not fit their frame.
    pub fn sections(&self) -> Option<Vec<Section<'a>>> {
        let mut rest = self.body;
        let mut sections = Vec::with_capacity(usize::from(self.sections));
        for _ in 0..self.sections {
            sections.push(Section::read(&mut rest)?);
        }
        rest.is_empty().then_some(sections)
    }
}

/// The records of one partition, where they stand.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub partition: u32,
    pub first: u64,
    pub count: u32,
    keys: Option<&'a [u8]>,
    ids: Option<&'a [u8]>,
    lengths: Option<&'a [u8]>,
    values: &'a [u8],
}

impl<'a> Section<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let head = take(rest, 17)?;
        let (partition, first, count) = (word(head, 0), long(head, 4), word(head, 12));
        let flags = head[16];
        let records = count as usize;
        let mut sized = |there: bool| -> Option<Option<&'a [u8]>> {
            if !there {
                return Some(None);
            }
            let length = word(take(rest, 4)?, 0) as usize;
            take(rest, length).map(Some)
        };
        let keys = sized(flags & KEYS != 0)?;
        let ids = match flags & IDS != 0 {
            true => Some(take(rest, records.checked_mul(16)?)?),
            false => None,
        };
        let lengths = match flags & LENGTHS != 0 {
            true => Some(take(rest, records.checked_mul(4)?)?),
            false => None,
        };
        let length = word(take(rest, 4)?, 0) as usize;
        let values = take(rest, length)?;
        Some(Self { partition, first, count, keys, ids, lengths, values })
    }

    /// The offset after the last record.
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// The ids of the records that have one.
    pub fn ids(&self) -> impl Iterator<Item = u128> + 'a {
        let each = self.ids.unwrap_or_default().chunks_exact(16);
        each.map(id).filter(|&id| id != 0)
    }

    /// The records, to be kept.
    pub fn to_block(&self, time: i64) -> Block {
        let words = |b: &[u8]| b.chunks_exact(4).map(|b| word(b, 0)).collect();
        Block {
            partition: self.partition,
            first: self.first,
            count: self.count,
            time,
            keys: self.keys.map(<[u8]>::to_vec),
            lengths: self.lengths.map(words),
            values: self.values.to_vec(),
        }
    }
}

/// Records that were read: of one batch and one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The partition.
    pub partition: u32,
    /// The offset of the first record.
    pub first: u64,
    /// How many records there are.
    pub count: u32,
    /// When they were written, in epoch milliseconds.
    pub time: i64,
    keys: Option<Vec<u8>>,
    lengths: Option<Vec<u32>>,
    /// The values, each followed by a line end.
    pub values: Vec<u8>,
}

impl Block {
    /// Whether each record is one line of `values`.
    pub fn is_lines(&self) -> bool {
        self.lengths.is_none()
    }

    /// The places of the values of the records in `values`, without their line ends.
    pub fn ranges(&self) -> Vec<std::ops::Range<usize>> {
        let mut start = 0;
        let mut range = |length: usize| {
            let end = (start + length).min(self.values.len());
            let range = start.min(end)..end;
            start = end + 1;
            range
        };
        match &self.lengths {
            Some(lengths) => lengths.iter().map(|&l| range(l as usize)).collect(),
            None => {
                let mut ranges = Vec::with_capacity(self.count as usize);
                let mut start = 0;
                for (end, _) in self.values.iter().enumerate().filter(|(_, b)| **b == b'\n') {
                    ranges.push(start..end);
                    start = end + 1;
                }
                ranges
            }
        }
    }

    /// The keys of the records.
    pub fn keys(&self) -> Vec<Option<&[u8]>> {
        let Some(keys) = &self.keys else { return vec![None; self.count as usize] };
        let mut rest = keys.as_slice();
        let mut found = Vec::with_capacity(self.count as usize);
        for _ in 0..self.count {
            let length = take(&mut rest, 4).map_or(0, |b| word(b, 0) as usize);
            found.push(length.checked_sub(1).and_then(|length| take(&mut rest, length)));
        }
        found
    }
}

fn id(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |id, &b| id << 8 | u128::from(b))
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}
