//! Reads splits of files into rows.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use memchr::memchr;
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader};
use serde_json::{Value, json};

use super::columns::Assembly;
use super::compression::{self, Compression};
use super::options::OnError;
use super::paths::FoundFile;
use super::queue::{Queue, Split};
use crate::format::parquet::{ParquetFile, Unreadable};
use crate::format::{BadRecord, Decoder};

/// How much is read from a file at once.
const CHUNK: usize = 1 << 20;
/// A record that is longer than this is taken for a broken file.
const RECORD_BYTES_MAX: usize = 256 << 20;
/// A poll that met only bad records comes back after so many bytes.
const POLL_BYTES_MAX: u64 = 64 << 20;

/// How a reader turns the bytes of a file into rows.
pub(super) enum Decoding {
    Text(Box<dyn Decoder>),
    Parquet(crate::format::ReadColumns),
}

/// Reads one share of a table's files.
pub(super) struct FileReader {
    pub queue: Arc<Mutex<Queue>>,
    pub decoding: Decoding,
    pub assembly: Arc<Assembly>,
    pub on_error: OnError,
    pub open: Option<OpenSplit>,
    /// Splits that were begun before a restart.
    pub resumed: Vec<Resume>,
    /// What was read to its end: path and start.
    pub done: Vec<(String, u64)>,
    pub dead: Vec<DeadLetter>,
    pub bounded: bool,
    pub buffer: Vec<u8>,
    /// How many bytes it has read, unpacked; of Parquet the whole files.
    pub bytes: u64,
}

/// A split and how far it was read.
#[derive(Debug, Clone)]
pub(super) struct Resume {
    split: Split,
    /// For text the offset of the next record, for Parquet the number of rows that were read.
    offset: u64,
    lines: u64,
}

/// A split that is being read.
pub(super) struct OpenSplit {
    at: Resume,
    content: Content,
}

enum Content {
    Text(TextContent),
    Parquet(ParquetFile),
}

/// The bytes of the reader's buffer in `start..filled` are the next ones of the file.
struct TextContent {
    reader: Box<dyn Read + Send>,
    start: usize,
    filled: usize,
    end_of_file: bool,
    /// The first, partial record belongs to the split before.
    skip_first: bool,
    packed: bool,
    /// Why what follows cannot be unpacked.
    broken: Option<String>,
}

impl FileReader {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        // A reader that panicked cannot have left the queue half changed.
        self.queue.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Opens the next split; `false` if there is none now.
    fn open_next(&mut self) -> rialto_engine::Result<bool> {
        let at = match self.resumed.pop() {
            Some(resume) => resume,
            None => {
                let Some(split) = self.queue().next()? else { return Ok(false) };
                let offset =
                    if matches!(self.decoding, Decoding::Text(_)) { split.start } else { 0 };
                Resume { split, offset, lines: 0 }
            }
        };
        let place = self.place(&at.split.file);
        let failed = |e: &dyn ToString| EngineError::source(place.clone(), e.to_string());
        let path = &at.split.file.path;
        let content = match &mut self.decoding {
            Decoding::Parquet(columns) => {
                self.bytes += std::fs::metadata(path).map_or(0, |m| m.len());
                match ParquetFile::open(path, columns, at.offset) {
                    Ok(file) => Content::Parquet(file),
                    Err(Unreadable::Refused(reason)) => return Err(failed(&reason)),
                    Err(Unreadable::Content(reason)) => {
                        self.bury_file(place, reason)?;
                        self.done.push((path.to_string_lossy().into_owned(), at.split.start));
                        return Ok(true);
                    }
                }
            }
            Decoding::Text(decoder) => {
                let packed = Compression::of(path).map_err(|e| failed(&e))?;
                let skip_first = at.offset == at.split.start && at.split.start > 0;
                let from = at.offset - u64::from(skip_first);
                let reader = compression::open(path, packed, from).map_err(|e| failed(&e))?;
                decoder.start_file();
                if from > 0 && decoder.needs_header() {
                    read_header(decoder.as_mut(), path, packed).map_err(|e| failed(&e))?;
                }
                let (start, filled) = (0, 0);
                Content::Text(TextContent {
                    reader,
                    start,
                    filled,
                    end_of_file: false,
                    skip_first,
                    packed: packed != Compression::None,
                    broken: None,
                })
            }
        };
        self.open = Some(OpenSplit { at, content });
        Ok(true)
    }

    fn place(&self, file: &FoundFile) -> String {
        self.assembly.shown(&file.path)
    }

