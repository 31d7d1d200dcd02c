//! Dates and times: the clock, parts, rounding, differences, reading and writing.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};
use chrono_tz::Tz;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use super::call::{Call, Def, Nulls, Ret, some};
use super::cast::build_temporal;
use super::number;
use super::pattern::{Pattern, Style};
use super::time::{
    self, Civil, DAY_MS, DAY_S, Instant, Times, Zone, civil_from_days, days_from_civil,
    days_in_month,
};
use super::typing::{is_temporal, type_name};

const DEFAULT_FORMAT: &str = "yyyy-MM-dd HH:mm:ss";

fn ltz3() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

const TS3: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// The functions of this group.
pub(crate) fn defs() -> Vec<Def> {
    use DataType::{Boolean, Date32, Int64, Utf8};
    let mut defs = clock_defs();
    let parts = [
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAYOFYEAR",
        "DAYOFMONTH",
        "DAYOFWEEK",
        "HOUR",
        "MINUTE",
        "SECOND",
    ];
    defs.extend(parts.map(|n| Def::new(n, "T", Int64, part_function).nulls(Nulls::Propagate)));
    defs.extend([
        Def::new("EXTRACT", "SX", Int64, extract).nulls(Nulls::Propagate),
        Def::new("DATE_FORMAT", "XS", Utf8, date_format),
        Def::of("TIMESTAMPADD", "SLX", Ret::Of(add_type), timestamp_add),
        Def::new("TIMESTAMPDIFF", "SXX", DataType::Int32, timestamp_diff),
        Def::new("TO_TIMESTAMP", "Ss", TS3, to_timestamp),
        Def::of("TO_TIMESTAMP_LTZ", "Xxs", Ret::Of(|_, _| Ok(ltz3())), to_timestamp_ltz),
        Def::new("TO_DATE", "Ss", Date32, to_date),
        Def::new("FROM_UNIXTIME", "Ls", Utf8, from_unixtime),
        Def::new("UNIX_TIMESTAMP", "ss", Int64, unix_timestamp).volatile(),
        Def::new("CONVERT_TZ", "SSS", Utf8, convert_tz),
        Def::new("OVERLAPS", "XXXX", Boolean, overlaps),
    ]);
    defs
}

/// Functions that read the step's clock.
fn clock_defs() -> Vec<Def> {
    use DataType::{Date32, Time32};
    let moment: super::call::Eval = |c| {
        let now = c.settings.clock.now_ms();
        Ok(Arc::new(
            arrow::array::TimestampMillisecondArray::from(vec![now; c.rows]).with_timezone("UTC"),
        ))
    };
    let local: super::call::Eval = |c| {
        let now = local_now(c).millis();
        c.prims::<TimestampMillisecondType>(|_| Ok(Some(now)))
    };
    let today: super::call::Eval = |c| {
        let now = local_now(c);
        build_temporal(c.rows, &DataType::Date32, None, |_| Ok(Some(now)))
    };
    let time: super::call::Eval = |c| {
        let ms = (local_now(c).day().1 * 1000) as i32;
        c.prims::<Time32MillisecondType>(|_| Ok(Some(ms)))
    };
    let ltz = || Ret::Of(|_, _| Ok(ltz3()));
    let is = Ret::Is;
    let defs = vec![
        Def::of("CURRENT_TIMESTAMP", "", ltz(), moment).aliases(&["NOW"]),
        Def::of("CURRENT_ROW_TIMESTAMP", "", ltz(), moment),
        Def::of("PROCTIME", "", ltz(), moment),
        Def::of("LOCALTIMESTAMP", "", is(TS3), local),
        Def::of("CURRENT_DATE", "", is(Date32), today),
        Def::of("CURRENT_TIME", "", is(Time32(TimeUnit::Millisecond)), time)
            .aliases(&["LOCALTIME"]),
    ];
    defs.into_iter().map(|d| d.nulls(Nulls::Never).volatile()).collect()
}

fn local_now(call: &Call) -> Instant {
    let now = Instant::from_millis(call.settings.clock.now_ms());
    time::to_local(call.settings.time_zone, now)
}

/// Reads an argument's dates and times as local times.
struct Locals<'a> {
    times: Times<'a>,
    zone: Option<chrono_tz::Tz>,
    one: bool,
}

