//! Errors that a user of SQL reads: what is wrong, where it stands, and what would be right.
//!
//! A message has three parts: the primary line, an optional detail (the facts behind it), and an
//! optional hint (what to do). A position is a line and a column of the user's own text; nothing
//! here names a parser, a planner or a crate.

use std::fmt;

use datafusion_common::{DataFusionError, Diagnostic};
use sqlparser::tokenizer;

/// A place in SQL text; line and column start at one, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Line, from one.
    pub line: u64,
    /// Column in characters, from one.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A stretch of SQL text, from its first character to the one behind its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// First character.
    pub start: Position,
    /// Behind the last character.
    pub end: Position,
}

impl Span {
    /// The span of `self` and `other` together.
    pub fn union(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// A span from sqlparser; `None` for its "unknown" (line zero).
    pub fn from_sqlparser(span: tokenizer::Span) -> Option<Span> {
        let start = Position { line: span.start.line, column: span.start.column };
        let end = Position { line: span.end.line, column: span.end.column };
        (start.line > 0).then_some(Span { start, end: end.max(start) })
    }

    /// A span of one character at a position.
    pub fn at(position: Position) -> Span {
        let end = Position { line: position.line, column: position.column + 1 };
        Span { start: position, end }
    }
}

/// An error in three parts, with its place in the SQL text when that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// What is wrong, in one line.
    pub message: String,
    /// The facts behind it.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where it stands.
    pub span: Option<Span>,
}

/// The result of everything that reads SQL.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

impl SqlError {
    /// An error with its primary line only.
    pub fn new(message: impl Into<String>) -> SqlError {
        SqlError { message: message.into(), detail: None, hint: None, span: None }
    }

    /// An error at a place.
    pub fn at(message: impl Into<String>, span: Span) -> SqlError {
        SqlError { span: Some(span), ..SqlError::new(message) }
    }

    /// A statement or clause that Flink has and Rialto does not.
    pub fn not_supported(what: impl fmt::Display) -> SqlError {
        SqlError::new(format!("{what} is not supported"))
    }

    /// Adds the facts behind the primary line.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> SqlError {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> SqlError {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the place, unless a more exact one is already known.
    #[must_use]
    pub fn with_span(mut self, span: impl Into<Option<Span>>) -> SqlError {
        self.span = self.span.or(span.into());
        self
    }

    /// The error as a user reads it: the parts, and the offending line with a caret under it.
    ///
    /// `source_text` is the text that was parsed, `file_name` what to call it.
    pub fn render(&self, source_text: &str, file_name: &str) -> String {
        let mut out = format!("error: {}\n", self.message);
        if let Some(span) = self.span {
            out.push_str(&render_place(span, source_text, file_name));
        }
        if let Some(detail) = &self.detail {
            out.push_str(&format!("detail: {detail}\n"));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("hint: {hint}\n"));
        }
        out
    }
}

/// More of an overlong line than this is not shown around the caret.
const SHOWN_COLUMNS_MAX: usize = 120;

fn render_place(span: Span, source_text: &str, file_name: &str) -> String {
    let Position { line, column } = span.start;
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let mut out = format!("{margin}--> {file_name}:{line}:{column}\n");
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(text) = source_text.lines().nth(index) else {
        return out;
    };

    let column = usize::try_from(column.max(1) - 1).unwrap_or(usize::MAX);
    let length = text.chars().count();
    let first = if length <= SHOWN_COLUMNS_MAX {
        0
    } else {
        column.min(length).saturating_sub(SHOWN_COLUMNS_MAX / 2)
    };
    let shown: String = text.chars().skip(first).take(SHOWN_COLUMNS_MAX).collect();
    // A tab stays a tab above the caret, so that both lines indent alike.
    let pad: String = text
        .chars()
        .skip(first)
        .take(column.saturating_sub(first))
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let marked = if span.end.line == line {
        usize::try_from(span.end.column).unwrap_or(usize::MAX).saturating_sub(column + 1)
    } else {
        length.saturating_sub(column)
    };
    let room = (first + SHOWN_COLUMNS_MAX).saturating_sub(column).max(1);
    let carets = "^".repeat(marked.clamp(1, room.min(length.saturating_sub(column).max(1))));
    out.push_str(&format!("{margin} |\n{number} | {shown}\n{margin} | {pad}{carets}\n"));
    out
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(span) = self.span {
            write!(f, " ({})", span.start)?;
        }
        for part in [&self.detail, &self.hint].into_iter().flatten() {
            let dot = if self.message.ends_with('.') { "" } else { "." };
            write!(f, "{dot} {}", part.trim_end_matches('.'))?;
        }
        Ok(())
    }
}

