//! Which files a path means, and which paths are allowed.

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use regex::Regex;

use crate::error::{ConnectorError, Result};
use crate::options::nearest;
use crate::spec::Environment;

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FoundFile {
    pub path: PathBuf,
    pub size: u64,
    /// Epoch milliseconds.
    pub modified: i64,
}

impl FoundFile {
    pub fn of(path: PathBuf, metadata: &Metadata) -> Self {
        let age = metadata.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
        let modified = age.map_or(0, |a| i64::try_from(a.as_millis()).unwrap_or(i64::MAX));
        Self { path, size: metadata.len(), modified }
    }
}

/// Where a table's files are.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// The path as the user wrote it, for messages.
    pub written: String,
    /// The same, absolute.
    pub path: PathBuf,
    /// Whether `path` is a pattern.
    glob: bool,
    regex: Option<Regex>,
    roots: Option<Vec<PathBuf>>,
}

impl Location {
    /// Resolves a path of the user and checks that it is allowed.
    pub fn new(written: &str, regex: Option<Regex>, environment: &Environment) -> Result<Self> {
        let local = match written.split_once("://") {
            None => written.strip_prefix("file:").unwrap_or(written),
            Some(("file", rest)) => rest,
            Some((scheme, _)) => {
                return Err(ConnectorError::new(format!("cannot open '{written}'"))
                    .detail(format!("'{scheme}' is not supported: files are local"))
                    .hint("use a path or file:///path"));
            }
        };
        let path = normal(&environment.base_dir.join(local));
        let glob = local.contains(['*', '?', '[']) && !path.exists();
        let roots = environment.roots.clone();
        let location = Self { written: written.to_owned(), path, glob, regex, roots };
        location.check_allowed(&location.fixed_part())?;
        Ok(location)
    }

    /// The folder (or file) below which everything lies that the path can mean.
    fn fixed_part(&self) -> PathBuf {
        if !self.glob {
            return self.path.clone();
        }
        let is_plain =
            |c: &Component<'_>| !c.as_os_str().to_string_lossy().contains(['*', '?', '[']);
        self.path.components().take_while(is_plain).collect()
    }

    /// The folder that relative names and partitions start from.
    pub fn folder(&self) -> PathBuf {
        self.fixed_part()
    }

    /// Refuses a path outside the allowed folders, also one that leads out over a link.
    pub fn check_allowed(&self, path: &Path) -> Result<()> {
        let Some(roots) = &self.roots else { return Ok(()) };
        let real = real_path(path);
        if roots.iter().any(|root| real.starts_with(real_path(root))) {
            return Ok(());
        }
        let list: Vec<_> = roots.iter().map(|r| r.display().to_string()).collect();
        Err(ConnectorError::new(format!("the path '{}' is not allowed", self.written))
            .detail(format!("this engine reads and writes only below {}", list.join(", "))))
    }

    /// The files that the path means now, sorted by path.
    pub fn files(&self) -> Result<Vec<FoundFile>> {
        let mut found = Vec::new();
        if self.glob {
            let pattern = self.path.to_string_lossy();
            let entries = glob::glob(&pattern).map_err(|e| {
                ConnectorError::new(format!("'{}' is not a valid pattern", self.written))
                    .detail(e.to_string())
            })?;
            for path in entries.filter_map(std::result::Result::ok) {
                if !is_hidden(&path) {
                    self.collect(&path, &mut found)?;
                }
            }
        } else {
            if !self.path.exists() {
                return Err(self.missing());
            }
            self.collect(&self.path, &mut found)?;
        }
        if let Some(regex) = &self.regex {
            found.retain(|file| regex.is_match(&file.path.to_string_lossy()));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn collect(&self, path: &Path, found: &mut Vec<FoundFile>) -> Result<()> {
        let unreadable = |e: std::io::Error| {
            ConnectorError::new(format!("cannot read '{}'", path.display())).detail(e.to_string())
        };
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            // A file may be renamed or removed while the folder is being listed.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(unreadable(e)),
        };
        if metadata.is_file() {
            self.check_allowed(path)?;
            found.push(FoundFile::of(path.to_owned(), &metadata));
        } else if metadata.is_dir() {
            for entry in std::fs::read_dir(path).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?.path();
                // A link to a folder above would be walked for ever.
                let is_link = entry.is_symlink() && entry.is_dir();
                if !is_hidden(&entry) && !is_link {
                    self.collect(&entry, found)?;
                }
            }
        }
        Ok(())
    }

    /// The error of a path that does not exist: what exists nearby.
    pub fn missing(&self) -> ConnectorError {
        let error = ConnectorError::new(format!("the path '{}' does not exist", self.written));
        let mut parent = self.path.as_path();
        let mut child = None;
        while !parent.exists() {
            child = parent.file_name();
            match parent.parent() {
                Some(up) => parent = up,
                None => return error,
            }
        }
        let mut names: Vec<String> = std::fs::read_dir(parent)
            .map(|entries| {
                let names = entries.flatten().map(|e| e.file_name());
                names.map(|n| n.to_string_lossy().into_owned()).collect()
            })
            .unwrap_or_default();
        names.sort();
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        let child = child.map(|c| c.to_string_lossy().into_owned()).unwrap_or_default();
        let error = if words.is_empty() {
            error.detail(format!("'{}' is empty", parent.display()))
        } else {
            let shown = words.iter().take(8).copied().collect::<Vec<_>>().join(", ");
            let more = if words.len() > 8 { ", …" } else { "" };
            error.detail(format!("'{}' holds {shown}{more}", parent.display()))
        };
        match nearest(&child, &words) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint("relative paths start at the project's folder"),
        }
    }
}