impl<'a> Locals<'a> {
    fn of(call: &'a Call, i: usize) -> Result<Locals<'a>> {
        let zoned = matches!(call.dtype(i), DataType::Timestamp(_, Some(_)));
        Ok(Locals {
            times: Times::of(call.array(i))?,
            zone: zoned.then_some(call.settings.time_zone),
            one: call.is_constant(i),
        })
    }

    fn get(&self, row: usize) -> Option<Instant> {
        let t = self.times.get(if self.one { 0 } else { row })?;
        Some(match self.zone {
            Some(tz) => time::to_local(tz, t),
            None => t,
        })
    }
}

/// A unit of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    Dow,
    IsoDow,
    Doy,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

impl Unit {
    fn parse(text: &str) -> Result<Unit> {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        Ok(match name.strip_suffix('S').filter(|s| s.len() > 2).unwrap_or(name) {
            "MILLENNIUM" => Unit::Millennium,
            "CENTURY" => Unit::Century,
            "DECADE" => Unit::Decade,
            "YEAR" => Unit::Year,
            "ISOYEAR" => Unit::IsoYear,
            "QUARTER" => Unit::Quarter,
            "MONTH" => Unit::Month,
            "WEEK" => Unit::Week,
            "DAY" | "DAYOFMONTH" => Unit::Day,
            "DOW" | "DAYOFWEEK" => Unit::Dow,
            "ISODOW" => Unit::IsoDow,
            "DOY" | "DAYOFYEAR" => Unit::Doy,
            "HOUR" => Unit::Hour,
            "MINUTE" => Unit::Minute,
            "SECOND" => Unit::Second,
            "MILLISECOND" => Unit::Millisecond,
            "MICROSECOND" => Unit::Microsecond,
            "NANOSECOND" => Unit::Nanosecond,
            "EPOCH" => Unit::Epoch,
            _ => {
                return exec_err!(
                    "'{text}' is not a time unit; use YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, \
                     MINUTE, SECOND, MILLISECOND, ..."
                );
            }
        })
    }

