//! Where the shell remembers what was typed.

use std::path::{Path, PathBuf};

use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};

/// `rialto/history` in the user's data directory; none, where the user has no home.
pub fn file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // A relative XDG path is invalid and ignored, as its specification wants.
    let data = set("XDG_DATA_HOME").filter(|p| p.is_absolute());
    let data = data.or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("rialto").join("history"))
}

/// Writes the history, and the folder that it is in.
pub fn save<H: Helper>(editor: &mut Editor<H, FileHistory>, file: &Path) -> Result<(), String> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    }
    editor.save_history(file).map_err(|e| e.to_string())
}
