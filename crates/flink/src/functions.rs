//! Functions that Flink does not have, said by those that it has.
//!
//! `CONV(SUBSTRING(MD5(x), 1, n), 16, 10)` is how the packs draw their hold-outs: the first digits
//! of a hash as a number. Flink has no `CONV`; of the digits of a hash it is a sum of their places.
//! Of any other text it is not, so another `CONV` stays, and Flink names it.

use std::ops::Range;

use crate::text::{Edit, Kind, Token, edited, tokens};

/// So many digits of base 16 fit a `BIGINT`, whatever they are.
const DIGITS_MAX: usize = 15;
/// What gives nothing but digits of base 16, and how many.
const HASHES: [(&str, usize); 5] =
    [("MD5", 32), ("SHA1", 40), ("SHA224", 56), ("SHA256", 64), ("SHA512", 128)];

/// The text without functions that Flink does not have; none where there are none.
pub(crate) fn with_known_functions(text: &str) -> Option<String> {
    let tokens = tokens(text);
    let calls = Calls { text, tokens: &tokens };
    let edits: Vec<Edit> = (0..tokens.len()).filter_map(|at| calls.number_of_hash(at)).collect();
    (!edits.is_empty()).then(|| edited(text, edits))
}

struct Calls<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> Calls<'a> {
    /// The arguments of a call of `name` with which these tokens begin, and its last token.
    fn call(&self, range: Range<usize>, name: &str) -> Option<(Vec<Range<usize>>, usize)> {
        let (first, open) = (self.tokens.get(range.start)?, self.tokens.get(range.start + 1)?);
        let word = &self.text[first.range.clone()];
        if first.kind != Kind::Word || open.kind != Kind::Open || !word.eq_ignore_ascii_case(name) {
            return None;
        }
        let is_end = |at: &usize| {
            let token = &self.tokens[*at];
            token.kind == Kind::Close && token.depth == open.depth
        };
        let close = (range.start + 2..range.end).find(is_end)?;
        let mut arguments = Vec::new();
        let mut start = range.start + 2;
        for at in start..=close {
            let token = &self.tokens[at];
            if at == close || (token.kind == Kind::Comma && token.depth == open.depth + 1) {
                arguments.push(start..at);
                start = at + 1;
            }
        }
        Some((arguments, close))
    }

    /// The arguments of a call of `name` that these tokens are, and nothing else.
    fn whole_call(&self, range: &Range<usize>, name: &str) -> Option<Vec<Range<usize>>> {
        let (arguments, close) = self.call(range.clone(), name)?;
        (close + 1 == range.end).then_some(arguments)
    }

    fn of(&self, range: &Range<usize>) -> &'a str {
        match range.is_empty() {
            true => "",
            false => {
                let end = self.tokens[range.end - 1].range.end;
                &self.text[self.tokens[range.start].range.start..end]
            }
        }
    }

    fn number_of_hash(&self, at: usize) -> Option<Edit> {
        let all = self.tokens.len();
        let (conv, close) = self.call(at..all, "CONV")?;
        let [digits, from, to] = conv.as_slice() else { return None };
        if (self.of(from), self.of(to)) != ("16", "10") {
            return None;
        }
        let part = self.whole_call(digits, "SUBSTRING")?;
        let [hash, first, count] = part.as_slice() else { return None };
        let count: usize = self.of(count).parse().ok()?;
        let known = HASHES.iter().find(|(name, _)| self.whole_call(hash, name).is_some());
        let fits = known.is_some_and(|(_, digits)| (1..=DIGITS_MAX.min(*digits)).contains(&count));
        if self.of(first) != "1" || !fits {
            return None;
        }
        let hash = self.of(hash);
        let place = |digit: usize| {
            let worth = 1_u64 << (4 * (count - digit));
            format!(
                "CAST(LOCATE(SUBSTRING({hash}, {digit}, 1), '0123456789abcdef') - 1 AS BIGINT) * \
                 {worth}"
            )
        };
        let sum = (1..=count).map(place).collect::<Vec<_>>().join("\n  + ");
        let range = self.tokens[at].range.start..self.tokens[close].range.end;
        Some(Edit { range, by: format!("CAST({sum} AS STRING)") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_a_hash_become_a_sum() {
        let text = "SELECT CAST(CONV(SUBSTRING(MD5('a' || b), 1, 2), 16, 10) AS BIGINT) FROM t";
        let digit = "'0123456789abcdef') - 1 AS BIGINT)";
        let expected = format!(
            "SELECT CAST(CAST(CAST(LOCATE(SUBSTRING(MD5('a' || b), 1, 1), {digit} * 16\n  \
             + CAST(LOCATE(SUBSTRING(MD5('a' || b), 2, 1), {digit} * 1 AS STRING) AS BIGINT) FROM t"
        );
        assert_eq!(with_known_functions(text), Some(expected));
    }

    #[test]
    fn what_may_be_no_digits_stays() {
        for text in [
            "SELECT CONV(SUBSTRING(name, 1, 2), 16, 10) FROM t",
            "SELECT CONV(SUBSTRING(MD5(a), 1, 2), 10, 16) FROM t",
            "SELECT CONV(SUBSTRING(MD5(a), 2, 2), 16, 10) FROM t",
            "SELECT CONV(SUBSTRING(MD5(a), 1, 16), 16, 10) FROM t",
            "SELECT CONV(SUBSTRING(MD5(a) || 'x', 1, 2) || 'y', 16, 10), conv FROM t",
        ] {
            assert_eq!(with_known_functions(text), None, "{text}");
        }
    }
}
