//! The JSON of a request into records of one line each.
//!
//! Taken are one object, an array of objects, and objects one a line (NDJSON). Only the places of
//! the records are looked for here, without recursion; whether a record is JSON is the decoder's to
//! say.

use memchr::memchr;

/// A record that cannot be one, known before it is decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Which record, counted from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The records of a request, each followed by a line end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub lines: Vec<u8>,
    pub count: usize,
    pub bad: Vec<BadRow>,
}

impl Split {
    /// Adds a record; line ends between its tokens become spaces.
    fn push(&mut self, record: &[u8]) {
        let start = self.lines.len();
        self.lines.extend_from_slice(record);
        if memchr::memchr2(b'\n', b'\r', record).is_some() {
            let (mut quoted, mut escaped, mut broken) = (false, false, false);
            for byte in &mut self.lines[start..] {
                let is_end = matches!(*byte, b'\n' | b'\r');
                if is_end {
                    broken |= quoted;
                    *byte = b' ';
                }
                match *byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    _ => {}
                }
            }
            if broken {
                let reason = "a string holds a line end; it is written \\n".to_owned();
                self.bad.push(BadRow { index: self.count, reason });
            }
        }
        self.lines.push(b'\n');
        self.count += 1;
    }
}

/// Splits the body of a request. An error is one of the whole body.
pub(super) fn split(body: &[u8]) -> Result<Split, String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let at = skip_space(body, 0);
    match body.get(at) {
        None => Err("the body is empty: send a JSON object, an array of objects, or one object \
                     a line"
            .into()),
        Some(b'[') => array(body, at + 1),
        Some(_) => Ok(objects(body, at)),
    }
}

fn array(body: &[u8], start: usize) -> Result<Split, String> {
    let mut split = Split::default();
    let mut at = skip_space(body, start);
    if body.get(at) == Some(&b']') {
        return end_of_array(body, at).map(|()| split);
    }
    loop {
        let Some(end) = value_end(body, at) else {
            return Err(format!("the array ends within the element that begins at byte {at}"));
        };
        split.push(&body[at..end]);
        at = skip_space(body, end);
        match body.get(at) {
            Some(b',') => at = skip_space(body, at + 1),
            Some(b']') => return end_of_array(body, at).map(|()| split),
            Some(_) => return Err(format!("',' or ']' is expected in the array at byte {at}")),
            None => return Err("the array has no ']' at its end".into()),
        }
    }
}

fn end_of_array(body: &[u8], at: usize) -> Result<(), String> {
    let rest = skip_space(body, at + 1);
    match rest == body.len() {
        true => Ok(()),
        false => Err(format!("something follows the array at byte {rest}")),
    }
}

/// One object over several lines, or one object a line.
fn objects(body: &[u8], start: usize) -> Split {
    let line_end = memchr(b'\n', &body[start..]).map_or(body.len(), |end| start + end);
    if body[start] == b'{'
        && let Some(end) = value_end(body, start)
        && end > line_end
    {
        let mut split = Split::default();
        let mut at = start;
        while let Some(end) = value_end(body, at).filter(|_| body[at] == b'{') {
            split.push(&body[at..end]);
            at = skip_space(body, end);
            if at == body.len() {
                return split;
            }
        }
    }
    let mut split = Split::default();
    for line in body[start..].split(|&b| b == b'\n') {
        let line = line.trim_ascii();
        if !line.is_empty() {
            split.push(line);
        }
    }
    split
}

fn skip_space(body: &[u8], at: usize) -> usize {
    let space = body[at..].iter().take_while(|b| matches!(**b, b' ' | b'\t' | b'\n' | b'\r'));
    at + space.count()
}

/// Where the value ends that begins at `at`: by its brackets and quotes alone.
fn value_end(body: &[u8], at: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let is_nested = matches!(body.get(at)?, b'{' | b'[');
    let is_string = body[at] == b'"';
    for (place, byte) in body.iter().enumerate().skip(at) {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    quoted = false;
                    if is_string && depth == 0 {
                        return Some(place + 1);
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return (place > at).then_some(place),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 && is_nested {
                    return Some(place + 1);
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => {
                return (place > at).then_some(place);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(body: &str) -> Vec<String> {
        let split = split(body.as_bytes()).unwrap();
        let text = String::from_utf8(split.lines).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), split.count);
        lines
    }

    #[test]
    fn objects_arrays_and_lines_are_told_apart() {
        assert_eq!(records(r#"{"a":1}"#), [r#"{"a":1}"#]);
        assert_eq!(records("\u{feff} {\"a\":1}\n\n{\"a\":2}\r\n"), [r#"{"a":1}"#, r#"{"a":2}"#]);
        assert_eq!(
            records("{\n  \"a\": [1,\n 2]\n}\n{\n\"a\": 3}"),
            ["{   \"a\": [1,  2] }", "{ \"a\": 3}"]
        );
        assert_eq!(
            records(r#"[ {"a":"]},{\"" }, {"b":[{}]} ,7,"x, y",null]"#),
            [r#"{"a":"]},{\"" }"#, r#"{"b":[{}]}"#, "7", "\"x, y\"", "null"]
        );
        assert_eq!(records("[]"), Vec::<String>::new());
    }

    #[test]
    fn a_broken_line_is_a_record_of_its_own() {
        assert_eq!(records("{\"a\":1\n{\"a\":2}\n"), [r#"{"a":1"#, r#"{"a":2}"#]);
        assert_eq!(records("{\"a\":1}}\nx\n"), [r#"{"a":1}}"#, "x"]);
    }

    #[test]
    fn a_line_end_in_a_string_is_found() {
        let split = split(b"[{\"a\":\"x\ny\"},{\"a\":\n1}]").unwrap();
        assert_eq!(split.bad.iter().map(|b| b.index).collect::<Vec<_>>(), [0]);
        assert_eq!(split.count, 2);
    }

    #[test]
    fn bodies_that_are_no_array_say_where() {
        for (body, expected) in [
            ("", "the body is empty"),
            (" \n", "the body is empty"),
            ("[{}", "the array has no ']'"),
            ("[{},", "the array ends within the element that begins at byte 4"),
            ("[{} {}]", "',' or ']' is expected in the array at byte 4"),
            ("[{}] x", "something follows the array at byte 5"),
            ("[,]", "the array ends within the element that begins at byte 1"),
        ] {
            let error = split(body.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn a_hundred_thousand_brackets_need_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(split(deep.as_bytes()).unwrap().count, 1);
        assert!(split("[".repeat(100_000).as_bytes()).is_err());
    }
}
