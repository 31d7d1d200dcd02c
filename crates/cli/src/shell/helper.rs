//! What the line editor asks: whether a statement is complete, and what a word may become.

use std::collections::BTreeSet;

use rialto_runtime::sql::catalog::Relation;
use rialto_runtime::sql::functions::FunctionRegistry;
use rialto_runtime::sql::planner::{Planner, Session};
use rustyline::completion::Completer;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Highlighter, Hinter};

const KEYWORDS: &[&str] = &[
    "ALTER",
    "AND",
    "ARRAY",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BIGINT",
    "BOOLEAN",
    "BY",
    "BYTES",
    "CASE",
    "CAST",
    "CATALOG",
    "CREATE",
    "CROSS",
    "CUBE",
    "CUMULATE",
    "DATABASE",
    "DATE",
    "DECIMAL",
    "DESC",
    "DESCRIBE",
    "DESCRIPTOR",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "ELSE",
    "END",
    "ENFORCED",
    "EXCEPT",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FOR",
    "FROM",
    "FULL",
    "FUNCTION",
    "GROUP",
    "GROUPING",
    "HAVING",
    "HOP",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MAP",
    "MATCH_RECOGNIZE",
    "MATERIALIZED",
    "METADATA",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PARTITIONED",
    "PRIMARY",
    "REPLACE",
    "RESET",
    "RIGHT",
    "ROLLUP",
    "ROW",
    "SELECT",
    "SESSION",
    "SET",
    "SETS",
    "SHOW",
    "STATEMENT",
    "STRING",
    "TABLE",
    "TABLES",
    "TEMPORARY",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TRUE",
    "TUMBLE",
    "UNION",
    "UNNEST",
    "USE",
    "USING",
    "VALUES",
    "VIEW",
    "VIEWS",
    "WATERMARK",
    "WHEN",
    "WHERE",
    "WITH",
    "WITHIN",
];

/// The words that leave the shell or ask for help; they need no semicolon.
pub fn command(text: &str) -> Option<&'static str> {
    let word = text.trim().trim_end_matches(';').trim_end();
    ["quit", "exit", "help"].into_iter().find(|c| word.eq_ignore_ascii_case(c))
}

/// Completes words and waits for the end of a statement.
#[derive(Default, Helper, Hinter, Highlighter)]
pub struct ShellHelper {
    /// Keywords and functions: written in the case in which the user began.
    words: BTreeSet<String>,
    /// Tables and columns, by their exact names.
    names: BTreeSet<String>,
}

impl ShellHelper {
    /// Takes over what a session knows now.
    pub fn learn(&mut self, session: &Session) {
        if self.words.is_empty() {
            let functions = FunctionRegistry::new(&session.settings);
            self.words.extend(KEYWORDS.iter().map(|k| (*k).to_owned()));
            let mut names = functions.scalar_names();
            names.extend(functions.aggregate_names());
            names.extend(functions.window_names());
            self.words.extend(names.into_iter().map(|n| n.to_uppercase()));
        }
        self.names.clear();
        for relation in session.catalog.relations(None).unwrap_or_default() {
            self.names.insert(quoted(&relation.path().object));
            match relation {
                Relation::Table(table) => {
                    self.names.extend(table.columns.iter().map(|c| quoted(&c.name)));
                }
                Relation::View(view) => {
                    let columns = Planner::new(session).columns(&view.query).unwrap_or_default();
                    self.names.extend(columns.iter().map(|(name, _)| quoted(name)));
                }
            }
        }
    }

    /// What the word may become.
    fn candidates(&self, word: &str) -> Vec<String> {
        if word.is_empty() {
            return Vec::new();
        }
        let names = self.names.iter().filter(|n| n.trim_start_matches('`').starts_with(word));
        let mut found: Vec<String> = names.cloned().collect();
        let upper = word.to_uppercase();
        let lower = word.chars().all(|c| !c.is_uppercase());
        let words = self.words.iter().filter(|w| w.starts_with(&upper));
        found.extend(words.map(|w| if lower { w.to_lowercase() } else { w.clone() }));
        found
    }
}

/// A name as it must be written.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(is_word)
        && !rialto_runtime::sql::parser::is_reserved(name);
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Completer for ShellHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..at];
        let word = before.trim_end_matches(is_word).len();
        // A backtick that the user has typed belongs to the name.
        let start = if before[..word].ends_with('`') { word - 1 } else { word };
        Ok((start, self.candidates(&before[word..])))
    }
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let complete = text.trim().is_empty() || command(text).is_some() || is_complete(text);
        Ok(match complete {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

/// Whether the last statement of a text has its end: a semicolon outside of quotes and comments,
/// behind `END` where statements are within a statement set.
fn is_complete(text: &str) -> bool {
    let code = code(text);
    let Some(body) = code.trim_end().strip_suffix(';') else { return false };
    let words: Vec<String> = body.split_whitespace().map(str::to_uppercase).collect();
    let is_set = |w: &[String]| w[0] == "STATEMENT" && w[1].trim_end_matches(';') == "SET";
    let Some(set) = words.windows(2).rposition(is_set) else { return true };
    words[set..].iter().any(|w| w == "END" || w == "END;")
}

/// A text with its literals emptied and its comments gone; what is not closed swallows the rest.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (open, close) = match first {
            '\'' | '"' | '`' => (1, &rest[..1]),
            '-' if rest.starts_with("--") => (2, "\n"),
            '/' if rest.starts_with("/*") => (2, "*/"),
            _ => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        out.push(' ');
        match rest[open..].find(close) {
            Some(end) => rest = &rest[open + end + close.len()..],
            // A comment to the end of the line may be the last of the text; others are open.
            None if close == "\n" => return out,
            None => {
                out.push('\u{0}');
                return out;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_that_is_not_quoted() {
        assert!(is_complete("SELECT 1;"));
        assert!(is_complete("SELECT 1; -- done"));
        assert!(is_complete("SELECT 'it''s;';\n"));
        assert!(is_complete("SELECT 1 /* ; */ ; /* end */"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT ';"));
        assert!(!is_complete("SELECT `a;"));
        assert!(!is_complete("SELECT 1 -- ;"));
        assert!(!is_complete("SELECT 1; /* open"));
    }

    #[test]
    fn a_statement_set_ends_with_end() {
        let open = "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT * FROM b;";
        assert!(!is_complete(open));
        assert!(is_complete(&format!("{open} END;")));
        assert!(!is_complete("BEGIN STATEMENT SET; INSERT INTO a SELECT 1;"));
    }

    #[test]
    fn words_complete_in_the_case_they_began_with_and_names_as_they_are() {
        let words = ["SELECT", "SET"].map(str::to_owned).into();
        let names = [quoted("Sales"), quoted("order"), quoted("unit price")].into();
        let helper = ShellHelper { words, names };
        assert_eq!(helper.candidates("se"), ["select", "set"]);
        assert_eq!(helper.candidates("SEL"), ["SELECT"]);
        assert_eq!(helper.candidates("Sa"), ["Sales"]);
        assert_eq!(helper.candidates("ord"), ["`order`"]);
        assert_eq!(helper.candidates("un"), ["`unit price`"]);
    }

    #[test]
    fn leaving_needs_no_semicolon() {
        assert_eq!(command(" QUIT "), Some("quit"));
        assert_eq!(command("exit;"), Some("exit"));
        assert_eq!(command("select 1"), None);
    }
}
