//! The rows of an epoch: gathered, one for each key, and as they lie in the checkpoint.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

/// What stands before the rows of a binary `COPY`: its signature, no flags, no extension.
pub(super) const COPY_START: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What stands behind them.
pub(super) const COPY_END: [u8; 2] = (-1i16).to_be_bytes();

/// Rows that were replaced are thrown out when they are so many bytes, and most of all.
const DEAD_BYTES_MAX: usize = 32 << 20;

/// Rows on their way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    by_key: HashMap<Box<[u8]>, usize, RandomState>,
    dead_bytes: usize,
}

#[derive(Debug, Clone)]
struct Row {
    /// The cells.
    place: Range<usize>,
    deletes: bool,
}

/// What is kept of an epoch, before its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Names the run: epochs are counted anew by a job that begins anew.
    pub run: String,
    pub epoch: u64,
    pub rows: u64,
    pub deletes: u64,
    /// The columns and their forms; rows of others are not ours.
    pub form: String,
}

impl Outbox {
    /// Adds a row: its cells, and its key where rows of one key replace one another.
    pub fn push(&mut self, key: Option<&[u8]>, cells: &[u8], deletes: bool) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(cells);
        let row = Row { place: start..self.bytes.len(), deletes };
        let Some(key) = key else { return self.rows.push(row) };
        match self.by_key.get(key) {
            Some(&at) => {
                let old = std::mem::replace(&mut self.rows[at], row);
                self.dead_bytes += old.place.len();
                if self.dead_bytes > DEAD_BYTES_MAX && self.dead_bytes * 2 > self.bytes.len() {
                    self.compact();
                }
            }
            None => {
                self.by_key.insert(key.into(), self.rows.len());
                self.rows.push(row);
            }
        }
    }

    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.dead_bytes);
        for row in &mut self.rows {
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[row.place.clone()]);
            row.place = start..bytes.len();
        }
        self.bytes = bytes;
        self.dead_bytes = 0;
    }

    /// Takes all rows, in the form that is kept: a line of JSON, then what `COPY` takes. Every row
    /// has its number and whether it deletes before its `columns` cells.
    pub fn take(&mut self, run: &str, epoch: u64, form: &str, columns: usize) -> Vec<u8> {
        let taken = std::mem::take(self);
        if taken.rows.is_empty() {
            return Vec::new();
        }
        let header = Header {
            run: run.into(),
            epoch,
            rows: taken.rows.len() as u64,
            deletes: taken.rows.iter().filter(|r| r.deletes).count() as u64,
            form: form.into(),
        };
        let mut out = serde_json::to_vec(&header).unwrap_or_default();
        out.push(b'\n');
        out.reserve(taken.bytes.len() - taken.dead_bytes + taken.rows.len() * 20);
        let fields = (columns as i16 + 2).to_be_bytes();
        for (number, row) in taken.rows.iter().enumerate() {
            out.extend_from_slice(&fields);
            out.extend_from_slice(&8i32.to_be_bytes());
            out.extend_from_slice(&(number as i64).to_be_bytes());
            out.extend_from_slice(&1i32.to_be_bytes());
            out.push(u8::from(row.deletes));
            out.extend_from_slice(&taken.bytes[row.place.clone()]);
        }
        out
    }
}

impl Header {
    /// The header of what a checkpoint keeps, and the rows; `None` where there are none.
    pub fn read(kept: &[u8]) -> Result<Option<(Self, &[u8])>, String> {
        if kept.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', kept).ok_or("it has no header")?;
        let header = serde_json::from_slice(&kept[..end]).map_err(|e| e.to_string())?;
        Ok(Some((header, &kept[end + 1..])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_key_replace_one_another_and_others_do_not() {
        let mut outbox = Outbox::default();
        assert!(outbox.take("r", 1, "f", 1).is_empty());
        outbox.push(Some(b"a"), b"1111", false);
        outbox.push(Some(b"b"), b"2222", false);
        outbox.push(Some(b"a"), b"3333", true);
        let kept = outbox.take("r", 7, "f", 1);
        let (header, rows) = Header::read(&kept).unwrap().unwrap();
        assert_eq!((header.rows, header.deletes, header.epoch), (2, 1, 7));
        let row = 2 + 4 + 8 + 4 + 1 + 4;
        assert_eq!(rows.len(), 2 * row);
        assert_eq!(&rows[row - 4..row], b"3333");
        assert_eq!(rows[row - 5], 1, "the row of a deletes");
        outbox.push(None, b"1", false);
        outbox.push(None, b"1", false);
        let kept = outbox.take("r", 8, "f", 1);
        assert_eq!(Header::read(&kept).unwrap().unwrap().0.rows, 2);
        assert!(Header::read(b"nonsense").is_err());
    }

    #[test]
    fn what_was_replaced_is_thrown_out() {
        let mut outbox = Outbox::default();
        let cells = vec![7; 1 << 20];
        for _ in 0..100 {
            outbox.push(Some(b"a"), &cells, false);
        }
        assert!(outbox.bytes.len() < 80 << 20, "{}", outbox.bytes.len());
        assert!(outbox.take("r", 1, "f", 1).ends_with(&cells));
    }
}
