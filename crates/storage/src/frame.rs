//! The envelope of a stored file.
//!
//! ```text
//! magic 8 | version u32 | kind 4 | length u64 | crc of the name u32 | crc of the payload u32 |
//! crc of all this u32 | payload
//! ```
//!
//! Numbers are little-endian, checksums CRC-32C. The name is part of it, so that a whole file that
//! was put in another's place is found out; the payload has a checksum of its own, so that "torn"
//! and "swapped" are told apart.

/// What every file of ours starts with. The first byte is no ASCII, the last two are a line end: a
/// copy that was taken for text breaks here.
pub const MAGIC: [u8; 8] = *b"\x89RIALT\r\n";

/// The bytes before the payload.
pub const HEADER_BYTES: usize = 36;

/// What a file is, and the newest form of it that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Four letters in the file.
    pub tag: [u8; 4],
    /// What it is in messages: `checkpoint manifest`.
    pub what: &'static str,
    /// The version that is written, and the highest that can be read.
    pub version: u32,
}

/// An opened envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<'a> {
    /// In which version the payload was written: at most that of the [`Kind`].
    pub version: u32,
    /// The content.
    pub payload: &'a [u8],
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// In which version the payload was written: at most that of the [`Kind`].
    pub version: u32,
    /// How many bytes the payload has.
    pub length: u64,
    crc: u32,
}

/// Why a file is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The file ends too early.
    #[error("{what} '{name}' is torn: it has {found} bytes of {expected}")]
    Torn {
        /// What was expected.
        what: &'static str,
        /// The file.
        name: String,
        /// Its length.
        found: u64,
        /// The length that it should have.
        expected: u64,
    },
    /// The file was not written by Rialto.
    #[error("'{name}' is no {what}: it was not written by Rialto")]
    Foreign {
        /// What was expected.
        what: &'static str,
        /// The file.
        name: String,
    },
    /// A file of ours, but of another kind.
    #[error("'{name}' is no {what}, but a file of the kind '{found}'")]
    OtherKind {
        /// What was expected.
        what: &'static str,
        /// The file.
        name: String,
        /// The kind that it is.
        found: String,
    },
    /// A whole file of another name.
    #[error("{what} '{name}' was written under another name: files were swapped or renamed")]
    Swapped {
        /// What was expected.
        what: &'static str,
        /// The file.
        name: String,
    },
    /// A newer program wrote it.
    #[error(
        "{what} '{name}' has the format version {found}, this Rialto reads up to {known}: use the \
         Rialto that wrote it, or a newer one"
    )]
    Future {
        /// What was expected.
        what: &'static str,
        /// The file.
        name: String,
        /// Its version.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// The bytes are not those that were written.
    #[error("{what} '{name}' is damaged: {part} does not fit its checksum")]
    Damaged {
        /// What was expected.
        what: &'static str,
        /// The file.
        name: String,
        /// Where.
        part: &'static str,
    },
}

/// Puts a payload into its envelope.
pub fn seal(kind: Kind, name: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + payload.len());
    out.extend_from_slice(&header(kind, name, payload));
    out.extend_from_slice(payload);
    out
}

fn header(kind: Kind, name: &str, payload: &[u8]) -> [u8; HEADER_BYTES] {
    header_of(kind, name, payload.len() as u64, crc32c::crc32c(payload))
}

/// What stands before a payload of so many bytes and this checksum.
pub fn header_of(kind: Kind, name: &str, length: u64, crc: u32) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&kind.version.to_le_bytes());
    out[12..16].copy_from_slice(&kind.tag);
    out[16..24].copy_from_slice(&length.to_le_bytes());
    out[24..28].copy_from_slice(&crc32c::crc32c(name.as_bytes()).to_le_bytes());
    out[28..32].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&out[..32]);
    out[32..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The payload of a file that was read whole, if it is what was written under this name.
pub fn open<'a>(kind: Kind, name: &str, bytes: &'a [u8]) -> Result<Opened<'a>, FrameError> {
    let head = open_head(kind, name, bytes)?;
    let (found, expected) = (bytes.len() as u64, head.length.saturating_add(HEADER_BYTES as u64));
    if found < expected {
        return Err(FrameError::Torn { what: kind.what, name: name.to_owned(), found, expected });
    }
    if found > expected {
        return Err(damaged(kind, name, "the length"));
    }
    let payload = &bytes[HEADER_BYTES..];
    check(kind, name, &head, crc32c::crc32c(payload))?;
    Ok(Opened { version: head.version, payload })
}

