//! One JSON value into one column, with Flink's conversions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cursor::{Cursor, Parsed, Reason, plain_end, plain_number};
use crate::format::column::{Column, List, Map, Row, Slot, Text};
use crate::format::text::{self, DecimalText, TimestampStyle};

/// What the options of the format decide about values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// A column without a member is an error, not a null.
    pub fail_on_missing: bool,
    /// A value that does not fit is a null, not an error.
    pub ignore_errors: bool,
    /// How timestamps are written.
    pub style: TimestampStyle,
}

/// Reads values under some rules, and counts those that were ignored.
#[derive(Debug)]
pub(super) struct Values {
    pub rules: Rules,
    pub ignored: u64,
}

impl Values {
    /// Reads the value at the cursor, which is not white space, into a column.
    #[inline(always)]
    pub fn read(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if self.plain(column, cursor) { Ok(()) } else { self.any(column, cursor) }
    }

    /// Reads the plain values that nearly all are: short whole numbers, strings without escapes,
    /// timestamps of common length. Where it answers `false`, nothing has changed.
    #[inline(always)]
    fn plain(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> bool {
        let bytes = cursor.bytes;
        match column {
            Column::I64(c) => {
                let Some((value, end)) = plain_number(bytes, cursor.at) else { return false };
                cursor.at = end;
                c.push(value);
            }
            Column::Utf8(c) => {
                let start = cursor.at + 1;
                if cursor.peek() != b'"' {
                    return false;
                }
                let end = plain_end(bytes, start);
                if bytes.get(end) != Some(&b'"') {
                    return false;
                }
                c.push_within(bytes, start, end);
                cursor.at = end + 1;
            }
            Column::Timestamp(c) => {
                // With three digits of a second, and without any. What is read as a timestamp
                // holds no quote.
                let start = cursor.at + 1;
                let quote = |len: usize| bytes.get(start + len) == Some(&b'"');
                let Some(len) = [23, 19].into_iter().find(|&len| quote(len)) else { return false };
                if c.zoned || cursor.peek() != b'"' {
                    return false;
                }
                let text = &bytes[start..start + len];
                let value = c.minute.timestamp(text, self.rules.style, c.unit);
                let Some(value) = value else { return false };
                c.plain.push(value);
                cursor.at = start + len + 1;
            }
            _ => return false,
        }
        true
    }

    fn any(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if !self.rules.ignore_errors {
            return self.strict(column, cursor);
        }
        let (at, len) = (cursor.at, column.len());
        if self.strict(column, cursor).is_err() {
            column.truncate(len);
            cursor.at = at;
            cursor.skip_value()?;
            column.push_null();
            self.ignored += 1;
        }
        Ok(())
    }

    fn strict(&mut self, column: &mut Column, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if cursor.peek() == b'n' {
            cursor.literal("null")?;
            column.push_null();
            return Ok(());
        }
        match column {
            Column::I64(c) => c.push(long(cursor, "BIGINT")?),
            Column::Utf8(c) => string(c, cursor)?,
            Column::Timestamp(c) => {
                let value = self.timestamp(cursor, c.unit, c.zoned)?;
                c.plain.push(value);
            }
            Column::I32(c) => c.push(narrow(long(cursor, "INT")?, "INT")?),
            Column::F64(c) => c.push(float(cursor, "DOUBLE")?),
            Column::F32(c) => c.push(float(cursor, "FLOAT")?),
            Column::Decimal(c, precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                match decimal(cursor, precision, scale)? {
                    Some(value) => c.push(value),
                    None => column.push_null(),
                }
            }
            Column::I16(c) => c.push(narrow(small(cursor, "SMALLINT")?, "SMALLINT")?),
            Column::I8(c) => c.push(narrow(small(cursor, "TINYINT")?, "TINYINT")?),
            Column::Bool(values, validity) => {
                values.append(boolean(cursor)?);
                validity.valid();
            }
            Column::Date(c) => c.push(parsed(cursor, "a DATE such as 2024-01-31", text::date)?),
            Column::TimeMs(c) => {
                let nanos = parsed(cursor, "a TIME such as 08:26:00", text::time)?;
                c.push(i32::try_from(nanos / 1_000_000).unwrap_or(0));
            }
            Column::Binary(c) => binary(c, cursor)?,
            Column::Row(row) => self.row(row, cursor)?,
            Column::List(list) => self.list(list, cursor)?,
            Column::Map(map) => self.map(map, cursor)?,
            Column::Null(len) => {
                cursor.skip_value()?;
                *len += 1;
            }
        }
        Ok(())
    }

    #[inline]
    fn timestamp(
        &self,
        cursor: &mut Cursor<'_>,
        unit: arrow::datatypes::TimeUnit,
        zoned: bool,
    ) -> Parsed<i64> {
        let style = self.rules.style;
        let what = match (style, zoned) {
            (TimestampStyle::Sql, false) => "a TIMESTAMP such as '2024-01-31 08:26:00.123'",
            (TimestampStyle::Sql, true) => "a TIMESTAMP_LTZ such as '2024-01-31 08:26:00.123Z'",
            (TimestampStyle::Iso, false) => "a TIMESTAMP such as '2024-01-31T08:26:00.123'",
            (TimestampStyle::Iso, true) => "a TIMESTAMP_LTZ such as '2024-01-31T08:26:00.123Z'",
        };
        parsed(cursor, what, |bytes| {
            let bytes = if zoned { bytes.strip_suffix(b"Z")? } else { bytes };
            text::timestamp(bytes, style, unit)
        })
    }

    fn row(&mut self, row: &mut Row, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if cursor.peek() != b'{' {
            return Err(cursor.expected("an object (ROW)"));
        }
        let rows = row.fields.first().map_or(0, |f| f.column.len());
        self.members(&mut row.fields, rows, cursor, |_, _, _| {})?;
        row.close();
        Ok(())
    }

    /// Reads the members of the object at the cursor into columns that hold `rows` values each, and
    /// brings every column to `rows + 1`. Tells `seen` of each member: where its value starts and
    /// ends, and which column it went to.
    pub fn members(
        &mut self,
        slots: &mut [Slot],
        rows: usize,
        cursor: &mut Cursor<'_>,
        mut seen: impl FnMut(usize, usize, Option<usize>),
    ) -> Parsed<()> {
        cursor.at += 1;
        cursor.skip_space();
        let mut expected = 0;
        if cursor.peek() == b'}' {
            cursor.at += 1;
        } else {
            loop {
                let key = cursor.key()?;
                let start = cursor.at;
                let slot = find(slots, &key, expected);
                match slot {
                    Some(index) => {
                        expected = index + 1;
                        let slot = &mut slots[index];
                        // The last of several members of one name counts.
                        slot.column.truncate(rows);
                        self.read(&mut slot.column, cursor).map_err(|r| within(slot, r))?;
                    }
                    None => cursor.skip_value()?,
                }
                seen(start, cursor.at, slot);
                if !cursor.separator(b'}')? {
                    break;
                }
            }
        }
        for slot in slots {
            if slot.column.len() == rows {
                if self.rules.fail_on_missing {
                    return Err(Reason::new(format!("there is no field '{}'", slot.name())));
                }
                slot.column.push_null();
            }
            if slot.breaks_not_null() {
                return Err(Reason::new(format!("column '{}' is NOT NULL", slot.name())));
            }
        }
        Ok(())
    }

    fn list(&mut self, list: &mut List, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if cursor.peek() != b'[' {
            return Err(cursor.expected("an array (ARRAY)"));
        }
        cursor.at += 1;
        cursor.skip_space();
        if cursor.peek() == b']' {
            cursor.at += 1;
        } else {
            loop {
                cursor.skip_space();
                self.read(&mut list.element.column, cursor)?;
                if list.element.breaks_not_null() {
                    return Err(Reason::new("an element of the array is NOT NULL"));
                }
                if !cursor.separator(b']')? {
                    break;
                }
            }
        }
        let len = list.element.column.len();
        list.close(len);
        Ok(())
    }

    /// Reads a map in two walks, because of several entries of one key the last one counts.
    fn map(&mut self, map: &mut Map, cursor: &mut Cursor<'_>) -> Parsed<()> {
        if cursor.peek() != b'{' {
            return Err(cursor.expected("an object (MAP)"));
        }
        cursor.at += 1;
        cursor.skip_space();
        let mut entries: Vec<(Vec<u8>, usize)> = Vec::new();
        if cursor.peek() == b'}' {
            cursor.at += 1;
        } else {
            loop {
                let key = cursor.key()?.into_owned();
                entries.push((key, cursor.at));
                cursor.skip_value()?;
                if !cursor.separator(b'}')? {
                    break;
                }
            }
        }
        let end = cursor.at;
        let last: std::collections::HashMap<&[u8], usize> =
            entries.iter().enumerate().map(|(i, (key, _))| (key.as_slice(), i)).collect();
        for (index, (key, at)) in entries.iter().enumerate() {
            if last.get(key.as_slice()) != Some(&index) {
                continue;
            }
            let Column::Utf8(keys) = &mut map.key.column else {
                return Err(Reason::new("a JSON map has keys of type STRING"));
            };
            keys.push(key);
            cursor.at = *at;
            self.read(&mut map.value.column, cursor)?;
            if map.value.breaks_not_null() {
                return Err(Reason::new("a value of the map is NOT NULL"));
            }
        }
        cursor.at = end;
        let len = map.key.column.len();
        map.close(len);
        Ok(())
    }
}

fn find(slots: &[Slot], key: &[u8], expected: usize) -> Option<usize> {
    if slots.get(expected).is_some_and(|s| s.name().as_bytes() == key) {
        return Some(expected);
    }
    slots.iter().position(|s| s.name().as_bytes() == key)
}

fn within(slot: &Slot, reason: Reason) -> Reason {
    Reason::new(format!("column '{}': {}", slot.name(), reason.0))
}

fn narrow<T: TryFrom<i64>>(value: i64, name: &str) -> Parsed<T> {
    T::try_from(value).map_err(|_| Reason::new(format!("{value} is out of range of {name}")))
}

fn not_a(text: &[u8], what: &str) -> Reason {
    let shown = String::from_utf8_lossy(&text[..text.len().min(60)]);
    let ellipsis = if text.len() > 60 { "…" } else { "" };
    Reason::new(format!("'{shown}{ellipsis}' is not {what}"))
}

/// As Java trims: everything up to the blank.
fn trimmed(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&b| b > b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|&b| b > b' ').map_or(start, |i| i + 1);
    &text[start..end]
}