/// Names that start so are no data: hidden, or not finished yet.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(b".") || name.starts_with(b"_")
    })
}

/// The path without `.` and `..`, as far as that can be said without asking the disk.
fn normal(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut out = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

/// The path with links followed as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    let path = normal(path);
    let mut existing = path.as_path();
    let mut rest = Vec::new();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return rest.iter().rev().fold(real, |real, part| real.join(part));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                existing = parent;
            }
            _ => return path,
        }
    }
}

/// The values of `key=value` folders between the table's folder and a file.
pub(super) fn partition_values(folder: &Path, file: &Path) -> Vec<(String, String)> {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let Some(parent) = below.parent() else { return Vec::new() };
    let parts = parent.components().filter_map(|component| {
        let text = component.as_os_str().to_str()?;
        let (key, value) = text.split_once('=')?;
        Some((unescaped(key), unescaped(value)))
    });
    parts.collect()
}

/// A partition's name or value as a part of a path: what would not survive there is `%XX`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || "\"#%'*/:=?\\{}[]^\u{7f}".contains(c) {
            out.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(location: &Location, base: &Path) -> Vec<String> {
        let files = location.files().unwrap();
        files
            .iter()
            .map(|f| f.path.strip_prefix(base).unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn folders_globs_and_patterns_find_the_same_files() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for name in ["in/b.json", "in/a.json", "in/sub/c.csv", "in/.hidden", "in/_tmp/d.json"] {
            let path = base.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let environment = Environment::new(&base);
        let find = |path: &str, regex: Option<&str>| {
            let regex = regex.map(|r| Regex::new(r).unwrap());
            names(&Location::new(path, regex, &environment).unwrap(), &base)
        };
        assert_eq!(find("in", None), ["in/a.json", "in/b.json", "in/sub/c.csv"]);
        assert_eq!(find("in/*.json", None), ["in/a.json", "in/b.json"]);
        assert_eq!(find("in", Some(r"^.*/sub/.*$")), ["in/sub/c.csv"]);
        assert_eq!(find("in/../in/a.json", None), ["in/a.json"]);
        let absolute = format!("file://{}", base.join("in/b.json").display());
        assert_eq!(find(&absolute, None), ["in/b.json"]);
    }

    #[test]
    fn a_missing_path_says_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sales")).unwrap();
        let environment = Environment::new(dir.path());
        let location = Location::new("sale", None, &environment).unwrap();
        let error = location.files().unwrap_err();
        assert!(error.detail.unwrap().contains("holds sales"));
        assert_eq!(error.hint.as_deref(), Some("did you mean 'sales'?"));
        assert!(Location::new("s3://bucket/x", None, &environment).is_err());
    }

    #[test]
    fn paths_outside_the_roots_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("secret"), "x").unwrap();
        let mut environment = Environment::new(&inside);
        environment.roots = Some(vec![inside.clone()]);
        for path in ["../out", "../out/*", "/etc/passwd", "a/../../out/secret"] {
            let error = Location::new(path, None, &environment).unwrap_err();
            assert!(error.message.contains("is not allowed"), "{path}");
        }
        std::os::unix::fs::symlink(outside.join("secret"), inside.join("link")).unwrap();
        assert!(Location::new("link", None, &environment).is_err());
        let folder = Location::new(".", None, &environment).unwrap();
        assert!(folder.files().unwrap_err().message.contains("is not allowed"));
    }

    #[test]
    fn partitions_are_read_from_folders() {
        let found = partition_values(Path::new("/t"), Path::new("/t/day=2024-01-01/c=a%2Fb/x"));
        let expected = [("day", "2024-01-01"), ("c", "a/b")];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(unescaped(&escaped("50% a/b=c:é")), "50% a/b=c:é");
    }
}
