//! Hashes, encodings, URLs, types, conditions and the rest.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::make_comparator;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::SortOptions;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::{Result, exec_err, plan_err};
use md5::Digest;

use super::call::{Args, Call, Def, Nulls, Ret, some};
use super::typing::{common_type, comparison_type, type_name};

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Boolean, Utf8};
    let mut defs = encoding_defs();
    defs.extend([
        Def::new("UUID", "", Utf8, |c| c.strings(|_| Ok(Some(uuid::Uuid::new_v4().to_string()))))
            .nulls(Nulls::Never)
            .per_row(),
        Def::new("TYPEOF", "Xb", Utf8, type_of),
        Def::new("INET_ATON", "S", DataType::Int64, |c| {
            let text = c.str(0)?;
            c.prims::<Int64Type>(|i| Ok(inet_aton(some!(text.get(i)))))
        }),
        Def::new("INET_NTOA", "L", Utf8, |c| {
            let address = c.prim::<Int64Type>(0)?;
            c.strings(|i| Ok(inet_ntoa(some!(address.get(i)))))
        }),
        Def::of("COALESCE", "X*", Ret::Of(|t, _| common("COALESCE", t)), coalesce)
            .nulls(Nulls::All),
        Def::of("IFNULL", "XX", Ret::Of(|t, _| common("IFNULL", t)), coalesce).nulls(Nulls::All),
        Def::of("GREATEST", "X*", Ret::Of(|t, _| common("GREATEST", t)), |c| {
            extreme(c, Ordering::Greater)
        })
        .nulls(Nulls::Propagate),
        Def::of("LEAST", "X*", Ret::Of(|t, _| common("LEAST", t)), |c| extreme(c, Ordering::Less))
            .nulls(Nulls::Propagate),
        Def::custom("IF", if_args, Ret::Of(|t, _| common("IF", t.get(1..).unwrap_or(&[]))), |c| {
            let mask = c.full(0)?.as_boolean().clone();
            let mask = mask.iter().map(|b| Some(b == Some(true))).collect::<BooleanArray>();
            Ok(zip(&mask, &c.full(1)?, &c.full(2)?)?)
        }),
        Def::of("NULLIF", "XX", Ret::Arg(0), null_if),
        Def::new("BETWEEN_SYMMETRIC", "XXX", Boolean, between_symmetric),
        Def::new("CURRENT_DATABASE", "", Utf8, |c| {
            c.strings(|_| Ok(Some(c.settings.database.as_str())))
        })
        .nulls(Nulls::Never),
        Def::new("CURRENT_CATALOG", "", Utf8, |c| {
            c.strings(|_| Ok(Some(c.settings.catalog.as_str())))
        })
        .nulls(Nulls::Never),
    ]);
    for def in &mut defs {
        match def.name {
            "COALESCE" => def.args = Args::Custom(|t| unified("COALESCE", t)),
            "IFNULL" => def.args = Args::Custom(|t| unified("IFNULL", t)),
            "GREATEST" => def.args = Args::Custom(|t| ordered("GREATEST", t)),
            "LEAST" => def.args = Args::Custom(|t| ordered("LEAST", t)),
            "BETWEEN_SYMMETRIC" => def.args = Args::Custom(compared),
            _ => {}
        }
    }
    defs
}

