//! `script` (of util-linux) lends its terminal. A machine without it skips these tests, and says
//! so.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::{TABLE, TOTALS, folder};

/// A command that believes that someone sits before it.
struct Terminal {
    child: Child,
    shown: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts `rialto` with these arguments; none where there is no `script`.
    fn start(dir: &Path, arguments: &str) -> Option<Self> {
        // A shell between would take the interrupt for itself, too, and tell its own exit code.
        let command = format!("exec {} {arguments}", env!("CARGO_BIN_EXE_rialto"));
        let mut script = Command::new("script");
        script.args(["-qefc", &command, "/dev/null"]).current_dir(dir);
        script.env("XDG_DATA_HOME", dir).env("TERM", "xterm").env_remove("COLUMNS");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut child) = script.spawn() else {
            eprintln!("SKIPPED: there is no program `script` that could lend a terminal");
            return None;
        };
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut output, all) = (child.stdout.take().unwrap(), Arc::clone(&shown));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Some(Self { child, shown, reader: Some(reader) })
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    fn types(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the screen shows a text.
    fn wait_for(&self, text: &str) {
        let began = Instant::now();
        while !self.shown().contains(text) {
            assert!(began.elapsed() < Duration::from_secs(60), "no {text:?} in {}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The exit code, and all that was shown.
    fn ends(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.shown())
    }
}

/// A test that fails leaves nothing running: with its terminal a command goes, too.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_is_told_how_far_a_project_is() {
    let dir = folder();
    let sql = format!("{TABLE}CREATE MATERIALIZED VIEW totals AS {TOTALS};");
    fs::write(dir.path().join("job.sql"), sql).unwrap();
    let Some(terminal) = Terminal::start(dir.path(), "run job.sql") else { return };
    let (code, text) = terminal.ends();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("4 rows in "), "{text}");
    assert!(text.contains(" rows/s), "), "{text}");
    assert!(text.contains("totals\r\n+---"), "{text}");
}

#[test]
fn ctrl_c_ends_the_query_and_not_the_shell() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut shell) = Terminal::start(dir.path(), "sql --changelog -o csv") else { return };
    shell.wait_for("rialto> ");
    shell.types(
        "CREATE TABLE n (a BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '20');\n",
    );
    shell.wait_for("OK");
    shell.types("SELECT a AS endless FROM n;\n");
    // The query runs.
    shell.wait_for("+I,");
    shell.types("\u{3}");
    shell.wait_for("stopped: this is the result so far");
    shell.types("SELECT CONCAT('still ', 'there') AS answer;\n");
    shell.wait_for("still there");
    shell.types("quit;\n");
    let (code, text) = shell.ends();
    assert_eq!(code, Some(0), "{text}");
    let history = fs::read_to_string(dir.path().join("rialto/history")).unwrap();
    assert!(history.contains("SELECT a AS endless FROM n;"), "{history}");
}
