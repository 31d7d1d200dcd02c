//! Opening a file for reading: plain, gzip or zstd, told by its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// What the first bytes of a file say. A name alone proves nothing.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut start = [0; 4];
        let mut file = File::open(path)?;
        let mut filled = 0;
        while filled < start.len() {
            match file.read(&mut start[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(match start[..filled] {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::Zstd,
            _ => Self::None,
        })
    }
}

/// Opens a file so that the next byte is the one at `offset` of the unpacked content.
pub(super) fn open(
    path: &Path,
    packed: Compression,
    offset: u64,
) -> io::Result<Box<dyn Read + Send>> {
    if packed == Compression::None {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        return Ok(Box::new(file));
    }
    let reader = unpacker(BufReader::new(File::open(path)?), packed)?;
    let mut unpacked =
        Unpacked { path: path.to_owned(), packed, reader, given: 0, is_careful: false };
    skip(&mut unpacked, offset)?;
    Ok(Box::new(unpacked))
}

fn unpacker(
    packed_bytes: impl BufRead + Send + 'static,
    packed: Compression,
) -> io::Result<Box<dyn Read + Send>> {
    Ok(match packed {
        Compression::None => Box::new(packed_bytes),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed_bytes)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed_bytes)?),
    })
}

fn skip(reader: &mut dyn Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if skipped < bytes {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file is shorter than it was: {skipped} bytes, not {bytes}"),
        ));
    }
    Ok(())
}

/// The content of a packed file.
///
/// Where an unpacker meets what is broken, all that it has unpacked in the same call is lost. So
/// the file is then unpacked once more, by single bytes, up to where it is broken.
struct Unpacked {
    path: PathBuf,
    packed: Compression,
    reader: Box<dyn Read + Send>,
    /// How many bytes it has given.
    given: u64,
    is_careful: bool,
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(into) {
                Ok(read) => {
                    self.given += read as u64;
                    return Ok(read);
                }
                Err(error)
                    if self.is_careful
                        || error.raw_os_error().is_some()
                        || error.kind() == io::ErrorKind::Interrupted =>
                {
                    return Err(error);
                }
                Err(_) => {
                    self.is_careful = true;
                    let bytes = SingleBytes(BufReader::new(File::open(&self.path)?));
                    self.reader = unpacker(bytes, self.packed)?;
                    skip(&mut self.reader, self.given)?;
                }
            }
        }
    }
}

/// Shows one byte at a time of what it reads.
struct SingleBytes<R>(R);

impl<R: BufRead> BufRead for SingleBytes<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.0.fill_buf()?;
        Ok(&bytes[..bytes.len().min(1)])
    }

    fn consume(&mut self, bytes: usize) {
        self.0.consume(bytes);
    }
}

impl<R: BufRead> Read for SingleBytes<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let end = into.len().min(1);
        self.0.read(&mut into[..end])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn packed_files_of_several_members_are_read_from_any_offset() {
        let dir = tempfile::tempdir().unwrap();
        let gzip = |text: &str| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 0).unwrap();
        let cases = [
            ("a.gz", [gzip("hello "), gzip("world")].concat(), Compression::Gzip),
            ("b", [zstd("hello "), zstd("world")].concat(), Compression::Zstd),
            ("c.gz", b"hello world".to_vec(), Compression::None),
        ];
        for (name, bytes, expected) in cases {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Compression::of(&path).unwrap(), expected);
            for offset in [0, 3, 8, 11] {
                let mut text = String::new();
                let mut reader = open(&path, expected, offset).unwrap();
                reader.read_to_string(&mut text).unwrap();
                assert_eq!(text, "hello world"[offset as usize..], "{name}");
            }
        }
        std::fs::write(dir.path().join("empty"), "").unwrap();
        assert_eq!(Compression::of(&dir.path().join("empty")).unwrap(), Compression::None);
    }
    #[test]
    fn all_that_comes_before_the_broken_part_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let text: String = (0..60_000).map(|n| format!("line {}\n", n * 7919 % 60_013)).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        gzip.write_all(text.as_bytes()).unwrap();
        let cases = [
            (gzip.finish().unwrap(), Compression::Gzip),
            (zstd::encode_all(text.as_bytes(), 0).unwrap(), Compression::Zstd),
        ];
        for (mut bytes, packed) in cases {
            let path = dir.path().join("broken");
            let whole = bytes.len();
            // What cannot be, and nothing behind it.
            bytes.truncate(whole * 9 / 10);
            bytes.extend_from_slice(&[0xff; 600]);
            std::fs::write(&path, &bytes).unwrap();
            let mut given = Vec::new();
            let error = open(&path, packed, 0).unwrap().read_to_end(&mut given).unwrap_err();
            assert_eq!(error.raw_os_error(), None, "{packed:?}: {error}");
            let same = given.iter().zip(text.as_bytes()).take_while(|(a, b)| a == b).count();
            // A block of zstd has up to 128 KiB of text, and counts as a whole.
            let least = text.len() * 9 / 10 - (192 << 10);
            assert!(same >= least, "{packed:?}: {same} of {} bytes", text.len());
        }
    }
}
