//! Java's date and time patterns (`yyyy-MM-dd HH:mm:ss`): formatting and reading.

use std::fmt::Write;

use chrono_tz::Tz;
use datafusion_common::{Result, exec_err};

use super::time::{Civil, Instant, Zone, days_from_civil, days_in_month, parse_offset};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Which of Java's two formatters is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `DateTimeFormatter`: strict widths, `S` is a fraction.
    Strict,
    /// `SimpleDateFormat`: lenient, `S` is milliseconds, text behind the date is ignored.
    Lenient,
}

#[derive(Debug)]
enum Token {
    Field(char, usize),
    Text(String),
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    tokens: Vec<Token>,
    constant_seconds: Option<i64>,
}

fn constant_seconds(tokens: &[Token]) -> Option<i64> {
    let mut spans = tokens.iter().map(|token| match token {
        Token::Text(_) | Token::Field('G' | 'y' | 'u' | 'M' | 'L' | 'd' | 'D' | 'E', _) => {
            Some(86_400)
        }
        Token::Field('a' | 'H' | 'K' | 'k' | 'h', _) => Some(3_600),
        Token::Field('m', _) => Some(60),
        Token::Field('s', _) => Some(1),
        Token::Field(..) => None,
    });
    spans.try_fold(86_400, |least, span| Some(span?.min(least)))
}

impl Pattern {
    /// Compiles a pattern; an unknown letter is an error.
    pub(crate) fn compile(pattern: &str) -> Result<Pattern> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        let mut text = String::new();
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.peek() == Some(&'\'') {
                    chars.next();
                    text.push('\'');
                    continue;
                }
                while let Some(q) = chars.next() {
                    if q != '\'' {
                        text.push(q);
                    } else if chars.peek() == Some(&'\'') {
                        chars.next();
                        text.push('\'');
                    } else {
                        break;
                    }
                }
            } else if c.is_ascii_alphabetic() {
                if !"GyuMLdDEaHkKhmsSnNzZXx".contains(c) {
                    return exec_err!("The pattern '{pattern}' has an unsupported letter '{c}'");
                }
                let mut count = 1;
                while chars.peek() == Some(&c) {
                    chars.next();
                    count += 1;
                }
                if !text.is_empty() {
                    tokens.push(Token::Text(std::mem::take(&mut text)));
                }
                tokens.push(Token::Field(c, count));
            } else if c != '[' && c != ']' {
                text.push(c);
            }
        }
        if !text.is_empty() {
            tokens.push(Token::Text(text));
        }
        Ok(Pattern { constant_seconds: constant_seconds(&tokens), tokens })
    }

    /// For how many seconds in a row the text stays the same, from a multiple of them on; none where
    /// it shows fractions or the distance from UTC.
    pub(crate) fn constant_seconds(&self) -> Option<i64> {
        self.constant_seconds
    }

    /// The text of a local time; `offset` is its distance from UTC in seconds.
    pub(crate) fn format(&self, local: Instant, offset: i64, zone: Tz, style: Style) -> String {
        let c = local.civil();
        let days = local.day().0;
        let mut out = String::new();
        for token in &self.tokens {
            match token {
                Token::Text(t) => out.push_str(t),
                Token::Field(f, n) => {
                    field_text(&mut out, *f, *n, &c, days, offset, zone, style);
                }
            }
        }
        out
    }

    /// Reads a text; `None` if it does not fit the pattern.
    pub(crate) fn parse(&self, text: &str, style: Style) -> Option<Parsed> {
        let mut parsed = Parsed::default();
        let mut rest = text;
        for (i, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Text(t) => {
                    rest = match rest.strip_prefix(t.as_str()) {
                        Some(r) => r,
                        None if style == Style::Lenient && t.trim().is_empty() => rest.trim_start(),
                        None => return None,
                    };
                }
                Token::Field(f, n) => {
                    let adjacent = matches!(
                        self.tokens.get(i + 1),
                        Some(Token::Field(g, m)) if numeric(*g, *m)
                    );
                    rest = parsed.read(*f, *n, rest, adjacent, style)?;
                }
            }
        }
        if style == Style::Strict && !rest.is_empty() {
            return None;
        }
        parsed.check(style).then_some(parsed)
    }
}

fn numeric(field: char, count: usize) -> bool {
    match field {
        'M' | 'L' => count < 3,
        'E' | 'a' | 'z' | 'Z' | 'X' | 'x' | 'G' => false,
        _ => true,
    }
}

#[allow(clippy::too_many_arguments)]
fn field_text(
    out: &mut String,
    field: char,
    n: usize,
    c: &Civil,
    days: i64,
    offset: i64,
    zone: Tz,
    style: Style,
) {
    let hour12 = (c.hour + 11) % 12 + 1;
    let _ = match field {
        'G' => write!(out, "{}", if c.year > 0 { "AD" } else { "BC" }),
        'y' | 'u' if n == 2 => write!(out, "{:02}", c.year.rem_euclid(100)),
        'y' | 'u' => write!(out, "{:0n$}", c.year),
        'M' | 'L' if n == 3 => write!(out, "{}", &MONTHS[c.month as usize - 1][..3]),
        'M' | 'L' if n > 3 => write!(out, "{}", MONTHS[c.month as usize - 1]),
        'M' | 'L' => write!(out, "{:0n$}", c.month),
        'd' => write!(out, "{:0n$}", c.day),
        'D' => write!(out, "{:0n$}", days - days_from_civil(c.year, 1, 1) + 1),
        'E' => {
            let name = DAYS[(days + 3).rem_euclid(7) as usize];
            write!(out, "{}", if n > 3 { name } else { &name[..3] })
        }
        'a' => write!(out, "{}", if c.hour < 12 { "AM" } else { "PM" }),
        'H' => write!(out, "{:0n$}", c.hour),
        'k' => write!(out, "{:0n$}", (c.hour + 23) % 24 + 1),
        'K' => write!(out, "{:0n$}", c.hour % 12),
        'h' => write!(out, "{hour12:0n$}"),
        'm' => write!(out, "{:0n$}", c.minute),
        's' => write!(out, "{:0n$}", c.second),
        'S' if style == Style::Lenient => write!(out, "{:0n$}", c.nanos / 1_000_000),
        'S' => {
            let digits = format!("{:09}", c.nanos);
            write!(out, "{}", &digits[..n.min(9)])
        }
        'n' => write!(out, "{:0n$}", c.nanos),
        'z' => write!(out, "{}", zone.name()),
        'Z' | 'X' | 'x' => {
            offset_text(out, field, n, offset);
            Ok(())
        }
        _ => Ok(()),
    };
}