    fn of(call: &Call, i: usize) -> Result<Unit> {
        match call.str(i)?.constant() {
            Some(text) => Unit::parse(text),
            None => exec_err!("{}: the time unit must be a constant", call.name),
        }
    }
}

fn iso_week(days: i64) -> (i64, i64) {
    // The week belongs to the year of its Thursday.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let year = civil_from_days(thursday).0;
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

fn part(unit: Unit, t: Instant) -> i64 {
    let c = t.civil();
    let days = t.day().0;
    let round_up = |per: i64| {
        if c.year > 0 { (c.year + per - 1) / per } else { (c.year - per + 1) / per }
    };
    let nanos = i64::from(c.nanos);
    match unit {
        Unit::Millennium => round_up(1000),
        Unit::Century => round_up(100),
        Unit::Decade => c.year / 10,
        Unit::Year => c.year,
        Unit::IsoYear => iso_week(days).0,
        Unit::Quarter => i64::from(c.month.div_ceil(3)),
        Unit::Month => i64::from(c.month),
        Unit::Week => iso_week(days).1,
        Unit::Day => i64::from(c.day),
        Unit::Dow => (days + 4).rem_euclid(7) + 1,
        Unit::IsoDow => (days + 3).rem_euclid(7) + 1,
        Unit::Doy => days - days_from_civil(c.year, 1, 1) + 1,
        Unit::Hour => i64::from(c.hour),
        Unit::Minute => i64::from(c.minute),
        Unit::Second => i64::from(c.second),
        Unit::Millisecond => nanos / 1_000_000,
        Unit::Microsecond => nanos / 1000,
        Unit::Nanosecond => nanos,
        Unit::Epoch => t.secs,
    }
}

fn part_function(call: &Call) -> Result<ArrayRef> {
    let unit = Unit::parse(call.name)?;
    let times = Locals::of(call, 0)?;
    call.prims::<Int64Type>(|i| Ok(times.get(i).map(|t| part(unit, t))))
}

fn extract(call: &Call) -> Result<ArrayRef> {
    let unit = Unit::of(call, 0)?;
    if let DataType::Interval(_) = call.dtype(1) {
        let a = arrow::compute::cast(call.array(1), &super::typing::INTERVAL)?;
        let a = a.as_primitive::<IntervalMonthDayNanoType>();
        return call.prims::<Int64Type>(|i| {
            let i = call.row(1, i);
            if a.is_null(i) {
                return Ok(None);
            }
            let (v, months) = (a.value(i), i64::from(a.value(i).months));
            let ms = super::operators::interval_millis(v);
            Ok(Some(match unit {
                Unit::Year => months / 12,
                Unit::Month => months % 12,
                Unit::Quarter => months % 12 / 3 + 1,
                Unit::Day => ms / DAY_MS,
                Unit::Hour => ms / 3_600_000 % 24,
                Unit::Minute => ms / 60_000 % 60,
                Unit::Second => ms / 1000 % 60,
                Unit::Millisecond => ms % 1000,
                Unit::Epoch => ms / 1000 + months * 30 * DAY_S,
                _ => return exec_err!("EXTRACT: an interval has no {unit:?}"),
            }))
        });
    }
    if !is_temporal(call.dtype(1)) && !call.dtype(1).is_null() {
        return exec_err!("EXTRACT takes a date or time, not {}", type_name(call.dtype(1)));
    }
    let times = Locals::of(call, 1)?;
    call.prims::<Int64Type>(|i| Ok(times.get(i).map(|t| part(unit, t))))
}

/// `FLOOR(t TO unit)` and `CEIL(t TO unit)`.
pub(crate) fn floor_to(call: &Call, up: bool) -> Result<ArrayRef> {
    let unit = Unit::of(call, 1)?;
    let times = Locals::of(call, 0)?;
    let date = matches!(call.dtype(0), DataType::Date32);
    let rows = call.rows;
    build_temporal(rows, &call.ret, None, |i| {
        let t = some!(times.get(i));
        let t = rounded(unit, t, up, date)?;
        Ok(Some(match times.zone {
            Some(tz) => time::to_utc(tz, t),
            None => t,
        }))
    })
}

fn rounded(unit: Unit, t: Instant, up: bool, date: bool) -> Result<Instant> {
    let step = match unit {
        Unit::Day if date => return Ok(t),
        Unit::Day => DAY_S,
        Unit::Hour => 3600,
        Unit::Minute => 60,
        Unit::Second => 1,
        Unit::Millisecond => {
            let low = t.nanos / 1_000_000 * 1_000_000;
            if !up || low == t.nanos {
                return Ok(Instant { nanos: low, ..t });
            }
            return Ok(Instant::from_millis(t.millis() + 1));
        }
        _ => {
            return Ok(Instant { secs: calendar_floor(unit, t.day().0, up)? * DAY_S, nanos: 0 });
        }
    };
    let low = t.secs.div_euclid(step) * step;
    let exact = low == t.secs && t.nanos == 0;
    Ok(Instant { secs: if up && !exact { low + step } else { low }, nanos: 0 })
}

fn calendar_floor(unit: Unit, days: i64, up: bool) -> Result<i64> {
    let (year, month, day) = civil_from_days(days);
    let first = |y: i64| days_from_civil(y, 1, 1);
    let add = i64::from(up);
    Ok(match unit {
        Unit::Millennium => {
            let n = (year + 999) / 1000;
            if up { first(1000 * n + 1) } else { first(1000 * n - 999) }
        }
        Unit::Century => {
            let n = (year + 99) / 100;
            if up { first(100 * n + 1) } else { first(100 * n - 99) }
        }
        Unit::Decade => first(10 * (year / 10 + add)),
        Unit::Year => first(if up && (month > 1 || day > 1) { year + 1 } else { year }),
        Unit::Quarter => {
            let mut q = i64::from(month.div_ceil(3));
            if up && (month > 1 || day > 1) {
                q += 1;
            }
            months_from(year, q * 3 - 2)
        }
        Unit::Month => {
            let next = i64::from(up && day > 1);
            months_from(year, i64::from(month) + next)
        }
        Unit::Week => {
            let dow = (days + 4).rem_euclid(7);
            if up && dow > 0 { days - dow + 7 } else { days - dow }
        }
        other => return exec_err!("FLOOR and CEIL cannot round to {other:?}"),
    })
}

/// The first of a month, counted on beyond December.
fn months_from(year: i64, month: i64) -> i64 {
    let m = month - 1;
    days_from_civil(year + m.div_euclid(12), m.rem_euclid(12) as u32 + 1, 1)
}

/// A time so many months later; the day is cut to the month's last.
fn add_months(t: Instant, months: i64) -> Instant {
    let c = t.civil();
    let m = i64::from(c.month) - 1 + months;
    let (year, month) = (c.year + m.div_euclid(12), m.rem_euclid(12) as u32 + 1);
    let day = c.day.min(days_in_month(year, month));
    Civil { year, month, day, ..c }.instant()
}

fn add_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let unit = match scalars.first() {
        Some(Some(ScalarValue::Utf8(Some(u)))) => Unit::parse(u)?,
        _ => return plan_err!("TIMESTAMPADD: the time unit must be a constant"),
    };
    let fine = matches!(unit, Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond);
    match types.get(2) {
        Some(DataType::Date32) if fine => Ok(TS3),
        Some(DataType::Null | DataType::Utf8) => Ok(TS3),
        Some(t) if is_temporal(t) => Ok(t.clone()),
        Some(t) => plan_err!("TIMESTAMPADD adds to a date or time, not to {}", type_name(t)),
        None => plan_err!("TIMESTAMPADD takes a unit, a number and a date or time"),
    }
}

/// A date or time argument; text is read as a timestamp.
fn temporal_argument(call: &Call, i: usize) -> Result<ArrayRef> {
    // A text that cannot be read is NULL, as in Flink.
    if matches!(call.dtype(i), DataType::Utf8) {
        return super::cast::Caster::plain(call.settings, true).cast(&call.full(i)?, &TS3);
    }
    call.full(i)
}

fn timestamp_add(call: &Call) -> Result<ArrayRef> {
    let unit = Unit::of(call, 0)?;
    let n = call.prim::<Int64Type>(1)?;
    let base = temporal_argument(call, 2)?;
    let times = Times::of(&base)?;
    build_temporal(call.rows, &call.ret, None, |i| {
        let (n, t) = (some!(n.get(i)), some!(times.get(i)));
        let shift = |unit_nanos: i128| {
            let total = i128::from(t.secs) * 1_000_000_000
                + i128::from(t.nanos)
                + i128::from(n) * unit_nanos;
            Instant {
                secs: total.div_euclid(1_000_000_000) as i64,
                nanos: total.rem_euclid(1_000_000_000) as u32,
            }
        };
        let second = 1_000_000_000;
        Ok(Some(match unit {
            Unit::Millennium => add_months(t, n * 12_000),
            Unit::Century => add_months(t, n * 1200),
            Unit::Decade => add_months(t, n * 120),
            Unit::Year => add_months(t, n * 12),
            Unit::Quarter => add_months(t, n * 3),
            Unit::Month => add_months(t, n),
            Unit::Week => shift(7 * 86_400 * second),
            Unit::Day => shift(86_400 * second),
            Unit::Hour => shift(3600 * second),
            Unit::Minute => shift(60 * second),
            Unit::Second => shift(second),
            Unit::Millisecond => shift(1_000_000),
            Unit::Microsecond => shift(1000),
            Unit::Nanosecond => shift(1),
            other => return exec_err!("TIMESTAMPADD does not know {other:?}"),
        }))
    })
}

/// Whole months from `a` to `b`: counted on the days, one less where the day is the same and
/// `b` is earlier in it.
fn months_between(a: Instant, b: Instant) -> i64 {
    let midnight = |t: Instant| Instant { secs: t.day().0 * DAY_S, nanos: 0 };
    let (from, to) = (midnight(a), midnight(b));
    let months = if to < from { -months_up(to, from) } else { months_up(from, to) };
    let earlier = (b.day().1, b.nanos) < (a.day().1, a.nanos);
    if earlier && add_months(from, months) == to { months - 1 } else { months }
}

/// Whole months from one day to a later one.
fn months_up(from: Instant, to: Instant) -> i64 {
    let (a, b) = (from.civil(), to.civil());
    let months = (b.year - a.year) * 12 + i64::from(b.month) - i64::from(a.month);
    if add_months(from, months) > to { months - 1 } else { months }
}

fn timestamp_diff(call: &Call) -> Result<ArrayRef> {
    let unit = Unit::of(call, 0)?;
    let (a, b) = (temporal_argument(call, 1)?, temporal_argument(call, 2)?);
    let (from, to) = (Times::of(&a)?, Times::of(&b)?);
    call.prims::<Int32Type>(|i| {
        let (a, b) = (some!(from.get(i)), some!(to.get(i)));
        let ms = b.millis() - a.millis();
        let n = match unit {
            Unit::Year => months_between(a, b) / 12,
            Unit::Quarter => months_between(a, b) / 3,
            Unit::Month => months_between(a, b),
            Unit::Week => ms / (7 * DAY_MS),
            Unit::Day => ms / DAY_MS,
            Unit::Hour => ms / 3_600_000,
            Unit::Minute => ms / 60_000,
            Unit::Second => ms / 1000,
            Unit::Millisecond => ms,
            other => return exec_err!("TIMESTAMPDIFF does not know {other:?}"),
        };
        Ok(Some(n as i32))
    })
}

/// Compiled patterns of one call, which mostly has one.
#[derive(Default)]
struct Patterns {
    known: HashMap<String, Rc<Pattern>>,
    last: Option<(String, Rc<Pattern>)>,
}

impl Patterns {
    fn get(&mut self, text: &str) -> Result<&Rc<Pattern>> {
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            let compiled = match self.known.get(text) {
                Some(known) => Rc::clone(known),
                None => Rc::new(Pattern::compile(text)?),
            };
            self.known.insert(text.to_string(), Rc::clone(&compiled));
            self.last = Some((text.to_string(), compiled));
        }
        match &self.last {
            Some((_, pattern)) => Ok(pattern),
            None => exec_err!("The pattern '{text}' was not kept (a fault of this program)"),
        }
    }
}

