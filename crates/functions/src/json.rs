//! JSON values: reading, writing, and the path language of `$.a[0]['b c'].*`.
//!
//! Numbers keep their text, so that nothing is lost on the way through.

use std::collections::HashMap;
use std::fmt::Write;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A number's text.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// The text of a variant, JSON already.
    Raw(String),
}

impl Json {
    /// Reads a value; what stands behind it is not looked at, as with Jackson.
    pub(crate) fn parse(text: &str) -> Option<Json> {
        Json::parse_counting(text).map(|(value, _)| value)
    }

    /// As [`Json::parse`], and a key that some object has twice.
    pub(crate) fn parse_counting(text: &str) -> Option<(Json, Option<String>)> {
        let bytes = text.as_bytes();
        let mut reader = Reader { bytes, text, at: 0, depth: 0, repeated: None };
        let value = reader.value()?;
        Some((value, reader.repeated))
    }

    /// Whether it is neither an array nor an object.
    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self, Json::Array(_) | Json::Object(_))
    }

    /// The value as text: a string without quotes.
    pub(crate) fn plain(&self) -> String {
        match self {
            Json::Text(s) => s.clone(),
            Json::Number(n) => java_number(n),
            Json::Bool(b) => b.to_string(),
            other => other.to_json(),
        }
    }

    /// The value as JSON, with the keys of objects sorted.
    pub(crate) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Json::Number(n) => out.push_str(&java_number(n)),
            Json::Raw(text) => out.push_str(text),
            Json::Text(s) => quote(out, s),
            Json::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                let mut sorted: Vec<&(String, Json)> = fields.iter().collect();
                sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
                out.push('{');
                for (i, (key, value)) in sorted.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Appends a quoted string.
