//! What a token may be good for.

/// A role: what whoever has the token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads views, and asks over them in SQL.
    Analyst,
    /// Reads views and their changes.
    Viewer,
    /// Sends events, and reads nothing.
    Ingest,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the answer holds no data.
    Nothing,
    /// Some token.
    Any,
    /// To read views.
    View,
    /// To ask in SQL.
    Ask,
    /// To send events.
    Send,
    /// To change what the job does.
    Administer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Analyst, Self::Viewer, Self::Ingest];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Analyst => "analyst",
            Self::Viewer => "viewer",
            Self::Ingest => "ingest",
        }
    }

    /// The role of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it is enough.
    pub fn may(self, need: Need) -> bool {
        match need {
            Need::Nothing | Need::Any => true,
            Need::View => matches!(self, Self::Admin | Self::Analyst | Self::Viewer),
            Need::Ask => matches!(self, Self::Admin | Self::Analyst),
            Need::Send => matches!(self, Self::Admin | Self::Ingest),
            Need::Administer => self == Self::Admin,
        }
    }

    /// The roles that are enough, for people.
    pub fn enough_for(need: Need) -> String {
        let mut names: Vec<&str> =
            Self::ALL.into_iter().filter(|r| r.may(need)).map(Self::name).collect();
        let last = names.pop().unwrap_or_default();
        if names.is_empty() { last.into() } else { format!("{} or {last}", names.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_it_is_for() {
        let may = |role: Role| {
            [Need::View, Need::Ask, Need::Send, Need::Administer].map(|need| role.may(need))
        };
        assert_eq!(may(Role::Admin), [true, true, true, true]);
        assert_eq!(may(Role::Analyst), [true, true, false, false]);
        assert_eq!(may(Role::Viewer), [true, false, false, false]);
        assert_eq!(may(Role::Ingest), [false, false, true, false]);
        assert_eq!(Role::enough_for(Need::View), "admin, analyst or viewer");
        assert_eq!(Role::enough_for(Need::Administer), "admin");
        assert!(Role::ALL.into_iter().all(|role| Role::named(role.name()) == Some(role)));
    }
}