/// The text of a string, number or boolean, given to a parser.
#[inline]
fn parsed<T>(
    cursor: &mut Cursor<'_>,
    what: &str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Parsed<T> {
    let bytes = cursor.bytes;
    let start = cursor.at;
    match cursor.peek() {
        b'"' => {
            let text = cursor.string()?;
            parse(&text).ok_or_else(|| not_a(&text, what))
        }
        b'-' | b'0'..=b'9' | b't' | b'f' => {
            cursor.skip_value()?;
            let text = &bytes[start..cursor.at];
            parse(text).ok_or_else(|| not_a(text, what))
        }
        _ => Err(cursor.expected(what)),
    }
}

#[inline]
fn long(cursor: &mut Cursor<'_>, name: &str) -> Parsed<i64> {
    if let Some((value, end)) = plain_number(cursor.bytes, cursor.at) {
        cursor.at = end;
        return Ok(value);
    }
    if matches!(cursor.peek(), b'-' | b'0'..=b'9') {
        let (text, whole) = cursor.number()?;
        let value = if whole { text::integer(text) } else { truncated(text) };
        return value.ok_or_else(|| not_a(text, &format!("in the range of {name}")));
    }
    parsed(cursor, name, |text| text::integer(trimmed(text)))
}

/// A number with a fraction or an exponent, cut off towards zero. As in Flink it goes by way of a
/// double.
fn truncated(text: &[u8]) -> Option<i64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let bound = 9_223_372_036_854_775_808.0;
    (-bound..bound).contains(&value).then_some(value as i64)
}

