//! The options of `WITH (…)`: typed reading, and errors that name the nearest known option.

use std::time::Duration;

use crate::error::{ConnectorError, Result};
use crate::spec::TableSpec;

/// Options that the planner or the runtime reads: every connector lets them pass. A trailing `*`
/// stands for any ending.
pub const HANDLED_ELSEWHERE: &[&str] = &[
    "connector",
    "scan.watermark.emit.strategy",
    "scan.watermark.emit.on-event.gap",
    "scan.watermark.idle-timeout",
    "scan.watermark.alignment.group",
    "scan.watermark.alignment.max-drift",
    "scan.watermark.alignment.update-interval",
    "scan.parallelism",
    "sink.parallelism",
    "rialto.watermark.max-ahead",
    "rialto.watermark.idle-timeout",
    "rialto.state.ttl",
    "rialto.changelog",
];

/// The options of one table.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    table: &'a str,
    pairs: &'a [(String, String)],
}

impl<'a> Options<'a> {
    /// The options of `spec`.
    pub fn new(spec: &'a TableSpec) -> Self {
        Self { table: &spec.name, pairs: &spec.options }
    }

    /// The value of an option, trimmed of nothing.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().rev().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// The value of an option that must be there.
    pub fn required(&self, name: &str) -> Result<&'a str> {
        self.get(name).ok_or_else(|| {
            let given: Vec<&str> = self.pairs.iter().map(|(key, _)| key.as_str()).collect();
            let meant = match nearest(name, &given) {
                Some(near) => format!(", or did you mean it by '{near}'?"),
                None => String::new(),
            };
            ConnectorError::new(format!("table '{}' needs the option '{name}'", self.table))
                .hint(format!("add '{name}' = '…' to its WITH clause{meant}"))
        })
    }

    /// `true` or `false`.
    pub fn boolean(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name).map(|v| v.trim().to_ascii_lowercase()) {
            None => Ok(default),
            Some(v) if v == "true" => Ok(true),
            Some(v) if v == "false" => Ok(false),
            Some(v) => Err(self.bad(name, &v, "'true' or 'false'")),
        }
    }

    /// A number of any type that parses itself.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| self.bad(name, text, "a number in range"))
    }

    /// How much faster than the clock event time goes; `None` is as fast as can be.
    pub fn speed(&self, name: &str) -> Result<Option<f64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if text.trim() == "max" {
            return Ok(None);
        }
        match text.trim().trim_end_matches('x').parse::<f64>() {
            Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(Some(speed)),
            _ => Err(self.bad(name, text, "a positive number such as '1' or '1000', or 'max'")),
        }
    }

    /// A duration: `10 s`, `5min`, `100 ms`, `1 d`.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_duration(text)
            .map(Some)
            .ok_or_else(|| self.bad(name, text, "a duration such as '10 s', '5 min' or '1 h'"))
    }

    /// A size in bytes: `128MB`, `64 kb`, `1g`, `4096`.
    pub fn memory(&self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_memory(text)
            .map(Some)
            .ok_or_else(|| self.bad(name, text, "a size such as '128MB' or '1 gb'"))
    }

    /// One ASCII character; `\t` and the like may be written as escapes.
    pub fn character(&self, name: &str) -> Result<Option<u8>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let byte = match text {
            "\\t" => b'\t',
            "\\n" => b'\n',
            "\\r" => b'\r',
            "\\\\" => b'\\',
            _ => match text.as_bytes() {
                [byte] if byte.is_ascii() => *byte,
                [b'\\', b'u', hex @ ..] if hex.len() == 4 => std::str::from_utf8(hex)
                    .ok()
                    .and_then(|h| u8::from_str_radix(h, 16).ok())
                    .filter(u8::is_ascii)
                    .ok_or_else(|| self.bad(name, text, "one ASCII character"))?,
                _ => return Err(self.bad(name, text, "one ASCII character")),
            },
        };
        Ok(Some(byte))
    }

    /// One of a few words, compared without regard to case; answers the word as listed.
    pub fn choice(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let found = words.iter().find(|w| w.eq_ignore_ascii_case(text.trim()));
        found.copied().map(Some).ok_or_else(|| {
            let list = words.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(", ");
            let error = self.bad(name, text, &format!("one of {list}"));
            match nearest(text, words) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error,
            }
        })
    }

    /// Refuses every option that no list knows. A `#` in a known name stands for one column name or
    /// number, a trailing `*` for any ending.
    pub fn refuse_unknown(&self, connector: &str, known: &[&[&'static str]]) -> Result<()> {
        let all = || known.iter().copied().chain([HANDLED_ELSEWHERE]).flatten().copied();
        for (name, _) in self.pairs {
            if all().any(|pattern| matches_pattern(pattern, name)) {
                continue;
            }
            let names: Vec<&str> = all().collect();
            let error = ConnectorError::new(format!(
                "unknown option '{name}' of table '{}' (connector '{connector}')",
                self.table
            ));
            return Err(match nearest(name, &names) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error.hint(format!("known are {}", list(&names))),
            });
        }
        Ok(())
    }

    /// The names and values of all options that start with `prefix`, the prefix cut off.
    pub fn with_prefix(&self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.pairs.iter().filter_map(move |(k, v)| Some((k.strip_prefix(prefix)?, v.as_str())))
    }

    /// The error of a value that does not fit.
    pub fn bad(&self, name: &str, value: &str, expected: &str) -> ConnectorError {
        ConnectorError::new(format!("option '{name}' of table '{}' is not valid", self.table))
            .detail(format!("'{value}' is not {expected}"))
    }

    /// The table's name.
    pub fn table(&self) -> &'a str {
        self.table
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|n| format!("'{n}'")).collect::<Vec<_>>().join(", ")
}

