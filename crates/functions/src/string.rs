//! String functions: parts, search, padding, case, splitting.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err};

use super::call::{Args, Call, Def, Nulls, Ret, some};
use arrow::array::ArrayRef;

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Int32, Utf8};
    let mut defs = vec![
        Def::new("CHAR_LENGTH", "S", Int32, char_length)
            .aliases(&["CHARACTER_LENGTH"])
            .nulls(Nulls::Propagate),
        Def::new("UPPER", "S", Utf8, |c| map(c, |s| Some(s.to_uppercase().into())))
            .nulls(Nulls::Propagate)
            .aliases(&["UCASE"]),
        Def::new("LOWER", "S", Utf8, |c| map(c, |s| Some(lower(s).into())))
            .nulls(Nulls::Propagate)
            .aliases(&["LCASE"]),
        Def::new("REVERSE", "S", Utf8, |c| map(c, |s| Some(s.chars().rev().collect())))
            .nulls(Nulls::Propagate),
        Def::new("INITCAP", "S", Utf8, |c| map(c, |s| Some(initcap(s).into())))
            .nulls(Nulls::Propagate),
        Def::new("POSITION", "SSi", Int32, position).nulls(Nulls::Propagate),
        Def::new("LOCATE", "SSi", Int32, position).nulls(Nulls::Propagate),
        Def::new("INSTR", "SSii", Int32, instr).nulls(Nulls::Propagate),
        Def::new("LTRIM", "Ss", Utf8, |c| trim(c, true, false)).nulls(Nulls::Propagate),
        Def::new("RTRIM", "Ss", Utf8, |c| trim(c, false, true)).nulls(Nulls::Propagate),
        Def::new("BTRIM", "Ss", Utf8, |c| trim(c, true, true))
            .aliases(&["TRIM"])
            .nulls(Nulls::Propagate),
        Def::new("REPEAT", "SI", Utf8, repeat).nulls(Nulls::Propagate),
        Def::new("OVERLAY", "SSIi", Utf8, overlay).nulls(Nulls::Propagate),
        Def::of("SUBSTRING", "EIi", Ret::Arg(0), substring).aliases(&["SUBSTR"]),
        Def::new("REPLACE", "SSS", Utf8, replace).nulls(Nulls::Propagate),
        Def::new("TRANSLATE", "SSS", Utf8, translate).aliases(&["TRANSLATE3"]),
    ];
    defs.extend(more_defs());
    defs
}

/// Joining, padding, splitting, tests.
fn more_defs() -> Vec<Def> {
    use DataType::{Boolean, Int32, Utf8};
    vec![
        Def::new("CONCAT", "S*", Utf8, concat).nulls(Nulls::Propagate),
        Def::new("CONCAT_WS", "SS*", Utf8, concat_ws),
        Def::new("LPAD", "SIS", Utf8, |c| pad(c, true)),
        Def::new("RPAD", "SIS", Utf8, |c| pad(c, false)),
        Def::new("LEFT", "SI", Utf8, left).nulls(Nulls::Propagate),
        Def::new("RIGHT", "SI", Utf8, right).nulls(Nulls::Propagate),
        Def::new("ASCII", "S", Int32, ascii).nulls(Nulls::Propagate),
        Def::new("CHR", "L", Utf8, chr).nulls(Nulls::Propagate),
        Def::new("SPLIT_INDEX", "SXI", Utf8, split_index),
        Def::of("ELT", "IE*", Ret::Of(|t, _| Ok(t.get(1).cloned().unwrap_or(Utf8))), elt),
        Def::new("STARTSWITH", "EE", Boolean, |c| affix(c, <[u8]>::starts_with))
            .nulls(Nulls::Propagate),
        Def::new("ENDSWITH", "EE", Boolean, |c| affix(c, <[u8]>::ends_with))
            .nulls(Nulls::Propagate),
        Def::new("IS_ALPHA", "X", Boolean, |c| {
            test(c, |s| !s.is_empty() && s.chars().all(char::is_alphabetic))
        }),
        Def::new("IS_DIGIT", "X", Boolean, |c| {
            test(c, |s| !s.is_empty() && s.chars().all(|c| c.is_numeric() && c.is_alphanumeric()))
        }),
        Def::new("IS_DECIMAL", "X", Boolean, |c| test(c, is_decimal)),
        Def {
            name: "PRINTF",
            aliases: &[],
            args: Args::Codes("SX*"),
            ret: Ret::Is(Utf8),
            nulls: Nulls::Maybe,
            volatile: false,
            per_row: false,
            eval: super::printf::printf,
        },
    ]
}

