//! Texts, times and amounts as they are sent: loosely.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Number, Value};

/// Amounts are kept with four digits behind the point.
const UNIT: i128 = 10_000;

/// When a request was sent, by the sender's clock, and when it came, by ours.
pub struct Sent {
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

impl Sent {
    /// Of a request that has just come.
    pub fn of(body: &Value) -> Self {
        Self { at: time(&body["sentAt"]), now: Utc::now() }
    }

    /// When a call happened, by our clock: the sender's may be wrong, but not within a request.
    /// Nothing happens after it was sent.
    pub fn moment(&self, call: &Value) -> Result<DateTime<Utc>, String> {
        let said = ["originalTimestamp", "timestamp"].map(|name| &call[name]);
        let Some(said) = said.into_iter().find(|value| !value.is_null()) else {
            return Ok(self.now);
        };
        let at = time(said).ok_or_else(|| format!("{said} is no time of ISO 8601"))?;
        let sent = time(&call["sentAt"]).or(self.at);
        let ours = sent.map_or(Some(at), |sent| self.now.checked_sub_signed(sent - at));
        Ok(ours.unwrap_or(at).min(self.now))
    }

    /// When the request came.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|time| time.to_utc())
}

/// A time as tables take it.
pub fn timestamp(time: DateTime<Utc>) -> Value {
    Value::String(time.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

/// A text, also where a number was sent: ids are both. None where there is nothing.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first of some members that has a text.
pub fn text_of(from: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(&from[*name]))
}

/// An amount in ten-thousandths, also where it was sent as a text; rounded half away from zero.
pub fn amount(value: &Value) -> Option<i128> {
    let text = text(value)?;
    let text = text.trim();
    // As JSON writes it, so that an exponent is one.
    let number: Number = serde_json::from_str(text).ok()?;
    if text.contains(['e', 'E']) {
        let scaled = number.as_f64()? * UNIT as f64;
        return (scaled.abs() < 1e17).then(|| scaled.round() as i128);
    }
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: i128 = whole.parse().ok().filter(|w: &i128| *w < 100_000_000_000_000)?;
    let digit = |at: usize| i128::from(rest.as_bytes().get(at).map_or(0, |b| b - b'0'));
    let fraction = (0..4).fold(0, |sum, at| sum * 10 + digit(at));
    let up = i128::from(digit(4) >= 5);
    Some(sign * (whole * UNIT + fraction + up))
}

/// An amount as tables take it.
pub fn decimal(amount: i128) -> Value {
    let (sign, size) = (if amount < 0 { "-" } else { "" }, amount.abs());
    let mut text = format!("{sign}{}", size / UNIT);
    if size % UNIT != 0 {
        let _ = write!(text, ".{:04}", size % UNIT);
    }
    // Its text is a number of JSON; as a binary number it would lose digits.
    Value::String(text)
}

/// How much so many of something cost.
pub fn product(quantity: i128, price: i128) -> i128 {
    let exact = quantity * price;
    (exact.abs() + UNIT / 2) / UNIT * exact.signum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_read_as_they_come() {
        for (sent, kept) in [
            (json!(27.99), Some("27.9900")),
            (json!("27.99"), Some("27.9900")),
            (json!(3), Some("3")),
            (json!("-0.00005"), Some("-0.0001")),
            (json!(1e3), Some("1000")),
            (json!("many"), None),
            (json!(1e300), None),
            (json!("1_000"), None),
            (json!(null), None),
        ] {
            let found = amount(&sent).map(decimal);
            assert_eq!(found, kept.map(|text| json!(text)), "{sent}");
        }
        assert_eq!(product(20_000, 45_050), 90_100);
        assert_eq!(product(-15_000, 33_333), -50_000);
    }

    #[test]
    fn a_wrong_clock_is_put_right_and_nothing_is_in_the_future() {
        let now = DateTime::parse_from_rfc3339("2026-03-02T10:00:00Z").unwrap().to_utc();
        let sent = |at: &str| Sent { at: time(&json!(at)), now };
        let moment = |sent: Sent, at: &str| {
            let call = json!({ "timestamp": at });
            sent.moment(&call).map(|time| timestamp(time).as_str().unwrap().to_owned())
        };
        // An hour fast: five seconds before it was sent is five seconds ago.
        let fast = moment(sent("2026-03-02T11:00:05Z"), "2026-03-02T11:00:00Z");
        assert_eq!(fast.unwrap(), "2026-03-02 09:59:55.000Z");
        let never_sent = moment(Sent { at: None, now }, "2026-03-02T12:00:00+01:00");
        assert_eq!(never_sent.unwrap(), "2026-03-02 10:00:00.000Z");
        assert!(moment(sent("x"), "yesterday").is_err());
        assert_eq!(Sent { at: None, now }.moment(&json!({})), Ok(now));
    }
}
