//! Values as text, both ways: exact numbers, dates, times and timestamps of the formats.
//!
//! No detour over floating point, no clock, no time zone: a `TIMESTAMP` is what it says.

use arrow::datatypes::TimeUnit;

/// Ten to the power of the index; all that fit an `i128`.
const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// A whole number with an optional sign, as Java's `parseLong` reads it.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    if digits.len() <= 18 {
        let mut value = 0i64;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        return Some(if negative { -value } else { value });
    }
    let mut value = 0i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// What a text is as a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecimalText {
    /// The unscaled value, rounded half up to the scale.
    Value(i128),
    /// A number that does not fit the precision: `NULL` in Flink.
    Overflow,
    /// Not a number.
    Invalid,
}

/// A decimal number, `1.50` or `-12e-3`, exactly.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: i8) -> DecimalText {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut digits: Vec<u8> = Vec::new();
    let mut small = 0i128;
    let (mut seen, mut after_point, mut point, mut at) = (0usize, 0i64, false, 0);
    while at < rest.len() {
        match rest[at] {
            b @ b'0'..=b'9' => {
                // Up to 37 significant digits fit an i128; longer texts are kept digit by digit.
                if digits.is_empty() && small < POWERS[37] {
                    small = small * 10 + i128::from(b - b'0');
                } else {
                    if digits.is_empty() {
                        digits = small.to_string().into_bytes();
                    }
                    digits.push(b);
                }
                seen += 1;
                after_point += i64::from(point);
            }
            b'.' if !point => point = true,
            b'e' | b'E' => break,
            _ => return DecimalText::Invalid,
        }
        at += 1;
    }
    if seen == 0 {
        return DecimalText::Invalid;
    }
    let mut exponent = -after_point;
    if at < rest.len() {
        match integer(&rest[at + 1..]) {
            // Java's exponents are of 32 bits; a larger one is a typo or an attack.
            Some(e) if i32::try_from(e).is_ok() => exponent += e,
            _ => return DecimalText::Invalid,
        }
    }
    let value = if digits.is_empty() {
        scaled(small, exponent + i64::from(scale))
    } else {
        scaled_digits(&digits, exponent + i64::from(scale))
    };
    match value {
        Some(v) if v < POWERS[usize::from(precision.min(38))] => {
            DecimalText::Value(if negative { -v } else { v })
        }
        _ => DecimalText::Overflow,
    }
}

/// A decimal moved by `shift` digits and rounded half up; `None` where the precision is too small.
pub(crate) fn rescaled(value: i128, shift: i64, precision: u8) -> Option<i128> {
    let size = i128::try_from(value.unsigned_abs()).ok()?;
    let size = scaled(size, shift)?;
    let limit = POWERS[usize::from(precision.min(38))];
    (size < limit).then_some(if value < 0 { -size } else { size })
}

/// `value * 10^shift`, rounded half up; `None` if it does not fit.
fn scaled(value: i128, shift: i64) -> Option<i128> {
    if value == 0 || shift == 0 {
        return Some(value);
    }
    if shift > 0 {
        let power = POWERS.get(usize::try_from(shift).ok()?)?;
        return value.checked_mul(*power);
    }
    match POWERS.get(usize::try_from(-shift).unwrap_or(usize::MAX)) {
        Some(power) => Some(value / power + i128::from(value % power >= power / 2)),
        None => Some(0),
    }
}

