//! Clauses of a `CREATE TABLE` found in the user's own text, and edits of that text.
//!
//! What goes to Flink is what the user wrote: comments, layout and expressions stay as they are;
//! only the stretches that mean something else there are replaced. The text has been parsed before,
//! so that here nothing needs to be checked, only found.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word or a number.
    Word,
    /// A name in backticks, or a text in quotes.
    Quoted,
    /// An opening parenthesis.
    Open,
    /// A closing one.
    Close,
    /// A comma.
    Comma,
    /// Anything else.
    Sign,
}

/// A token, with the number of parentheses that it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
    pub(crate) depth: usize,
}

/// Cuts SQL into tokens; space and comments are none.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = text[at..].find('\n').map_or(text.len(), |end| at + end);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = text[at..].find("*/").map_or(text.len(), |end| at + end + 2);
                continue;
            }
            quote @ (b'\'' | b'"' | b'`') => {
                at = behind_quoted(bytes, at, quote);
                Kind::Quoted
            }
            b'(' => Kind::Open,
            b')' => Kind::Close,
            b',' => Kind::Comma,
            byte if is_word(byte) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                Kind::Word
            }
            _ => Kind::Sign,
        };
        at = at.max(start + 1);
        if kind == Kind::Close {
            depth = depth.saturating_sub(1);
        }
        found.push(Token { kind, range: start..at, depth });
        if kind == Kind::Open {
            depth += 1;
        }
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// A doubled quote stands for itself.
fn behind_quoted(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

/// Words that Flink reserves and Rialto does not: with us they are always names. They are all that
/// `SELECT word FROM (SELECT 1 AS word)` is refused for there and not here, but for words that have
/// a place of their own in the grammar, and names of functions.
const RESERVED_THERE: &str = "ALLOCATE ALLOW ARE ASENSITIVE ATOMIC AUTHORIZATION BEGIN_FRAME \
    BEGIN_PARTITION BLOB CALL CALLED CASCADED CATALOGS CLOB CLOSE COMMIT CONDITION CONNECT \
    CONNECTIONS CONTINUOUS CORRESPONDING CURSOR CYCLE DATABASES DATETIME DEALLOCATE DECLARE \
    DETERMINISTIC DISALLOW DISCONNECT DOT DYNAMIC EACH END_FRAME END_PARTITION EQUALS EVERY EXEC \
    EXTEND EXTERNAL FRAME_ROW FREE FRESHNESS FRIDAY FUNCTIONS FUSION GET GLOBAL GROUPS HOLD \
    IDENTITY IMPORT INDICATOR INITIAL INOUT INSENSITIVE INTERSECTION LARGE LIKE_REGEX \
    MATCHES MEMBER METHOD MODELS MODIFIES MONDAY NCLOB NEW NO NONE OCCURRENCES_REGEX OLD OPEN \
    ORDINAL OUT PARAMETER PERCENT PORTION PRECEDES PREPARE PROCEDURE PROCEDURES READS REF \
    REFERENCING REFRESH RELEASE RENAME RESULT RESUME RETURN RETURNS REVOKE ROLLBACK SATURDAY \
    SAVEPOINT SCOPE SCROLL SEARCH SEEK SENSITIVE SEPARATOR SPECIFIC SPECIFICTYPE SQL \
    SQLEXCEPTION SQLSTATE SQLWARNING START STATIC STREAM SUCCEEDS SUNDAY SUSPEND TABLES THURSDAY \
    TIMEZONE_HOUR TIMEZONE_MINUTE TRANSLATION TRIGGER TUESDAY UPSERT VALUE_OF VARIANT VERSIONING \
    VIEWS WEDNESDAY WHENEVER";

/// Names of functions that Flink reserves: what no parenthesis follows is a name.
const CALLED_THERE: &str = "ABS ARRAY_CONCAT_AGG ARRAY_MAX_CARDINALITY AVG CARDINALITY CEIL \
    CEILING CHARACTER_LENGTH CHAR_LENGTH CLASSIFIER COALESCE COLLECT CONTAINS CONTAINS_SUBSTR \
    CONVERT CORR COUNT COVAR_POP COVAR_SAMP CUME_DIST DATETIME_TRUNC DATE_TRUNC DENSE_RANK DEREF \
    ELEMENT EXP FIRST_VALUE FLOOR GROUP_CONCAT HASH JSON_ARRAY JSON_ARRAYAGG JSON_EXISTS \
    JSON_OBJECT JSON_OBJECTAGG JSON_QUERY JSON_VALUE LAG LAST_VALUE LEAD LN LOWER MATCH_NUMBER \
    MAX MIN MOD NORMALIZE NTH_VALUE NTILE NULLIF OCTET_LENGTH OVERLAY PERCENTILE_CONT \
    PERCENTILE_DISC PERCENT_RANK PERIOD POSITION POSITION_REGEX POWER PREV RANK REGR_AVGX \
    REGR_AVGY REGR_COUNT REGR_INTERCEPT REGR_R2 REGR_SLOPE REGR_SXX REGR_SXY REGR_SYY SAFE_CAST \
    SAFE_OFFSET SAFE_ORDINAL SQRT STDDEV_POP STDDEV_SAMP STRING_AGG SUBSTRING SUBSTRING_REGEX \
    SUM TIMESTAMP_DIFF TIMESTAMP_TRUNC TIME_DIFF TIME_TRUNC TRANSLATE TRANSLATE_REGEX TRIM \
    TRIM_ARRAY TRUNCATE UPPER VAR_POP VAR_SAMP WIDTH_BUCKET";

/// Words that are names where something else stands behind them than in their own clause: `one` is
/// a name, `ONE ROW PER MATCH` is none. Behind `COMMENT` stands a text.
const NAMED_THERE: [(&str, &str); 8] = [
    ("COMMENT", ""),
    ("LANGUAGE", "JAVA PYTHON SCALA"),
    ("LOCAL", "TIME"),
    ("ONE", "ROW"),
    ("SKIP", "PAST TO"),
    ("STATEMENT", "SET"),
    ("SYSTEM", "FUNCTION"),
    ("WATERMARK", "FOR"),
];

/// The text with words in backticks that are reserved on Flink; none where there are none.
pub(crate) fn with_quoted_words(text: &str) -> Option<String> {
    let found = tokens(text);
    let is_one_of = |words: &str, token: &Token| {
        let word = &text[token.range.clone()];
        token.kind == Kind::Word && words.split(' ').any(|r| r.eq_ignore_ascii_case(word))
    };
    let is_called = |at: usize| found.get(at + 1).is_some_and(|next| next.kind == Kind::Open);
    let is_clause = |at: usize, behind: &str| {
        found.get(at + 1).is_some_and(|next| {
            is_one_of(behind, next)
                || behind.is_empty() && text[next.range.clone()].starts_with('\'')
        })
    };
    let is_named =
        |at: usize| NAMED_THERE.iter().any(|(w, b)| is_one_of(w, &found[at]) && !is_clause(at, b));
    let is_reserved = |at: usize| {
        let token = &found[at];
        let is_name = is_one_of(RESERVED_THERE, token) || is_named(at);
        is_name || is_one_of(CALLED_THERE, token) && !is_called(at)
    };
    let quote = |at: usize| {
        let range = found[at].range.clone();
        Edit { by: format!("`{}`", &text[range.clone()]), range }
    };
    let edits: Vec<Edit> = (0..found.len()).filter(|&at| is_reserved(at)).map(quote).collect();
    (!edits.is_empty()).then(|| edited(text, edits))
}

/// The text of an `INSERT` with a hint behind the name of its table.
pub(crate) fn with_hint(text: &str, hint: &str) -> String {
    let found = tokens(text);
    let is_dot = |token: &Token| &text[token.range.clone()] == ".";
    // INSERT INTO, and then parts of a name between dots.
    let mut at = 2;
    while found.get(at + 1).is_some_and(is_dot) {
        at += 2;
    }
    let end = found.get(at).map_or(text.len(), |token| token.range.end);
    edited(text, vec![Edit { range: end..end, by: format!(" /*+ {hint} */") }])
}

/// Where the clauses of a `CREATE TABLE` stand in its text.
#[derive(Debug)]
pub(crate) struct TableText<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// The items between the parentheses behind the name, each as a range of tokens.
    items: Vec<Range<usize>>,
    /// From `WITH` to its closing parenthesis.
    with: Option<Range<usize>>,
    /// From `LIKE` to the end of the source's name, and the parentheses behind it.
    like: Option<(Range<usize>, Option<Range<usize>>)>,
}

