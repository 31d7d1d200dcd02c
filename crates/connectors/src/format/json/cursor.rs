//! Walking over JSON text: strings, numbers, and whole values that nobody wants.

use std::borrow::Cow;

/// Values nested deeper than this are refused: the walk is recursive.
const DEPTH_MAX: usize = 500;

/// Why a value could not be read, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason(pub Box<str>);

impl Reason {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_boxed_str())
    }
}

pub(super) type Parsed<T> = Result<T, Reason>;

/// A place in one line of JSON. Line feeds are no white space here: a record is a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

/// Where the first quote, backslash or control character is, from `at` on.
///
/// Most strings are short and end within the two words that are looked at here; for the others a
/// search that looks at many bytes at once is worth its call.
#[inline]
pub(super) fn plain_end(bytes: &[u8], at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // A byte is found by the borrow of a subtraction, of which the lowest one set is always right.
    let special = |word: u64| {
        let quote = word ^ (ONES * b'"' as u64);
        let escape = word ^ (ONES * b'\\' as u64);
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (escape.wrapping_sub(ONES) & !escape)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        found & HIGHS
    };
    let Some(words) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) else {
        return plain_end_bytewise(bytes, at);
    };
    let both = u128::from_le_bytes(*words);
    let found = special(both as u64);
    if found != 0 {
        return at + (found.trailing_zeros() / 8) as usize;
    }
    let found = special((both >> 64) as u64);
    if found != 0 {
        return at + 8 + (found.trailing_zeros() / 8) as usize;
    }
    plain_end_far(bytes, at + 16)
}

fn plain_end_bytewise(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

fn plain_end_far(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
    let run = &rest[..end];
    // Without an early exit, so that the compiler compares many bytes at once.
    if run.iter().copied().fold(u8::MAX, u8::min) < 0x20 {
        return at + run.iter().position(|&byte| byte < 0x20).unwrap_or(end);
    }
    at + end
}

impl<'a> Cursor<'a> {
    /// The byte here, or 0 at the end: no JSON token starts with it.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    /// What stands here, for messages.
    pub fn found(&self) -> String {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        if rest.is_empty() {
            return "the end of the record".into();
        }
        let text = String::from_utf8_lossy(&rest[..rest.len().min(40)]);
        let ellipsis = if rest.len() > 40 { "…" } else { "" };
        format!("'{text}{ellipsis}'")
    }

    pub fn expected(&self, what: &str) -> Reason {
        Reason::new(format!("expected {what} at byte {}, found {}", self.at + 1, self.found()))
    }

    #[inline]
    pub fn literal(&mut self, word: &'static str) -> Parsed<()> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.expected(word))
    }

    /// The text of a string of which the opening quote is here; borrowed where nothing is escaped.
    #[inline]
    pub fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let bytes = self.bytes;
        let start = self.at + 1;
        let end = plain_end(bytes, start);
        if bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&bytes[start..end]));
        }
        let mut out = Vec::new();
        self.string_into(&mut out)?;
        Ok(Cow::Owned(out))
    }

    /// Appends the text of a string of which the opening quote is here.
    #[inline]
    pub fn string_into(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let mut at = self.at + 1;
        loop {
            let end = plain_end(self.bytes, at);
            out.extend_from_slice(&self.bytes[at..end]);
            match self.bytes.get(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at = end + 1;
                    self.escape(out)?;
                    at = self.at;
                }
                Some(byte) => {
                    return Err(Reason::new(format!(
                        "control character {byte:#04x} in a string at byte {}",
                        end + 1
                    )));
                }
                None => return Err(Reason::new("a string has no end")),
            }
        }
    }

    /// Decodes the escape of which the letter is here.
    fn escape(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        let byte = self.peek();
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) {
                    self.literal("\\u").map_err(|_| lone_surrogate())?;
                    let low = self.hex()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(lone_surrogate());
                    }
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                let character = char::from_u32(code).ok_or_else(lone_surrogate)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("an escape such as \\n or \\u0041"));
            }
        };
        out.push(plain);
        Ok(())
    }

    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or(&[]);
        let mut code = 0;
        for &digit in digits {
            let Some(value) = char::from(digit).to_digit(16) else {
                return Err(self.expected("four hexadecimal digits"));
            };
            code = code * 16 + value;
        }
        if digits.len() < 4 {
            return Err(self.expected("four hexadecimal digits"));
        }
        self.at += 4;
        Ok(code)
    }

    /// The text of a number that starts here, and whether it is a whole one.
    #[inline]
    pub fn number(&mut self) -> Parsed<(&'a [u8], bool)> {
        let bytes = self.bytes;
        let start = self.at;
        let mut at = start + usize::from(self.peek() == b'-');
        let digits = |at: usize| {
            bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
        };
        let whole = digits(at);
        if whole == 0 || (whole > 1 && bytes[at] == b'0') {
            return Err(self.expected("a number"));
        }
        at += whole;
        let mut is_whole = true;
        if bytes.get(at) == Some(&b'.') {
            is_whole = false;
            let fraction = digits(at + 1);
            if fraction == 0 {
                return Err(self.expected("a number"));
            }
            at += 1 + fraction;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            is_whole = false;
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at + 1 + sign);
            if exponent == 0 {
                return Err(self.expected("a number"));
            }
            at += 1 + sign + exponent;
        }
        self.at = at;
        Ok((&bytes[start..at], is_whole))
    }

    /// Walks over the value that starts here, checking that it is one.
    #[inline]
    pub fn skip_value(&mut self) -> Parsed<()> {
        match self.peek() {
            b'"' => {
                let end = plain_end(self.bytes, self.at + 1);
                if self.bytes.get(end) == Some(&b'"') {
                    self.at = end + 1;
                    return Ok(());
                }
            }
            b'1'..=b'9' => {
                let mut at = self.at + 1;
                while self.bytes.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                if !matches!(self.bytes.get(at), Some(b'.' | b'e' | b'E')) {
                    self.at = at;
                    return Ok(());
                }
            }
            _ => {}
        }
        self.walk(DEPTH_MAX, None)
    }

    /// Appends the value that starts here without its white space, its strings escaped anew.
    pub fn compact_into(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        self.walk(DEPTH_MAX, Some(out))
    }

    fn walk(&mut self, depth: usize, mut out: Option<&mut Vec<u8>>) -> Parsed<()> {
        let start = self.at;
        match self.peek() {
            b'"' => {
                let text = self.string()?;
                if let Some(out) = out {
                    super::encode::write_string(out, &text);
                }
                return Ok(());
            }
            b'-' | b'0'..=b'9' => drop(self.number()?),
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b'n' => self.literal("null")?,
            b'{' | b'[' if depth == 0 => {
                return Err(Reason::new(format!("nested deeper than {DEPTH_MAX} levels")));
            }
            b'[' => {
                return self
                    .elements(out.as_deref_mut(), |cursor, out| cursor.walk(depth - 1, out));
            }
            b'{' => {
                return self.members(out.as_deref_mut(), |cursor, out| cursor.walk(depth - 1, out));
            }
            _ => return Err(self.expected("a value")),
        }
        if let Some(out) = out {
            out.extend_from_slice(&self.bytes[start..self.at]);
        }
        Ok(())
    }

    fn elements(
        &mut self,
        mut out: Option<&mut Vec<u8>>,
        mut each: impl FnMut(&mut Self, Option<&mut Vec<u8>>) -> Parsed<()>,
    ) -> Parsed<()> {
        self.at += 1;
        put(&mut out, b'[');
        self.skip_space();
        if self.peek() != b']' {
            loop {
                self.skip_space();
                each(self, out.as_deref_mut())?;
                if !self.separator(b']')? {
                    break;
                }
                put(&mut out, b',');
            }
        } else {
            self.at += 1;
        }
        put(&mut out, b']');
        Ok(())
    }

    fn members(
        &mut self,
        mut out: Option<&mut Vec<u8>>,
        mut each: impl FnMut(&mut Self, Option<&mut Vec<u8>>) -> Parsed<()>,
    ) -> Parsed<()> {
        self.at += 1;
        put(&mut out, b'{');
        self.skip_space();
        if self.peek() != b'}' {
            loop {
                let key = self.key()?;
                if let Some(out) = &mut out {
                    super::encode::write_string(out, &key);
                }
                put(&mut out, b':');
                each(self, out.as_deref_mut())?;
                if !self.separator(b'}')? {
                    break;
                }
                put(&mut out, b',');
            }
        } else {
            self.at += 1;
        }
        put(&mut out, b'}');
        Ok(())
    }

    /// The key of a member, up to the start of its value.
    #[inline]
    pub fn key(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.skip_space();
        if self.peek() != b'"' {
            return Err(self.expected("a key in double quotes"));
        }
        let key = self.string()?;
        self.skip_space();
        if self.peek() != b':' {
            return Err(self.expected("':'"));
        }
        self.at += 1;
        self.skip_space();
        Ok(key)
    }

    /// After an element: `true` after a comma, `false` after the closing bracket.
    #[inline]
    pub fn separator(&mut self, close: u8) -> Parsed<bool> {
        self.skip_space();
        let byte = self.peek();
        if byte != b',' && byte != close {
            return Err(self.expected(if close == b'}' { "',' or '}'" } else { "',' or ']'" }));
        }
        self.at += 1;
        Ok(byte == b',')
    }
}

