//! Opening a file for reading: plain, gzip or zstd, told by its first bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

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
    let mut file = File::open(path)?;
    let mut unpacked: Box<dyn Read + Send> = match packed {
        Compression::None => {
            file.seek(SeekFrom::Start(offset))?;
            return Ok(Box::new(file));
        }
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
    };
    let skipped = io::copy(&mut (&mut unpacked).take(offset), &mut io::sink())?;
    if skipped < offset {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file is shorter than it was: {skipped} bytes, not {offset}"),
        ));
    }
    Ok(unpacked)
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
}