/// The text of the moment before: neighbours mostly are of the same day, hour or minute, and where
/// the pattern shows nothing finer they have the same text.
#[derive(Default)]
struct Shown {
    of: Option<(Rc<Pattern>, i64)>,
    text: String,
}

impl Shown {
    fn text(&mut self, pattern: &Rc<Pattern>, local: Instant, offset: i64, zone: Tz) -> &str {
        let span = pattern.constant_seconds();
        let of = span.map(|span| (Rc::clone(pattern), local.secs.div_euclid(span)));
        let same =
            |a: &(Rc<Pattern>, i64), b: &(Rc<Pattern>, i64)| Rc::ptr_eq(&a.0, &b.0) && a.1 == b.1;
        if !matches!((&self.of, &of), (Some(a), Some(b)) if same(a, b)) {
            self.text = pattern.format(local, offset, zone, Style::Strict);
            self.of = of;
        }
        &self.text
    }
}

fn date_format(call: &Call) -> Result<ArrayRef> {
    let format = call.str(1)?;
    let zone = call.settings.time_zone;
    let base = match call.dtype(0) {
        // A text must be a whole timestamp; a date alone is NULL, as in Flink.
        DataType::Utf8 => {
            let text = call.str(0)?;
            build_temporal(call.rows, &TS3, None, |i| {
                let whole = text.get(i).filter(|s| s.trim().contains([' ', 'T']));
                Ok(whole.and_then(time::parse_timestamp))
            })?
        }
        t if is_temporal(t) || t.is_null() || matches!(t, DataType::Utf8) => {
            temporal_argument(call, 0)?
        }
        t => return exec_err!("DATE_FORMAT takes a date or time, not {}", type_name(t)),
    };
    let times = Times::of(&base)?;
    let zoned = matches!(base.data_type(), DataType::Timestamp(_, Some(_)));
    let (mut patterns, mut shown) = (Patterns::default(), Shown::default());
    let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
    for i in 0..call.rows {
        let (Some(t), Some(format)) = (times.get(i), format.get(i)) else {
            out.append_null();
            continue;
        };
        let offset = if zoned { time::offset_at(zone, t.secs) } else { 0 };
        let local = Instant { secs: t.secs + offset, ..t };
        out.append_value(shown.text(patterns.get(format)?, local, offset, zone));
    }
    Ok(Arc::new(out.finish()))
}

