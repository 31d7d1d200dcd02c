//! People: somebody with a name and a role, and tokens of their own, one for each thing that they
//! ask from. What they may do is said once, and changes for all of their tokens at once.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::role::Role;
use super::tokens::{Token, Tokens, TokensError, check_name, now_ms};

/// The most people of a project.
const PEOPLE_MAX: usize = 500;
/// The longest that somebody is called.
const TITLE_CHARS_MAX: usize = 80;

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name by which what they do is noted.
    pub name: String,
    /// What they are called.
    pub title: String,
    /// What they may do.
    #[serde(serialize_with = "named", deserialize_with = "of_name")]
    pub role: Role,
    /// Since when they are known, in epoch milliseconds.
    pub created_ms: i64,
}

fn named<S: Serializer>(role: &Role, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(role.name())
}

fn of_name<'de, D: Deserializer<'de>>(from: D) -> Result<Role, D::Error> {
    let name = String::deserialize(from)?;
    Role::named(&name).ok_or_else(|| serde::de::Error::custom(format!("no role '{name}'")))
}

/// By what a token is good for something.
#[derive(Debug, Clone, Copy)]
pub enum Holder<'a> {
    /// By a role of its own.
    Role(Role),
    /// By what somebody may do.
    Person(&'a str),
}

/// Somebody by name.
pub(super) fn known<'a>(people: &'a [Person], name: &str) -> Result<&'a Person, TokensError> {
    let found = people.iter().find(|one| one.name == name);
    found.ok_or_else(|| TokensError::Refused(format!("there is nobody called '{name}'")))
}

impl Tokens {
    /// Everybody.
    pub fn people(&self) -> Result<Vec<Person>, TokensError> {
        self.read_all().map(|(_, people)| people)
    }

    /// Makes somebody known, or changes what they are called and may do.
    pub fn keep_person(&self, name: &str, title: &str, role: Role) -> Result<Person, TokensError> {
        check_name("person", name)?;
        let title = title.trim();
        if title.chars().count() > TITLE_CHARS_MAX {
            let why = format!("nobody is called by more than {TITLE_CHARS_MAX} characters");
            return Err(TokensError::Refused(why));
        }
        let _lock = self.lock()?;
        let (mut tokens, mut people) = self.read_all()?;
        let created_ms = known(&people, name).map_or_else(|_| now_ms(), |one| one.created_ms);
        let person = Person { name: name.into(), title: title.into(), role, created_ms };
        people.retain(|one| one.name != name);
        if people.len() >= PEOPLE_MAX {
            let why = format!("there are {PEOPLE_MAX} people already");
            return Err(TokensError::Refused(why));
        }
        people.push(person.clone());
        people.sort_by(|one, other| one.name.cmp(&other.name));
        let had = has_admin(&tokens);
        for token in tokens.iter_mut().filter(|token| token.person.as_deref() == Some(name)) {
            token.role = role;
        }
        check_admin(had, &tokens)?;
        self.write(&tokens, people)?;
        Ok(person)
    }

    /// Takes somebody out, with all of their tokens. Answers how many those were.
    pub fn remove_person(&self, name: &str) -> Result<usize, TokensError> {
        let _lock = self.lock()?;
        let (mut tokens, mut people) = self.read_all()?;
        known(&people, name)?;
        let (had, before) = (has_admin(&tokens), tokens.len());
        tokens.retain(|token| token.person.as_deref() != Some(name));
        check_admin(had, &tokens)?;
        people.retain(|one| one.name != name);
        let gone = before - tokens.len();
        self.write(&tokens, people)?;
        Ok(gone)
    }
}

fn has_admin(tokens: &[Token]) -> bool {
    let now = now_ms();
    tokens.iter().any(|token| token.role == Role::Admin && token.holds(now))
}

/// Refuses what would leave nobody who could change it back.
fn check_admin(had: bool, tokens: &[Token]) -> Result<(), TokensError> {
    if !had || has_admin(tokens) {
        return Ok(());
    }
    let why = "they have the last token of an admin: nobody could change that here";
    Err(TokensError::Refused(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_said_once_and_holds_for_all_tokens_of_somebody() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(dir.path());
        tokens.create("root", Role::Admin, None).unwrap();
        let ann = tokens.keep_person("ann", "Ann Lee", Role::Viewer).unwrap();
        for name in ["ann.laptop", "ann.phone"] {
            tokens.create_for(name, Holder::Person("ann"), None).unwrap();
        }
        let roles = || -> Vec<Role> { tokens.read().unwrap().iter().map(|t| t.role).collect() };
        assert_eq!(roles(), [Role::Admin, Role::Viewer, Role::Viewer]);
        let changed = tokens.keep_person("ann", "Ann Lee", Role::Analyst).unwrap();
        assert_eq!((changed.role, changed.created_ms), (Role::Analyst, ann.created_ms));
        assert_eq!(roles(), [Role::Admin, Role::Analyst, Role::Analyst]);
        assert_eq!(tokens.remove_person("ann").unwrap(), 2);
        assert_eq!((roles(), tokens.people().unwrap()), (vec![Role::Admin], Vec::new()));
        let nobody = tokens.create_for("x", Holder::Person("ann"), None).unwrap_err();
        assert_eq!(nobody.to_string(), "there is nobody called 'ann'");
    }

    #[test]
    fn the_last_admin_stays() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(dir.path());
        tokens.keep_person("ann", "", Role::Admin).unwrap();
        tokens.create_for("ann.laptop", Holder::Person("ann"), None).unwrap();
        let said = tokens.keep_person("ann", "", Role::Viewer).unwrap_err().to_string();
        assert!(said.contains("the last token of an admin"), "{said}");
        assert!(tokens.remove_person("ann").is_err());
        tokens.create("root", Role::Admin, None).unwrap();
        assert_eq!(tokens.remove_person("ann").unwrap(), 1);
        assert!(tokens.keep_person("a b", "", Role::Viewer).is_err());
    }
}
