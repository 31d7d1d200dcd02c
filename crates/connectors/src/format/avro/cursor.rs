//! Walking over the bytes of Avro values.

/// Why a value could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes end within it.
    Ends,
    /// It is none.
    Wrong(String),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Wrong(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Wrong(reason.to_owned())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ends => f.write_str("the record ends too early"),
            Self::Wrong(reason) => f.write_str(reason),
        }
    }
}

pub(super) type Taken<T> = Result<T, Fault>;

/// Elements that take no byte (nulls, empty records) may be so many beyond the bytes of a record.
const FREE_ELEMENTS_MAX: usize = 4096;

/// A place in bytes.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many elements of arrays and maps may still come: a few bytes can promise billions of
    /// elements that take no byte at all.
    elements: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, elements: bytes.len() + FREE_ELEMENTS_MAX }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub fn take(&mut self, len: usize) -> Taken<&'a [u8]> {
        let taken = self.rest().get(..len).ok_or(Fault::Ends)?;
        self.at += len;
        Ok(taken)
    }

    fn exactly<const N: usize>(&mut self) -> Taken<[u8; N]> {
        let taken = *self.rest().first_chunk::<N>().ok_or(Fault::Ends)?;
        self.at += N;
        Ok(taken)
    }

    #[inline]
    pub fn long(&mut self) -> Taken<i64> {
        let rest = self.rest();
        if let Some(&byte) = rest.first()
            && byte < 0x80
        {
            self.at += 1;
            let value = u64::from(byte);
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
        let mut value = 0u64;
        for (index, &byte) in rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index as u32);
            if index == 9 && byte > 1 {
                break;
            }
            if byte < 0x80 {
                self.at += index + 1;
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        if rest.len() < 10 {
            Err(Fault::Ends)
        } else {
            Err("a number has more than 64 bits".into())
        }
    }

    #[inline]
    pub fn int(&mut self) -> Taken<i32> {
        let value = self.long()?;
        i32::try_from(value).map_err(|_| Fault::Wrong(format!("{value} is no number of 32 bits")))
    }

    pub fn boolean(&mut self) -> Taken<bool> {
        match self.exactly::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [byte] => Err(Fault::Wrong(format!("a boolean is 0 or 1, not {byte}"))),
        }
    }

    pub fn float(&mut self) -> Taken<f32> {
        self.exactly().map(f32::from_le_bytes)
    }

    pub fn double(&mut self) -> Taken<f64> {
        self.exactly().map(f64::from_le_bytes)
    }

    /// A length and so many bytes.
    #[inline]
    pub fn bytes(&mut self) -> Taken<&'a [u8]> {
        let len = self.long()?;
        match usize::try_from(len) {
            Ok(len) => self.take(len),
            Err(_) => Err(Fault::Wrong(format!("a length is {len}"))),
        }
    }

    pub fn string(&mut self) -> Taken<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a string is not valid UTF-8".into())
    }

    /// How many elements of an array or a map come next; 0 at its end.
    pub fn block(&mut self) -> Taken<usize> {
        let count = self.long()?;
        if count < 0 {
            // The bytes of the block, for those who want to skip it.
            self.long()?;
        }
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        self.elements = self
            .elements
            .checked_sub(count)
            .ok_or_else(|| Fault::Wrong(format!("{count} elements do not fit into the record")))?;
        Ok(count)
    }

    /// Which branch of a union comes next.
    pub fn branch(&mut self, branches: usize) -> Taken<usize> {
        let branch = self.long()?;
        usize::try_from(branch)
            .ok()
            .filter(|b| *b < branches)
            .ok_or_else(|| Fault::Wrong(format!("branch {branch} of a union that has {branches}")))
    }
}

/// Appends a number.
pub(super) fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = (value << 1) as u64 ^ (value >> 63) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length and the bytes.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}