fn scaled_digits(digits: &[u8], shift: i64) -> Option<i128> {
    let first = digits.iter().position(|&d| d != b'0').unwrap_or(digits.len());
    let digits = &digits[first..];
    let kept = i64::try_from(digits.len()).ok()?.checked_add(shift)?;
    if digits.is_empty() || kept < 0 {
        return Some(0);
    }
    if kept > 38 {
        return None;
    }
    let kept = usize::try_from(kept).ok()?;
    let mut value = 0i128;
    for index in 0..kept {
        let digit = digits.get(index).map_or(0, |d| i128::from(d - b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    let round_up = digits.get(kept).is_some_and(|&d| d >= b'5');
    value.checked_add(i128::from(round_up))
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar.
pub(crate) fn days_of(year: i64, month: u32, day: u32) -> Option<i32> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last of its year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era_days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    let in_year = i64::from((153 * m + 2) / 5 + day - 1);
    i32::try_from(era_days + in_year - 719_468).ok()
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn date_of(days: i32) -> (i64, u32, u32) {
    let z = i64::from(days) + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * of_year + 2) / 153;
    let day = of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

fn two_digits(text: &[u8]) -> Option<u32> {
    let [a, b] = text else { return None };
    let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    (a <= 9 && b <= 9).then(|| u32::from(a) * 10 + u32::from(b))
}

/// `2024-01-31` as days since 1970-01-01.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two_digits(&text[..2])? * 100 + two_digits(&text[2..4])?;
    days_of(i64::from(year), two_digits(&text[5..7])?, two_digits(&text[8..])?)
}

/// `08:26:00` with up to nine digits of a fraction, as nanoseconds of the day.
pub(crate) fn time(text: &[u8]) -> Option<i64> {
    if text.len() < 8 || text[2] != b':' || text[5] != b':' {
        return None;
    }
    let (hour, minute) = (two_digits(&text[..2])?, two_digits(&text[3..5])?);
    let second = two_digits(&text[6..8])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * 1_000_000_000 + fraction(&text[8..])?)
}

#[inline]
fn fraction(text: &[u8]) -> Option<i64> {
    let digits = match text {
        [] => return Some(0),
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut nanos = 0i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        nanos = nanos * 10 + i64::from(digit);
    }
    const SHIFT: [i64; 9] =
        [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    Some(nanos * SHIFT[digits.len() - 1])
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampStyle {
    /// `2024-01-01 00:00:00.123`
    Sql,
    /// `2024-01-01T00:00:00.123`
    Iso,
}

impl TimestampStyle {
    fn separator(self) -> u8 {
        match self {
            Self::Sql => b' ',
            Self::Iso => b'T',
        }
    }
}

/// A timestamp in `unit`s since the epoch; digits finer than the unit are cut off.
#[inline]
pub(crate) fn timestamp(text: &[u8], style: TimestampStyle, unit: TimeUnit) -> Option<i64> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let marks = [head[4], head[7], head[10], head[13], head[16]];
    if marks != [b'-', b'-', style.separator(), b':', b':'] {
        return None;
    }
    // All digits are taken first and judged together, so that there is one branch for all.
    let mut wrong = false;
    let mut pair = |at: usize| {
        let (a, b) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        wrong |= a > 9 || b > 9;
        u32::from(a) * 10 + u32::from(b)
    };
    let year = pair(0) * 100 + pair(2);
    let (month, day) = (pair(5), pair(8));
    let (hour, minute, second) = (pair(11), pair(14), pair(17));
    if wrong || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = i64::from(days_of(i64::from(year), month, day)?);
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    in_unit(days, seconds * 1_000_000_000 + fraction(tail)?, unit)
}

/// The minute that a timestamp was read in. What comes next is mostly of the same minute, and then
/// only its seconds are read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Minute {
    /// `2024-01-31 08:26`; no text starts with the zeros of the default.
    text: [u8; 16],
    /// The start of the minute, in units since the epoch.
    start: i64,
}

impl Minute {
    /// As [`timestamp`]; one style and unit for all calls.
    #[inline(always)]
    pub fn timestamp(&mut self, text: &[u8], style: TimestampStyle, unit: TimeUnit) -> Option<i64> {
        match text.split_first_chunk::<16>() {
            Some((head, [b':', tens, ones, tail @ ..])) if *head == self.text => {
                let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
                if tens > 5 || ones > 9 {
                    return None;
                }
                let second = i64::from(tens * 10 + ones);
                self.start.checked_add(seconds(second, tail, unit)?)
            }
            _ => self.first(text, style, unit),
        }
    }

    #[cold]
    fn first(&mut self, text: &[u8], style: TimestampStyle, unit: TimeUnit) -> Option<i64> {
        let value = timestamp(text, style, unit)?;
        if let Some((head, [_, tens, ones, tail @ ..])) = text.split_first_chunk::<16>() {
            let second = i64::from((tens - b'0') * 10 + (ones - b'0'));
            self.start = value - seconds(second, tail, unit)?;
            self.text = *head;
        }
        Some(value)
    }
}

/// Seconds and the text of their fraction, in `unit`s.
#[inline(always)]
fn seconds(second: i64, tail: &[u8], unit: TimeUnit) -> Option<i64> {
    if let (TimeUnit::Millisecond, [b'.', a, b, c]) = (unit, tail) {
        let (a, b, c) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'), c.wrapping_sub(b'0'));
        let millis = i64::from(a) * 100 + i64::from(b) * 10 + i64::from(c);
        return (a <= 9 && b <= 9 && c <= 9).then_some(second * 1_000 + millis);
    }
    in_unit(0, second * 1_000_000_000 + fraction(tail)?, unit)
}

/// Days and nanoseconds of the day, in `unit`s since the epoch.
pub(crate) fn in_unit(days: i64, nanos: i64, unit: TimeUnit) -> Option<i64> {
    let (per_second, nanos_per_unit) = per_second(unit);
    days.checked_mul(86_400 * per_second)?.checked_add(nanos / nanos_per_unit)
}

fn per_second(unit: TimeUnit) -> (i64, i64) {
    match unit {
        TimeUnit::Second => (1, 1_000_000_000),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    }
}

/// Appends `2024-01-31`.
pub(crate) fn write_date(out: &mut Vec<u8>, days: i32) {
    let (year, month, day) = date_of(days);
    if (0..=9999).contains(&year) {
        push_padded(out, year.unsigned_abs(), 4);
    } else {
        out.extend_from_slice(if year < 0 { b"-" } else { b"+" });
        push_padded(out, year.unsigned_abs(), 4);
    }
    out.push(b'-');
    push_padded(out, u64::from(month), 2);
    out.push(b'-');
    push_padded(out, u64::from(day), 2);
}

/// Appends `08:26:00`, and the fraction without its trailing zeros if there is one.
pub(crate) fn write_time(out: &mut Vec<u8>, nanos: i64) {
    let seconds = nanos.unsigned_abs() / 1_000_000_000;
    push_padded(out, seconds / 3600, 2);
    out.push(b':');
    push_padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    push_padded(out, seconds % 60, 2);
    let mut fraction = nanos.unsigned_abs() % 1_000_000_000;
    if fraction > 0 {
        let mut width = 9;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        out.push(b'.');
        push_padded(out, fraction, width);
    }
}

/// Appends a timestamp of `unit`s since the epoch.
pub(crate) fn write_timestamp(
    out: &mut Vec<u8>,
    value: i64,
    unit: TimeUnit,
    style: TimestampStyle,
) {
    let (per_second, nanos_per_unit) = per_second(unit);
    let per_day = 86_400 * per_second;
    let days = i32::try_from(value.div_euclid(per_day)).unwrap_or(i32::MAX);
    write_date(out, days);
    out.push(style.separator());
    write_time(out, value.rem_euclid(per_day) * nanos_per_unit);
}

/// Appends a decimal in plain notation: `-0.05`.
pub(crate) fn write_decimal(out: &mut Vec<u8>, value: i128, scale: i8) {
    if value < 0 {
        out.push(b'-');
    }
    let digits = value.unsigned_abs().to_string();
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        out.extend_from_slice(digits.as_bytes());
        return;
    }
    let whole = digits.len().saturating_sub(scale);
    out.extend_from_slice(if whole == 0 { b"0" } else { &digits.as_bytes()[..whole] });
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
    out.extend_from_slice(&digits.as_bytes()[whole..]);
}

/// Appends a floating point number as Java writes it: `1.0`, `1.0E10`, `NaN`. `shortest` is the
/// number's shortest text in scientific notation (`{:e}`).
pub(crate) fn write_float(out: &mut Vec<u8>, value: f64, shortest: &str) {
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    let shortest = shortest.trim_start_matches('-');
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let (whole, point) = match exponent {
        0..=6 => (usize::try_from(exponent).unwrap_or(0) + 1, None),
        -3..=-1 => (0, None),
        _ => (1, Some(exponent)),
    };
    if whole == 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', exponent.unsigned_abs() as usize - 1));
        return out.extend_from_slice(&digits);
    }
    for at in 0..whole {
        out.push(digits.get(at).copied().unwrap_or(b'0'));
    }
    out.push(b'.');
    out.extend_from_slice(digits.get(whole..).filter(|d| !d.is_empty()).unwrap_or(b"0"));
    if let Some(exponent) = point {
        out.push(b'E');
        out.extend_from_slice(exponent.to_string().as_bytes());
    }
}