/// What stands before the payload of a file of which the first bytes are given: at least
/// [`HEADER_BYTES`], or all that it has.
pub fn open_head(kind: Kind, name: &str, bytes: &[u8]) -> Result<Head, FrameError> {
    let what = kind.what;
    let found = bytes.len() as u64;
    let name_of = || name.to_owned();
    let start = bytes.len().min(MAGIC.len());
    if bytes[..start] != MAGIC[..start] {
        return Err(FrameError::Foreign { what, name: name_of() });
    }
    let Some((header, _)) = bytes.split_at_checked(HEADER_BYTES) else {
        let expected = HEADER_BYTES as u64;
        return Err(FrameError::Torn { what, name: name_of(), found, expected });
    };
    if crc32c::crc32c(&header[..HEADER_BYTES - 4]) != word(header, 32) {
        return Err(damaged(kind, name, "the header"));
    }
    if header[12..16] != kind.tag {
        let found = String::from_utf8_lossy(&header[12..16]).into_owned();
        return Err(FrameError::OtherKind { what, name: name_of(), found });
    }
    let version = word(header, 8);
    if version > kind.version {
        let known = kind.version;
        return Err(FrameError::Future { what, name: name_of(), found: version, known });
    }
    if word(header, 24) != crc32c::crc32c(name.as_bytes()) {
        return Err(FrameError::Swapped { what, name: name_of() });
    }
    let length = u64::from(word(header, 16)) | u64::from(word(header, 20)) << 32;
    Ok(Head { version, length, crc: word(header, 28) })
}

/// The checksum (CRC-32C) of bytes behind others that have the checksum `crc`; that of none is 0.
pub fn crc_of(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// Whether the payload with this checksum (CRC-32C) is that of the head.
pub fn check(kind: Kind, name: &str, head: &Head, crc: u32) -> Result<(), FrameError> {
    if crc == head.crc { Ok(()) } else { Err(damaged(kind, name, "the content")) }
}

fn damaged(kind: Kind, name: &str, part: &'static str) -> FrameError {
    FrameError::Damaged { what: kind.what, name: name.to_owned(), part }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { tag: *b"TEST", what: "test file", version: 3 };

    #[test]
    fn what_was_sealed_is_opened() {
        for payload in [&b""[..], b"x", &[7; 5000]] {
            let sealed = seal(KIND, "a/b", payload);
            assert_eq!(open(KIND, "a/b", &sealed), Ok(Opened { version: 3, payload }));
            let (head, _) = sealed.split_at(HEADER_BYTES);
            let crc =
                crc_of(crc_of(0, &payload[..payload.len() / 3]), &payload[payload.len() / 3..]);
            assert_eq!(header_of(KIND, "a/b", payload.len() as u64, crc), head);
            let opened = open_head(KIND, "a/b", head).unwrap();
            assert_eq!(opened.length, payload.len() as u64);
            assert_eq!(check(KIND, "a/b", &opened, crc), Ok(()));
            assert!(check(KIND, "a/b", &opened, !crc).is_err());
        }
    }

    #[test]
    fn every_cut_is_torn_and_every_flipped_bit_is_found() {
        let sealed = seal(KIND, "n", b"some content");
        for cut in 0..sealed.len() {
            let error = open(KIND, "n", &sealed[..cut]).unwrap_err();
            assert!(matches!(error, FrameError::Torn { .. }), "cut at {cut}: {error}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(open(KIND, "n", &broken).is_err(), "bit {bit}");
        }
        let mut longer = sealed;
        longer.push(0);
        assert!(matches!(open(KIND, "n", &longer), Err(FrameError::Damaged { .. })));
    }

    #[test]
    fn foreign_swapped_future_and_other_files_are_told_apart() {
        let error = open(KIND, "n", b"PK\x03\x04 something else").unwrap_err();
        assert_eq!(error.to_string(), "'n' is no test file: it was not written by Rialto");
        let error = open(KIND, "m", &seal(KIND, "n", b"x")).unwrap_err();
        assert!(matches!(error, FrameError::Swapped { .. }), "{error}");
        let newer = Kind { version: 4, ..KIND };
        let error = open(KIND, "n", &seal(newer, "n", b"x")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "test file 'n' has the format version 4, this Rialto reads up to 3: use the Rialto \
             that wrote it, or a newer one"
        );
        let opened = open(newer, "n", &seal(KIND, "n", b"x")).map(|o| o.version);
        assert_eq!(opened, Ok(3));
        let other = Kind { tag: *b"ELSE", ..KIND };
        let error = open(KIND, "n", &seal(other, "n", b"x")).unwrap_err();
        assert_eq!(error.to_string(), "'n' is no test file, but a file of the kind 'ELSE'");
    }
}