pub(crate) fn quote(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number's text as Java's `BigInteger` or `BigDecimal` prints it.
fn java_number(text: &str) -> String {
    if !text.contains(['.', 'e', 'E']) {
        return text.to_string();
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(i) => (&text[..i], text[i + 1..].parse::<i64>().unwrap_or(0)),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let joined = format!("{whole}{fraction}");
    let digits = joined.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let scale = fraction.len() as i64 - exponent;
    let adjusted = digits.len() as i64 - 1 - scale;
    if scale >= 0 && adjusted >= -6 {
        let scale = scale as usize;
        if scale == 0 {
            return format!("{sign}{digits}");
        }
        if digits.len() > scale {
            let (w, f) = digits.split_at(digits.len() - scale);
            return format!("{sign}{w}.{f}");
        }
        return format!("{sign}0.{digits:0>scale$}");
    }
    let plus = if adjusted < 0 { "" } else { "+" };
    match digits.split_at(1) {
        (first, "") => format!("{sign}{first}E{plus}{adjusted}"),
        (first, rest) => format!("{sign}{first}.{rest}E{plus}{adjusted}"),
    }
}

/// How deep values may be nested, so that a hostile text cannot exhaust the stack.
const DEPTH_MAX: usize = 256;

/// How many fields of an object are looked through for one of the same name; a larger one has
/// an index, so that a hostile object does not cost the square of its size.
const FIELDS_LOOKED_THROUGH: usize = 16;

struct Reader<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    depth: usize,
    /// The first key that came twice in its object.
    repeated: Option<String>,
}

impl Reader<'_> {
    fn skip(&mut self) {
        while self.bytes.get(self.at).is_some_and(|b| b" \t\r\n".contains(b)) {
            self.at += 1;
        }
    }

    fn next(&mut self, wanted: u8) -> bool {
        self.skip();
        let found = self.bytes.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Option<Json> {
        self.skip();
        match self.bytes.get(self.at)? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn nested(&mut self, f: fn(&mut Self) -> Option<Json>) -> Option<Json> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        self.at += 1;
        let value = f(self);
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        let rest = self.text.get(self.at..)?.strip_prefix(word)?;
        if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        self.at += word.len();
        Some(value)
    }

    fn object(&mut self) -> Option<Json> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        // Where each key stands, once there are too many to look through them all.
        let mut places: HashMap<String, usize> = HashMap::new();
        if self.next(b'}') {
            return Some(Json::Object(fields));
        }
        loop {
            self.skip();
            let key = self.string()?;
            if !self.next(b':') {
                return None;
            }
            let value = self.value()?;
            if fields.len() == FIELDS_LOOKED_THROUGH {
                places = fields.iter().enumerate().map(|(i, (k, _))| (k.clone(), i)).collect();
            }
            let before = match fields.len() < FIELDS_LOOKED_THROUGH {
                true => fields.iter().position(|(k, _)| *k == key),
                false => places.get(&key).copied(),
            };
            match before {
                Some(at) => {
                    fields[at].1 = value;
                    self.repeated.get_or_insert(key);
                }
                None => {
                    if fields.len() >= FIELDS_LOOKED_THROUGH {
                        places.insert(key.clone(), fields.len());
                    }
                    fields.push((key, value));
                }
            }
            if self.next(b'}') {
                return Some(Json::Object(fields));
            }
            if !self.next(b',') {
                return None;
            }
        }
    }

    fn array(&mut self) -> Option<Json> {
        let mut items = Vec::new();
        if self.next(b']') {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.next(b']') {
                return Some(Json::Array(items));
            }
            if !self.next(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if self.bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let c = rest.chars().next()?;
            self.at += c.len_utf8();
            match c {
                '"' => return Some(out),
                '\\' => out.push(self.escape()?),
                c if (c as u32) < 0x20 => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(match c {
            b'"' | b'\\' | b'/' => char::from(c),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.unit()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return Some(char::from_u32(high).unwrap_or('\u{fffd}'));
                }
                if !self.text.get(self.at..)?.starts_with("\\u") {
                    return Some('\u{fffd}');
                }
                self.at += 2;
                let low = self.unit()?;
                let code = 0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                char::from_u32(code).unwrap_or('\u{fffd}')
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let hex = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(hex, 16).ok()
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        let digits = |r: &mut Self| {
            let from = r.at;
            while r.bytes.get(r.at).is_some_and(u8::is_ascii_digit) {
                r.at += 1;
            }
            r.at - from
        };
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let zero = self.bytes.get(self.at) == Some(&b'0');
        let whole = digits(self);
        if whole == 0 || zero && whole > 1 {
            return None;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if digits(self) == 0 {
                return None;
            }
        }
        if self.bytes.get(self.at).is_some_and(|b| b"eE".contains(b)) {
            self.at += 1;
            if self.bytes.get(self.at).is_some_and(|b| b"+-".contains(b)) {
                self.at += 1;
            }
            if digits(self) == 0 {
                return None;
            }
        }
        if self.bytes.get(self.at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
            return None;
        }
        Some(Json::Number(self.text[start..self.at].to_string()))
    }
}

/// A step of a path.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Keys(Vec<String>),
    Index(i64),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    All,
    /// Everything below, then the next step.
    Deep,
}

/// A compiled path and its mode.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    /// `lax`: what is missing is empty, not an error.
    pub lax: bool,
    steps: Result<Vec<Step>, String>,
    definite: bool,
}

/// What a path found.
pub(crate) enum Found {
    /// A value; JSON's null counts as nothing.
    Value(Option<Json>),
    /// The path or the text is wrong.
    Error(String),
}

impl Path {
    /// Compiles a path; one that is not well formed answers errors when it is used.
    pub(crate) fn compile(spec: &str) -> Path {
        let trimmed = spec.trim_start();
        let mode = |word: &str| {
            let rest = trimmed.get(word.len()..)?;
            let blank = rest.starts_with(char::is_whitespace);
            let is = trimmed.get(..word.len())?.eq_ignore_ascii_case(word);
            (blank && is).then(|| rest.trim_start())
        };
        let (lax, path) = match (mode("lax"), mode("strict")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => (false, spec),
        };
        let steps = parse_steps(path.trim());
        let definite = steps
            .as_ref()
            .is_ok_and(|steps| steps.iter().all(|s| matches!(s, Step::Key(_) | Step::Index(_))));
        Path { lax, steps, definite }
    }

    /// Looks the path up in a text.
    pub(crate) fn find(&self, input: &str) -> Found {
        let Some(root) = Json::parse(input) else {
            if self.lax {
                return Found::Value(None);
            }
            return Found::Error(format!("'{input}' is not valid JSON"));
        };
        let steps = match &self.steps {
            Ok(steps) => steps,
            Err(why) => return Found::Error(why.clone()),
        };
        if self.definite {
            let mut at = &root;
            for step in steps {
                at = match one(at, step) {
                    Some(next) => next,
                    None if self.lax => return Found::Value(None),
                    None => return Found::Error(format!("No results for path: {step:?}")),
                };
            }
            let value = (*at != Json::Null).then(|| at.clone());
            return Found::Value(value);
        }
        let mut found = Vec::new();
        many(&root, steps, &mut found);
        Found::Value(Some(Json::Array(found.into_iter().cloned().collect())))
    }
}

fn at_index(items: &[Json], index: i64) -> Option<&Json> {
    let i = if index < 0 { index + items.len() as i64 } else { index };
    items.get(usize::try_from(i).ok()?)
}

fn one<'a>(value: &'a Json, step: &Step) -> Option<&'a Json> {
    match (value, step) {
        (Json::Object(fields), Step::Key(key)) => {
            fields.iter().find(|(k, _)| k == key).map(|(_, v)| v)
        }
        (Json::Array(items), Step::Index(i)) => at_index(items, *i),
        _ => None,
    }
}

