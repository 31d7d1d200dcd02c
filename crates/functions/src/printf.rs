//! `PRINTF`: text by a format in the manner of Java's `String.format`.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion_common::{Result, exec_err};

use super::call::{Call, some};
use super::format::{TextStyle, write_value};
use super::number;

/// One `%…` of a format.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    comma: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
    index: Option<usize>,
    conversion: char,
}

/// `PRINTF(format, values...)`.
pub(crate) fn printf(call: &Call) -> Result<ArrayRef> {
    let format = call.str(0)?;
    call.strings(|row| {
        let format = some!(format.get(row));
        let mut out = String::new();
        let mut next = 1;
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let spec = parse_spec(&mut chars);
            match spec.conversion {
                '%' => out.push('%'),
                'n' => out.push('\n'),
                _ => {
                    let at = match spec.index {
                        Some(i) => i,
                        None => {
                            next += 1;
                            next - 1
                        }
                    };
                    if at >= call.len() {
                        return Ok(None);
                    }
                    match one(call, at, row, &spec) {
                        Ok(text) => out.push_str(&text),
                        Err(_) => return Ok(None),
                    }
                }
            }
        }
        Ok(Some(out))
    })
}

fn parse_spec(chars: &mut std::iter::Peekable<std::str::Chars>) -> Spec {
    let mut spec = Spec::default();
    let mut digits = String::new();
    let mut in_precision = false;
    for c in chars.by_ref() {
        match c {
            '-' => spec.left = true,
            '0' if digits.is_empty() && !in_precision => spec.zero = true,
            '+' => spec.plus = true,
            ',' => spec.comma = true,
            ' ' => spec.space = true,
            '$' => spec.index = std::mem::take(&mut digits).parse().ok(),
            '.' => {
                spec.width = std::mem::take(&mut digits).parse().unwrap_or(0);
                in_precision = true;
            }
            c if c.is_ascii_digit() => digits.push(c),
            c => {
                let n = digits.parse().ok();
                if in_precision {
                    spec.precision = n;
                } else {
                    spec.width = n.unwrap_or(0);
                }
                spec.conversion = c;
                break;
            }
        }
    }
    spec
}

fn one(call: &Call, at: usize, row: usize, spec: &Spec) -> Result<String> {
    let array = call.array(at);
    let row = call.row(at, row);
    if array.is_null(row) {
        return Ok(aligned("null".to_string(), spec));
    }
    let text = match spec.conversion {
        's' | 'S' => {
            let mut text = String::new();
            let style = TextStyle { zone: call.settings.time_zone, print: false, precision: None };
            write_value(&mut text, array, row, style);
            if matches!(array.data_type(), DataType::Boolean) {
                text = text.to_lowercase();
            }
            if let Some(n) = spec.precision {
                text = text.chars().take(n).collect();
            }
            if spec.conversion == 'S' { text.to_uppercase() } else { text }
        }
        'd' | 'x' | 'X' | 'o' if array.data_type().is_integer() => {
            let v = number::to_number(array, &DataType::Int64)?;
            let v = v.as_primitive::<Int64Type>().value(row);
            match spec.conversion {
                'd' => signed(v < 0, grouped(&v.unsigned_abs().to_string(), spec.comma), spec),
                'x' => format!("{v:x}"),
                'X' => format!("{v:X}"),
                _ => format!("{v:o}"),
            }
        }
        'f' | 'e' | 'E' => real(array, row, spec)?,
        'b' | 'B' => match array.as_boolean_opt() {
            Some(b) => b.value(row).to_string(),
            None => "true".to_string(),
        },
        'c' => match array.as_string_opt::<i32>() {
            Some(s) => s.value(row).chars().take(1).collect(),
            None => return exec_err!("%c needs a character"),
        },
        c => return exec_err!("PRINTF does not know %{c}"),
    };
    Ok(aligned(text, spec))
}

fn real(array: &ArrayRef, row: usize, spec: &Spec) -> Result<String> {
    let digits = spec.precision.unwrap_or(6);
    let v = match array.data_type() {
        DataType::Decimal128(_, s) if spec.conversion == 'f' => {
            let v = array.as_primitive::<Decimal128Type>().value(row);
            let scale = i8::try_from(digits).unwrap_or(38);
            let v = number::rescale(v, *s, scale).unwrap_or(v);
            let mut text = String::new();
            super::format::write_decimal(&mut text, v.saturating_abs(), scale);
            return Ok(signed(v < 0, grouped(&text, spec.comma), spec));
        }
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _) => {
            let v = number::to_number(array, &DataType::Float64)?;
            v.as_primitive::<Float64Type>().value(row)
        }
        _ => return exec_err!("%{} needs a DOUBLE", spec.conversion),
    };
    if spec.conversion == 'f' {
        let text = format!("{:.*}", digits, v.abs());
        return Ok(signed(v.is_sign_negative(), grouped(&text, spec.comma), spec));
    }
    let text = format!("{:.*e}", digits, v.abs());
    let (m, e) = text.split_once('e').unwrap_or((&text, "0"));
    let e: i32 = e.parse().unwrap_or(0);
    let sign = if e < 0 { '-' } else { '+' };
    let text = format!("{m}e{sign}{:02}", e.abs());
    let text = if spec.conversion == 'E' { text.to_uppercase() } else { text };
    Ok(signed(v.is_sign_negative(), text, spec))
}

fn grouped(digits: &str, comma: bool) -> String {
    if !comma {
        return digits.to_string();
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    if !fraction.is_empty() {
        let _ = write!(out, ".{fraction}");
    }
    out
}

fn signed(negative: bool, text: String, spec: &Spec) -> String {
    let sign = match () {
        () if negative => "-",
        () if spec.plus => "+",
        () if spec.space => " ",
        () => "",
    };
    let missing = if spec.zero { spec.width.saturating_sub(sign.len() + text.len()) } else { 0 };
    format!("{sign}{}{text}", "0".repeat(missing))
}

fn aligned(text: String, spec: &Spec) -> String {
    let len = text.chars().count();
    if len >= spec.width {
        return text;
    }
    let blanks = " ".repeat(spec.width - len);
    if spec.left { text + &blanks } else { blanks + &text }
}