/// Hashes, encodings and URLs.
fn encoding_defs() -> Vec<Def> {
    use DataType::{Binary, Utf8};
    vec![
        Def::new("MD5", "E", Utf8, |c| hash(c, |b| hex::encode(md5::Md5::digest(b))))
            .nulls(Nulls::Propagate),
        Def::new("SHA1", "E", Utf8, |c| hash(c, |b| hex::encode(sha1::Sha1::digest(b))))
            .nulls(Nulls::Propagate),
        Def::new("SHA224", "E", Utf8, |c| hash(c, |b| sha2_hex(b, 224).unwrap_or_default()))
            .nulls(Nulls::Propagate),
        Def::new("SHA256", "E", Utf8, |c| hash(c, |b| sha2_hex(b, 256).unwrap_or_default()))
            .nulls(Nulls::Propagate),
        Def::new("SHA384", "E", Utf8, |c| hash(c, |b| sha2_hex(b, 384).unwrap_or_default()))
            .nulls(Nulls::Propagate),
        Def::new("SHA512", "E", Utf8, |c| hash(c, |b| sha2_hex(b, 512).unwrap_or_default()))
            .nulls(Nulls::Propagate),
        Def::new("SHA2", "EI", Utf8, sha2),
        Def::new("TO_BASE64", "E", Utf8, |c| hash(c, |b| STANDARD.encode(b)))
            .nulls(Nulls::Propagate),
        Def::new("FROM_BASE64", "E", Utf8, from_base64),
        Def::new("ENCODE", "SS", Binary, encode),
        Def::new("DECODE", "YS", Utf8, decode),
        Def::new("URL_ENCODE", "S", Utf8, |c| {
            let s = c.str(0)?;
            c.strings(|i| Ok(s.get(i).map(url_encode)))
        }),
        Def::new("URL_DECODE", "Si", Utf8, url_decode),
        Def::new("PARSE_URL", "SSs", Utf8, parse_url),
    ]
}

fn common(name: &str, types: &[DataType]) -> Result<DataType> {
    match common_type(types) {
        Some(t) => Ok(t),
        None => {
            let types: Vec<String> = types.iter().map(type_name).collect();
            plan_err!("The arguments of {name} have no common type: {}", types.join(", "))
        }
    }
}

fn unified(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let t = common(name, types)?;
    Ok(vec![t; types.len()])
}

fn ordered(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    types.iter().try_for_each(super::variant::check_ordered)?;
    unified(name, types)
}

fn if_args(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() != 3 {
        return plan_err!("IF takes a condition and two values");
    }
    let t = common("IF", &types[1..])?;
    Ok(vec![DataType::Boolean, t.clone(), t])
}

fn compared(types: &[DataType]) -> Result<Vec<DataType>> {
    types.iter().try_for_each(super::variant::check_ordered)?;
    let [a, b, c] = types else {
        return plan_err!("BETWEEN SYMMETRIC takes three values");
    };
    let t = comparison_type(&comparison_type(a, b)?, c)?;
    Ok(vec![t.clone(), t.clone(), t])
}

fn hash(call: &Call, f: fn(&[u8]) -> String) -> Result<ArrayRef> {
    let b = call.bytes(0)?;
    call.strings(|i| Ok(b.get(i).map(f)))
}

fn sha2_hex(b: &[u8], bits: i32) -> Option<String> {
    use sha2::{Sha224, Sha256, Sha384, Sha512};
    Some(match bits {
        224 => hex::encode(Sha224::digest(b)),
        256 => hex::encode(Sha256::digest(b)),
        384 => hex::encode(Sha384::digest(b)),
        512 => hex::encode(Sha512::digest(b)),
        _ => return None,
    })
}

fn sha2(call: &Call) -> Result<ArrayRef> {
    let (b, bits) = (call.bytes(0)?, call.prim::<Int32Type>(1)?);
    call.strings(|i| {
        let (b, bits) = (some!(b.get(i)), some!(bits.get(i)));
        match sha2_hex(b, bits) {
            Some(text) => Ok(Some(text)),
            None => exec_err!("SHA2: unsupported length {bits}; use 224, 256, 384 or 512"),
        }
    })
}

fn from_base64(call: &Call) -> Result<ArrayRef> {
    let b = call.bytes(0)?;
    call.strings(|i| {
        let b = some!(b.get(i));
        let lenient = base64::engine::GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            base64::engine::GeneralPurposeConfig::new()
                .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
        );
        match lenient.decode(b) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(e) => exec_err!("FROM_BASE64: {e}"),
        }
    })
}