    /// Decodes from the open split until enough rows are waiting or the split ends; answers whether
    /// it ended.
    fn advance(&mut self, rows_max: usize, parts: &mut Parts) -> rialto_engine::Result<bool> {
        let Some(mut open) = self.open.take() else { return Ok(true) };
        let ended = match &mut open.content {
            Content::Parquet(file) => {
                let wanted = rows_max.saturating_sub(parts.rows);
                match file.next(wanted) {
                    Ok(Some(batch)) => {
                        open.at.offset += batch.num_rows() as u64;
                        parts.add(self.assembly.assemble(batch, &open.at.split.file)?);
                        false
                    }
                    Ok(None) => true,
                    Err(Unreadable::Refused(reason)) => {
                        return Err(EngineError::source(self.place(&open.at.split.file), reason));
                    }
                    Err(Unreadable::Content(reason)) => {
                        let place = self.place(&open.at.split.file);
                        self.bury_file(format!("{place}, behind row {}", open.at.offset), reason)?;
                        true
                    }
                }
            }
            Content::Text(text) => {
                let ended = self.advance_text(text, &mut open.at, rows_max, parts)?;
                if let Some(reason) = text.broken.take_if(|_| ended) {
                    // What is left of a record is kept with it, as far as it could be unpacked.
                    let bytes = self.buffer[text.start..text.filled].to_vec();
                    let record = BadRecord { offset: 0, line: 0, reason, bytes };
                    self.bury(vec![record], &open.at)?;
                }
                // Columns that speak of the file end with it.
                if self.assembly.depends_on_file() {
                    self.take_rows(&open.at.split.file, parts)?;
                }
                ended
            }
        };
        if ended {
            let path = open.at.split.file.path.to_string_lossy().into_owned();
            self.done.push((path, open.at.split.start));
        } else {
            self.open = Some(open);
        }
        Ok(ended)
    }

    fn take_rows(&mut self, file: &FoundFile, parts: &mut Parts) -> rialto_engine::Result<()> {
        if let Decoding::Text(decoder) = &mut self.decoding
            && decoder.rows() > 0
        {
            let batch = self.assembly.assemble(decoder.finish()?, file)?;
            parts.add_weighted(batch, decoder.take_weights());
        }
        Ok(())
    }

    fn full(&self, rows_max: usize, parts: &Parts) -> bool {
        let waiting = match &self.decoding {
            Decoding::Text(decoder) => decoder.rows(),
            Decoding::Parquet(_) => 0,
        };
        waiting + parts.rows >= rows_max
    }

    fn advance_text(
        &mut self,
        text: &mut TextContent,
        at: &mut Resume,
        rows_max: usize,
        parts: &mut Parts,
    ) -> rialto_engine::Result<bool> {
        loop {
            if text.skip_first && !skip_record(text, &self.buffer, at) {
                if text.end_of_file {
                    return Ok(true);
                }
                self.fill(text, at)?;
                continue;
            }
            let Some(limit) = limit(text, &self.buffer, at) else { return Ok(true) };
            let (end, last) = limit;
            let Decoding::Text(decoder) = &mut self.decoding else {
                return Err(EngineError::Internal("text content without a decoder".into()));
            };
            let mut bad = Vec::new();
            let input = &self.buffer[text.start..end];
            let waiting = rows_max.saturating_sub(parts.rows).max(1);
            let step = decoder
                .decode(input, last, waiting, &mut bad)
                .map_err(|e| EngineError::source(self.assembly.shown(&at.split.file.path), e))?;
            self.bury(bad, at)?;
            text.start += step.consumed;
            at.offset += step.consumed as u64;
            at.lines += step.lines;
            parts.bytes += step.consumed as u64;
            self.bytes += step.consumed as u64;
            if last && text.start >= end {
                return Ok(true);
            }
            if self.full(rows_max, parts) || parts.bytes >= POLL_BYTES_MAX {
                return Ok(false);
            }
            if step.consumed == 0 {
                if text.end_of_file {
                    return Ok(true);
                }
                // A record that does not fit is looked at again only when there is twice as much.
                let enough = (text.filled - text.start) * 2;
                self.fill(text, at)?;
                while !text.end_of_file && text.filled - text.start < enough {
                    self.fill(text, at)?;
                }
            }
        }
    }

