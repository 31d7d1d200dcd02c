//! `VARIANT`: a value that says its own type, made of JSON.
//!
//! A variant lies in Arrow as `LargeUtf8`, which nothing else is: its text is JSON without
//! blanks, keys sorted, each number written as Flink shows it. So equal texts are equal values,
//! and a part of a value is a piece of its text. Flink compares its binary form, in which `1.50`
//! and `1.5` differ; here they are equal.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, LargeStringBuilder};
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::{Result, exec_err, plan_err};

use super::call::{Call, Def, some};
use super::format::double_text;
use super::json::{Json, quote};

/// The Arrow type of a `VARIANT`.
pub const VARIANT: DataType = DataType::LargeUtf8;

/// Most digits of a number that stays a decimal; a longer one is a double.
const DECIMAL_DIGITS_MAX: usize = 38;

/// How much of a text that is not JSON a message shows.
const SHOWN_CHARACTERS: usize = 80;

/// Refuses what would ask which of two variants is greater: nobody could say whether a text comes
/// before a number.
pub fn check_ordered(dtype: &DataType) -> Result<()> {
    if *dtype == VARIANT {
        return plan_err!(
            "Values of type VARIANT have no order; compare what \
             JSON_VALUE(v, '$' RETURNING DOUBLE) answers"
        );
    }
    Ok(())
}

/// `PARSE_JSON` and `TRY_PARSE_JSON`, the only ways to make a variant.
pub(crate) fn defs() -> Vec<Def> {
    vec![
        Def::new("PARSE_JSON", "Sb", VARIANT, |c| parse_all(c, false))
            .nulls(super::call::Nulls::Propagate),
        Def::new("TRY_PARSE_JSON", "Sb", VARIANT, |c| parse_all(c, true)),
    ]
}

fn parse_all(call: &Call, lenient: bool) -> Result<ArrayRef> {
    let texts = call.str(0)?;
    let repeats = if call.len() > 1 { Some(call.bool(1)?) } else { None };
    variants(call, |row| {
        let text = some!(texts.get(row));
        let repeats = match &repeats {
            None => false,
            Some(given) => match given.get(row) {
                Some(given) => given,
                None if lenient => return Ok(None),
                None => return exec_err!("{}: allowDuplicateKeys is NULL", call.name),
            },
        };
        match parse(text, repeats) {
            Ok(variant) => Ok(Some(variant)),
            Err(_) if lenient => Ok(None),
            Err(why) => exec_err!(
                "PARSE_JSON: {why}: '{}'; TRY_PARSE_JSON answers NULL instead",
                shown(text)
            ),
        }
    })
}

/// The text of a variant made of JSON. Of a key that comes twice the last value counts, where
/// `repeats` allows it.
fn parse(text: &str, repeats: bool) -> Result<String, String> {
    let value = match Json::parse_counting(text) {
        None => return Err("the text is not JSON".into()),
        Some((_, Some(key))) if !repeats => {
            return Err(format!("the key '{}' comes twice", shown(&key)));
        }
        Some((value, _)) => value,
    };
    let mut out = String::with_capacity(text.len());
    write(&mut out, &value)?;
    Ok(out)
}

fn write(out: &mut String, value: &Json) -> Result<(), String> {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(b) => {
            let _ = write!(out, "{b}");
        }
        Json::Number(text) => number(out, text)?,
        Json::Text(text) => quote(out, text),
        Json::Raw(text) => out.push_str(text),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(out, item)?;
            }
            out.push(']');
        }
        Json::Object(fields) => {
            let mut sorted: Vec<&(String, Json)> = fields.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quote(out, key);
                out.push(':');
                write(out, value)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A number without an exponent is an integer or a decimal as far as 38 digits hold it, all
/// others are doubles.
fn number(out: &mut String, text: &str) -> Result<(), String> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > DECIMAL_DIGITS_MAX || text.contains(['e', 'E']) {
        return match text.parse::<f64>() {
            Ok(double) if double.is_finite() => {
                out.push_str(&double_text(double));
                Ok(())
            }
            _ => Err(format!("{text} is too large for a DOUBLE")),
        };
    }
    let plain = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    out.push_str(if plain == "-0" { "0" } else { plain });
    Ok(())
}

