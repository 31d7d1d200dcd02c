//! The tokens of a project: names, roles, and what is needed to know a token again, in a file.
//!
//! The token itself is shown once, to who makes it. The file holds a hash of it, for HTTP, and a
//! verifier of SCRAM, for PostgreSQL's protocol. A token is 256 random bits: a hash without a salt
//! tells nothing of it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::people::{Holder, Person, known};
use super::role::Role;
use super::scram::Verifier;
use super::secret::random;

/// The name of the file.
const FILE: &str = "tokens.json";
/// The form of the file.
const VERSION: u32 = 1;
/// How a token begins, so that people and scanners know one where they find it.
const PREFIX: &str = "rialto_";
/// The longest name.
const NAME_BYTES_MAX: usize = 64;
/// The most tokens of a project.
const TOKENS_MAX: usize = 1000;

/// What is known of a token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its name; the user of PostgreSQL's protocol.
    pub name: String,
    /// What it is good for: where somebody has it, what they may do.
    pub role: Role,
    /// Who has it; none: a program, or nobody in particular.
    pub person: Option<String>,
    /// When it was made, in epoch milliseconds.
    pub created_ms: i64,
    /// When it ends to be good for anything.
    pub expires_ms: Option<i64>,
    /// Another token of the same name has another one.
    pub(crate) hash: [u8; 32],
    pub(crate) verifier: Verifier,
}

impl Token {
    /// Whether it is good for anything at a time.
    pub fn holds(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|end| now_ms < end)
    }
}

/// Why the tokens cannot be read or changed.
#[derive(Debug)]
pub enum TokensError {
    /// What is asked for is wrong.
    Refused(String),
    /// The file cannot be used.
    File(PathBuf, String),
}

impl std::fmt::Display for TokensError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "{why}"),
            Self::File(path, why) => {
                write!(f, "cannot use the tokens in {}: {why}", path.display())
            }
        }
    }
}

impl std::error::Error for TokensError {}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    tokens: Vec<WrittenToken>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    people: Vec<Person>,
}

#[derive(Serialize, Deserialize)]
struct WrittenToken {
    name: String,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    created_ms: i64,
    expires_ms: Option<i64>,
    sha256: String,
    scram: Verifier,
}

/// The time in epoch milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The hash by which a token is known.
pub fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The tokens of a folder.
#[derive(Debug, Clone)]
pub struct Tokens {
    folder: PathBuf,
}

impl Tokens {
    /// Those that a folder has, or will have.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where they are kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Whether there ever were tokens: from then on nobody asks without one.
    pub fn exist(&self) -> bool {
        self.path().exists()
    }

    /// All of them.
    pub fn read(&self) -> Result<Vec<Token>, TokensError> {
        self.read_all().map(|(tokens, _)| tokens)
    }