    /// Reads the next bytes behind those that wait.
    fn fill(&mut self, text: &mut TextContent, at: &Resume) -> rialto_engine::Result<()> {
        if text.start > 0 {
            self.buffer.copy_within(text.start..text.filled, 0);
            text.filled -= text.start;
            text.start = 0;
        }
        if self.buffer.len() - text.filled < CHUNK / 2 {
            if self.buffer.len() >= RECORD_BYTES_MAX {
                return Err(EngineError::source(
                    format!("{}@{}", self.place(&at.split.file), at.offset),
                    format!("a record is longer than {RECORD_BYTES_MAX} bytes"),
                ));
            }
            let size = (self.buffer.len() * 2).max(CHUNK);
            self.buffer.resize(size, 0);
        }
        loop {
            match text.reader.read(&mut self.buffer[text.filled..]) {
                Ok(0) => text.end_of_file = true,
                Ok(n) => text.filled += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                // The disk is well, but what it gave cannot be unpacked, and never will be.
                Err(e) if text.packed && e.raw_os_error().is_none() => {
                    let reason = format!("the file cannot be unpacked from here on: {e}");
                    text.broken = Some(reason);
                    text.end_of_file = true;
                }
                Err(e) => return Err(EngineError::source(self.place(&at.split.file), e)),
            }
            return Ok(());
        }
    }

    /// Keeps note of a file of which nothing more can be read, or fails, as the table asks for.
    fn bury_file(&mut self, position: String, reason: String) -> rialto_engine::Result<()> {
        if self.on_error == OnError::Fail {
            return Err(EngineError::source(position, reason));
        }
        self.dead.push(DeadLetter { position, reason, bytes: Vec::new(), beside: None });
        Ok(())
    }

    /// Keeps records that could not be decoded, or fails, as the table asks for.
    fn bury(&mut self, bad: Vec<BadRecord>, at: &Resume) -> rialto_engine::Result<()> {
        let name = self.assembly.shown(&at.split.file.path);
        for record in bad {
            let position = if at.split.start == 0 {
                format!("{name}:{}", at.lines + record.line + 1)
            } else {
                format!("{name}@{}", at.offset + record.offset as u64)
            };
            if self.on_error == OnError::Fail {
                return Err(EngineError::source(position, record.reason));
            }
            let (reason, bytes) = (record.reason, record.bytes);
            let beside = self.assembly.beside(&at.split.file);
            self.dead.push(DeadLetter { position, reason, bytes, beside });
        }
        Ok(())
    }
}

/// Reads the header of a file that is then read from its middle.
fn read_header(
    decoder: &mut dyn Decoder,
    path: &std::path::Path,
    packed: Compression,
) -> Result<(), String> {
    let mut head = Vec::new();
    let mut reader = compression::open(path, packed, 0).map_err(|e| e.to_string())?;
    while decoder.needs_header() {
        let before = head.len();
        reader.by_ref().take(CHUNK as u64).read_to_end(&mut head).map_err(|e| e.to_string())?;
        let last = head.len() == before;
        decoder.start_file();
        decoder.decode(&head, last, 0, &mut Vec::new())?;
        if last && decoder.needs_header() {
            return Err("the file has no header".into());
        }
    }
    Ok(())
}

/// Skips to the end of the record that began in the split before; `false` if its end is not here.
fn skip_record(text: &mut TextContent, buffer: &[u8], at: &mut Resume) -> bool {
    let waiting = &buffer[text.start..text.filled];
    let Some(index) = memchr(b'\n', waiting) else {
        at.offset += waiting.len() as u64;
        text.start = text.filled;
        return false;
    };
    text.start += index + 1;
    // The file was opened one byte before the split: a line may end exactly there.
    at.offset += index as u64;
    text.skip_first = false;
    true
}

/// Up to where the buffer may be decoded, and whether nothing of the split follows; `None` if the
/// split is at its end.
fn limit(text: &TextContent, buffer: &[u8], at: &Resume) -> Option<(usize, bool)> {
    // A record that breaks off where the file cannot be unpacked any more is none.
    let is_whole = text.end_of_file && text.broken.is_none();
    let Some(end) = at.split.end else { return Some((text.filled, is_whole)) };
    if at.offset >= end {
        return None;
    }
    let inside = usize::try_from(end - at.offset).unwrap_or(usize::MAX);
    let waiting = &buffer[text.start..text.filled];
    if waiting.len() < inside {
        return Some((text.filled, is_whole));
    }
    // The record that begins before the end is the last one, however far it goes.
    match memchr(b'\n', &waiting[inside - 1..]) {
        Some(index) => Some((text.start + inside + index, true)),
        None if is_whole => Some((text.filled, true)),
        None => Some((text.filled, false)),
    }
}