fn encode(call: &Call) -> Result<ArrayRef> {
    let (s, set) = (call.str(0)?, call.str(1)?);
    call.binaries(|i| {
        let (s, set) = (some!(s.get(i)), some!(set.get(i)));
        let low = |max: u32| -> Vec<u8> {
            s.chars().map(|c| if (c as u32) <= max { c as u32 as u8 } else { b'?' }).collect()
        };
        let wide = |big: bool| -> Vec<u8> {
            s.encode_utf16()
                .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
                .collect()
        };
        Ok(Some(match set.to_ascii_uppercase().as_str() {
            "UTF-8" => s.as_bytes().to_vec(),
            "US-ASCII" => low(0x7f),
            "ISO-8859-1" => low(0xff),
            "UTF-16BE" => wide(true),
            "UTF-16LE" => wide(false),
            "UTF-16" => [vec![0xfe, 0xff], wide(true)].concat(),
            other => return exec_err!("ENCODE: unsupported character set '{other}'"),
        }))
    })
}

fn decode(call: &Call) -> Result<ArrayRef> {
    let (b, set) = (call.bytes(0)?, call.str(1)?);
    call.strings(|i| {
        let (b, set) = (some!(b.get(i)), some!(set.get(i)));
        let wide = |b: &[u8], big: bool| {
            let units: Vec<u16> = b
                .chunks(2)
                .map(|p| {
                    let pair = [p[0], p.get(1).copied().unwrap_or(0)];
                    if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
                })
                .collect();
            String::from_utf16_lossy(&units)
        };
        Ok(Some(match set.to_ascii_uppercase().as_str() {
            "UTF-8" => String::from_utf8_lossy(b).into_owned(),
            "US-ASCII" => {
                b.iter().map(|b| if *b < 0x80 { char::from(*b) } else { '\u{fffd}' }).collect()
            }
            "ISO-8859-1" => b.iter().map(|b| char::from(*b)).collect(),
            "UTF-16BE" => wide(b, true),
            "UTF-16LE" => wide(b, false),
            "UTF-16" if b.starts_with(&[0xff, 0xfe]) => wide(&b[2..], false),
            "UTF-16" if b.starts_with(&[0xfe, 0xff]) => wide(&b[2..], true),
            "UTF-16" => wide(b, true),
            other => return exec_err!("DECODE: unsupported character set '{other}'"),
        }))
    })
}

fn url_encode(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for b in s.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(char::from(b));
            }
            b' ' => out.push('+'),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn decode_url(s: &str) -> Option<String> {
    let mut out = Vec::with_capacity(s.len());
    let bytes = s.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'+' => out.push(b' '),
            b'%' => {
                let pair = s.get(i + 1..i + 3)?;
                out.push(u8::from_str_radix(pair, 16).ok()?);
                i += 2;
            }
            b => out.push(b),
        }
        i += 1;
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// `URL_DECODE(s[, depth])`; with a depth, decodes until nothing changes.
fn url_decode(call: &Call) -> Result<ArrayRef> {
    let (s, depth) = (call.str(0)?, call.prim_opt::<Int32Type>(1)?);
    call.strings(|i| {
        let mut text = some!(s.get(i)).to_string();
        let depth = match &depth {
            Some(d) => some!(d.get(i)),
            None => 1,
        };
        for _ in 0..depth {
            let next = some!(decode_url(&text));
            if next == text {
                break;
            }
            text = next;
        }
        Ok(Some(text))
    })
}

fn parse_url(call: &Call) -> Result<ArrayRef> {
    let (url, part, key) = (call.str(0)?, call.str(1)?, call.str_opt(2)?);
    call.strings(|i| {
        let (url, part) = (some!(url.get(i)), some!(part.get(i)));
        let Some(key) = &key else {
            return Ok(url_part(url, part));
        };
        let key = some!(key.get(i));
        if part != "QUERY" {
            return Ok(None);
        }
        let query = some!(url_part(url, "QUERY"));
        Ok(query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')))
    })
}

fn url_part<'a>(url: &'a str, part: &str) -> Option<&'a str> {
    let url = url.trim();
    let (protocol, rest) = url.split_once(':')?;
    const KNOWN: [&str; 5] = ["http", "https", "ftp", "file", "jar"];
    if !KNOWN.contains(&protocol.to_ascii_lowercase().as_str()) {
        return None;
    }
    let (rest, reference) = match rest.split_once('#') {
        Some((r, f)) => (r, Some(f)),
        None => (rest, None),
    };
    let (authority, file) = match rest.strip_prefix("//") {
        Some(r) => match r.find(['/', '?']) {
            Some(at) => r.split_at(at),
            None => (r, ""),
        },
        None => ("", rest),
    };
    let (path, query) = match file.split_once('?') {
        Some((p, q)) => (p, Some(q)),
        None => (file, None),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((u, h)) => (Some(u), h),
        None => (None, authority),
    };
    match part {
        "HOST" => Some(match host.find(']') {
            Some(end) => &host[..=end],
            None => host.split(':').next().unwrap_or(host),
        }),
        "PATH" => Some(path),
        "QUERY" => query,
        "REF" => reference,
        "PROTOCOL" => Some(protocol),
        "FILE" => Some(file),
        "AUTHORITY" => Some(authority),
        "USERINFO" => user,
        _ => None,
    }
}