    /// All of them, and all people.
    pub(super) fn read_all(&self) -> Result<(Vec<Token>, Vec<Person>), TokensError> {
        let text = match std::fs::read_to_string(self.path()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Default::default());
            }
            Err(error) => return Err(self.failed(error)),
        };
        let written: Written = serde_json::from_str(&text).map_err(|e| self.failed(e))?;
        if written.version != VERSION {
            let why = format!("it has the form {}, this Rialto knows {VERSION}", written.version);
            return Err(self.failed(why));
        }
        let people = written.people;
        let understood = written.tokens.into_iter().map(|token| self.understood(token, &people));
        Ok((understood.collect::<Result<_, _>>()?, people))
    }

    fn understood(&self, token: WrittenToken, people: &[Person]) -> Result<Token, TokensError> {
        let hash = hex::decode(&token.sha256).ok().and_then(|h| <[u8; 32]>::try_from(h).ok());
        let role = match &token.person {
            Some(name) => people.iter().find(|one| one.name == *name).map(|one| one.role),
            None => Role::named(&token.role),
        };
        let (Some(hash), Some(role)) = (hash, role) else {
            let why = format!("the hash, the role or the person of '{}' is none", token.name);
            return Err(self.failed(why));
        };
        let WrittenToken { name, person, created_ms, expires_ms, scram, .. } = token;
        Ok(Token { name, role, person, created_ms, expires_ms, hash, verifier: scram })
    }

    /// Makes a token. Answers it: it is not kept, and cannot be had again.
    pub fn create(
        &self,
        name: &str,
        role: Role,
        expires: Option<Duration>,
    ) -> Result<(Token, String), TokensError> {
        self.create_for(name, Holder::Role(role), expires)
    }

    /// Makes a token for a role, or for somebody.
    pub fn create_for(
        &self,
        name: &str,
        holder: Holder<'_>,
        expires: Option<Duration>,
    ) -> Result<(Token, String), TokensError> {
        check_name("token", name)?;
        let _lock = self.lock()?;
        let (mut tokens, people) = self.read_all()?;
        let now = now_ms();
        if let Some(same) = tokens.iter().find(|t| t.name == name) {
            let held = if same.holds(now) { "" } else { ", which has expired" };
            return Err(TokensError::Refused(format!("there is a token '{name}'{held}")));
        }
        if tokens.len() >= TOKENS_MAX {
            return Err(TokensError::Refused(format!("there are {TOKENS_MAX} tokens already")));
        }
        let (role, person) = match holder {
            Holder::Role(role) => (role, None),
            Holder::Person(who) => (known(&people, who)?.role, Some(who.to_owned())),
        };
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random()));
        let lasts = expires.map(|e| i64::try_from(e.as_millis()).unwrap_or(i64::MAX));
        let token = Token {
            name: name.to_owned(),
            role,
            person,
            created_ms: now,
            expires_ms: lasts.map(|lasts| now.saturating_add(lasts)),
            hash: hash_of(&secret),
            verifier: Verifier::of(&secret),
        };
        tokens.push(token.clone());
        self.write(&tokens, people)?;
        Ok((token, secret))
    }

    /// Takes a token back. A server that runs refuses it within a second.
    pub fn revoke(&self, name: &str) -> Result<(), TokensError> {
        let _lock = self.lock()?;
        let (mut tokens, people) = self.read_all()?;
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            return Err(TokensError::Refused(format!("there is no token '{name}'")));
        }
        self.write(&tokens, people)
    }

    /// Keeps others from changing the file at the same time.
    pub(super) fn lock(&self) -> Result<File, TokensError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|e| self.failed(e))?;
        let path = self.folder.join("tokens.lock");
        let lock = private().open(path).and_then(|file| file.lock().map(|()| file));
        lock.map_err(|e| self.failed(e))
    }

    /// Writes the file whole, for its owner alone.
    pub(super) fn write(&self, tokens: &[Token], people: Vec<Person>) -> Result<(), TokensError> {
        let tokens = tokens.iter().map(|token| WrittenToken {
            name: token.name.clone(),
            role: token.role.name().to_owned(),
            person: token.person.clone(),
            created_ms: token.created_ms,
            expires_ms: token.expires_ms,
            sha256: hex::encode(token.hash),
            scram: token.verifier.clone(),
        });
        let written = Written { version: VERSION, tokens: tokens.collect(), people };
        let text = serde_json::to_vec_pretty(&written).map_err(|e| self.failed(e))?;
        let beside = self.folder.join("tokens.new");
        let write = || {
            let mut file = private().truncate(true).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&beside, self.path())?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|e: std::io::Error| self.failed(e))
    }

    fn failed(&self, why: impl ToString) -> TokensError {
        TokensError::File(self.path(), why.to_string())
    }
}

/// How files are opened that concern nobody else.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Refuses what is no name of a token, or of a person.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), TokensError> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(is_known) {
        return Ok(());
    }
    Err(TokensError::Refused(format!(
        "'{name}' is no name of a {what}: 1 to {NAME_BYTES_MAX} letters, digits, '_', '-' and '.'"
    )))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_known_again_and_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(dir.path().join("state"));
        assert!(!tokens.exist() && tokens.read().unwrap().is_empty());
        let (_, one) = tokens.create("grafana", Role::Viewer, None).unwrap();
        let hour = Duration::from_secs(3600);
        let (_, two) = tokens.create("bi", Role::Analyst, Some(hour)).unwrap();
        let read = tokens.read().unwrap();
        assert_eq!(read[0].hash, hash_of(&one));
        assert_eq!((read[1].name.as_str(), read[1].role), ("bi", Role::Analyst));
        let end = read[1].expires_ms.unwrap();
        assert!(read[1].holds(end - 1) && !read[1].holds(end));
        let text = std::fs::read_to_string(tokens.path()).unwrap();
        assert!(!text.contains(&one) && !text.contains(&two[PREFIX.len()..]));
        let mode = std::fs::metadata(tokens.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        tokens.revoke("grafana").unwrap();
        assert_eq!(tokens.read().unwrap().len(), 1);
        tokens.revoke("bi").unwrap();
        assert!(tokens.exist(), "nobody is let in because the last one was taken back");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(dir.path());
        for name in ["", "a b", "ü", &"x".repeat(65)] {
            assert!(tokens.create(name, Role::Admin, None).is_err(), "{name}");
        }
        tokens.create("a", Role::Admin, None).unwrap();
        let said = tokens.create("a", Role::Viewer, None).unwrap_err().to_string();
        assert_eq!(said, "there is a token 'a'");
        assert_eq!(tokens.revoke("b").unwrap_err().to_string(), "there is no token 'b'");
        std::fs::write(tokens.path(), "{}").unwrap();
        assert!(tokens.read().unwrap_err().to_string().contains("cannot use the tokens"));
    }
}