/// Reads a timestamp by a pattern, with the forms that Java's `Timestamp.valueOf` takes as well.
fn read_timestamp(text: &str, format: &str, patterns: &mut Patterns) -> Result<Option<Instant>> {
    let pattern = patterns.get(format)?;
    if let Some(p) = pattern.parse(text, Style::Strict) {
        return Ok(Some(p.local()));
    }
    Ok(time::parse_timestamp(text.trim()))
}

fn to_millis(t: Instant) -> Instant {
    Instant { nanos: t.nanos / 1_000_000 * 1_000_000, ..t }
}

fn to_timestamp(call: &Call) -> Result<ArrayRef> {
    let (s, format) = (call.str(0)?, call.str_opt(1)?);
    let mut patterns = Patterns::default();
    build_temporal(call.rows, &call.ret, None, |i| {
        let s = some!(s.get(i));
        match &format {
            None => Ok(time::parse_timestamp(s).map(to_millis)),
            Some(f) => Ok(read_timestamp(s, some!(f.get(i)), &mut patterns)?.map(to_millis)),
        }
    })
}

/// From an epoch number and a precision, or from a text, a format and a zone.
fn to_timestamp_ltz(call: &Call) -> Result<ArrayRef> {
    if matches!(call.dtype(0), DataType::Utf8) {
        return text_to_ltz(call);
    }
    let precision = match call.len() {
        1 => 3,
        _ => {
            let p = number::to_number(call.array(1), &DataType::Int32)?;
            let p = p.as_primitive::<Int32Type>();
            if !call.is_constant(1) || p.is_null(0) {
                return exec_err!("TO_TIMESTAMP_LTZ: the precision must be a constant");
            }
            p.value(0)
        }
    };
    if precision != 0 && precision != 3 {
        return exec_err!(
            "The precision value '{precision}' for function TO_TIMESTAMP_LTZ(numeric, precision) \
             is unsupported, the supported value is '0' for second or '3' for millisecond."
        );
    }
    let scale = if precision == 0 { 1000 } else { 1 };
    let array = call.full(0)?;
    let millis: ArrayRef = match array.data_type() {
        DataType::Float32 | DataType::Float64 => {
            let a = number::to_number(&array, &DataType::Float64)?;
            let a = a
                .as_primitive::<Float64Type>()
                .unary::<_, Int64Type>(|v| (v * scale as f64) as i64);
            Arc::new(a)
        }
        DataType::Decimal128(_, s) => {
            let s = *s;
            let a = array.as_primitive::<Decimal128Type>();
            Arc::new(a.unary_opt::<_, Int64Type>(|v| {
                let by = number::pow10(u32::from(s.unsigned_abs()))?;
                i64::try_from(v.checked_mul(i128::from(scale))? / by).ok()
            }))
        }
        t if t.is_integer() || t.is_null() => {
            let a = number::to_number(&array, &DataType::Int64)?;
            Arc::new(
                a.as_primitive::<Int64Type>().unary_opt::<_, Int64Type>(|v| v.checked_mul(scale)),
            )
        }
        t => {
            return exec_err!("TO_TIMESTAMP_LTZ takes a number or a text, not {}", type_name(t));
        }
    };
    let millis = millis.as_primitive::<Int64Type>();
    build_temporal(call.rows, &call.ret, None, |i| {
        Ok(millis.is_valid(i).then(|| Instant::from_millis(millis.value(i))))
    })
}

