//! Regular expressions in Java's flavour as far as linear-time matching allows; `LIKE` and
//! `SIMILAR TO` with escapes; splitting.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, MapBuilder, StringBuilder};
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::{Result, exec_err};
use regex::{CaptureLocations, Regex, RegexBuilder};

use super::call::{Args, Call, Def, Nulls, Ret, some};
use super::typing::{list_of, map_of};

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Boolean, Int32, Utf8};
    let strings = || Ret::Of(|_, _| Ok(list_of(DataType::Utf8)));
    vec![
        Def::new("REGEXP", "SS", Boolean, regexp).nulls(Nulls::Propagate).aliases(&["RLIKE"]),
        Def::new("REGEXP_EXTRACT", "SSi", Utf8, extract),
        Def::new("REGEXP_REPLACE", "SSS", Utf8, replace),
        Def::new("REGEXP_COUNT", "SS", Int32, count),
        Def::new("REGEXP_INSTR", "SS", Int32, instr),
        Def::new("REGEXP_SUBSTR", "SS", Utf8, substr),
        Def::of("REGEXP_EXTRACT_ALL", "SSi", strings(), extract_all),
        Def::of("SPLIT", "SS", strings(), split),
        Def {
            name: "STR_TO_MAP",
            aliases: &[],
            args: Args::Codes("Sss"),
            ret: Ret::Of(|_, _| Ok(map_of(DataType::Utf8, DataType::Utf8))),
            nulls: Nulls::Maybe,
            volatile: false,
            per_row: false,
            eval: str_to_map,
        },
        Def::new("$LIKE", "SSs", Boolean, |c| like(c, like_to_regex)).nulls(Nulls::Propagate),
        Def::new("$SIMILAR", "SSs", Boolean, |c| like(c, similar_to_regex)).nulls(Nulls::Propagate),
    ]
}

/// Compiled patterns of one call, which mostly has one.
#[derive(Default)]
struct Patterns {
    known: HashMap<String, Option<Compiled>>,
    last: Option<(String, Option<Compiled>)>,
}

/// A pattern, and room for where its groups match.
#[derive(Clone)]
struct Compiled {
    regex: Arc<Regex>,
    groups: CaptureLocations,
}

impl Patterns {
    /// The compiled pattern; `None` if it is not well formed.
    fn get(&mut self, pattern: &str) -> Result<Option<&Regex>> {
        Ok(self.compiled(pattern)?.map(|compiled| &*compiled.regex))
    }

    fn compiled(&mut self, pattern: &str) -> Result<Option<&mut Compiled>> {
        if self.last.as_ref().is_none_or(|(last, _)| last != pattern) {
            let found = match self.known.get(pattern) {
                Some(found) => found.clone(),
                None => compile(pattern)?.map(|regex| {
                    let groups = regex.capture_locations();
                    Compiled { regex, groups }
                }),
            };
            self.known.insert(pattern.to_string(), found.clone());
            self.last = Some((pattern.to_string(), found));
        }
        Ok(self.last.as_mut().and_then(|(_, compiled)| compiled.as_mut()))
    }
}

/// Compiles a Java pattern. What Java has and linear matching has not is an error.
fn compile(pattern: &str) -> Result<Option<Arc<Regex>>> {
    if let Some(what) = beyond_linear(pattern) {
        return exec_err!(
            "The regular expression '{pattern}' uses {what}, which is not supported here; \
             rewrite it without"
        );
    }
    let built = RegexBuilder::new(&java_classes(pattern)).size_limit(1 << 24).build();
    Ok(built.ok().map(Arc::new))
}