fn put(out: &mut Option<&mut Vec<u8>>, byte: u8) {
    if let Some(out) = out {
        out.push(byte);
    }
}

fn lone_surrogate() -> Reason {
    Reason::new("half of a surrogate pair in a \\u escape")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_plain_run_is_found_at_every_place() {
        for stop in [b'"', b'\\', 0x00, 0x1f, b'\n'] {
            for place in 0..70 {
                let mut bytes = "é~ !#[]\u{7f}ÿ0123456789".repeat(4).into_bytes();
                bytes.truncate(70);
                bytes[place] = stop;
                assert_eq!(plain_end(&bytes, 0), place, "{stop} at {place}");
                bytes[place + 1..].fill(b'"');
                assert_eq!(plain_end(&bytes, place / 2), place, "{stop} at {place}");
            }
        }
        assert_eq!(plain_end(b"abc", 0), 3);
        assert_eq!(plain_end(b"abc", 7), 7);
    }

    #[test]
    fn a_value_is_compacted() {
        let text = br#" { "a" : [ 1 , -2.50e+3, "x\u00e9\n" ] , "b" : { } , "c" : [ ] } "#;
        let mut cursor = Cursor { bytes: text, at: 1 };
        let mut out = Vec::new();
        cursor.compact_into(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r#"{"a":[1,-2.50e+3,"xé\n"],"b":{},"c":[]}"#);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let bad = [
            "01",
            "-",
            "1.",
            "1e",
            "tru",
            "[1,]",
            "[1",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\u12\"",
            "\"a",
            "\"\t\"",
            "",
            "[1\n]",
        ];
        for text in bad {
            let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
            assert!(cursor.skip_value().is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Cursor { bytes: deep.as_bytes(), at: 0 }.skip_value().is_err());
    }
}