fn small(cursor: &mut Cursor<'_>, name: &str) -> Parsed<i64> {
    if matches!(cursor.peek(), b'-' | b'0'..=b'9') {
        let (text, _) = cursor.number()?;
        return text::integer(text).ok_or_else(|| not_a(text, &format!("a {name}")));
    }
    parsed(cursor, name, |text| text::integer(trimmed(text)))
}

fn float<T: std::str::FromStr>(cursor: &mut Cursor<'_>, name: &str) -> Parsed<T> {
    parsed(cursor, name, |text| {
        let text = std::str::from_utf8(trimmed(text)).ok()?;
        // Java knows these words in this spelling only, and no others.
        let word = text.trim_start_matches(['-', '+']);
        let letters = word.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E'));
        if letters && word != "NaN" && word != "Infinity" {
            return None;
        }
        text.parse().ok()
    })
}

fn decimal(cursor: &mut Cursor<'_>, precision: u8, scale: i8) -> Parsed<Option<i128>> {
    parsed(cursor, "a DECIMAL", |text| match text::decimal(trimmed(text), precision, scale) {
        DecimalText::Value(value) => Some(Some(value)),
        DecimalText::Overflow => Some(None),
        DecimalText::Invalid => None,
    })
}

fn boolean(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    match cursor.peek() {
        b't' => cursor.literal("true").map(|()| true),
        b'f' => cursor.literal("false").map(|()| false),
        _ => parsed(cursor, "a BOOLEAN", |text| Some(trimmed(text).eq_ignore_ascii_case(b"true"))),
    }
}

#[inline]
fn string(column: &mut Text, cursor: &mut Cursor<'_>) -> Parsed<()> {
    let start = cursor.at;
    match cursor.peek() {
        b'"' => {
            if let Err(reason) = cursor.string_into(&mut column.bytes) {
                column.abandon();
                return Err(reason);
            }
            column.close();
        }
        b'{' | b'[' => {
            if let Err(reason) = cursor.compact_into(&mut column.bytes) {
                column.abandon();
                return Err(reason);
            }
            column.close();
        }
        _ => {
            cursor.skip_value()?;
            column.push(&cursor.bytes[start..cursor.at]);
        }
    }
    Ok(())
}

fn binary(column: &mut Text, cursor: &mut Cursor<'_>) -> Parsed<()> {
    if cursor.peek() != b'"' {
        return Err(cursor.expected("BYTES as a base64 string"));
    }
    let text = cursor.string()?;
    match STANDARD.decode(text.as_ref()) {
        Ok(bytes) => column.push(&bytes),
        Err(_) => return Err(not_a(&text, "base64")),
    }
    Ok(())
}