fn map(call: &Call, f: fn(&str) -> Option<Cow<'_, str>>) -> Result<ArrayRef> {
    let s = call.str(0)?;
    call.strings(|i| Ok(f(some!(s.get(i)))))
}

fn char_length(call: &Call) -> Result<ArrayRef> {
    let s = call.str(0)?;
    call.prims::<Int32Type>(|i| Ok(s.get(i).map(|s| s.chars().count() as i32)))
}

fn lower(s: &str) -> String {
    if s.is_ascii() { s.to_ascii_lowercase() } else { s.to_lowercase() }
}

/// Words are ASCII letters and digits; anything else stands between words.
fn initcap(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut inside = false;
    for c in s.chars() {
        out.push(if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() });
        inside = c.is_ascii_alphanumeric();
    }
    out
}

/// The byte offset of character `n`, or the end.
fn offset(s: &str, n: usize) -> usize {
    if s.is_ascii() { n.min(s.len()) } else { s.char_indices().nth(n).map_or(s.len(), |(i, _)| i) }
}

fn find_from(haystack: &str, needle: &str, start: i32) -> i32 {
    if needle.is_empty() {
        return 1;
    }
    let Some(skip) = usize::try_from(start - 1).ok() else {
        return 0;
    };
    let from = offset(haystack, skip);
    match haystack[from..].find(needle) {
        Some(at) => haystack[..from + at].chars().count() as i32 + 1,
        None => 0,
    }
}

fn position(call: &Call) -> Result<ArrayRef> {
    let (needle, haystack) = (call.str(0)?, call.str(1)?);
    let start = call.prim_opt::<Int32Type>(2)?;
    call.prims::<Int32Type>(|i| {
        let (n, h) = (some!(needle.get(i)), some!(haystack.get(i)));
        let from = match &start {
            Some(p) => some!(p.get(i)),
            None => 1,
        };
        Ok(Some(find_from(h, n, from)))
    })
}

/// `INSTR(s, part[, start[, nth]])`; a negative start searches backwards from the end.
fn instr(call: &Call) -> Result<ArrayRef> {
    let (s, part) = (call.str(0)?, call.str(1)?);
    let start = call.prim_opt::<Int32Type>(2)?;
    let nth = call.prim_opt::<Int32Type>(3)?;
    call.prims::<Int32Type>(|i| {
        let (s, part) = (some!(s.get(i)), some!(part.get(i)));
        let start = match &start {
            Some(p) => some!(p.get(i)),
            None => 1,
        };
        let nth = match &nth {
            Some(p) => some!(p.get(i)),
            None => 1,
        };
        if nth <= 0 {
            return exec_err!("INSTR: nthAppearance must be positive!");
        }
        if start == 0 {
            return Ok(Some(0));
        }
        Ok(Some(nth_index(s, part, start, nth)))
    })
}

fn nth_index(s: &str, part: &str, start: i32, nth: i32) -> i32 {
    if start < 0 {
        let (back, mirrored): (String, String) =
            (s.chars().rev().collect(), part.chars().rev().collect());
        let found = nth_index(&back, &mirrored, start.saturating_neg(), nth);
        if found == 0 {
            return 0;
        }
        return s.chars().count() as i32 + 2 - found - part.chars().count() as i32;
    }
    let mut at = start;
    let mut found = 0;
    for _ in 0..nth {
        found = find_from(s, part, at);
        if found == 0 {
            return 0;
        }
        at = found + 1;
    }
    found
}