fn many<'a>(value: &'a Json, steps: &[Step], out: &mut Vec<&'a Json>) {
    let Some((step, rest)) = steps.split_first() else {
        out.push(value);
        return;
    };
    match (value, step) {
        (_, Step::Key(_) | Step::Index(_)) => {
            if let Some(next) = one(value, step) {
                many(next, rest, out);
            }
        }
        (Json::Object(_), Step::Keys(keys)) => {
            for key in keys {
                if let Some(next) = one(value, &Step::Key(key.clone())) {
                    many(next, rest, out);
                }
            }
        }
        (Json::Array(items), Step::Indexes(indexes)) => {
            indexes.iter().filter_map(|i| at_index(items, *i)).for_each(|v| many(v, rest, out));
        }
        (Json::Array(items), Step::Slice(from, to)) => {
            let len = items.len() as i64;
            let clamp = |i: i64| if i < 0 { (i + len).max(0) } else { i.min(len) };
            let (from, to) = (clamp(from.unwrap_or(0)), clamp(to.unwrap_or(len)));
            for item in items.iter().take(to.max(0) as usize).skip(from as usize) {
                many(item, rest, out);
            }
        }
        (Json::Array(items), Step::All) => items.iter().for_each(|v| many(v, rest, out)),
        (Json::Object(fields), Step::All) => {
            fields.iter().for_each(|(_, v)| many(v, rest, out));
        }
        (_, Step::Deep) => {
            many(value, rest, out);
            match value {
                Json::Array(items) => items.iter().for_each(|v| many(v, steps, out)),
                Json::Object(fields) => fields.iter().for_each(|(_, v)| many(v, steps, out)),
                _ => {}
            }
        }
        _ => {}
    }
}

fn parse_steps(path: &str) -> Result<Vec<Step>, String> {
    let wrong = |why: &str| format!("The JSON path '{path}' is not well formed: {why}");
    let mut rest = path.strip_prefix('$').ok_or_else(|| wrong("it must begin with $"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(r) = rest.strip_prefix("..") {
            steps.push(Step::Deep);
            rest = r;
            if !rest.starts_with('[') {
                rest = name_step(rest, &mut steps).ok_or_else(|| wrong("a name is missing"))?;
            }
        } else if let Some(r) = rest.strip_prefix('.') {
            rest = r;
            if !rest.starts_with('[') {
                rest = name_step(rest, &mut steps).ok_or_else(|| wrong("a name is missing"))?;
            }
        } else if let Some(r) = rest.strip_prefix('[') {
            let (step, r) = bracket(r).ok_or_else(|| wrong("bad brackets, or a filter"))?;
            steps.push(step);
            rest = r;
        } else {
            return Err(wrong("'.' or '[' expected"));
        }
    }
    Ok(steps)
}

fn name_step<'a>(rest: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if name.is_empty() || name.contains(['(', ' ']) {
        return None;
    }
    steps.push(if name == "*" { Step::All } else { Step::Key(name.to_string()) });
    Some(rest)
}

fn bracket(rest: &str) -> Option<(Step, &str)> {
    let rest = rest.trim_start();
    if rest.starts_with(['\'', '"']) {
        let mut keys = Vec::new();
        let mut rest = rest;
        loop {
            let (key, r) = quoted_key(rest)?;
            keys.push(key);
            rest = r.trim_start();
            match rest.strip_prefix(',') {
                Some(r) => rest = r.trim_start(),
                None => break,
            }
        }
        let rest = rest.strip_prefix(']')?;
        if keys.len() == 1 {
            return Some((Step::Key(keys.pop()?), rest));
        }
        return Some((Step::Keys(keys), rest));
    }
    let (inner, rest) = rest.split_once(']')?;
    let inner = inner.trim();
    if inner == "*" {
        return Some((Step::All, rest));
    }
    let number = |s: &str| s.trim().parse::<i64>().ok();
    if let Some((from, to)) = inner.split_once(':') {
        let part = |s: &str| {
            if s.trim().is_empty() { Some(None) } else { number(s).map(Some) }
        };
        return Some((Step::Slice(part(from)?, part(to)?), rest));
    }
    let mut indexes = inner.split(',').map(number).collect::<Option<Vec<_>>>()?;
    if indexes.len() == 1 {
        return Some((Step::Index(indexes.pop()?), rest));
    }
    Some((Step::Indexes(indexes), rest))
}

fn quoted_key(rest: &str) -> Option<(String, &str)> {
    let mark = rest.chars().next()?;
    let mut key = String::new();
    let mut chars = rest[1..].char_indices();
    while let Some((i, c)) = chars.next() {
        if c == '\\' {
            key.push(chars.next()?.1);
        } else if c == mark {
            return Some((key, &rest[1 + i + 1..]));
        } else {
            key.push(c);
        }
    }
    None
}