impl std::error::Error for SqlError {}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> SqlError {
        // One of ours that came through DataFusion's code.
        if let DataFusionError::External(inner) = error.find_root()
            && let Some(own) = inner.downcast_ref::<SqlError>()
        {
            // DataFusion knows the place of a name that we could not find.
            let span = own.span.or_else(|| span_of(error.diagnostic()?));
            return SqlError { span, ..own.clone() };
        }
        let diagnostic = error.diagnostic().cloned();
        let root = match &error {
            DataFusionError::Collection(all) => all.first().unwrap_or(&error),
            other => other,
        };
        let message = plain_message(root);
        let Some(diagnostic) = diagnostic else {
            return SqlError::new(message);
        };
        let span = span_of(&diagnostic);
        let notes: Vec<&str> = diagnostic.notes.iter().map(|n| n.message.as_str()).collect();
        let helps: Vec<&str> = diagnostic.helps.iter().map(|h| h.message.as_str()).collect();
        if let Some(name) = unknown_function(&diagnostic.message) {
            let near = notes.iter().find_map(|n| n.strip_prefix("Possible function "));
            let near = crate::catalog::nearest(name, near.map(unquoted).into_iter());
            return SqlError {
                hint: near.map(|near| format!("did you mean {near}?")),
                ..SqlError::new(format!("function '{}' not found", name.to_uppercase()))
            }
            .with_span(span);
        }
        SqlError {
            message: sentence(&diagnostic.message),
            // The diagnostic is short; what the message says beyond it is worth a line.
            detail: match notes.is_empty() {
                false => Some(notes.join("; ")),
                true => (!message.contains(&diagnostic.message)).then_some(message),
            },
            hint: (!helps.is_empty()).then(|| helps.join("; ")),
            span,
        }
    }
}

/// The place that a diagnostic names, if it names one.
fn span_of(diagnostic: &Diagnostic) -> Option<Span> {
    let span = diagnostic.span.map(|span| Span {
        start: Position { line: span.start.line, column: span.start.column },
        end: Position { line: span.end.line, column: span.end.column },
    });
    span.filter(|s| s.start.line > 0)
}

/// Prefixes that say which part of the machine complains, not what is wrong.
const JARGON: [&str; 9] = [
    "Error during planning: ",
    "Schema error: ",
    "Execution error: ",
    "Optimizer rule ",
    "This feature is not implemented: ",
    "SQL error: ",
    "type_coercion\ncaused by\n",
    "External error: ",
    "Invalid or Unsupported Configuration: ",
];

/// The name in "Invalid function 'f'".
fn unknown_function(message: &str) -> Option<&str> {
    message.strip_prefix("Invalid function ").map(unquoted)
}

fn unquoted(name: &str) -> &str {
    name.trim().trim_matches('\'')
}

fn plain_message(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    // "A\ncaused by\nB": the cause is what the user can act on.
    let text = text.rsplit("caused by\n").next().unwrap_or(&text);
    // "Function 'F' user-defined coercion failed with: B No function matches …": B is ours.
    let text = text.split_once("user-defined coercion failed with: ").map_or(text, |(_, b)| b);
    let text = text.split_once(" No function matches the given name").map_or(text, |(b, _)| b);
    let mut text = text.trim();
    while let Some(rest) = JARGON.iter().find_map(|j| text.strip_prefix(j)) {
        text = rest;
    }
    if let Some(end) = text.find("\nThis was likely caused by a bug") {
        text = &text[..end];
    }
    if let Some(name) = doubled_name(text.trim()) {
        return format!(
            "two columns are called '{name}', one of them by `*`: give the other one another name \
             with AS"
        );
    }
    sentence(text.trim())
}

/// The name in "Schema contains qualified field name t.a and unqualified field name a which …".
fn doubled_name(text: &str) -> Option<&str> {
    let (_, name) = text.strip_prefix("Schema contains ")?.split_once("unqualified field name ")?;
    name.strip_suffix(" which would be ambiguous").map(|name| name.trim_matches('"'))
}

fn sentence(text: &str) -> String {
    text.trim().trim_end_matches('.').to_string()
}