fn beyond_linear(pattern: &str) -> Option<&'static str> {
    let bytes = pattern.as_bytes();
    let mut i = 0;
    let mut class = false;
    while i < bytes.len() {
        let rest = &pattern.as_bytes()[i..];
        match bytes[i] {
            b'\\' => {
                if !class && bytes.get(i + 1).is_some_and(|b| (b'1'..=b'9').contains(b)) {
                    return Some("a back reference");
                }
                i += 1;
            }
            b'[' => class = true,
            b']' => class = false,
            b'(' if !class => {
                if rest.starts_with(b"(?=") || rest.starts_with(b"(?!") {
                    return Some("look-ahead");
                }
                if rest.starts_with(b"(?<=") || rest.starts_with(b"(?<!") {
                    return Some("look-behind");
                }
                if rest.starts_with(b"(?>") {
                    return Some("an atomic group");
                }
            }
            b'*' | b'+' | b'?' | b'}'
                if !class && bytes.get(i + 1) == Some(&b'+') && quantifies(pattern, i) =>
            {
                return Some("a possessive quantifier");
            }
            _ => {}
        }
        i += 1;
    }
    None
}

/// Whether the character ends a quantifier: a brace only behind `{` and numbers.
fn quantifies(pattern: &str, at: usize) -> bool {
    if pattern.as_bytes()[at] != b'}' {
        return true;
    }
    match pattern[..at].rfind('{') {
        Some(open) => pattern[open + 1..at].bytes().all(|b| b.is_ascii_digit() || b == b','),
        None => false,
    }
}

/// Java's `\d \w \s` are ASCII, and `\Z` is the end.
fn java_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars();
    let mut class = 0;
    while let Some(c) = chars.next() {
        match c {
            '[' => {
                class += 1;
                out.push(c);
            }
            ']' => {
                class -= 1;
                out.push(c);
            }
            '\\' => {
                let Some(next) = chars.next() else {
                    out.push('\\');
                    break;
                };
                let (inside, outside) = match next {
                    'd' => ("0-9", "[0-9]"),
                    'w' => ("a-zA-Z0-9_", "[a-zA-Z0-9_]"),
                    's' => (r" \t\n\x0B\x0C\r", r"[ \t\n\x0B\x0C\r]"),
                    'D' => ("[^0-9]", "[^0-9]"),
                    'W' => ("[^a-zA-Z0-9_]", "[^a-zA-Z0-9_]"),
                    'S' => (r"[^ \t\n\x0B\x0C\r]", r"[^ \t\n\x0B\x0C\r]"),
                    'Z' => (r"\z", r"\z"),
                    'e' => (r"\x1B", r"\x1B"),
                    'Q' => {
                        let rest = chars.as_str();
                        let end = rest.find("\\E").unwrap_or(rest.len());
                        out.push_str(&regex::escape(&rest[..end]));
                        chars = rest[(end + 2).min(rest.len())..].chars();
                        continue;
                    }
                    other => {
                        out.push('\\');
                        out.push(other);
                        if let ('p' | 'P', Some(rest)) = (other, chars.as_str().strip_prefix("{Is"))
                        {
                            // Java names scripts and properties with a leading Is.
                            out.push('{');
                            chars = rest.chars();
                        }
                        continue;
                    }
                };
                out.push_str(if class > 0 { inside } else { outside });
            }
            c => out.push(c),
        }
    }
    out
}

fn regexp(call: &Call) -> Result<ArrayRef> {
    let (s, p) = (call.str(0)?, call.str(1)?);
    let mut patterns = Patterns::default();
    call.bools(|i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        if p.is_empty() {
            return Ok(Some(false));
        }
        Ok(Some(patterns.get(p)?.is_some_and(|r| r.is_match(s))))
    })
}

fn extract(call: &Call) -> Result<ArrayRef> {
    let (s, p, g) = (call.str(0)?, call.str(1)?, call.prim_opt::<Int32Type>(2)?);
    let mut patterns = Patterns::default();
    call.strings(|i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        let group = match &g {
            Some(g) => some!(g.get(i)),
            None => 0,
        };
        let Compiled { regex, groups } = some!(patterns.compiled(p)?);
        let group = some!(usize::try_from(group).ok());
        some!(regex.captures_read(groups, s));
        Ok(groups.get(group).and_then(|(start, end)| s.get(start..end)))
    })
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (s, p, r) = (call.str(0)?, call.str(1)?, call.str(2)?);
    let mut patterns = Patterns::default();
    call.strings(|i| {
        let (s, p, r) = (some!(s.get(i)), some!(p.get(i)), some!(r.get(i)));
        let regex = some!(patterns.get(p)?);
        Ok(Some(regex.replace_all(s, regex::NoExpand(r)).into_owned()))
    })
}

