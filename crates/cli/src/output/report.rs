//! Records that could not be read, and rows that came too late: counted and kept, never lost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rialto_runtime::engine::{DeadLetter, Delta, EngineError, Result};
use rialto_runtime::{Observer, StepSummary};
use serde_json::json;

use crate::failure::{self, Failure};

/// What went by without reaching a view.
#[derive(Default)]
pub struct Report {
    unread: BTreeMap<String, Unread>,
    late: BTreeMap<String, u64>,
    file: Option<(PathBuf, BufWriter<File>)>,
}

#[derive(Default)]
struct Unread {
    count: u64,
    first: String,
}

impl Report {
    /// A report that also writes every record to `file`.
    pub fn new(file: Option<&Path>) -> failure::Result<Self> {
        let open = |path: &Path| match File::create(path) {
            Ok(file) => Ok((path.to_path_buf(), BufWriter::new(file))),
            Err(error) => Err(Failure::request(
                format!("cannot write the dead letters to {}: {error}", path.display()),
                None,
            )),
        };
        Ok(Self { file: file.map(open).transpose()?, ..Self::default() })
    }

    /// Takes what a step says.
    pub fn note(&mut self, summary: &StepSummary<'_>) -> Result<()> {
        for (table, letter) in summary.dead_letters {
            let unread = self.unread.entry(table.clone()).or_default();
            if unread.count == 0 {
                unread.first = format!("{}: {}", letter.position, letter.reason);
            }
            unread.count += 1;
            if let Some((path, file)) = &mut self.file {
                writeln!(file, "{}", as_json(table, letter))
                    .map_err(|e| EngineError::sink(path.display().to_string(), e))?;
            }
        }
        for (operator, deltas) in summary.late {
            let rows: usize = deltas.iter().map(Delta::num_rows).sum();
            if rows > 0 {
                *self.late.entry(operator.clone()).or_default() += rows as u64;
            }
        }
        Ok(())
    }

    /// Whether a record was refused since the last time.
    pub fn has_refused(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Says on the standard error what there was since the last time.
    pub fn tell(&mut self) -> failure::Result<()> {
        if let Some((path, file)) = &mut self.file {
            file.flush().map_err(|e| EngineError::sink(path.display().to_string(), e))?;
        }
        let mut text = String::new();
        for (table, Unread { count, first }) in std::mem::take(&mut self.unread) {
            let records = if count == 1 { "record" } else { "records" };
            text.push_str(&format!(
                "{count} {records} of '{table}' could not be read (first: {first})\n"
            ));
        }
        for (operator, count) in std::mem::take(&mut self.late) {
            let rows = if count == 1 { "row" } else { "rows" };
            text.push_str(&format!("{count} {rows} came too late for {operator}\n"));
        }
        failure::tell(&text);
        Ok(())
    }
}

/// A job without results of its own needs no more than a report.
impl Observer for Report {
    fn changed(&mut self, _: usize, _: &Delta, _: u64) -> Result<()> {
        Ok(())
    }

    fn stepped(&mut self, summary: &StepSummary<'_>) -> Result<()> {
        self.note(summary)
    }
}

/// One line of the file. A record that is no text is given in base64.
fn as_json(table: &str, letter: &DeadLetter) -> serde_json::Value {
    let (position, reason) = (&letter.position, &letter.reason);
    match std::str::from_utf8(&letter.bytes) {
        Ok(text) => {
            json!({"table": table, "position": position, "reason": reason, "bytes": text})
        }
        Err(_) => {
            let bytes = STANDARD.encode(&letter.bytes);
            json!({"table": table, "position": position, "reason": reason, "base64": bytes})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_given_as_text_where_it_is_one() {
        let letter = |bytes: &[u8]| DeadLetter {
            position: "a.json:3".into(),
            reason: "no object".into(),
            bytes: bytes.to_vec(),
            beside: None,
        };
        assert_eq!(
            as_json("t", &letter(b"x\"")).to_string(),
            r#"{"table":"t","position":"a.json:3","reason":"no object","bytes":"x\""}"#
        );
        assert_eq!(as_json("t", &letter(&[0xff, 0x00]))["base64"], "/wA=");
    }
}