fn offset_text(out: &mut String, field: char, n: usize, offset: i64) {
    if field == 'X' && offset == 0 {
        out.push('Z');
        return;
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let (h, m) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let _ = match (field, n) {
        ('X' | 'x', 1) => write!(out, "{sign}{h:02}"),
        ('X' | 'x', 3) => write!(out, "{sign}{h:02}:{m:02}"),
        _ => write!(out, "{sign}{h:02}{m:02}"),
    };
}

/// What a text said.
#[derive(Debug)]
pub(crate) struct Parsed {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    half: Option<i64>,
    minute: i64,
    second: i64,
    nanos: u32,
    /// The distance from UTC, if the text gave one.
    pub offset: Option<i64>,
}

impl Default for Parsed {
    fn default() -> Self {
        Parsed {
            year: 1970,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            half: None,
            minute: 0,
            second: 0,
            nanos: 0,
            offset: None,
        }
    }
}

impl Parsed {
    fn read<'a>(
        &mut self,
        field: char,
        n: usize,
        text: &'a str,
        adjacent: bool,
        style: Style,
    ) -> Option<&'a str> {
        if !numeric(field, n) {
            return self.read_text(field, text);
        }
        let text = if style == Style::Lenient { text.trim_start() } else { text };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let fixed = adjacent || style == Style::Strict && (n > 1 || field == 'S');
        let take = if fixed { n } else { digits };
        if take == 0 || take > digits || take > 18 {
            return None;
        }
        let value: i64 = text[..take].parse().ok()?;
        match field {
            'y' | 'u' if n == 2 && take == 2 => {
                // SimpleDateFormat's window reaches 20 years ahead, DateTimeFormatter's is 20xx.
                let century = if style == Style::Lenient && value > 46 { 1900 } else { 2000 };
                self.year = century + value;
            }
            'y' | 'u' => self.year = value,
            'M' | 'L' => self.month = value,
            'd' => self.day = value,
            'D' => self.day_of_year = Some(value),
            'H' => self.hour = value,
            'k' => self.hour = value % 24,
            'K' => self.hour = value,
            'h' => self.hour = value % 12,
            'm' => self.minute = value,
            's' => self.second = value,
            'S' if style == Style::Lenient => self.nanos = (value % 1000) as u32 * 1_000_000,
            'S' => {
                let scale = 10i64.checked_pow(9u32.checked_sub(take as u32)?)?;
                self.nanos = (value * scale) as u32;
            }
            'n' => self.nanos = u32::try_from(value).ok()?,
            _ => return None,
        }
        Some(&text[take..])
    }

    fn read_text<'a>(&mut self, field: char, text: &'a str) -> Option<&'a str> {
        let starts =
            |name: &str| text.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name));
        match field {
            'M' | 'L' => {
                let at = MONTHS.iter().position(|m| starts(&m[..3]))?;
                self.month = at as i64 + 1;
                let len = if starts(MONTHS[at]) { MONTHS[at].len() } else { 3 };
                Some(&text[len..])
            }
            'E' => {
                let at = DAYS.iter().position(|d| starts(&d[..3]))?;
                let len = if starts(DAYS[at]) { DAYS[at].len() } else { 3 };
                Some(&text[len..])
            }
            'a' => {
                self.half = Some(if starts("PM") { 12 } else { 0 });
                (starts("AM") || starts("PM")).then(|| &text[2..])
            }
            'G' => text.strip_prefix("AD"),
            _ => self.read_zone(text),
        }
    }

    fn read_zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(rest) = text.strip_prefix('Z') {
            self.offset = Some(0);
            return Some(rest);
        }
        let len = text.bytes().take_while(|b| !b.is_ascii_whitespace()).count();
        let (zone, rest) = text.split_at(len);
        match parse_offset(zone) {
            Some(o) => self.offset = Some(o),
            None => match Zone::parse(zone)? {
                Zone::Fixed(o) => self.offset = Some(o),
                Zone::Named(_) => return None,
            },
        }
        Some(rest)
    }

    fn check(&mut self, style: Style) -> bool {
        if let Some(half) = self.half {
            self.hour = self.hour % 12 + half;
        }
        if style == Style::Lenient {
            return true;
        }
        let ok = (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        if ok {
            let last = i64::from(days_in_month(self.year, self.month as u32));
            self.day = self.day.min(last);
        }
        ok
    }

    /// The local time; fields beyond their range count on.
    pub(crate) fn local(&self) -> Instant {
        let months = self.month - 1;
        let (year, month) = (self.year + months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        let days = match self.day_of_year {
            Some(d) => days_from_civil(self.year, 1, 1) + d - 1,
            None => days_from_civil(year, month, 1) + self.day - 1,
        };
        let secs = days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second;
        Instant { secs, nanos: self.nanos }
    }
}