fn trim(call: &Call, front: bool, back: bool) -> Result<ArrayRef> {
    let (s, set) = (call.str(0)?, call.str_opt(1)?);
    call.strings(|i| {
        let mut s = some!(s.get(i));
        let set = match &set {
            Some(set) => some!(set.get(i)),
            None => " ",
        };
        if front {
            s = s.trim_start_matches(|c| set.contains(c));
        }
        if back {
            s = s.trim_end_matches(|c| set.contains(c));
        }
        Ok(Some(s))
    })
}

fn repeat(call: &Call) -> Result<ArrayRef> {
    let (s, n) = (call.str(0)?, call.prim::<Int32Type>(1)?);
    call.strings(|i| {
        let (s, n) = (some!(s.get(i)), some!(n.get(i)));
        let n = n.max(0) as usize;
        if s.len().saturating_mul(n) > i32::MAX as usize {
            return exec_err!("REPEAT: the result would be longer than {} bytes", i32::MAX);
        }
        Ok(Some(s.repeat(n)))
    })
}

fn overlay(call: &Call) -> Result<ArrayRef> {
    let (s, r) = (call.str(0)?, call.str(1)?);
    let (start, len) = (call.prim::<Int32Type>(2)?, call.prim_opt::<Int32Type>(3)?);
    call.strings(|i| {
        let (s, r, start) = (some!(s.get(i)), some!(r.get(i)), some!(start.get(i)));
        let len = match &len {
            Some(l) => some!(l.get(i)),
            None => r.chars().count() as i32,
        };
        let total = s.chars().count() as i32;
        if start <= 0 || start > total {
            return Ok(Some(s.to_string()));
        }
        let head = &s[..offset(s, (start - 1) as usize)];
        // The rest is kept only if the replaced part ends before the last character.
        let end = i64::from(start) + i64::from(len);
        let tail =
            if len > 0 && end <= i64::from(total) { &s[offset(s, end as usize - 1)..] } else { "" };
        Ok(Some(format!("{head}{r}{tail}")))
    })
}

/// The zero-based range of `SUBSTRING(.., pos, len)` in something of length `total`.
fn range(total: i64, pos: i32, len: Option<i32>) -> Option<(i64, i64)> {
    let pos = i64::from(pos);
    let start = match pos {
        0 => 0,
        p if p > 0 => p - 1,
        p => total + p,
    };
    if start < 0 || start >= total {
        return None;
    }
    let end = match len {
        Some(l) if l <= 0 => return None,
        Some(l) => (start + i64::from(l)).min(total),
        None => total,
    };
    Some((start, end))
}

fn substring(call: &Call) -> Result<ArrayRef> {
    let pos = call.prim::<Int32Type>(1)?;
    let len = call.prim_opt::<Int32Type>(2)?;
    let len_at = |i: usize| -> Option<Option<i32>> {
        match &len {
            Some(l) => l.get(i).map(Some),
            None => Some(None),
        }
    };
    if matches!(call.dtype(0), DataType::Binary) {
        let b = call.bytes(0)?;
        return call.binaries(|i| {
            let (b, p, l) = (some!(b.get(i)), some!(pos.get(i)), some!(len_at(i)));
            Ok(Some(match range(b.len() as i64, p, l) {
                Some((from, to)) => &b[from as usize..to as usize],
                None => &[],
            }))
        });
    }
    let s = call.str(0)?;
    call.strings(|i| {
        let (s, p, l) = (some!(s.get(i)), some!(pos.get(i)), some!(len_at(i)));
        if l.is_some_and(|l| l < 0) {
            return Ok(None);
        }
        let total = if s.is_ascii() { s.len() } else { s.chars().count() };
        Ok(Some(match range(total as i64, p, l) {
            Some((from, to)) => &s[offset(s, from as usize)..offset(s, to as usize)],
            None => "",
        }))
    })
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (s, from, to) = (call.str(0)?, call.str(1)?, call.str(2)?);
    call.strings(|i| {
        let (s, from, to) = (some!(s.get(i)), some!(from.get(i)), some!(to.get(i)));
        Ok(Some(s.replace(from, to)))
    })
}

