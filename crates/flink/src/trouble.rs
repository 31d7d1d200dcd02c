//! What a cluster refuses, said so that something can be done about it.

use std::fmt;

/// What went wrong, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was being done.
    pub what: String,
    /// Why it went wrong.
    pub why: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether the session that was spoken in is no more.
    pub is_lost_session: bool,
    /// Whether the request was wrong; otherwise the cluster failed.
    pub is_request: bool,
}

impl Trouble {
    /// A trouble without advice.
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            hint: None,
            is_lost_session: false,
            is_request: false,
        }
    }

    /// The same with what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, where what was asked for is wrong.
    #[must_use]
    pub(crate) fn request(mut self) -> Self {
        self.is_request = true;
        self
    }

    /// What Flink says of an error: the innermost cause, without the calls that led to it, and what
    /// is known of how to help.
    pub(crate) fn told(what: impl Into<String>, errors: &str) -> Self {
        let why = innermost(errors);
        let hint = advice(errors);
        let mut trouble = Self::new(what, why);
        trouble.hint = hint.map(str::to_owned);
        trouble.is_lost_session = errors.contains("Session '") && errors.contains("does not exist");
        trouble
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// The message of the last `Caused by:` of a Java stack trace, or else its beginning.
fn innermost(errors: &str) -> String {
    let lines: Vec<&str> = errors.lines().collect();
    let causes = lines.iter().rposition(|line| line.starts_with("Caused by:"));
    let is_call = |line: &&&str| {
        let line = line.trim_start();
        line.starts_with("at ") || line.starts_with("... ")
    };
    let from = causes.unwrap_or_else(|| {
        let is_said = |line: &&str| !line.starts_with("Internal server error") && !line.is_empty();
        lines.iter().position(is_said).unwrap_or(0)
    });
    let kept = lines.get(from..).unwrap_or_default().iter().take_while(|line| !is_call(line));
    let text = kept.copied().collect::<Vec<_>>().join(" ");
    let text = text.trim_end();
    // What the grammar would have taken instead is hundreds of words.
    let text = text.split(" Was expecting one of").next().unwrap_or_default();
    let text = text.trim_start_matches("Caused by:").trim();
    let text = text.trim_start_matches("<Exception on server side:").trim();
    // `org.apache.flink.table.api.ValidationException: The …`
    let message = match text.split_once(": ") {
        Some((class, message)) if !class.contains(' ') && class.contains('.') => message,
        _ => text,
    };
    if message.is_empty() { "it did not say why".into() } else { message.to_owned() }
}

/// What to do about errors that are met often.
fn advice(errors: &str) -> Option<&'static str> {
    let known = [
        (
            "Could not find any factory for identifier",
            "put the jar of that connector or format into lib/ of the JobManager, the TaskManagers \
             and the SQL Gateway, and start them anew (Kafka: flink-sql-connector-kafka)",
        ),
        (
            "NoClassDefFoundError",
            "a jar is missing in lib/ of the JobManager or the TaskManagers; the SQL Gateway's own \
             lib/ does not reach them",
        ),
        (
            "ClassNotFoundException",
            "a jar is missing in lib/ of the JobManager or the TaskManagers; the SQL Gateway's own \
             lib/ does not reach them",
        ),
        (
            "Not all required tasks are currently running",
            "the job starts or recovers: try again when `rialto jobs` shows its tasks running",
        ),
        ("does not exist", "run the command again: it opens a new session"),
        (
            "NoResourceAvailable",
            "start more TaskManagers, or set 'parallelism.default' lower in flink.toml",
        ),
        (
            "execution.checkpointing.savepoint-dir",
            "say where savepoints go: --savepoints URL, or the cluster's \
             execution.checkpointing.savepoint-dir",
        ),
    ];
    known.iter().find(|(sign, _)| errors.contains(sign)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stack_trace_the_last_cause_is_told() {
        let errors = "Internal server error.\n<Exception on server side:\na.b.SqlGatewayException: \
            Failed to fetchResults.\n\tat a.B(C.java:1)\nCaused by: a.b.ValidationException: Could \
            not find any factory for identifier 'kafka' \
            that\nis in the classpath.\n\n\tat a.b(C)\n";
        let trouble = Trouble::told("CREATE TABLE t", errors);
        let expected = "CREATE TABLE t: Could not find any factory for identifier 'kafka' that is \
            in the classpath.";
        assert_eq!(trouble.to_string(), expected);
        assert!(trouble.hint.unwrap().contains("flink-sql-connector-kafka"));
        let lost = "org.apache.SqlGatewayException: Session 'ab' does not exist.\n\tat x";
        let trouble = Trouble::told("the session", lost);
        assert!(trouble.is_lost_session, "{trouble:?}");
        assert_eq!(trouble.why, "Session 'ab' does not exist.");
        assert_eq!(Trouble::told("x", "").why, "it did not say why");
    }
}
