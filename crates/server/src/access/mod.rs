//! Who may ask for what: tokens with roles, and whether one is needed at all.
//!
//! - `role.rs`: what a role may do
//! - `tokens.rs`: the tokens of a project, in a file
//! - `people.rs`: who has them, where somebody has
//! - `scram.rs`: showing a token without sending it
//! - `secret.rs`: random bytes, and comparing them
//! - `limiter.rs`: how often somebody may fail
//!
//! Without tokens only programs of the same machine can ask, and may do everything. From the first
//! token on, or where the server is told so, nobody is answered without one. The file is looked at
//! again while the server runs; one that cannot be read lets nobody in.

mod limiter;
mod people;
mod role;
mod scram;
mod secret;
mod tokens;

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use limiter::Limiter;
use secret::{random, same};

pub use people::Holder;
pub use role::{Need, Role};
pub use scram::{Exchange, ScramError, Verifier};
pub(crate) use secret::random_id;
pub(crate) use tokens::private;
pub use tokens::{Token, Tokens, TokensError, now_ms};

/// How often the file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What the file said when it was looked at last.
#[derive(Debug, Clone)]
enum Known {
    /// Nobody needs a token.
    Open,
    /// These are the tokens.
    Tokens(Arc<Vec<Token>>),
    /// It cannot be read.
    Broken(Arc<str>),
}

/// By what a file is known to be another one: its number, time and size.
type Stamp = (u64, i64, i64, u64);

#[derive(Debug)]
struct Seen {
    looked: Instant,
    stamp: Option<Stamp>,
    known: Known,
}

/// Who may ask for what.
#[derive(Debug)]
pub struct Access {
    tokens: Option<Tokens>,
    is_required: bool,
    seen: Mutex<Seen>,
    failures: Limiter,
    decoys: [u8; 32],
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The token's name; none where no token is needed.
    pub name: Option<String>,
    /// Who has it, where somebody has.
    pub person: Option<String>,
    /// What the token is good for.
    pub role: Role,
    hash: Option<[u8; 32]>,
    access: Arc<Access>,
}

impl Caller {
    /// Whether the token is still good for the same, for who asks for longer than a moment.
    pub fn still_holds(&self) -> bool {
        self.access.holds(self.hash, self.role)
    }

    /// What a session remembers of its token.
    pub fn mark(&self) -> String {
        let hash = self.hash.map(hex::encode).unwrap_or_default();
        format!("{}:{hash}", self.role.name())
    }

    /// By which name is noted what they do.
    pub fn actor(&self) -> Option<&str> {
        self.person.as_deref().or(self.name.as_deref())
    }
}

/// Why somebody is not let in.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token is not one of this server, was taken back, or has expired.
    Unknown,
    /// Too many attempts have failed: when to try again.
    TooOften(Duration),
    /// Nobody can be let in.
    Broken(String),
}

