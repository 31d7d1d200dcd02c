//! Avro's files: a header with the schema, then blocks of records, each with a mark at its end.
//!
//! A block is read whole. Records in it have no ends of their own, so that behind one whose bytes
//! are broken the rest of the block is lost with it, in one dead letter. Where a block itself is
//! damaged, reading goes on behind the next mark.

use std::io::Read;

use memchr::memmem;
use serde_json::Value;

use super::cursor::{Cursor, Fault, Taken, write_bytes, write_long};
use super::plan::{RecordPlan, skip};
use super::schema::Schema;
use crate::format::rows::Rows;
use crate::format::{BATCH_BYTES_MAX, BadRecord, Progress};

const MAGIC: &[u8; 4] = b"Obj\x01";
const MARK_BYTES: usize = 16;
/// A header that is longer is none.
const HEADER_BYTES_MAX: usize = 16 << 20;
/// A block that says that it is longer is taken for damaged.
const BLOCK_BYTES_MAX: usize = 64 << 20;
/// So much of a damaged block is kept in the dead letter.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// How the blocks of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
}

/// The names that `avro.codec` may have.
pub(super) const CODECS: &[&str] = &["null", "deflate", "snappy", "zstandard"];

impl Codec {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "deflate" => Self::Deflate,
            "snappy" => Self::Snappy,
            "zstandard" => Self::Zstandard,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Zstandard => "zstandard",
        }
    }

    /// The content of a block; never more than fits a batch, whatever the bytes promise.
    fn unpack<'b>(self, bytes: &'b [u8], buffer: &'b mut Vec<u8>) -> Result<&'b [u8], String> {
        let failed =
            |e: &dyn ToString| format!("a block is not {}: {}", self.name(), e.to_string());
        buffer.clear();
        let limit = BATCH_BYTES_MAX as u64;
        match self {
            Self::Null => return Ok(bytes),
            Self::Deflate => {
                let reader = flate2::read::DeflateDecoder::new(bytes);
                reader.take(limit + 1).read_to_end(buffer).map_err(|e| failed(&e))?;
            }
            Self::Zstandard => {
                let reader = zstd::stream::read::Decoder::new(bytes).map_err(|e| failed(&e))?;
                reader.take(limit + 1).read_to_end(buffer).map_err(|e| failed(&e))?;
            }
            Self::Snappy => {
                let Some((packed, sum)) = bytes.split_last_chunk::<4>() else {
                    return Err(failed(&"it is too short"));
                };
                let len = snap::raw::decompress_len(packed).map_err(|e| failed(&e))?;
                // Snappy packs at most about 21 to 1; a length beyond that is a lie.
                if len > BATCH_BYTES_MAX || len / 64 > packed.len() {
                    return Err(failed(&format!("{len} bytes in {}", packed.len())));
                }
                buffer.resize(len, 0);
                snap::raw::Decoder::new().decompress(packed, buffer).map_err(|e| failed(&e))?;
                let mut found = flate2::Crc::new();
                found.update(buffer);
                if found.sum() != u32::from_be_bytes(*sum) {
                    return Err("the checksum of a block does not fit its bytes".into());
                }
            }
        }
        if buffer.len() > BATCH_BYTES_MAX {
            return Err(format!("a block has more than {BATCH_BYTES_MAX} bytes when unpacked"));
        }
        Ok(buffer)
    }

    fn pack(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        Ok(match self {
            Self::Null => bytes.to_vec(),
            Self::Deflate => {
                let level = flate2::Compression::default();
                let mut packed = Vec::new();
                flate2::read::DeflateEncoder::new(bytes, level).read_to_end(&mut packed)?;
                packed
            }
            Self::Zstandard => zstd::bulk::compress(bytes, 0)?,
            Self::Snappy => {
                let packed = snap::raw::Encoder::new().compress_vec(bytes);
                let mut packed = packed.map_err(std::io::Error::other)?;
                let mut sum = flate2::Crc::new();
                sum.update(bytes);
                packed.extend_from_slice(&sum.sum().to_be_bytes());
                packed
            }
        })
    }
}