fn text_to_ltz(call: &Call) -> Result<ArrayRef> {
    let (s, format, zone) = (call.str(0)?, call.str_opt(1)?, call.str_opt(2)?);
    let mut patterns = Patterns::default();
    build_temporal(call.rows, &call.ret, None, |i| {
        let s = some!(s.get(i));
        let format = match &format {
            Some(f) => some!(f.get(i)),
            None => "yyyy-MM-dd HH:mm:ss.SSS",
        };
        let zone = match &zone {
            Some(z) => {
                let name = some!(z.get(i));
                some!(Zone::parse(name))
            }
            None => Zone::Fixed(0),
        };
        let local = some!(read_timestamp(s, format, &mut patterns)?);
        Ok(Some(to_millis(zone.to_utc(local))))
    })
}

fn to_date(call: &Call) -> Result<ArrayRef> {
    let (s, format) = (call.str(0)?, call.str_opt(1)?);
    let mut patterns = Patterns::default();
    build_temporal(call.rows, &DataType::Date32, None, |i| {
        let s = some!(s.get(i));
        match &format {
            None => Ok(time::parse_date(s).map(|d| Instant { secs: d * DAY_S, nanos: 0 })),
            Some(f) => {
                let pattern = patterns.get(some!(f.get(i)))?;
                Ok(pattern.parse(s, Style::Lenient).map(|p| p.local()))
            }
        }
    })
}