/// The known word that is most like `text`, if one is like it at all.
pub fn nearest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let text = text.to_ascii_lowercase();
    words
        .iter()
        .map(|w| (strsim::jaro_winkler(&text, &w.to_ascii_lowercase()), *w))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

fn matches_pattern(pattern: &str, name: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return name.starts_with(prefix);
    }
    match pattern.split_once('#') {
        // A column name may hold dots itself, so that only the two ends are compared.
        Some((head, tail)) => {
            name.len() > head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
        None => pattern == name,
    }
}

fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim().to_ascii_lowercase()))
}

/// A duration as Flink writes it; a bare number is milliseconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let nanos: u64 = match unit.as_str() {
        "d" | "day" | "days" => 86_400_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000_000,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "µs" | "us" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        _ => return None,
    };
    number.checked_mul(nanos).map(Duration::from_nanos)
}

/// A size as Flink writes it; a bare number is bytes.
pub fn parse_memory(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let shift = match unit.as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;

    fn spec(pairs: &[(&str, &str)]) -> TableSpec {
        TableSpec::new("t", Arc::new(Schema::empty()), pairs.iter().copied())
    }

    #[test]
    fn durations_and_sizes_are_read_as_flink_writes_them() {
        assert_eq!(parse_duration("10 s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_duration("5min"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(parse_duration("7"), Some(Duration::from_millis(7)));
        assert_eq!(parse_duration("1 fortnight"), None);
        assert_eq!(parse_duration("s"), None);
        assert_eq!(parse_memory("128MB"), Some(128 << 20));
        assert_eq!(parse_memory("64 kb"), Some(64 << 10));
        assert_eq!(parse_memory("4096"), Some(4096));
        assert_eq!(parse_memory("99999999999999999999"), None);
    }

    #[test]
    fn an_unknown_option_names_its_neighbour() {
        let spec = spec(&[("connector", "x"), ("formt", "json")]);
        let error = Options::new(&spec).refuse_unknown("x", &[&["format", "path"]]).unwrap_err();
        assert!(error.message.contains("unknown option 'formt' of table 't'"));
        assert_eq!(error.hint.as_deref(), Some("did you mean 'format'?"));
    }

    #[test]
    fn patterns_stand_for_column_names_and_options_of_the_runtime_pass() {
        let spec = spec(&[
            ("fields.a.b.kind", "random"),
            ("scan.watermark.idle-timeout", "1 s"),
            ("rialto.watermark.max-ahead", "1 d"),
        ]);
        Options::new(&spec).refuse_unknown("x", &[&["fields.#.kind"]]).unwrap();
        assert!(Options::new(&spec).refuse_unknown("x", &[&["fields.#.min"]]).is_err());
    }

    #[test]
    fn values_are_checked_and_the_last_one_wins() {
        let spec = spec(&[("a", "yes"), ("n", "12"), ("n", "x"), ("c", "\\t"), ("d", "ab")]);
        let options = Options::new(&spec);
        let error = options.boolean("a", false).unwrap_err();
        assert_eq!(error.detail.as_deref(), Some("'yes' is not 'true' or 'false'"));
        assert!(options.number::<u64>("n").is_err());
        assert_eq!(options.character("c").unwrap(), Some(b'\t'));
        assert!(options.character("d").is_err());
        assert!(options.required("zzz").is_err());
    }
}
