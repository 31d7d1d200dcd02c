//! The local time of a zone, in which windows over `TIMESTAMP_LTZ` are cut.
//!
//! A day of a shop is a day of its clock. So the times of rows become local times, windows are cut
//! there, and a window is closed when the clock has left it for good. A clock that is put back
//! shows an hour twice: the window of that hour holds the rows of both and ends after the second.
//! A clock that is put forward leaves an hour out: a window that would end within it ends when the
//! clock jumps.

use arrow::array::{Array, Int64Array};
use arrow::buffer::ScalarBuffer;
use chrono::{DateTime, MappedLocalTime, Offset, TimeZone};
use chrono_tz::Tz;

/// A stretch of time in which offsets from UTC hardly ever change.
const BLOCK_MS: i64 = 15 * 60_000;
/// No zone is further away from UTC.
const OFFSET_MAX_MS: i64 = 16 * 3_600_000;

/// A time zone; that of UTC costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LocalZone(Option<Tz>);

impl LocalZone {
    /// The zone of timestamps that are local already.
    pub const UTC: Self = Self(None);

    /// The zone `tz`.
    pub fn new(tz: Tz) -> Self {
        Self(Some(tz).filter(|tz| *tz != Tz::UTC))
    }

    /// The name, where it is another than UTC.
    pub fn name(self) -> Option<&'static str> {
        self.0.map(|tz| tz.name())
    }

    /// The local time of each moment, both in milliseconds.
    pub(crate) fn to_local(self, times: Int64Array) -> Int64Array {
        let Some(tz) = self.0 else { return times };
        let mut offsets = Offsets { tz, from: i64::MAX, to: i64::MIN, offset: 0 };
        each(&times, |time| time.saturating_add(offsets.at(time)))
    }

    /// The moment after the last one of a window, for the local time that is its end.
    pub(crate) fn end(self, local: i64) -> i64 {
        match self.0 {
            None => local,
            Some(tz) => last_moment(tz, local.saturating_sub(1)).saturating_add(1),
        }
    }

    /// [`end`](Self::end) of each of a column of ends.
    pub(crate) fn ends(self, locals: Int64Array) -> Int64Array {
        if self.0.is_none() {
            return locals;
        }
        each(&locals, repeated(|local| self.end(local)))
    }

    /// [`moment`](Self::moment) of each of a column of local times.
    pub(crate) fn moments(self, locals: Int64Array) -> Int64Array {
        if self.0.is_none() {
            return locals;
        }
        each(&locals, repeated(|local| self.moment(local)))
    }

    /// The last moment at which the clock shows `local`; where it never does, the clock counts on
    /// as it went before, as Java has it.
    fn moment(self, local: i64) -> i64 {
        let Some(tz) = self.0 else { return local };
        match offsets_of_local(tz, local) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset) => {
                local.saturating_sub(offset)
            }
            MappedLocalTime::None => {
                let jump = jump_over(tz, local);
                local.saturating_sub(offset_at(tz, jump.saturating_sub(1)))
            }
        }
    }
}

/// A value for each value; nulls stay.
fn each(values: &Int64Array, value: impl FnMut(i64) -> i64) -> Int64Array {
    let changed: ScalarBuffer<i64> = values.values().iter().copied().map(value).collect();
    Int64Array::new(changed, values.nulls().cloned())
}

/// `f`, which is not asked again for the same value: rows of one window mostly follow each other.
fn repeated(mut f: impl FnMut(i64) -> i64) -> impl FnMut(i64) -> i64 {
    let mut last: Option<(i64, i64)> = None;
    move |value| match last {
        Some((asked, answer)) if asked == value => answer,
        _ => {
            let answer = f(value);
            last = Some((value, answer));
            answer
        }
    }
}

/// The last moment at which the clock shows `local` or less; where it jumps over it, the moment of
/// the jump.
fn last_moment(tz: Tz, local: i64) -> i64 {
    match offsets_of_local(tz, local) {
        MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset) => {
            local.saturating_sub(offset)
        }
        MappedLocalTime::None => jump_over(tz, local),
    }
}

/// The moment at which the clock jumps over `local`.
fn jump_over(tz: Tz, local: i64) -> i64 {
    let (mut before, mut after) =
        (local.saturating_sub(OFFSET_MAX_MS), local.saturating_add(OFFSET_MAX_MS));
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if middle.saturating_add(offset_at(tz, middle)) > local {
            after = middle;
        } else {
            before = middle;
        }
    }
    after
}

/// The offset from UTC at a moment. Beyond the years that the calendar knows it is none.
fn offset_at(tz: Tz, time: i64) -> i64 {
    let Some(moment) = DateTime::from_timestamp_millis(time) else { return 0 };
    let offset = tz.offset_from_utc_datetime(&moment.naive_utc());
    i64::from(offset.fix().local_minus_utc()) * 1_000
}