fn from_unixtime(call: &Call) -> Result<ArrayRef> {
    let (n, format) = (call.prim::<Int64Type>(0)?, call.str_opt(1)?);
    let zone = call.settings.time_zone;
    let mut patterns = Patterns::default();
    call.strings(|i| {
        let utc = Instant { secs: some!(n.get(i)), nanos: 0 };
        let format = match &format {
            Some(f) => some!(f.get(i)),
            None => DEFAULT_FORMAT,
        };
        let offset = time::offset_at(zone, utc.secs);
        let local = Instant { secs: utc.secs + offset, ..utc };
        Ok(Some(patterns.get(format)?.format(local, offset, zone, Style::Lenient)))
    })
}

/// Without arguments the clock; with a text its moment in the session's zone.
fn unix_timestamp(call: &Call) -> Result<ArrayRef> {
    if call.len() == 0 {
        let now = call.settings.clock.now_ms().div_euclid(1000);
        return call.prims::<Int64Type>(|_| Ok(Some(now)));
    }
    let (s, format) = (call.str(0)?, call.str_opt(1)?);
    let zone = call.settings.time_zone;
    let mut patterns = Patterns::default();
    call.prims::<Int64Type>(|i| {
        let s = some!(s.get(i));
        let format = match &format {
            Some(f) => some!(f.get(i)),
            None => DEFAULT_FORMAT,
        };
        let Some(p) = patterns.get(format)?.parse(s, Style::Lenient) else {
            return Ok(Some(i64::MIN));
        };
        let local = p.local();
        Ok(Some(match p.offset {
            Some(o) => local.secs - o,
            None => time::to_utc(zone, local).secs,
        }))
    })
}

fn convert_tz(call: &Call) -> Result<ArrayRef> {
    let (s, from, to) = (call.str(0)?, call.str(1)?, call.str(2)?);
    let pattern = Pattern::compile(DEFAULT_FORMAT)?;
    call.strings(|i| {
        let (s, from, to) = (some!(s.get(i)), some!(from.get(i)), some!(to.get(i)));
        let local = some!(pattern.parse(s, Style::Lenient)).local();
        // Java reads a zone that it does not know as GMT.
        let from = Zone::parse(from).unwrap_or(Zone::Fixed(0));
        let to = Zone::parse(to).unwrap_or(Zone::Fixed(0));
        let local = to.to_local(from.to_utc(local));
        Ok(Some(pattern.format(local, 0, chrono_tz::UTC, Style::Lenient)))
    })
}

/// `(a, b) OVERLAPS (c, d)`; `b` and `d` are ends or lengths.
fn overlaps(call: &Call) -> Result<ArrayRef> {
    let end = |start: usize| -> Result<(ArrayRef, ArrayRef)> {
        let a = call.full(start)?;
        let b = call.full(start + 1)?;
        let begin = number::epoch_millis(&a)?;
        if let DataType::Interval(_) = b.data_type() {
            let iv = arrow::compute::cast(&b, &super::typing::INTERVAL)?;
            let iv = iv.as_primitive::<IntervalMonthDayNanoType>();
            let out: arrow::array::Int64Array = (0..begin.len())
                .map(|i| {
                    if begin.is_null(i) || iv.is_null(i) {
                        return None;
                    }
                    let v = iv.value(i);
                    let t = add_months(Instant::from_millis(begin.value(i)), i64::from(v.months));
                    Some(t.millis() + super::operators::interval_millis(v))
                })
                .collect();
            return Ok((Arc::new(begin), Arc::new(out)));
        }
        let finish = number::epoch_millis(&b)?;
        Ok((Arc::new(begin), Arc::new(finish)))
    };
    let ((a, b), (c, d)) = (end(0)?, end(2)?);
    let get = |x: &ArrayRef, i: usize| {
        let x = x.as_primitive::<Int64Type>();
        x.is_valid(i).then(|| x.value(i))
    };
    call.bools(|i| {
        let (a, b) = (some!(get(&a, i)), some!(get(&b, i)));
        let (c, d) = (some!(get(&c, i)), some!(get(&d, i)));
        Ok(Some(a.max(b) >= c.min(d) && c.max(d) >= a.min(b)))
    })
}