/// A replacement of a stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// What is replaced.
    pub(crate) range: Range<usize>,
    /// What takes its place.
    pub(crate) by: String,
}

/// The text with the edits made.
pub(crate) fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(&text[at..edit.range.start.max(at)]);
        out.push_str(&edit.by);
        at = at.max(edit.range.end);
    }
    out.push_str(&text[at..]);
    out
}

impl<'a> TableText<'a> {
    /// Finds the clauses.
    pub(crate) fn of(text: &'a str) -> Self {
        let tokens = tokens(text);
        let mut table = TableText { text, tokens, items: Vec::new(), with: None, like: None };
        let mut at = 0;
        let mut is_after_name = false;
        while at < table.tokens.len() {
            let token = &table.tokens[at];
            if token.depth == 0 && token.kind == Kind::Open {
                let close = table.close_of(at);
                if !is_after_name {
                    table.items = table.items_between(at + 1, close);
                    is_after_name = true;
                }
                at = close;
            } else if table.is_word(at, "WITH") && table.is_open(at + 1) {
                let close = table.close_of(at + 1);
                table.with = Some(table.bytes(at..close + 1));
                is_after_name = true;
                at = close;
            } else if table.is_word(at, "LIKE") {
                table.like = Some(table.like_from(at));
                break;
            } else if table.is_word(at, "AS") {
                break;
            }
            at += 1;
        }
        table
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.kind == Kind::Word && self.text[token.range.clone()].eq_ignore_ascii_case(word)
        })
    }

    fn is_open(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Open)
    }

    /// The token that closes the parenthesis at `open`.
    fn close_of(&self, open: usize) -> usize {
        let depth = self.tokens[open].depth;
        let closes = |token: &Token| token.kind == Kind::Close && token.depth == depth;
        let found = self.tokens[open..].iter().position(closes);
        found.map_or(self.tokens.len() - 1, |far| open + far)
    }

    fn items_between(&self, first: usize, end: usize) -> Vec<Range<usize>> {
        let mut items = Vec::new();
        let mut start = first;
        for at in first..=end {
            let token = &self.tokens[at];
            let ends = at == end || (token.kind == Kind::Comma && token.depth == 1);
            if ends && at > start {
                items.push(start..at);
            }
            if ends {
                start = at + 1;
            }
        }
        items
    }

    fn like_from(&self, at: usize) -> (Range<usize>, Option<Range<usize>>) {
        let mut last = at + 1;
        while self.tokens.get(last + 1).is_some_and(|t| &self.text[t.range.clone()] == ".") {
            last += 2;
        }
        let last = last.min(self.tokens.len() - 1);
        let inner =
            self.is_open(last + 1).then(|| self.bytes(last + 1..self.close_of(last + 1) + 1));
        (self.bytes(at..last + 1), inner)
    }

    /// The bytes that tokens cover.
    fn bytes(&self, tokens: Range<usize>) -> Range<usize> {
        let end = tokens.end.saturating_sub(1).min(self.tokens.len().saturating_sub(1));
        self.tokens[tokens.start].range.start..self.tokens[end].range.end
    }

    /// Whether there is a `LIKE`.
    pub(crate) fn has_like(&self) -> bool {
        self.like.is_some()
    }

    /// Puts these options in place of those of the `WITH` clause; one that is missing is added.
    pub(crate) fn with_options(&self, clause: &str) -> Edit {
        match (&self.with, &self.like) {
            (Some(range), _) => Edit { range: range.clone(), by: clause.to_owned() },
            (None, Some((like, _))) => {
                Edit { range: like.start..like.start, by: format!("{clause}\n") }
            }
            (None, None) => {
                let end = self.text.trim_end().len();
                Edit { range: end..end, by: format!(" {clause}") }
            }
        }
    }

    /// Has the `LIKE` take no options (and no constraints) of its source.
    pub(crate) fn like_without(&self, what: &str) -> Option<Edit> {
        let (like, inner) = self.like.as_ref()?;
        Some(match inner {
            Some(inner) => {
                let end = inner.end - 1;
                Edit { range: end..end, by: format!(" {what}") }
            }
            None => Edit { range: like.end..like.end, by: format!(" ({what})") },
        })
    }

    /// Makes a metadata column of this name one of the record itself.
    pub(crate) fn without_metadata(&self, column: &str) -> Option<Edit> {
        let item = self.items.iter().find(|item| self.name_of(item) == column)?;
        let start = item.clone().find(|&at| self.is_word(at, "METADATA"))?;
        let mut end = start + 1;
        if self.is_word(end, "FROM") {
            end += 2;
        }
        if self.is_word(end, "VIRTUAL") {
            end += 1;
        }
        Some(Edit { range: self.bytes(start..end), by: String::new() })
    }

    /// Takes the primary key out, wherever it stands.
    pub(crate) fn without_primary_key(&self) -> Option<Edit> {
        for (number, item) in self.items.iter().enumerate() {
            let Some(start) =
                item.clone().find(|&at| self.is_word(at, "PRIMARY") && self.is_word(at + 1, "KEY"))
            else {
                continue;
            };
            let first = item.start;
            if start == first || self.is_word(first, "CONSTRAINT") {
                // An item of its own: it goes with a comma.
                let start = |at: usize| self.tokens[at].range.start;
                let range = match number {
                    0 => {
                        let next = self.items.get(1).map_or(item.end, |next| next.start);
                        start(first)..start(next)
                    }
                    _ => self.bytes(self.items[number - 1].end..item.end),
                };
                return Some(Edit { range, by: String::new() });
            }
            let end = (start + 2..item.end).find(|&at| self.is_word(at, "ENFORCED"));
            let range = self.bytes(start..end.map_or(start + 2, |at| at + 1));
            return Some(Edit { range, by: String::new() });
        }
        None
    }

    fn name_of(&self, item: &Range<usize>) -> String {
        let token = &self.tokens[item.start];
        let text = &self.text[token.range.clone()];
        match token.kind {
            Kind::Quoted => text[1..text.len() - 1].replace("``", "`"),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE s.sales ( -- (all)\n  id BIGINT, `a``b` DECIMAL(10, 2),\n\
        file STRING METADATA FROM 'file.name' VIRTUAL COMMENT 'PRIMARY KEY, WITH (x)',\n  \
        at AS TO_TIMESTAMP(x), PRIMARY KEY (id) NOT ENFORCED,\n  WATERMARK FOR at AS at\n) \
        COMMENT 'it''s' PARTITIONED BY (id) WITH ('connector' = 'log') LIKE m.t";

    #[test]
    fn options_are_replaced_and_what_is_not_meant_stays() {
        let table = TableText::of(TABLE);
        let out = edited(
            TABLE,
            vec![
                table.with_options("WITH ('a' = 'b')"),
                table.like_without("EXCLUDING OPTIONS").unwrap(),
                table.without_metadata("file").unwrap(),
                table.without_primary_key().unwrap(),
            ],
        );
        let expected = TABLE
            .replace("WITH ('connector' = 'log')", "WITH ('a' = 'b')")
            .replace("METADATA FROM 'file.name' VIRTUAL COMMENT", " COMMENT")
            .replace(", PRIMARY KEY (id) NOT ENFORCED", "")
            + " (EXCLUDING OPTIONS)";
        assert_eq!(out, expected);
        assert!(table.without_metadata("id").is_none());
    }

    #[test]
    fn a_key_is_found_wherever_it_stands() {
        for (text, expected) in [
            ("CREATE TABLE t (PRIMARY KEY (a) NOT ENFORCED, a INT)", "CREATE TABLE t (a INT)"),
            ("CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED)", "CREATE TABLE t (a INT )"),
            (
                "CREATE TABLE t (a INT, CONSTRAINT k PRIMARY KEY (a) NOT ENFORCED)",
                "CREATE TABLE t (a INT)",
            ),
        ] {
            let table = TableText::of(text);
            assert_eq!(edited(text, vec![table.without_primary_key().unwrap()]), expected);
        }
    }

    #[test]
    fn words_that_are_reserved_there_are_quoted_where_they_are_names() {
        let text =
            "SELECT variant, t.Variant, `variant`, 'variant' /* variant */ FROM t -- variant";
        let expected =
            "SELECT `variant`, t.`Variant`, `variant`, 'variant' /* variant */ FROM t -- variant";
        assert_eq!(with_quoted_words(text).as_deref(), Some(expected));
        let text = "SELECT COUNT(*) AS returns, 'start' FROM returnsx";
        let expected = "SELECT COUNT(*) AS `returns`, 'start' FROM returnsx";
        assert_eq!(with_quoted_words(text).as_deref(), Some(expected));
        assert_eq!(with_quoted_words("SELECT variants, `variant` FROM t"), None);
        let text = "SELECT POWER(2, power) AS power, t.rank FROM t";
        let expected = "SELECT POWER(2, `power`) AS `power`, t.`rank` FROM t";
        assert_eq!(with_quoted_words(text).as_deref(), Some(expected));
        let text =
            "CREATE TABLE t (no INT COMMENT 'one', comment STRING, WATERMARK FOR result AS x)";
        let expected = "CREATE TABLE t (`no` INT COMMENT 'one', `comment` STRING, \
                        WATERMARK FOR `result` AS x)";
        assert_eq!(with_quoted_words(text).as_deref(), Some(expected));
        let text = "AFTER MATCH SKIP PAST LAST ROW ONE ROW PER MATCH, DATE_TRUNC(one) AS skip";
        let expected =
            "AFTER MATCH SKIP PAST LAST ROW ONE ROW PER MATCH, DATE_TRUNC(`one`) AS `skip`";
        assert_eq!(with_quoted_words(text).as_deref(), Some(expected));
    }

    #[test]
    fn a_hint_stands_behind_the_name_of_the_table() {
        for (text, expected) in [
            ("INSERT INTO t (a) SELECT 1", "INSERT INTO t /*+ h */ (a) SELECT 1"),
            (
                "INSERT INTO -- x\na.`b c`.d\nSELECT 1",
                "INSERT INTO -- x\na.`b c`.d /*+ h */\nSELECT 1",
            ),
        ] {
            assert_eq!(with_hint(text, "h"), expected);
        }
    }

    #[test]
    fn options_are_added_where_there_are_none() {
        for (text, expected) in [
            ("CREATE TABLE t LIKE u", "CREATE TABLE t WITH (o)\nLIKE u"),
            ("CREATE TABLE t (a INT)", "CREATE TABLE t (a INT) WITH (o)"),
        ] {
            let table = TableText::of(text);
            assert_eq!(edited(text, vec![table.with_options("WITH (o)")]), expected);
        }
    }
}