/// The number of an IPv4 address; with fewer than four parts the last one stands for the lowest
/// byte, and those that are left out are zero.
fn inet_aton(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let mut address = 0_i64;
    for (at, part) in parts.iter().enumerate() {
        if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let byte: u8 = part.parse().ok()?;
        let place = if at + 1 == parts.len() { 3 } else { at };
        address |= i64::from(byte) << (8 * (3 - place));
    }
    Some(address)
}

fn inet_ntoa(address: i64) -> Option<String> {
    let address = u32::try_from(address).ok()?;
    Some(std::net::Ipv4Addr::from(address).to_string())
}

fn type_of(call: &Call) -> Result<ArrayRef> {
    let mut name = type_name(call.dtype(0));
    if call.not_null(0) {
        name.push_str(" NOT NULL");
    }
    call.strings(|_| Ok(Some(name.as_str())))
}

fn coalesce(call: &Call) -> Result<ArrayRef> {
    let mut out = call.full(0)?;
    for i in 1..call.len() {
        if out.null_count() == 0 {
            break;
        }
        let mask = arrow::compute::is_not_null(&out)?;
        out = zip(&mask, &out, &call.full(i)?)?;
    }
    Ok(out)
}

fn extreme(call: &Call, wanted: Ordering) -> Result<ArrayRef> {
    let columns = (0..call.len()).map(|i| call.full(i)).collect::<Result<Vec<_>>>()?;
    let mut out = Arc::clone(&columns[0]);
    for next in &columns[1..] {
        let compare = make_comparator(next, &out, SortOptions::default())?;
        // NULL wins over everything, so that it is the result.
        let mask: BooleanArray = (0..call.rows)
            .map(|i| Some(!out.is_null(i) && (next.is_null(i) || compare(i, i) == wanted)))
            .collect();
        out = zip(&mask, next, &out)?;
    }
    Ok(out)
}

fn null_if(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.full(0)?, call.full(1)?);
    if a.data_type() != b.data_type() {
        return exec_err!(
            "NULLIF compares {} with {}",
            type_name(a.data_type()),
            type_name(b.data_type())
        );
    }
    let compare = make_comparator(&a, &b, SortOptions::default())?;
    let equal: BooleanArray = (0..call.rows)
        .map(|i| Some(a.is_valid(i) && b.is_valid(i) && compare(i, i) == Ordering::Equal))
        .collect();
    Ok(arrow::compute::nullif(&a, &equal)?)
}

fn between_symmetric(call: &Call) -> Result<ArrayRef> {
    let (x, a, b) = (call.full(0)?, call.full(1)?, call.full(2)?);
    let low = make_comparator(&x, &a, SortOptions::default())?;
    let high = make_comparator(&x, &b, SortOptions::default())?;
    call.bools(|i| {
        if x.is_null(i) {
            return Ok(None);
        }
        let (na, nb) = (a.is_null(i), b.is_null(i));
        if na || nb {
            return Ok(None);
        }
        let (l, h) = (low(i, i), high(i, i));
        let inside = l != Ordering::Less && h != Ordering::Greater
            || h != Ordering::Less && l != Ordering::Greater;
        Ok(Some(inside))
    })
}
