//! Newline-delimited JSON into columns, guided by the schema.
//!
//! Records of one stream mostly repeat each other: the same keys in the same order with the same
//! white space. So the reader learns, from a record that it read the careful way, the bytes that
//! stand between the values (a [`Layout`]), and takes the next record by comparing those bytes and
//! reading the values between them. Values are read by the same code on both ways, so that a
//! layout can decide *where* a value is, never *what* it is. Any difference at all, and the
//! record is taken back and read the careful way, which knows everything: other orders, missing,
//! unknown and double keys, escapes, white space.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use memchr::{memchr, memrchr};
use rialto_engine::EngineError;

use super::cursor::{Cursor, Parsed};
use super::value::{Rules, Values};
use crate::error::{ConnectorError, Result};
use crate::format::column::{Slot, no_type};
use crate::format::{BATCH_BYTES_MAX, BadRecord, Decoder, Progress, ReadColumns};

/// How many bytes are checked to be UTF-8 at once, so that they are still near when they are read.
const WINDOW: usize = 64 << 10;
/// How many layouts are kept: records with optional keys come in a few shapes.
const LAYOUTS_MAX: usize = 4;
/// After so many records in a row that no layout fits, learning is left to every 16th record.
const PATIENCE: u32 = 32;

/// The bytes between the values of a record.
#[derive(Debug, Default)]
struct Layout {
    members: Vec<Member>,
    /// What follows the last value, up to the end of the line.
    tail: Bytes,
    /// Columns that the record has no member for.
    missing: Vec<usize>,
}

#[derive(Debug)]
struct Member {
    /// What stands before the value: `{"id":` or `, "id": `.
    before: Bytes,
    /// The column that takes the value, or none.
    slot: Option<usize>,
}

/// Bytes to compare with. Up to 16 of them are one word, because calling a comparison costs more
/// than the comparison.
#[derive(Debug, Default)]
struct Bytes {
    all: Vec<u8>,
    word: u128,
    mask: u128,
}

impl Bytes {
    fn new(all: &[u8]) -> Self {
        let mut word = [0; 16];
        let len = all.len().min(16);
        word[..len].copy_from_slice(&all[..len]);
        let mask = if len == 16 { u128::MAX } else { (1 << (8 * len)) - 1 };
        Self { all: all.to_vec(), word: u128::from_le_bytes(word), mask }
    }

    fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether they stand at `at`.
    #[inline]
    fn are_at(&self, bytes: &[u8], at: usize) -> bool {
        let Some(rest) = bytes.get(at..) else { return false };
        match rest.first_chunk::<16>() {
            Some(chunk) => {
                u128::from_le_bytes(*chunk) & self.mask == self.word
                    && (self.all.len() <= 16 || rest.starts_with(&self.all))
            }
            None => rest.starts_with(&self.all),
        }
    }
}

/// Reads newline-delimited JSON. See the module's documentation.
#[derive(Debug)]
pub struct JsonDecoder {
    schema: SchemaRef,
    slots: Vec<Slot>,
    values: Values,
    layouts: Vec<Layout>,
    misses: u32,
    not_null: Vec<usize>,
    rows: usize,
    bytes: usize,
    dropped: u64,
    file_start: bool,
    use_layouts: bool,
}

