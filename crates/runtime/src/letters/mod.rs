//! Dead letters that are kept: what the sources of a job refused, until it is put right.
//!
//! - `event.rs`: what is written down: that a record was refused, or has been taken after all
//! - `keep.rs`: writes it, with the job's checkpoints: of a run that is killed nothing is lost and
//!   nothing doubled
//! - `again.rs`: gives records that are sent again to the sources that refused them
//! - `book.rs`: what has become of each letter; sending again and discarding
//! - `words.rs`: a letter as JSON, and a record put right
//!
//! # Layout
//! Below a job's state folder, for each table that refused something or may do so:
//!
//! | name | what | written by |
//! | --- | --- | --- |
//! | `dead-letters/run` | when the run began that the newest letters are of | the job |
//! | `dead-letters/T/about` | how the table takes records that are sent again | the job |
//! | `dead-letters/T/letters` | a log of events: refused, redriven | the job, by checkpoints |
//! | `dead-letters/T/again` | a log of records that are sent again | who sends them |
//! | `dead-letters/T/taken` | the next record to take of `again`: `letters` may forget | the job |
//! | `dead-letters/T/discarded` | a log of ids | who discards them |
//!
//! A log has one writer. So nobody but the job writes what becomes of a letter, and a record that
//! is sent again is durable before the command ends, whether the job runs or not.
//!
//! # Exactly once
//! A letter is written in the step that refused the record, staged, and comes into the log when the
//! checkpoint of that step is durable. The reader of `again` is one more reader of its source
//! ([`rialto_engine::source::Reader::is_beside`]), with a position in the checkpoint; that a record
//! was taken is an event of the same step. So both are as of the same two steps.

mod again;
mod book;
mod event;
mod keep;
mod words;

pub use book::{Book, BookError, Letter, Send, Status, TableLetters};
pub(crate) use event::Retention;
pub use keep::Letters;
pub(crate) use keep::Taken;
pub use words::edited;

use std::path::{Path, PathBuf};

/// The folder of dead letters below a state folder.
pub const FOLDER: &str = "dead-letters";

/// The folder of a table: its name, with everything unusual written as its bytes.
fn folder_of(letters: &Path, table: &str) -> PathBuf {
    let mut name = String::with_capacity(table.len());
    for byte in table.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    letters.join(name)
}

/// Writes a small file whole: a reader sees the old one or the new one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_are_names_of_folders() {
        let folder = folder_of(Path::new("s"), "a/b..c d");
        assert_eq!(folder, Path::new("s/a%2fb%2e%2ec%20d"));
    }
}
