//! When people shop: hours, weekdays and months, as they were in the Online Retail data.

/// Milliseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000;
/// Milliseconds of a day.
pub(crate) const DAY: i64 = 24 * HOUR;
/// Milliseconds of a minute.
pub(crate) const MINUTE: i64 = 60_000;

/// The share of a day's web orders by hour.
pub(crate) const HOURS_WEB: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.001, 0.028, 0.074, 0.118, 0.12, 0.161, 0.138, 0.123,
    0.117, 0.067, 0.033, 0.01, 0.007, 0.002, 0.001, 0.0, 0.0,
];

/// The share of a day's receipts at a till by hour; a shop opens at eight.
pub(crate) const HOURS_STORE: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.11, 0.09, 0.08, 0.09,
    0.12, 0.1, 0.04, 0.0, 0.0, 0.0, 0.0,
];

/// Web orders from Monday to Sunday, where an average day has 1. The shop of the data sold nothing
/// on Saturdays; here a few do.
const WEEK_WEB: [f64; 7] = [1.08, 1.22, 1.27, 1.46, 1.08, 0.13, 0.76];
const WEEK_STORE: [f64; 7] = [0.8, 0.8, 0.85, 0.95, 1.2, 1.5, 0.9];
/// From January to December.
const MONTHS: [f64; 12] = [0.68, 0.69, 0.91, 0.78, 1.05, 0.96, 0.92, 0.85, 1.15, 1.28, 1.73, 1.1];

/// The day of a time, counted from 1970-01-01.
pub(crate) fn day_of(time: i64) -> i64 {
    time.div_euclid(DAY)
}

/// Monday is 0.
pub(crate) fn weekday(day: i64) -> usize {
    (day + 3).rem_euclid(7) as usize
}

/// January is 0.
pub(crate) fn month(day: i64) -> usize {
    // Days since 0000-03-01, in which leap days come last (Howard Hinnant's algorithm).
    let z = day + 719_468;
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    ((from_march + 2) % 12) as usize
}

/// How busy the web shop is on a day; 1 on average.
pub(crate) fn web(day: i64) -> f64 {
    WEEK_WEB[weekday(day)] * MONTHS[month(day)]
}

/// How busy a store is on a day; 1 on average.
pub(crate) fn store(day: i64) -> f64 {
    WEEK_STORE[weekday(day)] * MONTHS[month(day)].sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_names() {
        // 2024-02-29 was a Thursday.
        assert_eq!((weekday(19_782), month(19_782)), (3, 1));
        assert_eq!((weekday(19_783), month(19_783)), (4, 2));
        assert_eq!((weekday(0), month(0)), (3, 0));
        assert_eq!(month(-1), 11);
        assert!((HOURS_WEB.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((HOURS_STORE.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((WEEK_WEB.iter().sum::<f64>() - 7.0).abs() < 1e-9);
    }
}