fn count(call: &Call) -> Result<ArrayRef> {
    let (s, p) = (call.str(0)?, call.str(1)?);
    let mut patterns = Patterns::default();
    call.prims::<Int32Type>(|i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        Ok(patterns.get(p)?.map(|r| r.find_iter(s).count() as i32))
    })
}

fn instr(call: &Call) -> Result<ArrayRef> {
    let (s, p) = (call.str(0)?, call.str(1)?);
    let mut patterns = Patterns::default();
    call.prims::<Int32Type>(|i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        let regex = some!(patterns.get(p)?);
        Ok(Some(regex.find(s).map_or(0, |m| s[..m.start()].chars().count() as i32 + 1)))
    })
}

fn substr(call: &Call) -> Result<ArrayRef> {
    let (s, p) = (call.str(0)?, call.str(1)?);
    let mut patterns = Patterns::default();
    call.strings(|i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        Ok(some!(patterns.get(p)?).find(s).map(|m| m.as_str()))
    })
}

/// A column of string arrays.
fn string_lists(
    call: &Call,
    mut f: impl FnMut(usize) -> Result<Option<Vec<Option<String>>>>,
) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringBuilder::new());
    for i in 0..call.rows {
        match f(i)? {
            Some(items) => out.append_value(items),
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn extract_all(call: &Call) -> Result<ArrayRef> {
    let (s, p, g) = (call.str(0)?, call.str(1)?, call.prim_opt::<Int32Type>(2)?);
    let mut patterns = Patterns::default();
    string_lists(call, |i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        let group = match &g {
            Some(g) => some!(g.get(i)),
            None => 1,
        };
        let regex = some!(patterns.get(p)?);
        let group = some!(usize::try_from(group).ok());
        if group >= regex.captures_len() {
            return Ok(None);
        }
        let found = regex.captures_iter(s).map(|c| c.get(group).map(|m| m.as_str().to_string()));
        Ok(Some(found.collect()))
    })
}

fn split(call: &Call) -> Result<ArrayRef> {
    let (s, d) = (call.str(0)?, call.str(1)?);
    string_lists(call, |i| {
        let (s, d) = (some!(s.get(i)), some!(d.get(i)));
        if d.is_empty() {
            return Ok(Some(s.chars().map(|c| Some(c.to_string())).collect()));
        }
        Ok(Some(s.split(d).map(|p| Some(p.to_string())).collect()))
    })
}

/// Splits as Java's `String.split` does: a leading empty match does not count, trailing empty
/// parts go.
fn java_split<'a>(s: &'a str, regex: &Regex) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for m in regex.find_iter(s) {
        if m.end() == 0 || m.is_empty() && m.start() == s.len() {
            continue;
        }
        parts.push(&s[start..m.start()]);
        start = m.end();
    }
    if parts.is_empty() {
        return vec![s];
    }
    parts.push(&s[start..]);
    while parts.last().is_some_and(|p| p.is_empty()) {
        parts.pop();
    }
    parts
}