impl JsonDecoder {
    pub(super) fn new(columns: &ReadColumns, rules: Rules) -> Result<Self> {
        let schema = columns.schema();
        let slots = schema
            .fields()
            .iter()
            .map(|field| {
                Slot::new(field).map_err(|data_type| {
                    ConnectorError::new(format!("column '{}' cannot be read", field.name()))
                        .detail(no_type("json", &data_type))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let not_null = (0..slots.len()).filter(|&i| !slots[i].field.is_nullable()).collect();
        Ok(Self {
            schema,
            slots,
            values: Values { rules, ignored: 0 },
            layouts: Vec::new(),
            misses: 0,
            not_null,
            rows: 0,
            bytes: 0,
            dropped: 0,
            file_start: true,
            use_layouts: true,
        })
    }

    /// Turns the fast way off, to compare it with the careful one.
    #[cfg(test)]
    pub(super) fn careful_only(mut self) -> Self {
        self.use_layouts = false;
        self
    }

    /// Decodes whole lines of valid UTF-8 until enough rows are waiting; answers the bytes taken.
    fn lines(
        &mut self,
        window: &[u8],
        rows_max: usize,
        base: Progress,
        bad: &mut Vec<BadRecord>,
    ) -> Progress {
        let mut done = Progress::default();
        while done.consumed < window.len() && self.rows < rows_max {
            let at = done.consumed;
            done.lines += 1;
            if let Some(end) = self.fast(window, at) {
                self.rows += 1;
                done.consumed = end;
                continue;
            }
            let end = memchr(b'\n', &window[at..]).map_or(window.len(), |i| at + i);
            done.consumed = (end + 1).min(window.len());
            if let Err(reason) = self.careful(&window[at..end]) {
                let place =
                    Progress { consumed: base.consumed + at, lines: base.lines + done.lines - 1 };
                self.reject(&window[at..end], place, &reason.0, bad);
            }
        }
        done
    }

    fn reject(&mut self, line: &[u8], at: Progress, reason: &str, bad: &mut Vec<BadRecord>) {
        if self.values.rules.ignore_errors {
            self.dropped += 1;
            return;
        }
        let bytes = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        let (offset, line) = (at.consumed, at.lines);
        bad.push(BadRecord { offset, line, reason: reason.to_owned(), bytes });
    }

    /// Reads the record at `at` along a layout; answers where the next one starts, or `None` if no
    /// layout fits (and then no column has changed).
    #[inline]
    fn fast(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        for index in 0..self.layouts.len() {
            let layout = &self.layouts[index];
            // Most records differ at the very first key, if at all.
            let first = layout.members.first()?;
            if !first.before.are_at(bytes, at) {
                continue;
            }
            let ignored = self.values.ignored;
            let end = along(layout, &mut self.slots, &mut self.values, bytes, at);
            if let Some(end) = end
                && !self.not_null.iter().any(|&i| self.slots[i].breaks_not_null())
            {
                self.misses = 0;
                if index > 0 {
                    self.layouts.swap(0, index);
                }
                return Some(end);
            }
            self.values.ignored = ignored;
            self.take_back();
        }
        None
    }

    fn take_back(&mut self) {
        let rows = self.rows;
        self.slots.iter_mut().for_each(|slot| slot.column.truncate(rows));
    }

    /// Reads one line the careful way, and learns its layout.
    fn careful(&mut self, line: &[u8]) -> Parsed<()> {
        let ignored = self.values.ignored;
        let mut cursor = Cursor { bytes: line, at: 0 };
        cursor.skip_space();
        if cursor.at == line.len() {
            return Ok(());
        }
        let mut layout = Layout::default();
        match self.object(&mut cursor, &mut layout) {
            Ok(()) => {
                self.rows += 1;
                self.learn(layout);
                Ok(())
            }
            Err(reason) => {
                self.values.ignored = ignored;
                self.take_back();
                Err(reason)
            }
        }
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, layout: &mut Layout) -> Parsed<()> {
        if cursor.peek() != b'{' {
            return Err(cursor.expected("an object, one a line"));
        }
        let line = cursor.bytes;
        let keep = self.use_layouts && (self.misses < PATIENCE || self.misses.is_multiple_of(16));
        self.misses = self.misses.saturating_add(1);
        let mut last_end = 0;
        self.values.members(&mut self.slots, self.rows, cursor, |start, end, slot| {
            if keep {
                let before = Bytes::new(&line[last_end..start]);
                layout.members.push(Member { before, slot });
                last_end = end;
            }
        })?;
        cursor.skip_space();
        if cursor.at != line.len() {
            return Err(cursor.expected("the end of the record"));
        }
        layout.tail = Bytes::new(&line[last_end..]);
        Ok(())
    }

    fn learn(&mut self, mut layout: Layout) {
        if layout.members.is_empty() {
            return;
        }
        let mut seen = vec![false; self.slots.len()];
        for slot in layout.members.iter().filter_map(|m| m.slot) {
            if std::mem::replace(&mut seen[slot], true) {
                return;
            }
        }
        layout.missing = (0..seen.len()).filter(|&i| !seen[i]).collect();
        self.layouts.truncate(LAYOUTS_MAX - 1);
        self.layouts.insert(0, layout);
    }
}

/// Reads a record along a layout; answers where the next record starts.
#[inline]
fn along(
    layout: &Layout,
    slots: &mut [Slot],
    values: &mut Values,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let mut cursor = Cursor { bytes, at };
    for member in &layout.members {
        if !member.before.are_at(bytes, cursor.at) {
            return None;
        }
        cursor.at += member.before.len();
        match member.slot {
            Some(slot) => values.read(&mut slots[slot].column, &mut cursor).ok()?,
            None => cursor.skip_value().ok()?,
        }
    }
    if !layout.tail.are_at(bytes, cursor.at) {
        return None;
    }
    cursor.at += layout.tail.len();
    for &slot in &layout.missing {
        slots[slot].column.push_null();
    }
    match bytes.get(cursor.at) {
        Some(b'\n') => Some(cursor.at + 1),
        Some(_) => None,
        None => Some(cursor.at),
    }
}

impl Decoder for JsonDecoder {
    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> Result<Progress, String> {
        let whole = if last { input.len() } else { memrchr(b'\n', input).map_or(0, |i| i + 1) };
        let mut done = Progress::default();
        if self.rows == 0 {
            // What came to nothing fills no batch.
            self.bytes = 0;
        }
        if self.file_start && (whole >= 3 || last) {
            self.file_start = false;
            done.consumed = if input.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        }
        while done.consumed < whole && self.rows < rows_max && self.bytes < BATCH_BYTES_MAX {
            let rest = &input[done.consumed..whole];
            let window = &rest[..window_end(rest)];
            // Most text is ASCII, which is found out at less cost.
            let ascii = window.iter().fold(0, |all, byte| all | byte) < 0x80;
            let good = match std::str::from_utf8(if ascii { b"" } else { window }) {
                Ok(_) => window.len(),
                Err(e) => memrchr(b'\n', &window[..e.valid_up_to()]).map_or(0, |i| i + 1),
            };
            let step = self.lines(&window[..good], rows_max, done, bad);
            done.consumed += step.consumed;
            done.lines += step.lines;
            self.bytes += step.consumed;
            if step.consumed == good && good < window.len() {
                let rest = &window[good..];
                let end = memchr(b'\n', rest).unwrap_or(rest.len());
                self.reject(&rest[..end], done, "the record is not valid UTF-8", bad);
                done.consumed += (end + 1).min(rest.len());
                done.lines += 1;
            }
        }
        Ok(done)
    }

    fn decode_record(&mut self, record: &[u8]) -> Result<(), String> {
        let record = super::one_line(record)?;
        self.file_start = true;
        let mut bad = Vec::new();
        let done = self.decode(&record, true, usize::MAX, &mut bad)?;
        match bad.into_iter().next() {
            Some(bad) => Err(bad.reason),
            None if done.consumed < record.len() => Err("the batch is full".into()),
            None => Ok(()),
        }
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn finish(&mut self) -> rialto_engine::Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.slots.len());
        for slot in &mut self.slots {
            arrays.push(slot.finish().map_err(|e| EngineError::Internal(e.to_string()))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|e| EngineError::Internal(e.to_string()))
    }

    fn start_file(&mut self) {
        self.file_start = true;
    }

    fn ignored(&self) -> u64 {
        self.dropped + self.values.ignored
    }
}

/// The end of a window of whole lines; one line that is longer than a window is a window.
fn window_end(rest: &[u8]) -> usize {
    if rest.len() <= WINDOW {
        return rest.len();
    }
    match memrchr(b'\n', &rest[..WINDOW]) {
        Some(i) => i + 1,
        None => memchr(b'\n', &rest[WINDOW..]).map_or(rest.len(), |i| WINDOW + i + 1),
    }
}
