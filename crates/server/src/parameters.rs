//! The parameters of a request for rows: filters, order, page, step.

use std::time::{Duration, Instant};

use rialto_connectors::options::nearest;
use rialto_runtime::serving::{Compare, Filter, Page, PageRequest, Shape, SortBy};

use crate::answer::Refusal;
use axum::http::StatusCode;

/// Rows of a page, unless told otherwise.
const LIMIT: usize = 100;
/// Rows of a page at most.
const LIMIT_MAX: usize = 10_000;
/// How long reading a page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a request for rows says.
pub struct Parameters {
    /// Which rows.
    pub request: PageRequest,
    /// As of which step.
    pub as_of: Option<u64>,
}

/// What is wrong with a parameter.
pub fn wrong(what: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, what).hint(hint)
}

/// Reads the parameters of a request for rows of a view.
pub fn parameters(shape: &Shape, pairs: &[(String, String)]) -> Result<Parameters, Refusal> {
    let deadline = Instant::now() + PATIENCE;
    let mut request = PageRequest {
        filters: Vec::new(),
        order: Vec::new(),
        limit: LIMIT,
        page: Page::First,
        deadline,
    };
    let mut as_of = None;
    for (name, value) in pairs {
        match name.as_str() {
            "limit" => match value.parse() {
                Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => request.limit = limit,
                _ => {
                    let what = format!("limit={value} is no number of rows");
                    return Err(wrong(what, format!("it lies between 1 and {LIMIT_MAX}")));
                }
            },
            "order" => request.order = order(shape, value)?,
            "as_of" => as_of = Some(step(value)?),
            "cursor" => {
                let (at, page) = cursor(value).ok_or_else(|| {
                    let hint = "send the 'next' of the page before, and its other parameters";
                    wrong("the cursor is not one that was given out", hint)
                })?;
                as_of = Some(at);
                request.page = page;
            }
            _ => request.filters.push(filter(shape, name, value)?),
        }
    }
    Ok(Parameters { request, as_of })
}

/// A step, as a number.
pub fn step(value: &str) -> Result<u64, Refusal> {
    value.parse().map_err(|_| {
        let hint = "steps are numbers; every answer says its own";
        wrong(format!("'{value}' is no step"), hint)
    })
}

fn column(shape: &Shape, name: &str) -> Result<usize, Refusal> {
    shape.column(name).ok_or_else(|| {
        let names: Vec<&str> =
            shape.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let hint = match nearest(name, &names) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", names.join(", ")),
        };
        wrong(format!("'{}' has no column '{name}'", shape.name()), hint)
    })
}

fn order(shape: &Shape, value: &str) -> Result<Vec<SortBy>, Refusal> {
    let by = |part: &str| {
        let (name, descending) = match part.strip_prefix('-') {
            Some(name) => (name, true),
            None => (part, false),
        };
        Ok(SortBy { column: column(shape, name)?, descending })
    };
    value.split(',').map(by).collect()
}

/// `country=UK`, `revenue=gte.100`, `country=in.UK,DE`, `country=is.null`.
pub fn filter(shape: &Shape, name: &str, value: &str) -> Result<Filter, Refusal> {
    let column = column(shape, name)?;
    let (compare, text) = match value.split_once('.') {
        Some(("eq", rest)) => (Compare::Eq, rest),
        Some(("ne", rest)) => (Compare::Ne, rest),
        Some(("lt", rest)) => (Compare::Lt, rest),
        Some(("lte", rest)) => (Compare::Lte, rest),
        Some(("gt", rest)) => (Compare::Gt, rest),
        Some(("gte", rest)) => (Compare::Gte, rest),
        Some(("in", rest)) => (Compare::In, rest),
        Some(("is", "null")) => (Compare::IsNull, ""),
        Some(("is", "not_null")) => (Compare::IsNotNull, ""),
        _ => (Compare::Eq, value),
    };
    let values = match compare {
        Compare::In => text.split(',').map(str::to_owned).collect(),
        Compare::IsNull | Compare::IsNotNull => Vec::new(),
        _ => vec![text.to_owned()],
    };
    Ok(Filter { column, compare, values })
}

/// The text of a place in a view at a step.
pub fn cursor_of(step: u64, page: &Page) -> String {
    match page {
        Page::First => format!("{step}.0"),
        Page::At(row) => format!("{step}.{row}"),
        Page::Behind(row, shown) => {
            let hex: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{step}.{shown}.{hex}")
        }
    }
}

fn cursor(text: &str) -> Option<(u64, Page)> {
    let mut parts = text.splitn(3, '.');
    let step = parts.next()?.parse().ok()?;
    let rows = parts.next()?.parse().ok()?;
    let Some(hex) = parts.next() else { return Some((step, Page::At(rows))) };
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let row = (0..hex.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?;
    Some((step, Page::Behind(row, rows)))
}

/// The parts of a path's last segment, each decoded: a comma within a value is written `%2C`.
pub fn key_of(raw: &str) -> Result<Vec<String>, Refusal> {
    raw.split(',').map(decoded).collect::<Option<_>>().ok_or_else(|| {
        wrong("the key in the path is not readable", "write what is no letter or digit as %XX")
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_where_it_was() {
        for page in [Page::At(7), Page::Behind(vec![0, 1, 255], 2), Page::Behind(vec![], 0)] {
            assert_eq!(cursor(&cursor_of(12, &page)), Some((12, page)));
        }
        for wrong in ["", "x.1", "1", "1.2.f", "1.2.zz", "1.2.é"] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_is_decoded_part_by_part() {
        assert_eq!(key_of("a%2Cb,c%20d").ok().unwrap(), ["a,b", "c d"]);
        assert!(key_of("a%2").is_err() && key_of("%ff").is_err());
    }
}