/// Characters of `from` become those of `to` at the same place, or go if there is none.
fn translate(call: &Call) -> Result<ArrayRef> {
    let (s, from, to) = (call.str(0)?, call.str(1)?, call.str(2)?);
    call.strings(|i| {
        let (s, Some(from)) = (some!(s.get(i)), from.get(i)) else {
            return Ok(None);
        };
        let to: Vec<char> = to.get(i).unwrap_or("").chars().collect();
        let mut out = String::with_capacity(s.len());
        for c in s.chars() {
            match from.chars().position(|f| f == c) {
                Some(at) => out.extend(to.get(at)),
                None => out.push(c),
            }
        }
        Ok(Some(out))
    })
}

fn concat(call: &Call) -> Result<ArrayRef> {
    let parts = (0..call.len()).map(|i| call.str(i)).collect::<Result<Vec<_>>>()?;
    let mut out = String::new();
    call.strings(|i| {
        out.clear();
        for p in &parts {
            out.push_str(some!(p.get(i)));
        }
        Ok(Some(out.clone()))
    })
}

fn concat_ws(call: &Call) -> Result<ArrayRef> {
    let sep = call.str(0)?;
    let parts = (1..call.len()).map(|i| call.str(i)).collect::<Result<Vec<_>>>()?;
    call.strings(|i| {
        let sep = some!(sep.get(i));
        let mut out = String::new();
        let mut first = true;
        for p in parts.iter().filter_map(|p| p.get(i)) {
            if !first {
                out.push_str(sep);
            }
            first = false;
            out.push_str(p);
        }
        Ok(Some(out))
    })
}

fn pad(call: &Call, front: bool) -> Result<ArrayRef> {
    let (s, n, p) = (call.str(0)?, call.prim::<Int32Type>(1)?, call.str(2)?);
    call.strings(|i| {
        let (s, n, p) = (some!(s.get(i)), some!(n.get(i)), some!(p.get(i)));
        if n < 0 {
            return Ok(None);
        }
        let (n, len) = (n as usize, s.chars().count());
        if n <= len {
            return Ok(Some(s[..offset(s, n)].to_string()));
        }
        if p.is_empty() {
            return Ok(None);
        }
        let filling: String = p.chars().cycle().take(n - len).collect();
        Ok(Some(if front { filling + s } else { s.to_string() + &filling }))
    })
}

fn left(call: &Call) -> Result<ArrayRef> {
    let (s, n) = (call.str(0)?, call.prim::<Int32Type>(1)?);
    call.strings(|i| {
        let (s, n) = (some!(s.get(i)), some!(n.get(i)));
        Ok(Some(&s[..offset(s, n.max(0) as usize)]))
    })
}

fn right(call: &Call) -> Result<ArrayRef> {
    let (s, n) = (call.str(0)?, call.prim::<Int32Type>(1)?);
    call.strings(|i| {
        let (s, n) = (some!(s.get(i)), some!(n.get(i)));
        let len = s.chars().count();
        Ok(Some(&s[offset(s, len.saturating_sub(n.max(0) as usize))..]))
    })
}

fn ascii(call: &Call) -> Result<ArrayRef> {
    let s = call.str(0)?;
    call.prims::<Int32Type>(|i| {
        let s = some!(s.get(i));
        Ok(Some(s.as_bytes().first().map_or(0, |b| i32::from(*b as i8))))
    })
}

fn chr(call: &Call) -> Result<ArrayRef> {
    let n = call.prim::<Int64Type>(0)?;
    call.strings(|i| {
        let n = some!(n.get(i));
        if n < 0 {
            return Ok(Some(String::new()));
        }
        Ok(Some(char::from((n & 0xff) as u8).to_string()))
    })
}

