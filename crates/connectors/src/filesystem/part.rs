//! One part file, from its hidden beginning to its visible end.
//!
//! | state | name | survives a crash |
//! | --- | --- | --- |
//! | being written | `.part-TABLE-RUN-N.json.inprogress` | no: removed at the next start |
//! | prepared | `.part-TABLE-RUN-N.json.epoch-7` | if the epoch was checkpointed |
//! | committed | `part-TABLE-RUN-N.json` | yes |

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use rialto_storage::{File, Files};

use super::compression::Compression;
use crate::format::Encoder;
use crate::format::parquet::ParquetWriter;

/// How part files are made.
pub(super) enum Making {
    Text { encoder: Box<dyn Encoder>, packed: Compression },
    Parquet { schema: SchemaRef, compression: parquet::basic::Compression },
}

/// A part file that is being written.
pub(super) struct PartFile {
    pub folder: PathBuf,
    /// The name that it will have in the end.
    pub name: String,
    content: Content,
}

enum Content {
    Plain(Counted<BufWriter<Disk>>),
    Gzip(flate2::write::GzEncoder<Counted<BufWriter<Disk>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Counted<BufWriter<Disk>>>>),
    Parquet(Box<ParquetWriter<BufWriter<Disk>>>),
}

/// A file as those write who know no other.
struct Disk(Box<dyn File>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts the bytes that go through.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl PartFile {
    /// Begins a part file in a folder that is there.
    pub fn create(
        files: &dyn Files,
        folder: &Path,
        name: String,
        making: &mut Making,
    ) -> Result<Self, String> {
        let text = |e: io::Error| e.to_string();
        let path = folder.join(format!(".{name}.inprogress"));
        let file = Disk(files.create(&path).map_err(text)?);
        let file = BufWriter::with_capacity(1 << 16, file);
        let content = match making {
            Making::Parquet { schema, compression } => {
                let writer = ParquetWriter::new(file, Arc::clone(schema), *compression)?;
                Content::Parquet(Box::new(writer))
            }
            Making::Text { packed, .. } => {
                let file = Counted { inner: file, bytes: 0 };
                match packed {
                    Compression::None => Content::Plain(file),
                    Compression::Gzip => {
                        Content::Gzip(flate2::write::GzEncoder::new(file, Default::default()))
                    }
                    Compression::Zstd => Content::Zstd(Box::new(
                        zstd::stream::write::Encoder::new(file, 0).map_err(text)?,
                    )),
                }
            }
        };
        let mut part = Self { folder: folder.to_owned(), name, content };
        if let Making::Text { encoder, .. } = making {
            let mut head = Vec::new();
            encoder.start(&mut head);
            part.write_bytes(&head).map_err(text)?;
        }
        Ok(part)
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.content {
            Content::Plain(out) => out.write_all(bytes),
            Content::Gzip(out) => out.write_all(bytes),
            Content::Zstd(out) => out.write_all(bytes),
            Content::Parquet(_) => Err(io::Error::other("a Parquet file takes batches")),
        }
    }

    /// Adds all rows of a batch; `retracts` says which of them are taken back, where some are.
    pub fn write(
        &mut self,
        batch: &RecordBatch,
        retracts: Option<&[bool]>,
        making: &mut Making,
    ) -> Result<(), String> {
        if let (Content::Parquet(writer), _) = (&mut self.content, &making) {
            return writer.write(batch);
        }
        let Making::Text { encoder, .. } = making else {
            return Err("a text file takes bytes".into());
        };
        let mut bytes = Vec::new();
        let encoded = match retracts {
            None => encoder.encode(batch, 0..batch.num_rows(), &mut bytes),
            Some(retracts) => encoder.encode_changes(batch, retracts, &mut bytes),
        };
        encoded.map_err(|e| e.to_string())?;
        self.write_bytes(&bytes).map_err(|e| e.to_string())
    }

    /// About how large the file is.
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Plain(out) => out.bytes,
            Content::Gzip(out) => out.get_ref().bytes,
            Content::Zstd(out) => out.get_ref().bytes,
            Content::Parquet(writer) => writer.size(),
        }
    }

    /// Ends the file and brings it to the disk; it stays hidden.
    pub fn close(self) -> Result<ClosedPart, String> {
        let file = match self.content {
            Content::Plain(out) => out.inner,
            Content::Gzip(out) => out.finish().map_err(|e| e.to_string())?.inner,
            Content::Zstd(out) => out.finish().map_err(|e| e.to_string())?.inner,
            Content::Parquet(writer) => writer.finish()?,
        };
        let mut file = file.into_inner().map_err(|e| e.to_string())?;
        // The only sync that the file ever gets: one that failed is never tried again.
        file.0.sync().map_err(|e| e.to_string())?;
        let hidden = self.folder.join(format!(".{}.inprogress", self.name));
        Ok(ClosedPart { folder: self.folder, name: self.name, hidden })
    }
}

/// A part file that is written but not visible.
pub(super) struct ClosedPart {
    pub folder: PathBuf,
    name: String,
    hidden: PathBuf,
}

impl ClosedPart {
    /// Binds the file to an epoch: if the epoch is checkpointed, a crash does not lose it.
    pub fn prepare(&mut self, files: &dyn Files, epoch: u64) -> io::Result<()> {
        let prepared = self.folder.join(format!(".{}.epoch-{epoch}", self.name));
        files.rename(&self.hidden, &prepared)?;
        self.hidden = prepared;
        Ok(())
    }

    /// Makes the file visible.
    pub fn commit(&self, files: &dyn Files) -> io::Result<()> {
        files.rename(&self.hidden, &self.folder.join(&self.name))
    }
}

/// What an earlier run left behind.
pub(super) struct Leftover {
    pub path: PathBuf,
    pub folder: PathBuf,
    pub name: String,
    /// The epoch that it was prepared for; `None` if it was still being written.
    pub epoch: Option<u64>,
}

/// The hidden part files below a folder whose names start with `prefix`, and all folders there.
pub(super) fn leftovers(
    files: &dyn Files,
    folder: &Path,
    prefix: &str,
) -> io::Result<(Vec<Leftover>, Vec<PathBuf>)> {
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match files.list(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        for entry in entries {
            let path = folder.join(&entry.name);
            if entry.is_folder {
                folders.push(path);
                continue;
            }
            let Some(hidden) = entry.name.strip_prefix('.') else { continue };
            let Some((name, state)) = hidden.rsplit_once('.') else { continue };
            let epoch = state.strip_prefix("epoch-").and_then(|e| e.parse().ok());
            if name.starts_with(prefix) && (epoch.is_some() || state == "inprogress") {
                let name = name.to_owned();
                found.push(Leftover { path, folder: folder.clone(), name, epoch });
            }
        }
        seen.push(folder);
    }
    Ok((found, seen))
}