/// What is known of a file by its header.
struct Head {
    schema: Schema,
    plan: RecordPlan,
    codec: Codec,
    mark: [u8; MARK_BYTES],
}

/// Reads one file after the other.
#[derive(Default)]
pub(super) struct ContainerReader {
    head: Option<Head>,
    /// Behind damage: the next mark is looked for.
    lost: bool,
    unpacked: Vec<u8>,
}

/// A block as it stands in the file.
struct Block<'a> {
    count: usize,
    bytes: &'a [u8],
    len: usize,
}

impl ContainerReader {
    pub fn start_file(&mut self) {
        (self.head, self.lost) = (None, false);
    }

    pub fn needs_header(&self) -> bool {
        self.head.is_none()
    }

    /// Decodes whole blocks. A line, in the sense of a position, is a record.
    pub fn decode(
        &mut self,
        rows: &mut Rows,
        input: &[u8],
        last: bool,
        rows_max: usize,
        bad: &mut Vec<BadRecord>,
    ) -> Result<Progress, String> {
        let mut done = Progress::default();
        if self.head.is_none() && !(last && input.is_empty()) {
            match header(input, rows) {
                Ok((head, len)) => {
                    self.head = Some(head);
                    done.consumed = len;
                }
                Err(Fault::Ends) if !last && input.len() < HEADER_BYTES_MAX => return Ok(done),
                Err(Fault::Ends) => return Err("the header of the Avro file has no end".into()),
                Err(Fault::Wrong(reason)) => return Err(reason),
            }
        }
        let Some(head) = &self.head else { return Ok(done) };
        while rows.count() < rows_max && !rows.is_full() && done.consumed < input.len() {
            let rest = &input[done.consumed..];
            if self.lost {
                let Some(found) = memmem::find(rest, &head.mark) else {
                    // The mark may be cut by the end of the input.
                    done.consumed += if last { rest.len() } else { rest.len().saturating_sub(15) };
                    break;
                };
                self.lost = false;
                done.consumed += found + MARK_BYTES;
                continue;
            }
            match block(rest, &head.mark) {
                Ok(block) => {
                    let place = BadRecord {
                        offset: done.consumed,
                        line: done.lines,
                        reason: String::new(),
                        bytes: Vec::new(),
                    };
                    read_block(head, &block, &mut self.unpacked, rows, place, bad);
                    done.consumed += block.len;
                    done.lines += block.count as u64;
                }
                Err(Fault::Ends) if !last => break,
                Err(fault) => {
                    let reason = match fault {
                        Fault::Ends => "the file ends within a block".to_owned(),
                        Fault::Wrong(reason) => reason,
                    };
                    let bytes = rest[..rest.len().min(KEPT_BYTES_MAX)].to_vec();
                    bad.push(BadRecord { offset: done.consumed, line: done.lines, reason, bytes });
                    done.lines += 1;
                    self.lost = true;
                }
            }
        }
        Ok(done)
    }
}

/// Reads the header; [`Fault::Ends`] where there is more of it to come.
fn header(input: &[u8], rows: &Rows) -> Taken<(Head, usize)> {
    let len = input.len().min(MAGIC.len());
    if input[..len] != MAGIC[..len] {
        return Err("this is no Avro file: it does not begin with 'Obj' and 1".into());
    }
    let mut cursor = Cursor::new(input);
    cursor.take(MAGIC.len())?;
    let (mut text, mut codec) = (None, Codec::Null);
    loop {
        let count = cursor.block()?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let key = cursor.string()?;
            let value = cursor.bytes()?;
            match key {
                "avro.schema" => text = std::str::from_utf8(value).ok(),
                "avro.codec" => {
                    let name = String::from_utf8_lossy(value);
                    codec = Codec::named(&name).ok_or_else(|| {
                        let known = CODECS.join(", ");
                        format!("the file's codec '{name}' is not supported, but {known} are")
                    })?;
                }
                _ => {}
            }
        }
    }
    let mark = *cursor.rest().first_chunk::<MARK_BYTES>().ok_or(Fault::Ends)?;
    let text = text.ok_or("the header of the Avro file has no schema")?;
    let schema = Schema::parse(text, &[])?;
    let plan = RecordPlan::new(&schema, rows.slots())?;
    Ok((Head { schema, plan, codec, mark }, cursor.at() + MARK_BYTES))
}

