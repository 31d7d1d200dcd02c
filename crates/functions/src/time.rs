//! Days, moments and times of day: the calendar, time zones, Flink's default texts.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;
use datafusion_common::{Result, exec_err};

use super::typing::type_name;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// A moment or local time: seconds since the epoch and nanoseconds of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant {
    pub secs: i64,
    pub nanos: u32,
}

impl Instant {
    /// From milliseconds.
    pub fn from_millis(ms: i64) -> Instant {
        Instant { secs: ms.div_euclid(1000), nanos: ms.rem_euclid(1000) as u32 * 1_000_000 }
    }

    /// Milliseconds since the epoch, rounded down.
    pub fn millis(self) -> i64 {
        self.secs.wrapping_mul(1000).wrapping_add(i64::from(self.nanos / 1_000_000))
    }

    /// The value of an arrow timestamp of that unit.
    pub fn from_unit(v: i64, unit: TimeUnit) -> Instant {
        let (per, nanos) = match unit {
            TimeUnit::Second => (1, 0),
            TimeUnit::Millisecond => (1000, 1_000_000),
            TimeUnit::Microsecond => (1_000_000, 1000),
            TimeUnit::Nanosecond => (1_000_000_000, 1),
        };
        Instant { secs: v.div_euclid(per), nanos: v.rem_euclid(per) as u32 * nanos }
    }

    /// The arrow timestamp of that unit; `None` where it does not fit.
    pub fn to_unit(self, unit: TimeUnit) -> Option<i64> {
        let n = i64::from(self.nanos);
        match unit {
            TimeUnit::Second => Some(self.secs),
            TimeUnit::Millisecond => self.secs.checked_mul(1000)?.checked_add(n / 1_000_000),
            TimeUnit::Microsecond => self.secs.checked_mul(1_000_000)?.checked_add(n / 1000),
            TimeUnit::Nanosecond => self.secs.checked_mul(1_000_000_000)?.checked_add(n),
        }
    }

    /// The day and the seconds of the day.
    pub fn day(self) -> (i64, i64) {
        (self.secs.div_euclid(DAY_S), self.secs.rem_euclid(DAY_S))
    }

    /// The calendar fields.
    pub fn civil(self) -> Civil {
        let (days, secs) = self.day();
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: (secs / 3600) as u32,
            minute: (secs / 60 % 60) as u32,
            second: (secs % 60) as u32,
            nanos: self.nanos,
        }
    }
}

/// A local time, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub nanos: u32,
}

impl Civil {
    /// Midnight of that day.
    pub fn date(year: i64, month: u32, day: u32) -> Civil {
        Civil { year, month, day, hour: 0, minute: 0, second: 0, nanos: 0 }
    }

    /// The local time as if it were UTC.
    pub fn instant(&self) -> Instant {
        let days = days_from_civil(self.year, self.month, self.day);
        let secs = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        Instant { secs: days * DAY_S + secs, nanos: self.nanos }
    }
}

/// Days since the epoch of a day of the proleptic Gregorian calendar.
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let doy = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// Year, month and day of a day since the epoch.
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// How many days the month has.
pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The offset from UTC at that moment, in seconds.
pub(crate) fn offset_at(tz: Tz, utc_secs: i64) -> i64 {
    if tz == chrono_tz::UTC {
        return 0;
    }
    match DateTime::from_timestamp(utc_secs, 0) {
        Some(t) => i64::from(tz.offset_from_utc_datetime(&t.naive_utc()).fix().local_minus_utc()),
        None => 0,
    }
}

/// The local time of a moment.
pub(crate) fn to_local(tz: Tz, utc: Instant) -> Instant {
    Instant { secs: utc.secs + offset_at(tz, utc.secs), ..utc }
}

/// The moment of a local time: the earlier one if there are two; in a gap the clock counts on.
pub(crate) fn to_utc(tz: Tz, local: Instant) -> Instant {
    if tz == chrono_tz::UTC {
        return local;
    }
    let Some(t) = DateTime::from_timestamp(local.secs, 0) else {
        return local;
    };
    let offset = match tz.offset_from_local_datetime(&t.naive_utc()) {
        MappedLocalTime::Single(o) | MappedLocalTime::Ambiguous(o, _) => {
            i64::from(o.fix().local_minus_utc())
        }
        MappedLocalTime::None => offset_at(tz, local.secs - DAY_S),
    };
    Instant { secs: local.secs - offset, ..local }
}