/// `variant['key']` and `variant[i]`, counted from 1: NULL where there is no such part, an error
/// where the value is not of that kind.
pub(crate) fn item(call: &Call) -> Result<ArrayRef> {
    let base = call.array(0).as_string::<i64>();
    let text = |row: usize| {
        let row = call.row(0, row);
        base.is_valid(row).then(|| base.value(row))
    };
    if call.dtype(1) == &DataType::Utf8 {
        let keys = call.str(1)?;
        // A constant key is quoted once.
        let mut wanted: Option<(&str, String)> = None;
        return variants(call, |row| {
            let (text, key) = (some!(text(row)), some!(keys.get(row)));
            if !text.starts_with('{') {
                return exec_err!("['{key}'] needs an object, and the VARIANT is {}", kind(text));
            }
            if wanted.as_ref().is_none_or(|(last, _)| *last != key) {
                let mut quoted = String::with_capacity(key.len() + 2);
                quote(&mut quoted, key);
                wanted = Some((key, quoted));
            }
            Ok(wanted.as_ref().and_then(|(_, quoted)| member(text, quoted)))
        });
    }
    let at = call.prim::<Int32Type>(1)?;
    variants(call, |row| {
        let (text, at) = (some!(text(row)), some!(at.get(row)));
        if !text.starts_with('[') {
            return exec_err!("[{at}] needs an array, and the VARIANT is {}", kind(text));
        }
        Ok(usize::try_from(at).ok().and_then(|at| at.checked_sub(1)).and_then(|i| element(text, i)))
    })
}

/// A column of variants, one call a row.
fn variants<S: AsRef<str>>(
    call: &Call,
    mut f: impl FnMut(usize) -> Result<Option<S>>,
) -> Result<ArrayRef> {
    let mut out = LargeStringBuilder::with_capacity(call.rows, call.rows * 16);
    for row in 0..call.rows {
        match f(row)? {
            Some(text) => out.append_value(text),
            None => out.append_null(),
        }
    }
    let out: LargeStringArray = out.finish();
    Ok(Arc::new(out))
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// What a value is, for a message.
fn kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// The value of the quoted key in an object's text.
fn member<'a>(text: &'a str, quoted: &str) -> Option<&'a str> {
    let mut at = 1;
    while text.as_bytes().get(at).is_some_and(|b| *b != b'}') {
        let colon = end_of_value(text, at);
        let end = end_of_value(text, colon + 1);
        if &text[at..colon] == quoted {
            return text.get(colon + 1..end);
        }
        // Behind a comma comes the next key.
        at = end + usize::from(text.as_bytes().get(end) == Some(&b','));
    }
    None
}

/// The element of an array's text, counted from 0.
fn element(text: &str, index: usize) -> Option<&str> {
    let mut at = 1;
    let mut skipped = 0;
    while text.as_bytes().get(at).is_some_and(|b| *b != b']') {
        let end = end_of_value(text, at);
        if skipped == index {
            return Some(&text[at..end]);
        }
        skipped += 1;
        at = end + usize::from(text.as_bytes().get(end) == Some(&b','));
    }
    None
}

/// Where the value that begins at `at` ends; the text has no blanks between its values.
fn end_of_value(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut quoted) = (0_usize, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b',' | b':' | b'}' | b']' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_behind_all_that_looks_like_an_end() {
        let text = parse(r#" {"b\"]":[1,{"x":"},]"},[]], "a,:":"\\", "":null} "#, false).unwrap();
        assert_eq!(text, r#"{"":null,"a,:":"\\","b\"]":[1,{"x":"},]"},[]]}"#);
        assert_eq!(member(&text, r#""""#), Some("null"));
        assert_eq!(member(&text, r#""a,:""#), Some(r#""\\""#));
        let list = member(&text, r#""b\"]""#).unwrap();
        assert_eq!(element(list, 0), Some("1"));
        assert_eq!(element(list, 1), Some(r#"{"x":"},]"}"#));
        assert_eq!(element(list, 2), Some("[]"));
        assert_eq!(element(list, 3), None);
        assert_eq!(element("[]", 0), None);
        assert_eq!(member("{}", r#""a""#), None);
        assert_eq!(member(r#"{"a""#, r#""a""#), None, "text that is no variant");
        assert_eq!(member(&text, r#""x""#), None, "a key deeper inside is not one of the object");
    }

    #[test]
    fn what_is_no_value_says_why() {
        for (text, why) in [
            ("", "not JSON"),
            ("{a:1}", "not JSON"),
            ("1e400", "too large"),
            (r#"{"a":{"k":1,"k":2}}"#, "the key 'k' comes twice"),
        ] {
            let error = parse(text, false).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let many: Vec<String> = (0..40).map(|i| format!("\"k{}\":{i}", i % 39)).collect();
        let text = format!("{{{}}}", many.join(","));
        assert!(parse(&text, false).unwrap_err().contains("'k0' comes twice"));
        assert!(parse(&text, true).unwrap().contains("\"k0\":39,"));
    }
}