/// Splits at a separator, or at the character of that code; empty parts count.
fn split_index(call: &Call) -> Result<ArrayRef> {
    let (s, n) = (call.str(0)?, call.prim::<Int32Type>(2)?);
    let code = if call.dtype(1).is_integer() {
        let code = super::number::to_number(call.array(1), &DataType::Int32)?;
        Some(code)
    } else {
        None
    };
    let sep = if code.is_none() { Some(call.str(1)?) } else { None };
    let mut buffer = [0u8; 4];
    call.strings(|i| {
        let (s, n) = (some!(s.get(i)), some!(n.get(i)));
        let sep: &str = match (&code, &sep) {
            (Some(codes), _) => {
                use arrow::array::{Array, AsArray};
                let codes = codes.as_primitive::<Int32Type>();
                let at = call.row(1, i);
                if codes.is_null(at) {
                    return Ok(None);
                }
                let code = codes.value(at);
                if !(0..=255).contains(&code) {
                    return Ok(None);
                }
                char::from(code as u8).encode_utf8(&mut buffer)
            }
            (_, Some(sep)) => some!(sep.get(i)),
            _ => return Ok(None),
        };
        let n = some!(usize::try_from(n).ok());
        if s.is_empty() {
            return Ok(None);
        }
        if sep.is_empty() {
            return Ok(s.split_whitespace().nth(n));
        }
        Ok(part(s, sep, n))
    })
}

/// The part with the number `n` of a text that is split at a separator.
fn part<'a>(text: &'a str, separator: &str, n: usize) -> Option<&'a str> {
    let &[byte] = separator.as_bytes() else { return text.split(separator).nth(n) };
    // A search for one byte needs none of the preparations of a search for text.
    let mut ends = memchr::memchr_iter(byte, text.as_bytes());
    let start = match n.checked_sub(1) {
        Some(before) => ends.nth(before)? + 1,
        None => 0,
    };
    text.get(start..ends.next().unwrap_or(text.len()))
}

fn elt(call: &Call) -> Result<ArrayRef> {
    let n = call.prim::<Int32Type>(0)?;
    if matches!(call.ret, DataType::Binary) {
        let parts = (1..call.len()).map(|i| call.bytes(i)).collect::<Result<Vec<_>>>()?;
        return call.binaries(|i| {
            let n = some!(usize::try_from(some!(n.get(i)) - 1).ok());
            Ok(parts.get(n).and_then(|p| p.get(i)))
        });
    }
    let parts = (1..call.len()).map(|i| call.str(i)).collect::<Result<Vec<_>>>()?;
    call.strings(|i| {
        let n = some!(usize::try_from(some!(n.get(i)) - 1).ok());
        Ok(parts.get(n).and_then(|p| p.get(i)))
    })
}

fn affix(call: &Call, f: fn(&[u8], &[u8]) -> bool) -> Result<ArrayRef> {
    let (s, part) = (call.bytes(0)?, call.bytes(1)?);
    call.bools(|i| Ok(Some(f(some!(s.get(i)), some!(part.get(i))))))
}

fn test(call: &Call, f: fn(&str) -> bool) -> Result<ArrayRef> {
    use arrow::array::Array;
    if call.dtype(0) != &DataType::Utf8 {
        // A number is a decimal and nothing else; NULL is none of the three.
        let number = call.dtype(0).is_numeric() && call.name != "IS_ALPHA";
        let digits = call.name == "IS_DECIMAL" || call.dtype(0).is_integer();
        let a = call.array(0);
        return call.bools(|i| Ok(Some(number && digits && !a.is_null(call.row(0, i)))));
    }
    let s = call.str(0)?;
    call.bools(|i| Ok(Some(s.get(i).is_some_and(f))))
}

fn is_decimal(s: &str) -> bool {
    !s.is_empty()
        && s.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && s.parse::<f64>().is_ok()
}