/// Reads row after row of a date or time array.
pub(crate) enum Times<'a> {
    Date(&'a arrow::array::Date32Array),
    Time(&'a arrow::array::Time32MillisecondArray),
    Stamp(&'a [i64], TimeUnit, Option<arrow::buffer::NullBuffer>),
    Null,
}

impl<'a> Times<'a> {
    /// A reader of that array.
    pub fn of(array: &'a ArrayRef) -> Result<Times<'a>> {
        Ok(match array.data_type() {
            DataType::Date32 => Times::Date(array.as_primitive::<Date32Type>()),
            DataType::Time32(TimeUnit::Millisecond) => {
                Times::Time(array.as_primitive::<Time32MillisecondType>())
            }
            DataType::Timestamp(unit, _) => {
                let values = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                    TimeUnit::Millisecond => {
                        array.as_primitive::<TimestampMillisecondType>().values()
                    }
                    TimeUnit::Microsecond => {
                        array.as_primitive::<TimestampMicrosecondType>().values()
                    }
                    TimeUnit::Nanosecond => {
                        array.as_primitive::<TimestampNanosecondType>().values()
                    }
                };
                Times::Stamp(values, *unit, array.nulls().cloned())
            }
            DataType::Null => Times::Null,
            t => return exec_err!("{} is not a date or time", type_name(t)),
        })
    }

    /// The value of that row; a time of day lies on the day of the epoch.
    #[inline]
    pub fn get(&self, row: usize) -> Option<Instant> {
        match self {
            Times::Date(a) => {
                a.is_valid(row).then(|| Instant { secs: i64::from(a.value(row)) * DAY_S, nanos: 0 })
            }
            Times::Time(a) => {
                a.is_valid(row).then(|| Instant::from_millis(i64::from(a.value(row))))
            }
            Times::Stamp(values, unit, nulls) => {
                if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                    return None;
                }
                Some(Instant::from_unit(values[row], *unit))
            }
            Times::Null => None,
        }
    }
}

/// Appends `yyyy-MM-dd`.
pub(crate) fn write_date(out: &mut String, c: &Civil) {
    use std::fmt::Write;
    let _ = if (0..=9999).contains(&c.year) {
        write!(out, "{:04}-{:02}-{:02}", c.year, c.month, c.day)
    } else if c.year < 0 {
        write!(out, "-{:04}-{:02}-{:02}", -c.year, c.month, c.day)
    } else {
        write!(out, "+{}-{:02}-{:02}", c.year, c.month, c.day)
    };
}

/// Appends `HH:mm:ss` and as many digits of the fraction as asked.
pub(crate) fn write_time(out: &mut String, c: &Civil, precision: u8) {
    use std::fmt::Write;
    let _ = write!(out, "{:02}:{:02}:{:02}", c.hour, c.minute, c.second);
    if precision > 0 {
        let width = usize::from(precision.min(9));
        let fraction = c.nanos / 10u32.pow(9 - width as u32);
        let _ = write!(out, ".{fraction:0width$}");
    }
}

fn number(s: &str, max_len: usize) -> Option<u32> {
    let s = s.trim();
    if s.is_empty() || s.len() > max_len || !s.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    s.parse().ok()
}

/// Reads a date as `CAST(s AS DATE)` does: `y[-m[-d]]`, a time behind a blank is dropped.
pub(crate) fn parse_date(s: &str) -> Option<i64> {
    let s = match s.find(' ') {
        Some(i) if i > 0 => &s[..i],
        _ => s,
    };
    let mut parts = s.splitn(3, '-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |p| number(p, 2))?;
    let day = parts.next().map_or(Some(1), |p| number(p, 2))?;
    let ok =
        (1..=12).contains(&month) && (1..=days_in_month(i64::from(year), month)).contains(&day);
    ok.then(|| days_from_civil(i64::from(year), month, day))
}

/// Reads a time of day in milliseconds: `h[:m[:s[.fraction]]]`.
pub(crate) fn parse_time(s: &str) -> Option<i32> {
    let s = s.trim();
    let (clock, fraction) = match s.split_once('.') {
        Some((c, f)) => (c, Some(f)),
        None => (s, None),
    };
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = parts.next().map_or(Some(0), |p| number(p, 2))?;
    let second = parts.next().map_or(Some(0), |p| number(p, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = match fraction {
        Some(f) => parse_fraction(f)? / 1_000_000,
        None => 0,
    };
    Some(((hour * 3600 + minute * 60 + second) * 1000 + millis) as i32)
}

/// Digits after the point as nanoseconds.
pub(crate) fn parse_fraction(f: &str) -> Option<u32> {
    if f.len() > 9 || !f.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if f.is_empty() {
        return Some(0);
    }
    Some(f.parse::<u32>().ok()? * 10u32.pow(9 - f.len() as u32))
}

/// Reads a timestamp as `CAST(s AS TIMESTAMP)` does: `yyyy-M-d[ H:m:s[.fraction]]`. A day past
/// the end of its month becomes the month's last.
pub(crate) fn parse_timestamp(s: &str) -> Option<Instant> {
    let (date, time) = match s.split_once(' ') {
        Some((d, t)) => (d, Some(t)),
        None => (s, None),
    };
    let mut parts = date.split('-');
    let year = parts.next()?;
    if year.len() < 4 {
        return None;
    }
    let year = i64::from(number(year, 9)?);
    let month = exact(parts.next()?)?;
    let day = exact(parts.next()?)?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut c = Civil::date(year, month, day.min(days_in_month(year, month)));
    if let Some(time) = time {
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut parts = clock.split(':');
        c.hour = exact(parts.next()?)?;
        c.minute = exact(parts.next()?)?;
        c.second = exact(parts.next()?)?;
        c.nanos = parse_fraction(fraction)?;
        if parts.next().is_some() || c.hour > 23 || c.minute > 59 || c.second > 59 {
            return None;
        }
    }
    Some(c.instant())
}

fn exact(s: &str) -> Option<u32> {
    if s.is_empty() || s.len() > 2 || !s.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    s.parse().ok()
}

/// A time zone by its name, an abbreviation that Java knows, or an offset such as `GMT+8`.
pub(crate) enum Zone {
    Named(Tz),
    Fixed(i64),
}

impl Zone {
    /// The zone of that text.
    pub fn parse(text: &str) -> Option<Zone> {
        if let Ok(tz) = text.parse::<Tz>() {
            return Some(Zone::Named(tz));
        }
        let named = |n: &str| n.parse::<Tz>().ok().map(Zone::Named);
        match text {
            "Z" => return Some(Zone::Fixed(0)),
            "PST" => return named("America/Los_Angeles"),
            "CST" => return named("America/Chicago"),
            "JST" => return named("Asia/Tokyo"),
            "IST" => return named("Asia/Kolkata"),
            "CTT" => return named("Asia/Shanghai"),
            "ECT" => return named("Europe/Paris"),
            "AET" => return named("Australia/Sydney"),
            _ => {}
        }
        let offset = text
            .strip_prefix("GMT")
            .or_else(|| text.strip_prefix("UTC"))
            .or_else(|| text.strip_prefix("UT"))
            .unwrap_or(text);
        parse_offset(offset).map(Zone::Fixed)
    }

    /// The local time of a moment.
    pub fn to_local(&self, utc: Instant) -> Instant {
        match self {
            Zone::Named(tz) => to_local(*tz, utc),
            Zone::Fixed(s) => Instant { secs: utc.secs + s, ..utc },
        }
    }

    /// The moment of a local time.
    pub fn to_utc(&self, local: Instant) -> Instant {
        match self {
            Zone::Named(tz) => to_utc(*tz, local),
            Zone::Fixed(s) => Instant { secs: local.secs - s, ..local },
        }
    }
}

/// `+h`, `+hh`, `+hhmm`, `+hh:mm` in seconds.
pub(crate) fn parse_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((h, m)) => (number(h, 2)?, number(m, 2)?),
        None if rest.len() <= 2 => (number(rest, 2)?, 0),
        None if rest.len() == 4 => (number(&rest[..2], 2)?, number(&rest[2..], 2)?),
        None => return None,
    };
    Some(sign * i64::from(hours * 3600 + minutes * 60))
}