/// Appends a whole number.
pub(crate) fn write_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_padded(out, value.unsigned_abs(), 1);
}

/// Appends a number with leading zeros up to `width`.
pub(crate) fn push_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal_text(text: &str, precision: u8, scale: i8) -> DecimalText {
        decimal(text.as_bytes(), precision, scale)
    }

    #[test]
    fn integers_are_exact_at_both_ends() {
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(integer(b"000000000000000000012"), Some(12));
        assert_eq!(integer(b"+7"), Some(7));
        for bad in ["", "-", "1.0", "1 ", "1234567890123456789x"] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn decimals_are_exact_and_round_half_up() {
        use DecimalText::*;
        assert_eq!(decimal_text("2.55", 10, 2), Value(255));
        assert_eq!(decimal_text("-0.125", 10, 2), Value(-13));
        assert_eq!(decimal_text("0.124999", 10, 2), Value(12));
        assert_eq!(decimal_text("1e3", 10, 2), Value(100_000));
        assert_eq!(decimal_text("12E-3", 10, 3), Value(12));
        assert_eq!(decimal_text("0.1", 38, 18), Value(100_000_000_000_000_000));
        assert_eq!(decimal_text("100", 4, 2), Overflow);
        assert_eq!(decimal_text("99.995", 4, 2), Overflow);
        assert_eq!(decimal_text("1e-99", 4, 2), Value(0));
        assert_eq!(decimal_text("1e99", 4, 2), Overflow);
        let long = "12345678901234567890123456789012345678.4999999999999999999999";
        assert_eq!(decimal_text(long, 38, 0), Value(12345678901234567890123456789012345678));
        for bad in ["", ".", "-", "1.2.3", "1e", "1e9999999999", "0x1", "NaN"] {
            assert_eq!(decimal_text(bad, 10, 2), Invalid, "{bad}");
        }
    }

    #[test]
    fn days_and_dates_are_inverse_over_all_centuries() {
        let mut expected = days_of(1580, 1, 1).unwrap();
        for year in 1580..2420 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_of(year, month, day), Some(expected));
                    assert_eq!(date_of(expected), (year, month, day));
                    expected += 1;
                }
            }
        }
        assert_eq!(days_of(1970, 1, 1), Some(0));
        assert_eq!(date(b"2023-02-29"), None);
        assert_eq!(date(b"2024-13-01"), None);
    }

    #[test]
    fn timestamps_are_read_and_written_in_both_styles() {
        use TimestampStyle::*;
        let ms = TimeUnit::Millisecond;
        assert_eq!(timestamp(b"2010-12-01 08:26:00", Sql, ms), Some(1_291_191_960_000));
        assert_eq!(timestamp(b"1970-01-01T00:00:00.1239", Iso, ms), Some(123));
        assert_eq!(timestamp(b"1969-12-31 23:59:59.999", Sql, ms), Some(-1));
        assert_eq!(timestamp(b"1970-01-01 00:00:01", Iso, ms), None);
        assert_eq!(timestamp(b"1970-01-01 24:00:00", Sql, ms), None);
        assert_eq!(timestamp(b"1970-01-01 00:00:00.", Sql, ms), None);
        let mut out = Vec::new();
        write_timestamp(&mut out, -1, TimeUnit::Microsecond, Iso);
        assert_eq!(out, b"1969-12-31T23:59:59.999999");
        out.clear();
        write_timestamp(&mut out, 1_291_191_960_500, ms, Sql);
        assert_eq!(out, b"2010-12-01 08:26:00.5");
    }

    #[test]
    fn floats_and_decimals_are_written_as_java_writes_them() {
        let text = |v: f64| {
            let mut out = Vec::new();
            write_float(&mut out, v, &format!("{v:e}"));
            String::from_utf8(out).unwrap()
        };
        let cases = [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (1234567.0, "1234567.0"),
            (12345678.0, "1.2345678E7"),
            (0.001, "0.001"),
            (0.00012, "1.2E-4"),
            (f64::INFINITY, "Infinity"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
        let decimal = |v, s| {
            let mut out = Vec::new();
            write_decimal(&mut out, v, s);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(12345, 2), "123.45");
        assert_eq!(decimal(0, 3), "0.000");
        assert_eq!(decimal(7, 0), "7");
    }
}