fn str_to_map(call: &Call) -> Result<ArrayRef> {
    let (s, pair, kv) = (call.str(0)?, call.str_opt(1)?, call.str_opt(2)?);
    let (mut pairs, mut keys) = (Patterns::default(), Patterns::default());
    let names = arrow::array::MapFieldNames {
        entry: "entries".into(),
        key: "key".into(),
        value: "value".into(),
    };
    let mut out = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for i in 0..call.rows {
        let pair = pair.as_ref().map_or(Some(","), |p| p.get(i));
        let kv = kv.as_ref().map_or(Some("="), |p| p.get(i));
        let (Some(s), Some(pair), Some(kv)) = (s.get(i), pair, kv) else {
            out.append(false)?;
            continue;
        };
        let (Some(pair_re), Some(kv_re)) = (pairs.get(pair)?, keys.get(kv)?) else {
            return exec_err!("STR_TO_MAP: '{pair}' or '{kv}' is not a regular expression");
        };
        let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
        let parts = if s.is_empty() { vec![] } else { java_split(s, pair_re) };
        for part in parts {
            let (key, value) = match kv_re.find(part) {
                Some(m) => (&part[..m.start()], Some(&part[m.end()..])),
                None => (part, None),
            };
            match entries.iter_mut().find(|(k, _)| *k == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        for (k, v) in entries {
            out.keys().append_value(k);
            out.values().append_option(v);
        }
        out.append(true)?;
    }
    Ok(Arc::new(out.finish()))
}

fn like(call: &Call, convert: fn(&str, Option<char>) -> Result<String>) -> Result<ArrayRef> {
    let (s, p, e) = (call.str(0)?, call.str(1)?, call.str_opt(2)?);
    let mut known: HashMap<String, Regex> = HashMap::new();
    call.bools(|i| {
        let (s, p) = (some!(s.get(i)), some!(p.get(i)));
        let escape = match &e {
            Some(e) => single_char(some!(e.get(i)))?,
            None => None,
        };
        let key = format!("{}{p}", escape.unwrap_or('\0'));
        if !known.contains_key(&key) {
            let text = format!("^(?s:{})$", convert(p, escape)?);
            match Regex::new(&text) {
                Ok(r) => known.insert(key.clone(), r),
                Err(_) => return exec_err!("The pattern '{p}' is not well formed"),
            };
        }
        Ok(known.get(&key).map(|r| r.is_match(s)))
    })
}

fn single_char(escape: &str) -> Result<Option<char>> {
    let mut chars = escape.chars();
    match (chars.next(), chars.next()) {
        (c, None) => Ok(c),
        _ => exec_err!("Invalid escape character '{escape}': it must be one character"),
    }
}

fn like_to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            match chars.next() {
                Some(n) if n == '%' || n == '_' || n == c => {
                    out.push_str(&regex::escape(&n.to_string()));
                }
                _ => return exec_err!("Invalid escape sequence '{pattern}'"),
            }
            continue;
        }
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    Ok(out)
}

/// SQL's regular expressions: `% _ | * + ? {} () []`, everything else stands for itself.
fn similar_to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    const CLASSES: [(&str, &str); 8] = [
        ("[:ALPHA:]", "[:alpha:]"),
        ("[:UPPER:]", "[:upper:]"),
        ("[:LOWER:]", "[:lower:]"),
        ("[:DIGIT:]", "[:digit:]"),
        ("[:SPACE:]", " "),
        ("[:WHITESPACE:]", "[:space:]"),
        ("[:ALNUM:]", "[:alnum:]"),
        ("[:alpha:]", "[:alpha:]"),
    ];
    let mut out = String::from("(?:");
    let mut rest = pattern;
    let mut class = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if Some(c) == escape {
            let Some(n) = rest.chars().next() else {
                return exec_err!("Invalid escape sequence '{pattern}'");
            };
            rest = &rest[n.len_utf8()..];
            out.push_str(&regex::escape(&n.to_string()));
            continue;
        }
        if class && c == '[' {
            let text = format!("[{rest}");
            if let Some((name, java)) = CLASSES.iter().find(|(n, _)| text.starts_with(n)) {
                out.push_str(java);
                rest = &rest[name.len() - 1..];
                continue;
            }
        }
        match c {
            '[' => class = true,
            ']' => class = false,
            _ => {}
        }
        match c {
            '%' if !class => out.push_str(".*"),
            '_' if !class => out.push('.'),
            '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' | '[' | ']' => out.push(c),
            '^' | '-' if class => out.push(c),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push(')');
    Ok(out)
}