/// The offsets from UTC at which the clock shows `local`, the earlier moment first.
fn offsets_of_local(tz: Tz, local: i64) -> MappedLocalTime<i64> {
    let Some(shown) = DateTime::from_timestamp_millis(local) else {
        return MappedLocalTime::Single(0);
    };
    let found = tz.offset_from_local_datetime(&shown.naive_utc());
    let millis = found.map(|offset| i64::from(offset.fix().local_minus_utc()) * 1_000);
    match millis {
        // The later moment is that of the smaller offset, whichever order the two come in.
        MappedLocalTime::Ambiguous(a, b) => MappedLocalTime::Ambiguous(a.max(b), a.min(b)),
        other => other,
    }
}

/// Offsets of times that mostly lie near each other.
struct Offsets {
    tz: Tz,
    from: i64,
    to: i64,
    offset: i64,
}

impl Offsets {
    #[inline]
    fn at(&mut self, time: i64) -> i64 {
        if self.from <= time && time < self.to { self.offset } else { self.look_up(time) }
    }

    #[cold]
    fn look_up(&mut self, time: i64) -> i64 {
        let from = time.saturating_sub(time.rem_euclid(BLOCK_MS));
        let to = from.saturating_add(BLOCK_MS);
        let offset = offset_at(self.tz, time);
        let same = [from, to.saturating_sub(1)].iter().all(|&t| offset_at(self.tz, t) == offset);
        (self.from, self.to) = if same { (from, to) } else { (i64::MAX, i64::MIN) };
        self.offset = offset;
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn ms(text: &str) -> i64 {
        let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        time.and_utc().timestamp_millis()
    }

    fn local(zone: LocalZone, time: i64) -> i64 {
        zone.to_local(Int64Array::from(vec![time])).value(0)
    }

    #[test]
    fn utc_changes_nothing() {
        let zone = LocalZone::new(Tz::UTC);
        assert_eq!(zone, LocalZone::UTC);
        for time in [i64::MIN, -1, 0, 86_399_999, i64::MAX] {
            assert_eq!((local(zone, time), zone.end(time), zone.moment(time)), (time, time, time));
        }
    }

    #[test]
    fn an_hour_that_is_shown_twice_ends_the_second_time() {
        let london = LocalZone::new(Tz::Europe__London);
        let (first, second) = (ms("2024-10-27 00:30"), ms("2024-10-27 01:30"));
        assert_eq!(local(london, first), ms("2024-10-27 01:30"));
        assert_eq!(local(london, second), ms("2024-10-27 01:30"));
        assert_eq!(london.end(ms("2024-10-27 01:00")), ms("2024-10-27 00:00"));
        assert_eq!(london.end(ms("2024-10-27 01:45")), ms("2024-10-27 01:45"));
        assert_eq!(london.end(ms("2024-10-27 02:00")), ms("2024-10-27 02:00"));
        assert_eq!(london.moment(ms("2024-10-27 01:30")), second);
    }

    #[test]
    fn an_hour_that_is_left_out_ends_with_the_jump() {
        let london = LocalZone::new(Tz::Europe__London);
        let jump = ms("2024-03-31 01:00");
        assert_eq!(local(london, jump - 1), jump - 1);
        assert_eq!(local(london, jump), jump + HOUR);
        assert_eq!(london.end(jump), jump);
        for minutes in [1, 15, 59, 60] {
            assert_eq!(london.end(jump + minutes * MINUTE), jump + 1, "{minutes}");
        }
        assert_eq!(london.end(jump + 90 * MINUTE), jump + 30 * MINUTE);
        assert_eq!(london.moment(jump + 30 * MINUTE), jump + 30 * MINUTE);
    }

    #[test]
    fn offsets_are_those_of_each_moment_also_where_they_change_within_a_quarter() {
        // Liberia's clock went forward by 44 minutes and 30 seconds at the start of a day.
        for zone in [Tz::Africa__Monrovia, Tz::Europe__London, Tz::Australia__Lord_Howe] {
            let start = ms("1972-01-06 22:00");
            let times: Vec<i64> = (0..400).map(|i| start + i * 37_000).collect();
            let expected: Vec<i64> = times.iter().map(|&t| t + offset_at(zone, t)).collect();
            let found = LocalZone::new(zone).to_local(Int64Array::from(times));
            assert_eq!(found.values().to_vec(), expected, "{zone}");
        }
    }

    #[test]
    fn a_later_end_is_never_closed_earlier() {
        for zone in [Tz::Europe__London, Tz::Australia__Lord_Howe, Tz::America__Los_Angeles] {
            let year = ms("2024-01-01 00:00");
            let ends = (0..366 * 24 * 12).map(|i| year + i * 5 * MINUTE).collect::<Vec<_>>();
            let ends = LocalZone::new(zone).ends(Int64Array::from(ends));
            assert!(ends.values().is_sorted(), "{zone}");
        }
    }

    #[test]
    fn times_out_of_the_calendar_do_not_fail() {
        let zone = LocalZone::new(Tz::Asia__Shanghai);
        for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            assert_eq!((local(zone, time), zone.moment(time)), (time, time));
            zone.end(time);
        }
    }
}