/// Finds the bytes of the block at the start of the input.
fn block<'a>(input: &'a [u8], mark: &[u8; MARK_BYTES]) -> Taken<Block<'a>> {
    let mut cursor = Cursor::new(input);
    let (count, len) = (cursor.long()?, cursor.long()?);
    let size = |number: i64| usize::try_from(number).ok();
    let (Some(count), Some(len)) = (size(count), size(len).filter(|len| *len <= BLOCK_BYTES_MAX))
    else {
        return Err(
            format!("a block of {count} records in {len} bytes: the file is damaged").into()
        );
    };
    let bytes = cursor.take(len)?;
    if cursor.take(MARK_BYTES)? != mark {
        return Err("the mark behind a block is another one: the file is damaged".into());
    }
    Ok(Block { count, bytes, len: cursor.at() })
}

/// Reads the records of a block; `place` is where it stands.
fn read_block(
    head: &Head,
    block: &Block<'_>,
    buffer: &mut Vec<u8>,
    rows: &mut Rows,
    place: BadRecord,
    bad: &mut Vec<BadRecord>,
) {
    let content = match head.codec.unpack(block.bytes, buffer) {
        Ok(content) => content,
        Err(reason) => {
            let bytes = block.bytes[..block.bytes.len().min(KEPT_BYTES_MAX)].to_vec();
            return bad.push(BadRecord { reason, bytes, ..place });
        }
    };
    let mut cursor = Cursor::new(content);
    for index in 0..block.count {
        // Records without a byte are no way to make rows of nothing without end.
        if cursor.is_at_end() && index > content.len() + KEPT_BYTES_MAX {
            let reason = format!("a block of {} records in {} bytes", block.count, content.len());
            return bad.push(BadRecord { reason, ..place });
        }
        let start = cursor.at();
        let mut next = cursor.clone();
        let read = rows.add(0, |slots| head.plan.read(&head.schema, slots, &mut next));
        let line = place.line + index as u64;
        match read {
            Ok(()) => {
                rows.note_bytes(next.at() - start);
                cursor = next;
            }
            Err(fault) => {
                // A value that does not fit its column costs its record; broken bytes what follows.
                let whole = skip(&head.schema, head.schema.root(), &mut cursor, 0);
                let (end, reason) = match whole {
                    Ok(()) => (cursor.at(), fault.to_string()),
                    Err(_) => {
                        let lost = block.count - index - 1;
                        let reason = format!("{fault} (and {lost} records behind it in its block)");
                        (content.len(), reason)
                    }
                };
                let bytes = content[start..end.min(start + KEPT_BYTES_MAX)].to_vec();
                bad.push(BadRecord { offset: place.offset, line, reason, bytes });
                if whole.is_err() {
                    return;
                }
            }
        }
    }
}

/// Writes files; all that one of them writes have the same mark.
#[derive(Debug, Clone)]
pub(super) struct ContainerWriter {
    codec: Codec,
    schema: String,
    mark: [u8; MARK_BYTES],
}

impl ContainerWriter {
    pub fn new(codec: Codec, schema: &Value) -> Self {
        use std::hash::{BuildHasher, Hasher};
        let random = || std::hash::RandomState::new().build_hasher().finish();
        let mut mark = [0; MARK_BYTES];
        mark[..8].copy_from_slice(&random().to_le_bytes());
        mark[8..].copy_from_slice(&random().to_le_bytes());
        Self { codec, schema: schema.to_string(), mark }
    }

    pub fn header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        write_long(out, 2);
        write_bytes(out, b"avro.schema");
        write_bytes(out, self.schema.as_bytes());
        write_bytes(out, b"avro.codec");
        write_bytes(out, self.codec.name().as_bytes());
        out.push(0);
        out.extend_from_slice(&self.mark);
    }

    /// Appends a block of records.
    pub fn block(&self, count: usize, bytes: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        let packed = self.codec.pack(bytes)?;
        write_long(out, count as i64);
        write_bytes(out, &packed);
        out.extend_from_slice(&self.mark);
        Ok(())
    }
}
