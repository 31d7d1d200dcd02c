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

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Where the first quote, backslash or control character is, from `at` on.
///
/// Most strings are short and end within the two words that are looked at here; the others are
/// worth the call of a search that looks at many bytes at once.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], at: usize) -> usize {
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

/// The high bits of the quotes, backslashes and control characters of a word. A byte is found by
/// the borrow of a subtraction, of which the lowest one set is always right.
#[inline(always)]
fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let escape = word ^ (ONES * b'\\' as u64);
    let found = (quote.wrapping_sub(ONES) & !quote)
        | (escape.wrapping_sub(ONES) & !escape)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    found & HIGHS
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

#[inline(never)]
fn plain_end_far(bytes: &[u8], mut at: usize) -> usize {
    // Without an exit in the middle, so that the compiler compares all bytes of a block at once.
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<32>) {
        let found = block
            .iter()
            .fold(false, |found, &byte| found | (byte == b'"') | (byte == b'\\') | (byte < 0x20));
        if found {
            break;
        }
        at += 32;
    }
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    plain_end_bytewise(bytes, at)
}

/// The value of the whole number at `at` and where it ends, if it is one of up to 18 digits that
/// starts with none but a digit from 1 to 9 and is followed by neither fraction nor exponent.
#[inline(always)]
pub(super) fn plain_number(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let word = bytes.get(at..)?.first_chunk::<8>()?;
    if !matches!(word[0], b'1'..=b'9') {
        return None;
    }
    let (mut value, digits) = leading_digits(u64::from_le_bytes(*word));
    let mut end = at + digits;
    if digits == 8 {
        while let Some(digit) = bytes.get(end).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
            end += 1;
        }
    }
    let whole = !matches!(bytes.get(end), Some(b'.' | b'e' | b'E'));
    (whole && end - at <= 18).then_some((value, end))
}

/// The value of the digits that a word begins with, and how many they are: at least one.
///
/// The word is shifted so that zeros stand before the number, then neighbours are added up, two
/// digits, four digits, eight digits at a time.
#[inline(always)]
fn leading_digits(word: u64) -> (i64, usize) {
    let values = word ^ (ONES * b'0' as u64);
    // Adding 0x76 lifts every byte above 9 over 0x7f; a carry reaches only the bytes behind.
    let others = (values.wrapping_add(ONES * 0x76) | values) & HIGHS;
    let digits = (others.trailing_zeros() / 8) as usize;
    let eight = values << (64 - 8 * digits.max(1));
    let pairs = (eight & (ONES * 0x0f)).wrapping_mul(10 * 256 + 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 * 65_536 + 1) >> 16;
    let value = (fours & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 * (1 << 32) + 1) >> 32;
    (value as i64, digits)
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
    fn plain_numbers_of_every_length_are_read() {
        let digits = "123456789012345678";
        for len in 1..=digits.len() {
            for rest in [",", "}", "     ", ".5,", "e3", "x", ":;<=>?@~\u{7f}"] {
                let text = format!("{}{rest}        ", &digits[..len]);
                let found = plain_number(text.as_bytes(), 0);
                let whole = !rest.starts_with(['.', 'e']);
                let expected = whole.then(|| (digits[..len].parse().unwrap(), len));
                assert_eq!(found, expected, "{text}");
            }
        }
        for text in
            ["0        ", "01       ", "-1       ", "a        ", "7", "1234567890123456789 "]
        {
            assert_eq!(plain_number(text.as_bytes(), 0), None, "{text}");
        }
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