/// What a poll has gathered.
#[derive(Default)]
struct Parts {
    batches: Vec<RecordBatch>,
    /// The weights of all rows, where the format has changes.
    weights: Vec<i64>,
    rows: usize,
    bytes: u64,
}

impl Parts {
    fn add(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.batches.push(batch);
    }

    fn add_weighted(&mut self, batch: RecordBatch, weights: Option<Vec<i64>>) {
        self.weights.extend(weights.into_iter().flatten());
        self.add(batch);
    }
}

impl Reader for FileReader {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        let rows_max = rows_max.max(1);
        let mut parts = Parts::default();
        let mut exhausted = false;
        // The first poll, which all readers make in the same step, takes one split: a quick reader
        // must not take the files of the others, whose rows would then come after its own, late.
        let mut first = self.done.is_empty() && self.open.is_none() && self.resumed.is_empty();
        loop {
            if self.open.is_none() && !self.open_next()? {
                exhausted = true;
                break;
            }
            self.advance(rows_max, &mut parts)?;
            let enough = self.full(rows_max, &parts) || parts.bytes >= POLL_BYTES_MAX;
            if enough || std::mem::take(&mut first) {
                break;
            }
        }
        if let Decoding::Text(decoder) = &mut self.decoding
            && decoder.rows() > 0
        {
            let batch = self.assembly.without_file(decoder.finish()?)?;
            parts.add_weighted(batch, decoder.take_weights());
        }
        if parts.batches.is_empty() && exhausted {
            return Ok(if self.bounded { Poll::End } else { Poll::Idle });
        }
        let schema = self.assembly.schema();
        let batch = match parts.batches.len() {
            1 => parts.batches.remove(0),
            _ => concat_batches(schema, &parts.batches)?,
        };
        // A format has changes or has none: there are weights for all rows or for no row.
        Ok(Poll::Rows(match parts.weights.is_empty() {
            true => Delta::insert_only(batch),
            false => Delta::weighted(batch, Int64Array::from(parts.weights)),
        }))
    }

    fn reads(&self) -> Option<String> {
        self.open.as_ref().map(|open| self.place(&open.at.split.file))
    }

    fn bytes_read(&self) -> Option<u64> {
        Some(self.bytes)
    }

    fn position(&self) -> Position {
        let done: Vec<Value> = self
            .done
            .iter()
            .map(|(path, start)| if *start == 0 { json!(path) } else { json!([path, start]) })
            .collect();
        let begun = self.open.iter().map(|open| &open.at).chain(&self.resumed);
        let begun: Vec<Value> = begun
            .map(|at| {
                json!({
                    "path": at.split.file.path.to_string_lossy(),
                    "start": at.split.start,
                    "end": at.split.end,
                    "offset": at.offset,
                    "lines": at.lines,
                })
            })
            .collect();
        json!({ "done": done, "begun": begun })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        if position.get("before").is_some() {
            return Err(EngineError::source(
                "files",
                "they were replayed at a speed, and some rows that were read are not given yet; \
                 go on with 'rialto.replay.speed' set to a number, which may be another one",
            ));
        }
        let strange =
            || EngineError::source("files", format!("the position {position} is not one of files"));
        let list = |name: &str| position[name].as_array().ok_or_else(strange);
        for entry in list("done")? {
            let (path, start) = match entry {
                Value::String(path) => (path.as_str(), 0),
                Value::Array(pair) if pair.len() == 2 => {
                    let path = pair[0].as_str().ok_or_else(strange)?;
                    (path, pair[1].as_u64().ok_or_else(strange)?)
                }
                _ => return Err(strange()),
            };
            self.queue().remove(&path.into(), start);
            self.done.push((path.to_owned(), start));
        }
        for entry in list("begun")? {
            let number = |name: &str| entry[name].as_u64().ok_or_else(strange);
            let path = std::path::PathBuf::from(entry["path"].as_str().ok_or_else(strange)?);
            let start = number("start")?;
            self.queue().remove(&path, start);
            let metadata = std::fs::metadata(&path)
                .map_err(|e| EngineError::source(self.assembly.shown(&path), e))?;
            let file = FoundFile::of(path, &metadata);
            let split = Split { file, start, end: entry["end"].as_u64() };
            let (offset, lines) = (number("offset")?, number("lines")?);
            self.resumed.push(Resume { split, offset, lines });
        }
        // The last one is opened first: of several readers' files the first by name.
        let place = |r: &Resume| (r.split.file.path.clone(), r.split.start);
        self.resumed.sort_by_key(|r| std::cmp::Reverse(place(r)));
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }
}