impl Access {
    /// By the tokens of a project; required from the first one on, or from the beginning.
    pub fn new(tokens: Option<Tokens>, is_required: bool) -> Arc<Self> {
        let access = Self {
            seen: Mutex::new(Seen { looked: Instant::now(), stamp: None, known: Known::Open }),
            tokens,
            is_required,
            failures: Limiter::default(),
            decoys: random(),
        };
        access.look(&mut access.seen());
        Arc::new(access)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Each change of it is one assignment after the other: what is there can be used.
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn look(&self, seen: &mut Seen) {
        seen.looked = Instant::now();
        let Some(tokens) = &self.tokens else {
            seen.known = if self.is_required { Known::Tokens(Arc::default()) } else { Known::Open };
            return;
        };
        let found = std::fs::metadata(tokens.path());
        let stamp = match &found {
            Ok(found) => Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len())),
            Err(_) => None,
        };
        let is_first = matches!(seen.known, Known::Open);
        if stamp.is_some() && stamp == seen.stamp {
            return;
        }
        seen.stamp = stamp;
        seen.known = match found {
            Ok(_) => match tokens.read() {
                Ok(tokens) => Known::Tokens(Arc::new(tokens)),
                Err(error) => Known::Broken(error.to_string().into()),
            },
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Known::Broken(error.to_string().into())
            }
            // A file that was there and is not any more opens nothing.
            Err(_) if self.is_required || !is_first => Known::Tokens(Arc::default()),
            Err(_) => Known::Open,
        };
    }

    fn known(&self) -> Known {
        let mut seen = self.seen();
        if seen.looked.elapsed() >= LOOK_INTERVAL {
            self.look(&mut seen);
        }
        seen.known.clone()
    }

    /// The same, where a token may just have been made.
    fn known_by_now(&self) -> Known {
        let mut seen = self.seen();
        self.look(&mut seen);
        seen.known.clone()
    }

    /// Whether a token is needed also where there is none yet.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// Whether nobody needs a token.
    pub fn is_open(&self) -> bool {
        matches!(self.known(), Known::Open)
    }

    /// Somebody who needs no token.
    pub fn anybody(self: &Arc<Self>) -> Option<Caller> {
        let caller = || Caller {
            name: None,
            person: None,
            role: Role::Admin,
            hash: None,
            access: Arc::clone(self),
        };
        self.is_open().then(caller)
    }

    /// Who has a token.
    pub fn caller(self: &Arc<Self>, secret: &str, from: IpAddr) -> Result<Caller, Refused> {
        let hash = tokens::hash_of(secret);
        for known in [Self::known, Self::known_by_now] {
            let tokens = match known(self) {
                Known::Open => Arc::default(),
                Known::Tokens(tokens) => tokens,
                Known::Broken(why) => return Err(Refused::Broken(why.to_string())),
            };
            // All are looked at, whichever it is.
            let mut found = None;
            for token in tokens.iter() {
                if same(&token.hash, &hash) {
                    found = Some(token);
                }
            }
            if let Some(token) = found.filter(|token| token.holds(now_ms())) {
                return Ok(self.holder(token));
            }
        }
        Err(self.failed(from))
    }

    fn holder(self: &Arc<Self>, token: &Token) -> Caller {
        Caller {
            name: Some(token.name.clone()),
            person: token.person.clone(),
            role: token.role,
            hash: Some(token.hash),
            access: Arc::clone(self),
        }
    }

    /// By what somebody of a name can show to have its token, and who that would be.
    pub fn verifier(self: &Arc<Self>, name: &str) -> (Verifier, Option<Caller>) {
        if let Known::Tokens(tokens) = self.known() {
            let found = tokens.iter().find(|t| t.name == name && t.holds(now_ms()));
            if let Some(token) = found {
                return (token.verifier.clone(), Some(self.holder(token)));
            }
        }
        (Verifier::decoy(name, &self.decoys), None)
    }

    /// An attempt has failed.
    pub fn failed(&self, from: IpAddr) -> Refused {
        self.failures.failed(from).map_or(Refused::Unknown, Refused::TooOften)
    }

    /// Whether what a session remembers is still a good token, with the same role.
    pub fn holds_mark(&self, mark: Option<&str>) -> bool {
        let (role, hash) = mark.and_then(|mark| mark.split_once(':')).unwrap_or_default();
        let hash = hex::decode(hash).ok().and_then(|hash| hash.try_into().ok());
        self.holds(hash, Role::named(role).unwrap_or(Role::Ingest))
    }

    fn holds(&self, hash: Option<[u8; 32]>, role: Role) -> bool {
        match (self.known(), hash) {
            (Known::Open, _) => true,
            (Known::Tokens(tokens), Some(hash)) => {
                let now = now_ms();
                let is_it = |t: &Token| same(&t.hash, &hash) && t.role == role && t.holds(now);
                tokens.iter().any(is_it)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Looks at the file now, not when it is time.
    fn look(access: &Access) {
        access.look(&mut access.seen());
    }

    #[test]
    fn the_first_token_closes_the_server_and_the_last_does_not_open_it() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(dir.path());
        let access = Access::new(Some(tokens.clone()), false);
        assert!(access.anybody().is_some_and(|caller| caller.still_holds()));
        let before = access.anybody().unwrap();
        let (_, secret) = tokens.create("a", Role::Viewer, None).unwrap();
        look(&access);
        assert!(access.anybody().is_none() && !before.still_holds());
        let caller = access.caller(&secret, HERE).unwrap();
        assert_eq!((caller.name.as_deref(), caller.role), (Some("a"), Role::Viewer));
        assert!(access.holds_mark(Some(&caller.mark())) && !access.holds_mark(None));
        tokens.revoke("a").unwrap();
        look(&access);
        assert!(!caller.still_holds() && access.anybody().is_none());
        assert_eq!(access.caller(&secret, HERE).unwrap_err(), Refused::Unknown);
        std::fs::remove_file(tokens.path()).unwrap();
        look(&access);
        assert!(access.anybody().is_none(), "not while the server runs");
    }

    #[test]
    fn a_token_that_has_expired_or_a_broken_file_lets_nobody_in() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(dir.path());
        let (_, gone) = tokens.create("gone", Role::Admin, Some(Duration::ZERO)).unwrap();
        let (_, good) = tokens.create("good", Role::Admin, None).unwrap();
        let access = Access::new(Some(tokens.clone()), true);
        assert!(access.caller(&gone, HERE).is_err() && access.caller(&good, HERE).is_ok());
        assert!(access.verifier("gone").1.is_none() && access.verifier("good").1.is_some());
        std::fs::write(tokens.path(), "no tokens").unwrap();
        look(&access);
        assert!(matches!(access.caller(&good, HERE), Err(Refused::Broken(_))));
        assert!(access.verifier("good").1.is_none());
    }

    #[test]
    fn who_fails_too_often_is_told_to_wait_and_others_are_not() {
        let access = Access::new(None, true);
        let mut answers = (0..30).map(|_| access.caller("x", HERE).unwrap_err());
        assert!(answers.any(|refused| matches!(refused, Refused::TooOften(_))));
        let other = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(access.caller("x", other).unwrap_err(), Refused::Unknown);
    }
}
